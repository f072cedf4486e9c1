"""Actions: runs and their events, seconds by stage, failures with the way out; and only what is shown is asked for."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from html import unescape
from pathlib import Path
from typing import Any

import duckdb
import pytest

from processor import catalogue
from processor.inbox import Ignored
from processor.setaside import SetAside
from processor.site import actions
from processor.site.actions import NOTICES, PAGES_A_RUN, RUNS, action_pages, lasted, when
from processor.workspace import Workspace
from tests.libraries import HOSTILE, log_run, make_track, say
from tests.site.small_site import happened

RUN = "2026-11-20T06-30-00-1"
SECONDS = {"decode": 1.0, "loudness": 0.25, "store": 0.75}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    place = Workspace(tmp_path)
    place.create()
    return place


@contextmanager
def asked(workspace: Workspace) -> Iterator[duckdb.DuckDBPyConnection]:
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        catalogue.synchronise(workspace, connection)
        yield connection


def made(workspace: Workspace, failed: Any = (), ignored: Any = ()) -> dict[str, str]:
    with asked(workspace) as connection:
        return {name: make() for name, (_, make) in action_pages(connection, failed, ignored).items()}


def signatures(workspace: Workspace) -> dict[str, str]:
    with asked(workspace) as connection:
        return {name: signature for name, (signature, _) in action_pages(connection, (), ()).items()}


def text(html: str) -> str:
    return " ".join(unescape(re.sub("<[^>]*>", " ", html.partition("<main")[2])).split())


def test_a_run_says_when_how_long_and_what_came_of_it(workspace: Workspace) -> None:
    track = make_track(workspace, "One.wav")
    log_run(
        workspace,
        happened(0, "started", name="watch"),
        happened(1, "stored", name="a/One.wav", track=track.id, seconds=SECONDS),
        happened(2, "duplicate", name="again.wav", track=track.id),
        happened(3, "failed", name="bad.wav", reason="It is empty. Save it again."),
        happened(4, "left", name="young.wav", reason="it looks unfinished"),
        happened(65, "ended", name="watch"),
    )
    pages = made(workspace)
    assert set(pages) == {"actions.html", "attention.html", f"runs/{RUN}.html"}
    assert "1 run" in text(pages["actions.html"])
    assert f'href="runs/{RUN}.html"' in pages["actions.html"]
    summary = "linernotes watch 1 stored 1 duplicate 1 failed 1 left 2026-11-20 06:30:00 UTC took 1 min"
    assert summary in text(pages["actions.html"])
    assert 'aria-label="something failed"' in pages["actions.html"]
    page = text(pages[f"runs/{RUN}.html"])
    assert "It is empty. Save it again." in page
    assert "1 file failed." in page
    order = [page.index(name) for name in ("young.wav", "bad.wav", "again.wav", "a/One.wav")]
    assert order == sorted(order), "the latest comes first"
    assert f'href="../tracks/{track.id}.html"' in pages[f"runs/{RUN}.html"]


def test_a_run_that_has_not_ended_says_so(workspace: Workspace) -> None:
    log_run(workspace, happened(0, "started", name="run"), happened(9, "stored", name="x.wav"))
    page = made(workspace)["actions.html"]
    assert "has not ended; last heard of after 9.0 s" in text(page)
    assert 'aria-label="running, or cut short"' in page


def test_seconds_by_stage_are_a_bar_and_numbers(workspace: Workspace) -> None:
    log_run(
        workspace,
        happened(0, "started", name="run"),
        happened(1, "refreshed", name="short.wav", seconds={"decode": 0.5, "loudness": 0.5}),
        happened(2, "refreshed", name="long.wav", seconds=SECONDS),
        happened(3, "ended", name="run"),
    )
    page = made(workspace)[f"runs/{RUN}.html"]
    bars = [
        [
            (float(x), float(width), shade)
            for x, width, shade in re.findall(r'x="(\S+)" width="(\S+)" .*?shade-(\d)', bar)
        ]
        for bar in re.findall(r"bar-of-stages.*?</svg>", page)
    ]
    # Of 1000; long.wav is the longest. Decoding took most in all, then storing and loudness alike: by name.
    assert bars == [[(0, 500, "1"), (500, 125, "2"), (625, 375, "3")], [(0, 250, "1"), (250, 250, "2")]]
    assert "decode: 1.00 s" in page
    assert "2.00 s" in text(page)
    assert "decode 50.0 % 1.50 s 0.750 s" in text(page)


def test_stages_beyond_the_colours_share_one(workspace: Workspace) -> None:
    seconds = {f"stage{number}": 1.0 + number for number in range(12)}
    log_run(workspace, happened(0, "stored", name="x", seconds=seconds))
    page = made(workspace)[f"runs/{RUN}.html"]
    [bar] = re.findall(r"bar-of-stages.*?</svg>", page)
    assert re.findall(r"shade-(\d)", bar) == list("12345678")
    assert "others: 15.00 s" in bar
    assert all(f"stage{number} {1.0 + number:.3f} s" in text(page) for number in range(12))


def test_the_latest_runs_come_first_and_old_ones_are_left_to_the_catalogue(workspace: Workspace) -> None:
    for number in range(RUNS + 3):
        log_run(workspace, happened(number, "started", name="run"), name=f"2026-11-20T06-{number:02d}-00-1.jsonl")
    pages = made(workspace)
    assert sum(name.startswith("runs/") for name in pages) == RUNS
    assert f"{RUNS + 3} runs, the latest {RUNS} of them here" in text(pages["actions.html"])
    assert [f"T06-{n:02d}-" in pages["actions.html"] for n in (2, 3, RUNS + 2)] == [False, True, True]


def many(workspace: Workspace, count: int) -> None:
    workspace.runs.mkdir(parents=True, exist_ok=True)
    lines = [happened(0, "started", name="watch")]
    lines += [happened(n, "stored", name=f"file {n}", seconds=SECONDS) for n in range(1, count + 1)]
    (workspace.runs / f"{RUN}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_hundred_events_a_page(workspace: Workspace) -> None:
    many(workspace, 201)
    pages = made(workspace)
    names = [f"runs/{RUN}.html", f"runs/{RUN}-page-2.html", f"runs/{RUN}-page-3.html"]
    assert [pages[name].count('class="bar-of-stages"') for name in names] == [100, 100, 1]
    assert "file 201" in pages[names[0]]
    assert "file 1<" in pages[names[2]]
    assert f'href="{RUN}-page-2.html"' in pages[names[0]]
    assert f'href="{RUN}.html"' in pages[names[1]]


def test_a_hundred_thousand_events_cost_little_and_their_latest_are_shown(workspace: Workspace) -> None:
    many(workspace, 100_000)
    with asked(workspace) as connection:
        start = time.process_time()
        pages = action_pages(connection, (), ())
        first = pages[f"runs/{RUN}.html"][1]()
        seconds = time.process_time() - start
    assert sum(name.startswith("runs/") for name in pages) == PAGES_A_RUN
    assert "The latest 1000 of 100000 events" in text(first)
    assert "file 100000" in first
    assert len(first.encode()) < 300_000
    assert seconds < 2


def test_only_pages_with_something_new_have_another_signature(workspace: Workspace) -> None:
    track = make_track(workspace, "One.wav")
    log_run(workspace, happened(0, "started", name="run"), happened(1, "stored", name="a", track=track.id))
    old = signatures(workspace)
    assert signatures(workspace) == old
    log_run(workspace, happened(0, "started", name="run"), name="2026-11-21T06-30-00-1.jsonl")
    new = signatures(workspace)
    assert {name for name in new if new[name] != old.get(name)} == {"actions.html", "runs/2026-11-21T06-30-00-1.html"}
    say(track, title="Another title")
    assert signatures(workspace)[f"runs/{RUN}.html"] != new[f"runs/{RUN}.html"]


def test_a_track_that_is_gone_is_no_link(workspace: Workspace) -> None:
    track = make_track(workspace, "One.wav")
    log_run(workspace, happened(1, "stored", name="One.wav", track=track.id))
    assert "tracks/" in made(workspace)[f"runs/{RUN}.html"]
    shutil.rmtree(track.folder)
    page = made(workspace)[f"runs/{RUN}.html"]
    assert 'href="../tracks/' not in page
    assert "One.wav" in page


def test_hostile_names_and_reasons_are_only_text(workspace: Workspace) -> None:
    log_run(
        workspace,
        happened(0, "started", name=HOSTILE),
        happened(1, "failed", name=HOSTILE, reason=HOSTILE, seconds={HOSTILE: 1.0}),
    )
    log_run(workspace, happened(0, "started", name="x"), name="'<img src=x>.jsonl")
    pages = made(workspace, [SetAside(HOSTILE, HOSTILE)], [Ignored(HOSTILE, HOSTILE)])
    assert len(pages) == 3, "a log that is not named as ours has no page"
    for html in pages.values():
        body = html.partition("<main")[2]
        assert "<script" not in body
        assert "<img" not in body
        assert "7006652" not in text(html)


def test_a_log_with_nonsense_in_it_makes_pages_all_the_same(workspace: Workspace) -> None:
    workspace.runs.mkdir(exist_ok=True)
    lines = [
        '{"at": 3, "event": "stored"}',
        '{"at": "2026-11-20T06:30:00+00:00"}',
        "[]",
        '{"event": "failed", "name": 1}',
    ]
    (workspace.runs / f"{RUN}.jsonl").write_text("\n".join(lines))
    pages = made(workspace)
    assert "2 events failed 1 stored" in text(pages[f"runs/{RUN}.html"])
    assert "linernotes ?" in text(pages["actions.html"])


def test_what_failed_is_listed_with_the_way_out(workspace: Workspace) -> None:
    pages = made(workspace, [SetAside("a.txt", "No sound.")], [Ignored("l.wav", "a link")])
    page = text(pages["attention.html"])
    assert "a.txt No sound." in page
    assert "move it back into inbox" in page
    assert "l.wav a link" in page
    assert 'href="attention.html"' in pages["actions.html"]
    assert '<span class="counter">2</span>' in pages["actions.html"]
    assert "All is well" in made(workspace)["attention.html"]


def test_thousands_of_failed_files_are_counted_not_listed(workspace: Workspace) -> None:
    page = made(workspace, [SetAside(f"{n}.txt", "No sound.") for n in range(NOTICES + 7)])["attention.html"]
    assert page.count("<li>") == NOTICES + 1
    assert "and 7 more in inbox/failed" in text(page)


def test_an_empty_library_says_what_to_do(workspace: Workspace) -> None:
    assert "linernotes run" in made(workspace)["actions.html"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (90, "2 min"), (3600, "1 h 0 min"), (7290, "2 h 2 min"), (864000, "10 days")],
)
def test_how_long_it_took(seconds: float, said: str) -> None:
    begun = datetime(2026, 1, 1)
    assert lasted(begun, datetime.fromtimestamp(begun.timestamp() + seconds)) == said


def test_times_are_utc_and_say_so() -> None:
    assert when(datetime(2026, 1, 2, 3, 4, 5)) == "2026-01-02 03:04:05 UTC"
    assert when(None) == "at an unknown time"
    assert lasted(None, None) == "—"


def test_every_kind_of_event_has_a_count() -> None:
    counted = {"stored", "duplicate", "refreshed", "deepened", "failed", "left"}
    run = actions.Run("x.jsonl", None, None, "run", True, 1, 2, 3, 4, 5, 6, 21)
    assert dict(run.counts) == dict(
        zip(("stored", "duplicate", "refreshed", "deepened", "failed", "left"), range(1, 7), strict=True)
    )
    assert {kind for kind, _ in run.counts} == counted
