"""The folder `site/media/`: previews that every browser plays, and pictures made of the records' arrays.

A preview is named like its track, whose name holds the hash of its sound: one that is there is right, and stays.
Pictures are made anew when their record changed. Nothing here ever stops a page from being published: a file that
cannot be encoded has no preview, and is not tried again until it or the settings change.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor import engine, record
from processor.analysis import result_types
from processor.analysis.spectrogram import STRENGTH
from processor.config import Settings, load_settings
from processor.containers import MP3, sniff
from processor.engine import Job
from processor.errors import AudioError, RecordError, WorkspaceError
from processor.files import remove_leftovers, replacing, write_atomically
from processor.graph import Outcome
from processor.library import Track
from processor.site.player import Player as Player  # where a page's maker looks for it
from processor.site.player import player_context as player_context
from processor.site.png import palette, shades_of, write_png
from processor.site.previews import encode, is_playable
from processor.workspace import Workspace, cannot_write

FOLDER = "media"
# Below `library/.state/`: which record's pictures were drawn, and which sounds cannot be encoded.
PICTURES_NAME, REFUSED_NAME = "pictures.json", "refused.json"
PREVIEW_MIME = "audio/mpeg"
PREVIEW, SPECTROGRAM, CHROMA = ".mp3", "-spectrogram.png", "-chroma.png"
_OURS = re.compile(rf"([a-z0-9-]{{1,60}}-[0-9a-f]{{8,64}})({re.escape(PREVIEW)}|{SPECTROGRAM}|{CHROMA})")
# Raised when the same record gives other pictures, or the same file another preview or at last one.
PICTURES_VERSION, ENCODER_VERSION = 1, 1
# What lies this far under the loudest point is black: music has most of its third-octaves within 50 dB.
PICTURE_RANGE_DB = 60.0
PARALLEL_FROM = 200  # below, starting processes costs more than they save
LAYER_3 = "MPEG Layer III"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Media:
    """A sound that a page can play.

    Attributes:
        href: its address, seen from a track's page.
        mime: its type.
        is_source: whether it is the very file that was dropped, and not an encoded preview.
    """

    href: str
    mime: str
    is_source: bool = False


@dataclass(frozen=True)
class Pictures:
    """Addresses of a track's pictures, seen from its page; None where there is none."""

    spectrogram: str | None
    chroma: str | None


def media_of(site: Path, track: Track) -> Media | None:
    """The track's preview, if there is one."""
    path = site / FOLDER / f"{track.id}{PREVIEW}"
    if not path.is_file():
        return None
    source = track.source
    is_source = source is not None and source.stat().st_size == path.stat().st_size
    return Media(f"../{FOLDER}/{path.name}", PREVIEW_MIME, is_source)


def pictures_of(site: Path, track: Track) -> Pictures:
    """The track's pictures, as far as there are any."""
    names = [f"{track.id}{kind}" for kind in (SPECTROGRAM, CHROMA)]
    return Pictures(*(f"../{FOLDER}/{name}" if (site / FOLDER / name).is_file() else None for name in names))


def signatures(site: Path) -> dict[str, str]:
    """Track's id → what there is for it: part of its page's signature, since the page names it."""
    found: dict[str, list[str]] = {}
    for name in sorted(_names(site / FOLDER)):
        one = _OURS.fullmatch(name)
        if one:
            found.setdefault(one[1], []).append(one[2])
    return {track: " ".join(kinds) for track, kinds in found.items()}


def make_media(
    workspace: Workspace,
    tracks: Sequence[Track],
    progress: Progress | None = None,
    settings: Settings | None = None,
) -> int:
    """Make all that is missing or stale, remove what belongs to no track, and return how many files were made.

    Raises:
        WorkspaceError: the folder cannot be written.
    """
    return make_pictures(workspace, tracks) + make_previews(workspace, tracks, progress, settings)


def make_pictures(workspace: Workspace, tracks: Sequence[Track]) -> int:
    """Draw what is missing or older than its record, in some 10 ms a track; return how many files were written.

    Args:
        workspace: where.
        tracks: all tracks of the library: files of others are removed, pictures and previews.

    Raises:
        WorkspaceError: the folder cannot be written.
    """
    with _writing(workspace) as folder, _stamps(workspace.state / PICTURES_NAME, tracks) as drawn:
        remove_leftovers(folder)
        _remove(folder, {track.id for track in tracks})
        return _draw_stale(folder, tracks, drawn)


def make_previews(
    workspace: Workspace,
    tracks: Sequence[Track],
    progress: Progress | None = None,
    settings: Settings | None = None,
    most: int | None = None,
) -> int:
    """Make missing previews, those of the newest tracks first; return how many files were made, or removed.

    Encoding takes seconds a track, in worker processes. Nobody has to hold the workspace's lock meanwhile, nor should:
    every file appears whole or not at all.

    Args:
        workspace: where.
        tracks: those that should have one.
        progress: told of previews encoded and to encode.
        settings: those of the workspace, if left out; `site.previews = false` removes all previews.
        most: how many to encode at most; the rest is left for the next time.

    Raises:
        WorkspaceError: the folder cannot be written.
    """
    settings = settings or load_settings(workspace.home)
    with _writing(workspace) as folder, _stamps(workspace.state / REFUSED_NAME) as refused:
        if not settings.site.previews:
            return _remove(folder, set(), (PREVIEW,))
        jobs, linked = _find_missing(folder, tracks[::-1], refused, settings)
        return linked + _encode_all(jobs[:most], refused, settings, progress)


@contextmanager
def _writing(workspace: Workspace) -> Iterator[Path]:
    """Yield the folder, and say what it means if it cannot be written."""
    folder = workspace.site / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except OSError as error:
        raise cannot_write(folder, error) from error


def forget(workspace: Workspace) -> None:
    """Make the next call make all pictures again, and try again what could not be encoded."""
    for name in (PICTURES_NAME, REFUSED_NAME):
        (workspace.state / name).unlink(missing_ok=True)


@contextmanager
def _stamps(path: Path, tracks: Sequence[Track] | None = None) -> Iterator[dict[str, str]]:
    """Yield what was done, as track's id → stamp of what it was done from, and keep it, whatever happens meanwhile.

    Args:
        path: where it is kept; it only saves work, so what cannot be read or written does no harm.
        tracks: what is about others is forgotten; None forgets nothing.
    """
    try:
        stamps = {str(track): str(stamp) for track, stamp in json.loads(path.read_bytes()).items()}
    except (OSError, ValueError, AttributeError):
        stamps = {}
    before = dict(stamps)
    try:
        yield stamps
    finally:
        ids = set(stamps) if tracks is None else {track.id for track in tracks}
        kept = {track: stamp for track, stamp in stamps.items() if track in ids}
        if kept != before:
            with suppress(OSError):
                write_atomically(path, json.dumps(kept), durable=False)


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except OSError:
        return []


def _remove(folder: Path, kept: set[str], kinds: Sequence[str] = (PREVIEW, SPECTROGRAM, CHROMA)) -> int:
    """Remove files of ours, of these kinds, whose track is not among `kept`; return how many. Others' files stay."""
    removed = 0
    for name in _names(folder):
        found = _OURS.fullmatch(name)
        if found and found[1] not in kept and found[2] in kinds:
            (folder / name).unlink(missing_ok=True)
            removed += 1
    return removed


# Pictures


def _draw_stale(folder: Path, tracks: Sequence[Track], drawn: dict[str, str]) -> int:
    """Draw what is missing or was drawn from another record; `drawn` holds a stamp and what came of it."""
    there = set(_names(folder))
    stale: dict[Track, str] = {}
    for track in tracks:
        stamp = _stamp(track.folder / record.RECORD_NAME, PICTURES_VERSION)
        was, _, kinds = drawn.get(track.id, "").partition(" → ")
        if was != stamp or any(f"{track.id}{kind}" not in there for kind in kinds.split()):
            stale[track] = stamp
    folders = [folder] * len(stale)
    if len(stale) < PARALLEL_FROM:
        found = list(map(_draw, folders, stale))
    else:
        with ProcessPoolExecutor(
            mp_context=get_context("spawn"), initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
        ) as pool:
            found = list(pool.map(_draw, folders, stale, chunksize=50))
    for (track, stamp), made in zip(stale.items(), found, strict=True):
        drawn[track.id] = f"{stamp} → {' '.join(made)}"
    return sum(len(kinds) for kinds in found)


def _draw(folder: Path, track: Track) -> tuple[str, ...]:
    """Write one track's pictures and remove those that it should not have; return the kinds that were written."""
    try:
        found = record.read(track.folder, result_types())
        drawn = pictures(found.results.get("spectrogram"))
    except RecordError:
        drawn = {}
    for kind in (SPECTROGRAM, CHROMA):
        path = folder / f"{track.id}{kind}"
        if kind in drawn:
            write_atomically(path, drawn[kind], durable=False)
        else:
            path.unlink(missing_ok=True)
    return tuple(drawn)


def pictures(spectrogram: Any) -> Mapping[str, bytes]:
    """The PNG pictures of a `Spectrogram`: ending of the name → content; none for what is no picture."""
    drawn = {}
    for kind, name, low, high in (
        (SPECTROGRAM, "levels_db", -PICTURE_RANGE_DB, 0.0),
        (CHROMA, "pitch_classes", 0.0, STRENGTH),
    ):
        values: NDArray[np.float64] = getattr(spectrogram, name, np.zeros(0))
        if values.ndim == 2 and min(values.shape) > 1:
            drawn[kind] = write_png(shades_of(values.T[::-1], low, high), palette())  # low notes below, as on a staff
    return drawn


# Previews


@dataclass(frozen=True)
class Encoding(Job):
    """One preview to be made: of which track, where, and the stamp of a refusal, should it come to that."""

    track: str = ""
    stamp: str = ""
    target: Path = Path()


def make_preview(job: Job) -> Outcome:
    """Encode one file, in a worker.

    Raises:
        AudioError: the file cannot be heard.
        WorkspaceError: the preview cannot be written.
    """
    assert isinstance(job, Encoding)  # noqa: S101 - for mypy: an engine hands on what it was given
    try:
        with replacing(job.target, durable=False) as temporary:
            encode(job.path, temporary, job.limits)
    except OSError as error:
        raise cannot_write(job.target.parent, error) from error
    return Outcome()


def _find_missing(
    folder: Path, tracks: Sequence[Track], refused: dict[str, str], settings: Settings
) -> tuple[list[Encoding], int]:
    """Link what is MP3 of constant rate; what there is to encode, and how many were linked."""
    there = set(_names(folder))
    jobs: list[Encoding] = []
    linked = 0
    for track in tracks:
        target = folder / f"{track.id}{PREVIEW}"
        stamp = _stamp(track.source or track.folder, (ENCODER_VERSION, settings.limits, settings.workers))
        if target.name in there or refused.get(track.id) == stamp:
            continue
        source = track.source
        try:
            is_mp3 = source is not None and sniff(source) is MP3 and _is_whole_layer_3(track)
            is_shown = is_mp3 and source is not None and is_playable(source)
        except (AudioError, OSError):  # not worth a worker
            source = None
        if source is None:
            refused[track.id] = stamp
        elif is_shown:
            show_as(source, target)
            linked += 1
        else:
            jobs.append(Encoding(source, "", settings.limits, track=track.id, stamp=stamp, target=target))
    return jobs, linked


def _encode_all(
    jobs: Sequence[Encoding], refused: dict[str, str], settings: Settings, progress: Progress | None
) -> int:
    """Encode in worker processes, each with a deadline and a memory limit; return how many succeeded."""
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
                if done.error is not None and isinstance(done.job, Encoding):
                    refused[done.job.track] = done.job.stamp
                if progress is not None:
                    progress(count, len(jobs))
    return made


def _is_whole_layer_3(track: Track) -> bool:
    """Whether what begins like MP3 is, and is undamaged: a browser may play other parts of a broken file than ours."""
    try:
        source = record.read(track.folder, result_types(), curves=False).results.get("source")
    except RecordError:
        return False
    return source is not None and source.codec == LAYER_3 and not source.partial


def show_as(source: Path, target: Path) -> None:
    """Show the same bytes under another name: a hard link where that can be, else a copy."""
    with replacing(target, durable=False) as temporary:
        temporary.unlink(missing_ok=True)
        with suppress(OSError):
            temporary.hardlink_to(source)
            return
        shutil.copyfile(source, temporary)


def _stamp(path: Path, version: object) -> str:
    """Changes when a file or the version does; a file that is not there has a stamp as well."""
    try:
        status = path.stat()
    except OSError:
        return f"- {version}"
    return f"{status.st_mtime_ns}:{status.st_size} {version}"
