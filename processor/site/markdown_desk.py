"""What the mix desk says of a track, in its `report.md`: advice, checks and platforms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from processor.record import Record
from processor.site.charts import clock
from processor.site.desk import CheckRow, Item, MixDesk, Place, Proof, Worded, counted, desk_context
from processor.site.markdown_text import code, escaped, folded, table
from processor.site.platforms import Peak
from processor.site.rendering import NOTHING

if TYPE_CHECKING:
    from processor.feedback.desk import Verdict

SIGNS = {"fault": "✗", "warning": "⚠", "note": "ℹ", "strength": "✓"}
MARKS = {"fail": "✗", "warn": "⚠", "pass": "✓", "skip": "–"}


def desk_blocks(verdict: Verdict, found: Record) -> Iterator[str]:
    """Blocks of Markdown: advice, then checks, then platforms."""
    desk = desk_context(verdict, found, verdict.wording)
    yield "## Advice"
    worded = desk.worded
    whose = "All words are those of fixed rules." if worded is None else f"Summary by {code(worded.model)}."
    yield f"Judged as **{escaped(desk.profile)}** ({escaped(desk.why)}), for **{escaped(desk.platform)}**. {whose}"
    if desk.heard_as:
        yield f"{escaped(desk.heard_as)} {code('linernotes set TRACK material.kind=mix')} says that it is one."
    if worded is not None:
        yield from _words(worded)
    if not desk.advice:
        yield "The rules found nothing to change."
    for item in desk.advice:
        yield from _item(item)
    if desk.strengths:
        lines = [f"- ✓ **{escaped(one.title)}**: {escaped(one.text)}" for one in desk.strengths]
        yield folded(counted(len(desk.strengths), "strength"), "\n".join(lines))
    yield from _checks(desk)
    yield from _platforms(desk)


def _words(worded: Worded) -> Iterator[str]:
    """A model's words: a summary, what comes first, and notes for the engineer."""
    if worded.summary:
        yield escaped(" ".join(worded.summary))
    if worded.priorities:
        yield "\n".join(f"{place}. {escaped(line)}" for place, line in enumerate(worded.priorities, 1))
    if worded.notes:
        yield folded("Notes for the engineer", "\n".join(f"- {escaped(line)}" for line in worded.notes))


def _item(item: Item) -> Iterator[str]:
    yield f"### {SIGNS[item.severity]} {item.severity.capitalize()}: {escaped(item.title)}"
    yield escaped(item.text)
    if item.todo:
        yield "What to do:"
        yield "\n".join(f"- {escaped(line)}" for line in item.todo)
    if item.places:
        more = f" and {counted(len(item.more_places), 'more place')}" if item.more_places else ""
        yield "Where: " + ", ".join(_place(place) for place in item.places) + more
    if item.proofs:
        rows = [_proof(proof) for proof in item.proofs]
        yield folded("Evidence", table(["Measure", "Found", "Fine would be", "Field", "Source"], "lrlll", rows))


def _place(place: Place) -> str:
    start, end = clock(place.start_s), clock(place.end_s)
    return start if start == end else f"{start}–{end}"


def _proof(proof: Proof) -> list[str]:
    value = f"{proof.value} {proof.unit}".strip()
    return [escaped(proof.label), escaped(value), escaped(proof.limit), code(proof.field), escaped(proof.source)]


def _checks(desk: MixDesk) -> Iterator[str]:
    checks = desk.checks
    if not checks.counts:
        return
    yield "## Checks"
    yield f"{MARKS[checks.status]} **{checks.headline}**: {checks.counts}"
    if checks.open:
        rows = list(_check_rows(checks.open))
        yield table(["", "Check", "Expected", "Found", "Why it matters"], "cllll", rows)
    rest = (*checks.passed, *checks.skipped)
    if rest:
        words = ", ".join(
            f"{len(rows)} {what}"
            for rows, what in ((checks.passed, "passed"), (checks.skipped, "could not be told"))
            if rows
        )
        yield folded(words, table(["", "Check", "Expected", "Found", "Why it matters"], "cllll", [*_check_rows(rest)]))


def _check_rows(rows: Iterable[CheckRow]) -> Iterator[list[str]]:
    for row in rows:
        words = (row.title, row.expected, row.found, row.why)
        yield [MARKS[row.status], *(escaped(text) if text else NOTHING for text in words)]


def _platforms(desk: MixDesk) -> Iterator[str]:
    platforms = desk.platforms
    if not platforms.rows:
        return
    yield "## On each platform"
    head = ["Platform", "Gain, dB", "Heard at, LUFS", "Limiter, dB", "Peak asked for, dBTP", "True peak, dBTP"]
    head += [f"after {codec}" for codec in platforms.codecs]
    rows = [
        [
            escaped(row.platform.title) + (" `target`" if row.is_target else ""),
            row.gain,
            row.ends_at + (f" ({row.short})" if row.short else ""),
            row.limiter,
            *(_peak(one) for one in (row.asked, row.peak, *row.coded)),
        ]
        for row in platforms.rows
    ]
    yield table(head, "l" + "r" * (len(head) - 1), rows)


def _peak(one: Peak | None) -> str:
    if one is None:
        return NOTHING
    return f"**{one.text}** ({one.remark})" if one.remark else one.text
