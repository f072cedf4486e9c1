"""The report as text, as Markdown and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from processor.feedback.rules import all_rules
from tests.accuracy.report import grid
from tests.advice import scores
from tests.advice.kinds import STRENGTHS
from tests.advice.measure import Case
from tests.advice.scores import Row, Verdict

OFTEN = 1 / 3
GROUPS = {"mix": "mixes", "stem": "stems", "alone": "solos and scores", "speech": "speech"}


@dataclass(frozen=True)
class Report:
    """All that was measured.

    Attributes:
        cases: all files that were judged.
        halves: source → "A" or "B".
        failures: what went wrong, by piece.
    """

    cases: Sequence[Case]
    halves: dict[str, str]
    failures: dict[str, list[str]]

    @property
    def verdicts(self) -> list[Verdict]:
        """Of all variants."""
        return scores.verdicts(self.cases)


def text(report: Report) -> str:
    """All of it, readable on a terminal and as Markdown."""
    parts = (_summary, _kinds, _crowding, _precision, _rates, _materials, _failures)
    return "\n\n".join(part for one in parts if (part := one(report)))


def percent(value: float | None) -> str:
    """Whole percent; a dash for nothing."""
    return "–" if value is None else f"{100 * value:.0f}"


def summary(report: Report) -> dict[str, float]:
    """The numbers that stand for all others, from 0 to 1."""
    found = report.verdicts
    fired = scores.fired(report.cases)
    made, wrong, total = (sum(getattr(one, name) for one in fired) for name in ("made", "wrong", "total"))
    numbers = {f"recall, {name}": scores.recall(found, number) for number, name in enumerate(STRENGTHS)}
    numbers["recall, all strengths"] = scores.recall(found)
    for half in ("A", "B"):
        mine = [one for one in found if report.halves.get(one.case.source) == half]
        numbers[f"recall, strong, half {half}"] = scores.recall(mine, 2)
        numbers[f"recall, all strengths, half {half}"] = scores.recall(mine)
    fair = [one for one in found if not one.leans_away]
    numbers["recall, strong, of pieces that do not lean away"] = scores.recall(fair, 2)
    numbers["recall, all strengths, of pieces that do not lean away"] = scores.recall(fair)
    numbers["named among the first three"] = scores.share(one.is_named for one in found)
    numbers["precision of what the clean piece was not told"] = made / (made + wrong) if made + wrong else 0.0
    numbers["share of the first three that names the fault"] = made / total if total else 0.0
    return numbers


def _summary(report: Report) -> str:
    found = report.verdicts
    if not found:
        return ""
    pieces = sorted({one.case.piece for one in found})
    kinds = {one.case.kind for one in found}
    head = f"## {len(kinds)} kinds of faults, {len(found)} variants of {len(pieces)} pieces"
    rows = [[name, percent(value)] for name, value in summary(report).items()]
    return f"{head}\n\nPieces: {', '.join(pieces)}.\n\n{grid(['', '%'], rows)}"


def _kinds(report: Report) -> str:
    made = scores.rows(report.verdicts)
    if not made:
        return ""
    rows = [
        [row.kind, *(percent(one) for one in row.found), percent(row.all_found), percent(row.named), str(row.counts[2])]
        for row in made
    ]
    head = ["fault", *STRENGTHS, "all", "named", "n"]
    return "## Found: named among the first three, and not told of the clean piece, in %\n\n" + grid(head, rows)


def _crowding(report: Report) -> str:
    """What stood in the first three in place of the fault."""
    lines = [
        f"- {row.kind}: " + ", ".join(f"{id} ({count})" for id, count in row.crowd)
        for row in scores.rows(report.verdicts)
        if row.crowd and row.named < 1
    ]
    return "## What was told instead\n\n" + "\n".join(lines) if lines else ""


def _precision(report: Report) -> str:
    rows = [
        [
            one.name,
            *(str(count) for count in (one.total, one.made, one.follows, one.native, one.wrong)),
            percent(one.precision),
            percent(one.precision_of_new),
            ", ".join(f"{kind} {count}" for kind, count in one.wrong_kinds[:3]),
        ]
        for one in scores.fired(report.cases)
    ]
    if not report.verdicts:
        return ""
    head = ["rule", "first 3", "right", "follows", "native", "wrong", "precision", "of new", "wrong on"]
    return "## Rules among the first three, clean pieces and variants\n\n" + grid(head, rows)


def _rates(report: Report) -> str:
    by_group = {group: scores.rates(report.cases, group) for group in GROUPS}
    files = Counter(case.group for case in report.cases if case.kind == "as it is")
    if not files:
        return ""
    ever = scores.ever_fired(report.cases)
    names = sorted((rule.name for rule in all_rules()), key=lambda name: (-by_group["mix"].get(name, 0.0), name))
    rows = [[name, *(percent(by_group[group].get(name, 0.0)) for group in GROUPS)] for name in names]
    often = [f"{name} ({percent(rate)})" for name, rate in by_group["mix"].items() if rate > OFTEN]
    never = [name for name in names if name not in ever]
    head = ["rule", *(f"{title} ({files[group]})" for group, title in GROUPS.items())]
    return (
        "## Firing rates on files as they are, in %\n\n"
        f"{grid(head, rows)}\n\nOn over a third of the mixes: {', '.join(often) or 'none'}.\n\n"
        f"Never on any file, broken ones included: {', '.join(never) or 'none'}."
    )


def _materials(report: Report) -> str:
    """What files were taken for, where that is not what they are."""
    odd = Counter(
        (case.kind or "the clean piece", case.material)
        for case in report.cases
        if case.group == "mix" and case.material != "mix"
    )
    lines = [f"- {kind}: {count} × {material}" for (kind, material), count in odd.most_common()]
    return "## Mixes that were not taken for one\n\n" + "\n".join(lines) if lines else ""


def _failures(report: Report) -> str:
    lines = [f"- {piece}: {why}" for piece, listed in report.failures.items() for why in listed]
    broken = Counter(why for case in report.cases for why in case.broken)
    lines += [f"- {why} ({count} ×)" for why, count in broken.most_common()]
    return "## Failures\n\n" + ("\n".join(lines) or "None.")


def as_json(report: Report) -> dict[str, Any]:
    """For programs: scores from 0 to 1, and every file that was judged."""
    return {
        "summary": summary(report),
        "kinds": [_row(row) for row in scores.rows(report.verdicts)],
        "rules": [asdict(one) for one in scores.fired(report.cases)],
        "advice": [asdict(one) for one in scores.fired(report.cases, by_rule=False)],
        "rates": {group: scores.rates(report.cases, group) for group in GROUPS},
        "halves": report.halves,
        "failures": report.failures,
        "cases": [asdict(case) for case in report.cases],
    }


def _row(row: Row) -> dict[str, Any]:
    return asdict(row) | {"all_found": row.all_found}
