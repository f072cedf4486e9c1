"""Reference: every table and column of the catalogue, and how to read a report."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import duckdb

from processor.analysis import all_analysers, result_types
from processor.feedback.desk import code_version
from processor.quantities import Column, columns
from processor.site.guide import desk_tables
from processor.site.index import Pages
from processor.site.rendering import render
from processor.tables import FRAMES

# What is said of a table, where no analyser's own words say it.
_TABLES = {
    "advice": "What the mix desk says of each track, one row a finding, the worst first.",
    "checks": "How each track did in each check, the built-in ones and your own of `library/checks/`.",
    "prompts": "What to ask a music generator for, one row a variant; `linernotes prompt` has other targets.",
    "revisions": "Which tracks are bounces of one song, one row a bounce; a song with one bounce has none.",
    "mashability": "Whose vocals go over whose instruments, one row a pair, as `linernotes matches` has scored them.",
    "mashups": "Mashups that were made: what was planned, and what the mix came out as, one row a mashup.",
    "library": "What each track is and where it lies.",
    FRAMES: "Each second of each track: loudness, brightness, a voice, the level of each stem, and what is heard.",
    "vectors": "How each track sounds, as numbers that compare; sounds_like('track', 10) finds its neighbours.",
    "drops": "Every drop of every track: a second one of the same bytes is noted here and not analysed again.",
    "person": "What a person said, one row a word (`linernotes set`).",
    "failures": "Analysers without a result, and why.",
    "runs": "What ran when: one row an event. The pages of actions are made of it.",
}
# One question for each table that has an obvious one; the tests ask them all.
_QUESTIONS = {
    "tracks": "SELECT title, integrated_lufs, true_peak_dbtp, tempo_bpm, camelot FROM tracks ORDER BY added DESC",
    "loudness": "SELECT track, integrated_lufs, true_peak_dbtp FROM loudness WHERE true_peak_dbtp > -1 ORDER BY 3 DESC",
    "beats": "SELECT track, tempo_bpm, candidates FROM beats WHERE confidence < 0.5",
    "key": "SELECT camelot, count(*) AS tracks FROM key GROUP BY ALL ORDER BY 2 DESC",
    "levels": "SELECT track, clipped_samples FROM levels WHERE clipped_samples > 0 ORDER BY 2 DESC",
    "spectrum": "SELECT track, tilt_db_per_octave FROM spectrum ORDER BY 2",
    "metadata": "SELECT artist, count(*) AS tracks FROM metadata GROUP BY ALL ORDER BY 2 DESC",
    "source": "SELECT codec, count(*) AS files, sum(duration_s) / 3600 AS hours FROM source GROUP BY ALL",
    "library": "SELECT added, count(*) AS tracks FROM library GROUP BY ALL ORDER BY added",
    "integrity": "SELECT track, hum_hz, hum_db FROM integrity WHERE hum_db > -60 ORDER BY hum_db DESC",
    "pumping": "SELECT track, depth_db, rate_hz FROM pumping WHERE depth_db > 2 AND confidence > 0.5 ORDER BY 2 DESC",
    "translation": "SELECT track, small_loss_lu, low_end_above_200_db FROM translation ORDER BY 2 DESC LIMIT 10",
    "coding": "SELECT track, aac_dbtp, opus_dbtp, vorbis_dbtp FROM coding WHERE aac_dbtp > 0 ORDER BY 2 DESC",
    "material": "SELECT kind, count(*) AS tracks FROM material GROUP BY ALL ORDER BY 2 DESC",
    "advice": "SELECT id, count(*) AS tracks FROM advice WHERE severity = 'fault' GROUP BY ALL ORDER BY 2 DESC",
    "checks": "SELECT track, id, expected, found FROM checks WHERE status = 'fail' ORDER BY track",
    "prompts": "SELECT track, title, style FROM prompts WHERE variant = 'faithful' ORDER BY track",
    "revisions": "SELECT song, max(number) AS bounces, max_by(track, number) AS latest FROM revisions GROUP BY ALL",
    "mashability": "SELECT vocals, instrumental, score FROM mashability WHERE score > 0.5 ORDER BY rank",
    "mashups": "SELECT name, planned_tempo_bpm, tempo_bpm, beat_offset_p95_ms FROM mashups WHERE len(deviations) > 0",
    "stems": "SELECT track, names, present, level_lufs FROM stems ORDER BY track",
    "vocals": "SELECT track, share, kind FROM vocals WHERE present ORDER BY share DESC",
    "tags": "SELECT track, unnest(names) AS tag, unnest(statuses) AS status FROM tags ORDER BY track",
    FRAMES: "SELECT track, second, loudness_lufs, tags FROM frames WHERE voice > 0.5 ORDER BY track, second",
    "vectors": "SELECT track, title, distance FROM sounds_like((SELECT min(track) FROM library), 10)",
    "failures": "SELECT track, analyser, reason FROM failures WHERE kind = 'failed'",
    "drops": "SELECT track, count(*) AS drops FROM drops GROUP BY ALL HAVING count(*) > 1",
    "person": "SELECT track, value FROM person WHERE field = 'note'",
    "runs": "SELECT name, reason, time_utc FROM runs WHERE event = 'failed' ORDER BY time_utc DESC",
}
# Analyser, field or table → the part of the guide that explains it.
GUIDE = {
    "loudness": "loudness",
    "loudness.true_peak_dbtp": "peaks",
    "loudness.sample_peak_dbfs": "peaks",
    "loudness.plr_db": "dynamics",
    "loudness.psr_min_db": "dynamics",
    "loudness.psr_median_db": "dynamics",
    "loudness.range_lu": "dynamics",
    "loudness.range_is_short": "dynamics",
    "integrity": "integrity",
    "integrity.flat_top_dbfs": "peaks",
    "integrity.flat_tops": "peaks",
    "integrity.flat_top_intervals_s": "peaks",
    "integrity.silent_channel": "stereo",
    "integrity.channel_delay_s": "stereo",
    "pumping": "pumping",
    "translation": "translation",
    "translation.mono_loss_lu": "stereo",
    "coding": "coding",
    "material": "material",
    "advice": "advice",
    "checks": "checks",
    "revisions": "revisions",
    "mashability": "mashups",
    "mashups": "mashups",
    "levels": "dynamics",
    "levels.clipped_samples": "peaks",
    "levels.clipped_intervals_s": "peaks",
    "spectrum": "spectrum",
    "stereo": "stereo",
    "transients": "transients",
    "beats": "tempo",
    "key": "key",
    "chords": "chords",
    "sections": "sections",
    "production": "production",
    "fingerprint": "fingerprint",
    "source": "file",
    "metadata": "file",
}


@dataclass(frozen=True)
class Field:
    """One column of a table, or one array that stands beside the record."""

    anchor: str
    name: str
    alias: str
    kind: str
    unit: str
    range: str
    label: str
    help: str
    source: str


@dataclass(frozen=True)
class Table:
    """One table of the catalogue with all that can be said of it."""

    name: str
    text: str
    question: str
    guide: str | None
    inputs: tuple[str, ...]
    fields: tuple[Field, ...]


def reference_pages(connection: duckdb.DuckDBPyConnection) -> Pages:
    """Page → (what its input is, how to make it).

    Args:
        connection: the catalogue; only its declarations are read.
    """
    found = _catalogue_columns(connection)
    return {
        "schema.html": (repr(found), partial(_schema_page, found)),
        "guide.html": (f"{found!r} {code_version()}", partial(_guide_page, found)),
    }


def guide_of(field: str) -> str | None:
    """The part of the guide that explains `analyser.field` or a table, as an anchor of `guide.html`; None if none."""
    return GUIDE.get(field, GUIDE.get(field.partition(".")[0]))


Columns = Mapping[str, Sequence[tuple[str, str, str]]]


def _catalogue_columns(connection: duckdb.DuckDBPyConnection) -> Columns:
    """Table → (column, type, comment), as the catalogue itself has them."""
    found = connection.execute(
        "SELECT table_name, column_name, data_type, coalesce(comment, '') FROM duckdb_columns() "
        "WHERE NOT internal AND database_name = current_database() AND table_name NOT LIKE '\\_%' ESCAPE '\\' "
        "ORDER BY table_name, column_index"
    ).fetchall()
    tables: dict[str, list[tuple[str, str, str]]] = {}
    for table, *column in found:
        tables.setdefault(table, []).append((column[0], column[1], column[2]))
    return tables


def _guide_page(found: Columns) -> str:
    return render("guide.html", root="", link=partial(_link, found), **desk_tables())


def _schema_page(found: Columns) -> str:
    aliases = _aliases(found)
    analysers = [
        _analyser_table(name, kind, aliases) for name, kind in sorted(result_types().items()) if name != FRAMES
    ]
    others = [_plain_table(name, found[name]) for name in _TABLES if name in found]
    whole = {name for name, *_ in found.get("tracks", ())}
    own = sorted(whole - set(aliases.values()), key=[name for name, *_ in found.get("tracks", ())].index)
    return render(
        "schema.html",
        root="",
        tables=[*analysers, *others],
        tracks_own=[column for column in found.get("tracks", ()) if column[0] in own],
        tracks_count=len(whole),
        tracks_question=_QUESTIONS["tracks"],
    )


def _aliases(found: Columns) -> dict[str, str]:
    """`analyser.field` → its name in the view `tracks`, which its comment ends with."""
    return {
        comment.rpartition("Field: ")[2]: name for name, _, comment in found.get("tracks", ()) if "Field: " in comment
    }


def _analyser_table(name: str, kind: type, aliases: Mapping[str, str]) -> Table:
    fields = tuple(_field(name, column, aliases) for column in columns(kind))
    text = (kind.__doc__ or "").strip().split("\n\n")[0]
    return Table(
        name, text, _QUESTIONS.get(name, _any_question(name)), guide_of(name), all_analysers()[name].inputs, fields
    )


def _any_question(table: str) -> str:
    return f'FROM "{table}" LIMIT 10'


def _field(analyser: str, column: Column, aliases: Mapping[str, str]) -> Field:
    q = column.quantity
    field = f"{analyser}.{column.name}"
    return Field(
        anchor=field,
        name=column.name,
        alias=aliases.get(field, ""),
        kind=_kind(column),
        unit=q.unit,
        range=_range(q.low, q.high),
        label=q.label,
        help=q.help,
        source=q.source,
    )


def _plain_table(name: str, found: Sequence[tuple[str, str, str]]) -> Table:
    fields = tuple(
        Field(f"{name}.{column}", column, "", kind.lower(), "", "", "", comment, "") for column, kind, comment in found
    )
    if name == FRAMES:  # what its columns are made of stands in the record
        own = [column for column in columns(result_types()[FRAMES]) if column.name not in {c for c, *_ in found}]
        fields += tuple(_field(FRAMES, column, {}) for column in own)
    return Table(name, _TABLES[name], _QUESTIONS[name], guide_of(name), (), fields)


_KINDS = {float: "number", int: "whole number", str: "text", bool: "yes or no"}


def _kind(column: Column) -> str:
    """A type in words: "number", "list of texts"; an array stands beside the record and is no column."""
    if column.is_curve:
        return "array, in the record"
    kind = column.base_type
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)[0]
        if isinstance(inner, types.UnionType):
            inner = next(part for part in typing.get_args(inner) if part is not type(None))
        return f"list of {_KINDS[inner]}s".replace("yes or nos", "yes or no")
    return _KINDS[kind]


def _range(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    return f"{_limit(low)} to {_limit(high)}"


def _limit(value: float | None) -> str:
    return "…" if value is None else f"{value:,.10g}".replace(",", "\u2009").replace("-", "\u2212")


@cache
def _labels() -> dict[str, str]:
    return {f"{name}.{c.name}": c.quantity.label for name, kind in result_types().items() for c in columns(kind)}


def _link(found: Columns, field: str) -> dict[str, Any]:
    """A field's name for people and where it is declared; one that is gone raises, so that no guide goes stale."""
    table, _, name = field.partition(".")
    label = {column: comment for column, _, comment in found[table]}[name] if table in _TABLES else _labels()[field]
    return {"label": label, "href": f"schema.html#{field}", "field": field}
