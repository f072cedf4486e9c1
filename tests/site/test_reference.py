"""Reference: every table and field is explained, every question has an answer, every link leads somewhere."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from processor import catalogue
from processor.analysis import result_types
from processor.config import Settings
from processor.feedback.checks import definitions, sql_checks
from processor.feedback.platforms import all_platforms
from processor.feedback.profiles import all_profiles
from processor.feedback.rules import all_rules
from processor.quantities import columns
from processor.site import reference
from processor.site.guide import OWN_CHECK, desk_tables
from processor.site.reference import GUIDE, guide_of, reference_pages
from processor.workspace import Workspace
from tests.libraries import make_track


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    place = Workspace(tmp_path_factory.mktemp("reference"))
    place.create()
    make_track(place, "One.wav")
    make_track(place, "Long.wav", source__duration_s=481.0)
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


def section(html: str, name: str) -> str:
    """A part of a page by its id."""
    found = re.search(rf'<section[^>]*aria-labelledby="{name}">.*?</section>', html, re.DOTALL)
    assert found, name
    return found[0]


def rows(html: str, part: str, name: str) -> list[str]:
    """Rows of a table of the guide as text, by the part that it is in and its name."""
    table = re.search(rf'aria-label="{name}".*?</table>', section(html, part), re.DOTALL)
    assert table, name
    return [text(row) for row in re.findall("<tr.*?</tr>", table[0].partition("</thead>")[2], re.DOTALL)]


def plain(words: str) -> str:
    return " ".join(words.split())


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
    known |= {*result_types(), "advice", "checks", "mashability", "mashups", "revisions"}
    assert set(GUIDE) <= known
    assert set(GUIDE.values()) <= set(ids(pages["guide.html"]))
    assert guide_of("loudness.true_peak_dbtp") == "peaks"
    assert guide_of("loudness.integrated_lufs") == "loudness"
    assert guide_of("integrity.clicks") == "integrity"
    assert guide_of("integrity.flat_tops") == "peaks"
    assert guide_of("nobody.knows") is None
    for table in ("advice", "checks", "revisions", "coding", "material", "pumping", "translation"):
        assert f'id="{table}"' in pages["guide.html"]
        assert f'<a href="guide.html#{table}">' in section(pages["schema.html"], table)


def test_every_topic_of_the_guide_names_its_fields_and_figures_cite(pages: dict[str, str]) -> None:
    html = pages["guide.html"]
    topics = re.findall(r"<section.*?</section>", html, re.DOTALL)
    assert len(topics) == len(re.findall(r'<li><a href="#', html))
    for topic in topics[1:]:
        assert "Fields:" in topic
        spoken = re.sub("<table.*?</table>", "", topic, flags=re.DOTALL)
        assert 30 < len(text(spoken).split()) < 400, "a topic is one or two screens"
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


def test_the_guide_lists_all_rules_with_their_code(pages: dict[str, str]) -> None:
    listed = rows(pages["guide.html"], "advice", "List of rules")
    assert f"All {len(all_rules())} rules" in text(pages["guide.html"])
    for one in all_rules():
        [row] = [row for row in listed if row.startswith(f"{one.name} ")]
        assert row.endswith(f"{', '.join(one.of)} {plain(one.help)} Source: {plain(one.source)}")
        file, line = re.search(r"(processor/\S+\.py):(\d+)", row).groups()  # type: ignore[union-attr]
        assert (Path(reference.__file__).parents[2] / file).read_text().splitlines()[int(line) - 1].startswith("@rule(")
    areas = [row for row in listed if "Source:" not in row]
    assert areas == sorted(areas)
    assert "Low end" in areas
    assert len(listed) == len(all_rules()) + len(areas)


def test_the_guide_lists_all_profiles_and_says_how_sure_they_are(pages: dict[str, str]) -> None:
    listed = rows(pages["guide.html"], "profiles", "List of profiles")
    assert len(listed) == len(all_profiles(Settings()))
    for row, one in zip(listed, all_profiles(Settings()).values(), strict=True):
        assert row == f"{one.title} {one.name} {one.confidence}, no tracks counted {plain(one.source)}"


def test_the_guide_says_what_each_platform_does(pages: dict[str, str]) -> None:
    listed = dict(
        zip(all_platforms(Settings()), rows(pages["guide.html"], "platforms", "What platforms do"), strict=True)
    )
    for name, one in all_platforms(Settings()).items():
        assert listed[name].startswith(f"{one.title} {name} ")
        assert plain(one.note) in listed[name]
        assert plain(one.source) in listed[name]
        assert listed[name].endswith(f"{one.confidence} {one.dated}")
    assert (
        "−14 Turns down, and up until peaks are 1 dB under full scale; an album as a whole; codes to Vorbis, AAC. "
        in listed["spotify"]
    )
    assert listed["spotify"].endswith(" −1 dBTP −2 for louder masters primary 2026-11")
    assert "−11 Turns down and up; its limiter holds boosts at −1 dBFS; an album" in listed["spotify-loud"]
    assert "−14 Turns down, never up; codes to Opus, AAC. " in listed["youtube"]
    assert "none Plays it as it is; codes to AAC. " in listed["club"]
    assert "codes to" not in listed["ebu-r128"]
    assert " −1 dBTP primary" in listed["ebu-r128"]


def test_the_guide_lists_all_checks_with_their_limits_in_words(pages: dict[str, str]) -> None:
    listed = rows(pages["guide.html"], "checks", "List of checks")
    assert len(listed) == len(definitions())
    for row, one in zip(listed, definitions(), strict=True):
        assert row.startswith(f"{one.title} {one.id} ")
        assert row.endswith(f"Source: {plain(one.source)}")
        assert ("warns " in row.lower(), "fails " in row.lower()) == (bool(one.warn), bool(one.fail))
        assert "{" not in row
        assert not re.search(r"(platform|profile)\.\w", row)
    limits: dict[str, list[str]] = {}
    for check in desk_tables()["checks"]:
        limits.setdefault(check.id, []).append(check.limit)
    assert limits["file.complete"] == ["Fails unless “Partial” is no"]
    assert limits["file.channels"] == ["Warns unless “Channels” is 1 or 2"]
    assert limits["file.sample_rate"] == ["Fails under 44100 Hz"]
    assert limits["noise.hum"] == ["Warns over −50 dB; fails over −30 dB"]
    assert limits["stereo.balance"] == ["Warns outside −1.5 dB to 1.5 dB; fails outside −6 dB to 6 dB"]
    assert limits["dynamics.profile"] == ["Warns under the profile's lower edge − 1 DR"]
    assert limits["peak.clipped"] == ["Warns over 0 a minute; fails over 1000 a minute"]
    assert limits["loudness.on_target"][0].startswith("Warns more than 2 LU off the platform's target; not for Broad")
    assert limits["peak.true"] == [
        "Warns over the platform's ceiling; fails over the platform's ceiling + 2 dB; not for Broadcast, EBU R 128",
        "For Broadcast, EBU R 128 fails over the platform's ceiling",
    ]


def test_the_check_that_the_guide_shows_is_one(workspace: Workspace, pages: dict[str, str], tmp_path: Path) -> None:
    assert unescape(section(pages["guide.html"], "checks")).count(OWN_CHECK) == 1
    (tmp_path / "long.sql").write_text(OWN_CHECK, encoding="utf-8")
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        found = {track.partition("-")[0]: checks for track, checks in sql_checks(connection, tmp_path).items()}
    assert [(check.title, check.status) for check in found["one"]] == [("No track over eight minutes", "pass")]
    assert [(check.status, check.found, check.expected) for check in found["long"]] == [("fail", "481", "≤ 480 s")]


def test_the_guide_is_written_again_when_the_mix_desk_changes(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        before = {name: signature for name, (signature, _) in reference_pages(connection).items()}
        monkeypatch.setattr(reference, "code_version", lambda: "another")
        after = {name: signature for name, (signature, _) in reference_pages(connection).items()}
    assert before["guide.html"] != after["guide.html"]
    assert before["schema.html"] == after["schema.html"]


def test_a_field_of_the_guide_that_is_gone_is_noticed(workspace: Workspace) -> None:
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        found = reference._catalogue_columns(connection)
    assert reference._link(found, "checks.status")["href"] == "schema.html#checks.status"
    for gone in ("loudness.gone", "advice.gone"):
        with pytest.raises(KeyError):
            reference._link(found, gone)
