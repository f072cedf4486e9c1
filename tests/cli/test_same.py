"""`linernotes same`: one recording under two names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from processor.same import groups
from processor.workspace import Workspace
from tests import signals
from tests.workspaces import command


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A melody, the same quieter and later, and another one."""
    home = tmp_path_factory.mktemp("same")
    first, other = (_melody(seed) for seed in (1, 2))
    later = signals.joined(signals.silence(1.5, rate=44_100), first * np.float32(0.3))
    (home / "in").mkdir()
    for name, samples in {"first.wav": first, "later.wav": later, "other.wav": other}.items():
        signals.write_wav(home / "in" / name, samples, 44_100)
    place = Workspace(home / "home")
    place.create()
    assert command("run", home / "in", "--home", place.home, "--workers", "1").code == 0
    return place


def _melody(seed: int) -> signals.Samples:
    random = np.random.default_rng(seed)
    notes = [signals.sine(110 * 2 ** (random.integers(0, 48) / 12), 0.25, -12, rate=44_100) for _ in range(80)]
    return signals.joined(*(signals.faded(note) for note in notes))


def test_what_is_there_twice_is_found(workspace: Workspace) -> None:
    result = command("same", "--home", workspace.home, "--json")
    assert (result.code, result.err) == (0, "")
    [group] = [json.loads(line) for line in result.out.splitlines()]
    assert group["track"].startswith("first-")
    [twin] = group["same"]
    assert twin["track"].startswith("later-")
    assert twin["offset_s"] == pytest.approx(1.5, abs=0.1)
    assert twin["speed"] == pytest.approx(1.0, abs=1e-3)
    assert twin["score"] > 0.5


def test_one_track_s_twins_are_told_to_people(workspace: Workspace) -> None:
    lines = command("same", "later", "--home", workspace.home).out.splitlines()
    assert lines[0].startswith("later-")
    assert lines[1].startswith("  first-")
    assert "alike, -1.4" in lines[1] or "alike, -1.5" in lines[1]


def test_every_number_of_a_match_is_told(workspace: Workspace) -> None:
    [group] = groups(workspace)
    match = group.others[0].match
    [twin] = json.loads(command("same", "--home", workspace.home, "--json").out)["same"]
    del twin["track"]
    assert twin == {
        "score": pytest.approx(match.score, abs=1e-4),
        "overlap": pytest.approx(match.overlap, abs=1e-4),
        "offset_s": pytest.approx(match.offset_s, abs=1e-3),
        "speed": pytest.approx(match.speed, abs=1e-5),
        "pitch_cents": pytest.approx(match.pitch_cents, abs=0.1),
    }
    line = command("same", "--home", workspace.home).out.splitlines()[1]
    found = re.search(r"  (\d+)% alike, (\S+) s, speed (\S+), pitch (\S+) cents$", line)
    assert found
    numbers = [float(number) for number in found.groups()]
    assert numbers == pytest.approx([100 * match.score, match.offset_s, match.speed, match.pitch_cents], abs=0.51)
    assert numbers[2] == pytest.approx(match.speed, abs=1e-4)


def test_what_is_there_once_is_said_to_be(workspace: Workspace) -> None:
    result = command("same", "other", "--home", workspace.home)
    assert (result.code, result.out) == (0, "other is there once.\n")
    assert command("same", "other", "--home", workspace.home, "--json").out == ""


def test_an_unknown_track_is_an_error(workspace: Workspace) -> None:
    assert command("same", "nothing-like-it", "--home", workspace.home).code == 2


def test_an_empty_library_has_nothing_twice(tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    place.create()
    result = command("same", "--home", place.home)
    assert (result.code, result.out) == (0, "No recording is there twice.\n")
