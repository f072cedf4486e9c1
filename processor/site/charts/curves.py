"""Curves over time: several lines on one axis, with levels across and passages marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from markupsafe import escape

from processor.site.charts.frame import (
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Chart,
    Key,
    Scale,
    Timeline,
    Vector,
    clock,
    drawing,
    level_axis,
    path,
    plain_text,
    reduced,
    round_scale,
    time_axis,
    time_text,
)

# A passage that is marked is at least this wide, or nobody would see it.
LEAST_WIDTH = 2.0
# Passages closer than this look like one, and become one block.
LEAST_GAP = 2.0
# More marks than this are too fine to be hit one by one; they are drawn as one shape.
MAX_MARKS = 80
MARK_HEIGHT = 8  # shared by the kinds of marks that a chart has
KEPT = {"highest": "the highest", "lowest": "the lowest", "mean": "the mean"}


@dataclass(frozen=True)
class Curve:
    """One line.

    Attributes:
        label: what it is.
        values: one each `step_s`, or one at each of `times_s`; NaN makes a gap.
        start_s: time of the first value.
        step_s: seconds from one value to the next.
        keep: what stands for several values where they are reduced: "highest", "lowest" or "mean".
        times_s: times of the values where they are not regular.
        style: class of the line; by its number if left out.
    """

    label: str
    values: Vector
    start_s: float = 0.0
    step_s: float = 1.0
    keep: str = "highest"
    times_s: Vector | None = None
    style: str = ""

    @property
    def is_drawable(self) -> bool:
        """Whether there is a line: two values, and one of them heard."""
        return self.values.size > 1 and bool(np.isfinite(self.values).any())

    def times(self) -> Vector:
        """Time of each value."""
        if self.times_s is not None:
            return self.times_s
        return np.asarray(self.start_s + self.step_s * np.arange(self.values.size), dtype=np.float64)


@dataclass(frozen=True)
class Level:
    """A line across: a value and what it is. It is left out where it is off the axis, unless it must be shown."""

    value: float
    text: str
    style: str = "level"
    must_show: bool = False


@dataclass(frozen=True)
class Marks:
    """Passages that a person should hear, as blocks at the top of a chart."""

    label: str
    spans: Sequence[tuple[float, float]]
    style: str = "bad"


@dataclass(frozen=True)
class Axis:
    """The vertical axis: its unit, fixed limits where it has some, how high the chart is, decimals in sentences."""

    unit: str
    low: float | None = None
    high: float | None = None
    least_span: float = 0.0
    height: int = HEIGHT
    digits: int = 1
    note: str = ""
    levels: Sequence[Level] = field(default=())
    marks: Sequence[Marks] = field(default=())


def time_chart(
    values: Vector, *, step_s: float, start_s: float, label: str, unit: str, duration_s: float | None = None
) -> Chart | None:
    """Draw one curve; NaN makes a gap. None if there is nothing to draw.

    Args:
        values: one value each `step_s`.
        step_s: seconds from one value to the next.
        start_s: time of the first value.
        label: what it is.
        unit: of the values; empty if they have none.
        duration_s: length of the track; up to the last value if left out.
    """
    end_s = duration_s or start_s + step_s * (values.size - 1)
    return curves_chart(label, [Curve(label, values, start_s, step_s)], Axis(unit), Timeline(max(end_s, 1e-3)))


def curves_chart(title: str, curves: Sequence[Curve], axis: Axis, timeline: Timeline) -> Chart | None:
    """Draw curves on one axis; None if none of them has anything to show."""
    shown = [one for one in curves if one.is_drawable]
    if not shown:
        return None
    lines = [reduced(one.values, one.keep) for one in shown]
    scale = _scale([values for values, _ in lines], axis)
    parts: list[str] = [level_axis(scale), time_axis(timeline, axis.height)]
    legend: list[Key] = []
    for number, (one, (values, factor)) in enumerate(zip(shown, lines, strict=True), 1):
        style = one.style or f"line{number}"
        xs = timeline.x(np.minimum(one.times()[::factor], timeline.duration_s))
        parts.append(f'<path class="{style}" d="{path(xs, scale.y(values))}"/>')
        legend.append(Key(style, one.label))
    for level in axis.levels:
        if scale.low <= level.value <= scale.high:
            parts.append(_level(level, scale))
            legend += [Key(level.style, level.text)] if level.text else []
    rows = [marks for marks in axis.marks if marks.spans]
    for row, marks in enumerate(rows):
        height = MARK_HEIGHT / len(rows)
        parts.append(mark_spans(marks.spans, timeline, marks.style, (TOP - 10 + row * height, height)))
        legend.append(Key(marks.style, marks.label))
    return Chart(
        title=f"{title} in {axis.unit}" if axis.unit else title,
        summary=_summary(title, shown, axis, timeline),
        drawing=drawing(parts),
        note=" ".join(part for part in (axis.note, _reduction(shown, [factor for _, factor in lines])) if part),
        legend=tuple(legend) if len(legend) > 1 else (),
        duration_s=timeline.duration_s,
        height=axis.height,
    )


def _scale(lines: Sequence[Vector], axis: Axis) -> Scale:
    """An axis that holds all that is drawn."""
    needed = [level.value for level in axis.levels if level.must_show]
    low = min([float(np.nanmin(values)) for values in lines] + needed) if axis.low is None else axis.low
    high = max([float(np.nanmax(values)) for values in lines] + needed) if axis.high is None else axis.high
    if high - low < axis.least_span:
        more = axis.least_span - (high - low)
        below = 0.0 if axis.low is not None else more if axis.high is not None else more / 2
        low, high = low - below, high + more - below
    return round_scale(low, high, axis.height)


def _level(level: Level, scale: Scale) -> str:
    return f'<path class="{level.style}" d="M{LEFT} {scale.y(level.value):.1f}H{WIDTH - RIGHT}"/>'


def mark_spans(found: Sequence[tuple[float, float]], timeline: Timeline, style: str, place: tuple[float, float]) -> str:
    """Passages as blocks that seek; `place` is their top and height. Too many become one shape."""
    top, height = place
    joined = _joined(found, LEAST_GAP / (timeline.x(1.0) - timeline.x(0.0)))
    boxes = [(timeline.x(start), max(timeline.x(end) - timeline.x(start), LEAST_WIDTH)) for start, end in joined]
    if len(joined) > MAX_MARKS:
        shape = "".join(["M%.1f %gh%.1fv%gh-%.1fz" % (x, top, w, height, w) for x, w in boxes])  # noqa: UP031 - fast
        return f'<path class="{style}" d="{shape}"/>'
    return "".join(
        [
            f'<rect class="{style}" x="{x:.1f}" y="{top:g}" width="{width:.1f}" height="{height:g}"'
            f' data-time="{time_text(start)}"><title>{escape(clock(start))}</title></rect>'
            for (x, width), (start, _) in zip(boxes, joined, strict=True)
        ]
    )


def _joined(found: Sequence[tuple[float, float]], gap_s: float) -> list[tuple[float, float]]:
    """Passages with those joined that follow each other within `gap_s`."""
    joined: list[tuple[float, float]] = []
    for start, end in sorted(found):
        if joined and start - joined[-1][1] < gap_s:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _summary(title: str, shown: Sequence[Curve], axis: Axis, timeline: Timeline) -> str:
    unit = f" {axis.unit}" if axis.unit else ""
    parts = []
    for one in shown:
        low, high = (plain_text(float(f(one.values)), axis.digits) for f in (np.nanmin, np.nanmax))
        name = "" if len(shown) == 1 else f"{one.label} "
        parts.append(f"{name}{low} to {high}{unit}")
    parts += [f"{level.text} {plain_text(level.value, axis.digits)}{unit}" for level in axis.levels if level.must_show]
    parts += [f"{marks.label}: {len(marks.spans)}" for marks in axis.marks if marks.spans]
    return f"{title} over {clock(timeline.duration_s)}: {', '.join(parts)}."


def _reduction(shown: Sequence[Curve], factors: Sequence[int]) -> str:
    factor = max(factors)
    if factor == 1:
        return ""
    kept = KEPT[shown[factors.index(factor)].keep]
    return f"Each point is {kept} of {factor} values."
