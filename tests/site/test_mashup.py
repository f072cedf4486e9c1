"""Pages of mashups: what they say of plan and render, what they draw, what they offer, and the media they need."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processor import engine, library
from processor.analysis.loudness import loudness
from processor.audio import decode, from_samples
from processor.config import Limits, Settings, Site
from processor.feedback.equaliser import Band
from processor.library import Track
from processor.mashup.kept import Stored, stored
from processor.mashup.plan import Cut, Rejection, duration_s, mashup_beats_s
from processor.site import mashup, mixer
from processor.site.charts.mashup import as_played, bar_text, bars_s, parts_of, placed, plan_chart
from processor.site.goes_with import page_name
from processor.site.recipe import chosen_by, recipe
from processor.site.scripts import read_facts
from processor.workspace import Workspace
from tests import signals, workspaces
from tests.libraries import HOSTILE
from tests.site.mashup_library import (
    RATE,
    grid,
    make_mashup,
    measured,
    mix_track,
    plan,
    segment,
    songs,
    tones,
)

ON = Settings(site=Site(previews=True))
OFF = Settings(site=Site(previews=False))


@pytest.fixture(autouse=True)
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Encode in this process: that workers do the same is tested elsewhere."""
    monkeypatch.setattr(engine, "Engine", workspaces.InlineEngine)


def a_library(workspace: Workspace, **changes: Any) -> Stored:
    """Two songs, and a mashup of them that is a track as well."""
    sung, played = songs(workspace)
    return make_mashup(workspace, (sung.id, played.id, mix_track(workspace).id), **changes)


def pages(workspace: Workspace) -> dict[str, str]:
    listed = stored(workspace)
    mashup.link_mashups(workspace, listed)
    found = mashup.mashup_pages(workspace, listed, library.tracks(workspace))
    return {name: make() for name, (_, make) in found.items()}


def signature(workspace: Workspace) -> str:
    [(found, _)] = mashup.mashup_pages(workspace, stored(workspace), library.tracks(workspace)).values()
    return found


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).replace("&nbsp;", " ").split())


def part(html: str, name: str) -> str:
    """A section of the page as text."""
    found = re.search(rf'<section class="box[^"]*" id="{name}".*?</section>', html, re.DOTALL)
    assert found is not None, name
    return text(found[0])


# The page


def test_it_says_what_was_planned_and_what_was_measured(workspace: Workspace) -> None:
    one = a_library(workspace)
    html = pages(workspace)[f"mashups/{one.id}.html"]
    shown = part(html, "recipe")
    assert "The instrumental plays 0:08–0:14, 0:00–0:02, end to end. 8.00 s 8.00 s" in shown
    assert "that is not stretched at all. 120.0 BPM 120.0 BPM" in shown
    assert "All that is sung becomes 0.833 times as long" in shown
    assert "The vocals are shifted by +2 semitones, formants kept: A minor over B minor. B minor B minor" in shown
    assert "Backing −2.0 dB, vocals −1.5 dB. +1.5 LU 1.2 LU" in shown
    assert "gives way by up to 4.0 dB between 300 Hz and 5 kHz, band by band; attack 10 ms, release 150 ms." in shown
    assert "Bell, 300 Hz, −2.5 dB, Q 1.0." in shown
    assert "The limiter turned down by 2.3 dB at most. ≤ −1.00 dBTP −1.02 dBTP" in shown
    assert "≤ 20.0 ms 4.2 ms" in shown
    for field in ("plan.tempo_bpm", "measured.tempo_bpm", "measured.integrated_lufs", "fit.harmonic"):
        assert f'data-field="{field}"' in html
    assert len(html) < 300_000


def test_what_is_sung_where_stands_in_a_table(workspace: Workspace) -> None:
    """The second begins with an upbeat in bar 2, and is counted from the downbeat that it leads to."""
    late = segment("chorus, line 2", 13.5, 18.0, (24, 8), 0.35, extra_semitones=-0.5)
    one = a_library(workspace, made=plan(segments=(plan().segments[0], late)))
    shown = part(pages(workspace)[page_name(one)], "plan")
    assert "verse 1 0:00 1 4.8 0.833 2.0 −1.5 80 verse 1 is loud" in shown
    assert "chorus, line 2 0:03 3 13.5 0.833 1.5 −1.5 35 chorus, line 2 is loud" in shown


def test_it_names_both_songs_and_the_mix(workspace: Workspace) -> None:
    one = a_library(workspace)
    html = pages(workspace)[page_name(one)]
    assert "<h1>Night Bus × Low Tide</h1>" in html
    for name in (one.made_from.vocals, one.made_from.instrumental, one.made_from.mix):
        assert f'href="../tracks/{name}.html"' in html


def test_songs_that_are_no_tracks_are_named_without_a_link(workspace: Workspace) -> None:
    one = make_mashup(workspace, ("vocals.wav", "beat.wav", None))
    html = pages(workspace)[page_name(one)]
    assert "Night Bus (not in the library) over the instruments of Low Tide (not in the library)" in text(html)
    assert "../tracks/" not in html
    assert 'id="listen"' not in html


def test_deviations_are_shown_and_their_absence_is_said(workspace: Workspace) -> None:
    one = a_library(workspace)
    assert "None: the render was measured" in part(pages(workspace)[page_name(one)], "deviations")
    told = ("Tempo: 118.2 BPM in place of 120.0.", "Section 2: beats are 31.0 ms apart.")
    off = make_mashup(
        workspace,
        (one.made_from.vocals, one.made_from.instrumental, None),
        plan(name="Off", corrections=("Backing down by 1.2 dB.",)),
        measured(deviations=told),
    )
    shown = part(pages(workspace)[page_name(off)], "deviations")
    assert f"⚠ {told[0]} ⚠ {told[1]}" in shown
    assert "A first render measured badly. It was planned again, with this changed: Backing down by 1.2 dB." in shown
    assert "None" not in shown


def test_it_says_why_they_fit_and_what_was_not_done(workspace: Workspace) -> None:
    one = a_library(workspace)
    shown = part(pages(workspace)[page_name(one)], "why")
    assert "All together 74 % Harmony 81 % Rhythm 66 % Room 70 % Energy — cannot be told No other voice 100 %" in shown
    assert "Shifted by two semitones, both are in B minor." in shown
    assert "shift −1 harmonic fit 0.42, 0.39 less than at +2" in shown


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("rules", "Chosen by our rules"),
        ("person", "Chosen, or written, by a person"),
        ("openai/gpt-oss-120b", "Chosen by the language model openai/gpt-oss-120b, among plans that our rules made"),
    ],
)
def test_who_chose_is_said(name: str, told: str) -> None:
    assert chosen_by(plan(chosen_by=name)).startswith(told)


def test_other_plans_can_be_had(workspace: Workspace) -> None:
    one = a_library(workspace, alternatives=(plan(vocal_shift_semitones=-1.0), plan(name="Broken")))
    (one.folder / "alternatives/plan-3.toml").write_text("no plan")
    html = pages(workspace)[page_name(one)]
    assert "Plan 2 : 74 % , 0:08, vocals shifted by −1.0. verse 1 · chorus" in part(html, "why")
    assert f'href="../media/mashups/{one.id}/alternatives/plan-2.toml"' in html
    assert "Plan 3" not in html


def test_a_plan_that_was_edited_into_nonsense_leaves_a_page(workspace: Workspace) -> None:
    one = a_library(workspace)
    before = signature(workspace)
    (one.folder / "plan.toml").write_text("tempo_bpm = 1e99")
    assert signature(workspace) != before
    html = pages(workspace)[page_name(one)]
    assert "Its plan cannot be read:" in text(html)
    assert str(workspace.home) not in html
    assert "120.0 BPM" in part(html, "measured")


def test_a_plan_that_was_changed_is_not_what_is_heard(workspace: Workspace) -> None:
    one = a_library(workspace)
    assert "The plan was changed since" not in pages(workspace)[page_name(one)]
    path = one.folder / "plan.toml"
    path.write_text(path.read_text().replace("target_lufs = -14.0", "target_lufs = -11.0"))
    assert "The plan was changed since" in pages(workspace)[page_name(one)]


def test_hostile_names_are_only_text(workspace: Workspace) -> None:
    source = plan().vocals
    evil = plan(
        name="x" + HOSTILE.replace("\u202e", ""),
        vocals=replace(source, title=HOSTILE.replace("\u202e", "")),
        segments=(segment("<b>1</b>", 4.8, 8.4, (8, 0), reason="<img src=x onerror=alert(1)>"),),
        rejections=(Rejection("<script>", "<script>"),),
        reasons=("<script>alert(1)</script>",),
        chosen_by="<script>",
    )
    a_library(workspace, made=evil, found=measured(deviations=("<script>",)))
    [html] = pages(workspace).values()
    assert "<script>" not in html
    assert "<img" not in html
    assert "<b>" not in html
    assert "7006652" not in html


# The recipe


def steps(**changes: Any) -> dict[str, Any]:
    made = plan(**changes)
    return {step.what: step for step in recipe(made, measured(), placed(made))}


def test_a_split_shift_and_moving_keys_are_told() -> None:
    parts = plan().segments
    found = steps(
        vocal_shift_semitones=2.0,
        instrumental_shift_semitones=-2.0,
        segments=(parts[0], replace(parts[1], extra_semitones=1.0)),
    )["Pitch"]
    assert (
        "The shift is split: vocals by +2 semitones, what has a pitch in the instrumental by −2 semitones" in found.done
    )
    assert "more: “chorus” by +1 semitone." in found.done
    assert found.planned is not None
    assert found.planned.text == "A minor"


def test_a_stretched_instrumental_and_half_time_are_told() -> None:
    found = steps(tempo_bpm=100.0)
    assert found["Tempo"].done == "The instrumental has 120.0 BPM; it becomes 1.200 times as long."
    slow = steps(vocal_beats_per_beat=0.5, segments=(segment("verse", 4.8, 7.2, (8, 0)),))
    assert slow["Stretch of the vocals"].done.startswith("One beat of the vocals on every two (half time), from 100.0")


def test_what_was_not_done_is_told_as_well() -> None:
    found = steps(duck=None, gate_below_lufs=None, vocal_bands=(), vocal_shift_semitones=0.0, segments=())
    assert found["Ducking"].done == "The backing does not make room by itself."
    assert found["Gate"].done == "Nothing is turned down between the lines."
    assert found["Equaliser of the vocals"].done == "None was needed."
    assert found["Pitch"].done == "Nothing is shifted: A minor over B minor."
    assert "nothing is sung" in found["Levels"].done
    assert "Stretch of the vocals" not in found


def test_a_key_that_nobody_knows_is_not_promised() -> None:
    source = plan().instrumental
    for key in (None, "drums"):
        planned = steps(instrumental=replace(source, key=key))["Pitch"].planned
        assert planned is not None
        assert planned.text == "—"
    assert steps(instrumental_shift_semitones=0.5)["Pitch"].planned.text == "—"


def test_bands_stand_as_one_dials_them_in() -> None:
    bands = (Band("low shelf", 90.0, -1.5, 0.7), Band("bell", 2500.0, 2.0, 1.4))
    done = steps(instrumental_bands=bands)["Equaliser of the backing"].done
    assert done.lower() == f"{bands[0].text}; {bands[1].text}.".lower()


# The timeline


def test_segments_are_where_the_plan_says() -> None:
    first, second = placed(plan())
    # Beat 8 of 100 BPM is at 4.8 s and falls on the first beat; what follows is played at 120 BPM.
    assert (first.start_s, first.end_s) == pytest.approx((0.0, 3.0))
    assert (second.start_s, second.end_s) == pytest.approx((4.0, 7.0))
    assert first.stretch == pytest.approx(100 / 120)
    assert first.slowest == pytest.approx(first.fastest) == pytest.approx(100 / 120)


def test_uneven_beats_are_stretched_each_by_themselves() -> None:
    uneven = plan()
    beats = list(uneven.vocals.grid.beats_s)
    beats[10] += 0.06
    moved = replace(uneven, vocals=replace(uneven.vocals, grid=replace(uneven.vocals.grid, beats_s=tuple(beats))))
    first = placed(moved)[0]
    assert first.slowest == pytest.approx(0.5 / 0.54)
    assert first.fastest == pytest.approx(0.5 / 0.66)
    assert first.stretch == pytest.approx(100 / 120)


def test_sections_of_the_instrumental_are_where_they_are_played(workspace: Workspace) -> None:
    from processor import record
    from processor.analysis import result_types

    _, played = songs(workspace)
    parts = parts_of(record.read(played.folder, result_types()).results["sections"])
    found = as_played(plan(), parts)
    assert [(one.start_s, one.end_s, one.text) for one in found] == [(0, 6, "B chorus"), (6, 8, "A intro")]


def test_bars_are_counted_through_all_cuts() -> None:
    bars = bars_s(plan())
    np.testing.assert_allclose(bars, [0, 2, 4, 6])
    assert [bar_text(bars, moment) for moment in (0.0, 1.9, 2.0, 7.9)] == ["1", "1", "2", "4"]
    late = plan(cuts=(Cut(2, 18),), segments=())
    np.testing.assert_allclose(bars_s(late), [1, 3, 5, 7])
    assert bar_text(bars_s(late), 0.0) == "–"


def test_the_drawing_seeks_and_tells_everything() -> None:
    chart = plan_chart(plan(), [], [], 24.0)
    assert chart.duration_s == 24.0
    assert "verse 1 0:00–0:03 from 0:05" in chart.summary
    fits = re.findall(r'<rect class="fit (fit\d)"[^>]*data-time="([\d.]+)"><title>(.*?)</title>', str(chart.drawing))
    assert [(shade, float(time)) for shade, time, _ in fits] == [("fit4", 0.0), ("fit1", 4.0)]
    assert "fits 35 %; 0.833 times as long; gain −1.5 dB" in fits[1][2]
    assert chart.drawing.count('class="ribbon') == 2
    assert chart.drawing.count('class="join"') == 1


def test_a_plan_as_large_as_plans_may_be_is_drawn() -> None:
    beats = 2400
    many = tuple(segment(f"line {n}", n * 1.2 + 0.01, n * 1.2 + 1.1, (2 * n, 2 * n)) for n in range(480))
    large = plan(
        vocals=replace(plan().vocals, grid=grid(100.0, beats)),
        instrumental=replace(plan().instrumental, grid=grid(120.0, beats)),
        cuts=tuple(Cut(n, n + 4) for n in range(0, beats - 4, 4))[:500],
        segments=many,
    )
    assert duration_s(large) == pytest.approx(1000, abs=300)
    assert mashup_beats_s(large).size > 900
    assert len(plan_chart(large, [], [], 600.0).drawing) < 200_000


# Stems


def test_what_the_instrumental_consists_of_is_played_in_its_place(tmp_path: Path) -> None:
    for name in ("other.flac", "instrumental.flac", "vocals.wav", "bass.flac", "notes.txt", "Up.flac", "a b.flac"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "drums.flac").symlink_to(tmp_path / "bass.flac")
    assert list(mixer.stem_files(tmp_path)) == ["vocals", "bass", "other"]
    for name in ("other", "bass"):
        (tmp_path / f"{name}.flac").unlink()
    assert list(mixer.stem_files(tmp_path)) == ["vocals", "instrumental"]
    assert mixer.stem_files(tmp_path / "none") == {}


def facts(workspace: Workspace, one: Stored) -> list[dict[str, Any]]:
    names = mixer.script_names(mashup.layers_of(one))
    found = [read_facts(workspace.site / "media/mixer" / f"{name}.js") for name in names]
    assert all(found)
    return [one for one in found if one is not None]


def test_no_choice_of_stems_is_over_full_scale(workspace: Workspace) -> None:
    """Two that cancel each other are quiet together; the gain is that of the loudest choice, two that do not."""
    tone = signals.sine(441.0, 1.0, -6.0, rate=RATE, channels=2)
    stems = {"vocals": tone, "other": -tone, "bass": tone}
    one = a_library(workspace, stems=stems, found=measured(integrated_lufs=-3.0))
    assert mashup.make_mashup_media(workspace, ON) == 1
    assert mashup.make_mashup_media(workspace, ON) == 0
    [gain_db] = {one["gain_db"] for one in facts(workspace, one)}
    assert gain_db == pytest.approx(-2.0 - signals.db(2 * signals.amplitude(-6.0)), abs=0.02)
    context = mixer.mixer_context(workspace.site, mashup.layers_of(one))
    assert context is not None
    assert [(stem.number, stem.title) for stem in context.stems] == [(1, "Vocals"), (2, "Bass"), (3, "Other")]
    assert (context.duration_s, context.rate_hz, context.is_cut) == (1.0, RATE, False)


def test_stems_are_as_loud_as_the_mix_where_no_choice_of_them_is_too_loud(workspace: Workspace) -> None:
    def told(lufs: float | None) -> tuple[float, float | None]:
        found = measured(integrated_lufs=lufs)
        one = make_mashup(workspace, ("v", "i", None), plan(name=f"At {lufs}"), found, tones(1.0, -40.0))
        mashup.make_mashup_media(workspace, ON)
        context = mixer.mixer_context(workspace.site, mashup.layers_of(one))
        assert context is not None
        shown = part(pages(workspace)[page_name(one)], "mix")
        assert ("as loud as in the mix" in shown) == (context.quieter_db == 0)
        assert ("quieter than in the mix" in shown) == bool(context.quieter_db)
        return context.gain_db, context.quieter_db

    quiet, (loud, less), unknown = told(-33.0), told(-3.0), told(None)
    together = from_samples(sum(tones(1.0, -40.0).values()), RATE)
    own = loudness(together).integrated_lufs
    assert own is not None
    assert quiet == (pytest.approx(-33.0 - own, abs=0.02), 0.0)
    upper, lower = (
        sum(np.maximum(sign * tone, 0).max(axis=0) for tone in tones(1.0, -40.0).values()) for sign in (1, -1)
    )
    assert loud == pytest.approx(-2.0 - signals.db(max(upper.max(), lower.max())), abs=0.02)
    assert loud + (less or 0.0) == pytest.approx(-3.0 - own, abs=0.02)
    assert unknown == (0.0, None)


def test_silent_stems_have_a_player(workspace: Workspace) -> None:
    still = signals.silence(0.5, rate=RATE, channels=2)
    one = a_library(workspace, stems={"vocals": still, "instrumental": still})
    mashup.make_mashup_media(workspace, ON)
    context = mixer.mixer_context(workspace.site, mashup.layers_of(one))
    assert context is not None
    assert context.gain_db == 0.0


def test_stems_that_sound_otherwise_are_made_again(workspace: Workspace) -> None:
    one = a_library(workspace, stems=tones(0.2))
    mashup.make_mashup_media(workspace, ON)
    before = signature(workspace)
    signals.write_wav(one.folder / "stems/x.wav", signals.sine(100.0, 0.2, rate=RATE, channels=2), RATE)
    (one.folder / "stems/x.wav").replace(one.folder / "stems/bass.flac")
    assert mashup.make_mashup_media(workspace, ON) == 2, "one player removed, one made"
    assert signature(workspace) != before
    assert len(list((workspace.site / "media/mixer").iterdir())) == 4


def test_a_stem_that_cannot_be_heard_gives_no_player_and_is_not_tried_again(workspace: Workspace) -> None:
    one = a_library(workspace, stems=tones(0.2))
    (one.folder / "stems/bass.flac").write_bytes(b"fLaC and nothing else")
    assert mashup.make_mashup_media(workspace, ON) == 1
    assert mashup.make_mashup_media(workspace, ON) == 0
    assert mixer.mixer_context(workspace.site, mashup.layers_of(one)) is None
    assert "one of them cannot be read" in part(pages(workspace)[page_name(one)], "mix")


def test_media_of_what_is_gone_is_removed(workspace: Workspace) -> None:
    one = make_mashup(workspace, ("a", "b", None), stems=tones(0.2))
    media = workspace.site / "media"
    assert mashup.make_mashup_media(workspace, ON) == 2, "a player and a preview of the mix"
    mashup.link_mashups(workspace, stored(workspace))
    [preview] = media.glob("*.mp3")
    heard = decode(preview, limits=Limits())
    assert heard.samples.shape[1] == pytest.approx(0.2 * RATE, abs=2500)
    href = f"media/{preview.name}"
    assert mashup.preview_href(workspace.site, one) == href
    assert f'src="../{href}"' in pages(workspace)[page_name(one)]
    (one.folder / "record.json").unlink()
    assert mashup.make_mashup_media(workspace, ON) == 2
    mashup.link_mashups(workspace, stored(workspace))
    assert [path for path in media.rglob("*") if path.is_file()] == []


def test_without_previews_there_are_none(workspace: Workspace) -> None:
    a_library(workspace, stems=tones(0.2))
    mashup.make_mashup_media(workspace, ON)
    assert mashup.make_mashup_media(workspace, OFF) == 1
    assert list((workspace.site / "media/mixer").iterdir()) == []


def test_only_so_many_are_made_at_a_time(workspace: Workspace) -> None:
    one = a_library(workspace, stems=tones(0.2))
    songs_of = (one.made_from.vocals, one.made_from.instrumental, None)
    make_mashup(workspace, songs_of, plan(name="Second"), stems=tones(0.2, -9.0))
    assert [mashup.make_mashup_media(workspace, ON, most=1) for _ in range(4)] == [1, 1, 1, 0]


def test_others_leave_these_files_alone(workspace: Workspace) -> None:
    from processor.site import ab, media
    from processor.site.stems import make_stem_previews

    make_mashup(workspace, ("a", "b", None), stems=tones(0.2))
    mashup.make_mashup_media(workspace, ON)
    before = sorted(path for path in (workspace.site / "media").rglob("*") if path.is_file())
    media.make_pictures(workspace, [])
    make_stem_previews(workspace, [], ON)
    ab.remove_others(workspace, ())
    media.make_previews(workspace, [], settings=ON)
    assert sorted(path for path in (workspace.site / "media").rglob("*") if path.is_file()) == before
    assert len(before) == 5


# Files


def test_what_one_may_take_away(workspace: Workspace) -> None:
    one = a_library(workspace, stems=tones(0.2))
    (one.folder / "stems/secret.flac").symlink_to(one.folder / "record.json")
    html = pages(workspace)[page_name(one)]
    names = re.findall(rf'href="\.\./media/mashups/{one.id}/([^"]+)" download', html)
    stems = [f"stems/{name}.flac" for name in ("vocals", "bass", "drums", "other")]
    assert names == ["mix.flac", "plan.toml", "mashup.cue", *stems]
    for name in names:
        assert (workspace.site / "media/mashups" / one.id / name).read_bytes() == (one.folder / name).read_bytes()
    assert mashup.link_mashups(workspace, stored(workspace)) == 0, "all of them are there"
    (one.folder / "stems/bass.flac").unlink()
    mashup.link_mashups(workspace, stored(workspace))
    assert not (workspace.site / "media/mashups" / one.id / "stems/bass.flac").exists()


# Beside the songs


def test_the_songs_begin_where_the_plan_takes_them(workspace: Workspace) -> None:
    one = a_library(workspace)
    by_id = {track.id: track for track in library.tracks(workspace)}
    found = mashup.takes(one, by_id)
    assert [(take.title, take.offset_s, take.speed) for take in found] == [
        ("Mashup", 0.0, 1.0),
        ("Night Bus (vocals)", 4.8, 1.0),
        ("Low Tide (instrumental)", 8.0, 1.0),
    ]
    assert mashup.players(workspace, library.tracks(workspace)) == [found]
    assert mashup.takes(one, {name: track for name, track in by_id.items() if name != one.made_from.mix}) == ()


def test_songs_and_mashup_are_equally_loud(workspace: Workspace) -> None:
    from processor.site import ab

    one = a_library(workspace)
    by_id = {track.id: track for track in library.tracks(workspace)}
    for name, dbfs in ((one.made_from.vocals, -30.0), (one.made_from.instrumental, -14.0)):
        source = by_id[name].source
        assert source is not None
        signals.write_wav(source, signals.noise(12.0, dbfs, rate=RATE, channels=2), RATE, subtype="FLOAT")
    takes = mashup.takes(one, by_id)
    ab.make_ab(workspace, takes, ON)
    made = ab.ab_context(workspace.site, takes)
    assert made is not None
    assert [round(side.gain_db) for side in made.sides] == [-10, 0, -16]
    html = pages(workspace)[page_name(one)]
    assert "B: −" in part(html, "listen")
    assert "at their own pace and pitch" in html


def test_the_page_of_a_song_that_changed_is_written_again(workspace: Workspace) -> None:
    one = a_library(workspace)
    before = signature(workspace)
    track = Track(next(workspace.library.glob(f"*/*/*/{one.made_from.vocals}")))
    library.write_person(track, {"title": "Another"})
    assert signature(workspace) != before
