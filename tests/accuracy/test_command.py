"""`python -m tests.accuracy` from one end to the other, on a manifest of sounds that are made here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from processor.analysis import all_analysers
from tests.accuracy import answers, fingerprints, measure, peers, report, table
from tests.accuracy.__main__ import main
from tests.accuracy.fingerprints import VARIANTS, Likeness
from tests.accuracy.truth import Item, Spans
from tests.signals import Samples, song, write_wav

RATE = 22_050
SECONDS = 20.0


def waltz() -> Samples:
    """Three beats a bar at 90 a minute in G major: a chord on each beat, a low note on the first."""
    time = np.arange(round(SECONDS * RATE)) / RATE
    beat = time % (60 / 90)
    first = (time // (60 / 90)) % 3 == 0
    chord = sum(np.sin(2 * np.pi * hz * time) for hz in (196.0, 246.94, 293.66, 392.0))
    mix = 0.1 * chord * np.exp(-4 * beat) + 0.4 * first * np.sin(2 * np.pi * 98 * time) * np.exp(-3 * beat)
    return np.tile(mix, (2, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("accuracy")
    write_wav(folder / "one_song.wav", song(SECONDS, rate=RATE), RATE)
    write_wav(folder / "two_waltz.wav", waltz(), RATE)
    (folder / "two_broken.wav").write_bytes(b"RIFF but no more")
    beats = {"beats_phase_check": "on-grid", "bpm_constant": True}
    chords = [[0, SECONDS, "Am"]]
    entries: list[dict[str, Any]] = [
        {
            "id": "one_song",
            "file": "one_song.wav",
            "truth": {
                **beats,
                "bpm": 120.0,
                "beats": np.arange(0, SECONDS, 0.5).tolist(),
                "key": "A minor",
                "meter": "4/4",
                "chords": chords,
                "sections": [[0, 6.67, "A"], [6.67, 13.33, "B"], [13.33, SECONDS, "B"]],
            },
        },
        {
            "id": "two_waltz",
            "file": "two_waltz.wav",
            "truth": {
                **beats,
                "bpm": 90.0,
                "beats": np.arange(0, SECONDS, 60 / 90).tolist(),
                "downbeats": np.arange(0, SECONDS, 2.0).tolist(),
                "key": "G major",
                "meter": "3/4",
            },
        },
        {
            "id": "two_broken",
            "file": "two_broken.wav",
            "truth": {"bpm": 100.0, "beats": [6, 7], "beats_phase_check": "offbeat-dominant"},
        },
    ]
    path = folder / "manifest.json"
    path.write_text(json.dumps(entries))
    return path


@pytest.fixture(scope="module")
def whole(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All of it as JSON, with a peer that is always right about tempi."""
    given = tmp_path_factory.mktemp("peers") / "peers.json"
    given.write_text(json.dumps({"oracle": {"one_song": {"bpm": 120.0}, "two_waltz": {"bpm": 45.0}}}))
    done = subprocess.run(
        [sys.executable, "-m", "tests.accuracy", manifest, "--json", "--answers", given, "--workers", "1"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "3/3" in done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_baseline_is_scored_by_hand(whole: dict[str, Any]) -> None:
    found = {name: (round(one["value"], 3), one["n"]) for name, one in whole["scores"]["baseline"].items()}
    assert found["tempo_acc1"] == (0.333, 3)
    assert found["tempo_candidates"] == (0.333, 3)
    assert found["metre"] == (0.5, 2)
    assert found["key_exact"] == (0.5, 2)
    assert found["chords_majmin"] == (1.0, 1)
    assert found["beat_f"][1] == 2
    assert found["beat_f"][0] == pytest.approx(0.5 * (1 + 0.29), abs=0.05)  # a sixth of 120 meets a fifth of 90
    assert found["sections_0.5"] == (1.0, 1)


def test_a_peer_is_scored_only_for_what_it_answers(whole: dict[str, Any]) -> None:
    oracle = whole["scores"]["oracle"]
    assert oracle["tempo_acc1"] == {"value": 0.5, "n": 2}
    assert oracle["tempo_acc2"] == {"value": 1.0, "n": 2}
    assert set(oracle) == {"tempo_acc1", "tempo_acc2"}


def test_a_broken_file_is_reported_and_counts_as_wrong(whole: dict[str, Any]) -> None:
    assert list(whole["items"]["two_broken"]["failures"]) == ["decode"]
    assert whole["items"]["one_song"]["failures"] == {}
    if "beats" in all_analysers():
        assert whole["items"]["two_broken"]["scores"]["Liner Notes"]["tempo_acc1"] == 0


def test_what_is_left_out_is_counted(whole: dict[str, Any]) -> None:
    assert whole["left_out"] == {"beats": {"offbeat-dominant": 1}}


def test_sources_are_the_beginnings_of_names(whole: dict[str, Any]) -> None:
    assert set(whole["sources"]) == {"one", "two"}


def test_the_text_has_every_part(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(manifest), "--analysers", "levels", "--workers", "1", "--by", "item", "--only", "one|broken"]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "## Scores of 2 recordings" in text
    assert "not there" in text
    assert "Not scored: beats, 1 × offbeat-dominant." in text
    assert "- two_broken: decode: " in text
    assert "one_song  (truth: 120.0 BPM · 4 · A minor)" in text
    assert "waltz" not in text


def test_a_name_that_is_no_analyser_is_said(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(manifest), "--analysers", "levels,ears", "--only", "waltz", "--workers", "1"]) == 0
    assert "there is no analyser called ears" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, "no JSON"])
def test_a_bad_manifest_is_wrong_usage(tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "manifest.json"
    if content:
        path.write_text(content)
    assert main([str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def test_ctrl_c_stops_without_a_traceback(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "measure", stop)
    assert main([str(manifest), "--workers", "1"]) == 130
    assert capsys.readouterr().out == ""


RESULTS = {
    "beats": SimpleNamespace(
        tempo_bpm=60.0,
        confidence=0.8,
        candidates=(60.0, 120.0),
        beats_s=np.arange(0, 30, 1.0),
        downbeats_s=np.arange(0, 30, 4.0),
        metre=4,
    ),
    "key": SimpleNamespace(name="C major", confidence=0.6, runner_up="A minor"),
    "chords": SimpleNamespace(
        intervals_s=np.array([[0, 10], [10, 30]]), labels=("A:min", "C:maj"), confidences=(0.5, 0.9), confidence=0.7
    ),
    "sections": SimpleNamespace(intervals_s=np.array([[0, 10], [10, 30]]), labels=("A", "B"), confidence=0.5),
}
ITEM = Item(
    "x_1",
    Path(),
    "x",
    bpm=120.0,
    beats_s=np.arange(0, 30, 0.5),
    downbeats_s=np.arange(0, 30, 2.0),
    metres=(4,),
    key="A minor",
    chords=Spans(np.array([[0.0, 30.0]]), ("A:min",)),
    sections=Spans(np.array([[0.0, 10.0], [10.0, 30.0]]), ("A", "B")),
)


def test_scores_of_our_results() -> None:
    found = table.score(ITEM, answers.ours(RESULTS, RESULTS))
    assert {name: round(value, 2) for name, value in found.items()} == {
        "tempo_acc1": 0,
        "tempo_acc2": 1,
        "tempo_candidates": 1,
        "beat_f": 0.67,
        "beat_cmlt": 0,
        "beat_amlt": 1,
        "downbeat_f": 0.67,  # six of the twelve from 5 s on, and no other
        "metre": 1,
        "metre_family": 1,
        "key_mirex": 0.3,
        "key_exact": 0,
        "key_two": 1,
        "chords_majmin": 0.33,
        "sections_0.5": 1,
        "sections_3": 1,
        "sections_0.5 ends": 1,
        "sections_3 ends": 1,
        "sections_pairs": 1,
    }


def test_an_analyser_that_is_not_there_has_no_score_and_one_that_failed_has_zero() -> None:
    assert table.score(ITEM, answers.ours({}, ["levels"])) == {}
    found = table.score(ITEM, answers.ours({}, ["key", "beats"]))
    assert set(found.values()) == {0.0}
    assert {"tempo_acc1", "tempo_candidates", "downbeat_f", "metre", "key_mirex"} <= set(found)
    assert not {"chords_majmin", "sections_3"} & set(found)


def test_a_mean_tempo_is_a_row_of_its_own() -> None:
    played = Item("x_1", Path(), "x", bpm=119.0, is_steady=False)
    found = table.score(played, answers.baseline(played, "C major"))
    assert found == {"tempo_mean_acc1": 1, "tempo_mean_acc2": 1}


def test_sources_and_their_spread() -> None:
    sources = table.by_source([("a", {"metre": 1.0}), ("a", {"metre": 0.0}), ("b", {"metre": 1.0}), ("c", {})])
    assert sources["a"]["metre"] == table.Mean(0.5, 2)
    assert table.spread(sources, "metre") == table.Spread(0.75, 0.25, 0.5, "a", 2)
    assert table.spread(sources, "beat_f") is None


def test_the_commonest_key() -> None:
    keys = ["G major", "C minor", "C minor", None]
    assert answers.commonest_key(Item(str(n), Path(), "x", key=key) for n, key in enumerate(keys)) == "C minor"
    assert answers.commonest_key([]) == "C major"


def test_the_report_of_invented_results_says_all() -> None:
    found = measure.Measured("x_1", "x")
    measure._score(measure.Task(ITEM), found, answers.ours(RESULTS, RESULTS))
    found.said["truth"] = "…"
    found.variants = {name: Likeness(0.5, number > 0) for number, name in enumerate(VARIANTS)}
    pairs = fingerprints.pairs([("x_1", "y_1", Likeness(0.4, True))])
    made = report.Report([found], ["beats"], "A minor", pairs=pairs, notes=["Something to know."])
    text = report.text(made, "item")
    assert "Something to know." in text
    assert "### tempo: right is the tempo within 4 %" in text
    assert "### chords, each" in text
    assert "False: x_1 and y_1" in text
    assert "False pairs: 1 of 1" in text
    assert "Missed, MP3 128 kbit/s: x_1" in text
    line = next(line for line in text.splitlines() if line.startswith("| key MIREX"))
    assert [cell.strip() for cell in line.strip("|").split("|")] == ["key MIREX", "1", "30.0", "30.0"]
    assert json.loads(json.dumps(report.as_json(made)))["fingerprints"]["false"] == [["x_1", "y_1"]]


def test_every_column_of_a_table_lines_up() -> None:
    lines = report.grid(["", "n"], [["long name", "1"], ["x", "1000"]]).splitlines()
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(("root", "name"), [(0, "C major"), (9, "A major")])
def test_the_peers_key_is_found_in_a_chroma(root: int, name: str) -> None:
    chroma = np.roll([1.0, 0, 0.5, 0, 0.8, 0.5, 0, 0.9, 0, 0.5, 0, 0.3], root)
    assert peers.krumhansl_key(chroma) == name
    assert peers.krumhansl_key(np.ones(12)) is None


def test_peers_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    assert peers.installed() == []
    assert [sentence.split()[0] for sentence in peers.missing()] == ["librosa", "essentia"]
    assert peers.answers(np.zeros(100, np.float32), RATE) == {}
