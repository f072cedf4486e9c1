"""Which recordings of a manifest are broken, and which are only judged as they are.

The manifest is that of `tests.accuracy`: a JSON list of `id`, `file`, `truth`; of the truth only `tags` and `stems`
are read. What it says, and nothing about single recordings, decides the group.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from processor.audio import decode
from tests.advice.dsp import Sound, staged

# A beginning and an end of its own: an excerpt must not be told that it is cut.
FADE_IN_S, FADE_OUT_S = 0.02, 2.0
# One instrument or voice, drums alone, and music of a score that was never mixed.
SPEECH = re.compile(r"\bspeech\b")
ALONE = re.compile(r"\bsolo\b|a cappella|^drums$|^percussion$|classical|baroque|ragtime")


@dataclass(frozen=True)
class Piece:
    """One recording.

    Attributes:
        id: its name.
        path: its file.
        source: where it comes from: its name up to the first underscore, "full" left out.
        group: "mix", "stem", "speech" or "alone" (a solo, or a score's render).
        duration_s: as the manifest says.
    """

    id: str
    path: Path
    source: str
    group: str
    duration_s: float


def read(manifest: Path) -> list[Piece]:
    """All recordings of a manifest and their stems, by name.

    Raises:
        OSError: there is no such file.
        ValueError: it is no JSON list of recordings.
    """
    entries = json.loads(manifest.read_text(encoding="utf-8"))
    if not isinstance(entries, list) or not all(isinstance(one, dict) and "file" in one for one in entries):
        raise ValueError("it is no list of recordings, each with a `file`")
    return sorted((one for entry in entries for one in _pieces(entry, manifest.parent)), key=lambda one: one.id)


def _pieces(entry: Mapping[str, Any], folder: Path) -> Iterator[Piece]:
    truth = entry.get("truth", {})
    name = str(entry.get("id") or Path(entry["file"]).stem)
    source, duration = name.removeprefix("full_").partition("_")[0], float(entry.get("duration_s") or 0.0)
    yield Piece(name, folder / entry["file"], source, _group(truth.get("tags", ())), duration)
    for file in (truth.get("stems") or {}).values():
        if (folder / file).exists():
            yield Piece(Path(file).stem, folder / file, source, "stem", duration)


def _group(tags: Sequence[str]) -> str:
    if any(SPEECH.search(tag) for tag in tags):
        return "speech"
    return "alone" if any(ALONE.search(tag) for tag in tags) else "mix"


def chosen(pieces: Sequence[Piece], count: int, seconds: float) -> list[Piece]:
    """So many mixes to break that are long enough, in turn from each source, whole releases first."""
    by_source: dict[str, list[Piece]] = {}
    for piece in sorted(pieces, key=lambda one: (not one.id.startswith("full_"), one.id)):
        if piece.group == "mix" and piece.duration_s >= seconds:
            by_source.setdefault(piece.source, []).append(piece)
    turns = zip_longest(*(by_source[source] for source in sorted(by_source)))
    return [piece for turn in turns for piece in turn if piece is not None][:count]


def halves(pieces: Sequence[Piece]) -> dict[str, str]:
    """Source → "A" or "B", in turn: what was set by looking at one half is proved on the other."""
    sources = sorted({piece.source for piece in pieces})
    return {source: "AB"[number % 2] for number, source in enumerate(sources)}


def clean(piece: Piece, seconds: float) -> Sound:
    """Its middle, faded in and out, at −14 LUFS or as near to it as its peaks allow: a mix with headroom.

    Raises:
        AudioError: it cannot be decoded.
    """
    audio = decode(piece.path)
    n = round(seconds * audio.sample_rate)
    first = max(0, (audio.frames - n) // 2)
    samples = audio.samples[:2, first : first + n].copy()
    fade_in, fade_out = (round(length * audio.sample_rate) for length in (FADE_IN_S, FADE_OUT_S))
    samples[:, :fade_in] *= np.linspace(0, 1, fade_in, dtype=np.float32)
    samples[:, -fade_out:] *= np.linspace(1, 0, fade_out, dtype=np.float32) ** 2
    return staged(Sound(samples, audio.sample_rate))
