"""Files, handled so that a crash at any instruction leaves the old state or the new one, never half of each."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

COPY_CHUNK_BYTES = 1 << 20
SLUG_LENGTH = 60
_TEMPORARY_NAME = re.compile(r"\..*\.(\d+)\.tmp", re.DOTALL)
# Unicode categories that could forge a line, hide text or reverse its reading order on a page or a terminal.
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def templates_folder() -> Path:
    """Folder of the page templates: inside the package when installed, beside it in a checkout."""
    inside = Path(__file__).parent / "templates"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "templates"


def printable(text: str) -> str:
    """The same text, safe to show: undecodable bytes and control characters become U+FFFD."""
    return "".join("\ufffd" if unicodedata.category(c) in _UNPRINTABLE else c for c in text)


def slug(name: str) -> str:
    """A folder name `[a-z0-9-]{1,60}` that reminds of `name`; "untitled" where nothing of it can be spelt so."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").lower()
    words = re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")
    return words[:SLUG_LENGTH].strip("-") or "untitled"


def safe_suffix(name: str) -> str:
    """The suffix of `name` if it is plain (`.wav`), else an empty string."""
    suffix = Path(name).suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ""


def fsync_folder(folder: Path) -> None:
    """Make renames inside `folder` durable. Systems that cannot open folders (Windows) have no need of it."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well, it takes the place of `path`.

    Not `durable` is for what can be made again: a power cut may cost it, a crash of ours cannot.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:100]}.{os.getpid()}.tmp")
    try:
        yield temporary
        if durable:
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
        temporary.replace(path)
        if durable:
            fsync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_leftovers(folder: Path) -> None:
    """Remove what `replacing` left in `folder` when its process was killed.

    A number that is our own again belonged to somebody before us: nothing of ours is open while this runs.
    """
    with suppress(OSError):
        for path in folder.iterdir():
            found = _TEMPORARY_NAME.fullmatch(path.name)
            if found and (int(found[1]) == os.getpid() or not _is_running(int(found[1]))):
                path.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    if os.name != "posix":
        return True  # elsewhere asking is not to be had without risk
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it is another user's
    return True


def write_atomically(path: Path, content: bytes | str, *, durable: bool = True) -> None:
    """Write a whole file or nothing; see `replacing` for `durable`."""
    with replacing(path, durable=durable) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def append_line(path: Path, line: str) -> None:
    """Append one line durably. A line torn by a crash is completed, so that the next one stands alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        if file.tell() > 0:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def copy_hashed(reader: BinaryIO, target: Path) -> str:
    """Copy an open file's bytes durably and return their SHA-256; an unfinished copy is removed."""
    digest = hashlib.sha256()
    try:
        with target.open("wb") as writer:
            while chunk := reader.read(COPY_CHUNK_BYTES):
                digest.update(chunk)
                writer.write(chunk)
            writer.flush()
            os.fsync(writer.fileno())
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return digest.hexdigest()


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_tree(folder: Path) -> None:
    """Remove a folder of ours; one that is gone already is fine."""
    shutil.rmtree(folder, ignore_errors=True)
