"""The stereo picture: one defect is told once, and with its side, band or place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from processor.analysis.bands import bands
from processor.analysis.integrity import Integrity
from processor.analysis.spectrum import spectrum as measured
from processor.analysis.stereo import stereo
from processor.feedback.advice import TOO_LITTLE, TOO_MUCH, Advice, Mix
from processor.feedback.areas import stereo as rules
from processor.feedback.rules import all_rules
from processor.quantities import columns
from tests import signals
from tests.feedback.tone_mixes import PROFILE, found, mix, picture, spectrum
from tests.signals import Samples

STEREO = [one for one in all_rules() if one.name.startswith("stereo.")]


def integrity(**facts: Any) -> Integrity:
    return Integrity(**{column.name: None for column in columns(Integrity)} | facts)


def of(**facts: Any) -> Mix:
    return mix(spectrum=spectrum(), stereo=picture(**facts))


def broken(one: Mix, **facts: Any) -> Mix:
    return mix(**one.results, integrity=integrity(**facts))


def said(one: Mix) -> list[Advice]:
    return [advice for rule in STEREO for advice in rule.function(one) if advice.severity != "strength"]


def ids(one: Mix) -> list[str]:
    return [advice.id for advice in said(one)]


def heard(samples: Samples) -> Mix:
    """What the rules see of real samples."""
    one = signals.audio(samples)
    powers = bands(one)
    return mix(spectrum=measured(one, powers), stereo=stereo(powers))


def mid_and_side(side_db: float) -> Samples:
    mid, side = signals.noise(5.0, -20, seed=1), signals.noise(5.0, -20 + side_db, seed=2)
    return signals.stereo(mid + side, mid - side)


def test_a_good_picture_is_a_strength_and_nothing_else() -> None:
    assert said(of()) == []
    assert found(rules.good_picture, of()).severity == "strength"


@pytest.mark.parametrize(
    "facts",
    [
        {"correlation": 0.29},
        {"correlation": 0.96},
        {"width": 5.9},
        {"width": 30.1},
        {"balance_db": 1.1},
        {"negative_s": 1.5},
        {"air_mono_loss_db": 1.1},
        {"correlation": None},
    ],
)
def test_what_is_no_good_picture(facts: dict[str, Any]) -> None:
    assert list(rules.good_picture(of(**facts))) == []


# Real samples, from good to broken


def test_a_usual_picture_of_real_samples() -> None:
    assert ids(heard(mid_and_side(-9.0))) == []


def test_mono_of_two_channels() -> None:
    assert ids(heard(signals.spread(signals.noise(4.0)[0]))) == ["stereo.mono.too_little"]
    advice = found(rules.mono, heard(signals.spread(signals.noise(4.0)[0])))
    assert (advice.severity, advice.direction) == ("fault", TOO_LITTLE)


def test_a_file_with_one_channel_is_not_blamed() -> None:
    assert ids(heard(signals.noise(4.0))) == []


def test_narrow() -> None:
    assert ids(heard(mid_and_side(-15.0))) == ["stereo.width.too_little"]
    assert ids(heard(mid_and_side(-25.0))) == ["stereo.mono.too_little"]


def test_wide() -> None:
    [advice] = said(heard(mid_and_side(-1.0)))
    assert (advice.id, advice.direction) == ("stereo.width.too_much", TOO_MUCH)
    assert advice.processing[0].type == "mid/side"


def test_out_of_phase() -> None:
    row = signals.noise(4.0)
    [advice] = said(heard(signals.stereo(row, -0.9 * row)))
    assert (advice.id, advice.severity) == ("stereo.out_of_phase", "fault")
    assert advice.processing[0].type == "polarity"


def test_out_of_phase_for_a_while() -> None:
    usual, row = mid_and_side(-9.0), signals.noise(3.0, seed=3)
    samples = signals.joined(usual, usual, usual, signals.stereo(row, -row), usual)
    [advice] = said(heard(samples))
    assert advice.id == "stereo.passages_out_of_phase"
    [(start, end)] = advice.times_s
    assert [start, end] == pytest.approx([15, 18], abs=0.4)


@pytest.mark.parametrize(("gain_db", "side"), [(4.0, "right"), (-4.0, "left")])
def test_lopsided(gain_db: float, side: str) -> None:
    samples = mid_and_side(-9.0) * np.array([[1.0], [signals.amplitude(gain_db)]], np.float32)
    [advice] = said(heard(samples))
    assert (advice.id, advice.title, advice.severity) == ("stereo.balance", f"Leans to the {side}", "fault")
    raised, lowered = advice.processing
    assert raised.gain_db == pytest.approx(2.0, abs=0.2)
    assert lowered.gain_db == pytest.approx(-2.0, abs=0.2)
    assert lowered.note.startswith(f"on the {side}")


@pytest.mark.parametrize(("dead", "side"), [(0, "left"), (1, "right")])
def test_a_dead_channel_is_told_once(dead: int, side: str) -> None:
    samples = mid_and_side(-9.0)
    samples[dead] = 0
    [advice] = said(heard(samples))
    assert (advice.id, advice.severity) == ("stereo.silent_channel", "fault")
    assert advice.title == f"The {side} channel is dead"


# Limits


@pytest.mark.parametrize(
    ("fine", "fault", "id"),
    [
        ({"balance_db": 1.5}, {"balance_db": 1.6}, "stereo.balance"),
        ({"balance_db": -1.5}, {"balance_db": -1.6}, "stereo.balance"),
        ({"width": 6.0}, {"width": 5.9}, "stereo.width.too_little"),
        ({"width": 1.0}, {"width": 0.9}, "stereo.mono.too_little"),
        ({"width": 30.0, "correlation": 0.6}, {"width": 30.5, "correlation": 0.6}, "stereo.width.too_much"),
        ({"width": 40.0, "correlation": 0.71}, {"width": 40.0, "correlation": 0.69}, "stereo.width.too_much"),
        ({"width": 40.0, "mono_loss_db": 0.49}, {"width": 40.0, "mono_loss_db": 0.5}, "stereo.width.too_much"),
        ({"correlation": 0.25}, {"correlation": 0.24}, "stereo.width.too_much"),
        ({"correlation": -0.05}, {"correlation": -0.06}, "stereo.out_of_phase"),
        ({"air_mono_loss_db": 3.2}, {"air_mono_loss_db": 3.3}, "stereo.band_phase.air"),
        ({"mids_mono_loss_db": 3.2}, {"mids_mono_loss_db": 3.3}, "stereo.band_phase.mids"),
    ],
)
def test_limits(fine: dict[str, Any], fault: dict[str, Any], id: str) -> None:
    assert id not in ids(of(**fine))
    assert id in ids(of(**fault))


def test_width_is_measured_against_the_profile() -> None:
    assert ids(replace(of(width=5.5), profile=replace(PROFILE, ranges={}))) == []
    assert ids(of(width=5.5)) == ["stereo.width.too_little"]


def test_each_halving_of_the_width_is_a_step() -> None:
    assert found(rules.too_narrow, of(width=3.0)).weight == pytest.approx(1.0)
    assert found(rules.too_narrow, of(width=1.5)).severity == "fault"


def test_negative_most_of_the_time_is_the_whole_mix() -> None:
    spans, curve = np.array([[0.0, 20.0]]), np.concatenate([np.full(20, -0.5), np.full(10, 0.8)])
    one = of(negative_s=20.0, negative_intervals_s=spans, correlations=curve)
    assert ids(one) == ["stereo.out_of_phase"]
    rarer = of(negative_s=10.0, negative_intervals_s=spans / 2, correlations=-curve)
    assert ids(rarer) == ["stereo.passages_out_of_phase"]
    [advice] = said(rarer)
    assert advice.times_s == ((0.0, 10.0),)
    assert advice.weight == pytest.approx(2.5)


def test_the_worst_band_is_named_with_the_others() -> None:
    [advice] = said(of(air_mono_loss_db=4.2, high_mids_mono_loss_db=6.2))
    assert (advice.id, advice.band) == ("stereo.band_phase.high_mids", "high_mids")
    assert "6–20 kHz" in advice.text
    assert advice.weight == pytest.approx(3.0)


def test_a_band_that_hardly_sounds_does_not_count() -> None:
    quiet = mix(spectrum=spectrum(air_share=0.4), stereo=picture(air_mono_loss_db=6.0))
    assert ids(quiet) == []


def test_a_late_channel_explains_the_rest() -> None:
    comb = of(correlation=-0.2, negative_s=5.0, negative_intervals_s=np.array([[0.0, 5.0]]), mids_mono_loss_db=4.0)
    assert ids(comb) == ["stereo.out_of_phase"]
    [advice] = said(broken(comb, channel_delay_s=0.003))
    assert (advice.id, advice.title) == ("stereo.late_channel", "The right channel is 3.0 ms late")
    assert advice.severity == "fault"
    assert "167 Hz" in advice.text
    [left] = said(broken(of(), channel_delay_s=-0.001))
    assert left.title == "The left channel is 1.0 ms late"
    assert ids(broken(of(), channel_delay_s=0.0004)) == []


def test_a_dead_channel_explains_the_rest() -> None:
    comb = of(correlation=-0.2, width=50.0, balance_db=-30.0)
    [advice] = said(broken(comb, silent_channel=2, channel_delay_s=0.003))
    assert (advice.id, advice.title) == ("stereo.silent_channel", "The right channel is dead")


def test_a_dead_channel_is_told_of_any_sound() -> None:
    assert {one.name for one in STEREO if "speech" in one.of} == {"stereo.silent_channel", "stereo.inverted"}
    assert {one.name for one in STEREO if one.of == ("mix", "solo")} == {"stereo.late_channel"}
    assert len(STEREO) == 10


def test_without_a_picture_nothing_is_said() -> None:
    assert [advice for rule in STEREO for advice in rule.function(mix())] == []
