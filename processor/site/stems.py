"""A track's stems on its page: what each is, and a preview of it to hear.

A preview is named by its stem's hash, so one that is there is right; stems of another model have other names. They are
made and removed apart from the pages, as all previews are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processor import engine, record
from processor.analysis import result_types
from processor.config import Settings
from processor.errors import RecordError, WorkspaceError
from processor.files import remove_leftovers
from processor.library import Track
from processor.sidecars import is_sound
from processor.site.media import FOLDER, PREVIEW, Encoding, Progress, make_preview
from processor.workspace import Workspace, cannot_write

STEMS_FOLDER = "stems"  # of a track
# A dot, which no track's name holds: so no stem is taken for the preview of a track.
_OURS = re.compile(r"([a-z0-9-]{1,60}-[0-9a-f]{8,64})\.([a-z]{1,20})-([0-9a-f]{8})\.mp3")


@dataclass(frozen=True)
class Stem:
    """One stem as a page shows it.

    Attributes:
        name: "vocals", "drums" …
        is_there: whether the music really has it.
        level_lufs: its loudness; None if it is silent.
        energy_share: its share of the energy, 0 to 1.
        active_share: for how much of the time it sounds, 0 to 1.
        href: its preview seen from a track's page; None where there is none.
    """

    name: str
    is_there: bool
    level_lufs: float | None
    energy_share: float | None
    active_share: float | None
    href: str | None


def preview_name(track: Track, stem: str, sha256: str) -> str:
    """File name of a stem's preview."""
    return f"{track.id}.{stem}-{sha256[:8]}{PREVIEW}"


def stems_of(track: Track, results: Mapping[str, Any], site: Path | None) -> list[Stem]:
    """The stems of a track, those that are really there first, the loudest before the others."""
    found = results.get("stems")
    if found is None:
        return []
    listed = []
    for number, name in enumerate(found.names):
        made = preview_name(track, name, found.file_sha256[number]) if number < len(found.file_sha256) else ""
        has_preview = bool(made) and site is not None and (site / FOLDER / made).is_file()
        listed.append(
            Stem(
                name,
                found.present[number],
                found.level_lufs[number],
                found.energy_share[number],
                found.active_share[number],
                f"../{FOLDER}/{made}" if has_preview else None,
            )
        )
    return sorted(listed, key=lambda stem: (not stem.is_there, -(stem.energy_share or 0.0)))


def signatures(site: Path) -> dict[str, str]:
    """Track's id → which previews of stems there are: part of its page's signature, since the page names them."""
    found: dict[str, list[str]] = {}
    for path in sorted((site / FOLDER).glob("*.*-*.mp3")):
        one = _OURS.fullmatch(path.name)
        if one:
            found.setdefault(one[1], []).append(f"{one[2]}-{one[3]}")
    return {track: " ".join(names) for track, names in found.items()}


def make_stem_previews(
    workspace: Workspace,
    tracks: Sequence[Track],
    settings: Settings,
    progress: Progress | None = None,
    most: int | None = None,
) -> int:
    """Make the previews of stems that are missing, remove those that belong to none; return how many were made.

    Args:
        workspace: where.
        tracks: all tracks of the library.
        settings: `site.previews = false` removes them all.
        progress: told of previews encoded and to encode.
        most: how many to encode at most; the rest is left for the next time.

    Raises:
        WorkspaceError: the folder cannot be written.
    """
    folder = workspace.site / FOLDER
    wanted = _wanted(folder, tracks, settings) if settings.site.previews else {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        removed = 0
        for path in folder.glob("*.*-*.mp3"):
            if _OURS.fullmatch(path.name) and path.name not in wanted:
                path.unlink(missing_ok=True)
                removed += 1
    except OSError as error:
        raise cannot_write(folder, error) from error
    jobs = [job for name, job in wanted.items() if not (folder / name).is_file()]
    return removed + _encode(jobs[:most], settings, progress)


def _wanted(folder: Path, tracks: Sequence[Track], settings: Settings) -> dict[str, Encoding]:
    """Name of each preview that there should be → how it is made."""
    found = {}
    for track in tracks[::-1]:  # the newest first, as with the tracks themselves
        if not (track.folder / STEMS_FOLDER).is_dir():  # which saves reading most records of a large library
            continue
        try:
            stems = record.read(track.folder, result_types(), curves=False).results.get("stems")
        except RecordError:
            continue
        if stems is None:
            continue
        for name, file, sha256 in zip(stems.names, stems.files, stems.file_sha256, strict=False):
            source = track.folder / file
            made = preview_name(track, name, sha256)
            if is_sound(file) and source.is_file() and _OURS.fullmatch(made):
                found[made] = Encoding(source, "", settings.limits, track=track.id, target=folder / made)
    return found


def _encode(jobs: Sequence[Encoding], settings: Settings, progress: Progress | None) -> int:
    made = count = 0
    if not jobs:
        return 0
    with engine.Engine(settings, make_preview) as workers:
        for job in jobs:
            workers.submit(job)
        while workers.waiting:
            for done in workers.next_done():
                if isinstance(done.error, WorkspaceError):
                    raise done.error
                count += 1
                made += done.error is None
                if progress is not None:
                    progress(count, len(jobs))
    return made
