"""Variants of a prompt: faithful, shorter, and one with a single element swapped, by a rule that says which and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from processor.prompt.facts import Direction, Phrase
from processor.prompt.swaps import vocabulary
from processor.record import JSON

FAITHFUL, SHORTER, SWAPPED = "faithful", "shorter", "swapped"


@dataclass(frozen=True)
class Swap:
    """One element in the place of another.

    Attributes:
        removed: what the track has.
        added: what is asked for instead, on the same evidence.
        why: why this element.
    """

    removed: Phrase
    added: Phrase
    why: str

    def apply(self, phrase: Phrase) -> Phrase:
        """The phrase, or what takes its place."""
        return self.added if phrase == self.removed else phrase

    def directed(self, section: Direction) -> Direction:
        """A section's directions with the swapped instrument in the place of the other."""
        if self.removed.topic != "instrument":
            return section
        phrases = (
            replace(phrase, text=phrase.text.replace(self.removed.text, self.added.text))
            if phrase.topic == "instrument"
            else phrase
            for phrase in section.phrases
        )
        return replace(section, phrases=tuple(phrases))

    def told(self) -> dict[str, JSON]:
        """As JSON values."""
        return {"removed": self.removed.text, "added": self.added.text, "why": self.why}


def swap(phrases: Sequence[Phrase]) -> Swap | None:
    """The element to swap, by the first rule that finds one; None where nothing is known to be swapped."""
    known = vocabulary()
    is_alone = any(phrase.topic == "scoring" for phrase in phrases)
    rules: tuple[tuple[str, Mapping[str, str], str], ...] = (
        ("instrument", known.leads, "The surest of the leading instruments; tempo, key and form stay."),
        ("metre", known.metres, "No lead instrument is known; the metre changes all of the groove, and nothing else."),
        ("pace", {} if is_alone else known.feels, "No lead instrument is known; the feel changes, the tempo stays."),
        ("tempo", {} if is_alone else known.feels, "There is no beat; a pulse changes most, and nothing else."),
        ("reverb", known.spaces, "Neither instruments nor a groove are known; the room is what remains."),
        ("space", known.spaces, "Neither instruments nor a groove are known; the room is what remains."),
    )
    for topic, others, why in rules:
        for phrase in phrases:
            if phrase.topic == topic and phrase.text in others:
                return Swap(phrase, Phrase(others[phrase.text], topic, phrase.evidence), why)
    return None
