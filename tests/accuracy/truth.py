"""What a manifest says of its recordings, and which of it is fair to score.

A manifest is a JSON list of items: `id`, `file` (beside the manifest), `truth`. All fields of `truth` are optional:

| field | what | left out where |
|---|---|---|
| `bpm` | beats a minute | `bpm_octave_ambiguous`: people disagree about the octave |
| `bpm_constant` | false: `bpm` is the mean of what was played, and scored apart | |
| `beats`, `downbeats` | seconds | `beats_phase_check` is not `on-grid`: what is heard is not where the grid is |
| `meter` | "3/4" | |
| `key` | "F# minor" | `key_reliability` is `low` |
| `chords` | `[start, end, label]`, labels like "Am", "C7", "Bb", or Harte's | |
| `sections` | `[start, end, label]` | |

An item whose name is `full_` and another item's name is that recording again, whole: it is analysed, and not scored,
or one song would count twice. What is left out is counted and said.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]


@dataclass(frozen=True)
class Spans:
    """Labelled stretches of time.

    Attributes:
        intervals_s: shape `(n, 2)`, start and end in seconds.
        labels: one a stretch.
    """

    intervals_s: Times
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Item:
    """One recording and its truth; None where there is none, or where it is not fair to score.

    Attributes:
        id: its name.
        path: its file.
        source: where it comes from: its name up to the first underscore.
        bpm: beats a minute.
        is_steady: whether that is the tempo throughout, not the mean of what was played.
        beats_s: seconds.
        downbeats_s: seconds.
        metres: the beats a bar that count as right, the notated one first; empty where unknown.
        key: tonic and mode.
        chords: labels as Harte writes them.
        sections: labels as the annotator wrote them.
        left_out: job → why its truth is not scored.
    """

    id: str
    path: Path
    source: str
    bpm: float | None = None
    is_steady: bool = True
    beats_s: Times | None = None
    downbeats_s: Times | None = None
    metres: tuple[int, ...] = ()
    key: str | None = None
    chords: Spans | None = None
    sections: Spans | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)


def read(manifest: Path, only: str = "") -> list[Item]:
    """The items of a manifest whose name holds the regular expression `only`."""
    content = json.loads(manifest.read_text(encoding="utf-8"))
    entries = content["items"] if isinstance(content, dict) else content
    items = [item(entry, manifest.parent) for entry in entries]
    names = {one.id for one in items}
    return [_once(one, names) for one in items if re.search(only, one.id)]


def _once(one: Item, names: Collection[str]) -> Item:
    """The same item without its truth where the same recording is another item."""
    if not (one.id.startswith("full_") and one.id.removeprefix("full_") in names):
        return one
    truths: dict[str, object] = {"tempo": one.bpm, "beats": one.beats_s, "metre": one.metres or None, "key": one.key}
    truths |= {"chords": one.chords, "sections": one.sections}
    twice = {job: "the same song again" for job, value in truths.items() if value is not None}
    return Item(one.id, one.path, one.source, left_out={**one.left_out, **twice})


def item(entry: Mapping[str, Any], folder: Path) -> Item:
    """Read one entry of a manifest."""
    truth = entry.get("truth", {})
    name = str(entry.get("id") or Path(entry["file"]).stem)
    left_out = dict(_left_out(truth))
    has = {job: job not in left_out for job in ("tempo", "beats", "key")}
    return Item(
        id=name,
        path=folder / entry["file"],
        source=name.partition("_")[0],
        bpm=truth.get("bpm") if has["tempo"] else None,
        is_steady=truth.get("bpm_constant") is not False,
        beats_s=_times(truth.get("beats")) if has["beats"] else None,
        downbeats_s=_times(truth.get("downbeats")) if has["beats"] else None,
        metres=_metres(truth),
        key=truth.get("key") if has["key"] else None,
        chords=_spans(truth.get("chords"), harte),
        sections=_spans(truth.get("sections"), str),
        left_out=left_out,
    )


def left_out(items: Iterable[Item]) -> dict[str, Counter[str]]:
    """Job → reason → how many items are left out for it."""
    found: dict[str, Counter[str]] = {}
    for one in items:
        for job, reason in one.left_out.items():
            found.setdefault(job, Counter())[reason] += 1
    return found


def _left_out(truth: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Pairs of job and reason."""
    if truth.get("bpm") is not None and truth.get("bpm_octave_ambiguous"):
        yield "tempo", "octave ambiguous"
    if truth.get("beats") and truth.get("beats_phase_check") != "on-grid":
        yield "beats", str(truth.get("beats_phase_check", "phase not checked"))
    if truth.get("key") and truth.get("key_reliability") == "low":
        yield "key", "reliability low"


def _times(values: Any) -> Times | None:
    return np.sort(np.asarray(values, np.float64)) if values else None


def _spans(rows: Any, spell: Any) -> Spans | None:
    """Labelled stretches in order, without those of no length."""
    rows = sorted((row for row in rows or () if row[1] > row[0]), key=lambda row: row[0])
    if not rows:
        return None
    return Spans(np.array([row[:2] for row in rows], np.float64), tuple(spell(row[2]) for row in rows))


def _metres(truth: Mapping[str, Any]) -> tuple[int, ...]:
    """The beats a bar that are right.

    Where beats and downbeats are known they say it. Otherwise the numerator does; a compound metre (6/8, 9/8, 12/8)
    may also be counted in dotted beats.
    """
    beats, downbeats = _times(truth.get("beats")), _times(truth.get("downbeats"))
    if beats is not None and downbeats is not None and downbeats.size > 1:
        # A beat may be written a little before its downbeat.
        inside = np.searchsorted(beats, downbeats + 0.05)
        return (int(np.median(np.diff(inside))),)
    match = re.fullmatch(r"(\d+)/(\d+)", str(truth.get("meter") or ""))
    if not match:
        return ()
    upper, lower = int(match[1]), int(match[2])
    return (upper, upper // 3) if lower >= 8 and upper % 3 == 0 and upper > 3 else (upper,)


# How chord symbols are written, and Harte's shorthand for each.
_QUALITIES = {
    "maj": ("", "maj", "M", "major"),
    "min": ("m", "min", "-", "minor", "mi"),
    "dim": ("dim", "o", "°"),
    "aug": ("aug", "+"),
    "sus4": ("sus4", "sus"),
    "sus2": ("sus2",),
    "7": ("7", "dom7"),
    "maj7": ("maj7", "M7", "Maj7", "ma7"),
    "min7": ("m7", "min7", "-7", "mi7"),
    "minmaj7": ("mM7", "mmaj7", "minmaj7"),
    "dim7": ("dim7", "o7", "°7"),
    "hdim7": ("m7b5", "ø", "ø7", "hdim7", "min7b5"),
    "maj6": ("6", "maj6", "M6"),
    "min6": ("m6", "min6"),
    "9": ("9",),
    "maj9": ("maj9", "M9"),
    "min9": ("m9", "min9"),
    "maj(9)": ("add9", "add2", "maj(9)"),
    "min(9)": ("madd9", "min(9)"),
    "5": ("5",),
}
_HARTE = {symbol: shorthand for shorthand, symbols in _QUALITIES.items() for symbol in symbols}
_NO_CHORD = {"", "N", "NC", "N.C.", "none", "None", "silence"}


def harte(symbol: str | None) -> str:
    """A chord symbol as Harte writes it: "Am" → "A:min", "C7" → "C:7", "D/F#" → "D:maj"; "X" where it is unknown.

    The bass note is dropped: majmin does not ask for it.
    """
    text = (symbol or "").strip()
    if text in _NO_CHORD:
        return "N"
    match = re.fullmatch(r"([A-G])([#b]*)(:?)([^/]*)(/.*)?", text)
    if not match:
        return "X"
    root, quality = match[1] + match[2], match[4]
    return f"{root}:{_HARTE[quality]}" if quality in _HARTE else f"{root}:{quality}" if match[3] else "X"
