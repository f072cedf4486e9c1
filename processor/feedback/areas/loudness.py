"""Loudness: against the platform, against such music, and over the piece."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from processor.feedback.advice import Advice, Evidence, Mix, Step, evidence, signed
from processor.feedback.areas._findings import clock, corridor, finding, places, seconds_where, strength
from processor.feedback.platforms import outcome
from processor.feedback.rules import rule

Curve = NDArray[np.float64]

LUFS = "loudness.integrated_lufs"
TRUE_PEAK = "loudness.true_peak_dbtp"
# R 128 lets a live programme deviate by 1 LU: so much is not worth a word.
TOLERANCE_LU = 1.0
# A platform undoes what is too loud. What is lost is headroom: 2 dB of it are noticed as one step.
LOUD_STEP_LU = 2.0
# What is too quiet only needs gain, and mixes that wait for mastering lie a few LU under the target.
QUIET_LU, QUIET_STEP_LU = 3.0, 3.0
# Such headroom as nobody misses.
UNUSED_DB = 1.0
# Less is 0.0 dB in words.
SHOWN_DB = 0.05
# A limiter that takes more than this at once is heard; a compressor before it then takes up to this much.
LIMITER_DB, COMPRESSOR_DB = 4.0, 3.0

# The same part came back within 1.5 LU in nine of ten recordings; 3 LU is a fader that was forgotten, or meant.
SAME_LU, SAME_STEP_LU = 3.0, 1.5
SHORTEST_SECTION_S, SURE_FORM = 8.0, 0.4
# The loudest 0.4 s of a second over the loudest of the five seconds before it and after it: in nine recordings of ten
# under 2.7 LU throughout.
JUMP_LU, JUMP_STEP_LU, JUMP_SIDE, JUMP_FLOOR_LU = 3.0, 2.0, 5, -30.0
# A beginning that stays so far under the rest for so long is not heard at the volume of the rest.
INTRO_LU, INTRO_S = 12.0, 6
INTRO_GAIN_DB = 3.0

_PLATFORM = "the platform's own target; tolerance of EBU R 128 (2020)"
_GENRE = "the profile's corridor, 10th to 90th percentile"
_CURVE = "EBU Tech 3341; limits measured on 76 recordings"


@rule(_PLATFORM)
def too_loud(mix: Mix) -> Iterator[Advice]:
    """Louder than the platform plays it, or than such music is."""
    lufs, target, usual = mix.get(LUFS), mix.platform.target_lufs, corridor(mix, LUFS)
    limit = target if target is not None else usual.high if usual else None
    if lufs is None or limit is None or lufs - limit <= TOLERANCE_LU:
        return
    over = lufs - limit
    # Where all such music is as loud, it is a choice that costs headroom, and no mistake.
    is_usual = target is not None and usual is not None and lufs <= usual.high + TOLERANCE_LU
    yield finding(
        "loudness.too_much",
        (over - TOLERANCE_LU) / LOUD_STEP_LU,
        f"{over:.1f} LU louder than {_whose(mix)}",
        _loud_text(mix, over),
        _level_evidence(mix, f"≤ {signed(limit + TOLERANCE_LU)}"),
        steps=[
            Step(
                "limiter",
                gain_db=-round(over, 1),
                threshold_db=mix.platform.ceiling_dbtp,
                note="less gain into it; true-peak mode",
            )
        ],
        most="warning" if is_usual else "fault",
    )


def _loud_text(mix: Mix, over: float) -> str:
    if mix.platform.target_lufs is None:
        return f"It stands {over:.1f} LU above most {mix.profile.title}: a limiter that works this hard is heard."
    text = f"{mix.platform.title} turns it down by {over:.1f} dB"
    peak, plr = mix.get(TRUE_PEAK), mix.get("loudness.plr_db")
    unused = 0.0 if peak is None else mix.platform.ceiling_dbtp - (peak - over)
    if plr is None or unused < UNUSED_DB:
        return f"{text}. Its peaks then still reach the ceiling, so that it loses nothing but level."
    return (
        f"{text}. Its peaks then stop {unused:.1f} dB under the ceiling: what was limited, down to {plr:.1f} dB from "
        "peak to loudness, makes nothing louder there and costs attack."
    )


@rule(_PLATFORM)
def too_quiet(mix: Mix) -> Iterator[Advice]:
    """Quieter than the platform plays music, and than such music is."""
    lufs, target, usual = mix.get(LUFS), mix.platform.target_lufs, corridor(mix, LUFS)
    if lufs is None or (target is None and usual is None):
        return
    limit = min(math.inf if target is None else target - QUIET_LU, usual.low if usual else math.inf)
    if lufs >= limit:
        return
    gain = min(math.inf if target is None else target, usual.middle if usual else math.inf) - lufs
    yield finding(
        "loudness.too_little",
        (limit - lufs) / QUIET_STEP_LU,
        f"{gain:.1f} LU quieter than {_whose(mix)}",
        _quiet_text(mix, lufs),
        _level_evidence(mix, f"≥ {signed(limit)}"),
        steps=gain_steps(mix, gain),
    )


def _quiet_text(mix: Mix, lufs: float) -> str:
    text = f"At {signed(lufs)} LUFS it sounds quieter than what plays before and after it."
    what = outcome(mix.results, mix.platform)
    if mix.platform.target_lufs is None or what.gain_db is None or what.ends_at_lufs is None:
        return text
    if what.gain_db <= 0:
        return f"{text} {mix.platform.title} turns nothing up."
    return f"{text} {mix.platform.title} turns it up by {what.gain_db:.1f} dB, to {signed(what.ends_at_lufs)} LUFS."


def gain_steps(mix: Mix, gain_db: float) -> tuple[Step, ...]:
    """Gain, a limiter for what it pushes over the ceiling, and a compressor before them where that is a lot."""
    ceiling, peak = mix.platform.ceiling_dbtp, mix.get(TRUE_PEAK)
    over = 0.0 if peak is None else max(0.0, peak + gain_db - ceiling)
    loudest = mix.get("loudness.short_term_max_lufs")
    steps = []
    if over > LIMITER_DB and loudest is not None:
        # 2:1 takes off half of what is over its threshold, which therefore lies twice that under the loud passages.
        taken = min(over - LIMITER_DB, COMPRESSOR_DB)
        steps.append(
            Step(
                "compressor",
                ratio=2,
                threshold_db=round(loudest - 2 * taken, 1),
                attack_ms=30,
                release_ms=150,
                note=f"about {taken:.1f} dB off the loud passages, before the gain",
            )
        )
    steps.append(Step("gain", gain_db=round(gain_db, 1)))
    if over:
        note = f"true-peak mode, up to {over:.1f} dB of reduction"
        steps.append(Step("limiter", threshold_db=ceiling, attack_ms=1, release_ms=60, note=note))
    return tuple(steps)


def _whose(mix: Mix) -> str:
    if mix.platform.target_lufs is not None:
        return f"{mix.platform.title} plays it"
    return f"most {mix.profile.title}"


def _level_evidence(mix: Mix, limit: str) -> tuple[Evidence, ...]:
    usual = corridor(mix, LUFS)
    found = []
    if mix.platform.target_lufs is not None:
        found.append(evidence(mix, LUFS, limit, mix.platform.source))
    if usual is not None:
        found.append(evidence(mix, LUFS, f"{signed(usual.low)} to {signed(usual.high)}", mix.profile.source))
    return (*found, evidence(mix, "loudness.plr_db", "about 13 at −14 LUFS and −1 dBTP", "AES TD1004"))


@rule(_GENRE)
def quieter_than_genre(mix: Mix) -> Iterator[Advice]:
    """Loud enough for the platform, but not for its neighbours where nothing is turned down."""
    lufs, target, usual = mix.get(LUFS), mix.platform.target_lufs, corridor(mix, LUFS)
    if lufs is None or target is None or usual is None or lufs < target - QUIET_LU:
        return  # what is too quiet for the platform is said already
    under = usual.low - lufs
    if under <= TOLERANCE_LU:
        return
    yield finding(
        "loudness.genre.too_little",
        (under - TOLERANCE_LU) / LOUD_STEP_LU,
        f"{under:.1f} LU quieter than most {mix.profile.title}",
        f"{mix.platform.title} evens this out. In a set, or in a player without levelling, it sounds quieter than its "
        "neighbours.",
        [evidence(mix, LUFS, f"{signed(usual.low)} to {signed(usual.high)}", mix.profile.source)],
        steps=gain_steps(mix, under),
        most="note",
    )


@rule(_CURVE)
def uneven_sections(mix: Mix) -> Iterator[Advice]:
    """The same music returns at another level."""
    sections, curve = mix.results.get("sections"), mix.get("loudness.short_term_lufs")
    if sections is None or curve is None or (sections.confidence or 0) < SURE_FORM:
        return
    parts: dict[str, list[tuple[float, float, float]]] = {}
    for (start, end), label in zip(sections.intervals_s.tolist(), sections.labels, strict=True):
        level = section_lufs(curve, start, end)
        if level is not None and end - start >= SHORTEST_SECTION_S:
            parts.setdefault(label, []).append((level, start, end))
    spread, label = max(((max(found)[0] - min(found)[0], label) for label, found in parts.items()), default=(0.0, ""))
    if spread <= SAME_LU:
        return
    quiet, loud = min(parts[label]), max(parts[label])
    yield finding(
        "loudness.sections",
        (spread - SAME_LU) / SAME_STEP_LU,
        f"Part {label} comes back {spread:.1f} LU apart",
        f"The same part has {signed(quiet[0])} LUFS at {clock(quiet[1])} and {signed(loud[0])} LUFS at "
        f"{clock(loud[1])}. If that is not meant as a build-up, a fader moved.",
        [_apart(mix, "loudness.short_term_lufs", f"within {SAME_LU:g} LU of each other", spread)],
        steps=[Step("gain", gain_db=round(spread / 2, 1), note=f"automation on the part at {clock(quiet[1])}")],
        times_s=places(np.array([quiet[1:], loud[1:]])),
        most="note",  # a part may come back bigger on purpose
    )


def _apart(mix: Mix, field: str, limit: str, difference_lu: float) -> Evidence:
    """Evidence of a difference between values of a curve: that is no level."""
    return replace(evidence(mix, field, limit, _CURVE, round(difference_lu, 1)), unit="LU")


def section_lufs(curve: Curve, start_s: float, end_s: float) -> float | None:
    """Loudness of a passage, from the 3 s windows that lie in it; None if there is none."""
    inside = curve[int(np.ceil(start_s)) : max(0, int(end_s) - 2)]
    inside = inside[np.isfinite(inside)]
    return float(10 * np.log10(np.mean(10 ** (inside / 10)))) if inside.size else None


@rule(_CURVE)
def jump(mix: Mix) -> Iterator[Advice]:
    """A moment that is far louder than what is around it."""
    curve = mix.get("loudness.momentary_lufs")
    over = np.zeros(0) if curve is None else jumps_lu(curve)
    highest = float(over.max(initial=0.0))
    if highest <= JUMP_LU:
        return
    yield finding(
        "loudness.jump.too_much",
        (highest - JUMP_LU) / JUMP_STEP_LU,
        f"A jump of {highest:.1f} LU at {clock(float(np.argmax(over)))}",
        "One moment stands far above the seconds before and after it. It startles, and the whole mix has to stay lower "
        "for its sake.",
        [_apart(mix, "loudness.momentary_lufs", f"≤ {JUMP_LU:g} LU over its surroundings", highest)],
        steps=[Step("gain", gain_db=-round(highest - JUMP_LU / 2, 1), note="automation on this moment")],
        times_s=places(seconds_where(over > JUMP_LU)),
    )


def jumps_lu(curve: Curve) -> Curve:
    """How far each second's loudest moment stands over all others within 5 s before it, and after it.

    Both sides count for themselves: music that becomes louder and stays so does not jump, nor does what begins after
    a pause.
    """
    levels = np.where(np.isfinite(curve), curve, -np.inf)
    floor = levels.max(initial=-np.inf) + JUMP_FLOOR_LU
    over = np.zeros(levels.size)
    for at in range(2, levels.size - 2):
        before, after = levels[max(0, at - 1 - JUMP_SIDE) : at - 1], levels[at + 2 : at + 2 + JUMP_SIDE]
        if min(before.max(), after.max()) > floor:
            over[at] = max(0.0, levels[at] - max(before.max(), after.max()))
    return over


@rule(_CURVE)
def quiet_intro(mix: Mix) -> Iterator[Advice]:
    """A beginning that one does not hear at the volume of the rest."""
    lufs, curve = mix.get(LUFS), mix.get("loudness.short_term_lufs")
    if lufs is None or curve is None:
        return
    levels = np.where(np.isfinite(curve), curve, -np.inf)
    length = int(np.argmax(levels > lufs - INTRO_LU))
    if length < INTRO_S:
        return
    level = float(levels[:length].max())
    yield finding(
        "loudness.intro.too_little",
        (length - INTRO_S) / INTRO_S,
        f"The first {length} s stay far under the rest",
        f"Up to {clock(length)} it never comes nearer than {lufs - level:.0f} LU to the loudness of the whole. In a "
        "car or on a phone that is not heard.",
        [evidence(mix, "loudness.short_term_lufs", f"≥ {signed(lufs - INTRO_LU)} after {INTRO_S} s", _CURVE, level)],
        steps=[
            Step("gain", gain_db=INTRO_GAIN_DB, note=f"automation from 0:00 to {clock(length)}, or a shorter intro")
        ],
        times_s=((0.0, float(length)),),
        most="note",
    )


@rule(_PLATFORM)
def on_target(mix: Mix) -> Iterator[Advice]:
    """As loud as the platform plays it."""
    lufs, target = mix.get(LUFS), mix.platform.target_lufs
    if lufs is None or target is None or abs(lufs - target) > TOLERANCE_LU:
        return
    yield strength(
        "loudness.on_target",
        f"As loud as {mix.platform.title} plays it",
        f"{signed(lufs)} LUFS: {_play_text(mix)}",
        [evidence(mix, LUFS, f"{signed(target - 1)} to {signed(target + 1)}", mix.platform.source)],
        TOLERANCE_LU - abs(lufs - target),
    )


def _play_text(mix: Mix) -> str:
    gain = outcome(mix.results, mix.platform).gain_db
    if gain is None or abs(gain) < SHOWN_DB:
        return "it is played as it is."
    return f"{mix.platform.title} turns it {'up' if gain > 0 else 'down'} by {abs(gain):.1f} dB only."
