"""The stereo picture of signals whose picture is known beforehand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from processor.analysis.bands import BAND_NAMES, bands
from processor.analysis.stereo import WIDTH_WEIGHTS, Stereo, stereo
from tests import signals
from tests.signals import RATE, Samples, audio, joined, noise, silence, sine, song

MIDDLES_HZ = (40, 120, 350, 1000, 3500, 9000)


def measure(samples: Samples, rate: int = RATE) -> Stereo:
    return stereo(bands(audio(samples, rate)))


def near(expected: object, tolerance: float = 0.01) -> object:
    return pytest.approx(expected, abs=tolerance)


def mid_and_side(mid: Samples, side: Samples) -> Samples:
    return signals.stereo(mid + side, mid - side)


# Known pictures


def test_equal_channels_are_mono() -> None:
    found = measure(signals.spread(noise(6.0)[0]))
    assert found.is_mono is True
    assert (found.correlation, found.width, found.negative_s) == (near(1, 1e-6), near(0, 1e-4), 0)
    assert (found.balance_db, found.mono_loss_db, found.mid_side_db) == (near(0, 1e-6), near(0, 1e-6), 60)
    for name in BAND_NAMES:
        assert getattr(found, f"{name}_correlation") == near(1, 1e-6)
        assert getattr(found, f"{name}_mono_loss_db") == near(0, 1e-6)


def test_inverted_channels_vanish_in_mono() -> None:
    row = noise(6.0)
    found = measure(signals.stereo(row, -row))
    assert found.is_mono is False
    assert (found.correlation, found.width) == (near(-1, 1e-6), near(100, 1e-4))
    assert (found.mono_loss_db, found.mid_side_db) == (60, -60)
    assert found.negative_s == near(6.0, 1e-6)
    assert found.negative_intervals_s == near(np.array([[0.0, 6.0]]), 1e-6)


def test_unrelated_channels() -> None:
    found = measure(noise(30.0, channels=2))
    assert found.correlation == near(0, 0.01)
    assert found.width == near(50, 1)
    assert (found.mono_loss_db, found.mid_side_db) == (near(3.01, 0.05), near(0, 0.1))
    assert found.negative_s == 0
    assert found.mids_correlation == near(0, 0.03)


@pytest.mark.parametrize("gain_db", [-20.0, -1.0, -0.1, 0.5, 6.0])
def test_balance_is_the_gain_of_the_right(gain_db: float) -> None:
    row = noise(3.0)
    found = measure(signals.stereo(row, row * np.float32(signals.amplitude(gain_db))))
    assert found.balance_db == near(gain_db, 1e-3)
    assert found.correlation == near(1, 1e-6)


def test_one_side_only() -> None:
    """A half of the power is in the side; mono takes 3 dB of what one loudspeaker had."""
    row = noise(4.0)
    found = measure(signals.stereo(row, 0 * row))
    assert (found.correlation, found.negative_s) == (None, None)
    assert (found.balance_db, found.mid_side_db, found.mono_loss_db) == (-60, near(0), near(3.01))
    assert found.width == near(50)
    assert np.isnan(found.correlations).all()


@pytest.mark.parametrize("side_db", [-30.0, -12.0, -6.0, 0.0, 6.0])
def test_mid_and_side_of_known_levels(side_db: float) -> None:
    """With r = side / mid: correlation (1 − r) / (1 + r) and loss 10 lg (1 + r), for unrelated mid and side."""
    mid, side = noise(60.0, seed=1), noise(60.0, seed=2)
    found = measure(mid_and_side(mid, side * np.float32(signals.amplitude(side_db))))
    ratio = 10 ** (side_db / 10)
    assert found.mid_side_db == near(-side_db, 0.05)
    assert found.correlation == near((1 - ratio) / (1 + ratio), 0.01)
    assert found.mono_loss_db == near(10 * np.log10(1 + ratio), 0.05)
    assert found.width == near(100 * ratio / (1 + ratio), 1)


def test_correlation_is_that_of_the_samples() -> None:
    samples = song(10.0)
    expected = np.corrcoef(samples.astype(np.float64))[0, 1]
    assert measure(samples).correlation == near(expected, 0.01)


# By band


@pytest.mark.parametrize("wide", range(6))
def test_each_band_has_its_own_picture(wide: int) -> None:
    """Six tones, one of them inverted on the right: only its band cancels, and it weighs what it should."""
    rows = [sine(hz, 6.0, -20.0) for hz in MIDDLES_HZ]
    left = np.sum(rows, axis=0)
    right = left - 2 * rows[wide]
    found = measure(signals.faded(signals.stereo(left, right), 4800))
    for band, name in enumerate(BAND_NAMES):
        assert getattr(found, f"{name}_correlation") == near(-1 if band == wide else 1, 0.02), name
        loss = getattr(found, f"{name}_mono_loss_db")
        assert loss > 20 if band == wide else loss < 0.1, name
        assert found.side_shares[band] == near(100 if band == wide else 0, 1), name
    assert found.width == near(100 * WIDTH_WEIGHTS[wide] / sum(WIDTH_WEIGHTS), 0.5)


def test_a_band_without_sound_says_nothing() -> None:
    found = measure(signals.faded(signals.stereo(sine(1000, 4.0), sine(1000, 4.0, degrees=60)), 9600))
    assert found.mids_correlation == near(0.5)
    assert (found.sub_correlation, found.air_correlation, found.air_mono_loss_db) == (None, None, None)
    assert found.side_shares[5] is None
    assert found.width == near(25, 0.5)


# Over time


def test_passages_out_of_phase() -> None:
    row, other = noise(4.0, seed=1), noise(3.0, seed=2)
    found = measure(
        joined(
            signals.stereo(row, row), signals.stereo(other, -other), signals.stereo(row, row), signals.stereo(row, -row)
        )
    )
    assert found.negative_intervals_s == near(np.array([[4.0, 7.0], [11.0, 15.0]]), 0.1)
    assert found.negative_s == near(7.0, 0.2)


@pytest.mark.parametrize(("seconds", "counts"), [(0.5, False), (0.9, False), (1.3, True), (2.0, True)])
def test_a_dip_counts_when_it_stays(seconds: float, counts: bool) -> None:
    row, dip = noise(3.0, seed=1), noise(seconds, seed=2)
    found = measure(joined(signals.stereo(row, row), signals.stereo(dip, -dip), signals.stereo(row, row)))
    assert (found.negative_intervals_s.shape[0] == 1) is counts
    assert found.negative_s == near(seconds if counts else 0, 0.1)


def test_the_curve_has_one_value_a_second_of_three_seconds() -> None:
    row = noise(6.0, seed=1)
    found = measure(joined(signals.stereo(row, row), signals.stereo(row, -row)))
    assert found.correlations.shape == (10,)
    assert found.correlations[[0, 3, 6, 9]] == near(np.array([1, 1, -1, -1]), 0.05)
    assert found.correlations[[4, 5]] == near(np.array([1 / 3, -1 / 3]), 0.1)


def test_pauses_are_gaps() -> None:
    row = noise(5.0, seed=1)
    found = measure(joined(signals.stereo(row, row), silence(6.0, channels=2), signals.stereo(row, row)))
    assert np.isnan(found.correlations[6:8]).all()
    assert found.correlations[[0, -1]] == near(np.array([1, 1]))
    assert found.negative_s == 0


# Nothing to see


@pytest.mark.parametrize("channels", [1, 2])
def test_silence_has_no_picture(channels: int) -> None:
    found = measure(silence(4.0, channels=channels))
    assert found.is_mono is (True if channels == 1 else None)
    assert (found.width, found.correlation, found.balance_db, found.mono_loss_db) == (None, None, None, None)
    assert (found.correlations.size, found.negative_intervals_s.shape) == (0, (0, 2))


def test_one_channel_has_no_picture() -> None:
    found = measure(song(4.0, channels=1))
    assert found.is_mono is True
    assert (found.width, found.correlation, found.negative_s) == (None, None, None)


def test_direct_current_is_no_picture() -> None:
    samples = song(5.0) + np.array([[0.2], [-0.2]], np.float32)
    assert measure(samples).correlation == near(measure(song(5.0)).correlation, 0.01)
    assert measure(signals.constant(0.5, 3.0, channels=2)).correlation is None


# Invariances


def test_a_gain_changes_nothing() -> None:
    samples = noise(5.0, channels=2) + 0.5 * song(5.0)
    before, after = measure(samples), measure(samples * np.float32(0.01))
    for name in ("width", "correlation", "balance_db", "mid_side_db", "mono_loss_db", "negative_s", "air_correlation"):
        assert getattr(after, name) == near(getattr(before, name), 1e-4), name


def test_swapped_channels_turn_the_balance_only() -> None:
    samples = song(5.0) * np.array([[1.0], [0.7]], np.float32)
    before, after = measure(samples), measure(samples[::-1])
    assert after.balance_db == near(-before.balance_db, 1e-4)  # type: ignore[operator]
    assert after.balance_db > 2  # type: ignore[operator]
    for name in ("width", "correlation", "mid_side_db", "mono_loss_db"):
        assert getattr(after, name) == near(getattr(before, name), 1e-4), name


def test_a_stream_measures_exactly_the_same(tmp_path: Path) -> None:
    samples = song(65.0, rate=8000)
    found = stereo(bands(signals.streamed(tmp_path / "long.wav", samples, 8000)))
    expected = measure(samples, 8000)
    assert found.correlation == expected.correlation
    assert np.array_equal(found.correlations, expected.correlations)
