"""How many bits the samples of a file really use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from processor.audio import Source

Samples = NDArray[np.float32]

FINEST_BITS = 24  # float32 holds no more
# What is looked at: this many samples of each piece, spread over it, say as much as all of them.
LOOKED_AT = 300_000
# With so few values no grid shows.
FEWEST_VALUES = 8


class WordLength:
    """The lowest bit in use, piece by piece, and the steps of what was made louder after it was coded."""

    def __init__(self, source: Source) -> None:
        self._is_linear = source.bit_depth is not None or source.container == "samples"
        self._used = 0
        self._off_grid = False
        self._seen = np.zeros(1 << 16, bool)

    def feed(self, rows: Samples) -> None:
        """Take the next samples, shape `(channels, n)`."""
        if not self._is_linear:
            return
        for row in rows:
            picked = row[:: max(1, row.size // LOOKED_AT)].astype(np.float64)
            steps = picked * 2 ** (FINEST_BITS - 1)
            whole = np.rint(steps)
            self._off_grid |= bool((whole != steps).any())
            self._used |= int(np.bitwise_or.reduce(whole.astype(np.int64), initial=0))
            self._seen[np.clip(np.rint(picked * 32767), -32768, 32767).astype(np.int64)] = True

    @property
    def bits(self) -> int | None:
        """Bits in use; None for lossy codings, for silence, and where samples lie on no grid."""
        values = int(np.count_nonzero(self._seen))
        if values < FEWEST_VALUES:
            return None
        coarse = self._coarse()
        if coarse is not None or self._off_grid:
            return coarse
        trailing = (self._used & -self._used).bit_length() - 1
        return FINEST_BITS - trailing

    def _coarse(self) -> int | None:
        """Bits of a grid that is much coarser than 16 bit, whatever its gain; None where there is none.

        Between the values of a coarse grid nothing is used. The step is taken where values are dense: around 0.
        """
        values = np.sort(np.flatnonzero(self._seen).astype(np.uint16).astype(np.int16).astype(np.int64))
        gaps = np.diff(values)
        step = float(np.median(gaps[np.argsort(np.abs(values[:-1]))][: max(FEWEST_VALUES, gaps.size // 4)]))
        if step < COARSE_STEP:
            return None
        return max(1, round(16 - float(np.log2(step))))


COARSE_STEP = 6.0  # steps of 16 bit: coarser than 13 bit
