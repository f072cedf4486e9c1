"""What the guide says of the mix desk: tables of its rules, profiles, platforms and checks, made from themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from processor.analysis import result_types
from processor.config import Settings
from processor.feedback.check import FAIL, WARN
from processor.feedback.checks import COMPUTED, Bounds, Definition, definitions
from processor.feedback.platforms import Platform, all_platforms
from processor.feedback.profiles import GENERAL, all_profiles
from processor.feedback.rules import Rule, all_rules
from processor.quantities import columns

# What a limit refers to, in words.
_REFERENCES = {
    "platform.target_lufs": "the platform's target",
    "platform.ceiling_dbtp": "the platform's ceiling",
    "profile.low": "the profile's lower edge",
    "profile.high": "the profile's upper edge",
}
# The unit of a difference.
_STEPS = {"LUFS": "LU", "dBTP": "dB", "dBFS": "dB"}
_CODECS = {"aac": "AAC", "opus": "Opus", "vorbis": "Vorbis"}
_BEYOND = {FAIL: "fails", WARN: "warns"}

# A check of one's own, as the guide shows it.
OWN_CHECK = """-- No track over eight minutes
-- Radio will not play it.
SELECT track, duration_s AS found, '≤ 480 s' AS expected FROM source WHERE duration_s > 480"""


@dataclass(frozen=True)
class RuleRow:
    """One rule, as the guide lists it."""

    name: str
    help: str
    source: str
    of: str
    code: str


@dataclass(frozen=True)
class PlatformRow:
    """One platform, as the guide lists it."""

    platform: Platform
    target: str
    does: str
    ceiling: str
    loud_ceiling: str


@dataclass(frozen=True)
class CheckRow:
    """One check, as the guide lists it."""

    id: str
    title: str
    limit: str
    why: str
    source: str


def desk_tables() -> dict[str, Any]:
    """What the guide's template shows of the mix desk: our own rules, profiles, platforms and checks."""
    settings = Settings()
    profiles = all_profiles(settings)
    return {
        "rules": rule_groups(),
        "profiles": list(profiles.values()),
        "profile_fields": sorted(profiles[GENERAL].ranges),
        "platforms": [_platform_row(one) for one in all_platforms(settings).values()],
        "checks": [_check_row(one) for one in definitions()],
        "own_check": OWN_CHECK,
    }


def rule_groups() -> list[tuple[str, list[RuleRow]]]:
    """Area → its rules, both by name."""
    rows = [(one.name.partition(".")[0], _rule_row(one)) for one in all_rules()]
    return [
        (area.replace("_", " ").capitalize(), [row for _, row in group])
        for area, group in groupby(rows, key=lambda pair: pair[0])
    ]


def _rule_row(one: Rule) -> RuleRow:
    file = one.function.__module__.replace(".", "/")
    line = one.function.__code__.co_firstlineno
    return RuleRow(one.name, one.help, one.source, ", ".join(one.of), f"{file}.py:{line}")


# Platforms


def _platform_row(one: Platform) -> PlatformRow:
    return PlatformRow(
        one,
        "none" if one.target_lufs is None else _number(one.target_lufs),
        _does(one),
        f"{_number(one.ceiling_dbtp)} dBTP",
        "" if one.loud_ceiling_dbtp is None else _number(one.loud_ceiling_dbtp),
    )


def _does(one: Platform) -> str:
    """What it does to a mix, in words."""
    if one.target_lufs is None:
        words = "Plays it as it is"
    elif not one.boosts:
        words = "Turns down, never up"
    elif one.boost_headroom_db is not None:
        words = f"Turns down, and up until peaks are {_number(one.boost_headroom_db)} dB under full scale"
    elif one.limiter_dbfs is not None:
        words = f"Turns down and up; its limiter holds boosts at {_number(one.limiter_dbfs)} dBFS"
    else:
        words = "Turns down and up"
    album = "; an album as a whole" if one.unit == "album" else ""
    codecs = "; codes to " + ", ".join(_CODECS.get(codec, codec) for codec in one.codecs) if one.codecs else ""
    return f"{words}{album}{codecs}"


# Checks


def _check_row(one: Definition) -> CheckRow:
    limits = [_limit(level, bounds, one) for level, bounds in ((WARN, one.warn), (FAIL, one.fail)) if bounds]
    text = "; ".join(limits)
    if one.only_for:
        text = f"For {_titles(one.only_for)} {text}"
    elif one.not_for:
        text += f"; not for {_titles(one.not_for)}"
    return CheckRow(one.id, one.title, text[:1].upper() + text[1:], _why(one.why), one.source)


def _titles(names: Sequence[str]) -> str:
    known = all_platforms(Settings())
    return ", ".join(known[name].title for name in names)


def _why(text: str) -> str:
    """A reason without the names of a platform and a profile."""
    whole = re.sub(r"(^|[.:] )\{platform\}", r"\1The platform", text)
    return whole.format(platform="the platform", profile="the profile")


def _limit(level: str, bounds: Bounds, one: Definition) -> str:
    """A limit in words: "warns over 5 s", "fails outside −6 to 6 dB", "warns under the profile's lower edge − 1"."""
    label, unit = _scale(one)
    verb, low, high = _BEYOND[level], bounds.at_least, bounds.at_most
    if bounds.one_of:
        return f"{verb} unless {label} is {' or '.join(_number(value) for value in bounds.one_of)}"
    base, step = _around(low, high)
    if base:
        return f"{verb} more than {step} {_STEPS.get(unit, unit)} off {base}"
    low_text, high_text = (None if bound is None else _bound(bound, unit) for bound in (low, high))
    if low_text is not None and high_text is not None:
        return f"{verb} outside {low_text} to {high_text}"
    return f"{verb} under {low_text}" if low_text is not None else f"{verb} over {high_text}"


def _scale(one: Definition) -> tuple[str, str]:
    """Name and unit of what is checked."""
    analyser, _, name = one.field.partition(".")
    quantity = next(column.quantity for column in columns(result_types()[analyser]) if column.name == name)
    return f"“{quantity.label}”", COMPUTED[one.computed].unit if one.computed else quantity.unit


def _around(low: float | str | None, high: float | str | None) -> tuple[str, str]:
    """What two limits lie around and how far from it; ("", "") if they do not."""
    if not isinstance(low, str) or not isinstance(high, str):
        return "", ""
    (base, _, below), (same, _, above) = low.partition(" - "), high.partition(" + ")
    return (_REFERENCES[base], below) if base == same and below == above else ("", "")


def _bound(bound: float | str, unit: str) -> str:
    if not isinstance(bound, str):
        return f"{_number(bound)} {unit}".rstrip()
    base, _, step = bound.partition(" ")
    return f"{_REFERENCES[base]} {step.replace('-', '−')} {_STEPS.get(unit, unit)}" if step else _REFERENCES[base]


def _number(value: float | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}".replace("-", "−")
