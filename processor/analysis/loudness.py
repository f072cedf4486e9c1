"""Loudness, loudness range and true peak after ITU-R BS.1770-4 and EBU R 128, in one pass over the samples.

The signal is K-weighted and its energy summed in sub-blocks of 10 ms. Every window of the standards (0.4 s, 3 s) is
a run of sub-blocks, so momentary and short-term loudness come from one cumulative sum. 10 ms is fine enough to meet
EBU Tech 3341, cases 9 to 14, whose tones start anywhere.

Where a rate has no whole number of samples in 10 ms, sub-block k begins at sample round(k * rate / 100): a window is
then at most one sample off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.audio import Audio
from processor.graph import analyser
from processor.kernels import kernel
from processor.quantities import quantity

Vector = NDArray[np.float64]
Samples = NDArray[np.float32]

SUB_BLOCKS_PER_S = 100
MOMENTARY = 40  # sub-blocks: 0.4 s (EBU Tech 3341, 2.2)
SHORT_TERM = 300  # sub-blocks: 3 s (EBU Tech 3341, 2.2)
GATING_HOP = 10  # sub-blocks: 75 % overlap of 0.4 s (BS.1770-4, annex 1)
ABSOLUTE_GATE_LUFS = -70.0  # BS.1770-4, annex 1
RELATIVE_GATE_LU = -10.0  # BS.1770-4, annex 1
RANGE_GATE_LU = -20.0  # EBU Tech 3342, 2.2
RANGE_PERCENTILES = (10, 95)  # EBU Tech 3342, 2.2
RANGE_SHORT_S = 60.0  # EBU R 128 s1: programmes under a minute have no meaningful range
OFFSET_LU = -0.691  # BS.1770-4, annex 1, equation 2

# Channel weights (BS.1770-4, tables 3 and 4): +1.5 dB for loudspeakers between 60° and 120° to the side. In 5.x the
# surrounds stand at 110° whatever they are called; in 6.1 and 7.1 the side pair does, and the rear ones do not.
SIDE_WEIGHT = 1.41
_SIDE = {"SL", "SR"}
_REAR = {"BL", "BR"}

# Taps on each side of the true-peak interpolator. BS.1770-4, annex 2, uses 12 a phase; 16 lose .1 dB less near
# Nyquist at the same speed.
TAPS = 16
KAISER_BETA = 7.0
PEAK_BLOCK = 32


@dataclass(frozen=True)
class Loudness:
    """Loudness of a track; None where it is silent or too short for the measure."""

    integrated_lufs: float | None = quantity(
        "LUFS",
        label="Integrated loudness",
        source="ITU-R BS.1770-4, annex 1",
        help="How loud the whole piece is; streaming services turn tracks up or down to meet their own number.",
        low=-70,
        high=20,
    )
    momentary_max_lufs: float | None = quantity(
        "LUFS", label="Loudest moment", source="EBU Tech 3341, 2.2 (0.4 s)", help="The loudest 0.4 seconds.", high=20
    )
    short_term_max_lufs: float | None = quantity(
        "LUFS", label="Loudest passage", source="EBU Tech 3341, 2.2 (3 s)", help="The loudest 3 seconds.", high=20
    )
    range_lu: float | None = quantity(
        "LU",
        label="Loudness range",
        source="EBU Tech 3342",
        help="Distance between the quiet and the loud passages, without the extremes.",
        low=0,
    )
    range_is_short: bool = quantity(
        "",
        label="Range from under a minute",
        source="EBU R 128 s1",
        help="The piece is so short that its loudness range says little.",
    )
    true_peak_dbtp: float | None = quantity(
        "dBTP",
        label="True peak",
        source="ITU-R BS.1770-4, annex 2",
        help="Highest level between the samples; above −1 a player or a lossy coder may clip.",
        digits=2,
    )
    sample_peak_dbfs: float | None = quantity(
        "dBFS", label="Sample peak", source="AES17, full scale 1.0", help="Highest sample.", digits=2
    )
    plr_db: float | None = quantity(
        "dB",
        label="Peak to loudness ratio",
        source="AES TD1004; true peak − integrated",
        help="Room between the loudness and the peak of the whole piece: the smaller, the more limited.",
    )
    psr_min_db: float | None = quantity(
        "dB",
        label="Smallest peak to short-term ratio",
        source="true peak − short-term loudness, windows of 3 s each second",
        help="The same for the densest 3 seconds: about 8 is limited, 12 balanced.",
    )
    psr_median_db: float | None = quantity(
        "dB",
        label="Median peak to short-term ratio",
        source="true peak − short-term loudness, windows of 3 s each second",
        help="The same for a typical 3 seconds.",
    )
    short_term_lufs: NDArray[np.float64] = quantity(
        "LUFS",
        label="Short-term loudness over time",
        source="EBU Tech 3341, 2.2 (3 s)",
        help="One value a second; value i is of the 3 seconds that begin at second i. Gaps are below −70 LUFS.",
    )
    momentary_lufs: NDArray[np.float64] = quantity(
        "LUFS",
        label="Momentary loudness over time",
        source="EBU Tech 3341, 2.2 (0.4 s)",
        help="One value a second: the loudest 0.4 seconds that begin in it. Gaps are below −70 LUFS.",
    )
    true_peaks_dbtp: NDArray[np.float64] = quantity(
        "dBTP",
        label="True peak over time",
        source="ITU-R BS.1770-4, annex 2",
        help="The highest level between the samples of each second. Gaps are silent.",
    )


@analyser(version=2)
def loudness(audio: Audio) -> Loudness:
    """Measure loudness after ITU-R BS.1770-4, EBU Tech 3341 and EBU Tech 3342.

    Source: the documents that the constants above name; filters at any rate after B. De Man, "Evaluation of
    Implementations of the EBU R128 Loudness Measurement", AES 145 (2018).
    """
    meter = Meter(audio.sample_rate, audio.positions)
    for block in audio.blocks():
        meter.feed(block)
    return _summarise(meter, audio.duration_s)


def _summarise(meter: Meter, duration_s: float) -> Loudness:
    short_term, momentary = meter.window_powers(SHORT_TERM), meter.window_powers(MOMENTARY)
    integrated = integrated_lufs(momentary[::GATING_HOP])
    true_peaks = meter.true_peaks()
    true_peak = _db(true_peaks.max(initial=0.0))
    curve = _lufs_curve(short_term[::SUB_BLOCKS_PER_S])
    ratios = _peak_to_short_term(true_peaks, curve)
    return Loudness(
        integrated_lufs=integrated,
        momentary_max_lufs=_lufs(momentary.max(initial=0.0)),
        short_term_max_lufs=_lufs(short_term.max(initial=0.0)),
        range_lu=range_lu(short_term[::GATING_HOP]),
        range_is_short=duration_s < RANGE_SHORT_S,
        true_peak_dbtp=true_peak,
        sample_peak_dbfs=_db(meter.sample_peak),
        plr_db=true_peak - integrated if true_peak is not None and integrated is not None else None,
        psr_min_db=float(ratios.min()) if ratios.size else None,
        psr_median_db=float(np.median(ratios)) if ratios.size else None,
        short_term_lufs=curve,
        momentary_lufs=_lufs_curve(_highest_of_each_second(momentary)),
        true_peaks_dbtp=_db_curve(true_peaks),
    )


def _highest_of_each_second(powers: Vector) -> Vector:
    """The highest of the windows that begin in each second."""
    missing = -powers.size % SUB_BLOCKS_PER_S
    padded = np.concatenate([powers, np.zeros(missing)]).reshape(-1, SUB_BLOCKS_PER_S)
    highest: Vector = padded.max(axis=1)
    return highest


def _db_curve(amplitudes: Vector) -> Vector:
    """Level of each amplitude, NaN for silence."""
    curve = np.full(amplitudes.shape, np.nan)
    curve[amplitudes > 0] = 20 * np.log10(amplitudes[amplitudes > 0])
    return curve


def _lufs(power: float) -> float | None:
    """Loudness of a K-weighted power; None below the absolute gate, where a meter shows nothing."""
    level = OFFSET_LU + 10 * np.log10(power) if power > 0 else -np.inf
    return float(level) if level > ABSOLUTE_GATE_LUFS else None


def _db(amplitude: float) -> float | None:
    return float(20 * np.log10(amplitude)) if amplitude > 0 else None


def _power(lufs: float) -> float:
    return float(10 ** ((lufs - OFFSET_LU) / 10))


def _lufs_curve(powers: Vector) -> Vector:
    """Loudness of each power, NaN below the absolute gate."""
    curve = np.full(powers.shape, np.nan)
    heard = powers > _power(ABSOLUTE_GATE_LUFS)
    curve[heard] = OFFSET_LU + 10 * np.log10(powers[heard])
    return curve


def integrated_lufs(powers: Vector) -> float | None:
    """Gated loudness of 0.4 s windows that overlap by 75 % (BS.1770-4, annex 1)."""
    heard = powers[powers > _power(ABSOLUTE_GATE_LUFS)]
    if heard.size == 0:
        return None
    loud = heard[heard > heard.mean() * 10 ** (RELATIVE_GATE_LU / 10)]
    return _lufs(float(loud.mean()))


def range_lu(powers: Vector) -> float | None:
    """Loudness range of 3 s windows at 10 a second (EBU Tech 3342)."""
    heard = powers[powers > _power(ABSOLUTE_GATE_LUFS)]
    if heard.size == 0:
        return None
    loud = heard[heard > heard.mean() * 10 ** (RANGE_GATE_LU / 10)]
    low, high = np.percentile(loud, RANGE_PERCENTILES, method="nearest")
    return float(10 * np.log10(high / low))


def _peak_to_short_term(true_peaks: Vector, short_term: Vector) -> Vector:
    """True peak over loudness of each 3 s window, in dB, gated as the loudness range is."""
    if not np.isfinite(short_term).any():
        return np.empty(0)
    floor = 10 * np.log10(np.nanmean(10 ** (short_term / 10))) + RANGE_GATE_LU
    peaks = np.lib.stride_tricks.sliding_window_view(true_peaks, 3).max(axis=1)[: short_term.size]
    heard = short_term > floor
    return np.asarray(20 * np.log10(peaks[heard]) - short_term[heard])


def channel_weights(positions: tuple[str, ...]) -> Vector:
    """Weight of each channel's energy, shape `(channels,)`; the LFE has none (BS.1770-4, tables 3 and 4)."""
    has_sides = bool(_SIDE & set(positions))
    loud = _SIDE if has_sides else _REAR
    return np.array([0.0 if p == "LFE" else SIDE_WEIGHT if p in loud else 1.0 for p in positions])


def k_weighting(sample_rate: int) -> Vector:
    """Coefficients `b0 b1 b2 a1 a2` of the shelf and `a1 a2` of the high-pass (whose zeros are 1, −2, 1), shape `(7,)`.

    The standard tabulates them at 48 kHz only. These are the analogue prototypes behind the table, transformed
    bilinearly at `sample_rate` in Hz; at 48 kHz they equal it to 1e-8. Source: De Man 2018, section 3.
    """
    high, gain_db, high_q = 1681.974450955533, 3.999843853973347, 0.7071752369554196
    low, low_q = 38.13547087602444, 0.5003270373238773
    k = np.tan(np.pi * high / sample_rate)
    top, band = 10 ** (gain_db / 20), 10 ** (gain_db / 20 * 0.4996667741545416)
    norm = 1 + k / high_q + k * k
    shelf = [
        (top + band * k / high_q + k * k) / norm,
        2 * (k * k - top) / norm,
        (top - band * k / high_q + k * k) / norm,
        2 * (k * k - 1) / norm,
        (1 - k / high_q + k * k) / norm,
    ]
    k = np.tan(np.pi * low / sample_rate)
    norm = 1 + k / low_q + k * k
    return np.array([*shelf, 2 * (k * k - 1) / norm, (1 - k / low_q + k * k) / norm])


def interpolators(sample_rate: int) -> Samples:
    """Filters that give the values between two samples, shape `(factor − 1, TAPS)`, oldest sample first.

    4 times oversampling below 96 kHz, 2 times below 192 kHz, none above (BS.1770-4, annex 2: at least 192 kHz).
    Windowed sinc; the phase that falls on a sample is that sample and is left out.
    """
    factor = 4 if sample_rate < 96_000 else 2 if sample_rate < 192_000 else 1
    taps = np.arange(-TAPS // 2 + 1, TAPS // 2 + 1)
    rows = []
    for phase in range(1, factor):
        distance = taps - phase / factor
        window = np.i0(KAISER_BETA * np.sqrt(np.maximum(0, 1 - (2 * distance / TAPS) ** 2))) / np.i0(KAISER_BETA)
        row = np.sinc(distance) * window
        rows.append(row / row.sum())
    return np.array(rows, np.float32).reshape(factor - 1, TAPS)


class Meter:
    """Takes a signal block by block and keeps the energy of each 10 ms and the true peak of each second."""

    def __init__(self, sample_rate: int, positions: tuple[str, ...]) -> None:
        self._rate = sample_rate
        self._weights = channel_weights(positions)
        self._coefficients = k_weighting(sample_rate)
        self._state = np.zeros((len(positions) + len(positions) % 2, 4))
        self._filters = interpolators(sample_rate)
        self._history = np.zeros((len(positions), TAPS - 1), np.float32)
        self._energies: list[Vector] = []
        self._peaks: list[Vector] = []
        self.sample_peak = 0.0

    def feed(self, block: Samples) -> None:
        """Take the next block, `(channels, n)`; every block but the last is a whole number of seconds."""
        whole = block.shape[1] * SUB_BLOCKS_PER_S // self._rate
        edges = np.round(np.arange(whole + 1) * (self._rate / SUB_BLOCKS_PER_S)).astype(np.int64)
        energy = np.zeros((len(self._state), whole))
        for first in range(0, len(block), 2):
            second = min(first + 1, len(block) - 1)
            pair = slice(first, first + 2)
            _weighted_energy(block[first], block[second], self._coefficients, self._state[pair], edges, energy[pair])
        self._energies.append(self._weights @ energy[: len(block)])
        self._peaks.append(self._second_peaks(block))

    def _second_peaks(self, block: Samples) -> Vector:
        """Highest value of each second, between the samples too; and the highest sample."""
        seconds = -(-block.shape[1] // self._rate)
        peaks = np.zeros(seconds, np.float32)
        for channel, row in enumerate(block):
            joint = np.concatenate([self._history[channel], row[: TAPS - 1]])
            true_peaks_within(joint, TAPS - 1, self._filters, self._rate, peaks[:1])
            highest = true_peaks_within(row, 0, self._filters, self._rate, peaks)
            self.sample_peak = max(self.sample_peak, float(highest))
            self._history[channel] = joint[-(TAPS - 1) :] if row.size < TAPS - 1 else row[-(TAPS - 1) :]
        return peaks.astype(np.float64)

    def true_peaks(self) -> Vector:
        """True peak of each second as an amplitude, the filter's tail after the end included."""
        peaks = np.concatenate([np.zeros(0), *self._peaks])
        if peaks.size == 0:
            return peaks
        tail = np.zeros(1, np.float32)
        for row in self._history:
            true_peaks_within(
                np.concatenate([row, np.zeros(TAPS - 1, np.float32)]), TAPS - 1, self._filters, self._rate, tail
            )
        peaks[-1] = max(peaks[-1], tail[0])
        return peaks

    def window_powers(self, length: int) -> Vector:
        """Mean weighted power of every run of `length` sub-blocks, one each 10 ms."""
        energy = np.concatenate([np.zeros(1), *self._energies])
        if energy.size <= length:
            return np.zeros(0)
        edges = np.round(np.arange(energy.size) * (self._rate / SUB_BLOCKS_PER_S))
        sums = np.cumsum(energy)
        powers: Vector = np.maximum(sums[length:] - sums[:-length], 0.0) / (edges[length:] - edges[:-length])
        return powers


@kernel
def _weighted_energy(
    a: Samples, b: Samples, coefficients: Vector, state: Vector, edges: NDArray[np.int64], energy: Vector
) -> None:
    """K-weight two channels and sum their squares between `edges`.

    Two at once because each biquad waits for its own last output: the second channel fills the gaps. Transposed
    direct form II; states are `(2, 4)`, energies `(2, sub-blocks)`.
    """
    b0, b1, b2, a1, a2, c1, c2 = coefficients
    p1, p2, q1, q2 = state[0]
    r1, r2, s1, s2 = state[1]
    for k in range(edges.size - 1):
        left = right = 0.0
        for i in range(edges[k], edges[k + 1]):
            x = np.float64(a[i])
            u = np.float64(b[i])
            y = b0 * x + p1
            v = b0 * u + r1
            p1 = b1 * x - a1 * y + p2
            r1 = b1 * u - a1 * v + r2
            p2 = b2 * x - a2 * y
            r2 = b2 * u - a2 * v
            z = y + q1
            w = v + s1
            q1 = -2.0 * y - c1 * z + q2
            s1 = -2.0 * v - c1 * w + s2
            q2 = y - c2 * z
            s2 = v - c2 * w
            left += z * z
            right += w * w
        energy[0, k] = left
        energy[1, k] = right
        # After the end of a sound the states fade for ever; below this they would only be slow (denormal) zeros.
        if abs(p1) + abs(p2) + abs(q1) + abs(q2) < 1e-30:
            p1 = p2 = q1 = q2 = 0.0
        if abs(r1) + abs(r2) + abs(s1) + abs(s2) < 1e-30:
            r1 = r2 = s1 = s2 = 0.0
    state[0] = p1, p2, q1, q2
    state[1] = r1, r2, s1, s2


@kernel
def true_peaks_within(row: Samples, skip: int, filters: Samples, rate: int, peaks: Samples) -> float:
    """Raise `peaks[second]` to the highest value on and between the samples of one channel; return the sample peak.

    The first `skip` samples only fill the filter. A value between samples is at most the largest sample that its
    filter sees times the filter's absolute sum. So a block is interpolated only if that bound is above what its
    second has already reached: exact, and rarely done.
    """
    phases = len(filters)
    bound = np.float32(1.0)
    for p in range(phases):
        total = np.float32(0.0)
        for t in range(TAPS):
            total += abs(filters[p, t])
        bound = max(bound, total)
    highest = before = np.float32(0.0)
    for i in range(skip):
        before = max(before, abs(row[i]))
    maxima = np.zeros(rate // PEAK_BLOCK + 1, np.float32)
    for second in range(peaks.size):
        start = max(second * rate, skip)
        end = min((second + 1) * rate, row.size)
        blocks = (end - start + PEAK_BLOCK - 1) // PEAK_BLOCK
        best = peaks[second]
        for k in range(blocks):
            top = np.float32(0.0)
            for i in range(start + k * PEAK_BLOCK, min(start + (k + 1) * PEAK_BLOCK, end)):
                top = max(top, abs(row[i]))
            maxima[k] = top
            best = max(best, top)
            highest = max(highest, top)
        for k in range(blocks if phases else 0):
            if max(before, maxima[k]) * bound > best:
                first = max(start + k * PEAK_BLOCK, TAPS - 1) - TAPS + 1
                for p in range(phases):
                    best = max(best, _highest_between(row[first : min(start + (k + 1) * PEAK_BLOCK, end)], filters[p]))
            # A second's last block may be shorter than the filter, which then sees the one before it, too.
            before = max(before, maxima[k]) if k == blocks - 1 else maxima[k]
        peaks[second] = best
    return float(highest)


@kernel
def _highest_between(samples: Samples, taps: Samples) -> float:
    """Highest absolute value of a filtered stretch.

    `TAPS` is known when this is compiled, so the inner loop is unrolled and the outer one becomes a vector's.
    """
    highest = np.float32(0.0)
    for i in range(samples.size - TAPS + 1):
        value = np.float32(0.0)
        for t in range(TAPS):
            value += samples[i + t] * taps[t]
        highest = max(highest, abs(value))
    return float(highest)
