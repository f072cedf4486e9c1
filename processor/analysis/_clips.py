"""Peaks that are cut flat, at whatever level: clipped somewhere on the way and turned down afterwards."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from processor.analysis._units import Units
from processor.kernels import kernel

Samples = NDArray[np.float32]
Places = NDArray[np.int64]

# Samples of one plateau stay within this: three steps of 16 bit, which is what rounding with dither moves them by.
FLAT = 3.2 / 32768
FLAT_RUN = 3
# By how much a wave falls half a plateau's length beside it, in units of FLAT. A parabola that stays within FLAT for
# the same time falls 18 at most.
SHOULDER = 20.0
LONGEST_SHOULDER = 24  # samples
MERGE_S = 0.05
# Fewer plateaus are chance: 76 clean pieces have none at all, and get to their highest level once (measured).
FEWEST_FLAT = 4
# Of the times that a channel gets to its highest level, so many are flat where it is clipped; a limiter's are not.
FLAT_SHARE = 0.015
# Square waves stand still as well: at other levels too when they fade, and for nearly all of their time.
LEVEL_SHARE = 0.5
SQUARE_POWER = 0.8
QUIETEST = 0.003  # below, plateaus are steps of the coding


class FlatTops:
    """Search of one channel and one sign, piece by piece.

    The highest level is not known before the end. So plateaus are collected at the highest one so far, and forgotten
    when a higher sample comes.
    """

    def __init__(self, units: Units, sign: int, sample_rate: int) -> None:
        self._units = units
        self._sign = sign
        self._gap = max(1, round(MERGE_S * sample_rate))
        # Level so far, and what was found there: plateaus, times it was reached, passages, open run.
        self._level = np.zeros(1, np.float32)
        self._counts = np.zeros(3, np.int64)
        self._spans = np.zeros((units.squares.size * units.length // self._gap + 2, 2), np.int64)

    def feed(self, row: Samples, lead: int, first: int) -> None:
        """Take the next piece, whose units begin at `first`."""
        count = -(-(row.size - lead) // self._units.length)
        tops = (self._units.high if self._sign > 0 else -self._units.low)[first : first + count]
        high = tops.max(initial=0.0)
        if high >= max(self._level[0] - FLAT, QUIETEST):
            offset = first * self._units.length - lead
            _search(
                row,
                float(self._sign),
                lead,
                offset,
                tops,
                self._units.length,
                self._gap,
                self._level,
                self._counts,
                self._spans,
            )

    @property
    def level(self) -> float:
        """Highest level of this sign."""
        return float(self._level[0])

    @property
    def found(self) -> Places:
        """Passages with plateaus in samples, shape `(n, 2)`; empty where it is not clipped."""
        plateaus, visits, spans = (int(n) for n in self._counts)
        if plateaus == 0 or plateaus < FLAT_SHARE * visits or self._is_square():
            return self._spans[:0]
        return self._spans[:spans]

    @property
    def count(self) -> int:
        """Plateaus."""
        return int(self._counts[0])

    def _is_square(self) -> bool:
        units = self._units
        sounding = units.peaks > self.level / 4
        power = units.squares[sounding].mean() / units.length if sounding.any() else 0.0
        still = (units.high - units.low < FLAT) & (units.peaks > self.level / 8)
        elsewhere = int(np.count_nonzero(still & (units.peaks < self.level * 0.98)))
        standing = max(int(np.count_nonzero(still)) - elsewhere, self.count)
        return bool(power > SQUARE_POWER * self.level**2 or elsewhere > LEVEL_SHARE * standing)


@kernel
def _search(
    row: Samples,
    sign: float,
    lead: int,
    offset: int,
    tops: Samples,
    length: int,
    gap: int,
    level: Samples,
    counts: Places,
    spans: Places,
) -> None:
    """Find plateaus in the units that reach the level."""
    done = lead
    for k in range(tops.size):
        begin = lead + k * length
        if tops[k] < level[0] - FLAT:
            continue
        i = max(done, begin)
        while i < min(begin + length, row.size):
            value = sign * row[i]
            if value > level[0] + FLAT:
                level[0] = value
                counts[:] = 0
            start = i
            while i < row.size and abs(sign * row[i] - level[0]) <= FLAT:
                i += 1
            # Where it goes on rising, the level is a new one, and the search goes on from there.
            if i > start and (i == row.size or sign * row[i] < level[0]):
                counts[1] += 1
                if _is_plateau(row, sign, start, i, level[0]):
                    counts[0] += 1
                    _add_span(offset + start, offset + i, gap, counts, spans)
            elif i == start:
                i += 1
        done = i


@kernel
def _is_plateau(row: Samples, sign: float, start: int, end: int, level: float) -> bool:
    """Whether these samples are enough, and steep on both sides."""
    away = min(1 + (end - start) // 2, LONGEST_SHOULDER)
    left, right = start - away, end - 1 + away
    if end - start < FLAT_RUN or left < 0 or right >= row.size:
        return False
    fall = level - FLAT * SHOULDER
    return bool(sign * row[left] <= fall and sign * row[right] <= fall)


@kernel
def _add_span(start: int, end: int, gap: int, counts: Places, spans: Places) -> None:
    if counts[2] and start - spans[counts[2] - 1, 1] < gap:
        spans[counts[2] - 1, 1] = end
    else:
        spans[counts[2], 0], spans[counts[2], 1] = start, end
        counts[2] += 1
