"""How a rule says what it found: area, band, direction and severity follow from the id and the weight."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from processor.feedback.advice import BANDS, SEVERITIES, TOO_LITTLE, TOO_MUCH, Advice, Evidence, Mix, Step, severity
from processor.feedback.profiles import Corridor

Places = tuple[tuple[float, float], ...]

# A person looks at a few places and then hears what is meant; a list of thousands only fills the page.
MOST_PLACES = 20

_DIRECTIONS = {"too_much": TOO_MUCH, "too_little": TOO_LITTLE}


def finding(
    id: str,
    weight: float,
    title: str,
    text: str,
    evidence: Iterable[Evidence],
    *,
    steps: Iterable[Step] = (),
    times_s: Places = (),
    most: str = "fault",
) -> Advice:
    """A piece of advice.

    Args:
        id: "<area>.<what>[.<band>][.too_much|.too_little]".
        weight: how far beyond its limit, in steps of what a listener notices.
        title: a few words.
        text: what it is and what one hears.
        evidence: the numbers.
        steps: what to do.
        times_s: where.
        most: the worst severity that it may have, where the rule has a reason.
    """
    words = id.split(".")
    return Advice(
        id=id,
        severity=max(severity(weight), most, key=SEVERITIES.index),
        area=words[0],
        band=next((word for word in words if word in BANDS), None),
        direction=_DIRECTIONS.get(words[-1]),
        title=title,
        text=text,
        evidence=tuple(evidence),
        processing=tuple(steps),
        times_s=times_s,
        weight=weight,
    )


def strength(id: str, title: str, text: str, evidence: Iterable[Evidence], weight: float = 0.0) -> Advice:
    """What is good about a mix; it needs no action."""
    return finding(id, weight, title, text, evidence, most="strength")


def corridor(mix: Mix, field: str) -> Corridor | None:
    """What is usual for such music in one field, if the profile knows."""
    return mix.profile.ranges.get(field)


def places(intervals_s: NDArray[np.float64] | None) -> Places:
    """Passages of shape `(n, 2)` in seconds as advice carries them: the longest ones, in order of time."""
    if intervals_s is None or not intervals_s.size:
        return ()
    rows = np.asarray(intervals_s, np.float64).reshape(-1, 2)
    if len(rows) > MOST_PLACES:
        rows = rows[np.sort(np.argsort(rows[:, 0] - rows[:, 1], kind="stable")[:MOST_PLACES])]
    return tuple((round(start, 3), round(end, 3)) for start, end in rows.tolist())


def moments(times_s: NDArray[np.float64] | None) -> Places:
    """Points in time, shape `(n,)`, as advice carries them: the first ones."""
    return () if times_s is None else tuple((round(at, 3), round(at, 3)) for at in times_s[:MOST_PLACES].tolist())


def seconds_where(is_so: NDArray[np.bool_], window_s: float = 1.0) -> NDArray[np.float64]:
    """Passages in which a curve of one value a second, each of `window_s` seconds, is so, shape `(n, 2)`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_so, [False]]).astype(np.int8)))
    found = np.stack([edges[::2].astype(np.float64), edges[1::2] - 1 + window_s], axis=1)
    # Windows that overlap would make passages that do: the next one begins where the last one ends.
    found[1:, 0] = np.maximum(found[1:, 0], found[:-1, 1])
    return found[found[:, 1] > found[:, 0]]


def clock(seconds: float) -> str:
    """Minutes and seconds, as beside the text: "1:05", "1:00:00"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
