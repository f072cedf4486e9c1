"""The null test: one bounce laid on another to the sample, and subtracted. What is left is what was changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
import soxr
from numpy.typing import NDArray

from processor.analysis.bands import BAND_NAMES, bands, six_band_powers
from processor.audio import Audio, downmix_matrix, from_samples
from processor.decoders import Samples
from processor.quantities import quantity

Vector = NDArray[np.float32]

# Rate at which the whole of both is searched for where they fit, before the samples around that are.
COARSE_HZ = 11_025
# So many seconds, at three places, must fit at the same sample.
WINDOW_S = 10.0
# How far from the coarse place the fine one may lie: a few of its samples.
REACH_S = 0.002
# Two bounces of one mix correlate by more; two takes, or another arrangement, by less.
MIN_CORRELATION = 0.4
# A step of the curve.
STEP_S = 0.5
# Longer, and the two would take gigabytes.
MAX_S = 1800.0
SHORTEST_S = 1.0
# What is under this is the rounding of 24-bit files.
FLOOR_DB = -120.0
_METHOD = "difference of the two after alignment to the sample and the gain of least squares"


@dataclass(frozen=True)
class NullTest:
    """How one bounce differs from an earlier one."""

    is_aligned: bool = quantity(
        "",
        label="Aligned",
        source="cross-correlation of both, at three places",
        help="Whether the two run in step, so that they can be subtracted.",
    )
    reason: str | None = quantity(
        "", label="Why not", source="cross-correlation", help="Why the two cannot be subtracted."
    )
    offset_s: float | None = quantity(
        "s",
        label="Offset",
        source="cross-correlation",
        help="How much later the sound begins in the later file; below 0: how much earlier.",
        digits=4,
    )
    gain_db: float | None = quantity(
        "dB", label="Gain", source="least squares", help="Gain that makes the earlier as loud as the later.", digits=2
    )
    correlation: float | None = quantity(
        "",
        label="Correlation",
        source="normalised cross-correlation of the aligned samples",
        help="1 is the same up to its level.",
        low=-1,
        high=1,
        digits=4,
    )
    depth_db: float | None = quantity(
        "dB",
        label="Null depth",
        source=_METHOD,
        help="Level of the difference against the later bounce: −60 dB is next to nothing, −6 dB is another mix. "
        "Empty where the two are the same to the last bit.",
    )
    is_identical: bool = quantity(
        "", label="Identical", source=_METHOD, help="Whether nothing is left, not even the last bit."
    )
    band_depths_db: tuple[float | None, ...] = quantity(
        "dB",
        label="Null depth by band",
        source=f"{_METHOD}, power of each band: {', '.join(BAND_NAMES)}",
        help="Where in the spectrum the change is.",
    )
    step_s: float = quantity("s", label="Step of the curve", source="half a second", help="Time between its points.")
    depths_db: NDArray[np.float64] = quantity(
        "dB",
        label="Null depth over time",
        source=_METHOD,
        help="Level of the difference against the later bounce's overall level; gaps where nothing is left.",
    )


def null_test(later: Audio, earlier: Audio) -> NullTest:
    """Lay an earlier bounce on a later one and measure what is left when it is subtracted.

    Args:
        later: the bounce that is judged.
        earlier: the one before; of another sample rate, it is resampled.
    """
    for one, which in ((later, "later"), (earlier, "earlier")):
        if one.source.streamed or one.duration_s > MAX_S:
            return unaligned(f"the {which} bounce is longer than {MAX_S / 60:.0f} minutes")
        if one.duration_s < SHORTEST_S:
            return unaligned(f"the {which} bounce is shorter than {SHORTEST_S:.0f} s")
    first, second = _stereo(later), _stereo(earlier)
    if earlier.sample_rate != later.sample_rate:
        second = soxr.resample(second.T, earlier.sample_rate, later.sample_rate, quality="VHQ").T
    if not first.any() or not second.any():
        return unaligned("one of them is silent")
    offset = _coarse(first.mean(axis=0), second.mean(axis=0), later.sample_rate)
    fine, correlation, reason = _fine(first, second, offset, later.sample_rate)
    if reason is not None:
        return unaligned(reason, correlation)
    return _difference(first, second, fine, later.sample_rate)


def unaligned(reason: str, correlation: float | None = None) -> NullTest:
    """What is known of two bounces that cannot be subtracted."""
    nothing: tuple[None, ...] = (None,) * len(BAND_NAMES)
    return NullTest(False, reason, None, None, correlation, None, False, nothing, STEP_S, np.zeros(0))


def _stereo(audio: Audio) -> Samples:
    """Two channels, whatever it has."""
    if audio.channels == 2:
        return audio.samples
    return np.asarray(downmix_matrix(audio.positions).astype(np.float32) @ audio.samples)


def _coarse(first: Vector, second: Vector, rate: int) -> int:
    """How many samples later the second's sound stands in the first, to within a sample of COARSE_HZ."""
    small = [_at_rate(one, rate) for one in (first, second)]
    length = scipy.fft.next_fast_len(small[0].size + small[1].size, real=True)
    spectra = [scipy.fft.rfft(one, length, workers=1) for one in small]
    fit = scipy.fft.irfft(spectra[0] * np.conj(spectra[1]), length, workers=1)
    lag = int(np.argmax(np.abs(fit)))
    lag = lag - length if lag > small[0].size else lag
    return round(lag * rate / min(rate, COARSE_HZ))


def _at_rate(signal: Vector, rate: int) -> Vector:
    if rate <= COARSE_HZ:
        return signal
    return np.asarray(soxr.resample(signal, rate, COARSE_HZ, quality="MQ"), np.float32)


def _fine(first: Samples, second: Samples, offset: int, rate: int) -> tuple[int, float | None, str | None]:
    """The exact offset, how well it fits, and why there is none, if so."""
    start, stop = max(0, offset), min(first.shape[1], second.shape[1] + offset)
    window, reach = min(round(WINDOW_S * rate), stop - start), round(REACH_S * rate)
    if window < SHORTEST_S * rate / 2:
        return 0, None, "they have less than half a second in common"
    found: list[tuple[int, float]] = []
    for at in np.linspace(start, stop - window, 3).astype(int):
        piece = _fit(first[:, at : at + window], second, at - offset, reach)
        if piece is not None:
            found.append(piece)
    if not found:
        return 0, None, "what they have in common is silent"
    lags, fits = [lag for lag, _ in found], [fit for _, fit in found]
    correlation = float(np.median(fits))
    if correlation < MIN_CORRELATION:
        return 0, correlation, "their sound does not line up: another take, arrangement or tempo"
    good = [lag for lag, fit in found if fit >= MIN_CORRELATION]
    if max(good) - min(good) > 1:
        return (
            0,
            correlation,
            f"they run apart by {1000 * (max(good) - min(good)) / rate:.1f} ms: another tempo or edit",
        )
    return offset + int(np.median(lags)), correlation, None


def _fit(piece: Samples, other: Samples, at: int, reach: int) -> tuple[int, float] | None:
    """By how many samples a piece fits better than expected, and how well: -1 to 1; None for silence."""
    low, high = at - reach, at + piece.shape[1] + reach
    padded = np.zeros((2, high - low), np.float32)
    inside = slice(max(0, low), min(other.shape[1], high))
    padded[:, inside.start - low : inside.stop - low] = other[:, inside]
    length = scipy.fft.next_fast_len(high - low + piece.shape[1], real=True)
    spectra = [scipy.fft.rfft(one, length, axis=1, workers=1) for one in (padded, piece)]
    fit = scipy.fft.irfft((spectra[0] * np.conj(spectra[1])).sum(axis=0), length, workers=1)[: 2 * reach + 1]
    best = int(np.argmax(np.abs(fit)))
    matched = padded[:, best : best + piece.shape[1]].astype(np.float64)
    norm = np.sqrt((piece.astype(np.float64) ** 2).sum() * (matched**2).sum())
    return None if norm == 0 else (reach - best, abs(float(fit[best])) / float(norm))


def _difference(first: Samples, second: Samples, offset: int, rate: int) -> NullTest:
    start, stop = max(0, offset), min(first.shape[1], second.shape[1] + offset)
    a = first[:, start:stop].astype(np.float64)
    b = second[:, start - offset : stop - offset].astype(np.float64)
    power_a, power_b, cross = float((a * a).sum()), float((b * b).sum()), float((a * b).sum())
    if power_a == 0 or power_b == 0:
        return unaligned("what they have in common is silent")
    gain = cross / power_b
    rest = a - gain * b
    left = float((rest * rest).sum()) / power_a
    # The rounding of the gain itself leaves some 1e-16 of what is the same to the last bit.
    is_identical = bool(np.array_equal(first[:, start:stop], second[:, start - offset : stop - offset]))
    return NullTest(
        is_aligned=True,
        reason=None,
        offset_s=offset / rate,
        gain_db=None if gain == 0 else 20 * float(np.log10(abs(gain))),
        correlation=cross / float(np.sqrt(power_a * power_b)),
        depth_db=None if is_identical else max(FLOOR_DB, 10 * float(np.log10(max(left, 1e-30)))),
        is_identical=is_identical,
        band_depths_db=_by_band(rest, a, rate),
        step_s=STEP_S,
        depths_db=_over_time(rest, power_a / a.shape[1], rate),
    )


def _by_band(rest: NDArray[np.float64], whole: NDArray[np.float64], rate: int) -> tuple[float | None, ...]:
    """Power of what is left against that of the whole, in dB, for each of the six bands."""
    powers = [
        six_band_powers(bands(from_samples(one.astype(np.float32), rate)))[:2].sum(axis=0) for one in (rest, whole)
    ]
    return tuple(
        max(FLOOR_DB, 10 * float(np.log10(left / all_of_it))) if left > 0 and all_of_it > 0 else None
        for left, all_of_it in zip(*powers, strict=True)
    )


def _over_time(rest: NDArray[np.float64], power: float, rate: int) -> NDArray[np.float64]:
    """Level of what is left in each step, in dB against a power; NaN where nothing is."""
    step = round(STEP_S * rate)
    edges = np.arange(0, rest.shape[1], step)
    sums = np.add.reduceat((rest * rest).sum(axis=0), edges)
    lengths = np.diff(np.append(edges, rest.shape[1]))
    levels = np.full(edges.size, np.nan)
    heard = sums > 0
    levels[heard] = np.maximum(FLOOR_DB, 10 * np.log10(sums[heard] / lengths[heard] / power))
    return levels
