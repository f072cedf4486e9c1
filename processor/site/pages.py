"""Which pages there are, what each shows, and when it is written again: when the hash of its input changed."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import duckdb

from processor.analysis import result_types
from processor.feedback.comparisons import folders
from processor.feedback.desk import Desk, code_version
from processor.feedback.ledger import Beside, Ledger, verdict_of
from processor.files import templates_folder, write_atomically
from processor.library import Track
from processor.mashup.kept import stored as stored_mashups
from processor.quantities import columns
from processor.site import comparison, deep, mashup, mashups, media, stems
from processor.site.actions import Notice, action_pages
from processor.site.goes_with import NOTHING_AROUND, Around, around
from processor.site.index import Pages, index_pages
from processor.site.markdown import write_report
from processor.site.prompt import prompts_for
from processor.site.reference import reference_pages
from processor.site.rendering import assets
from processor.site.revisions import revision_pages
from processor.site.track import Heard, track_page
from processor.workspace import Workspace, cannot_write

STATE_NAME = "pages.json"
# Pages of what is compared or mixed; there may be none.
COMPARED = ("revisions/*.html", "comparisons/*.html", "comparisons.html", "mashups/*.html")
PARALLEL_FROM = 1000  # below, starting processes costs more than they save


def publish(
    workspace: Workspace,
    connection: duckdb.DuckDBPyConnection,
    tracks: Sequence[Track],
    derived: Ledger,
    failed: Sequence[Notice],
    ignored: Sequence[Notice],
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write every page whose input changed and remove those of tracks that are gone; return how many were written."""
    state = _State(workspace)
    media.make_pictures(workspace, tracks)
    sounds = [media.signatures(workspace.site), stems.signatures(workspace.site)]
    wanted = {f"tracks/{track.id}.html": track for track in tracks}
    here = deep.models_here(derived.desk.settings)
    mixed = stored_mashups(workspace)
    matched = around(connection, mixed)
    inputs = {
        page: " ".join(
            [
                track.signature,
                *(there.get(track.id, "") for there in sounds),
                derived.signature(track.id),
                repr(matched.get(track.id, "")),
                *here,
            ]
        )
        for page, track in wanted.items()
    }
    stale = {page: track for page, track in wanted.items() if not state.is_fresh(page, inputs[page])}
    for number, (page, _) in enumerate(_write_tracks(workspace.site, stale, derived, here, matched), 1):
        state.note(page, inputs[page])
        if progress is not None:
            progress(number, len(stale))
    comparison.link_auditions(workspace)
    mashup.link_mashups(workspace, mixed)
    others = {
        **_other_pages(connection, failed, ignored, len(folders(workspace))),
        **revision_pages(workspace, connection, tracks, derived),
        **comparison.comparison_pages(workspace, tracks),
        **mashup.mashup_pages(workspace, mixed, tracks),
        **mashups.list_pages(workspace, connection, mixed, tracks),
        **deep.deep_pages(workspace, connection, derived.desk.settings, len(failed) + len(ignored)),
    }
    for page in state.on_disk():
        if page not in wanted and page not in others:
            state.remove(page)
    written = len(stale)
    for page, (signature, make) in others.items():
        if not state.is_fresh(page, signature):
            _write(workspace.site / page, make())
            state.note(page, signature)
            written += 1
    state.save()
    return written


def forget(workspace: Workspace) -> None:
    """Make the next publish write every page."""
    (workspace.state / STATE_NAME).unlink(missing_ok=True)
    media.forget(workspace)


def _write_tracks(
    site: Path,
    stale: Mapping[str, Track],
    derived: Ledger,
    here: Mapping[str, str],
    mixed: Mapping[str, Around],
) -> Iterator[tuple[str, Track]]:
    """Write track pages and yield each as it is done; with many to do, on all processors."""
    write = partial(_write_track, derived.desk, here)
    besides = ((derived.beside(track.id), mixed.get(track.id, NOTHING_AROUND)) for track in stale.values())
    if len(stale) < PARALLEL_FROM:
        for (page, track), beside in zip(stale.items(), besides, strict=True):
            write(site / page, track, beside)
            yield page, track
        return
    paths = [site / page for page in stale]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        mp_context=context, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    ) as pool:
        done = pool.map(write, paths, stale.values(), besides, chunksize=100)
        for entry, _ in zip(stale.items(), done, strict=True):
            yield entry


def _write_track(desk: Desk, here: Mapping[str, str], path: Path, track: Track, besides: tuple[Beside, Around]) -> None:
    beside, mixed = besides
    verdict = verdict_of(desk, track, beside)
    prompts = prompts_for(track)
    _write(path, track_page(track, path.parents[1], verdict, beside, Heard(prompts, here, mixed)))
    try:
        write_report(track, verdict, prompts)
    except OSError as error:
        raise cannot_write(track.folder, error) from error


def _write(path: Path, content: str) -> None:
    """Write a page unless it is what it would be anyway, which leaves its time alone."""
    if not path.is_file() or path.read_bytes() != content.encode():
        write_atomically(path, content, durable=False)


class _State:
    """What was written, with the hash of the input that it was written from."""

    def __init__(self, workspace: Workspace) -> None:
        self._site = workspace.site
        self._path = workspace.state / STATE_NAME
        try:
            found = json.loads(self._path.read_bytes())
            self.pages: dict[str, str] = {str(page): str(signature) for page, signature in found.items()}
        except (OSError, ValueError, AttributeError):
            self.pages = {}
        self._before = dict(self.pages)

    def is_fresh(self, page: str, signature: str) -> bool:
        return self.pages.get(page) == _hash(signature) and (self._site / page).is_file()

    def note(self, page: str, signature: str) -> None:
        """Note that a page was written from an input with this signature."""
        self.pages[page] = _hash(signature)

    def on_disk(self) -> list[str]:
        """Pages of the kinds that come and go, by what is there and not by what was noted."""
        patterns = ("tracks/*.html", "index-*.html", "runs/*.html", "actions-*.html", *COMPARED)
        return [path.relative_to(self._site).as_posix() for pattern in patterns for path in self._site.glob(pattern)]

    def remove(self, page: str) -> None:
        (self._site / page).unlink(missing_ok=True)
        self.pages.pop(page, None)

    def save(self) -> None:
        if self.pages != self._before:
            write_atomically(self._path, json.dumps(self.pages), durable=False)


def _hash(signature: str) -> str:
    return hashlib.sha256(f"{version()}\n{signature}".encode()).hexdigest()[:20]


@cache
def version() -> str:
    """Changes whenever the templates, this code or the declarations of the results change."""
    digest = hashlib.sha256()
    ours = Path(__file__).parent
    for folder, pattern in ((templates_folder(), "**/*"), (ours, "**/*.py"), (ours.parent / "prompt", "**/*.*")):
        for path in sorted(folder.glob(pattern)):
            if path.is_file():
                digest.update(path.name.encode() + path.read_bytes())
    digest.update(code_version().encode())  # what the mix desk says stands on pages, too
    for name, kind in result_types().items():
        digest.update(repr((name, [(c.name, c.quantity) for c in columns(kind)])).encode())
    return digest.hexdigest()


def _other_pages(
    connection: duckdb.DuckDBPyConnection, failed: Sequence[Notice], ignored: Sequence[Notice], comparisons: int
) -> Pages:
    """Page → (what its input is, how to make it), for all that is about no single track."""
    pages = {
        **index_pages(connection, len(failed) + len(ignored), comparisons),
        **action_pages(connection, failed, ignored),
        **reference_pages(connection),
    }
    for asset in assets():
        text = (templates_folder() / asset).read_text(encoding="utf-8")
        pages[f"assets/{asset}"] = text, partial(str, text)
    return pages
