"""The command `mashup`: two stems or two songs, a plan to edit, files for a DAW, an entry in the library."""

from __future__ import annotations

import json
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from processor import mashing
from processor.analysis.loudness import loudness
from processor.audio import decode
from processor.cli import mashup_songs
from processor.mashup import kept, outputs, stretching
from processor.mashup.plan_files import from_toml
from processor.workspace import Workspace
from tests import signals
from tests.test_mashing import BPM, RATE, SECONDS, band, voice
from tests.workspaces import InlineEngine, Result, command


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mashup_songs, "Engine", InlineEngine)
    monkeypatch.setattr(mashing, "Engine", InlineEngine)


@pytest.fixture(scope="module")
def stems(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("stems")
    sings = signals.write_wav(folder / "sings.wav", voice(), RATE, subtype="PCM_24")
    return sings, signals.write_wav(folder / "plays.wav", band(), RATE, subtype="PCM_24")


@pytest.fixture(scope="module")
def made(stems: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Where a mashup was written, and what was said of it."""
    home = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mashup_songs, "Engine", InlineEngine)
        result = command("mashup", *stems, "--from-stems", "--out", home / "out", "--json", "--home", home)
    assert result.code == 0, result.err
    [line] = result.out.splitlines()
    return home / "out", json.loads(line)


def _plan_of(stems: tuple[Path, Path], home: Path, *options: str) -> Result:
    return command("mashup", *stems, "--from-stems", "--dry-run", "--home", home, *options)


def test_all_that_a_daw_needs_is_written(made: tuple[Path, Any]) -> None:
    out, told = made
    assert {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} >= {
        "mix.flac",
        "plan.toml",
        "mix.cue",
        "markers.csv",
        "preview.mp3",
        "stems/vocals.flac",
        "stems/instrumental.flac",
    }
    assert sorted(told["files"]) == sorted(str(path) for path in out.rglob("*") if path.is_file())
    assert soundfile.info(out / "mix.flac").subtype == "PCM_24"
    assert soundfile.info(out / "preview.mp3").duration == pytest.approx(
        soundfile.info(out / "mix.flac").duration, abs=0.1
    )


def test_what_is_said_is_what_the_files_have(made: tuple[Path, Any]) -> None:
    out, told = made
    heard = loudness(decode(out / "mix.flac"))
    assert told["measured"]["integrated_lufs"] == pytest.approx(heard.integrated_lufs, abs=0.02)
    assert told["measured"]["true_peak_dbtp"] == pytest.approx(heard.true_peak_dbtp, abs=0.02)
    assert told["measured"]["true_peak_dbtp"] <= -0.99
    assert told["plan"]["tempo_bpm"] == pytest.approx(BPM, abs=0.2)
    assert told["plan"]["target_lufs"] == -14.0
    assert told["measured"]["beat_offset_median_ms"] <= 20
    plan = from_toml((out / "plan.toml").read_text())
    assert plan.vocal_shift_semitones == told["plan"]["vocal_shift_semitones"]


def test_the_stems_are_in_step_with_the_mix(made: tuple[Path, Any]) -> None:
    """Each moment of the mix is that of its stems, turned up: it is loud where they are."""
    out, _ = made
    mix, vocals, backing = (
        soundfile.read(out / name)[0] for name in ("mix.flac", "stems/vocals.flac", "stems/instrumental.flac")
    )
    assert mix.shape == vocals.shape == backing.shape
    together = (vocals + backing).ravel()
    assert np.corrcoef(mix.ravel(), together)[0, 1] > 0.98


def test_a_plan_can_be_had_first_edited_and_rendered(stems: tuple[Path, Path], tmp_path: Path) -> None:
    shown = _plan_of(stems, tmp_path)
    assert shown.code == 0, shown.err
    text = shown.out.replace("target_lufs = -14.0", "target_lufs = -20.0")
    assert text != shown.out
    tomllib.loads(text)
    plan = tmp_path / "plan.toml"
    plan.write_text(text)
    result = command("mashup", *stems, "--from-stems", "--plan", plan, "--out", tmp_path / "out", "--json")
    assert result.code == 0, result.err
    told = json.loads(result.out)
    assert told["plan"]["chosen_by"] == "person"
    assert told["measured"]["integrated_lufs"] == pytest.approx(-20.0, abs=0.5)
    assert list(tmp_path.glob("library")) == []


def test_wishes_are_kept(stems: tuple[Path, Path], tmp_path: Path) -> None:
    result = _plan_of(stems, tmp_path, "--shift", "-2", "--lufs", "-11", "--tempo", "126", "--name", "Mine", "--json")
    assert result.code == 0, result.err
    plan = json.loads(result.out)["plan"]
    assert (plan["vocal_shift_semitones"], plan["target_lufs"], plan["tempo_bpm"]) == (-2, -11, 126)
    assert plan["name"] == "Mine"
    assert plan["duration_s"] == pytest.approx(SECONDS * BPM / 126, abs=0.1)


def test_vocals_beside_the_beat_can_be_moved(stems: tuple[Path, Path], tmp_path: Path) -> None:
    straight, later = (
        json.loads(_plan_of(stems, tmp_path, "--json", "--vocal-later", beats).out)["plan"] for beats in ("0", "0.25")
    )
    starts = [[segment["mashup_start_s"] for segment in plan["segments"]] for plan in (straight, later)]
    assert np.subtract(starts[1], starts[0]) == pytest.approx(0.25 * 60 / BPM, abs=0.002)
    assert _plan_of(stems, tmp_path, "--vocal-later", "40").code == 2


def test_a_mix_of_floats_on_request(stems: tuple[Path, Path], tmp_path: Path) -> None:
    result = command("mashup", *stems, "--from-stems", "--out", tmp_path / "out", "--wav")
    assert result.code == 0, result.err
    assert soundfile.info(tmp_path / "out/mix.wav").subtype == "FLOAT"
    assert "LUFS" in result.out
    assert str(tmp_path / "out/mix.wav") in result.out


def test_without_a_folder_it_is_kept_in_the_library(stems: tuple[Path, Path], tmp_path: Path) -> None:
    result = command("mashup", *stems, "--from-stems", "--home", tmp_path, "--json")
    assert result.code == 0, result.err
    told = json.loads(result.out)
    [stored] = kept.stored(Workspace(tmp_path))
    assert told["id"] == stored.id
    assert Path(told["page"]).is_file()
    assert all(path.is_file() for path in stems), "a person's files stay where they are"
    again = command(
        "mashup", stored.made_from.vocals, stored.made_from.instrumental, "--from-stems", "--home", tmp_path
    )
    assert again.code == 0, again.err
    assert len(kept.stored(Workspace(tmp_path))) == 1, "the same songs and the same plan are the same mashup"


def test_whole_songs_without_a_separator_say_what_is_needed(stems: tuple[Path, Path], tmp_path: Path) -> None:
    result = command("mashup", *stems, "--out", tmp_path / "out")
    assert result.code == 1
    assert "linernotes models get htdemucs" in result.err
    assert "--from-stems" in result.err
    assert not (tmp_path / "out").exists()


def test_what_is_neither_a_file_nor_a_track_is_named(stems: tuple[Path, Path], tmp_path: Path) -> None:
    Workspace(tmp_path).create()
    result = command(
        "mashup", "nothing-of-this-name", stems[1], "--from-stems", "--out", tmp_path / "o", "--home", tmp_path
    )
    assert result.code != 0
    assert "nothing-of-this-name" in result.err


def test_a_file_that_is_not_there_is_told_before_anything_is_heard(
    stems: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mashup_songs, "Engine", None)
    for options in (["--from-stems", "--dry-run"], ["--from-stems"], ["--out", tmp_path / "out"]):
        result = command("mashup", stems[0], "mine/plays.wav", *options, "--home", tmp_path / "home")
        assert result.code == 2
        assert result.err.endswith("There is no file mine/plays.wav.\n")
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "home").glob("library/2*")), "the first is not taken in for nothing"


def test_one_recording_is_no_mashup(stems: tuple[Path, Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy.wav"
    copy.write_bytes(stems[0].read_bytes())
    for options in (["--dry-run"], ["--home", tmp_path / "home"]):
        result = command("mashup", stems[0], copy, "--from-stems", *options)
        assert result.code == 2
        assert "one and the same recording" in result.err


@pytest.mark.parametrize("tempo", ["0", "inf", "nan", "-120"])
def test_a_tempo_that_nothing_has_is_refused(stems: tuple[Path, Path], tmp_path: Path, tempo: str) -> None:
    result = _plan_of(stems, tmp_path, "--instrumental-tempo", tempo)
    assert result.code == 2
    assert "tempo of the instrumental" in result.err


def test_wishes_that_a_plan_decides_are_refused_beside_it(stems: tuple[Path, Path], tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(_plan_of(stems, tmp_path).out)
    result = _plan_of(stems, tmp_path, "--plan", str(plan), "--lufs", "-9", "--fill")
    assert result.code == 2
    assert "--lufs, --fill: a plan decides that" in result.err


def test_a_folder_that_cannot_be_written_is_told_first(
    stems: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mashup_songs, "Engine", None)
    (tmp_path / "file").write_text("")
    result = command("mashup", *stems, "--from-stems", "--out", tmp_path / "file/out")
    assert result.code == 1
    assert "Traceback" not in result.err


@pytest.mark.parametrize("text", ["", "tempo_bpm = nan", "[[", "\x00", "name = 'x'\n"])
def test_a_plan_that_is_none_is_refused(stems: tuple[Path, Path], tmp_path: Path, text: str) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(text)
    result = command("mashup", *stems, "--from-stems", "--plan", plan, "--out", tmp_path / "out")
    assert result.code != 0
    assert result.err.startswith("linernotes: ")
    assert "Traceback" not in result.err
    assert not (tmp_path / "out").exists()


def test_wav_goes_with_a_folder(stems: tuple[Path, Path], tmp_path: Path) -> None:
    result = command("mashup", *stems, "--from-stems", "--wav", "--home", tmp_path)
    assert result.code == 2
    assert "--out" in result.err


@pytest.mark.parametrize("after", [0, 2])
def test_ctrl_c_leaves_nothing(
    stems: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """While the first sound is written, and when two of them are."""
    write_sound, written = outputs._write_sound, [0]

    def interrupted(*words: Any, **named: Any) -> None:
        if written[0] == after:
            raise KeyboardInterrupt
        written[0] += 1
        write_sound(*words, **named)

    monkeypatch.setattr(outputs, "_write_sound", interrupted)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    result = command("mashup", *stems, "--from-stems", "--out", tmp_path / "out", "--home", tmp_path / "home")
    assert result.code == 130
    assert "Stopped" in result.err
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert list(scratch.iterdir()) == []


def test_a_person_chooses_what_stretches(
    stems: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = _plan_of(stems, tmp_path, "--stretcher", "pyrubberband")
    assert 'stretcher = "pyrubberband"' in shown.out
    plan = tmp_path / "plan.toml"
    plan.write_text(shown.out)
    monkeypatch.setattr(stretching, "find_spec", lambda name: None)
    for options in (["--stretcher", "pyrubberband"], ["--plan", plan]):
        result = command("mashup", *stems, "--from-stems", *options, "--out", tmp_path / "out")
        assert result.code == 1
        assert "liner-notes[rubberband]" in result.err
        assert not (tmp_path / "out").exists()
    back = _plan_of(stems, tmp_path, "--plan", str(plan), "--stretcher", "pedalboard", "--json")
    assert json.loads(back.out)["plan"]["stretcher"] == "pedalboard"


def test_what_json_said_is_a_plan_as_well(stems: tuple[Path, Path], tmp_path: Path) -> None:
    told = _plan_of(stems, tmp_path, "--json")
    plan = tmp_path / "plan.json"
    plan.write_text(told.out)
    again = _plan_of(stems, tmp_path, "--plan", str(plan), "--json")
    assert again.code == 0, again.err
    first, second = (json.loads(one.out)["plan"] for one in (told, again))
    assert second["chosen_by"] == "person"
    for name in ("tempo_bpm", "vocal_shift_semitones", "duck", "vocal_bands", "gate_below_lufs", "reasons"):
        assert first[name] == second[name]
    for name in ("label", "start_s", "vocal_beat", "beat", "gain_db"):
        assert [one[name] for one in first["segments"]] == [one[name] for one in second["segments"]]
    assert second["duration_s"] == pytest.approx(first["duration_s"], abs=1e-3)


def test_without_a_key_the_rules_choose_and_say_so(stems: tuple[Path, Path], tmp_path: Path) -> None:
    result = _plan_of(stems, tmp_path, "--by-model", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["plan"]["chosen_by"] == "rules"
    assert "The rules chose" in result.err
