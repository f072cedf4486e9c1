"""What several commands share: options, exit codes, opening a workspace, progress, JSON lines."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from processor.config import Settings
    from processor.workspace import Workspace

OK, NOTHING_DONE, WRONG_USAGE, SET_ASIDE, INTERRUPTED = 0, 1, 2, 3, 130

F = TypeVar("F", bound=Callable[..., Any])


def examples(*lines: str) -> str:
    """The end of a command's help."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def home_option(command: F) -> F:
    """Add `--home DIR`."""
    text = "The folder that holds inbox/, library/ and site/. [default: $LINERNOTES_HOME, else the current folder]"
    return click.option("--home", "home", metavar="DIR", help=text)(command)


def json_option(command: F) -> F:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for other programs.")(command)


def workers_option(command: F) -> F:
    """Add `--workers N`."""
    text = "Files analysed at the same time. [default: one for each processor]"
    return click.option("--workers", type=click.IntRange(1, 256), metavar="N", help=text)(command)


def open_workspace(home: str | None, *, create: bool = False, workers: int | None = None) -> tuple[Workspace, Settings]:
    """The workspace that is meant and its settings."""
    from dataclasses import replace

    from processor.config import load_settings
    from processor.workspace import Workspace, choose_home, existing

    path = choose_home(home, os.environ)
    if create:
        workspace = Workspace(path)
        if not workspace.exists():
            click.echo(f"Made a new workspace in {path}", err=True)
        workspace.create()
    else:
        workspace = existing(path)
    settings = load_settings(path)
    if workers is not None:
        settings = replace(settings, workers=replace(settings.workers, count=workers))
    return workspace, settings


@contextmanager
def progress_bar(label: str, length: int) -> Iterator[Callable[[str], None]]:
    """A bar on a terminal, silence elsewhere; call what it yields once for each step."""
    if not sys.stderr.isatty() or length == 0:
        yield lambda _: None
        return
    shown: Any = click.progressbar(
        length=length,
        label=label,
        show_pos=True,
        file=sys.stderr,
        item_show_func=lambda name: (name or "")[:40],
    )
    with shown as bar:
        bar.render_progress()
        yield lambda name: bar.update(1, name)


def counting(label: str) -> Callable[[int, int], None]:
    """A counter on a terminal for steps that are told as "k of n"."""

    def show(done: int, total: int) -> None:
        if sys.stderr.isatty() and total > 1:
            click.echo(f"\r{label} {done}/{total}" + ("\n" if done == total else ""), nl=False, err=True)

    return show


def print_json(facts: object) -> None:
    """One object, one line."""
    click.echo(json.dumps(facts))
