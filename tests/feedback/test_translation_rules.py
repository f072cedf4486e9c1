"""What is left of a mix on small speakers and in mono."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from processor.analysis.bands import bands
from processor.analysis.translation import Translation
from processor.analysis.translation import translation as measured
from processor.feedback.advice import TOO_LITTLE, TOO_MUCH, Mix
from processor.feedback.areas import translation as rules
from processor.feedback.rules import all_rules
from tests import signals
from tests.feedback.tone_mixes import found, mix, move, picture, spectrum

USUAL = {"small_loss_lu": 2.0, "phone_loss_lu": 3.9, "mono_loss_lu": 0.4, "low_end_above_200_db": -8.0}
TRANSLATION = [one for one in all_rules() if one.name.startswith("translation.")]


def of(**facts: Any) -> Mix:
    return mix(translation=Translation(**{**USUAL, **facts}), stereo=picture())


def test_a_usual_mix_travels_well() -> None:
    assert [advice.id for rule in TRANSLATION for advice in rule.function(of())] == ["translation.travels"]
    assert found(rules.travels, of()).severity == "strength"


@pytest.mark.parametrize(
    "facts",
    [
        {"small_loss_lu": 2.2},
        {"phone_loss_lu": 4.1},
        {"mono_loss_lu": 0.6},
        {"low_end_above_200_db": -21.0},
        {"small_loss_lu": None},
    ],
)
def test_what_does_not_travel_well(facts: dict[str, Any]) -> None:
    assert list(rules.travels(of(**facts))) == []


@pytest.mark.parametrize(
    ("rule", "fine", "fault", "id"),
    [
        (rules.small_speakers, {"small_loss_lu": 5.0}, {"small_loss_lu": 5.1}, "small_speakers.mids.too_little"),
        (rules.small_speakers, {"phone_loss_lu": 8.0}, {"phone_loss_lu": 8.1}, "small_speakers.mids.too_little"),
        (rules.mono_sum, {"mono_loss_lu": 1.5}, {"mono_loss_lu": 1.6}, "mono.too_much"),
        (
            rules.bass_overtones,
            {"low_end_above_200_db": -20.0},
            {"low_end_above_200_db": -20.1},
            "bass_overtones.low_mids.too_little",
        ),
    ],
)
def test_limits(rule: Any, fine: dict[str, Any], fault: dict[str, Any], id: str) -> None:
    assert list(rule(of(**fine))) == []
    advice = found(rule, of(**fault))
    assert (advice.id, advice.severity) == (f"translation.{id}", "note")
    assert advice.direction == (TOO_MUCH if id == "mono.too_much" else TOO_LITTLE)
    assert advice.processing


@pytest.mark.parametrize(
    ("rule", "facts", "weight"),
    [
        (rules.small_speakers, {"small_loss_lu": 6.5}, 1.0),
        (rules.small_speakers, {"small_loss_lu": 6.5, "phone_loss_lu": 12.5}, 3.0),
        (rules.mono_sum, {"mono_loss_lu": 3.5}, 2.0),
        (rules.bass_overtones, {"low_end_above_200_db": -26.0}, 2.0),
    ],
)
def test_how_much_it_weighs(rule: Any, facts: dict[str, Any], weight: float) -> None:
    advice = found(rule, of(**facts))
    assert advice.weight == pytest.approx(weight)
    assert advice.severity == "warning"  # a taste of its genre at worst, no fault


@pytest.mark.parametrize(
    "facts",
    [
        {"balance_db": 60.0},
        {"correlation": -0.5},
        {"width": 45.0, "mono_loss_db": 3.0},
        {"correlation": 0.1},
        {"sub_correlation": -1.0},
    ],
)
def test_a_cause_in_the_picture_is_told_there(facts: dict[str, Any]) -> None:
    lossy = Translation(**{**USUAL, "mono_loss_lu": 3.0})
    assert list(rules.mono_sum(mix(spectrum=spectrum(), translation=lossy, stereo=picture(**facts)))) == []
    assert found(rules.mono_sum, mix(spectrum=spectrum(), translation=lossy, stereo=picture())).weight == 1.5


def test_where_it_cannot_be_told_nothing_is_said() -> None:
    nothing = dict.fromkeys(USUAL)
    assert [advice for rule in TRANSLATION for advice in rule.function(of(**nothing))] == []
    assert [advice for rule in TRANSLATION for advice in rule.function(mix())] == []


def test_a_sine_of_a_bass_is_lost_and_one_with_overtones_is_not() -> None:
    """80 Hz alone under quiet noise, and the same through a clipper, measured."""
    bass = signals.sine(80, 4, -3, channels=2)
    quiet = signals.spread(signals.noise(4, -60)[0])

    def heard(samples: signals.Samples) -> list[str]:
        one = mix(translation=measured(bands(signals.audio(samples))))
        return [advice.id for rule in TRANSLATION for advice in rule.function(one) if advice.severity != "strength"]

    assert "translation.bass_overtones.low_mids.too_little" in heard(bass + quiet)
    assert "translation.bass_overtones.low_mids.too_little" not in heard(np.clip(8 * bass, -0.5, 0.5) + quiet)


def test_rules_are_for_mixes() -> None:
    assert len(TRANSLATION) == 4
    assert all(one.of == ("mix",) for one in TRANSLATION)


@pytest.mark.parametrize(("gain_db", "severity"), [(0.0, "warning"), (12.0, "note")])
def test_where_the_bass_is_too_loud_that_is_told_instead(gain_db: float, severity: str) -> None:
    heard = Translation(**{**USUAL, "small_loss_lu": 9.0})
    boomy = mix(translation=heard, stereo=picture(), spectrum=spectrum(move("low shelf", 130, gain_db, 0.7)))
    assert found(rules.small_speakers, boomy).severity == severity
