"""Attacks whose number, place, height and length are known, and band filters against scipy's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.signal
from numpy.typing import NDArray

from processor.analysis.bands import BAND_NAMES, SIX_BANDS_HZ
from processor.analysis.transients import Transients, envelopes, transients
from tests import signals
from tests.signals import RATE, SURROUND, Samples, audio, joined, noise, silence, sine, song

MIDDLES_HZ = (35, 120, 350, 1000, 3500, 10_000)


def measure(samples: Samples, rate: int = RATE, **facts: object) -> Transients:
    return transients(audio(samples, rate, **facts))


def near(expected: object, tolerance: float = 0.01) -> object:
    return pytest.approx(expected, abs=tolerance)


def hits(
    per_second: float, seconds: float, decay_s: float, *, rate: int = RATE, background_db: float = -80.0
) -> Samples:
    """Bursts of noise that decay exponentially, the first half a period in, on a quiet steady noise."""
    time = np.arange(round(seconds * rate)) / rate
    since = (time - 0.5 / per_second) % (1 / per_second)
    random = np.random.default_rng(0)
    burst = 0.3 * random.standard_normal(time.size) * np.exp(-since / decay_s) * (time >= 0.5 / per_second)
    return signals.spread(burst + signals.amplitude(background_db) * random.standard_normal(time.size), 1)


def kicks(per_second: float, seconds: float) -> Samples:
    """A drum machine's kick: a tone that falls from 200 to 50 Hz and dies away."""
    since = np.arange(round(seconds * RATE)) / RATE % (1 / per_second)
    phase = 2 * np.pi * (50 * since + 150 * 0.03 * (1 - np.exp(-since / 0.03)))
    return signals.spread(0.8 * np.sin(phase) * np.exp(-since / 0.08), 2)


def pad(seconds: float) -> Samples:
    """A slowly swelling and beating chord."""
    time = np.arange(round(seconds * RATE)) / RATE
    notes = enumerate((110.0, 164.8, 220.3, 277.2, 329.6, 440.9, 1318.5))
    row = sum(np.sin(2 * np.pi * hz * time + k) * (1 + 0.4 * np.sin(2 * np.pi * 0.4 * time + k)) for k, hz in notes)
    return signals.spread(0.05 * row * np.minimum(1, np.minimum(time, seconds - time)), 2)


# How many, and where


@pytest.mark.parametrize("per_second", [0.5, 1, 2, 4, 8])
@pytest.mark.parametrize("decay_s", [0.005, 0.03, 0.1])
def test_each_hit_is_one_onset(per_second: float, decay_s: float) -> None:
    found = measure(hits(per_second, 10.0, decay_s))
    assert found.onset_rate == near(per_second, 1e-9)
    expected = (np.arange(round(10 * per_second)) + 0.5) / per_second
    assert found.onsets_s == near(expected, 0.016)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 96_000])
def test_hits_are_found_at_any_sample_rate(rate: int) -> None:
    found = measure(hits(3, 6.0, 0.03, rate=rate), rate)
    assert found.onset_rate == near(3, 1e-9)
    assert found.onsets_s == near((np.arange(18) + 0.5) / 3, 0.012)


def test_kicks_are_onsets() -> None:
    assert measure(kicks(2.0, 10.0)).onset_rate == near(2.0, 0.11)


def test_hits_are_heard_through_a_pad() -> None:
    samples = pad(12.0) + hits(2, 12.0, 0.03)
    assert measure(samples).onset_rate == near(2, 0.1)


@pytest.mark.parametrize("samples", [pad(10.0), signals.faded(noise(10.0, channels=2), RATE)])
def test_what_has_no_attacks_has_none(samples: Samples) -> None:
    found = measure(samples)
    assert found.onset_rate == near(0, 0.15)
    assert (found.attack_strength_db, found.attack_time_s, found.punch_db) == (None, None, None)


@pytest.mark.parametrize("hz", [41.2, 55, 82.4])
def test_the_cycles_of_a_buzzing_bass_are_no_attacks(hz: float) -> None:
    """A sawtooth has an edge in each cycle, which is a click in the treble."""
    time = np.arange(8 * RATE) / RATE
    row = 0.3 * ((hz * time) % 1 - 0.5) * np.minimum(1, np.minimum(time, 8 - time))
    assert measure(signals.spread(row)).onset_rate == near(0, 0.3)


def test_a_hit_in_one_channel_counts() -> None:
    row = hits(2, 8.0, 0.03)
    assert measure(signals.stereo(row, 0 * row)).onset_rate == near(2, 1e-9)


def test_two_hits_within_50_ms_are_one() -> None:
    row = silence(6.0) + noise(6.0, -90.0)
    for start in (1.0, 1.03, 3.0, 3.03, 5.0, 5.08):
        row[0, round(start * RATE) : round(start * RATE) + 200] += noise(1.0, -10.0, seed=1)[0, :200]
    assert measure(row).onsets_s == near(np.array([1.0, 3.0, 5.0, 5.08]), 0.012)


# How hard and how fast


@pytest.mark.parametrize("rise_db", [12.0, 20.0, 30.0])
def test_attack_strength_is_the_step(rise_db: float) -> None:
    """Noise that jumps; the loudest of five steps of noise is some tenths of a dB over the mean."""
    gate = (np.arange(10 * RATE) / RATE % 1 >= 0.5).astype(np.float32)
    samples = noise(10.0, -20.0, channels=2) * (signals.amplitude(-rise_db) * (1 - gate) + gate)
    found = measure(samples)
    assert found.onset_rate == near(1.0, 0.11)
    assert found.attack_strength_db == near(rise_db + 0.5, 1.0)


@pytest.mark.parametrize("rise_s", [0.02, 0.04, 0.08])
def test_attack_time_is_that_of_the_ramp(rise_s: float) -> None:
    """10 % to 90 % of a straight ramp of amplitude is 0.8 of it."""
    since = np.arange(10 * RATE) / RATE % 1
    gain = np.clip(since / rise_s, 0, 1) * np.clip((0.5 - since) / 0.1, 0, 1)
    tone = sum(sine(hz, 10.0, -20.0) for hz in (500, 1000, 2000, 4000, 8000))
    found = measure((tone * gain).astype(np.float32))
    assert found.attack_time_s == near(0.8 * rise_s, 0.007)


def test_a_click_has_the_shortest_attack() -> None:
    found = measure(hits(2, 8.0, 0.02))
    assert found.attack_time_s == near(0.005, 0.003)


def test_compression_takes_punch_away() -> None:
    """The same kicks over a bass, and the same squashed by a fast soft limiter."""
    mix = kicks(2.0, 10.0) + sine(70, 10.0, -22.0, channels=2) + noise(10.0, -50.0, channels=2)
    squashed = np.tanh(20 * mix).astype(np.float32)
    before, after = measure(mix), measure(squashed)
    assert before.punch_db is not None
    assert before.punch_db > 15
    assert after.punch_db is None or after.punch_db < before.punch_db - 4


# Crest by band


@pytest.mark.parametrize("band", range(6))
def test_a_tone_has_3_db_in_its_band_only(band: int) -> None:
    samples = signals.faded(sine(MIDDLES_HZ[band], 10.0, -20.0, channels=2), 24_000)
    found = measure(samples)
    assert getattr(found, f"{BAND_NAMES[band]}_crest_db") == near(3.2, 0.4)
    energy = envelopes(audio(samples)).energy.sum(axis=0)
    assert int(np.argmax(energy)) == band


def test_crests_of_hits_are_higher_than_those_of_noise() -> None:
    percussive, steady = measure(hits(2, 10.0, 0.03)), measure(noise(10.0))
    for name in BAND_NAMES[2:]:
        assert getattr(percussive, f"{name}_crest_db") > getattr(steady, f"{name}_crest_db") + 5, name


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_bands_are_those_of_linkwitz_and_riley(rate: int) -> None:
    """Energy and peak of each band against scipy's filters at the full rate; fewer samples miss some of a peak."""
    samples = signals.faded(noise(20.0, rate=rate) + 0.5 * song(20.0, rate=rate, channels=1), 9600)
    found = envelopes(audio(samples, rate))
    for band, row in enumerate(reference_bands(samples[0].astype(np.float64), rate)):
        power = found.energy[:, band].mean(dtype=np.float64)
        assert 10 * np.log10(power / np.mean(row**2)) == near(0, 0.25), BAND_NAMES[band]
        assert 20 * np.log10(found.peak[band] / np.abs(row).max()) == near(-0.3, 0.7), BAND_NAMES[band]


def reference_bands(row: NDArray[np.float64], rate: int) -> list[NDArray[np.float64]]:
    """The six bands of one channel, sub first, by doubled Butterworth filters."""
    found = []
    for hz in reversed(SIX_BANDS_HZ[:-1]):
        high, low = (scipy.signal.butter(2, hz, kind, fs=rate, output="sos") for kind in ("highpass", "lowpass"))
        found.append(scipy.signal.sosfilt(high, scipy.signal.sosfilt(high, row)))
        row = scipy.signal.sosfilt(low, scipy.signal.sosfilt(low, row))
    return found[::-1]


# Nothing, and invariances


def test_silence_has_nothing() -> None:
    found = measure(silence(5.0, channels=2))
    assert found.onset_rate is None
    assert found.mids_crest_db is None
    assert found.onsets_s.size == 0


def test_under_a_second_there_is_no_rate() -> None:
    assert measure(hits(4, 0.9, 0.03)).onset_rate is None


def test_a_gain_changes_nothing() -> None:
    samples = hits(3, 8.0, 0.05)
    before, after = measure(samples), measure(samples * np.float32(1e-4))
    assert np.array_equal(before.onsets_s, after.onsets_s)
    assert after.attack_strength_db == near(before.attack_strength_db, 0.01)
    assert after.mids_crest_db == near(before.mids_crest_db, 0.01)


def test_silence_in_front_moves_onsets_only() -> None:
    samples = hits(3, 8.0, 0.05)
    found, expected = measure(joined(silence(2.0), samples)), measure(samples)
    # One more onset: the background that begins at 2 s.
    assert found.onsets_s[-24:] == near(expected.onsets_s[-24:] + 2, 0.012)


def test_surround_is_folded_to_two() -> None:
    row = hits(2, 6.0, 0.03)[0]
    rows = np.array([0 * row, 0 * row, row, 0 * row, 0 * row, 0 * row])
    assert measure(rows, positions=SURROUND).onset_rate == near(2, 1e-9)


@pytest.mark.parametrize(
    ("rate", "seconds", "channels"), [(8_000, 65.0, 2), (11_025, 61.3, 1), (44_100, 31.0, 2), (8_000, 60.0, 6)]
)
def test_a_stream_measures_exactly_the_same(tmp_path: Path, rate: int, seconds: float, channels: int) -> None:
    samples = song(seconds, rate=rate, channels=channels)
    stream = signals.streamed(tmp_path / "long.wav", samples, rate)
    found, expected = envelopes(stream), envelopes(audio(samples, rate, positions=stream.positions))
    assert np.array_equal(found.energy, expected.energy)
    assert np.array_equal(found.peak, expected.peak)
