"""Integrity: what is broken in the sound, whatever is played."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from processor.feedback.advice import Advice, Mix, Step, evidence, signed
from processor.feedback.areas._findings import clock, finding, moments, places, strength
from processor.feedback.rules import ANY, MIX, rule

MUSIC = ("mix", "solo")
# Samples cut flat a second: three in a minute nobody hears, one in a second crackles. Each step is ten times more.
CLIPPED_PER_S = 1.0
# A sample that a converter of 16 bit would write at its top code still is full scale.
FULL_SCALE_DBFS = 0.05
# A click so near to a clipped passage is part of it.
CLIP_REACH_S = 0.05
# The fewest samples that make a flat top.
FLAT_SAMPLES = 3
# The wave between samples may be this far over full scale before a converter without headroom distorts it audibly.
TRUE_PEAK_STEP_DB = 0.75
# Coders add up to this to a master at full scale.
LOSSY_RISE_DB = 1.5
# −54 dB. Synthesisers leave as much; 0.005, −46 dB, is heard as a click at edits.
DC, DC_STEP_DB = 0.002, 6.0
# Hum this far under the programme is covered by it, except in pauses.
HUM_DB, HUM_STEP_DB, HUM_LINES, HUM_Q = -60.0, 6.0, 3, 30.0
# Noise stands still, music does not: seconds in a row whose loudness stays within 1.5 LU, at least 28 LU under the
# whole, are a pause with noise in it. In 76 recordings no music did. From 55 LU under the whole on hiss is heard.
STILL_LU, STILL_S, PAUSE_LU = 1.5, 3, -28.0
FLOOR_LU, FLOOR_STEP_LU = -55.0, 6.0
INFRASONIC_DB, INFRASONIC_STEP_DB = -24.0, 3.0
RUMBLE_HZ = 30.0
# A few a minute may be a synthesiser or a stutter that is meant; more are a fault.
CLICKS_A_MINUTE, DROPOUTS_A_MINUTE = 6.0, 4.0
# Fewer may be part of the music, or of its drums: 7 of 76 recordings have one to twelve of them.
LEAST_CLICKS, LEAST_A_MINUTE = 3, 4.0
# Gaps shorter than this may be a synthesiser at rest between two cycles.
SURE_GAP_S = 0.004
CODED_BITS, DEAD_DB = 12, 40.0
# How far under the music a beginning or an end may be that is not cut. Each step is heard as a harder cut; an end that
# lies less than 20 dB under the music is no fade that went wrong, half of the sound is missing.
CUT_DB, CUT_STEP_DB = -30.0, 10.0

_CLIP = "levels: 3 or more samples in a row at full scale"
_TRUE_PEAK = "ITU-R BS.1770-4, annex 2"
_PRACTICE = "mastering practice; limits measured on 76 recordings"


@rule(_CLIP, of=ANY)
def clipped(mix: Mix) -> Iterator[Advice]:
    """Peaks cut flat at full scale."""
    where, peak = mix.get("levels.clipped_intervals_s"), mix.get("loudness.sample_peak_dbfs")
    if where is None or not len(where) or (peak is not None and peak > FULL_SCALE_DBFS):
        return  # what goes over full scale is not cut yet
    duration = mix.get("source.duration_s") or float(where[-1, 1])
    count = mix.get("levels.clipped_samples")
    yield finding(
        "integrity.clipped.too_much",
        _clip_weight(count / max(duration, 1.0)),
        f"Clipped in {len(where)} places",
        f"{count} samples are cut flat at full scale, first at {clock(where[0, 0])}: it crackles, on loud hits first.",
        [
            evidence(mix, "levels.clipped_samples", "0", _CLIP),
            evidence(mix, "levels.clipped_intervals_s", "none", _CLIP, f"{len(where)} passages"),
        ],
        steps=_declip("before the stage that clips, then export again with peaks at −1 dBTP"),
        times_s=places(where),
    )


def _clip_weight(samples_per_s: float) -> float:
    """One step for each ten times; what cannot be heard still is a note."""
    return max(0.1, 1 + math.log10(samples_per_s / CLIPPED_PER_S))


def _declip(note: str) -> list[Step]:
    """How far peaks were cut cannot be measured; 3 dB of new headroom is what rebuilt peaks need."""
    rebuilt = "or de-clip: rebuilt peaks need about 3 dB of headroom, so turn it down by that first"
    return [Step("gain", gain_db=-3.0, note=note), Step("repair", gain_db=-3.0, note=rebuilt)]


@rule(_CLIP, of=ANY)
def flat_tops(mix: Mix) -> Iterator[Advice]:
    """Peaks cut flat below full scale: clipped on the way, and turned down afterwards."""
    level, count, where = (
        mix.get(f"integrity.{name}") for name in ("flat_top_dbfs", "flat_tops", "flat_top_intervals_s")
    )
    if level is None or not count or mix.get("levels.clipped_samples"):
        return
    duration = mix.get("source.duration_s") or 1.0
    yield finding(
        "integrity.flat_tops.too_much",
        _clip_weight(FLAT_SAMPLES * count / max(duration, 1.0)),
        f"Clipped earlier, now at {signed(level)} dBFS",
        f"{count} peaks are cut flat at {signed(level)} dBFS: something on the way clipped, a plug-in, a bus or a "
        "converter, and was turned down afterwards. Meters do not show it, ears do.",
        [
            evidence(mix, "integrity.flat_tops", "0", "plateaus at one level"),
            evidence(mix, "integrity.flat_top_dbfs", "none", "plateaus at one level"),
        ],
        steps=_declip("on the tracks in front of the bus or plug-in that is overdriven"),
        times_s=places(where),
    )


@rule(_TRUE_PEAK, of=ANY)
def over_full_scale(mix: Mix) -> Iterator[Advice]:
    """Peaks over full scale, in the samples of a float or lossy file or between the samples."""
    true_peak, peak = mix.get("loudness.true_peak_dbtp"), mix.get("loudness.sample_peak_dbfs")
    if true_peak is None or true_peak <= 0:
        return
    in_samples = peak is not None and peak > FULL_SCALE_DBFS
    is_lossy = mix.get("source.bit_depth") is None and mix.get("spectrum.looks_lossy")
    text = (
        "Samples themselves are over full scale: any player and any 16- or 24-bit export cuts them off."
        if in_samples
        else "Between the samples the wave goes over full scale: converters and coders distort there."
    )
    where = mix.get("loudness.true_peaks_dbtp")
    yield finding(
        "integrity.true_peak.too_much",
        true_peak / TRUE_PEAK_STEP_DB,
        f"True peak {true_peak:.1f} dB over full scale",
        text + (" A lossy coder adds that to a master which is at the top already." if is_lossy else ""),
        [
            evidence(mix, "loudness.true_peak_dbtp", "≤ 0", _TRUE_PEAK),
            evidence(mix, "loudness.sample_peak_dbfs", "≤ 0", "full scale of fixed-point files, AES17-2020"),
        ],
        steps=[
            Step("gain", gain_db=round(mix.platform.ceiling_dbtp - true_peak, 1)),
            Step("limiter", threshold_db=mix.platform.ceiling_dbtp, note="or instead: true-peak mode, 4× oversampled"),
        ],
        times_s=() if where is None else tuple((float(at), at + 1.0) for at in (where > 0).nonzero()[0][:20].tolist()),
        # A lossy file says what its coder did, and not what the master is like.
        most="fault" if not is_lossy else "warning" if true_peak > LOSSY_RISE_DB else "note",
    )


@rule(_PRACTICE, of=ANY)
def dc_offset(mix: Mix) -> Iterator[Advice]:
    """A constant shift of the wave."""
    offset = mix.get("levels.dc_offset")
    if offset is None or abs(offset) <= DC:
        return
    yield finding(
        "integrity.dc.too_much",
        20 * math.log10(abs(offset) / DC) / DC_STEP_DB,
        f"DC offset of {100 * abs(offset):.1f} % of full scale",
        "The wave is not centred: it clicks at starts, stops and edits, and takes headroom from one side.",
        [evidence(mix, "levels.dc_offset", f"within ±{DC:g}", _PRACTICE)],
        steps=[Step("high-pass", frequency_hz=5, q=0.7, note="or the editor's DC removal, on the whole file")],
    )


@rule(_PRACTICE, of=ANY)
def hum(mix: Mix) -> Iterator[Advice]:
    """Lines of the mains that never stop."""
    mains, level = mix.get("integrity.hum_hz"), mix.get("integrity.hum_db")
    if mains is None or level is None or level <= HUM_DB:
        return
    depth = -round(min(30.0, max(6.0, level - HUM_DB)), 1)
    yield finding(
        "integrity.hum.too_much",
        (level - HUM_DB) / HUM_STEP_DB,
        f"Hum of {mains:.0f} Hz",
        f"Mains hum, {-level:.0f} dB under the programme, lies under the whole piece; it is heard in pauses and at the "
        "end. A ground loop or an unbalanced cable.",
        [
            evidence(mix, "integrity.hum_db", f"≤ {signed(HUM_DB, 0)}", _PRACTICE),
            evidence(mix, "integrity.hum_hz", "none", _PRACTICE),
        ],
        steps=[
            Step("notch", frequency_hz=float(mains * k), gain_db=depth, q=HUM_Q, note="on the track that hums")
            for k in range(1, HUM_LINES + 1)
        ],
    )


@rule(_PRACTICE, of=MUSIC)
def noise_floor(mix: Mix) -> Iterator[Advice]:
    """Noise that is heard where the music pauses."""
    lufs, curve = mix.get("loudness.integrated_lufs"), mix.get("loudness.momentary_lufs")
    found = None if lufs is None or curve is None else still_passage(curve, lufs + PAUSE_LU)
    if found is None:
        return
    level, start, end = found
    under = level - lufs
    floor = mix.get("integrity.noise_floor_dbfs")
    if under <= FLOOR_LU:
        return
    yield finding(
        "integrity.noise.too_much",
        (under - FLOOR_LU) / FLOOR_STEP_LU,
        f"Noise in pauses, {-under:.0f} LU under the music",
        f"From {clock(start)} to {clock(end)} the level stands still at {signed(level)} LUFS: hiss, no music.",
        [
            evidence(
                mix, "loudness.momentary_lufs", f"≤ {signed(lufs + FLOOR_LU)} in pauses", _PRACTICE, round(level, 1)
            ),
            evidence(mix, "integrity.noise_floor_dbfs", "what it is without weighting", _PRACTICE),
        ],
        steps=[
            Step(
                "gate",
                threshold_db=round((level if floor is None else floor) + 6, 1),
                note="as an expander of 2:1, on the tracks that hiss",
            ),
            Step("repair", gain_db=-round(min(12.0, under - FLOOR_LU), 1), note="denoise, learning from this pause"),
        ],
        times_s=((float(start), float(end)),),
    )


def still_passage(curve: NDArray[np.float64], highest: float) -> tuple[float, int, int] | None:
    """Level, start and end of the longest passage under `highest` in which loudness stands still, if there is one."""
    best: tuple[float, int, int] | None = None
    start = 0
    for end in range(1, curve.size + 1):
        # NaN, digital silence, is no noise: comparisons with it are false.
        while start < end and not (np.max(curve[start:end]) <= highest and np.ptp(curve[start:end]) <= STILL_LU):
            start += 1
        if end - start >= STILL_S and (best is None or end - start > best[2] - best[1]):
            best = (float(np.median(curve[start:end])), start, end)
    return best


@rule(_PRACTICE, of=MUSIC)
def rumble(mix: Mix) -> Iterator[Advice]:
    """Power below what can be heard."""
    level = mix.get("integrity.infrasonic_db")
    if level is None or level <= INFRASONIC_DB:
        return
    yield finding(
        "integrity.infrasonic.too_much",
        (level - INFRASONIC_DB) / INFRASONIC_STEP_DB,
        f"Rumble below 20 Hz, {-level:.0f} dB under the music",
        "Nobody hears it, but it moves loudspeakers, drives limiters and takes headroom: wind, steps, a slow synth.",
        [evidence(mix, "integrity.infrasonic_db", f"≤ {signed(INFRASONIC_DB, 0)}", _PRACTICE)],
        steps=[
            Step("high-pass", frequency_hz=RUMBLE_HZ, q=0.7, note="24 dB/oct, on the tracks that rumble or on the mix")
        ],
    )


@rule(_PRACTICE, of=ANY)
def clicks(mix: Mix) -> Iterator[Advice]:
    """Single samples that stand out of the wave."""
    where = _apart_from_clipping(mix)
    count = len(where)
    if count < LEAST_CLICKS or _a_minute(mix, count) < LEAST_A_MINUTE:
        return
    yield finding(
        "integrity.clicks.too_much",
        0.5 + _a_minute(mix, count) / CLICKS_A_MINUTE,
        "A click" if count == 1 else f"{count} clicks",
        "Single samples jump out of the wave: an edit without a crossfade, lost samples of a digital clock, or a "
        "plug-in that overran its buffer.",
        [evidence(mix, "integrity.clicks", "0", _PRACTICE)],
        steps=[Step("repair", note="de-click, or crossfades of 5 ms at the edits; export again with a larger buffer")],
        times_s=moments(where),
    )


def _apart_from_clipping(mix: Mix) -> NDArray[np.float64]:
    """When there are clicks that do not come of a peak which is cut flat: that has a name of its own."""
    clicks_s = mix.get("integrity.clicks_s")
    if clicks_s is None:
        return np.zeros(0)
    for field in ("levels.clipped_intervals_s", "integrity.flat_top_intervals_s"):
        cut = mix.get(field)
        for start, end in cut if cut is not None and cut.ndim == 2 else ():
            clicks_s = clicks_s[(clicks_s < start - CLIP_REACH_S) | (clicks_s > end + CLIP_REACH_S)]
    return np.asarray(clicks_s)


def _a_minute(mix: Mix, count: int) -> float:
    return 60 * count / max(1.0, mix.get("source.duration_s") or 0.0)


@rule(_PRACTICE, of=ANY)
def dropouts(mix: Mix) -> Iterator[Advice]:
    """Gaps in the middle of the sound."""
    count, where = mix.get("integrity.dropouts"), mix.get("integrity.dropout_intervals_s")
    bits, balance = mix.get("integrity.effective_bits"), mix.get("stereo.balance_db")
    # What few bits, or a channel that is all but dead, round to nothing is no gap.
    if not count or (bits is not None and bits < CODED_BITS) or (balance is not None and abs(balance) > DEAD_DB):
        return
    longest = float((where[:, 1] - where[:, 0]).max(initial=0.0))
    yield finding(
        "integrity.dropouts.too_much",
        (1.0 if longest >= SURE_GAP_S else 0.5) + _a_minute(mix, count) / DROPOUTS_A_MINUTE,
        "A dropout" if count == 1 else f"{count} dropouts",
        "The sound stops for milliseconds in mid-note: a buffer ran empty while recording or exporting.",
        [evidence(mix, "integrity.dropouts", "0", _PRACTICE)],
        steps=[Step("repair", note="record or export again; a gap of up to 20 ms can be interpolated")],
        times_s=places(where),
    )


@rule(_PRACTICE, of=MUSIC)
def cut_end(mix: Mix) -> Iterator[Advice]:
    """An end in the middle of the sound."""
    if not mix.get("integrity.ends_abruptly") or mix.get("source.partial"):  # a damaged file has no end of its own
        return
    duration = mix.get("source.duration_s") or 0.0
    yield finding(
        "integrity.end_cut",
        _cut_weight(mix.get("integrity.end_db")),
        "Cut off at the end",
        "The last sound does not die away: the export ended too early, or a fade is missing.",
        [
            evidence(mix, "integrity.ends_abruptly", "no", _PRACTICE),
            evidence(mix, "integrity.end_db", f"≤ {signed(CUT_DB, 0)}", _PRACTICE),
        ],
        steps=[
            Step("export", note="with the tails of reverb and cymbals; 2 s longer"),
            Step("fade", note="or out over the last 3 s, at least 10 ms against the click"),
        ],
        times_s=((max(0.0, round(duration - 1, 3)), round(duration, 3)),),
        # A clip is cut on purpose, and an engineer sees that at once: what is heard throughout comes first.
        most="warning",
    )


def _cut_weight(level_db: float | None) -> float:
    """At least a warning, as a cut is one however soft it is."""
    return 1.0 + max(0.0, (CUT_DB if level_db is None else level_db) - CUT_DB) / CUT_STEP_DB


@rule(_PRACTICE, of=MUSIC)
def cut_start(mix: Mix) -> Iterator[Advice]:
    """A beginning in the middle of the sound."""
    if not mix.get("integrity.starts_abruptly"):
        return
    yield finding(
        "integrity.start_cut",
        _cut_weight(mix.get("integrity.start_db")),
        "Starts in mid-sound",
        "The first sound is under way already at the first sample: its attack is cut off, or it begins with a click.",
        [
            evidence(mix, "integrity.starts_abruptly", "no", _PRACTICE),
            evidence(mix, "integrity.start_db", f"≤ {signed(CUT_DB, 0)}", _PRACTICE),
        ],
        steps=[Step("fade", note="in over 5 ms, or export from 0.1 s earlier")],
        times_s=((0.0, 0.1),),
        most="warning",
    )


@rule(_PRACTICE, of=MIX)
def clean(mix: Mix) -> Iterator[Advice]:
    """Nothing is broken."""
    broken = [
        one for check in (clipped, flat_tops, over_full_scale, dc_offset, hum, clicks, dropouts) for one in check(mix)
    ]
    if broken or "levels" not in mix.results or "integrity" not in mix.results:
        return
    yield strength(
        "integrity.clean",
        "Technically clean",
        "No clipping, no hum, no clicks, no gaps, no DC.",
        [
            evidence(mix, "levels.clipped_samples", "0", _CLIP),
            evidence(mix, "integrity.clicks", "0", _PRACTICE),
            evidence(mix, "integrity.dropouts", "0", _PRACTICE),
        ],
    )
