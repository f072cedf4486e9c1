"""HTDemucs by ONNX: the transforms around the network, the file's form, and the real weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from processor.errors import ModelError
from processor.models import htdemucs_onnx
from processor.models.htdemucs_onnx import FILE, SEGMENT_FRAMES, HTDemucs, spectrogram, waveform
from processor.models.loading import Machine
from processor.models.separation import Separator, Sound
from processor.models.table import all_models
from tests import signals
from tests.signals import noise, sine
from tests.weights import Weights, weights  # noqa: F401  # a fixture

CPU = Machine("cpu", 1)
SPECTRA, WAVES = (1, 4, 4, 2048, 336), (1, 4, 2, SEGMENT_FRAMES)


def segment(seed: int = 0) -> Sound:
    return noise(SEGMENT_FRAMES / 44_100, rate=44_100, channels=2, seed=seed)


class Echo:
    """A network whose wave branch gives each stem a share of the mix, and whose spectra give them another."""

    def __init__(self, waves: tuple[float, ...], spectra: tuple[float, ...]) -> None:
        self.shares = waves, spectra
        self.given: list[Mapping[str, Sound]] = []

    def run(self, names: None, given: Mapping[str, Sound]) -> list[Sound]:
        self.given.append(given)
        mix, spectrum = given.values()
        waves, spectra = (np.array(shares, np.float32) for shares in self.shares)
        return [spectra[:, None, None, None] * spectrum[:, None], waves[:, None, None] * mix[:, None]]

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]


# The transforms


def test_the_spectrogram_is_that_of_its_makers() -> None:
    pytest.importorskip("torch")
    demucs = pytest.importorskip("demucs.htdemucs")
    import torch

    network: Any = SimpleNamespace(hop_length=1024, nfft=4096, cac=True)
    mix = segment()
    theirs = demucs.HTDemucs._spec(network, torch.from_numpy(mix)[None])
    expected = demucs.HTDemucs._magnitude(network, theirs)[0].numpy()
    found = spectrogram(mix)
    assert (found.shape, found.dtype) == ((4, 2048, 336), np.float32)
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_the_inverse_is_that_of_its_makers() -> None:
    pytest.importorskip("torch")
    demucs = pytest.importorskip("demucs.htdemucs")
    import torch

    network: Any = SimpleNamespace(hop_length=1024)
    spectra = np.random.default_rng(1).standard_normal((2, 4, 2048, 336)).astype(np.float32)
    parts = torch.from_numpy(spectra).view(2, 2, 2, 2048, 336).permute(0, 1, 3, 4, 2)
    expected = demucs.HTDemucs._ispec(network, torch.view_as_complex(parts.contiguous()), SEGMENT_FRAMES).numpy()
    found = waveform(spectra)
    assert (found.shape, found.dtype) == ((2, 2, SEGMENT_FRAMES), np.float32)
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_there_and_back_is_the_same_sound() -> None:
    mix = signals.faded(sine(440, SEGMENT_FRAMES / 44_100, -6, rate=44_100, channels=2), 8192)
    error = np.abs(waveform(spectrogram(mix)[np.newaxis])[0] - mix)
    assert error[:, 4096:-4096].max() < 1e-6  # at the ends there are no frames from beyond
    assert error.max() < 0.01


# Around the network


def test_both_branches_are_summed_at_the_level_of_the_mix() -> None:
    network = Echo((0.5, 0.25, 0.125, 0.0), (0.0, 0.0, 0.125, 0.5))
    mix = np.float32(0.01) * signals.faded(segment(), 8192)
    stems = HTDemucs("htdemucs", network).separate(mix)
    assert (stems.shape, stems.dtype) == ((4, 2, SEGMENT_FRAMES), np.float32)
    middle = slice(8192, -8192)
    for stem, share in zip(stems, (0.5, 0.25, 0.25, 0.5), strict=True):
        # The bin at half the rate is left out of the spectra, and with it a 4096th of white noise.
        error = np.abs(stem - share * mix)[:, middle].max()
        assert error < 0.05 * np.abs(mix).max()
    [given] = network.given
    assert list(given) == ["input", "onnx::ReduceMean_1"]
    assert given["input"].mean(axis=1).std() == pytest.approx(1.0, abs=0.5)
    assert np.array_equal(given["onnx::ReduceMean_1"][0], spectrogram(given["input"][0]))


@pytest.mark.parametrize("frames", [1, 1000, SEGMENT_FRAMES - 1])
def test_a_short_sound_is_heard_in_the_middle_of_silence(frames: int) -> None:
    network = Echo((1.0, 0.5, 0.5, 0.0), (0.0,) * 4)
    mix = segment()[:, :frames]
    stems = HTDemucs("htdemucs", network).separate(mix)
    assert stems.shape == (4, 2, frames)
    assert np.allclose(stems[0], mix - mix.mean(), atol=1e-4)
    given = network.given[0]["input"][0]
    start = (SEGMENT_FRAMES - frames) // 2
    assert not given[:, :start].any()
    assert not given[:, start + frames :].any()


# Loading


def saved(folder: Path, **shapes: Any) -> Path:
    """A network of the real one's form that does next to nothing, as an ONNX file."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    given = {"input": (1, 2, SEGMENT_FRAMES), "onnx::ReduceMean_1": (1, 4, 2048, 336)} | shapes.get("given", {})
    made = shapes.get("made", {"output": SPECTRA, "5073": WAVES})
    nodes = [
        helper.make_node("Mul", ["onnx::ReduceMean_1", "half"], ["a"]),
        helper.make_node("Expand", ["a", "shape_a"], ["output"]),
        helper.make_node("Mul", ["input", "half"], ["b"]),
        helper.make_node("Unsqueeze", ["b", "axis"], ["c"]),
        helper.make_node("Expand", ["c", "shape_c"], [list(made)[1]]),
    ]
    constants = {"half": np.array(0.5, np.float32), "axis": np.array([1]), "shape_c": np.array(WAVES)}
    constants["shape_a"] = np.array(SPECTRA)
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in given.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in made.items()],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    folder.mkdir(exist_ok=True)
    (folder / FILE).write_bytes(model.SerializeToString())
    return folder


def test_a_file_of_the_right_form_is_loaded(tmp_path: Path) -> None:
    separator = htdemucs_onnx.load(all_models()["htdemucs"], saved(tmp_path / "m"), CPU)
    assert (separator.name, separator.device, separator.dtype) == ("htdemucs", "cpu", "float32")
    assert separator.sources == ("drums", "bass", "other", "vocals")
    assert (separator.sample_rate, separator.segment_frames) == (44_100, SEGMENT_FRAMES)
    mix = segment()[:, :5000]
    assert separator.separate(mix).shape == (4, 2, 5000)


def test_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="another network"):
        htdemucs_onnx.load(all_models()["htdemucs"], saved(tmp_path / "m", given={"other": (1, 2)}), CPU)


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x08\x07" * 500])
def test_what_is_no_network_is_told_as_an_error_of_the_model(content: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(ModelError, match=FILE):
        htdemucs_onnx.load(all_models()["htdemucs"], tmp_path, CPU)


def test_without_the_file_it_is_demucs_own_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from processor.models import demucs_torch

    asked = []
    monkeypatch.setattr(demucs_torch, "load", lambda *given: asked.append(given))
    htdemucs_onnx.load(all_models()["htdemucs"], tmp_path, CPU)
    assert asked == [(all_models()["htdemucs"], tmp_path, CPU)]


@pytest.mark.parametrize(
    ("device", "there", "expected"),
    [
        ("cpu", ["CUDAExecutionProvider"], ["CPUExecutionProvider"]),
        ("cuda", [], ["CPUExecutionProvider"]),
        ("cuda", ["CUDAExecutionProvider"], [("CUDAExecutionProvider", {"device_id": "0"}), "CPUExecutionProvider"]),
        ("cuda:1", ["CUDAExecutionProvider"], [("CUDAExecutionProvider", {"device_id": "1"}), "CPUExecutionProvider"]),
    ],
)
def test_a_graphics_processor_is_used_where_onnxruntime_can(device: str, there: list[str], expected: list[Any]) -> None:
    runtime = SimpleNamespace(get_available_providers=lambda: there)
    assert htdemucs_onnx._providers(runtime, Machine(device, 1)) == expected


# The real weights


@pytest.fixture(scope="module")
def real(weights: Weights) -> Separator:  # noqa: F811
    return htdemucs_onnx.load(all_models()["htdemucs"], weights("htdemucs"), CPU)


def band(frames: int = 132_300) -> dict[str, Sound]:
    """Three seconds of drums and of a bass line, apart."""
    time = np.arange(frames) / 44_100
    random = np.random.default_rng(0)
    beat = time % 0.5
    kick = np.sin(2 * np.pi * 55 * beat + 5 * (1 - np.exp(-beat * 40))) * np.exp(-beat * 12)
    snare = random.standard_normal(frames) * np.exp(-((time + 0.25) % 0.5) * 30) * 0.4
    notes = np.repeat([55.0, 65.4, 73.4, 49.0, 55.0, 82.4], frames // 6)
    bass = sum(np.sin(2 * np.pi * np.cumsum(notes) * k / 44_100) / k**1.5 for k in range(1, 6)) * 0.4
    return {
        "drums": signals.spread(0.4 * (kick + snare)).astype(np.float32),
        "bass": signals.spread(0.4 * bass).astype(np.float32),
    }


def sdr_db(true: Sound, found: Sound) -> float:
    return float(10 * np.log10(np.square(true).sum() / np.square(true - found).sum()))


@pytest.fixture(scope="module")
def stems(real: Separator) -> Sound:
    return real.separate(sum(band().values(), np.zeros((2, 132_300), np.float32)))


def test_the_real_network_parts_drums_from_bass(real: Separator, stems: Sound) -> None:
    parts, found = band(), dict(zip(real.sources, stems, strict=True))
    mix = parts["drums"] + parts["bass"]
    assert sdr_db(parts["drums"], found["drums"]) > 8
    assert sdr_db(parts["bass"], found["bass"]) > 5
    assert sdr_db(mix, stems.sum(axis=0)) > 25
    assert np.square(found["vocals"]).sum() < 1e-3 * np.square(mix).sum()


def test_a_louder_mix_gives_the_same_stems_only_louder(real: Separator, stems: Sound) -> None:
    quiet = np.float32(1e-4) * sum(band().values(), np.zeros((2, 132_300), np.float32))
    assert np.abs(1e4 * real.separate(quiet) - stems).max() < 1e-2 * np.abs(stems).max()


def test_what_it_is_cannot_be_changed(real: Separator) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        real.name = "another"  # type: ignore[misc]
