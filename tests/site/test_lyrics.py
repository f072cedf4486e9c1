"""Words that a model heard, on a track's page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processor.analysis.lyrics import Lyrics
from processor.site.lyrics import lyric_lines
from processor.site.track import track_page
from processor.workspace import Workspace
from tests.libraries import HOSTILE, invented, make_track


def heard(texts: list[str], **changes: Any) -> Lyrics:
    count = len(texts)
    made: Lyrics = replace(
        invented(Lyrics),
        texts=np.array(texts, np.str_),
        intervals_s=np.array([[10.0 * n, 10.0 * n + 5] for n in range(count)]).reshape(-1, 2),
        confidences=np.linspace(0.9, 0.5, count),
    )
    return replace(made, **changes)


def page(tmp_path: Path, found: Lyrics) -> str:
    html = track_page(make_track(Workspace(tmp_path), "Song.wav", results={"lyrics": found}))
    return html.partition('id="lyrics"')[2].partition("</section>")[0]


def test_each_line_has_its_time(tmp_path: Path) -> None:
    shown = page(tmp_path, heard(["They said, come back", "and I said"]))
    assert shown.count("<li") == 2
    assert shown.index('data-time="0"') < shown.index("They said, come back") < shown.index('data-time="10"')


def test_what_is_doubtful_is_grey() -> None:
    assert [is_sure for *_, is_sure in lyric_lines(heard(["a", "b"]))] == [True, False]


def test_words_run_nothing(tmp_path: Path) -> None:
    shown = page(tmp_path, heard([HOSTILE]))
    assert "<script" not in shown
    assert "\u202e" not in shown


def test_a_long_set_ends_somewhere(tmp_path: Path) -> None:
    shown = page(tmp_path, heard(["word"] * 310))
    assert shown.count("<li") == 300
    assert "and 10 more" in shown


@pytest.mark.parametrize("times", [np.zeros(0), np.array([1.0, 2.0]), np.array([[np.nan, 1.0]])])
def test_without_times_there_are_no_lines(tmp_path: Path, times: Any) -> None:
    found = heard(["word"], intervals_s=times)
    assert lyric_lines(found) == []
    assert "<ol" not in page(tmp_path, found)
