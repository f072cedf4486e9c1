"""A hand on the vocals' fader: phrases come nearer to one level, and nothing moves that one could hear.

There is no compressor: vocals that come out of a finished song have been through one. Single words stay as loud as
they were sung; only what lasts is evened out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from processor.mashup.curves import STEP_S, runs, step_powers, sung, turned

Vector = NDArray[np.float64]
Samples = NDArray[np.float32]
Spans = NDArray[np.int64]

# The fader never leaves this range, and goes this share of the way: a soft verse stays softer than a chorus.
MOST_DB, SHARE = 4.0, 0.6
# A rest of this length parts two phrases; a shorter one is a consonant or a breath. Less than the second is no phrase.
REST_S, SHORTEST_S = 0.3, 0.4
# Level is that of 3 s (EBU Tech 3341's short-term), the fader's way is smoothed over 0.8 s.
LEVEL_S, FADER_S = 3.0, 0.8
# In a rest the fader stands still, and moves just before the next phrase.
READY_S = 0.25
DETECTOR_STEPS = 5


def levelled(vocals: Samples, sample_rate: int, parts_s: Sequence[tuple[float, float]] = ()) -> Samples:
    """Ride the level of phrases towards their median, by at most `MOST_DB`.

    Each phrase is ridden by itself, by its level over `LEVEL_S`. What has one level keeps it; peaks keep their height
    over their surroundings. The sung whole keeps its loudness; with `parts_s`, each part does, and has a median of its
    own: then a gain that was planned for a part still holds.

    Args:
        vocals: shape `(2, n)`.
        sample_rate: in Hz.
        parts_s: start and end of each part, in the order of time, none overlapping another.
    """
    if vocals.shape[1] == 0:
        return vocals
    powers = step_powers(vocals, sample_rate)
    if not parts_s:
        return turned(vocals, ride_gains_db(powers), sample_rate)
    edges = np.clip(np.round(np.array(parts_s) / STEP_S).astype(np.int64), 0, powers.size)
    known = [np.arange(start, end) for start, end in edges if end > start]
    if not known:
        return vocals
    gains = [ride_gains_db(powers[steps]) for steps in known]
    every = np.interp(np.arange(powers.size), np.concatenate(known), np.concatenate(gains))
    return turned(vocals, every, sample_rate)


def ride_gains_db(powers: Vector) -> Vector:
    """Gain of each 10 ms of K-weighted mean squares, within ±`MOST_DB` of a constant, shape of `powers`.

    The constant keeps the loudness of what is sung.
    """
    # The mean bridges the periods of a low voice; without the step itself, it would reach into silence.
    is_sung = sung(scipy.ndimage.uniform_filter1d(powers, DETECTOR_STEPS, mode="nearest")) & sung(powers)
    weights = is_sung.astype(np.float64)
    spans = _phrases(is_sung)
    if spans.size == 0:
        return np.zeros(powers.size)
    levels = [_smooth(powers[a:b], weights[a:b], LEVEL_S) for a, b in spans]
    decibels = [10 * np.log10(np.maximum(level, 1e-30)) for level in levels]
    middle = float(
        np.median(np.concatenate([level[is_sung[a:b]] for level, (a, b) in zip(decibels, spans, strict=True)]))
    )
    gains = np.zeros(powers.size)
    for level, (a, b) in zip(decibels, spans, strict=True):
        wanted = np.clip(SHARE * (middle - level), -MOST_DB, MOST_DB)
        gains[a:b] = _smooth(wanted, weights[a:b], FADER_S)
    _fill_rests(gains, spans)
    before, after = powers[is_sung].sum(), (powers * 10 ** (gains / 10))[is_sung].sum()
    gains -= 10 * np.log10(after / before)
    return gains


def _phrases(is_sung: NDArray[np.bool_]) -> Spans:
    """First and end step of each phrase, shape `(n, 2)`: what is sung without a rest, if it lasts."""
    rest = round(REST_S / STEP_S)
    found: list[tuple[int, int]] = []
    for start, end in runs(is_sung).tolist():
        if found and start - found[-1][1] <= rest:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    shortest = round(SHORTEST_S / STEP_S)
    return np.array([span for span in found if int(is_sung[slice(*span)].sum()) >= shortest], np.int64).reshape(-1, 2)


def _smooth(values: Vector, weights: Vector, seconds: float) -> Vector:
    """Weighted means under a Hann window, at the ends of what is there, shape of `values`."""
    half = round(seconds / STEP_S / 2)
    window = np.hanning(2 * half + 3)[1:-1]
    sums = scipy.ndimage.correlate1d(values * weights, window, mode="constant")
    counts = scipy.ndimage.correlate1d(weights, window, mode="constant")
    return np.asarray(sums / np.maximum(counts, 1e-12))


def _fill_rests(gains: Vector, spans: Spans) -> None:
    """Stand still from the end of a phrase, and be ready at the beginning of the next one."""
    ready = round(READY_S / STEP_S)
    gains[: spans[0, 0]] = gains[spans[0, 0]]
    gains[spans[-1, 1] :] = gains[spans[-1, 1] - 1]
    for end, start in zip(spans[:-1, 1], spans[1:, 0], strict=True):
        moving = min(ready, start - end)
        gains[end : start - moving] = gains[end - 1]
        gains[start - moving : start] = np.linspace(gains[end - 1], gains[start], moving + 1)[1:]
