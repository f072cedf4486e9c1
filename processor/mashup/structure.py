"""Which phrase is sung over which bars: in song order, no two at once, at phrase starts, where it fits best.

Dynamic programming over (phrase, bar). A phrase either follows the one before it at the distance that both have in
their own song, or it begins anew, and then best where a phrase of the instrumental begins. Phrases may be left out.
All weights are worth so much of one sung bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.mashup.lanes import FINE, LONG_PHRASE_BARS, PHRASE_BARS, Lane, Tune, beat_count
from processor.mashup.match import Places
from processor.mashup.plan import beat_numbers
from processor.mashup.sung import Bars, Phrase

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Whole = NDArray[np.int64]

# A bar that is sung at all, over what fits by the middle; how much one tenth of fit more is worth.
SUNG, MIDDLE, FIT_TENTH = 1.0, 0.5, 0.2
# Lines of one part at the distance that they have in their song; parts at theirs.
NATURAL, NATURAL_PARTS = 1.0, 0.1
# How a phrase lies in the phrases of the instrumental: eight bars on eight, four on four, two off, one off. Half of it
# counts for a phrase that follows another one as in its song.
AT_EIGHT, AT_FOUR, AT_TWO, AT_ODD = 0.4, 0.3, -0.2, -0.5
# A chorus over a chorus, a verse over a verse; and what is sung over the intro, the end, or silence.
SAME_ROLE, OTHER_ROLE, OVER_END, OVER_SILENCE = 0.25, -0.1, -0.2, -0.8
LOUD_CHORUS = 0.15
# Nobody sings in the first bars, unless it has so few. Each bar of waiting costs, but for those of an intro.
START_BARS, SHORT_BARS = 4, 16
WAITING, FREE_INTRO_BARS = 0.03, 8
# Bars of a phrase count up to this for where it begins: a phrase that is twice as long begins but once.
BEGINNING_BARS = 8
# Two voices at once: what is sung while the backing sings, as a share, or in beats. Where most of the backing is sung
# there is no other place, and it costs instead.
MOST_SHARED, MOST_SHARED_BEATS, SHARED = 0.1, 1.0, -1.0
MOSTLY_SUNG = 0.6
# So many phrases in a row may be left out; each time that costs so much, for what is told has a hole then.
MOST_LEFT_OUT, HOLE = 24, 2.0
_NEVER = -1e9


@dataclass(frozen=True)
class Laid:
    """Where the phrases are sung.

    Attributes:
        bars: bar of the mashup that each phrase's anchor falls on, −1 where it is left out, shape `(phrases,)`.
        fits: how well each fits there, 0 to 1; 0 where it is left out.
        shared: share of each that is sung while the backing sings.
        score: of all of it, in sung bars.
        sung_share: share of what there is to sing that is sung, 0 to 1.
        is_anew: whether each begins anew rather than at its own distance from the one before.
    """

    bars: Whole
    fits: Vector
    shared: Vector
    score: float
    sung_share: float
    is_anew: NDArray[np.bool_]


@dataclass(frozen=True)
class Ground:
    """What phrases are laid on.

    Attributes:
        tune: the instrumental's bars.
        lane: what is played of them.
        places: fit of each bar of the vocals over each of the tune.
        voiced: how much the backing sings up to each part of a beat, see `lanes.voiced_beats`.
        may_share: whether two may sing at once, at a cost.
    """

    tune: Tune
    lane: Lane
    places: Places
    voiced: Vector
    may_share: bool


def may_share(voiced: Vector) -> bool:
    """Whether so much of a backing is sung that nothing could be sung over it otherwise."""
    return voiced.size > 1 and float(voiced[-1]) > MOSTLY_SUNG * (voiced.size - 1) / FINE


def lay(phrases: Sequence[Phrase], bars: Bars, ground: Ground) -> Laid:
    """Find the best bar for each phrase.

    Args:
        phrases: what is sung, in song order.
        bars: the bars of the mashup on the vocals' beats, that the phrases were made with.
        ground: what they are laid on.
    """
    fits = np.stack([_fits(one, ground) for one in phrases])
    shared = np.stack([_shared(one, bars, ground) for one in phrases])
    weights = np.array([one.bars for one in phrases], np.float64)
    value = SUNG + 10 * FIT_TENTH * (fits - MIDDLE) + np.stack([_roles(one, ground) for one in phrases])
    value += SHARED * shared
    value *= weights[:, None]
    value[~_allowed(phrases, shared, weights, ground)] = _NEVER
    begins = np.stack([_beginnings(one, ground) for one in phrases]) * np.minimum(weights, BEGINNING_BARS)[:, None]
    chosen, anew, score = _best(_Table(value, begins, _needs(phrases, ground.tune.metre), list(phrases)))
    return _laid(chosen, anew, score, (fits, shared, weights))


def _laid(chosen: Whole, anew: NDArray[np.bool_], score: float, tables: tuple[Matrix, Matrix, Vector]) -> Laid:
    fits, shared, weights = tables
    rows, is_sung = np.arange(chosen.size), chosen >= 0
    return Laid(
        bars=chosen,
        fits=np.where(is_sung, fits[rows, chosen], 0.0),
        shared=np.where(is_sung, shared[rows, chosen], 0.0),
        score=score,
        sung_share=float(weights[is_sung].sum() / weights.sum()),
        is_anew=anew,
    )


# What a place is worth


def _fits(phrase: Phrase, ground: Ground) -> Vector:
    """Fit of a phrase over each bar of the lane, 0 to 1, shape `(bars,)`; the middle where nothing can be told."""
    columns, scores, sung = ground.lane.columns, ground.places.score, ground.places.sung
    total, weight = np.zeros(columns.size), np.zeros(columns.size)
    # A long upbeat is heard over the bar before.
    for i in range(-1 if phrase.lead_beats > 1 else 0, phrase.bars):
        row = phrase.row + i
        if not 0 <= row < scores.shape[0] or i >= columns.size:
            continue
        first, after = max(0, -i), columns.size - max(0, i)
        over = columns[first + i : after + i]
        is_known = over < scores.shape[1]
        part = np.where(is_known, scores[row, np.minimum(over, scores.shape[1] - 1)], 0.0)
        total[first:after] += sung[row] * part
        weight[first:after] += sung[row] * is_known
    return np.asarray(np.where(weight > 0, total / np.maximum(weight, 1e-9), MIDDLE).clip(0, 1))


def _shared(phrase: Phrase, bars: Bars, ground: Ground) -> Vector:
    """Share of a phrase that the backing sings along with, over each bar of the lane, shape `(bars,)`."""
    lines = (beat_numbers(bars.grid.beats_s, phrase.lines_s.ravel()) - phrase.anchor) / bars.beats_per_beat
    lengths = np.diff(lines.reshape(-1, 2), axis=1).sum()
    starts = _anchors(ground)
    places = (starts[:, None] + lines[None, :]) * FINE
    sung = np.interp(places, np.arange(ground.voiced.size), ground.voiced)
    return np.asarray(np.diff(sung.reshape(starts.size, -1, 2), axis=2).sum(axis=(1, 2)) / max(float(lengths), 1e-9))


def _anchors(ground: Ground) -> Vector:
    """The beat of the mashup that each bar of the lane begins with."""
    return ground.lane.lead + ground.tune.metre * np.arange(ground.lane.columns.size, dtype=np.float64)


def _roles(phrase: Phrase, ground: Ground) -> Vector:
    """What the parts of both songs say to each place, for each sung bar."""
    tune, columns = ground.tune, ground.lane.columns
    roles = np.array([tune.roles[column] for column in columns.tolist()])
    worth = np.zeros(columns.size)
    if phrase.role in ("chorus", "verse", "bridge"):
        worth += np.where(roles == phrase.role, SAME_ROLE, 0.0)
        worth += np.where((roles != phrase.role) & np.isin(roles, ("chorus", "verse")), OTHER_ROLE, 0.0)
    worth += np.where(np.isin(roles, ("intro", "outro")), OVER_END, 0.0)
    if phrase.role == "chorus":
        levels = tune.levels_lufs[columns]
        order = np.argsort(np.argsort(levels, kind="stable"), kind="stable") / max(1, columns.size - 1)
        worth += LOUD_CHORUS * (2 * order - 1)
    worth += np.where(tune.is_silent[columns], OVER_SILENCE, 0.0)
    if columns.size > SHORT_BARS:
        worth[-START_BARS:] += OVER_END
    return _over(worth, phrase.bars)


def _over(values: Vector, bars: int) -> Vector:
    """Mean over so many bars from each on."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.minimum(np.arange(values.size) + bars, values.size)
    return np.asarray((total[ends] - total[:-1]) / np.maximum(ends - np.arange(values.size), 1))


def _beginnings(phrase: Phrase, ground: Ground) -> Vector:
    """What it is worth to sing a phrase from each bar on, shape `(bars,)`: where bars of both forms meet.

    Where the form of the vocals' song is known, its third bar belongs on a third bar; else a phrase on a phrase.
    """
    place, left = (values[ground.lane.columns] for values in (ground.tune.phrase, ground.tune.left))
    off = place - (phrase.place or 0)
    room = left if phrase.place is None else np.full(left.size, LONG_PHRASE_BARS)
    worth = np.full(place.size, AT_ODD)
    worth[off % 2 == 0] = AT_TWO
    worth[(off % PHRASE_BARS == 0) & (room >= PHRASE_BARS)] = AT_FOUR
    worth[(off % LONG_PHRASE_BARS == 0) & (room >= LONG_PHRASE_BARS)] = AT_EIGHT
    return worth


def _allowed(phrases: Sequence[Phrase], shared: Matrix, weights: Vector, ground: Ground) -> NDArray[np.bool_]:
    """Where each phrase can be sung at all, shape `(phrases, bars)`."""
    anchors, total = _anchors(ground)[None, :], beat_count(ground.tune, ground.lane)
    leads = np.array([one.lead_beats for one in phrases])[:, None]
    tails = np.array([one.tail_beats for one in phrases])[:, None]
    allowed = (anchors - leads >= 0) & (anchors + tails <= total)
    if ground.lane.columns.size > SHORT_BARS:
        allowed[:, :START_BARS] = False
    if not ground.may_share:
        allowed &= (shared <= MOST_SHARED) & (shared * weights[:, None] * ground.tune.metre <= MOST_SHARED_BEATS)
    return np.asarray(allowed)


# The best way through


@dataclass(frozen=True)
class _Table:
    """What is known when the way is sought.

    Attributes:
        value: worth of each phrase at each bar, shape `(phrases, bars)`.
        begins: worth of beginning anew there, same shape.
        needs: bars that the anchors of two phrases have to be apart at least, shape `(phrases, phrases)`.
        phrases: what is sung.
    """

    value: Matrix
    begins: Matrix
    needs: Whole
    phrases: list[Phrase]


def _needs(phrases: Sequence[Phrase], metre: int) -> Whole:
    tails = np.array([one.tail_beats for one in phrases])
    leads = np.array([one.lead_beats for one in phrases])
    apart: Whole = np.ceil((tails[:, None] + leads[None, :]) / metre - 1e-9).astype(np.int64)
    return np.maximum(apart, 1)


def _best(table: _Table) -> tuple[Whole, NDArray[np.bool_], float]:
    """The bar of each phrase (−1: left out), whether it begins anew there, and what all of it is worth."""
    count, size = table.value.shape
    best = np.full((count, size), float(_NEVER))
    before = np.full((count, size, 2), -1, np.int64)
    # Best end of each phrase so far, up to each bar, in the money of bar 0: waiting is paid when it is known.
    ahead, ahead_at = np.full((count, size), float(_NEVER)), np.zeros((count, size), np.int64)
    waiting = WAITING * np.arange(size)
    for u in range(count):
        fresh = -WAITING * np.maximum(np.arange(size) - FREE_INTRO_BARS, 0)
        came = np.full((size, 2), -1, np.int64)
        for v in range(max(0, u - MOST_LEFT_OUT), u):
            need = int(table.needs[v, u])
            if need >= size:
                continue
            there = np.full(size, float(_NEVER))
            there[need:] = ahead[v, : size - need] - waiting[need:] - (HOLE if v < u - 1 else 0.0)
            better = there > fresh
            fresh = np.where(better, there, fresh)
            came[need:][better[need:]] = np.stack([np.full(size - need, v), ahead_at[v, : size - need]], axis=1)[
                better[need:]
            ]
        best[u], before[u] = _with_natural(table, u, (fresh + table.begins[u], came), best)
        best[u] += table.value[u]
        paid = best[u] + waiting
        ahead[u] = np.maximum.accumulate(paid)
        ahead_at[u] = np.maximum.accumulate(np.where(paid >= ahead[u], np.arange(size), 0))
    return _back(table, best, before)


def _with_natural(table: _Table, u: int, fresh: tuple[Vector, Whole], best: Matrix) -> tuple[Vector, Whole]:
    """The better of beginning anew and of following the phrase before at the distance of their own song."""
    worth, came = fresh
    if u == 0:
        return worth, came
    one, last = table.phrases[u], table.phrases[u - 1]
    distance = one.row - last.row
    size = worth.size
    if not int(table.needs[u - 1, u]) <= distance < size:
        return worth, came
    follows = np.full(size, float(_NEVER))
    if one.part == last.part:
        begins = 0.0 if one.place is None else table.begins[u, distance:] / 2
        follows[distance:] = best[u - 1, : size - distance] + NATURAL * one.bars + begins
    else:
        follows[distance:] = best[u - 1, : size - distance] + NATURAL_PARTS * one.bars + table.begins[u, distance:]
    better = follows > worth
    origin = np.stack([np.full(size, u - 1), np.arange(size) - distance], axis=1)
    return np.where(better, follows, worth), np.where(better[:, None], origin, came)


def _back(table: _Table, best: Matrix, before: Whole) -> tuple[Whole, NDArray[np.bool_], float]:
    count = best.shape[0]
    chosen, anew = np.full(count, -1, np.int64), np.ones(count, np.bool_)
    u, at = (int(i) for i in np.unravel_index(int(best.argmax()), best.shape))
    score = float(best[u, at])
    if score <= _NEVER / 2:
        return chosen, anew, 0.0
    while u >= 0:
        chosen[u] = at
        v, came = before[u, at].tolist()
        if v >= 0:
            anew[u] = v != u - 1 or at - came != table.phrases[u].row - table.phrases[v].row
        u, at = v, came
    return chosen, anew, score
