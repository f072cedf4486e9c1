"""Transients: how attacks rise out of the mix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from processor.feedback.advice import Advice, Mix, Step, evidence
from processor.feedback.areas._findings import clock, finding, strength
from processor.feedback.rules import rule

ATTACK, PUNCH, RATE = "transients.attack_strength_db", "transients.punch_db", "transients.onset_rate"
TIME = "transients.attack_time_s"
# Attacks are judged where there are enough of them to be drums or plucked notes, and not a pad.
BUSY_RATE = 1.0
# Of 76 recordings one in ten has an attack strength under 3 dB, one in ten a punch under 7.5 dB.
DULL_DB, DULL_STEP_DB = 3.0, 1.0
WEAK_PUNCH_DB, PUNCH_STEP_DB, BEAT_RATE = 7.0, 1.0, 2.0
# Six recordings of 76, most of them drums or speech alone, usually peak more than 16 dB above their loudness.
SPIKY_DB, SPIKY_PSR_DB, SPIKY_STEP_DB = 6.5, 16.0, 2.0
# One second over the 98th percentile of all: 3.6 dB at most in 76 recordings, under 1.2 in nine of ten.
STRAY_DB, STRAY_STEP_DB, STRAY_S, STRAY_SHARE = 2.5, 1.5, 20, 98
# A strength: sharp attacks, and a kick that stands out.
SHARP_DB, SHARP_S, PUNCHY_DB = (5.0, 12.0), 0.025, 10.0

_SOURCE = "limits measured on 76 recordings"


@rule(_SOURCE)
def dull(mix: Mix) -> Iterator[Advice]:
    """Attacks that do not rise out of what sounds before them."""
    strength_db, rate, time = mix.get(ATTACK), mix.get(RATE), mix.get(TIME)
    if strength_db is None or rate is None or rate < BUSY_RATE or strength_db >= DULL_DB:
        return
    found = [
        evidence(mix, ATTACK, f"≥ {DULL_DB:g}", _SOURCE),
        evidence(mix, RATE, f"≥ {BUSY_RATE:g} to judge", _SOURCE),
    ]
    attack_ms = 30.0 if time is None else float(min(50, max(10, round(1000 * time + 10, -1))))
    yield finding(
        "transients.attack.too_little",
        (DULL_DB - strength_db) / DULL_STEP_DB,
        "Soft attacks",
        f"Attacks rise only {strength_db:.1f} dB out of what sounds before them: drums and plucks sink into the mix.",
        found,
        steps=[
            Step(
                "transient shaper",
                gain_db=round(min(6.0, DULL_DB + 2 - strength_db), 1),
                note="attack, on the drum bus",
            ),
            Step(
                "compressor",
                ratio=3,
                attack_ms=attack_ms,
                release_ms=100,
                note="on drums: slower, so that attacks pass",
            ),
        ],
        most="warning",
    )


@rule(_SOURCE)
def weak_punch(mix: Mix) -> Iterator[Advice]:
    """A beat whose kick and snare body do not hit."""
    punch, rate = mix.get(PUNCH), mix.get(RATE)
    if punch is None or rate is None or rate < BEAT_RATE or punch >= WEAK_PUNCH_DB:
        return
    yield finding(
        "transients.punch.too_little",
        (WEAK_PUNCH_DB - punch) / PUNCH_STEP_DB,
        "Little punch",
        f"Between 60 and 500 Hz attacks rise {punch:.1f} dB: kick and snare are covered by bass and guitars.",
        [evidence(mix, PUNCH, f"≥ {WEAK_PUNCH_DB:g}", _SOURCE)],
        steps=[
            Step(
                "compressor",
                ratio=3,
                attack_ms=1,
                release_ms=120,
                note=f"on the bass, side-chained by the kick: {min(4.0, WEAK_PUNCH_DB + 1 - punch):.1f} dB off",
            )
        ],
        most="warning",
    )


@rule(_SOURCE)
def spiky(mix: Mix) -> Iterator[Advice]:
    """Attacks that stick out of the mix like needles."""
    strength_db, psr, rate = mix.get(ATTACK), mix.get("loudness.psr_median_db"), mix.get(RATE)
    if strength_db is None or psr is None or rate is None or rate < BUSY_RATE:
        return
    if strength_db <= SPIKY_DB or psr <= SPIKY_PSR_DB:
        return
    taken = round(min(6.0, psr - SPIKY_PSR_DB + 2), 1)
    loudest = mix.get("loudness.short_term_max_lufs")
    yield finding(
        "transients.attack.too_much",
        (psr - SPIKY_PSR_DB) / SPIKY_STEP_DB,
        "Spiky attacks",
        f"Attacks rise {strength_db:.1f} dB out of the mix, and peaks stand {psr:.1f} dB above the loudness: they cost "
        "level and prick at high volume.",
        [evidence(mix, ATTACK, f"≤ {SPIKY_DB:g}", _SOURCE), evidence(mix, "loudness.psr_median_db", "≤ 16", _SOURCE)],
        steps=[
            Step("transient shaper", gain_db=-taken, note="attack, on the drum bus"),
            Step(
                "limiter",
                # Ten dB over the loudest passage is where peaks of a balanced mix end.
                threshold_db=None if loudest is None else round(loudest + 10, 1),
                note=f"soft clipper on the drum bus, up to {taken:.1f} dB",
            ),
        ],
        most="warning",
    )


@rule(_SOURCE)
def stray_peak(mix: Mix) -> Iterator[Advice]:
    """One hit that peaks over all the others and holds the whole mix down."""
    peaks = mix.get("loudness.true_peaks_dbtp")
    heard = np.zeros(0) if peaks is None else np.where(np.isfinite(peaks), peaks, -np.inf)
    if heard.size < STRAY_S:
        return
    over = float(heard.max() - np.percentile(heard, STRAY_SHARE, method="lower"))
    if over <= STRAY_DB:
        return
    at = int(np.argmax(heard))
    yield finding(
        "transients.stray_peak.too_much",
        (over - STRAY_DB) / STRAY_STEP_DB,
        f"One peak {over:.1f} dB over the rest",
        f"At {clock(at)} a single peak stands {over:.1f} dB over nearly all others. Taming it lets the whole mix be as "
        "much louder without a limiter.",
        [
            # A difference between peaks is no level.
            replace(
                evidence(mix, "loudness.true_peaks_dbtp", f"≤ {STRAY_DB:g} over the others", _SOURCE, round(over, 1)),
                unit="dB",
            )
        ],
        steps=[Step("gain", gain_db=-round(over, 1), note=f"automation or a clip gain on the hit at {clock(at)}")],
        times_s=((float(at), float(at + 1)),),
    )


@rule(_SOURCE)
def sharp(mix: Mix) -> Iterator[Advice]:
    """Attacks that are clear, and a beat that hits."""
    strength_db, time, punch = mix.get(ATTACK), mix.get(TIME), mix.get(PUNCH)
    if strength_db is None or time is None or punch is None:
        return
    low, high = SHARP_DB
    if not low <= strength_db <= high or time > SHARP_S or punch < PUNCHY_DB:
        return
    yield strength(
        "transients.sharp",
        "Punchy",
        f"Attacks rise {strength_db:.1f} dB within {1000 * time:.0f} ms, those of kick and snare {punch:.1f} dB.",
        [
            evidence(mix, ATTACK, f"{low:g} to {high:g}", _SOURCE),
            evidence(mix, PUNCH, f"≥ {PUNCHY_DB:g}", _SOURCE),
        ],
        punch - PUNCHY_DB,
    )
