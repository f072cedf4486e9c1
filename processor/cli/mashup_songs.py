"""The two songs that `linernotes mashup` names: tracks of the library or files, taken apart where that is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from processor import library
from processor.analysis import result_types
from processor.backlog import Backlog
from processor.cli.analysing import why_not
from processor.config import Settings
from processor.deep import Pass, deepen
from processor.engine import Engine, Hearing, Job, for_models
from processor.errors import LinerNotesError, WrongUsage
from processor.files import hash_file, printable, slug
from processor.graph import Known, Outcome
from processor.inbox import drops_from
from processor.library import Track
from processor.mashup.making import Progress, Songs
from processor.mashup.plan import PlanError
from processor.mashup.plan_checks import between
from processor.mashup.songs import INSTRUMENTAL, VOCALS, NoStems, Song, from_stem, from_track
from processor.models.loading import chosen, identities
from processor.pipeline import Event, RunLog, run_all
from processor.record import Record, Results, read, write
from processor.sidecars import Sidecars
from processor.site.deep import Running
from processor.wanted import for_separation
from processor.workspace import Workspace

PARTS = (VOCALS, INSTRUMENTAL)
ANALYSING, SEPARATING = "analysing", "taking apart"
SEPARATOR = "separator"
# A sound file, and its track if it is one of the library.
Found = tuple[Path, Track | None]


@dataclass(frozen=True)
class Wanted:
    """The two songs, as a person named them.

    Attributes:
        vocals: a track of the library or a file.
        instrumental: the same.
        from_stems: whether they are played as they are.
        vocal_tempo_bpm: a person's word for the tempo of the first.
        instrumental_tempo_bpm: and for that of the second.

    Raises:
        WrongUsage: nothing has such a tempo.
    """

    vocals: str
    instrumental: str
    from_stems: bool
    vocal_tempo_bpm: float | None = None
    instrumental_tempo_bpm: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no tempo can be."""
        try:
            for part, (_, tempo_bpm) in zip(PARTS, self.named, strict=True):
                if tempo_bpm is not None:
                    between(tempo_bpm, f"tempo of the {part}", limits="tempo_bpm")
        except PlanError as error:
            raise WrongUsage(str(error)) from None

    @property
    def named(self) -> tuple[tuple[str, float | None], tuple[str, float | None]]:
        """Name and tempo of each."""
        return (self.vocals, self.vocal_tempo_bpm), (self.instrumental, self.instrumental_tempo_bpm)

    def known(self, number: int) -> dict[str, dict[str, float]]:
        """What a person said of one of them, as an analysis takes it."""
        tempo_bpm = self.named[number][1]
        return {} if tempo_bpm is None else {"beats": {"tempo_bpm": tempo_bpm}}


@contextmanager
def songs_for(wanted: Wanted, settings: Settings, home: Path, progress: Progress) -> Iterator[Songs]:
    """Both songs, ready to be played; what had to be taken apart for it is gone at the end, and nothing is stored.

    Args:
        wanted: which.
        settings: limits, workers and models.
        home: the workspace that tracks are looked up in.
        progress: told how far the analysis is.

    Raises:
        WrongUsage: there is no such file and no such track, or both are the same.
        LinerNotesError: one cannot be read, or there is nothing that takes it apart.
    """
    found = both(wanted, home)
    with TemporaryDirectory(prefix="linernotes-") as place:
        songs = []
        for number, one in enumerate(found):
            progress(ANALYSING, number / len(PARTS))
            songs.append(_song(wanted, number, one, settings, Path(place)))
        yield songs[0], songs[1]


def _song(wanted: Wanted, number: int, found: Found, settings: Settings, scratch: Path) -> Song:
    tempo_bpm, part = wanted.named[number][1], PARTS[number]
    path, track = found
    if track is not None and not wanted.from_stems:
        try:
            return _said(from_track(track, part), tempo_bpm)
        except NoStems:
            if not _separator(settings):
                raise
    if wanted.from_stems:
        results = _results(path, track, settings, wanted.known(number))
        sha256 = hash_file(path)
        return from_stem(path, results, sha256, part, tempo_bpm)
    folder = _taken_apart(path, settings, scratch / str(number), wanted.known(number))
    song = replace(from_track(Track(folder), part), name=printable(path.name) if track is None else track.id)
    return _said(song, tempo_bpm)


def both(wanted: Wanted, home: Path) -> tuple[Found, Found]:
    """Both sound files, each with its track if it is one of the library; nothing is analysed yet.

    Raises:
        WrongUsage: there is no such file and no such track, or both are the same.
        OSError: one cannot be read.
    """
    first, second = (located(name, home) for name, _ in wanted.named)
    sizes = {path.stat().st_size for path, _ in (first, second)}
    if len(sizes) == 1 and hash_file(first[0]) == hash_file(second[0]):
        raise WrongUsage("V and I are one and the same recording; a mashup needs two.")
    return first, second


def located(name: str, home: Path) -> Found:
    """The sound file that is meant, and its track if it is one of the library.

    Raises:
        WrongUsage: there is neither a file nor a track of that name, or the track has lost its file.
    """
    path = Path(name)
    if path.exists() or path.is_symlink():
        if trouble := why_not(path):
            raise WrongUsage(f"{printable(name)}: {trouble}")
        return path.resolve(), None
    if path.suffix or path.name != name:  # no track's id looks like that
        raise WrongUsage(f"There is no file {printable(name)}.")
    track = library.resolve(Workspace(home), name)
    if track.source is None:
        raise WrongUsage(f"The sound file of {track.id} is gone from the library.")
    return track.source, track


def _separator(settings: Settings) -> str | None:
    """The model that takes a song apart, if one is here."""
    return chosen(settings.models).get(SEPARATOR)


def _results(path: Path, track: Track | None, settings: Settings, known: Mapping[str, Known]) -> Results:
    """What the analysers find in a stem; of a track, what they found."""
    if track is not None and not known:
        return read(track.folder, result_types()).results
    return _analysed(Job(path, "", settings.limits, settings.analysers.off, known), settings).results


def _analysed(job: Job, settings: Settings) -> Outcome:
    """Analyse one file in a worker.

    Raises:
        LinerNotesError: it cannot be read.
    """
    with Engine(settings) as engine:
        engine.submit(job)
        [done] = engine.next_done()
    if done.outcome is None:
        name = printable(job.path.name)
        raise LinerNotesError(f"{name}: {done.error}") from done.error
    return done.outcome


def _taken_apart(path: Path, settings: Settings, folder: Path, known: Mapping[str, Known]) -> Path:
    """A folder like a track's, with the record and the stems of a song.

    Raises:
        NoStems: there is no model that could take it apart.
        LinerNotesError: it cannot be read, or the model failed.
    """
    name = _separator(settings)
    if name is None:
        raise NoStems(
            f"{printable(path.name)} is a whole song, and there is no model here that takes it apart. Get one: "
            "linernotes models get htdemucs. Or give stems: linernotes mashup VOCALS INSTRUMENTAL --from-stems"
        )
    models = {SEPARATOR: name}
    hearing = Hearing(settings.models, models, identities(settings.models, models))
    sha256 = hash_file(path)
    track = folder / f"{slug(path.stem)}-{sha256[:8]}"
    track.mkdir(parents=True)
    job = Job(path, sha256, settings.limits, settings.analysers.off, known, None, Sidecars(track), hearing)
    outcome = _analysed(job, for_models(settings))
    if "stems" in outcome.failures:
        raise NoStems(f"{printable(path.name)} could not be taken apart: {outcome.failures['stems'].reason}")
    write(Record("track", sha256, printable(path.name), outcome.results, outcome.keys, outcome.failures), track)
    return track


def stored_songs(wanted: Wanted, workspace: Workspace, settings: Settings, progress: Progress) -> Songs:
    """Both songs as tracks of the library: files are taken in, songs without stems are taken apart.

    Raises:
        WrongUsage: there is no such file and no such track, or both are the same.
        LinerNotesError: one cannot be read, or there is nothing that takes it apart.
    """
    tracks = []
    for number, (path, track) in enumerate(both(wanted, workspace.home)):
        progress(ANALYSING, number / len(PARTS))
        tracks.append(track or _taken_in(path, workspace, settings))
    if not wanted.from_stems:
        _take_apart(tracks, workspace, settings, progress)
    first, second = (
        _said(from_track(track, part, is_stem=wanted.from_stems), tempo_bpm)
        for track, part, (_, tempo_bpm) in zip(tracks, PARTS, wanted.named, strict=True)
    )
    return first, second


def _said(song: Song, tempo_bpm: float | None) -> Song:
    return song if tempo_bpm is None else replace(song, tempo_bpm=tempo_bpm)


def _taken_in(path: Path, workspace: Workspace, settings: Settings) -> Track:
    """A file as a track of the library, as `linernotes run FILE` takes it in.

    Raises:
        LinerNotesError: it cannot be read.
    """
    events: list[Event] = []
    drops = drops_from([path], workspace).drops
    with Engine(settings) as engine:
        run_all(workspace, settings, drops, engine, RunLog(workspace, "mashup"), events.append)
    stored = next((event.track for event in events if event.track), None)
    if stored is None:
        reason = next((event.reason for event in events if event.reason), "another process has it in hand.")
        raise LinerNotesError(f"{printable(path.name)}: {reason}")
    return library.resolve(workspace, stored)


def _take_apart(tracks: Sequence[Track], workspace: Workspace, settings: Settings, progress: Progress) -> None:
    """Let a model take those tracks apart that have no stems; where there is none, playing them says so.

    Raises:
        WorkspaceBusy: another process lets models hear.
        LinerNotesError: the model failed.
    """
    todo = [track for track, part in zip(tracks, PARTS, strict=True) if not _has_stems(track, part)]
    if not todo or _separator(settings) is None:
        return
    only = for_separation(settings)

    def show(running: Running | None) -> None:
        if running is not None:
            progress(SEPARATING, (running.number - 1 + running.share) / running.total)

    log = RunLog(workspace, "mashup")
    try:
        with Engine(only) as engine, Pass(workspace, only, Backlog(workspace, only, todo), engine) as work:
            for event in deepen(work, show):
                log.write(event)
                if event.event == "failed":
                    raise LinerNotesError(f"{printable(event.name)} could not be taken apart: {event.reason}")
    finally:
        log.close()


def _has_stems(track: Track, part: str) -> bool:
    try:
        from_track(track, part)
    except NoStems:
        return False
    return True
