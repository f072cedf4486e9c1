"""Charts over frequency: bars at their band, references where the facts put them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from processor.site.charts import LEFT, RIGHT, WIDTH
from processor.site.charts.bands import (
    SPECTRUM_HZ,
    Panel,
    Spectrum,
    band_panel,
    frequency_x,
    hit_levels,
    share_bar,
    spectrum_chart,
)
from tests.site.drawings import blocks, drawn, shapes, stretches, ticks


def third_octaves() -> np.ndarray[Any, Any]:
    return np.asarray(1000.0 * 10 ** (np.arange(-17, 14) / 10))


def test_a_spectrum_has_a_bar_a_third_octave_at_its_frequency() -> None:
    centres = third_octaves()
    levels = np.full(centres.size, -60.0)
    levels[17] = -20.0
    chart = drawn(spectrum_chart(Spectrum(centres, levels)))
    bars = [part for d in re.findall(r'<path class="b[0-5] third" d="([^"]*)"', chart.drawing) for part in d.split("z")]
    highest = min((part for part in bars if part), key=lambda part: float(re.findall(r"V([0-9.]+)H", part)[0]))
    left, right = float(highest[1:].split()[0]), float(re.findall(r"H([0-9.]+)V", highest)[0])
    assert (left + right) / 2 == pytest.approx(frequency_x(1000.0), abs=0.1)
    assert float(re.findall(r"V([0-9.]+)H", highest)[0]) == pytest.approx(ticks(chart)["−20"], abs=0.1)
    assert "highest at 1 kHz with −20.0 dB" in chart.summary


def test_frequency_is_logarithmic() -> None:
    assert frequency_x(SPECTRUM_HZ[0]) == LEFT
    assert frequency_x(SPECTRUM_HZ[1]) == pytest.approx(WIDTH - RIGHT)
    assert frequency_x(200) - frequency_x(100) == pytest.approx(frequency_x(4000) - frequency_x(2000))


def test_the_reference_is_that_of_hit_recordings_as_third_octaves() -> None:
    """The facts name 1 kHz as 9 dB below 200 Hz in power density; third-octaves there are 5 times as wide."""
    assert hit_levels(np.array([200.0]))[0] == pytest.approx(0.0)
    assert hit_levels(np.array([1000.0]))[0] == pytest.approx(-9.0 + 10 * np.log10(5), abs=0.01)
    assert hit_levels(np.array([50.0]))[0] == pytest.approx(2.1 - 10 * np.log10(4), abs=0.01)


def test_a_hit_like_spectrum_lies_in_the_middle_of_the_corridor() -> None:
    centres = third_octaves()
    chart = spectrum_chart(Spectrum(centres, hit_levels(centres) - 30.0, tilt_db_per_octave=-4.5))
    [middle] = stretches(chart, "hits")
    scale_y = ticks(chart)
    slope = (scale_y["−40"] - scale_y["−30"]) / 10
    expected = scale_y["−30"] - slope * (float(hit_levels(np.array([1000.0]))[0]))
    _, y = min(middle, key=lambda point: abs(point[0] - frequency_x(1000.0)))
    assert y == pytest.approx(expected, abs=slope)
    assert "an octave" in drawn(chart).legend[-1].text


def test_a_tone_has_no_corridor() -> None:
    levels = np.full(31, np.nan)
    levels[17] = -20.0
    chart = spectrum_chart(Spectrum(third_octaves(), levels))
    assert not shapes(chart, "corridor")
    assert spectrum_chart(Spectrum(third_octaves(), np.full(31, np.nan))) is None


def test_panels_show_where_a_value_is_and_flag_a_fault() -> None:
    panel = Panel("Correlation", "", -1.0, 1.0, digits=2, bad_below=0.0)
    chart = drawn(band_panel(panel, [1.0, None, 0.5, 0.0, -0.5, -1.0]))
    found = blocks(chart)
    assert [one["class"] for one in found] == ["b0", "b2", "b3", "b4 flagged", "b5 flagged"]
    full, half = float(found[0]["width"]), float(found[1]["width"])
    assert half == pytest.approx(full / 2, abs=0.1)
    assert float(found[3]["x"]) == pytest.approx(float(found[0]["x"]) - half, abs=0.1)
    assert "Sub 1.00, Bass —" in chart.summary
    assert band_panel(panel, [None] * 6) is None


def test_the_bar_of_the_six_bands_adds_up() -> None:
    bar = share_bar([50.0, 25.0, 25.0, 0.0, None, float("nan")])
    assert bar is not None
    assert re.findall(r'x="([0-9.]+)" width="([0-9.]+)"', bar) == [
        ("0.00", "50.00"),
        ("50.00", "25.00"),
        ("75.00", "25.00"),
    ]
    assert share_bar([None] * 6) is None
