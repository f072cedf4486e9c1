"""Which frequencies and which notes sound when, reduced to what a page can show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis.bands import Bands, heard_powers
from processor.analysis.chroma import Chroma
from processor.graph import analyser
from processor.quantities import quantity

Vector = NDArray[np.float64]

# As many as a page has pixels for it.
MAX_COLUMNS = 800
# What lies further under the loudest cell of the track is drawn as silence. 16 bits have 96 dB; a page can show some 80
# shades, and more than 80 dB under the loudest sound nothing is heard beside it.
RANGE_DB = 80.0
STRENGTH = 100  # steps of a pitch class's strength: integers keep the arrays small

_COLUMNS = f"mean over at most {MAX_COLUMNS} columns of the same length"


@dataclass(frozen=True)
class Spectrogram:
    """Pictures as numbers: a row a column of the picture; columns cover the track from end to end."""

    loudest_band_dbfs: float | None = quantity(
        "dBFS",
        label="Loudest third-octave",
        source=f"mean square of both channels, full scale 1.0 (a full-scale sine reads −3.01); {_COLUMNS}",
        help="Level of the brightest point of the spectrogram, which its 0 dB stands for.",
    )
    levels_db: Vector = quantity(
        "dB",
        label="Levels by third-octave over time",
        source=f"IEC 61260-1:2014; {_COLUMNS}",
        help="How far each third-octave lies under the loudest point of the track, a row for each moment.",
        low=-RANGE_DB,
        high=0,
        digits=0,
    )
    centres_hz: Vector = quantity(
        "Hz",
        label="Centres of the third-octaves",
        source="IEC 61260-1:2014, base ten",
        help="Which frequency each value of a row stands for.",
        low=0,
        digits=0,
    )
    pitch_classes: Vector = quantity(
        "%",
        label="Pitch classes over time",
        source=f"harmonic chroma, C first; {_COLUMNS}",
        help="How strongly each of the twelve notes sounds, from C to B, a row for each moment.",
        low=0,
        high=STRENGTH,
        digits=0,
    )


@analyser(version=1)
def spectrogram(bands: Bands, chroma: Chroma | None = None) -> Spectrogram:
    """Reduce the powers and the pitch classes over time to a picture's size.

    Source: IEC 61260-1:2014 for the bands; the chroma's own sources for the notes.
    """
    powers = _columns(bands.band_left + bands.band_right)
    # Beside direct current, what is left is rounding.
    loudest = float(powers.max(initial=0.0)) if any(heard_powers(bands)) else 0.0
    levels = np.full(powers.shape, -RANGE_DB)
    if loudest > 0:
        np.log10(powers / loudest, out=levels, where=powers > loudest * 10 ** (-RANGE_DB / 10))
        levels = np.where(levels > -RANGE_DB, np.round(10 * levels), -RANGE_DB) + 0.0
    values = np.zeros((0, 12)) if chroma is None else _columns(chroma.values)
    return Spectrogram(
        loudest_band_dbfs=float(10 * np.log10(loudest / 2)) if loudest > 0 else None,
        levels_db=levels,
        centres_hz=np.round(bands.centres_hz, 1),
        pitch_classes=np.clip(np.round(values * (STRENGTH if loudest > 0 else 0)), 0, STRENGTH) + 0.0,
    )


def _columns(frames: NDArray[np.float32]) -> Vector:
    """Means over stretches of frames, shape `(columns, values)`: at most MAX_COLUMNS of them."""
    columns = min(MAX_COLUMNS, len(frames))
    if not columns:
        return np.zeros((0, frames.shape[1]))
    edges = np.arange(columns) * len(frames) // columns
    counts = np.diff(np.append(edges, len(frames)))
    sums: Vector = np.add.reduceat(frames, edges, axis=0).astype(np.float64)
    return sums / counts[:, None]
