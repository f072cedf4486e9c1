"""Beats of a whole file: mended, carried on, at one tempo where there is one, put to the onsets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from processor.analysis.beats import Beats
from processor.analysis.chroma import Chroma
from processor.analysis.onsets import Onsets
from processor.mashup.alone import grids_alone
from processor.mashup.combs import comb_of
from processor.mashup.grids import grid_of, is_steady, mended, refined
from processor.mashup.plan import Grid
from tests.libraries import invented

Vector = NDArray[np.float64]

RATE = 22_050 / 220


def heard(beats_s: Vector, tempo_bpm: float | None = 120.0, metre: int | None = 4, first: int = 0) -> dict[str, Beats]:
    """Results with these beats."""
    downbeats = beats_s[first :: metre or 4]
    known = replace(
        invented(Beats), tempo_bpm=tempo_bpm, confidence=0.8, beats_s=beats_s, downbeats_s=downbeats, metre=metre
    )
    return {"beats": known}


def onsets_at(times_s: Vector, duration_s: float, strengths: Vector | None = None) -> Onsets:
    """An onset curve that peaks at some times, between frames, too."""
    curve = np.zeros(round(duration_s * RATE), np.float32)
    frames = np.arange(curve.size)
    for number, time in enumerate(times_s):
        strength = 1.0 if strengths is None else strengths[number]
        curve += (strength * np.maximum(0, 1 - np.abs(frames - time * RATE) / 1.5)).astype(np.float32)
    return Onsets(curve, np.stack([curve] * 5), RATE)


def no_chroma(duration_s: float) -> Chroma:
    """Nothing that has a pitch."""
    frames = round(duration_s * 10.77)
    silent = np.zeros((frames, 12), np.float32)
    return Chroma(silent, silent, 10.77, np.arange(frames) / 10.77, None, 0.0, np.zeros(frames, np.float32), duration_s)


def steady(tempo_bpm: float, from_s: float, to_s: float) -> Vector:
    """Beats at one tempo."""
    return np.arange(from_s, to_s, 60 / tempo_bpm)


def as_grid(beats_s: Vector, tempo_bpm: float, first: int = 0) -> Grid:
    """A grid in four."""
    return Grid(tuple(beats_s.tolist()), first, 4, tempo_bpm)


# Beats that are known


def test_one_tempo_is_found_under_the_rounding_of_frames_and_carried_on_to_both_ends() -> None:
    true = steady(127.3, 5.0, 50.0)
    rounded = np.round(true * RATE) / RATE
    grid, confidence, words = grid_of(heard(rounded, 127.1, first=2), 60.0)
    assert grid is not None
    assert confidence == 0.8
    assert "one tempo" in words
    assert grid.tempo_bpm == pytest.approx(127.3, rel=2e-4)
    assert is_steady(grid.beats_s)
    assert 0 <= grid.beats_s[0] < 60 / 127.3
    assert 60 - 60 / 127.3 < grid.beats_s[-1] <= 60.0
    beats = np.array(grid.beats_s)
    assert np.abs(beats[:, None] - true[5]).min() < 0.005
    # The bars are those that were known: the third beat begins one.
    assert np.abs(beats[grid.first_downbeat :: 4] - true[2]).min() < 0.005
    assert grid.first_downbeat < 4


def test_a_slip_to_the_off_beat_does_not_bend_the_grid() -> None:
    beats = steady(120.0, 0.25, 90.0)
    slipped = np.concatenate([beats[beats < 30], beats[(beats >= 30) & (beats < 50)] + 0.25, beats[beats >= 50]])
    grid, _, _ = grid_of(heard(slipped, 119.4), 90.0)
    assert grid is not None
    assert grid.tempo_bpm == pytest.approx(120.0, rel=1e-4)
    assert (np.array(grid.beats_s) % 0.5) == pytest.approx(0.25, abs=0.003)


def test_a_tempo_that_moves_is_followed() -> None:
    number = np.arange(150)
    beats = 3.0 + 0.5 * number + 0.0008 * number**2
    grid, _, words = grid_of(heard(beats, 100.0), 110.0)
    assert grid is not None
    assert "moves" in words
    found = np.array(grid.beats_s)
    assert found[0] < 0.51
    assert found[-1] > 109.0
    first = int(np.flatnonzero(np.isclose(found, 3.0))[0])
    assert found[first : first + 150] == pytest.approx(beats)
    assert (np.diff(found) > 0.4).all()


def test_doubles_go_and_missing_beats_come() -> None:
    beats = steady(120.0, 1.0, 21.0)
    broken = np.sort(np.concatenate([np.delete(beats, [10, 11, 25]), [beats[5] + 0.06]]))
    assert mended(broken, 30.0) == pytest.approx(beats)


@pytest.mark.parametrize(
    "beats",
    [
        np.zeros(0),
        np.array([1.0, 1.5]),
        np.full(50, np.nan),
        np.full(50, 3.0),
        -np.arange(50.0),
        np.arange(50.0) * 1e98,
        np.arange(1, 50) * 1e-9,
    ],
)
def test_what_are_no_beats_make_no_grid(beats: Vector) -> None:
    grid, confidence, words = grid_of(heard(beats), 30.0)
    assert grid is None
    assert confidence is None
    assert words


def test_nonsense_among_beats_costs_neither_memory_nor_the_grid() -> None:
    beats = np.concatenate([steady(120.0, 0.5, 30.0), [np.nan, -4.0, 1e99], 10 + np.arange(5000) * 1e-9])
    grid, _, _ = grid_of(heard(beats, 1e99, metre=1_000_000), 30.0)
    assert grid is not None
    assert grid.metre == 4
    assert grid.tempo_bpm == pytest.approx(120.0, rel=1e-3)
    assert len(grid.beats_s) == pytest.approx(60, abs=1)


def test_without_a_record_of_beats_there_is_no_grid() -> None:
    assert grid_of({}, 30.0)[0] is None
    assert grid_of(heard(steady(120.0, 0, 30)), 0.0)[0] is None


def test_a_persons_tempo_is_believed_where_the_beats_have_it_and_told_where_not() -> None:
    known = heard(steady(120.0, 0.5, 30.0), 120.0)
    grid, confidence, words = grid_of(known, 30.0, 120.0)
    assert grid is not None
    assert confidence == 1.0
    assert "person" in words
    grid, _, words = grid_of(known, 30.0, 90.0)
    assert grid is None
    assert "120.0" in words
    assert "90" in words


# One tempo in onsets


def test_a_whole_number_of_beats_is_taken_where_it_fits_as_well() -> None:
    near = comb_of(onsets_at(steady(124.0, 0.2, 40.0), 40.0), 123.6, 0.015)
    assert near is not None
    assert near.tempo_bpm == 124.0
    # Over five minutes the difference is clear.
    other = comb_of(onsets_at(steady(123.95, 0.2, 300.0), 300.0), 123.6, 0.015)
    assert other is not None
    assert other.tempo_bpm == pytest.approx(123.95, abs=0.005)


def test_a_said_tempo_outweighs_a_little_more_power_beside_it() -> None:
    rng = np.random.default_rng(1)
    scattered = onsets_at(np.sort(rng.uniform(0, 60, 60)), 60.0)
    alone, said = (comb_of(scattered, 140.0, 0.005, is_said=is_said) for is_said in (False, True))
    assert alone is not None
    assert said is not None
    assert abs(said.tempo_bpm - 140) < 0.35
    assert abs(said.tempo_bpm - 140) <= abs(alone.tempo_bpm - 140)


def test_silence_has_no_comb() -> None:
    assert comb_of(onsets_at(np.zeros(0), 10.0), 120.0, 0.01) is None
    assert comb_of(Onsets(np.zeros(0, np.float32), np.zeros((5, 0), np.float32), RATE), 120.0, 0.01) is None


# Where exactly


@pytest.mark.parametrize("late_s", [-0.031, 0.023, 0.045])
def test_beats_are_put_to_the_onsets_within_3_ms(late_s: float) -> None:
    true = steady(124.0, 0.04, 60.0)
    grid = as_grid(true + late_s, 124.0, first=1)
    found = refined(grid, onsets_at(true, 60.0), 60.0, late_s=0.0)
    beats = np.array(found.beats_s)
    away = np.abs(beats[:, None] - true).min(axis=1)
    assert np.median(away) < 0.003
    assert away.max() < 0.004
    # Bars begin where they began.
    assert abs(beats[found.first_downbeat :: 4] - true[1]).min() < 0.004


def test_what_an_onset_curve_is_late_by_is_taken_off() -> None:
    true = steady(100.0, 0.3, 30.0)
    grid = as_grid(true, 100.0)
    first, second = (refined(grid, onsets_at(true, 30.0), 30.0, late_s=late) for late in (0.0, 0.008))
    assert first.beats_s[0] - second.beats_s[0] == pytest.approx(0.008, abs=1e-6)


def test_a_wrong_period_is_corrected_so_that_beats_do_not_drift() -> None:
    true = steady(126.5, 0.1, 240.0)
    # 0.04 % off: 0.1 s at the end.
    grid = as_grid(steady(126.55, 0.12, 240.0), 126.55)
    found = refined(grid, onsets_at(true, 240.0), 240.0, late_s=0.0)
    assert found.tempo_bpm == pytest.approx(126.5, rel=5e-5)
    assert np.abs(np.array(found.beats_s)[-1] - true).min() < 0.006


def test_beats_that_move_are_each_put_to_their_onsets() -> None:
    number = np.arange(120)
    true = 0.4 + 0.5 * number + 0.0006 * number**2
    grid = as_grid(true + 0.02 + 0.004 * np.sin(number), 110.0)
    found = refined(grid, onsets_at(true, 70.0), 70.0, late_s=0.0)
    assert np.median(np.abs(np.array(found.beats_s) - true)) < 0.004


def test_one_tempo_that_the_beats_lost_is_found_in_the_onsets() -> None:
    true = steady(105.0, 0.2, 80.0)
    number = np.arange(true.size)
    lost = as_grid(true + np.where(number % 40 < 14, 0.19, 0.0), 104.6)
    assert not is_steady(lost.beats_s)
    found = refined(lost, onsets_at(true, 80.0), 80.0, late_s=0.0)
    assert is_steady(found.beats_s)
    assert found.tempo_bpm == 105.0
    assert np.abs(np.array(found.beats_s)[:, None] - true).min(axis=1).max() < 0.005


def test_silence_moves_nothing() -> None:
    grid = as_grid(steady(120.0, 0.1, 20.0), 120.0)
    assert refined(grid, onsets_at(np.zeros(0), 20.0), 20.0) == grid


# Vocals alone


def sung(tempo_bpm: float, duration_s: float, jitter_s: float) -> Onsets:
    """Syllables on some of the halves of beats, none quite in time."""
    rng = np.random.default_rng(7)
    halves = steady(2 * tempo_bpm, 0.3, duration_s)
    chosen = halves[rng.random(halves.size) < np.where(np.arange(halves.size) % 2, 0.3, 0.7)]
    times = chosen + rng.normal(0, jitter_s, chosen.size)
    return onsets_at(times, duration_s, rng.uniform(0.3, 1.0, chosen.size))


@pytest.mark.parametrize("tempo", [93.0, 124.0, 141.6])
def test_syllables_tell_the_tempo_within_a_twentieth_of_a_percent(tempo: float) -> None:
    found = grids_alone(sung(tempo, 75.0, 0.015), no_chroma(75.0), 75.0)
    assert found[0].grid.tempo_bpm == pytest.approx(tempo, rel=5e-4)
    assert found[0].confidence > 0.7
    beats = np.array(found[0].grid.beats_s)
    away = (beats - 0.3 + 30 / tempo) % (60 / tempo) - 30 / tempo
    assert np.abs(away).max() < 0.03
    others = [one.grid.tempo_bpm for one in found if one.grid.tempo_bpm != found[0].grid.tempo_bpm]
    assert others
    assert all(abs(np.log(one / tempo)) > 0.03 for one in others)


def test_a_tempo_that_is_told_is_kept() -> None:
    found = grids_alone(sung(124.0, 40.0, 0.02), no_chroma(40.0), 40.0, 62.0)
    assert {one.confidence for one in found} == {1.0}
    assert len({one.grid.tempo_bpm for one in found}) == 1
    assert found[0].grid.tempo_bpm == pytest.approx(62.0, rel=5e-3)


def test_speech_without_a_pulse_has_no_sure_tempo() -> None:
    rng = np.random.default_rng(3)
    times = np.cumsum(rng.gamma(4.0, 0.06, 250))
    found = grids_alone(onsets_at(times, 75.0), no_chroma(75.0), 75.0)
    assert not found or found[0].confidence < 0.7


def test_nothing_sung_has_no_beats() -> None:
    assert grids_alone(onsets_at(np.zeros(0), 20.0), no_chroma(20.0), 20.0) == []
    assert grids_alone(onsets_at(np.array([1.0]), 2.0), no_chroma(2.0), 0.0) == []
    assert grids_alone(onsets_at(np.array([0.1]), 0.3), no_chroma(0.3), 0.3, 120.0) == []
