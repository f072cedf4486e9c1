"""A track's page in a real browser: songs that were synthesised and analysed, from the disk, on desks and phones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processor.analysis import all_analysers
from processor.analysis.waveform import MAX_COLUMNS
from processor.demo import PIECES, RATE, render
from processor.graph import run
from processor.workspace import Workspace
from tests.libraries import HOSTILE, fail, make_track, publish_pages
from tests.signals import audio, silence
from tests.site.browsing import NEEDS_CHROMIUM, PHONE

needs_chromium = NEEDS_CHROMIUM[1]  # some of these need only the files
pytestmark = pytest.mark.browser

MAX_BYTES = 300_000
LONG_S = 1200.0


def analysed(samples: Any, rate: int = RATE) -> dict[str, Any]:
    """Results of all analysers for a sound."""
    outcome = run(all_analysers(), audio(samples.astype(np.float32), rate))
    assert not outcome.failures
    return outcome.results


def twenty_minutes(results: dict[str, Any]) -> dict[str, Any]:
    """The same results as if the piece were a set of twenty minutes in which nothing ever stands still."""
    random = np.random.default_rng(1)
    seconds = int(LONG_S)
    changed = {
        "source": {"duration_s": LONG_S},
        "loudness": {"short_term_lufs": random.uniform(-30.0, -8.0, seconds)},
        "levels": {"clipped_intervals_s": pairs(600), "clipped_samples": 6000},
        "beats": {
            "beats_s": np.linspace(0.0, LONG_S, 3000, endpoint=False),
            "downbeats_s": np.linspace(0.0, LONG_S, 750, endpoint=False),
            "tempo_curve_bpm": random.uniform(100.0, 180.0, 3000),
        },
        "key": {"intervals_s": joined(60), "names": ("F# minor", "Bb major") * 30},
        "chords": {
            "intervals_s": joined(1200),
            "labels": ("F#:min", "Bb:maj", "C:maj") * 400,
            "confidences": np.ones(1200),
        },
        "sections": {
            "intervals_s": joined(80),
            "labels": tuple("ABCDEFGHIJ" * 8),
            "roles": ("chorus", "verse") * 40,
            "role_confidences": (0.5, 0.6) * 40,
            "novelty": random.uniform(0.0, 1.0, 750),
            "novelty_s": np.linspace(0.0, LONG_S, 750, endpoint=False),
        },
        "stereo": {"correlations": random.uniform(-1.0, 1.0, seconds), "negative_intervals_s": pairs(200)},
        "transients": {"onsets_s": np.sort(random.uniform(0.0, LONG_S, 7000))},
        "production": {
            **{f"section_{name}": tuple(random.uniform(0.0, 50.0, 80).tolist()) for name in PRODUCTION},
            **{f"{name}_by_second": random.uniform(0.0, 100.0, seconds) for name in ("warmth", "density", "width")},
            "decay_by_second_s": random.uniform(0.1, 3.0, seconds),
            "saturation_by_second_db": random.uniform(0.0, 6.0, seconds),
        },
        "waveform": {
            "highest": random.integers(50, 100, MAX_COLUMNS).astype(float),
            "lowest": -random.integers(50, 100, MAX_COLUMNS).astype(float),
            "low_share": random.integers(0, 500, MAX_COLUMNS).astype(float),
            "high_share": random.integers(0, 500, MAX_COLUMNS).astype(float),
        },
    }
    return {name: replace(result, **changed.get(name, {})) for name, result in results.items()}


PRODUCTION = ("warmth", "density", "width", "decay_s", "saturation_db")


def joined(count: int) -> Any:
    """So many passages from the beginning to the end, without a gap."""
    edges = np.linspace(0.0, LONG_S, count + 1)
    return np.stack([edges[:-1], edges[1:]], axis=1)


def pairs(count: int) -> Any:
    """So many short passages, spread over the piece."""
    starts = np.linspace(0.0, LONG_S, count, endpoint=False)
    return np.stack([starts, starts + 0.2], axis=1)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of a song, a broken one with hostile words, a long set, silence, and one with a failure."""
    workspace = Workspace(tmp_path_factory.mktemp("tracks"))
    song, broken = (analysed(render(piece)) for piece in PIECES[1:])
    tags = {f"metadata__{name}": HOSTILE for name in ("title", "artist", "album", "genre", "release_date", "comment")}
    failing = make_track(workspace, "Failing.wav", results=song)
    fail(failing, "beats", HOSTILE)
    make_track(workspace, "Song.flac", path="Album/Song.flac", results=song, metadata__genre="dub; techno")
    make_track(workspace, "Broken.wav", path=f"{HOSTILE}/x.wav", results=broken, source__codec=HOSTILE, **tags)
    make_track(workspace, "Set.flac", results=twenty_minutes(song))
    make_track(workspace, "Silence.wav", results=analysed(silence(12.0, channels=2)))
    publish_pages(workspace)
    return workspace.site


def named(site: Path, name: str) -> Path:
    return next(site.glob(f"tracks/{name}-*.html"))


def test_no_page_weighs_more_than_300_kilobytes(site: Path) -> None:
    for path in site.glob("tracks/*.html"):
        assert path.stat().st_size < MAX_BYTES, path.name
    assert named(site, "song").stat().st_size < 0.6 * MAX_BYTES


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(site: Path, opened: Any, scheme: str) -> None:
    for path in site.glob("tracks/*.html"):
        page = opened(path, size=PHONE, scheme=scheme)
        page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path.name


@needs_chromium
def test_every_chart_has_a_name_and_a_drawing(site: Path, opened: Any) -> None:
    page = opened(named(site, "song"))
    charts = page.locator("svg.chart")
    assert charts.count() >= 14
    for number in range(charts.count()):
        chart = charts.nth(number)
        assert chart.get_attribute("role") == "img"
        assert len(chart.get_attribute("aria-label")) > 20
        assert chart.bounding_box()["height"] > 20


@needs_chromium
def test_every_chart_over_time_says_where_its_time_is(site: Path, opened: Any) -> None:
    page = opened(named(site, "song"))
    charts = page.locator("svg.chart[data-duration]")
    assert charts.count() >= 10
    duration = {charts.nth(number).get_attribute("data-duration") for number in range(charts.count())}
    edges = {
        (charts.nth(number).get_attribute("data-left"), charts.nth(number).get_attribute("data-right"))
        for number in range(charts.count())
    }
    assert len(duration) == 1
    assert len(edges) == 1, "or charts would not stand below each other"


@needs_chromium
def test_blocks_of_sections_and_chords_carry_their_time(site: Path, opened: Any) -> None:
    page = opened(named(site, "song"))
    for part in ("sections", "chords", "key"):
        times = page.locator(f"#{part} svg.chart rect[data-time]")
        assert times.count() > 0, part
        found = [float(times.nth(number).get_attribute("data-time")) for number in range(times.count())]
        assert found == sorted(found)
    assert page.locator("#sections [data-section='1']").count() == 1


@needs_chromium
def test_lines_are_drawn_in_colours_of_the_theme(site: Path, opened: Any) -> None:
    colours = set()
    for scheme in ("light", "dark"):
        page = opened(named(site, "song"), scheme=scheme)
        line = page.locator("#loudness svg.chart path.line1")
        colours.add(line.evaluate("e => getComputedStyle(e).stroke"))
        assert line.evaluate("e => getComputedStyle(e).fill") == "none"
    assert len(colours) == 2
    assert "none" not in colours


@needs_chromium
def test_pictures_are_found(site: Path, opened: Any) -> None:
    page = opened(named(site, "song"))
    for part in ("spectrum", "key"):
        assert page.locator(f"#{part} svg.chart image").count() == 1
    assert opened(named(site, "silence")).locator("svg.chart image").count() == 0


@needs_chromium
def test_the_side_bar_says_what_the_track_is(site: Path, opened: Any) -> None:
    about = opened(named(site, "song")).locator(".about")
    assert about.locator("[data-field='beats.tempo_bpm']").inner_text() == "120.0"
    assert about.locator("[data-field='source.duration_s']").inner_text() == "0:17"
    assert "LUFS" in about.inner_text()
    assert about.locator("svg.bands rect").count() >= 4
    shares = about.locator(".band-list [data-field]").all_inner_texts()
    assert sum(float(text.split()[0].replace("%", "")) for text in shares) == pytest.approx(100, abs=0.4)
    assert about.locator(".tag").all_inner_texts() == ["dub", "techno", "Album"]


@needs_chromium
def test_states_are_labels_of_the_header(site: Path, opened: Any) -> None:
    def states(name: str) -> list[str]:
        return [str(text) for text in opened(named(site, name)).locator(".states li").all_inner_texts()]

    assert states("song")[0] == "deep analysis done"
    assert any("checks" in text for text in states("song"))
    assert "clipped" in states("broken")
    assert "silent" in states("silence")
    assert states("failing")[0] == "1 failed"


@needs_chromium
def test_what_is_not_known_is_a_dash_without_a_unit(site: Path, opened: Any) -> None:
    page = opened(named(site, "silence"))
    tempo = page.locator(".facts div", has=page.locator("[data-field='beats.tempo_bpm']"))
    assert tempo.inner_text().split() == ["Tempo", "—"]


@needs_chromium
def test_hostile_words_are_shown_and_run_nothing(site: Path, opened: Any) -> None:
    for name in ("broken", "failing"):
        page = opened(named(site, name))
        assert page.locator("main script, main img").count() == 0
        assert page.locator("[onerror], [onload], [style]").count() == 0
        assert "<script>" in page.locator("main").inner_text()


@needs_chromium
def test_a_long_list_folds_away(site: Path, opened: Any) -> None:
    page = opened(named(site, "set"))
    cell = page.locator("td[data-field='chords.labels']")
    assert "(1200)" in cell.locator("summary").inner_text()
    assert len(cell.inner_text()) < 200
    times = page.locator("#chords .times")
    assert not times.is_visible()
    page.locator("#chords summary", has_text="All 1200 chords").click()
    assert times.is_visible()


@needs_chromium
def test_texts_of_charts_do_not_run_into_each_other_on_a_phone(site: Path, opened: Any) -> None:
    page = opened(named(site, "song"), size=PHONE)
    crossing = page.evaluate(
        """[...document.querySelectorAll('svg.chart')].flatMap(svg => {
            const boxes = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()])
                .filter(([, b]) => b.width > 0);
            return boxes.flatMap(([a, p], i) => boxes.slice(i + 1).filter(([, q]) =>
                Math.min(p.right, q.right) - Math.max(p.left, q.left) > 2
                && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 5).map(([b]) => a + ' × ' + b)); })"""
    )
    assert crossing == []
