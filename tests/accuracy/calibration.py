"""Does a confidence mean what it says: of those said with 0.8, are 80 % right?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tests.accuracy import scores, spans
from tests.accuracy.answers import Answer
from tests.accuracy.truth import Item

EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class Claim:
    """Something that was said with a confidence, and how right it was.

    Attributes:
        said: the confidence, 0 to 1.
        right: 1, 0, or the share that was right.
        weight: how much it counts: 1 for a track, seconds for a chord.
    """

    said: float
    right: float
    weight: float = 1.0


@dataclass(frozen=True)
class Bin:
    """Claims of about one confidence.

    Attributes:
        low: where it begins.
        high: where it ends; 1 belongs to the last.
        n: how many claims.
        weight: their weight.
        said: their mean confidence.
        right: the share that was right.
    """

    low: float
    high: float
    n: int
    weight: float
    said: float
    right: float


@dataclass(frozen=True)
class Calibration:
    """A table of bins and its error in one number.

    Attributes:
        bins: those that are not empty.
        n: how many claims.
        said: mean confidence.
        right: share that was right.
        ece: expected calibration error: the bins' mean distance between said and right (Naeini et al. 2015).
        brier: mean squared distance between each confidence and what came of it (Brier 1950); 0.25 for a coin.
    """

    bins: tuple[Bin, ...]
    n: int
    said: float
    right: float
    ece: float
    brier: float


# What counts as right, for each job.
RIGHT = {
    "tempo": "the tempo within 4 %",
    "tempo candidates, each": "the tempo within 4 %",
    "downbeats": "the share of them, F at ±70 ms",
    "metre": "the beats a bar",
    "key": "tonic and mode",
    "key, runner-up": "tonic and mode",
    "chords": "majmin, the share of the track",
    "chords, each": "majmin, each chord by its length in seconds",
    "sections": "the share of the cuts that are within ±3 s of a true one",
}


def claims(item: Item, answer: Answer) -> dict[str, list[Claim]]:
    """Job → what was said of one recording with a confidence, where the truth is known."""
    said = answer.confidences or {}
    right = {**_rhythm(item, answer), **_harmony(item, answer)}
    if item.sections is not None and answer.sections is not None:
        right["sections"] = spans.cuts_right(answer.sections, item.sections)
    found = {
        job: [Claim(float(confidence), value)]
        for job, value in right.items()
        if value is not None and (confidence := said.get(job)) is not None
    }
    return {**found, **_each_candidate(item, answer), **_each_chord(item, answer)}


def _rhythm(item: Item, answer: Answer) -> dict[str, float | None]:
    right: dict[str, float | None] = {}
    if item.bpm is not None and answer.bpm is not None:
        right["tempo"] = scores.acc1(answer.bpm, item.bpm)
    if item.metres and answer.metre is not None:
        right["metre"] = scores.metre(answer.metre, item.metres)
    if item.downbeats_s is not None and answer.downbeats_s is not None:
        right["downbeats"] = scores.beat_f(answer.downbeats_s, item.downbeats_s)
    return right


def _harmony(item: Item, answer: Answer) -> dict[str, float | None]:
    right: dict[str, float | None] = {}
    if item.key is not None and answer.key is not None:
        right["key"] = scores.key_exact(answer.key, item.key)
    if item.key is not None and answer.runner_up is not None:
        right["key, runner-up"] = scores.key_exact(answer.runner_up, item.key)
    if item.chords is not None and answer.chords is not None:
        right["chords"] = spans.chords_majmin(answer.chords, item.chords)
    return right


def _each_candidate(item: Item, answer: Answer) -> dict[str, list[Claim]]:
    """Every tempo that was thought possible."""
    if item.bpm is None or len(answer.candidates) != len(answer.candidate_weights) or not answer.candidates:
        return {}
    pairs = zip(answer.candidates, answer.candidate_weights, strict=True)
    return {"tempo candidates, each": [Claim(float(weight), scores.acc1(bpm, item.bpm)) for bpm, weight in pairs]}


def _each_chord(item: Item, answer: Answer) -> dict[str, list[Claim]]:
    """Every chord that was said, weighted by the seconds in which the truth can tell."""
    if item.chords is None or answer.chords is None or len(answer.chord_confidences) != len(answer.chords.labels):
        return {}
    right, seconds, numbers = spans.chord_parts(answer.chords, item.chords)
    return {
        "chords, each": [
            Claim(answer.chord_confidences[number], float(value), float(length))
            for value, length, number in zip(right, seconds, numbers, strict=True)
            if value >= 0 and number >= 0 and length > 0
        ]
    }


def calibrate(listed: Iterable[Claim]) -> Calibration | None:
    """Put claims into bins; None where there are none."""
    rows = np.array([(one.said, one.right, one.weight) for one in listed]).reshape(-1, 3)
    if rows.size == 0 or not rows[:, 2].sum() > 0:
        return None
    said, right, weight = rows.T
    index = np.clip(np.searchsorted(EDGES, said, side="right") - 1, 0, len(EDGES) - 2)
    bins = []
    for number in range(len(EDGES) - 1):
        inside = index == number
        if weight[inside].sum() > 0:
            mean = [float(np.average(values[inside], weights=weight[inside])) for values in (said, right)]
            total = float(weight[inside].sum())
            bins.append(Bin(EDGES[number], EDGES[number + 1], int(inside.sum()), total, *mean))
    error = sum(one.weight * abs(one.said - one.right) for one in bins) / weight.sum()
    return Calibration(
        bins=tuple(bins),
        n=len(said),
        said=float(np.average(said, weights=weight)),
        right=float(np.average(right, weights=weight)),
        ece=float(error),
        brier=float(np.average((said - right) ** 2, weights=weight)),
    )
