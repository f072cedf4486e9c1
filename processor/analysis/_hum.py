"""The lowest octaves at a low sample rate: lines of the mains that never stop, and what is too low to be heard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

from processor.kernels import kernel

Vector = NDArray[np.float64]
Samples = NDArray[np.float32]

# The sound is brought to about 4 kHz by means of neighbours (what folds back onto the lines is 20 to 40 dB down, and it
# is far weaker than they are in music), and from there to 1 kHz by three running means in a row.
MIDDLE_RATE_HZ = 4000.0
LAST_FACTOR = 4
# Long enough to part 50 Hz from G1 (49 Hz) and 60 from B1 (61.7).
WINDOW_S = 6.0
HOP_S = 1.5
FEWEST_WINDOWS = 5
MAINS_HZ = (50, 60)
HIGHEST_HZ = 420.0
# Mains stay within 0.1 Hz of their name nearly always (ENTSO-E, continental Europe), and overtones within as many
# times more.
DRIFT_HZ = 0.1
WIDEST_HZ = 0.35
# Mean square of a window that counts as silent. −110 dBFS.
SILENT = 1e-11
# What a line is compared with: the strongest beside it.
BESIDE_HZ = (0.75, 4.0)
# Share of the windows whose level a line must have at least: notes come and go, hum stays.
FLOOR_PERCENTILE = 10
LINE_DB = 12.0
SUPPORT_DB = 8.0
# How much more a line may have in half of the windows than in nearly all.
STEADY_DB = 6.0
INFRASONIC_HZ = (1.5, 20.0)


class LowBand:
    """One or two channels at a low rate, as one complex signal: the first as its real part."""

    def __init__(self, channels: int, frames: int, sample_rate: int) -> None:
        self._factor = max(1, round(sample_rate / MIDDLE_RATE_HZ))
        self.rate = sample_rate / (self._factor * LAST_FACTOR)
        self._means = np.zeros((channels, frames // self._factor), np.float32)
        self._at = 0

    def feed(self, rows: Samples) -> None:
        """Take the next samples, shape `(channels, n)`."""
        for row, means in zip(rows, self._means, strict=True):
            _add_means(row, self._at, self._factor, means)
        self._at += rows.shape[1]

    def _signal(self) -> NDArray[np.complex128]:
        box = np.ones(LAST_FACTOR) / LAST_FACTOR
        weights = np.convolve(np.convolve(box, box), box)
        low = [scipy.signal.upfirdn(weights, means, 1, LAST_FACTOR) for means in self._means]
        return np.asarray(low[0] + 1j * low[1] if len(low) == 2 else low[0] + 0j)

    def powers(self) -> Vector:
        """Power of windows by frequency, all channels together, shape `(windows, bins)`; bins are 1 / WINDOW_S apart.

        Normalised so that they add up to a mean square. Windows without sound are left out.
        """
        size, hop = round(WINDOW_S * self.rate), round(HOP_S * self.rate)
        signal = self._signal()
        starts = range(0, signal.size - size + 1, hop)
        window = np.hanning(size + 1)[:-1]
        bins = min(size // 2, round(HIGHEST_HZ * WINDOW_S))
        powers = np.empty((len(starts), bins))
        for k, start in enumerate(starts):
            part = signal[start : start + size]
            found = np.abs(scipy.fft.fft((part - part.mean()) * window, workers=1)) ** 2
            powers[k, 0] = found[0]
            powers[k, 1:] = found[1:bins] + found[: size - bins : -1]
        powers /= size * (window @ window)
        return np.asarray(powers[powers.sum(axis=1) > SILENT])


@dataclass(frozen=True)
class Hum:
    """Lines of the mains.

    Attributes:
        mains_hz: 50 or 60.
        power: mean square of all its lines, all channels together.
    """

    mains_hz: int
    power: float


def hum(powers: Vector) -> Hum | None:
    """Lines of 50 or 60 Hz and its multiples that sound in all windows of `LowBand.powers`; None if there are none."""
    if len(powers) < FEWEST_WINDOWS:
        return None
    floor, middle = np.percentile(powers, [FLOOR_PERCENTILE, 50], axis=0)
    found = [(mains, _lines(mains, floor, middle)) for mains in MAINS_HZ]
    mains, lines = max(found, key=lambda one: sum(line[0] for line in one[1]))
    return Hum(mains, sum(line[1] for line in lines)) if lines else None


def infrasonic(powers: Vector) -> float:
    """Mean square below the range of hearing, all channels together."""
    first, last = (round(hz * WINDOW_S) for hz in INFRASONIC_HZ)
    return float(powers[:, first:last].sum(axis=1).mean()) if len(powers) else 0.0


def _lines(mains: int, floor: Vector, middle: Vector) -> list[tuple[float, float]]:
    """Height above what is beside it, in dB, and power of each line; empty where they are too few or too weak."""
    lines = []
    for number in range(1, int(HIGHEST_HZ // mains) + 1):
        line = _line(mains * number, number, floor, middle)
        if line is not None:
            lines.append((number, *line))
    heights = [height for number, height, _ in lines if mains * number != 300]
    return [] if not heights or max(heights) < LINE_DB else [line[1:] for line in lines]


def _line(hz: int, number: int, floor: Vector, middle: Vector) -> tuple[float, float] | None:
    reach = max(1, round(min(DRIFT_HZ * number, WIDEST_HZ) * WINDOW_S))
    centre = round(hz * WINDOW_S)
    near, far = (round(h * WINDOW_S) for h in BESIDE_HZ)
    if centre + reach + far >= floor.size:
        return None
    top = centre - reach + int(np.argmax(floor[centre - reach : centre + reach + 1]))
    beside = max(floor[top - far : top - near].max(), floor[top + near + 1 : top + far + 1].max(), 1e-30)
    height = 10 * np.log10(max(floor[top], 1e-30) / beside)
    unsteady = 10 * np.log10(max(middle[top], 1e-30) / max(floor[top], 1e-30))
    if height < SUPPORT_DB or unsteady > STEADY_DB:
        return None
    # Between the least and the middle: music covers a line as often as it weakens it.
    return float(height), float(np.sqrt(floor * middle)[top - 2 : top + 3].sum())


@kernel
def _add_means(row: Samples, at: int, factor: int, means: Samples) -> None:
    """Add what a piece that begins at sample `at` gives to the means of `factor` samples each."""
    for m in range(at // factor, min(means.size, (at + row.size - 1) // factor + 1)):
        total = np.float32(0)
        for i in range(max(0, m * factor - at), min(row.size, (m + 1) * factor - at)):
            total += row[i]
        means[m] += total / np.float32(factor)
