"""A library with mashups: two invented songs, a plan that goes with them, and stems of tones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from processor import library
from processor.feedback.equaliser import Band
from processor.files import write_atomically
from processor.library import Track
from processor.mashup.kept import RESULT_TYPES, Origin, Stored, read, text_hash
from processor.mashup.measured import MadeFrom, Measured
from processor.mashup.plan import Cut, Duck, Fit, Grid, Plan, Rejection, Segment, Source
from processor.mashup.plan_files import to_toml
from processor.record import Record, write
from processor.sidecars import Sidecars
from processor.workspace import Workspace
from tests import signals
from tests.libraries import make_track

RATE = 44_100
# The plan's 4 bars at 120 BPM.
SECONDS = 8.0
TITLES = ("Night Bus", "Low Tide")
TONES_HZ = {"vocals": 880.0, "drums": 3520.0, "bass": 110.0, "other": 440.0}


def grid(bpm: float, beats: int, first_s: float = 0.0) -> Grid:
    return Grid(tuple(np.round(first_s + np.arange(beats) * 60 / bpm, 6).tolist()), 0, 4, bpm)


def segment(
    label: str, start_s: float, end_s: float, beats: tuple[int, int], fit: float = 0.8, **changes: Any
) -> Segment:
    """A segment; `beats` are the beat of the vocals and the beat of the mashup that it falls on."""
    made = Segment(label, start_s, end_s, *beats, 0.0, -1.5, 0.02, 0.05, fit, f"{label} is loud where the chorus is.")
    return replace(made, **changes)


def plan(**changes: Any) -> Plan:
    """Four bars of the second half of the instrumental, then its first bar again; two lines are sung."""
    made = Plan(
        name=" × ".join(TITLES),
        vocals=Source("night-bus", TITLES[0], "1" * 64, ("vocals",), "A minor", grid(100.0, 41)),
        instrumental=Source("low-tide", TITLES[1], "2" * 64, ("drums", "bass", "other"), "B minor", grid(120.0, 65)),
        tempo_bpm=120.0,
        vocal_beats_per_beat=1.0,
        vocal_shift_semitones=2.0,
        instrumental_shift_semitones=0.0,
        cuts=(Cut(16, 28), Cut(0, 4)),
        segments=(segment("verse 1", 4.8, 8.4, (8, 0)), segment("chorus", 14.4, 18.0, (24, 8), 0.35)),
        vocal_to_backing_lu=1.5,
        vocal_bands=(Band("bell", 300.0, -2.5, 1.0),),
        instrumental_bands=(),
        duck=Duck(4.0, 300.0, 5000.0, 0.01, 0.15),
        gate_below_lufs=-48.0,
        instrumental_gain_db=-2.0,
        target_lufs=-14.0,
        ceiling_dbtp=-1.0,
        fit=Fit(0.74, 0.81, 0.66, 0.7, None, 1.0),
        reasons=("Shifted by two semitones, both are in B minor.",),
        rejections=(Rejection("shift −1", "harmonic fit 0.42, 0.39 less than at +2"),),
    )
    return replace(made, **changes)


def measured(**changes: Any) -> Measured:
    made = Measured(
        duration_s=8.0,
        tempo_bpm=120.02,
        tempo_confidence=0.9,
        key="B minor",
        key_confidence=0.8,
        integrated_lufs=-14.1,
        true_peak_dbtp=-1.02,
        limiter_db=2.3,
        beat_offset_median_ms=4.2,
        beat_offset_p95_ms=11.5,
        beat_offset_worst_ms=12.5,
        beat_offset_from="the drums of the vocals' song",
        vocal_to_backing_lu=1.2,
        band_ratios_db=(None, -20.0, -3.0, 2.0, 0.5, -6.0),
        onset_sharpness_kept=0.93,
        clicks_at_joins=0,
        joins=5,
        deviations=(),
    )
    return replace(made, **changes)


def song(workspace: Workspace, title: str, parts: Sequence[tuple[float, float, str, str]], **changes: Any) -> Track:
    """A track with sections."""
    return make_track(
        workspace,
        f"{title}.wav",
        source__sample_rate_hz=RATE,
        source__duration_s=parts[-1][1],
        metadata__title=title,
        sections__intervals_s=np.array([[start, end] for start, end, _, _ in parts]),
        sections__labels=tuple(label for _, _, label, _ in parts),
        sections__roles=tuple(role for _, _, _, role in parts),
        **changes,
    )


def songs(workspace: Workspace) -> tuple[Track, Track]:
    """Who sings, and who plays."""
    sung = song(workspace, TITLES[0], [(0, 9.6, "A", "verse"), (9.6, 12, "B", "section"), (12, 24, "C", "chorus")])
    return sung, song(workspace, TITLES[1], [(0, 8, "A", "intro"), (8, 32, "B", "chorus")])


def mix_track(workspace: Workspace, name: str = "Mashup.wav", seconds: float = SECONDS) -> Track:
    """The mix as a track with a sound."""
    track = make_track(workspace, name, source__sample_rate_hz=RATE, source__duration_s=seconds)
    assert track.source is not None
    signals.write_wav(track.source, signals.noise(seconds, rate=RATE, channels=2), RATE, subtype="FLOAT")
    return track


def tones(seconds: float = SECONDS, dbfs: float = -6.0) -> dict[str, Any]:
    return {name: signals.sine(hz, seconds, dbfs, rate=RATE, channels=2) for name, hz in TONES_HZ.items()}


def make_mashup(
    workspace: Workspace,
    made_from: tuple[str, str, str | None],
    made: Plan | None = None,
    found: Measured | None = None,
    stems: Mapping[str, Any] | None = None,
    alternatives: Sequence[Plan] = (),
) -> Stored:
    """Put a mashup into the library.

    Args:
        workspace: where.
        made_from: ids of who sings, who plays, and of the mix as a track.
        made: its plan.
        found: what it came out as.
        stems: name → samples of each stem.
        alternatives: the other plans that there were.
    """
    workspace.create()
    made = made or plan()
    text = to_toml(made)
    folder = workspace.library / "2026/11/20" / f"{library.slug(made.name)}-{text_hash(text)[:8]}.mashup"
    folder.mkdir(parents=True)
    write_atomically(folder / "plan.toml", text)
    (folder / "mashup.cue").write_text('FILE "mix.flac" WAVE\n')
    for name, samples in (stems or {}).items():
        Sidecars(folder).write(f"stems/{name}.flac", RATE, [samples])
    if stems:
        Sidecars(folder).write("mix.flac", RATE, [sum(stems.values()) / np.float32(len(stems))])
    for number, one in enumerate(alternatives, 2):
        (folder / "alternatives").mkdir(exist_ok=True)
        (folder / f"alternatives/plan-{number}.toml").write_text(to_toml(one), encoding="utf-8")
    results = {
        "made_from": MadeFrom(*made_from),
        "measured": found or measured(),
        "origin": Origin(folder=None, asked="0" * 16, supplied=()),
    }
    assert results.keys() == RESULT_TYPES.keys()
    write(Record("mashup", text_hash(text), made.name, results, dict.fromkeys(results, "0" * 16), {}), folder)
    one = read(folder)
    assert one is not None
    return one
