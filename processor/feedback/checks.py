"""Checks: named limits on the numbers of a track, with what was expected, what was found and why it matters.

The built-in set is data (`data/checks.toml`). A person's own are SQL: see `own_checks.py`. What a check says
is in `check.py`.
"""

from __future__ import annotations

import math
import operator
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from typing import Any

from processor.analysis import result_types
from processor.feedback.check import FAIL, PASS, SKIP, WARN, Check, Summary, summary, value_text
from processor.feedback.own_checks import sql_checks
from processor.feedback.platforms import Platform
from processor.feedback.tone import Profile, tone_deviation
from processor.quantities import columns
from processor.record import Results

__all__ = [
    "COMPUTED",
    "FAIL",
    "PASS",
    "SKIP",
    "WARN",
    "Check",
    "Summary",
    "builtin_checks",
    "definitions",
    "sql_checks",
    "summary",
]

_REFERENCE = re.compile(r"(platform|profile)\.(\w+)(?: ([+-]) ([0-9.]+))?")


@dataclass(frozen=True)
class Bounds:
    """What a value must be.

    Attributes:
        at_least: smallest value that will do, or a reference such as "platform.target_lufs - 2"; None for any.
        at_most: largest value that will do, likewise.
        one_of: the only values that will do; empty for any.
    """

    at_least: float | str | None = None
    at_most: float | str | None = None
    one_of: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Definition:
    """A check of `data/checks.toml`, where each key is explained."""

    id: str
    title: str
    field: str
    of: tuple[str, ...]
    why: str
    source: str
    fail: Bounds | None = None
    warn: Bounds | None = None
    computed: str = ""
    only_for: tuple[str, ...] = ()
    not_for: tuple[str, ...] = ()
    least_s: float = 0.0
    none: str = ""

    def is_for(self, platform: Platform) -> bool:
        """Whether a platform asks for it."""
        return platform.name not in self.not_for and (not self.only_for or platform.name in self.only_for)


@cache
def definitions() -> tuple[Definition, ...]:
    """The built-in checks, in the order in which they are shown."""
    text = files("processor.feedback").joinpath("data/checks.toml").read_text(encoding="utf-8")
    return tuple(_definition(table) for table in tomllib.loads(text)["check"])


def _definition(table: Mapping[str, Any]) -> Definition:
    lists = {key: tuple(table.get(key, ())) for key in ("of", "only_for", "not_for")}
    levels = {key: _bounds(table[key]) for key in (FAIL, WARN) if key in table}
    return Definition(**{**table, **lists, **levels})


def _bounds(table: Mapping[str, Any]) -> Bounds:
    only = (table["is"],) if "is" in table else tuple(table.get("one_of", ()))
    return Bounds(table.get("at_least"), table.get("at_most"), only)


@dataclass(frozen=True)
class _Subject:
    """What is checked, and against what."""

    results: Results
    profile: Profile
    platform: Platform

    def get(self, field: str) -> Any:
        analyser, _, name = field.partition(".")
        return getattr(self.results.get(analyser), name, None)


@dataclass(frozen=True)
class Computed:
    """A number that is made of a field.

    Attributes:
        function: (what is checked) → the number and a few words about it, or None where it cannot be told.
        unit: its unit.
        digits: decimals worth showing.
    """

    function: Callable[[_Subject], tuple[float, str] | None]
    unit: str
    digits: int


def _clipped_per_minute(subject: _Subject) -> tuple[float, str] | None:
    clipped, seconds = subject.get("levels.clipped_samples"), subject.get("source.duration_s")
    return None if clipped is None or not seconds else (60 * clipped / seconds, "")


def _coded_peak_dbtp(subject: _Subject) -> tuple[float, str] | None:
    """The highest true peak after one of the platform's own codings."""
    peaks = [(subject.get(f"coding.{codec}_dbtp"), _CODECS.get(codec, codec)) for codec in subject.platform.codecs]
    return max(((peak, codec) for peak, codec in peaks if peak is not None), default=None)


_CODECS = {"aac": "AAC", "opus": "Opus", "vorbis": "Vorbis"}


def _tone_db(subject: _Subject, sign: int) -> tuple[float, str] | None:
    """How far a band lies beyond the profile's corridor, and which it is: above it (sign 1) or under it (−1)."""
    spectrum = subject.results.get("spectrum")
    found = None if spectrum is None else tone_deviation(spectrum, subject.profile)
    if found is None or not found.bands_outside_db:
        return None
    band, outside_db = max(found.bands_outside_db.items(), key=lambda pair: sign * pair[1])
    return (outside_db, band.replace("_", " ")) if sign * outside_db > 0 else (0.0, "")


COMPUTED = {
    "clipped_per_minute": Computed(_clipped_per_minute, "a minute", 0),
    "coded_peak_dbtp": Computed(_coded_peak_dbtp, "dBTP", 2),
    "tone_excess_db": Computed(partial(_tone_db, sign=1), "dB", 1),
    "tone_lack_db": Computed(partial(_tone_db, sign=-1), "dB", 1),
}


def builtin_checks(results: Results, profile: Profile, platform: Platform) -> tuple[Check, ...]:
    """Check a track's results.

    Args:
        results: of its record; what is missing is skipped.
        profile: what such music is like.
        platform: where it is going to be heard; checks that it does not ask for are left out.
    """
    subject = _Subject(results, profile, platform)
    return tuple(_checked(one, subject) for one in definitions() if one.is_for(platform))


def _checked(one: Definition, subject: _Subject) -> Check:
    scale = _scale(one)
    levels = {name: _resolved(bounds, one, subject) for name, bounds in ((FAIL, one.fail), (WARN, one.warn))}
    value, detail = _value(one, subject, scale)
    reason = _why_not(one, subject, levels, value)
    expected = _expected(levels, scale)
    found = one.none if value is None else f"{scale.text(value)}{f' ({detail})' if detail else ''}"
    if reason:
        return Check(one.id, one.title, SKIP, expected, found, reason, one.field, one.source)
    beyond = [name for name, bounds in levels.items() if value is not None and bounds and not _fits(value, bounds)]
    status = beyond[0] if beyond else PASS
    why = one.why.format(platform=subject.platform.title, profile=subject.profile.title)
    return Check(one.id, one.title, status, expected, found, why, one.field, one.source)


@dataclass(frozen=True)
class _Scale:
    """How values of a field are written."""

    label: str
    unit: str
    digits: int

    def text(self, value: Any) -> str:
        """A value, as in "−13.8 LUFS"; what is true or false with its label, as in "looks lossy-coded: yes"."""
        text = value_text(value, self.digits, self.unit)
        return f"{self.label.lower()}: {text}" if isinstance(value, bool) else text


def _scale(one: Definition) -> _Scale:
    """Of what is computed, else as the field declares it."""
    if one.computed:
        return _Scale("", COMPUTED[one.computed].unit, COMPUTED[one.computed].digits)
    analyser, _, name = one.field.partition(".")
    declared = columns(result_types()[analyser]) if analyser in result_types() else ()
    found = [_Scale(c.quantity.label, c.quantity.unit, c.quantity.digits) for c in declared if c.name == name]
    return found[0] if found else _Scale(name, "", 1)


def _value(one: Definition, subject: _Subject, scale: _Scale) -> tuple[Any, str]:
    """What is checked, as it is shown: a limit and a number that read the same never contradict each other."""
    found = COMPUTED[one.computed].function(subject) if one.computed else (subject.get(one.field), "")
    value, detail = found or (None, "")
    if isinstance(value, float):
        value = round(value, scale.digits) + 0.0 if math.isfinite(value) else None
    return value, detail


def _why_not(one: Definition, subject: _Subject, levels: Mapping[str, Bounds | None], value: Any) -> str:
    """Why a check cannot be answered; empty if it can."""
    material = subject.get("material.kind") or "mix"
    analyser = one.field.partition(".")[0]
    if material not in one.of:
        return f"It does not judge {_MATERIALS.get(material, material)}."
    if analyser not in subject.results:
        return f"There is no result of {analyser}."
    if (subject.get("source.duration_s") or 0.0) < one.least_s:
        return f"The file is too short to tell: {one.least_s:g} s are needed."
    if value is None and not one.none:
        return "It cannot be told of this file."
    if all(bounds is None for bounds in levels.values()):
        return f"{subject.platform.title} and the profile {subject.profile.title} set no limit to it."
    return ""


_MATERIALS = {"solo": "a single voice or instrument", "mix": "music"}


def _resolved(bounds: Bounds | None, one: Definition, subject: _Subject) -> Bounds | None:
    """Bounds with numbers in the place of references; None where nothing is left of them."""
    if bounds is None or bounds.one_of:
        return bounds
    low, high = (_number(bound, one, subject) for bound in (bounds.at_least, bounds.at_most))
    return None if low is None and high is None else Bounds(low, high)


def _number(bound: float | str | None, one: Definition, subject: _Subject) -> float | None:
    """A bound as a number; None where what it refers to says nothing.

    Raises:
        ValueError: it is no reference.
    """
    if not isinstance(bound, str):
        return bound
    found = _REFERENCE.fullmatch(bound)
    if found is None:
        raise ValueError(f"{one.id}: {bound!r} is no limit")
    kind, name, sign, step = found.groups()
    base = subject.platform if kind == "platform" else subject.profile.ranges.get(one.field)
    value = None if base is None else getattr(base, name)
    add = operator.sub if sign == "-" else operator.add
    return None if value is None else float(add(value, float(step or 0)))


def _fits(value: Any, bounds: Bounds) -> bool:
    if bounds.one_of:
        return value in bounds.one_of
    low, high = bounds.at_least, bounds.at_most
    is_low = isinstance(low, (int, float)) and value < low
    is_high = isinstance(high, (int, float)) and value > high
    return not is_low and not is_high


def _expected(levels: Mapping[str, Bounds | None], scale: _Scale) -> str:
    """What passes, and where it also may fail, what still does not."""
    given = [_words(bounds, scale) for bounds in levels.values() if bounds is not None]
    return f"{given[1]}; fails unless {given[0]}" if len(given) > 1 else "".join(given)


def _words(bounds: Bounds, scale: _Scale) -> str:
    if bounds.one_of:
        return " or ".join(scale.text(value) for value in bounds.one_of)
    low, high = (None if b is None else value_text(b, scale.digits, "") for b in (bounds.at_least, bounds.at_most))
    words = f"{low} to {high}" if low and high else f"≥ {low}" if low else f"≤ {high}"
    return f"{words} {scale.unit}".rstrip()
