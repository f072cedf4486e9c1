"""How a check went: what was expected, what was found, and why it matters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from processor.record import JSON

PASS, WARN, FAIL, SKIP = STATUSES = ("pass", "warn", "fail", "skip")
MARKS = {PASS: "✓", WARN: "⚠", FAIL: "✗", SKIP: "–"}


@dataclass(frozen=True)
class Check:
    """How one check went.

    Attributes:
        id: stable name, "<area>.<what>"; a person's own begin with "own.".
        title: a few words.
        status: "pass", "warn", "fail" or "skip".
        expected: the limit in words, with its unit; empty where there is none.
        found: what there is, with its unit; empty where it is not known.
        why: why it matters, or why it was skipped.
        field: "analyser.field", or empty.
        source: where the limit comes from.
    """

    id: str
    title: str
    status: str
    expected: str
    found: str
    why: str
    field: str
    source: str

    @property
    def mark(self) -> str:
        """✓ ⚠ ✗ or –."""
        return MARKS[self.status]

    def facts(self) -> dict[str, JSON]:
        """As JSON values, for other programs."""
        return {name: getattr(self, name) for name in ("id", "status", "expected", "found", "why")}


@dataclass(frozen=True)
class Summary:
    """How many checks ended how."""

    passed: int
    warnings: int
    failed: int
    skipped: int

    @property
    def status(self) -> str:
        """The worst that there is; what was skipped does not count."""
        return FAIL if self.failed else WARN if self.warnings else PASS

    @property
    def text(self) -> str:
        """In words: "12 passed, 2 warnings, 1 failed"; what was skipped is left out where there is none."""
        words = [f"{self.passed} passed", f"{self.warnings} warning" + "s" * (self.warnings != 1)]
        words += [f"{self.failed} failed"] + [f"{self.skipped} skipped"] * bool(self.skipped)
        return ", ".join(words)


def summary(checks: Iterable[Check]) -> Summary:
    """Count checks by how they ended."""
    counts = Counter(check.status for check in checks)
    return Summary(*(counts[status] for status in STATUSES))


def value_text(value: Any, digits: int, unit: str) -> str:
    """A value as people read it: "−13.8 LUFS", "yes"."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = f"{value:.{digits}f}".replace("-", "−") if isinstance(value, (int, float)) else str(value)
    return f"{text} {unit}".rstrip()
