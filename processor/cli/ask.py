"""Commands that ask: analyse, query, explain, serve, doctor. None of them changes what is kept."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from processor.cli.analysing import analysed
from processor.cli.shared import (
    NOTHING_DONE,
    OK,
    SET_ASIDE,
    decodable,
    examples,
    home_option,
    home_path,
    json_option,
    open_workspace,
    plural,
    print_json,
    say,
    workers_option,
)
from processor.errors import WorkspaceError, WrongUsage

if TYPE_CHECKING:
    from processor.config import Settings
    from processor.graph import Outcome
    from processor.same import Twin
    from processor.workspace import Workspace

_MOST_SHOWN = 12  # items of a list: a song has hundreds of chords
_QUERY_HINT = "The tables: linernotes query 'SHOW TABLES'. Their columns: linernotes query 'DESCRIBE tracks'."


@click.command(
    epilog=examples(
        "linernotes analyse mix.wav",
        "linernotes analyse --json *.flac | jq .loudness.integrated_lufs",
        "linernotes analyse --deep --json mix.wav | jq .tags.names",
    )
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@click.option("--deep", is_flag=True, help="Let the models that are here hear, too; it takes minutes.")
@workers_option
@home_option
@json_option
def analyse(files: tuple[Path, ...], deep: bool, workers: int | None, home: str | None, as_json: bool) -> int:
    """Analyse FILEs and print the results; nothing is stored.

    With --json, one object a line: {"file": …, "loudness": {…}, "levels": {…}, …}, or {"file": …, "error": …}.
    """
    from processor.config import load_settings

    settings = load_settings(home_path(home))
    failed = 0
    for text in _deep_advice(settings) if deep else ():
        say(text, err=True)
    for file, answer in analysed(files, settings, workers, deep=deep):
        facts = _analysis_facts(answer)
        failed += "error" in facts
        if as_json:
            print_json({"file": decodable(str(file)), **facts})
        else:
            _show_analysis(file, facts)
    if not failed:
        return OK
    return NOTHING_DONE if failed == len(files) else SET_ASIDE


def _deep_advice(settings: Settings) -> list[str]:
    from processor.backlog import advice

    return advice(settings)


def _analysis_facts(answer: Outcome | str) -> dict[str, Any]:
    from processor.record import plain

    if isinstance(answer, str):
        return {"error": answer}
    facts: dict[str, Any] = {name: plain(result) for name, result in answer.results.items()}
    if answer.failures:
        facts["failures"] = {name: {"kind": f.kind, "reason": f.reason} for name, f in answer.failures.items()}
    return facts


def _show_analysis(file: Path, facts: dict[str, Any]) -> None:
    from processor.analysis import all_analysers, reading_order, result_types
    from processor.files import printable
    from processor.graph import deep
    from processor.quantities import columns

    click.secho(printable(str(file)), bold=True)
    if "error" in facts:
        click.echo(f"  {facts['error']}")
        return
    kinds = result_types()
    for name in reading_order(kinds):
        if name not in facts:
            if name in deep(all_analysers()) and name not in facts.get("failures", {}):
                continue  # no model is here, or nobody asked for --deep
            reason = facts.get("failures", {}).get(name, {}).get("reason", "switched off")
            click.echo(f"  {name}: {reason}")
            continue
        for column in columns(kinds[name]):
            value = facts[name][column.name]
            if not column.is_curve and value not in (None, []):
                text = f"{_text(value, column.quantity.digits)} {column.quantity.unit}".rstrip()
                click.echo(f"  {name + '.' + column.name:<33} {text}")


def _text(value: Any, digits: int) -> str:
    if isinstance(value, list):
        shown = " / ".join(_text(item, digits) for item in value[:_MOST_SHOWN])
        return shown if len(value) <= _MOST_SHOWN else f"{shown} / … ({len(value)} in all: --json)"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


@click.command(
    epilog=examples(
        "linernotes query 'SELECT title, integrated_lufs FROM tracks ORDER BY 2 DESC'",
        "linernotes query --format csv 'FROM tracks' > tracks.csv",
        "linernotes query 'SHOW TABLES'",
    )
)
@click.argument("sql")
@click.option("--format", "style", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@home_option
@json_option
def query(sql: str, style: str, home: str | None, as_json: bool) -> None:
    """Ask the catalogue in SQL; `-` reads the query from standard input."""
    from processor.cli.formats import print_rows

    workspace, _ = open_workspace(home)
    text = sys.stdin.buffer.read().decode("utf-8", "replace") if sql == "-" else decodable(sql)
    names, rows = _answer(workspace, text)
    print_rows("json" if as_json else style, names, rows)


def _answer(workspace: Workspace, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows.

    Raises:
        WrongUsage: the query is wrong.
        WorkspaceError: the catalogue is.
    """
    import duckdb

    from processor import catalogue

    try:
        if not duckdb.extract_statements(sql):
            raise WrongUsage(f"The query is empty.\n{_QUERY_HINT}")
        return catalogue.query(workspace, sql)
    except duckdb.Error as error:
        if "pytz" in str(error):  # what DuckDB's client makes such a time with, and we do not depend on
            raise WrongUsage("A column is a time with a time zone; cast it: now()::TIMESTAMP.") from error
        try:
            catalogue.query(workspace, "SELECT track FROM library LIMIT 1")
        except duckdb.Error as trouble:
            raise WorkspaceError(
                f"{workspace.catalogue} cannot be read; `linernotes rebuild` makes it anew. ({trouble})"
            ) from trouble
        raise WrongUsage(f"{str(error).strip()}\n{_QUERY_HINT}") from error


@click.command(
    epilog=examples(
        "linernotes explain loudness.integrated_lufs",
        "linernotes explain levels",
        "linernotes explain dr --json",
    )
)
@click.argument("field")
@json_option
@home_option
def explain(field: str, as_json: bool, home: str | None) -> None:
    """Say what a field means, where it comes from and which lines of code compute it."""
    from processor.explain import explanations

    del home  # a field means the same in every workspace
    for one in explanations(field):
        if as_json:
            print_json(one.facts())
        else:
            click.echo(one.text() + "\n")


@click.command(epilog=examples("linernotes same", "linernotes same morning-tape", "linernotes same --json"))
@click.argument("track", required=False)
@home_option
@json_option
def same(track: str | None, home: str | None, as_json: bool) -> None:
    """Find tracks that are one recording: coded, cut, turned up or down, equalised or sped up anew.

    Without TRACK, every recording that the library has more than once. Tracks with the same bytes are one track anyway.
    """
    from processor import library
    from processor.same import Group, groups, same_as

    workspace, _ = open_workspace(home)
    if track is None:
        found = groups(workspace)
    else:
        chosen = library.resolve(workspace, track)
        twins = tuple(same_as(workspace, chosen))
        found = [Group(chosen, twins)] if twins else []
    for group in found:
        if as_json:
            print_json({"track": group.first.id, "same": [_twin_facts(twin) for twin in group.others]})
            continue
        click.echo(group.first.id)
        for twin in group.others:
            match = twin.match
            click.echo(
                f"  {twin.track.id}  {match.score:.0%} alike, {match.offset_s:+.2f} s, "
                f"speed {match.speed:.4f}, pitch {match.pitch_cents:+.0f} cents"
            )
    if not found and not as_json:
        say("No recording is there twice." if track is None else f"{track} is there once.")


def _twin_facts(twin: Twin) -> dict[str, Any]:
    match = twin.match
    return {
        "track": twin.track.id,
        "score": round(match.score, 4),
        "overlap": round(match.overlap, 4),
        "offset_s": round(match.offset_s, 3),
        "speed": round(match.speed, 5),
        "pitch_cents": round(match.pitch_cents, 1),
    }


@click.command(epilog=examples("linernotes serve", "linernotes serve --port 9000"))
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes a free one.")
@home_option
def serve(port: int, home: str | None) -> None:
    """Serve the site on this machine, with range requests, until Ctrl-C."""
    from processor.serve import HOST, server

    workspace, _ = open_workspace(home)
    if not (workspace.site / "index.html").is_file():
        raise WorkspaceError(f"There are no pages in {workspace.site} yet; `linernotes rebuild` makes them.")
    try:
        running = server(workspace.site, port)
    except OSError as error:
        raise WorkspaceError(f"Port {port} cannot be used ({error.strerror}); choose another with --port.") from error
    try:
        say(f"http://{HOST}:{running.server_address[1]}/  (Ctrl-C ends)")
        running.serve_forever()
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)
    finally:
        running.server_close()


@click.command(epilog=examples("linernotes doctor", "linernotes doctor --thorough --json"))
@click.option("--thorough", is_flag=True, help="Also check every byte of the library against its hash.")
@home_option
@json_option
def doctor(thorough: bool, home: str | None, as_json: bool) -> int:
    """Say what is installed, whether the workspace is sound, and how to mend it. Exit code 1 if something is not."""
    from dataclasses import asdict

    from processor.doctor import examine
    from processor.workspace import Workspace

    problems = 0
    marks = {"ok": "✓", "note": "·", "problem": "✗"}
    for finding in examine(Workspace(home_path(home)), thorough=thorough):
        problems += finding.state == "problem"
        if as_json:
            print_json(asdict(finding))
        else:
            click.echo(
                f"{marks[finding.state]} {finding.subject}: {finding.text}"
                + (f"\n    → {finding.remedy}" if finding.remedy else "")
            )
    if not as_json:
        click.echo("All is sound." if not problems else f"{plural(problems, 'problem')}.")
    return NOTHING_DONE if problems else OK
