"""Pages of comparisons: what differs, the measures side by side, tonal curves, the equaliser and how it sounds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path

import numpy as np

from processor import library, record
from processor.analysis import result_types
from processor.errors import RecordError
from processor.feedback.advice import signed
from processor.feedback.compare import Comparison, sides_of, verdict
from processor.feedback.comparisons import Stored, stored
from processor.files import remove_leftovers
from processor.library import Track
from processor.site import ab
from processor.site.ab import Take
from processor.site.charts.blocks import Block, span_text, strip
from processor.site.charts.frame import Chart, Timeline, Vector, clock
from processor.site.charts.tones import difference_chart, tone_chart
from processor.site.index import Pages
from processor.site.media import FOLDER as MEDIA
from processor.site.media import show_as
from processor.site.rendering import NOTHING, render, text_of
from processor.workspace import Workspace, cannot_write

FOLDER, LIST_PAGE = "comparisons", "comparisons.html"
AUDITION = "-audition.flac"
_OURS = re.compile(rf"[a-z0-9-]{{1,60}}-[0-9a-f]{{8,64}}{re.escape(AUDITION)}")
SECTION_STYLES = 8
MAX_SECTIONS = 100


@dataclass(frozen=True)
class Named:
    """A track as a comparison names it: its title, and its page where it has one."""

    title: str
    href: str | None


@dataclass(frozen=True)
class Part:
    """A section in the table: its name, when it begins, how long it is, how far it stands above the whole."""

    name: str
    start: str
    lasts: str
    loudness: str


def page_name(one: Stored) -> str:
    """Where a comparison's page is, below the site."""
    return f"{FOLDER}/{one.id}.html"


def comparison_pages(workspace: Workspace, tracks: Sequence[Track]) -> Pages:
    """Page → (what its input is, how to make it): one for each comparison, and the list of all; none without any."""
    listed = stored(workspace)
    by_id = {track.id: track for track in tracks}
    pages: Pages = {}
    for one in listed:
        beside = takes(one, by_id)
        signature = repr(
            (
                one.signature,
                [by_id[name].signature if name in by_id else name for name in _tracks_of(one)],
                audition_path(workspace.site, one).is_file(),
                ab.signature(workspace.site, beside) if len(beside) > 1 else "",
            )
        )
        pages[page_name(one)] = signature, partial(_page, workspace, one, by_id)
    if listed:
        signature = repr(
            [(one.signature, [by_id[n].signature for n in _tracks_of(one) if n in by_id]) for one in listed]
        )
        pages[LIST_PAGE] = signature, partial(_list_page, listed, by_id)
    return pages


def takes(one: Stored, by_id: Mapping[str, Track]) -> tuple[Take, ...]:
    """The tracks of a comparison for an A/B player: the mix first, references of the same recording laid in step."""
    made_from = one.made_from
    if made_from.mix not in by_id:
        return ()
    found = [Take(by_id[made_from.mix])]
    for name, offset_s, speed in zip(made_from.references, made_from.offsets_s, made_from.speeds, strict=False):
        if name in by_id and name != made_from.mix:
            found.append(Take(by_id[name], offset_s=offset_s, speed=speed))
    return tuple(found)


def players(workspace: Workspace, tracks: Sequence[Track]) -> list[tuple[Take, ...]]:
    """What every comparison's A/B player plays."""
    by_id = {track.id: track for track in tracks}
    return [found for one in stored(workspace, curves=False) if len(found := takes(one, by_id)) > 1]


def audition_path(site: Path, one: Stored) -> Path:
    """Where the site has a comparison's audition."""
    return site / MEDIA / f"{one.id}{AUDITION}"


def link_auditions(workspace: Workspace) -> int:
    """Show the audition files in the site, remove those that belong to no comparison; return how many were linked.

    Raises:
        WorkspaceError: the folder cannot be written.
    """
    folder = workspace.site / MEDIA
    wanted = {}
    for one in stored(workspace, curves=False):
        found = one.audition
        if found is not None:
            wanted[audition_path(workspace.site, one)] = one.audition_path(found)
    linked = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        for path in folder.glob(f"*{AUDITION}"):
            if _OURS.fullmatch(path.name) and path not in wanted:
                path.unlink(missing_ok=True)
        for path, source in wanted.items():
            if not _is_current(path, source):
                show_as(source, path)
                linked += 1
    except OSError as error:
        raise cannot_write(folder, error) from error
    return linked


def _is_current(path: Path, source: Path) -> bool:
    """Whether a file of the site is the same as that of the library, or a copy that is no older."""
    try:
        here, there = path.stat(), source.stat()
    except OSError:
        return False
    return here.st_size == there.st_size and here.st_mtime_ns >= there.st_mtime_ns


def _tracks_of(one: Stored) -> tuple[str, ...]:
    return one.made_from.mix, *one.made_from.references


def _named(name: str, by_id: Mapping[str, Track], root: str) -> Named:
    """The title of a track; its id where it is gone or cannot be read."""
    track = by_id.get(name)
    if track is None:
        return Named(name, None)
    href = f"{root}tracks/{name}.html"
    try:
        found = record.read(track.folder, result_types(), curves=False)
        return Named(library.title_of(found.name, found.results.get("metadata"), library.read_person(track)), href)
    except RecordError:
        return Named(name, href)


def _page(workspace: Workspace, one: Stored, by_id: Mapping[str, Track]) -> str:
    found, equaliser = one.comparison, one.equaliser
    mix, *references = (_named(name, by_id, "../") for name in _tracks_of(one))
    is_tried = equaliser is not None and bool(equaliser.bands)
    audition = one.audition
    beside = takes(one, by_id)
    return render(
        "comparison.html",
        root="../",
        name=one.record.name,
        mix=mix,
        references=references,
        found=found,
        verdict=verdict(found),
        differences=list(zip(found.difference_steps, found.differences, found.difference_fields, strict=True)),
        rows=sides_of(found),
        tone=tone_chart(
            found.centres_hz, found.mix_db, (found.low_db, found.middle_db, found.high_db), len(references)
        ),
        difference=difference_chart(
            found.centres_hz,
            found.tone_db,
            equaliser.after_db if equaliser is not None and is_tried else None,
            equaliser.response_db if equaliser is not None and is_tried else None,
        ),
        equaliser=equaliser,
        failures=[failure.reason for failure in one.record.failures.values()],
        audition=audition if audition_path(workspace.site, one).is_file() else None,
        audition_href=f"../{MEDIA}/{audition_path(workspace.site, one).name}",
        strips=_strips(found, mix.title, references[0].title),
        parts=_parts(found),
        ab=ab.ab_context(workspace.site, beside) if len(beside) > 1 else None,
        number=text_of,
        turned=turned,
    )


def turned(gains_db: Sequence[float | None]) -> str:
    """How far references are turned to the loudness of the mix: "up by 5.7 dB", "by −2.3 and +3.2 dB"."""
    if len(gains_db) == 1 and gains_db[0] is not None:
        return f"{'up' if gains_db[0] >= 0 else 'down'} by {abs(gains_db[0]):.1f}\u00a0dB"
    texts = [NOTHING if gain is None else signed(gain) for gain in gains_db]
    return f"by {' and '.join(filter(None, [', '.join(texts[:-1]), texts[-1]]))}\u00a0dB"


def _strips(found: Comparison, mix: str, reference: str) -> list[Chart]:
    """The sections of both over one time axis, so that lengths can be compared."""
    sides = (
        (mix, found.mix_sections_s, found.mix_section_names),
        (reference, found.reference_sections_s, found.reference_section_names),
    )
    end_s = max([float(spans.max()) for _, spans, _ in sides if spans.size], default=0.0)
    drawn = [_strip(title, spans, names, end_s) for title, spans, names in sides if end_s > 0]
    return [replace(chart, duration_s=None) for chart in drawn if chart is not None]  # there is no player to seek in


def _strip(title: str, spans: Vector, names: Sequence[str], end_s: float) -> Chart | None:
    if spans.ndim != 2:
        return None
    letters = [name.partition(" ")[0] for name in names]
    styles = {letter: f"s{number % SECTION_STYLES}" for number, letter in enumerate(dict.fromkeys(letters))}
    blocks = [
        Block(start, end, name, f"{name}, {span_text(start, end)}", styles[letter], short=letter)
        for (start, end), name, letter in zip(spans.tolist(), names, letters, strict=False)
    ]
    told = ", ".join(f"{name} {clock(end - start)}" for (start, end), name in zip(spans.tolist(), names, strict=False))
    return strip(f"Sections of {title}", f"Sections of {title}: {told}.", blocks, Timeline(end_s))


def _parts(found: Comparison) -> list[tuple[Part | None, Part | None]]:
    """Sections side by side, in their order."""
    own = _side(found.mix_sections_s, found.mix_section_names, found.mix_section_lu)
    theirs = _side(found.reference_sections_s, found.reference_section_names, found.reference_section_lu)
    return list(zip_longest(own, theirs))[:MAX_SECTIONS]


def _side(spans: Vector, names: Sequence[str], loudness: Sequence[float | None]) -> list[Part]:
    rows = np.asarray(spans).reshape(-1, 2).tolist()
    return [
        Part(name, clock(start), clock(end - start), text_of(value, 1))
        for (start, end), name, value in zip(rows, names, loudness, strict=False)
    ]


def _list_page(listed: Sequence[Stored], by_id: Mapping[str, Track]) -> str:
    rows = []
    for one in listed:
        mix, *references = (_named(name, by_id, "") for name in _tracks_of(one))
        rows.append((one, page_name(one), mix, references))
    return render("comparisons.html", root="", rows=rows, number=text_of)
