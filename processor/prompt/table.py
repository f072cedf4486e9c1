"""The prompts of every track in the catalogue, so that SQL can ask for them."""

from __future__ import annotations

import hashlib
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import duckdb

from processor import catalogue, library, record
from processor.analysis import result_types
from processor.errors import RecordError
from processor.library import Track
from processor.prompt.composer import NoPrompt, prompts_of
from processor.prompt.targets import DEFAULT, target_named

PARALLEL_FROM = 1000  # below, starting processes costs more than they save


def note_prompts(connection: duckdb.DuckDBPyConnection, tracks: Sequence[Track]) -> None:
    """Bring the table `prompts` in line with the records: all variants for the default target.

    Args:
        connection: the private catalogue, in line with the folders.
        tracks: every track of the library.
    """
    known = catalogue.derived(connection, "prompts")
    marks = {track.id: f"{_version()} {track.signature}" for track in tracks}
    due = [track for track in tracks if known.get(track.id) != marks[track.id]]
    if due:
        rows = [row for found in _rows(due) for row in found]
        catalogue.replace_derived(connection, "prompts", {"prompts": rows}, {one.id: marks[one.id] for one in due})


def _rows(tracks: Sequence[Track]) -> Iterator[list[catalogue.Row]]:
    if len(tracks) < PARALLEL_FROM:
        yield from map(rows_of, tracks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        mp_context=context, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    ) as pool:
        yield from pool.map(rows_of, tracks, chunksize=100)


def rows_of(track: Track) -> list[catalogue.Row]:
    """A row for each variant of a track's prompt; none where there is none."""
    try:
        found, said = record.read(track.folder, result_types()), library.read_person(track)
        prompts = prompts_of(found, said, target_named(DEFAULT))
    except (RecordError, NoPrompt):
        return []
    return [
        {
            "track": track.id,
            "id": one.id,
            "target": one.target.name,
            "variant": one.variant,
            "title": one.title,
            "style": one.style,
            "exclusions": one.exclusions,
            "lyrics": one.lyrics,
        }
        for one in prompts
    ]


@cache
def _version() -> str:
    """Changes whenever this package does: its rules and its words."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.suffix in (".py", ".toml"):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]
