"""The instrumental as a row of bars that vocals are laid on: its phrases, its parts, and what of it is played."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.mashup.listening import HOP_S, Backing
from processor.mashup.plan import Cut, Grid, at_beats

Vector = NDArray[np.float64]
Whole = NDArray[np.int64]
Sections = tuple[tuple[float, float, str], ...]

PHRASE_BARS, LONG_PHRASE_BARS = 4, 8
# Bars so far under the middle one have no backing to sing over; under the absolute one there is nothing at all.
QUIET_DB, SILENT_LUFS = 25.0, -60.0
# Parts of a beat that voices in the backing are looked for in.
FINE = 8
# An outro is no shorter and no longer than that, in bars.
OUTRO_BARS = (4, 16)


@dataclass(frozen=True)
class Tune:
    """The instrumental's bars.

    Attributes:
        grid: its beats.
        beats: index of the beat that begins each bar, shape `(bars,)`.
        phrase: number of each bar within the section that it lies in, from 0, shape `(bars,)`.
        left: bars from each to the end of that section, itself one of them, shape `(bars,)`.
        roles: role of that section, for each bar.
        levels_lufs: mean level of each bar, shape `(bars,)`.
        is_silent: where there is no backing to sing over, shape `(bars,)`.
    """

    grid: Grid
    beats: Whole
    phrase: Whole
    left: Whole
    roles: tuple[str, ...]
    levels_lufs: Vector
    is_silent: NDArray[np.bool_]

    @property
    def metre(self) -> int:
        """Beats a bar."""
        return self.grid.metre


@dataclass(frozen=True)
class Lane:
    """What is played of it: bars, end to end.

    Attributes:
        columns: number of each bar of the mashup in the tune, shape `(n,)`.
        lead: beats before the first bar.
        tail: beats behind the last one.
    """

    columns: Whole
    lead: int
    tail: int


def tune_of(backing: Backing) -> Tune | None:
    """The bars of an instrumental; None where it has none."""
    grid = backing.sound.grid
    if grid is None or len(grid.beats_s) < grid.first_downbeat + grid.metre + 1:
        return None
    count = (len(grid.beats_s) - grid.first_downbeat) // grid.metre
    beats = grid.first_downbeat + grid.metre * np.arange(count)
    starts_s = at_beats(grid.beats_s, beats.astype(np.float64))
    ends_s = at_beats(grid.beats_s, (beats + grid.metre).astype(np.float64))
    levels = levels_lufs(backing.sound.power, starts_s, ends_s)
    silent = (levels < SILENT_LUFS) | (levels < np.median(levels) - QUIET_DB)
    form = form_of(backing.sections, starts_s)
    return Tune(grid, beats, form.phrase, form.left, form.roles, levels, silent)


def levels_lufs(power: Vector, starts_s: Vector, ends_s: Vector) -> Vector:
    """Mean level of each stretch in LUFS; −120 where there is nothing."""
    total = np.concatenate([[0.0], np.cumsum(power)])
    edges = np.arange(total.size) * HOP_S
    energy = np.interp(ends_s, edges, total) - np.interp(starts_s, edges, total)
    mean = energy * HOP_S / np.maximum(ends_s - starts_s, HOP_S)
    return np.asarray(-0.691 + 10 * np.log10(np.maximum(mean, 10**-11.93)))


@dataclass(frozen=True)
class Form:
    """Where each bar of a song lies in it.

    Attributes:
        phrase: number of each bar within its section, shape `(bars,)`; bars before the first section count to it.
        left: bars from each to the end of that section, itself one of them.
        section: number of that section.
        roles: its role, for each bar.
    """

    phrase: Whole
    left: Whole
    section: Whole
    roles: tuple[str, ...]


def form_of(sections: Sections, starts_s: Vector) -> Form:
    """Bars that begin at some times in a song of these sections; one section where nothing is known."""
    known = sections or ((0.0, float("inf"), ""),)
    firsts = _in_fours(np.array([int(np.abs(starts_s - start).argmin()) for start, _, _ in known]), starts_s.size)
    count = starts_s.size
    section = np.maximum(np.searchsorted(firsts, np.arange(count), side="right") - 1, 0)
    ends = np.append(firsts[1:], count)[section]
    phrase = np.arange(count) - firsts[section]
    return Form(
        phrase=np.where(phrase < 0, phrase % LONG_PHRASE_BARS, phrase),
        left=np.where(phrase < 0, -phrase, ends - np.arange(count)),
        section=section,
        roles=tuple(known[place][2] for place in section.tolist()),
    )


def _in_fours(firsts: Whole, count: int) -> Whole:
    """First bars of sections, moved by a bar where that puts them in step with most others.

    Cuts between sections are often a bar off; phrases of four bars hardly ever are.
    """
    lengths = np.diff(np.append(firsts, count))
    votes = np.bincount(firsts % PHRASE_BARS, weights=np.maximum(lengths, 0), minlength=PHRASE_BARS)
    off = (firsts - int(votes.argmax())) % PHRASE_BARS
    moved = firsts + np.where(off == 1, -1, np.where(off == PHRASE_BARS - 1, 1, 0))
    return np.maximum.accumulate(np.clip(moved, 0, count - 1))


# Lanes


def whole_lane(tune: Tune) -> Lane:
    """All of it, but for silence at its ends."""
    loud = np.flatnonzero(tune.levels_lufs > SILENT_LUFS)
    first, last = (int(loud[0]), int(loud[-1])) if loud.size else (0, tune.beats.size - 1)
    return _between(tune, np.arange(first, last + 1))


def _between(tune: Tune, columns: Whole) -> Lane:
    """A lane with the upbeat before the tune's first bar and what is left behind its last."""
    lead = int(tune.beats[0]) if columns[0] == 0 else 0
    is_end = columns[-1] == tune.beats.size - 1
    tail = len(tune.grid.beats_s) - int(tune.beats[-1]) - tune.metre if is_end else 0
    return Lane(columns, lead, tail)


def cuts_of(tune: Tune, lane: Lane) -> tuple[Cut, ...]:
    """A lane as cuts of the instrumental."""
    edges = np.flatnonzero(np.diff(lane.columns) != 1) + 1
    runs = np.split(lane.columns, edges)
    found = [(int(tune.beats[run[0]]), int(tune.beats[run[-1]]) + tune.metre) for run in runs]
    found[0] = (found[0][0] - lane.lead, found[0][1])
    found[-1] = (found[-1][0], found[-1][1] + lane.tail)
    return tuple(Cut(first, end) for first, end in found)


def beat_count(tune: Tune, lane: Lane) -> int:
    """Beats of the mashup."""
    return lane.lead + lane.columns.size * tune.metre + lane.tail


def lengthened(tune: Tune, lane: Lane, bars: int) -> Lane:
    """A lane with so many bars more, in eights: its last phrases before the outro come again."""
    last = lane.columns.size - _outro_bars(tune, lane)
    body = last - _intro_bars(tune, lane)
    body -= body % LONG_PHRASE_BARS if body >= LONG_PHRASE_BARS else 0
    if body <= 0:
        last, body = lane.columns.size, lane.columns.size
    missing = -(-bars // LONG_PHRASE_BARS) * LONG_PHRASE_BARS
    parts = [lane.columns[:last]]
    while missing > 0:
        taken = min(missing, body)
        parts.append(lane.columns[last - taken : last])
        missing -= taken
    return Lane(np.concatenate([*parts, lane.columns[last:]]), lane.lead, lane.tail)


def _intro_bars(tune: Tune, lane: Lane) -> int:
    """Bars of its first section where that is an intro; a phrase in any case."""
    roles = [tune.roles[column] for column in lane.columns.tolist()]
    intro = next((i for i, role in enumerate(roles) if role != "intro"), 0)
    return intro if 0 < intro <= lane.columns.size // 3 else min(PHRASE_BARS, lane.columns.size // 4)


def _outro_bars(tune: Tune, lane: Lane) -> int:
    """Bars from its last phrase on."""
    begins = np.flatnonzero(tune.phrase[lane.columns] % PHRASE_BARS == 0)
    left = lane.columns.size - begins
    fitting = left[(left >= OUTRO_BARS[0]) & (left <= OUTRO_BARS[1])]
    return int(fitting.min()) if fitting.size else min(PHRASE_BARS, lane.columns.size // 4)


def shortened(tune: Tune, lane: Lane, sung_to: int) -> Lane | None:
    """A lane that goes to its outro at the end of the phrase in which the vocals end; None where little would go.

    Args:
        tune: the instrumental.
        lane: what is played of it.
        sung_to: the first bar in which nobody sings any more.
    """
    phrase = tune.phrase[lane.columns]
    ends = np.flatnonzero((phrase % PHRASE_BARS == 0) & (np.arange(phrase.size) >= sung_to + 1))
    if ends.size == 0:
        return None
    outro = lane.columns.size - _last_part(tune, lane)
    if outro - int(ends[0]) < LONG_PHRASE_BARS:
        return None
    kept = np.concatenate([lane.columns[: ends[0]], lane.columns[outro:]])
    return Lane(kept, lane.lead, lane.tail)


def _last_part(tune: Tune, lane: Lane) -> int:
    """Bars of what ends the tune: its outro, else its last phrase of eight bars."""
    roles = [tune.roles[column] for column in lane.columns.tolist()]
    outro = next((i for i, role in enumerate(reversed(roles)) if role != "outro"), 0)
    if OUTRO_BARS[0] <= outro <= OUTRO_BARS[1]:
        return outro
    begins = np.flatnonzero(tune.phrase[lane.columns] % LONG_PHRASE_BARS == 0)
    left = lane.columns.size - begins
    fitting = left[(left >= OUTRO_BARS[0]) & (left <= OUTRO_BARS[1])]
    return int(fitting.max()) if fitting.size else min(LONG_PHRASE_BARS, lane.columns.size)


def voiced_beats(backing: Backing, tune: Tune, lane: Lane) -> Vector:
    """How much is sung in the backing up to each eighth of a beat of the mashup, in beats, shape `(8 beats + 1,)`."""
    beats_s = tune.grid.beats_s
    first = int(tune.beats[lane.columns[0]]) - lane.lead
    starts = np.concatenate(
        [
            np.arange(first, first + lane.lead),
            (tune.beats[lane.columns][:, None] + np.arange(tune.metre)).ravel(),
            int(tune.beats[lane.columns[-1]]) + tune.metre + np.arange(lane.tail),
        ]
    ).astype(np.float64)
    places = (starts[:, None] + np.arange(FINE) / FINE).ravel()
    from_s, to_s = at_beats(beats_s, places), at_beats(beats_s, places + 1 / FINE)
    share = (_sung_s(backing, to_s) - _sung_s(backing, from_s)) / np.maximum(to_s - from_s, 1e-9)
    return np.concatenate([[0.0], np.cumsum(share) / FINE])


def _sung_s(backing: Backing, times_s: Vector) -> Vector:
    """Seconds that are sung in the backing up to each time."""
    voices = np.asarray(backing.voices_s, np.float64).reshape(-1, 2)
    if voices.shape[0] == 0:
        return np.zeros(times_s.shape)
    total = np.concatenate([[0.0], np.cumsum(voices[:, 1] - voices[:, 0])])
    edges = np.stack([voices[:, 0], voices[:, 1]], axis=1).ravel()
    heights = np.stack([total[:-1], total[1:]], axis=1).ravel()
    return np.asarray(np.interp(times_s, edges, heights))


def limited(tune: Tune, lane: Lane, most_s: float) -> Lane:
    """As much of a lane as is no longer than that, in seconds of the instrumental's file; a bar at least."""
    beats_s = tune.grid.beats_s
    ends = at_beats(beats_s, (tune.beats[lane.columns] + tune.metre).astype(np.float64))
    starts = at_beats(beats_s, tune.beats[lane.columns].astype(np.float64))
    pace_s = float(np.max(np.diff(beats_s[-2:]), initial=0.0))
    total = np.cumsum(ends - starts) + (lane.lead + lane.tail) * pace_s
    kept = max(1, int(np.searchsorted(total, most_s * 0.999)))
    if kept >= lane.columns.size:
        return lane
    return Lane(lane.columns[:kept], lane.lead, 0)
