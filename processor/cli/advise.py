"""The command that says what is right and wrong with a mix: advise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from processor.cli.bench import Bench, open_bench
from processor.cli.shared import (
    NOTHING_DONE,
    OK,
    SET_ASIDE,
    decodable,
    examples,
    home_option,
    json_option,
    print_json,
    workers_option,
)
from processor.errors import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processor.config import Settings
    from processor.feedback.advice import Advice
    from processor.feedback.desk import Desk, Verdict
    from processor.feedback.llm import Wording
    from processor.feedback.profiles import Profile
    from processor.record import Results

# Colour of a severity on a terminal.
_COLOURS = {"fault": "red", "warning": "yellow", "note": "blue", "strength": "green"}
_MARKS = {"fault": "✗", "warning": "⚠", "note": "·", "strength": "✓"}
_PLACES = 6


@click.command(
    epilog=examples(
        "linernotes advise mix.wav",
        "linernotes advise mix.wav --profile techno --target apple-music",
        "linernotes advise mix.wav --reference hit.wav --reference other-hit.flac",
        "linernotes advise --json *.wav | jq -r '.advice[] | select(.severity == \"fault\") | .title'",
    )
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@click.option(
    "--reference",
    "references",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Measure against this recording; several make a corridor.",
)
@click.option("--profile", metavar="NAME", help="Measure against this kind of music. [default: by the genre tag]")
@click.option("--target", metavar="NAME", help="Where the music goes. [default: the setting desk.target]")
@click.option("--words", is_flag=True, help="Let a language model word it, too: sends numbers and the file's name.")
@workers_option
@home_option
@json_option
def advise(
    files: tuple[Path, ...],
    references: tuple[Path, ...],
    profile: str | None,
    target: str | None,
    words: bool,
    workers: int | None,
    home: str | None,
    as_json: bool,
) -> int:
    """Say what is right and wrong with a mix, where, and what to do about it; nothing is stored.

    Of a file that the library knows, your own words hold: its genre, what you set.

    With --json, one object a line: {"file": …, "profile": …, "target": …, "material": …, "advice": […]}, or
    {"file": …, "error": …}.    `linernotes profile list` shows the profiles.

    Exit code 0: every file was judged. 3: some could not be read. 1: none could.
    """
    from processor.cli.analysing import analysed
    from processor.feedback.desk import judge
    from processor.library import known_words

    if references and profile:
        raise WrongUsage("--reference and --profile both say what to measure against; give one of them.")
    bench = open_bench(home, target, profile)
    desk = _desk(bench)
    against = _of_references(references, desk.settings, workers) if references else bench.profile
    failed = 0
    for file, answer in analysed(files, desk.settings, workers, lambda file: known_words(bench.known(file).said)):
        if isinstance(answer, str):
            failed += 1
            _show_error(file, answer, as_json)
            continue
        verdict = judge(desk, answer.results, bench.known(file).said, against)
        wording = _wording(desk, file, verdict, answer.results) if words else None
        _show(file, verdict, answer.results, wording, as_json)
    if not failed:
        return OK
    return NOTHING_DONE if failed == len(files) else SET_ASIDE


def _desk(bench: Bench) -> Desk:
    """The desk of the workspace, which judges for the platform that the command line names."""
    from dataclasses import replace

    settings = bench.desk.settings
    target = replace(settings.desk, target=bench.platform.name)
    return replace(bench.desk, settings=replace(settings, desk=target))


def _of_references(references: Sequence[Path], settings: Settings, workers: int | None) -> Profile:
    """The corridor that references make."""
    from processor.cli.analysing import analysed
    from processor.feedback.profiles import profile_of
    from processor.files import printable

    found = []
    for file, answer in analysed(references, settings, workers):
        if isinstance(answer, str):
            raise WrongUsage(f"--reference {printable(str(file))}: {answer}")
        found.append(answer.results)
    names = ", ".join(printable(file.name) for file in references)
    return profile_of("reference", names, found, f"measured on {names}")


def _wording(desk: Desk, file: Path, verdict: Verdict, results: Results) -> Wording | str:
    """A language model's words, or why there are none."""
    from processor.feedback.llm import NoWords, worded
    from processor.feedback.words import facts_of

    try:
        return worded(facts_of(verdict, results), {"file": file.name}, desk.settings.llm)
    except NoWords as error:
        return str(error)


def _show_error(file: Path, reason: str, as_json: bool) -> None:
    from processor.files import printable

    if as_json:
        print_json({"file": decodable(str(file)), "error": reason, "advice": []})
    else:
        click.secho(printable(str(file)), bold=True)
        click.echo(f"  {reason}")


def _show(file: Path, verdict: Verdict, results: Results, wording: Wording | str | None, as_json: bool) -> None:
    from processor.feedback.advice import facts_of
    from processor.files import printable
    from processor.site.desk import heard_as

    if as_json:
        print_json(
            {
                "file": decodable(str(file)),
                "profile": verdict.profile.name,
                "target": verdict.platform.name,
                "material": getattr(results.get("material"), "kind", None),
                "advice": facts_of(verdict.advice),
                **_wording_facts(wording),
            }
        )
    else:
        click.secho(printable(str(file)), bold=True)
        click.echo(f"  against {verdict.profile.title} ({verdict.profile_why}), for {verdict.platform.title}")
        if heard := heard_as(results):
            click.echo(f"  {heard}")
        for one in verdict.advice:
            _show_advice(one)
        if not verdict.advice:
            click.echo("  There is nothing to say of it.")
        _show_wording(wording)
    for reason in verdict.broken:
        click.echo(f"A rule could not judge it: {reason}", err=True)


def _wording_facts(wording: Wording | str | None) -> dict[str, Any]:
    from dataclasses import asdict

    if wording is None:
        return {}
    return {"wording": None, "wording_error": wording} if isinstance(wording, str) else {"wording": asdict(wording)}


def _show_wording(wording: Wording | str | None) -> None:
    if isinstance(wording, str):
        click.echo(f"\n  These are our own words: {wording}")
    elif wording is not None:
        click.echo(f"\n  In the words of {wording.model}, which may use no other facts:")
        for title, part in (("Summary", wording.summary), ("First", wording.priorities), ("Notes", wording.notes)):
            click.echo(f"    {title}: " + " ".join(sentence.text for sentence in part))


def _show_advice(one: Advice) -> None:
    from processor.site.charts import clock

    times = list(dict.fromkeys(clock(start) for start, _ in one.times_s))  # several within a second are one
    places = ", ".join(times[:_PLACES]) + (" …" if len(times) > _PLACES else "")
    head = click.style(f"{_MARKS[one.severity]} {one.severity}", fg=_COLOURS[one.severity])
    click.echo(f"\n  {head}  {click.style(one.title, bold=True)}  [{one.id}]")
    click.echo(f"    {one.text}" + (f" At {places}." if places else ""))
    for step in one.processing:
        click.echo(f"    → {step.text}")
    for proof in one.evidence:
        found = f"      {proof.field} = {_value(proof.value)} {proof.unit}".rstrip()
        click.echo(click.style(f"{found}, fine: {proof.limit}", dim=True))


def _value(value: float | int | str | bool | None) -> str:
    """A measured value as the limits beside it are written."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return (f"{value:g}" if isinstance(value, float) else str(value)).replace("-", "−")
    return "not measured" if value is None else value
