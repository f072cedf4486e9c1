"""Settings: the defaults below, then `linernotes.toml` in the workspace, then `LINERNOTES_<SECTION>_<KEY>`.

Settings choose limits, paths, workers and which analysers run. A number that changes a measurement is never
one: those are cited constants in the analyser's own file.
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from processor.errors import WrongUsage

CONFIG_NAME = "linernotes.toml"
OWN_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
MAX_TEXT = 2000
SWITCHES = ("on", "auto", "off")
MAX_NUMBER = 1e6


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
class Models:
    """Which models may hear, one switch each, and what they may take.

    A switch is "on" (needed: its absence is told), "auto" (used if it is here) or "off" (neither used nor shown).
    Where several models do one job, one that is "on" goes before one that is "auto", and the first listed before
    the others. An empty folder: `liner-notes/models` in the user's cache. Empty labels: `labels.toml` of the library
    where there is one, else ours.
    """

    htdemucs: str = "auto"
    htdemucs_ft: str = "auto"
    htdemucs_6s: str = "auto"
    bs_roformer_sw: str = "auto"
    yamnet: str = "auto"
    ast: str = "auto"
    clap_music: str = "auto"
    clap: str = "auto"
    swift_f0: str = "auto"
    crepe: str = "auto"
    crepe_tiny: str = "auto"
    emotion2vec: str = "auto"
    whisper_base: str = "auto"
    deep: bool = False
    labels: str = ""
    folder: str = ""
    device: str = "auto"
    threads: int = 0
    max_model_memory_bytes: int = 4 << 30
    worker_memory_bytes: int = 16 << 30
    deadline_s: float = 14_400.0


@dataclass(frozen=True)
class Site:
    """What the pages come with."""

    previews: bool = True


@dataclass(frozen=True)
class Mashups:
    """Which pairs of the library can be heard before anybody made a mashup of them.

    An empty time of day: they are made when `watch --mashups-at` says so.
    """

    at: str = ""
    previews: int = 10


@dataclass(frozen=True)
class Desk:
    """What mixes are measured against. An empty profile: the one of each track's genre."""

    target: str = "spotify"
    profile: str = ""


@dataclass(frozen=True)
class Llm:
    """A language model that words what the rules found. Off, nothing leaves this machine.

    Prices are Groq's of late 2025, second-hand; they only tell what an answer cost.
    """

    on: bool = False
    model: str = "openai/gpt-oss-120b"
    base_url: str = "https://api.groq.com/openai/v1"
    timeout_s: float = 30.0
    retries: int = 3
    max_tokens: int = 4000
    usd_per_million_in: float = 0.15
    usd_per_million_out: float = 0.6


@dataclass(frozen=True)
class Settings:
    """All settings of a workspace.

    Attributes:
        limits: section `[limits]`.
        workers: section `[workers]`.
        inbox: section `[inbox]`.
        analysers: section `[analysers]`.
        models: section `[models]`.
        site: section `[site]`.
        mashups: section `[mashups]`.
        desk: section `[desk]`.
        llm: section `[llm]`.
        profiles: name → table `[profiles.<name>]`: what a person changes of a profile, or one of their own.
        platforms: name → table `[platforms.<name>]`, the same for platforms.
    """

    limits: Limits = field(default_factory=Limits)
    workers: Workers = field(default_factory=Workers)
    inbox: Inbox = field(default_factory=Inbox)
    analysers: Analysers = field(default_factory=Analysers)
    models: Models = field(default_factory=Models)
    site: Site = field(default_factory=Site)
    mashups: Mashups = field(default_factory=Mashups)
    desk: Desk = field(default_factory=Desk)
    llm: Llm = field(default_factory=Llm)
    profiles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    platforms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


# What a table of a person's own may hold, and of which kind it is.
OWN_KEYS: Mapping[str, Mapping[str, str]] = {
    "profiles": {
        "title": "text",
        "base": "text",
        "aliases": "texts",
        "source": "text",
        "confidence": "text",
        "offsets_db": "numbers by name",
        "spread": "number",
        "ranges": "three numbers by name",
    },
    "platforms": {
        "title": "text",
        "target_lufs": "number",
        "boosts": "truth",
        "boost_headroom_db": "number",
        "limiter_dbfs": "number",
        "ceiling_dbtp": "number",
        "loud_ceiling_dbtp": "number",
        "codecs": "texts",
        "unit": "text",
        "dated": "text",
        "confidence": "text",
        "source": "text",
        "note": "text",
    },
}
_KINDS = {
    "text": "text of one line",
    "texts": "a list of texts",
    "number": "a number",
    "truth": "true or false",
    "numbers by name": "a table of numbers",
    "three numbers by name": "a table of [low, middle, high]",
}


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

[models]                        # models that hear; `linernotes models list` says which are here
# deep = false                  # true: `run` and `watch` let them hear every new track; else `linernotes run --deep`
# htdemucs = "auto"             # one line a model: "on", "off", or "auto" (if it is here)
# device = "auto"               # or "cpu", "cuda", "cuda:1", "mps"
# threads = 0                   # 0: all processors
# max_model_memory_bytes = 4_294_967_296   # over this, a model that is not in use is let go
# worker_memory_bytes = 17_179_869_184     # of the process in which they run
# deadline_s = 14_400           # of one model for one file
# labels = ""                   # a file of what CLAP is asked; empty: library/labels.toml where there is one, else ours
# folder = ""                   # where their weights are kept; empty: liner-notes/models in your cache folder

[site]
# previews = true               # make an MP3 of each track, so that its page can play it

[mashups]
# previews = 10                 # so many of the pairs that go together best can be heard in short
# at = ""                       # "03:00": `watch` makes these from then on, each night

[desk]
# target = "spotify"            # where the music goes
# profile = ""                  # what mixes are measured against; empty: by each track's genre

[llm]                           # words by a language model; the key is read from GROQ_API_KEY or LINERNOTES_LLM_KEY
# on = false                    # true sends measurements and titles, never sound, to this endpoint
# model = "openai/gpt-oss-120b"
# base_url = "https://api.groq.com/openai/v1"   # or another of this form: "http://localhost:11434/v1"
# timeout_s = 30
# retries = 3

[profiles]                      # what a profile differs in, or one of your own; `linernotes profile list` names them,
                                # `linernotes profile make` makes one of tracks
## [profiles.gqom]
## title = "Gqom"
## base = "house"               # what it starts from; "general" if left out
## aliases = ["igqom"]          # what tags call it
## offsets_db = { sub = 3, air = -1 }                       # over the tone of its base, by band
## spread = 0.8                 # width of its corridor of tone, of that of its base
## ranges = { "loudness.integrated_lufs" = [-9, -8, -7] }   # 10th percentile, median, 90th percentile

[platforms]                     # what a platform differs in, or one of your own
## [platforms.my-radio]
## title = "My radio"
## target_lufs = -23
## boosts = true                # turns quiet music up, too ...
## boost_headroom_db = 1        # ... but leaves this much under full scale
## ceiling_dbtp = -1
## codecs = ["aac"]             # of aac, opus, vorbis
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
    settings = _from_environment(settings, os.environ if environment is None else environment)
    _check_switches(settings, str(path) if path.is_file() else "the environment")
    return settings


def _check_switches(settings: Settings, where: str) -> None:
    for one in fields(Models):
        found = getattr(settings.models, one.name)
        if one.default == SWITCHES[1] and one.name != "device" and found not in SWITCHES:
            raise WrongUsage(f"{where}: models.{one.name} is {found!r}; it can be {', '.join(SWITCHES)}")


def _merge(settings: Settings, table: Mapping[str, Any], where: str) -> Settings:
    for section, values in table.items():
        if not isinstance(values, dict):
            raise WrongUsage(f"{where}: `{section}` stands outside a section")
        if section in OWN_KEYS:
            own: Any = _own_tables(section, values, where)
            settings = replace(settings, **{section: own})
            continue
        current = _pick(settings, section, where)
        changes = {
            key: _convert(_pick(current, key, where), value, f"{where}: {section}.{key}")
            for key, value in values.items()
        }
        settings = replace(settings, **{section: replace(current, **changes)})
    return settings


def _own_tables(section: str, tables: Mapping[str, Any], where: str) -> dict[str, dict[str, Any]]:
    """The tables `[profiles.<name>]` or `[platforms.<name>]`, each value of its kind."""
    found = {}
    for name, table in tables.items():
        place = f"{where}: {section}.{name}"
        if not OWN_NAME.fullmatch(name):
            raise WrongUsage(f"{place}: a name is made of a to z, 0 to 9 and hyphens, at most 60")
        if not isinstance(table, dict):
            raise WrongUsage(f"{place} is not a table; write [{section}.{name}] above its lines")
        for key, value in table.items():
            kind = OWN_KEYS[section].get(key)
            if kind is None:
                raise WrongUsage(f"{place}: {_no_setting(key, list(OWN_KEYS[section]))}")
            if not _is_kind(kind, value):
                raise WrongUsage(f"{place}.{key}: {value!r} is not {_KINDS[kind]}")
        found[name] = dict(table)
    return found


def _is_kind(kind: str, value: Any) -> bool:
    if kind == "text":
        return isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable()
    if kind == "texts":
        return isinstance(value, list) and all(_is_kind("text", one) for one in value)
    if kind == "truth":
        return isinstance(value, bool)
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER
    if kind == "numbers by name":
        return isinstance(value, dict) and all(_is_kind("number", one) for one in value.values())
    return isinstance(value, dict) and all(is_corridor(one) for one in value.values())


def is_corridor(value: Any) -> bool:
    """Whether it is [10th percentile, median, 90th percentile]."""
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(_is_kind("number", one) for one in value)
        and value[0] <= value[1] <= value[2]
    )


def _from_environment(settings: Settings, environment: Mapping[str, str]) -> Settings:
    for section in fields(Settings):
        if section.name in OWN_KEYS:
            continue
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
        raise WrongUsage(f"{where}: {_no_setting(name, names)}")
    return getattr(holder, name)


def _no_setting(name: str, names: list[str]) -> str:
    near = get_close_matches(name, names, n=1)
    return f"there is no setting `{name}`; " + (
        f"did you mean `{near[0]}`?" if near else f"there are {', '.join(names)}"
    )


def _convert(default: Any, value: Any, where: str) -> Any:
    """Bring `value` to the type of `default`; text comes from the environment."""
    try:
        if isinstance(default, bool):
            words = {"true": True, "1": True, "false": False, "0": False}
            converted: Any = words[str(value).lower()]
        elif isinstance(default, tuple):
            parts = value.split(",") if isinstance(value, str) else value
            converted = tuple(str(part).strip() for part in parts if str(part).strip())
        elif isinstance(value, bool) or (isinstance(default, str) and not isinstance(value, str)):
            raise TypeError
        elif isinstance(default, str):
            converted = value.strip()
        else:
            converted = type(default)(value)
            if isinstance(default, int) and float(value) != converted:
                raise ValueError
            if not 0 <= converted < math.inf:
                raise ValueError
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        kind = type(default).__name__
        wanted = {"str": "text", "bool": "true or false"}.get(kind, f"a {kind} of zero or more")
        raise WrongUsage(f"{where}: {value!r} is not {wanted}") from error
    return converted
