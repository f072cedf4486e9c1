"""Whole plans for made-up songs: what a DJ would do with them is known."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processor.mashup.balance import ratio_lu
from processor.mashup.gains import DUCKED_SHARE, with_gains
from processor.mashup.keys import moved
from processor.mashup.listening import UNHEARD, Backing, Voice
from processor.mashup.paces import pace_of
from processor.mashup.plan import Cut, Plan, PlanError, duration_s, mashup_beats_s, time_map
from processor.mashup.plan_checks import LONGEST_S, validate
from processor.mashup.plan_files import from_toml, to_toml
from processor.mashup.planner import MOST_PLANS, plans
from processor.mashup.wishes import Wishes
from tests.mashup.heard import (
    C,
    F,
    G,
    a_plan,
    backing,
    grid,
    line,
    songs,
    sung_bars,
    transposed,
    voice,
)

SURE: Any = ({"beats": SimpleNamespace(downbeat_confidence=0.9)}, {})
F_SHARP = (6, 10, 1)
# Eight bars that are unlike each other, and with them their places: no chord comes twice in a row.
SONG = (C, F, (2, 5, 9), G, (4, 7, 11), (9, 0, 4), (10, 2, 5), G)


def sure_songs() -> Any:
    """Songs whose downbeats are known."""
    sings, plays = songs(SURE)
    return replace(sings, is_whole_song=True), plays


def planned(sings: Voice, band: Backing, wishes: Wishes | None = None, both: Any = None) -> list[Plan]:
    found = plans(sings, band, both or sure_songs(), wishes)
    assert 1 <= len(found) <= MOST_PLANS
    for plan in found:
        assert validate(plan, sings.sound.duration_s, band.sound.duration_s) is plan
        assert from_toml(to_toml(plan)) == plan
        assert plan.reasons
        assert all(reason[-1] in ".)" for reason in plan.reasons)
        assert 0 <= plan.fit.score <= 1
    return found


def starts_s(plan: Plan) -> list[tuple[float, float]]:
    """When each segment begins and ends in the mashup."""
    maps = [time_map(plan, segment)[1] for segment in plan.segments]
    return [(float(target[0]), float(target[-1])) for target in maps]


VERSE = sung_bars([8, 10, 12, 14, 16, 18, 20, 22], length=1.8)


@pytest.mark.parametrize("shift", [-3, -2, -1, 0, 1, 2, 3])
def test_the_shift_that_fits_is_found(shift: int) -> None:
    sings = voice(VERSE, grid(), chords=transposed(SONG, -shift))
    sings = replace(sings, sound=replace(sings.sound, key=moved("C major", -shift)))
    plan = planned(sings, backing(grid(), chords=SONG))[0]
    assert plan.vocal_shift_semitones == shift
    assert plan.instrumental_shift_semitones == 0
    assert plan.fit.harmonic is not None
    assert any(one.what != f"shift {shift}" for one in plan.rejections)


def test_a_person_may_say_the_shift() -> None:
    sings = voice(VERSE, grid(), chords=SONG)
    found = planned(sings, backing(grid(), chords=SONG), Wishes(vocal_shift_semitones=1.5))
    assert {plan.vocal_shift_semitones for plan in found} == {1.5}


def test_phrases_lie_on_phrases() -> None:
    sings = voice(sung_bars([5, 7, 9, 11, 21, 23, 25, 27], length=1.8), grid(), chords=SONG)
    plan = planned(sings, backing(grid(), chords=SONG))[0]
    assert [segment.beat % 16 for segment in plan.segments] == [0] * len(plan.segments)
    assert plan.cuts[0].first_beat == 0
    assert plan.tempo_bpm == 120.0
    assert len(plan.segments) >= 2


def test_words_of_a_title_are_no_matter() -> None:
    sings, plays = sure_songs()
    sings = replace(sings, title='x"]\n[[cuts]]\x00\u202e' * 50, name="../../etc")
    plan = planned(voice(VERSE, grid(), chords=SONG), backing(grid(), chords=SONG), both=(sings, plays))[0]
    assert "\n" not in plan.vocals.title
    assert "\x00" not in plan.vocals.title
    assert len(plan.name) < 400
    assert planned(voice(VERSE, grid()), backing(grid()), Wishes(name="Mine"))[0].name == "Mine"


def test_cuts_lie_in_silence() -> None:
    lines = sung_bars([8, 10, 12, 16, 18, 20, 25, 27, 29], length=1.7)
    sings = voice(lines, grid(123.0), chords=SONG)
    plan = planned(sings, backing(grid(), chords=SONG))[0]
    for segment in plan.segments:
        for at in (segment.start_s, segment.end_s):
            assert not any(one.sounds_from_s < at < one.sounds_to_s for one in lines)
        first = min(one.sounds_from_s for one in lines if one.sounds_from_s >= segment.start_s)
        last = max(one.sounds_to_s for one in lines if one.sounds_to_s <= segment.end_s)
        assert segment.fade_in_s <= first - segment.start_s + 1e-9
        assert segment.fade_out_s <= segment.end_s - last + 1e-9


def test_the_same_songs_give_the_same_plans() -> None:
    sings, band = voice(VERSE, grid(113.0), chords=SONG), backing(grid(), chords=SONG)
    assert planned(sings, band) == planned(sings, band)


# Tempo


@pytest.mark.parametrize(("vocals", "way"), [(124.0, 1.0), (240.0, 2.0), (61.0, 0.5), (110.0, 1.0)])
def test_half_and_double_time(vocals: float, way: float) -> None:
    lines = sung_bars([8, 10, 12, 14], vocals, length=1.8)
    sings = voice(lines, grid(vocals, 256.0), 256.0, chords=SONG)
    plan = planned(sings, backing(grid(), chords=SONG))[0]
    assert plan.vocal_beats_per_beat == way
    assert plan.tempo_bpm == 120.0
    source, target = time_map(plan, plan.segments[0])
    assert (target[-1] - target[0]) / (source[-1] - source[0]) == pytest.approx(vocals / way / 120, rel=1e-6)


def test_tempi_that_do_not_meet() -> None:
    sings, band = voice(sung_bars([8, 10], 85.0), grid(85.0)), backing(grid())
    with pytest.raises(PlanError, match=r"85\.0 BPM.*120\.0.*--vocal-tempo.*--force"):
        plans(sings, band, sure_songs())
    forced = planned(sings, band, Wishes(force=True))[0]
    assert any("Warning" in reason for reason in forced.reasons)
    wide = planned(voice(sung_bars([8, 10], 104.0), grid(104.0)), band)
    assert any("Warning: more than 12%" in reason for reason in wide[0].reasons)
    between = [plan.tempo_bpm for plan in wide if plan.tempo_bpm != 120.0]
    assert between == [pytest.approx((104 * 120) ** 0.5, abs=0.01)]


def test_a_person_says_the_tempo() -> None:
    sings, band = voice(VERSE, grid(), chords=SONG), backing(grid(), chords=SONG)
    found, own = planned(sings, band, Wishes(tempo_bpm=126.0)), planned(sings, band)
    assert {plan.tempo_bpm for plan in found} == {126.0}
    assert found[0].cuts == own[0].cuts
    assert duration_s(found[0]) == pytest.approx(duration_s(own[0]) * 120 / 126)


def heard_at(tempo_bpm: float, confidence: float, *others: float) -> Voice:
    """A voice alone, with the tempi that it could have too."""
    sings = voice(VERSE, grid(tempo_bpm))
    grids = tuple(grid(other) for other in others)
    return replace(sings, sound=replace(sings.sound, grid_confidence=confidence, other_grids=grids))


def test_another_tempo_is_taken_only_from_a_voice_that_is_not_sure() -> None:
    band = backing(grid())
    plan = planned(heard_at(90.0, 0.55, 200.0, 122.0), band, both=songs())[0]
    assert plan.vocals.grid.tempo_bpm == 122.0
    assert re.match(r"Warning: the vocals sound like 90\.00 BPM.*55%.*122\.00 BPM.*--vocal-tempo", plan.reasons[0])
    assert not any("tempo is not sure" in reason for reason in plan.reasons)
    with pytest.raises(PlanError, match=r"90\.0 BPM, the mashup 120\.0.*33\.3% faster.*--vocal-tempo"):
        plans(heard_at(90.0, 0.7, 200.0, 122.0), band, songs())


def test_the_tempo_that_was_heard_is_kept_where_it_is_within_reach() -> None:
    plan = planned(heard_at(103.0, 0.55, 120.0), backing(grid()), both=songs())[0]
    assert plan.vocals.grid.tempo_bpm == 103.0
    assert any("become 16.5% faster" in reason for reason in plan.reasons)
    assert any("Warning: more than 12%" in reason for reason in plan.reasons)
    assert any("Warning: the vocals' tempo is not sure (55%" in reason for reason in plan.reasons)


def test_twice_the_tempo_is_no_other_one() -> None:
    # Over three beats a bar nothing is sung in half time; a voice heard at half its tempo is taken at the whole one.
    plan = planned(heard_at(60.0, 0.97, 155.0, 120.0), backing(grid(metre=3)), both=songs())[0]
    assert plan.vocals.grid.tempo_bpm == 120.0
    assert not any("Warning: the vocals sound" in reason for reason in plan.reasons)


def test_that_a_change_is_heard_is_told_by_the_change_that_is_told() -> None:
    plan = planned(voice(sung_bars([8, 10], 140.0), grid(140.0)), backing(grid(124.0)))[0]
    assert any("become 11.4% slower" in reason for reason in plan.reasons)
    assert not any("more than 12%" in reason for reason in plan.reasons)


@pytest.mark.parametrize(
    ("present", "is_whole", "told"),
    [
        (False, True, "models hear nobody sing in Sings (sure by 90%)"),
        (False, False, "does not sound like a voice: models hear no voice"),
        (True, True, None),
        (None, True, None),
        (True, False, None),
    ],
)
def test_vocals_in_which_nobody_sings(present: bool | None, is_whole: bool, told: str | None) -> None:
    heard: Any = {"vocals": SimpleNamespace(present=present, confidence=0.9)}
    first, second = songs((heard, {}))
    both = (replace(first, is_whole_song=is_whole), second)
    plan = planned(voice(VERSE, grid()), backing(grid()), both=both)[0]
    if told is None:
        assert not any("models hear" in reason for reason in plan.reasons[:1])
    else:
        assert plan.reasons[0].startswith("Warning: ")
        assert told in plan.reasons[0]


@pytest.mark.parametrize(
    ("sub_db", "strikes_db", "told"),
    [(-26.0, 22.0, True), (-29.0, 7.0, False), (-7.0, None, True), (-7.0, 17.0, True), (-60.0, 22.0, False)],
)
def test_drums_supplied_as_vocals_where_no_model_listens(sub_db: float, strikes_db: float | None, told: bool) -> None:
    heard: Any = {
        "material": SimpleNamespace(kind="solo", confidence=0.8),
        "spectrum": SimpleNamespace(sub_db=sub_db, mids_db=-15.0),
        "transients": SimpleNamespace(attack_strength_db=strikes_db),
    }
    plan = planned(voice(VERSE, grid()), backing(grid()), both=songs((heard, {})))[0]
    assert ("a voice alone does not strike like drums" in plan.reasons[0]) == told


def test_a_whole_song_supplied_as_vocals() -> None:
    heard: Any = {
        "vocals": SimpleNamespace(present=True, confidence=0.9),
        "material": SimpleNamespace(kind="mix", confidence=0.95),
        "spectrum": SimpleNamespace(sub_db=-20.0, mids_db=-18.0),
    }
    plan = planned(voice(VERSE, grid()), backing(grid()), both=songs((heard, {})))[0]
    assert re.match("Warning: Sings is played as vocals, but it sounds like a whole song", plan.reasons[0])


def test_three_and_four_do_not_meet_and_that_is_said() -> None:
    plan = planned(voice(VERSE, grid(metre=3)), backing(grid()))[0]
    assert any("3 beats a bar" in reason for reason in plan.reasons)


# What cannot be done


def test_what_is_missing_is_said() -> None:
    sings, band = voice(VERSE, grid()), backing(grid())
    with pytest.raises(PlanError, match=r"no beat.*--vocal-tempo"):
        plans(replace(sings, sound=replace(sings.sound, grid=None)), band, songs())
    with pytest.raises(
        PlanError, match=r"instrumental of Plays.*no beat.*--instrumental-tempo.*linernotes set TRACK tempo_bpm"
    ):
        plans(sings, replace(band, sound=replace(band.sound, grid=None)), songs())
    with pytest.raises(PlanError, match="Nobody sings"):
        plans(replace(sings, lines=(), sections=()), band, songs())
    silent = replace(band, sound=replace(band.sound, power=np.zeros(1280)))
    with pytest.raises(PlanError, match="is silent"):
        plans(sings, silent, songs())
    endless = replace(sings, sound=replace(sings.sound, grid=grid(300.0, 4100.0)))
    with pytest.raises(PlanError, match="beats; a mashup"):
        plans(endless, band, songs())


def test_a_backing_full_of_voices_leaves_no_room() -> None:
    sings = voice(sung_bars([8, 10, 12, 14], length=1.9), grid())
    band = backing(grid(), voices_s=[(4.0 * i, 4.0 * i + 2.2) for i in range(32)])
    with pytest.raises(PlanError, match=r"others sing in 5\d% of it.*--force"):
        plans(sings, band, sure_songs())
    forced = planned(sings, band, Wishes(force=True))[0]
    assert any("others sing at the same time" in reason for reason in forced.reasons)


def test_that_nobody_knows_of_other_voices_is_said() -> None:
    sings, band = voice(sung_bars([8, 10, 12, 14], length=1.9), grid()), backing(grid())
    told = planned(sings, replace(band, voices_from=UNHEARD))[0]
    assert told.fit.overlap is None
    assert any("is not known: no model has heard it" in reason for reason in told.reasons)
    assert planned(sings, band)[0].fit.overlap == 1.0


# How much of the instrumental


def test_a_short_instrumental_is_repeated_where_too_little_would_be_sung() -> None:
    lines = sung_bars(range(4, 60, 2), length=1.8)
    sings = voice(lines, grid(), chords=SONG)
    found = planned(sings, backing(grid(seconds=32.0), 32.0, chords=SONG))
    assert len(found[0].cuts) > 1
    assert duration_s(found[0]) >= 112
    assert any("are repeated" in reason for reason in found[0].reasons)
    assert any(plan.cuts == (Cut(0, 64),) for plan in found)


def test_a_wish_repeats_it_for_all_that_is_sung() -> None:
    lines = sung_bars(range(4, 34, 2), length=1.8)
    sings, band = voice(lines, grid(), chords=SONG), backing(grid(seconds=48.0), 48.0, chords=SONG)
    plain, filled = planned(sings, band)[0], planned(sings, band, Wishes(fill=True))[0]
    assert plain.cuts == (Cut(0, 96),)
    assert any("`--fill`" in reason for reason in plain.reasons)
    assert len(filled.cuts) > 1
    sung = [sum(one.end_s - one.start_s for one in plan.segments) for plan in (plain, filled)]
    assert sung[1] > sung[0]
    assert all(cut.first_beat % 4 == 0 and (cut.end_beat - cut.first_beat) % 4 == 0 for cut in filled.cuts)


def test_after_the_vocals_it_goes_to_the_end() -> None:
    sections = [(0.0, 112.0, "verse"), (112.0, 128.0, "outro")]
    plan = planned(voice(sung_bars([4, 6, 8], length=1.8), grid()), backing(grid(), sections=sections))[0]
    assert len(plan.cuts) == 2
    assert plan.cuts[1] == Cut(224, 256)
    assert plan.cuts[0].end_beat % 16 == 0
    assert any("One cut over all" in reason for reason in plan.reasons)


def test_nothing_lasts_for_ever() -> None:
    beats = grid(120.0, 2000.0)
    plan = planned(voice(VERSE, grid()), backing(beats, 2000.0))[0]
    assert duration_s(plan) <= LONGEST_S


# Bars, keys and gains


def test_where_bars_begin_is_tried() -> None:
    far = (C, F_SHARP)
    sings = voice(VERSE, grid(), chords=far)
    wrong = replace(sings, sound=replace(sings.sound, grid=grid(first=2)))
    found = planned(wrong, backing(grid(), chords=far), both=songs())[0]
    assert found.vocals.grid.first_downbeat == 0
    assert any("every beat was tried" in reason for reason in found.reasons)
    trusted = planned(wrong, backing(grid(), chords=far))[0]
    assert trusted.vocals.grid.first_downbeat == 2


def test_bars_of_a_voice_stay_where_they_were_heard_if_others_fit_a_little_better() -> None:
    sings = voice(VERSE, grid(), chords=SONG)
    guessed = replace(sings, sound=replace(sings.sound, grid=grid(first=2)))
    found = planned(guessed, backing(grid(), chords=SONG), both=songs())
    assert found[0].vocals.grid.first_downbeat == 2
    assert found[1].vocals.grid.first_downbeat != 2
    assert found[1].fit.score > found[0].fit.score


def test_other_beats_of_a_voice_alone_are_plans_of_their_own() -> None:
    sings = voice(VERSE, grid(), chords=SONG)
    late, slower = grid(at_s=0.125), grid(100.0)
    unsure = replace(sings, sound=replace(sings.sound, other_grids=(late, slower)))
    found = planned(unsure, backing(grid(), chords=SONG), both=songs())
    assert found[0].vocals.grid.beats_s[0] == 0.0
    assert any("begin 0.25 beats later; other plans have them there" in reason for reason in found[0].reasons)
    assert found[1].vocals.grid == late
    assert any("begin 0.25 beats later than first guessed" in reason for reason in found[1].reasons)
    # What is sung a quarter of a beat behind those beats is heard that much earlier.
    starts = [time_map(plan, plan.segments[0])[1][0] - plan.segments[0].start_s for plan in found[:2]]
    assert (starts[0] - starts[1]) % 2.0 == pytest.approx(0.125, abs=1e-6)
    assert all(plan.vocals.grid.tempo_bpm == 120.0 for plan in found)


def test_an_unsure_downbeat_of_a_whole_song_is_kept_and_another_one_offered() -> None:
    sings = voice(VERSE, grid(), chords=SONG)
    unsure: Any = ({"beats": SimpleNamespace(downbeat_confidence=0.4)}, {})
    first, second = songs(unsure)
    found = planned(sings, backing(grid(), chords=SONG), both=(replace(first, is_whole_song=True), second))
    assert found[0].vocals.grid.first_downbeat == 0
    assert any("the first guess is taken" in reason for reason in found[0].reasons)
    other = [plan for plan in found if plan.vocals.grid.first_downbeat != 0]
    assert len(other) == 1
    assert any("later than first guessed" in reason for reason in other[0].reasons)


def test_vocals_move_with_the_keys() -> None:
    up = transposed(SONG, 2)
    band = backing(grid(), chords=SONG * 4 + up * 4)
    path = SimpleNamespace(
        intervals_s=np.array([[0.0, 64.0], [64.0, 128.0]]), names=("C major", "D major"), tuning_cents=None
    )
    lines = sung_bars(range(8, 56, 2), length=1.8)
    sings = voice(lines, grid(), chords=SONG, sections=["verse"] * len(lines))
    first, second = sure_songs()
    plan = planned(sings, band, both=(first, replace(second, results={"key": path})))[0]
    by_place = {segment.beat >= 128: segment.extra_semitones for segment in plan.segments}
    if plan.vocal_shift_semitones == 0:
        assert by_place == {False: 0.0, True: 2.0}
        assert any("key moves" in reason for reason in plan.reasons)
    else:
        assert by_place[True] != by_place[False]


def test_vocals_stand_over_what_plays_under_them() -> None:
    sings = voice(VERSE, grid(), chords=SONG, lufs=-31.0)
    band = backing(grid(), chords=SONG, lufs=-17.0)
    for wanted in (-3.0, 0.0, 4.0):
        plan = planned(sings, band, Wishes(vocal_to_backing_lu=wanted))[0]
        gains = [segment.gain_db for segment in plan.segments]
        assert plan.duck is not None
        given = DUCKED_SHARE * plan.duck.depth_db  # what the backing gives way counts, too
        assert np.array(gains) - plan.instrumental_gain_db == pytest.approx(14.0 + wanted - given, abs=0.3)
        assert max(gains) <= 13.0


def test_a_quiet_part_has_quieter_vocals() -> None:
    band = backing(grid(), chords=SONG)
    power = band.sound.power.copy()
    power[640:] /= 10**0.3
    band = replace(band, sound=replace(band.sound, power=power))
    plan = a_plan(
        vocals=replace(a_plan().vocals, grid=grid()),
        instrumental=replace(a_plan().instrumental, grid=grid()),
        tempo_bpm=120.0,
        cuts=(Cut(0, 256),),
        segments=tuple(
            replace(one, start_s=at, end_s=at + 8.0, vocal_beat=int(at * 2), beat=beat, extra_semitones=0.0)
            for one, at, beat in zip(a_plan().segments, (8.0, 18.0), (32, 160), strict=True)
        ),
        vocal_to_backing_lu=0.0,
    )
    sings = voice([line(8.0, 16.0), line(18.0, 26.0)], grid())
    loud, quiet = (segment.gain_db for segment in with_gains(plan, sings, band).segments)
    assert loud - quiet == pytest.approx(3.0, abs=0.1)
    assert ratio_lu(np.ones(10), np.ones(10)) == pytest.approx(0.0)


def test_pace_keeps_what_is_the_same() -> None:
    found = pace_of(grid(120.1), grid(120.0), Wishes())
    assert found.tempo_bpm == 120.0
    assert any("keep their tempo" in reason for reason in found.reasons)


@given(
    st.lists(st.tuples(st.floats(0.3, 12.0), st.floats(0.4, 11.0)), min_size=1, max_size=18),
    st.sampled_from([118.0, 122.0, 131.0, 61.0, 238.0]),
    st.integers(20, 140),
    st.lists(st.tuples(st.floats(1.0, 30.0), st.floats(0.5, 8.0)), max_size=5),
    st.booleans(),
)
@settings(max_examples=15, deadline=None)
def test_whatever_is_sung_no_two_are_sung_at_once(
    rests: list[tuple[float, float]],
    tempo: float,
    seconds: int,
    voices: list[tuple[float, float]],
    fill: bool,
) -> None:
    lines, at = [], 0.0
    for rest, length in rests:
        lines.append(line(at + rest, at + rest + length, 0.1))
        at += rest + length
    others, past = [], 0.0
    for rest, length in voices:
        others.append((past + rest, past + rest + length))
        past += rest + length
    sings = voice(lines, grid(tempo, at + 2.0), at + 2.0, chords=SONG)
    band = backing(grid(seconds=seconds), float(seconds), chords=SONG, voices_s=others)
    found: list[Plan] = []
    with contextlib.suppress(PlanError):
        found = planned(sings, band, Wishes(fill=fill), both=songs())
    for plan in found:
        places = starts_s(plan)
        assert all(before[1] <= after[0] + 1e-6 for before, after in pairwise(places))
        assert places[0][0] >= -1e-6
        assert places[-1][1] <= float(mashup_beats_s(plan)[-1]) + 1e-6
