"""How long `linernotes rebuild` takes: `python -m tests.bench.rebuild [TRACKS]`, 10,000 if not said otherwise.

The records are those of one short piece, with five minutes of loudness curve each; no sound is decoded. Three rounds:
the catalogue and the site do not exist, both exist, and nothing changed since (a publish, as after every drop).
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from processor import library, record
from processor.library import Arrival
from processor.pipeline import publish
from processor.record import Record
from processor.workspace import Workspace
from tests.libraries import ARRIVED, song_results

TRACKS = 10_000
CURVE_S = 300


def fill(workspace: Workspace, count: int) -> None:
    """Write `count` tracks, spread over a year of days."""
    results = song_results()
    curve = -20 + 5 * np.sin(np.arange(CURVE_S) / 20)
    results["loudness"] = replace(results["loudness"], short_term_lufs=curve)
    for number in range(count):
        sha256 = f"{number:08x}".ljust(64, "0")
        folder = workspace.library / f"2026/{number % 12 + 1:02d}/{number % 28 + 1:02d}/song-{number}-{sha256[:8]}"
        folder.mkdir(parents=True)
        content, _ = record.to_bytes(
            Record("track", sha256, f"Song {number}.wav", results, dict.fromkeys(results, "0"))
        )
        (folder / "record.json").write_bytes(content)
        (folder / "drops.jsonl").write_text(json.dumps(asdict(Arrival(ARRIVED, f"Song {number}.wav", 1, 1, 1))) + "\n")


def main(count: int) -> None:
    """Print a line for each round."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        workspace.create()
        fill(workspace, count)
        print(f"{count} tracks")
        for name, rebuild in (
            ("rebuild, nothing there", True),
            ("rebuild, all there", True),
            ("publish, no change", False),
        ):
            start = time.perf_counter()
            publish(workspace, rebuild=rebuild)
            print(f"{name:<24}{time.perf_counter() - start:8.2f} s")
        chosen = library.tracks(workspace)[count // 2]
        library.write_person(chosen, {"title": "Another"})
        start = time.perf_counter()
        publish(workspace)
        print(f"{'publish, one changed':<24}{time.perf_counter() - start:8.2f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else TRACKS)
