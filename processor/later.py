"""What pages can do without for a while: previews, comparisons, bounces subtracted and laid in step, a model's words.

All this takes seconds a track, so it is made apart from the pages, without the lock, and shown when it is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import duckdb

from processor import bundles, catalogue, library
from processor.config import Settings
from processor.feedback.desk import open_desk
from processor.feedback.scribe import word_newest
from processor.library import Track
from processor.pipeline import publish
from processor.site import ab, bounces, comparison, media
from processor.site.bounces import Pair
from processor.site.stems import make_stem_previews
from processor.workspace import Workspace, cannot_write


def add_media(
    workspace: Workspace, settings: Settings, progress: catalogue.Progress | None = None, most: int | None = None
) -> int:
    """Make what pages can do without for a while, show it on them, and return how much there was.

    These are previews, of tracks and of stems; comparisons; of songs with several bounces, one subtracted from the
    next; and what is compared laid in step. All this is made apart from `publish`, and without the lock, for encoding
    an album takes minutes.

    Raises:
        WorkspaceError: it cannot be written.
    """
    tracks = library.tracks(workspace)
    made = media.make_previews(workspace, tracks, progress, settings, most)
    made += make_stem_previews(workspace, tracks, settings, progress, most)
    pairs = _pairs(workspace, tracks)
    made += bounces.make_nulls(workspace, settings, pairs, most=most)
    if _has_comparisons(workspace):
        made += len(bundles.make_comparisons(workspace, settings))
    made += _make_players(workspace, settings, tracks, pairs, most)
    if made:
        publish(workspace)
    return made


def add_words(workspace: Workspace, settings: Settings) -> str | None:
    """Let a language model word the advice on the newest tracks, if the settings say so; return why it did not.

    Raises:
        WorkspaceError: what it said cannot be kept.
    """
    if not settings.llm.on:
        return None
    try:
        made, trouble = word_newest(workspace, open_desk(workspace, settings))
    except OSError as error:
        raise cannot_write(workspace.library, error) from error
    if made:
        publish(workspace)
    return trouble


def _has_comparisons(workspace: Workspace) -> bool:
    """Whether anything was dropped to be compared; it saves reading every track's drops."""
    if not workspace.catalogue.is_file():
        return False
    try:
        return bool(catalogue.query(workspace, "SELECT 1 FROM drops WHERE path ILIKE 'compare/%/%' LIMIT 1")[1])
    except duckdb.Error:
        return False


def _make_players(
    workspace: Workspace, settings: Settings, tracks: Sequence[Track], pairs: Iterable[Pair], most: int | None
) -> int:
    """Make the A/B players that are missing, and remove what belongs to none; without previews there are none."""
    if not settings.site.previews:
        return ab.remove_others(workspace, ())
    players = [*bounces.players(workspace, pairs), *comparison.players(workspace, tracks)]
    made = ab.remove_others(workspace, players)
    for takes in players:
        if most is None or made < most:
            made += ab.make_ab(workspace, takes, settings)
    return made


def _pairs(workspace: Workspace, tracks: Iterable[Track]) -> list[Pair]:
    """Every bounce of a song with the one before it, as the catalogue has them."""
    if not workspace.catalogue.is_file():
        return []
    try:
        _, rows = catalogue.query(workspace, "SELECT track, previous FROM revisions WHERE previous IS NOT NULL")
    except duckdb.Error:  # made by another version; the next publish makes it anew
        return []
    by_id = {track.id: track for track in tracks}
    return [Pair(by_id[later], by_id[earlier]) for later, earlier in rows if later in by_id and earlier in by_id]
