"""Phrases are brought nearer to each other, and nothing pumps."""

from __future__ import annotations

import numpy as np
import pytest

from processor.mashup.curves import step_powers, sung, to_lufs
from processor.mashup.levelling import MOST_DB, READY_S, SHARE, levelled, ride_gains_db
from tests.signals import RATE, amplitude, constant, db, joined, noise, silence, sine, song, tones


def phrases(*levels: float, seconds: float = 3.0, rest_s: float = 1.0) -> list[tuple[float | None, float]]:
    """Phrases of some levels with rests between them."""
    return [part for dbfs in levels for part in ((dbfs, seconds), (None, rest_s))]


def sung_lufs(samples: np.ndarray, start_s: float, end_s: float) -> float:
    return float(to_lufs(np.array([step_powers(samples, RATE)[round(100 * start_s) : round(100 * end_s)].mean()]))[0])


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000, 192_000])
def test_a_steady_tone_remains_steady(rate: int) -> None:
    vocals = tones([(None, 0.5), (-20.0, 4.0), (None, 0.5)], rate=rate)
    gains = ride_gains_db(step_powers(vocals, rate))
    assert np.abs(gains).max() < 0.03
    assert np.allclose(levelled(vocals, rate), vocals, atol=3e-4)


def test_phrases_come_nearer_to_their_middle() -> None:
    vocals = tones(phrases(-20.0, -26.0, -20.0, -14.0, -20.0))
    found = levelled(vocals, RATE)
    before = [sung_lufs(vocals, 4 * k + 0.2, 4 * k + 2.8) for k in range(5)]
    after = [sung_lufs(found, 4 * k + 0.2, 4 * k + 2.8) for k in range(5)]
    for k, away in ((1, -6.0), (3, 6.0)):
        assert before[k] - before[0] == pytest.approx(away, abs=0.1)
        assert after[k] - after[0] == pytest.approx((1 - SHARE) * away, abs=0.2)


def test_no_further_than_the_fader_goes() -> None:
    gains = ride_gains_db(step_powers(tones(phrases(-10.0, -10.0, -10.0, -28.0)), RATE))
    assert np.ptp(gains) == pytest.approx(MOST_DB, abs=0.05)  # from the middle, where three of four phrases lie


def test_the_whole_keeps_its_loudness() -> None:
    vocals = tones(phrases(-20.0, -26.0, -23.0, -14.0))
    before, after = (step_powers(one, RATE) for one in (vocals, levelled(vocals, RATE)))
    heard = sung(before)
    assert 10 * np.log10(after[heard].sum() / before[heard].sum()) == pytest.approx(0.0, abs=0.03)


def test_each_part_keeps_its_loudness() -> None:
    vocals = tones([*phrases(-20.0, -26.0), *phrases(-32.0, -30.0)])
    found = levelled(vocals, RATE, [(0.0, 8.0), (8.0, 16.0)])
    for start_s in (0.0, 8.0):
        assert sung_lufs(found, start_s, start_s + 8) == pytest.approx(
            sung_lufs(vocals, start_s, start_s + 8), abs=0.05
        )
    assert sung_lufs(found, 0, 3) - sung_lufs(found, 4, 7) == pytest.approx((1 - SHARE) * 6.0, abs=0.2)
    assert np.array_equal(levelled(vocals, RATE, [(20.0, 30.0)]), vocals)  # nothing of it is there


def test_in_rests_the_fader_stands_still() -> None:
    gains = ride_gains_db(step_powers(tones(phrases(-20.0, -26.0, seconds=3.0, rest_s=2.0)), RATE))
    rest = gains[310 : 500 - round(100 * READY_S) - 5]
    assert np.ptp(rest) < 1e-9
    assert abs(gains[505] - rest[0]) > 1.0  # and it has moved when the next phrase begins
    assert np.ptp(gains[505:780]) < 0.3
    assert np.ptp(gains[810:]) < 1e-9


def test_bleed_in_rests_is_not_raised() -> None:
    vocals = tones([(-14.0, 3.0), (-50.0, 3.0), (-14.0, 3.0)])
    gains = ride_gains_db(step_powers(vocals, RATE))
    assert np.abs(gains).max() < 0.1


def test_hits_and_beats_of_a_voice_survive() -> None:
    # Syllables four times a second: the fader must not follow them.
    time = np.arange(10 * RATE) / RATE
    syllables = (np.exp(-8 * (time % 0.25)) * np.interp(time, [0, 10], [0.5, 1.0])).astype(np.float32)
    vocals = syllables * noise(10.0, -14.0, channels=2)
    found = levelled(vocals, RATE)
    gains = ride_gains_db(step_powers(vocals, RATE))
    assert np.abs(np.diff(gains)).max() * 100 < 8.0  # dB a second
    for k in range(1, 9):
        span = slice(k * RATE, (k + 1) * RATE)
        crest = [db(float(np.abs(one[:, span]).max() / np.sqrt((one[:, span] ** 2).mean()))) for one in (vocals, found)]
        assert crest[1] == pytest.approx(crest[0], abs=0.2)


def test_pumping_has_nothing_to_show_on_a_song() -> None:
    gains = ride_gains_db(step_powers(song(12.0), RATE))
    assert np.abs(np.diff(gains)).max() * 100 < 10.0


def test_a_word_on_its_own_is_no_phrase() -> None:
    vocals = tones([(-14.0, 4.0), (None, 1.0), (-24.0, 0.2), (None, 1.0), (-14.0, 4.0)])
    gains = ride_gains_db(step_powers(vocals, RATE))
    assert np.abs(gains).max() < 0.1


@pytest.mark.parametrize("frames", [0, 1, 479, 5000])
def test_short_sounds_and_silence(frames: int) -> None:
    for samples in (constant(0.5, frames / RATE, channels=2), np.zeros((2, frames), np.float32)):
        found = levelled(samples, RATE)
        assert found.shape == samples.shape
        assert np.array_equal(found, samples)


def test_a_voice_on_one_channel() -> None:
    one = joined(sine(440.0, 3.0, -20.0), silence(1.0), sine(440.0, 3.0, -10.0), silence(1.0), sine(440.0, 3.0, -20.0))
    vocals = np.concatenate([one, np.zeros_like(one)])
    found = levelled(vocals, RATE)
    assert not found[1].any()
    assert np.abs(found[0]).max() < amplitude(-10.0)


def test_the_same_twice_and_the_input_as_it_was() -> None:
    vocals = tones(phrases(-20.0, -26.0))
    before = vocals.copy()
    assert np.array_equal(levelled(vocals, RATE), levelled(vocals, RATE))
    assert np.array_equal(vocals, before)
