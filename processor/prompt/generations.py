"""Songs that came back from a generator: what their prompt asked against what is measured."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from processor.analysis.key import KEYS, camelot, compatible
from processor.analysis.metadata import Metadata
from processor.prompt import tagged
from processor.prompt.asked import ARC_POINTS, Asked, asked_of
from processor.prompt.kept import Kept, read_kept
from processor.prompt.parts import parts_of
from processor.record import JSON, Record, Results

CLOSE, OFF, UNKNOWN = "close", "off", "unknown"

# A tempo is right within 4 % (Gouyon et al., IEEE TASLP 14, 2006, and MIREX since).
TEMPO_SHARE = 0.04
# Generators choose the length; much more or less is another form.
LENGTH_SHARE = 0.15
SECTIONS = 2
# Two curves of loudness are alike where both hardly move, or where they move together.
ARC_LU, ARC_CORRELATION = 2.0, 0.6
TAGS_SHARE = 0.5
# A text that is full of ids is a stranger's; no more of them are looked up.
MOST_IDS = 8
_MULTIPLES = {2.0: "double tempo", 0.5: "half tempo", 3.0: "three times the tempo", 1 / 3: "a third of the tempo"}
_MULTIPLES |= {1.5: "three halves of the tempo", 2 / 3: "two thirds of the tempo"}


@dataclass(frozen=True)
class Row:
    """One thing that was asked.

    Attributes:
        what: "Tempo".
        field: where the measured number stands, "analyser.field".
        asked: as text.
        measured: as text; empty where it was not measured.
        verdict: "close", "off" or "unknown".
        remark: what may explain it: "half tempo", "relative key".
        tolerance: what counts as close.
    """

    what: str
    field: str
    asked: str
    measured: str
    verdict: str
    remark: str
    tolerance: str


@dataclass(frozen=True)
class Generation:
    """A song that carries the id of a prompt.

    Attributes:
        id: of the prompt.
        kept: the prompt; None if this library has not shown it.
        rows: what was asked against what is measured.
    """

    id: str
    kept: Kept | None
    rows: tuple[Row, ...]

    @property
    def summary(self) -> str:
        """How many are close."""
        told = [row for row in self.rows if row.verdict != UNKNOWN]
        return f"{sum(row.verdict == CLOSE for row in told)} of {len(told)} close" if told else "nothing to compare"

    def told(self) -> dict[str, JSON]:
        """As JSON values."""
        return {"id": self.id, "prompt": None if self.kept is None else self.kept.track, "summary": self.summary} | {
            "rows": [dict(vars(row)) for row in self.rows]
        }


def ids_in(found: Record, said: Mapping[str, JSON]) -> dict[str, bool]:
    """What may be ids of prompts in a file's name, its title or comment, or a person's words, in this order.

    Returns:
        Id → whether it is written as we write it, with "-" or with the "_" of a download. What is not may as well be a
        date: "ln 20240101".
    """
    tags: Metadata | None = found.results.get("metadata")
    texts = [found.name, *([] if tags is None else [tags.title, tags.comment]), said.get("title"), said.get("note")]
    ids: dict[str, bool] = {}
    for text in texts:
        # Some systems write "ö" as two signs, of which the second is no letter.
        for match in tagged.ID.finditer(unicodedata.normalize("NFC", str(text or ""))):
            name = f"ln-{match['digits'].lower()}"
            ids[name] = ids.get(name, False) or match["dash"] in ("-", "_")
    return dict(islice(ids.items(), MOST_IDS))


def generation_of(found: Record, said: Mapping[str, JSON], folder: Path) -> Generation | None:
    """What a song was asked to be, if it carries the id of a prompt that is known, or what can be nothing but an id.

    Args:
        found: its record.
        said: a person's words about it.
        folder: where prompts are kept.
    """
    ids = ids_in(found, said)
    for name in ids:
        kept = read_kept(folder, name)
        if kept is not None:
            return Generation(name, kept, compared(kept.asked, found.results))
    unknown = next((name for name, is_sure in ids.items() if is_sure), None)
    return None if unknown is None else Generation(unknown, None, ())


def compared(asked: Asked, results: Results) -> tuple[Row, ...]:
    """Everything that was asked against a record."""
    tags = [phrase.text for phrase in tagged.tags(results)] if tagged.has_tags(results) else None
    measured = asked_of(results, parts_of(results), tags or ())
    rows = [*_tempo(asked, measured), *_key(asked, measured), *_counted(asked, measured)]
    return (*rows, *_arc(asked, measured), *_voice(asked, measured), *_tags(asked, tags))


def _tempo(asked: Asked, measured: Asked) -> Iterator[Row]:
    if asked.tempo_bpm is None:
        return
    verdict, remark = UNKNOWN, "no beat was found" if measured.tempo_bpm is None else ""
    if measured.tempo_bpm is not None:
        ratio = measured.tempo_bpm / asked.tempo_bpm
        verdict = CLOSE if abs(ratio - 1) <= TEMPO_SHARE else OFF
        if verdict == OFF:
            near = (words for times, words in _MULTIPLES.items() if abs(ratio / times - 1) <= TEMPO_SHARE)
            remark = next(near, f"{100 * (ratio - 1):+.0f} %".replace("-", "−"))
    told = _text(measured.tempo_bpm, "BPM")
    yield Row("Tempo", "beats.tempo_bpm", _text(asked.tempo_bpm, "BPM"), told, verdict, remark, "within 4 %")


def _text(value: float | None, unit: str, digits: int = 1) -> str:
    return "" if value is None else f"{value:.{digits}f} {unit}".replace("-", "−")


def _key(asked: Asked, measured: Asked) -> Iterator[Row]:
    if asked.key is None:
        return
    verdict, remark = UNKNOWN, "no key was found"
    if measured.key is not None:
        verdict = CLOSE if measured.key == asked.key else OFF
        remark = "" if verdict == CLOSE else related(asked.key, measured.key)
    yield Row("Key", "key.name", asked.key, measured.key or "", verdict, remark, "the same key")


def related(first: str, second: str) -> str:
    """How two keys are related, in words; empty where they are not."""
    if camelot(first)[:-1] == camelot(second)[:-1]:
        return "relative key: the same notes"
    if KEYS.index(first) % 12 == KEYS.index(second) % 12:
        return "parallel key: the same tonic"
    return "a fifth apart" if second in compatible(first) else ""


def _counted(asked: Asked, measured: Asked) -> Iterator[Row]:
    """Metre, length, number of sections."""
    if asked.metre is not None:
        verdict = UNKNOWN if measured.metre is None else CLOSE if measured.metre == asked.metre else OFF
        shown = "" if measured.metre is None else str(measured.metre)
        yield Row("Beats a bar", "beats.metre", str(asked.metre), shown, verdict, "", "the same")
    if asked.duration_s:
        verdict, remark = UNKNOWN, ""
        if measured.duration_s is not None:
            share = measured.duration_s / asked.duration_s - 1
            verdict = CLOSE if abs(share) <= LENGTH_SHARE else OFF
            remark = "" if verdict == CLOSE else f"{100 * share:+.0f} %".replace("-", "−")
        shown = _text(measured.duration_s, "s", 0)
        yield Row("Length", "source.duration_s", _text(asked.duration_s, "s", 0), shown, verdict, remark, "within 15 %")
    if asked.sections is not None:
        apart = None if measured.sections is None else abs(measured.sections - asked.sections)
        verdict = UNKNOWN if apart is None else CLOSE if apart <= SECTIONS else OFF
        shown = "" if measured.sections is None else str(measured.sections)
        tolerance = f"up to {SECTIONS} apart"
        yield Row("Sections", "sections.section_count", str(asked.sections), shown, verdict, "", tolerance)


def _arc(asked: Asked, measured: Asked) -> Iterator[Row]:
    if not asked.arc_lu:
        return
    tolerance = f"correlation of at least {ARC_CORRELATION}, or within {ARC_LU:g} LU on average"
    verdict, remark = UNKNOWN, ""
    if measured.arc_lu:
        first, second = np.array(asked.arc_lu), np.array(measured.arc_lu)
        apart = float(np.sqrt(np.mean((first - second) ** 2)))
        moves = first.std() > 0 and second.std() > 0
        alike = float(np.corrcoef(first, second)[0, 1]) if moves else 0.0
        verdict = CLOSE if apart <= ARC_LU or alike >= ARC_CORRELATION else OFF
        remark = f"correlation {alike:.2f}, {apart:.1f} LU apart".replace("-", "−")
    shown = _shape(measured.arc_lu)
    yield Row("Loudness arc", "loudness.short_term_lufs", _shape(asked.arc_lu), shown, verdict, remark, tolerance)


def _shape(arc_lu: tuple[float, ...]) -> str:
    """Range and place of the peak."""
    if not arc_lu:
        return ""
    place = 100 * (int(np.argmax(arc_lu)) + 0.5) / ARC_POINTS
    return f"{max(arc_lu) - min(arc_lu):.0f} LU from quiet to loud, peak at {place:.0f} %"


def _voice(asked: Asked, measured: Asked) -> Iterator[Row]:
    if asked.vocals is None:
        return
    words = {True: "yes", False: "no", None: ""}
    verdict = UNKNOWN if measured.vocals is None else CLOSE if measured.vocals == asked.vocals else OFF
    remark = "nobody has listened for it yet" if verdict == UNKNOWN else ""
    yield Row("Voice", "vocals.present", words[asked.vocals], words[measured.vocals], verdict, remark, "the same")


def _tags(asked: Asked, tags: list[str] | None) -> Iterator[Row]:
    if not asked.tags:
        return
    verdict, remark, shown = UNKNOWN, "no tagger has listened yet", ""
    if tags is not None:
        missing = [tag for tag in asked.tags if tag not in tags]
        verdict = CLOSE if len(missing) <= (1 - TAGS_SHARE) * len(asked.tags) else OFF
        remark = f"not heard: {', '.join(missing)}" if missing else ""
        shown = ", ".join(tag for tag in asked.tags if tag in tags) or "none of them"
    yield Row("Tags", "tags.names", ", ".join(asked.tags), shown, verdict, remark, "half of them")
