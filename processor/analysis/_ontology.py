"""One ontology for all taggers: what AST, YAMNet and CLAP call a thing, and what we call it.

The words are in `data/ontology.toml`. A tag hears the classes that mean it and those of all tags below it, so a banjo
counts as a plucked string too. A label of CLAP that the file does not know, because a person asked for it, is a tag of
its own.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

CATEGORIES = ("genre", "mood", "instrument", "vocal", "production", "texture")
AUDIOSET, CLAP = "audioset", "clap"


@dataclass(frozen=True)
class Tag:
    """One of our words.

    Attributes:
        name: unique among all categories.
        category: of `CATEGORIES`.
        parents: wider tags of the same category.
        audioset: classes of AudioSet that mean it.
        clap: labels of CLAP, of the same category, that mean it.
    """

    name: str
    category: str
    parents: tuple[str, ...] = ()
    audioset: tuple[str, ...] = ()
    clap: tuple[str, ...] = ()


@functools.cache
def all_tags() -> dict[str, Tag]:
    """Our tags by name, in the order of the file.

    Raises:
        ValueError: the file contradicts itself.
    """
    text = resources.files("processor.analysis").joinpath("data/ontology.toml").read_text(encoding="utf-8")
    return parse(text)


def parse(text: str) -> dict[str, Tag]:
    """Read an ontology.

    Raises:
        ValueError: it is no TOML, a category is unknown, a tag is there twice, or a parent is missing or its own child.
    """
    tags: dict[str, Tag] = {}
    for category, lines in tomllib.loads(text).items():
        if category not in CATEGORIES or not isinstance(lines, dict):
            raise ValueError(f"{category!r} is no category; there are {', '.join(CATEGORIES)}")
        for name, facts in lines.items():
            if name in tags:
                raise ValueError(f"{name!r} is there twice, as {tags[name].category} and as {category}")
            tags[name] = _tag(name, category, facts)
    for tag in tags.values():
        for parent in tag.parents:
            if parent not in tags or tags[parent].category != tag.category:
                raise ValueError(f"{tag.name!r} has the parent {parent!r}, which is no {tag.category}")
        if tag.name in ancestors(tags, tag.name):
            raise ValueError(f"{tag.name!r} is below itself")
    return tags


def _tag(name: str, category: str, facts: Mapping[str, Any]) -> Tag:
    wrong = set(facts) - {"parents", AUDIOSET, CLAP}
    if wrong:
        raise ValueError(f"{name!r} has {sorted(wrong)}, which means nothing here")
    lists = {key: tuple(str(value) for value in facts.get(key, ())) for key in ("parents", AUDIOSET, CLAP)}
    return Tag(name, category, lists["parents"], lists[AUDIOSET], (name, *lists[CLAP]))


def ancestors(tags: Mapping[str, Tag], name: str) -> frozenset[str]:
    """All tags above one."""
    found: set[str] = set()
    waiting = list(tags[name].parents)
    while waiting:
        parent = waiting.pop()
        if parent not in found:
            found.add(parent)
            waiting += tags[parent].parents
    return frozenset(found)


def tag_of(name: str, category: str = "") -> Tag:
    """The tag of that name; for a person's own label, one that stands alone."""
    return all_tags().get(name) or Tag(name, category, clap=(name,))


@functools.lru_cache(maxsize=64)
def classes_of(vocabulary: str, classes: tuple[str, ...]) -> Mapping[str, tuple[int, ...]]:
    """Tag → indices of the classes of a tagger that mean it or one below it; tags that it cannot name are left out.

    Args:
        vocabulary: `AUDIOSET`, or `CLAP`, whose classes are called "category: label".
        classes: what the tagger can name, in its order. Spelling is compared without regard to case.
    """
    known = _meanings(vocabulary)
    found: dict[str, list[int]] = {}
    for number, name in enumerate(classes):
        for tag in known.get(_plain(name), _own(vocabulary, name)):
            found.setdefault(tag, []).append(number)
    return {tag: tuple(numbers) for tag, numbers in found.items()}


@functools.cache
def _meanings(vocabulary: str) -> dict[str, tuple[str, ...]]:
    """Class → tags that hear it."""
    tags = all_tags()
    found: dict[str, list[str]] = {}
    for tag in tags.values():
        names: Sequence[str] = tag.audioset
        if vocabulary == CLAP:
            names = [f"{tag.category}: {label}" for label in tag.clap]
        for name in names:
            heard = found.setdefault(_plain(name), [])
            heard += [one for one in (tag.name, *sorted(ancestors(tags, tag.name))) if one not in heard]
    return {name: tuple(heard) for name, heard in found.items()}


def _own(vocabulary: str, name: str) -> tuple[str, ...]:
    """A label that nobody has mapped: a person's own, if a category is named before it and its name is free."""
    category, colon, label = name.partition(": ")
    is_own = vocabulary == CLAP and bool(colon) and category in CATEGORIES and bool(label.strip())
    return (label.strip(),) if is_own and label.strip() not in all_tags() else ()


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
