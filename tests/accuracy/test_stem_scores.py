"""The command that says what stems add: what it reads, and what it makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from processor.analysis.mono import SAMPLE_RATE_HZ
from tests.accuracy import stems
from tests.analysis.test_beats import HOUSE, pattern
from tests.analysis.test_key import cadence
from tests.signals import Samples

PARTS: dict[str, Samples] = {"drums": pattern(HOUSE, 125, seconds=16.0), "bass": cadence("E minor")}


def written(folder: Path, names: dict[str, Samples]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, samples in names.items():
        soundfile.write(folder / f"{name}.flac", samples, SAMPLE_RATE_HZ, subtype="PCM_24")


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """One song with two true stems, and one that is whole."""
    mix = np.asarray(PARTS["drums"] + PARTS["bass"], np.float32)
    written(tmp_path, {"a_song": mix, "a_song--kick": PARTS["drums"], "a_song--bassguitar": PARTS["bass"]})
    entry = {"id": "a_song", "file": "a_song.flac", "truth": {"bpm": 125.0, "key": "E minor"}}
    entry["truth"]["stems"] = {"kick": "a_song--kick.flac", "bassguitar": "a_song--bassguitar.flac"}  # type: ignore[index]
    whole = {"id": "b_song", "file": "a_song.flac", "truth": {"bpm": 125.0}}
    several = {"id": "c_song", "file": "a_song.flac", "truth": {"stems": {"backing (drums+bass)": "x.flac"}}}
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps([entry, whole, several]), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("drums", "drums"),
        ("4_kick_soft02_ogg", "drums"),
        ("Bassguitar", "bass"),
        ("vocals", "vocals"),
        ("horns", "other"),
    ],
)
def test_true_stems_have_many_names(name: str, role: str) -> None:
    assert stems.role(name) == role


def test_true_stems_are_scored(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stems.main([str(manifest)]) == 0
    printed = capsys.readouterr().out
    assert "a_song: mix 125.0 E minor · stems 125.0 E minor · both 125.0 E minor (mix · mix · mix)" in printed
    assert "1 sounds" in printed
    assert "| tempo Acc1 (±4 %) | 1 | 100.0 | 100.0 | 100.0 |" in printed
    assert "| key MIREX | 1 | 100.0 | 100.0 | 100.0 |" in printed


def test_separated_stems_are_looked_for_by_name(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The drums say 90, louder than in the mix: the table shows who is wrong."""
    folder = tmp_path / "stems"
    silence = np.zeros(12 * SAMPLE_RATE_HZ, np.float32)
    written(folder / "b_song", {"vocals": silence, "drums": pattern(HOUSE, 90), "bass": silence, "other": silence})
    written(folder / "a_song", {"vocals": silence})
    assert stems.main([str(manifest), "--stems", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "a_song" not in printed
    assert "b_song: mix 125." in printed
    assert "| tempo Acc1 (±4 %) | 1 | 100.0 | 0.0 |" in printed


def test_pieces_are_scored_by_themselves(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stems.main([str(manifest), "--pieces", "7"]) == 0
    printed = capsys.readouterr().out
    assert [line.partition(":")[0] for line in printed.splitlines()[:2]] == ["a_song 0 s", "a_song 7 s"]
    assert "2 sounds" in printed
    assert "| tempo Acc1 (±4 %) | 2 | 100.0 | 100.0 | 100.0 |" in printed


def test_no_manifest_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stems.main([str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err
