"""The daemon: watches the inbox and processes what is complete, until somebody stops it.

Watch events only wake it up; a rescan is the truth. (A burst of files loses events, a rename-in has no "closed",
and a folder that was deleted and made again is never heard of.)

Models hear in a worker of their own, while the inbox is watched as ever: always when there is nothing else to do, or
from a time of day on; and so are pairs of the library rendered in short, so that one can hear which go together. What
is in hand is given up when the daemon stops, and begun again the next time.
"""

from __future__ import annotations

import logging
import logging.handlers
import math
import signal
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime, time
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from types import FrameType

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from processor import bundles, inbox, setaside
from processor.config import Settings
from processor.engine import Engine
from processor.errors import WorkspaceError
from processor.inbox import Drop, Settling
from processor.later import add_media, add_words
from processor.overnight import Ears, Pairs
from processor.pipeline import PUBLISH_EVERY_S, Event, RunLog, left_alone, process, publish
from processor.workspace import Workspace

LOG_NAME = "watch.log"
LOG_BYTES = 1_000_000
LOG_FILES = 5
# How long a daemon that cannot work waits before it tries again.
RETRY_S = 30.0
PREVIEWS_AT_ONCE = 4
# A file that is copied rings at every block; looking more often than this would show nothing new.
GATHER_S = 0.1
# The longest time between two looks at a file that cannot be read.
MAX_WAIT_S = 3600.0

Tell = Callable[[str], None]
_Signature = tuple[Path, tuple[int, int, int]]
log = logging.getLogger("linernotes.watch")


class _Stopped(Exception):
    """Somebody asked the daemon to stop, and then again."""


class _Bell(FileSystemEventHandler):
    """Wakes the daemon: at any event below the inbox, and when it is to stop.

    A signal handler may ring it, too. It interrupts the very thread that waits, so this is no `threading.Event`,
    whose lock that thread may just be holding, but a `SimpleQueue`, whose `put` never waits.
    """

    def __init__(self) -> None:
        self._rings: SimpleQueue[None] = SimpleQueue()
        self.is_stopping = False

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in ("opened", "closed_no_write"):  # reading wakes nobody
            self.ring()

    def ring(self) -> None:
        """Wake the daemon."""
        if self._rings.empty():
            self._rings.put(None)

    def stop(self) -> None:
        """Wake the daemon for the last time."""
        self.is_stopping = True
        self._rings.put(None)

    @property
    def is_ringing(self) -> bool:
        """Whether the daemon should look up from what it is doing."""
        return self.is_stopping or not self._rings.empty()

    def wait(self, seconds: float) -> None:
        """Sleep until it rings or is to stop, or for so long."""
        if not self.is_stopping and self._is_rung(seconds):
            self.rest(GATHER_S)

    def rest(self, seconds: float) -> None:
        """Sleep for so long, whatever rings, or until it is to stop."""
        end = monotonic() + seconds
        while not self.is_stopping and (left := end - monotonic()) > 0:
            self._is_rung(left)

    def _is_rung(self, seconds: float) -> bool:
        with suppress(Empty):
            self._rings.get(timeout=max(0.0, seconds))
            return True
        return False


class _Ear:
    """Listens to the inbox, and again when it was deleted and made anew."""

    def __init__(self, workspace: Workspace, polling: bool, bell: _Bell) -> None:
        self._inbox, self._polling, self._bell = workspace.inbox, polling, bell
        self._observer: BaseObserver | None = None
        self._heard: tuple[int, int] | None = None

    def listen(self) -> None:
        """Make sure that the inbox exists and that it is the one listened to."""
        self._inbox.mkdir(parents=True, exist_ok=True)
        status = self._inbox.stat()
        if self._heard == (status.st_dev, status.st_ino) and not self._is_deaf():
            return
        self.close()
        self._heard = (status.st_dev, status.st_ino)
        observer = PollingObserver() if self._polling else Observer()
        try:
            observer.schedule(self._bell, str(self._inbox), recursive=True)
            observer.start()
        except OSError as error:
            log.warning("events are not available (%s); the inbox is looked at every few seconds", error)
            return
        self._observer = observer

    def _is_deaf(self) -> bool:
        """Whether what was listened to is gone; a new folder may well have its old number."""
        return self._observer is not None and not all(emitter.is_alive() for emitter in self._observer.emitters)

    def close(self) -> None:
        """Stop listening."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None


@contextmanager
def _signals(bell: _Bell) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM stop the daemon; the second one stops it at once."""

    def handle(number: int, frame: FrameType | None) -> None:
        if bell.is_stopping:
            raise _Stopped
        bell.stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _LogFile(logging.handlers.RotatingFileHandler):
    """A log that is silent where it cannot be written: the disk is full, and that is told already."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - a name of `logging`
        pass


@contextmanager
def _log_file(workspace: Workspace) -> Iterator[None]:
    path = workspace.state / LOG_NAME
    handler = _LogFile(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        with suppress(OSError):
            handler.close()


class _Patience:
    """When a drop that was left in the inbox is looked at again: later each time, as long as it stands still."""

    def __init__(self, first_s: float) -> None:
        self._first_s = first_s
        self._waits: dict[_Signature, tuple[float, float]] = {}

    def due(self, drops: Iterable[Drop], present: Iterable[Drop]) -> list[Drop]:
        """Those of `drops` whose time has come; what is not `present` any more is forgotten."""
        known = {(drop.path, drop.signature) for drop in present}
        self._waits = {key: wait for key, wait in self._waits.items() if key in known}
        now = monotonic()
        return [drop for drop in drops if self._waits.get((drop.path, drop.signature), (0.0, 0.0))[0] <= now]

    def later(self, drop: Drop, *, for_good: bool) -> None:
        """Do not look at it for a while, or not at all before it changes."""
        key = (drop.path, drop.signature)
        last_s = self._waits.get(key, (0.0, 0.0))[1]
        wait_s = math.inf if for_good else min(max(self._first_s, 2 * last_s), MAX_WAIT_S)
        self._waits[key] = (monotonic() + wait_s, wait_s)


class Daemon:
    """The loop and what it has to say for itself.

    Args:
        workspace: where.
        settings: its settings.
        tell: told what to show, now and then.
        deep_at: the time of day from which on models hear; None: always, if the settings say so.
        mashups_at: the time of day from which on previews of pairs are made; None: never.
    """

    def __init__(
        self,
        workspace: Workspace,
        settings: Settings,
        tell: Tell,
        deep_at: time | None = None,
        mashups_at: time | None = None,
    ) -> None:
        self._ears = Ears(workspace, settings, deep_at)
        self._pairs = Pairs(workspace, settings, mashups_at)
        self._workspace, self._settings, self._tell = workspace, settings, tell
        self._settling = Settling(settings.inbox)
        self._patience = _Patience(settings.inbox.patience_s)
        self._bell = _Bell()
        self._done = {"stored": 0, "duplicate": 0, "failed": 0}
        self._notices: object = None

    def stop(self) -> None:
        """End when what is in hand is done."""
        self._bell.stop()

    def run(self) -> None:
        """Watch until `stop`, SIGINT or SIGTERM: the first lets what is in hand end, the second stops at once.

        Raises:
            WorkspaceBusy: another daemon watches this workspace.
        """
        with self._workspace.watch_lock(), _log_file(self._workspace), _signals(self._bell):
            log.info("watching %s", self._workspace.inbox)
            ear = _Ear(self._workspace, self._settings.inbox.polling, self._bell)
            try:
                while not self._bell.is_stopping:
                    self._watch(ear)
            except _Stopped:
                log.warning("stopped in the middle of a file, which is still in the inbox")
            finally:
                ear.close()
                log.info("stopped")

    def _watch(self, ear: _Ear) -> None:
        """Watch until somebody stops us or something goes wrong, which is told; nothing is worth dying of.

        Each try gets an engine of its own: in the old one there may still be files that are no longer claimed.
        """
        self._notices = None  # so that what could not be published is published now
        try:
            inbox.sweep(self._workspace)
            with Engine(self._settings) as engine, closing(self._ears), closing(self._pairs):
                while not self._bell.is_stopping:
                    self._bell.wait(self._look(ear, engine))
            if self._is_publishing_due:
                publish(self._workspace)
            return
        except _Stopped:
            raise
        except (WorkspaceError, OSError) as error:
            log.error("%s", error)
            self._say(f"waiting {RETRY_S:.0f} s: {error}")
        except Exception as error:  # a defect of ours; the log has the rest
            log.exception("unexpected")
            self._say(f"waiting {RETRY_S:.0f} s: an unexpected error ({error!r}), told in {LOG_NAME}")
        self._bell.rest(RETRY_S)

    def _look(self, ear: _Ear, engine: Engine) -> float:
        """Process what is complete; return for how many seconds to sleep if nothing rings."""
        ear.listen()
        drops = inbox.scan(self._workspace).drops
        ready, waiting = self._settling.split(drops)
        ready, _ = bundles.hold_back(self._workspace, ready, waiting)
        todo = self._patience.due(ready, drops)
        if todo:
            self._process(todo, len(waiting), engine)
            if trouble := add_words(self._workspace, self._settings):
                log.warning("no words by a model: %s", trouble)
        inbox.remove_empty_folders(self._workspace, older_than_s=inbox.FOLDER_GRACE_S)
        self._publish_notices()
        # A few at a time, so that what arrives meanwhile does not wait for an album's previews.
        if add_media(self._workspace, self._settings, most=PREVIEWS_AT_ONCE):
            return 0.1
        self._status(0, len(waiting))
        pause_s = max(0.1, self._settings.inbox.settle_s / 2) if waiting else self._settings.inbox.rescan_s
        return 0.0 if self._hear(engine, pause_s, len(waiting)) else pause_s

    def _hear(self, engine: Engine, seconds: float, waiting: int) -> bool:
        """Let models hear, or make previews of pairs, for so long or until something rings; whether there is more.

        What comes of it is published.
        """
        end = monotonic() + seconds
        while not self._bell.is_ringing:
            events = self._ears.listen(engine)
            if events is None:
                events = self._pairs.work()
            for event in events or ():
                self._note(event, [])
            if self._is_publishing_due:
                publish(self._workspace)
            if events is None:
                return False
            self._status(0, waiting)
            if monotonic() >= end:
                break
        return True

    @property
    def _is_publishing_due(self) -> bool:
        """Whether what was done beside the inbox is to be published; true once."""
        is_heard, is_made = self._ears.is_publishing_due, self._pairs.is_publishing_due
        return is_heard or is_made

    def _process(self, todo: list[Drop], waiting: int, engine: Engine) -> None:
        run_log = RunLog(self._workspace, "watch")
        left = len(todo)
        named: dict[str, list[Drop]] = defaultdict(list)  # two names may look alike
        for drop in todo:
            named[drop.name].append(drop)
        self._status(left, waiting)
        published = monotonic()
        try:
            with closing(self._events(todo, engine)) as events:
                for event in events:
                    left -= 1
                    run_log.write(event)
                    self._note(event, named[event.name])
                    self._status(left, waiting)
                    if monotonic() - published > PUBLISH_EVERY_S:
                        with suppress(WorkspaceError):  # storing goes on; the last one says what is wrong
                            publish(self._workspace)
                        published = monotonic()
        finally:
            self._ears.news()
            run_log.close()
            publish(self._workspace)

    def _events(self, todo: list[Drop], engine: Engine) -> Generator[Event, None, None]:
        patience_s = self._settings.inbox.patience_s
        return process(self._workspace, self._settings, self._until(todo), engine, patience_s=patience_s)

    def _note(self, event: Event, drops: list[Drop]) -> None:
        self._done[event.event] = self._done.get(event.event, 0) + 1
        as_track = f" as {event.track}" if event.track else ""
        log.info("%s %s%s%s", event.event, event.name, as_track, f": {event.reason}" if event.reason else "")
        if event.reason and event.event != "failed":
            # It is still there. One that looks unfinished may grow; one that cannot be removed only comes back.
            for drop in drops:
                self._patience.later(drop, for_good=event.event != "left")

    def _publish_notices(self) -> None:
        """Publish when what is set aside or ignored changed without a file being processed."""
        now = (
            [f.name for f in setaside.failures(self._workspace)],
            [(notice.name, notice.reason) for notice in left_alone(self._workspace)],
        )
        if now != self._notices:
            publish(self._workspace)
            self._notices = now

    def _status(self, busy: int, waiting: int) -> None:
        done = ", ".join(f"{number} {kind}" for kind, number in self._done.items() if number) or "nothing yet"
        idle = self._ears.text or self._pairs.text or "idle"
        doing = f"{busy} to do" if busy else f"{waiting} still arriving" if waiting else idle
        self._say(f"watching {self._workspace.inbox} · {doing} · {done}")

    def _say(self, text: str) -> None:
        self._tell(f"{datetime.now().astimezone():%H:%M:%S} {text}")

    def _until(self, drops: list[Drop]) -> Iterator[Drop]:
        """The drops, until somebody wants to stop; what is in hand is finished."""
        for drop in drops:
            if self._bell.is_stopping:
                return
            yield drop
