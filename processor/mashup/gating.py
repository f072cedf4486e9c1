"""What a separator leaves of the band between the lines of a song, turned down where nobody sings."""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from processor.mashup.curves import STEP_S, runs, step_powers, to_lufs, turned

Vector = NDArray[np.float64]
Samples = NDArray[np.float32]
Mask = NDArray[np.bool_]

# What opens the gate lies so far above what keeps it open: bleed that comes near the limit does not make it flutter,
# and a soft consonant before a vowel counts as sung.
HYSTERESIS_LU = 4.0
# The level is taken over 50 ms, or the gate would hear single periods of a low voice.
DETECTOR_STEPS = 5
# Pauses within words are shorter than the hold; the fade before a line is over when it begins.
HOLD_S, ATTACK_S, RELEASE_S = 0.2, 0.02, 0.15
RANGE_DB = 36.0


def gated(vocals: Samples, sample_rate: int, below_lufs: float | None) -> Samples:
    """Turn down what is quieter than a level, for as long as it is.

    A stretch stays as it is, to the last bit, when all of it is above `below_lufs` and some of it `HYSTERESIS_LU`
    above that. It is held open for `HOLD_S` and then fades by `RANGE_DB` with the time constant `RELEASE_S`, in
    decibels: over a reverb's tail, not in one step. It opens within `ATTACK_S` before the next stretch.

    Args:
        vocals: shape `(2, n)`.
        sample_rate: in Hz.
        below_lufs: K-weighted level of 50 ms that is not sung any more; None: nothing is turned down.
    """
    if below_lufs is None or vocals.shape[1] == 0:
        return vocals
    return turned(vocals, gate_gains_db(step_powers(vocals, sample_rate), below_lufs), sample_rate)


def gate_gains_db(powers: Vector, below_lufs: float) -> Vector:
    """Gain of each 10 ms, from −`RANGE_DB` to 0, shape of `powers`."""
    is_open = _opened(powers, below_lufs)
    fade = np.exp(-STEP_S / RELEASE_S)
    lead = max(1, round(ATTACK_S / STEP_S))
    gains = np.full(powers.size, -RANGE_DB)
    for start, end in runs(is_open):
        rise = np.linspace(-RANGE_DB, 0, lead + 1)[:-1]
        ahead = slice(max(0, start - lead), start)
        gains[ahead] = np.maximum(gains[ahead], rise[lead - (ahead.stop - ahead.start) :])
        gains[start:end] = 0
        tail = -RANGE_DB * (1 - fade ** np.arange(1, powers.size - end + 1))
        gains[end:] = np.maximum(gains[end:], tail)
    return gains


def _opened(powers: Vector, below_lufs: float) -> Mask:
    """Steps in which the gate is open, the hold included."""
    means = scipy.ndimage.uniform_filter1d(powers, DETECTOR_STEPS, mode="nearest")
    opens = to_lufs(means) > below_lufs + HYSTERESIS_LU
    # A single step may begin a word, before the mean has risen, but a click alone opens nothing.
    found, hold = np.zeros(powers.size, bool), round(HOLD_S / STEP_S)
    for start, end in runs(to_lufs(np.maximum(means, powers)) > below_lufs):
        if opens[start:end].any():
            found[start : end + hold] = True
    return found
