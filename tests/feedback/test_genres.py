"""Corridors of genres, and which of them a tag means."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from processor.analysis.bands import BAND_NAMES, SIX_BANDS_HZ
from processor.feedback.genres import GENERAL, genre_named, genres, plain_words
from processor.feedback.profiles import Profile
from processor.feedback.tone import CENTRES_HZ
from tests.feedback.spectra import GENERAL_PROFILE, PROFILES


def shares(profile: Profile) -> dict[str, float]:
    """Share of the power in the six bands of what lies in the middle of a profile."""
    centres, power = np.array(profile.centres_hz), 10 ** (np.array(profile.tone_middle_db) / 10)
    found = [power[(centres >= low) & (centres < high)].sum() / power.sum() for low, high in pairwise(SIX_BANDS_HZ)]
    return dict(zip(BAND_NAMES, found, strict=True))


def test_the_general_curve_is_that_of_hit_recordings() -> None:
    """Elowsson and Friberg 2017: power density re 200 Hz, mean of 12,345 recordings; −4.53 dB/oct from 100 Hz."""
    centres, levels = np.array(CENTRES_HZ), np.array(GENERAL_PROFILE.tone_middle_db)
    density = levels - 10 * np.log10(centres / 200)
    density -= np.interp(np.log(200), np.log(centres), density)
    known = {50: 2.1, 100: 1.7, 500: -4.3, 1000: -9.0, 2000: -15.1, 4000: -22.5, 8000: -31.2}
    for hz, level in known.items():
        assert np.interp(np.log(hz), np.log(centres), density) == pytest.approx(level, abs=0.15)
    inside = (centres > 99) & (centres < 4010)
    assert np.polyfit(np.log2(centres[inside]), density[inside], 1)[0] == pytest.approx(-4.53, abs=0.2)


def test_the_general_shares_of_the_six_bands_are_those_of_pop() -> None:
    known = {"sub": 0.07, "bass": 0.37, "low_mids": 0.22, "mids": 0.28, "high_mids": 0.06, "air": 0.01}
    assert shares(GENERAL_PROFILE) == pytest.approx(known, abs=0.05)


@pytest.mark.parametrize(
    ("name", "share"),
    {"electronic": 0.81, "techno": 0.89, "drum-and-bass": 0.81, "house": 0.84, "trance": 0.84, "dubstep": 0.76}.items(),
)
def test_bass_heavy_genres_have_the_share_of_bass_that_is_known(name: str, share: float) -> None:
    found = shares(PROFILES[name])
    assert found["sub"] + found["bass"] == pytest.approx(share, abs=0.02)


def test_there_are_corridors_of_many_genres() -> None:
    assert len(PROFILES) >= 17
    assert next(iter(PROFILES)) == GENERAL
    named = {"pop", "rock", "metal", "hip-hop", "rnb", "electronic", "house", "techno", "trance", "drum-and-bass"}
    named |= {"dubstep", "ambient", "jazz", "classical", "folk", "country", "reggae", "latin", "lo-fi", "soundtrack"}
    assert named | {"singer-songwriter"} <= set(PROFILES)


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_sound(name: str) -> None:
    one = PROFILES[name]
    assert one.name == name
    assert one.confidence in {"primary", "second-hand", "inferred"}
    assert "inferred" in one.source
    assert "2026" in one.source
    assert one.centres_hz == CENTRES_HZ
    low, middle, high = (np.array(curve) for curve in (one.tone_low_db, one.tone_middle_db, one.tone_high_db))
    assert (middle - low > 2).all()
    assert (high - middle > 2).all()
    width = high - low  # widest in the bass and at the top
    assert width[:4].min() > 1.8 * width[16]
    assert width[-1] > 1.8 * width[16]
    five = {"loudness.integrated_lufs", "levels.dr", "loudness.range_lu", "loudness.plr_db", "stereo.width"}
    assert set(one.ranges) == five
    for corridor in one.ranges.values():
        assert corridor.low < corridor.middle < corridor.high
    assert -30 < one.ranges["loudness.integrated_lufs"].low < one.ranges["loudness.integrated_lufs"].high < -3
    # What is as loud as that with such peaks ends about at full scale.
    assert abs(one.ranges["loudness.integrated_lufs"].middle + one.ranges["loudness.plr_db"].middle) <= 3


def test_loud_genres_are_louder_and_denser() -> None:
    for quiet, loud in (("classical", "jazz"), ("jazz", "folk"), ("folk", "pop"), ("pop", "drum-and-bass")):
        for field, order in (("loudness.integrated_lufs", -1), ("levels.dr", 1), ("loudness.plr_db", 1)):
            assert order * PROFILES[quiet].ranges[field].middle > order * PROFILES[loud].ranges[field].middle


def test_no_name_means_two_genres() -> None:
    for named in ([a for g in genres().values() for a in g.aliases], [n for g in genres().values() for n in g.id3]):
        assert [one for one, count in Counter(named).items() if count > 1] == []
    for genre in genres().values():
        assert all(alias == plain_words(alias) for alias in genre.aliases)
        assert all(0 <= number <= 191 for number in genre.id3)


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("Techno", "techno"),
        ("Drum'n'Bass", "drum-and-bass"),
        ("DnB", "drum-and-bass"),
        ("Drum & Bass", "drum-and-bass"),
        ("drum and bass", "drum-and-bass"),
        ("Hip Hop/Rap", "hip-hop"),
        ("Hip-Hop", "hip-hop"),
        ("Electronica", "electronic"),
        ("R&B/Soul", "rnb"),
        ("Singer/Songwriter", "singer-songwriter"),
        ("Electronic / Techno", "techno"),
        ("Jazz; Techno", "jazz"),
        ("Melodic Techno 2026", "techno"),
        ("Folk Metal", "metal"),
        ("Lo-Fi Hip Hop", "lo-fi"),
        ("Deep House", "house"),
        ("Bossa Nova", "latin"),
        ("Cumbia Ñandú", "latin"),
        ("rock & roll", "rock"),
        ("(17)", "rock"),
        ("17", "rock"),
        (" 18 ", "techno"),
        ("(51)(39)", "techno"),
        ("(4)Eurodisco", "funk"),
        ("(17)Metal", "metal"),
        ("House (2)", "house"),
        ("(255)", None),
        ("Other", None),
        ("日本", None),
        ("", None),
        ("\0\x1b[31m", None),
        ("bassoon", None),
    ],
)
def test_a_messy_tag_means_a_genre(tag: str, name: str | None) -> None:
    assert genre_named(tag) == name


def test_a_hostile_tag_costs_nothing() -> None:
    assert genre_named("a " * 1_000_000) is None
    assert genre_named("/" * 1_000_000 + "techno") is None
    assert genre_named("(1)" * 1000 + "9" * 4000) == "rock"
