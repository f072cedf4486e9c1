"""Folders of the inbox that belong together: `inbox/compare/<name>/` with `mix.*` and what it is compared with.

Such a folder is processed whole, or left alone until it is complete. Its files become ordinary tracks; that they
belong together is known from the paths under which they arrived. A comparison is made of their records, and is made
anew whenever these changed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

import duckdb
from filelock import FileLock, Timeout

from processor import catalogue, library, record
from processor.analysis import result_types
from processor.analysis.fingerprint import NO_MATCH, similarity
from processor.audio import decode
from processor.config import Settings
from processor.containers import sniff
from processor.engine import Engine, Job
from processor.errors import LinerNotesError, NotAudio, RecordError, WorkspaceError
from processor.feedback import comparisons as kept
from processor.feedback.compare import Comparison, compare
from processor.feedback.comparisons import KIND, SUFFIX, MadeFrom, Stored
from processor.feedback.equaliser import audition
from processor.feedback.matching import suggest
from processor.files import fsync_folder, remove_leftovers, remove_tree, slug
from processor.graph import Outcome
from processor.inbox import Drop, Ignored
from processor.library import Track
from processor.record import Failure, Record, Results
from processor.workspace import Workspace, cannot_write

FOLDER, MIX = "compare", "mix"
AUDITION = "-audition.flac"
# Raised when the same records give another comparison, or the same sound another audition.
VERSION = 1
# A folder that is not complete for so long is told to a person; copying an album takes less.
PATIENCE_S = 600.0

Progress = Callable[[int, int], None]


# What was dropped


def bundle_of(name: str) -> tuple[str, bool] | None:
    """Of a path below the inbox: the comparison that it belongs to, and whether it is its mix; None for all others."""
    parts = PurePosixPath(name).parts
    if len(parts) != 3 or parts[0].lower() != FOLDER:
        return None
    return parts[1], PurePosixPath(parts[2]).stem.lower() == MIX


def hold_back(
    workspace: Workspace, ready: Sequence[Drop], waiting: Sequence[Drop] = (), now: float | None = None
) -> tuple[list[Drop], list[Ignored]]:
    """Which drops may be processed, and what to tell of folders that stayed incomplete.

    A folder of `compare/` is complete when nothing in it is still arriving and it has a mix and a reference, here or
    in the library, where a file may be sent after the others.

    Args:
        workspace: where.
        ready: drops that are complete as files.
        waiting: drops that are still arriving.
        now: seconds since 1970; the clock's time if left out.

    Returns:
        The drops of `ready` that may be processed, in their order; and what is missing in folders that were
        incomplete for PATIENCE_S.
    """
    folders: dict[str, list[Drop]] = defaultdict(list)
    for drop in [*ready, *waiting]:
        if drop.is_ours and (place := bundle_of(drop.name)) is not None:
            folders[place[0]].append(drop)
    if not folders:
        return list(ready), []
    arriving = {drop.path for drop in waiting}
    known = _known_parts(workspace)
    now = time.time() if now is None else now
    held: set[Path] = set()
    told = []
    for name, drops in folders.items():
        missing = _missing(drops, known.get(name, set()))
        is_arriving = any(drop.path in arriving for drop in drops)
        if missing or is_arriving:
            held |= {drop.path for drop in drops}
        if missing and not is_arriving and now - max(drop.ctime_ns for drop in drops) / 1e9 >= PATIENCE_S:
            told.append(Ignored(drops[0].name.rpartition("/")[0], f"this comparison is not complete: {missing}"))
    return [drop for drop in ready if drop.path not in held], told


def left_without(workspace: Workspace, drops: Iterable[Drop]) -> list[Ignored]:
    """Comparisons of which a part is in the library and the rest is nowhere, for example because it was no sound.

    Args:
        workspace: where; what the library has is read from the catalogue.
        drops: what lies in the inbox.
    """
    if not workspace.catalogue.is_file():
        return []
    try:
        _, rows = catalogue.query(workspace, "SELECT path FROM drops WHERE path ILIKE 'compare/%/%'")
    except duckdb.Error:  # made by another version; the next publish makes it anew
        return []
    parts: dict[str, set[bool]] = defaultdict(set)
    for (path,) in rows:
        if (place := bundle_of(path)) is not None:
            parts[place[0]].add(place[1])
    coming = {place[0] for drop in drops if (place := bundle_of(drop.name)) is not None}
    return [
        Ignored(f"{FOLDER}/{name}", f"this comparison is not complete: it still needs {_needed(known)}")
        for name, known in sorted(parts.items())
        if known != {True, False} and name not in coming
    ]


def _needed(parts: set[bool]) -> str:
    return "a sound file to compare the mix with" if True in parts else "a sound file called mix (mix.wav, mix.flac …)"


def _missing(drops: Iterable[Drop], known: set[bool]) -> str:
    """What a folder lacks, in words; nothing where it is complete."""
    parts = set(known)
    for drop in drops:
        place = bundle_of(drop.name)
        if place is not None and _is_sound(drop.path):
            parts.add(place[1])
    if not parts:
        return f"it has no sound file yet; it needs {_needed({False})} and {_needed({True})}"
    return "" if parts == {True, False} else f"it still needs {_needed(parts)}"


def _is_sound(path: Path) -> bool:
    try:
        sniff(path)
    except (NotAudio, OSError):
        return False
    return True


# What belongs together


@dataclass(frozen=True)
class Bundle:
    """A mix and its references, as they were dropped.

    Attributes:
        name: the folder's name.
        mix: the latest file called mix.
        references: all others, by their names.
    """

    name: str
    mix: Track
    references: tuple[Track, ...]


def comparisons(workspace: Workspace) -> list[Bundle]:
    """Every folder of `compare/` whose mix and at least one reference are tracks of the library, by name."""
    mixes: dict[str, tuple[str, Track]] = {}
    references: dict[str, dict[str, Track]] = defaultdict(dict)
    for name, is_mix, path, at, track in _parts(workspace):
        if not is_mix:
            references[name][path] = track
        elif name not in mixes or at >= mixes[name][0]:
            mixes[name] = at, track
    found = []
    for name in sorted(mixes.keys() & references.keys()):
        listed = [references[name][path] for path in sorted(references[name])]
        found.append(Bundle(name, mixes[name][1], tuple(dict.fromkeys(listed))))
    return found


def _parts(workspace: Workspace) -> Iterator[tuple[str, bool, str, str, Track]]:
    """Comparison's name, whether it is the mix, path, time and track of each arrival in `compare/`."""
    for track in library.tracks(workspace):
        for arrival in library.arrivals(track):
            place = bundle_of(arrival.path)
            if place is not None:
                yield (*place, arrival.path, arrival.at, track)


def _known_parts(workspace: Workspace) -> dict[str, set[bool]]:
    """Comparison's name → whether the library has its mix, and its references: True and False."""
    known: dict[str, set[bool]] = defaultdict(set)
    for name, is_mix, _, _, _ in _parts(workspace):
        known[name].add(is_mix)
    return known


# What is made of it


@dataclass(frozen=True)
class Matching(Job):
    """A mix to be matched: its comparison, the loudness of the reference, and where the audition goes, if anywhere."""

    comparison: Comparison | None = None
    target_lufs: float | None = None
    out: Path | None = None


def match(job: Job) -> Outcome:
    """Find the bands that bring a mix nearer to its references, prove them, and render what they do; in a worker.

    Raises:
        AudioError: the mix cannot be heard.
        WorkspaceError: the audition cannot be written.
    """
    assert isinstance(job, Matching)  # noqa: S101 - for mypy: an engine hands on what it was given
    assert job.comparison is not None  # noqa: S101 - the same
    audio = decode(job.path, limits=job.limits, sha256=job.sha256)
    equaliser = suggest(audio, job.comparison)
    outcome = Outcome({"equaliser": equaliser})
    if equaliser.bands and job.out is not None and job.target_lufs is not None:
        try:
            outcome.results["audition"] = audition(audio, equaliser.bands, job.target_lufs, job.out)
        except LinerNotesError as error:
            outcome.failures["audition"] = Failure("failed", str(error))
        except OSError as error:
            raise cannot_write(job.out.parent, error) from error
    return outcome


def target_lufs(comparison: Comparison) -> float | None:
    """The loudness of the reference, or the middle of several."""
    pairs = zip(comparison.measures, comparison.middle_values, strict=True)
    return next((value for field, value in pairs if field == "loudness.integrated_lufs"), None)


def make_comparisons(workspace: Workspace, settings: Settings, progress: Progress | None = None) -> list[Stored]:
    """Make the comparisons that are missing or whose tracks' records changed; return those that were made.

    Nobody has to hold the workspace's lock meanwhile: a comparison appears whole or not at all. One that has the name
    of another, made of other tracks, takes its place.

    Raises:
        WorkspaceError: the library cannot be written.
    """
    bundles = comparisons(workspace)
    standing = kept.stored(workspace, curves=False) if bundles else []
    plans = [plan for bundle in bundles if (plan := _plan(bundle, standing)) is not None]
    made: list[Stored] = []
    if not plans:
        return made
    with Engine(settings, match) as engine:
        for number, plan in enumerate(plans, 1):
            try:
                one = _make(workspace, settings, plan, engine)
            except OSError as error:
                raise cannot_write(workspace.library, error) from error
            made += [one] if one is not None else []
            if progress is not None:
                progress(number, len(plans))
    return made


@dataclass(frozen=True)
class _Plan:
    """A comparison to be made: of what, under which hash and key, and the folder of one that is outdated."""

    bundle: Bundle
    sha256: str
    key: str
    outdated: Path | None


def _plan(bundle: Bundle, standing: Iterable[Stored]) -> _Plan | None:
    """What is to be made of a bundle; None where it is made already, or a record cannot be read."""
    tracks = (bundle.mix, *bundle.references)
    try:
        found = [record.read(track.folder, result_types(), curves=False) for track in tracks]
    except RecordError:
        return None  # `linernotes doctor` names it
    sha256 = hashlib.sha256("\n".join(one.sha256 for one in found).encode()).hexdigest()
    facts = [VERSION, [track.id for track in tracks], [sorted(one.keys.items()) for one in found]]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    there = next((one for one in standing if _is_of(one, bundle, sha256)), None)
    if there is not None and there.record.keys.get(KIND) == key and _is_whole(there):
        return None
    return _Plan(bundle, sha256, key, None if there is None else there.folder)


def _is_of(one: Stored, bundle: Bundle, sha256: str) -> bool:
    return one.record.sha256 == sha256 and one.record.name == bundle.name


def _is_whole(one: Stored) -> bool:
    """Whether nobody took its audition away."""
    return "audition" not in one.record.results or one.audition is not None


def _make(workspace: Workspace, settings: Settings, plan: _Plan, engine: Engine) -> Stored | None:
    """Make one comparison and put it in its place; None if another process is at it."""
    token = f"{KIND}-{plan.sha256[:16]}-{slug(plan.bundle.name)}"
    with _held(workspace, token) as staged:
        if staged is None:
            return None
        folder = plan.outdated or staged
        remove_leftovers(folder)
        try:
            found = _record(settings, plan, engine, folder)
        except RecordError:
            return None  # it changed meanwhile, and is looked at again the next time
        with workspace.write_lock():
            record.write(found, folder)
            if plan.outdated is None:
                folder = _place(workspace, staged, plan)
            _remove_superseded(workspace, plan)
    return Stored(folder, found)


@contextmanager
def _held(workspace: Workspace, token: str) -> Iterator[Path | None]:
    """Yield a staging folder that no other process touches, and remove it at the end; None if another has it."""
    lock = FileLock(workspace.work / f"{token}.lock", timeout=0)
    try:
        workspace.work.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        yield None
        return
    staged = workspace.work / token / KIND
    try:
        remove_tree(staged.parent)
        staged.mkdir(parents=True)
        yield staged
    finally:
        remove_tree(staged.parent)
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _record(settings: Settings, plan: _Plan, engine: Engine, folder: Path) -> Record:
    """The record of a comparison; the audition is rendered into `folder`."""
    bundle = plan.bundle
    mix, *references = (record.read(track.folder, result_types()) for track in (bundle.mix, *bundle.references))
    found = compare(mix.results, [one.results for one in references])
    places = [_place_of(one.results, mix.results) for one in references]
    made_from = MadeFrom(
        mix=bundle.mix.id,
        references=tuple(track.id for track in bundle.references),
        offsets_s=tuple(offset_s for offset_s, _ in places),
        speeds=tuple(speed for _, speed in places),
    )
    results = {"made_from": made_from, KIND: found}
    failures: dict[str, Failure] = {}
    source = bundle.mix.source
    if source is None:
        failures["equaliser"] = Failure("skipped", "The mix's sound file is gone from the library.")
    else:
        out = folder / f"{slug(bundle.name)}{AUDITION}"
        job = Matching(source, mix.sha256, settings.limits, comparison=found, target_lufs=target_lufs(found), out=out)
        outcome = _matched(engine, job)
        results |= outcome.results
        failures |= outcome.failures
        if "audition" not in results:
            out.unlink(missing_ok=True)  # that of an earlier version
    return Record(KIND, plan.sha256, bundle.name, results, dict.fromkeys([*results, *failures], plan.key), failures)


def _place_of(reference: Results, mix: Results) -> tuple[float, float]:
    """Where a reference lies beside the mix and how fast it plays, if both are one recording."""
    own, theirs = mix.get("fingerprint"), reference.get("fingerprint")
    found = NO_MATCH if own is None or theirs is None else similarity(own, theirs)
    return (found.offset_s, found.speed) if found.is_same else (0.0, 1.0)


def _matched(engine: Engine, job: Matching) -> Outcome:
    """What a worker made of a job; its failure is part of it.

    Raises:
        WorkspaceError: the audition could not be written.
    """
    engine.submit(job)
    [done] = engine.next_done()
    if isinstance(done.error, WorkspaceError):
        raise done.error
    return done.outcome or Outcome(failures={"equaliser": Failure("failed", str(done.error))})


def _place(workspace: Workspace, staged: Path, plan: _Plan) -> Path:
    """Move a finished folder to its place by one rename, durably."""
    day = workspace.library / datetime.now().astimezone().strftime("%Y/%m/%d")
    day.mkdir(parents=True, exist_ok=True)
    taken = {folder.name for folder in kept.folders(workspace)}
    names = (f"{slug(plan.bundle.name)}-{plan.sha256[:digits]}{SUFFIX}" for digits in range(8, 65))
    target = day / next(name for name in names if name not in taken)
    staged.rename(target)
    for folder in (day, day.parent, day.parent.parent, workspace.library):
        fsync_folder(folder)
    return target


def _remove_superseded(workspace: Workspace, plan: _Plan) -> None:
    """Remove comparisons of the same name that were made of other files; all that they hold can be made again."""
    for one in kept.stored(workspace, curves=False):
        if one.record.name == plan.bundle.name and one.record.sha256 != plan.sha256:
            remove_tree(one.folder)
