"""A bounce's page: what changed since the one before, as a pull request shows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import duckdb
import numpy as np

from processor import library, record
from processor.analysis import result_types
from processor.analysis.bands import BAND_NAMES, SIX_BANDS_HZ
from processor.errors import RecordError
from processor.feedback.changes import Change, changed_advice, changed_checks, changed_measures
from processor.feedback.ledger import Ledger, verdict_of
from processor.feedback.nulls import NullTest
from processor.feedback.revisions import Revision
from processor.library import Track
from processor.site import ab
from processor.site.about import State
from processor.site.bounces import Pair, null_path, read_null, takes
from processor.site.charts.curves import Axis, Curve, curves_chart
from processor.site.charts.frame import Chart, Timeline, plain_text
from processor.site.charts.history import Line, history_chart
from processor.site.index import Pages
from processor.site.rendering import render, text_of
from processor.workspace import Workspace

FOLDER = "revisions"
# What a person asks first of a new bounce; the rest folds out.
KEY_FIELDS = (
    "loudness.integrated_lufs",
    "loudness.true_peak_dbtp",
    "loudness.range_lu",
    "loudness.plr_db",
    "levels.dr",
    "levels.clipped_samples",
    "spectrum.tilt_db_per_octave",
    *(f"spectrum.{band}_db" for band in BAND_NAMES),
    "stereo.width",
    "stereo.correlation",
    "stereo.balance_db",
    "transients.punch_db",
    "production.density",
    "beats.tempo_bpm",
    "key.name",
    "source.duration_s",
)
_HISTORY = """
SELECT loudness.integrated_lufs, loudness.true_peak_dbtp, {bands}
FROM library LEFT JOIN loudness USING (track) LEFT JOIN spectrum USING (track) WHERE track = ?
"""


@dataclass(frozen=True)
class Row:
    """A change as the table shows it."""

    field: str
    label: str
    before: str
    after: str
    difference: str
    unit: str


@dataclass(frozen=True)
class Bounce:
    """A bounce in the list of a song's bounces."""

    track: str
    number: int
    title: str
    added: str
    reason: str
    href: str


def pairs(tracks: Sequence[Track], derived: Ledger) -> list[Pair]:
    """Every bounce with the one before it."""
    by_id = {track.id: track for track in tracks}
    found = []
    for track in tracks:
        own = own_revision(track.id, derived.songs.get(track.id, ()))
        if own is not None and own.previous in by_id:
            found.append(Pair(track, by_id[own.previous]))
    return found


def own_revision(track: str, song: Sequence[Revision]) -> Revision | None:
    """A track's own place among the bounces of its song."""
    return next((one for one in song if one.track == track), None)


def page_name(track: str) -> str:
    """Where a bounce's page is, below the site."""
    return f"{FOLDER}/{track}.html"


def revision_pages(
    workspace: Workspace, connection: duckdb.DuckDBPyConnection, tracks: Sequence[Track], derived: Ledger
) -> Pages:
    """Page → (what its input is, how to make it), for every bounce that has one before it."""
    by_id = {track.id: track for track in tracks}
    pages: Pages = {}
    for pair in pairs(tracks, derived):
        song = derived.songs[pair.later.id]
        kept = null_path(workspace, pair)
        signature = repr(
            (
                [by_id[one.track].signature for one in song if one.track in by_id],
                derived.signature(pair.later.id),
                derived.signature(pair.earlier.id),
                kept.is_file(),
                ab.signature(workspace.site, takes(pair, read_null(kept))) if kept.is_file() else "",
            )
        )
        numbers = [connection.execute(_HISTORY.format(bands=_band_columns()), [one.track]).fetchone() for one in song]
        pages[page_name(pair.later.id)] = signature, partial(_page, workspace, pair, derived, by_id, numbers)
    return pages


def _band_columns() -> str:
    return ", ".join(f"spectrum.{band}_db" for band in BAND_NAMES)


def _page(
    workspace: Workspace,
    pair: Pair,
    derived: Ledger,
    by_id: dict[str, Track],
    numbers: Sequence[tuple[Any, ...] | None],
) -> str:
    song = derived.songs[pair.later.id]
    try:
        later, earlier = (record.read(track.folder, result_types()) for track in (pair.later, pair.earlier))
        said = library.read_person(pair.later)
    except RecordError as error:
        return render("broken.html", root="../", track=pair.later, reason=str(error))
    verdicts = [verdict_of(derived.desk, track, derived.beside(track.id)) for track in (pair.earlier, pair.later)]
    if None in verdicts:
        return render("broken.html", root="../", track=pair.later, reason="A person's words cannot be read.")
    before, after = (verdict for verdict in verdicts if verdict is not None)
    null = read_null(null_path(workspace, pair))
    checks = changed_checks(before.checks, after.checks)
    advice = changed_advice(before.advice, after.advice)
    changes = changed_measures(earlier.results, later.results)
    own = own_revision(pair.later.id, song)
    return render(
        "revision.html",
        root="../",
        title=library.title_of(later.name, later.results.get("metadata"), said),
        own=own,
        pair=pair,
        names=(earlier.name, later.name),
        bounces=_bounces(song, by_id),
        states=_states(len(checks.fixed), len(checks.regressed), null),
        checks=checks,
        advice=advice,
        main_rows=[_row(change) for change in changes if change.field in KEY_FIELDS],
        other_rows=[_row(change) for change in changes if change.field not in KEY_FIELDS],
        null=null,
        null_bands=_null_bands(null),
        null_chart=_null_chart(null),
        history=_history(song, numbers),
        ab=ab.ab_context(workspace.site, takes(pair, null)),
        text_of=text_of,
    )


def _bounces(song: Sequence[Revision], by_id: dict[str, Track]) -> list[Bounce]:
    """The song's bounces, the newest first."""
    listed = []
    for one in reversed(song):
        track = by_id.get(one.track)
        if track is not None:
            href = f"../{page_name(one.track)}" if one.previous else f"../tracks/{one.track}.html"
            listed.append(Bounce(one.track, one.number, track.id, track.added.isoformat(), one.reason, href))
    return listed


def _states(fixed: int, regressed: int, null: NullTest | None) -> list[State]:
    """What a person should know before reading on."""
    listed = []
    if regressed:
        listed.append(
            State(f"{regressed} check{'s' * (regressed != 1)} regressed", "bad", "Worse than in the bounce before.")
        )
    if fixed:
        listed.append(State(f"{fixed} check{'s' * (fixed != 1)} fixed", "good", "Passed now, and did not before."))
    if not regressed and not fixed:
        listed.append(State("checks as before"))
    if null is not None and null.is_identical:
        listed.append(State("identical sound", "", "Not a bit of the sound differs."))
    elif null is not None and null.depth_db is not None:
        listed.append(
            State(f"difference {plain_text(null.depth_db)} dB", "", "Level of what is left when they are subtracted.")
        )
    return listed


def _row(change: Change) -> Row:
    q = change.column.quantity
    before, after = (text_of(value, q.digits) for value in (change.before, change.after))
    difference = change.difference
    by = "" if difference is None else ("+" if difference > 0 else "") + plain_text(difference, q.digits)
    return Row(change.field, q.label, before, after, by, q.unit)


def _null_bands(null: NullTest | None) -> list[tuple[str, str, str]]:
    """Band, its range, and how deep the null is there."""
    if null is None or not null.is_aligned or null.is_identical:
        return []
    return [
        (name.replace("_", " "), f"{low:.0f}–{high:.0f} Hz", text_of(depth, 1))
        for name, low, high, depth in zip(BAND_NAMES, SIX_BANDS_HZ, SIX_BANDS_HZ[1:], null.band_depths_db, strict=False)
    ]


def _null_chart(null: NullTest | None) -> Chart | None:
    if null is None or null.is_identical:
        return None
    values = np.asarray(null.depths_db, np.float64)
    axis = Axis("dB", high=max(0.0, float(np.nanmax(values, initial=0.0))), least_span=30.0)
    timeline = Timeline(max(null.step_s * values.size, 1e-3))
    return curves_chart("Level of the difference", [Curve("difference", values, 0.0, null.step_s)], axis, timeline)


def _history(song: Sequence[Revision], numbers: Sequence[tuple[Any, ...] | None]) -> list[Chart]:
    """Loudness and balance over all bounces of the song."""
    names = [f"v{one.number}" for one in song]
    nothing: tuple[None, ...] = (None,) * (2 + len(BAND_NAMES))
    columns = [
        [math.nan if value is None else float(value) for value in column]
        for column in zip(*(row or nothing for row in numbers), strict=True)
    ]
    loudness = [Line("integrated, LUFS", columns[0], "line1"), Line("true peak, dBTP", columns[1], "line2")]
    bands = [
        Line(name.replace("_", " "), np.subtract(values, _mean_level(columns[2:])).tolist(), f"band{number}")
        for number, (name, values) in enumerate(zip(BAND_NAMES, columns[2:], strict=True))
    ]
    charts = (
        history_chart("Loudness", names, loudness, Axis("dB", least_span=3.0)),
        history_chart(
            "Balance", names, bands, Axis("dB", least_span=6.0, note="Level of each band against the mean of all six.")
        ),
    )
    return [chart for chart in charts if chart is not None]


def _mean_level(bands: Sequence[Sequence[float]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Mean of the bands' levels in each bounce, of those that it has."""
    values = np.array(bands, np.float64)
    heard = np.isfinite(values)
    return np.asarray(np.where(heard, values, 0.0).sum(axis=0) / np.maximum(heard.sum(axis=0), 1))
