"""The outline and colour of signals that are known beforehand, in columns that are counted."""

from __future__ import annotations

import io
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from processor.analysis.bands import bands
from processor.analysis.waveform import MAX_COLUMNS, Waveform, waveform
from processor.audio import Audio
from tests import signals
from tests.signals import RATE, Samples, audio, constant, db, joined, silence, sine, song, stereo


def measure_audio(sound: Audio) -> Waveform:
    return waveform(sound, bands(sound))


def measure(samples: Samples, rate: int = RATE) -> Waveform:
    return measure_audio(audio(samples, rate))


def curves(found: Waveform) -> list[NDArray[np.float64]]:
    return [found.highest, found.lowest, found.low_share, found.high_share]


# Outline


def test_each_column_holds_the_extremes_of_its_own_samples() -> None:
    """Sixteen samples a column, of which the k-th column's lie between −k and k."""
    columns = np.arange(1, MAX_COLUMNS + 1) / MAX_COLUMNS
    pattern = np.zeros((MAX_COLUMNS, 16))
    pattern[:, 3], pattern[:, 12] = columns, -columns / 2
    found = measure(pattern.reshape(1, -1).astype(np.float32), 8000)
    assert np.abs(found.highest - 100 * columns).max() <= 0.5001
    assert np.abs(found.lowest + 50 * columns).max() <= 0.5001
    assert found.column_s == pytest.approx(16 / 8000)


def test_columns_of_uneven_length_miss_no_sample() -> None:
    """1601 columns' worth of samples do not divide by 1600; a click anywhere is in the outline."""
    for at in (0, 1, 40_000, 123_456, 160_100):
        samples = np.zeros((1, 160_101), np.float32)
        samples[0, at] = -0.25
        found = measure(samples)
        assert found.lowest.min() == -100
        assert abs(int(found.lowest.argmin()) - at * MAX_COLUMNS // 160_101) <= 1


def test_the_outline_is_that_of_all_channels() -> None:
    found = measure(stereo(constant(0.5, 1.0), constant(-0.25, 1.0)))
    assert set(found.highest) == {100}
    assert set(found.lowest) == {-50}


def test_the_peak_is_what_the_percents_are_of() -> None:
    found = measure(joined(sine(1000, 1.0, -26.0), sine(1000, 1.0, -6.0)))
    assert found.waveform_peak_dbfs == pytest.approx(-6.0, abs=0.01)
    assert found.highest[-10:].min() >= 99
    assert set(found.highest[10 : MAX_COLUMNS // 2 - 10]) == {10}


@pytest.mark.parametrize("frames", [0, 1, 2, 1599, 1600, 1601, 3000])
def test_a_short_sound_has_no_more_columns_than_samples(frames: int) -> None:
    found = measure(np.full((2, frames), 0.5, np.float32))
    assert {curve.size for curve in curves(found)} == {min(frames, MAX_COLUMNS)}
    assert found.column_s * min(frames, MAX_COLUMNS) == pytest.approx(frames / RATE)


def test_silence_has_a_flat_outline_and_no_colour() -> None:
    found = measure(silence(3.0, channels=2))
    assert found.waveform_peak_dbfs is None
    assert all(not curve.any() for curve in curves(found))


def test_direct_current_has_an_outline_and_no_colour() -> None:
    found = measure(constant(0.7, 3.0, channels=2))
    assert set(found.highest) == {100}
    assert not found.low_share.any()
    assert not found.high_share.any()


# Colour


@pytest.mark.parametrize(
    ("hz", "low", "high"), [(60, 1000, 0), (200, 1000, 0), (400, 0, 0), (1000, 0, 0), (3000, 0, 0), (8000, 0, 1000)]
)
def test_a_tone_has_one_colour(hz: float, low: float, high: float) -> None:
    found = measure(sine(hz, 4.0, -6.0, channels=2))
    inside = slice(100, -100)
    assert found.low_share[inside] == pytest.approx(low, abs=2)
    assert found.high_share[inside] == pytest.approx(high, abs=2)


def test_white_noise_has_the_shares_of_its_bandwidths() -> None:
    """Third-octaves reach from 17.8 Hz to 22.4 kHz."""
    found = measure(signals.noise(30.0))
    assert found.low_share.mean() == pytest.approx(1000 * (250 - 17.8) / 22_369, abs=1)
    assert found.high_share.mean() == pytest.approx(1000 * (22_387 - 4000) / 22_369, abs=5)


def test_colour_changes_when_the_sound_does() -> None:
    found = measure(joined(sine(100, 4.0), sine(8000, 12.0)))
    is_high = found.high_share > 500
    assert abs(int(is_high.argmax()) * found.column_s - 4.0) < 0.06
    assert is_high[is_high.argmax() :].all()


def test_silence_within_a_track_has_no_colour() -> None:
    found = measure(joined(sine(100, 4.0), silence(4.0), sine(8000, 4.0)))
    middle = slice(int(4.2 / found.column_s), int(7.8 / found.column_s))
    assert not found.low_share[middle].any()
    assert not found.high_share[middle].any()


# Invariances


def test_a_gain_moves_the_peak_alone() -> None:
    before, after = measure(song(6.0)), measure(song(6.0) * np.float32(0.25))
    assert before.waveform_peak_dbfs is not None
    assert after.waveform_peak_dbfs == pytest.approx(before.waveform_peak_dbfs + db(0.25))
    for was, now in zip(curves(before), curves(after), strict=True):
        assert np.array_equal(was, now)


def test_swapped_channels_change_nothing() -> None:
    before, after = measure(song(6.0)), measure(np.ascontiguousarray(song(6.0)[::-1]))
    for was, now in zip(curves(before), curves(after), strict=True):
        assert np.abs(was - now).max() <= 1


@pytest.mark.parametrize(("rate", "seconds", "channels"), [(8_000, 65.0, 2), (11_025, 61.3, 1), (8_000, 60.0, 6)])
def test_a_stream_looks_the_same(tmp_path: Path, rate: int, seconds: float, channels: int) -> None:
    stream = signals.streamed(tmp_path / "long.wav", song(seconds, rate=rate, channels=channels), rate)
    found = measure_audio(stream)
    expected = measure_audio(audio(song(seconds, rate=rate, channels=channels), rate, positions=stream.positions))
    for field in fields(Waveform):
        assert np.array_equal(getattr(found, field.name), getattr(expected, field.name)), field.name


def test_it_takes_little_room() -> None:
    found = measure(signals.noise(30.0, channels=2))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, *curves(found))
    assert buffer.tell() < 20_000
