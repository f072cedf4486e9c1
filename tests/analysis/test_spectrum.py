"""Spectra that are known beforehand: noises with a slope, tones at edges, codings made here."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from processor.analysis.bands import BAND_NAMES, SIX_BANDS_HZ, bands
from processor.analysis.levels import levels
from processor.analysis.spectrum import Spectrum, spectrum, wall
from processor.audio import Audio, decode
from tests import signals
from tests.signals import RATE, Samples, audio, noise, silence, sine, song

SHARES = [f"{name}_share" for name in BAND_NAMES]


def of(sound: Audio) -> Spectrum:
    return spectrum(sound, bands(sound))


def measure(samples: Samples, rate: int = RATE) -> Spectrum:
    return of(audio(samples, rate))


def near(expected: object, tolerance: float = 0.01) -> object:
    return pytest.approx(expected, abs=tolerance)


@functools.cache
def sloped(slope_db: float, seconds: float = 60.0, *, rate: int = 44_100, low_hz: float = 10.0) -> Samples:
    """Noise whose power density falls by so many dB an octave above `low_hz`, −20 dBFS RMS."""
    n = round(seconds * rate)
    hz = np.fft.rfftfreq(n, 1 / rate)
    gain = np.where(hz >= low_hz, np.maximum(hz, low_hz) ** (slope_db / 20 / np.log10(2)), 0)
    random = np.random.default_rng(0)
    row = np.fft.irfft(np.fft.rfft(random.standard_normal(n)) * gain, n)
    return signals.spread(0.1 * row / row.std(), 1)


# Noises


def test_pink_noise_is_flat_in_third_octaves() -> None:
    found = measure(sloped(-3.0103), 44_100)
    thirds = found.third_octaves_db
    assert thirds[4:-1] == near(np.full(thirds.size - 5, float(thirds[4:-1].mean())), 0.5)
    assert thirds[:4] == near(np.full(4, float(thirds[4:-1].mean())), 1.5)


@pytest.mark.parametrize("slope_db", [-9.0, -6.0, -4.53, -3.01, 0.0, 3.0])
def test_the_tilt_of_sloped_noise_is_its_slope(slope_db: float) -> None:
    assert measure(sloped(slope_db), 44_100).tilt_db_per_octave == near(slope_db, 0.1)


def test_white_noise_has_power_in_proportion_to_width() -> None:
    found = measure(noise(60.0, -20.0, rate=44_100), 44_100)
    for share, low, high in zip(SHARES, SIX_BANDS_HZ, SIX_BANDS_HZ[1:], strict=False):
        assert getattr(found, share) == pytest.approx(100 * (high - low) / 19_980, rel=0.1), share
    assert found.air_db == near(-20 + 10 * np.log10(14_000 / 22_050), 0.05)
    assert found.flatness == near(1, 0.01)
    assert found.centroid_hz == pytest.approx(10_010, rel=0.01)
    assert found.rolloff_85_hz == pytest.approx(17_003, rel=0.01)
    assert found.rolloff_95_hz == pytest.approx(19_001, rel=0.01)
    assert found.bandwidth_hz == 22_050


def test_pink_noise_has_power_in_proportion_to_octaves() -> None:
    found = measure(sloped(-3.0103), 44_100)
    for share, low, high in zip(SHARES, SIX_BANDS_HZ, SIX_BANDS_HZ[1:], strict=False):
        assert getattr(found, share) == pytest.approx(100 * np.log(high / low) / np.log(1000), rel=0.07), share


# Levels and their sum


def test_shares_add_up_and_levels_to_the_rms_level() -> None:
    samples = song(10.0)
    found = measure(samples)
    assert sum(getattr(found, share) for share in SHARES) == near(100, 1e-6)
    power = sum(10 ** (getattr(found, f"{name}_db") / 10) for name in BAND_NAMES)
    assert 10 * np.log10(power) == near(levels(audio(samples)).rms_dbfs, 0.05)


def test_a_full_scale_sine_reads_as_its_rms_level() -> None:
    """−3.01 in its band and in its third-octave; one channel of two has half the power."""
    found = measure(sine(1000, 20.0))
    assert found.mids_db == near(-3.01, 0.02)
    assert found.third_octaves_db.max() == near(-3.01, 0.02)
    assert measure(signals.stereo(sine(1000, 20.0), 0 * sine(1000, 20.0))).mids_db == near(-6.02, 0.02)


@pytest.mark.parametrize("edge", [1, 2, 3, 4, 5])
def test_a_tone_beside_an_edge_is_on_its_side(edge: int) -> None:
    """30 Hz away: the window cannot tell what is nearer."""
    for hz, band in ((SIX_BANDS_HZ[edge] - 30, edge - 1), (SIX_BANDS_HZ[edge] + 30, edge)):
        found = measure(signals.faded(sine(hz, 10.0), 9600))
        assert getattr(found, SHARES[band]) > 98, hz


def test_direct_current_is_no_sub() -> None:
    samples = signals.faded(noise(10.0, -40.0), 4800)
    before, after = measure(samples), measure(samples + np.float32(0.5))
    assert after.sub_share == near(before.sub_share, 0.05)
    assert after.sub_db == near(before.sub_db, 1)


# Against librosa, on the same average spectrum


def test_shape_agrees_with_librosa() -> None:
    feature = pytest.importorskip("librosa.feature")
    sound = audio(song(10.0, rate=44_100), 44_100)
    average, found = bands(sound), of(sound)
    hz = np.arange(average.left.size) * average.bin_hz
    inside = (hz >= 20) & (hz <= 20_000)
    power = ((average.left + average.right) / 2)[inside][:, None]
    hz = hz[inside]
    assert found.centroid_hz == near(float(feature.spectral_centroid(S=np.sqrt(power), freq=hz)[0, 0]), 0.1)
    for share, value in ((0.85, found.rolloff_85_hz), (0.95, found.rolloff_95_hz)):
        assert value == near(float(feature.spectral_rolloff(S=power, freq=hz, roll_percent=share)[0, 0]), 1e-6)
    assert found.flatness == near(float(feature.spectral_flatness(S=power, power=1.0, amin=1e-30)[0, 0]), 1e-6)


# What is not there


def test_silence_has_no_spectrum() -> None:
    found = measure(silence(5.0))
    assert found.centroid_hz is None
    assert found.sub_share is None
    assert found.looks_lossy is None
    assert np.isnan(found.third_octaves_db).all()


@pytest.mark.parametrize(("rate", "missing"), [(4_000, 2), (11_025, 1), (16_000, 1), (32_000, 0), (44_100, 0)])
def test_bands_over_half_the_rate_are_none(rate: int, missing: int) -> None:
    found = measure(noise(5.0, rate=rate), rate)
    assert [getattr(found, share) is None for share in SHARES] == [False] * (6 - missing) + [True] * missing
    assert sum(getattr(found, share) or 0 for share in SHARES) == near(100, 0.5 if missing == 0 else 100)


def test_a_tone_has_no_tilt() -> None:
    assert measure(signals.faded(sine(1000, 10.0), 48_000)).tilt_db_per_octave is None


# Bandwidth and lossy coding


def cut(samples: Samples, hz: float, rate: int = 44_100) -> Samples:
    """The same without anything above `hz`, as a coder's low-pass leaves it."""
    spectra = np.fft.rfft(samples)
    spectra[:, np.fft.rfftfreq(samples.shape[1], 1 / rate) > hz] = 0
    return np.fft.irfft(spectra, samples.shape[1]).astype(np.float32)


@pytest.mark.parametrize("hz", [6000, 10_000, 16_500, 20_000])
def test_bandwidth_ends_where_the_sound_does(hz: float) -> None:
    found = measure(signals.faded(cut(sloped(-4.5, 20.0), hz), 44_100), 44_100)
    assert found.bandwidth_hz == pytest.approx(hz, abs=150)


@pytest.mark.parametrize("hz", [9_400, 13_000, 16_500, 17_500, 19_000, 20_000])
def test_a_wall_in_the_treble_looks_lossy(hz: float) -> None:
    found = measure(cut(sloped(-4.5, 20.0), hz), 44_100)
    assert found.looks_lossy is True
    assert found.lossy_cutoff_hz == pytest.approx(hz, abs=400)
    assert found.lossy_confidence is not None
    assert found.lossy_evidence is not None
    assert "kHz" in found.lossy_evidence


@pytest.mark.parametrize("slope_db", [0.0, -3.0, -6.0])
def test_a_full_range_does_not_look_lossy(slope_db: float) -> None:
    found = measure(sloped(slope_db, 20.0), 44_100)
    assert (found.looks_lossy, found.lossy_cutoff_hz, found.lossy_confidence) == (False, None, None)


def test_the_wall_of_a_converter_does_not_look_lossy() -> None:
    assert measure(cut(sloped(-4.5, 20.0), 21_500), 44_100).looks_lossy is False


@pytest.mark.parametrize("source_rate", [22_050, 24_000, 32_000])
def test_a_wall_that_a_lower_rate_leaves_as_well_stays_open(source_rate: int) -> None:
    found = measure(cut(sloped(-4.5, 20.0), 0.96 * source_rate / 2), 44_100)
    assert found.looks_lossy is None
    assert found.lossy_evidence is not None
    assert "sample rate" in found.lossy_evidence


def test_a_tone_in_the_treble_is_no_wall() -> None:
    samples = 0.3 * sloped(-4.5, 20.0) + signals.faded(sine(12_000, 20.0, -12.0, rate=44_100), 4410)
    assert measure(samples, 44_100).looks_lossy is False


def test_what_is_dark_or_short_stays_open() -> None:
    assert measure(cut(sloped(-4.5, 20.0), 5000), 44_100).looks_lossy is None
    assert measure(cut(sloped(-4.5, 20.0), 16_500)[:, :88_200], 44_100).looks_lossy is None
    assert measure(sloped(-12.0, 20.0), 44_100).looks_lossy is None
    assert measure(noise(10.0, rate=22_050), 22_050).looks_lossy is None


@pytest.mark.parametrize(
    ("codec", "container", "rate"),
    [("libmp3lame", "mp3", 44_100), ("aac", "ipod", 44_100), ("libopus", "ogg", 48_000)],
)
def test_real_codings_look_lossy(tmp_path: Path, codec: str, container: str, rate: int) -> None:
    """At 128 kbit/s (96 for Opus), which FFmpeg uses unless told otherwise."""
    samples = np.concatenate([sloped(-4.5, 12.0, rate=rate), np.roll(sloped(-4.5, 12.0, rate=rate), 999, axis=1)])
    assert measure(samples, rate).looks_lossy is False
    path = signals.write_encoded(tmp_path / "coded", samples, rate, container=container, codec=codec)
    found = of(decode(path))
    assert found.looks_lossy is True
    assert found.lossy_cutoff_hz == pytest.approx(18_500, abs=2500)


def test_a_wall_is_found_to_the_bin() -> None:
    power = np.full(2049, 1e-6)
    power[1500:] = 1e-11
    hz, fall_db = wall(power, 10.0)
    assert fall_db == near(50, 0.1)
    assert hz == near(15_000, 320)


# Invariances


def test_a_gain_moves_levels_and_nothing_else() -> None:
    samples = noise(10.0, channels=2) + 0.5 * song(10.0)
    before, after = measure(samples), measure(samples * np.float32(0.1))
    assert after.bass_db - before.bass_db == near(-20, 1e-3)  # type: ignore[operator]
    assert after.third_octaves_db - before.third_octaves_db == near(np.full(31, -20.0), 1e-3)
    for name in (*SHARES, "tilt_db_per_octave", "flatness"):
        assert getattr(after, name) == near(getattr(before, name), 1e-3), name
    assert (after.rolloff_85_hz, after.bandwidth_hz) == (before.rolloff_85_hz, before.bandwidth_hz)


def test_a_stream_measures_the_same(tmp_path: Path) -> None:
    samples: NDArray[np.float32] = song(65.0, rate=8000)
    found, expected = of(signals.streamed(tmp_path / "long.wav", samples, 8000)), measure(samples, 8000)
    assert found.tilt_db_per_octave == expected.tilt_db_per_octave
    assert np.array_equal(found.third_octaves_db, expected.third_octaves_db)
