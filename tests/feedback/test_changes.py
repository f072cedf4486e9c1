"""What changed between two bounces."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from processor.analysis import result_types
from processor.feedback.advice import Advice
from processor.feedback.changes import changed_advice, changed_checks, changed_measures
from processor.feedback.checks import Check
from tests.libraries import invented

RESULTS = {name: invented(kind) for name, kind in result_types().items()}


def with_value(field: str, value: Any) -> dict[str, Any]:
    analyser, _, name = field.partition(".")
    return RESULTS | {analyser: replace(RESULTS[analyser], **{name: value})}


def test_the_same_has_no_changes() -> None:
    assert changed_measures(RESULTS, RESULTS) == []


def test_a_number_that_differs_is_a_change() -> None:
    before, after = with_value("loudness.integrated_lufs", -14.0), with_value("loudness.integrated_lufs", -11.5)
    [change] = changed_measures(before, after)
    assert (change.field, change.before, change.after) == ("loudness.integrated_lufs", -14.0, -11.5)
    assert change.difference == pytest.approx(2.5)
    assert change.column.quantity.unit == "LUFS"


@pytest.mark.parametrize(("after", "is_change"), [(-14.04, False), (-13.96, False), (-14.06, True), (-13.9, True)])
def test_what_nobody_can_see_is_none(after: float, is_change: bool) -> None:
    found = changed_measures(
        with_value("loudness.integrated_lufs", -14.0), with_value("loudness.integrated_lufs", after)
    )
    assert bool(found) is is_change


def test_a_jump_of_rounding_is_none() -> None:
    before, after = with_value("loudness.integrated_lufs", -14.0501), with_value("loudness.integrated_lufs", -14.0499)
    assert changed_measures(before, after) == []


def test_what_became_nothing_is_a_change_without_a_difference() -> None:
    [change] = changed_measures(with_value("key.name", "A minor"), with_value("key.name", None))
    assert (change.before, change.after, change.difference) == ("A minor", None, None)
    [change] = changed_measures(with_value("levels.dr", 9), with_value("levels.dr", None))
    assert change.difference is None


def test_truth_is_no_number() -> None:
    [change] = changed_measures(with_value("stereo.is_mono", False), with_value("stereo.is_mono", True))
    assert change.difference is None


def test_tags_and_what_one_lacks_are_not_compared() -> None:
    assert changed_measures(RESULTS, with_value("metadata.title", "Other")) == []
    without = {name: result for name, result in RESULTS.items() if name != "loudness"}
    assert changed_measures(without, with_value("loudness.integrated_lufs", -3.0)) == []


def test_loudness_comes_first() -> None:
    after = with_value("stereo.width", 77.0) | {"loudness": replace(RESULTS["loudness"], integrated_lufs=-3.0)}
    assert [change.analyser for change in changed_measures(RESULTS, after)] == ["loudness", "stereo"]


def check(name: str, status: str) -> Check:
    return Check(name, name.title(), status, "≤ 1", "2", "why", "loudness.integrated_lufs", "source")


@pytest.mark.parametrize(
    ("before", "after", "where"),
    [
        ("fail", "pass", "fixed"),
        ("warn", "pass", "fixed"),
        ("pass", "warn", "regressed"),
        ("pass", "fail", "regressed"),
        ("warn", "fail", "regressed"),
        ("fail", "warn", "better"),
        ("fail", "fail", "failing"),
        ("warn", "warn", "failing"),
    ],
)
def test_checks_are_sorted_by_what_became_of_them(before: str, after: str, where: str) -> None:
    pair = (check("a", before), check("a", after))
    found = changed_checks([pair[0]], [pair[1]])
    listed = {name: getattr(found, name) for name in ("fixed", "regressed", "better", "failing")}
    assert listed == {name: (pair,) if name == where else () for name in listed}
    assert found.passing == 0


def test_what_passes_still_is_counted() -> None:
    found = changed_checks([check("a", "pass"), check("b", "pass")], [check("b", "pass"), check("a", "pass")])
    assert found.passing == 2
    assert not found.fixed


def test_what_was_skipped_or_is_new_is_not_compared() -> None:
    found = changed_checks([check("a", "skip"), check("b", "pass")], [check("a", "fail"), check("c", "fail")])
    assert (found.fixed, found.regressed, found.better, found.failing, found.passing) == ((), (), (), (), 0)


def advice(name: str, weight: float, severity: str = "warning") -> Advice:
    return Advice(name, severity, "tone", None, None, name, "", (), weight=weight)


def test_advice_is_resolved_new_or_remains() -> None:
    before = [advice("gone", 3.0, "fault"), advice("stays", 2.0), advice("good", 0.0, "strength")]
    after = [advice("stays", 1.0), advice("came", 1.5)]
    found = changed_advice(before, after)
    assert [one.id for one in found.resolved] == ["gone"]
    assert [one.id for one in found.new] == ["came"]
    assert [(one.id, one.weight, was) for one, was in found.remaining] == [("stays", 1.0, 2.0)]
