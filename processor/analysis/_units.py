"""What happens within units of less than a millisecond: the finest view of a channel that is kept for a whole track.

The sound is read once. Faults are then looked for in these units, and only where they point to, in the samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.audio import Audio
from processor.kernels import kernel

Samples = NDArray[np.float32]

# Shorter than any gap that one hears as one, longer than the crackle of one bad sample.
UNIT_S = 0.0007
# Samples of the piece before that a piece repeats, so that nothing is lost at the seam.
LEAD_UNITS = 4


@dataclass(frozen=True)
class Units:
    """One channel by units of `length` samples; the last one may be shorter.

    Attributes:
        length: samples of a unit.
        squares: sum of squares, shape `(units,)`.
        low: lowest sample.
        high: highest sample.
        rough: mean size of the fourth difference, which takes music down and leaves single samples.
        roughest: largest size of the fourth difference.
    """

    length: int
    squares: Samples
    low: Samples
    high: Samples
    rough: Samples
    roughest: Samples

    @property
    def peaks(self) -> Samples:
        """Highest absolute sample of each unit."""
        return np.maximum(self.high, -self.low)


def unit_length(sample_rate: int) -> int:
    """Samples of a unit."""
    return max(8, round(UNIT_S * sample_rate))


def empty_units(audio: Audio) -> list[Units]:
    """One for each channel, to be filled by `fill`."""
    length = unit_length(audio.sample_rate)
    count = -(-audio.frames // length)
    return [Units(length, *np.zeros((5, count), np.float32)) for _ in range(audio.channels)]


def pieces(audio: Audio) -> Iterator[tuple[Samples, int, int]]:
    """Yield `(samples, lead, first unit)`: pieces of whole units, whose first `lead` samples were in the one before."""
    length = unit_length(audio.sample_rate)
    held = np.zeros((audio.channels, 0), np.float32)
    lead = at = done = 0
    for block in audio.blocks():
        piece = np.concatenate([held, block], axis=1) if held.size else block
        done += block.shape[1]
        rest = 0 if done >= audio.frames else (piece.shape[1] - lead) % length
        whole = piece.shape[1] - rest
        if whole > lead:
            yield piece[:, :whole], lead, at
        at += (whole - lead) // length
        keep = min(whole, LEAD_UNITS * length)
        held, lead = piece[:, whole - keep :].copy() if done < audio.frames else held[:, :0], keep


def fill(units: Units, row: Samples, lead: int, first: int) -> None:
    """Write the units of a piece of the channel."""
    count = -(-(row.size - lead) // units.length)
    span = slice(first, first + count)
    _measure(
        row,
        lead,
        units.length,
        units.squares[span],
        units.low[span],
        units.high[span],
        units.rough[span],
        units.roughest[span],
    )


@kernel
def _measure(
    row: Samples,
    lead: int,
    length: int,
    squares: Samples,
    low: Samples,
    high: Samples,
    rough: Samples,
    roughest: Samples,
) -> None:
    for k in range(squares.size):
        begin = lead + k * length
        end = min(begin + length, row.size)
        total = np.float32(0)
        least, most = row[begin], row[begin]
        for i in range(begin, end):
            value = row[i]
            total += value * value
            least, most = min(least, value), max(most, value)
        squares[k], low[k], high[k] = total, least, most
        # The difference of sample i is centred on i − 2.
        total = np.float32(0)
        most = np.float32(0)
        for i in range(max(4, begin), end):
            size = abs(row[i] + row[i - 4] - np.float32(4) * (row[i - 1] + row[i - 3]) + np.float32(6) * row[i - 2])
            total += size
            most = max(most, size)
        rough[k], roughest[k] = total / np.float32(max(1, end - begin)), most
