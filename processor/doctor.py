"""What is installed, whether the workspace is sound, and how to mend what is not."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

import duckdb

from processor import __version__, inbox, library, record
from processor.analysis import all_analysers, result_types
from processor.config import Settings
from processor.errors import RecordError
from processor.files import hash_file, templates_folder
from processor.pipeline import stale_tracks
from processor.workspace import Workspace

PACKAGES = (
    "av",
    "click",
    "duckdb",
    "filelock",
    "jinja2",
    "numba",
    "numpy",
    "pebble",
    "soundfile",
    "watchdog",
)
LOW_DISK_BYTES = 2_000_000_000


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: what was looked at.
        state: "ok", "note" or "problem".
        text: what was found.
        remedy: what to do about it, if there is anything to do.
    """

    subject: str
    state: str
    text: str
    remedy: str = ""


def examine(workspace: Workspace, settings: Settings, *, thorough: bool = False) -> Iterator[Finding]:
    """Look at the installation and at the workspace.

    Args:
        workspace: it need not exist.
        settings: its settings.
        thorough: also hash every source file, which reads the whole library.
    """
    yield from _installation()
    if not workspace.exists():
        yield Finding("workspace", "note", f"there is none in {workspace.home}", "linernotes init")
        return
    yield from _workspace(workspace)
    tracks = library.tracks(workspace)
    yield from _tracks(tracks, thorough)
    yield from _catalogue(workspace, tracks)
    yield from _freshness(workspace, settings)


def _installation() -> Iterator[Finding]:
    yield Finding(
        "Liner Notes",
        "ok",
        f"{__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}",
    )
    if sys.platform != "linux":
        yield Finding("system", "note", "only Linux is tested; elsewhere worker memory may not be limited")
    for package in PACKAGES:
        try:
            yield Finding(package, "ok", metadata.version(package))
        except metadata.PackageNotFoundError:
            yield Finding(package, "problem", "not installed", "pip install liner-notes")
    if not (templates_folder() / "base.html").is_file():
        yield Finding("templates", "problem", f"not found in {templates_folder()}", "install Liner Notes again")
    yield Finding("analysers", "ok", ", ".join(all_analysers()))


def _workspace(workspace: Workspace) -> Iterator[Finding]:
    yield Finding("workspace", "ok", str(workspace.home))
    for folder in (workspace.inbox, workspace.library, workspace.site):
        probe = folder / ".linernotes-probe"
        try:
            probe.touch()
            probe.unlink()
        except OSError as error:
            yield Finding(
                f"{folder.name}/",
                "problem",
                f"cannot be written: {error.strerror}",
                f"give yourself the right to write to {folder}, or run `linernotes init`",
            )
    free = library.free_bytes(workspace)
    state = "problem" if free < LOW_DISK_BYTES else "ok"
    yield Finding(
        "disk",
        state,
        f"{free / 1e9:.1f} GB free",
        "make room before dropping more" if state == "problem" else "",
    )
    daemon = workspace.daemon()
    yield Finding("daemon", "ok", f"{daemon} is watching" if daemon else "none is watching")
    leftovers = [path.name for path in workspace.work.iterdir()] if workspace.work.is_dir() else []
    if leftovers:
        yield Finding(
            "work",
            "note",
            f"{len(leftovers)} unfinished claims",
            "the next `linernotes run` clears what nobody holds",
        )
    found = inbox.scan(workspace)
    if found.drops or found.ignored:
        yield Finding(
            "inbox", "note", f"{len(found.drops)} files to do, {len(found.ignored)} ignored", "linernotes run"
        )
    failed = inbox.failures(workspace)
    if failed:
        yield Finding("failed", "note", f"{len(failed)} files set aside", f"read the texts in {workspace.failed}")


def _tracks(tracks: list[library.Track], thorough: bool) -> Iterator[Finding]:
    sound = 0
    for track in tracks:
        trouble = _trouble(track, thorough)
        if trouble:
            yield Finding(track.id, "problem", *trouble)
        else:
            sound += 1
    yield Finding(
        "library",
        "ok",
        f"{sound} of {len(tracks)} tracks sound" + (", every byte checked" if thorough else ""),
    )


def _trouble(track: library.Track, thorough: bool) -> tuple[str, str] | None:
    """What is wrong with a track's folder and what to do."""
    try:
        found = record.read(track.folder, result_types())
        library.read_person(track)
    except RecordError as error:
        again = f"move the sound file in {track.folder} to the inbox and delete the folder; it is analysed again"
        return str(error), again
    source = track.source
    if source is None:
        return "its sound file is gone", f"put it back into {track.folder}, or delete the folder"
    if thorough and hash_file(source) != found.sha256:
        return (
            f"{source.name} is not the file that was stored",
            "restore it from a backup; its numbers are of other bytes",
        )
    return None


def _catalogue(workspace: Workspace, tracks: list[library.Track]) -> Iterator[Finding]:
    if not workspace.catalogue.is_file():
        yield Finding("catalogue", "note" if not tracks else "problem", "there is none yet", "linernotes rebuild")
        return
    try:
        with duckdb.connect(str(workspace.catalogue), read_only=True) as connection:
            rows = {row[0] for row in connection.execute("SELECT track FROM library").fetchall()}
    except duckdb.Error as error:
        yield Finding("catalogue", "problem", f"it cannot be read: {error}", "linernotes rebuild")
        return
    missing = {track.id for track in tracks} ^ rows
    if missing:
        yield Finding("catalogue", "problem", f"{len(missing)} tracks differ from the folders", "linernotes rebuild")
    else:
        yield Finding("catalogue", "ok", f"{len(rows)} tracks")
    unpublished = [track for track in tracks if not (workspace.site / "tracks" / f"{track.id}.html").is_file()]
    if unpublished:
        yield Finding("site", "problem", f"{len(unpublished)} tracks have no page", "linernotes rebuild")
    else:
        yield Finding("site", "ok", str(workspace.site / "index.html"))


def _freshness(workspace: Workspace, settings: Settings) -> Iterator[Finding]:
    stale, _ = stale_tracks(workspace, settings)
    if stale:
        yield Finding(
            "analyses", "note", f"{len(stale)} tracks were analysed by an older version", "linernotes refresh"
        )
