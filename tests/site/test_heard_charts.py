"""Charts of what models heard."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from processor.analysis.frames import Frames
from processor.analysis.vocals import Vocals
from processor.site.charts import Timeline
from processor.site.charts.heard import MOST_ROWS, arrangement_chart, voice_chart
from tests.libraries import HOSTILE, song_results

TEN = Timeline(10.0)


def frames(names: tuple[str, ...], top: list[list[float]]) -> dict[str, Any]:
    found: Frames = song_results()["frames"]
    return {"frames": replace(found, tag_names=names, top_tags=np.array(top))}


NONE = np.nan
DRUMS_THEN_VOICE = frames(("singing", "drums"), [[1.0, NONE, NONE]] * 4 + [[NONE] * 3] * 2 + [[0.0, 1.0, NONE]] * 4)


def test_each_tag_has_a_row_with_its_stretches() -> None:
    chart = arrangement_chart(DRUMS_THEN_VOICE, TEN)
    assert chart is not None
    assert chart.drawing.count("<rect") == 3
    assert chart.drawing.index(">drums<") < chart.drawing.index(">singing<")
    assert "0:00–0:04" in chart.drawing
    assert "drums in 8 of 10 s, singing in 4 of 10 s" in chart.summary
    assert 'data-time="6"' in chart.drawing


def test_so_many_rows_and_no_more() -> None:
    names = tuple(f"tag {number}" for number in range(12))
    chart = arrangement_chart(frames(names, [[float(n), NONE, NONE] for n in range(12)]), Timeline(12.0))
    assert chart is not None
    assert chart.drawing.count("<rect") == MOST_ROWS


def test_names_are_text() -> None:
    chart = arrangement_chart(frames((HOSTILE,), [[0.0, NONE, NONE]] * 10), TEN)
    assert chart is not None
    assert "<script" not in chart.drawing


def test_without_tags_there_is_none() -> None:
    assert arrangement_chart({}, TEN) is None
    assert arrangement_chart(frames((), [[NONE] * 3] * 10), TEN) is None
    assert arrangement_chart(frames(("drums",), [[NONE] * 3] * 10), TEN) is None


def voice(**changes: Any) -> dict[str, Any]:
    made = Vocals(
        present=True,
        confidence=0.9,
        share=0.4,
        kind="singing",
        evidence=("vocal stem −6 dB (+2.0)",),
        intervals_s=np.array([[2.0, 6.0]]),
        presence=np.array([0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
    )
    return {"vocals": replace(made, **changes)}


def test_a_voice_is_marked_where_it_is() -> None:
    chart = voice_chart(voice(), TEN)
    assert chart is not None
    assert "A voice: 1" in chart.summary
    assert 'data-time="2"' in chart.drawing


def test_without_a_word_on_a_voice_there_is_no_chart() -> None:
    assert voice_chart({}, TEN) is None
    assert voice_chart(voice(present=None), TEN) is None
