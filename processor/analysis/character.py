"""How a recording sounds, as a short list of numbers: recordings whose lists are near each other sound alike."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis.beats import Beats
from processor.analysis.loudness import Loudness
from processor.analysis.production import Production
from processor.analysis.spectrum import Spectrum
from processor.analysis.stereo import Stereo
from processor.analysis.transients import Transients
from processor.graph import analyser
from processor.quantities import quantity

BANDS = ("sub", "bass", "low_mids", "mids", "high_mids", "air")
# Name of each dimension, its median and its deviation over halves of 69 recordings of 14 sources, measured there.
# Distances are in such deviations, so that no unit outweighs another; they are fixed, so that a library may grow.
DIMENSIONS: dict[str, tuple[float, float]] = {
    "sub level": (-14.5, 9.5),
    "bass level": (-3.6, 3.5),
    "low mids level": (-5.6, 3.5),
    "mids level": (-4.9, 4.5),
    "high mids level": (-11.2, 6.5),
    "air level": (-20.5, 9.0),
    "tilt": (-4.3, 1.5),
    "brightness": (11.5, 0.65),
    "rolloff": (10.0, 1.1),
    "flatness": (-2.2, 1.0),
    "width": (12.4, 11.0),
    "middle over sides": (9.0, 5.8),
    "onset rate": (1.9, 0.9),
    "attack": (5.5, 4.2),
    "attack time": (21.0, 14.0),
    "punch": (10.3, 5.3),
    "sub crest": (16.0, 4.2),
    "bass crest": (15.3, 3.0),
    "low mids crest": (16.0, 3.1),
    "mids crest": (17.5, 3.2),
    "high mids crest": (20.3, 4.0),
    "air crest": (24.5, 5.0),
    "warmth": (32.7, 18.0),
    "density": (67.8, 23.0),
    "peak to loudness": (13.7, 2.4),
    "peak to short-term": (12.1, 2.0),
    "tempo, cosine": (0.2, 0.7),
    "tempo, sine": (0.1, 0.7),
    "steadiness": (1.0, 0.11),
}
# One number that is far out must not decide alone.
LIMIT = 3.0
QUIETEST_DB = -60.0
TOLD_SIDES_DB = (-10.0, 40.0)


@dataclass(frozen=True)
class Character:
    """What `sounds_like` compares."""

    features: NDArray[np.float64] = quantity(
        "",
        label="Character",
        source="our own; python -m tests.accuracy.alike measures it",
        help="Tone, stereo, attacks, dynamics and tempo in deviations from the middle of many recordings; "
        "recordings that are near each other sound alike. Empty where there is nothing to hear.",
        low=-LIMIT,
        high=LIMIT,
        digits=2,
    )


@analyser(version=1)
def character(
    spectrum: Spectrum,
    loudness: Loudness,
    stereo: Stereo | None = None,
    transients: Transients | None = None,
    production: Production | None = None,
    beats: Beats | None = None,
) -> Character:
    """Put the numbers of six analysers on one scale; one that is missing counts as ordinary.

    Tempo is an angle, for twice the tempo is the same pulse: that is half of what tempo estimators err by. Levels are
    relative to the whole, so that mastering louder changes nothing.

    Source: our own; for each of 69 recordings cut in two, the other half is the nearest of all in 91 % of cases and
    among the nearest five in 97 %, where chance gives 1 % and 7 %.
    """
    if loudness.integrated_lufs is None:
        return Character(np.empty(0))
    found = [
        *_tone(spectrum),
        *_stereo(stereo),
        *_attacks(transients),
        *_production(production),
        loudness.plr_db,
        loudness.psr_median_db,
        *_tempo(beats),
    ]
    scaled = [
        0.0 if value is None else (value - middle) / deviation
        for value, (middle, deviation) in zip(found, DIMENSIONS.values(), strict=True)
    ]
    return Character(np.clip(np.array(scaled), -LIMIT, LIMIT))


def _tone(spectrum: Spectrum) -> Iterator[float | None]:
    levels = [getattr(spectrum, f"{band}_db") for band in BANDS]
    power = sum(10 ** (level / 10) for level in levels if level is not None)
    for level in levels:
        yield None if level is None or not power else max(QUIETEST_DB, level - 10 * math.log10(power))
    yield spectrum.tilt_db_per_octave
    yield _octaves(spectrum.centroid_hz)
    yield _octaves(spectrum.rolloff_85_hz)
    yield None if spectrum.flatness is None else math.log10(max(spectrum.flatness, 1e-6))


def _octaves(hz: float | None) -> float | None:
    return None if hz is None else math.log2(max(hz, 20.0))


def _stereo(stereo: Stereo | None) -> tuple[float | None, float | None]:
    if stereo is None or stereo.is_mono:
        return (0.0, TOLD_SIDES_DB[1]) if stereo is not None else (None, None)
    sides = stereo.mid_side_db
    return stereo.width, None if sides is None else float(np.clip(sides, *TOLD_SIDES_DB))


def _attacks(transients: Transients | None) -> Iterator[float | None]:
    rate = None if transients is None else transients.onset_rate
    yield None if rate is None else math.log2(0.25 + rate)
    yield None if transients is None else transients.attack_strength_db
    time_s = None if transients is None else transients.attack_time_s
    yield None if time_s is None else 1000 * time_s
    yield None if transients is None else transients.punch_db
    for band in BANDS:
        yield None if transients is None else getattr(transients, f"{band}_crest_db")


def _production(production: Production | None) -> tuple[float | None, float | None]:
    return (None, None) if production is None else (production.warmth, production.density)


def _tempo(beats: Beats | None) -> tuple[float | None, float | None, float | None]:
    if beats is None or beats.tempo_bpm is None:
        return None, None, None
    angle = 2 * math.pi * math.log2(beats.tempo_bpm)
    return math.cos(angle), math.sin(angle), beats.stability
