"""Which pages there are, what each shows, and when it is written again: when the hash of its input changed."""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, Protocol

import duckdb
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from processor import library, record
from processor.analysis import all_analysers, result_types
from processor.errors import RecordError
from processor.files import templates_folder, write_atomically
from processor.library import Track
from processor.quantities import Column, columns
from processor.record import JSON
from processor.site.charts import clock, time_chart
from processor.workspace import Workspace

STATE_NAME = "pages.json"
TRACKS_A_PAGE = 100
PARALLEL_FROM = 1000  # below, starting processes costs more than they save
ASSETS = ("style.css",)
NOTHING = "—"
_CUT = "\x00"  # stands for a value in a table that is cut up; printable() lets none through


class Notice(Protocol):
    """Something about a file in the inbox that a person should know."""

    @property
    def name(self) -> str:
        """The file's name, printable."""

    @property
    def reason(self) -> str:
        """Why it is mentioned."""


@dataclass(frozen=True)
class Shown:
    """One number as a page shows it."""

    field: str
    label: str
    value: str
    unit: str
    help: str
    source: str
    is_text: bool


@dataclass(frozen=True)
class Section:
    """One analyser's part of a track page."""

    name: str
    template: str | None
    values: list[str]
    result: Any
    failure: record.Failure | None


def publish(
    workspace: Workspace,
    connection: duckdb.DuckDBPyConnection,
    tracks: Sequence[Track],
    failed: Sequence[Notice],
    ignored: Sequence[Notice],
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write every page whose input changed and remove those of tracks that are gone; return how many were written."""
    state = _State(workspace)
    wanted = {f"tracks/{track.id}.html": track for track in tracks}
    stale = {page: track for page, track in wanted.items() if not state.is_fresh(page, track.signature)}
    for number, (page, track) in enumerate(_write_tracks(workspace.site, stale), 1):
        state.note(page, track.signature)
        if progress is not None:
            progress(number, len(stale))
    others = _other_pages(connection, failed, ignored)
    for page in state.on_disk():
        if page not in wanted and page not in others:
            state.remove(page)
    written = len(stale)
    for page, (signature, render) in others.items():
        if not state.is_fresh(page, signature):
            _write(workspace.site / page, render())
            state.note(page, signature)
            written += 1
    state.save()
    return written


def forget(workspace: Workspace) -> None:
    """Make the next publish write every page."""
    (workspace.state / STATE_NAME).unlink(missing_ok=True)


def _write_tracks(site: Path, stale: Mapping[str, Track]) -> Iterator[tuple[str, Track]]:
    """Write track pages and yield each as it is done; with many to do, on all processors."""
    if len(stale) < PARALLEL_FROM:
        for page, track in stale.items():
            _write_track(site / page, track)
            yield page, track
        return
    paths = [site / page for page in stale]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        mp_context=context, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    ) as pool:
        done = pool.map(_write_track, paths, stale.values(), chunksize=100)
        for entry, _ in zip(stale.items(), done, strict=True):
            yield entry


def _write_track(path: Path, track: Track) -> None:
    _write(path, _track_page(track))


def _write(path: Path, content: str) -> None:
    """Write a page unless it is what it would be anyway, which leaves its time alone."""
    if not path.is_file() or path.read_bytes() != content.encode():
        write_atomically(path, content, durable=False)


class _State:
    """What was written, with the hash of the input that it was written from."""

    def __init__(self, workspace: Workspace) -> None:
        self._site = workspace.site
        self._path = workspace.state / STATE_NAME
        try:
            found = json.loads(self._path.read_bytes())
            self.pages: dict[str, str] = {str(page): str(signature) for page, signature in found.items()}
        except (OSError, ValueError, AttributeError):
            self.pages = {}
        self._before = dict(self.pages)

    def is_fresh(self, page: str, signature: str) -> bool:
        return self.pages.get(page) == _hash(signature) and (self._site / page).is_file()

    def note(self, page: str, signature: str) -> None:
        """Note that a page was written from an input with this signature."""
        self.pages[page] = _hash(signature)

    def on_disk(self) -> list[str]:
        """Pages of the kinds that come and go, by what is there and not by what was noted."""
        found = [*self._site.glob("tracks/*.html"), *self._site.glob("index-*.html")]
        return [path.relative_to(self._site).as_posix() for path in found]

    def remove(self, page: str) -> None:
        (self._site / page).unlink(missing_ok=True)
        self.pages.pop(page, None)

    def save(self) -> None:
        if self.pages != self._before:
            write_atomically(self._path, json.dumps(self.pages), durable=False)


def _hash(signature: str) -> str:
    return hashlib.sha256(f"{version()}\n{signature}".encode()).hexdigest()[:20]


@cache
def version() -> str:
    """Changes whenever the templates, this code or the declarations of the results change."""
    digest = hashlib.sha256()
    for folder, pattern in ((templates_folder(), "**/*"), (Path(__file__).parent, "*.py")):
        for path in sorted(folder.glob(pattern)):
            if path.is_file():
                digest.update(path.name.encode() + path.read_bytes())
    for name, kind in result_types().items():
        digest.update(repr((name, [(c.name, c.quantity) for c in columns(kind)])).encode())
    return digest.hexdigest()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(templates_folder()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clock"] = clock
    environment.globals["time_chart"] = time_chart
    environment.globals["table"] = _table
    return environment


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


def _other_pages(
    connection: duckdb.DuckDBPyConnection, failed: Sequence[Notice], ignored: Sequence[Notice]
) -> dict[str, tuple[str, Callable[[], str]]]:
    """Page → (what its input is, how to make it), for all that is not a track."""
    rows = _index_rows(connection)
    parts = [rows[start : start + TRACKS_A_PAGE] for start in range(0, max(len(rows), 1), TRACKS_A_PAGE)]
    names = ["index.html" if number == 0 else f"index-{number + 1}.html" for number in range(len(parts))]
    attention = len(failed) + len(ignored)
    total_s = sum(row["duration_s"] or 0.0 for row in rows)
    pages: dict[str, tuple[str, Callable[[], str]]] = {}
    for number, (name, part) in enumerate(zip(names, parts, strict=True)):
        signature = json.dumps([part, len(rows), total_s, attention, names])
        pages[name] = signature, _index_page(part, number, names, len(rows), total_s, attention)
    notices = {
        kind: [{"name": n.name, "reason": n.reason} for n in found]
        for kind, found in (("failed", failed), ("ignored", ignored))
    }
    pages["attention.html"] = (
        json.dumps(notices),
        lambda: _render("attention.html", root="", attention=attention, **notices),
    )
    for asset in ASSETS:
        text = (templates_folder() / asset).read_text(encoding="utf-8")
        pages[f"assets/{asset}"] = text, partial(str, text)
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
    def render() -> str:
        rows = [{**row, "shown": {name: _shown_field(name, row[name]) for name in _INDEX_FIELDS}} for row in part]
        return _render(
            "index.html",
            root="",
            rows=rows,
            number=number,
            names=names,
            total=total,
            total_s=total_s,
            attention=attention,
        )

    return render


@cache
def _declared() -> dict[str, tuple[str, Column]]:
    """Field → (analyser, declaration), for fields that the index shows."""
    return {column.name: (analyser, column) for analyser, kind in result_types().items() for column in columns(kind)}


def _shown_field(name: str, value: JSON) -> Shown:
    analyser, column = _declared()[name]
    return _shown(analyser, column, value)


def _track_page(track: Track) -> str:
    try:
        found = record.read(track.folder, result_types())
        said = library.read_person(track)
    except RecordError as error:
        return _render("broken.html", root="../", track=track, reason=str(error).replace(f"{track.folder}/", ""))
    sections = [_section(name, found) for name in all_analysers() if name in result_types()]
    arrived = library.arrivals(track)
    return _render(
        "track.html",
        root="../",
        track=track,
        record=found,
        about=_about(found, said),
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
_ORDER = {name: number for number, name in enumerate(("loudness", "levels", "metadata", "source"))}


def _section(name: str, found: record.Record) -> Section | None:
    result = found.results.get(name)
    failure = found.failures.get(name)
    if result is None and failure is None:
        return None
    shown = [] if result is None else [c for c in columns(type(result)) if not c.is_curve]
    return Section(
        name, _own_template(name), [_text(getattr(result, c.name), c.quantity.digits) for c in shown], result, failure
    )


@cache
def _own_template(analyser: str) -> str | None:
    """The analyser's own template, where the plain table is not enough for it."""
    name = f"sections/{analyser}.html"
    return name if (templates_folder() / name).is_file() else None


def _shown(analyser: str, column: Column, value: Any) -> Shown:
    q = column.quantity
    return Shown(
        f"{analyser}.{column.name}", q.label, _text(value, q.digits), q.unit, q.help, q.source, column.base_type is str
    )


def _table(section: Section) -> Markup:
    """An analyser's numbers, explained. All but the values is the same on every page, so it is made once."""
    values = [escape(text) for text in section.values]
    parts = zip_longest(_table_parts(section.name), values, fillvalue="")
    return Markup("".join([part for pair in parts for part in pair]))  # noqa: S704 - every part is escaped


@cache
def _table_parts(analyser: str) -> tuple[str, ...]:
    """The table's HTML, cut where the values belong."""
    rows = [_shown(analyser, column, _CUT) for column in columns(result_types()[analyser]) if not column.is_curve]
    return tuple(_render("sections/_table.html", rows=rows).split(_CUT))


def _text(value: Any, digits: int) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOTHING
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " / ".join(_text(item, digits) for item in value) or NOTHING
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u2009")
    if isinstance(value, float):
        rounded = round(value, digits) + 0.0
        return f"{rounded:.{digits}f}".replace("-", "\u2212")
    return str(value)
