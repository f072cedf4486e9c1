"""The note beside a model's files: which they are, with hash, size and time of each.

It tells what was fetched from what somebody changed since, without hashing a gigabyte whenever one asks.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from processor.files import hash_file, write_atomically

NAME = "liner-notes.json"
MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Noted:
    """A file as it was when it was fetched.

    Attributes:
        sha256: of its bytes.
        size_bytes: how many.
        mtime_ns: when it was written.
    """

    sha256: str
    size_bytes: int
    mtime_ns: int


Note = Mapping[str, Noted]


def write(folder: Path, model: str, source: str, hashes: Mapping[str, str]) -> None:
    """Note files of `folder`, durably: first they, then the note.

    Args:
        folder: where they are.
        model: its name.
        source: where they came from, for people.
        hashes: name → SHA-256.

    Raises:
        OSError: it cannot be written.
    """
    facts = {name: asdict(_noted(folder / name, digest)) for name, digest in sorted(hashes.items())}
    write_atomically(folder / NAME, json.dumps({"model": model, "source": source, "files": facts}, indent=2) + "\n")


def _noted(file: Path, digest: str) -> Noted:
    with file.open("rb+") as written:
        os.fsync(written.fileno())
    found = file.stat()
    return Noted(digest, found.st_size, found.st_mtime_ns)


def read(folder: Path) -> Note:
    """Name → what was noted of each file; empty where there is no note, or none that we wrote."""
    try:
        with (folder / NAME).open("rb") as file:
            files = json.loads(file.read(MOST_BYTES))["files"]
        if not all(Path(name).name == name for name in files):
            return {}  # a name that leads out of the folder
        return {
            name: Noted(str(facts["sha256"]), int(facts["size_bytes"]), int(facts["mtime_ns"]))
            for name, facts in files.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return {}


def digest(note: Note) -> str:
    """What tells these files from others: twelve hexadecimal digits."""
    lines = "".join(f"{note[name].sha256} {name}\n" for name in sorted(note))
    return hashlib.sha256(lines.encode()).hexdigest()[:12]


def is_same(file: Path, noted: Noted, *, thorough: bool = False) -> bool:
    """Whether a file is the one that was fetched.

    It is hashed only if its time is another, since it may have been copied; or if one asks for it (`thorough`).
    """
    try:
        found = file.stat()
        if found.st_size != noted.size_bytes:
            return False
        if thorough:
            return hash_file(file) == noted.sha256
        if found.st_mtime_ns == noted.mtime_ns:
            return True
        return _hashed(file, found.st_size, found.st_mtime_ns) == noted.sha256
    except OSError:
        return False


@functools.lru_cache(maxsize=256)
def _hashed(file: Path, size_bytes: int, mtime_ns: int) -> str:
    del size_bytes, mtime_ns  # they tell a file from the one that had its name before
    return hash_file(file)
