"""What the daemon waits with: a bell, an ear for the inbox, and patience with files that cannot be read."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from processor import daemon
from processor.daemon import _Bell, _Ear, _Patience
from processor.inbox import Drop
from processor.workspace import Workspace
from tests.workspaces import eventually, sound


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "GATHER_S", 0.01)


def test_polling_hears_as_well(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watchdog.observers.polling.DEFAULT_OBSERVER_TIMEOUT", 0.05)
    rung = threading.Event()
    ring = _Bell.ring

    def note(bell: _Bell) -> None:
        ring(bell)
        rung.set()

    monkeypatch.setattr(_Bell, "ring", note)
    bell = _Bell()
    ear = _Ear(workspace, True, bell)
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
    ear = _Ear(workspace, is_polling, bell)
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


def test_a_bell_that_rings_in_a_signal_handler_wakes_and_never_blocks() -> None:
    """The handler runs in the very thread that waits, which may just be holding a lock, if there is one."""
    bell = _Bell()
    rings = 0

    def handle(*_: object) -> None:
        nonlocal rings
        rings += 1
        bell.ring()

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    try:
        while rings < 2000:
            bell._is_rung(0.00001)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_bell_wakes_who_waits_but_not_who_rests() -> None:
    bell = _Bell()
    bell.ring()
    start = time.monotonic()
    bell.wait(10)
    assert time.monotonic() - start < 5
    bell.ring()
    start = time.monotonic()
    bell.rest(0.3)
    assert time.monotonic() - start >= 0.3
    threading.Timer(0.1, bell.stop).start()
    start = time.monotonic()
    bell.rest(10)
    bell.wait(10)
    assert time.monotonic() - start < 5
