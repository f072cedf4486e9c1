"""A year of days as GitHub draws them: a column a week, a square a day, darker where more tracks were added."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

WEEKS, DAYS = 53, 7
PITCH, SIDE = 13, 10  # distance and size of the squares
LEFT, TOP = 28, 16  # room for the names of days and months
LEVELS = 4
# Written out, because `strftime` asks the locale and pages are the same everywhere.
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MIN_WEEKS_A_MONTH = 3  # a name needs this much room


@dataclass(frozen=True)
class Day:
    """One square: where it is, how dark, and what it says; `text` is empty where nothing was added."""

    x: int
    y: int
    level: int
    day: str
    text: str


@dataclass(frozen=True)
class Calendar:
    """What the drawing needs.

    Attributes:
        days: squares, oldest first.
        months: (x, name) above the first full week of each month.
        by_month: (month, tracks) where any were added, oldest first: the same for people who cannot see it.
        summary: a sentence.
        total: tracks within the year.
    """

    days: tuple[Day, ...]
    months: tuple[tuple[int, str], ...]
    by_month: tuple[tuple[str, int], ...]
    summary: str
    total: int
    width: int = LEFT + WEEKS * PITCH
    height: int = TOP + DAYS * PITCH
    side: int = SIDE


def calendar(added: Mapping[date, int]) -> Calendar:
    """Draw the 53 weeks that end with the newest day's: not with today's, so that a page is the same tomorrow.

    Args:
        added: how many tracks were added on each day; at least one day.
    """
    last = max(added)
    # Weeks begin on Sunday, as GitHub's do.
    first = last - timedelta(days=last.isoweekday() % DAYS + DAYS * (WEEKS - 1))
    year = {day: number for day, number in added.items() if day >= first}
    days, months = [], []
    most = max(year.values())
    for index in range((last - first).days + 1):
        day = first + timedelta(days=index)
        x, y = LEFT + PITCH * (index // DAYS), TOP + PITCH * (index % DAYS)
        number = year.get(day, 0)
        days.append(Day(x, y, _level(number, most), day.isoformat(), _text(number, day) if number else ""))
        if index % DAYS == 0 and day.day <= DAYS and index // DAYS <= WEEKS - MIN_WEEKS_A_MONTH:
            months.append((x, MONTHS[day.month - 1]))
    by_month: Counter[str] = Counter()
    for day in sorted(year):
        by_month[f"{MONTHS[day.month - 1]} {day.year}"] += year[day]
    return Calendar(
        tuple(days), tuple(months), tuple(by_month.items()), _summary(year, first, last), sum(year.values())
    )


def _level(number: int, most: int) -> int:
    """0 for none, else 1 to 4 by quarters of the busiest day."""
    return 0 if number == 0 else 1 + (LEVELS * number - 1) // most if number < most else LEVELS


def _text(number: int, day: date) -> str:
    return f"{number} track{'' if number == 1 else 's'} on {day.isoformat()}"


def _summary(year: Mapping[date, int], first: date, last: date) -> str:
    busiest = min(year, key=lambda day: (-year[day], day))
    days = f"{len(year)} day{'' if len(year) == 1 else 's'}"
    return (
        f"Tracks added a day from {first.isoformat()} to {last.isoformat()}: {sum(year.values())} on {days}; "
        f"most on {busiest.isoformat()}, {year[busiest]}."
    )
