"""What is derived from the library goes into the catalogue: advice, checks, and which tracks are bounces of a song."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import duckdb

from processor import catalogue, library, record
from processor.analysis import result_types
from processor.config import Settings
from processor.errors import RecordError
from processor.feedback import comparisons
from processor.feedback.alike import Neighbour, neighbours
from processor.feedback.checks import Check, sql_checks
from processor.feedback.desk import Desk, Verdict, judge, open_desk
from processor.feedback.llm import kept_wording
from processor.feedback.revisions import Revision, note_revisions, songs
from processor.feedback.standing import Library, Standing
from processor.library import Track
from processor.workspace import Workspace

PARALLEL_FROM = 1000  # below, starting processes costs more than they save
OWN_CHECKS = "checks"  # the folder of the library that holds them

Rows = dict[str, list[catalogue.Row]]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Beside:
    """What is said of a track because of the others.

    Attributes:
        own: what a person's own checks say of it.
        standing: where its measures stand in the library.
        revisions: all bounces of its song, oldest first; empty if there is but this.
        comparisons: comparisons that it takes part in, as (id, name).
        alike: tracks that sound like it, the nearest first.
    """

    own: tuple[Check, ...] = ()
    standing: tuple[Standing, ...] = ()
    revisions: tuple[Revision, ...] = ()
    comparisons: tuple[tuple[str, str], ...] = ()
    alike: tuple[Neighbour, ...] = ()


NOTHING_BESIDE = Beside()


@dataclass(frozen=True)
class Ledger:
    """What was derived from a library, for its pages.

    Attributes:
        desk: what every track is measured against.
        own: track → what a person's own checks say of it.
        songs: track → all bounces of its song.
        library: the measures of all tracks.
        compared: track → comparisons that it takes part in, as (id, name).
        alike: track → tracks that sound like it.
    """

    desk: Desk
    own: Mapping[str, tuple[Check, ...]]
    songs: Mapping[str, tuple[Revision, ...]]
    library: Library
    compared: Mapping[str, tuple[tuple[str, str], ...]]
    alike: Mapping[str, tuple[Neighbour, ...]]

    def signature(self, track: str) -> str:
        """Changes whenever something changes that a track's page says of it, apart from the track itself."""
        around = (self.own.get(track), self.songs.get(track), self.compared.get(track), self.alike.get(track))
        return repr((self.desk.signature, around, self.library.size(track)))

    def beside(self, track: str) -> Beside:
        """What is said of a track because of the others."""
        standing, song = self.library.standing(track), self.songs.get(track, ())
        alike = self.alike.get(track, ())
        return Beside(self.own.get(track, ()), standing, song, self.compared.get(track, ()), alike)


def derive(
    workspace: Workspace,
    connection: duckdb.DuckDBPyConnection,
    tracks: Sequence[Track],
    settings: Settings | None = None,
) -> Ledger:
    """Judge what is new, changed or measured against something new, and run a person's own checks on everything.

    Args:
        workspace: where.
        connection: the private catalogue, in line with the folders.
        tracks: every track of the library.
        settings: the workspace's, if they are at hand.

    Raises:
        WrongUsage: settings or a profile of the workspace are broken.
    """
    desk = open_desk(workspace, settings)
    note_revisions(connection, tracks)
    known = catalogue.derived(connection, "verdict")
    marks = {track.id: f"{desk.signature} {track.signature}" for track in tracks}
    due = [track for track in tracks if known.get(track.id) != marks[track.id]]
    rows: Rows = {"advice": [], "checks": []}
    for track, verdict in zip(due, _verdicts(desk, due), strict=True):
        if verdict is not None:
            rows["advice"] += _advice_rows(track, verdict)
            rows["checks"] += _check_rows(track.id, verdict.checks, is_own=False)
    if due:
        changed = {track.id: marks[track.id] for track in due}
        catalogue.replace_derived(connection, "verdict", rows, changed, {"checks": "NOT is_own"})
    own = sql_checks(connection, workspace.library / OWN_CHECKS)
    _note_own(connection, tracks, own)
    alike = neighbours(connection)
    return Ledger(desk, own, songs(connection), Library(connection), _compared(workspace), alike)


def _compared(workspace: Workspace) -> dict[str, tuple[tuple[str, str], ...]]:
    """Track → comparisons that it takes part in."""
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for one in comparisons.stored(workspace, curves=False):
        for track in {one.made_from.mix, *one.made_from.references}:
            found[track] = (*found.get(track, ()), (one.id, one.record.name))
    return found


def verdict_of(desk: Desk, track: Track, beside: Beside = NOTHING_BESIDE) -> Verdict | None:
    """What is said of a track of the library; None if its record or a person's words cannot be read."""
    try:
        found, said = record.read(track.folder, result_types()), library.read_person(track)
    except RecordError:
        return None
    verdict = judge(desk, found.results, said)
    wording = kept_wording(track, verdict, found, said, desk.settings.llm.model)
    return replace(verdict, checks=verdict.checks + beside.own, standing=beside.standing, wording=wording)


def _verdicts(desk: Desk, tracks: Sequence[Track]) -> Iterator[Verdict | None]:
    """Verdicts in the order of the tracks; of many, on all processors."""
    if len(tracks) < PARALLEL_FROM:
        yield from map(partial(verdict_of, desk), tracks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        mp_context=context, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    ) as pool:
        yield from pool.map(partial(verdict_of, desk), tracks, chunksize=100)


def _advice_rows(track: Track, verdict: Verdict) -> Iterator[catalogue.Row]:
    for place, one in enumerate(verdict.advice, 1):
        yield {
            "track": track.id,
            "place": place,
            "id": one.id,
            "severity": one.severity,
            "area": one.area,
            "band": one.band,
            "direction": one.direction,
            "title": one.title,
            "text": one.text,
            "action": one.action,
            "weight": round(one.weight, 3),
            "profile": verdict.profile.name,
        }


def _check_rows(track: str, checks: Iterable[Check], *, is_own: bool) -> Iterator[catalogue.Row]:
    for one in checks:
        yield {
            "track": track,
            "id": one.id,
            "title": one.title,
            "status": one.status,
            "expected": one.expected,
            "found": one.found,
            "why": one.why,
            "is_own": is_own,
        }


def _note_own(
    connection: duckdb.DuckDBPyConnection, tracks: Sequence[Track], own: Mapping[str, tuple[Check, ...]]
) -> None:
    """Keep what a person's own checks say, where it is not what they said before."""
    known = catalogue.derived(connection, "own checks")
    marks = {track.id: repr(own.get(track.id, ())) for track in tracks}
    changed = {track: mark for track, mark in marks.items() if known.get(track, "()") != mark}
    if changed:
        rows = [row for track in changed for row in _check_rows(track, own.get(track, ()), is_own=True)]
        catalogue.replace_derived(connection, "own checks", {"checks": rows}, changed, {"checks": "is_own"})
