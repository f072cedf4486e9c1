"""What was measured, as Markdown that also reads well as plain text, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.accuracy import calibration, fingerprints, table
from tests.accuracy.calibration import Calibration
from tests.accuracy.fingerprints import Pairs, Recall
from tests.accuracy.measure import BASELINE, OURS, Measured
from tests.accuracy.table import METRICS, Mean

NOT_THERE = "not there"


@dataclass(frozen=True)
class Report:
    """All that is printed.

    Attributes:
        items: what was measured of each recording, by name.
        analysers: those that exist and ran.
        key: what the baseline says for a key.
        left_out: job → reason → how many recordings.
        pairs: what came of comparing recordings; None where there are no fingerprints.
        notes: sentences to print.
    """

    items: Sequence[Measured]
    analysers: Sequence[str]
    key: str
    left_out: Mapping[str, Counter[str]] = field(default_factory=dict)
    pairs: Pairs | None = None
    notes: Sequence[str] = ()

    @property
    def columns(self) -> list[str]:
        """Us, the baseline, then the others by name."""
        found = dict.fromkeys(who for one in self.items for who in one.scores)
        return [OURS, BASELINE, *sorted(set(found) - {OURS, BASELINE})]

    def means(self, who: str) -> dict[str, Mean]:
        """Metric → mean of one column."""
        return table.means(one.scores.get(who, {}) for one in self.items)

    def calibrations(self) -> dict[str, Calibration]:
        """Job → calibration, of our confidences."""
        found = {}
        for job in calibration.RIGHT:
            made = calibration.calibrate(claim for one in self.items for claim in one.claims.get(job, ()))
            if made:
                found[job] = made
        return found

    def recall(self) -> dict[str, Recall]:
        """Variant → recall."""
        return fingerprints.recall({one.item: one.variants for one in self.items})


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns line up; all but the first to the right."""
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(head))]
    rule = "|".join(["", "-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:]), ""])
    lines = [
        "| "
        + " | ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        + " |"
        for row in cells
    ]
    return "\n".join([lines[0], rule, *lines[1:]])


def percent(value: float | None) -> str:
    """One decimal; a dash for nothing."""
    return "–" if value is None else f"{100 * value:.1f}"


def text(report: Report, by: str = "source") -> str:
    """The whole report."""
    parts = [
        _scores(report),
        _sources(report),
        _calibration(report),
        _fingerprints(report),
        _failures(report),
    ]
    if by == "item":
        parts.append(_items(report))
    return "\n\n".join(part for part in parts if part)


def _scores(report: Report) -> str:
    columns = {who: report.means(who) for who in report.columns}
    rows = []
    for metric in METRICS:
        ours, base = columns[OURS].get(metric.name), columns[BASELINE].get(metric.name)
        if not base:
            continue
        cells = [_cell(found.get(metric.name), base.n) for found in columns.values()]
        cells[0] = cells[0] if ours else NOT_THERE
        rows.append([metric.label, str(base.n), *cells])
    about = (
        f"Means over recordings, in %. Baseline: 120 BPM from 0 s on, metre 4, always {report.key}, one chord, "
        "parts of equal length."
    )
    out = [
        f"Not scored: {job}, {count} × {reason}."
        for job, why in report.left_out.items()
        for reason, count in why.items()
    ]
    lines = [*report.notes, *out]
    return "\n\n".join(
        [f"## Scores of {len(report.items)} recordings", about, grid(["", "n", *columns], rows), "\n".join(lines)]
    ).rstrip()


def _cell(mean: Mean | None, n: int) -> str:
    """A score; with its own number of recordings where that is not the row's."""
    return percent(mean.value if mean else None) + (f" ({mean.n})" if mean and mean.n != n else "")


def _sources(report: Report) -> str:
    """Means by source and how much they differ."""
    sources = table.by_source((one.source, one.scores.get(OURS, {})) for one in report.items)
    shown = [m for m in METRICS if m.short and any(m.name in found for found in sources.values())]
    if not shown:
        return ""

    def cell(found: Mapping[str, Mean], name: str) -> str:
        return f"{percent(found[name].value)} ({found[name].n})" if name in found else "–"

    rows = [
        [source, *(cell(found, m.name) for m in shown)]
        for source, found in sources.items()
        if any(m.name in found for m in shown)
    ]
    spreads = [table.spread(sources, m.name) for m in shown]
    rows.append(["mean of sources", *(percent(one.mean) if one else "–" for one in spreads)])
    rows.append(["their deviation", *(percent(one.deviation) if one else "–" for one in spreads)])
    return f"## {OURS} by source, in % (n)\n\n" + grid(["", *(m.short for m in shown)], rows)


def _calibration(report: Report) -> str:
    parts = []
    for job, found in report.calibrations().items():
        rows = [
            [f"{one.low:g} to {one.high:g}", str(one.n), f"{one.said:.2f}", f"{one.right:.2f}"] for one in found.bins
        ]
        rows.append(["all", str(found.n), f"{found.said:.2f}", f"{found.right:.2f}"])
        head = f"### {job}: right is {calibration.RIGHT[job]}"
        numbers = f"Calibration error (ECE) {found.ece:.3f}, Brier score {found.brier:.3f}"
        parts.append(f"{head}\n\n{grid(['confidence', 'n', 'said', 'right'], rows)}\n\n{numbers}")
    return "\n\n".join(["## What a confidence means", *parts]) if parts else ""


def _fingerprints(report: Report) -> str:
    if report.pairs is None:
        return ""
    rows = [
        [name, str(one.n), percent(one.found / one.n), "0.0", f"{one.lowest:.3f}"]
        for name, one in report.recall().items()
    ]
    pairs = report.pairs
    lines = [f"False pairs: {len(pairs.false)} of {pairs.n} (a baseline that never finds anything: 0)."]
    if pairs.highest_pair:
        lines.append(f"Most alike of different recordings: {pairs.highest:.3f}, {' and '.join(pairs.highest_pair)}.")
    lines += [f"False: {' and '.join(pair)}" for pair in pairs.false]
    lines += [
        f"The same song, not counted: {' and '.join(pair)}: {'found' if was else 'not found'}."
        for pair, was in pairs.related.items()
    ]
    lines += [f"Missed, {name}: {', '.join(one.missed)}" for name, one in report.recall().items() if one.missed]
    head = ["the same recording", "n", "found, %", "baseline", "least alike"]
    return "## Fingerprints\n\n" + grid(head, rows) + "\n\n" + "\n".join(lines)


def _failures(report: Report) -> str:
    rows = [f"- {one.item}: {name}: {why}" for one in report.items for name, why in one.failures.items()]
    return "## Failures\n\n" + ("\n".join(rows) or "None.")


def _items(report: Report) -> str:
    """Every recording: what each said and its scores."""
    lines = ["## Recordings"]
    shown = [m for m in METRICS if m.short]
    for one in report.items:
        lines.append(f"\n{one.item}  (truth: {one.said['truth']})")
        for who in [*report.columns]:
            if who in one.said and who != BASELINE:
                scores = one.scores[who]
                told = ", ".join(f"{m.short} {percent(scores[m.name])}" for m in shown if m.name in scores)
                lines.append(f"  {who}: {one.said[who]}  {told}")
    return "\n".join(lines)


def as_json(report: Report) -> dict[str, Any]:
    """The same for a program: scores from 0 to 1."""
    sources = table.by_source((one.source, one.scores.get(OURS, {})) for one in report.items)
    return {
        "scores": {who: {name: asdict(m) for name, m in report.means(who).items()} for who in report.columns},
        "sources": {s: {name: asdict(m) for name, m in found.items()} for s, found in sources.items()},
        "spread": {m.name: asdict(found) for m in METRICS if (found := table.spread(sources, m.name))},
        "calibration": {job: asdict(one) for job, one in report.calibrations().items()},
        "fingerprints": _fingerprints_json(report),
        "left_out": {job: dict(why) for job, why in report.left_out.items()},
        "analysers": list(report.analysers),
        "items": {
            one.item: {
                "source": one.source,
                "scores": one.scores,
                "said": one.said,
                "claims": {job: [asdict(claim) for claim in listed] for job, listed in one.claims.items()},
                "failures": one.failures,
                "seconds": one.seconds,
            }
            for one in report.items
        },
        "notes": list(report.notes),
    }


def _fingerprints_json(report: Report) -> dict[str, Any] | None:
    if report.pairs is None:
        return None
    pairs = report.pairs
    return {
        "recall": {name: asdict(one) for name, one in report.recall().items()},
        "pairs": pairs.n,
        "false": [list(pair) for pair in pairs.false],
        "highest": pairs.highest,
        "highest_pair": pairs.highest_pair,
        "related": [[*pair, was] for pair, was in pairs.related.items()],
    }
