"""What `run --deep` does after the fast pass: models hear, a line on the terminal says how far they are."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import time
from time import monotonic
from typing import TYPE_CHECKING

import click

from processor.cli.shared import NOTHING_DONE, OK, SET_ASIDE, counting, plural, say
from processor.errors import WrongUsage

if TYPE_CHECKING:
    from processor.backlog import Backlog
    from processor.config import Settings
    from processor.pipeline import Event
    from processor.site.deep import Running
    from processor.workspace import Workspace


def deepened(
    workspace: Workspace, settings: Settings, events: Sequence[Event] | None, *, as_json: bool, is_asked: bool
) -> int:
    """Let models hear what is pending; return the exit code.

    Args:
        workspace: where.
        settings: its settings.
        events: what became of the files that a person named; None for the whole library.
        as_json: print events as JSON.
        is_asked: whether a person asked for it now, so that having no model is trouble.
    """
    from processor import library
    from processor.backlog import Backlog, advice
    from processor.later import add_media

    for text in advice(settings):
        if is_asked or " is on" in text:
            say(text, err=True)
    wanted = None if events is None else {event.track for event in events if event.track}
    tracks = None if wanted is None else [one for one in library.tracks(workspace) if one.id in wanted]
    backlog = Backlog(workspace, settings, tracks)
    if not backlog.here.jobs:
        return NOTHING_DONE if is_asked else OK
    done = hear(workspace, settings, backlog, as_json=as_json)
    for problem in backlog.problems.values():
        say(f"left out  {problem}", err=True)
    if done:
        add_media(workspace, settings, counting("Preview"))
    heard, failed = (sum(event.event == kind for event in done) for kind in ("deepened", "failed"))
    if not as_json:
        did = f"{plural(heard, 'step')} of deep analysis done" if heard or failed else "Models have heard all there is"
        say(did + (f", {failed} failed" if failed else "") + ".")
    if not failed:
        return SET_ASIDE if backlog.problems else OK
    return SET_ASIDE if heard else NOTHING_DONE


def hear(workspace: Workspace, settings: Settings, backlog: Backlog, *, as_json: bool) -> list[Event]:
    """Work until nothing is left, logged, told, and published every few seconds."""
    from processor.deep import Pass, deepen
    from processor.engine import Engine
    from processor.pipeline import PUBLISH_EVERY_S, RunLog, publish

    log, done, published = RunLog(workspace, "run --deep"), [], monotonic()
    try:
        with (
            _line() as show,
            Engine(settings) as engine,
            Pass(workspace, settings, backlog, engine) as work,
        ):
            for event in deepen(work, show):
                done.append(event)
                log.write(event)
                show(None)
                _tell(event, as_json=as_json)
                if monotonic() - published > PUBLISH_EVERY_S:
                    try:
                        publish(workspace)
                    except Exception as error:  # whatever a page is about, hearing goes on; the last one says it
                        say(f"The pages could not be published: {error}", err=True)
                    published = monotonic()
    except BaseException:
        log.close()
        with suppress(Exception):  # or it would hide what went wrong
            publish(workspace)
        raise
    log.close()
    publish(workspace)
    return done


def _tell(event: Event, *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        say(json.dumps({key: value for key, value in asdict(event).items() if value is not None}))
        return
    stages = (f"{name} {value:.1f} s" for name, value in event.seconds.items() if name not in ("decode", "load"))
    facts = event.reason or ("" if event.event == "refreshed" else ", ".join(stages))
    place = f" → {event.track}" if event.track else ""
    say(f"{event.event:<10}{event.name}{place}" + (f" ({facts})" if facts else ""))


@contextmanager
def _line() -> Iterator[_Show]:
    """What shows, on a terminal, what is being done; elsewhere nobody would see it change."""
    show = _Show(sys.stderr.isatty())
    try:
        yield show
    finally:
        show(None)


def time_of_day(context: click.Context, option: click.Parameter, value: str | None) -> time | None:
    """The value of an option that is a time of day."""
    if value is None:
        return None
    try:
        return _time(value)
    except ValueError as error:
        raise click.BadParameter(str(error), context, option) from error


def parsed_time(value: str, where: str) -> time:
    """The value of a setting that is a time of day.

    Raises:
        WrongUsage: it is none.
    """
    try:
        return _time(value)
    except ValueError as error:
        raise WrongUsage(f"{where}: {error}") from error


def _time(value: str) -> time:
    try:
        found = time.fromisoformat(value.strip().zfill(5))
    except ValueError:
        raise ValueError(f"{value!r} is no time of day like 01:00") from None
    if found.tzinfo is not None:
        raise ValueError(f"{value!r}: it is this machine's time that counts; write 01:00")
    return found


class _Show:
    """One line that is written over again and again."""

    def __init__(self, is_terminal: bool) -> None:
        self._is_terminal = is_terminal

    def __call__(self, running: Running | None) -> None:
        """Show what is being done, or an empty line."""
        if self._is_terminal:
            width = max(20, shutil.get_terminal_size().columns - 1)
            click.echo("\r\x1b[K" + (running.text()[:width] if running is not None else ""), nl=False, err=True)
