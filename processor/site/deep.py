"""The page of the deep pass: what models heard, what they are hearing, what is pending, and how long that may take.

Like every page it is written when the library is published; it says when that was, and never more than was known then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any

import duckdb
from filelock import FileLock, Timeout

from processor.analysis import all_analysers
from processor.config import Settings
from processor.errors import ModelError
from processor.files import write_atomically
from processor.models.loading import chosen
from processor.models.table import all_models
from processor.record import Record
from processor.site.actions import MAX_NAME
from processor.site.index import Pages
from processor.site.rendering import render
from processor.workspace import Workspace

PAGE = "deep.html"
LOCK_NAME = "deep.lock"
STATE_NAME = "deep.json"
LISTED = 20  # tracks, failures and steps of a kind; the catalogue has them all
# So many of the latest steps say how fast a model is here.
STEPS = 50

# Tracks without a word of an analyser, the oldest first: how many, how much sound, and the first of them.
_PENDING = """
SELECT count(*), coalesce(sum(source.duration_s), 0), list(library.title ORDER BY library.track)[:{listed}]
FROM library ANTI JOIN "{analyser}" USING (track)
    ANTI JOIN (SELECT track FROM failures WHERE analyser = '{analyser}') AS failed USING (track)
    LEFT JOIN source USING (track)
"""
_COUNTS = """
SELECT (SELECT count(*) FROM "{analyser}"),
    (SELECT count(*) FROM failures WHERE analyser = '{analyser}' AND kind = 'failed'),
    (SELECT count(*) FROM failures WHERE analyser = '{analyser}' AND kind = 'skipped')
"""
# Seconds of work and seconds of sound of the latest steps of an analyser.
_PACE = """
SELECT sum(work_s), sum(duration_s) FROM (
    SELECT runs.seconds['{analyser}'] AS work_s, source.duration_s FROM runs JOIN source USING (track)
    WHERE event = 'deepened' AND runs.seconds['{analyser}'] > 0 AND source.duration_s > 0
    ORDER BY time_utc DESC LIMIT {steps}
)
"""
_FAILURES = """
SELECT library.track, library.title, failures.analyser, failures.reason FROM failures JOIN library USING (track)
WHERE failures.kind = 'failed' AND list_contains(?, failures.analyser) ORDER BY ALL LIMIT ?
"""
# The steps of the last day on which models heard anything: not today's, so that a page is the same tomorrow.
_LATEST = """
WITH heard AS (SELECT * FROM runs WHERE event = 'deepened')
SELECT heard.time_utc, heard.track, coalesce(library.title, heard.name), heard.seconds, library.track IS NOT NULL,
    count(*) OVER ()
FROM heard LEFT JOIN library USING (track)
WHERE heard.time_utc::DATE = (SELECT max(time_utc)::DATE FROM heard) ORDER BY 1 DESC, 2 LIMIT ?
"""


# What the page is made of, beside the tables of the analysers: tracks, failures and steps.
_MARKS = """
(SELECT bit_xor(hash(track, title)) FROM library), (SELECT bit_xor(hash(track, analyser, reason)) FROM failures),
(SELECT bit_xor(hash(time_utc, track)) FROM runs WHERE event = 'deepened'),
"""


@dataclass(frozen=True)
class Running:
    """A step of a deep pass while it is done.

    Attributes:
        track: id of the track.
        name: name of its file.
        analyser: what is found out.
        model: name of the model.
        number: its number among the steps with this model.
        total: how many of these there are.
        share: how much of it is done, 0 to 1.
        left_s: seconds until all steps with this model are done, if anybody can say.
        at: when this was so, ISO 8601.
    """

    track: str
    name: str
    analyser: str
    model: str
    number: int
    total: int
    share: float
    left_s: float | None
    at: str

    def text(self) -> str:
        """One line for people: `stems 3/5 song.wav 43 %, about 4 min left`."""
        line = f"{self.analyser} {self.number}/{self.total} {self.name} {100 * self.share:.0f} %"
        return line if self.left_s is None else f"{line}, about {duration_text(self.left_s)} left"


def duration_text(seconds: float) -> str:
    """A time that is only estimated, in one unit or two."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{round(hours / 24)} days"


def note_running(workspace: Workspace, running: Running | None) -> None:
    """Leave word of what is being done, or that nothing is; where there is no room for that, there is none."""
    path = workspace.state / STATE_NAME
    with suppress(OSError):
        if running is None:
            path.unlink(missing_ok=True)
        else:
            write_atomically(path, json.dumps(asdict(running)), durable=False)


def read_running(workspace: Workspace) -> Running | None:
    """What is being done, if somebody is at it; what a killed process left is nothing."""
    try:
        found = Running(**json.loads((workspace.state / STATE_NAME).read_bytes()))
        with FileLock(workspace.state / LOCK_NAME, timeout=0):
            (workspace.state / STATE_NAME).unlink(missing_ok=True)  # its process was killed; nobody need ask again
            return None
    except Timeout:
        return found
    except (OSError, ValueError, TypeError):
        return None


def models_here(settings: Settings) -> dict[str, str]:
    """Analyser → title of the model that does its job here, in the order in which they hear."""
    try:
        models = chosen(settings.models)
    except ModelError:  # a switch that is none; every command that needs it says so
        return {}
    off = settings.analysers.off
    return {
        one.name: all_models()[models[one.model]].title
        for one in all_analysers().values()
        if one.model in models and one.name not in off
    }


def lacking(here: Mapping[str, str], record: Record) -> tuple[str, ...]:
    """Analysers of `models_here` that have not heard a track yet: no result, and no reason why there is none."""
    return tuple(name for name in here if name not in record.results and name not in record.failures)


@dataclass(frozen=True)
class Line:
    """What one analyser has heard and has not."""

    analyser: str
    model: str
    done: int
    failed: int
    skipped: int
    pending: int
    estimate: str | None
    first: tuple[str, ...]


@dataclass(frozen=True)
class Heard:
    """A step that was done."""

    at: datetime | None
    track: str | None
    title: str
    what: str


def deep_pages(
    workspace: Workspace, connection: duckdb.DuckDBPyConnection, settings: Settings, attention: int = 0
) -> Pages:
    """The page → (what its input is, how to make it).

    Args:
        workspace: where.
        connection: the catalogue; the page asks it again when it is made, so it must stay open until then.
        settings: which models may hear.
        attention: files that failed or are ignored, for the counter of the tabs.
    """
    here, running = models_here(settings), read_running(workspace)
    heard = ", ".join(f'(SELECT bit_xor(hash(track)) FROM "{analyser}")' for analyser in here)
    marks = connection.execute(f"SELECT {_MARKS}{heard}").fetchall()
    signature = repr([here, running, settings.models.deep, marks, attention])
    return {PAGE: (signature, partial(_page, connection, here, running, settings.models.deep, attention))}


def _page(
    connection: duckdb.DuckDBPyConnection, here: Mapping[str, str], running: Running | None, is_on: bool, attention: int
) -> str:
    lines = [_line(connection, analyser, model) for analyser, model in here.items()]
    failures = connection.execute(_FAILURES, [list(here), LISTED]).fetchall()
    rows = connection.execute(_LATEST, [LISTED]).fetchall()
    return render(
        "deep.html",
        root="",
        lines=lines,
        running=running,
        failures=[(track, str(title)[:MAX_NAME], analyser, reason) for track, title, analyser, reason in failures],
        failed=sum(line.failed for line in lines),
        heard=[_heard(row) for row in rows],
        steps=rows[0][-1] if rows else 0,
        day=rows[0][0].date().isoformat() if rows else None,
        is_on=is_on,
        attention=attention,
    )


def _line(connection: duckdb.DuckDBPyConnection, analyser: str, model: str) -> Line:
    asked = {"analyser": analyser, "listed": LISTED, "steps": STEPS}
    pending, sound_s, first = _row(connection, _PENDING.format(**asked))
    done, failed, skipped = _row(connection, _COUNTS.format(**asked))
    work_s, heard_s = _row(connection, _PACE.format(**asked))
    estimate = duration_text(sound_s * work_s / heard_s) if pending and sound_s and work_s and heard_s else None
    titles = tuple(str(title)[:MAX_NAME] for title in first or ())
    return Line(analyser, model, done, failed, skipped, pending, estimate, titles)


def _row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    return connection.execute(query).fetchall()[0]  # each of these counts, so there is one


def _heard(row: tuple[object, ...]) -> Heard:
    at, track, title, given, is_there, _ = row
    seconds = given if isinstance(given, dict) else {}
    stages = ((name, value) for name, value in seconds.items() if name not in ("decode", "load"))
    what = ", ".join(f"{name} {value:.1f} s" for name, value in sorted(stages, key=lambda item: -item[1]))
    return Heard(
        at if isinstance(at, datetime) else None, str(track) if is_there else None, str(title or "")[:MAX_NAME], what
    )
