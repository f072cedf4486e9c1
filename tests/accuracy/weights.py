"""Fit the few weights of tempo and metre to real music: `python -m tests.accuracy.weights MANIFEST`.

Each weight says how much one piece of evidence counts for a candidate (`processor.analysis._tempo.WEIGHTS`,
`processor.analysis._metre.WEIGHTS`). They are fitted by penalised conditional likelihood, once on everything, which
gives the numbers to write into the code, and once for each source (the part of a file's name before the first
underscore) on all *other* sources, which says how well they do on music that they were not fitted on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from processor.analysis import _metre
from processor.analysis._tempo import Candidate, candidates
from processor.analysis.chroma import Chroma, chroma
from processor.analysis.mel import mel
from processor.analysis.mono import mono
from processor.analysis.onsets import Onsets, onsets
from processor.audio import decode

Vector = NDArray[np.float64]

# Of the squared weights of standardised evidence. Metre has fewer items and gets more.
TEMPO_PENALTY, METRE_PENALTY = 1.0, 3.0
TEMPO_TOLERANCE = 0.04
SHARPNESSES = np.arange(0.6, 2.5, 0.1)
RIGHT_F = 0.6  # F-measure from which beats count as right: off-beats and other octaves stay below 0.67
FREE_START_S = 5.0


@dataclass(frozen=True)
class Case:
    """One choice among candidates.

    Attributes:
        source: where the music comes from.
        evidence: shape `(candidates, evidence)`.
        prior: log-probability of each candidate before anything is heard.
        right: which candidates are right.
    """

    source: str
    evidence: Vector
    prior: Vector
    right: NDArray[np.bool_]


def fit(cases: list[Case], penalty: float) -> Vector:
    """The weights that make the right candidates most probable."""
    useful = [case for case in cases if case.right.any()]
    stacked = np.concatenate([case.evidence for case in useful])
    scale = stacked.std(axis=0) + 1e-9

    def loss(weights: Vector) -> tuple[float, Vector]:
        total, gradient = penalty / 2 * float(weights @ weights), penalty * weights
        for case in useful:
            evidence = case.evidence / scale
            chances = softmax(evidence @ weights + case.prior)
            right = chances[case.right].sum() + 1e-12
            total -= np.log(right)
            gradient = gradient - chances[case.right] / right @ evidence[case.right] + chances @ evidence
        return total, gradient

    found: Vector = minimize(loss, np.zeros(stacked.shape[1]), jac=True, method="L-BFGS-B").x
    return found / scale


def softmax(scores: Vector) -> Vector:
    chances: Vector = np.exp(scores - scores.max())
    return chances / chances.sum()


def left_out(cases: list[Case], penalty: float) -> Iterator[tuple[int, Vector]]:
    """Index of each case and the probabilities that weights from all other sources give its candidates."""
    for source in sorted({case.source for case in cases}):
        weights = fit([case for case in cases if case.source != source], penalty)
        for number, case in enumerate(cases):
            if case.source == source:
                yield number, softmax(case.evidence @ weights + case.prior)


def beat_f(estimate: Vector, reference: Vector) -> float:
    trimmed = [mir_eval.beat.trim_beats(np.asarray(times, float), FREE_START_S) for times in (reference, estimate)]
    return float(mir_eval.beat.f_measure(*trimmed))


def main(arguments: list[str]) -> None:
    manifest = Path(arguments[0])
    items = [item for item in json.loads(manifest.read_text()) if "bpm" in item["truth"]]
    heard = [hear(manifest.parent / item["file"]) for item in items]
    tempo(items, heard)
    metre(items, heard)


def hear(path: Path) -> tuple[Onsets, Chroma]:
    sound = mono(decode(path))
    return onsets(mel(sound)), chroma(sound)


def reference_beats(truth: dict[str, Any]) -> Vector | None:
    """The beats, if their place is certain."""
    return np.array(truth["beats"], float) if truth.get("beats_phase_check") == "on-grid" else None


def tempo(items: list[dict[str, Any]], heard: list[tuple[Onsets, Chroma]]) -> None:
    cases, options = [], []
    for item, (curve, _) in zip(items, heard, strict=True):
        found = candidates(curve)
        options.append(found)
        right = np.array([is_right(one, item["truth"], curve.frame_rate) for one in found], bool)
        evidence = np.array([one.evidence for one in found])
        cases.append(Case(item["file"].split("_")[0], evidence, np.zeros(len(found)), right))
    known = [k for k, item in enumerate(items) if not item["truth"].get("bpm_octave_ambiguous")]
    hits, scores, surprises = [], [], []
    for number, chances in left_out([cases[k] for k in known], TEMPO_PENALTY):
        surprises.append([surprise(chances, cases[known[number]].right, power) for power in SHARPNESSES])
        truth, found = items[known[number]]["truth"], options[known[number]]
        best = found[int(chances.argmax())]
        hits.append(abs(best.tempo_bpm / truth["bpm"] - 1) <= TEMPO_TOLERANCE)
        reference = reference_beats(truth)
        if reference is not None:
            scores.append(beat_f(best.beats / heard[known[number]][0].frame_rate, reference))
        if not hits[-1] or (reference is not None and scores[-1] < RIGHT_F):
            print(f"  {items[known[number]]['file']}: {best.tempo_bpm:.1f} for {truth['bpm']}, p {chances.max():.2f}")
    best = SHARPNESSES[int(np.mean(surprises, axis=0).argmin())]
    print(f"tempo: the probabilities of left-out sources are the most likely to the power of {best:.1f}")
    report(
        "tempo",
        fit([cases[k] for k in known], TEMPO_PENALTY),
        f"Acc1 {np.mean(hits):.3f} of {len(hits)}, beat F {np.mean(scores):.3f} of {len(scores)}",
    )


def surprise(chances: Vector, right: NDArray[np.bool_], power: float) -> float:
    """Negative logarithm of what is given to the right candidates when all probabilities are raised to a power."""
    raised = chances**power
    return -float(np.log(max(raised[right].sum() / raised.sum(), 1e-3)))


def is_right(one: Candidate, truth: dict[str, Any], frame_rate: float) -> bool:
    reference = reference_beats(truth)
    if abs(one.tempo_bpm / truth["bpm"] - 1) > TEMPO_TOLERANCE:
        return False
    return reference is None or beat_f(one.beats / frame_rate, reference) > RIGHT_F


def metre(items: list[dict[str, Any]], heard: list[tuple[Onsets, Chroma]]) -> None:
    """On the true beats, so that the tempo's errors do not count again."""
    cases, hits = [], []
    for item, (curve, pitches) in zip(items, heard, strict=True):
        truth = item["truth"]
        beats_s = reference_beats(truth)
        if beats_s is None or "meter" not in truth:
            continue
        beats_s = beats_s[beats_s < curve.envelope.size / curve.frame_rate - 0.3]
        beats_a_bar = int(truth["meter"].split("/")[0])
        beats_a_bar = 4 if beats_a_bar == 8 else beats_a_bar
        downbeats = np.array(truth.get("downbeats", truth["beats"][::beats_a_bar]), float)
        hypotheses = [(beats, first) for beats in _metre.COMMON for first in range(beats) if beats_s.size >= 2 * beats]
        evidence = _metre.downbeat_evidence(beats_s, curve, pitches)
        first = int(np.abs(beats_s - downbeats[0]).argmin()) % beats_a_bar
        cases.append(
            Case(
                item["file"].split("_")[0],
                np.array([_metre.contrast(evidence, *one) for one in hypotheses]),
                np.log([_metre.COMMON[beats] / beats for beats, _ in hypotheses]),
                np.array([one == (beats_a_bar, first) for one in hypotheses]),
            )
        )
    for number, chances in left_out(cases, METRE_PENALTY):
        hits.append(bool(cases[number].right[int(chances.argmax())]))
    report("metre", fit(cases, METRE_PENALTY), f"metre and place right {np.mean(hits):.3f} of {len(hits)}")


def report(name: str, weights: Vector, left_out_scores: str) -> None:
    print(f"{name}: weights {np.array2string(weights, precision=2, separator=', ')}")
    print(f"{name}, each source by weights of all others: {left_out_scores}")


if __name__ == "__main__":
    main(sys.argv[1:])
