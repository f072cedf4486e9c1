"""What a second render may do better: changes of the plan that answer what the first one measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from processor.feedback.advice import signed
from processor.mashup.deviations import MOST_APART_MS, PEAK_DB, RATIO_LU
from processor.mashup.measured import Measured
from processor.mashup.offsets import Offsets, Section
from processor.mashup.plan import Plan, beat_numbers, time_map

Vector = NDArray[np.float64]

# Once a plan is mended, offsets down to this are taken out as well.
WORTH_MS = 5.0
# Beats move by no more than that share of a beat: what is farther off is another beat.
MOST_OF_A_BEAT = 0.4
MOST_GAIN_DB = 6.0
# A fade that clicked becomes so many times as long, and no shorter than that.
LONGER, LEAST_FADE_S, MOST_FADE_S = 3.0, 0.02, 0.25
NEAR_S = 0.05


def corrected(
    plan: Plan,
    measured: Measured,
    details: Offsets | None = None,
    clicks_s: Sequence[float] = (),
) -> Plan | None:
    """A plan that does what the first one wanted; None where nothing is to be mended, or nothing can be.

    A plan that was mended already stays as it is: what is left has causes that no plan can answer.

    Args:
        plan: what was rendered.
        measured: what it came out as.
        details: the beats by section; without them beats stay where they are.
        clicks_s: joins of the vocals that click.
    """
    if plan.corrections:
        return None
    changed = plan
    if details is not None:
        changed = _beats_moved(changed, details)
    changed = _vocals_turned(changed, measured)
    changed = _lowered(changed, measured)
    changed = _faded(changed, clicks_s)
    return changed if changed.corrections else None


def _said(plan: Plan, sentence: str) -> Plan:
    return replace(plan, corrections=(*plan.corrections, sentence))


def _beats_moved(plan: Plan, details: Offsets) -> Plan:
    """Move the beats of the vocals' song to where they were found to lie, segment by segment."""
    far = [one for one in details.sections if one.offset_ms is not None and abs(one.offset_ms) > MOST_APART_MS]
    if not far and (details.median_ms or 0.0) <= MOST_APART_MS:
        return plan
    beats = np.asarray(plan.vocals.grid.beats_s, np.float64)
    numbers, moves_s = _moves(plan, details.sections, beats)
    if not numbers.size:
        return plan
    moved = beats + np.interp(np.arange(beats.size), numbers, moves_s)
    if not (np.diff(moved) > 0.5 * np.diff(beats)).all():
        return plan
    grid = replace(plan.vocals.grid, beats_s=tuple(moved.tolist()))
    low, high = 1000 * float(moves_s.min()), 1000 * float(moves_s.max())
    by = f"{signed(low, 0)} ms" if high - low < 1 else f"{signed(low, 0)} to {signed(high, 0)} ms"
    changed = replace(plan, vocals=replace(plan.vocals, grid=grid))
    return _said(changed, f"The vocals' beats were moved by {by}: so far from the backing's they had landed.")


def _moves(plan: Plan, sections: Sequence[Section], beats: Vector) -> tuple[Vector, Vector]:
    """Beats of the vocals' song, rising, and how much later each of them is than its grid says, in seconds."""
    period = np.median(np.diff(beats))
    found: dict[int, list[float]] = {}
    for one in sections:
        if one.offset_ms is None:
            continue
        late_s = one.offset_ms / 1000 if abs(one.offset_ms) >= WORTH_MS else 0.0
        segment = plan.segments[one.segment]
        source_s, target_s = time_map(plan, segment)
        edges = np.interp([one.start_s, one.end_s], target_s, source_s)
        pace = (edges[1] - edges[0]) / max(one.end_s - one.start_s, 1e-6)
        if abs(late_s * pace) > MOST_OF_A_BEAT * period:
            continue
        first, last = np.round(beat_numbers(beats, edges)).astype(int).tolist()
        for number in range(max(0, first), min(beats.size, last + 1)):
            found.setdefault(number, []).append(late_s * pace)
    numbers = sorted(found)
    return np.array(numbers, np.float64), np.array([float(np.mean(found[number])) for number in numbers])


def _vocals_turned(plan: Plan, measured: Measured) -> Plan:
    """Bring the vocals to the ratio that was planned."""
    ratio = measured.vocal_to_backing_lu
    if ratio is None or abs(ratio - plan.vocal_to_backing_lu) <= RATIO_LU:
        return plan
    gain_db = float(np.clip(plan.vocal_to_backing_lu - ratio, -MOST_GAIN_DB, MOST_GAIN_DB))
    segments = tuple(replace(one, gain_db=round(one.gain_db + gain_db, 2)) for one in plan.segments)
    return _said(
        replace(plan, segments=segments),
        f"The vocals were turned by {signed(gain_db)} dB: they had come out {signed(ratio)} LU over the backing, "
        f"with {signed(plan.vocal_to_backing_lu)} planned.",
    )


def _lowered(plan: Plan, measured: Measured) -> Plan:
    """Lower the ceiling by what was over it."""
    peak = measured.true_peak_dbtp
    if peak is None or peak <= plan.ceiling_dbtp + PEAK_DB:
        return plan
    ceiling = round(plan.ceiling_dbtp - (peak - plan.ceiling_dbtp) - PEAK_DB, 2)
    return _said(
        replace(plan, ceiling_dbtp=ceiling),
        f"The ceiling was lowered to {signed(ceiling, 2)} dBTP: true peaks had passed it up to {signed(peak, 2)}.",
    )


def _faded(plan: Plan, clicks_s: Sequence[float]) -> Plan:
    """Fade longer where the vocals clicked at an edge of a segment."""
    segments, count = [], 0
    for segment in plan.segments:
        _, target_s = time_map(plan, segment)
        clicked = [any(abs(at - edge) < NEAR_S for at in clicks_s) for edge in (target_s[0], target_s[-1])]
        fades = [
            min(MOST_FADE_S, max(LEAST_FADE_S, LONGER * fade)) if is_heard else fade
            for fade, is_heard in zip((segment.fade_in_s, segment.fade_out_s), clicked, strict=True)
        ]
        count += sum(clicked)
        segments.append(replace(segment, fade_in_s=fades[0], fade_out_s=fades[1]))
    if count == 0:
        return plan
    return _said(
        replace(plan, segments=tuple(segments)), f"{count} fades of the vocals were made longer: they had clicked."
    )


def is_better(second: Measured, first: Measured) -> bool:
    """Whether a second render came out better than the first: fewer deviations, or as many with nearer beats."""
    if len(second.deviations) != len(first.deviations):
        return len(second.deviations) < len(first.deviations)
    before, after = first.beat_offset_median_ms, second.beat_offset_median_ms
    return before is None or after is None or after <= before
