"""Pitch trackers: the fundamental frequency of one voice, frame by frame.

SwiftF0 is a small network on a spectrogram (swift-f0, MIT), CREPE a large one on the waveform (Kim et al., "CREPE: A
convolutional representation for pitch estimation", ICASSP 2018, as torchcrepe brings it, MIT). Both hear 16 kHz.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from processor.errors import ModelError
from processor.kernels import kernel
from processor.models.loading import Machine
from processor.models.table import Model

Row = NDArray[np.float32]
Matrix = NDArray[np.float32]
Path_ = NDArray[np.int64]

SAMPLE_RATE_HZ = 16_000
# A frame whose own hop peaks below this has no voice: both networks answer digital silence and rounding noise with
# confident nonsense. SwiftF0's own limit; the caller brings the loudest sample near full scale.
SILENCE_PEAK = 1e-3
# How much is heard at once. Longer pieces only take more memory.
BLOCK_S = 20

# SwiftF0. It sees 11 hops back and 10 ahead, so blocks that overlap so far give what the whole does.
SWIFT_HOP, SWIFT_CONTEXT = 256, 11
SWIFT_LOW_HZ, SWIFT_HIGH_HZ = 46.875, 2093.75

# CREPE: 360 bins of 20 cents, the first at 31.7 Hz. A quarter of a second either side settles the path through them.
CREPE_HOP, CREPE_CONTEXT, CREPE_WINDOW = 160, 25, 1024
CREPE_BINS, CREPE_BIN_CENTS, CREPE_FIRST_CENTS = 360, 20.0, 1997.3794084376191
CREPE_BATCH = 256
# The pitch is the mean of the bins around the path, weighted by how sure the network is of each, as CREPE's own is.
CREPE_NEAR = 4
# The path may leave the likeliest bin where others are about as likely: what a step of a bin costs in nats, and the
# most that any step costs. In noise at the voice's own level the path is right in 91 % of the frames, the likeliest
# bins alone in 83 % (tiny); the larger one gains 0.1 % only.
CREPE_STEP_COST, CREPE_MOST_COST = 0.1, 8.0
# Confidence from which a frame is voiced; it is told so that this becomes 0.5. Measured by `tests.accuracy.pitch`: at
# 20 dB of noise it finds 99 and 98 % of a voice, and takes 1 and 1.5 % of the pauses for one.
CREPE_VOICED = {"full": 0.5, "tiny": 0.35}


class PitchTracker(Protocol):
    """What follows the pitch of a voice.

    It also says its `device` and `dtype`.
    """

    @property
    def name(self) -> str:
        """For people."""

    @property
    def sample_rate(self) -> int:
        """What it hears, in Hz."""

    @property
    def hop(self) -> int:
        """Samples between two frames; frame k is centred on sample k · hop."""

    @property
    def context(self) -> int:
        """Frames either side that a frame needs to be right."""

    def track(self, samples: Row) -> tuple[NDArray[np.float64], Row, Row]:
        """Times in s, f0 in Hz and confidence (voiced from 0.5 on) of mono float32 samples `(n,)`, three of `(m,)`."""


@dataclass(frozen=True)
class SwiftF0:
    """SwiftF0 on onnxruntime; one network of 135 KB, which only ever runs on the CPU."""

    session: Any = field(repr=False)
    name: str = "SwiftF0"
    sample_rate: int = SAMPLE_RATE_HZ
    hop: int = SWIFT_HOP
    context: int = SWIFT_CONTEXT
    device: str = "cpu"
    dtype: str = "float32"

    def track(self, samples: Row) -> tuple[NDArray[np.float64], Row, Row]:
        """Times in s, f0 in Hz and confidence of mono samples."""
        if samples.size == 0:
            return np.zeros(0), np.zeros(0, np.float32), np.zeros(0, np.float32)
        low, high = np.array(SWIFT_LOW_HZ, np.float32), np.array(SWIFT_HIGH_HZ, np.float32)
        inputs = {"audio": np.ascontiguousarray(samples, np.float32)[None], "fmin": low, "fmax": high}
        f0_hz, confidence = (
            np.asarray(one[0], np.float32) for one in self.session.run(["pitch", "confidence"], inputs)
        )
        frames = min(f0_hz.size, confidence.size)
        return _silenced(samples, self.hop, f0_hz[:frames], confidence[:frames])


@dataclass(frozen=True)
class Crepe:
    """CREPE by torchcrepe's network; the path through its bins is our own, for the package's is dithered at random."""

    network: Any = field(repr=False)
    voiced_from: float
    name: str
    device: str
    sample_rate: int = SAMPLE_RATE_HZ
    hop: int = CREPE_HOP
    context: int = CREPE_CONTEXT
    dtype: str = "float32"

    def track(self, samples: Row) -> tuple[NDArray[np.float64], Row, Row]:
        """Times in s, f0 in Hz and confidence of mono samples."""
        if samples.size == 0:
            return np.zeros(0), np.zeros(0, np.float32), np.zeros(0, np.float32)
        bins = np.concatenate(list(self._activations(samples)))
        path = np.zeros(len(bins), np.int64)
        _smooth_path(np.log(np.maximum(bins, 1e-7)), CREPE_STEP_COST, CREPE_MOST_COST, path)
        sure = bins[np.arange(len(bins)), path]
        confidence = np.interp(sure, [0.0, self.voiced_from, 1.0], [0.0, 0.5, 1.0]).astype(np.float32)
        return _silenced(samples, self.hop, _frequencies(bins, path), confidence)

    def _activations(self, samples: Row) -> Iterator[Matrix]:
        """How sure the network is of each bin, `(frames, 360)`, batch by batch."""
        import torch

        half = CREPE_WINDOW // 2
        padded = np.pad(np.asarray(samples, np.float32), half)
        count = max(1, samples.size // self.hop)
        windows = np.lib.stride_tricks.sliding_window_view(padded, CREPE_WINDOW)[:: self.hop][:count]
        for start in range(0, len(windows), CREPE_BATCH):
            batch = windows[start : start + CREPE_BATCH]
            batch = batch - batch.mean(axis=1, keepdims=True)
            batch /= np.maximum(batch.std(axis=1, ddof=1, keepdims=True), 1e-10)
            with torch.inference_mode():
                found = self.network(torch.from_numpy(batch).to(self.device))
            yield np.asarray(found.float().cpu().numpy(), np.float32)


def load_swift(model: Model, folder: Path, machine: Machine) -> SwiftF0:
    """Load SwiftF0 from its ONNX file.

    Raises:
        ModelError: onnxruntime is not installed, or it is another network.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError("SwiftF0 needs onnxruntime: pip install 'liner-notes[models]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = machine.threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    path = str(_file(model, folder))
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no class in common
        raise ModelError(f"{model.name} is no network: {' '.join(str(error).split())[:200]}") from error
    inputs = {one.name for one in session.get_inputs()}
    outputs = {one.name for one in session.get_outputs()}
    if inputs != {"audio", "fmin", "fmax"} or not {"pitch", "confidence"} <= outputs:
        raise ModelError(f"{model.name} is not SwiftF0: it takes {', '.join(sorted(inputs))}")
    return SwiftF0(session)


def load_crepe(model: Model, folder: Path, machine: Machine) -> Crepe:
    """Load CREPE, full or tiny as `model.options["capacity"]` says, from torchcrepe's state dict.

    Raises:
        ModelError: torchcrepe is not installed, or the weights are another network's.
    """
    capacity = model.options.get("capacity", "full")
    package = _torchcrepe()
    import torch

    if machine.device == "cpu":
        torch.set_num_threads(machine.threads)
    network = package.Crepe(capacity)
    try:
        network.load_state_dict(torch.load(_file(model, folder), map_location="cpu", weights_only=True))
    except RuntimeError as error:
        raise ModelError(f"{model.name} is not CREPE {capacity}: {str(error).splitlines()[0][:200]}") from error
    network = network.to(machine.device).eval()
    return Crepe(network, CREPE_VOICED[capacity], f"CREPE {capacity}", machine.device)


def follow(tracker: PitchTracker, blocks: Iterable[Row], *, block_s: float = BLOCK_S) -> Iterator[tuple[Row, Row, Row]]:
    """Track a sound of any length in bounded memory.

    Args:
        tracker: what hears.
        blocks: mono samples at its rate, in pieces of any size.
        block_s: how much it hears at once, beside the context.

    Yields:
        Samples `(m · hop,)` or less at the end, and f0 in Hz and confidence of the m frames that are centred in them.
    """
    hop, context = tracker.hop, tracker.context
    size = max(1, round(block_s * tracker.sample_rate / hop)) * hop
    reach = context * hop
    before = np.zeros(0, np.float32)  # what the first frames of the next piece look back on
    held = np.zeros(0, np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        while held.size >= size + reach:
            yield _piece(tracker, before, held[:size], held[size : size + reach])
            before, held = np.concatenate([before, held[:size]])[-reach:], held[size:]
    while held.size:
        piece, held = held[:size], held[size:]
        yield _piece(tracker, before, piece, held[:reach])
        before = np.concatenate([before, piece])[-reach:]


def _piece(tracker: PitchTracker, before: Row, piece: Row, after: Row) -> tuple[Row, Row, Row]:
    """Track one piece between what stands before and after it."""
    _, f0_hz, confidence = tracker.track(np.concatenate([before, piece, after]))
    first, count = before.size // tracker.hop, max(1, piece.size // tracker.hop)
    return piece, f0_hz[first : first + count], confidence[first : first + count]


def _silenced(samples: Row, hop: int, f0_hz: Row, confidence: Row) -> tuple[NDArray[np.float64], Row, Row]:
    """Times, and no confidence where nothing sounds or the pitch is none."""
    frames = f0_hz.size
    padded = np.zeros(frames * hop, np.float32)
    used = min(samples.size, padded.size)
    padded[:used] = samples[:used]
    peaks = np.abs(padded).reshape(frames, hop).max(axis=1)
    peaks[1:] = np.maximum(peaks[1:], peaks[:-1])
    is_none = (peaks < SILENCE_PEAK) | ~np.isfinite(f0_hz) | ~np.isfinite(confidence) | (f0_hz <= 0)
    confidence = np.clip(np.where(is_none, 0.0, confidence), 0.0, 1.0).astype(np.float32)
    times_s = np.arange(frames, dtype=np.float64) * (hop / SAMPLE_RATE_HZ)
    return np.asarray(times_s), np.where(is_none, 0.0, f0_hz).astype(np.float32), confidence


def _frequencies(bins: Matrix, path: Path_) -> Row:
    """Pitch in Hz around each frame's bin, as the mean of its neighbours weighted by how sure the network is."""
    near = path[:, None] + np.arange(-CREPE_NEAR, CREPE_NEAR + 1)
    inside = (near >= 0) & (near < CREPE_BINS)
    near = np.clip(near, 0, CREPE_BINS - 1)
    weights = np.take_along_axis(bins, near, axis=1) * inside + 1e-12
    cents = (weights * near).sum(axis=1) / weights.sum(axis=1) * CREPE_BIN_CENTS + CREPE_FIRST_CENTS
    return np.asarray(10.0 * 2.0 ** (cents / 1200.0), np.float32)


@kernel
def _smooth_path(scores: Matrix, step_cost: float, most_cost: float, path: Path_) -> None:
    """Viterbi: the path of highest total score where a step costs by its width, up to a most."""
    steps, states = scores.shape
    reach = int(most_cost / step_cost)
    total = scores[0].astype(np.float64)
    before = np.zeros((steps, states), np.int16)
    for t in range(1, steps):
        best = np.argmax(total)
        updated = np.empty(states)
        for k in range(states):
            top = total[best] - most_cost
            came = int(best)
            for j in range(max(0, k - reach), min(states, k + reach + 1)):
                value = total[j] - step_cost * abs(k - j)
                if value > top:
                    top, came = value, j
            updated[k] = top + scores[t, k]
            before[t, k] = came
        total = updated
    path[steps - 1] = np.argmax(total)
    for t in range(steps - 1, 0, -1):
        path[t - 1] = before[t, path[t]]


def _file(model: Model, folder: Path) -> Path:
    """The one file of weights.

    Raises:
        ModelError: it is not there.
    """
    if not model.files:
        raise ModelError(f"{model.name} names no file of weights")
    path = folder / model.files[0].name
    if not path.is_file():
        raise ModelError(f"{model.name}: {os.fspath(path)} is not there")
    return path


def _torchcrepe() -> Any:
    """The package, whose import of torchaudio is only for reading files, which we never ask it to.

    Raises:
        ModelError: it is not installed, or cannot be imported.
    """
    found = sys.modules.get("torchcrepe")
    if found is not None:
        return found
    is_hidden = sys.modules.get("torchaudio", os) is None
    if is_hidden:
        sys.modules["torchaudio"] = ModuleType("torchaudio")
    try:
        return importlib.import_module("torchcrepe")
    except ImportError as error:
        raise ModelError(f"CREPE needs torchcrepe: pip install 'liner-notes[models]' ({error})") from error
    finally:
        if is_hidden:
            sys.modules["torchaudio"] = None  # type: ignore[assignment]  # as the guard left it
