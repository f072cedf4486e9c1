"""`linernotes stems`: a mix taken apart into files, and nothing else."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import click
import numpy as np
import pytest
import soundfile

from processor.cli import stems as module
from processor.errors import ModelError
from processor.models import loading
from processor.models.separation import Sound
from processor.models.table import Model
from tests import signals
from tests.models.test_separation import Shares

RATE = 8000


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def facts(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Interrupted(Shares):
    """A separator in the middle of whose work a person presses Ctrl-C."""

    def separate(self, mix: Sound) -> Sound:
        if len(self.heard) == 2:
            raise KeyboardInterrupt
        return super().separate(mix)


@pytest.fixture
def separator(monkeypatch: pytest.MonkeyPatch) -> mock.Mock:
    """A cheap separator in place of the one that would be loaded; called with the settings and the model."""
    load = mock.Mock(return_value=Shares(segment_frames=30_000))
    monkeypatch.setattr(loading, "load", load)
    monkeypatch.setattr(loading, "chosen", lambda settings: {"separator": "htdemucs"})
    return load


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    """Run the command as the program does."""
    from processor import cli

    def command(*arguments: str | Path) -> Result:
        given = ["stems", *(os.fspath(argument) for argument in arguments), "--home", str(tmp_path)]
        with mock.patch.dict(cli.cli.commands, {"stems": module.stems}), pytest.raises(SystemExit) as ended:
            cli.main(given)
        code = ended.value.code
        assert isinstance(code, int)
        return Result(code, *capfd.readouterr())

    return command


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return signals.write_wav(tmp_path / "song.wav", signals.sine(440, 2.0, -6, rate=RATE, channels=2), RATE)


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_stems_come_into_a_folder_of_the_file_s_name(
    song: Path, tmp_path: Path, run: Any, separator: mock.Mock
) -> None:
    result = run(song, "--out", tmp_path / "out")
    assert (result.code, result.err) == (0, "")
    assert files_in(tmp_path / "out") == ["song/drums.flac", "song/other.flac", "song/vocals.flac"]
    mix = soundfile.read(song, dtype="float32")[0]
    made = [soundfile.read(tmp_path / "out" / "song" / f"{name}.flac", dtype="float32") for name in Shares().sources]
    assert {rate for _, rate in made} == {RATE}
    assert np.abs(sum(samples for samples, _ in made) - mix)[1000:-1000].max() < 0.01
    assert "vocals.flac: -" in result.out
    assert "Together they are the mix but for -" in result.out
    assert list(tmp_path.glob("*.toml")) == []  # nothing is stored


def test_json_says_where_they_are_and_what_they_are(song: Path, tmp_path: Path, run: Any, separator: mock.Mock) -> None:
    result = run(song, "--out", tmp_path / "out", "--json")
    [facts] = result.facts
    assert (result.code, facts["file"], facts["model"]) == (0, str(song), "shares")
    assert list(facts["stems"]) == list(facts["present"]) == list(facts["level_lufs"]) == ["vocals", "drums", "other"]
    assert all(Path(path).is_file() for path in facts["stems"].values())
    assert facts["sum_error_db"] < -25
    assert facts["clipped_stem_samples"] == 0


def test_wav_keeps_what_flac_clips(tmp_path: Path, run: Any, separator: mock.Mock) -> None:
    loud = tmp_path / "loud.wav"
    soundfile.write(loud, 4 * signals.sine(100, 1.0, rate=RATE).T, RATE, subtype="FLOAT")
    assert "clipped; --wav keeps them" in run(loud, "--out", tmp_path / "out").out
    result = run(loud, "--out", tmp_path / "out", "--wav", "--json")
    assert result.facts[0]["clipped_stem_samples"] == 0
    samples, _ = soundfile.read(tmp_path / "out" / "loud" / "vocals.wav", dtype="float32")
    assert np.abs(samples).max() > 1.5
    assert samples.ndim == 1  # mono, as the file is


def test_two_files_of_one_name_get_two_folders(tmp_path: Path, run: Any, separator: mock.Mock) -> None:
    files = []
    for place, name in (("a", "mix.wav"), ("b", "mix.wav"), ("c", "MIX.aiff"), ("d", "mix-2.wav")):
        (tmp_path / place).mkdir()
        files.append(signals.write_wav(tmp_path / place / name, signals.noise(0.2, rate=RATE), RATE))
    result = run(*files, "--out", tmp_path / "out", "--json")
    assert result.code == 0
    folders = [Path(facts["stems"]["vocals"]).parent.name for facts in result.facts]
    assert folders == ["mix", "mix-2", "MIX-3", "mix-2-2"]
    assert len({folder.lower() for folder in folders}) == 4


@pytest.mark.parametrize("name", ["..wav", "...wav", " .wav", "ends. .wav"])
def test_a_name_of_dots_does_not_leave_the_folder(name: str, tmp_path: Path, run: Any, separator: mock.Mock) -> None:
    song = signals.write_wav(tmp_path / "a.wav", signals.noise(0.2, rate=RATE), RATE).rename(tmp_path / name)
    out = tmp_path / "deep" / "out"
    assert run(song, "--out", out).code == 0
    assert len(files_in(tmp_path / "deep")) == 3
    assert all(path.parent.parent == out for path in out.rglob("*.flac"))


def test_stems_that_are_there_are_replaced_and_other_files_stay(
    song: Path, tmp_path: Path, run: Any, separator: mock.Mock
) -> None:
    folder = tmp_path / "out" / "song"
    folder.mkdir(parents=True)
    for name in ("vocals.flac", "notes.txt"):
        (folder / name).write_text("mine")
    assert run(song, "--out", tmp_path / "out").code == 0
    assert (folder / "notes.txt").read_text() == "mine"
    assert soundfile.info(folder / "vocals.flac").frames == 2 * RATE


# What goes wrong


def test_what_cannot_be_read_is_told_and_the_others_are_done(
    song: Path, tmp_path: Path, run: Any, separator: mock.Mock
) -> None:
    words = tmp_path / "words.wav"
    words.write_text("no sound at all")
    result = run(words, tmp_path / "gone.wav", tmp_path, song, "--out", tmp_path / "out", "--json")
    assert result.code == 3
    assert ["error" in facts for facts in result.facts] == [True, True, True, False]
    assert files_in(tmp_path / "out") == ["song/drums.flac", "song/other.flac", "song/vocals.flac"]
    assert run(words, "--out", tmp_path / "none").code == 1
    assert not (tmp_path / "none").exists()


def test_without_a_separator_the_way_out_is_told(
    song: Path, tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "chosen", lambda settings: {})
    result = run(song, "--out", tmp_path / "out")
    assert (result.code, result.out) == (1, "")
    assert "linernotes models get htdemucs" in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["yamnet", "nothing", "../htdemucs"])
def test_a_model_that_is_no_separator_is_wrong_usage(name: str, song: Path, tmp_path: Path, run: Any) -> None:
    result = run(song, "--out", tmp_path / "out", "--model", name)
    assert result.code == 2
    assert "htdemucs_ft" in result.err


def test_the_model_that_is_asked_for_is_loaded(song: Path, tmp_path: Path, run: Any, separator: mock.Mock) -> None:
    assert run(song, "--out", tmp_path / "out", "--model", "htdemucs_6s").code == 0
    [call] = separator.call_args_list
    model = call.args[1]
    assert isinstance(model, Model)
    assert model.name == "htdemucs_6s"


def test_a_model_that_cannot_be_loaded_is_told(song: Path, tmp_path: Path, run: Any, separator: mock.Mock) -> None:
    separator.side_effect = ModelError("htdemucs cannot be loaded: it is broken")
    result = run(song, "--out", tmp_path / "out")
    assert (result.code, result.err) == (1, "linernotes: htdemucs cannot be loaded: it is broken\n")


def test_ctrl_c_leaves_nothing_broken(song: Path, tmp_path: Path, run: Any, separator: mock.Mock) -> None:
    assert run(song, "--out", tmp_path / "out").code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.flac")}
    separator.return_value = Interrupted(segment_frames=5000)
    new = signals.write_wav(tmp_path / "new.wav", signals.noise(5.0, rate=RATE), RATE)
    for file in (song, new):
        assert run(file, "--out", tmp_path / "out").code == 130
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before
    assert not (tmp_path / "out" / "new").exists()


def test_a_folder_that_cannot_be_written_ends_it(song: Path, tmp_path: Path, run: Any, separator: mock.Mock) -> None:
    (tmp_path / "out").write_text("a file")
    result = run(song, "--out", tmp_path / "out")
    assert result.code == 1
    assert str(tmp_path / "out") in result.err


# What a person sees


def test_a_terminal_shows_how_far_it_is(song: Path, tmp_path: Path, run: Any, separator: mock.Mock) -> None:
    with mock.patch.object(sys.stderr, "isatty", return_value=True):
        result = run(song, "--out", tmp_path / "out")
    assert result.code == 0
    assert "Taking apart" in result.err
    assert "100/100" in result.err


def test_steps_are_told_once_each() -> None:
    steps: list[str] = []
    tell = module._stepping(steps.append, "song")
    for share in (0.1, 0.1, 0.555, 1.0, 1.0):
        tell(share)
    assert steps == ["song"] * 100


def test_help_says_what_it_does() -> None:
    text = module.stems.get_help(click.Context(module.stems))
    assert "vocals.flac" in text
    assert "Exit code 0" in text
