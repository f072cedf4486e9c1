"""A workspace: the folders in which a person's music and its reports live, and the locks around them."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from processor.config import CONFIG_NAME, EXAMPLE
from processor.errors import WorkspaceBusy, WorkspaceError
from processor.files import write_atomically

HOME_VARIABLE = "LINERNOTES_HOME"
WRITE_PATIENCE_S = 120.0
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class Workspace:
    """Paths of a workspace; `home` holds `inbox/`, `library/` and `site/`."""

    home: Path

    @property
    def inbox(self) -> Path:
        """What a person drops; empty again when all is done."""
        return self.home / "inbox"

    @property
    def failed(self) -> Path:
        """What could not be processed, each beside the reason."""
        return self.inbox / "failed"

    @property
    def library(self) -> Path:
        """One folder a thing, by date: the truth."""
        return self.home / "library"

    @property
    def site(self) -> Path:
        """The published pages."""
        return self.home / "site"

    @property
    def runs(self) -> Path:
        """What ran when, one file a run."""
        return self.library / "runs"

    @property
    def state(self) -> Path:
        """Locks and what can be made again at any time."""
        return self.library / ".state"

    @property
    def work(self) -> Path:
        """Claims in progress; what a crash leaves here is removed by the next start."""
        return self.library / ".work"

    @property
    def catalogue(self) -> Path:
        """The snapshot that people query."""
        return self.library / "catalogue.duckdb"

    def exists(self) -> bool:
        """Whether somebody has worked here before."""
        return self.library.is_dir()

    def create(self) -> None:
        """Make the folders and a commented settings file; what is there already stays as it is.

        Raises:
            WorkspaceError: the folder cannot be written.
        """
        try:
            for folder in (
                self.inbox,
                self.failed,
                self.library,
                self.site,
                self.state,
                self.work,
                self.runs,
            ):
                folder.mkdir(parents=True, exist_ok=True)
            if not (self.home / CONFIG_NAME).exists():
                write_atomically(self.home / CONFIG_NAME, EXAMPLE)
        except OSError as error:
            raise WorkspaceError(
                f"The workspace {self.home} cannot be written: {error.strerror}. Choose another with --home."
            ) from error

    @contextmanager
    def write_lock(self) -> Iterator[None]:
        """Hold the right to store and publish; short, so that commands work beside a daemon.

        Raises:
            WorkspaceBusy: somebody else held it for two minutes.
            WorkspaceError: the library cannot be written.
        """
        lock = FileLock(self.state / "write.lock", timeout=WRITE_PATIENCE_S)
        try:
            self.state.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise WorkspaceBusy(
                f"Another process has been writing to {self.library} for {WRITE_PATIENCE_S:.0f} s; try again later."
            ) from error
        except OSError as error:
            raise cannot_write(self.library, error) from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def watch_lock(self) -> Iterator[None]:
        """Be the one daemon of this workspace.

        Raises:
            WorkspaceBusy: there is one already; the message names it.
            WorkspaceError: the library cannot be written.
        """
        note = self.state / "watch.json"
        lock = FileLock(self.state / "watch.lock", timeout=0)
        try:
            self.state.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise WorkspaceBusy(f"{_daemon_name(note)} is watching {self.inbox} already; stop it first.") from error
        except OSError as error:
            raise cannot_write(self.library, error) from error
        try:
            # The note is only for people: without room for it, the lock holds all the same.
            with suppress(OSError):
                since = datetime.now().astimezone().isoformat(timespec="seconds")
                write_atomically(note, json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since}))
            yield
        finally:
            with suppress(OSError):
                note.unlink(missing_ok=True)
            lock.release()

    def daemon(self) -> str | None:
        """The daemon that is watching now, in words, or None."""
        if not self.state.is_dir():
            return None
        try:
            with FileLock(self.state / "watch.lock", timeout=0):
                return None
        except Timeout:
            return _daemon_name(self.state / "watch.json")
        except OSError:  # what cannot be locked by us is not written by a daemon either
            return None


def cannot_write(folder: Path, error: OSError) -> WorkspaceError:
    """What to say when the system refuses to write: the file in hand is sound, and the next fares no better."""
    remedy = "Make room" if error.errno in NO_ROOM else "Make it writable"
    return WorkspaceError(
        f"{folder} cannot be written: {error.strerror or error}. "
        f"Nothing is lost: what is not done yet is still where it was. {remedy}, then run again."
    )


def _daemon_name(note: Path) -> str:
    try:
        facts = json.loads(note.read_text())
        return f"Process {facts['pid']} on {facts['host']}, started {facts['since']},"
    except (OSError, ValueError, KeyError, TypeError):
        return "Another process"


def choose_home(given: str | None, environment: Mapping[str, str]) -> Path:
    """The workspace that a person means: `--home`, else `LINERNOTES_HOME`, else the current folder."""
    return Path(given or environment.get(HOME_VARIABLE) or ".").expanduser().resolve()


def existing(home: Path) -> Workspace:
    """The workspace at `home`.

    Raises:
        WorkspaceError: there is none; the message says how to make one.
    """
    workspace = Workspace(home)
    if not workspace.exists():
        raise WorkspaceError(
            f"There is no workspace in {home}. Make one with `linernotes init`, or name one with --home."
        )
    return workspace
