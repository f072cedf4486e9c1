"""Beats, cuts and segments as times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processor.mashup.plan import (
    Cut,
    Grid,
    at_beats,
    beat_numbers,
    cut_starts_s,
    duration_s,
    mashup_beats_s,
    stretch,
    sung_later,
    time_map,
)
from tests.mashup.heard import a_plan, grid

BEATS = (0.5, 1.0, 1.6, 2.0)


def test_beats_between_and_beyond() -> None:
    found = at_beats(BEATS, np.array([-1.0, 0.0, 0.5, 2.25, 3.0, 5.0]))
    assert found.tolist() == pytest.approx([0.0, 0.5, 0.75, 1.7, 2.0, 2.8])


@given(st.lists(st.floats(0.1, 3.0), min_size=2, max_size=40), st.lists(st.floats(-20, 60), min_size=1, max_size=20))
@settings(deadline=None)
def test_numbers_and_times_are_inverse(steps: list[float], numbers: list[float]) -> None:
    beats = np.cumsum(steps)
    back = beat_numbers(beats, at_beats(beats, np.array(numbers)))
    assert back.tolist() == pytest.approx(numbers, abs=1e-6)


def test_cuts_are_played_end_to_end() -> None:
    plan = a_plan(cuts=(Cut(4, 8), Cut(0, 4), Cut(130, 134)))
    assert cut_starts_s(plan) == [
        pytest.approx((2.4, 4.8, 0.0)),
        pytest.approx((0.0, 2.4, 2.4)),
        pytest.approx((78.0, 80.4, 4.8)),
    ]
    assert duration_s(plan) == pytest.approx(7.2)
    assert mashup_beats_s(plan).tolist() == pytest.approx(np.arange(13) * 0.6)


def test_another_tempo_stretches_the_instrumental() -> None:
    plan = a_plan(cuts=(Cut(0, 10), Cut(20, 30)))
    assert stretch(plan) == 1.0
    faster = replace(plan, tempo_bpm=125.0)
    assert stretch(faster) == pytest.approx(0.8)
    assert duration_s(faster) == pytest.approx(0.8 * duration_s(plan))
    assert np.diff(mashup_beats_s(faster)) == pytest.approx(np.full(20, 0.48))


def test_beats_that_sway_stay_as_they_are() -> None:
    sway = tuple(float(at) for at in np.cumsum(0.6 + 0.02 * np.sin(np.arange(60))))
    instrumental = replace(a_plan().instrumental, grid=Grid(sway, 0, 4, 100.0))
    plan = a_plan(instrumental=instrumental, cuts=(Cut(3, 50),))
    assert mashup_beats_s(plan) == pytest.approx(np.array(sway[3:51]) - sway[3])


@pytest.mark.parametrize("way", [1.0, 2.0, 0.5])
def test_each_beat_of_a_segment_falls_on_its_beat(way: float) -> None:
    plan = a_plan(vocal_beats_per_beat=way)
    segment = replace(plan.segments[0], start_s=2.05, end_s=9.0, vocal_beat=5, beat=20)
    source, target = time_map(plan, segment)
    assert source[0] == 2.05
    assert source[-1] == 9.0
    assert (np.diff(source) > 0).all()
    assert (np.diff(target) > 0).all()
    beats, mashup = np.array(plan.vocals.grid.beats_s), mashup_beats_s(plan)
    for number in range(5, 12):
        at = int(np.flatnonzero(source == beats[number])[0])
        assert target[at] == pytest.approx(at_beats(mashup, np.array([20 + (number - 5) / way]))[0])
    again = time_map(plan, segment, mashup)
    assert np.array_equal(again[1], target)


def test_a_segment_between_two_beats_has_two_moments() -> None:
    plan = a_plan()
    beats = grid(104.0, 60.0, first=1, at_s=0.123456789).beats_s
    source, _ = time_map(plan, replace(plan.segments[0], start_s=beats[7] + 0.01, end_s=beats[8] - 0.01))
    assert source.size == 2


@pytest.mark.parametrize("beats", [0.25, 1.0, -1.5])
def test_vocals_come_later_by_their_own_beats(beats: float) -> None:
    plan = a_plan()
    beat_s = 60 / plan.tempo_bpm / plan.vocal_beats_per_beat
    moved = sung_later(plan, beats)
    for segment in plan.segments:
        before, after = (time_map(one, segment) for one in (plan, moved))
        assert after[0][[0, -1]] == pytest.approx(before[0][[0, -1]]), "the same is sung"
        assert after[1][[0, -1]] - before[1][[0, -1]] == pytest.approx(beats * beat_s)
    assert f"{abs(beats):g} of their beats" in moved.reasons[-1]
