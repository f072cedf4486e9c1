"""Files analysed for a command that stores nothing: in parallel, with a progress bar, in the order of the arguments."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processor.cli.shared import progress_bar

if TYPE_CHECKING:
    from processor.config import Settings
    from processor.engine import Engine
    from processor.graph import Outcome

Words = Callable[[Path], Mapping[str, Mapping[str, Any]]]


def analysed(
    files: Sequence[Path], settings: Settings, workers: int | None = None, words: Words | None = None
) -> Iterator[tuple[Path, Outcome | str]]:
    """Analyse files, one after the other as their turn comes.

    Args:
        files: what to analyse.
        settings: limits, workers, and which analysers are off.
        workers: how many files at the same time, if a person said so.
        words: what a person said of a file, by analyser, which its analysis follows.

    Yields:
        A file and its outcome, or the sentence that says why there is none.
    """
    from dataclasses import replace

    from processor.engine import Engine

    count = min(workers or settings.workers.count or os.cpu_count() or 1, len(files))
    settings = replace(settings, workers=replace(settings.workers, count=count))
    with Engine(settings) as engine, progress_bar("Analysing", len(files)) as step:
        for file, answer in _in_order(files, settings, engine, words):
            step(file.name)
            yield file, answer


def _in_order(
    files: Sequence[Path], settings: Settings, engine: Engine, words: Words | None
) -> Iterator[tuple[Path, Outcome | str]]:
    """Answers in the order of the files, whichever is done first."""
    from processor.engine import Job

    answers: dict[int, Outcome | str] = {}
    for number, file in enumerate(files):
        if trouble := why_not(file):
            answers[number] = trouble
        else:  # the hash is not needed here; its place carries the number
            known = words(file) if words is not None else {}
            engine.submit(Job(file.resolve(), f"{number}", settings.limits, settings.analysers.off, known))
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
