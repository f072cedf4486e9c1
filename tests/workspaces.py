"""Workspaces and commands for tests: a workspace with tracks is made once and copied, a command runs in this process.

Where nothing else is asked for, analyses run in this process, too: that workers do the same is tested elsewhere.
"""

from __future__ import annotations

import atexit
import functools
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from unittest import mock

import pytest

from processor import engine, inbox, library, pipeline
from processor.cli import main
from processor.config import Settings
from processor.engine import Done, Job
from processor.errors import LinerNotesError
from processor.workspace import Workspace
from tests import signals

# Two of the names begin alike.
NAMES = ("Alpha Beat.wav", "Alpha Song.flac", "Brücke.wav")
RATE = 16_000
# Encoding takes workers and seconds; what wants previews asks for them.
# Models that this machine happens to have must change no result.
NOWHERE = "/nonexistent/liner-notes"
NO_PREVIEWS = {"LINERNOTES_SITE_PREVIEWS": "false", "LINERNOTES_MODELS_FOLDER": NOWHERE}


class InlineEngine:
    """What an engine does, here and now."""

    def __init__(self, settings: Settings, function: Callable[[Job], Any] = engine.analyse) -> None:
        self.workers = settings.workers.count or 2
        self._function = function
        self._jobs: list[Job] = []

    @property
    def waiting(self) -> int:
        return len(self._jobs)

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def abandon(self) -> None:
        self._jobs.clear()

    def next_done(self, patience_s: float | None = None) -> list[Done]:
        """The last one first: nobody may rely on an order."""
        if not self._jobs:
            return []
        job = self._jobs.pop()
        try:
            return [Done(job, self._function(job), None)]
        except LinerNotesError as error:
            return [Done(job, None, error)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abandon()


def sound(path: Path, seed: int = 0, seconds: float = 0.5) -> Path:
    """Write a sound file that no other seed gives."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return signals.write_wav(path, signals.noise(seconds, rate=RATE, channels=2, seed=seed), RATE, subtype="PCM_16")


def junk(path: Path) -> Path:
    """Write a file that is no sound."""
    path.write_bytes(b"This is no sound. " * 40)
    return path


def empty(folder: Path) -> Workspace:
    """A workspace without tracks."""
    workspace = Workspace(folder / "home")
    workspace.create()
    return workspace


def with_tracks(folder: Path) -> Workspace:
    """A workspace with a track for each of `NAMES`, published."""
    shutil.copytree(_master(), folder / "home")
    return Workspace(folder / "home")


@functools.cache
def _master() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="linernotes-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    workspace = Workspace(folder / "home")
    workspace.create()
    process(workspace, [sound(folder / name, seed) for seed, name in enumerate(NAMES)])
    return workspace.home


def process(workspace: Workspace, files: Sequence[Path]) -> None:
    """Store and publish copies of files."""
    drops = inbox.drops_from(files).drops
    events = list(pipeline.process(workspace, Settings(), drops, InlineEngine(Settings())))  # type: ignore[arg-type]
    assert [event.event for event in events] == ["stored"] * len(files)
    pipeline.publish(workspace)


def track(workspace: Workspace, words: str) -> library.Track:
    """The track whose id begins so."""
    return library.resolve(workspace, words)


@dataclass(frozen=True)
class Result:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


def command(
    *arguments: str | Path,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
    workers: bool = False,
) -> Result:
    """Run `linernotes` with these arguments in this process; `workers` lets real ones analyse."""
    out = io.TextIOWrapper(io.BytesIO(), "utf-8")
    err = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("LINERNOTES_")}
    with (
        mock.patch.multiple(sys, stdout=out, stderr=err, stdin=io.TextIOWrapper(io.BytesIO(stdin))),
        mock.patch.dict(
            os.environ, {**ours, "LINERNOTES_INBOX_SETTLE_S": "0", **NO_PREVIEWS, **(environment or {})}, clear=True
        ),
        mock.patch("processor.engine.Engine", engine.Engine if workers else InlineEngine),
        pytest.raises(SystemExit) as ended,
    ):
        main([str(argument) for argument in arguments])
    code = ended.value.code
    assert isinstance(code, int)
    return Result(code, *(_written(stream) for stream in (out, err)))


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


def start(*arguments: str | Path, **settings: str) -> subprocess.Popen[str]:
    """Start `linernotes` as a process, in a group of its own, with settings such as `inbox_settle_s="0.2"`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LINERNOTES_")}
    environment |= NO_PREVIEWS | {f"LINERNOTES_{name.upper()}": value for name, value in settings.items()}
    environment.pop("PYTHONUNBUFFERED", None)  # a person's shell does not have it
    return subprocess.Popen(
        [sys.executable, "-m", "processor.cli", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )


def eventually(is_true: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something is true, and fail if it does not become so."""
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
