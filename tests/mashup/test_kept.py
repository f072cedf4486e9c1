"""Mashups in the library: what is read back, what counts as edited, and how a mix is known among the tracks."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from processor import library
from processor.errors import RecordError
from processor.library import Arrival
from processor.mashup import kept
from processor.mashup.kept import Origin, Stored, Trouble
from processor.mashup.measured import MadeFrom, Measured
from processor.mashup.plan import PlanError
from processor.mashup.plan_files import to_toml
from processor.record import Record
from processor.tables import kinds
from processor.workspace import Workspace
from tests.libraries import invented, make_track
from tests.mashup.heard import a_plan

TEXT = to_toml(a_plan(name="Night × Tide"))


def put(workspace: Workspace, text: str = TEXT, name: str = "Night × Tide", mix: bool = True) -> Stored:
    staged = workspace.work / "staged"
    (staged / "stems").mkdir(parents=True)
    (staged / "plan.toml").write_text(text, encoding="utf-8")
    for file in ("stems/vocals.flac", "stems/bass.flac", "mix.flac", "mix.cue"):
        (staged / file).write_bytes(b"sound")
    results = {
        "made_from": MadeFrom("night-11111111", "tide-22222222", None),
        "measured": invented(Measured),
        "origin": Origin("night", "asked", ("vocals night-11111111",)),
    }
    sha256 = kept.text_hash(text)
    track = make_track(workspace, f"{name} mix.flac") if mix else None
    with workspace.write_lock():
        return kept.place(workspace, staged, track, Record("mashup", sha256, name, results, {}, {}))


def test_what_is_placed_is_read_back(workspace: Workspace) -> None:
    placed = put(workspace)
    [found] = kept.stored(workspace)
    assert found.folder == placed.folder
    assert found.folder.name == f"{found.id}.mashup"
    assert found.id == f"night-tide-{kept.text_hash(TEXT)[:8]}"
    assert found.folder.parents[3] == workspace.library
    mix = library.resolve(workspace, "night-tide-mix")
    assert found.made_from == MadeFrom("night-11111111", "tide-22222222", mix.id)
    assert found.measured == invented(Measured)
    assert found.origin == Origin("night", "asked", ("vocals night-11111111",))
    assert (found.name, found.plan.name) == ("Night × Tide", "Night × Tide")
    assert [path.name for path in found.stems] == ["vocals.flac", "bass.flac"]
    assert found.mix == found.folder / "mix.flac"
    assert found.cue == found.folder / "mix.cue"
    assert found.alternatives == ()
    assert not found.is_edited
    assert kept.folders(workspace) == [found.folder]
    assert list(workspace.work.iterdir()) == []


def test_a_mashup_without_a_track_names_none(workspace: Workspace) -> None:
    assert put(workspace, mix=False).made_from.mix is None
    assert kept.stored(workspace)[0].made_from.mix is None


def test_two_of_one_name_and_hash_stay_apart(workspace: Workspace) -> None:
    first, second = put(workspace), put(workspace, mix=False)
    assert second.id == f"night-tide-{kept.text_hash(TEXT)[:9]}"
    assert {one.id for one in kept.stored(workspace)} == {first.id, second.id}


def test_an_edited_plan_is_noticed(workspace: Workspace) -> None:
    one = put(workspace)
    before = one.signature
    path = one.folder / "plan.toml"
    path.write_text(TEXT.replace("tempo_bpm = 100.0", "tempo_bpm = 101.0", 1), encoding="utf-8")
    [found] = kept.stored(workspace)
    assert found.is_edited
    assert found.signature != before
    assert found.plan.tempo_bpm == 101.0
    path.write_text("tempo_bpm = ", encoding="utf-8")
    assert kept.stored(workspace)[0].is_edited
    with pytest.raises(PlanError):
        _ = kept.stored(workspace)[0].plan
    path.write_bytes(b"\x9c\xff")
    with pytest.raises(RecordError, match="it is no text"):
        _ = kept.stored(workspace)[0].plan
    path.unlink()
    [found] = kept.stored(workspace)
    assert not found.is_edited
    with pytest.raises(RecordError, match=r"plan\.toml cannot be read"):
        _ = found.plan


def test_what_is_none_is_passed_over(workspace: Workspace) -> None:
    one = put(workspace)
    day = one.folder.parent
    (day / "empty-12345678.mashup").mkdir()
    (day / "UPPER-12345678.mashup").mkdir()
    broken = day / "broken-12345678.mashup"
    broken.mkdir()
    (broken / "record.json").write_text("{")
    other = day / "track-12345678.mashup"
    other.mkdir()
    (other / "record.json").write_text(
        (one.folder / "record.json").read_text(encoding="utf-8").replace('"mashup"', '"track"')
    )
    assert [found.id for found in kept.stored(workspace)] == [one.id]
    (one.folder / "mix.flac").unlink()
    assert kept.stored(workspace)[0].mix is None


def test_a_mix_is_known_by_how_it_arrived(workspace: Workspace) -> None:
    song = make_track(workspace, "song.wav", path="mashups/vocals/mix.flac")  # a folder that a person called so
    assert not kept.is_mix(song)
    arrival = kept.arrival_of(workspace, "Night × Tide", "ab" * 32, "2026-11-20T06:30:00+00:00", 12)
    assert arrival.path == "mashups/night-tide-abababab/mix.flac"
    assert arrival == kept.arrival_of(workspace, "Night × Tide", "ab" * 32, "2026-11-20T06:30:00+00:00", 12)
    library.note_arrival(song, arrival)
    assert kept.is_mix(song)
    library.note_arrival(song, Arrival("2026", "song.wav", 1, 2, 3))
    assert kept.is_mix(song)


def test_a_stem_is_known_by_the_folder_that_it_was_dropped_in(workspace: Workspace) -> None:
    stem = make_track(workspace, "vocals.wav", path="mashup/Two of us/vocals.wav")
    assert kept.is_supplied_stem(stem)
    (stem.folder / "stems").mkdir()
    assert not kept.is_supplied_stem(stem), "it was a whole song"
    other = make_track(workspace, "Drums.flac", path="mashup/Two of us/Drums.flac")
    assert kept.is_supplied_stem(other)
    library.note_arrival(other, Arrival("2026", "Drums.flac", 1, 2, 3))
    assert not kept.is_supplied_stem(other), "somebody dropped it as a song, too"
    assert not kept.is_supplied_stem(make_track(workspace, "song.wav", path="mashup/Two of us/song.wav"))


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("a-12345678.over.b-23456789.mp3", ("a-12345678", "b-23456789")),
        ("a-12345678.mp3", None),
        ("a-12345678.vocals-12345678.mp3", None),
        ("a-12345678.over.b-23456789.mp3.tmp", None),
        ("../a-12345678.over.b-23456789.mp3", None),
    ],
)
def test_a_preview_is_named_by_its_pair(name: str, pair: tuple[str, str] | None) -> None:
    assert kept.pair_of_preview(name) == pair
    if pair is not None:
        assert kept.preview_name(*pair) == name


def test_no_other_preview_has_such_a_name() -> None:
    from processor.site import media, stems

    name = kept.preview_name("a-12345678", "b-23456789")
    assert media._OURS.fullmatch(name) is None
    assert stems._OURS.fullmatch(name) is None


def test_troubles_are_kept_and_only_save_work(workspace: Workspace) -> None:
    assert kept.troubles(workspace) == {}
    found = {"mashup/one": Trouble("It has no stems.", "1"), "x.mashup/plan.toml": Trouble("No plan.", "2")}
    kept.note_troubles(workspace, found)
    assert kept.troubles(workspace) == found
    path = workspace.state / kept.TROUBLES_NAME
    before = path.stat().st_mtime_ns
    kept.note_troubles(workspace, found)
    assert path.stat().st_mtime_ns == before
    for content in ("{", "[1]", "[" * 10**5, json.dumps({"a": {"reason": "x"}}), json.dumps({"a": 3})):
        path.write_text(content)
        assert kept.troubles(workspace) == {}
    kept.note_troubles(workspace, {"a": Trouble("x", "")})
    path.unlink()
    path.mkdir()
    kept.note_troubles(workspace, {"b": Trouble("x", "")})  # it cannot be written, and nobody minds
    assert kept.troubles(workspace) == {}


def test_a_plan_of_any_size_is_read_up_to_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RecordError):
        kept.read_plan_text(path)
    with pytest.raises(RecordError):
        kept.read_plan_text(tmp_path)
    path.write_text("ä = 1", encoding="utf-8")
    assert kept.read_plan_text(path) == "ä = 1"
    assert kept.text_hash("a") != kept.text_hash("b")


def test_what_is_no_file_is_neither_plan_nor_sound(workspace: Workspace) -> None:
    one = put(workspace)
    (one.folder / "plan.toml").unlink()
    os.mkfifo(one.folder / "plan.toml")
    (one.folder / "stems/drums.flac").mkdir()
    (one.folder / "stems/other.flac").symlink_to("nowhere.flac")
    [found] = kept.stored(workspace)
    assert not found.is_edited
    with pytest.raises(RecordError, match="no file"):
        found.plan_text  # noqa: B018 - it reads
    assert [path.name for path in found.stems] == ["vocals.flac", "bass.flac"]
    assert found.signature


def test_the_catalogue_has_the_numbers_of_a_mashup(workspace: Workspace) -> None:
    from processor.mashup.matches import mashup_row

    one = put(workspace)
    row = mashup_row(workspace, one)
    assert set(row) == set(kinds("mashups"))
    assert row["vocal_shift_semitones"] == one.plan.vocal_shift_semitones
    assert row["integrated_lufs"] == one.measured.integrated_lufs
    assert row["folder"] == one.folder.relative_to(workspace.library).as_posix()
    (one.folder / "plan.toml").write_text("nonsense")
    short = mashup_row(workspace, replace(one))
    assert "planned_tempo_bpm" not in short
    assert short["track"] == one.made_from.mix
