"""`linernotes analyse`: results without a trace in any workspace."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from processor.analysis import all_analysers, reading_order, result_types
from processor.cli.ask import _text
from processor.graph import deep
from processor.quantities import columns
from tests.workspaces import command, junk, sound

# What needs no model.
FAST = {name: kind for name, kind in result_types().items() if name not in deep(all_analysers())}


def test_json_has_the_analysers_at_the_top_level(tmp_path: Path) -> None:
    file = sound(tmp_path / "song.wav")
    result = command("analyse", "--json", file)
    assert result.code == 0
    (line,) = result.out.splitlines()
    facts = json.loads(line)
    assert facts.keys() == {"file", *FAST}
    assert facts["file"] == str(file)
    for name, kind in FAST.items():
        assert list(facts[name]) == [column.name for column in columns(kind)]
    assert facts["source"]["channels"] == 2
    assert facts["source"]["duration_s"] == 0.5


def test_nothing_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sound(tmp_path / "song.wav")
    assert command("analyse", "song.wav").code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["song.wav"]


def test_text_has_a_line_for_each_number(tmp_path: Path) -> None:
    result = command("analyse", sound(tmp_path / "song.wav"))
    lines = result.out.splitlines()
    assert lines[0] == str(tmp_path / "song.wav")
    rows = dict(line.split(maxsplit=1) for line in lines[1:])
    assert rows["source.sample_rate_hz"] == "16000 Hz"
    assert rows["source.duration_s"] == "0.50 s"
    assert rows["levels.is_silent"] == "no"
    assert rows["levels.channel_clipped_samples"] == "0 / 0 samples"
    assert rows["levels.rms_dbfs"].endswith(" dBFS")
    assert "metadata.title" not in rows  # there is none


def test_long_lists_are_cut_and_empty_ones_left_out() -> None:
    assert _text([1, 2], 0) == "1 / 2"
    assert _text(list(range(13)), 0) == "0 / 1 / 2 / 3 / 4 / 5 / 6 / 7 / 8 / 9 / 10 / 11 / … (13 in all: --json)"


def test_what_people_ask_first_comes_first() -> None:
    names = ["source", "zoo", "levels", "fingerprint", "audio", "beats", "loudness"]
    assert reading_order(names) == ["loudness", "beats", "levels", "audio", "zoo", "source", "fingerprint"]


def test_an_analyser_that_is_off_is_told(tmp_path: Path) -> None:
    file = sound(tmp_path / "song.wav")
    off = {"LINERNOTES_ANALYSERS_OFF": "loudness"}
    assert "  loudness: switched off" in command("analyse", file, environment=off).out.splitlines()
    assert "loudness" not in json.loads(command("analyse", file, "--json", environment=off).out)


def test_an_analyser_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from processor.analysis import all_analysers

    def fail(audio: object) -> None:
        raise ValueError("no such luck")

    levels = all_analysers()["levels"]
    monkeypatch.setitem(all_analysers(), "levels", type(levels)(**{**vars(levels), "function": fail}))
    file = sound(tmp_path / "song.wav")
    facts = json.loads(command("analyse", "--json", file).out)
    assert facts["failures"] == {"levels": {"kind": "failed", "reason": "ValueError: no such luck"}}
    assert "levels" not in facts
    assert "  levels: ValueError: no such luck" in command("analyse", file).out.splitlines()


def test_good_and_bad_come_in_the_order_of_the_arguments(tmp_path: Path) -> None:
    """The engine of these tests gives the last one first."""
    good = [sound(tmp_path / f"{number}.wav", number) for number in range(3)]
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo.wav")
    files = [
        tmp_path / "gone.wav",
        good[0],
        junk(tmp_path / "junk.wav"),
        good[1],
        tmp_path / "folder",
        tmp_path / "fifo.wav",
        good[2],
        tmp_path / ("x" * 300),
        good[0],
    ]
    result = command("analyse", "--json", *files)
    assert result.code == 3
    told = [json.loads(line) for line in result.out.splitlines()]
    assert [one["file"] for one in told] == [str(file) for file in files]
    assert ["error" in one for one in told] == [file not in good for file in files]
    assert all(one.keys() == {"file", "error"} for one in told if "error" in one)
    text = command("analyse", *files).out
    assert [line for line in text.splitlines() if not line.startswith(" ")] == [str(file) for file in files]


def test_several_workers_keep_the_order(tmp_path: Path) -> None:
    """The first file takes longest."""
    files = [sound(tmp_path / "long.wav", seconds=60), junk(tmp_path / "junk"), sound(tmp_path / "short.wav", 1)]
    result = command("analyse", "--json", "--workers", "2", *files, workers=True)
    assert result.code == 3
    assert [json.loads(line)["file"] for line in result.out.splitlines()] == [str(file) for file in files]


def test_only_bad_ones_are_nothing_done(tmp_path: Path) -> None:
    assert command("analyse", junk(tmp_path / "a"), tmp_path / "gone").code == 1
    assert command("analyse").code == 2


def test_odd_names_are_valid_json_and_harmless_text(tmp_path: Path) -> None:
    names = ["\udcff.wav", "two\nlines.wav", "\x1b[31mred.wav"]
    files = [sound(tmp_path / "plain.wav").rename(tmp_path / name) for name in names]
    told = [json.loads(line)["file"] for line in command("analyse", "--json", *files).out.splitlines()]
    assert told == [f"{tmp_path}/\ufffd.wav", f"{tmp_path}/two\nlines.wav", f"{tmp_path}/\x1b[31mred.wav"]
    for name in told:
        name.encode()
    text = command("analyse", *files)
    assert text.code == 0
    heads = [line for line in text.out.splitlines() if not line.startswith(" ")]
    assert heads == [f"{tmp_path}/\ufffd.wav", f"{tmp_path}/two\ufffdlines.wav", f"{tmp_path}/\ufffd[31mred.wav"]


def test_the_settings_of_the_home_count(tmp_path: Path) -> None:
    (tmp_path / "linernotes.toml").write_text("[limits]\nduration_s = 0.1\n")
    result = command("analyse", "--json", "--home", tmp_path, sound(tmp_path / "song.wav"))
    assert result.code == 1
    assert "limits.duration_s" in json.loads(result.out)["error"]
