"""What is left of a mix on small loudspeakers: a phone or a kitchen radio plays one channel and no bass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis.bands import LOWEST_HZ, Bands, heard_powers
from processor.analysis.loudness import k_weighting
from processor.graph import analyser
from processor.quantities import quantity

Vector = NDArray[np.float64]

# Small loudspeakers fall off below their resonance with 12 dB an octave in a closed box and with 24 in a vented one
# (R. H. Small, JAES 20 and 21, 1972–73). 200 Hz stands for radios and laptops, 500 Hz for phones.
SMALL_HZ, PHONE_HZ = 200.0, 500.0
ORDER = 4
# More than this is lost only to rounding.
LIMIT_LU = 60.0

# Where bass and kick have their fundamentals, and where a small loudspeaker plays their first overtones.
LOW_END_HZ = (60.0, 200.0)
OVERTONES_HZ = (200.0, 800.0)
# Looked at where the low end is loud: in the upper quarter of the frames in which there is any.
LOUD_PERCENTILE = 75
LOW_END_RANGE_DB = 50.0
# Of these frames the one in ten where least sounds above the bass: other instruments can only add to its overtones,
# so this is the nearest that a mix tells of them. Measured on 9 bass stems and their mixes: the median of a stem lies
# within 6 dB of it in 5, and up to 13 dB below it where chords never leave the bass alone.
LEAST_PERCENTILE = 10
FEWEST_FRAMES = 10
# With so little power in it there is no low end.
EMPTY_DB = -30.0

_LOST = (
    f"difference of ungated K-weighted power (ITU-R BS.1770-4) of the average spectrum, Butterworth high-pass of order "
    f"{ORDER}; limited to {LIMIT_LU:g}"
)


def _loss(label: str, help: str) -> float | None:
    found: float | None = quantity("LU", label=label, source=_LOST, help=help, low=0, high=LIMIT_LU)
    return found


@dataclass(frozen=True)
class Translation:
    """Loudness that small loudspeakers take away; None in silence."""

    small_loss_lu: float | None = _loss(
        "Loss on a small loudspeaker",
        "How much quieter it gets on a radio or laptop: both channels added, nothing below 200 Hz. 1 to 5 is usual.",
    )
    phone_loss_lu: float | None = _loss(
        "Loss on a phone",
        "The same with nothing below 500 Hz. What loses much more than others of its kind lives in its bass.",
    )
    mono_loss_lu: float | None = _loss(
        "Loudness lost in mono", "How much quieter it gets when the channels are added: the part without the high-pass."
    )
    low_end_above_200_db: float | None = quantity(
        "dB",
        label="Overtones of the low end",
        source=f"power of 200–800 Hz re 60–200 Hz, {LEAST_PERCENTILE}th percentile of the frames with the loudest bass",
        help="How much sounds just above the bass while it plays, where least does: the most that its own overtones "
        "can have. Below −20 a small loudspeaker plays next to nothing of the bass.",
        low=-LIMIT_LU,
        high=LIMIT_LU,
    )


@analyser(version=1)
def translation(bands: Bands) -> Translation:
    """Compare the loudness of the mix with that of its mono sum through small loudspeakers.

    The sum is (L + R)/√2, as in `stereo.mono_loss_db`, so that equal channels lose nothing.

    Source: K-weighting of ITU-R BS.1770-4, annex 1; loudspeakers as high-passes after R. H. Small, "Closed-box" and
    "Vented-box loudspeaker systems", JAES 20 and 21 (1972–73).
    """
    if sum(heard_powers(bands)[:2]) <= 0:
        return Translation(None, None, None, None)
    bins_hz: Vector = np.arange(bands.left.size, dtype=np.float64) * np.float64(bands.bin_hz)
    weights = k_gains(bins_hz, 2 * bands.bin_hz * (bands.left.size - 1)) * (bins_hz >= LOWEST_HZ)
    both = bands.left + bands.right
    mono = np.maximum(0.0, both / 2 + bands.cross)
    full = float(weights @ both)
    return Translation(
        small_loss_lu=_lost(full, float((weights * high_pass_gains(bins_hz, SMALL_HZ)) @ mono)),
        phone_loss_lu=_lost(full, float((weights * high_pass_gains(bins_hz, PHONE_HZ)) @ mono)),
        mono_loss_lu=_lost(full, float(weights @ mono)),
        low_end_above_200_db=_overtones_db(bands),
    )


def k_gains(hz: Vector, sample_rate: float) -> Vector:
    """Power gain of K-weighting at frequencies below half of `sample_rate` in Hz."""
    b0, b1, b2, a1, a2, c1, c2 = k_weighting(round(sample_rate))
    z = np.exp(-2j * np.pi * hz / sample_rate)
    shelf = (b0 + b1 * z + b2 * z * z) / (1 + a1 * z + a2 * z * z)
    return np.asarray(np.abs(shelf * (1 - z) ** 2 / (1 + c1 * z + c2 * z * z)) ** 2)


def high_pass_gains(hz: Vector, corner_hz: float) -> Vector:
    """Power gain of a Butterworth high-pass of `ORDER`: −3 dB at its corner, −24 dB an octave below."""
    ratio = (hz / corner_hz) ** (2 * ORDER)
    return np.asarray(ratio / (1 + ratio))


def _lost(full: float, left_over: float) -> float:
    floor = full * 10 ** (-LIMIT_LU / 10)
    return max(0.0, float(10 * np.log10(full / max(left_over, floor)))) if full > 0 else 0.0


def _overtones_db(bands: Bands) -> float | None:
    both = (bands.band_left + bands.band_right).astype(np.float64)
    low = both @ _shares(bands.centres_hz, *LOW_END_HZ)
    above = both @ _shares(bands.centres_hz, *OVERTONES_HZ)
    if low.sum() <= both.sum() * 10 ** (EMPTY_DB / 10):
        return None
    sounding = low > low.max() * 10 ** (-LOW_END_RANGE_DB / 10)
    loud = sounding & (low >= np.percentile(low[sounding], LOUD_PERCENTILE))
    if np.count_nonzero(loud) < FEWEST_FRAMES:
        return None
    least = float(np.percentile(above[loud] / low[loud], LEAST_PERCENTILE))
    return float(np.clip(10 * np.log10(max(least, 1e-300)), -LIMIT_LU, LIMIT_LU))


def _shares(centres_hz: Vector, low_hz: float, high_hz: float) -> Vector:
    """Share of each third-octave that lies between two frequencies, on a logarithmic scale."""
    low, high = centres_hz * 10**-0.05, centres_hz * 10**0.05
    inside = np.log(np.minimum(high, high_hz) / np.maximum(low, low_hz))
    return np.asarray(np.maximum(0, inside) / np.log(10**0.1))
