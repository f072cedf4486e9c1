"""How long all pairs of a library take: `python -m tests.bench.matches [TRACKS]`, 1,000 if not said otherwise.

The tracks are made up, four minutes at 120 beats a minute: each in a key, with its own form, accents and levels, two
thirds of it sung; their tempi are spread as those of popular music are (mean 118, deviation 25). Then all of them have
the same tempo, so that none can be passed over. CPU time is that of all threads together: what one core would take.
"""

from __future__ import annotations

import resource
import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.analysis.phrases import Phrases, phrase_spans
from processor.mashup.match import score_all

TRACKS, BARS, BANDS, TOP = 1000, 120, 20, 20
MAJOR = (0, 2, 4, 5, 7, 9, 11)

Half = NDArray[np.float16]


def made(number: int, tempo_bpm: float | None = None) -> tuple[str, dict[str, Any]]:
    """Name and results of a track; the same for the same number."""
    random = np.random.default_rng(number)
    scale = np.isin((np.arange(12) - random.integers(12)) % 12, MAJOR)
    spans, edges = phrase_spans(BARS), np.asarray(np.arange(BARS + 1) * 2.0, np.float64)
    sung = np.repeat(random.random(BARS // 8) < 2 / 3, 8).astype(np.float16)

    def pitches() -> Half:
        form = random.random((8, 2, 12)) ** 3 * np.where(
            scale, 1.0, 0.15
        )  # eight bars that come again, not quite alike
        return in_steps(np.tile(form, (BARS // 8, 1, 1)) + 0.2 * random.random((BARS, 2, 12)))

    def accents(*registers: int) -> Half:
        return in_steps(np.tile(random.random((1, *registers, 16)) ** 2, (BARS, *[1] * (len(registers) + 1))))

    def levels(*bands: int) -> Half:
        return (np.rint(2 * random.normal(-25 if bands else -4, 4, (BARS, *bands))) / 2).astype(np.float16)

    phrases = Phrases(
        heard_in="stems",
        beats_a_bar=4,
        phrase_bars=8,
        intervals_s=edges[spans],
        energy_db=np.zeros(len(spans), np.float16),
        voice_share=np.array([sung[a:b].mean() for a, b in spans], np.float16),
        bars_s=edges,
        pitches=pitches(),
        accents=accents(3),
        bands_db=levels(BANDS),
        levels_db=levels(),
        voice_pitches=pitches(),
        voice_accents=accents(),
        voice_bands_db=levels(BANDS),
        voice_levels_db=levels(),
        sung=sung,
    )
    tempo = tempo_bpm or float(np.clip(random.normal(118, 25), 60, 200))
    return f"track-{number}", {
        "phrases": phrases,
        "beats": SimpleNamespace(tempo_bpm=tempo),
        "vocals": SimpleNamespace(present=True),
    }


def in_steps(values: NDArray[np.float64]) -> Half:
    """As records keep them."""
    return (np.rint(np.clip(values, 0, 1) * 64) / 64).astype(np.float16)


def main(count: int) -> None:
    """Print a line for each library."""
    score_all([made(0), made(1)])  # compiles, where no earlier process did
    for name, tempo_bpm in (("tempi of popular music", None), ("all of one tempo", 120.0)):
        library = [made(number, tempo_bpm) for number in range(count)]
        start, cpu_start = time.perf_counter(), time.process_time()
        score_all(library, top=TOP)
        took, cpu = time.perf_counter() - start, time.process_time() - cpu_start
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{name:<24}{count} tracks, {count * (count - 1)} pairs: "
            f"{cpu:.1f} s of CPU in {took:.1f} s, {memory:.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else TRACKS)
