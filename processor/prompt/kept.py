"""Prompts that were shown, one small file each: `library/prompts/<id>.json`.

A song may come back months later, when the track that its prompt was made from has been analysed anew, renamed or taken
away. What was asked is known from here. The id is a hash of all that was asked, so a file never changes.

Beside them, `of-<hash>.txt` lists the ids that were made for one track, those shown last at the end: so the oldest can
be taken away without reading the others, of which a library may have a hundred thousand.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from processor.files import printable, write_atomically
from processor.prompt.asked import Asked, asked_from
from processor.prompt.composer import Prompt
from processor.workspace import Workspace

FOLDER = "prompts"
SCHEMA = 1
MAX_BYTES = 64 * 1024
ID = re.compile(r"ln-[0-9a-f]{8}")
_TEXTS = ("track", "target", "variant", "title", "style", "exclusions", "lyrics")


@dataclass(frozen=True)
class Kept:
    """A prompt that was shown.

    Attributes:
        id: its id.
        track: the track that it was made from; a file's name where it was none of the library's.
        target: for which generator.
        variant: which variant.
        title: as it was shown.
        style: likewise.
        exclusions: likewise.
        lyrics: likewise.
        asked: numbers of the source.
    """

    id: str
    track: str
    target: str
    variant: str
    title: str
    style: str
    exclusions: str
    lyrics: str
    asked: Asked


def folder_of(workspace: Workspace) -> Path:
    """Where prompts are kept."""
    return workspace.library / FOLDER


def keep(folder: Path, prompts: Iterable[Prompt], track: str) -> int:
    """Keep prompts that are shown; return how many were not there yet.

    Args:
        folder: from `folder_of`.
        prompts: what is shown.
        track: what they were made from.

    Raises:
        OSError: they cannot be written.
    """
    shown = list(prompts)
    new = {prompt.id: prompt for prompt in shown if not (folder / f"{prompt.id}.json").is_file()}
    listed = _listed(folder, track)
    # What another track was given first is on that track's list.
    last = dict.fromkeys(prompt.id for prompt in shown if prompt.id in new or prompt.id in listed)
    now = [*(name for name in listed if name not in last), *last]
    if new:
        folder.mkdir(parents=True, exist_ok=True)
    if now != listed:
        _list(folder, track, now)
    for prompt in new.values():
        texts = {name: getattr(prompt, name) for name in _TEXTS[2:]}
        tree = {"schema": SCHEMA, "id": prompt.id, "track": track, "target": prompt.target.name, **texts}
        content = json.dumps({**tree, "asked": prompt.asked.told()}, ensure_ascii=False, indent=1) + "\n"
        # While its track is there, it can be composed again.
        write_atomically(folder / f"{prompt.id}.json", content, durable=False)
    return len(new)


def prune(folder: Path, track: str, most: int) -> int:
    """Take away the prompts of a track that were shown longest ago; return how many.

    Args:
        folder: from `folder_of`.
        track: as it was given to `keep`.
        most: as many are left.

    Raises:
        OSError: the list of those that are left cannot be written.
    """
    listed = _listed(folder, track)
    if len(listed) <= most:
        return 0
    removed = 0
    for name in listed[: len(listed) - most]:
        with contextlib.suppress(OSError):  # what is gone is gone; what is no file of ours is left alone
            (folder / f"{name}.json").unlink()
            removed += 1
    _list(folder, track, listed[len(listed) - most :])
    return removed


def _list_path(folder: Path, track: str) -> Path:
    digest = hashlib.sha256(track.encode(errors="surrogatepass")).hexdigest()[:16]
    return folder / f"of-{digest}.txt"


def _listed(folder: Path, track: str) -> list[str]:
    """Ids that were made for a track, each once, those shown last at the end; lines that are no ids are passed over."""
    try:
        with _list_path(folder, track).open("rb") as file:
            lines = file.read(MAX_BYTES).decode("ascii", "replace").splitlines()
    except OSError:
        return []
    return list(dict.fromkeys(line for line in lines if ID.fullmatch(line)))


def _list(folder: Path, track: str, names: Sequence[str]) -> None:
    write_atomically(_list_path(folder, track), "".join(f"{name}\n" for name in names), durable=False)


def read_kept(folder: Path, name: str) -> Kept | None:
    """The prompt of an id; None if none of that id was kept, or its file is broken."""
    if not ID.fullmatch(name):
        return None
    path = folder / f"{name}.json"
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        tree = json.loads(path.read_bytes())
        if tree["schema"] != SCHEMA or tree["id"] != name:
            return None
        texts = {field: tree[field] for field in _TEXTS}
        asked = asked_from(tree["asked"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    if any(not isinstance(text, str) for text in texts.values()):
        return None
    shown = {field: "\n".join(printable(line) for line in text.split("\n")) for field, text in texts.items()}
    return Kept(id=name, asked=asked, **shown)
