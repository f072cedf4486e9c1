"""Where a wave breaks: clicks and dropouts, looked for in the units of `_units` and only there in the samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from processor.analysis._units import Units

Vector = NDArray[np.float64]
Samples = NDArray[np.float32]
Places = NDArray[np.int64]

# A click is one to three samples that the wave around cannot explain. Its fourth difference stands so many times above
# the mean on either side (noise and cymbals reach 7, measured), and adds up to so many times its own peak: one sample
# gives 2.7, a step 2.7, three samples 4.7; the stroke of a drum or a click that went through a lossy codec gives more.
CLICK_RATIO, CLICK_WIDTH = 20.0, 4.0
WIDE_CLICK_RATIO, WIDE_CLICK_WIDTH = 40.0, 5.5
CLICK_AROUND = 8  # units on either side: 6 ms
# Fainter ones are covered by the music.
CLICK_DB = -30.0
# Saws, pulses and voices break at every cycle: what has like neighbours is a waveform.
CYCLE_S, CYCLE_NEIGHBOURS = 0.06, 2
CYCLE_RATIO = 10.0
LEAST_ROUGH = 1e-5  # rounding to 16 bit leaves more
CLICK_GAIN = 6.0  # of one sample in the fourth difference
CLICK_MERGE_S = 0.003

# A gap of samples that stand still within two steps of 16 bit, dither included.
STILL = 2.5 / 32768
CEILING = 0.97
SHORTEST_GAP_S, LONGEST_GAP_S = 0.0022, 0.5
# Before and after it the music plays at a level that matters, up to the very edge.
GAP_DB = -24.0
EDGE_UNITS, NEAR_UNITS = 2, 28
EDGE_DB = -10.0


def clicks(units: Units, sample_rate: int, programme: float) -> Places:
    """Units with a click, ascending.

    Args:
        units: of one channel.
        sample_rate: in Hz.
        programme: RMS of the channel, full scale 1.0.
    """
    if units.squares.size < 4 * CLICK_AROUND or programme <= 0:
        return np.empty(0, np.int64)
    ratio, width = _isolation(units)
    loud = units.roughest > CLICK_GAIN * programme * 10 ** (CLICK_DB / 20)
    found = (ratio > CLICK_RATIO) & (width < CLICK_WIDTH) | (ratio > WIDE_CLICK_RATIO) & (width < WIDE_CLICK_WIDTH)
    places = np.flatnonzero(found & loud)
    like = np.flatnonzero((ratio > CYCLE_RATIO) & loud)
    reach = round(CYCLE_S * sample_rate / units.length)
    kept = [p for p in places.tolist() if _neighbours(p, like, units.roughest, reach) < CYCLE_NEIGHBOURS]
    return np.array(kept, np.int64)


def _isolation(units: Units) -> tuple[Vector, Vector]:
    """How far each unit's fourth difference stands above what is around, and how wide it is."""
    count, side = units.rough.size, CLICK_AROUND
    padded = np.pad(units.rough.astype(np.float64), side + 1)
    sums = np.concatenate([[0.0], np.cumsum(padded)])
    at = np.arange(count) + side + 1
    before = (sums[at - 1] - sums[at - 1 - side]) / side
    after = (sums[at + 2 + side] - sums[at + 2]) / side
    near = sums[at + 2] - sums[at - 1] - 1.5 * (before + after)
    ratio = units.roughest / (np.maximum(before, after) + LEAST_ROUGH)
    return ratio, units.length * near / np.maximum(units.roughest, LEAST_ROUGH)


def _neighbours(place: int, like: Places, sizes: Samples, reach: int) -> int:
    """How many of `like` are within `reach`, at least 2 units away, and half to twice as large."""
    first, last = np.searchsorted(like, [place - reach, place + reach + 1])
    others = like[first:last]
    others = others[np.abs(others - place) > 1]
    return int(np.count_nonzero(np.abs(np.log2(sizes[others] / sizes[place])) < 1))


def gaps(units: Units, sample_rate: int, programme: float) -> Places:
    """First unit and the one after the last of each dropout, shape `(n, 2)`.

    Args:
        units: of one channel.
        sample_rate: in Hz.
        programme: RMS of the channel, full scale 1.0.
    """
    if programme <= 0:
        return np.empty((0, 2), np.int64)
    # Peaks that are cut flat stand still as well.
    still = (units.high - units.low < STILL) & (units.peaks < CEILING * units.peaks.max())
    edges = np.flatnonzero(np.diff(np.concatenate([[False], still, [False]]).astype(np.int8))).reshape(-1, 2)
    lengths = (edges[:, 1] - edges[:, 0]) * units.length / sample_rate
    # Units that are only partly still do not count, so a gap is up to two units longer than its run.
    slack = 2 * units.length / sample_rate
    edges = edges[(lengths > SHORTEST_GAP_S - slack) & (lengths < LONGEST_GAP_S)]
    return np.array([edge for edge in edges if _is_torn(edge, units, programme)], np.int64).reshape(-1, 2)


def _is_torn(edge: Places, units: Units, programme: float) -> bool:
    """Whether the music plays up to the gap, and at once after it."""
    first, last = int(edge[0]) - 1, int(edge[1]) + 1  # the units at the edges are partly still
    if first - NEAR_UNITS < 0 or last + NEAR_UNITS > units.squares.size:
        return False
    before, after = _moving(units, first - NEAR_UNITS, first), _moving(units, last, last + NEAR_UNITS)
    floor = programme**2 * 10 ** (GAP_DB / 10)
    if before < floor or after < floor:
        return False
    part = 10 ** (EDGE_DB / 10)
    at_start, at_end = _moving(units, first - EDGE_UNITS, first), _moving(units, last, last + EDGE_UNITS)
    return at_start > part * before and at_end > part * after


def _moving(units: Units, begin: int, end: int) -> float:
    """Power of what moves in some units: an offset, or a wave that is too slow for them, makes no sound in a pause."""
    power = float(units.squares[begin:end].mean(dtype=np.float64)) / units.length
    rest = float((units.high[begin:end] + units.low[begin:end]).mean(dtype=np.float64)) / 2
    return max(0.0, power - rest**2)
