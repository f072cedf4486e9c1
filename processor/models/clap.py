"""CLAP: puts sound and sentences into one space, where what belongs together lies close.

Source: Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion and keyword-to-caption
augmentation", ICASSP 2023 (LAION-CLAP), as transformers has it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.errors import ModelError
from processor.models._pretrained import check_folder, dtype_for, load_weights, loading_from, windows_at_once
from processor.models.labels import LabelSet, read_labels
from processor.models.loading import Machine
from processor.models.table import Model
from processor.models.text_cache import text_embeddings

Samples = NDArray[np.float32]
Vectors = NDArray[np.float32]

SAMPLE_RATE_HZ = 48_000
# 10 s, the length that it was trained on; one after the other.
WINDOW_FRAMES = HOP_FRAMES = 480_000
# Sentences in training were cut after so many tokens.
MOST_TOKENS = 77
SENTENCES_AT_ONCE = 64
# The largest that contrastive models are trained with (Radford et al., "CLIP", 2021, section 2.5).
MOST_LOGIT_SCALE = 100.0


@dataclass(frozen=True)
class Clap:
    """A loaded CLAP, with the labels that it is asked.

    Attributes:
        name: of the model, as in the settings.
        device: where it runs.
        dtype: what it calculates with; what goes in and out is float32.
        at_once: windows worth giving it together.
        logit_scale: what cosines are multiplied by before they become shares.
        sample_rate: of what it hears, in Hz.
        window_frames: samples that it hears at once.
        hop_frames: samples from window to window.
        labels: what it is asked.
        folder: of its weights; the labels' embeddings are kept there.
    """

    name: str
    device: str
    dtype: str
    at_once: int
    logit_scale: float
    labels: LabelSet
    folder: Path
    _network: Any = field(repr=False)
    _processor: Any = field(repr=False)
    sample_rate: int = SAMPLE_RATE_HZ
    window_frames: int = WINDOW_FRAMES
    hop_frames: int = HOP_FRAMES

    def embed(self, windows: Sequence[Samples]) -> Vectors:
        """Where each window lies, shape `(n, d)`, unit length.

        Args:
            windows: each float32 `(n,)`, 1 to `window_frames` samples; what is shorter is repeated, as in training.
        """
        import torch

        found = []
        for start in range(0, len(windows), self.at_once):
            # Said outright: what is no longer than a window is never cut, and so nothing is left to chance.
            features = self._processor.feature_extractor(
                list(windows[start : start + self.at_once]),
                sampling_rate=self.sample_rate,
                truncation="rand_trunc",
                return_tensors="pt",
            ).input_features
            with torch.inference_mode():
                given = self._network.get_audio_features(
                    input_features=features.to(self._network.device, self._network.dtype)
                )
            found.append(_unit_vectors(given))
        return np.concatenate(found) if found else np.empty((0, self._network.config.projection_dim), np.float32)

    def embed_text(self, texts: Sequence[str]) -> Vectors:
        """Where each sentence lies, shape `(m, d)`, unit length."""
        import torch

        most = min(MOST_TOKENS, self._network.config.text_config.max_position_embeddings - 2)
        found = []
        for start in range(0, len(texts), SENTENCES_AT_ONCE):
            tokens = self._processor.tokenizer(
                list(texts[start : start + SENTENCES_AT_ONCE]),
                padding=True,
                truncation=True,
                max_length=most,
                return_tensors="pt",
            ).to(self._network.device)
            with torch.inference_mode():
                given = self._network.get_text_features(
                    input_ids=tokens.input_ids, attention_mask=tokens.attention_mask
                )
            found.append(_unit_vectors(given))
        return np.concatenate(found) if found else np.empty((0, self._network.config.projection_dim), np.float32)

    def label_embeddings(self) -> Vectors:
        """Where the sentence of each label lies, in the order of `labels.names`; made once, then read from disk."""
        return text_embeddings(self.folder, self.name, self.labels.sentences, self.embed_text)


def _unit_vectors(given: Any) -> Vectors:
    """The embeddings in a network's answer, which transformers gives bare up to version 4 and wrapped since 5."""
    vectors = getattr(given, "pooler_output", given).float().cpu().numpy()
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def load(model: Model, folder: Path, machine: Machine) -> Clap:
    """Load a CLAP from a folder as the hub has it: configuration, preprocessor, tokenizer, `model.safetensors`.

    The option `labels` of the model is the path of a person's own label file.

    Raises:
        ModelError: transformers is not installed, a file is missing, or it is no CLAP that hears 10 s at 48 kHz.
    """
    labels = read_labels(Path(model.options["labels"]) if model.options.get("labels") else None)
    check_folder(
        model,
        folder,
        others=(("preprocessor_config.json", "processor_config.json"), ("tokenizer.json", "vocab.json")),
    )
    with loading_from(folder, model):
        from transformers import ClapModel, ClapProcessor

        processor = ClapProcessor.from_pretrained(folder, local_files_only=True)
        network = load_weights(model, ClapModel, folder, machine)
    _check(model, network, processor)
    return Clap(
        name=model.name,
        device=machine.device,
        dtype=dtype_for(model, machine),
        at_once=windows_at_once(machine),
        logit_scale=_logit_scale(model, network),
        labels=labels,
        folder=folder,
        _network=network,
        _processor=processor,
    )


def _logit_scale(model: Model, network: Any) -> float:
    scale = float(network.logit_scale_a.detach().float().exp())
    if not math.isfinite(scale) or scale <= 0:
        raise ModelError(f"{model.name} has a logit scale of {scale}")
    return min(scale, MOST_LOGIT_SCALE)


def _check(model: Model, network: Any, processor: Any) -> None:
    """Network, extractor and tokenizer must have been made for each other."""
    extractor = processor.feature_extractor
    found = (extractor.sampling_rate, extractor.nb_max_samples, extractor.feature_size)
    wanted = (SAMPLE_RATE_HZ, WINDOW_FRAMES, network.config.audio_config.num_mel_bins)
    if found != wanted:
        raise ModelError(f"{model.name} does not fit its preprocessor: rate, samples, bands are {found}, not {wanted}")
    if network.config.audio_config.enable_fusion:
        raise ModelError(f"{model.name} fuses parts of long sounds, drawn at random; take a model without fusion")
    words, known = max(processor.tokenizer.get_vocab().values()) + 1, network.config.text_config.vocab_size
    if words > known:
        raise ModelError(f"{model.name} has a tokenizer of {words} tokens; the network knows {known}")
    # One whose words were not found still loads, and then reads the same into every sentence.
    if processor.tokenizer("a sad song").input_ids == processor.tokenizer("a happy song").input_ids:
        raise ModelError(f"{model.name} has a tokenizer that cannot read")
