"""How far the vocals are shifted, and the instrumental where that is too far: decided by the pitches that are heard.

Names of keys weigh as well, but less: a key that was misheard by a fifth would shift a song by seven semitones. Where
a voice has few notes, what is heard says little: of nine pairs of a voice and a backing of the same song, from three
songs, five are left unshifted by what is heard alone, and eight with the names.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from processor.analysis.key import KEYS, camelot, compatible, parse_key
from processor.feedback.advice import signed
from processor.mashup.listening import Backing, Voice
from processor.mashup.match import MOST_SEMITONES, ShiftScores
from processor.mashup.plan import Rejection
from processor.mashup.songs import Song
from processor.mashup.wishes import Wishes
from processor.record import Results

Vector = NDArray[np.float64]

DRUMS, INSTRUMENTAL = "drums", "instrumental"
# Tunings that differ by less than the one nobody hears; by more than the other, one of them is misheard.
LEAST_CENTS, MOST_CENTS = 8.0, 35.0
# What it is worth that keys are the same or relative by their names, and half of it that they are neighbours.
NAMES = 0.3
# Both are shifted where that is worth so much more than the vocals alone.
SPLIT_GAIN = 0.15
# Another shift is a plan of its own where it is worth nearly as much as the best one.
NEARLY = 0.06
# Where the keys move by more, a name is more likely wrong than right.
MOST_MOVE = 3
SHOWN = 4


@dataclass(frozen=True)
class Shift:
    """One way to bring both songs together.

    Attributes:
        vocal_semitones: shift of the vocals; parts of a semitone even out how both are tuned.
        instrumental_semitones: shift of what has a pitch in the instrumental.
        relative: shift of the vocals against the instrumental in whole semitones.
        reasons: why, in sentences.
        rejections: the other shifts, with their numbers.
    """

    vocal_semitones: float
    instrumental_semitones: float
    relative: int
    reasons: tuple[str, ...]
    rejections: tuple[Rejection, ...] = ()


def shifts(sides: tuple[Voice, Backing], songs: tuple[Song, Song], scores: ShiftScores, wishes: Wishes) -> list[Shift]:
    """The shifts worth a plan, best first; at most three.

    Args:
        sides: what was heard of both.
        songs: both songs; their tuning counts.
        scores: harmonic fit at each shift.
        wishes: a person's shift is the only one.
    """
    keys = (_known(sides[0].sound.key), _known(sides[1].sound.key))
    if wishes.vocal_shift_semitones is not None:
        wanted = wishes.vocal_shift_semitones
        reason = f"A person wants the vocals at {signed(wanted)} semitones{_keys_told(keys, round(wanted), 0)}."
        return [Shift(wanted, 0.0, int(np.clip(round(wanted), -6, 6)), (reason,))]
    tuning, tuned = _tuning(songs)
    if not scores.is_pitched:
        reason = "The vocals stay as they are: one of the two has no pitches that a shift could be judged by."
        return [Shift(0.0, 0.0, 0, (reason,))]
    worth = _worth(scores, keys)
    alone = sorted((one for one in worth if abs(one) <= MOST_SEMITONES), key=lambda one: (-worth[one], abs(one), one))
    ways = [(one, one, 0) for one in alone[:2] if worth[one] >= worth[alone[0]] - NEARLY]
    is_wide = scores.widest != scores.best and worth[scores.widest] >= worth[alone[0]] + SPLIT_GAIN
    if is_wide and can_shift(songs[1]):
        ways.insert(0, (scores.widest, *scores.split))
    found = [_shift(way, scores, keys, (tuning, tuned)) for way in ways]
    return [_with_wide(one, scores) for one in found] if is_wide and not can_shift(songs[1]) else found


def can_shift(instrumental: Song) -> bool:
    """Whether what has a pitch can be shifted without the drums."""
    return INSTRUMENTAL not in instrumental.layers and DRUMS in instrumental.layers and len(instrumental.layers) > 1


def _worth(scores: ShiftScores, keys: tuple[str | None, str | None]) -> dict[int, float]:
    """What each shift is worth: what is heard, and a little for the names of the keys."""
    worth = {one: round(score, 6) for one, score in zip(scores.semitones, scores.scores, strict=True)}
    if keys[0] is None or keys[1] is None:
        return worth
    return {one: score + NAMES * _likeness(moved(keys[0], one), keys[1]) for one, score in worth.items()}


def _likeness(first: str, second: str) -> float:
    """1 for the same key or its relative, a half for neighbours on the wheel, else 0."""
    if first in (second, compatible(second)[3]):
        return 1.0
    return 0.5 if first in compatible(second) else 0.0


def _with_wide(shift: Shift, scores: ShiftScores) -> Shift:
    """A shift that tells of the wider one that would have been better."""
    why = (
        f"harmonic fit {scores.harmonic_at(scores.widest):.2f}, but for the vocals alone that is too far, and the "
        "instrumental cannot be shifted without its drums: they are in one sound."
    )
    wide = Rejection(f"shift {signed(scores.widest, 0)}, split between both", why)
    return replace(shift, rejections=(wide, *shift.rejections[: SHOWN - 1]))


def _shift(
    way: tuple[int, int, int],
    scores: ShiftScores,
    keys: tuple[str | None, str | None],
    tuning: tuple[float, str],
) -> Shift:
    relative, vocal, backing = way
    reasons = [_reason(way, scores, keys)]
    if tuning[1]:
        reasons.append(tuning[1])
    others = [one for one in scores.semitones if one != relative and abs(one) <= MOST_SEMITONES]
    others.sort(key=lambda one: (one != 0, -scores.harmonic_at(one), one))
    fit = scores.harmonic_at(relative)
    rejected = [
        Rejection(f"shift {signed(one, 0)}", f"harmonic fit {scores.harmonic_at(one):.2f} against {fit:.2f}.")
        for one in others
    ]
    return Shift(vocal + tuning[0], float(backing), relative, tuple(reasons), tuple(rejected[:SHOWN]))


def _reason(way: tuple[int, int, int], scores: ShiftScores, keys: tuple[str | None, str | None]) -> str:
    relative, vocal, backing = way
    told = _keys_told(keys, vocal, backing)
    fits = f"harmonic fit {scores.harmonic_at(relative):.2f}"
    if relative == 0:
        return f"Nothing is shifted{told}; {fits}."
    fits += f" instead of {scores.harmonic_at(0):.2f} unshifted"
    if backing == 0:
        return f"Vocals go {_way(vocal)}{told}; {fits}."
    return f"Vocals go {_way(vocal)} and the instrumental {_way(backing)}, without its drums{told}; {fits}."


def _way(semitones: int) -> str:
    count = abs(semitones)
    return f"{'up' if semitones > 0 else 'down'} {count} semitone{'s' if count != 1 else ''}"


def _keys_told(keys: tuple[str | None, str | None], vocal: int, backing: int) -> str:
    """What becomes of the keys, by their names and places on the Camelot wheel."""
    if keys[0] is None or keys[1] is None:
        return ""
    sung, played = moved(keys[0], vocal), moved(keys[1], backing)
    return f": {_named(keys[0], sung)} over {_named(keys[1], played)}, {relation(sung, played)}"


def _named(before: str, after: str) -> str:
    if before == after:
        return f"{after} ({camelot(after)})"
    return f"{before} ({camelot(before)}) as {after} ({camelot(after)})"


def moved(key: str, semitones: int) -> str:
    """A key, so many semitones higher."""
    place = KEYS.index(key)
    return KEYS[(place % 12 + semitones) % 12 + 12 * (place // 12)]


def relation(first: str, second: str) -> str:
    """How two keys stand to each other, in words."""
    if first == second:
        return "the same key"
    if first == compatible(second)[3]:
        return "its relative key"
    if first in compatible(second):
        return "neighbours on the Camelot wheel"
    return "keys that do not go together by name; what is heard decides"


def _known(key: str | None) -> str | None:
    try:
        return None if key is None else parse_key(key)
    except ValueError:
        return None


def _tuning(songs: tuple[Song, Song]) -> tuple[float, str]:
    """What evens out how both are tuned, in semitones, and a sentence about it; 0 and "" where nothing has to."""
    cents = [getattr(song.results.get("key"), "tuning_cents", None) for song in songs]
    if cents[0] is None or cents[1] is None:
        return 0.0, ""
    off = float(cents[1] - cents[0])
    if abs(off) < LEAST_CENTS:
        return 0.0, ""
    if abs(off) > MOST_CENTS:
        return 0.0, f"Their tunings seem {abs(off):.0f} cents apart; that is too far to be believed, and left as it is."
    return round(off / 100, 2), f"The vocals are tuned {signed(off, 0)} cents to the instrumental's pitch."


# Where the keys move


def moves(results: Results, times_s: tuple[float, float]) -> int:
    """How far the instrumental's key lies from its home in a stretch of time, in semitones; 0 where nobody can tell.

    Args:
        results: of the instrumental's song.
        times_s: start and end in its file.
    """
    found = results.get("key")
    if found is None or len(found.names) < 2:
        return 0
    spans = np.asarray(found.intervals_s, np.float64).reshape(-1, 2)
    home = _home(found.names, spans)
    inside = np.minimum(spans[:, 1], times_s[1]) - np.maximum(spans[:, 0], times_s[0])
    here = _known(found.names[int(inside.argmax())])
    if home is None or here is None or inside.max() < (times_s[1] - times_s[0]) / 2:
        return 0
    if KEYS.index(home) // 12 != KEYS.index(here) // 12:
        return 0
    move = (KEYS.index(here) - KEYS.index(home) + 6) % 12 - 6
    return move if abs(move) <= MOST_MOVE else 0


def _home(names: tuple[str | None, ...], spans: Vector) -> str | None:
    """The key that lasts longest; the first one of several."""
    lengths: dict[str, float] = {}
    for name, (start, end) in zip(names, spans.tolist(), strict=False):
        known = _known(name)
        if known is not None:
            lengths[known] = lengths.get(known, 0.0) + end - start
    return max(lengths, key=lambda one: lengths[one]) if lengths else None
