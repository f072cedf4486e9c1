"""A track page's tables and tabs: values with their units, and what is folded away."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from processor.site.track import track_page
from processor.workspace import Workspace
from tests.libraries import make_track


def page(folder: Path, **changes: Any) -> str:
    return track_page(make_track(Workspace(folder), "Song.wav", **changes))


def cell(html: str, field: str) -> str:
    found = re.search(rf'<td [^>]*data-field="{re.escape(field)}"[^>]*>(.*?)</td>', html, re.DOTALL)
    assert found is not None
    return found[1]


def section(html: str, name: str) -> str:
    return html.partition(f'<section class="box" id="{name}"')[2].partition("</section>")[0]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((-1.5, -2.0), '\u22121.5 / \u22122.0&nbsp;<span class="unit">dBFS</span>'),
        ((-1.5, None), '\u22121.5 / \u2014&nbsp;<span class="unit">dBFS</span>'),
        ((None, None), "\u2014 / \u2014"),
        ((), "\u2014"),
    ],
)
def test_only_a_value_has_a_unit(tmp_path: Path, value: Any, text: str) -> None:
    html = page(tmp_path, levels__channel_rms_dbfs=value)
    assert cell(html, "levels.channel_rms_dbfs") == text


def test_the_unit_of_a_long_list_is_in_what_is_shown_of_it(tmp_path: Path) -> None:
    html = page(tmp_path, levels__channel_rms_dbfs=(-1.0,) * 9)
    assert '(9)&nbsp;<span class="unit">dBFS</span></summary>' in cell(html, "levels.channel_rms_dbfs")


def test_machinery_has_no_tab_and_its_numbers_fold_away(tmp_path: Path) -> None:
    html = page(tmp_path)
    assert 'href="#loudness"' in html.partition('<nav class="parts"')[2].partition("</nav>")[0]
    for name in ("fingerprint", "waveform", "spectrogram"):
        assert f'href="#{name}"' not in html.partition('<nav class="parts"')[2].partition("</nav>")[0]
        assert "<details><summary>Numbers</summary>" in section(html, name)


def test_a_table_without_any_value_folds_away(tmp_path: Path) -> None:
    told = "<details><summary>No number here could be measured</summary>"
    assert told not in section(page(tmp_path / "some"), "chords")
    assert told in section(page(tmp_path / "none", chords__labels=(), chords__confidence=None), "chords")
