"""A song's history: one point for each of its bounces, in the order in which they came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from processor.site.charts.curves import Axis
from processor.site.charts.frame import (
    BOTTOM,
    LEFT,
    RIGHT,
    WIDTH,
    Chart,
    Key,
    drawing,
    level_axis,
    path,
    plain_text,
    round_scale,
)

# More names than this run into each other below the axis.
MAX_NAMES = 12


@dataclass(frozen=True)
class Line:
    """One measure of every bounce; NaN where a bounce has none."""

    label: str
    values: Sequence[float]
    style: str


def history_chart(title: str, names: Sequence[str], lines: Sequence[Line], axis: Axis) -> Chart | None:
    """Draw lines over a song's bounces; None with less than two bounces or nothing to show.

    Args:
        title: what they are.
        names: what each bounce is called below the axis, oldest first.
        lines: the measures.
        axis: their unit, and the least span of the axis.
    """
    arrays = [(line, np.array(line.values, np.float64)) for line in lines]
    shown = [(line, values) for line, values in arrays if np.isfinite(values).any()]
    if len(names) < 2 or not shown:
        return None
    low = min(float(np.nanmin(values)) for _, values in shown)
    high = max(float(np.nanmax(values)) for _, values in shown)
    missing = max(0.0, axis.least_span - (high - low)) / 2
    scale = round_scale(low - missing, high + missing, axis.height)
    inset = 24
    xs = np.linspace(LEFT + inset, WIDTH - RIGHT - inset, len(names))
    parts: list[str] = [level_axis(scale), _names(names, xs, axis.height)]
    for line, values in shown:
        ys = scale.y(values)
        parts.append(f'<path class="{line.style}" d="{path(xs, ys)}"/>')
        parts += [
            f'<circle class="dot {line.style}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
            for x, y in zip(xs, ys, strict=True)
            if np.isfinite(y)
        ]
    return Chart(
        title=f"{title} in {axis.unit}",
        summary=f"{title} of {len(names)} bounces: "
        + "; ".join(f"{line.label} {_ends(values, axis)} {axis.unit}" for line, values in shown)
        + ".",
        drawing=drawing(parts),
        note=axis.note,
        legend=tuple(Key(line.style, line.label) for line, _ in shown),
        height=axis.height,
    )


def _ends(values: np.ndarray[tuple[int], np.dtype[np.float64]], axis: Axis) -> str:
    heard = values[np.isfinite(values)]
    first, last = (plain_text(float(value), axis.digits) for value in (heard[0], heard[-1]))
    return f"{first} to {last}"


def _names(names: Sequence[str], xs: np.ndarray[tuple[int], np.dtype[np.float64]], height: int) -> str:
    every = -(-len(names) // MAX_NAMES)
    return "".join(
        f'<text class="times" x="{x:.1f}" y="{height - BOTTOM + 18}" text-anchor="middle">{name}</text>'
        for number, (name, x) in enumerate(zip(names, xs, strict=True))
        if (len(names) - 1 - number) % every == 0
    )
