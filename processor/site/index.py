"""The index: every track of the library, newest first, a hundred a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

import duckdb

from processor.analysis import result_types
from processor.quantities import Column, columns
from processor.record import JSON
from processor.site.rendering import Shown, render, shown_as

TRACKS_A_PAGE = 100

Pages = dict[str, tuple[str, Callable[[], str]]]


def index_pages(connection: duckdb.DuckDBPyConnection, attention: int) -> Pages:
    """Page → (what its input is, how to make it).

    Args:
        connection: the catalogue.
        attention: how many files of the inbox a person should look at.
    """
    rows = _index_rows(connection)
    parts = [rows[start : start + TRACKS_A_PAGE] for start in range(0, max(len(rows), 1), TRACKS_A_PAGE)]
    names = ["index.html" if number == 0 else f"index-{number + 1}.html" for number in range(len(parts))]
    total_s = sum(row["duration_s"] or 0.0 for row in rows)
    pages: Pages = {}
    for number, (name, part) in enumerate(zip(names, parts, strict=True)):
        signature = json.dumps([part, len(rows), total_s, attention, names])
        pages[name] = signature, _index_page(part, number, names, len(rows), total_s, attention)
    return pages


_INDEX_FIELDS = (
    "duration_s",
    "integrated_lufs",
    "true_peak_dbtp",
    "range_lu",
    "dr",
    "clipped_samples",
    "partial",
)


def _index_rows(connection: duckdb.DuckDBPyConnection) -> list[dict[str, JSON]]:
    names = ("track", "title", "artist", "collection", "added", *_INDEX_FIELDS)
    picked = ", ".join(f'"{name}"' for name in names)
    found = connection.execute(f"SELECT {picked} FROM tracks ORDER BY arrived_utc DESC, lower(title), track").fetchall()
    return [dict(zip(names, (*row[:4], row[4].isoformat(), *row[5:]), strict=True)) for row in found]


def _index_page(
    part: list[dict[str, JSON]], number: int, names: list[str], total: int, total_s: float, attention: int
) -> Callable[[], str]:
    def make() -> str:
        rows = [{**row, "shown": {name: _shown_field(name, row[name]) for name in _INDEX_FIELDS}} for row in part]
        return render(
            "index.html",
            root="",
            rows=rows,
            number=number,
            names=names,
            total=total,
            total_s=total_s,
            attention=attention,
        )

    return make


@cache
def _declared() -> dict[str, tuple[str, Column]]:
    """Field → (analyser, declaration), for fields that the index shows."""
    return {column.name: (analyser, column) for analyser, kind in result_types().items() for column in columns(kind)}


def _shown_field(name: str, value: JSON) -> Shown:
    analyser, column = _declared()[name]
    return shown_as(analyser, column, value)
