"""The command `linernotes`; the only room that prints or exits.

Heavy modules are imported inside the commands, so that `--help` answers at once and without them.
"""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from processor import __version__
from processor.cli import advise, ask, check, compare, mashup, matches, models, process, profiles, prompt, stems
from processor.cli.shared import INTERRUPTED, NOTHING_DONE, OK, WRONG_USAGE, close_output, examples
from processor.errors import LinerNotesError, WrongUsage


class _Commands(click.Group):
    """The commands; one whose reader has gone (`| head`) ends well and in silence."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            code = super().invoke(ctx)
            print(end="", flush=True)  # here, where a reader that has gone is no surprise
            return code
        except BrokenPipeError:
            close_output(sys.stdout)
            raise click.exceptions.Exit(OK) from None


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("linernotes demo", "linernotes run song.wav", "linernotes watch"),
)
@click.version_option(__version__, prog_name="linernotes")
def cli() -> None:
    """Drop a mix into a folder; a minute later its report is a page you can read and query."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and end with the exit code that belongs to what happened."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # no file name is worth a traceback
    with _terminable():
        code = _run(arguments)
    sys.exit(code)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM stop us as Ctrl-C does: claims are given back, workers end."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = cli.main(arguments, prog_name="linernotes", standalone_mode=False)
        return code if isinstance(code, int) else OK
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped. Nothing is lost: what was not done yet is still where it was.", err=True)
        return INTERRUPTED
    except LinerNotesError as error:
        click.echo(f"linernotes: {error}", err=True)
        return WRONG_USAGE if isinstance(error, WrongUsage) else NOTHING_DONE
    except OSError as error:  # the disk is full, a right is missing: no defect of ours
        where = f": {error.filename}" if error.filename else ""
        click.echo(f"linernotes: {error.strerror or error}{where}", err=True)
        return NOTHING_DONE


_COMMANDS = (
    process.demo,
    process.init,
    process.run,
    process.watch,
    ask.analyse,
    advise.advise,
    check.check,
    check.badge,
    compare.compare,
    matches.matches,
    mashup.mashup,
    profiles.profile,
    prompt.prompt,
    stems.stems,
    models.models,
    ask.query,
    ask.explain,
    ask.same,
    process.set_words,
    process.refresh,
    process.rebuild,
    ask.serve,
    ask.doctor,
)
for _command in _COMMANDS:
    cli.add_command(_command)
