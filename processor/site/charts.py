"""Curves as SVG: the numbers are reduced here, the drawing is a template."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_POINTS = 900
WIDTH, HEIGHT = 900, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 18, 26


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where it is in the drawing, and its text."""

    at: float
    text: str


@dataclass(frozen=True)
class TimeChart:
    """A curve over time, ready to be drawn in a box of WIDTH by HEIGHT.

    Attributes:
        title: what it shows, with its unit.
        summary: the same in a sentence, for people who cannot see it.
        lines: one "x,y x,y …" for each stretch without a gap.
        levels: marks of the vertical axis.
        times: marks of the horizontal axis.
    """

    title: str
    summary: str
    lines: tuple[str, ...]
    levels: tuple[Tick, ...]
    times: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def time_chart(
    values: NDArray[np.float64], *, step_s: float, start_s: float, label: str, unit: str
) -> TimeChart | None:
    """Draw a curve; NaN makes a gap. None if there is nothing to draw.

    Args:
        values: one value each `step_s`.
        step_s: seconds from one value to the next.
        start_s: time of the first value.
        label: what it is.
        unit: of the values.
    """
    if values.size < 2 or not np.isfinite(values).any():
        return None
    reduced, factor = _reduce(values)
    end_s = start_s + step_s * (values.size - 1)
    low, high, spacing = _range(reduced)

    def x(seconds: Any) -> Any:
        return LEFT + (WIDTH - LEFT - RIGHT) * seconds / end_s

    def y(value: Any) -> Any:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    times = np.minimum(start_s + step_s * factor * np.arange(reduced.size), end_s)
    heard = np.isfinite(reduced)
    stretches = np.flatnonzero(np.diff(heard)) + 1
    parts = zip(np.split(x(times), stretches), np.split(y(reduced), stretches), np.split(heard, stretches), strict=True)
    lines = [_points(xs, ys) for xs, ys, is_heard in parts if is_heard[0]]
    levels = [Tick(y(v), f"{v:g}") for v in np.arange(low, high + spacing / 2, spacing)]
    note = f", each point the highest of {factor} values" if factor > 1 else ""
    span = f"{np.nanmin(values):.1f} to {np.nanmax(values):.1f} {unit}"
    return TimeChart(
        title=f"{label} in {unit}{note}",
        summary=f"{label} over {clock(end_s)}: {span}.",
        lines=tuple(lines),
        levels=tuple(levels),
        times=tuple(Tick(x(s), clock(s)) for s in _time_marks(end_s)),
    )


def _points(xs: NDArray[np.float64], ys: NDArray[np.float64]) -> str:
    return " ".join(["%.1f,%.1f" % pair for pair in zip(xs.tolist(), ys.tolist(), strict=True)])  # noqa: UP031 - twice as fast


def _reduce(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """At most MAX_POINTS values, each the highest of `factor` neighbours."""
    factor = -(-values.size // MAX_POINTS)
    padded = np.concatenate([values, np.full(-values.size % factor, np.nan)]).reshape(-1, factor)
    filled = np.where(np.isnan(padded), -np.inf, padded).max(axis=1)
    return np.where(np.isinf(filled), np.nan, filled), factor


def _range(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Round limits of the vertical axis and the distance of its marks."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    spacing = next(s for s in (1, 2, 3, 5, 6, 10, 20, 50, 100, 1000, math.inf) if (high - low) / s <= 5)
    if not math.isfinite(spacing):
        spacing = (high - low) / 4
    low, high = math.floor(low / spacing) * spacing, math.ceil(high / spacing) * spacing
    return low, (high if high > low else low + spacing), float(spacing)


def _time_marks(end_s: float) -> list[float]:
    spacing = next((s for s in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600) if end_s / s <= 8), 7200)
    return [float(s) for s in range(0, int(end_s) + 1, spacing)]
