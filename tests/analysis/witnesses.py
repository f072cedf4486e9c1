"""What models would have found, made by hand: for tests of what is fused from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.analysis.beats import Beats
from processor.analysis.heard import Heard, heard
from processor.analysis.pitch import Pitch
from processor.analysis.stems import Stems
from processor.analysis.tags_ast import TagsAst
from processor.analysis.tags_clap import TagsClap
from processor.analysis.tags_vocals import TagsVocals
from processor.analysis.tags_yamnet import TagsYamnet

Vector = NDArray[np.float64]

FOUR = ("drums", "bass", "other", "vocals")
AUDIOSET = (
    "Speech", "Singing", "Rapping", "Choir", "A capella", "Music", "Guitar", "Electric guitar", "Piano", "Banjo",
    "Bass guitar", "Drum kit", "Drum machine", "Drum and bass", "House music", "Classical music", "Happy music", "Dog",
)  # fmt: skip
HOP_S, WINDOW_S = 0.5, 0.975


def filled(kind: type, **facts: Any) -> Any:
    """A result with these facts and nothing else."""
    return kind(**({field.name: () for field in dataclasses.fields(kind)} | facts))


def stems(seconds: float = 60.0, *, names: Sequence[str] = FOUR, **levels_db: float | Vector) -> Stems:
    """Stems of these levels, each 0.1 s or throughout; those not named are at −90 dBFS."""
    rows = np.array([np.full(round(seconds * 10), 1.0) * levels_db.get(name, -90.0) for name in names])
    powers = 10 ** (rows / 10)
    mix = powers.sum(axis=0)
    return Stems(
        model="fake",
        names=tuple(names),
        present=tuple(bool(row.sum() > 1e-3 * mix.sum()) for row in powers),
        level_lufs=(None,) * len(names),
        energy_share=tuple(float(row.sum() / max(mix.sum(), 1e-30)) for row in powers),
        active_share=tuple(float((row > 0.01 * mix).sum() / max(1, mix.size)) for row in powers),
        sum_error_db=-40.0,
        clipped_stem_samples=0,
        sample_rate=44_100,
        hop_s=0.1,
        files=tuple(f"stems/{name}.flac" for name in names),
        file_sha256=("0" * 64,) * len(names),
        levels_db=rows,
    )


def between(start: float, end: float, inside_db: float = -20.0, outside_db: float = -90.0) -> Vector:
    """Levels of 60 s that are high from one moment to another."""
    times = np.arange(600) / 10 + 0.05
    return np.where((times > start) & (times < end), inside_db, outside_db)


def pitch(
    voiced: float = 0.6, *, seconds: float = 60.0, glide_semitones: float = 0.0, heard_in: str = "vocals"
) -> Pitch:
    """A pitch that is voiced for so much of each second and moves by so many semitones in 0.1 s."""
    times = np.arange(round(seconds * 100)) / 100
    notes = 57 + 6 * np.abs((times * 10 * glide_semitones / 6) % 2 - 1)
    is_voiced = times % 1 < voiced
    f0_hz = np.where(is_voiced, 440 * 2 ** ((notes - 69) / 12), np.nan)
    facts = {"model": "fake", "heard_in": heard_in, "hop_s": 0.01, "f0_hz": f0_hz, "voicing": is_voiced * 0.9}
    return filled(Pitch, **facts)


def scored(scores: Mapping[str, float | Vector], classes: Sequence[str], seconds: float, floor: float = 0.0) -> Any:
    """Scores `(windows, classes)`; those not named have the floor."""
    rows = round((seconds - WINDOW_S) / HOP_S) + 1
    found = np.full((rows, len(classes)), floor, np.float16)
    for name, value in scores.items():
        found[:, classes.index(name)] = value
    return found


def yamnet(
    scores: Mapping[str, float | Vector] | None = None, *, seconds: float = 60.0, classes: Sequence[str] = AUDIOSET
) -> TagsYamnet:
    """YAMNet, with these scores throughout or in each window."""
    found = scored(scores or {}, classes, seconds)
    return TagsYamnet("fake", (), (), np.array(classes), found, HOP_S, WINDOW_S)


def ast(scores: Mapping[str, float], *, seconds: float = 60.0) -> TagsAst:
    """AST, with these scores throughout."""
    rows = max(1, int(seconds // 10))
    found = np.tile([scores.get(name, 0.0) for name in AUDIOSET], (rows, 1)).astype(np.float16)
    return TagsAst("fake", (), (), np.array(AUDIOSET), found, 10.0, 10.0)


def clap(shares: Mapping[str, float], labels: Sequence[str], *, seconds: float = 60.0) -> TagsClap:
    """CLAP, with these shares; what is left of a category goes to its other labels."""
    row = np.zeros(len(labels))
    for category in {label.partition(": ")[0] for label in labels}:
        inside = [k for k, label in enumerate(labels) if label.startswith(f"{category}: ")]
        given = [k for k in inside if labels[k] in shares]
        row[given] = [shares[labels[k]] for k in given]
        rest = [k for k in inside if k not in given]
        row[rest] = (1 - row[given].sum()) / max(1, len(rest))
    rows = max(1, int(seconds // 10))
    scores = np.tile(row, (rows, 1)).astype(np.float16)
    return filled(
        TagsClap,
        model="fake",
        classes=np.array(labels),
        scores=scores,
        cosines=scores,
        embedding=None,
        hop_s=10.0,
        window_s=10.0,
    )


def voices(scores: Mapping[str, float | Vector], *, seconds: float = 60.0) -> TagsVocals:
    """What YAMNet hears in the vocal stem."""
    classes = ("Speech", "Singing", "Rapping")
    return TagsVocals("fake", np.array(classes), scored(scores, classes, seconds), HOP_S, WINDOW_S)


def words(scores: Mapping[str, float | Vector] | None = None, *, seconds: float = 60.0) -> Heard:
    """What YAMNet heard, in our words."""
    return heard(yamnet(scores, seconds=seconds))


def beats(**chances: float) -> Beats:
    """A tempo: `beats(bpm_174=0.8, bpm_116=0.2)`, most probable first."""
    tempos = {float(name.removeprefix("bpm_")): chance for name, chance in chances.items()}
    best = max(tempos, key=lambda bpm: tempos[bpm])
    return filled(
        Beats,
        tempo_bpm=best,
        confidence=tempos[best],
        candidates=tuple(tempos),
        candidate_weights=tuple(tempos.values()),
    )
