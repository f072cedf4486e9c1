"""Onset strength: where clicks are, in which register, and what is none."""

from __future__ import annotations

import numpy as np
import pytest

from processor.analysis.mel import Mel, mel
from processor.analysis.mono import SAMPLE_RATE_HZ, Mono
from processor.analysis.onsets import KICK, REGISTERS_HZ, SNARE, Onsets, onsets
from tests import signals
from tests.signals import Samples

RATE = SAMPLE_RATE_HZ


def of(samples: Samples) -> Onsets:
    return onsets(mel(Mono(samples[0], RATE, samples.shape[1] / RATE)))


def burst(hz: float, at_s: float, seconds: float = 3.0, attack_s: float = 0.0) -> Samples:
    """A tone that begins, at once or within `attack_s`, and dies away."""
    time = np.arange(round(seconds * RATE)) / RATE - at_s
    since = np.maximum(time, 0)
    rise = np.sin(np.pi / 2 * np.minimum(1, since / attack_s)) ** 2 if attack_s else 1.0
    return signals.spread(np.where(time >= 0, 0.5 * np.sin(2 * np.pi * hz * time) * rise * np.exp(-20 * since), 0.0), 1)


@pytest.mark.parametrize("at_s", [0.0, 0.5, 1.234, 2.0])
def test_an_onset_is_where_a_sound_begins(at_s: float) -> None:
    found = of(burst(1000, at_s))
    assert found.envelope.argmax() / found.frame_rate == pytest.approx(at_s, abs=0.02)


@pytest.mark.parametrize(("hz", "register"), [(60, KICK), (250, 1), (800, 2), (3000, SNARE), (8000, 4)])
def test_a_register_hears_its_own(hz: float, register: int) -> None:
    low, high = REGISTERS_HZ[register : register + 2]
    assert low <= hz < high
    sounds = mel(Mono(burst(hz, 1.0, attack_s=0.04)[0], RATE, 3.0))
    bands = np.histogram(sounds.centres_hz, REGISTERS_HZ)[0]
    rises_a_band = onsets(sounds).registers[:, 90:115].sum(axis=1) / bands
    assert rises_a_band.argmax() == register


def test_what_is_held_has_no_onsets_but_its_beginning() -> None:
    found = of(signals.sine(440, 4.0, -10.0, rate=RATE))
    assert found.envelope[:10].max() > 20 * found.envelope[20:-20].max()


def test_a_vibrato_is_no_row_of_onsets() -> None:
    time = np.arange(4 * RATE) / RATE
    phase = 2 * np.pi * 440 * time + 4.0 * np.sin(2 * np.pi * 5 * time)
    vibrato = of(signals.spread(0.3 * np.sin(phase), 1))
    struck = of(np.concatenate([burst(440, 0.0, 0.2)] * 20, axis=1))
    assert vibrato.envelope[50:-50].mean() < 0.1 * struck.envelope[50:-50].mean()


def test_a_loud_beginning_does_not_outweigh_the_rest() -> None:
    soft = np.concatenate([burst(440, 0.0, 0.5, attack_s=0.05)] * 60, axis=1)
    found = of(np.concatenate([burst(440, 0.0, 0.5), soft], axis=1)).envelope
    assert found[:20].max() <= 1.5 * found[60:].max()


@pytest.mark.parametrize("samples", [signals.silence(1.0, rate=RATE), np.zeros((1, 0), np.float32)])
def test_nothing_has_none(samples: Samples) -> None:
    found = of(samples)
    assert not found.envelope.any()
    assert found.registers.shape == (len(REGISTERS_HZ) - 1, found.envelope.size)


def stepped(changes: dict[int, tuple[float, ...]], frames: int = 200, centres_hz: tuple[float, ...] = ()) -> Onsets:
    """Onsets of bands whose levels change at some frames, at 100 frames a second; all in one register if not said."""
    bands = len(next(iter(changes.values())))
    levels = np.zeros((frames, bands), np.float32)
    for frame, values in changes.items():
        levels[frame:] = values
    return onsets(Mel(levels, 100.0, np.array(centres_hz or np.linspace(500, 1000, bands))))


def test_an_onset_counts_by_what_it_rises_above_its_mean_over_two_fifths_of_a_second() -> None:
    found = stepped({100: (1.0,), 101: (0.0,)})
    assert list(np.flatnonzero(found.envelope)) == [100]
    assert found.envelope[100] == pytest.approx(1 - 1 / 41)
    assert stepped({100: (1.0,)}).envelope[100:103] == pytest.approx(1 - 3 / 41)


def test_before_the_beginning_there_was_silence() -> None:
    assert list(np.flatnonzero(stepped({0: (1.0,)}).envelope)) == [0, 1, 2]


def test_what_moves_to_the_next_band_up_or_down_is_no_onset() -> None:
    for path in ((0, 1, 0), (1, 2, 1), (2, 3, 2)):
        rows = [tuple(float(band == one) for band in range(4)) for one in path]
        assert not stepped({0: rows[0], 60: rows[1], 120: rows[2]}).envelope[3:].any(), path
    assert stepped({0: (1.0, 0.0, 0.0), 60: (0.0, 0.0, 1.0)}).envelope[60] > 0.9


def test_what_ends_takes_nothing_from_what_begins() -> None:
    found = stepped({0: (1.0, 0.0, 0.0, 0.0), 60: (0.0, 0.0, 0.0, 1.0)})
    assert found.envelope[60] == pytest.approx(1 - 3 / 41)


@pytest.mark.parametrize("centres_hz", [(1.0, 161.0, 401.0, 1501.0, 5001.0), (159.0, 399.0, 1499.0, 4999.0, 9000.0)])
def test_registers_end_where_they_are_said_to(centres_hz: tuple[float, ...]) -> None:
    for register in range(5):
        values = tuple(float(band == register) for band in range(5))
        found = stepped({100: values}, centres_hz=centres_hz)
        assert list(found.registers.max(axis=1) > 0.9) == [value > 0 for value in values]


def test_only_the_very_strongest_are_cut() -> None:
    found = stepped({frame + k: (h * (1 - k),) for frame, h in _pulses(every=10) for k in (0, 1)}, 4200).envelope
    assert found.max() > 4
    rare = stepped({frame + k: (h * (1 - k),) for frame, h in _pulses(every=100) for k in (0, 1)}, 4200).envelope
    assert rare.max() < 1.1


def _pulses(every: int) -> list[tuple[int, float]]:
    """A hundred pulses' frames and heights: each so-manieth five times as high."""
    return [(42 * number, 5.0 if number % every == 7 else 1.0) for number in range(100)]
