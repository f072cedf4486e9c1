"""The whole story on one screen: claim → identify → analyse → store → publish.

`process` takes drops and tells what became of each as an `Event`. All it changes, it changes in steps that can be
repeated: killed anywhere, the next start finishes or redoes the step, and nothing is lost or there twice.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from time import monotonic, perf_counter

import duckdb

from processor import bundles, catalogue, inbox, library, setaside
from processor.analysis import all_analysers, result_types
from processor.audio import check_size, content_key
from processor.catalogue import Changes
from processor.config import Limits, Settings
from processor.engine import Done, Engine, Job
from processor.errors import AudioError, LinerNotesError, RecordError, TooLarge, WorkspaceError
from processor.feedback import ledger
from processor.files import append_line, printable, remove_leftovers
from processor.graph import Outcome, plan_keys
from processor.inbox import Claim, Drop, Ignored
from processor.library import Track
from processor.mashup.kept import troubles
from processor.mashup.matches import note_mashups
from processor.prompt.kept import folder_of as prompts_folder
from processor.prompt.table import note_prompts
from processor.record import Record, read, write
from processor.sidecars import Sidecars
from processor.site import pages
from processor.workspace import Workspace, cannot_write

PUBLISH_EVERY_S = 5.0


@dataclass(frozen=True)
class Event:
    """What became of one drop or one track.

    Attributes:
        event: "stored", "duplicate", "failed" (set aside), "left" (still in the inbox), "refreshed", "deepened".
        name: the drop's name.
        track: id of the track that it became or was already.
        reason: why it failed or was left.
        seconds: seconds by stage.
    """

    event: str
    name: str
    track: str | None = None
    reason: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)


class RunLog:
    """One run's file below `library/runs/`: a line an event, written as it happens."""

    def __init__(self, workspace: Workspace, command: str) -> None:
        started = datetime.now().astimezone()
        self._path = workspace.runs / f"{started:%Y-%m-%dT%H-%M-%S}-{os.getpid()}.jsonl"
        self._command = command
        self._is_open = False

    def write(self, event: Event) -> None:
        """Append an event; the first one opens the log, so that a run that does nothing leaves none."""
        if not self._is_open:
            self._is_open = True
            self._append({"event": "started", "name": self._command})
        self._append({key: value for key, value in asdict(event).items() if value})

    def close(self) -> None:
        """Note the end of the run."""
        if self._is_open:
            self._append({"event": "ended", "name": self._command})

    def _append(self, facts: dict[str, object]) -> None:
        at = datetime.now().astimezone().isoformat(timespec="milliseconds")
        try:
            append_line(self._path, json.dumps({"at": at, **facts}))
        except OSError as error:
            raise cannot_write(self._path.parent, error) from error


def job_for(claim: Claim, settings: Settings) -> Job:
    """The analysis of a claimed file."""
    return Job(claim.source, claim.sha256, settings.limits, settings.analysers.off)


def process(
    workspace: Workspace,
    settings: Settings,
    drops: Iterable[Drop],
    engine: Engine,
    *,
    patience_s: float = 0.0,
) -> Generator[Event, None, None]:
    """Process drops and yield what became of each, in the order in which they are done.

    Closed early, it lets go of all that it holds: what is not done yet is still in the inbox.

    Args:
        workspace: where.
        settings: its settings.
        drops: complete files.
        engine: what analyses them; nobody else uses it meanwhile.
        patience_s: a file that is younger and turns out unreadable or cut off is left alone: more may be coming.

    Raises:
        WorkspaceError: the library cannot be written (disk full, read-only). What was done stays; the rest is
            still in the inbox.
    """
    known = {track.short_hash[:8]: track for track in library.tracks(workspace)}
    with ExitStack() as everything:
        held: dict[Path, _Held] = {}
        settle = partial(_settle, workspace, held, engine, known, patience_s)
        try:
            for drop in drops:
                while engine.waiting > engine.workers:
                    yield from settle()
                start = perf_counter()
                hold = everything.enter_context(ExitStack())
                taken = _take(workspace, settings, drop, hold, known)
                if isinstance(taken, Claim):
                    held[taken.source] = _Held(taken, hold, perf_counter() - start)
                    engine.submit(job_for(taken, settings))
                else:
                    hold.close()
                    if taken is not None:
                        yield taken
            while engine.waiting:
                yield from settle()
        finally:
            engine.abandon()  # or the next to use it would be given results of files that are let go here


def _take(
    workspace: Workspace, settings: Settings, drop: Drop, hold: ExitStack, known: dict[str, Track]
) -> Claim | Event | None:
    """Claim a drop; or say what became of it at once; or None if another process has it."""
    try:
        check_size(drop.size, settings.limits)
        claim = hold.enter_context(inbox.claim(workspace, drop))
    except TooLarge as error:
        return _set_aside(workspace, drop, error, None)
    except OSError as error:
        return Event("left", drop.name, reason=f"it cannot be read: {error.strerror}")
    if claim is None:
        return None
    if not drop.is_unchanged():
        return Event("left", drop.name, reason="it changed while it was read; it is looked at again later")
    twin = known.get(claim.sha256[:8])
    if twin is None or library.content_hash(twin) != claim.sha256:
        return claim
    with workspace.write_lock():
        is_another = _join(workspace, twin, claim)
    return _leave(claim, twin, "duplicate" if is_another else "stored")


def _join(workspace: Workspace, track: Track, claim: Claim) -> bool:
    """Make a drop one more arrival of a track that is known; False if this very drop was noted before."""
    try:
        if not library.has_source(track, claim.sha256):
            library.restore_source(track, claim.source)
        is_new = library.note_arrival(track, claim.drop.arrival())
    except OSError as error:
        raise cannot_write(workspace.library, error) from error
    # Of a drop from the inbox the same line means that a crash came between; a file from elsewhere was named twice.
    return is_new or not claim.drop.is_ours


def _leave(claim: Claim, track: Track, event: str, seconds: dict[str, float] | None = None) -> Event:
    return Event(event, claim.drop.name, track.id, inbox.leave(claim.drop), seconds or {})


@dataclass(frozen=True)
class _Held:
    """A claim that is being analysed, what releases it, and the seconds that claiming took."""

    claim: Claim
    hold: ExitStack
    seconds: float


def _settle(
    workspace: Workspace, held: dict[Path, _Held], engine: Engine, known: dict[str, Track], patience_s: float
) -> Iterator[Event]:
    """Wait for analyses and store, or set aside, what has come back."""
    for done in engine.next_done():
        one = held.pop(done.job.path)
        with one.hold:
            if isinstance(done.error, WorkspaceError):  # no matter of this file, which is still in the inbox
                raise done.error
            if _may_grow(one.claim.drop, done, patience_s):
                event = Event("left", one.claim.drop.name, reason="it looks unfinished; it is looked at again later")
            elif done.outcome is None:
                event = _set_aside(workspace, one.claim.drop, done.error, one.claim.source)
            else:
                event = _finish(workspace, one, done.outcome, known)
        yield event


def _may_grow(drop: Drop, done: Done, patience_s: float) -> bool:
    """Whether a file that came out unreadable or cut off is so young that the rest may still be on its way."""
    source = done.outcome.results.get("source") if done.outcome else None
    is_doubtful = isinstance(done.error, AudioError) or (source is not None and source.partial)
    return drop.is_ours and is_doubtful and 0 <= drop.age_s < patience_s


def _finish(workspace: Workspace, one: _Held, outcome: Outcome, known: dict[str, Track]) -> Event:
    claim, seconds = one.claim, {"claim": one.seconds, **outcome.seconds}
    start = perf_counter()
    try:
        track, is_new = store(workspace, claim, outcome)
    except RecordError as error:
        return _set_aside(workspace, claim.drop, error, claim.source)
    except OSError as error:
        raise cannot_write(workspace.library, error) from error
    known[track.short_hash[:8]] = track
    seconds["store"] = perf_counter() - start
    return _leave(claim, track, "stored" if is_new else "duplicate", _rounded(seconds))


def _rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {stage: round(value, 4) for stage, value in seconds.items()}


def store(workspace: Workspace, claim: Claim, outcome: Outcome) -> tuple[Track, bool]:
    """Put a claimed and analysed file into the library; the track, and whether it is new there."""
    name = claim.drop.name.rpartition("/")[2]
    found = Record("track", claim.sha256, name, outcome.results, outcome.keys, outcome.failures)
    library.fill_folder(claim.folder, found, claim.drop.arrival())
    with workspace.write_lock():
        twin = library.find(workspace, claim.sha256)
        if twin is not None:  # another process was faster
            return twin, not _join(workspace, twin, claim)
        return library.place(workspace, claim.folder, name, claim.sha256), True


def _set_aside(workspace: Workspace, drop: Drop, error: LinerNotesError | None, copy: Path | None) -> Event:
    reason = printable(" ".join(str(error).split()))
    if drop.is_ours and not drop.is_unchanged():
        return Event("left", drop.name, reason=f"{reason} But it changed meanwhile; it is looked at again later.")
    try:
        with workspace.write_lock():
            setaside.set_aside(workspace, drop, reason, copy)
    except OSError as trouble:
        return Event("left", drop.name, reason=f"{reason} It cannot be moved to failed/ either: {trouble.strerror}")
    return Event("failed", drop.name, reason=reason)


def publish(workspace: Workspace, *, rebuild: bool = False, progress: catalogue.Progress | None = None) -> Changes:
    """Bring the catalogue and the pages in line with the library's folders.

    Args:
        workspace: where.
        rebuild: make both anew instead of only what changed.
        progress: told of tracks read and of pages written.

    Raises:
        WorkspaceError: they cannot be written.
    """
    try:
        with workspace.write_lock():
            setaside.remove_orphan_texts(workspace)
            remove_leftovers(prompts_folder(workspace))
            if rebuild:
                catalogue.discard(workspace.state / catalogue.PRIVATE_NAME)
                pages.forget(workspace)
            with catalogue.opened(workspace) as connection:
                changes = catalogue.synchronise(workspace, connection, progress)
                derived = ledger.derive(workspace, connection, changes.all_tracks)
                note_prompts(connection, changes.all_tracks)
                note_mashups(workspace, connection, changes.all_tracks)
                if not catalogue.is_published(workspace, connection):
                    catalogue.publish_snapshot(workspace, connection)
                pages.publish(
                    workspace,
                    connection,
                    changes.all_tracks,
                    derived,
                    setaside.failures(workspace),
                    left_alone(workspace),
                    progress,
                )
            return changes
    except (OSError, duckdb.Error) as error:
        raise WorkspaceError(
            f"The catalogue or the site cannot be written: {error}. The library's folders are sound. "
            "Mend this, then run again; `linernotes rebuild` makes both anew."
        ) from error


def left_alone(workspace: Workspace) -> list[Ignored]:
    """What in the inbox is never opened, folders that stayed incomplete, and mashups that could not be made."""
    found = inbox.scan(workspace)
    incomplete = bundles.hold_back(workspace, found.drops)[1]
    not_made = [Ignored(name, one.reason) for name, one in troubles(workspace).items()]
    return [*found.ignored, *incomplete, *bundles.left_without(workspace, found.drops), *not_made]


def run_all(
    workspace: Workspace,
    settings: Settings,
    drops: Iterable[Drop],
    engine: Engine,
    log: RunLog,
    tell: Callable[[Event], None],
) -> None:
    """Process drops, log and tell each event, and publish every few seconds and at the end."""
    published = monotonic()
    try:
        with closing(process(workspace, settings, drops, engine)) as events:
            for event in events:
                log.write(event)
                tell(event)
                if monotonic() - published > PUBLISH_EVERY_S:
                    with suppress(WorkspaceError):  # storing goes on; the last one says what is wrong
                        publish(workspace)
                    published = monotonic()
    finally:
        log.close()
        publish(workspace)


@dataclass(frozen=True)
class Stale:
    """A track whose record is not what analysing it now would give.

    Attributes:
        track: the track.
        record: its record.
        keys: the keys that its results would have.
    """

    track: Track
    record: Record
    keys: dict[str, str]

    @property
    def names(self) -> list[str]:
        """Analysers that have to run, or whose results have to go; one that failed is tried again.

        What models found stays as it is: only a deep pass can say anything about it.
        """
        every = {**self.record.keys, **self.keys}
        failed = {name for name, failure in self.record.failures.items() if failure.kind == "failed"} - _heard()
        return [name for name in every if name in failed or self.record.keys.get(name) != self.keys.get(name)]


def stale_tracks(workspace: Workspace, settings: Settings, only: Track | None = None) -> tuple[list[Stale], list[str]]:
    """Tracks that `refresh` would touch, and records that cannot be read."""
    kept = {name for name, one in all_analysers().items() if one.keep}
    found, problems = [], []
    for track in [only] if only is not None else library.tracks(workspace):
        try:
            record = read(track.folder, result_types())
            said = library.known_words(library.read_person(track))
        except RecordError as error:
            problems.append(str(error))
            continue
        sound = audio_key(record, settings.limits)
        keys = plan_keys(all_analysers(), sound, said, settings.analysers.off, recorded=record.keys)
        stale = Stale(track, record, {name: key for name, key in keys.items() if name in kept})
        if stale.names:
            found.append(stale)
    return found, problems


def _heard() -> frozenset[str]:
    """Analysers that work with a model."""
    return frozenset(name for name, one in all_analysers().items() if one.model is not None)


def audio_key(record: Record, limits: Limits) -> str:
    """The key that the sound would have now; where its length is not recorded, it counts as short."""
    source = record.results.get("source")
    if source is None:
        return content_key(record.sha256, 0, 1, limits)
    return content_key(record.sha256, round(source.duration_s * source.sample_rate_hz), source.channels, limits)


def refresh(
    workspace: Workspace, settings: Settings, stale: Iterable[Stale], engine: Engine
) -> Generator[tuple[Stale, Event], None, None]:
    """Analyse again what a new version or a person's word made stale, and rewrite the records.

    Raises:
        WorkspaceError: a record cannot be written.
    """
    todo: dict[Path, Stale] = {}
    try:
        for one in stale:
            source = one.track.source
            if source is None:
                yield one, _refusal(one, "its source file is gone from the library")
                continue
            todo[source] = one
            engine.submit(_job_again(one, source, settings))
        while engine.waiting:
            for done in engine.next_done():
                one = todo[done.job.path]
                if isinstance(done.error, WorkspaceError):
                    raise done.error
                if done.outcome is None:
                    yield one, _refusal(one, f"{done.error} Its record stays as it was.")
                elif trouble := _renew(workspace, one, done.outcome, settings.analysers.off):
                    yield one, _refusal(one, trouble)
                else:
                    seconds = _rounded(done.outcome.seconds)
                    yield one, Event("refreshed", one.record.name, one.track.id, seconds=seconds)
    finally:
        engine.abandon()


def _refusal(one: Stale, reason: str) -> Event:
    return Event("failed", one.record.name, one.track.id, reason)


def _job_again(one: Stale, source: Path, settings: Settings) -> Job:
    known = library.known_words(library.read_person(one.track))
    # What failed, and what was skipped for it, may fare better now: not every defect that is mended changes a version.
    # Without models, what they said or could not say stays.
    record = one.record
    failures = {name: failure for name, failure in record.failures.items() if name in _heard()}
    keys = {name: key for name, key in record.keys.items() if name in record.results or name in failures}
    previous = Outcome(dict(record.results), failures, keys)
    beside = Sidecars(one.track.folder)
    return Job(source, record.sha256, settings.limits, settings.analysers.off, known, previous, beside)


def _renew(workspace: Workspace, one: Stale, outcome: Outcome, off: Collection[str]) -> str | None:
    """Rewrite a record; say why, if there is none any more.

    What models found is taken from the record as it is now: a deep pass may have been there meanwhile, and hours of
    work must not be lost to the second that a person's word takes.
    """
    heard = _heard()
    with workspace.write_lock():
        try:
            now = read(one.track.folder, result_types())
        except RecordError as error:
            return str(error)
        results = {name: result for name, result in outcome.results.items() if name not in heard}
        failures = {name: failure for name, failure in outcome.failures.items() if name not in heard}
        keys = {name: key for name, key in outcome.keys.items() if name not in heard}
        for name in heard - set(off):
            results |= {name: now.results[name]} if name in now.results else {}
            failures |= {name: now.failures[name]} if name in now.failures else {}
            keys |= {name: now.keys[name]} if name in now.keys else {}
        remove_leftovers(one.track.folder)
        try:
            write(replace(one.record, results=results, keys=keys, failures=failures), one.track.folder)
        except RecordError as error:
            return f"{error} It stays as it was."
        except OSError as error:
            raise cannot_write(one.track.folder, error) from error
    return None
