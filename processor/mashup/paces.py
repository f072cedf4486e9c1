"""At which pace both songs meet: beat for beat, or two beats of the one for one of the other."""

from __future__ import annotations

import math
from dataclasses import dataclass

from processor.mashup.match import MOST_TEMPO_CHANGE
from processor.mashup.plan import Grid, PlanError
from processor.mashup.wishes import Wishes

WAYS = (1.0, 2.0, 0.5)
# Farther apart than that, two songs do not go together unless a person insists.
MOST_FORCED_CHANGE = 0.2
# Less is no change of tempo that anybody hears.
SAME = 0.002
# Where the vocals would have to change by more, meeting half-way is worth a plan of its own.
HALF_WAY = 0.06


@dataclass(frozen=True)
class Pace:
    """How fast both are played.

    Attributes:
        tempo_bpm: of the mashup.
        vocal_beats_per_beat: beats of the vocals for each beat of the mashup: 1, 2 or 0.5.
        ratio: how many times as fast as in their own song the vocals are.
        instrumental_ratio: the same of the instrumental.
        reasons: in sentences.
    """

    tempo_bpm: float
    vocal_beats_per_beat: float
    ratio: float
    instrumental_ratio: float
    reasons: tuple[str, ...]


def pace_of(vocals: Grid, instrumental: Grid, wishes: Wishes) -> Pace:
    """The pace at which the vocals change least.

    Raises:
        PlanError: the tempi are too far apart.
    """
    tempo = wishes.tempo_bpm or instrumental.tempo_bpm
    if abs(tempo / instrumental.tempo_bpm - 1) < 1e-9:
        tempo = instrumental.tempo_bpm
    way = _way(vocals, instrumental, tempo)
    ratio = tempo * way / vocals.tempo_bpm
    if _is_beyond(ratio, MOST_FORCED_CHANGE) and not wishes.force:
        raise PlanError(
            f"They do not go together: the vocals have {vocals.tempo_bpm:.1f} BPM, the mashup {tempo:.1f}. Even in "
            f"half or double time the vocals would have to be {_percent(ratio)}; {MOST_TEMPO_CHANGE:.0%} sounds "
            f"natural, {MOST_FORCED_CHANGE:.0%} is the most. Is one tempo misheard? Say so: `linernotes set TRACK "
            "tempo_bpm=…`, or `--vocal-tempo` for a stem. `--force` does it all the same."
        )
    return Pace(tempo, way, ratio, tempo / instrumental.tempo_bpm, _reasons(vocals, instrumental, tempo, way))


def is_near(vocals: Grid, instrumental: Grid, tempo_bpm: float | None, most_change: float = MOST_TEMPO_CHANGE) -> bool:
    """Whether a tempo of the vocals is near enough to be played, in half or double time, too.

    Args:
        vocals: beats at that tempo.
        instrumental: beats of the other side.
        tempo_bpm: of the mashup; None: the instrumental's.
        most_change: how much faster or slower the vocals may become, as a share.
    """
    tempo = tempo_bpm or instrumental.tempo_bpm
    return not _is_beyond(tempo * _way(vocals, instrumental, tempo) / vocals.tempo_bpm, most_change)


def half_way(vocals: Grid, instrumental: Grid, pace: Pace) -> float | None:
    """The tempo at which both change by the same; None where that is not worth a plan."""
    if abs(math.log(pace.ratio)) < HALF_WAY:
        return None
    return round(math.sqrt(instrumental.tempo_bpm * vocals.tempo_bpm / pace.vocal_beats_per_beat), 2)


def is_relative(one: Grid, other: Grid) -> bool:
    """Whether beats have the tempo of others, or twice or half of it."""
    return any(abs(math.log(one.tempo_bpm * way / other.tempo_bpm)) < SAME for way in WAYS)


def _way(vocals: Grid, instrumental: Grid, tempo: float) -> float:
    """Beats of the vocals for each one of a mashup at some tempo, so that they change least."""
    ways = [way for way in WAYS if float(instrumental.metre * way).is_integer()]
    return min(ways, key=lambda one: abs(math.log(tempo * one / vocals.tempo_bpm)))


def _is_beyond(ratio: float, most_change: float) -> bool:
    """Whether a change of speed is more than a share of it, measured as it is told."""
    return abs(ratio - 1) > most_change + 1e-9


def _percent(ratio: float) -> str:
    return f"{abs(ratio - 1):.1%} {'faster' if ratio > 1 else 'slower'}"


def _reasons(vocals: Grid, instrumental: Grid, tempo: float, way: float) -> tuple[str, ...]:
    found = []
    own = abs(math.log(tempo / instrumental.tempo_bpm)) < SAME
    found.append(
        f"The mashup plays at {tempo:.2f} BPM, the instrumental's own tempo."
        if own
        else f"The mashup plays at {tempo:.2f} BPM; the instrumental, {instrumental.tempo_bpm:.2f} by itself, becomes "
        f"{_percent(tempo / instrumental.tempo_bpm)}."
    )
    if way != 1.0:
        name = "double" if way > 1 else "half"
        found.append(f"The vocals are in {name} time: {way:g} of their beats fall on one of the mashup.")
    ratio = tempo * way / vocals.tempo_bpm
    if abs(math.log(ratio)) < SAME:
        found.append(f"The vocals keep their tempo of {vocals.tempo_bpm:.2f} BPM.")
    else:
        found.append(
            f"The vocals become {_percent(ratio)}: {vocals.tempo_bpm:.2f} BPM to {vocals.tempo_bpm * ratio:.2f}."
        )
    if _is_beyond(ratio, MOST_TEMPO_CHANGE):
        found.append(f"Warning: more than {MOST_TEMPO_CHANGE:.0%} is heard as a change of the voice.")
    return tuple(found)
