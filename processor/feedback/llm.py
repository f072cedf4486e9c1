"""A language model may word what the rules found. It never has to: without one, the rules' own text stands.

One request a mix, to Groq or any other endpoint of the same form, with a strict JSON schema, a time limit, and retries
that wait longer each time. Answers are kept by the hash of what was asked. The key comes from the environment alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processor.config import Llm
from processor.errors import LinerNotesError
from processor.feedback.words import (
    INSTRUCTIONS,
    Fact,
    Sentence,
    Words,
    checked,
    facts_of,
    key_of,
    question,
    schema,
)
from processor.files import printable, write_atomically
from processor.library import WORDING_NAME, Track
from processor.record import JSON, Record

if TYPE_CHECKING:
    import groq

    from processor.feedback.desk import Verdict

GROQ_HOST = "api.groq.com"
OWN_KEY, GROQ_KEY = "LINERNOTES_LLM_KEY", "GROQ_API_KEY"
MAX_ANSWER_BYTES = 200_000
MAX_REASON = 200


class NoWords(LinerNotesError):
    """Why there is no wording by a model; the rules' own text stands."""


@dataclass(frozen=True)
class Wording:
    """A model's words that keep to the facts, and what they cost.

    Attributes:
        summary: for the artist.
        notes: for the engineer.
        priorities: what to do first.
        struck: how many sentences were struck out, because they did not keep to the facts.
        model: which model.
        input_tokens: tokens that were sent, as the endpoint counts them; None if it does not say.
        output_tokens: tokens that came back.
        cost_usd: what that costs at the prices of the settings; None where these are not known.
        key: hash of what was asked.
    """

    summary: tuple[Sentence, ...]
    notes: tuple[Sentence, ...]
    priorities: tuple[Sentence, ...]
    struck: int
    model: str
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    key: str


def worded(
    facts: tuple[Fact, ...],
    untrusted: Mapping[str, str | None],
    settings: Llm,
    cache: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Wording:
    """Let a model word the facts of a mix.

    Args:
        facts: what it may say.
        untrusted: names that came with the file.
        settings: which model, where, and how patient to be.
        cache: where the answer is kept, and looked for first.
        environment: of the process, if another is meant.

    Raises:
        NoWords: with the reason in words; nothing was kept.
    """
    asked = question(facts, untrusted)
    key = key_of(asked, settings.model)
    kept = read_wording(cache) if cache is not None else None
    if kept is not None and kept.key == key:
        return kept
    answer, usage = _ask(asked, settings, os.environ if environment is None else environment)
    found = _understood(answer, facts)
    wording = Wording(
        found.summary, found.notes, found.priorities, found.struck, settings.model, *_cost(usage, settings), key
    )
    if cache is not None:
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(cache, json.dumps(asdict(wording), ensure_ascii=False, indent=1) + "\n")
    return wording


def kept_wording(track: Track, verdict: Verdict, found: Record, said: Mapping[str, JSON], model: str) -> Wording | None:
    """The words that a track of the library has, if they still are about what is found now."""
    kept = read_wording(track.folder / WORDING_NAME)
    if kept is None:
        return None
    asked = question(facts_of(verdict, found.results), untrusted_of(found, said))
    return kept if kept.key == key_of(asked, model) else None


def untrusted_of(found: Record, said: Mapping[str, JSON]) -> dict[str, str | None]:
    """The names that came with a file, and what a person said of it."""
    tags = found.results.get("metadata")
    named = {name: said.get(name) or getattr(tags, name, None) for name in ("title", "artist", "genre")}
    return {"file": found.name, **{name: None if text is None else str(text) for name, text in named.items()}}


def read_wording(path: Path) -> Wording | None:
    """A wording that was kept; None if there is none, or the file is broken."""
    try:
        found = json.loads(path.read_bytes())
        found |= {part: _sentences(found[part]) for part in ("summary", "notes", "priorities")}
        wording = Wording(**found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return wording if isinstance(wording.key, str) and isinstance(wording.model, str) else None


def _sentences(listed: Any) -> tuple[Sentence, ...]:
    return tuple(Sentence(printable(str(one["text"])), tuple(str(fact) for fact in one["facts"])) for one in listed)


def api_key(settings: Llm, environment: Mapping[str, str]) -> str | None:
    """The key to send; Groq's goes to Groq alone, and an endpoint on one's own machine needs none.

    Returns:
        None where there is none and one is needed.
    """
    if own := environment.get(OWN_KEY):
        return own
    if GROQ_HOST in settings.base_url:
        return environment.get(GROQ_KEY) or None
    return "none"


def _ask(asked: str, settings: Llm, environment: Mapping[str, str]) -> tuple[str, Any]:
    """The text of the model's answer, and what it counted."""
    key = api_key(settings, environment)
    if key is None:
        raise NoWords(f"There is no key: set {GROQ_KEY}, or {OWN_KEY} for another endpoint.")
    client = connected(key, settings)
    body = {
        "model": settings.model,
        "messages": [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": asked}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "wording", "strict": True, "schema": schema()},
        },
        "temperature": 0.2,
        "max_completion_tokens": settings.max_tokens,
    }
    return posted(client, body)


def connected(key: str, settings: Llm) -> groq.Groq:
    """A client of the endpoint that the settings name.

    Raises:
        NoWords: the package is not installed.
    """
    try:
        import groq
    except ImportError as error:
        raise NoWords("The package `groq` is not installed: pip install 'liner-notes[llm]'.") from error
    return groq.Groq(
        api_key=key, base_url=settings.base_url, timeout=settings.timeout_s, max_retries=int(settings.retries)
    )


def posted(client: groq.Groq, body: Mapping[str, Any]) -> tuple[str, Any]:
    """Send a request; the library waits and tries again after 408, 409, 429 and 5xx."""
    import groq
    import httpx

    try:
        with client:
            # The library's own method has Groq's path built in; others have theirs in `base_url`.
            response = client.post("/chat/completions", cast_to=httpx.Response, body=dict(body))
            raw = response.content
    except groq.APITimeoutError as error:
        raise NoWords("The model did not answer in time.") from error
    except groq.APIStatusError as error:
        raise NoWords(f"The endpoint answered with status {error.status_code}.") from error
    except (groq.GroqError, httpx.HTTPError) as error:
        raise NoWords(f"The endpoint cannot be reached ({type(error).__name__}).") from error
    if len(raw) > MAX_ANSWER_BYTES:
        raise NoWords("The answer is absurdly long.")
    try:
        tree = json.loads(raw)
        text = tree["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError) as error:
        raise NoWords("The endpoint's answer has no text.") from error
    if not isinstance(text, str):
        raise NoWords("The endpoint's answer has no text.")
    return text, tree.get("usage")


def _understood(text: str, facts: tuple[Fact, ...]) -> Words:
    """What of an answer holds; prose around the JSON is passed over."""
    begin, end = text.find("{"), text.rfind("}")
    try:
        return checked(json.loads(text[begin : end + 1]), facts)
    except RecursionError as error:
        raise NoWords("The model's answer is nested absurdly deep.") from error
    except ValueError as error:
        reason = "it is not JSON" if isinstance(error, json.JSONDecodeError) else str(error)
        raise NoWords(f"The model's answer cannot be used: {reason[:MAX_REASON]}.") from error


def _cost(usage: Any, settings: Llm) -> tuple[int | None, int | None, float | None]:
    """Tokens in, tokens out, and what they cost."""
    counts = [usage.get(name) if isinstance(usage, dict) else None for name in ("prompt_tokens", "completion_tokens")]
    sent, received = (count if type(count) is int and count >= 0 else None for count in counts)
    if sent is None or received is None or not (settings.usd_per_million_in or settings.usd_per_million_out):
        return sent, received, None
    cost = (sent * settings.usd_per_million_in + received * settings.usd_per_million_out) / 1e6
    return sent, received, round(cost, 6)
