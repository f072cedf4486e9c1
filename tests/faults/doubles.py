"""Stand-ins for tests of what goes wrong: an engine without processes, small sounds, and what a library must be."""

from __future__ import annotations

import hashlib
import struct
import wave
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np

from processor import inbox, library, setaside
from processor.analysis import result_types
from processor.config import Settings
from processor.engine import Done, Job, analyse
from processor.errors import LinerNotesError
from processor.graph import Outcome
from processor.inbox import Drop
from processor.pipeline import Event, process
from processor.record import read
from processor.workspace import Workspace


class InlineEngine:
    """Looks like an engine, but analyses in this process, one job each time it is asked."""

    def __init__(self, function: Callable[[Job], Outcome] = analyse, workers: int = 2) -> None:
        self.workers = workers
        self.jobs: list[Job] = []
        self.queue: list[Job] = []
        self._function = function

    @property
    def waiting(self) -> int:
        return len(self.queue)

    def submit(self, job: Job) -> None:
        self.jobs.append(job)
        self.queue.append(job)

    def abandon(self) -> None:
        self.queue.clear()

    def next_done(self, patience_s: float | None = None) -> list[Done]:
        job = self.queue.pop(0)
        try:
            return [Done(job, self._function(job), None)]
        except LinerNotesError as error:
            return [Done(job, None, error)]


def tone(path: Path, hz: float = 440.0, seconds: float = 0.3, rate: int = 8000) -> Path:
    """A WAV file of a sine: the same bytes for the same numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def cut_tone(path: Path) -> Path:
    """A WAV file whose header promises twice of what there is."""
    data = bytearray(tone(path).read_bytes())
    data[40:44] = struct.pack("<I", 2 * (len(data) - 44))
    path.write_bytes(data)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def drops_in(workspace: Workspace) -> list[Drop]:
    return inbox.scan(workspace).drops


def run(
    workspace: Workspace, settings: Settings, engine: object | None = None, drops: list[Drop] | None = None
) -> list[Event]:
    """Process what lies in the inbox."""
    found = drops_in(workspace) if drops is None else drops
    return list(process(workspace, settings, found, engine or InlineEngine()))


def kinds(events: list[Event]) -> dict[str, str]:
    """Name of the drop → what became of it."""
    return {event.name: event.event for event in events}


def contents(workspace: Workspace) -> Counter[str]:
    """SHA-256 of every source in the library, and how often it is there."""
    found: Counter[str] = Counter()
    for track in library.tracks(workspace):
        assert track.source is not None, f"{track.id} has no source"
        found[sha256(track.source)] += 1
    return found


def arrived(workspace: Workspace) -> dict[str | None, int]:
    """Hash of each track → how often it was dropped."""
    return {library.content_hash(track): len(library.arrivals(track)) for track in library.tracks(workspace)}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def files_below(folder: Path) -> list[str]:
    """Everything that is not a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())


def leftovers(workspace: Workspace) -> list[str]:
    """What only a crash leaves: private copies, temporary files, half a snapshot."""
    return [
        *files_below(workspace.work),
        *(name for name in files_below(workspace.home) if name.endswith(".tmp") or "catalogue.next" in name),
    ]


def check_sound(workspace: Workspace, published: bool = True) -> None:
    """What must hold of a workspace at rest, whatever happened to it before."""
    tracks = library.tracks(workspace)
    assert leftovers(workspace) == []
    assert [name for name in files_below(workspace.inbox) if not name.startswith("failed")] == []
    assert max(contents(workspace).values(), default=1) == 1
    for track in tracks:
        assert read(track.folder, result_types()).sha256 == sha256(track.source)
    texts = [name for name in names(workspace.failed) if name.endswith(setaside.ERROR_SUFFIX)]
    assert len(names(workspace.failed)) == 2 * len(texts) == 2 * len(setaside.failures(workspace))
    if published:
        with duckdb.connect(str(workspace.catalogue), read_only=True) as connection:
            rows = {row[0] for row in connection.execute("SELECT track FROM tracks").fetchall()}
        assert rows == {track.id for track in tracks}
        assert {page.stem for page in (workspace.site / "tracks").glob("*.html")} == rows
