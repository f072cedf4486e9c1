"""The index: every track of the library, newest first, a hundred a page, and a file for searching them all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any
from urllib.parse import quote

import duckdb

from processor.analysis.key import KEYS, camelot
from processor.site.activity import calendar
from processor.site.charts import length_text
from processor.site.rendering import render, text_of

TRACKS_A_PAGE = 100
# What anybody may write is cut here, or a hundred long titles would make a page of a megabyte.
MAX_TITLE, MAX_NAME = 100, 40
LISTED_COLLECTIONS = 6  # the others are in the filter
MAX_OPTIONS = 30  # entries of a filter that stand in the page; the script adds the others
DOUBTFUL = 0.5  # a tempo or key that is more probably wrong than right is shown with a question mark
DATA_NAME = "assets/tracks-data.js"
# Place on the wheel → key, from 1A on.
WHEEL = dict(sorted(((camelot(key), key) for key in KEYS), key=lambda item: (int(item[0][:-1]), item[0])))

Pages = dict[str, tuple[str, Callable[[], str]]]

# The tables are joined by name: in the view a column is called after its analyser where two have one of that name.
_QUERY = """
SELECT tracks.track, tracks.title, tracks.artist, tracks.collection, tracks.genre, tracks.rating, tracks.added,
    source.duration_s, loudness.integrated_lufs, loudness.true_peak_dbtp, beats.tempo_bpm, key.camelot, key.name,
    coalesce(source.partial, false), coalesce(levels.clipped_samples, 0) > 0,
    coalesce(beats.confidence, 1) < ?, coalesce(key.confidence, 1) < ?, checked.failing, tracks.revision
FROM tracks LEFT JOIN source USING (track) LEFT JOIN loudness USING (track) LEFT JOIN levels USING (track)
    LEFT JOIN beats USING (track) LEFT JOIN key USING (track)
    LEFT JOIN (SELECT track, count(*) FILTER (status = 'fail') AS failing FROM checks GROUP BY track) AS checked
    USING (track)
ORDER BY tracks.arrived_utc DESC, lower(tracks.title), tracks.track
"""


@dataclass(frozen=True)
class Row:
    """One track as the list shows it; text is cut to a length that a list can bear."""

    track: str
    title: str
    artist: str | None
    collection: str | None
    genre: str | None
    rating: int | None
    added: date
    duration_s: float | None
    integrated_lufs: float | None
    true_peak_dbtp: float | None
    tempo_bpm: float | None
    camelot: str | None
    key: str | None
    is_partial: bool
    is_clipped: bool
    is_tempo_doubtful: bool
    is_key_doubtful: bool
    failing: int | None
    revision: int | None


def index_pages(connection: duckdb.DuckDBPyConnection, attention: int, comparisons: int = 0) -> Pages:
    """Page → (what its input is, how to make it).

    Args:
        connection: the catalogue.
        attention: how many files of the inbox a person should look at.
        comparisons: how many there are.
    """
    rows = _rows(connection)
    parts = [rows[start : start + TRACKS_A_PAGE] for start in range(0, max(len(rows), 1), TRACKS_A_PAGE)]
    common = {"total": len(rows), "pages": len(parts), "choices": _choices(rows)}
    pages: Pages = {}
    for number, part in enumerate(parts, 1):
        own = {"overview": _overview(rows), "attention": attention, "comparisons": comparisons} if number == 1 else {}
        facts = {"overview": None, "attention": 0, "comparisons": 0, **common, **own, "number": number, "rows": part}
        pages[_page_name(number)] = repr(facts), partial(_page, facts)
    data = _data(rows)
    pages[DATA_NAME] = data, partial(str, data)
    return pages


def _rows(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    found = connection.execute(_QUERY, [DOUBTFUL, DOUBTFUL]).fetchall()
    return [_row(*values) for values in found]


def _row(track: str, title: str, artist: str | None, collection: str | None, genre: str | None, *rest: Any) -> Row:
    names = (_cut(artist, MAX_NAME), _cut(collection, MAX_NAME), _cut(genre, MAX_NAME))
    return Row(track, _cut(title, MAX_TITLE) or "", *names, *rest)


def _cut(text: str | None, length: int) -> str | None:
    """Text of at most `length` characters; the track's page has it whole."""
    return text if text is None or len(text) <= length else text[: length - 1].rstrip() + "…"


def _choices(rows: Sequence[Row]) -> dict[str, list[tuple[str, str]]]:
    """What the filter offers by collection and genre, as (name, name in an address): the most frequent, by name."""

    def offered(names: Iterable[str | None]) -> list[tuple[str, str]]:
        frequent = [name for name, _ in _ranked(names)[:MAX_OPTIONS]]
        return [(name, _quoted(name)) for name in sorted(frequent, key=lambda name: (name.casefold(), name))]

    return {"collection": offered(row.collection for row in rows), "genre": offered(row.genre for row in rows)}


def _ranked(names: Iterable[str | None]) -> list[tuple[str, int]]:
    """Names with their counts, the most frequent first, then by name."""
    counted = Counter(name for name in names if name)
    return sorted(counted.items(), key=lambda item: (-item[1], item[0].casefold(), item[0]))


def _quoted(name: str) -> str:
    """A name as part of an address."""
    return quote(name, safe="")


def _overview(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Totals, the year and the collections; None for an empty library."""
    if not rows:
        return None
    collections = _ranked(row.collection for row in rows)
    return {
        "tracks": len(rows),
        "duration_s": sum(row.duration_s or 0.0 for row in rows),
        "artists": len({row.artist for row in rows if row.artist}),
        "collections": len(collections),
        "listed": collections[:LISTED_COLLECTIONS],
        "added": dict(sorted(Counter(row.added for row in rows).items())),
    }


def _page_name(number: int) -> str:
    return "index.html" if number == 1 else f"index-{number}.html"


def _page(facts: dict[str, Any]) -> str:
    overview, number = facts["overview"], facts["number"]
    return render(
        "index.html",
        **facts,
        root="",
        first=(number - 1) * TRACKS_A_PAGE + 1,
        links=page_links(number, facts["pages"], _page_name),
        calendar=calendar(overview["added"]) if overview else None,
        music=_music(overview["duration_s"]) if overview else None,
        wheel=WHEEL,
        quoted=_quoted,
        text_of=text_of,
        length_text=length_text,
        data_name=DATA_NAME,
    )


def _music(seconds: float) -> tuple[str, str]:
    """How much music that is: a number and its unit."""
    return (f"{seconds / 3600:.1f}", "hours") if seconds >= 3600 else (f"{seconds / 60:.0f}", "minutes")


def page_links(number: int, pages: int, name: Callable[[int], str]) -> list[tuple[int, str | None]]:
    """Numbers and addresses of the pages worth a link: first, last and the nearest; 0 stands for a gap.

    Args:
        number: the page that is open; its address is None.
        pages: how many there are.
        name: number → address.
    """
    shown = sorted({1, pages, *range(max(1, number - 2), min(pages, number + 2) + 1)})
    links: list[tuple[int, str | None]] = []
    for before, one in zip([0, *shown], shown, strict=False):
        if one - before > 1:
            links.append((0, None))
        links.append((one, None if one == number else name(one)))
    return links


def _data(rows: Sequence[Row]) -> str:
    """Everything that can be searched, as a script: pages from the disk may load a script, and nothing else.

    Arrays in place of objects, names by number and tenths as whole numbers: 110 bytes a track.
    """
    artists, collections, genres, keys = _Numbers(), _Numbers(), _Numbers(), _Numbers()
    packed = [
        [
            row.track,
            row.title,
            artists.of(row.artist),
            collections.of(row.collection),
            genres.of(row.genre),
            keys.of((row.camelot, row.key) if row.camelot or row.key else None),
            _tenths(row.tempo_bpm),
            _tenths(row.integrated_lufs),
            _tenths(row.true_peak_dbtp),
            _length(row.duration_s),
            row.rating,
            (row.added - date(1970, 1, 1)).days,
            _marks(row),
        ]
        for row in rows
    ]
    everything = [artists.known, collections.known, genres.known, keys.known, packed]
    text = json.dumps(everything, ensure_ascii=False, separators=(",", ":")).translate(_LINE_ENDS)
    return f"linerNotesTracks={text};\n"


def _marks(row: Row) -> int:
    """What is so or not, as bits; from the seventh on, which bounce of its song it is."""
    is_checked, is_failing = row.failing is not None, bool(row.failing)
    bits = (row.is_partial, row.is_clipped, row.is_tempo_doubtful, row.is_key_doubtful, is_checked, is_failing)
    return sum(bit << place for place, bit in enumerate(bits)) + ((row.revision or 0) << len(bits))


# Two characters that JSON allows in text and older scripts take for the end of a line.
_LINE_ENDS = {0x2028: "\\u2028", 0x2029: "\\u2029"}


def _length(seconds: float | None) -> float | None:
    """Whole seconds, and hundredths below one, where there would be nothing left."""
    if seconds is None:
        return None
    return round(seconds) if seconds >= 1 else round(seconds, 2)


def _tenths(value: float | None) -> int | None:
    return None if value is None else round(round(value, 1) * 10)


class _Numbers:
    """Values in the order in which they are first met; 0 means none."""

    def __init__(self) -> None:
        self.known: list[Any] = [None]
        self._places: dict[Any, int] = {}

    def of(self, value: Any) -> int:
        if not value:
            return 0
        place = self._places.setdefault(value, len(self.known))
        if place == len(self.known):
            self.known.append(value)
        return place
