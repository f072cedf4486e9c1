"""Plans for the vocals of one song over the instruments of another: a few that are worth hearing, best first.

All that decides is what was heard: pitches, accents, levels, breaths. The same songs and wishes give the same plans.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from processor.feedback.equaliser import Band
from processor.files import printable
from processor.mashup.balance import VOCAL_TO_BACKING_LU, default_duck, gate_below_lufs, tilt_bands
from processor.mashup.drafts import FARTHEST, Draft, Sides, drafts, places_of
from processor.mashup.gains import with_gains
from processor.mashup.keys import moves
from processor.mashup.lanes import Tune, cuts_of, tune_of
from processor.mashup.listening import UNHEARD, Backing, Layer, Voice
from processor.mashup.match import Places
from processor.mashup.plan import Duck, Fit, Grid, Plan, PlanError, Segment, Source, at_beats
from processor.mashup.plan_checks import MOST_BEATS, validate
from processor.mashup.songs import Song
from processor.mashup.telling import left_out, reason_of, title_of, told
from processor.mashup.wishes import Wishes

MOST_PLANS = 4
# Where the instrumental's keys move: how much better the vocals have to fit when they move along.
MOVE_GAIN = 0.05
MOST_FILE_NAME = 300
PARTS = ("harmonic", "rhythmic", "room", "energy", "overlap")


def plans(voice: Voice, backing: Backing, songs: tuple[Song, Song], wishes: Wishes | None = None) -> list[Plan]:
    """Plans for two songs, the best first; at most `MOST_PLANS`, each a real alternative to the others.

    Args:
        voice: the vocals, heard.
        backing: the instrumental, heard.
        songs: both songs.
        wishes: a person's; None: none.

    Raises:
        PlanError: they cannot be put together; it says why, and what would help.
    """
    sides = _sides(voice, backing, songs, wishes or Wishes())
    tone = _tone(voice, backing)
    found: list[Plan] = []
    for draft in drafts(sides):
        plan = _plan(sides, draft, tone)
        if not any(_is_same(plan, one) for one in found):
            found.append(plan)
    return found[:MOST_PLANS]


def _sides(voice: Voice, backing: Backing, songs: tuple[Song, Song], wishes: Wishes) -> Sides:
    """Both sides, if they can be put together at all."""
    titles = [title_of(song) for song in songs]
    if not voice.lines:
        raise PlanError(f"Nobody sings in the vocals of {titles[0]}: no line stands out of silence.")
    if voice.sound.grid is None:
        raise PlanError(
            f"The vocals of {titles[0]} have no beat that could be heard: {voice.sound.grid_from}. Say their tempo: "
            "`--vocal-tempo BPM` for a stem, `linernotes set TRACK tempo_bpm=…` for a song."
        )
    tune = tune_of(backing)
    if tune is None:
        raise PlanError(
            f"The instrumental of {titles[1]} has no beat that could be heard: {backing.sound.grid_from}. Say its "
            "tempo: `--instrumental-tempo BPM` for a file, `linernotes set TRACK tempo_bpm=…` for a track."
        )
    if tune.is_silent.all():
        raise PlanError(f"The instrumental of {titles[1]} is silent.")
    for title, grid in zip(titles, (voice.sound.grid, tune.grid), strict=True):
        if len(grid.beats_s) > MOST_BEATS:
            raise PlanError(f"{title} has {len(grid.beats_s):,} beats; a mashup is made of at most {MOST_BEATS:,}.")
    return Sides(voice, backing, songs, voice.sound.grid, tune, wishes, _moves(songs[1], tune, wishes))


def _moves(instrumental: Song, tune: Tune, wishes: Wishes) -> NDArray[np.int64]:
    """How far the instrumental's key lies from its home in each bar; nowhere, where a person has said the shift."""
    if wishes.vocal_shift_semitones is not None:
        return np.zeros(tune.beats.size, np.int64)
    edges = at_beats(tune.grid.beats_s, np.append(tune.beats, tune.beats[-1] + tune.metre).astype(np.float64))
    return np.array([moves(instrumental.results, span) for span in pairwise(edges.tolist())], np.int64)


def _is_same(one: Plan, other: Plan) -> bool:
    """Whether two plans sound the same."""
    names = (
        "tempo_bpm",
        "vocal_shift_semitones",
        "instrumental_shift_semitones",
        "cuts",
    )
    places = [[(s.start_s, s.vocal_beat, s.beat, s.extra_semitones) for s in plan.segments] for plan in (one, other)]
    beats = [plan.vocals.grid.beats_s for plan in (one, other)]
    alike = places[0] == places[1] and beats[0] == beats[1]
    return alike and all(getattr(one, name) == getattr(other, name) for name in names)


@dataclass(frozen=True)
class _Tone:
    """What is done to the sounds, whatever is sung where."""

    vocal_bands: tuple[Band, ...]
    instrumental_bands: tuple[Band, ...]
    duck: Duck | None
    gate_below_lufs: float | None


def _tone(voice: Voice, backing: Backing) -> _Tone:
    return _Tone(*tilt_bands(voice, backing), default_duck(voice, backing), gate_below_lufs(voice))


def _plan(sides: Sides, draft: Draft, tone: _Tone) -> Plan:
    wishes, shift = sides.wishes, draft.shift
    wanted = VOCAL_TO_BACKING_LU if wishes.vocal_to_backing_lu is None else wishes.vocal_to_backing_lu
    grid = replace(draft.bars.grid, first_downbeat=draft.bars.first_beat % draft.bars.grid.metre)
    names = tuple(title_of(song) for song in sides.songs)
    plan = Plan(
        name=printable(wishes.name) if wishes.name else f"{names[0]} over {names[1]}",
        vocals=_source(sides.songs[0], sides.voice.sound, grid),
        instrumental=_source(sides.songs[1], sides.backing.sound, sides.tune.grid),
        tempo_bpm=draft.pace.tempo_bpm,
        vocal_beats_per_beat=draft.pace.vocal_beats_per_beat,
        vocal_shift_semitones=shift.vocal_semitones,
        instrumental_shift_semitones=shift.instrumental_semitones,
        cuts=cuts_of(sides.tune, draft.ground.lane),
        segments=_segments(sides, draft),
        vocal_to_backing_lu=wanted,
        vocal_bands=tone.vocal_bands,
        instrumental_bands=tone.instrumental_bands,
        duck=tone.duck,
        gate_below_lufs=tone.gate_below_lufs,
        instrumental_gain_db=0.0,
        target_lufs=wishes.target_lufs,
        ceiling_dbtp=wishes.ceiling_dbtp,
        fit=_fit(sides, draft),
        reasons=told(sides, draft),
        rejections=(*shift.rejections, *left_out(draft)),
        stretcher=wishes.stretcher,
    )
    return validate(
        with_gains(_with_moves(plan), sides.voice, sides.backing),
        sides.voice.sound.duration_s,
        sides.backing.sound.duration_s,
    )


def _with_moves(plan: Plan) -> Plan:
    """A plan that says so where the vocals move with the instrumental's keys."""
    moved = [one for one in plan.segments if one.extra_semitones]
    if not moved:
        return plan
    listed = ", ".join(f"{one.label} by {one.extra_semitones:+g}" for one in moved[:12])
    reason = f"The instrumental's key moves, and the vocals with it: {listed}."
    return replace(plan, reasons=(*plan.reasons, reason))


def _source(song: Song, sound: Layer, grid: Grid) -> Source:
    return Source(
        name=re.sub(r"[/\\]", "_", printable(song.name))[:MOST_FILE_NAME],
        title=title_of(song),
        sha256=song.sha256,
        layers=tuple(song.layers),
        key=sound.key,
        grid=grid,
    )


# What is sung


def _segments(sides: Sides, draft: Draft) -> tuple[Segment, ...]:
    ground, found = draft.ground, []
    moved: dict[int, Places] = {}
    for number, (phrase, bar) in enumerate(zip(draft.phrases, draft.laid.bars.tolist(), strict=True)):
        if bar < 0:
            continue
        found.append(
            Segment(
                label=phrase.label,
                start_s=phrase.start_s,
                end_s=phrase.end_s,
                vocal_beat=phrase.anchor,
                beat=ground.lane.lead + bar * ground.tune.metre,
                extra_semitones=float(_move(sides, draft, number, moved)),
                gain_db=0.0,
                fade_in_s=phrase.fade_in_s,
                fade_out_s=phrase.fade_out_s,
                fit=round(float(draft.laid.fits[number]), 4),
                reason=reason_of(draft, number),
            )
        )
    return tuple(found)


def _move(sides: Sides, draft: Draft, number: int, known: dict[int, Places]) -> int:
    """How far a phrase moves with the instrumental's key, in semitones: only where what is heard says so, too."""
    phrase, bar = draft.phrases[number], int(draft.laid.bars[number])
    columns = draft.ground.lane.columns[bar : bar + phrase.bars]
    here, counts = np.unique(sides.moves[columns], return_counts=True)
    move, relative = int(here[counts.argmax()]), draft.shift.relative
    if move == 0 or abs(relative + move) > FARTHEST:
        return 0
    fits = []
    for one in (relative, relative + move):
        if one not in known:
            known[one] = places_of(sides, draft.bars, one)
        fits.append(known[one].fit(phrase.row, int(columns[0]), phrase.bars).harmonic)
    before, after = fits
    return move if before is not None and after is not None and after >= before + MOVE_GAIN else 0


def _fit(sides: Sides, draft: Draft) -> Fit:
    """The fit of all that is sung, by the bars that are; where no model has heard other voices, nothing of these."""
    found: list[tuple[Fit, int]] = []
    for phrase, bar in zip(draft.phrases, draft.laid.bars.tolist(), strict=True):
        if bar >= 0:
            column = int(draft.ground.lane.columns[bar])
            found.append((draft.ground.places.fit(phrase.row, column, phrase.bars), phrase.bars))
    score = _mean([(one.score, bars) for one, bars in found])
    parts = {name: _mean([(getattr(one, name), bars) for one, bars in found]) for name in PARTS}
    if sides.backing.voices_from == UNHEARD:
        parts["overlap"] = None
    return Fit(score=score or 0.0, **parts)


def _mean(values: Sequence[tuple[float | None, int]]) -> float | None:
    """Mean by weight of what is known; None where nothing is."""
    known = [(value, weight) for value, weight in values if value is not None]
    total = sum(weight for _, weight in known)
    if total == 0:
        return None
    return round(float(np.clip(sum(value * weight for value, weight in known) / total, 0, 1)), 4)
