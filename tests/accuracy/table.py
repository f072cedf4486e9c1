"""Which scores there are, how one answer gets them, and the means over many."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.accuracy import scores, spans
from tests.accuracy.answers import Answer
from tests.accuracy.truth import Item

Scores = dict[str, float]


@dataclass(frozen=True)
class Metric:
    """One row of the table.

    Attributes:
        name: its key in the JSON.
        label: what it is.
        short: the same as the head of a column; empty where it has none.
        job: what somebody must answer to get it.
    """

    name: str
    label: str
    short: str
    job: str


METRICS = (
    Metric("tempo_acc1", "tempo Acc1 (±4 %)", "Acc1", "tempo"),
    Metric("tempo_acc2", "tempo Acc2 (also ×2 ÷2 ×3 ÷3)", "Acc2", "tempo"),
    Metric("tempo_candidates", "tempo among the candidates", "cand.", "candidates"),
    Metric("tempo_mean_acc1", "mean tempo of what varies, Acc1", "", "tempo"),
    Metric("tempo_mean_acc2", "mean tempo of what varies, Acc2", "", "tempo"),
    Metric("beat_f", "beat F (±70 ms)", "beat F", "beats"),
    Metric("beat_cmlt", "beat CMLt", "", "beats"),
    Metric("beat_amlt", "beat AMLt", "AMLt", "beats"),
    Metric("downbeat_f", "downbeat F (±70 ms)", "downb. F", "downbeats"),
    Metric("metre", "metre", "metre", "metre"),
    Metric("metre_family", "metre (2 = 4 = 8, 3 = 6 = 9 = 12)", "", "metre"),
    Metric("key_mirex", "key MIREX", "key", "key"),
    Metric("key_exact", "key exact", "exact", "key"),
    Metric("key_two", "key or runner-up exact", "", "runner-up"),
    Metric("chords_majmin", "chords majmin", "chords", "chords"),
    Metric("sections_0.5", "boundaries F ±0.5 s", "±0.5 s", "sections"),
    Metric("sections_3", "boundaries F ±3 s", "±3 s", "sections"),
    Metric("sections_0.5 ends", "boundaries F ±0.5 s, ends counted", "", "sections"),
    Metric("sections_3 ends", "boundaries F ±3 s, ends counted", "", "sections"),
    Metric("sections_pairs", "section labels, pairwise F", "pairs", "sections"),
)


def score(item: Item, answer: Answer) -> Scores:
    """All scores for which there are a truth and an answer."""
    found = {**_rhythm(item, answer), **_bars(item, answer), **_key(item, answer), **_form(item, answer)}
    jobs = {metric.name: metric.job for metric in METRICS}
    return {name: value for name, value in found.items() if value is not None and jobs[name] in answer.jobs}


def _rhythm(item: Item, answer: Answer) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    if item.bpm is not None and item.is_steady:
        found["tempo_acc1"] = scores.acc1(answer.bpm, item.bpm)
        found["tempo_acc2"] = scores.acc2(answer.bpm, item.bpm)
        found["tempo_candidates"] = scores.hit(answer.candidates, item.bpm)
    elif item.bpm is not None:
        found["tempo_mean_acc1"] = scores.acc1(answer.bpm, item.bpm)
        found["tempo_mean_acc2"] = scores.acc2(answer.bpm, item.bpm)
    if item.beats_s is not None:
        found["beat_f"] = scores.beat_f(answer.beats_s, item.beats_s)
        lines = scores.continuity(answer.beats_s, item.beats_s)
        found["beat_cmlt"], found["beat_amlt"] = lines or (None, None)
    return found


def _bars(item: Item, answer: Answer) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    if item.downbeats_s is not None:
        found["downbeat_f"] = scores.beat_f(answer.downbeats_s, item.downbeats_s)
    if item.metres:
        found["metre"] = scores.metre(answer.metre, item.metres)
        found["metre_family"] = scores.metre_family(answer.metre, item.metres)
    return found


def _key(item: Item, answer: Answer) -> dict[str, float | None]:
    if item.key is None:
        return {}
    exact = scores.key_exact(answer.key, item.key)
    return {
        "key_mirex": scores.key_mirex(answer.key, item.key),
        "key_exact": exact,
        "key_two": max(exact, scores.key_exact(answer.runner_up, item.key)),
    }


def _form(item: Item, answer: Answer) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    if item.chords is not None:
        found["chords_majmin"] = spans.chords_majmin(answer.chords, item.chords)
    if item.sections is not None:
        parts = spans.sections(answer.sections, item.sections)
        found |= {f"sections_{name}": value for name, value in parts.items()}
    return found


@dataclass(frozen=True)
class Mean:
    """The mean of a score over recordings, 0 to 1, and of how many."""

    value: float
    n: int


def means(rows: Iterable[Scores]) -> dict[str, Mean]:
    """Metric → mean, over the rows that have it."""
    values: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            values.setdefault(name, []).append(value)
    return {name: Mean(statistics.fmean(listed), len(listed)) for name, listed in values.items()}


def by_source(rows: Iterable[tuple[str, Scores]]) -> dict[str, dict[str, Mean]]:
    """Source → metric → mean."""
    groups: dict[str, list[Scores]] = {}
    for source, row in rows:
        groups.setdefault(source, []).append(row)
    return {source: means(listed) for source, listed in sorted(groups.items())}


@dataclass(frozen=True)
class Spread:
    """How a score differs between sources: mean and standard deviation of their means, the worst and its name."""

    mean: float
    deviation: float
    worst: float
    worst_source: str
    sources: int


def spread(sources: Mapping[str, Mapping[str, Mean]], metric: str) -> Spread | None:
    """The spread of one score over the sources that have it."""
    values = {source: listed[metric].value for source, listed in sources.items() if metric in listed}
    if not values:
        return None
    worst = min(values, key=lambda source: values[source])
    return Spread(
        statistics.fmean(values.values()), statistics.pstdev(values.values()), values[worst], worst, len(values)
    )
