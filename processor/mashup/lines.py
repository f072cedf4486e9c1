"""Where a voice breathes: what is sung in one breath, so that nothing is cut inside a word."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis.loudness import ABSOLUTE_GATE_LUFS, OFFSET_LU

Vector = NDArray[np.float64]
Flags = NDArray[np.bool_]

RATE = 100  # levels a second
# A voice sounds where its level passes the first of these, until it falls below the second: LU under what its loudest
# twentieth reaches.
ON_LU, OFF_LU, LOUD_PERCENTILE = 26.0, 34.0, 95
# Of what separators leave between the lines, and of the tails of effects: the voice is this much louder than the
# quietest tenth of the file, if that is not silent.
OVER_BLEED_ON_LU, OVER_BLEED_OFF_LU, QUIET_PERCENTILE = 10.0, 6.0, 10
# An echo or a hall sounds on in a breath. What lies so far under the loudest moment of half a second to both sides is
# no voice.
LOCAL_LU, LOCAL_S = 22.0, 0.5
# Shorter gaps are stops (p, t, k close for up to 0.15 s), shorter sounds clicks.
BREATH_S, SHORTEST_S = 0.2, 0.12
# Within a line whose words are known only silence of the first length is a gap: times of words are right within 0.3 s.
# What a model writes down as one line of more than the next is several, and there the last length is a gap.
GAP_IN_LINE_S, LONGEST_LINE_S, GAP_IN_LONG_LINE_S, WORDS_WITHIN_S = 1.0, 8.0, 0.35, 0.3
# What is shorter than this is a part of the line that it is near to: an upbeat, an echo.
PART_S, NEAR_S = 0.35, 0.6
# A longer line without a breath is cut where it is quietest, if that is this much under its loudness, and best near
# the beginning of a bar: a beat away counts as much as so many LU.
LONGEST_S, DIP_LU, BEAT_COSTS_LU = 12.0, 12.0, 3.0
# What of the silence around a line belongs to it: room for an upbeat, a breath, and the tail of a hall.
LEAD_S, TAIL_S = 0.4, 2.0
# Bleed is what is heard farther from the lines than this.
CLEAR_S, BLEED_PERCENTILE = 0.3, 95
MOST_LINES = 5000


@dataclass(frozen=True)
class Line:
    """What is sung in one breath.

    Attributes:
        start_s: in the silence before it.
        end_s: in the silence after it.
        sounds_from_s: first moment that is sung.
        sounds_to_s: last one.
        text: its words, where they are known.
    """

    start_s: float
    end_s: float
    sounds_from_s: float
    sounds_to_s: float
    text: str = ""


@dataclass(frozen=True)
class Words:
    """Lines of words and when they are sung.

    Attributes:
        intervals_s: shape `(n, 2)`.
        texts: the words of each.
    """

    intervals_s: Vector
    texts: tuple[str, ...]


NO_WORDS = Words(np.zeros((0, 2)), ())


def lines_of(
    power: Vector, duration_s: float, words: Words = NO_WORDS, downbeats_s: Vector | None = None, beat_s: float = 0.5
) -> tuple[Line, ...]:
    """Cut a voice at its breaths.

    Args:
        power: K-weighted mean square, `RATE` a second.
        duration_s: length of the file.
        words: lines of words, where they are known.
        downbeats_s: where bars begin, where that is known.
        beat_s: length of a beat.
    """
    level = smoothed_lufs(power)
    spans = _sounding(level)
    spans = _without_parts(_without_gaps_in_words(spans, words))
    bars = np.zeros(0) if downbeats_s is None else downbeats_s
    cut = [part for span in spans for part in _parts(level, span, words, bars, beat_s)][:MOST_LINES]
    return _lines(cut, duration_s, words)


def smoothed_lufs(power: Vector) -> Vector:
    """Level of 50 ms around each moment, in LUFS; silence is −120."""
    wide = np.convolve(power, np.ones(5) / 5, mode="same") if power.size >= 5 else power
    return np.asarray(OFFSET_LU + 10 * np.log10(np.maximum(wide, 10**-12)))


def _sounding(level: Vector) -> list[tuple[int, int]]:
    """Stretches in which the voice sounds, first and behind the last moment."""
    heard = level[level > ABSOLUTE_GATE_LUFS]
    if heard.size == 0:
        return []
    loud = float(np.percentile(heard, LOUD_PERCENTILE))
    quiet = float(np.percentile(level, QUIET_PERCENTILE))
    over = quiet if quiet > ABSOLUTE_GATE_LUFS and loud - quiet > 2 * OVER_BLEED_ON_LU else -np.inf
    on = max(loud - ON_LU, over + OVER_BLEED_ON_LU, ABSOLUTE_GATE_LUFS)
    off = max(loud - OFF_LU, over + OVER_BLEED_OFF_LU, ABSOLUTE_GATE_LUFS)
    is_voice = (level > off) & (level > _around(level) - LOCAL_LU)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_voice.astype(np.int8), [0]]))).reshape(-1, 2)
    joined: list[tuple[int, int]] = []
    for start, end in edges.tolist():
        if joined and start - joined[-1][1] < BREATH_S * RATE:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return [(a, b) for a, b in joined if b - a >= SHORTEST_S * RATE and level[a:b].max() > on]


def _around(level: Vector) -> Vector:
    """The loudest moment within `LOCAL_S` to each side."""
    from scipy.ndimage import maximum_filter1d

    found: Vector = maximum_filter1d(level, 2 * round(LOCAL_S * RATE) + 1, mode="nearest")
    return found


def _without_gaps_in_words(spans: list[tuple[int, int]], words: Words) -> list[tuple[int, int]]:
    """Spans, those joined whose gap lies within one line of words and is no long silence."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and _is_in_words(joined[-1][1] / RATE, start / RATE, words):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _is_in_words(from_s: float, to_s: float, words: Words) -> bool:
    spans = words.intervals_s
    if not len(spans):
        return False
    most = np.where(spans[:, 1] - spans[:, 0] > LONGEST_LINE_S, GAP_IN_LONG_LINE_S, GAP_IN_LINE_S)
    within = (spans[:, 0] + WORDS_WITHIN_S < from_s) & (spans[:, 1] - WORDS_WITHIN_S > to_s)
    return bool((within & (to_s - from_s < most)).any())


def _without_parts(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans, very short ones joined to their nearer neighbour, if that is near."""
    found = list(spans)
    place = 0
    while place < len(found):
        start, end = found[place]
        before = start - found[place - 1][1] if place else RATE * 3600
        after = found[place + 1][0] - end if place + 1 < len(found) else RATE * 3600
        if end - start >= PART_S * RATE or min(before, after) > NEAR_S * RATE:
            place += 1
        elif before <= after:
            found[place - 1 : place + 1] = [(found[place - 1][0], end)]
        else:
            found[place : place + 2] = [(start, found[place + 1][1])]
    return found


def _parts(
    level: Vector, span: tuple[int, int], words: Words, bars_s: Vector, beat_s: float
) -> list[tuple[float, float]]:
    """A span in seconds; in parts, where it is too long for a breath and has dips."""
    pending, done = [span], []
    while pending:
        start, end = pending.pop()
        cut = _dip(level, start, end, words, bars_s, beat_s) if end - start > LONGEST_S * RATE else None
        if cut is None:
            done.append((start / RATE, end / RATE))
        else:
            pending += [(cut, end), (start, cut)]
    return done


def _dip(level: Vector, start: int, end: int, words: Words, bars_s: Vector, beat_s: float) -> int | None:
    """Where to cut a line that is too long; None where it nowhere becomes quiet enough."""
    margin = RATE  # no part shorter than a second
    inside = np.arange(start + margin, end - margin)
    loud = float(np.percentile(level[start:end], 75))
    dips = inside[level[inside] < loud - DIP_LU]
    dips = dips[[not _is_word(at / RATE, words) for at in dips.tolist()]] if dips.size else dips
    if dips.size == 0:
        return None
    cost = level[dips].copy()
    if bars_s.size and beat_s > 0:
        away = np.abs(dips[:, None] / RATE - bars_s[None, :]).min(axis=1) / beat_s
        cost += BEAT_COSTS_LU * np.minimum(away, 4)
    return int(dips[cost.argmin()])


def _is_word(at_s: float, words: Words) -> bool:
    """Whether a moment lies within a line of words."""
    spans = words.intervals_s
    return bool(((spans[:, 0] + WORDS_WITHIN_S < at_s) & (spans[:, 1] - WORDS_WITHIN_S > at_s)).any())


def _lines(spans: list[tuple[float, float]], duration_s: float, words: Words) -> tuple[Line, ...]:
    """Lines, each with its share of the silence around it."""
    found: list[Line] = []
    for place, (start, end) in enumerate(spans):
        before = start - spans[place - 1][1] if place else 2 * start
        after = spans[place + 1][0] - end if place + 1 < len(spans) else 2 * max(0.0, duration_s - end)
        lead = min(LEAD_S, before / 2)
        tail = min(TAIL_S, after - min(LEAD_S, after / 2))
        last = min(end + tail, duration_s)
        found.append(Line(max(0.0, start - lead), last, start, min(end, duration_s), _text(start, end, words)))
    return tuple(found)


def _text(start_s: float, end_s: float, words: Words) -> str:
    """The words whose middle lies in a line."""
    middles = words.intervals_s.mean(axis=1) if len(words.intervals_s) else np.zeros(0)
    inside = np.flatnonzero((middles >= start_s) & (middles <= end_s))
    return " ".join(words.texts[place] for place in inside.tolist() if place < len(words.texts))


def bleed_lufs(power: Vector, lines: tuple[Line, ...]) -> float | None:
    """Level of what is left between the lines, by its 95th percentile; None where that is silent.

    Args:
        power: K-weighted mean square, `RATE` a second.
        lines: what is sung.
    """
    is_clear = np.ones(power.size, np.bool_)
    for line in lines:
        first = max(0, int((line.sounds_from_s - CLEAR_S) * RATE))
        is_clear[first : int((line.sounds_to_s + CLEAR_S) * RATE) + 1] = False
    between = power[is_clear]
    if between.size == 0:
        return None
    level = float(OFFSET_LU + 10 * np.log10(max(float(np.percentile(between, BLEED_PERCENTILE)), 1e-12)))
    return level if level > ABSOLUTE_GATE_LUFS else None
