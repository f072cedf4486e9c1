"""Loudness against the signals of EBU Tech 3341 and 3342, against two other meters, and against itself."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyebur128
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import firwin, resample, resample_poly

from processor.analysis.loudness import (
    MOMENTARY,
    SHORT_TERM,
    SUB_BLOCKS_PER_S,
    TAPS,
    Loudness,
    Meter,
    channel_weights,
    integrated_lufs,
    interpolators,
    k_weighting,
    loudness,
    range_lu,
)
from processor.audio import decode
from tests import signals
from tests.signals import RATE, SURROUND, Samples, audio, db, joined, sine, song, tones

REAL_MUSIC = "LINERNOTES_TEST_AUDIO"
LEVELS = ("integrated_lufs", "momentary_max_lufs", "short_term_max_lufs", "true_peak_dbtp", "sample_peak_dbfs")
RATIOS = ("range_lu", "plr_db", "psr_min_db", "psr_median_db")


def measure(samples: Samples, rate: int = RATE, positions: tuple[str, ...] = ()) -> Loudness:
    return loudness(audio(samples, rate, positions=positions))


def windows_lufs(samples: Samples, length: int, rate: int = RATE) -> NDArray[np.float64]:
    """Loudness of every window of `length` sub-blocks, ungated."""
    meter = Meter(rate, ("FL", "FR")[: len(samples)])
    meter.feed(samples)
    return -0.691 + 10 * np.log10(meter.window_powers(length) + 1e-12)


def lu(expected: float, tolerance: float = 0.1) -> object:
    return pytest.approx(expected, abs=tolerance)


# EBU Tech 3341 (2016), table 1: loudness


@pytest.mark.parametrize("rate", [48_000, 44_100])
@pytest.mark.parametrize("level", [-23.0, -33.0])
def test_tech_3341_cases_1_and_2_a_steady_tone(level: float, rate: int) -> None:
    samples = tones([(level, 20.0)], rate=rate)
    found = measure(samples, rate)
    assert found.integrated_lufs == lu(level)
    assert windows_lufs(samples, MOMENTARY, rate) == lu(level)
    assert windows_lufs(samples, SHORT_TERM, rate) == lu(level)
    assert found.momentary_max_lufs == lu(level)
    assert found.short_term_max_lufs == lu(level)


GATING = {
    "3": [(-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0)],
    "4": [(-72.0, 10.0), (-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0), (-72.0, 10.0)],
    "5": [(-26.0, 20.0), (-20.0, 20.1), (-26.0, 20.0)],
}


@pytest.mark.parametrize(("case", "rate"), [("3", 48_000), ("4", 48_000), ("5", 48_000), ("3", 44_100), ("5", 44_100)])
def test_tech_3341_cases_3_to_5_the_gates(case: str, rate: int) -> None:
    assert measure(tones(GATING[case], rate=rate), rate).integrated_lufs == lu(-23)


@pytest.mark.parametrize("rate", [48_000, 44_100])
def test_tech_3341_case_6_five_channels(rate: int) -> None:
    rows = [sine(1000, 20, level, rate=rate) for level in (-28, -28, -24, -30, -30)]
    positions = ("FL", "FR", "FC", "BL", "BR")
    assert measure(np.concatenate(rows), rate, positions).integrated_lufs == lu(-23)


@pytest.mark.parametrize("rate", [48_000, 44_100])
def test_tech_3341_case_9_short_term_of_an_alternating_tone(rate: int) -> None:
    samples = tones([(-20.0, 1.34), (-30.0, 1.66)] * 5, rate=rate)
    assert windows_lufs(samples, SHORT_TERM, rate) == lu(-23)
    assert measure(samples, rate).short_term_max_lufs == lu(-23)


@pytest.mark.parametrize("n", range(20))
def test_tech_3341_case_10_short_term_wherever_a_tone_begins(n: int) -> None:
    assert measure(tones([(None, n * 0.15), (-23.0, 3.0), (None, 1.0)])).short_term_max_lufs == lu(-23)


def test_tech_3341_case_11_short_term_of_rising_tones() -> None:
    parts = [((None, n * 0.15), (-38.0 + n, 3.0), (None, 3.0 - n * 0.15)) for n in range(20)]
    samples = tones([part for three in parts for part in three])
    assert measure(samples).short_term_max_lufs == lu(-19)
    windows = windows_lufs(samples, SHORT_TERM)
    for n in range(20):
        assert windows[n * 600 + n * 15] == lu(-38 + n)


@pytest.mark.parametrize("rate", [48_000, 44_100])
def test_tech_3341_case_12_momentary_of_an_alternating_tone(rate: int) -> None:
    samples = tones([(-20.0, 0.18), (-30.0, 0.22)] * 25, rate=rate)
    assert windows_lufs(samples, MOMENTARY, rate) == lu(-23)
    assert measure(samples, rate).momentary_max_lufs == lu(-23)


@pytest.mark.parametrize("rate", [48_000, 44_100])
def test_tech_3341_case_13_momentary_wherever_a_tone_begins(rate: int) -> None:
    for n in range(20):
        found = measure(tones([(None, n * 0.02), (-23.0, 0.4), (None, 1.0)], rate=rate), rate)
        assert found.momentary_max_lufs == lu(-23), n


def test_tech_3341_case_14_momentary_of_rising_tones() -> None:
    parts = [((None, n * 0.02), (-38.0 + n, 0.4), (None, 0.4 - n * 0.02)) for n in range(20)]
    assert measure(tones([part for three in parts for part in three])).momentary_max_lufs == lu(-19)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(samples_of_silence=st.integers(0, RATE))
def test_a_tone_may_begin_at_any_sample(samples_of_silence: int) -> None:
    found = measure(joined(signals.silence(samples_of_silence / RATE, channels=2), tones([(-23.0, 0.4), (None, 0.5)])))
    assert found.momentary_max_lufs == lu(-23)


# EBU Tech 3341, table 1: true peak. Tolerance +0.2, −0.4 dB.


def assert_true_peak(found: Loudness, expected: float) -> None:
    assert expected - 0.4 <= found.true_peak_dbtp <= expected + 0.2


@pytest.mark.parametrize("rate", [48_000, 44_100, 96_000])
@pytest.mark.parametrize(
    ("fraction", "degrees", "factor", "expected"),
    [(4, 0.0, 0.5, -6.0), (4, 45.0, 0.5, -6.0), (6, 60.0, 0.5, -6.0), (8, 67.5, 0.5, -6.0), (4, 45.0, 1.41, 3.0)],
    ids=["15", "16", "17", "18", "19"],
)
def test_tech_3341_cases_15_to_19_true_peak_of_a_tone(
    fraction: int, degrees: float, factor: float, expected: float, rate: int
) -> None:
    """Faded in and out: a tone that is cut off anywhere does overshoot between the samples."""
    samples = signals.faded(sine(rate / fraction, 1.0, db(factor), rate=rate, degrees=degrees, channels=2))
    assert_true_peak(measure(samples, rate), expected)


@pytest.mark.parametrize("rate", [48_000, 44_100])
@pytest.mark.parametrize("offset", range(4), ids=["20", "21", "22", "23"])
def test_tech_3341_cases_20_to_23_true_peak_of_a_burst(offset: int, rate: int) -> None:
    """One period of a tone at a sixth of the rate, made at four times the rate and decimated from each offset."""
    burst = np.zeros(4 * rate)
    burst[2 * rate : 2 * rate + 24] = np.sin(2 * np.pi * np.arange(24) / 24)
    limited = np.convolve(burst, firwin(1023, 0.9 / 4), "same")
    whole = limited / np.abs(resample(limited, 4 * limited.size)).max()
    assert_true_peak(measure(signals.spread(whole[offset::4]), rate), 0.0)


# EBU Tech 3342 (2016), table 1: loudness range, ±1 LU


@pytest.mark.parametrize("rate", [48_000, 44_100])
@pytest.mark.parametrize(
    ("levels", "expected"),
    [((-20, -30), 10), ((-20, -15), 5), ((-40, -20), 20), ((-50, -35, -20, -35, -50), 15)],
    ids=["1", "2", "3", "4"],
)
def test_tech_3342_loudness_range(levels: tuple[float, ...], expected: float, rate: int) -> None:
    found = measure(tones([(level, 20.0) for level in levels], rate=rate), rate)
    assert found.range_lu == lu(expected, 1.0)
    assert found.range_is_short == (20 * len(levels) < 60)


# The gates by themselves, on powers of windows


def powers(*levels: float) -> NDArray[np.float64]:
    return 10 ** ((np.array(levels) + 0.691) / 10)


@pytest.mark.parametrize(("level", "is_heard"), [(-69.9, True), (-70.1, False)])
def test_the_absolute_gate(level: float, is_heard: bool) -> None:
    assert integrated_lufs(powers(level)) == (pytest.approx(level) if is_heard else None)
    assert (range_lu(powers(level)) is None) == (not is_heard)
    assert integrated_lufs(powers(*[-69.0] * 9, level)) == lu(-69.08 if is_heard else -69.0, 0.01)


@pytest.mark.parametrize(("quiet", "counts"), [(-30.0, True), (-30.2, False)])
def test_the_relative_gate(quiet: float, counts: bool) -> None:
    """Of fifty windows at −20 LUFS and one ten below, the mean is −20.08, so the gate stands at −30.08."""
    expected = 10 * np.log10((50 * 10**-2 + 10 ** (quiet / 10)) / 51) if counts else -20.0
    assert integrated_lufs(powers(*[-20.0] * 50, quiet)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("quiet", "counts"), [(-40.9, True), (-41.0, False)])
def test_the_gate_of_the_range(quiet: float, counts: bool) -> None:
    """Of four windows at −20 LUFS and one far below, the mean is −20.97, so the gate stands at −40.97."""
    assert range_lu(powers(*[-20.0] * 4, quiet)) == lu(-20 - quiet if counts else 0, 1e-6)


def test_the_range_reaches_from_the_10th_to_the_95th_percentile() -> None:
    assert range_lu(powers(*np.linspace(-40, -20, 101))) == pytest.approx(0.85 * 20)


# The tables of ITU-R BS.1770-4


def test_k_weighting_equals_the_table_at_48_khz() -> None:
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585]
    high_pass = [-1.99004745483398, 0.99007225036621]
    assert k_weighting(48_000) == pytest.approx([*shelf, *high_pass], abs=1e-8)


@pytest.mark.parametrize(
    ("positions", "weights"),
    [
        (("FC",), (1.0,)),
        (("FL", "FR"), (1.0, 1.0)),
        (("FL", "FR", "BL", "BR"), (1.0, 1.0, 1.41, 1.41)),
        (("FL", "FR", "FC", "BL", "BR"), (1.0, 1.0, 1.0, 1.41, 1.41)),
        (SURROUND, (1.0, 1.0, 1.0, 0.0, 1.41, 1.41)),
        (("FL", "FR", "FC", "LFE", "SL", "SR"), (1.0, 1.0, 1.0, 0.0, 1.41, 1.41)),
        (("FL", "FR", "FC", "LFE", "BC", "SL", "SR"), (1.0, 1.0, 1.0, 0.0, 1.0, 1.41, 1.41)),
        (("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"), (1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.41, 1.41)),
    ],
    ids=lambda value: "-".join(value) if isinstance(value[0], str) else "",
)
def test_channel_weights(positions: tuple[str, ...], weights: tuple[float, ...]) -> None:
    assert tuple(channel_weights(positions)) == weights


@pytest.mark.parametrize(("channel", "expected"), [(0, -26.0), (2, -26.0), (3, None), (4, -24.51), (5, -24.51)])
def test_each_loudspeaker_counts_by_its_weight(channel: int, expected: float | None) -> None:
    samples = signals.silence(1.0, channels=6)
    samples[channel] = sine(1000, 1.0, -23.0)[0]
    found = measure(samples, positions=SURROUND)
    assert found.integrated_lufs == (None if expected is None else lu(expected, 0.05))
    assert found.true_peak_dbtp == lu(-23)


# Other meters


def ebur128(samples: Samples, rate: int) -> dict[str, float]:
    """What libebur128 says, fed in steps of 10 ms as EBU Tech 3341 wants a live meter to be."""
    channels, frames = samples.shape
    mode = pyebur128.MeasurementMode
    wanted = mode.MODE_I | mode.MODE_LRA | mode.MODE_S | mode.MODE_TRUE_PEAK | mode.MODE_SAMPLE_PEAK
    state = pyebur128.R128State(channels, rate, wanted)
    interleaved = np.ascontiguousarray(samples.T).reshape(-1)
    momentary, short_term = -np.inf, -np.inf
    for end in range(rate // 100, frames + 1, rate // 100):
        state.add_frames(interleaved[(end - rate // 100) * channels : end * channels], rate // 100)
        if end >= 0.4 * rate:
            momentary = max(momentary, pyebur128.get_loudness_momentary(state))
        if end >= 3 * rate:
            short_term = max(short_term, pyebur128.get_loudness_shortterm(state))
    rest = frames % (rate // 100)
    if rest:
        state.add_frames(interleaved[-rest * channels :], rest)
    return {
        "integrated_lufs": pyebur128.get_loudness_global(state),
        "momentary_max_lufs": momentary,
        "short_term_max_lufs": short_term,
        "range_lu": pyebur128.get_loudness_range(state),
        "true_peak_dbtp": db(max(pyebur128.get_true_peak(state, c) for c in range(channels))),
        "sample_peak_dbfs": db(max(pyebur128.get_sample_peak(state, c) for c in range(channels))),
    }


def assert_agrees_with_libebur128(samples: Samples, rate: int) -> None:
    """The energies are the same sums. Its range is of one window a second; its true-peak filter differs."""
    found, expected = measure(samples, rate), ebur128(samples, rate)
    meter = Meter(rate, audio(samples, rate).positions)
    meter.feed(samples)
    assert range_lu(meter.window_powers(SHORT_TERM)[::SUB_BLOCKS_PER_S]) == lu(expected.pop("range_lu"))
    tolerances = {"true_peak_dbtp": 0.3, "momentary_max_lufs": 0.01, "short_term_max_lufs": 0.01}
    for name, value in expected.items():
        assert getattr(found, name) == pytest.approx(value, abs=tolerances.get(name, 0.001)), name


RATES = (8_000, 22_050, 44_100, 48_000, 96_000, 192_000)


def loud_song(rate: int, channels: int) -> Samples:
    """The song driven 6 dB into a limiter's ceiling, so that there is something between the samples."""
    return signals.clipped(2 * song(12.0, rate=rate, channels=channels), 0.9)


@pytest.mark.parametrize(
    ("rate", "channels"), [*((r, 2) for r in RATES), (8_000, 1), (44_100, 1), (22_050, 6), (48_000, 6)]
)
def test_agrees_with_libebur128(rate: int, channels: int) -> None:
    assert_agrees_with_libebur128(loud_song(rate, channels), rate)


def test_ranges_of_ten_windows_a_second_and_of_one_are_near() -> None:
    samples = loud_song(22_050, 2)
    meter = Meter(22_050, ("FL", "FR"))
    meter.feed(samples)
    found = measure(samples, 22_050).range_lu
    assert found == range_lu(meter.window_powers(SHORT_TERM)[:: SUB_BLOCKS_PER_S // 10])
    assert found == lu(ebur128(samples, 22_050)["range_lu"], 0.5)


@pytest.mark.parametrize(("rate", "channels"), [*((r, 2) for r in RATES), (44_100, 1), (48_000, 6)])
def test_agrees_with_pyloudnorm(rate: int, channels: int) -> None:
    samples = loud_song(rate, channels)
    without_lfe = np.delete(samples, 3, axis=0) if channels == 6 else samples
    expected = pyloudnorm.Meter(rate, filter_class="DeMan").integrated_loudness(without_lfe.T.astype(np.float64))
    assert measure(samples, rate).integrated_lufs == pytest.approx(expected, abs=0.01)


def test_agrees_with_libebur128_on_real_music() -> None:
    folder = os.environ.get(REAL_MUSIC)
    if not folder:
        pytest.skip(f"{REAL_MUSIC} names no folder of music")
    files = sorted(path for path in Path(folder).iterdir() if path.suffix in {".wav", ".flac", ".mp3", ".ogg", ".m4a"})
    for path in files[:: -(-len(files) // 8)]:
        sound = decode(path)
        samples = np.ascontiguousarray(sound.samples[:2, : 60 * sound.sample_rate])
        if measure(samples, sound.sample_rate).range_lu is not None:
            assert_agrees_with_libebur128(samples, sound.sample_rate)


# Invariances


@pytest.mark.parametrize("gain_db", [-12.0, -0.7, 6.0])
def test_a_gain_moves_every_level_and_no_ratio(gain_db: float) -> None:
    before, after = measure(song()), measure(song() * np.float32(signals.amplitude(gain_db)))
    for name in LEVELS:
        assert getattr(after, name) - getattr(before, name) == pytest.approx(gain_db, abs=1e-4), name
    for name in RATIOS:
        assert getattr(after, name) == pytest.approx(getattr(before, name), abs=1e-4), name
    assert after.short_term_lufs - before.short_term_lufs == pytest.approx(gain_db, abs=1e-4)


def assert_same(found: Loudness, expected: Loudness, tolerance: float) -> None:
    for field in fields(Loudness):
        assert getattr(found, field.name) == pytest.approx(getattr(expected, field.name), abs=tolerance, nan_ok=True), (
            field.name
        )


@pytest.mark.parametrize(("channels", "order"), [(2, (1, 0)), (6, (5, 2, 0, 4, 3, 1))])
def test_the_order_of_channels_says_nothing(channels: int, order: tuple[int, ...]) -> None:
    positions = SURROUND if channels == 6 else ("FL", "FR")
    before = song(8.0, channels=channels)
    after = measure(before[list(order)], positions=tuple(positions[k] for k in order))
    assert_same(after, measure(before, positions=positions), 1e-9)


def test_the_same_in_both_channels_is_3_lu_louder_than_in_one() -> None:
    left = song(4.0, channels=1)
    both, one = measure(signals.stereo(left, left)), measure(signals.stereo(left, 0 * left))
    assert both.integrated_lufs - one.integrated_lufs == pytest.approx(10 * np.log10(2), abs=1e-6)
    assert_same(measure(left), one, 1e-9)


def test_silence_in_front_only_moves_the_curve() -> None:
    before = measure(song())
    after = measure(joined(signals.silence(1.0, channels=2), song()))
    for name in ("momentary_max_lufs", "short_term_max_lufs", "true_peak_dbtp", "sample_peak_dbfs"):
        assert getattr(after, name) == pytest.approx(getattr(before, name), abs=1e-9), name
    assert after.short_term_lufs[1:] == pytest.approx(before.short_term_lufs, abs=1e-9)
    assert after.integrated_lufs == lu(before.integrated_lufs)


@pytest.mark.parametrize(
    ("rate", "up", "down"), [(44_100, 160, 147), (48_000, 2, 1), (48_000, 147, 160), (22_050, 2, 1)]
)
def test_resampling_changes_nothing_to_the_ear(rate: int, up: int, down: int) -> None:
    before = song(8.0, rate=rate)
    after = measure(resample_poly(before, up, down, axis=1), rate * up // down)
    expected = measure(before, rate)
    for name in ("integrated_lufs", "momentary_max_lufs", "short_term_max_lufs", "range_lu"):
        assert getattr(after, name) == lu(getattr(expected, name)), name


@pytest.mark.parametrize(
    ("rate", "seconds", "channels"), [(8_000, 65.0, 2), (11_025, 61.3, 1), (44_100, 31.0, 2), (8_000, 30.0, 6)]
)
def test_a_stream_measures_exactly_the_same(tmp_path: Path, rate: int, seconds: float, channels: int) -> None:
    samples = song(seconds, rate=rate, channels=channels)
    stream = signals.streamed(tmp_path / "long.wav", samples, rate)
    found, expected = loudness(stream), measure(samples, rate, stream.positions)
    for field in fields(Loudness):
        assert np.array_equal(getattr(found, field.name), getattr(expected, field.name), equal_nan=False), field.name


# True peak: nothing is lost by skipping


def brute_true_peaks(row: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """Highest value of each second out of all that the interpolators give; the tail belongs to the last second."""
    padded = np.pad(row.astype(np.float64), (TAPS - 1, TAPS - 1))
    values = np.pad(np.abs(row.astype(np.float64)), (0, TAPS - 1))
    for taps in interpolators(rate).astype(np.float64):
        values = np.maximum(values, np.abs(np.convolve(padded, taps[::-1], "valid")))
    seconds = -(-row.size // rate)
    peaks = [values[k * rate : (k + 1) * rate].max() for k in range(seconds)]
    peaks[-1] = max(peaks[-1], values[(seconds - 1) * rate :].max())
    return np.array(peaks)


def true_peaks(row: NDArray[np.float32], rate: int, block_s: int = 100) -> NDArray[np.float64]:
    meter = Meter(rate, ("FC",))
    for start in range(0, row.size, block_s * rate):
        meter.feed(row[np.newaxis, start : start + block_s * rate])
    return meter.true_peaks()


@pytest.mark.parametrize("rate", RATES)
def test_true_peak_is_that_of_all_values_between_the_samples(rate: int) -> None:
    row = loud_song(rate, 1)[0, : 4 * rate + 77]
    assert true_peaks(row, rate) == pytest.approx(brute_true_peaks(row, rate), rel=1e-6)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("edge", [0, 1, 2], ids=["begin", "middle", "end"])
def test_true_peak_at_the_edges_of_seconds_and_blocks(rate: int, edge: int) -> None:
    """A burst of a few samples there has its highest value on either side, where nothing may be skipped."""
    random = np.random.default_rng(rate)
    for _ in range(20):
        row = np.zeros(2 * rate, np.float32)
        start = min(max(edge * rate + random.integers(-24, 16), 0), row.size - 12)
        row[start : start + 12] = random.uniform(-1, 1, 12)
        expected = brute_true_peaks(row, rate)
        assert true_peaks(row, rate) == pytest.approx(expected, rel=1e-6)
        assert true_peaks(row, rate, block_s=1) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("size", [1, 2, TAPS - 1, TAPS, 33, 500])
def test_true_peak_of_a_few_samples(size: int) -> None:
    row = signals.noise(0.1, -6.0)[0, :size]
    assert true_peaks(row, RATE) == pytest.approx(brute_true_peaks(row, RATE), rel=1e-6)


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_true_peak_is_near_the_ideal_one(rate: int) -> None:
    """Sound up to 18 kHz against interpolation by a Fourier transform."""
    limited = np.convolve(signals.noise(1.0, -12.0, rate=rate)[0], firwin(255, 18_000, fs=rate), "same")
    faded = limited * np.hanning(limited.size)
    ideal = db(np.abs(resample(faded, 8 * faded.size)).max())
    assert_true_peak(measure(signals.spread(faded, 1), rate), ideal)


@pytest.mark.parametrize(
    ("rate", "factor"), [(8_000, 4), (48_000, 4), (95_999, 4), (96_000, 2), (192_000, 1), (384_000, 1)]
)
def test_interpolators_reach_192_khz(rate: int, factor: int) -> None:
    filters = interpolators(rate)
    assert filters.shape == (factor - 1, TAPS)
    assert filters.sum(axis=1) == pytest.approx(1.0, abs=1e-6)


# What is not there is None


def test_silence_has_no_loudness() -> None:
    found = measure(signals.silence(5.0, channels=2))
    for name in LEVELS + RATIOS:
        assert getattr(found, name) is None, name
    assert found.short_term_lufs.shape == (3,)
    assert np.isnan(found.short_term_lufs).all()


def test_below_the_absolute_gate_there_is_a_peak_but_no_loudness() -> None:
    found = measure(tones([(-75.0, 5.0)]))
    assert found.true_peak_dbtp == lu(-75)
    assert (found.integrated_lufs, found.momentary_max_lufs, found.short_term_max_lufs) == (None, None, None)
    assert (found.range_lu, found.plr_db, found.psr_min_db, found.psr_median_db) == (None, None, None, None)


@pytest.mark.parametrize(
    ("seconds", "has_momentary", "has_short_term"),
    [(0.39, False, False), (0.4, True, False), (2.99, True, False), (3.0, True, True)],
)
@pytest.mark.parametrize("rate", [48_000, 44_100])
def test_a_window_must_fit_in(seconds: float, has_momentary: bool, has_short_term: bool, rate: int) -> None:
    found = measure(tones([(-20.0, seconds)], rate=rate), rate)
    assert (found.integrated_lufs is not None) == has_momentary
    assert (found.momentary_max_lufs is not None) == has_momentary
    assert (found.plr_db is not None) == has_momentary
    assert (found.short_term_max_lufs is not None) == has_short_term
    assert (found.range_lu is not None) == has_short_term
    assert (found.psr_min_db is not None) == has_short_term
    assert found.short_term_lufs.size == (1 if has_short_term else 0)
    assert found.true_peak_dbtp == lu(-20)


@pytest.mark.parametrize(("seconds", "is_short"), [(59.9, True), (60.0, False)])
def test_a_range_from_under_a_minute_is_marked(seconds: float, is_short: bool) -> None:
    assert measure(tones([(-20.0, seconds)], rate=8_000), 8_000).range_is_short is is_short


# Peak to loudness


def test_a_steady_tone_stands_no_higher_than_it_is_loud() -> None:
    """Both channels of a 1 kHz tone at −20 dBFS have −20 LUFS (Tech 3341, 2.9), so the ratios are 0."""
    found = measure(tones([(-20.0, 10.0)]))
    assert (found.plr_db, found.psr_min_db, found.psr_median_db) == (lu(0), lu(0), lu(0))


def test_a_ratio_is_of_its_own_three_seconds() -> None:
    """A spike at 4.5 s lies in the windows that begin at 2, 3 and 4 s: in three of the five."""
    samples = tones([(-20.0, 7.0)])
    samples[0, round(4.5 * RATE)] = 1.0
    found = measure(samples)
    assert found.short_term_lufs.shape == (5,)
    assert found.psr_min_db == lu(0)
    assert found.psr_median_db == lu(20)
    assert found.plr_db == lu(20)


def test_quiet_passages_do_not_count_for_the_ratio() -> None:
    """−50 LUFS is more than 20 LU under the rest, so the clicks in it do not matter, many as they are."""
    samples = tones([(-20.0, 6.0), (-50.0, 12.0)])
    samples[:, [round(second * RATE) for second in np.arange(6.5, 18)]] = 0.01
    found = measure(samples)
    assert (found.psr_min_db, found.psr_median_db) == (lu(0), lu(0))


def test_the_curve_begins_at_whole_seconds() -> None:
    found = measure(tones([(-20.0, 3.0), (None, 4.0), (-30.0, 3.0)]))
    assert found.short_term_lufs.shape == (8,)
    assert found.short_term_lufs[[0, 7]] == lu([-20, -30])
    assert found.short_term_lufs[1] == lu(-20 + 10 * np.log10(2 / 3))
    assert np.isnan(found.short_term_lufs[[3, 4]]).all()
