"""Which chord sounds when: major, minor or none.

Each tenth of a second is compared with all 24 triads, in the middle register and in the bass. The sequence of chords
is the one that fits best when every change has to be paid for: little on a beat, much between beats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis.beats import Beats
from processor.analysis.chroma import Chroma
from processor.analysis.key import KEYS, Key
from processor.graph import analyser
from processor.kernels import kernel
from processor.quantities import quantity

Matrix = NDArray[np.float64]
Flags = NDArray[np.bool_]

ROOTS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
LABELS = tuple(f"{root}:maj" for root in ROOTS) + tuple(f"{root}:min" for root in ROOTS) + ("N",)
NONE = len(LABELS) - 1

# How much each part of a triad speaks for it, and the third of the other mode against it: rounded from a logistic
# regression on 200 synthesised songs. With all of them 20 % higher, 1 % less of the time was right.
ROOT, THIRD, FIFTH, OTHER_THIRD = 4.0, 4.5, 5.0, -4.0
BASS_ROOT, BASS_THIRD, BASS_FIFTH = 4.0, 2.5, 2.5
# Chords of the key's own scale are this much more likely, in nats a frame, than others.
IN_KEY = 0.75
# A frame that no triad fits better than this is no chord: 90 % of the time, drums and noise score 6.5 to 8.2, music 7.9
# to 10.8. Music with a key is given the benefit of the doubt; where there is no key, a chord has to be plain.
NO_CHORD, NO_CHORD_WITHOUT_KEY = 6.5, 8.8
# What a change costs, in nats: anywhere where the beats are not known, else on a beat and off it.
CHANGE_COST, ON_BEAT_COST, OFF_BEAT_COST = 10.0, 7.5, 17.0
# So many labels are enough for anybody; longer pieces get fewer, longer chords.
MAX_CHORDS = 1500

# Triads of a scale: semitones above the tonic and whether minor. The minor scale has both kinds of dominant.
_MAJOR_SCALE = ((0, False), (2, True), (4, True), (5, False), (7, False), (9, True))
_MINOR_SCALE = ((0, True), (3, False), (5, True), (7, False), (7, True), (8, False), (10, False))

_SOURCE = "Viterbi path through 24 triads and none; after Sheh & Ellis, ISMIR 2003, with bass after Mauch & Dixon 2010"
_HARTE = "labels after Harte et al., ISMIR 2005"


@dataclass(frozen=True)
class Chords:
    """The chords of a track, without gaps from its start to its end."""

    intervals_s: NDArray[np.float64] = quantity(
        "s", label="Chord times", source=_SOURCE, help="Start and end of each chord."
    )
    labels: tuple[str, ...] = quantity(
        "", label="Chords", source=_HARTE, help="Root and mode of each chord; N where there is none."
    )
    confidences: NDArray[np.float64] = quantity(
        "",
        label="Confidence by chord",
        source="mean chance of the chosen triad among all, mapped to the share that is right",
        help="Probability that each chord is right.",
        low=0,
        high=1,
        digits=2,
    )
    confidence: float | None = quantity(
        "",
        label="Confidence of the chords",
        source="mean over time of the confidence by chord",
        help="Share of the time in which the chord is probably right. Empty where there is no chord at all.",
        low=0,
        high=1,
        digits=2,
    )


@analyser(version=1)
def chords(chroma: Chroma, key: Key | None = None, beats: Beats | None = None) -> Chords:
    """Follow the chords.

    Source: Sheh & Ellis, "Chord segmentation and recognition using EM-trained hidden Markov models", ISMIR 2003.
    """
    frames = len(chroma.values)
    if frames == 0 or chroma.duration_s <= 0:
        return Chords(np.zeros((0, 2)), (), np.zeros(0), None)
    is_tonal = key is None or key.name is not None
    scores = _scores(chroma, key.name if key else None, NO_CHORD if is_tonal else NO_CHORD_WITHOUT_KEY)
    times, is_beat = _grid(chroma, beats)
    path = _path(scores, is_beat)
    # The last frame may be centred on the very end, where no chord can begin.
    path[times >= chroma.duration_s] = path[times < chroma.duration_s][-1]
    first = np.flatnonzero(np.diff(path, prepend=-1))
    edges = np.concatenate([times[first], [chroma.duration_s]])
    labels = tuple(LABELS[k] for k in path[first].tolist())
    confidences = _confidences(scores, path, first)
    is_chord = path[first] != NONE
    lengths = np.diff(edges)[is_chord]
    sure = float(np.average(confidences[is_chord], weights=lengths)) if lengths.sum() > 0 else None
    return Chords(np.stack([edges[:-1], edges[1:]], axis=1), labels, confidences, sure)


def _scores(chroma: Chroma, key: str | None, no_chord: float) -> Matrix:
    """How well each frame fits each of `LABELS`, in nats up to a constant, shape `(frames, 25)`."""
    middle, bass = _unit(chroma.values), _unit(chroma.bass)
    scores = np.full((len(middle), len(LABELS)), no_chord, np.float64)
    scores[:, :NONE] = middle @ _TRIADS.T + bass @ _BASSES.T
    scores[:, :NONE] += IN_KEY * _in_scale(key)
    silent = chroma.values.max(axis=1, initial=0.0) <= 0
    scores[silent, :NONE] = 0.0
    return scores


def _unit(classes: NDArray[np.float32]) -> Matrix:
    """Frames of length 1; silent ones stay 0."""
    wide = classes.astype(np.float64)
    scaled: Matrix = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-9)
    return scaled


def _templates(parts: tuple[dict[int, float], dict[int, float]]) -> Matrix:
    """Weights of the pitch classes for each of the 24 triads, shape `(24, 12)`."""
    rows = np.zeros((NONE, 12))
    for mode, weights in enumerate(parts):
        for root in range(12):
            for interval, weight in weights.items():
                rows[12 * mode + root, (root + interval) % 12] = weight
    return rows


_TRIADS = _templates(
    (
        {0: ROOT, 4: THIRD, 7: FIFTH, 3: OTHER_THIRD},
        {0: ROOT, 3: THIRD, 7: FIFTH, 4: OTHER_THIRD},
    )
)
_BASSES = _templates(({0: BASS_ROOT, 4: BASS_THIRD, 7: BASS_FIFTH}, {0: BASS_ROOT, 3: BASS_THIRD, 7: BASS_FIFTH}))


def _in_scale(key: str | None) -> Matrix:
    """1 for each triad of the key's scale, shape `(24,)`; all 0 without a key."""
    flags = np.zeros(NONE)
    if key is not None:
        tonic, is_minor = KEYS.index(key) % 12, KEYS.index(key) >= 12
        for interval, minor in _MINOR_SCALE if is_minor else _MAJOR_SCALE:
            flags[(tonic + interval) % 12 + 12 * minor] = 1.0
    return flags


def _grid(chroma: Chroma, beats: Beats | None) -> tuple[Matrix, Flags | None]:
    """When each frame begins, in seconds, and which begin on a beat; None where no beats are known.

    A frame that begins nearest to a beat begins exactly there.
    """
    frames = len(chroma.values)
    # A window that straddles a change hears the new, louder chord half a frame early.
    starts = np.arange(frames) / chroma.frame_rate
    if beats is None or beats.beats_s.size == 0:
        return starts, None
    nearest = np.round(beats.beats_s * chroma.frame_rate).astype(np.int64)
    inside = (nearest > 0) & (nearest < frames)
    is_beat = np.zeros(frames, np.bool_)
    is_beat[nearest[inside]] = True
    starts[nearest[inside]] = beats.beats_s[inside]
    return starts, is_beat


def _path(scores: Matrix, is_beat: Flags | None) -> NDArray[np.int64]:
    """The best label of each frame; not more than `MAX_CHORDS` runs of them."""
    path = np.zeros(len(scores), np.int64)
    costs = np.full(len(scores), CHANGE_COST)
    if is_beat is not None:
        costs = np.where(is_beat, ON_BEAT_COST, OFF_BEAT_COST)
    _cheapest(scores, costs, path)
    while np.count_nonzero(np.diff(path)) >= MAX_CHORDS:
        costs = costs * 1.2
        _cheapest(scores, costs, path)
    return path


@kernel
def _cheapest(scores: Matrix, costs: Matrix, path: NDArray[np.int64]) -> None:
    """Viterbi: the path of highest total score, where a change of state at frame t costs `costs[t]`."""
    steps, states = scores.shape
    total = scores[0].copy()
    before = np.zeros((steps, states), np.int8)
    for t in range(1, steps):
        best = np.argmax(total)
        changed = total[best] - costs[t]
        for k in range(states):
            before[t, k] = k if total[k] >= changed else best
            total[k] = max(total[k], changed) + scores[t, k]
    path[steps - 1] = np.argmax(total)
    for t in range(steps - 1, 0, -1):
        path[t - 1] = before[t, path[t]]


# A chord's mean chance → log-odds that it is right: logistic regression on 9 arranged folk tunes and 100 synthesised
# songs, weighted by time.
CONFIDENCE_SLOPE, CONFIDENCE_OFFSET = 0.75, 1.4


def _confidences(scores: Matrix, path: NDArray[np.int64], first: NDArray[np.int64]) -> Matrix:
    """How likely each run of one label, beginning at `first`, is right."""
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    chosen = np.take_along_axis(chances, path[:, None], axis=1)[:, 0] / chances.sum(axis=1)
    means = np.add.reduceat(chosen, first) / np.diff(np.append(first, len(path)))
    means = np.clip(means, 1e-6, 1 - 1e-6)
    odds = CONFIDENCE_OFFSET + CONFIDENCE_SLOPE * np.log(means / (1 - means))
    sure: Matrix = 1 / (1 + np.exp(-odds))
    return sure
