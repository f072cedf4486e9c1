"""Settings: the defaults below, then `linernotes.toml` in the workspace, then `LINERNOTES_<SECTION>_<KEY>`.

Settings choose limits, paths, workers and which analysers run. A number that changes a measurement is never
one: those are cited constants in the analyser's own file.
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from processor.errors import WrongUsage

CONFIG_NAME = "linernotes.toml"


@dataclass(frozen=True)
class Limits:
    """What a file may cost before it is refused or streamed."""

    file_bytes: int = 1_000_000_000
    decoded_bytes: int = 1 << 30
    duration_s: float = 7200.0
    channels: int = 8
    min_sample_rate_hz: int = 4_000
    max_sample_rate_hz: int = 384_000


@dataclass(frozen=True)
class Workers:
    """The processes that analyse. `count = 0` means one for each processor."""

    count: int = 0
    deadline_s: float = 900.0
    memory_bytes: int = 4 << 30


@dataclass(frozen=True)
class Inbox:
    """When a dropped file counts as complete."""

    settle_s: float = 2.0
    patience_s: float = 30.0
    rescan_s: float = 10.0
    polling: bool = False


@dataclass(frozen=True)
class Analysers:
    """Which analysers do not run, by name."""

    off: tuple[str, ...] = ()


@dataclass(frozen=True)
class Site:
    """What the pages come with."""

    previews: bool = True


@dataclass(frozen=True)
class Settings:
    """All settings of a workspace."""

    limits: Limits = field(default_factory=Limits)
    workers: Workers = field(default_factory=Workers)
    inbox: Inbox = field(default_factory=Inbox)
    analysers: Analysers = field(default_factory=Analysers)
    site: Site = field(default_factory=Site)


EXAMPLE = """\
# Settings of this Liner Notes workspace. Every line is optional; these are the defaults.

[limits]                        # what a file may cost before it is refused
# file_bytes = 1_000_000_000
# decoded_bytes = 1_073_741_824 # above this, only the analysers that can stream will run
# duration_s = 7200
# channels = 8

[workers]
# count = 0                     # 0: one for each processor
# deadline_s = 900              # a file that takes longer is set aside
# memory_bytes = 4_294_967_296  # of each worker

[inbox]
# settle_s = 2                  # a file is complete when it stood still for so long
# patience_s = 30               # ... or for so long, if it looks unfinished
# rescan_s = 10
# polling = false               # true for network shares, which send no events

[analysers]
# off = []                      # for example ["levels"]

[site]
# previews = true               # make an MP3 of each track, so that its page can play it
"""


def load_settings(home: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of the workspace at `home`.

    Raises:
        WrongUsage: a key is unknown, or a value has the wrong type; the message names it.
    """
    settings = Settings()
    path = home / CONFIG_NAME
    if path.is_file():
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise WrongUsage(f"{path} is not valid TOML: {error}") from error
        settings = _merge(settings, table, str(path))
    return _from_environment(settings, os.environ if environment is None else environment)


def _merge(settings: Settings, table: Mapping[str, Any], where: str) -> Settings:
    for section, values in table.items():
        if not isinstance(values, dict):
            raise WrongUsage(f"{where}: `{section}` stands outside a section")
        current = _pick(settings, section, where)
        changes = {
            key: _convert(_pick(current, key, where), value, f"{where}: {section}.{key}")
            for key, value in values.items()
        }
        settings = replace(settings, **{section: replace(current, **changes)})
    return settings


def _from_environment(settings: Settings, environment: Mapping[str, str]) -> Settings:
    for section in fields(Settings):
        current = getattr(settings, section.name)
        changes = {}
        for key in fields(current):
            variable = f"LINERNOTES_{section.name}_{key.name}".upper()
            if variable in environment:
                changes[key.name] = _convert(getattr(current, key.name), environment[variable], variable)
        settings = replace(settings, **{section.name: replace(current, **changes)})
    return settings


def _pick(holder: Any, name: str, where: str) -> Any:
    names = [f.name for f in fields(holder)]
    if name not in names:
        near = get_close_matches(name, names, n=1)
        raise WrongUsage(
            f"{where}: there is no setting `{name}`; "
            + (f"did you mean `{near[0]}`?" if near else f"there are {', '.join(names)}")
        )
    return getattr(holder, name)


def _convert(default: Any, value: Any, where: str) -> Any:
    """Bring `value` to the type of `default`; text comes from the environment."""
    try:
        if isinstance(default, bool):
            words = {"true": True, "1": True, "false": False, "0": False}
            converted: Any = words[str(value).lower()]
        elif isinstance(default, tuple):
            parts = value.split(",") if isinstance(value, str) else value
            converted = tuple(str(part).strip() for part in parts if str(part).strip())
        elif isinstance(value, bool):
            raise TypeError
        else:
            converted = type(default)(value)
            if isinstance(default, int) and float(value) != converted:
                raise ValueError
            if not 0 <= converted < math.inf:
                raise ValueError
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise WrongUsage(f"{where}: {value!r} is not a {type(default).__name__} of zero or more") from error
    return converted
