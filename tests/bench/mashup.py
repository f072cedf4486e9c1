"""What a mashup costs to render: `python -m tests.bench.mashup [--minutes 4] [VOCALS LAYER…]`.

It is rendered from ready stems, as the deep pass leaves them: vocals that are stretched and shifted, drums, bass and
the rest, with a gate, equalisers, room for the vocals and a limiter. Without files, stems are synthesised; what is
shorter than asked for is repeated. The render has a process of its own, so that its memory is its own, and Python and
all libraries count. It goes on two threads, so the parts' seconds are those of their threads and add up to more than
the whole.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

ROOT = Path(__file__).parents[2]
AIM_S, AIM_MIB = 60, 1500 * 1000**2 / 2**20
RATE = 44_100
# Paces as far apart as two songs of one kind are, and a shift.
VOCAL_BPM, BPM, SHIFT = 124.0, 118.0, 2.0
BARS = 8
# Function of a module → what it is part of.
PARTS = {
    ("sides", "decoded"): "decode",
    ("sides", "_stereo"): "resample",
    ("sides", "gated"): "gate",
    ("stretching", "_in_process"): "stretch",
    ("sides", "_equalise"): "equaliser",
    ("sides", "levelled"): "levels of phrases",
    ("render", "duck_gains"): "room for vocals",
    ("render", "apply_gains"): "room for vocals",
    ("render", "to_loudness"): "loudness, limiter",
    ("outputs", "_write_sound"): "files",
}


def options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.bench.mashup", description=__doc__.partition("\n\n")[2])
    parser.add_argument("files", type=Path, nargs="*", help="vocals, then drums, bass and other; any sound files")
    parser.add_argument("--minutes", type=float, default=4.0, metavar="M", help="length of the mashup; 4 if left out")
    parser.add_argument("--stretched", action="store_true", help="the instrumental too: it plays 3 %% faster")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Print a table."""
    chosen = options(words)
    if chosen.inside:
        print(json.dumps(measured(chosen.inside, chosen.minutes, chosen.stretched)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        ready(Path(folder), chosen.files, chosen.minutes)
        arguments = ["--inside", folder, "--minutes", str(chosen.minutes), *["--stretched"] * chosen.stretched]
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.mashup", *arguments], cwd=ROOT, capture_output=True, text=True
        )
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return 1
    report(json.loads(done.stdout.splitlines()[-1]), chosen.minutes)
    return 0


def report(found: dict[str, Any], minutes: float) -> None:
    """The parts, the whole, and the aims."""
    for name, seconds in sorted(found["parts"].items(), key=lambda row: -row[1]):
        print(f"  {name:<22}{seconds:>8.2f} s of a thread")
    print(f"{'render':<24}{found['render_s']:>8.2f} s, {found['render_s'] / minutes:.2f} s a minute")
    print(f"{'render and files':<24}{found['all_s']:>8.2f} s; aim {AIM_S} s for 4 minutes")
    print(f"{'CPU':<24}{found['cpu_s']:>8.2f} s on {os.cpu_count()} processors")
    print(f"{'memory, most':<24}{found['peak_mib']:>8.0f} MiB; aim {AIM_MIB:.0f} MiB")


def ready(folder: Path, files: Sequence[Path], minutes: float) -> None:
    """Stems of the length that is asked for, as FLAC."""
    import numpy as np
    import soundfile

    from processor.audio import decode

    names = ("vocals", "drums", "bass", "other")
    for number, name in enumerate(names):
        if number < len(files):
            audio = decode(files[number])
            samples, rate = audio.samples, audio.sample_rate
        elif files:
            continue
        else:
            samples, rate = synthesised(name), RATE
        frames = round((minutes * 60 + 20) * rate)
        long = np.tile(samples, (1, -(-frames // samples.shape[1])))[:, :frames]
        soundfile.write(folder / f"{name}.flac", long.T, rate, subtype="PCM_24")


def synthesised(name: str) -> Any:
    """Thirty seconds of a layer that is never silent for long, shape `(2, n)`."""
    import numpy as np

    from tests.signals import noise

    seconds = 30.0
    time = np.arange(round(seconds * RATE)) / RATE
    beat = time % (60 / (VOCAL_BPM if name == "vocals" else BPM))
    if name == "drums":
        row = np.sin(2 * np.pi * 55 * beat) * np.exp(-beat * 12)
        return (0.5 * row + 0.3 * noise(seconds, -12, rate=RATE, channels=2) * np.exp(-beat * 40)).astype(np.float32)
    base = {"vocals": 220.0, "bass": 55.0, "other": 330.0}[name]
    row = sum(np.sin(2 * np.pi * base * k * time + k) / k for k in range(1, 9)) * np.exp(-beat * 3)
    if name == "vocals":
        row = row * (time % 4.0 < 3.2)
    return (0.15 * np.stack([row, np.roll(row, 20)])).astype(np.float32)


def measured(folder: Path, minutes: float, is_stretched: bool) -> dict[str, Any]:
    """Render and write, timed."""
    from processor.feedback.equaliser import Band
    from processor.mashup import outputs, render, sides, stretching
    from processor.mashup.plan import Cut, Duck, Source
    from processor.mashup.songs import Song
    from tests.bench import memory
    from tests.mashup.landed import grid, plan

    beats = round(minutes * BPM)
    layers = {path.stem: path for path in sorted(folder.glob("*.flac"))}
    vocals = {"vocals": layers.pop("vocals")}
    songs = Song("v", "V", "0" * 64, {}, vocals), Song("i", "I", "1" * 64, {}, layers)
    made = plan(
        vocals=Source("v", "V", "0" * 64, ("vocals",), None, grid(VOCAL_BPM, 0.0, beats + 8)),
        instrumental=Source("i", "I", "1" * 64, tuple(layers), None, grid(BPM, 0.0, beats + 8)),
        tempo_bpm=BPM * 1.03 if is_stretched else BPM,
        vocal_shift_semitones=SHIFT,
        cuts=(Cut(0, beats),),
        segments=tuple(sung(at) for at in range(0, beats - 4 * BARS, 4 * BARS)),
        vocal_bands=(Band("low shelf", 120.0, -4.0, 0.7), Band("bell", 3000.0, 2.0, 1.0)),
        instrumental_bands=(Band("bell", 400.0, -2.0, 1.0),),
        duck=Duck(6.0, 200.0, 6000.0, 0.03, 0.25),
        gate_below_lufs=-45.0,
    )
    parts: dict[str, float] = {}
    modules = {"sides": sides, "render": render, "stretching": stretching, "outputs": outputs}
    for (module, name), part in PARTS.items():
        setattr(modules[module], name, timed(getattr(modules[module], name), part, parts))
    start = perf_counter()
    mix = render.render(made, songs)
    render_s = perf_counter() - start
    outputs.write(mix, made, folder / "out")
    return {
        "parts": parts,
        "render_s": render_s,
        "all_s": perf_counter() - start,
        "cpu_s": sum(os.times()[:2]),
        "peak_mib": memory.peak_mib(),
    }


def sung(at: int) -> Any:
    """Eight bars of vocals less a beat, on the beat of the same number."""
    from processor.mashup.plan import Segment

    start_s, end_s = (beat * 60 / VOCAL_BPM for beat in (at, at + 4 * BARS - 1))
    return Segment(f"part {at // (4 * BARS) + 1}", start_s, end_s, at, at, 0.0, 0.0, 0.01, 0.05, 0.5, "")


def timed(function: Callable[..., Any], part: str, parts: dict[str, float]) -> Callable[..., Any]:
    """The function, which adds to its part what it takes of its thread."""

    @wraps(function)
    def wrapped(*words: Any, **named: Any) -> Any:
        start = thread_time()
        try:
            return function(*words, **named)
        finally:
            parts[part] = parts.get(part, 0.0) + thread_time() - start

    return wrapped


if __name__ == "__main__":
    sys.exit(main())
