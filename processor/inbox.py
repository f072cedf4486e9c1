"""The inbox: what was dropped, whether it is complete, and how it is claimed and taken out.

Nothing here trusts a watcher: a scan of the folder is the truth. A drop leaves the inbox only when its bytes are in
the library or in `failed/`; until then every step can be done again.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from processor.config import Inbox
from processor.containers import sniff
from processor.decoders import looks_unfinished
from processor.errors import NotAudio
from processor.files import (
    copy_hashed,
    fsync_folder,
    printable,
    remove_leftovers,
    remove_tree,
)
from processor.library import Arrival, source_name
from processor.workspace import NO_ROOM, Workspace, cannot_write

UNFINISHED_SUFFIXES = (".part", ".partial", ".crdownload", ".download", ".tmp", ".!qb", ".opdownload")
# What file managers leave behind; a person never means these.
LITTER = {"thumbs.db", "desktop.ini", "icon\r"}
FOLDER_GRACE_S = 60.0
MAX_DEPTH = 64


@dataclass(frozen=True)
class Drop:
    """A regular file that a person wants processed.

    Attributes:
        path: where it is.
        name: what it is called on pages: the path below the inbox, or the file's name, printable, with "/" between.
        size: bytes.
        mtime_ns: time of last change of its content.
        ctime_ns: time of last change of its file-system entry; nobody can set it.
        is_ours: whether it lies in the inbox and leaves it when done; False for a copy of a file from elsewhere.
    """

    path: Path
    name: str
    size: int
    mtime_ns: int
    ctime_ns: int
    is_ours: bool = True

    @property
    def signature(self) -> tuple[int, int, int]:
        """Stands still when nobody writes."""
        return self.size, self.mtime_ns, self.ctime_ns

    @property
    def age_s(self) -> float:
        """For how long nobody has written to it; a time of change in the future says nothing."""
        return time.time() - min(self.mtime_ns, self.ctime_ns) / 1e9

    def is_unchanged(self) -> bool:
        """Whether what is there now is what was seen: the same regular file, and nobody wrote to it."""
        try:
            status = self.path.lstat() if self.is_ours else self.path.stat()
        except OSError:
            return False
        seen = status.st_size, status.st_mtime_ns, status.st_ctime_ns
        return stat.S_ISREG(status.st_mode) and seen == self.signature

    def arrival(self) -> Arrival:
        """The line that the library keeps of this drop."""
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        return Arrival(now, self.name, self.size, self.mtime_ns, self.ctime_ns)


@dataclass(frozen=True)
class Ignored:
    """Something in the inbox that is never opened and never moved."""

    name: str
    reason: str


@dataclass
class Scan:
    """What lies in the inbox now, or what a person named.

    Attributes:
        drops: regular files.
        ignored: what is never opened and never moved.
        missing: what was named but is not there, or is no file.
    """

    drops: list[Drop] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)
    missing: list[Ignored] = field(default_factory=list)


def scan(workspace: Workspace) -> Scan:
    """List the inbox without opening or following anything."""
    found = Scan()
    _scan_folder(workspace.inbox, "", workspace.failed, found)
    return found


def _scan_folder(folder: Path, below: str, skip: Path, found: Scan) -> None:
    if below.count("/") > MAX_DEPTH:
        found.ignored.append(Ignored(below.rstrip("/"), "folders are nested too deep"))
        return
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    except OSError as error:
        name = below.rstrip("/") or printable(folder.name)
        found.ignored.append(Ignored(name, f"the folder cannot be read: {error.strerror}"))
        return
    for entry in entries:
        path, name = Path(entry.path), below + printable(entry.name)
        if entry.name.startswith(".") or entry.name.lower() in LITTER or path == skip:
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue  # it vanished between the listing and now
        if stat.S_ISDIR(status.st_mode):
            _scan_folder(path, f"{name}/", skip, found)
        elif stat.S_ISREG(status.st_mode):
            found.drops.append(Drop(path, name, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
        else:
            found.ignored.append(Ignored(name, f"{_kind(status.st_mode)}: never opened, never moved"))


def _kind(mode: int) -> str:
    kinds = ((stat.S_ISLNK, "a link"), (stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"))
    return next((word for is_kind, word in kinds if is_kind(mode)), "a device")


def drops_from(paths: Iterable[Path], workspace: Workspace | None = None) -> Scan:
    """Files from anywhere, to be processed as copies and left where they are; of a folder, all sound files in it.

    A file in the inbox of `workspace` is what it would be without being named: a drop that leaves it when done.
    """
    found = _named(paths)
    if workspace is not None:
        found.drops = [_as_ours(drop, workspace) for drop in found.drops]
    return found


def _as_ours(drop: Drop, workspace: Workspace) -> Drop:
    real = drop.path.parent.resolve() / drop.path.name
    if not real.is_relative_to(workspace.inbox) or real.is_relative_to(workspace.failed) or real.is_symlink():
        return drop
    return replace(drop, path=real, name=printable(real.relative_to(workspace.inbox).as_posix()), is_ours=True)


def _named(paths: Iterable[Path]) -> Scan:
    found = Scan()
    for path in paths:
        try:
            status = path.stat()
        except OSError as error:
            found.missing.append(Ignored(printable(str(path)), error.strerror or "cannot be read"))
            continue
        if stat.S_ISDIR(status.st_mode):
            inner = Scan()
            _scan_folder(path, f"{printable(path.resolve().name)}/", path / "failed", inner)
            for drop in inner.drops:
                if _is_sound(drop.path):
                    found.drops.append(replace(drop, is_ours=False))
                else:
                    found.ignored.append(Ignored(drop.name, "not a sound file"))
            found.ignored += inner.ignored
        elif stat.S_ISREG(status.st_mode):
            found.drops.append(
                Drop(
                    path,
                    printable(path.name),
                    status.st_size,
                    status.st_mtime_ns,
                    status.st_ctime_ns,
                    is_ours=False,
                )
            )
        else:
            found.missing.append(Ignored(printable(str(path)), f"{_kind(status.st_mode)}: never opened"))
    return found


def _is_sound(path: Path) -> bool:
    try:
        sniff(path)
    except (NotAudio, OSError):
        return False
    return True


class Settling:
    """Decides which drops are complete: regular, not named as unfinished, and still for long enough.

    A file that looks unfinished (its header does not decode, or promises more bytes than there are) must stand
    still for `patience_s`; any other for `settle_s`. A modification time in the past counts as standing still.
    """

    def __init__(self, settings: Inbox) -> None:
        self._settings = settings
        self._seen: dict[Path, tuple[tuple[int, int, int], float]] = {}

    def split(self, drops: Iterable[Drop]) -> tuple[list[Drop], list[Drop]]:
        """The drops that are complete, and those to look at again."""
        ready: list[Drop] = []
        waiting: list[Drop] = []
        seen: dict[Path, tuple[tuple[int, int, int], float]] = {}
        for drop in drops:
            signature, since = self._seen.get(drop.path, (None, 0.0))
            if signature != drop.signature:
                since = time.monotonic()
            seen[drop.path] = (drop.signature, since)
            still_s = max(
                time.monotonic() - since,
                min(time.time() - drop.mtime_ns / 1e9, time.time() - drop.ctime_ns / 1e9),
            )
            (ready if self._is_complete(drop, still_s) else waiting).append(drop)
        self._seen = seen
        return ready, waiting

    def _is_complete(self, drop: Drop, still_s: float) -> bool:
        if is_named_unfinished(drop) or still_s < self._settings.settle_s:
            return False
        return still_s >= self._settings.patience_s or not unfinished(drop)


def is_named_unfinished(drop: Drop) -> bool:
    """Whether a browser or a copying program says by the name that it is not done yet."""
    return drop.path.name.lower().endswith(UNFINISHED_SUFFIXES)


def unfinished(drop: Drop) -> bool:
    """Whether a file looks as if more of it were to come."""
    try:
        return looks_unfinished(drop.path)
    except (NotAudio, OSError):
        return True


@dataclass(frozen=True)
class Claim:
    """A drop that is being processed: a private copy of its bytes in a folder of its own.

    Attributes:
        drop: the drop.
        folder: staging folder, which becomes the track's folder.
        source: the copy, inside `folder`.
        sha256: its hash.
    """

    drop: Drop
    folder: Path
    source: Path
    sha256: str


@contextmanager
def claim(workspace: Workspace, drop: Drop) -> Iterator[Claim | None]:
    """Take a private copy of a drop, hashed while it is copied, and hold it for as long as the block lasts.

    Whatever is analysed is then exactly what is stored, even if somebody goes on writing to the dropped file.
    Yields None if another process has the same drop in hand, or if it is gone.

    Raises:
        OSError: it cannot be read; nothing is left behind.
        WorkspaceError: there is no room for a copy, or no right to write one.
    """
    token = hashlib.sha256(os.fsencode(drop.path.absolute())).hexdigest()[:16]
    lock = FileLock(workspace.work / f"{token}.lock", timeout=0)
    try:
        workspace.work.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        yield None
        return
    except OSError as error:
        raise cannot_write(workspace.library, error) from error
    home = workspace.work / token
    try:
        remove_tree(home)
        yield _copy(workspace, drop, home / "track")
    finally:
        remove_tree(home)
        # Removed while it is still held, so that nobody can be waiting on a file without a name.
        with suppress(OSError):
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _copy(workspace: Workspace, drop: Drop, folder: Path) -> Claim | None:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise cannot_write(workspace.library, error) from error
    source = folder / source_name(drop.name)
    try:
        with _open(drop) as reader:
            sha256 = copy_hashed(reader, source)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in {*NO_ROOM, errno.EROFS}:
            raise cannot_write(workspace.library, error) from error
        raise
    return Claim(drop, folder, source, sha256)


def _open(drop: Drop) -> io.FileIO:
    """Open what was scanned: not a link that took its place since, and without waiting for a FIFO that did."""
    extra = getattr(os, "O_NONBLOCK", 0) | (getattr(os, "O_NOFOLLOW", 0) if drop.is_ours else 0)
    return io.FileIO(drop.path, opener=lambda path, flags: os.open(path, flags | extra))


def sweep(workspace: Workspace) -> None:
    """Remove what crashed processes left half done; their drops are still in the inbox."""
    for home in workspace.work.iterdir() if workspace.work.is_dir() else ():
        token = home.name.removesuffix(".lock")
        lock = FileLock(workspace.work / f"{token}.lock", timeout=0)
        try:
            with lock:
                remove_tree(workspace.work / token)
                Path(lock.lock_file).unlink(missing_ok=True)
        except Timeout:
            continue
        except OSError as error:
            raise cannot_write(workspace.library, error) from error
    with workspace.write_lock():  # so that nobody is in the middle of writing one
        pages = [Path(folder) for folder, _, _ in os.walk(workspace.site)]
        for folder in (workspace.home, workspace.failed, workspace.library, workspace.state, *pages):
            remove_leftovers(folder)


def leave(drop: Drop) -> str | None:
    """Take a drop that is stored out of the inbox; say why, if that cannot be done.

    A file that changed since it was claimed stays: it will be processed as what it has become.
    """
    if not drop.is_ours or not os.path.lexists(drop.path):
        return None
    if not drop.is_unchanged():
        return "it changed while it was processed, and stays in the inbox as something new"
    try:
        drop.path.unlink(missing_ok=True)
    except OSError as error:
        return f"it is stored, but cannot be taken out of the inbox: {error.strerror}"
    with suppress(OSError):  # should a power cut bring it back, it is recognised
        fsync_folder(drop.path.parent)
    return None


def remove_empty_folders(workspace: Workspace, *, older_than_s: float) -> None:
    """Remove sub-folders of the inbox that are empty and were not touched for a while, deepest first."""
    for folder, _, _ in os.walk(workspace.inbox, topdown=False):
        path = Path(folder)
        below = path.relative_to(workspace.inbox)
        if path in (workspace.inbox, workspace.failed) or any(part.startswith(".") for part in below.parts):
            continue
        try:
            if time.time() - path.stat().st_mtime >= older_than_s:
                path.rmdir()
        except OSError:
            continue  # not empty, or gone
