"""Traits of productions that are made to have them: known decays, known drives, known shares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from processor.analysis.bands import bands
from processor.analysis.production import Production, production
from processor.analysis.sections import Sections
from processor.analysis.stereo import stereo
from processor.audio import Audio
from processor.quantities import columns
from tests import signals
from tests.signals import RATE, Samples, audio, joined, noise, silence, sine, song

CURVES = [column.name for column in columns(Production) if column.is_curve]


def of(sound: Audio) -> Production:
    return production(sound, bands(sound))


def measure(samples: Samples, rate: int = RATE) -> Production:
    return of(audio(samples, rate))


def near(expected: object, tolerance: float = 0.01) -> object:
    return pytest.approx(expected, abs=tolerance)


# Warmth and width


def test_warmth_is_the_share_from_150_to_500_hz() -> None:
    warm, other = signals.faded(sine(300, 8.0, -20.0), 4800), signals.faded(sine(2000, 8.0, -20.0), 4800)
    assert measure(warm).warmth == near(100, 0.5)
    assert measure(other).warmth == near(0, 0.5)
    assert measure(warm + other).warmth == near(50, 0.5)
    assert measure(noise(20.0)).warmth == near(100 * 350 / 22_380, 0.2)


def test_width_is_that_of_the_stereo_picture() -> None:
    for samples in (song(8.0), noise(8.0, channels=2)):
        sound = audio(samples)
        assert of(sound).width == near(stereo(bands(sound)).width, 1.0)
    assert measure(song(4.0, channels=1)).width is None


# Density


def test_what_is_steady_is_dense() -> None:
    assert measure(noise(10.0)).density == near(100, 2)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_density_is_the_share_of_loud_time(share: float) -> None:
    """Noise of which a part of each two seconds is loud and the rest 15 dB below."""
    is_loud = np.arange(20 * RATE) / RATE % 2 < 2 * share
    samples = noise(20.0, -10.0) * np.where(is_loud, 1, signals.amplitude(-15)).astype(np.float32)
    assert measure(samples).density == near(100 * share, 5)


def test_pauses_do_not_count() -> None:
    assert measure(joined(noise(5.0), silence(10.0), noise(5.0))).density == near(100, 3)


def test_a_limiter_makes_it_denser() -> None:
    samples = song(12.0)
    squashed = np.tanh(8 * samples).astype(np.float32)
    assert measure(squashed).density > measure(samples).density + 15  # type: ignore[operator]


# Reverberance


def decaying(rt60_s: float, *, gap_s: float = 2.5, count: int = 8, rate: int = RATE, seed: int = 0) -> Samples:
    """Claps in a hall: noise that falls by 60 dB in `rt60_s`, again and again, on a floor of −90 dB."""
    n = round(gap_s * rate)
    random = np.random.default_rng(seed)
    fall = np.tile(10 ** (-3 * np.arange(n) / rate / rt60_s), count)
    return signals.spread(0.3 * random.standard_normal(n * count) * fall + 1e-5 * random.standard_normal(n * count), 1)


@pytest.mark.parametrize("rt60_s", [0.3, 0.5, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_decay_time_is_that_of_the_hall(rt60_s: float, seed: int) -> None:
    found = measure(decaying(rt60_s, seed=seed))
    assert found.decay_s == pytest.approx(rt60_s, rel=0.03)
    assert found.decays >= 7


@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000])
def test_decay_time_is_the_same_at_any_sample_rate(rate: int) -> None:
    assert measure(decaying(1.0, rate=rate, count=5), rate).decay_s == pytest.approx(1.0, rel=0.05)


def test_dense_playing_leaves_few_decays() -> None:
    """Each clap is cut off by the next after a tenth of a second: 6 dB is no evidence."""
    found = measure(decaying(1.0, gap_s=0.1, count=100))
    assert (found.decay_s, found.decays) == (None, 0)


@pytest.mark.parametrize("samples", [noise(10.0), sine(440, 10.0), signals.faded(noise(10.0), RATE)])
def test_what_does_not_decay_has_no_decay_time(samples: Samples) -> None:
    assert measure(samples).decay_s is None


def test_the_curve_of_decays_follows_the_hall() -> None:
    found = measure(joined(decaying(0.4, count=4), decaying(1.5, count=4)))
    curve = found.decay_by_second_s
    assert np.nanmedian(curve[:8]) == pytest.approx(0.4, rel=0.05)
    assert np.nanmedian(curve[11:]) == pytest.approx(1.5, rel=0.05)


# Saturation


def sloped(seconds: float, seed: int = 0) -> Samples:
    """Noise that falls by 4.5 dB an octave: the spectrum of music without its waveform."""
    n = round(seconds * RATE)
    hz = np.maximum(np.fft.rfftfreq(n, 1 / RATE), 30)
    random = np.random.default_rng(seed)
    row = np.fft.irfft(np.fft.rfft(random.standard_normal(n)) * hz**-0.75, n)
    return signals.spread(0.1 * row / row.std(), 1)


DRIVES = (0.25, 0.5, 1.0, 2.0, 4.0)


@pytest.mark.parametrize("samples", [sloped(6.0), song(6.0, channels=1) / song(6.0, channels=1).std() / 10])
def test_more_drive_is_more_saturation(samples: Samples) -> None:
    clean = measure(samples).saturation_db
    driven = [measure(np.tanh(10 * drive * samples).astype(np.float32)).saturation_db for drive in DRIVES]
    assert clean is not None
    assert clean < 1.5
    assert driven[-1] is not None
    assert driven[-1] > 8
    assert [clean, *driven] == sorted([clean, *driven])  # type: ignore[type-var]


@pytest.mark.parametrize("hz", [60, 220, 1000])
def test_a_driven_tone_is_saturated_and_a_clean_one_is_not(hz: float) -> None:
    tone = sine(hz, 4.0)
    assert measure(tone).saturation_db == near(0, 0.5)
    assert measure(np.tanh(0.3 * tone)).saturation_db == near(0, 0.5)
    driven = [measure(np.tanh(drive * tone)).saturation_db for drive in (1.0, 2.0, 4.0)]
    assert 3 < driven[0] < driven[1] < driven[2]  # type: ignore[operator]


@pytest.mark.parametrize("gain", [1e-4, 1.0, 100.0])
def test_a_gain_saturates_nothing(gain: float) -> None:
    """It is the shape that counts, not the level."""
    driven = np.tanh(30 * sloped(5.0)).astype(np.float32)
    assert measure(driven * np.float32(gain)).saturation_db == near(measure(driven).saturation_db, 1e-3)


def test_the_crest_of_loud_moments_is_that_of_the_wave() -> None:
    tone = signals.sine(400.0, 6.0, -6.0)
    assert measure(tone).loud_crest_db == near(3.01, 0.1)
    samples = signals.noise(6.0, -20.0)
    free, pressed = measure(samples).loud_crest_db, measure(np.tanh(20 * samples).astype(np.float32)).loud_crest_db
    assert free is not None
    assert pressed is not None
    assert free > 9 > 4 > pressed


def test_clipping_is_saturation() -> None:
    samples = sloped(6.0)
    assert measure(signals.clipped(samples, 0.1)).saturation_db > 6  # type: ignore[operator]


def test_the_curve_shows_where() -> None:
    clean = sloped(8.0)
    found = measure(joined(clean, np.tanh(40 * clean).astype(np.float32)))
    curve = found.saturation_by_second_db
    assert curve.shape == (14,)
    assert curve[:5].max() < 2
    assert curve[8:].min() > 6


# Sections


def in_sections(*intervals_s: tuple[float, float]) -> Sections:
    names = ("A",) * len(intervals_s)
    nothing = np.empty(0)
    return Sections(
        intervals_s=np.array(intervals_s, np.float64).reshape(-1, 2),
        labels=names,
        roles=names,
        role_confidences=(0.0,) * len(names),
        confidence=None,
        section_count=len(names),
        novelty=nothing,
        novelty_s=nothing,
        form_from=None,
        form_why=None,
    )


def test_sections_have_their_own_traits() -> None:
    clean = sloped(8.0)
    sound = audio(signals.spread(joined(clean, np.tanh(40 * clean).astype(np.float32), sine(300, 8.0, -17.0))[0]))
    found = production(sound, bands(sound), in_sections((0, 8), (8, 16), (16.2, 24)))
    assert found.section_saturation_db[0] < 2 < 6 < found.section_saturation_db[1]  # type: ignore[operator]
    assert found.section_warmth[2] == near(100, 1)
    assert found.section_width == (near(0), near(0), near(0))
    assert found.section_decay_s == (None, None, None)
    assert len(found.section_density) == 3


def test_one_section_of_all_is_the_track() -> None:
    sound = audio(song(9.0))
    found = production(sound, bands(sound), in_sections((0.0, 9.5)))
    assert found.section_warmth == (near(found.warmth, 1e-6),)
    assert found.section_density == (near(found.density, 1e-6),)
    assert found.section_width == (near(found.width, 1e-6),)
    assert found.section_saturation_db == (near(found.saturation_db, 1e-6),)


def test_without_sections_there_are_none() -> None:
    assert measure(song(4.0)).section_warmth == ()


# Curves, nothing, invariances


def test_curves_have_one_value_a_second_of_three_seconds() -> None:
    for seconds, values in ((2.9, 0), (3.0, 1), (10.0, 8), (10.9, 8)):
        found = measure(noise(seconds, channels=2))
        assert {getattr(found, name).size for name in CURVES} == {values}, seconds


def test_curves_follow_the_sound() -> None:
    wide = signals.stereo(noise(8.0, seed=1), noise(8.0, seed=2))
    warm = signals.spread(sine(300, 8.0, -17.0)[0])
    found = measure(joined(wide, warm))
    assert found.width_by_second[[0, 4]] == near(np.array([50, 50]), 3)
    assert found.width_by_second[[9, 13]] == near(np.array([0, 0]), 1)
    assert found.warmth_by_second[[9, 12]] == near(np.array([100, 100]), 1)


def test_pauses_are_gaps() -> None:
    found = measure(joined(noise(5.0, channels=2), silence(6.0, channels=2), noise(5.0, channels=2)))
    for name in CURVES:
        assert np.isnan(getattr(found, name)[6:8]).all(), name
    assert found.warmth_by_second[-1] == near(measure(noise(5.0, channels=2)).warmth, 0.3)


@pytest.mark.parametrize("samples", [silence(5.0, channels=2), signals.constant(0.5, 5.0, channels=2)])
def test_silence_has_no_traits(samples: Samples) -> None:
    found = measure(samples)
    assert (found.warmth, found.density, found.width, found.decay_s, found.saturation_db) == (None,) * 5
    assert found.decays == 0
    assert all(getattr(found, name).size == 0 for name in CURVES)


def test_a_gain_changes_nothing() -> None:
    samples = decaying(1.0) + 0.02 * song(20.0, channels=1)
    before, after = measure(samples), measure(samples * np.float32(0.01))
    for column in columns(Production):
        assert getattr(after, column.name) == pytest.approx(getattr(before, column.name), abs=1e-3, nan_ok=True)


@pytest.mark.parametrize(("rate", "seconds", "channels"), [(8_000, 65.0, 2), (11_025, 61.3, 1), (8_000, 60.0, 6)])
def test_a_stream_measures_exactly_the_same(tmp_path: Path, rate: int, seconds: float, channels: int) -> None:
    samples = song(seconds, rate=rate, channels=channels)
    stream = signals.streamed(tmp_path / "long.wav", samples, rate)
    found, expected = of(stream), of(audio(samples, rate, positions=stream.positions))
    for column in columns(Production):
        values = [getattr(one, column.name) for one in (found, expected)]
        assert np.array_equal(*values, equal_nan=column.is_curve), column.name
