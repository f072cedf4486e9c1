"""A prompt for a music generator, composed from a record by fixed rules: the same record gives the same prompt."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from processor.analysis.material import Material
from processor.errors import LinerNotesError
from processor.feedback.genres import plain_words
from processor.prompt import tagged, words
from processor.prompt.asked import Asked, asked_of
from processor.prompt.directions import directions, form
from processor.prompt.facts import Direction, Phrase
from processor.prompt.parts import Part, parts_of
from processor.prompt.rests import limits_of, rests_on
from processor.prompt.swaps import vocabulary
from processor.prompt.targets import Target
from processor.prompt.variants import FAITHFUL, SHORTER, SWAPPED, Swap, swap
from processor.record import JSON, Record, Results

# Raised when the same facts are put in other words, so that ids differ.
VERSION = 1
ID_DIGITS = 8
VARIANTS = (FAITHFUL, SHORTER, SWAPPED)
# Phrases a section.
MOST_PHRASES = {FAITHFUL: 5, SHORTER: 2, SWAPPED: 5}
# What comes first in a style and has to stand within the essentials, in the order in which it is chosen and shown.
_CHOSEN = ("genre", "voice", "tempo", "key", "metre", "scoring", "instrument", "mood", "pace", "vocal")
_ESSENTIAL = ("genre", "voice", "vocal", "scoring", "instrument", "mood", "tempo", "pace", "metre", "key")
_REST = ("timing", "rhythm", "attack", "tone", "texture", "dynamics", "space", "reverb", "colour")
_REST_DEEP = ("melody", "production", "era")
# The shorter variant has at most this share of the faithful style's characters, and always keeps these.
SHORTER_SHARE = 0.6
_LASTING = frozenset(("tempo", "key", "voice"))
_NO_MUSIC = {"speech": "speech", "noise": "noise", "silence": "silence"}


class NoPrompt(LinerNotesError):
    """Why there is no prompt for a track."""


@dataclass(frozen=True)
class Prompt:
    """What is pasted into a generator, and why.

    Attributes:
        id: "ln-" and eight digits, of all that is asked; a song that carries it is measured against it.
        target: which generator.
        variant: "faithful", "shorter" or "swapped".
        title: composed, or a person's word, with the id.
        style: the field for the style.
        exclusions: the field for what must not be there; empty where there is none.
        lyrics: the field for lyrics: tags of sections and directions.
        phrases: what the style is made of.
        excluded: what the exclusions are made of.
        sections: what the lyrics field is made of.
        swap: what was swapped, in that variant.
        asked: numbers that a generated song is measured against.
        rests_on: what it was made of.
        limits: what is not known or doubtful, and what to do about it.
    """

    id: str
    target: Target
    variant: str
    title: str
    style: str
    exclusions: str
    lyrics: str
    phrases: tuple[Phrase, ...]
    excluded: tuple[Phrase, ...]
    sections: tuple[Direction, ...]
    swap: Swap | None
    asked: Asked
    rests_on: tuple[str, ...]
    limits: tuple[str, ...]

    def counts(self) -> dict[str, tuple[int, int]]:
        """Field → its characters and how many there may be."""
        target = self.target
        fields = {
            "title": (self.title, target.heading),
            "style": (self.style, target.style),
            "exclusions": (self.exclusions, target.exclusions),
            "lyrics": (self.lyrics, target.lyrics),
        }
        return {name: (len(text), most) for name, (text, most) in fields.items()}

    def told(self) -> dict[str, JSON]:
        """As JSON values, with the evidence of every phrase."""
        return {
            "id": self.id,
            "target": self.target.name,
            "variant": self.variant,
            "title": self.title,
            "style": self.style,
            "exclusions": self.exclusions,
            "lyrics": self.lyrics,
            "counts": {name: {"characters": found, "limit": most} for name, (found, most) in self.counts().items()},
            "swap": None if self.swap is None else self.swap.told(),
            "asked": self.asked.told(),
            "rests_on": list(self.rests_on),
            "limits": list(self.limits),
            "evidence": {
                "style": [phrase.told() for phrase in self.phrases],
                "exclusions": [phrase.told() for phrase in self.excluded],
                "sections": [section.told() for section in self.sections],
            },
        }


def prompts_of(found: Record, said: Mapping[str, JSON], target: Target) -> tuple[Prompt, ...]:
    """All variants of a track's prompt.

    Raises:
        NoPrompt: there is no music in it, or nothing is known of it.
    """
    ground = _ground(found, said)
    return tuple(_composed(ground, target, variant) for variant in VARIANTS)


def compose(found: Record, said: Mapping[str, JSON], target: Target, variant: str = FAITHFUL) -> Prompt:
    """A prompt for a track.

    Args:
        found: its record; the fast pass is enough, models make it richer.
        said: a person's words about it.
        target: for which generator.
        variant: one of `VARIANTS`.

    Raises:
        NoPrompt: there is no music in it, or nothing is known of it.
    """
    return _composed(_ground(found, said), target, variant)


@dataclass(frozen=True)
class _Ground:
    """What all variants of a prompt are made from."""

    results: Results
    said: Mapping[str, JSON]
    names: frozenset[str]
    phrases: tuple[Phrase, ...]
    parts: tuple[Part, ...]


def _ground(found: Record, said: Mapping[str, JSON]) -> _Ground:
    results = found.results
    _must_be_music(results)
    names = tagged.names_in(results, said, found.name)
    parts = parts_of(results)
    shape = form(parts)
    phrases = (*_safe(_phrases(results, said), names), *([] if shape is None else [shape]))
    return _Ground(results, said, names, phrases, parts)


def _composed(ground: _Ground, target: Target, variant: str) -> Prompt:
    results, parts = ground.results, ground.parts
    swapped = swap(ground.phrases) if variant == SWAPPED else None
    phrases = ground.phrases if swapped is None else tuple(swapped.apply(phrase) for phrase in ground.phrases)
    chosen = _style(phrases, target.style, target.essentials)
    if variant == SHORTER:
        chosen = _shorter(chosen, target.essentials)
    excluded = _excluded(chosen, swapped, target.exclusions)
    instruments = [one.text for one in chosen if one.topic == "instrument"]
    heard = [one.text for one in ground.phrases if one.topic == "instrument"]
    sections = directions(parts, results, MOST_PHRASES[variant], heard)
    if swapped is not None:
        sections = tuple(swapped.directed(section) for section in sections)
    asked = asked_of(results, parts, [*(one.text for one in chosen if one.topic == "genre"), *instruments])
    made = Prompt(
        id="",
        target=target,
        variant=variant,
        title="",
        style=_line(chosen),
        exclusions=_line(excluded),
        lyrics=_lyrics(sections, target),
        phrases=tuple(chosen),
        excluded=tuple(excluded),
        sections=sections,
        swap=swapped,
        asked=asked,
        rests_on=rests_on(results),
        limits=limits_of(results, phrases),
    )
    return named(made, _title(ground, asked))


def named(prompt: Prompt, title: str) -> Prompt:
    """A prompt with the id of what it asks, and the title that carries it."""
    asked = [VERSION, prompt.target.name, prompt.variant, prompt.style, prompt.exclusions, prompt.lyrics]
    content = json.dumps([*asked, prompt.asked.told()], ensure_ascii=False, sort_keys=True)
    name = f"ln-{hashlib.sha256(content.encode()).hexdigest()[:ID_DIGITS]}"
    room = prompt.target.heading - len(name) - 1
    return replace(prompt, id=name, title=f"{title[:room].strip()} {name}")


def _must_be_music(results: Results) -> None:
    material: Material | None = results.get("material")
    kind = None if material is None else material.kind
    if kind in _NO_MUSIC:
        raise NoPrompt(
            f"There is no music to ask for: it was heard as {_NO_MUSIC[kind]}. "
            "If that is wrong: linernotes set TRACK material.kind=mix"
        )
    if results.get("loudness") is None and results.get("beats") is None and results.get("key") is None:
        raise NoPrompt("Nothing is known of it: neither loudness nor beats nor key could be measured.")


def _phrases(results: Results, said: Mapping[str, JSON]) -> list[Phrase]:
    """All that can be said of a track."""
    labels = [*tagged.tags(results)]
    genre = [*tagged.genre(results, said)]
    moods = [] if any(phrase.topic == "mood" for phrase in labels) else [*words.mood(results)]
    told = [*genre, *tagged.voice(results), *labels, *moods, *tagged.melody(results)]
    for part in (words.tempo, words.key, words.scoring, words.timing, words.tone, words.space):
        told += part(results)
    for part in (words.attack, words.dynamics, words.colour):
        told += part(results)
    first = {phrase.text: phrase for phrase in reversed(told)}  # a tag may say what a tag of the file says
    return list({phrase.text: first[phrase.text] for phrase in told}.values())


def _safe(phrases: Iterable[Phrase], names: frozenset[str]) -> list[Phrase]:
    """Phrases without names; labels and genres are the only words that are not ours."""
    foreign = {"genre", "instrument", "vocal", "production", "texture", "mood"}
    ours = {word for many in vocabulary().moods.values() for word in many}
    return [
        phrase
        for phrase in phrases
        if phrase.topic not in foreign or phrase.text in ours or not tagged.is_named(phrase.text, names)
    ]


def _ordered(phrases: Sequence[Phrase], first: Sequence[str]) -> list[Phrase]:
    """Phrases by topic: some first, then form, production and the rest."""
    order = (*first, "form", *_REST_DEEP, *_REST)
    return sorted(phrases, key=lambda phrase: order.index(phrase.topic) if phrase.topic in order else len(order))


def _style(phrases: Sequence[Phrase], most: int, essentials: int) -> list[Phrase]:
    """The phrases of a style: what matters most is chosen first, and shown as one would say it."""
    return _ordered(_fitting(_ordered(phrases, _CHOSEN), most, essentials), _ESSENTIAL)


def _shorter(chosen: Sequence[Phrase], most: int) -> list[Phrase]:
    """The most telling phrases of a style: no more characters than the essentials have, and much fewer than it has."""
    limit = min(most, int(SHORTER_SHARE * len(_line(chosen))))
    kept = _ordered(chosen, _CHOSEN)
    while len(_line(kept)) > limit and any(phrase.topic not in _LASTING for phrase in kept):
        kept.pop(max(at for at, phrase in enumerate(kept) if phrase.topic not in _LASTING))
    return _ordered(kept, _ESSENTIAL)


def _line(phrases: Sequence[Phrase]) -> str:
    return ", ".join(phrase.text for phrase in phrases)


def _fitting(phrases: Sequence[Phrase], most: int, essentials: int) -> list[Phrase]:
    """Phrases in their order, as many as fit; essential ones have less room."""
    chosen: list[Phrase] = []
    length = 0
    for phrase in phrases:
        limit = min(most, essentials) if phrase.topic in _ESSENTIAL else most
        added = len(phrase.text) + (2 if chosen else 0)
        if length + added <= limit:
            chosen.append(phrase)
            length += added
    return chosen


def _excluded(phrases: Sequence[Phrase], swapped: Swap | None, most: int) -> list[Phrase]:
    """What must not be there: what was swapped, and the opposites of what is asked for."""
    opposites = vocabulary().opposites
    found = [Phrase(opposites[one.text], "exclusion", one.evidence) for one in phrases if one.text in opposites]
    found = [one for one in found if all(one.text != asked.text for asked in phrases)]
    if swapped is not None and swapped.removed.topic == "instrument":
        found.insert(0, Phrase(swapped.removed.text, "exclusion", swapped.removed.evidence))
    return _fitting(found, most, most)


def _lyrics(sections: Sequence[Direction], target: Target) -> str:
    """The lyrics field; where it is too long, sections lose their last phrases, the longest first."""
    listed = list(sections)
    text = _joined(listed, target)
    while len(text) > target.lyrics:
        at = max(range(len(listed)), key=lambda k: len(listed[k].phrases))
        if not listed[at].phrases:
            listed.pop()
        else:
            listed[at] = replace(listed[at], phrases=listed[at].phrases[:-1])
        text = _joined(listed, target)
    return text


def _joined(sections: Sequence[Direction], target: Target) -> str:
    blocks = [lyrics_block(section.header, section.text, target) for section in sections]
    return "\n\n".join([*blocks, *([target.ending] if target.ending else [])])


def lyrics_block(header: str, text: str, target: Target) -> str:
    """One section as it stands in the lyrics field."""
    if not target.brackets:
        return f"{header}: {text}" if text else header
    return f"[{header}]\n[{text}]" if text else f"[{header}]"


def _title(ground: _Ground, asked: Asked) -> str:
    """A person's title if it names nobody; else one of our own words, by the mood and chance of the facts.

    Titles of tags and file names are never taken: they hold names of artists more often than not.
    """
    own = " ".join(str(ground.said.get("title") or "").split())
    if own and plain_words(own) and not tagged.is_named(own, ground.names) and tagged.is_plain_title(own):
        return own
    measured = json.dumps(replace(asked, tags=()).told(), sort_keys=True)  # the same in all variants
    digest = int(hashlib.sha256(measured.encode()).hexdigest(), 16)
    pairs = itertools.product(vocabulary().adjectives[words.mood_of(ground.results)], vocabulary().nouns)
    titles = [f"{adjective} {noun}" for adjective, noun in pairs]
    ours = [title for title in titles if not tagged.is_named(title, ground.names)] or titles
    return ours[digest % len(ours)]
