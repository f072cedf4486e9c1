"""How well `character` knows a recording again: `python -m tests.accuracy.alike MANIFEST`.

Every recording is cut in two, and each first half is asked which of all second halves sounds most like it. That its own
is the answer needs no opinion about what sounds alike.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from processor.analysis import all_analysers
from processor.audio import decode
from processor.config import Limits
from processor.graph import run
from tests.accuracy import truth
from tests.signals import Samples, audio

SHORTEST_S = 24.0


def features(samples: Samples, rate: int) -> NDArray[np.float64]:
    """The character of some samples."""
    every = all_analysers()
    wanted: set[str] = {"character"}
    for one in reversed(every.values()):
        if one.name in wanted:
            wanted.update(one.inputs)
    off = [name for name, one in every.items() if one.keep and name not in wanted]
    found: NDArray[np.float64] = run(every, audio(samples, rate), off=off).results["character"].features
    return found


def ranks(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.int64]:
    """For each first half, how many second halves of others are nearer than its own; both `(recordings, features)`."""
    distances = np.linalg.norm(first[:, None] - second[None], axis=2)
    return (distances < np.diag(distances)[:, None]).sum(axis=1)


def main(words: Sequence[str] | None = None) -> int:
    """Print how often the own half is the nearest, and how often it is among five."""
    parser = argparse.ArgumentParser("python -m tests.accuracy.alike", description=__doc__.partition("\n\n")[2])
    parser.add_argument("manifest", type=Path, help="manifest.json, its files beside it")
    parser.add_argument("--only", default="", metavar="REGEX", help="only recordings whose id holds this")
    chosen = parser.parse_args(words)
    try:
        items = truth.read(chosen.manifest, chosen.only)
    except (OSError, ValueError) as error:
        print(f"{chosen.manifest}: {error}", file=sys.stderr)
        return 2
    halves: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for item in items:
        heard = decode(item.path, limits=Limits(), sha256=item.id)
        middle = heard.frames // 2
        if heard.duration_s >= SHORTEST_S:
            parts = heard.samples[:, :middle], heard.samples[:, middle:]
            first, second = (features(np.ascontiguousarray(part), heard.sample_rate) for part in parts)
            if first.size and second.size:
                halves.append((first, second))
    if len(halves) < 2:
        print(f"fewer than two recordings of {SHORTEST_S:g} s", file=sys.stderr)
        return 2
    found = ranks(np.array([one for one, _ in halves]), np.array([two for _, two in halves]))
    chance = 100 / len(halves)
    print(f"{len(halves)} recordings: own half nearest {100 * (found == 0).mean():.0f} % (chance {chance:.0f} %)")
    print(f"own half among five {100 * (found < 5).mean():.0f} % (chance {5 * chance:.0f} %)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
