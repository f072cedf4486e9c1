"""The tables of the catalogue: names, types and what each column means; made from the declarations of the results."""

from __future__ import annotations

import hashlib
import json
import types
import typing
from typing import Any

import duckdb

from processor.analysis import result_types
from processor.analysis.frames import STEMS
from processor.quantities import Column, columns

LAYOUT = 5  # raised when the tables below change in a way that their columns do not show

_BASE: dict[str, dict[str, tuple[str, str]]] = {
    "library": {
        "track": ("VARCHAR PRIMARY KEY", "Folder name: <slug>-<first digits of the hash>"),
        "added": ("DATE", "Day on which it was stored"),
        "arrived_utc": ("TIMESTAMP", "When it was first dropped"),
        "folder": ("VARCHAR", "Folder below library/"),
        "kind": ("VARCHAR", "track"),
        "sha256": ("VARCHAR", "SHA-256 of the source file"),
        "name": ("VARCHAR", "File name as dropped"),
        "title": ("VARCHAR", "A person's word, else the tag, else the file name"),
        "collection": ("VARCHAR", "A person's word, else the sub-folder of the inbox"),
    },
    "failures": {
        "track": ("VARCHAR", "Track"),
        "analyser": ("VARCHAR", "Analyser without a result"),
        "kind": ("VARCHAR", "failed or skipped"),
        "reason": ("VARCHAR", "Why"),
    },
    "drops": {
        "track": ("VARCHAR", "Track"),
        "time_utc": ("TIMESTAMP", "When it was dropped"),
        "path": ("VARCHAR", "Path below the inbox"),
        "size_bytes": ("BIGINT", "Size in bytes"),
        "is_duplicate": ("BOOLEAN", "Whether the library had this content already"),
    },
    "person": {
        "track": ("VARCHAR", "Track"),
        "field": ("VARCHAR", "What the word is about"),
        "value": ("JSON", "The word"),
    },
    "vectors": {
        "track": ("VARCHAR", "Track"),
        "space": (
            "VARCHAR",
            "character (29 measures), or clap and the model's name: only vectors of one space compare",
        ),
        "vector": ("FLOAT[]", "How it sounds; what is near sounds alike"),
    },
    "runs": {
        "run": ("VARCHAR", "File below library/runs/"),
        "time_utc": ("TIMESTAMP", "When"),
        "event": ("VARCHAR", "started, stored, duplicate, refreshed, deepened, preview, skipped, failed, left, ended"),
        "name": ("VARCHAR", "File that it is about"),
        "track": ("VARCHAR", "Track that came of it"),
        "reason": ("VARCHAR", "Why it failed or was left"),
        "seconds": ("MAP(VARCHAR, DOUBLE)", "Seconds by stage"),
    },
}
# The analyser whose curves have a value a second: its table has a row a second. Kept as lists, for they are many.
FRAMES = "frames"
# What is derived from the tables above, by rooms that stand higher.
_DERIVED: dict[str, dict[str, tuple[str, str]]] = {
    "advice": {
        "track": ("VARCHAR", "Track"),
        "place": ("INTEGER", "1 for what comes first"),
        "id": ("VARCHAR", "Stable name with area, band and direction"),
        "severity": ("VARCHAR", "fault, warning, note or strength"),
        "area": ("VARCHAR", "loudness, dynamics, tone, stereo, low_end, transients, integrity, musical, …"),
        "band": ("VARCHAR", "sub, bass, low_mids, mids, high_mids, air, or nothing"),
        "direction": ("VARCHAR", "too much, too little, or nothing"),
        "title": ("VARCHAR", "A few words"),
        "text": ("VARCHAR", "What it is and what one hears"),
        "action": ("VARCHAR", "What to do"),
        "weight": ("DOUBLE", "How far beyond its limit, in steps that a listener notices"),
        "profile": ("VARCHAR", "Profile that it was judged by"),
    },
    "checks": {
        "track": ("VARCHAR", "Track"),
        "id": ("VARCHAR", "Name of the check"),
        "title": ("VARCHAR", "What it asks"),
        "status": ("VARCHAR", "pass, warn, fail or skip"),
        "expected": ("VARCHAR", "What would pass"),
        "found": ("VARCHAR", "What there is"),
        "why": ("VARCHAR", "Why it matters"),
        "is_own": ("BOOLEAN", "Whether it is a file of library/checks"),
    },
    "prompts": {
        "track": ("VARCHAR", "Track"),
        "id": ("VARCHAR", "Id that a generated song carries in its name or title"),
        "target": ("VARCHAR", "Generator"),
        "variant": ("VARCHAR", "faithful, shorter or swapped"),
        "title": ("VARCHAR", "Title, with the id"),
        "style": ("VARCHAR", "Style"),
        "exclusions": ("VARCHAR", "What to leave out"),
        "lyrics": ("VARCHAR", "Section tags and directions"),
    },
    "revisions": {
        "track": ("VARCHAR", "Track"),
        "song": ("VARCHAR", "Track that was the song's first bounce"),
        "number": ("INTEGER", "1 for the first bounce"),
        "previous": ("VARCHAR", "The bounce before, or nothing"),
        "reason": ("VARCHAR", "Why it counts as a bounce of this song"),
    },
}
# What is derived from all tracks together; replaced whole.
_OF_PAIRS: dict[str, dict[str, tuple[str, str]]] = {
    "mashability": {
        "rank": ("INTEGER", "1 for the pair that fits best; of each track, the best 10 as vocals and as instrumental"),
        "vocals": ("VARCHAR", "Track that is sung"),
        "instrumental": ("VARCHAR", "Track that it is sung over"),
        "score": ("DOUBLE", "How well they go together, 0 to 1"),
        "harmonic": ("DOUBLE", "Pitches of the vocals against those of the backing, after the shift, 0 to 1"),
        "rhythmic": ("DOUBLE", "Accents against accents, after the change of tempo, 0 to 1"),
        "room": ("DOUBLE", "How much of the vocals' spectrum the backing leaves free, 0 to 1"),
        "energy": ("DOUBLE", "Whether loud parts meet loud parts, 0 to 1"),
        "overlap": ("DOUBLE", "1 where no other voice sings at the same time"),
        "shift_semitones": ("INTEGER", "Shift of the vocals [semitones]"),
        "tempo_change_percent": ("DOUBLE", "By how much the vocals are played faster; negative: slower [%]"),
        "vocal_beats_per_beat": ("DOUBLE", "Beats of the vocals for each beat of the instrumental: 1, 2 or 0.5"),
        "vocal_start_s": ("DOUBLE", "Start of the phrase of the vocals that fits best [s]"),
        "vocal_end_s": ("DOUBLE", "Its end [s]"),
        "instrumental_start_s": ("DOUBLE", "Start of the phrase that it is sung over [s]"),
        "instrumental_end_s": ("DOUBLE", "Its end [s]"),
        "reasons": ("VARCHAR[]", "What speaks for it and against it"),
    },
    "mashups": {
        "id": ("VARCHAR", "Folder name without .mashup"),
        "name": ("VARCHAR", "What it is called"),
        "folder": ("VARCHAR", "Folder below library/"),
        "track": ("VARCHAR", "The mix as a track"),
        "vocals": ("VARCHAR", "Track that is sung"),
        "instrumental": ("VARCHAR", "Track that it is sung over"),
        "score": ("DOUBLE", "How well they go together, 0 to 1"),
        "planned_tempo_bpm": ("DOUBLE", "Pace that was planned [BPM]"),
        "vocal_shift_semitones": ("DOUBLE", "Shift of the vocals [semitones]"),
        "instrumental_shift_semitones": ("DOUBLE", "Shift of the instrumental [semitones]"),
        "target_lufs": ("DOUBLE", "Loudness that was planned [LUFS]"),
        "chosen_by": ("VARCHAR", "Who chose the plan: rules, person, or a language model"),
        "reasons": ("VARCHAR[]", "What was decided, and why"),
        "duration_s": ("DOUBLE", "Length of the mix, as measured [s]"),
        "tempo_bpm": ("DOUBLE", "Its tempo, as measured [BPM]"),
        "key": ("VARCHAR", "Its key, as measured"),
        "integrated_lufs": ("DOUBLE", "Its loudness [LUFS]"),
        "true_peak_dbtp": ("DOUBLE", "Its true peak [dBTP]"),
        "limiter_db": ("DOUBLE", "The most that the limiter turned down [dB]"),
        "beat_offset_median_ms": ("DOUBLE", "Middle distance between the beats of both layers [ms]"),
        "beat_offset_p95_ms": ("DOUBLE", "19 of 20 beats lie nearer than that [ms]"),
        "vocal_to_backing_lu": ("DOUBLE", "Vocals over backing while somebody sings [LU]"),
        "clicks_at_joins": ("BIGINT", "Joins that click"),
        "deviations": ("VARCHAR[]", "Where it did not come out as planned"),
    },
}
# How many deviations, or parts of a right angle, lie between two tracks; CLAP's space goes first where a track has it.
_SOUNDS_LIKE = """
CREATE MACRO sounds_like(name, most) AS TABLE
WITH own AS (
    SELECT track, space, vector FROM vectors WHERE starts_with(track, name)
    ORDER BY track <> name, track, space = 'character' LIMIT 1
)
SELECT other.track, library.title, own.space, round(CASE WHEN own.space = 'character'
    THEN list_distance(own.vector, other.vector)
    ELSE 1 - list_cosine_similarity(own.vector, other.vector) END, 4) AS distance
FROM own JOIN vectors AS other ON other.space = own.space AND other.track <> own.track
    AND len(other.vector) = len(own.vector)
JOIN library ON library.track = other.track
ORDER BY distance, other.track LIMIT most
"""
_PERSON_COLUMNS = {
    "artist": ("VARCHAR", "A person's word, else the tag"),
    "genre": ("VARCHAR", "A person's word, else the tag"),
    "rating": ("INTEGER", "A person's rating, 0 to 5"),
    "note": ("VARCHAR", "A person's note"),
}
# Name, whether nothing counts as 0, meaning: what the view `tracks` says of the derived tables.
_COUNTS = (
    ("faults", True, "Faults among its advice"),
    ("warnings", True, "Warnings among its advice"),
    ("failed_checks", True, "Checks that it fails"),
    ("song", False, "Track that was the first bounce of its song, where there are several"),
    ("revision", False, "Which bounce of its song it is, where there are several"),
)
_COUNTED = (
    "SELECT track, count(*) FILTER (severity = 'fault') AS faults, "
    "count(*) FILTER (severity = 'warning') AS warnings FROM advice GROUP BY track",
    "SELECT track, count(*) FILTER (status = 'fail') AS failed_checks FROM checks GROUP BY track",
    "SELECT track, song, number AS revision FROM revisions",
)


def layout_hash() -> str:
    """Changes whenever the tables do."""
    listed = {name: {c: list(spec) for c, spec in cols.items()} for name, cols in tables().items()}
    return hashlib.sha256(json.dumps([LAYOUT, listed], sort_keys=True).encode()).hexdigest()


def tables() -> dict[str, dict[str, tuple[str, str]]]:
    """Table → column → (type, comment)."""
    found = {name: dict(specification) for name, specification in (_BASE | _DERIVED | _OF_PAIRS).items()}
    found["_frames"] = {"track": ("VARCHAR PRIMARY KEY", "Track")} | {
        name: (f"{kind}[]", comment) for name, (kind, comment) in frame_columns().items()
    }
    for name, result_type in _numbered().items():
        found[name] = {"track": ("VARCHAR PRIMARY KEY", "Track")} | {
            column.name: (_sql_type(column.base_type), _comment(name, column))
            for column in columns(result_type)
            if not column.is_curve
        }
    return found


def of_tracks() -> list[str]:
    """The tables whose rows belong to one track or run each, and go when it changes."""
    return [name for name in tables() if name not in _OF_PAIRS]


def _numbered() -> dict[str, type]:
    """The analysers that have a table of numbers, one row a track."""
    return {name: kind for name, kind in result_types().items() if name != FRAMES}


def frame_columns() -> dict[str, tuple[str, str]]:
    """Column of `frames` → (type, comment): curves, a level for each stem, and the tags that are heard in a second."""
    told = {column.name: _comment(FRAMES, column) for column in columns(result_types()[FRAMES])}
    found = {name: ("DOUBLE", told[name]) for name in ("loudness_lufs", "brightness_hz", "voice")}
    found |= {f"{stem}_db": ("DOUBLE", f"{stem.capitalize()}: {told['stem_levels_db']}") for stem in STEMS}
    return found | {"tags": ("VARCHAR[]", told["top_tags"])}


def _comment(analyser: str, column: Column) -> str:
    q = column.quantity
    unit = f" [{q.unit}]" if q.unit else ""
    return f"{q.label}{unit}. {q.help} Source: {q.source}. Field: {analyser}.{column.name}"


def _sql_type(kind: Any) -> str:
    if typing.get_origin(kind) is tuple:
        return _sql_type(typing.get_args(kind)[0]) + "[]"
    if isinstance(kind, types.UnionType):
        kind = next(part for part in typing.get_args(kind) if part is not type(None))
    return {bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE", str: "VARCHAR"}[kind]


def quoted(text: str) -> str:
    """A text as SQL spells it."""
    return "'" + text.replace("'", "''") + "'"


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Make every table, empty, and the view."""
    for table, specification in tables().items():
        body = ", ".join(f'"{name}" {kind}' for name, (kind, _) in specification.items())
        connection.execute(f'CREATE TABLE "{table}" ({body})')
        for name, (_, comment) in specification.items():
            connection.execute(f'COMMENT ON COLUMN "{table}"."{name}" IS {quoted(comment)}')
    connection.execute(_SOUNDS_LIKE)
    connection.execute("CREATE TABLE _folders (name VARCHAR PRIMARY KEY, signature VARCHAR)")
    connection.execute("CREATE TABLE _derived (what VARCHAR, track VARCHAR, signature VARCHAR)")
    connection.execute("CREATE TABLE _meta (layout VARCHAR)")
    connection.execute("CREATE TABLE _unpublished (what VARCHAR)")
    connection.execute("INSERT INTO _unpublished VALUES ('everything')")
    _create_view(connection)
    _create_frames(connection)
    connection.execute("INSERT INTO _meta VALUES (?)", [layout_hash()])


def _create_view(connection: duckdb.DuckDBPyConnection) -> None:
    """`tracks`: one row a track, all numbers side by side; a name that two analysers use is prefixed with theirs."""
    known = tables()
    analysers = list(_numbered())
    names = [name for analyser in analysers for name in known[analyser] if name != "track"]
    selected = [(f'library."{name}"', name, comment) for name, (_, comment) in known["library"].items()]
    for name, (kind, comment) in _PERSON_COLUMNS.items():
        said = f"TRY_CAST(said ->> '{name}' AS {kind})"
        tagged = f'"metadata"."{name}"' if name in known.get("metadata", {}) else "NULL"
        selected.append((f"coalesce({said}, {tagged})", name, comment))
    selected += [(f"coalesce({name}, 0)" if kind else name, name, comment) for name, kind, comment in _COUNTS]
    taken = {name for _, name, _ in selected}
    for analyser in analysers:
        for name, (_, comment) in known[analyser].items():
            if name == "track" or (analyser == "metadata" and name in taken):
                continue
            alias = f"{analyser}_{name}" if names.count(name) > 1 or name in taken else name
            selected.append((f'"{analyser}"."{name}"', alias, comment))
    body = ", ".join(f'{expression} AS "{alias}"' for expression, alias, _ in selected)
    joins = " ".join(f'LEFT JOIN "{analyser}" USING (track)' for analyser in analysers)
    said_by = "(SELECT track, json_group_object(field, value) AS said FROM person GROUP BY track)"
    counted = " ".join(f"LEFT JOIN ({query}) USING (track)" for query in _COUNTED)
    connection.execute(
        f"CREATE VIEW tracks AS SELECT {body} FROM library LEFT JOIN {said_by} USING (track) {counted} {joins}"
    )
    for _, alias, comment in selected:
        connection.execute(f'COMMENT ON COLUMN tracks."{alias}" IS {quoted(comment)}')


def _create_frames(connection: duckdb.DuckDBPyConnection) -> None:
    """`frames`: one row a second of each track."""
    named = frame_columns()
    lists = "".join(f', unnest("{name}") AS "{name}"' for name in named)
    longest = ", ".join(f'len("{name}")' for name in named)
    connection.execute(
        f"CREATE VIEW {FRAMES} AS SELECT track, unnest(range(greatest({longest}))) AS second{lists} FROM _frames"
    )
    told = {"track": "Track", "second": "Second that it begins with, from 0"} | {n: c for n, (_, c) in named.items()}
    for name, comment in told.items():
        connection.execute(f'COMMENT ON COLUMN {FRAMES}."{name}" IS {quoted(comment)}')


def kinds(table: str) -> dict[str, str]:
    """Column → type, as a reader of rows needs it."""
    return {name: kind.removesuffix(" PRIMARY KEY") for name, (kind, _) in tables()[table].items()}
