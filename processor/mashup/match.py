"""Which songs go together: every pair of a library by its phrases, and two songs at hand by their bars.

What is compared is the same both times: pitches of the voice against those of the backing, accents against accents,
the voice's spectrum against what the backing leaves free of it, loud parts against loud parts, and whether another
voice sings at the same time. `score_all` reads the `phrases` of records and hears no sound; `best_shift` and
`place_scores` read the two layers themselves, bar by bar.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.mashup import fits
from processor.mashup._bars import (
    along,
    both,
    energy_fits,
    harmonic_fits,
    rhythmic_fits,
    room_fits,
    shares,
    sung_shares,
)
from processor.mashup._pairs import Scores, scored, tempo_match
from processor.mashup._phrases import BARS as PHRASE_BARS
from processor.mashup._phrases import LEAST_SUNG, Track, read
from processor.mashup._reasons import why, why_not
from processor.mashup.listening import Backing, Voice
from processor.mashup.plan import Fit
from processor.record import Results

Curve = NDArray[np.float32]
Vector = NDArray[np.float64]

MOST_SEMITONES, MOST_TEMPO_CHANGE = fits.MOST_SEMITONES, fits.MOST_TEMPO_CHANGE
WIDE_SHIFTS = tuple(range(-2 * MOST_SEMITONES, 2 * MOST_SEMITONES + 1))
# Both are shifted only where it gives so much more than the vocals alone can.
WORTH_SPLITTING = 0.1


@dataclass(frozen=True)
class Pair:
    """The vocals of one track over the instrumental of another.

    Attributes:
        vocals: name of the track that is sung.
        instrumental: name of the track that it is sung over.
        fit: how well they go together where they do best; its `score` is 0 where the pair is rejected.
        tempo_ratio: how many times as fast the vocals have to be played, beats of half or double time taken for
            beats; None where a tempo is missing.
        vocal_beats_per_beat: beats of the vocals' song for each beat of the instrumental: 1, 2 or 0.5.
        shift_semitones: shift of the vocals, −3 to 3.
        vocal_phrase: start and end in seconds, in the vocals' track, of the phrase that fits best; None where rejected.
        instrumental_phrase: those of the phrase that it is sung over, in the instrumental's track.
        reasons: what speaks for it and against it, in words, with numbers.
        rejected: why it cannot be done, in words, with numbers; None where it can.
    """

    vocals: str
    instrumental: str
    fit: Fit
    tempo_ratio: float | None
    vocal_beats_per_beat: float
    shift_semitones: int
    vocal_phrase: tuple[float, float] | None
    instrumental_phrase: tuple[float, float] | None
    reasons: tuple[str, ...]
    rejected: str | None


def score_all(
    library: Sequence[tuple[str, Results]],
    top: int | None = None,
    progress: Callable[[float], None] = lambda share: None,
    only: Collection[str] | None = None,
) -> list[Pair]:
    """Score all ordered pairs of a library: the vocals of each track over the instrumental of each other one.

    Args:
        library: name and results of each track; `phrases` is what is read, with `vocals` and `beats`.
        top: no more than so many of each track's best as vocals, and as many of its best as instrumental; rejected
            pairs stand behind all others, so they come only where there are too few. None: all, rejected ones too.
            A thousand tracks have a million pairs: ask for all of a small library only.
        progress: told of the share that is done, 0 to 1.
        only: names of tracks; pairs in which none of them takes part are left out. None: all pairs.

    Returns:
        Best first; pairs of the same score by their names. Nobody is paired with themselves.
    """
    tracks = [read(name, results) for name, results in library]
    scores = scored(tracks, only, progress)
    wanted = ~np.eye(len(tracks), dtype=np.bool_)
    if only is not None:
        chosen = np.array([track.name in only for track in tracks], np.bool_)
        wanted &= chosen[:, None] | chosen
    if top is not None:
        wanted &= _among_best(scores.values[0], wanted, top) | _among_best(scores.values[0].T, wanted.T, top).T
    found = [_pair(scores, int(row), int(column)) for row, column in np.argwhere(wanted)]
    return sorted(found, key=lambda pair: (pair.rejected is not None, -pair.fit.score, pair.vocals, pair.instrumental))


def _among_best(scores: Curve, wanted: NDArray[np.bool_], top: int) -> NDArray[np.bool_]:
    """Which of the wanted ones are among the `top` of their row."""
    order = np.argsort(-np.where(wanted, scores, -1), axis=1, kind="stable")[:, : max(0, top)]
    found = np.zeros(scores.shape, np.bool_)
    np.put_along_axis(found, order, True, axis=1)
    return found


def _pair(scores: Scores, row: int, column: int) -> Pair:
    """One pair with its reasons."""
    voice, backing = scores.tracks[row], scores.tracks[column]
    ratio, beats = None, 1.0
    if voice.tempo_bpm and backing.tempo_bpm:
        ratio, beats = tempo_match(voice.tempo_bpm, backing.tempo_bpm)
    rejected = why_not(voice, backing, ratio, beats)
    values = [float(value) for value in scores.values[:, row, column]]
    if rejected is None and scores.vocal_bars[row, column] < 0:
        rejected = f"no phrase of {voice.name} is sung for {100 * LEAST_SUNG:.0f} % of its time"
    if rejected is not None:
        fit = Fit(0.0, None, None, None, None, None)
        return Pair(voice.name, backing.name, fit, ratio, beats, 0, None, None, (), rejected)
    fit = Fit(values[0], *(value if value >= 0 else None for value in values[1:]))
    shift = int(scores.shifts[row, column])
    phrases = (
        _span(voice, int(scores.vocal_bars[row, column]), round(PHRASE_BARS * beats)),
        _span(backing, int(scores.backing_bars[row, column]), PHRASE_BARS),
    )
    reasons = why(voice, backing, fit, (ratio or 1.0, beats, shift))
    return Pair(voice.name, backing.name, fit, ratio, beats, shift, *phrases, reasons, None)


def _span(track: Track, first: int, bars: int) -> tuple[float, float]:
    """Start and end of some bars, in seconds; a track that is too short ends where it ends."""
    edges = track.bars_s
    return float(edges[first]), float(edges[min(first + max(1, bars), edges.size - 1)])


@dataclass(frozen=True)
class ShiftScores:
    """How well a voice fits a backing at each shift; the backing stays as it is.

    Attributes:
        semitones: the shifts of the voice against the backing, −6 to 6, rising.
        harmonic: mean harmonic fit of all sung phrases, each over the backing where it fits best, 0 to 1, for each
            shift; all 0 where nothing has a pitch.
        scores: the same less what a shift costs, for each shift.
        best: the shift of the vocals alone that scores best, −3 to 3.
        widest: the distance that scores best when both may be shifted, −6 to 6; `best` where more gains too little.
        split: shift of the vocals, shift of the instrumental, that make `widest`: the first less the second is
            `widest`, none beyond ±3; the second is 0 where `widest` is `best`.
        is_pitched: whether both have enough pitch to tell.
    """

    semitones: tuple[int, ...]
    harmonic: tuple[float, ...]
    scores: tuple[float, ...]
    best: int
    widest: int
    split: tuple[int, int]
    is_pitched: bool

    def harmonic_at(self, shift: int) -> float:
        """Harmonic fit at a shift, −6 to 6."""
        return self.harmonic[self.semitones.index(shift)]


def best_shift(voice: Voice, backing: Backing, vocal_beats_per_beat: float = 1.0) -> ShiftScores:
    """Find the shift of the vocals at which their pitches fit those of the backing best.

    Args:
        voice: the vocals.
        backing: the instrumental.
        vocal_beats_per_beat: beats of the vocals for each beat of the backing: 1, 2 or 0.5.

    Returns:
        The scores of all shifts. Where a grid or all pitch is missing, no shift is best: 0, and `is_pitched` False.
    """
    found = both(voice, backing, vocal_beats_per_beat, None)
    fits_of = None if found is None else harmonic_fits(*found, WIDE_SHIFTS)
    if found is None or fits_of is None or not (sung := sung_shares(voice, found[0])).any():
        nothing = (0.0,) * len(WIDE_SHIFTS)
        return ShiftScores(WIDE_SHIFTS, nothing, nothing, 0, 0, (0, 0), False)
    bars = min(PHRASE_BARS, *fits_of.shape[1:])
    sums, weights = along(fits_of, sung, bars)
    whole = slice(0, fits_of.shape[2] - bars + 1)
    starts = slice(0, fits_of.shape[1] - bars + 1, max(1, bars // 2))
    best = (sums[:, starts, whole] / np.maximum(weights[starts, whole], 1e-6)).max(axis=2)
    weight = weights[starts, 0]
    if not weight.any():  # what is sung lies in the bars behind the last whole phrase
        best, weight = fits_of.max(axis=2), sung
    harmonic = (best * weight).sum(axis=1) / weight.sum()
    scores = [float(fit) * fits.shift_factor(by) for by, fit in zip(WIDE_SHIFTS, harmonic, strict=True)]
    order = sorted(range(len(scores)), key=lambda k: (-round(scores[k], 6), abs(WIDE_SHIFTS[k]), WIDE_SHIFTS[k]))
    alone = next(k for k in order if abs(WIDE_SHIFTS[k]) <= MOST_SEMITONES)
    wide = order[0] if scores[order[0]] >= scores[alone] + WORTH_SPLITTING else alone
    return ShiftScores(
        semitones=WIDE_SHIFTS,
        harmonic=tuple(float(fit) for fit in harmonic),
        scores=tuple(scores),
        best=WIDE_SHIFTS[alone],
        widest=WIDE_SHIFTS[wide],
        split=_split(WIDE_SHIFTS[wide]),
        is_pitched=True,
    )


def _split(wide: int) -> tuple[int, int]:
    """Shift of the vocals and of the instrumental: the other way by half, where it is too far for the vocals alone."""
    if abs(wide) <= MOST_SEMITONES:
        return wide, 0
    theirs = int(np.sign(wide)) * (abs(wide) // 2)
    return wide - theirs, -theirs


@dataclass(frozen=True)
class Places:
    """How well each bar of the vocals fits each bar of the backing; a bar is one of the mashup's (the backing's metre).

    A phrase lies on a diagonal: the row of its first bar and the column of the bar that it begins on, then both go up
    by one. All matrices are of shape `(vocal bars, backing bars)`, 0 to 1, float32.

    Attributes:
        vocal_beats: index into the vocals' grid of the first beat of each row, shape `(vocal bars,)`.
        backing_beats: index into the backing's grid of the first beat of each column, shape `(backing bars,)`.
        sung: how much of each row's bar is sung, 0 to 1, shape `(vocal bars,)`; a row without a voice fits as well
            anywhere, and weighs nothing in `fit`.
        score: all of it.
        harmonic: pitches of the vocals, shifted, against those of the backing; None where nothing has a pitch.
        rhythmic: accents against accents; None where nothing has any.
        room: how much of the vocals' spectrum the backing leaves free.
        energy: whether what is loud for the one meets what is loud for the other.
        overlap: 1 where no other voice sings in the backing's bar.
    """

    vocal_beats: NDArray[np.int64]
    backing_beats: NDArray[np.int64]
    sung: Curve
    score: Curve
    harmonic: Curve | None
    rhythmic: Curve | None
    room: Curve
    energy: Curve
    overlap: Curve

    def fit(self, row: int, column: int, bars: int) -> Fit:
        """The fit of `bars` bars from a row on, sung over as many from a column on: means weighed by `sung`.

        Bars beyond the last row or column are left out; without any sung bar the score is 0 and the rest None.
        """
        rows = np.arange(row, min(row + bars, len(self.vocal_beats), row + len(self.backing_beats) - column))
        weights = self.sung[rows].astype(np.float64) if rows.size else np.zeros(0)
        if not weights.any():
            return Fit(0.0, None, None, None, None, None)
        columns = rows + (column - row)

        def mean(values: Curve) -> float:
            return float(np.clip(values[rows, columns] @ weights / weights.sum(), 0.0, 1.0))

        return Fit(
            mean(self.score),
            None if self.harmonic is None else mean(self.harmonic),
            None if self.rhythmic is None else mean(self.rhythmic),
            mean(self.room),
            mean(self.energy),
            mean(self.overlap),
        )

    def phrases(self, bars: int) -> Curve:
        """Mean score of `bars` bars along the diagonal that begins at each place, weighed by `sung`.

        Shape of `score`; fewer bars at the right and lower edge; 0 where nothing is sung.
        """
        sums, weights = along(self.score, self.sung, bars)
        return np.divide(sums, weights, out=np.zeros_like(sums), where=weights > 0)


def place_scores(
    voice: Voice,
    backing: Backing,
    shift: int,
    vocal_beats_per_beat: float = 1.0,
    first_vocal_beat: int | None = None,
) -> Places:
    """Score each bar of the vocals over each bar of the backing.

    Args:
        voice: the vocals.
        backing: the instrumental.
        shift: of the vocals against the backing, in semitones.
        vocal_beats_per_beat: beats of the vocals for each beat of the backing: 1, 2 or 0.5.
        first_vocal_beat: the beat of the vocals that begins the first row; None: their first downbeat. With two beats
            for each, say the first downbeat and one bar more, to begin at odd bars too.

    Returns:
        All bars of both grids that are whole; shape `(0, 0)` where one has no grid.
    """
    found = both(voice, backing, vocal_beats_per_beat, first_vocal_beat)
    if found is None:
        none, empty = np.zeros(0, np.int64), np.zeros((0, 0), np.float32)
        return Places(none, none, np.zeros(0, np.float32), empty, None, None, empty, empty, empty)
    mine, theirs = found
    sung = sung_shares(voice, mine)
    others = shares(theirs.edges_s, backing.voices_s)
    harmonic = harmonic_fits(mine, theirs, (shift,))
    rhythmic, room, energy = rhythmic_fits(mine, theirs), room_fits(mine, theirs), energy_fits(mine, theirs)
    overlap = 1 - (sung > 0)[:, None] * others[None]
    unknown = np.full(room.shape, -1, np.float32)
    factor = fits.factor(unknown if rhythmic is None else rhythmic, room, energy, overlap)
    return Places(
        vocal_beats=mine.beats,
        backing_beats=theirs.beats,
        sung=sung,
        score=factor * (np.float32(fits.UNPITCHED) if harmonic is None else harmonic[0]),
        harmonic=None if harmonic is None else harmonic[0],
        rhythmic=rhythmic,
        room=room,
        energy=energy,
        overlap=overlap.astype(np.float32),
    )
