"""Writes `regression.json`, what all analysers say today of a few signals: `python -m tests.data.regenerate`.

Run it only after a change that is meant to move numbers, and say in the commit why they moved. Nothing else writes
that file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from processor.analysis import all_analysers
from processor.audio import Audio
from processor.graph import run
from processor.record import plain
from tests import signals
from tests.signals import SURROUND, audio, clipped, joined, song

REGRESSION = Path(__file__).with_name("regression.json")

# Deterministic and free of what differs between computers: no sample stands within rounding of a threshold.
SIGNALS: dict[str, Callable[[], Audio]] = {
    "song": lambda: audio(song(16.0, rate=44_100), 44_100),
    "song in mono": lambda: audio(song(9.0, rate=22_050, channels=1, seed=1), 22_050),
    "song in 5.1": lambda: audio(song(9.0, channels=6, seed=2), positions=SURROUND),
    "clipped song": lambda: audio(clipped(3 * song(9.0, rate=44_100, seed=3)), 44_100, bit_depth=16),
    "song between silences": lambda: audio(_framed(), 48_000, bit_depth=24),
}


def _framed() -> signals.Samples:
    pause = signals.silence(2.0, channels=2)
    return joined(pause, song(9.0, seed=4) * np.float32(0.3) + np.float32(0.002), pause)


def measure_all() -> dict[str, Any]:
    """Signal → analyser → field → value, as it would stand in a record."""
    found = {}
    for name, make in SIGNALS.items():
        outcome = run(all_analysers(), make())
        assert not outcome.failures, outcome.failures
        found[name] = {analyser: plain(result) for analyser, result in outcome.results.items()}
    return found


def main() -> None:
    REGRESSION.write_text(json.dumps(measure_all(), indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")
    print(f"{REGRESSION.name} is written.")


if __name__ == "__main__":
    main()
