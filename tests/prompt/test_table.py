"""Prompts in the catalogue."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from processor import catalogue
from processor.library import Track
from processor.prompt import table
from processor.prompt.table import note_prompts, rows_of
from processor.record import RECORD_NAME
from processor.workspace import Workspace
from tests.libraries import make_track, say, song_results


def noted(workspace: Workspace) -> list[tuple[str, str, str]]:
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        tracks = catalogue.synchronise(workspace, connection).all_tracks
        note_prompts(connection, tracks)
        return connection.execute("SELECT track, variant, title FROM prompts ORDER BY ALL").fetchall()


def song(workspace: Workspace, name: str = "Song.wav") -> Track:
    return make_track(workspace, name, results=song_results())


def test_each_variant_has_a_row(workspace: Workspace) -> None:
    track = song(workspace)
    rows = noted(workspace)
    assert [(row[0], row[1]) for row in rows] == [(track.id, name) for name in ("faithful", "shorter", "swapped")]
    assert all("ln-" in title for *_, title in rows)


def test_only_what_changed_is_composed_again(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = song(workspace), song(workspace, "Other.wav")
    before = noted(workspace)
    say(two, title="Another name")
    composed: list[str] = []

    def counted(track: Track) -> list[catalogue.Row]:
        composed.append(track.id)
        return rows_of(track)

    monkeypatch.setattr(table, "rows_of", counted)
    after = noted(workspace)
    assert composed == [two.id]
    assert [row for row in after if row[0] == one.id] == [row for row in before if row[0] == one.id]
    assert after != before


def test_a_track_that_is_gone_has_none(workspace: Workspace) -> None:
    shutil.rmtree(song(workspace).folder)
    assert noted(workspace) == []


def test_what_cannot_be_read_has_none(workspace: Workspace) -> None:
    track = song(workspace)
    Path(track.folder / RECORD_NAME).write_bytes(b"torn")
    assert rows_of(track) == []
    assert noted(workspace) == []
