"""What a worker may do instead of analysing; importable, because workers are fresh processes."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from processor.engine import Job
from processor.errors import NotAudio
from processor.graph import Outcome


class Foreign(Exception):
    """An exception that can be pickled but not unpickled."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first}\n{second}")


def _die(job: Job) -> Outcome:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def _sleep(job: Job) -> Outcome:
    while True:
        time.sleep(1)


def _ignore_everything(job: Job) -> Outcome:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return _sleep(job)


def _hog(job: Job) -> Outcome:
    return Outcome({"hog": bytearray(1 << 34)})


def _refuse(job: Job) -> Outcome:
    raise NotAudio("Only words.")


def _foreign(job: Job) -> Outcome:
    raise Foreign(1, 2)


def _defect(job: Job) -> Outcome:
    raise ZeroDivisionError("first line\nsecond line " + "x" * 10_000)


def _exit(job: Job) -> Outcome:
    sys.exit(3)


def _time_out(job: Job) -> Outcome:
    raise TimeoutError("a network share, say")


def _unsendable(job: Job) -> Outcome:
    return Outcome({"function": lambda: None})


def _die_once(job: Job) -> Outcome:
    return Outcome() if tries(job.path) > 1 else _die(job)


def _nothing(job: Job) -> Outcome:
    return Outcome()


BEHAVIOURS: dict[str, Callable[[Job], Outcome]] = {
    "die": _die,
    "die-once": _die_once,
    "sleep": _sleep,
    "stubborn": _ignore_everything,
    "hog": _hog,
    "refuse": _refuse,
    "foreign": _foreign,
    "defect": _defect,
    "exit": _exit,
    "time-out": _time_out,
    "unsendable": _unsendable,
    "nothing": _nothing,
}


def behave(job: Job) -> Outcome:
    """Do what the file's name says. Each try leaves a mark for `tries`.

    Nothing here analyses: where the loops are not compiled yet, that takes longer than a test's deadline.
    """
    with _marks(job.path).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return BEHAVIOURS[job.path.stem.rstrip("-0123456789")](job)


def _marks(path: Path) -> Path:
    return Path(os.environ["LINERNOTES_TEST_MARKS"]) / path.stem


def tries(path: Path) -> int:
    """How often a worker has begun with a file of this name."""
    return len(pids(path))


def pids(path: Path) -> list[int]:
    """The workers that have begun with it."""
    marks = _marks(path)
    return [int(line) for line in marks.read_text().split()] if marks.exists() else []
