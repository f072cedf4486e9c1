"""Tempo, beats and bars.

Every tempo at which the onsets repeat is a candidate, together with its double, half, two thirds and three halves,
since these are what listeners and estimators disagree about. The beats of each candidate are tracked, and what is
heard at and between them decides: a tempo is likely when it repeats well, when the snare's register falls on its
beats, when these are divided further, and when people like to tap it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis import _pulse
from processor.analysis._metre import bars
from processor.analysis._pulse import TEMPI_BPM, Pulse
from processor.analysis.chroma import Chroma
from processor.analysis.onsets import SNARE, Onsets
from processor.graph import Known, analyser
from processor.quantities import quantity

Vector = NDArray[np.float64]

# What a tempo or metre may be, measured or said.
SLOWEST_BPM, FASTEST_BPM = 30.0, 300.0
MOST_BEATS_A_BAR = 16
PEAKS = 6  # of the salience that are looked at
RELATIVES = (2.0, 0.5, 1.5, 2 / 3, 3.0, 1 / 3, 4 / 3, 0.75)
SAME_TEMPO = 0.035  # as a logarithm: nearer ones are one candidate (the scoring of tempo takes 4 % as right)
PUBLISHED = 5
# Tapping is easiest near 120 a minute (Moelants 2002, "Preferred tempo reconsidered").
PREFERRED_BPM = 120.0
# Evidence → log-odds, in the order of `_evidence`. Fitted by `python -m tests.accuracy.weights`, which also
# says how they do on sources that they were not fitted on.
WEIGHTS = np.array([1.51, -2.84, 2.73, -3.02, 0.68, 2.49])
# The fit is penalised, which makes its probabilities too modest. On sources that they were not fitted on they are the
# most likely when their logarithms are multiplied by 1.5; a little less, for other music may be harder.
SHARPNESS = 1.3
# Added before logarithms, in mean onset strengths: what is quieter than that is not heard.
_FLOOR = 0.3
# Below this salience nothing repeats, whatever a beat tracker finds in it. By chance, the longer a sound, the less
# salient: noise reaches 0.3 in 5 s, 0.1 in 30 s and 0.03 in 200 s, speech 0.16, music from 0.35 (a chorale) to 2.7.
WEAKEST_SALIENCE, CHANCE_SALIENCE = 0.08, 1.0
FEWEST_BEATS = 4
LOCAL_BEATS = 8
STABLE_SHARE = 0.02


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


@dataclass(frozen=True)
class Candidate:
    """A tempo, its beats and what speaks for it."""

    tempo_bpm: float
    beats: Vector
    pulse: Pulse
    evidence: Vector


_NONE = Beats(None, None, (), (), np.empty(0), np.empty(0), None, None, np.empty(0), None)


@analyser(version=1)
def beats(onsets: Onsets, chroma: Chroma, known: Known) -> Beats:
    """Find the tempo, the beats and the bars; a person's `tempo_bpm` or `metre` is kept and the rest made to fit.

    Source: Scheirer 1998 and Percival & Tzanetakis 2014 (periodicity), Ellis 2007 (beats by dynamic programming),
    Moelants 2002 (preferred tempo); the choice between relatives is our own, see the accuracy table.
    """
    word: float | None = known.get("tempo_bpm")
    found = candidates(onsets, word)
    if not found:
        return _NONE
    chances = probabilities(SHARPNESS * np.array([one.evidence for one in found]) @ WEIGHTS)
    best = found[int(chances.argmax())]
    beats_s = best.beats / onsets.frame_rate
    tempo = word or tempo_of(beats_s, best.pulse)
    ranked = _ranked(found, chances, tempo)
    curve = local_tempo(beats_s)
    measured = bars(beats_s, onsets, chroma, known.get("metre"))
    return Beats(
        tempo_bpm=tempo,
        confidence=1.0 if word else ranked[0][1],
        candidates=tuple(bpm for bpm, _ in ranked),
        candidate_weights=tuple(weight for _, weight in ranked),
        beats_s=beats_s,
        downbeats_s=beats_s[measured.first :: measured.metre] if measured else np.empty(0),
        metre=measured.metre if measured else None,
        downbeat_confidence=measured.confidence if measured else None,
        tempo_curve_bpm=curve,
        stability=float((np.abs(curve / tempo - 1) <= STABLE_SHARE).mean()),
    )


def candidates(onsets: Onsets, tempo_bpm: float | None = None) -> list[Candidate]:
    """The tempi that may be felt, each with its beats, on and off the strongest path.

    Args:
        onsets: the curve.
        tempo_bpm: the only tempo to consider, if it is known.
    """
    curve, rate = onsets.envelope, onsets.frame_rate
    if not curve.any():
        return []
    correlation = _pulse.autocorrelation(curve, rate)
    tempi = [tempo_bpm] if tempo_bpm else _tempi(correlation, rate)
    if not tempo_bpm and not _repeats(correlation, tempi, curve.size, rate):
        return []
    pulses = [_pulse.track(curve, tempo, rate, may_drift=False) for tempo in tempi]
    found = _candidates(onsets, correlation, tempi, pulses)
    if not found:
        return []
    best = found[int(np.argmax([one.evidence @ WEIGHTS for one in found]))]
    if _pulse.track(curve, best.tempo_bpm, rate, may_drift=True).drifts:
        pulses = [_pulse.track(curve, tempo, rate, may_drift=True) for tempo in tempi]
        found = _candidates(onsets, correlation, tempi, pulses)
    return found


def _repeats(correlation: Vector, tempi: list[float], frames: int, rate: float) -> bool:
    """Whether any tempo is more salient than it would be by chance."""
    highest = _pulse.salience(correlation, np.array(tempi), rate).max(initial=0.0)
    return bool(highest > max(WEAKEST_SALIENCE, CHANCE_SALIENCE / np.sqrt(frames / rate)))


def _tempi(correlation: Vector, rate: float) -> list[float]:
    """Peaks of the salience near the preferred tempo, and the relatives of the highest."""
    salience = _pulse.salience(correlation, TEMPI_BPM, rate)
    inner = salience[1:-1]
    peaks = np.flatnonzero((inner >= salience[:-2]) & (inner > salience[2:])) + 1
    weighted = salience * np.exp(-0.5 * np.log2(TEMPI_BPM / PREFERRED_BPM) ** 2)
    found = [float(TEMPI_BPM[k]) for k in sorted(peaks, key=lambda k: -weighted[k])[:PEAKS]]
    for ratio in RELATIVES if found else ():
        near = np.abs(np.log(TEMPI_BPM / (found[0] * ratio))) < SAME_TEMPO / 2
        if near.any() and all(abs(np.log(found[0] * ratio / other)) >= SAME_TEMPO for other in found):
            found.append(float(TEMPI_BPM[near][salience[near].argmax()]))
    return found


def _candidates(onsets: Onsets, correlation: Vector, tempi: list[float], pulses: list[Pulse]) -> list[Candidate]:
    """Each tempo twice: with its strongest beats, and with the beats half-way between these."""
    found = []
    for tempo, pulse in zip(tempi, pulses, strict=True):
        if pulse.frames.size < FEWEST_BEATS:
            continue
        beats = pulse.frames.astype(np.float64)
        salience = float(_pulse.salience(correlation, tempo, onsets.frame_rate))
        for is_off, places in enumerate((beats, (beats[:-1] + beats[1:]) / 2)):
            evidence = _evidence(onsets, tempo, places, salience, bool(is_off))
            found.append(Candidate(tempo, places, pulse, evidence))
    return found


def _evidence(onsets: Onsets, tempo: float, beats: Vector, salience: float, is_off: bool) -> Vector:
    """What speaks for a candidate, shape `(6,)`: see `WEIGHTS`."""
    octaves = np.log2(tempo / PREFERRED_BPM)
    between = (beats[:-1] + beats[1:]) / 2
    on, half = (_strength(onsets.envelope, places) for places in (beats, between))
    snare = _strength(onsets.registers[SNARE], beats)
    return np.array(
        [
            octaves,
            octaves**2,
            salience,
            float(is_off),
            np.log((half + _FLOOR) / (on + _FLOOR)),
            np.log(snare + _FLOOR),
        ]
    )


def _strength(curve: NDArray[np.float32], places: Vector) -> float:
    """Mean of a curve within 25 ms of some places, in means of the curve."""
    mean = float(curve.mean())
    if mean <= 0:
        return 0.0
    frames = np.round(places).astype(int)
    near = np.clip(frames[:, None] + np.arange(-2, 3), 0, curve.size - 1)
    return float(curve[near].mean() / mean)


def probabilities(scores: Vector) -> Vector:
    """Softmax."""
    chances = np.exp(scores - scores.max())
    shares: Vector = chances / chances.sum()
    return shares


def _ranked(found: list[Candidate], chances: Vector, tempo: float) -> list[tuple[float, float]]:
    """Tempi with their probabilities, `tempo` first, then the most probable; what is nearly one tempo is one."""
    weights = {tempo: 0.0}
    best = found[int(chances.argmax())].tempo_bpm
    for one, chance in sorted(zip(found, chances, strict=True), key=lambda pair: -pair[1]):
        bpm = tempo if one.tempo_bpm == best else one.tempo_bpm
        near = next((other for other in weights if abs(np.log(bpm / other)) < SAME_TEMPO), bpm)
        weights[near] = weights.get(near, 0.0) + float(chance)
    others = sorted(list(weights.items())[1:], key=lambda pair: -pair[1])
    return [(tempo, weights[tempo]), *others[: PUBLISHED - 1]]


def tempo_of(beats_s: Vector, pulse: Pulse) -> float:
    """Beats a minute: of the straight line through a steady pulse's beats, else the median of the local tempo."""
    if pulse.drifts:
        return float(np.median(local_tempo(beats_s)))
    slope = np.polyfit(np.arange(beats_s.size), beats_s, 1)[0]
    return float(60 / slope)


def local_tempo(beats_s: Vector) -> Vector:
    """Tempo around each beat, shape `(beats,)`."""
    count = beats_s.size
    first = np.clip(np.arange(count) - LOCAL_BEATS // 2, 0, max(0, count - 1 - LOCAL_BEATS))
    last = np.minimum(first + LOCAL_BEATS, count - 1)
    tempo: Vector = 60 * (last - first) / (beats_s[last] - beats_s[first])
    return tempo
