"""The key of a track and of its parts, how sure that is, and the keys that go with it.

It is heard in the whole mix (see `_tonality`). Where the stems were separated, bass and harmony were heard alone as
well: they say the key where drums drown it in the mix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis._tonality import KEYS as KEYS
from processor.analysis._tonality import STEP_S, WINDOW_S, chances_of, has_key, path_of
from processor.analysis.chroma import Chroma
from processor.analysis.stem_harmony import StemHarmony
from processor.graph import Known, analyser
from processor.quantities import quantity

Matrix = NDArray[np.float64]
Path = NDArray[np.int64]

MIX, HARMONY = "mix", "bass and harmony"
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
    key_from: str | None = quantity(
        "",
        label="Key heard in",
        source="the mix; bass and harmony where the mix has no key",
        help="Whether the key was heard in the mix or in bass and harmony alone. The latter need separated stems.",
    )
    key_why: str | None = quantity(
        "",
        label="Why the key is heard there",
        source="the rule that decided",
        help="Why the one hearing was preferred to the other.",
    )


@analyser(version=2)
def key(chroma: Chroma, known: Known, stem_harmony: StemHarmony | None = None) -> Key:
    """Find the key, unless a person has said which it is.

    Source: Krumhansl & Schmuckler's correlation (Krumhansl 1990) with the profiles of Temperley 2007 and Sha'ath 2011.
    """
    path = path_of(chroma)
    chances = chances_of(chroma, path) if has_key(chroma) else np.zeros(len(KEYS))
    chances, source, why = _heard(chances, stem_harmony)
    said = _said(known)
    if said is not None:
        chances[KEYS.index(said)] = 0.0
        why = "A person said it."
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
        key_from=source if name else None,
        key_why=why if name else None,
    )


def _heard(mix: Matrix, stems: StemHarmony | None) -> tuple[Matrix, str, str]:
    """The probability of each key, where it was heard, and why; `mix` has shape `(24,)`.

    Others found the key of stems to be right more often than that of the mix. Here it is not. By MIREX's weights, of 54
    pieces of 15 s the mix has 84 % and stems by HTDemucs 85 %, of 31 of 24 s 93 and 91 %; true stems have 73 % of 26
    pieces of which the mix has 85 %, for without the voice a part of the chords is missing. But they are better than
    nothing where drums drown the mix's key: twice right, once a fifth off, once wrong.
    """
    if stems is None:
        return mix, MIX, "There are no stems."
    if stems.harmony_key is None:
        return mix, MIX, "Bass and harmony alone have no key."
    if not mix.any():
        return stems.harmony_chances.copy(), HARMONY, "Only bass and harmony alone have a key."
    if KEYS[int(mix.argmax())] == stems.harmony_key:
        return mix, MIX, "Mix and stems agree on the key."
    return mix, MIX, f"The mix is right more often; bass and harmony alone suggest {stems.harmony_key}."


def _said(known: Known) -> str | None:
    """What a person said that the key is; None if that is nothing, or no key."""
    try:
        return parse_key(str(known["name"])) if "name" in known else None
    except ValueError:
        return None


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
