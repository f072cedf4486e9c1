"""The beats of a whole file, from its first moment to its last, evenly enough to lay two songs on one another.

What `beats` hears may slip to the off-beat for a while, and ends where the music does. Two songs that play together
for minutes need more: beats that do not drift by 20 ms. Most of today's music is
made at one tempo. So one period and one phase are fitted to all that is heard, and kept where that fits; only where it
does not are the beats followed one by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from processor.analysis._tempo import is_same_tempo
from processor.analysis.beats import FASTEST_BPM, MOST_BEATS_A_BAR, SLOWEST_BPM, Beats
from processor.analysis.onsets import Onsets
from processor.mashup.combs import (
    POLISHED_REACH,
    REACH,
    SAID_REACH,
    Comb,
    comb_of,
    comb_of_beats,
    spectrum_of,
    whole_tempo,
)
from processor.mashup.plan import Grid
from processor.record import Results

Vector = NDArray[np.float64]
Curve = NDArray[np.float32]

# Distances between beats, in local periods: under the first one of two is a double, over the second one is missing.
DOUBLE, MISSING, LOCAL_BEATS = 0.6, 1.5, 8
SHORTEST_S = 30 / FASTEST_BPM  # half a beat of the fastest music: what is nearer is a double, whatever the others are
# How far beats may be moved to the onsets, and over how many beats to each side onsets are added up for it.
MOVED_S, MOVED_STEP_S, MOVED_SHARE, MOVED_BEATS = 0.06, 0.0025, 0.125, 6
# Where no metre is heard, this many beats a bar are the best guess: nine tenths of popular music has them.
USUAL_METRE = 4
FEWEST_BEATS = 4
MOST_BEATS = 20_000
# Of a tempo in BPM: a millionth of it is two microseconds in four minutes, and 124 stays 124.
TEMPO_DIGITS = 6
# Onsets that keep one tempo have so much of their power at it and its harmonics, a frame. 57 of 59 pieces at one tempo
# have 0.049 to 0.25 (two chorales 0.02 and 0.03); orchestras, a live band and a film score have 0.009 to 0.024.
STEADY_POWER = 0.045
# A grid that is polished needs this much more power than chance; noise reaches some 12.
LEAST_POWER = 30.0
# So much later than the attack stands the peak of an onset curve: middle of 10 pieces whose drums are known. In true
# drums it is −1 to 7 ms late, in a whole mix 1 to 17.
LATE_S, LATE_IN_MIX_S = 0.005, 0.008


# Beats that are known


def grid_of(
    results: Results, duration_s: float, tempo_bpm: float | None = None
) -> tuple[Grid | None, float | None, str]:
    """The beats of a song as its record has them, mended and carried on to both ends of the file.

    Args:
        results: of the song; its `beats` count.
        duration_s: length of the file.
        tempo_bpm: a person's word.

    Returns:
        The grid, how sure its tempo is, and what it rests on; no grid where no beat is known.
    """
    heard = results.get("beats")
    if not isinstance(heard, Beats):
        return None, None, "the beats of the song are not known"
    found = mended(np.asarray(heard.beats_s, np.float64), duration_s)
    if found.size < FEWEST_BEATS or duration_s <= 0:
        return None, None, "no beat is heard in the song"
    word = plausible(tempo_bpm)
    if word is not None and heard.tempo_bpm and not is_same_tempo(heard.tempo_bpm, word):
        return None, None, f"the beats that are known are at {heard.tempo_bpm:.1f} BPM; a person said {word:g}"
    tempo = word or plausible(heard.tempo_bpm) or 60 / float(np.median(np.diff(found)))
    metre = heard.metre if heard.metre and 1 <= heard.metre <= MOST_BEATS_A_BAR else USUAL_METRE
    comb = comb_of_beats(found, tempo, SAID_REACH if word else REACH)
    if comb is not None:
        grid = _grid(comb.beats_s(duration_s), comb.tempo_bpm, metre, heard.downbeats_s)
        words = "beats of the song, at one tempo throughout"
    else:
        grid = _grid(_carried_on(found, duration_s), tempo, metre, heard.downbeats_s)
        words = "beats of the song, which follow its tempo as it moves"
    if word:
        return grid, 1.0, f"{words}; a person said {word:g} BPM"
    return grid, heard.confidence, words


def plausible(tempo_bpm: float | None) -> float | None:
    """The tempo, if it is one."""
    is_one = tempo_bpm is not None and math.isfinite(tempo_bpm) and SLOWEST_BPM <= tempo_bpm <= FASTEST_BPM
    return tempo_bpm if is_one else None


def mended(beats_s: Vector, duration_s: float) -> Vector:
    """Beats in order, within the file, without doubles and with those that are missing between others."""
    inside = beats_s[(beats_s >= 0) & (beats_s <= duration_s)]
    apart: list[float] = []
    for beat in np.unique(inside)[:MOST_BEATS].tolist():
        if not apart or beat - apart[-1] >= SHORTEST_S:
            apart.append(beat)
    kept = np.array(apart)
    if kept.size < 2:
        return kept
    usual = float(np.median(np.diff(kept)))
    found = [float(kept[0])]
    for beat in kept[1:].tolist():
        period = float(np.median(np.diff(found[-LOCAL_BEATS:]))) if len(found) > LOCAL_BEATS // 2 else usual
        gap = beat - found[-1]
        if gap < DOUBLE * period:
            continue
        missing = round(gap / period) if gap > MISSING * period else 1
        found += np.linspace(found[-1], beat, min(missing, MOST_BEATS) + 1)[1:].tolist()
    return np.array(found)


def _carried_on(beats_s: Vector, duration_s: float) -> Vector:
    """Beats up to both ends of the file, at the pace of the nearest ones."""
    pace = min(LOCAL_BEATS, beats_s.size - 1)
    before, after = (beats_s[pace] - beats_s[0]) / pace, (beats_s[-1] - beats_s[-1 - pace]) / pace
    head = beats_s[0] - before * np.arange(int(beats_s[0] / before), 0, -1)
    tail = beats_s[-1] + after * np.arange(1, int((duration_s - beats_s[-1]) / after) + 1)
    return np.concatenate([head, beats_s, tail])


def _grid(beats_s: Vector, tempo_bpm: float, metre: int, downbeats_s: Vector) -> Grid:
    """Beats with the downbeat that most of the known ones stand for."""
    known = np.asarray(downbeats_s, np.float64)
    known = known[np.isfinite(known)]
    first = 0
    if known.size:
        places = np.round(np.interp(known, beats_s, np.arange(beats_s.size))).astype(np.int64)
        first = int(np.bincount(places % metre, minlength=metre).argmax())
    return Grid(tuple(beats_s.tolist()), min(first, beats_s.size - 1), metre, round(float(tempo_bpm), TEMPO_DIGITS))


# Where exactly


def is_steady(beats_s: Sequence[float]) -> bool:
    """Whether all beats are equally far apart."""
    gaps = np.diff(np.asarray(beats_s, np.float64))
    return gaps.size > 0 and bool(np.ptp(gaps) < 1e-6 * max(1.0, float(gaps.mean())))


def refined(grid: Grid, onsets: Onsets, duration_s: float, late_s: float = LATE_S) -> Grid:
    """The same beats, moved to where the onsets around them begin; at most 60 ms or an eighth of a beat.

    One tempo stays one: its period is fitted anew within 0.3 %, and all beats move together. Others move each by the
    onsets of the beats around it; but where the onsets keep one tempo after all, they get that.

    Args:
        grid: the beats.
        onsets: of the drums, or of the whole song.
        duration_s: length of the file.
        late_s: how late the onset curve is.
    """
    curve = _widened(onsets.envelope)
    if not curve.any():
        return grid
    grid = grid if is_steady(grid.beats_s) else _steadied(grid, onsets, duration_s)
    beats = np.asarray(grid.beats_s, np.float64)
    if not is_steady(grid.beats_s):
        moved = beats + _moves(curve, onsets.frame_rate, beats, MOVED_BEATS) - late_s
        return replace(grid, beats_s=tuple(moved.tolist())) if (np.diff(moved) > 0).all() else grid
    beats, tempo = _polished(beats, grid.tempo_bpm, onsets)
    beats = beats + float(_moves(curve, onsets.frame_rate, beats, None)[0]) - late_s
    return _recounted(grid, beats, tempo, duration_s)


def _steadied(grid: Grid, onsets: Onsets, duration_s: float) -> Grid:
    """A grid of one tempo, where the onsets keep one that the beats have lost."""
    comb = comb_of(onsets, grid.tempo_bpm, REACH)
    if comb is None or comb.strength < max(STEADY_POWER * onsets.envelope.size, LEAST_POWER):
        return grid
    beats = np.asarray(grid.beats_s, np.float64)
    downbeats = beats[grid.first_downbeat :: grid.metre]
    return _grid(comb.led_by(beats).beats_s(duration_s), comb.tempo_bpm, grid.metre, downbeats)


def _polished(beats_s: Vector, tempo_bpm: float, onsets: Onsets) -> tuple[Vector, float]:
    """Beats at the tempo that fits best, near what it was; the middle one stays where it was."""
    spectrum = spectrum_of(onsets.envelope.astype(np.float64), onsets.frame_rate)
    pace = 60 / float(np.diff(beats_s).mean())
    if spectrum is None:
        return beats_s, tempo_bpm
    tempi = pace * np.exp(np.linspace(-POLISHED_REACH, POLISHED_REACH, 401))
    powers = spectrum.at(tempi)
    found = whole_tempo(tempi, powers)
    is_at_edge = powers.argmax() in (0, powers.size - 1)
    if is_at_edge or powers.max() < LEAST_POWER:
        return beats_s, tempo_bpm
    middle = beats_s.size // 2
    return beats_s[middle] + (np.arange(beats_s.size) - middle) * 60 / found, tempo_bpm * found / pace


def _moves(curve: Vector, frame_rate: float, beats_s: Vector, around: int | None) -> Vector:
    """How far each beat lies before the onsets of itself and those around it; all of them with `around` None."""
    most = min(MOVED_S, MOVED_SHARE * float(np.median(np.diff(beats_s))))
    offsets = np.arange(-round(most / MOVED_STEP_S), round(most / MOVED_STEP_S) + 1) * MOVED_STEP_S
    at = (beats_s[:, None] + offsets) * frame_rate
    profile = np.interp(at, np.arange(curve.size), curve, left=0.0, right=0.0)
    if around is None:
        summed = np.broadcast_to(profile.sum(axis=0), profile.shape)
    else:
        sums = np.concatenate([np.zeros((1, offsets.size)), np.cumsum(profile, axis=0)])
        last = np.minimum(np.arange(len(profile)) + around + 1, len(profile))
        summed = sums[last] - sums[np.maximum(np.arange(len(profile)) - around, 0)]
    # What is far away has to be stronger, and where nothing sounds nothing moves.
    weighed = summed * (1 - 0.5 * (offsets / (2 * most)) ** 2)
    best = weighed.argmax(axis=1)
    rows = np.arange(len(best))
    inner = np.clip(best, 1, offsets.size - 2)
    before, peak, after = (weighed[rows, inner + step] for step in (-1, 0, 1))
    bend = before - 2 * peak + after
    part = np.where(bend < 0, np.clip(0.5 * (before - after) / np.where(bend < 0, bend, -1.0), -1, 1), 0.0)
    found: Vector = np.where(weighed.max(axis=1) > 0, offsets[inner] + part * MOVED_STEP_S, 0.0)
    return found


def _widened(envelope: Curve) -> Vector:
    """The onset curve, a frame wider to each side, so that a sum over beats has one peak and not many."""
    return np.convolve(envelope.astype(np.float64), [0.25, 0.5, 0.25], mode="same") if envelope.size else np.zeros(0)


def _recounted(grid: Grid, beats_s: Vector, tempo_bpm: float, duration_s: float) -> Grid:
    """A steady grid after a move: beats that left the file are dropped, new ones are added, bars stay bars."""
    period = float(np.diff(beats_s).mean())
    comb = Comb(60 / period, float(beats_s[0] % period), 0.0)
    # Beats of the old grid that now lie before 0; −1 where a new one came before the first.
    shifted = round((comb.first_s - float(beats_s[0])) / period)
    beats = comb.beats_s(duration_s)
    first = (grid.first_downbeat - shifted) % grid.metre
    return Grid(tuple(beats.tolist()), first, grid.metre, round(float(tempo_bpm), TEMPO_DIGITS))
