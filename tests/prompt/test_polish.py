"""A language model may join our words, and add none: real client, small server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from processor.config import Llm
from processor.feedback.llm import NoWords
from processor.prompt.composer import Prompt, compose
from processor.prompt.polish import polished, question
from processor.prompt.targets import DEFAULT, target_named
from tests.feedback.endpoint import Endpoint, endpoint
from tests.prompt.songs import NAMES, deep_results, song

KEY = {"LINERNOTES_LLM_KEY": "secret"}


@pytest.fixture(scope="module")
def prompt() -> Prompt:
    tags = {"metadata__artist": NAMES[0], "metadata__title": NAMES[1]}
    return compose(song(deep_results(**tags), name=f"{NAMES[2]}.wav"), {"title": "Night Bus"}, target_named(DEFAULT))


@pytest.fixture
def server() -> Iterator[Endpoint]:
    with endpoint() as running:
        yield running


def joined(prompt: Prompt) -> dict[str, Any]:
    """What an obedient model says: our phrases with other words between them."""
    first, *rest = (phrase.text for phrase in prompt.phrases)
    return {
        "style": f"{first} with {', '.join(rest)}",
        "sections": [" and ".join(phrase.text for phrase in one.phrases) for one in prompt.sections],
    }


def ask(server: Endpoint, prompt: Prompt, answer: Any, cache: Path | None = None) -> Prompt:
    server.content = answer if isinstance(answer, str) else json.dumps(answer)
    return polished(prompt, Llm(base_url=server.url, timeout_s=0.5, retries=0), cache, KEY)


def refusal(server: Endpoint, prompt: Prompt, answer: Any) -> str:
    with pytest.raises(NoWords) as raised:
        ask(server, prompt, answer)
    return str(raised.value)


def test_an_answer_that_keeps_to_our_words_is_taken(server: Endpoint, prompt: Prompt) -> None:
    made = ask(server, prompt, joined(prompt))
    assert made.style.startswith("techno with sung lead vocals")
    assert " and " in made.lyrics
    assert made.lyrics.count("[") == prompt.lyrics.count("[")
    assert made.id != prompt.id
    assert made.title.endswith(made.id)
    assert made.title.startswith("Night Bus ")
    assert made.asked == prompt.asked


def test_only_our_phrases_are_sent(server: Endpoint, prompt: Prompt) -> None:
    ask(server, prompt, joined(prompt))
    [asked] = server.asked
    assert asked["response_format"]["json_schema"]["strict"] is True
    told = json.dumps(asked)
    for name in (*NAMES, "Night Bus"):
        assert name not in told
    assert json.loads(asked["messages"][1]["content"])["style"] == [phrase.text for phrase in prompt.phrases]
    assert question(prompt) == asked["messages"][1]["content"]


@pytest.mark.parametrize(
    ("style", "words"),
    [
        ("{}, saxophone", "saxophone"),
        ("{}, like Zorblatt", "like"),
        ("{}, 125 BPM", "125"),
        ("{} [Chorus]", "signs"),
        ("{}\u202e", "signs"),
        ("{}, without banjo", "without"),
        ("{}, no sung vocals", "no"),
        ("{} " + "and " * 300, "long"),
        ("124 BPM, B-flat minor, sung lead vocals", "leaves out"),
    ],
)
def test_a_style_that_says_more_or_less_is_refused(server: Endpoint, prompt: Prompt, style: str, words: str) -> None:
    assert words in refusal(server, prompt, joined(prompt) | {"style": style.format(prompt.style)})


def test_tempo_and_key_stay_as_they_are(server: Endpoint, prompt: Prompt) -> None:
    assert "124 BPM" in refusal(server, prompt, joined(prompt) | {"style": prompt.style.replace("124 BPM", "BPM 124")})


def test_what_belongs_to_one_section_is_not_said_of_another(server: Endpoint, prompt: Prompt) -> None:
    answer = joined(prompt)
    answer["sections"][0] += ", drums enter"
    assert "enter" in refusal(server, prompt, answer)
    answer = joined(prompt)
    answer["sections"] = answer["sections"][::-1]
    assert "[Intro]" in refusal(server, prompt, answer)


def test_denials_are_ours_only(server: Endpoint, prompt: Prompt) -> None:
    """The intro says "no vocals": that may not become "no drums"-like words elsewhere, and may stay as it is."""
    assert "no vocals" in prompt.sections[0].text
    assert "no vocals" in ask(server, prompt, joined(prompt)).lyrics
    answer = joined(prompt)
    answer["sections"][0] = f"{answer['sections'][0]}, no arrangement"
    assert "[Intro]" in refusal(server, prompt, answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        '{"style": 1, "sections": []}',
        '{"style": "x", "sections": ["y"], "more": 1}',
        '{"style": ' * 5000,
    ],
)
def test_what_is_not_of_the_form_is_refused(server: Endpoint, prompt: Prompt, answer: str) -> None:
    refusal(server, prompt, answer)


def test_sections_must_all_be_there(server: Endpoint, prompt: Prompt) -> None:
    answer = joined(prompt)
    refusal(server, prompt, answer | {"sections": answer["sections"][1:]})
    refusal(server, prompt, answer | {"sections": [None, *answer["sections"][1:]]})


def test_an_answer_is_kept(server: Endpoint, prompt: Prompt, tmp_path: Path) -> None:
    first = ask(server, prompt, joined(prompt), tmp_path)
    assert ask(server, prompt, "broken now", tmp_path) == first
    assert len(server.asked) == 1
    [kept] = tmp_path.iterdir()
    kept.write_text(json.dumps({"style": "saxophone", "sections": []}))  # somebody's hand
    with pytest.raises(NoWords):
        ask(server, prompt, "broken now", tmp_path)


def test_without_a_key_nothing_is_sent(prompt: Prompt) -> None:
    with pytest.raises(NoWords, match="GROQ_API_KEY"):
        polished(prompt, Llm(), None, {})
