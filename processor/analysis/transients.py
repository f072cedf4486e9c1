"""Attacks: how many, how hard, how fast, and how far peaks stand out of each band.

A chain of crossovers (Linkwitz–Riley, 24 dB an octave) parts the sound into six bands from the top down. What lies
below a crossover goes on at a lower sample rate, where it costs less. Energies are summed in steps of about 5 ms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.analysis.bands import BAND_NAMES, SIX_BANDS_HZ
from processor.audio import Audio, downmix_matrix
from processor.graph import analyser
from processor.kernels import kernel
from processor.quantities import columns, quantity

Vector = NDArray[np.float64]
Samples = NDArray[np.float32]

STEP_S = 0.005
CHUNK_STEPS = 512
# The rate goes down as long as it stays so many times the crossover: what folds back is then 35 dB down at least.
RATE_PER_CROSSOVER = 3.6
# Keeps the filters' memories off the smallest numbers, which processors are slow with. −360 dB.
TINY = 1e-18
QUIETEST = 1e-24  # energy of a step that counts as silence

# Bands are averaged over about 27 ms before rises are taken, so that the cycles of a bass note, or the edges of a
# buzzing one, are no attacks. The sub is too slow to say when something begins; that shows in the bass as well.
SMOOTHING_STEPS = 5
RISE_STEPS = 5
ONSET_BANDS = (1, 2, 3, 4, 5)
RANGE_DB = 50.0  # what is deeper under the loudest step of a band is no background that an attack could rise from
FLOOR_DB = 60.0  # the same, of all bands together
RISE_DB = 6.0  # an attack at least doubles the amplitude in two bands
ABOVE_USUAL = 2.5  # and rises so many times as much as is usual around it
USUAL_S = 1.0
APART_S = 0.05  # nearer onsets fuse (flam)
WINDOW_S = 0.1
EMPTY_BAND_DB = -70.0
FEWEST = 3  # attacks of which a median is taken
SHORTEST_S = 1.0  # under a second there is no rate of onsets

_ONSETS = (
    f"rise of at least {RISE_DB:g} dB in 27 ms, mean of the two bands that rise most, against the median around it; "
    f"{APART_S * 1000:g} ms apart; spectral flux as in S. Dixon, DAFx 2006"
)
_CREST = "highest sample − RMS of the band (Linkwitz–Riley, 24 dB an octave), both channels"


def _crest(label: str, low_hz: str) -> float | None:
    found: float | None = quantity(
        "dB",
        label=f"Crest factor, {label}",
        source=_CREST,
        help=f"How far peaks stand above the average between {low_hz}. Small is dense or limited, large is percussive.",
        low=0,
    )
    return found


@dataclass(frozen=True)
class Transients:
    """Attacks of a track; None where there are none, or no sound."""

    onset_rate: float | None = quantity(
        "1/s",
        label="Onsets a second",
        source=_ONSETS,
        help="How many attacks there are. A pad has 0, a ballad 2, a busy beat 6.",
        low=0,
        high=20,
    )
    attack_strength_db: float | None = quantity(
        "dB",
        label="Attack strength",
        source="level of the loudest 5 ms up to 30 ms after an onset over the mean of 40 to 10 ms before; median",
        help="How far attacks rise out of what sounds before them. 3 is soft or squashed, 6 usual, 13 sparse.",
    )
    attack_time_s: float | None = quantity(
        "s",
        label="Attack time",
        source="10 % to 90 % of the rise in amplitude at an onset (rise time of IEC 60469, in steps of 5 ms); median",
        help="How long attacks take. Drums take 0.01, the shortest told apart is 0.005; bows take 0.05.",
        low=0,
        high=0.2,
        digits=3,
    )
    punch_db: float | None = quantity(
        "dB",
        label="Punch",
        source="attack strength of onsets that rise at least 6 dB between 60 and 500 Hz; median of that band",
        help="Attack strength of kick, snare body and bass: what makes a beat hit. 7 to 20; compression takes it.",
    )
    sub_crest_db: float | None = _crest("sub", "20 and 60 Hz")
    bass_crest_db: float | None = _crest("bass", "60 and 250 Hz")
    low_mids_crest_db: float | None = _crest("low mids", "250 and 500 Hz")
    mids_crest_db: float | None = _crest("mids", "500 Hz and 2 kHz")
    high_mids_crest_db: float | None = _crest("high mids", "2 and 6 kHz")
    air_crest_db: float | None = _crest("air", "6 kHz and above")
    onsets_s: NDArray[np.float64] = quantity(
        "s", label="Onsets", source=_ONSETS, help="When each attack begins, to about 5 ms.", low=0
    )


@dataclass(frozen=True)
class Envelopes:
    """What the filters saw.

    Attributes:
        energy: mean power of both channels in each step, shape `(steps, 6)`; 0 where a band does not exist.
        peak: highest absolute sample of each band, shape `(6,)`.
        step_s: length of a step.
    """

    energy: Samples
    peak: Vector
    step_s: float


@analyser(version=1)
def transients(audio: Audio) -> Transients:
    """Find attacks and measure them.

    Source: the rules that each field's declaration names; crossovers after S. H. Linkwitz, JAES 24 (1976).
    """
    found = envelopes(audio)
    fields: dict[str, Any] = {column.name: None for column in columns(Transients)}
    fields["onsets_s"] = np.empty(0)
    if found.energy.sum(dtype=np.float64) > 0:
        fields |= _crests(found)
        onsets = find_onsets(found)
        fields["onsets_s"] = onsets * found.step_s
        fields["onset_rate"] = onsets.size / audio.duration_s if audio.duration_s >= SHORTEST_S else None
        fields |= _attacks(found, onsets)
    return Transients(**fields)


def envelopes(audio: Audio) -> Envelopes:
    """Part the sound into six bands and sum the energy of each step."""
    stages, length = _stages(audio.sample_rate)
    steps = -(-audio.frames // length)
    energy = np.zeros((6, steps + CHUNK_STEPS))
    peak = np.zeros(6)
    at = 0
    for chunk in chunks(audio, length * CHUNK_STEPS):
        signal = chunk
        for stage in stages:
            low = np.empty((2, signal.shape[1] // stage.factor), np.float32)
            out = energy[stage.band, at : at + CHUNK_STEPS]
            top = _split(signal, stage.filters, stage.memory, low, out)
            peak[stage.band] = max(peak[stage.band], top)
            signal = low
        at += CHUNK_STEPS
    energy = energy[:, :steps]
    energy[energy < QUIETEST] = 0
    return Envelopes(np.ascontiguousarray(energy.T, np.float32), peak, length / audio.sample_rate)


@dataclass(frozen=True)
class _Stage:
    """A crossover: what is above goes to `band`, what is below to the next stage, at 1/`factor` of the rate."""

    band: int
    factor: int
    filters: Samples
    memory: Samples


def _stages(sample_rate: int) -> tuple[list[_Stage], int]:
    """The crossovers that the sample rate allows, top down, and the samples of a step."""
    stages = []
    rate, total = float(sample_rate), 1
    for band in reversed(range(6)):
        crossover = SIX_BANDS_HZ[band]
        if crossover > 0.4 * rate:
            continue
        factor = 1
        while band > 0 and factor < 4 and rate / factor / 2 >= RATE_PER_CROSSOVER * crossover:
            factor *= 2
        stages.append(_Stage(band, factor, _butterworth(crossover, rate), np.zeros((2, 6), np.float32)))
        rate /= factor
        total *= factor
    return stages, total * max(1, round(STEP_S * sample_rate / total))


def _butterworth(hz: float, rate: float) -> Samples:
    """Coefficients a1 and a2 of the second-order low-pass and high-pass, and the gain of each applied twice."""
    k = np.tan(np.pi * hz / rate)
    norm = 1 + np.sqrt(2) * k + k * k
    a1, a2 = 2 * (k * k - 1) / norm, (1 - np.sqrt(2) * k + k * k) / norm
    return np.array([a1, a2, (k * k / norm) ** 2, 1 / norm**2], np.float32)


def chunks(audio: Audio, length: int) -> Iterator[Samples]:
    """The sound as left and right in chunks of one length, zeros behind the end; the array is overwritten."""
    fold = downmix_matrix(audio.positions) if audio.channels > 2 else None
    held = np.zeros((2, length), np.float32)
    filled = 0
    for block in audio.blocks():
        at = 0
        while at < block.shape[1]:
            part = block[:, at : at + length - filled]
            held[:, filled : filled + part.shape[1]] = part if fold is None else fold @ part
            at, filled = at + part.shape[1], filled + part.shape[1]
            if filled == length:
                yield held
                filled = 0
    if filled:
        held[:, filled:] = 0
        yield held


def _crests(found: Envelopes) -> dict[str, float | None]:
    """Crest factor of each band that sounds."""
    power = found.energy.mean(axis=0, dtype=np.float64)
    sounds = power > power.sum() * 10 ** (EMPTY_BAND_DB / 10)
    return {
        f"{name}_crest_db": max(0.0, float(20 * np.log10(found.peak[b] / np.sqrt(power[b])))) if sounds[b] else None
        for b, name in enumerate(BAND_NAMES)
    }


def find_onsets(found: Envelopes) -> NDArray[np.int64]:
    """Steps in which attacks begin."""
    steps = found.energy.shape[0]
    if steps < 2 * RISE_STEPS:
        return np.empty(0, np.int64)
    loudest = found.energy.sum(axis=1).max()
    rises = np.zeros((len(ONSET_BANDS), steps), np.float32)
    for row, band in enumerate(ONSET_BANDS):
        energy = found.energy[:, band]
        floor = max(energy.max() * 10 ** (-RANGE_DB / 10), loudest * 10 ** (-FLOOR_DB / 10), QUIETEST)
        level = 10 * np.log10(_trailing_mean(energy, SMOOTHING_STEPS) + np.float32(floor))
        rises[row] = level - np.concatenate([np.full(RISE_STEPS, 10 * np.log10(floor)), level[:-RISE_STEPS]])
    top = np.partition(np.maximum(rises, 0), -2, axis=0)[-2:].mean(axis=0)
    return _pick(top, found.step_s)


def _trailing_mean(values: Samples, size: int) -> Samples:
    """Mean of each value and the `size` − 1 before it; silence before the first."""
    total = values.copy()
    for back in range(1, size):
        total[back:] += values[:-back]
    return total / np.float32(size)


def _pick(rise: Samples, step_s: float) -> NDArray[np.int64]:
    """Peaks of the rise that stand out, at least APART_S apart; the step in which the rise began."""
    apart = max(1, round(APART_S / step_s))
    usual = _usual(rise, max(1, round(USUAL_S / step_s)))
    high = np.flatnonzero((rise > RISE_DB) & (rise > ABOVE_USUAL * usual))
    around = np.pad(rise, apart // 2)[high[:, None] + np.arange(2 * (apart // 2) + 1)]
    peaks = high[rise[high] >= around.max(axis=1)]
    kept: list[int] = []
    for peak in peaks.tolist():
        start = peak
        while start > max(0, peak - 2 * RISE_STEPS) and rise[start - 1] > rise[peak] / 2:
            start -= 1
        if not kept or start - kept[-1] >= apart:
            kept.append(start)
    return np.array(kept, np.int64)


def _usual(rise: Samples, size: int) -> Samples:
    """Median of blocks of `size` steps, for each step."""
    blocks = -(-rise.size // size)
    padded = np.pad(rise, (0, blocks * size - rise.size), mode="edge").reshape(blocks, size)
    return np.repeat(np.median(padded, axis=1), size)[: rise.size]


def _attacks(found: Envelopes, onsets: NDArray[np.int64]) -> dict[str, float | None]:
    """Strength and time of the attacks, medians; None under FEWEST."""
    whole = found.energy[:, 1:].sum(axis=1)
    low = _trailing_mean(found.energy[:, 1:3].sum(axis=1), SMOOTHING_STEPS)
    strengths = _strengths(whole, onsets, found.step_s)
    punches = _strengths(low, onsets, found.step_s)
    return {
        "attack_strength_db": _median(strengths),
        "attack_time_s": _median(_rise_times(whole, onsets, found.step_s)),
        "punch_db": _median(punches[punches >= RISE_DB]),
    }


def _median(values: Vector) -> float | None:
    return float(np.median(values)) if values.size >= FEWEST else None


def _strengths(energy: Samples, onsets: NDArray[np.int64], step_s: float) -> Vector:
    """Level of the loudest step in 30 ms from each onset over the mean of 40 to 10 ms before, in dB."""
    before, after = _around(energy, onsets, -0.04, -0.01, step_s), _around(energy, onsets, 0.0, 0.03, step_s)
    floor = np.float32(max(QUIETEST, energy.max() * 10 ** (-FLOOR_DB / 10)))
    rise = (after.max(axis=1) + floor) / (before.mean(axis=1) + floor)
    return np.asarray(10 * np.log10(rise), np.float64)


def _rise_times(energy: Samples, onsets: NDArray[np.int64], step_s: float) -> Vector:
    """Seconds in which the amplitude goes from 10 % to 90 % of its way to the top within WINDOW_S of each onset."""
    amplitude = np.sqrt(_around(energy, onsets, -2 * step_s, WINDOW_S, step_s))
    base, top = amplitude[:, :2].min(axis=1, keepdims=True), amplitude.max(axis=1, keepdims=True)
    way = (amplitude - base) / np.maximum(top - base, 1e-30)
    return np.array([step_s * (_crossing(row, 0.9) - _crossing(row, 0.1)) for row in way])


def _crossing(way: Samples, share: float) -> float:
    """Where a row first reaches `share`, between its places."""
    place = int(np.argmax(way >= share))
    if place == 0:
        return 0.0
    return float(place - (way[place] - share) / max(way[place] - way[place - 1], 1e-9))


def _around(energy: Samples, onsets: NDArray[np.int64], start_s: float, end_s: float, step_s: float) -> Samples:
    """The steps between two times around each onset, shape `(onsets, steps)`; silence beyond the ends."""
    offsets = np.arange(round(start_s / step_s), max(round(start_s / step_s) + 1, round(end_s / step_s) + 1))
    places = onsets[:, None] + offsets
    inside = (places >= 0) & (places < energy.size)
    return np.where(inside, energy[np.clip(places, 0, energy.size - 1)], np.float32(0))


@kernel
def _split(signal: Samples, filters: Samples, memory: Samples, low: Samples, energy: Vector) -> float:
    """Part two channels at a crossover: what is below goes to `low`, thinned out, what is above is summed in steps.

    Both filters have the same poles, which are gone through once; the zeros are four at −1 and four at 1. `memory`
    holds both channels' filters from chunk to chunk, `energy` takes the mean power of both channels.

    Returns:
        The highest absolute sample above the crossover.
    """
    length = signal.shape[1] // energy.size
    factor = signal.shape[1] // low.shape[1]
    a1, a2 = filters[0], filters[1]
    low_gain, high_gain = filters[2], filters[3]
    top = np.float32(0)
    tiny = np.float32(TINY)
    energy[:] = 0
    for c in range(2):
        row, out = signal[c], low[c]
        m = memory[c]
        w1, w2, v1, v2, v3, v4 = m[0], m[1], m[2], m[3], m[4], m[5]
        thinned, due = 0, factor - 1
        for k in range(energy.size):
            total = 0.0
            for i in range(k * length, (k + 1) * length):
                w = row[i] + tiny - a2 * w2 - a1 * w1
                w2, w1 = w1, w
                v = w - a2 * v2 - a1 * v1
                even = v + np.float32(6) * v2 + v4
                odd = np.float32(4) * (v1 + v3)
                v4, v3, v2, v1 = v3, v2, v1, v
                high = even - odd
                top = max(top, abs(high))
                wide = np.float64(high)
                total += wide * wide
                if i == due:
                    out[thinned] = low_gain * (even + odd)
                    thinned += 1
                    due += factor
            energy[k] += total * high_gain * high_gain / (2 * length)
        m[0], m[1], m[2], m[3], m[4], m[5] = w1, w2, v1, v2, v3, v4
    return float(top * high_gain)
