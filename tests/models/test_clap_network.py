"""CLAP by the same calls as the real one, on a small checkpoint that the tests make."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processor.errors import ModelError
from processor.models import clap
from processor.models.clap import Clap
from processor.models.labels import read_labels
from tests import signals
from tests.models.small import CPU, SMALL_AUDIO, SMALL_TEXT, model, save_clap

TWO = '[mood]\nprompt = "{} music"\nlabels = ["sad", "happy"]\n'


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clap(tmp_path_factory.mktemp("clap"))


@pytest.fixture(scope="module")
def hears(saved: Path) -> Clap:
    return clap.load(model("clap"), saved, CPU)


@pytest.fixture
def copied(saved: Path, tmp_path: Path) -> Path:
    """A folder that a test may damage."""
    return shutil.copytree(saved, tmp_path / "clap")


def rewrite(path: Path, **facts: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))


def windows(count: int) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
    return [
        np.ascontiguousarray(
            signals.noise(10.0, -20.0, seed=k)[0] * (k % 2) + signals.sine(200.0 * (k + 1), 10.0, -6.0)[0]
        )
        for k in range(count)
    ]


def test_it_knows_its_machine_and_what_it_is_asked(hears: Clap) -> None:
    assert (hears.name, hears.device, hears.dtype) == ("clap", "cpu", "float32")
    assert (hears.sample_rate, hears.window_frames, hears.hop_frames) == (48_000, 480_000, 480_000)
    assert hears.labels == read_labels()
    assert hears.logit_scale == pytest.approx(1 / 0.07, rel=1e-5)


def test_cosines_are_those_of_the_model_as_transformers_calls_it(saved: Path, hears: Clap) -> None:
    """`logits_per_audio` of the whole model on one sound and three sentences."""
    import torch
    from transformers import ClapModel, ClapProcessor

    texts = ["This audio is music.", "This audio is a piece of techno music with drums.", "no vocals"]
    sound = windows(2)[1]
    network, processor = ClapModel.from_pretrained(saved).eval(), ClapProcessor.from_pretrained(saved)
    inputs = processor(text=texts, audio=sound, sampling_rate=48_000, return_tensors="pt", padding=True)
    with torch.inference_mode():
        logits = network(**inputs).logits_per_audio.numpy()
    found = hears.logit_scale * hears.embed([sound]) @ hears.embed_text(texts).T
    assert np.allclose(found, logits, atol=1e-4)
    assert np.ptp(logits) > 0.1  # the sentences differ for it


def test_together_windows_lie_where_they_lie_alone(hears: Clap) -> None:
    heard = [*windows(4), windows(5)[4][:100_000]]
    together = hears.embed(heard)
    assert together.shape == (5, 12)
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    assert np.allclose(together, np.concatenate([hears.embed([one]) for one in heard]), atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 0.01


def test_a_short_window_is_repeated_as_in_training(hears: Clap) -> None:
    part = windows(2)[1][:120_000]
    assert np.allclose(hears.embed([part]), hears.embed([np.tile(part, 4)]), atol=1e-6)
    assert np.isfinite(hears.embed([np.full(1, 0.5, np.float32)])).all()


def test_the_same_window_always_lies_in_the_same_place(hears: Clap) -> None:
    heard = windows(2)
    assert np.array_equal(hears.embed(heard), hears.embed(heard))


def test_together_sentences_lie_where_they_lie_alone(hears: Clap) -> None:
    """Padding to the longest changes nothing, nor do more than go through at once."""
    texts = [f"the sound of {'piano ' * (k % 5)}and drums {k}" for k in range(70)]
    together = hears.embed_text(texts)
    assert together.shape == (70, 12)
    assert np.allclose(together, np.concatenate([hears.embed_text([text]) for text in texts]), atol=1e-5)


def test_an_endless_sentence_is_cut(hears: Clap) -> None:
    long = hears.embed_text(["music " * 5000])
    assert np.allclose(long, hears.embed_text(["music " * 6000]))


def test_nothing_in_nothing_out(hears: Clap) -> None:
    assert hears.embed([]).shape == hears.embed_text([]).shape == (0, 12)


def test_labels_are_read_once_for_good(saved: Path, copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = clap.load(model("clap"), copied, CPU).label_embeddings()
    assert first.shape == (306, 12)
    kept = [path.name for path in copied.glob("text-*.npz")]
    assert len(kept) == 1
    counts = []
    read = Clap.embed_text
    monkeypatch.setattr(Clap, "embed_text", lambda self, texts: (counts.append(len(texts)), read(self, texts))[1])
    assert np.array_equal(clap.load(model("clap"), copied, CPU).label_embeddings(), first)
    assert counts == [2]


def test_a_person_s_own_labels_are_asked_instead(copied: Path, tmp_path: Path) -> None:
    path = tmp_path / "labels.toml"
    path.write_text(TWO)
    own = clap.load(model("clap", labels=str(path)), copied, CPU)
    assert own.labels.names == ("mood: sad", "mood: happy")
    assert np.allclose(own.label_embeddings(), own.embed_text(["sad music", "happy music"]), atol=1e-6)
    path.write_text("[mood]")
    with pytest.raises(ModelError, match="needs prompt and labels"):
        clap.load(model("clap", labels=str(path)), copied, CPU)


def test_another_dtype_lies_nearly_there(saved: Path, hears: Clap) -> None:
    half = clap.load(model("clap", dtype="bfloat16"), saved, CPU)
    found = half.embed(windows(2))
    assert found.dtype == np.float32
    assert (found * hears.embed(windows(2))).sum(axis=1).min() > 0.98


def test_a_folder_as_newer_versions_save_it_loads_too(saved: Path, tmp_path: Path, hears: Clap) -> None:
    """`processor_config.json` in the place of `preprocessor_config.json`."""
    from transformers import ClapProcessor

    folder = shutil.copytree(saved, tmp_path / "clap")
    (folder / "preprocessor_config.json").unlink()
    ClapProcessor.from_pretrained(saved).save_pretrained(folder)
    assert not (folder / "preprocessor_config.json").exists()
    assert np.allclose(clap.load(model("clap"), folder, CPU).embed(windows(1)), hears.embed(windows(1)), atol=1e-6)


# What is refused


def refused(folder: Path, match: str) -> None:
    with pytest.raises(ModelError, match=match):
        clap.load(model("clap"), folder, CPU)


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_missing_file_is_named(copied: Path, name: str) -> None:
    (copied / name).unlink()
    refused(copied, name.replace(".", r"\."))


def test_a_missing_tokenizer_is_named(copied: Path) -> None:
    for name in ("tokenizer.json", "vocab.json", "merges.txt"):
        (copied / name).unlink(missing_ok=True)
    refused(copied, r"tokenizer\.json or vocab\.json")


def test_pickled_weights_stay_shut(copied: Path) -> None:
    (copied / "model.safetensors").rename(copied / "pytorch_model.bin")
    refused(copied, r"pytorch_model\.bin could run anything")


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"])
def test_a_torn_file_is_refused(copied: Path, name: str) -> None:
    whole = (copied / name).read_bytes()
    (copied / name).write_bytes(whole[: len(whole) // 2])
    refused(copied, "clap|config")


def test_weights_that_lack_a_layer_are_refused(copied: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(copied / "model.safetensors")
    del weights["audio_projection.linear1.weight"]
    save_file(weights, copied / "model.safetensors", metadata={"format": "pt"})
    refused(copied, r"lacks 1 of the weights of clap, among them audio_projection\.linear1\.weight")


def test_an_absurd_logit_scale_is_refused_or_held(copied: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    weights = load_file(copied / "model.safetensors")
    for value, ends in ((float("nan"), "refused"), (900.0, "refused"), (8.0, "held")):
        weights["logit_scale_a"] = torch.tensor(value)
        save_file(weights, copied / "model.safetensors", metadata={"format": "pt"})
        if ends == "refused":
            refused(copied, "logit scale")
        else:
            assert clap.load(model("clap"), copied, CPU).logit_scale == 100.0


@pytest.mark.parametrize("facts", [{"sampling_rate": 44_100}, {"max_length_s": 5}, {"feature_size": 128}])
def test_a_preprocessor_of_another_model_is_refused(copied: Path, facts: dict[str, int]) -> None:
    path = copied / "preprocessor_config.json"
    rewrite(path, **facts)
    if "max_length_s" in facts:
        rewrite(path, nb_max_samples=240_000)
    refused(copied, "does not fit")


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    """Its tokens would be looked up beyond the end of the network's table."""
    refused(save_clap(tmp_path / "short", text={**SMALL_TEXT, "vocab_size": 1000}), "the network knows 1000")


def test_a_tokenizer_without_words_is_refused(copied: Path) -> None:
    """The library loads it, and every sentence becomes the same."""
    path = copied / "tokenizer.json"
    content = json.loads(path.read_text())
    special = {one["content"]: one["id"] for one in content["added_tokens"]}
    content["model"] = {**content["model"], "vocab": special, "merges": []}
    path.write_text(json.dumps(content))
    refused(copied, "cannot read|cannot be loaded")


def test_a_model_that_draws_at_random_is_refused(tmp_path: Path) -> None:
    refused(
        save_clap(tmp_path / "fused", audio={**SMALL_AUDIO, "enable_fusion": True, "fusion_type": "aff_2d"}), "fuses"
    )
