"""Pads and drums that are ducked by a known gain, and modulations that are no pumping."""

from __future__ import annotations

import numpy as np
import pytest

from processor.analysis.mel import mel
from processor.analysis.mono import mono
from processor.analysis.pumping import Pumping, pumping
from tests import signals
from tests.signals import RATE, Samples, audio, noise, silence

SECONDS = 20.0
TIME = np.arange(round(SECONDS * RATE)) / RATE
BEAT_S = 0.5


def measure(row: Samples) -> Pumping:
    return pumping(mel(mono(audio(signals.spread(row)))))


def pad() -> Samples:
    return (
        sum(
            np.sin(2 * np.pi * hz * TIME + k) / (k + 1)
            for k, hz in enumerate((262, 330, 392, 523, 784, 1047, 1568, 2637, 5274))
        )
        * 0.1
        + noise(SECONDS, -46.0)[0]
    )


def drums(beat_s: float = BEAT_S) -> Samples:
    beat = TIME % beat_s
    kick = np.sin(2 * np.pi * 55 * beat + 5 * (1 - np.exp(-beat * 40))) * np.exp(-beat * 14)
    hat = noise(SECONDS, -20.0, seed=4)[0] * np.exp(-((TIME + beat_s / 2) % beat_s) * 50)
    return 0.6 * kick + 0.3 * hat


def ducked(row: Samples, depth_db: float, beat_s: float = BEAT_S, release_s: float = 0.2) -> Samples:
    beat = TIME % beat_s
    return row * 10 ** (-depth_db * np.exp(-beat / release_s) * np.minimum(1, beat / 0.005) / 20)


def test_drums_over_a_pad_do_not_pump() -> None:
    found = measure(drums() + pad())
    assert found.depth_db < 0.5  # type: ignore[operator]
    assert found.confidence == 0
    assert found.rate_hz == pytest.approx(1 / BEAT_S, abs=0.03)


def test_deeper_ducking_reads_deeper() -> None:
    depths = [measure(ducked(drums() + pad(), depth_db)).depth_db or 0 for depth_db in (0, 3, 6, 9)]
    assert np.all(np.diff(depths) > 0.8)
    assert depths[3] == pytest.approx(9 * 0.47, abs=1.2)


@pytest.mark.parametrize("beat_s", [0.4, 0.5, 0.75])
def test_a_ducked_mix_pumps_with_its_kick(beat_s: float) -> None:
    found = measure(drums(beat_s) + ducked(pad(), 9.0, beat_s))
    assert found.depth_db > 2.5  # type: ignore[operator]
    assert found.confidence > 0.7  # type: ignore[operator]
    assert found.rate_hz == pytest.approx(1 / beat_s, rel=0.02)


def test_a_compressor_that_the_kick_drives_pumps() -> None:
    mix = drums() + pad()
    level = np.abs(mix)
    held = np.zeros(mix.size)
    fall, top = np.exp(-1 / (0.2 * RATE)), 0.0
    for i, value in enumerate(level.tolist()):
        top = max(value, top * fall)
        held[i] = top
    crushed = mix * np.minimum(1, 0.15 / held) ** 0.9
    assert measure(crushed).depth_db > 2  # type: ignore[operator]


@pytest.mark.parametrize("hz", [0.7, 3.1, 5.3])
def test_a_tremolo_on_its_own_is_no_pumping(hz: float) -> None:
    tremolo = 10 ** (-6 * (0.5 - 0.5 * np.cos(2 * np.pi * hz * TIME)) / 20)
    found = measure(drums() + pad() * tremolo)
    assert found.depth_db < 1  # type: ignore[operator]
    assert found.confidence < 0.2  # type: ignore[operator]


def test_offbeat_chords_are_no_pumping() -> None:
    offbeat = (TIME + BEAT_S / 2) % BEAT_S
    found = measure(drums() + pad() * np.exp(-offbeat * 8))
    assert found.depth_db < 1  # type: ignore[operator]


def test_a_gain_changes_nothing() -> None:
    mix = ducked(drums() + pad(), 6.0)
    assert measure(mix * np.float32(0.02)).depth_db == pytest.approx(measure(mix).depth_db, abs=0.01)


def test_without_hits_there_is_nothing_to_say() -> None:
    assert measure(pad()) == Pumping(None, None, None)
    assert measure(silence(10.0)[0]) == Pumping(None, None, None)
    few = (drums() + pad())[: round(4.2 * RATE)]
    assert measure(few).depth_db is None
