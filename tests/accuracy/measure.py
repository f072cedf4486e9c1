"""Everything that is measured of one recording, in a process of its own if wished."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import active_children, get_context, parent_process
from typing import Any, TypeVar

import numpy as np

from processor.analysis import all_analysers
from processor.audio import Audio, decode, from_samples
from processor.graph import Analyser, run
from tests.accuracy import answers, fingerprints, peers, table
from tests.accuracy.answers import Answer
from tests.accuracy.calibration import Claim, claims
from tests.accuracy.fingerprints import Likeness
from tests.accuracy.table import Scores
from tests.accuracy.truth import Item

OURS, BASELINE = "Liner Notes", "baseline"
T = TypeVar("T")


@dataclass(frozen=True)
class Task:
    """What to do with one recording.

    Attributes:
        item: the recording and its truth.
        names: the analysers to run; empty for all.
        key: what the baseline says for a key.
        with_peers: whether to ask other libraries too.
    """

    item: Item
    names: tuple[str, ...] = ()
    key: str = "C major"
    with_peers: bool = False


@dataclass
class Measured:
    """What came of one recording.

    Attributes:
        item: its id.
        source: where it comes from.
        scores: who → metric → score.
        said: who → the answer in one line.
        claims: job → confidences and what came of them.
        failures: analyser → reason.
        fingerprint: that of the recording itself.
        variants: how alike each changed version is.
        seconds: analyser → wall seconds; "decode" as well.
    """

    item: str
    source: str
    scores: dict[str, Scores] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    claims: dict[str, list[Claim]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    fingerprint: Any = None
    variants: dict[str, Likeness] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def needed(names: Collection[str]) -> dict[str, Analyser]:
    """These analysers and all that they need, in order; all of them if `names` is empty."""
    everything = all_analysers()
    wanted = set(names or everything) & set(everything)
    for name in reversed(everything):
        if name in wanted:
            wanted |= set(everything[name].inputs) - {"audio"}
    return {name: one for name, one in everything.items() if name in wanted}


def measure(task: Task) -> Measured:
    """Decode, analyse, score; a failure is written down."""
    item = task.item
    found = Measured(item.id, item.source)
    analysers = needed(task.names)
    results: dict[str, Any] = {}
    start = time.perf_counter()
    try:
        audio = decode(item.path)
    except Exception as error:
        found.failures["decode"] = f"{type(error).__name__}: {error}"
    else:
        found.seconds["decode"] = time.perf_counter() - start
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            outcome = run(analysers, audio, off=set(all_analysers()) - set(analysers))
        results = outcome.results
        found.seconds |= outcome.seconds
        found.failures |= {name: one.reason for name, one in outcome.failures.items() if name in analysers}
        found.failures |= {f"warning {number}": str(one.message) for number, one in enumerate(caught, start=1)}
        found.fingerprint = results.get(fingerprints.ANALYSER)
        found.variants = _variants(audio, found.fingerprint)
    _score(task, found, answers.ours(results, analysers))
    if task.with_peers and found.seconds:
        for name, answer in peers.answers(np.mean(audio.samples, axis=0), audio.sample_rate).items():
            add(found, name, item, answers.peer(answer))
    return found


def _score(task: Task, found: Measured, answer: Answer) -> None:
    add(found, OURS, task.item, answer)
    add(found, BASELINE, task.item, answers.baseline(task.item, task.key))
    found.claims = claims(task.item, answer)


def add(found: Measured, who: str, item: Item, answer: Answer) -> None:
    """Score an answer and keep it in one line."""
    found.scores[who] = table.score(item, answer)
    tempo = "–" if answer.bpm is None else f"{answer.bpm:.1f}"
    found.said[who] = f"{tempo} BPM · {answer.metre or '–'} · {answer.key or '–'}"


def _variants(audio: Audio, fingerprint: Any) -> dict[str, Likeness]:
    """How alike the recording is to each changed version of itself."""
    if fingerprint is None or audio.source.streamed:
        return {}
    analysers = needed([fingerprints.ANALYSER])
    found = {}
    for name, change in fingerprints.VARIANTS.items():
        changed = from_samples(change(audio.samples, audio.sample_rate), audio.sample_rate)
        result = run(analysers, changed, off=set(all_analysers()) - set(analysers)).results.get(fingerprints.ANALYSER)
        found[name] = Likeness(0.0, False) if result is None else fingerprints.compare(fingerprint, result)
    return found


def in_processes(work: Callable[..., T], tasks: Iterable[tuple[Any, ...]], workers: int) -> Iterator[T]:
    """`work(*task)` of each task, in the order in which they are done; with one worker in this process."""
    listed = list(tasks)
    if workers <= 1 or len(listed) <= 1:
        for task in listed:
            yield work(*task)
        return
    # One thread each: the processes are the parallelism.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_end_with_parent)
    try:
        # Ctrl-C is for this process. The others are born deaf to it, and told when to stop.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        futures = [pool.submit(work, *task) for task in listed]
        signal.signal(signal.SIGINT, before)
        for future in as_completed(futures):
            yield future.result()
    except BaseException:  # Ctrl-C above all: what is under way is not waited for
        for child in active_children():
            child.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """Let this process end when the one that started it is gone, however that ended."""

    def wait() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
