"""The daemon's loop in this process: trouble and recovery, what it says, how it waits."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from watchdog.observers import Observer

from processor import daemon, inbox, library, pipeline
from processor.config import Inbox, Settings, Workers
from processor.daemon import Daemon, _Bell, _Patience
from processor.engine import Job
from processor.errors import WorkspaceError
from processor.inbox import Drop
from processor.workspace import Workspace
from tests.workspaces import InlineEngine, eventually, junk, sound

QUICK = Settings(inbox=Inbox(settle_s=0.0, patience_s=0.0, rescan_s=0.05), workers=Workers(count=1))


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "Engine", InlineEngine)
    monkeypatch.setattr(daemon, "RETRY_S", 0.05)
    monkeypatch.setattr(daemon, "GATHER_S", 0.01)


def watch(workspace: Workspace, is_done: Callable[[list[str]], object], settings: Settings = QUICK) -> list[str]:
    """Run the daemon until something is true; return what it said, without the time of day."""
    said: list[str] = []
    end = time.monotonic() + 20

    def tell(text: str) -> None:
        said.append(text.partition(" ")[2])
        assert time.monotonic() < end, "it did not happen in time"
        if is_done(said):
            one.stop()

    one = Daemon(workspace, settings, tell)
    one.run()
    return said


def stored(workspace: Workspace, count: int) -> Callable[[list[str]], bool]:
    return lambda said: len(library.tracks(workspace)) == count and said[-1].endswith(f"{count} stored")


def log_of(workspace: Workspace) -> str:
    return (workspace.state / daemon.LOG_NAME).read_text(encoding="utf-8")


def test_it_says_what_it_does(workspace: Workspace) -> None:
    sound(workspace.inbox / "a.wav")
    junk(workspace.inbox / "b.txt")
    said = watch(workspace, lambda said: "idle" in said[-1] and "stored" in said[-1])
    head = f"watching {workspace.inbox} · "
    assert said[0] == f"{head}2 to do · nothing yet"
    assert said[-1] == f"{head}idle · 1 stored, 1 failed"
    assert any(text.startswith(f"{head}1 to do · 1 ") for text in said)
    lines = log_of(workspace).splitlines()
    assert lines[0].endswith(f"INFO watching {workspace.inbox}")
    assert sum("INFO stored a.wav as a-" in line for line in lines) == 1
    assert sum("INFO failed b.txt: " in line for line in lines) == 1
    assert lines[-1].endswith("INFO stopped")


def test_a_file_that_still_arrives_is_told(workspace: Workspace) -> None:
    part = sound(workspace.inbox / "a.wav")
    part.rename(workspace.inbox / "a.wav.part")
    said = watch(workspace, lambda said: True)
    assert said[0].endswith("1 still arriving · nothing yet")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_library_that_cannot_be_written_is_waited_for(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    place, calls = library.place, []

    def refuse(*words: object) -> library.Track:
        calls.append(words)
        if len(calls) <= 2:
            raise OSError(number, os.strerror(number))
        return place(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(library, "place", refuse)
    for seed in range(3):
        sound(workspace.inbox / f"{seed}.wav", seed)
    said = watch(workspace, stored(workspace, 3))
    waits = [text for text in said if text.startswith("waiting 0 s: ")]
    assert len(waits) == 2
    assert all(os.strerror(number) in text for text in waits)
    assert "Traceback" not in log_of(workspace)
    assert log_of(workspace).count(" ERROR ") == 2
    assert list(workspace.inbox.glob("*.wav")) == []
    assert list(workspace.failed.iterdir()) == []
    assert list(workspace.work.iterdir()) == []


def test_a_site_that_cannot_be_written_is_waited_for(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def refuse(where: Workspace, **words: object) -> object:
        calls.append(where)
        if len(calls) <= 3:
            raise WorkspaceError("The site cannot be written.")
        return pipeline.publish(where)

    monkeypatch.setattr(daemon, "publish", refuse)
    sound(workspace.inbox / "a.wav")
    said = watch(workspace, lambda said: (workspace.site / "index.html").is_file())
    assert said.count("waiting 0 s: The site cannot be written.") == 3
    assert len(list((workspace.site / "tracks").iterdir())) == 1


def test_a_defect_is_survived_and_logged(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    scan, calls = inbox.scan, []

    def fail(where: Workspace) -> inbox.Scan:
        calls.append(where)
        if len(calls) == 1:
            raise KeyError("a defect")
        return scan(where)

    monkeypatch.setattr(inbox, "scan", fail)
    sound(workspace.inbox / "a.wav")
    said = watch(workspace, stored(workspace, 1))
    assert said[0] == "waiting 0 s: an unexpected error (KeyError('a defect')), told in watch.log"
    assert "Traceback" in log_of(workspace)


def test_after_trouble_the_engine_is_a_new_one(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    engines: list[InlineEngine] = []

    class Counted(InlineEngine):
        def __init__(self, settings: Settings) -> None:
            super().__init__(settings)
            engines.append(self)

    monkeypatch.setattr(daemon, "Engine", Counted)
    sound(workspace.inbox / "a.wav")
    monkeypatch.setattr(daemon, "process", _fails_once(daemon.process))
    watch(workspace, stored(workspace, 1))
    assert len(engines) == 2


def _fails_once(function: Callable[..., object]) -> Callable[..., object]:
    calls: list[object] = []

    def once(*words: object, **more: object) -> object:
        calls.append(words)
        if len(calls) == 1:
            raise WorkspaceError("No.")
        return function(*words, **more)

    return once


def test_while_it_waits_for_a_remedy_nothing_wakes_it_but_an_end(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, onto which somebody goes on copying, is no reason to try a hundred times a second."""
    monkeypatch.setattr(daemon, "RETRY_S", 30.0)
    monkeypatch.setattr(daemon, "process", _fails_once(daemon.process))
    sound(workspace.inbox / "a.wav")
    said: list[str] = []
    one = Daemon(workspace, QUICK, said.append)

    def disturb() -> None:
        while not any("waiting" in text for text in said):
            time.sleep(0.01)
        for seed in range(5):
            sound(workspace.inbox / f"more {seed}.wav", seed)
            time.sleep(0.05)
        one.stop()

    helper = threading.Thread(target=disturb)
    start = time.monotonic()
    helper.start()
    one.run()
    helper.join()
    assert time.monotonic() - start < 10
    assert said[-1].endswith("waiting 30 s: No.")
    assert library.tracks(workspace) == []


def test_without_events_the_inbox_is_looked_at_all_the_same(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")

    monkeypatch.setattr(Observer, "start", refuse)
    seeds = iter(range(3))

    def drop_another(said: list[str]) -> bool:
        if "idle" in said[-1] and (seed := next(seeds, None)) is not None:
            sound(workspace.inbox / f"{seed}.wav", seed)
        return stored(workspace, 3)(said)

    watch(workspace, drop_another)
    assert log_of(workspace).count("events are not available") == 1


def test_polling_hears_as_well(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watchdog.observers.polling.DEFAULT_OBSERVER_TIMEOUT", 0.05)
    rung = threading.Event()
    ring = _Bell.ring

    def note(bell: _Bell) -> None:
        ring(bell)
        rung.set()

    monkeypatch.setattr(_Bell, "ring", note)
    bell = _Bell()
    ear = daemon._Ear(workspace, True, bell)
    ear.listen()
    try:
        sound(workspace.inbox / "a.wav")
        assert rung.wait(10)
    finally:
        ear.close()


@pytest.mark.parametrize("is_polling", [False, True])
def test_it_listens_to_the_inbox_that_is_there(workspace: Workspace, is_polling: bool) -> None:
    """A new folder may even have the number of the old one."""
    bell = _Bell()
    ear = daemon._Ear(workspace, is_polling, bell)
    ear.listen()
    first = ear._observer
    ear.listen()
    assert ear._observer is first
    workspace.failed.rmdir()
    workspace.inbox.rmdir()
    if not is_polling:  # which goes by the name and does not care
        eventually(lambda: ear.listen() or ear._observer is not first)
    ear.listen()
    assert workspace.inbox.is_dir()
    while bell._is_rung(1.2):
        pass
    sound(workspace.inbox / "a.wav")
    assert bell._is_rung(10)
    ear.close()


def test_the_log_rotates(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "LOG_BYTES", 300)
    monkeypatch.setattr(daemon, "LOG_FILES", 2)
    for seed in range(12):
        sound(workspace.inbox / f"{seed}.wav", seed)
    watch(workspace, stored(workspace, 12))
    logs = sorted(path.name for path in workspace.state.glob("watch.log*"))
    assert logs == ["watch.log", "watch.log.1", "watch.log.2"]
    assert all((workspace.state / name).stat().st_size <= 300 for name in logs)


def test_a_log_that_cannot_be_written_is_no_trouble(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(daemon._LogFile, "flush", refuse)
    sound(workspace.inbox / "a.wav")
    watch(workspace, stored(workspace, 1))
    assert capfd.readouterr().err == ""


def test_pages_appear_while_a_burst_is_processed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "PUBLISH_EVERY_S", 0.0)
    for seed in range(3):
        sound(workspace.inbox / f"{seed}.wav", seed)
    pages: list[int] = []

    def count(said: list[str]) -> bool:
        pages.append(len(list((workspace.site / "tracks").glob("*.html"))))
        return stored(workspace, 3)(said)

    watch(workspace, count)
    assert {1, 2} <= set(pages)


def test_what_is_set_aside_by_hand_is_published(workspace: Workspace) -> None:
    def put(said: list[str]) -> bool:
        page = (workspace.site / "attention.html").read_text(encoding="utf-8")
        (workspace.inbox / "link.wav").is_symlink() or (workspace.inbox / "link.wav").symlink_to("nowhere")
        return "link.wav" in page

    assert watch(workspace, put)


def test_two_names_that_look_alike_are_both_stored(workspace: Workspace) -> None:
    for seed, name in enumerate(["a\x01.wav", "a\x02.wav"]):
        sound(workspace.inbox / "a.wav", seed).rename(workspace.inbox / name)
    watch(workspace, stored(workspace, 2))
    assert list(workspace.inbox.glob("*.wav")) == []


def test_a_file_that_cannot_be_read_is_tried_less_and_less(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(daemon, "monotonic", lambda: now)
    drop = Drop(Path("a"), "a", 1, 2, 3)
    patience = _Patience(30.0)
    assert patience.due([drop], [drop]) == [drop]
    waits = []
    for _ in range(10):
        patience.later(drop, for_good=False)
        assert patience.due([drop], [drop]) == []
        start = now
        while not patience.due([drop], [drop]):
            now += 1
        waits.append(now - start)
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_a_file_that_changes_is_tried_at_once() -> None:
    drop = Drop(Path("a"), "a", 1, 2, 3)
    patience = _Patience(30.0)
    patience.later(drop, for_good=True)
    assert patience.due([drop], [drop]) == []
    for grown in (replace(drop, size=9), replace(drop, mtime_ns=9), replace(drop, ctime_ns=9)):
        assert patience.due([grown], [drop, grown]) == [grown]
    assert patience.due([drop], [drop]) == []
    assert patience.due([], []) == []  # it is gone
    assert patience.due([drop], [drop]) == [drop]


def test_one_that_is_stored_but_cannot_be_taken_away_is_not_stored_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "leave", lambda drop: "it is stored, but cannot be taken out of the inbox")
    sound(workspace.inbox / "a.wav")
    said = watch(workspace, lambda said: sum("idle" in text for text in said) > 5)
    assert said[-1].endswith("idle · 1 stored")
    (track,) = library.tracks(workspace)
    assert len(library.arrivals(track)) == 1


def test_a_bell_that_rings_in_a_signal_handler_wakes_and_never_blocks() -> None:
    """The handler runs in the very thread that waits; hundreds of signals would find a lock that is held."""
    bell = _Bell()
    rings = 0

    def handle(*_: object) -> None:
        nonlocal rings
        rings += 1
        bell.ring()

    before = signal.signal(signal.SIGUSR1, handle)
    end = threading.Event()

    def shoot() -> None:
        while not end.is_set():
            os.kill(os.getpid(), signal.SIGUSR1)

    gun = threading.Thread(target=shoot)
    gun.start()
    try:
        while rings < 200:
            bell.wait(0.001)
    finally:
        end.set()
        gun.join()
        signal.signal(signal.SIGUSR1, before)


def test_a_bell_wakes_who_waits_but_not_who_rests() -> None:
    bell = _Bell()
    bell.ring()
    start = time.monotonic()
    bell.wait(10)
    assert time.monotonic() - start < 1
    bell.ring()
    start = time.monotonic()
    bell.rest(0.3)
    assert time.monotonic() - start >= 0.3
    threading.Timer(0.1, bell.stop).start()
    start = time.monotonic()
    bell.rest(10)
    bell.wait(10)
    assert time.monotonic() - start < 1


def test_the_first_signal_lets_the_file_in_hand_end(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert interrupted(workspace, monkeypatch, times=1) == 1
    assert len(list(workspace.inbox.glob("*.wav"))) == 2


def test_the_second_signal_ends_at_once(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert interrupted(workspace, monkeypatch, times=2) == 0
    assert len(list(workspace.inbox.glob("*.wav"))) == 3
    assert list(workspace.work.iterdir()) == []
    assert "stopped in the middle of a file, which is still in the inbox" in log_of(workspace)


def interrupted(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, times: int) -> int:
    """Send so many signals in the middle of the first of three files; return how many tracks there are then."""

    class Slow(InlineEngine):
        def __init__(self, settings: Settings) -> None:
            super().__init__(settings, slowly)
            self.workers = 0  # so that nothing is taken beforehand

    def slowly(job: Job) -> object:
        for _ in range(times):
            signal.raise_signal(signal.SIGTERM)
        return pipeline.Outcome()

    for seed in range(3):
        sound(workspace.inbox / f"{seed}.wav", seed)
    monkeypatch.setattr(daemon, "Engine", Slow)
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    Daemon(workspace, QUICK, lambda _: None).run()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    return len(library.tracks(workspace))


def test_a_second_daemon_is_refused(workspace: Workspace) -> None:
    with workspace.watch_lock(), pytest.raises(WorkspaceError, match=f"Process {os.getpid()} on .* is watching"):
        Daemon(workspace, QUICK, lambda _: None).run()
