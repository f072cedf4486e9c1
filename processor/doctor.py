"""What is installed, whether the workspace is sound, and how to mend what is not."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

import duckdb

from processor import __version__, inbox, library, record, setaside
from processor.analysis import all_analysers, result_types
from processor.config import Settings, load_settings
from processor.errors import LinerNotesError, RecordError, RecordTooNew, WorkspaceError, WrongUsage
from processor.feedback.desk import open_desk
from processor.files import hash_file, printable, templates_folder
from processor.mashup import kept
from processor.models import report as models_report
from processor.pipeline import stale_tracks
from processor.sidecars import Sidecars
from processor.site.goes_with import page_name
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
    "pedalboard",
    "scipy",
    "soundfile",
    "soxr",
    "watchdog",
)
# What can be left out, and what then does not work.
OPTIONAL = {"groq": "no words by a language model"}
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


def examine(workspace: Workspace, *, thorough: bool = False) -> Iterator[Finding]:
    """Look at the installation and at the workspace.

    Args:
        workspace: it need not exist.
        thorough: also hash every source file, which reads the whole library.
    """
    yield from _installation()
    if not workspace.exists():
        yield Finding("workspace", "note", f"there is none in {workspace.home}", "linernotes init")
        yield from _models(Settings())
        return
    try:
        settings = load_settings(workspace.home)
    except WrongUsage as error:
        yield Finding("settings", "problem", str(error), "correct what it names")
        settings = Settings()
    tracks = library.tracks(workspace)
    looks = (
        partial(_settings, settings),
        partial(_desk, workspace, settings),
        partial(_models, settings),
        partial(_workspace, workspace),
        partial(_tracks, tracks, thorough),
        partial(_mashups, workspace, {track.id for track in tracks}),
        partial(_published, workspace, tracks),
        partial(_freshness, workspace, settings),
    )
    for look in looks:
        try:
            yield from look()
        except (OSError, WorkspaceError) as error:  # one thing that cannot be looked at hides no other
            yield Finding("workspace", "problem", str(error), f"give yourself the right to use {workspace.home}")


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
    for package, without in OPTIONAL.items():
        try:
            yield Finding(package, "ok", metadata.version(package))
        except metadata.PackageNotFoundError:
            yield Finding(package, "note", f"not installed: {without}", "pip install 'liner-notes[llm]'")
    if not (templates_folder() / "base.html").is_file():
        yield Finding("templates", "problem", f"not found in {templates_folder()}", "install Liner Notes again")
    yield Finding("analysers", "ok", ", ".join(all_analysers()))


def _settings(settings: Settings) -> Iterator[Finding]:
    unknown = sorted(set(settings.analysers.off) - set(all_analysers()))
    if unknown:
        known = ", ".join(all_analysers())
        yield Finding(
            "settings", "problem", f"analysers.off: {', '.join(unknown)} is no analyser", f"there are {known}"
        )


def _desk(workspace: Workspace, settings: Settings) -> Iterator[Finding]:
    """Whether there is something to measure mixes against."""
    try:
        desk = open_desk(workspace, settings)
    except WrongUsage as error:
        yield Finding("mix desk", "problem", str(error), "correct what it names; until then no page is written")
        return
    yield Finding("mix desk", "ok", f"{len(desk.profiles)} profiles, {len(desk.platforms)} platforms")


def _models(settings: Settings) -> Iterator[Finding]:
    """Which models are here, and what they lack."""
    try:
        for one in models_report.findings(settings.models):
            yield Finding(one.subject, one.state, one.text, one.remedy)
    except LinerNotesError as error:
        yield Finding("models", "problem", str(error), "correct [models] in linernotes.toml")


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
                f"`linernotes init` makes it if it is not there; else give yourself the right to write to {folder}",
            )
    free = library.free_bytes(workspace)
    if free < LOW_DISK_BYTES:
        yield Finding("disk", "problem", f"{free / 1e9:.1f} GB free", "make room before dropping more")
    else:
        yield Finding("disk", "ok", f"{free / 1e9:.1f} GB free")
    yield from _activity(workspace)


def _activity(workspace: Workspace) -> Iterator[Finding]:
    """Who is at work, and what waits for somebody."""
    daemon = workspace.daemon()
    yield Finding("daemon", "ok", f"{daemon.rstrip(',')} is watching" if daemon else "none is watching")
    leftovers = [path for path in workspace.work.iterdir() if path.is_dir()] if workspace.work.is_dir() else []
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
    failed = setaside.failures(workspace)
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
    except RecordTooNew as error:
        return str(error), "install a newer Liner Notes"
    except RecordError as error:
        again = (
            f"move the sound file in {track.folder} to the inbox and delete the folder (your own words are in its "
            f"{library.PERSON_NAME}: keep that, and put it into the new folder); then linernotes run"
        )
        return str(error), again
    try:
        library.read_person(track)
    except RecordError as error:
        return str(error), f"mend or delete {track.folder / library.PERSON_NAME}; then linernotes rebuild"
    source = track.source
    if source is None:
        return (
            "its sound file is gone",
            f"put it back into {track.folder}, or delete the folder; then linernotes rebuild",
        )
    stems = found.results.get("stems")
    sounds = () if stems is None else zip(stems.files, stems.file_sha256, strict=False)
    lost = [file for file, digest in sounds if not _is_sound(track, file, digest, thorough)]
    if lost:
        return f"{', '.join(lost)}: gone or damaged", "linernotes run --deep"
    if thorough and hash_file(source) != found.sha256:
        return (
            f"{source.name} is not the file that was stored",
            f"restore it from a backup: the numbers are those of the file with the SHA-256 {found.sha256}",
        )
    return None


def _is_sound(track: library.Track, file: str, sha256: str, thorough: bool) -> bool:
    """Whether a stem is there and begins as it should; with `thorough`, whether it is the one that was written."""
    if not Sidecars(track.folder).opens(file):
        return False
    return not thorough or hash_file(track.folder / file) == sha256


def _mashups(workspace: Workspace, tracks: set[str]) -> Iterator[Finding]:
    """What is wrong with mashups, and which could not be made."""
    folders = kept.folders(workspace)
    sound = 0
    for folder in sorted(folders):
        one = kept.read(folder)
        finding = _unreadable(folder) if one is None else _mashup_trouble(one, tracks)
        if finding is None:
            sound += 1
        else:
            yield finding
    if folders:
        yield Finding("mashups", "ok", f"{sound} of {len(folders)} mashups sound")
    for name, trouble in kept.troubles(workspace).items():
        yield Finding(printable(name), "note", printable(trouble.reason), "it is tried again when its files change")


def _unreadable(folder: Path) -> Finding:
    again = (
        f"keep its {kept.PLAN_NAME} if you have edited it, and delete {folder}; then linernotes run, which makes again "
        "what inbox/mashup/ asked for"
    )
    try:
        record.read(folder, kept.RESULT_TYPES)
    except RecordTooNew as error:
        return Finding(folder.name, "problem", printable(str(error)), "install a newer Liner Notes")
    except RecordError as error:
        return Finding(folder.name, "problem", printable(str(error)), again)
    return Finding(folder.name, "problem", f"its {record.RECORD_NAME} is that of no mashup", again)


def _mashup_trouble(one: kept.Stored, tracks: set[str]) -> Finding | None:
    """What is wrong with a mashup's folder and what to do."""
    subject, (vocals, instrumental) = one.folder.name, (one.made_from.vocals, one.made_from.instrumental)
    try:
        _ = one.plan
    except LinerNotesError as error:
        path = one.folder / kept.PLAN_NAME
        return Finding(subject, "problem", printable(str(error)), f"mend {path}, or put it back; then linernotes run")
    if one.mix is None:
        by_name = f"linernotes mashup {vocals} {instrumental} --plan {one.folder / kept.PLAN_NAME}"
        again = by_name if one.origin.folder is None else "linernotes run"
        return Finding(subject, "problem", f"its {kept.MIX_NAME} is gone", again)
    if one.is_edited:
        return Finding(subject, "note", "its plan was changed since it was rendered", "linernotes run")
    gone = [name for name in (vocals, instrumental) if name not in tracks]
    if gone:
        text = f"{' and '.join(gone)}: gone from the library, so it cannot be rendered again"
        return Finding(subject, "note", text, "put the song back, or leave it: the mashup plays without it")
    return None


def _published(workspace: Workspace, tracks: list[library.Track]) -> Iterator[Finding]:
    """Whether the catalogue and the pages show what the folders hold."""
    if not workspace.catalogue.is_file():
        yield Finding("catalogue", "note" if not tracks else "problem", "there is none yet", "linernotes rebuild")
    else:
        yield _catalogue(workspace, tracks)
    pages = [workspace.site / "tracks" / f"{track.id}.html" for track in tracks]
    pages += [workspace.site / page_name(one) for one in kept.stored(workspace)]
    missing = [page for page in (workspace.site / "index.html", *pages) if not page.is_file()]
    if missing and tracks:
        yield Finding("site", "problem", f"{len(missing)} pages are missing", "linernotes rebuild")
    else:
        yield Finding("site", "ok", str(workspace.site / "index.html"))


def _catalogue(workspace: Workspace, tracks: list[library.Track]) -> Finding:
    try:
        with duckdb.connect(str(workspace.catalogue), read_only=True) as connection:
            rows = {row[0] for row in connection.execute("SELECT track FROM library").fetchall()}
    except duckdb.Error as error:
        return Finding("catalogue", "problem", f"it cannot be read: {error}", "linernotes rebuild")
    # A record that cannot be read is told with its track, and has no row; rebuilding would not give it one.
    absent = [track for track in tracks if track.id not in rows and _is_readable(track)]
    gone = rows - {track.id for track in tracks}
    if absent or gone:
        text = f"{len(absent) + len(gone)} tracks differ from the folders"
        return Finding("catalogue", "problem", text, "linernotes rebuild")
    return Finding("catalogue", "ok", f"{len(rows)} tracks")


def _is_readable(track: library.Track) -> bool:
    try:
        record.read(track.folder, result_types(), curves=False)
        library.read_person(track)
    except RecordError:
        return False
    return True


def _freshness(workspace: Workspace, settings: Settings) -> Iterator[Finding]:
    stale, _ = stale_tracks(workspace, settings)
    if stale:
        count = "1 track was" if len(stale) == 1 else f"{len(stale)} tracks were"
        text = f"{count} analysed by an older version, with other settings, or not to the end"
        yield Finding("analyses", "problem", text, "linernotes refresh")
