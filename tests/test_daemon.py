"""The daemon's loop in this process: trouble and recovery, what it says, how it waits."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from watchdog.observers import Observer

from processor import daemon, inbox, library, pipeline
from processor.config import Inbox, Settings, Workers
from processor.daemon import Daemon
from processor.engine import Job
from processor.errors import WorkspaceError
from processor.workspace import Workspace
from tests.workspaces import InlineEngine, junk, sound

QUICK = Settings(inbox=Inbox(settle_s=0.0, patience_s=0.0, rescan_s=0.05), workers=Workers(count=1))


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "Engine", InlineEngine)
    monkeypatch.setattr(daemon, "RETRY_S", 0.05)
    monkeypatch.setattr(daemon, "GATHER_S", 0.01)


def watch(workspace: Workspace, is_done: Callable[[list[str]], object], settings: Settings = QUICK) -> list[str]:
    """Run the daemon until something is true; return what it said, without the time of day."""
    said: list[str] = []
    done: list[bool] = []

    def tell(text: str) -> None:
        said.append(text.partition(" ")[2])
        if is_done(said):
            done.append(True)
            one.stop()

    one = Daemon(workspace, settings, tell)
    limit = threading.Timer(20, one.stop)
    limit.start()
    one.run()
    limit.cancel()
    assert done, "it did not happen in time"
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
    """The track is stored, and nothing else happens that would make anybody publish again."""
    calls = []

    def refuse(where: Workspace) -> object:
        calls.append(where)
        if 2 <= len(calls) <= 4:
            raise WorkspaceError("The site cannot be written.")
        return pipeline.publish(where)

    def drop_when_idle(said: list[str]) -> bool:
        if len(said) == 1:
            sound(workspace.inbox / "a.wav")
        return (workspace.site / "tracks").is_dir()

    monkeypatch.setattr(daemon, "publish", refuse)
    said = watch(workspace, drop_when_idle)
    assert said.count("waiting 0 s: The site cannot be written.") == 3
    assert len(list((workspace.site / "tracks").iterdir())) == 1


def test_a_file_that_comes_is_heard_at_once(workspace: Workspace) -> None:
    """The next look would be an hour later."""
    settings = replace(QUICK, inbox=replace(QUICK.inbox, rescan_s=3600.0))
    drop = threading.Timer(0.5, sound, [workspace.inbox / "a.wav"])
    drop.start()
    watch(workspace, stored(workspace, 1), settings)
    drop.join()


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


def test_one_that_is_stored_but_cannot_be_taken_away_is_not_stored_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "leave", lambda drop: "it is stored, but cannot be taken out of the inbox")
    sound(workspace.inbox / "a.wav")
    said = watch(workspace, lambda said: sum("idle" in text for text in said) > 5)
    assert said[-1].endswith("idle · 1 stored")
    (track,) = library.tracks(workspace)
    assert len(library.arrivals(track)) == 1


def test_the_first_signal_lets_the_file_in_hand_end(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the one that is next in line; the third one stays."""
    assert interrupted(workspace, monkeypatch, times=1) == 2
    assert len(list(workspace.inbox.glob("*.wav"))) == 1
    assert "in the middle" not in log_of(workspace)


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

    signals = iter([signal.SIGTERM] * times)

    def slowly(job: Job) -> object:
        for number in signals:
            signal.raise_signal(number)
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
