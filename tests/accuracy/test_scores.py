"""Scores of tempo, beats, metre and key, against cases that are worked out by hand."""

from __future__ import annotations

import mir_eval
import numpy as np
import pytest

from tests.accuracy import scores

GRID = np.arange(0.0, 60.0, 0.5)  # 120 beats, of which 110 lie at or after 5 s
LETTERS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
KEYS = [f"{letter} {mode}" for letter in LETTERS for mode in ("major", "minor")]


@pytest.mark.parametrize(
    ("said", "strict", "lenient"),
    [
        (120.0, 1, 1),
        (124.8, 1, 1),  # 4 % exactly
        (124.9, 0, 0),
        (115.2, 1, 1),
        (115.1, 0, 0),
        (240.0, 0, 1),
        (60.0, 0, 1),
        (62.4, 0, 1),  # 4 % of the half
        (62.5, 0, 0),
        (360.0, 0, 1),
        (40.0, 0, 1),
        (180.0, 0, 0),  # 3:2 is no octave
        (80.0, 0, 0),
        (None, 0, 0),
    ],
)
def test_a_tempo_is_right_within_four_per_cent_and_acc2_forgives_octaves(
    said: float | None, strict: float, lenient: float
) -> None:
    assert scores.acc1(said, 120.0) == strict
    assert scores.acc2(said, 120.0) == lenient


def test_a_candidate_must_itself_be_right() -> None:
    assert scores.hit((60.0, 240.0, 121.0), 120.0) == 1
    assert scores.hit((60.0, 240.0), 120.0) == 0
    assert scores.hit((), 120.0) == 0


def test_the_same_beats_are_perfect() -> None:
    assert scores.beat_f(GRID, GRID) == 1
    assert scores.continuity(GRID, GRID) == (1, 1)


@pytest.mark.parametrize("said", [None, np.zeros(0), np.array([1.0, 2.0, 4.9])])
def test_no_beats_after_five_seconds_are_worth_nothing(said: np.ndarray | None) -> None:
    assert scores.beat_f(said, GRID) == 0
    assert scores.continuity(said, GRID) == (0, 0)


def test_beats_of_the_first_five_seconds_do_not_count() -> None:
    assert scores.beat_f(GRID[GRID >= 5], GRID) == 1
    assert scores.beat_f(np.concatenate([np.arange(0, 4.9, 0.11), GRID[GRID >= 5]]), GRID) == 1
    assert scores.beat_f(GRID, GRID[GRID < 5]) is None
    assert scores.continuity(GRID, GRID[GRID <= 5]) is None


def test_a_beat_is_right_within_seventy_milliseconds() -> None:
    assert scores.beat_f(GRID + 0.069, GRID) == 1
    assert scores.beat_f(GRID - 0.069, GRID) == pytest.approx(1, abs=0.01)  # the beat at 5 s falls out
    assert scores.beat_f(GRID + 0.071, GRID) == 0


def test_beats_between_the_beats_get_nothing_but_amlt() -> None:
    assert scores.beat_f(GRID + 0.25, GRID) == 0
    cmlt, amlt = scores.continuity(GRID + 0.25, GRID) or (None, None)
    assert cmlt == 0
    assert amlt == pytest.approx(1, abs=0.02)


def test_beats_at_half_and_double_tempo() -> None:
    # 55 of 110 beats are found and nothing else: precision 1, recall 1/2. Doubled, it is the other way round.
    assert scores.beat_f(GRID[::2], GRID) == pytest.approx(2 / 3)
    doubled = np.arange(0.0, 60.0, 0.25)
    assert scores.beat_f(doubled, GRID) == pytest.approx(2 * 0.5 / 1.5, abs=0.01)
    for said in (GRID[::2], doubled):
        cmlt, amlt = scores.continuity(said, GRID) or (None, None)
        assert cmlt == 0
        assert amlt == pytest.approx(1, abs=0.02)


def test_a_tenth_of_the_beats_missing_costs_half_of_a_tenth() -> None:
    kept = np.delete(GRID, np.arange(19, 120, 10))  # 11 of the 110
    assert scores.beat_f(kept, GRID) == pytest.approx(2 * 0.9 / 1.9)


def test_beats_in_any_order_are_the_same() -> None:
    assert scores.beat_f(GRID[::-1], GRID) == 1


@pytest.mark.parametrize(
    ("said", "accepted", "exact", "family"),
    [
        (4, (4,), 1, 1),
        (2, (4,), 0, 1),
        (4, (8,), 0, 1),
        (3, (4,), 0, 0),
        (6, (3,), 0, 1),
        (2, (6, 2), 1, 1),
        (5, (5,), 1, 1),
        (7, (5,), 0, 0),
        (None, (4,), 0, 0),
    ],
)
def test_metre(said: int | None, accepted: tuple[int, ...], exact: float, family: float) -> None:
    assert scores.metre(said, accepted) == exact
    assert scores.metre_family(said, accepted) == family


@pytest.mark.parametrize(
    ("said", "truth", "weight"),
    [
        ("A minor", "A minor", 1.0),
        ("Bb major", "A# major", 1.0),
        ("G major", "C major", 0.5),  # a fifth up
        ("F major", "C major", 0.5),  # a fifth down, which mir_eval gives nothing
        ("E minor", "A minor", 0.5),
        ("D minor", "A minor", 0.5),
        ("A minor", "C major", 0.3),
        ("C major", "A minor", 0.3),
        ("C minor", "C major", 0.2),
        ("C major", "C minor", 0.2),
        ("Eb major", "C major", 0.0),
        ("G minor", "C major", 0.0),
        ("E minor", "C major", 0.0),
        ("F# major", "C major", 0.0),
        (None, "C major", 0.0),
        ("H", "C major", 0.0),
    ],
)
def test_mirex_weights_of_keys(said: str | None, truth: str, weight: float) -> None:
    assert scores.key_mirex(said, truth) == weight
    assert scores.key_exact(said, truth) == (weight == 1.0)


def test_key_weights_are_those_of_mir_eval_but_for_the_descending_fifth() -> None:
    for truth in KEYS:
        for said in KEYS:
            theirs = mir_eval.key.weighted_score(truth, said)
            down = scores.parse_key(said) == ((KEYS.index(truth) // 2 + 5) % 12, truth.split()[1])
            assert scores.key_mirex(said, truth) == (0.5 if down else theirs), (said, truth)


@pytest.mark.parametrize(
    ("name", "key"),
    [("C", (0, "major")), ("f# min", (6, "minor")), ("Bbm", (10, "minor")), ("Cb:maj", (11, "major"))],
)
def test_keys_are_read_as_people_write_them(name: str, key: tuple[int, str]) -> None:
    assert scores.parse_key(name) == key
