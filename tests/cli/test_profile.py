"""`linernotes profile`: what there is, and making one of tracks and of files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processor import catalogue
from processor.feedback.own import LEAST_HALF_WIDTH, read_profile
from processor.feedback.profiles import Corridor
from processor.feedback.tone import CENTRES_HZ
from processor.library import Track
from processor.workspace import Workspace
from tests import libraries, signals, workspaces
from tests.workspaces import Result, command

THIRDS_HZ = 10 ** (np.arange(13, 44) / 10)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Four techno tracks of −12 to −9 LUFS that a person rated 1 to 4, and one of jazz."""
    workspace = Workspace(tmp_path_factory.mktemp("library") / "home")
    for number in range(4):
        libraries.say(_track(workspace, f"t{number}.wav", -12.0 + number, "Techno"), rating=number + 1)
    _track(workspace, "jazz.wav", -20.0, "Jazz")
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        catalogue.synchronise(workspace, connection)
        catalogue.publish_snapshot(workspace, connection)
    return workspace


def _track(workspace: Workspace, name: str, lufs: float, genre: str) -> Track:
    return libraries.make_track(
        workspace,
        name,
        loudness__integrated_lufs=lufs,
        metadata__genre=genre,
        spectrum__third_octaves_db=-20 - 10 * np.log10(THIRDS_HZ / 20),
        spectrum__centres_hz=THIRDS_HZ,
        spectrum__lossy_cutoff_hz=None,
    )


@pytest.fixture
def workspace(library: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(library.home, tmp_path / "home")
    return Workspace(tmp_path / "home")


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two songs, a picture and silence."""
    folder = tmp_path_factory.mktemp("songs")
    for seed in range(2):
        signals.write_wav(folder / f"song{seed}.wav", signals.song(7, seed=seed), subtype="PCM_16")
    (folder / "cover.jpg").write_bytes(b"\xff\xd8\xff" + b"picture" * 100)
    return folder


def make(workspace: Workspace, *words: str | Path) -> Result:
    return command("profile", "make", *words, "--home", workspace.home)


def kept(workspace: Workspace, name: str = "mine") -> Path:
    return workspace.library / "profiles" / f"{name}.toml"


def test_all_profiles_are_listed(tmp_path: Path) -> None:
    result = command("profile", "list", "--home", tmp_path, "--json")
    assert (result.code, result.err) == (0, "")
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert rows[0]["name"] == "general"
    assert {"name": "techno", "title": "Techno", "tracks": 0, "confidence": "inferred"}.items() <= next(
        row for row in rows if row["name"] == "techno"
    ).items()
    assert all(row["source"] for row in rows)
    table = command("profile", "list", "--home", tmp_path)
    assert len(table.out.splitlines()) == len(rows) + 2
    assert table.out.splitlines()[2].startswith("general ")


def test_one_profile_is_shown(tmp_path: Path) -> None:
    result = command("profile", "show", "general", "--home", tmp_path)
    assert (result.code, result.err) == (0, "")
    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    assert lines[0] == "General (general)"
    assert "loudness.integrated_lufs −18.5 −11.0 −7.5 LUFS" in lines
    assert [line for line in lines if line.startswith("31.5 Hz")]
    assert "1 kHz −6.5 −2.0 2.5 dB" in lines
    assert sum(line.endswith(" dB") and "Hz " in line for line in lines) == len(CENTRES_HZ)


def test_a_profile_is_shown_to_programs_by_any_of_its_names(tmp_path: Path) -> None:
    result = command("profile", "show", "Drum'n'Bass", "--home", tmp_path, "--json")
    facts = json.loads(result.out)
    assert facts["name"] == "drum-and-bass"
    assert facts["ranges"]["levels.dr"] == {"low": 4, "middle": 5, "high": 8}
    assert [len(facts[key]) for key in ("centres_hz", "tone_low_db", "tone_middle_db", "tone_high_db")] == [29] * 4


def test_a_profile_that_there_is_not_has_a_near_one(tmp_path: Path) -> None:
    result = command("profile", "show", "tecno", "--home", tmp_path)
    assert (result.code, result.out) == (2, "")
    assert "There is no profile `tecno`; did you mean `techno`?" in result.err


def test_a_broken_file_is_told_and_not_passed_over(workspace: Workspace) -> None:
    kept(workspace).parent.mkdir()
    kept(workspace).write_text("[[")
    result = command("profile", "list", "--home", workspace.home)
    assert result.code == 2
    assert str(kept(workspace)) in result.err


def test_a_query_makes_a_profile(workspace: Workspace) -> None:
    result = make(workspace, "mine", "--where", "genre = 'Techno' AND rating >= 2 -- the good ones", "--title", "Good")
    assert (result.code, result.err) == (0, "")
    assert result.out == f"Made {kept(workspace)} of 3 tracks.\n"
    made = read_profile(kept(workspace))
    assert (made.title, made.tracks, made.confidence) == ("Good", 3, "measured")
    assert made.source.endswith(": tracks WHERE genre = 'Techno' AND rating >= 2 -- the good ones")
    assert made.ranges["loudness.integrated_lufs"] == Corridor(-11, -10, -9)
    listed = [
        json.loads(line) for line in command("profile", "list", "--home", workspace.home, "--json").out.split("\n")[:-1]
    ]
    assert listed[-1]["name"] == "mine"
    assert command("profile", "show", "mine", "--home", workspace.home).out.startswith(
        "Good (mine)\n  measured, 3 tracks:"
    )


def test_made_again_it_is_the_same_and_replaced(workspace: Workspace) -> None:
    make(workspace, "mine", "--where", "genre = 'Techno'")
    first = kept(workspace).read_bytes()
    make(workspace, "mine", "--where", "genre = 'Techno'")
    assert kept(workspace).read_bytes() == first
    make(workspace, "mine", "--where", "genre = 'Techno' AND rating > 1")
    assert kept(workspace).read_bytes() != first
    assert [path.name for path in kept(workspace).parent.iterdir()] == ["mine.toml"]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("genre = ", ["--where: ", "DESCRIBE tracks"]),
        ("zenre = 'x'", ["zenre", "DESCRIBE tracks"]),
        ("true); SELECT (1", ["one condition", "semicolon"]),
        ("genre = 'Jazz'", ["1 track of the library", "needs 3"]),
        ("genre = 'Techno' AND rating > 2", ["2 tracks of the library", "needs 3"]),
        ("false", ["0 tracks of the library"]),
        ("", ["--where: "]),
    ],
)
def test_a_query_that_makes_none_is_told(where: str, words: list[str], workspace: Workspace) -> None:
    result = make(workspace, "mine", "--where", where)
    assert (result.code, result.out) == (2, "")
    for part in words:
        assert part in result.err
    assert not kept(workspace).exists()


def test_tracks_without_a_balance_do_not_count(workspace: Workspace) -> None:
    """Of four, two are silent: what is left is too little for a query."""
    from dataclasses import replace

    from processor import library as lib
    from processor import record
    from processor.analysis import result_types

    for track in [one for one in lib.tracks(workspace) if one.id.startswith(("t0", "t1"))]:
        found = record.read(track.folder, result_types())
        silent = replace(found.results["spectrum"], third_octaves_db=np.full(31, np.nan))
        record.write(replace(found, results={**found.results, "spectrum": silent}), track.folder)
    result = make(workspace, "mine", "--where", "genre = 'Techno'")
    assert result.code == 2
    assert "2 tracks" in result.err


def test_a_record_that_cannot_be_read_is_left_out_and_told(workspace: Workspace) -> None:
    from processor import library as lib

    broken = next(one for one in lib.tracks(workspace) if one.id.startswith("t0"))
    (broken.folder / "record.json").write_text("{")
    result = command("profile", "make", "mine", "--where", "genre = 'Techno'", "--home", workspace.home, "--json")
    assert result.code == 3
    facts: dict[str, Any] = json.loads(result.out)
    assert (facts["name"], facts["tracks"], facts["path"]) == ("mine", 3, str(kept(workspace)))
    [left_out] = facts["left_out"]
    assert left_out["name"] == broken.id
    assert "is not a record" in left_out["reason"]


def test_without_a_catalogue_the_way_out_is_told(tmp_path: Path) -> None:
    result = make(workspaces.empty(tmp_path), "mine", "--where", "true")
    assert result.code == 1
    assert "linernotes rebuild" in result.err


def test_a_broken_catalogue_is_not_blamed_on_the_query(workspace: Workspace) -> None:
    workspace.catalogue.write_bytes(b"no database" * 1000)
    result = make(workspace, "mine", "--where", "true")
    assert result.code == 1
    assert "linernotes rebuild" in result.err


def test_one_file_makes_a_profile(tmp_path: Path, songs: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    result = make(workspace, "mine", songs / "song0.wav")
    assert (result.code, result.err) == (0, "")
    made = read_profile(kept(workspace))
    assert (made.title, made.tracks) == ("Mine", 1)
    assert made.source.endswith(": song0.wav")
    assert set(made.ranges) == set(LEAST_HALF_WIDTH)
    assert list(workspace.library.rglob("record.json")) == []  # nothing is stored
    assert (songs / "song0.wav").is_file()


def test_a_folder_makes_a_profile_of_the_sound_in_it(tmp_path: Path, songs: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    result = make(workspace, "two-songs", songs)
    assert (result.code, result.err) == (0, "")
    made = read_profile(kept(workspace, "two-songs"))
    assert (made.title, made.tracks) == ("Two songs", 2)
    assert "song0.wav" in made.source
    assert "song1.wav" in made.source


def test_what_cannot_be_analysed_is_left_out_and_told(tmp_path: Path, songs: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    result = make(workspace, "mine", songs / "song0.wav", songs / "cover.jpg", tmp_path / "nowhere.wav")
    assert result.code == 3
    assert "Left out: cover.jpg: " in result.err
    assert f"Left out: {tmp_path / 'nowhere.wav'}: No such file" in result.err
    assert read_profile(kept(workspace)).tracks == 1


def test_silence_makes_none(tmp_path: Path) -> None:
    signals.write_wav(tmp_path / "silence.wav", signals.silence(2))
    workspace = workspaces.empty(tmp_path)
    result = make(workspace, "mine", tmp_path / "silence.wav")
    assert result.code == 2
    assert "too little sounds" in result.err
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no sound to make a profile of" in make(workspace, "mine", empty).err
    assert not kept(workspace).exists()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["My Kind", "--where", "true"], "`my-kind`, say"),
        (["../evil", "--where", "true"], "a to z"),
        (["mine"], "one of the two"),
        (["mine", "--where", "true", "x.wav"], "one of the two"),
    ],
)
def test_what_makes_no_sense_is_told(words: list[str], part: str, workspace: Workspace) -> None:
    result = make(workspace, *words)
    assert (result.code, result.out) == (2, "")
    assert part in result.err


def test_a_workspace_is_needed_to_keep_one(tmp_path: Path, songs: Path) -> None:
    result = command("profile", "make", "mine", songs, "--home", tmp_path / "none")
    assert result.code == 1
    assert "linernotes init" in result.err


@pytest.mark.parametrize("name", ["list", "show", "make"])
def test_each_has_help_with_examples(name: str) -> None:
    result = command("profile", name, "--help")
    assert result.code == 0
    assert f"linernotes profile {name}" in result.out.split("Examples:")[1]
    assert "--home DIR" in result.out
    assert "--json" in result.out
