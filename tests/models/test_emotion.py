"""emotion2vec by FunASR's own call, on a small checkpoint of its class that the tests make; and what is not let in."""

from __future__ import annotations

import logging
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("omegaconf")

from processor.errors import ModelError
from processor.models import emotion as module
from processor.models.emotion import EmotionReader, layers, load, read_config, read_tokens
from processor.models.loading import Machine, guard_broken_packages
from processor.models.table import all_models
from tests import signals

CPU = Machine("cpu", 1)
TOKENS = ("生气/angry", "厌恶/disgusted", "恐惧/fearful", "开心/happy", "中立/neutral", "其他/other")
TOKENS += ("难过/sad", "吃惊/surprised", "<unk>")
CONVOLUTIONS = "[(16, 10, 5)] + [(16, 3, 2)] * 4 + [(16, 2, 2)] + [(16, 2, 2)]"

DECODER = {
    "decoder_dim": 16,
    "decoder_groups": 4,
    "decoder_kernel": 3,
    "decoder_layers": 1,
    "decoder_residual": True,
    "input_dropout": 0.1,
    "add_positions_masked": False,
    "add_positions_all": False,
    "projection_layers": 1,
    "projection_ratio": 2.0,
}
AUDIO = {
    "type": "AUDIO",
    "prenet_depth": 1,
    "prenet_layerdrop": 0.05,
    "prenet_dropout": 0.1,
    "start_drop_path_rate": 0.0,
    "end_drop_path_rate": 0.0,
    "num_extra_tokens": 2,
    "init_extra_token_zero": True,
    "local_grad_mult": 1.0,
    "mask_prob": 0.5,
    "mask_prob_min": None,
    "use_alibi_encoder": True,
    "alibi_scale": 1.0,
    "alibi_max_pos": None,
    "learned_alibi": False,
    "learned_alibi_scale": True,
    "learned_alibi_scale_per_head": True,
    "learned_alibi_scale_per_layer": False,
    "num_alibi_heads": 2,
    "model_depth": 2,
    "decoder": DECODER,
    "extractor_mode": "layer_norm",
    "feature_encoder_spec": CONVOLUTIONS,
    "conv_pos_width": 15,
    "conv_pos_groups": 4,
    "conv_pos_depth": 2,
    "conv_pos_pre_ln": False,
}
NETWORK = {
    "depth": 2,
    "start_drop_path_rate": 0.0,
    "end_drop_path_rate": 0.0,
    "num_heads": 2,
    "norm_affine": True,
    "encoder_dropout": 0.1,
    "post_mlp_drop": 0.1,
    "attention_dropout": 0.1,
    "activation_dropout": 0.0,
    "dropout_input": 0.0,
    "layerdrop": 0.05,
    "embed_dim": 16,
    "mlp_ratio": 2.0,
    "layer_norm_first": False,
    "average_top_k_layers": 2,
    "end_of_block_targets": False,
    "clone_batch": 2,
    "loss_beta": 0,
    "loss_scale": None,
    "normalize": True,
    "modalities": {"audio": AUDIO},
}


def write_config(path: Path, **changes: Any) -> Path:
    """A config.yaml as the hub has it, with its way of writing a small number."""
    import yaml

    config = {"model": "Emotion2vec", "model_conf": NETWORK, "tokenizer": "CharTokenizer", "scope_map": ["d2v_model."]}
    text = yaml.safe_dump(config | changes)
    path.write_text(text.replace("norm_affine: true", "norm_affine: true\n  norm_eps: 1e-05"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of two layers, its weights named as those on the hub are."""
    import torch

    guard_broken_packages()  # FunASR goes on without a torchaudio that is not there
    folder = tmp_path_factory.mktemp("emotion2vec")
    write_config(folder / "config.yaml")
    (folder / "tokens.txt").write_text("\n".join(TOKENS), encoding="utf-8")
    with module._quiet():
        AutoModel = pytest.importorskip("funasr").AutoModel  # noqa: N806 - its name
        made = AutoModel(
            model="Emotion2vec",
            model_conf=read_config(folder / "config.yaml"),
            tokenizer="CharTokenizer",
            tokenizer_conf={"token_list": list(TOKENS), "unk_symbol": "<unk>"},
            seed=7,
            device="cpu",
            disable_update=True,
        )
    weights = made.model.state_dict()
    named = {key if key.startswith("proj.") else f"d2v_model.{key}": value for key, value in weights.items()}
    named["proj.bias"] = torch.linspace(0, 8, len(TOKENS))  # so that one emotion stands out
    without = {key: value for key, value in named.items() if ".decoder." not in key}
    torch.save({"model": without}, folder / "model.pt")
    return folder


@pytest.fixture(scope="module")
def reader(saved: Path) -> EmotionReader:
    return load(all_models()["emotion2vec"], saved, CPU)


@pytest.fixture
def copied(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved, tmp_path / "copy")


# What it says


def test_it_knows_its_emotions_in_english(reader: EmotionReader) -> None:
    assert reader.labels == (
        *("angry", "disgusted", "fearful", "happy", "neutral", "other", "sad", "surprised", "unknown"),
    )
    assert (reader.device, reader.dtype, reader.sample_rate) == ("cpu", "float32", 16_000)


def test_scores_are_those_of_the_network_with_these_weights(saved: Path, reader: EmotionReader) -> None:
    """The way by hand: normalise, features, mean over time, projection, softmax."""
    import torch

    samples = signals.noise(2.0, rate=16_000)[0]
    network = reader._model.model
    stored = torch.load(saved / "model.pt", weights_only=True)["model"]
    assert torch.equal(network.state_dict()["proj.weight"], stored["proj.weight"])
    assert torch.equal(network.blocks[1].attn.qkv.weight, stored["d2v_model.blocks.1.attn.qkv.weight"])
    with torch.inference_mode():
        source = torch.nn.functional.layer_norm(torch.from_numpy(samples), samples.shape)[None]
        features = network.extract_features(source)["x"].mean(dim=1)
        expected = torch.softmax(network.proj(features), dim=-1)[0].numpy()
    found = reader.read(samples)
    assert found == pytest.approx(expected, abs=1e-5)
    assert found.sum() == pytest.approx(1.0, abs=1e-5)
    assert found.argmax() == 8
    assert np.array_equal(reader.read(samples), found)


def test_the_shortest_utterance_can_be_read(reader: EmotionReader) -> None:
    assert reader.read(signals.noise(0.1, rate=16_000)[0][: reader.least_frames]).shape == (9,)


def test_logging_and_output_are_left_alone(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().handlers[:], logging.getLogger().level
    load(all_models()["emotion2vec"], saved, CPU).read(signals.noise(0.5, rate=16_000)[0])
    assert (logging.getLogger().handlers, logging.getLogger().level) == before
    assert capsys.readouterr().out == ""


# What is not let in


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code was run",)


@pytest.mark.parametrize("is_zip", [True, False])
def test_weights_with_code_in_them_are_refused(
    copied: Path, is_zip: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the environment asks torch to be careless."""
    import torch

    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    if is_zip:
        torch.save({"model": {"proj.weight": Evil()}}, copied / "model.pt")
    else:
        (copied / "model.pt").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ModelError, match="more or less than weights"):
        load(all_models()["emotion2vec"], copied, CPU)
    assert "code was run" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_weights_that_are_none_are_refused(copied: Path, content: bytes | None) -> None:
    if content is None:
        (copied / "model.pt").unlink()
    else:
        (copied / "model.pt").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.pt"):
        load(all_models()["emotion2vec"], copied, CPU)


@pytest.mark.parametrize("lacking", ["proj.weight", "d2v_model.blocks.0.attn.qkv.weight"])
def test_weights_that_lack_some_are_refused(copied: Path, lacking: str) -> None:
    """FunASR itself would go on with random numbers."""
    import torch

    weights = torch.load(copied / "model.pt", weights_only=True)["model"]
    del weights[lacking]
    torch.save(weights, copied / "model.pt")
    with pytest.raises(ModelError, match="1 of 75 weights are missing"):
        load(all_models()["emotion2vec"], copied, CPU)


def test_weights_of_another_shape_are_refused(copied: Path) -> None:
    import torch

    weights = torch.load(copied / "model.pt", weights_only=True)["model"]
    weights["proj.weight"] = weights["proj.weight"][:4]
    torch.save({"state_dict": weights}, copied / "model.pt")
    with pytest.raises(ModelError, match="another shape"):
        load(all_models()["emotion2vec"], copied, CPU)


# Configurations and lists


def test_convolutions_are_read_without_being_run() -> None:
    assert layers("[(512, 10, 5)] + [(512, 3, 2)] * 2 + [(512,2,2)]") == [(512, 10, 5), *[(512, 3, 2)] * 2, (512, 2, 2)]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "[(512, 10, 5)] * 9999999999",
        "[(512, 10, 5)] * 32 * 32 * 32 * 32",
        "[(512, 10, 5), open('x')]",
        "[(512, 10)]",
        "[(True, 1, 1)]",
        "[(9 ** 9 ** 9, 1, 1)]",
        "[]",
        "",
        "[" * 5000,
        None,
        7,
    ],
)
def test_other_than_convolutions_is_refused(text: object) -> None:
    with pytest.raises(ModelError, match="no list of convolutions"):
        layers(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("model: Other\nmodel_conf: {}", "does not describe"),
        ("model: Emotion2vec", "does not describe"),
        ("model: Emotion2vec\nmodel_conf: {depth: 2}", "feature_encoder_spec"),
        ("model: Emotion2vec\nmodel_conf: {depth: 99999999}", "no network has"),
        ("model: Emotion2vec\nmodel_conf: {a: '${oc.env:HOME}'}", "more than itself"),
        ("a: &a [1]\nb: *a", "more than itself"),
        ("!!python/object/apply:os.system ['true']", "YAML"),
        ("- [", "YAML"),
        ("[]", "does not describe"),
        ("#" * 100_000, "longer"),
    ],
)
def test_a_configuration_that_is_none_is_refused(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ModelError, match=why):
        read_config(tmp_path / "config.yaml")


def test_only_what_describes_the_network_is_taken(tmp_path: Path) -> None:
    path = write_config(tmp_path / "config.yaml", trust_remote_code=True, remote_code="./evil.py", init_param="/x")
    found = read_config(path)
    assert set(found) == set(NETWORK) | {"norm_eps"}
    assert found["norm_eps"] == 1e-5


@pytest.mark.parametrize("text", ["", "one", "a\nb", "a\na\n<unk>", "\n".join(map(str, range(99))) + "\n<unk>"])
def test_a_list_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "tokens.txt").write_text(text)
    with pytest.raises(ModelError, match="no list of emotions"):
        read_tokens(tmp_path / "tokens.txt")


def test_names_are_safe_to_show(tmp_path: Path) -> None:
    (tmp_path / "tokens.txt").write_text("a\x1b[31m/b\u202e\n" + "x" * 10_000 + "\n<unk>")
    assert read_tokens(tmp_path / "tokens.txt") == ["a\ufffd[31m/b\ufffd", "x" * 80, "<unk>"]
    with pytest.raises(ModelError, match="cannot be read"):
        read_tokens(tmp_path / "nothing.txt")
