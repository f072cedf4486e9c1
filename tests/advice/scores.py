"""How right the advice was: recall by kind and strength, precision and firing rate by rule."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from tests.advice.kinds import KINDS, Kind
from tests.advice.measure import Case, Said

FIRST = 3
# All recordings come as lossy files: that is true of them, and no part of what is made. It is not counted.
COME_SO = "integrity.lossy"
# A piece that is told the opposite of a fault with at least this weight is not broken by it.
OPPOSITE_WEIGHT = 1.0
# Two noticeable steps: a piece that lies so far on the other side of the profile's middle leans away from a fault.
AWAY_DB = 3.0


@dataclass(frozen=True)
class Verdict:
    """Whether one made fault was found.

    Attributes:
        case: the broken file.
        rank: of the first right piece of advice, from 1; None if there is none.
        is_named: it is among the first three.
        is_new: the clean piece is not told so, or this one is told so higher up or with more weight.
        leans: the clean piece is told so, too.
        leans_away: the clean piece lies on the other side of the profile's middle: part of the fault is a remedy.
        crowd: what stands before it, or in the first three if it is not there.
    """

    case: Case
    rank: int | None
    is_named: bool
    is_new: bool
    leans: bool
    leans_away: bool
    crowd: tuple[str, ...]

    @property
    def is_found(self) -> bool:
        """Both."""
        return self.is_named and self.is_new


@dataclass(frozen=True)
class Row:
    """One kind.

    Attributes:
        kind: its name.
        found: share that was found at each strength; None where there is no such variant.
        named: share that was named among the first three, over all strengths.
        counts: variants at each strength.
        crowd: what stood in the way, the commonest first.
    """

    kind: str
    found: tuple[float | None, ...]
    named: float
    counts: tuple[int, ...]
    crowd: tuple[tuple[str, int], ...]

    @property
    def all_found(self) -> float:
        """Share over all strengths."""
        return share(
            (found or 0.0) * count for found, count in zip(self.found, self.counts, strict=True)
        ) / statistics.fmean(self.counts)


@dataclass(frozen=True)
class Fired:
    """How one rule, or one id of advice, did among the first three of all files.

    Attributes:
        name: of the rule, or the id.
        total: how often it fired there.
        made: as a right answer to the fault that was made.
        follows: as a true consequence of it.
        native: on a clean piece, or on a variant whose clean piece is told so anyway, of the same band and direction.
        wrong: neither.
        wrong_kinds: on which kinds, the commonest first.
    """

    name: str
    total: int
    made: int
    follows: int
    native: int
    wrong: int
    wrong_kinds: tuple[tuple[str, int], ...]

    @property
    def precision(self) -> float | None:
        """Share of all firings that name the fault that was made."""
        return self.made / self.total if self.total else None

    @property
    def precision_of_new(self) -> float | None:
        """Share of what the clean piece was not told that names the fault; consequences left out."""
        new = self.made + self.wrong
        return self.made / new if new else None


def is_one_of(said: Said, patterns: Iterable[str]) -> bool:
    """Whether a piece of advice is one of these."""
    return any(fnmatchcase(said.id, pattern) for pattern in patterns)


def verdict(case: Case, start: Case, kind: Kind) -> Verdict:
    """Whether the fault of a variant was found; `start` is its clean piece."""
    here, before = (
        [(rank, one) for rank, one in enumerate(of.said, 1) if is_one_of(one, kind.right)] for of in (case, start)
    )
    rank = here[0][0] if here else None
    is_named = rank is not None and rank <= FIRST
    is_new = bool(here) and (
        not before
        or here[0][0] < before[0][0]
        or max(one.weight for _, one in here) > max(one.weight for _, one in before) + 1e-6
    )
    crowd = tuple(one.id for one in case.said[: FIRST if rank is None else min(FIRST, rank - 1)])
    return Verdict(case, rank, is_named, is_new, bool(before), _leans_away(start, kind), crowd)


def _leans_away(start: Case, kind: Kind) -> bool:
    if kind.band is None:
        return False
    band, direction = kind.band
    return direction * start.bands_db.get(band, 0.0) < -AWAY_DB


def verdicts(cases: Sequence[Case]) -> list[Verdict]:
    """Of all variants that can be judged."""
    return [verdict(case, start, kind) for case, start, kind in counted(cases) if kind is not None]


def counted(cases: Sequence[Case]) -> list[tuple[Case, Case, Kind | None]]:
    """Clean pieces and all variants that break them, with the clean piece and the kind; without `COME_SO`."""
    kinds = {kind.name: kind for kind in KINDS}
    starts = {case.piece: case for case in cases if not case.kind}
    found = []
    for case in cases:
        start, kind = starts.get(case.piece), kinds.get(case.kind)
        if start is None or case.kind == "as it is" or (kind is not None and not is_fair(start, kind)):
            continue
        came_so = any(one.id == COME_SO for one in start.said)
        found.append((*(_without(of, COME_SO) if came_so else of for of in (case, start)), kind))
    return found


def is_fair(start: Case, kind: Kind) -> bool:
    """Whether a fault breaks a piece: not one that is told the opposite, nor one that cannot be made more so."""
    is_remedy = any(one.weight >= OPPOSITE_WEIGHT and is_one_of(one, kind.opposite) for one in start.said)
    return not is_remedy and not (kind.is_once and any(is_one_of(one, kind.right) for one in start.said))


def _without(case: Case, id: str) -> Case:
    return replace(case, said=tuple(one for one in case.said if one.id != id))


def rows(found: Sequence[Verdict]) -> list[Row]:
    """One a kind, in the order of the table."""
    made = []
    for kind in KINDS:
        mine = [one for one in found if one.case.kind == kind.name]
        if not mine:
            continue
        at = [[one.is_found for one in mine if one.case.strength == number] for number in range(3)]
        crowd = Counter(id for one in mine if not one.is_named for id in one.crowd)
        made.append(
            Row(
                kind=kind.name,
                found=tuple(share(one) if one else None for one in at),
                named=share(one.is_named for one in mine),
                counts=tuple(len(one) for one in at),
                crowd=tuple(crowd.most_common(4)),
            )
        )
    return made


def share(values: Iterable[float]) -> float:
    """Mean; 0 of nothing."""
    listed = list(values)
    return statistics.fmean(listed) if listed else 0.0


def recall(found: Sequence[Verdict], strength: int | None = None) -> float:
    """Share that was found, each kind counting as much as any other."""
    by_kind: dict[str, list[bool]] = {}
    for one in found:
        if strength is None or one.case.strength == strength:
            by_kind.setdefault(one.case.kind, []).append(one.is_found)
    return share(share(values) for values in by_kind.values())


def fired(cases: Sequence[Case], *, by_rule: bool = True) -> list[Fired]:
    """How each rule did among the first three of the clean pieces and all variants, the most frequent first."""
    what: dict[str, Counter[str]] = {}
    wrong: dict[str, Counter[str]] = {}
    for case, start, kind in counted(cases):
        for said, how in _judged(case, start, kind):
            name = said.rule if by_rule else said.id
            what.setdefault(name, Counter())[how] += 1
            if how == "wrong":
                wrong.setdefault(name, Counter())[case.kind] += 1
    made = [
        Fired(
            name,
            sum(count.values()),
            *(count[how] for how in ("made", "follows", "native", "wrong")),
            tuple(wrong.get(name, Counter()).most_common(4)),
        )
        for name, count in what.items()
    ]
    return sorted(made, key=lambda one: (-one.total, one.name))


def _judged(case: Case, start: Case, kind: Kind | None) -> Iterator[tuple[Said, str]]:
    native = {_place(one) for one in start.said}
    for said in case.said[:FIRST]:
        if kind is not None and is_one_of(said, kind.right):
            yield said, "made"
        elif kind is None or _place(said) in native:
            yield said, "native"
        else:
            yield said, "follows" if is_one_of(said, kind.follows) else "wrong"


def _place(said: Said) -> str:
    """What it is about: band and direction where it has both, for a boom is too much bass, too; else its id."""
    words = said.id.split(".")
    is_tone = words[0] in ("tone", "low_end") and len(words) > 2 and words[-1] in ("too_much", "too_little")
    return ".".join(words[-2:]) if is_tone else said.id


def rates(cases: Sequence[Case], group: str) -> dict[str, float]:
    """Rule → share of the files of a group, as they are, on which it fires at any rank."""
    files = [case for case in cases if case.kind == "as it is" and case.group == group]
    count: Counter[str] = Counter()
    for case in files:
        count.update({one.rule for one in (*case.said, *case.good)})
    return {name: number / len(files) for name, number in count.most_common()}


def ever_fired(cases: Sequence[Case]) -> set[str]:
    """Rules that fired on any file."""
    return {one.rule for case in cases for one in (*case.said, *case.good)}
