"""A browser, and a way to open a page in it that notices whatever goes wrong there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.site.browsing import ARGUMENTS, CHROMIUM, DESK, PATIENCE_MS


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a file in a fresh page; afterwards nothing must have gone wrong in it, nor been asked for elsewhere."""
    contexts, troubles = [], []

    def open_page(
        path: Path, fragment: str = "", *, size: dict[str, int] = DESK, scheme: str = "light", **options: Any
    ) -> Any:
        context = browser.new_context(viewport=size, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: (troubles.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: None if request.url.startswith("file://") else troubles.append(request.url))
        page.goto(path.as_uri() + (f"#{fragment}" if fragment else ""))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []
