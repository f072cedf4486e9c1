"""Tempo and beats of the drums alone: a second opinion beside that of the whole mix.

What hides a pulse in a mix (a melody across it, a guitar on the off-beats, chords that change at every second beat) is
not in the drum stem. What tells the bars from one another is not there either, so that these stay the mix's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis._tempo import Hearing, hear, local_tempo
from processor.analysis.mel import mel
from processor.analysis.mono import SAMPLE_RATE_HZ, Mono
from processor.analysis.onsets import onsets
from processor.analysis.separated import Separated
from processor.analysis.stems import Stems
from processor.graph import analyser
from processor.quantities import quantity

Vector = NDArray[np.float64]

DRUMS = "drums"

_SOURCE = "as the tempo of the mix, heard in the drum stem alone"


@dataclass(frozen=True)
class StemRhythm:
    """What the drums say; None and empty where there are none, or none with a pulse."""

    drums_tempo_bpm: float | None = quantity(
        "BPM",
        label="Tempo of the drums",
        source=_SOURCE,
        help="Beats a minute, heard in the drums alone. Empty where no drums play, or no pulse is in them.",
        low=0,
        digits=2,
    )
    drums_tempo_confidence: float | None = quantity(
        "",
        label="Confidence of the drums' tempo",
        source="softmax of the candidates' evidence, fitted on whole mixes",
        help="Probability that the drums' tempo is right, going by the drums alone.",
        low=0,
        high=1,
        digits=2,
    )
    drums_candidates: tuple[float, ...] = quantity(
        "BPM",
        label="Tempo candidates of the drums",
        source=_SOURCE,
        help="Tempi at which the drums could be felt, the most probable first.",
        low=0,
        digits=2,
    )
    drums_candidate_weights: tuple[float, ...] = quantity(
        "",
        label="Weights of the drums' candidates",
        source="as the confidence",
        help="Probability of each of these tempi.",
        low=0,
        high=1,
        digits=2,
    )
    drums_beats_s: Vector = quantity(
        "s", label="Beats of the drums", source=_SOURCE, help="When the drums' beats fall.", low=0, digits=2
    )
    drums_share: float = quantity(
        "",
        label="Share of the drums",
        source="energy of the drum stem in that of all stems",
        help="How much of the sound is drums; the quieter they are, the more of their stem comes from others.",
        low=0,
        high=1,
        digits=3,
    )

    def hearing(self) -> Hearing | None:
        """The same, as the mix is heard; None where there is no pulse."""
        if self.drums_tempo_bpm is None:
            return None
        ranked = zip(self.drums_candidates, self.drums_candidate_weights, strict=True)
        return Hearing(self.drums_tempo_bpm, self.drums_beats_s, tuple(ranked), local_tempo(self.drums_beats_s))


@analyser(version=1)
def stem_rhythm(stems: Stems, separated: Separated) -> StemRhythm:
    """Hear tempo and beats in the drums, where drums are really there.

    Source: that of `beats`. That drums alone give the tempo of nearly all songs is a report of others (17 of 18); our
    own numbers are those of `python -m tests.accuracy.stems`.
    """
    share = _share(stems)
    drums = separated.mono(DRUMS) if share > 0 else None
    heard = of_samples(drums) if drums is not None else None
    if heard is None:
        return StemRhythm(None, None, (), (), np.empty(0), share)
    return StemRhythm(
        drums_tempo_bpm=heard.tempo_bpm,
        drums_tempo_confidence=heard.confidence,
        drums_candidates=tuple(bpm for bpm, _ in heard.ranked),
        drums_candidate_weights=tuple(weight for _, weight in heard.ranked),
        drums_beats_s=heard.beats_s,
        drums_share=share,
    )


def of_samples(samples: NDArray[np.float32]) -> Hearing | None:
    """Tempo and beats of mono sound at 22.05 kHz, shape `(n,)`; None where no pulse is heard."""
    return hear(onsets(mel(Mono(samples, SAMPLE_RATE_HZ, samples.size / SAMPLE_RATE_HZ))))


def _share(stems: Stems) -> float:
    """Energy of the drums in that of all stems; 0 where the drum stem holds no drums."""
    place = stems.names.index(DRUMS) if DRUMS in stems.names else None
    return stems.energy_share[place] if place is not None and stems.present[place] else 0.0
