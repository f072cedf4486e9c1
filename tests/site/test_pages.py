"""Pages: complete, safe, linked, and written only when their input changed."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from processor.analysis import result_types
from processor.inbox import Ignored
from processor.quantities import columns
from processor.setaside import SetAside
from processor.site import pages
from processor.workspace import Workspace
from tests.libraries import HOSTILE, fail, make_track, publish_pages, say

ALLOWED_TAGS = {
    *("html", "head", "meta", "title", "link", "body", "header", "nav", "main", "footer", "aside", "section", "div"),
    *("h1", "h2", "p", "a", "span", "strong", "code", "time", "ul", "li", "dl", "dt", "dd", "details", "summary"),
    *("table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "svg", "line", "text", "polyline"),
    *("rect", "path", "image", "g", "tspan", "h3", "script", "audio", "button", "label", "input", "select", "option"),
    *("dialog", "form", "kbd", "template", "ol", "small", "b", "output", "fieldset", "legend", "circle", "colgroup"),
    *("col", "caption", "noscript", "optgroup", "abbr", "sup", "em", "pre", "datalist", "br", "symbol", "use"),
    "textarea",
}


class Page(HTMLParser):
    """What a browser would make of a page: tags, links, fields, text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.scripts: list[str | None] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.fields: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "script":
            self.scripts.append(dict(attrs).get("src"))
        for name, value in attrs:
            self.attributes.add(name)
            if name in ("href", "src"):
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")
            if name == "data-field":
                self.fields.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    place = Workspace(tmp_path)
    place.create()
    return place


def publish(workspace: Workspace, failed: tuple[SetAside, ...] = (), ignored: tuple[Ignored, ...] = ()) -> int:
    return publish_pages(workspace, failed, ignored)


def all_pages(workspace: Workspace) -> dict[str, Page]:
    return {path.relative_to(workspace.site).as_posix(): Page(path) for path in workspace.site.rglob("*.html")}


def test_every_number_of_a_track_is_on_its_page_with_its_field(workspace: Workspace) -> None:
    track = make_track(workspace, "One.wav")
    publish(workspace)
    shown = Page(workspace.site / "tracks" / f"{track.id}.html")
    for name, kind in result_types().items():
        for column in columns(kind):
            if not column.is_curve:
                assert f"{name}.{column.name}" in shown.fields
                assert name == "tags" or column.quantity.label in shown.text  # which are a list of their own


def test_values_stand_beside_their_own_labels(workspace: Workspace) -> None:
    track = make_track(
        workspace, "One.wav", loudness__integrated_lufs=-9.46, loudness__range_lu=None, levels__clipped_samples=1234567
    )
    publish(workspace)
    html = (workspace.site / "tracks" / f"{track.id}.html").read_text()

    def cell(field: str) -> str:
        found = re.search(rf'<td[^>]* data-field="{field}"[^>]*>(.*?)</td>', html, re.DOTALL)
        assert found
        return re.sub(r"<[^>]*>", "", found[1]).strip()

    assert cell("loudness.integrated_lufs") == "−9.5&nbsp;LUFS"
    assert cell("loudness.range_lu") == "—"
    assert cell("levels.clipped_samples") == "1\u2009234\u2009567&nbsp;samples"


@pytest.mark.parametrize("field", ["title", "artist", "album", "genre", "collection", "note"])
def test_a_hostile_word_is_only_text(workspace: Workspace, field: str) -> None:
    say(make_track(workspace, "One.wav"), **{field: HOSTILE})
    publish(workspace)
    check_harmless(workspace)


def test_hostile_files_tags_and_reasons_are_only_text(workspace: Workspace) -> None:
    tags = {f"metadata__{column.name}": HOSTILE for column in columns(result_types()["metadata"])}
    track = make_track(
        workspace,
        f"{HOSTILE.replace('/', '')}.wav",
        path=f"{HOSTILE}/x.wav",
        source__codec=HOSTILE,
        source__damage=HOSTILE,
        source__partial=True,
        **tags,
    )
    fail(track, "levels", HOSTILE)
    publish(workspace, (SetAside(HOSTILE, HOSTILE),), (Ignored(HOSTILE, HOSTILE),))
    check_harmless(workspace)


def check_harmless(workspace: Workspace) -> None:
    for name, page in all_pages(workspace).items():
        assert page.tags <= ALLOWED_TAGS, name
        assert all(re.fullmatch(r"(\.\./)?assets/[a-z]+\.js", src or "") for src in page.scripts), name
        assert not {a for a in page.attributes if a.startswith("on") or a == "style"}, name
        assert "7006652" not in page.text, f"{name}: a template ran"


def test_each_page_forbids_scripts_and_strangers(workspace: Workspace) -> None:
    make_track(workspace, "One.wav")
    publish(workspace)
    for path in workspace.site.rglob("*.html"):
        html = path.read_text()
        assert "default-src 'none'" in html
        assert "unsafe" not in html
        assert "http:" not in html
        assert "https:" not in html


def test_every_link_leads_somewhere(workspace: Workspace) -> None:
    for number in range(3):
        make_track(workspace, f"Track {number}.wav")
    publish(workspace, (SetAside("a.wav", "why"),))
    for name, page in all_pages(workspace).items():
        assert len(page.ids) == len(set(page.ids)), f"{name}: an id is there twice"
        for link in page.links:
            target, _, anchor = link.partition("#")
            path = (workspace.site / name).parent / target if target else workspace.site / name
            assert path.is_file(), f"{name} links to {link}"
            if anchor and path.suffix == ".html" and not re.match(r"(t|find)=|[a-z]+=", anchor):
                assert anchor in Page(path).ids


def test_tracks_come_newest_first_in_pages_of_a_hundred(workspace: Workspace) -> None:
    for number in range(101):
        make_track(workspace, f"{number:03d}.wav", day="2026/11/19" if number else "2026/11/20")
    publish(workspace)
    first, second = Page(workspace.site / "index.html"), Page(workspace.site / "index-2.html")
    links = [[link for link in page.links if link.startswith("tracks/")] for page in (first, second)]
    assert [len(found) for found in links] == [100, 1]
    assert links[0][0].startswith("tracks/000-")
    assert links[0][1].startswith("tracks/001-")
    assert "101 tracks" in first.text
    shutil.rmtree(next(workspace.library.glob("*/*/*/001-*")))
    publish(workspace)
    assert not (workspace.site / "index-2.html").exists()


def test_only_changed_pages_are_written(workspace: Workspace) -> None:
    one, two = make_track(workspace, "One.wav"), make_track(workspace, "Two.wav")
    publish(workspace)
    assert publish(workspace) == 0
    before = {path: path.stat().st_mtime_ns for path in workspace.site.rglob("*") if path.is_file()}
    say(two, note="better now")
    publish(workspace)
    changed = {path.name for path, when in before.items() if path.stat().st_mtime_ns != when}
    assert changed == {f"{two.id}.html"}
    shutil.rmtree(one.folder)
    publish(workspace)
    assert not (workspace.site / "tracks" / f"{one.id}.html").exists()
    assert one.id not in (workspace.site / "index.html").read_text()


def test_a_page_that_somebody_deleted_comes_back(workspace: Workspace) -> None:
    track = make_track(workspace, "One.wav")
    publish(workspace)
    page = workspace.site / "tracks" / f"{track.id}.html"
    page.unlink()
    assert publish(workspace) == 1
    assert page.is_file()


def test_a_new_version_of_the_templates_rewrites_all(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    make_track(workspace, "One.wav")
    written = publish(workspace)
    monkeypatch.setattr(pages, "version", lambda: "another")
    assert publish(workspace) == written


def test_a_missing_result_says_why(workspace: Workspace) -> None:
    track = make_track(workspace, "One.wav")
    fail(track, "levels", "the reason given")
    publish(workspace)
    page = Page(workspace.site / "tracks" / f"{track.id}.html")
    assert "the reason given" in page.text
    assert "levels.rms_dbfs" not in page.fields


def test_a_broken_record_has_a_page_that_says_so(workspace: Workspace) -> None:
    track = make_track(workspace, "One.wav")
    (track.folder / "record.json").write_text("{")
    publish(workspace)
    text = Page(workspace.site / "tracks" / f"{track.id}.html").text
    assert "linernotes doctor" in text
    assert "record.json" in text
    assert str(workspace.home) not in text, "a published page tells nobody where its maker keeps things"


def test_an_empty_library_says_what_to_do(workspace: Workspace) -> None:
    publish(workspace)
    assert "linernotes run" in Page(workspace.site / "index.html").text
    assert "All is well" in Page(workspace.site / "attention.html").text
