"""The one channel at 22.05 kHz: levels, rates, channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from processor.analysis.mono import SAMPLE_RATE_HZ, mono
from processor.errors import NotInMemory
from tests import signals
from tests.signals import SURROUND, audio


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_a_tone_keeps_its_level_its_pitch_and_its_length(rate: int) -> None:
    found = mono(audio(signals.sine(1000, 2.0, -6.0, rate=rate, channels=2), rate))
    assert found.samples.dtype == np.float32
    assert found.sample_rate == SAMPLE_RATE_HZ
    assert abs(found.samples.size - 2 * SAMPLE_RATE_HZ) <= 2
    assert found.duration_s == pytest.approx(2.0)
    middle = found.samples[2000:-2000]
    assert np.sqrt(2) * middle.std() == pytest.approx(signals.amplitude(-6.0), rel=0.01)
    crossings = np.count_nonzero(np.diff(np.signbit(middle)))
    assert crossings == pytest.approx(2000 * middle.size / SAMPLE_RATE_HZ, abs=2)


def test_treble_below_eleven_kilohertz_is_kept() -> None:
    found = mono(audio(signals.sine(10_000, 1.0, -6.0, rate=44_100), 44_100))
    assert np.sqrt(2) * found.samples[2000:-2000].std() == pytest.approx(signals.amplitude(-6.0), rel=0.02)


def test_the_duration_is_that_of_the_original() -> None:
    assert mono(audio(signals.silence(0.1, rate=192_000)[:, :10], 192_000)).duration_s == 10 / 192_000


def test_what_is_above_its_range_does_not_fold_back() -> None:
    found = mono(audio(signals.sine(15_000, 1.0, rate=44_100), 44_100))
    assert np.abs(found.samples[2000:-2000]).max() < 1e-3


def test_the_middle_stays_and_the_sides_go() -> None:
    tone = signals.sine(1000, 0.5, rate=SAMPLE_RATE_HZ)
    same = mono(audio(signals.stereo(tone, tone), SAMPLE_RATE_HZ))
    opposite = mono(audio(signals.stereo(tone, -tone), SAMPLE_RATE_HZ))
    one = mono(audio(tone, SAMPLE_RATE_HZ))
    np.testing.assert_allclose(same.samples, tone[0], atol=1e-6)
    np.testing.assert_allclose(one.samples, tone[0], atol=1e-6)
    assert not opposite.samples.any()


def test_surround_is_folded_as_a_downmix() -> None:
    rows = np.zeros((6, 1000), np.float32)
    rows[SURROUND.index("LFE")] = 1.0
    assert not mono(audio(rows, SAMPLE_RATE_HZ, positions=SURROUND)).samples.any()
    rows[SURROUND.index("FC")] = 0.5
    np.testing.assert_allclose(
        mono(audio(rows, SAMPLE_RATE_HZ, positions=SURROUND)).samples, 0.5 * np.sqrt(0.5), rtol=1e-5
    )


def test_nothing_stays_nothing() -> None:
    assert mono(audio(np.zeros((2, 0), np.float32), 44_100)).samples.size == 0


def test_a_stream_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotInMemory):
        mono(signals.streamed(tmp_path / "long.wav", signals.song(12.0, rate=44_100), 44_100))
