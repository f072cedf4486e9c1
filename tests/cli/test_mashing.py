"""What `run` says of mashups that are asked for: made, waiting for stems, and songs that are taken apart for them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from processor import library, pipeline, wanted
from processor.cli import hearing
from processor.cli import mashing as saying
from processor.errors import WorkspaceBusy
from processor.mashup import kept
from processor.workspace import Workspace
from tests.workspaces import Result, command, sound


def run(workspace: Workspace, *words: str, **environment: str) -> Result:
    return command("run", "--home", workspace.home, *words, environment=environment)


def two_songs(workspace: Workspace) -> None:
    for seed, name in enumerate(("a song", "b song")):
        sound(workspace.inbox / f"mashup/two/{name}.wav", seed)


@pytest.fixture
def separator(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The jobs that models here can do; at first none."""
    jobs: list[str] = []
    monkeypatch.setattr(wanted, "roster", lambda settings: SimpleNamespace(jobs=jobs))
    return jobs


def test_without_stems_and_a_separator_it_says_what_is_needed(workspace: Workspace, separator: list[str]) -> None:
    two_songs(workspace)
    result = run(workspace)
    assert result.code == 0  # the files are stored; what is lacking is no trouble with them
    assert "2 stored, 1 not mashed up yet" in result.out
    [line] = [line for line in result.out.splitlines() if line.startswith("waiting")]
    assert line.startswith("waiting   mashup/two (")
    assert "linernotes models get htdemucs" in line
    assert "vocals.* and instrumental.*" in line
    page = (workspace.site / "attention.html").read_text(encoding="utf-8")
    assert "mashup/two" in page
    assert "htdemucs" in page
    facts = [json.loads(line) for line in run(workspace, "--json").out.splitlines()]
    assert [(one["event"], one["name"]) for one in facts] == [("waiting", "mashup/two")]


def test_with_a_separator_the_two_songs_are_taken_apart_and_no_others(
    workspace: Workspace, separator: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    separator.append("separator")
    heard: list[tuple[list[str], str]] = []

    def hear(workspace: Workspace, settings: Any, backlog: Any, *, as_json: bool) -> list[Any]:
        heard.append(([track.id.rpartition("-")[0] for track in backlog._tracks], settings.models.yamnet))
        return []

    monkeypatch.setattr(saying, "hear", hear)
    two_songs(workspace)
    sound(workspace.inbox / "stranger.wav", 9)
    result = run(workspace)
    assert heard == [(["a-song", "b-song"], "off")]
    assert "Taking 2 songs apart for mashups" in result.err


def test_where_another_process_hears_it_waits(
    workspace: Workspace, separator: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise WorkspaceBusy("Another process lets models hear this library just now.")

    separator.append("separator")
    monkeypatch.setattr(saying, "hear", busy)
    two_songs(workspace)
    result = run(workspace)
    assert result.code == 0
    assert "Another process" in result.err
    assert "waiting   mashup/two" in result.out


def test_an_incomplete_folder_is_left_and_said(workspace: Workspace) -> None:
    path = sound(workspace.inbox / "mashup/one/vocals.wav")
    (path.parent / "plan.toml").write_text("name = 'x'")
    result = run(workspace)
    assert result.code == 1
    assert "left      mashup/one/vocals.wav (its mashup is not complete)" in result.out
    assert "plan.toml" not in result.out
    assert path.is_file()


def test_a_mashup_that_was_made_is_told_with_its_deviations(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = SimpleNamespace(
        id="two-12345678",
        origin=SimpleNamespace(folder="two"),
        made_from=SimpleNamespace(mix="two-87654321"),
        measured=SimpleNamespace(deviations=("The tempo is 1 BPM off.",)),
    )
    monkeypatch.setattr(wanted, "make_mashups", lambda *_, **__: [one])
    result = run(workspace)
    assert "mashup    two → two-87654321 (The tempo is 1 BPM off.)" in result.out


def test_a_mix_is_not_taken_for_a_song_of_the_inbox(workspace: Workspace, tmp_path: Path) -> None:
    """A folder called `mashups` is one like any other."""
    sound(workspace.inbox / "mashups/vocals/mix.wav")
    assert run(workspace).code == 0
    [track] = library.tracks(workspace)
    assert not kept.is_mix(track)
    assert pipeline.left_alone(workspace) == []


# When previews are made


@pytest.mark.parametrize(("text", "hour"), [("03:00", 3), (" 5:30", 5)])
def test_a_setting_is_a_time_of_day(text: str, hour: int) -> None:
    assert hearing.parsed_time(text, "mashups.at").hour == hour


@pytest.mark.parametrize("text", ["noon", "25:00", "03:00+01:00"])
def test_what_is_no_time_is_refused_by_name(workspace: Workspace, text: str) -> None:
    result = command("watch", "--home", workspace.home, environment={"LINERNOTES_MASHUPS_AT": text})
    assert result.code == 2
    assert "mashups.at" in result.err
    assert command("watch", "--home", workspace.home, "--mashups-at", text).code == 2


def test_the_option_goes_before_the_setting(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from processor import daemon

    asked: list[Any] = []

    class Watcher:
        def __init__(self, workspace: Any, settings: Any, tell: Any, deep_at: Any, mashups_at: Any) -> None:
            asked.append(mashups_at)

        def run(self) -> None:
            pass

    monkeypatch.setattr(daemon, "Daemon", Watcher)
    setting = {"LINERNOTES_MASHUPS_AT": "03:00"}
    command("watch", "--home", workspace.home, environment=setting)
    command("watch", "--home", workspace.home, "--mashups-at", "04:00", environment=setting)
    command("watch", "--home", workspace.home)
    assert [None if one is None else one.hour for one in asked] == [3, 4, None]
