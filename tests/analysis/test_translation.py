"""What small loudspeakers take away, of signals for which that is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.signal

from processor.analysis.bands import bands
from processor.analysis.loudness import Meter
from processor.analysis.translation import ORDER, PHONE_HZ, SMALL_HZ, Translation, translation
from processor.audio import default_positions
from tests import signals
from tests.signals import RATE, SURROUND, Samples, audio, noise, silence, sine, song, spread

LOSSES = ("small_loss_lu", "phone_loss_lu", "mono_loss_lu")


def measure(samples: Samples, rate: int = RATE) -> Translation:
    return translation(bands(audio(samples, rate)))


def near(expected: object, tolerance: float = 0.02) -> object:
    return pytest.approx(expected, abs=tolerance)


def k_power(samples: Samples, rate: int = RATE) -> float:
    """K-weighted power of all channels, by the loudness meter."""
    meter = Meter(rate, default_positions(len(samples)))
    meter.feed(np.ascontiguousarray(samples, np.float32))
    return float(meter.window_powers(samples.shape[1] * 100 // rate - 1)[0])


def by_the_meter(samples: Samples, corner_hz: float | None) -> float:
    """The same loss by filtering samples."""
    mono = (samples[0].astype(np.float64) + samples[1]) / 2
    if corner_hz is not None:
        mono = scipy.signal.sosfilt(scipy.signal.butter(ORDER, corner_hz, "high", fs=RATE, output="sos"), mono)
    return float(10 * np.log10(k_power(samples) / k_power(spread(mono))))


@pytest.mark.parametrize(("hz", "small", "phone"), [(1000, 0.0, 0.017), (500, 0.003, 3.01), (200, 3.01, 31.85)])
def test_a_tone_loses_what_the_high_pass_takes(hz: float, small: float, phone: float) -> None:
    found = measure(signals.faded(sine(hz, 10.0, -12.0, channels=2), 4800))
    assert found.small_loss_lu == near(small, 0.03)
    assert found.phone_loss_lu == near(phone, 0.2)
    assert found.mono_loss_lu == near(0, 1e-6)


@pytest.mark.parametrize("samples", [song(12.0), noise(12.0, channels=2) + 0.5 * song(12.0)], ids=["song", "noisy"])
def test_losses_are_those_of_filtered_samples(samples: Samples) -> None:
    found = measure(samples)
    for name, corner in zip(LOSSES, (SMALL_HZ, PHONE_HZ, None), strict=True):
        assert getattr(found, name) == near(by_the_meter(samples, corner), 0.1), name


def test_mono_takes_what_cancels() -> None:
    row, other = noise(6.0, seed=1), noise(6.0, seed=2)
    assert measure(signals.stereo(row, row)).mono_loss_lu == near(0, 1e-6)
    assert measure(signals.stereo(row, other)).mono_loss_lu == near(3.01, 0.1)
    inverted = measure(signals.stereo(row, -row))
    assert (inverted.mono_loss_lu, inverted.small_loss_lu, inverted.phone_loss_lu) == (60, 60, 60)


def test_what_is_lost_in_mono_is_lost_on_a_small_loudspeaker_too() -> None:
    middle, side = noise(6.0, seed=1), sine(1000, 6.0, -12.0)
    narrow, wide = measure(signals.stereo(middle, middle)), measure(signals.stereo(middle + side, middle - side))
    assert wide.mono_loss_lu is not None
    assert wide.mono_loss_lu > 1
    assert wide.small_loss_lu == near(narrow.small_loss_lu + wide.mono_loss_lu, 0.1)  # type: ignore[operator]


def test_bass_counts_as_it_is_heard() -> None:
    """K-weighting takes 40 Hz down, so its loss is less than that of as much power at 100 Hz."""
    voice = sine(1000, 8.0, -20.0)
    losses = [measure(spread(voice + sine(hz, 8.0, -8.0))).small_loss_lu for hz in (40, 100)]
    assert losses[0] is not None
    assert losses[1] is not None
    assert 1 < losses[0] < losses[1] - 1


# Overtones of the low end


def overtone(level_db: float | None, seconds: float = 10.0) -> Samples:
    row = sine(80, seconds, -8.0)
    return spread(row if level_db is None else row + sine(320, seconds, -8.0 + level_db))


@pytest.mark.parametrize("level_db", [-30.0, -20.0, -6.0, 0.0, 6.0])
def test_overtones_are_measured(level_db: float) -> None:
    assert measure(signals.faded(overtone(level_db), 4800)).low_end_above_200_db == near(level_db, 0.7)


def test_a_bare_sub_has_none() -> None:
    found = measure(signals.faded(overtone(None), 4800)).low_end_above_200_db
    assert found is not None
    assert found < -40


def test_an_instrument_that_rests_is_no_overtone() -> None:
    """A chord sounds above the bass for three quarters of the time; the rest tells."""
    chord = sine(400, 12.0, -8.0)
    chord[:, 9 * RATE :] = 0
    found = measure(spread(signals.faded(sine(80, 12.0, -8.0), 4800) + signals.faded(chord, 4800)))
    assert found.low_end_above_200_db is not None
    assert found.low_end_above_200_db < -30


def test_moments_without_bass_do_not_count() -> None:
    found = measure(signals.joined(overtone(-10.0, 6.0), spread(sine(400, 6.0, -8.0))))
    assert found.low_end_above_200_db == near(-10, 1.0)


@pytest.mark.parametrize(("bass_db", "there"), [(-25.0, True), (-35.0, False)])
def test_without_a_low_end_there_is_nothing_to_hear(bass_db: float, there: bool) -> None:
    samples = spread(sine(1000, 6.0, -6.0) + sine(100, 6.0, -6.0 + bass_db))
    assert (measure(samples).low_end_above_200_db is not None) is there


def test_too_few_moments() -> None:
    assert measure(overtone(-10.0, 1.0)).low_end_above_200_db is None
    assert measure(overtone(-10.0, 3.0)).low_end_above_200_db is not None


# All kinds of sound


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_silence_loses_nothing(channels: int) -> None:
    assert measure(silence(3.0, channels=channels)) == Translation(None, None, None, None)


def test_one_channel_is_as_two_equal_ones() -> None:
    row = song(8.0, channels=1)
    one, two = measure(row), measure(spread(row))
    assert one.mono_loss_lu == 0
    for name in (*LOSSES, "low_end_above_200_db"):
        assert getattr(one, name) == near(getattr(two, name), 1e-3), name


def test_a_gain_and_swapped_sides_change_nothing() -> None:
    samples = song(8.0)
    before, quiet, swapped = measure(samples), measure(samples * np.float32(0.01)), measure(samples[::-1])
    for name in (*LOSSES, "low_end_above_200_db"):
        assert getattr(quiet, name) == near(getattr(before, name), 1e-3), name
        assert getattr(swapped, name) == near(getattr(before, name), 1e-3), name


def test_other_rates_and_more_channels() -> None:
    before = measure(song(8.0))
    assert measure(song(8.0, rate=96_000), 96_000).small_loss_lu == near(before.small_loss_lu, 0.3)
    surround = translation(bands(audio(song(8.0, channels=6), positions=SURROUND)))
    assert surround.small_loss_lu is not None
    assert surround.small_loss_lu > 1


def test_a_stream_measures_the_same(tmp_path: Path) -> None:
    samples = song(32.0, rate=8000)
    assert translation(bands(signals.streamed(tmp_path / "long.wav", samples, 8000))) == measure(samples, 8000)
