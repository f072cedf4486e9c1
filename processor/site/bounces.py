"""What a song's bounces need before their page can show it: each subtracted from the next, and both laid in step.

That takes seconds, so it is made apart from the pages, like previews: `library/.state/nulls/` holds what can be made
again at any time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from processor import engine
from processor.audio import decode
from processor.config import Settings
from processor.engine import Job
from processor.errors import LinerNotesError, WorkspaceError
from processor.feedback.nulls import NullTest, null_test, unaligned
from processor.files import remove_leftovers, write_atomically
from processor.graph import Outcome
from processor.library import Track
from processor.record import plain, result_from
from processor.site.ab import Take
from processor.workspace import Workspace, cannot_write

FOLDER = "nulls"
# Raised when the same two files give other numbers.
VERSION = 1

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Pair:
    """A bounce and the one before it."""

    later: Track
    earlier: Track


@dataclass(frozen=True)
class Subtraction(Job):
    """One null test to be made: `path` is the later bounce."""

    earlier: Path = Path()
    target: Path = Path()


def null_path(workspace: Workspace, pair: Pair) -> Path:
    """Where a pair's null test is kept."""
    return workspace.state / FOLDER / f"{pair.later.id}--{pair.earlier.id}.{VERSION}.json"


def read_null(path: Path) -> NullTest | None:
    """A null test that was kept; None if there is none, or the file is broken."""
    try:
        found = result_from(NullTest, json.loads(path.read_bytes()), {})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, NullTest) else None


def takes(pair: Pair, null: NullTest | None) -> tuple[Take, Take]:
    """Both bounces as an A/B player lays them beside each other: the later is A."""
    offset_s = 0.0 if null is None or null.offset_s is None else -null.offset_s
    return Take(pair.later), Take(pair.earlier, offset_s=offset_s)


def make_nulls(
    workspace: Workspace,
    settings: Settings,
    pairs: Sequence[Pair],
    progress: Progress | None = None,
    most: int | None = None,
) -> int:
    """Make the null tests that are missing, and remove those that belong to no pair; return how many were made.

    Args:
        workspace: where; nobody has to hold its lock, for every file appears whole or not at all.
        settings: its settings.
        pairs: every bounce with the one before it.
        progress: told of null tests made and to make.
        most: how many pairs to take on at most; the rest is left for the next time.

    Raises:
        WorkspaceError: a folder cannot be written.
    """
    folder = workspace.state / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        kept = {null_path(workspace, pair).name for pair in pairs}
        for path in folder.glob("*.json"):
            if path.name not in kept:
                path.unlink(missing_ok=True)
        made = _subtract(
            workspace, settings, [p for p in pairs if not null_path(workspace, p).is_file()][:most], progress
        )
    except OSError as error:
        raise cannot_write(folder, error) from error
    return made


def players(workspace: Workspace, pairs: Iterable[Pair]) -> list[tuple[Take, ...]]:
    """What each bounce's A/B player plays, as soon as it is known how the two lie."""
    nulls = [(pair, read_null(null_path(workspace, pair))) for pair in pairs]
    return [takes(pair, null) for pair, null in nulls if null is not None]


def _subtract(workspace: Workspace, settings: Settings, pairs: Iterable[Pair], progress: Progress | None) -> int:
    jobs = [
        Subtraction(later, "", settings.limits, earlier=earlier, target=null_path(workspace, pair))
        for pair in pairs
        if (later := pair.later.source) is not None and (earlier := pair.earlier.source) is not None
    ]
    if not jobs:
        return 0
    count = 0
    with engine.Engine(settings, make_null) as workers:
        for job in jobs:
            workers.submit(job)
        while workers.waiting:
            for done in workers.next_done():
                _note_failure(done.job, done.error)
                count += 1
                if progress is not None:
                    progress(count, len(jobs))
    return count


def make_null(job: Job) -> Outcome:
    """Subtract one file from another, in a worker.

    Raises:
        AudioError: one of them cannot be heard.
        WorkspaceError: the result cannot be written.
    """
    assert isinstance(job, Subtraction)  # noqa: S101 - for mypy: an engine hands on what it was given
    found = null_test(decode(job.path, limits=job.limits), decode(job.earlier, limits=job.limits))
    _keep(job.target, found)
    return Outcome()


def _keep(target: Path, found: NullTest) -> None:
    try:
        write_atomically(target, json.dumps(plain(found)), durable=False)
    except OSError as error:
        raise cannot_write(target.parent, error) from error


def _note_failure(job: Job, error: LinerNotesError | None) -> None:
    """Keep why two files cannot be subtracted, so that it is not tried again each time."""
    if isinstance(error, WorkspaceError):
        raise error
    if error is not None and isinstance(job, Subtraction):
        _keep(job.target, unaligned(str(error)))
