"""What breaks a mix: filters, dynamics and measures, each of its own, none of the package's.

All take and return float32 `(channels, n)` with full scale 1.0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from processor.analysis.loudness import loudness
from processor.audio import from_samples
from tests.signals import Samples

Curve = NDArray[np.float64]
CONTROL_HZ = 1000  # at which curves of gain are made


@dataclass(frozen=True)
class Sound:
    """A sound to be written to a file.

    Attributes:
        samples: float32, shape `(channels, n)`.
        rate: Hz.
        subtype: of the WAV file, as soundfile calls it.
    """

    samples: Samples
    rate: int
    subtype: str = "PCM_24"

    def with_samples(self, samples: NDArray[np.floating[Any]]) -> Sound:
        """The same file with other samples."""
        return replace(self, samples=np.ascontiguousarray(samples, np.float32))


def factor(db: float) -> float:
    """Of amplitudes."""
    return float(10 ** (db / 20))


def rms_db(samples: NDArray[np.floating[Any]]) -> float:
    """Level of the power, over all channels."""
    return float(10 * np.log10(max(1e-20, np.mean(np.square(samples, dtype=np.float64)))))


def peak_db(samples: Samples) -> float:
    """Highest sample."""
    return float(20 * np.log10(max(1e-10, np.abs(samples).max(initial=0.0))))


def levels(sound: Sound) -> tuple[float, float]:
    """LUFS and dBTP; −70 and less for silence."""
    found = loudness(from_samples(sound.samples, sound.rate))
    lufs, peak = found.integrated_lufs, found.true_peak_dbtp
    return (-70.0 if lufs is None else lufs), (-100.0 if peak is None else peak)


def staged(sound: Sound, lufs: float = -14.0, ceiling_dbtp: float = -1.2) -> Sound:
    """By gain alone at a loudness, or as near to it as the peaks allow: how a mix with headroom is bounced."""
    level, peak = levels(sound)
    return sound.with_samples(sound.samples * factor(min(lufs - level, ceiling_dbtp - peak)))


# Filters (R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients")


def bell(sound: Sound, hz: float, gain_db: float, q: float) -> Sound:
    """A bump or a dip."""
    a, w = 10 ** (gain_db / 40), 2 * np.pi * hz / sound.rate
    alpha = np.sin(w) / (2 * q)
    top, bottom = (1 + alpha * a, 1 - alpha * a), (1 + alpha / a, 1 - alpha / a)
    middle = -2 * np.cos(w)
    return _biquad(sound, (top[0], middle, top[1]), (bottom[0], middle, bottom[1]))


def shelf(sound: Sound, hz: float, gain_db: float, *, high: bool) -> Sound:
    """Everything above `hz`, or below it, with a slope of 1."""
    a, w = 10 ** (gain_db / 40), 2 * np.pi * hz / sound.rate
    c, s = np.cos(w) * (1 if high else -1), np.sqrt(2 * a) * np.sin(w)
    sign = 1 if high else -1
    top = (a * (a + 1 + (a - 1) * c + s), sign * -2 * a * (a - 1 + (a + 1) * c), a * (a + 1 + (a - 1) * c - s))
    bottom = (a + 1 - (a - 1) * c + s, sign * 2 * (a - 1 - (a + 1) * c), a + 1 - (a - 1) * c - s)
    return _biquad(sound, top, bottom)


def _biquad(sound: Sound, top: tuple[float, ...], bottom: tuple[float, ...]) -> Sound:
    return sound.with_samples(signal.lfilter(np.array(top) / bottom[0], np.array(bottom) / bottom[0], sound.samples))


def passed(sound: Sound, kind: str, hz: float | tuple[float, float], order: int = 4) -> Sound:
    """Through a Butterworth filter: kind is "highpass", "lowpass" or "bandpass"."""
    sos = signal.butter(order, hz, kind, fs=sound.rate, output="sos")
    return sound.with_samples(signal.sosfilt(sos, sound.samples))


def turned(samples: Samples, degrees: float) -> NDArray[np.float64]:
    """With the phase of every frequency moved."""
    angle = np.deg2rad(degrees)
    found: NDArray[np.float64] = np.real(signal.hilbert(samples.astype(np.float64)) * np.exp(1j * angle))
    return found


# Dynamics


def limited(sound: Sound, gain_db: float, ceiling_db: float = -1.2) -> Sound:
    """Driven into a limiter that looks 3 ms ahead and lets go within 40 ms."""
    driven = sound.samples * factor(gain_db)
    peaks = np.abs(driven).max(axis=0)
    ahead, hold = round(0.003 * sound.rate), round(0.04 * sound.rate)
    gain = np.minimum(1.0, factor(ceiling_db) / np.maximum(ndimage.maximum_filter1d(peaks, ahead + hold), 1e-9))
    return sound.with_samples(driven * ndimage.uniform_filter1d(gain, ahead))


def shaped(sound: Sound, gain_db: float) -> Sound:
    """Attacks raised or lowered by up to `gain_db`, what sounds between them left alone."""
    fast, slow = (_level_db(sound, seconds) for seconds in (0.004, 0.2))
    return gained(sound, gain_db * np.clip((fast - slow) / 6, 0, 1))


def keyed(sound: Sound, depth_db: float, hz: float = 120.0, release_s: float = 0.25) -> Sound:
    """Ducked by its own low end, as a compressor on the mix is by the kick."""
    low = _control(sound, np.abs(passed(sound, "lowpass", hz).samples).max(axis=0), np.max)
    fall = np.exp(-1 / (release_s * CONTROL_HZ))
    held, level = np.empty_like(low), 0.0
    for at, value in enumerate(low):
        level = max(float(value), level * fall)
        held[at] = level
    return gained(sound, -depth_db * np.clip(held / max(1e-9, np.percentile(held, 95)), 0, 1))


def gained(sound: Sound, gain_db: Curve) -> Sound:
    """With a gain that moves: one value each millisecond."""
    time = np.arange(sound.samples.shape[1]) * (CONTROL_HZ / sound.rate)
    gain = 10 ** (np.interp(time, np.arange(gain_db.size) + 0.5, gain_db) / 20)
    return sound.with_samples(sound.samples * gain)


def _level_db(sound: Sound, seconds: float) -> Curve:
    """Level of each millisecond, over a window in the middle of which it lies."""
    power = _control(sound, np.mean(np.square(sound.samples, dtype=np.float64), axis=0), np.mean)
    smooth = ndimage.uniform_filter1d(power, max(1, round(seconds * CONTROL_HZ)))
    found: Curve = 10 * np.log10(np.maximum(smooth, 1e-10))
    return found


def _control(sound: Sound, values: NDArray[np.floating[Any]], of: Any) -> Curve:
    step = sound.rate // CONTROL_HZ
    edge = values.size // step * step
    found: Curve = of(values[:edge].reshape(-1, step), axis=1).astype(np.float64)
    # A millisecond is not always a whole number of samples: the curve keeps its length in time.
    wanted = max(1, values.size * CONTROL_HZ // sound.rate)
    return np.interp(np.linspace(0, found.size - 1, wanted), np.arange(found.size), found)


def local_db(samples: Samples, rate: int, seconds: float = 0.05) -> Curve:
    """Level of each stretch."""
    step = max(1, round(seconds * rate))
    rows = samples[:, : samples.shape[1] // step * step].reshape(samples.shape[0], -1, step)
    return np.asarray(10 * np.log10(np.maximum(np.mean(np.square(rows, dtype=np.float64), axis=(0, 2)), 1e-12)))
