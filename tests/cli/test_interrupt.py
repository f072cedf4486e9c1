"""Ctrl-C and SIGTERM in the middle of a run, as a terminal sends them: to the whole process group."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from processor import files, inbox, library
from tests import workspaces
from tests.workspaces import command, eventually, sound

STOPPED = "Stopped. Nothing is lost: what was not done yet is still where it was.\n"
FILES = 6


@pytest.mark.parametrize(
    ("number", "is_far"),
    [(signal.SIGINT, False), (signal.SIGINT, True), (signal.SIGTERM, True)],
    ids=["ctrl-c while workers start", "ctrl-c", "sigterm"],
)
def test_a_run_that_is_stopped_loses_nothing(tmp_path: Path, number: int, is_far: bool) -> None:
    workspace = workspaces.empty(tmp_path)
    for seed in range(FILES):
        sound(workspace.inbox / f"{seed}.wav", seed, seconds=20)
    process = workspaces.start("run", "--workers", "2", "--home", workspace.home, inbox_settle_s="0")
    if is_far:
        eventually(lambda: library.tracks(workspace))
    else:
        eventually(lambda: psutil.Process(process.pid).children())
        time.sleep(0.1)  # they are importing now
    family = psutil.Process(process.pid).children(recursive=True)
    start = time.monotonic()
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - start < 10
    assert process.returncode == 130
    assert errors.lstrip("\n") == STOPPED
    assert psutil.wait_procs(family, timeout=5)[1] == []
    assert list(workspace.work.iterdir()) == []
    stored = len(library.tracks(workspace))
    assert stored < FILES
    # One that is stored may still be in the inbox; the next run knows it for the same drop.
    assert FILES - stored <= len(list(workspace.inbox.glob("*.wav"))) <= FILES
    assert command("run", "--home", workspace.home).code == 0
    assert len(library.tracks(workspace)) == FILES
    assert list(workspace.inbox.glob("*.wav")) == []
    arrivals = [len(library.arrivals(track)) for track in library.tracks(workspace)]
    assert arrivals == [1] * FILES


def test_ctrl_c_may_strike_while_a_claim_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = workspaces.empty(tmp_path)
    sound(workspace.inbox / "a.wav")
    calls = 0

    def interrupt(folder: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:  # the first one makes room, the second one gives back
            raise KeyboardInterrupt
        files.remove_tree(folder)

    monkeypatch.setattr(inbox, "remove_tree", interrupt)
    result = command("run", "--home", workspace.home)
    assert (result.code, result.err.strip()) == (130, STOPPED.strip())
    assert list(workspace.work.iterdir()) == []
    assert command("run", "--home", workspace.home).code == 0


def test_a_run_that_is_killed_leaves_nothing_that_blocks_the_next(tmp_path: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    for seed in range(3):
        sound(workspace.inbox / f"{seed}.wav", seed, seconds=60)
    process = workspaces.start("run", "--workers", "1", "--home", workspace.home, inbox_settle_s="0")
    eventually(lambda: psutil.Process(process.pid).children() and list(workspace.work.iterdir()))
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    assert psutil.wait_procs(family, timeout=10)[1] == []
    assert command("run", "--home", workspace.home).code == 0
    assert len(library.tracks(workspace)) == 3
    assert list(workspace.work.iterdir()) == []
