"""Music generators: what fits into their fields, and how they want it. The numbers are in `data/targets.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from processor.errors import WrongUsage
from processor.files import printable

DEFAULT = "suno-v5"


@dataclass(frozen=True)
class Target:
    """A generator; each key is explained in `data/targets.toml`."""

    name: str
    title: str
    source: str
    style: int
    essentials: int
    lyrics: int
    heading: int
    exclusions: int
    brackets: bool
    ending: str


@cache
def targets() -> dict[str, Target]:
    """All generators that we know, by name, the default one first."""
    text = files("processor.prompt").joinpath("data/targets.toml").read_text(encoding="utf-8")
    return {name: Target(name=name, **table) for name, table in tomllib.loads(text).items()}


def target_named(name: str) -> Target:
    """The generator of that name.

    Raises:
        WrongUsage: there is none.
    """
    if name not in targets():
        raise WrongUsage(f"There is no target {printable(name)[:40]!r}; there are {', '.join(targets())}.")
    return targets()[name]
