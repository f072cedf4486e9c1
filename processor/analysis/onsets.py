"""How strongly something begins at each moment, over all and in five registers: what beats are tracked on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis.mel import Mel
from processor.graph import analyser
from processor.kernels import kernel

Curve = NDArray[np.float32]

# A band is compared with itself this many frames (30 ms) earlier: half the window of the spectrogram, so that the rise
# of an attack is seen whole.
LAG = 3
# What rises less than its surroundings of this length does is no event.
SURROUNDINGS_S = 0.4
CAP_PERCENTILE = 98.0
# Of the strongest: what is fainter is the tremble of held tones, and no onset.
FAINTEST = 0.02
# Kick and bass · low tones · voices and chords · snare and consonants · cymbals.
REGISTERS_HZ = (0.0, 160.0, 400.0, 1500.0, 5000.0, np.inf)
KICK, SNARE = 0, 3


@dataclass(frozen=True)
class Onsets:
    """Onset strength over time; 0 where nothing begins.

    Attributes:
        envelope: of all bands together, shape `(frames,)`.
        registers: of each register of `REGISTERS_HZ`, shape `(5, frames)`.
        frame_rate: frames a second; frame `n` stands for `n / frame_rate` seconds.
    """

    envelope: Curve
    registers: Curve
    frame_rate: float


@analyser(version=1, keep=False)
def onsets(mel: Mel) -> Onsets:
    """Measure by how much each band rises, and keep what stands out of its surroundings.

    A band is compared with the loudest of itself and its neighbours, so that a vibrato is no row of onsets.

    Source: Böck & Widmer 2013, "Maximum filter vibrato suppression for onset detection".
    """
    edges = np.searchsorted(mel.centres_hz, REGISTERS_HZ)
    registers = np.zeros((len(edges) - 1, len(mel.levels)), np.float32)
    _add_rises(mel.levels, edges, registers)
    frames = int(SURROUNDINGS_S * mel.frame_rate) | 1
    envelope = _standing_out(registers.sum(axis=0), frames)
    registers = np.stack([_standing_out(row, frames) for row in registers])
    return Onsets(_capped(envelope), registers, mel.frame_rate)


def _capped(curve: Curve) -> Curve:
    """No onset counts more than most strong ones: the first sound after silence would outweigh a quiet chorale."""
    found = curve[curve > FAINTEST * curve.max(initial=0.0)]
    return np.minimum(curve, np.percentile(found, CAP_PERCENTILE)) if found.size else curve


def _standing_out(curve: Curve, frames: int) -> Curve:
    """What of a curve lies above its mean over `frames` frames around."""
    if curve.size == 0:
        return curve
    sums = np.cumsum(np.concatenate([np.zeros(1), np.pad(curve.astype(np.float64), frames // 2)]))
    means = (sums[frames:] - sums[:-frames])[: curve.size] / frames
    risen: Curve = np.maximum(0, curve - means).astype(np.float32)
    return risen


@kernel
def _add_rises(levels: Curve, edges: NDArray[np.int64], registers: Curve) -> None:
    """Sum the rises of the bands of each register; before the first frame there was silence."""
    bands = levels.shape[1]
    silence = np.zeros(bands, np.float32)
    for frame in range(levels.shape[0]):
        now = levels[frame]
        before = levels[frame - LAG] if frame >= LAG else silence
        for register in range(registers.shape[0]):
            total = np.float32(0.0)
            for band in range(edges[register], edges[register + 1]):
                highest = before[band]
                if band > 0:
                    highest = max(highest, before[band - 1])
                if band + 1 < bands:
                    highest = max(highest, before[band + 1])
                total += max(np.float32(0.0), now[band] - highest)
            registers[register, frame] = total
