"""What other libraries answer for the same files: `python -m tests.accuracy.peers MANIFEST > peers.json`.

librosa and essentia are never dependencies: each is tried if it can be imported. Nothing of Liner Notes is imported
here, so that this file also runs in another environment (essentia, say, may want one of its own); `python -m
tests.accuracy MANIFEST --answers peers.json` then puts its answers into the table, scored like all others.

Only what these libraries answer by their documented defaults is taken: librosa's `beat_track` on its default onset
envelope, and the Krumhansl profiles on its `chroma_cqt`, for librosa has no key of its own; essentia's
`RhythmExtractor2013`, `PercivalBpmEstimator` and `KeyExtractor`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Answer = dict[str, Any]

# Krumhansl & Kessler 1982: how well each degree fits after a context in C major and in C minor.
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_LIBROSA_HZ = 22_050
_ESSENTIA_HZ = 44_100


def krumhansl_key(chroma: NDArray[np.floating]) -> str | None:
    """The key whose profile correlates best with a mean chroma of shape `(12,)`, C first; None where it is flat."""
    if not np.ptp(chroma) > 0:
        return None
    scores = {
        f"{_NAMES[tonic]} {mode}": np.corrcoef(chroma, np.roll(profile, tonic))[0, 1]
        for mode, profile in (("major", _MAJOR), ("minor", _MINOR))
        for tonic in range(12)
    }
    return max(scores, key=lambda name: scores[name])


def librosa_answer(samples: Samples, rate: int) -> dict[str, Answer]:
    """Tempo and beats by `beat_track`, key by `chroma_cqt` and Krumhansl's profiles."""
    import librosa

    mono = librosa.resample(samples, orig_sr=rate, target_sr=_LIBROSA_HZ) if rate != _LIBROSA_HZ else samples
    tempo, beats = librosa.beat.beat_track(y=mono, sr=_LIBROSA_HZ, units="time")
    chroma = librosa.feature.chroma_cqt(y=mono, sr=_LIBROSA_HZ).mean(axis=1)
    bpm = float(np.ravel(tempo)[0])
    return {"librosa": {"bpm": bpm or None, "beats_s": [float(beat) for beat in beats], "key": krumhansl_key(chroma)}}


def essentia_answer(samples: Samples, rate: int) -> dict[str, Answer]:
    """Tempo and beats by `RhythmExtractor2013`, key by `KeyExtractor`; a second tempo by `PercivalBpmEstimator`."""
    import essentia
    from essentia import standard

    essentia.log.warningActive = essentia.log.infoActive = False
    if rate != _ESSENTIA_HZ:
        samples = standard.Resample(inputSampleRate=rate, outputSampleRate=_ESSENTIA_HZ, quality=1)(samples)
    bpm, beats, *_ = standard.RhythmExtractor2013(method="multifeature")(samples)
    tonic, mode, _ = standard.KeyExtractor()(samples)
    percival = standard.PercivalBpmEstimator()(samples)
    return {
        "essentia": {"bpm": float(bpm), "beats_s": [float(beat) for beat in beats], "key": f"{tonic} {mode}"},
        "essentia Percival": {"bpm": float(percival)},
    }


PEERS: dict[str, Callable[[Samples, int], dict[str, Answer]]] = {
    "librosa": librosa_answer,
    "essentia": essentia_answer,
}


def installed() -> list[str]:
    """Which of them can be imported."""
    return [name for name in PEERS if find_spec(name)]


def missing() -> list[str]:
    """What to say about those that cannot."""
    commands = {"librosa": "pip install librosa", "essentia": "pip install --pre essentia"}
    return [f"{name} is not installed here ({commands[name]})" for name in PEERS if not find_spec(name)]


def answers(samples: Samples, rate: int) -> dict[str, Answer]:
    """What each installed library answers; one that fails answers nothing.

    Args:
        samples: one channel, float32, shape `(n,)`.
        rate: in Hz.
    """
    found: dict[str, Answer] = {}
    for name in installed():
        try:
            found.update(PEERS[name](samples, rate))
        except Exception as error:  # a peer's defect is its own, and must not end the comparison
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
            found[name] = {}
    return found


def main(manifest: Path) -> None:
    """Print name of library → item → answer as one JSON object."""
    import soundfile

    for sentence in missing():
        print(sentence, file=sys.stderr)
    found: dict[str, dict[str, Answer]] = {}
    items = [item for item in json.loads(manifest.read_bytes()) if {"bpm", "key"} & set(item["truth"])]
    for number, item in enumerate(items, start=1):
        print(f"{number}/{len(items)} {item['id']}", file=sys.stderr)
        samples, rate = soundfile.read(manifest.parent / item["file"], dtype="float32", always_2d=True)
        for name, answer in answers(np.ascontiguousarray(samples.mean(axis=1)), rate).items():
            found.setdefault(name, {})[item["id"]] = answer
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
