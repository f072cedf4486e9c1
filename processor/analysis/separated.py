"""The stems as other analysers hear them: one channel, 22.05 kHz, read when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis.stems import Stems
from processor.graph import analyser
from processor.models.separation import resampled
from processor.sidecars import Sidecars

RATE = 22_050


@dataclass(frozen=True)
class Separated:
    """The stems of a track; nothing is read until it is asked for, and nothing is held.

    Attributes:
        stems: their names, files and measures.
        sidecars: where the files are.
    """

    stems: Stems
    sidecars: Sidecars

    def mono(self, name: str) -> NDArray[np.float32] | None:
        """A stem folded to one channel at 22.05 kHz, shape `(n,)`; None where the model makes no such stem.

        Raises:
            SidecarMissing: its file is gone or damaged.
        """
        files = dict(zip(self.stems.names, self.stems.files, strict=False))
        if name not in files:
            return None
        blocks = (block.mean(axis=0, keepdims=True) for block in self.sidecars.blocks(files[name]))
        found = list(resampled(blocks, (self.stems.sample_rate, RATE), 1))
        return np.concatenate(found, axis=1)[0] if found else np.zeros(0, np.float32)


@analyser(keep=False)
def separated(stems: Stems, sidecars: Sidecars) -> Separated:
    """Hand out the stems that `stems` has written.

    Source: the sidecars of the record; resampled by soxr.
    """
    return Separated(stems, sidecars)
