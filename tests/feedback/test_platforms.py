"""What platforms do to a mix: gain, limiter, coding."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from processor.config import CONFIG_NAME, Settings, load_settings
from processor.errors import WrongUsage
from processor.feedback.platforms import Outcome, Platform, all_platforms, outcome

PLATFORMS = all_platforms(Settings())


@dataclass(frozen=True)
class Coding:
    """The fields of the analyser that codes the loudest passages."""

    aac_dbtp: float | None = None
    opus_dbtp: float | None = None
    vorbis_dbtp: float | None = None


def played(
    name: str, lufs: float | None, peak: float | None = -1.0, sample_peak: float | None = None, **coding: float
) -> Outcome:
    loudness = SimpleNamespace(
        integrated_lufs=lufs, true_peak_dbtp=peak, sample_peak_dbfs=peak if sample_peak is None else sample_peak
    )
    results: dict[str, Any] = {"loudness": loudness}
    return outcome(results | ({"coding": Coding(**coding)} if coding else {}), PLATFORMS[name])


def settings(home: Path, text: str) -> Settings:
    (home / CONFIG_NAME).write_text(text, encoding="utf-8")
    return load_settings(home, {})


def test_the_table_is_the_one_that_we_have_sources_for() -> None:
    """FACTS of the platforms, 2026-11."""
    targets = {name: (one.target_lufs, one.ceiling_dbtp) for name, one in PLATFORMS.items()}
    assert targets == {
        "spotify": (-14, -1),
        "spotify-loud": (-11, -1),
        "spotify-quiet": (-19, -1),
        "apple-music": (-16, -1),
        "youtube": (-14, -1),
        "tidal": (-14, -1),
        "deezer": (-15, -1),
        "amazon-music": (-14, -1),
        "club": (None, -1),
        "ebu-r128": (-23, -1),
        "aes-td1008": (-16, -1),
    }


def test_every_platform_says_where_its_numbers_come_from() -> None:
    for one in PLATFORMS.values():
        assert one.confidence in {"primary", "second-hand", "inferred"}
        assert one.dated.startswith("20")
        assert one.source
        assert one.unit in {"track", "album"}
        assert set(one.codecs) <= {name.removesuffix("_dbtp") for name in (f.name for f in fields(Coding))}


def test_loud_music_is_turned_down_everywhere() -> None:
    for name, one in PLATFORMS.items():
        found = played(name, -6.0, peak=0.4)
        assert found.gain_db == (0.0 if one.target_lufs is None else one.target_lufs + 6.0)
        assert found.ends_at_lufs == pytest.approx(-6.0 if one.target_lufs is None else one.target_lufs)
        assert found.peak_dbtp == pytest.approx(0.4 + found.gain_db)
        assert (found.short_of_lu, found.limiter_db) == (0.0, 0.0)


def test_spotify_s_own_example() -> None:
    """A song of −20 LUFS with peaks at −5 dBTP becomes −16, because a boost leaves 1 dB of headroom."""
    found = played("spotify", -20.0, peak=-5.0)
    assert (found.gain_db, found.ends_at_lufs, found.peak_dbtp) == (4.0, -16.0, -1.0)
    assert found.short_of_lu == 2.0
    assert not found.is_limited


def test_a_boost_without_headroom_is_none_and_no_cut() -> None:
    found = played("spotify", -16.0, peak=0.5)
    assert (found.gain_db, found.ends_at_lufs, found.peak_dbtp, found.short_of_lu) == (0.0, -16.0, 0.5, 2.0)


def test_a_boost_goes_no_further_than_the_target() -> None:
    assert played("spotify", -16.0, peak=-9.0).gain_db == 2.0


@pytest.mark.parametrize("name", ["youtube", "tidal", "deezer", "amazon-music", "club"])
def test_quiet_music_stays_quiet_where_nothing_is_boosted(name: str) -> None:
    found = played(name, -24.0, peak=-12.0)
    assert (found.gain_db, found.ends_at_lufs, found.peak_dbtp) == (0.0, -24.0, -12.0)
    target = PLATFORMS[name].target_lufs
    assert found.short_of_lu == (0.0 if target is None else target + 24.0)


def test_the_loud_mode_boosts_into_its_limiter() -> None:
    found = played("spotify-loud", -16.0, peak=-2.0, sample_peak=-2.3)
    assert (found.gain_db, found.ends_at_lufs) == (5.0, -11.0)
    assert found.limiter_db == pytest.approx(3.7)  # −2.3 + 5 is 3.7 over −1
    assert found.peak_dbtp == pytest.approx(-0.7)
    assert found.is_limited


def test_the_limiter_rests_where_peaks_stay_under_it() -> None:
    found = played("spotify-loud", -16.0, peak=-6.5)
    assert (found.limiter_db, found.is_limited, found.peak_dbtp) == (0.0, False, -1.5)


def test_the_limiter_is_for_boosts_alone() -> None:
    assert not played("spotify-loud", -11.0, peak=0.8).is_limited
    assert not played("spotify-loud", -11.04, peak=0.8).is_limited  # a boost that nobody hears
    assert played("spotify-loud", -11.06, peak=0.8).is_limited


@pytest.mark.parametrize(("lufs", "ceiling"), [(-14.1, -1.0), (-14.0, -1.0), (-13.9, -2.0)])
def test_spotify_asks_for_more_room_of_loud_music(lufs: float, ceiling: float) -> None:
    found = played("spotify", lufs, peak=-1.2)
    assert found.ceiling_dbtp == ceiling
    assert found.over_ceiling_db == pytest.approx(0.8 if ceiling == -2 else 0.0)


def test_a_file_is_coded_as_delivered_and_turned_down_afterwards() -> None:
    """So it may clip in a decoder that counts in whole numbers, and not in one that hands on floats."""
    found = played("youtube", -8.0, peak=-0.2, opus_dbtp=1.1)
    [coded] = found.coded
    assert (coded.codec, coded.decoded_dbtp) == ("opus", 1.1)
    assert coded.played_dbtp == pytest.approx(-4.9)
    assert coded.clips_in_decoder
    assert not coded.clips
    assert not found.clips
    assert found.coded_peak_dbtp == {"opus": pytest.approx(-4.9)}


def test_without_gain_a_coded_peak_clips_where_it_is_played() -> None:
    found = played("club", -8.0, peak=-0.2, aac_dbtp=0.6)
    assert found.coded[0].clips
    assert found.clips
    assert not played("club", -8.0, peak=-0.2, aac_dbtp=0.0).clips
    assert not played("club", -8.0, peak=-0.2, aac_dbtp=0.0).coded[0].clips_in_decoder
    assert played("club", -8.0, peak=0.1).clips


def test_only_what_a_platform_codes_to_is_told() -> None:
    peaks = {"aac_dbtp": -0.5, "opus_dbtp": -0.4, "vorbis_dbtp": -0.3}
    assert [one.codec for one in played("spotify", -14.0, **peaks).coded] == ["vorbis", "aac"]
    assert played("ebu-r128", -14.0, **peaks).coded == ()
    assert played("spotify", -14.0, vorbis_dbtp=-0.3).coded_peak_dbtp == {"vorbis": -0.3}


@pytest.mark.parametrize("results", [{}, {"loudness": None}])
def test_of_nothing_nothing_is_said(results: dict[str, Any]) -> None:
    found = outcome(results, PLATFORMS["spotify"])
    told = (found.gain_db, found.ends_at_lufs, found.short_of_lu, found.peak_dbtp, found.limiter_db)
    assert told == (None,) * 5
    assert (found.over_ceiling_db, found.coded, found.clips, found.is_limited) == (None, (), False, False)


@pytest.mark.parametrize("name", PLATFORMS)
def test_silence_has_no_outcome(name: str) -> None:
    found = played(name, None, peak=None, aac_dbtp=-90.0)
    assert (found.gain_db, found.ends_at_lufs, found.peak_dbtp, found.coded) == (None, None, None, ())


def test_a_person_changes_a_number_and_the_rest_stays(tmp_path: Path) -> None:
    found = all_platforms(settings(tmp_path, "[platforms.spotify]\ntarget_lufs = -13\n"))
    ours = PLATFORMS["spotify"]
    assert found["spotify"] == replace(
        ours, target_lufs=-13, dated="", confidence="a person's word", source="this workspace's settings"
    )
    assert {name: one for name, one in found.items() if name != "spotify"} == {
        name: one for name, one in PLATFORMS.items() if name != "spotify"
    }


def test_another_title_leaves_the_source(tmp_path: Path) -> None:
    found = all_platforms(settings(tmp_path, '[platforms.club]\ntitle = "The dive"\n'))
    assert found["club"] == replace(PLATFORMS["club"], title="The dive")


def test_a_person_adds_a_platform(tmp_path: Path) -> None:
    text = '[platforms.my-radio]\ntitle = "My radio"\ntarget_lufs = -23\nboosts = true\nceiling_dbtp = -3\n'
    found = all_platforms(settings(tmp_path, f'{text}codecs = ["aac"]\n[desk]\ntarget = "my-radio"\n'))
    assert found["my-radio"] == Platform(
        "my-radio",
        "My radio",
        -23,
        True,
        None,
        -3,
        ("aac",),
        "",
        "a person's word",
        "this workspace's settings",
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[platforms.radio]\nceiling_dbtp = -1\n", ["[platforms.radio] lacks `title`"]),
        ('[platforms.radio]\ntitle = "Radio"\n', ["[platforms.radio] lacks `ceiling_dbtp`"]),
        ('[desk]\ntarget = "spotfy"\n', ["desk.target", "no platform `spotfy`", "did you mean `spotify`?"]),
        ('[desk]\ntarget = "zzz"\n', ["there are aes-td1008, amazon-music"]),
        ('[platforms.spotify]\nunit = "song"\n', ["platforms.spotify.unit", "`song`", "track, album"]),
        ('[platforms.spotify]\ncodecs = ["mp3"]\n', ["platforms.spotify.codecs", "`mp3`", "aac, opus, vorbis"]),
        ("[platforms.spotify]\nboost_headroom_db = -1\n", ["platforms.spotify.boost_headroom_db", "zero or more"]),
    ],
)
def test_what_makes_no_platform_is_named(text: str, words: list[str], tmp_path: Path) -> None:
    with pytest.raises(WrongUsage) as caught:
        all_platforms(settings(tmp_path, text))
    for part in words:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[platforms.spotify]\ntarget = -13\n", ["platforms.spotify", "`target`", "`target_lufs`?"]),
        ("[platforms.spotify]\ntarget_lufs = '-13'\n", ["platforms.spotify.target_lufs", "is not a number"]),
        ("[platforms.spotify]\ntarget_lufs = true\n", ["platforms.spotify.target_lufs", "is not a number"]),
        ("[platforms.spotify]\ntarget_lufs = nan\n", ["platforms.spotify.target_lufs", "is not a number"]),
        (f"[platforms.spotify]\ntarget_lufs = 1{'0' * 400}\n", ["platforms.spotify.target_lufs"]),
        ("[platforms.spotify]\nboosts = 1\n", ["platforms.spotify.boosts", "true or false"]),
        ("[platforms.spotify]\ncodecs = 'aac'\n", ["platforms.spotify.codecs", "a list of texts"]),
        ('[platforms.spotify]\ntitle = "a\\nb"\n', ["platforms.spotify.title", "one line"]),
        ("[platforms]\nspotify = 3\n", ["platforms.spotify is not a table"]),
        ('[platforms."My Radio"]\n', ["platforms.My Radio", "a to z"]),
    ],
)
def test_a_mistake_in_a_table_is_named_as_soon_as_it_is_read(text: str, words: list[str], tmp_path: Path) -> None:
    with pytest.raises(WrongUsage) as caught:
        settings(tmp_path, text)
    assert str(tmp_path / CONFIG_NAME) in str(caught.value)
    for part in words:
        assert part in str(caught.value)


def test_the_target_comes_from_the_environment_too(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {"LINERNOTES_DESK_TARGET": " youtube "}).desk.target == "youtube"
    assert load_settings(tmp_path, {}).desk == Settings().desk
    with pytest.raises(WrongUsage, match=r"desk\.target: 3 is not text"):
        settings(tmp_path, "[desk]\ntarget = 3\n")
