"""The command `compare`: a mix beside its references, without storing anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from processor.cli.shared import (
    NOTHING_DONE,
    OK,
    SET_ASIDE,
    decodable,
    examples,
    home_option,
    home_path,
    json_option,
    print_json,
    workers_option,
)
from processor.errors import WrongUsage

if TYPE_CHECKING:
    from processor.config import Settings
    from processor.feedback.compare import Comparison
    from processor.graph import Outcome
    from processor.record import Results


@dataclass(frozen=True)
class _Answer:
    """All that is told: the references that were used, what came of them, and what could not be used and why."""

    mix: Path
    references: Sequence[Path]
    comparison: Comparison
    matching: Outcome
    notes: Sequence[tuple[Path, str]]
    audition: Path | None


@click.command(
    epilog=examples(
        "linernotes compare mix.wav reference.flac",
        "linernotes compare mix.wav references/*.flac --json | jq .differences",
        "linernotes compare mix.wav reference.flac --out auditions",
    )
)
@click.argument("mix", type=click.Path(path_type=Path), metavar="MIX")
@click.argument("references", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="REFERENCE…")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Render the mix behind the suggested equaliser, as loud as the reference, into this folder (FLAC, 24 bit).",
)
@workers_option
@home_option
@json_option
def compare(
    mix: Path, references: tuple[Path, ...], out: Path | None, workers: int | None, home: str | None, as_json: bool
) -> int:
    """Compare MIX with one or more REFERENCEs, loudness-matched, and suggest a matching equaliser; nothing is stored.

    Several references make a corridor. The equaliser is applied to the mix and measured again: it is suggested only if
    it lowers the difference. Exit code 3 if some reference could not be used, 1 if nothing could be compared.
    """
    from processor.cli.analysing import analysed
    from processor.config import load_settings
    from processor.feedback.compare import compare as beside

    settings = load_settings(home_path(home))
    audition = None if out is None else _audition_path(out, mix, references)
    notes: list[tuple[Path, str]] = []
    heard: dict[int, Results] = {}
    for number, (file, answer) in enumerate(analysed([mix, *references], settings, workers)):
        results = _results(answer)
        if isinstance(results, str):
            notes.append((file, results))
        else:
            heard[number] = results
    used = [number for number in heard if number]
    if 0 not in heard or not used:
        return _tell_nothing(mix, notes, as_json)
    failed = len(notes)
    same = [number for number in used if _is_same(mix, references[number - 1])]
    notes += [(references[number - 1], "It is the same file as the mix: there is no difference.") for number in same]
    if len(same) < len(used):  # in a corridor it would only say that the mix lies in it
        used = [number for number in used if number not in same]
    found = beside(heard[0], [heard[number] for number in used])
    matching = _matching(mix, settings, found, audition)
    _tell(_Answer(mix, [references[n - 1] for n in used], found, matching, notes, audition), as_json)
    return SET_ASIDE if failed else OK


def _audition_path(out: Path, mix: Path, references: Sequence[Path]) -> Path:
    """Where the audition goes.

    Raises:
        WrongUsage: one of the files is there already.
    """
    path = out / f"{mix.stem}-audition.flac"
    if path.resolve() in {file.resolve() for file in (mix, *references)}:
        raise WrongUsage(f"{decodable(str(path))} would be written over by the audition; choose another --out.")
    return path


def _results(answer: Outcome | str) -> Results | str:
    """The results of a file, or why it cannot be compared."""
    if isinstance(answer, str):
        return answer
    loudness = answer.results.get("loudness")
    if loudness is not None and loudness.integrated_lufs is None:
        return "It is silent, or too short to have a loudness: there is nothing to compare."
    return answer.results


def _is_same(first: Path, second: Path) -> bool:
    from processor.files import hash_file

    if first.stat().st_size != second.stat().st_size:
        return False
    return first.samefile(second) or hash_file(first) == hash_file(second)


def _matching(mix: Path, settings: Settings, found: Comparison, audition: Path | None) -> Outcome:
    """The matching equaliser and the audition, from a worker.

    Raises:
        LinerNotesError: the mix cannot be read again, or the audition cannot be written.
    """
    from processor.comparing import Matching, match, target_lufs
    from processor.engine import Engine
    from processor.errors import LinerNotesError

    job = Matching(mix.resolve(), "", settings.limits, comparison=found, target_lufs=target_lufs(found), out=audition)
    with Engine(settings, match) as engine:
        engine.submit(job)
        [done] = engine.next_done()
    if done.outcome is None:
        raise done.error or LinerNotesError("The equaliser was not tried.")
    return done.outcome


def _tell_nothing(mix: Path, notes: Sequence[tuple[Path, str]], as_json: bool) -> int:
    if as_json:
        print_json({"mix": decodable(str(mix)), "references": [], "errors": _note_facts(notes)})
    for file, reason in () if as_json else notes:
        click.echo(f"{_name(file)}: {reason}", err=True)
    return NOTHING_DONE


def _tell(answer: _Answer, as_json: bool) -> None:
    if as_json:
        print_json(_facts(answer))
        return
    for file, reason in answer.notes:
        click.echo(f"{_name(file)}: {reason}", err=True)
    click.echo("\n".join(_lines(answer)))


def _note_facts(notes: Sequence[tuple[Path, str]]) -> list[dict[str, str]]:
    return [{"file": decodable(str(file)), "error": reason} for file, reason in notes]


def _facts(answer: _Answer) -> dict[str, Any]:
    """As JSON values."""
    from processor.feedback.compare import sides_of, verdict
    from processor.record import plain

    found = plain(answer.comparison)
    listed = zip(found["difference_fields"], found["difference_steps"], found["differences"], strict=True)
    equaliser = answer.matching.results["equaliser"]
    proof = plain(equaliser)
    audition = answer.matching.results.get("audition")
    told = {"failures": {name: f.reason for name, f in answer.matching.failures.items()}}
    return {
        "mix": decodable(str(answer.mix)),
        "references": [decodable(str(file)) for file in answer.references],
        "verdict": verdict(answer.comparison),
        "gain_db": found["gain_db"],
        "gains_db": found["gains_db"],
        "differences": [{"field": field, "steps": steps, "text": text} for field, steps, text in listed],
        "measures": [asdict(row) for row in sides_of(answer.comparison)],
        "tone": {name: found[name] for name in ("tone_rms_db", "bands_db", "centres_hz", "tone_db")},
        "sections": {name: found[name] for name in found if "_section" in name},
        "equaliser": {
            "bands": [
                {"type": one.kind, "frequency_hz": one.frequency_hz, "gain_db": one.gain_db, "q": one.q}
                for one in equaliser.bands
            ],
            **{name: proof[name] for name in ("rms_before_db", "rms_after_db", "reason", "response_db", "after_db")},
        },
        "audition": None if audition is None else {**plain(audition), "file": decodable(str(answer.audition))},
        "errors": _note_facts(answer.notes),
        **(told if answer.matching.failures else {}),
    }


def _lines(answer: _Answer) -> list[str]:
    """For a person."""
    from processor.feedback.compare import sides_of, verdict
    from processor.site.comparison import turned

    found = answer.comparison
    names = ", ".join(_name(file) for file in answer.references)
    lines = [click.style(f"{_name(answer.mix)} against {names}", bold=True)]
    if found.gain_db is not None:
        who = "reference is" if len(found.gains_db) == 1 else "references are"
        lines.append(f"  The {who} turned {turned(found.gains_db)} to the loudness of the mix.")
    lines.append(f"  {verdict(found)}")
    parts = zip(found.difference_steps, found.differences, strict=True)
    lines += [f"  {steps:5.1f} steps  {text}" for steps, text in parts]
    lines.append("")
    lines += [f"  {row.label:<34}{row.shown}" for row in sides_of(found)]
    lines += ["", *_equaliser_lines(answer)]
    return lines


def _equaliser_lines(answer: _Answer) -> list[str]:
    from processor.feedback.compare_measures import shown

    equaliser, audition = answer.matching.results["equaliser"], answer.matching.results.get("audition")
    lines = [f"  Matching equaliser: {equaliser.told}"]
    lines += [f"    {band.text}" for band in equaliser.bands]
    if audition is not None:
        lines.append(
            f"  Audition: {_name(answer.audition or Path())}, {shown(audition.loudness_lufs, 1)} LUFS. {audition.note}"
        )
    elif answer.audition is not None:
        reasons = [failure.reason for failure in answer.matching.failures.values()]
        lines.append(f"  No audition: {' '.join(reasons) or 'there is no equaliser to be heard.'}")
    return lines


def _name(file: Path) -> str:
    from processor.files import printable

    return printable(str(file))
