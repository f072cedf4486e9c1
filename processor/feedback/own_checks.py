"""A person's own checks: `library/checks/*.sql`, each one query that returns the rows which offend.

A query reads the catalogue's tables. It must return a column `track`; `expected`, `found`, `why` and `status` ("warn"
or "fail") are welcome. Its first comment line is its title, those that follow say why it matters::

    -- No track over eight minutes
    -- Radio will not play it.
    SELECT track, duration_s AS found, '≤ 480 s' AS expected FROM source WHERE duration_s > 480

A track without a row passes. A check that is broken, or not answered in time, fails for every track and says why:
it must not pass for an answer. What a file says is not trusted: one SELECT, no writing, no reach for other files.
"""

from __future__ import annotations

import os
import re
import secrets
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from processor import catalogue
from processor.feedback.check import FAIL, PASS, WARN, Check
from processor.files import printable
from processor.workspace import Workspace

MAX_BYTES = 100_000
TIMEOUT_S = 10.0
LOCKED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "memory_limit": "1GB",
    "temp_directory": "",
}
MAX_CHARACTERS = 300
MAX_ROWS = 1_000_000
_ROWS_AT_ONCE = 1000
_COPY_NAME = re.compile(r"checks-[0-9a-f]{16}")

Row = dict[str, Any]
Found = dict[str, tuple[Check, ...]]


@dataclass(frozen=True)
class Offence:
    """What a query has against a track: the first of its worst rows, and how many there are."""

    row: Row
    count: int


class _Broken(Exception):
    """A check that cannot be answered; the message says why."""


def own_files(folder: Path) -> list[Path]:
    """The files of a person's checks, by name."""
    return sorted(path for path in folder.glob("*.sql") if path.is_file()) if folder.is_dir() else []


def sql_checks(connection: duckdb.DuckDBPyConnection, folder: Path, *, timeout_s: float = TIMEOUT_S) -> Found:
    """Run a person's own checks on every track of a catalogue; on a copy, so that they can do it no harm.

    Args:
        connection: a catalogue, outside of any transaction.
        folder: where the checks are.
        timeout_s: how long each may take, as far as DuckDB lets itself be stopped.

    Returns:
        Track → how it did in each check, in the order of the files' names.
    """
    tracks = [str(track) for (track,) in connection.execute("SELECT track FROM library ORDER BY track").fetchall()]
    found: dict[str, list[Check]] = {track: [] for track in tracks}
    paths = own_files(folder)
    if tracks and paths:
        with _locked_copy(connection) as copy:
            for path in paths:
                for track, check in _answers(copy, path, tracks, timeout_s):
                    found[track].append(check)
    return {track: tuple(checks) for track, checks in found.items()}


def library_checks(workspace: Workspace, folder: Path) -> Found:
    """The same on the published catalogue of a workspace; nothing where there is none that can be read."""
    if not own_files(folder) or not workspace.catalogue.is_file():
        return {}
    try:
        with duckdb.connect() as connection:
            path = str(workspace.catalogue).replace("'", "''")
            connection.execute(f"ATTACH '{path}' AS published (READ_ONLY)")
            connection.execute("USE published")
            return sql_checks(connection, folder)
    except duckdb.Error:
        return {}  # `linernotes doctor` names it


@contextmanager
def _locked_copy(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of a catalogue that can neither be written to nor reach any other file.

    A database can be locked only as a whole: the catalogue itself must go on to read and write files.
    """
    asked = "SELECT path, current_database() FROM duckdb_databases() WHERE database_name = current_database()"
    [(database, name)] = connection.execute(asked).fetchall()
    # Beside the database, and named so that the next start sweeps up what a crash leaves.
    place = Path(database).parent if database else Path(tempfile.gettempdir())
    path = place / f".checks-{secrets.token_hex(8)}.{os.getpid()}.tmp"
    quoted = str(path).replace("'", "''")
    try:
        connection.execute(f"ATTACH '{quoted}' AS copied (BLOCK_SIZE {catalogue.BLOCK_BYTES})")
        try:
            connection.execute(f'COPY FROM DATABASE "{name}" TO copied')
        finally:
            connection.execute("DETACH copied")
        with duckdb.connect(str(path), read_only=True, config=LOCKED) as copy:
            yield copy
    finally:
        catalogue.discard(path)


def _answers(
    connection: duckdb.DuckDBPyConnection, path: Path, tracks: list[str], timeout_s: float
) -> Iterator[tuple[str, Check]]:
    """A check's answer for each track."""
    title, why = printable(path.stem), ""
    try:
        sql = _read(path)
        title, why = _heading(sql, title)
        offences = _offences(connection, sql, set(tracks), timeout_s)
    except _Broken as error:
        for track in tracks:
            yield track, _check(path, title, FAIL, {"why": f"This check is broken: {error}"})
        return
    for track in tracks:
        offence = offences.get(track)
        if offence is None:
            yield track, _check(path, title, PASS, {"why": why})
            continue
        row = offence.row
        more = f" (and {offence.count - 1} more)" if offence.count > 1 else ""
        row = {**row, "found": f"{_text(row.get('found'))}{more}".strip(), "why": row.get("why") or why}
        yield track, _check(path, title, _status(row), row)


def _check(path: Path, title: str, status: str, row: Row) -> Check:
    expected, found, why = (_text(row.get(name)) for name in ("expected", "found", "why"))
    name = printable(path.name)
    return Check(
        f"own.{printable(path.stem)}", title, status, expected, found, why, "", f"a check of your own: checks/{name}"
    )


def _text(value: Any) -> str:
    """What a query returned, on one line."""
    if isinstance(value, float):
        value = f"{value:.3f}".rstrip("0").rstrip(".").replace("-", "−")
    text = "" if value is None else printable(" ".join(str(value).split()))
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise _Broken(f"it has more than {MAX_BYTES} bytes.")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise _Broken(f"it cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise _Broken("it is not UTF-8.") from error


def _heading(sql: str, name: str) -> tuple[str, str]:
    """Title and reason: the comment lines that it begins with."""
    lines = []
    for line in sql.splitlines():
        if not line.startswith("--"):
            break
        lines.append(_text(line.lstrip("-")))
    return (lines[0] or name if lines else name), _text(" ".join(lines[1:]))


def _offences(
    connection: duckdb.DuckDBPyConnection, sql: str, tracks: set[str], timeout_s: float
) -> dict[str, Offence]:
    """Run a query, and find what it has against each track.

    Raises:
        _Broken: it is no query, or it fails, or it takes too long, or returns what we cannot read.
    """
    try:
        statements = duckdb.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise _Broken("it must be one SELECT.")
        with _interrupted_after(connection, timeout_s):
            return _by_track(_rows(connection.execute(statements[0])), tracks)
    except duckdb.InterruptException as error:
        raise _Broken(f"it was not done after {timeout_s:g} s.") from error
    except duckdb.Error as error:
        raise _Broken(_text(_COPY_NAME.sub("catalogue", str(error).partition("\n")[0]))) from error


def _rows(cursor: duckdb.DuckDBPyConnection) -> Iterator[Row]:
    names = [column[0].lower() for column in cursor.description or ()]
    if "track" not in names:
        raise _Broken("it returns no column `track`.")
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        for row in rows:
            yield dict(zip(names, row, strict=True))


@contextmanager
def _interrupted_after(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _by_track(rows: Iterator[Row], tracks: set[str]) -> dict[str, Offence]:
    """What stands against each track: the first of its worst rows.

    Raises:
        _Broken: a row names a track or a status that there is not, or there is no end of them.
    """
    found: dict[str, Offence] = {}
    for number, row in enumerate(rows):
        track = row["track"]
        if number == MAX_ROWS:
            raise _Broken(f"it returns more than {MAX_ROWS} rows.")
        if track not in tracks:
            raise _Broken(f"it names a track that there is not: {_text(track) or 'NULL'}.")
        if row.get("status") not in (None, WARN, FAIL):
            raise _Broken(f"its status is {_text(row['status'])}; there are warn and fail.")
        known = found.get(track)
        is_worse = known is None or (_status(known.row) == WARN and _status(row) == FAIL)
        found[track] = Offence(row if is_worse or known is None else known.row, (known.count if known else 0) + 1)
    return found


def _status(row: Row) -> str:
    return WARN if row.get("status") == WARN else FAIL
