"""The prompt on a track's page: fields to copy, their evidence, and what became of it."""

from __future__ import annotations

import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from processor.analysis import result_types
from processor.files import templates_folder
from processor.library import Track
from processor.prompt.kept import read_kept
from processor.record import Record
from processor.site.markdown_prompt import generation_blocks, prompt_blocks
from processor.site.prompt import (
    GenerationBox,
    PromptBox,
    generation_context,
    keep_shown,
    prompt_context,
    prompts_folder,
    shown_prompts,
)
from processor.site.rendering import environment
from processor.site.track import time_link
from processor.workspace import Workspace
from tests.libraries import HOSTILE, invented, make_track
from tests.prompt.songs import NAMES, deep_results, fast_results, song
from tests.site.accessibility import violations
from tests.site.browsing import NEEDS_CHROMIUM, PHONE

needs_chromium = NEEDS_CHROMIUM[1]
pytestmark = pytest.mark.browser

PAGE = """{% extends "base.html" %}{% block title %}x{% endblock %}{% block main %}<h1>x</h1>
{% include "_prompt.html" %}{% if generation %}{% include "_generation.html" %}{% endif %}{% endblock %}"""


def html(prompt: PromptBox, generation: GenerationBox | None = None) -> str:
    template = environment().from_string(PAGE)
    return template.render(root="", prompt=prompt, generation=generation, at=partial(time_link, None))


def boxed(found: Record) -> PromptBox:
    return prompt_context(shown_prompts(found, {}))


@pytest.fixture
def track(tmp_path: Path) -> Track:
    return make_track(Workspace(tmp_path), "Night Bus.wav", results=deep_results())


def test_three_variants_with_counts() -> None:
    box = boxed(song(deep_results()))
    assert [one.name for one in box.variants] == ["faithful", "shorter", "swapped"]
    for variant in box.variants:
        for field in variant.fields:
            assert field.count == len(field.text) <= field.limit
    page = html(box)
    assert page.count("<textarea") == sum(len(one.fields) for one in box.variants)
    assert len(set(re.findall(r'<textarea id="([^"]+)"', page))) == page.count("<textarea")
    assert "of 1000 characters" in page
    assert "124 BPM" in page


def test_each_phrase_has_its_number_on_the_page() -> None:
    page = html(boxed(song(deep_results())))
    for words in ("beats.tempo_bpm 124.2", "stems.levels_db", "loudness.short_term_lufs −10.0", "drums enter"):
        assert words in page


def test_speech_says_why_there_is_none() -> None:
    box = boxed(song(fast_results(material__kind="speech")))
    assert "speech" in html(box)
    assert "<textarea" not in html(box)
    assert "speech" in "".join(prompt_blocks(box))


def test_hostile_words_stay_words(track: Track) -> None:
    tags = {f"metadata__{name}": HOSTILE for name in ("title", "artist", "genre", "comment")}
    box = prompt_context(shown_prompts(song(fast_results(**tags), name=f"{HOSTILE}.wav"), {"title": HOSTILE}))
    for text in (html(box), "\n".join(prompt_blocks(box))):
        assert "owned" not in text
        assert "\u202e" not in text
    foreign = song(fast_results(metadata__comment=f"{HOSTILE} ln-0123abcd"))
    generation = generation_context(track, foreign, {})
    assert generation is not None
    assert "owned" not in html(box, generation)


def test_names_are_not_on_the_prompt() -> None:
    tags = {"metadata__artist": NAMES[0], "metadata__title": f"{NAMES[0]} - {NAMES[1]}"}
    page = html(boxed(song(deep_results(**tags), name=f"{NAMES[2]}.wav")))
    for name in NAMES:
        assert name not in page


def test_what_a_page_shows_is_kept(track: Track, tmp_path: Path) -> None:
    assert prompts_folder(track) == Workspace(tmp_path).library / "prompts"
    made = shown_prompts(song(deep_results()), {})
    assert not isinstance(made, str)
    assert keep_shown(track, made) == 3
    assert keep_shown(track, made) == 0
    for one in made:
        kept = read_kept(prompts_folder(track), one.id)
        assert kept is not None
        assert kept.track == track.id
    assert keep_shown(track, "no music") == 0


def test_a_track_keeps_the_prompts_shown_last(track: Track) -> None:
    folder = prompts_folder(track)
    for tempo in range(100, 112):
        made = shown_prompts(song(deep_results(beats__tempo_bpm=float(tempo))), {})
        assert keep_shown(track, made) == 3
    assert len(list(folder.glob("ln-*.json"))) == 30
    assert not isinstance(made, str)
    assert all(read_kept(folder, one.id) for one in made)
    first = shown_prompts(song(deep_results(beats__tempo_bpm=100.0)), {})
    assert not isinstance(first, str)
    assert read_kept(folder, first[0].id) is None


def test_a_song_that_came_back(track: Track) -> None:
    made = shown_prompts(song(deep_results()), {})
    assert not isinstance(made, str)
    keep_shown(track, made)
    back = song(fast_results(beats__tempo_bpm=62.1), name=f"{made[0].title}.mp3")
    generation = generation_context(track, back, {})
    assert generation is not None
    page = html(boxed(back), generation)
    assert "half tempo" in page
    assert track.id in page
    assert made[0].style in page
    blocks = "\n".join(generation_blocks(generation))
    assert "half tempo" in blocks
    assert blocks.count("| ✓ |") == sum(one.mark == "✓" for one in generation.rows) > 2
    assert generation_context(track, song(), {}) is None
    unknown = generation_context(track, song(name="ln-0123abcd.wav"), {})
    assert unknown is not None
    assert "has not shown" in html(boxed(back), unknown)
    assert "has not shown" in "\n".join(generation_blocks(unknown))


def test_markdown_holds_the_same_fields() -> None:
    box = boxed(song(deep_results()))
    text = "\n\n".join(prompt_blocks(box))
    for variant in box.variants:
        for field in variant.fields:
            assert f"```text\n{field.text}\n```" in text


def test_records_of_any_numbers_can_be_shown() -> None:
    box = boxed(song({name: invented(kind) for name, kind in result_types().items()}))
    assert html(box)
    assert list(prompt_blocks(box))


@pytest.fixture
def page_path(tmp_path: Path, track: Track) -> Path:
    made = shown_prompts(song(deep_results()), {})
    assert not isinstance(made, str)
    keep_shown(track, made)
    generation = generation_context(track, song(name=f"{made[0].id}.mp3"), {})
    shutil.copytree(templates_folder(), tmp_path / "assets")
    path = tmp_path / "page.html"
    path.write_text(html(prompt_context(made), generation), encoding="utf-8")
    return path


@needs_chromium
def test_buttons_copy(opened: Any, page_path: Path) -> None:
    page = opened(page_path, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy style, faithful").click()
    page.wait_for_function("document.querySelector('.copied').textContent === 'Copied: style, faithful.'")
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#prompt-faithful-style").input_value()


@needs_chromium
def test_without_a_clipboard_the_text_is_selected(opened: Any, page_path: Path) -> None:
    page = opened(page_path)
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.get_by_role("button", name="Copy style, faithful").click()
    field = "document.querySelector('#prompt-faithful-style')"
    page.wait_for_function("document.querySelector('.copied').textContent !== ''")
    assert page.evaluate(f"{field}.selectionEnd - {field}.selectionStart === {field}.value.length")


@needs_chromium
def test_it_reads_without_a_script(opened: Any, page_path: Path) -> None:
    page = opened(page_path, java_script_enabled=False)
    assert page.locator("button.copy:visible").count() == 0
    assert page.locator("#prompt-faithful-lyrics").is_visible()


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong(browser: Any, page_path: Path, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(page_path.as_uri())
    page.evaluate("for (const one of document.querySelectorAll('.prompt details')) one.open = true")
    assert violations(page) == []
    context.close()


@needs_chromium
def test_it_fits_a_phone(opened: Any, page_path: Path) -> None:
    page = opened(page_path, size=PHONE)
    page.evaluate("for (const one of document.querySelectorAll('.prompt details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
