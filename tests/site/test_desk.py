"""Advice, checks, platforms and standings on a track's page and in its report."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from processor.analysis import result_types
from processor.feedback.advice import Advice, Evidence, Step
from processor.feedback.checks import Check
from processor.feedback.desk import Verdict
from processor.feedback.ledger import Beside
from processor.feedback.llm import Sentence, Wording
from processor.feedback.platforms import Coded, Outcome, Platform
from processor.feedback.profiles import Profile
from processor.feedback.revisions import Revision
from processor.feedback.standing import Standing
from processor.files import templates_folder
from processor.record import Record
from processor.site.desk import MAX_OPEN, MAX_TIMES, SHOWN_TIMES, MixDesk, counted, desk_context
from processor.site.markdown import report, write_report
from processor.site.media import Media, player_context
from processor.site.rendering import assets, environment
from processor.site.track import time_link, track_page
from processor.workspace import Workspace
from tests import signals
from tests.libraries import HOSTILE, invented, make_track
from tests.site.accessibility import violations
from tests.site.browsing import NEEDS_CHROMIUM, PHONE

needs_chromium = NEEDS_CHROMIUM[1]
pytestmark = pytest.mark.browser

SECONDS = 20.0
PLATFORM = Platform("tube", "The Tube", -14.0, False, None, -1.0, ("aac",), "2026-11", "primary", "its own page")
LOUD = Platform("loud", "Loudify", -8.0, True, None, -2.0, ("vorbis",), "", "a person’s word", "settings", "of its own")
PROFILE = Profile("techno", "Techno", "inferred", "literature, 2026-11", 0, {}, (), (), (), ())
MUDDY = Advice(
    "tone.low_mids.too_much",
    "fault",
    "tone",
    "low_mids",
    "too much",
    "Muddy low mids",
    "They veil the voice.",
    (
        Evidence("spectrum.low_mids_share", 28.14, "%", "6 to 17", "40 tracks"),
        Evidence("beats.nowhere", None, "dB", "any", "nobody"),
    ),
    (Step("bell", -3.5, 300.0, 1.0, note="on the guitars"), Step("high-pass", None, 120.0)),
    ((2.0, 4.0), (11.25, 11.3)),
)
DC = replace(MUDDY, id="integrity.dc", severity="warning", title="DC offset", times_s=(), processing=())
NOTE = replace(MUDDY, id="stereo.narrow", severity="note", title="A little narrow", evidence=())
GOOD = replace(MUDDY, id="low_end.mono", severity="strength", title="Bass is mono", processing=(), times_s=())
FAIL = Check(
    "delivery.peak", "Peak", "fail", "≤ −1.0 dBTP", "+0.4 dBTP", "It clips.", "loudness.true_peak_dbtp", "R 128"
)
WARN = replace(FAIL, id="delivery.loudness", title="Loudness", status="warn", field="")
PASS = replace(FAIL, id="integrity.dc", title="No DC", status="pass", why="", field="nothing.there")
SKIP = replace(FAIL, id="integrity.hum", title="No hum", status="skip", found="", expected="", why="It never is quiet.")
DOWN = Outcome(PLATFORM, -4.2, -14.0, 0.0, 0.3, 0.0, -1.0, 5.5, (Coded("aac", 5.1, 0.9),))
UP = Outcome(LOUD, 1.8, -8.0, 2.0, -0.5, 1.25, -2.0, 0.0, (Coded("vorbis", 0.4, -1.4),))
STANDING = (
    Standing("spectrum.tilt_db_per_octave", "brighter", 0.834, 42, "your techno"),
    Standing("stereo.width", "narrower", 0.7, 41, "your techno"),
    Standing("beats.tempo_bpm", "faster", 0.6, 99, "your library"),
)


def words(text: str, model: str = "a/model-1", struck: int = 1) -> Wording:
    """A model's words: a summary of two sentences, a priority and a note, one of them empty."""
    summary = (Sentence(text, ("a",)), Sentence("And\nmore.", ()))
    return Wording(
        summary, (Sentence(text, ()), Sentence(" ", ())), (Sentence("First.", ()),), struck, model, 1, 1, None, "k"
    )


WORDS = words("A fine mix.")
PAGE = """\
{% extends "base.html" %}{% block title %}Song{% endblock %}{% block main %}<h1>Song</h1>{% include "_player.html" %}
<div class="report">{% include "_advice.html" %}{% include "_checks.html" %}{% include "_platforms.html" %}</div>
<section id="spectrum"><h2>Spectrum</h2></section><section id="loudness"><h2>Loudness</h2></section>{% endblock %}
"""


def verdict(**changes: Any) -> Verdict:
    whole = Verdict(
        PROFILE, "your word: techno", PLATFORM, (MUDDY, DC, NOTE, GOOD), (PASS, FAIL, SKIP, WARN), (DOWN, UP)
    )
    return replace(whole, **{"standing": STANDING} | changes)


def record_of(**results: Any) -> Record:
    types = result_types()
    found = {name: invented(types[name]) for name in ("spectrum", "loudness", "source", "waveform")}
    found["source"] = replace(found["source"], duration_s=SECONDS)
    return Record("track", "ab" * 32, "Song.wav", found | results, {})


def desk(**changes: Any) -> MixDesk:
    return desk_context(verdict(**changes), record_of(), has_sound=True)


# What is said


def test_the_worst_is_said_in_the_header() -> None:
    (advice, part), (checks, checks_part) = desk().labels
    assert (advice.text, advice.style, advice.hint, part) == (
        "1 fault, 1 warning",
        "bad",
        "1 note, 1 strength",
        "advice",
    )
    assert (checks.text, checks.style, checks_part) == ("✗ 1/3 checks", "bad", "checks")
    assert checks.hint == "1 failing, 1 warning, 1 passed, 1 skipped"


@pytest.mark.parametrize(
    ("advice", "text", "style"),
    [
        ((DC, DC), "2 warnings", "warn"),
        ((MUDDY, MUDDY), "2 faults", "bad"),
        ((NOTE, GOOD), "no fault found", "good"),
        ((), "no fault found", "good"),
    ],
)
def test_the_headers_colour_is_that_of_the_worst_advice(advice: Any, text: str, style: str) -> None:
    label = desk(advice=advice).labels[0][0]
    assert (label.text, label.style) == (text, style)


@pytest.mark.parametrize(
    ("checks", "text", "style", "headline"),
    [
        ((PASS, PASS, SKIP), "✓ 2/2 checks", "good", "All checks have passed"),
        ((PASS, WARN), "⚠ 1/2 checks", "warn", "No check has failed"),
        ((FAIL, WARN, PASS), "✗ 1/3 checks", "bad", "Some checks were not successful"),
    ],
)
def test_checks_are_summed_up_by_the_worst(checks: Any, text: str, style: str, headline: str) -> None:
    made = desk(checks=checks)
    label = made.labels[1][0]
    assert (label.text, label.style, made.checks.headline) == (text, style, headline)


def test_checks_that_could_not_be_made_are_no_success() -> None:
    made = desk(checks=(SKIP,))
    assert made.checks.headline == "No check could be made"
    assert len(made.labels) == 1


def test_what_fails_comes_before_what_warns_and_the_rest_is_apart() -> None:
    checks = desk().checks
    assert [row.status for row in checks.open] == ["fail", "warn"]
    assert [row.id for row in checks.passed] == ["integrity.dc"]
    assert [row.id for row in checks.skipped] == ["integrity.hum"]


def test_a_check_links_to_the_part_of_the_page_that_has_its_field() -> None:
    checks = desk().checks
    assert checks.open[0].section == "loudness"
    assert (checks.open[1].section, checks.passed[0].section) == ("", "")


def test_evidence_has_its_fields_name_and_digits() -> None:
    known, unknown = desk().advice[0].proofs
    assert (known.label, known.value, known.unit) == ("Share of low mids, 250–500 Hz", "28.1", "%")
    assert known.section == "spectrum"
    assert (unknown.label, unknown.value, unknown.unit, unknown.section) == ("beats.nowhere", "—", "", "")


def test_strengths_are_apart_from_what_there_is_to_do() -> None:
    made = desk()
    assert [one.severity for one in made.advice] == ["fault", "warning", "note"]
    assert [one.is_open for one in made.advice] == [True, True, False]
    assert [one.title for one in made.strengths] == ["Bass is mono"]


def test_only_so_much_is_open_at_once() -> None:
    assert [one.is_open for one in desk(advice=(MUDDY,) * 8).advice] == [True] * MAX_OPEN + [False] * (8 - MAX_OPEN)


def test_of_many_places_some_are_shown_and_some_fold_out() -> None:
    many = replace(MUDDY, times_s=tuple((float(n), n + 0.5) for n in range(500)))
    one = desk(advice=(many,)).advice[0]
    assert (len(one.places), len(one.places) + len(one.more_places)) == (SHOWN_TIMES, MAX_TIMES)
    assert one.more_places[0].start_s == SHOWN_TIMES


def test_standings_are_grouped_by_what_they_are_compared_with() -> None:
    made = desk()
    assert [(name, peers, len(listed)) for name, peers, listed in made.groups] == [
        ("your techno", 42, 2),
        ("your library", 99, 1),
    ]
    assert made.standing["spectrum.tilt_db_per_octave"] == "brighter than 83\u00a0% of your techno"


def test_a_models_words_are_lines_and_empty_ones_are_none() -> None:
    worded = desk_context(verdict(), record_of(), WORDS).worded
    assert worded is not None
    assert (worded.summary, worded.priorities, worded.notes) == (
        ("A fine mix.", "And more."),
        ("First.",),
        ("A fine mix.",),
    )
    assert (worded.model, worded.struck) == ("a/model-1", 1)
    nothing = Wording((), (Sentence(" ", ()),), (), 3, "m", None, None, None, "k")
    assert desk_context(verdict(), record_of(), nothing).worded is None


@pytest.mark.parametrize(("number", "text"), [(0, "0 faults"), (1, "1 fault"), (2, "2 faults")])
def test_counted(number: int, text: str) -> None:
    assert counted(number, "fault") == text


# Platforms


def test_what_a_platform_does_is_said_in_numbers() -> None:
    tube, loud = desk().platforms.rows
    assert (tube.gain, tube.ends_at, tube.limiter, tube.short) == ("−4.2", "−14.0", "—", "")
    assert (loud.gain, loud.ends_at, loud.limiter, loud.short) == ("+1.8", "−8.0", "−1.2", "2.0 under its −8.0")
    assert (tube.asked.text, tube.asked.remark) == ("−1.0", "5.5 over")
    assert (loud.asked.text, loud.asked.remark) == ("−2.0", "")
    assert (tube.peak.text, tube.peak.remark) == ("0.3", "clips")
    assert (loud.peak.text, loud.peak.remark) == ("−0.5", "")
    assert tube.is_target
    assert not loud.is_target


def test_peaks_after_coding_say_where_they_are_clipped() -> None:
    platforms = desk().platforms
    assert platforms.codecs == ("AAC", "Vorbis")
    (aac, none), (nothing, vorbis) = (row.coded for row in platforms.rows)
    assert (none, nothing) == (None, None)
    assert aac is not None
    assert (aac.text, aac.remark) == ("0.9", "clips")
    assert vorbis is not None
    assert (vorbis.text, vorbis.remark) == ("−1.4", "+0.4 in the decoder")
    (fine,) = desk(outcomes=(replace(UP, coded=(Coded("vorbis", -0.1, -1.9),)),)).platforms.rows[0].coded
    assert fine is not None
    assert (fine.text, fine.remark) == ("−1.9", "")


def test_where_nothing_is_turned_up_each_platform_is_heard_at_its_own_level() -> None:
    platforms = desk(outcomes=(DOWN, replace(DOWN, gain_db=0.0))).platforms
    assert (platforms.lowered_db, platforms.plain_db) == (0, 0)
    assert [row.volume_db for row in platforms.rows] == [-4.2, 0]
    assert [row.words for row in platforms.rows] == ["4.2 dB quieter than the file", "as loud as the file"]


def test_where_something_is_turned_up_all_are_lowered_alike() -> None:
    platforms = desk().platforms
    assert (platforms.lowered_db, platforms.plain_db, platforms.is_limited) == (1.8, -1.8, True)
    assert [row.volume_db for row in platforms.rows] == [-6.0, 0]
    assert platforms.rows[1].words == "1.8 dB louder than the file"


def test_of_silence_nothing_is_told_about_platforms() -> None:
    nothing = Outcome(PLATFORM, None, None, None, None, None, -1.0, None, ())
    platforms = desk(outcomes=(nothing,)).platforms
    row = platforms.rows[0]
    assert (row.gain, row.ends_at, row.limiter, row.peak.text, row.volume_db) == ("—", "—", "—", "—", None)
    assert platforms.plain_db == 0


# The report in Markdown


def markdown(**changes: Any) -> str:
    return report(record_of(), {}, [], verdict(**changes)).text


def test_the_report_has_advice_and_checks_above_all_pictures_and_numbers() -> None:
    text = markdown()
    heads = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert heads[:4] == ["About", "Advice", "Checks", "On each platform"]
    assert "Judged as **Techno** (your word: techno), for **The Tube**." in text
    assert "### ✗ Fault: Muddy low mids" in text
    assert "- bell, 300 Hz, −3.5 dB, Q 1.0: on the guitars\n- high-pass, 120 Hz" in text
    assert "Where: 0:02–0:04, 0:11" in text
    assert "28.1 % | 6 to 17 | `spectrum.low_mids_share` | 40 tracks |" in text
    assert "<summary>1 strength</summary>" in text
    assert "✗ **Some checks were not successful**: 1 failing, 1 warning, 1 passed, 1 skipped" in text
    assert "| ✗ | Peak | ≤ −1.0 dBTP | \\+0.4 dBTP | It clips. |" in text
    assert "| – | No hum | — | — | It never is quiet. |" in text
    assert (
        "| The Tube `target` | −4.2 | −14.0 | — | **−1.0** (5.5 over) | **0.3** (clips) | **0.9** (clips) | — |" in text
    )


def test_the_report_has_a_models_words_and_says_whose_they_are() -> None:
    text = markdown(wording=WORDS)
    assert "Summary by `a/model-1`." in text
    assert "A fine mix. And more.\n\n1. First." in text
    assert "<summary>Notes for the engineer</summary>\n\n- A fine mix." in text
    assert "fixed rules" in markdown()


def test_the_report_of_a_fine_mix_says_so() -> None:
    text = markdown(advice=(GOOD,), checks=(), outcomes=())
    assert "The rules found nothing to change." in text
    assert "## Checks" not in text
    assert "## On each platform" not in text


def test_a_report_without_a_verdict_has_numbers_only() -> None:
    assert "## Advice" not in report(record_of(), {}, []).text


def test_hostile_words_stay_words_in_the_report() -> None:
    bad = replace(MUDDY, title=HOSTILE, text=HOSTILE, processing=(Step(HOSTILE),))
    check = replace(FAIL, title=HOSTILE, found=HOSTILE, expected="a | b", why=HOSTILE)
    text = markdown(advice=(bad,), checks=(check,), profile_why=HOSTILE, wording=words(HOSTILE, HOSTILE))
    assert "\\<script" in text
    assert not re.search(r"(?<!\\)<(script|img)", text)
    assert "a \\| b" in text


def test_the_report_beside_the_record_follows_the_verdict(tmp_path: Path) -> None:
    track = make_track(Workspace(tmp_path), "Song.wav")
    assert write_report(track, verdict())
    assert "## Advice" in (track.folder / "report.md").read_text(encoding="utf-8")
    assert not write_report(track, verdict())
    assert write_report(track, verdict(advice=()))


# The page


def test_a_tracks_page_has_it_above_the_analysers_and_says_it_in_its_header(tmp_path: Path) -> None:
    track = make_track(Workspace(tmp_path), "Song.wav")
    page = track_page(track, None, verdict())
    places = [page.index(f'id="{name}"') for name in ("advice", "checks", "platforms", "loudness")]
    assert places == sorted(places)
    assert '<a href="#advice">1 fault, 1 warning</a>' in page
    assert '<a href="#checks">✗ 1/3 checks</a>' in page
    parts = page.partition('<nav class="parts"')[2].partition("</nav>")[0]
    assert re.findall('href="#([a-z]+)"', parts)[:5] == ["advice", "checks", "platforms", "prompt", "loudness"]
    about = page.partition('<aside class="about"')[2].partition("</aside>")[0]
    assert "<span>Brighter than 83&nbsp;%</span>" in about
    assert "In your techno" in about


def test_a_tracks_page_without_a_verdict_has_numbers_only(tmp_path: Path) -> None:
    page = track_page(make_track(Workspace(tmp_path), "Song.wav"))
    for name in ("advice", "checks", "platforms"):
        assert f'id="{name}"' not in page
        assert f'href="#{name}"' not in page


def test_what_a_verdict_does_not_have_has_no_part(tmp_path: Path) -> None:
    page = track_page(make_track(Workspace(tmp_path), "Song.wav"), None, verdict(checks=(), outcomes=()))
    for name in ("checks", "platforms"):
        assert f'id="{name}"' not in page
        assert f'href="#{name}"' not in page


def test_other_bounces_of_a_song_are_listed(tmp_path: Path) -> None:
    track = make_track(Workspace(tmp_path), "Song.wav")
    first = Revision("old-0badcafe", "old-0badcafe", 1, None, "")
    song = (first, Revision(track.id, first.track, 2, first.track, "alike"))
    page = track_page(track, None, verdict(), Beside(revisions=song, comparisons=(("a-12345678", "A & B"),)))
    assert '<a href="../comparisons/a-12345678.html">A &amp; B</a>' in page
    listed = page.partition('<ol class="bounces">')[2].partition("</ol>")[0]
    assert '<a href="old-0badcafe.html">old-0badcafe</a>' in listed
    assert "This one" in listed
    assert listed.count("what changed") == 1


@pytest.fixture(scope="module")
def page_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with a player, advice, checks and platforms."""
    site = tmp_path_factory.mktemp("desk")
    for name in ("assets", "tracks", "media"):
        (site / name).mkdir()
    for asset in assets():
        shutil.copy(templates_folder() / asset, site / "assets")
    signals.write_wav(site / "media" / "song.wav", signals.song(SECONDS, rate=44_100), 44_100, subtype="PCM_16")
    write_page(site / "tracks" / "desk.html", desk_context(verdict(), record_of(), WORDS, has_sound=True))
    return site / "tracks" / "desk.html"


def write_page(path: Path, made: MixDesk, *, has_sound: bool = True) -> Path:
    media = Media("../media/song.wav", "audio/wav") if has_sound else None
    player = player_context(record_of(), media)
    at = partial(time_link, media.href if media else None)
    marks = Path(templates_folder() / "track.html").read_text(encoding="utf-8")
    marks = marks[marks.index('<svg class="marks"') : marks.index("</svg>") + len("</svg>")]
    page = environment().from_string(PAGE.replace("<h1>", marks + "<h1>"))
    path.write_text(page.render(root="../", desk=made, player=player, at=at), encoding="utf-8")
    return path


def volume(page: Any) -> float:
    return float(page.evaluate("document.querySelector('.player audio').volume"))


def db(value: float) -> float:
    return float(10 ** (value / 20))


@needs_chromium
def test_a_button_lets_a_platform_be_heard(opened: Any, page_path: Path) -> None:
    page = opened(page_path)
    tube, loud = (page.get_by_role("button", name=f"Hear it: {name}") for name in ("The Tube", "Loudify"))
    assert volume(page) == 1
    tube.click()
    assert volume(page) == pytest.approx(db(-6.0), abs=1e-4)
    assert tube.get_attribute("aria-pressed") == "true"
    assert page.get_by_role("status").inner_text() == "The Tube: 4.2 dB quieter than the file."
    assert page.locator(".player-gain").inner_text() == "The Tube"
    loud.click()
    assert volume(page) == 1
    assert (tube.get_attribute("aria-pressed"), loud.get_attribute("aria-pressed")) == ("false", "true")
    page.get_by_role("button", name="Hear it: The file itself").click()
    assert volume(page) == pytest.approx(db(-1.8), abs=1e-4)
    page.get_by_role("button", name="Hear it: The file itself").click()
    assert volume(page) == 1
    assert not page.locator(".player-gain").is_visible()


@needs_chromium
def test_a_button_plays_and_the_listeners_own_volume_stays(opened: Any, page_path: Path) -> None:
    page = opened(page_path)
    page.get_by_label("Volume").fill("0.5")
    page.get_by_role("button", name="Hear it: The Tube").click()
    assert not page.evaluate("document.querySelector('.player audio').paused")
    assert volume(page) == pytest.approx(0.5 * db(-6.0), abs=1e-4)
    page.get_by_label("Volume").fill("1")
    assert volume(page) == pytest.approx(db(-6.0), abs=1e-4)


@needs_chromium
def test_the_page_says_that_all_are_lowered_where_one_is_turned_up(opened: Any, page_path: Path) -> None:
    note = opened(page_path).locator(".hear-note").inner_text()
    assert "all are played 1.8 dB lower" in note
    assert "limiter does is not imitated" in note


@needs_chromium
def test_without_a_script_or_a_sound_there_are_no_buttons(opened: Any, page_path: Path) -> None:
    assert not opened(page_path, java_script_enabled=False).locator(".hear").first.is_visible()
    made = desk_context(verdict(), record_of(), has_sound=False)
    mute = write_page(page_path.with_name("mute.html"), made, has_sound=False)
    assert opened(mute).locator(".hear").count() == 0


@needs_chromium
def test_a_place_is_heard_when_it_is_clicked(opened: Any, page_path: Path) -> None:
    page = opened(page_path)
    page.locator(".places a", has_text="0:11").first.click()
    assert page.evaluate("document.querySelector('.player audio').currentTime") == pytest.approx(11.25, abs=0.02)


@needs_chromium
def test_faults_are_open_and_notes_and_strengths_fold_out(opened: Any, page_path: Path) -> None:
    page = opened(page_path)
    assert page.locator(".advice-item.fault p").first.is_visible()
    assert page.locator(".advice-item.fault .severity").inner_text() == "Fault"
    assert not page.locator(".advice-item.note p").first.is_visible()
    assert not page.locator(".strengths .advice-title").first.is_visible()
    page.locator(".strengths > summary").click()
    assert page.locator(".strengths .advice-title").first.is_visible()
    evidence = page.locator(".advice-item.fault .proof")
    evidence.locator("summary").click()
    assert evidence.locator("a[href='#spectrum']").is_visible()
    assert evidence.locator("tbody tr").count() == 2


@needs_chromium
def test_a_link_to_something_folded_unfolds_it(opened: Any, page_path: Path) -> None:
    page = opened(page_path, "advice-low_end-mono")
    assert page.locator("#advice-low_end-mono p").first.is_visible()
    page.evaluate("location.hash = '#check-integrity-hum'")
    page.locator("#check-integrity-hum").wait_for(state="visible")
    assert "It never is quiet." in page.locator("#check-integrity-hum").inner_text()


@needs_chromium
def test_only_failing_checks_are_open(opened: Any, page_path: Path) -> None:
    page = opened(page_path)
    assert page.locator("#checks .check.fail dl").is_visible()
    assert not page.locator("#checks .check.warn dl").is_visible()
    assert page.locator("#checks .check.warn .check-found").is_visible()
    assert page.locator("#checks .check.fail code").all_inner_texts() == ["loudness.true_peak_dbtp", "delivery.peak"]
    passed = page.locator("#check-integrity-dc")
    assert not passed.is_visible()
    page.locator("#checks summary", has_text="1 passed").click()
    assert passed.inner_text().split("\t") == ["No DC", "≤ −1.0 dBTP", "+0.4 dBTP"]
    assert page.locator("#checks .check.fail svg").get_attribute("aria-label") == "Failed"


@needs_chromium
def test_the_page_says_whose_words_it_has(opened: Any, page_path: Path) -> None:
    page = opened(page_path)
    assert "a/model-1" in page.locator(".judged").inner_text()
    assert "1 of its sentences was struck out" in page.locator(".judged").inner_text()
    assert page.locator(".worded > p").inner_text() == "A fine mix. And more."
    assert page.locator(".worded ol li").all_inner_texts() == ["First."]
    plain = write_page(page_path.with_name("plain.html"), desk())
    page = opened(plain)
    assert "no language model took part" in page.locator(".judged").inner_text()
    assert page.locator(".worded").count() == 0


@needs_chromium
def test_hostile_words_are_shown_and_run_nothing(opened: Any, page_path: Path) -> None:
    bad = replace(MUDDY, id='a"><b>', title=HOSTILE, text=HOSTILE, processing=(Step(HOSTILE),))
    check = replace(FAIL, id='x" onclick="alert(1)', title=HOSTILE, found=HOSTILE)
    platform = replace(PLATFORM, title=HOSTILE, source=HOSTILE)
    changed = verdict(advice=(bad,), checks=(check,), outcomes=(replace(DOWN, platform=platform),), broken=(HOSTILE,))
    made = desk_context(changed, record_of(), words(HOSTILE, HOSTILE), has_sound=True)
    page = opened(write_page(page_path.with_name("hostile.html"), made))
    page.locator(".hear").first.click()
    assert page.locator("main script, main img, [onerror], [onclick], [style]").count() == 0
    assert "<script>" in page.locator("#advice").inner_text()
    assert page.title().startswith("Song")


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong(browser: Any, page_path: Path, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(page_path.as_uri())
    page.evaluate("for (const one of document.querySelectorAll('.desk details')) one.open = true")
    page.get_by_role("button", name="Hear it: The Tube").click()
    assert violations(page) == []
    context.close()


@needs_chromium
def test_it_fits_a_phone(opened: Any, page_path: Path) -> None:
    page = opened(page_path, size=PHONE)
    page.evaluate("for (const one of document.querySelectorAll('.desk details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
