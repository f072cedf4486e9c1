"""Tonal curves at one level: the third-octaves of a mix, and those of its references moved onto them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis.bands import BAND_NAMES, SIX_BANDS_HZ
from processor.analysis.spectrum import Spectrum
from processor.record import Results

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

# Outside, tracks differ by what converters, lossy coders and rooms do.
COMPARED_HZ = (31.0, 16_500.0)
# What lies so far under the strongest third-octave is noise, and what an equaliser does to it nobody hears.
FLOOR_DB = -60.0
# Fewer third-octaves in common make no curve.
FEWEST = 10
# Half a third-octave, as a factor.
HALF = 10**0.05
# From so many references on, one that stands apart does not move the edges.
PERCENTILES_FROM = 5
EDGES = (10.0, 50.0, 90.0)


@dataclass(frozen=True)
class ToneMatch:
    """Levels of third-octaves; gaps are not compared.

    Attributes:
        centres_hz: their centres, shape `(n,)`.
        mix_db: the mix's levels.
        low_db: lower edge of the references, moved to the mix's level.
        middle_db: their middle.
        high_db: their upper edge.
        difference_db: mix over middle; its median is 0.
        band_low_db: lower edge of each of the six bands' mean level, shape `(6,)`, with those below on one level.
        band_middle_db: middle.
        band_high_db: upper edge.
        band_mix_db: the mix's own.
    """

    centres_hz: Vector
    mix_db: Vector
    low_db: Vector
    middle_db: Vector
    high_db: Vector
    difference_db: Vector
    band_low_db: Vector
    band_middle_db: Vector
    band_high_db: Vector
    band_mix_db: Vector


def tone_match(mix: Results, references: Sequence[Results]) -> ToneMatch | None:
    """Bring the references' spectra to the level of the mix; None where too little of them can be compared.

    Each reference is moved by the median of its difference, so that what was done to one part of the spectrum shows
    there and nowhere else.
    """
    own = mix.get("spectrum")
    if own is None:
        return None
    centres, levels = own.centres_hz, heard_db(own)
    if np.isfinite(levels).sum() < FEWEST:
        return None
    moved = [
        theirs
        for one in references
        if (found := one.get("spectrum")) is not None and (theirs := _moved(levels, heard_db(found))) is not None
    ]
    if not moved:
        return None
    low, middle, high = edges_of(np.array(moved))
    difference = levels - middle
    shift = float(np.nanmedian(difference))
    bands = edges_of(np.array([in_bands(centres, np.where(np.isfinite(levels), one, np.nan)) for one in moved]) + shift)
    return ToneMatch(
        centres_hz=centres,
        mix_db=levels,
        low_db=low + shift,
        middle_db=middle + shift,
        high_db=high + shift,
        difference_db=difference - shift,
        band_low_db=bands[0],
        band_middle_db=bands[1],
        band_high_db=bands[2],
        band_mix_db=in_bands(centres, np.where(np.isfinite(middle), levels, np.nan)),
    )


def edges_of(values: Matrix) -> Matrix:
    """Lower edge, middle and upper edge of each column, shape `(3, n)`; gaps are left out, a column of gaps is one.

    The middle is the median. The edges are the lowest and the highest, and the 10th and the 90th percentile from
    PERCENTILES_FROM values on.

    Args:
        values: shape `(references, n)`.
    """
    found = np.full((3, values.shape[1]), np.nan)
    for column, row in enumerate(values.T):
        heard = row[np.isfinite(row)]
        if heard.size:
            percentiles = EDGES if heard.size >= PERCENTILES_FROM else (0.0, 50.0, 100.0)
            found[:, column] = np.percentile(heard, percentiles)
    return found


def heard_db(spectrum: Spectrum) -> Vector:
    """Third-octave levels, with gaps where there is nothing to compare: far down, far out, behind a lossy cut-off."""
    levels, centres = np.asarray(spectrum.third_octaves_db, dtype=np.float64), spectrum.centres_hz
    if levels.ndim != 1 or levels.shape != centres.shape or not np.isfinite(levels).any():
        return np.full(centres.size, np.nan)
    end_hz = spectrum.lossy_cutoff_hz or np.inf
    low, high = COMPARED_HZ
    compared = (centres > low) & (centres < high) & (centres * HALF <= end_hz)
    floor = float(np.nanmax(levels)) + FLOOR_DB
    return np.where(compared & (np.nan_to_num(levels, nan=-np.inf) > floor), levels, np.nan)


def _moved(own: Vector, theirs: Vector) -> Vector | None:
    """Levels of a reference, moved onto those of the mix; None where they have too little in common."""
    size = min(own.size, theirs.size)
    found = np.full(own.shape, np.nan)
    # At half the lower sample rate the last third-octave is cut short.
    found[:size] = theirs[:size]
    if own.size != theirs.size:
        found[size - 1 :] = np.nan
    difference = own - found
    if np.isfinite(difference).sum() < FEWEST:
        return None
    return np.asarray(found + np.nanmedian(difference))


def band_of(centres_hz: Vector) -> NDArray[np.int64]:
    """Number of the band of the six that each centre lies in."""
    edges = np.array(SIX_BANDS_HZ[1:-1])
    return np.searchsorted(edges, centres_hz, side="right")


def in_bands(centres_hz: Vector, values: Vector) -> Vector:
    """Mean of what is heard in each of the six bands, shape `(6,)`; gaps where nothing is."""
    numbers = band_of(centres_hz)
    found = np.full(len(BAND_NAMES), np.nan)
    for number in range(found.size):
        inside = values[(numbers == number) & np.isfinite(values)]
        if inside.size:
            found[number] = inside.mean()
    return found


def rms_db(difference_db: Vector) -> float | None:
    """Root mean square of a difference around its mean: of its shape, whatever its level; None where there is none."""
    heard = difference_db[np.isfinite(difference_db)]
    return float(heard.std()) if heard.size else None


def outside_db(values: Vector, low: Vector, high: Vector) -> Vector:
    """How far above the upper edge, or (negative) below the lower one; 0 inside and in gaps."""
    return np.asarray(np.nan_to_num(np.maximum(values - high, 0.0) + np.minimum(values - low, 0.0)))
