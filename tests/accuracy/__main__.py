"""How right the analysers are: `python -m tests.accuracy MANIFEST`.

MANIFEST is a JSON list of recordings with their truth (see `truth`), whose files stand beside it. Every score is the
mean over the recordings that have a truth for it, printed with their number and beside a baseline that does not listen.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from processor.analysis import all_analysers
from tests.accuracy import answers, fingerprints, measure, peers, report, truth
from tests.accuracy.measure import Measured, Task
from tests.accuracy.truth import Item

STOPPED = 130


def options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.accuracy", description=__doc__.partition("\n\n")[2])
    parser.add_argument("manifest", type=Path, help="manifest.json, its files beside it")
    parser.add_argument("--only", default="", metavar="REGEX", help="only recordings whose id holds this")
    parser.add_argument("--analysers", default="", metavar="NAMES", help="only these and what they need: beats,key")
    parser.add_argument("--json", action="store_true", help="for programs; scores from 0 to 1")
    parser.add_argument("--by", choices=("source", "item"), default="source", help="item: every recording as well")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes at a time")
    parser.add_argument("--peers", action="store_true", help="librosa and essentia too, those that are installed")
    parser.add_argument(
        "--answers", type=Path, metavar="FILE", help="others' answers, as `python -m tests.accuracy.peers` prints them"
    )
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Print the report; the exit code is 2 for wrong usage, 130 where Ctrl-C ended it, else 0."""
    chosen = options(words)
    try:
        items = truth.read(chosen.manifest, chosen.only)
    except (OSError, ValueError) as error:
        print(f"{chosen.manifest}: {error}", file=sys.stderr)
        return 2
    try:
        made = made_report(items, chosen)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return STOPPED
    print(json.dumps(report.as_json(made), indent=1) if chosen.json else report.text(made, chosen.by))
    return 0


def made_report(items: Sequence[Item], chosen: argparse.Namespace) -> report.Report:
    """Measure all items."""
    names = tuple(name for name in chosen.analysers.split(",") if name)
    key = answers.commonest_key(truth.read(chosen.manifest))
    tasks = [(Task(item, names, key, chosen.peers),) for item in items]
    found: dict[str, Measured] = {}
    for number, one in enumerate(measure.in_processes(measure.measure, tasks, chosen.workers), start=1):
        found[one.item] = one
        progress(number, len(items), one.item)
    listed = [found[item.id] for item in items]
    given = json.loads(chosen.answers.read_text(encoding="utf-8")) if chosen.answers else {}
    for item, one in zip(items, listed, strict=True):
        one.said["truth"] = _said(item)
        for who, theirs in given.items():
            if item.id in theirs:
                measure.add(one, who, item, answers.peer(theirs[item.id]))
    analysers = [name for name in measure.needed(names) if all_analysers()[name].keep]
    unknown = [f"there is no analyser called {name}" for name in names if name not in all_analysers()]
    return report.Report(
        items=listed,
        analysers=analysers,
        key=key,
        left_out=truth.left_out(items),
        pairs=_pairs(listed, chosen.workers),
        notes=[*unknown, *(peers.missing() if chosen.peers else [])],
    )


def _pairs(listed: Sequence[Measured], workers: int) -> fingerprints.Pairs | None:
    """Compare all recordings that have a fingerprint."""
    prints = [(one.item, one.fingerprint) for one in listed if one.fingerprint is not None]
    if not prints:
        return None

    def rows() -> Iterator[Any]:
        tasks = [(name, one, prints[number + 1 :]) for number, (name, one) in enumerate(prints)]
        for number, row in enumerate(measure.in_processes(fingerprints.row, tasks, workers), start=1):
            progress(number, len(prints), "compared")
            yield from row

    return fingerprints.pairs(rows())


def _said(item: Item) -> str:
    """The truth in one line."""
    return f"{item.bpm or '–'} BPM · {item.metres[0] if item.metres else '–'} · {item.key or '–'}"


def progress(number: int, total: int, name: str) -> None:
    """One line that is written over on a terminal, and one a recording elsewhere."""
    is_terminal = sys.stderr.isatty()
    start, end = ("\r\x1b[K", "\n" if number == total else "") if is_terminal else ("", "\n")
    print(f"{start}{number}/{total} {name}", end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
