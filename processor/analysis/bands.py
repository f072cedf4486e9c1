"""Power over time and frequency, once for all who look at the spectrum or at the stereo picture.

Both channels go through one complex FFT, left as its real part and right as its imaginary part: the spectrum of a
real signal mirrors itself, so the two can be told apart afterwards. Frames are transformed in batches that begin at
fixed places of the sound, so that a stream gives the same bits as samples in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from processor.audio import Audio, downmix_matrix
from processor.graph import analyser
from processor.kernels import kernel

Vector = NDArray[np.float64]
Powers = NDArray[np.float32]
Spectra = NDArray[np.complex64]

# 4096 samples at 44.1 kHz. Long enough to tell third-octaves apart from about 50 Hz, short enough for a beat.
WINDOW_S = 4096 / 44_100
# IEC 61260-1:2014, base ten: the centres are 1 kHz times powers of 10^0.1, the edges lie at 10^±0.05 of them.
# Numbers −17 and 13 are the bands called 20 Hz and 20 kHz.
FIRST_BAND, LAST_BAND = -17, 13
# Edges of sub, bass, low mids, mids, high mids and air: MixScope's six bands.
SIX_BANDS_HZ = (20.0, 60.0, 250.0, 500.0, 2000.0, 6000.0, 20_000.0)
BAND_NAMES = ("sub", "bass", "low_mids", "mids", "high_mids", "air")
# Where hearing begins, and IEC 61260-1's third-octaves as well: what is below is no sound.
LOWEST_HZ = 20.0
# Rounding in single precision leaves −138 dB beside a constant shift (measured).
ROUNDING = 1e-12
# Frames of one call of the FFT: few enough to stay in the processor's cache.
BATCH = 16


@dataclass(frozen=True)
class Bands:
    """Powers, normalised so that they add up to a mean square: a full-scale sine has 0.5 (−3.01 dB).

    Attributes:
        left: mean power of the left channel in each bin of the FFT, shape `(bins,)`; bin k covers the frequencies
            from (k − 1/2) to (k + 1/2) times `bin_hz`. With one channel, left and right are the same.
        right: the same of the right channel.
        cross: the same of the real part of left times the conjugate of right. The mid has
            (left + right + 2 cross) / 4, the side (left + right − 2 cross) / 4.
        band_left: power of the left channel by frame and third-octave, shape `(frames, bands)`.
        band_right: the same of the right channel.
        band_cross: the same of the real part of the cross term.
        centres_hz: exact centre of each third-octave, shape `(bands,)`: 20 Hz to 20 kHz, or to below half the
            sample rate, which cuts the last one short.
        times_s: middle of each frame, shape `(frames,)`. The first stands at 0; the last at or behind the end.
        frame_rate: frames a second, about 21.5.
        bin_hz: distance of two bins, about 10.8.
        window_s: length of a frame (Hann; neighbours overlap by half).
        duration_s: length of the sound.
        channels: channels of the file, before they were folded to two.
    """

    left: Vector
    right: Vector
    cross: Vector
    band_left: Powers
    band_right: Powers
    band_cross: Powers
    centres_hz: Vector
    times_s: Vector
    frame_rate: float
    bin_hz: float
    window_s: float
    duration_s: float
    channels: int


@analyser(version=1, keep=False)
def bands(audio: Audio) -> Bands:
    """Measure the power of left, right and their cross term by FFT bin, and by third-octave over time.

    Source: P. D. Welch, "The use of fast Fourier transform for the estimation of power spectra", IEEE Trans. Audio
    Electroacoust. 15 (1967); third-octaves of IEC 61260-1:2014; more than two channels folded after ITU-R BS.775-4.
    """
    hop = frame_hop(audio.sample_rate)
    bin_hz = audio.sample_rate / (2 * hop)
    centres = third_octaves_hz(audio.sample_rate)
    spans = bin_spans(centres * 10**-0.05, centres * 10**0.05, bin_hz, hop)
    frames = (audio.frames - 1) // hop + 2 if audio.frames else 0
    window = np.hanning(2 * hop + 1)[:-1]
    scale = float(1 / (window @ window * 2 * hop))
    total = np.zeros((3, hop + 1))
    power = np.zeros((3, frames, centres.size), np.float32)
    cut = np.empty((BATCH, 2 * hop), np.complex64)
    for start, signal in _batches(audio, hop, frames):
        _cut_frames(signal, window.astype(np.float32), start * hop - hop, audio.frames, cut)
        spectra = scipy.fft.fft(cut, axis=1, workers=1)[: frames - start]
        _add_powers(spectra, *spans, scale, total, power[:, start : start + BATCH])
    if audio.channels == 1:  # without the rounding of telling them apart
        total[1:], power[1:] = total[0], power[0]
    # Frames overlap, so each sample counts as often as there are hops in a frame's window.
    mean = total * (hop / max(1, audio.frames))
    return Bands(
        left=mean[0],
        right=mean[1],
        cross=mean[2],
        band_left=power[0],
        band_right=power[1],
        band_cross=power[2],
        centres_hz=centres,
        times_s=np.arange(frames) * hop / audio.sample_rate,
        frame_rate=audio.sample_rate / hop,
        bin_hz=bin_hz,
        window_s=2 * hop / audio.sample_rate,
        duration_s=audio.duration_s,
        channels=audio.channels,
    )


def frame_hop(sample_rate: int) -> int:
    """Samples from one frame to the next: half a window, of a length that suits the FFT."""
    return int(scipy.fft.next_fast_len(max(16, round(WINDOW_S * sample_rate / 2))))


def third_octaves_hz(sample_rate: int) -> Vector:
    """Exact centres of the third-octaves that lie below half the sample rate (IEC 61260-1:2014, base ten)."""
    centres = 1000 * 10 ** (np.arange(FIRST_BAND, LAST_BAND + 1) / 10)
    return centres[centres < sample_rate / 2]


def bin_spans(
    low_hz: Vector, high_hz: Vector, bin_hz: float, last_bin: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Powers]:
    """Which bins a band takes, and how much of the outer two.

    Bin k stands for the frequencies from k − 1/2 to k + 1/2 and gives a band the part that the band covers. So no
    power is lost or counted twice between neighbours, and a band that is narrower than a bin gets its share of it.

    Returns:
        First and last bin of each band, and the shares of the two, shape `(bands, 2)`; where they are one bin, its
        share comes first and the other is 0.
    """
    low = np.clip(low_hz / bin_hz, 0, last_bin + 0.5)
    high = np.clip(high_hz / bin_hz, low, last_bin + 0.5)
    first = np.minimum(np.floor(low + 0.5), last_bin).astype(np.int64)
    last = np.minimum(np.ceil(high - 0.5), last_bin).astype(np.int64)
    is_one = last <= first
    shares = np.where(is_one, [high - low, 0 * low], [first + 0.5 - low, high - last + 0.5])
    return first, np.maximum(first, last), shares.T.astype(np.float32)


def band_powers(spectrum: Vector, low_hz: Vector, high_hz: Vector, bin_hz: float) -> Vector:
    """Power of a spectrum of shape `(bins,)` between two frequencies each, shape of `low_hz`."""
    sums = np.concatenate([[0.0], np.cumsum(spectrum)])
    edges = np.arange(sums.size) - 0.5
    at_low, at_high = (np.interp(hz / bin_hz, edges, sums) for hz in (low_hz, high_hz))
    return np.asarray(at_high - at_low)


def heard_powers(bands: Bands) -> tuple[float, float, float]:
    """Power of left, right and cross from 20 Hz upwards; zeros where there is nothing but direct current."""
    low, high = np.array([LOWEST_HZ]), np.array([np.inf])
    rows = (bands.left, bands.right, bands.cross)
    left, right, cross = (float(band_powers(row, low, high, bands.bin_hz)[0]) for row in rows)
    whole = float(bands.left.sum() + bands.right.sum())
    return (left, right, cross) if left + right > ROUNDING * whole else (0.0, 0.0, 0.0)


def six_band_powers(bands: Bands) -> Vector:
    """Power of left, right and cross in sub, bass, low mids, mids, high mids and air, shape `(3, 6)`."""
    low, high = np.array(SIX_BANDS_HZ[:-1]), np.array(SIX_BANDS_HZ[1:])
    return np.array([band_powers(row, low, high, bands.bin_hz) for row in (bands.left, bands.right, bands.cross)])


def _batches(audio: Audio, hop: int, frames: int) -> Iterator[tuple[int, Spectra]]:
    """Yield the first frame of each batch and its samples, left + i right, zero before and behind the sound.

    The array is overwritten for the next batch. Shape `((BATCH + 1) * hop,)`.
    """
    fold = downmix_matrix(audio.positions) if audio.channels > 2 else None
    held = np.zeros((BATCH + 1) * hop, np.complex64)
    filled, start = hop, 0
    for block in audio.blocks():
        at = 0
        while at < block.shape[1]:
            part = block[:, at : at + held.size - filled]
            left_right = part if fold is None else fold @ part
            held.real[filled : filled + part.shape[1]] = left_right[0]
            held.imag[filled : filled + part.shape[1]] = left_right[-1]
            at, filled = at + part.shape[1], filled + part.shape[1]
            if filled == held.size:
                yield start, held
                held[:hop] = held[-hop:]
                filled, start = hop, start + BATCH
    while start < frames:
        held[filled:] = 0
        yield start, held
        held[:hop] = held[-hop:]
        filled, start = hop, start + BATCH


@kernel
def _cut_frames(signal: Spectra, window: Powers, offset: int, length: int, frames: Spectra) -> None:
    """Write the frames of a batch, windowed.

    Sample 0 of `signal` is number `offset` of a sound of `length`. A frame that reaches over an end of the sound
    loses the mean of what it has, or a constant shift would come out as a step there, which holds all frequencies.
    """
    size = window.size
    for k in range(frames.shape[0]):
        at = k * (size // 2)
        begin = min(size, max(0, -offset - at))
        end = max(begin, min(size, length - offset - at))
        mean = np.complex64(0)
        if end - begin < size:
            for i in range(begin, end):
                mean += signal[at + i]
            mean /= np.float32(max(1, end - begin))
        for i in range(size):
            frames[k, i] = (signal[at + i] - mean) * window[i] if begin <= i < end else np.complex64(0)


@kernel
def _add_powers(
    spectra: Spectra,
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    shares: Powers,
    scale: float,
    total: Vector,
    power: Powers,
) -> None:
    """Add the powers of frames to `total`, shape `(3, bins)`, and write those of their bands, `(3, frames, bands)`."""
    size = spectra.shape[1]
    half = size // 2
    whole = np.float32(scale)
    part = np.float32(0.5) * whole
    bins = np.zeros((3, half + 1), np.float32)
    for f in range(spectra.shape[0]):
        frame = spectra[f]
        for k in (0, half):
            bins[0, k] = whole * frame[k].real ** 2
            bins[1, k] = whole * frame[k].imag ** 2
            bins[2, k] = whole * frame[k].real * frame[k].imag
        for k in range(1, half):
            # Half the sum and half the difference of a bin and its mirror image: twice left, and twice right
            # turned by 90°. The 2 of a one-sided spectrum and the 1/4 of the two halves leave 1/2.
            a, b = frame[k], frame[size - k]
            sum_real, sum_imag = a.real + b.real, a.imag + b.imag
            dif_real, dif_imag = a.real - b.real, a.imag - b.imag
            bins[0, k] = part * (sum_real * sum_real + dif_imag * dif_imag)
            bins[1, k] = part * (sum_imag * sum_imag + dif_real * dif_real)
            bins[2, k] = part * (sum_real * sum_imag - dif_imag * dif_real)
        for row in range(3):
            for k in range(half + 1):
                total[row, k] += bins[row, k]
            for band in range(first.size):
                level = shares[band, 0] * bins[row, first[band]]
                if last[band] > first[band]:
                    level += shares[band, 1] * bins[row, last[band]]
                for k in range(first[band] + 1, last[band]):
                    level += bins[row, k]
                power[row, f, band] = level
