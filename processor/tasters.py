"""Tasters: half a minute of each of the pairs of the library that go together best, for the page that lists them.

A taster is cut out of a whole plan, rendered and encoded in a worker, and appears in `site/media/` whole or not at all.
What was tried is noted in `library/.state/tasters.json`: a pair that cannot be rendered is not tried again before one
of its tracks changes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from processor import library
from processor.analysis.stems import FOLDER as STEMS
from processor.config import Settings
from processor.engine import Done, Engine, Job
from processor.errors import LinerNotesError, WorkspaceError
from processor.files import replacing, write_atomically
from processor.graph import Outcome
from processor.library import Track
from processor.mashup.kept import pair_of_preview, preview_name
from processor.mashup.making import Songs, propose
from processor.mashup.match import Pair
from processor.mashup.matches import Matches, kept_matches
from processor.mashup.render import render
from processor.mashup.songs import INSTRUMENTAL, VOCALS, from_track
from processor.mashup.stretching import Samples
from processor.mashup.window import window
from processor.mashup.wishes import Wishes
from processor.site.media import FOLDER
from processor.site.previews import encode
from processor.workspace import Workspace, cannot_write

NAME = "tasters.json"
# Raised when the same pair gives another taster.
VERSION = 1
LENGTH_S = 30.0
FADE_IN_S, FADE_OUT_S = 0.05, 1.5


@dataclass(frozen=True)
class Taster:
    """One that is to be made.

    Attributes:
        pair: of which tracks.
        stamp: changes when it has to be made again.
    """

    pair: Pair
    stamp: str

    @property
    def name(self) -> str:
        """Its file's name."""
        return preview_name(self.pair.vocals, self.pair.instrumental)


@dataclass(frozen=True)
class Tasting(Job):
    """A taster for a worker: of which songs, and where it goes."""

    songs: Songs | None = None
    target: Path = Path()


def taste(job: Job) -> Outcome:
    """Plan a mashup, render half a minute of it and encode that; in a worker.

    Raises:
        LinerNotesError: a sound cannot be read, the two cannot be put together, or it cannot be written.
    """
    import soundfile

    assert isinstance(job, Tasting)  # noqa: S101 - for mypy: an engine hands on what it was given
    assert job.songs is not None  # noqa: S101 - the same
    [first, *_] = propose(job.songs, Wishes(), job.limits, lambda stage, share: None)
    found = render(window(first, LENGTH_S), job.songs, limits=job.limits)
    samples = _faded(found.samples, found.sample_rate)
    try:
        with tempfile.TemporaryDirectory(prefix="linernotes-") as place:
            sound = Path(place) / "taster.wav"
            soundfile.write(sound, samples.T, found.sample_rate, "FLOAT")
            with replacing(job.target, durable=False) as temporary:
                encode(sound, temporary, job.limits)
    except OSError as error:
        raise cannot_write(job.target.parent, error) from error
    return Outcome()


def _faded(samples: Samples, sample_rate: int) -> Samples:
    """No more than a taster lasts, with soft ends; shape `(2, n)`."""
    import numpy as np

    found = samples[:, : round(LENGTH_S * sample_rate)].copy()
    rise = np.minimum(1.0, np.arange(found.shape[1]) / (FADE_IN_S * sample_rate))
    fall = np.minimum(1.0, np.arange(found.shape[1])[::-1] / (FADE_OUT_S * sample_rate))
    found *= (rise * fall).astype(np.float32)
    return found


def due(workspace: Workspace, settings: Settings) -> list[Taster]:
    """The tasters that are to be made, best pair first; those of other pairs are removed.

    Raises:
        WorkspaceError: the folder cannot be written.
    """
    known = kept_matches(workspace)
    separated = {track.id for track in library.tracks(workspace) if (track.folder / STEMS).is_dir()}
    # What nobody took apart cannot be played, and takes no place of what can.
    played = (pair for pair in known.pairs if {pair.vocals, pair.instrumental} <= separated)
    most = settings.mashups.previews if settings.site.previews else 0
    wanted = [Taster(pair, _stamp(known, pair)) for pair in islice(played, most)]
    folder, noted = workspace.site / FOLDER, _noted(workspace)
    _remove_others(folder, {one.name for one in wanted})
    return [one for one in wanted if not _is_done(folder, noted.get(one.name), one)]


def _stamp(known: Matches, pair: Pair) -> str:
    keys = (known.tracks.get(name, "").rpartition(" ")[2] for name in (pair.vocals, pair.instrumental))
    return " ".join([str(VERSION), *keys])


def _is_done(folder: Path, noted: Mapping[str, str] | None, one: Taster) -> bool:
    if noted is None or noted.get("stamp") != one.stamp:
        return False
    return bool(noted.get("reason")) or (folder / one.name).is_file()


def _remove_others(folder: Path, wanted: Iterable[str]) -> None:
    kept = set(wanted)
    try:
        for path in folder.glob("*.over.*.mp3"):
            if pair_of_preview(path.name) is not None and path.name not in kept:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def job_for(workspace: Workspace, settings: Settings, one: Taster, tracks: Sequence[Track]) -> Tasting:
    """What a worker needs for a taster.

    Raises:
        LinerNotesError: one of its tracks has not the stems, or is gone.
    """
    by_id = {track.id: track for track in tracks}
    if one.pair.vocals not in by_id or one.pair.instrumental not in by_id:
        raise LinerNotesError("one of its tracks is gone from the library")
    songs = (
        from_track(by_id[one.pair.vocals], VOCALS),
        from_track(by_id[one.pair.instrumental], INSTRUMENTAL),
    )
    path, off = next(iter(songs[0].layers.values())), settings.analysers.off
    return Tasting(path, songs[0].sha256, settings.limits, off, songs=songs, target=workspace.site / FOLDER / one.name)


def skipped(workspace: Workspace) -> dict[tuple[str, str], str]:
    """Why there is no taster of a pair, where one was tried: vocals and instrumental → reason."""
    found = {}
    for name, one in _noted(workspace).items():
        pair = pair_of_preview(name)
        if pair is not None and one.get("reason"):
            found[pair] = one["reason"]
    return found


def note(workspace: Workspace, one: Taster, reason: str = "") -> None:
    """Note that a taster is there, or why it cannot be; it only saves work, so what cannot be written does no harm."""
    noted = {name: value for name, value in _noted(workspace).items() if name != one.name}
    noted[one.name] = {"stamp": one.stamp, "reason": " ".join(reason.split())}
    with suppress(OSError):
        write_atomically(workspace.state / NAME, json.dumps(noted), durable=False)


def _noted(workspace: Workspace) -> dict[str, dict[str, str]]:
    try:
        tree = json.loads((workspace.state / NAME).read_bytes())
        return {str(name): {str(k): str(v) for k, v in one.items()} for name, one in tree.items()}
    except (OSError, ValueError, AttributeError):
        return {}


class Tasters:
    """The tasters that are due, one after the other; each is given up when somebody closes this, and begun again.

    Args:
        workspace: where.
        settings: its settings.
    """

    def __init__(self, workspace: Workspace, settings: Settings) -> None:
        self._workspace, self._settings = workspace, settings
        self._engine: Engine | None = None
        self._hold = ExitStack()
        self._current: Taster | None = None

    @property
    def text(self) -> str | None:
        """What is being made, if anything."""
        if self._current is None:
            return None
        return f"preview of {self._current.pair.vocals} over {self._current.pair.instrumental}"

    def work(self, patience_s: float) -> list[tuple[Taster, str]] | None:
        """Go on for a moment; return what is done, each with the reason if it cannot be made, or None at the end.

        Raises:
            WorkspaceError: the folder cannot be written.
        """
        if self._current is None:
            todo = due(self._workspace, self._settings)
            if not todo:
                return None
            return self._begin(todo[0])
        assert self._engine is not None  # noqa: S101 - `_begin` has made it
        return [self._finish(done) for done in self._engine.next_done(patience_s)]

    def close(self) -> None:
        """Give up what is being made, and end its worker."""
        self._current = self._engine = None
        self._hold.close()

    def _begin(self, one: Taster) -> list[tuple[Taster, str]]:
        try:
            job = job_for(self._workspace, self._settings, one, library.tracks(self._workspace))
        except LinerNotesError as error:
            note(self._workspace, one, str(error))
            return [(one, str(error))]
        (self._workspace.site / FOLDER).mkdir(parents=True, exist_ok=True)
        if self._engine is None:
            self._engine = self._hold.enter_context(Engine(self._settings, taste))
        self._engine.submit(job)
        self._current = one
        return []

    def _finish(self, done: Done) -> tuple[Taster, str]:
        one = self._current
        assert one is not None  # noqa: S101 - one job at a time
        self._current = None
        if isinstance(done.error, WorkspaceError):  # no matter of this pair
            raise done.error
        reason = "" if done.error is None else str(done.error)
        note(self._workspace, one, reason)
        return one, reason
