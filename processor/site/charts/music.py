"""Names of music on a page: chords, roots and their colours, relations of tempi, sections."""

from __future__ import annotations

from dataclasses import dataclass

NOTES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
SAME_NOTE = {"C#": "Db", "D#": "Eb", "Gb": "F#", "G#": "Ab", "A#": "Bb", "Cb": "B", "B#": "C", "E#": "F", "Fb": "E"}
# What a tempo is to another one.
RELATIONS = (
    *((1.0, "the tempo"), (2.0, "double"), (0.5, "half"), (1.5, "3 : 2"), (2 / 3, "2 : 3"), (4 / 3, "4 : 3")),
    *(
        (0.75, "3 : 4"),
        (3.0, "triple"),
        (1 / 3, "a third"),
        (4.0, "4 times"),
        (0.25, "a quarter"),
        (1.25, "5 : 4"),
        (0.8, "4 : 5"),
    ),
)
SAME_TEMPO = 0.04  # MIREX: tempi within 4 % count as the same


@dataclass(frozen=True)
class Section:
    """A section as a page shows it: its number, times, letter, role with how sure that is, and class of its colour."""

    number: int
    start_s: float
    end_s: float
    label: str
    role: str
    sure: float
    style: str

    @property
    def text(self) -> str:
        """Letter and role, where there are any."""
        role = self.role if self.role not in ("section", "silence") else ""
        return " ".join(part for part in (self.label, role) if part)


@dataclass(frozen=True)
class Candidate:
    """A tempo that it may be, its probability, and what it is to the first one."""

    tempo_bpm: float
    weight: float
    relation: str


def relation(ratio: float) -> str:
    """A ratio of two tempi in words, where it is a simple one."""
    near = (text for value, text in RELATIONS if abs(ratio / value - 1) < SAME_TEMPO)
    return next(near, f"{ratio:.2f} times")


def chord_name(label: str) -> str:
    """A chord as musicians write it: "A:min" is Am, "C:maj" is C; N is none."""
    root, _, quality = label.partition(":")
    if label in ("N", "X", ""):
        return "–"
    return root + {"maj": "", "min": "m", "min7": "m7", "maj7": "maj7"}.get(quality, quality)


def root_style(name: str | None) -> str:
    """Class of the colour of a root: r0 for C to r11 for B, with "m" for minor; "none" without one."""
    if not name:
        return "none"
    root = name[:2] if name[1:2] in ("#", "b") else name[:1]
    root = SAME_NOTE.get(root, root)
    if root not in NOTES:
        return "none"
    rest = name[len(root) :]
    return f"r{NOTES.index(root)}" + (" minor-key" if rest.lstrip(": ").startswith("min") else "")
