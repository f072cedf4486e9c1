"""Prompts that were shown, one small file each: `library/prompts/<id>.json`.

A song may come back months later, when the track that its prompt was made from has been analysed anew, renamed or taken
away. What was asked is known from here. The id is a hash of all that was asked, so a file never changes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
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
    made = 0
    for prompt in prompts:
        path = folder / f"{prompt.id}.json"
        if path.is_file():
            continue
        texts = {name: getattr(prompt, name) for name in _TEXTS[2:]}
        tree = {"schema": SCHEMA, "id": prompt.id, "track": track, "target": prompt.target.name, **texts}
        folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps({**tree, "asked": prompt.asked.told()}, ensure_ascii=False, indent=1) + "\n"
        write_atomically(path, content, durable=False)  # while its track is there, it can be composed again
        made += 1
    return made


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
