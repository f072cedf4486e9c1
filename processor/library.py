"""The library: one folder a thing, `library/YYYY/MM/DD/<slug>-<hash8>/`, which is the truth of all we keep.

A track's folder holds the source bytes untouched, `record.json` and perhaps `arrays.npz` (analysis), `drops.jsonl`
(when and as what it arrived, once for each drop), perhaps `person.json` (what a person said of it) and `wording.json`
(what a language model made of the advice). The site leaves
`report.md` there, the same report for people who read the library itself, with its pictures in `report/`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from processor import record as records
from processor.errors import RecordError, WorkspaceError, WrongUsage
from processor.files import (
    append_line,
    fsync_folder,
    hash_file,
    printable,
    remove_leftovers,
    safe_suffix,
    slug,
    write_atomically,
)
from processor.record import JSON, Record
from processor.workspace import Workspace

PERSON_NAME = "person.json"
DROPS_NAME = "drops.jsonl"
WORDING_NAME = "wording.json"
_OURS = {records.RECORD_NAME, records.ARRAYS_NAME, PERSON_NAME, DROPS_NAME, WORDING_NAME, "report.md"}
_YEAR, _MONTH, _DAY = re.compile("[0-9]{4}"), re.compile("[01][0-9]"), re.compile("[0-3][0-9]")
_FOLDER_NAME = re.compile(r"[a-z0-9-]{1,60}-[0-9a-f]{8,64}")


@dataclass(frozen=True)
class Track:
    """One thing in the library, known by its folder."""

    folder: Path

    @property
    def id(self) -> str:
        """Name of its folder: `<slug>-<hash8>`."""
        return self.folder.name

    @property
    def short_hash(self) -> str:
        """First digits of the SHA-256 of its source."""
        return self.id.rsplit("-", 1)[1]

    @cached_property
    def added(self) -> date:
        """Day on which it was stored."""
        year, month, day = self.folder.parts[-4:-1]
        return date(int(year), int(month), int(day))

    @property
    def source(self) -> Path | None:
        """The file as it was dropped, or None if a person took it away.

        It is named like the folder; what a person put beside it (a cover, a text) is not meant.
        """
        stem = self.id.rpartition("-")[0]
        files = [
            path
            for path in sorted(self.folder.glob("[!.]*"))
            if path.is_file() and path.name not in _OURS and path.stem in (stem, f"source-{stem}")
        ]
        return files[0] if files else None

    @property
    def signature(self) -> str:
        """Changes whenever one of the files that a page or the catalogue shows changes."""
        parts = []
        for name in (records.RECORD_NAME, records.ARRAYS_NAME, PERSON_NAME, DROPS_NAME, WORDING_NAME):
            try:
                status = (self.folder / name).stat()
                parts.append(f"{status.st_mtime_ns}:{status.st_size}")
            except OSError:
                parts.append("-")
        return " ".join([str(self.folder.parent), *parts])


@dataclass(frozen=True)
class Arrival:
    """One drop of a file: when, under which name, and what tells it from another drop of the same bytes."""

    at: str
    path: str
    size: int
    mtime_ns: int
    ctime_ns: int


def tracks(workspace: Workspace) -> list[Track]:
    """All things in the library, oldest day first; a copy of a folder under another day is passed over."""
    found: dict[str, Track] = {}
    for track in _walk(workspace.library):
        found.setdefault(track.id, track)  # pages and tables know a track by this name alone
    return list(found.values())


def _walk(library: Path) -> Iterator[Track]:
    for year in _named(library, _YEAR):
        for month in _named(year, _MONTH):
            for day in _named(month, _DAY):
                yield from (Track(path) for path in _named(day, _FOLDER_NAME) if _is_date(day))


def _named(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if pattern.fullmatch(entry.name))
    except OSError:  # gone, or no folder
        return []
    return [folder / name for name in names]


def _is_date(day: Path) -> bool:
    try:
        date(*(int(part) for part in day.parts[-3:]))
    except ValueError:  # 31 February, which no calendar could show
        return False
    return True


def find(workspace: Workspace, sha256: str) -> Track | None:
    """The track with this content, if the library has it."""
    for track in tracks(workspace):
        if sha256.startswith(track.short_hash) and content_hash(track) == sha256:
            return track
    return None


def content_hash(track: Track) -> str | None:
    """The SHA-256 that its record names, or None if the record cannot be read."""
    try:
        found = json.loads((track.folder / records.RECORD_NAME).read_bytes())["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def resolve(workspace: Workspace, words: str) -> Track:
    """The one track that a person means by its id, the beginning of its id or of its hash.

    A whole name without its hash comes before names that only begin so: the mashup of a song is called after it.

    Raises:
        WrongUsage: none or several fit; the message lists some.
    """
    every = tracks(workspace)
    exact = [t for t in every if t.id == words] or [t for t in every if t.id.rpartition("-")[0] == words]
    hits = exact or [t for t in every if words and (t.id.startswith(words) or _is_hash_of(words, t))]
    if len(hits) == 1:
        return hits[0]
    if not hits:
        raise WrongUsage(f"No track is called {words!r}. `linernotes query 'SELECT track FROM tracks'` lists them.")
    some = ", ".join(track.id for track in hits[:5]) + (" …" if len(hits) > 5 else "")
    raise WrongUsage(f"{words!r} fits {len(hits)} tracks: {some}. Say more of the name.")


def _is_hash_of(words: str, track: Track) -> bool:
    return len(words) >= 4 and track.short_hash.startswith(words)


def fill_folder(folder: Path, record: Record, arrival: Arrival) -> None:
    """Put what we write beside a source that stands in `folder` already."""
    append_line(folder / DROPS_NAME, json.dumps(asdict(arrival)))
    records.write(record, folder)


def place(workspace: Workspace, staged: Path, name: str, sha256: str) -> Track:
    """Move a finished folder to its place by one rename, durably.

    Args:
        workspace: where.
        staged: a folder on the library's file system, complete.
        name: name of the dropped file, of which the slug is made.
        sha256: hash of the source.
    """
    # Pages and tables know a track by its folder's name alone, so no two days may have the same.
    taken = {track.id for track in tracks(workspace)}
    names = (f"{slug(Path(name).stem)}-{sha256[:digits]}" for digits in range(8, 65))
    return Track(move_in(workspace, staged, next(one for one in names if one not in taken)))


def move_in(workspace: Workspace, staged: Path, name: str) -> Path:
    """Move a finished folder under today's by one rename, durably; return where it is."""
    day = workspace.library / datetime.now().astimezone().strftime("%Y/%m/%d")
    day.mkdir(parents=True, exist_ok=True)
    target = day / name
    staged.rename(target)
    for folder in (day, day.parent, day.parent.parent, workspace.library):
        fsync_folder(folder)
    return target


def source_name(name: str) -> str:
    """File name under which a dropped file is kept: its slug and its suffix, so that no name can do harm."""
    kept = f"{slug(Path(name).stem)}{safe_suffix(name)}"
    return f"source-{kept}" if kept in {*_OURS, "report"} else kept


def has_source(track: Track, sha256: str) -> bool:
    """Whether the track's sound file is there, byte for byte; else a drop of the same bytes must not be thrown away."""
    source = track.source
    return source is not None and hash_file(source) == sha256


def restore_source(track: Track, copy: Path) -> None:
    """Put the sound file back into a track that lost it, or in the place of one that is damaged."""
    copy.rename(track.source or track.folder / f"{track.id.rpartition('-')[0]}{copy.suffix}")
    fsync_folder(track.folder)


def note_arrival(track: Track, arrival: Arrival) -> bool:
    """Record another drop of a known track; False if this very drop was recorded before (a crash came between)."""
    known = [(a.path, a.size, a.mtime_ns, a.ctime_ns) for a in arrivals(track)]
    if (arrival.path, arrival.size, arrival.mtime_ns, arrival.ctime_ns) in known:
        return False
    append_line(track.folder / DROPS_NAME, json.dumps(asdict(arrival)))
    return True


def arrivals(track: Track) -> list[Arrival]:
    """Every drop of this content, first to last; torn or foreign lines are passed over."""
    try:
        lines = (track.folder / DROPS_NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            one = Arrival(**json.loads(line))
        except (ValueError, TypeError):
            continue
        if isinstance(one.path, str) and isinstance(one.at, str):
            found.append(one)
    return found


def collection(arrival: Arrival) -> str | None:
    """The sub-folder of the inbox that it was dropped in, or None."""
    parent = arrival.path.rpartition("/")[0]
    return parent or None


def read_person(track: Track) -> dict[str, JSON]:
    """What a person said of a track: field → value; empty if nothing.

    Raises:
        RecordError: the file is there but is not a JSON object.
    """
    path = track.folder / PERSON_NAME
    try:
        said = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} is not JSON ({error}); mend it by hand or delete it.") from error
    if not isinstance(said, dict):
        raise RecordError(f"{path} is not a JSON object; mend it by hand or delete it.")
    return said


def write_person(track: Track, said: Mapping[str, JSON]) -> None:
    """Keep what a person said; analysis never writes this file."""
    path = track.folder / PERSON_NAME
    remove_leftovers(track.folder)
    if said:
        write_atomically(path, json.dumps(dict(said), indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    else:
        path.unlink(missing_ok=True)


def known_words(said: Mapping[str, JSON]) -> dict[str, dict[str, JSON]]:
    """A person's words about analysers' fields: `{"beats.tempo_bpm": 174}` → `{"beats": {"tempo_bpm": 174}}`."""
    known: dict[str, dict[str, JSON]] = {}
    for field, value in said.items():
        analyser, dot, name = field.partition(".")
        if dot:
            known.setdefault(analyser, {})[name] = value
    return known


def title_of(name: str, metadata: Any, said: Mapping[str, JSON]) -> str:
    """What to call a track: a person's word, else the tag, else the file's name."""
    tagged = getattr(metadata, "title", None)
    return printable(str(said.get("title") or tagged or Path(name).stem or name))


def free_bytes(workspace: Workspace) -> int:
    """Room left on the library's disk.

    Raises:
        WorkspaceError: the library cannot be reached.
    """
    import shutil

    try:
        return shutil.disk_usage(workspace.library).free
    except OSError as error:
        raise WorkspaceError(f"The library {workspace.library} cannot be reached: {error.strerror}.") from error
