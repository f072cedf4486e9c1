"""The list of tracks in a real browser, opened from the disk: filters, orders, remembers, and runs without a script."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from processor.workspace import Workspace
from tests.libraries import HOSTILE, make_track
from tests.site.browsing import NEEDS_CHROMIUM, PHONE
from tests.site.small_site import build, publish

pytestmark = NEEDS_CHROMIUM
DATA = "assets/tracks-data.js"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("list"))


def says(page: Any, pattern: str) -> None:
    """Wait until the page says how many it found."""
    from playwright.sync_api import expect

    expect(page.locator("#found")).to_have_text(re.compile(f"^{pattern}$"))


def count(page: Any, tracks: int) -> None:
    says(page, f"{tracks} of 105 tracks")


def has_value(page: Any, name: str, value: str | re.Pattern[str]) -> None:
    """Wait until a field of the filter says something."""
    from playwright.sync_api import expect

    expect(page.locator(f"[name={name}]")).to_have_value(value)


def titles(page: Any) -> list[str]:
    return list(page.locator("#tracks tbody th a:first-child").all_inner_texts())


def column(page: Any, field: str) -> list[str]:
    return list(page.locator(f"#tracks tbody [data-field='{field}']").all_inner_texts())


def test_the_searched_file_is_loaded_only_when_somebody_searches(site: Path, opened: Any) -> None:
    page = opened(site / "index.html")
    assert page.locator(f"script[src='{DATA}']").count() == 0
    assert page.locator("#found").inner_text() == "1–100 of 105 tracks"
    page.locator("[name=text]").fill("piece 104")
    count(page, 1)
    assert page.locator(f"script[src='{DATA}']").count() == 1
    assert titles(page) == ["Piece 104"]


def test_text_is_found_without_case_and_accents_in_every_word(site: Path, opened: Any) -> None:
    page = opened(site / "index.html")
    page.locator("[name=text]").fill("BJORK night")
    says(page, r"\d+ of 105 tracks")
    found = page.locator("#tracks tbody tr").all_inner_texts()
    assert found
    assert all("Björk" in row and "Night Album" in row for row in found)
    page.locator("[name=text]").fill("nobody of this name")
    count(page, 0)
    assert titles(page) == []


def test_a_range_of_tempo_leaves_out_what_has_none(site: Path, opened: Any) -> None:
    page = opened(site / "index.html")
    page.locator("[name=tempo_max]").fill("90")
    count(page, 10)
    page.locator("[name=tempo_min]").fill("88.5")
    count(page, 2)
    assert sorted(titles(page)) == ["Piece 009", "Piece 010"]


def test_a_range_of_loudness(site: Path, opened: Any) -> None:
    page = opened(site / "index.html")
    page.locator("[name=loudness_min]").fill("-10.2")
    page.locator("[name=loudness_max]").fill("-10")
    count(page, 3)
    assert sorted(column(page, "loudness.integrated_lufs")) == ["−10.0\u00a0LUFS", "−10.1\u00a0LUFS", "−10.2\u00a0LUFS"]


def test_a_key_and_the_keys_that_fit_it(site: Path, opened: Any) -> None:
    page = opened(site / "index.html")
    page.locator("[name=key]").select_option("8A")
    count(page, 21)
    assert set(column(page, "key.camelot")) == {"8A A minor"}
    page.locator("[name=fits]").check()
    count(page, 63)
    assert set(column(page, "key.camelot")) == {"8A A minor", "9A E minor", "8B C major"}


@pytest.mark.parametrize(
    ("key", "fitting"),
    [("12A", "12A 11A 1A 12B"), ("1B", "1B 12B 2B 1A"), ("8A", "8A 7A 9A 8B")],
)
def test_what_fits_goes_round_the_wheel(opened: Any, tmp_path: Path, key: str, fitting: str) -> None:
    workspace = Workspace(tmp_path)
    workspace.create()
    for place in (f"{n}{letter}" for n in range(1, 13) for letter in "AB"):
        make_track(workspace, f"{place}.wav", key__camelot=place)
    page = opened(publish(workspace) / "index.html", f"key={key}&fits=1")
    says(page, "4 of 24 tracks")
    assert set(titles(page)) == set(fitting.split())


def test_genre_rating_and_collection(site: Path, opened: Any) -> None:
    page = opened(site / "index.html")
    page.locator("[name=rating]").select_option("4")
    count(page, 2)
    page.locator("[name=rating]").select_option("")
    page.locator("[name=genre]").select_option("dub")
    count(page, 35)
    page.locator("[name=collection]").select_option("Day Album")
    count(page, 0)
    page.locator("[name=genre]").select_option("techno")
    assert not [row for row in page.locator("#tracks tbody tr").all_inner_texts() if "Day Album" not in row]


def test_a_label_shows_its_collection_and_the_next_one_replaces_it(site: Path, opened: Any) -> None:
    page = opened(site / "index.html")
    page.locator(".collections a", has_text="Night Album").click()
    count(page, 35)
    assert page.locator("[name=collection]").input_value() == "Night Album"
    page.locator("#tracks tbody a.genre", has_text="techno").first.click()
    has_value(page, "genre", "techno")
    assert page.locator("[name=collection]").input_value() == ""
    page.go_back()
    count(page, 35)


def test_a_label_of_a_later_page_leads_to_the_list(site: Path, opened: Any) -> None:
    page = opened(site / "index-2.html")
    page.locator("#tracks a.camelot").first.click()
    page.wait_for_url("**/index.html#*")
    count(page, 21)


def test_a_day_of_the_calendar_shows_its_tracks(site: Path, opened: Any) -> None:
    page = opened(site / "index.html")
    square = page.locator(".calendar [data-day]").last
    day, tracks = square.get_attribute("data-day"), int(square.text_content().split()[0])
    square.click()
    count(page, tracks)
    assert page.locator("[name=added]").input_value() == day
    square.click()
    says(page, "1–100 of 105 tracks")


@pytest.mark.parametrize(
    ("order", "first", "last"),
    [
        ("title", "Piece 000", None),
        ("-title", "Piece 104", None),
        ("tempo", "Piece 000", "Piece 007"),
        ("-tempo", "Piece 104", "Piece 007"),
        ("-loudness", "Piece 104", "Piece 000"),
        ("length", "Piece 000", "Piece 104"),
        ("-rating", "Piece 005", None),
    ],
)
def test_every_order_and_what_has_no_value_comes_last(
    site: Path, opened: Any, order: str, first: str, last: str | None
) -> None:
    page = opened(site / "index.html", f"sort={order}")
    count(page, 105)
    assert titles(page)[0] == first
    assert len(titles(page)) == 100
    page.get_by_role("button", name="Show 100 more").click()
    assert len(titles(page)) == 105
    assert page.locator("#more").is_hidden()
    assert last is None or titles(page)[-1] == last


def test_keys_are_ordered_round_the_wheel(site: Path, opened: Any) -> None:
    page = opened(site / "index.html", "sort=key")
    count(page, 105)
    shown = [text.split()[0] for text in column(page, "key.camelot")]
    assert shown == sorted(shown, key=lambda text: (text == "—", text))


def test_headings_order_the_list_and_say_so(site: Path, opened: Any) -> None:
    page = opened(site / "index.html")
    heading = page.locator("#tracks thead th", has_text="Tempo")
    heading.get_by_role("button").click()
    count(page, 105)
    assert heading.get_attribute("aria-sort") == "ascending"
    assert titles(page)[0] == "Piece 000"
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert titles(page)[0] == "Piece 104"
    assert page.locator("[name=sort]").input_value() == "-tempo"


def test_clear_brings_the_plain_page_back(site: Path, opened: Any) -> None:
    page = opened(site / "index-2.html")
    before = titles(page)
    page.locator("[name=text]").fill("night")
    page.locator("[name=tempo_min]").fill("100")
    says(page, r"\d+ of 105 tracks")
    assert page.locator("#pages").is_hidden()
    assert "text=night" in page.url
    page.get_by_role("button", name="Clear").click()
    assert titles(page) == before
    assert page.locator("#pages").is_visible()
    assert "#" not in page.url
    assert page.locator("[name=tempo_min]").input_value() == ""
    assert page.get_by_role("button", name="Clear").count() == 0


def test_the_state_is_in_the_address_and_survives_a_reload(site: Path, opened: Any) -> None:
    page = opened(site / "index.html")
    page.locator("[name=text]").fill("Piece & 0 #=%")
    page.locator("[name=text]").fill("piece 05")
    page.locator("[name=sort]").select_option("-tempo")
    page.locator("[name=tempo_max]").fill("138")
    count(page, 10)
    before = titles(page)
    assert before[0] == "Piece 058"
    page.reload()
    count(page, 10)
    assert titles(page) == before
    assert page.locator("[name=text]").input_value() == "piece 05"
    assert page.locator("[name=tempo_max]").input_value() == "138"
    assert page.locator("summary", has_text="Filters (1)").count() == 1


def test_an_address_that_says_nonsense_does_no_harm(site: Path, opened: Any) -> None:
    page = opened(site / "index.html", "sort=%3Cb%3E&tempo_min=x&__proto__=1&constructor=2&key=99Z&text=")
    count(page, 0)
    assert page.locator("[name=key]").input_value() == "99Z"
    page = opened(site / "index.html", "main")
    assert page.locator("#found").inner_text() == "1–100 of 105 tracks"


def test_what_is_found_is_announced_and_the_keyboard_is_enough(site: Path, opened: Any) -> None:
    page = opened(site / "index.html")
    assert page.locator("#found").get_attribute("aria-live") == "polite"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "text"
    page.keyboard.type("piece/")
    says(page, r"\d+ of 105 tracks")
    assert page.locator("[name=text]").input_value() == "piece/"


def test_drawn_rows_are_as_the_written_ones(site: Path, opened: Any) -> None:
    page = opened(site / "index.html")
    parts = """[...document.querySelectorAll('#tracks tbody tr')].map(row => [...row.cells].map(cell =>
        [cell.className, cell.dataset.field || '', cell.textContent.replace(/\\s+/g, ' ').trim(),
         [...cell.querySelectorAll('a')].map(a => a.getAttribute('href') + ' ' + a.className)]))"""
    written = page.evaluate(parts)
    page.evaluate("location.hash = 'text=piece'")
    count(page, 105)
    assert page.evaluate(parts) == written


def test_a_list_without_its_searched_file_says_so_and_tries_again(site: Path, browser: Any, tmp_path: Path) -> None:
    shutil.copytree(site, tmp_path / "site", ignore=shutil.ignore_patterns("tracks", "media"))
    data = (tmp_path / "site" / DATA).rename(tmp_path / "elsewhere")
    page = browser.new_page()
    page.goto((tmp_path / "site" / "index.html").as_uri() + "#text=piece")
    says(page, f"{DATA} cannot be loaded.")
    assert len(titles(page)) == 100, "the plain list stays"
    data.rename(tmp_path / "site" / DATA)
    page.locator("[name=text]").fill("piece 104")
    count(page, 1)
    page.close()


def test_hostile_words_are_drawn_as_text(opened: Any, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.create()
    make_track(
        workspace,
        "One.wav",
        path=f"{HOSTILE.replace('/', '')}/One.wav",
        metadata__title=HOSTILE,
        metadata__artist=HOSTILE,
        metadata__genre=HOSTILE,
        key__camelot=HOSTILE,
        key__name=HOSTILE,
    )
    page = opened(publish(workspace) / "index.html", "sort=title")
    says(page, "1 of 1 tracks")
    assert titles(page)[0].startswith("</title><script>")
    assert page.locator("main img, main script").count() == 0
    assert "owned" not in page.title().split("<script>")[0]
    page.locator("#tracks tbody a.genre").click()
    has_value(page, "genre", re.compile("^</title>"))
    assert page.locator("#tracks tbody tr").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_a_phone(site: Path, opened: Any, scheme: str) -> None:
    for path in [*site.glob("*.html"), *site.glob("runs/*.html")]:
        page = opened(path, size=PHONE, scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path.name
    page = opened(site / "index.html", "text=piece&tempo_min=100", size=PHONE, scheme=scheme)
    says(page, r"\d+ of 105 tracks")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_phone_shows_the_newest_weeks_and_keeps_the_filters_folded(site: Path, opened: Any) -> None:
    page = opened(site / "index.html", size=PHONE)
    last, box = page.locator(".calendar [data-day]").last.bounding_box(), page.locator(".year").bounding_box()
    assert box["x"] <= last["x"] <= box["x"] + box["width"]
    assert not page.locator("[name=tempo_min]").is_visible()
    assert page.locator("[name=text]").is_visible()


def test_without_a_script_the_pages_are_whole(site: Path, opened: Any) -> None:
    page = opened(site / "index.html", java_script_enabled=False)
    assert page.locator("#tracks tbody tr").count() == 100
    assert not page.locator("#filter").is_visible()
    assert page.get_by_text("Searching and sorting need JavaScript").is_visible()
    page.locator("#pages").get_by_role("link", name="2").click()
    assert page.locator("#tracks tbody tr").count() == 5
    page.locator("#tracks tbody a").first.click()
    assert page.locator("h1").count() == 1


def test_a_large_list_answers_at_once(site: Path, opened: Any, tmp_path: Path) -> None:
    """10,000 tracks: the same page with a larger file to search; what is measured is the script's own time."""
    shutil.copytree(site, tmp_path / "site", ignore=shutil.ignore_patterns("tracks", "media"))
    text = (site / DATA).read_text().removeprefix("linerNotesTracks=").rstrip().rstrip(";")
    *names, rows = json.loads(text)
    many = [[f"{row[0]}-{n}", f"{row[1]} {n}", *row[2:]] for n in range(100) for row in rows][:10_000]
    (tmp_path / "site" / DATA).write_text(f"linerNotesTracks={json.dumps([*names, many])};")
    page = opened(tmp_path / "site" / "index.html", "text=piece")
    says(page, "10\u2009000 of 10\u2009000 tracks")
    seconds = page.evaluate(
        """() => ['1', '12', 'night', 'dub 3', 'bjork'].map(text => {
            const field = document.forms.filter.elements.text, start = performance.now();
            field.value = text; field.dispatchEvent(new Event('input', {bubbles: true}));
            document.body.offsetHeight; return performance.now() - start }).sort((a, b) => a - b)[0]"""
    )
    assert seconds < 100


def test_tracks_whose_checks_fail_can_be_picked_out(site: Path, opened: Any) -> None:
    page = opened(site / "index.html")
    page.locator("[name=checks]").select_option("fail")
    says(page, r"\d+ of 105 tracks")
    failing = page.locator("#tracks tbody .verdict.bad")
    assert failing.count() == page.locator("#tracks tbody tr").count() > 0
    assert "Piece 021" in titles(page)
    assert failing.first.get_attribute("aria-label") == "Checks fail"
    page.locator("[name=checks]").select_option("pass")
    says(page, r"(No|\d+ of 105) tracks?.*")
    assert "Piece 021" not in titles(page)
    assert page.locator("#tracks tbody .verdict.bad").count() == 0
