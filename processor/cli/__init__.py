"""The command `linernotes`; the only room that prints or exits.

Heavy modules are imported inside the commands, so that `--help` answers at once and without them.
"""

from __future__ import annotations

import os
import sys

import click

from processor import __version__
from processor.cli import ask, process
from processor.cli.shared import INTERRUPTED, NOTHING_DONE, OK, WRONG_USAGE, examples
from processor.errors import LinerNotesError, WrongUsage


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("linernotes demo", "linernotes run song.wav", "linernotes watch"),
)
@click.version_option(__version__, prog_name="linernotes")
def cli() -> None:
    """Drop a mix into a folder; a minute later its report is a page you can read and query."""


def main() -> None:
    """Run the command and end with the exit code that belongs to what happened."""
    try:
        code = cli.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else OK)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped. Nothing is lost: what was not done yet is still where it was.", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`); that is no error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(OK)
    except LinerNotesError as error:
        click.echo(f"linernotes: {error}", err=True)
        sys.exit(WRONG_USAGE if isinstance(error, WrongUsage) else NOTHING_DONE)


_COMMANDS = (
    process.demo,
    process.init,
    process.run,
    process.watch,
    ask.analyse,
    ask.query,
    ask.explain,
    process.set_words,
    process.refresh,
    process.rebuild,
    ask.serve,
    ask.doctor,
)
for _command in _COMMANDS:
    cli.add_command(_command)
