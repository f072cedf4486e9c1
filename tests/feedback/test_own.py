"""Corridors of tracks, and the files that keep them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processor.config import CONFIG_NAME, Settings, load_settings
from processor.errors import WrongUsage
from processor.feedback.own import read_profile, to_toml, write_profile
from processor.feedback.profiles import Corridor, all_profiles, choose_profile, profile_of, tone_deviation
from processor.feedback.tone import CENTRES_HZ
from processor.workspace import Workspace
from tests.feedback.spectra import GENERAL_PROFILE, PROFILES, spectrum_of, track


def test_one_reference_is_a_corridor() -> None:
    found = profile_of("one", "One", [track(hz_1000=4.0)], "one.wav")
    assert (found.name, found.title, found.confidence, found.source, found.tracks) == (
        "one",
        "One",
        "measured",
        "one.wav",
        1,
    )
    assert found.ranges == {
        "loudness.integrated_lufs": Corridor(-11, -10, -9),
        "loudness.range_lu": Corridor(3, 5, 7),
        "loudness.plr_db": Corridor(7.5, 9, 10.5),
        "loudness.psr_median_db": Corridor(8.5, 10, 11.5),
        "levels.dr": Corridor(6, 8, 10),
        "levels.crest_factor_db": Corridor(10.5, 12, 13.5),
        "spectrum.tilt_db_per_octave": Corridor(-5, -4.5, -4),
        "stereo.width": Corridor(10, 15, 20),
        "stereo.correlation": Corridor(0.5, 0.6, 0.7),
    }
    at = CENTRES_HZ.index(1000.0)
    assert found.tone_middle_db[at] == pytest.approx(GENERAL_PROFILE.tone_middle_db[at] + 4, abs=0.011)
    assert found.tone_middle_db[at + 1] == pytest.approx(GENERAL_PROFILE.tone_middle_db[at + 1], abs=0.011)
    half = np.array(GENERAL_PROFILE.tone_high_db) - np.array(GENERAL_PROFILE.tone_middle_db)
    middle = np.array(found.tone_middle_db)
    assert np.array(found.tone_high_db) - middle == pytest.approx(half / 2, abs=0.02)
    assert middle - np.array(found.tone_low_db) == pytest.approx(half / 2, abs=0.02)


def test_a_reference_lies_in_the_middle_of_its_own_corridor() -> None:
    one = track(hz_63=9.0, hz_400=-7.0, hz_8000=5.0)
    found = tone_deviation(one["spectrum"], profile_of("one", "One", [one], ""))
    assert found is not None
    assert np.abs(found.from_middle_db).max() < 0.02


def test_many_tracks_give_percentiles() -> None:
    tracks = [track(lufs=-20.0 + k, hz_1000=2.0 * k - 10) for k in range(11)]
    found = profile_of("many", "Many", tracks, "")
    assert found.tracks == 11
    assert found.ranges["loudness.integrated_lufs"] == Corridor(-19, -15, -11)
    at = CENTRES_HZ.index(1000.0)
    middle = GENERAL_PROFILE.tone_middle_db[at]
    curves = (found.tone_low_db[at], found.tone_middle_db[at], found.tone_high_db[at])
    assert curves == pytest.approx((middle - 8, middle, middle + 8), abs=0.02)
    assert found.ranges["levels.dr"] == Corridor(6, 8, 10)  # all alike: the least width


def test_how_loud_a_track_is_does_not_matter_to_tone() -> None:
    levels = (-50.0, -30.0, -10.0)
    found = profile_of("levels", "Levels", [track(level_db=level) for level in levels], "")
    assert found.tone_middle_db == pytest.approx(GENERAL_PROFILE.tone_middle_db, abs=0.02)


def test_tracks_far_from_general_are_brought_to_the_level_of_each_other() -> None:
    """With bass 20 dB over the rest, the level of a track is a matter of what it is compared with."""
    far = {f"hz_{hz:.0f}": 20.0 for hz in CENTRES_HZ[4:13]}
    tracks = [track(level_db=level, **far) for level in (-40.0, -20.0)]
    found = profile_of("far", "Far", tracks, "")
    half = np.array(GENERAL_PROFILE.tone_high_db) - np.array(GENERAL_PROFILE.tone_middle_db)
    width = np.array(found.tone_high_db) - np.array(found.tone_low_db)
    assert width == pytest.approx(half, abs=0.03)


def test_what_few_tracks_have_is_left_out() -> None:
    tracks = [track(lufs=None), track(lufs=None), track(lufs=-9.0, dr=None)]
    found = profile_of("few", "Few", tracks, "")
    assert "loudness.integrated_lufs" not in found.ranges
    assert found.ranges["levels.dr"].middle == 8
    half = profile_of("half", "Half", [track(lufs=None), track(lufs=-9.0)], "")
    assert half.ranges["loudness.integrated_lufs"] == Corridor(-10, -9, -8)


def test_third_octaves_that_few_tracks_have_are_left_out() -> None:
    cut = track()
    cut["spectrum"] = replace(cut["spectrum"], lossy_cutoff_hz=12_000.0)
    assert profile_of("cut", "Cut", [cut, cut, track()], "").centres_hz == CENTRES_HZ[:-2]
    assert profile_of("cut", "Cut", [cut, track()], "").centres_hz == CENTRES_HZ


def test_silence_makes_no_profile() -> None:
    silent: dict[str, Any] = {"spectrum": spectrum_of(np.full(31, np.nan))}
    for results in ([], [silent], [{}], [silent, {}]):
        with pytest.raises(WrongUsage, match="too little sounds"):
            profile_of("none", "None", results, "")
    assert profile_of("one", "One", [silent, track()], "").tracks == 1


def test_a_profile_survives_its_file(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    made = profile_of("mine", 'My "kind" \\ 日本', [track(lufs=-20.0 + k) for k in range(5)], "WHERE a = 'b'")
    path = write_profile(workspace, made)
    assert path == tmp_path / "library" / "profiles" / "mine.toml"
    assert read_profile(path) == made
    assert all_profiles(Settings(), workspace)["mine"] == made
    before = path.read_bytes()
    write_profile(workspace, made)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["mine.toml"]


def test_the_file_is_for_people() -> None:
    text = to_toml(profile_of("mine", "Mine", [track()], "one.wav"))
    assert 'title = "Mine"\nsource = "one.wav"\nconfidence = "measured"\ntracks = 1\n' in text
    assert '"loudness.integrated_lufs" = [-11, -10, -9]\n' in text
    assert '\n"31.5" = [' in text


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    made = profile_of("mine", 'a"\nb = 1\n\x7f\ud800\u202e', [track()], "x\u2028y")
    found = read_profile(write_profile(Workspace(tmp_path), made))
    assert (found.title, found.source) == ('a"\ufffdb = 1\ufffd\ufffd\ufffd\ufffd', "x\ufffdy")


def test_one_s_own_wins_over_ours(tmp_path: Path) -> None:
    made = profile_of("techno", "My techno", [track()], "")
    write_profile(Workspace(tmp_path), made)
    write_profile(Workspace(tmp_path), replace(made, source="again", name="techno"))
    found = all_profiles(Settings(), Workspace(tmp_path))
    assert found["techno"].title == "My techno"
    assert choose_profile({}, {"genre": "Techno"}, Settings(), found)[0] == found["techno"]
    write_profile(Workspace(tmp_path), replace(made, name="zeuhl"))
    again = all_profiles(Settings(), Workspace(tmp_path))
    assert choose_profile({}, {"genre": "Zeuhl"}, Settings(), again)[0].name == "zeuhl"


def test_a_table_may_build_on_a_profile_made_of_tracks(tmp_path: Path) -> None:
    write_profile(Workspace(tmp_path), profile_of("mine", "Mine", [track()], "one.wav"))
    (tmp_path / CONFIG_NAME).write_text('[profiles.wider]\nbase = "mine"\nspread = 2\n')
    settings = load_settings(tmp_path, {})
    found = all_profiles(settings, Workspace(tmp_path))
    assert found["wider"].tone_middle_db == found["mine"].tone_middle_db
    assert found["wider"].tone_high_db[0] > found["mine"].tone_high_db[0]


GOOD = 'title = "T"\nsource = "s"\nconfidence = "c"\ntracks = 2\n[ranges]\n[tone]\n"1000" = [-1, 0, 1]\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[", "is no profile"),
        (GOOD.replace('title = "T"', ""), "`title`"),
        (GOOD.replace('source = "s"', "source = 3"), "`source`"),
        (GOOD.replace("tracks = 2", "tracks = -1"), "`tracks`"),
        (GOOD.replace("tracks = 2", "tracks = 'x'"), "`tracks`"),
        (GOOD.replace("[-1, 0, 1]", "[-1, 0]"), '`tone."1000"`'),
        (GOOD.replace("[-1, 0, 1]", "[1, 0, -1]"), '`tone."1000"`'),
        (GOOD.replace("[-1, 0, 1]", "[nan, nan, nan]"), '`tone."1000"`'),
        (GOOD.replace('"1000"', '"1001"'), "`1001`"),
        (GOOD.replace('"1000" = [-1, 0, 1]', ""), "`tone` is empty"),
        (GOOD.replace("[ranges]", '[ranges]\n"levels.dr" = 3'), '`ranges."levels.dr"`'),
        (GOOD.replace("[ranges]\n[tone]", "ranges = 3\n[tone]"), "`ranges`"),
        (GOOD + "#" * 70_000, "larger than"),
        ("\ud800", "is no profile"),
    ],
)
def test_a_file_that_is_no_profile_is_named(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "library" / "profiles" / "bad.toml"
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(WrongUsage) as caught:
        all_profiles(Settings(), Workspace(tmp_path))
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_good_file_is_read_and_others_are_let_be(tmp_path: Path) -> None:
    folder = tmp_path / "library" / "profiles"
    folder.mkdir(parents=True)
    (folder / "good.toml").write_text(GOOD)
    (folder / ".good.toml.1.tmp").write_text("[[")
    (folder / "notes.txt").write_text("[[")
    (folder / "folder.toml").mkdir()
    found = set(all_profiles(Settings(), Workspace(tmp_path))) - set(PROFILES)
    assert found == {"good"}
    (folder / "My Kind.toml").write_text(GOOD)
    with pytest.raises(WrongUsage, match="a to z"):
        all_profiles(Settings(), Workspace(tmp_path))
