"""Actions: what ran when, what became of each file, how many seconds each stage took; and what a person should see to.

Only what a page shows is asked of the catalogue: the latest runs, and of each its latest events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Protocol

import duckdb

from processor.site.index import Pages, page_links
from processor.site.rendering import render

RUNS = 50  # on the page of runs; the catalogue has them all
EVENTS_A_PAGE = 100
PAGES_A_RUN = 10  # a year of `watch` is one run
NOTICES = 500  # files of a kind on the page of failures; the folder has them all
STAGES = 7  # with a colour of their own; the others share one
ENDS = "('started', 'ended')"
MAX_NAME = 200

# Runs with their counts, the latest first. A run is one file of `library/runs/`, named after its start.
_RUNS = f"""
SELECT run, min(time_utc), max(time_utc), max(name) FILTER (event = 'started'), bool_or(event = 'ended'),
    count(*) FILTER (event = 'stored'), count(*) FILTER (event = 'duplicate'), count(*) FILTER (event = 'refreshed'),
    count(*) FILTER (event = 'deepened'),
    count(*) FILTER (event = 'failed'), count(*) FILTER (event = 'left'), count(*) FILTER (event NOT IN {ENDS})
FROM runs GROUP BY run ORDER BY run DESC LIMIT ?
"""
# Events of a run, the latest first, and whether the track that each names is still there. Their places are found
# before the rest of them is read.
_EVENTS = f"""
SELECT runs.time_utc, runs.event, runs.name, runs.reason, runs.seconds, library.track, library.title
FROM runs LEFT JOIN library USING (track) WHERE runs.rowid IN (
    SELECT rowid FROM runs WHERE run = ? AND event NOT IN {ENDS} ORDER BY time_utc DESC, rowid DESC LIMIT ? OFFSET ?
) ORDER BY runs.time_utc DESC, runs.rowid DESC
"""
# A page of events is written again when one of them changes, or the title of a track, or a track is gone.
_SIGNATURES = f"""
WITH shown AS (
    SELECT run, track, row_number() OVER (PARTITION BY run ORDER BY time_utc DESC, runs.rowid DESC) - 1 AS place,
        hash(time_utc, event, name, reason) AS is_like
    FROM runs WHERE run IN (SELECT unnest(?)) AND event NOT IN {ENDS}
)
SELECT run, place // ? AS page, bit_xor(hash(place, is_like, library.track, library.title))
FROM shown LEFT JOIN library USING (track) WHERE place < ? GROUP BY ALL
"""
_SECONDS = f"""
SELECT stage.key, count(*), sum(stage.value) FROM (
    SELECT unnest(map_entries(seconds)) AS stage FROM (
        SELECT seconds FROM runs WHERE run = ? AND event NOT IN {ENDS} ORDER BY time_utc DESC, rowid DESC LIMIT ?
    )
) GROUP BY ALL ORDER BY 3 DESC, 1
"""


class Notice(Protocol):
    """Something about a file in the inbox that a person should know."""

    @property
    def name(self) -> str:
        """The file's name, printable."""

    @property
    def reason(self) -> str:
        """Why it is mentioned."""


@dataclass(frozen=True)
class Run:
    """One run of Liner Notes, with what came of it."""

    file: str
    started: datetime | None
    last: datetime | None
    command: str | None
    is_ended: bool
    stored: int
    duplicate: int
    refreshed: int
    deepened: int
    failed: int
    left: int
    events: int

    @property
    def id(self) -> str:
        """Its log's name without the suffix: part of its pages' names."""
        return self.file.removesuffix(".jsonl")

    @property
    def counts(self) -> list[tuple[str, int]]:
        """What came of its files, without what did not happen."""
        every = ("stored", "duplicate", "refreshed", "deepened", "failed", "left")
        return [(kind, number) for kind in every if (number := getattr(self, kind))]

    @property
    def pages(self) -> int:
        """How many pages of its events there are."""
        return max(1, min(PAGES_A_RUN, -(-self.events // EVENTS_A_PAGE)))

    @property
    def state(self) -> str:
        """`good`, `bad` where something failed, `open` where it has not ended or was cut short."""
        return "bad" if self.failed else "good" if self.is_ended else "open"

    def page(self, number: int = 1) -> str:
        """Address of a page of its events, from the site's root."""
        return f"runs/{self.id}.html" if number == 1 else f"runs/{self.id}-page-{number}.html"


def action_pages(connection: duckdb.DuckDBPyConnection, failed: Sequence[Notice], ignored: Sequence[Notice]) -> Pages:
    """Page → (what its input is, how to make it): the runs, the events of each, the files that need a person.

    Args:
        connection: the catalogue; pages that are made ask it again, so it must stay open until they are.
        failed: files that were set aside.
        ignored: files that are left alone.
    """
    runs = [Run(*row) for row in connection.execute(_RUNS, [RUNS]).fetchall() if _is_plain(row[0])]
    [total] = connection.execute("SELECT count(DISTINCT run) FROM runs").fetchone() or (0,)
    attention = len(failed) + len(ignored)
    pages: Pages = {
        "actions.html": (repr([runs, total, attention]), partial(_runs_page, runs, total, attention)),
        "attention.html": _attention(failed, ignored),
    }
    signatures = _signatures(connection, runs)
    for run in runs:
        stages = cache(partial(_stages, connection, run))  # asked for once, by the first page of the run that is made
        for number in range(1, run.pages + 1):
            signature = repr([run, number, attention, signatures.get((run.file, number - 1))])
            pages[run.page(number)] = signature, partial(_run_page, connection, run, number, attention, stages)
    return pages


def _is_plain(file: str) -> bool:
    """Whether a log is named as ours are: its name becomes the name of a page."""
    return file.endswith(".jsonl") and all(c.isascii() and (c.isalnum() or c in "-_.") for c in file)


def _signatures(connection: duckdb.DuckDBPyConnection, runs: Sequence[Run]) -> Mapping[tuple[str, int], int]:
    """(Log, page from 0) → a number that changes with the page."""
    limit = EVENTS_A_PAGE * PAGES_A_RUN
    found = connection.execute(_SIGNATURES, [[run.file for run in runs], EVENTS_A_PAGE, limit]).fetchall()
    return {(file, page): value for file, page, value in found}


def _runs_page(runs: Sequence[Run], total: int, attention: int) -> str:
    return render("actions.html", root="", runs=runs, total=total, attention=attention, when=when, lasted=lasted)


def _attention(failed: Sequence[Notice], ignored: Sequence[Notice]) -> tuple[str, partial[str]]:
    """The page of files that could not be processed or are left alone; many of a kind are counted, not listed."""
    shown = {
        kind: [{"name": notice.name, "reason": notice.reason} for notice in found[:NOTICES]]
        for kind, found in (("failed", failed), ("ignored", ignored))
    }
    counts = {"failures": len(failed), "ignorances": len(ignored), "attention": len(failed) + len(ignored)}
    return repr([shown, counts]), partial(render, "attention.html", root="", **shown, **counts)


@dataclass(frozen=True)
class Part:
    """A stage's part of a bar: where it begins and how long it is, of 1000; `shade` 1 to 8."""

    stage: str
    seconds: float
    left: float
    width: float
    shade: int


@dataclass(frozen=True)
class Happening:
    """One event as a page shows it."""

    at: datetime | None
    kind: str
    name: str
    reason: str | None
    track: str | None
    title: str | None
    seconds: Mapping[str, float]
    parts: tuple[Part, ...]
    total_s: float


@dataclass(frozen=True)
class Stage:
    """A stage of a run: how often it ran, and for how long together."""

    name: str
    times: int
    seconds: float
    share: float
    shade: int


def _run_page(
    connection: duckdb.DuckDBPyConnection, run: Run, number: int, attention: int, find_stages: Callable[[], list[Stage]]
) -> str:
    stages = find_stages()
    shades = {stage.name: stage.shade for stage in stages}
    rows = connection.execute(_EVENTS, [run.file, EVENTS_A_PAGE, EVENTS_A_PAGE * (number - 1)]).fetchall()
    longest = max((sum((seconds or {}).values()) for *_, seconds, _, _ in rows), default=0.0)
    return render(
        "run.html",
        root="../",
        run=run,
        number=number,
        attention=attention,
        stages=stages,
        counted=min(run.events, EVENTS_A_PAGE * PAGES_A_RUN),
        happenings=[_happening(row, longest, shades) for row in rows],
        links=page_links(number, run.pages, lambda page: run.page(page).removeprefix("runs/")),
        when=when,
        lasted=lasted,
    )


def _stages(connection: duckdb.DuckDBPyConnection, run: Run) -> list[Stage]:
    """The stages of a run's shown events, the longest first; all but a few share the last colour."""
    found = connection.execute(_SECONDS, [run.file, EVENTS_A_PAGE * PAGES_A_RUN]).fetchall()
    whole = sum(seconds for *_, seconds in found) or 1.0
    return [
        Stage(name, times, seconds, seconds / whole, min(place, STAGES) + 1)
        for place, (name, times, seconds) in enumerate(found)
    ]


def _happening(row: tuple[object, ...], longest: float, shades: Mapping[str, int]) -> Happening:
    at, kind, name, reason, given, track, title = row
    seconds: dict[str, float] = (
        dict(sorted(given.items(), key=lambda item: -item[1])) if isinstance(given, dict) else {}
    )
    return Happening(
        at if isinstance(at, datetime) else None,
        str(kind),
        str(name or "")[:MAX_NAME],
        None if reason is None else str(reason),
        None if track is None else str(track),
        None if title is None else str(title)[:MAX_NAME],
        seconds,
        _parts(seconds, longest, shades),
        sum(seconds.values()),
    )


def _parts(seconds: Mapping[str, float], longest: float, shades: Mapping[str, int]) -> tuple[Part, ...]:
    """The bar of an event, as long as its share of the longest one; small stages are drawn as one."""
    named = [(shades[stage], stage, value) for stage, value in seconds.items() if shades.get(stage, 8) <= STAGES]
    rest = sum(seconds.values()) - sum(value for *_, value in named)
    parts, left = [], 0.0
    for shade, stage, value in [*sorted(named), (STAGES + 1, "others", rest)]:
        width = 1000 * value / longest if longest else 0.0
        if width >= 0.5:
            parts.append(Part(stage, value, round(left, 1), round(width, 1), shade))
        left += width
    return tuple(parts)


def when(at: datetime | None) -> str:
    """A time of the catalogue, which is UTC; pages are the same wherever they are made."""
    return "at an unknown time" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def lasted(start: datetime | None, end: datetime | None) -> str:
    """The time between two moments, as short as it can be said."""
    if start is None or end is None:
        return "—"
    seconds = (end - start).total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
