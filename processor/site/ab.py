"""A/B players: several tracks laid in step beside each other, equally loud, to be switched between while they play.

Each sound is a script of `processor.site.scripts`, `site/media/ab/<name>.js`; its first line says what was measured of
the sound as it is heard there: stereo, cut, at that rate.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from processor import library, record
from processor.analysis import result_types
from processor.analysis.loudness import loudness
from processor.audio import Audio, decode, downmix_matrix, from_samples
from processor.config import Settings, load_settings
from processor.engine import Job
from processor.errors import NoSound, RecordError
from processor.files import remove_leftovers
from processor.graph import Outcome
from processor.library import Track
from processor.site.about import PEAK_LIMIT_DBTP
from processor.site.charts import length_text
from processor.site.charts.frame import plain_text
from processor.site.media import FOLDER as MEDIA
from processor.site.media import PREVIEW
from processor.site.previews import Samples, preview_rate_hz
from processor.site.scripts import Scripted, make_scripts, mp3, read_facts, write_script
from processor.workspace import Workspace

FOLDER = "ab"
# Raised when the same file gives another script.
VERSION = 1
# A browser holds all that can be switched between in memory: 23 MB a minute and sound at 48 kHz.
MAX_S = 600.0
MAX_SIDES = 6
# What turns the louder sound down by less is nothing that anybody hears.
AUDIBLE_LU = 0.1


@dataclass(frozen=True)
class Take:
    """A track and how it lies beside the first of several: as `processor.analysis.fingerprint.Match` has it.

    Attributes:
        track: which.
        title: what to call it; its own title where that is empty.
        offset_s: what is at `t` in the first is at `offset_s + t / speed` in this.
        speed: how many times as fast this plays.
    """

    track: Track
    title: str = ""
    offset_s: float = 0.0
    speed: float = 1.0


@dataclass(frozen=True)
class Side:
    """One of the sounds of an A/B player.

    Attributes:
        letter: "A" for the first; also the key that switches to it.
        title: what it is called.
        name: of its sound within the script.
        script: address of that, below the site's root.
        plain: address of its preview there, which plays without a script; None where there is none.
        gain_db: makes it as loud as the quietest; 0 or less.
        raw_db: keeps its peaks safe and the differences between all as they are; 0 or less.
        words: what is done to its level, in words.
        refused: why it cannot be heard, or empty.
    """

    letter: str
    title: str
    name: str
    script: str
    plain: str | None
    gain_db: float
    raw_db: float
    words: str
    refused: str


@dataclass(frozen=True)
class AB:
    """All that the template `_ab.html` shows.

    Attributes:
        sides: the sounds, the first of which the others are laid beside.
        duration_s: length of the longest.
        rate_hz: sample rate of all.
        is_matched: whether all are equally loud; not where one is silent.
        is_cut: whether one was longer than a browser should hold.
    """

    sides: tuple[Side, ...]
    duration_s: float
    rate_hz: int
    is_matched: bool
    is_cut: bool

    @property
    def length(self) -> str:
        """How long it is."""
        return length_text(self.duration_s)


@dataclass(frozen=True)
class Cut(Scripted):
    """One sound to be laid in step: which part of the file it is, and at which pace."""

    offset_s: float = 0.0
    speed: float = 1.0


@dataclass(frozen=True)
class _Measured:
    """What the first line of a script says."""

    seconds: float = 0.0
    lufs: float | None = None
    true_peak_dbtp: float | None = None
    is_cut: bool = False
    refused: str = ""


# Names


def names(takes: Sequence[Take]) -> tuple[str, ...]:
    """The name of each take's script, empty if the first cannot be read; the same take has the same in every player."""
    rate_hz = _rate_hz(takes[0].track)
    return tuple(_name(take, rate_hz) for take in takes[:MAX_SIDES]) if rate_hz else ()


def _name(take: Take, rate_hz: int) -> str:
    what = f"{VERSION} {rate_hz} {take.offset_s:.6f} {take.speed:.9f}"
    return f"{take.track.id}-{hashlib.sha256(what.encode()).hexdigest()[:8]}"


def _rate_hz(track: Track) -> int | None:
    """The rate that all are brought to: what a preview of the first has."""
    try:
        source = record.read(track.folder, result_types(), curves=False).results.get("source")
    except RecordError:
        return None
    return None if source is None else preview_rate_hz(source.sample_rate_hz)


def _script(site: Path, name: str) -> Path:
    return site / MEDIA / FOLDER / f"{name}.js"


def signature(site: Path, takes: Sequence[Take]) -> str:
    """Changes when there is something else to be heard: part of a page's signature."""
    there = [name for name in names(takes) if _script(site, name).is_file()]
    previews = [str((site / MEDIA / f"{take.track.id}{PREVIEW}").is_file()) for take in takes[:MAX_SIDES]]
    return " ".join([*there, *previews])


# Making


def make_ab(workspace: Workspace, takes: Sequence[Take], settings: Settings | None = None) -> int:
    """Make the scripts of a player that are missing; return how many were made.

    Encoding takes seconds a sound, in worker processes. What cannot be heard gets a script that says why, and is not
    tried again. Nobody has to hold the workspace's lock meanwhile: every file appears whole or not at all.

    Raises:
        WorkspaceError: the folder cannot be written.
    """
    settings = settings or load_settings(workspace.home)
    rate_hz = _rate_hz(takes[0].track)
    jobs = []
    for name, take in zip(names(takes), takes, strict=False):
        source, target = take.track.source, _script(workspace.site, name)
        if source is not None and rate_hz is not None and not target.is_file():
            jobs.append(
                Cut(
                    source,
                    "",
                    settings.limits,
                    targets=(target,),
                    names=(name,),
                    rate_hz=rate_hz,
                    offset_s=take.offset_s,
                    speed=take.speed,
                )
            )
    return make_scripts(workspace.site / MEDIA / FOLDER, jobs, settings, make_cut)


def make_cut(job: Job) -> Outcome:
    """Lay one sound in step, measure it, and write it as MP3 in a script; in a worker.

    Raises:
        AudioError: the file cannot be heard, or nothing of it lies beside the first.
        WorkspaceError: the script cannot be written.
    """
    assert isinstance(job, Cut)  # noqa: S101 - for mypy: an engine hands on what it was given
    samples, is_cut = in_step(decode(job.path, limits=job.limits), job)
    measured = loudness(from_samples(samples, job.rate_hz))
    facts = {
        "seconds": round(samples.shape[1] / job.rate_hz, 3),
        "lufs": measured.integrated_lufs,
        "true_peak_dbtp": measured.true_peak_dbtp,
        "is_cut": is_cut,
    }
    write_script(job.targets[0], facts, job.names[0], mp3(samples, job.rate_hz))
    return Outcome()


def in_step(audio: Audio, cut: Cut) -> tuple[Samples, bool]:
    """A sound as it lies beside another: stereo, shape `(2, n)`, begun at the other's beginning, at its pace and rate.

    What comes before is left out, what is missing there is silence; both are counted in samples.

    Returns:
        The samples, and whether something behind `MAX_S` was left out.

    Raises:
        NoSound: nothing of it lies beside the other.
    """
    skipped = round(cut.offset_s * audio.sample_rate)
    lead = round(max(0, -skipped) / audio.sample_rate * cut.speed * cut.rate_hz)
    most = round(MAX_S * cut.rate_hz)
    wanted = int(np.ceil((most - lead) / cut.rate_hz / cut.speed * audio.sample_rate))
    first = max(0, skipped)
    found = _stereo(audio, first, first + wanted)
    if found.shape[1] == 0:
        raise NoSound("Nothing of it lies beside the other one.")
    if audio.sample_rate != cut.rate_hz or cut.speed != 1:
        import soxr

        found = soxr.resample(found.T, audio.sample_rate / cut.speed, cut.rate_hz, quality="HQ").T
    begun = np.concatenate([np.zeros((2, lead), np.float32), found], axis=1)[:, :most]
    return np.ascontiguousarray(begun), audio.frames > first + wanted


def _stereo(audio: Audio, first: int, end: int) -> Samples:
    """The frames from `first` to before `end` on two channels."""
    fold = downmix_matrix(audio.positions).astype(np.float32)
    parts, at = [np.zeros((2, 0), np.float32)], 0
    for block in audio.blocks():
        parts.append(fold @ block[:, max(0, first - at) : max(0, end - at)])
        at += block.shape[1]
        if at >= end:
            break
    return np.concatenate(parts, axis=1)


def remove_others(workspace: Workspace, players: Iterable[Sequence[Take]]) -> int:
    """Remove the scripts that belong to none of these players; return how many."""
    kept = {f"{name}.js" for takes in players for name in names(takes)}
    folder = workspace.site / MEDIA / FOLDER
    remove_leftovers(folder)
    stale = [path for path in sorted(folder.glob("*.js")) if path.name not in kept]
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)


# Showing


def ab_context(site: Path, takes: Sequence[Take]) -> AB | None:
    """Prepare a player; None as long as one of its sounds was not made."""
    listed = names(takes)
    found = [_measured(_script(site, name)) for name in listed]
    rate_hz = _rate_hz(takes[0].track)
    known = [one for one in found if one is not None]
    if not known or rate_hz is None or len(known) < len(found):
        return None
    gains, raw_db = gains_db([(one.lufs, one.true_peak_dbtp) for one in known if not one.refused])
    heard = iter(gains or [])
    matched = [next(heard, raw_db) if not one.refused else 0.0 for one in known]
    describe = partial(_side, site, raw_db=raw_db, is_matched=gains is not None)
    sides = [
        describe(letter, take, name, one, gain)
        for letter, take, name, one, gain in zip(
            string.ascii_uppercase[: len(listed)], takes, listed, known, matched, strict=False
        )
    ]
    longest = max(one.seconds for one in known)
    return AB(tuple(sides), longest, rate_hz, gains is not None, any(one.is_cut for one in known))


def gains_db(levels: Sequence[tuple[float | None, float | None]]) -> tuple[list[float] | None, float]:
    """What makes sounds equally loud without lifting any, and what keeps their peaks safe as they are.

    The louder are turned down to the quietest. If a peak still is over the limit then, all are turned down alike: MP3
    lifts peaks, and a browser clips what is over full scale.

    Args:
        levels: integrated loudness in LUFS and true peak in dBTP of each.

    Returns:
        The gain of each in dB, or None if the loudness of one cannot be told; and the gain of all without matching.
    """
    peaks = [peak for _, peak in levels if peak is not None]
    raw_db = min([0.0, *(PEAK_LIMIT_DBTP - peak for peak in peaks)])
    known = [lufs for lufs, _ in levels if lufs is not None]
    if not known or len(known) < len(levels):
        return None, round(raw_db, 2)
    gains = [min(known) - lufs for lufs in known]
    over = [gain + peak - PEAK_LIMIT_DBTP for gain, (_, peak) in zip(gains, levels, strict=True) if peak is not None]
    excess = max([0.0, *over])
    return [round(gain - excess, 2) + 0.0 for gain in gains], round(raw_db, 2) + 0.0


def _measured(script: Path) -> _Measured | None:
    """What a script says of its sound; None if there is none."""
    try:
        found = read_facts(script)
        return None if found is None else _Measured(**found)
    except TypeError:
        return None


def _side(
    site: Path, letter: str, take: Take, name: str, one: _Measured, gain_db: float, *, raw_db: float, is_matched: bool
) -> Side:
    preview = f"{MEDIA}/{take.track.id}{PREVIEW}"
    has_preview = (site / preview).is_file()
    turned = f"turned down by {plain_text(-gain_db)} dB" if gain_db <= -AUDIBLE_LU else "left as loud as it is"
    words = (
        f"{plain_text(one.lufs)} LUFS from two loudspeakers, {turned}" if is_matched and one.lufs is not None else ""
    )
    return Side(
        letter=letter,
        title=take.title or _title(take.track),
        name=name,
        script=f"{MEDIA}/{FOLDER}/{name}.js",
        plain=preview if has_preview else None,
        gain_db=gain_db,
        raw_db=raw_db,
        words=words,
        refused=one.refused,
    )


def _title(track: Track) -> str:
    try:
        found, said = record.read(track.folder, result_types(), curves=False), library.read_person(track)
    except RecordError:
        return track.id
    return library.title_of(found.name, found.results.get("metadata"), said)
