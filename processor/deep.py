"""The deep pass: models hear the library, one model at a time over many tracks, so that each is loaded once.

A pass is made of steps: one model, one track. After each step the record is rewritten, so that a pass that ends
anywhere (Ctrl-C, a power cut) goes on where it was: which steps there are follows from the records alone. After the
last step of a track, what listens to the models is analysed again, as `refresh` does it.

Stems are written apart and moved to their track only with the record, so that nothing is half replaced, and a track
that was taken away meanwhile does not come back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from processor import engine
from processor.analysis import all_analysers, result_types
from processor.backlog import Backlog, Need, Roster, Step, sound_files
from processor.config import Settings
from processor.engine import Done, Engine, Hearing, Job
from processor.errors import AudioError, LinerNotesError, ModelError, RecordError, WorkspaceBusy, WorkspaceError
from processor.files import remove_tree
from processor.graph import Outcome, downstream, plan_keys, upstream
from processor.library import Track
from processor.pipeline import Event, audio_key, refresh, stale_tracks
from processor.record import Failure, Record, read, to_bytes, write
from processor.sidecars import Sidecars, is_sound
from processor.site.deep import LOCK_NAME, Running, note_running
from processor.workspace import Workspace, cannot_write

POLL_S = 0.5
# From this share on, the time that a step has taken says how long it will take.
ENOUGH_SHARE = 0.05


@dataclass(frozen=True)
class _Current:
    """A step that is being done.

    Attributes:
        step: which.
        name: of the track's file.
        since: when it began, by the monotonic clock.
        number: its number among those with this model.
        total: how many of those there are.
        rest_s: length of the tracks that come after it, in seconds of sound.
        place: where its files are meanwhile.
        hold: what removes them.
    """

    step: Step
    name: str
    since: float
    number: int
    total: int
    rest_s: float
    place: Path
    hold: ExitStack

    @property
    def share(self) -> float:
        """How much of it is done, as the worker says."""
        try:
            return min(1.0, max(0.0, float((self.place / "share").read_text())))
        except (OSError, ValueError):
            return 0.0


@dataclass
class _Pace:
    """How long steps with one model took in this pass: seconds of work for seconds of sound."""

    done: int = 0
    work_s: float = 0.0
    sound_s: float = 0.0

    def left_s(self, current: _Current, share: float) -> float | None:
        """Seconds until the current step and those after it with this model are done; None if nobody can say."""
        elapsed_s, sound_s, rest_s = monotonic() - current.since, current.step.duration_s, current.rest_s
        whole_s = elapsed_s / share if share >= ENOUGH_SHARE else None
        rate = self.work_s / self.sound_s if self.sound_s else whole_s / sound_s if whole_s and sound_s else None
        if whole_s is None and rate is not None and sound_s:
            whole_s = rate * sound_s
        if whole_s is None or (rest_s and rate is None):
            return None
        return max(0.0, whole_s - elapsed_s) + rest_s * (rate or 0.0)


@dataclass
class Pass:
    """A deep pass at work; `with` holds the right to it, and ends its worker.

    Attributes:
        workspace: where.
        settings: its settings.
        backlog: what there is to do.
        cheap: an engine for what needs no model; nobody else uses it while `work` runs.
    """

    workspace: Workspace
    settings: Settings
    backlog: Backlog
    cheap: Engine
    _hold: ExitStack = field(default_factory=ExitStack)
    _engine: Engine | None = None
    _current: _Current | None = None
    _job: str | None = None
    _paces: dict[str, _Pace] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._hold.enter_context(_alone(self.workspace))
        self._hold.callback(note_running, self.workspace, None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._engine is not None:
            self._engine.abandon()  # before what its worker writes to is removed
        if self._current is not None:
            self.backlog.again(self._current.step.marks)
            self._current.hold.close()
        self._hold.close()

    def work(self, patience_s: float | None = POLL_S) -> list[Event] | None:
        """Begin what is next if nothing is being done, wait so long, and say what came of it; None at the end.

        Raises:
            WorkspaceError: a record or a stem cannot be written.
        """
        if self._current is None:
            if late := self.backlog.finished():
                return self._catch_up(late[0])
            steps = self.backlog.steps(self._job)
            if not steps:
                return None
            if (event := self._begin(steps)) is not None:
                return [event]
        assert self._engine is not None  # noqa: S101 - `_begin` has made it
        events = [self._finish(done) for done in self._engine.next_done(patience_s)]
        if self._current is not None:
            note_running(self.workspace, self.running())
        return events

    def running(self) -> Running | None:
        """What is being done, for people."""
        if self._current is None:
            return None
        step, share = self._current.step, self._current.share
        left_s = self._paces[step.job].left_s(self._current, share)
        at = datetime.now().astimezone().isoformat(timespec="seconds")
        return Running(
            step.track.id,
            self._current.name,
            step.names[0],
            self.backlog.here.models[step.job],
            self._current.number,
            self._current.total,
            share,
            left_s,
            at,
        )

    def _begin(self, steps: Sequence[Step]) -> Event | None:
        """Submit the first step; say why, if that cannot be done."""
        step = steps[0]
        self.backlog.tried(step.marks)
        source = step.track.source
        try:
            record = read(step.track.folder, result_types())
        except RecordError as error:
            return Event("failed", step.track.id, step.track.id, str(error))
        if source is None:
            return Event("failed", record.name, step.track.id, "its source file is gone from the library")
        if self._engine is None:
            self._engine = self._hold.enter_context(engine.Engine(engine.for_models(self.settings)))
        self._job = step.job
        pace = self._paces.setdefault(step.job, _Pace())
        alike = [one for one in steps if one.job == step.job]
        rest_s = sum(one.duration_s for one in alike[1:])
        hold = ExitStack()
        place = hold.enter_context(_apart(self.workspace, step.track))
        self._current = _Current(
            step, record.name, monotonic(), pace.done + 1, pace.done + len(alike), rest_s, place, hold
        )
        self._engine.submit(_job(step, record, source, self._current.place, self.settings, self.backlog.here))
        note_running(self.workspace, self.running())
        return None

    def _finish(self, done: Done) -> Event:
        current = self._current
        assert current is not None  # noqa: S101 - one job at a time
        self._current = None
        with current.hold:
            try:
                event = self._settle(current, done)
            except WorkspaceError:  # no matter of this step: it can go well once there is room
                self.backlog.again(current.step.marks)
                raise
        if event.event == "deepened":
            pace = self._paces[current.step.job]
            pace.work_s += monotonic() - current.since
            pace.sound_s += current.step.duration_s
        self._paces[current.step.job].done += 1
        return event

    def _settle(self, current: _Current, done: Done) -> Event:
        """Put into the record what a step gave."""
        step, error = current.step, done.error
        name = step.track.id
        if isinstance(error, WorkspaceError):
            raise error
        if isinstance(error, ModelError):
            self.backlog.broken[step.job] = str(error)
            return Event("failed", self.backlog.here.models[step.job], reason=str(error))
        if isinstance(error, AudioError):
            return Event("failed", name, step.track.id, f"{error} Its record stays as it was.")
        beside = Sidecars(current.place / "beside", step.track.folder)
        with self.workspace.write_lock():
            try:
                now = read(step.track.folder, result_types())
            except RecordError as trouble:
                return Event("failed", name, step.track.id, f"What was heard cannot be kept: {trouble}")
            outcome = done.outcome or self._gave_up(step, now, error)
            try:
                _keep(now, _merged(now, outcome, step), beside, step.track)
            except RecordError as trouble:  # there is more than a record may hold
                outcome = self._gave_up(step, now, trouble)
                _keep(now, _merged(now, outcome, step), beside, step.track)
        seconds = {stage: round(value, 4) for stage, value in outcome.seconds.items()}
        failures = [(one, outcome.failures[one]) for one in step.names if one in outcome.failures]
        reason = "; ".join(f"{one}: {failure.reason}" for one, failure in failures) or None
        is_failed = any(failure.kind == "failed" for _, failure in failures)
        return Event("failed" if is_failed else "deepened", now.name, step.track.id, reason, seconds)

    def _gave_up(self, step: Step, now: Record, error: LinerNotesError | None) -> Outcome:
        """A failure of each analyser of a step whose worker did not come back."""
        keys = plan_keys(
            all_analysers(),
            audio_key(now, self.settings.limits),
            {},
            self.settings.analysers.off,
            models=self.backlog.here.identities,
            recorded=now.keys,
            only=_only(step),
        )
        names = [name for name in step.names if name in keys]
        failures = {name: Failure("failed", " ".join(str(error).split())) for name in names}
        return Outcome({}, failures, {name: keys[name] for name in names})

    def _catch_up(self, late: Need) -> list[Event]:
        """Analyse again what listens to the models of a track that is done with them."""
        self.backlog.tried(late.late)
        stale, _ = stale_tracks(self.workspace, self.settings, late.track)
        return [event for _, event in refresh(self.workspace, self.settings, stale, self.cheap)]


def deepen(work: Pass, show: Callable[[Running | None], None]) -> Generator[Event, None, None]:
    """Work until nothing is left; yield what came of each step, and show what is being done, twice a second."""
    while (events := work.work()) is not None:
        show(work.running())
        yield from events
    show(None)


def _only(step: Step) -> frozenset[str]:
    """What may run in a step: its analysers, and what they need that needs no model itself."""
    analysers = all_analysers()
    needed = {name for name in upstream(analysers, step.names) if analysers[name].model is None}
    return frozenset({*step.names, *needed})


def _job(step: Step, record: Record, source: Path, place: Path, settings: Settings, here: Roster) -> Job:
    """The step as an engine does it."""
    keys = {name: key for name, key in record.keys.items() if name not in step.names}
    previous = Outcome(dict(record.results), dict(record.failures), keys)
    hearing = Hearing(settings.models, here.models, here.identities, _only(step), place / "share")
    beside = Sidecars(place / "beside", step.track.folder)
    return Job(source, record.sha256, settings.limits, settings.analysers.off, {}, previous, beside, hearing)


def _merged(now: Record, outcome: Outcome, step: Step) -> Record:
    """The record as it is now, with what a step gave; all else in it may be newer than the step.

    Where an analyser has a result that failed before, or the reverse, its key is the same. What listens to it has to
    be analysed again all the same: it gets a key that nothing has.
    """
    ran = {name for name in _only(step) if name in outcome.keys}
    turned = {name for name in step.names if (name in now.failures) != (name in outcome.failures)}
    results = {name: result for name, result in now.results.items() if name not in ran}
    failures = {name: failure for name, failure in now.failures.items() if name not in ran}
    outdated = downstream(all_analysers(), turned)
    keys = {name: "" if name in outdated else key for name, key in now.keys.items() if name not in ran}
    return replace(
        now,
        results=results | {name: result for name, result in outcome.results.items() if name in ran},
        failures=failures | {name: failure for name, failure in outcome.failures.items() if name in ran},
        keys=keys | {name: key for name, key in outcome.keys.items() if name in ran},
    )


def _keep(before: Record, after: Record, beside: Sidecars, track: Track) -> None:
    """Move the sound files of a step to their track, write its record, and remove sound that it no longer names.

    Raises:
        RecordError: the record would be too large; nothing has changed.
    """
    to_bytes(after)
    named, was_named = (
        {file for result in one.results.values() for file in sound_files(result)} for one in (after, before)
    )
    try:
        beside.settle(named)  # and not what one that failed had written by then
        write(after, track.folder)
        for file in was_named - named:
            if is_sound(file):
                (track.folder / file).unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(track.folder, error) from error


@contextmanager
def _alone(workspace: Workspace) -> Iterator[None]:
    """Be the one deep pass of this workspace.

    Raises:
        WorkspaceBusy: there is another.
        WorkspaceError: the library cannot be written.
    """
    lock = FileLock(workspace.state / LOCK_NAME, timeout=1)  # a page may just be asking whether anybody has it
    try:
        workspace.state.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise WorkspaceBusy(
            "Another process lets models hear this library just now, and does what there is to do. "
            "What it is doing stands on the page deep.html."
        ) from error
    except OSError as error:
        raise cannot_write(workspace.library, error) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _apart(workspace: Workspace, track: Track) -> Iterator[Path]:
    """A folder on the library's disk for what a step writes; like a claim, it is swept away after a crash."""
    token = f"deep-{track.id[-64:]}-{os.getpid()}"
    lock = FileLock(workspace.work / f"{token}.lock", timeout=0)
    place = workspace.work / token
    try:
        workspace.work.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        remove_tree(place)
        place.mkdir()
    except (OSError, Timeout) as error:
        raise cannot_write(workspace.library, OSError(str(error))) from error
    try:
        yield place
    finally:
        remove_tree(place)
        with suppress(OSError):
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()
