"""BS-Roformer (Lu, Wang, Kong, Hung 2023, "Music source separation with band-split RoPE transformer").

BS-Roformer-SW has six stems. audio-separator brings the network and builds it after a YAML file; its checkpoint is
read as weights only, which is what torch does since 2.6 unless it is told otherwise. The chunks are ours.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from processor.errors import ModelError
from processor.models.separation import Sound, centred, source_names

UNSAFE_VARIABLE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"

if TYPE_CHECKING:
    from processor.models.loading import Machine
    from processor.models.table import Model

_MOST_FRAMES = 60 * 44_100  # a longer segment than a minute is a mistake, and takes all memory
_TUPLE = "tag:yaml.org,2002:python/tuple"


@dataclass(frozen=True)
class _Plan:
    """What a YAML file says beside the network's own sizes."""

    sources: tuple[str, ...]
    sample_rate: int
    segment_frames: int


def load(model: Model, folder: Path, machine: Machine) -> Roformer:
    """Load a network and put it where it runs.

    Raises:
        ModelError: the folder holds something else.
    """
    import torch

    torch.set_num_threads(machine.threads)
    facts = _read(_only(folder, "*.yaml"))
    plan = _plan(facts)
    loaded = _built(_only(folder, "*.ckpt"), facts, machine.device)
    if not loaded.success or loaded.model is None:
        raise ModelError(f"{model.name} cannot be loaded: {' '.join(str(loaded.error_message).split())[:300]}")
    network = loaded.model.float().eval()
    if network.num_stems != len(plan.sources):
        raise ModelError(f"{model.name} makes {network.num_stems} stems, and its YAML file names {plan.sources}")
    return Roformer(
        name=model.name,
        network=network,
        device=machine.device,
        sources=plan.sources,
        sample_rate=plan.sample_rate,
        segment_frames=plan.segment_frames,
    )


def _built(checkpoint: Path, facts: dict[str, Any], device: str) -> Any:
    """What audio-separator makes of a checkpoint; what its imports say of their own future helps nobody here."""
    import torch

    # Its own reading trusts what torch does by default, which this variable turns into running what a file says.
    if os.environ.get(UNSAFE_VARIABLE):
        raise ModelError(f"{UNSAFE_VARIABLE} is set, with which weights could run code; unset it")
    torch.load(checkpoint, map_location="cpu", weights_only=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from audio_separator.separator.roformer.roformer_loader import RoformerLoader

        return RoformerLoader().load_model(str(checkpoint), config=facts, device=device)


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise ModelError(f"{folder} holds {len(found)} files {pattern}; there should be one")
    return found[0]


def _read(file: Path) -> dict[str, Any]:
    """A YAML file with plain values and tuples; their own reader would build more than these.

    Raises:
        ModelError: it is no such file.
    """
    import yaml

    kind: Any = type("Reader", (yaml.SafeLoader,), {})  # one of our own: what one learns, all of its kind know
    kind.add_constructor(_TUPLE, lambda reader, node: tuple(reader.construct_sequence(node)))
    try:
        facts = kind(file.read_text("utf-8")).get_single_data()
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelError(f"{file.name} cannot be read: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(facts, dict):
        raise ModelError(f"{file.name} describes no network")
    return facts


def _plan(facts: Mapping[str, Any]) -> _Plan:
    """The stems and the length of a segment, which follows from the frames that the network was trained on."""
    try:
        names = facts["training"]["instruments"]
        hop = int(facts["model"].get("stft_hop_length") or facts["audio"]["hop_length"])
        frames = hop * (int(facts["inference"]["dim_t"]) - 1)
        rate = int(facts["audio"]["sample_rate"])
        target = facts["training"].get("target_instrument")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"The YAML file of the network does not say {error}") from error
    if target:
        raise ModelError(f"The network makes one stem only, {target}")
    if not (0 < frames <= _MOST_FRAMES and 8_000 <= rate <= 192_000):
        raise ModelError(f"The network cannot hear {frames} samples at {rate} Hz at once")
    return _Plan(source_names(names), rate, frames)


@dataclass(frozen=True)
class Roformer:
    """A network and its plan; see `separation.Separator`."""

    name: str
    network: Any
    device: str
    sources: tuple[str, ...]
    sample_rate: int
    segment_frames: int
    dtype: str = "float32"

    def separate(self, mix: Sound) -> Sound:
        """Take one segment `(2, n)` apart: `(sources, 2, n)`."""
        import torch

        padded, start = centred(mix, self.segment_frames)
        with torch.inference_mode():
            stems = self.network(torch.from_numpy(padded)[None].to(self.device))[0].cpu().numpy()
        # The inverse transform may give a hop less than it got.
        made = np.zeros((len(self.sources), 2, self.segment_frames), np.float32)
        made[:, :, : stems.shape[-1]] = stems[:, :, : self.segment_frames]
        return made[:, :, start : start + mix.shape[1]]
