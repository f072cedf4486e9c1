"""A plan as a file that people read and edit (TOML), and as JSON for programs.

Reading gives back exactly what was written. Nothing in a file is trusted: every field is checked (see `plan_checks`).
"""

from __future__ import annotations

import json
import math
import re
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, asdict, fields
from difflib import get_close_matches
from typing import Any

import numpy as np

from processor.feedback.equaliser import Band
from processor.files import printable
from processor.mashup.plan import (
    Cut,
    Duck,
    Fit,
    Grid,
    Plan,
    PlanError,
    Rejection,
    Segment,
    Source,
    cut_starts_s,
    duration_s,
    mashup_beats_s,
    time_map,
)
from processor.mashup.plan_checks import validate

JSON = Any
FORMAT = 1
MOST_FILE_CHARACTERS = 4_000_000
# A tenth of a millisecond: what JSON shows of beats. TOML has them exactly.
BEAT_DIGITS = 4
LINE_CHARACTERS = 116
# The standard library's reader takes time by the square of a dotted name's parts: hours, for a file full of one. So
# texts and comments are taken out, and what is left is searched for one.
_TEXTS = re.compile(
    r"""
    \#[^\n]*
    | \"{3}(?:[^"\\]|\\[\s\S]|"(?!""))*+(?:\"{3,5}|\Z)
    | '{3}(?:[^']|'(?!''))*+(?:'{3,5}|\Z)
    | "(?:[^"\\\n]|\\.)*+"?
    | '[^'\n]*'?
    """,
    re.VERBOSE,
)
_MANY_PARTS = re.compile(r'(?<![\w-])(?:(?:[\w-]+|"")[ \t]*\.[ \t]*){9}')

_HEAD = """\
A mashup, as it is played. Change what you like and render it again: linernotes mashup V I --plan THIS.toml
All counts begin at 0. Times in s, shifts in semitones, gains in dB, loudness in LUFS or LU."""
_NUMBERS = """\
tempo_bpm: the pace. The instrumental's own (see [instrumental.grid]) leaves it unstretched.
vocal_beats_per_beat: 1; 2 where the vocals are in double time, 0.5 where they are in half time.
vocal_shift_semitones, instrumental_shift_semitones: drums are never shifted. Parts of a semitone are fine.
vocal_to_backing_lu: how much louder the vocals are than the backing while somebody sings.
gate_below_lufs: what is quieter in the vocals is bleed, and turned down. Without this line nothing is.
stretcher: "pedalboard"; or "pyrubberband", if that and the program rubberband are installed."""
_CUTS = """\
What is played of the instrumental, end to end: from one of its beats up to another, which is not played any more.
The beats of all cuts, counted through, are the beats of the mashup. Cut at downbeats, or the metre stumbles."""
_SEGMENTS = """\
What is sung. start_s and end_s lie in the vocals' file, in a breath. `vocal_beat` of the vocals falls on `beat` of
the mashup; all other beats follow one by one. To move a segment, change `beat`; no two may overlap.
gain_db brings it to its place over the backing; extra_semitones is added to the shift of all vocals."""
_DUCK = "How the backing makes room while somebody sings. Delete this part, and it does not."
_BANDS = 'Equalisers: kind is "low shelf", "bell" or "high shelf". Delete a band and it is gone.'
_FIT = "Why the two go together, 0 to 1. Nothing below here but the grids changes the sound."
_GRIDS = "The beats of both songs. Change them only if they are wrong: all numbers of beats above count in them."


# Writing


def to_toml(plan: Plan) -> str:
    """A plan as a file for people; `from_toml` gives back the same plan.

    Raises:
        PlanError: it is none that could be rendered.
    """
    validate(plan)
    whole = asdict(plan)
    parts: list[str | None] = [_comment(_HEAD), f"format = {FORMAT}", f"name = {_value(plan.name)}", _comment(_NUMBERS)]
    parts += [_pairs(whole, (name for name in whole if isinstance(whole[name], int | float | np.number)))]
    parts += [_pairs(whole, ("stretcher", "chosen_by", "reasons", "corrections"))]
    for side in ("vocals", "instrumental"):
        parts.append(f"\n[{side}]\n{_pairs(whole[side], ('name', 'title', 'sha256', 'layers', 'key'))}")
    parts += ["", _comment(_CUTS), _tables("cuts", whole["cuts"])]
    parts += ["", _comment(_SEGMENTS), _tables("segments", whole["segments"])]
    if plan.duck is not None:
        parts += ["", _comment(_DUCK), f"[duck]\n{_pairs(whole['duck'])}"]
    parts += ["", _comment(_BANDS)]
    parts += [_tables(name, whole[name]) for name in ("vocal_bands", "instrumental_bands")]
    parts += ["", _comment(_FIT), f"[fit]\n{_pairs(whole['fit'])}", _tables("rejections", whole["rejections"])]
    parts += ["", _comment(_GRIDS)]
    parts += [f"[{side}.grid]\n{_pairs(whole[side]['grid'])}\n" for side in ("vocals", "instrumental")]
    return "\n".join(part for part in parts if part is not None).rstrip() + "\n"


def _comment(text: str) -> str:
    return "\n".join(f"# {line}" for line in text.splitlines())


def _pairs(values: Mapping[str, Any], names: Iterable[str] | None = None) -> str:
    """Lines `name = value`; what is None is left out."""
    listed = values if names is None else names
    return "\n".join(f"{name} = {_value(values[name])}" for name in listed if values[name] is not None)


def _tables(name: str, rows: Iterable[Mapping[str, Any]]) -> str | None:
    """An array of tables; None where it is empty."""
    return "\n\n".join(f"[[{name}]]\n{_pairs(row)}" for row in rows) or None


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, tuple | list):
        return _listed([_value(one) for one in value], is_long=bool(value) and isinstance(value[0], str))
    # A float's shortest text that reads as the same float is its repr.
    return repr(int(value)) if isinstance(value, int | np.integer) else repr(float(value))


def _listed(texts: list[str], is_long: bool) -> str:
    line = f"[{', '.join(texts)}]"
    if len(line) <= LINE_CHARACTERS:
        return line
    wrapped = texts if is_long else textwrap.wrap(", ".join(texts), LINE_CHARACTERS - 4)
    return "[\n" + "\n".join(f"    {one.removesuffix(',')}," for one in wrapped) + "\n]"


def _quoted(text: str) -> str:
    """A basic string of TOML: JSON's escapes, and what JSON leaves as it is but TOML does not allow."""
    told = json.dumps(text.encode("utf-8", "replace").decode("utf-8"), ensure_ascii=False)
    return told.replace("\x7f", "\\u007f")


def to_json(plan: Plan) -> dict[str, JSON]:
    """A plan for programs and pages, with what follows from it: times of cuts, segments and the whole, in seconds.

    Beats are rounded to a tenth of a millisecond; all else is exact.
    """
    whole = asdict(plan)
    mashup_s = mashup_beats_s(plan)
    for side in ("vocals", "instrumental"):
        whole[side]["grid"]["beats_s"] = [round(at, BEAT_DIGITS) for at in whole[side]["grid"]["beats_s"]]
    for cut, (start_s, end_s, at_s) in zip(whole["cuts"], cut_starts_s(plan), strict=True):
        cut.update(start_s=start_s, end_s=end_s, mashup_start_s=at_s)
    for written, segment in zip(whole["segments"], plan.segments, strict=True):
        target = time_map(plan, segment, mashup_s)[1]
        written.update(mashup_start_s=float(target[0]), mashup_end_s=float(target[-1]))
    whole["duration_s"] = duration_s(plan)
    whole["mashup_beats_s"] = np.round(mashup_s, BEAT_DIGITS).tolist()
    plain: dict[str, JSON] = json.loads(json.dumps(whole, allow_nan=False))
    return plain


# Reading


def from_toml(text: str) -> Plan:
    """The plan that a file says.

    Raises:
        PlanError: it is no TOML, or a field is missing, unknown or makes no sense: which, and what is allowed.
    """
    if len(text) > MOST_FILE_CHARACTERS:
        raise PlanError(f"The plan has {len(text):,} characters; at most {MOST_FILE_CHARACTERS:,} are read.")
    if _MANY_PARTS.search(_TEXTS.sub('""', text)):
        raise PlanError("The plan is none: a name in it has ten parts or more.")
    try:
        whole = tomllib.loads(text.removeprefix("\ufeff"))  # which editors of Windows begin a file with
    except (ValueError, RecursionError) as error:
        raise PlanError(f"The plan is no TOML: {str(error)[:300] or 'it is nested too deep'}") from None
    version = whole.pop("format", None)
    if version != FORMAT or isinstance(version, bool):
        raise PlanError(f"{_format_told(version)}: this version reads format = {FORMAT}.")
    return validate(_plan(whole))


def _format_told(version: Any) -> str:
    if version is None:
        return "There is no line `format`"
    if isinstance(version, int) and abs(version) > 10**9:  # it may have more digits than Python writes
        return "format is no number of a format"
    return f"format = {printable(str(version)[:40])}"


# What `to_json` says of a plan that follows from it.
_FOLLOWS = {"duration_s", "mashup_beats_s", "mashup_start_s", "mashup_end_s"}
_FOLLOWS_IN_CUTS = {"start_s", "end_s"}


def from_json(text: str) -> Plan:
    """The plan that a file says which was written by `to_json`, alone or as `{"plan": …}`.

    Times that follow from the rest are passed over, and its beats are those of a tenth of a millisecond.

    Raises:
        PlanError: as `from_toml`.
    """
    if len(text) > MOST_FILE_CHARACTERS:
        raise PlanError(f"The plan has {len(text):,} characters; at most {MOST_FILE_CHARACTERS:,} are read.")
    try:
        whole = json.loads(text)
        whole = _own(whole.get("plan", whole) if isinstance(whole, dict) else whole)
    except (ValueError, RecursionError) as error:
        raise PlanError(f"The plan is no JSON: {str(error)[:300] or 'it is nested too deep'}") from None
    if not isinstance(whole, dict):
        raise PlanError("The plan has to be an object of JSON.")
    return validate(_plan(whole))


def _own(value: Any) -> Any:
    """A tree without what follows from the rest, and without what is null: a file for people leaves that out."""
    if isinstance(value, list):
        return [_own(one) for one in value]
    if not isinstance(value, dict):
        return value
    left_out = _FOLLOWS | (_FOLLOWS_IN_CUTS if "first_beat" in value else set())
    return {name: _own(one) for name, one in value.items() if name not in left_out and one is not None}


Reader = Callable[[Any, str], Any]


def _plan(whole: dict[str, Any]) -> Plan:
    readers: dict[str, Reader] = {
        "name": _string,
        "vocals": _read_source,
        "instrumental": _read_source,
        "cuts": _each(_record(Cut, _of(("first_beat", "end_beat"), _whole))),
        "segments": _each(_record(Segment, _SEGMENT)),
        "vocal_bands": _each(_record(Band, _BAND)),
        "instrumental_bands": _each(_record(Band, _BAND)),
        "duck": _record(Duck, _of((field.name for field in fields(Duck)), _number)),
        "fit": _record(Fit, _of((field.name for field in fields(Fit)), _number), none=_FIT_NONE),
        "reasons": _each(_string),
        "rejections": _each(_record(Rejection, _of(("what", "why"), _string))),
        "chosen_by": _string,
        "corrections": _each(_string),
        "stretcher": _string,
    }
    readers |= _of((field.name for field in fields(Plan) if field.name not in readers), _number)
    none = {"duck": None, "gate_below_lufs": None, "vocal_bands": (), "instrumental_bands": ()}
    plan: Plan = _record(Plan, readers, none)(whole, "")
    return plan


def _record(kind: type, readers: Mapping[str, Reader], none: Mapping[str, Any] | None = None) -> Reader:
    """Reads a table as a dataclass; `none` has what stands for fields that are left out."""

    def read(value: Any, where: str) -> Any:
        if not isinstance(value, dict):
            raise PlanError(f"{where} has to be a table of {', '.join(readers)}.")
        for name in value:
            if name not in readers:
                raise PlanError(f"{_at(where, 'unknown')}{_unknown(name, list(readers))}")
        found = dict(none or {})
        for field in fields(kind):
            if field.name in value:
                found[field.name] = readers[field.name](value[field.name], f"{where}.{field.name}".lstrip("."))
            elif field.name not in found and field.default is MISSING:
                raise PlanError(f"{_at(where, 'missing')}`{field.name}` is missing.")
        return kind(**found)

    return read


def _at(where: str, what: str) -> str:
    return f"{where}: " if where else f"The plan has something {what}: "


def _unknown(name: str, known: list[str]) -> str:
    near = get_close_matches(name[:100], known, n=1)
    told = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}."
    return f"there is no `{printable(name[:60])}`; {told}"


def _each(reader: Reader) -> Reader:
    """Reads a list; the parts are counted from 1, as people do."""

    def read(value: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise PlanError(f"{where} has to be a list.")
        return tuple(reader(one, f"{where} {number}") for number, one in enumerate(value, 1))

    return read


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PlanError(f"{where} has to be a number.")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise PlanError(f"{where} has to be a finite number.")
    return found


def _whole(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 1_000_000:
        raise PlanError(f"{where} has to be a whole number.")
    return value


def _string(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise PlanError(f"{where} has to be text in quotes.")
    return value


def _of(names: Iterable[str], reader: Reader) -> dict[str, Reader]:
    return dict.fromkeys(names, reader)


_GRID: dict[str, Reader] = {
    "beats_s": _each(_number),
    "first_downbeat": _whole,
    "metre": _whole,
    "tempo_bpm": _number,
}
_SEGMENT = {field.name: _number for field in fields(Segment)} | {
    "label": _string,
    "reason": _string,
    "vocal_beat": _whole,
    "beat": _whole,
}
_BAND: dict[str, Reader] = {"kind": _string, "frequency_hz": _number, "gain_db": _number, "q": _number}
_FIT_NONE = dict.fromkeys(("harmonic", "rhythmic", "room", "energy", "overlap"))
_read_source = _record(
    Source,
    {
        "name": _string,
        "title": _string,
        "sha256": _string,
        "layers": _each(_string),
        "key": _string,
        "grid": _record(Grid, _GRID),
    },
    none={"key": None},
)
