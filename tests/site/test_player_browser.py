"""The player in a real browser, from the disk: it plays, seeks from wherever a time is shown, and works by keys."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from processor import library, record
from processor.analysis import result_types
from processor.config import Settings
from processor.files import templates_folder
from processor.site.media import make_media, media_of, player_context
from processor.site.rendering import assets, environment
from tests import signals, workspaces
from tests.site.browsing import NEEDS_CHROMIUM, PHONE

pytestmark = NEEDS_CHROMIUM

SECONDS = 40.0
# The player with one chart, one picture and one time, whatever else a track's page has.
PAGE = """\
{% extends "base.html" %}{% block title %}Song{% endblock %}{% block main %}<h1>Song</h1>{% include "_player.html" %}
<p><a id="time" href="#t=30" data-time="30">0:30</a> <input id="words" aria-label="Words"></p>
<svg id="chart" class="chart" viewBox="0 0 900 220" role="img" aria-label="A chart"
 data-duration="{{ player.duration_s }}" data-left="44" data-right="892"></svg>
<div id="picture" role="img" aria-label="A picture" data-duration="{{ player.duration_s }}"><p>picture</p></div>
<audio id="other" src="{{ player.media.href }}" loop></audio>
{% endblock %}
"""


@pytest.fixture(scope="module")
def page_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of a track that went through the whole pipeline."""
    folder = tmp_path_factory.mktemp("player")
    workspace = workspaces.empty(folder)
    song = signals.write_wav(folder / "song.wav", signals.song(SECONDS, rate=44_100), 44_100, subtype="PCM_16")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("processor.engine.Engine", workspaces.InlineEngine)
        workspaces.process(workspace, [song])
        (track,) = library.tracks(workspace)
        make_media(workspace, [track], None, Settings())
    player = player_context(record.read(track.folder, result_types()), media_of(workspace.site, track))
    path = workspace.site / "tracks" / "player.html"
    path.write_text(environment().from_string(PAGE).render(root="../", player=player), encoding="utf-8")
    for asset in assets():
        shutil.copy(templates_folder() / asset, workspace.site / "assets" / asset)
    return path


@pytest.fixture
def opened(opened: Any, page_path: Path) -> Any:
    """Open the player's page."""
    return lambda fragment="", **options: opened(page_path, fragment.removeprefix("#"), **options)


def time_of(page: Any) -> float:
    return float(page.evaluate("document.querySelector('.player audio').currentTime"))


def is_paused(page: Any) -> bool:
    return bool(page.evaluate("document.querySelector('.player audio').paused"))


def until(page: Any, is_true: str) -> None:
    """Wait for something to become true of `audio`. Playwright's own way evaluates text, which our pages forbid."""
    for _ in range(500):
        if page.evaluate(f"(audio => {is_true})(document.querySelector('.player audio'))"):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"it did not become true that {is_true}")


def play(page: Any) -> None:
    page.get_by_role("button", name="Play", exact=True).click()
    until(page, "audio.currentTime > 0.1")


def click_at(page: Any, selector: str, share: float) -> None:
    """Click so far from the left edge, half way down."""
    box = page.locator(selector).bounding_box()
    page.locator(selector).click(position={"x": box["width"] * share, "y": box["height"] / 2})


def head_at(page: Any, selector: str) -> float:
    """Where the play-head is, as a share of the element's width."""
    return float(
        page.evaluate(
            """(selector) => {
            const outer = document.querySelector(selector), frame = outer.getBoundingClientRect();
            return (outer.querySelector('.playhead').getBoundingClientRect().x - frame.x) / frame.width }""",
            selector,
        )
    )


# Playing


def test_it_plays_from_the_disk_and_pauses(opened: Any) -> None:
    page = opened()
    assert page.evaluate("document.querySelector('.player audio').readyState") == 0, "nothing is loaded unasked"
    play(page)
    assert page.evaluate("document.querySelector('.player audio').duration") == pytest.approx(SECONDS, abs=0.05)
    page.get_by_role("button", name="Pause", exact=True).click()
    assert is_paused(page)
    assert page.locator(".player-now").inner_text() != "0:00.0"


def test_only_one_plays(opened: Any) -> None:
    page = opened()
    page.evaluate("document.querySelector('#other').play()")
    play(page)
    assert page.evaluate("document.querySelector('#other').paused")
    page.evaluate("document.querySelector('#other').play()")
    until(page, "audio.paused")


def test_the_play_head_moves_on_every_chart_while_it_plays(opened: Any) -> None:
    page = opened()
    before = [head_at(page, selector) for selector in (".waveform", "#chart", "#picture")]
    play(page)
    until(page, "audio.currentTime > 0.6")
    for selector, was in zip((".waveform", "#chart", "#picture"), before, strict=True):
        assert head_at(page, selector) > was + 0.005


def test_the_read_out_stands_still_when_little_motion_is_asked_for_but_goes_on(opened: Any) -> None:
    page = opened(reduced_motion="reduce")
    play(page)
    until(page, "document.querySelector('.player-now').textContent > '0:00.5'")


def test_the_volume_can_be_turned(opened: Any) -> None:
    page = opened()
    page.get_by_label("Volume").fill("0.25")
    assert page.evaluate("document.querySelector('.player audio').volume") == 0.25
    page.keyboard.press("ArrowLeft")
    assert time_of(page) == 0, "arrows on the volume are of the volume"
    page.locator("h1").click()
    page.keyboard.press("m")
    assert page.evaluate("document.querySelector('.player audio').muted")


# Seeking


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_click_on_the_waveform_moves_there(opened: Any, share: float) -> None:
    page = opened()
    click_at(page, ".waveform", share)
    assert time_of(page) == pytest.approx(SECONDS * share, abs=0.1)
    assert head_at(page, ".waveform") == pytest.approx(share, abs=0.005)
    assert page.evaluate("location.hash") == f"#t={time_of(page):.2f}"


def test_a_click_on_a_chart_counts_from_its_own_axis(opened: Any) -> None:
    page = opened()
    click_at(page, "#chart", (44 + 0.25 * (892 - 44)) / 900)
    assert time_of(page) == pytest.approx(SECONDS / 4, abs=0.1)
    assert head_at(page, "#chart") == pytest.approx((44 + 0.25 * 848) / 900, abs=0.005)
    assert head_at(page, ".waveform") == pytest.approx(0.25, abs=0.005)
    click_at(page, "#chart", 0.01)
    assert time_of(page) == 0
    click_at(page, "#picture", 0.75)
    assert time_of(page) == pytest.approx(SECONDS * 0.75, abs=0.1)


def test_dragging_moves_along(opened: Any) -> None:
    page = opened()
    box = page.locator(".waveform").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20, steps=5)
    assert time_of(page) == pytest.approx(SECONDS / 2, abs=0.1)
    page.mouse.up()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    assert time_of(page) == pytest.approx(SECONDS / 2, abs=0.1)


def test_whatever_has_a_time_moves_there(opened: Any) -> None:
    page = opened()
    page.locator("#time").click()
    assert time_of(page) == pytest.approx(30, abs=0.05)
    blocks = page.locator("[data-section]")
    assert blocks.count() >= 1
    last = blocks.nth(blocks.count() - 1)
    last.click(position={"x": 3, "y": 10})
    assert time_of(page) == pytest.approx(float(last.get_attribute("data-time")), abs=0.05)
    assert last.get_attribute("aria-current") == "true"


def test_it_goes_on_where_it_was_sent(opened: Any) -> None:
    page = opened()
    play(page)
    click_at(page, ".waveform", 0.5)
    until(page, f"audio.currentTime > {SECONDS / 2 + 0.2}")
    assert not is_paused(page)


@pytest.mark.parametrize(("fragment", "time"), [("#t=12.3", 12.3), ("#t=7", 7), ("#t=x", 0), ("#t=1e9", 0)])
def test_the_address_says_where_to_begin(opened: Any, fragment: str, time: float) -> None:
    page = opened(fragment)
    assert time_of(page) == pytest.approx(time, abs=0.01)
    play(page)
    assert time_of(page) == pytest.approx(time, abs=1.5)


# Keys


def test_space_plays_and_pauses(opened: Any) -> None:
    page = opened()
    page.keyboard.press("Space")
    until(page, "!audio.paused")
    page.keyboard.press("Space")
    until(page, "audio.paused")


def test_arrows_move_by_seconds_and_by_bars(opened: Any) -> None:
    page = opened("#t=10")
    for key, time in (("ArrowRight", 15.0), ("ArrowRight", 20.0), ("ArrowLeft", 15.0)):
        page.keyboard.press(key)
        assert time_of(page) == pytest.approx(time, abs=0.01)
    steps = [int(step) for step in page.locator(".player").get_attribute("data-bars").split()]
    bars = [sum(steps[: count + 1]) / 100 for count in range(len(steps))]
    first, second = [bar for bar in bars if bar > 15.02][:2]
    for key, time in (("Shift+ArrowRight", first), ("Shift+ArrowRight", second), ("Shift+ArrowLeft", first)):
        page.keyboard.press(key)
        assert time_of(page) == pytest.approx(time, abs=0.011)
    page.keyboard.press(".")
    assert first < time_of(page) < second
    page.keyboard.press(",")
    assert time_of(page) == pytest.approx(first, abs=0.011)


def test_digits_go_to_sections_and_home_and_end_to_the_ends(opened: Any) -> None:
    page = opened()
    starts = [float(one) for one in page.eval_on_selector_all("[data-section]", "all => all.map(e => e.dataset.time)")]
    for number, start in enumerate(starts[:9], 1):
        page.keyboard.press(str(number))
        assert time_of(page) == pytest.approx(start, abs=0.05)
    page.get_by_role("slider", name="Position").focus()
    page.keyboard.press("End")
    assert time_of(page) == pytest.approx(SECONDS, abs=0.1)
    page.keyboard.press("Home")
    assert time_of(page) == 0


def test_who_types_does_not_play(opened: Any) -> None:
    page = opened()
    page.locator("#words").press_sequentially("m 5.")
    assert page.locator("#words").input_value() == "m 5."
    assert is_paused(page)
    assert time_of(page) == 0
    assert not page.evaluate("document.querySelector('.player audio').muted")


def test_a_question_mark_explains_the_keys(opened: Any) -> None:
    page = opened()
    dialog = page.get_by_role("dialog", name="Keys")
    assert not dialog.is_visible()
    page.keyboard.press("?")
    assert dialog.is_visible()
    page.keyboard.press("ArrowRight")
    assert time_of(page) == 0, "what is behind the dialog does not hear"
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    page.get_by_role("button", name="Keys").click()
    assert dialog.is_visible()
    page.get_by_role("button", name="Close").click()
    assert not dialog.is_visible()


# Everybody


def test_the_position_is_a_slider_that_says_where_it_is(opened: Any) -> None:
    page = opened("#t=20")
    slider = page.get_by_role("slider", name="Position")
    assert slider.get_attribute("aria-valuetext") == "0:20 of 0:40"
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "0:25 of 0:40"
    assert (slider.get_attribute("aria-valuenow"), slider.get_attribute("aria-valuemax")) == ("25", "40")


def test_without_a_script_the_browsers_player_is_there(opened: Any) -> None:
    page = opened(java_script_enabled=False)
    assert page.locator(".player audio[controls]").is_visible()
    assert page.locator(".waveform path.tint").count() >= 1
    assert not page.get_by_role("button", name="Play", exact=True).is_visible()
    href = page.locator("[data-section]").first.get_attribute("href")
    assert href.startswith("../media/song-")
    assert "#t=" in href


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_tint_is_seen_on_the_page(opened: Any, scheme: str) -> None:
    """Contrast of at least 2 : 1; the shape alone tells where sound is, and nothing is told by colour only."""
    page = opened(scheme=scheme)
    ratios = page.evaluate(
        """() => {
        const light = (text) => text.match(/[0-9.]+/g).slice(0, 3).map(v => v / 255)
          .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
          .reduce((sum, v, k) => sum + v * [.2126, .7152, .0722][k], 0);
        const page = light(getComputedStyle(document.body).backgroundColor);
        return [...document.querySelectorAll('.player-legend rect.tint')].map(e => {
          const ink = light(getComputedStyle(e).fill);
          return (Math.max(ink, page) + .05) / (Math.min(ink, page) + .05) }) }"""
    )
    assert len(ratios) == 7
    assert min(ratios) > 2
    assert ratios == sorted(ratios, reverse=scheme == "light")


def test_it_fits_a_phone(opened: Any) -> None:
    page = opened(size=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.get_by_role("button", name="Play", exact=True).is_visible()
