"""Which tracks are bounces of one song."""

from __future__ import annotations

import json
from typing import Any

import pytest

from processor import catalogue, library
from processor.analysis.fingerprint import Fingerprint
from processor.feedback import revisions
from processor.feedback.revisions import ALONE, FIELD, song_name
from processor.library import Track
from processor.workspace import Workspace
from tests.libraries import make_track, say
from tests.test_same import invented


@pytest.mark.parametrize(
    ("name", "song"),
    [
        ("Night Bus.wav", "night bus"),
        ("Night Bus v2.wav", "night bus"),
        ("night_bus-v12b_FINAL.flac", "night bus"),
        ("NightBus_MixFinal2.wav", "night bus"),
        ("Night Bus (Master 24bit 48k).aiff", "night bus"),
        ("Night Bus 2026-11-20.wav", "night bus"),
        ("Night Bus (2)", "night bus"),
        ("Night Bus -14lufs.wav", "night bus"),
        ("mix 3.wav", "mix"),
        ("01.wav", "01"),
        ("Night Bus (Instrumental).wav", "night bus instrumental"),
        ("Night Bus (Kev Remix) v2.wav", "night bus kev remix"),
        ("Night Bus radio edit.mp3", "night bus radio edit"),
        ("Vision.wav", "vision"),
        ("Überfahrt v2.wav", "überfahrt"),
        ("夜行バス mix2.wav", "夜行バス"),
        ("", ""),
        ("...", ""),
    ],
)
def test_a_name_without_what_tells_bounces_apart(name: str, song: str) -> None:
    assert song_name(name) == song


class Shelf:
    """A library of invented recordings, and what is derived from it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.ids: dict[str, Track] = {}

    def add(self, name: str, sound: Fingerprint, day: int = 1, **changes: Any) -> Track:
        made = make_track(self.workspace, name, day=f"2026/11/{day:02d}", results={"fingerprint": sound}, **changes)
        self.ids[made.id] = made
        return made

    def revisions(self) -> dict[str, tuple[str, int, str | None]]:
        with self.workspace.write_lock(), catalogue.opened(self.workspace) as connection:
            tracks = catalogue.synchronise(self.workspace, connection).all_tracks
            revisions.note_revisions(connection, tracks)
            rows = connection.execute("SELECT track, song, number, previous FROM revisions ORDER BY song, number")
            return {track: (song, number, previous) for track, song, number, previous in rows.fetchall()}


@pytest.fixture
def shelf(workspace: Workspace) -> Shelf:
    return Shelf(workspace)


def test_a_later_bounce_is_the_next_revision(shelf: Shelf) -> None:
    first = shelf.add("song.wav", invented(1), 1).id
    third = shelf.add("song v3.wav", invented(1, keep=0.85), 3).id
    second = shelf.add("Song_v2 final.flac", invented(1, keep=0.9), 2).id
    shelf.add("other.wav", invented(2), 4)
    assert shelf.revisions() == {
        first: (first, 1, None),
        second: (first, 2, first),
        third: (first, 3, second),
    }


@pytest.mark.parametrize(
    "names",
    [
        ("Bus.wav", "Bus v2.wav", "Bus v9.wav", "Bus v10.wav"),
        ("bus mix1.wav", "bus-mix2.flac", "Bus Mix 3 final.wav", "bus_mix12.wav"),
        ("bus v1.1.wav", "bus v1 rev2.wav", "bus v2 rev1.wav", "bus v2 rev10.wav"),
    ],
)
def test_bounces_that_come_together_are_in_the_order_of_their_versions(shelf: Shelf, names: tuple[str, ...]) -> None:
    made = {name: shelf.add(name, invented(1)).id for name in sorted(names, reverse=True)}
    found = shelf.revisions()
    assert [found[made[name]][1] for name in names] == [1, 2, 3, 4]
    assert found[made[names[3]]][2] == made[names[2]]


def test_without_versions_the_file_that_was_written_first_is_first(shelf: Shelf) -> None:
    tracks = [shelf.add(f"bus {word}.wav", invented(1)) for word in ("final", "rough", "master")]
    for track, written in zip(tracks, (2, 1, 3), strict=True):
        arrival = {"at": "2026-11-20T06:30:00+00:00", "path": "x", "size": 1, "mtime_ns": written, "ctime_ns": 1}
        (track.folder / "drops.jsonl").write_text(json.dumps(arrival) + "\n")
    found = shelf.revisions()
    assert [found[track.id][1] for track in tracks] == [2, 1, 3]


def test_every_bounce_but_the_first_has_a_reason(shelf: Shelf) -> None:
    late = shelf.add("bus v2.wav", invented(1), 1)
    first = shelf.add("bus v1.wav", invented(1, keep=0.9), 2)
    shelf.revisions()
    with shelf.workspace.write_lock(), catalogue.opened(shelf.workspace) as connection:
        reasons = dict(connection.execute("SELECT track, reason FROM revisions").fetchall())
    assert reasons[first.id] == "the first bounce"
    assert "alike in sound" in reasons[late.id]


def test_a_name_alone_is_not_enough(shelf: Shelf) -> None:
    shelf.add("mix.wav", invented(1), 1)
    shelf.add("mix 2.wav", invented(2), 2)
    assert shelf.revisions() == {}


def test_sound_alone_is_not_enough(shelf: Shelf) -> None:
    shelf.add("song.wav", invented(1), 1)
    shelf.add("song instrumental.wav", invented(1, keep=0.8), 2)
    assert shelf.revisions() == {}


def test_two_songs_of_one_name_are_two(shelf: Shelf) -> None:
    a1 = shelf.add("mix.wav", invented(1), 1).id
    b1 = shelf.add("mix 2.wav", invented(2), 2).id
    a2 = shelf.add("mix 3.wav", invented(1, keep=0.9), 3).id
    b2 = shelf.add("mix 4.wav", invented(2, keep=0.9), 4).id
    found = shelf.revisions()
    assert found == {a1: (a1, 1, None), a2: (a1, 2, a1), b1: (b1, 1, None), b2: (b1, 2, b1)}


def test_the_tagged_title_is_a_name_too(shelf: Shelf) -> None:
    first = shelf.add("bounce-0412.wav", invented(1), 1, metadata__title="Night Bus").id
    second = shelf.add("Night Bus v2.wav", invented(1, keep=0.9), 2).id
    assert set(shelf.revisions()) == {first, second}


def test_a_person_links_and_unlinks(shelf: Shelf) -> None:
    first = shelf.add("song.wav", invented(1), 1)
    second = shelf.add("song v2.wav", invented(1, keep=0.9), 2)
    rewritten = shelf.add("completely new.wav", invented(2), 3)
    say(rewritten, **{FIELD: first.id})
    assert shelf.revisions()[rewritten.id] == (first.id, 3, second.id)
    say(second, **{FIELD: ALONE})
    found = shelf.revisions()
    assert second.id not in found
    assert found[rewritten.id] == (first.id, 2, first.id)
    say(rewritten)
    assert shelf.revisions() == {}
    say(second)
    assert set(shelf.revisions()) == {first.id, second.id}


def test_a_link_to_a_newer_track_holds(shelf: Shelf) -> None:
    old = shelf.add("sketch.wav", invented(1), 1)
    new = shelf.add("finished.wav", invented(2), 2)
    say(old, **{FIELD: new.id})
    assert shelf.revisions() == {old.id: (old.id, 1, None), new.id: (old.id, 2, old.id)}


def test_a_link_to_what_is_gone_does_no_harm(shelf: Shelf) -> None:
    say(shelf.add("song.wav", invented(1)), **{FIELD: "gone-12345678"})
    assert shelf.revisions() == {}


def test_when_a_bounce_is_taken_away_the_others_move_up(shelf: Shelf) -> None:
    first = shelf.add("song.wav", invented(1), 1)
    second = shelf.add("song v2.wav", invented(1, keep=0.9), 2)
    third = shelf.add("song v3.wav", invented(1, keep=0.85), 3)
    shelf.revisions()
    first.folder.rename(shelf.workspace.home / "away")
    assert shelf.revisions() == {second.id: (second.id, 1, None), third.id: (second.id, 2, second.id)}
    second.folder.rename(shelf.workspace.home / "away too")
    assert shelf.revisions() == {}


def test_a_name_that_many_share_needs_its_numbers(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "MAX_NAMESAKES", 3)
    tracks = [shelf.add(f"Audio Track {number:02d}.wav", invented(1), number) for number in range(1, 5)]
    later = shelf.add("Audio Track 02 mix2.wav", invented(1, keep=0.9), 9)
    assert set(shelf.revisions()) == {tracks[1].id, later.id}
    monkeypatch.setattr(revisions, "MAX_NAMESAKES", 5)
    assert len(shelf.revisions()) == 5


def test_a_name_that_says_nothing_even_with_numbers_is_not_compared(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisions, "MAX_NAMESAKES", 2)
    for day in range(1, 5):
        shelf.add(f"mix v{day}.wav", invented(1), day)
    assert shelf.revisions() == {}


def test_sounds_are_compared_once(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2):
        shelf.add(f"song v{number}.wav", invented(1), number)
    before = shelf.revisions()

    def refuse(*_: object) -> None:
        raise AssertionError("compared again")

    monkeypatch.setattr(revisions, "revisions", refuse)
    shelf.add("other.wav", invented(3), 5)
    assert shelf.revisions() == before


def test_the_view_says_which_bounce_a_track_is(shelf: Shelf) -> None:
    for number in (1, 2):
        shelf.add(f"song v{number}.wav", invented(1), number)
    shelf.revisions()
    with shelf.workspace.write_lock(), catalogue.opened(shelf.workspace) as connection:
        rows = connection.execute("SELECT name, revision FROM tracks ORDER BY 1").fetchall()
    assert rows == [("song v1.wav", 1), ("song v2.wav", 2)]
    assert len(library.tracks(shelf.workspace)) == 2
