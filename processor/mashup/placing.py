"""Sounds of any length along a map of time, in phrases that meet where it is quietest; copied where that will do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from processor.mashup.stretching import Samples, Sound, Vector, Way, stretched, window

Stretcher = Callable[[Sound, Way, int, int], Samples]

# A map that nowhere strays from a mere delay by more than this is one: the samples are copied, to the last bit.
COPY_WITHIN_S = 0.0005
# Two phrases overlap by the first, and go over into each other within the second, where they differ least.
OVERLAP_S, JOIN_S = 0.1, 0.02
# Weights of a fade between sounds that cancel each other grow no further than for this correlation (to 1.8).
LEAST_COMMON = -0.7
HOP_S, SMOOTH_HOPS = 0.005, 5


@dataclass(frozen=True)
class Placed:
    """What is heard of a sound in a stretch of the mashup.

    Attributes:
        samples: shape `(2, n)`.
        joins: samples of the mashup around which two phrases go over into each other.
    """

    samples: Samples
    joins: tuple[int, ...]


def placed(
    sound: Sound,
    way: Way,
    span: tuple[int, int],
    longest_s: float,
    stretch: Stretcher = stretched,
) -> Placed:
    """Play a sound along its way, in phrases that are cut where it is quietest.

    Args:
        sound: what is played; silence before its beginning and behind its end.
        way: what falls where; see `check_way` for what it may be.
        span: first sample of the mashup that is wanted, and the first that is not.
        longest_s: how long a phrase may be: 4 bars.
        stretch: the stretcher.
    """
    first, end = span
    if end <= first:
        return Placed(np.zeros((2, 0), np.float32), ())
    copied = _copied(sound, way, first, end)
    if copied is not None:
        return Placed(copied, ())
    half, fade = (round(seconds * sound.sample_rate) for seconds in (OVERLAP_S / 2, JOIN_S))
    edges = [first, *_splits(sound, way, (first, end), longest_s), end]
    found = np.zeros((2, end - first), np.float32)
    joins = []
    for begin, stop in pairwise(edges):
        start, limit = max(first, begin - half), min(end, stop + half)
        part = _part(way, start / sound.sample_rate, limit / sound.sample_rate)
        piece = _copied(sound, part, start, limit)
        if piece is None:
            piece = stretch(sound, part, start, limit)
        join = lay(found, start - first, piece, 0 if begin == first else begin - start + half, fade)
        joins.append(first + join)
    return Placed(found, tuple(joins[1:]))


def lay(found: Samples, at: int, piece: Samples, overlap: int, fade: int) -> int:
    """Write a piece from `at` on, going over to it from what is there, within its first `overlap` samples.

    It takes `fade` of these, where both differ least: in silence, or where they are in step. The two are weighed so
    that their sum is as strong as each of them, whether they are in step (then it is a linear fade), have nothing in
    common (then one of equal power) or cancel each other (then it is more).

    Returns:
        The middle of the fade, as a sample of `found`.
    """
    overlap = min(overlap, piece.shape[1])
    fade = min(fade, overlap)
    if not fade:
        found[:, at : at + piece.shape[1]] = piece
        return at
    lost = np.square(found[:, at : at + overlap] - piece[:, :overlap], dtype=np.float64).sum(axis=0)
    sums = np.concatenate([[0.0], np.cumsum(lost)])
    skip = int(np.argmin(sums[fade:] - sums[:-fade]))
    at, piece = at + skip, piece[:, skip:]
    before, after = found[:, at : at + fade], piece[:, :fade]
    angle = np.pi / 2 * (np.arange(fade) + 0.5) / fade
    out, into = np.cos(angle), np.sin(angle)
    energy = np.sqrt(np.sum(np.square(before, dtype=np.float64)) * np.sum(np.square(after, dtype=np.float64)))
    common = float(np.sum(before * after, dtype=np.float64)) / energy if energy > 0 else 0.0
    strength = np.sqrt(1 + 2 * min(max(common, LEAST_COMMON), 1.0) * out * into)
    mixed = before * (out / strength).astype(np.float32) + after * (into / strength).astype(np.float32)
    found[:, at + fade : at + piece.shape[1]] = piece[:, fade:]
    found[:, at : at + fade] = mixed
    return at + fade // 2


def quietest(energies: Vector, first: int, end: int) -> int:
    """Index of the lowest of some hops' energies, the last one of several; `first` where there are none."""
    part = energies[max(0, first) : max(0, end)]
    return max(0, first) + part.size - 1 - int(np.argmin(part[::-1])) if part.size else first


def energies(samples: Samples, hop: int) -> Vector:
    """Energy of each `hop` samples with its neighbours, smoothed over 25 ms, shape `(n,)`."""
    from scipy.ndimage import uniform_filter1d

    count = samples.shape[1] // hop
    rows = samples[:, : count * hop].reshape(len(samples), count, hop)
    found = np.einsum("cnh,cnh->n", rows, rows, dtype=np.float64)
    smoothed: Vector = uniform_filter1d(found, SMOOTH_HOPS, mode="nearest") if count else found
    return smoothed


def _copied(sound: Sound, way: Way, first: int, end: int) -> Samples | None:
    """The samples as they are, if the way is nothing but a delay between these samples of the mashup; else None."""
    rate = sound.sample_rate
    if way.is_shifted:
        return None
    edges = way.back(np.array([first, end]) / rate)
    inside = way.source_s[(way.source_s > edges[0]) & (way.source_s < edges[1])]
    moments = np.concatenate([edges[:1], inside, edges[1:]])
    delays = way.at(moments) - moments
    if delays.max() - delays.min() > 2 * COPY_WITHIN_S:
        return None
    return window(sound.samples, first - round(float(delays.max() + delays.min()) / 2 * rate), end - first)


def _part(way: Way, start_s: float, end_s: float) -> Way:
    """The same way, without what its pitch does before and behind a span of the mashup."""
    if not way.is_gliding:
        return way
    edges = way.back(np.array([start_s, end_s]))
    knots = np.asarray(way.pitch_at_s)
    inside = knots[(knots > edges[0]) & (knots < edges[1])]
    moments = np.concatenate([edges[:1], inside, edges[1:]])
    shifts = np.interp(moments, knots, way.semitones)
    if np.ptp(shifts) == 0:
        moments, shifts = moments[:1], shifts[:1]
    return replace(way, pitch_at_s=tuple(moments.tolist()), semitones=tuple(shifts.tolist()))


def _splits(sound: Sound, way: Way, span: tuple[int, int], longest_s: float) -> list[int]:
    """Samples of the mashup at which one phrase ends: the quietest between half of the longest phrase and all of it."""
    rate, (first, end) = sound.sample_rate, span
    hop = max(1, round(HOP_S * rate))
    levels: Vector | None = None
    found, start_s = [], first / rate
    while end / rate - start_s > longest_s:
        if levels is None:
            levels = energies(sound.samples, hop)
        window_s = way.back(np.array([start_s + longest_s / 2, start_s + longest_s]))
        place = quietest(levels, *(int(moment * rate / hop) for moment in window_s))
        moment_s = np.clip((place + 0.5) * hop / rate, *window_s)
        start_s = float(way.at(np.array([moment_s]))[0])
        found.append(round(start_s * rate))
    return found
