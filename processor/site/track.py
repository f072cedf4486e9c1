"""A track's page: one section an analyser, and beside it what the track is."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from processor import library, record
from processor.analysis import ASIDE, reading_order, result_types
from processor.analysis.tags import Tags
from processor.analysis.vocals import Vocals
from processor.errors import RecordError
from processor.feedback.desk import Verdict
from processor.feedback.ledger import NOTHING_BESIDE, Beside
from processor.files import templates_folder
from processor.library import Track
from processor.prompt.composer import Prompt
from processor.quantities import Column, columns
from processor.record import JSON
from processor.site.about import SURE, facts, percent, states
from processor.site.charts import Figures, clock, time_text
from processor.site.charts.bands import SIX_NAMES
from processor.site.deep import lacking
from processor.site.desk import desk_context
from processor.site.goes_with import NOTHING_AROUND, Around
from processor.site.lyrics import lyric_lines
from processor.site.media import Pictures, media_of, pictures_of
from processor.site.player import player_context
from processor.site.prompt import generation_context, keep_shown, prompt_context, shown_prompts
from processor.site.rendering import NOTHING, render, shown_as, text_of
from processor.site.revisions import page_name
from processor.site.stems import stems_of
from processor.workspace import cannot_write

_CUT = "\x00"  # stands for a value in a table that is cut up; printable() lets none through
# A cell of a table shows so many values of a long list; the rest folds out, and what nobody reads stays in the record.
CELL_VALUES, FOLDED_VALUES = 8, 400
TAG_COLOURS = 8
MOST_HEARD = 8  # tags by models in the side bar; the section has them all


@dataclass(frozen=True)
class Section:
    """One analyser's part of a track page."""

    name: str
    template: str | None
    values: list[str | Markup]
    result: Any
    failure: record.Failure | None

    @property
    def is_aside(self) -> bool:
        """Whether its few numbers are of the machinery: what it found is drawn elsewhere, or compared."""
        return self.name in ASIDE


@dataclass(frozen=True)
class Heard:
    """What a page shows beside what its record and its verdict say.

    Attributes:
        prompts: what `shown_prompts` says of the track.
        here: analyser → model that is here to hear it.
        mashups: which it is, which it takes part in, and what it goes with.
    """

    prompts: tuple[Prompt, ...] | str
    here: Mapping[str, str]
    mashups: Around = NOTHING_AROUND


def track_page(
    track: Track,
    site: Path | None = None,
    verdict: Verdict | None = None,
    beside: Beside = NOTHING_BESIDE,
    heard: Heard | None = None,
) -> str:
    """The whole page; one that says what is wrong where the record cannot be read.

    Args:
        track: whose.
        site: folder of the site, where its sound and pictures are; without it the page has none.
        verdict: what the mix desk says of it; without it the page has numbers only.
        beside: what is said of it because of the others.
        heard: its prompt, and which models are here to hear it.
    """
    try:
        found = record.read(track.folder, result_types())
        said = library.read_person(track)
    except RecordError as error:
        return render("broken.html", root="../", track=track, reason=str(error).replace(f"{track.folder}/", ""))
    sections = [_section(name, found) for name in reading_order(result_types())]
    arrived = library.arrivals(track)
    collection = said.get("collection") or (library.collection(arrived[0]) if arrived else None)
    media = None if site is None else media_of(site, track)
    pictures = Pictures(None, None) if site is None else pictures_of(site, track)
    figures = Figures(found.results, pictures.spectrogram, pictures.chroma)
    bar, shares = figures.six_bands()
    heard = heard or Heard(shown_prompts(found, said), {})
    if site is not None:
        _keep(track, heard.prompts)
    return render(
        "track.html",
        root="../",
        track=track,
        record=found,
        title=library.title_of(found.name, found.results.get("metadata"), said),
        by=_by(found, said),
        collection=collection,
        states=states(found, lacking(heard.here, found)),
        damage=getattr(found.results.get("source"), "damage", None) if _is_partial(found) else None,
        facts=facts(found.results, said),
        tags=_tags(found, said, collection),
        band_bar=bar,
        bands=_bands(shares) if bar else [],
        about=_about(found, said),
        arrived=arrived,
        sections=[section for section in sections if section is not None],
        table=_table,
        figures=figures,
        player=player_context(found, media),
        desk=None if verdict is None else desk_context(verdict, found, verdict.wording, has_sound=media is not None),
        song=[(one, f"../{page_name(one.track)}" if one.previous else None) for one in beside.revisions],
        comparisons=[(f"../comparisons/{name}.html", title) for name, title in beside.comparisons],
        alike=beside.alike,
        mashups=heard.mashups,
        stems=stems_of(track, found.results, site),
        lyric_lines=lyric_lines,
        prompt=prompt_context(heard.prompts),
        generation=generation_context(track, found, said),
        at=partial(time_link, media.href if media else None),
        percent=percent,
        number=text_of,
    )


def _keep(track: Track, prompts: tuple[Prompt, ...] | str) -> None:
    """Keep what is asked on the page, so that a generated song that comes back can be held against it."""
    try:
        keep_shown(track, prompts)
    except OSError as error:
        raise cannot_write(track.folder, error) from error


def time_link(href: str | None, seconds: float, what: str | None = None) -> Markup:
    """A time that seeks; as a link it leads to the sound at this time without a script, too.

    Args:
        href: the sound, or None where there is none.
        seconds: the time.
        what: what happens then; it is shown as well, without a link.
    """
    text, time = clock(seconds), time_text(seconds)
    if href is None or what is not None:
        more = "" if what is None else f" {escape(what)}"
        return Markup(f'<span data-time="{time}">{text}{more}</span>')  # noqa: S704 - escaped
    return Markup(f'<a href="{escape(href)}#t={time}" data-time="{time}">{text}</a>')  # noqa: S704 - escaped


def _is_partial(found: record.Record) -> bool:
    source = found.results.get("source")
    return source is not None and source.partial


def _by(found: record.Record, said: Mapping[str, JSON]) -> str:
    """Artist and album in a line."""
    tags = found.results.get("metadata")
    names = [str(said.get(name) or getattr(tags, name, None) or "") for name in ("artist", "album")]
    return " · ".join(name for name in names if name)


@dataclass(frozen=True)
class Tag:
    """A coloured label: the same word has the same colour everywhere."""

    text: str
    kind: str
    colour: int


def _tags(found: record.Record, said: Mapping[str, JSON], collection: str | None) -> list[Tag]:
    """Genre, year and collection as labels."""
    tags = found.results.get("metadata")
    genre = str(said.get("genre") or getattr(tags, "genre", None) or "")
    named = [(one.strip(), "Genre") for one in genre.split(";")]
    named += [(one, category.capitalize()) for one, category in _heard_tags(found)]
    named += [(str(getattr(tags, "release_date", None) or "")[:4], "Year"), (collection or "", "Collection")]
    return [Tag(text, kind, zlib.crc32(text.lower().encode()) % TAG_COLOURS) for text, kind in named if text]


def _heard_tags(found: record.Record) -> list[tuple[str, str]]:
    """What models heard for sure enough to stand beside a person's words, as (tag, category)."""
    heard = found.results.get("tags")
    if heard is None:
        return []
    listed = zip(heard.names, heard.categories, heard.statuses, heard.confidences, strict=False)
    sure = [(name, category) for name, category, status, confidence in listed if _is_sure(status, confidence)]
    return sure[:MOST_HEARD]


def _is_sure(status: str, confidence: float) -> bool:
    return status == "confirmed" or (status == "single" and confidence >= SURE)


@dataclass(frozen=True)
class Band:
    """One of the six bands, with its share of the energy as text."""

    name: str
    field: str
    text: str


def _bands(shares: list[tuple[str, float | None]]) -> list[Band]:
    pairs = zip(SIX_NAMES, shares, strict=True)
    return [Band(name, field, text_of(share, 1)) for name, (field, share) in pairs]


@dataclass(frozen=True)
class About:
    """One line of the side bar; `is_said` where it is a person's word."""

    label: str
    text: str
    is_said: bool


def _about(found: record.Record, said: Mapping[str, JSON]) -> list[About]:
    """Artist and album as said or tagged, a person's rating and note, and what kind of file it is."""
    tags = found.results.get("metadata")
    lines = [
        About(name.capitalize(), str(said.get(name) or getattr(tags, name, None) or ""), bool(said.get(name)))
        for name in ("artist", "album")
    ]
    lines += [About(name.capitalize(), str(said.get(name, "")), True) for name in ("rating", "note")]
    source = found.results.get("source")
    if source is not None:
        depth = f", {source.bit_depth} bit" if source.bit_depth else ""
        lines.append(About("Format", f"{source.codec}, {source.sample_rate_hz} Hz{depth}, {source.layout}", False))
    return [line for line in lines if line.text]


def _section(name: str, found: record.Record) -> Section | None:
    result = found.results.get(name)
    failure = found.failures.get(name)
    if (result is None and failure is None) or _is_unheard(result):
        return None
    shown = () if result is None else _shown_columns(name)
    return Section(name, _own_template(name), [_cell(getattr(result, c.name), c) for c in shown], result, failure)


def _is_unheard(result: Any) -> bool:
    """Whether it weighs what models heard, and there was none."""
    return isinstance(result, (Tags, Vocals)) and not result.evidence


@cache
def _shown_columns(analyser: str) -> tuple[Column, ...]:
    """What an analyser's table has a row for: all but the curves."""
    return tuple(column for column in columns(result_types()[analyser]) if not column.is_curve)


def _cell(value: Any, column: Column) -> str | Markup:
    """A value with its unit as a table's cell; of a long list the beginning, with the rest folded away."""
    digits, unit = column.quantity.digits, _unit(column.quantity.unit)
    if not isinstance(value, tuple) or len(value) <= CELL_VALUES:
        text = text_of(value, digits)
        return text if _is_nothing(text) else escape(text) + unit
    short = escape(text_of(value[:CELL_VALUES], digits))
    rest = escape(text_of(value[:FOLDED_VALUES], digits)) + ("" if len(value) <= FOLDED_VALUES else " / …")
    return Markup(  # noqa: S704 - both are escaped
        f'<details class="list"><summary>{short} / … ({len(value)}){unit}</summary>{rest}</details>'
    )


def _is_nothing(text: str) -> bool:
    """Whether a cell has nothing but dashes, one or a list of them."""
    return not set(text) - {NOTHING, "/", " "}


@cache
def _unit(unit: str) -> Markup:
    return Markup('&nbsp;<span class="unit">{}</span>').format(unit) if unit else Markup()


@cache
def _own_template(analyser: str) -> str | None:
    """The analyser's own template, where the plain table is not enough for it."""
    name = f"sections/{analyser}.html"
    return name if (templates_folder() / name).is_file() else None


def _table(section: Section) -> Markup:
    """An analyser's numbers, explained. All but the values is the same on every page, so it is made once."""
    values = [escape(text) for text in section.values]
    parts = zip_longest(_table_parts(section.name), values, fillvalue="")
    table = "".join([part for pair in parts for part in pair])
    if section.is_aside or all(map(_is_nothing, section.values)):
        told = "Numbers" if section.is_aside else "No number here could be measured"
        table = f"<details><summary>{told}</summary>{table}</details>"
    return Markup(table)  # noqa: S704 - every part is escaped


@cache
def _table_parts(analyser: str) -> tuple[str, ...]:
    """The table's HTML, cut where the values belong."""
    rows = [shown_as(analyser, column, _CUT) for column in _shown_columns(analyser)]
    return tuple(render("sections/_table.html", rows=rows, analyser=analyser).split(_CUT))
