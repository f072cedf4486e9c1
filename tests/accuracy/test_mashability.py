"""The measures of the tool that measures matching, on numbers whose answer is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from processor.analysis.phrases import Grid
from tests import signals
from tests.accuracy.mashability import added, auc, main, moved, stems_of


@pytest.mark.parametrize(
    ("above", "below", "expected"),
    [
        ([2, 3], [0, 1], 1.0),
        ([0, 1], [2, 3], 0.0),
        ([1], [1], 0.5),
        ([1, 3], [2, 0, 2], 4 / 6),
        ([1], [0, 1, 2, 3], 3 / 8),
    ],
)
def test_how_often_one_is_above_the_other(above: list[float], below: list[float], expected: float) -> None:
    assert auc(np.array(above, np.float64), np.array(below, np.float64)) == pytest.approx(expected)


def test_nothing_has_no_area() -> None:
    assert np.isnan(auc(np.empty(0), np.ones(3)))


def test_a_lead_and_the_rest_are_needed() -> None:
    assert stems_of({"truth": {"stems": {"lead guitar": "a", "bass": "b", "drums": "c"}}}) == ("a", ["b", "c"])
    assert stems_of({"truth": {"stems": {"vocals": "a"}}}) is None
    assert stems_of({"truth": {"stems": {"bass": "b", "drums": "c"}}}) is None
    assert stems_of({}) is None


def test_a_late_voice_is_heard_by_earlier_bars() -> None:
    grid = Grid(np.linspace(1.0, 9.0, 17), 4)
    assert np.allclose(moved(grid, late_beats=1.0).beats_s, grid.beats_s - 0.5)
    assert moved(grid, fast=1.1).beats_s[-1] == pytest.approx(1 + 8 * 1.1)


def test_stems_are_added_in_stereo() -> None:
    mono, both = signals.audio(signals.sine(440, 1.0)), signals.audio(signals.sine(440, 0.5, channels=2))
    found = added([mono, both])
    assert found.samples.shape == (2, both.frames)
    assert np.allclose(found.samples, 2 * both.samples)


def test_one_song_is_no_comparison(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps([{"id": "a", "file": "a.wav"}]))
    assert main([str(tmp_path / "manifest.json")]) == 2
    assert "fewer than two songs" in capsys.readouterr().err
    assert main([str(tmp_path / "none.json")]) == 2
