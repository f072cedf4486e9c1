"""Pages in a real browser: from the disk, in light and dark, on a phone, with nothing running and nothing fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from processor.workspace import Workspace
from tests.libraries import HOSTILE, make_track, publish_pages, say
from tests.site.browsing import NEEDS_CHROMIUM, PHONE

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = Workspace(tmp_path_factory.mktemp("browser"))
    workspace.create()
    make_track(workspace, "Plain.wav", path="A Collection With Quite a Long Name/Plain.wav")
    say(
        make_track(workspace, "Hostile.wav", metadata__artist=HOSTILE, source__codec=HOSTILE),
        title=HOSTILE,
        note="x" * 400,
    )
    publish_pages(workspace)
    return workspace.site


def every(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def test_every_page_opens_from_the_disk_with_its_style(site: Path, opened: Any) -> None:
    for path in every(site):
        page = opened(path)
        assert page.locator("h1").count() == 1
        assert page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") == "1220px"


def test_no_page_is_wider_than_a_phone(site: Path, opened: Any) -> None:
    for path in every(site):
        page = opened(path, size=PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path.name


def test_no_number_is_broken_in_two_on_a_phone(site: Path, opened: Any) -> None:
    page = opened(next(site.glob("tracks/plain-*.html")), size=PHONE)
    lines = page.evaluate(
        """[...document.querySelectorAll('#loudness .numbers .number')].map(e => {
            const range = document.createRange(); range.selectNodeContents(e);
            return new Set([...range.getClientRects()].map(r => Math.round(r.bottom / 8))).size })"""
    )
    assert set(lines) == {1}


def test_dark_is_dark_and_readable(site: Path, opened: Any) -> None:
    def colours(scheme: str) -> list[int]:
        page = opened(site / "index.html", scheme=scheme)
        text = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color].join()"
        )
        return [int(part) for part in text.replace("rgb(", "").replace(")", "").split(",")]

    light, dark = colours("light"), colours("dark")
    assert sum(light[:3]) > 600 > 200 > sum(light[3:])
    assert sum(dark[:3]) < 150 < 600 < sum(dark[3:])


def test_a_reader_gets_from_the_index_to_a_number_and_its_meaning(site: Path, opened: Any) -> None:
    page = opened(site / "index.html")
    page.get_by_role("link", name="Plain", exact=True).click()
    assert page.locator("h1").inner_text() == "Plain"
    loudness = page.locator("#loudness")
    assert "LUFS" in loudness.locator("[data-field='loudness.integrated_lufs']").inner_text()
    loudness.get_by_role("link", name="What these numbers mean").click()
    assert "EBU Tech 3342" in page.locator("[id='loudness.range_lu']").inner_text()
    page.get_by_role("link", name="Tracks", exact=True).first.click()
    assert page.locator("h1").inner_text() == "Tracks"


def test_the_chart_has_a_text_for_those_who_cannot_see_it(site: Path, opened: Any) -> None:
    page = opened(next(site.glob("tracks/plain-*.html")))
    assert "LUFS" in page.locator("#loudness").get_by_role("img").first.get_attribute("aria-label")


def test_a_hostile_title_is_shown_and_runs_nothing(site: Path, opened: Any) -> None:
    page = opened(next(site.glob("tracks/hostile-*.html")))
    assert page.locator("h1").inner_text().startswith("</title><script>")
    assert "owned" not in page.title().split("<script>")[0]
    assert page.locator("main script, main img").count() == 0
