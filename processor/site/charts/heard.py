"""Charts of what models heard: stems over time, a voice, and the second-by-second view of it all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import escape

from processor.site.charts.curves import Axis, Curve, Marks, curves_chart
from processor.site.charts.frame import (
    BOTTOM,
    LEFT,
    TOP,
    Chart,
    Timeline,
    clock,
    curve,
    drawing,
    plain_text,
    runs,
    spans,
    time_axis,
    time_text,
)

# Below this a stem is as good as silent beside the others.
QUIET_DBFS = -60.0
HALF_S = 0.5
# A row has its name, large enough for a phone, and a bar below it.
MOST_ROWS, ROW, NAME_AT, BAR_AT, BAR = 8, 36, 20, 24, 8


def stems_chart(results: Mapping[str, Any], timeline: Timeline) -> Chart | None:
    """The level of each stem that is there."""
    found = results.get("stems")
    if found is None:
        return None
    levels = np.asarray(found.levels_db, np.float64)
    if levels.ndim != 2 or len(levels) != len(found.names):
        return None
    lines = [
        Curve(name.capitalize(), np.where(row > QUIET_DBFS, row, np.nan), found.hop_s / 2, found.hop_s)
        for name, row, is_there in zip(found.names, levels, found.present, strict=True)
        if is_there
    ]
    note = f"Root mean square; nothing is drawn under {plain_text(QUIET_DBFS, 0)} dBFS."
    axis = Axis("dBFS", low=QUIET_DBFS, high=0.0, note=note)
    return curves_chart("Stems over time", lines, axis, timeline)


def voice_chart(results: Mapping[str, Any], timeline: Timeline) -> Chart | None:
    """How sure it is, second by second, that somebody sings or speaks, with the passages marked."""
    found = results.get("vocals")
    if found is None or found.present is None:
        return None
    heard = spans(found.intervals_s, timeline.duration_s)
    axis = Axis("", low=0.0, high=1.0, height=150, digits=2, marks=[Marks("A voice", heard, "voice")])
    return curves_chart("Voice over time", [Curve("Presence", curve(found.presence), HALF_S)], axis, timeline)


def arrangement_chart(results: Mapping[str, Any], timeline: Timeline) -> Chart | None:
    """What is heard when: a row for each of the tags that are on top in most seconds."""
    found = results.get("frames")
    if found is None or not found.tag_names:
        return None
    top = np.asarray(found.top_tags, np.float64)
    if top.ndim != 2:
        return None
    heard = np.array([(top == number).any(axis=1) for number in range(len(found.tag_names))])
    seconds = heard.sum(axis=1)
    shown = [int(number) for number in np.argsort(-seconds, kind="stable")[:MOST_ROWS] if seconds[number]]
    if not shown:
        return None
    height = TOP + ROW * len(shown) + BOTTOM
    parts: list[str] = [time_axis(timeline, height)]
    told = []
    for row, number in enumerate(shown):
        name, y = found.tag_names[number], TOP + ROW * row
        parts.append(f'<text class="value" x="{LEFT}" y="{y + NAME_AT}">{escape(name)}</text>')
        parts += [_bar(start, end, y + BAR_AT, row, timeline) for start, end in runs(heard[number])]
        told.append(f"{name} in {seconds[number]} of {top.shape[0]} s")
    summary = f"What is heard when over {clock(timeline.duration_s)}: {', '.join(told)}."
    note = "The surest three tags of each second, as stems and taggers hear them."
    return Chart("What is heard when", summary, drawing(parts), note, duration_s=timeline.duration_s, height=height)


def _bar(first: int, last: int, y: float, row: int, timeline: Timeline) -> str:
    """A stretch of whole seconds, which seeks."""
    start, end = min(first, timeline.duration_s), min(last, timeline.duration_s)
    x, width = timeline.x(start), max(timeline.x(end) - timeline.x(start), 1.0)
    return (
        f'<rect class="heard s{row % 8}" x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="{BAR}"'
        f' data-time="{time_text(start)}"><title>{clock(start)}–{clock(end)}</title></rect>'
    )
