"""Pumping: the whole mix breathes with its beat, ducked by the kick or by a compressor that the kick drives.

A gain that falls at each low hit and comes back leaves a dip in all that sounds on, in all bands alike and gliding.
Music has none: notes decay along a straight line in decibels, and new ones come with a jump. So each band's level
60 ms after a hit is held against the line from before the hit to 200 ms after it, where nothing new came in between.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from processor.analysis.mel import COMPRESSION, Mel
from processor.graph import analyser
from processor.quantities import quantity

Vector = NDArray[np.float64]
Levels = NDArray[np.float32]
Frames = NDArray[np.int64]

LOW_HZ = 120.0
UPPER_HZ = (250.0, 8000.0)
# A hit: the low band rises at least so much in 60 ms, most of what the track's strong hits do, to near its highest
# level and to what counts beside the whole, and no oftener than this.
RISE_FRAMES = 3
HIT_DB, HIT_SHARE, HIT_LEVEL_DB, HIT_APART_S = 6.0, 0.6, 6.0, 0.2
STRONG_PERCENTILE = 85
BESIDE_WHOLE_DB = 20.0
LEVEL_FRAMES = 8
# Frames from a hit, of 10 ms: before it, in the dip, and when the gain has come back half-way at least.
BEFORE, DIP, AFTER = (-8, -4), (5, 9), (17, 23)
# A band that jumps so much in 30 ms has a new note, and says nothing about gain; one so far down is empty.
JUMP_FRAMES, JUMP_DB, EMPTY_DB = 3, 6.0, 30.0
FEWEST_BANDS, FEWEST_HITS = 6, 10
# New notes fill some bands at every hit. This share of the bands may be full, the rest must dip.
BANDS_PERCENTILE = 80
DIPPING_DB = 1.0
ENOUGH_HITS = 24
SILENT = 1e-5  # re the mean of the track, as `mel` has it

_RULE = (
    "level of bands from 250 Hz to 8 kHz 50 to 90 ms after each low hit under the line from before it to 200 ms after "
    "it, bands with new notes left out; median of the hits; a rule of our own"
)


@dataclass(frozen=True)
class Pumping:
    """How a mix breathes with its beat; None where there are too few low hits, or nothing sounds through them."""

    depth_db: float | None = quantity(
        "dB",
        label="Pumping",
        source=_RULE,
        help="By how much the mix dips after each kick. Unducked mixes have under 1.2; from 2 on it can be heard. The "
        "gain itself moves about twice as far, for it never quite comes back and notes fill the dip.",
        low=0,
        high=60,
    )
    rate_hz: float | None = quantity(
        "Hz",
        label="Rate of the pumping",
        source="median distance of the low hits",
        help="How often it breathes: 2 is each beat at 120 BPM.",
        low=0,
        high=5,
        digits=2,
    )
    confidence: float | None = quantity(
        "",
        label="Sureness of the pumping",
        source=f"share of hits that dip over {DIPPING_DB:g} dB, beyond a half; less under {ENOUGH_HITS} hits",
        help="How regularly it dips: 1 at each hit.",
        low=0,
        high=1,
        digits=2,
    )


@analyser(version=1)
def pumping(mel: Mel) -> Pumping:
    """Measure how far the mix dips after each low hit.

    Source: the rules that each field's declaration names; limits measured on 76 pieces and on ducked versions of them.
    """
    levels = 20 * np.log10(np.expm1(mel.levels) / np.float32(COMPRESSION) + np.float32(SILENT))
    hits = _low_hits(levels, mel)
    upper = levels[:, (mel.centres_hz > UPPER_HZ[0]) & (mel.centres_hz < UPPER_HZ[1])]
    dips = _dips(upper, hits)
    if dips.size < FEWEST_HITS:
        return Pumping(None, None, None)
    sure = np.clip(2 * np.mean(dips > DIPPING_DB) - 1, 0, 1) * min(1.0, dips.size / ENOUGH_HITS)
    return Pumping(
        depth_db=max(0.0, float(np.median(dips))),
        rate_hz=float(mel.frame_rate / np.median(np.diff(hits))),
        confidence=float(sure),
    )


def _low_hits(levels: Levels, mel: Mel) -> Frames:
    """Frames in which kicks begin."""
    if len(levels) <= 2 * RISE_FRAMES:
        return np.empty(0, np.int64)
    power = 10 ** (levels / 10)
    level = 10 * np.log10(power[:, mel.centres_hz < LOW_HZ].sum(axis=1, dtype=np.float64) + 1e-12)
    whole = 10 * np.log10(np.percentile(power.sum(axis=1, dtype=np.float64), 95) + 1e-12)
    heard = np.maximum(level, np.percentile(level, 95) - 40)
    rises = np.zeros(level.size)
    rises[RISE_FRAMES:-RISE_FRAMES] = heard[2 * RISE_FRAMES :] - heard[: -2 * RISE_FRAMES]
    hits, _ = scipy.signal.find_peaks(rises, height=HIT_DB, distance=max(1, round(HIT_APART_S * mel.frame_rate)))
    if hits.size == 0:
        return np.empty(0, np.int64)
    tops = np.array([level[hit : hit + LEVEL_FRAMES].max() for hit in hits])
    is_strong = rises[hits] > HIT_SHARE * np.percentile(rises[hits], STRONG_PERCENTILE)
    is_loud = tops > max(np.percentile(tops, STRONG_PERCENTILE) - HIT_LEVEL_DB, whole - BESIDE_WHOLE_DB)
    return np.asarray(hits[is_strong & is_loud], np.int64)


def _dips(levels: Levels, hits: Frames) -> Vector:
    """Dip of the bands at each hit that leaves enough of them, in dB."""
    hits = hits[(hits + BEFORE[0] >= 0) & (hits + AFTER[1] <= len(levels))]
    if hits.size == 0:
        return np.empty(0)
    floor = np.percentile(levels, 95, axis=0) - EMPTY_DB
    before, dip, after = (
        np.mean([levels[hits + k] for k in range(*span)], axis=0, dtype=np.float64) for span in (BEFORE, DIP, AFTER)
    )
    jumps = np.max(
        [levels[hits + k + JUMP_FRAMES] - levels[hits + k] for k in range(DIP[0], AFTER[1] - JUMP_FRAMES)], 0
    )
    share = (sum(DIP) - sum(BEFORE)) / (sum(AFTER) - sum(BEFORE))
    # Where it went on rising there was no dip, whatever the line says.
    depths = np.minimum(before * (1 - share) + after * share - dip, before - dip)
    usable = (jumps < JUMP_DB) & (before > floor)
    enough = usable.sum(axis=1) >= FEWEST_BANDS
    depths[~usable] = np.nan
    return np.asarray(np.nanpercentile(depths[enough], BANDS_PERCENTILE, axis=1)) if enough.any() else np.empty(0)
