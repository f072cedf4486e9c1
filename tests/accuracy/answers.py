"""What somebody says of a recording: Liner Notes, another library, or a baseline that does not even listen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.accuracy.truth import Item, Spans, Times

# Job → the analyser that does it.
JOBS = {"tempo": "beats", "beats": "beats", "metre": "beats", "key": "key", "chords": "chords", "sections": "sections"}
BASELINE_BPM = 120.0
BASELINE_METRE = 4


@dataclass(frozen=True)
class Answer:
    """What was said. A job that is not in `jobs` was not asked for: it has no score, rather than 0.

    Attributes:
        jobs: of `JOBS`, and "downbeats", "candidates" and "runner-up".
        bpm: beats a minute.
        candidates: best first.
        candidate_weights: how probable each of them is.
        beats_s: seconds.
        downbeats_s: seconds.
        metre: beats a bar.
        key: tonic and mode.
        runner_up: the second key.
        chords: labels as Harte writes them.
        sections: labels that mean something only within the track.
        confidences: job → the probability of being right, as it was said.
        chord_confidences: the same for each chord.
    """

    jobs: frozenset[str]
    bpm: float | None = None
    candidates: tuple[float, ...] = ()
    candidate_weights: tuple[float, ...] = ()
    beats_s: Times | None = None
    downbeats_s: Times | None = None
    metre: int | None = None
    key: str | None = None
    runner_up: str | None = None
    chords: Spans | None = None
    sections: Spans | None = None
    confidences: Mapping[str, float | None] | None = None
    chord_confidences: tuple[float, ...] = ()


def ours(results: Mapping[str, Any], there: Collection[str]) -> Answer:
    """What our analysers said; an analyser that is there but has no result says nothing, which is wrong.

    Args:
        results: analyser's name → result.
        there: the analysers that exist and ran.
    """
    beats, key = results.get("beats"), results.get("key")
    chords, sections = results.get("chords"), results.get("sections")
    jobs = {job for job, name in JOBS.items() if name in there}
    jobs |= {"downbeats", "candidates"} if "beats" in jobs else set()
    jobs |= {"runner-up"} if "key" in jobs else set()
    return Answer(
        jobs=frozenset(jobs),
        bpm=getattr(beats, "tempo_bpm", None),
        candidates=tuple(getattr(beats, "candidates", ())),
        candidate_weights=tuple(getattr(beats, "candidate_weights", ())),
        beats_s=getattr(beats, "beats_s", None),
        downbeats_s=getattr(beats, "downbeats_s", None),
        metre=getattr(beats, "metre", None),
        key=getattr(key, "name", None),
        runner_up=getattr(key, "runner_up", None),
        chords=_spans(chords),
        sections=_spans(sections),
        confidences={
            "tempo": getattr(beats, "confidence", None),
            "downbeats": getattr(beats, "downbeat_confidence", None),
            "metre": getattr(beats, "metre_confidence", None),
            "key": getattr(key, "confidence", None),
            "key, runner-up": getattr(key, "runner_up_confidence", None),
            "chords": getattr(chords, "confidence", None),
            "sections": getattr(sections, "confidence", None),
        },
        chord_confidences=tuple(float(one) for one in getattr(chords, "confidences", ())),
    )


def _spans(result: Any) -> Spans | None:
    """The intervals and labels of a result."""
    if result is None or len(result.labels) == 0:
        return None
    return Spans(np.asarray(result.intervals_s, np.float64), tuple(str(label) for label in result.labels))


def peer(answer: Mapping[str, Any]) -> Answer:
    """What another library said, as `peers` writes it down; what is not in it was not asked for."""
    fields = {"bpm": "tempo", "beats_s": "beats", "downbeats_s": "downbeats", "metre": "metre", "key": "key"}
    beats, downbeats = answer.get("beats_s"), answer.get("downbeats_s")
    return Answer(
        jobs=frozenset(job for name, job in fields.items() if name in answer),
        bpm=answer.get("bpm"),
        beats_s=None if beats is None else np.asarray(beats, np.float64),
        downbeats_s=None if downbeats is None else np.asarray(downbeats, np.float64),
        metre=answer.get("metre"),
        key=answer.get("key"),
    )


def commonest_key(items: Iterable[Item]) -> str:
    """The key that most recordings of a set are in: the best guess of somebody who does not listen."""
    counted = Counter(one.key for one in items if one.key)
    return min(counted, key=lambda key: (-counted[key], key)) if counted else "C major"


def baseline(item: Item, key: str) -> Answer:
    """120 BPM from the first sample on, in fours, always the same key, one chord, parts of equal length and one label.

    It is given what nobody could know: the commonest key of the set, the commonest chord of the recording, and how
    many parts there are.
    """
    ends = [spans.intervals_s.max() for spans in (item.chords, item.sections) if spans]
    ends += [times.max() for times in (item.beats_s, item.downbeats_s) if times is not None]
    beats = np.arange(0.0, max(ends, default=0.0) + 1.0, 60 / BASELINE_BPM)
    return Answer(
        jobs=frozenset({*JOBS, "downbeats", "candidates", "runner-up"}),
        bpm=BASELINE_BPM,
        candidates=(BASELINE_BPM,),
        beats_s=beats,
        downbeats_s=beats[::BASELINE_METRE],
        metre=BASELINE_METRE,
        key=key,
        runner_up=None,
        chords=_one_chord(item.chords),
        sections=_equal_split(item.sections),
    )


def _one_chord(truth: Spans | None) -> Spans | None:
    if truth is None:
        return None
    seconds: Counter[str] = Counter()
    for (start, end), label in zip(truth.intervals_s, truth.labels, strict=True):
        seconds[label] += end - start
    whole = np.array([[truth.intervals_s.min(), truth.intervals_s.max()]])
    return Spans(whole, (max(seconds, key=lambda label: seconds[label]),))


def _equal_split(truth: Spans | None) -> Spans | None:
    if truth is None:
        return None
    edges = np.linspace(0.0, truth.intervals_s.max(), len(truth.labels) + 1)
    return Spans(np.stack([edges[:-1], edges[1:]], axis=1), ("A",) * len(truth.labels))
