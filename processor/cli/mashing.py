"""What `run` does for folders of `inbox/mashup/`: their songs are taken apart, the mashups made, and said."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from processor.cli.hearing import hear
from processor.cli.shared import plural, say

if TYPE_CHECKING:
    from processor.config import Settings
    from processor.mashup.making import Progress
    from processor.pipeline import Event
    from processor.workspace import Workspace


def mashups_made(workspace: Workspace, settings: Settings, tell: Callable[[Event], None], *, as_json: bool) -> None:
    """Make the mashups that are asked for, publish them, and tell which there are and which cannot be made yet.

    Songs are taken apart first where there is a model for that: whoever drops two songs to be mixed asks for it.
    """
    from processor.mashup.kept import troubles
    from processor.pipeline import Event, publish
    from processor.wanted import make_mashups

    _take_apart(workspace, settings, as_json=as_json)
    before = troubles(workspace)
    with mashup_line() as progress:
        made = make_mashups(workspace, settings, progress)
    for one in made:
        deviations = "; ".join(one.measured.deviations)
        tell(Event("mashup", one.origin.folder or one.id, one.made_from.mix, deviations or None))
    found = troubles(workspace)
    for name, trouble in found.items():
        tell(Event("waiting", name, reason=trouble.reason))
    if made or found != before:
        publish(workspace)


def _take_apart(workspace: Workspace, settings: Settings, *, as_json: bool) -> None:
    """Let the model that takes songs apart hear those that a mashup waits for."""
    from processor.backlog import Backlog
    from processor.errors import WorkspaceBusy
    from processor.wanted import for_separation, to_separate

    tracks = to_separate(workspace, settings)
    if not tracks:
        return
    say(f"Taking {plural(len(tracks), 'song')} apart for mashups; this takes minutes each.", err=True)
    only = for_separation(settings)
    try:
        hear(workspace, only, Backlog(workspace, only, tracks), as_json=as_json)
    except WorkspaceBusy as error:
        say(str(error), err=True)


@contextmanager
def mashup_line() -> Iterator[Progress]:
    """What shows, on a terminal, what is being done for a mashup; elsewhere nobody would see it change."""
    is_terminal, has_shown = sys.stderr.isatty(), False

    def show(stage: str, share: float) -> None:
        nonlocal has_shown
        if is_terminal:
            has_shown = True
            click.echo(f"\r\x1b[KMashup: {stage} {share:.0%}", nl=False, err=True)

    try:
        yield show
    finally:
        if has_shown:
            click.echo("\r\x1b[K", nl=False, err=True)
