"""Where analysis runs: worker processes, each with a deadline and a memory limit, so that no file can hurt another.

Each worker has a pipe of its own and does one file at a time. So it is always known which file a death belongs to,
and whatever a dying worker leaves in its pipe reaches nobody else. Pools that share one queue promise neither.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from time import monotonic, perf_counter
from types import TracebackType
from typing import Self

from processor.analysis import all_analysers
from processor.audio import decode
from processor.config import Limits, Settings
from processor.errors import DeadlinePassed, LinerNotesError, OutOfMemory, WorkerDied, WorkspaceError
from processor.graph import Known, Outcome, run

TRIES = 2
# So many workers in a row that end before they are given anything: none is going to work.
MAX_STILLBORN = 3
MAX_ERROR_CHARACTERS = 500
DEBUG_VARIABLE = "LINERNOTES_DEBUG"

Answer = Outcome | LinerNotesError


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
    """

    path: Path
    sha256: str
    limits: Limits
    off: tuple[str, ...] = ()
    known: Mapping[str, Known] = field(default_factory=dict)
    previous: Outcome | None = None


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
    """
    start = perf_counter()
    audio = decode(job.path, limits=job.limits, sha256=job.sha256)
    decode_s = perf_counter() - start
    outcome = run(all_analysers(), audio, known=job.known, off=job.off, previous=job.previous)
    outcome.seconds["decode"] = decode_s
    return outcome


def _work(pipe: Connection, function: Callable[[Job], Outcome], memory_bytes: int) -> None:
    """What a worker does until its pipe is closed: say that it is ready, then answer job after job."""
    _prepare_worker(memory_bytes)
    with contextlib.suppress(EOFError, ConnectionError):
        pipe.send(None)
        while True:
            answer = _guarded(function, pipe.recv())
            try:
                pipe.send(answer)
            except ConnectionError:
                raise
            except Exception as error:  # it cannot be pickled; nothing of it was sent
                pipe.send(_defect(error))


def _guarded(function: Callable[[Job], Outcome], job: Job) -> Answer:
    """An outcome or an error of ours; an exception of a foreign class might not unpickle on the other side."""
    try:
        return function(job)
    except LinerNotesError as error:
        return error
    except MemoryError:
        return OutOfMemory("Analysing it took more memory than a worker may have (workers.memory_bytes).")
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
    """One process and the pipe to it.

    Attributes:
        task: what it is doing.
        deadline: when it must have done it, on the monotonic clock.
        is_ready: whether it has come up.
    """

    def __init__(self, function: Callable[[Job], Outcome], memory_bytes: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, function, memory_bytes), daemon=True)
        with theirs, _out_of_reach_of_ctrl_c():
            self._process.start()
        self.task: _Task | None = None
        self.deadline = math.inf
        self.is_ready = False

    @property
    def is_dead(self) -> bool:
        return not self._process.is_alive()

    def begin(self, task: _Task, deadline_s: float) -> None:
        """Hand it a job."""
        self.task = task
        self.deadline = monotonic() + deadline_s if deadline_s else math.inf
        with contextlib.suppress(ConnectionError):  # it died just now, which is found out when it is asked
            self.pipe.send(task.job)

    def end(self) -> int | None:
        """End it at once, whatever it is doing; return its exit code. It holds nothing that could be left half done."""
        self._process.kill()
        self._process.join()
        self.pipe.close()
        return self._process.exitcode


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
        return len(self._queue) + sum(worker.task is not None for worker in self._staff)

    def submit(self, job: Job) -> None:
        """Queue a job; `next_done` will bring it back."""
        self._queue.append(_Task(job, 1))
        self._hand_out()

    def abandon(self) -> None:
        """Give up every job that has not come back; a worker that is busy with one is ended."""
        self._queue.clear()
        for worker in [worker for worker in self._staff if worker.task is not None]:
            self._dismiss(worker)

    def next_done(self) -> list[Done]:
        """Wait for at least one job and return all that have come back; nothing if nothing is running.

        Raises:
            WorkspaceError: no worker lives long enough to begin.
        """
        done: list[Done] = []
        while self.waiting and not done:
            self._hand_out()
            patience_s = max(0.0, min(worker.deadline for worker in self._staff) - monotonic())
            told = wait([worker.pipe for worker in self._staff], None if math.isinf(patience_s) else patience_s)
            late = [worker for worker in self._staff if worker.pipe not in told and worker.deadline <= monotonic()]
            heard = [self._hear(worker) for worker in list(self._staff) if worker.pipe in told]
            done += [one for one in heard + [self._stop(worker) for worker in late] if one is not None]
        self._hand_out()
        return done

    def _hand_out(self) -> None:
        """Give waiting jobs to workers that are free, and start more workers while that helps."""
        for worker in [worker for worker in self._staff if not worker.is_ready and worker.pipe.poll()]:
            self._hear(worker)
        for worker in [worker for worker in self._staff if worker.is_ready and worker.task is None]:
            if worker.is_dead:  # killed from outside while it was idle
                self._dismiss(worker)
            elif self._queue:
                worker.begin(self._queue.popleft(), self._limits.deadline_s)
        coming = sum(not worker.is_ready for worker in self._staff)
        try:
            for _ in range(min(len(self._queue) - coming, self.workers - len(self._staff))):
                self._staff.append(_Worker(self._function, self._limits.memory_bytes))
        except OSError as error:
            raise WorkspaceError(f"A worker process cannot be started: {error.strerror}.") from error

    def _hear(self, worker: _Worker) -> Done | None:
        """What a worker has to say, if it is about a job that is over; its pipe is readable or closed."""
        task = worker.task
        try:
            answer = worker.pipe.recv()
        except (EOFError, OSError):
            return self._bury(worker)
        worker.is_ready, worker.task, worker.deadline = True, None, math.inf
        self._stillborn = 0
        if task is None:
            return None
        return Done(task.job, None, answer) if isinstance(answer, LinerNotesError) else Done(task.job, answer, None)

    def _bury(self, worker: _Worker) -> Done | None:
        """A worker is dead: try its job once more, or give it up."""
        task, code = worker.task, self._dismiss(worker)
        if task is None:
            self._stillborn += not worker.is_ready
            if self._stillborn >= MAX_STILLBORN:
                raise WorkspaceError(
                    "Worker processes end before they have begun. Is workers.memory_bytes too small? "
                    "Nothing is lost: what is not done yet is still where it was."
                )
            return None
        if task.attempt < TRIES:
            self._queue.append(_Task(task.job, task.attempt + 1))
            return None
        return Done(
            task.job, None, WorkerDied(f"Analysing it ended the worker process {TRIES} times (exit code {code}).")
        )

    def _stop(self, worker: _Worker) -> Done | None:
        """A worker has passed its deadline."""
        task = worker.task
        self._dismiss(worker)
        error = DeadlinePassed(f"Analysing it took longer than {self._limits.deadline_s:g} s (workers.deadline_s).")
        return Done(task.job, None, error) if task is not None else None

    def _dismiss(self, worker: _Worker) -> int | None:
        self._staff.remove(worker)
        return worker.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in list(self._staff):
            self._dismiss(worker)
