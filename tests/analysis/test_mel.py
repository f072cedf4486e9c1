"""The mel spectrogram: which band a tone is in, when a click is, what level does."""

from __future__ import annotations

import numpy as np
import pytest

from processor.analysis.mel import BANDS, HOP_LENGTH, Mel, filter_bank, mel
from processor.analysis.mono import SAMPLE_RATE_HZ, Mono
from tests import signals
from tests.signals import Samples


def of(samples: Samples) -> Mel:
    return mel(Mono(samples[0], SAMPLE_RATE_HZ, samples.shape[1] / SAMPLE_RATE_HZ))


@pytest.mark.parametrize("hz", [60, 200, 440, 1000, 3000, 8000])
def test_a_tone_is_loudest_in_its_band(hz: float) -> None:
    found = of(signals.sine(hz, 1.0, -20.0, rate=SAMPLE_RATE_HZ))
    band = int(found.levels[50].argmax())
    # Below 400 Hz the bands are narrower than the window can part.
    nearest = int(np.abs(found.centres_hz - hz).argmin())
    assert abs(band - nearest) <= (1 if hz >= 400 else 2)


def test_each_filter_has_area_one_and_none_is_empty() -> None:
    filters, centres_hz = filter_bank(SAMPLE_RATE_HZ)
    np.testing.assert_allclose(filters.sum(axis=0), 1.0, rtol=1e-5)
    assert (np.diff(centres_hz) > 0).all()
    assert filters.shape[1] == centres_hz.size == BANDS


def test_a_filter_reaches_from_the_middle_of_one_neighbour_to_that_of_the_other() -> None:
    filters, centres_hz = filter_bank(SAMPLE_RATE_HZ)
    bins_hz = np.fft.rfftfreq(2 * (len(filters) - 1), 1 / SAMPLE_RATE_HZ)
    for band in range(1, BANDS - 1):
        inside = (bins_hz > centres_hz[band - 1] + 0.01) & (bins_hz < centres_hz[band + 1] - 0.01)
        assert ((filters[:, band] > 0) == inside).all(), band
    covered = bins_hz[filters.any(axis=1)]
    assert covered.min() < 50
    assert 10_400 < covered.max() <= 10_500


@pytest.mark.parametrize("sample_rate", [44_100, 96_000])
def test_bands_narrower_than_a_bin_are_widened(sample_rate: int) -> None:
    np.testing.assert_allclose(filter_bank(sample_rate)[0].sum(axis=0), 1.0, rtol=1e-5)


def test_levels_are_logarithms_in_means_of_the_sound() -> None:
    found = of(signals.tones([(-20.0, 1.0), (-40.0, 1.0)], rate=SAMPLE_RATE_HZ, channels=1))
    magnitudes = np.expm1(found.levels.astype(np.float64))
    assert magnitudes.mean() == pytest.approx(10.0, rel=1e-4)
    assert magnitudes[50].max() / magnitudes[150].max() == pytest.approx(10.0, rel=0.01)


@pytest.mark.parametrize("at_s", [0.2, 0.5, 0.777, 29.0])
def test_a_click_is_where_it_is(at_s: float) -> None:
    samples = signals.silence(at_s + 0.5, rate=SAMPLE_RATE_HZ)
    samples[0, round(at_s * SAMPLE_RATE_HZ)] = 1.0
    found = of(samples)
    loudness = found.levels.sum(axis=1)
    assert found.frame_rate == pytest.approx(100, rel=0.01)
    assert loudness.argmax() / found.frame_rate == pytest.approx(at_s, abs=1.01 / found.frame_rate)


def test_gain_changes_nothing() -> None:
    samples = signals.song(3.0, rate=SAMPLE_RATE_HZ, channels=1)
    np.testing.assert_allclose(of(samples).levels, of(samples * np.float32(0.01)).levels, atol=2e-4)


@pytest.mark.parametrize("count", [0, 1, HOP_LENGTH - 1, HOP_LENGTH, HOP_LENGTH + 1, 5000])
def test_every_hop_has_a_frame(count: int) -> None:
    found = of(np.full((1, count), 0.5, np.float32))
    assert found.levels.shape == (-(-count // HOP_LENGTH), BANDS)
    assert np.isfinite(found.levels).all()


def test_chunks_leave_no_seam() -> None:
    tone = of(signals.sine(1000, 40.0, -6.0, rate=SAMPLE_RATE_HZ)).levels[10:-10]
    assert np.ptp(tone, axis=0).max() < 0.02


def test_silence_is_zero() -> None:
    assert not of(signals.silence(1.0, rate=SAMPLE_RATE_HZ)).levels.any()


@pytest.mark.parametrize("amplitude", [1e-30, 1e-38, 1e-44])
def test_what_is_next_to_nothing_is_a_number(amplitude: float) -> None:
    """Dividing by a mean that small would overflow."""
    levels = of(signals.noise(1.0, 0.0, rate=SAMPLE_RATE_HZ) * np.float32(amplitude)).levels
    assert np.isfinite(levels).all()
    assert levels.any() == (amplitude > 1e-36)
