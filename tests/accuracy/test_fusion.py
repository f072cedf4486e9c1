"""The measuring of the fusion, on cases whose scores can be counted by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processor.analysis.beats import Beats
from processor.analysis.pitch import Pitch
from processor.sidecars import Sidecars
from tests import signals
from tests.accuracy import fusion
from tests.accuracy.fusion import (
    Case,
    Given,
    f_measure,
    fuse,
    instruments,
    read_stems,
    read_yamnet,
    report,
    sung_seconds,
)
from tests.analysis.witnesses import beats, between, pitch, stems, voices, yamnet


def case(name: str, truth: dict[str, Any], scores: dict[str, float], sung: bool, folder: Path = Path()) -> Case:
    """A minute with a band, with a voice from 10 to 40 s or without."""
    parts = stems(drums=-20.0, other=-20.0, vocals=between(10, 40) if sung else -90.0)
    follows: Pitch = pitch()
    tempo: Beats = beats(bpm_120=1.0)
    given = Given(parts, follows, yamnet(scores), voices({"Singing": 0.6 if sung else 0.0}), tempo)
    return fuse({"id": name, "truth": truth}, folder, given)


def test_false_and_missed_voices_are_counted() -> None:
    cases = [
        case("quiet", {"vocal": True}, {"Singing": 0.03}, True),
        case("loud", {"vocal": True}, {"Singing": 0.6}, True),
        case("hidden", {"vocal": True}, {"Singing": 0.0}, False),
        case("band", {"vocal": False}, {"Singing": 0.3}, False),
        case("unknown", {}, {"Singing": 0.9}, True),
    ]
    text = "\n".join(report(cases))
    assert "| a voice is there | false, of 1 without | missed, of 3 with |" in text
    assert "| YAMNet alone, from 0.5 | 0 | 2 |" in text
    assert "| YAMNet alone, from 0.2 | 1 | 2 |" in text
    assert "| fused `vocals.present` | 0 | 1 |" in text
    assert "| fused tag `vocals` | 0 | 1 |" in text
    assert "False: none. Missed: hidden." in text


def test_where_the_voice_is() -> None:
    segments = {"vocal": True, "vocal_segments": [[10.0, 25.0]]}
    one = case("song", segments, {"Singing": 0.1}, True)
    assert sung_seconds(one) is not None
    assert np.flatnonzero(sung_seconds(one)).tolist() == list(range(10, 25))
    assert "| song | 0.67 | 0.40 | 0.40 |" in "\n".join(report([one]))
    assert sung_seconds(case("other", {"vocal": False}, {}, False)) is None


def test_a_true_stem_says_where_the_voice_is(tmp_path: Path) -> None:
    voice = signals.joined(signals.silence(10.0), signals.sine(300, 30.0, -20.0), signals.silence(20.0))
    signals.write_wav(tmp_path / "voice.wav", voice)
    one = case("song", {"vocal": True, "stems": {"vocals": "voice.wav"}}, {}, True, tmp_path)
    assert np.flatnonzero(sung_seconds(one)).tolist() == list(range(10, 40))
    assert "| song | 1.00 |" in "\n".join(report([one]))


def test_f_measure() -> None:
    true = np.array([1, 1, 0, 0], np.bool_)
    assert f_measure(true, true) == 1.0
    assert f_measure(~true, true) == 0.0
    assert f_measure(np.ones(4, np.bool_), true) == pytest.approx(2 / 3)
    assert f_measure(np.zeros(4, np.bool_), np.zeros(4, np.bool_)) == 0.0


@pytest.mark.parametrize(
    ("name", "truth", "found"),
    [
        (
            "a",
            {"stems": {"bassguitar": "", "drums": "", "clav": ""}, "stems_sum_to_mix": True},
            "+drums +bass -guitar -piano",
        ),
        ("a", {"stems": {"drums": "", "other": ""}, "stems_sum_to_mix": True}, "+drums"),
        ("a", {"stems": {"lead guitar": "", "backing (drums+bass+rest)": ""}}, "+drums +bass +guitar"),
        ("h2_kit", {"tags": ["drums", "percussion"]}, "+drums -bass -guitar -piano"),
        ("moz_sonata05_1", {"tags": ["classical"]}, "-drums -bass -guitar +piano"),
        ("a", {"tags": ["solo voice", "a cappella"]}, "-drums -bass -guitar -piano"),
        ("a", {"tags": ["jazz"]}, ""),
    ],
)
def test_which_instruments_are_known(name: str, truth: dict[str, Any], found: str) -> None:
    said = instruments({"id": name, "truth": truth})
    assert " ".join(f"{'+' if said[one] else '-'}{one}" for one in fusion.INSTRUMENTS if one in said) == found


def test_precision_and_recall() -> None:
    kit = {"tags": ["drums", "percussion"]}
    cases = [case("h2", kit, {"Drum kit": 0.3}, False), case("h2", kit, {"Piano": 0.3}, False)]
    text = "\n".join(report(cases))
    assert "| drums | 2 | 0 | 1.00, 0.50 | 1.00, 0.50 | 1.00, 1.00 |" in text
    assert "| piano | 0 | 2 | 0.00, – | 0.00, – | 0.00, – |" in text


def test_stems_that_are_there_are_measured(tmp_path: Path) -> None:
    sidecars = Sidecars(tmp_path)
    sound = signals.audio(signals.sine(440, 3.0, -6.0, rate=44_100), 44_100)
    sidecars.write("vocals.flac", 44_100, [signals.sine(440, 3.0, -6.0, rate=44_100)])
    sidecars.write("drums.flac", 44_100, [signals.silence(3.0, rate=44_100)])
    found = read_stems(sound, sidecars)
    assert found.names == ("drums", "vocals")
    assert found.levels_db.shape == (2, 30)
    assert found.levels_db[1] == pytest.approx(-6.0 - 3.01, abs=3.1)
    assert found.energy_share == pytest.approx((0, 1), abs=1e-4)
    assert found.present == (False, True)


def test_scores_that_are_there_are_read(tmp_path: Path) -> None:
    expected = yamnet({"Singing": 0.5})
    np.savez(tmp_path / "a.npz", scores=expected.scores, classes=expected.classes, hop_s=0.5, window_s=0.975)
    found = read_yamnet(tmp_path / "a.npz")
    assert np.array_equal(found.scores, expected.scores)
    assert (found.hop_s, found.window_s) == (0.5, 0.975)


def test_a_manifest_without_items_gives_empty_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps([{"id": "a", "file": "a.wav", "truth": {}}]))
    assert fusion.main([str(tmp_path / "manifest.json"), "--only", "nothing"]) == 0
    assert "| fused `vocals.present` | 0 | 0 |" in capsys.readouterr().out
