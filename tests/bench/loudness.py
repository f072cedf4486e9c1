"""How much CPU time loudness costs here and in libebur128: `python -m tests.bench.loudness [FILE]`.

Both measure the same of the same samples: integrated loudness, loudness range, the loudest 0.4 s and 3 s, true peak.
They take turns in one process, so that a busy or throttled computer slows both, and CPU time is compared, so that
other processes do not count. Without a file, four minutes of stereo at 44.1 kHz are synthesised.

libebur128 is given its samples in one piece a second, interleaved beforehand, and is asked for the loudest windows
every 100 ms: what it would cost to be asked every 10 ms, as the analyser here measures, is not held against it.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyebur128
from numpy.typing import NDArray

from processor.analysis.loudness import loudness
from processor.audio import Audio, decode
from tests.signals import audio, clipped, song

ROUNDS = 7
MINUTES = 4

Levels = tuple[float, ...]


def ours(sound: Audio) -> Levels:
    """What the page shows."""
    found = loudness(sound)
    values = (
        found.integrated_lufs,
        found.range_lu,
        found.momentary_max_lufs,
        found.short_term_max_lufs,
        found.true_peak_dbtp,
    )
    return tuple(np.nan if value is None else value for value in values)


def libebur128(interleaved: NDArray[np.float32], channels: int, rate: int) -> Levels:
    """The same, by libebur128."""
    mode = pyebur128.MeasurementMode
    state = pyebur128.R128State(channels, rate, mode.MODE_I | mode.MODE_LRA | mode.MODE_S | mode.MODE_TRUE_PEAK)
    step = rate // 10
    momentary = short_term = -np.inf
    for start in range(0, interleaved.size, step * channels):
        part = interleaved[start : start + step * channels]
        state.add_frames(part, part.size // channels)
        momentary = max(momentary, pyebur128.get_loudness_momentary(state))
        if start >= 29 * step * channels:
            short_term = max(short_term, pyebur128.get_loudness_shortterm(state))
    peak = max(pyebur128.get_true_peak(state, channel) for channel in range(channels))
    integrated, spread = pyebur128.get_loudness_global(state), pyebur128.get_loudness_range(state)
    return integrated, spread, momentary, short_term, float(20 * np.log10(peak))


def timed(work: Callable[[], Levels]) -> tuple[float, Levels]:
    """CPU seconds of this process, and what came out."""
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def main(arguments: list[str]) -> None:
    sound = decode(Path(arguments[0])) if arguments else synthesised()
    interleaved = np.ascontiguousarray(sound.samples.T).reshape(-1)
    contenders: dict[str, Callable[[], Levels]] = {
        "Liner Notes": lambda: ours(sound),
        "libebur128": lambda: libebur128(interleaved, sound.channels, sound.sample_rate),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    levels: dict[str, Levels] = {}
    for number in range(ROUNDS + 1):
        for name, work in contenders.items():
            spent, levels[name] = timed(work)
            if number > 0:  # the first round compiles and warms the caches
                seconds[name].append(spent)
    report(sound, seconds, levels)


def synthesised() -> Audio:
    """Four minutes of music, limited as a master is."""
    return audio(clipped(2 * np.tile(song(60.0, rate=44_100), MINUTES), 0.95), 44_100)


def report(sound: Audio, seconds: dict[str, list[float]], levels: dict[str, Levels]) -> None:
    """Print medians and their ratio, and that both measured the same."""
    print(f"{sound.duration_s:.0f} s, {sound.channels} channels, {sound.sample_rate} Hz; CPU time of {ROUNDS} rounds")
    print(f"{'':12} {'median':>9} {'fastest':>9}   {'LUFS':>7} {'LRA':>6} {'M max':>7} {'S max':>7} {'dBTP':>6}")
    for name, spent in seconds.items():
        integrated, spread, momentary, short_term, peak = levels[name]
        numbers = f"{integrated:7.2f} {spread:6.2f} {momentary:7.2f} {short_term:7.2f} {peak:6.2f}"
        print(f"{name:12} {statistics.median(spent):7.3f} s {min(spent):7.3f} s   {numbers}")
    mine, theirs = (statistics.median(spent) for spent in seconds.values())
    print(f"Liner Notes needs 1/{theirs / mine:.1f} of the time of libebur128.")


if __name__ == "__main__":
    main(sys.argv[1:])
