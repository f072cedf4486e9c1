"""`linernotes compare`: a mix beside references, without a trace unless an audition is asked for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import soundfile

from processor.feedback.equaliser import Band, equalised
from tests import signals
from tests.signals import song
from tests.workspaces import command, junk

RATE = 16_000


def piece(path: Path, shelf_db: float = 0.0, gain: float = 0.3) -> Path:
    sound = signals.audio(song(6.0, rate=RATE), RATE)
    turned = next(equalised(sound, [Band("high shelf", 2000.0, shelf_db, 0.7)]).blocks())
    return signals.write_wav(path, turned * gain, RATE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("compare")
    piece(made / "mix.wav", 6.0)
    piece(made / "reference.wav", gain=0.15)
    piece(made / "brighter.wav", 8.0)
    shutil.copy(made / "mix.wav", made / "copy.wav")
    junk(made / "notes.txt")
    signals.write_wav(made / "silent.wav", signals.silence(4.0, rate=RATE, channels=2), RATE)
    return made


def answer(*arguments: Any, code: int = 0) -> dict[str, Any]:
    result = command("compare", "--json", *arguments)
    assert result.code == code
    [line] = result.out.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_json_has_all_in_one_object(folder: Path) -> None:
    found = answer(folder / "mix.wav", folder / "reference.wav")
    assert (found["mix"], found["references"]) == (str(folder / "mix.wav"), [str(folder / "reference.wav")])
    assert found["gain_db"] > 3
    assert found["gains_db"] == [found["gain_db"]]
    fields = [one["field"] for one in found["differences"]]
    assert {"tone.high_mids", "loudness.integrated_lufs"} <= set(fields)
    assert [one["steps"] for one in found["differences"]] == sorted(
        (one["steps"] for one in found["differences"]), reverse=True
    )
    rows = {one["field"]: one for one in found["measures"]}
    loudness = rows["loudness.integrated_lufs"]
    assert loudness["unit"] == "LUFS"
    assert loudness["difference"] == pytest.approx(loudness["mix"] - loudness["middle"])
    assert loudness["difference"] == pytest.approx(found["gain_db"], abs=1e-5)
    assert found["tone"]["bands_db"][4] > 3
    assert len(found["tone"]["tone_db"]) == len(found["tone"]["centres_hz"])
    equaliser = found["equaliser"]
    assert equaliser["rms_after_db"] < 0.5 * equaliser["rms_before_db"]
    [band] = [one for one in equaliser["bands"] if one["type"] == "high shelf"]
    assert band["gain_db"] == pytest.approx(-6, abs=1)
    assert band["frequency_hz"] == pytest.approx(2000, rel=0.2)
    assert (found["audition"], found["errors"]) == (None, [])
    assert found["sections"]["mix_section_names"]


def test_text_is_for_people(folder: Path) -> None:
    result = command("compare", folder / "mix.wav", folder / "reference.wav")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == f"{folder / 'mix.wav'} against {folder / 'reference.wav'}"
    assert lines[1].startswith("  The reference is turned up by ")
    assert "that one would notice, the largest first." in lines[2]
    assert any("steps  More high mids: +" in line for line in lines)
    assert any(line.startswith("  Integrated loudness") and " LUFS: +" in line for line in lines)
    assert any(line.startswith("  Matching equaliser: brings the difference of tone from ") for line in lines)
    assert any(line.startswith("    high shelf, ") for line in lines)


def test_nothing_is_stored(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("compare", folder / "mix.wav", folder / "reference.wav").code == 0
    assert list(tmp_path.iterdir()) == []


def test_an_audition_is_rendered_where_it_is_wanted(folder: Path, tmp_path: Path) -> None:
    found = answer(folder / "mix.wav", folder / "reference.wav", "--out", tmp_path / "new")
    path = tmp_path / "new" / "mix-audition.flac"
    assert found["audition"]["file"] == str(path)
    assert found["audition"]["gain_db"] == found["audition"]["wanted_gain_db"]
    assert (soundfile.info(path).subtype, soundfile.info(path).samplerate) == ("PCM_24", RATE)
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    text = command("compare", folder / "mix.wav", folder / "reference.wav", "--out", tmp_path / "new").out
    assert f"  Audition: {path}, −" in text
    assert text.splitlines()[-1].endswith("As loud as the reference.")


def test_an_audition_never_takes_a_file_s_place(folder: Path, tmp_path: Path) -> None:
    reference = shutil.copy(folder / "reference.wav", tmp_path / "mix-audition.flac")
    result = command("compare", folder / "mix.wav", reference, "--out", tmp_path)
    assert result.code == 2
    assert "would be written over" in result.err
    assert reference.read_bytes() == (folder / "reference.wav").read_bytes()


def test_the_same_file_is_said_to_be_the_same(folder: Path, tmp_path: Path) -> None:
    found = answer(folder / "mix.wav", folder / "copy.wav", "--out", tmp_path)
    assert (found["differences"], found["equaliser"]["bands"], found["audition"]) == ([], [], None)
    assert found["errors"] == [
        {"file": str(folder / "copy.wav"), "error": "It is the same file as the mix: there is no difference."}
    ]
    result = command("compare", folder / "mix.wav", folder / "mix.wav", "--out", tmp_path)
    assert result.code == 0
    assert "It is the same file as the mix" in result.err
    assert "There is no difference from the reference that one would notice." in result.out
    assert "No audition: there is no equaliser to be heard." in result.out
    assert list(tmp_path.iterdir()) == []


def test_several_references_make_a_corridor(folder: Path) -> None:
    found = answer(folder / "mix.wav", folder / "reference.wav", folder / "brighter.wav", folder / "copy.wav")
    assert len(found["references"]) == 2  # the copy says nothing of the corridor
    rows = {one["field"]: one for one in found["measures"]}
    row = rows["loudness.integrated_lufs"]
    assert row["low"] < row["middle"] < row["high"]
    assert not [one for one in found["differences"] if one["field"] == "tone.high_mids"]
    assert " to " in command("compare", folder / "mix.wav", folder / "reference.wav", folder / "brighter.wav").out


def test_what_cannot_be_used_is_named_and_the_rest_is_compared(folder: Path) -> None:
    arguments = folder / "mix.wav", folder / "notes.txt", folder / "silent.wav", folder / "reference.wav"
    found = answer(*arguments, code=3)
    assert found["references"] == [str(folder / "reference.wav")]
    errors = {Path(one["file"]).name: one["error"] for one in found["errors"]}
    assert errors.keys() == {"notes.txt", "silent.wav"}
    assert errors["silent.wav"].startswith("It is silent")
    result = command("compare", *arguments)
    assert result.code == 3
    assert f"{folder / 'notes.txt'}: " in result.err
    assert "that one would notice" in result.out


@pytest.mark.parametrize(
    ("mix", "reference", "reason"),
    [
        ("notes.txt", "reference.wav", "notes.txt"),
        ("mix.wav", "notes.txt", "notes.txt"),
        ("mix.wav", "missing.wav", "missing.wav: It cannot be analysed"),
        ("silent.wav", "reference.wav", "silent.wav: It is silent"),
        ("mix.wav", "silent.wav", "silent.wav: It is silent"),
        ("mix.wav", ".", "folder"),
    ],
)
def test_nothing_to_compare_is_an_error(folder: Path, mix: str, reference: str, reason: str) -> None:
    result = command("compare", folder / mix, folder / reference)
    assert (result.code, result.out) == (1, "")
    assert reason in result.err
    found = answer(folder / mix, folder / reference, code=1)
    assert found["references"] == []
    assert len(found["errors"]) == 1


def test_a_reference_is_needed(folder: Path) -> None:
    assert command("compare", folder / "mix.wav").code == 2
