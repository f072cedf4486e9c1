"""Pages of comparisons: what they say, what they draw, and what they refuse to run."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processor import library, record
from processor.feedback.compare import compare
from processor.feedback.comparisons import MadeFrom, Stored, stored
from processor.feedback.equaliser import Audition
from processor.feedback.matching import Equaliser
from processor.files import templates_folder
from processor.library import Track
from processor.record import Failure, Record
from processor.site import comparison as page
from processor.site.charts.bands import frequency_x
from processor.site.charts.tones import difference_chart, tone_chart
from processor.site.rendering import assets
from processor.workspace import Workspace
from tests.libraries import HOSTILE, make_track
from tests.site.browsing import DESK, NEEDS_CHROMIUM, PHONE
from tests.site.drawings import shapes, stretches, ticks

CENTRES = 1000 * 10 ** (np.arange(-17, 14) / 10)
FLAT = np.full(CENTRES.size, -30.0)


def spectrum(levels: Any) -> dict[str, Any]:
    return {
        "spectrum__centres_hz": CENTRES,
        "spectrum__third_octaves_db": np.asarray(levels, dtype=np.float64),
        "spectrum__lossy_cutoff_hz": None,
    }


def form(*parts: tuple[float, float, str, str]) -> dict[str, Any]:
    return {
        "sections__intervals_s": np.array([[start, end] for start, end, _, _ in parts]),
        "sections__labels": tuple(label for _, _, label, _ in parts),
        "sections__roles": tuple(role for _, _, _, role in parts),
        "loudness__short_term_lufs": np.full(60, -15.0),
    }


def mix_and_references(workspace: Workspace, count: int = 1) -> list[Track]:
    bright = np.where((CENTRES > 2000) & (CENTRES < 16_000), FLAT + 6, FLAT)
    mix = make_track(
        workspace,
        "My Mix.wav",
        loudness__integrated_lufs=-10.0,
        **spectrum(bright),
        **form((0, 20, "A", "verse"), (20, 60, "B", "chorus")),
    )
    others = [
        make_track(
            workspace,
            f"Ref {number}.wav",
            loudness__integrated_lufs=-14.0 - number,
            **spectrum(FLAT + number),
            **form((0, 60, "A", "section")),
        )
        for number in range(count)
    ]
    return [mix, *others]


EQUALISER = Equaliser(
    kinds=("bell", "high shelf"),
    frequencies_hz=(300.0, 3000.0),
    gains_db=(1.5, -4.5),
    qs=(1.0, 0.7),
    rms_before_db=2.9,
    rms_after_db=0.71,
    reason=None,
    centres_hz=CENTRES,
    response_db=np.where(CENTRES > 2000, -4.5, 0.0),
    after_db=np.where(CENTRES > 2000, 1.5, 0.0),
)


def keep(workspace: Workspace, tracks: list[Track], name: str = "My Song", **results: Any) -> Stored:
    """Store a comparison of tracks; `results` replace what it has, None leaves it out."""
    found = [record.read(track.folder, page.result_types()).results for track in tracks]
    made_from = MadeFrom(
        tracks[0].id, tuple(t.id for t in tracks[1:]), (0.0,) * (len(tracks) - 1), (1.0,) * (len(tracks) - 1)
    )
    every = {
        "made_from": made_from,
        "comparison": compare(found[0], found[1:]),
        "equaliser": EQUALISER,
        "audition": Audition("my-song-audition.flac", -2.0, 1.0, -17.0, -1.0),
        **results,
    }
    kept = {key: value for key, value in every.items() if value is not None}
    failures = {} if "equaliser" in kept else {"equaliser": Failure("failed", f"It broke: {HOSTILE}")}
    folder = workspace.library / "2026/11/20" / f"{library.slug(name)}-12345678.comparison"
    folder.mkdir(parents=True)
    if "audition" in kept:
        (folder / "my-song-audition.flac").write_bytes(b"sound")
    record.write(Record("comparison", "1" * 64, name, kept, dict.fromkeys(kept, "k"), failures), folder)
    [one] = [one for one in stored(workspace) if one.folder == folder]
    return one


def pages(workspace: Workspace) -> dict[str, str]:
    page.link_auditions(workspace)
    found = page.comparison_pages(workspace, library.tracks(workspace))
    return {name: make() for name, (_, make) in found.items()}


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).replace("&nbsp;", " ").split())


# The page


def test_it_says_what_differs_and_by_how_much(workspace: Workspace) -> None:
    one = keep(workspace, mix_and_references(workspace))
    html = pages(workspace)[f"comparisons/{one.id}.html"]
    shown = text(html)
    assert "My Mix against Ref 0 . The reference is turned up by 4.0 dB to the loudness of the mix" in shown
    assert "3 differences from the reference that one would notice" in shown
    assert "More high mids: +6.0 dB from 2 kHz to 6 kHz" in shown
    assert "4.0 noticeable steps" in shown
    assert 'href="../tracks/my-mix-' in html
    assert 'href="../comparisons.html"' in html
    row = re.search(r'data-field="loudness.integrated_lufs".*?</tr>', html, re.DOTALL)
    assert row is not None
    assert re.findall(r"<td>(.*?)</td>", row[0]) == ["−10.0", "−14.0", "+4.0", "4.0"]


def test_it_shows_the_equaliser_its_proof_and_its_sound(workspace: Workspace) -> None:
    one = keep(workspace, mix_and_references(workspace))
    html = pages(workspace)[page.page_name(one)]
    shown = text(html)
    assert "the difference of tone falls from 2.90 to 0.71 dB" in shown
    assert "Bell 300 +1.5 1.0" in shown
    assert "High shelf 3000 −4.5 0.7" in shown
    assert f'src="../media/{one.id}-audition.flac"' in html
    assert "turned down by 2.0 dB: −17.0 LUFS, true peak −1.00 dBTP. 3.0 dB quieter than the reference" in shown
    assert (workspace.site / f"media/{one.id}-audition.flac").read_bytes() == b"sound"


def test_sections_stand_side_by_side(workspace: Workspace) -> None:
    one = keep(workspace, mix_and_references(workspace))
    html = pages(workspace)[page.page_name(one)]
    shown = text(html.partition('id="sections"')[2])
    assert "A verse 0:00 0:20 −5.0 A 0:00 1:00 −1.0" in shown
    assert "B chorus 0:20 0:40 −5.0" in shown
    assert html.count('aria-label="Sections of ') == 2
    assert "data-duration" not in html  # there is no player to seek in


def test_nothing_is_claimed_where_nothing_was_found(workspace: Workspace) -> None:
    nothing = replace(
        EQUALISER, kinds=(), frequencies_hz=(), gains_db=(), qs=(), rms_after_db=None, reason="All is well."
    )
    one = keep(workspace, mix_and_references(workspace), equaliser=nothing, audition=None)
    html = pages(workspace)[page.page_name(one)]
    assert "Nothing is suggested. All is well." in text(html)
    assert "<audio" not in html
    assert 'class="line3"' not in html


def test_a_comparison_of_silence_is_told(workspace: Workspace) -> None:
    tracks = mix_and_references(workspace)
    one = keep(workspace, tracks, comparison=compare({}, [{}]), equaliser=None, audition=None)
    shown = text(pages(workspace)[page.page_name(one)])
    assert "There is nothing to compare" in shown
    assert "The tonal curves have too little in common" in shown


def test_several_references_are_a_corridor(workspace: Workspace) -> None:
    one = keep(workspace, mix_and_references(workspace, 3))
    html = pages(workspace)[page.page_name(one)]
    assert "The references are turned by +4.0, +5.0 and +6.0 dB to" in text(html)
    assert "−15.0 (−16.0 to −14.0)" in text(html)
    assert "Where the 3 references lie" in html


@pytest.mark.parametrize(
    ("gains", "told"),
    [
        ((5.72,), "up by 5.7 dB"),
        ((-2.31,), "down by 2.3 dB"),
        ((-2.31, 3.18), "by −2.3 and +3.2 dB"),
        ((-2.31, None, 0.0), "by −2.3, — and 0.0 dB"),
    ],
)
def test_each_reference_says_which_way_it_is_turned(gains: tuple[float | None, ...], told: str) -> None:
    assert page.turned(gains).replace("\u00a0", " ") == told


def test_a_comparison_without_measures_has_no_empty_table(workspace: Workspace) -> None:
    one = keep(workspace, mix_and_references(workspace), comparison=compare({}, [{}]), equaliser=None, audition=None)
    html = pages(workspace)[page.page_name(one)]
    assert 'id="measures"' not in html
    assert 'href="#measures"' not in html


def test_hostile_names_are_only_text(workspace: Workspace) -> None:
    mix = make_track(workspace, "a.wav", metadata__title=HOSTILE, **spectrum(FLAT))
    other = make_track(workspace, "b.wav", metadata__title=HOSTILE, sections__labels=(HOSTILE,), **spectrum(FLAT))
    evil = form((0, 9, HOSTILE, HOSTILE))
    third = make_track(workspace, "c.wav", **spectrum(FLAT), **evil)
    keep(workspace, [third, other, mix], HOSTILE, equaliser=None, audition=None)
    for html in pages(workspace).values():
        assert "<script>" not in html
        assert "<img" not in html
        assert "7006652" not in re.findall(r"<title>(.*?)</title>", html)[0]


def test_tracks_that_are_gone_are_named(workspace: Workspace) -> None:
    tracks = mix_and_references(workspace)
    one = keep(workspace, tracks)
    (tracks[1].folder / "record.json").unlink()
    assert tracks[1].id in pages(workspace)[page.page_name(one)]
    shutil.rmtree(tracks[0].folder)
    html = pages(workspace)[page.page_name(one)]
    assert f"{tracks[0].id} (gone)" in text(html)
    assert f"tracks/{tracks[0].id}.html" not in html


def test_the_list_has_all_and_there_is_none_without_any(workspace: Workspace) -> None:
    assert pages(workspace) == {}
    tracks = mix_and_references(workspace)
    keep(workspace, tracks, "First")
    keep(workspace, tracks, "Second", equaliser=None, audition=None)
    shown = text(pages(workspace)["comparisons.html"])
    assert "First My Mix Ref 0 3 " in shown
    assert "Second My Mix Ref 0 3 " in shown
    assert "0.7 dB" in shown


def test_pages_are_stale_when_something_on_them_changed(workspace: Workspace) -> None:
    tracks = mix_and_references(workspace)
    one = keep(workspace, tracks)

    def signature() -> str:
        return page.comparison_pages(workspace, library.tracks(workspace))[page.page_name(one)][0]

    first = signature()
    assert signature() == first
    page.link_auditions(workspace)
    second = signature()
    library.write_person(tracks[0], {"title": "Another"})
    third = signature()
    os.utime(one.folder / "record.json", (1, 1))
    assert len({first, second, third, signature()}) == 4


# Auditions and players


def test_auditions_are_linked_and_those_of_nobody_removed(workspace: Workspace) -> None:
    one = keep(workspace, mix_and_references(workspace))
    foreign, old = (workspace.site / "media" / name for name in ("mine.flac", "gone-12345678-audition.flac"))
    foreign.parent.mkdir(parents=True, exist_ok=True)
    foreign.write_bytes(b"x")
    old.write_bytes(b"x")
    assert (page.link_auditions(workspace), page.link_auditions(workspace)) == (1, 0)
    linked = page.audition_path(workspace.site, one)
    assert linked.samefile(one.folder / "my-song-audition.flac")
    assert (foreign.exists(), old.exists()) == (True, False)
    (one.folder / "new").write_bytes(b"other")
    (one.folder / "new").replace(one.folder / "my-song-audition.flac")
    os.utime(linked, (1, 1))
    assert page.link_auditions(workspace) == 1
    assert linked.read_bytes() == b"other"


def test_an_audition_s_name_leads_nowhere_else(workspace: Workspace) -> None:
    (workspace.home / "secret").write_text("s")
    audition = Audition("../../../../secret", 0.0, 0.0, -14.0, -1.0)
    one = keep(workspace, mix_and_references(workspace), audition=audition)
    assert one.audition is None
    assert page.link_auditions(workspace) == 0


def test_the_player_has_the_mix_first_and_references_in_step(workspace: Workspace) -> None:
    tracks = mix_and_references(workspace, 2)
    made_from = MadeFrom(tracks[0].id, (tracks[1].id, "gone-12345678", tracks[2].id), (0.0, 9.0, 1.5), (1.0, 1.0, 1.01))
    keep(workspace, tracks, made_from=made_from)
    [takes] = page.players(workspace, tracks)
    assert [(take.track.id, take.offset_s, take.speed) for take in takes] == [
        (tracks[0].id, 0.0, 1.0),
        (tracks[1].id, 0.0, 1.0),
        (tracks[2].id, 1.5, 1.01),
    ]
    assert page.players(workspace, tracks[1:]) == []


# Charts


def test_the_tone_chart_has_both_curves_at_their_levels() -> None:
    mix = np.where(CENTRES > 1000, -20.0, -40.0)
    chart = tone_chart(CENTRES, mix, (FLAT, FLAT, FLAT), 1)
    [line], [reference] = stretches(chart, "line1"), stretches(chart, "line2")
    marks = ticks(chart)
    assert line[0] == (pytest.approx(frequency_x(float(CENTRES[0])), abs=0.1), pytest.approx(marks["−40"], abs=0.2))
    assert line[-1][1] == pytest.approx(marks["−20"], abs=0.2)
    assert reference[0][1] == pytest.approx((marks["−40"] + marks["−20"]) / 2, abs=0.2)
    assert chart is not None
    assert "from −10.0 dB at 20 Hz to 10.0 dB at 1259 Hz" in chart.summary
    assert "corridor" not in chart.drawing


def test_the_corridor_has_gaps_where_nobody_sounds() -> None:
    gap = FLAT.copy()
    gap[10:12] = np.nan
    chart = tone_chart(CENTRES, FLAT, (gap - 3, gap, gap + 3), 4)
    [outline] = shapes(chart, "corridor")
    assert outline.count("M") == 2
    assert len(stretches(chart, "line2")) == 2


def test_the_difference_chart_is_even_and_holds_all() -> None:
    before, after = np.where(CENTRES > 1000, 9.0, 0.0), np.zeros(CENTRES.size)
    chart = difference_chart(CENTRES, before, after, -before)
    marks = ticks(chart)
    assert stretches(chart, "line1")[0][-1][1] == pytest.approx(marks["10"] + (marks["0"] - marks["10"]) / 10, abs=0.2)
    assert stretches(chart, "line3")[0][0][1] == pytest.approx(marks["0"], abs=0.2)
    assert marks["0"] == pytest.approx((marks["10"] + marks["−10"]) / 2)
    assert chart is not None
    assert [key.text for key in chart.legend] == ["Mix over reference", "Equaliser", "Behind the equaliser"]
    alone = difference_chart(CENTRES, before)
    assert alone is not None
    assert [key.text for key in alone.legend] == ["Mix over reference"]


def test_nothing_is_drawn_of_nothing() -> None:
    assert tone_chart(np.empty(0), np.empty(0), (np.empty(0),) * 3, 1) is None
    assert difference_chart(CENTRES, np.full(CENTRES.size, np.nan)) is None


# In a browser

# The texts that take several lines.
BROKEN = """all => all.filter(one => {
    const range = document.createRange(); range.selectNodeContents(one);
    const rows = [...range.getClientRects()].map(one => one.bottom);
    return Math.max(...rows) - Math.min(...rows) > 10;
}).map(one => one.textContent)"""


@pytest.mark.browser
@NEEDS_CHROMIUM[1]
@pytest.mark.parametrize("size", [DESK, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_screen(workspace: Workspace, opened: Any, size: dict[str, int], scheme: str) -> None:
    one = keep(workspace, mix_and_references(workspace, 2))
    for name, html in pages(workspace).items():
        path = workspace.site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html)
    (workspace.site / "assets").mkdir()
    for asset in assets():
        (workspace.site / "assets" / asset).write_text((templates_folder() / asset).read_text())
    for path in (workspace.site / page.page_name(one), workspace.site / page.LIST_PAGE):
        shown = opened(Path(path), size=size, scheme=scheme)
        assert shown.evaluate("document.documentElement.scrollWidth") <= size["width"]
        assert shown.locator("h1").is_visible()
        for selector in ("td a", ".band-differences dd"):  # a name and "−1.2 dB" stand on one line, whatever the screen
            assert shown.locator(selector).evaluate_all(BROKEN) == []
