"""The benchmark of mashups renders one, and adds up. How fast it is, is not tested here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import mashup
from tests.signals import noise, write_wav


def test_a_short_mashup_from_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [write_wav(tmp_path / f"{name}.wav", noise(2.0, -20, rate=8000, channels=2), 8000) for name in "vd"]
    assert mashup.main([*map(str, files), "--minutes", "0.35"]) == 0
    out = capsys.readouterr().out
    rows = {line.rsplit(None, 5)[0].strip(): line for line in out.splitlines() if "of a thread" in line}
    assert {"stretch", "decode", "gate", "room for vocals", "loudness, limiter", "files"} <= set(rows)
    assert "render and files" in out
    assert "MiB; aim 1431 MiB" in out


def test_what_goes_wrong_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Too short for one part of vocals: there is no such plan."""
    file = write_wav(tmp_path / "v.wav", noise(2.0, -20, rate=8000, channels=2), 8000)
    assert mashup.main([str(file), str(file), "--minutes", "0.1"]) == 1
    assert "PlanError" in capsys.readouterr().err


def test_layers_that_are_made_are_never_silent_for_long() -> None:
    for name in ("vocals", "drums", "bass", "other"):
        samples = mashup.synthesised(name)
        assert samples.shape == (2, 30 * mashup.RATE)
        assert 0.05 < abs(samples).max() < 1
