"""Whether one of two channels is late."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Samples = NDArray[np.float32]

FRAME_S = 0.37
FRAMES = 24
LONGEST_S, SHORTEST_S = 0.030, 0.0001
# The peak of the whitened correlation is 1 for a channel that is a copy. It must be clear, the only one, and far
# above what the channels share without delay.
CLEAR, ONLY, OVER_ZERO = 0.15, 2.5, 3.0
SILENT = 1e-8  # mean square of a frame, −80 dBFS


class Delay:
    """Mean of the whitened cross spectrum of two channels, from frames spread over the track."""

    def __init__(self, frames: int, sample_rate: int) -> None:
        self._rate = sample_rate
        self._size = int(scipy.fft.next_fast_len(max(64, round(FRAME_S * sample_rate))))
        self._every = max(self._size, frames // FRAMES)
        self._next = 0
        self._at = 0
        self._sum = np.zeros(self._size, np.complex64)
        self._count = 0

    def feed(self, pair: Samples) -> None:
        """Take the next samples, shape `(2, n)`; frames that lie over the end of a piece are left out."""
        end = self._at + pair.shape[1]
        while self._next + self._size <= end:
            begin = self._next - self._at
            if begin >= 0:
                self._add(pair[:, begin : begin + self._size])
            self._next += self._every
        self._at = end

    def _add(self, pair: Samples) -> None:
        if (pair**2).mean(axis=1).min() < SILENT:
            return
        window = np.hanning(self._size).astype(np.float32)
        spectra = scipy.fft.fft((pair[0] + 1j * pair[1]) * window, workers=1)
        mirrored = np.roll(np.conj(spectra[::-1]), 1)
        left, right = spectra + mirrored, (spectra - mirrored) / 1j
        cross = left * np.conj(right)
        self._sum += cross / np.maximum(np.abs(cross), 1e-20)
        self._count += 1

    @property
    def correlation(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Whitened correlation and its lags in samples: above 0 the left is late."""
        reach = min(self._size // 2 - 1, round(LONGEST_S * self._rate))
        found = scipy.fft.ifft(self._sum / max(1, self._count), workers=1).real
        lags = np.arange(-reach, reach + 1)
        return found[lags], lags

    @property
    def delay_s(self) -> float | None:
        """By how much the right is later than the left (below 0: the left than the right); None if neither is."""
        if self._count == 0:
            return None
        sizes, lags = self.correlation
        sizes = np.abs(sizes)
        top = int(np.argmax(sizes))
        least = SHORTEST_S * self._rate
        if abs(lags[top]) < least:
            return None
        near_zero = sizes[np.abs(lags) < least].max()
        others = sizes[np.abs(lags - lags[top]) > least].max()
        if sizes[top] < CLEAR or sizes[top] < ONLY * others or sizes[top] < OVER_ZERO * near_zero:
            return None
        return float(-lags[top] / self._rate)
