"""Mashups in the library: `library/YYYY/MM/DD/<slug>-<hash8>.mashup/`, beside the tracks that they are made of.

The folder holds `record.json` (kind "mashup"), `plan.toml`, `mix.flac`, `stems/*.flac`, the cue sheet, and as
`alternatives/plan-2.toml` and so on the other plans that there were. The hash is that of the plan's text: the same plan
is the same mashup. The mix is a track of the library as well, with a report of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from processor import library, made, record
from processor.errors import RecordError
from processor.files import write_atomically
from processor.library import Arrival, Track
from processor.mashup.measured import MadeFrom, Measured
from processor.mashup.plan import Plan
from processor.mashup.plan_files import MOST_FILE_CHARACTERS, from_toml
from processor.quantities import quantity
from processor.record import Record
from processor.workspace import Workspace

KIND = "mashup"
SUFFIX = f".{KIND}"
PLAN_NAME, MIX_NAME, STEMS_FOLDER, ALTERNATIVES_FOLDER = "plan.toml", "mix.flac", "stems", "alternatives"
# Below `library/.state/`: why a mashup could not be made.
TROUBLES_NAME = "mashups.json"
# Where a mix arrives as a track, as if that were a path of the inbox.
_ARRIVED = "mashups"
_MIX = re.compile(rf"{_ARRIVED}/[a-z0-9-]{{1,60}}-[0-9a-f]{{8,64}}/{re.escape(MIX_NAME)}")
# `inbox/mashup/<name>/vocals.wav` and the like: see processor.bundles.
_STEM = re.compile(
    r"mashup/[^/]+/(vocals|instrumental|drums|bass|guitar|piano|other|backing_vocals)\.[^/]+", re.IGNORECASE
)
_ID = r"[a-z0-9-]{1,60}-[0-9a-f]{8,64}"
# Two dots, which no name of a track or of a stem's preview has.
_PREVIEW = re.compile(rf"({_ID})\.over\.({_ID})\.mp3")


@dataclass(frozen=True)
class Origin:
    """Why a mashup was made, and which sounds it was made of."""

    folder: str | None = quantity(
        "", label="Folder", source="paths of the inbox", help="The folder of inbox/mashup/ that its songs came in."
    )
    asked: str = quantity(
        "", label="Asked", source="SHA-256", help="What tells the songs and the plan that were asked for from others."
    )
    supplied: tuple[str, ...] = quantity(
        "",
        label="Supplied stems",
        source="folders of the library",
        help="Layers that a person supplied, each with its track; all others are stems of the songs.",
    )


RESULT_TYPES: dict[str, type] = {"made_from": MadeFrom, "measured": Measured, "origin": Origin}


@dataclass(frozen=True)
class Stored:
    """One mashup of the library."""

    folder: Path
    record: Record

    @property
    def id(self) -> str:
        """Name of its folder without the suffix: `<slug>-<hash8>`."""
        return self.folder.name.removesuffix(SUFFIX)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.record.name

    @property
    def made_from(self) -> MadeFrom:
        """Its tracks."""
        found: MadeFrom = self.record.results["made_from"]
        return found

    @property
    def measured(self) -> Measured:
        """What it came out as."""
        found: Measured = self.record.results["measured"]
        return found

    @property
    def origin(self) -> Origin:
        """Why it was made."""
        found: Origin = self.record.results["origin"]
        return found

    @cached_property
    def plan(self) -> Plan:
        """What it plays.

        Raises:
            PlanError: it was edited into what is no plan.
            RecordError: it is gone or cannot be read.
        """
        return from_toml(self.plan_text)

    @property
    def plan_text(self) -> str:
        """Its plan as it stands in the folder.

        Raises:
            RecordError: it is gone or cannot be read.
        """
        path = self.folder / PLAN_NAME
        if not path.is_file():  # somebody's pipe would never end
            raise RecordError(f"{path} cannot be read: it is no file.")
        return read_plan_text(path)

    @property
    def is_edited(self) -> bool:
        """Whether a person changed the plan since it was rendered; without a plan there is nothing to render."""
        try:
            return text_hash(self.plan_text) != self.record.sha256
        except RecordError:
            return False

    @property
    def mix(self) -> Path | None:
        """The mix; None where somebody took it away."""
        path = self.folder / MIX_NAME
        return path if path.is_file() else None

    @property
    def stems(self) -> tuple[Path, ...]:
        """Each layer as it was placed, before the limiter, the vocals first."""
        found = [path for path in (self.folder / STEMS_FOLDER).glob("[!.]*.flac") if path.is_file()]
        return tuple(sorted(found, key=lambda path: (path.stem != "vocals", path)))

    @property
    def cue(self) -> Path | None:
        """The cue sheet, where there is one."""
        return next(iter(sorted(self.folder.glob("[!.]*.cue"))), None)

    @property
    def alternatives(self) -> tuple[Path, ...]:
        """The other plans that there were."""
        return tuple(sorted((self.folder / ALTERNATIVES_FOLDER).glob("[!.]*.toml")))

    @property
    def signature(self) -> str:
        """Changes whenever the mashup does."""
        parts = [str(self.folder)]
        for path in (self.folder / record.RECORD_NAME, self.folder / PLAN_NAME, self.folder / MIX_NAME, *self.stems):
            try:
                status = path.stat()
                parts.append(f"{status.st_mtime_ns}:{status.st_size}")
            except OSError:
                parts.append("-")
        return " ".join(parts)


def text_hash(text: str) -> str:
    """What tells one plan from another: the hash of its text."""
    return sha256(text.encode()).hexdigest()


def read_plan_text(path: Path) -> str:
    """The text of a plan's file; no more of it is read than a plan may have.

    Raises:
        RecordError: it is gone, too large, or no text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(4 * MOST_FILE_CHARACTERS + 1)
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecordError(f"{path} is no plan: it is no text.") from error
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror or error}") from error


def stored(workspace: Workspace) -> list[Stored]:
    """Every mashup of the library, the latest day first; what cannot be read is passed over."""
    found = [one for folder in folders(workspace) if (one := read(folder)) is not None]
    return sorted(found, key=lambda one: (one.folder.parts[-4:-1], one.id), reverse=True)


def folders(workspace: Workspace) -> list[Path]:
    """The folders of all mashups, readable or not."""
    return made.folders(workspace, KIND)


def read(folder: Path) -> Stored | None:
    """The mashup in a folder; None where there is none that we can read."""
    try:
        found = record.read(folder, RESULT_TYPES)
    except RecordError:
        return None
    if found.kind != KIND or not RESULT_TYPES.keys() <= found.results.keys():
        return None
    return Stored(folder, found)


def place(workspace: Workspace, staged: Path, mix: Track | None, found: Record) -> Stored:
    """Put a rendered mashup into the library; the caller holds the write lock.

    Args:
        workspace: where.
        staged: its folder, complete but for the record.
        mix: the track that it is, None where it is none.
        found: its record, but for that track.
    """
    made_from: MadeFrom = found.results["made_from"]
    results = {**found.results, "made_from": replace(made_from, mix=None if mix is None else mix.id)}
    whole = replace(found, results=results)
    record.write(whole, staged)
    return Stored(made.place(workspace, staged, KIND, found.name, found.sha256), whole)


# Mixes, which are tracks


def arrival_of(workspace: Workspace, name: str, plan_sha256: str, at: str, size: int) -> Arrival:
    """How the mix of a mashup that is about to be placed arrives; the same for the same plan."""
    folder = made.free_name(workspace, KIND, name, plan_sha256).removesuffix(SUFFIX)
    return Arrival(at, f"{_ARRIVED}/{folder}/{MIX_NAME}", size, 0, 0)


def is_mix(track: Track) -> bool:
    """Whether a track is a mashup's mix, and nothing that a person brought."""
    return any(_MIX.fullmatch(arrival.path) for arrival in library.arrivals(track))


def is_supplied_stem(track: Track) -> bool:
    """Whether a track is a stem that a person dropped for a mashup, and has no stems itself: it is no song to match."""
    arrived = library.arrivals(track)
    return bool(arrived) and all(_STEM.fullmatch(one.path) for one in arrived) and not (track.folder / "stems").is_dir()


# Previews of pairs


def preview_name(vocals: str, instrumental: str) -> str:
    """File name of the preview of a pair, in the site's folder `media`; from the ids of both tracks."""
    return f"{vocals}.over.{instrumental}.mp3"


def pair_of_preview(name: str) -> tuple[str, str] | None:
    """The pair that a file of the site is a preview of; None for all other files."""
    found = _PREVIEW.fullmatch(name)
    return None if found is None else (found[1], found[2])


# What could not be made


@dataclass(frozen=True)
class Trouble:
    """Why a mashup was not made.

    Attributes:
        reason: for a person.
        stamp: what it was tried with; it is not tried again before that changes.
    """

    reason: str
    stamp: str


def troubles(workspace: Workspace) -> dict[str, Trouble]:
    """What could not be made: a folder of the inbox (`mashup/<name>`) or a plan of the library → why."""
    try:
        tree = json.loads((workspace.state / TROUBLES_NAME).read_bytes())
        return {str(name): Trouble(str(one["reason"]), str(one["stamp"])) for name, one in tree.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


def note_troubles(workspace: Workspace, found: Mapping[str, Trouble]) -> None:
    """Keep what could not be made; it only saves work, so what cannot be written does no harm."""
    if dict(found) == troubles(workspace):
        return
    tree = {name: {"reason": one.reason, "stamp": one.stamp} for name, one in sorted(found.items())}
    with suppress(OSError):
        write_atomically(workspace.state / TROUBLES_NAME, json.dumps(tree), durable=False)
