"""Commands that judge by limits: `check`, which ends like a test does, and `badge`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from processor.cli.bench import Bench, checked_files, open_bench, own_checks, profile_option, target_option
from processor.cli.shared import OK, decodable, examples, home_option, json_option, print_json, say, workers_option
from processor.errors import LinerNotesError, WrongUsage

if TYPE_CHECKING:
    from processor.feedback.check_reports import FileReport
    from processor.quantities import Column
    from processor.record import Results

# A check's exit codes are its own.
CHECK_FAILED, UNREADABLE = 1, 3
_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red", "skip": None}


@click.command(
    epilog=examples(
        "linernotes check mix.wav",
        "linernotes check --target youtube --profile techno *.wav || echo 'not yet'",
        "linernotes check --json *.flac | jq -r 'select(.passed | not) | .file'",
        "linernotes check --junit bounces/*.wav > checks.xml",
    )
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@target_option
@profile_option
@click.option("--sarif", "as_sarif", is_flag=True, help="Print SARIF 2.1.0: what fails and what warns.")
@click.option("--junit", "as_junit", is_flag=True, help="Print JUnit XML: a suite for each file.")
@workers_option
@home_option
@json_option
def check(files: tuple[Path, ...], home: str | None, workers: int | None, **options: Any) -> int:
    """Check FILEs against limits, as a test does; nothing is stored.

    Exit code 0: every check passed, or only warns. 1: a check failed. 3: a file could not be read, whatever the
    others did, so that no script takes it for checked. 2: wrong usage.

    A file of SQL in library/checks is a check of your own: one SELECT of the rows that offend, with a column `track`.
    One that is broken fails.

    With --json, one object a line: {"file": …, "passed": …, "checks": [{"id": …, "status": "pass|warn|fail|skip",
    "expected": …, "found": …, "why": …}]}, and "error" for a file that could not be read.
    """
    style = _style(**{name: options[name] for name in ("as_json", "as_sarif", "as_junit")})
    try:
        bench = open_bench(home, options["target"], options["profile"])
        return _printed(_reports(files, bench, workers), style)
    except (WrongUsage, BrokenPipeError):
        raise
    except (LinerNotesError, OSError) as error:  # 1 would say that a check failed
        say(f"linernotes: {error}", err=True)
        return UNREADABLE


def _style(as_json: bool, as_sarif: bool, as_junit: bool) -> str:
    chosen = [name for name, is_chosen in (("json", as_json), ("sarif", as_sarif), ("junit", as_junit)) if is_chosen]
    if len(chosen) > 1:
        raise WrongUsage(f"Choose one of {' and '.join(f'--{name}' for name in chosen)}.")
    return chosen[0] if chosen else "text"


def _reports(files: Sequence[Path], bench: Bench, workers: int | None) -> Iterator[FileReport]:
    """How each file did, in the order of the files: at once, or all at the end where own checks want to see them."""
    from processor.feedback.own_checks import own_files

    checked = checked_files(files, bench, workers)
    if not own_files(bench.own_folder):
        yield from (report for report, _, _ in checked)
        return
    reports: list[tuple[FileReport, str]] = []

    def passing_by() -> Iterator[tuple[str, str, Results]]:
        for report, track, results in checked:
            reports.append((report, track))
            if results is not None:
                yield track, report.path.name, results

    own = own_checks(bench, passing_by())
    for report, track in reports:
        yield report if report.error is not None else replace(report, checks=report.checks + own[track])


def _printed(reports: Iterator[FileReport], style: str) -> int:
    """Print reports as they come, or as one document when all are there; return the exit code."""
    from processor.feedback.check_reports import junit, sarif

    shown = []
    for report in reports:
        shown.append(report)
        if style == "json":
            print_json(report.facts())
        elif style == "text":
            _show(report)
    if style == "sarif":
        click.echo(sarif(shown, Path.cwd()))
    elif style == "junit":
        click.echo(junit(shown), nl=False)
    elif style == "text" and len(shown) > 1:
        _show_count(shown)
    if any(report.error is not None for report in shown):
        return UNREADABLE
    return OK if all(report.passed for report in shown) else CHECK_FAILED


def _show(report: FileReport) -> None:
    from processor.feedback.check import MARKS
    from processor.files import printable

    click.secho(printable(report.name), bold=True, nl=not report.against)
    if report.against:
        click.secho(f"  {report.against}", dim=True)
    if report.error is not None:
        click.echo(f"  {click.style(MARKS['fail'], fg='red')} {printable(report.error)}")
        return
    width = max((len(one.title) for one in report.checks), default=0)
    for one in report.checks:
        mark = click.style(one.mark, fg=_COLOURS[one.status])
        if one.status == "skip":
            click.echo(f"  {mark} {one.title:<{width}}  {one.why}")
            continue
        limit = f"(expected {one.expected})" if one.expected and one.status != "pass" else ""
        click.echo(f"  {mark} {one.title:<{width}}  {one.found} {limit}".rstrip())
        if one.status != "pass" and one.why:
            click.echo(f"    {'':<{width}}  {one.why}")
    click.echo(f"  {report.summary.text}")


def _show_count(reports: Sequence[FileReport]) -> None:
    unread = sum(report.error is not None for report in reports)
    passed = sum(report.passed for report in reports)
    failed = len(reports) - passed - unread
    words = [f"{passed} passed", f"{failed} failed"] + [f"{unread} could not be read"] * bool(unread)
    click.echo(f"{len(reports)} files: {', '.join(words)}")


@click.command(
    epilog=examples(
        "linernotes badge morning-tape --out badge.svg",
        "linernotes badge mix.wav --target youtube > badge.svg",
        "linernotes badge mix.wav --field loudness.integrated_lufs --out loudness.svg",
    )
)
@click.argument("what", metavar="TRACK|FILE", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Where to write it. [default: print it]")
@click.option("--field", "name", metavar="FIELD", help="Show this number instead, such as loudness.integrated_lufs.")
@target_option
@profile_option
@home_option
def badge(
    what: Path, out: Path | None, name: str | None, target: str | None, profile: str | None, home: str | None
) -> None:
    """Draw a badge: an SVG that says whether a track of the library, or a file, passes its checks.

    It ends well whatever it says: `linernotes check` is for scripts.
    """
    from processor.feedback.badge import badge as drawn
    from processor.feedback.badge import standing
    from processor.files import write_atomically

    column = None if name is None else _column(name)
    bench = open_bench(home, target, profile)
    report, results = _of_file(what, bench) if what.exists() else _of_track(what, bench)
    svg = drawn("mix", *standing(report.summary)) if column is None else _number(column, results)
    if out is None:
        click.echo(svg, nl=False)
    else:
        write_atomically(out, svg, durable=False)


def _column(name: str) -> tuple[str, Column]:
    """The analyser and the declaration of a field that fits on a badge.

    Raises:
        WrongUsage: there is no such field, or it is no single value.
    """
    from difflib import get_close_matches

    from processor.analysis import result_types
    from processor.quantities import columns

    known = {
        f"{analyser}.{column.name}": (analyser, column)
        for analyser, kind in result_types().items()
        for column in columns(kind)
        if column.base_type in (bool, int, float, str)
    }
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else " `linernotes explain levels` lists those of an analyser."
        raise WrongUsage(f"{decodable(name)!r} is no field that fits on a badge.{hint}")
    return known[name]


def _number(named: tuple[str, Column], results: Results) -> str:
    from processor.feedback.badge import NUMBER
    from processor.feedback.badge import badge as drawn
    from processor.feedback.check import value_text

    analyser, column = named
    value = getattr(results.get(analyser), column.name, None)
    q = column.quantity
    text = "not measured" if value is None else value_text(value, q.digits, q.unit)
    return drawn(q.label, text, NUMBER)


def _of_file(file: Path, bench: Bench) -> tuple[FileReport, Results]:
    """How a file does.

    Raises:
        AudioError: it cannot be heard.
    """
    from processor.errors import AudioError

    ((report, track, results),) = checked_files([file], bench, None)
    if results is None:
        raise AudioError(str(report.error))
    own = own_checks(bench, iter([(track, file.name, results)]))
    return replace(report, checks=report.checks + own[track]), results


def _of_track(words: Path, bench: Bench) -> tuple[FileReport, Results]:
    """How a track of the library does.

    Raises:
        WorkspaceError: there is no workspace.
        WrongUsage: it has no such track.
        RecordError: its record cannot be read.
    """
    from processor import library, record
    from processor.analysis import result_types
    from processor.feedback.check_reports import FileReport
    from processor.feedback.own_checks import library_checks
    from processor.workspace import existing

    workspace = existing(bench.workspace.home)
    track = library.resolve(workspace, decodable(str(words)))
    results = record.read(track.folder, result_types()).results
    checks, against = bench.check(results, library.read_person(track))
    own = library_checks(workspace, bench.own_folder).get(track.id, ())
    return FileReport(words, checks + own, against=against), results
