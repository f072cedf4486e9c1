"""What the whole analysis costs, and what others cost: `python -m tests.bench [FILE]`.

All take turns in one process, so that a busy or throttled computer slows all of them, and CPU time is compared, so that
other processes do not count. Printed is the median of the rounds after the first, in which kernels are compiled where
no earlier process did it. Memory is that of one new process each. Without a file, a four-minute MP3 is synthesised.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROUNDS = 5
ROOT = Path(__file__).parents[2]
LIMIT, AIM = 5, 3
ESSENTIA = "essentia MusicExtractor"

Times = dict[str, list[float]]


def options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.bench", description=__doc__.partition("\n\n")[2])
    parser.add_argument("file", type=Path, nargs="?", help="any sound file")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help=f"{ROUNDS} if left out")
    parser.add_argument("--alone", action="store_true", help="only Liner Notes")
    parser.add_argument("--essentia", metavar="PYTHON", help="a Python that has essentia, if this one does not")
    parser.add_argument("--flat", type=int, metavar="N", help="analyse N times in one process: does memory grow?")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Print tables."""
    chosen = options(words)
    # Before NumPy is imported: one thread each, as in a worker.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    try:
        with given_or_made(chosen.file) as path:
            if chosen.flat:
                flat(path, chosen.flat)
            else:
                compare(path, chosen)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    return 0


@contextmanager
def given_or_made(path: Path | None) -> Iterator[Path]:
    """The file, or a synthesised MP3 that is gone afterwards."""
    if path is not None:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "synthesised.mp3"
        subprocess.run([sys.executable, "-m", "tests.bench.synthesise", made], cwd=ROOT, check=True)
        yield made


@dataclass
class Rounds:
    """What was measured.

    Attributes:
        able: the contenders that could run.
        stages: contender → stage → seconds of each round.
        totals: contender, or decoding → seconds of each round.
        first: seconds of our first analysis, which is not in the others.
        without: stages of ours that gave nothing, and why.
        essentia_mib: the most memory of essentia's process; 0 where it did not run.
        about: the file in words.
    """

    able: list[str]
    stages: dict[str, Times]
    totals: Times = field(default_factory=dict)
    first: float = 0.0
    without: Mapping[str, str] = field(default_factory=dict)
    essentia_mib: float = 0.0
    about: str = ""


def compare(path: Path, chosen: argparse.Namespace) -> None:
    """Rounds of everybody in turn, then one process each for the memory."""
    from tests.bench import contenders, memory

    names = [name for name in contenders.CONTENDERS if name == contenders.OURS or not chosen.alone]
    able = [name for name in names if not contenders.missing(name)]
    essentia = None if chosen.alone else chosen.essentia or (sys.executable if find_spec("essentia") else None)
    found = Rounds(able, {name: {} for name in able})
    for number in range(chosen.rounds + 1):
        one_round(path, found, essentia, is_first=number == 0)
        print(f"round {number} of {chosen.rounds}", file=sys.stderr)
    print(f"{found.about}; CPU seconds, median of {chosen.rounds} rounds\n")
    report_stages(found)
    report_totals(found)
    report_memory({name: memory.usage(name, path) for name in able}, found.essentia_mib)
    for name in names:
        if contenders.missing(name):
            print(f"Not compared: {name}; pip install {' '.join(contenders.missing(name))}")
    if not essentia and not chosen.alone:
        print(f"Not compared: {ESSENTIA}; pip install --pre essentia, here, or elsewhere and --essentia PYTHON")


def one_round(path: Path, found: Rounds, essentia: str | None, *, is_first: bool) -> None:
    """Everybody once; the first round compiles and warms the caches, and is not counted."""
    from tests.bench import contenders

    audio, seconds = contenders.decoded(path)
    costs = {contenders.DECODING: seconds}
    for name in found.able:
        timed = contenders.CONTENDERS[name](audio)
        costs[name] = timed.total
        found.without = {**found.without, **timed.without}
        if not is_first:
            _append(found.stages[name], timed.stages)
    if is_first:
        found.first = costs[contenders.OURS]
        found.about = f"{path.name}: {audio.duration_s:.0f} s, {audio.channels} channels, {audio.sample_rate} Hz"
        return
    if essentia:
        extracted = music_extractor(essentia, path)
        costs[ESSENTIA] = extracted["seconds"]
        found.essentia_mib = max(found.essentia_mib, extracted["peak_mib"])
    _append(found.totals, costs)


def _append(times: Times, costs: Mapping[str, float]) -> None:
    for name, seconds in costs.items():
        times.setdefault(name, []).append(seconds)


def music_extractor(python: str, path: Path) -> dict[str, Any]:
    """CPU seconds and memory of essentia, by an interpreter that has it."""
    script = Path(__file__).with_name("essentia.py")
    done = subprocess.run([python, str(script), str(path)], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def report_stages(found: Rounds) -> None:
    """What each analyser costs."""
    decoding = statistics.median(found.totals["decoding"])
    for who, times in found.stages.items():
        print(f"{who:<32}{'seconds':>9}{'× decoding':>12}")
        for name, listed in sorted(times.items(), key=lambda row: -statistics.median(row[1])):
            median = statistics.median(listed)
            print(f"  {name:<30}{median:>9.3f}{median / decoding:>12.2f}")
        print()
    for name, reason in found.without.items():
        print(f"Without a result: {name}: {reason}\n")


def report_totals(found: Rounds) -> None:
    """Everybody beside decoding and beside us."""
    medians = {name: statistics.median(listed) for name, listed in found.totals.items()}
    decoding, ours = medians["decoding"], medians["Liner Notes"]
    print(f"{'':<32}{'seconds':>9}{'fastest':>9}{'× decoding':>12}{'× ours':>9}")
    for name, median in medians.items():
        beside = f"{median / ours:.1f}" if name not in ("decoding", "Liner Notes") else ""
        print(f"{name:<32}{median:>9.3f}{min(found.totals[name]):>9.3f}{median / decoding:>12.2f}{beside:>9}")
    ratio = ours / decoding
    verdict = "within the aim" if ratio <= AIM else "within the limit" if ratio <= LIMIT else "OVER THE LIMIT"
    print(f"\nThe analysis costs {ratio:.2f} × decoding: {verdict} (limit {LIMIT}, aim {AIM}).")
    print(f"The first analysis here cost {found.first:.2f} s: kernels are loaded, or compiled if they never were.")
    if ESSENTIA in medians:
        print(f"{ESSENTIA} decodes the file itself: add decoding to the others to compare.")
    print()


def report_memory(usages: Mapping[str, Any], essentia_mib: float) -> None:
    """Processes of their own, from start to end."""
    ours = usages["Liner Notes"]
    print(f"{'a new process, MiB':<32}{'imported':>9}{'decoded':>9}{'peak':>9}{'× ours':>9}{'CPU s':>9}")
    for name, found in usages.items():
        ratio = f"{found.peak_mib / ours.peak_mib:.1f}" if found is not ours else ""
        row = (
            f"{found.imported_mib:>9.0f}{found.decoded_mib:>9.0f}{found.peak_mib:>9.0f}{ratio:>9}{found.seconds:>9.2f}"
        )
        print(f"{name:<32}{row}")
    if essentia_mib:
        print(f"{ESSENTIA:<32}{'':>9}{'':>9}{essentia_mib:>9.0f}{essentia_mib / ours.peak_mib:>9.1f}")
    print("Peak: the most resident memory of the whole process, Python and libraries included.")


def flat(path: Path, count: int) -> None:
    """Memory after the first analysis, in the middle and after the last."""
    from tests.bench import contenders, memory

    marks = sorted({1, max(1, count // 2), count})
    found: dict[int, float] = {}
    print(f"{'analyses':>9}{'MiB now':>10}{'MiB peak':>10}")
    for number in range(1, count + 1):
        contenders.ours(contenders.decoded(path)[0])
        if number in marks:
            found[number] = memory.now_mib()
            print(f"{number:>9}{found[number]:>10.1f}{memory.peak_mib():>10.1f}", flush=True)
        print(f"\r{number} of {count}", end="" if number < count else "\n", file=sys.stderr, flush=True)
    grown = found[count] - found[marks[len(marks) // 2]]
    print(f"In the second half it grew by {grown:.1f} MiB.")


if __name__ == "__main__":
    sys.exit(main())
