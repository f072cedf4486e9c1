"""Profiles made of tracks, and the files `library/profiles/<name>.toml` that keep a workspace's own."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from processor.config import OWN_NAME, is_corridor
from processor.errors import WrongUsage
from processor.feedback.genres import GENERAL, genres
from processor.feedback.tone import (
    CENTRES_HZ,
    FIRST_THIRD,
    Corridor,
    Profile,
    Vector,
    judged_levels,
    level_shift,
    nominal_hz,
    sounds_enough,
)
from processor.files import printable, write_atomically
from processor.record import Results
from processor.workspace import Workspace

FOLDER_NAME = "profiles"
SUFFIX = ".toml"
MAX_FILE_BYTES = 65_536
PERCENTILES = (10, 50, 90)
# A corridor is at least so wide to either side of its middle, in the unit of the field, however alike the tracks are:
# what one can hear, or what one song differs from the next of the same record. So one reference is a corridor, too.
LEAST_HALF_WIDTH: Mapping[str, float] = {
    "loudness.integrated_lufs": 1.0,
    "loudness.range_lu": 2.0,
    "loudness.plr_db": 1.5,
    "loudness.psr_median_db": 1.5,
    "levels.dr": 2.0,
    "levels.crest_factor_db": 1.5,
    "spectrum.tilt_db_per_octave": 0.5,
    "stereo.width": 5.0,
    "stereo.correlation": 0.1,
}
# And so much of the width of "general" in each third-octave: 2.5 dB in the middle, 6.5 dB at 25 Hz.
LEAST_TONE_WIDTH = 0.5
# A measure or a third-octave counts if this share of the tracks has it.
LEAST_SHARE = 0.5
_ROUNDS = 4


def profile_of(name: str, title: str, results: Sequence[Results], source: str) -> Profile:
    """The corridor of some tracks: percentiles of each measure, but no narrower than LEAST_HALF_WIDTH says.

    Args:
        name: its name, `[a-z0-9-]`.
        title: what a person calls it.
        results: each track's results.
        source: which tracks they are, in words.

    Raises:
        WrongUsage: none of the tracks has a tonal balance, or is there at all.
    """
    general = genres()[GENERAL].profile
    half = (np.array(general.tone_high_db) - np.array(general.tone_low_db)) / 2
    curves = _curves(results)
    if not len(curves):
        raise WrongUsage("None of these tracks has a tonal balance to make a profile of: too little sounds in them.")
    levelled = _levelled(curves, np.array(general.tone_middle_db), half)
    kept = np.isfinite(levelled).mean(axis=0) >= LEAST_SHARE
    low, middle, high = np.nanpercentile(levelled[:, kept], PERCENTILES, axis=0)
    least = LEAST_TONE_WIDTH * half[kept]
    return Profile(
        name=name,
        title=title,
        confidence="measured",
        source=source,
        tracks=len(curves),
        ranges=_ranges(results),
        centres_hz=tuple(hz for hz, is_kept in zip(CENTRES_HZ, kept, strict=True) if is_kept),
        tone_low_db=_rounded(np.minimum(low, middle - least)),
        tone_middle_db=_rounded(middle),
        tone_high_db=_rounded(np.maximum(high, middle + least)),
    )


def _curves(results: Iterable[Results]) -> Vector:
    """Third-octave levels of those that have enough, NaN where there is none, shape `(tracks, 29)`."""
    rows = []
    for one in results:
        spectrum = one.get("spectrum")
        levels = {} if spectrum is None else judged_levels(spectrum)
        if sounds_enough(levels):
            rows.append([levels.get(FIRST_THIRD + k, math.nan) for k in range(len(CENTRES_HZ))])
    return np.array(rows).reshape(-1, len(CENTRES_HZ))


def _levelled(curves: Vector, reference: Vector, half_width: Vector) -> Vector:
    """The curves, each brought to the level of their median, which lies as high as the reference."""
    target = reference
    levelled = curves
    for _ in range(_ROUNDS):
        levelled = np.array([row - _shift(row - target, half_width) for row in curves])
        target = np.nanmedian(np.where(np.isfinite(levelled).any(axis=0), levelled, reference), axis=0)
    return np.asarray(levelled - _shift(target - reference, half_width))


def _shift(difference: Vector, half_width: Vector) -> float:
    known = np.isfinite(difference)
    shift = level_shift(np.array(CENTRES_HZ)[known], difference[known], half_width[known])
    return 0.0 if shift is None else shift


def _ranges(results: Sequence[Results]) -> dict[str, Corridor]:
    ranges = {}
    for field, least in LEAST_HALF_WIDTH.items():
        analyser, _, column = field.partition(".")
        values = [getattr(one.get(analyser), column, None) for one in results]
        known = [float(value) for value in values if value is not None and math.isfinite(value)]
        if known and len(known) >= LEAST_SHARE * len(values):
            low, middle, high = (float(value) for value in np.percentile(known, PERCENTILES))
            corridor = (min(low, middle - least), middle, max(high, middle + least))
            ranges[field] = Corridor(*_rounded(corridor))
    return ranges


def _rounded(values: Sequence[float] | Vector) -> tuple[float, ...]:
    return tuple(round(float(value), 2) + 0.0 for value in values)


def folder_of(workspace: Workspace) -> Path:
    """Where a workspace keeps its own profiles."""
    return workspace.library / FOLDER_NAME


def own_profiles(workspace: Workspace) -> dict[str, Profile]:
    """The workspace's own profiles by name.

    Raises:
        WrongUsage: a file is no profile; the message names it and what is wrong.
    """
    paths = sorted(path for path in folder_of(workspace).glob(f"[!.]*{SUFFIX}") if path.is_file())
    return {path.stem: read_profile(path) for path in paths}


def write_profile(workspace: Workspace, profile: Profile) -> Path:
    """Keep a profile of one's own, whole or not at all; the same profile gives the same bytes."""
    path = folder_of(workspace) / f"{profile.name}{SUFFIX}"
    write_atomically(path, to_toml(profile))
    return path


def to_toml(profile: Profile) -> str:
    """A profile as a file that a person can read and change."""
    lines = [
        "# A profile of Liner Notes, made by `linernotes profile make`; `linernotes profile show` prints it.",
        "# Corridors are [10th percentile, median, 90th percentile]. Change any number, or delete the file.",
        f"title = {_text(profile.title)}",
        f"source = {_text(profile.source)}",
        f"confidence = {_text(profile.confidence)}",
        f"tracks = {profile.tracks}",
        "",
        "[ranges]",
    ]
    lines += [f'"{field}" = [{_list((one.low, one.middle, one.high))}]' for field, one in profile.ranges.items()]
    lines += ["", "# Third-octave levels in dB at [Hz]; only the shape counts.", "[tone]"]
    lines += [
        f'"{nominal_hz(hz):g}" = [{_list(levels)}]'
        for hz, *levels in zip(
            profile.centres_hz, profile.tone_low_db, profile.tone_middle_db, profile.tone_high_db, strict=True
        )
    ]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    return json.dumps(printable(text), ensure_ascii=False)


def _list(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def read_profile(path: Path) -> Profile:
    """Read a profile of one's own.

    Raises:
        WrongUsage: it is none; the message says what is wrong.
    """
    try:
        if not OWN_NAME.fullmatch(path.stem):
            raise ValueError("its name is made of a to z, 0 to 9 and hyphens, at most 60")
        content = path.read_bytes()
        if len(content) > MAX_FILE_BYTES:
            raise ValueError(f"it is larger than {MAX_FILE_BYTES} bytes")
        return _from_table(path.stem, tomllib.loads(content.decode()))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise WrongUsage(f"{printable(str(path))} is no profile: {reason}. Mend or delete it.") from error


def _from_table(name: str, table: Mapping[str, Any]) -> Profile:
    tones = _corridors(table, "tone")
    centres = {f"{nominal_hz(hz):g}": hz for hz in CENTRES_HZ}
    wrong = [key for key in tones if key not in centres]
    if wrong or not tones:
        raise ValueError(f"`tone` has no third-octave `{wrong[0]}`" if wrong else "`tone` is empty")
    ordered = sorted((centres[key], corridor) for key, corridor in tones.items())
    tracks = table.get("tracks", 0)
    if not isinstance(tracks, int) or tracks < 0:
        raise ValueError("`tracks` is not a number of tracks")
    return Profile(
        name=name,
        title=_line(table, "title"),
        confidence=_line(table, "confidence"),
        source=_line(table, "source"),
        tracks=tracks,
        ranges=_corridors(table, "ranges"),
        centres_hz=tuple(hz for hz, _ in ordered),
        tone_low_db=tuple(one.low for _, one in ordered),
        tone_middle_db=tuple(one.middle for _, one in ordered),
        tone_high_db=tuple(one.high for _, one in ordered),
    )


def _line(table: Mapping[str, Any], key: str) -> str:
    text = table.get(key)
    if not isinstance(text, str):
        raise ValueError(f"`{key}` is missing or no text")
    return printable(text)


def _corridors(table: Mapping[str, Any], key: str) -> dict[str, Corridor]:
    values = table.get(key, {})
    if not isinstance(values, dict):
        raise ValueError(f"`{key}` is no table")
    found = {}
    for name, corridor in values.items():
        if not is_corridor(corridor):
            raise ValueError(f'`{key}."{name}"` is not [10th percentile, median, 90th percentile]')
        found[printable(name)] = Corridor(*(float(value) for value in corridor))
    return found
