"""HTDemucs by its makers' package: htdemucs, htdemucs_ft (four networks, one for each stem) and htdemucs_6s.

The folder holds what their place on the hub has: a YAML file that lists the networks and how they are weighed, and
each network as safetensors. `demucs.hf.load_safetensors_model` builds whatever class such a file names, so the names
are checked first. Older `.th` files are pickles, which run whatever is in them; they are not read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from processor.errors import ModelError
from processor.models.separation import Sound, at_one_level, source_names

if TYPE_CHECKING:
    from processor.models.loading import Machine
    from processor.models.table import Model

_CLASS = "demucs.htdemucs.HTDemucs"
_SIGNATURE = re.compile(r"\w[\w-]*")


def load(model: Model, folder: Path, machine: Machine) -> Demucs:
    """Load the networks of a folder and put them where they run.

    Raises:
        ModelError: the folder holds something else.
    """
    import torch
    from demucs.apply import BagOfModels
    from demucs.hf import load_safetensors_model

    torch.set_num_threads(machine.threads)
    bag = _bag(folder)
    files = [folder / f"{signature}.safetensors" for signature in bag["models"]]
    for file in files:
        _check(file)
    networks = BagOfModels([load_safetensors_model(file) for file in files], bag.get("weights"), bag.get("segment"))
    networks.to(machine.device).eval()
    if networks.audio_channels != 2:
        raise ModelError(f"{model.name} is for {networks.audio_channels} channels, not for stereo")
    return Demucs(
        name=model.name,
        networks=networks,
        device=machine.device,
        sources=source_names(networks.sources),
        sample_rate=int(networks.samplerate),
        segment_frames=int(networks.max_allowed_segment * networks.samplerate),
    )


def _bag(folder: Path) -> dict[str, Any]:
    """What the YAML file says: `models`, and `weights` and `segment` where it has them.

    Raises:
        ModelError: there is no such file, several, or it says something else.
    """
    import yaml

    found = sorted(folder.glob("*.yaml"))
    if len(found) != 1:
        raise ModelError(f"{folder} holds {len(found)} YAML files; demucs' form of a model has one")
    try:
        bag = yaml.safe_load(found[0].read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelError(f"{found[0].name} cannot be read: {' '.join(str(error).split())}") from error
    signatures = bag.get("models") if isinstance(bag, dict) else None
    if not isinstance(signatures, list) or not signatures:
        raise ModelError(f"{found[0].name} lists no networks")
    if not all(isinstance(one, str) and _SIGNATURE.fullmatch(one) for one in signatures):
        raise ModelError(f"{found[0].name} lists something that is no name of a network: {signatures}")
    return dict(bag)


def _check(file: Path) -> None:
    """Refuse a file that would have any class but HTDemucs built.

    Raises:
        ModelError: it would, or it cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), framework="pt") as opened:
            facts = opened.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{file.name} cannot be read: {error}") from error
    if facts.get("klass") != _CLASS or "structure" in facts:
        raise ModelError(f"{file.name} holds {facts.get('klass', 'no network of demucs')}, not {_CLASS}")


@dataclass(frozen=True)
class Demucs:
    """A bag of HTDemucs networks; see `separation.Separator`."""

    name: str
    networks: Any
    device: str
    sources: tuple[str, ...]
    sample_rate: int
    segment_frames: int
    dtype: str = "float32"

    def separate(self, mix: Sound) -> Sound:
        """Take one segment `(2, n)` apart: `(sources, 2, n)`."""
        import torch
        from demucs.apply import apply_model

        levelled, gain = at_one_level(mix)
        given = torch.from_numpy(levelled)[None].to(self.device)
        # One segment, and no random shift: the same sound gives the same stems.
        stems = apply_model(self.networks, given, shifts=0, split=False, device=self.device)
        return np.asarray(stems[0].cpu().numpy() * np.float32(gain), np.float32)
