"""Scores of chords and sections, against cases that are worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.accuracy import spans
from tests.accuracy.truth import Spans, harte


def labelled(*rows: tuple[float, float, str]) -> Spans:
    return Spans(np.array([row[:2] for row in rows], float).reshape(-1, 2), tuple(row[2] for row in rows))


CHORDS = labelled((0, 4, "C:maj"), (4, 6, "A:min"), (6, 8, "G:7"), (8, 10, "N"))


def test_the_same_chords_are_perfect() -> None:
    assert spans.chords_majmin(CHORDS, CHORDS) == 1


@pytest.mark.parametrize("said", [None, labelled(), labelled((20, 30, "C:maj"))])
def test_where_nothing_is_said_only_no_chord_is_right(said: Spans | None) -> None:
    assert spans.chords_majmin(said, CHORDS) == pytest.approx(0.2)


def test_chords_are_weighted_by_their_time() -> None:
    assert spans.chords_majmin(labelled((0, 10, "C:maj")), CHORDS) == pytest.approx(0.4)
    assert spans.chords_majmin(labelled((0, 1, "C:maj"), (1, 10, "G:maj")), CHORDS) == pytest.approx(0.3)


def test_sevenths_count_as_their_triad_and_modes_are_told_apart() -> None:
    said = labelled((0, 4, "C:maj7"), (4, 6, "A:maj"), (6, 8, "G:maj"), (8, 10, "N"))
    assert spans.chords_majmin(said, CHORDS) == pytest.approx(0.8)


def test_what_is_neither_major_nor_minor_does_not_count() -> None:
    truth = labelled((0, 4, "C:maj"), (4, 8, "B:dim"), (8, 12, "X"))
    assert spans.chords_majmin(labelled((0, 2, "C:maj"), (2, 12, "G:maj")), truth) == pytest.approx(0.5)
    assert spans.chords_majmin(CHORDS, labelled((0, 4, "B:dim"))) is None


def test_an_odd_label_is_wrong_and_no_crash() -> None:
    assert spans.chords_majmin(labelled((0, 10, "banana")), labelled((0, 10, "C:maj"))) == 0


def test_a_gap_in_the_truth_does_not_count() -> None:
    truth = labelled((2, 4, "C:maj"), (6, 8, "G:maj"))
    assert spans.chords_majmin(labelled((0, 10, "C:maj")), truth) == pytest.approx(0.5)


def test_overlaps_and_empty_stretches_are_mended() -> None:
    said = labelled((4, 4, "G:maj"), (0, 5, "C:maj"), (4, 6, "A:min"))
    assert spans.tidy(said.intervals_s, said.labels).intervals_s.tolist() == [[0, 5], [5, 6]]


def test_each_piece_knows_which_chord_said_it() -> None:
    right, seconds, numbers = spans.chord_parts(labelled((0, 5, "C:maj"), (7, 10, "N")), CHORDS)
    assert right.tolist() == [1, 0, 0, 0, 0, 1]
    assert seconds.tolist() == pytest.approx([4, 1, 1, 1, 1, 2])
    assert numbers == (0, 0, -1, -1, 1, 1)


@pytest.mark.parametrize(
    ("symbol", "label"),
    [
        ("C", "C:maj"),
        ("Am", "A:min"),
        ("Bb", "Bb:maj"),
        ("F#m7", "F#:min7"),
        ("C7", "C:7"),
        ("D/F#", "D:maj"),
        ("Bdim", "B:dim"),
        ("Ebmaj7", "Eb:maj7"),
        ("E+", "E:aug"),
        ("Gsus4", "G:sus4"),
        ("A:min7", "A:min7"),
        ("G:maj/3", "G:maj"),
        ("N", "N"),
        ("N.C.", "N"),
        ("", "N"),
        (None, "N"),
        ("X", "X"),
        ("C?", "X"),
    ],
)
def test_chord_symbols_become_harte_labels(symbol: str | None, label: str) -> None:
    assert harte(symbol) == label


PARTS = labelled((0, 20, "A"), (20, 40, "B"), (40, 60, "A"))


def test_the_same_parts_are_perfect() -> None:
    assert spans.sections(PARTS, PARTS) == {"0.5": 1, "3": 1, "0.5 ends": 1, "3 ends": 1, "pairs": 1}


def test_names_of_parts_do_not_matter_only_which_are_alike() -> None:
    said = labelled((0, 20, "x"), (20, 40, "y"), (40, 60, "x"))
    assert spans.sections(said, PARTS)["pairs"] == 1


@pytest.mark.parametrize("said", [None, labelled()])
def test_no_parts_are_worth_nothing(said: Spans | None) -> None:
    assert set(spans.sections(said, PARTS).values()) == {0.0}


def test_one_part_gets_nothing_but_the_ends() -> None:
    found = spans.sections(labelled((0, 60, "A")), PARTS)
    assert found["0.5"] == found["3"] == 0
    assert found["3 ends"] == pytest.approx(2 * 1.0 * 0.5 / 1.5)  # 0 and 60 of 0, 20, 40, 60
    # Alike in truth: 20 s twice and 40 s over pairs of 60 s; all pairs are said to be alike.
    assert found["pairs"] == pytest.approx(2 * (5 / 9) / (1 + 5 / 9), abs=0.01)


def test_a_boundary_two_seconds_off_is_right_only_in_the_wide_window() -> None:
    found = spans.sections(labelled((0, 22, "A"), (22, 40, "B"), (40, 60, "A")), PARTS)
    assert (found["0.5"], found["3"]) == (0.5, 1)
    assert (found["0.5 ends"], found["3 ends"]) == (0.75, 1)


def test_boundaries_too_many_cost_precision() -> None:
    said = labelled((0, 10, "A"), (10, 20, "A"), (20, 30, "B"), (30, 40, "B"), (40, 60, "A"))
    found = spans.sections(said, PARTS)
    assert found["3"] == pytest.approx(2 * 0.5 / 1.5)  # 20 and 40 of 10, 20, 30, 40
    assert found["pairs"] == 1


def test_a_truth_that_begins_late_has_a_boundary_there() -> None:
    truth = labelled((10, 30, "A"), (30, 60, "B"))
    assert spans.sections(labelled((0, 10, "-"), (10, 30, "A"), (30, 80, "B")), truth)["0.5"] == 1
    assert spans.sections(labelled((0, 30, "A"), (30, 80, "B")), truth)["0.5"] == pytest.approx(2 / 3)


def test_the_share_of_cuts_that_are_right() -> None:
    assert spans.cuts_right(PARTS, PARTS) == 1
    assert spans.cuts_right(labelled((0, 22, "A"), (22, 23, "B"), (23, 30, "C"), (30, 60, "D")), PARTS) == 1 / 3
    assert spans.cuts_right(labelled((0, 60, "A")), PARTS) is None
    assert spans.cuts_right(PARTS, labelled((0, 60, "A"))) == 0
    assert spans.cuts_right(labelled((0, 20, "A"), (20, 70, "B"), (70, 90, "A")), PARTS) == 1  # past the end
