"""Which of the twelve pitch classes sound when: what key and chords are heard from.

Each step takes away something that is not harmony: the tuning correction moves the grid to the track's own pitch, a
median over time removes drums, the background of neighbouring semitones removes noise, and a non-negative fit of
harmonic series gives overtones back to the notes that they belong to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from processor.analysis.mono import Mono
from processor.graph import analyser
from processor.kernels import kernel

Curve = NDArray[np.float32]
Vector = NDArray[np.float64]

# 0.37 s: a Hann window as long separates semitones from 180 Hz up; a longer one would smear chord changes.
WINDOW = 8192
# 0.093 s, 10.8 frames a second: chords do not change faster.
HOP = 2048
# E1, the lowest string of a bass, to E flat 8: the fundamentals and their overtones.
LOWEST_NOTE, NOTES = 28, 84
FRAMES_AT_ONCE = 32  # a megabyte: what stays in the cache

# Half the length of the median over time: 7 frames are 0.65 s, longer than a drum rings.
MEDIAN_REACH = 3
# The background is heard over ±6 semitones; its standard deviation is divided out to this power (Mauch & Dixon 2010
# whiten alike, with 1). Of 0, 0.3, 0.5 and 0.8, more was better for chords: 82, 86, 86, 88 % of the time right.
BACKGROUND_REACH, WHITENING = 6, 0.8
# Overtones in semitones above the fundamental, each so much weaker than the one before (Gomez 2006 uses 0.6).
OVERTONES, DECAY = (0, 12, 19, 24, 28, 31, 34, 36), 0.7
SWEEPS = 8
# Notes count by a bell around middle C; chords and melodies lie there.
CENTRE_NOTE, SPREAD_NOTES = 60.0, 15.0
# Up to E3 notes are bass, with a slope of half an octave.
BASS_NOTE, BASS_SLOPE = 52.0, 6.0
# A frame is scaled to its own strongest pitch class, but silence between notes is not blown up.
FLOOR_SHARE = 0.1
# What is 80 dB under the loudest semitone is silence, or rounding.
SILENT_SHARE = 1e-4

# Tuning: from peaks of 110 Hz to 2.5 kHz no weaker than 3 % of the frame's strongest, in at most so many frames.
TUNING_LOW_HZ, TUNING_HIGH_HZ, TUNING_SHARE, TUNING_FRAMES = 110.0, 2500.0, 0.03, 500
# Resultant length of the peaks' deviations as points on a circle. White noise has under 0.01, drums up to 0.04.
TUNING_CLARITY = 0.04


@dataclass(frozen=True)
class Chroma:
    """Pitch classes over time, C first.

    Attributes:
        values: float32, shape `(frames, 12)`: notes of all registers, the middle most; 0 to 1 in each frame.
        bass: the same of the bass alone.
        frame_rate: frames a second.
        times_s: centre of each frame, shape `(frames,)`.
        tuning_cents: how far the music lies above A4 = 440 Hz, −50 to 50; None where no pitch stands out.
        clarity: how well the peaks agree about the tuning, 0 to 1: noise 0, a piano 0.7.
        energy: mean square of the sound within each frame, up to 5 kHz, shape `(frames,)`.
        duration_s: length of the sound.
    """

    values: Curve
    bass: Curve
    frame_rate: float
    times_s: Vector
    tuning_cents: float | None
    clarity: float
    energy: Curve
    duration_s: float


@analyser(version=1, keep=False)
def chroma(mono: Mono) -> Chroma:
    """Hear the pitch classes of each tenth of a second.

    Source: Mauch & Dixon, "Approximate note transcription", ISMIR 2010, with a coordinate descent on semitones.
    """
    spectra = _Spectra(mono.samples, mono.sample_rate)
    cents, clarity = _tuning(spectra)
    semitones, energy = _semitones(spectra, cents if clarity > TUNING_CLARITY else 0.0)
    notes = _notes(semitones)
    pitch = np.arange(LOWEST_NOTE, LOWEST_NOTE + NOTES)
    middle = np.exp(-0.5 * ((pitch - CENTRE_NOTE) / SPREAD_NOTES) ** 2)
    low = np.clip((BASS_NOTE - pitch) / BASS_SLOPE + 0.5, 0, 1)
    rate = mono.sample_rate / HOP
    return Chroma(
        values=_fold(notes, middle),
        bass=_fold(notes, low),
        frame_rate=rate,
        times_s=np.arange(spectra.frames) / rate,
        tuning_cents=cents if clarity > TUNING_CLARITY else None,
        clarity=clarity,
        energy=energy,
        duration_s=mono.duration_s,
    )


class _Spectra:
    """Magnitude spectra, block by block: those of a long file would not fit in memory.

    Attributes:
        frames: how many there are; frame k is centred on sample k · HOP.
        hz: width of a bin.
        bins: how many are kept.
    """

    def __init__(self, samples: Curve, rate: int) -> None:
        self._samples = samples
        self.frames = samples.size // HOP + 1 if samples.size else 0
        self.hz = rate / WINDOW
        self.bins = min(WINDOW // 2 + 1, int(_note_hz(LOWEST_NOTE + NOTES + 1.0) / self.hz) + 2)
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
        self._window = (hann * (2 / hann.sum())).astype(np.float32)
        self._cut = np.zeros((FRAMES_AT_ONCE, WINDOW), np.float32)

    def block(self, start: int, step: int = 1) -> Curve:
        """Up to `FRAMES_AT_ONCE` spectra from frame `start`, every `step`-th, shape `(n, bins)`."""
        wanted = range(start, self.frames, step)[:FRAMES_AT_ONCE]
        cut = self._cut[: len(wanted)]
        for row, frame in zip(cut, wanted, strict=True):
            begin = frame * HOP - WINDOW // 2
            first, last = max(0, begin), min(begin + WINDOW, self._samples.size)
            if last - first < WINDOW:
                row[:] = 0.0
            part = slice(first - begin, last - begin)
            np.multiply(self._samples[first:last], self._window[part], out=row[part])
        magnitudes = np.empty((len(wanted), self.bins), np.float32)
        _magnitudes(scipy.fft.rfft(cut, workers=1), magnitudes)
        return magnitudes


@kernel
def _magnitudes(spectra: NDArray[np.complex64], magnitudes: Curve) -> None:
    for t in range(magnitudes.shape[0]):
        for k in range(magnitudes.shape[1]):
            magnitudes[t, k] = np.sqrt(spectra[t, k].real ** 2 + spectra[t, k].imag ** 2)


def _note_hz(note: float) -> float:
    """Frequency of a MIDI note in equal temperament at A4 = 440 Hz (ISO 16)."""
    return float(440.0 * 2 ** ((note - 69) / 12))


def _tuning(spectra: _Spectra) -> tuple[float, float]:
    """Mean deviation of spectral peaks from the semitones of 440 Hz, in cents, and how well they agree."""
    sums = np.zeros(3)
    step = -(-max(1, spectra.frames) // TUNING_FRAMES)
    for start in range(0, spectra.frames, FRAMES_AT_ONCE * step):
        _add_deviations(
            spectra.block(start, step),
            int(TUNING_LOW_HZ / spectra.hz),
            int(TUNING_HIGH_HZ / spectra.hz),
            spectra.hz,
            sums,
        )
    if sums[2] <= 0:
        return 0.0, 0.0
    return float(np.degrees(np.arctan2(sums[1], sums[0])) / 3.6), float(np.hypot(sums[0], sums[1]) / sums[2])


@kernel
def _add_deviations(spectra: Curve, first: int, last: int, hz: float, sums: Vector) -> None:
    """Add each peak's deviation from a semitone as a vector on the circle, weighted by the root of its height."""
    for t in range(spectra.shape[0]):
        row = spectra[t]
        strongest = np.float32(0.0)
        for k in range(first, last):
            strongest = max(strongest, row[k])
        for k in range(first, last):
            if row[k] > TUNING_SHARE * strongest and row[k] > row[k - 1] and row[k] >= row[k + 1]:
                tiny = 1e-6 * row[k]
                left, top, right = np.log(row[k - 1] + tiny), np.log(row[k]), np.log(row[k + 1] + tiny)
                place = k + 0.5 * (left - right) / (left - 2 * top + right)
                angle = 2 * np.pi * (12 * np.log2(place * hz / 440.0))
                weight = np.sqrt(row[k] / strongest)
                sums[0] += weight * np.cos(angle)
                sums[1] += weight * np.sin(angle)
                sums[2] += weight


def _semitones(spectra: _Spectra, cents: float) -> tuple[Curve, Curve]:
    """Magnitude around each semitone, shape `(frames, NOTES)`, and mean square by frame."""
    firsts, edges, weights = _semitone_windows(spectra, cents)
    semitones = np.zeros((spectra.frames, NOTES), np.float32)
    energy = np.zeros(spectra.frames, np.float32)
    for start in range(0, spectra.frames, FRAMES_AT_ONCE):
        block = spectra.block(start)
        stop = start + len(block)
        _weigh(block, firsts, edges, weights, semitones[start:stop], energy[start:stop])
    return semitones, energy


def _semitone_windows(
    spectra: _Spectra, cents: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """For each semitone its first bin, where its weights begin, and all weights.

    A raised cosine over ±⅔ semitone is read off the spectrum between its bins, which are too few in the bass.
    """
    place = np.linspace(-1, 1, 33)[1:-1]
    shape = np.cos(0.5 * np.pi * place) ** 2 / np.sum(np.cos(0.5 * np.pi * place) ** 2)
    notes = np.arange(LOWEST_NOTE, LOWEST_NOTE + NOTES)[:, None] + place * 2 / 3 + cents / 100
    exact = 440.0 * 2 ** ((notes - 69) / 12) / spectra.hz
    lower = exact.astype(np.int64)
    firsts = lower[:, 0]
    parts = []
    for bins, share in zip(lower - firsts[:, None], exact - lower, strict=True):
        size = int(bins[-1]) + 2
        parts.append(np.bincount(bins, shape * (1 - share), size) + np.bincount(bins + 1, shape * share, size))
    edges = np.cumsum([0, *(part.size for part in parts)])
    return firsts, edges, np.concatenate(parts).astype(np.float32)


@kernel
def _weigh(
    spectra: Curve,
    firsts: NDArray[np.int64],
    edges: NDArray[np.int64],
    weights: Curve,
    semitones: Curve,
    energy: Curve,
) -> None:
    for t in range(spectra.shape[0]):
        square = np.float32(0.0)
        for k in range(spectra.shape[1]):
            square += spectra[t, k] * spectra[t, k]
        # A Hann window's mean square is 1.5 times its squared mean, and a sine's magnitude here is its amplitude.
        energy[t] = square / np.float32(3.0)
        for n in range(firsts.size):
            total = np.float32(0.0)
            for k in range(edges[n], edges[n + 1]):
                total += weights[k] * spectra[t, firsts[n] + k - edges[n]]
            semitones[t, n] = total


def _notes(semitones: Curve) -> Curve:
    """How strongly each note is played, shape `(frames, NOTES)`; relative to the track's loudest semitone."""
    loudest = semitones.max(initial=0.0)
    notes = np.zeros_like(semitones)
    if loudest > 0:
        steady = np.zeros_like(semitones)
        _median_over_time(semitones / loudest, MEDIAN_REACH, steady)
        _whiten(steady, BACKGROUND_REACH, WHITENING)
        strengths = DECAY ** np.arange(len(OVERTONES), dtype=np.float64)
        _fit_series(steady, np.array(OVERTONES), strengths, SWEEPS, notes)
        notes[semitones.max(axis=1) < SILENT_SHARE * loudest] = 0.0
    return notes


@kernel
def _median_over_time(values: Curve, reach: int, medians: Curve) -> None:
    frames, notes = values.shape
    around = np.zeros(2 * reach + 1, np.float32)
    for t in range(frames):
        first, last = max(0, t - reach), min(frames, t + reach + 1)
        for n in range(notes):
            for k in range(first, last):
                value = values[k, n]
                j = k - first
                while j > 0 and around[j - 1] > value:
                    around[j] = around[j - 1]
                    j -= 1
                around[j] = value
            medians[t, n] = around[(last - first) // 2]


@kernel
def _whiten(values: Curve, reach: int, power: float) -> None:
    """Take the mean of the semitones around from each one, and divide by a power of their deviation; in place."""
    frames, notes = values.shape
    row = np.zeros(notes, np.float32)
    for t in range(frames):
        row[:] = values[t]
        for n in range(notes):
            total = square = weight = 0.0
            for k in range(max(0, n - reach), min(notes, n + reach + 1)):
                near = 1.0 - abs(k - n) / (reach + 1.0)
                total += near * row[k]
                square += near * row[k] * row[k]
                weight += near
            mean = total / weight
            spread = np.sqrt(max(square / weight - mean * mean, 0.0))
            values[t, n] = max(row[n] - mean, 0.0) / spread**power if spread > 0 else 0.0


@kernel
def _fit_series(heard: Curve, overtones: NDArray[np.int64], strengths: Vector, sweeps: int, notes: Curve) -> None:
    """Non-negative least squares: which notes, each with its overtones, add up to what was heard."""
    frames, count = heard.shape
    rest = np.zeros(count)
    for t in range(frames):
        rest[:] = heard[t]
        for _ in range(sweeps):
            for n in range(count):
                gain = norm = 0.0
                for j in range(overtones.size):
                    if n + overtones[j] < count:
                        gain += strengths[j] * rest[n + overtones[j]]
                        norm += strengths[j] * strengths[j]
                step = max(gain / norm, -np.float64(notes[t, n]))
                if step != 0.0:
                    notes[t, n] += step
                    for j in range(overtones.size):
                        if n + overtones[j] < count:
                            rest[n + overtones[j]] -= strengths[j] * step


def _fold(notes: Curve, weights: Vector) -> Curve:
    """Sum the octaves and scale each frame to its strongest pitch class, shape `(frames, 12)`."""
    classes = np.zeros((NOTES, 12), np.float32)
    pitch = np.arange(LOWEST_NOTE, LOWEST_NOTE + NOTES)
    classes[pitch - LOWEST_NOTE, pitch % 12] = weights
    folded: Curve = notes @ classes
    strongest = folded.max(axis=1, keepdims=True, initial=0.0)
    floor = FLOOR_SHARE * strongest.max(initial=0.0)
    scaled: Curve = np.divide(folded, strongest + floor, out=np.zeros_like(folded), where=strongest > 0)
    return scaled
