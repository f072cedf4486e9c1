"""Parts of a track page: what is said of numbers, faults that seek, and what kind of sound it is."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processor.analysis import result_types
from processor.quantities import columns
from processor.site.track import track_page
from processor.workspace import Workspace
from tests.libraries import HOSTILE, make_track

TOPS, GAPS, CLICKS = "integrity__flat_top_intervals_s", "integrity__dropout_intervals_s", "integrity__clicks_s"
NOTHING = {TOPS: np.empty((0, 2)), GAPS: np.empty((0, 2)), CLICKS: np.empty(0)}
WHERE = {TOPS: "flat tops", GAPS: "gaps", CLICKS: "clicks"}


def page(folder: Path, **changes: Any) -> str:
    return track_page(make_track(Workspace(folder), "Song.wav", source__duration_s=600.0, **changes))


def section(html: str, name: str) -> str:
    found = html.partition(f'<section class="box" id="{name}"')[2].partition("</section>")[0]
    assert found
    return found


def times(html: str, what: str) -> list[str]:
    """Times of a list of a page; none where there is no list."""
    listed = re.search(rf'<p class="times"[^>]*aria-label="Times of {what}".*?</p>', html, re.DOTALL)
    return re.findall(r'data-time="([^"]*)"', listed[0]) if listed else []


def test_every_number_is_there_and_leads_to_its_meaning(tmp_path: Path) -> None:
    html = page(tmp_path)
    for name, kind in result_types().items():
        part = unescape(section(html, name))
        for column in columns(kind):
            assert column.is_curve or f'data-field="{name}.{column.name}"' in part
        assert f'<a href="../schema.html#{name}">What these numbers mean</a>' in part


@pytest.mark.parametrize(
    ("field", "found", "expected"),
    [
        (TOPS, np.array([[1.5, 2.0], [61.25, 62.0]]), ["1.5", "61.25"]),
        (GAPS, np.array([[3.0, 3.2]]), ["3"]),
        (CLICKS, np.array([0.0, 7.5, 600.0]), ["0", "7.5", "600"]),
    ],
)
def test_faults_seek(tmp_path: Path, field: str, found: Any, expected: list[str]) -> None:
    part = section(page(tmp_path, **NOTHING | {field: found}), "integrity")
    assert {name: times(part, what) for name, what in WHERE.items() if times(part, what)} == {field: expected}


def test_times_that_are_none_are_left_out(tmp_path: Path) -> None:
    odd = np.array([-1.0, np.nan, np.inf, 600.1, 5.0])
    assert times(section(page(tmp_path, **NOTHING | {CLICKS: odd}), "integrity"), "clicks") == ["5"]
    for number, shape in enumerate([np.zeros((0,)), np.full(3, 5.0), np.full((1, 2, 2), 5.0)]):
        broken = dict.fromkeys(NOTHING, shape)
        assert section(page(tmp_path / str(number), **broken), "integrity")


def test_of_many_faults_the_first_are_listed(tmp_path: Path) -> None:
    part = section(page(tmp_path, **NOTHING | {CLICKS: np.arange(300.0)}), "integrity")
    assert len(times(part, "clicks")) == 40
    assert "and 260 more</p>" in part
    part = section(page(tmp_path / "few", **NOTHING | {CLICKS: np.arange(40.0)}), "integrity")
    assert len(times(part, "clicks")) == 40
    assert " more</p>" not in part


def test_a_person_is_told_how_to_say_what_it_is(tmp_path: Path) -> None:
    said = {"material__kind": "solo", "material__confidence": 0.83, "material__second_kind": "mix"}
    part = section(page(tmp_path, **said), "material")
    assert re.search(r"Solo <svg.*?</svg> 83\s%, else mix\.", part.replace("&nbsp;", " "), re.DOTALL)
    assert re.search(r"linernotes set [0-9a-f]{8} material\.kind=mix", part)
    unknown = dict.fromkeys(said)
    assert "material.kind=" not in section(page(tmp_path / "unknown", **unknown), "material")
    alone = section(page(tmp_path / "alone", **said | {"material__second_kind": None}), "material")
    assert "else" not in alone.partition("How sure is the material?")[2]
    hostile = section(page(tmp_path / "hostile", **said | {"material__kind": HOSTILE}), "material")
    assert "<script" not in hostile
    assert "<img" not in hostile
