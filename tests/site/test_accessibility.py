"""Every kind of page, as axe-core sees it, in light and dark, and with the list filtered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.site.accessibility import violations
from tests.site.browsing import NEEDS_CHROMIUM
from tests.site.small_site import build

pytestmark = NEEDS_CHROMIUM
TRACKS = 5  # pages of tracks that are looked at; the others are of the same kind


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("accessible"))


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    contexts = []

    def open_page(path: Path, scheme: str, state: str = "", width: int = 1280) -> Any:
        size = {"width": width, "height": 900}
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme, bypass_csp=True))
        page = contexts[-1].new_page()
        page.goto(path.as_uri() + state)
        return page

    yield open_page
    for context in contexts:
        context.close()


def pages_of(site: Path) -> list[Path]:
    """One or more pages of each kind."""
    tracks = sorted(site.glob("tracks/*.html"))
    others = [path for path in sorted(site.rglob("*.html")) if path.parent.name != "tracks"]
    return [*others, *tracks[:: max(1, len(tracks) // TRACKS)], tracks[-1]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong_with_any_page(site: Path, opened: Any, scheme: str) -> None:
    wrong = {}
    for path in pages_of(site):
        found = violations(opened(path, scheme))
        if found:
            wrong[path.relative_to(site).as_posix()] = found
    assert not wrong, "\n".join(f"{name}: {line}" for name, lines in wrong.items() for line in lines)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong_with_a_filtered_list(site: Path, opened: Any, scheme: str) -> None:
    from playwright.sync_api import expect

    page = opened(site / "index.html", scheme, "#text=piece&tempo_min=90&sort=-tempo")
    expect(page.locator("#found")).to_have_text(re.compile("of 105 tracks"))
    assert violations(page) == []


def test_axe_finds_nothing_wrong_on_a_phone(site: Path, opened: Any) -> None:
    for name in ("index.html", "schema.html", "guide.html", "actions.html"):
        assert violations(opened(site / name, "light", width=360)) == [], name


def test_axe_does_find_what_is_wrong(site: Path, opened: Any) -> None:
    page = opened(site / "index.html", "light")
    page.evaluate("document.querySelector('main').append(document.createElement('img'))")
    assert any("image-alt" in line for line in violations(page))
