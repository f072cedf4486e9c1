"""Phrases on bars: in step with the instrumental's phrases, in song order, never two at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processor.mashup.lanes import (
    Lane,
    Tune,
    beat_count,
    cuts_of,
    form_of,
    lengthened,
    limited,
    shortened,
    tune_of,
    voiced_beats,
    whole_lane,
)
from processor.mashup.listening import Backing, Line, Voice
from processor.mashup.match import Places
from processor.mashup.plan import Cut, Grid
from processor.mashup.structure import Ground, Laid, lay, may_share
from processor.mashup.sung import Bars, Phrase, phrases_of
from tests.mashup.heard import backing, grid, line, sung_bars, voice


def bars_of(beats: Grid, length: int = 4, beats_per_beat: float = 1.0, first: int = 0) -> Bars:
    return Bars(beats, first, length, beats_per_beat)


def even(rows: int, columns: int, fit: float = 0.5) -> Places:
    """Everything fits everywhere as well."""
    same = np.full((rows, columns), fit, np.float32)
    return Places(
        vocal_beats=4 * np.arange(rows),
        backing_beats=4 * np.arange(columns),
        sung=np.ones(rows, np.float32),
        score=same,
        harmonic=same,
        rhythmic=same,
        room=same,
        energy=same,
        overlap=same,
    )


def tuned(band: Backing) -> Tune:
    tune = tune_of(band)
    assert tune is not None
    return tune


def on(band: Backing, places: Places | None = None, lane: Lane | None = None) -> Ground:
    tune = tuned(band)
    lane = lane or whole_lane(tune)
    voiced = voiced_beats(band, tune, lane)
    return Ground(tune, lane, places or even(64, tune.beats.size), voiced, may_share(voiced))


def laid(sings: Voice, ground: Ground, beats: Grid) -> tuple[list[Phrase], Laid]:
    bars = bars_of(beats)
    phrases = phrases_of(sings, bars)
    return phrases, lay(phrases, bars, ground)


# Phrases


def test_lines_become_phrases_where_there_is_a_rest() -> None:
    sings = voice(sung_bars([4, 6, 12, 14]), grid())
    found = phrases_of(sings, bars_of(grid()))
    assert [(one.row, one.bars, one.label) for one in found] == [(4, 4, "phrase 1"), (12, 4, "phrase 2")]
    assert [one.part for one in found] == [0, 1]


def test_long_parts_are_cut_every_eight_bars_and_at_sections() -> None:
    sings = voice(sung_bars(range(4, 24, 2), length=1.9), grid(), sections=["verse"] * 8 + ["chorus"] * 2)
    found = phrases_of(sings, bars_of(grid()))
    assert [(one.row, one.label) for one in found] == [
        (4, "verse 1, phrase 1"),
        (12, "verse 1, phrase 2"),
        (20, "chorus 1"),
    ]


@pytest.mark.parametrize(("late", "row"), [(0.0, 4), (1.0, 4), (-1.0, 4), (-1.9, 4), (-2.4, 3)])
def test_an_upbeat_belongs_to_the_bar_after_it(late: float, row: int) -> None:
    found = phrases_of(voice(sung_bars([4], late_beats=late), grid()), bars_of(grid()))
    assert found[0].row == row
    assert found[0].anchor == 4 * row
    assert found[0].start_s < (16 + late) * 0.5
    assert found[0].lead_beats == pytest.approx(4 * row - 16 - late + 0.2)


def test_only_a_breath_of_the_silence_is_kept() -> None:
    sings = voice([Line(0.0, 40.0, 10.0, 12.0)], grid())
    found = phrases_of(sings, bars_of(grid()))[0]
    assert (found.start_s, found.end_s) == (pytest.approx(9.65), pytest.approx(13.2))
    assert found.fade_in_s <= 10.0 - found.start_s
    assert found.fade_out_s <= found.end_s - 12.0


def test_times_are_whole_milliseconds_and_neighbours_stay_neighbours() -> None:
    lines = [Line(7.9, 12.00049, 8.0, 11.9, "<b>Come\x1b on"), Line(12.00049, 20.1, 12.1, 20.0, "over")]
    found = phrases_of(voice(lines, grid(), sections=["verse", "chorus"]), bars_of(grid()))
    assert [(one.start_s, one.end_s) for one in found] == [(7.9, 12.0), (12.0, 20.1)]
    assert found[0].text == "<b>Come\ufffd on"


def test_double_and_half_time_have_other_bars() -> None:
    sings = voice(sung_bars([4, 10]), grid())
    twice = phrases_of(sings, bars_of(grid(), 8, 2.0))
    assert [(one.row, one.bars) for one in twice] == [(2, 1), (5, 1)]
    half = phrases_of(sings, bars_of(grid(), 2, 0.5))
    assert [(one.row, one.bars) for one in half] == [(8, 3), (20, 3)]


def test_phrases_begin_and_end_with_those_of_their_song() -> None:
    starts = 2.0 * np.arange(64)
    form = form_of(((0.0, 12.0, ""), (12.0, 44.0, ""), (44.0, 128.0, "")), starts)
    bars = Bars(grid(), 0, 4, 1.0, form)
    sings = voice(sung_bars(range(5, 31, 1), length=0.8), grid())
    found = phrases_of(sings, bars)
    assert [(one.row, one.place) for one in found] == [(5, 5), (6, 0), (14, 8), (22, 0), (30, 8)]
    assert {one.part for one in found} == {0}


# Bars


def test_sections_that_are_a_bar_off_are_put_in_step() -> None:
    band = backing(grid(), sections=[(0, 16, "intro"), (16, 46, "verse"), (46, 80, "chorus"), (80, 128, "outro")])
    tune = tuned(band)
    assert [int(i) for i in np.flatnonzero(tune.phrase == 0)] == [0, 8, 24, 40]
    assert tune.roles[7:9] == ("intro", "verse")


def test_silence_at_the_ends_is_not_played() -> None:
    band = backing(grid(first=2))
    sound = band.sound
    power = sound.power.copy()
    power[:95] = 0
    power[1000:] = 0
    tune = tuned(Backing(type(sound)(**{**sound.__dict__, "power": power}), (), band.voices_s, ""))
    lane = whole_lane(tune)
    assert cuts_of(tune, lane) == (Cut(18, 202),)
    assert lane.lead == 0


def test_the_upbeat_and_the_end_are_played() -> None:
    tune = tuned(backing(grid(first=3)))
    lane = whole_lane(tune)
    assert cuts_of(tune, lane) == (Cut(0, 256),)
    assert (lane.lead, lane.tail) == (3, 1)
    assert beat_count(tune, lane) == 256


def test_a_lane_becomes_longer_by_phrases() -> None:
    tune = tuned(backing(grid()))
    longer = lengthened(tune, whole_lane(tune), 13)
    assert longer.columns.size == 64 + 16
    assert cuts_of(tune, longer) == (Cut(0, 240), Cut(176, 256))
    assert lengthened(tune, whole_lane(tune), 200).columns.size >= 264
    short = tuned(backing(grid(seconds=6.0), 6.0))
    assert lengthened(short, whole_lane(short), 9).columns.size == 3 + 16


def test_a_lane_goes_to_its_outro() -> None:
    sections = [(0, 96, "verse"), (96, 112, "chorus"), (112, 128, "outro")]
    tune = tuned(backing(grid(), sections=sections))
    shorter = shortened(tune, whole_lane(tune), 18)
    assert shorter is not None
    assert cuts_of(tune, shorter) == (Cut(0, 80), Cut(224, 256))
    assert shortened(tune, whole_lane(tune), 50) is None
    assert shortened(tune, whole_lane(tune), 64) is None


def test_a_lane_has_an_end() -> None:
    tune = tuned(backing(grid()))
    assert limited(tune, whole_lane(tune), 200.0).columns.size == 64
    assert limited(tune, whole_lane(tune), 20.0).columns.size == 9


def test_without_a_bar_there_is_no_tune() -> None:
    assert tune_of(backing(None)) is None
    assert tune_of(backing(grid(seconds=1.0), 1.0)) is None


# Laying


def test_phrases_begin_where_phrases_begin() -> None:
    sings = voice(sung_bars([5, 7, 13, 15]), grid())
    phrases, found = laid(sings, on(backing(grid(first=0))), grid())
    assert found.bars.tolist() == [8, 16]
    assert [one.row for one in phrases] == [5, 13]
    assert found.sung_share == 1.0


def test_bars_of_both_forms_meet() -> None:
    form = form_of(((0.0, 20.0, ""), (20.0, 128.0, "")), 2.0 * np.arange(64))
    bars = Bars(grid(), 0, 4, 1.0, form)
    phrases = phrases_of(voice(sung_bars([12, 14], length=1.9), grid()), bars)
    found = lay(phrases, bars, on(backing(grid())))
    assert phrases[0].place == 2
    assert found.bars[0] % 8 == 2


def test_a_long_upbeat_is_heard_over_the_bar_before() -> None:
    places = even(64, 64, 0.5)
    places.score[7, 19] = 1.0
    phrases, found = laid(voice(sung_bars([8], late_beats=-1.8), grid()), on(backing(grid()), places), grid())
    assert phrases[0].row == 8
    assert found.bars.tolist() == [20]


def test_what_is_told_has_no_holes_where_it_costs_little() -> None:
    places = even(64, 64, 0.5)
    sings = voice(sung_bars([0, 8, 16, 24], length=7.0), grid(), sections=["verse", "chorus", "verse", "chorus"])
    short = backing(grid(seconds=58.0), 58.0)
    places.score[8:16] = 0.35
    _, found = laid(sings, on(short, places), grid())
    sung = np.flatnonzero(found.bars >= 0)
    assert np.diff(sung).tolist() == [1] * (sung.size - 1)


def test_what_belongs_together_stays_together() -> None:
    sings = voice(sung_bars([4, 6, 8, 10, 13, 15], length=1.0), grid(), sections=["verse"] * 6)
    phrases, found = laid(sings, on(backing(grid())), grid())
    assert np.diff(found.bars).tolist() == np.diff([one.row for one in phrases]).tolist()
    assert found.is_anew.tolist() == [True] + [False] * (len(phrases) - 1)


def test_the_place_that_fits_is_taken() -> None:
    places = even(64, 64, 0.4)
    for i in range(4):
        places.score[4 + i, 32 + i] = 0.9
    sings = voice(sung_bars([4, 6], length=1.9), grid())
    _, found = laid(sings, on(backing(grid()), places), grid())
    assert found.bars.tolist() == [32]
    assert found.fits[0] == pytest.approx(0.9, abs=0.01)


def test_choruses_are_sung_over_choruses() -> None:
    sections = [(0, 16, "intro"), (16, 48, "verse"), (48, 80, "chorus"), (80, 128, "verse")]
    sings = voice(sung_bars([20, 22], length=1.9), grid(), sections=["chorus"] * 2)
    _, found = laid(sings, on(backing(grid(), sections=sections)), grid())
    assert 24 <= found.bars[0] < 40


def test_never_two_voices() -> None:
    band = backing(grid(), voices_s=[(0, 40), (56, 70)])
    sings = voice(sung_bars([4, 6, 12, 14, 20, 22]), grid())
    phrases, found = laid(sings, on(band), grid())
    for phrase, bar in zip(phrases, found.bars.tolist(), strict=True):
        start, end = 2.0 * bar, 2.0 * (bar + phrase.bars - 0.5)
        assert start >= 39.5
        assert start >= 69.5 or end <= 56.5
    assert (found.shared < 0.1).all()


def test_where_all_is_sung_it_costs_and_is_told() -> None:
    ground = on(backing(grid(), voices_s=[(0, 100)]))
    assert ground.may_share
    _, found = laid(voice(sung_bars([4, 6]), grid()), ground, grid())
    assert found.bars[0] * 2.0 >= 98
    assert found.shared[0] == pytest.approx(0.0, abs=0.2)


def test_what_has_no_place_is_left_out() -> None:
    short = backing(grid(seconds=32.0), 32.0)
    sings = voice(sung_bars([4, 12, 20, 28, 36, 44], length=6.0), grid())
    _, found = laid(sings, on(short, even(64, 16)), grid())
    assert 0 < (found.bars >= 0).sum() < 6
    assert 0 < found.sung_share < 1
    nothing = on(backing(grid(), voices_s=[(0, 60), (66, 128)]), even(64, 64))
    ground = Ground(nothing.tune, nothing.lane, nothing.places, nothing.voiced, may_share=False)
    assert (laid(sings, ground, grid())[1].bars < 0).all()


@given(
    st.lists(st.tuples(st.floats(0.05, 9.0), st.floats(0.2, 14.0)), min_size=1, max_size=25),
    st.sampled_from([(4, 1.0), (8, 2.0), (2, 0.5), (3, 1.0)]),
    st.integers(0, 3),
    st.integers(12, 128),
)
@settings(max_examples=60, deadline=None)
def test_phrases_never_meet(rests: list[tuple[float, float]], way: tuple[int, float], first: int, seconds: int) -> None:
    lines, at = [], 0.0
    for rest, length in rests:
        at += rest
        lines.append(line(at, at + length, 0.02))
        at += length
    beats = grid(117.0, at + 3.0)
    sings = voice(lines, beats, at + 3.0)
    bars = bars_of(beats, way[0], way[1], first % way[0])
    band = backing(grid(seconds=seconds), seconds)
    ground = on(band, even(200, 64))
    phrases = phrases_of(sings, bars)
    found = lay(phrases, bars, ground)
    total, last = beat_count(ground.tune, ground.lane), -1e-9
    for phrase, bar in zip(phrases, found.bars.tolist(), strict=True):
        assert 0 <= phrase.anchor < len(beats.beats_s)
        if bar >= 0:
            start = ground.lane.lead + 4 * bar - phrase.lead_beats
            assert start >= last - 1e-9
            last = ground.lane.lead + 4 * bar + phrase.tail_beats
    assert last <= total + 1e-9
    assert sum(len(one.lines_s) for one in phrases) == len(lines)
