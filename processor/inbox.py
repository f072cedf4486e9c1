"""The inbox: what was dropped, whether it is complete, and how it is claimed, kept out or set aside.

Nothing here trusts a watcher: a scan of the folder is the truth. A drop leaves the inbox only when its bytes are in
the library or in `failed/`; until then every step can be done again.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from processor.config import Inbox
from processor.containers import sniff
from processor.decoders import looks_unfinished
from processor.errors import NotAudio
from processor.files import copy_hashed, fsync_folder, printable, remove_tree, write_atomically
from processor.library import Arrival, source_name
from processor.workspace import Workspace

UNFINISHED_SUFFIXES = (".part", ".partial", ".crdownload", ".download", ".tmp", ".!qb", ".opdownload")
# What file managers leave behind; a person never means these.
LITTER = {"thumbs.db", "desktop.ini", "icon\r"}
ERROR_SUFFIX = ".error.txt"
FOLDER_GRACE_S = 60.0


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
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        if below:
            found.ignored.append(Ignored(below.rstrip("/"), f"the folder cannot be read: {error.strerror}"))
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


def drops_from(paths: Iterable[Path]) -> Scan:
    """Files from anywhere, to be processed as copies and left where they are; of a folder, all sound files in it."""
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
            sounds = [drop for drop in inner.drops if _is_sound(drop.path)]
            found.drops += [replace(drop, is_ours=False) for drop in sounds]
            found.ignored += [Ignored(drop.name, "not a sound file") for drop in inner.drops if drop not in sounds]
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
        OSError: it cannot be read, or there is no room for a copy; nothing is left behind.
    """
    token = hashlib.sha256(os.fsencode(drop.path.absolute())).hexdigest()[:16]
    workspace.work.mkdir(parents=True, exist_ok=True)
    lock = FileLock(workspace.work / f"{token}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        yield None
        return
    home = workspace.work / token
    try:
        remove_tree(home)
        folder = home / "track"
        folder.mkdir(parents=True)
        source = folder / source_name(drop.name)
        try:
            sha256 = copy_hashed(drop.path, source)
        except FileNotFoundError:
            yield None
            return
        yield Claim(drop, folder, source, sha256)
    finally:
        remove_tree(home)
        # Removed while it is still held, so that nobody can be waiting on a file without a name.
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def sweep(workspace: Workspace) -> None:
    """Remove what crashed processes left in `.work`; their drops are still in the inbox."""
    for home in workspace.work.iterdir() if workspace.work.is_dir() else ():
        token = home.name.removesuffix(".lock")
        lock = FileLock(workspace.work / f"{token}.lock", timeout=0)
        try:
            with lock:
                remove_tree(workspace.work / token)
                Path(lock.lock_file).unlink(missing_ok=True)
        except Timeout:
            continue


def leave(drop: Drop) -> str | None:
    """Take a drop that is stored out of the inbox; say why, if that cannot be done.

    A file that changed since it was claimed stays: it will be processed as what it has become.
    """
    if not drop.is_ours:
        return None
    try:
        status = drop.path.lstat()
        if (status.st_size, status.st_mtime_ns, status.st_ctime_ns) != drop.signature:
            return "it changed while it was processed, and stays in the inbox as something new"
        drop.path.unlink()
        fsync_folder(drop.path.parent)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"it is stored, but cannot be taken out of the inbox: {error.strerror}"
    return None


def set_aside(workspace: Workspace, drop: Drop, reason: str, copy: Path | None = None) -> str:
    """Move a drop that cannot be processed to `failed/`, beside a text that says why; return its name there.

    The text is written first: a crash in between leaves the drop in the inbox, and the next try finds the same name.

    Args:
        workspace: where.
        drop: the drop; one from elsewhere stays where it is, and `copy` is set aside in its place.
        reason: for a person, with the way out.
        copy: the private copy, if one was made.
    """
    workspace.failed.mkdir(parents=True, exist_ok=True)
    target = _free_name(workspace.failed, drop.path.name)
    origin = drop.path if drop.is_ours else copy
    text = (
        f"{printable(drop.name)} could not be processed.\n\n{reason}\n\n"
        f"To try again, move the file back into {workspace.inbox}.\nTo give it up, delete it together with this text.\n"
    )
    write_atomically(target.with_name(target.name + ERROR_SUFFIX), text)
    if origin is not None:
        origin.rename(target)
        fsync_folder(workspace.failed)
        fsync_folder(drop.path.parent)
    return printable(target.name)


def _free_name(folder: Path, name: str) -> Path:
    """A name that is not taken in `folder`, short enough for its text; a text without its file does not count."""
    stem, suffix = Path(name).stem, Path(name).suffix
    while len(os.fsencode(stem + suffix)) > 200:
        stem, suffix = stem[:-1] if stem else "", suffix if stem else suffix[:-1]
    number = 1
    while (target := folder / (f"{stem}{suffix}" if number == 1 else f"{stem} ({number}){suffix}")).exists():
        number += 1
    return target


@dataclass(frozen=True)
class SetAside:
    """A file in `failed/` and why it is there."""

    name: str
    reason: str


def failures(workspace: Workspace) -> list[SetAside]:
    """What lies in `failed/`; texts whose file a person took back are removed."""
    found = []
    for text in sorted(workspace.failed.glob(f"*{ERROR_SUFFIX}")) if workspace.failed.is_dir() else ():
        file = text.with_name(text.name.removesuffix(ERROR_SUFFIX))
        if not file.exists():
            text.unlink(missing_ok=True)
            continue
        paragraphs = text.read_text(encoding="utf-8", errors="replace").split("\n\n")
        found.append(
            SetAside(
                printable(file.name),
                printable(paragraphs[1]) if len(paragraphs) > 1 else "no reason was kept",
            )
        )
    return found


def remove_empty_folders(workspace: Workspace, *, older_than_s: float) -> None:
    """Remove sub-folders of the inbox that are empty and were not touched for a while, deepest first."""
    for folder, _, _ in os.walk(workspace.inbox, topdown=False):
        path = Path(folder)
        if path in (workspace.inbox, workspace.failed):
            continue
        try:
            if time.time() - path.stat().st_mtime >= older_than_s:
                path.rmdir()
        except OSError:
            continue  # not empty, or gone
