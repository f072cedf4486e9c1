"""What is said of a piece and of its broken variants, in a process of its own if wished."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from processor.analysis import all_analysers
from processor.audio import decode
from processor.config import Settings
from processor.feedback.advice import Mix
from processor.feedback.desk import Desk, judge
from processor.feedback.platforms import all_platforms
from processor.feedback.profiles import GENERAL, all_profiles
from processor.feedback.rules import all_rules
from processor.graph import run
from processor.record import Results
from tests.advice.dsp import Sound, staged
from tests.advice.kinds import KINDS, Kind
from tests.advice.pieces import Piece, clean
from tests.advice.variants import difference_db
from tests.signals import write_wav

# A variant that differs by less from its piece breaks nothing: the piece does not have what the kind would break.
LEAST_DIFFERENCE_DB = -60.0


@dataclass(frozen=True)
class Said:
    """One piece of advice.

    Attributes:
        id: its id.
        severity: its severity.
        weight: its weight.
        rule: the rule that gave it.
    """

    id: str
    severity: str
    weight: float
    rule: str


@dataclass(frozen=True)
class Case:
    """One file that was judged.

    Attributes:
        piece: what it is made of.
        source: where that comes from.
        group: of the piece.
        kind: the fault that was made; empty for the clean piece, "as it is" for the whole file as it is.
        strength: 0 to 2.
        material: what the analysers take it for.
        said: strengths left out, the worst first.
        good: the strengths.
        broken: rules that could not judge it.
        bands_db: how far the six bands lie from the middle of the profile; empty where that is not known.
    """

    piece: str
    source: str
    group: str
    kind: str
    strength: int
    material: str
    said: tuple[Said, ...]
    good: tuple[Said, ...]
    broken: tuple[str, ...] = ()
    bands_db: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """What to do with one piece.

    Attributes:
        piece: the recording.
        kinds: names of the faults to make; none to judge the whole file as it is.
        seconds: length of the excerpt.
        off: analysers that do not run.
    """

    piece: Piece
    kinds: tuple[str, ...]
    seconds: float
    off: tuple[str, ...] = ()


@dataclass
class Measured:
    """What came of one piece.

    Attributes:
        piece: its id.
        cases: the clean one first.
        failures: what went wrong.
    """

    piece: str
    cases: list[Case] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def measure(task: Task) -> Measured:
    """Judge a piece, and all that is made of it; a failure is written down."""
    found = Measured(task.piece.id)
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        try:
            if not task.kinds:
                found.cases.append(_case(task.piece, "as it is", 0, analysed(task.piece.path, task.off)))
                return found
            _variants(task, found, Path(folder))
        except Exception as error:
            found.failures.append(f"{type(error).__name__}: {error}")
    return found


def _variants(task: Task, found: Measured, folder: Path) -> None:
    start = clean(task.piece, task.seconds)
    found.cases.append(_case(task.piece, "", 0, results_of(start, folder, task.off)))
    for kind in (one for one in KINDS if one.name in task.kinds):
        for number in range(3):
            made = variant(kind, start, number)
            if made is not None:
                found.cases.append(_case(task.piece, kind.name, number, results_of(made, folder, task.off)))


def variant(kind: Kind, start: Sound, number: int) -> Sound | None:
    """The piece broken; None where it does not have what the kind would break."""
    made = kind.make(start, kind.strengths[number])
    if made is None or difference_db(made, start) < LEAST_DIFFERENCE_DB:
        return None
    return staged(made) if kind.is_staged else made


def results_of(sound: Sound, folder: Path, off: Collection[str] = ()) -> Results:
    """What the analysers say of a sound that was written to a WAV file."""
    path = write_wav(folder / "variant.wav", sound.samples, sound.rate, sound.subtype)
    return analysed(path, off)


def analysed(path: Path, off: Collection[str] = ()) -> Results:
    """What the analysers say of a file."""
    return run(all_analysers(), decode(path), off=off).results


@cache
def desk() -> Desk:
    """That of a workspace without any settings."""
    settings = Settings()
    return Desk(settings, all_profiles(settings), all_platforms(settings), "")


def _case(piece: Piece, kind: str, strength: int, results: Results) -> Case:
    said, good, broken = told(results)
    mix = Mix(results, desk().profiles[GENERAL], desk().platform)
    bands_db = {} if mix.tone is None else {band: float(value) for band, value in mix.tone.bands_db.items()}
    return Case(piece.id, piece.source, piece.group, kind, strength, mix.material, said, good, broken, bands_db)


def told(results: Results) -> tuple[tuple[Said, ...], tuple[Said, ...], tuple[str, ...]]:
    """Advice, strengths, and rules that broke."""
    profile = desk().profiles[GENERAL]
    verdict = judge(desk(), results, {}, profile)
    mix = Mix(results, profile, verdict.platform)
    rules = {}
    for rule in all_rules():
        if mix.material in rule.of and not any(broken.startswith(f"{rule.name}:") for broken in verdict.broken):
            rules |= {one.id: rule.name for one in rule.function(mix)}
    all_said = [Said(one.id, one.severity, one.weight, rules[one.id]) for one in verdict.advice]
    said = tuple(one for one in all_said if one.severity != "strength")
    return said, tuple(one for one in all_said if one.severity == "strength"), verdict.broken
