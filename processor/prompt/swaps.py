"""Our own words that are data: moods, titles, and what takes the place of what. They are in `data/words.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Vocabulary:
    """What `data/words.toml` holds.

    Attributes:
        moods: "<intensity>-<mode>" → words.
        adjectives: the same → first words of titles.
        nouns: last words of titles.
        leads: instrument → what may take its place.
        feels: feel of the beat → what may take its place.
        metres: metre → another.
        spaces: room and width → others.
        opposites: words of a style → what it excludes.
        neutral: words that state no fact, which a language model may add.
    """

    moods: Mapping[str, tuple[str, ...]]
    adjectives: Mapping[str, tuple[str, ...]]
    nouns: tuple[str, ...]
    leads: Mapping[str, str]
    feels: Mapping[str, str]
    metres: Mapping[str, str]
    spaces: Mapping[str, str]
    opposites: Mapping[str, str]
    neutral: frozenset[str]


@cache
def vocabulary() -> Vocabulary:
    """Our words."""
    tables = tomllib.loads(files("processor.prompt").joinpath("data/words.toml").read_text(encoding="utf-8"))
    moods = {name: tuple(table["words"]) for name, table in tables["mood"].items()}
    adjectives = {name: tuple(table["titles"]) for name, table in tables["mood"].items()}
    return Vocabulary(
        moods,
        adjectives,
        tuple(tables["nouns"]),
        tables["leads"],
        tables["feels"],
        tables["metres"],
        tables["spaces"],
        tables["opposites"],
        frozenset(" ".join(tables["neutral"]).split()),
    )
