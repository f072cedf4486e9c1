"""Which profile a track is measured against, and what a workspace's settings make of profiles."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from processor.config import CONFIG_NAME, Settings, load_settings
from processor.errors import WrongUsage
from processor.feedback.profiles import Corridor, all_profiles, choose_profile
from processor.feedback.tone import CENTRES_HZ
from tests.feedback.spectra import PROFILES


def chosen(
    said: dict[str, Any], tag: str | None, settings: Settings | None = None, profiles: Any = None
) -> tuple[str, str]:
    settings = settings or Settings()
    results = {"metadata": SimpleNamespace(genre=tag)}
    profile, why = choose_profile(results, said, settings, profiles or all_profiles(settings))
    return profile.name, why


def with_settings(home: Path, text: str) -> Settings:
    (home / CONFIG_NAME).write_text(text, encoding="utf-8")
    return load_settings(home, {})


def test_a_person_s_word_comes_before_the_tag(tmp_path: Path) -> None:
    assert chosen({"genre": "techno"}, "Jazz") == ("techno", "your word: techno")
    assert chosen({}, "Jazz") == ("jazz", "tag: Jazz")
    assert chosen({}, None) == ("general", "general: no genre known")
    settings = with_settings(tmp_path, '[desk]\nprofile = "metal"\n')
    assert chosen({"genre": "techno"}, "Jazz", settings) == ("metal", "the settings' word for all tracks")


def test_a_word_that_is_no_genre_of_ours_is_told() -> None:
    assert chosen({"genre": "gqom!"}, None)[0] == "house"
    assert chosen({"genre": "zzz"}, "Jazz") == ("general", "general: no profile for your word “zzz”")
    assert chosen({}, "\x1b" + "z" * 99) == ("general", f"general: no profile for the tag “\ufffd{'z' * 59}”")


def test_without_metadata_it_is_general() -> None:
    assert choose_profile({}, {}, Settings(), PROFILES)[0].name == "general"


def test_a_genre_may_be_one_of_a_person_s_own(tmp_path: Path) -> None:
    settings = with_settings(tmp_path, '[profiles.my-kind]\naliases = ["Zeuhl & Co"]\n')
    assert chosen({"genre": "My Kind"}, None, settings) == ("my-kind", "your word: My Kind")
    assert chosen({}, "zeuhl and co", settings)[0] == "my-kind"
    over = with_settings(tmp_path, '[profiles.techno]\naliases = ["jazz"]\n')
    assert chosen({}, "Jazz", over)[0] == "techno"


def test_a_table_changes_a_profile_of_ours(tmp_path: Path) -> None:
    text = '[profiles.techno]\nspread = 0.5\n[profiles.techno.ranges]\n"loudness.integrated_lufs" = [-9, -8, -7]\n'
    found = all_profiles(with_settings(tmp_path, text))["techno"]
    ours = PROFILES["techno"]
    assert found.title == "Techno"
    assert found.confidence == "a person's word"
    assert found.ranges == ours.ranges | {"loudness.integrated_lufs": Corridor(-9, -8, -7)}
    assert found.tone_middle_db == ours.tone_middle_db
    for low, middle, high in zip(found.tone_low_db, ours.tone_middle_db, ours.tone_high_db, strict=True):
        assert middle - low == pytest.approx((high - middle) / 2, abs=0.021)


def test_a_table_makes_a_profile(tmp_path: Path) -> None:
    text = '[profiles.gqom]\ntitle = "Gqom"\nbase = "house"\noffsets_db = { sub = 3, air = -1 }\n'
    found = all_profiles(with_settings(tmp_path, text))["gqom"]
    house = PROFILES["house"]
    assert (found.title, found.ranges) == ("Gqom", house.ranges)
    moved = np.array(found.tone_middle_db) - np.array(house.tone_middle_db)
    assert moved[0] == pytest.approx(3, abs=0.01)  # in full under the middle of sub at 35 Hz
    assert moved[-1] == pytest.approx(-1, abs=0.01)
    assert moved[CENTRES_HZ.index(1000.0)] == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[desk]\nprofile = "tecno"\n', ["desk.profile", "no profile `tecno`", "did you mean `techno`?"]),
        ('[profiles.mine]\nbase = "tecno"\n', ["profiles.mine.base", "did you mean `techno`?"]),
        ("[profiles.mine]\noffsets_db = { low = 3 }\n", ["profiles.mine", "no band `low`", "low_mids"]),
        ("[profiles.mine]\noffsets_db = { sub = 25 }\n", ["profiles.mine", "25 dB"]),
        ("[profiles.mine]\nspread = 0.1\n", ["profiles.mine", "0.1", "between 0.2 and 4"]),
        ("[profiles.mine]\nspread = 4.1\n", ["profiles.mine", "4.1"]),
        (
            '[profiles.mine]\nranges = { "loudness.integrated_luf" = [1, 2, 3] }\n',
            ["profiles.mine.ranges", "`loudness.integrated_luf`", "did you mean `loudness.integrated_lufs`?"],
        ),
        ('[profiles.mine]\nranges = { "x" = [1, 2, 3] }\n', ["no number `x`"]),
        ('[profiles.mine]\nranges = { "levels.dr" = [3, 2, 1] }\n', ["ranges", "[low, middle, high]"]),
        ('[profiles.mine]\nranges = { "levels.dr" = [1, 2] }\n', ["ranges", "[low, middle, high]"]),
        ("[profiles.mine]\noffsets_db = { sub = '3' }\n", ["offsets_db", "a table of numbers"]),
        ("[profiles.mine]\noffset_db = { sub = 3 }\n", ["`offset_db`", "did you mean `offsets_db`?"]),
        ("[profiles.-]\n", ["profiles.-", "a to z"]),
    ],
)
def test_what_makes_no_profile_is_named(text: str, words: list[str], tmp_path: Path) -> None:
    with pytest.raises(WrongUsage) as caught:
        all_profiles(with_settings(tmp_path, text))
    for part in words:
        assert part in str(caught.value)
