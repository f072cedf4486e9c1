"""Where analysis runs: worker processes, each with a deadline and a memory limit, so no file can hurt another."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import lru_cache
from multiprocessing import resource_tracker
from pathlib import Path
from time import monotonic, perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Self

import pebble

from processor.analysis import all_analysers
from processor.audio import decode
from processor.config import Limits, Models, Settings, Workers
from processor.errors import DeadlinePassed, LinerNotesError, OutOfMemory, WorkerDied, WorkspaceError
from processor.files import write_atomically
from processor.graph import Equipment, Known, Outcome, run
from processor.sidecars import Sidecars

if TYPE_CHECKING:
    from processor.models.loading import Bench

TRIES = 2
# So many workers in a row that end before they have begun: none is going to work.
MAX_STILLBORN = 3
STOP_PATIENCE_S = 10.0
MAX_ERROR_CHARACTERS = 500
DEBUG_VARIABLE = "LINERNOTES_DEBUG"
REPORT_EVERY_S = 0.5

Answer = Outcome | LinerNotesError


@dataclass(frozen=True)
class Hearing:
    """What a job needs to let models hear.

    Attributes:
        settings: section `[models]`.
        models: job of a model → name of the model that does it.
        identities: the same jobs → what tells these models from others.
        only: analysers that may run; None for all.
        report: file in which the worker says what share is done; None: nobody asks.
    """

    settings: Models
    models: Mapping[str, str]
    identities: Mapping[str, str]
    only: frozenset[str] | None = None
    report: Path | None = None


@dataclass(frozen=True)
class Job:
    """One file to analyse.

    Attributes:
        path: the file; nobody may change it while it is analysed.
        sha256: its hash.
        limits: what it may cost.
        off: analysers that do not run.
        known: what a person said, by analyser.
        previous: an earlier outcome, whose unchanged results are kept.
        sidecars: sound beside its record, if it has a place for it.
        hearing: models that hear it; None for none.
    """

    path: Path
    sha256: str
    limits: Limits
    off: tuple[str, ...] = ()
    known: Mapping[str, Known] = field(default_factory=dict)
    previous: Outcome | None = None
    sidecars: Sidecars | None = None
    hearing: Hearing | None = None


@dataclass(frozen=True)
class Done:
    """How a job ended: with an outcome or an error, never both."""

    job: Job
    outcome: Outcome | None
    error: LinerNotesError | None


def analyse(job: Job) -> Outcome:
    """Decode and analyse one file, here and now; the same function whatever runs it.

    Raises:
        AudioError: the file cannot be heard.
        ModelError: a model that it was given for cannot be loaded, which is no matter of this file.
    """
    load_s = _load(job.hearing) if job.hearing is not None else None
    start = perf_counter()
    audio = decode(job.path, limits=job.limits, sha256=job.sha256)
    decode_s = perf_counter() - start
    only = job.hearing.only if job.hearing is not None else None
    outcome = run(
        all_analysers(),
        audio,
        known=job.known,
        off=job.off,
        previous=job.previous,
        equipment=_equipment(job),
        only=only,
    )
    outcome.seconds["decode"] = decode_s
    if load_s is not None:
        outcome.seconds["load"] = load_s
    return outcome


def _load(hearing: Hearing) -> float:
    """Load the models that are certain to be used; the seconds that it took."""
    start = perf_counter()
    bench = _bench(hearing.settings, tuple(hearing.models.items()))
    for name in hearing.only or ():
        job = all_analysers()[name].model
        if job is not None:
            bench.load(job)
    return perf_counter() - start


def _equipment(job: Job) -> Equipment:
    hearing = job.hearing
    if hearing is None:
        return Equipment(sidecars=job.sidecars)
    bench = _bench(hearing.settings, tuple(hearing.models.items()))
    report = _Reporter(hearing.report) if hearing.report is not None else lambda share: None
    return Equipment(hearing.identities, bench.load, job.sidecars, report)


@lru_cache(maxsize=1)
def _bench(settings: Models, models: tuple[tuple[str, str], ...]) -> Bench:
    """The models of this process: loaded for the first file, and kept for those that follow."""
    from processor.models.loading import Bench

    return Bench(settings, dict(models))


class _Reporter:
    """Says what share is done, in a file: it survives us, and nobody has to listen."""

    def __init__(self, path: Path) -> None:
        self._path, self._last = path, -REPORT_EVERY_S

    def __call__(self, share: float) -> None:
        if monotonic() - self._last < REPORT_EVERY_S:
            return
        self._last = monotonic()
        with contextlib.suppress(OSError):  # a full disk, or a pass that is over
            write_atomically(self._path, f"{share:.4f}", durable=False)


def for_models(settings: Settings) -> Settings:
    """The same settings for workers in which models hear: one, because a model uses all processors by itself."""
    limits = Workers(1, settings.models.deadline_s, settings.models.worker_memory_bytes)
    return replace(settings, workers=limits)


def _guarded(function: Callable[[Job], Outcome], job: Job) -> Answer:
    """An outcome or an error of ours; an exception of a foreign class might not unpickle on the other side."""
    try:
        return function(job)
    except LinerNotesError as error:
        return error
    except MemoryError:
        name = "workers.memory_bytes" if job.hearing is None else "models.worker_memory_bytes"
        return OutOfMemory(f"Analysing it took more memory than a worker may have ({name}).")
    except BaseException as error:  # a defect of ours or of a decoder costs this file only
        return _defect(error)


def _defect(error: BaseException) -> LinerNotesError:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return LinerNotesError(f"An unexpected error: {text[:MAX_ERROR_CHARACTERS]}")


def _prepare_worker(memory_bytes: int) -> None:
    """Limit this process, leave Ctrl-C to its parent, and silence what C libraries print about bad files."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # not on Windows, where only the deadline protects

        # RLIMIT_DATA, not RLIMIT_AS: libraries reserve address space that they never use.
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not os.environ.get(DEBUG_VARIABLE):
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - devnull is no path of ours
            os.dup2(nowhere.fileno(), 2)


def _end_with_parent() -> None:
    """An idle worker notices that its parent was killed; a busy one would go on with nobody to set it a deadline."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def _out_of_reach_of_ctrl_c() -> Iterator[None]:
    """What is started in this block never sees Ctrl-C, not even in the second before a worker can ignore it."""
    if os.name != "posix":
        yield
        return
    resource_tracker.ensure_running()  # where it starts by itself, it lets the signal in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass(frozen=True)
class _Task:
    """A job, and how often it was begun, this time included."""

    job: Job
    attempt: int


class _Worker:
    """One process: a pool of its own.

    In a shared pool, a process that dies while it answers leaves half a message in the pipe of all. Here nobody else
    reads that pipe, and it is always known which file a death belongs to.

    Attributes:
        task: what it is doing.
        future: the answer to come.
    """

    def __init__(self, function: Callable[[Job], Outcome], limits: Workers) -> None:
        self._function, self._limits = function, limits
        self._pool = pebble.ProcessPool(
            max_workers=1,
            context=multiprocessing.get_context("spawn"),
            initializer=_prepare_worker,
            initargs=(limits.memory_bytes,),
        )
        self.task: _Task | None = None
        self.future: Future[Answer] | None = None

    def begin(self, task: _Task) -> None:
        """Hand it a job."""
        self.task = task
        with _out_of_reach_of_ctrl_c():
            arguments = (self._function, task.job)
            self.future = self._pool.schedule(_guarded, args=arguments, timeout=self._limits.deadline_s or None)

    def end(self) -> None:
        """End its process, whatever it is doing; it holds nothing that could be left half done."""
        self._pool.stop()  # type: ignore[no-untyped-call]  # pebble leaves it without types
        with contextlib.suppress(TimeoutError):
            self._pool.join(timeout=STOP_PATIENCE_S)


class Engine:
    """A staff of workers. A file that kills its worker is tried once more, and takes nobody with it.

    Args:
        settings: how many workers, and what each may take.
        function: what they do; importable by name, because each worker is a fresh process.
    """

    def __init__(self, settings: Settings, function: Callable[[Job], Outcome] = analyse) -> None:
        self.workers = settings.workers.count or os.cpu_count() or 1
        self._limits = settings.workers
        self._function = function
        self._queue: deque[_Task] = deque()
        self._staff: list[_Worker] = []
        self._stillborn = 0

    @property
    def waiting(self) -> int:
        """Jobs that have not come back yet."""
        return len(self._queue) + len(self._busy)

    @property
    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._staff if worker.future is not None]

    def submit(self, job: Job) -> None:
        """Queue a job; `next_done` will bring it back."""
        self._queue.append(_Task(job, 1))
        self._hand_out()

    def abandon(self) -> None:
        """Give up every job that has not come back; a worker that is busy with one is ended."""
        self._queue.clear()
        for worker in self._busy:
            self._dismiss(worker)

    def next_done(self, patience_s: float | None = None) -> list[Done]:
        """Wait for at least one job and return all that have come back; nothing if nothing is running.

        Args:
            patience_s: return with nothing after so long; None: however long it takes.

        Raises:
            WorkspaceError: no worker lives long enough to begin.
        """
        done: list[Done] = []
        while self.waiting and not done:
            self._hand_out()
            futures = [worker.future for worker in self._busy if worker.future is not None]
            is_heard = wait(futures, patience_s, return_when=FIRST_COMPLETED).done
            heard = [self._hear(worker) for worker in self._busy if worker.future is not None and worker.future.done()]
            done += [one for one in heard if one is not None]
            if patience_s is not None and not is_heard:
                break
        self._hand_out()
        return done

    def _hand_out(self) -> None:
        """Give waiting jobs to workers that are free, and take on more workers while that helps."""
        while self._queue:
            free = next((worker for worker in self._staff if worker.future is None), None)
            if free is None and len(self._staff) < self.workers:
                free = _Worker(self._function, self._limits)
                self._staff.append(free)
            if free is None:
                return
            self._begin(free, self._queue.popleft())

    def _begin(self, worker: _Worker, task: _Task) -> None:
        try:
            worker.begin(task)
        except RuntimeError:  # its process was killed while it was idle
            self._dismiss(worker)
            self._try_without(task)
        except OSError as error:
            raise WorkspaceError(f"A worker process cannot be started: {error.strerror}.") from error

    def _hear(self, worker: _Worker) -> Done | None:
        """How a job ended whose future is done; None if it is tried once more."""
        task, future = worker.task, worker.future
        worker.task = worker.future = None
        if task is None or future is None:
            return None
        try:
            answer = future.result()
        except BrokenProcessPool:
            self._dismiss(worker)
            self._try_without(task)
            return None
        except pebble.ProcessExpired as expired:
            self._dismiss(worker)
            if task.attempt < TRIES:
                self._queue.append(_Task(task.job, task.attempt + 1))
                return None
            text = f"Analysing it ended the worker process {TRIES} times (exit code {expired.exitcode})."
            return Done(task.job, None, WorkerDied(text))
        except TimeoutError:
            self._dismiss(worker)
            name = "workers.deadline_s" if task.job.hearing is None else "models.deadline_s"
            text = f"Analysing it took longer than {self._limits.deadline_s:g} s ({name})."
            return Done(task.job, None, DeadlinePassed(text))
        except Exception as error:  # the answer could not be sent
            return Done(task.job, None, _defect(error))
        self._stillborn = 0
        return Done(task.job, None, answer) if isinstance(answer, LinerNotesError) else Done(task.job, answer, None)

    def _try_without(self, task: _Task) -> None:
        """Give another worker a job whose worker ended before it had begun with it."""
        self._queue.append(task)
        self._stillborn += 1
        if self._stillborn >= MAX_STILLBORN:
            raise WorkspaceError(
                "Worker processes end before they have begun. Is workers.memory_bytes too small? "
                "Nothing is lost: what is not done yet is still where it was."
            )

    def _dismiss(self, worker: _Worker) -> None:
        self._staff.remove(worker)
        worker.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in list(self._staff):
            self._dismiss(worker)
