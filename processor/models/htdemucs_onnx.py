"""HTDemucs with four stems (Rouard, Massa, Défossez 2023, "Hybrid transformers for music source separation") by ONNX.

The file holds the network alone: from a mix and its spectrogram to spectrograms (one branch) and waves (the other) of
the stems. The Fourier transforms around it are here; they are those of `demucs.htdemucs`, `_spec` and `_ispec`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from processor.errors import ModelError
from processor.models.separation import Separator, Sound, at_one_level, centred

if TYPE_CHECKING:
    from processor.models.loading import Machine
    from processor.models.table import Model

FILE = "htdemucs.onnx"
SOURCES = ("drums", "bass", "other", "vocals")
SAMPLE_RATE = 44_100
SEGMENT_FRAMES = 343_980  # 7.8 s, what the network was trained on
_WINDOW, _HOP, _FRAMES = 4096, 1024, 336
_EDGE = _HOP // 2 * 3  # what is mirrored at both ends, so that the number of frames is the length over the hop
_INPUTS = {"input": [1, 2, SEGMENT_FRAMES], "onnx::ReduceMean_1": [1, 4, _WINDOW // 2, _FRAMES]}
_OUTPUTS = [[1, 4, 4, _WINDOW // 2, _FRAMES], [1, 4, 2, SEGMENT_FRAMES]]


def load(model: Model, folder: Path, machine: Machine) -> Separator:
    """Load HTDemucs from the ONNX file, or, where the folder holds `demucs`' own form, by that package.

    Raises:
        ModelError: the file is not the network that it should be.
    """
    if not (folder / FILE).is_file():
        from processor.models import demucs_torch

        return demucs_torch.load(model, folder, machine)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = machine.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # As onnxruntime plans it, memory that one tensor has had is kept for a later one: 4.9 GB at the worst. Without a
    # plan each is given back at once: 0.9 GB, and no slower (2.6 s of one core for a segment of 7.8 s).
    options.enable_mem_reuse = False
    options.enable_mem_pattern = False
    try:
        session = onnxruntime.InferenceSession(folder / FILE, options, providers=_providers(onnxruntime, machine))
    except MemoryError:
        raise
    except Exception as error:  # onnxruntime's own have no base that they share
        raise ModelError(f"{FILE} cannot be read: {' '.join(str(error).split())[:200]}") from error
    _check(session)
    return HTDemucs(model.name, session)


def _providers(onnxruntime: Any, machine: Machine) -> list[Any]:
    """The graphics processor where one is meant and this onnxruntime was built for it, then the CPU."""
    kind, _, number = machine.device.partition(":")
    found: list[Any] = []
    if kind == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        found.append(("CUDAExecutionProvider", {"device_id": number or "0"}))
    return [*found, "CPUExecutionProvider"]


def _check(session: Any) -> None:
    """Refuse a network that takes or gives something else."""
    takes = {one.name: one.shape for one in session.get_inputs()}
    gives = [one.shape for one in session.get_outputs()]
    if takes != _INPUTS or gives != _OUTPUTS:
        raise ModelError(f"{FILE} is another network than the one we know: it takes {takes} and gives {gives}")


@dataclass(frozen=True)
class HTDemucs:
    """The network and the transforms around it; see `separation.Separator`.

    Attributes:
        name: of the model.
        session: the network, of onnxruntime.
    """

    name: str
    session: Any
    sources: tuple[str, ...] = SOURCES
    sample_rate: int = SAMPLE_RATE
    segment_frames: int = SEGMENT_FRAMES
    dtype: str = "float32"

    @property
    def device(self) -> str:
        """Where it really runs."""
        return "cuda" if self.session.get_providers()[0].startswith("CUDA") else "cpu"

    def separate(self, mix: Sound) -> Sound:
        """Take one segment `(2, n)` apart: `(4, 2, n)`."""
        levelled, gain = at_one_level(mix)
        padded, start = centred(levelled, SEGMENT_FRAMES)
        given = (padded[np.newaxis], spectrogram(padded)[np.newaxis])
        spectra, waves = self.session.run(None, dict(zip(_INPUTS, given, strict=True)))
        stems: Sound = waves[0] + waveform(spectra[0])
        return stems[:, :, start : start + mix.shape[1]] * np.float32(gain)


def spectrogram(mix: Sound) -> Sound:
    """Spectrogram of a segment `(2, 343980)`: `(4, 2048, 336)`, left real, left imaginary, right real, right imaginary.

    Window 4096 (Hann), hop 1024, divided by the root of the window's length; the last bin is left out.
    """
    from scipy import fft

    beyond = _FRAMES * _HOP - SEGMENT_FRAMES
    edged = np.pad(mix, ((0, 0), (_EDGE, _EDGE + beyond)), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(edged, _WINDOW, axis=1)[:, ::_HOP]
    bins = fft.rfft(frames * (_hann() / np.float32(np.sqrt(_WINDOW))), axis=2)[:, :, :-1]
    parts = np.stack((bins.real, bins.imag), axis=1)  # (2, 2, frames, bins)
    return np.ascontiguousarray(parts.reshape(4, _FRAMES, -1).transpose(0, 2, 1), np.float32)


def waveform(spectra: Sound) -> Sound:
    """The inverse of `spectrogram` for all sources: from `(sources, 4, 2048, 336)` to `(sources, 2, 343980)`."""
    from scipy import fft

    parts = spectra.reshape(len(spectra), 2, 2, _WINDOW // 2, _FRAMES)
    sound = np.zeros((len(spectra), 2, _FRAMES * _HOP + 2 * _EDGE), np.float32)
    # Squares of Hann windows a quarter apart sum to 1.5.
    window = _hann() * np.float32(np.sqrt(_WINDOW) / 1.5)
    for source, stem in zip(parts, sound, strict=True):  # one source at a time, for memory's sake
        bins = np.zeros((2, _FRAMES, _WINDOW // 2 + 1), np.complex64)
        bins[:, :, :-1].real = source[:, 0].transpose(0, 2, 1)
        bins[:, :, :-1].imag = source[:, 1].transpose(0, 2, 1)
        frames = fft.irfft(bins, axis=2) * window
        for number in range(_FRAMES):
            stem[:, number * _HOP : number * _HOP + _WINDOW] += frames[:, number]
    return sound[:, :, _EDGE : _EDGE + SEGMENT_FRAMES]


def _hann() -> NDArray[np.float32]:
    """The periodic Hann window."""
    from scipy.signal import windows

    return np.asarray(windows.hann(_WINDOW, sym=False), np.float32)
