"""Deep passes that are killed, stopped, starved of memory and time: nothing is lost, and the next one goes on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from processor import inbox, library
from processor.config import Models
from processor.library import Track
from processor.record import RECORD_NAME, Record, read
from processor.site.deep import read_running
from processor.workspace import Workspace
from tests import hearing
from tests.faults.deep_scene import SETTINGS, heard
from tests.faults.doubles import leftovers, run, tone
from tests.hearing import ears, noted, order
from tests.workspaces import eventually

Ears = Callable[..., dict[str, Any]]
__all__ = ["ears"]
posix = pytest.mark.skipif(os.name != "posix", reason="kills processes")


@pytest.fixture
def tracks(workspace: Workspace, ears: Ears) -> list[Track]:
    """Two that have gone through the fast pass."""
    for number, name in enumerate("ab"):
        tone(workspace.inbox / f"{name}.wav", 300 + 10 * number)
    assert {event.event for event in run(workspace, SETTINGS)} == {"stored"}
    (hearing.place() / "log").unlink()
    return library.tracks(workspace)


def record_of(track: Track) -> Record:
    return read(track.folder, hearing.types())


def check_complete(workspace: Workspace, tracks: list[Track]) -> None:
    assert library.tracks(workspace) == tracks
    for track in tracks:
        found = record_of(track)
        assert found.failures == {}
        assert found.results["tags"].value == 3
        assert {path.name for path in (track.folder / "stems").iterdir()} == {"vocals.flac", "other.flac"}
    inbox.sweep(workspace)
    assert leftovers(workspace) == []
    assert list(workspace.work.iterdir()) == []


@contextmanager
def scene(workspace: Workspace) -> Iterator[subprocess.Popen[bytes]]:
    """A deep pass in a process of its own, which is in the middle of a track when this begins."""
    order("stems-b", "sleep")
    process = subprocess.Popen([sys.executable, "-m", "tests.faults.deep_scene", str(workspace.home)])
    try:
        eventually(lambda: "stems b" in noted(), seconds=60)
        yield process
    finally:
        process.kill()
        process.wait()
        order("stems-b", None)


@posix
def test_a_worker_that_dies_costs_one_track_and_is_tried_again_by_the_next_pass(
    workspace: Workspace, tracks: list[Track]
) -> None:
    order("stems-a", "die")
    events = heard(workspace)
    assert noted().count("stems a") == 2, "once more, in case it was an accident, and no more"
    failed = record_of(tracks[0]).failures["stems"]
    assert (failed.kind, "ended the worker process 2 times" in failed.reason) == ("failed", True)
    assert [event.track for event in events if event.event == "failed"] == [tracks[0].id]
    assert record_of(tracks[0]).results["pitch"].value == 0
    assert record_of(tracks[1]).results["tags"].value == 3
    assert noted().count("load swift_f0") == 1
    assert not (tracks[0].folder / "stems").exists(), "the half of it that was written is nowhere"
    order("stems-a", None)
    heard(workspace)
    check_complete(workspace, tracks)


@posix
def test_a_worker_that_takes_too_long_is_ended_and_the_setting_named(workspace: Workspace, tracks: list[Track]) -> None:
    order("pitch-a", "sleep")
    short = replace(SETTINGS, models=Models(deadline_s=5.0, worker_memory_bytes=2 << 30))
    heard(workspace, short)
    assert "models.deadline_s" in record_of(tracks[0]).failures["pitch"].reason
    assert record_of(tracks[1]).results["tags"].value == 3
    order("pitch-a", None)
    heard(workspace)
    check_complete(workspace, tracks)


@posix
def test_too_little_memory_is_told_and_does_not_stop_the_others(workspace: Workspace, tracks: list[Track]) -> None:
    order("pitch-a", "memory")
    heard(workspace)
    assert "models.worker_memory_bytes" in record_of(tracks[0]).failures["pitch"].reason
    assert record_of(tracks[1]).results["tags"].value == 3


@posix
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_the_middle_the_next_pass_goes_on(
    workspace: Workspace, tracks: list[Track], number: signal.Signals
) -> None:
    with scene(workspace) as process:
        running = read_running(workspace)
        assert running is not None
        assert (running.track, running.number, running.total) == (tracks[1].id, 2, 2)
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        process.wait(timeout=20)
        assert psutil.wait_procs(family, timeout=20)[1] == [], "no worker goes on with nobody to listen"
    assert read_running(workspace) is None
    assert "stems" in record_of(tracks[0]).results, "what was done is kept"
    assert not (tracks[1].folder / "stems").exists()
    if number == signal.SIGINT:
        assert leftovers(workspace) == []
    assert noted().count("stems a") == 1
    heard(workspace)
    assert noted().count("stems a") == 1
    check_complete(workspace, tracks)


@posix
def test_two_passes_at_once_do_not_disturb_each_other(workspace: Workspace, tracks: list[Track]) -> None:
    from processor.errors import WorkspaceBusy

    with scene(workspace), pytest.raises(WorkspaceBusy):
        heard(workspace)
    heard(workspace)
    check_complete(workspace, tracks)


@posix
def test_a_track_that_is_removed_while_it_is_heard_stays_away(workspace: Workspace, tracks: list[Track]) -> None:
    with scene(workspace) as process:
        shutil.rmtree(tracks[1].folder)
        [worker] = [
            child for child in psutil.Process(process.pid).children() if "resource_tracker" not in str(child.cmdline())
        ]
        order("stems-b", None)
        worker.kill()  # the second try fails at once: there is nothing to hear
        process.wait(timeout=60)
        assert process.returncode == 0
    assert not tracks[1].folder.exists()
    check_complete(workspace, tracks[:1])


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounts a small disk")
def test_a_disk_that_is_full_ends_the_pass_and_the_next_one_goes_on(
    workspace: Workspace, tracks: list[Track], tmp_path: Path
) -> None:
    """A real one, of 32 KB, on which what is written apart does not fit."""
    from processor.errors import WorkspaceError

    workspace.work.mkdir(exist_ok=True)
    before = [(track.folder / RECORD_NAME).read_bytes() for track in tracks]
    command = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(workspace.work)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        (workspace.work / "ballast").write_bytes(b"x" * 24_000)
        with pytest.raises(WorkspaceError, match="Nothing is lost"):
            heard(workspace)
        assert [path.name for path in workspace.work.iterdir()] == ["ballast"]
    finally:
        subprocess.run(["umount", str(workspace.work)], check=True)
    assert [(track.folder / RECORD_NAME).read_bytes() for track in tracks] == before
    heard(workspace)
    check_complete(workspace, tracks)


def test_killed_between_the_sound_and_the_record_it_is_done_again(
    workspace: Workspace, tracks: list[Track], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stems are in their place, the record does not know of them yet."""

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("processor.deep.write", die)
        with pytest.raises(Killed):
            heard(workspace)
    assert sum((track.folder / "stems" / "vocals.flac").is_file() for track in tracks) == 1
    heard(workspace)
    check_complete(workspace, tracks)
