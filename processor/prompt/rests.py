"""What a prompt was made of, and what is missing or doubtful: told beside it, never in it."""

from __future__ import annotations

from collections.abc import Sequence

from processor.analysis.beats import Beats
from processor.analysis.key import Key
from processor.analysis.melody import Melody
from processor.analysis.sections import UNCLEAR, Sections
from processor.analysis.vocals import Vocals
from processor.prompt.facts import Phrase
from processor.prompt.tagged import has_tags, has_voice
from processor.prompt.words import SURE_KEY
from processor.record import Results

# Below this the next best reading is told.
DOUBTFUL = 0.7
_FAST = ("beats", "key", "sections", "loudness", "spectrum", "stereo", "production", "transients")


def rests_on(results: Results) -> tuple[str, ...]:
    """What kinds of results the prompt is made of."""
    fast = [name for name in _FAST if name in results]
    deep = _deep(results)
    found = [f"Measured from the sound: {', '.join(fast)}."] if fast else []
    return (*found, *([f"Heard by models: {', '.join(deep)}."] if deep else []))


def _deep(results: Results) -> list[str]:
    """What models gave. What weighs their words is there without them, and then says nothing."""
    vocals: Vocals | None = results.get("vocals")
    melody: Melody | None = results.get("melody")
    given = {
        "separated stems": "stems" in results,
        "listening for a voice": vocals is not None and vocals.present is not None,
        "taggers": has_tags(results),
        "the melody": melody is not None and melody.note_count is not None and has_voice(results),
    }
    return [words for words, is_there in given.items() if is_there]


def limits_of(results: Results, phrases: Sequence[Phrase]) -> tuple[str, ...]:
    """What a person should know before pasting it."""
    topics = {phrase.topic for phrase in phrases}
    found = []
    if "instrument" not in topics:
        found.append("No model has named instruments: add the ones that you hear, or run the deep pass.")
    if "genre" not in topics:
        found.append("The genre is not known. Yours counts: linernotes set TRACK genre=…")
    if "voice" not in topics:
        found.append("Whether somebody sings is not known: write your words below the tags, or choose instrumental.")
    elif any(phrase.topic == "voice" and phrase.text != "instrumental" for phrase in phrases):
        found.append("The lyrics field holds tags and directions only: write your own words below them.")
    return (*found, *_doubts(results))


def _doubts(results: Results) -> list[str]:
    found = []
    beats: Beats | None = results.get("beats")
    key: Key | None = results.get("key")
    sections: Sections | None = results.get("sections")
    if beats is not None and beats.confidence is not None and beats.confidence < DOUBTFUL and len(beats.candidates) > 1:
        found.append(f"The beat may be felt at {round(beats.candidates[1])} BPM instead.")
    if key is not None and key.name is not None and key.confidence is not None and key.confidence < DOUBTFUL:
        left_out = "; its tonic is left out" if key.confidence < SURE_KEY else ""
        found.append(f"The key may be {key.runner_up} instead of {key.name}{left_out}.")
    if sections is not None and (sections.confidence or 0.0) <= UNCLEAR:
        found.append("The form is not clear: its sections only divide the time.")
    elif sections is not None and any(role in ("verse", "chorus", "bridge") for role in sections.roles):
        found.append("Which section is a verse or a chorus is a guess from loudness and repetition.")
    return found
