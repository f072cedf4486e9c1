"""`linernotes query`: the catalogue in three formats."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from processor.workspace import Workspace
from tests import workspaces
from tests.workspaces import Result, command

TRACKS = "SELECT name, channels FROM tracks ORDER BY name"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return workspaces.with_tracks(tmp_path_factory.mktemp("query"))


def query(workspace: Workspace, sql: str, *options: str, stdin: bytes = b"") -> Result:
    return command("query", sql, "--home", workspace.home, *options, stdin=stdin)


def rows(workspace: Workspace, sql: str) -> list[dict[str, object]]:
    result = query(workspace, sql, "--json")
    assert (result.code, result.err) == (0, "")
    return [json.loads(line) for line in result.out.splitlines()]


def test_a_table_is_for_people(workspace: Workspace) -> None:
    result = query(workspace, TRACKS)
    assert result.code == 0
    assert result.out.splitlines() == [
        "name             channels",
        "───────────────  ────────",
        "Alpha Beat.wav          2",
        "Alpha Song.flac         2",
        "Brücke.wav              2",
    ]
    assert result.err == "(3 rows)\n"
    assert query(workspace, f"{TRACKS} LIMIT 1").err == "(1 row)\n"


def test_a_table_stays_in_line(workspace: Workspace) -> None:
    """Whatever stands in it: wide letters, line breaks, marks, escapes, no value, very long text."""
    sql = """FROM (VALUES ('日本', 1.25), (E'a\\nb\\x1B[31m', NULL), ('e\u0301', 7), ('no', 'nan'::DOUBLE),
      (repeat('x', 99), -20000.5)) t(what, n)"""
    assert query(workspace, sql).out.splitlines()[2:] == [
        "日本" + " " * 56 + "      1.25",
        "a\ufffdb\ufffd[31m",
        "e\u0301" + " " * 59 + "         7",
        "no",
        "x" * 59 + "…  -20000.5",
    ]


def test_json_has_the_types_of_the_columns(workspace: Workspace) -> None:
    sql = """SELECT 1.5 AS "decimal", 2.5::DOUBLE AS "double", 'nan'::DOUBLE AS nan, 3 AS "int", true AS yes,
      NULL AS nothing,
      12345678901234567890::HUGEINT AS huge, 'ü"' AS text, DATE '2026-02-01' AS day, TIMESTAMP '2026-02-01 10:00' AS at,
      [1.5, NULL] AS list, {'a': DATE '2026-02-01'} AS struct, MAP {'k': 1.5} AS map, 'ab'::BLOB AS bytes,
      INTERVAL 1 HOUR AS hour, TIME '10:00' AS clock"""
    assert rows(workspace, sql) == [
        {
            "decimal": 1.5,
            "double": 2.5,
            "nan": None,
            "int": 3,
            "yes": True,
            "nothing": None,
            "huge": 12345678901234567890,
            "text": 'ü"',
            "day": "2026-02-01",
            "at": "2026-02-01T10:00:00",
            "list": [1.5, None],
            "struct": {"a": "2026-02-01"},
            "map": {"k": 1.5},
            "bytes": "6162",
            "hour": "1:00:00",
            "clock": "10:00:00",
        }
    ]


def test_json_loses_no_column(workspace: Workspace) -> None:
    assert rows(workspace, "SELECT 1 AS a, 2 AS a, 3 AS a, 4 AS b") == [{"a": 1, "a_1": 2, "a_2": 3, "b": 4}]
    (joined,) = rows(workspace, "FROM library JOIN levels USING (track) ORDER BY name LIMIT 1")
    assert {"title", "rms_dbfs", "sha256"} <= joined.keys()


def test_json_is_the_same_as_format_json(workspace: Workspace) -> None:
    assert query(workspace, TRACKS, "--json").out == query(workspace, TRACKS, "--format", "json").out


def test_csv_is_quoted(workspace: Workspace) -> None:
    sql = """FROM (VALUES ('a,b', 1.5, NULL), ('say "hi"', -2, true), (E'two\\nlines', NULL, false)) t(text, n, yes)"""
    result = query(workspace, sql, "--format", "csv")
    assert result.code == 0
    assert "\r" not in result.out
    assert list(csv.reader(io.StringIO(result.out))) == [
        ["text", "n", "yes"],
        ["a,b", "1.5", ""],
        ['say "hi"', "-2.0", "true"],
        ["two\nlines", "", "false"],
    ]


def test_csv_has_lists_as_json(workspace: Workspace) -> None:
    result = query(workspace, "SELECT [1, NULL] AS list, DATE '2026-02-01' AS day", "--format", "csv")
    assert result.out == 'list,day\n"[1, null]",2026-02-01\n'


def test_all_of_a_track_can_be_had_in_every_format(workspace: Workspace) -> None:
    for style in ("table", "json", "csv"):
        result = query(workspace, "FROM tracks", "--format", style)
        assert result.code == 0
        assert len(result.out.splitlines()) == {"table": 5, "json": 3, "csv": 4}[style]


def test_a_dash_reads_standard_input(workspace: Workspace) -> None:
    assert query(workspace, "-", "--json", stdin=b"SELECT 'caf\xc3\xa9' AS a").out == '{"a": "caf\\u00e9"}\n'
    assert query(workspace, "-", stdin=b"SELECT '\xff' AS a").code == 0
    assert query(workspace, "-", stdin=b"").code == 2


@pytest.mark.parametrize(
    "sql",
    ["SELEC 1", "FROM nowhere", "SELECT nothing FROM tracks", "", "  ", ";", "/* what? */", "SELECT '\udcff", "\x01"],
)
def test_a_wrong_query_is_wrong_usage(workspace: Workspace, sql: str) -> None:
    result = query(workspace, sql)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("linernotes: ")
    assert "linernotes query 'SHOW TABLES'" in result.err
    assert "Traceback" not in result.err


def test_a_time_with_a_zone_says_what_to_do(workspace: Workspace) -> None:
    result = query(workspace, "SELECT now()")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "now()::TIMESTAMP" in result.err
    assert query(workspace, "SELECT now()::TIMESTAMP").code == 0


def test_the_catalogue_is_read_only(workspace: Workspace) -> None:
    before = workspace.catalogue.read_bytes()
    for sql in ("DELETE FROM library", "CREATE TABLE mine (a INT)", "DROP VIEW tracks"):
        assert query(workspace, sql).code == 2
    assert workspace.catalogue.read_bytes() == before


def test_without_a_catalogue_there_is_a_remedy(tmp_path: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    result = query(workspace, "FROM tracks")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "`linernotes rebuild` makes it" in result.err


def test_a_broken_catalogue_is_not_the_query_s_fault(tmp_path: Path) -> None:
    workspace = workspaces.with_tracks(tmp_path)
    workspace.catalogue.write_bytes(b"torn" * 4096)
    result = query(workspace, TRACKS)
    assert result.code == 1
    assert f"{workspace.catalogue} cannot be read; `linernotes rebuild` makes it anew." in result.err
    assert command("rebuild", "--home", workspace.home).code == 0
    assert query(workspace, TRACKS).code == 0


def test_formats_are_three(workspace: Workspace) -> None:
    assert query(workspace, TRACKS, "--format", "xml").code == 2
