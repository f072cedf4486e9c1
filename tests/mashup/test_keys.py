"""Shifts: the least that fits, split where it is wide, and told with its numbers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from processor.analysis.key import KEYS
from processor.errors import WrongUsage
from processor.mashup.keys import can_shift, moved, moves, relation, shifts
from processor.mashup.listening import Backing, Voice
from processor.mashup.match import ShiftScores
from processor.mashup.wishes import Wishes
from tests.mashup.heard import backing, grid, songs, sung_bars, voice

SPLIT = {4: (2, -2), 5: (3, -2), -5: (-3, 2), 6: (3, -3)}


def scored(fits: dict[int, float], *, pitched: bool = True) -> ShiftScores:
    """Scores of shifts; what is not named has 0.3."""
    harmonic = tuple(fits.get(one, 0.3) for one in range(-6, 7))
    scores = tuple(fit - 0.01 * abs(one) for fit, one in zip(harmonic, range(-6, 7), strict=True))
    best = max(range(-3, 4), key=lambda one: scores[one + 6])
    widest = max(range(-6, 7), key=lambda one: scores[one + 6])
    return ShiftScores(tuple(range(-6, 7)), harmonic, scores, best, widest, SPLIT.get(widest, (best, 0)), pitched)


def sides(sung: str | None = "C major", played: str | None = "C major") -> tuple[Voice, Backing]:
    from dataclasses import replace

    sings, plays = voice(sung_bars([4]), grid()), backing(grid())
    sings = replace(sings, sound=replace(sings.sound, key=sung))
    return sings, replace(plays, sound=replace(plays.sound, key=played))


def test_the_best_shift_is_told_with_keys_and_numbers() -> None:
    found = shifts(sides("G minor", "A minor"), songs(), scored({2: 0.72, 0: 0.31}), Wishes())
    assert (found[0].vocal_semitones, found[0].instrumental_semitones, found[0].relative) == (2.0, 0.0, 2)
    assert found[0].reasons == (
        "Vocals go up 2 semitones: G minor (6A) as A minor (8A) over A minor (8A), the same key; harmonic fit 0.72 "
        "instead of 0.31 unshifted.",
    )
    assert (found[0].rejections[0].what, found[0].rejections[0].why) == ("shift 0", "harmonic fit 0.31 against 0.72.")
    assert len(found) == 1


def test_nothing_is_shifted_where_nothing_has_a_pitch() -> None:
    found = shifts(sides(), songs(), scored({3: 0.9}, pitched=False), Wishes())
    assert [one.vocal_semitones for one in found] == [0.0]
    assert "no pitches" in found[0].reasons[0]


@pytest.mark.parametrize(("widest", "vocal", "instrumental"), [(5, 3, -2), (-5, -3, 2), (4, 2, -2), (6, 3, -3)])
def test_a_wide_shift_is_split_between_both(widest: int, vocal: int, instrumental: int) -> None:
    found = shifts(sides(None, None), songs(), scored({widest: 0.9, 1: 0.5}), Wishes())
    assert (found[0].vocal_semitones, found[0].instrumental_semitones) == (vocal, instrumental)
    assert found[0].relative == widest == vocal - instrumental
    assert "without its drums" in found[0].reasons[0]
    assert found[1].vocal_semitones == 1


def test_drums_are_never_shifted() -> None:
    alone = songs(layers=("instrumental",))
    assert can_shift(songs()[1])
    assert not can_shift(alone[1])
    assert not can_shift(songs(layers=("drums",))[1])
    found = shifts(sides(), alone, scored({5: 0.9, 1: 0.5}), Wishes())
    assert all(one.instrumental_semitones == 0 and abs(one.vocal_semitones) <= 3 for one in found)
    assert "split between both" in found[0].rejections[0].what
    assert "0.90" in found[0].rejections[0].why


def test_what_fits_nearly_as_well_is_an_alternative() -> None:
    found = shifts(sides(None), songs(), scored({0: 0.7, -2: 0.7}), Wishes())
    assert [one.vocal_semitones for one in found] == [0.0, -2.0]


def test_names_of_keys_weigh_less_than_what_is_heard() -> None:
    nearly, clearly = scored({0: 0.5, 3: 0.7}), scored({0: 0.3, 3: 0.9})
    assert shifts(sides("G minor", "G minor"), songs(), nearly, Wishes())[0].relative == 0
    assert shifts(sides("G minor", None), songs(), nearly, Wishes())[0].relative == 3
    assert shifts(sides("G minor", "G minor"), songs(), clearly, Wishes())[0].relative == 3


def test_a_person_decides() -> None:
    found = shifts(sides(), songs(), scored({2: 0.9}), Wishes(vocal_shift_semitones=-1.5))
    assert [(one.vocal_semitones, one.instrumental_semitones) for one in found] == [(-1.5, 0.0)]
    assert "A person wants" in found[0].reasons[0]


@pytest.mark.parametrize(
    ("sung", "played", "shift"), [(0.0, 20.0, 0.2), (15.0, -15.0, -0.3), (3.0, -3.0, 0.0), (-40.0, 40.0, 0.0)]
)
def test_tunings_are_evened_out(sung: float, played: float, shift: float) -> None:
    results: Any = tuple({"key": SimpleNamespace(tuning_cents=cents)} for cents in (sung, played))
    found = shifts(sides(), songs(results), scored({1: 0.9}), Wishes())
    assert found[0].vocal_semitones == pytest.approx(1 + shift)


def test_keys_move_and_stand_to_each_other() -> None:
    assert [moved("B minor", one) for one in (1, -2, 12)] == ["C minor", "A minor", "B minor"]
    assert {moved(key, 5 - 5) for key in KEYS} == set(KEYS)
    assert relation("A minor", "A minor") == "the same key"
    assert relation("A minor", "C major") == "its relative key"
    assert relation("E minor", "A minor") == "neighbours on the Camelot wheel"
    assert "do not go together by name" in relation("C major", "F# major")


@pytest.mark.parametrize("key", [None, "no key at all"])
def test_without_names_the_numbers_are_enough(key: str | None) -> None:
    found = shifts(sides(key, "C major"), songs(), scored({2: 0.8}), Wishes())
    assert found[0].reasons[0] == "Vocals go up 2 semitones; harmonic fit 0.80 instead of 0.30 unshifted."


def key_path(*parts: tuple[float, float, str | None]) -> dict[str, Any]:
    spans = np.array([part[:2] for part in parts], np.float64).reshape(-1, 2)
    return {"key": SimpleNamespace(intervals_s=spans, names=tuple(part[2] for part in parts))}


def test_where_the_keys_move() -> None:
    path = key_path(
        (0, 60, "C major"), (60, 90, "D major"), (90, 120, "A minor"), (120, 130, None), (130, 160, "G major")
    )
    assert moves(path, (10, 20)) == 0
    assert moves(path, (62, 80)) == 2
    assert moves(path, (50, 66)) == 0
    assert moves(path, (55, 80)) == 2
    assert moves(path, (95, 110)) == 0
    assert moves(path, (121, 129)) == 0
    assert moves(path, (131, 150)) == 0
    assert moves({}, (0, 1)) == 0
    assert moves(key_path((0, 60, "C major")), (0, 10)) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"tempo_bpm": 0.0},
        {"tempo_bpm": float("nan")},
        {"vocal_shift_semitones": 40.0},
        {"target_lufs": 3.0},
        {"ceiling_dbtp": 1.0},
        {"vocal_to_backing_lu": float("inf")},
        {"name": "x" * 300},
    ],
)
def test_wishes_that_nobody_can_fulfil(wrong: dict[str, Any]) -> None:
    with pytest.raises(WrongUsage):
        Wishes(**wrong)
    assert Wishes().target_lufs == -14.0
