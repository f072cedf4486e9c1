"""What CLAP is asked: labels by category, and the sentence that each becomes. Ours are in `data/labels.toml`."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from processor.errors import ModelError

DEFAULT = Path(__file__).parent / "data" / "labels.toml"
CATEGORIES = ("genre", "mood", "instrument", "vocal", "production", "texture")
# What a person's own file may hold. A label is a tag on a page, a sentence a few of the 77 words that CLAP reads.
MOST_BYTES, MOST_LABELS, LONGEST_LABEL, LONGEST_PROMPT = 1 << 18, 2000, 60, 200


@dataclass(frozen=True)
class Category:
    """Labels that are weighed against each other.

    Attributes:
        name: of `CATEGORIES`.
        prompt: a sentence with {} where the label goes.
        labels: in the order of the file.
    """

    name: str
    prompt: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class LabelSet:
    """All that CLAP is asked, category after category."""

    categories: tuple[Category, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """`category: label`, of all labels."""
        return tuple(f"{one.name}: {label}" for one in self.categories for label in one.labels)

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """What the model reads for each of `names`."""
        return tuple(one.prompt.replace("{}", label) for one in self.categories for label in one.labels)

    @cached_property
    def spans(self) -> dict[str, slice]:
        """Where each category stands in `names`."""
        found, start = {}, 0
        for one in self.categories:
            found[one.name] = slice(start, start + len(one.labels))
            start += len(one.labels)
        return found

    @cached_property
    def key(self) -> str:
        """What tells this set from others: 16 hexadecimal digits. Comments and line breaks in the file do not count."""
        content = json.dumps([self.names, self.sentences], ensure_ascii=False).encode()
        return hashlib.sha256(content).hexdigest()[:16]


def read_labels(path: Path | None = None) -> LabelSet:
    """Read a label file; ours where there is no path.

    Raises:
        ModelError: it cannot be read, or is no label file.
    """
    path = path or DEFAULT
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ModelError(f"{path} is too large for a list of labels")
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"the labels in {path} cannot be read: {error}") from error
    unknown = sorted(set(content) - set(CATEGORIES))
    if unknown or not content:
        raise ModelError(f"{path} may hold {', '.join(CATEGORIES)}; it has {', '.join(unknown) or 'nothing'}")
    labels = LabelSet(tuple(_category(path, name, content[name]) for name in CATEGORIES if name in content))
    if len(labels.names) > MOST_LABELS:
        raise ModelError(f"{path} has {len(labels.names)} labels; {MOST_LABELS} are the most")
    return labels


def _category(path: Path, name: str, content: Any) -> Category:
    where = f"{path}, [{name}]"
    if not isinstance(content, dict) or set(content) != {"prompt", "labels"}:
        raise ModelError(f"{where} needs prompt and labels, and nothing else")
    prompt, labels = content["prompt"], content["labels"]
    if not _is_text(prompt, LONGEST_PROMPT) or prompt.count("{}") != 1:
        raise ModelError(f"{where}: prompt must be one line of up to {LONGEST_PROMPT} characters with one {{}} in it")
    if not isinstance(labels, list) or not all(_is_text(label, LONGEST_LABEL) for label in labels):
        raise ModelError(f"{where}: labels must be a list of lines of up to {LONGEST_LABEL} characters")
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise ModelError(f"{where}: labels must be two or more, each once; one alone would always be right")
    return Category(name, prompt, tuple(labels))


def _is_text(value: Any, longest: int) -> bool:
    return isinstance(value, str) and value == value.strip() and 0 < len(value) <= longest and value.isprintable()
