"""Players of stems: all of a mashup's layers in step, each to be muted or heard alone, as scripts beside its page.

All play with one gain, which makes them together as loud as the mix. But what is heard is any choice of them, and no
limiter stands behind that: so the gain is no more than the loudest choice can bear.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from processor.analysis.loudness import loudness
from processor.audio import decode, from_samples
from processor.config import Limits, Settings
from processor.engine import Job
from processor.files import remove_leftovers
from processor.graph import Outcome
from processor.site.ab import Cut, in_step
from processor.site.about import PEAK_LIMIT_DBTP
from processor.site.media import FOLDER as MEDIA
from processor.site.media import Progress
from processor.site.previews import Samples, preview_rate_hz
from processor.site.scripts import Scripted, make_scripts, mp3, read_facts, write_script
from processor.workspace import Workspace, cannot_write

FOLDER = "mixer"
# Raised when the same stems give other scripts.
VERSION = 1
MAX_STEMS = 6
# What lies between samples, and what MP3 adds to peaks.
MARGIN_DB = 1.0
VOCALS, INSTRUMENTAL = "vocals", "instrumental"
_ORDER = (VOCALS, "lead", "backing", "drums", "bass", "guitar", "piano", "other", INSTRUMENTAL)
_STEM = re.compile(r"([a-z][a-z0-9_-]{0,39})\.(flac|wav)")
# Where FLAC keeps the MD5 of its samples: behind its mark, a block's header and 18 bytes of STREAMINFO.
_FLAC, _MD5 = b"fLaC", slice(26, 42)


@dataclass(frozen=True)
class Stem:
    """One layer of a player.

    Attributes:
        number: 1 for the first; also the key that mutes it.
        title: "Vocals" …
        name: of its sound within the script.
        script: address of that, below the site's root.
    """

    number: int
    title: str
    name: str
    script: str


@dataclass(frozen=True)
class Mixer:
    """All that the template `_mixer.html` shows of stems.

    Attributes:
        stems: those that can be heard.
        duration_s: length of the longest.
        rate_hz: sample rate of all.
        gain_db: of all.
        quieter_db: by how much they are quieter than in the mix; None where that cannot be told.
        is_cut: whether they are longer than a browser should hold.
    """

    stems: tuple[Stem, ...]
    duration_s: float
    rate_hz: int
    gain_db: float
    quieter_db: float | None
    is_cut: bool


@dataclass(frozen=True)
class Layers:
    """The stems of a mashup.

    Attributes:
        mashup: its name.
        folder: where they are.
        lufs: loudness of the mix; None where that cannot be told.
    """

    mashup: str
    folder: Path
    lufs: float | None = None


@dataclass(frozen=True)
class Mixing(Scripted):
    """The stems of one mashup to be written as scripts; `path` is the first of them.

    Attributes:
        stems: all of them, in the order of `targets`.
        lufs: loudness of the mix; None where that cannot be told.
    """

    stems: tuple[Path, ...] = ()
    lufs: float | None = None


# Names


def stem_files(folder: Path) -> dict[str, Path]:
    """Name → file of each stem that a player has, in their order.

    What the instrumental consists of is played in its place where that is there as well.

    Args:
        folder: where the stems are.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.*")):
        one = _STEM.fullmatch(path.name)
        if one and path.is_file() and not path.is_symlink():
            found.setdefault(one[1], path)
    if INSTRUMENTAL in found and found.keys() - {VOCALS, INSTRUMENTAL, "lead", "backing"}:
        del found[INSTRUMENTAL]
    if VOCALS in found and {"lead", "backing"} <= found.keys():
        del found[VOCALS]
    places = {name: place for place, name in enumerate(_ORDER)}
    listed = sorted(found, key=lambda name: (places.get(name, len(places)), name))
    return {name: found[name] for name in listed[:MAX_STEMS]}


def script_names(layers: Layers) -> tuple[str, ...]:
    """The name of each stem's script; stems that sound otherwise have others."""
    # What all play decides how loud each is, so one name changes with all.
    files = stem_files(layers.folder)
    what = " ".join([f"{VERSION} {layers.lufs}", *map(content_mark, files.values())])
    every = hashlib.sha256(what.encode()).hexdigest()[:8]
    return tuple(f"{layers.mashup}.{name}.{every}" for name in files)


def content_mark(path: Path) -> str:
    """What tells a sound file from one that sounds otherwise: of FLAC, what it says of its own samples."""
    try:
        with path.open("rb") as file:
            head = file.read(_MD5.stop)
        if head.startswith(_FLAC) and any(head[_MD5]):
            return head[_MD5].hex()
        status = path.stat()
    except OSError:
        return "-"
    return f"{status.st_size}:{status.st_mtime_ns}"


def _scripts(site: Path, layers: Layers) -> dict[str, Path]:
    """Name of each script → where it is."""
    return {name: site / MEDIA / FOLDER / f"{name}.js" for name in script_names(layers)}


def signature(site: Path, layers: Layers) -> str:
    """Changes when there is something else to be heard: part of a page's signature."""
    return " ".join(name for name, path in _scripts(site, layers).items() if path.is_file())


# Making


def make_mixers(
    workspace: Workspace,
    mashups: Sequence[Layers],
    settings: Settings,
    progress: Progress | None = None,
    most: int | None = None,
) -> int:
    """Make the scripts that are missing, remove those that belong to none; return how many players that concerns.

    Nobody has to hold the workspace's lock meanwhile: every file appears whole or not at all.

    Args:
        workspace: where.
        mashups: the stems of each.
        settings: `site.previews = false` removes them all.
        progress: told of players made and to make.
        most: how many to make at most; the rest is left for the next time.

    Raises:
        WorkspaceError: the folder cannot be written.
    """
    kept: set[str] = set()
    jobs = []
    for layers in mashups if settings.site.previews else ():
        scripts = _scripts(workspace.site, layers)
        kept |= {path.name for path in scripts.values()}
        if len(scripts) > 1 and not all(path.is_file() for path in scripts.values()):
            jobs.append(_mixing(layers, scripts, settings.limits))
    place = workspace.site / MEDIA / FOLDER
    removed = _remove_others(place, kept)
    return removed + make_scripts(place, jobs[:most], settings, make_mix, progress)


def _mixing(layers: Layers, scripts: Mapping[str, Path], limits: Limits) -> Mixing:
    stems = tuple(stem_files(layers.folder).values())
    targets, names = tuple(scripts.values()), tuple(scripts)
    return Mixing(stems[0], "", limits, targets=targets, names=names, stems=stems, lufs=layers.lufs)


def _remove_others(folder: Path, kept: set[str]) -> int:
    """Remove scripts that belong to no player; return of how many players they were."""
    try:
        remove_leftovers(folder)
        stale = [path for path in sorted(folder.glob("*.js")) if path.name not in kept]
        for path in stale:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return len({path.name.split(".")[0] for path in stale})


def make_mix(job: Job) -> Outcome:
    """Write each stem as MP3 in a script, with the gain that suits any choice of them; in a worker.

    Raises:
        AudioError: one of the files cannot be heard.
        WorkspaceError: a script cannot be written.
    """
    assert isinstance(job, Mixing)  # noqa: S101 - for mypy: an engine hands on what it was given
    rate_hz, coded, together, is_cut = 0, [], _Together(), False
    for path in job.stems:
        audio = decode(path, limits=job.limits)
        rate_hz = rate_hz or preview_rate_hz(audio.sample_rate)
        samples, is_longer = in_step(audio, Cut(path, "", job.limits, rate_hz=rate_hz))
        is_cut |= is_longer
        together.add(samples)
        coded.append(mp3(samples, rate_hz))
    gain_db, quieter_db = together.gain_db(rate_hz, job.lufs)
    facts = {
        "seconds": round(together.frames / rate_hz, 3),
        "rate_hz": rate_hz,
        "gain_db": gain_db,
        "quieter_db": quieter_db,
        "is_cut": is_cut,
    }
    for target, name, sound in zip(job.targets, job.names, coded, strict=True):
        write_script(target, facts, name, sound)
    return Outcome()


class _Together:
    """How high the highest choice of several sounds is: where they add up, what is above zero, or what is below."""

    def __init__(self) -> None:
        self._above = self._below = np.zeros((2, 0), np.float32)

    @property
    def frames(self) -> int:
        return self._above.shape[1]

    def gain_db(self, rate_hz: int, mix_lufs: float | None) -> tuple[float, float | None]:
        """What makes all together as loud as the mix, but no choice of them too loud; how much quieter that is."""
        highest = max(float(side.max(initial=0.0)) for side in (self._above, self._below))
        room_db = PEAK_LIMIT_DBTP - MARGIN_DB - 20 * float(np.log10(highest)) if highest > 0 else 0.0
        own_lufs = loudness(from_samples(self._above - self._below, rate_hz)).integrated_lufs
        if mix_lufs is None or own_lufs is None:
            return round(min(0.0, room_db), 2) + 0.0, None
        wanted_db = mix_lufs - own_lufs
        return round(min(wanted_db, room_db), 2) + 0.0, round(max(0.0, wanted_db - room_db), 2)

    def add(self, samples: Samples) -> None:
        """Take another sound in, shape `(2, n)`; what is shorter ends in silence."""
        more = ((0, 0), (0, max(0, samples.shape[1] - self.frames)))
        self._above, self._below = np.pad(self._above, more), np.pad(self._below, more)
        heard = slice(0, samples.shape[1])
        self._above[:, heard] += np.maximum(samples, 0)
        self._below[:, heard] -= np.minimum(samples, 0)


# Showing


def mixer_context(site: Path, layers: Layers) -> Mixer | None:
    """Prepare a player; None as long as one of its scripts was not made, or one of its stems cannot be heard."""
    scripts = _scripts(site, layers)
    found = [read_facts(path) for path in scripts.values()]
    facts = [one for one in found if one is not None and _is_whole(one)]
    if len(facts) < max(2, len(scripts)):
        return None
    stems = [
        Stem(number, re.sub("[_-]", " ", stem).capitalize(), name, f"{MEDIA}/{FOLDER}/{name}.js")
        for number, (stem, name) in enumerate(zip(stem_files(layers.folder), scripts, strict=True), 1)
    ]
    return _mixer(stems, facts[0])


def is_refused(site: Path, layers: Layers) -> bool:
    """Whether it was tried to make a player, and one of the stems could not be heard."""
    return any("refused" in (read_facts(path) or {}) for path in _scripts(site, layers).values())


def _mixer(stems: Sequence[Stem], facts: Mapping[str, Any]) -> Mixer:
    return Mixer(
        tuple(stems),
        float(facts["seconds"]),
        int(facts["rate_hz"]),
        float(facts["gain_db"]),
        facts.get("quieter_db"),
        bool(facts.get("is_cut")),
    )


def _is_whole(facts: Mapping[str, Any]) -> bool:
    return all(isinstance(facts.get(name), (int, float)) for name in ("seconds", "rate_hz", "gain_db"))
