"""`linernotes advise` says what is right and wrong with a mix, and stores nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processor.cli.advise import _show_advice
from processor.feedback.advice import AREAS, BANDS, SEVERITIES, Advice
from tests.feedback.endpoint import endpoint, obedient
from tests.signals import RATE, song, write_wav
from tests.workspaces import command, junk


@pytest.fixture(scope="module")
def clipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    samples = song(12.0)
    louder = np.clip(samples * np.float32(2.5 / np.abs(samples).max()), -1, 1)
    return write_wav(tmp_path_factory.mktemp("advise") / "Clipped.wav", louder, RATE)


def advised(*arguments: str | Path) -> list[dict[str, Any]]:
    result = command("advise", "--json", *arguments)
    assert result.code == 0, result.err
    return [json.loads(line) for line in result.out.splitlines()]


def test_json_has_all_that_a_program_needs(clipped: Path) -> None:
    [found] = advised(clipped)
    assert found["file"] == str(clipped)
    assert (found["profile"], found["target"]) == ("general", "spotify")
    assert found["advice"]
    for one in found["advice"]:
        assert one["severity"] in SEVERITIES
        assert one["area"] in AREAS
        assert one["band"] in (None, *BANDS)
        assert one["direction"] in (None, "too much", "too little")
        assert one["id"].startswith(f"{one['area']}.")
        assert one["title"]
        assert one["evidence"]
        assert all(proof["field"] and proof["source"] for proof in one["evidence"])
        assert bool(one["action"]) == bool(one["processing"])
    order = [SEVERITIES.index(one["severity"]) for one in found["advice"]]
    assert order == sorted(order)


def test_a_fault_says_what_to_do(clipped: Path) -> None:
    [found] = advised(clipped)
    fault = next(one for one in found["advice"] if one["id"].startswith("integrity.clipped"))
    assert fault["severity"] == "fault"
    assert "dB" in fault["action"]


def test_people_read_it_as_text(clipped: Path) -> None:
    result = command("advise", clipped)
    assert result.code == 0
    assert "against General" in result.out
    assert "→" in result.out
    assert "levels.clipped_samples" in result.out


def test_text_shows_numbers_as_people_write_them(clipped: Path) -> None:
    lines = [line for line in command("advise", clipped).out.splitlines() if ", fine: " in line]
    assert any("−" in line for line in lines)
    for line in lines:
        assert not re.search(r"(?<!\w)-\d|= (True|False)\b", line), line


def test_places_within_one_second_are_one(capsys: pytest.CaptureFixture[str]) -> None:
    times = tuple((at, at) for at in (71.1, 71.3, 73.0, 74.0, 75.0, 76.0, 77.0, 78.0))
    _show_advice(Advice("integrity.clicks", "note", "integrity", None, None, "Clicks", "They tick.", (), (), times))
    assert "They tick. At 1:11, 1:13, 1:14, 1:15, 1:16, 1:17 …." in capsys.readouterr().out


def test_one_instrument_is_told_to_be_one(tmp_path: Path) -> None:
    at = np.arange(round(8 * RATE)) / RATE
    hertz = 220 * 2 ** (np.floor(at) % 5 * 2 / 12)
    notes = 0.3 * np.sin(2 * np.pi * np.cumsum(hertz) / RATE) * np.exp(-6 * (at % 1))
    path = write_wav(tmp_path / "Solo.wav", np.stack([notes, notes]).astype(np.float32), RATE)
    assert "Heard as one instrument or voice" in command("advise", path).out
    [found] = advised(path)
    assert found["material"] == "solo"


def test_profile_and_target_can_be_chosen(clipped: Path) -> None:
    [found] = advised(clipped, "--profile", "techno", "--target", "ebu-r128")
    assert (found["profile"], found["target"]) == ("techno", "ebu-r128")
    assert any(one["area"] == "loudness" for one in found["advice"])


def test_references_make_the_corridor(clipped: Path, tmp_path: Path) -> None:
    same = write_wav(tmp_path / "Reference.wav", song(12.0), RATE)
    [found] = advised(clipped, "--reference", same, "--reference", clipped)
    assert found["profile"] == "reference"
    assert not any(one["area"] == "tone" and one["severity"] == "fault" for one in found["advice"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--profile", "tekno"), "techno"),
        (("--target", "spottify"), "spotify"),
        (("--profile", "techno", "--reference", "x.wav"), "one of them"),
        (("--reference", "missing.wav"), "missing.wav"),
    ],
)
def test_what_is_wrong_is_told(clipped: Path, options: tuple[str, ...], words: str) -> None:
    result = command("advise", clipped, *options)
    assert result.code == 2
    assert words in result.err


def test_one_bad_file_leaves_the_others(clipped: Path, tmp_path: Path) -> None:
    bad = junk(tmp_path / "bad.wav")
    result = command("advise", "--json", bad, clipped)
    assert result.code == 3
    first, second = (json.loads(line) for line in result.out.splitlines())
    assert first["error"]
    assert first["advice"] == []
    assert second["advice"]
    assert command("advise", bad).code == 1


def test_nothing_is_stored(clipped: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    command("advise", clipped, "--home", tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_model_may_word_it(clipped: Path) -> None:
    with endpoint(content=obedient) as server:
        variables = {"LINERNOTES_LLM_BASE_URL": server.url, "LINERNOTES_LLM_KEY": "secret"}
        result = command("advise", "--words", "--json", clipped, environment=variables)
        assert json.loads(result.out)["wording"]["summary"][0]["text"] == "It is measured."
        assert "It is measured." in command("advise", "--words", clipped, environment=variables).out
        told = json.loads(server.asked[0]["messages"][1]["content"])
        assert told["untrusted"] == {"file": "Clipped.wav"}


def test_without_a_model_the_rules_speak(clipped: Path) -> None:
    variables = {"LINERNOTES_LLM_BASE_URL": "http://127.0.0.1:9/v1", "LINERNOTES_LLM_RETRIES": "0"}
    result = command("advise", "--words", "--json", clipped, environment=variables)
    assert result.code == 0
    found = json.loads(result.out)
    assert found["wording"] is None
    assert "cannot be reached" in found["wording_error"]
    assert found["advice"]


def test_silence_gets_no_mix_advice(tmp_path: Path) -> None:
    silent = write_wav(tmp_path / "silence.wav", np.zeros((2, 5 * RATE), np.float32), RATE)
    [found] = advised(silent)
    assert {one["area"] for one in found["advice"]} <= {"integrity", "delivery"}


def test_a_person_s_words_about_a_known_file_hold(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "Known.wav", song(8.0), RATE)
    home = tmp_path / "home"
    assert command("init", home).code == 0
    assert command("run", path, "--home", home).code == 0
    assert command("set", "known", "genre=techno", "material.kind=speech", "--home", home).code == 0
    [found] = advised(path, "--home", home)
    assert (found["profile"], found["material"]) == ("techno", "speech")
    [found] = advised(path, "--home", home, "--profile", "jazz")
    assert found["profile"] == "jazz"
    [found] = advised(path, "--home", tmp_path / "elsewhere")
    assert found["profile"] == "general"
