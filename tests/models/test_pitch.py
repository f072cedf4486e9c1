"""Pitch trackers: their real weights, which come inside their packages, on voices whose pitch is known."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnxruntime")
pytest.importorskip("swift_f0")

from processor.errors import ModelError
from processor.models import pitch as module
from processor.models.loading import Machine, guard_broken_packages
from processor.models.pitch import PitchTracker, SwiftF0, follow, load_crepe, load_swift
from processor.models.table import File, Model, all_models
from tests.weights import Weights, weights  # noqa: F401 - a fixture

Row = NDArray[np.float32]
CPU = Machine("cpu", 1)
RATE = 16_000


def model(name: str) -> Model:
    return all_models()[name]


@pytest.fixture(scope="module")
def swift(weights: Weights) -> SwiftF0:  # noqa: F811
    return load_swift(model("swift_f0"), weights("swift_f0"), CPU)


@pytest.fixture(scope="module")
def crepe(weights: Weights) -> module.Crepe:  # noqa: F811
    guard_broken_packages()
    pytest.importorskip("torch")
    return load_crepe(model("crepe_tiny"), weights("crepe_tiny"), CPU)


@pytest.fixture(params=["swift", "crepe"])
def tracker(request: pytest.FixtureRequest) -> PitchTracker:
    found: PitchTracker = request.getfixturevalue(request.param)
    return found


def voice(f0_hz: NDArray[np.float64]) -> Row:
    """Ten harmonics that fall off, peak 0.5."""
    phase = np.cumsum(2 * np.pi * f0_hz / RATE)
    row = sum(np.sin(k * phase) / k for k in range(1, 11))
    return np.asarray(0.5 * row / np.abs(row).max(), np.float32)


def steady(hz: float, seconds: float = 1.0) -> Row:
    return voice(np.full(round(seconds * RATE), hz))


def cents(found: NDArray[np.floating], truth: NDArray[np.floating] | float) -> NDArray[np.float64]:
    return np.asarray(1200 * np.log2(np.asarray(found, np.float64) / truth))


# What it hears


@pytest.mark.parametrize("hz", [82.4, 220.0, 446.2, 987.8])
def test_a_voice_has_its_pitch(tracker: PitchTracker, hz: float) -> None:
    times_s, f0_hz, sure = tracker.track(steady(hz))
    middle = slice(8, -8)
    assert np.abs(cents(f0_hz[middle], hz)).max() < 20
    assert np.median(np.abs(cents(f0_hz[middle], hz))) < 10
    assert (sure[middle] >= 0.5).all()
    assert np.diff(times_s) == pytest.approx(tracker.hop / RATE)
    assert (f0_hz.dtype, sure.dtype) == (np.float32, np.float32)


def test_a_glide_is_followed_and_frames_are_where_they_say(tracker: PitchTracker) -> None:
    """An octave in a second: a frame that is 10 ms off would be 12 cents off."""
    curve = np.geomspace(200, 400, RATE)
    times_s, f0_hz, _ = tracker.track(voice(curve))
    middle = slice(8, -8)
    truth = curve[np.round(times_s * RATE).astype(int)]
    assert abs(np.median(cents(f0_hz[middle], truth[middle]))) < 6


def test_noise_is_not_voiced(tracker: PitchTracker) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    assert np.mean(tracker.track(noise)[2] >= 0.5) < 0.15


@pytest.mark.parametrize("level", [0.0, 1e-5])
def test_next_to_silence_nothing_is_voiced(tracker: PitchTracker, level: float) -> None:
    _, f0_hz, sure = tracker.track(steady(220) * np.float32(level))
    assert not sure.any()
    assert not f0_hz.any()


@pytest.mark.parametrize("size", [0, 1, 100, 255, 256, 257, 1023])
def test_any_length_will_do(tracker: PitchTracker, size: int) -> None:
    found = tracker.track(np.full(size, 0.1, np.float32))
    assert len({len(one) for one in found}) == 1
    assert len(found[0]) == (0 if size == 0 else max(1, size // tracker.hop))
    assert all(np.isfinite(one).all() for one in found)


def test_the_same_sound_has_the_same_pitch(tracker: PitchTracker) -> None:
    first, second = (tracker.track(steady(220))[1] for _ in range(2))
    assert np.array_equal(first, second)


# Piece by piece


@pytest.mark.parametrize("sizes", [(50_000,), (1, 7, 20_000, 29_992), (256,) * 200])
def test_pieces_give_what_the_whole_gives(swift: SwiftF0, sizes: tuple[int, ...]) -> None:
    row = np.concatenate([steady(220), np.zeros(8_000, np.float32), steady(330), steady(500)])[: sum(sizes)]
    blocks = np.split(row, np.cumsum(sizes)[:-1])
    _, f0_hz, sure = swift.track(row)
    pieces = list(follow(swift, blocks, block_s=0.7))
    assert sum(piece[0].size for piece in pieces) == row.size
    assert np.concatenate([piece[1] for piece in pieces]) == pytest.approx(f0_hz, rel=1e-4)
    assert np.concatenate([piece[2] for piece in pieces]) == pytest.approx(sure, abs=1e-4)


def test_pieces_agree_about_the_path_too(crepe: module.Crepe) -> None:
    row = voice(np.geomspace(150, 600, 2 * RATE))
    whole = crepe.track(row)[1]
    parts = np.concatenate([piece[1] for piece in follow(crepe, [row], block_s=0.5)])
    assert np.abs(cents(parts, whole)).max() < 1


def test_nothing_has_no_pieces(swift: SwiftF0) -> None:
    assert list(follow(swift, [])) == []
    assert list(follow(swift, [np.zeros(0, np.float32)])) == []


# Against the packages


def test_swift_f0_is_heard_as_its_package_hears_it(swift: SwiftF0) -> None:
    import swift_f0

    row = np.concatenate([steady(220), 0.3 * steady(415), np.zeros(4_000, np.float32)])
    theirs = swift_f0.SwiftF0(threads=1, spin=False).detect(row, RATE)
    _, f0_hz, sure = swift.track(row)
    loud = theirs.confidence > 0
    assert f0_hz[loud] == pytest.approx(theirs.pitch_hz[loud], rel=1e-5)
    assert sure[loud] == pytest.approx(theirs.confidence[loud], abs=1e-5)


def test_crepe_is_the_network_of_its_package(crepe: module.Crepe) -> None:
    """What the network says of each bin is the package's; only the path through the bins is ours."""
    import torch

    package = sys.modules["torchcrepe"]
    row = steady(220, 0.3)
    ours = np.concatenate(list(crepe._activations(row)))
    with torch.inference_mode():
        frames = next(package.preprocess(torch.from_numpy(row)[None], RATE, module.CREPE_HOP))
        theirs = crepe.network(frames).numpy()
    assert ours == pytest.approx(theirs[: len(ours)], abs=1e-4)


def test_the_path_stays_on_the_pitch_where_an_octave_flickers() -> None:
    scores = np.full((30, module.CREPE_BINS), 1e-4, np.float32)
    scores[:, 200] = 0.6
    scores[::7, 140] = 0.9
    path = np.zeros(30, np.int64)
    module._smooth_path(np.log(scores), module.CREPE_STEP_COST, module.CREPE_MOST_COST, path)
    assert path.tolist() == [200] * 30


# What is not what it should be


@pytest.fixture
def torchaudio() -> Iterator[None]:
    held = sys.modules.get("torchaudio")
    yield
    assert sys.modules.get("torchaudio") is held


@pytest.mark.usefixtures("torchaudio", "crepe")
def test_torchcrepe_is_imported_without_torchaudio() -> None:
    assert module._torchcrepe().__name__ == "torchcrepe"


def test_another_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"This is no network.")
    with pytest.raises(ModelError, match="is no network"):
        load_swift(model("swift_f0"), tmp_path, CPU)


def test_weights_that_are_gone_are_said_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.onnx"):
        load_swift(model("swift_f0"), tmp_path, CPU)
    with pytest.raises(ModelError, match="no file"):
        load_swift(dataclasses.replace(model("swift_f0"), files=()), tmp_path, CPU)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code was run",)


@pytest.mark.usefixtures("crepe")
def test_a_pickle_with_code_in_it_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pickle

    import torch

    torch.save({"conv1.weight": Evil()}, tmp_path / "tiny.pth")
    evil = dataclasses.replace(model("crepe_tiny"), files=(File("tiny.pth"),))
    with pytest.raises((pickle.UnpicklingError, ModelError)):
        load_crepe(evil, tmp_path, CPU)
    assert "code was run" not in capsys.readouterr().out


@pytest.mark.usefixtures("crepe")
def test_crepe_of_another_size_is_refused(tmp_path: Path) -> None:
    import torch

    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "tiny.pth")
    other = dataclasses.replace(model("crepe_tiny"), files=(File("tiny.pth"),))
    with pytest.raises(ModelError, match="is not CREPE tiny"):
        load_crepe(other, tmp_path, CPU)
