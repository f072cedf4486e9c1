"""What all charts share: their size, their axes, and what a template needs to show one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

Vector = NDArray[np.float64]

# A chart is about this many pixels wide on a desk; on a phone it shrinks, and its letters grow (charts.css).
WIDTH = 800
LEFT, RIGHT = 52, 8
TOP, BOTTOM = 12, 26
BESIDE_HEAD = 3  # the first time stands beside the play-head, which rests at the beginning
HEIGHT = 240
# A line needs no more points than this: two pixels each.
MAX_POINTS = 370
MAX_LEVELS, MAX_TIMES = 5, 8
TIGHT = 36  # marks closer than this collide on a phone; every other one is left out there
SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600)


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where it is in the drawing, and its text."""

    at: float
    text: str


@dataclass(frozen=True)
class Key:
    """An entry of the legend: the class that gives the colour, and what has it."""

    style: str
    text: str


@dataclass(frozen=True)
class Chart:
    """A drawing and what belongs to it, ready for `sections/_chart.html`.

    Attributes:
        title: what it shows, with its unit.
        summary: the same in a sentence with its numbers, for people who cannot see it.
        drawing: what stands inside the `<svg>`; made here, so every text in it is escaped.
        note: how to read it, or nothing.
        legend: colours and their meaning where there is more than one.
        duration_s: seconds from `left` to `right`; None for a chart that is not over time.
        width, height: of the view box.
        left, right: where the horizontal axis begins and ends.
        style: class of the figure.
    """

    title: str
    summary: str
    drawing: Markup
    note: str = ""
    legend: tuple[Key, ...] = ()
    duration_s: float | None = None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    style: str = "wide"


@dataclass(frozen=True)
class Timeline:
    """The time that a page's charts share, so that they stand exactly below each other.

    Attributes:
        duration_s: length of the track, more than 0.
        cuts_s: where sections begin; drawn as thin lines behind every curve.
    """

    duration_s: float
    cuts_s: tuple[float, ...] = ()

    def x(self, seconds: Any) -> Any:
        """Where a time is in the drawing; also for an array."""
        return LEFT + (WIDTH - LEFT - RIGHT) * seconds / self.duration_s


@dataclass(frozen=True)
class Scale:
    """A vertical axis: round limits, the distance of its marks, and where it is drawn."""

    low: float
    high: float
    spacing: float
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM

    def y(self, value: Any) -> Any:
        """Where a value is in the drawing; also for an array."""
        return self.top + (self.bottom - self.top) * (self.high - value) / (self.high - self.low)

    def ticks(self) -> list[Tick]:
        """Marks from the lowest to the highest."""
        count = round((self.high - self.low) / self.spacing)
        values = [self.low + number * self.spacing for number in range(count + 1)]
        return [Tick(self.y(value), number_text(value, self.spacing)) for value in values]


def round_scale(low: float, high: float, height: int = HEIGHT) -> Scale:
    """An axis with round marks that holds both values."""
    spacing = round_step((high - low) / MAX_LEVELS)
    bottom = math.floor(low / spacing + 1e-9) * spacing
    top = math.ceil(high / spacing - 1e-9) * spacing
    if top <= bottom:
        spacing = max(spacing, abs(bottom) * 1e-6)
        top = bottom + spacing
    return Scale(bottom, top, spacing, bottom=height - BOTTOM)


def round_step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is no less; for decibels also 3 and 6."""
    if least <= 0.0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least) + 1e-9)
    steps = (1, 2, 3, 5, 6, 10) if power == 1.0 else (1, 2, 5, 10)
    return next(step * power for step in steps if step * power >= least * (1 - 1e-9))


def number_text(value: float, spacing: float = 1.0) -> str:
    """A number with the decimals that its axis needs, and a true minus."""
    decimals = min(6, max(0, -math.floor(math.log10(spacing) + 1e-9)))
    return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "−")


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def length_text(seconds: float) -> str:
    """A length as a clock shows it; below a second, where that would be 0:00, in seconds."""
    return f"{seconds:.2g}\u00a0s" if 0 < seconds < 1 else clock(seconds)


def time_text(seconds: float) -> str:
    """Seconds for `data-time` and links: two decimals at most."""
    return f"{seconds:.2f}".rstrip("0").rstrip(".")


def plain_text(value: float, digits: int = 1) -> str:
    """A number in a sentence, with a true minus."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


@lru_cache(maxsize=256)
def time_axis(timeline: Timeline, height: int) -> Markup:
    """Times below a chart, and thin lines where sections begin. The charts of a page share it."""
    spacing = next((s for s in SECONDS if timeline.duration_s / s <= MAX_TIMES), 7200)
    parts = []
    for number, second in enumerate(range(0, int(timeline.duration_s) + 1, spacing)):
        x = timeline.x(second) + (0 if number else BESIDE_HEAD)
        anchor = "start" if number == 0 else "end" if x > WIDTH - RIGHT - 24 else "middle"
        style = ' class="minor"' if number % 2 else ""
        parts.append(f'<text{style} x="{x:.1f}" y="{height - 6}" text-anchor="{anchor}">{clock(second)}</text>')
    if timeline.cuts_s:
        cuts = "".join([f"M{timeline.x(cut):.1f} {TOP}V{height - BOTTOM}" for cut in timeline.cuts_s])
        parts.append(f'<path class="cut" d="{cuts}"/>')
    return Markup("".join(parts))  # noqa: S704 - nothing but numbers


@lru_cache(maxsize=256)
def level_axis(scale: Scale) -> Markup:
    """Grid lines with their values."""
    parts = []
    ticks = scale.ticks()
    is_tight = (scale.bottom - scale.top) / max(len(ticks) - 1, 1) < TIGHT
    for number, tick in enumerate(ticks):
        style = ' class="minor"' if is_tight and number % 2 else ""
        y = "%.1f" % tick.at  # noqa: UP031 - as elsewhere here, for speed
        parts.append(f'<text{style} x="{LEFT - 6}" y="{tick.at + 4:.1f}" text-anchor="end">{escape(tick.text)}</text>')
        parts.append(f'<path class="grid" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>')
    return Markup("".join(parts))  # noqa: S704 - every text is escaped


def path(xs: Vector, ys: Vector) -> str:
    """A line through points as `d` of a path; NaN in `ys` makes a gap, and a point on its own a dot.

    Points are written as steps from one to the next in tenths of a unit, which takes two thirds of the bytes of their
    places; the places are rounded before the steps are taken, so that no error adds up.
    """
    heard = np.isfinite(ys)
    tenths = np.rint(10 * np.stack([xs, np.where(heard, ys, 0.0)])).astype(np.int64)
    steps = np.diff(tenths, axis=1).tolist()
    pieces: list[str] = []
    for start, end in runs(heard):
        pieces.append(f"M{tenths[0, start] / 10:g} {tenths[1, start] / 10:g}")
        if end - start == 1:
            pieces.append("h0")
            continue
        pairs = zip(steps[0][start : end - 1], steps[1][start : end - 1], strict=True)
        pieces.append("l" + " ".join([f"{tenth_text(x)},{tenth_text(y)}" for x, y in pairs]))
    return "".join(pieces)


@cache
def tenth_text(tenths: int) -> str:
    """A tenth of a whole number in as few characters as can be: 5 is ".5", −12 is "-1.2", 30 is "3"."""
    text = f"{abs(tenths) / 10:g}"
    return ("-" if tenths < 0 else "") + (text[1:] if text.startswith("0.") else text)


def runs(flags: NDArray[np.bool_]) -> Iterable[tuple[int, int]]:
    """First and one past the last index of each stretch that is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    return zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def reduced(values: Vector, keep: str) -> tuple[Vector, int]:
    """At most MAX_POINTS values, each the highest, lowest or mean of `factor` neighbours; gaps stay gaps."""
    factor = max(1, -(-values.size // MAX_POINTS))
    if factor == 1:
        return values, 1
    padded = np.concatenate([values, np.full(-values.size % factor, np.nan)]).reshape(-1, factor)
    heard = np.isfinite(padded)
    if keep == "mean":
        found = np.where(heard, padded, 0.0).sum(axis=1) / np.maximum(heard.sum(axis=1), 1)
    else:
        sign = 1.0 if keep == "highest" else -1.0
        found = sign * np.where(heard, sign * padded, -np.inf).max(axis=1)
    return np.where(heard.any(axis=1), found, np.nan), factor


def spans(found: Any, end_s: float) -> list[tuple[float, float]]:
    """Start and end from an array of shape (n, 2), within the track; none where it has another shape."""
    array = np.asarray(found, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2 or not np.isfinite(array).all():
        return []
    pairs = np.clip(array, 0.0, end_s).tolist()
    return [(start, end) for start, end in pairs]


def moments(found: Any, end_s: float) -> Vector:
    """Times within the track, from an array of any shape."""
    array = np.asarray(found, dtype=np.float64).ravel()
    return array[np.isfinite(array) & (array >= 0.0) & (array <= end_s)]


def curve(found: Any) -> Vector:
    """A curve: one dimension, else nothing."""
    array = np.asarray(found, dtype=np.float64)
    return array if array.ndim == 1 else np.zeros(0)


def drawing(parts: Sequence[str]) -> Markup:
    """Join what was made here; whoever calls it has escaped every text in it."""
    return Markup("".join(parts))  # noqa: S704 - see above
