"""The ways to put two songs together: with which of their beats, at which shift, over how much of the instrumental."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from processor.mashup.keys import Shift, shifts
from processor.mashup.lanes import Lane, Tune, form_of, lengthened, limited, shortened, voiced_beats, whole_lane
from processor.mashup.listening import Backing, Voice
from processor.mashup.match import Places, best_shift, place_scores
from processor.mashup.paces import MOST_FORCED_CHANGE, Pace, half_way, is_near, is_relative, pace_of
from processor.mashup.plan import Grid, PlanError, at_beats, beat_numbers
from processor.mashup.plan_checks import LONGEST_S
from processor.mashup.songs import Song
from processor.mashup.structure import Ground, Laid, lay, may_share
from processor.mashup.sung import Bars, Phrase, phrases_of
from processor.mashup.wishes import Wishes

# Bars begin where they are said to, unless that is less sure. Then every beat of a bar is tried, and with another one
# all has to fit better by so much to be believed. Over another song the fit hardly tells: of 13 voices and leads alone,
# over 5 to 22 backings each, 85 % keep the first guess's bars and are right, 82 % with this margin and 59 % with 0.02.
SURE_DOWNBEAT, BETTER = 0.6, 0.15
# A voice alone tells its tempo where it is this sure of it. Of 26 vocals and leads (3 stems of artists, 23 separated)
# 24 have the right tempo, or half or double of it: 23 of them at 0.64 and more, most over 0.9, and one at 0.55. The
# wrong ones have 0.59, and 0.85 for three beats instead of two.
SURE_VOICE = 0.62
# The form of the vocals' song is known where its cuts are this sure; others only divide the time.
SURE_FORM = 0.2
# Where less of the vocals finds a place, parts of the instrumental are repeated for them.
LEAST_SUNG = 0.5
# Vocals that move with the instrumental's keys are shifted by no more than that against it.
FARTHEST = 6
# So many plans at most for other beats and bars of the vocals.
OTHER_PHASES = 2
# What is played around the vocals at least when parts are repeated, in bars.
AROUND_BARS = 8


@dataclass(frozen=True)
class Sides:
    """Both songs, heard.

    Attributes:
        voice: the vocals.
        backing: the instrumental.
        songs: both songs.
        grid: beats of the vocals.
        tune: the instrumental's bars.
        wishes: a person's.
        moves: how far the instrumental's key lies from its home in each bar, in semitones, shape `(bars,)`.
    """

    voice: Voice
    backing: Backing
    songs: tuple[Song, Song]
    grid: Grid
    tune: Tune
    wishes: Wishes
    moves: NDArray[np.int64]


@dataclass(frozen=True)
class Draft:
    """Phrases laid on bars, before they become a plan.

    Attributes:
        pace: how fast both are.
        shift: how high.
        bars: bars of the mashup on the vocals' beats.
        phrases: what is sung.
        ground: what it is laid on.
        laid: where.
        notes: what was decided on the way, in sentences.
    """

    pace: Pace
    shift: Shift
    bars: Bars
    phrases: tuple[Phrase, ...]
    ground: Ground
    laid: Laid
    notes: tuple[str, ...] = ()

    @property
    def mean_fit(self) -> float:
        """Fit of what is sung, by its bars; 0 where nothing is."""
        bars = np.array([phrase.bars for phrase in self.phrases]) * (self.laid.bars >= 0)
        return float((self.laid.fits * bars).sum() / bars.sum()) if bars.any() else 0.0

    @property
    def sung_to(self) -> int:
        """The first bar of the mashup in which nobody sings any more."""
        metre = self.ground.tune.metre
        ends = [
            bar + math.ceil(phrase.tail_beats / metre)
            for bar, phrase in zip(self.laid.bars.tolist(), self.phrases, strict=True)
            if bar >= 0
        ]
        return max(ends, default=0)


def places_of(sides: Sides, bars: Bars, relative: int) -> Places:
    """How well each bar of the vocals fits each of the instrumental at one shift all the time."""
    voice = _with_grid(sides.voice, bars.grid)
    return place_scores(voice, sides.backing, relative, bars.beats_per_beat, bars.first_beat)


def moving_places(sides: Sides, bars: Bars, relative: int) -> Places:
    """The same where the vocals move along with the instrumental's keys."""
    whole = places_of(sides, bars, relative)
    for move in sorted({*sides.moves.tolist()} - {0}):
        if abs(relative + move) > FARTHEST:
            continue
        moved, columns = places_of(sides, bars, relative + move), sides.moves[: whole.score.shape[1]] == move
        score = np.where(columns, moved.score, whole.score)
        harmonic = None
        if whole.harmonic is not None and moved.harmonic is not None:
            harmonic = np.where(columns, moved.harmonic, whole.harmonic)
        whole = replace(whole, score=score, harmonic=harmonic)
    return whole


def drafts(sides: Sides) -> list[Draft]:
    """The ways to do it, best first, and every other one a real alternative.

    Raises:
        PlanError: they cannot be put together; it says why, and what would help.
    """
    sides = replace(sides, grid=_nearest_grid(sides))
    pace = pace_of(sides.grid, sides.tune.grid, sides.wishes)
    voice = _with_grid(sides.voice, sides.grid)
    scores = best_shift(voice, sides.backing, pace.vocal_beats_per_beat)
    ways = shifts((voice, sides.backing), sides.songs, scores, sides.wishes)
    first, *others = _phased(sides, pace, ways[0])
    found = [one for one in _with_length(sides, first) if (one.laid.bars >= 0).any()]
    if not found:
        raise PlanError(_no_place(first))
    shifted = [_shifted(sides, found[0], way) for way in ways[1:]]
    ended = [_ended(other) for other in others]
    # Of a voice alone the beats are less sure than the shift.
    found += shifted + ended if sides.songs[0].is_whole_song else ended + shifted
    met = None if sides.wishes.tempo_bpm else half_way(sides.grid, sides.tune.grid, pace)
    if met is not None:
        between = pace_of(sides.grid, sides.tune.grid, replace(sides.wishes, tempo_bpm=met, force=True))
        if between.vocal_beats_per_beat == pace.vocal_beats_per_beat:
            found.append(replace(found[0], pace=between))
    return found


def _no_place(draft: Draft) -> str:
    sung = float(draft.ground.voiced[-1]) / max(draft.ground.voiced.size / 8, 1)
    if sung > 0:
        return (
            f"Nothing can be sung over this instrumental: others sing in {sung:.0%} of it, and no phrase of the vocals "
            "fits between. `--force` lets them sing at once."
        )
    return (
        "Nothing can be sung over this instrumental: it is shorter than any phrase of the vocals. `--fill` repeats it."
    )


# Beats and bars


def _nearest_grid(sides: Sides) -> Grid:
    """Beats of the vocals; where these are out of reach, and only a voice was heard, others that it may have.

    Half and double of a tempo share its beats. Another tempo is nothing that the instrumental may choose: sung at a
    wrong one, no syllable stays on the beat. It is taken only where the voice is not sure of its own.
    """
    own, sound, wished_bpm = sides.grid, sides.voice.sound, sides.wishes.tempo_bpm
    if is_near(own, sides.tune.grid, wished_bpm, MOST_FORCED_CHANGE):
        return own
    candidates = [one for one in sound.other_grids if is_relative(one, own)]
    if not is_sure_of_tempo(sides):
        candidates += sound.other_grids
    return next((one for one in candidates if is_near(one, sides.tune.grid, wished_bpm)), own)


def is_sure_of_tempo(sides: Sides) -> bool:
    """Whether vocals of which nothing but the voice is known tell their tempo."""
    return (sides.voice.sound.grid_confidence or 0.0) >= SURE_VOICE


def _with_grid(voice: Voice, grid: Grid) -> Voice:
    return voice if voice.sound.grid is grid else replace(voice, sound=replace(voice.sound, grid=grid))


def _phased(sides: Sides, pace: Pace, shift: Shift) -> list[Draft]:
    """The best way at one shift, over all of the instrumental, and others with beats or bars that begin elsewhere."""
    whole = whole_lane(sides.tune)
    lane = limited(sides.tune, whole, LONGEST_S * pace.instrumental_ratio)
    length = round(sides.tune.metre * pace.vocal_beats_per_beat)
    firsts = [one for one in _first_beats(sides, length) if one + length <= len(sides.grid.beats_s)]
    if not firsts:
        raise PlanError(f"The vocals are shorter than a bar of the mashup, which has {length} of their beats.")
    found = [_draft(sides, _bars(sides, first, pace), pace, shift, lane) for first in firsts]
    order = _by_phase(found)
    first, others = found[order[0]], [found[one] for one in order[1:2]]
    phases = [replace(sides, grid=grid) for grid in _phases(sides)]
    if phases:
        drafted = [_draft(one, _bars(one, one.grid.first_downbeat, pace), pace, shift, lane) for one in phases]
        others = [found[0], *drafted]
    others = [one for one in others if (one.laid.bars >= 0).any() and _later(first, one)][:OTHER_PHASES]
    notes = []
    if lane.columns.size < whole.columns.size:
        notes.append(f"Only the first {LONGEST_S / 60:.0f} minutes of the instrumental are used.")
    told = [(first, _about_bars(sides, found[0], first) + _about_others(first, others if phases else []))]
    told += [(one, _about_bars(sides, first if phases else found[0], one)) for one in others]
    return [replace(one, notes=(*notes, *words)) for one, words in told]


def _phases(sides: Sides) -> list[Grid]:
    """Other beats and bars at the same tempo, where only a voice was heard and does not tell them for sure."""
    candidates = (sides.voice.sound.grid, *sides.voice.sound.other_grids)
    return [one for one in candidates if one and one is not sides.grid and one.tempo_bpm == sides.grid.tempo_bpm]


def _bars(sides: Sides, first: int, pace: Pace) -> Bars:
    """Bars of the mashup on the vocals' beats, with their places in the song where that is known."""
    length = round(sides.tune.metre * pace.vocal_beats_per_beat)
    sections = sides.songs[0].results.get("sections") if sides.songs[0].is_whole_song else None
    if sections is None or not len(sections.intervals_s) or (sections.confidence or 0.0) < SURE_FORM:
        return Bars(sides.grid, first, length, pace.vocal_beats_per_beat)
    beats = np.arange(first, len(sides.grid.beats_s), length)
    spans = np.asarray(sections.intervals_s, np.float64).reshape(-1, 2).tolist()
    form = form_of(
        tuple((start, end, "") for start, end in spans), at_beats(sides.grid.beats_s, beats.astype(np.float64))
    )
    return Bars(sides.grid, first, length, pace.vocal_beats_per_beat, form)


def _by_phase(found: list[Draft]) -> list[int]:
    """Drafts whose bars begin at different beats, the one to take first; `found[0]` is the first guess."""
    enough = [found[0].mean_fit + (BETTER if _later(found[0], one) else 0.0) for one in found]
    numbers = range(len(found))
    clear = [n for n in numbers if n == 0 or found[n].mean_fit >= enough[n]]
    best = max(clear, key=lambda n: (found[n].laid.score, -n))
    return [best, *sorted((n for n in numbers if n != best), key=lambda n: (-found[n].laid.score, n))]


def _later(first: Draft, other: Draft) -> float:
    """By how many beats of the vocals, in quarters, bars of one draft begin later in their bars than another's."""
    grid, other_s = first.bars.grid, other.bars.grid.beats_s[other.bars.first_beat]
    later = float(beat_numbers(grid.beats_s, np.array([other_s]))[0]) - first.bars.first_beat
    return round(4 * later) / 4 % min(grid.metre, first.bars.length)


def _first_beats(sides: Sides, length: int) -> list[int]:
    """The beats of the vocals that a bar of the mashup may begin at, the likeliest first."""
    grid = sides.grid
    if not _is_sure(sides):
        return [(grid.first_downbeat + offset) % length for offset in range(length)]
    return [grid.first_downbeat % length, *range(grid.first_downbeat + grid.metre, length, grid.metre)]


def _is_sure(sides: Sides) -> bool:
    """Whether it is known where the vocals' bars begin."""
    beats = sides.songs[0].results.get("beats") if sides.songs[0].is_whole_song else None
    return (getattr(beats, "downbeat_confidence", None) or 0.0) >= SURE_DOWNBEAT


def _about_bars(sides: Sides, guess: Draft, draft: Draft) -> tuple[str, ...]:
    """What is said of a draft where the beginnings of the vocals' bars are not sure."""
    if _is_sure(sides):
        return ()
    later = _later(guess, draft)
    if later == 0:
        return ("Where the vocals' bars begin is not sure; every beat was tried, and the first guess is taken.",)
    return (
        f"Where the vocals' bars begin is not sure; every beat was tried, and here they begin {_beats(later)} later "
        f"than first guessed; fit {draft.mean_fit:.2f} instead of {guess.mean_fit:.2f}.",
    )


def _about_others(draft: Draft, others: list[Draft]) -> tuple[str, ...]:
    """What else the beats and bars of a voice may be, in plans of their own."""
    if not others:
        return ()
    told = " or ".join(f"{_beats(_later(draft, one))} later" for one in others)
    return (
        "Warning: only a voice was heard, and it does not tell for sure which moments are the beats. Its bars may also "
        f"begin {told}; other plans have them there. Listen whether the vocals sit on the beat.",
    )


def _beats(count: float) -> str:
    return f"{count:g} beat{'s' if count != 1 else ''}"


def _draft(sides: Sides, bars: Bars, pace: Pace, shift: Shift, lane: Lane) -> Draft:
    phrases = tuple(phrases_of(sides.voice, bars))
    ground = _ground(sides, lane, moving_places(sides, bars, shift.relative))
    return Draft(pace, shift, bars, phrases, ground, lay(phrases, bars, ground))


def _ground(sides: Sides, lane: Lane, places: Places) -> Ground:
    voiced = voiced_beats(sides.backing, sides.tune, lane)
    return Ground(sides.tune, lane, places, voiced, sides.wishes.force or may_share(voiced))


def _shifted(sides: Sides, draft: Draft, shift: Shift) -> Draft:
    """The same at another shift; phrases may fit better elsewhere then."""
    ground = replace(draft.ground, places=moving_places(sides, draft.bars, shift.relative))
    return replace(draft, shift=shift, ground=ground, laid=lay(draft.phrases, draft.bars, ground))


# How much of the instrumental is played


def _with_length(sides: Sides, draft: Draft) -> list[Draft]:
    """The draft with as much of the instrumental as the vocals need, and the other way to do it, if there is one."""
    plain, filled = _ended(draft), _filled(sides, draft)
    if filled is None:
        return [plain]
    wanted = sides.wishes.fill or draft.laid.sung_share < LEAST_SUNG
    share = f"{draft.laid.sung_share:.0%} of the vocals find a place over the instrumental as it is"
    if wanted:
        return [filled, replace(plain, notes=(*plain.notes, f"Nothing is repeated: {share}."))]
    note = f"Nothing is repeated: {share}; `--fill` would repeat parts of it for {filled.laid.sung_share:.0%}."
    return [replace(plain, notes=(*plain.notes, note)), filled]


def _filled(sides: Sides, draft: Draft) -> Draft | None:
    """The draft with parts of the instrumental repeated; None where no more would be sung."""
    if draft.laid.sung_share >= 1:
        return None
    first, last = draft.phrases[0], draft.phrases[-1]
    natural = last.row + last.bars - first.row + math.ceil(max(0.0, first.lead_beats) / sides.tune.metre)
    lane = draft.ground.lane
    missing = natural + AROUND_BARS - lane.columns.size
    if missing <= 0:
        missing = sum(phrase.bars for phrase, bar in zip(draft.phrases, draft.laid.bars, strict=True) if bar < 0)
    longer = limited(sides.tune, lengthened(sides.tune, lane, missing), LONGEST_S * draft.pace.instrumental_ratio)
    ground = _ground(sides, longer, draft.ground.places)
    laid = lay(draft.phrases, draft.bars, ground)
    if laid.sung_share <= draft.laid.sung_share:
        return None
    added = longer.columns.size - lane.columns.size
    note = (
        f"{added} bars of the instrumental are repeated: {laid.sung_share:.0%} of the vocals find a place instead of "
        f"{draft.laid.sung_share:.0%}."
    )
    return _ended(replace(draft, ground=ground, laid=laid, notes=(*draft.notes, note)))


def _ended(draft: Draft) -> Draft:
    """The draft without what the instrumental plays on for after the vocals."""
    ground = draft.ground
    shorter = shortened(ground.tune, ground.lane, draft.sung_to)
    if shorter is None:
        return draft
    size, kept = ground.lane.columns.size, shorter.columns.size
    note = (
        f"After the phrase in which the vocals end the instrumental goes to its end: {size - kept} of its {size} bars "
        "are left out. One cut over all of its beats would play it whole."
    )
    return replace(draft, ground=replace(ground, lane=shorter), notes=(*draft.notes, note))
