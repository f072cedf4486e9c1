"""Calibration: bins, errors, and what becomes a claim."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.accuracy.answers import Answer
from tests.accuracy.calibration import Claim, calibrate, claims
from tests.accuracy.truth import Item, Spans

ALL = frozenset({"tempo", "beats", "metre", "key", "chords", "sections"})


def spans(*rows: tuple[float, float, str]) -> Spans:
    return Spans(np.array([row[:2] for row in rows], float), tuple(row[2] for row in rows))


def test_a_perfect_table() -> None:
    found = calibrate([Claim(0.75, 1)] * 3 + [Claim(0.75, 0)] + [Claim(1.0, 1)] * 2 + [Claim(0.0, 0)])
    assert found is not None
    assert [(one.low, one.high, one.n, one.said, one.right) for one in found.bins] == [
        (0.0, 0.2, 1, 0.0, 0.0),
        (0.6, 0.8, 4, 0.75, 0.75),
        (0.9, 1.0, 2, 1.0, 1.0),
    ]
    assert found.ece == 0
    assert found.brier == pytest.approx((3 * 0.0625 + 0.5625) / 7)
    assert found.n == 7


def test_somebody_who_is_always_sure_and_half_right() -> None:
    found = calibrate([Claim(1.0, 1), Claim(1.0, 0)])
    assert found is not None
    assert (found.ece, found.brier, found.said, found.right) == (0.5, 0.5, 1.0, 0.5)


def test_weights_count() -> None:
    found = calibrate([Claim(0.5, 1, weight=3.0), Claim(0.5, 0, weight=1.0)])
    assert found is not None
    assert (found.right, found.ece) == (0.75, 0.25)


@pytest.mark.parametrize("none", [[], [Claim(0.5, 1, weight=0.0)]])
def test_nothing_has_no_table(none: list[Claim]) -> None:
    assert calibrate(none) is None


def test_what_was_said_with_a_confidence_becomes_a_claim() -> None:
    truth: dict[str, Any] = {
        "bpm": 120.0,
        "metres": (3,),
        "key": "C major",
        "chords": spans((0, 4, "C:maj"), (4, 8, "B:dim"), (8, 10, "G:maj")),
        "sections": spans((0, 20, "A"), (20, 40, "B"), (40, 60, "A")),
        "downbeats_s": np.arange(0.0, 60.0, 2.0),
    }
    answer = Answer(
        ALL,
        bpm=60.0,
        candidates=(60.0, 120.0),
        candidate_weights=(0.9, 0.1),
        downbeats_s=np.arange(1.0, 60.0, 2.0),
        metre=3,
        key="G major",
        runner_up="C major",
        sections=spans((0, 10, "A"), (10, 22, "B"), (22, 50, "A"), (50, 60, "C")),
        chords=spans((0, 6, "C:maj"), (6, 10, "F:maj")),
        confidences={
            "tempo": 0.9,
            "metre": None,
            "downbeats": 0.2,
            "key": 0.4,
            "key, runner-up": 0.3,
            "chords": 0.7,
            "sections": 0.5,
        },
        chord_confidences=(0.8, 0.3),
    )
    found = claims(Item("x", Path(), "x", **truth), answer)
    assert found == {
        "tempo": [Claim(0.9, 0)],  # half of it is not right
        "tempo candidates, each": [Claim(0.9, 0), Claim(0.1, 1)],
        "downbeats": [Claim(0.2, 0)],
        "key": [Claim(0.4, 0)],  # nor is a fifth
        "key, runner-up": [Claim(0.3, 1)],
        "sections": [Claim(0.5, pytest.approx(1 / 3))],  # 22 s of 10, 22 and 50
        "chords": [Claim(0.7, pytest.approx(4 / 6))],
        "chords, each": [Claim(0.8, 1, 4.0), Claim(0.3, 0, 2.0)],
    }


def test_what_was_not_said_or_has_no_truth_is_no_claim() -> None:
    sure = {"tempo": 0.9, "key": 0.9, "metre": 0.9}
    assert claims(Item("x", Path(), "x", bpm=120.0, key="C major", metres=(4,)), Answer(ALL, confidences=sure)) == {}
    assert claims(Item("x", Path(), "x"), Answer(ALL, bpm=120.0, key="C major", confidences=sure)) == {}
