"""How much memory a contender needs, each in a process of its own: `python -m tests.bench.memory NAME FILE`."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

MIB = 2**20
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Usage:
    """What a whole process took.

    Attributes:
        imported_mib: memory after its imports.
        decoded_mib: the most until the file was decoded.
        peak_mib: the most of all.
        seconds: CPU from start to end, imports and loading compiled kernels included.
    """

    imported_mib: float
    decoded_mib: float
    peak_mib: float
    seconds: float


def now_mib() -> float:
    """Memory of this process."""
    return _status("VmRSS:")


def peak_mib() -> float:
    """The most memory that this process had.

    Linux keeps that for the program that runs; `ru_maxrss` would also count what the process was before it.
    """
    return _status("VmHWM:")


def _status(name: str) -> float:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name)) / MIB
    except OSError:  # not Linux: the peak is all there is
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MIB


def usage(name: str, path: Path) -> Usage:
    """Run one contender in a new process."""
    words = [sys.executable, "-m", "tests.bench.memory", name, str(path.resolve())]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return Usage(**json.loads(done.stdout))


def main(name: str, path: Path) -> None:
    """Print the usage of this process."""
    from processor.analysis import all_analysers
    from tests.bench import contenders

    if name == contenders.PEERS:
        import librosa
        import pyloudnorm

        _ = librosa.beat, librosa.feature, librosa.onset, librosa.segment, pyloudnorm.Meter  # it imports lazily
    all_analysers()
    imported = now_mib()
    audio, _ = contenders.decoded(path)
    after = peak_mib()
    contenders.CONTENDERS[name](audio)
    print(json.dumps(asdict(Usage(imported, after, peak_mib(), contenders.cpu()))))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
