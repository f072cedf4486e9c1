"""Dynamics: what compressors and limiters did, or did not, over the piece and from beat to beat."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from processor.feedback.advice import Advice, Evidence, Mix, Step, evidence, signed
from processor.feedback.areas._findings import corridor, finding, places, seconds_where, strength
from processor.feedback.rules import rule

PSR, PLR, LRA = "loudness.psr_median_db", "loudness.plr_db", "loudness.range_lu"
# Peak to short-term loudness: 8 is limited, 10 competitive, 12 balanced, 14 wide (mastering practice).
# Of 76 recordings the tenth percentile is 10.1, the ninetieth 15.6.
LIMITED_PSR_DB, BALANCED_PSR_DB = 9.3, (10.5, 15.0)
STEP_DB = 1.0
# A fast compressor lets the first millisecond through, so that its work shows in what follows: the level stands still
# (density), attacks do not rise out of it, and passages do not differ. Each counts in steps from where few of 76
# recordings begin; one alone is a style, all of them are a compressor.
DENSE, DENSE_STEP = 88.0, 6.0
SOFT_ATTACK_DB, ATTACK_STEP_DB = 4.5, 1.5
EVEN_LU, EVEN_STEP_LU = 1.5, 1.0
LOW_PSR_DB, PSR_STEP_DB = 11.0, 1.5
LEAST_WITNESS, MOST_WITNESS = -1.0, 2.0
SQUASHED, SQUASH_STEP = 1.5, 1.0

# Two windows in a row are a passage that stands against the limiter.
WALL_PSR_DB, WALL_S, WINDOW_S = 8.0, 4.0, 3.0
# What lies so far under the loudest passage reaches no limiter: it is steady by itself, as a pad or hiss is.
WALL_LU = 6.0
# Over this the peaks keep a mix from becoming as loud as others.
WIDE_PSR_DB, WIDE_PLR_DB = 15.0, 18.0
# Quiet passages get lost against the noise of a car or a street.
WIDE_LU, WIDE_STEP_LU = 14.0, 3.0
FLAT_LU, FLAT_STEP_LU = 2.0, 1.0
# The gain itself moves about twice as far as the dip that is measured. Three of 57 mixes have more.
# Below half-sure it is a question, and no fault.
PUMP_DB, PUMP_STEP_DB, PUMP_HINT, PUMP_SURE = 1.2, 1.0, 0.1, 0.5

_PSR_SOURCE = "AES TD1004 (PLR, PSR); limits measured on 76 recordings"
_DENSITY_SOURCE = "measured on 76 recordings and on the same compressed 8:1"
_LRA_SOURCE = "EBU Tech 3342; limits measured on 76 recordings"


@rule(_PSR_SOURCE)
def over_compressed(mix: Mix) -> Iterator[Advice]:
    """Peaks limited away, or movement pressed flat, on the whole."""
    limited, squashed = limiting(mix), squash(mix)
    weight = max(limited, squashed)
    if weight <= 0:
        return
    psr = mix.get(PSR)
    missing = round(max(1.0, BALANCED_PSR_DB[0] - psr, squashed), 1)
    found = [evidence(mix, PSR, f"≥ {LIMITED_PSR_DB:g}", _PSR_SOURCE), *_usual(mix, PLR), *_usual(mix, "levels.dr")]
    if squashed > 0:
        found += [
            evidence(mix, "production.density", f"≤ {DENSE:g}", _DENSITY_SOURCE),
            evidence(mix, "transients.attack_strength_db", f"≥ {SOFT_ATTACK_DB:g}", _DENSITY_SOURCE),
        ]
    yield finding(
        "dynamics.compression.too_much",
        weight,
        "Over-compressed" if squashed > limited else "Limited too hard",
        _pressed_text(psr, limited, squashed),
        found,
        steps=_less_compression(mix, missing, squashed > limited),
    )


def limiting(mix: Mix) -> float:
    """How far the usual distance from peak to loudness lies under the limit, in steps of 1 dB; 0 and less is fine."""
    psr, usual = mix.get(PSR), corridor(mix, PSR)
    if psr is None:
        return 0.0
    limit = LIMITED_PSR_DB if usual is None else min(LIMITED_PSR_DB, usual.low)
    return float((limit - psr) / STEP_DB)


def squash(mix: Mix) -> float:
    """How surely a compressor holds everything down, from four witnesses; 0 and less is fine."""
    values = [mix.get(name) for name in (PSR, "production.density", "transients.attack_strength_db", LRA)]
    if any(value is None for value in values):
        return 0.0
    psr, density, attack, spread = values
    steps = [
        (LOW_PSR_DB - psr) / PSR_STEP_DB,
        (density - DENSE) / DENSE_STEP,
        (SOFT_ATTACK_DB - attack) / ATTACK_STEP_DB,
        (EVEN_LU - spread) / EVEN_STEP_LU,
    ]
    return float((np.clip(steps, LEAST_WITNESS, MOST_WITNESS).sum() - SQUASHED) / SQUASH_STEP)


def _pressed_text(psr: float, limited: float, squashed: float) -> str:
    if squashed > limited:
        return (
            "The level stands still: attacks hardly rise out of it, and nothing falls back behind them. It sounds "
            "small and tiring at any volume."
        )
    return f"Peaks stand only {psr:.1f} dB above the loudness around them: attacks are shaved off and it tires the ear."


def _less_compression(mix: Mix, missing_db: float, is_squashed: bool) -> list[Step]:
    if not is_squashed:
        note = "less gain into it; true-peak mode, and a clipper or two stages instead of one"
        return [Step("limiter", gain_db=-missing_db, threshold_db=mix.platform.ceiling_dbtp, release_ms=100, note=note)]
    loudest = mix.get("loudness.short_term_max_lufs")
    return [
        Step(
            "compressor",
            ratio=2,
            # 2:1 takes off half of what is over the threshold: 2 dB of reduction on the loudest passages.
            threshold_db=None if loudest is None else round(loudest - 4, 1),
            attack_ms=30,
            release_ms=150,
            note="on the mix bus, in place of the one that holds everything down: at most 2 dB of reduction",
        )
    ]


def _usual(mix: Mix, field: str) -> list[Evidence]:
    usual = corridor(mix, field)
    return [] if usual is None else [evidence(mix, field, f"{usual.low:.1f} to {usual.high:.1f}", mix.profile.source)]


@rule(_PSR_SOURCE)
def brick_walled(mix: Mix) -> Iterator[Advice]:
    """Passages without any peaks left, in a piece that has them elsewhere."""
    ratios = psr_curve(mix)
    if ratios.size:
        curve = mix.get("loudness.short_term_lufs")[: ratios.size]
        ratios = np.where(curve >= np.nanmax(curve, initial=-np.inf) - WALL_LU, ratios, np.nan)
    passages = seconds_where(ratios < WALL_PSR_DB, WINDOW_S)
    passages = passages[passages[:, 1] - passages[:, 0] >= WALL_S]
    if not len(passages) or limiting(mix) > 0:
        return  # as a whole it is said already
    lowest = float(np.nanmin(ratios))
    seconds = float((passages[:, 1] - passages[:, 0]).sum())
    yield finding(
        "dynamics.brick_wall.too_much",
        (WALL_PSR_DB - lowest) / STEP_DB,
        f"{seconds:.0f} s against the limiter",
        f"In {len(passages)} of its passages peaks stand down to {lowest:.1f} dB above the loudness, while the rest "
        "has room: the loudest parts get smaller instead of bigger.",
        [evidence(mix, "loudness.psr_min_db", f"≥ {WALL_PSR_DB:g}", _PSR_SOURCE)],
        steps=[Step("gain", gain_db=-round(WALL_PSR_DB + 1 - lowest, 1), note="automation before the limiter, there")],
        times_s=places(passages),
        most="warning",
    )


def psr_curve(mix: Mix) -> NDArray[np.float64]:
    """True peak over short-term loudness of each window of 3 s; NaN where it is silent."""
    curve, peaks = mix.get("loudness.short_term_lufs"), mix.get("loudness.true_peaks_dbtp")
    if curve is None or peaks is None or not curve.size:
        return np.zeros(0)
    count = min(curve.size, peaks.size)
    padded = np.concatenate([peaks, np.full(2, np.nan)])
    highest = np.fmax(np.fmax(padded[:count], padded[1 : count + 1]), padded[2 : count + 2])
    ratios: NDArray[np.float64] = highest - curve[:count]
    return ratios


@rule(_PSR_SOURCE)
def too_dynamic(mix: Mix) -> Iterator[Advice]:
    """Peaks so high over the loudness that the target cannot be reached without work."""
    psr, plr, target = mix.get(PSR), mix.get(PLR), mix.platform.target_lufs
    if psr is None or plr is None or target is None:
        return
    usual = corridor(mix, PLR)
    limit = WIDE_PLR_DB if usual is None else max(WIDE_PLR_DB, usual.high)
    room = mix.platform.ceiling_dbtp - target
    if plr <= limit or psr <= WIDE_PSR_DB:
        return
    excess, loudest = plr - room, mix.get("loudness.short_term_max_lufs")
    steps = [
        Step(
            "compressor",
            ratio=2.5,
            threshold_db=None if loudest is None else round(loudest, 1),
            attack_ms=10,
            release_ms=120,
            note="on the drum bus first: 2 to 4 dB on the peaks",
        ),
        Step(
            "limiter",
            threshold_db=mix.platform.ceiling_dbtp,
            note=f"{excess:.1f} dB from peak to ceiling at {signed(target)} LUFS: half by clipping, half by limiting",
        ),
    ]
    yield finding(
        "dynamics.compression.too_little",
        (plr - limit) / (2 * STEP_DB),
        f"Peaks {plr:.0f} dB above the loudness",
        f"At {mix.platform.title}'s level its peaks would stand {excess:.1f} dB over the ceiling. Single drum hits "
        "hold the whole mix down.",
        [evidence(mix, PLR, f"≤ {limit:.1f}", _PSR_SOURCE), evidence(mix, PSR, "10 to 14", _PSR_SOURCE)],
        steps=steps,
        most="warning",
    )


@rule("depth of the level's swing with the beat; limits measured on 76 recordings")
def pumping(mix: Mix) -> Iterator[Advice]:
    """The whole mix breathes with the kick."""
    depth, rate, sure = (mix.get(f"pumping.{name}") for name in ("depth_db", "rate_hz", "confidence"))
    usual = corridor(mix, "pumping.depth_db")
    limit = PUMP_DB if usual is None else max(PUMP_DB, usual.high)
    if depth is None or sure is None or depth <= limit or sure < PUMP_HINT:
        return
    period_ms = 1000 / rate if rate else None
    yield finding(
        "dynamics.pumping.too_much",
        (depth - limit) / PUMP_STEP_DB,
        f"Pumps by {depth:.1f} dB",
        "All that sounds between the beats falls and rises with them. As a side-chain effect that is style; from a "
        "compressor on the mix it sounds like breathing.",
        [
            evidence(mix, "pumping.depth_db", f"≤ {limit:.1f}", "measured on 76 recordings"),
            evidence(mix, "pumping.rate_hz", "the beat", "measured on 76 recordings"),
        ],
        steps=[
            Step("high-pass", frequency_hz=120, note="in the side chain of the mix-bus compressor"),
            Step(
                "compressor",
                ratio=1.5,
                attack_ms=30,
                # It has to be back before the next beat, or faster than the swing that is heard.
                release_ms=None if period_ms is None else float(min(200, round(period_ms / 4, -1))),
                note=f"at most {depth / 3:.1f} dB of reduction on the mix bus",
            ),
        ],
        most="fault" if sure >= PUMP_SURE else "warning",
    )


@rule(_LRA_SOURCE)
def wide_range(mix: Mix) -> Iterator[Advice]:
    """Quiet passages so far under the loud ones that they get lost on the way."""
    value, usual = mix.get(LRA), corridor(mix, LRA)
    limit = WIDE_LU if usual is None else usual.high
    if value is None or mix.get("loudness.range_is_short") or value <= limit:
        return
    yield finding(
        "dynamics.range.too_much",
        (value - limit) / WIDE_STEP_LU,
        f"A loudness range of {value:.0f} LU",
        "Quiet passages are lost in a car or on the street, or the loud ones are too loud there. In a quiet room that "
        "is no fault.",
        [evidence(mix, LRA, f"≤ {limit:.0f}", _LRA_SOURCE)],
        steps=[Step("gain", gain_db=round((value - limit) / 2 + 1, 1), note="automation on the quiet passages")],
        most="warning",
    )


@rule(_LRA_SOURCE)
def flat_range(mix: Mix) -> Iterator[Advice]:
    """A whole song without any loud and quiet passages."""
    value, usual = mix.get(LRA), corridor(mix, LRA)
    limit = FLAT_LU if usual is None else min(FLAT_LU, usual.low)
    if value is None or mix.get("loudness.range_is_short") or value >= limit:
        return
    yield finding(
        "dynamics.range.too_little",
        (limit - value) / FLAT_STEP_LU,
        f"A loudness range of only {value:.1f} LU",
        "From the first bar to the last it is equally loud: a chorus cannot lift off.",
        [evidence(mix, LRA, f"≥ {limit:g}", _LRA_SOURCE)],
        steps=[Step("gain", gain_db=-1.5, note="automation on the verses, before the bus compressor")],
        most="note",
    )


@rule(_PSR_SOURCE)
def healthy(mix: Mix) -> Iterator[Advice]:
    """Peaks neither shaved off nor in the way."""
    psr = mix.get(PSR)
    low, high = BALANCED_PSR_DB
    if psr is None or not low <= psr <= high or squash(mix) > 0:
        return
    yield strength(
        "dynamics.balanced",
        "Healthy dynamics",
        f"Peaks usually stand {psr:.1f} dB above the loudness around them: dense enough to hold together, with room "
        "for attacks.",
        [evidence(mix, PSR, f"{low:g} to {high:g}", _PSR_SOURCE)],
        min(psr - low, high - psr),
    )
