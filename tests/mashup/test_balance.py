"""How loud, how dark and how deep: what a plan says of levels and tone."""

from __future__ import annotations

import numpy as np
import pytest

from processor.analysis.bands import third_octaves_hz
from processor.feedback.equaliser import LOW_SHELF, response_db
from processor.feedback.genres import GENERAL, genres
from processor.mashup.balance import (
    DUCK_DB,
    MOST_BANDS,
    MOST_GAIN_DB,
    MOST_Q,
    MOST_TILT_DB,
    RUMBLE,
    SECTION_DB,
    VOCAL_TO_BACKING_LU,
    VOICE_DB,
    VOICE_HZ,
    band_ratios_db,
    default_duck,
    gate_below_lufs,
    ratio_lu,
    section_gains,
    tilt_bands,
)
from processor.mashup.curves import step_powers
from processor.mashup.listening import Backing, Layer, Voice
from tests.signals import RATE, joined, noise, silence, sine, song

CENTRES = third_octaves_hz(RATE)
SECONDS = 20.0


def curve(hz: np.ndarray, db: np.ndarray) -> np.ndarray:
    """A spectrum over all third-octaves; beyond what is given it goes on falling by 6 dB each."""
    found = np.interp(np.log(CENTRES), np.log(hz), db)
    away = np.log10(CENTRES / np.clip(CENTRES, hz[0], hz[-1]))
    return found - 60 * np.abs(away)


VOICE = curve(VOICE_HZ, VOICE_DB)
MIX = curve(
    *(np.array(one) for one in (genres()[GENERAL].profile.centres_hz, genres()[GENERAL].profile.tone_middle_db))
)


def layer(levels_db: np.ndarray, lufs: float = -20.0, sample_rate: int = RATE) -> Layer:
    """A sound with one spectrum throughout; what is below 100 Hz hardly counts for its loudness."""
    steps = round(SECONDS * 10)
    levels_db = levels_db - 10 * np.log10((10 ** (levels_db / 10))[CENTRES > 100].sum())
    power = np.full(steps, 10 ** ((lufs + 0.691) / 10))
    levels = np.tile((levels_db + lufs).astype(np.float32), (steps, 1))
    empty, chroma = np.zeros(1, np.float32), np.zeros((1, 12), np.float32)
    return Layer(sample_rate, SECONDS, power, levels, CENTRES, empty, chroma, 100.0, 10.0, None, None, None, "")


def voice(levels_db: np.ndarray = VOICE, bleed_lufs: float | None = None, lufs: float = -20.0) -> Voice:
    return Voice(layer(levels_db, lufs), (), (), bleed_lufs)


def backing(levels_db: np.ndarray = MIX, lufs: float = -14.0) -> Backing:
    return Backing(layer(levels_db, lufs), (), np.zeros((0, 2)), "")


def powers(*parts: tuple[float, float]) -> np.ndarray:
    return np.concatenate([np.full(round(10 * seconds), 10 ** (lufs / 10)) for lufs, seconds in parts])


def test_the_ratio_is_that_of_what_is_sung() -> None:
    vocals = powers((-20.0, 5.0), (-60.0, 5.0))
    assert ratio_lu(vocals, powers((-17.0, 5.0), (0.0, 5.0))) == pytest.approx(-3.0)
    assert ratio_lu(vocals, np.zeros(100)) is None
    assert ratio_lu(np.zeros(100), vocals) is None
    assert ratio_lu(np.zeros(0), np.zeros(0)) is None


def test_gains_put_every_section_at_the_ratio() -> None:
    stretches = [(powers((-20.0, 8.0)), powers((backing, 8.0))) for backing in (-16.0, -14.0, -15.0)]
    gains = section_gains(stretches, 1.0)
    assert gains == pytest.approx((5.0, 7.0, 6.0), abs=0.02)


def test_a_section_over_a_break_does_not_whisper() -> None:
    stretches = [(powers((-20.0, 8.0)), powers((backing, 8.0))) for backing in (-15.0, -15.0, -15.0, -40.0)]
    gains = section_gains(stretches, 0.0)
    assert gains[0] - gains[3] == pytest.approx(SECTION_DB, abs=0.02)
    vocals = np.concatenate([one * 10 ** (gain / 10) for gain, (one, _) in zip(gains, stretches, strict=True)])
    assert ratio_lu(vocals, np.concatenate([one for _, one in stretches])) == pytest.approx(0.0, abs=0.02)


def test_sections_without_a_sound() -> None:
    sung = (powers((-20.0, 8.0)), powers((-15.0, 8.0)))
    assert section_gains([]) == ()
    assert section_gains([(np.zeros(10), np.zeros(10))]) == (0.0,)
    gains = section_gains([sung, (np.zeros(80), powers((-15.0, 8.0))), (powers((-20.0, 8.0)), np.zeros(80))], 0.0)
    assert gains[0] == gains[1] == gains[2]
    assert section_gains([(powers((-60.0, 8.0)), powers((0.0, 8.0)))])[0] == MOST_GAIN_DB


def test_what_is_usual_is_left_alone() -> None:
    assert tilt_bands(voice(), backing()) == ((), ())


@pytest.mark.parametrize("gain_db", [-12.0, 12.0])
def test_a_tone_that_strays_comes_back_some_of_the_way(gain_db: float) -> None:
    strays = VOICE + gain_db * np.clip(np.log2(CENTRES / 2000), 0, 1)
    vocal, instrumental = tilt_bands(voice(strays), backing())
    assert instrumental == ()
    assert 0 < len(vocal) <= MOST_BANDS
    high = (CENTRES > 4000) & (CENTRES < 8000)
    middle = (CENTRES > 400) & (CENTRES < 1200)
    response = response_db(vocal, CENTRES, RATE)
    change = response[high].mean() - response[middle].mean()
    assert change * gain_db < 0
    assert 1.0 < abs(change) <= MOST_TILT_DB + 1.0
    assert all(abs(band.gain_db) <= MOST_TILT_DB and band.q <= MOST_Q for band in vocal)


def test_a_backing_with_a_hole_is_filled() -> None:
    strays = MIX - 10 * np.exp(-(np.log2(CENTRES / 1000) ** 2))
    vocal, instrumental = tilt_bands(voice(), backing(strays))
    assert vocal == ()
    assert len(instrumental) <= MOST_BANDS
    assert response_db(instrumental, CENTRES, RATE)[np.argmin(np.abs(CENTRES - 1000))] > 1.0


def test_a_note_is_no_tone() -> None:
    strays = VOICE.copy()
    strays[np.argmin(np.abs(CENTRES - 630))] += 8.0
    assert tilt_bands(voice(strays), backing())[0] == ()


def test_rumble_is_taken_off_the_vocals_where_there_is_some() -> None:
    strays = VOICE.copy()
    strays[CENTRES < 60] = -20.0
    vocal, _ = tilt_bands(voice(strays), backing())
    assert vocal == (RUMBLE,)
    assert RUMBLE.kind == LOW_SHELF
    # The lowest notes of men stay where they are.
    at = response_db(vocal, CENTRES, RATE)
    assert at[np.argmin(np.abs(CENTRES - 125))] > -1.0
    assert at[np.argmin(np.abs(CENTRES - 31.6))] < -9.0


def test_a_backing_that_leaves_room_is_not_turned_down() -> None:
    away = MIX.copy()
    away[(CENTRES > 700) & (CENTRES < 7000)] -= 30.0
    assert default_duck(voice(), backing(away)) is None


def test_the_more_it_covers_the_more_it_gives() -> None:
    usual = default_duck(voice(), backing())
    covering = default_duck(voice(), backing(MIX + 8 * ((CENTRES > 700) & (CENTRES < 7000))))
    assert usual is not None
    assert covering is not None
    assert DUCK_DB[0] <= usual.depth_db < covering.depth_db <= DUCK_DB[1]
    # Levels are set by gains, not by the duck.
    assert default_duck(voice(lufs=-40.0), backing(lufs=-5.0)) == usual


def test_the_gate_stands_between_bleed_and_song() -> None:
    assert gate_below_lufs(voice(bleed_lufs=None)) is None
    assert gate_below_lufs(voice(bleed_lufs=-50.0)) == -44.0
    assert gate_below_lufs(voice(bleed_lufs=-25.0)) == -30.0  # never up among the words


def test_silence_has_no_balance() -> None:
    quiet = np.full(CENTRES.size, -300.0)
    mute = Voice(layer(quiet, -200.0), (), (), None)
    nothing = Backing(layer(quiet, -200.0), (), np.zeros((0, 2)), "")
    for a, b in ((mute, nothing), (voice(), nothing), (mute, backing())):
        assert default_duck(a, b) is None
    assert tilt_bands(mute, nothing) == ((), ())
    assert gate_below_lufs(mute) is None


def test_sounds_of_no_length() -> None:
    empty = Layer(
        8000, 0.0, np.zeros(0), np.zeros((0, 5), np.float32), third_octaves_hz(8000)[:5], np.zeros(0, np.float32),
        np.zeros((0, 12), np.float32), 100.0, 10.0, None, None, None, "",
    )  # fmt: skip
    mute, nothing = Voice(empty, (), (), -50.0), Backing(empty, (), np.zeros((0, 2)), "")
    assert tilt_bands(mute, nothing) == ((), ())
    assert default_duck(mute, nothing) is None
    assert gate_below_lufs(mute) is None


def test_band_ratios_are_those_of_the_sung_moments() -> None:
    vocals = joined(noise(4.0, -20.0, channels=2), silence(4.0, channels=2))
    under = joined(noise(4.0, -26.0, seed=1, channels=2), noise(4.0, 0.0, seed=2, channels=2))
    found = band_ratios_db(vocals, under, RATE)
    assert len(found) == 6
    assert [one for one in found[1:] if one is not None] == pytest.approx([6.0] * 5, abs=0.6)


def test_a_band_has_its_own_ratio() -> None:
    under = sum((sine(hz, 4.0, -20.0, channels=2) for hz in (100.0, 3000.0)), sine(1000.0, 4.0, -20.0, channels=2))
    vocals = sine(1000.0, 4.0, -14.0, channels=2)
    found = band_ratios_db(vocals, under, RATE)
    assert found[3] == pytest.approx(6.0, abs=0.1)
    assert found[1] is None or found[1] < -40
    assert found[4] is None or found[4] < -30


@pytest.mark.parametrize("rate", [8000, 44_100, 192_000])
def test_band_ratios_at_any_rate(rate: int) -> None:
    vocals, under = noise(2.0, -20.0, rate=rate, channels=2), noise(2.0, -20.0, rate=rate, seed=1, channels=2)
    found = band_ratios_db(vocals, under, rate)
    assert found[3] == pytest.approx(0.0, abs=0.5)
    assert (found[5] is None) == (rate == 8000)


@pytest.mark.parametrize("frames", [0, 1, 700])
def test_band_ratios_of_next_to_nothing(frames: int) -> None:
    assert band_ratios_db(np.zeros((2, frames), np.float32), np.ones((2, frames), np.float32), RATE) == (None,) * 6


def test_a_song_over_itself_is_as_loud() -> None:
    power = step_powers(song(12.0), RATE)
    assert section_gains([(power, power)]) == (VOCAL_TO_BACKING_LU,)
