"""What the player is told to draw: every column once, every mark where it belongs, and nothing that is not there."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from processor.analysis.waveform import MAX_COLUMNS, waveform
from processor.record import Record
from processor.site.media import Media, player_context
from processor.site.player import MAX_BEATS, MAX_SECTIONS, TINTS, USUAL_SHARES, Player, tints_of
from processor.site.rendering import environment
from tests.libraries import HOSTILE
from tests.signals import audio, noise

MEDIA = Media("../media/song-00000000.mp3", "audio/mpeg")


def wave(columns: int = 8, **changes: NDArray[np.float64]) -> Any:
    curves = {
        "highest": np.arange(columns, dtype=float),
        "lowest": -np.arange(columns, dtype=float) * 2,
        "low_share": np.full(columns, 630.0),
        "high_share": np.full(columns, 60.0),
    }
    return SimpleNamespace(waveform_peak_dbfs=-0.25, **{**curves, **changes})


def context(media: Media | None = MEDIA, duration_s: float = 100.0, **results: Any) -> Player:
    source = SimpleNamespace(duration_s=duration_s)
    return player_context(Record("track", "0" * 64, "song.wav", {"source": source, **results}), media)


def sections(*parts: tuple[float, float, str, str]) -> Any:
    return SimpleNamespace(
        intervals_s=np.array([part[:2] for part in parts], np.float64).reshape(-1, 2),
        labels=tuple(part[2] for part in parts),
        roles=tuple(part[3] for part in parts),
    )


def draw(player: Player) -> str:
    return environment().get_template("_player.html").render(player=player)


# The outline


def test_every_column_is_drawn_once_from_its_top_to_its_bottom() -> None:
    found = context(waveform=wave(8))
    drawn = re.findall(r"M(\d+) (\d+)v(\d+)", "".join(found.tints))
    assert sorted((int(x), int(y), int(h)) for x, y, h in drawn) == [(k, 100 - k, max(1, 3 * k)) for k in range(8)]


def test_usual_music_has_the_middle_colour_and_the_ends_are_bass_and_treble() -> None:
    low, _, high = USUAL_SHARES
    assert USUAL_SHARES.sum() == pytest.approx(1)
    assert tints_of(np.array([low, 1.0, 0.0, 0.0]), np.array([high, 0.0, 1.0, 0.0])).tolist() == [3, 0, TINTS - 1, 3]


def test_more_treble_is_never_a_darker_colour() -> None:
    high = np.linspace(0, 1, 200)
    assert (np.diff(tints_of((1 - high) / 2, high)) >= 0).all()


def test_the_largest_outline_stays_small() -> None:
    sound = audio(noise(10.0, channels=2))
    from processor.analysis.bands import bands

    found = waveform(sound, bands(sound))
    assert found.highest.size == MAX_COLUMNS
    assert len(draw(context(waveform=found))) < 40_000


@pytest.mark.parametrize(
    "broken", [np.zeros((2, 2)), np.full(8, np.nan), np.zeros(7), np.array([[1.0, 2.0]]), np.zeros(0)]
)
def test_an_outline_that_does_not_fit_is_left_out(broken: NDArray[np.float64]) -> None:
    found = context(waveform=wave(8, low_share=broken))
    assert (found.columns, set(found.tints)) == (0, {""})
    assert "<audio" in draw(found)


def test_a_record_with_nothing_in_it_has_an_empty_player() -> None:
    found = player_context(Record("track", "0" * 64, "song.wav"), None)
    assert (found.columns, found.blocks, found.times, found.beat_steps) == (0, (), (), "")
    assert draw(found).strip() == ""


# Marks


def test_clipped_columns_are_marked_and_neighbours_joined() -> None:
    clips = np.array([[10.0, 10.5], [20.1, 20.2], [60.0, 99.9]])
    found = context(waveform=wave(10), levels=SimpleNamespace(clipped_intervals_s=clips))
    assert found.clips == "M1 3h2M6 3h4"


def test_ten_thousand_clips_are_few_marks() -> None:
    starts = np.arange(10_000) / 100.0
    clips = np.stack([starts, starts + 0.001], axis=1)
    found = context(waveform=wave(1600), levels=SimpleNamespace(clipped_intervals_s=clips))
    assert 0 < len(found.clips) < 12_000


def test_beats_are_told_as_steps_that_add_up() -> None:
    beats = np.array([0.333, 0.999, 1.6649, 2.331, 250.0])
    found = context(beats=SimpleNamespace(beats_s=beats, downbeats_s=beats[:1]))
    steps = [int(step) for step in found.beat_steps.split()]
    assert np.cumsum(steps) / 100 == pytest.approx(beats[:4], abs=0.005)
    assert found.bar_steps == "33"


def test_so_many_beats_that_they_would_weigh_more_than_the_rest_are_left_out() -> None:
    beats = np.arange(MAX_BEATS + 1) / 100
    assert context(beats=SimpleNamespace(beats_s=beats, downbeats_s=beats)).beat_steps == ""


@pytest.mark.parametrize(("duration_s", "last"), [(0.5, "0:00"), (9.0, "0:08"), (236.0, "3:30"), (7200.0, "1:40:00")])
def test_the_time_axis_has_round_times_inside_the_track(duration_s: float, last: str) -> None:
    found = context(duration_s=duration_s, waveform=wave())
    assert found.times[0] == (0, "0:00")
    assert found.times[-1][1] == last
    assert len(found.times) <= 10
    assert all(0 <= at <= 97 for at, _ in found.times)


# Sections


def test_sections_stand_where_they_are_and_those_of_a_letter_look_alike() -> None:
    found = context(sections=sections((0, 20, "A", "intro"), (20, 60, "B", "section"), (60, 100, "A", "outro")))
    assert [(b.number, b.at, b.share, b.label, b.role) for b in found.blocks] == [
        (1, 0, 20, "A", "intro"),
        (2, 20, 40, "B", ""),
        (3, 60, 40, "A", "outro"),
    ]
    assert found.blocks[0].colour == found.blocks[2].colour != found.blocks[1].colour
    assert found.blocks[1].text == "2. B, 0:20 to 1:00"


def test_a_short_section_keeps_its_name_in_words_only() -> None:
    found = context(sections=sections((0, 0.5, "A", "intro"), (0.5, 4, "B", "outro"), (4, 100, "silence", "silence")))
    assert [(block.label, block.role) for block in found.blocks] == [("", ""), ("B", ""), ("silence", "")]
    assert "A intro" in found.blocks[0].text


@pytest.mark.parametrize(
    "broken",
    [
        SimpleNamespace(intervals_s=np.zeros(5), labels=("A", "B"), roles=("A", "B")),
        SimpleNamespace(intervals_s=np.array([[1.0, 2.0]]), labels=("A", "B"), roles=("A", "B")),
        SimpleNamespace(intervals_s=np.array([[0.0, np.nan]]), labels=("A",), roles=("A",)),
        sections(*[(k, k + 1.0, "A", "A") for k in range(MAX_SECTIONS + 1)]),
        sections(),
    ],
)
def test_sections_that_do_not_fit_are_left_out(broken: Any) -> None:
    assert context(sections=broken).blocks == ()


# The template


def test_without_a_script_everything_leads_to_the_sound() -> None:
    html = draw(context(waveform=wave(), sections=sections((0, 20, "A", "intro"), (20, 100, "B", ""))))
    assert '<audio controls preload="none" src="../media/song-00000000.mp3">' in html
    assert 'href="../media/song-00000000.mp3#t=20.0"' in html
    assert html.count("data-section=") == html.count("data-time=") == 2


def test_without_a_preview_nothing_can_be_clicked() -> None:
    html = draw(context(None, waveform=wave(), sections=sections((0, 100, "A", "intro"))))
    assert "no preview" in html
    assert not any(word in html for word in ("<audio", "<button", "<a ", "<dialog", "data-time"))


def test_it_says_whether_it_plays_the_file_itself() -> None:
    assert "an MP3 made of the file" in draw(context(waveform=wave()))
    assert "Plays the file itself" in draw(context(Media("../media/a.mp3", "audio/mpeg", True), waveform=wave()))


def test_hostile_words_are_only_text() -> None:
    html = draw(context(waveform=wave(), sections=sections((0, 100, HOSTILE, HOSTILE))))
    assert "<script" not in html
    assert "<img" not in html
    assert " style=" not in html


def test_only_keys_that_do_something_are_explained() -> None:
    assert "to that section" not in draw(context(waveform=wave()))
    assert "a beat back" not in draw(context(waveform=wave()))
    beats = SimpleNamespace(beats_s=np.arange(50.0), downbeats_s=np.zeros(0))
    html = draw(context(waveform=wave(), beats=beats, sections=sections((0, 100, "A", ""))))
    assert "to that section" in html
    assert "a beat back" in html
    assert "a bar back" not in html
