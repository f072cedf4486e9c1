"""Half a minute of each of the best pairs: which are due, what is said of those that cannot be, and how they sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from processor import tasters
from processor.audio import decode
from processor.config import Limits, Mashups, Settings, Site, Workers
from processor.engine import Job
from processor.errors import LinerNotesError, WorkspaceError
from processor.graph import Outcome
from processor.mashup.kept import preview_name
from processor.mashup.match import Pair
from processor.mashup.matches import Matches
from processor.mashup.songs import NoStems
from processor.tasters import LENGTH_S, Taster, Tasters, Tasting, due, skipped, taste
from processor.workspace import Workspace
from tests import signals
from tests.libraries import make_track
from tests.mashup.heard import a_plan
from tests.mashup.test_matches import pair
from tests.workspaces import InlineEngine

RATE = 44_100
THREE = Settings(workers=Workers(count=1), mashups=Mashups(previews=3))


@dataclass
class Scene:
    """A library with pairs, and whoever renders them."""

    workspace: Workspace
    ids: list[str]
    pairs: list[Pair]
    keys: dict[str, str]
    made: list[str]
    trouble: Exception | None = None

    def matches(self, workspace: Workspace) -> Matches:
        return Matches({name: f"1:2 {key}" for name, key in self.keys.items()}, tuple(self.pairs))

    def taste(self, job: Job) -> Outcome:
        assert isinstance(job, Tasting)
        if self.trouble is not None:
            raise self.trouble
        self.made.append(job.target.name)
        job.target.write_bytes(b"sound")
        return Outcome()

    def all(self, one: Tasters) -> list[tuple[str, str]]:
        told = []
        while (done := one.work(0.1)) is not None:
            told += [(taster.name, reason) for taster, reason in done]
        return told

    def name(self, vocals: int, instrumental: int) -> str:
        return preview_name(self.ids[vocals], self.ids[instrumental])


@pytest.fixture
def scene(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Scene:
    tracks = [make_track(workspace, f"{name}.wav") for name in "abc"]
    for track in tracks:
        (track.folder / "stems").mkdir()
    ids = [track.id for track in tracks]
    pairs = [pair(ids[0], ids[1], 0.9), pair(ids[2], ids[1], 0.8), pair(ids[1], ids[0], 0.7), pair(ids[0], ids[2], 0.6)]
    one = Scene(workspace, ids, pairs, dict.fromkeys(ids, "k"), [])
    monkeypatch.setattr(tasters, "kept_matches", one.matches)
    monkeypatch.setattr(tasters, "Engine", InlineEngine)
    monkeypatch.setattr(tasters, "taste", one.taste)
    monkeypatch.setattr(
        tasters, "from_track", lambda track, part: SimpleNamespace(sha256="0" * 64, layers={part: Path("x.flac")})
    )
    return one


def test_the_best_are_made_once_one_after_the_other(scene: Scene) -> None:
    wanted = [scene.name(0, 1), scene.name(2, 1), scene.name(1, 0)]
    assert [one.name for one in due(scene.workspace, THREE)] == wanted
    one = Tasters(scene.workspace, THREE)
    assert one.text is None
    assert one.work(0.1) == []
    assert one.text == f"preview of {scene.ids[0]} over {scene.ids[1]}"
    assert scene.all(one) == [(name, "") for name in wanted]
    one.close()
    assert scene.made == wanted
    assert sorted(path.name for path in (scene.workspace.site / "media").iterdir()) == sorted(wanted)
    assert due(scene.workspace, THREE) == []
    assert skipped(scene.workspace) == {}


def test_what_is_given_up_is_begun_again(scene: Scene) -> None:
    one = Tasters(scene.workspace, THREE)
    one.work(0.1)
    one.close()
    assert one.text is None
    assert scene.made == []
    assert len(scene.all(Tasters(scene.workspace, THREE))) == 3


def test_a_track_that_changed_is_rendered_again(scene: Scene) -> None:
    scene.all(Tasters(scene.workspace, THREE))
    scene.keys[scene.ids[2]] = "other"
    assert [one.name for one in due(scene.workspace, THREE)] == [scene.name(2, 1)]
    (scene.workspace.site / "media" / scene.name(0, 1)).unlink()
    assert [one.name for one in due(scene.workspace, THREE)] == [scene.name(0, 1), scene.name(2, 1)]


def test_those_of_other_pairs_go(scene: Scene) -> None:
    scene.all(Tasters(scene.workspace, THREE))
    media = scene.workspace.site / "media"
    (media / f"{scene.ids[0]}.mp3").write_bytes(b"of a track")
    scene.pairs = scene.pairs[3:]
    assert [one.name for one in due(scene.workspace, THREE)] == [scene.name(0, 2)]
    assert [path.name for path in media.iterdir()] == [f"{scene.ids[0]}.mp3"]
    scene.all(Tasters(scene.workspace, THREE))
    assert due(scene.workspace, replace(THREE, site=Site(previews=False))) == []
    assert [path.name for path in media.iterdir()] == [f"{scene.ids[0]}.mp3"]
    assert due(scene.workspace, replace(THREE, mashups=Mashups(previews=0))) == []


def test_what_nobody_took_apart_takes_no_place(scene: Scene) -> None:
    whole = make_track(scene.workspace, "whole.wav").id
    scene.pairs = [pair(whole, scene.ids[0], 0.99), pair(scene.ids[0], whole, 0.98), *scene.pairs]
    assert [one.name for one in due(scene.workspace, THREE)] == [scene.name(0, 1), scene.name(2, 1), scene.name(1, 0)]


def test_pairs_whose_stems_are_damaged_are_said_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(track: Any, part: str) -> Any:
        raise NoStems("A stem of a is damaged.")

    monkeypatch.setattr(tasters, "from_track", none)
    told = scene.all(Tasters(scene.workspace, THREE))
    assert [reason for _, reason in told] == ["A stem of a is damaged."] * 3
    assert skipped(scene.workspace)[scene.ids[0], scene.ids[1]] == "A stem of a is damaged."
    assert due(scene.workspace, THREE) == []
    scene.keys = dict.fromkeys(scene.ids, "separated")
    assert len(due(scene.workspace, THREE)) == 3


def test_one_that_fails_stops_no_other(scene: Scene) -> None:
    scene.trouble = LinerNotesError("Nobody sings.")
    assert [reason for _, reason in scene.all(Tasters(scene.workspace, THREE))] == ["Nobody sings."] * 3
    assert due(scene.workspace, THREE) == []


def test_a_disk_that_is_full_is_no_matter_of_the_pair(scene: Scene) -> None:
    scene.trouble = WorkspaceError("No room.")
    one = Tasters(scene.workspace, THREE)
    with pytest.raises(WorkspaceError):
        scene.all(one)
    one.close()
    assert len(due(scene.workspace, THREE)) == 3


def test_a_track_that_is_gone_is_said(scene: Scene) -> None:
    stranger = Taster(pair("gone-12345678", scene.ids[0]), "x")
    with pytest.raises(LinerNotesError, match="gone"):
        tasters.job_for(scene.workspace, THREE, stranger, [])


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 3}'])
def test_broken_notes_only_cost_work(scene: Scene, content: str) -> None:
    (scene.workspace.state / tasters.NAME).write_text(content)
    assert len(due(scene.workspace, THREE)) == 3
    assert len(scene.all(Tasters(scene.workspace, THREE))) == 3


def rendered(seconds: float) -> Callable[..., Any]:
    return lambda plan, songs, limits: SimpleNamespace(
        samples=signals.sine(440, seconds, -12, rate=RATE, channels=2), sample_rate=RATE
    )


@pytest.mark.parametrize("seconds", [5.0, 40.0])
def test_it_is_half_a_minute_with_soft_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    cut: list[float] = []
    monkeypatch.setattr(tasters, "propose", lambda songs, wishes, limits, progress: [a_plan(), a_plan(name="other")])
    monkeypatch.setattr(tasters, "window", lambda plan, length: cut.append(length) or plan)
    monkeypatch.setattr(tasters, "render", rendered(seconds))
    job = Tasting(tmp_path / "x", "", Limits(), songs=(None, None), target=tmp_path / "t.mp3")  # type: ignore[arg-type]
    taste(job)
    assert cut == [LENGTH_S]
    found = decode(tmp_path / "t.mp3", limits=Limits())
    assert found.frames / found.sample_rate == pytest.approx(min(seconds, LENGTH_S), abs=0.1)
    loud = np.abs(found.samples[0])
    middle = loud[RATE : 2 * RATE].max()
    assert loud[-RATE // 10 :].max() < 0.15 * middle
    assert [path.name for path in tmp_path.iterdir()] == ["t.mp3"]
