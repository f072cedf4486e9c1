"""The catalogue is what the folders say, whatever happened to it, and people can always read it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from processor import catalogue, library
from processor.analysis import result_types
from processor.errors import WorkspaceError
from processor.files import remove_leftovers
from processor.quantities import columns
from processor.tables import FRAMES
from processor.workspace import Workspace
from tests.libraries import HOSTILE, fail, log_run, make_track, say, song_results

# Of frames there is a row a second, which has tests of its own.
NUMBERED = {name: kind for name, kind in result_types().items() if name != FRAMES}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    place = Workspace(tmp_path)
    place.create()
    return place


def synchronise(workspace: Workspace) -> catalogue.Changes:
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        changes = catalogue.synchronise(workspace, connection)
        catalogue.publish_snapshot(workspace, connection)
    return changes


def ask(workspace: Workspace, sql: str) -> list[tuple[Any, ...]]:
    return catalogue.query(workspace, sql)[1]


def test_each_analyser_is_a_table_with_a_comment_on_each_column(workspace: Workspace) -> None:
    make_track(workspace, "One.wav")
    synchronise(workspace)
    for name, kind in NUMBERED.items():
        found = dict(ask(workspace, f"SELECT column_name, comment FROM duckdb_columns() WHERE table_name = '{name}'"))
        expected = {column.name for column in columns(kind) if not column.is_curve}
        assert set(found) == expected | {"track"}
        for column in columns(kind):
            if not column.is_curve:
                assert column.quantity.help in found[column.name]
                assert column.quantity.source in found[column.name]
                assert f"{name}.{column.name}" in found[column.name]


def test_tracks_has_one_row_a_track_with_all_numbers(workspace: Workspace) -> None:
    make_track(workspace, "One.wav", path="Album/One.wav", loudness__integrated_lufs=-9.5)
    second = make_track(workspace, "Two.wav", loudness__integrated_lufs=None)
    fail(second, "levels", "it broke")
    synchronise(workspace)
    rows = ask(
        workspace,
        "SELECT name, collection, integrated_lufs, true_peak_dbtp, rms_dbfs, channel_rms_dbfs FROM tracks ORDER BY 1",
    )
    assert rows[0][:3] == ("One.wav", "Album", -9.5)
    assert rows[0][5] == [-1.5, -2.5]
    assert rows[1][1] is None
    assert rows[1][2] is None
    assert rows[1][4] is None
    assert ask(workspace, "FROM failures") == [(second.id, "levels", "failed", "it broke")]
    scalars = {c.name for kind in NUMBERED.values() for c in columns(kind) if not c.is_curve}
    names, _ = catalogue.query(workspace, "FROM tracks LIMIT 0")
    assert {name for name in scalars if not any(n == name or n.endswith(f"_{name}") for n in names)} == set()
    assert len(names) == len(set(names))


def test_a_persons_word_beats_the_tag(workspace: Workspace) -> None:
    track = make_track(workspace, "One.wav", metadata__title="Tagged", metadata__genre="pop", metadata__artist="Ann")
    synchronise(workspace)
    assert ask(workspace, "SELECT title, genre, artist, rating FROM tracks") == [("Tagged", "pop", "Ann", None)]
    say(track, title="Said", genre="techno", rating=4, note="quote ' and \" and \n", collection="Mine")
    synchronise(workspace)
    assert ask(workspace, "SELECT title, genre, artist, rating, collection FROM tracks") == [
        ("Said", "techno", "Ann", 4, "Mine")
    ]
    assert ask(workspace, "SELECT note FROM tracks WHERE genre = 'techno' AND rating >= 4") == [
        ("quote ' and \" and \n",)
    ]


def test_drops_say_when_and_which_were_known_already(workspace: Workspace) -> None:
    track = make_track(workspace, "One.wav")
    again = library.Arrival("2026-11-21T08:30:00+02:00", "Again.wav", 9, 2, 2)
    assert library.note_arrival(track, again)
    synchronise(workspace)
    rows = ask(workspace, "SELECT time_utc, path, is_duplicate FROM drops ORDER BY time_utc")
    assert rows == [
        (datetime(2026, 11, 20, 6, 30), "One.wav", False),
        (datetime(2026, 11, 21, 6, 30), "Again.wav", True),
    ]
    assert ask(workspace, "SELECT arrived_utc FROM tracks") == [(datetime(2026, 11, 20, 6, 30),)]


def test_only_what_changed_is_read_again(workspace: Workspace) -> None:
    one, two = make_track(workspace, "One.wav"), make_track(workspace, "Two.wav")
    assert {track.id for track in synchronise(workspace).changed} == {one.id, two.id}
    assert synchronise(workspace).changed == []
    say(two, rating=1)
    assert [track.id for track in synchronise(workspace).changed] == [two.id]
    shutil.rmtree(one.folder)
    changes = synchronise(workspace)
    assert (changes.changed, changes.removed) == ([], [one.id])
    for table in ("library", "drops", *NUMBERED):
        assert ask(workspace, f"SELECT DISTINCT track FROM {table}") == [(two.id,)]


def test_a_track_that_moves_to_another_day_is_found_there(workspace: Workspace) -> None:
    track = make_track(workspace, "One.wav")
    synchronise(workspace)
    target = workspace.library / "2025/01/02" / track.id
    target.parent.mkdir(parents=True)
    track.folder.rename(target)
    synchronise(workspace)
    assert ask(workspace, "SELECT folder FROM library") == [(f"2025/01/02/{track.id}",)]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"schema": 99}', b'{"schema": 1, "results": 3}', b"\xff\xfe"])
def test_a_broken_record_costs_only_itself(workspace: Workspace, content: bytes) -> None:
    broken = make_track(workspace, "Broken.wav")
    make_track(workspace, "Whole.wav")
    (broken.folder / "record.json").write_bytes(content)
    changes = synchronise(workspace)
    assert len(changes.problems) == 1
    assert broken.id in changes.problems[0]
    assert ask(workspace, "SELECT name FROM tracks") == [("Whole.wav",)]


def test_a_result_that_was_edited_by_hand_into_nonsense_is_left_out(workspace: Workspace) -> None:
    track = make_track(workspace, "One.wav")
    path = track.folder / "record.json"
    tree = json.loads(path.read_bytes())
    tree["results"]["loudness"]["integrated_lufs"] = "loud"
    path.write_text(json.dumps(tree))
    synchronise(workspace)
    assert ask(workspace, "SELECT integrated_lufs, rms_dbfs IS NOT NULL FROM tracks") == [(None, True)]


@pytest.mark.parametrize("text", [HOSTILE, "null \x00 byte", "x" * 100_000, "'; DROP TABLE library; --", "\ud800 lone"])
def test_hostile_text_arrives_as_text(workspace: Workspace, text: str) -> None:
    track = make_track(workspace, "One.wav")
    (track.folder / "person.json").write_text(json.dumps({"title": text, "note": text}))
    changes = synchronise(workspace)
    assert changes.problems == []
    [(title, note)] = ask(workspace, "SELECT title, note FROM tracks")
    assert title
    assert note


def test_run_logs_become_rows_and_torn_lines_do_not(workspace: Workspace) -> None:
    log_run(
        workspace,
        {"event": "started", "name": "run"},
        {"event": "stored", "name": "a.wav", "track": "a-1", "seconds": {"decode": 0.5}},
    )
    with (workspace.runs / "2026-11-20T06-30-00-1.jsonl").open("a") as file:
        file.write('{"at": "2026-11-20T06:31:00+00:00", "event": "fai')
    synchronise(workspace)
    assert ask(workspace, "SELECT event, name, seconds['decode'] FROM runs ORDER BY event") == [
        ("started", "run", None),
        ("stored", "a.wav", 0.5),
    ]


def test_an_open_session_goes_on_and_the_next_one_sees_the_new_rows(workspace: Workspace) -> None:
    make_track(workspace, "One.wav")
    synchronise(workspace)
    reader = (
        "import duckdb, sys\n"
        f"c = duckdb.connect({str(workspace.catalogue)!r}, read_only=True)\n"
        "print(c.execute('SELECT count(*) FROM tracks').fetchone()[0], flush=True)\n"
        "sys.stdin.readline()\n"
        "print(c.execute('SELECT count(*) FROM tracks').fetchone()[0], flush=True)\n"
        "c.close()\n"
        f"c = duckdb.connect({str(workspace.catalogue)!r}, read_only=True)\n"
        "print(c.execute('SELECT count(*) FROM tracks').fetchone()[0])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", reader], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "1"
        make_track(workspace, "Two.wav")
        synchronise(workspace)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline().strip() == "1"
        assert process.stdout.readline().strip() == "2"
    assert process.returncode == 0


def test_a_log_that_somebody_left_beside_the_snapshot_does_not_meet_the_new_one(workspace: Workspace) -> None:
    make_track(workspace, "One.wav")
    synchronise(workspace)
    writer = (
        "import duckdb, os\n"
        f"c = duckdb.connect({str(workspace.catalogue)!r})\n"
        "c.execute('CREATE TABLE mine (x INT)'); c.execute('INSERT INTO mine VALUES (1)')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", writer], check=False)
    assert workspace.catalogue.with_name("catalogue.duckdb.wal").exists()
    make_track(workspace, "Two.wav")
    synchronise(workspace)
    assert ask(workspace, "SELECT count(*) FROM tracks") == [(2,)]
    assert not workspace.catalogue.with_name("catalogue.duckdb.wal").exists()


@pytest.fixture
def torn(workspace: Workspace) -> Path:
    make_track(workspace, "One.wav")
    synchronise(workspace)
    return workspace.state / catalogue.PRIVATE_NAME


def test_a_torn_database_is_made_anew(workspace: Workspace, torn: Path) -> None:
    torn.write_bytes(b"no database" * 1000)
    synchronise(workspace)
    assert ask(workspace, "SELECT name FROM tracks") == [("One.wav",)]


def test_a_database_of_another_layout_is_made_anew(workspace: Workspace, torn: Path) -> None:
    with duckdb.connect(str(torn)) as connection:
        connection.execute("UPDATE _meta SET layout = 'older'")
        connection.execute("DROP VIEW tracks")
    synchronise(workspace)
    assert ask(workspace, "SELECT name FROM tracks") == [("One.wav",)]


def test_nothing_is_left_beside_the_snapshot(workspace: Workspace) -> None:
    make_track(workspace, "One.wav")
    synchronise(workspace)
    assert sorted(path.name for path in workspace.library.iterdir() if path.is_file()) == ["catalogue.duckdb"]


def test_a_failed_snapshot_leaves_the_old_one(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    make_track(workspace, "One.wav")
    synchronise(workspace)
    make_track(workspace, "Two.wav")

    def no_room(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(catalogue, "fsync_folder", no_room)
    monkeypatch.setattr(Path, "replace", lambda self, target: no_room(self))
    with pytest.raises(OSError, match="No space"):
        synchronise(workspace)
    monkeypatch.undo()
    assert ask(workspace, "SELECT count(*) FROM tracks") == [(1,)]
    assert not workspace.catalogue.with_name("catalogue.next.duckdb").exists()


def test_rows_on_their_way_lie_where_a_crash_is_swept_up(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    make_track(workspace, "One.wav")
    monkeypatch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
    synchronise(workspace)
    monkeypatch.undo()
    left = [path for path in workspace.state.iterdir() if path.name.startswith(".rows-")]
    assert left
    remove_leftovers(workspace.state)
    assert not any(path.exists() for path in left)


def test_a_query_cannot_write(workspace: Workspace) -> None:
    make_track(workspace, "One.wav")
    synchronise(workspace)
    with pytest.raises(duckdb.Error, match="read-only"):
        catalogue.query(workspace, "DELETE FROM library")


def test_without_a_catalogue_the_way_out_is_named(workspace: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="linernotes rebuild"):
        catalogue.query(workspace, "SELECT 1")


def test_frames_that_were_edited_into_nonsense_are_left_out(workspace: Workspace) -> None:
    make_track(workspace, "song.wav")  # whose invented curves have no common length
    synchronise(workspace)
    assert ask(workspace, "SELECT * FROM frames") == []


def test_frames_have_a_row_a_second(workspace: Workspace) -> None:
    found = song_results()["frames"]
    seconds = found.loudness_lufs.size
    heard = replace(
        found,
        tag_names=("drums", "bass"),
        top_tags=np.array([[1.0, 0.0, np.nan]] + [[np.nan] * 3] * (seconds - 1)),
        stem_names=("vocals",),
        stem_levels_db=np.linspace(-40.0, -20.0, seconds)[None],
    )
    track = make_track(workspace, "song.wav", results={"frames": heard})
    make_track(workspace, "other.wav")
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        catalogue.synchronise(workspace, connection)
        catalogue.publish_snapshot(workspace, connection)
    names, rows = catalogue.query(workspace, f"SELECT * FROM frames WHERE track = '{track.id}' ORDER BY second")
    assert [row[names.index("second")] for row in rows] == list(range(seconds))
    assert rows[0][names.index("tags")] == ["bass", "drums"]
    assert rows[1][names.index("tags")] == []
    assert rows[-1][names.index("vocals_db")] == -20.0
    loud = [row[names.index("loudness_lufs")] for row in rows]
    assert loud == [None if np.isnan(value) else pytest.approx(value, abs=1e-3) for value in found.loudness_lufs]
    assert {row[names.index("piano_db")] for row in rows} == {None}


def test_every_column_of_frames_says_what_it_is(workspace: Workspace) -> None:
    make_track(workspace, "song.wav")
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        catalogue.synchronise(workspace, connection)
        told = connection.execute("SELECT comment FROM duckdb_columns() WHERE table_name = 'frames'").fetchall()
    assert len(told) > 8
    assert all(comment for (comment,) in told)
