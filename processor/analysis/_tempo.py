"""What a sound says of its tempo and its beats: the whole mix, or its drums alone.

Every tempo at which the onsets repeat is a candidate, together with its double, half, two thirds and three halves,
since these are what listeners and estimators disagree about. The beats of each candidate are tracked, and what is
heard at and between them decides: a tempo is likely when it repeats well, when the snare's register falls on its
beats, when these are divided further, and when people like to tap it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from processor.analysis import _pulse
from processor.analysis._pulse import TEMPI_BPM, Pulse
from processor.analysis.onsets import SNARE, Onsets

Vector = NDArray[np.float64]

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
class Candidate:
    """A tempo, its beats and what speaks for it."""

    tempo_bpm: float
    beats: Vector
    pulse: Pulse
    evidence: Vector


@dataclass(frozen=True)
class Hearing:
    """The most probable tempo of a sound, and its beats.

    Attributes:
        tempo_bpm: beats a minute.
        beats_s: when they fall, shape `(beats,)`, increasing.
        ranked: tempi that are possible and how probable each is, `tempo_bpm` first, then the most probable.
        curve_bpm: tempo around each beat, shape `(beats,)`.
    """

    tempo_bpm: float
    beats_s: Vector
    ranked: tuple[tuple[float, float], ...]
    curve_bpm: Vector

    @property
    def confidence(self) -> float:
        """Probability of the tempo."""
        return self.ranked[0][1]

    @property
    def stability(self) -> float:
        """Share of beats whose tempo is within `STABLE_SHARE` of that of the whole."""
        return float((np.abs(self.curve_bpm / self.tempo_bpm - 1) <= STABLE_SHARE).mean())

    def chance(self, tempo_bpm: float) -> float:
        """How probable another tempo is; 0 for one that is no candidate."""
        return sum(weight for bpm, weight in self.ranked if is_same_tempo(bpm, tempo_bpm))

    def at(self, tempo_bpm: float) -> Hearing:
        """The same beats, at a tempo that is known to be theirs."""
        return replace(self, tempo_bpm=tempo_bpm, ranked=((tempo_bpm, self.confidence), *self.ranked[1:]))

    def weighed_with(self, other: Hearing, weight: float) -> Hearing:
        """The same beats, with the probabilities of two hearings, the other one's times `weight`."""
        tempi = [bpm for bpm, _ in self.ranked]
        tempi += [bpm for bpm, _ in other.ranked if not any(is_same_tempo(bpm, one) for one in tempi)]
        ranked = [(bpm, (1 - weight) * self.chance(bpm) + weight * other.chance(bpm)) for bpm in tempi]
        others = sorted(ranked[1:], key=lambda pair: -pair[1])[: PUBLISHED - 1]
        return replace(self, ranked=(ranked[0], *others))


def hear(onsets: Onsets, tempo_bpm: float | None = None) -> Hearing | None:
    """The tempo and the beats that are most probable; None where no pulse is heard.

    Args:
        onsets: of the sound.
        tempo_bpm: the tempo, if it is known.
    """
    found = candidates(onsets, tempo_bpm)
    if not found:
        return None
    chances = probabilities(SHARPNESS * np.array([one.evidence for one in found]) @ WEIGHTS)
    best = found[int(chances.argmax())]
    beats_s = best.beats / onsets.frame_rate
    tempo = tempo_bpm or tempo_of(beats_s, best.pulse)
    return Hearing(tempo, beats_s, tuple(_ranked(found, chances, tempo)), local_tempo(beats_s))


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


def is_same_tempo(one_bpm: float, other_bpm: float) -> bool:
    """Whether two tempi are one."""
    return bool(abs(np.log(one_bpm / other_bpm)) < SAME_TEMPO)
