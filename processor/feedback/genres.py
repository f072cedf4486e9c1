"""Profiles of genres, computed from `data/genres.toml`, and which of them a tag means.

A profile is told in few numbers: a mean curve of recordings with its spread, and what each genre has over it in the
six bands. The file says where each number comes from; what nobody has published is marked as inferred.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np

from processor.analysis.bands import BAND_NAMES, SIX_BANDS_HZ
from processor.errors import WrongUsage
from processor.feedback.tone import CENTRES_HZ, Corridor, Profile, Vector

GENERAL = "general"
# Middles of the six bands on a logarithmic axis, where an offset holds in full.
BAND_MIDDLES_HZ = tuple(float(np.sqrt(low * high)) for low, high in pairwise(SIX_BANDS_HZ))
# Frequency to which the points of the mean curve refer.
REFERENCE_HZ = 200.0
MAX_OFFSET_DB = 24.0
SPREADS = (0.2, 4.0)
# What separates the genres of one tag.
_SEPARATORS = re.compile(r"[/;,|\\\0+]|\s-\s|\ufffd")
# More than a tag of sense has: tags are hostile.
_MOST_WORDS = 12
_MOST_CHARACTERS = 200
# ID3v2.3 writes "(51)(39)" or "(4)Eurodisco"; a bare number is a genre of ID3v1 as well.
_NUMBERS = re.compile(r"(?:\(\d{1,3}\))+|\d{1,3}$")


@dataclass(frozen=True)
class Genre:
    """What `data/genres.toml` says of a genre besides its numbers.

    Attributes:
        profile: its corridor.
        aliases: what tags call it, as `plain_words` writes them.
        id3: its numbers in ID3v1.
        is_umbrella: whether it says so little that a more exact word wins.
    """

    profile: Profile
    aliases: tuple[str, ...]
    id3: tuple[int, ...]
    is_umbrella: bool


@cache
def genres() -> dict[str, Genre]:
    """All genres of ours by name, "general" first."""
    text = files("processor.feedback").joinpath("data/genres.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    general = _general(tables[GENERAL])
    found = {GENERAL: Genre(general, ("general",), (), True)}
    for name, table in tables.items():
        if name != GENERAL:
            found[name] = Genre(
                derived(name, table, general),
                tuple(sorted({plain_words(one) for one in (name.replace("-", " "), *table["aliases"])})),
                tuple(table["id3"]),
                table.get("umbrella", False),
            )
    return found


def _general(table: Mapping[str, Any]) -> Profile:
    """The mean of many kinds: power density and spread, from points to third-octaves."""
    centres = np.array(CENTRES_HZ)
    # Third-octaves grow as wide as their frequency: 10 lg f more than the density.
    middle = _curve(table["density_db"]) + 10 * np.log10(centres / REFERENCE_HZ)
    half = _curve(table["spread_db"])
    return Profile(
        name=GENERAL,
        title=table["title"],
        confidence=table["confidence"],
        source=table["source"],
        tracks=0,
        ranges={field: Corridor(*values) for field, values in table["ranges"].items()},
        centres_hz=CENTRES_HZ,
        tone_low_db=_rounded(middle - half),
        tone_middle_db=_rounded(middle),
        tone_high_db=_rounded(middle + half),
    )


def _curve(points: Iterable[tuple[float, float]]) -> Vector:
    """Straight lines over log frequency between points, at the third-octaves."""
    hz, values = np.array(list(points)).T
    return np.asarray(np.interp(np.log(CENTRES_HZ), np.log(hz), values))


def derived(name: str, table: Mapping[str, Any], base: Profile) -> Profile:
    """A profile that differs from another by what a table says.

    Args:
        name: its name.
        table: `title`, `confidence`, `source`, `offsets_db` (by band), `spread` and `ranges`, all optional.
        base: what it starts from.

    Raises:
        WrongUsage: an offset is of no band, or a number is not to be believed.
    """
    offsets = table.get("offsets_db", {})
    spread = table.get("spread", 1)
    for band, offset in offsets.items():
        if band not in BAND_NAMES:
            raise WrongUsage(f"profiles.{name}: there is no band `{band}`; there are {', '.join(BAND_NAMES)}.")
        if abs(offset) > MAX_OFFSET_DB:
            raise WrongUsage(f"profiles.{name}: an offset of {offset:g} dB is over {MAX_OFFSET_DB:g} dB.")
    if not SPREADS[0] <= spread <= SPREADS[1]:
        raise WrongUsage(f"profiles.{name}: a spread of {spread:g} is not between {SPREADS[0]:g} and {SPREADS[1]:g}.")
    middle = np.array(base.tone_middle_db)
    moved = middle + np.interp(
        np.log(base.centres_hz), np.log(BAND_MIDDLES_HZ), [offsets.get(band, 0.0) for band in BAND_NAMES]
    )
    return Profile(
        name=name,
        title=table.get("title", name),
        confidence=table.get("confidence", base.confidence),
        source=table.get("source", base.source),
        tracks=base.tracks,
        ranges=base.ranges | {field: Corridor(*values) for field, values in table.get("ranges", {}).items()},
        centres_hz=base.centres_hz,
        tone_low_db=_rounded(moved + spread * (np.array(base.tone_low_db) - middle)),
        tone_middle_db=_rounded(moved),
        tone_high_db=_rounded(moved + spread * (np.array(base.tone_high_db) - middle)),
    )


def _rounded(curve: Vector) -> tuple[float, ...]:
    """To a hundredth of a dB, which is the same on every processor."""
    return tuple(float(value) for value in np.round(curve, 2) + 0.0)


def genre_named(text: str, own: Mapping[str, Iterable[str]] | None = None) -> str | None:
    """The profile that a tag or a person means: "Hip Hop/Rap", "DnB", "(17)", "Melodic Techno"; None if none is known.

    Of several genres in one tag the first counts, but "Electronic / Techno" is techno: a word that says more wins.

    Args:
        text: a tag, hostile as any.
        own: names of a workspace's own profiles → what tags call them besides; these win over ours.
    """
    aliases = {alias: name for name, genre in genres().items() for alias in genre.aliases}
    for name, called in (own or {}).items():
        aliases |= dict.fromkeys((plain_words(name), *map(plain_words, called)), name)
    whole = plain_words(text)
    if whole in aliases:
        return aliases[whole]
    numbers = _NUMBERS.match(text.strip())
    words = text.strip()[numbers.end() :] if numbers else text
    found = [_in_words(part, aliases) for part in _SEPARATORS.split(words[:_MOST_CHARACTERS])]
    found += [_numbered(int(number)) for number in re.findall(r"\d+", numbers[0] if numbers else "")]
    named = [name for name in found if name is not None]
    exact = [name for name in named if name not in genres() or not genres()[name].is_umbrella]
    return next(iter(exact or named), None)


def _numbered(number: int) -> str | None:
    return next((name for name, genre in genres().items() if number in genre.id3), None)


def _in_words(text: str, aliases: Mapping[str, str]) -> str | None:
    """The longest name in a text; of two, the last: a "folk metal" is a metal."""
    words = plain_words(text).split()[:_MOST_WORDS]
    for length in range(len(words), 0, -1):
        for first in range(len(words) - length, -1, -1):
            called = " ".join(words[first : first + length])
            if called in aliases:
                return aliases[called]
    return None


def plain_words(text: str) -> str:
    """Words in lower case without accents and signs; "&", "and" and "'n'" are one: "Drum & Bass" → "drum n bass"."""
    ascii_only = unicodedata.normalize("NFKD", text[:_MOST_CHARACTERS]).encode("ascii", "ignore").decode("ascii")
    words = re.findall(r"[a-z0-9]+", ascii_only.lower().replace("&", " n "))
    return " ".join("n" if word == "and" else word for word in words)
