"""What a prompt is made of: phrases of our own, each with the numbers that it rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass

from processor.record import JSON

# Decimals of a number in evidence; nobody hears more.
DECIMALS = 2


@dataclass(frozen=True)
class Evidence:
    """A number that a phrase rests on.

    Attributes:
        field: "analyser.field".
        value: what was measured, or made of it; None where it says that there is none.
        start_s: of the passage that is meant; None for the whole track.
        end_s: likewise.
    """

    field: str
    value: float | int | str | bool | None
    start_s: float | None = None
    end_s: float | None = None

    def told(self) -> dict[str, JSON]:
        """As JSON values."""
        where = {} if self.start_s is None or self.end_s is None else {"start_s": self.start_s, "end_s": self.end_s}
        return {"field": self.field, "value": plain(self.value), **{k: plain(v) for k, v in where.items()}}


@dataclass(frozen=True)
class Phrase:
    """A few words, what they are about ("tempo", "voice" …), and why they may be said."""

    text: str
    topic: str
    evidence: tuple[Evidence, ...]

    def told(self) -> dict[str, JSON]:
        """As JSON values."""
        return {"text": self.text, "topic": self.topic, "evidence": [one.told() for one in self.evidence]}


@dataclass(frozen=True)
class Direction:
    """What is asked of one section.

    Attributes:
        header: its tag without brackets: "Verse 1".
        start_s: where it is in the track that was measured.
        end_s: likewise.
        phrases: directions, the most telling first.
    """

    header: str
    start_s: float
    end_s: float
    phrases: tuple[Phrase, ...]

    @property
    def text(self) -> str:
        """The directions as one line."""
        return ", ".join(phrase.text for phrase in self.phrases)

    def told(self) -> dict[str, JSON]:
        """As JSON values."""
        listed = [phrase.told() for phrase in self.phrases]
        return {"section": self.header, "start_s": plain(self.start_s), "end_s": plain(self.end_s), "phrases": listed}


def plain(value: float | int | str | bool | None) -> JSON:
    """A value as it is shown and kept: rounded, None where it is no number."""
    if isinstance(value, float):
        return round(value, DECIMALS) + 0.0 if math.isfinite(value) else None
    return value
