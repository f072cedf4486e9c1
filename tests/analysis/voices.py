"""Voices for tests: stems beside a record, and models that are small enough to see through."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.analysis.stems import Stems
from processor.models.whisper import Line
from processor.sidecars import Sidecars
from tests.signals import Samples

Row = NDArray[np.float32]
RATE = 16_000
HOP_S = 0.1


def stems_of(folder: Path, vocals: Samples, rate: int, *, present: bool = True) -> tuple[Stems, Sidecars]:
    """A stem of vocals beside a record in `folder`, written there, and one of drums that nobody reads."""
    sidecars = Sidecars(folder)
    if vocals.size:
        sidecars.write("stems/vocals.flac", rate, [vocals])
    size = max(1, round(HOP_S * rate))
    blocks = [vocals[:, k : k + size] for k in range(0, vocals.shape[1], size)]
    levels = [10 * np.log10(float(np.mean(block**2)) + 1e-12) for block in blocks]
    facts: dict[str, Any] = {one.name: None for one in dataclasses.fields(Stems)}
    facts |= {
        "names": ("drums", "vocals"),
        "present": (False, present),
        "files": ("stems/drums.flac", "stems/vocals.flac"),
        "sample_rate": rate,
        "hop_s": HOP_S,
        "levels_db": np.array([[-120.0] * len(levels), levels]),
    }
    return Stems(**facts), sidecars


def ignored(share: float) -> None:
    """Progress that nobody follows."""
    assert 0.0 <= share <= 1.0


@dataclass(frozen=True)
class Peaks:
    """A tracker of sines: the highest line of a spectrum, and the share of the energy around it."""

    name: str = "Peaks"
    sample_rate: int = RATE
    hop: int = 256
    context: int = 4
    sizes: list[int] = field(default_factory=list)

    def track(self, samples: Row) -> tuple[NDArray[np.float64], Row, Row]:
        self.sizes.append(samples.size)
        frames = max(1, samples.size // self.hop)
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(samples, (512, 1024)), 1024)[:: self.hop][:frames]
        power = np.abs(np.fft.rfft(windows * np.hanning(1024), 8192)) ** 2
        top = power.argmax(axis=1)
        f0_hz = top * RATE / 8192
        near = np.abs(np.arange(power.shape[1]) - top[:, None]) <= 24
        share = (power * near).sum(axis=1) / np.maximum(power.sum(axis=1), 1e-9)
        times_s = np.arange(frames) * self.hop / RATE
        return times_s, np.asarray(f0_hz, np.float32), np.where(f0_hz > 40, share, 0.0).astype(np.float32)


@dataclass(frozen=True)
class Scribe:
    """A transcriber that writes what a test tells it, of the passages that it is given."""

    lines: Sequence[Line] = ()
    spoken: Sequence[tuple[float, float]] = ()
    code: str | None = "en"
    name: str = "Scribe"
    sample_rate: int = RATE
    heard: list[float] = field(default_factory=list)

    def language(self, pieces: Sequence[Row]) -> tuple[str | None, float]:
        assert all(piece.dtype == np.float32 for piece in pieces)
        return self.code, 0.75

    def transcribe(self, samples: Row, language: str) -> list[Line]:
        assert language == self.code
        self.heard.append(samples.size / RATE)
        return list(self.lines)

    def speech(self, samples: Row) -> list[tuple[float, float]]:
        return [span for span in self.spoken if span[1] <= samples.size / RATE]


@dataclass(frozen=True)
class Mood:
    """A reader that finds loud beginnings angry and soft ones sad."""

    labels: tuple[str, ...] = ("angry", "sad", "unknown")
    name: str = "Mood"
    sample_rate: int = RATE
    least_frames: int = 1600
    heard: list[float] = field(default_factory=list)

    def read(self, samples: Row) -> Row:
        self.heard.append(samples.size / RATE)
        half = samples.size // 2
        first, second = (float(np.sqrt(np.mean(part**2))) for part in (samples[:half], samples[half:]))
        angry = 0.9 if first > second else 0.1
        return np.array([angry, 0.9 - angry + 0.05, 0.05], np.float32)
