"""The stretch of a mashup that is worth hearing first: a plan of some seconds, cut out of a longer one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from processor.mashup.plan import Cut, Plan, Segment, duration_s, mashup_beats_s, time_map

Vector = NDArray[np.float64]

# A segment that goes on behind the end is faded, and one of which less than that remains is left out.
FADE_S, LEAST_S = 0.5, 2.0


def window(plan: Plan, seconds: float) -> Plan:
    """The same plan, of no more than `seconds` and from a bar's beginning on: where most is sung, and fits best.

    Segments keep their places; one that would begin before the window is not sung. A plan that is no longer is
    returned as it is, and so is one that cannot be cut.
    """
    if duration_s(plan) <= seconds or not plan.segments:
        return plan
    beats = mashup_beats_s(plan)
    spans = [_span(plan, segment) for segment in plan.segments]
    places = sorted({_window_at(plan, beats, start, seconds) for start, _ in spans})
    first, end = max(places, key=lambda place: _worth(plan, spans, beats[place[0]], beats[place[1]]))
    inside = [one for number in range(len(spans)) if (one := _within(plan, number, beats, (first, end))) is not None]
    return replace(plan, cuts=tuple(_cuts(plan, first, end)), segments=tuple(inside)) if inside else plan


def _span(plan: Plan, segment: Segment) -> tuple[float, float]:
    """When a segment is heard."""
    _, wanted = time_map(plan, segment)
    return float(wanted[0]), float(wanted[-1])


def _window_at(plan: Plan, beats: Vector, start_s: float, seconds: float) -> tuple[int, int]:
    """The beats between which a window lies that begins with the bar in which something begins."""
    metre, last = plan.instrumental.grid.metre, beats.size - 1
    bar = (plan.cuts[0].first_beat - plan.instrumental.grid.first_downbeat) % metre
    at = int(np.searchsorted(beats, start_s, side="right")) - 1
    first = max(0, at - (at + bar) % metre)
    end = int(np.searchsorted(beats, beats[first] + seconds, side="right")) - 1
    whole = end - (end - first) % metre
    return first, min(last, whole if whole > first else max(end, first + 1))


def _worth(plan: Plan, spans: list[tuple[float, float]], start_s: float, end_s: float) -> float:
    """Seconds that are sung in a window, each by how well it fits."""
    return sum(
        max(0.0, min(until, end_s) - since) * (0.1 + segment.fit)
        for segment, (since, until) in zip(plan.segments, spans, strict=True)
        if start_s <= since < end_s
    )


def _cuts(plan: Plan, first: int, end: int) -> Iterator[Cut]:
    """What is played from one beat of the mashup up to another."""
    at = 0
    for cut in plan.cuts:
        since, until = max(first, at), min(end, at + cut.end_beat - cut.first_beat)
        if since < until:
            yield Cut(cut.first_beat + since - at, cut.first_beat + until - at)
        at += cut.end_beat - cut.first_beat


def _within(plan: Plan, number: int, beats: Vector, window: tuple[int, int]) -> Segment | None:
    """A segment as it is sung in a window; None where it is not."""
    segment = plan.segments[number]
    source, wanted = time_map(plan, segment)
    start_s, end_s = beats[window[0]], beats[window[1]]
    if wanted[0] < start_s or end_s - wanted[0] < min(LEAST_S, wanted[-1] - wanted[0]):
        return None
    moved = replace(segment, beat=segment.beat - window[0])
    if not 0 <= moved.beat < window[1] - window[0]:
        return None
    if wanted[-1] <= end_s:
        return moved
    return replace(moved, end_s=float(np.interp(end_s, wanted, source)), fade_out_s=FADE_S)
