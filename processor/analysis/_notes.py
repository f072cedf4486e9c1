"""A pitch curve as notes, and what a singer does within them.

A note is where the pitch stays: the path through a grid of pitches that lies nearest to the curve when each change of
pitch costs the same. So a vibrato, which comes back, stays one note, and a glide belongs to the notes at its ends.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.kernels import kernel

Vector = NDArray[np.float64]
Path = NDArray[np.int64]

# The grid has a step of a fifth of a semitone. A frame's distance counts up to two semitones, so that a slip of an
# octave is no more than off. A new note a semitone away pays from 80 ms on: as segment_notes of swift-f0 has it.
STEP_SEMITONES, FARTHEST_SEMITONES, CHANGE_S = 0.2, 2.0, 0.08
# A shorter gap is a slip of the tracker; a longer one begins a new note, of the same pitch too. What is shorter than
# a note can be is a glide or a slip.
GAP_S, SHORTEST_S = 0.032, 0.09
# Vibrato: in windows of held notes, a sine of 4 to 8 Hz (Prame, "Measurements of the vibrato rate of ten singers",
# JASA 1994: 6 Hz ± 0.5) on a parabola, which a pitch that only wanders cannot be mistaken for: white noise is explained
# to 25 %, a random walk to 61 % (95th percentiles). Under 15 cents nobody hears it.
HELD_S, WINDOW_S, WINDOW_STEP_S = 0.5, 0.64, 0.16
RATES_HZ = np.arange(4.0, 8.01, 0.1)
EXPLAINED, LEAST_CENTS, MOST_CENTS = 0.7, 15.0, 250.0
# The ends of a note are on the way from and to others.
EDGE_S = 0.06


@dataclass(frozen=True)
class Vibrato:
    """What was found in the held notes.

    Attributes:
        windows: how many were looked at.
        rates_hz: of those that have a vibrato.
        extents_cents: of the same: how far it goes to either side.
    """

    windows: int
    rates_hz: Vector
    extents_cents: Vector


def midi(f0_hz: Vector) -> Vector:
    """Pitch in semitones, 69 for 440 Hz; no number stays none."""
    return np.asarray(69.0 + 12.0 * np.log2(np.where(f0_hz > 0, f0_hz, np.nan) / 440.0), np.float64)


def notes(pitches: Vector, hop_s: float) -> Vector:
    """Notes in a pitch curve in semitones: `(n, 3)` of start and end in s, and median pitch."""
    found = [
        (start + first, start + last)
        for start, end in _runs(pitches, max(1, round(GAP_S / hop_s)))
        for first, last in _segments(pitches[start:end], CHANGE_S / hop_s)
    ]
    shortest = SHORTEST_S / hop_s
    rows = [
        (first * hop_s, last * hop_s, float(np.nanmedian(pitches[_core(first, last, hop_s)])))
        for first, last in found
        if last - first >= shortest
    ]
    return np.array(rows, np.float64).reshape(-1, 3)


def _core(first: int, last: int, hop_s: float) -> slice:
    """The frames of a note without its ends, where it is long enough to have a middle."""
    edge = min(round(EDGE_S / hop_s), (last - first) // 4)
    return slice(first + edge, last - edge)


def _runs(pitches: Vector, gap: int) -> Path:
    """First frame, and one past the last, of each voiced stretch, `(n, 2)`; gaps of up to `gap` frames are bridged."""
    voiced = np.isfinite(pitches)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], voiced.astype(np.int8), [0]]))).reshape(-1, 2)
    if len(edges) == 0:
        return edges
    is_new = np.concatenate([[True], edges[1:, 0] - edges[:-1, 1] > gap])
    is_last = np.concatenate([is_new[1:], [True]])
    return np.stack([edges[is_new, 0], edges[is_last, 1]], axis=1)


def _segments(pitches: Vector, cost: float) -> list[tuple[int, int]]:
    """Where a voiced stretch stays on a pitch: first frame, and one past the last."""
    low, high = float(np.nanmin(pitches)), float(np.nanmax(pitches))
    states = int((high - low) / STEP_SEMITONES) + 2
    path = np.zeros(pitches.size, np.int64)
    filled = np.where(np.isfinite(pitches), pitches, -1e3)
    _stay(filled, low, states, cost, path)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(path)) + 1, [pitches.size]]).tolist()
    return list(itertools.pairwise(edges))


@kernel
def _stay(pitches: Vector, low: float, states: int, cost: float, path: Path) -> None:
    """Viterbi: the path of constant pitches nearest to a curve, where each change costs the same.

    A frame without a pitch (far below all) costs nothing, wherever the path is.
    """
    steps = pitches.size
    total = np.zeros(states)
    came = np.zeros((steps, states), np.bool_)  # whether a state was entered from the best one before
    best = np.zeros(steps, np.int64)
    for t in range(steps):
        best[t] = np.argmin(total)
        entry = total[best[t]] + cost
        for k in range(states):
            if entry < total[k]:
                total[k] = entry
                came[t, k] = True
            if pitches[t] > -900.0:
                total[k] += min(abs(pitches[t] - low - k * 0.2), 2.0)
    state = np.argmin(total)
    for t in range(steps - 1, -1, -1):
        path[t] = state
        if came[t, state]:
            state = best[t]


def vibrato(pitches: Vector, found: Vector, hop_s: float) -> Vibrato:
    """Vibrato in the held ones of some notes.

    Args:
        pitches: the curve in semitones.
        found: the notes, `(n, 3)`.
        hop_s: seconds from frame to frame.
    """
    size, step = round(WINDOW_S / hop_s), max(1, round(WINDOW_STEP_S / hop_s))
    windows = []
    for start_s, end_s, pitch in found:
        if end_s - start_s < HELD_S + 2 * EDGE_S:
            continue
        core = _core(round(start_s / hop_s), round(end_s / hop_s), hop_s)
        curve = 100.0 * (pitches[core] - pitch)
        length = min(size, curve.size)
        windows += [curve[at : at + length] for at in range(0, curve.size - length + 1, step)]
    seen = [_swing(window, hop_s) for window in windows if np.isfinite(window).mean() > 0.9]
    swings = np.array([one for one in seen if one is not None], np.float64).reshape(-1, 2)
    return Vibrato(len(seen), swings[:, 0], swings[:, 1])


def _swing(curve: Vector, hop_s: float) -> tuple[float, float] | None:
    """Rate in Hz and extent in cents of the sine that best explains a curve in cents; None where none does."""
    is_there = np.isfinite(curve)
    time = np.flatnonzero(is_there) * hop_s
    values = curve[is_there]
    drift = np.stack([np.ones(time.size), time, time**2], axis=1)
    rest = values - drift @ np.linalg.lstsq(drift, values, rcond=None)[0]
    whole = float(rest @ rest)
    if whole <= 1e-9:
        return None
    best: tuple[float, float, float] = (0.0, 0.0, 0.0)
    for rate in RATES_HZ:
        angle = 2 * np.pi * rate * time
        terms = np.concatenate([np.stack([np.sin(angle), np.cos(angle)], axis=1), drift], axis=1)
        weights = np.linalg.lstsq(terms, values, rcond=None)[0]
        left = values - terms @ weights
        explained = 1.0 - float(left @ left) / whole
        if explained > best[0]:
            best = (explained, float(rate), float(np.hypot(*weights[:2])))
    explained, rate, extent = best
    return (rate, extent) if explained >= EXPLAINED and LEAST_CENTS <= extent <= MOST_CENTS else None
