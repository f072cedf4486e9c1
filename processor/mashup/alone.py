"""The beats that vocals are sung to, heard in the vocals alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis._tempo import SAME_TEMPO
from processor.analysis.chroma import Chroma
from processor.analysis.onsets import Onsets
from processor.mashup.combs import POLISHED_REACH, SAID_REACH, Spectrum, comb_of, spectrum_of
from processor.mashup.grids import LEAST_POWER, plausible
from processor.mashup.phases import Phase, phases
from processor.mashup.plan import Grid

Vector = NDArray[np.float64]

# Tempi that vocals alone are tried at; each counts by its distance from 120, in octaves.
SLOWEST_ALONE_BPM, FASTEST_ALONE_BPM, PREFERRED_BPM, PREFERRED_OCTAVES = 60.0, 200.0, 120.0, 1.0
RELATIVES = (1.0, 2.0, 0.5, 1.5, 2 / 3, 4 / 3, 0.75)
CANDIDATES = 4
# Other beats and bars at the same tempo are told of where they are this likely, beside the likeliest; and so many.
LIKELY, OTHER_PHASES = 0.25, 3


@dataclass(frozen=True)
class Found:
    """Beats that were found.

    Attributes:
        grid: the beats.
        confidence: 0 to 1.
        source: what they rest on, in words.
    """

    grid: Grid
    confidence: float
    source: str


def grids_alone(onsets: Onsets, chroma: Chroma, duration_s: float, tempo_bpm: float | None = None) -> list[Found]:
    """The beats that a voice may be sung to, the likeliest first; none where no pulse stands out of chance.

    Nothing but the voice is heard. The pulse of all of it together tells the tempo where that does not move: of 11
    vocals of 6 songs at one tempo (3 stems of artists, 8 separated) it has that of 10, or half of it, within 0.01 %;
    `beats` has 6 within 0.1 %. Of these 10, 8 have the beat within a tenth of it, the other two are a quarter off.
    Other beats and bars at the tempo of the likeliest follow it where they are possible, then come other tempi.

    Args:
        onsets: of the voice.
        chroma: of the voice.
        duration_s: length of the file.
        tempo_bpm: the tempo, if a person or a tag has told it.
    """
    spectrum = spectrum_of(onsets.envelope.astype(np.float64), onsets.frame_rate)
    if spectrum is None or duration_s <= 0:
        return []
    said = plausible(tempo_bpm)
    if said is not None:
        comb = comb_of(onsets, said, SAID_REACH, is_said=True)
        words = f"pulse of the voice alone, at the {said:g} BPM that are known"
        return _likely(phases(comb, onsets, chroma, duration_s), 1.0, words) if comb else []
    ranked = _ranked(spectrum)
    grids: list[Found] = []
    for place, (tempo, weight) in enumerate(ranked[:CANDIDATES]):
        rival = max((w for other, w in ranked if not _is_relative(other, tempo)), default=0.0)
        sureness = weight**2 / (weight**2 + rival**2) if weight > 0 else 0.0
        comb = comb_of(onsets, tempo, POLISHED_REACH)
        if comb is None or (place == 0 and comb.strength < LEAST_POWER):
            return []
        found = _likely(phases(comb, onsets, chroma, duration_s), sureness, "pulse of the voice alone")
        grids += found if not grids else found[:1]
    return grids


def _likely(found: list[Phase], confidence: float, words: str) -> list[Found]:
    """The likeliest beats and bars, and what else is possible."""
    likely = [one.grid for one in found if one.probability >= LIKELY * found[0].probability]
    return [Found(grid, confidence, words) for grid in likely[: 1 + OTHER_PHASES]]


def _ranked(spectrum: Spectrum) -> list[tuple[float, float]]:
    """Tempi with most power, each weighed by how usual it is, the heaviest first."""
    octaves = np.log2(FASTEST_ALONE_BPM / SLOWEST_ALONE_BPM)
    tempi = SLOWEST_ALONE_BPM * 2 ** np.linspace(0, octaves, 20_000)
    usual = np.exp(-0.5 * (np.log2(tempi / PREFERRED_BPM) / PREFERRED_OCTAVES) ** 2)
    weights = spectrum.at(tempi) * usual
    found = []
    for _ in range(2 * CANDIDATES + len(RELATIVES)):
        best = int(weights.argmax())
        found.append((float(tempi[best]), float(weights[best])))
        weights[np.abs(np.log(tempi / tempi[best])) < SAME_TEMPO] = 0.0
    return found


def _is_relative(one_bpm: float, other_bpm: float) -> bool:
    """Whether one tempo is the other, its double, its half, or three for two."""
    return any(abs(math.log(one_bpm / other_bpm / ratio)) < SAME_TEMPO for ratio in RELATIVES)
