"""The page of the deep pass: what is pending, what is running, what was done, what failed; and never a promise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html import unescape
from pathlib import Path

import duckdb
import pytest

from processor import catalogue, deep, record
from processor.analysis import result_types
from processor.config import Analysers, Models, Settings
from processor.library import Track
from processor.models import loading
from processor.record import Record
from processor.site import deep as site_deep
from processor.site.deep import PAGE, Running, deep_pages, duration_text, lacking, models_here, note_running
from processor.workspace import Workspace
from tests.libraries import HOSTILE, fail, log_run, make_track
from tests.site.small_site import happened

SETTINGS = Settings()
RUNNING = Running("a-12345678", "a.wav", "stems", "htdemucs", 2, 3, 0.43, 240.0, "2026-11-20T06:30:00+00:00")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    place = Workspace(tmp_path)
    place.create()
    return place


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models are here."""
    monkeypatch.setattr(site_deep, "chosen", lambda models: {"separator": "htdemucs", "pitch_tracker": "swift_f0"})


@contextmanager
def asked(workspace: Workspace) -> Iterator[duckdb.DuckDBPyConnection]:
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        catalogue.synchronise(workspace, connection)
        yield connection


def page(workspace: Workspace, settings: Settings = SETTINGS) -> str:
    with asked(workspace) as connection:
        [(name, (_, make))] = deep_pages(workspace, connection, settings).items()
        assert name == PAGE
        return make()


def signature(workspace: Workspace) -> str:
    with asked(workspace) as connection:
        return deep_pages(workspace, connection, SETTINGS)[PAGE][0]


def text(html: str) -> str:
    return " ".join(unescape(re.sub("<[^>]*>", " ", html.partition("<main")[2])).split())


def unheard(track: Track, *analysers: str) -> Track:
    """Take results away as if no model had heard it yet."""
    found = record.read(track.folder, result_types())
    kept = {name: result for name, result in found.results.items() if name not in analysers}
    keys = {name: key for name, key in found.keys.items() if name not in analysers}
    record.write(replace(found, results=kept, keys=keys), track.folder)
    return track


def test_what_is_pending_is_counted_for_each_model(workspace: Workspace) -> None:
    make_track(workspace, "done.wav")
    unheard(make_track(workspace, "Waiting.wav"), "stems", "pitch")
    unheard(make_track(workspace, "Half.wav"), "pitch")
    fail(unheard(make_track(workspace, "Bad.wav"), "stems"), "stems", "MemoryError: too long")
    html = page(workspace)
    said = text(html)
    assert "stems HTDemucs, four stems 2 1 1 0 nobody knows yet" in said
    assert re.search(r"pitch SwiftF0, [^0-9]* 2 2 0 0 nobody knows yet", said)
    assert "1 track without stems" in said
    assert "2 tracks without pitch Half Waiting" in said
    assert "Bad , stems MemoryError: too long" in said
    assert "Nothing is running. linernotes run --deep does what is pending" in said


def test_how_long_it_will_take_follows_from_how_long_it_took(workspace: Workspace) -> None:
    """Two steps took 30 s for 300 s of sound; 600 s are pending."""
    done = [make_track(workspace, f"{n}.wav", source__duration_s=150.0) for n in range(2)]
    for n in range(3):
        unheard(make_track(workspace, f"waiting {n}.wav", source__duration_s=200.0), "stems")
    log_run(
        workspace,
        happened(0, "started", name="run --deep"),
        *(
            happened(n, "deepened", name="x", track=t.id, seconds={"stems": 15.0, "load": 9.0})
            for n, t in enumerate(done)
        ),
        happened(9, "refreshed", name="x", track=done[0].id, seconds={"stems": 900.0}),
    )
    said = text(page(workspace))
    assert "stems HTDemucs, four stems 2 3 0 0 60 s" in said
    assert "Done on 2026-11-20 2 steps" in said
    assert "06:30:01 stems 15.0 s" in said
    assert "load" not in said.partition("Done on")[2]


def test_all_done_is_no_trouble(workspace: Workspace) -> None:
    make_track(workspace, "done.wav")
    said = text(page(workspace))
    assert "stems HTDemucs, four stems 1 0 0 0 —" in said
    assert "Nothing is running" not in said
    assert "Failed These" not in said


def test_what_is_running_is_shown_while_somebody_is_at_it(workspace: Workspace) -> None:
    make_track(workspace, "a.wav")
    idle = signature(workspace)
    note_running(workspace, RUNNING)
    assert signature(workspace) == idle, "whoever left this was killed"
    with deep._alone(workspace):
        note_running(workspace, RUNNING)
        said = text(page(workspace))
    assert "stems with htdemucs: track 2 of 3, a.wav , 43 % done, about 4 min left with this model" in said


def test_it_says_when_models_hear_by_themselves(workspace: Workspace) -> None:
    unheard(make_track(workspace, "a.wav"), "stems")
    on = replace(SETTINGS, models=Models(deep=True))
    assert "linernotes watch when it is idle" in text(page(workspace, on))


def test_without_a_model_it_says_how_to_get_one(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    make_track(workspace, "a.wav")
    monkeypatch.setattr(site_deep, "chosen", lambda models: {})
    said = text(page(workspace))
    assert "linernotes models get yamnet htdemucs" in said
    assert "By model" not in said


def test_an_empty_library_has_the_page_too(workspace: Workspace) -> None:
    assert "stems HTDemucs, four stems 0 0 0 0 —" in text(page(workspace))


def test_only_so_many_are_listed(workspace: Workspace) -> None:
    for number in range(site_deep.LISTED + 3):
        unheard(make_track(workspace, f"{number:02d}.wav"), "stems")
    said = text(page(workspace))
    assert "23 tracks without stems" in said
    assert "and 3 more" in said


def test_it_is_written_again_only_when_something_changed(workspace: Workspace) -> None:
    track = make_track(workspace, "a.wav")
    before = signature(workspace)
    assert signature(workspace) == before
    unheard(track, "pitch")
    assert signature(workspace) != before


def test_hostile_names_and_reasons_are_only_text(workspace: Workspace) -> None:
    name = HOSTILE.replace("/", " ")
    track = make_track(workspace, f"{name}.wav")
    fail(track, "stems", HOSTILE)
    log_run(workspace, happened(0, "deepened", name=HOSTILE, track=HOSTILE, seconds={HOSTILE: 1.0}))
    with deep._alone(workspace):
        note_running(workspace, replace(RUNNING, name=HOSTILE, track=HOSTILE, at=HOSTILE))
        html = page(workspace)
    body = html.partition("<main")[2]
    assert "<script" not in body
    assert "<img" not in body
    assert "7006652" not in text(html)


def test_what_a_track_lacks_is_what_no_model_here_has_said_anything_about() -> None:
    found = Record("track", "0" * 64, "a.wav", {"stems": object()}, {}, {})
    assert list(models_here(SETTINGS)) == ["stems", "pitch"]
    assert lacking(models_here(SETTINGS), found) == ("pitch",)
    assert lacking({}, found) == ()
    skipped = replace(found, failures={"pitch": record.Failure("skipped", "Too long.")})
    assert lacking(models_here(SETTINGS), skipped) == ()
    deaf = replace(SETTINGS, analysers=Analysers(off=("pitch",)))
    assert list(models_here(deaf)) == ["stems"]


def test_a_switch_that_is_none_is_no_matter_of_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_deep, "chosen", loading.chosen)
    assert models_here(replace(SETTINGS, models=Models(htdemucs="perhaps"))) == {}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "5 s"),
        (12, "10 s"),
        (89, "90 s"),
        (100, "2 min"),
        (3600, "60 min"),
        (7300, "2 h 2 min"),
        (200_000, "2 days"),
    ],
)
def test_estimates_are_no_more_exact_than_they_are(seconds: float, said: str) -> None:
    assert duration_text(seconds) == said
