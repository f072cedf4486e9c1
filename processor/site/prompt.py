"""The prompt of a track as its page shows it, and what became of one: asked against measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from processor.analysis import result_types
from processor.errors import RecordError
from processor.library import Track, read_person
from processor.prompt.composer import NoPrompt, Prompt, prompts_of
from processor.prompt.facts import Evidence, plain
from processor.prompt.generations import CLOSE, OFF, Generation, Row, generation_of
from processor.prompt.kept import FOLDER, keep, prune
from processor.prompt.targets import DEFAULT, target_named
from processor.record import JSON, Record, read
from processor.site.rendering import text_of

# Field of a prompt → what the page calls it, and how a person may paste it.
_FIELDS = (("title", "Title"), ("style", "Style"), ("exclusions", "Exclude"), ("lyrics", "Lyrics"))
_ABOUT = {
    "faithful": "All that was measured.",
    "shorter": "The essentials only.",
    "swapped": "One element in the place of another.",
}
LINE = 90  # characters that a line of a field shows
# Prompts of one track that are kept: ten times its variants. Each new analysis may word them anew.
MOST_KEPT = 30
MARKS = {CLOSE: "✓", OFF: "✗"}


@dataclass(frozen=True)
class Field:
    """One field to paste.

    Attributes:
        id: of the element.
        label: what it is called.
        text: what is pasted.
        count: its characters.
        limit: how many there may be.
        lines: how many it takes to show it.
    """

    id: str
    label: str
    text: str
    count: int
    limit: int
    lines: int


@dataclass(frozen=True)
class Variant:
    """One variant of the prompt, with what was swapped in words, if anything was."""

    name: str
    about: str
    id: str
    swap: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Said:
    """A phrase of the prompt and what it rests on, in words."""

    text: str
    rests_on: str


@dataclass(frozen=True)
class Asked:
    """What is asked of one section, where in the track that comes from, and why."""

    header: str
    start_s: float
    end_s: float
    phrases: tuple[Said, ...]


@dataclass(frozen=True)
class PromptBox:
    """All that `_prompt.html` shows.

    Attributes:
        target: for which generator the fields are cut.
        variants: faithful, shorter, swapped.
        notes: what it rests on, and what is missing or doubtful.
        style: phrases of the faithful style with their evidence.
        sections: likewise of its sections.
        reason: why there is no prompt; empty where there is one.
    """

    target: str
    variants: tuple[Variant, ...]
    notes: tuple[str, ...]
    style: tuple[Said, ...]
    sections: tuple[Asked, ...]
    reason: str


@dataclass(frozen=True)
class Verdict:
    """One row of asked against measured."""

    mark: str
    row: Row


@dataclass(frozen=True)
class GenerationBox:
    """All that `_generation.html` shows.

    Attributes:
        id: of the prompt.
        track: what it was made from; empty where this library has not shown it.
        about: target and variant.
        style: what was asked for in words.
        summary: "5 of 7 close".
        rows: what was asked against what is measured.
    """

    id: str
    track: str
    about: str
    style: str
    summary: str
    rows: tuple[Verdict, ...]


def prompts_folder(track: Track) -> Path:
    """Where the prompts of the library are kept that a track is in."""
    return track.folder.parents[3] / FOLDER


def shown_prompts(found: Record, said: Mapping[str, JSON]) -> tuple[Prompt, ...] | str:
    """All variants of a track's prompt for the default target, or why there are none.

    Args:
        found: its record.
        said: a person's words.
    """
    try:
        return prompts_of(found, said, target_named(DEFAULT))
    except NoPrompt as error:
        return str(error)


def prompts_for(track: Track) -> tuple[Prompt, ...] | str:
    """`shown_prompts` of a track in the library; why there are none where its record cannot be read."""
    try:
        return shown_prompts(read(track.folder, result_types()), read_person(track))
    except RecordError as error:
        return str(error)


def keep_shown(track: Track, made: tuple[Prompt, ...] | str) -> int:
    """Keep what a page shows, so that its ids are known when a song comes back; return how many were new.

    Of each track the prompts that were shown last are kept.

    Raises:
        OSError: they cannot be written.
    """
    if isinstance(made, str):
        return 0
    new = keep(prompts_folder(track), made, track.id)
    if new:
        prune(prompts_folder(track), track.id, MOST_KEPT)
    return new


def prompt_context(made: tuple[Prompt, ...] | str) -> PromptBox:
    """What a page shows of `shown_prompts`."""
    if isinstance(made, str):
        return PromptBox(target_named(DEFAULT).title, (), (), (), (), made)
    first = made[0]
    return PromptBox(
        target=first.target.title,
        variants=tuple(_variant(one) for one in made),
        notes=(*first.rests_on, *first.limits),
        style=tuple(Said(one.text, _proof(one.evidence)) for one in (*first.phrases, *first.excluded)),
        sections=tuple(
            Asked(one.header, one.start_s, one.end_s, tuple(Said(p.text, _proof(p.evidence)) for p in one.phrases))
            for one in first.sections
        ),
        reason="",
    )


def _variant(made: Prompt) -> Variant:
    counts = made.counts()
    fields = []
    for name, label in _FIELDS:
        text = str(getattr(made, name))
        if text:
            lines = sum(1 + len(line) // LINE for line in text.split("\n"))
            fields.append(Field(f"prompt-{made.variant}-{name}", label, text, *counts[name], lines))
    swap = "" if made.swap is None else f"{made.swap.removed.text} → {made.swap.added.text}. {made.swap.why}"
    return Variant(made.variant, _ABOUT[made.variant], made.id, swap, tuple(fields))


def _proof(evidence: Iterable[Evidence]) -> str:
    return ", ".join(f"{one.field} {_value(one)}" for one in evidence)


def _value(one: Evidence) -> str:
    value = plain(one.value)
    return text_of(value, 2 if isinstance(value, float) and abs(value) < 1 else 1)


def generation_context(track: Track, found: Record, said: Mapping[str, JSON]) -> GenerationBox | None:
    """What a song was asked to be, if it carries the id of a prompt."""
    came_back = generation_of(found, said, prompts_folder(track))
    return None if came_back is None else _generation(came_back)


def _generation(came_back: Generation) -> GenerationBox:
    kept = came_back.kept
    rows = tuple(Verdict(MARKS.get(row.verdict, "–"), row) for row in came_back.rows)
    if kept is None:
        return GenerationBox(came_back.id, "", "", "", came_back.summary, rows)
    about = f"{kept.target}, {kept.variant}"
    return GenerationBox(came_back.id, kept.track, about, kept.style, came_back.summary, rows)
