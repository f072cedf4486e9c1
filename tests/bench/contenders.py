"""What `python -m tests.bench` compares: our analysers, and other libraries doing the same jobs.

Each contender is a function of a file that yields the name of a stage after each, so that whoever calls can look at the
clock. Imports are inside: a contender that is not installed costs nothing and is only named.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from processor.analysis import all_analysers
from processor.audio import Audio, decode
from processor.graph import Analyser, run

OURS, PEERS = "Liner Notes", "librosa + pyloudnorm"
DECODING = "decoding"
PEERS_HZ = 22_050

Seconds = dict[str, float]


@dataclass(frozen=True)
class Timed:
    """CPU seconds of one analysis.

    Attributes:
        stages: stage → seconds.
        total: all of it, what lies between the stages too.
        without: stages that gave nothing, and why.
    """

    stages: Seconds
    total: float
    without: Mapping[str, str] = field(default_factory=dict)


def cpu() -> float:
    """CPU seconds of this process so far, of all its threads."""
    return time.process_time()


def decoded(path: Path) -> tuple[Audio, float]:
    """The sound, and what decoding it cost."""
    start = cpu()
    audio = decode(path)
    return audio, cpu() - start


def ours(audio: Audio) -> Timed:
    """All analysers, as a worker of Liner Notes runs them."""
    stages: Seconds = {}
    analysers = {name: _timed(one, stages) for name, one in all_analysers().items()}
    start = cpu()
    outcome = run(analysers, audio)
    total = cpu() - start
    return Timed(stages, total, {name: failure.reason for name, failure in outcome.failures.items()})


def _timed(one: Analyser, stages: Seconds) -> Analyser:
    """The same analyser, which writes down what it cost."""

    def function(**arguments: Any) -> Any:
        start = cpu()
        try:
            return one.function(**arguments)
        finally:
            stages[one.name] = cpu() - start

    return replace(one, function=function)


def librosa_and_pyloudnorm(audio: Audio) -> Timed:
    """Tempo and beats, key, spectrum, onsets and parts by librosa; loudness by pyloudnorm.

    As their documentation shows it, on the same decoded samples. Neither does true peak, chords, stereo, production or
    fingerprints.
    """
    stages: Seconds = {}
    start = at = cpu()
    for name in _peer_stages(audio):
        now = cpu()
        stages[name], at = now - at, now
    return Timed(stages, at - start)


def _peer_stages(audio: Audio) -> Iterator[str]:
    """Do the jobs, and name each when it is done."""
    import librosa
    import pyloudnorm

    pyloudnorm.Meter(audio.sample_rate).integrated_loudness(audio.samples.T)
    yield "loudness (integrated only)"
    full = audio.samples.mean(axis=0)
    mono = librosa.resample(full, orig_sr=audio.sample_rate, target_sr=PEERS_HZ)
    yield "resampling"
    _, beats = librosa.beat.beat_track(y=mono, sr=PEERS_HZ)
    yield "tempo and beats"
    chroma = librosa.feature.chroma_cqt(y=mono, sr=PEERS_HZ)
    yield "chroma for a key"
    spectrum = np.abs(librosa.stft(full))
    librosa.feature.spectral_centroid(S=spectrum, sr=audio.sample_rate)
    librosa.feature.spectral_rolloff(S=spectrum, sr=audio.sample_rate)
    librosa.feature.spectral_flatness(S=spectrum)
    yield "centroid, roll-off, flatness"
    librosa.onset.onset_detect(y=mono, sr=PEERS_HZ)
    yield "onsets"
    timbre = librosa.feature.mfcc(y=mono, sr=PEERS_HZ)
    frames = min(chroma.shape[1], timbre.shape[1])
    features = librosa.util.sync(np.concatenate([chroma[:, :frames], timbre[:, :frames]]), beats[beats < frames])
    librosa.segment.agglomerative(features, min(8, features.shape[1]))
    yield "parts"


CONTENDERS: Mapping[str, Callable[[Audio], Timed]] = {OURS: ours, PEERS: librosa_and_pyloudnorm}
NEEDED = {OURS: (), PEERS: ("librosa", "pyloudnorm")}


def missing(name: str) -> list[str]:
    """The packages that a contender needs and that are not installed."""
    return [package for package in NEEDED[name] if not find_spec(package)]
