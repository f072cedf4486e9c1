"""How loud each of 64 bands of hearing is, a hundred times a second: what rhythm is heard from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from processor.analysis.mono import Mono
from processor.graph import analyser

HOP_LENGTH = 220  # about 10 ms: the finest timing that the scoring of beats asks for is 70 ms, that of ears some 20 ms
N_FFT = 1024  # 46 ms: long enough to part bass notes from kicks, short enough to place an attack
BANDS = 64
LOWEST_HZ = 30.0
HIGHEST_HZ = 10_500.0
# Loudness of a band is log(1 + COMPRESSION · magnitude / mean magnitude of the track): quiet hits count as well as
# loud ones, noise floors do not, and the level at which a track was mastered changes nothing (Böck and Widmer 2013
# use the same curve on samples of unknown level).
COMPRESSION = 10.0
# What is fainter is silence: its numbers are too small to divide by in single precision.
QUIETEST = 1e-36
_CHUNK = 2048  # frames transformed at once: 8 MB, so that the work stays in the cache


@dataclass(frozen=True)
class Mel:
    """A spectrogram on the mel scale.

    Attributes:
        levels: compressed magnitude, 0 for silence, float32, shape `(frames, BANDS)`.
        frame_rate: frames a second; frame `n` is centred on `n / frame_rate` seconds.
        centres_hz: middle of each band, shape `(BANDS,)`.
    """

    levels: NDArray[np.float32]
    frame_rate: float
    centres_hz: NDArray[np.float64]


@analyser(version=1, keep=False)
def mel(mono: Mono) -> Mel:
    """Compute the compressed mel spectrogram.

    Source: mel scale after O'Shaughnessy 1987 (2595 log10(1 + f/700)); compression after Böck and Widmer 2013,
    "Maximum filter vibrato suppression for onset detection".
    """
    filters, centres_hz = filter_bank(mono.sample_rate)
    magnitudes = _magnitudes(mono.samples, filters)
    mean = float(magnitudes.mean()) if magnitudes.size else 0.0
    if mean > QUIETEST:
        magnitudes *= np.float32(COMPRESSION / mean)
        np.log1p(magnitudes, out=magnitudes)
    else:
        magnitudes[:] = 0
    return Mel(magnitudes, mono.sample_rate / HOP_LENGTH, centres_hz)


def filter_bank(sample_rate: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Triangles of equal area on the mel scale, shape `(N_FFT // 2 + 1, BANDS)`, and their centres in Hz."""
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (LOWEST_HZ, HIGHEST_HZ))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    bins_hz = np.fft.rfftfreq(N_FFT, 1 / sample_rate)[:, None]
    # A triangle narrower than two bins would miss them all: it is widened to reach its neighbours.
    reach = np.maximum(np.diff(edges), sample_rate / N_FFT)
    rising = 1 - (edges[1:-1] - bins_hz) / reach[:-1]
    falling = 1 - (bins_hz - edges[1:-1]) / reach[1:]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return (triangles / triangles.sum(axis=0)).astype(np.float32), edges[1:-1]


def _magnitudes(samples: NDArray[np.float32], filters: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean magnitude in each band, shape `(frames, BANDS)`; the sound is surrounded by silence."""
    frames = -(-samples.size // HOP_LENGTH)
    padded = np.zeros((frames - 1) * HOP_LENGTH + N_FFT if frames else 0, np.float32)
    kept = min(samples.size, padded.size - N_FFT // 2)
    padded[N_FFT // 2 : N_FFT // 2 + kept] = samples[:kept]
    window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    bands = np.empty((frames, BANDS), np.float32)
    for first in range(0, frames, _CHUNK):
        count = min(_CHUNK, frames - first)
        views = np.lib.stride_tricks.sliding_window_view(padded[first * HOP_LENGTH :], N_FFT)[::HOP_LENGTH][:count]
        bands[first : first + count] = np.abs(scipy.fft.rfft(views * window, axis=1, workers=1)) @ filters
    return bands
