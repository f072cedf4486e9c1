"""No number moves unless somebody means it to: all fields of all analysers against `tests/data/regression.json`."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest

from processor.analysis import all_analysers, result_types
from processor.graph import deep
from tests.data.regenerate import REGRESSION, SIGNALS, measure_all

HINT = "if that is meant, run `python -m tests.data.regenerate` and say why in the commit"
# Relative above 1: processors with other vector units differ by a few parts in 100,000.
TOLERANCE = 1e-4

measured = functools.cache(measure_all)


@functools.cache
def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(REGRESSION.read_text(encoding="utf-8"))
    return found


def differences(found: Any, expected: Any, where: str) -> list[str]:
    """Every place where two JSON values differ by more than the tolerance."""
    if isinstance(expected, dict) and isinstance(found, dict) and found.keys() == expected.keys():
        return [line for key in expected for line in differences(found[key], expected[key], f"{where}.{key}")]
    if isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        pairs = zip(found, expected, strict=True)
        return [line for n, (a, b) in enumerate(pairs) for line in differences(a, b, f"{where}[{n}]")]
    if (
        isinstance(expected, float)
        and isinstance(found, (int, float))
        and abs(found - expected) <= TOLERANCE * max(1.0, abs(expected))
    ):
        return []
    return [] if type(found) is type(expected) and found == expected else [f"{where}: {expected} became {found}"]


# What needs a model is not measured here.
FAST = sorted(result_types().keys() - deep(all_analysers()))


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("analyser", FAST)
def test_no_number_has_moved(analyser: str, signal: str) -> None:
    moved = differences(measured()[signal][analyser], recorded().get(signal, {}).get(analyser), analyser)
    assert moved == [], HINT


def test_nothing_is_recorded_that_no_longer_exists() -> None:
    assert recorded().keys() == SIGNALS.keys()
    assert all(sorted(found) == FAST for found in recorded().values()), HINT


def test_a_moved_number_is_noticed() -> None:
    assert differences({"a": 1.0, "b": [1.0, None]}, {"a": 1.00005, "b": [1.0, None]}, "x") == []
    assert differences({"a": 1.0}, {"a": 1.0002}, "x") == ["x.a: 1.0002 became 1.0"]
    assert len(differences({"a": [1.0, None], "b": 2, "c": False}, {"a": [1.0, 0.0], "b": 3, "c": 0}, "x")) == 3
    assert len(differences({"a": 1.0}, {"a": 1.0, "b": 2.0}, "x")) == 1
    assert len(differences([1.0], [1.0, 2.0], "x")) == 1
