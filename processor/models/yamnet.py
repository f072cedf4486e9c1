"""YAMNet: names 521 kinds of sound in each second, in a thousandth of its length on one core.

Source: Google, "YAMNet", 2019 (tensorflow/models, research/audioset); classes of Gemmeke et al., "Audio Set", ICASSP
2017.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.errors import ModelError
from processor.models.loading import Machine
from processor.models.table import Model

Samples = NDArray[np.float32]

FILE = "yamnet.tflite"
# The list of classes is in a zip archive that is appended to the model, as TensorFlow Lite's metadata has it.
LABEL_FILE, MOST_LABEL_BYTES = "yamnet_label_list.txt", 1 << 16
CLASSES = 521
SAMPLE_RATE_HZ = 16_000
# 0.975 s, the patch that it was trained on; half a second from one to the next, so that each second has two.
WINDOW_FRAMES, HOP_FRAMES = 15_600, 8_000


@dataclass(frozen=True)
class Yamnet:
    """A loaded YAMNet.

    Attributes:
        name: of the model, as in the settings.
        labels: what it can name, 521.
        sample_rate: of what it hears, in Hz.
        window_frames: samples that it hears at once.
        hop_frames: samples from window to window.
        at_once: windows worth giving it together.
        device: where it runs.
        dtype: what it calculates with.
    """

    name: str
    labels: tuple[str, ...]
    _interpreter: Any = field(repr=False)
    sample_rate: int = SAMPLE_RATE_HZ
    window_frames: int = WINDOW_FRAMES
    hop_frames: int = HOP_FRAMES
    at_once: int = 64
    device: str = "cpu"
    dtype: str = "float32"

    def scores(self, windows: Sequence[Samples]) -> Samples:
        """How sure it is of each class, 0 to 1 each, shape `(n, 521)`.

        The file has an input of one window that cannot be made longer (what is added changes nothing in its answer),
        so they go in one after the other.

        Args:
            windows: each float32 `(n,)`, `window_frames` samples; what is shorter is filled up with zeros.
        """
        found = np.empty((len(windows), len(self.labels)), np.float32)
        into = self._interpreter.get_input_details()[0]["index"]
        out = self._interpreter.get_output_details()[0]["index"]
        for row, window in zip(found, windows, strict=True):
            padded = np.zeros(self.window_frames, np.float32)
            padded[: len(window)] = window
            self._interpreter.set_tensor(into, padded)
            self._interpreter.invoke()
            row[:] = self._interpreter.get_tensor(out)[0]
        return found


def load(model: Model, folder: Path, machine: Machine) -> Yamnet:
    """Load `yamnet.tflite` from a folder. It runs on the CPU, whatever else there is.

    Raises:
        ModelError: the runtime is not installed, or the file is no YAMNet.
    """
    path = folder / FILE
    labels = _labels(path)
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise ModelError(
            f"{model.name} needs ai-edge-litert, which is not installed: pip install 'liner-notes[models]'"
        ) from error
    try:
        interpreter = Interpreter(str(path), num_threads=machine.threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"{path.name} is no model that TensorFlow Lite can run: {error}") from error
    _check(interpreter, path)
    return Yamnet(model.name, labels, interpreter)


def _labels(path: Path) -> tuple[str, ...]:
    """The classes, in the order of the model's answers."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = archive.getinfo(LABEL_FILE).file_size
            if size > MOST_LABEL_BYTES:
                raise ModelError(f"the list of classes in {path.name} has {size} bytes")
            text = archive.read(LABEL_FILE).decode()
    except FileNotFoundError as error:
        raise ModelError(f"{path} is not there") from error
    except (OSError, zipfile.BadZipFile, KeyError, UnicodeDecodeError, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{path.name} does not say what its classes are: {error}") from error
    labels = tuple(text.splitlines())
    if len(labels) != CLASSES or len(set(labels)) != CLASSES or not all(label.strip() for label in labels):
        raise ModelError(f"{path.name} names {len(set(labels))} classes; YAMNet has {CLASSES}")
    return labels


def _check(interpreter: Any, path: Path) -> None:
    for details, wanted in (
        (interpreter.get_input_details(), (WINDOW_FRAMES,)),
        (interpreter.get_output_details(), (1, CLASSES)),
    ):
        shapes = [(tuple(int(n) for n in one["shape"]), one["dtype"]) for one in details]
        if shapes != [(wanted, np.float32)]:
            raise ModelError(f"{path.name} is no YAMNet: its shapes are {shapes}, not {wanted}")
