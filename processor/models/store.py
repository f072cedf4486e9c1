"""Keep the weights of models: one folder each in the user's cache, with a note that says what is in it.

A model is here when its folder has its note, which is written last, and the files are those that the note names. So
whatever stops a download, half a model never counts as one.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from filelock import FileLock

from processor.config import Models as Settings
from processor.errors import ModelError
from processor.files import fsync_folder
from processor.models import notes
from processor.models.licences import demand
from processor.models.notes import Noted
from processor.models.places import install, models_folder, package_folder
from processor.models.sources import CAN_RESUME, Request, Unreachable, bring, readable
from processor.models.table import File, Model, Source

LOOK_EVERY_S = 0.2  # how often progress is told

Listener = Callable[[str, float], None]  # source, and the share of it that has come, 0 to 1


class NoRoom(ModelError):
    """The disk is full."""


@dataclass(frozen=True)
class Present:
    """A model that is here.

    Attributes:
        folder: where its files are.
        source: the source whose form it has.
        digest: what tells its weights from others.
    """

    folder: Path
    source: Source
    digest: str


@dataclass(frozen=True)
class Got:
    """What came of fetching a model.

    Attributes:
        folder: where it is.
        source: where it came from; empty: it was here already.
        passed_over: sources that were asked in vain, each with the reason.
    """

    folder: Path
    source: str
    passed_over: tuple[str, ...]


# Where, and what is here


def path(settings: Settings, model: Model) -> Path:
    """Where it is, or would be.

    Raises:
        ModelError: it is part of a Python package that is not installed.
    """
    for source in model.sources:
        if source.kind == "package":
            folder = package_folder(source.where)
            if folder is None:
                raise ModelError(f"{model.name} is part of {source.where}, which is not installed: {install(model)}")
            return folder
    return models_folder(settings) / model.name


def find(settings: Settings, model: Model) -> Path | None:
    """Folder of a model that is complete and whose Python packages are installed, else None; cheap to ask."""
    here = present(settings, model)
    return None if here is None or lacking(model, here.source) else here.folder


def lacking(model: Model, source: Source) -> tuple[str, ...]:
    """Python packages that are not installed, without which the model cannot be loaded in the form of this source."""
    return tuple(name for name in model.needs_of(source) if package_folder(name) is None)


def present(settings: Settings, model: Model) -> Present | None:
    """The model's files, if they are here, complete and unchanged."""
    folder = models_folder(settings) / model.name
    note = notes.read(folder)
    for source in model.sources:
        files = model.files_of(source)
        if source.kind == "package":
            inside = package_folder(source.where)
            if inside is not None and all((inside / file.name).is_file() for file in files):
                return Present(inside, source, _version(source.where))
        elif note and all(_fits(file, note.get(file.name)) for file in files):
            is_whole = all(notes.is_same(folder / name, noted) for name, noted in note.items())
            return Present(folder, source, notes.digest(note)) if is_whole else None
    return None


def identity(settings: Settings, model: Model) -> str:
    """What tells a model from others, and its weights from other weights: `htdemucs 3f2a…`, `swift_f0 0.3.0`.

    Raises:
        ModelError: it is not here.
    """
    here = present(settings, model)
    if here is None:
        raise ModelError(f"{model.name} is not here; get it: linernotes models get {model.name}")
    return f"{model.name} {here.digest}"


def damaged(settings: Settings, model: Model, *, thorough: bool = False) -> tuple[str, ...]:
    """Names of files that are gone or not what was fetched; empty as well where the model is not here.

    Args:
        settings: section `[models]`.
        model: which one.
        thorough: hash every file anew, not only those whose time or size has changed.
    """
    folder = models_folder(settings) / model.name
    note = notes.read(folder)
    return tuple(name for name, noted in note.items() if not notes.is_same(folder / name, noted, thorough=thorough))


def _fits(file: File, noted: Noted | None) -> bool:
    """Whether what was fetched is what the table wants today."""
    return noted is not None and file.sha256 in (None, noted.sha256)


def _version(package: str) -> str:
    try:
        return metadata.version(package.replace("_", "-"))
    except metadata.PackageNotFoundError:
        return "of an unknown version"


# Getting and removing


def get(settings: Settings, model: Model, *, own: Path | None = None, listener: Listener | None = None) -> Got:
    """Have a model here: as it is if it is, else from the first source that has it.

    Args:
        settings: section `[models]`.
        model: which one.
        own: a folder with a person's own copy of its files, instead of the sources.
        listener: told how far it is, from another thread.

    Raises:
        LicenceNotAccepted: its licence has to be accepted first.
        Unreachable: nobody answers.
        NoRoom: the disk is full.
        ModelError: no source has it as it should be.
    """
    folder = path(settings, model)
    if present(settings, model) is not None and own is None:
        return Got(folder, "", ())
    if any(source.kind == "package" for source in model.sources):
        raise ModelError(f"{model.name} is part of a Python package: {install(model)}")
    demand(settings, model)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        if present(settings, model) is not None and own is None:  # somebody else was fetching it
            return Got(folder, "", ())
        if shutil.disk_usage(folder.parent).free < 2 * model.size_bytes:
            raise _no_room(model, folder.parent)
        try:
            return _from_folder(model, own, folder) if own is not None else _from_sources(model, folder, listener)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise _no_room(model, folder.parent) from error
            raise


def _no_room(model: Model, folder: Path) -> NoRoom:
    free, needed = readable(shutil.disk_usage(folder).free), readable(2 * model.size_bytes)
    return NoRoom(
        f"There is no room for {model.name}: fetching it takes about {needed}, and {folder} has {free} left. "
        "Make room, or choose another folder: LINERNOTES_MODELS_FOLDER, or `folder` in [models]"
    )


def remove(settings: Settings, model: Model) -> bool:
    """Remove a model and what is left of attempts to fetch it; whether there was anything.

    Raises:
        ModelError: it is part of a Python package.
        OSError: it cannot be removed.
    """
    for source in model.sources:
        if source.kind == "package":
            raise ModelError(f"{model.name} is part of the Python package {source.where}; pip uninstall removes that")
    folder = models_folder(settings) / model.name
    if not folder.parent.is_dir():
        return False
    with _alone(folder):
        was_there = folder.exists()
        _set_aside(folder)  # at once, so that no half of it is ever seen
        for word in ("old", "part"):
            with suppress(FileNotFoundError):
                shutil.rmtree(_beside(folder, word))
    return was_there


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time fetches or removes a model; the others wait for it."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(f"Models cannot be kept in {folder.parent}: {error.strerror}. See [models] folder.") from error
    if not os.access(folder.parent, os.W_OK):
        raise ModelError(f"Models cannot be kept in {folder.parent}: it cannot be written. See [models] folder.")
    with FileLock(_beside(folder, "lock")):
        yield


def _set_aside(folder: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(_beside(folder, "old"))
    with suppress(FileNotFoundError):
        folder.replace(_beside(folder, "old"))


def _beside(folder: Path, word: str) -> Path:
    return folder.with_name(f".{folder.name}.{word}")


def _from_sources(model: Model, folder: Path, listener: Listener | None) -> Got:
    failures: list[tuple[Source, ModelError]] = []
    for source in model.sources:
        work = _beside(folder, "part") / source.kind
        try:
            with _put_together(folder) as target, _watched(work, source, model, listener):
                _fetch(Request(model, source, work, target), folder, source.kind)
        except ModelError as error:
            failures.append((source, error))
            if source.kind not in CAN_RESUME:
                shutil.rmtree(work, ignore_errors=True)
            continue
        shutil.rmtree(_beside(folder, "part"), ignore_errors=True)
        return Got(folder, source.title, tuple(f"{source.title}: {error}" for source, error in failures))
    raise _in_vain(model, failures)


def _in_vain(model: Model, failures: list[tuple[Source, ModelError]]) -> ModelError:
    kind = Unreachable if all(isinstance(error, Unreachable) for _, error in failures) else ModelError
    reasons = "".join(f"\n  {source.title}: {error}" for source, error in failures)
    forms = " or ".join(" + ".join(file.name for file in model.files_of(source)) for source in model.sources[:2])
    return kind(
        f"{model.name} could not be fetched.{reasons}\n"
        f"If you have its files ({forms}): linernotes models get {model.name} --from DIR"
    )


def _from_folder(model: Model, own: Path, folder: Path) -> Got:
    reasons = []
    for source in model.sources:
        try:
            with _put_together(folder) as target:
                _fetch(Request(model, source, own, target), folder, "folder")
        except ModelError as error:
            reasons.append(str(error))
            continue
        return Got(folder, str(own), ())
    raise ModelError(f"{own} does not hold {model.name}: {'; or '.join(dict.fromkeys(reasons))}")


@contextmanager
def _put_together(folder: Path) -> Iterator[Path]:
    """An empty folder beside the model's, in which it is put together; gone afterwards, unless it took its place."""
    target = _beside(folder, "part") / "whole"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    try:
        yield target
    finally:
        shutil.rmtree(target, ignore_errors=True)


def _fetch(request: Request, folder: Path, client: str) -> None:
    """Bring a model's files together, verify them, write their note, and put them in place at one stroke."""
    target = request.target
    hashes = bring(request, client)
    for file in request.files:
        if file.sha256 not in (None, hashes[file.name]):
            found, wanted = hashes[file.name][:12], str(file.sha256)[:12]
            raise ModelError(f"{file.name} is not the file that we know: its SHA-256 begins with {found}, not {wanted}")
    notes.write(target, request.model.name, request.source.title if client != "folder" else "a folder", hashes)
    _set_aside(folder)
    target.replace(folder)
    fsync_folder(folder.parent)
    shutil.rmtree(_beside(folder, "old"), ignore_errors=True)


@contextmanager
def _watched(work: Path, source: Source, model: Model, listener: Listener | None) -> Iterator[None]:
    """Tell how much has come by the size of what is there: no client of four tells it in a way that fits the others."""
    if listener is None:
        yield
        return
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_EVERY_S):
            listener(source.title, min(_size(work) / max(1, model.size_bytes), 0.99))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
        listener(source.title, 1.0)
    finally:
        over.set()
        watcher.join()


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += (Path(place) / name).stat().st_size
    return total
