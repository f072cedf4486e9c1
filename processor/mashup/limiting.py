"""A limiter that looks ahead and between the samples, and the last step of a mix: its loudness.

Where peaks lie does not depend on the gain before the limiter. So they are found once, and a loudness that takes
several tries costs little more than one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis.loudness import GATING_HOP, MOMENTARY, TAPS, Meter, integrated_lufs, interpolators
from processor.kernels import kernel
from processor.mashup.curves import STEREO, chunks, measured

Samples = NDArray[np.float32]

# What Spotify's own limiter takes (5 ms and 100 ms): the gain begins to fall so long before a peak and comes back with
# this time constant. Half of the first is room to see a peak, half smooths the edge.
ATTACK_S, RELEASE_S = 0.005, 0.1
# It is held over half a period of 50 Hz, or it would follow the waves of a bass and distort them.
HOLD_S = 0.01
# More than this at the highest peak is heard as flat drums; then the mix stays quieter than it was to be.
MOST_DB = 6.0
TOLERANCE_LU = 0.1
# Aimed at under the tolerance, for gain and loudness do not go the same way.
AIM_LU, MOST_TRIES = 0.03, 8
# The limiter aims so far under the ceiling: single precision rounds.
MARGIN = 1 - 2e-6
BLOCK = 64
BEFORE = TAPS // 2 - 1  # samples of a filter before the gap that it fills


@dataclass(frozen=True)
class Finished:
    """A mix at its loudness.

    Attributes:
        samples: shape `(2, n)`.
        gain_db: gain before the limiter.
        limiter_db: the most that the limiter turned down, positive.
        lufs: integrated loudness; lower than asked for where the limiter would have had to do more than `MOST_DB`;
            None for what a meter does not show.
        true_peak_dbtp: highest true peak; None in silence.
    """

    samples: Samples
    gain_db: float
    limiter_db: float
    lufs: float | None
    true_peak_dbtp: float | None


@dataclass(frozen=True)
class _Sound:
    """What is to be limited.

    Attributes:
        samples: shape `(2, n)`.
        peaks: their `envelope`.
        sample_rate: in Hz.
    """

    samples: Samples
    peaks: Samples
    sample_rate: int


@dataclass(frozen=True)
class _Held:
    """Gains that hold a sound under a ceiling, and what it then measures.

    Attributes:
        factor: gain before the limiter.
        lost: what the limiter's gain lacks to 1, shape `(n,)`; None where it has nothing to do.
        deepest_db: the most that it takes, positive.
        meter: has heard what comes out.
    """

    factor: float
    lost: Samples | None
    deepest_db: float
    meter: Meter


def limited(samples: Samples, sample_rate: int, ceiling_dbtp: float) -> tuple[Samples, float]:
    """Keep the true peak at or under a ceiling, as our own meter measures it, always.

    Both channels have one gain, so that the picture stands still. It reaches what a peak needs before that comes:
    the lowest gain of its neighbourhood, held, released and smoothed over the same width, can nowhere be above it.
    What the smooth gain leaves between the samples is measured, and taken off.

    Source: P. Hämäläinen, "Smoothing of the control signal without clipped output in digital peak limiters", DAFx-02
    (2002); true peaks after ITU-R BS.1770-4, annex 2.

    Args:
        samples: shape `(2, n)`.
        sample_rate: in Hz.
        ceiling_dbtp: highest true peak.

    Returns:
        The samples, the very same where none is too high, and the most that they were turned down by, in dB.
    """
    peaks = envelope(samples, sample_rate, _amplitude(ceiling_dbtp))
    held = _held(_Sound(samples, peaks, sample_rate), 1.0, ceiling_dbtp)
    return (samples, 0.0) if held.lost is None else (_rendered(samples, held, sample_rate), held.deepest_db)


def to_loudness(samples: Samples, sample_rate: int, target_lufs: float, ceiling_dbtp: float) -> Finished:
    """Bring a mix to a loudness under a ceiling, to within `TOLERANCE_LU`.

    The limiter takes away from what the gain gives, so the gain is set again until both agree; it stops where the
    highest peak would lose more than `MOST_DB`. Silence stays silence.

    Args:
        samples: shape `(2, n)`.
        sample_rate: in Hz.
        target_lufs: integrated loudness of what comes out.
        ceiling_dbtp: its highest true peak.
    """
    meter = measured(samples, sample_rate)
    lufs, peak = _lufs(meter), _peak(meter)
    most_db = 0.0 if lufs is None else ceiling_dbtp + MOST_DB - 20 * float(np.log10(peak))
    gain_db = 0.0 if lufs is None else min(target_lufs - lufs, most_db)
    peaks = envelope(samples, sample_rate, _amplitude(ceiling_dbtp - max(0.0, most_db)))
    sound = _Sound(samples, peaks, sample_rate)
    held = _held(sound, _amplitude(gain_db), ceiling_dbtp)
    for _ in range(MOST_TRIES):
        found = _lufs(held.meter)
        missing = 0.0 if lufs is None or found is None else target_lufs - found
        wanted_db = min(gain_db + missing, most_db)
        if abs(missing) < AIM_LU or wanted_db == gain_db:
            break
        gain_db = wanted_db
        held = _held(sound, _amplitude(gain_db), ceiling_dbtp)
    peak = _peak(held.meter)
    return Finished(
        samples=_rendered(samples, held, sample_rate),
        gain_db=gain_db,
        limiter_db=held.deepest_db,
        lufs=_lufs(held.meter),
        true_peak_dbtp=20 * float(np.log10(peak)) if peak > 0 else None,
    )


def envelope(samples: Samples, sample_rate: int, from_amplitude: float) -> Samples:
    """Highest value on each sample and in the gap behind it, both channels together, shape `(n,)`.

    Where nothing can reach `from_amplitude`, only the samples are looked at. What a filter makes of an abrupt
    beginning or end lies before the first sample or behind the last, and counts as theirs.
    """
    filters = interpolators(sample_rate)
    found = np.zeros(samples.shape[1], np.float32)
    if found.size:
        silence = np.zeros(TAPS, np.float32)
        for row in samples:
            _raise_to_peaks(np.concatenate([silence, row, silence]), filters, from_amplitude, found)
    return found


def _held(sound: _Sound, factor: float, ceiling_dbtp: float) -> _Held:
    """Find the limiter's gain, and measure; aim lower until it holds, and turn all of it down if it never does."""
    ceiling = aim = _amplitude(ceiling_dbtp) * (1 - 1e-9)  # or the decibels of what just fits may round up
    held = _Held(factor, None, 0.0, _heard(sound, factor, None))
    if _peak(held.meter) <= ceiling:
        return held
    for _ in range(4):
        lost = _lost(sound, factor, aim * MARGIN)
        held = _Held(factor, lost, -20 * float(np.log10(max(1 - lost.max(), 1e-12))), _heard(sound, factor, lost))
        peak = _peak(held.meter)
        if peak <= ceiling:
            return held
        aim *= ceiling / peak
    while (peak := _peak(held.meter)) > ceiling:
        less = ceiling / peak * MARGIN
        trimmed, deepest_db = held.factor * less, held.deepest_db - 20 * float(np.log10(less))
        held = _Held(trimmed, held.lost, deepest_db, _heard(sound, trimmed, held.lost))
    return held


def _heard(sound: _Sound, factor: float, lost: Samples | None) -> Meter:
    meter = Meter(sound.sample_rate, STEREO)
    for span in chunks(sound.samples.shape[1], sound.sample_rate):
        meter.feed(_turned_down(sound.samples[:, span], factor, None if lost is None else lost[span]))
    return meter


def _rendered(samples: Samples, held: _Held, sample_rate: int) -> Samples:
    found = np.empty_like(samples)
    for span in chunks(samples.shape[1], sample_rate):
        found[:, span] = _turned_down(samples[:, span], held.factor, None if held.lost is None else held.lost[span])
    return found


def _turned_down(samples: Samples, factor: float, lost: Samples | None) -> Samples:
    gain = np.float32(factor)
    return np.ascontiguousarray(samples * (gain if lost is None else gain * (1 - lost)), np.float32)


def _lost(sound: _Sound, factor: float, ceiling: float) -> Samples:
    """What the gain lacks to 1 at each sample, smooth and never less than a peak needs, shape `(n,)`."""
    half = max(1, round(ATTACK_S / 4 * sound.sample_rate))
    lost = np.empty_like(sound.peaks)
    keep = float(np.exp(-1 / (RELEASE_S * sound.sample_rate)))
    _take(sound.peaks, ceiling / factor, (2 * half, 2 * half + round(HOLD_S * sound.sample_rate)), keep, lost)
    for _ in range(2):  # two means make a triangle as wide as the maximum
        _even(lost, half)
    return lost


def _amplitude(db: float) -> float:
    return float(10 ** (db / 20))


def _peak(meter: Meter) -> float:
    return float(meter.true_peaks().max(initial=0.0))


def _lufs(meter: Meter) -> float | None:
    return integrated_lufs(meter.window_powers(MOMENTARY)[::GATING_HOP])


@kernel
def _take(peaks: Samples, ceiling: float, reach: tuple[int, int], keep: float, lost: Samples) -> None:
    """Highest loss that any peak needs from `reach[1]` samples before to `reach[0]` behind each sample, released.

    A queue holds the samples whose peaks are higher than all behind them; its first is the highest in reach (D. Lemire,
    "Streaming maximum-minimum filter using no more than three comparisons per element", 2006).
    """
    ahead, back = reach
    queue = np.empty(ahead + back + 2, np.int64)
    first = count = 0
    size, held = queue.size, 0.0
    for i in range(-ahead, peaks.size):
        come = i + ahead
        if come < peaks.size and peaks[come] > ceiling:
            while count > 0 and peaks[queue[(first + count - 1) % size]] <= peaks[come]:
                count -= 1
            queue[(first + count) % size] = come
            count += 1
        if i < 0:
            continue
        if count > 0 and queue[first] < i - back:
            first = (first + 1) % size
            count -= 1
        held *= keep
        if count > 0:
            held = max(held, 1 - ceiling / peaks[queue[first]])
        if held < 1e-9:  # or it would go on as a slow (denormal) zero
            held = 0.0
        lost[i] = held


@kernel
def _even(values: Samples, half: int) -> None:
    """Mean of each value and `half` on both sides, in place; beyond the ends the last values go on."""
    size = values.size
    if size == 0:
        return
    begin, end = values[0], values[size - 1]
    past = np.empty(half + 1, np.float32)  # what was there before it was overwritten
    total = np.float64(begin) * half
    for i in range(half + 1):
        total += values[min(i, size - 1)]
    for i in range(size):
        past[i % (half + 1)] = values[i]
        values[i] = max(0.0, total / (2 * half + 1))
        total += values[i + 1 + half] if i + 1 + half < size else end
        total -= past[(i - half) % (half + 1)] if i >= half else begin


@kernel
def _raise_to_peaks(row: Samples, filters: Samples, from_amplitude: float, peaks: Samples) -> None:
    """Raise `peaks` to the values on and between the samples of a channel with TAPS zeros on both sides."""
    bound = np.float32(1.0)
    for p in range(filters.shape[0]):
        total = np.float32(0.0)
        for t in range(TAPS):
            total += abs(filters[p, t])
        bound = max(bound, total)
    for i in range(peaks.size):
        peaks[i] = max(peaks[i], abs(row[i + TAPS]))
    between = np.zeros(BLOCK, np.float32)
    gaps = row.size - TAPS + 1
    for start in range(0, gaps if filters.shape[0] else 0, BLOCK):
        count = min(BLOCK, gaps - start)
        top = np.float32(0.0)
        for i in range(start, start + count + TAPS - 1):
            top = max(top, abs(row[i]))
        if top * bound <= from_amplitude:
            continue
        between[:] = 0
        for p in range(filters.shape[0]):
            _raise_to_filtered(row[start : start + count + TAPS - 1], filters[p], between)
        for i in range(count):
            before = min(max(start + i + BEFORE - TAPS, 0), peaks.size - 1)
            peaks[before] = max(peaks[before], between[i])


@kernel
def _raise_to_filtered(samples: Samples, taps: Samples, highest: Samples) -> None:
    for i in range(samples.size - TAPS + 1):
        value = np.float32(0.0)
        for t in range(TAPS):
            value += samples[i + t] * taps[t]
        highest[i] = max(highest[i], abs(value))
