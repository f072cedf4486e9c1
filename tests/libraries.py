"""Libraries made of invented records, for tests of what is done with records: catalogue, pages, doctor.

No sound is decoded here. The numbers are arbitrary but valid, and the same every time; where they have to make sense
together, `song_results` are those of a short piece.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from processor import catalogue, library, record
from processor.analysis import all_analysers, result_types
from processor.config import Models, load_settings
from processor.feedback import ledger
from processor.graph import run
from processor.library import Arrival, Track
from processor.quantities import columns
from processor.record import Failure, Record
from processor.site import pages
from processor.site.actions import Notice
from processor.workspace import Workspace
from tests.signals import audio, song

DAY = "2026/11/20"
# What this machine has of models must change no page.
NO_MODELS = Models(
    **dict.fromkeys(
        (field.name for field in fields(Models) if field.default == "auto" and field.name != "device"), "off"
    )
)
ARRIVED = "2026-11-20T06:30:00+00:00"
HOSTILE = "</title><script>document.title='owned'</script>\"'><img src=x onerror=alert(1)>{{1234*5678}}&amp;\u202e"


def invented(kind: type) -> Any:
    """A valid result of any class: every field filled by its type."""
    return kind(
        **{
            column.name: _value(str(column.base_type), column.is_curve, number)
            for number, column in enumerate(columns(kind))
        }
    )


def _value(kind: str, is_curve: bool, number: int) -> Any:
    if is_curve and "str_" in kind:
        return np.array(["A", "B"])
    if is_curve:
        return np.array([[1.0, 2.0]]) if number % 2 else np.array([-20.0, -18.5, np.nan, -14.25, -16.0])
    if "tuple" in kind:
        of_kind = {"[str": ("A", "B"), "[int": (1, 2), "[bool": (True, False)}
        return next((values for mark, values in of_kind.items() if mark in kind), (-1.5, -2.5))
    for name, value in (("bool", False), ("int", 3), ("float", 0.25 + number), ("str", f"text {number}")):
        if name in kind:
            return value
    raise TypeError(kind)


@functools.cache
def _song_results() -> dict[str, Any]:
    return run(all_analysers(), audio(song(12.0))).results


def song_results() -> dict[str, Any]:
    """What all analysers find in a short piece of chords, drums and bass."""
    return dict(_song_results())


def make_track(
    workspace: Workspace,
    name: str,
    *,
    day: str = DAY,
    path: str | None = None,
    results: dict[str, Any] | None = None,
    **changes: Any,
) -> Track:
    """Put a track with invented results into a library.

    Args:
        workspace: where; its folders are made.
        name: file name, of which slug and hash come.
        day: "YYYY/MM/DD".
        path: path below the inbox; the name if left out.
        results: results that replace the invented ones.
        changes: `analyser__field=value` replaces one field. The title is not tagged unless given here.
    """
    workspace.create()
    found = {analyser: invented(kind) for analyser, kind in result_types().items()} | (results or {})
    for key, value in ({"metadata__title": None} | changes).items():
        analyser, _, field = key.partition("__")
        assert field in {f.name for f in fields(found[analyser])}
        found[analyser] = replace(found[analyser], **{field: value})
    content = f"sound of {name}".encode()
    sha256 = hashlib.sha256(content).hexdigest()
    staged = workspace.work / "made" / "track"
    staged.mkdir(parents=True)
    (staged / library.source_name(name)).write_bytes(content)
    keys = dict.fromkeys(found, "0" * 16)
    arrived = ARRIVED.replace("2026-11-20", day.replace("/", "-"))
    made = Record("track", sha256, name, found, keys, {})
    library.fill_folder(staged, made, Arrival(arrived, path or name, len(content), 1, 1))
    target = workspace.library / day / f"{library.slug(Path(name).stem)}-{sha256[:8]}"
    target.parent.mkdir(parents=True, exist_ok=True)
    staged.rename(target)
    shutil.rmtree(workspace.work / "made")
    return Track(target)


def publish_pages(workspace: Workspace, failed: Sequence[Notice] = (), ignored: Sequence[Notice] = ()) -> int:
    """Publish all pages of a library as if no model were here, and nothing else; return how many were written."""
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        tracks = catalogue.synchronise(workspace, connection).all_tracks
        settings = replace(load_settings(workspace.home), models=NO_MODELS)
        derived = ledger.derive(workspace, connection, tracks, settings)
        return pages.publish(workspace, connection, tracks, derived, failed, ignored)


def fail(track: Track, analyser: str, reason: str) -> None:
    """Replace a track's result by a failure."""
    found = record.read(track.folder, result_types())
    results = {name: result for name, result in found.results.items() if name != analyser}
    record.write(replace(found, results=results, failures={analyser: Failure("failed", reason)}), track.folder)


def say(track: Track, **words: Any) -> None:
    """Write a person's words."""
    library.write_person(track, words)


def log_run(workspace: Workspace, *events: dict[str, Any], name: str = "2026-11-20T06-30-00-1.jsonl") -> None:
    """Write a run's log."""
    workspace.runs.mkdir(parents=True, exist_ok=True)
    (workspace.runs / name).write_text("".join(json.dumps({"at": ARRIVED, **event}) + "\n" for event in events))
