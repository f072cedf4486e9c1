"""A mashup is made in a worker and put into the library: the mix as a track, then all of it by one rename.

Killed anywhere, the next time begins again; a mix that is in the library already is not put there twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from time import perf_counter

from processor import library, made
from processor.config import Settings
from processor.engine import Engine, Job, analyse
from processor.errors import LinerNotesError, WorkspaceBusy
from processor.files import hash_file, printable, remove_tree, write_atomically
from processor.graph import Outcome
from processor.library import Track
from processor.mashup import kept
from processor.mashup.kept import KIND, Origin, Stored
from processor.mashup.making import Choice, Progress, Songs, others, produce, propose
from processor.mashup.measured import MadeFrom
from processor.mashup.outputs import write
from processor.mashup.plan import Plan
from processor.mashup.plan_files import to_toml
from processor.mashup.wishes import Wishes
from processor.pipeline import Event, RunLog
from processor.record import Record
from processor.site.media import show_as
from processor.workspace import Workspace, cannot_write

POLL_S = 0.5
ANALYSING = "analysing"


@dataclass(frozen=True)
class Order:
    """A mashup that somebody wants.

    Attributes:
        songs: who sings, and who plays; both are tracks of the library.
        wishes: what a person wants of it.
        plan: a person's plan; None: one is made.
        choose: picks one of several plans.
        folder: the folder of the inbox that it was asked for in.
        asked: what tells it from others that may be asked for there.
        reasons: what was decided before, in sentences.
        replaces: a mashup whose place it takes.
    """

    songs: Songs
    wishes: Wishes = field(default_factory=Wishes)
    plan: Plan | None = None
    choose: Choice = lambda found: found[0]
    folder: str | None = None
    asked: str = ""
    reasons: tuple[str, ...] = ()
    replaces: Stored | None = None


@dataclass(frozen=True)
class Making(Job):
    """A mashup for a worker: without a plan, plans are proposed; with one, it is rendered into a folder."""

    songs: Songs | None = None
    wishes: Wishes = field(default_factory=Wishes)
    plan: Plan | None = None
    out: Path = Path()
    report: Path | None = None


def mash(job: Job) -> Outcome:
    """Propose plans, or render one, measure it and analyse the mix like any track; in a worker.

    Raises:
        LinerNotesError: a sound cannot be read, the two cannot be put together, or the folder cannot be written.
    """
    assert isinstance(job, Making)  # noqa: S101 - for mypy: an engine hands on what it was given
    assert job.songs is not None  # noqa: S101 - the same
    report = _Report(job.report)
    if job.plan is None:
        return Outcome({"plans": tuple(propose(job.songs, job.wishes, job.limits, report))})
    found = produce(job.plan, job.songs, job.limits, report)
    try:
        write(found.rendered, found.plan, job.out, False)
        mix = job.out / kept.MIX_NAME
        sha256 = hash_file(mix)
    except OSError as error:
        raise cannot_write(job.out.parent, error) from error
    results = {"plan": found.plan, "measured": found.measured, "sha256": sha256}
    del found  # the samples, before as many are decoded again
    report(ANALYSING, 0.0)
    return Outcome({**results, "track": analyse(Job(mix, sha256, job.limits, job.off))})


class _Report:
    """Says how far a worker is, in a file: nobody has to listen."""

    def __init__(self, path: Path | None) -> None:
        self._path, self._said = path, ""

    def __call__(self, stage: str, share: float) -> None:
        text = f"{stage}\t{share:.2f}"
        if self._path is None or text == self._said:
            return
        self._said = text
        try:
            write_atomically(self._path, text, durable=False)
        except OSError:  # a full disk is told where it matters
            return


def make_and_keep(workspace: Workspace, settings: Settings, order: Order, progress: Progress) -> Stored:
    """Make a mashup and put it into the library, as a mashup and as a track; nothing is published.

    Raises:
        WorkspaceBusy: another process is at it.
        LinerNotesError: a sound cannot be read, or the two cannot be put together; it says why.
    """
    facts = [*(song.name for song in order.songs), order.folder, order.asked]
    token = f"{KIND}-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]}"
    with made.staging(workspace, token, KIND) as staged, Engine(settings, mash) as engine:
        if staged is None:
            raise WorkspaceBusy("Another process makes this mashup just now.")
        try:
            return _make(workspace, settings, order, _Bench(engine, staged, progress))
        except OSError as error:
            raise cannot_write(workspace.library, error) from error


@dataclass(frozen=True)
class _Bench:
    """Who makes a mashup, where, and who is told."""

    engine: Engine
    staged: Path
    progress: Progress

    def work(self, job: Making) -> Outcome:
        """Let a worker do a job, and pass on how far it is.

        Raises:
            LinerNotesError: it failed.
        """
        report = self.staged.parent / "progress"
        self.engine.submit(replace(job, report=report))
        while True:
            done = self.engine.next_done(POLL_S)
            try:
                stage, share = report.read_text(encoding="utf-8").split("\t")
                self.progress(stage, float(share))
            except (OSError, ValueError):
                pass  # not yet
            for one in done:
                if one.outcome is None:
                    raise one.error or LinerNotesError("It was not made.")
                return one.outcome


def _make(workspace: Workspace, settings: Settings, order: Order, bench: _Bench) -> Stored:
    vocals, off = order.songs[0], settings.analysers.off
    sound = next(iter(vocals.layers.values()))
    job = Making(sound, vocals.sha256, settings.limits, off, songs=order.songs)
    chosen, rest = order.plan, []
    if chosen is None:
        found = list(bench.work(replace(job, wishes=order.wishes)).results["plans"])
        chosen = order.choose(found)
        rest = others(found, chosen)
        chosen = replace(chosen, reasons=(*order.reasons, *chosen.reasons))
    start = perf_counter()
    outcome = bench.work(replace(job, plan=chosen, out=bench.staged))
    for number, one in enumerate(rest, 2):
        write_atomically(bench.staged / kept.ALTERNATIVES_FOLDER / f"plan-{number}.toml", to_toml(one), durable=False)
    stored = _store(workspace, order, outcome, bench.staged)
    _log(workspace, stored, outcome, perf_counter() - start)
    return stored


def _store(workspace: Workspace, order: Order, outcome: Outcome, staged: Path) -> Stored:
    """Put what was rendered into the library: the mix as a track, then the mashup."""
    plan: Plan = outcome.results["plan"]
    name = printable(plan.name)
    sha256 = kept.text_hash(kept.read_plan_text(staged / kept.PLAN_NAME))
    results = {
        "made_from": MadeFrom(order.songs[0].name, order.songs[1].name, None),
        "measured": outcome.results["measured"],
        "origin": Origin(order.folder, order.asked, tuple(_supplied(order.songs))),
    }
    found = Record(KIND, sha256, name, results, dict.fromkeys(results, sha256[:16]))
    size = (staged / kept.MIX_NAME).stat().st_size
    with workspace.write_lock():
        standing = [one for one in kept.stored(workspace) if one.record.sha256 == sha256]
        there = next((one for one in standing if one.mix is not None and not one.is_edited), None)
        if there is None:
            for one in standing:
                remove_tree(one.folder)
            at = datetime.now().astimezone().isoformat(timespec="seconds")
            arrival = kept.arrival_of(workspace, name, sha256, at, size)
            track = _store_mix(workspace, staged, outcome, name, arrival)
            there = kept.place(workspace, staged, track, found)
        _remove_superseded(workspace, order, there)
    return there


def _store_mix(workspace: Workspace, staged: Path, outcome: Outcome, name: str, arrival: library.Arrival) -> Track:
    """Make the mix a track of the library; its bytes are on the disk once."""
    sha256: str = outcome.results["sha256"]
    twin = library.find(workspace, sha256)
    if twin is not None:  # a crash came between the track and its mashup
        library.note_arrival(twin, arrival)
        return twin
    heard: Outcome = outcome.results["track"]
    file = f"{name.replace('/', '–')}.flac"
    folder = staged.parent / "track"
    folder.mkdir()
    show_as(staged / kept.MIX_NAME, folder / library.source_name(file))
    found = Record("track", sha256, file, heard.results, heard.keys, heard.failures)
    library.fill_folder(folder, found, arrival)
    return library.place(workspace, folder, file, sha256)


def _supplied(songs: Songs) -> Iterator[str]:
    """Each layer that is a track's own file, and no stem of it, with the track."""
    for song in songs:
        for layer, path in sorted(song.layers.items()):
            if path.parent.name != "stems":
                yield f"{layer} {path.parent.name}"


def _remove_superseded(workspace: Workspace, order: Order, there: Stored) -> None:
    """Remove what the new mashup takes the place of; the tracks that these were stay."""
    replaced = None if order.replaces is None else order.replaces.folder
    for one in kept.stored(workspace):
        is_of_folder = order.folder is not None and one.origin.folder == order.folder
        if one.folder != there.folder and (is_of_folder or one.folder == replaced):
            remove_tree(one.folder)


def _log(workspace: Workspace, stored: Stored, outcome: Outcome, seconds: float) -> None:
    """Note it among the runs, as any track that is stored."""
    log = RunLog(workspace, KIND)
    heard: Outcome = outcome.results["track"]
    stages = {name: round(value, 4) for name, value in heard.seconds.items()}
    name = f"mashups/{stored.id}/{kept.MIX_NAME}"
    log.write(Event("stored", name, stored.made_from.mix, None, {**stages, KIND: round(seconds, 4)}))
    log.close()
