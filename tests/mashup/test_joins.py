"""A jump of two hundredths of full scale clicks; drums, voices and fades do not."""

from __future__ import annotations

import numpy as np
import pytest

from processor.mashup.joins import AROUND_S, around, clicks
from tests.mashup.landed import kick, played
from tests.signals import RATE, Samples, noise, silence, sine, spread

AT_S = 1.0


def voice(gain: float = 0.25) -> Samples:
    """Four seconds of a sung vowel, with vibrato and a little breath."""
    time = np.arange(4 * RATE) / RATE
    phase = 2 * np.pi * 220 * time + 1.5 * np.sin(2 * np.pi * 5 * time)
    tone = sum(np.sin(k * phase) * np.exp(-(((220 * k - 700) / 900) ** 2)) for k in range(1, 16))
    return spread(gain * np.asarray(tone / np.abs(tone).max())) + noise(4.0, -66, rate=RATE, channels=2)


def drums() -> Samples:
    """Kicks and noise that begin at once, every half second, and at the very place of the join."""
    hits = np.arange(0.0, 4.0, 0.5)
    burst = noise(0.1, -12)[0] * np.exp(-np.arange(round(0.1 * RATE)) / (0.02 * RATE)).astype(np.float32)
    return spread(played(hits, 4.0, kick(RATE), RATE) + played(hits, 4.0, burst, RATE))


def stepped(samples: Samples, step: float, at_s: float = AT_S) -> Samples:
    """The same, with a jump that goes back within some milliseconds."""
    found = samples.copy()
    at = round(at_s * RATE)
    found[:, at:] += step * np.exp(-np.arange(found.shape[1] - at) / (0.01 * RATE)).astype(np.float32)
    return found


def source(samples: Samples, moved_s: float = 0.0, gain: float = 1.0) -> list[Samples]:
    return [np.float32(gain) * around(samples, RATE, AT_S + moved_s)]


@pytest.mark.parametrize("step", [0.02, -0.02, 0.1])
@pytest.mark.parametrize("gain", [0.01, 0.1, 0.25])
def test_a_jump_in_a_voice_is_caught(step: float, gain: float) -> None:
    sung = voice(gain)
    assert clicks(stepped(sung, step), RATE, [AT_S], [source(sung)]) == (AT_S,)


def test_without_a_source_a_jump_has_to_be_higher() -> None:
    assert clicks(stepped(voice(), 0.1), RATE, [AT_S], [[]]) == (AT_S,)
    assert clicks(stepped(voice(), 0.01), RATE, [AT_S], [[]]) == ()


def test_a_jump_between_drums_is_caught() -> None:
    """In the tail of a hit, and beside the place in the source."""
    beat = drums()
    place = AT_S + 0.3
    assert clicks(stepped(beat, 0.02, place), RATE, [place], [[around(beat, RATE, place + 0.01)]]) == (place,)


@pytest.mark.parametrize("sound", [voice(), voice(1.0), drums(), noise(4.0, channels=2), sine(1000, 4.0, channels=2)])
@pytest.mark.parametrize("moved_s", [0.0, 0.004, -0.004])
def test_what_is_in_the_source_is_no_click(sound: Samples, moved_s: float) -> None:
    assert clicks(sound, RATE, [AT_S], [source(sound, moved_s, 0.5)]) == ()


def test_a_hit_at_the_join_that_only_one_side_has_is_no_click() -> None:
    beat = drums()
    before = around(voice(), RATE, 2.0)
    joined = beat.copy()
    joined[:, : round(AT_S * RATE)] = voice()[:, : round(AT_S * RATE)]
    assert clicks(joined, RATE, [AT_S], [[before, *source(beat)]]) == ()


def test_a_voice_cut_off_clicks_and_a_faded_one_does_not() -> None:
    cut, faded = voice(), voice()
    at, fade = round(AT_S * RATE), round(0.01 * RATE)
    cut[:, at:] = 0
    assert clicks(cut, RATE, [AT_S], [source(voice())]) == (AT_S,)
    faded[:, at:] *= np.maximum(0, 1 - np.arange(faded.shape[1] - at) / fade).astype(np.float32)
    assert clicks(faded, RATE, [AT_S], [source(voice())]) == ()


@pytest.mark.parametrize("at_s", [-5.0, -0.001, 0.0, 4.0, 9.9, 1e9])
def test_joins_at_the_ends_and_beyond(at_s: float) -> None:
    assert clicks(silence(4.0, channels=2), RATE, [at_s], [[]]) == ()
    assert around(voice(), RATE, at_s).shape == (2, 2 * round(AROUND_S * RATE))


@pytest.mark.parametrize("rate", [8_000, 192_000])
def test_other_rates(rate: int) -> None:
    sung = sine(220, 2.0, -20, rate=rate, channels=2)
    at = rate
    jumped = sung.copy()
    jumped[:, at:] += np.float32(0.02)
    assert clicks(jumped, rate, [1.0], [[around(sung, rate, 1.0)]]) == (1.0,)
    assert clicks(sung, rate, [1.0], [[around(sung, rate, 1.0)]]) == ()


def test_no_sound_at_all() -> None:
    assert clicks(np.zeros((2, 0), np.float32), RATE, [0.0, 1.0], [[], []]) == ()
