"""Reference: every table and field is explained, every question has an answer, every link leads somewhere."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from processor import catalogue
from processor.analysis import result_types
from processor.quantities import columns
from processor.site.reference import GUIDE, guide_of, reference_pages
from processor.workspace import Workspace
from tests.libraries import make_track


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    place = Workspace(tmp_path_factory.mktemp("reference"))
    place.create()
    make_track(place, "One.wav")
    with place.write_lock(), catalogue.opened(place) as connection:
        catalogue.synchronise(place, connection)
        catalogue.publish_snapshot(place, connection)
    return place


@pytest.fixture(scope="module")
def pages(workspace: Workspace) -> dict[str, str]:
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        return {name: make() for name, (_, make) in reference_pages(connection).items()}


def text(html: str) -> str:
    return " ".join(unescape(re.sub("<[^>]*>", " ", html)).split())


def ids(html: str) -> list[str]:
    return re.findall(r'\bid="([^"]*)"', html)


def test_every_field_has_its_place_with_unit_range_source_and_meaning(pages: dict[str, str]) -> None:
    html = pages["schema.html"]
    for name, kind in result_types().items():
        for column in columns(kind):
            row = re.search(rf'<tr id="{re.escape(f"{name}.{column.name}")}">(.*?)</tr>', html, re.DOTALL)
            assert row, f"{name}.{column.name}"
            said = text(row[1])
            assert column.name in said
            for part in (column.quantity.label, column.quantity.help, column.quantity.source, column.quantity.unit):
                assert " ".join(part.split()) in said, f"{name}.{column.name}"


def test_ranges_and_types_are_said_in_words(pages: dict[str, str]) -> None:
    html = text(pages["schema.html"])
    assert "integrated_lufs number, LUFS −70 to 20 Integrated loudness." in html
    assert "clipped_samples whole number, samples 0 to …" in html
    assert "short_term_lufs array, in the record, LUFS" in html
    assert "candidates list of numbers, BPM" in html
    assert "is_silent yes or no" in html


def test_every_table_and_column_of_the_catalogue_is_there(workspace: Workspace, pages: dict[str, str]) -> None:
    anchors = set(ids(pages["schema.html"]))
    _, rows = catalogue.query(
        workspace,
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND table_name[1] <> '_'",
    )
    assert {table for table, _ in rows} <= anchors
    aliases = set(re.findall(r"in <code>tracks</code>: <code>(\w+)</code>", pages["schema.html"]))
    for table, column in rows:
        is_analyser_s = table == "tracks" and f"tracks.{column}" not in anchors
        assert f"{table}.{column}" in anchors or is_analyser_s
        if is_analyser_s:
            assert column in aliases or any(anchor.endswith(f".{column}") for anchor in anchors), column


def test_every_question_gets_an_answer(workspace: Workspace, pages: dict[str, str]) -> None:
    questions = [unescape(sql) for sql in re.findall(r'<pre class="sql"[^>]*><code>(.*?)</code>', pages["schema.html"])]
    assert len(questions) == len(re.findall(r"<section", pages["schema.html"]))
    for sql in questions:
        catalogue.query(workspace, sql)


def test_names_are_there_once_and_links_lead_somewhere(pages: dict[str, str]) -> None:
    for name, html in pages.items():
        assert len(ids(html)) == len(set(ids(html))), name
        for link in re.findall(r'href="([^"]*)"', html.partition("<main")[2]):
            page, _, anchor = link.partition("#")
            if (page or name) in pages and anchor:
                assert anchor in ids(pages[page or name]), f"{name} links to {link}"


def test_the_guide_explains_whole_analysers_and_single_fields(pages: dict[str, str]) -> None:
    known = {f"{name}.{column.name}" for name, kind in result_types().items() for column in columns(kind)}
    known |= set(result_types())
    assert set(GUIDE) <= known
    assert set(GUIDE.values()) <= set(ids(pages["guide.html"]))
    assert guide_of("loudness.true_peak_dbtp") == "peaks"
    assert guide_of("loudness.integrated_lufs") == "loudness"
    assert guide_of("nobody.knows") is None


def test_every_topic_of_the_guide_names_its_fields_and_figures_cite(pages: dict[str, str]) -> None:
    html = pages["guide.html"]
    topics = re.findall(r"<section.*?</section>", html, re.DOTALL)
    assert len(topics) == len(re.findall(r'<li><a href="#', html))
    for topic in topics[1:]:
        assert "Fields:" in topic
        assert len(text(topic).split()) < 400, "a topic is one or two screens"
    cites = re.findall(r'class="cite">\[([^\]]*)\]', html)
    assert len(cites) > 20
    assert {cite.rpartition("; ")[2] for cite in cites} == {"primary", "second-hand", "inferred", "our declaration"}
    declared = {cite.rpartition("; ")[0] for cite in cites if cite.endswith("our declaration")}
    assert declared <= set(ids(pages["schema.html"])), "what we declare can be looked up"


def test_the_pages_are_small(pages: dict[str, str]) -> None:
    assert {name: len(html.encode()) < 300_000 for name, html in pages.items()} == dict.fromkeys(pages, True)


def test_the_same_catalogue_gives_the_same_pages(workspace: Workspace, pages: dict[str, str]) -> None:
    assert Path(workspace.catalogue).is_file()
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        again = reference_pages(connection)
        assert {name: make() for name, (_, make) in again.items()} == pages
