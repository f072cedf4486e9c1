"""A language model may join a prompt's words into better ones. It may not add any: else ours stand.

It is sent our phrases and nothing else: no title, no name, nothing that came with a file. What comes back is checked
word by word. A word that is neither one of that field's own nor one that states nothing ("over", "into") is refused,
and with it the whole answer; so are numbers that were not sent, tags in brackets, and what does not fit the target.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from processor.config import Llm
from processor.feedback import llm
from processor.feedback.llm import NoWords, api_key
from processor.files import printable, write_atomically
from processor.prompt.composer import Prompt, lyrics_block, named
from processor.prompt.swaps import vocabulary
from processor.record import JSON

# Raised when the same phrases are sent with other words, so that answers are asked for anew.
PROMPT_VERSION = 1
# What a polished field keeps at least of our words that state something.
LEAST_KEPT = 0.6
MAX_DIRECTION = 240
MAX_CACHE_BYTES = 64 * 1024
_WORD = re.compile(r"[a-z0-9]+(?:[-/'.][a-z0-9]+)*")
_ALLOWED = re.compile(r"[A-Za-z0-9 ,;.:'&()/+–-]*")
_NEGATIONS = frozenset(("no", "not", "without", "never", "hardly", "almost"))
# Have to stand in the style as they are.
_VERBATIM = ("tempo", "key", "voice")

INSTRUCTIONS = """\
You polish a prompt for a music generator. You are given JSON with "style" (a list of phrases) and "sections" (each \
with a "header" and "phrases"), and "style_limit", the most characters that the style may have. Answer with "style", \
one line that joins all phrases of the style, and "sections", one line for each section in the same order. Use only \
words that stand in the phrases of the same field, and plain connecting words (and, with, over, into, while, then …). \
Add no instrument, genre, mood, name, number or other fact. Keep the tempo, the key and the first three phrases at the \
beginning. No brackets, no quotation marks, no line breaks."""


@dataclass(frozen=True)
class Polished:
    """A model's words for the fields of a prompt."""

    style: str
    sections: tuple[str, ...]


def polished(
    prompt: Prompt, settings: Llm, cache: Path | None = None, environment: Mapping[str, str] | None = None
) -> Prompt:
    """Let a model join the phrases of a prompt; what it asks for stays the same.

    Args:
        prompt: ours.
        settings: which model, where, and how patient to be.
        cache: folder where answers are kept, and looked for first.
        environment: of the process, if another is meant.

    Raises:
        NoWords: with the reason in words; our own prompt stands.
    """
    asked = question(prompt)
    content = f"{PROMPT_VERSION}\n{settings.model}\n{INSTRUCTIONS}\n{asked}"
    path = None if cache is None else cache / f"words-{hashlib.sha256(content.encode()).hexdigest()[:16]}.json"
    kept = _kept(path, prompt)
    if kept is None:
        text = _answer(asked, settings, os.environ if environment is None else environment)
        kept = _understood(text, prompt)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            tree = {"style": kept.style, "sections": list(kept.sections)}
            write_atomically(path, json.dumps(tree, ensure_ascii=False, indent=1) + "\n")
    return applied(prompt, kept)


def applied(prompt: Prompt, words: Polished) -> Prompt:
    """The prompt in these words, with an id of its own."""
    pairs = zip(prompt.sections, words.sections, strict=True)
    blocks = [lyrics_block(section.header, text, prompt.target) for section, text in pairs]
    ending = [prompt.target.ending] if prompt.target.ending else []
    made = replace(prompt, style=words.style, lyrics="\n\n".join([*blocks, *ending]))
    return named(made, prompt.title.removesuffix(prompt.id).strip())


def question(prompt: Prompt) -> str:
    """What the model is asked, as JSON."""
    sections = [{"header": one.header, "phrases": [p.text for p in one.phrases]} for one in prompt.sections]
    told = {"style": [p.text for p in prompt.phrases], "sections": sections, "style_limit": prompt.target.style}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def schema() -> dict[str, JSON]:
    """The strict JSON schema of an answer: every property required, none else allowed."""
    return {
        "type": "object",
        "properties": {"style": {"type": "string"}, "sections": {"type": "array", "items": {"type": "string"}}},
        "required": ["style", "sections"],
        "additionalProperties": False,
    }


def checked(answer: JSON, prompt: Prompt) -> Polished:
    """An answer that keeps to what was sent.

    Raises:
        ValueError: it is not of the schema, or says more, or less.
    """
    if not isinstance(answer, dict) or set(answer) != {"style", "sections"}:
        raise ValueError("it does not have the form that was asked for")
    style, sections = answer["style"], answer["sections"]
    if not isinstance(style, str) or not isinstance(sections, list) or len(sections) != len(prompt.sections):
        raise ValueError("it does not have the form that was asked for")
    style = _field("the style", style, [phrase.text for phrase in prompt.phrases], prompt.target.style)
    lost = [p.text for p in prompt.phrases if p.topic in _VERBATIM and p.text.lower() not in style.lower()]
    if lost:
        raise ValueError(f"its style has lost “{lost[0]}”")
    lines = []
    for section, line in zip(prompt.sections, sections, strict=True):
        if not isinstance(line, str):
            raise ValueError("it does not have the form that was asked for")
        lines.append(_field(f"[{section.header}]", line, [phrase.text for phrase in section.phrases], MAX_DIRECTION))
    words = Polished(style, tuple(lines))
    if len(applied(prompt, words).lyrics) > prompt.target.lyrics:
        raise ValueError("its directions are too long for the field for lyrics")
    return words


def _field(name: str, text: str, ours: Sequence[str], most: int) -> str:
    """One field of an answer.

    Raises:
        ValueError: it does not keep to our phrases.
    """
    plain = printable(" ".join(text.split()))
    if len(plain) > most or not _ALLOWED.fullmatch(plain):
        raise ValueError(f"{name} is too long or has signs that do not belong there")
    stated, said = [_words(one) for one in ours], _words(plain)
    known = {word for words in stated for word in words}
    strange = sorted(set(said) - known - vocabulary().neutral)
    if strange:
        raise ValueError(f"{name} says “{strange[0]}”, which was not sent")
    denied = {pair for words in stated for pair in pairwise(words) if pair[0] in _NEGATIONS}
    if any(pair[0] in _NEGATIONS and pair not in denied for pair in pairwise(said)):
        raise ValueError(f"{name} denies what was sent")
    content = known - vocabulary().neutral
    if content and len(content & set(said)) < LEAST_KEPT * len(content):
        raise ValueError(f"{name} leaves out too much")
    return plain


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _kept(path: Path | None, prompt: Prompt) -> Polished | None:
    """An answer that was kept; None if there is none, or the file is broken."""
    try:
        if path is None or path.stat().st_size > MAX_CACHE_BYTES:
            return None
        return checked(json.loads(path.read_bytes()), prompt)
    except (OSError, ValueError, RecursionError):
        return None


def _answer(asked: str, settings: Llm, environment: Mapping[str, str]) -> str:
    """The text of the model's answer."""
    key = api_key(settings, environment)
    if key is None:
        raise NoWords(f"There is no key: set {llm.GROQ_KEY}, or {llm.OWN_KEY} for another endpoint.")
    body: dict[str, Any] = {
        "model": settings.model,
        "messages": [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": asked}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "prompt", "strict": True, "schema": schema()},
        },
        "temperature": 0.2,
        "max_completion_tokens": settings.max_tokens,
    }
    return llm.posted(llm.connected(key, settings), body)[0]


def _understood(text: str, prompt: Prompt) -> Polished:
    """What of an answer holds; prose around the JSON is passed over."""
    begin, end = text.find("{"), text.rfind("}")
    try:
        return checked(json.loads(text[begin : end + 1]), prompt)
    except RecursionError as error:
        raise NoWords("The model's answer is nested absurdly deep.") from error
    except ValueError as error:
        reason = "it is not JSON" if isinstance(error, json.JSONDecodeError) else str(error)
        raise NoWords(f"The model's answer cannot be used: {reason[: llm.MAX_REASON]}.") from error
