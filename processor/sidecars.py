"""Sound that is kept beside a record: stems, as FLAC of 24 bits, below the folder of the track that they belong to."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import soundfile

from processor.decoders import Samples
from processor.errors import SidecarMissing, WorkspaceError
from processor.files import fsync_folder, hash_file, replacing

SUBTYPE = "PCM_24"
_REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_SYSTEM_ERROR = 2  # of libsndfile
# What whoever misses a sound says of it, and what the deep pass knows it by.
MADE_AGAIN = "A deep pass makes it again."
BLOCK_FRAMES = 1 << 18
FULL_BYTES = 1 << 20  # a disk with less room is full


@dataclass(frozen=True)
class Sidecar:
    """A sound file that was written.

    Attributes:
        name: path below the track's folder, with forward slashes: `stems/vocals.flac`.
        sha256: hash of its bytes.
        frames: samples in each channel.
        clipped: samples that were beyond full scale, which FLAC cannot hold; they stand at full scale.
    """

    name: str
    sha256: str
    frames: int
    clipped: int


@dataclass(frozen=True)
class Sidecars:
    """The folder of one track as analysers may use it: they write and read sound by name.

    Attributes:
        folder: where they write, and look first: a place apart, so that nothing changes beside a record before all is
            done, and nothing comes back to a track that is gone; or the track's own folder, to read what is there.
        kept: the track's folder, where it is another; what is not in `folder` is looked for there.
    """

    folder: Path
    kept: Path | None = None

    def write(self, name: str, sample_rate: int, blocks: Iterable[Samples]) -> Sidecar:
        """Write a sound file of float32 blocks `(channels, n)`: whole or not at all.

        Raises:
            WorkspaceError: it cannot be written.
            ValueError: there is no sample in it, or the name is no plain one.
        """
        iterator = iter(blocks)
        first = next(iterator, None)
        if first is None:
            raise ValueError("a sound file needs at least one sample")
        if not is_plain(name):
            raise ValueError(f"{name!r} is no name of a file beside a record")
        path = self.folder / name
        try:
            with replacing(path) as temporary, full_disk_told(path.parent):
                frames, clipped = _write(temporary, sample_rate, first.shape[0], _chain(first, iterator))
                check_whole(temporary, frames)
                digest = hash_file(temporary)
        except (OSError, soundfile.LibsndfileError) as error:
            if (reason := refused(error)) is None:
                raise
            raise WorkspaceError(reason) from error
        return Sidecar(name, digest, frames, clipped)

    def has(self, name: str) -> bool:
        """Whether the file is there."""
        return is_plain(name) and self._place(name).is_file()

    def opens(self, name: str) -> bool:
        """Whether the file is there and begins as a sound file does; its end is not looked at."""
        if not self.has(name):
            return False
        try:
            return bool(soundfile.info(self._place(name)).frames)
        except soundfile.LibsndfileError:
            return False

    def settle(self, names: Iterable[str]) -> None:
        """Move these files to the track, each taking the place of what was there; what was not written stays.

        Raises:
            OSError: one cannot be moved.
        """
        for name in sorted(set(names)):
            if self.kept is not None and is_plain(name) and (self.folder / name).is_file():
                target = self.kept / name
                target.parent.mkdir(exist_ok=True)
                (self.folder / name).replace(target)
                fsync_folder(target.parent)

    def _place(self, name: str) -> Path:
        written = self.folder / name
        return written if self.kept is None or written.is_file() else self.kept / name

    def blocks(self, name: str, frames: int = BLOCK_FRAMES) -> Iterator[Samples]:
        """Yield a sound file in order: float32 `(channels, n)`, all but the last of `frames` samples.

        Raises:
            SidecarMissing: it is gone or damaged.
        """
        if not is_plain(name):
            raise SidecarMissing(f"{name!r} is no name of a file beside a record.")
        try:
            with soundfile.SoundFile(self._place(name)) as file:
                left = file.frames
                while (block := file.read(frames, dtype="float32", always_2d=True)).size:
                    left -= len(block)
                    yield np.ascontiguousarray(block.T)
        except (OSError, soundfile.LibsndfileError) as error:
            reason = str(error).rstrip(".")
            raise SidecarMissing(f"{name} cannot be read any more: {reason}. {MADE_AGAIN}") from error
        if left:
            raise SidecarMissing(f"{name} is cut off. {MADE_AGAIN}")

    def read(self, name: str) -> Samples:
        """All of a sound file: float32 `(channels, frames)`; the errors of `blocks`."""
        return np.concatenate(list(self.blocks(name)), axis=1)


@contextmanager
def full_disk_told(folder: Path) -> Iterator[None]:
    """Turn whatever libsndfile says of a disk that is full into the error that it is; it has a word for each moment.

    Raises:
        OSError: there is no room in `folder` any more.
    """
    try:
        yield
    except soundfile.LibsndfileError as error:
        if shutil.disk_usage(folder).free < FULL_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise


def check_whole(path: Path, frames: int) -> None:
    """Read the end of a sound file that was just written.

    libsndfile writes the last block of FLAC when it closes the file, and says nothing if the disk takes no more of it.

    Raises:
        OSError: the end is not there.
    """
    try:
        with soundfile.SoundFile(path) as file:
            file.seek(max(0, frames - 1))
            is_whole = file.frames == frames and len(file.read(1)) == min(1, frames)
    except soundfile.LibsndfileError:
        is_whole = False
    if not is_whole:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def refused(error: Exception) -> str | None:
    """What to tell a person where a disk took no more of what was written; None for any other error.

    What libsndfile says of a full disk is "System error", without the name of a file, which it has when it reads.
    """
    if isinstance(error, OSError) and error.errno in _REFUSALS:
        reason = error.strerror
    elif isinstance(error, soundfile.LibsndfileError) and error.code == _SYSTEM_ERROR and not error.prefix:
        reason = "the disk takes no more"
    else:
        return None
    return f"Sound beside a record cannot be written: {reason}. Nothing is lost. Make room, then run again."


def is_plain(name: str) -> bool:
    """Whether a name, which may come from a record that somebody edited, leads to nowhere but below its folder."""
    path = PurePosixPath(name)
    leads_out = path.is_absolute() or bool(PureWindowsPath(name).drive) or ".." in path.parts
    return bool(path.parts) and not leads_out and "\\" not in name and "\0" not in name


def is_sound(name: str) -> bool:
    """Whether a plain name is one of a sound beside a record: in a folder of its own, and FLAC."""
    return is_plain(name) and len(PurePosixPath(name).parts) > 1 and name.endswith(".flac")


def _write(path: Path, sample_rate: int, channels: int, blocks: Iterable[Samples]) -> tuple[int, int]:
    """Write blocks; how many samples a channel there are, and how many of all were beyond full scale."""
    frames = clipped = 0
    with soundfile.SoundFile(path, "w", sample_rate, channels, subtype=SUBTYPE, format="FLAC") as file:
        for block in blocks:
            clipped += int(np.count_nonzero(np.abs(block) > 1.0))
            frames += block.shape[1]
            file.write(np.ascontiguousarray(block.T, np.float32))
    if not frames:  # which no reader takes for FLAC
        raise ValueError("a sound file needs at least one sample")
    return frames, clipped


def _chain(first: Samples, rest: Iterator[Samples]) -> Iterator[Samples]:
    yield first
    yield from rest
