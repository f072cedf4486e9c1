"""The scores of chords and sections, each of one recording, each from 0 to 1, by mir_eval."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import mir_eval
import numpy as np
from numpy.typing import NDArray

from tests.accuracy.truth import Spans, Times

WINDOWS_S = (0.5, 3.0)


def tidy(intervals_s: Times, labels: Sequence[str]) -> Spans:
    """The same stretches in order, without those of no length and without overlaps, which mir_eval refuses."""
    rows = sorted((float(start), float(end), label) for (start, end), label in zip(intervals_s, labels, strict=True))
    kept: list[tuple[float, float, str]] = []
    for start, end, label in rows:
        start = max(start, kept[-1][1]) if kept else max(start, 0.0)
        if end > start:
            kept.append((start, end, label))
    return Spans(np.array([row[:2] for row in kept], np.float64).reshape(-1, 2), tuple(row[2] for row in kept))


def chord_parts(said: Spans, truth: Spans) -> tuple[NDArray[np.float64], Times, tuple[int, ...]]:
    """Compare chords as major, minor or none, piece by piece.

    Returns:
        For each piece of time in which neither changes: 1 right, 0 wrong, −1 where the truth is neither major nor
        minor, which does not count; its length in seconds; which of the chords that were said it is from, −1 for
        none.
    """
    start, end = float(truth.intervals_s.min()), float(truth.intervals_s.max())
    ours = tidy(said.intervals_s, [str(number) for number in range(len(said.labels))])
    wanted = _gapless(tidy(truth.intervals_s, truth.labels), "X", start, end)
    found = _gapless(ours, "-1", start, end)
    pieces, true_labels, numbers = mir_eval.util.merge_labeled_intervals(
        wanted.intervals_s, wanted.labels, found.intervals_s, found.labels
    )
    spelt = [said.labels[int(number)] if int(number) >= 0 else "N" for number in numbers]
    right = mir_eval.chord.majmin(_valid(true_labels), _valid(spelt))
    return np.asarray(right), np.diff(pieces, axis=1)[:, 0], tuple(int(number) for number in numbers)


def chords_majmin(said: Spans | None, truth: Spans) -> float | None:
    """Share of the time in which the chord is right as major, minor or none; None where no chord is either."""
    right, seconds, _ = chord_parts(said or Spans(np.zeros((0, 2)), ()), truth)
    counts = right >= 0
    if not seconds[counts].sum() > 0:
        return None
    return float(np.average(right[counts], weights=seconds[counts]))


def _gapless(spans: Spans, filling: str, start: float, end: float) -> Spans:
    """Stretches that cover all from `start` to `end`, gaps labelled with `filling`."""
    rows: list[tuple[float, float, str]] = []
    at = start
    for (begin, stop), label in zip(spans.intervals_s, spans.labels, strict=True):
        begin, stop = max(float(begin), start), min(float(stop), end)
        if stop <= begin:
            continue
        if begin > at:
            rows.append((at, begin, filling))
        rows.append((begin, stop, label))
        at = stop
    if at < end:
        rows.append((at, end, filling))
    return Spans(np.array([row[:2] for row in rows]).reshape(-1, 2), tuple(row[2] for row in rows))


def _valid(labels: Iterable[str]) -> list[str]:
    """The same labels, with "X" for what is no chord in Harte's syntax."""
    known: dict[str, str] = {}
    for label in labels:
        if label not in known:
            try:
                mir_eval.chord.encode(label)
                known[label] = label
            except mir_eval.chord.InvalidChordException:
                known[label] = "X"
    return [known[label] for label in labels]


def cuts_right(said: Spans, truth: Spans) -> float | None:
    """Share of the cuts that were made, the ends apart, that are within 3 s of a true one; None where none was made."""
    ends = float(truth.intervals_s.max())
    cuts = tidy(said.intervals_s, said.labels).intervals_s[1:, 0]
    true = np.unique(truth.intervals_s[(truth.intervals_s > 0) & (truth.intervals_s < ends)])
    cuts = cuts[(cuts > 0) & (cuts < ends)]
    if cuts.size == 0:
        return None
    matched = mir_eval.util.match_events(true, cuts, WINDOWS_S[-1]) if true.size else []
    return len(matched) / cuts.size


def sections(said: Spans | None, truth: Spans) -> dict[str, float]:
    """F of the boundaries within ±0.5 s and ±3 s, without and with the two ends of the track, and of pairs of labels.

    As in mir_eval, what was said is cut, or filled, to the length of the truth, and the truth is filled from 0 on.
    The two ends are known to everybody; counting them, as many papers do, makes every score higher.
    """
    names = [f"{window:g}{ends}" for ends in ("", " ends") for window in WINDOWS_S]
    if said is None or not said.labels:
        return dict.fromkeys([*names, "pairs"], 0.0)
    ours = tidy(said.intervals_s, said.labels)
    adjust = mir_eval.util.adjust_intervals
    wanted, wanted_labels = adjust(truth.intervals_s, list(truth.labels), t_min=0.0)
    found, found_labels = adjust(ours.intervals_s, list(ours.labels), t_min=0.0, t_max=wanted.max())
    scores = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mir_eval warns where there is no boundary but the ends: that is an answer
        for name, window in zip(names, WINDOWS_S * 2, strict=True):
            _, _, scores[name] = mir_eval.segment.detection(
                wanted, found, window=window, trim=not name.endswith("ends")
            )
        _, _, scores["pairs"] = mir_eval.segment.pairwise(wanted, wanted_labels, found, found_labels)
    return {name: float(score) for name, score in scores.items()}
