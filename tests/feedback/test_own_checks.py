"""A person's own checks: what a query returns offends, and nothing that it does can do harm or pass for an answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from processor import catalogue
from processor.analysis import result_types
from processor.feedback.check import Check
from processor.feedback.own_checks import library_checks, sql_checks
from processor.workspace import Workspace
from tests.libraries import invented, make_track


def stored(**changes: Any) -> dict[str, Any]:
    """Invented results, and what is changed in them: `loudness__integrated_lufs=-9.0`."""
    found = {name: invented(kind) for name, kind in result_types().items()}
    for field, value in changes.items():
        analyser, _, name = field.partition("__")
        found[analyser] = replace(found[analyser], **{name: value})
    return found


@pytest.fixture(scope="module")
def tracks() -> duckdb.DuckDBPyConnection:
    return catalogue.of_results(
        [
            ("quiet-1", "quiet.wav", stored(loudness__integrated_lufs=-20.0)),
            ("loud-2", "loud.wav", stored(loudness__integrated_lufs=-6.0)),
        ]
    )


def ask(
    tracks: duckdb.DuckDBPyConnection, folder: Path, sql: str, name: str = "mine", **options: Any
) -> dict[str, Check]:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.sql").write_text(sql)
    return {track: checks[-1] for track, checks in sql_checks(tracks, folder, **options).items()}


LOUD = """-- Nothing over −8 LUFS
-- The label
-- sends it back.
SELECT track, integrated_lufs AS found, '≤ −8 LUFS' AS expected FROM tracks WHERE integrated_lufs > -8
"""


def test_what_a_query_returns_offends_and_the_rest_passes(tracks: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    found = ask(tracks, tmp_path, LOUD, "label")
    assert found["loud-2"] == Check(
        id="own.label",
        title="Nothing over −8 LUFS",
        status="fail",
        expected="≤ −8 LUFS",
        found="−6",
        why="The label sends it back.",
        field="",
        source="a check of your own: checks/label.sql",
    )
    assert (found["quiet-1"].status, found["quiet-1"].title) == ("pass", "Nothing over −8 LUFS")


def test_each_file_is_a_check_in_the_order_of_names(tracks: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        ask(tracks, tmp_path, "SELECT track FROM library WHERE false", name)
    (tmp_path / "notes.txt").write_text("no check")
    (tmp_path / "folder.sql").mkdir()
    found = sql_checks(tracks, tmp_path)
    assert [check.id for check in found["loud-2"]] == ["own.a", "own.b", "own.c"]
    assert [check.title for check in found["loud-2"]] == ["a", "b", "c"]
    assert set(found) == {"loud-2", "quiet-1"}


def test_no_folder_is_no_check(tracks: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    assert sql_checks(tracks, tmp_path / "none") == {"loud-2": (), "quiet-1": ()}


def test_a_row_may_say_warn_and_why(tracks: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    sql = "-- title\n-- the reason\nSELECT track, 'warn' AS status, 'because' AS why FROM library"
    check = ask(tracks, tmp_path, sql)["loud-2"]
    assert (check.status, check.why) == ("warn", "because")


def test_of_several_rows_the_worst_counts(tracks: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rows = "(VALUES (1, 'warn'), (2, 'fail'), (3, NULL)) AS r(found, status)"
    check = ask(tracks, tmp_path, f"SELECT track, found, status FROM library, {rows} ORDER BY found")["loud-2"]
    assert (check.status, check.found) == ("fail", "2 (and 2 more)")


def test_what_a_row_says_is_one_harmless_line(tracks: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    check = ask(
        tracks,
        tmp_path,
        "SELECT track, 'a' || chr(27) || chr(10) || 'b' AS found, repeat('x', 999) AS why FROM library",
    )
    assert check["loud-2"].found == "a\ufffd b"
    assert check["loud-2"].why == "x" * 299 + "…"


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT track FROM nowhere", "Table with name nowhere does not exist"),
        ("SELEKT", "syntax error"),
        ("", "one SELECT"),
        ("-- only a title", "one SELECT"),
        ("SELECT 1 AS other", "no column `track`"),
        ("SELECT track FROM library; SELECT track FROM library", "one SELECT"),
        ("DELETE FROM library", "one SELECT"),
        ("ATTACH 'x.db'", "one SELECT"),
        ("PRAGMA database_list", "one SELECT"),
        ("COPY library TO 'x.csv'", "one SELECT"),
        ("SELECT name AS track FROM library", "a track that there is not: quiet.wav"),
        ("SELECT NULL AS track", "a track that there is not: NULL"),
        ("SELECT track, 'bad' AS status FROM library", "its status is bad"),
        ("SELECT content AS track FROM read_text('/etc/hostname')", "disabled by configuration"),
        ("SELECT file AS track FROM glob('/*')", "disabled by configuration"),
        ("WITH d AS (DELETE FROM library RETURNING track) SELECT track FROM d", "read-only"),
    ],
)
def test_a_broken_check_passes_for_nothing(
    tracks: duckdb.DuckDBPyConnection, tmp_path: Path, sql: str, why: str
) -> None:
    found = ask(tracks, tmp_path, sql)
    assert set(found) == {"loud-2", "quiet-1"}
    for check in found.values():
        assert check.status == "fail"
        assert check.why.startswith("This check is broken: ")
        assert why in check.why
        assert "checks-" not in check.why
    assert tracks.execute("SELECT count(*) FROM library").fetchone() == (2,)


@pytest.mark.parametrize(
    ("content", "why"), [(b"-- \xff\nSELECT", "it is not UTF-8."), (b"-" * 100_001, "it has more than 100000 bytes.")]
)
def test_a_file_that_is_no_text(tracks: duckdb.DuckDBPyConnection, tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "odd.sql").write_bytes(content)
    [check] = sql_checks(tracks, tmp_path)["loud-2"]
    assert (check.status, check.why) == ("fail", f"This check is broken: {why}")


def test_a_query_without_end_is_stopped(tracks: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    endless = "SELECT sum(a.range * b.range)::VARCHAR AS track FROM range(9000000) a, range(9000000) b"
    check = ask(tracks, tmp_path, endless, "a", timeout_s=0.3)["loud-2"]
    assert (check.status, check.why) == ("fail", "This check is broken: it was not done after 0.3 s.")
    (tmp_path / "b.sql").write_text("SELECT track FROM library WHERE false")
    assert [check.status for check in sql_checks(tracks, tmp_path, timeout_s=0.3)["loud-2"]] == ["fail", "pass"]


def test_rows_without_end_are_not_read(
    tracks: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processor.feedback.own_checks.MAX_ROWS", 1500)
    three = ask(tracks, tmp_path, "SELECT track FROM library, range(750)")["loud-2"]
    assert (three.status, three.found) == ("fail", "(and 749 more)")
    check = ask(tracks, tmp_path, "SELECT track FROM library, range(751)")["loud-2"]
    assert check.why == "This check is broken: it returns more than 1500 rows."


def test_the_catalogue_itself_stays_open_to_files(tmp_path: Path) -> None:
    """Whoever asks goes on to write to it, by way of files."""
    connection = catalogue.of_results([("a-1", "a.wav", stored())])
    text = tmp_path / "text"
    text.write_text("words")
    ask(connection, tmp_path / "checks", "SELECT track FROM library")
    assert connection.execute("SELECT content FROM read_text(?)", [str(text)]).fetchone() == ("words",)


def test_a_published_catalogue_is_asked_and_left_alone(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "it's home")
    track = make_track(workspace, "One.wav")
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        catalogue.synchronise(workspace, connection)
        catalogue.publish_snapshot(workspace, connection)
    before = workspace.catalogue.read_bytes()
    folder = workspace.library / "checks"
    folder.mkdir()
    assert library_checks(workspace, folder) == {}
    (folder / "all.sql").write_text("SELECT track, folder AS found FROM library")
    [check] = library_checks(workspace, folder)[track.id]
    assert (check.status, check.found) == ("fail", f"2026/11/20/{track.id}")
    assert workspace.catalogue.read_bytes() == before
    assert [path.name for path in workspace.library.glob(".checks*")] == []
    workspace.catalogue.write_bytes(b"no database")
    assert library_checks(workspace, folder) == {}
    workspace.catalogue.unlink()
    assert library_checks(workspace, folder) == {}


def test_files_that_no_library_has_are_tables() -> None:
    results = stored(metadata__title=None, source__channels=1, loudness__integrated_lufs=-14.0)
    connection = catalogue.of_results([("a-1", "A\x1b song.wav", results)])
    row = connection.execute(
        "SELECT track, name, title, kind, channels, integrated_lufs, folder FROM tracks"
    ).fetchone()
    assert row == ("a-1", "A\ufffd song.wav", "A\ufffd song", "track", 1, -14.0, None)
    assert catalogue.of_results([]).execute("SELECT count(*) FROM tracks").fetchone() == (0,)
