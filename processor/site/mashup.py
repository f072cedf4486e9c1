"""Pages of mashups: how they sound, what is sung where, what was done and why, and where that did not come out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from markupsafe import Markup

from processor import engine, record
from processor.analysis import result_types
from processor.config import Settings
from processor.errors import RecordError, WorkspaceError
from processor.files import remove_leftovers, remove_tree
from processor.library import Track
from processor.mashup.kept import ALTERNATIVES_FOLDER, PLAN_NAME, STEMS_FOLDER, Stored, stored
from processor.mashup.measured import Measured
from processor.mashup.outputs import MARKERS
from processor.mashup.plan import Plan, PlanError, at_beats, cut_starts_s, duration_s, mashup_beats_s
from processor.mashup.plan_files import from_toml
from processor.quantities import Column, columns
from processor.site import ab
from processor.site.ab import Take
from processor.site.charts.mashup import Part, Placed, bar_text, bars_s, parts_of, placed, plan_chart
from processor.site.goes_with import FOLDER, page_name
from processor.site.index import Pages
from processor.site.media import FOLDER as MEDIA
from processor.site.media import PREVIEW, Encoding, Progress, make_preview, show_as
from processor.site.mixer import Layers, content_mark, is_refused, make_mixers, mixer_context
from processor.site.mixer import signature as mixer_signature
from processor.site.recipe import chosen_by, recipe, scores
from processor.site.rendering import render, shown_as, text_of
from processor.site.track import time_link
from processor.workspace import Workspace, cannot_write

_OURS = re.compile(r"[a-z0-9-]{1,60}-[0-9a-f]{8,64}")
_PREVIEW = re.compile(r"[a-z0-9-]{1,60}-[0-9a-f]{8,64}\.mashup\.[0-9a-f]{8}\.mp3")
MAX_SEGMENTS, MAX_ALTERNATIVES, MAX_LABELS = 200, 8, 24


@dataclass(frozen=True)
class Alternative:
    """Another plan that there was: how to get it, how long it is, and what is sung in it."""

    plan: Plan
    href: str | None
    length_s: float
    sung: str


@dataclass(frozen=True)
class Row:
    """A segment in the table: how it is called, where it is, and what was done to it."""

    label: str
    sung: Markup
    bar: str
    taken: str
    stretch: str
    shift: str
    gain: str
    fit: float
    reason: str


def mashup_pages(workspace: Workspace, listed: Sequence[Stored], tracks: Sequence[Track]) -> Pages:
    """Page → (what its input is, how to make it), one for each mashup.

    Args:
        workspace: where.
        listed: all mashups of the library.
        tracks: all tracks of the library.
    """
    by_id = {track.id: track for track in tracks}
    pages: Pages = {}
    for one in listed:
        signature = (
            one.signature,
            [by_id[name].signature if name in by_id else name for name in _tracks_of(one)],
            mixer_signature(workspace.site, layers_of(one)),
            preview_href(workspace.site, one),
            [path.name for path in _downloads(one)],
            ab.signature(workspace.site, found) if len(found := takes(one, by_id)) > 1 else "",
        )
        pages[page_name(one)] = repr(signature), partial(_page, workspace, one, by_id)
    return pages


def plan_of(one: Stored) -> Plan | None:
    """What it plays; None where a person edited that into what is no plan, or took it away."""
    try:
        return one.plan
    except (PlanError, RecordError):
        return None


def _tracks_of(one: Stored) -> tuple[str, ...]:
    made_from = one.made_from
    return made_from.vocals, made_from.instrumental, made_from.mix or ""


# Sound


def takes(one: Stored, by_id: Mapping[str, Track]) -> tuple[Take, ...]:
    """The mashup and the songs that it is made of, as far as they are in the library, for an A/B player.

    Each song begins where the plan takes it: the instrumental with its first cut, the vocals so that the first thing
    sung comes at the same time as in the mashup. Nothing is stretched or shifted.
    """
    plan, made_from = plan_of(one), one.made_from
    mix = by_id.get(made_from.mix or "")
    if mix is None or plan is None:
        return ()
    found = [Take(mix, "Mashup")]
    if made_from.vocals in by_id:
        first = placed(replace(plan, segments=plan.segments[:1]))
        offset_s = first[0].from_s - first[0].start_s if first else 0.0
        found.append(Take(by_id[made_from.vocals], f"{plan.vocals.title} (vocals)", round(offset_s, 6)))
    if made_from.instrumental in by_id:
        offset_s = cut_starts_s(plan)[0][0]
        track = by_id[made_from.instrumental]
        found.append(Take(track, f"{plan.instrumental.title} (instrumental)", round(offset_s, 6)))
    return tuple(found)


def players(workspace: Workspace, tracks: Sequence[Track]) -> list[tuple[Take, ...]]:
    """What every mashup's A/B player plays."""
    by_id = {track.id: track for track in tracks}
    return [found for one in stored(workspace) if len(found := takes(one, by_id)) > 1]


def layers_of(one: Stored) -> Layers:
    """Its stems, as a player has them."""
    return Layers(one.id, one.folder / STEMS_FOLDER, one.measured.integrated_lufs)


def preview_href(site: Path, one: Stored) -> str | None:
    """Address of the mix's preview, below the site's root: that of its track, else one of its own; None without any."""
    names = [f"{one.made_from.mix}{PREVIEW}"] if one.made_from.mix else []
    own = _preview_name(one)
    return next((f"{MEDIA}/{name}" for name in [*names, own] if name and (site / MEDIA / name).is_file()), None)


def _preview_name(one: Stored) -> str:
    """The mix's preview where it is no track of its own; dots, so that it is taken for no track's."""
    mix = one.mix
    if mix is None:
        return ""
    mark = hashlib.sha256(content_mark(mix).encode()).hexdigest()[:8]
    return f"{one.id}.mashup.{mark}{PREVIEW}"


def make_mashup_media(
    workspace: Workspace, settings: Settings, progress: Progress | None = None, most: int | None = None
) -> int:
    """Make the stems' scripts and mixes' previews that are missing, remove those of what is gone; return how many.

    Encoding takes seconds a stem, in worker processes, and without the workspace's lock. Without `site.previews` there
    are none. The A/B players with the songs are made with all others: see `players`.

    Raises:
        WorkspaceError: a folder cannot be written.
    """
    listed = stored(workspace) if settings.site.previews else []
    made = make_mixers(workspace, [layers_of(one) for one in listed], settings, progress, most)
    left = None if most is None else max(0, most - made)
    return made + _make_previews(workspace, listed, settings, left)


def _make_previews(workspace: Workspace, listed: Sequence[Stored], settings: Settings, most: int | None) -> int:
    folder = workspace.site / MEDIA
    wanted: dict[str, Path] = {}
    for one in listed:
        mix = one.mix
        if mix is not None and one.made_from.mix is None:
            wanted[_preview_name(one)] = mix
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stale = [p for p in folder.glob("*.mashup.*.mp3") if _PREVIEW.fullmatch(p.name) and p.name not in wanted]
        for path in stale:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    jobs = [
        Encoding(path, "", settings.limits, target=folder / name)
        for name, path in wanted.items()
        if not (folder / name).is_file()
    ]
    return len(stale) + _encode(jobs[:most], settings)


def _encode(jobs: Sequence[Encoding], settings: Settings) -> int:
    made = 0
    if not jobs:
        return 0
    with engine.Engine(settings, make_preview) as workers:
        for job in jobs:
            workers.submit(job)
        while workers.waiting:
            for done in workers.next_done():
                if isinstance(done.error, WorkspaceError):
                    raise done.error
                made += done.error is None
    return made


# What one may take away


def _downloads(one: Stored) -> list[Path]:
    """Mix, plan, cue sheet, stems and other plans of a mashup; links are passed over, for nobody knows where to."""
    found = [one.mix, one.folder / PLAN_NAME, one.cue, one.folder / MARKERS, *one.stems, *one.alternatives]
    return [path for path in found if path is not None and path.is_file() and not path.is_symlink()]


def _shown_at(site: Path, one: Stored, path: Path) -> Path:
    """Where the site has a file of a mashup."""
    return site / MEDIA / FOLDER / one.id / path.relative_to(one.folder)


def link_mashups(workspace: Workspace, listed: Sequence[Stored]) -> int:
    """Show the files of mashups in the site, remove those of mashups that are gone; return how many were linked.

    Raises:
        WorkspaceError: the folder cannot be written.
    """
    folder = workspace.site / MEDIA / FOLDER
    wanted = {_shown_at(workspace.site, one, path): path for one in listed for path in _downloads(one)}
    linked = 0
    try:
        if wanted or folder.is_dir():
            _remove_others(folder, {one.id for one in listed}, set(wanted))
        for path, source in wanted.items():
            if not _is_current(path, source):
                path.parent.mkdir(parents=True, exist_ok=True)
                show_as(source, path)
                linked += 1
    except OSError as error:
        raise cannot_write(folder, error) from error
    return linked


def _remove_others(folder: Path, mashups: set[str], kept: set[Path]) -> None:
    """Remove the folders of mashups that are gone, and files that the others have no more."""
    for own in [path for path in folder.glob("*") if _OURS.fullmatch(path.name) and path.is_dir()]:
        if own.name not in mashups:
            remove_tree(own)
            continue
        for place in (own, own / STEMS_FOLDER, own / ALTERNATIVES_FOLDER):
            remove_leftovers(place)
            for path in [path for path in place.glob("*.*") if path.is_file() and path not in kept]:
                path.unlink(missing_ok=True)


def _is_current(path: Path, source: Path) -> bool:
    """Whether a file of the site is the same as that of the library, or a copy that is no older."""
    try:
        here, there = path.stat(), source.stat()
    except OSError:
        return False
    return here.st_size == there.st_size and here.st_mtime_ns >= there.st_mtime_ns


# The page


def _page(workspace: Workspace, one: Stored, by_id: Mapping[str, Track]) -> str:
    plan, site, made_from = plan_of(one), workspace.site, one.made_from
    common = {
        "root": "../",
        "name": one.name,
        "vocals_href": _track_href(made_from.vocals, by_id),
        "instrumental_href": _track_href(made_from.instrumental, by_id),
        "mix": _track_href(made_from.mix, by_id),
        "preview": preview_href(site, one),
        "measured": one.measured,
        "numbers": [shown_as("measured", column, getattr(one.measured, column.name)) for column in _measures()],
        "downloads": _offers(site, one),
        "number": text_of,
    }
    if plan is None:
        return render("mashup_broken.html", **common, reason=_trouble(one))
    beside, listed = takes(one, by_id), placed(plan)
    vocals, vocals_s = _form(by_id.get(made_from.vocals), plan.vocals.grid.beats_s[-1])
    instrumental, _ = _form(by_id.get(made_from.instrumental), plan.instrumental.grid.beats_s[-1])
    preview = common["preview"]
    return render(
        "mashup.html",
        **common,
        plan=plan,
        is_edited=one.is_edited,
        length=duration_s(plan),
        mixer=mixer_context(site, layers_of(one)),
        is_refused=is_refused(site, layers_of(one)),
        chart=plan_chart(plan, vocals, instrumental, vocals_s),
        rows=_rows(plan, listed[:MAX_SEGMENTS], None if preview is None else f"../{preview}"),
        scores=scores(plan.fit),
        chosen_by=chosen_by(plan),
        alternatives=_alternatives(site, one),
        steps=recipe(plan, one.measured, listed),
        ab=ab.ab_context(site, beside) if len(beside) > 1 else None,
    )


def _trouble(one: Stored) -> str:
    """Why there is no plan."""
    try:
        return repr(one.plan)
    except (PlanError, RecordError) as error:
        return str(error).replace(f"{one.folder}/", "")


def _alternatives(site: Path, one: Stored) -> list[Alternative]:
    """The other plans that there were; what is no plan any more is passed over."""
    found = []
    for path in one.alternatives[:MAX_ALTERNATIVES]:
        try:
            plan = from_toml(path.read_text(encoding="utf-8"))
        except (PlanError, OSError, UnicodeDecodeError):
            continue
        shown = _shown_at(site, one, path)
        href = f"../{shown.relative_to(site).as_posix()}" if shown.is_file() else None
        found.append(Alternative(plan, href, duration_s(plan), " · ".join(s.label for s in plan.segments[:MAX_LABELS])))
    return found


def _measures() -> list[Column]:
    """What there is to be told of a render; deviations have a place of their own."""
    return [column for column in columns(Measured) if column.name != "deviations"]


def _track_href(name: str | None, by_id: Mapping[str, Track]) -> str | None:
    return f"../tracks/{name}.html" if name and name in by_id else None


def _form(track: Track | None, to_s: float) -> tuple[list[Part], float]:
    """The sections of a song and its length; nothing and the last beat where it is not in the library."""
    if track is None:
        return [], to_s
    try:
        results = record.read(track.folder, result_types()).results
    except RecordError:
        return [], to_s
    source = results.get("source")
    length_s = float(source.duration_s) if source is not None else to_s
    return parts_of(results.get("sections")), max(length_s, to_s)


def _rows(plan: Plan, listed: Sequence[Placed], href: str | None) -> list[Row]:
    bars = bars_s(plan)
    # Where the beat falls that it is laid by: an upbeat before that belongs to it.
    beats_s = at_beats(mashup_beats_s(plan), np.array([one.segment.beat for one in listed], np.float64))
    return [
        Row(
            one.segment.label,
            time_link(href, max(0.0, one.start_s)),
            bar_text(bars, float(at)),
            text_of(one.from_s, 1),
            text_of(one.stretch, 3),
            text_of(plan.vocal_shift_semitones + one.segment.extra_semitones, 1),
            text_of(one.segment.gain_db, 1),
            one.segment.fit,
            one.segment.reason,
        )
        for one, at in zip(listed, beats_s, strict=True)
    ]


def _offers(site: Path, one: Stored) -> list[tuple[str, str, str]]:
    """What one may take away: its name, its address seen from the page, its size; only what the site shows."""
    found = []
    for path in _downloads(one):
        shown = _shown_at(site, one, path)
        if shown.is_file():
            name = path.relative_to(one.folder).as_posix()
            found.append((name, f"../{shown.relative_to(site).as_posix()}", _size(shown.stat().st_size)))
    return found


def _size(size: int) -> str:
    if size < 100_000:
        return f"{max(1, round(size / 1000))}\u00a0kB"
    return f"{size / 1e6:.1f}\u00a0MB"
