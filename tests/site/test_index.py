"""The list of tracks: what it shows, in which order, how it is cut into pages, and the file that is searched."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from processor import catalogue
from processor.analysis.key import KEYS, camelot
from processor.site.activity import calendar
from processor.site.index import DATA_NAME, MAX_OPTIONS, MAX_TITLE, WHEEL, index_pages, page_links
from processor.workspace import Workspace
from tests.libraries import HOSTILE, make_track, say

MEASURED = {
    "beats__tempo_bpm": 123.96,
    "beats__confidence": 0.9,
    "key__camelot": "8A",
    "key__name": "A minor",
    "key__confidence": 0.3,
    "loudness__integrated_lufs": -9.46,
    "loudness__true_peak_dbtp": 0.31,
    "source__duration_s": 3725.2,
}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    place = Workspace(tmp_path)
    place.create()
    return place


def made(workspace: Workspace, attention: int = 0) -> dict[str, str]:
    """Every page of the index, and the file that is searched."""
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        catalogue.synchronise(workspace, connection)
        return {name: make() for name, (_, make) in index_pages(connection, attention).items()}


def signatures(workspace: Workspace) -> dict[str, str]:
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        catalogue.synchronise(workspace, connection)
        return {name: signature for name, (signature, _) in index_pages(connection, 0).items()}


def rows(html: str) -> list[str]:
    """The rows of the list, each as the text that a person reads."""
    body = html.partition("<tbody>\n  ")[2] if "<tbody>\n  " in html else html
    found = re.findall(r'<tr>\s*<th scope="row"><a href="tracks/.*?</tr>', body, re.DOTALL)
    return [" ".join(unescape(re.sub("<[^>]*>", " ", row)).split()) for row in found]


def searched(pages: dict[str, str]) -> list[Any]:
    text = pages[DATA_NAME]
    assert text.startswith("linerNotesTracks=")
    assert text.endswith(";\n")
    return list(json.loads(text.removeprefix("linerNotesTracks=").rstrip().rstrip(";")))


def test_a_row_says_what_matters(workspace: Workspace) -> None:
    track = make_track(
        workspace,
        "One.wav",
        path="An Album/One.wav",
        metadata__artist="Somebody",
        metadata__genre="dub",
        source__partial=True,
        levels__clipped_samples=3,
        **MEASURED,
    )
    say(track, rating=4, title="The Title")
    html = made(workspace)["index.html"]
    [row] = rows(html)
    assert row == (
        "The Title Somebody An Album dub partial clipped 124.0 BPM 8A A minor ? "
        "−9.5 LUFS 0.3 dBTP 1:02:05 ★★★★☆ 2026-11-20"
    )
    for field in ("beats.tempo_bpm", "key.camelot", "loudness.integrated_lufs", "source.duration_s"):
        assert f'data-field="{field}"' in html
    assert 'class="camelot camelot-8A"' in html


def test_what_does_not_apply_is_a_dash_and_what_is_not_said_is_left_out(workspace: Workspace) -> None:
    nothing = dict.fromkeys(
        ("beats__tempo_bpm", "key__camelot", "key__name", "loudness__integrated_lufs", "loudness__true_peak_dbtp")
    )
    make_track(
        workspace,
        "Silence.wav",
        metadata__artist=None,
        metadata__genre=None,
        levels__clipped_samples=0,
        source__duration_s=4.0,
        **nothing,
    )
    assert rows(made(workspace)["index.html"]) == ["Silence — — — — 0:04 2026-11-20"]


def test_totals_and_collections_stand_above_the_list(workspace: Workspace) -> None:
    for number in range(3):
        make_track(
            workspace,
            f"{number}.wav",
            path=f"{'Many' if number else 'One & only'}/{number}.wav",
            metadata__artist=f"artist {number % 2}",
            source__duration_s=5400.0,
        )
    html = made(workspace)["index.html"]
    text = " ".join(re.sub("<[^>]*>", " ", html).split())
    assert "3 tracks 4.5 hours of music 2 artists 2 collections" in text
    links = re.findall(r'<li><a href="(index.html#collection=[^"]*)">([^<]*)</a> <span class="counter">(\d+)', html)
    assert links == [
        ("index.html#collection=Many", "Many", "2"),
        ("index.html#collection=One%20%26%20only", "One &amp; only", "1"),
    ]


def test_newest_first_and_ties_by_title(workspace: Workspace) -> None:
    make_track(workspace, "old.wav", day="2025/01/01")
    make_track(workspace, "b.wav")
    make_track(workspace, "A.wav")
    pages = made(workspace)
    assert [row.split()[0] for row in rows(pages["index.html"])] == ["A", "b", "old"]
    assert [row[1] for row in searched(pages)[-1]] == ["A", "b", "old"]


def test_a_hundred_a_page_and_links_between_them(workspace: Workspace) -> None:
    for number in range(201):
        make_track(workspace, f"{number:03d}.wav")
    pages = made(workspace)
    assert sorted(pages) == [DATA_NAME, "index-2.html", "index-3.html", "index.html"]
    assert [len(rows(pages[name])) for name in ("index.html", "index-2.html", "index-3.html")] == [100, 100, 1]
    assert "101–200 of 201 tracks" in pages["index-2.html"]
    assert '<a href="index.html">1</a>' in pages["index-2.html"]
    assert '<span aria-current="page">2</span>' in pages["index-2.html"]
    assert '<svg class="calendar"' in pages["index.html"]
    assert '<svg class="calendar"' not in pages["index-2.html"]
    assert len(searched(pages)[-1]) == 201


def test_a_long_row_of_pages_is_shortened() -> None:
    shown = [number for number, _ in page_links(50, 100, str)]
    assert shown == [1, 0, 48, 49, 50, 51, 52, 0, 100]
    assert [n for n, _ in page_links(1, 1, str)] == [1]
    assert [n for n, _ in page_links(2, 6, str)] == [1, 2, 3, 4, 0, 6]
    assert (2, None) in page_links(2, 5, str)


def test_only_pages_that_show_a_change_have_another_signature(workspace: Workspace) -> None:
    tracks = [make_track(workspace, f"{number:03d}.wav") for number in range(101)]
    before = signatures(workspace)
    say(tracks[100], rating=5)
    after = signatures(workspace)
    assert {name for name in after if after[name] != before[name]} == {"index-2.html", DATA_NAME}
    assert signatures(workspace) == after


@pytest.mark.parametrize("field", ["title", "artist", "genre", "collection"])
def test_a_hostile_word_is_only_text(workspace: Workspace, field: str) -> None:
    say(make_track(workspace, "One.wav"), **{field: HOSTILE})
    pages = made(workspace)
    html = pages["index.html"]
    assert "<script>document" not in html
    assert "<img" not in html
    assert 'onerror="' not in html
    assert "7006652" not in "".join(rows(html))
    found = searched(pages)
    assert "</title><script>" in json.dumps(found), "a file of its own is no HTML: nothing in it has to be escaped"


def test_line_ends_that_only_scripts_know_are_escaped(workspace: Workspace) -> None:
    track = make_track(workspace, "One.wav")
    (track.folder / "person.json").write_text(json.dumps({"title": "a\u2028b\u2029c"}))
    pages = made(workspace)
    assert not {"\u2028", "\u2029"} & set(pages[DATA_NAME])
    searched(pages)


def test_very_long_words_are_cut_so_that_no_page_is_large(workspace: Workspace) -> None:
    for number in range(100):
        say(
            make_track(workspace, f"{number}.wav"),
            **dict.fromkeys(("title", "artist", "genre", "collection"), f"{number} " + "&<🎵" * 1000),
        )
    pages = made(workspace)
    assert len(pages["index.html"].encode()) < 300_000
    assert max(len(row[1]) for row in searched(pages)[-1]) == MAX_TITLE


def test_the_searched_file_has_names_by_number_and_tenths(workspace: Workspace) -> None:
    say(
        make_track(
            workspace, "One.wav", path="Album/One.wav", metadata__artist=None, metadata__genre="dub", **MEASURED
        ),
        rating=0,
    )
    *names, [row] = searched(made(workspace))
    assert names == [[None], [None, "Album"], [None, "dub"], [None, ["8A", "A minor"]]]
    day = (date(2026, 11, 20) - date(1970, 1, 1)).days
    assert row[1:] == ["One", 0, 1, 1, 1, 1240, -95, 3, 3725, 0, day, 0b1010]


def test_the_searched_file_is_small(workspace: Workspace) -> None:
    for number in range(50):
        make_track(workspace, f"A Title of the Usual Length {number}.wav", path=f"Album {number % 5}/{number}.wav")
    pages = made(workspace)
    assert len(pages[DATA_NAME].encode()) / 50 < 150, "10,000 tracks must stay under 1.5 MB"


def test_the_filter_offers_keys_genres_and_collections_with_their_places(workspace: Workspace) -> None:
    say(make_track(workspace, "One.wav", path="An Album/One.wav"), genre="drum & bass")
    html = made(workspace)["index.html"]
    assert '<option value="An Album" id="collection=An%20Album">An Album</option>' in html
    assert '<option value="drum &amp; bass" id="genre=drum%20%26%20bass">' in html
    assert html.count('<option value="') > len(WHEEL)
    for link in re.findall(r'href="index.html#([^"]*)"', html):
        assert f'id="{link}"' in html, f"{unquote(link)} leads nowhere"


def test_only_the_largest_collections_stand_in_the_page(workspace: Workspace) -> None:
    for number in range(MAX_OPTIONS + 5):
        make_track(workspace, f"{number}.wav", path=f"Album {number}/{number}.wav")
    html = made(workspace)["index.html"]
    assert html.count(' id="collection=') == MAX_OPTIONS
    assert "and 29 more in the filter" in html


def test_an_empty_library_has_no_list_and_nothing_to_filter(workspace: Workspace) -> None:
    pages = made(workspace, attention=2)
    assert "Nothing here yet" in pages["index.html"]
    assert "<form" not in pages["index.html"]
    assert "2 files in the inbox" in pages["index.html"]
    assert searched(pages)[-1] == []


def test_the_wheel_has_every_key_at_its_place() -> None:
    assert len(WHEEL) == 24
    assert (WHEEL["8A"], WHEEL["8B"]) == ("A minor", "C major")
    assert list(WHEEL)[:3] == ["1A", "1B", "2A"]
    assert all(WHEEL[camelot(key)] == key for key in KEYS)


def test_each_place_of_the_wheel_has_a_hue_of_its_own() -> None:
    style = (Path(__file__).parents[2] / "templates" / "index.css").read_text()
    hues = dict(re.findall(r"\.camelot-(\d+[AB]) \{ --hue: (\d+);", style))
    assert set(hues) == set(WHEEL)
    assert sorted(int(hue) for hue in hues.values()) == list(range(0, 360, 15))


def test_the_calendar_ends_with_the_newest_day_and_has_a_year_before() -> None:
    last = date(2026, 11, 20)  # a Friday
    drawn = calendar({last: 4, last - timedelta(days=1): 1, date(2020, 1, 1): 50})
    assert len(drawn.days) == 52 * 7 + 6
    assert drawn.days[-1].day == "2026-11-20"
    assert date.fromisoformat(drawn.days[0].day).isoweekday() == 7
    assert drawn.total == 5
    assert [day.level for day in drawn.days[-3:]] == [0, 1, 4]
    assert drawn.days[-2].text == "1 track on 2026-11-19"
    assert drawn.days[-1].x == max(day.x for day in drawn.days) < drawn.width
    assert drawn.by_month == (("Nov 2026", 5),)
    assert "5 on 2 days; most on 2026-11-20, 4." in drawn.summary


@pytest.mark.parametrize("weekday", range(7))
def test_a_week_is_a_column_from_sunday_to_saturday(weekday: int) -> None:
    last = date(2026, 11, 15) + timedelta(days=weekday)
    drawn = calendar({last: 1})
    for day in drawn.days:
        assert (day.y - drawn.days[0].y) // 13 == date.fromisoformat(day.day).isoweekday() % 7
    assert len({day.x for day in drawn.days}) == 53
    assert len({(day.x, day.y) for day in drawn.days}) == len(drawn.days)
    assert len(drawn.months) in (11, 12, 13)


def test_squares_are_darker_where_more_was_added() -> None:
    last = date(2026, 11, 20)
    drawn = calendar({last - timedelta(days=n): n + 1 for n in range(100)})
    levels = [day.level for day in drawn.days if day.text]
    assert levels == sorted(levels, reverse=True)
    assert set(levels) == {1, 2, 3, 4}


def test_the_calendar_counts_every_track_of_its_day(workspace: Workspace) -> None:
    for number in range(3):
        make_track(workspace, f"{number}.wav")
    make_track(workspace, "before.wav", day="2026/03/01")
    html = made(workspace)["index.html"]
    assert 'data-day="2026-11-20"><title>3 tracks on 2026-11-20</title>' in html
    assert 'data-day="2026-03-01"><title>1 track on 2026-03-01</title>' in html
    assert html.count("data-day=") == 2


def checked(workspace: Workspace, track: str, *statuses: str) -> None:
    """Say how a track's checks went, as the mix desk would."""
    rows = [
        {"track": track, "id": f"check.{number}", "title": "", "status": status, "is_own": False}
        for number, status in enumerate(statuses)
    ]
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        catalogue.synchronise(workspace, connection)
        catalogue.replace_derived(connection, "verdict", {"checks": rows}, {track: "now"})


def test_a_mark_says_whether_checks_fail(workspace: Workspace) -> None:
    failing, passing, unknown = (make_track(workspace, f"{name}.wav").id for name in ("Bad", "Good", "New"))
    checked(workspace, failing, "pass", "fail", "warn")
    checked(workspace, passing, "pass", "warn")
    pages = made(workspace)
    assert f'class="verdict bad" href="tracks/{failing}.html#checks" aria-label="Checks fail"' in pages["index.html"]
    assert f'class="verdict good" href="tracks/{passing}.html#checks"' in pages["index.html"]
    assert f"tracks/{unknown}.html#checks" not in pages["index.html"]
    marks = {row[0]: row[-1] for row in json.loads(pages[DATA_NAME].partition("=")[2].rstrip(";\n"))[4]}
    assert (marks[failing] & 48, marks[passing] & 48, marks[unknown] & 48) == (48, 16, 0)


def test_a_label_says_which_bounce_it_is(workspace: Workspace) -> None:
    track = make_track(workspace, "Song v2.wav").id
    row = {"track": track, "song": track, "number": 2, "previous": None, "reason": ""}
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        catalogue.synchronise(workspace, connection)
        catalogue.replace_derived(connection, "revisions", {"revisions": [row]}, {track: "now"})
    pages = made(workspace)
    assert ">v2</span>" in pages["index.html"]
    assert json.loads(pages[DATA_NAME].partition("=")[2].rstrip(";\n"))[4][0][-1] >> 6 == 2
