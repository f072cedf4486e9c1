"""AST by the same calls as the real one, on a small checkpoint that the tests make."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processor.errors import ModelError
from processor.models import ast_tagger
from processor.models.ast_tagger import Ast
from processor.models.loading import Machine
from tests import signals
from tests.models.small import CPU, model, save_ast


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_ast(tmp_path_factory.mktemp("ast"))


@pytest.fixture(scope="module")
def tagger(saved: Path) -> Ast:
    return ast_tagger.load(model("ast"), saved, CPU)


@pytest.fixture
def copied(saved: Path, tmp_path: Path) -> Path:
    """A folder that a test may damage."""
    return shutil.copytree(saved, tmp_path / "ast")


def rewrite(path: Path, **facts: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))


def windows(count: int) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
    return [signals.noise(10.0, -10.0 - 3 * k, rate=16_000, seed=k)[0] for k in range(count)]


# What it says


def test_it_knows_its_classes_and_its_machine(tagger: Ast) -> None:
    assert tagger.labels == tuple(f"Kind {k}" for k in range(527))
    assert (tagger.name, tagger.device, tagger.dtype) == ("ast", "cpu", "float32")
    assert (tagger.sample_rate, tagger.window_frames, tagger.hop_frames) == (16_000, 160_000, 160_000)


def test_scores_are_those_of_the_network_as_transformers_calls_it(saved: Path, tagger: Ast) -> None:
    """The whole way by hand: extractor, network, a sigmoid for each class."""
    import torch
    from transformers import ASTFeatureExtractor, ASTForAudioClassification

    network = ASTForAudioClassification.from_pretrained(saved).eval()
    with pytest.warns(UserWarning, match="mel filter"):
        extractor = ASTFeatureExtractor.from_pretrained(saved)
    heard = windows(1)[0]
    with torch.inference_mode():
        logits = network(**extractor(heard, sampling_rate=16_000, return_tensors="pt")).logits[0].numpy()
    assert np.allclose(tagger.scores([heard])[0], 1 / (1 + np.exp(-logits)), atol=1e-6)


def test_together_they_get_what_they_get_alone(tagger: Ast) -> None:
    """Five are more than go through at once, and the last is short: neither changes what the others get."""
    heard = [*windows(4), windows(5)[4][:30_000]]
    together = tagger.scores(heard)
    assert together.shape == (5, 527)
    assert together.dtype == np.float32
    assert together.min() >= 0
    assert together.max() <= 1
    alone = np.concatenate([tagger.scores([one]) for one in heard])
    assert np.allclose(together, alone, atol=1e-5)
    assert np.ptp(together, axis=0).max() > 0.01  # they are heard, not waved through


def test_a_short_window_is_filled_up_as_the_extractor_does(tagger: Ast) -> None:
    """Empty frames of a spectrogram are its mean; zeros of sound are the deepest silence there is."""
    whole = windows(1)[0]
    padded = np.concatenate([whole[:30_000], np.zeros(130_000, np.float32)])
    short = tagger.scores([whole[:30_000]])
    assert np.abs(short - tagger.scores([padded])).max() > 1e-4


@pytest.mark.parametrize("frames", [1, 100, 399, 400, 560])
def test_next_to_nothing_is_heard_too(tagger: Ast, frames: int) -> None:
    found = tagger.scores([np.full(frames, 0.5, np.float32)])
    assert found.shape == (1, 527)
    assert np.isfinite(found).all()


def test_no_windows_give_no_scores(tagger: Ast) -> None:
    assert tagger.scores([]).shape == (0, 527)


def test_another_dtype_says_nearly_the_same(saved: Path, tagger: Ast) -> None:
    half = ast_tagger.load(model("ast", dtype="bfloat16"), saved, CPU)
    assert half.dtype == "bfloat16"
    found = half.scores(windows(2))
    assert found.dtype == np.float32
    assert 0 < np.abs(found - tagger.scores(windows(2))).max() < 0.05


def test_on_a_cuda_device_it_calculates_in_half_precision() -> None:
    from processor.models._pretrained import dtype_for, windows_at_once

    assert dtype_for(model("ast"), Machine("cuda:1", 1)) == "float16"
    assert dtype_for(model("ast", dtype="float32"), Machine("cuda", 1)) == "float32"
    assert dtype_for(model("ast"), Machine("mps", 1)) == "float32"
    assert windows_at_once(Machine("cuda", 1)) > windows_at_once(CPU)


def test_loading_leaves_the_library_as_talkative_as_it_was(saved: Path) -> None:
    import transformers

    logging: Any = transformers.utils.logging
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    ast_tagger.load(model("ast"), saved, CPU)
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


# What is refused


def refused(folder: Path, match: str, **options: str) -> None:
    with pytest.raises(ModelError, match=match):
        ast_tagger.load(model("ast", **options), folder, CPU)


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_missing_file_is_named(copied: Path, name: str) -> None:
    (copied / name).unlink()
    refused(copied, name.replace(".", r"\."))


def test_pickled_weights_stay_shut(copied: Path) -> None:
    (copied / "model.safetensors").rename(copied / "pytorch_model.bin")
    refused(copied, r"pytorch_model\.bin could run anything")


def test_weights_that_are_a_renamed_pickle_are_refused(copied: Path) -> None:
    import torch

    torch.save({"a": torch.zeros(3)}, copied / "model.safetensors")
    refused(copied, "cannot be loaded")


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
@pytest.mark.parametrize("content", ["", "{", "[1]", "[" * 100_000, "\0\0"])
def test_a_torn_configuration_is_refused(copied: Path, name: str, content: str) -> None:
    (copied / name).write_text(content)
    refused(copied, "ast|preprocessor")


def test_an_endless_configuration_is_refused(copied: Path) -> None:
    (copied / "config.json").write_text(" " * (2 << 20))
    refused(copied, "too large")


def test_torn_weights_are_refused(copied: Path) -> None:
    whole = (copied / "model.safetensors").read_bytes()
    (copied / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    refused(copied, "cannot be loaded")


def test_weights_that_lack_a_layer_are_refused(copied: Path) -> None:
    """The library would make up random ones, and say so only in its log."""
    from safetensors.torch import load_file, save_file

    weights = load_file(copied / "model.safetensors")
    del weights["classifier.dense.weight"]
    save_file(weights, copied / "model.safetensors", metadata={"format": "pt"})
    refused(copied, r"lacks 1 of the weights of ast, among them classifier\.dense\.weight")


def test_another_number_of_classes_is_refused(tmp_path: Path) -> None:
    refused(save_ast(tmp_path / "ten", classes=10), "10 classes")


def test_classes_that_the_weights_do_not_have_are_refused(tmp_path: Path) -> None:
    folder = save_ast(tmp_path / "ten", classes=10)
    rewrite(folder / "config.json", id2label={str(k): f"Kind {k}" for k in range(527)})
    refused(folder, "cannot be loaded")


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (None, "0 classes"),
        ({"0": "Speech"}, "1 classes"),
        ({str(k + 1): "Speech" for k in range(527)}, "527"),
        ({str(k): f"LABEL_{k}" for k in range(527)}, "no names"),
        ({str(k): "" for k in range(527)}, "without a name"),
        ({str(k): 5 for k in range(527)}, "without a name"),
    ],
)
def test_classes_without_names_are_refused(copied: Path, names: object, match: str) -> None:
    rewrite(copied / "config.json", id2label=names)
    refused(copied, match)


@pytest.mark.parametrize("facts", [{"sampling_rate": 8000}, {"max_length": 512}, {"num_mel_bins": 64}])
def test_a_preprocessor_of_another_model_is_refused(copied: Path, facts: dict[str, int]) -> None:
    rewrite(copied / "preprocessor_config.json", **facts)
    refused(copied, "does not fit")


def test_a_dtype_that_is_none_is_refused(saved: Path) -> None:
    refused(saved, "float17", dtype="float17")
    refused(saved, "load", dtype="load")
