"""Folders of `inbox/compare/` and `inbox/mashup/`: taken whole or left alone, and known again in the library."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from processor import bundles, inbox, library, pipeline
from processor.bundles import Place, comparisons, hold_back, mashups, place_of
from processor.library import Arrival
from processor.workspace import Workspace
from tests.libraries import make_track
from tests.workspaces import junk, sound


def drop(workspace: Workspace, name: str, seed: int = 0) -> Path:
    return sound(workspace.inbox / name, seed)


def held(workspace: Workspace, **how: Any) -> tuple[list[str], list[tuple[str, str]]]:
    ready, told = hold_back(workspace, inbox.scan(workspace).drops, **how)
    return [one.name for one in ready], [(one.name, one.reason) for one in told]


def later() -> float:
    return time.time() + 605


# Names


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("compare/one/mix.wav", Place("compare", "one", "mix")),
        ("compare/one/MIX.flac", Place("compare", "one", "mix")),
        ("Compare/One/reference.wav", Place("compare", "One", "reference")),
        ("compare/one/mix 2.wav", Place("compare", "one", "reference")),
        ("compare/mix.wav", None),
        ("compare/one/deeper/mix.wav", None),
        ("album/one/mix.wav", None),
        ("mix.wav", None),
        ("mashup/one/vocals.wav", Place("mashup", "one", "vocals")),
        ("Mashup/One/Night Bus (Acapella).wav", Place("mashup", "One", "vocals")),
        ("mashup/one/night bus A Cappella.wav", Place("mashup", "one", "vocals")),
        ("mashup/one/Instrumental.flac", Place("mashup", "one", "instrumental")),
        ("mashup/one/low tide karaoke.flac", Place("mashup", "one", "instrumental")),
        ("mashup/one/no_vocals.wav", Place("mashup", "one", "instrumental")),
        ("mashup/one/instrumental (no vocals).wav", Place("mashup", "one", "instrumental")),
        ("mashup/one/drums.wav", Place("mashup", "one", "drums")),
        ("mashup/one/Drums and wires.wav", Place("mashup", "one", "song")),
        ("mashup/one/night bus.wav", Place("mashup", "one", "song")),
        ("mashup/one/PLAN.toml", Place("mashup", "one", "plan")),
        ("mashup/night bus.wav", None),
        ("mashups/one/vocals.wav", None),
    ],
)
def test_what_belongs_together(path: str, place: Place | None) -> None:
    assert place_of(path) == place


# Holding back


def test_a_complete_folder_is_let_go_whole(workspace: Workspace) -> None:
    names = ["compare/one/extra.wav", "compare/one/mix.wav", "compare/one/reference.wav", "song.wav"]
    for seed, name in enumerate(names):
        drop(workspace, name, seed)
    assert held(workspace, now=later()) == (names, [])


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("mix.wav", "it still needs a sound file to compare the mix with"),
        ("reference.wav", "it still needs a sound file called mix (mix.wav, mix.flac …)"),
    ],
)
def test_an_incomplete_folder_is_held_back_and_told_after_ten_minutes(
    workspace: Workspace, name: str, missing: str
) -> None:
    drop(workspace, f"compare/one/{name}")
    drop(workspace, "song.wav", 1)
    assert held(workspace) == (["song.wav"], [])
    assert held(workspace, now=time.time() + 595) == (["song.wav"], [])
    told = [("compare/one", f"this comparison is not complete: {missing}")]
    assert held(workspace, now=later()) == (["song.wav"], told)


def test_only_sounds_make_a_folder_complete(workspace: Workspace) -> None:
    (workspace.inbox / "compare/one").mkdir(parents=True)
    junk(workspace.inbox / "compare/one/notes.txt")
    ready, [(name, reason)] = held(workspace, now=later())
    assert (ready, name) == ([], "compare/one")
    assert "has no sound file yet" in reason
    drop(workspace, "compare/one/mix.wav")
    assert held(workspace, now=later())[0] == []
    drop(workspace, "compare/one/reference.wav", 1)
    assert len(held(workspace, now=later())[0]) == 3


def test_a_file_that_is_still_arriving_holds_its_folder(workspace: Workspace) -> None:
    for seed, name in enumerate(("mix.wav", "reference.wav", "second.wav")):
        drop(workspace, f"compare/one/{name}", seed)
    drop(workspace, "song.wav", 9)
    drops = inbox.scan(workspace).drops
    ready, told = hold_back(workspace, [d for d in drops if "second" not in d.name], drops[2:3], now=later())
    assert drops[2].name == "compare/one/second.wav"
    assert ([one.name for one in ready], told) == (["song.wav"], [])


def test_folders_do_not_complete_each_other(workspace: Workspace) -> None:
    drop(workspace, "compare/one/mix.wav")
    drop(workspace, "compare/two/reference.wav", 1)
    ready, told = held(workspace, now=later())
    assert ready == []
    assert [name for name, _ in told] == ["compare/one", "compare/two"]


def test_a_file_may_follow_those_that_are_in_the_library(workspace: Workspace) -> None:
    make_track(workspace, "mix.wav", path="compare/one/mix.wav")
    drop(workspace, "compare/one/reference.wav")
    drop(workspace, "compare/two/reference.wav", 1)
    assert held(workspace)[0] == ["compare/one/reference.wav"]


@pytest.mark.parametrize(
    ("part", "missing"), [("mix.wav", "a sound file to compare"), ("reference.wav", "a sound file called mix")]
)
def test_a_comparison_whose_rest_is_nowhere_is_told(workspace: Workspace, part: str, missing: str) -> None:
    """As after a reference that could not be read."""
    make_track(workspace, "part.wav", path=f"compare/night bus/{part}")
    make_track(workspace, "whole.wav", path="compare/other/mix.wav")
    make_track(workspace, "whole too.wav", path="compare/other/loud.wav")
    assert bundles.left_without(workspace, []) == []  # there is no catalogue yet
    pipeline.publish(workspace)
    [told] = bundles.left_without(workspace, inbox.scan(workspace).drops)
    assert told.name == "compare/night bus"
    assert missing in told.reason
    assert "night bus" in (workspace.site / "attention.html").read_text()
    drop(workspace, "compare/night bus/loud.wav")
    assert bundles.left_without(workspace, inbox.scan(workspace).drops) == []


def test_files_from_elsewhere_are_not_held_back(workspace: Workspace, tmp_path: Path) -> None:
    sound(tmp_path / "compare/one/mix.wav")
    drops = inbox.drops_from([tmp_path / "compare"], workspace).drops
    assert [one.name for one in drops] == ["compare/one/mix.wav"]
    assert hold_back(workspace, drops, now=later()) == (drops, [])


# What belongs together


def test_comparisons_are_known_by_the_paths_of_arrival(workspace: Workspace) -> None:
    mix = make_track(workspace, "a.wav", path="compare/one/mix.wav")
    make_track(workspace, "zebra.wav", path="compare/one/zebra.wav")
    make_track(workspace, "apple.wav", path="compare/one/apple.wav")
    make_track(workspace, "lonely.wav", path="compare/two/mix.wav")
    make_track(workspace, "orphan.wav", path="compare/three/reference.wav")
    make_track(workspace, "other.wav")
    [found] = comparisons(workspace)
    assert (found.name, found.mix) == ("one", mix)
    assert [track.id.rpartition("-")[0] for track in found.references] == ["apple", "zebra"]


def test_the_latest_mix_counts_and_a_track_may_be_in_several(workspace: Workspace) -> None:
    old = make_track(workspace, "a.wav", path="compare/one/mix.wav", day="2026/11/18")
    new = make_track(workspace, "b.wav", path="compare/one/mix.flac", day="2026/11/20")
    reference = make_track(workspace, "r.wav", path="compare/one/reference.wav")
    library.note_arrival(reference, Arrival("2026-11-21T00:00:00+00:00", "compare/two/reference.wav", 1, 2, 3))
    library.note_arrival(old, Arrival("2026-11-21T00:00:00+00:00", "compare/two/mix.wav", 1, 2, 3))
    assert [(one.name, one.mix, one.references) for one in comparisons(workspace)] == [
        ("one", new, (reference,)),
        ("two", old, (reference,)),
    ]


# Mashups


@pytest.mark.parametrize(
    "names",
    [
        ("instrumental.wav", "vocals.wav"),
        ("a song.wav", "b song.wav"),
        ("a song.wav", "vocals.wav"),
        ("a song.wav", "karaoke.wav"),
        ("bass.wav", "drums.wav", "instrumental.wav", "other.wav", "vocals.wav"),
        ("a song.wav", "instrumental.wav", "vocals.wav"),
    ],
)
def test_a_mashup_with_all_its_parts_is_let_go_whole(workspace: Workspace, names: tuple[str, ...]) -> None:
    for seed, name in enumerate(names):
        drop(workspace, f"mashup/one/{name}", seed)
    assert held(workspace, now=later()) == ([f"mashup/one/{name}" for name in names], [])


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (["vocals.wav"], "it still needs an instrumental.*"),
        (["instrumental.wav"], "it still needs vocals.*"),
        (["song.wav"], "it still needs a second song"),
        (["drums.wav", "bass.wav", "other.wav"], "it still needs vocals.* and instrumental.*"),
        (["vocals.wav", "drums.wav"], "it still needs an instrumental.*"),
        (["a.wav", "b.wav", "c.wav"], "which of its 3 songs are meant?"),
        (["a.wav", "b.wav", "vocals.wav"], "which of its 2 songs are meant?"),
    ],
)
def test_an_incomplete_mashup_is_held_back_and_told_after_ten_minutes(
    workspace: Workspace, names: list[str], missing: str
) -> None:
    for seed, name in enumerate(names):
        drop(workspace, f"mashup/night bus/{name}", seed)
    assert held(workspace) == ([], [])
    ready, [(name, reason)] = held(workspace, now=later())
    assert (ready, name) == ([], "mashup/night bus")
    assert reason.startswith(f"this mashup is not complete: {missing}")


def test_a_plan_waits_and_holds_nobody(workspace: Workspace) -> None:
    names = ["mashup/one/a.wav", "mashup/one/b.wav"]
    for seed, name in enumerate(names):
        drop(workspace, name, seed)
    (workspace.inbox / "mashup/one/plan.toml").write_text("name = 'x'")
    assert held(workspace, now=later()) == (names, [])
    plan = next(one for one in inbox.scan(workspace).drops if one.path.suffix == ".toml")
    assert bundles.is_plan(plan)
    assert "mashup" in bundles.why_held(plan)
    (workspace.inbox / "mashup/two").mkdir()
    (workspace.inbox / "mashup/two/plan.toml").write_text("name = 'x'")
    assert held(workspace, now=later())[1] == [
        (
            "mashup/two",
            "this mashup is not complete: it has no sound file yet; it needs two songs, or vocals.* and instrumental.*",
        )
    ]


def test_mashups_and_comparisons_of_one_name_are_apart(workspace: Workspace) -> None:
    drop(workspace, "compare/one/mix.wav")
    drop(workspace, "mashup/one/instrumental.wav", 1)
    _, told = held(workspace, now=later())
    assert [name for name, _ in told] == ["compare/one", "mashup/one"]


def test_a_mashup_is_known_by_the_paths_of_arrival(workspace: Workspace) -> None:
    voice = make_track(workspace, "v.wav", path="mashup/one/vocals.wav")
    band = make_track(workspace, "i.wav", path="mashup/one/instrumental.wav")
    drums = make_track(workspace, "d.wav", path="mashup/one/drums.wav")
    zebra = make_track(workspace, "z.wav", path="mashup/two/zebra.wav")
    apple = make_track(workspace, "a.wav", path="mashup/two/apple.wav")
    make_track(workspace, "lonely.wav", path="mashup/three/apple.wav")
    make_track(workspace, "mix.wav", path="compare/four/mix.wav")
    (workspace.inbox / "mashup/two").mkdir(parents=True)
    (workspace.inbox / "mashup/two/plan.toml").write_text("name = 'x'")
    one, two = mashups(workspace)
    assert (one.name, one.vocals, one.instrumental, one.layers, one.songs) == ("one", voice, band, {"drums": drums}, ())
    assert one.plan is None
    assert (two.name, two.vocals, two.instrumental, two.songs) == ("two", None, None, (apple, zebra))
    assert two.plan is not None
    assert two.plan.path.name == "plan.toml"


def test_what_others_sing_is_no_lead(workspace: Workspace) -> None:
    lead = make_track(workspace, "v.wav", path="mashup/one/lead vocals.wav", day="2026/11/18")
    band = make_track(workspace, "i.wav", path="mashup/one/instrumental with backing vocals.wav", day="2026/11/18")
    behind = make_track(workspace, "b.wav", path="mashup/one/Backing Vocals.wav", day="2026/11/20")
    [found] = mashups(workspace)
    assert (found.vocals, found.instrumental) == (lead, band)
    assert found.layers == {"backing_vocals": behind}


def test_of_two_vocals_the_latest_is_sung(workspace: Workspace) -> None:
    make_track(workspace, "a.wav", path="mashup/one/vocals.wav", day="2026/11/18")
    new = make_track(workspace, "b.wav", path="mashup/one/vocals.flac", day="2026/11/20")
    make_track(workspace, "i.wav", path="mashup/one/instrumental.wav")
    [found] = mashups(workspace)
    assert found.vocals == new


def test_a_mashup_whose_rest_is_nowhere_is_told(workspace: Workspace) -> None:
    make_track(workspace, "v.wav", path="mashup/night bus/vocals.wav")
    assert not bundles.has_any(workspace, bundles.MASHUP)  # there is no catalogue yet
    pipeline.publish(workspace)
    assert bundles.has_any(workspace, bundles.MASHUP)
    assert not bundles.has_any(workspace, bundles.COMPARE)
    [told] = bundles.left_without(workspace, [])
    assert told.name == "mashup/night bus"
    assert "it still needs an instrumental" in told.reason
