"""Whether a plan can be rendered: what any number in it may be, and that beats, cuts and segments fit together.

A plan is edited by hand and may come from anybody, so nothing in it is trusted. What passes here has a length, a
number of parts and a stretch that a renderer can bear.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from processor.analysis.key import parse_key
from processor.feedback.equaliser import BELL, HIGH_SHELF, LOW_SHELF, Band
from processor.files import printable
from processor.mashup.plan import (
    Fit,
    Grid,
    Plan,
    PlanError,
    Segment,
    Source,
    cut_starts_s,
    duration_s,
    mashup_beats_s,
    stretch,
    time_map,
)
from processor.mashup.stretching import STRETCHERS

Vector = NDArray[np.float64]

MOST_BEATS, MOST_CUTS, MOST_SEGMENTS, MOST_BANDS, MOST_TEXTS = 20_000, 500, 500, 16, 500
MOST_CHARACTERS, MOST_LAYERS = 4000, 16
# 20 minutes: a set of songs is no mashup, and every layer of it is held in memory.
LONGEST_S = 1200.0
SHORTEST_SEGMENT_S = 0.1
# How many times as long any beat may become; beyond that neither voices nor drums are themselves.
LEAST_STRETCH, MOST_STRETCH = 0.5, 2.0
MOST_SHIFT = 12.0
# What rounding may do to the edges of neighbours.
TOUCHING_S = 1e-6
BEATS_PER_BEAT = (0.5, 1.0, 2.0)
# What a number may be: lowest and highest.
RANGES: dict[str, tuple[float, float]] = {
    "tempo_bpm": (20.0, 400.0),
    "vocal_shift_semitones": (-MOST_SHIFT, MOST_SHIFT),
    "vocal_later_beats": (-4.0, 4.0),
    "instrumental_shift_semitones": (-MOST_SHIFT, MOST_SHIFT),
    "extra_semitones": (-MOST_SHIFT, MOST_SHIFT),
    "vocal_to_backing_lu": (-20.0, 20.0),
    "instrumental_gain_db": (-60.0, 60.0),
    "gate_below_lufs": (-120.0, 0.0),
    "target_lufs": (-40.0, -5.0),
    "ceiling_dbtp": (-20.0, 0.0),
    "gain_db": (-60.0, 60.0),
    "fade_in_s": (0.0, 30.0),
    "fade_out_s": (0.0, 30.0),
    "fit": (0.0, 1.0),
    "depth_db": (0.0, 24.0),
    "low_hz": (10.0, 24_000.0),
    "high_hz": (10.0, 24_000.0),
    "attack_s": (0.0005, 2.0),
    "release_s": (0.001, 10.0),
    "frequency_hz": (10.0, 40_000.0),
    "band gain_db": (-24.0, 24.0),
    "q": (0.1, 20.0),
    "beats_s": (-60.0, 86_400.0),
    "metre": (1, 16),
}
_LAYER = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def validate(plan: Plan, vocals_s: float | None = None, instrumental_s: float | None = None) -> Plan:
    """A plan that can be rendered: the one given, if it is.

    Args:
        plan: any.
        vocals_s: length of the vocals' file, where it is known; else their beats stand for it.
        instrumental_s: the same of the instrumental's.

    Raises:
        PlanError: which field is wrong, and what is allowed.
    """
    _numbers(plan)
    _source(plan.vocals, "vocals")
    _source(plan.instrumental, "instrumental")
    _cuts(plan, instrumental_s)
    _segments(plan, vocals_s)
    return plan


def between(value: float, name: str, where: str = "", limits: str | None = None) -> None:
    """Refuse a number that is not within its range.

    Raises:
        PlanError: it is not, or is no number.
    """
    low, high = RANGES[limits or name]
    if not (math.isfinite(value) and low <= value <= high):
        raise PlanError(f"{where}{name} = {value:g}: it has to be a number from {low:g} to {high:g}.")


def _at_most(parts: Sequence[object], most: int, name: str, least: int = 0) -> None:
    if not least <= len(parts) <= most:
        raise PlanError(f"{name}: there are {len(parts):,}; {least} to {most:,} are allowed.")


def _text(text: str, name: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise PlanError(f"{name} has {len(text):,} characters; at most {MOST_CHARACTERS:,} are allowed.")


def _numbers(plan: Plan) -> None:
    for name in (
        "tempo_bpm",
        "vocal_shift_semitones",
        "instrumental_shift_semitones",
        "vocal_to_backing_lu",
        "instrumental_gain_db",
        "target_lufs",
        "ceiling_dbtp",
    ):
        between(getattr(plan, name), name)
    if plan.vocal_beats_per_beat not in BEATS_PER_BEAT:
        raise PlanError(f"vocal_beats_per_beat = {plan.vocal_beats_per_beat:g}: it has to be 0.5, 1 or 2.")
    if plan.gate_below_lufs is not None:
        between(plan.gate_below_lufs, "gate_below_lufs")
    _bands(plan.vocal_bands, "vocal_bands")
    _bands(plan.instrumental_bands, "instrumental_bands")
    _fit(plan.fit)
    _duck(plan)
    _words(plan)


def _words(plan: Plan) -> None:
    for name, texts in (("reasons", plan.reasons), ("corrections", plan.corrections)):
        _at_most(texts, MOST_TEXTS, name)
        for text in texts:
            _text(text, name)
    _at_most(plan.rejections, MOST_TEXTS, "rejections")
    for one in plan.rejections:
        _text(one.what + one.why, "rejections")
    _text(plan.name, "name")
    _text(plan.chosen_by, "chosen_by")
    if plan.stretcher not in STRETCHERS:
        raise PlanError(f'stretcher = "{printable(plan.stretcher[:40])}": it has to be {" or ".join(STRETCHERS)}.')


def _bands(bands: Sequence[Band], name: str) -> None:
    _at_most(bands, MOST_BANDS, name)
    for number, band in enumerate(bands, 1):
        where = f"{name} {number}: "
        if band.kind not in (LOW_SHELF, BELL, HIGH_SHELF):
            raise PlanError(f'{where}kind = {band.kind!r}: it has to be "{LOW_SHELF}", "{BELL}" or "{HIGH_SHELF}".')
        between(band.frequency_hz, "frequency_hz", where)
        between(band.gain_db, "gain_db", where, "band gain_db")
        between(band.q, "q", where)


def _fit(fit: Fit) -> None:
    for name in ("score", "harmonic", "rhythmic", "room", "energy", "overlap"):
        value = getattr(fit, name)
        if value is not None:
            between(value, name, "fit: ", "fit")


def _duck(plan: Plan) -> None:
    if plan.duck is None:
        return
    for name in ("depth_db", "low_hz", "high_hz", "attack_s", "release_s"):
        between(getattr(plan.duck, name), name, "duck: ")
    if plan.duck.low_hz >= plan.duck.high_hz:
        raise PlanError(f"duck: low_hz = {plan.duck.low_hz:g} has to be less than high_hz = {plan.duck.high_hz:g}.")


def _source(source: Source, where: str) -> None:
    _text(source.name, f"{where}: name")
    if not source.name.strip(". ") or any(c in "/\\" or not c.isprintable() for c in source.name):
        raise PlanError(f"{where}: name has to be the id of a track or the name of a file, without its folders.")
    _text(source.title, f"{where}: title")
    if source.sha256 and not _SHA256.fullmatch(source.sha256):
        raise PlanError(f"{where}: sha256 has to be 64 digits from 0 to f.")
    _at_most(source.layers, MOST_LAYERS, f"{where}: layers", least=1)
    for layer in source.layers:
        if not _LAYER.fullmatch(layer):
            raise PlanError(f'{where}: layers: {layer!r} is no name of a layer, as "vocals" or "drums" is.')
    if len(set(source.layers)) < len(source.layers):
        raise PlanError(f"{where}: layers: one is named twice.")
    if source.key is not None:
        try:
            parse_key(source.key)
        except ValueError as error:
            raise PlanError(f"{where}: key: {error}") from None
    _grid(source.grid, where)


def _grid(grid: Grid, where: str) -> None:
    between(grid.tempo_bpm, "tempo_bpm", f"{where}: grid: ")
    between(grid.metre, "metre", f"{where}: grid: ")
    if not 0 <= grid.first_downbeat < grid.metre:
        raise PlanError(
            f"{where}: grid: first_downbeat = {grid.first_downbeat}: "
            f"it has to be from 0 to metre − 1 ({grid.metre - 1})."
        )
    _at_most(grid.beats_s, MOST_BEATS, f"{where}: grid: beats_s", least=2)
    beats = np.asarray(grid.beats_s, np.float64)
    low, high = RANGES["beats_s"]
    if not (np.isfinite(beats).all() and beats.min() >= low and beats.max() <= high):
        raise PlanError(f"{where}: grid: beats_s have to be numbers from {low:g} to {high:g}.")
    short = np.flatnonzero(np.diff(beats) < 60 / RANGES["tempo_bpm"][1] / 2)
    if short.size:
        at = int(short[0])
        raise PlanError(
            f"{where}: grid: beats_s have to rise by 0.075 s at least; "
            f"beat {at + 1} is {beats[at + 1]:g} after {beats[at]:g}."
        )


def _cuts(plan: Plan, instrumental_s: float | None) -> None:
    _at_most(plan.cuts, MOST_CUTS, "cuts", least=1)
    beats = plan.instrumental.grid.beats_s
    for number, cut in enumerate(plan.cuts, 1):
        if not 0 <= cut.first_beat < cut.end_beat <= len(beats):
            raise PlanError(
                f"cut {number}: from beat {cut.first_beat} to {cut.end_beat}: "
                f"it has to go up, within 0 to {len(beats)}."
            )
    if sum(cut.end_beat - cut.first_beat for cut in plan.cuts) > MOST_BEATS:
        raise PlanError(f"cuts: together they have more than {MOST_BEATS:,} beats.")
    if not LEAST_STRETCH <= stretch(plan) <= MOST_STRETCH:
        raise PlanError(
            f"tempo_bpm = {plan.tempo_bpm:g} is too far from the instrumental's {plan.instrumental.grid.tempo_bpm:g}: "
            f"half to twice of it is allowed."
        )
    if duration_s(plan) > LONGEST_S:
        raise PlanError(f"cuts: the mashup would last {duration_s(plan):,.0f} s; {LONGEST_S:,.0f} s are allowed.")
    _cuts_in_file(plan, instrumental_s)


def _cuts_in_file(plan: Plan, instrumental_s: float | None) -> None:
    if instrumental_s is None:
        return
    beat_s = 60 / plan.instrumental.grid.tempo_bpm
    for number, (start_s, end_s, _) in enumerate(cut_starts_s(plan), 1):
        if start_s >= instrumental_s or end_s > instrumental_s + 2 * beat_s:
            raise PlanError(
                f"cut {number}: from {start_s:.2f} to {end_s:.2f} s: the instrumental ends at {instrumental_s:.2f} s."
            )


def _segments(plan: Plan, vocals_s: float | None) -> None:
    _at_most(plan.segments, MOST_SEGMENTS, "segments", least=1)
    beats = np.asarray(plan.vocals.grid.beats_s)
    length = vocals_s if vocals_s is not None else float(beats[-1] + 4 * (beats[-1] - beats[-2]))
    mashup_s, places = mashup_beats_s(plan), []
    for number, segment in enumerate(plan.segments, 1):
        where = f'segment {number} ("{printable(segment.label[:40])}"): '
        _text(segment.label + segment.reason, f"{where}label and reason")
        _segment(plan, segment, where, length)
        places.append((where, *_mapped(plan, segment, mashup_s, where)))
    for (before, _, end_s), (where, start_s, _) in pairwise(places):
        if start_s < end_s - TOUCHING_S:
            raise PlanError(
                f"{where}it begins at {start_s:.2f} s of the mashup, before {before}ends at {end_s:.2f} s; "
                "no two may be sung at once, and they stand in the order of time."
            )


def _segment(plan: Plan, segment: Segment, where: str, length_s: float) -> None:
    for name in ("extra_semitones", "gain_db", "fade_in_s", "fade_out_s", "fit"):
        between(getattr(segment, name), name, where)
    if not (math.isfinite(segment.start_s) and math.isfinite(segment.end_s)):
        raise PlanError(f"{where}start_s and end_s have to be numbers.")
    if segment.start_s < 0 or segment.end_s > length_s + TOUCHING_S:
        raise PlanError(
            f"{where}from {segment.start_s:g} to {segment.end_s:g} s: it has to lie within 0 to {length_s:.2f} s."
        )
    if segment.end_s - segment.start_s < SHORTEST_SEGMENT_S:
        raise PlanError(f"{where}end_s has to be {SHORTEST_SEGMENT_S:g} s after start_s, or more.")
    if segment.fade_in_s + segment.fade_out_s > segment.end_s - segment.start_s:
        raise PlanError(f"{where}its fades are longer than itself.")
    if abs(plan.vocal_shift_semitones + segment.extra_semitones) > MOST_SHIFT:
        raise PlanError(f"{where}with extra_semitones the vocals are shifted by more than {MOST_SHIFT:g} semitones.")
    if not 0 <= segment.vocal_beat < len(plan.vocals.grid.beats_s):
        raise PlanError(
            f"{where}vocal_beat = {segment.vocal_beat}: the vocals have beats 0 to {len(plan.vocals.grid.beats_s) - 1}."
        )


def _mapped(plan: Plan, segment: Segment, mashup_s: Vector, where: str) -> tuple[float, float]:
    """Start and end of a segment in the mashup, in seconds, when every beat of it can be played there."""
    if not 0 <= segment.beat < mashup_s.size:
        raise PlanError(f"{where}beat = {segment.beat}: the mashup has beats 0 to {mashup_s.size - 1}.")
    source, target = time_map(plan, segment, mashup_s)
    start_s, end_s = float(target[0]), float(target[-1])
    if start_s < -TOUCHING_S or end_s > float(mashup_s[-1]) + TOUCHING_S:
        raise PlanError(
            f"{where}it would sound from {start_s:.2f} to {end_s:.2f} s of the mashup, which lasts from 0 to "
            f"{mashup_s[-1]:.2f} s."
        )
    lengths = np.diff(source)
    ratios = np.diff(target)[lengths > 1e-3] / lengths[lengths > 1e-3]
    if ratios.size and not (ratios.min() >= LEAST_STRETCH and ratios.max() <= MOST_STRETCH):
        worst = float(ratios.max() if ratios.max() > MOST_STRETCH else ratios.min())
        raise PlanError(
            f"{where}a beat of it would become {worst:.2f} times as long; "
            f"{LEAST_STRETCH:g} to {MOST_STRETCH:g} is allowed."
        )
    return start_s, end_s
