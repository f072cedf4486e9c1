"""One channel at 22.05 kHz: what rhythm, harmony and form are heard from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from processor.audio import Audio, downmix_matrix
from processor.graph import analyser

# Up to 11 kHz stand all fundamentals, the chords' overtones and most of a cymbal; half of 44.1 kHz, so that the most
# common rate is resampled by a whole number.
SAMPLE_RATE_HZ = 22_050


@dataclass(frozen=True)
class Mono:
    """The middle of the stereo picture.

    Attributes:
        samples: float32, shape `(n,)`, at `sample_rate` Hz.
        sample_rate: always `SAMPLE_RATE_HZ`.
        duration_s: length of the original in seconds.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    duration_s: float


@analyser(version=1, keep=False)
def mono(audio: Audio) -> Mono:
    """Fold to one channel (the mean of the stereo downmix) and resample.

    Raises:
        NotInMemory: the file is streamed. One tempo, key or form says little about an hour and more.

    Source: ITU-R BS.775-4, table 2, for more than two channels; resampling by libsoxr.
    """
    weights = downmix_matrix(audio.positions).mean(axis=0).astype(np.float32)
    folded = weights @ audio.samples if audio.channels > 1 else audio.samples[0] * weights[0]
    if audio.sample_rate != SAMPLE_RATE_HZ and folded.size:
        folded = soxr.resample(folded, audio.sample_rate, SAMPLE_RATE_HZ, quality="MQ")
    return Mono(np.ascontiguousarray(folded, np.float32), SAMPLE_RATE_HZ, audio.duration_s)
