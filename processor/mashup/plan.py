"""What a mashup plays, when and how, as data, before any sound is rendered.

A plan is complete: the same plan and the same sounds give the same samples, whatever later versions of the analysis
would say about the songs. It counts in beats. The instrumental's beats, as `cuts` line them up, are the mashup's beats;
each segment of the vocals says which of its own beats falls on which of these, and all beats between follow one by
one. So a time map goes from beat to beat and knows no single ratio.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from processor.errors import LinerNotesError
from processor.feedback.equaliser import Band
from processor.mashup.stretching import PEDALBOARD

Vector = NDArray[np.float64]

# What streaming services play at (Spotify, YouTube), and what they ask of true peaks.
TARGET_LUFS, CEILING_DBTP = -14.0, -1.0


class PlanError(LinerNotesError):
    """Two songs cannot be planned together, or a written plan makes no sense: which part of it, and what would."""


@dataclass(frozen=True)
class Grid:
    """The beats of one song, from its first moment to its last; where no beat was heard, they go on as they were.

    Attributes:
        beats_s: each beat, rising.
        first_downbeat: index of the first beat that begins a bar, less than `metre`.
        metre: beats a bar.
        tempo_bpm: the pace that stands for all of it.
    """

    beats_s: tuple[float, ...]
    first_downbeat: int
    metre: int
    tempo_bpm: float


@dataclass(frozen=True)
class Source:
    """One of the two songs.

    Attributes:
        name: id of the track in the library, else the file's name.
        title: what to call it.
        sha256: of the file that it was taken from.
        layers: the sounds that are played: "vocals"; or "drums", "bass", "other", or "instrumental".
        key: "A minor"; None where it has none.
        grid: its beats.
    """

    name: str
    title: str
    sha256: str
    layers: tuple[str, ...]
    key: str | None
    grid: Grid


@dataclass(frozen=True)
class Cut:
    """A stretch of the instrumental, from one of its beats up to another; several are played end to end.

    Attributes:
        first_beat: index into the instrumental's grid.
        end_beat: index of the beat that is not played any more; may be the number of beats, for "to the end".
    """

    first_beat: int
    end_beat: int


@dataclass(frozen=True)
class Segment:
    """A stretch of the vocals and the place where it is sung.

    Attributes:
        label: "verse 1", "chorus" …
        start_s: where it begins in the vocals' file: in a breath, before an upbeat.
        end_s: where it ends there: in a breath, never inside a word.
        vocal_beat: this beat of the vocals' song …
        beat: … falls on this beat of the mashup.
        extra_semitones: added to the shift of all vocals, where the keys move.
        gain_db: brings it to its place beside what plays under it.
        fade_in_s: length of the fade at its beginning.
        fade_out_s: and at its end.
        fit: how well it goes with what plays under it, 0 to 1.
        reason: why it is here, in a sentence.
    """

    label: str
    start_s: float
    end_s: float
    vocal_beat: int
    beat: int
    extra_semitones: float
    gain_db: float
    fade_in_s: float
    fade_out_s: float
    fit: float
    reason: str


@dataclass(frozen=True)
class Duck:
    """How the backing makes room for the vocals, band by band and only while they sing; None in a plan: it does not.

    Attributes:
        depth_db: the most that a band is turned down by, positive.
        low_hz: lowest frequency that gives way.
        high_hz: highest one.
        attack_s: time constant of going down.
        release_s: time constant of coming back.
    """

    depth_db: float
    low_hz: float
    high_hz: float
    attack_s: float
    release_s: float


@dataclass(frozen=True)
class Fit:
    """Why the two go together, each from 0 to 1; None where nothing can be told.

    Attributes:
        score: all of it.
        harmonic: pitches of the vocals against those of the backing, after the shift.
        rhythmic: accents against accents, after the change of tempo.
        room: how much of the vocals' spectrum the backing leaves free.
        energy: whether loud parts meet loud parts.
        overlap: 1 where no other voice sings at the same time.
    """

    score: float
    harmonic: float | None
    rhythmic: float | None
    room: float | None
    energy: float | None
    overlap: float | None


@dataclass(frozen=True)
class Rejection:
    """What was considered and not done.

    Attributes:
        what: "shift +2", "double time", "chorus 2 at bar 17" …
        why: the reason, with its numbers.
    """

    what: str
    why: str


@dataclass(frozen=True)
class Plan:
    """A mashup as data.

    Attributes:
        name: what it is called.
        vocals: the song that is sung.
        instrumental: the song that it is sung over.
        tempo_bpm: the pace at which it plays; the instrumental's own, if it is that of its grid: then its beats stay
            where they are, whatever they do, and it is not stretched at all.
        vocal_beats_per_beat: beats of the vocals' song for each beat of the mashup: 1, 2 or 0.5.
        vocal_shift_semitones: shift of all vocals.
        instrumental_shift_semitones: shift of what has a pitch in the instrumental.
        cuts: what is played of the instrumental, end to end.
        segments: what is sung, in the order of time; no two at once.
        vocal_to_backing_lu: loudness of the vocals less that of the backing, while somebody sings: the target.
        vocal_bands: equaliser of the vocals.
        instrumental_bands: equaliser of the backing.
        duck: how the backing makes room.
        gate_below_lufs: what is quieter in the vocals is bleed, and turned down; None: nothing is.
        instrumental_gain_db: gain of the backing.
        target_lufs: integrated loudness of the whole.
        ceiling_dbtp: its highest true peak.
        fit: why the two go together.
        reasons: the same, and what was decided, in sentences.
        rejections: what was considered and not done.
        chosen_by: "rules", "person" or the name of a language model.
        corrections: what was changed after a first render measured badly.
        stretcher: what stretches and shifts, one of `stretching.STRETCHERS`.
    """

    name: str
    vocals: Source
    instrumental: Source
    tempo_bpm: float
    vocal_beats_per_beat: float
    vocal_shift_semitones: float
    instrumental_shift_semitones: float
    cuts: tuple[Cut, ...]
    segments: tuple[Segment, ...]
    vocal_to_backing_lu: float
    vocal_bands: tuple[Band, ...]
    instrumental_bands: tuple[Band, ...]
    duck: Duck | None
    gate_below_lufs: float | None
    instrumental_gain_db: float
    target_lufs: float
    ceiling_dbtp: float
    fit: Fit
    reasons: tuple[str, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    chosen_by: str = "rules"
    corrections: tuple[str, ...] = ()
    stretcher: str = PEDALBOARD


def at_beats(beats_s: Vector | tuple[float, ...], numbers: Vector) -> Vector:
    """Times of beats, whole or not, shape of `numbers`; beyond the first and last they go on at their pace."""
    beats = np.asarray(beats_s, np.float64)
    found: Vector = np.interp(numbers, np.arange(beats.size), beats)
    before, after = numbers < 0, numbers > beats.size - 1
    found[before] = beats[0] + numbers[before] * (beats[1] - beats[0])
    found[after] = beats[-1] + (numbers[after] - beats.size + 1) * (beats[-1] - beats[-2])
    return found


def stretch(plan: Plan) -> float:
    """How many times as long the instrumental becomes; exactly 1 where the mashup plays at its tempo."""
    return plan.instrumental.grid.tempo_bpm / plan.tempo_bpm


def cut_starts_s(plan: Plan) -> list[tuple[float, float, float]]:
    """Each cut's start and end in the instrumental's file, and its start in the mashup, in seconds."""
    grid, at, found = plan.instrumental.grid, 0.0, []
    for cut in plan.cuts:
        start, end = at_beats(grid.beats_s, np.array([cut.first_beat, cut.end_beat], np.float64))
        found.append((float(start), float(end), at))
        at += float(end - start) * stretch(plan)
    return found


def mashup_beats_s(plan: Plan) -> Vector:
    """The beats of the mashup, from its beginning; the last one ends it."""
    grid, parts = plan.instrumental.grid, []
    for cut, (start_s, _, at_s) in zip(plan.cuts, cut_starts_s(plan), strict=True):
        numbers = np.arange(cut.first_beat, cut.end_beat, dtype=np.float64)
        parts.append(at_s + (at_beats(grid.beats_s, numbers) - start_s) * stretch(plan))
    return np.append(np.concatenate(parts), duration_s(plan))


def duration_s(plan: Plan) -> float:
    """Length of the mashup."""
    start_s, end_s, at_s = cut_starts_s(plan)[-1]
    return at_s + (end_s - start_s) * stretch(plan)


def time_map(plan: Plan, segment: Segment, mashup_s: Vector | None = None) -> tuple[Vector, Vector]:
    """Where the moments of a segment go: its start, each beat within it, its end.

    Args:
        plan: the mashup.
        segment: one of its segments.
        mashup_s: `mashup_beats_s(plan)`, where the caller has it and asks for many segments.

    Returns:
        Times in the vocals' file, rising, and the times in the mashup that they fall on, both of shape `(n,)`.
    """
    beats = np.asarray(plan.vocals.grid.beats_s, np.float64)
    inside = beats[(beats > segment.start_s) & (beats < segment.end_s)]
    source = np.concatenate([[segment.start_s], inside, [segment.end_s]])
    numbers = beat_numbers(beats, source)
    wanted = segment.beat + (numbers - segment.vocal_beat) / plan.vocal_beats_per_beat
    return source, at_beats(mashup_beats_s(plan) if mashup_s is None else mashup_s, wanted)


def beat_numbers(beats_s: Vector | tuple[float, ...], times_s: Vector) -> Vector:
    """Which beat, whole or not, each time is: the inverse of `at_beats`."""
    beats = np.asarray(beats_s, np.float64)
    found: Vector = np.interp(times_s, beats, np.arange(beats.size))
    before, after = times_s < beats[0], times_s > beats[-1]
    found[before] = (times_s[before] - beats[0]) / (beats[1] - beats[0])
    found[after] = beats.size - 1 + (times_s[after] - beats[-1]) / (beats[-1] - beats[-2])
    return found


def sung_later(plan: Plan, beats: float) -> Plan:
    """The same plan with all vocals so many of their beats later, whole or not; negative: earlier."""
    grid = plan.vocals.grid
    moved = at_beats(grid.beats_s, np.arange(len(grid.beats_s), dtype=np.float64) - beats)
    said = f"The vocals come {abs(beats):g} of their beats {'later' if beats > 0 else 'earlier'}, as you asked."
    vocals = replace(plan.vocals, grid=replace(grid, beats_s=tuple(moved.tolist())))
    return replace(plan, vocals=vocals, reasons=(*plan.reasons, said))
