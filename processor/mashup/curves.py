"""Levels of 10 ms each, and gains that follow them: what a gate, a hand on the fader and a meter of balance share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from processor.analysis.loudness import ABSOLUTE_GATE_LUFS, OFFSET_LU, SUB_BLOCKS_PER_S, Meter

Vector = NDArray[np.float64]
Samples = NDArray[np.float32]
Mask = NDArray[np.bool_]

STEREO = ("FL", "FR")
STEP_S = 1 / SUB_BLOCKS_PER_S
CHUNK_S = 10
# A moment is sung when it is within so much of the loudness of the sung whole: EBU Tech 3342's gate, which keeps the
# quiet words of a song and leaves out bleed and reverb between the lines.
SUNG_LU = -20.0
# Level of nothing at all, far under every gate.
SILENT_LUFS = -200.0


def measured(samples: Samples, sample_rate: int) -> Meter:
    """A meter that has heard stereo samples of shape `(2, n)`."""
    meter = Meter(sample_rate, STEREO)
    for span in chunks(samples.shape[1], sample_rate):
        meter.feed(np.ascontiguousarray(samples[:, span]))
    return meter


def chunks(length: int, sample_rate: int) -> Iterator[slice]:
    """Spans of `CHUNK_S` each, as a meter takes them: whole seconds, but for the last one."""
    for start in range(0, length, CHUNK_S * sample_rate):
        yield slice(start, min(start + CHUNK_S * sample_rate, length))


def step_powers(samples: Samples, sample_rate: int) -> Vector:
    """K-weighted mean square of each 10 ms, both channels together (ITU-R BS.1770-4); at least one."""
    meter = measured(samples, sample_rate)
    powers = meter.window_powers(1)
    return powers if powers.size else np.zeros(1)


def to_lufs(powers: Vector) -> Vector:
    """Loudness of K-weighted mean squares."""
    return np.asarray(OFFSET_LU + 10 * np.log10(np.maximum(powers, 10 ** ((SILENT_LUFS - OFFSET_LU) / 10))))


def sung(powers: Vector) -> Mask:
    """Which steps of a voice are sung, by its own level; none in silence.

    The gate is twofold, as that of the loudness range is (EBU Tech 3342): absolute, then `SUNG_LU` under the mean of
    what is left.
    """
    heard = to_lufs(powers) > ABSOLUTE_GATE_LUFS
    if not heard.any():
        return heard
    found: Mask = heard & (powers > powers[heard].mean() * 10 ** (SUNG_LU / 10))
    return found


def runs(mask: Mask) -> NDArray[np.int64]:
    """First and end index of each unbroken run of True, shape `(n, 2)`."""
    edges = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    return np.stack([np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)], axis=1).astype(np.int64)


def turned(samples: Samples, gains_db: Vector, sample_rate: int) -> Samples:
    """Samples behind a gain that is given for the middle of each 10 ms; in between it goes straight.

    Where the gain is 0 dB all around, the samples are the same to the last bit.
    """
    middles = (np.arange(gains_db.size) + 0.5) * (STEP_S * sample_rate)
    factors = 10 ** (gains_db / 20)
    found = np.empty_like(samples)
    for span in chunks(samples.shape[1], sample_rate):
        found[:, span] = samples[:, span] * np.interp(np.arange(span.start, span.stop), middles, factors).astype(
            np.float32
        )
    return found
