"""What several commands share: options, exit codes, opening a workspace, progress, JSON lines."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from processor.errors import WrongUsage

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


def home_path(given: str | None) -> Path:
    """The workspace's folder that a person means.

    Raises:
        WrongUsage: there cannot be one of that name.
    """
    from processor.files import printable
    from processor.workspace import choose_home

    try:
        path = choose_home(given, os.environ)
        str(path).encode()
    except RuntimeError as error:  # a home folder of nobody, links in a circle
        raise WrongUsage(f"{given}: {error}") from error
    except UnicodeEncodeError as error:
        name = printable(os.fspath(path))
        raise WrongUsage(f"{name}: the name is not UTF-8, which DuckDB cannot open; choose another folder.") from error
    return path


def open_workspace(home: str | None, *, create: bool = False, workers: int | None = None) -> tuple[Workspace, Settings]:
    """The workspace that is meant and its settings."""
    from dataclasses import replace

    from processor.config import load_settings
    from processor.workspace import Workspace, existing

    path = home_path(home)
    settings = load_settings(path)
    if create:
        workspace = Workspace(path)
        was_there = workspace.exists()
        workspace.create()
        if not was_there:
            click.echo(f"Made a new workspace in {path}", err=True)
    else:
        workspace = existing(path)
    labels = _own_labels(workspace, settings)
    if labels is not None:
        settings = replace(settings, models=replace(settings.models, labels=str(labels)))
    if workers is not None:
        settings = replace(settings, workers=replace(settings.workers, count=workers))
    return workspace, settings


def _own_labels(workspace: Workspace, settings: Settings) -> Path | None:
    """A person's own labels for CLAP: the file that the settings name, seen from the workspace, else the library's."""
    if settings.models.labels:
        return workspace.home / Path(settings.models.labels).expanduser()
    found = workspace.library / "labels.toml"
    return found if found.is_file() else None


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


def plural(number: int, noun: str) -> str:
    """How many of what, as one says it: 1 track, 2 tracks."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def decodable(text: str) -> str:
    """The same text as Unicode: bytes of a file name that are no UTF-8 become U+FFFD, which every JSON reader takes."""
    return os.fsencode(text).decode("utf-8", "replace")


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print what matters less than the command's work, which goes on when nobody reads any more."""
    try:
        click.echo(text, err=err, nl=nl)
    except OSError:  # `| head` has read enough, the terminal was closed
        close_output(sys.stderr if err else sys.stdout)


def close_output(stream: TextIO) -> None:
    """Let what is still printed go nowhere; text that waits in a buffer would fail whoever flushes it next."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
