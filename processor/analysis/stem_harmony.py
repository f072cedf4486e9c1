"""The key of the instruments that carry the harmony, without drums and voice: a second opinion beside the mix's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis._tonality import KEYS, chances_of, has_key, path_of
from processor.analysis.chroma import chroma
from processor.analysis.mono import SAMPLE_RATE_HZ, Mono
from processor.analysis.separated import Separated
from processor.analysis.stems import Stems
from processor.graph import analyser
from processor.quantities import quantity

Vector = NDArray[np.float64]

# What separators call the stems that chords are played on, and the one that sings.
HARMONY, VOICE = ("bass", "other", "guitar", "piano"), "vocals"

_SOURCE = "as the key of the mix, heard in the sum of bass and harmony"


@dataclass(frozen=True)
class StemHarmony:
    """What bass and harmony say; None and empty where none of them is there, or they are in no key."""

    harmony_stems: tuple[str, ...] = quantity(
        "",
        label="Stems that were heard",
        source="stems that are really there",
        help="The stems whose sum was listened to.",
    )
    harmony_share: float | None = quantity(
        "",
        label="Share of the harmony",
        source="energy of these stems in that of these and the voice",
        help="How much of what has a pitch is bass and harmony, and not voice. 1 where nobody sings.",
        low=0,
        high=1,
        digits=2,
    )
    harmony_key: str | None = quantity(
        "", label="Key of the harmony", source=_SOURCE, help="The key of bass and harmony alone, without the voice."
    )
    harmony_key_confidence: float | None = quantity(
        "",
        label="Confidence of the harmony's key",
        source="softmax of the keys' scores, fitted on whole mixes",
        help="Probability that this key is right, going by bass and harmony alone.",
        low=0,
        high=1,
        digits=2,
    )
    harmony_chances: Vector = quantity(
        "",
        label="Chance of each key",
        source=f"the same, in the order {', '.join(KEYS[:2])} … {KEYS[-1]}; all 0 without a key",
        help="How probable each of the 24 keys is, majors from C up, then minors.",
        low=0,
        high=1,
        digits=2,
    )


@analyser(version=1)
def stem_harmony(stems: Stems, separated: Separated) -> StemHarmony:
    """Hear the key of bass and harmony, where they are really there.

    Source: that of `key`.
    """
    there = [name for name, present in zip(stems.names, stems.present, strict=True) if present]
    heard = tuple(name for name in there if name in HARMONY)
    sounds = [sound for name in heard if (sound := separated.mono(name)) is not None]
    if not sounds:
        return StemHarmony((), None, None, None, np.zeros(len(KEYS)))
    chances = of_samples(np.sum(sounds, axis=0, dtype=np.float32))
    best = int(chances.argmax())
    return StemHarmony(
        harmony_stems=heard,
        harmony_share=_share(stems, heard),
        harmony_key=KEYS[best] if chances.any() else None,
        harmony_key_confidence=float(chances[best]) if chances.any() else None,
        harmony_chances=chances,
    )


def of_samples(samples: NDArray[np.float32]) -> Vector:
    """Probability of each key of mono sound at 22.05 kHz, shape `(n,)`; all 0 where there is no key."""
    pitches = chroma(Mono(samples, SAMPLE_RATE_HZ, samples.size / SAMPLE_RATE_HZ))
    return chances_of(pitches, path_of(pitches)) if has_key(pitches) else np.zeros(len(KEYS))


def _share(stems: Stems, heard: tuple[str, ...]) -> float | None:
    """Energy of some stems in that of these and the voice; None where there is none."""
    energy = dict(zip(stems.names, stems.energy_share, strict=True))
    harmony = sum(energy[name] for name in heard)
    total = harmony + energy.get(VOICE, 0.0)
    return harmony / total if total > 0 else None
