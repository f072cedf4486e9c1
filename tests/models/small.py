"""Small checkpoints of the same classes as the real ones, saved by the same calls: what a hub would bring.

Each has few and narrow layers of random numbers. All else is as in the real ones: number of classes, length of windows,
extractor, tokenizer, the names of the files.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from processor.models.labels import read_labels
from processor.models.loading import Machine, guard_broken_packages
from processor.models.table import Model, all_models

# Before transformers is imported by anybody: it remembers which packages it has found.
guard_broken_packages()
pytest.importorskip("torch")
pytest.importorskip("transformers")

CPU = Machine("cpu", 1)


def model(name: str, **options: str) -> Model:
    """A row of the table with options of its own."""
    import dataclasses

    found = all_models()[name]
    return dataclasses.replace(found, options={**found.options, **options})


@contextmanager
def _quietly(seed: int) -> Iterator[None]:
    """Random numbers that are the same in each run, and no progress bar."""
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.filterwarnings("ignore", message="At least one mel filter has all zero values")
        torch.manual_seed(seed)
        yield
    transformers.utils.logging.enable_progress_bar()


def save_ast(folder: Path, *, classes: int = 527, seed: int = 0) -> Path:
    """A transformer of two layers that names 527 kinds; its last bias is spread, so that some kinds stand out."""
    with _quietly(seed):
        import torch
        from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

        config = ASTConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16)
        config.id2label = {k: f"Kind {k}" for k in range(classes)}
        config.label2id = {label: k for k, label in config.id2label.items()}
        network = ASTForAudioClassification(config)
        torch.nn.init.normal_(network.classifier.dense.weight)
        torch.nn.init.normal_(network.classifier.dense.bias, mean=-3.0)
        network.save_pretrained(folder)
        ASTFeatureExtractor().save_pretrained(folder)
    return folder


SMALL_TEXT = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 60,
    "vocab_size": 4000,
}
SMALL_AUDIO = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": [1, 2],
    "depths": [1, 1],
    "patch_embeds_hidden_size": 8,
}


def save_clap(
    folder: Path,
    *,
    seed: int = 0,
    text: Mapping[str, Any] = SMALL_TEXT,
    audio: Mapping[str, Any] = SMALL_AUDIO,
    width: int = 12,
) -> Path:
    """Two Swin stages for sound, two layers for sentences, and a tokenizer that learned the labels' words."""
    with _quietly(seed):
        import torch
        from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, RobertaTokenizerFast

        _learn_words(folder)
        tokenizer = RobertaTokenizerFast.from_pretrained(folder)
        assert tokenizer.tokenize("the guitar")[-1] == "Ġguitar"  # it has learned words
        network = ClapModel(ClapConfig(text_config=dict(text), audio_config=dict(audio), projection_dim=width))
        for name, weights in network.named_parameters():
            if "logit_scale" not in name and "norm" not in name.lower():  # as they begin, all inputs give the same
                torch.nn.init.normal_(weights, std=2.0 * weights.shape[-1] ** -0.5)
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        ClapFeatureExtractor(truncation="rand_trunc", frequency_min=50).save_pretrained(folder)
    return folder


def _learn_words(folder: Path) -> None:
    from tokenizers import ByteLevelBPETokenizer

    learner = ByteLevelBPETokenizer()
    learner.train_from_iterator(
        [*read_labels().sentences, "the sound of the guitar"] * 2,
        vocab_size=4000,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        show_progress=False,
    )
    folder.mkdir(parents=True, exist_ok=True)
    learner.save_model(str(folder))
