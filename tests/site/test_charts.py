"""Charts: the drawing is where the numbers are."""

from __future__ import annotations

import numpy as np
import pytest

from processor.site.charts import LEFT, MAX_POINTS, RIGHT, WIDTH, clock, time_chart


def points(line: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in line.split())]


def test_time_goes_right_and_level_goes_up() -> None:
    chart = time_chart(np.array([-30.0, -20.0, -10.0]), step_s=1.0, start_s=0.0, label="Loudness", unit="LUFS")
    assert chart is not None
    [line] = chart.lines
    (x0, y0), (_, y1), (x2, y2) = points(line)
    assert (x0, x2) == (LEFT, WIDTH - RIGHT)
    assert y0 > y1 > y2
    by_text = {tick.text: tick.at for tick in chart.levels}
    assert by_text["-30"] == pytest.approx(y0, abs=0.06)
    assert by_text["-10"] == pytest.approx(y2, abs=0.06)
    assert "-30.0 to -10.0 LUFS" in chart.summary


def test_a_gap_divides_the_line() -> None:
    chart = time_chart(
        np.array([np.nan, 1.0, 2.0, np.nan, 3.0, 4.0, np.nan]), step_s=1.0, start_s=0.0, label="x", unit="dB"
    )
    assert chart is not None
    assert [len(points(line)) for line in chart.lines] == [2, 2]


def test_long_curves_keep_their_peaks_and_say_so() -> None:
    values = np.full(7200, -20.0)
    values[5001] = -3.0
    chart = time_chart(values, step_s=1.0, start_s=1.5, label="Loudness", unit="LUFS")
    assert chart is not None
    [line] = chart.lines
    assert len(points(line)) <= MAX_POINTS
    assert "highest of 8 values" in chart.title
    top = min(points(line), key=lambda point: point[1])
    assert top[0] == pytest.approx(LEFT + (WIDTH - LEFT - RIGHT) * 5001 / 7200, abs=2)


@pytest.mark.parametrize("values", [[], [1.0], [np.nan, np.nan]])
def test_nothing_is_drawn_of_nothing(values: list[float]) -> None:
    assert time_chart(np.array(values), step_s=1.0, start_s=0.0, label="x", unit="dB") is None


@pytest.mark.parametrize("level", [0.0, -70.0, 1e-9, 5e6])
def test_a_flat_line_has_a_scale(level: float) -> None:
    chart = time_chart(np.full(10, level), step_s=1.0, start_s=0.0, label="x", unit="dB")
    assert chart is not None
    assert len(chart.levels) >= 2


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3599.5, "1:00:00"), (7265, "2:01:05")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
