"""True peaks after lossy coding: what is coded, how, and what cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from processor.analysis import coding as module
from processor.analysis.coding import MARGIN_S, PASSAGE_S, PASSAGES, Coding, coding, loudest_passages
from processor.analysis.loudness import loudness
from processor.audio import Audio
from tests import signals
from tests.signals import SURROUND, Samples, amplitude, audio, clipped, noise, silence, sine, song

RATE = 44_100
NOTHING = Coding(None, None, None, None, None, None, None)
CODERS = ("aac", "opus", "vorbis")
LONGEST_S = PASSAGES * (PASSAGE_S + 2 * MARGIN_S)


def measure(samples: Samples, rate: int = RATE) -> Coding:
    return of(audio(samples, rate))


def of(sound: Audio) -> Coding:
    return coding(sound, loudness(sound))


def peaks(found: Coding) -> list[float]:
    return [getattr(found, f"{name}_dbtp") for name in CODERS]


def rises(found: Coding) -> list[float]:
    return [getattr(found, f"{name}_rise_db") for name in CODERS]


def near(expected: object, tolerance: float) -> object:
    return pytest.approx(expected, abs=tolerance)


# How much peaks rise


def test_a_tone_keeps_its_peak() -> None:
    found = measure(signals.faded(sine(997, 2.0, -6.0, rate=RATE, channels=2), 4410))
    assert peaks(found) == near([-6.0] * 3, 0.3)
    assert rises(found) == near([0.0] * 3, 0.3)
    assert found.excerpt_s == near(2.0, 1e-6)


def test_clipped_noise_rises_with_each_coder() -> None:
    """What is cut flat has its peaks all at one level, and coding moves each of them."""
    found = measure(clipped(noise(3.0, -6.0, rate=RATE, channels=2), 0.7))
    assert rises(found)[0] > 0.2
    assert min(rises(found)[1:]) > 1
    assert max(rises(found)) < 3
    before = loudness(audio(clipped(noise(3.0, -6.0, rate=RATE, channels=2), 0.7), RATE)).true_peak_dbtp
    assert before is not None
    for name in ("aac", "vorbis"):  # Opus works at another rate, at which the peak before differs
        assert getattr(found, f"{name}_dbtp") - getattr(found, f"{name}_rise_db") == near(before, 0.02), name


@pytest.mark.parametrize("gain_db", [-50.0, 12.0, 100.0])
def test_a_gain_moves_the_peaks_and_no_rise(gain_db: float) -> None:
    samples = clipped(3 * song(2.0, rate=RATE), 0.7)
    before, after = measure(samples), measure(samples * np.float32(amplitude(gain_db)))
    assert rises(after) == near(rises(before), 0.05)
    assert peaks(after) == near([peak + gain_db for peak in peaks(before)], 0.05)


@pytest.mark.parametrize(
    ("name", "delay", "low", "high"), [("aac", 1024, 0.1, 0.25), ("opus", 0, 0.5, 0.8), ("vorbis", 0, 0.3, 0.5)]
)
def test_each_coder_loses_as_much_as_at_its_rate(name: str, delay: int, low: float, high: float) -> None:
    """White noise is the hardest to code: of its power so much is lost. Half the rate would lose about twice that."""
    samples = noise(2.0, -16.0, rate=48_000, channels=2)
    after = getattr(module, f"_as_{name}")(samples, 48_000)[:, delay : delay + samples.shape[1]]
    assert after.shape == samples.shape
    assert low < float(np.mean((after - samples) ** 2) / np.mean(samples**2)) < high


# What is coded


def burst(seconds: float, at_s: float, rate: int = RATE) -> Samples:
    """Quiet noise with 50 ms of a loud tone in it."""
    samples = noise(seconds, -40.0, rate=rate, channels=2)
    start = round(at_s * rate)
    tone = signals.faded(sine(440, 0.05, -3.0, rate=rate, channels=2), 441)
    samples[:, start : start + tone.shape[1]] += tone
    return samples


def passages(samples: Samples, rate: int = RATE) -> Samples:
    sound = audio(samples, rate)
    return loudest_passages(sound, loudness(sound).true_peaks_dbtp)


@pytest.mark.parametrize("at_s", [0.0, 0.17, 17.98, 29.93])
def test_the_loudest_moment_is_among_the_passages(at_s: float) -> None:
    found = passages(burst(30.0, at_s))
    assert found.shape == (2, round(LONGEST_S * RATE))
    middle = found[:, round(MARGIN_S * RATE) : round((MARGIN_S + PASSAGE_S) * RATE)]  # of the first, the highest
    assert np.abs(middle).max() == near(amplitude(-3), 0.05)


def test_passages_are_joined_without_clicks() -> None:
    found = passages(sine(110.7, 30.0, -6.0, rate=RATE, channels=2))
    size = round((PASSAGE_S + 2 * MARGIN_S) * RATE)
    assert np.abs(found[:, ::size]).max() < 1e-6
    assert np.abs(np.diff(found)).max() < 0.02


def test_peaks_between_samples_are_found() -> None:
    """A limited master has its highest samples all alike; what differs is between them."""
    flat = sine(RATE / 4, 30.0, -6.0, rate=RATE, channels=2)  # each second sample is at the peak
    hidden = sine(RATE / 4, 0.1, -3.5, rate=RATE, degrees=45, channels=2)  # 3 dB above all of its samples
    flat[:, 12 * RATE : 12 * RATE + hidden.shape[1]] = hidden
    assert np.abs(hidden).max() < np.abs(flat).max()
    first = passages(flat)[:, : round((PASSAGE_S + 2 * MARGIN_S) * RATE)]
    assert loudness(audio(first, RATE)).true_peak_dbtp == near(-3.5, 0.6)


def test_short_files_are_coded_whole() -> None:
    samples = song(LONGEST_S - 0.5, rate=8000)
    assert np.array_equal(passages(samples, 8000), samples)
    assert measure(song(LONGEST_S + 5, rate=8000), 8000).excerpt_s == near(LONGEST_S, 0.01)


def test_passages_tell_the_peak_of_the_whole() -> None:
    samples = clipped(3 * song(13.0, rate=RATE), 0.7)
    sound = audio(samples, RATE)
    found = coding(sound, loudness(sound))
    for name, rate in (("opus", 48_000), ("vorbis", RATE)):
        whole = module._peaks_db(samples * np.float32(0.5), RATE, rate, getattr(module, f"_as_{name}"))
        assert getattr(found, f"{name}_dbtp") == near(whole[1] + 6.02, 0.8), name


# All kinds of sound


@pytest.mark.parametrize("samples", [silence(3.0, rate=RATE, channels=2), silence(30.0, rate=RATE)])
def test_silence_has_no_peaks(samples: Samples) -> None:
    assert measure(samples) == NOTHING


def test_nothing_and_next_to_nothing() -> None:
    assert measure(np.zeros((2, 0), np.float32)) == NOTHING
    assert measure(song(0.19, rate=RATE)) == NOTHING
    assert None not in peaks(measure(song(0.21, rate=RATE)))


@pytest.mark.parametrize("rate", [4_000, 22_050, 96_000, 384_000])
def test_other_rates(rate: int) -> None:
    found = measure(signals.faded(sine(300, 1.0, -6.0, rate=rate, channels=2), rate // 10), rate)
    assert peaks(found) == near([-6.0] * 3, 0.3)


def test_one_channel_is_as_two_equal_ones() -> None:
    row = song(2.0, rate=RATE, channels=1)
    assert measure(row) == measure(signals.spread(row))


@pytest.mark.parametrize("channels", [6, 8])
def test_more_channels_are_folded(channels: int) -> None:
    samples = np.repeat(0.1 * sine(500, 1.0, rate=RATE), channels, axis=0)
    positions = SURROUND if channels == 6 else ()
    found = of(audio(samples, RATE, positions=positions))
    sides = 1 + (2 if channels == 6 else 3) * np.sqrt(0.5)  # front, and centre and surrounds at −3 dB
    assert peaks(found) == near([signals.db(0.1 * sides)] * 3, 0.4)


def test_hostile_samples() -> None:
    random = np.random.default_rng(0)
    samples = np.sign(random.standard_normal((2, RATE))).astype(np.float32) * np.float32(1e30)
    samples[:, ::7] = np.nan
    assert all(peak is None or np.isfinite(peak) for peak in peaks(measure(samples)))


def test_a_missing_coder_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    import av

    def missing(signal: Samples, rate: int) -> Samples:
        av.CodecContext.create("no such coder", "w")
        return signal

    monkeypatch.setattr(module, "_as_opus", missing)
    found = measure(song(1.0, rate=RATE))
    assert (found.opus_dbtp, found.opus_rise_db) == (None, None)
    assert None not in (found.aac_dbtp, found.vorbis_dbtp, found.aac_rise_db, found.vorbis_rise_db, found.excerpt_s)


def test_a_stream_measures_the_same(tmp_path: Path) -> None:
    samples = burst(40.0, 33.3, rate=8000)
    found = of(signals.streamed(tmp_path / "long.wav", samples, 8000))
    assert found.excerpt_s == near(LONGEST_S, 0.01)
    assert peaks(found) == near(peaks(measure(samples, 8000)), 0.3)
