"""A process that forks others, each of which runs once over a workspace and is killed at a chosen moment.

Started once for all moments: importing takes a second, forking a millisecond. Nothing here opens a database before
the fork.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from processor import files, inbox, library, pipeline
from processor.config import Inbox, Settings
from processor.engine import Job, analyse
from processor.workspace import Workspace
from tests.faults.doubles import InlineEngine, tone

# Everything that changes a file system, except writing itself.
CALLS = ("rename", "replace", "unlink", "rmdir", "mkdir", "fsync")


class Countdown:
    """Kills this process at the n-th tick."""

    def __init__(self, at: int) -> None:
        self.at, self.count = at, 0

    def tick(self, before_death: Callable[[], None] = lambda: None) -> None:
        self.count += 1
        if self.count == self.at:
            before_death()
            os.kill(os.getpid(), signal.SIGKILL)


def at_calls(countdown: Countdown) -> None:
    """Die just before one of the calls that change the file system."""

    def ticking(call: Callable[..., Any]) -> Callable[..., Any]:
        def tick_and_call(*args: Any, **named: Any) -> Any:
            countdown.tick()
            return call(*args, **named)

        return tick_and_call

    for name in CALLS:
        setattr(os, name, ticking(getattr(os, name)))


def at_copies(countdown: Countdown) -> None:
    """Die in the middle of a private copy."""
    files.COPY_CHUNK_BYTES = 1000
    original = files.hashlib.sha256

    class Ticking:
        def __init__(self) -> None:
            self._digest = original()
            self.hexdigest = self._digest.hexdigest

        def update(self, data: bytes) -> None:
            countdown.tick()
            self._digest.update(data)

    class Hashlib:
        sha256 = Ticking
        file_digest = staticmethod(files.hashlib.file_digest)

    files.hashlib = Hashlib


def at_lines(countdown: Countdown) -> None:
    """Die when half of a line is written: of a run's log, or of what arrived as a track."""
    original = files.append_line

    def torn(path: Path, line: str) -> None:
        def half() -> None:
            with path.open("a") as file:
                file.write(line[: len(line) // 2])

        path.parent.mkdir(parents=True, exist_ok=True)
        countdown.tick(half)
        original(path, line)

    pipeline.append_line = library.append_line = torn


MOMENTS = {"calls": at_calls, "copies": at_copies, "lines": at_lines}
SETTINGS = Settings(inbox=Inbox(settle_s=0.0, patience_s=0.0))


def run(home: str) -> None:
    """What `linernotes run` does."""
    workspace = Workspace(Path(home))
    inbox.sweep(workspace)
    drops = inbox.scan(workspace).drops
    log = pipeline.RunLog(workspace, "run")
    pipeline.run_all(workspace, SETTINGS, drops, InlineEngine(), log, lambda event: None)


def only_process(home: str) -> None:
    """The first half of it."""
    workspace = Workspace(Path(home))
    inbox.sweep(workspace)
    list(pipeline.process(workspace, SETTINGS, inbox.scan(workspace).drops, InlineEngine()))


def only_publish(home: str) -> None:
    """The second half of it."""
    workspace = Workspace(Path(home))
    inbox.sweep(workspace)
    pipeline.publish(workspace)


SCENES = {"run": run, "process": only_process, "publish": only_publish}


def fork(order: dict[str, Any]) -> dict[str, Any]:
    """Do an order in a child; say how it ended and how many ticks there were."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            countdown = Countdown(order.get("at", 0))
            MOMENTS[order.get("moments", "calls")](countdown)
            SCENES[order["scene"]](order["home"])
            os.write(writer, str(countdown.count).encode())
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reader) as pipe:
        count = pipe.read()
    return {"killed": os.WIFSIGNALED(status), "code": os.waitstatus_to_exitcode(status), "count": int(count or 0)}


def main() -> None:
    """Obey orders, one JSON object a line, until there are no more."""
    with tempfile.TemporaryDirectory() as folder:  # compiled code is loaded once, here
        analyse(Job(tone(Path(folder) / "warm.wav"), "warm", SETTINGS.limits))
    for line in sys.stdin:
        print(json.dumps(fork(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
