"""Tempo, beats and bars.

They are heard in the whole mix (see `_tempo`). Where the drums were separated, these were heard alone as well, and
the tempo that both together find more probable wins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis._metre import bars
from processor.analysis._tempo import LOCAL_BEATS, STABLE_SHARE, Hearing, hear, is_same_tempo
from processor.analysis.chroma import Chroma
from processor.analysis.onsets import Onsets
from processor.analysis.stem_rhythm import StemRhythm
from processor.graph import Known, analyser
from processor.quantities import quantity

Vector = NDArray[np.float64]

# What a tempo or metre may be, measured or said.
SLOWEST_BPM, FASTEST_BPM = 30.0, 300.0
MOST_BEATS_A_BAR = 16
MIX, DRUMS = "mix", "drums"
# Drums with a smaller share of the energy do not overrule the mix: the quieter a stem, the more of it is left over from
# others. How much louder ones count, and the mix the rest. Chosen with stems by HTDemucs, on 145 pieces of 15 s and 79
# of 24 s: the mix has the tempo of 80.7 and 88.6 %, both together that of 81.4 and 89.9 %, one piece more each time.
# Without the limit nothing is gained; weights of 0.5 to 0.7 differ by a piece.
LEAST_DRUMS, DRUMS_WEIGHT = 0.05, 0.6


@dataclass(frozen=True)
class Beats:
    """Tempo and beats; None and empty where no pulse is heard."""

    tempo_bpm: float | None = quantity(
        "BPM",
        label="Tempo",
        source="most probable candidate; line through its beats, or median local tempo where it drifts",
        help="Beats a minute. Where the candidates' weights are close, the beat may be felt at another one.",
        low=SLOWEST_BPM,
        high=FASTEST_BPM,
        digits=2,
        said=float,
    )
    confidence: float | None = quantity(
        "",
        label="Tempo confidence",
        source="softmax of the candidates' evidence, calibrated on real music (see the accuracy table)",
        help="Probability that the tempo is right, and not its double, half or another relative.",
        low=0,
        high=1,
        digits=2,
    )
    candidates: tuple[float, ...] = quantity(
        "BPM",
        label="Tempo candidates",
        source="peaks of the onsets' autocorrelation and their metrical relatives, most probable first",
        help="Tempi at which the beat could be felt; the first one is the tempo.",
        low=0,
        digits=2,
    )
    candidate_weights: tuple[float, ...] = quantity(
        "",
        label="Weights of the candidates",
        source="as the confidence",
        help="Probability of each candidate.",
        low=0,
        high=1,
        digits=2,
    )
    beats_s: Vector = quantity(
        "s",
        label="Beats",
        source="dynamic programming over onset strength (Ellis 2007), with a drifting period where that fits better",
        help="When the beats fall.",
        low=0,
        digits=2,
    )
    downbeats_s: Vector = quantity(
        "s",
        label="Downbeats",
        source="kick drum and chord change at the beats, and where the piece begins",
        help="When bars begin.",
        low=0,
        digits=2,
    )
    metre: int | None = quantity(
        "",
        label="Beats a bar",
        source="the metre whose downbeats stand out most",
        help="How many beats a bar has: 4 for 4/4, 3 for a waltz.",
        low=1,
        high=MOST_BEATS_A_BAR,
        digits=0,
        said=int,
    )
    downbeat_confidence: float | None = quantity(
        "",
        label="Downbeat confidence",
        source="softmax over metres and places of the first downbeat",
        help="Probability that the bars begin where they are said to.",
        low=0,
        high=1,
        digits=2,
    )
    tempo_curve_bpm: Vector = quantity(
        "BPM",
        label="Tempo over time",
        source=f"mean of {LOCAL_BEATS} intervals, at each beat",
        help="How the tempo moves; a straight line for music made on a grid.",
        low=0,
    )
    stability: float | None = quantity(
        "",
        label="Tempo stability",
        source=f"share of beats whose tempo is within {STABLE_SHARE:.0%} of the whole piece's",
        help="1 for a machine; lower where people play freely or the tempo changes.",
        low=0,
        high=1,
        digits=2,
    )
    tempo_from: str | None = quantity(
        "",
        label="Tempo heard in",
        source="the drums' and the mix's probabilities of each other's tempo, weighed; the mix where they agree",
        help="Whether tempo and beats were heard in the mix or in the drums alone. Drums need separated stems.",
    )
    tempo_why: str | None = quantity(
        "",
        label="Why the tempo is heard there",
        source="the rule that decided",
        help="Why the one hearing was preferred to the other.",
    )


@dataclass(frozen=True)
class _Choice:
    """The hearing that won, and why."""

    heard: Hearing | None
    source: str
    why: str


_NONE = Beats(None, None, (), (), np.empty(0), np.empty(0), None, None, np.empty(0), None, None, None)


@analyser(version=2)
def beats(onsets: Onsets, chroma: Chroma, known: Known, stem_rhythm: StemRhythm | None = None) -> Beats:
    """Find the tempo, the beats and the bars; a person's `tempo_bpm` or `metre` is kept and the rest made to fit.

    Source: Scheirer 1998 and Percival & Tzanetakis 2014 (periodicity), Ellis 2007 (beats by dynamic programming),
    Moelants 2002 (preferred tempo); the choice between relatives is our own, see the accuracy table.
    """
    word: float | None = known.get("tempo_bpm")
    choice = _choose(onsets, stem_rhythm, word)
    heard = choice.heard
    if heard is None:
        return _NONE
    measured = bars(heard.beats_s, onsets, chroma, known.get("metre"))
    return Beats(
        tempo_bpm=heard.tempo_bpm,
        confidence=1.0 if word else heard.confidence,
        candidates=tuple(bpm for bpm, _ in heard.ranked),
        candidate_weights=tuple(weight for _, weight in heard.ranked),
        beats_s=heard.beats_s,
        downbeats_s=heard.beats_s[measured.first :: measured.metre] if measured else np.empty(0),
        metre=measured.metre if measured else None,
        downbeat_confidence=measured.confidence if measured else None,
        tempo_curve_bpm=heard.curve_bpm,
        stability=heard.stability,
        tempo_from=choice.source,
        tempo_why=choice.why,
    )


def _choose(onsets: Onsets, stem_rhythm: StemRhythm | None, word: float | None) -> _Choice:
    """What tempo and beats are believed: a person's word, else the likelier one of mix and drums."""
    if stem_rhythm is None:
        return _Choice(hear(onsets, word), MIX, "A person said it." if word else "There are no stems.")
    choice = _likelier(hear(onsets), stem_rhythm)
    if not word:
        return choice
    if choice.heard is None or choice.source == MIX or not is_same_tempo(choice.heard.tempo_bpm, word):
        return _Choice(hear(onsets, word), MIX, "A person said it.")
    return _Choice(choice.heard.at(word), DRUMS, "A person said it, and the drums alone have it.")


def _likelier(mix: Hearing | None, stem_rhythm: StemRhythm) -> _Choice:
    """The tempo that both hearings together find more probable; the mix's where they agree.

    Where both have one tempo, the drums' beats are no better: they fell on the off-beats of one piece, the mix's on
    those of another.
    """
    drums = stem_rhythm.hearing()
    if drums is None:
        return _Choice(mix, MIX, "The stems have no drums with a pulse.")
    if mix is None:
        return _Choice(drums, DRUMS, "Only the drums have a pulse.")
    if is_same_tempo(mix.tempo_bpm, drums.tempo_bpm):
        return _Choice(mix, MIX, "Mix and drums agree on the tempo.")
    if stem_rhythm.drums_share < LEAST_DRUMS:
        return _Choice(mix, MIX, f"The drums, at {drums.tempo_bpm:.0f} BPM, are too quiet to overrule the mix.")
    for_mix, for_drums = mix.weighed_with(drums, DRUMS_WEIGHT), drums.weighed_with(mix, 1 - DRUMS_WEIGHT)
    if for_drums.confidence > for_mix.confidence:
        return _Choice(for_drums, DRUMS, f"{_surer(drums, mix)}; in the mix {mix.tempo_bpm:.0f} BPM seemed likelier.")
    return _Choice(for_mix, MIX, f"{_surer(mix, drums)}; the drums alone suggest {drums.tempo_bpm:.0f} BPM.")


def _surer(winner: Hearing, loser: Hearing) -> str:
    """What speaks for the tempo that won."""
    tempo = winner.tempo_bpm
    return f"{tempo:.0f} BPM has {winner.confidence:.0%} in the one and {loser.chance(tempo):.0%} in the other"
