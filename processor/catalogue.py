"""The catalogue: everything in the library as DuckDB tables, made from the folders and always remade from them.

We write to a private database under `library/.state/`, opened only while the write lock is held. People query a
snapshot, `library/catalogue.duckdb`, which is replaced whole: an open session goes on with what it opened, and a
new one sees the new rows. Neither ever waits for the other.

Tables: `library` (what and where), one for each analyser with a column for each number, `failures`, `drops`,
`person` and `runs`; `vectors`, of which the macro `sounds_like` makes neighbours; `frames`, a row a second; `advice`,
`checks`, `prompts` and `revisions`, which others derive from these and write here by `replace_derived`; `mashability`
and `mashups`, which are about pairs of tracks; the view `tracks` joins all that is about one, one row a track.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from processor import library, record
from processor.analysis import result_types
from processor.analysis.frames import Frames
from processor.analysis.frames import rows as frame_rows
from processor.errors import RecordError, WorkspaceError
from processor.files import fsync_folder, printable
from processor.library import Track
from processor.quantities import columns
from processor.tables import FRAMES, create_tables, frame_columns, kinds, layout_hash, of_tracks, quoted, tables
from processor.workspace import Workspace

PRIVATE_NAME = "private.duckdb"
UPCOMING_NAME = "catalogue.next.duckdb"

Progress = Callable[[int, int], None]
Row = dict[str, Any]

# The smallest there is. A library's two hundred columns would else take a quarter of a megabyte each: 10 MB for the
# first track, where 1 MB will do, and copying it takes half the time.
BLOCK_BYTES = 16_384


@dataclass
class Changes:
    """What a synchronisation found."""

    changed: list[Track] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    all_tracks: list[Track] = field(default_factory=list)


@contextmanager
def opened(workspace: Workspace) -> Iterator[duckdb.DuckDBPyConnection]:
    """The private database; the caller holds the write lock. A broken or outdated one is made anew, empty."""
    path = workspace.state / PRIVATE_NAME
    workspace.state.mkdir(parents=True, exist_ok=True)
    connection = _connect(path)
    try:
        yield connection
    finally:
        connection.close()
        # A snapshot that failed may be written to until now: closing flushes what is still attached.
        discard(workspace.library / UPCOMING_NAME)


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    try:
        connection = duckdb.connect(str(path), config={"default_block_size": BLOCK_BYTES})
        try:
            if _is_current(connection):
                return connection
        except BaseException:
            connection.close()
            raise
        connection.close()
    except duckdb.Error:
        pass  # a torn or foreign file; nothing in it is not also in the folders
    discard(path)
    try:
        connection = duckdb.connect(str(path), config={"default_block_size": BLOCK_BYTES})
    except duckdb.Error as error:
        raise WorkspaceError(f"The catalogue {path} cannot be made: {error}") from error
    connection.execute("BEGIN")  # two hundred commits would take half a second of a slow disk
    create_tables(connection)
    connection.execute("COMMIT")
    return connection


def discard(path: Path) -> None:
    """Remove a database and its write-ahead log."""
    path.unlink(missing_ok=True)
    path.with_name(path.name + ".wal").unlink(missing_ok=True)


def _is_current(connection: duckdb.DuckDBPyConnection) -> bool:
    has_meta = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = '_meta'").fetchone()
    if not has_meta or not has_meta[0]:
        return False
    found = connection.execute("SELECT layout FROM _meta").fetchone()
    return bool(found and found[0] == layout_hash())


def synchronise(
    workspace: Workspace, connection: duckdb.DuckDBPyConnection, progress: Progress | None = None
) -> Changes:
    """Bring the private database in line with the folders, reading only those whose files changed."""
    changes = Changes(all_tracks=library.tracks(workspace))
    known = dict(connection.execute("SELECT name, signature FROM _folders").fetchall())
    present = {track.id: track for track in changes.all_tracks}
    signatures = {track.id: track.signature for track in changes.all_tracks}
    changes.changed = [track for track in changes.all_tracks if known.get(track.id) != signatures[track.id]]
    changes.removed = [name for name in known if name not in present and not name.startswith("runs/")]
    rows: dict[str, list[Row]] = {table: [] for table in tables()}
    for number, track in enumerate(changes.changed, 1):
        try:
            _add_rows(rows, workspace, track)
        except RecordError as error:
            changes.problems.append(str(error))
        if progress is not None:
            progress(number, len(changes.changed))
    fresh_runs = _run_rows(rows, workspace, known)
    gone = [track.id for track in changes.changed] + changes.removed
    marks = {track.id: signatures[track.id] for track in changes.changed} | fresh_runs
    if gone or marks:
        _write_rows(connection, rows, gone, marks)
    return changes


def _add_rows(rows: dict[str, list[Row]], workspace: Workspace, track: Track) -> None:
    found = record.read(track.folder, result_types(), curves=False)
    said = library.read_person(track)
    arrived = library.arrivals(track)
    collection = said.get("collection") or (library.collection(arrived[0]) if arrived else None)
    for name, result in found.results.items():
        if name != FRAMES:
            rows[name].append({"track": track.id} | record.plain(result, curves=False))
    rows["library"].append(
        {
            "track": track.id,
            "added": track.added.isoformat(),
            "arrived_utc": _utc(arrived[0].at) if arrived else f"{track.added.isoformat()}T00:00:00",
            "folder": track.folder.relative_to(workspace.library).as_posix(),
            "kind": found.kind,
            "sha256": found.sha256,
            "name": found.name,
            "title": library.title_of(found.name, found.results.get("metadata"), said),
            "collection": printable(str(collection)) if collection else None,
        }
    )
    rows["vectors"] += _vector_rows(track, found)
    rows["_frames"] += _frame_rows(track, found)
    rows["failures"] += [
        {"track": track.id, "analyser": name, "kind": f.kind, "reason": f.reason} for name, f in found.failures.items()
    ]
    rows["person"] += [{"track": track.id, "field": str(k), "value": v} for k, v in said.items()]
    rows["drops"] += [
        {
            "track": track.id,
            "time_utc": _utc(a.at),
            "path": a.path,
            "size_bytes": a.size,
            "is_duplicate": number > 0,
        }
        for number, a in enumerate(arrived)
    ]


def _vector_rows(track: Track, found: record.Record) -> list[Row]:
    """How a track sounds, in each space that it was measured in."""
    spaces = {"character.features": "character"}
    tagged = found.results.get("tags_clap")
    if tagged is not None:
        spaces["tags_clap.embedding"] = f"clap {tagged.model}"
    curves = record.read_curves(track.folder, spaces)
    return [
        {"track": track.id, "space": spaces[label], "vector": [round(float(value), 4) for value in curve]}
        for label, curve in curves.items()
        if curve.ndim == 1 and curve.size and np.isfinite(curve).all()
    ]


def _frame_rows(track: Track, found: record.Record) -> list[Row]:
    """What stands in a track's frames, each quantity as a list of its values by second."""
    short = found.results.get(FRAMES)
    if short is None:
        return []
    curves = record.read_curves(track.folder, [f"{FRAMES}.{c.name}" for c in columns(Frames) if c.is_curve])
    whole = replace(short, **{label.partition(".")[2]: curve for label, curve in curves.items()})
    try:
        listed = list(frame_rows(whole))
    except (ValueError, TypeError, IndexError, AttributeError):  # edited by hand into what no analyser gives
        return []
    values = {name: [_short(row[name]) for row in listed] for name in frame_columns()}
    return [{"track": track.id, **values}]


def _short(value: object) -> object:
    """A number with as many digits as anybody asks a second for."""
    return round(value, 3) if isinstance(value, float) else value


def _utc(at: object) -> str | None:
    """A time with its offset as UTC without one, which DuckDB's Python client reads without further packages."""
    try:
        return datetime.fromisoformat(str(at)).astimezone(UTC).replace(tzinfo=None).isoformat()
    except ValueError:
        return None


def _run_rows(rows: dict[str, list[Row]], workspace: Workspace, known: Mapping[str, str]) -> dict[str, str]:
    """Rows of run logs that are new or longer than before; return their signatures."""
    fresh = {}
    for path in sorted(workspace.runs.glob("*.jsonl")) if workspace.runs.is_dir() else ():
        name, signature = f"runs/{path.name}", str(path.stat().st_size)
        if known.get(name) == signature:
            continue
        fresh[name] = signature
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError):  # a line torn by a crash
                event = json.loads(line)
                if isinstance(event, dict):
                    facts = {key: event.get(key) for key in tables()["runs"]}
                    rows["runs"].append({**facts, "run": path.name, "time_utc": _utc(event.get("at"))})
    return fresh


def _write_rows(
    connection: duckdb.DuckDBPyConnection,
    rows: Mapping[str, list[Row]],
    gone: list[str],
    marks: Mapping[str, str],
) -> None:
    runs = [name.removeprefix("runs/") for name in marks if name.startswith("runs/")]
    connection.execute("BEGIN")
    try:
        for table in of_tracks():
            key, values = ("run", runs) if table == "runs" else ("track", gone)
            if values:
                connection.execute(f'DELETE FROM "{table}" WHERE "{key}" IN (SELECT unnest(?))', [values])
        connection.execute("DELETE FROM _folders WHERE name IN (SELECT unnest(?))", [gone + list(marks)])
        connection.execute("DELETE FROM _derived WHERE track IN (SELECT unnest(?))", [gone])
        for table in of_tracks():
            _insert(connection, table, kinds(table), rows[table])
        folders = [{"name": name, "signature": signature} for name, signature in marks.items()]
        _insert(connection, "_folders", {"name": "VARCHAR", "signature": "VARCHAR"}, folders)
        connection.execute("INSERT INTO _unpublished VALUES ('rows')")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def derived(connection: duckdb.DuckDBPyConnection, what: str) -> dict[str, str]:
    """Track → signature of what its derived rows were made from."""
    return dict(connection.execute("SELECT track, signature FROM _derived WHERE what = ?", [what]).fetchall())


def replace_derived(
    connection: duckdb.DuckDBPyConnection,
    what: str,
    rows: Mapping[str, Sequence[Row]],
    marks: Mapping[str, str],
    only: Mapping[str, str] | None = None,
) -> None:
    """Put derived rows in the place of those that these tracks had.

    Args:
        connection: the private database, under the write lock.
        what: what was derived, for `derived`.
        rows: table → its new rows.
        marks: track → signature of what its rows were made from.
        only: table → condition in SQL, where rows of the same table that somebody else derived are to be spared.
    """
    tracks = list(marks)
    connection.execute("BEGIN")
    try:
        for table, listed in rows.items():
            condition = (only or {}).get(table, "true")
            connection.execute(f'DELETE FROM "{table}" WHERE track IN (SELECT unnest(?)) AND ({condition})', [tracks])
            _insert(connection, table, kinds(table), listed)
        connection.execute("DELETE FROM _derived WHERE what = ? AND track IN (SELECT unnest(?))", [what, tracks])
        noted = [{"what": what, "track": track, "signature": signature} for track, signature in marks.items()]
        _insert(connection, "_derived", dict.fromkeys(("what", "track", "signature"), "VARCHAR"), noted)
        connection.execute("INSERT INTO _unpublished VALUES (?)", [what])
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def replace_table(
    connection: duckdb.DuckDBPyConnection, table: str, signature: str, make: Callable[[], Iterable[Row]]
) -> None:
    """Make a table of pairs anew, where it was made from something else.

    Args:
        connection: the private database, under the write lock.
        table: which; one that belongs to no single track.
        signature: of what its rows are made from.
        make: gives all of its rows.
    """
    if derived(connection, table).get("") == signature:
        return
    rows = list(make())
    connection.execute("BEGIN")
    try:
        connection.execute(f'DELETE FROM "{table}"')
        _insert(connection, table, kinds(table), rows)
        connection.execute("DELETE FROM _derived WHERE what = ?", [table])
        connection.execute("INSERT INTO _derived VALUES (?, '', ?)", [table, signature])
        connection.execute("INSERT INTO _unpublished VALUES (?)", [table])
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _insert(connection: duckdb.DuckDBPyConnection, table: str, kinds: Mapping[str, str], rows: Iterable[Row]) -> None:
    """Insert by way of a temporary JSON file: a hundred times faster than row by row, and no further library."""
    # Half a surrogate pair, which JSON may spell and UTF-8 may not, becomes a question mark.
    lines = [json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") for row in rows]
    if not lines:
        return
    [(database,)] = connection.execute(
        "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
    ).fetchall()
    # Beside the database, and named so that the next start sweeps up what a crash leaves.
    folder = Path(database).parent if database else None  # one in memory has no place of its own
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".rows-", suffix=f".{os.getpid()}.tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"\n".join(lines))
        spec = ", ".join(f"'{column}': '{kind}'" for column, kind in kinds.items())
        names = ", ".join(f'"{column}"' for column in kinds)
        source = f"read_json(?, columns={{{spec}}}, format='newline_delimited', maximum_object_size=67108864)"
        connection.execute(f'INSERT INTO "{table}" ({names}) SELECT {names} FROM {source}', [name])
    finally:
        Path(name).unlink(missing_ok=True)


def is_published(workspace: Workspace, connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the snapshot has all that the private database has; a crash may have come between the two."""
    return workspace.catalogue.is_file() and not connection.execute("SELECT 1 FROM _unpublished LIMIT 1").fetchone()


def publish_snapshot(workspace: Workspace, connection: duckdb.DuckDBPyConnection) -> None:
    """Replace the database that people query by a copy of the private one."""
    target = workspace.catalogue
    upcoming = target.with_name(UPCOMING_NAME)
    discard(upcoming)
    try:
        private = connection.execute("SELECT current_database()").fetchone()
        connection.execute(f"ATTACH {quoted(str(upcoming))} AS snapshot (BLOCK_SIZE {BLOCK_BYTES})")
        try:
            connection.execute(f'COPY FROM DATABASE "{private[0] if private else PRIVATE_NAME}" TO snapshot')
        finally:
            connection.execute("DETACH snapshot")
        with upcoming.open("rb+") as file:
            os.fsync(file.fileno())
        # A person who opened the old snapshot for writing may have left a log, which must not meet the new one.
        target.with_name(target.name + ".wal").unlink(missing_ok=True)
        upcoming.replace(target)
        connection.execute("DELETE FROM _unpublished")
        fsync_folder(target.parent)
    except PermissionError:
        return  # Windows: somebody has it open; the next publish tries again
    except BaseException:
        discard(upcoming)
        raise


def of_results(found: Iterable[tuple[str, str, record.Results]]) -> duckdb.DuckDBPyConnection:
    """A catalogue in memory of files that no library has.

    Args:
        found: id, file name and results of each; no id twice.
    """
    connection = duckdb.connect()
    create_tables(connection)
    rows: dict[str, list[Row]] = {table: [] for table in tables()}
    for track, name, results in found:
        for analyser, result in results.items():
            if analyser != FRAMES:
                rows[analyser].append({"track": track} | record.plain(result, curves=False))
        title = library.title_of(name, results.get("metadata"), {})
        rows["library"].append({"track": track, "kind": "track", "name": printable(name), "title": title})
    for table, listed in rows.items():
        _insert(connection, table, kinds(table), listed)
    return connection


def query(workspace: Workspace, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run one query on the snapshot, read-only; return column names and rows.

    Raises:
        WorkspaceError: there is no catalogue yet.
        duckdb.Error: the query is wrong.
    """
    if not workspace.catalogue.is_file():
        raise WorkspaceError(f"There is no catalogue in {workspace.library} yet; `linernotes rebuild` makes it.")
    with duckdb.connect(str(workspace.catalogue), read_only=True) as connection:
        cursor = connection.execute(sql)
        names = [column[0] for column in cursor.description or ()]
        return names, cursor.fetchall()
