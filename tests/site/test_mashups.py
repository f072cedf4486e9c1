"""The list of mashups, the table of what goes with what, and what a track's page says of both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from processor import library
from processor.library import Track
from processor.mashup.kept import preview_name, stored
from processor.site import mashups
from processor.site.goes_with import NOTHING_AROUND, WORTH, Around, around, matches
from processor.site.mashups import list_pages
from processor.site.rendering import environment, text_of
from processor.tables import tables
from processor.workspace import Workspace
from tests.libraries import HOSTILE, make_track
from tests.site.mashup_library import make_mashup, measured, mix_track, plan, songs


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A catalogue with no more than what is read here."""
    with duckdb.connect() as made:
        made.execute("CREATE TABLE library (track VARCHAR, title VARCHAR)")
        columns = ", ".join(f"{name} {kind}" for name, (kind, _) in tables()["mashability"].items())
        made.execute(f"CREATE TABLE mashability ({columns})")
        yield made


def add(connection: duckdb.DuckDBPyConnection, vocals: str, instrumental: str, score: float, **facts: Any) -> None:
    row = {
        "vocals": vocals,
        "instrumental": instrumental,
        "score": score,
        "shift_semitones": 0,
        "vocal_beats_per_beat": 1.0,
        "reasons": [],
        **facts,
    }
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO mashability ({', '.join(row)}) VALUES ({marks})", list(row.values()))


def name_all(connection: duckdb.DuckDBPyConnection, titles: dict[str, str]) -> None:
    connection.executemany("INSERT INTO library VALUES (?, ?)", [*titles.items()])


def page(workspace: Workspace, connection: duckdb.DuckDBPyConnection, tracks: list[Track] | None = None) -> str:
    found = library.tracks(workspace) if tracks is None else tracks
    [(_, make)] = list_pages(workspace, connection, stored(workspace), found).values()
    return make()


def signature(workspace: Workspace, connection: duckdb.DuckDBPyConnection) -> str:
    [(found, _)] = list_pages(workspace, connection, stored(workspace), library.tracks(workspace)).values()
    return found


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).replace("&nbsp;", " ").split())


def test_without_anything_it_says_how_to_get_there(workspace: Workspace, connection: Any) -> None:
    shown = text(page(workspace, connection))
    assert "No mashup yet Drop two songs into a folder inbox/mashup/<name>/" in shown.replace("&lt;", "<").replace(
        "&gt;", ">"
    )
    assert "linernotes mashup V I" in shown
    assert "No pair was scored yet: that takes two tracks." in shown
    assert "linernotes matches" in shown
    assert "linernotes watch --mashups-at" in shown


def test_mashups_are_listed_with_what_was_measured(workspace: Workspace, connection: Any) -> None:
    sung, played = songs(workspace)
    name_all(connection, {sung.id: "Night Bus", played.id: "Low Tide"})
    one = make_mashup(workspace, (sung.id, played.id, None), found=measured(deviations=("a", "b")))
    broken = make_mashup(workspace, (sung.id, "gone", None), plan(name="Broken"))
    (broken.folder / "plan.toml").write_text("nothing")
    html = page(workspace, connection)
    shown = text(html)
    assert f'href="mashups/{one.id}.html"' in html
    assert "Night Bus × Low Tide Night Bus Low Tide 74 % 120.0 BPM +2 semitones −14.1 LUFS ⚠ 2" in shown
    assert "Broken Its plan cannot be read. −14.1 LUFS none" in shown
    assert f'href="tracks/{sung.id}.html"' in html


def test_pairs_stand_in_a_table_the_best_first(workspace: Workspace, connection: Any) -> None:
    name_all(connection, {"a": "Alpha", "b": "Beta", "c": "Gamma"})
    add(connection, "a", "b", 0.9, shift_semitones=-2, tempo_change_percent=-3.14, reasons=["Both are in A minor."])
    add(connection, "b", "a", 0.5, vocal_beats_per_beat=0.5)
    add(connection, "c", "b", 0.7)
    add(connection, "c", "gone", 0.99)
    add(connection, "c", "a", 0.0)
    html = page(workspace, connection)
    matrix = re.search(r'<table class="matrix">.*?</table>', html, re.DOTALL)
    assert matrix is not None
    assert text(matrix[0]) == "sings ↓ plays → Beta Alpha Alpha 90 Gamma 70 Beta 50"
    assert '<td class="m4" title="−2 semitones, tempo −3.1 %">90</td>' in matrix[0]
    assert '<td class="m0" title="no shift, half time">50</td>' in matrix[0]
    best = text(html.partition('class="evidence pairs"')[2])
    assert "Alpha Beta 90 % −2 semitones, tempo −3.1 % Both are in A minor. not made" in best
    assert best.index("Alpha Beta") < best.index("Gamma Beta") < best.index("Beta Alpha")
    assert "gone" not in html


def test_mixes_are_none_of_the_tracks_that_are_matched(workspace: Workspace, connection: Any) -> None:
    sung, played = songs(workspace)
    mix = mix_track(workspace)
    make_mashup(workspace, (sung.id, played.id, mix.id))
    name_all(connection, {sung.id: "Night Bus", played.id: "Low Tide", mix.id: "Both"})
    add(connection, sung.id, played.id, 0.9)
    assert "The best pairs of 2 tracks" in text(page(workspace, connection))


def test_what_can_be_heard_is_a_link(workspace: Workspace, connection: Any) -> None:
    one, other = "one-12345678", "other-12345678"
    name_all(connection, {one: "One", other: "Other"})
    add(connection, one, other, 0.9)
    before = signature(workspace, connection)
    name = preview_name(one, other)
    (workspace.site / "media").mkdir(parents=True)
    (workspace.site / "media" / name).write_bytes(b"x")
    assert signature(workspace, connection) != before
    html = page(workspace, connection)
    assert f'<a href="media/{name}">90</a>' in html
    assert f'<audio controls preload="none" src="media/{name}" aria-label="One over Other"></audio>' in html


def test_a_large_library_has_a_page_that_opens(workspace: Workspace, connection: Any) -> None:
    names = {f"a-rather-long-name-of-a-track-{number:03d}-12345678": "Ä" * 200 for number in range(60)}
    name_all(connection, names)
    rows = [(v, i, (7 * n + 11 * m) % 97 / 97) for n, v in enumerate(names) for m, i in enumerate(names) if v != i]
    connection.executemany("INSERT INTO mashability (vocals, instrumental, score) VALUES (?, ?, ?)", rows)
    html = page(workspace, connection)
    assert len(html) < 300_000
    assert html.count('<th scope="row">') == mashups.MATRIX_SIDE + mashups.BEST
    assert html.count('<td class="m') == pytest.approx(mashups.MATRIX_SIDE**2, abs=200)


def test_hostile_titles_are_only_text(workspace: Workspace, connection: Any) -> None:
    name_all(connection, {"a": HOSTILE, "b": HOSTILE})
    add(connection, "a", "b", 0.9, reasons=[HOSTILE])
    html = page(workspace, connection)
    assert "<script>" not in html.replace('<script src="assets', "")
    assert "<img" not in html
    assert "7006652" not in html


def test_an_older_catalogue_has_no_pairs() -> None:
    with duckdb.connect() as made:
        made.execute("CREATE TABLE library (track VARCHAR, title VARCHAR)")
        assert matches(made, 9) == []
        assert around(made, []) == {}


# On a track's page


def test_a_track_goes_with_the_best_both_ways(connection: Any) -> None:
    name_all(connection, {name: name.upper() for name in "abcdefgh"})
    for number, other in enumerate("bcdefgh"):
        add(connection, "a", other, 0.9 - number / 10)
    add(connection, "b", "a", 0.45)
    found = around(connection, [])
    assert [(one.track, one.title, one.score) for one in found["a"].over] == [
        ("b", "B", 0.9),
        ("c", "C", 0.8),
        ("d", "D", 0.7),
        ("e", "E", 0.6),
        ("f", "F", 0.5),
    ]
    assert [one.track for one in found["a"].under] == ["b"]
    assert [one.track for one in found["b"].over] == ["a"]
    assert [one.track for one in found["g"].under] == ["a"]
    connection.execute("DELETE FROM mashability")
    add(connection, "a", "h", WORTH - 0.01)
    assert around(connection, []) == {}


def test_a_mix_names_its_songs_and_they_name_it(workspace: Workspace, connection: Any) -> None:
    sung, played = songs(workspace)
    mix = mix_track(workspace, seconds=0.1)
    name_all(connection, {sung.id: "Night Bus", played.id: "Low Tide", mix.id: "Mashup"})
    one = make_mashup(workspace, (sung.id, played.id, mix.id))
    found = around(connection, stored(workspace))
    href = f"mashups/{one.id}.html"
    assert found[mix.id].is_mashup == (href, one.name)
    assert found[mix.id].made_from == ((sung.id, "Night Bus", "vocals"), (played.id, "Low Tide", "instrumental"))
    assert found[sung.id].takes_part == ((href, one.name, "vocals"),)
    assert found[played.id].takes_part == ((href, one.name, "instrumental"),)


def shown(what: Around) -> str:
    return environment().get_template("_mashups.html").render(mashups=what, number=text_of)


def test_the_side_bar_shows_what_there_is(workspace: Workspace, connection: Any) -> None:
    assert text(shown(NOTHING_AROUND)) == ""
    name_all(connection, {"a": "Alpha", "b": HOSTILE})
    add(connection, "a", "b", 0.9, shift_semitones=1)
    found = around(connection, [])
    html = shown(found["a"])
    assert "Goes with Its vocals over" in text(html)
    assert 'href="b.html"' in html
    assert '<span class="muted" title="+1 semitone">' in html
    assert "<script>" not in html
    assert "Under the vocals of Alpha 90 %" in text(shown(found["b"]))
    made = Around(is_mashup=("mashups/x.html", "X"), made_from=(("s", "Song", "vocals"),))
    assert text(shown(made)) == "Made from Song vocals How it was made"
    takes_part = Around(takes_part=(("mashups/x.html", "X", "vocals"),))
    assert 'href="../mashups/x.html"' in shown(takes_part)


def test_names_of_previews_are_those_of_tracks(workspace: Workspace) -> None:
    track = make_track(workspace, "Song.wav")
    media = workspace.site / "media"
    media.mkdir(parents=True)
    for name in (preview_name(track.id, track.id), f"{track.id}.mp3", f"{track.id}.vocals-12345678.mp3"):
        (media / name).write_bytes(b"x")
    assert mashups.previews(Path(workspace.site)) == {(track.id, track.id)}
