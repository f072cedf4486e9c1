"""The site of a fixed library, file by file as it was last looked at and found good."""

from __future__ import annotations

from pathlib import Path

from tests.site.regenerate import GOLDEN, build


def test_the_site_is_as_it_was(tmp_path: Path) -> None:
    made, golden = texts(build(tmp_path)), texts(GOLDEN)
    assert sorted(made) == sorted(golden)
    for name, content in golden.items():
        assert made[name] == content, f"{name} moved; if that is meant: python -m tests.site.regenerate"


def texts(site: Path) -> dict[str, str]:
    return {path.relative_to(site).as_posix(): path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
