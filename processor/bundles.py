"""Folders of the inbox that belong together: `inbox/compare/<name>/` and `inbox/mashup/<name>/`.

Such a folder is processed whole, or left alone until it is complete. Its sound files become ordinary tracks; that they
belong together is known from the paths under which they arrived.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import duckdb

from processor import catalogue, inbox, library
from processor.containers import sniff
from processor.errors import NotAudio
from processor.inbox import Drop, Ignored
from processor.library import Track
from processor.workspace import Workspace

COMPARE, MASHUP = "compare", "mashup"
MIX, REFERENCE = "mix", "reference"
# What a file of `mashup/` is by its name; a song is played in the part that nobody else has.
VOCALS, INSTRUMENTAL, SONG, PLAN = "vocals", "instrumental", "song", "plan"
PLAN_NAME = "plan.toml"
# Stems of the instrumental; together they are all of it.
LAYERS = ("drums", "bass", "other")
# What others sing in the instrumental, apart from it: a voice, beside which nobody else sings.
BACKING_VOCALS = "backing_vocals"
# A folder that is not complete for so long is told to a person; copying an album takes less.
PATIENCE_S = 600.0
_WORDS = {COMPARE: "comparison", MASHUP: "mashup"}
_PLAYED = re.compile(r"instrumental|karaoke|(no|without|minus)[ _.-]*vocal")
_SUNG_BEHIND = re.compile(r"back(ing|ground|up)[ _.-]*(vocal|vox)")
_SUNG = re.compile(r"vocal|a[ _.-]?c+ap+el+a")


# What was dropped


@dataclass(frozen=True)
class Place:
    """A file's place in a folder that belongs together.

    Attributes:
        kind: COMPARE or MASHUP.
        name: the folder's name.
        part: MIX or REFERENCE; VOCALS, INSTRUMENTAL, one of LAYERS, BACKING_VOCALS, SONG or PLAN.
    """

    kind: str
    name: str
    part: str


def place_of(path: str) -> Place | None:
    """What a path below the inbox belongs to; None for all that stands alone."""
    parts = PurePosixPath(path).parts
    kind = parts[0].lower() if len(parts) == 3 else ""
    if kind not in _WORDS:
        return None
    file = PurePosixPath(parts[2].lower())
    if kind == COMPARE:
        return Place(kind, parts[1], MIX if file.stem == MIX else REFERENCE)
    return Place(kind, parts[1], _part_of_mashup(file))


def _part_of_mashup(file: PurePosixPath) -> str:
    if file.name == PLAN_NAME:
        return PLAN
    if file.stem in LAYERS:
        return file.stem
    if _PLAYED.search(file.stem):
        return INSTRUMENTAL
    if _SUNG_BEHIND.search(file.stem):
        return BACKING_VOCALS
    return VOCALS if _SUNG.search(file.stem) else SONG


def hold_back(
    workspace: Workspace, ready: Sequence[Drop], waiting: Sequence[Drop] = (), now: float | None = None
) -> tuple[list[Drop], list[Ignored]]:
    """Which drops may be processed, and what to tell of folders that stayed incomplete.

    A folder is complete when nothing in it is still arriving and it has all its parts, here or in the library, where a
    file may be sent after the others. A plan is never processed: it waits until its mashup is made.

    Args:
        workspace: where.
        ready: drops that are complete as files.
        waiting: drops that are still arriving.
        now: seconds since 1970; the clock's time if left out.

    Returns:
        The drops of `ready` that may be processed, in their order; and what is missing in folders that were
        incomplete for PATIENCE_S.
    """
    folders: dict[tuple[str, str], list[Drop]] = defaultdict(list)
    for drop in [*ready, *waiting]:
        if drop.is_ours and (place := place_of(drop.name)) is not None:
            folders[place.kind, place.name].append(drop)
    if not folders:
        return list(ready), []
    arriving = {drop.path for drop in waiting}
    known = _known_parts(workspace)
    now = time.time() if now is None else now
    held: set[Path] = set()
    told = []
    for key, drops in folders.items():
        missing = _missing(key[0], drops, known.get(key, {}))
        is_arriving = any(drop.path in arriving for drop in drops)
        held |= {drop.path for drop in drops if missing or is_arriving or is_plan(drop)}
        if missing and not is_arriving and now - max(drop.ctime_ns for drop in drops) / 1e9 >= PATIENCE_S:
            told.append(Ignored(drops[0].name.rpartition("/")[0], _incomplete(key[0], missing)))
    return [drop for drop in ready if drop.path not in held], told


def why_held(drop: Drop) -> str:
    """What to say of a drop that is held back."""
    place = place_of(drop.name)
    return "it waits for others" if place is None else f"its {_WORDS[place.kind]} is not complete"


def left_without(workspace: Workspace, drops: Iterable[Drop]) -> list[Ignored]:
    """Folders of which a part is in the library and the rest is nowhere, for example because it was no sound.

    Args:
        workspace: where; what the library has is read from the catalogue.
        drops: what lies in the inbox.
    """
    parts: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for path in _arrived(workspace):
        if (place := place_of(path)) is not None:
            parts[place.kind, place.name][path] = place.part
    coming = {(place.kind, place.name) for drop in drops if (place := place_of(drop.name)) is not None}
    return [
        Ignored(f"{kind}/{name}", _incomplete(kind, missing))
        for (kind, name), known in sorted(parts.items())
        if (kind, name) not in coming and (missing := _needs(kind, known))
    ]


def has_any(workspace: Workspace, kind: str) -> bool:
    """Whether anything ever arrived in folders of a kind, as the catalogue has it; it saves reading every drop."""
    return any((place := place_of(path)) is not None and place.kind == kind for path in _arrived(workspace))


def _arrived(workspace: Workspace) -> list[str]:
    """Paths of all that arrived in such folders."""
    if not workspace.catalogue.is_file():
        return []
    conditions = " OR ".join(f"path ILIKE '{kind}/%/%'" for kind in _WORDS)
    try:
        _, rows = catalogue.query(workspace, f"SELECT path FROM drops WHERE {conditions}")
    except duckdb.Error:  # made by another version; the next publish makes it anew
        return []
    return [path for (path,) in rows]


def _incomplete(kind: str, missing: str) -> str:
    return f"this {_WORDS[kind]} is not complete: {missing}"


def _missing(kind: str, drops: Iterable[Drop], known: Mapping[str, str]) -> str:
    """What a folder lacks, in words; nothing where it is complete."""
    parts = dict(known)
    for drop in drops:
        place = place_of(drop.name)
        if place is not None and place.part != PLAN and _is_sound(drop.path):
            parts[drop.name] = place.part
    return _needs(kind, parts)


def _needs(kind: str, parts: Mapping[str, str]) -> str:
    """What is lacking where these parts are there, path → part."""
    return _comparison_needs(set(parts.values())) if kind == COMPARE else _mashup_needs(list(parts.values()))


def _comparison_needs(parts: set[str]) -> str:
    other, mix = "a sound file to compare the mix with", "a sound file called mix (mix.wav, mix.flac …)"
    if not parts:
        return f"it has no sound file yet; it needs {mix} and {other}"
    if parts == {MIX, REFERENCE}:
        return ""
    return f"it still needs {other if MIX in parts else mix}"


def _mashup_needs(parts: Sequence[str]) -> str:
    """What a mashup lacks: two songs are enough, in whatever order; so are a voice and an instrumental."""
    named, songs = {VOCALS, INSTRUMENTAL} & set(parts), parts.count(SONG)
    if not parts:
        return "it has no sound file yet; it needs two songs, or vocals.* and instrumental.*"
    if len(named) == 2 or len(named) + songs == 2:
        return ""
    if len(named) + songs > 2:
        return f"which of its {songs} songs are meant? Call one vocals.* and another one instrumental.*"
    if VOCALS in named:
        return "it still needs an instrumental.* (instrumental.wav, instrumental.flac …) or a song to sing over"
    if INSTRUMENTAL in named:
        return "it still needs vocals.* (vocals.wav, vocals.flac …) or a song to take them from"
    return "it still needs a second song" if songs else "it still needs vocals.* and instrumental.*"


def is_plan(drop: Drop) -> bool:
    """Whether a drop is a plan for the mashup of its folder, which is taken when that is made."""
    place = place_of(drop.name)
    return place is not None and place.part == PLAN


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


@dataclass(frozen=True)
class Pairing:
    """Two songs to be made into a mashup, as they were dropped; of files of one part, the latest counts.

    Attributes:
        name: the folder's name.
        vocals: what was called vocals.
        instrumental: what was called instrumental.
        songs: what was called neither.
        layers: stems of the instrumental, by their names in LAYERS, and BACKING_VOCALS.
        plan: a person's plan that lies in the folder still.
    """

    name: str
    vocals: Track | None = None
    instrumental: Track | None = None
    songs: tuple[Track, ...] = ()
    layers: Mapping[str, Track] = field(default_factory=dict)
    plan: Drop | None = None


@dataclass(frozen=True)
class _Arrived:
    """One arrival in such a folder."""

    place: Place
    path: str
    at: str
    track: Track


def comparisons(workspace: Workspace) -> list[Bundle]:
    """Every folder of `compare/` whose mix and at least one reference are tracks of the library, by name."""
    mixes: dict[str, tuple[str, Track]] = {}
    references: dict[str, dict[str, Track]] = defaultdict(dict)
    for one in _parts(workspace, COMPARE):
        name = one.place.name
        if one.place.part == REFERENCE:
            references[name][one.path] = one.track
        elif name not in mixes or one.at >= mixes[name][0]:
            mixes[name] = one.at, one.track
    found = []
    for name in sorted(mixes.keys() & references.keys()):
        listed = [references[name][path] for path in sorted(references[name])]
        found.append(Bundle(name, mixes[name][1], tuple(dict.fromkeys(listed))))
    return found


def mashups(workspace: Workspace) -> list[Pairing]:
    """Every folder of `mashup/` of which all parts are tracks of the library, by name."""
    parts: dict[str, list[_Arrived]] = defaultdict(list)
    for one in sorted(_parts(workspace, MASHUP), key=lambda one: one.at):
        parts[one.place.name].append(one)
    plans = _plans(workspace) if parts else {}
    complete = {
        name: arrived
        for name, arrived in sorted(parts.items())
        if not _mashup_needs(list({one.path: one.place.part for one in arrived}.values()))
    }
    return [_pairing(name, arrived, plans.get(name)) for name, arrived in complete.items()]


def _pairing(name: str, arrived: Sequence[_Arrived], plan: Drop | None) -> Pairing:
    latest = {one.place.part: one.track for one in arrived if one.place.part != SONG}
    songs = {one.path: one.track for one in arrived if one.place.part == SONG}
    layers = {part: track for part, track in latest.items() if part in (*LAYERS, BACKING_VOCALS)}
    listed = tuple(dict.fromkeys(songs[path] for path in sorted(songs)))
    return Pairing(name, latest.get(VOCALS), latest.get(INSTRUMENTAL), listed, layers, plan)


def _plans(workspace: Workspace) -> dict[str, Drop]:
    """Mashup's name → the plan that lies in its folder of the inbox."""
    found = {}
    for drop in inbox.scan(workspace).drops:
        place = place_of(drop.name)
        if place is not None and place.part == PLAN:
            found[place.name] = drop
    return found


def _parts(workspace: Workspace, *kinds: str) -> Iterator[_Arrived]:
    """Each arrival in folders of these kinds."""
    for track in library.tracks(workspace):
        for arrival in library.arrivals(track):
            place = place_of(arrival.path)
            if place is not None and place.kind in kinds:
                yield _Arrived(place, arrival.path, arrival.at, track)


def _known_parts(workspace: Workspace) -> dict[tuple[str, str], dict[str, str]]:
    """Kind and name of a folder → path → part of what the library has of it."""
    known: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for one in _parts(workspace, *_WORDS):
        known[one.place.kind, one.place.name][one.path] = one.place.part
    return known
