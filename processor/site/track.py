"""A track's page: one section an analyser, and beside it what the track is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from typing import Any

from markupsafe import Markup, escape

from processor import library, record
from processor.analysis import all_analysers, result_types
from processor.errors import RecordError
from processor.files import templates_folder
from processor.library import Track
from processor.quantities import columns
from processor.record import JSON
from processor.site.rendering import render, shown_as, text_of

_CUT = "\x00"  # stands for a value in a table that is cut up; printable() lets none through


@dataclass(frozen=True)
class Section:
    """One analyser's part of a track page."""

    name: str
    template: str | None
    values: list[str]
    result: Any
    failure: record.Failure | None


def track_page(track: Track) -> str:
    """The whole page; one that says what is wrong where the record cannot be read."""
    try:
        found = record.read(track.folder, result_types())
        said = library.read_person(track)
    except RecordError as error:
        return render("broken.html", root="../", track=track, reason=str(error).replace(f"{track.folder}/", ""))
    sections = [_section(name, found) for name in all_analysers() if name in result_types()]
    arrived = library.arrivals(track)
    return render(
        "track.html",
        root="../",
        track=track,
        record=found,
        about=_about(found, said),
        table=_table,
        title=library.title_of(found.name, found.results.get("metadata"), said),
        arrived=arrived,
        collection=said.get("collection") or (library.collection(arrived[0]) if arrived else None),
        sections=sorted((s for s in sections if s is not None), key=lambda s: _ORDER.get(s.name, len(_ORDER))),
    )


@dataclass(frozen=True)
class About:
    """One line of the side bar; `is_said` where it is a person's word."""

    label: str
    text: str
    is_said: bool


def _about(found: record.Record, said: Mapping[str, JSON]) -> list[About]:
    """Artist, album and genre as said or tagged, then a person's rating and note."""
    tags = found.results.get("metadata")
    lines = [
        About(name.capitalize(), str(said.get(name) or getattr(tags, name, None) or ""), bool(said.get(name)))
        for name in ("artist", "album", "genre")
    ]
    lines += [About(name.capitalize(), str(said.get(name, "")), True) for name in ("rating", "note")]
    return [line for line in lines if line.text]


# What a person asks first; analysers that are not named follow by name.
_FIRST = ("loudness", "beats", "key", "chords", "sections", "spectrum", "stereo", "transients", "production", "levels")
_ORDER = {name: number for number, name in enumerate((*_FIRST, "fingerprint", "metadata", "source"))}


def _section(name: str, found: record.Record) -> Section | None:
    result = found.results.get(name)
    failure = found.failures.get(name)
    if result is None and failure is None:
        return None
    shown = [] if result is None else [c for c in columns(type(result)) if not c.is_curve]
    return Section(
        name, _own_template(name), [text_of(getattr(result, c.name), c.quantity.digits) for c in shown], result, failure
    )


@cache
def _own_template(analyser: str) -> str | None:
    """The analyser's own template, where the plain table is not enough for it."""
    name = f"sections/{analyser}.html"
    return name if (templates_folder() / name).is_file() else None


def _table(section: Section) -> Markup:
    """An analyser's numbers, explained. All but the values is the same on every page, so it is made once."""
    values = [escape(text) for text in section.values]
    parts = zip_longest(_table_parts(section.name), values, fillvalue="")
    return Markup("".join([part for pair in parts for part in pair]))  # noqa: S704 - every part is escaped


@cache
def _table_parts(analyser: str) -> tuple[str, ...]:
    """The table's HTML, cut where the values belong."""
    rows = [shown_as(analyser, column, _CUT) for column in columns(result_types()[analyser]) if not column.is_curve]
    return tuple(render("sections/_table.html", rows=rows).split(_CUT))
