"""`report.md`: the report in GitHub-flavoured Markdown beside the record, for a library that is pushed to GitHub.

Whatever came from a file or a person is escaped so that it is text and nothing else, for GitHub's own additions
(mentions, autolinks, formulas, emoji) as well. The same record gives the same bytes.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from processor import library, record
from processor.analysis import all_analysers, reading_order, result_types
from processor.errors import RecordError
from processor.files import remove_leftovers, write_atomically
from processor.library import Arrival, Track
from processor.prompt.composer import Prompt
from processor.quantities import Column, columns
from processor.record import JSON, Record
from processor.site.about import Fact, facts, percent, states
from processor.site.charts import clock
from processor.site.charts.bands import SIX, SIX_NAMES
from processor.site.charts.frame import spans
from processor.site.charts.music import chord_name
from processor.site.markdown_desk import desk_blocks
from processor.site.markdown_heard import heard_blocks
from processor.site.markdown_pictures import LOUDNESS, NAMES, NO_ROLES, SECTIONS, SPECTROGRAM, SPECTRUM, pictures
from processor.site.markdown_prompt import generation_blocks, prompt_blocks
from processor.site.markdown_text import code as code  # where tests and neighbours look for it
from processor.site.markdown_text import escaped as escaped
from processor.site.markdown_text import folded, table
from processor.site.prompt import generation_context, prompt_context, shown_prompts
from processor.site.rendering import NOTHING, shown_as, text_of

if TYPE_CHECKING:
    from processor.feedback.desk import Verdict

REPORT_NAME = "report.md"
PICTURES_FOLDER = "report"
# A cell of a table shows so many values of a long list; the rest folds out, and what nobody reads stays in the record.
CELL_VALUES, FOLDED_VALUES = 8, 1000
MAX_SECTIONS, MAX_ARRIVALS = 100, 10
BAR_CELLS = 20
YOUR_WORD = " `your word`"
EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
# These lists have a table of their own, with their times.
_LISTED = {"chords.labels", "sections.labels", "sections.roles", "sections.role_confidences"}


@dataclass(frozen=True)
class Report:
    """What is written beside a record.

    Attributes:
        text: the Markdown.
        pictures: file name in `report/` → content.
    """

    text: str
    pictures: Mapping[str, bytes]


def write_report(track: Track, verdict: Verdict | None = None, prompts: tuple[Prompt, ...] | str | None = None) -> bool:
    """Write a track's report where it differs from what is there; return whether anything was written or removed.

    A record that cannot be read leaves the report as it is: its numbers were right, and the pages say what is wrong.

    Args:
        track: whose.
        verdict: what the mix desk says of it; without it the report has numbers only.
        prompts: what `shown_prompts` says of it; made here if left out.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = track.folder / PICTURES_FOLDER
    has_room = folder.is_dir() or not folder.exists()  # else somebody's file has the name, perhaps the sound itself
    try:
        found = record.read(track.folder, result_types())
        said, arrivals = library.read_person(track), library.arrivals(track)
        prompts = shown_prompts(found, said) if prompts is None else prompts
        asked = [*_generation(track, found, said), *prompt_blocks(prompt_context(prompts))]
        made = report(found, said, arrivals, verdict, asked=asked, with_pictures=has_room)
    except (RecordError, ArithmeticError, ValueError):  # the latter two: numbers in it that no analyser gives
        return False
    wanted = {folder / name: made.pictures.get(name) for name in NAMES} if has_room else {}
    wanted[track.folder / REPORT_NAME] = made.text.encode()
    changed = {path: content for path, content in wanted.items() if content != _content(path)}
    remove_leftovers(track.folder)
    remove_leftovers(folder)
    for path, content in changed.items():
        if content is None:
            path.unlink()
        else:
            write_atomically(path, content, durable=False)
    if not made.pictures and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    return bool(changed)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _generation(track: Track, found: Record, said: Mapping[str, JSON]) -> Iterator[str]:
    came_back = generation_context(track, found, said)
    if came_back is not None:
        yield from generation_blocks(came_back)


def report(
    found: Record,
    said: Mapping[str, JSON],
    arrivals: Sequence[Arrival],
    verdict: Verdict | None = None,
    *,
    asked: Sequence[str] = (),
    with_pictures: bool = True,
) -> Report:
    """The report of a record.

    Args:
        found: the record.
        said: a person's words.
        arrivals: every drop of the file, first to last.
        verdict: what the mix desk says of it, or None.
        asked: blocks about its prompt.
        with_pictures: draw pictures and show them.
    """
    drawn = pictures(found.results) if with_pictures else {}
    blocks = [
        *_head(found, said, arrivals),
        *([] if verdict is None else desk_blocks(verdict, found)),
        *asked,
        *heard_blocks(found),
        *_loudness(found, drawn),
        *_spectrum(found, drawn),
        *_form(found, drawn),
        *_chords(found),
        *_numbers(found),
        "---",
        _footer(found),
    ]
    return Report("\n\n".join(blocks) + "\n", drawn)


# Head


def _head(found: Record, said: Mapping[str, JSON], arrivals: Sequence[Arrival]) -> Iterator[str]:
    """Title, artist, labels, and the table of what everybody asks for."""
    tags, source = found.results.get("metadata"), found.results.get("source")
    told = {name: str(said.get(name) or getattr(tags, name, None) or "") for name in ("artist", "album", "genre")}
    collection = said.get("collection") or (library.collection(arrivals[0]) if arrivals else None)
    yield f"# {escaped(library.title_of(found.name, tags, said))}"
    by = " · ".join(told[name] for name in ("artist", "album") if told[name])
    if by:
        yield f"**{escaped(by)}**"
    year = str(getattr(tags, "release_date", None) or "")[:4]
    words = [state.text for state in states(found)]
    words += [word.strip() for word in (*told["genre"].split(";"), year, str(collection or ""))]
    yield " ".join(code(word) for word in words if word)
    if source is not None and source.partial:
        yield f"**Some of this file could not be read:** {escaped(source.damage or '')} Every number is of the rest."
    rows = [_fact(fact) for fact in facts(found.results, said)]
    rows += [[label, escaped(text) + more] for label, text, more in _details(found, said, told, arrivals) if text]
    yield "## About"
    yield table(["What", "Value"], "ll", rows)


def _fact(fact: Fact) -> list[str]:
    value = escaped(f"{fact.text} {fact.unit}" if fact.unit and fact.text != NOTHING else fact.text)
    more = f" ({escaped(fact.hint)})" if fact.hint else ""
    return [escaped(fact.label), (f"**{value}**" if fact.is_big else value) + more + YOUR_WORD * fact.is_said]


def _details(
    found: Record, said: Mapping[str, JSON], told: Mapping[str, str], arrivals: Sequence[Arrival]
) -> Iterator[tuple[str, str, str]]:
    """Label, text and remark of what is no measured number."""
    source = found.results.get("source")
    for name, text in told.items():
        yield name.capitalize(), text, YOUR_WORD if said.get(name) else ""
    for name in ("rating", "note"):
        yield name.capitalize(), str(said.get(name, "")), YOUR_WORD
    if source is not None:
        depth = f", {source.bit_depth} bit" if source.bit_depth else ""
        yield "Format", f"{source.codec}, {source.sample_rate_hz} Hz{depth}, {source.layout}", ""
    yield "File", found.name, ""
    for number, arrival in enumerate(arrivals[:MAX_ARRIVALS]):
        when = arrival.at[:16].replace("T", " ")
        yield "Dropped again" if number else "Dropped", f"{when} as {arrival.path}", ""


# Pictures and their tables


def _pictured(title: str, text: str, name: str, drawn: Mapping[str, bytes]) -> Iterator[str]:
    if name in drawn:
        yield f"## {title}"
        yield _picture(text, name)


def _picture(text: str, name: str) -> str:
    return f"![{text}]({PICTURES_FOLDER}/{name})"


def _loudness(found: Record, drawn: Mapping[str, bytes]) -> Iterator[str]:
    yield from _pictured("Loudness over time", "Short-term loudness over time", LOUDNESS, drawn)
    if LOUDNESS in drawn and found.results["loudness"].integrated_lufs is not None:
        value = text_of(found.results["loudness"].integrated_lufs, 1)
        yield f"Each point is the loudness of 3 seconds in LUFS. The dashed line is that of the whole: {value} LUFS."


def _spectrum(found: Record, drawn: Mapping[str, bytes]) -> Iterator[str]:
    """Third-octaves, the six bands as a table with bars, and the spectrogram."""
    spectrum = found.results.get("spectrum")
    shares = [] if spectrum is None else [getattr(spectrum, f"{name}_share") for name in SIX]
    yield from _pictured("Spectrum", "Average level of each third-octave", SPECTRUM, drawn)
    if any(share is not None for share in shares):
        rows = [
            [name, f"{text_of(share, 1)} %" if share is not None else NOTHING, _bar(share)]
            for name, share in zip(SIX_NAMES, shares, strict=True)
        ]
        yield table(["Band", "Share of the energy", ""], "lrl", rows)
    if SPECTROGRAM in drawn:
        yield _picture("Spectrogram: which frequencies sound when", SPECTROGRAM)
        centres = np.asarray(found.results["spectrogram"].centres_hz, dtype=np.float64).ravel().tolist()
        ends = f"{_hertz(centres[0])} is at the bottom, {_hertz(centres[-1])} at the top; " if centres else ""
        yield f"Time runs to the right; {ends}loud is bright."


def _hertz(frequency_hz: float) -> str:
    """A frequency to two figures."""
    return f"{frequency_hz / 1000:.2g} kHz" if frequency_hz >= 999.5 else f"{frequency_hz:.2g} Hz"


def _bar(share: float | None) -> str:
    """Percents as a bar of block characters, to an eighth of a character."""
    eighths = round(min(max(share or 0.0, 0.0), 100.0) / 100 * BAR_CELLS * 8)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8]


def _form(found: Record, drawn: Mapping[str, bytes]) -> Iterator[str]:
    """The sections as a picture and as a table."""
    sections, length = found.results.get("sections"), _length(found)
    times = [] if sections is None else spans(sections.intervals_s, length)
    if sections is None or not times:
        return
    yield from _pictured("Sections", "Sections of the piece", SECTIONS, drawn)
    listed = zip_longest(times, sections.labels, sections.roles, sections.role_confidences)
    rows = [
        [
            clock(span[0]),
            clock(span[1]),
            escaped(label if label and label != "silence" else ""),
            escaped(role or ""),
            percent(sure) if sure and role not in NO_ROLES else NOTHING,
            escaped(_key_of(found, span, length)),
        ]
        for span, label, role, sure in list(listed)[: min(len(times), MAX_SECTIONS)]
    ]
    yield table(["Start", "End", "Label", "Role", "Sure of the role", "Key"], "rrllrl", rows)
    if len(times) > MAX_SECTIONS:
        yield f"{len(times) - MAX_SECTIONS} more sections are in the record."


def _length(found: Record) -> float:
    source = found.results.get("source")
    return 0.0 if source is None else float(source.duration_s)


def _key_of(found: Record, span: tuple[float, float], length: float) -> str:
    """The key that sounds longest in a section."""
    key = found.results.get("key")
    shares: dict[str, float] = {}
    for (start, end), name in [] if key is None else zip(spans(key.intervals_s, length), key.names, strict=False):
        shares[name or ""] = shares.get(name or "", 0.0) + max(min(end, span[1]) - max(start, span[0]), 0.0)
    name = max(shares, key=lambda one: shares[one], default="")
    return name if shares.get(name) else ""


def _chords(found: Record) -> Iterator[str]:
    """Every chord with its time, folded away."""
    chords = found.results.get("chords")
    times = [] if chords is None else spans(chords.intervals_s, _length(found))
    listed = [] if chords is None else list(zip(times, chords.labels, strict=False))
    if not listed:
        return
    names = [f"{clock(start)} {escaped(chord_name(label))}" for (start, _), label in listed[:FOLDED_VALUES]]
    rest = len(listed) - len(names)
    yield "## Chords"
    yield folded(f"{len(listed)} chords with their times", " · ".join(names) + (f" · {rest} more" if rest else ""))


# Numbers


def _numbers(found: Record) -> Iterator[str]:
    """A table for each analyser, or why it has none."""
    yield "## All numbers"
    for name in reading_order(all_analysers()):
        failure = found.failures.get(name)
        result = found.results.get(name)
        if failure is None and result is None:
            continue
        yield f"### {escaped(name.capitalize())}"
        if failure is not None:
            yield f"**{'Skipped' if failure.kind == 'skipped' else 'Failed'}:** {escaped(failure.reason)}"
        else:
            yield from _fields(name, result)


def _fields(analyser: str, result: Any) -> Iterator[str]:
    values = [getattr(result, column.name) for column in columns(type(result))]
    declared = columns(type(result))
    cells = [escaped(_cell(value, column)) for value, column in zip(values, declared, strict=True)]
    lines = [f"{left}{cell}{right}" for cell, (left, right) in zip(cells, _rows(analyser), strict=True)]
    yield "\n".join([table(["Label", "Value", "Unit", "Field", "Source"], "lrlll", []), *lines])
    for value, column in zip(values, declared, strict=True):
        if isinstance(value, tuple) and len(value) > CELL_VALUES and f"{analyser}.{column.name}" not in _LISTED:
            shown = text_of(value[:FOLDED_VALUES], column.quantity.digits)
            more = "" if len(value) <= FOLDED_VALUES else " / …"
            yield folded(f"{html.escape(column.quantity.label)}: all {len(value)} values", escaped(shown) + more)
    yield _meanings(analyser)


def _cell(value: Any, column: Column) -> str:
    """A value; of a list its beginning, of a curve how long it is and between which values it lies."""
    digits = column.quantity.digits
    if isinstance(value, tuple) and len(value) > CELL_VALUES:
        return f"{text_of(value[:CELL_VALUES], digits)} / … ({len(value)})"
    if not isinstance(value, np.ndarray):
        return text_of(value, digits)
    if not value.size:
        return NOTHING
    if value.dtype.kind == "U":
        return f"{value.size} names"
    heard = value[np.isfinite(value)]
    size = " × ".join(str(length) for length in value.shape)
    between = [text_of(float(one), digits) for one in (heard.min(), heard.max())] if heard.size else []
    return f"{size} values" + (f", {' to '.join(between)}" if between else "")


@cache
def _rows(analyser: str) -> tuple[tuple[str, str], ...]:
    """What stands left and right of each value: the same in every report, so it is made once."""
    found = []
    for column in columns(result_types()[analyser]):
        q = column.quantity
        unit = escaped(q.unit) if q.unit else ""
        field = f"`{shown_as(analyser, column, None).field}`"
        found.append((f"| {escaped(q.label)} | ", f" | {unit} | {field} | {escaped(q.source)} |"))
    return tuple(found)


@cache
def _meanings(analyser: str) -> str:
    """What each number means, in a sentence."""
    declared = [column.quantity for column in columns(result_types()[analyser])]
    lines = [f"- **{escaped(quantity.label)}**: {escaped(quantity.help)}" for quantity in declared]
    return folded("What these numbers mean", "\n".join(lines))


def _footer(found: Record) -> str:
    name = record.RECORD_NAME
    return (
        f"Made by Liner Notes from [{name}]({name}), and made again when that changes: what is written here by hand is "
        f"lost. Your own words: {code(f'linernotes set {found.sha256[:8]} note=…')}. SHA-256 of the sound: "
        f"{code(found.sha256)}"
    )
