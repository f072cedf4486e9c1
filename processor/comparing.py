"""What is made of a folder `inbox/compare/<name>/`: its comparison, anew whenever the records of its tracks changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from processor import made, record
from processor.analysis import result_types
from processor.analysis.fingerprint import NO_MATCH, similarity
from processor.audio import decode
from processor.bundles import Bundle, comparisons
from processor.config import Settings
from processor.engine import Engine, Job
from processor.errors import LinerNotesError, RecordError, WorkspaceError
from processor.feedback import comparisons as kept
from processor.feedback.compare import Comparison, compare
from processor.feedback.comparisons import KIND, MadeFrom, Stored
from processor.feedback.equaliser import audition
from processor.feedback.matching import suggest
from processor.files import remove_leftovers, remove_tree, slug
from processor.graph import Outcome
from processor.record import Failure, Record, Results
from processor.workspace import Workspace, cannot_write

AUDITION = "-audition.flac"
# Raised when the same records give another comparison, or the same sound another audition.
VERSION = 1

Progress = Callable[[int, int], None]


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
    done: list[Stored] = []
    if not plans:
        return done
    with Engine(settings, match) as engine:
        for number, plan in enumerate(plans, 1):
            try:
                one = _make(workspace, settings, plan, engine)
            except OSError as error:
                raise cannot_write(workspace.library, error) from error
            done += [one] if one is not None else []
            if progress is not None:
                progress(number, len(plans))
    return done


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
    with made.staging(workspace, token, KIND) as staged:
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
                folder = made.place(workspace, staged, KIND, plan.bundle.name, plan.sha256)
            _remove_superseded(workspace, plan)
    return Stored(folder, found)


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


def _remove_superseded(workspace: Workspace, plan: _Plan) -> None:
    """Remove comparisons of the same name that were made of other files; all that they hold can be made again."""
    for one in kept.stored(workspace, curves=False):
        if one.record.name == plan.bundle.name and one.record.sha256 != plan.sha256:
            remove_tree(one.folder)
