"""Taggers whose answers follow from the sound by a formula, so that a test knows what must come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from processor.models.labels import Category, LabelSet

Samples = NDArray[np.float32]
BANDS = 16


def spectrum(window: Samples) -> NDArray[np.float64]:
    """Power in `BANDS` bands of equal width from 0 to half the rate; they add up to one."""
    power = np.abs(np.fft.rfft(window, max(len(window), 2 * BANDS))) ** 2
    shares = np.array([band.sum() for band in np.array_split(power, BANDS)])
    return shares / (shares.sum() + 1e-30)


@dataclass
class Tagger:
    """Class k is sounding as much as band k has of the power; what it was given is kept.

    Attributes:
        sample_rate: in Hz.
        window_frames: samples of a window.
        hop_frames: samples from window to window.
        at_once: windows that it wants together.
        batches: how many windows it was given each time.
        lengths: samples of each window that it was given.
    """

    sample_rate: int = 16_000
    window_frames: int = 16_000
    hop_frames: int = 8_000
    at_once: int = 4
    name: str = "fake"
    labels: tuple[str, ...] = tuple(f"Band {k}" for k in range(BANDS))
    batches: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    peak: float = 0.0

    def scores(self, windows: Sequence[Samples]) -> Samples:
        """As YAMNet's and AST's."""
        self.batches.append(len(windows))
        self.lengths.extend(len(window) for window in windows)
        for window in windows:
            assert window.dtype == np.float32
            assert window.ndim == 1
            assert window.flags.c_contiguous
            self.peak = max(self.peak, float(np.abs(window).max()))
        return np.array([spectrum(window) for window in windows], np.float32).reshape(len(windows), BANDS)


LABELS = LabelSet(
    (
        Category("genre", "{} music", tuple(f"genre {k}" for k in range(9))),
        Category("mood", "{}", ("low", "high")),
        Category("vocal", "{}", tuple(f"voice {k}" for k in range(5))),
    )
)


@dataclass
class Embedder(Tagger):
    """Lies where its spectrum points to; label k points to band k."""

    sample_rate: int = 48_000
    window_frames: int = 480_000
    hop_frames: int = 480_000
    logit_scale: float = 14.0
    labels: LabelSet = LABELS  # type: ignore[assignment]
    folder: Path = Path()

    def embed(self, windows: Sequence[Samples]) -> Samples:
        """As CLAP's."""
        found = self.scores(windows)
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), np.float32(1e-9))

    def label_embeddings(self) -> Samples:
        """As CLAP's."""
        return np.eye(len(self.labels.names), BANDS, dtype=np.float32)


def ignore(share: float) -> None:
    """Nobody wants to know how far it is."""
