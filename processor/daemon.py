"""The daemon: watches the inbox and processes what is complete, until somebody stops it.

Watch events only wake it up; a rescan is the truth. (A burst of files loses events, a rename-in has no "closed",
and a folder that was deleted and made again is never heard of.)
"""

from __future__ import annotations

import logging
import logging.handlers
import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic
from types import FrameType

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from processor import inbox
from processor.config import Settings
from processor.engine import Engine
from processor.errors import WorkspaceError
from processor.inbox import Drop, Settling
from processor.pipeline import Event, RunLog, process, publish
from processor.workspace import Workspace

LOG_NAME = "watch.log"
LOG_BYTES = 1_000_000
LOG_FILES = 5
RETRY_S = 30.0

Tell = Callable[[str], None]
log = logging.getLogger("linernotes.watch")


class _Stopped(Exception):
    """Somebody asked the daemon to stop."""


class _Bell(FileSystemEventHandler):
    """Rings at any event below the inbox."""

    def __init__(self, rung: threading.Event) -> None:
        self._rung = rung

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in ("opened", "closed_no_write"):  # reading wakes nobody
            self._rung.set()


class _Ear:
    """Listens to the inbox, and again when it was deleted and made anew."""

    def __init__(self, workspace: Workspace, polling: bool, rung: threading.Event) -> None:
        self._inbox, self._polling, self._rung = workspace.inbox, polling, rung
        self._observer: BaseObserver | None = None
        self._heard: tuple[int, int] | None = None

    def listen(self) -> None:
        """Make sure that the inbox exists and that it is the one listened to."""
        self._inbox.mkdir(parents=True, exist_ok=True)
        status = self._inbox.stat()
        if self._heard == (status.st_dev, status.st_ino):
            return
        self.close()
        observer = PollingObserver() if self._polling else Observer()
        try:
            observer.schedule(_Bell(self._rung), str(self._inbox), recursive=True)
            observer.start()
        except OSError as error:
            log.warning("events are not available (%s); the inbox is looked at every few seconds", error)
            return
        self._observer, self._heard = observer, (status.st_dev, status.st_ino)

    def close(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None


@contextmanager
def _signals(rung: threading.Event) -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; the second one stops at once."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise _Stopped
        stop.set()
        rung.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _log_file(workspace: Workspace) -> Iterator[None]:
    path = workspace.state / LOG_NAME
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()


class Daemon:
    """The loop and what it has to say for itself."""

    def __init__(self, workspace: Workspace, settings: Settings, tell: Tell) -> None:
        self._workspace, self._settings, self._tell = workspace, settings, tell
        self._settling = Settling(settings.inbox)
        self._rung = threading.Event()
        self._done = {"stored": 0, "duplicate": 0, "failed": 0}
        self._not_before: dict[tuple[Path, tuple[int, int, int]], float] = {}
        self._notices: object = None

    def run(self) -> None:
        """Watch until SIGINT or SIGTERM: the first lets what is in hand end, the second stops at once.

        Raises:
            WorkspaceBusy: another daemon watches this workspace.
        """
        with self._workspace.watch_lock(), _log_file(self._workspace), _signals(self._rung) as stop:
            log.info("watching %s", self._workspace.inbox)
            ear = _Ear(self._workspace, self._settings.inbox.polling, self._rung)
            try:
                inbox.sweep(self._workspace)
                with Engine(self._settings) as engine:
                    while not stop.is_set():
                        self._rung.clear()
                        self._rung.wait(self._look(ear, engine, stop))
            except _Stopped:
                log.warning("stopped in the middle of a file, which is still in the inbox")
            finally:
                ear.close()
                log.info("stopped")

    def _look(self, ear: _Ear, engine: Engine, stop: threading.Event) -> float:
        """Process what is complete; return for how many seconds to sleep if nothing rings."""
        try:
            ear.listen()
            ready, waiting = self._settling.split(inbox.scan(self._workspace).drops)
            now = monotonic()
            later = [drop for drop in ready if self._not_before.get((drop.path, drop.signature), 0.0) > now]
            todo = [drop for drop in ready if drop not in later]
            if todo:
                self._process(todo, len(waiting), engine, stop)
            inbox.remove_empty_folders(self._workspace, older_than_s=inbox.FOLDER_GRACE_S)
            self._publish_notices()
        except (WorkspaceError, OSError) as error:
            log.error("%s", error)
            self._tell(f"waiting {RETRY_S:.0f} s: {error}")
            return RETRY_S
        self._status(0, len(waiting))
        return max(0.1, self._settings.inbox.settle_s / 2) if waiting else self._settings.inbox.rescan_s

    def _process(self, todo: list[Drop], waiting: int, engine: Engine, stop: threading.Event) -> None:
        run_log = RunLog(self._workspace, "watch")
        left = len(todo)
        drops = {drop.name: drop for drop in todo}
        self._status(left, waiting)
        patience_s = self._settings.inbox.patience_s
        try:
            for event in process(self._workspace, self._settings, _until(todo, stop), engine, patience_s=patience_s):
                left -= 1
                run_log.write(event)
                self._note(event, drops.get(event.name))
                self._status(left, waiting)
        finally:
            run_log.close()
            publish(self._workspace)

    def _note(self, event: Event, drop: Drop | None) -> None:
        self._done[event.event] = self._done.get(event.event, 0) + 1
        as_track = f" as {event.track}" if event.track else ""
        log.info("%s %s%s%s", event.event, event.name, as_track, f": {event.reason}" if event.reason else "")
        if event.reason and drop is not None and event.event != "failed":
            # It is still there. One that looks unfinished may grow; one that cannot be removed only comes back.
            wait_s = self._settings.inbox.patience_s if event.event == "left" else math.inf
            self._not_before[drop.path, drop.signature] = monotonic() + wait_s

    def _publish_notices(self) -> None:
        """Publish when what is set aside or ignored changed without a file being processed."""
        now = (
            [f.name for f in inbox.failures(self._workspace)],
            [i.name for i in inbox.scan(self._workspace).ignored],
        )
        if now != self._notices:
            self._notices = now
            publish(self._workspace)

    def _status(self, busy: int, waiting: int) -> None:
        done = ", ".join(f"{number} {kind}" for kind, number in self._done.items() if number) or "nothing yet"
        doing = f"{busy} to do" if busy else f"{waiting} still arriving" if waiting else "idle"
        self._tell(f"{datetime.now().astimezone():%H:%M:%S} watching {self._workspace.inbox} · {doing} · {done}")


def _until(drops: list[Drop], stop: threading.Event) -> Iterator[Drop]:
    """The drops, until somebody wants to stop; what is in hand is finished."""
    for drop in drops:
        if stop.is_set():
            return
        yield drop
