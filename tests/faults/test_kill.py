"""Killed at any moment: nothing is lost, nothing is there twice, and the next run leaves no trace of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from processor import library
from processor.workspace import Workspace
from tests.faults.doubles import arrived, check_sound, contents, cut_tone, drops_in, names, sha256, tone

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
Order = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def order() -> Iterator[Order]:
    """Have a scene played in a process of its own, which may be killed at a moment."""
    command = [sys.executable, "-m", "tests.faults.killing"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def give(home: Path, scene: str, **how: Any) -> dict[str, Any]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps({"home": str(home), "scene": scene, **how}) + "\n")
            process.stdin.flush()
            answer: dict[str, Any] = json.loads(process.stdout.readline())
            assert answer["killed"] or answer["code"] == 0, "it ended by an error of its own; see stderr"
            return answer

        yield give


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where that is possible: hundreds of fsyncs are slow on a disk."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as made:
        yield Path(made)


def filled(home: Path) -> tuple[Workspace, dict[str, int]]:
    """A workspace with four drops, of which one is a copy of another and one is no sound; what must come of them."""
    workspace = Workspace(home)
    workspace.create()
    first = tone(workspace.inbox / "first.wav", 440)
    shutil.copy(first, workspace.inbox / "the same.wav")
    second = cut_tone(workspace.inbox / "album" / "second.wav")
    (workspace.inbox / "words.mp3").write_text("no sound at all")
    return workspace, {sha256(first): 2, sha256(second): 1}


def check_all_done(workspace: Workspace, expected: dict[str, int], published: bool) -> None:
    check_sound(workspace, published)
    assert contents(workspace) == dict.fromkeys(expected, 1)
    assert arrived(workspace) == expected
    assert names(workspace.failed) == ["words.mp3", "words.mp3.error.txt"]
    assert (workspace.failed / "words.mp3").read_text() == "no sound at all"


def within_reach(workspace: Workspace) -> set[str]:
    """Hashes of the sounds that lie in the inbox or in the library."""
    found = {sha256(drop.path) for drop in drops_in(workspace)}
    return found | {sha256(track.source) for track in library.tracks(workspace) if track.source}


def every_kill(order: Order, folder: Path, scene: str, prepare: Callable[[Path], object], **how: str) -> Iterator[Path]:
    """Homes in which `scene` was killed at its first moment, its second, … until it comes to its end."""
    for at in range(1, 1000):
        home = folder / str(at)
        prepare(home)
        if not order(home, scene, at=at, **how)["killed"]:
            return
        yield home
        shutil.rmtree(home)


def test_killed_before_any_call_while_processing(order: Order, folder: Path) -> None:
    kills = 0
    for home in every_kill(order, folder, "process", filled):
        kills += 1
        workspace, expected = Workspace(home), filled(folder / "pattern")[1]
        assert expected.keys() <= within_reach(workspace), "before the next start, too"
        order(home, "process")
        check_all_done(workspace, expected, published=False)
    assert kills > 60


def test_killed_before_any_call_while_publishing(order: Order, folder: Path) -> None:
    Workspace(folder / "pattern").create()
    third = tone(folder / "pattern" / "inbox" / "third.wav", 880)
    expected = {sha256(third): 1}
    order(folder / "pattern", "run")
    expected |= filled(folder / "pattern")[1]
    order(folder / "pattern", "process")
    kills = 0
    for home in every_kill(order, folder, "publish", lambda home: shutil.copytree(folder / "pattern", home)):
        kills += 1
        order(home, "publish")
        check_all_done(Workspace(home), expected, published=True)
    assert kills > 15


@pytest.mark.parametrize("moments", ["copies", "lines"])
def test_killed_in_the_middle_of_a_copy_or_a_line(order: Order, folder: Path, moments: str) -> None:
    kills = 0
    for home in every_kill(order, folder, "run", filled, moments=moments):
        kills += 1
        workspace, expected = Workspace(home), filled(folder / "pattern")[1]
        order(home, "run")
        check_all_done(workspace, expected, published=True)
    assert kills >= 6


def test_killed_again_while_mending(order: Order, folder: Path) -> None:
    for first, second in ((30, 3), (30, 9), (47, 5), (61, 12), (80, 20)):
        home = folder / f"{first}-{second}"
        workspace, expected = filled(home)
        assert order(home, "process", at=first)["killed"]
        assert order(home, "process", at=second)["killed"]
        order(home, "run")
        check_all_done(workspace, expected, published=True)
