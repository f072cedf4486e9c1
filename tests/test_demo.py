"""The three demo pieces: what a newcomer sees first must be what the pieces were made to show."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy import signal

from processor import demo
from processor.cli import process
from tests.workspaces import command

ROWS = """SELECT name, integrated_lufs, clipped_samples, channels, reason AS failure
  FROM tracks LEFT JOIN failures USING (track)"""


@pytest.fixture(scope="module")
def pieces() -> list[NDArray[np.float64]]:
    return [demo.render(piece) for piece in demo.PIECES]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    """The catalogue that the command itself makes, by file name."""
    home = tmp_path_factory.mktemp("demo") / "home"
    result = command("demo", "--home", home)
    assert result.code == 0
    assert "3 stored" in result.out.splitlines()
    found = [json.loads(line) for line in command("query", "--home", home, "--json", ROWS).out.splitlines()]
    return {row["name"]: row for row in found}


def test_there_are_three_and_each_has_its_page(rows: dict[str, dict[str, float]]) -> None:
    assert set(rows) == {piece.name for piece in demo.PIECES}
    assert len(demo.PIECES) == 3
    assert all(row["channels"] == 2 and row["failure"] is None for row in rows.values())


def test_each_is_a_good_deal_louder_than_the_one_before(rows: dict[str, dict[str, float]]) -> None:
    loudness = [rows[piece.name]["integrated_lufs"] for piece in demo.PIECES]
    assert all(b - a > 3 for a, b in pairwise(loudness))


def test_only_the_last_is_clipped(rows: dict[str, dict[str, float]]) -> None:
    clipped = [rows[piece.name]["clipped_samples"] for piece in demo.PIECES]
    assert clipped[:2] == [0, 0]
    assert clipped[2] > 1000


def tempo_bpm(samples: NDArray[np.float64]) -> float:
    """The spacing of the kicks: the strongest period between 60 and 180 a minute in the energy below 120 Hz."""
    low = signal.sosfilt(signal.butter(4, 120, fs=demo.RATE, output="sos"), samples.mean(axis=0))
    hop = demo.RATE // 200
    energy = (low[: low.size // hop * hop].reshape(-1, hop) ** 2).mean(axis=1)
    rise = np.maximum(np.diff(energy), 0)
    lags = np.arange(int(200 * 60 / 180), int(200 * 60 / 60) + 1)
    scores = [float(rise[lag:] @ rise[:-lag]) for lag in lags]
    return 60 * 200 / float(lags[int(np.argmax(scores))])


def test_each_has_its_tempo(pieces: list[NDArray[np.float64]]) -> None:
    for piece, samples in zip(demo.PIECES, pieces, strict=True):
        assert tempo_bpm(samples) == pytest.approx(piece.tempo_bpm, rel=0.02)
    assert len({piece.tempo_bpm for piece in demo.PIECES}) == 3


def test_only_the_last_has_its_bass_out_of_phase(pieces: list[NDArray[np.float64]]) -> None:
    band = signal.butter(4, (60, 120), "bandpass", fs=demo.RATE, output="sos")
    correlations = [float(np.corrcoef(signal.sosfilt(band, samples))[0, 1]) for samples in pieces]
    assert min(correlations[:2]) > 0.5
    assert correlations[2] < -0.1


def test_they_are_stereo_and_within_full_scale(pieces: list[NDArray[np.float64]]) -> None:
    for piece, samples in zip(demo.PIECES, pieces, strict=True):
        assert samples.shape[0] == 2
        assert np.abs(samples[0] - samples[1]).max() > 0.01
        peak = np.abs(samples).max()
        assert peak == pytest.approx(min(1.0, 10 ** ((piece.peak_dbfs + piece.drive_db) / 20)))


def test_the_samples_are_the_same_each_time(pieces: list[NDArray[np.float64]], tmp_path: Path) -> None:
    assert all(np.array_equal(demo.render(p), s) for p, s in zip(demo.PIECES, pieces, strict=True))
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    for one, two in zip(*(demo.write_pieces(tmp_path / folder) for folder in ("one", "two")), strict=True):
        assert one.name == two.name
        assert one.read_bytes() == two.read_bytes()
        assert soundfile.info(one).samplerate == demo.RATE


def test_the_demo_is_made_here_and_shown_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    short = [demo.Piece(p.name, 480.0, p.chords, p.peak_dbfs) for p in demo.PIECES]
    monkeypatch.setattr(demo, "PIECES", short)
    result = command("demo", environment={"LINERNOTES_HOME": str(tmp_path / "elsewhere")})
    assert result.code == 0
    home = tmp_path / "linernotes-demo"
    assert (home / "site" / "index.html").is_file()
    assert not (tmp_path / "elsewhere").exists()
    next_things = result.out.split("Three things to try next:")[1].strip().splitlines()
    assert len(next_things) == 3
    assert all(str(home) in line for line in next_things)
    assert "3 known already" in command("demo").out


@pytest.mark.parametrize(
    ("found", "words"),
    [(None, "bin/linernotes"), ("bin/linernotes", "linernotes"), ("/usr/bin/linernotes", "bin/linernotes")],
)
def test_what_to_try_next_can_be_typed_as_it_stands(
    monkeypatch: pytest.MonkeyPatch, found: str | None, words: str
) -> None:
    """An environment that was not activated does not have the command on its path."""
    monkeypatch.setattr("sys.argv", ["bin/linernotes", "demo"])
    monkeypatch.setattr("shutil.which", lambda name: found)
    assert process._command_words() == words
