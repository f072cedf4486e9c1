"""Mixes that are made from a formula, as the rules of tone, low end, stereo and translation see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.analysis.bands import BAND_NAMES, SIX_BANDS_HZ
from processor.analysis.spectrum import Spectrum
from processor.analysis.stereo import Stereo
from processor.config import Settings
from processor.feedback.advice import Advice, Mix
from processor.feedback.areas._spectra import Shape, response
from processor.feedback.platforms import all_platforms
from processor.feedback.tone import CENTRES_HZ, Corridor, Profile
from processor.quantities import columns

Vector = NDArray[np.float64]
Curve = Callable[[Vector], Vector]

THIRDS_HZ = 1000 * 10 ** (np.arange(-17, 14) / 10)


def middle_db(hz: Vector) -> Vector:
    """It falls by 1.5 dB an octave, as third-octaves of pop do, and rolls off below 40 Hz."""
    return np.asarray(-1.5 * np.log2(hz / 1000) - 18 * np.maximum(0, np.log2(40 / hz)))


MIDDLE_DB = tuple(float(level) for level in middle_db(np.array(CENTRES_HZ)))
# It strays by 5 dB either way.
PROFILE = Profile(
    name="test",
    title="Test music",
    confidence="inferred",
    source="a formula",
    tracks=0,
    ranges={"stereo.width": Corridor(6.0, 14.0, 30.0)},
    centres_hz=CENTRES_HZ,
    tone_low_db=tuple(level - 5 for level in MIDDLE_DB),
    tone_middle_db=MIDDLE_DB,
    tone_high_db=tuple(level + 5 for level in MIDDLE_DB),
)
PLATFORM = all_platforms(Settings())["spotify"]


def flat(hz: Vector) -> Vector:
    """No deviation."""
    return 0 * hz


def move(kind: str, hz: float, gain_db: float, q: float = 1.0) -> Curve:
    """A move of an equaliser."""
    return lambda centres: gain_db * response(Shape(kind, hz, q), centres)


def spectrum(curve: Curve = flat, **facts: Any) -> Spectrum:
    """The spectrum of test music with a deviation, at −20 dB at 1 kHz."""
    levels = -20 + middle_db(THIRDS_HZ) + curve(THIRDS_HZ)
    fields: dict[str, Any] = {column.name: None for column in columns(Spectrum)}
    fields |= {
        "third_octaves_db": levels,
        "centres_hz": THIRDS_HZ,
        "tilt_db_per_octave": -4.5,
        "bandwidth_hz": 19_000.0,
    }
    powers = [
        10 ** (levels[(low * 0.95 < THIRDS_HZ) & (high * 0.95 > THIRDS_HZ)] / 10)
        for low, high in pairwise(SIX_BANDS_HZ)
    ]
    for name, power in zip(BAND_NAMES, powers, strict=True):
        fields[f"{name}_db"] = float(10 * np.log10(power.sum()))
        fields[f"{name}_share"] = float(100 * power.sum() / sum(part.sum() for part in powers))
    return replace(Spectrum(**fields), **facts)


def picture(**facts: Any) -> Stereo:
    """A stereo picture without fault, but for `facts`."""
    fields: dict[str, Any] = {column.name: None for column in columns(Stereo)}
    fields |= {f"{name}_correlation": 0.8 for name in BAND_NAMES} | {f"{name}_mono_loss_db": 0.4 for name in BAND_NAMES}
    fields |= {"sub_correlation": 1.0, "bass_correlation": 0.98, "is_mono": False, "width": 14.0, "correlation": 0.8}
    fields |= {"negative_s": 0.0, "balance_db": 0.0, "mid_side_db": 9.5, "mono_loss_db": 0.45}
    fields |= {"side_shares": (0.0, 1.0, 10.0, 12.0, 15.0, 20.0), "correlations": np.full(30, 0.8)}
    fields["negative_intervals_s"] = np.empty((0, 2))
    return replace(Stereo(**fields), **facts)


def mix(**results: Any) -> Mix:
    """A mix with some results of its record."""
    return Mix(results, PROFILE, PLATFORM)


def found(rule: Callable[[Mix], Iterator[Advice]], one: Mix) -> Advice:
    """The only advice that a rule gives."""
    [advice] = rule(one)
    return advice
