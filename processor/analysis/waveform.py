"""The outline of a track and the colour of its sound from column to column: what a player shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis.bands import Bands, heard_powers
from processor.audio import Audio
from processor.graph import analyser
from processor.kernels import kernel
from processor.quantities import quantity

Vector = NDArray[np.float64]
Whole = NDArray[np.int64]
Peaks = NDArray[np.float32]
Samples = NDArray[np.float32]

# Twice as many as a wide page has pixels for it.
MAX_COLUMNS = 1600
# Bass ends where the ear begins to hear where a sound comes from, and treble begins above the highest note of a piano.
LOW_HZ, HIGH_HZ = 250.0, 4000.0
# A third-octave reaches from its centre times 10^−0.05 to its centre times 10^0.05 (IEC 61260-1:2014, base ten).
HALF_BAND = 0.05
OUTLINE = 100  # steps from zero to the peak: finer than a page draws, and integers keep the arrays small
SHARE = 1000  # steps of a share

_COLUMNS = f"at most {MAX_COLUMNS} columns of the same length, all channels together"
_SHARES = "power of the third-octaves in each column (IEC 61260-1:2014)"


@dataclass(frozen=True)
class Waveform:
    """Outline and colour, a value a column; columns have the same length and cover the track from end to end."""

    waveform_peak_dbfs: float | None = quantity(
        "dBFS",
        label="Peak of the outline",
        source="AES17, full scale 1.0; all channels",
        help="The sample that is furthest from zero: what 100 % of the outline means.",
    )
    column_s: float = quantity(
        "s", label="Length of a column", source=_COLUMNS, help="Time that each value stands for.", low=0, digits=3
    )
    highest: Vector = quantity(
        "%",
        label="Upper outline",
        source=f"highest sample; {_COLUMNS}",
        help="How high the wave reaches in each column, in percent of the peak.",
        low=-OUTLINE,
        high=OUTLINE,
        digits=0,
    )
    lowest: Vector = quantity(
        "%",
        label="Lower outline",
        source=f"lowest sample; {_COLUMNS}",
        help="How low the wave reaches in each column, in percent of the peak.",
        low=-OUTLINE,
        high=OUTLINE,
        digits=0,
    )
    low_share: Vector = quantity(
        "‰",
        label="Share of the lows",
        source=f"{_SHARES}, under {LOW_HZ:g} Hz",
        help="How much of each column's power is bass; lows and highs are 0 in silence.",
        low=0,
        high=SHARE,
        digits=0,
    )
    high_share: Vector = quantity(
        "‰",
        label="Share of the highs",
        source=f"{_SHARES}, over {HIGH_HZ:g} Hz",
        help="How much of each column's power is treble; what is neither bass nor treble is in between.",
        low=0,
        high=SHARE,
        digits=0,
    )


@analyser(version=1)
def waveform(audio: Audio, bands: Bands) -> Waveform:
    """Find the outline and the shares of lows and highs.

    Source: extremes and powers by column; the rules that each field's declaration names.
    """
    columns = min(MAX_COLUMNS, audio.frames)
    highest, lowest = _extremes(audio, columns)
    peak = float(max(highest.max(initial=0.0), -lowest.min(initial=0.0)))
    scale = OUTLINE / peak if peak > 0 else 0.0
    low_share, high_share = _shares(bands, columns)
    return Waveform(
        waveform_peak_dbfs=float(20 * np.log10(peak)) if peak > 0 else None,
        column_s=audio.duration_s / columns if columns else 0.0,
        highest=np.round(highest * scale) + 0.0,
        lowest=np.round(lowest * scale) + 0.0,
        low_share=low_share,
        high_share=high_share,
    )


def _extremes(audio: Audio, columns: int) -> tuple[Vector, Vector]:
    """Highest and lowest sample of each column over all channels, shape `(columns,)` each."""
    edges = np.arange(columns + 1) * audio.frames // max(1, columns)
    highest = np.full(columns, -np.inf, np.float32)
    lowest = np.full(columns, np.inf, np.float32)
    start = 0
    for block in audio.blocks():
        for row in block:
            _add_extremes(row, start, edges, highest, lowest)
        start += block.shape[1]
    return highest.astype(np.float64), lowest.astype(np.float64)


def _shares(bands: Bands, columns: int) -> tuple[Vector, Vector]:
    """Share of lows and of highs in the power of each column, in steps of 1 / SHARE, shape `(columns,)` each.

    There may be more columns than frames of `bands`: a column takes at least the frame that is nearest to it.
    """
    low, high = (_share_below(bands.centres_hz, hz) for hz in (LOW_HZ, HIGH_HZ))
    weights = np.stack([low, 1 - high, np.ones_like(low)], axis=1).astype(np.float32)
    powers = (bands.band_left @ weights + bands.band_right @ weights).astype(np.float64)
    if not columns or not any(heard_powers(bands)):  # beside direct current, what is left is rounding
        return np.zeros(columns), np.zeros(columns)
    sums = np.concatenate([np.zeros((1, 3)), np.cumsum(powers, axis=0)])
    edges = (np.arange(columns + 1) / columns * bands.duration_s * bands.frame_rate).round().astype(np.int64)
    first = np.minimum(edges[:-1], len(powers) - 1)
    last = np.maximum(first + 1, np.minimum(edges[1:], len(powers)))
    within = sums[last] - sums[first]
    # What is left of a running sum where nothing sounds is rounding.
    is_heard = within[:, 2] > 1e-12 * sums[-1, 2]
    shares = np.where(is_heard[:, None], within[:, :2] / np.where(is_heard, within[:, 2], 1.0)[:, None], 0.0)
    rounded = np.round(np.clip(shares, 0, 1) * SHARE)
    return rounded[:, 0], rounded[:, 1]


def _share_below(centres_hz: Vector, hz: float) -> Vector:
    """How much of each third-octave lies below a frequency, by the logarithm of frequency, 0 to 1."""
    return np.clip((np.log10(hz / centres_hz) + HALF_BAND) / (2 * HALF_BAND), 0, 1)


@kernel
def _add_extremes(row: Samples, start: int, edges: Whole, highest: Peaks, lowest: Peaks) -> None:
    """Widen the outline by samples of one channel, of which the first is number `start` of the sound."""
    end = start + row.size
    first = np.searchsorted(edges, start, side="right") - 1
    for column in range(first, highest.size):
        if edges[column] >= end:
            break
        top, bottom = highest[column], lowest[column]
        for i in range(max(edges[column], start) - start, min(edges[column + 1], end) - start):
            top = max(top, row[i])
            bottom = min(bottom, row[i])
        highest[column], lowest[column] = top, bottom
