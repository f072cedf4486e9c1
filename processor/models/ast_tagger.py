"""AST, the Audio Spectrogram Transformer: names 527 kinds of sound in each ten seconds.

Source: Gong, Chung & Glass, "AST: Audio Spectrogram Transformer", Interspeech 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.errors import ModelError
from processor.models._pretrained import check_folder, dtype_for, load_weights, loading_from, windows_at_once
from processor.models.loading import Machine
from processor.models.table import Model

Samples = NDArray[np.float32]

CLASSES = 527
SAMPLE_RATE_HZ = 16_000
# 10 s, as the clips of AudioSet that it was trained on: 998 frames of its 1024. One after the other, for it costs the
# most of all taggers.
WINDOW_FRAMES = HOP_FRAMES = 160_000
# One frame of its spectrogram, 25 ms: it cannot hear less.
SHORTEST_FRAMES = 400


@dataclass(frozen=True)
class Ast:
    """A loaded AST.

    Attributes:
        name: of the model, as in the settings.
        labels: what it can name, 527, in the order of its answers.
        device: where it runs.
        dtype: what it calculates with; what goes in and out is float32.
        at_once: windows worth giving it together.
        sample_rate: of what it hears, in Hz.
        window_frames: samples that it hears at once.
        hop_frames: samples from window to window.
    """

    name: str
    labels: tuple[str, ...]
    device: str
    dtype: str
    at_once: int
    _network: Any = field(repr=False)
    _extractor: Any = field(repr=False)
    sample_rate: int = SAMPLE_RATE_HZ
    window_frames: int = WINDOW_FRAMES
    hop_frames: int = HOP_FRAMES

    def scores(self, windows: Sequence[Samples]) -> Samples:
        """How sure it is of each class, 0 to 1 each, shape `(n, 527)`.

        Several classes may be true at once, so each goes through a sigmoid of its own, as in training.

        Args:
            windows: each float32 `(n,)`, up to `window_frames` samples; the spectrogram of what is shorter is filled
                up by the extractor.
        """
        import torch

        found = [np.empty((0, len(self.labels)), np.float32)]
        for start in range(0, len(windows), self.at_once):
            heard = [_long_enough(window) for window in windows[start : start + self.at_once]]
            features = self._extractor(heard, sampling_rate=self.sample_rate, return_tensors="pt").input_values
            with torch.inference_mode():
                logits = self._network(features.to(self._network.device, self._network.dtype)).logits
                found.append(torch.sigmoid(logits.float()).cpu().numpy())
        return np.concatenate(found)


def _long_enough(window: Samples) -> Samples:
    missing = SHORTEST_FRAMES - len(window)
    return np.pad(window, (0, missing)) if missing > 0 else window


def load(model: Model, folder: Path, machine: Machine) -> Ast:
    """Load an AST from a folder as the hub has it: `config.json`, `preprocessor_config.json`, `model.safetensors`.

    Raises:
        ModelError: transformers is not installed, a file is missing, or it is no AST of 527 classes.
    """
    config = check_folder(model, folder, others=(("preprocessor_config.json",),))
    labels = _labels(model, config)
    with loading_from(folder, model):
        from transformers import ASTFeatureExtractor, ASTForAudioClassification

        extractor = ASTFeatureExtractor.from_pretrained(folder, local_files_only=True)
        network = load_weights(model, ASTForAudioClassification, folder, machine)
    _check(model, network, extractor)
    return Ast(
        model.name, labels, machine.device, dtype_for(model, machine), windows_at_once(machine), network, extractor
    )


def _labels(model: Model, config: dict[str, Any]) -> tuple[str, ...]:
    """The classes by number, out of `id2label` of its configuration."""
    named = config.get("id2label")
    if not isinstance(named, dict) or set(named) != {str(k) for k in range(CLASSES)}:
        count = len(named) if isinstance(named, dict) else 0
        raise ModelError(f"{model.name} names {count} classes in id2label of its configuration, not {CLASSES}")
    labels = tuple(named[str(k)] for k in range(CLASSES))
    if not all(isinstance(label, str) and label.strip() for label in labels) or len(set(labels)) < CLASSES:
        raise ModelError(f"{model.name} has two classes of one name, or one without a name")
    if all(label.startswith("LABEL_") for label in labels):
        raise ModelError(f"{model.name} has no names for its classes")
    return labels


def _check(model: Model, network: Any, extractor: Any) -> None:
    """Extractor and network must have been made for each other."""
    config = network.config
    wanted = (SAMPLE_RATE_HZ, config.max_length, config.num_mel_bins, CLASSES)
    found = (
        extractor.sampling_rate,
        extractor.max_length,
        extractor.num_mel_bins,
        network.classifier.dense.out_features,
    )
    if found != wanted:
        raise ModelError(
            f"{model.name} does not fit its preprocessor: rate, frames, bands and classes are {found}, not {wanted}"
        )
