"""Players of stems in a real browser and from the disk: what is muted is not heard, and all stay in step."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from processor import library
from processor.config import Settings
from processor.files import templates_folder
from processor.mashup.kept import Stored, preview_name, stored
from processor.mashup.plan import Plan
from processor.site import ab, mashup, media
from processor.site.goes_with import page_name
from processor.site.mashups import list_pages
from processor.site.rendering import assets
from processor.tables import tables
from processor.workspace import Workspace
from tests import signals
from tests.site.accessibility import violations
from tests.site.browsing import DESK, NEEDS_CHROMIUM, PATIENCE_MS, PHONE
from tests.site.mashup_library import (
    RATE,
    SECONDS,
    TONES_HZ,
    make_mashup,
    measured,
    mix_track,
    plan,
    songs,
    tones,
)
from tests.site.test_ab import WITNESS
from tests.workspaces import InlineEngine

pytestmark = NEEDS_CHROMIUM
QUIET_DB, LOUD_DB = -70.0, -35.0
# The level of each of these tones in what goes to the loudspeakers, in dB.
HEAR = """async (tones) => {
  const [master] = heard.gains;
  heard.ear ??= new AnalyserNode(master.context, { fftSize: 8192, smoothingTimeConstant: 0 });
  master.connect(heard.ear);
  await new Promise((resolve) => setTimeout(resolve, 350));
  const levels = new Float32Array(heard.ear.frequencyBinCount);
  heard.ear.getFloatFrequencyData(levels);
  return tones.map((hz) => {
    const bin = Math.round(hz * 8192 / master.context.sampleRate);
    return Math.max(-200, ...levels.slice(bin - 2, bin + 3));
  });
}"""
# The highest sample there.
PEAK = """async () => {
  const [master] = heard.gains;
  heard.ear ??= new AnalyserNode(master.context, { fftSize: 8192 });
  master.connect(heard.ear);
  await new Promise((resolve) => setTimeout(resolve, 350));
  const samples = new Float32Array(8192);
  heard.ear.getFloatTimeDomainData(samples);
  return Math.max(...samples.map(Math.abs));
}"""


def put(site: Path, pages: Any) -> None:
    for name, (_, make) in pages.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(make(), encoding="utf-8")


def cancelling() -> dict[str, Any]:
    """Two layers of which nothing is left where both play in step."""
    noise = signals.noise(SECONDS, -20.0, rate=RATE, channels=2)
    return {"vocals": noise, "other": -noise}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Stored]]:
    """A site with three mashups: one of tones, one whose stems cancel each other, one whose media are not made yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("processor.engine.Engine", InlineEngine)
        workspace = Workspace(tmp_path_factory.mktemp("mashup"))
        sung, played = songs(workspace)
        mix = mix_track(workspace)
        for track in (sung, played):
            assert track.source is not None
            signals.write_wav(track.source, signals.noise(16.0, rate=RATE, channels=2), RATE)

        def keep(one: Plan, stems: dict[str, Any], track: str | None) -> Stored:
            found = measured(integrated_lufs=-3.0, deviations=("Key: heard as D major in place of B minor.",))
            return make_mashup(workspace, (sung.id, played.id, track), one, found, stems)

        tracks = library.tracks(workspace)
        found = {
            "tones": keep(plan(), tones(), mix.id),
            "cancelling": keep(plan(name="Cancelling"), cancelling(), None),
        }
        mashup.make_mashup_media(workspace, Settings())
        found["bare"] = keep(plan(name="Bare"), {}, None)
        for takes in mashup.players(workspace, tracks):
            ab.make_ab(workspace, takes, Settings())
        media.make_previews(workspace, tracks, settings=Settings())
        listed = stored(workspace)
        mashup.link_mashups(workspace, listed)
        (workspace.site / "assets").mkdir()
        for asset in assets():
            shutil.copy(templates_folder() / asset, workspace.site / "assets")
        put(workspace.site, mashup.mashup_pages(workspace, listed, tracks))
        with duckdb.connect() as connection:
            connection.execute("CREATE TABLE library (track VARCHAR, title VARCHAR)")
            columns = ", ".join(f"{name} {kind}" for name, (kind, _) in tables()["mashability"].items())
            connection.execute(f"CREATE TABLE mashability ({columns})")
            connection.execute("INSERT INTO library VALUES (?, 'Night Bus'), (?, 'Low Tide')", [sung.id, played.id])
            row = [sung.id, played.id]
            connection.execute("INSERT INTO mashability (vocals, instrumental, score) VALUES (?, ?, 0.8)", row)
            connection.execute("INSERT INTO mashability (vocals, instrumental, score) VALUES (?, ?, 0.4)", row[::-1])
            shutil.copy(workspace.site / f"media/{mix.id}.mp3", workspace.site / "media" / preview_name(*row))
            put(workspace.site, list_pages(workspace, connection, listed, tracks))
    return workspace.site, found


@pytest.fixture
def listened(browser: Any, made: tuple[Path, dict[str, Stored]]) -> Iterator[Callable[..., Any]]:
    """Open a mashup's page with a witness; afterwards nothing must have gone wrong in it."""
    contexts, troubles = [], []

    def open_page(name: str = "tones", **options: Any) -> Any:
        contexts.append(browser.new_context(**{"viewport": DESK, **options}))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.add_init_script(WITNESS)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto((made[0] / page_name(made[1][name])).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


def until(page: Any, expression: str) -> None:
    """Wait; the page's policy forbids the browser's own way."""
    for _ in range(PATIENCE_MS // 20):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(20)
    raise AssertionError(expression)


def shown_s(page: Any) -> float:
    minutes, _, seconds = page.locator(".mixer .ab-now").inner_text().partition(":")
    return 60 * int(minutes) + float(seconds)


def play(page: Any) -> None:
    page.get_by_role("button", name="Play the stems", exact=True).click()
    until(page, "document.querySelector('.mixer .ab-play').getAttribute('aria-pressed') === 'true'")
    until(page, "heard.gains[0].context.currentTime > heard.starts.at(-1).given[0] + 0.1")


def heard(page: Any) -> set[str]:
    """The stems that sound; each has its tone."""
    levels = dict(zip(TONES_HZ, page.evaluate(HEAR, list(TONES_HZ.values())), strict=True))
    assert all(level < QUIET_DB or level > LOUD_DB for level in levels.values()), levels
    return {name for name, level in levels.items() if level > LOUD_DB}


def pressed(page: Any) -> list[str]:
    return [
        str(one)
        for one in page.locator(".mixer-stem [aria-pressed='true']").evaluate_all("all => all.map(e => e.ariaLabel)")
    ]


def test_mute_and_solo_change_what_is_heard(listened: Any) -> None:
    page = listened()
    play(page)
    state = page.locator(".mixer [role=status]")
    assert heard(page) == set(TONES_HZ)
    assert state.inner_text() == "You hear all stems."
    page.get_by_role("button", name="Mute Vocals").click()
    assert heard(page) == {"drums", "bass", "other"}
    assert state.inner_text() == "You hear Drums, Bass, Other."
    page.get_by_role("button", name="Solo Bass").click()
    assert heard(page) == {"bass"}
    page.get_by_role("button", name="Solo Vocals").click()
    assert heard(page) == {"bass", "vocals"}, "who wants to hear it alone, hears it"
    assert pressed(page) == ["Mute Vocals", "Solo Vocals", "Solo Bass"]
    for name in ("Solo Bass", "Solo Vocals", "Mute Vocals"):
        page.get_by_role("button", name=name).click()
    assert heard(page) == set(TONES_HZ)
    assert pressed(page) == []


def test_keys_do_the_same(listened: Any) -> None:
    page = listened()
    page.keyboard.press("Space")
    until(page, "heard.starts.length === 4 && heard.gains.length === 5")
    page.keyboard.press("1")
    page.keyboard.press("4")
    assert heard(page) == {"drums", "bass"}
    page.keyboard.press("Shift+Digit1")
    assert heard(page) == {"vocals"}
    assert pressed(page) == ["Mute Vocals", "Solo Vocals", "Mute Other"]
    page.keyboard.press("9")
    assert pressed(page) == ["Mute Vocals", "Solo Vocals", "Mute Other"]
    page.keyboard.press("Space")
    until(page, "document.querySelector('.mixer .ab-play').getAttribute('aria-pressed') === 'false'")
    page.keyboard.press("ArrowLeft")
    assert shown_s(page) == 0
    page.keyboard.press("ArrowRight")
    assert shown_s(page) == pytest.approx(5, abs=0.05)


def test_stems_stay_in_step_wherever_one_seeks(listened: Any) -> None:
    """The second is the first turned over: of both, nothing is left."""
    page = listened("cancelling")
    play(page)
    assert page.evaluate(PEAK) < 0.002
    page.locator(".mixer .ab-seek").fill("3.21")
    page.locator(".plan svg [data-time='4']").last.click(force=True)
    until(page, "heard.starts.length === 6")
    assert page.evaluate(PEAK) < 0.002
    starts = [one["given"] for one in page.evaluate("heard.starts.map(({ given }) => ({ given }))")]
    assert starts[2] == starts[3]
    assert starts[4] == starts[5]
    assert (starts[2][1], starts[4][1]) == (3.21, 4)
    page.keyboard.press("2")
    assert page.evaluate(PEAK) > 0.02


def test_no_choice_is_over_full_scale_and_the_volume_only_turns_down(listened: Any) -> None:
    page = listened()
    play(page)
    loud = page.evaluate(PEAK)
    assert 0.4 < loud <= signals.amplitude(-1.0)
    page.get_by_label("Volume").fill("0.25")
    assert page.evaluate(PEAK) == pytest.approx(loud / 4, rel=0.2)
    assert page.get_by_label("Volume").get_attribute("max") == "1"


def test_the_plan_seeks_and_shows_the_position(listened: Any) -> None:
    page = listened()
    svg = page.locator(".plan svg")
    page.locator(".plan svg rect.fit").nth(1).click(position={"x": 5, "y": 5})
    assert shown_s(page) == pytest.approx(4.0, abs=0.05)
    box = svg.bounding_box()
    page.mouse.click(box["x"] + box["width"] * (52 + 740 * 0.25) / 800, box["y"] + box["height"] - 3)
    assert shown_s(page) == pytest.approx(0.25 * 24, abs=0.1)
    head = float(page.locator(".plan .playhead").get_attribute("x1"))
    assert head == pytest.approx(52 + 740 * 0.25, abs=3)
    page.get_by_role("link", name="0:04").click()
    assert shown_s(page) == pytest.approx(4.0, abs=0.05)


def test_mix_and_stems_share_one_position(listened: Any) -> None:
    page = listened()
    page.evaluate("document.querySelector('audio.ab-whole').play()")
    until(page, "document.querySelector('audio.ab-whole').currentTime > 0.5")
    page.wait_for_timeout(400)
    assert shown_s(page) > 0.2
    play(page)
    assert page.evaluate("document.querySelector('audio.ab-whole').paused")
    assert page.evaluate("heard.starts[0].given[1]") > 0.4, "it goes on where the mix was"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    until(page, "document.querySelector('.mixer .ab-play').getAttribute('aria-pressed') === 'false'")
    assert page.evaluate("document.querySelector('audio.ab-whole').currentTime") == pytest.approx(
        shown_s(page), abs=0.2
    )


def test_of_all_players_one_plays(listened: Any) -> None:
    page = listened()
    play(page)
    page.locator("#listen .ab-play").click()
    until(page, "document.querySelector('#listen .ab-play').getAttribute('aria-pressed') === 'true'")
    assert page.locator(".mixer .ab-play").get_attribute("aria-pressed") == "false"
    page.keyboard.press("b")
    assert page.locator("#listen .ab-side[aria-pressed='true']").inner_text().startswith("B")
    assert pressed(page) == []
    page.get_by_role("button", name="Play the stems").click()
    assert page.locator("#listen .ab-play").get_attribute("aria-pressed") == "false"


def test_a_script_that_is_gone_is_said(browser: Any, made: Any, tmp_path: Path) -> None:
    copy = tmp_path / "site"
    shutil.copytree(made[0], copy)
    next((copy / "media/mixer").glob("*.bass.*.js")).unlink()
    context = browser.new_context()
    page = context.new_page()
    page.goto((copy / page_name(made[1]["tones"])).as_uri())
    page.get_by_role("button", name="Play the stems").click()
    until(page, "document.querySelector('.mixer [role=status]').textContent.includes('cannot be loaded')")
    assert "The mix can be heard above." in page.locator(".mixer [role=status]").inner_text()
    assert page.locator(".mixer .ab-play").get_attribute("aria-pressed") == "false"
    context.close()


def test_without_a_script_the_mix_is_there_and_all_can_be_read(listened: Any) -> None:
    page = listened(java_script_enabled=False)
    assert page.locator("audio.ab-whole").is_visible()
    assert not page.get_by_role("button", name="Mute Vocals").is_visible()
    assert page.get_by_text("Key: heard as D major in place of B minor.").is_visible()
    assert page.locator(".plan svg rect.fit").count() == 2
    assert page.get_by_role("link", name="0:04").get_attribute("href").endswith(".mp3#t=4")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE])
@pytest.mark.parametrize("name", ["tones", "bare", None])
def test_everybody_can_use_it_and_it_fits(
    browser: Any, made: Any, name: str | None, size: dict[str, int], scheme: str
) -> None:
    site, found = made
    path = site / ("mashups.html" if name is None else page_name(found[name]))
    context = browser.new_context(viewport=size, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(path.as_uri())
    try:
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        assert violations(page) == []
    finally:
        context.close()
