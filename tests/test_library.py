"""The library: where things are kept, under which names, and how they are found again."""

from __future__ import annotations

import json
import re
import shutil
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from processor import library
from processor.errors import RecordError, WrongUsage
from processor.library import Arrival, Track
from processor.pipeline import publish
from processor.record import ARRAYS_NAME, RECORD_NAME, Record
from processor.workspace import Workspace
from tests.faults.doubles import names

ARRIVAL = Arrival("2026-01-02T03:04:05+00:00", "album/song.wav", 3, 10, 20)


def staged(workspace: Workspace, sha256: str, content: bytes = b"abc", name: str = "song.wav") -> Path:
    folder = workspace.work / "staged" / "track"
    folder.mkdir(parents=True)
    (folder / library.source_name(name)).write_bytes(content)
    library.fill_folder(folder, Record("track", sha256, name), ARRIVAL)
    return folder


def placed(workspace: Workspace, sha256: str, name: str = "song.wav") -> Track:
    return library.place(workspace, staged(workspace, sha256, name=name), name, sha256)


HASH = "12345678" + "ab" * 28


def test_a_track_is_placed_under_its_day_slug_and_hash(workspace: Workspace) -> None:
    track = placed(workspace, HASH, "Grün No. 1.WAV")
    assert track.folder.relative_to(workspace.library).as_posix() == f"{datetime.now():%Y/%m/%d}/grun-no-1-12345678"
    assert (track.id, track.short_hash, track.added) == ("grun-no-1-12345678", "12345678", datetime.now().date())
    assert track.source == track.folder / "grun-no-1.wav"
    assert library.content_hash(track) == HASH
    assert library.arrivals(track) == [ARRIVAL]
    assert library.tracks(workspace) == [track]
    assert names(workspace.work / "staged") == []


def test_two_contents_whose_hashes_begin_alike_are_two_tracks(workspace: Workspace) -> None:
    hashes = [HASH, HASH[:20] + "0" * 44, HASH[:8] + "1" * 56]
    found = [placed(workspace, sha256) for sha256 in hashes]
    assert [track.id for track in found] == ["song-12345678", "song-12345678a", "song-123456781"]
    assert [library.find(workspace, sha256) for sha256 in hashes] == found


def test_no_two_days_have_a_track_of_one_name(workspace: Workspace) -> None:
    """The catalogue and the pages know a track by its folder's name alone."""
    first = placed(workspace, HASH)
    yesterday = workspace.library / "2020" / "02" / "29"
    yesterday.mkdir(parents=True)
    first.folder.rename(yesterday / first.id)
    second = placed(workspace, HASH[:20] + "0" * 44)
    assert second.id == "song-12345678a"
    assert [track.id for track in library.tracks(workspace)] == ["song-12345678", "song-12345678a"]


def test_a_copy_of_a_folder_under_another_day_is_passed_over(workspace: Workspace) -> None:
    track = placed(workspace, HASH)
    shutil.copytree(track.folder, workspace.library / "2999" / "01" / "01" / track.id)
    assert library.tracks(workspace) == [track]
    publish(workspace)


def test_only_what_looks_like_a_track_is_one(workspace: Workspace) -> None:
    good = placed(workspace, HASH)
    day = good.folder.parent
    for name in ("Song-12345678", "song", "song-1234567", "song-1234567g", ".song-12345678", "x" * 61 + "-12345678"):
        (day / name).mkdir()
    for odd in ("2026/02/31/a-12345678", "2026/13/01/a-12345678", "2026/1/1/a-12345678", "abcd/01/01/a-12345678"):
        (workspace.library / odd).mkdir(parents=True)
    (workspace.library / "²⁰²⁶").mkdir()
    (workspace.library / "2025").write_text("no folder")
    (workspace.library / "2024" / "12").mkdir(parents=True)
    (workspace.library / "2024" / "12" / "24").write_text("no folder")
    assert library.tracks(workspace) == [good]


def test_an_empty_or_missing_library_has_no_tracks(tmp_path: Path) -> None:
    assert library.tracks(Workspace(tmp_path / "none")) == []


def test_tracks_come_oldest_day_first(workspace: Workspace) -> None:
    for day in ("2026/01/02", "2025/12/31", "2026/01/01"):
        (workspace.library / day / f"a-{day[-2:]}345678").mkdir(parents=True)
    assert [track.added for track in library.tracks(workspace)] == [
        date(2025, 12, 31),
        date(2026, 1, 1),
        date(2026, 1, 2),
    ]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("song.wav", "song.wav"),
        ("album/My Song.FLAC", "my-song.flac"),
        ("../../etc/passwd", "passwd"),
        ("-rf.mp3", "rf.mp3"),
        ("record.json", "source-record.json"),
        ("person.json", "source-person.json"),
        ("drops.jsonl", "source-drops.jsonl"),
        ("report.md", "source-report.md"),
        ("report", "source-report"),
        ("Arrays.NPZ", "source-arrays.npz"),
        ("\u202egnp.wav", "gnp.wav"),
        ("曲.wav", "untitled.wav"),
        ("a\nb.wav", "a-b.wav"),
        ("x.wav.", "x-wav"),
        ("x.wav ", "x"),
        ("x.<script>", "x"),
        ("no suffix", "no-suffix"),
        ("e" * 250 + ".wav", "e" * 60 + ".wav"),
    ],
)
def test_source_name_does_no_harm(name: str, kept: str) -> None:
    assert library.source_name(name) == kept
    assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9]{1,8})?", kept)


@pytest.mark.parametrize("name", ["record.json", "person.json", "drops.jsonl", "report.md", "arrays.npz"])
def test_a_sound_named_like_one_of_our_files_is_still_the_source(workspace: Workspace, name: str) -> None:
    track = placed(workspace, HASH, name)
    assert track.source is not None
    assert track.source.read_bytes() == b"abc"


def test_what_a_person_puts_into_a_folder_is_not_the_source(workspace: Workspace) -> None:
    track = placed(workspace, HASH)
    for name in ("cover.jpg", "a.txt", "zz.wav", ".hidden"):
        (track.folder / name).write_text("mine")
    assert track.source == track.folder / "song.wav"
    track.source.unlink()
    assert track.source is None


def test_a_lost_or_damaged_source_is_put_back(workspace: Workspace, tmp_path: Path) -> None:
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # of b"abc"
    track = placed(workspace, sha256)
    assert library.has_source(track, sha256)
    for damage in ("lost", "damaged"):
        assert track.source is not None
        if damage == "lost":
            track.source.unlink()
        else:
            track.source.write_bytes(b"abd")
        assert not library.has_source(track, sha256)
        copy = workspace.work / "song-again.wav"
        copy.write_bytes(b"abc")
        library.restore_source(track, copy)
        assert library.has_source(track, sha256)
        assert names(track.folder) == ["drops.jsonl", "record.json", "song.wav"]


@pytest.mark.parametrize("broken", ["", "{", "[]", "{}", '{"sha256": 5}', "\xff"])
def test_a_broken_record_is_found_by_nobody(workspace: Workspace, broken: str) -> None:
    track = placed(workspace, HASH)
    (track.folder / RECORD_NAME).write_bytes(broken.encode("latin-1"))
    assert library.content_hash(track) is None
    assert library.find(workspace, HASH) is None


def test_the_same_bytes_can_be_stored_again_beside_a_broken_record(workspace: Workspace) -> None:
    (placed(workspace, HASH).folder / RECORD_NAME).write_text("{")
    again = placed(workspace, HASH)
    assert again.id == "song-12345678a"
    assert library.find(workspace, HASH) == again


def test_resolve_finds_by_id_and_by_the_beginning_of_id_or_hash(workspace: Workspace) -> None:
    one = placed(workspace, HASH, "morning tape.wav")
    two = placed(workspace, "feed" + "0" * 60, "morning.wav")
    assert library.resolve(workspace, one.id) == one
    assert library.resolve(workspace, "morning-t") == one
    assert library.resolve(workspace, "1234") == one
    assert library.resolve(workspace, "feed0000") == two
    with pytest.raises(WrongUsage, match="fits 2 tracks: morning-feed0000, morning-tape-12345678"):
        library.resolve(workspace, "morn")
    assert library.resolve(workspace, "morning") == two, "the whole name, and not only how another begins"
    for nothing in ("123", "evening", "tape", "ee", ""):
        with pytest.raises(WrongUsage, match="No track is called"):
            library.resolve(workspace, nothing)


def test_resolve_takes_an_id_that_begins_another(workspace: Workspace) -> None:
    short = placed(workspace, HASH)
    placed(workspace, HASH[:20] + "0" * 44)
    assert library.resolve(workspace, "song-12345678") == short


def test_resolve_does_not_list_a_hundred(workspace: Workspace) -> None:
    for number in range(7):
        placed(workspace, f"{number:08x}" + "0" * 56)
    with pytest.raises(WrongUsage, match=r"fits 7 tracks: .* …\. Say more"):
        library.resolve(workspace, "song")


@pytest.mark.parametrize("name", [RECORD_NAME, ARRAYS_NAME, library.PERSON_NAME, library.DROPS_NAME])
def test_the_signature_changes_with_each_file_that_is_shown(workspace: Workspace, name: str) -> None:
    track = placed(workspace, HASH)
    seen = [track.signature]
    path = track.folder / name
    for content in (b"1", b"22", None):
        path.write_bytes(content) if content else path.unlink()
        assert track.signature != seen[-1]
        seen.append(track.signature)
    (track.folder / "cover.jpg").write_text("mine")
    assert track.signature == seen[-1]


def test_the_same_drop_is_noted_once_and_another_one_again(workspace: Workspace) -> None:
    track = placed(workspace, HASH)
    assert not library.note_arrival(track, Arrival("later", *list(vars(ARRIVAL).values())[1:]))
    another = Arrival("later", "album/song.wav", 3, 11, 20)
    assert library.note_arrival(track, another)
    assert library.arrivals(track) == [ARRIVAL, another]


@pytest.mark.parametrize(
    "torn",
    [
        '{"at": "2026',
        "[1]",
        "null",
        "{}",
        '{"at": 1, "path": null, "size": 1, "mtime_ns": 1, "ctime_ns": 1}',
        '{"at": "x", "path": "p", "size": 1, "mtime_ns": 1, "ctime_ns": 1, "more": 1}',
        "\x00\x00",
        "",
    ],
)
def test_torn_and_foreign_lines_are_passed_over(workspace: Workspace, torn: str) -> None:
    track = placed(workspace, HASH)
    with (track.folder / library.DROPS_NAME).open("a") as file:
        file.write(torn)  # without an end of line, as a crash leaves it
    another = Arrival("later", "other.wav", 3, 11, 20)
    assert library.note_arrival(track, another)
    assert library.arrivals(track) == [ARRIVAL, another]


def test_arrivals_of_a_track_without_the_file(workspace: Workspace) -> None:
    track = placed(workspace, HASH)
    (track.folder / library.DROPS_NAME).unlink()
    assert library.arrivals(track) == []


def test_collection_is_the_folder_below_the_inbox() -> None:
    def of(path: str) -> str | None:
        return library.collection(Arrival("", path, 0, 0, 0))

    assert (of("song.wav"), of("album/song.wav"), of("a/b/song.wav")) == (None, "album", "a/b")


def test_a_persons_words_are_kept_and_taken_back(workspace: Workspace) -> None:
    track = placed(workspace, HASH)
    assert library.read_person(track) == {}
    library.write_person(track, {"title": "Größe", "beats.tempo_bpm": 174})
    assert library.read_person(track) == {"title": "Größe", "beats.tempo_bpm": 174}
    library.write_person(track, {})
    assert library.PERSON_NAME not in names(track.folder)
    library.write_person(track, {})


def test_writing_a_persons_words_clears_what_a_crash_left(workspace: Workspace) -> None:
    track = placed(workspace, HASH)
    (track.folder / ".person.json.999999999.tmp").write_text("{")
    library.write_person(track, {"title": "x"})
    assert [name for name in names(track.folder) if name.startswith(".")] == []


@pytest.mark.parametrize("broken", ["{", "[]", "3", "\xff"])
def test_words_that_are_no_object_are_an_error_with_a_way_out(workspace: Workspace, broken: str) -> None:
    track = placed(workspace, HASH)
    (track.folder / library.PERSON_NAME).write_bytes(broken.encode("latin-1"))
    with pytest.raises(RecordError, match="mend it by hand or delete it"):
        library.read_person(track)


def test_known_words_are_those_about_analysers() -> None:
    said = {"title": "x", "beats.tempo_bpm": 174, "beats.meter": 4, "key.name": "A minor"}
    assert library.known_words(said) == {"beats": {"tempo_bpm": 174, "meter": 4}, "key": {"name": "A minor"}}


@pytest.mark.parametrize(
    ("name", "tag", "said", "title"),
    [
        ("song.wav", None, {}, "song"),
        ("song.wav", "Tagged", {}, "Tagged"),
        ("song.wav", "Tagged", {"title": "Said"}, "Said"),
        ("song.wav", "two\nlines", {}, "two\ufffdlines"),
        (".wav", None, {}, ".wav"),
    ],
)
def test_title(name: str, tag: str | None, said: dict[str, Any], title: str) -> None:
    class Tags:
        pass

    tags = Tags()
    tags.title = tag
    assert library.title_of(name, tags, said) == title
    assert library.title_of(name, None, said) == (said.get("title") or Path(name).stem)


def test_free_bytes_needs_a_library(workspace: Workspace, tmp_path: Path) -> None:
    assert library.free_bytes(workspace) > 0
    with pytest.raises(Exception, match="cannot be reached"):
        library.free_bytes(Workspace(tmp_path / "none"))


def test_the_record_names_the_file_as_it_was_dropped(workspace: Workspace) -> None:
    track = placed(workspace, HASH, "My Song.wav")
    assert json.loads((track.folder / RECORD_NAME).read_text())["name"] == "My Song.wav"
