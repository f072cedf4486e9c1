"""What the library has beside its tracks, made of them: a folder `<slug>-<hash8>.<kind>/` under the day it was made.

Such a folder appears whole, by one rename, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from processor import library
from processor.files import remove_tree, slug
from processor.workspace import Workspace

_DAYS = "[0-9][0-9][0-9][0-9]/[01][0-9]/[0-3][0-9]"


def folders(workspace: Workspace, kind: str) -> list[Path]:
    """The folders of a kind, readable or not."""
    name = re.compile(rf"[a-z0-9-]{{1,60}}-[0-9a-f]{{8,64}}\.{kind}")
    found = workspace.library.glob(f"{_DAYS}/*.{kind}")
    return [folder for folder in found if name.fullmatch(folder.name) and folder.is_dir()]


def free_name(workspace: Workspace, kind: str, name: str, sha256: str) -> str:
    """What a new folder is called: `<slug>-<first digits of the hash>.<kind>`, as no other day has it."""
    taken = {folder.name for folder in folders(workspace, kind)}
    names = (f"{slug(name)}-{sha256[:digits]}.{kind}" for digits in range(8, 65))
    return next(one for one in names if one not in taken)


def place(workspace: Workspace, staged: Path, kind: str, name: str, sha256: str) -> Path:
    """Move a finished folder to its place by one rename, durably; the caller holds the write lock."""
    return library.move_in(workspace, staged, free_name(workspace, kind, name, sha256))


@contextmanager
def staging(workspace: Workspace, token: str, kind: str) -> Iterator[Path | None]:
    """Yield an empty folder that no other process touches, removed at the end; None if another has it in hand."""
    lock = FileLock(workspace.work / f"{token}.lock", timeout=0)
    try:
        workspace.work.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        yield None
        return
    staged = workspace.work / token / kind
    try:
        remove_tree(staged.parent)
        staged.mkdir(parents=True)
        yield staged
    finally:
        remove_tree(staged.parent)
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()
