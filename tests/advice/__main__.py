"""How right the advice is: `python -m tests.advice MANIFEST`.

MANIFEST is a JSON list of recordings whose files stand beside it (see `pieces`). Mixes among them are broken in known
ways; the advice on each must name the fault among its first three, and must not say so of the clean piece.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.accuracy.__main__ import STOPPED, progress
from tests.accuracy.measure import in_processes
from tests.advice import pieces, report
from tests.advice.kinds import KINDS
from tests.advice.measure import Case, Measured, Task, measure


def options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.advice", description=__doc__.partition("\n\n")[2])
    parser.add_argument("manifest", type=Path, help="manifest.json, its files beside it")
    parser.add_argument("--pieces", type=int, default=16, metavar="N", help="how many to break, of all sources in turn")
    parser.add_argument("--seconds", type=float, default=34.0, metavar="S", help="length of an excerpt")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes at a time")
    parser.add_argument("--only", action="append", metavar="KIND", help="only this fault; may be repeated")
    parser.add_argument("--off", default="", metavar="NAMES", help="analysers that do not run: coding,fingerprint")
    parser.add_argument("--no-rates", action="store_true", help="leave out the whole files as they are")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it for programs")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the report")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Print the report; the exit code is 2 for wrong usage, 130 where Ctrl-C ended it, else 0."""
    chosen = options(words)
    names = [kind.name for kind in KINDS]
    unknown = [name for name in chosen.only or () if name not in names]
    if unknown:
        print(f"there is no fault called {unknown[0]!r}; there are: {', '.join(names)}", file=sys.stderr)
        return 2
    try:
        listed = pieces.read(chosen.manifest)
    except (OSError, ValueError) as error:
        print(f"{chosen.manifest}: {error}", file=sys.stderr)
        return 2
    try:
        made = made_report(listed, chosen)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return STOPPED
    shown = report.text(made)
    print(shown)
    if chosen.json:
        chosen.json.write_text(json.dumps(report.as_json(made), indent=1), encoding="utf-8")
    if chosen.markdown:
        chosen.markdown.write_text(shown + "\n", encoding="utf-8")
    return 0


def made_report(listed: Sequence[pieces.Piece], chosen: argparse.Namespace) -> report.Report:
    """Measure everything."""
    tasks = list(_tasks(listed, chosen))
    found: list[Measured] = []
    for number, one in enumerate(in_processes(measure, [(task,) for task in tasks], chosen.workers), start=1):
        found.append(one)
        progress(number, len(tasks), one.piece)
    cases: list[Case] = sorted((case for one in found for case in one.cases), key=_place)
    failures: dict[str, list[str]] = {}
    for one in found:
        if one.failures:
            failures.setdefault(one.piece, []).extend(one.failures)
    return report.Report(cases, pieces.halves(listed), failures)


def _tasks(listed: Sequence[pieces.Piece], chosen: argparse.Namespace) -> Iterator[Task]:
    off = tuple(name for name in chosen.off.split(",") if name)
    kinds = tuple(chosen.only or (kind.name for kind in KINDS))
    for piece in pieces.chosen(listed, chosen.pieces, chosen.seconds):
        yield Task(piece, kinds, chosen.seconds, off)
    if not chosen.no_rates:
        yield from (Task(piece, (), chosen.seconds, off) for piece in listed)


def _place(case: Case) -> tuple[str, int, int]:
    names = ["as it is", "", *(kind.name for kind in KINDS)]
    return case.piece, names.index(case.kind), case.strength


if __name__ == "__main__":
    sys.exit(main())
