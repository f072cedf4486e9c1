"""From the inbox to the library and the site: everything once, whatever comes twice, changes, or goes away."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from processor import audio, graph, inbox, later, library, pipeline, setaside
from processor.analysis import all_analysers, result_types
from processor.audio import Audio
from processor.config import Analysers, Limits, Settings, Workers
from processor.engine import Engine, Job, analyse
from processor.errors import LinerNotesError, NotAudio, RecordError, WorkspaceBusy, WorkspaceError
from processor.graph import Known, Outcome, analyser, deep
from processor.inbox import Drop
from processor.library import PERSON_NAME, Track
from processor.pipeline import Event, RunLog, Stale, process, publish, refresh, run_all, stale_tracks
from processor.quantities import quantity
from processor.record import ARRAYS_NAME, RECORD_NAME, read
from processor.workspace import Workspace
from tests.faults.doubles import (
    InlineEngine,
    arrived,
    check_sound,
    contents,
    cut_tone,
    drops_in,
    files_below,
    kinds,
    leftovers,
    names,
    run,
    sha256,
    tone,
)


def the_track(workspace: Workspace) -> Track:
    (track,) = library.tracks(workspace)
    return track


# One track's way.


def test_a_drop_becomes_a_track(workspace: Workspace, settings: Settings) -> None:
    path = tone(workspace.inbox / "Album" / "My Song.wav")
    content = path.read_bytes()
    (event,) = run(workspace, settings)
    track = the_track(workspace)
    assert (event.event, event.name, event.track, event.reason) == ("stored", "Album/My Song.wav", track.id, None)
    assert {"claim", "decode", "loudness", "store"} <= event.seconds.keys()
    assert names(track.folder) == ["arrays.npz", "drops.jsonl", "my-song.wav", "record.json"]
    assert (track.folder / "my-song.wav").read_bytes() == content
    record = read(track.folder, result_types())
    assert (record.kind, record.name) == ("track", "My Song.wav")
    assert record.results["source"].duration_s == pytest.approx(0.3)
    assert [arrival.path for arrival in library.arrivals(track)] == ["Album/My Song.wav"]
    assert drops_in(workspace) == []
    publish(workspace)
    assert set(names(track.folder)) - {"report"} == {
        "arrays.npz",
        "drops.jsonl",
        "my-song.wav",
        "record.json",
        "report.md",
    }
    check_sound(workspace)


def test_an_empty_inbox_is_no_work(workspace: Workspace, settings: Settings) -> None:
    assert run(workspace, settings) == []


def test_a_file_from_elsewhere_stays_where_it_is(workspace: Workspace, settings: Settings, tmp_path: Path) -> None:
    good, bad = tone(tmp_path / "a.wav"), tmp_path / "b.wav"
    bad.write_text("words")
    for expected in ({"a.wav": "stored", "b.wav": "failed"}, {"a.wav": "duplicate", "b.wav": "failed"}):
        assert kinds(run(workspace, settings, drops=inbox.drops_from([good, bad]).drops)) == expected
    assert good.exists()
    assert bad.exists()
    assert list(arrived(workspace).values()) == [1], "naming a file twice is no second drop"


def test_what_is_too_large_is_not_even_read(workspace: Workspace, settings: Settings, tmp_path: Path) -> None:
    with (workspace.inbox / "huge.wav").open("wb") as file:
        file.truncate(2_000_000_000)
    (event,) = run(workspace, settings)
    assert (event.event, event.track) == ("failed", None)
    assert "2.00 GB; the limit is 1.00 GB (limits.file_bytes)" in str(event.reason)
    assert names(workspace.failed) == ["huge.wav", "huge.wav.error.txt"]
    tight = replace(settings, limits=Limits(file_bytes=10))
    (event,) = run(workspace, tight, drops=inbox.drops_from([tone(tmp_path / "a.wav")]).drops)
    assert event.event == "failed"
    assert names(workspace.failed) == ["huge.wav", "huge.wav.error.txt"]


def test_an_analysis_that_fails_sets_the_file_aside_in_one_line(workspace: Workspace, settings: Settings) -> None:
    def fail(job: Job) -> Outcome:
        raise LinerNotesError("Two\n\nlines \x1b[31m")

    content = tone(workspace.inbox / "a.wav").read_bytes()
    (event,) = run(workspace, settings, InlineEngine(fail))
    assert (event.event, event.reason) == ("failed", "Two lines \ufffd[31m")
    assert (workspace.failed / "a.wav").read_bytes() == content
    assert [one.reason for one in setaside.failures(workspace)] == ["Two lines \ufffd[31m"]
    check_sound(workspace, published=False)


def test_a_record_that_cannot_be_written_sets_the_file_aside(
    workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RecordError("The record would have 70000 bytes; at most 65536 are allowed.")

    monkeypatch.setattr(library.records, "write", refuse)
    tone(workspace.inbox / "a.wav")
    assert kinds(run(workspace, settings)) == {"a.wav": "failed"}
    check_sound(workspace, published=False)


def test_a_drop_that_cannot_be_read_is_left_and_the_others_are_not(
    workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("closed.wav", "open.wav"):
        tone(workspace.inbox / name, 100 + len(name))
    original = os.open

    def refusing(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if str(path).endswith("closed.wav"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return original(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", refusing)
    events = run(workspace, settings)
    assert kinds(events) == {"closed.wav": "left", "open.wav": "stored"}
    assert events[0].reason == "it cannot be read: Permission denied"
    assert [drop.name for drop in drops_in(workspace)] == ["closed.wav"]
    assert leftovers(workspace) == []


# The same again.


def test_the_same_bytes_under_two_names_are_one_track(workspace: Workspace, settings: Settings) -> None:
    expected = {sha256(tone(workspace.inbox / name)): 2 for name in ("a.wav", "b.wav")}
    events = run(workspace, settings)
    assert sorted(kinds(events).values()) == ["duplicate", "stored"]
    assert {event.track for event in events} == {the_track(workspace).id}
    assert arrived(workspace) == expected
    check_sound(workspace, published=False)


def test_the_same_bytes_later_are_not_analysed_again(workspace: Workspace, settings: Settings) -> None:
    engine = InlineEngine()
    expected = {sha256(tone(workspace.inbox / "a.wav")): 3}
    run(workspace, settings, engine)
    for name in ("b.wav", "a.wav"):
        tone(workspace.inbox / name)
        (event,) = run(workspace, settings, engine)
        assert (event.event, event.track) == ("duplicate", the_track(workspace).id)
    assert len(engine.jobs) == 1
    assert arrived(workspace) == expected
    check_sound(workspace, published=False)


def test_another_sound_of_the_same_name_is_another_track(workspace: Workspace, settings: Settings) -> None:
    for hz in (300, 400):
        tone(workspace.inbox / "a.wav", hz)
        assert kinds(run(workspace, settings)) == {"a.wav": "stored"}
    assert len(library.tracks(workspace)) == 2
    check_sound(workspace, published=False)


@pytest.mark.parametrize("damage", ["lost", "damaged"])
def test_a_drop_is_not_thrown_away_when_the_library_lost_its_bytes(
    workspace: Workspace, settings: Settings, damage: str
) -> None:
    content = tone(workspace.inbox / "a.wav").read_bytes()
    run(workspace, settings)
    source = the_track(workspace).source
    assert source is not None
    source.unlink() if damage == "lost" else source.write_bytes(content[:-1])
    tone(workspace.inbox / "again.wav")
    assert kinds(run(workspace, settings)) == {"again.wav": "duplicate"}
    assert source.read_bytes() == content
    check_sound(workspace, published=False)


def test_a_track_that_was_taken_away_is_made_again(workspace: Workspace, settings: Settings) -> None:
    tone(workspace.inbox / "a.wav")
    run(workspace, settings)
    shutil.rmtree(the_track(workspace).folder)
    tone(workspace.inbox / "a.wav")
    assert kinds(run(workspace, settings)) == {"a.wav": "stored"}


def test_hashes_that_begin_alike_do_not_merge_two_sounds(
    workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = inbox.copy_hashed
    monkeypatch.setattr(inbox, "copy_hashed", lambda *files: "12345678" + original(*files)[8:])
    for folder, hz in (("x", 300), ("y", 400), ("z", 300)):
        tone(workspace.inbox / folder / "a.wav", hz)
    monkeypatch.setattr(library, "has_source", lambda track, sha256: True)
    events = run(workspace, settings)
    assert sorted(kinds(events).values()) == ["duplicate", "stored", "stored"]
    first, second = sorted(library.tracks(workspace), key=lambda track: len(track.id))
    assert first.id == "a-12345678"
    assert second.id.startswith("a-12345678")
    assert len(second.id) > len(first.id)
    assert max(contents(workspace).values()) == 1
    assert sum(arrived(workspace).values()) == 3
    tone(workspace.inbox / "again.wav", 300)
    tone(workspace.inbox / "and again.wav", 400)
    tone(workspace.inbox / "third.wav", 500)
    assert kinds(run(workspace, settings)) == {
        "again.wav": "duplicate",
        "and again.wav": "duplicate",
        "third.wav": "stored",
    }


# What changes meanwhile.


def meddling(meddle: Callable[[], object], function: Callable[[Job], Outcome] = analyse) -> InlineEngine:
    """An engine during whose first analysis something happens."""
    happened = []

    def analyse_and_meddle(job: Job) -> Outcome:
        if not happened:
            happened.append(meddle())
        return function(job)

    return InlineEngine(analyse_and_meddle)


def test_a_file_that_changes_while_it_is_analysed_stays_as_something_new(
    workspace: Workspace, settings: Settings
) -> None:
    path = tone(workspace.inbox / "a.wav", 300)
    first = sha256(path)
    (event,) = run(workspace, settings, meddling(lambda: tone(path, 400)))
    assert event.event == "stored"
    assert "stays in the inbox" in str(event.reason)
    assert contents(workspace) == {first: 1}, "what was analysed is what is stored"
    assert kinds(run(workspace, settings)) == {"a.wav": "stored"}
    assert set(arrived(workspace).values()) == {1}
    check_sound(workspace, published=False)


def test_a_file_that_changes_while_it_is_found_bad_is_not_set_aside(workspace: Workspace, settings: Settings) -> None:
    def fail(job: Job) -> Outcome:
        raise NotAudio("Only words.")

    path = workspace.inbox / "a.wav"
    path.write_text("words")
    (event,) = run(workspace, settings, meddling(lambda: tone(path), fail))
    assert event.event == "left"
    assert names(workspace.failed) == []
    assert kinds(run(workspace, settings)) == {"a.wav": "stored"}


def test_a_file_that_changed_since_it_was_seen_is_looked_at_again(workspace: Workspace, settings: Settings) -> None:
    path = tone(workspace.inbox / "a.wav", 300)
    seen = drops_in(workspace)
    tone(path, 400)
    assert kinds(run(workspace, settings, drops=seen)) == {"a.wav": "left"}
    assert library.tracks(workspace) == []
    assert kinds(run(workspace, settings)) == {"a.wav": "stored"}
    assert arrived(workspace) == {sha256(the_track(workspace).source or Path()): 1}


def test_a_file_that_is_being_written_while_it_is_copied_is_left(
    workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tone(workspace.inbox / "a.wav")
    original = inbox.copy_hashed

    def copy_while_it_grows(reader: Any, target: Path) -> str:
        found = original(reader, target)
        with path.open("ab") as file:
            file.write(b"more")
        return found

    monkeypatch.setattr(inbox, "copy_hashed", copy_while_it_grows)
    assert kinds(run(workspace, settings)) == {"a.wav": "left"}
    assert (library.tracks(workspace), leftovers(workspace)) == ([], [])


def test_a_file_or_a_folder_that_vanishes_is_nothing(workspace: Workspace, settings: Settings) -> None:
    for name in ("gone.wav", "folder/gone.wav", "here.wav"):
        tone(workspace.inbox / name, 100 + len(name))
    seen = drops_in(workspace)
    (workspace.inbox / "gone.wav").unlink()
    shutil.rmtree(workspace.inbox / "folder")
    assert kinds(run(workspace, settings, drops=seen)) == {"here.wav": "stored"}


def test_a_file_that_vanishes_while_it_is_analysed_is_stored(workspace: Workspace, settings: Settings) -> None:
    path = tone(workspace.inbox / "a.wav")
    (event,) = run(workspace, settings, meddling(path.unlink))
    assert (event.event, event.reason) == ("stored", None)
    check_sound(workspace, published=False)


def test_what_took_the_place_of_a_drop_is_left_alone(workspace: Workspace, settings: Settings, tmp_path: Path) -> None:
    for name in ("fifo.wav", "link.wav", "folder.wav"):
        tone(workspace.inbox / name, 100 + len(name))
    seen = drops_in(workspace)
    secret = tone(tmp_path / "secret.wav")
    for drop in seen:
        drop.path.unlink()
    os.mkfifo(workspace.inbox / "fifo.wav")
    (workspace.inbox / "link.wav").symlink_to(secret)
    (workspace.inbox / "folder.wav").mkdir()
    assert set(kinds(run(workspace, settings, drops=seen)).values()) == {"left"}
    assert library.tracks(workspace) == []
    assert secret.exists()
    assert names(workspace.inbox) == ["failed", "fifo.wav", "folder.wav", "link.wav"]


# Patience.


@pytest.mark.parametrize("make", [cut_tone, lambda path: path.write_text("words") and path])
@pytest.mark.parametrize(
    ("mtime", "expected"),
    [(-5.0, {"left"}), (-60.0, {"failed", "stored"}), (+1e6, {"left"})],
    ids=["young", "old", "future"],
)
def test_a_young_doubtful_file_is_left_alone(
    workspace: Workspace,
    settings: Settings,
    make: Callable[[Path], Path],
    mtime: float,
    expected: set[str],
) -> None:
    path = make(workspace.inbox / "a.wav")
    os.utime(path, (time.time(), time.time() + mtime))
    (event,) = process(workspace, settings, drops_in(workspace), InlineEngine(), patience_s=30)
    assert event.event in expected
    assert path.exists() == (event.event == "left")
    assert leftovers(workspace) == []


def test_a_file_of_the_future_is_not_left_for_ever(
    workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = workspace.inbox / "a.wav"
    path.write_text("words")
    os.utime(path, (time.time() + 1e6, time.time() + 1e6))
    later = time.time() + 60
    monkeypatch.setattr(inbox.time, "time", lambda: later)
    (event,) = process(workspace, settings, drops_in(workspace), InlineEngine(), patience_s=30)
    assert event.event == "failed"


def test_a_young_whole_file_is_stored_at_once(workspace: Workspace, settings: Settings) -> None:
    tone(workspace.inbox / "a.wav")
    (event,) = process(workspace, settings, drops_in(workspace), InlineEngine(), patience_s=30)
    assert event.event == "stored"


def test_a_file_from_elsewhere_needs_no_patience(workspace: Workspace, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("words")
    drops = inbox.drops_from([tmp_path / "a.wav"]).drops
    (event,) = process(workspace, settings, drops, InlineEngine(), patience_s=30)
    assert event.event == "failed"


# Several at once.


def _process_all(home: Path, drops: list[Drop], barrier: Any, results: Any) -> None:
    barrier.wait()
    events = list(process(Workspace(home), Settings(), drops, InlineEngine()))
    results.put([(event.event, event.name) for event in events])


def test_two_processes_over_one_inbox_store_everything_once(workspace: Workspace) -> None:
    expected = {}
    for number in range(12):
        expected[sha256(tone(workspace.inbox / f"{number}.wav", 200 + 20 * (number // 2)))] = 2
    words = set()
    for number in range(12):
        (workspace.inbox / f"{number}").mkdir()
        (workspace.inbox / f"{number}" / "words.txt").write_text(f"words {number}")
        words.add(f"words {number}")
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    orders = [drops_in(workspace), drops_in(workspace)[::-1]]
    processes = [
        context.Process(target=_process_all, args=(workspace.home, order, barrier, results), daemon=True)
        for order in orders
    ]
    for one in processes:
        one.start()
    told = [event for _ in processes for event in results.get(timeout=60)]
    for one in processes:
        one.join()
    assert contents(workspace) == dict.fromkeys(expected, 1)
    assert arrived(workspace) == expected
    check_sound(workspace, published=False)
    assert {(workspace.failed / one.name).read_text() for one in setaside.failures(workspace)} == words
    assert len(told) == len(set(told)) == 24, "each drop was told of by one of them"
    assert sorted(kind for kind, _ in told) == ["duplicate"] * 6 + ["failed"] * 12 + ["stored"] * 6


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (library, "place"),
        (library, "note_arrival"),
        (setaside, "set_aside"),
        (setaside, "remove_orphan_texts"),
        (pipeline.catalogue, "synchronise"),
        (pipeline.pages, "publish"),
        (pipeline, "write"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_only_one_process_at_a_time_changes_what_others_see(
    workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    monkeypatch.setattr("processor.workspace.WRITE_PATIENCE_S", 0.01)
    original, calls = getattr(module, name), []

    def under_lock(*args: Any, **named: Any) -> Any:
        with pytest.raises(WorkspaceBusy), workspace.write_lock():
            pass
        calls.append(name)
        return original(*args, **named)

    tone(workspace.inbox / "a.wav")
    (workspace.inbox / "words.txt").write_text("words")
    monkeypatch.setattr(module, name, under_lock)
    run(workspace, settings)
    tone(workspace.inbox / "b.wav")
    run(workspace, settings)
    publish(workspace)
    list(
        refresh(
            workspace,
            settings,
            [Stale(the_track(workspace), read(the_track(workspace).folder, result_types()), {})],
            InlineEngine(),
        )
    )
    assert calls == [name]


def test_a_twin_that_another_process_stored_meanwhile_is_a_duplicate(workspace: Workspace, settings: Settings) -> None:
    tone(workspace.inbox / "a.wav")

    def another() -> None:
        tone(workspace.inbox / "b.wav")
        drops = [drop for drop in drops_in(workspace) if drop.name == "b.wav"]
        assert kinds(run(workspace, settings, drops=drops)) == {"b.wav": "stored"}

    assert kinds(run(workspace, settings, meddling(another))) == {"a.wav": "duplicate"}
    assert list(arrived(workspace).values()) == [2]
    check_sound(workspace, published=False)


def test_any_order_and_any_number_of_workers_give_the_same_bytes(tmp_path: Path) -> None:
    made: set[tuple[tuple[str, bytes], ...]] = set()
    for workers in (1, 2, 3):
        workspace = Workspace(tmp_path / str(workers))
        workspace.create()
        for number in range(6):
            tone(workspace.inbox / f"{number}.wav", 200 + 100 * number, 0.5 + number, 22050)
        drops = drops_in(workspace)
        random.Random(workers).shuffle(drops)
        with Engine(Settings(workers=Workers(count=workers))) as engine:
            assert set(kinds(run(workspace, Settings(), engine, drops)).values()) == {"stored"}
        files = [
            (f"{track.id}/{name}", (track.folder / name).read_bytes())
            for track in sorted(library.tracks(workspace), key=lambda track: track.id)
            for name in (RECORD_NAME, ARRAYS_NAME)
            if (track.folder / name).exists()
        ]
        assert len(files) >= 6
        made.add(tuple(files))
    assert len(made) == 1


# Stopping.


def test_stopped_early_it_lets_go_of_everything(workspace: Workspace, settings: Settings) -> None:
    for number in range(6):
        tone(workspace.inbox / f"{number}.wav", 200 + 100 * number)
    engine = InlineEngine()
    with closing(process(workspace, settings, drops_in(workspace), engine)) as events:
        assert next(events).event == "stored"
        assert names(workspace.work) != []
    assert names(workspace.work) == []
    assert engine.waiting == 0
    assert len(drops_in(workspace)) == 5
    assert set(kinds(run(workspace, settings, engine)).values()) == {"stored"}
    check_sound(workspace, published=False)


def test_what_a_failed_run_left_in_the_engine_is_not_taken_for_the_next_files(
    workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon keeps its engine when the disk was full: the same drop is claimed again, with other bytes."""
    engine = InlineEngine(workers=3)
    tone(workspace.inbox / "a.wav", 300)
    tone(workspace.inbox / "b.wav", 400)
    with monkeypatch.context() as patch:
        patch.setattr(library, "place", _full)
        with pytest.raises(WorkspaceError):
            run(workspace, settings, engine)
    tone(workspace.inbox / "b.wav", 500, 0.6)
    run(workspace, settings, engine)
    seconds = {
        read(track.folder, result_types()).name: read(track.folder, result_types()).results["source"].duration_s
        for track in library.tracks(workspace)
    }
    assert seconds == {"a.wav": pytest.approx(0.3), "b.wav": pytest.approx(0.6)}


def _full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_ctrl_c_while_a_run_is_told_publishes_what_was_done(workspace: Workspace, settings: Settings) -> None:
    for number in range(4):
        tone(workspace.inbox / f"{number}.wav", 200 + 100 * number)

    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_all(workspace, settings, drops_in(workspace), InlineEngine(), RunLog(workspace, "run"), interrupt)
    assert names(workspace.work) == []
    assert names(workspace.site / "tracks") == [f"{the_track(workspace).id}.html"]
    assert len(drops_in(workspace)) == 3


# The run's log.


def log_lines(workspace: Workspace) -> list[dict[str, Any]]:
    (path,) = workspace.runs.glob("*.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_that_does_nothing_leaves_no_log(workspace: Workspace) -> None:
    RunLog(workspace, "run").close()
    assert names(workspace.runs) == []


def test_a_run_leaves_a_line_for_each_event(workspace: Workspace, settings: Settings) -> None:
    tone(workspace.inbox / "a.wav")
    (workspace.inbox / "b.txt").write_text("words")
    told: list[Event] = []
    run_all(workspace, settings, drops_in(workspace), InlineEngine(), RunLog(workspace, "run"), told.append)
    logged = log_lines(workspace)
    assert [(line["event"], line["name"]) for line in logged] == [
        ("started", "run"),
        ("stored", "a.wav"),
        ("failed", "b.txt"),
        ("ended", "run"),
    ]
    assert logged[1]["seconds"]["store"] > 0
    assert [event.name for event in told] == ["a.wav", "b.txt"]
    with duckdb.connect(str(workspace.catalogue), read_only=True) as connection:
        rows = connection.execute("SELECT event, name FROM runs").fetchall()
    assert sorted(rows) == sorted((line["event"], line["name"]) for line in logged)
    check_sound(workspace)


def test_a_log_that_cannot_be_written_is_an_error_of_the_workspace(
    workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "append_line", _full)
    with pytest.raises(WorkspaceError, match=r"runs cannot be written: No space left"):
        RunLog(workspace, "run").write(Event("stored", "a.wav"))


# Publishing.


def test_a_run_publishes_in_between_and_a_site_that_cannot_be_written_stops_no_storing(
    workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        tone(workspace.inbox / f"{number}.wav", 200 + 100 * number)
    tried = []

    def refuse(*_: object, **__: object) -> None:
        tried.append(len(library.tracks(workspace)))
        raise OSError(errno.EROFS, "Read-only file system", "site/index.html")

    monkeypatch.setattr(pipeline, "PUBLISH_EVERY_S", 0.0)
    monkeypatch.setattr(pipeline.pages, "publish", refuse)
    log = RunLog(workspace, "run")
    with pytest.raises(WorkspaceError, match=r"Read-only file system: 'site/index\.html'"):
        run_all(workspace, settings, drops_in(workspace), InlineEngine(), log, lambda event: None)
    assert tried == [1, 2, 3, 4, 4]
    monkeypatch.undo()
    publish(workspace)
    check_sound(workspace)


@pytest.mark.parametrize("stage", ["synchronise", "publish_snapshot", "pages"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), duckdb.IOException("No space left")])
def test_publishing_that_fails_midway_is_made_up_for(
    workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch, stage: str, error: Exception
) -> None:
    tone(workspace.inbox / "a.wav", 300)
    run(workspace, settings)
    publish(workspace)
    tone(workspace.inbox / "b.wav", 400)
    run(workspace, settings)

    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(*((pipeline.pages, "publish", fail) if stage == "pages" else (pipeline.catalogue, stage, fail)))
        with pytest.raises(WorkspaceError, match="No space left"):
            publish(workspace)
    publish(workspace)
    check_sound(workspace)


def test_publishing_removes_texts_of_files_that_were_taken_back(workspace: Workspace, settings: Settings) -> None:
    (workspace.inbox / "a.txt").write_text("words")
    run(workspace, settings)
    publish(workspace)
    assert "a.txt" in (workspace.site / "attention.html").read_text()
    (workspace.failed / "a.txt").unlink()
    publish(workspace)
    assert names(workspace.failed) == []
    assert "a.txt" not in (workspace.site / "attention.html").read_text()


def test_pages_are_made_again_where_there_are_new_previews(
    workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []
    published: list[Workspace] = []
    made = [3, 0]
    monkeypatch.setattr(later.media, "make_previews", lambda *given: asked.append(given) or made.pop(0))
    monkeypatch.setattr(later, "publish", published.append)
    assert later.add_media(workspace, settings, None, 4) == 3
    assert published == [workspace]
    assert later.add_media(workspace, settings) == 0
    assert published == [workspace]
    assert asked == [(workspace, [], None, settings, 4), (workspace, [], None, settings, None)]


def test_rebuild_makes_the_same_again(workspace: Workspace, settings: Settings) -> None:
    for name in ("a.wav", "b.wav"):
        tone(workspace.inbox / name, 100 + ord(name[0]))
    run(workspace, settings)
    publish(workspace)
    before = {name: (workspace.site / name).read_bytes() for name in files_below(workspace.site)}
    shutil.rmtree(workspace.site)
    workspace.catalogue.unlink()
    changes = publish(workspace, rebuild=True)
    assert len(changes.changed) == 2
    assert {name: (workspace.site / name).read_bytes() for name in files_below(workspace.site)} == before
    check_sound(workspace)


# Refreshing.


@dataclass(frozen=True)
class Level:
    """A result of an analyser that only exists here."""

    value: float = quantity("dB", label="Level", source="a test", help="A level.")


def level(audio: Audio) -> Level:
    return Level(1.0)


def twice(level: Level) -> Level:
    return Level(2 * level.value)


def said(audio: Audio, known: Known) -> Level:
    return Level(float(known.get("value", 0.0)))


def apart(audio: Audio) -> Level:
    return Level(7.0)


@pytest.fixture
def analysers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Put the analysers above in the place of the real ones, each with the version that is wanted."""

    def use(**versions: int) -> None:
        marked = {}
        for function in (level, twice, said, apart):
            if versions.get(function.__name__, 1):
                analyser(version=versions.get(function.__name__, 1))(function)
                marked[function.__name__] = graph.describe(function)
        found = graph.order(marked)
        types = {name: one.result_type for name, one in found.items()}
        for module in ("pipeline", "engine"):
            monkeypatch.setattr(f"processor.{module}.all_analysers", lambda: found)
        monkeypatch.setattr("processor.pipeline.result_types", lambda: types)

    use()
    yield use
    monkeypatch.undo()
    assert "loudness" in all_analysers()


def results(workspace: Workspace) -> dict[str, float]:
    record = read(the_track(workspace).folder, dict.fromkeys(("level", "twice", "said", "apart"), Level))
    return {name: result.value for name, result in record.results.items()}


def test_nothing_is_stale_after_a_run(workspace: Workspace, settings: Settings) -> None:
    tone(workspace.inbox / "a.wav")
    run(workspace, settings)
    assert stale_tracks(workspace, settings) == ([], [])


def test_a_new_version_runs_again_with_what_depends_on_it(
    workspace: Workspace, settings: Settings, analysers: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tone(workspace.inbox / "a.wav")
    run(workspace, settings)
    assert results(workspace) == {"level": 1, "twice": 2, "said": 0, "apart": 7}
    analysers(level=2)
    ((stale,), problems) = stale_tracks(workspace, settings)
    assert (stale.names, problems) == (["level", "twice"], [])
    before = (the_track(workspace).folder / RECORD_NAME).read_bytes()
    ((one, event),) = refresh(workspace, settings, [stale], InlineEngine())
    assert one is stale
    assert (event.event, event.track) == ("refreshed", the_track(workspace).id)
    assert event.seconds.keys() == {"decode", "level", "twice"}, "the others are not run again"
    assert (the_track(workspace).folder / RECORD_NAME).read_bytes() != before
    assert stale_tracks(workspace, settings) == ([], [])


def test_what_failed_is_tried_again_with_what_depends_on_it(
    workspace: Workspace, settings: Settings, analysers: Callable[..., None]
) -> None:
    tone(workspace.inbox / "a.wav")
    run(workspace, settings)
    folder = the_track(workspace).folder
    whole = (folder / RECORD_NAME).read_bytes()
    found = json.loads(whole)
    for name, kind in (("level", "failed"), ("twice", "skipped")):
        del found["results"][name]
        found["failures"][name] = {"kind": kind, "reason": "NameError: a defect that was mended"}
    (folder / RECORD_NAME).write_text(json.dumps(found))
    ((stale,), _) = stale_tracks(workspace, settings)
    assert stale.names == ["level"]
    list(refresh(workspace, settings, [stale], InlineEngine()))
    assert (folder / RECORD_NAME).read_bytes() == whole
    assert stale_tracks(workspace, settings) == ([], [])


@pytest.mark.parametrize("change", ["added", "switched off"])
def test_an_analyser_that_comes_or_goes(
    workspace: Workspace, settings: Settings, analysers: Callable[..., None], change: str
) -> None:
    analysers(apart=0 if change == "added" else 1)
    tone(workspace.inbox / "a.wav")
    run(workspace, settings)
    analysers()
    now = settings if change == "added" else replace(settings, analysers=Analysers(off=("apart",)))
    ((stale,), _) = stale_tracks(workspace, now)
    assert stale.names == ["apart"]
    list(refresh(workspace, now, [stale], InlineEngine()))
    assert ("apart" in results(workspace)) == (change == "added")
    assert stale_tracks(workspace, now) == ([], [])


def test_a_persons_word_makes_stale_what_listens_to_it(
    workspace: Workspace, settings: Settings, analysers: Callable[..., None]
) -> None:
    tone(workspace.inbox / "a.wav")
    run(workspace, settings)
    track = the_track(workspace)
    library.write_person(track, {"title": "New", "level.value": 9.0, "rating": 3})
    assert stale_tracks(workspace, settings) == ([], []), "level does not listen"
    library.write_person(track, {"said.value": 9.0})
    ((stale,), _) = stale_tracks(workspace, settings, track)
    assert stale.names == ["said"]
    list(refresh(workspace, settings, [stale], InlineEngine()))
    assert results(workspace) == {"level": 1, "twice": 2, "said": 9, "apart": 7}
    library.write_person(track, {})
    ((stale,), _) = stale_tracks(workspace, settings, track)
    list(refresh(workspace, settings, [stale], InlineEngine()))
    assert results(workspace)["said"] == 0


@pytest.mark.parametrize("trouble", ["source gone", "analysis fails"])
def test_what_cannot_be_refreshed_stays_as_it_was(
    workspace: Workspace, settings: Settings, analysers: Callable[..., None], trouble: str
) -> None:
    for name in ("a.wav", "b.wav"):
        tone(workspace.inbox / name, 100 + ord(name[0]))
    run(workspace, settings)
    one, _ = library.tracks(workspace)
    before = {name: (one.folder / name).read_bytes() for name in names(one.folder) if name != "a.wav"}

    def fail(job: Job) -> Outcome:
        if job.path.name == "a.wav":
            raise NotAudio("It is damaged.")
        return analyse(job)

    if trouble == "source gone":
        (one.folder / "a.wav").unlink()
    analysers(level=2)
    stale, _ = stale_tracks(workspace, settings)
    events = {event.name: event for _, event in refresh(workspace, settings, stale, InlineEngine(fail))}
    assert {name: event.event for name, event in events.items()} == {"a.wav": "failed", "b.wav": "refreshed"}
    assert ("is gone" if trouble == "source gone" else "It is damaged.") in str(events["a.wav"].reason)
    assert {name: (one.folder / name).read_bytes() for name in before} == before
    assert [track.track for track in stale_tracks(workspace, settings)[0]] == [one]


@pytest.mark.parametrize("name", [RECORD_NAME, PERSON_NAME, ARRAYS_NAME])
def test_a_track_that_cannot_be_read_is_told_and_the_others_are_found(
    workspace: Workspace, settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sound in ("a.wav", "b.wav"):
        tone(workspace.inbox / sound, 100 + ord(sound[0]))
    run(workspace, settings)
    one, two = library.tracks(workspace)
    (one.folder / name).write_bytes(b"PK\x03\x04 torn")
    monkeypatch.setattr(audio, "DECODER_VERSION", 999)
    stale, problems = stale_tracks(workspace, settings)
    assert [found.track for found in stale] == [two]
    assert len(problems) == 1
    assert one.id in problems[0]


def test_a_sound_that_was_streamed_is_stale_once_it_fits_in_memory(workspace: Workspace, settings: Settings) -> None:
    tone(workspace.inbox / "a.wav")
    small = replace(settings, limits=replace(settings.limits, decoded_bytes=1000))
    run(workspace, small)
    assert stale_tracks(workspace, small) == ([], [])
    [stale] = stale_tracks(workspace, settings)[0]
    assert set(stale.names) == set(result_types()) - deep(all_analysers()) - {"vocals"}  # which rests on models alone
    list(refresh(workspace, settings, [stale], InlineEngine()))
    assert stale_tracks(workspace, settings) == ([], [])


def test_refresh_clears_what_a_crash_left_of_an_earlier_one(
    workspace: Workspace, settings: Settings, analysers: Callable[..., None]
) -> None:
    tone(workspace.inbox / "a.wav")
    run(workspace, settings)
    (the_track(workspace).folder / f".{RECORD_NAME}.{2**22 + 1}.tmp").write_text("{")
    analysers(level=2)
    list(refresh(workspace, settings, stale_tracks(workspace, settings)[0], InlineEngine()))
    assert names(the_track(workspace).folder) == ["a.wav", "drops.jsonl", "record.json"]


def test_a_refresh_that_cannot_write_is_an_error_of_the_workspace(
    workspace: Workspace, settings: Settings, analysers: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tone(workspace.inbox / "a.wav")
    run(workspace, settings)
    before = (the_track(workspace).folder / RECORD_NAME).read_bytes()
    analysers(level=2)
    stale, engine = stale_tracks(workspace, settings)[0], InlineEngine()
    monkeypatch.setattr(os, "fsync", _full)
    with pytest.raises(WorkspaceError, match="No space left"):
        list(refresh(workspace, settings, stale, engine))
    assert (the_track(workspace).folder / RECORD_NAME).read_bytes() == before
    assert leftovers(workspace) == []


def test_pages_follow_when_previews_are_switched_off(workspace: Workspace, settings: Settings) -> None:
    tone(workspace.inbox / "song.wav")
    run(workspace, settings)
    track = the_track(workspace)
    page = workspace.site / "tracks" / f"{track.id}.html"
    preview = workspace.site / "media" / f"{track.id}.mp3"
    preview.parent.mkdir(parents=True)
    preview.write_bytes(b"an MP3")
    publish(workspace)
    assert "<audio" in page.read_text()
    assert later.add_media(workspace, settings) == 1  # the fixture's settings have none
    assert not preview.exists()
    assert "<audio" not in page.read_text()
