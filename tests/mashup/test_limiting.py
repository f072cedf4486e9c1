"""No true peak over the ceiling, whatever comes; a loudness is met, or it is said that it is not."""

from __future__ import annotations

import numpy as np
import pytest

from processor.mashup.curves import measured
from processor.mashup.limiting import MOST_DB, RELEASE_S, Samples, envelope, limited, to_loudness
from tests.signals import RATE, amplitude, audio, constant, db, joined, noise, silence, sine, song, stereo, tones

RATES = (8000, 44_100, 48_000, 96_000, 192_000)


def true_peak_dbtp(samples: Samples, rate: int = RATE) -> float:
    return db(float(measured(samples, rate).true_peaks().max(initial=1e-12)))


def square(hz: float, seconds: float, rate: int = RATE) -> Samples:
    return np.sign(sine(hz, seconds, rate=rate, degrees=1.0, channels=2))


def between_samples(seconds: float, rate: int = RATE) -> Samples:
    """A tone at a quarter of the rate whose samples all have 0 dBFS, and whose peaks lie 3 dB higher, between them."""
    return (np.sqrt(2) * sine(rate / 4, seconds, rate=rate, degrees=45.0, channels=2)).astype(np.float32)


def alternating(seconds: float, rate: int = RATE) -> Samples:
    """Samples whose signs follow those of a filter between two samples: the highest that can lie there."""
    random = np.random.default_rng(0)
    row = np.tile([1.0, 1.0, -1.0, 1.0, -1.0, -1.0, 1.0, -1.0], round(seconds * rate / 8))
    return stereo(row[None].astype(np.float32), random.choice([-1.0, 1.0], (1, row.size)).astype(np.float32))


ADVERSARIES = {
    "noise": lambda rate: np.clip(noise(0.5, 0.0, rate=rate, channels=2), -1, 1),
    "loud noise": lambda rate: noise(0.5, 12.0, rate=rate, channels=2),
    "square": lambda rate: square(997.0, 0.5, rate),
    "between": lambda rate: between_samples(0.5, rate),
    "alternating": lambda rate: alternating(0.5, rate),
    "impulse": lambda rate: joined(silence(0.2, rate=rate, channels=2), constant(4.0, 1 / rate, rate=rate, channels=2)),
    "first sample": lambda rate: joined(constant(2.0, 2 / rate, rate=rate, channels=2), silence(0.1, channels=2)),
    "constant": lambda rate: constant(-1.5, 0.5, rate=rate, channels=2),
    "one channel": lambda rate: stereo(silence(0.5, rate=rate), noise(0.5, 6.0, rate=rate)),
}


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", ADVERSARIES)
def test_nothing_passes_the_ceiling(name: str, rate: int) -> None:
    samples = ADVERSARIES[name](rate)
    for ceiling_dbtp in (-1.0, -0.3):
        found, deepest_db = limited(samples, rate, ceiling_dbtp)
        assert true_peak_dbtp(found, rate) <= ceiling_dbtp
        assert true_peak_dbtp(found, rate) > ceiling_dbtp - 0.3  # and no lower than it has to be
        before = true_peak_dbtp(samples, rate)
        assert deepest_db == pytest.approx(before - ceiling_dbtp, abs=0.3)


def test_what_fits_is_left_as_it_is() -> None:
    samples = sine(1000.0, 1.0, -1.1, channels=2)
    found, deepest_db = limited(samples, RATE, -1.0)
    assert np.array_equal(found, samples)
    assert deepest_db == 0.0


def test_a_peak_leaves_the_rest_alone() -> None:
    quiet = sine(1000.0, 4.0, -20.0, channels=2)
    samples = quiet.copy()
    samples[:, 2 * RATE] = 2.0
    found, deepest_db = limited(samples, RATE, -1.0)
    assert deepest_db == pytest.approx(db(2.0) + 1.0, abs=0.1)
    assert np.array_equal(found[:, : 2 * RATE - 300], quiet[:, : 2 * RATE - 300])  # 6 ms
    later = slice(2 * RATE + round(10 * RELEASE_S * RATE), None)
    assert np.allclose(found[:, later], quiet[:, later], atol=1e-4)


def test_the_gain_comes_down_and_back_smoothly() -> None:
    samples = tones([(-6.0, 1.0), (6.0, 1.0), (-6.0, 2.0)], hz=1000.0)
    found, _ = limited(samples, RATE, -1.0)
    heard = np.abs(samples[0]) > 0.2
    gain = np.interp(np.arange(heard.size), np.flatnonzero(heard), found[0][heard] / samples[0][heard])
    assert np.abs(np.diff(gain)).max() < 1.5 / (0.0025 * RATE)  # a triangle of 5 ms: no corner, no click
    start = 2 * RATE + round(0.014 * RATE)  # behind hold and smoothing
    back = (gain[start:] - gain[start - 1]) / (1 - gain[start - 1])
    assert np.argmax(back > 1 - np.exp(-1)) / RATE == pytest.approx(RELEASE_S, rel=0.3)


def test_a_bass_stays_a_sine() -> None:
    found, _ = limited(sine(50.0, 2.0, 5.0, channels=2), RATE, -1.0)
    spectrum = np.abs(np.fft.rfft(found[0, RATE // 2 : RATE // 2 + RATE] * np.hanning(RATE)))
    assert db(spectrum[145:1000].max() / spectrum[45:56].max()) < -60.0


def test_the_picture_stands_still() -> None:
    left = noise(1.0, 0.0)
    found, _ = limited(stereo(left, np.float32(0.25) * left), RATE, -1.0)
    assert np.allclose(found[1], 0.25 * found[0], atol=1e-6)


def test_the_envelope_is_never_under_the_meter() -> None:
    for samples in (noise(0.5, 0.0, channels=2), between_samples(0.5), alternating(0.5)):
        assert db(float(envelope(samples, RATE, 0.0).max())) == pytest.approx(true_peak_dbtp(samples), abs=1e-4)


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000, 192_000])
@pytest.mark.parametrize("target_lufs", [-23.0, -14.0, -9.0])
def test_a_mix_gets_its_loudness(rate: int, target_lufs: float) -> None:
    samples = song(8.0, rate=rate) * np.float32(0.1)
    found = to_loudness(samples, rate, target_lufs, -1.0)
    assert found.true_peak_dbtp is not None
    assert found.true_peak_dbtp <= -1.0
    assert found.true_peak_dbtp == pytest.approx(true_peak_dbtp(found.samples, rate), abs=1e-9)
    assert found.lufs is not None
    if found.limiter_db < MOST_DB - 0.1:
        assert found.lufs == pytest.approx(target_lufs, abs=0.1)
    else:
        assert found.lufs < target_lufs


def test_the_loudness_is_what_the_analyser_measures() -> None:
    from processor.analysis.loudness import loudness

    found = to_loudness(song(8.0), RATE, -12.0, -1.0)
    told = loudness(audio(found.samples))
    assert told.integrated_lufs == pytest.approx(found.lufs, abs=1e-6)
    assert told.true_peak_dbtp == pytest.approx(found.true_peak_dbtp, abs=1e-6)


def test_a_limiter_with_too_much_to_do_stops() -> None:
    samples = sine(1000.0, 5.0, -30.0, channels=2)
    samples[:, ::RATE] = 1.0
    found = to_loudness(samples, RATE, -14.0, -1.0)
    assert found.limiter_db == pytest.approx(MOST_DB, abs=0.1)
    assert found.lufs is not None
    assert found.lufs < -15.0
    assert found.true_peak_dbtp is not None
    assert found.true_peak_dbtp <= -1.0


def test_turning_down_needs_no_limiter() -> None:
    samples = song(8.0)
    found = to_loudness(samples, RATE, -30.0, -1.0)
    assert found.limiter_db == 0.0
    assert found.lufs == pytest.approx(-30.0, abs=0.03)
    assert np.allclose(found.samples, samples * np.float32(amplitude(found.gain_db)), atol=1e-7)


@pytest.mark.parametrize("frames", [0, 1, 20, 4800])
def test_silence_stays_silence(frames: int) -> None:
    found = to_loudness(np.zeros((2, frames), np.float32), RATE, -14.0, -1.0)
    assert (found.gain_db, found.limiter_db, found.lufs, found.true_peak_dbtp) == (0.0, 0.0, None, None)
    assert not found.samples.any()
    assert found.samples.shape == (2, frames)


@pytest.mark.parametrize("frames", [1, 2, 15, 480])
def test_a_sound_too_short_for_a_loudness_is_limited_all_the_same(frames: int) -> None:
    found = to_loudness(constant(3.0, frames / RATE, channels=2), RATE, -14.0, -1.0)
    assert found.lufs is None
    assert found.true_peak_dbtp is not None
    assert -1.5 < found.true_peak_dbtp <= -1.0


def test_the_same_twice() -> None:
    samples = noise(1.0, 0.0, channels=2)
    before = samples.copy()
    one, other = to_loudness(samples, RATE, -5.0, -1.0), to_loudness(samples, RATE, -5.0, -1.0)
    assert np.array_equal(one.samples, other.samples)
    assert np.array_equal(samples, before)
