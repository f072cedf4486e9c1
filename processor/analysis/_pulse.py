"""Pulses in an onset curve: how periodic it is at each tempo, and where the beats of one tempo lie.

A beat sequence is the path through the curve that collects most onset strength while its intervals stay near the
period. Two such paths are found: one at a constant period, as a sequencer plays, and one whose period may drift, as
people play. The drifting one has to be clearly better, for it can also drift into the off-beats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from processor.kernels import kernel

Vector = NDArray[np.float64]
Curve = NDArray[np.float32]

# Tempi from a slow ballad counted in quarters to drum & bass counted in eighths, in steps of half a percent.
TEMPI_BPM: Vector = np.exp(np.arange(np.log(40.0), np.log(250.0), 0.005))
# Correlated in stretches of this length, so that a drifting tempo does not blur; the lags reach six and a half seconds,
# four beats of 40 BPM and two bars of most else.
STRETCH_S, LONGEST_LAG_S = 14.0, 6.5
# A stretch without any onset of this share of the strongest one says nothing: a held tone trembles in its last digit.
QUIETEST = 0.05
# How much one, two, three and four beats count: every pulse repeats at twice and four times its period, only bars of
# three at the third (comb of Scheirer 1998, by autocorrelation).
COMB = (1.0, 1.0, 0.5, 1.0)
# Half-width of a beat as a part of the period: 16 ms at 120 BPM.
SHARPNESS = 32.0
# Cost of an interval that is off the period: −TIGHTNESS · log² (Ellis 2007 has 100 on a coarser curve). Of 100 to
# 20,000, those from 1,600 to 6,400 gave the same beats.
TIGHTNESS = 3200.0
# Cost of a change of period from beat to beat, and how far it may go from the mean.
DRIFT_COST, DRIFT_REACH = 3000.0, 1.25
# A drifting pulse must collect this much more per beat than a constant one.
DRIFT_GAIN = 1.08
# One whose median interval is further than this from the period (as a logarithm) is another tempo.
STRAYS = 0.12
# A drifting period is smoothed over so many beats.
SMOOTHED_BEATS = 8


@dataclass(frozen=True)
class Pulse:
    """Beats of one tempo.

    Attributes:
        frames: where the beats are, in frames of the onset curve, increasing.
        strength: mean onset strength at the beats, in standard deviations of the curve.
        drifts: whether the period had to change to follow the music.
    """

    frames: NDArray[np.int64]
    strength: float
    drifts: bool


def autocorrelation(curve: Curve, frame_rate: float) -> Vector:
    """Mean autocorrelation of the curve's stretches by lag in frames, 1 at lag 0; all 0 for a curve without events."""
    lags = int(LONGEST_LAG_S * frame_rate) + 1
    length = int(STRETCH_S * frame_rate)
    size = scipy.fft.next_fast_len(length + lags, real=True)
    loudest = float(curve.max(initial=0.0))
    total, count = np.zeros(lags), 0
    for start in range(0, max(1, curve.size - length // 2), length // 2):
        stretch = curve[start : start + length].astype(np.float64)
        if stretch.max(initial=0.0) > QUIETEST * loudest and np.ptp(stretch) > 0:
            spectrum = scipy.fft.rfft(stretch - stretch.mean(), size)
            found = scipy.fft.irfft(np.abs(spectrum) ** 2, size)[:lags]
            total += found / found[0]
            count += 1
    return total / max(count, 1)


def at_beats(correlation: Vector, tempo_bpm: Vector | float, frame_rate: float, beats: float) -> Vector:
    """The autocorrelation at a number of beats of each tempo; 0 beyond the longest lag."""
    lags = 60 * frame_rate / np.asarray(tempo_bpm) * beats
    return np.interp(lags, np.arange(correlation.size), correlation, right=0.0)


def salience(correlation: Vector, tempo_bpm: Vector | float, frame_rate: float) -> Vector:
    """How well the curve repeats at one, two, three and four beats of each tempo."""
    found = np.zeros(np.shape(tempo_bpm))
    for beats, weight in enumerate(COMB, start=1):
        found = found + weight * at_beats(correlation, tempo_bpm, frame_rate, beats)
    return found


def track(curve: Curve, tempo_bpm: float, frame_rate: float, *, may_drift: bool) -> Pulse:
    """Find the beats of a tempo.

    Args:
        curve: onset strength, shape `(frames,)`.
        tempo_bpm: the mean tempo.
        frame_rate: frames a second.
        may_drift: also try a period that follows the music, up to a quarter off the mean.
    """
    period = 60 * frame_rate / tempo_bpm
    smooth = _smooth(curve, period)
    steady = _follow(smooth, np.full(smooth.size, period))
    if not may_drift:
        return steady
    loose = _loose_beats(smooth - smooth.mean(), period) if smooth.size else steady.frames
    if loose.size <= 2 * SMOOTHED_BEATS:
        return steady
    periods = (loose[SMOOTHED_BEATS:] - loose[:-SMOOTHED_BEATS]) / SMOOTHED_BEATS
    middles = (loose[SMOOTHED_BEATS:] + loose[:-SMOOTHED_BEATS]) / 2
    followed = _follow(smooth, np.interp(np.arange(smooth.size), middles, periods))
    strays = abs(np.log(np.median(np.diff(followed.frames)) / period)) > STRAYS if followed.frames.size > 1 else True
    if strays or followed.strength <= steady.strength * DRIFT_GAIN:
        return steady
    return Pulse(followed.frames, followed.strength, drifts=True)


def _smooth(curve: Curve, period: float) -> Vector:
    """The curve in standard deviations, each onset widened to the width of a beat."""
    scale = float(curve.std()) if curve.size else 0.0
    reach = int(4 * period / SHARPNESS) + 1
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) * SHARPNESS / period) ** 2)
    if scale == 0:
        return np.zeros(curve.size)
    return np.convolve(curve / scale, bell)[reach : reach + curve.size]


def _follow(curve: Vector, periods: Vector) -> Pulse:
    scores, previous = np.zeros(curve.size), np.zeros(curve.size, np.int64)
    _best_paths(curve, periods, TIGHTNESS, scores, previous)
    frames: list[int] = []
    if curve.size:
        tail = max(0, curve.size - int(periods[-1]))
        frame = tail + int(scores[tail:].argmax())
        while frame >= 0:
            frames.append(frame)
            frame = int(previous[frame])
    found = np.array(frames[::-1], np.int64)
    return Pulse(found, float(curve[found].mean()) if found.size else 0.0, drifts=False)


def _loose_beats(curve: Vector, period: float) -> NDArray[np.int64]:
    """Beats of a path whose period may change by whole frames from beat to beat."""
    shortest, longest = int(period / DRIFT_REACH), int(np.ceil(period * DRIFT_REACH))
    scores = np.zeros((curve.size, longest - shortest + 1), np.float32)
    previous = np.zeros(scores.shape, np.int16)
    _best_drifting_paths(curve, shortest, DRIFT_COST, scores, previous)
    tail = max(0, curve.size - int(period))
    if tail == curve.size:
        return np.zeros(0, np.int64)
    frame, row = divmod(int(scores[tail:].argmax()), scores.shape[1])
    frame, frames = frame + tail, []
    while frame >= 0:
        frames.append(frame)
        frame, row = frame - shortest - row, int(previous[frame, row])
    return np.array(frames[::-1], np.int64)


@kernel
def _best_paths(curve: Vector, periods: Vector, tightness: float, scores: Vector, previous: NDArray[np.int64]) -> None:
    """For each frame, the best path of beats that ends there, by its last but one beat (−1 at its beginning)."""
    for frame in range(curve.size):
        period = periods[frame]
        best, at = 0.0, -1
        for gap in range(int(period * 0.85), int(period * 1.18) + 2):
            if gap > frame or gap < 1:
                continue
            off = np.log(gap / period)
            score = scores[frame - gap] - tightness * off * off
            if score > best:
                best, at = score, frame - gap
        scores[frame] = curve[frame] + best
        previous[frame] = at


@kernel
def _best_drifting_paths(curve: Vector, shortest: int, cost: float, scores: Curve, previous: NDArray[np.int16]) -> None:
    """The same for each frame and each length of the last interval, row `k` for `shortest + k` frames."""
    rows = scores.shape[1]
    for frame in range(curve.size):
        for row in range(rows):
            gap = shortest + row
            before = frame - gap
            best, at = 0.0, row
            if before >= 0:
                best = -np.inf
                for other in range(max(0, row - 4), min(rows, row + 5)):
                    change = (row - other) / gap
                    score = scores[before, other] - cost * change * change
                    if score > best:
                        best, at = score, other
            scores[frame, row] = curve[frame] + best
            previous[frame, row] = at
