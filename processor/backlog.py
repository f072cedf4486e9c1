"""What a deep pass would do: which models are here, which analysers of which track have to hear, and what follows.

All of it is read off the records: a result whose key would be another one now, that failed, that is not there, or
whose sound files are gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from processor import library
from processor.analysis import all_analysers, result_types
from processor.config import Settings
from processor.errors import RecordError
from processor.graph import downstream, plan_keys, upstream
from processor.library import Track
from processor.models import loading
from processor.pipeline import audio_key
from processor.record import Record, read
from processor.sidecars import MADE_AGAIN, Sidecars
from processor.workspace import Workspace

# Track, analyser, key that its result would have.
Mark = tuple[str, str, str]


@dataclass(frozen=True)
class Roster:
    """Which models do which job here, and what tells them from others."""

    models: Mapping[str, str]
    identities: Mapping[str, str]

    @property
    def jobs(self) -> list[str]:
        """The jobs, in the order in which analysers can ask for them."""
        found = [one.model for one in all_analysers().values() if one.model in self.models]
        return list(dict.fromkeys(job for job in found if job is not None))


def roster(settings: Settings) -> Roster:
    """The models that are here and not switched off.

    Raises:
        ModelError: a switch of `[models]` is none.
    """
    models = loading.chosen(settings.models)
    return Roster(models, loading.identities(settings.models, models))


def advice(settings: Settings) -> list[str]:
    """What a person should know of models before a deep pass: those that are "on" and not here; that there is none."""
    told = [
        f"{model.name} is on, but not here; get it: linernotes models get {model.name}"
        for model in loading.missing(settings.models)
    ]
    if not roster(settings).jobs:
        told.append("No model is here that could hear. Get some: linernotes models get yamnet htdemucs")
    return told


@dataclass(frozen=True)
class Step:
    """One model, one track.

    Attributes:
        track: the track.
        job: what the model is for.
        names: analysers that work with it and have to run.
        keys: the keys that their results would have.
        duration_s: length of the track, 0 if nobody knows.
    """

    track: Track
    job: str
    names: tuple[str, ...]
    keys: tuple[str, ...]
    duration_s: float

    @property
    def marks(self) -> set[Mark]:
        """What was tried once this step is done."""
        return {(self.track.id, name, key) for name, key in zip(self.names, self.keys, strict=True)}


@dataclass(frozen=True)
class Need:
    """What a track needs: steps, and whether what listens to models has to be analysed again after them."""

    track: Track
    steps: tuple[Step, ...]
    late: frozenset[Mark]


def need(track: Track, settings: Settings, here: Roster) -> Need:
    """What a deep pass would do for a track.

    Raises:
        RecordError: its record, or what a person said of it, cannot be read.
    """
    record = read(track.folder, result_types(), curves=False)
    said = library.known_words(library.read_person(track))
    analysers, off = all_analysers(), settings.analysers.off
    sound = audio_key(record, settings.limits)
    keys = plan_keys(analysers, sound, said, off, models=here.identities, recorded=record.keys)
    stale: dict[str, list[str]] = {job: [] for job in here.jobs}
    for name, one in analysers.items():
        if one.model in stale and name in keys and _is_stale(track, record, name, keys[name]):
            stale[one.model].append(name)
    source = record.results.get("source")
    duration_s = float(getattr(source, "duration_s", 0.0) or 0.0)
    steps = tuple(
        Step(track, job, tuple(names), tuple(keys[name] for name in names), duration_s)
        for job, names in stale.items()
        if names
    )
    cheap = plan_keys(analysers, sound, said, off, recorded=record.keys)
    hearing = {name for name, one in analysers.items() if one.model is not None}
    listening = [n for n in downstream(analysers, hearing) if n in cheap and analysers[n].keep]
    failed = {name for name, failure in record.failures.items() if failure.kind == "failed"}
    late = {(track.id, n, cheap[n]) for n in listening if record.keys.get(n) != cheap[n] or n in failed}
    return Need(track, steps, frozenset(late))


def _is_stale(track: Track, record: Record, name: str, key: str) -> bool:
    failure = record.failures.get(name)
    if record.keys.get(name) != key or (failure is not None and failure.kind == "failed"):
        return True
    sounds = sound_files(record.results.get(name))
    # One that cannot be read to its end is found by those who read it, and they say so.
    is_lost = any(MADE_AGAIN in failure.reason for failure in record.failures.values())
    return any(not Sidecars(track.folder).opens(file) for file in sounds) or (bool(sounds) and is_lost)


def sound_files(result: object) -> tuple[str, ...]:
    """The sound files beside the record that a result names, in its field `files`."""
    files = getattr(result, "files", ())
    return tuple(name for name in files if isinstance(name, str)) if isinstance(files, tuple) else ()


class Backlog:
    """What is pending in a library, read again only where a record changed, and what was tried already.

    Args:
        workspace: where.
        settings: its settings.
        tracks: the tracks that matter; None for all there are.
    """

    def __init__(self, workspace: Workspace, settings: Settings, tracks: Sequence[Track] | None = None) -> None:
        self.here = roster(settings)
        self.problems: dict[str, str] = {}
        self.broken: dict[str, str] = {}
        self._workspace, self._settings, self._tracks = workspace, settings, tracks
        self._seen: dict[str, tuple[str, Need | None]] = {}
        self._tried: set[Mark] = set()
        analysers = all_analysers()
        hearing = [name for name, one in analysers.items() if one.model is not None]
        self._upstream = {name: upstream(analysers, {name}) for name in hearing}

    def forget(self) -> None:
        """Try again what failed, with whatever models are here now."""
        self.here = roster(self._settings)
        self.broken.clear()
        self._tried.clear()
        self._seen.clear()

    def tried(self, marks: Set[Mark]) -> None:
        """Note what shall not be tried a second time in this pass, however it ended."""
        self._tried |= marks

    def again(self, marks: Set[Mark]) -> None:
        """Take that back: it was begun, and neither went well nor failed."""
        self._tried -= marks

    def steps(self, first: str | None = None) -> list[Step]:
        """What can be done next, one model after the other; more may follow from it.

        Args:
            first: the job of the model that is loaded; it hears all that it can before another is.
        """
        left = [step for found in self._needs() for step in self._ready(found)]
        places = {job: place for place, job in enumerate(self.here.jobs)}
        return sorted(left, key=lambda step: (step.job != first, places[step.job]))

    def finished(self) -> list[Need]:
        """Tracks for which no step is left, and of which something that listens to models is not up to date."""
        return [
            found
            for found in self._needs()
            if found.late - self._tried and not any(self._is_left(step) for step in found.steps)
        ]

    def _ready(self, found: Need) -> Iterator[Step]:
        """Steps of a track, each with those of its analysers that wait for no other model."""
        steps = [step for step in found.steps if self._is_left(step)]
        for step in steps:
            others = {name for other in steps if other is not step for name in other.names}
            ready = [
                (name, key)
                for name, key in zip(step.names, step.keys, strict=True)
                if (step.track.id, name, key) not in self._tried and not self._upstream[name] & others
            ]
            if ready:
                names, keys = zip(*ready, strict=True)
                yield replace(step, names=names, keys=keys)

    def _is_left(self, step: Step) -> bool:
        return step.job not in self.broken and not step.marks <= self._tried

    def _needs(self) -> Iterator[Need]:
        for track in library.tracks(self._workspace) if self._tracks is None else self._tracks:
            signature = track.signature
            seen = self._seen.get(track.id)
            if seen is None or seen[0] != signature:
                seen = self._seen[track.id] = signature, self._look(track)
            if seen[1] is not None:
                yield seen[1]

    def _look(self, track: Track) -> Need | None:
        try:
            return need(track, self._settings, self.here)
        except RecordError as error:
            self.problems[track.id] = str(error)
            return None
