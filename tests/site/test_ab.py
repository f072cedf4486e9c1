"""A/B players: sounds that run in step to the sample, equally loud, in a real browser and from the disk."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processor import record as records
from processor.audio import decode, from_samples
from processor.config import Limits, Settings
from processor.errors import NoSound, WorkspaceError
from processor.files import templates_folder
from processor.library import Track
from processor.site import ab
from processor.site.ab import Cut, Take, ab_context, gains_db, in_step, make_ab, names, remove_others, signature
from processor.site.rendering import assets, environment
from processor.workspace import Workspace
from tests import signals
from tests.libraries import HOSTILE, make_track
from tests.site.accessibility import violations
from tests.site.browsing import NEEDS_CHROMIUM, PHONE
from tests.workspaces import InlineEngine

needs_chromium = NEEDS_CHROMIUM[1]
pytestmark = pytest.mark.browser

RATE = 44_100
SECONDS = 6.0
LATE_S = 0.5
DOWN_DB = -6.0
PAGE = """\
{% extends "base.html" %}{% block title %}A and B{% endblock %}{% block main %}<h1>Two</h1>{% include "_ab.html" %}
<p><a id="time" href="#t=4" data-time="4">0:04</a> <input id="words" aria-label="Words"></p>{% endblock %}
"""
# What a page's players do with Web Audio is written down, because they tell nobody.
WITNESS = """
window.heard = { buffers: [], starts: [], gains: [], contexts: [] };
const decode = AudioContext.prototype.decodeAudioData;
AudioContext.prototype.decodeAudioData = async function (...given) {
  const buffer = await decode.apply(this, given);
  heard.contexts.push(this);
  heard.buffers.push(buffer);
  return buffer;
};
const begin = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (...given) {
  heard.starts.push({ given, number: heard.buffers.indexOf(this.buffer), pressed: this.context.currentTime });
  return begin.apply(this, given);
};
const Gain = window.GainNode;
window.GainNode = class extends Gain {
  constructor(...given) { super(...given); heard.gains.push(this); }
};
"""
# What both sounds give when they are played as the page played them, from Web Audio's own renderer.
RENDER = """async ([first, second]) => {
  const [one] = heard.buffers;
  const context = new OfflineAudioContext(2, one.sampleRate * 4, one.sampleRate);
  for (const [number, level] of [first, second].entries()) {
    const { given } = heard.starts.findLast((start) => start.number === number);
    const source = new AudioBufferSourceNode(context, { buffer: heard.buffers[number] });
    const gain = new GainNode(context, { gain: level });
    source.connect(gain).connect(context.destination);
    source.start(0, given[1]);
  }
  const made = await context.startRendering();
  let sum = 0;
  for (let channel = 0; channel < 2; channel += 1) for (const x of made.getChannelData(channel)) sum += x * x;
  return Math.sqrt(sum / (2 * made.length));
}"""


@pytest.fixture(autouse=True)
def _inline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processor.engine.Engine", InlineEngine)


def stored(workspace: Workspace, name: str, samples: Any, rate: int = RATE) -> Track:
    """A track with this sound; its record has the right sample rate."""
    track = make_track(workspace, name, source__sample_rate_hz=rate)
    assert track.source is not None
    signals.write_wav(track.source, samples, rate, subtype="FLOAT")
    return track


def song() -> Any:
    """Six seconds that begin with sound, so that what is cut off is missed."""
    whole = signals.song(12.0, rate=RATE)
    return whole[:, 4 * RATE : 4 * RATE + round(SECONDS * RATE)]


def header(workspace: Workspace, name: str) -> dict[str, Any]:
    line = (workspace.site / "media" / "ab" / f"{name}.js").read_text().partition("\n")[0]
    return dict(json.loads(line.removeprefix("//")))


def sound_of(workspace: Workspace, name: str, folder: Path) -> Any:
    """The samples that a script holds, decoded by us."""
    script = (workspace.site / "media" / "ab" / f"{name}.js").read_text()
    found = re.search(r'linerNotesSounds \?\?= \{\}\)\["([a-z0-9-]+)"\] = "([A-Za-z0-9+/=]+)";', script)
    assert found is not None
    assert found[1] == name
    path = folder / f"{name}.mp3"
    path.write_bytes(base64.b64decode(found[2]))
    return decode(path).samples


def cut(**changes: Any) -> Cut:
    return replace(Cut(Path(), "", Limits(), rate_hz=RATE), **changes)


# Laying in step


@pytest.mark.parametrize("offset", [0, 1, 777, 44_100])
def test_what_comes_before_is_left_out_to_the_sample(offset: int) -> None:
    samples = signals.noise(2.0, rate=RATE, channels=2)
    found, is_cut = in_step(from_samples(samples, RATE), cut(offset_s=offset / RATE))
    np.testing.assert_array_equal(found, samples[:, offset:])
    assert not is_cut


@pytest.mark.parametrize("missing", [1, 777, 44_100])
def test_what_is_missing_is_silence_to_the_sample(missing: int) -> None:
    samples = signals.noise(1.0, rate=RATE, channels=2)
    found, _ = in_step(from_samples(samples, RATE), cut(offset_s=-missing / RATE))
    assert found.shape == (2, missing + RATE)
    assert not found[:, :missing].any()
    np.testing.assert_array_equal(found[:, missing:], samples)


def test_a_faster_one_is_slowed_down() -> None:
    """A tone of 1000 Hz that plays 1.25 times as fast has 1250 Hz; slowed down, its length is what it was."""
    fast = signals.sine(1250.0, 2.0, rate=48_000)
    found, _ = in_step(from_samples(fast, 48_000), cut(speed=1.25, offset_s=-0.4))
    assert found.shape[1] == pytest.approx((0.4 + 2.0) * 1.25 * RATE, abs=2)
    lead = round(0.4 * 1.25 * RATE)
    assert not found[:, : lead - 1].any()
    middle = found[0, lead + 1000 : lead + 1000 + RATE]
    assert np.argmax(np.abs(np.fft.rfft(middle * np.hanning(RATE)))) == 1000


def test_a_mono_sound_goes_to_both_sides_at_full_level() -> None:
    samples = signals.sine(440.0, 0.5, rate=RATE)
    found, _ = in_step(from_samples(samples, RATE), cut())
    np.testing.assert_array_equal(found, np.concatenate([samples, samples]))


def test_a_streamed_sound_is_cut_like_one_in_memory(tmp_path: Path) -> None:
    samples = signals.noise(70.0, rate=8000, channels=2)
    path = signals.write_wav(tmp_path / "long.wav", samples, 8000, subtype="FLOAT")
    streamed = decode(path, limits=Limits(decoded_bytes=1 << 20))
    whole, _ = in_step(decode(path), cut(rate_hz=8000, offset_s=31.0))
    found, _ = in_step(streamed, cut(rate_hz=8000, offset_s=31.0))
    assert streamed.source.streamed
    np.testing.assert_array_equal(found, whole)


def test_a_long_sound_is_cut_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ab, "MAX_S", 1.0)
    audio = from_samples(signals.noise(3.0, rate=RATE, channels=2), RATE)
    found, is_cut = in_step(audio, cut(offset_s=-0.25))
    assert (found.shape[1], is_cut) == (RATE, True)
    found, is_cut = in_step(audio, cut(offset_s=2.25))
    assert (found.shape[1], is_cut) == (round(0.75 * RATE), False)


def test_what_lies_behind_the_end_is_no_sound() -> None:
    with pytest.raises(NoSound, match="beside"):
        in_step(from_samples(signals.noise(1.0, rate=RATE), RATE), cut(offset_s=2.0))


# Levels


@pytest.mark.parametrize(
    ("levels", "gains", "raw"),
    [
        ([(-10.0, -3.0), (-14.0, -3.0)], [-4.0, 0.0], 0.0),
        ([(-14.0, -1.0), (-14.0, -6.0)], [0.0, 0.0], 0.0),
        ([(-10.0, 0.5), (-14.0, -3.0)], [-4.0, 0.0], -1.5),  # what is over is turned down anyway
        ([(-10.0, -3.0), (-14.0, 1.0)], [-6.0, -2.0], -2.0),  # the quiet one is over: both go down
        ([(-10.0, None), (-14.0, None), (-12.0, None)], [-4.0, 0.0, -2.0], 0.0),
        ([(-10.0, -3.0), (None, None)], None, 0.0),
        ([(-10.0, 2.0), (None, None)], None, -3.0),
    ],
)
def test_the_louder_are_turned_down_and_no_peak_is_over(levels: Any, gains: Any, raw: float) -> None:
    assert gains_db(levels) == (gains, raw)


# Files


def test_each_sound_is_written_once_and_says_what_it_is(workspace: Workspace, tmp_path: Path) -> None:
    first = stored(workspace, "First.wav", song())
    second = stored(workspace, "Second.wav", song() * np.float32(signals.amplitude(DOWN_DB)), RATE)
    takes = [Take(first), Take(second, offset_s=LATE_S)]
    assert ab_context(workspace.site, takes) is None
    before = signature(workspace.site, takes)
    assert make_ab(workspace, takes, Settings()) == 2
    assert make_ab(workspace, takes, Settings()) == 0
    assert signature(workspace.site, takes) != before
    loud, quiet = (header(workspace, name) for name in names(takes))
    assert quiet["lufs"] == pytest.approx(loud["lufs"] + DOWN_DB, abs=0.5)
    assert (loud["seconds"], quiet["seconds"]) == (SECONDS, SECONDS - LATE_S)
    assert sound_of(workspace, names(takes)[1], tmp_path).shape[1] == pytest.approx((SECONDS - LATE_S) * RATE, abs=1200)
    assert make_ab(workspace, [Take(first), Take(second)], Settings()) == 1, "another offset is another sound"


def test_all_have_the_rate_and_the_channels_of_the_first(workspace: Workspace, tmp_path: Path) -> None:
    first = stored(workspace, "First.wav", signals.noise(1.0, rate=RATE, channels=2))
    other = stored(workspace, "Other.wav", signals.sine(440.0, 1.0, rate=96_000), 96_000)
    takes = [Take(first), Take(other)]
    make_ab(workspace, takes, Settings())
    shapes = [sound_of(workspace, name, tmp_path).shape for name in names(takes)]
    assert shapes[0][0] == shapes[1][0] == 2
    assert shapes[0][1] == pytest.approx(shapes[1][1], abs=1)


def test_the_player_of_two_has_gains_that_make_them_equally_loud(workspace: Workspace) -> None:
    first = stored(workspace, "First.wav", song())
    second = stored(workspace, "Second.wav", song() * np.float32(0.5))
    takes = [Take(first, "Mix"), Take(second)]
    make_ab(workspace, takes, Settings())
    made = ab_context(workspace.site, takes)
    assert made is not None
    a, b = made.sides
    assert (a.letter, a.title, b.letter, b.title) == ("A", "Mix", "B", "Second")
    assert a.gain_db == pytest.approx(-6.02, abs=0.05)
    assert b.gain_db == 0
    assert a.words.endswith("turned down by 6.0 dB")
    assert b.words.endswith("left as loud as it is")
    assert (made.duration_s, made.rate_hz, made.is_matched, made.is_cut) == (SECONDS, RATE, True, False)
    assert (a.plain, b.plain) == (None, None)
    (workspace.site / "media" / f"{first.id}.mp3").write_bytes(b"x")
    made = ab_context(workspace.site, takes)
    assert made is not None
    assert made.sides[0].plain == f"media/{first.id}.mp3"


def test_silence_is_not_matched(workspace: Workspace) -> None:
    takes = [
        Take(stored(workspace, "First.wav", song())),
        Take(stored(workspace, "Silence.wav", signals.silence(2.0, rate=RATE, channels=2))),
    ]
    make_ab(workspace, takes, Settings())
    made = ab_context(workspace.site, takes)
    assert made is not None
    assert not made.is_matched
    assert {side.words for side in made.sides} == {""}
    assert len({side.gain_db for side in made.sides}) == 1


def test_what_cannot_be_heard_says_why_and_is_not_tried_again(workspace: Workspace) -> None:
    first = stored(workspace, "First.wav", song())
    broken = make_track(workspace, "Broken.wav")
    takes = [Take(first), Take(broken)]
    make_ab(workspace, takes, Settings())
    assert make_ab(workspace, takes, Settings()) == 0
    made = ab_context(workspace.site, takes)
    assert made is not None
    assert made.sides[0].refused == ""
    assert made.sides[0].gain_db == pytest.approx(0, abs=3)
    assert len(made.sides[1].refused) > 10


def test_a_sound_that_somebody_took_away_gives_no_player(workspace: Workspace) -> None:
    first, second = (stored(workspace, f"{name}.wav", song()) for name in ("First", "Second"))
    assert second.source is not None
    second.source.unlink()
    takes = [Take(first), Take(second)]
    assert make_ab(workspace, takes, Settings()) == 1
    assert ab_context(workspace.site, takes) is None


def test_a_record_that_cannot_be_read_gives_no_player(workspace: Workspace) -> None:
    track = stored(workspace, "First.wav", song())
    (track.folder / records.RECORD_NAME).write_text("{")
    assert make_ab(workspace, [Take(track)], Settings()) == 0
    assert ab_context(workspace.site, [Take(track)]) is None


@pytest.mark.parametrize("content", ["", "//", "// 3", '// {"other": 1}', "no comment"])
def test_a_foreign_script_is_no_sound(workspace: Workspace, content: str) -> None:
    takes = [Take(make_track(workspace, "First.wav", source__sample_rate_hz=RATE))]
    script = workspace.site / "media" / "ab" / f"{names(takes)[0]}.js"
    script.parent.mkdir(parents=True)
    script.write_text('// {"seconds": 1.0}')
    assert ab_context(workspace.site, takes) is not None
    script.write_text(content)
    assert ab_context(workspace.site, takes) is None


def test_what_belongs_to_no_player_is_removed(workspace: Workspace) -> None:
    short = signals.noise(0.2, rate=RATE, channels=2)
    first, second = (stored(workspace, f"{name}.wav", short) for name in ("First", "Second"))
    make_ab(workspace, [Take(first), Take(second)], Settings())
    assert remove_others(workspace, [[Take(first)]]) == 1
    assert [path.stem for path in (workspace.site / "media" / "ab").iterdir()] == list(names([Take(first)]))
    assert remove_others(workspace, []) == 1


def test_a_folder_that_cannot_be_written_says_so(workspace: Workspace) -> None:
    track = stored(workspace, "First.wav", song())
    (workspace.site / "media").mkdir(parents=True)
    (workspace.site / "media" / "ab").write_text("in the way")
    with pytest.raises(WorkspaceError, match="ab"):
        make_ab(workspace, [Take(track)], Settings())


# The player


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages of players: one of a song and the same with its polarity turned, later and quieter."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("processor.engine.Engine", InlineEngine)
        workspace = Workspace(tmp_path_factory.mktemp("ab"))
        turned = signals.joined(signals.noise(LATE_S, rate=RATE, channels=2), -song()) * np.float32(0.5)
        first, second = stored(workspace, "First.wav", song()), stored(workspace, "Second.wav", turned)
        for name in ("assets", "pages"):
            (workspace.site / name).mkdir(parents=True)
        for asset in assets():
            shutil.copy(templates_folder() / asset, workspace.site / "assets")
        takes = [Take(first, "Mix"), Take(second, "Turned", offset_s=LATE_S)]
        make_ab(workspace, takes, Settings())
        for track in (first, second):
            assert track.source is not None
            shutil.copy(track.source, workspace.site / "media" / f"{track.id}.mp3")
        write_page(workspace.site, "ab", takes)
        other = Take(make_track(workspace, "Broken.wav"), HOSTILE)
        make_ab(workspace, [takes[0], other], Settings())
        write_page(workspace.site, "broken", [takes[0], other])
        gone = Take(stored(workspace, "Gone.wav", song()), "Gone")
        make_ab(workspace, [takes[0], gone], Settings())
        write_page(workspace.site, "gone", [takes[0], gone])
        (workspace.site / "media" / "ab" / f"{names([takes[0], gone])[1]}.js").unlink()
    return workspace.site


def write_page(site: Path, name: str, takes: list[Take]) -> None:
    made = ab_context(site, takes)
    page = environment().from_string(PAGE).render(root="../", ab=made)
    (site / "pages" / f"{name}.html").write_text(page, encoding="utf-8")


@pytest.fixture
def listened(browser: Any, site: Path) -> Any:
    """Open a page of a player with a witness; afterwards nothing must have gone wrong in it."""
    contexts, troubles = [], []

    def open_page(name: str = "ab", **options: Any) -> Any:
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.add_init_script(WITNESS)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto((site / "pages" / f"{name}.html").as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


def until(page: Any, is_true: Callable[[], bool], what: str) -> None:
    for _ in range(500):
        if is_true():
            return
        page.wait_for_timeout(20)
    raise AssertionError(what)


def shown_s(page: Any) -> float:
    minutes, _, seconds = page.locator(".ab-now").inner_text().partition(":")
    return 60 * int(minutes) + float(seconds)


def play(page: Any) -> None:
    page.get_by_role("button", name="Play", exact=True).click()
    until(page, lambda: page.locator(".ab-play").get_attribute("aria-pressed") == "true", "it does not play")
    until(page, lambda: shown_s(page) > 0.2, "it stands still")


def gains(page: Any) -> list[float]:
    """The gains of the sounds as they are now; the first node is the master's."""
    return [float(gain) for gain in page.evaluate("heard.gains.slice(1).map((one) => one.gain.value)")]


def elapsed(page: Any) -> float:
    """Where the first sound is by the clock of Web Audio, whatever the page shows."""
    return float(
        page.evaluate(
            "(({ given: [when, offset] }) => offset + heard.contexts[0].currentTime - when)"
            "(heard.starts.findLast((start) => start.number === 0))"
        )
    )


@needs_chromium
def test_both_start_at_the_same_sample_and_cancel(listened: Any) -> None:
    page = listened()
    play(page)
    page.locator(".ab-seek").fill("1.5")
    until(page, lambda: page.evaluate("heard.starts.length") == 4, "it was not started anew")
    page.keyboard.press("Space")
    starts = page.evaluate("heard.starts.map(({ given }) => given)")
    assert starts[0] == starts[1]
    assert starts[2] == starts[3]
    assert (starts[0][1], starts[2][1]) == (0, 1.5)
    assert page.evaluate("heard.starts.every(({ given, pressed }) => given[0] > pressed)"), "one was late"
    assert page.evaluate("heard.buffers.map((one) => one.sampleRate)") == [RATE, RATE]
    lengths = page.evaluate("heard.buffers.map((one) => one.length)")
    assert lengths[0] == lengths[1] == pytest.approx(SECONDS * RATE, abs=1)
    alone, together = page.evaluate(RENDER, [1, 0]), page.evaluate(RENDER, [1, 2])
    assert together < signals.amplitude(-60) * alone
    assert page.evaluate(RENDER, [1, 1]) == pytest.approx(alone / 2, rel=0.01), "the second is turned and half as large"


@needs_chromium
def test_switching_goes_on_at_the_same_place_with_the_other_gain(listened: Any) -> None:
    page = listened()
    play(page)
    loud, quiet = signals.amplitude(-6.02), 1.0
    assert gains(page) == pytest.approx([loud, 0], abs=0.01)
    before, started = elapsed(page), page.evaluate("heard.starts.length")
    page.keyboard.press("x")
    page.wait_for_timeout(100)
    assert gains(page) == pytest.approx([0, quiet], abs=0.01)
    assert page.evaluate("heard.starts.length") == started, "switching starts nothing anew"
    assert 0.1 <= elapsed(page) - before < 2
    assert shown_s(page) == pytest.approx(elapsed(page), abs=0.3)
    page.keyboard.press("x")
    page.wait_for_timeout(100)
    assert gains(page) == pytest.approx([loud, 0], abs=0.01)


@needs_chromium
def test_a_fade_takes_ten_milliseconds_and_both_add_up_to_one_sound(listened: Any) -> None:
    page = listened()
    play(page)
    page.evaluate(
        """() => { heard.ramps = []; const ramp = AudioParam.prototype.linearRampToValueAtTime;
        AudioParam.prototype.linearRampToValueAtTime = function (to, end) {
          heard.ramps.push([to, end - heard.contexts[0].currentTime]); return ramp.call(this, to, end); } }"""
    )
    page.keyboard.press("b")
    (out, out_s), (into, into_s) = page.evaluate("heard.ramps")
    assert (out, into) == (0, 1)
    assert out_s == pytest.approx(0.01, abs=0.004)
    assert into_s == pytest.approx(0.01, abs=0.004)


@needs_chromium
def test_letters_choose_and_what_is_heard_is_announced(listened: Any) -> None:
    page = listened()
    state = page.get_by_role("status")
    page.keyboard.press("b")
    assert state.inner_text() == "Chosen: B, Turned."
    play(page)
    assert state.inner_text() == "You hear B, Turned."
    page.keyboard.press("a")
    assert state.inner_text() == "You hear A, Mix."
    assert page.get_by_role("button", name="A Mix").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="B Turned").click()
    assert state.inner_text() == "You hear B, Turned."
    assert page.locator(".ab-side[aria-pressed='true']").all_inner_texts() == ["B Turned"]


@needs_chromium
def test_without_matching_each_is_as_loud_as_it_is(listened: Any) -> None:
    page = listened()
    play(page)
    page.get_by_label("Equally loud").uncheck()
    page.wait_for_timeout(60)
    raw = float(page.locator(".ab-side").first.get_attribute("data-raw"))
    assert -2 < raw < 0, "its peaks are over the limit as they are"
    assert gains(page) == pytest.approx([signals.amplitude(raw), 0], abs=0.01)


@needs_chromium
def test_it_pauses_goes_on_seeks_and_ends(listened: Any) -> None:
    page = listened()
    page.keyboard.press("Space")
    until(page, lambda: shown_s(page) > 0.2, "it does not play")
    page.keyboard.press("Space")
    paused = shown_s(page)
    page.wait_for_timeout(250)
    assert shown_s(page) == paused
    page.keyboard.press("Space")
    until(page, lambda: shown_s(page) > paused, "it does not go on")
    assert page.evaluate("heard.starts.at(-1).given[1]") == pytest.approx(paused, abs=0.11)
    page.locator("#time").click()
    assert page.evaluate("heard.starts.at(-1).given[1]") == 4
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("heard.starts.at(-1).given[1]") == 0
    page.keyboard.press("ArrowRight")
    assert page.evaluate("heard.starts.at(-1).given[1]") == pytest.approx(5, abs=0.2)
    until(page, lambda: page.locator(".ab-play").get_attribute("aria-pressed") == "false", "it does not end")
    assert shown_s(page) == 0


@needs_chromium
def test_nothing_is_loaded_unasked_and_each_sound_only_once(listened: Any) -> None:
    page = listened()
    assert page.evaluate("[...document.scripts].filter((one) => one.src.includes('/media/')).length") == 0
    play(page)
    page.keyboard.press("Space")
    page.keyboard.press("Space")
    assert page.evaluate("[...document.scripts].filter((one) => one.src.includes('/media/')).length") == 2
    assert page.evaluate("Object.keys(linerNotesSounds)") == [], "what was decoded is let go"


@needs_chromium
def test_who_types_does_not_switch(listened: Any) -> None:
    page = listened()
    page.locator("#words").press_sequentially("bx ")
    assert page.locator("#words").input_value() == "bx "
    assert page.locator(".ab-side").nth(0).get_attribute("aria-pressed") == "true"
    assert page.locator(".ab-play").get_attribute("aria-pressed") == "false"


@needs_chromium
def test_a_sound_that_is_gone_is_told_in_words_and_the_plain_players_come_back(browser: Any, site: Path) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto((site / "pages" / "gone.html").as_uri())
    assert not page.locator(".ab-plain").is_visible()
    page.get_by_role("button", name="Play", exact=True).click()
    page.locator(".ab-plain").wait_for(state="visible")
    assert "The sound of B cannot be loaded" in page.get_by_role("status").inner_text()
    assert page.locator(".ab-play").get_attribute("aria-pressed") == "false"
    context.close()


@needs_chromium
def test_a_refused_sound_is_told_of_and_hostile_words_stay_words(listened: Any) -> None:
    page = listened("broken")
    assert page.locator(".ab-side").count() == 1
    assert "cannot be heard" in page.locator(".ab-notes").inner_text()
    assert "<script>" in page.locator(".ab-notes").inner_text()
    assert page.locator("main script, main img").count() == 0
    play(page)


@needs_chromium
def test_without_a_script_there_are_plain_players(listened: Any) -> None:
    page = listened(java_script_enabled=False)
    assert page.locator(".ab-plain audio[controls]").count() == 2
    assert page.locator(".ab-plain audio").first.is_visible()
    assert not page.locator(".ab-bar").is_visible()


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong(browser: Any, site: Path, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto((site / "pages" / "ab.html").as_uri())
    play(page)
    assert violations(page) == []
    context.close()


@needs_chromium
def test_it_fits_a_phone(listened: Any) -> None:
    page = listened(viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.get_by_role("button", name="Play", exact=True).is_visible()
