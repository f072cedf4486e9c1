"""One bounce subtracted from another."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import soxr

from processor.feedback.nulls import FLOOR_DB, STEP_S, NullTest, null_test
from tests.signals import RATE, Samples, amplitude, audio, noise, silence, song

MIX = song(12.0)


def test_the_same_leaves_nothing() -> None:
    found = null_test(audio(MIX), audio(MIX))
    assert found.is_aligned
    assert found.is_identical
    assert found.depth_db is None
    assert found.offset_s == 0
    assert found.gain_db == pytest.approx(0, abs=1e-9)
    assert found.correlation == pytest.approx(1)


def test_a_turned_up_bounce_leaves_its_rounding() -> None:
    found = null_test(audio(MIX * np.float32(amplitude(-3.0))), audio(MIX))
    assert found.gain_db == pytest.approx(-3.0, abs=0.001)
    assert not found.is_identical
    assert found.depth_db is not None
    assert found.depth_db < -110


@pytest.mark.parametrize("shift", [1, 37, 4801, 96_000])
def test_the_offset_is_found_to_the_sample(shift: int) -> None:
    late = np.concatenate([silence(shift / RATE, channels=2), MIX], axis=1)
    found = null_test(audio(late), audio(MIX))
    assert found.offset_s == pytest.approx(shift / RATE, abs=0.1 / RATE)
    assert found.depth_db is None or found.depth_db < -110
    back = null_test(audio(MIX), audio(late))
    assert back.offset_s == pytest.approx(-shift / RATE, abs=0.1 / RATE)


@pytest.mark.parametrize("level", [-20.0, -40.0, -60.0])
def test_what_was_added_is_what_is_left(level: float) -> None:
    rms = float(np.sqrt((MIX.astype(np.float64) ** 2).mean()))
    added = MIX + np.float32(rms * amplitude(level)) * noise(12.0, 0.0, channels=2, seed=3)
    found = null_test(audio(added), audio(MIX))
    assert found.depth_db == pytest.approx(level, abs=0.2)


def test_a_change_is_placed_in_time() -> None:
    changed = MIX.copy()
    changed[:, 6 * RATE : 8 * RATE] *= 0.5
    found = null_test(audio(changed), audio(MIX))
    levels = np.nan_to_num(found.depths_db, nan=FLOOR_DB)
    times = np.arange(levels.size) * STEP_S
    inside = (times >= 6) & (times < 8)
    assert levels.size == 24
    assert levels[inside].min() > levels[~inside].max() + 3


def test_a_change_is_placed_in_the_spectrum() -> None:
    shelf = scipy.signal.butter(4, [300.0, 420.0], "bandpass", fs=RATE, output="sos")
    changed = MIX + scipy.signal.sosfilt(shelf, MIX).astype(np.float32)
    found = null_test(audio(changed), audio(MIX))
    depths = [level if level is not None else FLOOR_DB for level in found.band_depths_db]
    assert int(np.argmax(depths)) == 2


def test_a_flipped_bounce_fits_upside_down() -> None:
    found = null_test(audio(-MIX), audio(MIX))
    assert found.correlation == pytest.approx(-1)
    assert found.depth_db is not None
    assert found.depth_db < -110


def test_another_sample_rate_is_brought_to_ours() -> None:
    below = scipy.signal.butter(8, 12_000.0, fs=RATE, output="sos")
    music = scipy.signal.sosfilt(below, MIX).astype(np.float32)
    other = soxr.resample(music.T, RATE, 44_100, quality="VHQ").T
    found = null_test(audio(music), audio(np.ascontiguousarray(other), 44_100))
    assert found.is_aligned
    assert found.depth_db is not None
    assert found.depth_db < -50


def test_one_channel_is_compared_with_two() -> None:
    middle = MIX.mean(axis=0, keepdims=True)
    found = null_test(audio(np.concatenate([middle, middle])), audio(middle))
    assert found.is_aligned
    assert found.depth_db is None or found.depth_db < -110


def refusal(found: NullTest) -> str:
    assert not found.is_aligned
    assert found.depth_db is None
    assert found.depths_db.size == 0
    return found.reason or ""


def test_other_music_does_not_line_up() -> None:
    assert "line up" in refusal(null_test(audio(MIX), audio(noise(12.0, -20.0, channels=2))))


def test_another_speed_runs_apart() -> None:
    faster = soxr.resample(MIX.T, 48_000, 47_985, quality="VHQ").T
    reason = refusal(null_test(audio(np.ascontiguousarray(faster)), audio(MIX)))
    assert "run apart" in reason or "line up" in reason


@pytest.mark.parametrize(
    ("other", "words"),
    [(silence(12.0, channels=2), "silent"), (MIX[:, :1000], "shorter"), (np.zeros((2, 0), np.float32), "shorter")],
)
def test_what_cannot_be_compared_says_why(other: Samples, words: str) -> None:
    assert words in refusal(null_test(audio(MIX), audio(other)))
    assert words in refusal(null_test(audio(other), audio(MIX)))
