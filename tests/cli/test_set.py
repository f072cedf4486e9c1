"""`linernotes set`, `refresh` and `rebuild`: what changes a library that is there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from processor import library
from processor.analysis import all_analysers
from processor.workspace import Workspace
from tests import workspaces
from tests.workspaces import command


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return workspaces.with_tracks(tmp_path)


def answer(workspace: Workspace, sql: str) -> list[dict[str, object]]:
    out = command("query", sql, "--json", "--home", workspace.home).out
    return [json.loads(line) for line in out.splitlines()]


def make_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    levels = all_analysers()["levels"]
    monkeypatch.setitem(all_analysers(), "levels", replace(levels, version=levels.version + 1))


def test_words_are_kept_and_published(workspace: Workspace) -> None:
    result = command("set", "brucke", "rating=4", "title=Die Brücke = Teil 1", "--home", workspace.home)
    track = workspaces.track(workspace, "brucke")
    assert (result.code, result.out) == (0, f"{track.id}\n  rating = 4\n  title = Die Brücke = Teil 1\n")
    assert library.read_person(track) == {"rating": 4, "title": "Die Brücke = Teil 1"}
    found = answer(workspace, "SELECT title, rating FROM tracks WHERE rating IS NOT NULL")
    assert found == [{"title": "Die Brücke = Teil 1", "rating": 4}]
    assert "Die Brücke = Teil 1" in (workspace.site / "tracks" / f"{track.id}.html").read_text(encoding="utf-8")
    assert "Die Brücke = Teil 1" in (workspace.site / "index.html").read_text(encoding="utf-8")


def test_an_empty_value_takes_a_word_back(workspace: Workspace) -> None:
    command("set", "brucke", "rating=4", "note=hm", "--home", workspace.home)
    result = command("set", "brucke", "rating=", "--json", "--home", workspace.home)
    track = workspaces.track(workspace, "brucke")
    assert json.loads(result.out) == {"track": track.id, "person": {"note": "hm"}}
    command("set", "brucke", "note=", "--home", workspace.home)
    assert not (track.folder / library.PERSON_NAME).exists()
    assert answer(workspace, "SELECT rating, note FROM tracks WHERE note IS NOT NULL") == []


def test_a_track_is_known_by_the_beginning_of_its_id_or_hash(workspace: Workspace) -> None:
    track = workspaces.track(workspace, "alpha-b")
    for words in (track.id, "alpha-b", track.short_hash, track.short_hash[:4]):
        result = command("set", words, "rating=1", "--json", "--home", workspace.home)
        assert json.loads(result.out)["track"] == track.id


def test_several_tracks_that_fit_are_listed(workspace: Workspace) -> None:
    result = command("set", "alpha", "rating=1", "--home", workspace.home)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert "'alpha' fits 2 tracks: alpha-beat-" in result.err
    assert ", alpha-song-" in result.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ratng=3",), "There is no field 'ratng'. Did you mean rating?"),
        (("rating=6",), "a rating is a whole number from 0 to 5"),
        (("rating",), "'rating' is not of the form field=value."),
        (("title=New", "rating=-1"), "a rating is a whole number from 0 to 5"),
        (("loudness.integrated_lufs=-14",), "is measured and no matter of opinion"),
        (("\udcff=1",), "There is no field '\\udcff'."),
    ],
)
def test_what_makes_no_sense_changes_nothing(workspace: Workspace, words: tuple[str, ...], said: str) -> None:
    result = command("set", "brucke", *words, "--home", workspace.home)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert said in result.err
    assert library.read_person(workspaces.track(workspace, "brucke")) == {}


def test_a_track_that_is_not_there(workspace: Workspace) -> None:
    result = command("set", "gamma", "rating=1", "--home", workspace.home)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "No track is called 'gamma'" in result.err


def test_words_about_a_stale_track_are_kept_though_it_cannot_be_analysed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_stale(monkeypatch)
    track = workspaces.track(workspace, "brucke")
    assert track.source is not None
    track.source.unlink()
    result = command("set", "brucke", "rating=2", "--home", workspace.home)
    assert result.code == 3
    assert "its source file is gone" in result.err
    assert answer(workspace, "SELECT rating FROM tracks WHERE rating = 2") == [{"rating": 2}]


def test_refresh_finds_nothing_to_do(workspace: Workspace) -> None:
    result = command("refresh", "--home", workspace.home)
    assert (result.code, result.out) == (0, "Everything is up to date.\n")
    assert command("refresh", "--json", "--home", workspace.home).out == ""


def test_refresh_analyses_again_what_is_stale(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    make_stale(monkeypatch)
    before = {track.id: (track.folder / "record.json").read_bytes() for track in library.tracks(workspace)}
    dry = command("refresh", "--dry-run", "--home", workspace.home)
    assert (dry.code, dry.out.splitlines()[0]) == (0, "3 keys would change in 3 tracks: here they are")
    assert {track.id: (track.folder / "record.json").read_bytes() for track in library.tracks(workspace)} == before
    result = command("refresh", "--json", "--home", workspace.home)
    assert result.code == 0
    assert [json.loads(line) for line in result.out.splitlines()] == [
        {"track": name, "keys": ["levels"], "failed": False} for name in before
    ]
    assert command("refresh", "--home", workspace.home).out == "Everything is up to date.\n"
    assert answer(workspace, "SELECT count(*) AS n FROM runs WHERE event = 'refreshed'") == [{"n": 3}]


def test_refresh_says_what_it_could_not_do(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    make_stale(monkeypatch)
    track = workspaces.track(workspace, "brucke")
    assert track.source is not None
    track.source.unlink()
    result = command("refresh", "--home", workspace.home)
    assert (result.code, result.out.splitlines()[0]) == (3, "2 keys changed in 2 tracks: here they are")
    assert f"  {track.id}: levels  (failed)" in result.out.splitlines()
    again = command("refresh", "--json", "--home", workspace.home)
    assert (again.code, json.loads(again.out)["failed"]) == (1, True)


def test_refresh_leaves_out_a_broken_record(workspace: Workspace) -> None:
    (workspaces.track(workspace, "brucke").folder / "record.json").write_text("{")
    result = command("refresh", "--home", workspace.home)
    assert result.code == 3
    assert result.err.startswith("left out  ")


def test_rebuild_makes_everything_anew(workspace: Workspace) -> None:
    before = answer(workspace, "FROM tracks ORDER BY track")
    pages = {path.relative_to(workspace.site): path.read_bytes() for path in workspace.site.rglob("*.html")}
    workspace.catalogue.write_bytes(b"")
    for path in workspace.site.rglob("*.html"):
        path.write_text("spoilt")
    result = command("rebuild", "--home", workspace.home)
    assert (result.code, result.out.splitlines()[0]) == (0, f"3 tracks in {workspace.catalogue}")
    assert answer(workspace, "FROM tracks ORDER BY track") == before
    assert {path.relative_to(workspace.site): path.read_bytes() for path in workspace.site.rglob("*.html")} == pages


def test_rebuild_leaves_out_a_broken_record_and_tells(workspace: Workspace) -> None:
    (workspaces.track(workspace, "brucke").folder / "record.json").write_text("{")
    result = command("rebuild", "--json", "--home", workspace.home)
    assert result.code == 3
    told = json.loads(result.out)
    assert (told["tracks"], len(told["left_out"])) == (2, 1)
    assert "record.json is not a record" in told["left_out"][0]
    assert result.err == f"left out  {told['left_out'][0]}\n"
    assert len(answer(workspace, "FROM tracks")) == 2


def test_rebuild_needs_a_workspace(tmp_path: Path) -> None:
    for name in ("rebuild", "refresh"):
        assert command(name, "--home", tmp_path).code == 1
    assert list(tmp_path.iterdir()) == []


def test_what_a_word_changes_is_logged_under_its_command(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    make_stale(monkeypatch)
    assert command("set", "brucke", "rating=4", "--home", workspace.home).code == 0
    assert answer(workspace, "SELECT name FROM runs WHERE event = 'started' ORDER BY time_utc DESC LIMIT 1") == [
        {"name": "set"}
    ]
