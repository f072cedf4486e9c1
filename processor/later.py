"""What pages can do without for a while: mashups, matches, comparisons, previews, bounces in step, a model's words.

All this takes seconds a track, so it is made apart from the pages, without the lock, and shown when it is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import duckdb

from processor import catalogue, library
from processor.bundles import COMPARE, has_any
from processor.comparing import make_comparisons
from processor.config import Settings
from processor.feedback.desk import open_desk
from processor.feedback.scribe import word_newest
from processor.library import Track
from processor.mashup.matches import bring_up_to_date
from processor.pipeline import publish
from processor.site import ab, bounces, comparison, mashup, media
from processor.site.bounces import Pair
from processor.site.stems import make_stem_previews
from processor.wanted import make_mashups
from processor.workspace import Workspace, cannot_write


def add_media(
    workspace: Workspace, settings: Settings, progress: catalogue.Progress | None = None, most: int | None = None
) -> int:
    """Make what pages can do without for a while, show it on them, and return how much there was.

    These are mashups that were asked for; which tracks go together; previews, of tracks and of stems; comparisons; of
    songs with several bounces, one subtracted from the next; and what is compared laid in step. All this is made apart
    from `publish`, and without the lock, for encoding an album takes minutes.

    Raises:
        WorkspaceError: it cannot be written.
    """
    made = len(make_mashups(workspace, settings, most=None if most is None else 1))
    tracks = library.tracks(workspace)
    has_news = bring_up_to_date(workspace, tracks)
    made += media.make_previews(workspace, tracks, progress, settings, most)
    made += make_stem_previews(workspace, tracks, settings, progress, most)
    made += mashup.make_mashup_media(workspace, settings, progress, most)
    pairs = _pairs(workspace, tracks)
    made += bounces.make_nulls(workspace, settings, pairs, most=most)
    if has_any(workspace, COMPARE):
        made += len(make_comparisons(workspace, settings))
    made += _make_players(workspace, settings, tracks, pairs, most)
    if made or has_news:
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


def _make_players(
    workspace: Workspace, settings: Settings, tracks: Sequence[Track], pairs: Iterable[Pair], most: int | None
) -> int:
    """Make the A/B players that are missing, and remove what belongs to none; without previews there are none."""
    if not settings.site.previews:
        return ab.remove_others(workspace, ())
    players = [
        *bounces.players(workspace, pairs),
        *comparison.players(workspace, tracks),
        *mashup.players(workspace, tracks),
    ]
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
