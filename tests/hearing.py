"""Analysers and models that only exist in tests, for tests of the deep pass: small, and as badly behaved as wanted.

What they do is written down, and what they shall do is asked of files in a folder, so that the same works in worker
processes: a file `stems-a` with the word `die` lets the analyser `stems` die over `a.wav`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processor import backlog, deep, engine, graph, pipeline
from processor.analysis.source import source
from processor.audio import Audio
from processor.config import Models
from processor.engine import Job
from processor.errors import ModelError
from processor.graph import Known, Outcome, analyser
from processor.models import loading
from processor.models.table import Model
from processor.quantities import quantity
from processor.sidecars import Sidecars

VARIABLE = "LINERNOTES_TEST_HEARING"
MODELS = {"separator": "htdemucs", "pitch_tracker": "swift_f0"}
STEMS = ("stems/vocals.flac", "stems/other.flac")


@dataclass(frozen=True)
class Heard:
    """What the analysers below find."""

    value: float = quantity("dB", label="Value", source="a test", help="A number.")


@dataclass(frozen=True)
class Parts:
    """What the separator below leaves."""

    files: tuple[str, ...] = quantity("", label="Files", source="a test", help="Where they are.")
    file_sha256: tuple[str, ...] = quantity("", label="Hashes", source="a test", help="What they are.")
    model: str = quantity("", label="Model", source="a test", help="Who did it.")


class Voice:
    """An intermediate: the first stem."""

    def __init__(self, beside: Sidecars, name: str) -> None:
        self.samples = beside.read(name)


@dataclass(frozen=True)
class Fake:
    """A model."""

    name: str


def place() -> Path:
    return Path(os.environ[VARIABLE])


def note(text: str) -> None:
    with (place() / "log").open("a") as file:
        file.write(text + "\n")


def noted() -> list[str]:
    """What was loaded and heard, in order."""
    log = place() / "log"
    return log.read_text().splitlines() if log.is_file() else []


def order(what: str, how: str | None) -> None:
    """Let `stems-a` or `load-htdemucs` behave in a way; None: well again."""
    if how is None:
        (place() / what).unlink(missing_ok=True)
    else:
        (place() / what).write_text(how)


def behave(what: str) -> None:
    asked = place() / what
    how = asked.read_text() if asked.is_file() else ""
    if how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "sleep":
        time.sleep(600)
    elif how == "fail":
        raise RuntimeError("no luck")
    elif how == "memory":
        raise MemoryError


def level(audio: Audio) -> Heard:
    note(f"level {audio.path.stem}")
    return Heard(float(np.abs(audio.samples).max()))


def stems(audio: Audio, separator: Fake, sidecars: Sidecars, progress: Callable[[float], None]) -> Parts:
    note(f"stems {audio.path.stem}")
    progress(0.25)
    halves = [sidecars.write(name, audio.sample_rate, [audio.samples / 2]) for name in STEMS[:1]]
    behave(f"stems-{audio.path.stem}")
    halves += [sidecars.write(name, audio.sample_rate, [audio.samples / 2]) for name in STEMS[1:]]
    return Parts(tuple(one.name for one in halves), tuple(one.sha256 for one in halves), separator.name)


def voice(stems: Parts, sidecars: Sidecars) -> Voice:
    return Voice(sidecars, stems.files[0])


def pitch(audio: Audio, pitch_tracker: Fake, stems: Parts | None = None) -> Heard:
    note(f"pitch {audio.path.stem} of {'the mix' if stems is None else 'a stem'}")
    behave(f"pitch-{audio.path.stem}")
    return Heard(0.0 if stems is None else 1.0)


def melody(voice: Voice, pitch: Heard, known: Known) -> Heard:
    note("melody")
    return Heard(float(known.get("value", pitch.value + float(np.abs(voice.samples).max()))))


def tags(level: Heard, pitch: Heard | None = None, stems: Parts | None = None) -> Heard:
    note("tags")
    return Heard(2.0 * (pitch is not None) + (stems is not None))


def choir(separator: Fake, pitch: Heard) -> Heard:
    """The first model once more, after the second."""
    note("choir")
    return Heard(10.0 + pitch.value)


WITH_MODELS = {stems: "separator", pitch: "pitch_tracker", choir: "separator"}


def analysers(versions: Mapping[str, int]) -> dict[str, graph.Analyser]:
    """Those of version 0 are not there; `choir` is there only if it is asked for."""
    marked = {"source": graph.describe(source)}
    for function in (level, stems, voice, pitch, melody, tags, choir):
        if not versions.get(function.__name__, function is not choir):
            continue
        version = versions.get(function.__name__, 1)
        analyser(version=version, keep=function is not voice, model=WITH_MODELS.get(function))(function)
        marked[function.__name__] = graph.describe(function)
    return graph.order(marked)


def fake_load(settings: Models, model: Model) -> Fake:
    note(f"load {model.name}")
    asked = place() / f"load-{model.name}"
    if asked.is_file():
        raise ModelError(f"{model.name} cannot be loaded: {asked.read_text()}")
    return Fake(model.name)


def use(
    patch: pytest.MonkeyPatch, models: Mapping[str, str] = MODELS, weights: str = "1", **versions: int
) -> dict[str, graph.Analyser]:
    """Put the analysers and models above in the place of the real ones."""
    found = analysers(versions)
    types = {name: one.result_type for name, one in found.items() if one.keep}
    for module in (backlog, deep, engine, pipeline):
        patch.setattr(module, "all_analysers", lambda: found)
    for module in (backlog, deep, pipeline):
        patch.setattr(module, "result_types", lambda: types)
    patch.setattr(loading, "chosen", lambda settings: dict(models))
    patch.setattr(
        loading, "identities", lambda settings, models: {job: f"{name} {weights}" for job, name in models.items()}
    )
    patch.setattr(loading, "missing", lambda settings: [])
    patch.setattr(loading, "load", fake_load)
    engine._bench.cache_clear()
    return found


def types() -> dict[str, type]:
    return {name: one.result_type for name, one in analysers({}).items() if one.keep}


def analyse(job: Job) -> Outcome:
    """What a worker does, with the analysers and models above."""
    if engine.all_analysers.__module__ != __name__:
        use(pytest.MonkeyPatch())
    return engine.analyse(job)


@pytest.fixture
def ears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, Any]]]:
    """The analysers and models above are used; call it to change versions, models or weights."""
    (tmp_path / "hearing").mkdir()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "hearing"))

    def change(**how: Any) -> dict[str, Any]:
        return use(monkeypatch, **how)

    change()
    yield change
    engine._bench.cache_clear()
