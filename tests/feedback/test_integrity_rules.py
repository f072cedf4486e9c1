"""Advice on what is broken: each fault is made, found, and not found in what is whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.signal

from processor.feedback.advice import Mix
from processor.feedback.areas import files, integrity
from processor.feedback.rules import all_rules
from tests import signals
from tests.feedback.level_mixes import ids, measured, mix_of, only
from tests.signals import RATE, Samples, song

EVERY = [one for one in all_rules() if one.name.startswith(("integrity.", "files."))]


def whole(seconds: float = 12.0) -> Samples:
    """A song that begins and ends as songs do, without the edges of its square bass, which are clicks to a meter."""
    smooth = scipy.signal.sosfilt(scipy.signal.butter(2, 6000, fs=RATE, output="sos"), 0.6 * song(seconds))
    samples = np.concatenate([signals.silence(0.2, channels=2), smooth.astype(np.float32)], axis=1)
    samples[:, -RATE:] *= np.linspace(1, 0, RATE, dtype=np.float32) ** 2
    start = round(0.2 * RATE)
    samples[:, start : start + 4800] *= np.linspace(0, 1, 4800, dtype=np.float32)
    return samples


def test_a_whole_song_has_none_of_these() -> None:
    mix = measured(whole(), bit_depth=24)
    assert [name for name in ids(mix) if name.startswith("integrity.")] == []
    assert only(integrity.clean, mix)


# Clipping


def clips(count: int, seconds: float = 60.0, peak: float = 0.0) -> Mix:
    return mix_of(
        {
            "levels.clipped_samples": count,
            "levels.clipped_intervals_s": np.array([[12.0, 12.1], [30.0, 30.1]])[: bool(count) * 2],
            "loudness.sample_peak_dbfs": peak,
            "source.duration_s": seconds,
        }
    )


@pytest.mark.parametrize(
    ("count", "weight", "severity"),
    [(0, None, None), (3, 0.1, "note"), (30, 0.699, "note"), (70, 1.067, "warning"), (700, 2.067, "fault")],
)
def test_clipping_weighs_by_how_often(count: int, weight: float | None, severity: str | None) -> None:
    found = only(integrity.clipped, clips(count))
    assert (found and found.weight) == (weight and pytest.approx(weight, abs=0.001))
    assert (found and found.severity) == severity
    if found:
        assert found.times_s[0] == (12.0, 12.1)


def test_what_is_over_full_scale_is_not_cut_yet() -> None:
    assert only(integrity.clipped, clips(700, peak=0.06)) is None
    assert only(integrity.clipped, clips(700, peak=0.04))


@pytest.mark.parametrize("gain_db", [4.0, 8.0])
def test_a_song_that_is_clipped(gain_db: float) -> None:
    loud = whole() * np.float32(signals.amplitude(gain_db) / 0.5)
    cut = signals.rounded_to(signals.clipped(loud), 16)
    assert "integrity.clipped.too_much" in ids(measured(cut, bit_depth=16))[:3]
    turned_down = signals.rounded_to(0.7 * signals.clipped(loud), 24)
    found = ids(measured(turned_down, bit_depth=24))
    assert "integrity.flat_tops.too_much" in found[:3]
    assert "integrity.clipped.too_much" not in found


def test_flat_tops_say_at_which_level() -> None:
    facts = {
        "integrity.flat_top_dbfs": -3.0,
        "integrity.flat_tops": 200,
        "integrity.flat_top_intervals_s": np.array([[1.0, 2.0]]),
        "source.duration_s": 60.0,
    }
    found = only(integrity.flat_tops, mix_of(facts))
    assert found
    assert "−3.0 dBFS" in found.title
    assert found.weight == pytest.approx(2.0)
    assert only(integrity.flat_tops, mix_of(facts | {"levels.clipped_samples": 9})) is None
    assert only(integrity.flat_tops, mix_of(facts | {"integrity.flat_tops": 0})) is None


@pytest.mark.parametrize(
    ("peak", "lossy", "severity"),
    [
        (-0.01, False, None),
        (0.3, False, "note"),
        (0.8, False, "warning"),
        (1.6, False, "fault"),
        (1.4, True, "note"),
        (1.6, True, "warning"),
    ],
)
def test_peaks_over_full_scale(peak: float, lossy: bool, severity: str | None) -> None:
    facts: dict[str, Any] = {"loudness.true_peak_dbtp": peak, "loudness.sample_peak_dbfs": 0.0}
    facts["loudness.true_peaks_dbtp"] = np.array([-3.0, peak, np.nan])
    facts |= {"spectrum.looks_lossy": True} if lossy else {"source.bit_depth": 24}
    found = only(integrity.over_full_scale, mix_of(facts))
    assert (found and found.severity) == severity
    if found:
        assert found.id == "integrity.true_peak.too_much"
        assert "Between the samples" in found.text
        assert found.times_s == ((1.0, 2.0),)
        assert found.processing[0].gain_db == pytest.approx(-1 - peak)


def test_peaks_between_samples_are_told_from_peaks_in_them() -> None:
    tone = signals.sine(RATE / 4, 3.0, 1.5, degrees=45, channels=2)
    between = only(integrity.over_full_scale, measured(tone))
    assert between
    assert "Between the samples" in between.text
    beyond = only(integrity.over_full_scale, measured(2 * tone))
    assert beyond
    assert "Samples themselves" in beyond.text


# What lies under the music


@pytest.mark.parametrize(("offset", "weight"), [(0.0019, None), (-0.0021, 0.071), (0.004, 1.003), (-0.02, 3.333)])
def test_direct_current(offset: float, weight: float | None) -> None:
    found = only(integrity.dc_offset, mix_of({"levels.dc_offset": offset}))
    assert (found and found.weight) == (weight and pytest.approx(weight, abs=0.001))


def test_a_song_with_direct_current() -> None:
    assert "integrity.dc.too_much" in ids(measured(0.8 * whole() + np.float32(0.02)))[:3]
    assert "integrity.dc.too_much" not in ids(measured(0.8 * whole()))


@pytest.mark.parametrize(("level", "weight"), [(-60.1, None), (-57.0, 0.5), (-40.0, 20 / 6)])
def test_hum(level: float, weight: float | None) -> None:
    found = only(integrity.hum, mix_of({"integrity.hum_hz": 50, "integrity.hum_db": level}))
    assert (found and found.weight) == (weight and pytest.approx(weight))
    if found:
        assert [step.frequency_hz for step in found.processing] == [50, 100, 150]
        assert [step.q for step in found.processing] == [30, 30, 30]
        assert found.processing[0].gain_db == pytest.approx(-max(6.0, level + 60))


def test_notches_at_the_mains_of_the_place() -> None:
    found = only(integrity.hum, mix_of({"integrity.hum_hz": 60, "integrity.hum_db": -20.0}))
    assert found
    assert [(step.frequency_hz, step.gain_db) for step in found.processing] == [(60, -30), (120, -30), (180, -30)]


def test_hum_under_a_quiet_piece_is_found() -> None:
    music = signals.noise(20.0, -30.0, channels=2) * np.float32(1)
    hum = signals.sine(50, 20.0, -40.0, channels=2) + signals.sine(150, 20.0, -45.0, channels=2)
    assert "integrity.hum.too_much" in ids_of(measured(music + hum))
    assert "integrity.hum.too_much" not in ids_of(measured(music))


def ids_of(mix: Mix) -> list[str]:
    """What the rules of integrity say, whatever kind of material it is."""
    return [found.id for one in EVERY for found in one.function(mix)]


def still(*levels: float) -> Mix:
    return mix_of({"loudness.momentary_lufs": np.array(levels), "loudness.integrated_lufs": -15.0})


@pytest.mark.parametrize(("level", "weight"), [(-70.1, None), (-69.9, 0.1 / 6), (-58.0, 2.0), (-42.9, None)])
def test_noise_in_a_pause(level: float, weight: float | None) -> None:
    found = only(integrity.noise_floor, still(-15.0, -14.0, level, level, level, -15.0))
    assert (found and found.weight) == (weight and pytest.approx(weight))
    if found:
        assert found.times_s == ((2.0, 5.0),)


@pytest.mark.parametrize(
    "levels",
    [(-15.0, -58.0, -58.0, -15.0), (-15.0, -50.0, -52.0, -54.0, -56.0, -58.0), (np.nan, np.nan, np.nan, -15.0)],
)
def test_short_pauses_fades_and_digital_silence_are_no_noise(levels: tuple[float, ...]) -> None:
    assert only(integrity.noise_floor, still(*levels)) is None


def test_how_still_and_how_far_down_a_pause_is() -> None:
    for low, is_still in ((-59.4, True), (-59.6, False)):
        assert (only(integrity.noise_floor, still(-15.0, -58.0, low, -58.0, -15.0)) is not None) is is_still
    for level, is_pause in ((-43.1, True), (-42.9, False)):
        assert (only(integrity.noise_floor, still(-15.0, level, level, level)) is not None) is is_pause


@pytest.mark.parametrize(("noise_dbfs", "fires"), [(-60.0, True), (-85.0, False)])
def test_a_song_with_a_pause(noise_dbfs: float, fires: bool) -> None:
    samples = signals.joined(song(9.0), signals.silence(5.0, channels=2), song(9.0))
    samples = samples + signals.noise(23.0, noise_dbfs, channels=2)
    assert ("integrity.noise.too_much" in ids_of(measured(samples))) is fires


@pytest.mark.parametrize(("level", "weight"), [(-24.1, None), (-22.5, 0.5), (-12.0, 4.0)])
def test_rumble(level: float, weight: float | None) -> None:
    found = only(integrity.rumble, mix_of({"integrity.infrasonic_db": level}))
    assert (found and found.weight) == (weight and pytest.approx(weight))
    if found:
        assert found.processing[0].frequency_hz == 30


def test_a_song_with_rumble() -> None:
    # Ten seconds of windows are looked at, so that the song is long enough for five.
    samples = 0.5 * whole(20.0)
    assert "integrity.infrasonic.too_much" in ids_of(measured(samples + signals.sine(10, 20.2, -18.0, channels=2)))
    assert "integrity.infrasonic.too_much" not in ids_of(measured(samples))


# Holes and ends


@pytest.mark.parametrize(("count", "weight"), [(0, None), (3, None), (4, 0.5 + 4 / 6), (12, 2.5)])
def test_clicks(count: int, weight: float | None) -> None:
    facts = {"integrity.clicks": count, "integrity.clicks_s": np.arange(1.0, 1.0 + count), "source.duration_s": 60.0}
    found = only(integrity.clicks, mix_of(facts))
    assert (found and found.weight) == (weight and pytest.approx(weight))
    if found:
        assert found.times_s[0] == (1.0, 1.0)


@pytest.mark.parametrize("field", ["levels.clipped_intervals_s", "integrity.flat_top_intervals_s"])
def test_clicks_of_clipping_are_told_as_clipping(field: str) -> None:
    at = np.array([1.0, 5.0, 9.0, 9.5, 10.0])
    facts = {"integrity.clicks": 5, "integrity.clicks_s": at, "source.duration_s": 20.0}
    found = only(integrity.clicks, mix_of(facts | {field: np.array([[0.97, 0.98], [5.02, 5.03]])}))
    assert found
    assert [start for start, _ in found.times_s] == [9.0, 9.5, 10.0]
    assert only(integrity.clicks, mix_of(facts | {field: np.array([[0.0, 9.2]])})) is None


def test_a_song_with_clicks() -> None:
    samples = whole()
    samples[:, np.arange(2, 10) * RATE + 777] = 0.9
    assert "integrity.clicks.too_much" in ids(measured(samples))[:3]


@pytest.mark.parametrize(
    ("count", "length", "weight"), [(0, 0.02, None), (1, 0.0039, 0.75), (1, 0.0041, 1.25), (8, 0.02, 3)]
)
def test_dropouts(count: int, length: float, weight: float | None) -> None:
    where = np.array([[k, k + length] for k in range(count)], np.float64).reshape(-1, 2)
    facts = {"integrity.dropouts": count, "integrity.dropout_intervals_s": where, "source.duration_s": 60.0}
    found = only(integrity.dropouts, mix_of(facts))
    assert (found and found.weight) == (weight and pytest.approx(weight))


@pytest.mark.parametrize(
    ("field", "value", "is_told"),
    [
        ("integrity.effective_bits", 11, False),
        ("integrity.effective_bits", 12, True),
        ("stereo.balance_db", -40.5, False),
        ("stereo.balance_db", 39.5, True),
    ],
)
def test_what_is_rounded_to_nothing_is_no_gap(field: str, value: float, is_told: bool) -> None:
    facts = {"integrity.dropouts": 3, "integrity.dropout_intervals_s": np.array([[1.0, 1.02]]), field: value}
    assert bool(only(integrity.dropouts, mix_of(facts))) is is_told


def test_a_song_with_gaps() -> None:
    samples = whole() + signals.noise(12.2, -40.0, channels=2)
    for second in (7, 8, 9):
        samples[:, second * RATE + 1000 : second * RATE + 2000] = 0
    assert "integrity.dropouts.too_much" in ids(measured(samples))[:3]


def test_cut_ends() -> None:
    cut = measured(0.7 * song(12.0))
    found = only(integrity.cut_end, cut)
    assert found
    assert (found.severity, found.times_s) == ("warning", ((11.0, 12.0),))
    soft = only(integrity.cut_end, mix_of({"integrity.ends_abruptly": True, "integrity.end_db": -24.0}))
    assert soft
    assert (soft.severity, soft.weight) == ("warning", pytest.approx(1.6))
    started = only(integrity.cut_start, mix_of({"integrity.starts_abruptly": True, "integrity.start_db": 2.0}))
    assert started
    assert started.severity == "warning"
    for rule in (integrity.cut_start, integrity.cut_end):
        assert only(rule, measured(whole())) is None


# The file


def test_a_damaged_file() -> None:
    facts = {"source.partial": True, "source.duration_s": 10.0, "source.declared_s": 60.0, "source.damage": "lost sync"}
    found = only(files.damaged, mix_of(facts))
    assert found
    assert found.severity == "fault"
    assert found.text.endswith("of the rest. Lost sync.")
    without = only(files.damaged, mix_of(facts | {"source.damage": None}))
    assert without
    assert without.text.endswith("of the rest. Of 60.0 s only 10.0 s could be read.")
    assert only(files.damaged, mix_of(facts | {"source.partial": False})) is None


def test_samples_that_are_no_numbers() -> None:
    samples = np.array(song(3.0))
    samples[0, 100:103] = np.nan
    found = only(files.repaired, measured(samples))
    assert found
    assert found.title.startswith("3 samples")
    assert only(files.repaired, measured(song(3.0))) is None


def test_silence() -> None:
    found = only(files.silent, measured(signals.silence(5.0, channels=2)))
    assert found
    assert found.severity == "fault"
    assert only(files.silent, measured(song(3.0))) is None


LOSSY = {"spectrum.looks_lossy": True, "spectrum.lossy_confidence": 0.97, "spectrum.lossy_cutoff_hz": 16000.0}


def test_a_lossless_file_of_lossy_sound() -> None:
    found = only(files.lossy_before, mix_of(LOSSY | {"source.bit_depth": 16}))
    assert found
    assert "16.0 kHz" in found.text
    assert found.weight == pytest.approx(1.94)
    assert only(files.lossy_before, mix_of(LOSSY)) is None
    assert only(files.lossy_before, mix_of(LOSSY | {"source.bit_depth": 16, "spectrum.lossy_confidence": 0.61}))
    unsure = LOSSY | {"source.bit_depth": 16, "spectrum.lossy_confidence": 0.59}
    assert only(files.lossy_before, mix_of(unsure)) is None


@pytest.mark.parametrize(("bits", "weight"), [(16, None), (15, 0.5), (12, 2.0), (8, 4.0)])
def test_few_bits(bits: int, weight: float | None) -> None:
    found = only(files.few_bits, measured(signals.rounded_to(0.7 * song(12.0), bits), bit_depth=24))
    assert (found and found.weight) == (weight and pytest.approx(weight))


# Who is judged


def test_faults_of_a_file_are_named_whatever_is_played() -> None:
    assert {"mix", "speech", "solo", "noise", "unknown", "silence"} == set(
        next(r.of for r in EVERY if r.name == "files.damaged")
    )
    names = {"clipped", "flat_tops", "over_full_scale", "dc_offset", "hum", "clicks", "dropouts", "damaged", "repaired"}
    of = {one.name.partition(".")[2]: one.of for one in EVERY}
    for name in names:
        assert {"mix", "speech", "solo", "noise"} <= set(of[name]), name
    # Speech pauses, and is cut close; noise is noise.
    for name in ("noise_floor", "cut_end", "cut_start", "rumble", "lossy_before", "few_bits"):
        assert set(of[name]) == {"mix", "solo"}, name
    assert "silence" in of["silent"]


@pytest.mark.parametrize("rule", EVERY, ids=lambda one: one.name)
def test_nothing_is_said_of_what_was_not_measured(rule: Any) -> None:
    assert only(rule.function, mix_of({})) is None
