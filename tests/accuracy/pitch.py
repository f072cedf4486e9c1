"""How right the pitch trackers are: `python -m tests.accuracy.pitch`.

Voices are made from formulas, so that the truth is known at each sample: harmonics of a glottal source through the
formants of vowels, with glides, vibrato, notes that are out of tune by known cents, and pauses with hisses in them;
in pink noise of several levels. Each tracker hears the same, on one thread, in a process of its own for the memory.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from processor.analysis.key import Key
from processor.analysis.melody import Melody, melody
from processor.analysis.pitch import VOICED, Pitch
from processor.models.loading import Machine, guard_broken_packages
from processor.models.pitch import PitchTracker, follow, load_crepe, load_swift
from processor.models.table import all_models

Vector = NDArray[np.float64]

RATE = 16_000
SNRS_DB = (None, 20.0, 10.0, 0.0)
TRACKERS = ("swift_f0", "crepe_tiny", "crepe")
# Formants of a, i and u in Hz, and how loud each is.
VOWELS = ((730.0, 1090.0, 2440.0), (270.0, 2290.0, 3010.0), (300.0, 870.0, 2240.0))
FORMANT_GAINS, FORMANT_WIDTH_HZ = (1.0, 0.5, 0.25), 110.0
NEAR_CENTS = 50.0
VIBRATO_HZ, VIBRATO_CENTS = 5.5, 50.0
# How far the notes of the tune are from being in tune, over and over; their median distance is 15.
OFFSETS_CENTS = (0.0, 15.0, -15.0, 25.0, -25.0, 10.0, -10.0, 30.0)
TUNE = (57, 59, 61, 62, 64, 66, 68, 69)


@dataclass(frozen=True)
class Sung:
    """A voice and the truth about it.

    Attributes:
        name: what it does.
        samples: mono at `RATE`.
        f0_hz: at each sample; NaN where nothing is voiced.
        notes: start and end in s, pitch in semitones, of what are notes.
    """

    name: str
    samples: Vector
    f0_hz: Vector
    notes: Vector


def voiced(f0_hz: Vector, vowel: int, seed: int) -> Vector:
    """A voice of some pitch: harmonics that fall by 12 dB an octave, through formants."""
    random = np.random.default_rng(seed)
    phase = np.cumsum(2 * np.pi * f0_hz / RATE) + random.uniform(0, 6)
    row = np.zeros(f0_hz.size)
    for number in range(1, int(RATE / 2.2 / f0_hz.min()) + 1):
        hz = number * f0_hz
        gain = sum(
            level / (1 + ((hz - formant) / FORMANT_WIDTH_HZ) ** 2)
            for level, formant in zip(FORMANT_GAINS, VOWELS[vowel], strict=True)
        )
        row += np.where(hz < RATE / 2.2, (gain + 0.03) / number * np.sin(number * phase), 0.0)
    ends = np.minimum(1, np.minimum(np.arange(row.size), np.arange(row.size)[::-1]) / (0.015 * RATE))
    return np.asarray(0.3 * ends * row / np.abs(row).max())


def pause(seconds: float, seed: int) -> Vector:
    """Nothing, then a hiss as of an s, then nothing."""
    row = np.zeros(round(seconds * RATE))
    third = row.size // 3
    hiss = scipy.signal.butter(2, 4000, "high", fs=RATE)
    noise = np.random.default_rng(seed).standard_normal(third) * np.hanning(third)
    row[third : 2 * third] = 0.03 * scipy.signal.lfilter(*hiss, noise)
    return row


def sung(name: str, parts: Sequence[Vector], *, rest_s: float, pitches: Sequence[float] = ()) -> Sung:
    """Curves of f0 in Hz one after the other, with a pause after each."""
    rows, curves, notes, at = [], [], [], 0
    for number, f0_hz in enumerate(parts):
        gap = pause(rest_s, number)
        rows += [voiced(f0_hz, number % len(VOWELS), number), gap]
        curves += [f0_hz, np.full(gap.size, np.nan)]
        if pitches:
            notes.append((at / RATE, (at + f0_hz.size) / RATE, pitches[number]))
        at += f0_hz.size + gap.size
    return Sung(name, np.concatenate(rows), np.concatenate(curves), np.array(notes).reshape(-1, 3))


def steady(pitch: float, seconds: float, *, vibrato_cents: float = 0.0) -> Vector:
    """The curve of a note in Hz, with a vibrato if wanted."""
    count = round(seconds * RATE)
    swing = vibrato_cents / 100 * np.sin(2 * np.pi * VIBRATO_HZ * np.arange(count) / RATE)
    return np.asarray(440 * 2 ** ((pitch + swing - 69) / 12))


@functools.cache
def voices() -> tuple[Sung, ...]:
    """All that is sung: 37 s."""
    glides = [
        np.geomspace(low, high, round(2.0 * RATE)) for low, high in ((90, 360), (500, 140), (220, 880), (130, 98))
    ]
    tune = [note + OFFSETS_CENTS[k] / 100 for k, note in enumerate(TUNE)]
    held = [45.0, 52.0, 57.0, 64.0, 69.0, 76.0]
    random = np.random.default_rng(5)
    talk = [np.geomspace(random.uniform(90, 220), random.uniform(80, 180), round(0.16 * RATE)) for _ in range(18)]
    return (
        sung("glides", glides, rest_s=0.4),
        sung("vibrato", [steady(p, 1.4, vibrato_cents=VIBRATO_CENTS) for p in held], rest_s=0.25, pitches=held),
        sung("notes", [steady(p, 0.5) for p in tune], rest_s=0.15, pitches=tune),
        sung("speech", talk, rest_s=0.12),
        sung("high", [steady(p, 0.6) for p in (81.0, 84.0, 88.0)], rest_s=0.3, pitches=[81.0, 84.0, 88.0]),
        sung("low", [steady(p, 0.6) for p in (33.0, 36.0, 40.0)], rest_s=0.3, pitches=[33.0, 36.0, 40.0]),
    )


def noisy(one: Sung, snr_db: float | None) -> Vector:
    """The same in pink noise, so far below the mean power of the voice."""
    if snr_db is None:
        return one.samples
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(one.samples.size))
    pink = np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(spectrum.size))), one.samples.size)
    power = np.mean(one.samples[np.isfinite(one.f0_hz)] ** 2)
    return np.asarray(one.samples + pink * np.sqrt(power / np.mean(pink**2) / 10 ** (snr_db / 10)))


@dataclass(frozen=True)
class Score:
    """How a tracker did on some sound.

    Attributes:
        right: share of truly voiced frames whose pitch is within 50 cents, voiced or not (raw pitch accuracy).
        octave: share that is right but for octaves (raw chroma accuracy).
        cents: median distance of the right ones.
        recall: share of truly voiced frames that are said to be.
        false_alarm: share of other frames that are said to be voiced.
        frames: truly voiced ones, and others.
    """

    right: float
    octave: float
    cents: float
    recall: float
    false_alarm: float
    frames: tuple[int, int]


def score(truth_hz: Vector, f0_hz: Vector, voicing: Vector, hop_s: float) -> Score:
    """Compare a curve with the truth at each sample; frames at the edge between voiced and not are left out."""
    places = np.round(np.arange(f0_hz.size) * hop_s * RATE).astype(int)
    places = np.minimum(places, truth_hz.size - 1)
    reach = round(0.03 * RATE)
    is_there = np.isfinite(truth_hz)
    edges = np.convolve(np.abs(np.diff(is_there.astype(float), prepend=is_there[:1])), np.ones(2 * reach), "same") > 0
    usable = ~edges[places]
    truth, found, said = truth_hz[places][usable], f0_hz[usable], voicing[usable] >= VOICED
    real = np.isfinite(truth)
    cents = 1200 * np.log2(np.maximum(found[real], 1.0) / truth[real])
    off, folded = np.abs(cents), np.abs(cents - 1200 * np.round(cents / 1200))
    return Score(
        right=float(np.mean(off <= NEAR_CENTS)),
        octave=float(np.mean(folded <= NEAR_CENTS)),
        cents=float(np.median(off[off <= NEAR_CENTS])),
        recall=float(np.mean(said[real])),
        false_alarm=float(np.mean(said[~real])),
        frames=(int(real.sum()), int((~real).sum())),
    )


def note_f(found: Vector, truth: Vector, *, onset_s: float = 0.05) -> float:
    """F of notes: each true one is found if one begins within 50 ms and lies within 50 cents."""
    free = list(range(len(found)))
    hits = 0
    for start, _, pitch in truth:
        fits = [k for k in free if abs(found[k, 0] - start) <= onset_s and abs(found[k, 2] - pitch) <= 0.5]
        if fits:
            free.remove(fits[0])
            hits += 1
    return 2 * hits / (len(found) + len(truth)) if len(found) + len(truth) else 0.0


def tracked(tracker: PitchTracker, samples: Vector) -> tuple[Vector, Vector]:
    """Pitch and confidence of each frame, the loudest sample at 0.9 as the analyser has it."""
    loud = np.asarray(0.9 * samples / np.abs(samples).max(), np.float32)
    parts = list(follow(tracker, [loud]))
    return (
        np.concatenate([part[1] for part in parts]).astype(np.float64),
        np.concatenate([part[2] for part in parts]).astype(np.float64),
    )


def as_melody(tracker: PitchTracker, f0_hz: Vector, voicing: Vector) -> Melody:
    """The notes of a curve, by the analyser."""
    curve = np.where(voicing >= VOICED, f0_hz, np.nan).astype(np.float32)
    hop_s = tracker.hop / tracker.sample_rate
    sure = float(voicing[voicing >= VOICED].mean()) if (voicing >= VOICED).any() else None
    found = Pitch(tracker.name, "vocals", None, None, sure, None, hop_s, curve, voicing.astype(np.float32))
    nothing: dict[str, Any] = {one.name: None for one in dataclasses.fields(Key)}
    return melody(found, Key(**(nothing | {"tuning_cents": 0.0})))


def load(name: str) -> PitchTracker:
    """A tracker out of the package that carries its weights, on one thread."""
    if name != "swift_f0":
        guard_broken_packages()
    model = all_models()[name]
    spec = util.find_spec(model.sources[0].where)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{model.sources[0].where} is not installed: pip install 'liner-notes[models]'")
    loader = load_swift if name == "swift_f0" else load_crepe
    return loader(model, Path(spec.origin).parent, Machine("cpu", 1))


def measure(name: str) -> dict[str, Any]:
    """All that is said about one tracker."""
    voices()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracker = load(name)
    tracker.track(np.zeros(RATE, np.float32))  # what is compiled or planned once
    used, heard = 0.0, 0.0
    rows, tunes = [], []
    for snr_db in SNRS_DB:
        for one in voices():
            start = time.process_time()
            f0_hz, voicing = tracked(tracker, noisy(one, snr_db))
            used += time.process_time() - start
            heard += one.samples.size / RATE
            found = score(one.f0_hz, f0_hz, voicing, tracker.hop / tracker.sample_rate)
            rows.append({"snr_db": snr_db, "voice": one.name, **found.__dict__})
            if len(one.notes):
                tunes.append({"snr_db": snr_db, "voice": one.name, **_tune(one, as_melody(tracker, f0_hz, voicing))})
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    memory_mb = (after - before) / 1024
    return {"name": tracker.name, "speed": heard / used, "memory_mb": memory_mb, "rows": rows, "tunes": tunes}


def _tune(one: Sung, found: Melody) -> dict[str, float | None]:
    return {
        "note_f": note_f(found.notes, one.notes),
        "intonation_cents": found.intonation_cents,
        "vibrato_rate_hz": found.vibrato_rate_hz,
        "vibrato_cents": found.vibrato_cents,
        "vibrato_share": found.vibrato_share,
    }


def report(found: Sequence[dict[str, Any]]) -> str:
    """Tables in Markdown."""
    lines = [
        "| tracker | noise | pitch right | but for octaves | median error | voiced, found | false alarm |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in found:
        for snr_db in SNRS_DB:
            lines.append(f"| {one['name']} | {_noise(snr_db)} | {_mean_line(one['rows'], snr_db)} |")
    lines += ["", "| tracker | sound | noise | notes F | intonation | vibrato |", "|---|---|---|---|---|---|"]
    for one in found:
        for tune in one["tunes"]:
            off, rate, extent = (tune[key] for key in ("intonation_cents", "vibrato_rate_hz", "vibrato_cents"))
            swing = f"{rate:.2f} Hz ± {extent:.0f} cents" if rate is not None else "–"
            in_tune = f"{off:.1f} cents" if off is not None else "–"
            where = f"{one['name']} | {tune['voice']} | {_noise(tune['snr_db'])}"
            lines.append(f"| {where} | {tune['note_f']:.2f} | {in_tune} | {swing} |")
    true_off = float(np.median(np.abs(OFFSETS_CENTS)))
    lines += [
        "",
        f"Truth: intonation {true_off:g} cents for notes and 0 for the others, vibrato {VIBRATO_HZ:g} Hz "
        f"± {VIBRATO_CENTS:g} cents for vibrato and none for the others.",
        "",
    ]
    lines += [
        f"{one['name']}: {one['speed']:.2f} × real time on one thread, {one['memory_mb']:.0f} MB" for one in found
    ]
    return "\n".join(lines)


def _noise(snr_db: float | None) -> str:
    return "none" if snr_db is None else f"{snr_db:g} dB below"


def _mean_line(rows: Sequence[dict[str, Any]], snr_db: float | None) -> str:
    """Means over all frames of one level of noise."""
    here = [row for row in rows if row["snr_db"] == snr_db]
    real = [row["frames"][0] for row in here]
    other = [row["frames"][1] for row in here]
    right, octave, cents, recall = (
        float(np.average([row[key] for row in here], weights=real)) for key in ("right", "octave", "cents", "recall")
    )
    alarm = float(np.average([row["false_alarm"] for row in here], weights=other))
    return f"{right:.1%} | {octave:.1%} | {cents:.1f} cents | {recall:.1%} | {alarm:.1%}"


def main(words: Sequence[str] | None = None) -> int:
    """Measure each tracker in a process of its own and print the tables."""
    parser = argparse.ArgumentParser("python -m tests.accuracy.pitch", description=__doc__.partition("\n\n")[2])
    parser.add_argument("--only", choices=TRACKERS, help="one tracker; the full CREPE takes minutes")
    parser.add_argument("--json", action="store_true", help="for programs")
    chosen = parser.parse_args(words)
    if chosen.only and chosen.json:
        print(json.dumps([measure(chosen.only)]))
        return 0
    found = []
    for name in [chosen.only] if chosen.only else TRACKERS:
        command = [sys.executable, "-m", "tests.accuracy.pitch", "--only", name, "--json"]
        found += json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(json.dumps(found) if chosen.json else report(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
