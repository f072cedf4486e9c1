"""Advice on tuning, tempo and key: what triggers it, and what is too unsure to say."""

from __future__ import annotations

import pytest

from processor.feedback.areas import musical
from tests.feedback.level_mixes import mix_of, only

CENTS = {"key.tuning_cents": 20.0, "key.confidence": 0.8}
BEATS = {"beats.tempo_bpm": 120.0, "beats.confidence": 0.9, "beats.stability": 1.0}
KEY = {"key.name": "A minor", "key.confidence": 0.8}


@pytest.mark.parametrize(("cents", "weight"), [(14.9, None), (-14.9, None), (-31.8, 1.68), (15.5, 0.05)])
def test_off_concert_pitch_is_a_note(cents: float, weight: float | None) -> None:
    found = only(musical.tuning, mix_of(CENTS | {"key.tuning_cents": cents}))
    assert (found and found.weight) == (weight and pytest.approx(weight))
    if found:
        assert found.severity == "note"
        assert ("below" in found.text) is (cents < 0)
        if weight == 1.68:
            assert found.title == "Tuned to 432 Hz"


def test_tuning_of_what_has_no_key_says_nothing() -> None:
    assert only(musical.tuning, mix_of(CENTS | {"key.confidence": 0.29})) is None
    assert only(musical.tuning, mix_of(CENTS | {"key.confidence": 0.31}))


@pytest.mark.parametrize(
    ("tag", "fires"),
    [
        ("120", False),
        ("60", False),
        ("240.0", False),
        ("80", False),
        ("122", False),
        ("123", True),
        ("128,00", True),
        ("fast", False),
        ("", False),
        ("1e9", False),
        ("nan", False),
    ],
)
def test_a_tagged_tempo_that_is_not_played(tag: str, fires: bool) -> None:
    found = only(musical.tagged_tempo, mix_of(BEATS | {"metadata.tagged_tempo": tag}))
    assert (found and found.severity) == ("note" if fires else None)


@pytest.mark.parametrize(
    ("tag", "fires"), [("Am", False), ("8A", False), ("Em", False), ("C", False), ("Eb minor", True), ("A major", True)]
)
def test_a_tagged_key_that_does_not_fit(tag: str, fires: bool) -> None:
    found = only(musical.tagged_key, mix_of(KEY | {"metadata.tagged_key": tag}))
    assert (found and found.severity) == ("note" if fires else None)


@pytest.mark.parametrize("tempo", [80.0, 90.0, 100.0])
@pytest.mark.parametrize("factor", [2, 0.5, 3, 1 / 3, 1.5, 2 / 3, 4, 0.25])
def test_one_pulse_may_be_counted_at_another_level(tempo: float, factor: float) -> None:
    facts = BEATS | {"beats.tempo_bpm": tempo, "metadata.tagged_tempo": str(tempo * factor)}
    assert only(musical.tagged_tempo, mix_of(facts)) is None


def test_sure_enough_is_sure_enough() -> None:
    assert only(musical.tagged_tempo, mix_of(BEATS | {"beats.confidence": 0.61, "metadata.tagged_tempo": "99"}))
    assert only(musical.tagged_key, mix_of(KEY | {"key.confidence": 0.61, "metadata.tagged_key": "Eb minor"}))


def test_a_tag_that_is_no_key_is_no_fault_of_the_music() -> None:
    assert only(musical.tagged_key, mix_of(KEY | {"metadata.tagged_key": "<script>"})) is None


def test_weak_confidence_says_nothing() -> None:
    assert only(musical.tagged_tempo, mix_of(BEATS | {"beats.confidence": 0.59, "metadata.tagged_tempo": "99"})) is None
    assert only(musical.tagged_key, mix_of(KEY | {"key.confidence": 0.59, "metadata.tagged_key": "Eb minor"})) is None
    unsteady = BEATS | {"beats.stability": 0.5}
    assert only(musical.unsteady, mix_of(unsteady | {"beats.confidence": 0.59}, profile="techno")) is None


@pytest.mark.parametrize(("stability", "weight"), [(0.91, None), (0.89, 0.1), (0.75, 1.5)])
def test_a_tempo_that_wanders(stability: float, weight: float | None) -> None:
    found = only(musical.unsteady, mix_of(BEATS | {"beats.stability": stability}, profile="techno"))
    assert (found and found.weight) == (weight and pytest.approx(weight))
    if found:
        assert found.severity == ("note" if stability > 0.8 else "warning")


@pytest.mark.parametrize("profile", ["general", "classical", "jazz", "rock", "folk"])
def test_a_band_may_breathe(profile: str) -> None:
    assert only(musical.unsteady, mix_of(BEATS | {"beats.stability": 0.2}, profile=profile)) is None
    assert only(musical.steady, mix_of(BEATS, profile=profile)) is None


@pytest.mark.parametrize(("stability", "fits"), [(0.97, False), (0.99, True)])
def test_a_straight_grid_is_a_strength(stability: float, fits: bool) -> None:
    found = only(musical.steady, mix_of(BEATS | {"beats.stability": stability}, profile="house"))
    assert (found and found.severity) == ("strength" if fits else None)


def test_nothing_is_said_of_what_was_not_measured() -> None:
    for one in (musical.tuning, musical.tagged_tempo, musical.tagged_key, musical.unsteady, musical.steady):
        assert only(one, mix_of({}, profile="techno")) is None
