"""Manifests: what is read, and what is not fair to score."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.accuracy import truth
from tests.accuracy.truth import Item


def one(**fields: Any) -> Item:
    return truth.item({"id": "src_a_b", "file": "a.wav", "truth": fields}, Path("folder"))


def test_an_item_with_everything() -> None:
    item = one(
        bpm=100.0,
        beats=[1.2, 0.0, 0.6],
        downbeats=[0.0],
        beats_phase_check="on-grid",
        meter="3/4",
        key="F# minor",
        chords=[[2, 4, "G7"], [0, 2, "Am"], [4, 4, "C"]],
        sections=[[0, 10, "i"], [10, 20, "A"]],
    )
    assert (item.id, item.source, item.path) == ("src_a_b", "src", Path("folder/a.wav"))
    assert item.beats_s is not None
    assert item.beats_s.tolist() == [0.0, 0.6, 1.2]
    assert item.chords is not None
    assert item.sections is not None
    assert item.chords.intervals_s.tolist() == [[0, 2], [2, 4]]
    assert item.chords.labels == ("A:min", "G:7")
    assert item.sections.labels == ("i", "A")
    assert (item.bpm, item.is_steady, item.key, item.metres, item.left_out) == (100.0, True, "F# minor", (3,), {})


def test_an_item_with_nothing() -> None:
    assert one() == Item("src_a_b", Path("folder/a.wav"), "src")
    assert truth.item({"file": "x_y.ogg"}, Path()).id == "x_y"


def test_what_people_disagree_about_is_left_out_and_counted() -> None:
    ambiguous = one(bpm=70.0, bpm_octave_ambiguous=True)
    off_grid = one(bpm=70.0, beats=[0.0, 1.0], downbeats=[0.0], beats_phase_check="offbeat-dominant")
    unchecked = one(beats=[0.0, 1.0])
    unsure = one(key="C major", key_reliability="low")
    assert ambiguous.bpm is None
    assert (off_grid.bpm, off_grid.beats_s, off_grid.downbeats_s) == (70.0, None, None)
    assert unchecked.beats_s is None
    assert unsure.key is None
    assert one(bpm=70.0, bpm_octave_ambiguous=False).bpm == 70.0
    assert one(key="C major", key_reliability="high").key == "C major"
    assert truth.left_out([ambiguous, off_grid, off_grid, unchecked, unsure]) == {
        "tempo": {"octave ambiguous": 1},
        "beats": {"offbeat-dominant": 2, "phase not checked": 1},
        "key": {"reliability low": 1},
    }


def test_a_mean_tempo_is_marked() -> None:
    assert not one(bpm=84.0, bpm_constant=False).is_steady
    assert one(bpm=84.0, bpm_constant=True).is_steady


@pytest.mark.parametrize(
    ("fields", "metres"),
    [
        ({"meter": "4/4"}, (4,)),
        ({"meter": "5/4"}, (5,)),
        ({"meter": "6/8"}, (6, 2)),
        ({"meter": "12/8"}, (12, 4)),
        ({"meter": "3/8"}, (3,)),
        ({"meter": "7/8"}, (7,)),
        ({"meter": None}, ()),
        ({"meter": "free"}, ()),
        # Beats and downbeats say it better: six eighths counted as two beats.
        ({"meter": "6/8", "beats": [0, 1, 2, 3, 4], "downbeats": [0, 2, 4]}, (2,)),
        ({"beats": [0.01, 1, 2, 2.98, 4], "downbeats": [0, 3]}, (3,)),
    ],
)
def test_beats_a_bar(fields: dict[str, Any], metres: tuple[int, ...]) -> None:
    assert one(**fields).metres == metres


def test_a_song_that_is_there_twice_is_scored_once(tmp_path: Path) -> None:
    entries = [
        {"id": name, "file": f"{name}.wav", "truth": {"bpm": 120.0, "key": "C major"}}
        for name in ("a_1", "full_a_1", "full_b", "c_1")
    ]
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps(entries))
    items = {item.id: item for item in truth.read(manifest)}
    assert [name for name, item in items.items() if item.bpm] == ["a_1", "full_b", "c_1"]
    assert items["full_a_1"].key is None
    assert truth.left_out(items.values())["key"] == {"the same song again": 1}
    assert [item.id for item in truth.read(manifest, only="^full")] == ["full_a_1", "full_b"]
    manifest.write_text(json.dumps({"items": entries}))
    assert len(truth.read(manifest)) == 4
