"""The key of a track and of its parts, how sure that is, and the keys that go with it.

Every key is scored by how well its profiles fit the pitch classes of the whole track, and by how much the track
begins on its tonic chord. The scores' weights turn into probabilities, so the winner's is the confidence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis.chroma import Chroma
from processor.graph import Known, analyser
from processor.kernels import kernel
from processor.quantities import quantity

Matrix = NDArray[np.float64]
Path = NDArray[np.int64]

# As musicians write them: the name with fewer accidentals, and F# where six stand against six.
MAJOR_TONICS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MINOR_TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
KEYS = tuple(f"{t} major" for t in MAJOR_TONICS) + tuple(f"{t} minor" for t in MINOR_TONICS)

# How much each degree belongs to a key, from the tonic up in semitones; first major, then minor.
# Counted in the Kostka-Payne corpus (Temperley, "Music and Probability", 2007):
# a minor with its leading note.
CORPUS_PROFILE = (
    (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400),
    (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330),
)
# Made for pop and dance (Sha'ath, "Estimation of key in digital music recordings", 2011): a minor with its seventh.
DANCE_PROFILE = (
    (6.6, 2.0, 3.5, 2.3, 4.6, 4.0, 2.5, 5.2, 2.4, 3.7, 2.3, 3.4),
    (6.5, 2.7, 3.5, 5.4, 2.6, 3.5, 2.5, 5.2, 4.0, 2.7, 4.3, 3.2),
)

# Weights of the kinds of evidence in the logarithm of a key's odds: fitted by logistic regression on synthesised and
# real music, and within a fifth of this whichever source is left out. The last one is that minor fits any profile less
# well. All are 1.2 times the fitted ones, which are too modest when a source is left out.
CORPUS_WEIGHT, DANCE_WEIGHT, START_WEIGHT, SHARE_WEIGHT, MINOR_BONUS = 4.2, 4.2, 4.2, 0.95, 0.95
# A track begins on its tonic more often than not; this is how long its beginning is.
START_S = 4.0
# How decidedly a frame is one chord rather than another.
TRIAD_SHARPNESS = 12.0

# Below these a track has no key. 11 drum tracks reached .58 in correlation and .042 in clarity, but never both; noise
# reached .62 in correlation with a contrast of .13. 27 pieces with a stated key had at least .67, .043 and .5.
# A loop of one tuned drum can pass.
MIN_CORRELATION, MIN_CLARITY, MIN_CONTRAST = 0.5, 0.025, 0.3
# Where pitches are this clear it is surely music; chromatic music fits no profile well.
MUSICAL_CLARITY, MIN_MUSICAL_CORRELATION = 0.2, 0.35
# A tone and its octaves have a contrast of 3.3, a fifth of 2.2: neither is a key.
MAX_CONTRAST = 2.1
# Without this much sound there is nothing to say.
MIN_SOUND_S = 2.0

# Keys by section: windows of 12 s every 2 s. A change of key costs this many nats; with half or twice as many, the
# share of time in the right key falls by 1 %.
WINDOW_S, STEP_S, CHANGE_COST = 12.0, 2.0, 12.0
# What a window's best key has to beat, as a correlation, to count as a key at all.
NO_KEY_CORRELATION = 0.4
# Where pitch classes differ by less than this (deviation over mean), correlation means the less. Noise has 0.2.
FULL_CONTRAST = 0.6

_SPELLING = re.compile(r"([A-G])([#b]?)\s*(major|maj|dur|minor|min|moll|m|)")
_PITCH = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SHIFT = {"": 0, "#": 1, "b": -1}


def _wheel(place: int) -> str:
    """The hour of `KEYS[place]`: a fifth up is one hour on, and C major and its relative A minor stand at 8."""
    major = place if place < 12 else place + 3
    return f"{(7 * major + 7) % 12 + 1}{'B' if place < 12 else 'A'}"


_BY_HOUR = {_wheel(place): name for place, name in enumerate(KEYS)}


def parse_key(text: str) -> str:
    """The usual name of a key that a person wrote: "Am", "a minor", "B♭ maj", "Gb major" or "8A".

    Raises:
        ValueError: it is no key.
    """
    plain = text.strip().replace("♯", "#").replace("♭", "b")
    if plain.upper() in _BY_HOUR:
        return _BY_HOUR[plain.upper()]
    match = _SPELLING.fullmatch(plain[:1].upper() + (plain[1:] if plain[1:] == "M" else plain[1:].lower()))
    if plain[1:] in {"M", "#M", "bM"}:
        match = _SPELLING.fullmatch(plain[0].upper() + plain[1:-1])
    if match is None:
        raise ValueError(f'{text!r} is no key; write one like "A minor", "Bb major" or "8A".')
    letter, accidental, mode = match.groups()
    tonic = (_PITCH[letter] + _SHIFT[accidental]) % 12
    return KEYS[tonic + 12 * (mode in {"minor", "min", "moll", "m"})]


def camelot(name: str) -> str:
    """The place of a key on the Camelot wheel: "8A" for "A minor".

    Raises:
        ValueError: it is no key.
    """
    return _wheel(KEYS.index(parse_key(name)))


def compatible(name: str) -> tuple[str, ...]:
    """The keys that mix with one: itself, a fifth up, a fifth down, and its relative.

    Raises:
        ValueError: it is no key.
    """
    hour, letter = int(camelot(name)[:-1]), camelot(name)[-1]
    near = (hour, hour % 12 + 1, (hour - 2) % 12 + 1)
    relative = f"{hour}{'B' if letter == 'A' else 'A'}"
    return (*(_BY_HOUR[f"{h}{letter}"] for h in near), _BY_HOUR[relative])


_PROFILES = "Pearson correlation with Kostka-Payne and Sha'ath profiles"
_CAMELOT = "Camelot wheel (Mixed In Key): 8A = A minor, 8B = C major"
_CHANCE = "softmax of the keys' scores, weights fitted by logistic regression"


@dataclass(frozen=True)
class Key:
    """The key of a track; None where nothing is in a key."""

    name: str | None = quantity(
        "",
        label="Key",
        source=_PROFILES,
        help="Tonic and mode of the track as a whole. Empty for what has no key.",
        said=parse_key,
    )
    camelot: str | None = quantity(
        "", label="Camelot", source=_CAMELOT, help="The key as DJs write it: neighbours on the wheel mix well."
    )
    confidence: float | None = quantity(
        "",
        label="Confidence of the key",
        source=_CHANCE,
        help="Probability that the key is exactly right; 1 where a person has set it.",
        low=0,
        high=1,
        digits=2,
    )
    runner_up: str | None = quantity(
        "", label="Second-best key", source=_PROFILES, help="The most probable key after the first."
    )
    runner_up_camelot: str | None = quantity(
        "", label="Camelot of the second-best key", source=_CAMELOT, help="The second-best key as DJs write it."
    )
    runner_up_confidence: float | None = quantity(
        "",
        label="Confidence of the second-best key",
        source=_CHANCE,
        help="Probability that the second-best key is the right one.",
        low=0,
        high=1,
        digits=2,
    )
    tuning_cents: float | None = quantity(
        "cents",
        label="Tuning",
        source="circular mean of spectral peaks against A4 = 440 Hz (ISO 16)",
        help="How far the music lies above concert pitch; 100 cents are a semitone.",
        low=-50,
        high=50,
    )
    intervals_s: NDArray[np.float64] = quantity(
        "s",
        label="Passages in one key",
        source=f"Viterbi path through keys of {WINDOW_S:g} s windows",
        help="Start and end of each passage that stays in one key.",
    )
    names: tuple[str | None, ...] = quantity(
        "", label="Keys by passage", source=_PROFILES, help="The key of each passage; empty where there is none."
    )


@analyser(version=1)
def key(chroma: Chroma, known: Known) -> Key:
    """Find the key, unless a person has said which it is.

    Source: Krumhansl & Schmuckler's correlation (Krumhansl 1990) with the profiles of Temperley 2007 and Sha'ath 2011.
    """
    path = _path(chroma)
    chances = _chances(chroma, path) if _has_key(chroma) else np.zeros(len(KEYS))
    said = _said(known)
    if said is not None:
        chances[KEYS.index(said)] = 0.0
    order = [int(k) for k in np.argsort(-chances, kind="stable") if chances[k] > 0]
    ranked = [(KEYS[k], float(chances[k])) for k in order]
    if said is not None:
        ranked.insert(0, (said, 1.0))
    name, confidence = ranked[0] if ranked else (None, None)
    runner_up, second = ranked[1] if len(ranked) > 1 else (None, None)
    intervals, names = _passages(path, chroma.duration_s, name)
    return Key(
        name=name,
        camelot=camelot(name) if name else None,
        confidence=confidence,
        runner_up=runner_up,
        runner_up_camelot=camelot(runner_up) if runner_up else None,
        runner_up_confidence=second,
        tuning_cents=chroma.tuning_cents,
        intervals_s=intervals,
        names=names,
    )


def _said(known: Known) -> str | None:
    """What a person said that the key is; None if that is nothing, or no key."""
    try:
        return parse_key(str(known["name"])) if "name" in known else None
    except ValueError:
        return None


# Evidence


def _rotated(profile: tuple[tuple[float, ...], tuple[float, ...]]) -> Matrix:
    """A profile for each key, of mean 0 and length 1, shape `(24, 12)`."""
    rows = np.array([np.roll(mode, tonic) for mode in profile for tonic in range(12)], np.float64)
    rows -= rows.mean(axis=1, keepdims=True)
    turned: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return turned


_CORPUS, _DANCE = _rotated(CORPUS_PROFILE), _rotated(DANCE_PROFILE)
_TRIADS = np.array(
    [np.roll(np.isin(np.arange(12), (0, third, 7)), root) for third in (4, 3) for root in range(12)]
) / np.sqrt(3)


def _correlations(classes: Matrix, profiles: Matrix) -> Matrix:
    """Pearson correlation of pitch classes, shape `(…, 12)`, with each key; 0 where there is no difference."""
    centred = classes - classes.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    fitted: Matrix = centred @ profiles.T / np.maximum(length, 1e-9)
    return fitted


def _start(chroma: Chroma) -> Matrix:
    """How much the beginning is on each key's tonic chord, shape `(24,)`; adds up to 1."""
    sounding = chroma.values[chroma.values.max(axis=1, initial=0.0) > 0]
    first = sounding[: max(1, int(START_S * chroma.frame_rate))].astype(np.float64)
    likeness = TRIAD_SHARPNESS * (first / np.linalg.norm(first, axis=1, keepdims=True)) @ _TRIADS.T
    weights = np.exp(likeness - likeness.max(axis=1, keepdims=True))
    shares: Matrix = (weights / weights.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares


def _chances(chroma: Chroma, path: Path) -> Matrix:
    """Probability of each key, shape `(24,)`."""
    classes = chroma.values.mean(axis=0, dtype=np.float64)
    scores = (
        CORPUS_WEIGHT * _correlations(classes, _CORPUS)
        + DANCE_WEIGHT * _correlations(classes, _DANCE)
        + START_WEIGHT * _start(chroma)
        + SHARE_WEIGHT * np.bincount(path, minlength=len(KEYS) + 1)[: len(KEYS)] / path.size
        + MINOR_BONUS * (np.arange(len(KEYS)) >= 12)
    )
    odds = np.exp(scores - scores.max())
    chances: Matrix = odds / odds.sum()
    return chances


def _has_key(chroma: Chroma) -> bool:
    """Whether pitch classes stand out, agree on a tuning, and fit some key."""
    sounding = np.count_nonzero(chroma.values.max(axis=1, initial=0.0) > 0)
    if sounding < MIN_SOUND_S * chroma.frame_rate or chroma.clarity < MIN_CLARITY:
        return False
    classes = chroma.values.mean(axis=0, dtype=np.float64)
    best = (_correlations(classes, _CORPUS) + _correlations(classes, _DANCE)).max() / 2
    contrast = classes.std() / classes.mean()
    least = MIN_CORRELATION if chroma.clarity < MUSICAL_CLARITY else MIN_MUSICAL_CORRELATION
    return bool(MIN_CONTRAST <= contrast <= MAX_CONTRAST and best >= least)


# Passages


def _passages(path: Path, duration_s: float, whole: str | None) -> tuple[Matrix, tuple[str | None, ...]]:
    """Start and end of passages in one key, shape `(n, 2)`, and their keys; they fill the track."""
    if duration_s <= 0:
        return np.zeros((0, 2)), ()
    changes = np.flatnonzero(np.diff(path)) + 1
    if whole is None or changes.size == 0:
        return np.array([[0.0, duration_s]]), (whole,)
    edges = np.concatenate([[0.0], changes * STEP_S, [duration_s]])
    names = tuple(KEYS[k] if k < len(KEYS) else None for k in path[[0, *changes]].tolist())
    return np.stack([edges[:-1], edges[1:]], axis=1), names


def _path(chroma: Chroma) -> Path:
    """The key of each `STEP_S` seconds; 24 for none."""
    frames = len(chroma.values)
    sums = np.concatenate([np.zeros((1, 12)), np.cumsum(chroma.values, axis=0, dtype=np.float64)])
    centres = np.arange(0.5 * STEP_S, max(chroma.duration_s, STEP_S), STEP_S)
    first = np.clip(((centres - WINDOW_S / 2) * chroma.frame_rate).astype(np.int64), 0, frames)
    last = np.clip(((centres + WINDOW_S / 2) * chroma.frame_rate).astype(np.int64), 0, frames)
    classes = sums[last] - sums[first]
    scores = CORPUS_WEIGHT * _correlations(classes, _CORPUS) + DANCE_WEIGHT * _correlations(classes, _DANCE)
    contrast = classes.std(axis=1) / np.maximum(classes.mean(axis=1), 1e-9)
    scores *= np.minimum(1.0, contrast / FULL_CONTRAST)[:, None]
    none = np.full((len(scores), 1), NO_KEY_CORRELATION * (CORPUS_WEIGHT + DANCE_WEIGHT))
    path = np.zeros(len(scores), np.int64)
    _cheapest(np.concatenate([scores, none], axis=1), CHANGE_COST, path)
    return path


@kernel
def _cheapest(scores: Matrix, cost: float, path: Path) -> None:
    """Viterbi: the path of highest total score when every change of state costs the same."""
    steps, states = scores.shape
    total = scores[0].copy()
    before = np.zeros((steps, states), np.int64)
    for t in range(1, steps):
        best = np.argmax(total)
        for k in range(states):
            if total[best] - cost > total[k]:
                before[t, k] = best
            else:
                before[t, k] = k
        top = total[best] - cost
        for k in range(states):
            total[k] = max(total[k], top) + scores[t, k]
    path[steps - 1] = np.argmax(total)
    for t in range(steps - 1, 0, -1):
        path[t - 1] = before[t, path[t]]
