"""Offsets that were put in are found again, whichever layer has them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from processor.mashup.offsets import Heard, Offsets, landings, measure
from processor.mashup.plan import Plan
from processor.mashup.rises import FRAME_RATE, Envelope, attacks, envelope, lag_s, warped
from tests.mashup.landed import RATE, SUNG_BPM, backing_of, grid, kick, plan, played, sung, syllable, vocals_of
from tests.signals import Samples, noise, silence, sine

SOURCE, BACKING = envelope(sung()), backing_of(plan())
BACKING_SOURCE = envelope(np.concatenate([np.zeros(round(0.2 * RATE), np.float32), BACKING]))
SONG = played(np.array(grid(SUNG_BPM).beats_s), 40.0, kick()) + sung()
SONG_ATTACKS = attacks(SONG)


def heard(made: Plan, vocals: Samples, backing: Samples, song: Samples | None = SONG) -> Heard:
    return Heard(
        vocals=envelope(vocals),
        vocals_source=SOURCE,
        backing=envelope(backing),
        backing_source=BACKING_SOURCE,
        song_attacks=SONG_ATTACKS if song is SONG else None,
        backing_attacks=attacks(backing),
    )


def found(vocals_ms: float = 0.0, backing_ms: float = 0.0, song: Samples | None = SONG) -> Offsets:
    made = plan()
    return measure(made, heard(made, vocals_of(made, vocals_ms / 1000), backing_of(made, backing_ms / 1000), song))


@pytest.mark.parametrize("song", [SONG, None], ids=["song", "vocals only"])
@pytest.mark.parametrize(("vocals_ms", "backing_ms"), [(0, 0), (5, 0), (20, 0), (-40, 0), (0, 5), (0, -40), (20, 20)])
def test_what_was_put_in_is_found(vocals_ms: float, backing_ms: float, song: Samples | None) -> None:
    one = found(vocals_ms, backing_ms, song)
    wanted = vocals_ms - backing_ms
    assert float(np.median(one.offset_ms)) == pytest.approx(wanted, abs=1.5)
    assert one.median_ms == pytest.approx(abs(wanted), abs=1.5)
    assert one.p95_ms == pytest.approx(abs(wanted), abs=3.0)
    assert one.worst_ms == pytest.approx(abs(wanted), abs=2.0)
    assert one.beats.size > 25
    assert [section.label for section in one.sections] == ["verse", "chorus"]


def test_it_says_what_it_rests_on() -> None:
    assert "attacks of both songs" in found().measured_from
    assert "believed" in found(song=None).measured_from


def test_a_wrong_grid_is_an_offset() -> None:
    """Beats of the vocals' song that are said to come 30 ms late put its vocals 30 ms early, times the stretch."""
    made = plan()
    late = replace(made.vocals.grid, beats_s=tuple(beat + 0.03 for beat in made.vocals.grid.beats_s))
    made = replace(made, vocals=replace(made.vocals, grid=late))
    one = measure(made, heard(made, vocals_of(made), backing_of(made)))
    assert float(np.median(one.offset_ms)) == pytest.approx(-30 * 100 / 108, abs=2.0)
    blind = measure(made, heard(made, vocals_of(made), backing_of(made), None))
    assert blind.median_ms == pytest.approx(0.0, abs=1.5)


def test_one_section_that_is_off_is_named() -> None:
    made = plan()
    early, late = vocals_of(made), vocals_of(made, 0.035)
    half = early.size // 2
    one = measure(made, heard(made, np.concatenate([early[:half], late[half:]]), backing_of(made)))
    assert one.worst_ms == pytest.approx(35, abs=2.0)
    first, second = one.sections
    assert first.offset_ms == pytest.approx(0, abs=2.0)
    assert second.offset_ms == pytest.approx(35, abs=2.0)
    assert (second.label, second.segment) == ("chorus", 1)


@pytest.mark.parametrize(("ratio", "first"), [(2.0, 4), (0.5, 4)])
def test_half_and_double_time(ratio: float, first: int) -> None:
    made = plan()
    beats = made.vocals.grid.beats_s
    last = first + round(10 * ratio)
    segment = replace(made.segments[0], start_s=beats[first], end_s=beats[last], vocal_beat=first)
    made = replace(made, vocal_beats_per_beat=ratio, segments=(segment,))
    one = measure(made, heard(made, vocals_of(made, 0.02), backing_of(made)))
    assert one.median_ms == pytest.approx(20, abs=3.5)


def test_long_segments_are_told_by_eight_bars() -> None:
    made = plan()
    beats = made.vocals.grid.beats_s
    long = replace(made.segments[0], start_s=beats[4], end_s=beats[52], vocal_beat=4, beat=4)
    made = replace(made, segments=(long,))
    one = measure(made, heard(made, vocals_of(made), backing_of(made)))
    assert [(section.first_beat, section.end_beat) for section in one.sections] == [(4, 28), (28, 52)]


@pytest.mark.parametrize("which", ["vocals", "everything"])
def test_silence_has_no_offset(which: str) -> None:
    made = plan()
    nothing = silence(36.0, rate=RATE)[0]
    one = measure(made, heard(made, nothing, backing_of(made) if which == "vocals" else nothing))
    assert (one.median_ms, one.p95_ms, one.worst_ms, one.beats.size) == (None, None, None, 0)
    assert one.sharpness is None or one.sharpness < 0.1


def test_another_voice_than_the_source_has_no_offset() -> None:
    made = plan()
    other = played(np.arange(0.37, 36, 0.531), 36.0, syllable())
    one = measure(made, heard(made, other, backing_of(made)))
    assert one.beats.size < 8


def test_empty_files() -> None:
    made = plan()
    nothing = np.zeros(0, np.float32)
    one = measure(made, Heard(*[Envelope(nothing)] * 4, nothing, nothing))
    assert one.median_ms is None


# Sharpness


def test_what_is_not_stretched_keeps_its_sharpness() -> None:
    assert found().sharpness == pytest.approx(1.0, abs=0.03)
    assert found(30).sharpness == pytest.approx(1.0, abs=0.03)


def test_blurred_attacks_have_lost_it() -> None:
    made = plan()
    soft = measure(made, heard(made, vocals_of(made, sound=syllable(rise_s=0.05)), backing_of(made)))
    assert soft.sharpness is not None
    assert soft.sharpness < 0.75


# Parts


def test_landings_follow_a_grid_that_drifts() -> None:
    beats = np.array(grid(120.0, beats=128).beats_s)
    strikes = attacks(played(beats + 0.0002 * np.arange(128), 66.0, kick()))
    late = landings(strikes, beats)
    assert late is not None
    assert 1000 * float(late[-8] - late[8]) == pytest.approx(0.2 * 112, abs=4)


@pytest.mark.parametrize(
    "sound", [sine(220, 40.0, -12, rate=RATE)[0], noise(40.0, rate=RATE)[0], np.zeros(99, np.float32)]
)
def test_what_has_no_beat_lands_nowhere(sound: Samples) -> None:
    assert landings(attacks(sound), np.array(grid(120.0).beats_s)) is None


@pytest.mark.parametrize("beats", [[], [1.0], [1.0, 1.0] * 20])
def test_landings_without_beats(beats: list[float]) -> None:
    assert landings(attacks(SONG), np.array(beats)) is None


@pytest.mark.parametrize("gain", [0.001, 0.1, 3.0])
def test_a_gain_changes_no_rise(gain: float) -> None:
    after = envelope(np.float32(gain) * sung())
    np.testing.assert_allclose(after.rise_db, SOURCE.rise_db, atol=0.05)


@pytest.mark.parametrize("ms", [-31.3, -2.2, 0.0, 7.7, 88.8])
def test_lags_between_the_frames(ms: float) -> None:
    late = round(ms * RATE / 1000)
    before, after = SOURCE.rise_db, envelope(np.roll(sung(), late)).rise_db
    lag = lag_s(after[4000:8000], before[4000:8000], FRAME_RATE)
    assert lag is not None
    assert 1000 * lag == pytest.approx(1000 * late / RATE, abs=0.3)


@pytest.mark.parametrize("size", [0, 10, 4000])
def test_nothing_has_no_lag(size: int) -> None:
    assert lag_s(np.zeros(size, np.float32), np.zeros(size, np.float32), FRAME_RATE) is None


def test_a_map_beyond_the_file_is_silence_there() -> None:
    first, curve = warped(SOURCE, np.array([-5.0, 100.0]), np.array([2.0, 107.0]))
    assert first == int(np.ceil(2.0 * FRAME_RATE))
    assert not curve[: round(4.9 * FRAME_RATE)].any()
    assert not curve[-100:].any()
    assert curve.any()
