"""Commands that ask: analyse, query, explain, serve, doctor. None of them changes what is kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from processor.cli.shared import (
    NOTHING_DONE,
    OK,
    SET_ASIDE,
    examples,
    home_option,
    json_option,
    open_workspace,
    print_json,
    progress_bar,
    workers_option,
)
from processor.errors import WrongUsage

if TYPE_CHECKING:
    from processor.config import Settings


@click.command(
    epilog=examples("linernotes analyse mix.wav", "linernotes analyse --json *.flac | jq .loudness.integrated_lufs")
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@workers_option
@home_option
@json_option
def analyse(files: tuple[Path, ...], workers: int | None, home: str | None, as_json: bool) -> int:
    """Analyse FILEs and print the results; nothing is stored.

    With --json, one object a line: {"file": …, "loudness": {…}, "levels": {…}, …}, or {"file": …, "error": …}.
    """
    from dataclasses import replace

    from processor.config import load_settings
    from processor.engine import Engine
    from processor.workspace import choose_home

    settings = load_settings(choose_home(home, os.environ))
    count = min(workers or settings.workers.count or os.cpu_count() or 1, len(files))
    settings = replace(settings, workers=replace(settings.workers, count=count))
    failed = 0
    with Engine(settings) as engine, progress_bar("Analysing", len(files)) as step:
        for file, facts in _analyses(files, settings, engine):
            step(file.name)
            failed += "error" in facts
            if as_json:
                print_json({"file": str(file), **facts})
            else:
                _show_analysis(file, facts)
    if not failed:
        return OK
    return NOTHING_DONE if failed == len(files) else SET_ASIDE


def _analyses(files: Sequence[Path], settings: Settings, engine: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Results in the order of the files, whichever is done first."""
    from processor.engine import Job
    from processor.inbox import drops_from

    facts: dict[int, dict[str, Any]] = {}
    queue: dict[int, Job] = {}
    for number, file in enumerate(files):
        if file.is_dir():
            facts[number] = {"error": "This is a folder; name the files in it."}
        elif trouble := drops_from([file]).missing:
            facts[number] = {"error": f"It cannot be analysed: {trouble[0].reason}."}
        else:
            queue[number] = Job(file.resolve(), f"{number}", settings.limits, settings.analysers.off)
    for job in queue.values():
        engine.submit(job)
    following = 0
    while following < len(files):
        while following in facts:
            yield files[following], facts.pop(following)
            following += 1
        if following < len(files):
            for done in engine.next_done():
                facts[int(done.job.sha256)] = _analysis_facts(done)


def _analysis_facts(done: Any) -> dict[str, Any]:
    from processor.record import plain

    if done.outcome is None:
        return {"error": str(done.error)}
    facts: dict[str, Any] = {name: plain(result) for name, result in done.outcome.results.items()}
    if done.outcome.failures:
        facts["failures"] = {name: {"kind": f.kind, "reason": f.reason} for name, f in done.outcome.failures.items()}
    return facts


def _show_analysis(file: Path, facts: dict[str, Any]) -> None:
    from processor.analysis import result_types
    from processor.files import printable
    from processor.quantities import columns

    click.secho(printable(str(file)), bold=True)
    if "error" in facts:
        click.echo(f"  {facts['error']}")
        return
    for name, kind in result_types().items():
        if name not in facts:
            reason = facts.get("failures", {}).get(name, {}).get("reason", "switched off")
            click.echo(f"  {name}: {reason}")
            continue
        for column in columns(kind):
            value = facts[name][column.name]
            if column.is_curve or value is None:
                continue
            text = " / ".join(str(v) for v in value) if isinstance(value, list) else str(value)
            click.echo(f"  {name + '.' + column.name:<34}{text} {column.quantity.unit}")


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
    import duckdb

    from processor import catalogue

    workspace, _ = open_workspace(home)
    try:
        names, rows = catalogue.query(workspace, sys.stdin.read() if sql == "-" else sql)
    except duckdb.Error as error:
        raise WrongUsage(
            f"{error}\nThe tables: linernotes query 'SHOW TABLES'. Their columns: linernotes query 'DESCRIBE tracks'."
        ) from error
    if as_json or style == "json":
        for row in rows:
            print_json({name: _jsonable(value) for name, value in zip(names, row, strict=True)})
    elif style == "csv":
        import csv

        writer = csv.writer(sys.stdout)
        writer.writerow(names)
        writer.writerows([[_jsonable(value) for value in row] for row in rows])
    else:
        _print_table(names, rows)


def _jsonable(value: Any) -> Any:
    """A value of DuckDB's as JSON has it: dates as ISO 8601, numbers that are none as null."""
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _print_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    def cell(value: Any) -> str:
        text = (
            ""
            if value is None
            else f"{value:.4g}"
            if isinstance(value, float) and abs(value) < 1e4
            else str(_jsonable(value))
        )
        return text if len(text) <= 60 else text[:59] + "…"

    lines = [[cell(value) for value in row] for row in rows]
    widths = [max([len(name), *(len(line[k]) for line in lines)]) for k, name in enumerate(names)]
    is_number = [any(isinstance(row[k], (int, float)) for row in rows) for k in range(len(names))]
    for line in [list(names), ["─" * width for width in widths], *lines]:
        cells = (
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, is_number, strict=True)
        )
        click.echo("  ".join(cells).rstrip())
    click.echo(f"({len(rows)} row{'' if len(rows) == 1 else 's'})", err=True)


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


@click.command(epilog=examples("linernotes serve", "linernotes serve --port 9000"))
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes a free one.")
@home_option
def serve(port: int, home: str | None) -> None:
    """Serve the site on this machine, with range requests, until Ctrl-C."""
    from processor.errors import WorkspaceError
    from processor.serve import HOST, server

    workspace, _ = open_workspace(home)
    if not (workspace.site / "index.html").is_file():
        raise WorkspaceError(f"There are no pages in {workspace.site} yet; `linernotes rebuild` makes them.")
    try:
        running = server(workspace.site, port)
    except OSError as error:
        raise WorkspaceError(f"Port {port} cannot be used ({error.strerror}); choose another with --port.") from error
    click.echo(f"http://{HOST}:{running.server_address[1]}/  (Ctrl-C ends)")
    sys.stdout.flush()
    try:
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

    from processor.config import load_settings
    from processor.doctor import examine
    from processor.workspace import Workspace, choose_home

    home_path = choose_home(home, os.environ)
    problems = 0
    marks = {"ok": "✓", "note": "·", "problem": "✗"}
    for finding in examine(Workspace(home_path), load_settings(home_path), thorough=thorough):
        problems += finding.state == "problem"
        if as_json:
            print_json(asdict(finding))
        else:
            click.echo(
                f"{marks[finding.state]} {finding.subject}: {finding.text}"
                + (f"\n    → {finding.remedy}" if finding.remedy else "")
            )
    if not as_json:
        click.echo("All is sound." if not problems else f"{problems} problem{'' if problems == 1 else 's'}.")
    return NOTHING_DONE if problems else OK
