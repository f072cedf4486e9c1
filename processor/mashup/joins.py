"""Clicks where sound was put together: a jump that neither its surroundings have nor the sound that it is made of.

A jump of one sample to the next holds all frequencies alike, music holds little above its notes. So the sound is
whitened by linear prediction, which takes out what its surroundings would let one expect, and what remains at the join
is compared with what remains around it. Attacks remain as well. They are told from clicks by the source: there, the
same attack stands at the same place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Vector = NDArray[np.float64]

AT_S = 0.002  # what belongs to the join
NEAR_S = 0.006  # where its attack may lie in the source: a stretch moves it
AROUND_S = 0.04  # what is heard around it
ORDER = 24  # of the prediction: two poles for each formant of a voice, and some for the rest
LEAST = 0.004  # −48 dB of full scale: smaller jumps drown in any room
USUAL = 75  # percentile of the jumps around it, by stretches as long as the join
STANDS_OUT = 2.0  # times the usual
ALONE = 6.0  # the same, where there is no source to compare with: attacks stand out, too
OVER_SOURCE = 2.0  # times what the source has there


def suspects(layer: Samples, sample_rate: int, joins_s: Sequence[float]) -> list[float]:
    """The joins that may click: those at which something stands out, be it an attack; arguments as `clicks`."""
    found = ((at_s, *jumps(around(layer, sample_rate, at_s), sample_rate, AT_S)) for at_s in joins_s)
    return [at_s for at_s, jump, usual in found if jump > LEAST and jump > STANDS_OUT * usual]


def clicks(
    layer: Samples, sample_rate: int, joins_s: Sequence[float], sources: Sequence[Sequence[Samples]]
) -> tuple[float, ...]:
    """The joins that click.

    Args:
        layer: the rendered sound, shape `(2, n)`.
        sample_rate: in Hz.
        joins_s: where it was put together.
        sources: for each join the sounds that it is made of, each of shape `(2, m)` at `sample_rate`, its middle
            being the place that comes to stand at the join. None: there is nothing to compare with.
    """
    found = []
    for at_s, parts in zip(joins_s, sources, strict=True):
        own = around(layer, sample_rate, at_s)
        jump, usual = jumps(own, sample_rate, AT_S)
        if jump <= LEAST or jump <= (STANDS_OUT if parts else ALONE) * usual:
            continue
        expected = max((_expected(part, sample_rate, usual) for part in parts), default=0.0)
        if jump > OVER_SOURCE * expected:
            found.append(at_s)
    return tuple(found)


def around(layer: Samples, sample_rate: int, at_s: float) -> Samples:
    """`AROUND_S` on both sides of a moment, shape `(2, m)`; silence beyond the ends."""
    half = round(AROUND_S * sample_rate)
    middle = round(min(max(at_s, -1.0), layer.shape[1] / sample_rate + 1.0) * sample_rate)
    found = np.zeros((layer.shape[0], 2 * half), np.float32)
    low, high = max(0, middle - half), min(layer.shape[1], middle + half)
    if high > low:
        found[:, low - middle + half : high - middle + half] = layer[:, low:high]
    return found


def jumps(samples: Samples, sample_rate: int, at_s: float) -> tuple[float, float]:
    """The highest jump within `at_s` of the middle, and what is usual around it, as amplitudes."""
    middle, reach = samples.shape[1] // 2, max(2, round(at_s * sample_rate))
    rest = np.abs(np.stack([_unexpected(row.astype(np.float64), middle, reach) for row in samples])).max(axis=0)
    # What lies next to a jump holds its echo in the prediction, and the first samples have nothing to be foreseen from.
    apart, length = reach + ORDER, 2 * max(2, round(AT_S * sample_rate))
    outside = [rest[ORDER : middle - apart], rest[middle + apart :]]
    blocks = [side[: side.size // length * length].reshape(-1, length).max(axis=1) for side in outside]
    highest = float(rest[middle - reach : middle + reach].max(initial=0.0))
    usual = np.concatenate(blocks)
    return highest, float(np.percentile(usual, USUAL)) if usual.size else 0.0


def _expected(part: Samples, sample_rate: int, usual: float) -> float:
    """The jump that a source would make, were its surroundings as loud as those of the join."""
    jump, own = jumps(part, sample_rate, NEAR_S)
    quiet = LEAST / 100
    return jump * (usual + quiet) / (own + quiet)


def _unexpected(row: Vector, middle: int, reach: int) -> Vector:
    """What a linear prediction from the surroundings does not foresee, shape of `row`."""
    import scipy.linalg
    import scipy.signal

    known = row.copy()
    known[middle - reach : middle + reach] = 0
    spectrum = np.abs(np.fft.rfft(known, 2 * known.size)) ** 2
    correlation = np.fft.irfft(spectrum)[: ORDER + 1]
    if correlation[0] <= 0:
        return row
    correlation[0] *= 1 + 1e-6
    weights = scipy.linalg.solve_toeplitz(correlation[:-1], correlation[1:])
    return np.asarray(scipy.signal.lfilter(np.concatenate([[1.0], -weights]), [1.0], row))
