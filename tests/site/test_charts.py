"""Charts: the drawing is where the numbers are."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from processor.analysis import result_types
from processor.site.charts import (
    HEIGHT,
    LEFT,
    MAX_POINTS,
    RIGHT,
    WIDTH,
    Figures,
    Timeline,
    clock,
    length_text,
    time_chart,
)
from processor.site.charts.bands import Panel, band_panel
from processor.site.charts.blocks import MAX_BLOCKS, Block, section_map, strip
from processor.site.charts.curves import MAX_MARKS, Axis, Curve, Level, Marks, curves_chart
from processor.site.charts.frame import BOTTOM, TOP, number_text, reduced, round_scale, time_text
from processor.site.charts.music import chord_name, relation, root_style
from processor.site.charts.pictures import spectrogram_chart
from tests.libraries import HOSTILE, invented
from tests.site.drawings import blocks, drawn, shapes, stretches, ticks

PLOT = WIDTH - LEFT - RIGHT
TEN = Timeline(10.0)


def test_time_goes_right_and_level_goes_up() -> None:
    chart = time_chart(np.array([-30.0, -20.0, -10.0]), step_s=1.0, start_s=0.0, label="Loudness", unit="LUFS")
    [[(x0, y0), (x1, y1), (x2, y2)]] = stretches(chart)
    assert (x0, x1, x2) == (LEFT, LEFT + PLOT / 2, WIDTH - RIGHT)
    assert y0 > y1 > y2
    assert ticks(chart)["−30"] == pytest.approx(y0, abs=0.06)
    assert ticks(chart)["−10"] == pytest.approx(y2, abs=0.06)
    assert "−30.0 to −10.0 LUFS" in drawn(chart).summary
    assert drawn(chart).title == "Loudness in LUFS"


def test_charts_of_a_track_share_its_time() -> None:
    chart = time_chart(np.array([1.0, 2.0]), step_s=1.0, start_s=1.5, label="x", unit="dB", duration_s=10.0)
    [[(x0, _), (x1, _)]] = stretches(chart)
    assert (x0, x1) == (pytest.approx(LEFT + PLOT * 0.15, abs=0.06), pytest.approx(LEFT + PLOT * 0.25, abs=0.06))
    assert (drawn(chart).duration_s, drawn(chart).left, drawn(chart).right) == (10.0, LEFT, WIDTH - RIGHT)


def test_a_gap_divides_the_line_and_a_lone_value_is_a_dot() -> None:
    values = np.array([np.nan, 1.0, 2.0, np.nan, 3.0, np.nan])
    chart = time_chart(values, step_s=1.0, start_s=0.0, label="x", unit="dB")
    assert [len(part) for part in stretches(chart)] == [2, 1]
    assert shapes(chart, "line1")[0].endswith("h0")


def test_long_curves_keep_their_peaks_and_say_so() -> None:
    values = np.full(7200, -20.0)
    values[5001] = -3.0
    chart = time_chart(values, step_s=1.0, start_s=1.5, label="Loudness", unit="LUFS")
    [line] = stretches(chart)
    assert len(line) <= MAX_POINTS
    assert "highest of 20 values" in drawn(chart).note
    top = min(line, key=lambda point: point[1])
    assert top[0] == pytest.approx(LEFT + PLOT * 5001 / 7200, abs=2)
    assert top[1] == pytest.approx(ticks(chart)["−20"] - (ticks(chart)["−20"] - ticks(chart)["−5"]) * 17 / 15, abs=0.2)


@pytest.mark.parametrize(("keep", "value"), [("highest", 9.0), ("lowest", -9.0), ("mean", 1 / 3)])
def test_what_stands_for_several_values(keep: str, value: float) -> None:
    values = np.tile([np.nan, 9.0, 1.0, -9.0], 300)
    found, factor = reduced(values, keep)
    assert factor == 4
    assert found.tolist() == pytest.approx([value] * 300)


def test_gaps_stay_gaps_when_reduced() -> None:
    values = np.ones(1000)
    values[300:600] = np.nan
    found, factor = reduced(values, "highest")
    assert factor == 3
    assert np.flatnonzero(np.isnan(found)).tolist() == list(range(100, 200))


@pytest.mark.parametrize("values", [[], [1.0], [np.nan, np.nan]])
def test_nothing_is_drawn_of_nothing(values: list[float]) -> None:
    assert time_chart(np.array(values), step_s=1.0, start_s=0.0, label="x", unit="dB") is None


@pytest.mark.parametrize("level", [0.0, -70.0, 1e-9, 5e6])
def test_a_flat_line_has_a_scale(level: float) -> None:
    chart = time_chart(np.full(10, level), step_s=1.0, start_s=0.0, label="x", unit="dB")
    assert len(ticks(chart)) >= 2
    [line] = stretches(chart)
    assert all(TOP <= y <= HEIGHT - BOTTOM for _, y in line)


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (-1.0, 1.0, ["−1.0", "−0.5", "0.0", "0.5", "1.0"]),
        (0.0, 0.042, ["0.00", "0.01", "0.02", "0.03", "0.04", "0.05"]),
        (-13.0, -4.0, ["−14", "−12", "−10", "−8", "−6", "−4"]),
        (118.0, 122.0, ["118", "119", "120", "121", "122"]),
        (0.0, 100.0, ["0", "20", "40", "60", "80", "100"]),
    ],
)
def test_axes_have_round_marks(low: float, high: float, texts: list[str]) -> None:
    assert [tick.text for tick in round_scale(low, high).ticks()] == texts


def test_an_empty_unit_leaves_no_trace() -> None:
    axis = Axis("", low=-1.0, high=1.0, digits=2)
    chart = drawn(curves_chart("Correlation", [Curve("c", np.array([-0.25, 1.0]))], axis, TEN))
    assert chart.title == "Correlation"
    assert chart.summary == "Correlation over 0:10: −0.25 to 1.00."


def test_several_lines_share_an_axis_and_have_a_legend() -> None:
    curves = [Curve("Low", np.array([0.0, 10.0])), Curve("High", np.array([90.0, 100.0]))]
    level = Level(50.0, "Half", must_show=True)
    chart = drawn(curves_chart("Both", curves, Axis("%", levels=[level]), TEN))
    assert [key.text for key in chart.legend] == ["Low", "High", "Half"]
    [[(_, low), _]], [[_, (_, high)]] = stretches(chart, "line1"), stretches(chart, "line2")
    assert (low, high) == (HEIGHT - BOTTOM, TOP)
    [across] = shapes(chart, "level")
    assert across == f"M{LEFT} {(low + high) / 2:.1f}H{WIDTH - RIGHT}"
    assert "Half 50.0 %" in chart.summary


def test_a_level_that_is_off_the_axis_is_left_out_unless_it_must_be_shown() -> None:
    line = [Curve("x", np.array([0.0, 10.0]))]
    assert not shapes(curves_chart("x", line, Axis("", levels=[Level(500.0, "far")]), TEN), "level")
    assert shapes(curves_chart("x", line, Axis("", levels=[Level(500.0, "far", must_show=True)]), TEN), "level")


def test_a_steady_tempo_looks_steady() -> None:
    chart = curves_chart("x", [Curve("x", np.array([120.0, 120.01]))], Axis("BPM", least_span=5.0), TEN)
    [[(_, first), (_, second)]] = stretches(chart)
    assert abs(first - second) < 1


def test_an_axis_that_begins_at_0_still_does_when_widened() -> None:
    chart = curves_chart("x", [Curve("x", np.array([0.76, 0.76]))], Axis("s", low=0.0, least_span=1.0), TEN)
    assert list(ticks(chart)) == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]


def test_marks_seek_and_too_many_become_one_shape() -> None:
    line = [Curve("x", np.array([0.0, 1.0]))]
    few = curves_chart("x", line, Axis("", marks=[Marks("Clipped", [(2.5, 3.0), (9.0, 9.0)])]), TEN)
    first, second = blocks(few)
    assert first["data-time"] == "2.5"
    assert float(first["x"]) == pytest.approx(LEFT + PLOT * 0.25, abs=0.06)
    assert float(first["width"]) == pytest.approx(PLOT * 0.05, abs=0.06)
    assert float(second["width"]) == 2.0, "what is too short to be seen is widened"
    assert "Clipped: 2" in drawn(few).summary
    close = curves_chart("x", line, Axis("", marks=[Marks("Clipped", [(1.0, 1.5), (1.51, 2.0)])]), TEN)
    assert [float(one["width"]) for one in blocks(close)] == [pytest.approx(PLOT * 0.1, abs=0.06)]
    spans = [(i / 20, i / 20 + 0.01) for i in range(MAX_MARKS + 1)]
    many = curves_chart("x", line, Axis("", marks=[Marks("Clipped", spans)]), TEN)
    assert not blocks(many)
    assert shapes(many, "bad")


def test_blocks_have_their_place_hint_and_text() -> None:
    found = [Block(0.0, 5.0, "Am", "Am, 0:00", "r9 minor-key"), Block(5.0, 5.1, "Cmaj7", "Cmaj7, 0:05", "r0")]
    chart = drawn(strip("Chords", "two chords", found, TEN))
    first, second = blocks(chart)
    assert (float(first["x"]), second["data-time"]) == (LEFT, "5")
    assert float(first["width"]) == pytest.approx(PLOT / 2 - 0.6, abs=0.06)
    assert "<title>Cmaj7, 0:05</title>" in chart.drawing
    assert ">Am</text>" in chart.drawing
    assert ">Cmaj7</text>" not in chart.drawing, "there is no room for it"
    assert strip("Chords", "none", [], TEN) is None


def test_a_long_set_of_chords_stays_small() -> None:
    found = [Block(i / 4, i / 4 + 0.25, "C", "C", f"r{i % 12}") for i in range(4 * (MAX_BLOCKS + 1))]
    chart = drawn(strip("Chords", "many", found, Timeline(MAX_BLOCKS + 1.0)))
    assert chart.drawing.count("<path class=") == 12
    assert len(chart.drawing) < 50 * len(found)


def test_arcs_join_sections_of_one_letter() -> None:
    found = [
        Block(0.0, 2.0, "A", "A", "s0", 1, "A"),
        Block(2.0, 4.0, "B", "B", "once", 2, "B"),
        Block(4.0, 10.0, "A", "A", "s0", 3, "A"),
    ]
    chart = drawn(section_map("Form", "A B A", found, TEN))
    [arc] = shapes(chart, "arc s0")
    start, end = re.findall(r"M([0-9.]+) .* ([0-9.]+) [0-9.]+$", arc)[0]
    assert float(start) == pytest.approx(LEFT + PLOT * 0.1, abs=0.06)
    assert float(end) == pytest.approx(LEFT + PLOT * 0.7, abs=0.06)
    assert [one["data-section"] for one in blocks(chart)] == ["1", "2", "3"]


def test_text_from_a_record_is_only_text() -> None:
    found = [Block(0.0, 10.0, HOSTILE, HOSTILE, "r0")]
    chart = drawn(strip("Chords", "", found, TEN))
    assert "<script" not in chart.drawing
    assert "<img" not in chart.drawing
    panel = drawn(band_panel(Panel("x", "", 0.0, 1.0), [0.5], [HOSTILE]))
    assert "<script" not in panel.drawing
    picture = drawn(spectrogram_chart(f'x"{HOSTILE}', np.array([100.0, 200.0]), TEN))
    assert "<script" not in picture.drawing


def a_track(**changes: Any) -> Figures:
    """A track of 100 s, of invented results with these changed: `analyser__field=value`."""
    results = {name: invented(kind) for name, kind in result_types().items()}
    for key, value in ({"source__duration_s": 100.0} | changes).items():
        name, _, field = key.partition("__")
        results[name] = replace(results[name], **{field: value})
    return Figures(results)


def test_whatever_a_record_holds_no_chart_fails() -> None:
    """Invented results have curves of the wrong shape and lists of the wrong length."""
    figures = a_track()
    for name in ("loudness", "clipping", "spectrum", "correlation", "tempo", "keys", "chords", "sections", "novelty"):
        getattr(figures, name)()
    for name in ("onsets", "crest", "character", "saturation", "decay", "stereo_panels", "production_rows"):
        getattr(figures, name)()
    assert Figures({}).timeline.duration_s > 0


def test_beats_and_downbeats_stand_at_their_times() -> None:
    beats = np.arange(0.0, 100.0, 0.5)
    figures = a_track(
        beats__beats_s=beats,
        beats__downbeats_s=beats[::4],
        beats__tempo_curve_bpm=np.full(beats.size, 120.0),
        beats__tempo_bpm=120.0,
    )
    chart = figures.tempo()
    [ticks_], [tall] = shapes(chart, "beat"), shapes(chart, "downbeat")
    assert ticks_.count("M") == 200
    assert [float(x) for x in re.findall(r"M([0-9.]+) ", tall)][:2] == [
        LEFT,
        pytest.approx(LEFT + PLOT * 0.02, abs=0.06),
    ]
    assert "Tempo 120.00 BPM" in drawn(chart).legend[1].text


def test_chords_are_named_as_musicians_do_and_coloured_by_root() -> None:
    figures = a_track(
        chords__intervals_s=np.array([[0.0, 50.0], [50.0, 90.0], [90.0, 100.0]]), chords__labels=("A:min", "C:maj", "N")
    )
    assert [name for _, _, name, _ in figures.chord_list()] == ["Am", "C", "–"]
    assert [one["class"] for one in blocks(figures.chords())] == ["r9 minor-key", "r0", "none"]
    assert "3 chords, of 3 kinds" in drawn(figures.chords()).summary


@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("C#:maj", "r1"),
        ("Db major", "r1"),
        ("B", "r11"),
        ("F# minor", "r6 minor-key"),
        ("text 3", "none"),
        (None, "none"),
    ],
)
def test_a_root_has_one_colour_however_it_is_spelt(name: str | None, style: str) -> None:
    assert root_style(name) == style


def test_sections_of_one_letter_share_a_colour_and_silence_has_none() -> None:
    figures = a_track(
        sections__intervals_s=np.array([[0.0, 20.0], [20.0, 40.0], [40.0, 60.0], [60.0, 99.0], [99.0, 100.0]]),
        sections__labels=("A", "B", "A", "C", "silence"),
        sections__roles=("intro", "verse", "section", "section", "silence"),
        sections__role_confidences=(0.5, 0.5, 0.0, 0.0, 1.0),
    )
    assert [one.style for one in figures.section_list()] == ["s0", "s1", "s0", "s2", "none"]
    assert [one.text for one in figures.section_list()] == ["A intro", "B verse", "A", "C", ""]
    assert drawn(figures.sections()).summary == "5 sections over 1:40: A B A C –."
    assert figures.timeline.cuts_s == (20.0, 40.0, 60.0, 99.0)
    assert 'class="cut"' in drawn(figures.loudness()).drawing


def test_out_of_phase_is_marked_where_it_is() -> None:
    figures = a_track(
        stereo__correlations=np.linspace(-1, 1, 98), stereo__negative_intervals_s=np.array([[10.0, 30.0]])
    )
    [mark] = blocks(figures.correlation())
    assert mark["data-time"] == "10"
    assert list(ticks(figures.correlation())) == ["−1.0", "−0.5", "0.0", "0.5", "1.0"]


def test_onsets_are_counted_by_second() -> None:
    figures = a_track(transients__onsets_s=np.array([0.1, 0.2, 0.3, 50.5]))
    [bars] = re.findall('<path class="onsets"[^>]* d="([^"]*)"', drawn(figures.onsets()).drawing)
    (x, top), (x2, lower) = re.findall(r"M([0-9.]+) [0-9]+V([0-9.]+)", bars)
    assert [float(x), float(x2)] == pytest.approx([LEFT + PLOT * 0.005, LEFT + PLOT * 0.505], abs=0.06)
    scale = ticks(figures.onsets())
    assert [float(top), float(lower)] == pytest.approx([scale["3"], scale["1"]], abs=0.06)
    assert "up to 3.0" in drawn(figures.onsets()).summary


def test_a_key_mixes_with_its_neighbours_on_the_wheel() -> None:
    assert a_track(key__camelot="8A").mixes_with() == ["7A", "9A", "8B"]
    assert a_track(key__camelot="12B").mixes_with() == ["11B", "1B", "12A"]
    assert a_track(key__camelot="1A").mixes_with() == ["12A", "2A", "1B"]
    assert a_track(key__camelot=None).mixes_with() == []


def test_candidates_say_what_they_are_to_the_first() -> None:
    figures = a_track(beats__candidates=(120.0, 60.0, 180.5), beats__candidate_weights=(0.7, 0.2, 0.1))
    assert [one.relation for one in figures.candidates()] == ["the tempo", "half", "3 : 2"]
    assert relation(1.12) == "1.12 times"


def test_pictures_are_drawn_only_where_there_are_some() -> None:
    assert a_track().spectrogram() is None
    chart = drawn(spectrogram_chart("../media/x.png", np.array([100.0, 1000.0, 10_000.0]), TEN))
    assert 'href="../media/x.png"' in chart.drawing
    heights = {text: float(y) for y, text in re.findall(r'y="([0-9.]+)" text-anchor="end">([0-9k]+)<', chart.drawing)}
    assert heights["100"] - heights["1k"] == pytest.approx(heights["1k"] - heights["10k"], abs=0.2)
    assert heights["100"] > heights["10k"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3599.5, "1:00:00"), (7265, "2:01:05")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "0"), (12.3456, "12.35"), (12.3, "12.3"), (120.0, "120")])
def test_times_for_links(seconds: float, text: str) -> None:
    assert time_text(seconds) == text


def test_numbers_and_chords_as_text() -> None:
    assert number_text(-0.5, 0.5) == "−0.5"
    assert number_text(-0.0) == "0"
    assert [chord_name(label) for label in ("G:maj", "F#:min", "N", "D:sus4")] == ["G", "F#m", "–", "Dsus4"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0:00"), (0.0001, "0.0001\u00a0s"), (0.3, "0.3\u00a0s"), (1.0, "0:01"), (75.2, "1:15")]
)
def test_a_length_below_a_second_is_not_zero(seconds: float, text: str) -> None:
    assert length_text(seconds) == text


def test_the_first_time_stands_beside_the_play_head() -> None:
    chart = drawn(time_chart(np.zeros(60), step_s=1.0, start_s=0.0, label="Level", unit="dB"))
    first = re.search(r'x="([0-9.]+)"[^>]*text-anchor="start">0:00<', chart.drawing)
    assert first is not None
    assert float(first[1]) > LEFT
