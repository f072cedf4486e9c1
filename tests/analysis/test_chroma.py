"""Pitch classes, tuning and clarity of tones whose pitch is known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from processor.analysis.chroma import HOP, Chroma, chroma
from processor.analysis.mono import SAMPLE_RATE_HZ, Mono
from tests.signals import Samples, noise

RATE = SAMPLE_RATE_HZ


def heard(samples: Samples | np.ndarray) -> Chroma:
    row = np.ascontiguousarray(np.atleast_2d(samples)[0], np.float32)
    return chroma(Mono(row, RATE, row.size / RATE))


def tone(note: float, seconds: float = 3.0, a4: float = 440.0, overtones: int = 6) -> np.ndarray:
    """A harmonic tone of a MIDI note, each overtone 0.7 of the one before."""
    hz = a4 * 2 ** ((note - 69) / 12)
    time = np.arange(round(seconds * RATE)) / RATE
    parts = [0.7**k * np.sin(2 * np.pi * (k + 1) * hz * time + k) for k in range(overtones) if (k + 1) * hz < RATE / 2]
    return (0.1 * np.sum(parts, axis=0)).astype(np.float32)


def middle(values: np.ndarray) -> np.ndarray:
    """Mean of the frames without the first and last half second."""
    return values[6:-6].mean(axis=0)


@pytest.mark.parametrize("note", range(45, 85))
def test_a_tone_is_its_pitch_class(note: int) -> None:
    """With six overtones, among them a fifth and a third, every other class stays under a quarter of it."""
    classes = middle(heard(tone(note)).values)
    assert classes.argmax() == note % 12
    assert np.delete(classes, note % 12).max() < 0.25 * classes.max()


@pytest.mark.parametrize("note", range(36, 48))
def test_a_low_tone_is_heard_in_the_bass(note: int) -> None:
    found = heard(tone(note))
    assert middle(found.bass).argmax() == note % 12
    assert found.bass.max() > 0.5


def test_a_high_tone_is_not_bass() -> None:
    found = heard(tone(38) + tone(81))
    assert middle(found.bass).argmax() == 38 % 12
    assert middle(found.bass)[81 % 12] < 0.1


@pytest.mark.parametrize("cents", [-45.0, -31.8, -12.5, 0.0, 7.0, 25.0, 38.9, 45.0])
def test_tuning_is_within_three_cents(cents: float) -> None:
    a4 = 440 * 2 ** (cents / 1200)
    found = heard(np.concatenate([sum(tone(n, 1.0, a4) for n in (k, k + 4, k + 7)) for k in (57, 62, 64, 57)]))
    assert found.tuning_cents == pytest.approx(cents, abs=3)
    assert found.clarity > 0.5


@pytest.mark.parametrize("a4", [432.0, 440.0, 450.0])
def test_pitch_classes_follow_the_tuning(a4: float) -> None:
    classes = middle(heard(sum(tone(n, 3.0, a4) for n in (60, 64, 67))).values)
    assert set(np.argsort(classes)[-3:].tolist()) == {0, 4, 7}
    assert np.sort(classes)[-4] < 0.2


def test_noise_has_no_tuning() -> None:
    found = heard(noise(10.0, rate=RATE))
    assert found.tuning_cents is None
    assert found.clarity < 0.02


def test_drums_do_not_move_the_chord() -> None:
    chord = sum(tone(n, 6.0) for n in (57, 60, 64))
    time = np.arange(chord.size) / RATE % 0.5
    hits = noise(6.0, 0.0, rate=RATE)[0] * np.exp(-time * 40) * np.float32(0.5)
    clean, dirty = middle(heard(chord).values), middle(heard(chord + hits).values)
    assert set(np.argsort(dirty)[-3:].tolist()) == {9, 0, 4}
    assert np.corrcoef(clean, dirty)[0, 1] > 0.95


def test_frames_stand_where_they_say() -> None:
    """C until 3 s, F sharp after: the turn is within one frame."""
    found = heard(np.concatenate([tone(60, 3.0), tone(66, 3.0)]))
    turned = found.values[:, 6] > found.values[:, 0]
    assert found.times_s[turned.argmax()] == pytest.approx(3.0, abs=1.5 / found.frame_rate)
    assert found.frame_rate == pytest.approx(RATE / HOP)
    assert np.diff(found.times_s) == pytest.approx(1 / found.frame_rate)
    assert len(found.times_s) == len(found.values) == len(found.bass) == len(found.energy)
    assert found.duration_s == 6.0


def test_energy_is_the_mean_square() -> None:
    """0.1 · sin: 0.005."""
    time = np.arange(4 * RATE) / RATE
    found = heard((0.1 * np.sin(2 * np.pi * 440 * time)).astype(np.float32))
    assert found.energy[6:-6] == pytest.approx(0.005, rel=0.01)


@pytest.mark.parametrize("gain", [1e-9, 1e-3, 1e6])
def test_level_changes_only_the_energy(gain: float) -> None:
    chord = sum(tone(n) for n in (57, 60, 64))
    before, after = heard(chord), heard(chord * np.float32(gain))
    assert after.values == pytest.approx(before.values, abs=1e-3)
    assert after.tuning_cents == pytest.approx(before.tuning_cents, abs=1e-3)
    assert after.energy == pytest.approx(before.energy * gain**2, rel=1e-3)


def test_a_tone_at_concert_pitch_after_a_minute_is_the_same() -> None:
    """Blocks of frames leave no seam."""
    found = heard(tone(64, 70.0))
    assert np.abs(np.diff(found.values[10:-10], axis=0)).max() < 0.01


@pytest.mark.parametrize("size", [0, 1, 100, HOP, 5 * HOP + 1])
def test_next_to_nothing(size: int) -> None:
    found = heard(np.zeros(size, np.float32))
    assert found.values.shape == (0 if size == 0 else size // HOP + 1, 12)
    assert found.values.dtype == found.bass.dtype == found.energy.dtype == np.float32
    assert not found.values.any()
    assert found.tuning_cents is None
