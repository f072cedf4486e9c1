"""How much a sound rises at each moment, finely enough to place it to a millisecond, and how two such curves lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Curve = NDArray[np.float32]

RATE_HZ = 22_050
HOP = 55  # 2.5 ms: an offset of 3 ms is to be found, and between two hops a parabola finds the rest
N_FFT = 256  # 12 ms: short enough to place a consonant
FRAME_RATE = RATE_HZ / HOP
LOWEST_HZ, HIGHEST_HZ, BANDS = 150.0, 10_000.0, 14
BEATS_FROM_HZ = 40.0  # beats are heard down to the kick
RANGE_DB = 45.0  # what is deeper under the loudest moment of a band is silence
LAG = 2  # hops on each side over which a rise is taken: 10 ms in all
TINY = 1e-20  # power that is silence, far under every floor
_CHUNK = 8192

REACH_S = 0.15  # lags that are looked at
CLEAR = 0.5  # correlation of a lag that is believed


@dataclass(frozen=True)
class Envelope:
    """How much a sound rises, all bands alike, whatever its level.

    Attributes:
        rise_db: mean rise of the bands in 10 ms, dB, shape `(frames,)`; frame `n` stands for `n / rate` seconds.
        rate: frames a second.
    """

    rise_db: Curve
    rate: float = FRAME_RATE


def envelope(samples: Curve) -> Envelope:
    """Measure the rises of a sound of one channel at 22.05 kHz, shape `(n,)`.

    Levels of the bands are in dB over a floor of their own, so that a gain changes nothing, and a band is as good as
    another.
    """
    levels = _levels(samples)
    if not levels.size:
        return Envelope(np.zeros(0, np.float32))
    floor = np.maximum(levels.max(axis=0) - RANGE_DB, levels.max() - 2 * RANGE_DB)
    np.maximum(levels, floor, out=levels)
    rise = np.zeros(len(levels), np.float32)
    if len(levels) > 2 * LAG:
        rise[LAG:-LAG] = np.maximum(0, levels[2 * LAG :] - levels[: -2 * LAG]).mean(axis=1)
    return Envelope(rise)


def attacks(samples: Curve) -> Curve:
    """How hard something is struck at each frame, shape `(frames,)`, of one channel at 22.05 kHz.

    Amplitudes, each band by its own mean: a kick counts more than the hi-hat beside it, and that more than a breath.
    """
    amplitude = 10 ** (_levels(samples, BEATS_FROM_HZ) / 20)
    found = np.zeros(len(amplitude), np.float32)
    if len(amplitude) > 2 * LAG:
        amplitude /= np.maximum(amplitude.mean(axis=0), 1e-5)
        found[LAG:-LAG] = np.maximum(0, amplitude[2 * LAG :] - amplitude[: -2 * LAG]).mean(axis=1)
    return found


def _levels(samples: Curve, lowest_hz: float = LOWEST_HZ) -> Curve:
    """Level of each band in dB, shape `(frames, bands)`; silence surrounds the sound."""
    frames = -(-samples.size // HOP)
    padded = np.pad(samples, (N_FFT // 2, N_FFT))
    window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    edges = np.geomspace(lowest_hz, HIGHEST_HZ, BANDS + 1) * N_FFT / RATE_HZ
    starts = np.unique(np.round(edges).astype(int))
    found = np.empty((frames, starts.size - 1), np.float32)
    for first in range(0, frames, _CHUNK):
        count = min(_CHUNK, frames - first)
        views = np.lib.stride_tricks.sliding_window_view(padded[first * HOP :], N_FFT)[::HOP][:count]
        spectrum = scipy.fft.rfft(views * window, axis=1, workers=1)
        power = spectrum.real**2 + spectrum.imag**2
        found[first : first + count] = np.add.reduceat(power, starts, axis=1)[:, :-1]
    levels: Curve = 10 * np.log10(found + np.float32(TINY))
    return levels


def warped(source: Envelope, source_s: Vector, target_s: Vector) -> tuple[int, Curve]:
    """An envelope carried through a time map.

    Returns:
        The first frame in the mashup, and the rises from there on.
    """
    first, end = int(np.ceil(target_s[0] * source.rate)), int(np.floor(target_s[-1] * source.rate))
    first = max(0, first)
    times = np.interp(np.arange(first, max(first, end)) / source.rate, target_s, source_s)
    if not source.rise_db.size:
        return first, np.zeros(times.size, np.float32)
    found = np.interp(times * source.rate, np.arange(source.rise_db.size), source.rise_db, left=0, right=0)
    return first, found.astype(np.float32)


def lag_s(heard: Curve, expected: Curve, rate: float) -> float | None:
    """By how much one curve is later than another of the same length; None where they are not alike at any lag.

    The lag of the highest correlation within `REACH_S`, between the frames by a parabola.
    """
    reach = round(REACH_S * rate)
    if heard.size < 2 * reach + 8:
        return None
    middle = expected[reach:-reach]
    middle = middle - middle.mean()
    views = np.lib.stride_tricks.sliding_window_view(heard, middle.size)
    norms = np.sqrt(np.maximum(0, (views.astype(np.float64) ** 2).sum(axis=1) - middle.size * views.mean(axis=1) ** 2))
    strength = float(np.sqrt((middle.astype(np.float64) ** 2).sum()))
    if strength <= 0:
        return None
    scores = (views @ middle) / np.maximum(norms * strength, 1e-9)
    best = int(scores.argmax())
    if scores[best] < CLEAR or best in (0, scores.size - 1):
        return None
    before, here, after = scores[best - 1 : best + 2]
    bend = before - 2 * here + after
    return float(best + (0.5 * (before - after) / bend if bend < 0 else 0.0) - reach) / rate


def part(curve: Curve, offset: int, start: int, stop: int) -> Curve:
    """Frames `start` to `stop` of a curve that begins at frame `offset`; zeros where it has none."""
    size = max(0, stop - start)
    found = np.zeros(size, np.float32)
    low, high = max(start, offset), min(stop, offset + curve.size)
    if high > low:
        found[low - start : high - start] = curve[low - offset : high - offset]
    return found


def peaks(rise: Curve, apart: int) -> NDArray[np.int64]:
    """Frames that are the highest within `apart` frames on each side, and no silence."""
    if rise.size < 3:
        return np.empty(0, np.int64)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(rise, apart), 2 * apart + 1).max(axis=1)
    return np.flatnonzero((rise >= around) & (rise > 1.0))


def highest(rise: Curve, places: NDArray[np.int64], around: int) -> Vector:
    """Highest rise within `around` frames of each place."""
    if not rise.size:
        return np.zeros(places.size)
    offsets = np.clip(places[:, None] + np.arange(-around, around + 1), 0, rise.size - 1)
    return np.asarray(rise[offsets].max(axis=1), np.float64)
