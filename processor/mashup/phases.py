"""Which of the moments at one tempo are the beats, where no whole song tells it.

In a voice that is heard alone every quarter of a beat is tried, and every beat of a bar. A voice hardly tells: what it
tells comes with a probability, so that a plan can say what else may be true. In an instrumental it may be the off-beats
that were taken for beats.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from processor.analysis._metre import NEAR_S, bars, between_beats, contrast, downbeat_evidence
from processor.analysis.chroma import Chroma
from processor.analysis.onsets import Onsets
from processor.mashup.combs import Comb, agreement
from processor.mashup.grids import FEWEST_BEATS, LATE_IN_MIX_S, LATE_S, TEMPO_DIGITS, USUAL_METRE, is_steady
from processor.mashup.plan import Grid

Vector = NDArray[np.float64]

# What the onsets say of a quarter, and accents, chord changes and where the voice sets in of a bar's beginning, as
# log-odds: fitted to stretches of 40 s, anywhere in 17 voices and leads of 13 songs, but the last, which is that of
# whole mixes: stretches do not begin where a voice sets in. With a song left out, fitted to the others, 81 % have the
# right quarter and 64 % the right beat of a bar (48 % by what tells it in mixes). What else was tried says no more:
# beginnings and ends of lines, held notes, levels; and how well accents and chords of another song fit (over one's own
# song they say a little).
ONSETS_SAY = 5.8
BARS_SAY = np.array([1.4, 1.2, 2.0])
# Stems are exported from the first bar on: of three songs made on a machine and not cut, all have a beat at 0. So many
# times likelier is a beat there where a file begins with so much silence, and so many times more that it begins a bar.
# Cut or separated voices have no such silence (none of 24). A convention, not a measurement.
BEGINS_BEAT, BEGINS_BAR, SILENCE_S = 20.0, 10.0, 1.0
# In beats: singers are up to 0.09 late, encoders up to 50 ms.
NEAR_BEATS = 0.125
QUARTERS = 4
# The two lowest of the registers of onsets: kick and bass.
LOW_REGISTERS = 2


@dataclass(frozen=True)
class Phase:
    """Beats and bars that are possible.

    Attributes:
        grid: these.
        probability: that both are right, if the tempo is.
    """

    grid: Grid
    probability: float


def phases(comb: Comb, onsets: Onsets, chroma: Chroma, duration_s: float) -> list[Phase]:
    """All quarters and all beats of a bar at one tempo; none where there are fewer than two bars.

    The likeliest beat of the likeliest quarter comes first, for off the beat is worse than off the bar; then the
    others, the likelier first.

    Args:
        comb: the tempo.
        onsets: of the voice.
        chroma: of the voice.
        duration_s: length of the file.
    """
    quarters = []
    for quarter in range(QUARTERS):
        late_s = quarter * comb.period_s / QUARTERS - LATE_IN_MIX_S
        quarters.append(replace(comb, first_s=(comb.first_s + late_s) % comb.period_s).beats_s(duration_s))
    if min(beats.size for beats in quarters) < max(FEWEST_BEATS, 2 * USUAL_METRE):
        return []
    shares = _shares(ONSETS_SAY * agreement(onsets, comb, np.arange(QUARTERS) / QUARTERS))
    weights = shares[:, None] * np.array([_bars(beats, onsets, chroma) for beats in quarters])
    if _starts_silent(onsets):
        weights *= np.array([_at_zero(float(beats[0]), comb.period_s) for beats in quarters])
    weights /= weights.sum()
    tempo = round(comb.tempo_bpm, TEMPO_DIGITS)
    found = [
        Phase(Grid(tuple(beats.tolist()), first, USUAL_METRE, tempo), float(weights[quarter, first]))
        for quarter, beats in enumerate(quarters)
        for first in range(USUAL_METRE)
    ]
    best = int(weights.sum(axis=1).argmax())
    leader = found[best * USUAL_METRE + int(weights[best].argmax())]
    return [leader, *sorted((one for one in found if one is not leader), key=lambda one: -one.probability)]


def _bars(beats_s: Vector, onsets: Onsets, chroma: Chroma) -> Vector:
    """How probable it is that each of the first beats begins a bar; a voice has no kick, all of its onsets count."""
    accents = replace(onsets, registers=np.tile(onsets.envelope, (len(onsets.registers), 1)))
    evidence = downbeat_evidence(beats_s, accents, chroma)
    contrasts = np.array([contrast(evidence, USUAL_METRE, first) for first in range(USUAL_METRE)])
    return _shares(contrasts @ BARS_SAY)


def _starts_silent(onsets: Onsets) -> bool:
    sounding = np.flatnonzero(onsets.envelope > 0)
    return sounding.size > 0 and float(sounding[0]) / onsets.frame_rate >= SILENCE_S


def _at_zero(first_s: float, period_s: float) -> Vector:
    """How much likelier each beat of a bar is to be a bar's first, for where 0 lies among the beats."""
    odds = np.ones(USUAL_METRE)
    away = -first_s / period_s
    if abs(away - round(away)) <= NEAR_BEATS:
        odds *= BEGINS_BEAT
        odds[round(away) % USUAL_METRE] *= BEGINS_BAR
    return odds


def _shares(log_odds: Vector) -> Vector:
    chances = np.exp(log_odds - log_odds.max())
    return np.asarray(chances / chances.sum())


# Instrumentals


def on_the_beat(grid: Grid, onsets: Onsets, chroma: Chroma, duration_s: float) -> Grid:
    """The same beats, or those half a beat later where kick, bass and chord changes all say that these are the beats.

    Of 46 instrumentals at one tempo that is so for 2 of the 3 whose beats are half a beat off, and for none of the
    others; of 53 whole mixes for 2 of 3, and for no other.

    Args:
        grid: the beats; those that move are left as they are.
        onsets: of the instrumental.
        chroma: of the instrumental.
        duration_s: length of the file.
    """
    if not is_steady(grid.beats_s) or len(grid.beats_s) < FEWEST_BEATS or not len(chroma.values):
        return grid
    beats = np.asarray(grid.beats_s, np.float64)
    period = float(np.diff(beats).mean())
    halves = np.concatenate([beats[:, None], beats[:, None] + period / 2], axis=1)
    votes = [_sum_near(onsets.registers[register], halves, onsets.frame_rate) for register in range(LOW_REGISTERS)]
    votes.append(_changes(between_beats(chroma.values, halves.ravel(), chroma.frame_rate)).reshape(-1, 2).sum(axis=0))
    if any(on_beat >= off_beat for on_beat, off_beat in votes):
        return grid
    later = Comb(60 / period, float((beats[0] + period / 2) % period), 0.0).beats_s(duration_s)
    found = bars(later, onsets, chroma, grid.metre)
    return replace(grid, beats_s=tuple(later.tolist()), first_downbeat=found.first if found else 0)


def _sum_near(curve: NDArray[np.float32], times_s: Vector, frame_rate: float) -> Vector:
    """Sum over the beats of the roots of a curve's mean around each, on the beat and off it."""
    reach = round(NEAR_S * frame_rate)
    frames = np.round((times_s + LATE_S) * frame_rate).astype(np.int64)[..., None] + np.arange(-reach, reach + 1)
    inside = (frames >= 0) & (frames < curve.size)
    values = np.where(inside, curve[np.clip(frames, 0, max(0, curve.size - 1))], 0.0) if curve.size else inside * 0.0
    return np.asarray(np.sqrt(values.mean(axis=-1)).sum(axis=0))


def _changes(pitches: Vector) -> Vector:
    """Root of the cosine distance between each row and the one before; 0 where one is empty."""
    lengths = np.linalg.norm(pitches, axis=1)
    both = lengths * np.roll(lengths, 1)
    alike = (pitches * np.roll(pitches, 1, axis=0)).sum(axis=1) / np.maximum(both, 1e-9)
    distance = np.where(both > 1e-9, np.clip(1 - alike, 0, 1), 0.0)
    distance[:1] = 0.0
    return np.sqrt(distance)
