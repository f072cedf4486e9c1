"""A mashup over time: both songs' sections, what of the vocals is sung where, and the bars it is counted in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import escape
from numpy.typing import NDArray

from processor.mashup.plan import Plan, Segment, cut_starts_s, duration_s, mashup_beats_s, stretch, time_map
from processor.site.charts.blocks import LETTER, PHONE_LETTER, span_text
from processor.site.charts.frame import (
    BESIDE_HEAD,
    LEFT,
    WIDTH,
    Chart,
    Key,
    Timeline,
    clock,
    drawing,
    time_axis,
    time_text,
)

Vector = NDArray[np.float64]

HEIGHT = 286
# Where each row stands in the drawing: its top and its height. The names of the songs have room for a phone's letters.
VOCAL_NAME, VOCAL_ROW = 19.0, (27.0, 28.0)
SUNG_ROW = (118.0, 38.0)
BACKING_ROW, BACKING_NAME = (159.0, 28.0), 211.0
BAR_TOP, BAR_NUMBER = 222.0, 250.0
SECTION_STYLES, FITS = 8, 5
MAX_NAME = 44
# A beat that a segment has less of than this has no pace.
TOUCHING_S = 1e-3
# More than this is nothing that anybody tells apart, and bytes to the page.
MAX_SECTIONS, MAX_DRAWN, MAX_BARS, MAX_BEATS = 200, 200, 600, 900
BAR_STEPS = (1, 2, 4, 8, 16, 32, 64, 128)
MOST_NUMBERS = 14


@dataclass(frozen=True)
class Part:
    """A section of a song."""

    start_s: float
    end_s: float
    letter: str
    text: str


@dataclass(frozen=True)
class Placed:
    """A segment of the vocals: where it is in their song, and where it is sung, in seconds."""

    segment: Segment
    from_s: float
    from_end_s: float
    start_s: float
    end_s: float
    slowest: float
    fastest: float

    @property
    def stretch(self) -> float:
        """How many times as long it becomes."""
        return (self.end_s - self.start_s) / (self.from_end_s - self.from_s)


def placed(plan: Plan) -> list[Placed]:
    """Every segment and its place; `slowest` and `fastest` are the stretches of its beats."""
    found, mashup_s = [], mashup_beats_s(plan)
    for segment in plan.segments:
        source, target = time_map(plan, segment, mashup_s)
        lengths = np.diff(source)
        ratios = np.diff(target)[lengths > TOUCHING_S] / lengths[lengths > TOUCHING_S]
        found.append(
            Placed(
                segment,
                float(source[0]),
                float(source[-1]),
                float(target[0]),
                float(target[-1]),
                float(ratios.max()),
                float(ratios.min()),
            )
        )
    return found


def parts_of(sections: Any) -> list[Part]:
    """The sections of a song as its record has them; none where it has none."""
    intervals = np.asarray(getattr(sections, "intervals_s", ()), np.float64)
    labels, roles = getattr(sections, "labels", ()), getattr(sections, "roles", ())
    if intervals.ndim != 2 or not np.isfinite(intervals).all():
        return []
    found = []
    for (start, end), label, role in zip(intervals.tolist()[:MAX_SECTIONS], labels, roles, strict=False):
        letter = "" if label == "silence" else label
        text = letter if role in ("section", "", label) else f"{letter} {role}".strip()
        found.append(Part(start, end, letter, text))
    return found


def as_played(plan: Plan, parts: Sequence[Part]) -> list[Part]:
    """The instrumental's sections where they are played: each cut's share of them, in seconds of the mashup."""
    found = []
    for start_s, end_s, at_s in cut_starts_s(plan):
        for part in parts:
            first, last = max(part.start_s, start_s), min(part.end_s, end_s)
            if last > first:
                begin, end = (at_s + (moment - start_s) * stretch(plan) for moment in (first, last))
                found.append(Part(begin, end, part.letter, part.text))
    return found[: 2 * MAX_SECTIONS]


def bars_s(plan: Plan) -> Vector:
    """When each bar of the mashup begins; a cut inside a bar makes a shorter one."""
    grid = plan.instrumental.grid
    numbers = np.concatenate([np.arange(cut.first_beat, cut.end_beat) for cut in plan.cuts])
    found: Vector = mashup_beats_s(plan)[:-1][(numbers - grid.first_downbeat) % grid.metre == 0]
    return found


def bar_text(bars: Vector, seconds: float) -> str:
    """The bar that a moment lies in: the first is 1; a dash before it."""
    number = int(np.searchsorted(bars, seconds + 0.02, side="right"))
    return str(number) if number else "–"


def plan_chart(plan: Plan, vocals: Sequence[Part], instrumental: Sequence[Part], vocals_s: float) -> Chart:
    """Both songs over one time axis, and the plan between them.

    Args:
        plan: what is drawn.
        vocals: sections of the song that is sung.
        instrumental: sections of the song that it is sung over.
        vocals_s: length of the song that is sung.
    """
    listed, length_s = placed(plan), duration_s(plan)
    timeline = Timeline(max([length_s, vocals_s, *(one.end_s for one in listed[:MAX_DRAWN])]))
    colours = _styles(vocals)
    played = as_played(plan, instrumental)
    parts = [
        time_axis(Timeline(timeline.duration_s), HEIGHT),
        _name(plan.vocals.title, "sung", VOCAL_NAME),
        *[_ribbon(one, _style_at(vocals, colours, one.from_s), timeline) for one in listed[:MAX_DRAWN]],
        _row(vocals or [Part(0.0, vocals_s, "", "")], colours, VOCAL_ROW, timeline, listed),
        f'<rect class="sung-row" x="{timeline.x(0):.1f}" y="{SUNG_ROW[0]:g}"'
        f' width="{timeline.x(length_s) - timeline.x(0):.1f}" height="{SUNG_ROW[1]:g}"/>',
        *[_sung(one, timeline) for one in listed[:MAX_DRAWN]],
        _row(played or [Part(0.0, length_s, "", "")], _styles(instrumental), BACKING_ROW, timeline),
        _joins(plan, timeline),
        _name(plan.instrumental.title, "played", BACKING_NAME),
        _bars(plan, timeline),
    ]
    legend = (
        Key("fit fit0", "fits less"),
        Key("fit fit4", "fits well"),
        *([Key("join", "cut of the instrumental")] if len(plan.cuts) > 1 else []),
    )
    note = "Above, the song that is sung; lines lead from where each part is taken to where it is sung. Click to move."
    return Chart(
        "The plan",
        _summary(plan, listed),
        drawing(parts),
        note=note,
        legend=legend,
        duration_s=timeline.duration_s,
        height=HEIGHT,
        style="wide plan",
    )


def _summary(plan: Plan, listed: Sequence[Placed]) -> str:
    told = ", ".join(
        f"{one.segment.label} {span_text(one.start_s, one.end_s)} from {clock(one.from_s)}" for one in listed[:40]
    )
    more = f" and {len(listed) - 40} more" if len(listed) > 40 else ""
    return f"{plan.vocals.title} sung over {plan.instrumental.title}, {clock(duration_s(plan))}: {told}{more}."


def _styles(parts: Sequence[Part]) -> dict[str, str]:
    """Class of each letter, by first appearance, as on the song's own page."""
    letters = dict.fromkeys(part.letter for part in parts if part.letter)
    return {letter: f"s{number % SECTION_STYLES}" for number, letter in enumerate(letters)}


def _style_at(parts: Sequence[Part], styles: dict[str, str], seconds: float) -> str:
    part = next((one for one in parts if one.start_s - 0.5 <= seconds < one.end_s - 0.5), None)
    return styles.get(part.letter, "none") if part else "none"


def _name(title: str, doing: str, y: float) -> str:
    shown = title if len(title) <= MAX_NAME else f"{title[: MAX_NAME - 1].rstrip()}…"
    told = f'{escape(shown)} <tspan class="doing">{doing}</tspan>'
    return f'<text class="song" x="{LEFT + BESIDE_HEAD}" y="{y:g}">{told}</text>'


def _row(
    parts: Sequence[Part],
    styles: dict[str, str],
    row: tuple[float, float],
    timeline: Timeline,
    taken: Sequence[Placed] | None = None,
) -> str:
    """Sections as blocks. Those of the vocals' song lead to where the first of what is taken from them is sung."""
    drawn = []
    for part in parts:
        x, width = _box(part.start_s, part.end_s, timeline)
        goal = part.start_s if taken is None else _sung_from(part, taken)
        time = "" if goal is None else f' data-time="{time_text(goal)}"'
        unused = "" if goal is not None else " unused"
        hint = f"{part.text or 'all of it'}, {span_text(part.start_s, part.end_s)}"
        hint += "" if goal is not None else ", not sung"
        drawn.append(
            f'<rect class="{styles.get(part.letter, "none")}{unused}" x="{x:.1f}" y="{row[0]:g}" width="{width:.1f}"'
            f' height="{row[1]:g}"{time}><title>{escape(hint)}</title></rect>'
        )
        drawn.append(_text((part.text, part.letter), x, width, row[0] + row[1] / 2 + 4))
    return "".join(drawn)


def _sung_from(part: Part, taken: Sequence[Placed]) -> float | None:
    """Where what is taken from a section is first sung; None where nothing of it is."""
    found = [one.start_s for one in taken if one.from_s < part.end_s - 0.5 and one.from_end_s > part.start_s + 0.5]
    return min(found, default=None)


def _ribbon(one: Placed, style: str, timeline: Timeline) -> str:
    """From where it is taken to where it is sung."""
    top, bottom = VOCAL_ROW[0] + VOCAL_ROW[1], SUNG_ROW[0]
    left, right, end, begin = (timeline.x(moment) for moment in (one.from_s, one.from_end_s, one.end_s, one.start_s))
    middle = (top + bottom) / 2
    return (
        f'<path class="ribbon {style}" data-time="{time_text(max(0.0, one.start_s))}" d="M{left:.1f} {top:g}'
        f"C{left:.1f} {middle:g} {begin:.1f} {middle:g} {begin:.1f} {bottom:g}H{end:.1f}"
        f'C{end:.1f} {middle:g} {right:.1f} {middle:g} {right:.1f} {top:g}z"/>'
    )


def _sung(one: Placed, timeline: Timeline) -> str:
    """A segment: its shade says how well it fits."""
    x, width = _box(max(0.0, one.start_s), one.end_s, timeline)
    segment = one.segment
    shade = min(FITS - 1, max(0, int(segment.fit * FITS)))
    rect = (
        f'<rect class="fit fit{shade}" x="{x:.1f}" y="{SUNG_ROW[0]:g}" width="{width:.1f}" height="{SUNG_ROW[1]:g}"'
        f' rx="3" data-time="{time_text(max(0.0, one.start_s))}"><title>{escape(hint(one))}</title></rect>'
    )
    return rect + _text(_shorter(segment.label), x, width, SUNG_ROW[0] + SUNG_ROW[1] / 2 + 4)


def _shorter(label: str) -> tuple[str, ...]:
    """A label, what stands behind its comma, and its letter and number: "verse 1, phrase 2", "phrase 2", "p2"."""
    last = label.rpartition(", ")[2]
    words = last.split()
    brief = words[0][:1] + words[-1] if len(words) > 1 and words[-1].isdigit() else last[:1]
    return label, last, brief


def hint(one: Placed) -> str:
    """All that a plan says of a segment, in a line."""
    segment = one.segment
    told = [
        f"{segment.label}: sung {span_text(one.start_s, one.end_s)}, from {span_text(one.from_s, one.from_end_s)}",
        f"fits {100 * segment.fit:.0f} %",
        f"{one.stretch:.3f} times as long",
        f"gain {segment.gain_db:+.1f} dB".replace("-", "−"),
    ]
    if segment.extra_semitones:
        told.append(f"shifted by {segment.extra_semitones:+g} semitones more".replace("-", "−"))
    return "; ".join(told) + (f". {segment.reason}" if segment.reason else "")


def _joins(plan: Plan, timeline: Timeline) -> str:
    """Where one cut of the instrumental meets the next."""
    places = [timeline.x(at_s) for _, _, at_s in cut_starts_s(plan)[1:]]
    d = "".join([f"M{x:.1f} {BACKING_ROW[0] - 3:g}v{BACKING_ROW[1] + 6:g}" for x in places[:MAX_DRAWN]])
    return f'<path class="join" d="{d}"/>' if d else ""


def _bars(plan: Plan, timeline: Timeline) -> str:
    """Beats and bars as ticks, and every so many bars its number."""
    beats, bars = mashup_beats_s(plan), bars_s(plan)
    parts = []
    for style, times, length, most in (("beat", beats, 4, MAX_BEATS), ("downbeat", bars, 9, MAX_BARS)):
        if times.size <= most:
            d = "".join([f"M{x:.1f} {BAR_TOP:g}v{length}" for x in timeline.x(times).tolist()])
            parts.append(f'<path class="{style}" d="{d}"/>')
    step = next((one for one in BAR_STEPS if bars.size / one <= MOST_NUMBERS), BAR_STEPS[-1] * 2)
    for place, number in enumerate(range(0, bars.size, step)):
        style = ' class="minor"' if place % 2 else ""
        anchor = "start" if place == 0 else "middle"
        text = "bar 1" if number == 0 else str(number + 1)
        x = timeline.x(float(bars[number])) + (0 if place else BESIDE_HEAD)
        parts.append(f'<text{style} x="{x:.1f}" y="{BAR_NUMBER:g}" text-anchor="{anchor}">{text}</text>')
    return "".join(parts)


def _box(start_s: float, end_s: float, timeline: Timeline) -> tuple[float, float]:
    """Left edge and width, within the drawing; a hair narrower than its time, so that neighbours stay apart."""
    x, end = (min(float(timeline.x(moment)), float(WIDTH)) for moment in (start_s, end_s))
    return x, max(end - x - 0.6, 0.6)


def _text(texts: Sequence[str], x: float, width: float, y: float) -> str:
    """The first of these texts that has room."""
    text = next((one for one in texts if one and width >= len(one) * LETTER + 3), "")
    if not text:
        return ""
    wide = " wide" if width >= len(text) * PHONE_LETTER + 4 else ""
    return f'<text class="in{wide}" x="{x + width / 2:.1f}" y="{y:g}">{escape(text)}</text>'
