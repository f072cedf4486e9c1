"""Levels by channel and together: RMS, crest factor, dynamic range, DC offset, clipping, silence at the ends."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.audio import Audio, Source, downmix_matrix
from processor.graph import analyser
from processor.kernels import kernel
from processor.quantities import quantity

Vector = NDArray[np.float64]
Samples = NDArray[np.float32]

# A run of this many samples at full scale counts as clipped; one or two are reached by clean masters as well. The
# "over" of digital meters since Sony's PCM-1630 counts three.
CLIPPED_RUN = 3
# Runs that are nearer than this are one event to the ear and on a chart.
CLIP_MERGE_S = 0.05
# 16 bit is the coarsest coding in common use: what reaches its top code is clipped in any finer one too.
CLIP_BITS = 16
# Below this a beginning or an end counts as silence: the noise floor of a good 10-bit recording, far below music.
SILENCE_DBFS = -60.0
BLOCK_S = 3  # TT Dynamic Range meter
LOUDEST_SHARE = 0.2  # TT Dynamic Range meter

_DR = "TT Dynamic Range meter (Pleasurize Music Foundation): 3 s blocks"
_RMS = "root mean square of samples, full scale 1.0 (a full-scale sine reads −3.01)"
_CLIP = f"{CLIPPED_RUN} or more samples in a row at the top code of {CLIP_BITS} bit (or of fewer bits) and above"
_SILENCE = f"samples under {SILENCE_DBFS:g} dBFS"


@dataclass(frozen=True)
class Levels:
    """Levels of a track; None where silence or shortness leaves nothing to measure."""

    rms_dbfs: float | None = quantity(
        "dBFS", label="RMS level", source=_RMS, help="Average level of all channels, not weighted for the ear."
    )
    crest_factor_db: float | None = quantity(
        "dB",
        label="Crest factor",
        source="sample peak − RMS",
        help="How far the highest peak stands above the average level.",
        low=0,
    )
    dr: int | None = quantity(
        "DR",
        label="Dynamic range (DR)",
        source=_DR,
        help="The rounded DR number that album databases use: second-highest peak over the loudest fifth.",
        digits=0,
    )
    dc_offset: float = quantity(
        "FS",
        label="DC offset",
        source="mean of samples, full scale 1.0; the channel that is furthest off",
        help="A constant shift of the wave: it wastes level and clicks at edits. Should be 0.",
        low=-1e6,
        high=1e6,
        digits=4,
    )
    clipped_samples: int = quantity(
        "samples",
        label="Clipped samples",
        source=_CLIP,
        help="Samples that are cut flat at the top of the scale.",
        low=0,
        digits=0,
    )
    clipped_intervals_s: NDArray[np.float64] = quantity(
        "s",
        label="Clipped passages",
        source=f"{_CLIP}; runs under {CLIP_MERGE_S:g} s apart are joined",
        help="When clipping happens, start and end, on any channel.",
    )
    is_silent: bool = quantity("", label="Silent", source="samples", help="Every sample is zero.")
    leading_silence_s: float | None = quantity(
        "s",
        label="Silence at the start",
        source=_SILENCE,
        help="Time before the first sound on any channel.",
        low=0,
        digits=2,
    )
    trailing_silence_s: float | None = quantity(
        "s",
        label="Silence at the end",
        source=_SILENCE,
        help="Time after the last sound on any channel.",
        low=0,
        digits=2,
    )
    downmix_peak_dbfs: float | None = quantity(
        "dBFS",
        label="Peak of the stereo downmix",
        source="ITU-R BS.775-4, table 2",
        help="Where a stereo listener's fold-down of more than two channels peaks; above 0 it clips.",
    )
    channel_rms_dbfs: tuple[float | None, ...] = quantity(
        "dBFS", label="RMS level by channel", source=_RMS, help="Average level of each channel."
    )
    channel_peak_dbfs: tuple[float | None, ...] = quantity(
        "dBFS", label="Sample peak by channel", source="AES17, full scale 1.0", help="Highest sample of each channel."
    )
    channel_crest_factor_db: tuple[float | None, ...] = quantity(
        "dB",
        label="Crest factor by channel",
        source="sample peak − RMS",
        help="Peak above average level of each channel.",
        low=0,
    )
    channel_dr_db: tuple[float | None, ...] = quantity(
        "dB", label="Dynamic range by channel", source=_DR, help="DR of each channel before rounding."
    )
    channel_dc_offset: tuple[float, ...] = quantity(
        "FS",
        label="DC offset by channel",
        source="mean of samples, full scale 1.0",
        help="Constant shift of each channel.",
        digits=4,
    )
    channel_clipped_samples: tuple[int, ...] = quantity(
        "samples",
        label="Clipped samples by channel",
        source=_CLIP,
        help="Clipped samples of each channel.",
        low=0,
        digits=0,
    )
    channel_leading_silence_s: tuple[float | None, ...] = quantity(
        "s",
        label="Silence at the start by channel",
        source=_SILENCE,
        help="Time before the first sound of each channel.",
        low=0,
        digits=2,
    )
    channel_trailing_silence_s: tuple[float | None, ...] = quantity(
        "s",
        label="Silence at the end by channel",
        source=_SILENCE,
        help="Time after the last sound of each channel.",
        low=0,
        digits=2,
    )


@analyser(version=1)
def levels(audio: Audio) -> Levels:
    """Measure levels, dynamic range, DC, clipping and silence.

    Source: the rules that each field's declaration names.
    """
    ceiling = clipping_ceiling(audio.source)
    channels = [_Channel(audio.sample_rate) for _ in range(audio.channels)]
    matrix = downmix_matrix(audio.positions) if audio.channels > 2 else None
    downmix_peak = 0.0
    for block in audio.blocks():
        for channel, row in zip(channels, block, strict=True):
            channel.feed(row, ceiling)
        if matrix is not None:
            downmix_peak = max(downmix_peak, float(np.abs(matrix @ block).max(initial=0.0)))
    for channel in channels:
        channel.finish(ceiling)
    return _summarise(channels, audio, _db(downmix_peak))


def clipping_ceiling(source: Source) -> float:
    """Level from which a sample is at full scale: the top code of the coding, of 16 bit at most."""
    bits = min(source.bit_depth or CLIP_BITS, CLIP_BITS)
    return 1 - 2.0 ** (1 - bits)


class _Channel:
    """One channel's sums, block by block. Blocks begin at multiples of 30 s, so 3 s blocks never straddle them."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self.count = 0
        self.first_loud = -1
        self.last_loud = -1
        self.clipped = 0
        self._run = np.zeros(1, np.int64)
        self._clips: list[NDArray[np.int64]] = []
        self._sums: list[Vector] = []
        self._squares: list[Vector] = []
        self._peaks: list[Vector] = []

    def feed(self, row: Samples, ceiling: float) -> None:
        """Take the next samples."""
        units = -(-row.size // (BLOCK_S * self._rate))
        sums, squares, peaks = np.zeros(units), np.zeros(units), np.zeros(units)
        _sum_units(row, BLOCK_S * self._rate, sums, squares, peaks)
        self._sums.append(sums)
        self._squares.append(squares)
        self._peaks.append(peaks)
        first, last = _loud_ends(row, 10 ** (SILENCE_DBFS / 20))
        if first >= 0:
            self.first_loud = self.count + first if self.first_loud < 0 else self.first_loud
            self.last_loud = self.count + last
        if peaks.max(initial=0.0) >= ceiling or self._run[0]:
            self._find_clips(row, ceiling)
        self.count += row.size

    def finish(self, ceiling: float) -> None:
        """Close a clipped run that lasts to the very end."""
        if self._run[0]:
            self._find_clips(np.zeros(1, np.float32), ceiling)

    def _find_clips(self, row: Samples, ceiling: float) -> None:
        gap = max(1, int(CLIP_MERGE_S * self._rate))
        clips = np.zeros((row.size // gap + 2, 2), np.int64)
        clipped, found = _clipped_runs(row, self.count, ceiling, CLIPPED_RUN, gap, self._run, clips)
        self.clipped += clipped
        self._clips.append(clips[:found])

    @property
    def clips(self) -> NDArray[np.int64]:
        """Start and end of clipped passages in samples, shape `(n, 2)`."""
        return np.concatenate([np.zeros((0, 2), np.int64), *self._clips])

    @property
    def power(self) -> float:
        """Mean square."""
        return _total(self._squares) / max(1, self.count)

    @property
    def mean(self) -> float:
        """Mean."""
        return _total(self._sums) / max(1, self.count)

    @property
    def peak(self) -> float:
        """Highest sample."""
        return float(max((part.max(initial=0.0) for part in self._peaks), default=0.0))

    @property
    def dynamic_range_db(self) -> float | None:
        """TT DR before rounding; None under two whole blocks and in silence."""
        whole = self.count // (BLOCK_S * self._rate)
        powers = 2 * np.concatenate([np.zeros(0), *self._squares])[:whole] / (BLOCK_S * self._rate)
        peaks = np.sort(np.concatenate([np.zeros(0), *self._peaks])[:whole])
        if whole < 2 or peaks[-2] <= 0:
            return None
        loudest = np.sort(powers)[-max(1, int(LOUDEST_SHARE * whole)) :]
        return float(20 * np.log10(peaks[-2] / np.sqrt(loudest.mean())))

    def silence_s(self) -> tuple[float | None, float | None]:
        """Seconds before the first and after the last sample that is not silence; None where there is none."""
        if self.first_loud < 0:
            return None, None
        return self.first_loud / self._rate, (self.count - 1 - self.last_loud) / self._rate


def _summarise(channels: list[_Channel], audio: Audio, downmix_peak_dbfs: float | None) -> Levels:
    ranges = [c.dynamic_range_db for c in channels]
    known_ranges = [r for r in ranges if r is not None]
    silences = [c.silence_s() for c in channels]
    offsets = [c.mean for c in channels]
    power = sum(c.power for c in channels) / len(channels)
    return Levels(
        rms_dbfs=_db(np.sqrt(power)),
        crest_factor_db=_crest(max(c.peak for c in channels), power),
        dr=round(sum(known_ranges) / len(known_ranges)) if known_ranges else None,
        dc_offset=max(offsets, key=abs),
        clipped_samples=sum(c.clipped for c in channels),
        clipped_intervals_s=_union([c.clips for c in channels], int(CLIP_MERGE_S * audio.sample_rate))
        / audio.sample_rate,
        is_silent=all(c.peak == 0 for c in channels),
        leading_silence_s=min((s for s, _ in silences if s is not None), default=None),
        trailing_silence_s=min((s for _, s in silences if s is not None), default=None),
        downmix_peak_dbfs=downmix_peak_dbfs,
        channel_rms_dbfs=tuple(_db(np.sqrt(c.power)) for c in channels),
        channel_peak_dbfs=tuple(_db(c.peak) for c in channels),
        channel_crest_factor_db=tuple(_crest(c.peak, c.power) for c in channels),
        channel_dr_db=tuple(ranges),
        channel_dc_offset=tuple(offsets),
        channel_clipped_samples=tuple(c.clipped for c in channels),
        channel_leading_silence_s=tuple(s for s, _ in silences),
        channel_trailing_silence_s=tuple(s for _, s in silences),
    )


def _total(parts: list[Vector]) -> float:
    """Sum that does not depend on how the sound came in parts."""
    return math.fsum(value for part in parts for value in part)


def _db(amplitude: float) -> float | None:
    return float(20 * np.log10(amplitude)) if amplitude > 0 else None


def _crest(peak: float, power: float) -> float | None:
    return max(0.0, float(20 * np.log10(peak / np.sqrt(power)))) if power > 0 else None


def _union(clips: list[NDArray[np.int64]], gap: int) -> NDArray[np.int64]:
    """Passages on any channel, those nearer than `gap` samples joined, shape `(n, 2)`."""
    every = np.concatenate(clips)
    joined: list[list[int]] = []
    for start, end in every[np.argsort(every[:, 0])].tolist():
        if joined and start - joined[-1][1] < gap:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return np.array(joined, np.int64).reshape(-1, 2)


@kernel
def _sum_units(row: Samples, length: int, sums: Vector, squares: Vector, peaks: Vector) -> None:
    """Sum, sum of squares and peak of each `length` samples; the last unit may be shorter."""
    for k in range(sums.size):
        total = square = 0.0
        peak = np.float32(0.0)
        for i in range(k * length, min((k + 1) * length, row.size)):
            value = np.float64(row[i])
            total += value
            square += value * value
            peak = max(peak, abs(row[i]))
        sums[k], squares[k], peaks[k] = total, square, peak


@kernel
def _loud_ends(row: Samples, threshold: float) -> tuple[int, int]:
    """First and last index whose sample is at least `threshold`; −1 for both if there is none."""
    for first in range(row.size):
        if abs(row[first]) >= threshold:
            last = row.size - 1
            while abs(row[last]) < threshold:
                last -= 1
            return first, last
    return -1, -1


@kernel
def _clipped_runs(
    row: Samples, offset: int, ceiling: float, shortest: int, gap: int, run: NDArray[np.int64], clips: NDArray[np.int64]
) -> tuple[int, int]:
    """Count samples in runs of at least `shortest` at or over `ceiling`, and write the passages they make.

    `run[0]` carries the length of a run that is open at the end of a block (negative signs do not join positive
    ones: a square wave is two runs); `run` keeps its sign.
    """
    clipped = found = 0
    length = run[0]
    for i in range(row.size + 1):
        sign = 0
        if i < row.size:
            sign = 1 if row[i] >= ceiling else -1 if row[i] <= -ceiling else 0
        if sign != 0 and (length == 0 or (sign > 0) == (length > 0)):
            length += sign
            continue
        if i == row.size:
            break
        size = abs(length)
        if size >= shortest:
            clipped += size
            end = offset + i
            if found and end - size - clips[found - 1, 1] < gap:
                clips[found - 1, 1] = end
            else:
                clips[found, 0], clips[found, 1] = end - size, end
                found += 1
        length = sign
    run[0] = length
    return clipped, found
