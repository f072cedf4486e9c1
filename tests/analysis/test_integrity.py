"""Faults that are put into signals at a known strength, and signals that only look like faults."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from processor.analysis.integrity import Integrity, integrity
from tests import signals
from tests.signals import RATE, Samples, amplitude, audio, joined, noise, silence, sine, song


def measure(samples: Samples, rate: int = RATE, **facts: object) -> Integrity:
    return integrity(audio(np.asarray(samples, np.float32), rate, **facts))


def near(expected: float, tolerance: float = 0.5) -> object:
    return pytest.approx(expected, abs=tolerance)


def loud(samples: Samples) -> float:
    return float(np.sqrt(np.square(samples, dtype=np.float64).mean()))


def dithered(samples: Samples, seed: int = 0) -> Samples:
    """As 16 bit with triangular dither."""
    random = np.random.default_rng(seed)
    dither = random.random(samples.shape) - random.random(samples.shape)
    return (np.round(samples * 32768 + dither) / 32768).astype(np.float32)


def phrases(seconds: float = 24.0) -> Samples:
    """Plucked notes from E2 to E5 at 100 a minute, over hiss: each has gone before the next begins."""
    time = np.arange(round(seconds * RATE)) / RATE
    beat = time % 0.6
    steps = (time // 0.6).astype(int)
    notes = np.array([82.41, 92.5, 110.0, 138.59, 164.81, 220.0, 329.63, 659.26])[(steps * 5) % 8]
    shape = np.minimum(1, beat / 0.01) * np.exp(-beat * 6) * np.minimum(1, (0.6 - beat) / 0.1)
    tone = sum(np.sin(2 * np.pi * notes * k * beat) / k for k in (1, 2, 3, 5)) * shape
    return (0.2 * signals.spread(tone) + noise(seconds, -70.0, channels=2)).astype(np.float32)


def test_a_clean_song_has_no_fault() -> None:
    found = measure(song(24.0))
    assert (found.hum_hz, found.hum_db, found.flat_top_dbfs, found.flat_tops) == (None, None, None, 0)
    assert (found.clicks, found.dropouts) == (0, 0)
    assert (found.channel_delay_s, found.silent_channel, found.effective_bits) == (None, None, None)
    assert found.flat_top_intervals_s.shape == found.dropout_intervals_s.shape == (0, 2)


# Hum


@pytest.mark.parametrize("mains", [50, 60])
@pytest.mark.parametrize("level_db", [-20.0, -30.0])
def test_hum_and_its_level(mains: int, level_db: float) -> None:
    music = phrases()
    time = np.arange(music.shape[1]) / RATE
    hum = sum(np.sin(2 * np.pi * (mains + 0.02) * k * time + k) * w for k, w in ((1, 1.0), (2, 0.5), (3, 0.3)))
    hum *= loud(music) * amplitude(level_db) / np.sqrt(np.mean(hum**2))
    found = measure(music + signals.spread(hum))
    assert found.hum_hz == mains
    assert found.hum_db == near(level_db, 2.0)


@pytest.mark.parametrize("hz", [49.0, 49.5, 51.91, 55.0, 58.27, 61.74, 98.0, 116.54])
def test_a_bass_note_is_no_hum_however_long(hz: float) -> None:
    drone = signals.faded(sine(hz, 24.0, -20.0) + 0.5 * sine(2 * hz, 24.0, -20.0), RATE)
    assert measure(phrases() + drone).hum_hz is None


def test_a_note_of_50_hz_that_ends_is_no_hum() -> None:
    time = np.arange(24 * RATE) / RATE
    note = 0.1 * np.sin(2 * np.pi * 50 * time) * (time % 8 < 5)
    assert measure(phrases() + note.astype(np.float32)).hum_hz is None


def test_too_short_for_hum() -> None:
    assert measure(sine(50, 6.0, -20.0)).hum_hz is None


# Flat tops


@pytest.mark.parametrize("turned_db", [0.0, -0.3, -6.0, -20.0])
@pytest.mark.parametrize("prepare", [np.asarray, dithered], ids=["float", "dithered"])
def test_clipped_and_turned_down(turned_db: float, prepare: object) -> None:
    clipped = signals.clipped(song(6.0), 0.5) * np.float32(2 * amplitude(turned_db))
    found = measure(prepare(clipped))  # type: ignore[operator]
    assert found.flat_top_dbfs == near(turned_db, 0.02)
    assert found.flat_tops > 20
    assert found.flat_top_intervals_s.min() > 1.9  # the quiet third is not clipped
    assert (np.diff(found.flat_top_intervals_s, axis=1) > 0).all()


def test_flat_tops_are_counted() -> None:
    """A sine of 100 Hz that is louder for a tenth of a second: ten crests and ten troughs are cut."""
    wave = sine(100, 3.0) * np.float32(0.4)
    wave[:, RATE : RATE + RATE // 10] *= 2
    found = measure(signals.clipped(wave, 0.5))
    assert (found.flat_tops, found.flat_top_dbfs) == (20, near(signals.db(0.5), 0.01))
    assert found.flat_top_intervals_s == pytest.approx(np.array([[1.0, 1.1]]), abs=0.01)


@pytest.mark.parametrize("hz", [30.0, 110.0, 997.0])
def test_crests_of_a_sine_are_not_cut(hz: float) -> None:
    assert measure(dithered(sine(hz, 3.0, -6.0))).flat_tops == 0


def test_what_stands_still_by_nature_is_not_cut() -> None:
    assert measure(np.sign(sine(110, 4.0)) * np.float32(0.5)).flat_tops == 0
    time = np.arange(4 * RATE) / RATE
    fading = 0.5 * np.sign(np.sin(2 * np.pi * 110 * time)) * 0.8 ** np.floor(time % 1 * 10)
    assert measure(signals.spread(fading)).flat_tops == 0


def test_saturation_and_limiting_are_not_cut() -> None:
    assert measure(np.tanh(3 * song(6.0))).flat_tops == 0
    loudest = np.repeat(np.abs(song(6.0)).reshape(2, -1, 480).max(axis=(0, 2)), 480)
    gain = np.convolve(np.minimum(1, 0.4 / np.maximum(loudest, 1e-6)), np.ones(960) / 960, "same")
    assert measure(song(6.0) * gain).flat_tops == 0


# Clicks and gaps


@pytest.mark.parametrize("level", [0.05, 0.3])
def test_clicks_are_found_where_they_are(level: float) -> None:
    samples = phrases(8.0).copy()
    places = np.array([30_000, 111_111, 222_222, 300_000])
    samples[0, places] += np.float32(level)
    found = measure(samples)
    assert found.clicks == 4
    assert found.clicks_s == pytest.approx(places / RATE, abs=0.002)


@pytest.mark.parametrize(("ratio", "is_heard"), [(12, False), (30, True)])
def test_how_far_a_click_must_stand_out(ratio: float, is_heard: bool) -> None:
    """White noise has a fourth difference of √70 · 0.8 its RMS in the mean; one sample gives 6 times its height."""
    samples = noise(4.0, -40.0)
    samples[0, 100_000] = ratio * np.sqrt(70) * 0.8 * 0.01 / 6
    assert measure(samples).clicks == int(is_heard)


def test_a_click_on_both_channels_is_one() -> None:
    samples = phrases(4.0).copy()
    samples[:, 100_000:100_002] = 0.9
    assert measure(samples).clicks == 1


def test_drums_saws_and_noise_do_not_click() -> None:
    time = np.arange(6 * RATE) / RATE
    drums = noise(6.0, -6.0)[0] * np.exp(-(time % 0.25) * 60)
    saw = 0.4 * (2 * (41.2 * time % 1) - 1)
    for row in (drums, saw, 0.3 * (41.2 * time % 1 < 0.03), noise(6.0)[0]):
        assert measure(signals.spread(row)).clicks == 0


@pytest.mark.parametrize("seconds", [0.003, 0.02, 0.2])
@pytest.mark.parametrize("is_held", [False, True])
def test_a_gap_in_the_music(seconds: float, is_held: bool) -> None:
    samples = noise(4.0, -14.0, channels=2)
    start, end = RATE * 2 + 77, RATE * 2 + 77 + round(seconds * RATE)
    samples[1, start:end] = samples[1, start - 1] if is_held else 0
    found = measure(dithered(samples))
    assert found.dropouts == 1
    assert found.dropout_intervals_s == pytest.approx(np.array([[start, end]]) / RATE, abs=0.0016)


def test_rests_and_long_silences_are_no_gaps() -> None:
    tone = signals.faded(noise(0.5, -14.0, channels=2), 2400)
    rest = silence(0.1, channels=2)
    assert measure(joined(tone, rest, tone, rest, tone)).dropouts == 0
    sharp = noise(1.0, -14.0, channels=2)
    assert measure(joined(sharp, silence(0.8, channels=2), sharp)).dropouts == 0
    assert measure(joined(sharp, silence(0.05, channels=2), sharp * np.float32(0.001))).dropouts == 0


@pytest.mark.parametrize("drift_hz", [0.0, 8.0])
def test_a_pause_over_an_offset_or_a_slow_wave_is_no_gap(drift_hz: float) -> None:
    """Neither makes a sound, so that nothing is torn where the music has died away."""
    music = song(6.0).copy()
    music[:, 3 * RATE : 3 * RATE + 1200] = 0
    fade = np.clip(np.abs(np.arange(music.shape[1]) - 3 * RATE - 600) / RATE - 0.02, 0.0, 1.0)
    slow = 0.15 * np.cos(2 * np.pi * drift_hz * np.arange(music.shape[1]) / RATE)
    assert measure((music * fade + slow).astype(np.float32)).dropouts == 0


def test_deep_clipping_is_no_gap() -> None:
    assert measure(signals.clipped(100 * song(4.0), 0.9)).dropouts == 0


# Ends


def test_music_that_is_cut() -> None:
    whole = signals.faded(noise(6.0, channels=2), RATE)
    found = measure(whole)
    assert (found.starts_abruptly, found.ends_abruptly) == (False, False)
    found = measure(whole[:, RATE:-RATE])
    assert (found.starts_abruptly, found.ends_abruptly) == (True, True)
    assert (found.start_db, found.end_db) == (near(0.0), near(0.0))
    padded = joined(silence(1.0, channels=2), whole[:, RATE:-RATE], silence(1.0, channels=2))
    found = measure(padded)
    assert (found.starts_abruptly, found.ends_abruptly) == (True, True)


@pytest.mark.parametrize(("fallen_db", "is_cut"), [(-15.0, True), (-23.0, False)])
def test_how_far_an_ending_must_have_fallen(fallen_db: float, is_cut: bool) -> None:
    found = measure(joined(noise(9.0), noise(0.2) * np.float32(amplitude(fallen_db))))
    assert found.end_db == near(fallen_db)
    assert found.ends_abruptly is is_cut


def test_a_hit_at_the_very_start_is_no_cut() -> None:
    time = np.arange(4 * RATE) / RATE
    hits = np.sin(2 * np.pi * 80 * time) * np.exp(-(time % 0.5) * 12)
    found = measure(signals.spread(hits))
    assert found.start_db > 3  # type: ignore[operator]
    assert found.starts_abruptly is False


# Bits, channels, floors


@pytest.mark.parametrize("bits", [4, 8, 12, 16, 20, 24])
def test_bits_in_use(bits: int) -> None:
    samples = signals.rounded_to(song(4.0), bits)
    assert measure(samples, bit_depth=24).effective_bits == bits
    assert measure(samples, bit_depth=32).effective_bits == bits


def test_eight_bits_that_were_turned_down() -> None:
    coarse = signals.rounded_to(song(4.0), 8) * np.float32(0.5)
    assert measure(signals.rounded_to(coarse * np.float32(1.1), 16), bit_depth=16).effective_bits == 9


def test_no_grid_has_no_bits() -> None:
    assert measure(song(4.0)).effective_bits is None
    assert measure(silence(4.0)).effective_bits is None


@pytest.mark.parametrize("delay_s", [0.0002, 0.003, 0.02, -0.001, -0.029])
def test_a_late_channel(delay_s: float) -> None:
    shift = round(abs(delay_s) * RATE)
    row, other = noise(6.0)[0], noise(6.0, -26.0, channels=2, seed=3)
    pair = np.stack([row[shift:], row[: row.size - shift]])
    samples = (pair if delay_s > 0 else pair[::-1]) + other[:, shift:]
    assert measure(samples).channel_delay_s == pytest.approx(np.sign(delay_s) * shift / RATE)
    assert measure(samples * np.array([[1], [-1]])).channel_delay_s is not None


def test_channels_that_are_not_late() -> None:
    assert measure(noise(6.0, channels=2)).channel_delay_s is None
    assert measure(song(6.0)).channel_delay_s is None
    row = noise(6.0)[0]
    echo = row + 0.4 * np.roll(row, 300)
    assert measure(np.stack([row, echo])).channel_delay_s is None
    assert measure(noise(6.0, channels=1)).channel_delay_s is None


def test_a_silent_channel() -> None:
    row = song(4.0, channels=1)
    assert measure(signals.stereo(row, 0 * row)).silent_channel == 2
    assert measure(signals.stereo(row * np.float32(5e-4), row)).silent_channel == 1
    assert measure(signals.stereo(row * np.float32(2e-3), row)).silent_channel is None
    assert measure(silence(4.0, channels=2)).silent_channel is None


def test_noise_floor() -> None:
    hiss = noise(8.0, -72.0)
    tone = np.concatenate([noise(3.0, -20.0), silence(2.0), noise(3.0, -20.0, seed=2)], axis=1)
    assert measure(hiss + tone).noise_floor_dbfs == near(-72.0)
    assert measure(tone).noise_floor_dbfs == near(-20.0)  # digital silence is no floor
    assert measure(silence(4.0)).noise_floor_dbfs is None


@pytest.mark.parametrize("level_db", [-10.0, -30.0])
def test_infrasonic_power(level_db: float) -> None:
    music = sine(440, 20.0, -20.0)
    rumble = sine(9, 20.0, -20.0 + level_db)
    share = 10 ** (level_db / 10)
    assert measure(music + rumble).infrasonic_db == near(10 * np.log10(share / (1 + share)), 0.1)
    assert measure(sine(40, 20.0, -6.0) + np.float32(0.2)).infrasonic_db < -60  # type: ignore[operator]


def test_a_stream_finds_the_same(tmp_path: Path) -> None:
    samples = joined(*(signals.faded(part) for part in (phrases(20.0), song(14.0), phrases(4.0))))
    samples[0, 200_000] = 0.9
    samples[:, 1_300_000:1_301_000] = 0
    samples = signals.clipped(samples, 0.7)
    found, expected = integrity(signals.streamed(tmp_path / "long.wav", samples)), measure(samples)
    assert (found.clicks, found.dropouts, found.flat_tops) == (expected.clicks, expected.dropouts, expected.flat_tops)
    assert (found.clicks, found.dropouts) == (1, 1)
    assert found.flat_tops > 10
    assert found.noise_floor_dbfs == pytest.approx(expected.noise_floor_dbfs, abs=1e-6)
    assert found.infrasonic_db == pytest.approx(expected.infrasonic_db, abs=1e-3)
