"""What models and people say of a track, in words: genre, voice, instruments, mood, melody.

Labels come from files that may be edited, and tags of files are hostile. So a genre of a tag counts only as one of our
own names for genres, a label only if we wrote it, and nothing that is a name in the file's tags is ever said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from processor.analysis._ontology import all_tags, ancestors
from processor.analysis.melody import Melody
from processor.analysis.metadata import Metadata
from processor.analysis.tags import CONFIRMED, SINGLE, Tags
from processor.analysis.vocals import Vocals
from processor.feedback.genres import GENERAL, genre_named, genres, plain_words
from processor.models.labels import read_labels
from processor.prompt.facts import Evidence, Phrase
from processor.record import JSON, Results

# As many of each kind as help; more is noise to a generator.
MOST = {"genre": 2, "mood": 2, "instrument": 5, "vocal": 2, "production": 2, "texture": 1}
# A tag that one source alone says has to be as sure as this; one that several confirm is said anyway. A wrong genre
# spoils the whole song, a wrong instrument a part of it.
SURE_SINGLE, SURE_GENRE = 0.55, 0.75
# What leads comes before what keeps time: the first instrument is what a generator builds on.
_RHYTHM = frozenset(("drums", "percussion", "bass"))
# What our own measures say better, and what the phrase about the voice says.
_SAID_BETTER = frozenset(
    [
        *("fast-paced", "slow-paced", "monophonic", "wide in stereo", "dynamic", "bass-heavy", "bright", "muffled"),
        *("heavily compressed", "pumping with sidechain compression", "sparse", "dense", "thin", "boomy", "punchy"),
        *("vocals", "singing", "rapping", "spoken word", "instrumental"),
    ]
)
_TITLE = re.compile(r"[\w][\w ,.'!?&()-]{0,79}")
# Downloads get "_", " " or nothing in the place of the dash; a letter of any script before it makes another word of it.
ID = re.compile(r"(?i)(?<![^\W_])ln(?P<dash>[-_ –]?)(?P<digits>[0-9a-f]{8})(?![^\W_])")
# A name of so few letters is a word of everybody's ("U2" is none); the rest of a file's tags must not be said.
SHORTEST_NAME = 3
# Words of names that are everybody's.
_COMMON = frozenset(("the", "and", "with", "feat", "featuring", "band", "group", "music", "various"))
_RANGES = ((7.0, "narrow melodic range"), (17.0, ""), (128.0, "wide-ranging melody"))
_VIBRATO_CENTS, _VIBRATO_SHARE = 35.0, 0.4
_VOICES = {"singing": "sung lead vocals", "rap": "rap vocals", "speech": "spoken-word vocals"}
THROUGHOUT, SELDOM = 0.6, 0.25


def genre(results: Results, said: Mapping[str, JSON]) -> Iterator[Phrase]:
    """The genre: a person's word, else the file's tag, as one of our own names."""
    metadata: Metadata | None = results.get("metadata")
    tagged = None if metadata is None else metadata.genre
    for field, word in (("genre", said.get("genre")), ("metadata.genre", tagged)):
        name = genre_named(str(word)) if word else None
        if name is not None and name != GENERAL:
            title = genres()[name].profile.title.lower()
            yield Phrase(title, "genre", (Evidence(field, title),))
            return


def voice(results: Results) -> Iterator[Phrase]:
    """Whether somebody sings, and how; nothing where nobody listened for it."""
    vocals: Vocals | None = results.get("vocals")
    if vocals is None or vocals.present is None:
        return
    proof = (Evidence("vocals.present", vocals.present), Evidence("vocals.confidence", vocals.confidence))
    if not vocals.present:
        yield Phrase("instrumental", "voice", proof)
        return
    words = _VOICES.get(str(vocals.kind), "lead vocals")
    if vocals.share is not None and vocals.share <= SELDOM:
        words = f"occasional {words}"
    yield Phrase(words, "voice", (*proof, Evidence("vocals.kind", vocals.kind), Evidence("vocals.share", vocals.share)))


def melody(results: Results) -> Iterator[Phrase]:
    """How far a voice reaches and whether its notes swing."""
    found: Melody | None = results.get("melody")
    if found is None or not has_voice(results):
        return
    if found.range_semitones is not None:
        words = next(words for most, words in _RANGES if found.range_semitones <= most or most == _RANGES[-1][0])
        if words:
            yield Phrase(words, "melody", (Evidence("melody.range_semitones", found.range_semitones),))
    if (found.vibrato_cents or 0.0) >= _VIBRATO_CENTS and (found.vibrato_share or 0.0) >= _VIBRATO_SHARE:
        yield Phrase("expressive vibrato", "melody", (Evidence("melody.vibrato_cents", found.vibrato_cents),))


def tags(results: Results) -> Iterator[Phrase]:
    """What the taggers agree on, by kind, the surest first; a wide tag gives way to one below it."""
    chosen = _sure_tags(results)
    wider = {parent for tag in chosen for parent in _above(tag.name)}
    counts = dict.fromkeys(MOST, 0)
    for tag in chosen:
        if tag.name not in wider and counts[tag.category] < MOST[tag.category]:
            counts[tag.category] += 1
            proof = Evidence("tags.confidences", round(tag.confidence, 2))
            yield Phrase(_worded(tag), tag.category, (Evidence("tags.names", tag.name), proof))


def has_voice(results: Results) -> bool:
    """Whether there may be a voice: False only where somebody listened and heard none."""
    vocals: Vocals | None = results.get("vocals")
    return vocals is None or vocals.present is not False


def has_tags(results: Results) -> bool:
    """Whether any tagger has named anything."""
    found: Tags | None = results.get("tags")
    return found is not None and bool(found.names)


@dataclass(frozen=True)
class _Tag:
    name: str
    category: str
    confidence: float


def _sure_tags(results: Results) -> list[_Tag]:
    """Tags that are sure enough and that nothing of our own says better, the surest first."""
    found: Tags | None = results.get("tags")
    is_sung = has_voice(results)
    chosen = []
    rows = [] if found is None else zip(found.names, found.categories, found.confidences, found.statuses, strict=False)
    for label, category, confidence, status in rows:
        name = _our_label(label)
        least = SURE_GENRE if category == "genre" else SURE_SINGLE
        is_sure = status == CONFIRMED or (status == SINGLE and confidence >= least)
        if name is None or not is_sure or category not in MOST or name in _SAID_BETTER:
            continue
        if category != "vocal" or is_sung:
            chosen.append(_Tag(name, category, float(confidence)))
    return sorted(chosen, key=lambda tag: (bool({tag.name, *_above(tag.name)} & _RHYTHM), -tag.confidence))


def _above(name: str) -> frozenset[str]:
    """All tags above one."""
    return ancestors(all_tags(), name) if name in all_tags() else frozenset()


def _worded(tag: _Tag) -> str:
    """A tag as one says it in a list: "1980s style", "polished production", "layered texture"."""
    if tag.category == "texture":
        return f"{tag.name} style" if tag.name[:2].isdigit() or tag.name == "modern" else f"{tag.name} texture"
    return f"{tag.name} production" if tag.category == "production" and " " not in tag.name else tag.name


def _our_label(label: str) -> str | None:
    """A label in small letters; None where we did not write it: a person's own may be an artist's name."""
    text = label.lower()
    return text if text in _our_labels() else None


@cache
def _our_labels() -> frozenset[str]:
    """Our tags, and the labels that CLAP is asked where a person has no file of labels."""
    asked = (label for category in read_labels(None).categories for label in category.labels)
    return frozenset(label.lower() for label in (*all_tags(), *asked))


def is_plain_title(text: str) -> bool:
    """Whether a title is letters, digits and common signs, and carries no id of a prompt."""
    return bool(_TITLE.fullmatch(text)) and not ID.search(text)


def names_in(results: Results, said: Mapping[str, JSON], file: str) -> frozenset[str]:
    """Names of people that came with a file, as `plain_words`, whole and word by word; none of them is ever said.

    Args:
        results: of the record.
        said: a person's words.
        file: the file's name; what stands before " - " is an artist more often than not.
    """
    metadata: Metadata | None = results.get("metadata")
    given = [said.get("artist"), said.get("album")]
    if metadata is not None:
        given += [metadata.artist, metadata.album_artist, metadata.composer, metadata.album]
    stem = file.rpartition(".")[0] or file
    for title in (stem, None if metadata is None else metadata.title, said.get("title")):
        given += str(title or "").replace("_", " ").split(" - ")[:-1]
        given += re.findall(r"(?i)\b(?:feat|ft|featuring|with|prod|by|vs|remix)\b\.?\s+([^()\[\]]+)", str(title or ""))
        given += re.findall(r"(?i)[(\[]([^()\[\]]+?)\s+(?:remix|edit|version|mix|cover)\b", str(title or ""))
    whole = {plain_words(str(text)) for text in given if text}
    words = {word for text in whole for word in text.split() if len(word) >= SHORTEST_NAME and word not in _COMMON}
    return frozenset(words | {text for text in whole if len(text) >= SHORTEST_NAME})


def is_named(text: str, names: frozenset[str]) -> bool:
    """Whether a text holds one of these names as whole words."""
    padded = f" {plain_words(text)} "
    return any(f" {name} " in padded for name in names)
