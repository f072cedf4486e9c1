"""Levels of signals whose levels are known beforehand, and what may not change them."""

from __future__ import annotations

from dataclasses import fields
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processor.analysis.levels import Levels, levels
from processor.audio import decode
from tests import signals
from tests.signals import RATE, SURROUND, Samples, audio, constant, db, joined, sine, song, stereo

Found = list[list[float]]


def measure(samples: Samples, rate: int = RATE, **facts: object) -> Levels:
    return levels(audio(samples, rate, **facts))


def near(expected: float, tolerance: float = 0.01) -> object:
    return pytest.approx(expected, abs=tolerance)


# RMS, peak, crest factor


def test_a_full_scale_sine() -> None:
    found = measure(sine(1000, 1.0, channels=2))
    assert found.rms_dbfs == near(-3.01)
    assert found.crest_factor_db == near(3.01)
    assert found.channel_rms_dbfs == (near(-3.01), near(-3.01))
    assert found.channel_peak_dbfs == (near(0), near(0))
    assert found.channel_crest_factor_db == (near(3.01), near(3.01))


def test_a_square_wave_has_no_crest_factor() -> None:
    found = measure(np.sign(sine(1000, 1.0, degrees=1)) * np.float32(0.25))
    assert found.rms_dbfs == near(-12.04)
    assert found.crest_factor_db == near(0, 1e-6)


def test_rms_is_of_all_channels_together() -> None:
    found = measure(stereo(sine(1000, 1.0, -10.0), 0 * sine(1000, 1.0)))
    assert found.rms_dbfs == near(-10 - 3.01 - 3.01)
    assert found.crest_factor_db == near(6.02)
    assert found.channel_rms_dbfs == (near(-13.01), None)
    assert found.channel_peak_dbfs == (near(-10), None)
    assert found.channel_crest_factor_db == (near(3.01), None)


def test_the_lowest_sample_is_a_peak_too() -> None:
    samples = signals.silence(0.1)
    samples[0, 100] = -0.5
    assert measure(samples).channel_peak_dbfs == (near(-6.02),)


# Direct current


def test_dc_offset_keeps_its_sign_and_names_the_worst_channel() -> None:
    found = measure(stereo(sine(100, 1.0, -20.0) + np.float32(0.01), sine(100, 1.0, -20.0) - np.float32(0.1)))
    assert found.channel_dc_offset == (near(0.01, 1e-6), near(-0.1, 1e-6))
    assert found.dc_offset == near(-0.1, 1e-6)


def test_direct_current_alone() -> None:
    found = measure(constant(0.5, 1.0))
    assert (found.dc_offset, found.rms_dbfs, found.crest_factor_db) == (near(0.5, 1e-9), near(-6.02), near(0))
    assert not found.is_silent


# Clipping


def with_runs(*runs: tuple[int, int, float], frames: int = 20_000) -> Samples:
    """Zeros with `(start, length, value)` written into them."""
    samples = np.zeros((1, frames), np.float32)
    for start, length, value in runs:
        samples[0, start : start + length] = value
    return samples


def assert_clips(found: Levels, count: int, intervals: Found, rate: int = RATE) -> None:
    assert found.clipped_samples == count
    assert found.clipped_intervals_s * rate == pytest.approx(np.array(intervals).reshape(-1, 2), abs=1e-6)


@pytest.mark.parametrize(
    ("runs", "count", "intervals"),
    [
        ([(1000, 3, 1.0)], 3, [[1000, 1003]]),
        ([(1000, 3, -1.0)], 3, [[1000, 1003]]),
        ([(1000, 3, 2.0)], 3, [[1000, 1003]]),
        ([(1000, 2, 1.0)], 0, []),
        ([(1000, 3, 0.9999)], 0, []),
        ([(1000, 3, 32767 / 32768)], 3, [[1000, 1003]]),
        ([(1000, 2, 1.0), (1002, 2, -1.0)], 0, []),
        ([(1000, 3, 1.0), (1003, 4, -1.0)], 7, [[1000, 1007]]),
        ([(1000, 2, 1.0), (1003, 2, 1.0)], 0, []),
        ([(0, 5, 1.0)], 5, [[0, 5]]),
        ([(19_996, 4, 1.0)], 4, [[19_996, 20_000]]),
        ([(0, 20_000, 1.0)], 20_000, [[0, 20_000]]),
        ([(1000, 3, 1.0), (1003 + 2399, 3, 1.0)], 6, [[1000, 3405]]),
        ([(1000, 3, 1.0), (1003 + 2400, 3, 1.0)], 6, [[1000, 1003], [3403, 3406]]),
    ],
)
def test_clipped_runs(runs: list[tuple[int, int, float]], count: int, intervals: Found) -> None:
    """Three at full scale of one sign make a run; runs under 50 ms (2400 samples) apart make one passage."""
    assert_clips(measure(with_runs(*runs)), count, intervals)


def test_clips_of_all_channels_are_joined() -> None:
    """Overlapping or under 50 ms (2400 samples) apart, they are one passage."""
    left = with_runs((1000, 3, 1.0), (9000, 4, 1.0))
    right = with_runs((1001, 5, 1.0), (9004 + 2399, 3, -1.0), (15_000, 3, -1.0))
    found = measure(stereo(left, right))
    assert_clips(found, 18, [[1000, 1006], [9000, 11_406], [15_000, 15_003]])
    assert found.channel_clipped_samples == (7, 11)


def test_a_clipped_sine() -> None:
    """Of each half wave at +6.02 dB the part from 30° to 150° is cut: two thirds of all samples."""
    found = measure(signals.clipped(sine(100, 1.0, db(2), degrees=0.1)))
    assert found.clipped_samples / RATE == near(2 / 3, 0.01)
    assert found.clipped_intervals_s == near(np.array([[1 / 1200, 1 - 1 / 1200]]), 1e-4)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([0, 0, 1, 1, 1, -1, -1]), min_size=1, max_size=60))
def test_clipped_samples_are_those_in_runs_of_three(values: list[int]) -> None:
    runs = [len(list(run)) for value, run in groupby(values) if value]
    assert measure(np.array([values], np.float32)).clipped_samples == sum(run for run in runs if run >= 3)


@pytest.mark.parametrize(
    ("bit_depth", "code", "clips"),
    [
        (8, 127 / 128, True),
        (8, 126 / 128, False),
        (16, 127 / 128, False),
        (16, 32767 / 32768, True),
        (24, 32767 / 32768, True),
        (None, 32767 / 32768, True),
        (None, 32766 / 32768, False),
    ],
)
def test_full_scale_is_the_top_code(bit_depth: int | None, code: float, clips: bool) -> None:
    assert measure(with_runs((100, 5, code)), bit_depth=bit_depth).clipped_samples == (5 if clips else 0)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT"])
def test_clipping_is_found_in_files_of_every_depth(tmp_path: Path, subtype: str) -> None:
    path = signals.write_wav(tmp_path / "loud.wav", with_runs((1000, 4, 1.0), (9000, 3, -1.0)), subtype=subtype)
    assert_clips(levels(decode(path)), 7, [[1000, 1004], [9000, 9003]])


# Silence


def test_silence_at_the_ends() -> None:
    left = joined(signals.silence(0.5), constant(0.1, 1.0), signals.silence(0.25))
    right = joined(signals.silence(0.75), constant(-0.1, 0.9), signals.silence(0.1))
    found = measure(stereo(left, right))
    assert found.channel_leading_silence_s == (near(0.5, 1e-9), near(0.75, 1e-9))
    assert found.channel_trailing_silence_s == (near(0.25, 1e-9), near(0.1, 1e-9))
    assert (found.leading_silence_s, found.trailing_silence_s) == (near(0.5, 1e-9), near(0.1, 1e-9))


def test_silence_ends_at_minus_60_dbfs() -> None:
    found = measure(joined(constant(0.00099, 1.0), constant(0.00101, 1.0), constant(-0.00099, 1.0)))
    assert (found.leading_silence_s, found.trailing_silence_s) == (near(1.0, 1e-9), near(1.0, 1e-9))


def test_nothing_but_zeros() -> None:
    found = measure(signals.silence(7.0, channels=2))
    assert found.is_silent
    assert (found.rms_dbfs, found.crest_factor_db, found.dr, found.downmix_peak_dbfs) == (None, None, None, None)
    assert (found.leading_silence_s, found.trailing_silence_s) == (None, None)
    assert (found.dc_offset, found.clipped_samples, found.clipped_intervals_s.shape) == (0.0, 0, (0, 2))


def test_one_quiet_sample_is_not_silent() -> None:
    found = measure(with_runs((500, 1, 1e-5)))
    assert not found.is_silent
    assert found.leading_silence_s is None


# TT Dynamic Range. The RMS of the meter is a sine's amplitude, so a block of a sine counts by its amplitude.


def blocks_of_sine(amplitudes: list[float], spikes: dict[int, float], rate: int = 8000) -> Samples:
    """Blocks of 3 s of a 100 Hz sine, and one sample written into the middle of some."""
    samples = joined(*(sine(100, 3.0, db(a), rate=rate) for a in amplitudes))
    for block, value in spikes.items():
        samples[0, (3 * block + 1) * rate] = value
    return samples


def test_dr_of_five_blocks_worked_out_by_hand() -> None:
    """The loudest fifth is one block of 0.5; the second-highest peak is 0.8: 20 lg (0.8 / 0.5) = 4.08."""
    samples = blocks_of_sine([0.25, 0.5, 0.25, 0.25, 0.25], {2: -1.0, 4: 0.8})
    found = measure(samples, 8000)
    assert found.channel_dr_db == (near(4.08),)
    assert found.dr == 4


def test_dr_of_eleven_blocks_worked_out_by_hand() -> None:
    """A fifth of 11 is two whole blocks, of mean power √((0.8² + 0.4²) / 2) = 0.632; 0.9 over it is 3.06 dB."""
    samples = blocks_of_sine([0.1, 0.8, 0.1, 0.1, 0.4, *[0.1] * 6], {3: 0.9, 7: 1.0})
    assert measure(samples, 8000).channel_dr_db == (near(3.06),)


def test_dr_is_the_mean_of_the_channels_that_sound() -> None:
    loud = blocks_of_sine([0.25, 0.5, 0.25, 0.25, 0.25], {2: 1.0, 4: 0.8})
    flat = blocks_of_sine([0.1] * 5, {})
    found = measure(stereo(loud, flat), 8000)
    assert found.channel_dr_db == (near(4.08), near(0))
    assert found.dr == 2
    assert measure(stereo(loud, 0 * loud), 8000).dr == 4


def test_dr_leaves_the_unfinished_block_out() -> None:
    samples = blocks_of_sine([0.25, 0.5, 0.25], {2: 1.0})
    found = measure(joined(samples, constant(1.0, 2.9, rate=8000)), 8000)
    assert found.channel_dr_db == measure(samples, 8000).channel_dr_db


@pytest.mark.parametrize(("seconds", "has_dr"), [(2.9, False), (5.99, False), (6.0, True)])
def test_dr_needs_two_blocks(seconds: float, has_dr: bool) -> None:
    found = measure(sine(100, seconds, -6.0, rate=8000), 8000)
    assert (found.dr is not None) == has_dr
    assert (found.channel_dr_db[0] is not None) == has_dr


# Downmix


def test_the_peak_of_a_stereo_downmix() -> None:
    """Left = FL + 0.707 FC + 0.707 BL, without the LFE (ITU-R BS.775-4, table 2)."""
    rows = [constant(value, 0.5) for value in (0.5, 0.1, 0.4, 0.9, 0.3, 0.2)]
    assert measure(np.concatenate(rows), positions=SURROUND).downmix_peak_dbfs == near(db(0.5 + 0.7 * np.sqrt(0.5)))


def test_what_cancels_in_the_downmix_does_not_count() -> None:
    rows = [constant(value, 0.5) for value in (0.5, 0.0, -0.5 * np.sqrt(2), 0.0, 0.0, 0.0)]
    assert measure(np.concatenate(rows), positions=SURROUND).downmix_peak_dbfs == near(db(0.5))


@pytest.mark.parametrize("channels", [1, 2])
def test_mono_and_stereo_need_no_downmix(channels: int) -> None:
    assert measure(sine(1000, 0.5, channels=channels)).downmix_peak_dbfs is None


# Invariances


def test_a_gain_moves_levels_and_no_ratio() -> None:
    samples = song(7.0, channels=6)
    before, after = measure(samples), measure(samples * np.float32(0.25))
    for name in ("rms_dbfs", "downmix_peak_dbfs"):
        assert getattr(after, name) - getattr(before, name) == near(-12.0412, 1e-4)
    for name in ("channel_rms_dbfs", "channel_peak_dbfs"):
        assert np.subtract(getattr(after, name), getattr(before, name)) == near(-12.0412, 1e-4)
    assert after.crest_factor_db == near(before.crest_factor_db, 1e-6)
    assert after.channel_dr_db == tuple(near(value, 1e-6) for value in before.channel_dr_db)
    assert after.dc_offset == near(before.dc_offset / 4, 1e-9)


def test_swapped_channels_swap_what_is_of_channels() -> None:
    samples = signals.clipped(2 * song(7.0), 1.0)
    before, after = measure(samples), measure(samples[::-1])
    for field in fields(Levels):
        expected = getattr(before, field.name)
        if field.name.startswith("channel_"):
            expected = expected[::-1]
        assert np.array_equal(getattr(after, field.name), expected), field.name


def test_three_seconds_of_silence_in_front_move_times_only() -> None:
    samples = signals.clipped(2 * song(9.0, rate=8000), 1.0)
    before = measure(samples, 8000)
    after = measure(joined(signals.silence(3.0, rate=8000, channels=2), samples), 8000)
    assert after.clipped_intervals_s == near(before.clipped_intervals_s + 3, 1e-9)
    assert after.leading_silence_s == near(before.leading_silence_s + 3, 1e-9)
    for name in ("clipped_samples", "channel_peak_dbfs", "trailing_silence_s", "channel_dr_db"):
        assert getattr(after, name) == getattr(before, name), name


def clipped_over_the_edges(rate: int, seconds: float, channels: int) -> Samples:
    """The song with a clipped run across 30 s, where blocks of a stream meet, and one at the very end."""
    samples = 0.5 * song(seconds, rate=rate, channels=channels)
    samples[0, 30 * rate - 2 : 30 * rate + 2] = 1.0
    samples[-1, -3:] = -1.0
    return samples


@pytest.mark.parametrize(
    ("rate", "seconds", "channels"), [(8_000, 65.0, 2), (11_025, 61.3, 1), (44_100, 31.0, 2), (8_000, 60.0, 6)]
)
def test_a_stream_measures_exactly_the_same(tmp_path: Path, rate: int, seconds: float, channels: int) -> None:
    samples = clipped_over_the_edges(rate, seconds, channels)
    stream = signals.streamed(tmp_path / "long.wav", samples, rate)
    found, expected = levels(stream), measure(samples, rate, positions=stream.positions)
    for field in fields(Levels):
        assert np.array_equal(getattr(found, field.name), getattr(expected, field.name)), field.name


def test_a_clipped_run_goes_on_in_the_next_block_of_a_stream(tmp_path: Path) -> None:
    found = levels(signals.streamed(tmp_path / "long.wav", clipped_over_the_edges(8000, 32.0, 1), 8000))
    assert found.clipped_samples == 7
    assert found.clipped_intervals_s == near(np.array([[30 - 2 / 8000, 30 + 2 / 8000], [32 - 3 / 8000, 32.0]]), 1e-9)


def test_a_clipped_run_that_ends_with_a_block_of_a_stream_ends_there(tmp_path: Path) -> None:
    samples = signals.silence(32.0, rate=8000)
    samples[0, 30 * 8000 - 3 : 30 * 8000] = 1.0
    found = levels(signals.streamed(tmp_path / "long.wav", samples, 8000))
    assert_clips(found, 3, [[30 * 8000 - 3, 30 * 8000]], 8000)
