"""Variants of recordings, and what is counted as found and as false."""

from __future__ import annotations

import numpy as np
import pytest

from tests.accuracy import fingerprints
from tests.accuracy.fingerprints import Likeness
from tests.signals import Samples, noise, sine, song

RATE = 44_100


def level_db(samples: Samples, hz: float) -> float:
    """Level of one frequency, away from the ends."""
    middle = samples[0, RATE // 4 : -RATE // 4]
    return float(20 * np.log10(abs(np.exp(-2j * np.pi * hz / RATE * np.arange(middle.size)) @ middle) / middle.size))


def tone(hz: float) -> Samples:
    return sine(hz, 2.0, -20.0, rate=RATE, channels=2)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("name", fingerprints.VARIANTS)
def test_every_variant_is_sound_of_about_the_same_level(name: str, channels: int) -> None:
    samples = song(4.0, rate=RATE, channels=channels)
    changed = fingerprints.VARIANTS[name](samples, RATE)
    assert changed.shape[0] == channels
    assert changed.dtype == np.float32
    assert np.isfinite(changed).all()
    assert 0.5 < np.std(changed) / np.std(samples) < 2  # the quiet beginning is missing from some, the bass louder


@pytest.mark.parametrize(("change", "low", "high"), [(fingerprints.darker, 3, -3), (fingerprints.brighter, -3, 3)])
def test_the_equaliser_is_three_decibels(change: object, low: float, high: float) -> None:
    assert callable(change)
    for hz, gain in ((50.0, low), (10_000.0, high), (700.0, 0.0)):
        assert level_db(change(tone(hz), RATE), hz) - level_db(tone(hz), hz) == pytest.approx(gain, abs=0.1)


def test_the_wavy_equaliser_goes_both_ways() -> None:
    gains = [level_db(fingerprints.wavy(tone(hz), RATE), hz) - level_db(tone(hz), hz) for hz in (88.4, 353.6, 500.0)]
    assert gains == pytest.approx([3, 3 * np.sin(np.pi * 2.5), 0], abs=0.1)


def test_speed_moves_pitch_and_length() -> None:
    faster = fingerprints.played(tone(1000.0), RATE, 1.01)
    assert faster.shape[1] == pytest.approx(2 * RATE / 1.01, abs=2)
    assert level_db(faster, 1010.0) == pytest.approx(level_db(tone(1010.0), 1010.0), abs=0.2)


def test_later_is_without_the_beginning() -> None:
    samples = noise(2.0, rate=RATE, channels=2)
    assert np.array_equal(fingerprints.later(samples, RATE), samples[:, 66_150:])


def test_codings_change_the_samples_but_not_the_sound() -> None:
    samples = song(4.0, rate=RATE)
    for change in (fingerprints.mp3, fingerprints.opus):
        changed = change(samples, RATE)
        assert changed.shape[1] == pytest.approx(4 * RATE, abs=4000)
        before, after = (np.abs(np.fft.rfft(part[0], 4 * RATE))[200:8000] for part in (samples, changed))
        assert 0.8 < np.corrcoef(before, after)[0, 1] < 0.99999


def test_recall_counts_what_was_found() -> None:
    found = fingerprints.recall(
        {
            "a": {"1 % faster": Likeness(0.4, True), "1.5 s later": Likeness(0.9, True)},
            "b": {"1 % faster": Likeness(0.1, False)},
            "c": {},
        }
    )
    faster, later = found["1 % faster"], found["1.5 s later"]
    assert (faster.found, faster.n, faster.lowest, faster.missed) == (1, 2, 0.1, ("b",))
    assert (later.found, later.n, later.lowest, later.missed) == (1, 1, 0.9, ())
    assert set(found) == {"1 % faster", "1.5 s later"}


def test_a_pair_that_shares_a_recording_is_not_false() -> None:
    found = fingerprints.pairs(
        [
            ("a_1", "full_a_1", Likeness(0.6, True)),
            ("a_1", "b_1", Likeness(0.5, True)),
            ("a_1", "c_1", Likeness(0.1, False)),
        ]
    )
    assert found.n == 2
    assert found.false == (("a_1", "b_1"),)
    assert (found.highest, found.highest_pair) == (0.5, ("a_1", "b_1"))
    assert found.related == {("a_1", "full_a_1"): True}
    assert fingerprints.pairs([]).highest_pair is None
