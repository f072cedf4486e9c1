"""Drops that could not be processed: each in `inbox/failed/`, beside `<name>.error.txt` that says why."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from processor.files import copy_hashed, fsync_folder, printable, replacing, write_atomically
from processor.inbox import Drop
from processor.workspace import Workspace

ERROR_SUFFIX = ".error.txt"
MAX_NAME_BYTES = 200
# How every text of ours begins, behind the name of the file.
_TEXT_MARK = " could not be processed.\n\n"


def set_aside(workspace: Workspace, drop: Drop, reason: str, copy: Path | None = None) -> str | None:
    """Move a drop that cannot be processed to `failed/`, beside a text that says why; return its name there.

    The text is written first: a crash in between leaves the drop in the inbox, and the next try finds the same name.
    The caller holds the write lock, so that no two take one name.

    Args:
        workspace: where.
        drop: the drop; one from elsewhere stays where it is, and `copy` is set aside in its place.
        reason: for a person, one sentence with the way out.
        copy: the private copy, if one was made.
    """
    origin = drop.path if drop.is_ours else copy
    if origin is None:
        return None
    workspace.failed.mkdir(parents=True, exist_ok=True)
    target = _free_name(workspace.failed, drop.path.name)
    text = (
        f"{printable(drop.name)}{_TEXT_MARK}{reason}\n\n"
        f"To try again, move the file back into {printable(str(workspace.inbox))}.\n"
        "To give it up, delete it together with this text.\n"
    )
    write_atomically(_text_of(target), text)
    _move(origin, target)
    for folder in (workspace.failed, drop.path.parent):
        with suppress(OSError):
            fsync_folder(folder)
    return printable(target.name)


def _move(origin: Path, target: Path) -> None:
    try:
        origin.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # From another file system: whole and durable there before it leaves here.
        with origin.open("rb") as reader, replacing(target) as temporary:
            copy_hashed(reader, temporary)
        origin.unlink()


def _text_of(file: Path) -> Path:
    return file.with_name(file.name + ERROR_SUFFIX)


def _free_name(folder: Path, name: str) -> Path:
    """A name that is not taken in `folder`, short enough for its text; a text without its file does not count."""
    if name.endswith(ERROR_SUFFIX):
        name += ".dropped"  # or it would be taken for a text of ours
    stem, suffix = Path(name).stem, Path(name).suffix
    while len(os.fsencode(stem + suffix)) > MAX_NAME_BYTES:
        stem, suffix = stem[:-1] if stem else "", suffix if stem else suffix[:-1]
    number = 1
    while os.path.lexists(target := folder / (f"{stem}{suffix}" if number == 1 else f"{stem} ({number}){suffix}")):
        number += 1
    return target


@dataclass(frozen=True)
class SetAside:
    """A file in `failed/` and why it is there."""

    name: str
    reason: str


def failures(workspace: Workspace) -> list[SetAside]:
    """What lies in `failed/` beside a text of ours."""
    return [SetAside(printable(file.name), _reason(text)) for file, text in _texts(workspace) if os.path.lexists(file)]


def remove_orphan_texts(workspace: Workspace) -> None:
    """Remove texts whose file a person took back; the caller holds the write lock, so that none is about to come."""
    for file, text in _texts(workspace):
        if not os.path.lexists(file) and _TEXT_MARK in _read(text):
            text.unlink(missing_ok=True)


def _texts(workspace: Workspace) -> list[tuple[Path, Path]]:
    """Each file that is or was in `failed/`, and its text."""
    texts = sorted(workspace.failed.glob(f"*{ERROR_SUFFIX}"))
    return [(text.with_name(text.name.removesuffix(ERROR_SUFFIX)), text) for text in texts if _is_regular(text)]


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _read(text: Path) -> str:
    try:
        return text.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _reason(text: Path) -> str:
    paragraphs = _read(text).split("\n\n")
    return printable(paragraphs[1]) if len(paragraphs) > 1 else "no reason was kept"
