"""Where analysis runs: worker processes, each with a deadline and a memory limit, so that no file can hurt another."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Self

import pebble

from processor.analysis import all_analysers
from processor.audio import decode
from processor.config import Limits, Settings
from processor.errors import DeadlinePassed, LinerNotesError, OutOfMemory, WorkerDied
from processor.graph import Known, Outcome, run

TRIES = 2
DEBUG_VARIABLE = "LINERNOTES_DEBUG"


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


def _prepare_worker(memory_bytes: int) -> None:
    """Limit this process, leave Ctrl-C to its parent, and silence what C libraries print about bad files."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # not on Windows, where only the deadline protects

        # RLIMIT_DATA, not RLIMIT_AS: libraries reserve address space that they never use.
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not os.environ.get(DEBUG_VARIABLE):
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - devnull is no path of ours
            os.dup2(nowhere.fileno(), 2)


class Engine:
    """A pool of workers. A file that kills its worker is tried once more, alone it takes nobody with it."""

    def __init__(self, settings: Settings) -> None:
        self.workers = settings.workers.count or os.cpu_count() or 1
        self._deadline_s = settings.workers.deadline_s
        self._pool = pebble.ProcessPool(
            max_workers=self.workers,
            context=multiprocessing.get_context("spawn"),
            initializer=_prepare_worker,
            initargs=(settings.workers.memory_bytes,),
        )
        self._running: dict[Future[Outcome], tuple[Job, int]] = {}

    @property
    def waiting(self) -> int:
        """Jobs that have not come back yet."""
        return len(self._running)

    def submit(self, job: Job) -> None:
        """Queue a job; `next_done` will bring it back."""
        self._start(job, 1)

    def _start(self, job: Job, attempt: int) -> None:
        self._running[self._pool.schedule(analyse, args=(job,), timeout=self._deadline_s)] = (job, attempt)

    def next_done(self, timeout_s: float | None = None) -> list[Done]:
        """Wait for at least one job (or the time-out) and return all that have come back."""
        finished, _ = wait(self._running, timeout=timeout_s, return_when=FIRST_COMPLETED)
        done = []
        for future in finished:
            job, attempt = self._running.pop(future)
            try:
                done.append(Done(job, future.result(), None))
            except pebble.ProcessExpired as error:
                if attempt < TRIES:
                    self._start(job, attempt + 1)
                else:
                    done.append(
                        Done(
                            job,
                            None,
                            WorkerDied(f"Analysing it ended the worker process {TRIES} times ({error})."),
                        )
                    )
            except TimeoutError:
                done.append(
                    Done(
                        job,
                        None,
                        DeadlinePassed(f"Analysing it took longer than {self._deadline_s:g} s (workers.deadline_s)."),
                    )
                )
            except MemoryError:
                done.append(
                    Done(
                        job,
                        None,
                        OutOfMemory("Analysing it took more memory than a worker may have (workers.memory_bytes)."),
                    )
                )
            except LinerNotesError as error:
                done.append(Done(job, None, error))
            except Exception as error:  # a defect of ours or of a decoder costs this file only
                done.append(Done(job, None, LinerNotesError(f"An unexpected error: {type(error).__name__}: {error}")))
        return done

    def drain(self) -> Iterator[Done]:
        """All jobs that are still running, as they come back."""
        while self._running:
            yield from self.next_done()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._pool.close()  # type: ignore[no-untyped-call]  # pebble leaves these two without types
        else:
            self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()
