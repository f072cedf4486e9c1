"""The backing makes room for the voice, band by band, and only while it sings."""

from __future__ import annotations

import numpy as np
import pytest

from processor.mashup.ducking import Samples, apply_gains, duck_gains, ducked
from processor.mashup.plan import Duck
from tests.signals import RATE, amplitude, constant, db, joined, noise, silence, sine, stereo

DUCK = Duck(depth_db=4.0, low_hz=250.0, high_hz=8000.0, attack_s=0.018, release_s=0.2)


def level_db(samples: Samples, start_s: float, end_s: float, rate: int = RATE) -> float:
    part = samples[:, round(start_s * rate) : round(end_s * rate)].astype(np.float64)
    return db(float(np.sqrt((part**2).mean())))


def change_db(after: Samples, before: Samples, start_s: float, end_s: float, rate: int = RATE) -> float:
    return level_db(after, start_s, end_s, rate) - level_db(before, start_s, end_s, rate)


def voice_at(start_s: float, end_s: float, seconds: float, dbfs: float = -20.0) -> Samples:
    """A tone of 1 kHz for some of the time."""
    tone = sine(1000.0, end_s - start_s, dbfs, channels=2)
    return joined(silence(start_s, channels=2), tone, silence(seconds - end_s, channels=2))[:, : round(seconds * RATE)]


def test_only_the_bands_of_the_voice_give_way_and_only_while_it_sings() -> None:
    voice = voice_at(1.0, 2.5, 4.0)
    for hz, dip_db in ((1000.0, -4.0), (100.0, 0.0), (4000.0, 0.0)):
        # The voice is masked by a tone of its own pitch; the other tones are in a backing that has it, too.
        backing = sine(1000.0, 4.0, -20.0, channels=2) + sine(hz, 4.0, -20.0, channels=2)
        gains = duck_gains(backing, voice, RATE, DUCK)
        alone = sine(hz, 4.0, -20.0, channels=2)
        after = apply_gains(alone, gains)
        assert change_db(after, alone, 1.3, 2.4) == pytest.approx(dip_db, abs=0.2)
        assert np.array_equal(after[:, : round(0.9 * RATE)], alone[:, : round(0.9 * RATE)])
        assert change_db(after, alone, 3.7, 4.0) == pytest.approx(0.0, abs=0.03)


def test_a_backing_that_nobody_sings_over_is_the_same_to_the_last_bit() -> None:
    backing = noise(1.0, channels=2)
    assert np.array_equal(ducked(backing, silence(1.0, channels=2), RATE, DUCK), backing)
    assert np.array_equal(ducked(backing, silence(0.0, channels=2), RATE, DUCK), backing)


def test_dips_of_nothing_change_nothing_and_dips_everywhere_are_a_gain() -> None:
    backing = noise(1.0, channels=2)
    gains = duck_gains(backing, noise(1.0, seed=1, channels=2), RATE, DUCK)
    none = type(gains)(np.zeros_like(gains.dips_db), gains.shapes, gains.hop)
    assert np.array_equal(apply_gains(backing, none), backing)
    even = np.full_like(gains.shapes, 1 / len(gains.shapes))
    everywhere = type(gains)(np.full_like(gains.dips_db, 4.0), even, gains.hop)
    error = apply_gains(backing, everywhere) - backing * np.float32(amplitude(-4.0))
    assert level_db(error, 0.0, 1.0) - level_db(backing, 0.0, 1.0) < -120.0


def test_bass_stays_where_it_is() -> None:
    bass = sine(60.0, 2.0, -10.0, channels=2)
    after = ducked(bass + noise(2.0, channels=2), noise(2.0, -20.0, seed=1, channels=2), RATE, DUCK)
    before = bass + noise(2.0, channels=2)
    spectrum = np.abs(np.fft.rfft(after - before)) / np.abs(np.fft.rfft(before)).max()
    assert spectrum[:, : 2 * 150].max() < amplitude(-60.0)  # below 150 Hz; the main lobe of a frame ends there


def test_layers_still_add_up() -> None:
    layers = [noise(1.0, -20.0, seed=seed, channels=2) for seed in range(3)]
    gains = duck_gains(sum(layers[1:], layers[0]), noise(1.0, seed=9, channels=2), RATE, DUCK)
    apart = sum((apply_gains(one, gains) for one in layers[1:]), apply_gains(layers[0], gains))
    together = apply_gains(sum(layers[1:], layers[0]), gains)
    assert level_db(apart - together, 0.0, 1.0) < -130.0


def test_no_band_is_turned_up_nor_deeper_than_asked() -> None:
    voice, backing = noise(2.0, -23.0, seed=1, channels=2), noise(2.0, -20.0, channels=2)
    gains = duck_gains(backing, voice, RATE, DUCK)
    assert gains.dips_db.min() >= 0
    assert gains.dips_db.max() <= DUCK.depth_db + 1e-4
    assert gains.dips_db.max() > DUCK.depth_db - 0.5
    assert gains.shapes.sum(axis=0).max() <= 1 + 1e-5


@pytest.mark.parametrize(("over_db", "dip_db"), [(12.0, 0.0), (4.0, 2.0), (0.0, 4.0), (-30.0, 0.0)])
def test_a_dip_gives_what_the_voice_lacks(over_db: float, dip_db: float) -> None:
    backing, voice = sine(1000.0, 2.0, -20.0, channels=2), sine(1000.0, 2.0, -20.0 + over_db, channels=2)
    after = ducked(backing, voice, RATE, DUCK)
    assert change_db(after, backing, 0.5, 1.5) == pytest.approx(-dip_db, abs=0.3)


@pytest.mark.parametrize(("attack_s", "release_s"), [(0.018, 0.2), (0.1, 0.5)])
def test_attack_and_release_take_their_time(attack_s: float, release_s: float) -> None:
    backing = sine(1000.0, 5.0, -20.0, channels=2)
    duck = Duck(4.0, 250.0, 8000.0, attack_s, release_s)
    after = ducked(backing, voice_at(1.0, 3.0, 5.0), RATE, duck)
    # Level of each 2 ms, two periods of the tone.
    steps = np.sqrt((after[0].reshape(-1, 96).astype(np.float64) ** 2).mean(axis=1))
    dip = 20 * np.log10(steps / steps[:100].mean())
    # From a tenth of the way to 1 − 1/e of it a time constant takes 0.895 of itself, wherever it began.
    fell = (np.argmax(dip < -4.0 * (1 - np.exp(-1))) - np.argmax(dip < -0.4)) * 0.002 / 0.895
    back = (np.argmax(dip[1500:] > -4.0 * np.exp(-1)) - np.argmax(dip[1500:] > -3.6)) * 0.002 / 0.895
    assert fell == pytest.approx(attack_s, rel=0.3)
    assert back == pytest.approx(release_s, rel=0.3)
    # Seen from the word: a frame sees it before it begins, and a little after it ends.
    assert np.argmax(dip < -4.0 * (1 - np.exp(-1))) * 0.002 - 1.0 == pytest.approx(attack_s, rel=0.3, abs=0.01)
    assert np.abs(dip[: 500 - 12]).max() < 0.05  # nothing 24 ms before the word


def test_drums_do_not_move_the_dips() -> None:
    hits = np.zeros((2, 4 * RATE), np.float32)
    for start in range(0, 4 * RATE, RATE // 2):
        hits[:, start : start + 2400] = noise(0.05, -8.0, seed=3, channels=2) * np.linspace(
            1, 0, 2400, dtype=np.float32
        )
    backing = noise(4.0, -26.0, channels=2) + hits
    gains = duck_gains(backing, noise(4.0, -22.0, seed=1, channels=2), RATE, DUCK)
    over_time = gains.dips_db[200:-200, 8:20].mean(axis=1)
    assert over_time.max() - over_time.min() < 1.0


@pytest.mark.parametrize("rate", [8000, 11_025, 44_100, 96_000, 192_000])
def test_any_rate(rate: int) -> None:
    backing, voice = sine(1000.0, 1.0, -20.0, rate=rate, channels=2), sine(1000.0, 1.0, -20.0, rate=rate, channels=2)
    assert change_db(ducked(backing, voice, rate, DUCK), backing, 0.3, 0.7, rate) == pytest.approx(-4.0, abs=0.2)


@pytest.mark.parametrize("frames", [0, 1, 2, 479, 513])
def test_short_sounds(frames: int) -> None:
    backing, voice = noise(1.0, channels=2)[:, :frames], noise(1.0, seed=1, channels=2)[:, :frames]
    after = ducked(backing, voice, RATE, DUCK)
    assert after.shape == backing.shape
    assert np.isfinite(after).all()


def test_a_voice_longer_or_shorter_than_the_backing() -> None:
    backing = noise(1.0, channels=2)
    for seconds in (0.3, 2.0):
        assert ducked(backing, noise(seconds, seed=1, channels=2), RATE, DUCK).shape == backing.shape


def test_channels_have_one_gain() -> None:
    left, right = noise(1.0, -20.0), noise(1.0, -40.0, seed=5)
    voice = noise(1.0, -20.0, seed=1)
    after = ducked(stereo(left, right), stereo(voice, silence(1.0)), RATE, DUCK)
    swapped = ducked(stereo(right, left), stereo(silence(1.0), voice), RATE, DUCK)
    assert np.allclose(after[::-1], swapped, atol=1e-6)


@pytest.mark.parametrize(
    "duck",
    [
        Duck(0.0, 250.0, 8000.0, 0.018, 0.2),
        Duck(4.0, 8000.0, 250.0, 0.018, 0.2),
        Duck(4.0, 30_000.0, 40_000.0, 0.018, 0.2),
        Duck(-4.0, 250.0, 8000.0, 0.018, 0.2),
    ],
)
def test_a_duck_that_asks_for_nothing(duck: Duck) -> None:
    backing = noise(0.5, channels=2)
    assert np.array_equal(ducked(backing, noise(0.5, seed=1, channels=2), RATE, duck), backing)


def test_times_of_nought_and_the_widest_bands() -> None:
    backing = constant(0.5, 0.5, channels=2)
    after = ducked(backing, noise(0.5, channels=2), RATE, Duck(60.0, 0.0, 1e9, 0.0, 0.0))
    assert np.isfinite(after).all()
    assert np.abs(after).max() < 0.6


def test_the_same_twice() -> None:
    backing, voice = noise(1.0, channels=2), noise(1.0, seed=1, channels=2)
    assert np.array_equal(ducked(backing, voice, RATE, DUCK), ducked(backing, voice, RATE, DUCK))
