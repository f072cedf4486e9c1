"""Which tracks sound alike."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest

from processor import catalogue
from processor.analysis.character import Character
from processor.feedback.alike import ALIKE_BELOW, CHARACTER, NEIGHBOURS, Neighbour, neighbours
from processor.tables import create_tables
from processor.workspace import Workspace
from tests.libraries import make_track


def connected(
    vectors: dict[str, dict[str, list[float]]], songs: dict[str, str] | None = None
) -> duckdb.DuckDBPyConnection:
    """A catalogue of tracks with vectors: track → space → vector."""
    connection = duckdb.connect()
    create_tables(connection)
    for track, spaces in vectors.items():
        connection.execute("INSERT INTO library (track, title) VALUES (?, ?)", [track, f"Title of {track}"])
        for space, vector in spaces.items():
            connection.execute("INSERT INTO vectors VALUES (?, ?, ?)", [track, space, vector])
    for track, song in (songs or {}).items():
        connection.execute("INSERT INTO revisions (track, song) VALUES (?, ?)", [track, song])
    return connection


def near(connection: duckdb.DuckDBPyConnection, track: str) -> list[str]:
    return [one.track for one in neighbours(connection)[track]]


def test_the_nearest_comes_first() -> None:
    made = connected({"a": {CHARACTER: [0, 0]}, "b": {CHARACTER: [2, 0]}, "c": {CHARACTER: [0, 1]}})
    assert neighbours(made)["a"] == (
        Neighbour("c", "Title of c", 1.0, CHARACTER),
        Neighbour("b", "Title of b", 2.0, CHARACTER),
    )
    assert near(made, "c") == ["a", "b"]


def test_what_is_far_is_not_alike() -> None:
    limit = ALIKE_BELOW[CHARACTER]
    made = connected({"a": {CHARACTER: [0]}, "b": {CHARACTER: [limit - 0.01]}, "c": {CHARACTER: [-limit - 0.01]}})
    assert near(made, "a") == ["b"]


def test_bounces_of_one_song_are_no_neighbours() -> None:
    made = connected({name: {CHARACTER: [0.0, number]} for number, name in enumerate("abc")}, {"a": "a", "b": "a"})
    assert near(made, "a") == ["c"]


def test_so_many_and_no_more() -> None:
    made = connected({f"{number:02d}": {CHARACTER: [number / 10]} for number in range(9)})
    assert near(made, "00") == ["01", "02", "03", "04", "05"]
    assert len(near(made, "04")) == NEIGHBOURS


def test_an_embedding_goes_before_measures() -> None:
    made = connected(
        {
            "a": {CHARACTER: [0.0], "clap x": [1.0, 0.0]},
            "b": {CHARACTER: [0.1], "clap x": [0.0, 1.0]},
            "c": {CHARACTER: [3.0], "clap x": [2.0, 0.5]},
            "d": {CHARACTER: [0.2]},
        }
    )
    assert neighbours(made)["a"] == (Neighbour("c", "Title of c", 0.03, "clap x"),)
    assert [one.space for one in neighbours(made)["b"]] == [CHARACTER] * 3  # no embedding is near
    assert near(made, "d") == ["b", "a", "c"]


def test_vectors_of_two_versions_do_not_compare() -> None:
    assert neighbours(connected({"a": {CHARACTER: [0, 0]}, "b": {CHARACTER: [0]}})) == {}


def test_an_empty_library_and_one_track_have_none() -> None:
    assert neighbours(connected({})) == {}
    assert neighbours(connected({"a": {CHARACTER: [0]}})) == {}


def test_sql_finds_the_same() -> None:
    made = connected({"a-1": {CHARACTER: [0, 0]}, "b-2": {CHARACTER: [2, 0]}, "c-3": {CHARACTER: [0, 1]}})
    rows = made.execute("SELECT track, title, space, distance FROM sounds_like('a', 1)").fetchall()
    assert rows == [("c-3", "Title of c-3", CHARACTER, 1.0)]


def test_sql_takes_the_exact_name_before_one_that_only_begins_so_and_the_embedding_first() -> None:
    made = connected({"a": {"clap x": [1, 0], CHARACTER: [0]}, "ab": {"clap x": [0, 1], CHARACTER: [1]}})
    assert made.execute("SELECT track, space, distance FROM sounds_like('a', 5)").fetchall() == [("ab", "clap x", 1.0)]


def test_sql_leaves_out_vectors_of_another_version() -> None:
    made = connected({"a": {CHARACTER: [0, 0]}, "b": {CHARACTER: [0]}, "c": {CHARACTER: [0, 3]}})
    assert made.execute("SELECT track FROM sounds_like('a', 5)").fetchall() == [("c",)]


def test_vectors_come_out_of_the_records_and_into_the_snapshot(workspace: Workspace) -> None:
    tracks = [
        make_track(workspace, name, results={"character": Character(np.array(features))})
        for name, features in (("one.wav", [0.0, 0.5]), ("two.wav", [0.0, 1.5]), ("silent.wav", []))
    ]
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        catalogue.synchronise(workspace, connection)
        catalogue.publish_snapshot(workspace, connection)
    _, rows = catalogue.query(workspace, f"SELECT track, distance FROM sounds_like('{tracks[0].id}', 9)")
    assert rows == [(tracks[1].id, pytest.approx(1.0))]
