"""`linernotes matches`: what goes together, and what is said where nothing does."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from processor import library, record
from processor.analysis import result_types
from processor.mashup import match, matches
from processor.mashup.match import Pair
from processor.workspace import Workspace
from tests.libraries import make_track
from tests.mashup.test_matches import Scorer, pair
from tests.workspaces import Result, command


@pytest.fixture
def scorer(monkeypatch: pytest.MonkeyPatch) -> Scorer:
    one = Scorer()
    for module in (match, matches):
        monkeypatch.setattr(module, "score_all", one)
    return one


def ask(workspace: Workspace, *arguments: str) -> Result:
    return command("matches", *arguments, "--home", workspace.home)


def songs(workspace: Workspace, *titles: str) -> list[str]:
    for title in titles:
        make_track(workspace, f"{title}.wav", metadata__title=title, phrases__heard_in="stems")
    return [track.id for track in library.tracks(workspace)]


def test_pairs_are_listed_best_first_with_all_their_reasons(workspace: Workspace, scorer: Scorer) -> None:
    night, tide = songs(workspace, "Night Bus", "Low Tide")[::-1]
    scorer.score = lambda vocals, instrumental: 0.74 if vocals == night else 0.31
    assert ask(workspace).code == 0  # which publishes them, so that the titles are known
    result = ask(workspace)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == "0.74  Night Bus over Low Tide"
    assert lines[1].strip() == "pitches 0.80 · accents – · room 0.60 · energy 0.70 · no second voice 1.00"
    assert lines[2].strip() == "vocals +2 semitones, 4.1 % faster, best at 0:01–0:09 over 0:04–0:12"
    assert lines[3].strip() == "Both are in A minor."
    assert lines[4].strip() == f"linernotes mashup {night} {tide}"
    assert lines[5] == "0.31  Low Tide over Night Bus"
    assert len(scorer.asked) == 1


def test_the_table_is_there_afterwards(workspace: Workspace, scorer: Scorer) -> None:
    songs(workspace, "a", "b")
    ask(workspace)
    result = command("query", "SELECT count(*) AS n FROM mashability", "--json", "--home", workspace.home)
    assert json.loads(result.out) == {"n": 2}


def test_json_has_every_number(workspace: Workspace, scorer: Scorer) -> None:
    a, b = songs(workspace, "a", "b")
    listed = [json.loads(line) for line in ask(workspace, "--json", "--top", "1").out.splitlines()]
    assert listed == [{**matches.pair_row(pair(a, b), 1), "rejected": None}]


def test_json_of_nothing_is_nothing_and_the_reason_is_told_beside_it(workspace: Workspace, scorer: Scorer) -> None:
    songs(workspace, "a")
    result = ask(workspace, "--json")
    assert (result.code, result.out) == (0, "")
    assert "a pair needs two" in result.err


def test_of_one_track_both_parts_are_listed(workspace: Workspace, scorer: Scorer) -> None:
    a, b, c = songs(workspace, "a", "b", "c")
    listed = [json.loads(line) for line in ask(workspace, a, "--json").out.splitlines()]
    found = {(one["vocals"], one["instrumental"]) for one in listed}
    assert found == {(a, b), (b, a), (a, c), (c, a)}
    assert scorer.asked[-1][1] == (a,)


def test_what_is_rejected_is_listed_on_request(workspace: Workspace, scorer: Scorer) -> None:
    a, b = songs(workspace, "a", "b")
    scorer.score = lambda vocals, instrumental: -1.0 if vocals == a else 0.5
    assert len(ask(workspace, a, "--json").out.splitlines()) == 1
    lines = ask(workspace, a, "--rejected").out.splitlines()
    assert lines == [f" –    {a} over {b}", "      not: they do not fit"]
    result = ask(workspace, "--rejected")
    assert result.code == 2
    assert "TRACK" in result.err
    scorer.score = lambda vocals, instrumental: 0.5
    assert ask(workspace, a, "--rejected").out == "Nothing is rejected.\n"


def test_where_there_is_nothing_to_say_it_says_why(workspace: Workspace, scorer: Scorer) -> None:
    assert "library is empty" in ask(workspace).out
    [a] = songs(workspace, "a")
    assert "a pair needs two" in ask(workspace).out
    songs(workspace, "b")
    scorer.score = lambda vocals, instrumental: -1.0
    assert "--rejected" in ask(workspace).out
    assert f"goes together with {a}" in ask(workspace, a).out
    for track in library.tracks(workspace):
        change(track, replace(read(track)["phrases"], heard_in="mix"))
    assert "linernotes run --deep" in ask(workspace).out
    for track in library.tracks(workspace):
        change(track, None)
    assert "linernotes refresh" in ask(workspace).out
    assert f"{a} has no phrases" in ask(workspace, a).out
    mix = make_track(workspace, "mix.flac", path="mashups/a-b-12345678/mix.flac")
    assert "is a mashup itself" in ask(workspace, mix.id).out
    stem = make_track(workspace, "vocals.wav", path="mashup/two of us/vocals.wav")
    assert "--from-stems" in ask(workspace, stem.id).out


def read(track: library.Track) -> record.Results:
    return record.read(track.folder, result_types()).results


def change(track: library.Track, phrases: object) -> None:
    found = record.read(track.folder, result_types())
    results = {name: result for name, result in found.results.items() if name != "phrases"}
    results |= {} if phrases is None else {"phrases": phrases}
    record.write(replace(found, results=results), track.folder)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"shift_semitones": 0, "tempo_ratio": 1.0}, "vocals as high as they are, at their tempo"),
        ({"shift_semitones": -3, "tempo_ratio": 0.9}, "vocals −3 semitones, 10.0 % slower"),
        ({"shift_semitones": -1}, "vocals −1 semitone, "),
        ({"tempo_ratio": None, "vocal_phrase": None}, "vocals +2 semitones"),
        ({"vocal_beats_per_beat": 2.0, "vocal_phrase": None}, "4.1 % faster, 2 of their beats to each"),
    ],
)
def test_what_is_done_to_the_vocals_is_told(changes: dict[str, object], told: str) -> None:
    from processor.cli.matches import _change

    one: Pair = replace(pair("a", "b"), **changes)  # type: ignore[arg-type]
    assert told in _change(one)


def test_a_track_that_is_not_there_is_told(workspace: Workspace) -> None:
    result = ask(workspace, "nobody")
    assert result.code == 2
    assert "nobody" in result.err
