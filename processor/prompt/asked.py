"""What a prompt asks for in numbers, so that a song made from it can be measured against them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from processor.analysis.beats import Beats
from processor.analysis.key import KEYS
from processor.analysis.vocals import Vocals
from processor.audio import Source
from processor.prompt.facts import plain
from processor.prompt.parts import Part, arc
from processor.prompt.words import key_name
from processor.record import JSON, Results

# Stretches of equal length that two loudness curves are compared in, whatever their lengths.
ARC_POINTS = 16
MOST_TAGS, MOST_CHARACTERS = 12, 60
LONGEST_S = 86400.0


@dataclass(frozen=True)
class Asked:
    """Numbers of a track, of the source or of what was generated; None where there is none.

    Attributes:
        tempo_bpm: its tempo.
        key: its key, as `processor.analysis.key.KEYS` spells it.
        metre: beats a bar.
        duration_s: its length.
        sections: how many parts it has.
        arc_lu: loudness in 16 equal stretches, over their mean.
        vocals: whether there is a voice.
        tags: genre and instruments.
    """

    tempo_bpm: float | None
    key: str | None
    metre: int | None
    duration_s: float | None
    sections: int | None
    arc_lu: tuple[float, ...]
    vocals: bool | None
    tags: tuple[str, ...]

    def told(self) -> dict[str, JSON]:
        """As JSON values."""
        return {
            "tempo_bpm": plain(self.tempo_bpm),
            "key": self.key,
            "metre": self.metre,
            "duration_s": plain(self.duration_s),
            "sections": self.sections,
            "arc_lu": list(self.arc_lu),
            "vocals": self.vocals,
            "tags": list(self.tags),
        }


def asked_of(results: Results, parts: Sequence[Part], tags: Iterable[str]) -> Asked:
    """The numbers of a record."""
    beats: Beats | None = results.get("beats")
    source: Source | None = results.get("source")
    vocals: Vocals | None = results.get("vocals")
    tempo = None if beats is None else beats.tempo_bpm
    return Asked(
        tempo_bpm=None if tempo is None else round(tempo, 1),
        key=key_name(results),
        metre=None if beats is None else beats.metre,
        duration_s=None if source is None else round(source.duration_s, 1),
        sections=len(parts) or None,
        arc_lu=arc(results, ARC_POINTS),
        vocals=None if vocals is None else vocals.present,
        tags=tuple(tags)[:MOST_TAGS],
    )


def asked_from(tree: JSON) -> Asked:
    """The numbers of a prompt that was kept.

    Raises:
        ValueError: they are not of this form.
    """
    if not isinstance(tree, dict) or set(tree) != set(Asked.__dataclass_fields__):
        raise ValueError("what was asked is not of the form that we write")
    arc_lu, tags, key = tree["arc_lu"], tree["tags"], tree["key"]
    if not isinstance(arc_lu, list) or len(arc_lu) not in (0, ARC_POINTS) or not isinstance(tags, list):
        raise ValueError("what was asked is not of the form that we write")
    if any(not isinstance(tag, str) or len(tag) > MOST_CHARACTERS for tag in tags) or key not in (None, *KEYS):
        raise ValueError("what was asked is not of the form that we write")
    return Asked(
        tempo_bpm=_number(tree["tempo_bpm"], 1.0, 1000.0),
        key=key,
        metre=_whole(tree["metre"]),
        duration_s=_number(tree["duration_s"], 0.0, LONGEST_S),
        sections=_whole(tree["sections"]),
        arc_lu=tuple(_number(value, -200.0, 200.0) or 0.0 for value in arc_lu),
        vocals=tree["vocals"] if isinstance(tree["vocals"], bool) else None,
        tags=tuple(tags)[:MOST_TAGS],
    )


def _number(value: JSON, low: float, high: float) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("a number that was asked is none")
    if not math.isfinite(value) or not low <= value <= high:
        raise ValueError("a number that was asked makes no sense")
    return float(value)


def _whole(value: JSON) -> int | None:
    found = _number(value, 0.0, 1000.0)
    return None if found is None else int(found)
