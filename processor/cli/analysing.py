"""Files analysed for a command that stores nothing: in parallel, with a progress bar, in the order of the arguments."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from processor.cli.shared import progress_bar

if TYPE_CHECKING:
    from processor.config import Settings
    from processor.engine import Engine, Job
    from processor.graph import Outcome

Words = Callable[[Path], Mapping[str, Mapping[str, Any]]]


def analysed(
    files: Sequence[Path],
    settings: Settings,
    workers: int | None = None,
    words: Words | None = None,
    *,
    deep: bool = False,
) -> Iterator[tuple[Path, Outcome | str]]:
    """Analyse files, one after the other as their turn comes.

    Args:
        files: what to analyse.
        settings: limits, workers, and which analysers are off.
        workers: how many files at the same time, if a person said so.
        words: what a person said of a file, by analyser, which its analysis follows.
        deep: let models hear, too: one file at a time, because a model uses all processors by itself.

    Yields:
        A file and its outcome, or the sentence that says why there is none.
    """
    from dataclasses import replace

    from processor.engine import Engine, for_models

    count = min(workers or settings.workers.count or os.cpu_count() or 1, len(files))
    settings = for_models(settings) if deep else replace(settings, workers=replace(settings.workers, count=count))
    with TemporaryDirectory(prefix="linernotes-") as place:
        equip = _ears(settings, Path(place)) if deep else lambda job: job
        with Engine(settings) as engine, progress_bar("Analysing", len(files)) as step:
            for file, answer in _in_order(_jobs(files, settings, words, equip), engine):
                step(file.name)
                yield file, answer


def _ears(settings: Settings, place: Path) -> Callable[[Job], Job]:
    """What lets the models that are here hear a job, with a place for their sound that lasts as long as `place`."""
    from dataclasses import replace

    from processor.backlog import roster
    from processor.engine import Hearing
    from processor.sidecars import Sidecars

    here = roster(settings)
    hearing = Hearing(settings.models, here.models, here.identities)
    return lambda job: replace(job, hearing=hearing, sidecars=Sidecars(place / job.sha256))


def _jobs(
    files: Sequence[Path], settings: Settings, words: Words | None, equip: Callable[[Job], Job]
) -> Iterator[tuple[Path, Job | str]]:
    """Each file with its job, or with the sentence that says why it has none."""
    from processor.engine import Job

    for number, file in enumerate(files):
        if trouble := why_not(file):
            yield file, trouble
        else:  # the hash is not needed here; its place carries the number
            known = words(file) if words is not None else {}
            yield file, equip(Job(file.resolve(), f"{number}", settings.limits, settings.analysers.off, known))


def _in_order(jobs: Iterable[tuple[Path, Job | str]], engine: Engine) -> Iterator[tuple[Path, Outcome | str]]:
    """Answers in the order of the files, whichever is done first."""
    answers: dict[int, Outcome | str] = {}
    files = []
    for number, (file, job) in enumerate(jobs):
        files.append(file)
        if isinstance(job, str):
            answers[number] = job
        else:
            engine.submit(job)
    for number, file in enumerate(files):
        while number not in answers:
            for done in engine.next_done():
                answers[int(done.job.sha256)] = str(done.error) if done.outcome is None else done.outcome
        yield file, answers.pop(number)


def why_not(file: Path) -> str | None:
    """Why something cannot be analysed, where that is clear before it is opened."""
    import stat

    try:
        mode = file.stat().st_mode
    except OSError as error:
        return f"It cannot be analysed: {error.strerror}."
    if stat.S_ISDIR(mode):
        return "This is a folder; name the files in it."
    return None if stat.S_ISREG(mode) else "This is no regular file; it is never opened."
