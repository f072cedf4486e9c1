"""Which moments are the beats: in a voice alone, and in an instrumental that was heard on its off-beats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from processor.analysis.chroma import Chroma
from processor.analysis.onsets import Onsets
from processor.mashup.alone import grids_alone
from processor.mashup.combs import Comb, agreement, comb_of
from processor.mashup.phases import on_the_beat, phases
from processor.mashup.plan import Grid
from tests.mashup.test_grids import RATE, as_grid, no_chroma, onsets_at, steady

Vector = NDArray[np.float64]

TEMPO, BEAT_S, SECONDS = 120.0, 0.5, 64.0
CHROMA_RATE = 10.77


def syllables(first_s: float, strengths: Vector, from_s: float = 0.0, *, divided: int = 4) -> Onsets:
    """Onsets at parts of each bar, as strong as told for the parts of one bar; nothing before `from_s`."""
    times = np.arange(first_s, SECONDS, BEAT_S / divided)
    weights = np.resize(strengths, times.size)
    kept = (weights > 0) & (times >= from_s)
    return onsets_at(times[kept], SECONDS, weights[kept])


def chords(edges_s: Vector) -> Chroma:
    """Another chord from each moment on."""
    silent = no_chroma(SECONDS)
    number = np.searchsorted(edges_s, np.arange(len(silent.values)) / CHROMA_RATE, side="right") % 3
    values = np.zeros_like(silent.values)
    values[np.arange(len(values)), number * 4] = 1.0
    return replace(silent, values=values)


def comb(onsets: Onsets) -> Comb:
    """The comb of some onsets."""
    found = comb_of(onsets, TEMPO, 0.003)
    assert found is not None
    return found


def away(grid: Grid, moment_s: float, every_s: float) -> float:
    """How far a moment lies behind the nearest of a bar's beginnings, or beats, of a grid."""
    start = grid.beats_s[grid.first_downbeat]
    return float((moment_s - start + every_s / 2) % every_s - every_s / 2)


# A bar of sixteenths: strong on beats, strongest on the first.
BAR = np.array([1.0, 0, 0.3, 0.1, 0.6, 0, 0.3, 0, 0.7, 0, 0.3, 0.1, 0.6, 0, 0.3, 0])
# Syllables behind the beat, as no metre has them.
LATE_BAR = np.array([0.2, 1.0, 0.3, 0.4, 0.2, 0.8, 0.4, 0.3, 0.2, 0.9, 0.3, 0.4, 0.2, 0.8, 0.4, 0.3])


def test_accents_tell_beats_and_bars() -> None:
    heard = syllables(0.15, BAR)
    found = phases(comb(heard), heard, no_chroma(SECONDS), SECONDS)
    assert len(found) == 16
    assert sum(one.probability for one in found) == pytest.approx(1.0)
    assert away(found[0].grid, 0.15, 4 * BEAT_S) == pytest.approx(0.0, abs=0.02)
    assert found[0].probability > 0.5
    assert [one.probability for one in found[1:]] == sorted((one.probability for one in found[1:]), reverse=True)


def test_chords_tell_bars_where_accents_do_not() -> None:
    heard = syllables(0.15, np.array([1.0, 0, 0.4, 0]), from_s=2.0)
    changing = chords(np.arange(1.15, SECONDS, 4 * BEAT_S))
    found = phases(comb(heard), heard, changing, SECONDS)[0]
    assert away(found.grid, 1.15, 4 * BEAT_S) == pytest.approx(0.0, abs=0.02)


def test_voices_that_say_nothing_leave_all_open() -> None:
    heard = syllables(0.1, np.ones(1))
    found = phases(comb(heard), heard, no_chroma(SECONDS), SECONDS)
    assert max(one.probability for one in found) < 0.2
    silent = onsets_at(np.zeros(0), SECONDS)
    assert agreement(silent, comb(heard), np.arange(4) / 4) == pytest.approx(np.zeros(4))
    assert phases(comb(heard), silent, no_chroma(SECONDS), SECONDS)[0].probability < 0.2


def test_agreement_is_a_correlation() -> None:
    frames = np.arange(round(SECONDS * RATE))
    wave = (1 + np.cos(2 * np.pi * (frames / RATE - 0.1) / BEAT_S)).astype(np.float32)
    found = agreement(Onsets(wave, np.stack([wave] * 5), RATE), Comb(TEMPO, 0.1, 1.0), np.array([0.0, 0.25, 0.5]))
    assert found == pytest.approx([1.0, 0.0, -1.0], abs=0.01)


@pytest.mark.parametrize(("from_s", "is_led"), [(0.0, False), (8.0, True)])
def test_files_that_begin_in_silence_begin_with_a_bar(from_s: float, is_led: bool) -> None:
    # Sung a quarter behind the beats; only the beginning of the file could tell.
    heard = syllables(0.0, LATE_BAR, from_s)
    found = phases(comb(heard), heard, no_chroma(SECONDS), SECONDS)[0]
    late = away(found.grid, 0.0, BEAT_S)
    if is_led:
        assert late == pytest.approx(0.0, abs=0.05)
        assert away(found.grid, 0.0, 4 * BEAT_S) == pytest.approx(0.0, abs=0.05)
    else:
        assert abs(late) == pytest.approx(0.125, abs=0.05)


def test_other_phases_are_told_beside_the_likeliest_and_before_other_tempi() -> None:
    found = grids_alone(syllables(0.15, np.array([1.0, 0, 0.8, 0.2])), no_chroma(SECONDS), SECONDS)
    tempi = [one.grid.tempo_bpm for one in found]
    same = [one.grid for one in found if one.grid.tempo_bpm == tempi[0]]
    assert 2 <= len(same) <= 4
    assert tempi[: len(same)] == [tempi[0]] * len(same)
    assert len({(one.beats_s[0], one.first_downbeat) for one in same}) == len(same)
    assert len(tempi) > len(same)


def test_less_than_two_bars_have_no_phases() -> None:
    heard = syllables(0.15, BAR)
    assert phases(Comb(TEMPO, 0.15, 1.0), heard, no_chroma(SECONDS), 3.0) == []


# Instrumentals


def played(low_s: Vector, high_s: Vector) -> Onsets:
    """Kick and bass at some moments, louder hats at others."""
    low, high = onsets_at(low_s, SECONDS).envelope, onsets_at(high_s, SECONDS).envelope
    return Onsets(low + 2 * high, np.stack([low, low, high, high, high]), RATE)


BEATS = steady(TEMPO, 0.3, SECONDS)


def test_off_beats_that_were_taken_for_beats_are_left() -> None:
    sound = played(BEATS, BEATS + BEAT_S / 2)
    changing = chords(BEATS[2::4])
    wrong = as_grid(BEATS - BEAT_S / 2, TEMPO, first=1)
    found = on_the_beat(wrong, sound, changing, SECONDS)
    assert np.array(found.beats_s)[:100] == pytest.approx(BEATS[:100])
    assert away(found, float(BEATS[2]), 4 * BEAT_S) == pytest.approx(0.0, abs=1e-6)
    assert found.metre == wrong.metre
    assert found.tempo_bpm == wrong.tempo_bpm
    # And they stay where they came to lie.
    assert on_the_beat(found, sound, changing, SECONDS) == found


@pytest.mark.parametrize("other", ["kick and bass", "chords"])
def test_beats_stay_where_not_all_speaks_against_them(other: str) -> None:
    between = BEATS + BEAT_S / 2
    sound = played(BEATS if other == "kick and bass" else between, BEATS)
    changing = chords((BEATS if other == "chords" else between)[::4])
    grid = as_grid(BEATS, TEMPO)
    assert on_the_beat(grid, sound, changing, SECONDS) is grid


def test_beats_that_move_or_are_not_heard_stay() -> None:
    sound, changing = played(BEATS + BEAT_S / 2, BEATS), chords(BEATS[::4] + BEAT_S / 2)
    number = np.arange(100)
    moving = as_grid(0.3 + 0.5 * number + 0.0004 * number**2, TEMPO)
    assert on_the_beat(moving, sound, changing, SECONDS) is moving
    grid = as_grid(BEATS, TEMPO)
    assert on_the_beat(grid, sound, changing, SECONDS) is not grid
    assert on_the_beat(grid, played(np.zeros(0), np.zeros(0)), changing, SECONDS) is grid
    assert on_the_beat(grid, sound, no_chroma(SECONDS), SECONDS) is grid
    empty = Onsets(np.zeros(0, np.float32), np.zeros((5, 0), np.float32), RATE)
    assert on_the_beat(grid, empty, no_chroma(0.0), SECONDS) is grid
    short = as_grid(BEATS[:3], TEMPO)
    assert on_the_beat(short, sound, changing, SECONDS) is short
