"""Which tracks of a library are one recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from processor.analysis.fingerprint import STEPS, Fingerprint
from processor.same import Index, fingerprints, groups, same_as
from processor.workspace import Workspace
from tests.libraries import make_track

RATE = 43.07
LENGTH = 4000


def invented(seed: int, *, keep: float = 1.0, start: int = 0, speed: float = 1.0, cents: float = 0.0) -> Fingerprint:
    """A fingerprint of random landmarks; the same seed is the same recording, whatever was done to it.

    Args:
        seed: which recording.
        keep: share of landmarks that came through; as many new ones take the place of the others.
        start: time steps cut off at the beginning.
        speed: how much faster it plays.
        cents: how much higher it sounds.
    """
    random = np.random.default_rng(seed)
    frames, pitches = np.sort(random.integers(0, LENGTH, 700)), random.integers(300, 1600, 700)
    lost = random.random(700) > keep
    frames, pitches = (
        np.where(lost, random.integers(0, LENGTH, 700), frames),
        np.where(lost, random.integers(300, 1600, 700), pitches),
    )
    frames, pitches = np.round((frames - start) / speed).astype(int), pitches + round(cents / 5)
    order = np.argsort(frames[frames >= 0], kind="stable")
    packed = (frames * STEPS + pitches)[frames >= 0][order]
    return Fingerprint(RATE, packed.size, packed.astype(np.float64))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def fill(workspace: Workspace, **tracks: Fingerprint) -> None:
    for name, one in tracks.items():
        make_track(workspace, f"{name}.wav", results={"fingerprint": one})


def named(track_id: str) -> str:
    return track_id.rpartition("-")[0]


def test_every_recording_that_is_there_twice_is_a_group(workspace: Workspace) -> None:
    fill(
        workspace,
        a=invented(1),
        b=invented(2),
        c=invented(1, keep=0.85),
        d=invented(3),
        e=invented(2, start=65),
        f=invented(1, speed=1.01, cents=17),
    )
    found = [[named(group.first.id), *(named(twin.track.id) for twin in group.others)] for group in groups(workspace)]
    assert sorted(sorted(group) for group in found) == [["a", "c", "f"], ["b", "e"]]


def test_a_twin_says_how_it_lies(workspace: Workspace) -> None:
    fill(workspace, a=invented(1), b=invented(2), c=invented(1, start=65, speed=1.01, cents=17))
    track = next(one for one, _ in fingerprints(workspace) if named(one.id) == "a")
    (twin,) = same_as(workspace, track)
    assert named(twin.track.id) == "c"
    assert twin.match.speed == pytest.approx(1.01, abs=0.0005)
    assert twin.match.offset_s == pytest.approx(-65 / RATE / 1.01, abs=0.05)
    assert twin.match.pitch_cents == pytest.approx(17, abs=5)


def test_the_best_twin_comes_first(workspace: Workspace) -> None:
    fill(workspace, a=invented(1), worse=invented(1, keep=0.75), better=invented(1, keep=0.95))
    track = next(one for one, _ in fingerprints(workspace) if named(one.id) == "a")
    assert [named(twin.track.id) for twin in same_as(workspace, track)] == ["better", "worse"]


def test_a_library_without_twins_has_no_groups(workspace: Workspace) -> None:
    fill(workspace, a=invented(1), b=invented(2), c=invented(3, keep=0.5))
    assert groups(workspace) == []
    assert all(same_as(workspace, track) == [] for track, _ in fingerprints(workspace))


def test_an_empty_library(workspace: Workspace) -> None:
    workspace.create()
    assert groups(workspace) == []


def test_tracks_that_cannot_be_recognised_are_left_out(workspace: Workspace) -> None:
    nothing = Fingerprint(RATE, 0, np.zeros(0))
    fill(workspace, a=invented(1), b=nothing, c=nothing)
    broken = make_track(workspace, "d.wav")
    (broken.folder / "record.json").write_text("{")
    assert [named(track.id) for track, _ in fingerprints(workspace)] == ["a"]
    assert groups(workspace) == []
    assert same_as(workspace, broken) == []


def test_one_is_found_among_many() -> None:
    many = [invented(seed) for seed in range(100, 300)]
    index = Index(many)
    assert list(index.find(invented(222, keep=0.8, start=30))) == [122]
    assert index.find(invented(7)) == {}


def test_a_loop_that_repeats_does_not_match_another() -> None:
    """Every bar the same landmarks: the hardest case for hashes, since every bar matches every other."""

    def loop(seed: int) -> Fingerprint:
        random = np.random.default_rng(seed)
        bar = np.sort(random.integers(0, 80, 14)) * STEPS + random.integers(300, 1600, 14)
        packed = np.concatenate([bar + k * 80 * STEPS for k in range(100)])
        return Fingerprint(RATE, packed.size, np.sort(packed).astype(np.float64))

    index = Index([loop(1), loop(2)])
    assert list(index.find(loop(1))) == [0]
    assert list(index.find(loop(2))) == [1]
    assert index.find(loop(3)) == {}


def test_a_few_triples_in_common_are_no_twin() -> None:
    """They make a candidate, which is laid on the other and found to be something else."""
    whole, little = invented(1), Index([invented(1, keep=0.3)])
    assert little._candidates(whole) == [0]
    assert little.find(whole) == {}
