"""The drums alone give tempo and beats where they really play, and nothing where they do not."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from processor.analysis.mono import SAMPLE_RATE_HZ
from processor.analysis.separated import Separated, separated
from processor.analysis.stem_rhythm import StemRhythm, stem_rhythm
from processor.analysis.stems import Stems
from processor.sidecars import Sidecars
from tests.analysis.test_beats import HOUSE, pattern, with_chords, worst_miss_s
from tests.signals import Samples

RATE = SAMPLE_RATE_HZ


def kept(folder: Path, parts: dict[str, Samples], present: dict[str, bool] | None = None) -> tuple[Stems, Separated]:
    """Stems that lie beside a record, as the separator leaves them."""
    sidecars = Sidecars(folder)
    written = {name: samples[None] for name, samples in parts.items() if samples.size}
    files = [sidecars.write(f"stems/{name}.flac", RATE, [block]) for name, block in written.items()]
    energy = np.array([float(np.square(samples, dtype=np.float64).sum()) for samples in parts.values()])
    values = {field.name: None for field in fields(Stems)} | {
        "names": tuple(parts),
        "present": tuple((present or {}).get(name, True) for name in parts),
        "energy_share": tuple((energy / max(energy.sum(), 1e-12)).tolist()),
        "active_share": (1.0,) * len(parts),
        "sample_rate": RATE,
        "hop_s": 0.1,
        "files": tuple(file.name for file in files),
        "file_sha256": tuple(file.sha256 for file in files),
    }
    stems = Stems(**values)  # type: ignore[arg-type]
    return stems, separated(stems, sidecars)


def heard(folder: Path, parts: dict[str, Samples], present: dict[str, bool] | None = None) -> StemRhythm:
    return stem_rhythm(*kept(folder, parts, present))


@pytest.mark.parametrize("tempo_bpm", [96.0, 125.0, 172.0])
def test_the_drums_tempo_and_beats_are_found(tmp_path: Path, tempo_bpm: float) -> None:
    drums = pattern(HOUSE, tempo_bpm)
    found = heard(tmp_path, {"vocals": np.zeros_like(drums), "drums": drums})
    assert found.drums_tempo_bpm == pytest.approx(tempo_bpm, rel=1e-3)
    assert worst_miss_s(found.drums_beats_s, np.arange(0, 24, 60 / tempo_bpm)) < 0.015
    assert found.drums_share == 1.0
    assert found.drums_candidates[0] == found.drums_tempo_bpm
    assert found.drums_candidate_weights[0] == found.drums_tempo_confidence


def test_other_stems_are_not_heard(tmp_path: Path) -> None:
    drums = pattern(HOUSE, 125)
    alone = heard(tmp_path / "a", {"drums": drums})
    beside = heard(tmp_path / "b", {"other": pattern(HOUSE, 90), "drums": drums})
    assert beside.drums_tempo_bpm == alone.drums_tempo_bpm
    np.testing.assert_array_equal(beside.drums_beats_s, alone.drums_beats_s)


@pytest.mark.parametrize(
    ("parts", "present"),
    [
        ({"drums": pattern(HOUSE, 125)}, {"drums": False}),
        ({"vocals": pattern(HOUSE, 125)}, {}),
        ({"drums": np.zeros(10 * RATE, np.float32)}, {}),
        ({"drums": np.zeros(0, np.float32)}, {}),
        ({"drums": np.random.default_rng(0).standard_normal(20 * RATE).astype(np.float32) * 0.1}, {}),
    ],
    ids=["not really there", "no such stem", "silence", "nothing", "noise"],
)
def test_without_drums_there_is_nothing(tmp_path: Path, parts: dict[str, Samples], present: dict[str, bool]) -> None:
    found = heard(tmp_path, parts, present)
    assert found.drums_tempo_bpm is None
    assert found.drums_candidates == ()
    assert found.drums_beats_s.size == 0
    assert found.hearing() is None


def test_the_hearing_is_what_was_recorded(tmp_path: Path) -> None:
    found = heard(tmp_path, {"drums": with_chords(pattern(HOUSE, 125), 4 * 60 / 125)})
    hearing = found.hearing()
    assert hearing is not None
    assert hearing.tempo_bpm == found.drums_tempo_bpm
    assert hearing.confidence == found.drums_tempo_confidence
    assert hearing.curve_bpm.shape == found.drums_beats_s.shape
    assert hearing.stability == 1.0
