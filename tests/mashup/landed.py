"""A small mashup made from a formula: where every syllable and every kick lands is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from processor.mashup.plan import Cut, Fit, Grid, Plan, Segment, Source, mashup_beats_s, time_map
from tests.signals import Samples

RATE = 22_050
Vector = NDArray[np.float64]
# The song of the vocals is slower than that of the instrumental.
SUNG_BPM, PLAYED_BPM, BEATS = 100.0, 108.0, 64


def grid(tempo_bpm: float, first_s: float = 0.2, beats: int = BEATS) -> Grid:
    return Grid(tuple((first_s + 60 / tempo_bpm * np.arange(beats)).tolist()), 0, 4, tempo_bpm)


def plan(**changes: object) -> Plan:
    """Two segments of 16 beats each, the second one later than in its own song."""
    sung, played = grid(SUNG_BPM), grid(PLAYED_BPM)
    segments = tuple(
        Segment(
            name, sung.beats_s[first] - 0.1, sung.beats_s[first + 16] - 0.1, first, at, 0.0, 0.0, 0.01, 0.01, 0.7, ""
        )
        for name, first, at in (("verse", 4, 8), ("chorus", 24, 40))
    )
    made = Plan(
        name="made up",
        vocals=Source("v", "V", "0" * 64, ("vocals",), "A minor", sung),
        instrumental=Source("i", "I", "1" * 64, ("instrumental",), "A minor", played),
        tempo_bpm=PLAYED_BPM,
        vocal_beats_per_beat=1,
        vocal_shift_semitones=0.0,
        instrumental_shift_semitones=0.0,
        cuts=(Cut(0, BEATS - 1),),
        segments=segments,
        vocal_to_backing_lu=0.0,
        vocal_bands=(),
        instrumental_bands=(),
        duck=None,
        gate_below_lufs=None,
        instrumental_gain_db=0.0,
        target_lufs=-14.0,
        ceiling_dbtp=-1.0,
        fit=Fit(0.7, None, None, None, None, None),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def syllables_s(seconds: float = 38.0) -> Vector:
    """When syllables begin in the vocals' file: irregular, hardly ever on a beat."""
    random = np.random.default_rng(3)
    return np.cumsum(random.uniform(0.15, 0.6, int(seconds / 0.375)))


def played(times_s: Vector, seconds: float, sound: Samples, rate: int = RATE) -> Samples:
    """One sound at many times, shape `(n,)`."""
    found = np.zeros(round(seconds * rate) + sound.size, np.float32)
    for at in np.round(times_s * rate).astype(int).tolist():
        if 0 <= at < found.size - sound.size:
            found[at : at + sound.size] += sound
    return found[: round(seconds * rate)]


def syllable(rate: int = RATE, rise_s: float = 0.004) -> Samples:
    """A buzz that begins at once and dies away in a tenth of a second."""
    time = np.arange(round(0.12 * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * 220 * k * time) / k for k in range(1, 20))
    return np.asarray(0.2 * buzz * np.minimum(1, time / rise_s) * np.exp(-time * 30), np.float32)


def kick(rate: int = RATE) -> Samples:
    time = np.arange(round(0.15 * rate)) / rate
    return np.asarray(
        0.6 * np.sin(2 * np.pi * 55 * time + 6 * (1 - np.exp(-time * 40))) * np.exp(-time * 20), np.float32
    )


def vocals_of(made: Plan, late_s: float = 0.0, rate: int = RATE, sound: Samples | None = None) -> Samples:
    """The vocals as a perfect render has them: every syllable where the time map wants it, or later."""
    times_s = []
    for segment in made.segments:
        source_s, target_s = time_map(made, segment)
        inside = syllables_s()
        inside = inside[(inside > segment.start_s) & (inside < segment.end_s - 0.1)]
        times_s.append(np.interp(inside, source_s, target_s) + late_s)
    length_s = float(mashup_beats_s(made)[-1])
    return played(np.concatenate(times_s), length_s, syllable(rate) if sound is None else sound, rate)


def backing_of(made: Plan, late_s: float = 0.0, rate: int = RATE) -> Samples:
    """Kicks on all beats of the mashup, or later."""
    beats = mashup_beats_s(made)
    return played(beats[:-1] + late_s, float(beats[-1]), kick(rate), rate)


def sung(rate: int = RATE) -> Samples:
    """The vocals' file."""
    return played(syllables_s(), 40.0, syllable(rate), rate)
