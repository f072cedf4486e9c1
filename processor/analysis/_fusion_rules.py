"""What speaks for a tag and against it: how far to believe each tagger, and which measured fact checks which tag.

Everything is said in nats of log-odds, so that evidence adds up: +2.2 is 9 to 1 for it, −2.2 is 9 to 1 against.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]
Points = tuple[tuple[float, float], ...]

# How far a tagger counts beside others, where several know a word. Published mean average precision on AudioSet: AST
# .459 (Gong et al. 2021), YAMNet .306 (its model card). CLAP heard no labels in training; its weight is not measured.
WEIGHTS: Mapping[str, float] = {"YAMNet": 1.0, "AST": 1.5, "CLAP": 0.7}

# Raw score → probability that the tag is right.
# YAMNet: measured on 76 pieces, of which 35 say whether they have drums, bass, guitar or piano, and 53 whether a voice:
# its scores in mixes are tiny, and about half of the tags with .015 to .05 are right. Genres were laid by what their
# pieces are called; mood, production and texture have no truth there, and go as genre.
_YAMNET: Mapping[str, Points] = {
    "instrument": ((0.001, 0.12), (0.005, 0.25), (0.015, 0.5), (0.05, 0.75), (0.1, 0.85), (0.3, 0.93), (0.8, 0.97)),
    "vocal": ((0.001, 0.05), (0.005, 0.18), (0.02, 0.5), (0.05, 0.8), (0.3, 0.95), (0.9, 0.98)),
    "genre": ((0.001, 0.05), (0.01, 0.15), (0.05, 0.5), (0.15, 0.75), (0.3, 0.9), (0.8, 0.95)),
}
# AST: not measured, its weights were not to be had. Trained with the same labels, and much surer of what it hears.
_AST: Points = ((0.01, 0.05), (0.05, 0.2), (0.2, 0.5), (0.5, 0.8), (0.9, 0.97))
# CLAP: not measured. A share counts as far as it is above chance, and an e³-fold (20 times) makes a narrow tag likely.
CLAP_PRIOR = 3.0
# A tagger that does not hear a thing says little: 5 of 18 pieces with drums have less than .001 for them
# (and 13 of 15 without).
LEAST_ODDS, MOST_ODDS = -2.0, 4.0
# No answer is surer than this. The weights were laid by some 50 pieces with a known voice: even without an error among
# them, up to 6 in 100 may be wrong elsewhere (the rule of three), so that they cannot say more.
MOST_SURE = 0.99


def odds(source: str, category: str, raw: ArrayLike, chance: float = 0.0) -> Vector:
    """Log-odds that a tag is right, for raw scores of a tagger.

    Args:
        source: "YAMNet", "AST" or "CLAP".
        category: of the tag.
        raw: scores, 0 to 1, of any shape.
        chance: for CLAP, the share that the tag would have if all labels were as near.
    """
    score = np.clip(np.nan_to_num(np.asarray(raw, np.float64)), 1e-5, 1 - 1e-5)
    if source == "CLAP":
        expected = logit(min(max(chance, 1e-4), 1 - 1e-4))
        found = logit(score) - expected + min(0.0, max(-CLAP_PRIOR, float(expected)))
    else:
        points = _AST if source == "AST" else _YAMNET.get(category, _YAMNET["genre"])
        at, chances = (np.array(values) for values in zip(*points, strict=True))
        found = np.interp(logit(score), logit(at), logit(chances))
    return np.asarray(np.clip(found, LEAST_ODDS, MOST_ODDS), np.float64)


def logit(chance: ArrayLike) -> Vector:
    """Log-odds of a probability."""
    value = np.asarray(chance, np.float64)
    return np.asarray(np.log(value) - np.log1p(-value))


def sigmoid(nats: ArrayLike) -> Vector:
    """Probability of log-odds."""
    return np.asarray(1 / (1 + np.exp(-np.asarray(nats, np.float64))))


# Share of a stem in the energy of all, in dB → nats that its instrument is there. Measured on HTDemucs' drums of 20
# pieces and bass of 17: where there are none, −38 dB and less but for two of −20 and −24 (strings, toms); where there
# are, −24 dB and more. Guitar, piano and other are taken to be alike.
STEM_LEVEL: Points = ((-40.0, -4.0), (-30.0, -2.0), (-24.0, 0.0), (-20.0, 1.0), (-14.0, 2.5), (-6.0, 4.0))


def stem_nats(share: float) -> float:
    """Log-odds that an instrument is there, of its stem's share of the energy, 0 to 1."""
    level_db = 10 * np.log10(max(share, 1e-12))
    at, nats = zip(*STEM_LEVEL, strict=True)
    return float(np.interp(level_db, at, nats))


def in_words(number: float, digits: int = 0, *, signed: bool = False) -> str:
    """A number as people write it, with a minus, and without one before a zero."""
    text = f"{round(number, digits) + 0.0:{'+' if signed else ''}.{digits}f}"
    return text.replace("-", "−")


@dataclass(frozen=True)
class Rule:
    """One check of one tag and all below it.

    Attributes:
        tag: the tag.
        fact: what checks it: "voice", "drums stem" …, "tempo".
        low: for the tempo, the slowest, in BPM; half of it and twice of it count as well.
        high: the fastest.
        is_against: whether the fact, where it holds, speaks against the tag.
        most: nats that it can give the tag itself; tags below it get at most `MOST_BELOW`, for a kit that is heard says
            little about what kit it is.
        least: nats that it can take away.
        otherwise: what a tag is that falls by it: "suppressed" (what it needs was not found) or "contradicted" (the
            opposite was).
        source: why.
        replaces: whether the fact has weighed the taggers already, so that their scores of the tag itself do not count.
        least_claim: what taggers that do not hear the tag itself may take away, in nats.
    """

    tag: str
    fact: str
    source: str
    low: float = 0.0
    high: float = 0.0
    is_against: bool = False
    most: float = 0.2
    least: float = -3.0
    otherwise: str = "suppressed"
    replaces: bool = False
    least_claim: float = LEAST_ODDS


MOST_BELOW = 0.5
_NEEDS_DRUMS = "made of drums, which a separator finds in all pieces that have some"
_TEMPO = "the tempo that this dance music is made for, as DJs sort it; half and double count as well"

# Rules are tried in this order, and all that apply add up.
RULES: tuple[Rule, ...] = (
    Rule("vocals", "voice", "all that `vocals` weighs", most=6, least=-6, replaces=True),
    Rule(
        "instrumental",
        "voice",
        "the opposite of a voice",
        is_against=True,
        most=6,
        least=-6,
        otherwise="contradicted",
        replaces=True,
    ),
    Rule("opera", "voice", "opera is sung", most=0.3, least=-3),
    Rule("choral", "voice", "choral music is sung", most=0.3, least=-3),
    Rule("spoken word", "speech", "YAMNet takes singing for speech; only speech never holds a pitch", least=-5),
    Rule("rapping", "rap", "its pitch seldom stands still, over drums", most=1, least=-1),
    Rule("drums", "drums stem", "stems of 20 pieces with and without drums", most=4, least=-4, least_claim=-1.2),
    Rule("bass", "bass stem", "stems of 17 pieces with and without a bass", most=3, least=-3, least_claim=-1.2),
    Rule("guitar", "guitar stem", "six-stem models; not measured", most=2, least=-2),
    Rule("piano", "piano stem", "six-stem models; not measured", most=2, least=-2),
    Rule("a cappella", "drums stem", "voices alone", is_against=True, most=0.4, least=-4, otherwise="contradicted"),
    Rule("a cappella", "bass stem", "voices alone", is_against=True, most=0.4, least=-3, otherwise="contradicted"),
    Rule("a cappella", "other stem", "voices alone", is_against=True, most=0.4, least=-3, otherwise="contradicted"),
    Rule("hip hop", "drums stem", _NEEDS_DRUMS, least=-1.5),
    Rule("heavy metal", "drums stem", _NEEDS_DRUMS, least=-2),
    Rule("punk rock", "drums stem", _NEEDS_DRUMS, least=-2),
    Rule("disco", "drums stem", _NEEDS_DRUMS, least=-2),
    Rule("funk", "drums stem", _NEEDS_DRUMS, least=-2),
    Rule("house", "drums stem", _NEEDS_DRUMS, least=-3),
    Rule("techno", "drums stem", _NEEDS_DRUMS, least=-3),
    Rule("trance", "drums stem", _NEEDS_DRUMS, least=-2),
    Rule("drum and bass", "drums stem", _NEEDS_DRUMS, least=-3),
    Rule("dubstep", "drums stem", _NEEDS_DRUMS, least=-3),
    Rule("breakbeat", "drums stem", _NEEDS_DRUMS, least=-3),
    Rule("reggaeton", "drums stem", _NEEDS_DRUMS, least=-2),
    Rule("drum and bass", "tempo", _TEMPO, 160, 180, otherwise="contradicted"),
    Rule("house", "tempo", _TEMPO, 112, 134, otherwise="contradicted"),
    Rule("techno", "tempo", _TEMPO, 118, 152, least=-2, otherwise="contradicted"),
    Rule("trance", "tempo", _TEMPO, 124, 150, otherwise="contradicted"),
    Rule("dubstep", "tempo", _TEMPO, 132, 150, otherwise="contradicted"),
    Rule("hardstyle", "tempo", _TEMPO, 145, 165, otherwise="contradicted"),
    Rule("footwork", "tempo", _TEMPO, 150, 170, otherwise="contradicted"),
    Rule("drill", "tempo", _TEMPO, 130, 150, least=-2, otherwise="contradicted"),
    Rule("disco", "tempo", _TEMPO, 98, 136, least=-2, otherwise="contradicted"),
    Rule("reggaeton", "tempo", _TEMPO, 80, 108, least=-2, otherwise="contradicted"),
)
