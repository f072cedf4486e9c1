"""What changed between two bounces of a song: each measure, each check, each piece of advice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

from processor.analysis import reading_order, result_types
from processor.feedback.advice import Advice
from processor.feedback.checks import FAIL, PASS, SKIP, WARN, Check
from processor.quantities import Column, columns
from processor.record import Results

# These hold what programs read, or what the file is called; a person compares sound.
_LEFT_OUT = ("fingerprint", "waveform", "spectrogram", "metadata", "sections", "chords")
# Worse and worse.
_ORDER = (PASS, SKIP, WARN, FAIL)

Value = float | int | str | bool | None


@dataclass(frozen=True)
class Change:
    """One measure that is not what it was.

    Attributes:
        analyser: which.
        column: its declaration.
        before: what it was.
        after: what it is.
    """

    analyser: str
    column: Column
    before: Value
    after: Value

    @property
    def field(self) -> str:
        """Its name: "analyser.field"."""
        return f"{self.analyser}.{self.column.name}"

    @property
    def difference(self) -> float | None:
        """By how much, where both are numbers."""
        if _is_number(self.before) and _is_number(self.after):
            return float(self.after) - float(self.before)
        return None


def _is_number(value: Value) -> TypeGuard[float | int]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def changed_measures(before: Results, after: Results) -> list[Change]:
    """Every single value of the records that differs by as much as a page shows, in the order in which one reads."""
    types = result_types()
    found = []
    for name in reading_order(types):
        if name in _LEFT_OUT or name not in before or name not in after:
            continue
        for column in columns(types[name]):
            if column.is_curve or column.base_type not in (float, int, str, bool):
                continue
            old, new = getattr(before[name], column.name), getattr(after[name], column.name)
            if not _is_same(old, new, column.quantity.digits):
                found.append(Change(name, column, old, new))
    return found


def _is_same(before: Value, after: Value, digits: int) -> bool:
    if isinstance(before, float) and isinstance(after, float):
        # As a page shows them; a change of less than half of the last digit is none, even where rounding jumps.
        is_shown_alike = round(before, digits) == round(after, digits)
        return is_shown_alike or abs(before - after) < 0.5 * 10**-digits or math.isclose(before, after)
    return before == after


@dataclass(frozen=True)
class ChangedChecks:
    """Checks by what became of them, each as it is now, with what it was.

    Attributes:
        fixed: better than before, and passed.
        regressed: worse than before.
        better: better than before, but not passed.
        failing: as bad as before: failed or warned about.
        passing: how many passed before and pass now.
    """

    fixed: tuple[tuple[Check, Check], ...]
    regressed: tuple[tuple[Check, Check], ...]
    better: tuple[tuple[Check, Check], ...]
    failing: tuple[tuple[Check, Check], ...]
    passing: int


def changed_checks(before: Sequence[Check], after: Sequence[Check]) -> ChangedChecks:
    """Compare the checks of two bounces by their names; what only one of them has is not compared."""
    old = {check.id: check for check in before}
    pairs = [
        (old[check.id], check)
        for check in after
        if check.id in old and SKIP not in (check.status, old[check.id].status)
    ]
    places = [(_ORDER.index(was.status), _ORDER.index(now.status)) for was, now in pairs]
    both = list(zip(pairs, places, strict=True))
    return ChangedChecks(
        fixed=tuple(pair for pair, (was, now) in both if now < was and pair[1].status == PASS),
        regressed=tuple(pair for pair, (was, now) in both if now > was),
        better=tuple(pair for pair, (was, now) in both if now < was and pair[1].status != PASS),
        failing=tuple(pair for pair, (was, now) in both if now == was and pair[1].status != PASS),
        passing=sum(was == now and pair[1].status == PASS for pair, (was, now) in both),
    )


@dataclass(frozen=True)
class ChangedAdvice:
    """Advice by what became of it, strengths apart.

    Attributes:
        resolved: what was said before and is not any more.
        new: what was not said before.
        remaining: what is still said, as it is now, with how far beyond its limit it was.
    """

    resolved: tuple[Advice, ...]
    new: tuple[Advice, ...]
    remaining: tuple[tuple[Advice, float], ...]


def changed_advice(before: Sequence[Advice], after: Sequence[Advice]) -> ChangedAdvice:
    """Compare what is said of two bounces, by its id."""
    old = {one.id: one for one in before if one.severity != "strength"}
    new = {one.id: one for one in after if one.severity != "strength"}
    return ChangedAdvice(
        resolved=tuple(one for name, one in old.items() if name not in new),
        new=tuple(one for name, one in new.items() if name not in old),
        remaining=tuple((one, old[name].weight) for name, one in new.items() if name in old),
    )
