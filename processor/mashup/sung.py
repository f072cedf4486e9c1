"""What is sung, in phrases of four to eight bars that can be laid on the bars of another song."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from processor.files import printable
from processor.mashup.lanes import Form
from processor.mashup.listening import Line, Voice
from processor.mashup.plan import Grid, beat_numbers
from processor.mashup.plan_checks import MOST_SEGMENTS, SHORTEST_SEGMENT_S

Vector = NDArray[np.float64]

# Singers rest for one to two bars between phrases, and for four between the parts of a song.
REST_BARS, PART_BARS = 1.5, 4.0
# A phrase ends at its fourth bar where there is half a bar of rest, and at its eighth in any case.
PHRASE_BARS, LONGEST_BARS, SHORT_REST_BARS = 4, 8, 0.5
# Of the silence around a phrase so much is kept: a breath before it, the room's sound after it.
BREATH_S, RING_S = 0.35, 1.2
FADE_IN_S, FADE_OUT_S, LEAST_FADE_S = 0.08, 0.4, 0.005


@dataclass(frozen=True)
class Phrase:
    """Lines of one part of a song that stay together. A bar is one of the mashup's, in beats of the vocals.

    Attributes:
        label: "chorus 2", or "phrase 7" where no section is known.
        text: its words, where they are known.
        role: "chorus", "verse" …; "" where nobody knows.
        part: number of the part of the song; phrases of one part belong together.
        start_s: in the breath before it.
        end_s: in the silence after it.
        fade_in_s: length of the fade that has room before the first sound.
        fade_out_s: and after the last one.
        lines_s: first and last moment of each line, shape `(n, 2)`.
        anchor: the beat of the vocals that begins a bar of the mashup: its first, or the one after an upbeat.
        row: number of that bar.
        place: which bar of its section in its own song that is; None where the song's form is not known.
        bars: so many bars of the mashup are sung, the anchor's being the first.
        lead_beats: it begins so many beats of the mashup before its anchor; negative: so many after.
        tail_beats: and ends so many after its anchor.
    """

    label: str
    text: str
    role: str
    part: int
    start_s: float
    end_s: float
    fade_in_s: float
    fade_out_s: float
    lines_s: Vector
    anchor: int
    row: int
    place: int | None
    bars: int
    lead_beats: float
    tail_beats: float


@dataclass(frozen=True)
class Bars:
    """Bars of the mashup on the vocals' beats.

    Attributes:
        grid: of the vocals.
        first_beat: a beat of the vocals that begins a bar.
        length: beats of the vocals in a bar of the mashup.
        beats_per_beat: beats of the vocals for each beat of the mashup.
        form: where each of these bars lies in the vocals' song; None where that is not known.
    """

    grid: Grid
    first_beat: int
    length: int
    beats_per_beat: float
    form: Form | None = None

    def at(self, times_s: Vector) -> Vector:
        """Which bar, whole or not, each time lies in."""
        numbers = beat_numbers(self.grid.beats_s, times_s)
        return np.asarray((numbers - self.first_beat) / self.length)


def phrases_of(voice: Voice, bars: Bars) -> list[Phrase]:
    """The phrases of a voice, in the order of time; at most as many as a plan may have segments."""
    if not voice.lines:
        return []
    edges = np.array([[line.sounds_from_s, line.sounds_to_s] for line in voice.lines])
    places = np.stack([bars.at(edges[:, 0]), bars.at(edges[:, 1])], axis=1)
    roles = voice.sections if len(voice.sections) == len(voice.lines) else ("",) * len(voice.lines)
    rows = [_row(place, bars) for place in places[:, 0].tolist()]
    parts, starts = [0], [0]
    for i in range(1, len(voice.lines)):
        rest = float(places[i, 0] - places[i - 1, 1])
        is_section = _section(bars, rows[i]) != _section(bars, rows[i - 1])
        is_part = roles[i] != roles[i - 1] or rest >= PART_BARS or (is_section and rest >= 1)
        parts.append(parts[-1] + is_part)
        if is_part or is_section or rest >= REST_BARS or _is_full(bars, rows[starts[-1]], rows[i], rest):
            starts.append(i)
    ends = [*starts[1:], len(voice.lines)]
    found = [
        _phrase(voice.lines[a:b], roles[a], parts[a], bars) for a, b in zip(starts[:MOST_SEGMENTS], ends, strict=False)
    ]
    return _labelled([one for one in found if one.end_s - one.start_s >= SHORTEST_SEGMENT_S])


def _section(bars: Bars, row: int) -> int:
    """Number of the section that a bar lies in; 0 where nobody knows."""
    return 0 if bars.form is None else int(bars.form.section[min(row, bars.form.section.size - 1)])


def _place(bars: Bars, row: int) -> int | None:
    """Which bar of its section a bar is."""
    return None if bars.form is None else int(bars.form.phrase[min(row, bars.form.phrase.size - 1)])


def _is_full(bars: Bars, first: int, row: int, rest: float) -> bool:
    """Whether a phrase that began at bar `first` ends before the line of bar `row`, after a rest of so many bars."""
    distance, place = row - first, _place(bars, row)
    is_even = distance >= PHRASE_BARS and (distance if place is None else place) % PHRASE_BARS == 0
    return distance >= LONGEST_BARS or (is_even and rest >= SHORT_REST_BARS)


def _phrase(lines: tuple[Line, ...], role: str, part: int, bars: Bars) -> Phrase:
    first, last = lines[0], lines[-1]
    start_s = _whole_ms(max(first.start_s, first.sounds_from_s - BREATH_S, 0.0))
    end_s = _whole_ms(min(last.end_s, last.sounds_to_s + RING_S))
    row = _row(float(bars.at(np.array([first.sounds_from_s]))[0]), bars)
    anchor = bars.first_beat + row * bars.length
    begins, sings_to, ends = (
        beat_numbers(bars.grid.beats_s, np.array([start_s, last.sounds_to_s, end_s])) - anchor
    ) / bars.beats_per_beat
    length = bars.length / bars.beats_per_beat
    return Phrase(
        label="",
        text=" ".join(printable(line.text.strip()) for line in lines).strip(),
        role=role,
        part=part,
        start_s=start_s,
        end_s=end_s,
        fade_in_s=_fade(first.sounds_from_s - start_s, FADE_IN_S),
        fade_out_s=_fade(end_s - last.sounds_to_s, FADE_OUT_S),
        lines_s=np.array([[line.sounds_from_s, line.sounds_to_s] for line in lines]),
        anchor=anchor,
        row=row,
        place=_place(bars, row),
        bars=max(1, int(np.ceil(sings_to / length - 0.1))),
        lead_beats=float(-begins),
        tail_beats=float(ends),
    )


def _whole_ms(time_s: float) -> float:
    """A time as people read it; down, so that neighbours stay neighbours and nothing lies behind the end of a file."""
    return math.floor(time_s * 1000) / 1000


def _fade(room_s: float, most_s: float) -> float:
    return max(_whole_ms(min(room_s, most_s)), LEAST_FADE_S)


def _row(place: float, bars: Bars) -> int:
    """The bar that a phrase belongs to: what begins in the second half of a bar is an upbeat to the next.

    Where a bar of the mashup is shorter than one of the vocals, their own bars are what counts.
    """
    step = max(1, bars.grid.metre // bars.length) if bars.grid.metre % bars.length == 0 else 1
    row = int(np.floor(place / step + 0.5)) * step
    last = (len(bars.grid.beats_s) - 1 - bars.first_beat) // bars.length
    return int(np.clip(row, 0, max(last, 0)))


def _labelled(found: list[Phrase]) -> list[Phrase]:
    """Number the parts of each role, and the phrases of each part: "verse 2, phrase 1"."""
    seen: Counter[str] = Counter()
    numbers: dict[int, int] = {}
    for one in found:
        if one.part not in numbers:
            seen[one.role] += 1
            numbers[one.part] = seen[one.role]
    sizes = Counter(one.part for one in found)
    within: Counter[int] = Counter()
    labelled = []
    for number, one in enumerate(found, 1):
        within[one.part] += 1
        name = f"{one.role} {numbers[one.part]}" if one.role else f"phrase {number}"
        if one.role and sizes[one.part] > 1:
            name += f", phrase {within[one.part]}"
        labelled.append(replace(one, label=name))
    return labelled
