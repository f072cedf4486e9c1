"""Form, heard bar by bar: which bars are alike, and where the row of bars is best cut.

Bars are compared by five properties. A cut is good when the bars between two cuts are alike among themselves, or
come again in the same order elsewhere, and when they are 4, 8 or 16: all three are weighed at once by dynamic
programming, so that no threshold decides about a single place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis.chroma import Chroma
from processor.analysis.mel import Mel
from processor.kernels import kernel

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Whole = NDArray[np.int64]

# Where no bars are known, steps of 2 s take their place: a bar of 4/4 at 120.
STEP_S = 2.0
FEWEST_BARS = 4
# Bars outside of this are counted in pairs or halves: a phrase has 8 to 30 s in any music, whatever was taken for a
# bar.
SHORTEST_BAR_S, LONGEST_BAR_S = 1.2, 4.8
# A bar is looked at in quarters, so that the order of chords and drums within it counts.
QUARTERS = 4
MOST_BARS = 1000  # a matrix of a million; longer tracks are counted in pairs of bars, or fours
# An end of the file this far below the median is silence (a twentieth of the magnitude, 26 dB).
SILENT_SHARE = 0.05

# What bars are compared by, with its weight and the mean square distance below which it is no change.
# In this order: harmony, timbre, energy, brightness, warmth. On three annotated songs the hit rate within 0.5 s fell by
# 0.12 without harmony; leaving out or doubling any other moved it by 0.07 at most, on 50 made songs by 0.02.
WEIGHTS = (2.0, 1.0, 0.3, 0.2, 0.2)
FLOORS = (0.1, 0.05, 0.01, 0.01, 0.01)
# Where the voice was separated, its presence is compared as well. Others weigh energy, brightness and voice 4 : 3 : 3;
# beside harmony and timbre, that would be 0.2 here, and change no cut. Where the band plays the same all the while, 0.5
# is the least that cuts where the voice comes and goes; no annotated song with a voice was there to measure more.
VOICE_WEIGHT, VOICE_FLOOR = 0.5, 0.02
# The voice is there within so many decibels of its loud level, and gone so far below: sung syllables lie within 10 dB,
# what separators leave of other instruments in its silences 30 dB and more below.
THERE_DB, GONE_DB, LOUD_PERCENTILE = 10.0, 30.0, 90.0
WARM_HZ = (150.0, 500.0)
WARMTH_SPREAD = 4.0  # a share of power that doubles weighs about as much as a level that does
LEAST_CHROMA = 0.1  # length of a bar's chroma vector below which it is not scaled up

# Alike is more alike than two bars of this track are on average, by so much.
MARGIN = 0.15
# Where all bars are alike, nothing is a change: the average counts as this at most.
MOST_ALIKE = 0.7
# Bars further apart than a phrase need not be alike for a section to hold together.
NEAR_BARS = 8
LONGEST_SECTION = 32
# A piece that is shorter than a phrase has no sections.
FEWEST_TO_CUT = 8
NOVELTY_BARS = (4, 8)
# A section that comes again bar for bar weighs so much against one whose bars are all alike.
REPETITION = 0.35
# What a section costs, and what it costs more when its length is no multiple of 8 (of 4; of neither), in bars that
# are wholly alike. Sargent, Bimbot & Vincent 2017 and Marmoret, Cohen & Bimbot 2023 found lengths to help most; so it
# is here.
SECTION_COST, LENGTH_COSTS = 0.16, (0.0, 0.2, 0.4)


@dataclass(frozen=True)
class Bars:
    """A track in bars (or pairs, or halves of them).

    Attributes:
        edges_s: where they begin, and the end of the last, shape `(bars + 1,)`; silence at the ends is outside.
        likeness: how alike two bars are, 0 to 1, shape `(bars, bars)`.
        loudness: mean level of each bar, natural logarithm, shape `(bars,)`.
    """

    edges_s: Vector
    likeness: Matrix
    loudness: Vector


@dataclass(frozen=True)
class Voice:
    """How loud the voice alone is.

    Attributes:
        levels_db: RMS of each step, dBFS, shape `(steps,)`.
        hop_s: length of a step.
    """

    levels_db: NDArray[np.floating]
    hop_s: float

    def presence(self) -> NDArray[np.float32]:
        """How much the voice is there, 0 to 1, shape `(steps, 1)`."""
        loud = np.percentile(self.levels_db, LOUD_PERCENTILE) if self.levels_db.size else 0.0
        above = (self.levels_db - loud + GONE_DB) / (GONE_DB - THERE_DB)
        return np.clip(above, 0.0, 1.0).astype(np.float32)[:, None]


def bars_of(downbeats_s: Vector, chroma: Chroma, mel: Mel, duration_s: float, voice: Voice | None = None) -> Bars:
    """Cut a track into bars and compare them, by the presence of the voice too where it is known."""
    edges = sounding(bar_edges(downbeats_s, duration_s), mel)
    count = edges.size - 1
    quarters = np.interp(np.arange(count * QUARTERS + 1) / QUARTERS, np.arange(count + 1), edges)
    pitches = np.concatenate(
        [
            _means(chroma.values, chroma.frame_rate, quarters, chroma.times_s[:1]),
            _means(chroma.bass, chroma.frame_rate, quarters, chroma.times_s[:1]),
        ],
        axis=1,
    )
    levels = _means(mel.levels, mel.frame_rate, quarters, np.zeros(1))
    sung = _means(voice.presence(), 1 / voice.hop_s, quarters, np.zeros(1)).reshape(count, -1) if voice else None
    compared = _compared(pitches.reshape(count, -1), levels.reshape(count, QUARTERS, -1), mel.centres_hz, sung)
    return Bars(edges, *compared)


def bar_edges(downbeats_s: Vector, duration_s: float) -> Vector:
    """Bars from the beginning to the end, as evenly as the downbeats go, shape `(bars + 1,)`."""
    inside = downbeats_s[(downbeats_s >= 0) & (downbeats_s < duration_s)]
    if inside.size < FEWEST_BARS:
        return np.linspace(0, duration_s, min(MOST_BARS, max(1, round(duration_s / STEP_S))) + 1)
    bar = float(np.median(np.diff(inside)))
    unit = bar * 2.0 ** np.ceil(np.log2(SHORTEST_BAR_S / bar)) if bar < SHORTEST_BAR_S else bar
    unit = bar / 2.0 ** np.ceil(np.log2(bar / LONGEST_BAR_S)) if bar > LONGEST_BAR_S else unit
    unit *= 2.0 ** max(0, np.ceil(np.log2(duration_s / (unit * MOST_BARS))))
    # Positions are counted in bars, so that a gap in the downbeats is filled and pairs begin at the first.
    numbers = np.concatenate([[0], np.cumsum(np.maximum(1, np.round(np.diff(inside) / bar)))])
    before, after = int(inside[0] / unit + 0.25), int((duration_s - inside[-1]) / unit + 0.25)
    wanted = np.arange(0, numbers[-1] + 1e-6, unit / bar)
    middle = np.interp(wanted, numbers, inside)
    edges = np.concatenate(
        [inside[0] - unit * np.arange(before, 0, -1), middle, middle[-1] + unit * np.arange(1, after + 2)]
    )
    edges = edges[(edges > 0.5 * unit) & (edges < duration_s - 0.5 * unit)]
    return np.concatenate([[0.0], edges, [duration_s]])


def sounding(edges_s: Vector, mel: Mel) -> Vector:
    """Bars without the silence before and after the sound; the first begins where the sound does."""
    magnitude = np.expm1(mel.levels.mean(axis=1))
    if not magnitude.any():
        return edges_s[[0, -1]]
    loud = np.flatnonzero(magnitude > SILENT_SHARE * np.median(magnitude[magnitude > 0]))
    start, end = loud[0] / mel.frame_rate, min(edges_s[-1], (loud[-1] + 1) / mel.frame_rate)
    inner = edges_s[(edges_s > start) & (edges_s < end)]
    # What is left of a bar at an end and is shorter than half of one belongs to its neighbour.
    bar = float(np.median(np.diff(edges_s)))
    inner = inner[(inner - start > bar / 2) & (end - inner > bar / 2)]
    return np.concatenate([[start], inner, [end]])


def _compared(
    pitches: Matrix, levels: NDArray[np.float64], centres_hz: Vector, sung: Matrix | None
) -> tuple[Matrix, Vector]:
    """Likeness of bars, and their loudness.

    The likeness is the exponential of minus the squared distance in five properties, or six with the voice, each
    divided by its mean.
    """
    size = np.maximum(LEAST_CHROMA, np.linalg.norm(pitches, axis=1, keepdims=True))
    spectra = levels.reshape(len(levels), -1) / np.sqrt(levels[0].size)
    mean = np.expm1(levels.mean(axis=1))
    total = np.maximum(1e-9, mean.sum(axis=1))
    is_warm = (centres_hz >= WARM_HZ[0]) & (centres_hz <= WARM_HZ[1])
    loudness = np.log1p(mean.mean(axis=1))
    brightness = np.log(np.maximum(1.0, mean @ centres_hz / total))
    warmth = WARMTH_SPREAD * mean[:, is_warm].sum(axis=1) / total
    properties = [pitches / size, spectra, loudness[:, None], brightness[:, None], warmth[:, None]]
    weights, floors = list(WEIGHTS), list(FLOORS)
    if sung is not None:
        properties, weights, floors = [*properties, sung], [*weights, VOICE_WEIGHT], [*floors, VOICE_FLOOR]
    distance = np.zeros((len(levels), len(levels)))
    pairs = len(levels) * (len(levels) - 1)
    for rows, weight, floor in zip(properties, weights, floors, strict=True):
        squares = _squares(rows)
        distance += squares * (weight / max(floor, float(squares.sum()) / max(1, pairs)))
    return np.exp(-distance / sum(weights)), loudness


def _squares(rows: Matrix) -> Matrix:
    """Squared distance of each row to each, shape `(n, n)`."""
    lengths = (rows**2).sum(axis=1)
    return np.asarray(np.maximum(0.0, lengths[:, None] + lengths - 2 * rows @ rows.T))


def _means(frames: NDArray[np.float32], rate: float, edges_s: Vector, first_s: Vector) -> Matrix:
    """Mean of the frames between edges, shape `(edges − 1, columns)`; where there is none, that of the nearest."""
    last = len(frames)
    starts = np.round((edges_s - first_s.sum()) * rate).astype(np.int64)
    low = np.clip(starts[:-1], 0, max(0, last - 1))
    high = np.clip(starts[1:], low + 1, max(1, last))
    means = np.zeros((low.size, frames.shape[1]))
    if last:
        _sum_frames(frames, low, high, means)
    return np.asarray(means / (high - low)[:, None])


@kernel
def _sum_frames(frames: NDArray[np.float32], low: Whole, high: Whole, sums: Matrix) -> None:
    for k in range(low.size):
        for i in range(low[k], high[k]):
            for c in range(frames.shape[1]):
                sums[k, c] += frames[i, c]


def cuts(likeness: Matrix) -> tuple[Whole, Vector]:
    """The best cuts of a row of bars, the first 0 and the last the number of bars, and the gain of each section."""
    count = len(likeness)
    if count < FEWEST_TO_CUT:
        return np.array([0, count]), np.zeros(1)
    above = np.triu_indices(count, 1)
    base = min(float(likeness[above].mean()), MOST_ALIKE) + MARGIN
    longest = min(count, LONGEST_SECTION)
    gains = np.zeros((count, longest + 1))
    _add_likeness(likeness - base, longest, gains)
    _add_repetition(likeness, _running_sums(likeness), longest, gains)
    lengths = np.arange(longest + 1)
    gains -= SECTION_COST + np.where(lengths % 8 == 0, LENGTH_COSTS[0], np.where(lengths % 4 == 0, *LENGTH_COSTS[1:]))
    ends = _best_path(gains)
    path = [count]
    while path[-1] > 0:
        path.append(int(ends[path[-1]]))
    found = np.array(path[::-1])
    return found, gains[found[:-1], np.diff(found)]


def novelty(likeness: Matrix) -> Vector:
    """How much changes at each edge of the bars, 0 to 1, shape `(bars + 1,)`; 0 at both ends.

    The bars before and the bars behind an edge are alike among themselves, but not the ones to the others (Foote 2000).
    """
    count = len(likeness)
    sums = _running_sums(likeness)
    change = np.zeros(count + 1)
    for reach in NOVELTY_BARS:
        at = np.arange(1, count)
        low, high = np.maximum(0, at - reach), np.minimum(count, at + reach)
        before, after = at - low, high - at
        own = (_block(sums, low, at, low, at) - before) / np.maximum(1, before * (before - 1))
        next_ = (_block(sums, at, high, at, high) - after) / np.maximum(1, after * (after - 1))
        across = _block(sums, low, at, at, high) / (before * after)
        # A bar alone is as like itself as its neighbours are among themselves.
        own, next_ = np.where(before > 1, own, next_), np.where(after > 1, next_, own)
        change[1:count] += np.maximum(0, (own + next_) / 2 - across) / len(NOVELTY_BARS)
    return np.minimum(1.0, change)


def _running_sums(likeness: Matrix) -> Matrix:
    """Sum of all that is above and to the left of an edge, shape `(bars + 1, bars + 1)`."""
    return np.asarray(np.pad(likeness.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0))))


def _block(sums: Matrix, top: Whole, bottom: Whole, left: Whole, right: Whole) -> Vector:
    """Sums over rectangles of a matrix, out of its running sums."""
    return np.asarray(sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left])


@kernel
def _add_likeness(above: Matrix, longest: int, gains: Matrix) -> None:
    """Add how much the bars of each section (first bar, length) are alike, in bars."""
    for first in range(above.shape[0]):
        total = 0.0
        for length in range(2, min(longest, above.shape[0] - first) + 1):
            last = first + length - 1
            for other in range(max(first, last - NEAR_BARS), last):
                total += 2 * above[last, other]
            gains[first, length] += total / min(NEAR_BARS, length - 1)


@kernel
def _add_repetition(likeness: Matrix, sums: Matrix, longest: int, gains: Matrix) -> None:
    """Add how well each section comes again elsewhere, in bars; where it does not, nothing.

    What comes again bar for bar is more alike in order than in any order: a long chord is not a repetition.
    """
    count = likeness.shape[0]
    best = np.zeros(gains.shape)
    for lag in range(2, count):
        for first in range(count - lag):
            total = likeness[first, first + lag]
            for length in range(2, min(longest, lag, count - lag - first) + 1):
                last, other, end = first + length, first + lag, first + lag + length
                total += likeness[last - 1, end - 1]
                block = sums[last, end] - sums[first, end] - sums[last, other] + sums[first, other]
                gain = total - (block - total) / (length - 1)
                best[first, length] = max(best[first, length], gain)
                best[other, length] = max(best[other, length], gain)
    gains += REPETITION * best


@kernel
def _best_path(gains: Matrix) -> Whole:
    """For each end, where the last section of the best way to it begins."""
    count, longest = gains.shape[0], gains.shape[1] - 1
    best = np.full(count + 1, -np.inf)
    starts = np.zeros(count + 1, np.int64)
    best[0] = 0.0
    for end in range(1, count + 1):
        for length in range(1, min(longest, end) + 1):
            value = best[end - length] + gains[end - length, length]
            if value > best[end]:
                best[end], starts[end] = value, end - length
    return starts
