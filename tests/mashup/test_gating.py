"""What is left of other instruments between the lines is turned down, and nothing that is sung."""

from __future__ import annotations

import numpy as np
import pytest

from processor.mashup.curves import runs, step_powers, sung, to_lufs, turned
from processor.mashup.gating import ATTACK_S, HOLD_S, HYSTERESIS_LU, RANGE_DB, RELEASE_S, gate_gains_db, gated
from tests.signals import RATE, amplitude, audio, constant, db, joined, noise, silence, sine, tones


def steps(*parts: tuple[float, float]) -> np.ndarray:
    """K-weighted mean squares of 10 ms each, from `(LUFS, seconds)`."""
    return np.concatenate([np.full(round(seconds * 100), 10 ** ((lufs + 0.691) / 10)) for lufs, seconds in parts])


def test_bleed_between_lines_is_turned_down_and_lines_are_left_as_they_are() -> None:
    vocals = tones([(-50.0, 2.0), (-15.0, 2.0), (-50.0, 3.0), (-15.0, 1.0)])
    found = gated(vocals, RATE, -40.0)
    for start_s, end_s in ((2.0, 4.0), (7.0, 8.0)):
        span = slice(round(start_s * RATE) + 480, round(end_s * RATE))
        assert np.array_equal(found[:, span], vocals[:, span])
    for start_s, end_s in ((0.1, 1.9), (5.5, 6.9)):
        span = slice(round(start_s * RATE), round(end_s * RATE))
        assert db(float(np.abs(found[:, span]).max() / np.abs(vocals[:, span]).max())) < -30.0


def test_no_threshold_no_gate() -> None:
    vocals = noise(1.0, -60.0, channels=2)
    assert gated(vocals, RATE, None) is vocals


def test_it_opens_before_the_word() -> None:
    powers = steps((-60.0, 1.0), (-20.0, 1.0))
    gains = gate_gains_db(powers, -40.0)
    opened = int(np.argmax(gains == 0))
    began = int(np.argmax(gains > -RANGE_DB))
    assert opened <= 100
    # Within the attack, and half of the detector's 50 ms.
    assert 100 - began <= round(100 * (ATTACK_S + 0.03))


def test_it_holds_and_then_fades_over_its_release() -> None:
    gains = gate_gains_db(steps((-20.0, 1.0), (-60.0, 2.0)), -40.0)
    closes = np.argmax(gains[100:] < 0) / 100
    assert closes == pytest.approx(HOLD_S, abs=0.04)
    fade = gains[100 + round(100 * closes) :]
    assert np.argmax(fade < -RANGE_DB * (1 - np.exp(-1))) / 100 == pytest.approx(RELEASE_S, rel=0.3)
    assert np.diff(gains[100:]).min() > -3.0  # nowhere abrupt: under 3 dB in 10 ms
    assert gains[-1] == pytest.approx(-RANGE_DB, abs=0.1)


def test_a_soft_consonant_at_a_word_is_kept_and_bleed_as_loud_is_not() -> None:
    soft = -40.0 + HYSTERESIS_LU / 2
    gains = gate_gains_db(
        steps((-60.0, 1.0), (soft, 0.2), (-20.0, 0.5), (-60.0, 2.0), (soft, 0.5), (-60.0, 1.0)), -40.0
    )
    assert (gains[100:170] == 0).all()
    assert gains[370:420].max() < -30.0


def test_short_pauses_do_not_close_it() -> None:
    gains = gate_gains_db(steps((-20.0, 0.5), (-60.0, HOLD_S - 0.02), (-20.0, 0.5)), -40.0)
    assert not gains.any()


def test_a_level_that_hangs_about_the_threshold_does_not_flutter() -> None:
    trembling = np.concatenate([steps((-38.0, 0.05), (-42.0, 0.05))] * 20)
    gains = gate_gains_db(np.concatenate([steps((-20.0, 0.5)), trembling, steps((-60.0, 1.0))]), -40.0)
    assert np.count_nonzero(np.diff(np.sign(np.diff(gains[50:])))) <= 2


def test_a_reverb_dies_away_no_faster_than_it_can_be_followed() -> None:
    time = np.arange(3 * RATE) / RATE
    tail = np.where(time < 1, 1.0, 10 ** (-60 * (time - 1) / 1.5 / 20)).astype(np.float32)  # RT60 1.5 s
    vocals = tail * sine(440.0, 3.0, -12.0, channels=2)
    found = gated(vocals, RATE, -45.0)
    assert np.array_equal(found[:, : 2 * RATE - 4800], vocals[:, : 2 * RATE - 4800])
    level = to_lufs(step_powers(found, RATE)[:-1])
    assert np.diff(level).min() > -4.0


def test_never_louder() -> None:
    gains = gate_gains_db(step_powers(noise(2.0, -40.0, channels=2), RATE), -38.0)
    assert gains.max() <= 0
    assert gains.min() >= -RANGE_DB


@pytest.mark.parametrize("rate", [8000, 11_025, 44_100, 192_000])
def test_any_rate(rate: int) -> None:
    vocals = joined(sine(440.0, 1.0, -60.0, rate=rate, channels=2), sine(440.0, 1.0, -20.0, rate=rate, channels=2))
    found = gated(vocals, rate, -40.0)
    assert np.abs(found[:, : rate // 2]).max() == pytest.approx(amplitude(-60.0 - RANGE_DB), rel=0.01)
    assert np.array_equal(found[:, rate + rate // 50 :], vocals[:, rate + rate // 50 :])


@pytest.mark.parametrize("frames", [0, 1, 300])
def test_short_sounds_and_silence(frames: int) -> None:
    for samples in (constant(0.5, frames / RATE, channels=2), np.zeros((2, frames), np.float32)):
        found = gated(samples, RATE, -40.0)
        assert found.shape == samples.shape
        assert np.isfinite(found).all()


def test_the_same_twice_and_the_input_as_it_was() -> None:
    vocals = noise(1.0, -42.0, channels=2)
    before = vocals.copy()
    assert np.array_equal(gated(vocals, RATE, -40.0), gated(vocals, RATE, -40.0))
    assert np.array_equal(vocals, before)


def test_steps_are_those_of_the_loudness_meter() -> None:
    from processor.analysis.loudness import loudness

    samples = sine(997.0, 25.0, -23.0, channels=2)
    powers = step_powers(samples, RATE)
    assert powers.shape == (2500,)
    told = loudness(audio(samples)).integrated_lufs
    assert to_lufs(np.array([powers[10:].mean()]))[0] == pytest.approx(told, abs=0.01)
    assert step_powers(silence(0.001, channels=2), RATE).shape == (1,)


def test_sung_is_what_is_near_the_level_of_the_whole() -> None:
    assert sung(steps((-20.0, 1.0), (-50.0, 1.0), (-35.0, 1.0))).tolist() == [True] * 100 + [False] * 100 + [True] * 100
    assert not sung(steps((-80.0, 1.0))).any()
    assert not sung(np.zeros(5)).any()


def test_runs() -> None:
    assert runs(np.array([1, 1, 0, 1, 0, 0, 1], bool)).tolist() == [[0, 2], [3, 4], [6, 7]]
    assert runs(np.zeros(3, bool)).shape == (0, 2)


def test_a_gain_goes_straight_between_its_steps() -> None:
    found = turned(constant(1.0, 1.0, channels=2), np.linspace(0, -12, 100), RATE)
    at = np.array([0.1, 0.5, 0.9])
    wanted = 10 ** (np.interp(at, (np.arange(100) + 0.5) / 100, np.linspace(0, -12, 100)) / 20)
    assert found[1, (at * RATE).astype(int)] == pytest.approx(wanted, rel=1e-3)
    assert np.abs(np.diff(found[0])).max() < 1e-4
