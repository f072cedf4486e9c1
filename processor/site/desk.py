"""What the mix desk says of a track, as its page shows it: advice, checks, platforms, and where it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from processor.analysis import result_types
from processor.feedback.desk import is_doubtful
from processor.quantities import Column, columns
from processor.record import Record, Results
from processor.site.about import State
from processor.site.platforms import Platforms, platforms_context
from processor.site.rendering import NOTHING, text_of

if TYPE_CHECKING:
    from processor.feedback.advice import Advice, Evidence
    from processor.feedback.checks import Check
    from processor.feedback.desk import Verdict
    from processor.feedback.llm import Wording
    from processor.feedback.standing import Standing

# What opens by itself, and how much of it; the rest is a line until somebody wants it.
OPEN, MAX_OPEN = ("fault", "warning"), 5
STRENGTH = "strength"
STATUSES = ("fail", "warn", "pass", "skip")
# As many places as a line holds; more fold out, and nobody looks at more than that.
SHOWN_TIMES, MAX_TIMES = 6, 60
MAX_ROWS = 200  # of a person's own checks there may be many
STYLES = {"fault": "bad", "warning": "warn", "fail": "bad", "warn": "warn"}


@dataclass(frozen=True)
class Place:
    """Where in the piece: start in seconds, and the end as text."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class Proof:
    """A number that a piece of advice rests on.

    Attributes:
        field: "analyser.field".
        label: what it is called.
        section: id of the part of the page that shows it, or empty.
        value: the number as text.
        unit: its unit; empty where there is no number.
        limit: what would be fine.
        source: where the limit comes from.
    """

    field: str
    label: str
    section: str
    value: str
    unit: str
    limit: str
    source: str


@dataclass(frozen=True)
class Item:
    """A piece of advice as a page shows it."""

    id: str
    anchor: str
    severity: str
    title: str
    text: str
    todo: tuple[str, ...]
    places: tuple[Place, ...]
    more_places: tuple[Place, ...]
    proofs: tuple[Proof, ...]
    is_open: bool


@dataclass(frozen=True)
class CheckRow:
    """A check as a page shows it."""

    id: str
    title: str
    status: str
    expected: str
    found: str
    why: str
    field: str
    section: str
    source: str


@dataclass(frozen=True)
class Checks:
    """All checks.

    Attributes:
        headline: "All checks have passed".
        status: the worst of them: "fail", "warn", "pass"; "skip" where none could be made.
        counts: "2 failing, 1 warning, 12 passed".
        open: those that a person should read, the worst first.
        passed: the rest.
        skipped: what could not be told.
    """

    headline: str
    status: str
    counts: str
    open: tuple[CheckRow, ...]
    passed: tuple[CheckRow, ...]
    skipped: tuple[CheckRow, ...]


@dataclass(frozen=True)
class Worded:
    """What a language model wrote, and how many of its sentences did not keep to the facts."""

    summary: tuple[str, ...]
    priorities: tuple[str, ...]
    notes: tuple[str, ...]
    model: str
    struck: int


@dataclass(frozen=True)
class MixDesk:
    """All that the templates `_advice.html`, `_checks.html`, `_platforms.html` and the side bar show.

    Attributes:
        profile: what it is judged as.
        why: why that.
        heard_as: what it was taken for and what follows, where that is no mix; empty where it is one.
        profile_source: where the profile comes from.
        platform: where it is going.
        labels: for the header: what a label says, and the id of the part that it leads to.
        advice: faults, warnings and notes, the worst first.
        strengths: what is good.
        broken: rules that could not judge.
        worded: a model's words, or None.
        checks: passed and failed.
        platforms: what becomes of it where it is played.
        standing: field → "brighter than 83 % of your techno".
        groups: group and how many peers → the standings within it.
    """

    profile: str
    why: str
    heard_as: str
    profile_source: str
    platform: str
    labels: tuple[tuple[State, str], ...]
    advice: tuple[Item, ...]
    strengths: tuple[Item, ...]
    broken: tuple[str, ...]
    worded: Worded | None
    checks: Checks
    platforms: Platforms
    standing: dict[str, str]
    groups: tuple[tuple[str, int, tuple[Standing, ...]], ...]


def desk_context(
    verdict: Verdict, found: Record, wording: Wording | None = None, *, has_sound: bool = False
) -> MixDesk:
    """Prepare what the desk says of a track.

    Args:
        verdict: advice, checks, outcomes and standing.
        found: the track's record.
        wording: the same in a language model's words, if there are any.
        has_sound: whether the page has a player.
    """
    items = tuple(_item(one, found, place) for place, one in enumerate(verdict.advice))
    rows = [_check(one, found) for one in verdict.checks]
    return MixDesk(
        profile=verdict.profile.title,
        why=verdict.profile_why,
        heard_as=heard_as(found.results),
        profile_source=verdict.profile.source,
        platform=verdict.platform.title,
        labels=tuple(_labels(items, rows)),
        advice=tuple(one for one in items if one.severity != STRENGTH),
        strengths=tuple(one for one in items if one.severity == STRENGTH),
        broken=verdict.broken,
        worded=_worded(wording),
        checks=_checks(rows),
        platforms=platforms_context(verdict.outcomes, verdict.platform, has_sound=has_sound),
        standing={one.field: one.text for one in verdict.standing},
        groups=_groups(verdict.standing),
    )


# Of silence its own rule speaks.
_KINDS = {"solo": "one instrument or voice", "speech": "speech", "noise": "noise"}


def heard_as(results: Results) -> str:
    """Why rules about mixes are silent, in words; empty where they are not."""
    material = results.get("material")
    confidence = getattr(material, "confidence", None)
    if confidence is not None and is_doubtful(results):
        return (
            f"Heard as a mix, but only {100 * confidence:.0f}\u00a0% sure: what holds for mixes only is a note at most."
        )
    what = _KINDS.get(getattr(material, "kind", None) or "")
    if what is None:
        return ""
    sure = "" if confidence in (None, 1) else f" ({100 * confidence:.0f}\u00a0% sure)"  # 1 is a person's word
    return f"Heard as {what}{sure}: what holds for whole mixes only was not judged."


# Labels


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: "1 fault", "2 faults"."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def _labels(items: Iterable[Item], rows: Sequence[CheckRow]) -> Iterator[tuple[State, str]]:
    """The header's labels: how much advice of which kind, and how many checks have passed."""
    counts = Counter(item.severity for item in items)
    worst = [name for name in OPEN if counts[name]]
    text = ", ".join(counted(counts[name], name) for name in worst) or "no fault found"
    more = f"{counted(counts['note'], 'note')}, {counted(counts[STRENGTH], 'strength')}"
    yield State(text, STYLES[worst[0]] if worst else "good", more), "advice"
    statuses = Counter(row.status for row in rows)
    made = sum(statuses.values()) - statuses["skip"]
    if made:
        worst_status = _worst(statuses)
        sign = {"fail": "✗", "warn": "⚠", "pass": "✓"}[worst_status]
        hint = _counts(statuses)
        yield State(f"{sign} {statuses['pass']}/{made} checks", STYLES.get(worst_status, "good"), hint), "checks"


# Advice


def _item(one: Advice, found: Record, place: int) -> Item:
    places = tuple(Place(start, end) for start, end in one.times_s[:MAX_TIMES])
    return Item(
        id=one.id,
        anchor="advice-" + one.id.replace(".", "-"),
        severity=one.severity,
        title=one.title,
        text=one.text,
        todo=tuple(step.text for step in one.processing),
        places=places[:SHOWN_TIMES],
        more_places=places[SHOWN_TIMES:],
        proofs=tuple(_proof(evidence, found) for evidence in one.evidence),
        is_open=one.severity in OPEN and place < MAX_OPEN,
    )


def _proof(one: Evidence, found: Record) -> Proof:
    column = _column(one.field)
    digits = 3 if column is None else column.quantity.digits
    value = text_of(one.value, digits)
    return Proof(
        field=one.field,
        label=one.field if column is None else column.quantity.label,
        section=_section(one.field, found),
        value=value,
        unit="" if value == NOTHING else one.unit,
        limit=one.limit,
        source=one.source,
    )


def _column(field: str) -> Column | None:
    """The declaration of "analyser.field", or None if there is no such field."""
    analyser, _, name = field.partition(".")
    kind = result_types().get(analyser)
    return None if kind is None else next((one for one in columns(kind) if one.name == name), None)


def _section(field: str, found: Record) -> str:
    """The part of the page that shows a field; empty where the page has none."""
    analyser = field.partition(".")[0]
    return analyser if analyser in found.results else ""


# Checks


def _check(one: Check, found: Record) -> CheckRow:
    field = one.field or ""
    return CheckRow(
        one.id, one.title, one.status, one.expected, one.found, one.why, field, _section(field, found), one.source
    )


def _worst(statuses: Counter[str]) -> str:
    return next((name for name in STATUSES if statuses[name]), "skip")


def _counts(statuses: Counter[str]) -> str:
    words = {"fail": "failing", "warn": "warnings", "pass": "passed", "skip": "skipped"}
    if statuses["warn"] == 1:
        words["warn"] = "warning"
    return ", ".join(f"{statuses[name]} {words[name]}" for name in STATUSES if statuses[name])


def _checks(rows: Sequence[CheckRow]) -> Checks:
    statuses = Counter(row.status for row in rows)
    worst = _worst(statuses)
    headline = {
        "fail": "Some checks were not successful",
        "warn": "No check has failed",
        "pass": "All checks have passed",
        "skip": "No check could be made",
    }[worst]
    by_status = {name: tuple(row for row in rows if row.status == name)[:MAX_ROWS] for name in STATUSES}
    return Checks(
        headline,
        worst,
        _counts(statuses),
        by_status["fail"] + by_status["warn"],
        by_status["pass"],
        by_status["skip"],
    )


# Standing


def _groups(standing: Sequence[Standing]) -> tuple[tuple[str, int, tuple[Standing, ...]], ...]:
    """Standings by the group that they are in, in the order of their first."""
    names = dict.fromkeys(one.group for one in standing)
    listed = [(name, tuple(one for one in standing if one.group == name)) for name in names]
    return tuple((name, max(one.peers for one in members), members) for name, members in listed)


# Words


def _worded(wording: Wording | None) -> Worded | None:
    if wording is None:
        return None
    summary, priorities, notes = (
        tuple(text for one in sentences if (text := " ".join(one.text.split())))
        for sentences in (wording.summary, wording.priorities, wording.notes)
    )
    has_any = any((summary, priorities, notes))
    return Worded(summary, priorities, notes, wording.model, wording.struck) if has_any else None
