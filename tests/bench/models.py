"""What each model costs: `python -m tests.bench.models [FILE] [--model NAME]… [--threads N]`.

Each runs in a process of its own, as the deep pass runs it: loaded once, then its analysers on the whole file. Seconds
are of the clock, so the machine should have nothing else to do; memory is the process's peak, with what it had before
the model beside it. Without FILE, a minute of an invented song is heard.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter

from processor.analysis import all_analysers
from processor.audio import Audio, decode
from processor.config import Limits, Models, load_settings
from processor.graph import Equipment, run
from processor.models.loading import Bench, identities
from processor.models.store import find
from processor.models.table import all_models
from processor.sidecars import Sidecars
from tests.signals import audio, song

SONG_S = 60.0


@dataclass(frozen=True)
class Cost:
    """What one model cost.

    Attributes:
        model: its name.
        load_s: seconds until it was ready.
        work_s: seconds that its analysers took.
        sound_s: length of what they heard.
        before_mib: the process's memory before the model.
        peak_mib: its highest memory with it.
        trouble: why there is no result; empty where there is one.
    """

    model: str
    load_s: float
    work_s: float
    sound_s: float
    before_mib: float
    peak_mib: float
    trouble: str

    @property
    def line(self) -> str:
        """A row of the table."""
        if self.trouble:
            return f"{self.model:<16}{self.trouble}"
        return (
            f"{self.model:<16}{self.load_s:7.1f}{self.work_s:9.2f}{self.work_s / self.sound_s:9.3f}"
            f"{self.sound_s / self.work_s:9.1f}{self.before_mib:9.0f}{self.peak_mib:9.0f}"
        )


def peak_mib() -> float:
    """Highest memory of this process so far, on Linux in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(name: str, settings: Models, heard: Audio) -> Cost:
    """Let one model hear a sound, here and now."""
    job = all_models()[name].job
    chosen = {job: name}
    bench = Bench(settings, chosen)
    before = peak_mib()
    start = perf_counter()
    bench.load(job)
    load_s = perf_counter() - start
    names = [one.name for one in all_analysers().values() if one.model == job and "stems" not in one.required]
    with tempfile.TemporaryDirectory() as folder:
        equipment = Equipment(identities(settings, chosen), bench.load, Sidecars(Path(folder)))
        found = run(all_analysers(), heard, equipment=equipment, only=names)
    trouble = "; ".join(f"{analyser}: {failure.reason}" for analyser, failure in found.failures.items())
    seconds = sum(found.seconds.get(analyser, 0.0) for analyser in names)
    return Cost(name, load_s, seconds, heard.duration_s, before, peak_mib(), trouble)


def main(words: Sequence[str] | None = None) -> int:
    """Print a row for each model that is here."""
    parser = argparse.ArgumentParser("python -m tests.bench.models", description=__doc__.partition("\n\n")[2])
    parser.add_argument("file", nargs="?", type=Path, help="a sound file")
    parser.add_argument("--model", action="append", default=[], metavar="NAME", help="only these")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="0: all processors")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(words)
    settings = replace(load_settings(Path()).models, threads=chosen.threads)
    if chosen.here:
        sound = audio(song(SONG_S)) if chosen.file is None else decode(chosen.file, limits=Limits())
        print(json.dumps(asdict(measure(chosen.model[0], settings, sound))))
        return 0
    names = chosen.model or [name for name, model in all_models().items() if find(settings, model) is not None]
    if not names:
        print("no model is here: linernotes models get yamnet htdemucs", file=sys.stderr)
        return 2
    print(f"{'':<16}{'load s':>7}{'work s':>9}{'s per s':>9}{'× real':>9}{'before':>9}{'peak MiB':>9}")
    for name in names:
        file = [] if chosen.file is None else [str(chosen.file)]
        command = [sys.executable, "-m", "tests.bench.models", *file, "--model", name, "--here"]
        done = subprocess.run([*command, "--threads", str(chosen.threads)], capture_output=True, text=True, check=False)
        last = done.stdout.strip().splitlines()[-1:] if done.returncode == 0 else []
        reason = (done.stderr.strip().splitlines() or ["it ended"])[-1]
        print(Cost(**json.loads(last[0])).line if last else f"{name:<16}{reason}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
