"""A bounce's page: what changed since the one before."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processor import later, pipeline
from processor.config import Settings, Site, Workers
from processor.engine import Engine
from processor.feedback.nulls import NullTest, null_test
from processor.library import Track
from processor.site import bounces
from processor.site.bounces import Pair, null_path, read_null
from processor.workspace import Workspace
from tests.libraries import make_track, song_results
from tests.signals import RATE, audio, song, write_wav
from tests.site.browsing import NEEDS_CHROMIUM, PHONE

SETTINGS = Settings(workers=Workers(count=1), site=Site(previews=False))


def bounce(workspace: Workspace, name: str, day: int, gain: float, **changes: Any) -> Track:
    """A track with the numbers of the song, and a sound that belongs to its name."""
    track = make_track(workspace, name, day=f"2026/11/{day:02d}", results=song_results(), **changes)
    assert track.source is not None
    write_wav(track.source, song(4.0) * np.float32(gain), RATE)
    return track


@pytest.fixture
def pair(workspace: Workspace) -> Pair:
    """Two bounces: the second is louder and over full scale."""
    first = bounce(workspace, "Night Bus.wav", 1, 0.5, loudness__integrated_lufs=-20.0, loudness__true_peak_dbtp=-3.0)
    second = bounce(
        workspace, "Night Bus v2.wav", 2, 1.0, loudness__integrated_lufs=-14.0, loudness__true_peak_dbtp=3.0
    )
    pipeline.publish(workspace)
    return Pair(second, first)


def page(workspace: Workspace, pair: Pair) -> str:
    return (workspace.site / "revisions" / f"{pair.later.id}.html").read_text()


def test_only_a_later_bounce_has_a_page(workspace: Workspace, pair: Pair) -> None:
    assert [path.stem for path in (workspace.site / "revisions").iterdir()] == [pair.later.id]


def test_it_shows_what_changed(workspace: Workspace, pair: Pair) -> None:
    text = page(workspace, pair)
    row = re.search(r'data-field="loudness.integrated_lufs".*?</tr>', text, re.DOTALL)
    assert row is not None
    assert "−20.0" in row[0]
    assert "−14.0" in row[0]
    assert "+6.0" in row[0]
    assert 'data-field="stereo.width"' not in text  # it did not


@pytest.mark.browser
@NEEDS_CHROMIUM[1]
def test_on_a_phone_no_word_is_broken(workspace: Workspace, pair: Pair, opened: Any) -> None:
    shown = opened(workspace.site / "revisions" / f"{pair.later.id}.html", size=PHONE)
    assert shown.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    heads = shown.locator(".changes th[scope=row]:visible")
    fits = "all => all.filter(one => one.scrollWidth > one.clientWidth || one.clientWidth < 100).length"
    assert heads.count() > 0
    assert heads.evaluate_all(fits) == 0


def test_it_shows_what_regressed(workspace: Workspace, pair: Pair) -> None:
    text = page(workspace, pair)
    assert "regressed" in text
    assert re.search(r"pass → fail|pass → warn|warn → fail", text)
    assert "New: " in text


def test_each_bounce_leads_to_the_others(workspace: Workspace, pair: Pair) -> None:
    assert f"revisions/{pair.later.id}.html" in (workspace.site / "tracks" / f"{pair.earlier.id}.html").read_text()
    assert f"tracks/{pair.earlier.id}.html" in page(workspace, pair)
    assert f"tracks/{pair.later.id}.html" in page(workspace, pair)


def test_the_history_is_drawn(workspace: Workspace, pair: Pair) -> None:
    text = page(workspace, pair)
    assert "Loudness of 2 bounces: integrated, LUFS −20.0 to −14.0" in text
    assert "Balance of 2 bounces" in text


def test_the_difference_is_made_once_and_shown(workspace: Workspace, pair: Pair) -> None:
    assert "not been subtracted" in page(workspace, pair)
    assert later.add_media(workspace, SETTINGS) == 1
    null = read_null(null_path(workspace, pair))
    assert null is not None
    assert null.gain_db == pytest.approx(6.02, abs=0.01)
    assert "Laid on each other to the sample" in page(workspace, pair)
    assert later.add_media(workspace, SETTINGS) == 0


def test_what_cannot_be_subtracted_says_why_and_is_not_tried_again(workspace: Workspace, pair: Pair) -> None:
    assert pair.earlier.source is not None
    pair.earlier.source.write_bytes(b"RIFF no sound at all")
    assert later.add_media(workspace, SETTINGS) == 1
    assert "cannot be subtracted" in page(workspace, pair)
    assert later.add_media(workspace, SETTINGS) == 0


def test_a_null_test_that_belongs_to_no_pair_is_removed(workspace: Workspace, pair: Pair) -> None:
    later.add_media(workspace, SETTINGS)
    pair.earlier.folder.rename(workspace.home / "away")
    pipeline.publish(workspace)
    assert not (workspace.site / "revisions" / f"{pair.later.id}.html").exists()
    later.add_media(workspace, SETTINGS)
    assert list((workspace.state / bounces.FOLDER).iterdir()) == []


@pytest.mark.parametrize("text", ["", "{}", "[1", '{"is_aligned": 3}'])
def test_a_broken_null_test_counts_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "null.json"
    path.write_text(text)
    assert read_null(path) is None


def test_an_identical_bounce_is_told(workspace: Workspace) -> None:
    first = bounce(workspace, "Night Bus.wav", 1, 1.0)
    second = bounce(workspace, "Night Bus v2.wav", 2, 1.0)
    pipeline.publish(workspace)
    later.add_media(workspace, SETTINGS)
    text = page(workspace, Pair(second, first))
    assert "every sample is the same" in text
    assert "identical sound" in text


def test_a_kept_null_test_reads_as_it_was_written(tmp_path: Path, workspace: Workspace, pair: Pair) -> None:
    made = null_test(audio(song(4.0)), audio(song(4.0) * np.float32(0.9)))
    bounces._keep(tmp_path / "one.json", made)
    read = read_null(tmp_path / "one.json")
    assert isinstance(read, NullTest)
    assert read.depths_db.size == made.depths_db.size
    assert read.offset_s == made.offset_s


def test_workers_make_them_too(workspace: Workspace, pair: Pair) -> None:
    with Engine(SETTINGS, bounces.make_null) as engine:
        assert engine.waiting == 0
    assert bounces.make_nulls(workspace, SETTINGS, [pair]) == 1
