"""Powers by bin and third-octave: they add up, they stand where they belong, and a stream gives the same bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.signal
from numpy.typing import NDArray

from processor.analysis.bands import Bands, band_powers, bands, bin_spans, frame_hop, heard_powers, six_band_powers
from tests import signals
from tests.signals import RATE, SURROUND, Samples, audio, joined, noise, silence, sine, song, stereo

RATES = [4_000, 8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000]


def measure(samples: Samples, rate: int = RATE, **facts: object) -> Bands:
    return bands(audio(samples, rate, **facts))


def db(power: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return 10 * np.log10(power)


def near(expected: object, tolerance: float = 0.05) -> object:
    return pytest.approx(expected, abs=tolerance)


# The sum is the mean square


@pytest.mark.parametrize("rate", RATES)
def test_the_bins_of_music_add_up_to_its_power(rate: int) -> None:
    samples = song(8.0 if rate < 90_000 else 5.0, rate=rate)
    found = measure(samples, rate)
    for row, power in zip(samples, (found.left, found.right), strict=True):
        assert db(power.sum()) == near(db(float(np.mean(row.astype(np.float64) ** 2))))


def test_a_full_scale_sine_has_half() -> None:
    found = measure(sine(1000, 8.0, channels=2))
    assert db(found.left.sum()) == near(-3.0103, 0.01)
    assert db(found.left[90:100].sum()) == near(-3.0103, 0.01)


def test_third_octaves_of_noise_add_up_to_its_power() -> None:
    """All but what lies under 17.8 Hz and over 22.4 kHz."""
    found = measure(noise(20.0, -20.0))
    inside = found.band_left.sum(axis=1).mean()
    assert db(inside) == near(-20 + db((22_387 - 17.8) / 24_000), 0.1)


def test_cross_power_is_that_of_the_product_of_the_channels() -> None:
    samples = song(8.0)
    found = measure(samples)
    assert found.cross.sum() == pytest.approx(float(np.mean(samples[0] * samples[1])), rel=0.02)


def test_the_channels_do_not_leak_into_each_other() -> None:
    found = measure(stereo(sine(1000, 4.0), 0 * sine(1000, 4.0)))
    assert found.right.sum() < 1e-12 * found.left.sum()
    swapped = measure(stereo(0 * sine(1000, 4.0), sine(1000, 4.0)))
    assert swapped.left.sum() < 1e-12 * swapped.right.sum()


def test_welch_of_scipy_agrees_bin_by_bin() -> None:
    samples = noise(30.0, -20.0, channels=2, rate=44_100)
    found = measure(samples, 44_100)
    _, expected = scipy.signal.welch(
        samples[0].astype(np.float64), 44_100, "hann", 4096, 2048, detrend=False, scaling="density"
    )
    assert found.left[1:-1] == pytest.approx(expected[1:-1] * found.bin_hz, rel=0.05)
    _, cross = scipy.signal.csd(*samples.astype(np.float64), 44_100, "hann", 4096, 2048, detrend=False)
    assert found.cross[1:-1] == pytest.approx(cross.real[1:-1] * found.bin_hz, abs=0.05 * float(found.left.max()))


# Where frequencies and times are


@pytest.mark.parametrize("number", range(-9, 14))
def test_a_tone_in_the_middle_of_a_third_octave_is_in_that_one(number: int) -> None:
    """From 125 Hz, where a band is wide enough for the window; below, neighbours get some."""
    hz = 1000 * 10 ** (number / 10)
    found = measure(sine(hz, 3.0, -20.0))
    power = found.band_left.mean(axis=0)
    assert found.centres_hz[int(np.argmax(power))] == pytest.approx(hz)
    assert power.max() / power.sum() > (0.8 if number < -5 else 0.97)


@pytest.mark.parametrize("number", [-5, 0, 10])
def test_a_tone_on_an_edge_is_in_both(number: int) -> None:
    hz = 1000 * 10 ** ((number + 0.5) / 10)
    found = measure(sine(hz, 3.0, -20.0))
    power = found.band_left.mean(axis=0)
    at = int(np.searchsorted(found.centres_hz, hz))
    assert power[at - 1] + power[at] == pytest.approx(power.sum(), rel=0.03)
    assert 0.2 < power[at] / power[at - 1] < 5


@pytest.mark.parametrize("rate", RATES)
def test_white_noise_rises_by_one_decibel_a_band_down_to_the_narrowest(rate: int) -> None:
    found = measure(noise(30.0, -20.0, rate=rate), rate)
    density = found.band_left.mean(axis=0)[:-1] / (found.centres_hz[:-1] * (10**0.05 - 10**-0.05))
    assert db(density) == near(db(0.01 / (rate / 2)), 1.0)
    assert db(density[12:]) == near(db(0.01 / (rate / 2)), 0.3)


@pytest.mark.parametrize(
    ("rate", "last_hz"), [(4_000, 1995.26), (8_000, 3981.07), (44_100, 19_952.6), (192_000, 19_952.6)]
)
def test_centres_go_from_20_hz_to_20_khz_or_half_the_rate(rate: int, last_hz: float) -> None:
    centres = measure(silence(0.5, rate=rate), rate).centres_hz
    assert centres[0] == pytest.approx(19.9526, rel=1e-5)
    assert centres[-1] == pytest.approx(last_hz, rel=1e-5)


@pytest.mark.parametrize("rate", RATES)
def test_a_window_lasts_93_ms_at_any_rate(rate: int) -> None:
    found = measure(silence(1.0, rate=rate), rate)
    assert found.window_s == pytest.approx(0.0929, rel=0.02)
    assert found.frame_rate * found.window_s == pytest.approx(2)
    assert found.frame_rate == pytest.approx(rate / frame_hop(rate))


def test_a_click_is_where_its_frame_is() -> None:
    samples = silence(3.0)
    samples[0, round(1.5 * RATE)] = 1.0
    found = measure(samples)
    power = found.band_left.sum(axis=1)
    assert found.times_s[int(np.argmax(power))] == near(1.5, 0.5 / found.frame_rate + 1e-9)
    assert (power[np.abs(found.times_s - 1.5) > found.window_s / 2 + 1e-9] == 0).all()


def test_each_sample_is_in_two_frames() -> None:
    hop = frame_hop(RATE)
    for length, frames in ((0, 0), (1, 2), (hop, 2), (hop + 1, 3), (20 * hop, 21), (20 * hop + 1, 22)):
        found = measure(noise(1.0)[:, :length])
        assert found.band_left.shape == (frames, 31) == (found.times_s.size, found.centres_hz.size)


# What is no sound, and channels


def test_direct_current_is_no_sound() -> None:
    found = measure(signals.constant(0.7, 5.0, channels=2))
    assert heard_powers(found) == (0.0, 0.0, 0.0)
    assert (six_band_powers(found) < 1e-12).all()
    assert (found.band_left < 1e-12).all()


def test_a_constant_shift_moves_no_band() -> None:
    samples = song(5.0)
    before, after = measure(samples), measure(samples + np.float32(0.3))
    assert six_band_powers(after)[:2] == pytest.approx(six_band_powers(before)[:2], rel=0.01)


def test_one_channel_is_on_both_sides() -> None:
    found = measure(noise(2.0))
    assert np.array_equal(found.left, found.right)
    assert np.array_equal(found.left, found.cross)
    assert np.array_equal(found.band_left, found.band_right)
    assert found.channels == 1


def test_surround_is_folded_to_two() -> None:
    """Left = FL + 0.707 FC + 0.707 BL (ITU-R BS.775-4); the parts do not overlap in frequency."""
    rows = [sine(hz, 2.0, -20.0)[0] for hz in (300, 500, 1000, 50, 2000, 4000)]
    found = measure(np.array(rows), positions=SURROUND)
    assert db(found.left.sum()) == near(-23.01 + db(1 + 0.5 + 0.5), 0.02)
    assert db(found.right.sum()) == near(-23.01 + db(1 + 0.5 + 0.5), 0.02)
    assert found.channels == 6


# Sums between frequencies


def test_shares_of_neighbours_lose_nothing() -> None:
    edges = np.array([1.0, 3.3, 3.7, 10.0, 10.2, 14.9, 100.0])
    first, last, shares = bin_spans(edges[:-1], edges[1:], 2.0, 50)
    weights = np.zeros((6, 51))
    for band in range(6):
        weights[band, first[band] : last[band] + 1] = 1
        weights[band, first[band]] = shares[band, 0]
        if last[band] > first[band]:
            weights[band, last[band]] = shares[band, 1]
    assert (weights >= 0).all()
    assert weights.sum(axis=1) * 2 == pytest.approx(np.diff(edges), abs=1e-5)
    assert weights.sum(axis=0)[1:50] == pytest.approx(np.ones(49), abs=1e-5)


def test_powers_between_frequencies_are_those_of_the_frames() -> None:
    found = measure(noise(10.0, channels=2))
    low, high = found.centres_hz * 10**-0.05, found.centres_hz * 10**0.05
    # The same frames, summed in the other order; frames at the ends weigh the same in both.
    per_frame = found.band_left.sum(axis=0, dtype=np.float64) * frame_hop(RATE) / (10 * RATE)
    assert band_powers(found.left, low, high, found.bin_hz) == pytest.approx(per_frame, rel=1e-4)


# Streams


@pytest.mark.parametrize(
    ("rate", "seconds", "channels"),
    [(8_000, 65.0, 2), (11_025, 61.3, 1), (44_100, 31.0, 2), (8_000, 60.0, 6), (8_000, 30 + 1 / 8000, 2)],
)
def test_a_stream_gives_exactly_the_same(tmp_path: Path, rate: int, seconds: float, channels: int) -> None:
    samples = song(seconds, rate=rate, channels=channels)
    stream = signals.streamed(tmp_path / "long.wav", samples, rate)
    found, expected = bands(stream), measure(samples, rate, positions=stream.positions)
    for name in ("left", "right", "cross", "band_left", "band_right", "band_cross", "times_s", "centres_hz"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name


def test_silence_behind_changes_no_frame_before() -> None:
    samples = song(4.0)
    before, after = measure(samples), measure(joined(samples, silence(2.0, channels=2)))
    assert np.array_equal(after.band_left[: before.times_s.size - 2], before.band_left[:-2])
