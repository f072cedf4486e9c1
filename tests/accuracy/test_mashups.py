"""The command that says what mashups come out as: which pairs it makes, and its table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from processor.mashup.measured import Measured
from tests.accuracy import mashups
from tests.accuracy.mashups import Row, cells, change, fitting, story, text, true_ms
from tests.accuracy.truth import Item
from tests.mashup.landed import plan

FINE = Measured(
    60.0, 108.0, 0.9, "A minor", 0.9, -14.0, -1.0, 2.0, 3.0, 6.0, 5.0, "the beats", 0.0, (0.0,) * 6, 0.9, 0, 4, ()
)


def item(name: str, bpm: float | None) -> Item:
    return Item(name, Path(name), "x", bpm=bpm)


@pytest.mark.parametrize(("voice", "backing", "ratio"), [(120, 126, 1.05), (90, 180, 1.0), (180, 87, 87 / 90)])
def test_half_and_double_time_count_as_near(voice: float, backing: float, ratio: float) -> None:
    assert change(voice, backing) == pytest.approx(np.log(ratio))


def test_pairs_follow_from_the_tempi() -> None:
    items = {one.id: one for one in (item("a", 120), item("b", 122), item("c", 132), item("d", 150), item("e", None))}
    parts = {"vocals": [Path("v")], "drums": [Path("d")]}
    true = {"a": parts, "b": parts, "c": {"drums": [], "bass": []}, "d": {"drums": [], "bass": []}, "e": parts}
    assert fitting(items, true, 9) == [("a", "b"), ("b", "a"), ("a", "c"), ("b", "c")]
    assert fitting(items, true, 1) == [("a", "b")]
    assert fitting({}, {}, 5) == []


def test_true_beats_that_are_met_are_no_way_apart() -> None:
    made = plan()
    voice, backing = (np.array(one.grid.beats_s) for one in (made.vocals, made.instrumental))
    assert true_ms(made, voice, backing) == pytest.approx(0, abs=0.01)
    assert true_ms(made, voice + 0.02, backing) == pytest.approx(20 * 100 / 108, abs=0.1)
    assert true_ms(made, voice, backing + 0.02) == pytest.approx(-20, abs=0.1)
    assert true_ms(made, None, backing) is None


def test_a_row() -> None:
    row = Row("a over b", plan(), FINE, 10.0, 20.0, 0.7, None, None)
    assert len(cells(row)) == len(mashups.COLUMNS)
    assert "108.0 → 108.0 (0.90)" in cells(row)
    assert "-7.4 %" in cells(row)
    assert text([row]).count("\n") == 3
    other = replace(row, is_same=False, measured=replace(FINE, deviations=("Too loud.",), tempo_bpm=None))
    assert "ANOTHER" in story(other)
    assert "not as planned: Too loud." in story(other)
    assert any("→ –" in cell for cell in cells(other))


def test_a_manifest_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mashups.main([str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err
