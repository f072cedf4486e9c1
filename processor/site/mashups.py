"""The page of all mashups and of what goes with what in the library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from processor.library import Track
from processor.mashup.kept import Stored, pair_of_preview, preview_name
from processor.site.goes_with import Match, matches, page_name, titles_of
from processor.site.index import Pages
from processor.site.mashup import plan_of
from processor.site.media import FOLDER as MEDIA
from processor.site.rendering import render, text_of
from processor.workspace import Workspace

LIST_PAGE = "mashups.html"
MATRIX_SIDE = 40
BEST = 30
SHADES = 5
# So many pairs are looked through for those of the table.
LOOKED_AT = 10_000
# The titles of a table's edges; the whole stands in the list below it.
MAX_TITLE = 32
SCORES = ("harmonic", "rhythmic", "room", "energy", "overlap")


@dataclass(frozen=True)
class Cell:
    """A pair in the matrix; `shade` from 0 to `SHADES` − 1, `href` of its preview."""

    text: str
    hint: str
    shade: int
    href: str | None


# The page


def list_pages(
    workspace: Workspace, connection: duckdb.DuckDBPyConnection, listed: Sequence[Stored], tracks: Sequence[Track]
) -> Pages:
    """The page of all mashups and of what goes with what; it says how to get there where there is nothing.

    Args:
        workspace: where.
        connection: the catalogue.
        listed: all mashups of the library.
        tracks: all tracks of the library.
    """
    found, titles = matches(connection, LOOKED_AT), titles_of(connection)
    known = [match for match in found if titles.keys() >= {match.vocals, match.instrumental}]
    heard = previews(workspace.site)
    shown = _square(known)
    rows = [(one, page_name(one), plan_of(one)) for one in listed]
    mixes = {one.made_from.mix for one in listed}
    count = sum(track.id not in mixes for track in tracks)
    signature = repr(
        (
            [one.signature for one in listed],
            shown,
            known[:BEST],
            sorted(heard),
            count,
            [titles[name] for name in sorted({name for match in shown for name in (match.vocals, match.instrumental)})],
        )
    )
    values = {"rows": rows, "matches": known, "titles": titles, "heard": heard, "tracks": count}
    return {LIST_PAGE: (signature, partial(_list_page, shown, values))}


def previews(site: Path) -> set[tuple[str, str]]:
    """Pairs that can be heard for half a minute."""
    return {pair for path in (site / MEDIA).glob("*.mp3") if (pair := pair_of_preview(path.name)) is not None}


def _square(found: Sequence[Match]) -> list[Match]:
    """The best pairs, of so many tracks on each side as a table can have."""
    vocals: dict[str, None] = {}
    instrumentals: dict[str, None] = {}
    for match in found:
        for side, name in ((vocals, match.vocals), (instrumentals, match.instrumental)):
            if len(side) < MATRIX_SIDE:
                side.setdefault(name)
    return [match for match in found if match.vocals in vocals and match.instrumental in instrumentals]


def _list_page(shown: Sequence[Match], values: dict[str, Any]) -> str:
    titles, heard = values["titles"], values["heard"]
    rows = list(dict.fromkeys(match.vocals for match in shown))
    columns = list(dict.fromkeys(match.instrumental for match in shown))
    by_pair = {(match.vocals, match.instrumental): match for match in shown}
    span = (shown[-1].score, shown[0].score) if shown else (0.0, 1.0)
    lines = [
        (
            vocals,
            _short(titles[vocals]),
            [_cell(by_pair.get((vocals, other)), span, heard) for other in columns],
        )
        for vocals in rows
    ]
    best = [
        (match, titles[match.vocals], titles[match.instrumental], _href(match, heard))
        for match in values["matches"][:BEST]
    ]
    return render(
        "mashups.html",
        root="",
        mashups=values["rows"],
        titles=titles,
        columns=[(track, _short(titles[track])) for track in columns],
        lines=lines,
        best=best,
        tracks=values["tracks"],
        scores=SCORES,
        number=text_of,
    )


def _cell(match: Match | None, span: tuple[float, float], heard: set[tuple[str, str]]) -> Cell | None:
    """A pair in the matrix, shaded between the lowest and the highest score that it shows; None where there is none."""
    if match is None:
        return None
    share = (match.score - span[0]) / max(span[1] - span[0], 1e-6)
    shade = min(SHADES - 1, int(share * SHADES))
    return Cell(text_of(100 * match.score, 0), match.words, shade, _href(match, heard))


def _href(match: Match, heard: set[tuple[str, str]]) -> str | None:
    pair = match.vocals, match.instrumental
    return f"{MEDIA}/{preview_name(*pair)}" if pair in heard else None


def _short(title: str) -> str:
    return title if len(title) <= MAX_TITLE else f"{title[: MAX_TITLE - 1].rstrip()}…"
