"""Where the beats of both layers of a render landed, in milliseconds, from the sound.

Three things are measured, for each beat that is sung:

- how far the rendered vocals lie from where the time map puts them: the rise of their sound is cross-correlated with
  that of the source, carried through the map;
- where the attacks of the vocals' whole song lie around its own beats, because a grid that is late is late in the
  render as well;
- where the attacks of the rendered backing lie around the beats of the mashup.

The distance of both layers is the first and the second less the third. What finds the attacks is the same on both
sides, so its own delay goes out. Where either song has no attacks near its beats, or only its vocals are there to be
heard, the grids are believed, and the backing is held against its own source, as the vocals are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.mashup.plan import Plan, Segment, cut_starts_s, mashup_beats_s, time_map
from processor.mashup.rises import FRAME_RATE, REACH_S, Envelope, highest, lag_s, part, peaks, warped

Vector = NDArray[np.float64]
Curve = NDArray[np.float32]

WINDOW_BEATS = 4  # what one beat's lag is measured on
LEAST_S = 1.0  # and no less than that
SECTION_BARS = 8

NEAR_S = 0.025  # how far the attacks of some beats may lie from those of all
# How far a grid may be off, and how far it usually is at most. Songs whose layers were put together by hand have two
# places that are as good, up to 40 ms apart (measured on three); then it is the one that the grid means.
MOST_AWAY_S, USUAL_S = 0.09, 0.02
STANDS_OUT = 1.5  # mean strength of what lies on the beat, over that of everything
CAP_PERCENTILE = 98.0  # no attack counts more than most strong ones
LEAST_BEATS, LOCAL_BEATS = 16, 16

CLEAR_SIGMA = 3.0

# Of the vocals' onsets: the share that counts as strong, the fewest that are enough, how far they are apart, and how
# far from its place each may come out.
STRONGEST_SHARE, FEWEST, APART_S, ROUND_S = 0.25, 6, 0.08, 0.03


@dataclass(frozen=True)
class Section:
    """A stretch that is sung, of at most eight bars, and how its layers lie.

    Attributes:
        segment: index of the segment.
        label: its label.
        first_beat: of the mashup.
        end_beat: the first one behind it.
        start_s: in the mashup.
        end_s: in the mashup.
        offset_ms: how much later the vocals' beats fall than the backing's, median; None where nothing can be told.
        accents_ms: by how much the vocals' own accents follow those of the backing, where that is clear; singers lay
            back, so it says little of a mistake.
        sharpness: rise of the vocals' strongest onsets, after the stretch over before; None where there are too few.
    """

    segment: int
    label: str
    first_beat: int
    end_beat: int
    start_s: float
    end_s: float
    offset_ms: float | None
    accents_ms: float | None
    sharpness: float | None


@dataclass(frozen=True)
class Offsets:
    """Beats of the vocals against those of the backing.

    Attributes:
        beats: each beat of the mashup that something was measured at, rising, shape `(n,)`.
        offset_ms: how much later the vocals fall there; shape `(n,)`.
        sections: what is sung.
        measured_from: what that rests on, in words.
        sharpness: of the vocals' strongest onsets, after the stretch over before.
    """

    beats: NDArray[np.int64]
    offset_ms: Vector
    sections: tuple[Section, ...]
    measured_from: str
    sharpness: float | None

    @property
    def median_ms(self) -> float | None:
        """Middle distance, without its sign."""
        return float(np.median(np.abs(self.offset_ms))) if self.offset_ms.size else None

    @property
    def p95_ms(self) -> float | None:
        """19 of 20 beats lie nearer than that."""
        return float(np.percentile(np.abs(self.offset_ms), 95)) if self.offset_ms.size else None

    @property
    def worst_ms(self) -> float | None:
        """Distance of the worst section."""
        found = [abs(one.offset_ms) for one in self.sections if one.offset_ms is not None]
        return max(found, default=None)


@dataclass(frozen=True)
class Heard:
    """What is compared: envelopes and strengths of attacks, by frames of 2.5 ms.

    Attributes:
        vocals: of the rendered vocals.
        vocals_source: of the vocals' file.
        backing: of the rendered backing.
        backing_source: of the instrumental's file, all layers together.
        song_attacks: of the vocals' whole song, or of its drums; None where only its vocals are known.
        backing_attacks: of the rendered drums, or of the rendered backing where it has none.
    """

    vocals: Envelope
    vocals_source: Envelope
    backing: Envelope
    backing_source: Envelope
    song_attacks: Curve | None
    backing_attacks: Curve


def measure(plan: Plan, heard: Heard) -> Offsets:
    """Measure every beat that is sung, and every section.

    Args:
        plan: what was rendered.
        heard: what it came out as.
    """
    beats = mashup_beats_s(plan)
    song = None if heard.song_attacks is None else landings(heard.song_attacks, np.asarray(plan.vocals.grid.beats_s))
    landed = landings(heard.backing_attacks, beats)
    is_heard = song is not None and landed is not None
    backing = landed if is_heard and landed is not None else _backing_lags(plan, heard, beats)
    places: list[Vector] = []
    sections: list[Section] = []
    for number, segment in enumerate(plan.segments):
        found = _sung(plan, segment, heard, song if is_heard else None)
        sections += _sections(plan, number, heard, found - [0, 1, 0] * backing[found[:, 0].astype(int), None])
        places.append(found)
    joined = np.concatenate([np.empty((0, 3)), *places])
    joined = joined[np.argsort(joined[:, 0], kind="stable")]
    late = 1000 * (joined[:, 1] - backing[joined[:, 0].astype(int)])
    source = "attacks of both songs around their beats, and the render against its source"
    return Offsets(
        beats=joined[:, 0].astype(np.int64),
        offset_ms=late,
        sections=tuple(sections),
        measured_from=source if is_heard else "the render against its source; the beats of the plan are believed",
        sharpness=_mean([(one.sharpness, one.end_s - one.start_s) for one in sections if one.sharpness is not None]),
    )


def _mean(weighted: Sequence[tuple[float, float]]) -> float | None:
    """Mean of values with their weights; None where there are none."""
    total = sum(weight for _, weight in weighted)
    return sum(value * weight for value, weight in weighted) / total if total > 0 else None


def landings(attacks: Curve, beats_s: Vector) -> Vector | None:
    """How much later than each beat the attack comes that belongs to it, by those of the beats around.

    Args:
        attacks: strength of attacks as `rises.attacks` has it.
        beats_s: beats, rising.

    Returns:
        Seconds, shape `(beats,)`; None where attacks have no place of their own near the beats.
    """
    period = float(np.median(np.diff(beats_s))) if beats_s.size > 1 else 0.0
    if beats_s.size < LEAST_BEATS or period <= 0 or not attacks.any():
        return None
    tried = np.arange(-round(period / 2 * FRAME_RATE), round(period / 2 * FRAME_RATE))
    capped = np.minimum(attacks, np.percentile(attacks[attacks > 0], CAP_PERCENTILE))
    frames = np.round(beats_s * FRAME_RATE).astype(int)[:, None] + tried
    is_inside = (frames >= 0) & (frames < capped.size)
    rows = np.where(is_inside, capped[np.clip(frames, 0, capped.size - 1)], 0.0)
    # Half a frame at most is lost by rounding beats to frames, and given back here.
    lost_s = np.round(beats_s * FRAME_RATE) / FRAME_RATE - beats_s
    whole = _place(rows.mean(axis=0), tried / FRAME_RATE, min(MOST_AWAY_S, period / 5))
    if whole is None:
        return None
    sums = np.cumsum(np.concatenate([np.zeros((1, tried.size)), rows]), axis=0)
    last = np.minimum(np.arange(beats_s.size) + LOCAL_BEATS // 2, beats_s.size)
    first = np.maximum(last - LOCAL_BEATS, 0)
    local = (sums[np.maximum(last, np.minimum(LOCAL_BEATS, beats_s.size))] - sums[first]) / LOCAL_BEATS
    found = [_place(row, tried / FRAME_RATE - whole, NEAR_S, NEAR_S / 2) for row in local]
    return np.asarray([whole + (0.0 if one is None else one) for one in found] + lost_s, np.float64)


def _place(strength: Vector, away_s: Vector, most_away_s: float, usual_s: float = USUAL_S) -> float | None:
    """Where attacks gather, within `most_away_s` of 0; the nearer one of two that are as good.

    Args:
        strength: mean strength of attacks, shape `(n,)`.
        away_s: how far from 0 each of these is.
        most_away_s: how far the place may be.
        usual_s: how far it usually is at most.

    Returns:
        The place, between the frames by a parabola; None where none stands out.
    """
    smooth = np.convolve(strength, np.array([0.25, 0.5, 0.25]), "same")
    scores = np.where(np.abs(away_s) <= most_away_s, smooth / (1 + (away_s / usual_s) ** 2), 0.0)
    best = int(scores.argmax())
    if best in (0, scores.size - 1) or smooth[best] < STANDS_OUT * strength.mean():
        return None
    before, here, after = smooth[best - 1 : best + 2]
    bend = before - 2 * here + after
    move = float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0
    return float(away_s[best] + move / FRAME_RATE)


def _sung(plan: Plan, segment: Segment, heard: Heard, song: Vector | None) -> Vector:
    """The beats of a segment at which something can be told, shape `(n, 3)`.

    Each has its number, how much later than planned the beat of the vocals' song falls there, and how much later than
    expected the vocals sound there, in seconds.
    """
    source_s, target_s = time_map(plan, segment)
    beats = mashup_beats_s(plan)
    numbers = np.flatnonzero((beats[:-1] >= target_s[0]) & (beats[:-1] < target_s[-1]))
    first, expected = warped(heard.vocals_source, source_s, target_s)
    lags = _lags(heard.vocals, first, expected, beats[numbers], float(np.median(np.diff(beats))))
    late = np.zeros(numbers.size)
    if song is not None:
        own = segment.vocal_beat + (numbers - segment.beat) * plan.vocal_beats_per_beat
        slope = np.interp(beats[numbers], target_s[:-1], np.diff(target_s) / np.diff(source_s))
        late = np.interp(own, np.arange(song.size), song) * slope
    return np.stack([numbers.astype(np.float64), lags + late, lags], axis=1)[np.isfinite(lags)]


def _lags(heard: Envelope, first: int, expected: Curve, places_s: Vector, beat_s: float) -> Vector:
    """How much later than expected the sound around each place is, in seconds; NaN where that is not clear."""
    half = round(max(LEAST_S, WINDOW_BEATS * beat_s) / 2 * heard.rate)
    reach = round(REACH_S * heard.rate)
    found = np.full(places_s.size, np.nan)
    end = min(heard.rise_db.size, first + expected.size)
    for n, place in enumerate(np.round(places_s * heard.rate).astype(int).tolist()):
        # At the ends of a segment the window moves inwards, and there is less room for lags beside it.
        start = max(first, min(place - half, end - 2 * half)) - reach
        stop = min(end, start + reach + 2 * half) + reach
        lag = lag_s(part(heard.rise_db, 0, start, stop), part(expected, first, start, stop), heard.rate)
        found[n] = np.nan if lag is None else lag
    return found


def _backing_lags(plan: Plan, heard: Heard, beats: Vector) -> Vector:
    """How much later than planned the backing is at each beat, against its own source; 0 where it is not clear."""
    found = np.zeros(beats.size)
    period = float(np.median(np.diff(beats)))
    starts = cut_starts_s(plan)
    ends_at = [at for _, _, at in starts[1:]] + [float(beats[-1])]
    for (start_s, end_s, at_s), end_at_s in zip(starts, ends_at, strict=True):
        inside = np.flatnonzero((beats >= at_s) & (beats < end_at_s))
        span = (np.array([start_s, end_s]), np.array([at_s, end_at_s]))
        first, expected = warped(heard.backing_source, *span)
        found[inside] = np.nan_to_num(_lags(heard.backing, first, expected, beats[inside], period))
    return found


def _sections(plan: Plan, number: int, heard: Heard, found: Vector) -> list[Section]:
    """A segment in stretches of at most eight bars; `found` as `_sung` has it, less what the backing is late by."""
    segment = plan.segments[number]
    source_s, target_s = time_map(plan, segment)
    beats = mashup_beats_s(plan)
    first, end = np.searchsorted(beats, [target_s[0], target_s[-1]]).tolist()
    length = SECTION_BARS * plan.instrumental.grid.metre
    count = max(1, -(-(end - first) // length))
    edges = np.round(np.linspace(first, end, count + 1)).astype(int)
    sections = []
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        own = found[(found[:, 0] >= low) & (found[:, 0] < high), 1:]
        start_s = float(target_s[0] if low == first else beats[low])
        end_s = float(target_s[-1] if high == end else beats[min(high, beats.size - 1)])
        late = 1000 * float(np.median(own[:, 0])) if own.size else None
        accents = _accents(heard, start_s, end_s)
        moved_s = float(np.median(own[:, 1])) if own.size else 0.0
        sharp = sharpness(heard, (source_s, target_s + moved_s), (start_s + moved_s, end_s + moved_s))
        sections.append(Section(number, segment.label, low, high, start_s, end_s, late, accents, sharp))
    return sections


def _accents(heard: Heard, start_s: float, end_s: float) -> float | None:
    """By how much the vocals' onsets follow the backing's, in ms; None where no lag stands out."""
    rate = heard.vocals.rate
    start, stop = round(start_s * rate), round(end_s * rate)
    voice, under = part(heard.vocals.rise_db, 0, start, stop), part(heard.backing.rise_db, 0, start, stop)
    found = _stand_out(voice, under, rate)
    return None if found is None else 1000 * found


def _stand_out(voice: Curve, under: Curve, rate: float) -> float | None:
    """The lag of the highest correlation, if it stands out of those of all lags by three standard deviations."""
    reach = round(REACH_S * rate)
    if voice.size < 8 * reach or not voice.any() or not under.any():
        return None
    middle = under[reach:-reach] - under[reach:-reach].mean()
    scores = np.lib.stride_tricks.sliding_window_view(voice, middle.size) @ middle
    smooth = np.convolve(scores, np.ones(5) / 5, "same")
    best = int(smooth.argmax())
    spread = float(smooth.std())
    is_clear = spread > 0 and (smooth[best] - smooth.mean()) / spread > CLEAR_SIGMA and 0 < best < smooth.size - 1
    return float(best - reach) / rate if is_clear else None


def sharpness(heard: Heard, times_s: tuple[Vector, Vector], span_s: tuple[float, float]) -> float | None:
    """Rise of the strongest onsets of a section's vocals, after the stretch over before; None under six onsets.

    Args:
        heard: envelopes.
        times_s: moments of the source, and where they go.
        span_s: start and end of the section in the mashup.
    """
    source_s, target_s = times_s
    rate = heard.vocals_source.rate
    start, stop = (round(float(np.interp(at, target_s, source_s)) * rate) for at in span_s)
    found = peaks(part(heard.vocals_source.rise_db, 0, start, stop), round(APART_S * rate)) + start
    if found.size < FEWEST:
        return None
    heights = heard.vocals_source.rise_db[found]
    strongest = found[np.argsort(-heights, kind="stable")[: max(FEWEST, round(STRONGEST_SHARE * found.size))]]
    before = highest(heard.vocals_source.rise_db, strongest, round(ROUND_S * rate))
    went = np.round(np.interp(strongest / rate, source_s, target_s) * rate).astype(int)
    after = highest(heard.vocals.rise_db, went, round(ROUND_S * rate))
    return float(after.mean() / before.mean()) if before.mean() > 0 else None
