"""Voices, backings and plans that are made up, so that every test knows what should become of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.analysis.bands import third_octaves_hz
from processor.mashup.listening import HOP_S, Backing, Layer, Line, Voice
from processor.mashup.plan import Cut, Duck, Fit, Grid, Plan, Segment, Source
from processor.mashup.songs import Song

RATE = 44_100
CHROMA_RATE, ONSET_RATE = 10.0, 100.0
# Triads by their roots, as pitch classes: C, A minor, F, G.
C, A_MINOR, F, G = (0, 4, 7), (9, 0, 4), (5, 9, 0), (7, 11, 2)
PROGRESSION = (C, A_MINOR, F, G)

Chord = Sequence[int]


def grid(
    tempo_bpm: float = 120.0, seconds: float = 128.0, *, metre: int = 4, first: int = 0, at_s: float = 0.0
) -> Grid:
    """Even beats from `at_s` to the end."""
    beats = np.arange(at_s, seconds - 1e-9, 60 / tempo_bpm)
    return Grid(tuple(beats.tolist()), first, metre, tempo_bpm)


def transposed(chords: Sequence[Chord], semitones: int) -> tuple[tuple[int, ...], ...]:
    """The same chords, higher."""
    return tuple(tuple((note + semitones) % 12 for note in chord) for chord in chords)


def layer(
    beats: Grid | None,
    seconds: float,
    chords: Sequence[Chord] = PROGRESSION,
    sounds_s: Sequence[tuple[float, float]] | None = None,
    *,
    lufs: float = -20.0,
    key: str | None = "C major",
) -> Layer:
    """A layer that plays one chord a bar, again and again, and strikes on every beat while it sounds."""
    spans = [(0.0, seconds)] if sounds_s is None else sounds_s
    hops = round(seconds / HOP_S)
    sounding = within(np.arange(hops) * HOP_S, spans)
    power = np.where(sounding, 10 ** ((lufs + 0.691) / 10), 0.0)
    centres = third_octaves_hz(RATE)
    bands = np.where(sounding[:, None], lufs - 12.0, -120.0) * np.ones((1, centres.size))
    times = np.arange(round(seconds * CHROMA_RATE)) / CHROMA_RATE
    chroma = np.zeros((times.size, 12), np.float32)
    bar_s = 60 / beats.tempo_bpm * beats.metre if beats else 2.0
    start_s = beats.beats_s[beats.first_downbeat] if beats else 0.0
    for place, chord in enumerate(chords):
        now = np.floor((times - start_s) / bar_s + 1e-9).astype(int) % len(chords) == place
        chroma[np.ix_(now & within(times, spans), np.array(chord))] = 1.0
    onsets = np.zeros(round(seconds * ONSET_RATE), np.float32)
    if beats:
        hits = [at for at in beats.beats_s if within(np.array([at]), spans)[0]]
        onsets[np.minimum((np.array(hits) * ONSET_RATE).astype(int), onsets.size - 1)] = 1.0
    return Layer(
        sample_rate=RATE,
        duration_s=seconds,
        power=power,
        bands_db=bands.astype(np.float32),
        centres_hz=centres,
        onsets=onsets,
        chroma=chroma,
        onset_rate=ONSET_RATE,
        chroma_rate=CHROMA_RATE,
        key=key,
        grid=beats,
        grid_confidence=None if beats is None else 0.9,
        grid_from="made up",
    )


def within(times_s: NDArray[np.float64], spans: Sequence[tuple[float, float]]) -> NDArray[np.bool_]:
    """Which moments lie in one of some spans."""
    found = np.zeros(times_s.shape, np.bool_)
    for start, end in spans:
        found |= (times_s >= start - 1e-9) & (times_s < end - 1e-9)
    return found


def line(start_s: float, end_s: float, breath_s: float = 0.1) -> Line:
    """A line with a breath to both sides."""
    return Line(max(0.0, start_s - breath_s), end_s + breath_s, start_s, end_s)


def voice(
    lines: Sequence[Line],
    beats: Grid | None,
    seconds: float = 128.0,
    *,
    chords: Sequence[Chord] = PROGRESSION,
    sections: Sequence[str] | None = None,
    lufs: float = -20.0,
) -> Voice:
    """Somebody who sings these lines."""
    spans = [(one.sounds_from_s, one.sounds_to_s) for one in lines]
    sound = layer(beats, seconds, chords, spans, lufs=lufs)
    return Voice(sound, tuple(lines), tuple(sections or [""] * len(lines)), None)


def backing(
    beats: Grid | None,
    seconds: float = 128.0,
    *,
    chords: Sequence[Chord] = PROGRESSION,
    sections: Sequence[tuple[float, float, str]] = (),
    voices_s: Sequence[tuple[float, float]] = (),
    lufs: float = -20.0,
) -> Backing:
    """A band that plays these chords."""
    sound = layer(beats, seconds, chords, lufs=lufs)
    return Backing(sound, tuple(sections), np.array(voices_s, np.float64).reshape(-1, 2), "made up")


def sung_bars(
    bars: Sequence[int], tempo_bpm: float = 120.0, *, length: float = 1.5, late_beats: float = 0.0
) -> list[Line]:
    """A line of `length` bars at each of these bars of 4/4."""
    beat_s = 60 / tempo_bpm
    return [line((4 * bar + late_beats) * beat_s, (4 * (bar + length) + late_beats) * beat_s) for bar in bars]


def songs(
    results: tuple[dict[str, Any], dict[str, Any]] = ({}, {}), layers: Sequence[str] = ("drums", "other")
) -> tuple[Song, Song]:
    """Two songs whose sounds nobody will read."""
    sings = Song("sings-1", "Sings", "a" * 64, results[0], {"vocals": Path("vocals.wav")})
    plays = Song("plays-2", "Plays", "b" * 64, results[1], {name: Path(f"{name}.wav") for name in layers})
    return sings, plays


def a_plan(**changes: Any) -> Plan:
    """Two segments over thirty-two bars, and something in every field."""
    beats = grid(100.0, 80.0)
    plan = Plan(
        name='Sings over "Plays" \\ ☂',
        vocals=Source(
            "sings-1", "Sings", "a" * 64, ("vocals",), "A minor", grid(104.0, 60.0, first=1, at_s=0.123456789)
        ),
        instrumental=Source("plays-2", "Plays", "b" * 64, ("drums", "other"), None, beats),
        tempo_bpm=100.0,
        vocal_beats_per_beat=1.0,
        vocal_shift_semitones=2.07,
        instrumental_shift_semitones=-1.0,
        cuts=(Cut(0, 64), Cut(32, 96)),
        segments=(
            Segment("verse 1", 2.0, 9.7, 5, 16, 0.0, -1.25, 0.05, 0.3, 0.61, "Where a phrase begins."),
            Segment("chorus 1", 12.1, 20.0, 21, 48, 1.0, 0.5, 0.05, 0.3, 0.7, ""),
        ),
        vocal_to_backing_lu=0.5,
        vocal_bands=(),
        instrumental_bands=(),
        duck=Duck(4.0, 250.0, 8000.0, 0.018, 0.2),
        gate_below_lufs=-52.5,
        instrumental_gain_db=0.0,
        target_lufs=-14.0,
        ceiling_dbtp=-1.0,
        fit=Fit(0.66, 0.7, None, 0.5, 0.6, 1.0),
        reasons=("Vocals go up 2 semitones.", "Line\nbreak and \x7f"),
    )
    return replace(plan, **changes)
