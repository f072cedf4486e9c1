"""The scores of tempo, beats, metre and key, each of one recording, each from 0 to 1.

An answer of None is wrong: what has a truth can be heard.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import mir_eval
import numpy as np

from tests.accuracy.truth import Times

# Gouyon et al. 2006, "An experimental comparison of audio tempo induction algorithms".
TEMPO_TOLERANCE = 0.04
OCTAVES = (1.0, 2.0, 1 / 2, 3.0, 1 / 3)
# Davies, Degara & Plumbley 2009, "Evaluation methods for musical audio beat tracking algorithms".
BEAT_TOLERANCE_S = 0.07
BEATS_DROPPED_S = 5.0
# MIREX, audio key detection.
SAME, FIFTH, RELATIVE, PARALLEL = 1.0, 0.5, 0.3, 0.2

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def same_tempo(said: float | None, truth: float) -> bool:
    """Whether a tempo is within 4 % of another."""
    return said is not None and abs(said - truth) <= TEMPO_TOLERANCE * truth


def acc1(said: float | None, truth: float) -> float:
    """1 where the tempo is right."""
    return float(same_tempo(said, truth))


def acc2(said: float | None, truth: float) -> float:
    """1 where the tempo, or its double, half, triple or third, is right."""
    return float(any(same_tempo(said, truth * factor) for factor in OCTAVES))


def hit(candidates: Sequence[float], truth: float) -> float:
    """1 where one of the candidates is right."""
    return float(any(same_tempo(one, truth) for one in candidates))


def _heard(times: Times) -> Times:
    """What counts after the first seconds, in which a listener still finds the beat."""
    return np.asarray(mir_eval.beat.trim_beats(np.sort(times), min_beat_time=BEATS_DROPPED_S))


def beat_f(said: Times | None, truth: Times) -> float | None:
    """F-measure of beats, or of downbeats, within ±70 ms; None where the truth ends before it counts."""
    wanted = _heard(truth)
    if wanted.size == 0:
        return None
    found = _heard(said) if said is not None else np.zeros(0)
    if found.size == 0:
        return 0.0
    return float(mir_eval.beat.f_measure(wanted, found, f_measure_threshold=BEAT_TOLERANCE_S))


def continuity(said: Times | None, truth: Times) -> tuple[float, float] | None:
    """CMLt and AMLt: share of beats in right stretches, at the right level, and at any level that people would tap."""
    wanted = _heard(truth)
    if wanted.size < 2:
        return None
    found = _heard(said) if said is not None else np.zeros(0)
    if found.size < 2:
        return 0.0, 0.0
    _, cmlt, _, amlt = mir_eval.beat.continuity(wanted, found)
    return float(cmlt), float(amlt)


def metre(said: int | None, accepted: Sequence[int]) -> float:
    """1 where the beats a bar are one of those that are right."""
    return float(said in accepted)


def metre_family(said: int | None, accepted: Sequence[int]) -> float:
    """The same, but 2, 4 and 8 are one, and 3, 6, 9 and 12: where bars are drawn is often only a matter of notation."""
    return float(_family(said) in {_family(one) for one in accepted})


def _family(beats: int | None) -> int | None:
    for family in ((2, 4, 8, 16), (3, 6, 9, 12)):
        if beats in family:
            return family[0]
    return beats


def parse_key(name: str | None) -> tuple[int, str] | None:
    """Tonic (0 is C) and mode of "F# minor", "Bbm" or "C:maj"; None where there is no such key."""
    match = re.fullmatch(r"([A-Ga-g])([#b♯♭]*)[\s:_-]*(major|maj|minor|min|m|M|)", (name or "").strip())
    if not match:
        return None
    shift = sum(1 if sign in "#♯" else -1 for sign in match[2])
    mode = "minor" if match[3] in {"minor", "min", "m"} else "major"
    return (_STEPS[match[1].upper()] + shift) % 12, mode


def key_mirex(said: str | None, truth: str) -> float:
    """MIREX's weight of a key, fifths up and down alike."""
    answer, right = parse_key(said), parse_key(truth)
    if answer is None or right is None:
        return 0.0
    if answer == right:
        return SAME
    up = (answer[0] - right[0]) % 12
    if answer[1] == right[1]:
        return FIFTH if up in {5, 7} else 0.0
    if up == 0:
        return PARALLEL
    return RELATIVE if up == (9 if right[1] == "major" else 3) else 0.0


def key_exact(said: str | None, truth: str) -> float:
    """1 where tonic and mode are right."""
    return float(key_mirex(said, truth) == SAME)
