"""What a sound says of its key: the whole mix, or the instruments that carry its harmony.

Every key is scored by how well its profiles fit the pitch classes of the whole track, and by how much the track
begins on its tonic chord. The scores' weights turn into probabilities, so the winner's is the confidence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from processor.analysis.chroma import Chroma
from processor.kernels import kernel

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


def chances_of(chroma: Chroma, path: Path) -> Matrix:
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


def has_key(chroma: Chroma) -> bool:
    """Whether pitch classes stand out, agree on a tuning, and fit some key."""
    sounding = np.count_nonzero(chroma.values.max(axis=1, initial=0.0) > 0)
    if sounding < MIN_SOUND_S * chroma.frame_rate or chroma.clarity < MIN_CLARITY:
        return False
    classes = chroma.values.mean(axis=0, dtype=np.float64)
    best = (_correlations(classes, _CORPUS) + _correlations(classes, _DANCE)).max() / 2
    contrast = classes.std() / classes.mean()
    least = MIN_CORRELATION if chroma.clarity < MUSICAL_CLARITY else MIN_MUSICAL_CORRELATION
    return bool(MIN_CONTRAST <= contrast <= MAX_CONTRAST and best >= least)


def path_of(chroma: Chroma) -> Path:
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
