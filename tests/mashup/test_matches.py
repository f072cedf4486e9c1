"""A library's pairs: scored once, kept, brought up to date, and told by the catalogue."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest

from processor import catalogue, library, pipeline, record
from processor.analysis import result_types
from processor.library import Arrival, Track
from processor.mashup import matches
from processor.mashup.match import Pair
from processor.mashup.matches import TOP, best_of, bring_up_to_date, kept_matches
from processor.mashup.plan import Fit
from processor.record import Results
from processor.tables import kinds
from processor.workspace import Workspace
from tests.libraries import make_track, say

Asked = list[tuple[tuple[str, ...], tuple[str, ...]]]


def pair(vocals: str, instrumental: str, score: float = 0.5, rejected: str | None = None) -> Pair:
    fit = Fit(score, 0.8, None, 0.6, 0.7, 1.0)
    return Pair(vocals, instrumental, fit, 1.041, 1.0, 2, (1.0, 9.25), (4.0, 12.0), ("Both are in A minor.",), rejected)


class Scorer:
    """Scores pairs by a table, and notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: Asked = []
        self.score: Callable[[str, str], float] = lambda vocals, instrumental: 0.5

    def __call__(
        self,
        listed: Sequence[tuple[str, Results]],
        top: int | None = None,
        progress: Callable[[float], None] = lambda share: None,
        only: Collection[str] | None = None,
    ) -> list[Pair]:
        names = tuple(name for name, _ in listed)
        wanted = set(names if only is None else only)
        self.asked.append((names, tuple(sorted(wanted))))
        found = [
            pair(a, b, max(0.0, score), "they do not fit" if score < 0 else None)
            for a in names
            for b in names
            if a != b and {a, b} & wanted and (score := self.score(a, b)) is not None
        ]
        progress(1.0)
        return found if top is None else best_of(found, top)


@pytest.fixture
def scorer(monkeypatch: pytest.MonkeyPatch) -> Scorer:
    one = Scorer()
    monkeypatch.setattr(matches, "score_all", one)
    return one


def library_of(workspace: Workspace, *names: str) -> list[Track]:
    for name in names:
        make_track(workspace, f"{name}.wav")
    return library.tracks(workspace)


def rewrite(track: Track, **keys: str) -> None:
    """Write a record anew, with other keys of some results."""
    found = record.read(track.folder, result_types())
    record.write(replace(found, keys={**found.keys, **keys}), track.folder)


def touch(track: Track) -> None:
    path = track.folder / "record.json"
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))


def test_pairs_are_scored_once(workspace: Workspace, scorer: Scorer) -> None:
    tracks = library_of(workspace, "a", "b")
    a, b = (track.id for track in tracks)
    shares: list[float] = []
    assert bring_up_to_date(workspace, tracks, shares.append)
    assert shares == [1.0]
    assert scorer.asked == [((a, b), (a, b))]
    kept = kept_matches(workspace)
    assert set(kept.pairs) == {pair(a, b), pair(b, a)}
    assert set(kept.tracks) == {a, b}
    assert not bring_up_to_date(workspace, tracks)
    assert len(scorer.asked) == 1
    say(tracks[0], rating=5)  # nothing that a score is made of
    touch(tracks[1])
    assert not bring_up_to_date(workspace, library.tracks(workspace))
    assert len(scorer.asked) == 1


def test_only_what_is_new_or_changed_is_scored_anew(workspace: Workspace, scorer: Scorer) -> None:
    tracks = library_of(workspace, "a", "b", "c")
    bring_up_to_date(workspace, tracks)
    scorer.score = lambda vocals, instrumental: 0.7 if "d-" in vocals + instrumental else 0.1
    make_track(workspace, "d.wav")
    now = library.tracks(workspace)
    new = next(track.id for track in now if track.id.startswith("d-"))
    assert bring_up_to_date(workspace, now)
    assert scorer.asked[-1][1] == (new,)
    scores = [one.fit.score for one in kept_matches(workspace).pairs]
    assert scores == [0.7] * 6 + [0.5] * 6
    rewrite(now[0], phrases="other")
    bring_up_to_date(workspace, now)
    assert now[0].id in scorer.asked[-1][1]


def test_who_loses_one_of_its_best_is_scored_anew(workspace: Workspace, scorer: Scorer) -> None:
    """Or a track would have fewer matches each time that another goes."""
    names = [f"t{number:02d}" for number in range(TOP + 4)]
    tracks = library_of(workspace, *names)
    order = {track.id: number for number, track in enumerate(tracks)}
    scorer.score = lambda vocals, instrumental: 1 - order[instrumental] / 100 - order[vocals] / 10_000
    bring_up_to_date(workspace, tracks)
    exact = set(kept_matches(workspace).pairs)
    gone = tracks[0]
    (gone.folder / "record.json").unlink()
    left = [track for track in tracks if track is not gone]
    assert bring_up_to_date(workspace, left)
    found = set(kept_matches(workspace).pairs)
    (workspace.state / matches.NAME).unlink()
    bring_up_to_date(workspace, left)
    assert found == set(kept_matches(workspace).pairs)
    assert found != exact


def test_mixes_and_what_has_no_phrases_are_left_out(workspace: Workspace, scorer: Scorer) -> None:
    tracks = library_of(workspace, "a", "b", "mix", "short")
    by_name = {track.id.partition("-")[0]: track for track in tracks}
    library.note_arrival(by_name["mix"], Arrival("2026", "mashups/a-b-12345678/mix.flac", 1, 0, 0))
    found = record.read(by_name["short"].folder, result_types())
    results = {name: result for name, result in found.results.items() if name != "phrases"}
    record.write(replace(found, results=results), by_name["short"].folder)
    bring_up_to_date(workspace, tracks)
    assert [names for names, _ in scorer.asked] == [(by_name["a"].id, by_name["b"].id)]
    assert not bring_up_to_date(workspace, tracks)
    assert len(scorer.asked) == 1


def test_what_cannot_be_done_is_not_kept(workspace: Workspace, scorer: Scorer) -> None:
    tracks = library_of(workspace, "a", "b")
    scorer.score = lambda vocals, instrumental: -1 if vocals.startswith("a") else 0.4
    bring_up_to_date(workspace, tracks)
    assert [one.vocals[0] for one in kept_matches(workspace).pairs] == ["b"]


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"version": "x"}', '{"version": 1, "tracks": 3, "pairs": []}', "[" * 10**5]
)
def test_a_broken_cache_is_made_anew(workspace: Workspace, scorer: Scorer, content: str) -> None:
    tracks = library_of(workspace, "a", "b")
    matches.path_of(workspace).write_text(content)
    assert kept_matches(workspace) == matches.NOTHING
    assert bring_up_to_date(workspace, tracks)
    assert len(kept_matches(workspace).pairs) == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("vocals", None),
        ("instrumental", "\ud800"),
        ("fit", {"score": None}),
        ("fit", {"score": 0.5, "harmonic": "", "rhythmic": None, "room": 0, "energy": 0, "overlap": 0}),
        ("tempo_ratio", float("nan")),
        ("vocal_beats_per_beat", []),
        ("shift_semitones", 10**400),
        ("vocal_phrase", [0]),
        ("reasons", [[1]]),
        ("rejected", True),
    ],
)
def test_a_pair_that_somebody_edited_is_made_anew(
    workspace: Workspace, scorer: Scorer, field: str, value: object
) -> None:
    tracks = library_of(workspace, "a", "b")
    bring_up_to_date(workspace, tracks)
    tree = json.loads(matches.path_of(workspace).read_text())
    tree["pairs"][1][field] = value
    matches.path_of(workspace).write_text(json.dumps(tree))
    assert kept_matches(workspace) == matches.NOTHING
    bring_up_to_date(workspace, tracks)
    assert len(kept_matches(workspace).pairs) == 2


def test_a_cache_that_cannot_be_written_stops_nobody(workspace: Workspace, scorer: Scorer) -> None:
    tracks = library_of(workspace, "a", "b")
    matches.path_of(workspace).mkdir()
    bring_up_to_date(workspace, tracks)
    assert kept_matches(workspace) == matches.NOTHING


def test_the_best_of_each_track_are_kept() -> None:
    listed = [pair("a", f"i{number}", 1 - number / 10) for number in range(5)] + [pair("b", "i4", 0.05)]
    kept = best_of(listed, 2)
    assert [(one.vocals, one.instrumental) for one in kept] == [
        ("a", "i0"),
        ("a", "i1"),
        ("a", "i2"),
        ("a", "i3"),
        ("a", "i4"),
        ("b", "i4"),
    ]
    assert [one.instrumental for one in best_of([pair("a", "x", 0.1), pair("a", "x", 0.1)], 1)] == ["x"]


def rows(workspace: Workspace, sql: str) -> list[tuple[Any, ...]]:
    return catalogue.query(workspace, sql)[1]


def test_the_catalogue_has_the_pairs(workspace: Workspace, scorer: Scorer) -> None:
    tracks = library_of(workspace, "a", "b")
    pipeline.publish(workspace)
    assert rows(workspace, "SELECT count(*) FROM mashability") == [(0,)]
    scorer.score = lambda vocals, instrumental: 0.9 if vocals.startswith("a") else 0.4
    bring_up_to_date(workspace, tracks)
    pipeline.publish(workspace)
    a, b = (track.id for track in tracks)
    sql = "SELECT rank, vocals, instrumental, score, rhythmic, shift_semitones, tempo_change_percent FROM mashability"
    assert rows(workspace, f"{sql} ORDER BY rank") == [(1, a, b, 0.9, None, 2, 4.1), (2, b, a, 0.4, None, 2, 4.1)]
    assert rows(workspace, "SELECT reasons, vocal_end_s FROM mashability LIMIT 1") == [(["Both are in A minor."], 9.25)]
    pipeline.publish(workspace, rebuild=True)
    assert rows(workspace, "SELECT count(*) FROM mashability") == [(2,)]


def test_rows_of_tracks_that_are_gone_go(workspace: Workspace, scorer: Scorer) -> None:
    import shutil

    tracks = library_of(workspace, "a", "b", "c")
    bring_up_to_date(workspace, tracks)
    pipeline.publish(workspace)
    assert rows(workspace, "SELECT count(*) FROM mashability") == [(6,)]
    shutil.rmtree(tracks[0].folder)
    pipeline.publish(workspace)
    assert rows(workspace, "SELECT count(*) FROM mashability") == [(2,)]


def test_a_row_has_every_column() -> None:
    assert set(matches.pair_row(pair("a", "b"), 1)) == set(kinds("mashability"))
    bare = replace(pair("a", "b"), tempo_ratio=None, vocal_phrase=None, instrumental_phrase=None)
    row = matches.pair_row(bare, None)
    assert row["tempo_change_percent"] is None
    assert row["vocal_start_s"] is None


def test_only_what_is_needed_is_read(workspace: Workspace) -> None:
    [track] = library_of(workspace, "a")
    [(name, results)] = matches.results_of([track])
    assert name == track.id
    assert set(results) == set(matches.READ)
    (track.folder / "record.json").write_text("{")
    assert matches.results_of([track]) == []
