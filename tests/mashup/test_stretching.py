"""Clicks land where the map says, tones have the pitch that was asked for, and what need not change does not."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from processor.mashup import stretching
from processor.mashup.placing import energies, lay, placed, quietest
from processor.mashup.stretching import (
    PEDALBOARD,
    PYRUBBERBAND,
    Samples,
    Sound,
    Unplayable,
    Way,
    along,
    check_way,
    stretched,
    stretcher,
    window,
)
from tests.signals import noise, silence, sine, spread

RATE = 44_100
Vector = NDArray[np.float64]


def clicks(seconds: float, every_s: float = 0.31, rate: int = RATE) -> tuple[Samples, Vector]:
    """Clicks in silence, different on both sides, and when they come."""
    found = silence(seconds, rate=rate, channels=2)
    times_s = np.round(np.arange(0.25, seconds - 0.15, every_s) * rate) / rate
    found[0, np.round(times_s * rate).astype(int)] = 0.5
    found[1, np.round(times_s * rate).astype(int)] = -0.3
    return found, times_s


def landed_ms(samples: Samples, wanted_s: Vector, rate: int = RATE) -> Vector:
    """How much later than wanted each click's energy has its middle."""
    found, around = [], round(0.1 * rate)
    for place in wanted_s * rate:
        begin = max(0, round(place) - around)
        energy = np.square(samples[0, begin : round(place) + around], dtype=np.float64)
        found.append((begin + energy @ np.arange(energy.size) / energy.sum() - place) / rate * 1000)
    return np.array(found)


def even(seconds: float, factor: float, at_s: float = 0.0, shift: float = 0.0) -> Way:
    source = np.array([0.0, seconds])
    return Way(source, at_s + source * factor, (0.0,), (shift,))


def hertz(samples: Samples, rate: int = RATE) -> float:
    """Frequency of the strongest tone, by the phase that it gains in a known time."""
    row = samples[0].astype(np.float64)
    size = row.size // 2
    first, later = (np.fft.rfft(row[start : start + size] * np.hanning(size)) for start in (0, size // 64))
    strongest = int(np.abs(first).argmax())
    gained = np.angle(later[strongest] / first[strongest]) / (2 * np.pi)
    turns = strongest * (size // 64) / size
    return float((np.round(turns - gained) + gained) * rate / (size // 64))


def cents(one: float, other: float) -> float:
    return float(1200 * np.log2(one / other))


@pytest.mark.parametrize("factor", [0.88, 0.97, 1.06, 1.12])
@pytest.mark.parametrize("shift", [0.0, -3.0])
def test_clicks_land_within_two_milliseconds(factor: float, shift: float) -> None:
    samples, times_s = clicks(4.0)
    way = even(4.0, factor, at_s=3.0, shift=shift)
    found = stretched(Sound(samples, RATE, keeps_formants=True), way, 3 * RATE, round((3 + 4 * factor) * RATE))
    late = landed_ms(found, way.at(times_s) - 3)
    assert np.abs(late).max() < 2
    assert abs(np.median(late)) < 1


def test_clicks_follow_beats_that_are_not_even() -> None:
    samples, times_s = clicks(8.0)
    source = np.arange(0, 8.1, 0.5)
    beats = 0.5 * (1.03 + 0.05 * np.sin(1.7 * np.arange(source.size - 1)))
    way = Way(source, np.concatenate([[0.0], np.cumsum(beats)]))
    found = stretched(Sound(samples, RATE), way, 0, round(way.out_s[-1] * RATE))
    assert np.abs(landed_ms(found, way.at(times_s))).max() < 2


@pytest.mark.parametrize("percussive", [False, True])
def test_long_sounds_do_not_drift(percussive: bool) -> None:
    """At this factor Rubber Band alone is 20 ms off after 20 s."""
    rate = 22_050
    samples, times_s = clicks(20.0, rate=rate)
    way = even(20.0, 0.97)
    part = placed(Sound(samples, rate, is_percussive=percussive), way, (0, round(20 * 0.97 * rate)), 8.0)
    assert len(part.joins) >= 2
    late = landed_ms(part.samples, way.at(times_s), rate)
    assert np.abs(late).max() < 2.5
    assert abs(late[-5:].mean() - late[:5].mean()) < 1


@pytest.mark.parametrize(("before", "after"), [(0.0, 2.0), (1.0, -2.0)])
def test_a_glide_does_not_move_time(before: float, after: float) -> None:
    samples, times_s = clicks(4.0)
    way = Way(np.array([0.0, 4.0]), np.array([0.0, 4.0]), (1.5, 2.0), (before, after))
    found = stretched(Sound(samples, RATE), way, 0, 4 * RATE)
    assert np.abs(landed_ms(found, times_s)).max() < 2.5


def test_a_glide_ends_at_its_pitch() -> None:
    samples = sine(440, 4.0, -12, rate=RATE, channels=2)
    way = Way(np.array([0.0, 4.0]), np.array([0.0, 4.0]), (1.5, 1.8), (0.0, 2.0))
    found = stretched(Sound(samples, RATE), way, 0, 4 * RATE)
    assert abs(cents(hertz(found[:, RATE // 4 : 5 * RATE // 4]), 440)) < 3
    assert abs(cents(hertz(found[:, 2 * RATE : 15 * RATE // 4]), 440 * 2 ** (2 / 12))) < 3


@pytest.mark.parametrize(("factor", "shift"), [(1.0, 3.0), (1.0, -3.0), (0.9, 0.0), (1.1, 1.0), (0.94, 0.5)])
def test_tones_are_shifted_by_exact_semitones(factor: float, shift: float) -> None:
    samples = sine(440, 4.0, -12, rate=RATE, channels=2)
    found = stretched(Sound(samples, RATE, keeps_formants=True), even(4.0, factor, 0.0, shift), 0, round(3.5 * RATE))
    assert abs(cents(hertz(found[:, RATE // 2 : 3 * RATE]), 440 * 2 ** (shift / 12))) < 3


def test_the_level_stays() -> None:
    samples = noise(4.0, -20, rate=RATE, channels=2)
    found = stretched(Sound(samples, RATE), even(4.0, 1.07), 0, 4 * RATE)
    assert np.sqrt(np.mean(found[:, RATE:-RATE] ** 2)) == pytest.approx(0.1, rel=0.1)


def test_mono_stays_mono_and_is_as_if_it_were_not() -> None:
    row = noise(3.0, -20, rate=RATE)[0]
    way = even(3.0, 1.05)
    same = stretched(Sound(spread(row), RATE), way, 0, 3 * RATE)
    assert np.array_equal(same[0], same[1])
    other = stretched(Sound(np.stack([row, row * np.float32(0.999)]), RATE), way, 0, 3 * RATE)
    assert np.abs(same[0] - other[0]).max() < 1e-3


def test_the_same_again_to_the_last_bit() -> None:
    samples = noise(3.0, -20, rate=RATE, channels=2)
    way = Way(np.array([0.0, 2.0, 3.0]), np.array([1.0, 3.1, 4.0]), (0.0,), (1.0,))
    first, again = (placed(Sound(samples, RATE, True), way, (RATE, 4 * RATE), 2.0).samples for _ in range(2))
    assert np.array_equal(first, again)


def test_what_need_not_change_is_copied_to_the_last_bit() -> None:
    samples = noise(20.0, -20, rate=8000, channels=2)
    beats = np.linspace(0.0, 20.0, 41)
    part = placed(Sound(samples, 8000), Way(beats, beats + 1.5), (12_000, 172_000), 4.0)
    assert np.array_equal(part.samples, samples)
    assert part.joins == ()


def test_a_part_that_need_not_change_is_copied_too() -> None:
    samples = noise(20.0, -20, rate=8000, channels=2)
    way = Way(np.array([0.0, 12.0, 20.0]), np.array([0.0, 12.0, 20.8]))
    part = placed(Sound(samples, 8000), way, (0, round(20.8 * 8000)), 4.0)
    first_join = part.joins[0]
    assert np.array_equal(part.samples[:, : first_join - 100], samples[:, : first_join - 100])
    assert not np.array_equal(part.samples[:, 15 * 8000 : 16 * 8000], samples[:, 15 * 8000 : 16 * 8000])


def test_silence_is_not_stretched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretching, "_in_process", lambda *_: pytest.fail("it was"))
    found = stretched(Sound(silence(2.0, rate=RATE, channels=2), RATE), even(2.0, 1.1), 0, 1000)
    assert found.shape == (2, 1000)
    assert not found.any()


@pytest.mark.parametrize("rate", [8000, 48_000])
def test_other_sample_rates(rate: int) -> None:
    samples, times_s = clicks(5.0, rate=rate)
    found = stretched(Sound(samples, rate), even(5.0, 1.06), 0, round(5.3 * rate))
    assert np.abs(landed_ms(found, times_s * 1.06, rate)).max() < 3


@pytest.mark.parametrize(("first", "end"), [(-2 * RATE, -RATE), (9 * RATE, 10 * RATE), (100, 100), (100, 101)])
def test_beyond_the_sound_is_silence(first: int, end: int) -> None:
    samples = noise(2.0, -20, rate=RATE, channels=2)
    found = placed(Sound(samples, RATE), even(2.0, 1.1), (first, end), 8.0).samples
    assert found.shape == (2, end - first)
    if end - first > 1:
        assert np.abs(found).max(initial=0.0) < 1e-4


def test_splits_are_where_it_is_quiet() -> None:
    samples = noise(24.0, -20, rate=8000)
    samples = spread(samples[0])
    pauses = (6.0, 12.5, 18.7)
    for pause in pauses:
        samples[:, int(pause * 8000) : int((pause + 0.2) * 8000)] = 0
    part = placed(Sound(samples, 8000), even(24.0, 1.05), (0, int(24 * 1.05 * 8000)), 8.0)
    joins_s = np.array(part.joins) / 8000 / 1.05
    assert len(joins_s) == 3
    assert all(pause < join_s < pause + 0.2 for pause, join_s in zip(pauses, joins_s, strict=True))


def test_joins_of_a_steady_tone_do_not_click() -> None:
    samples = sine(220, 10.0, -12, rate=RATE, channels=2)
    part = placed(Sound(samples, RATE), even(10.0, 1.03), (0, 10 * RATE), 4.0)
    steps = np.abs(np.diff(part.samples[0].astype(np.float64), 2))
    usual = float(np.percentile(steps, 99.9))
    assert part.joins
    for join in part.joins:
        assert steps[join - 600 : join + 600].max() < 2 * usual


@pytest.mark.parametrize("common", [1.0, 0.0, -0.5])
def test_going_over_keeps_the_level(common: float) -> None:
    first, other = (noise(1.0, -20, rate=8000, channels=2, seed=seed) for seed in (0, 1))
    second = np.float32(common) * first + np.float32(np.sqrt(1 - common**2)) * other
    found = first.copy()
    assert lay(found, 2000, second[:, 2000:], 4000, 4000) == 4000
    level = np.sqrt(np.mean(found[:, 3000:5000].astype(np.float64) ** 2))
    assert level == pytest.approx(0.1, rel=0.05)
    assert np.array_equal(found[:, 6000:], second[:, 6000:])
    if common == 1:
        assert np.abs(found - first).max() < 1e-6


def test_it_goes_over_where_both_are_in_step() -> None:
    first = noise(1.0, -20, rate=8000, channels=2)
    second = noise(1.0, -20, rate=8000, channels=2, seed=1)
    second[:, 3100:3300] = first[:, 3100:3300]
    found = first.copy()
    assert lay(found, 2000, second[:, 2000:], 2000, 160) == pytest.approx(3200, abs=40)
    assert np.array_equal(found[:, :3100], first[:, :3100])
    assert np.array_equal(found[:, 3300:], second[:, 3300:])


def test_the_quietest_place() -> None:
    assert quietest(np.array([3.0, 1.0, 0.5, 0.5, 2.0]), 0, 5) == 3
    assert quietest(np.array([3.0, 1.0]), 1, 9) == 1
    assert quietest(np.zeros(0), 2, 3) == 2
    assert energies(np.zeros((2, 3), np.float32), 10).size == 0


def test_ways_go_on_at_their_pace() -> None:
    way = Way(np.array([1.0, 2.0, 3.0]), np.array([10.0, 11.0, 13.0]))
    assert way.at(np.array([0.0, 1.5, 2.5, 4.0])).tolist() == [9.0, 10.5, 12.0, 15.0]
    assert way.back(way.at(np.array([-1.0, 2.25, 7.0]))) == pytest.approx([-1.0, 2.25, 7.0])
    assert along(np.array([1.0]), np.array([1.0, 2.0]), np.array([5.0, 6.0])).tolist() == [5.0]


def test_windows_reach_beyond_the_sound() -> None:
    samples = np.arange(10, dtype=np.float32).reshape(1, 10)
    assert window(samples, -2, 4).tolist() == [[0, 0, 0, 1]]
    assert window(samples, 8, 4).tolist() == [[8, 9, 0, 0]]
    assert window(samples, 50, 3).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(
    ("source", "out", "shift", "words"),
    [
        ([0, 1], [0, 9], 0, "9 times as long"),
        ([0, 1], [0, 0.1], 0, "0.1 times as long"),
        ([0, 1], [0, -1], 0, "-1 times as long"),
        ([0, 0], [0, 1], 0, "one after the other"),
        ([0, np.nan], [0, 1], 0, "one after the other"),
        ([0, 1], [0, 1], 25, "24 semitones"),
        ([0, 1], [0, 1], np.nan, "24 semitones"),
    ],
)
def test_what_cannot_be_done_is_said(source: list[float], out: list[float], shift: float, words: str) -> None:
    with pytest.raises(Unplayable, match=words):
        check_way(Way(np.array(source, float), np.array(out, float), (0.0,), (shift,)))


def test_stretchers_have_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stretcher(PEDALBOARD) is stretched
    with pytest.raises(Unplayable, match='no stretcher "sox"'):
        stretcher("sox")
    monkeypatch.setattr(stretching, "find_spec", lambda name: None)
    with pytest.raises(Unplayable, match=r"pip install 'liner-notes\[rubberband\]'"):
        stretcher(PYRUBBERBAND)
    monkeypatch.setattr(stretching, "find_spec", lambda name: object())
    monkeypatch.setattr(stretching.shutil, "which", lambda name: None)
    with pytest.raises(Unplayable, match="rubberband-cli"):
        stretcher(PYRUBBERBAND)


def test_the_program_gets_beats_and_switches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stand-in that stretches by straight lines: what it is asked for is what the map says."""
    asked: list[dict[str, Any]] = []

    def timemap_stretch(y: Samples, sr: int, time_map: list[tuple[int, int]], rbargs: dict[str, Any]) -> Samples:
        asked.append(rbargs)
        assert time_map[-1][0] == len(y)
        knots = np.array([(0, 0), *time_map], float)
        places = np.interp(np.arange(time_map[-1][1]), knots[:, 1], knots[:, 0])
        return np.stack([np.interp(places, np.arange(len(y)), row) for row in y.T], axis=1)

    monkeypatch.setitem(sys.modules, PYRUBBERBAND, SimpleNamespace(timemap_stretch=timemap_stretch))  # type: ignore[misc]
    monkeypatch.setattr(stretching, "find_spec", lambda name: object())
    monkeypatch.setattr(stretching.shutil, "which", lambda name: "/usr/bin/rubberband")
    samples, times_s = clicks(4.0)
    way = Way(np.array([0.0, 2.0, 4.0]), np.array([0.0, 2.2, 4.1]), (0.0,), (1.5,))
    found = stretcher(PYRUBBERBAND)(Sound(samples, RATE, keeps_formants=True), way, 0, round(4.1 * RATE))
    assert np.abs(landed_ms(found, way.at(times_s))).max() < 1
    assert asked[0] == {"--fine": "--formant", "--pitch": 1.5}
    gliding = Way(way.source_s, way.out_s, (0.0, 1.0), (0.0, 1.0))
    with pytest.raises(Unplayable, match="glide"):
        stretcher(PYRUBBERBAND)(Sound(samples, RATE), gliding, 0, RATE)
