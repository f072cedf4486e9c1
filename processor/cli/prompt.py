"""The command that says what to ask a music generator for: prompt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from processor.cli.shared import OK, decodable, examples, home_option, home_path, json_option, print_json
from processor.errors import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from processor.config import Settings
    from processor.prompt.composer import Prompt
    from processor.prompt.generations import Generation
    from processor.record import JSON, Record
    from processor.workspace import Workspace

_VARIANTS = ("faithful", "shorter", "swapped")


@click.command(
    name="prompt",
    epilog=examples(
        "linernotes prompt night-bus",
        "linernotes prompt night-bus --target suno-v4 --variant shorter",
        "linernotes prompt mix.wav --json | jq -r .style",
    ),
)
@click.argument("track", metavar="TRACK|FILE")
@click.option("--target", metavar="NAME", help="suno-v5, suno-v4, udio or plain. [default: suno-v5]")
@click.option("--variant", type=click.Choice(_VARIANTS), default="faithful", show_default=True)
@click.option("--words", is_flag=True, help="Let a language model join our phrases: sends these and nothing else.")
@home_option
@json_option
def prompt(track: str, target: str | None, variant: str, words: bool, home: str | None, as_json: bool) -> int:
    """Say what to ask a music generator for, so that it makes music like a TRACK of the library or like a FILE.

    Everything rests on measured numbers; --json names them for each phrase. No artist, title or file name is used. The
    prompt's title carries an id: drop what was generated, and its page shows what was asked against what is measured.

    A FILE is analysed anew and not stored. Deep results (stems, voice, tags) of a TRACK make its prompt richer.
    """
    from processor.config import load_settings
    from processor.prompt.composer import compose
    from processor.prompt.generations import generation_of
    from processor.prompt.kept import folder_of
    from processor.prompt.targets import DEFAULT, target_named
    from processor.workspace import Workspace

    aim = target_named(target or DEFAULT)
    path = home_path(home)
    workspace, settings = Workspace(path), load_settings(path)
    name, found, said = _subject(track, home, workspace, settings)
    made, trouble = compose(found, said, aim, variant), None
    if words:
        made, trouble = _worded(made, workspace, settings)
    _keep(workspace, made, name)
    came_back = generation_of(found, said, folder_of(workspace))
    if as_json:
        facts = made.told() if trouble is None else made.told() | {"words_error": trouble}
        generation = None if came_back is None else came_back.told()
        print_json({"track": name, **facts, "generation": generation})
    else:
        _show(made, trouble, came_back)
    return OK


def _subject(
    track: str, home: str | None, workspace: Workspace, settings: Settings
) -> tuple[str, Record, Mapping[str, JSON]]:
    """The name, the record and a person's words of what is meant: a file if there is one of that name, else a track."""
    from processor import library, record
    from processor.analysis import result_types

    if Path(track).is_file():
        return _file(Path(track), home, settings)
    if not workspace.exists():
        raise WrongUsage(f"There is no file {decodable(track)!r}, and no library in {workspace.home} that has it.")
    found = library.resolve(workspace, decodable(track))
    return found.id, record.read(found.folder, result_types()), library.read_person(found)


def _file(file: Path, home: str | None, settings: Settings) -> tuple[str, Record, Mapping[str, JSON]]:
    """A file, analysed now; a person's words hold if the library knows it."""
    from processor.cli.analysing import analysed
    from processor.cli.bench import open_bench
    from processor.files import printable
    from processor.library import known_words
    from processor.record import Record

    known = open_bench(home, None, None).known(file)
    [(_, answer)] = analysed([file], settings, 1, lambda _: known_words(known.said))
    if isinstance(answer, str):
        raise WrongUsage(f"{printable(str(file))}: {answer}")
    name = printable(decodable(file.name))
    return name, Record("track", known.sha256, name, answer.results, {}, answer.failures), known.said


def _worded(made: Prompt, workspace: Workspace, settings: Settings) -> tuple[Prompt, str | None]:
    """A model's words if they keep to ours, or why there are none."""
    from processor.feedback.llm import NoWords
    from processor.prompt.kept import folder_of
    from processor.prompt.polish import polished

    try:
        return polished(made, settings.llm, folder_of(workspace) if workspace.exists() else None), None
    except NoWords as error:
        return made, str(error)


def _keep(workspace: Workspace, made: Prompt, name: str) -> None:
    """Keep what is shown, where there is a library; without it, the id could not be told from a stranger's."""
    from processor.prompt.kept import folder_of, keep

    if not workspace.exists():
        click.echo("There is no library here, so the prompt is not kept and its id will not be known.", err=True)
        return
    try:
        keep(folder_of(workspace), [made], name)
    except OSError as error:
        click.echo(f"The prompt could not be kept ({error.strerror}): its id will not be known.", err=True)


def _show(made: Prompt, trouble: str | None, came_back: Generation | None) -> None:
    counts = made.counts()
    for label, field in (("Title", "title"), ("Style", "style"), ("Exclude", "exclusions"), ("Lyrics", "lyrics")):
        found, most = counts[field]
        text = str(getattr(made, field)) or "–"
        click.secho(f"{label} ({found} of {most} characters)", bold=True)
        click.echo(f"{text}\n")
    click.secho(f"{made.id} · {made.target.title} · {made.variant}", dim=True)
    if made.swap is not None:
        click.echo(f"Swapped: {made.swap.removed.text} → {made.swap.added.text}. {made.swap.why}")
    for line in (*made.rests_on, *made.limits):
        click.echo(f"· {line}")
    if trouble is not None:
        click.echo(f"· These are our own words: {trouble}")
    if came_back is not None:
        _show_generation(came_back)


def _show_generation(came_back: Generation) -> None:
    """What an earlier prompt asked of this very song."""
    if came_back.kept is None:
        click.echo(f"\nIt carries the id {came_back.id}, which this library has not given out.")
        return
    click.secho(f"\nMade from the prompt {came_back.id}: {came_back.summary}", bold=True)
    marks = {"close": "✓", "off": "✗", "unknown": "–"}
    for row in came_back.rows:
        remark = f" ({row.remark})" if row.remark else ""
        click.echo(f"  {marks[row.verdict]} {row.what}: asked {row.asked}, measured {row.measured or '–'}{remark}")
