"""A short plan out of a long one: on bars, where most is sung, and one that can be rendered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from processor.mashup.plan import Cut, duration_s, mashup_beats_s, time_map
from processor.mashup.plan_checks import validate
from processor.mashup.window import FADE_S, window
from tests.mashup.heard import a_plan

PLAN = a_plan()


@pytest.mark.parametrize("seconds", [5.0, 8.0, 12.5, 20.0, 30.0])
def test_a_window_is_a_plan_of_no_more_than_its_length(seconds: float) -> None:
    found = window(PLAN, seconds)
    validate(found)
    assert seconds / 2 < duration_s(found) <= seconds + 1e-6
    assert found.segments
    assert sum(cut.end_beat - cut.first_beat for cut in found.cuts) % PLAN.instrumental.grid.metre == 0


def test_it_plays_what_the_whole_plays_there() -> None:
    """The same beats of the instrumental, and each line of the vocals over the same beat of it."""
    found = window(PLAN, 20.0)
    long, short = mashup_beats_s(PLAN), mashup_beats_s(found)
    segment = found.segments[0]
    before = next(one for one in PLAN.segments if one.start_s == segment.start_s)
    shift = before.beat - segment.beat
    offset_s = long[shift]
    assert np.allclose(long[shift : shift + short.size - 1] - offset_s, short[:-1])
    assert time_map(found, segment)[1][0] == pytest.approx(time_map(PLAN, before)[1][0] - offset_s)


def test_what_goes_on_behind_the_end_is_faded() -> None:
    first = replace(PLAN.segments[0], fade_out_s=0.05)
    plan = replace(PLAN, segments=(first,))
    since, until = time_map(plan, first)[1][[0, -1]]
    seconds = float(until - since) * 0.7
    [found] = window(plan, seconds).segments
    assert found.start_s == first.start_s
    assert found.end_s < first.end_s
    assert found.fade_out_s == FADE_S


def test_the_best_sung_part_is_taken() -> None:
    poor, good = (replace(one, fit=fit) for one, fit in zip(PLAN.segments[:2], (0.05, 0.95), strict=True))
    lengths = [np.ptp(time_map(PLAN, one)[1]) for one in (poor, good)]
    found = window(replace(PLAN, segments=(poor, good)), float(max(lengths)) + 3.0)
    assert good.label in [one.label for one in found.segments]
    turned = replace(PLAN, segments=(replace(poor, fit=0.95), replace(good, fit=0.05)))
    assert poor.label in [one.label for one in window(turned, float(max(lengths)) + 3.0).segments]


def test_cuts_are_kept_apart() -> None:
    beats = mashup_beats_s(PLAN).size - 1
    halves = (Cut(0, 32), Cut(16, 16 + beats - 32))
    found = window(replace(PLAN, cuts=halves), 25.0)
    assert sum(cut.end_beat - cut.first_beat for cut in found.cuts) == mashup_beats_s(found).size - 1
    for cut in found.cuts:
        assert any(whole.first_beat <= cut.first_beat < cut.end_beat <= whole.end_beat for whole in halves)


def test_a_short_plan_stays_as_it_is() -> None:
    assert window(PLAN, duration_s(PLAN)) is PLAN
    empty = replace(PLAN, segments=())
    assert window(empty, 5.0) is empty
