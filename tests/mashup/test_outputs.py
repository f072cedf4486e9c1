"""The files of a mashup: what is in them, what they are called, and that they come whole or not at all."""

from __future__ import annotations

import csv
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from processor.mashup import outputs
from processor.mashup.outputs import Mark, cue_sheet, markers, marks, stems, stems_gain_db, write
from processor.mashup.plan import Plan
from processor.mashup.plan_files import from_toml
from processor.mashup.render import Rendered
from tests.mashup.landed import PLAYED_BPM, plan
from tests.signals import Samples, noise

RATE = 8000


def rendered(made: Plan, level: float = 0.1, layers: tuple[str, ...] = ("drums", "other")) -> Rendered:
    seconds = 63 * 60 / PLAYED_BPM
    sounds: list[Samples] = [
        np.float32(level / 0.1) * noise(seconds, -20, rate=RATE, channels=2, seed=seed)
        for seed in range(len(layers) + 1)
    ]
    mix = np.clip(0.3 * np.sum(sounds, axis=0), -0.8, 0.8).astype(np.float32)
    spans = ((4.0, 13.0), (22.0, 31.0))
    backing = dict(zip(layers, sounds[1:], strict=True))
    return Rendered(mix, RATE, sounds[0], backing, (4.0,), spans, -3.0, 1.0, -14.0, -1.0)


@pytest.fixture
def made() -> Plan:
    return plan(name='Night "drive" <b>')


def test_all_files_and_what_they_hold(made: Plan, tmp_path: Path) -> None:
    sound = rendered(made)
    files = write(sound, made, tmp_path / "out")
    assert [str(file.relative_to(tmp_path / "out")) for file in files] == [
        "mix.flac",
        "plan.toml",
        "mix.cue",
        "markers.csv",
        "stems/vocals.flac",
        "stems/instrumental.flac",
        "stems/drums.flac",
        "stems/other.flac",
    ]
    assert sorted(file for file in (tmp_path / "out").rglob("*") if file.is_file()) == sorted(files)
    info = soundfile.info(files[0])
    assert (info.format, info.subtype, info.samplerate, info.channels) == ("FLAC", "PCM_24", RATE, 2)
    samples, _ = soundfile.read(files[0], dtype="float32")
    assert np.abs(samples.T - sound.samples).max() < 2**-23
    parts = [soundfile.read(tmp_path / "out/stems" / f"{name}.flac")[0] for name in ("instrumental", "drums", "other")]
    assert np.abs(parts[0] - parts[1] - parts[2]).max() < 2**-21
    assert from_toml(files[1].read_text(encoding="utf-8")) == made


def test_tags_name_both_songs(made: Plan, tmp_path: Path) -> None:
    write(rendered(made), made, tmp_path)
    with soundfile.SoundFile(tmp_path / "mix.flac") as file:
        assert file.title == 'Night "drive" <b>'
        assert file.comment == 'made from "V" (vocals) and "I" (instrumental)'
    with soundfile.SoundFile(tmp_path / "stems/drums.flac") as file:
        assert file.title.endswith(": drums")


def test_wav_keeps_every_bit(made: Plan, tmp_path: Path) -> None:
    sound = rendered(made)
    files = write(sound, made, tmp_path, as_wav=True)
    samples, _ = soundfile.read(files[0], dtype="float32")
    assert files[0].name == "mix.wav"
    assert np.array_equal(samples.T, sound.samples)
    assert 'FILE "mix.wav" WAVE' in (tmp_path / "mix.cue").read_text()


def test_the_same_again_gives_the_same_files(made: Plan, tmp_path: Path) -> None:
    sound = rendered(made)
    first, again = (write(sound, made, tmp_path / name) for name in "ab")
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in again]


def test_stems_that_would_clip_are_turned_down_together(made: Plan, tmp_path: Path) -> None:
    sound = rendered(made, level=0.5)
    layers = stems(sound)
    peak = max(float(np.abs(samples).max()) for samples in layers.values())
    assert peak > 1
    gain_db = stems_gain_db(layers)
    assert gain_db == pytest.approx(-20 * np.log10(peak), abs=1e-4)
    write(sound, made, tmp_path)
    for name, samples in layers.items():
        found, _ = soundfile.read(tmp_path / "stems" / f"{name}.flac", dtype="float32")
        assert np.abs(found.T - samples * 10 ** (gain_db / 20)).max() < 2**-22
    assert f"REM STEMS_GAIN {gain_db:.2f} dB" in (tmp_path / "mix.cue").read_text()


def test_stems_that_fit_are_not_touched(made: Plan) -> None:
    sound = rendered(made)
    assert stems_gain_db(stems(sound)) == 0
    assert stems_gain_db({"vocals": np.zeros((2, 0), np.float32)}) == 0
    assert "STEMS_GAIN" not in cue_sheet(made, marks(sound, made), "mix.flac", 0.0)


def test_one_layer_is_no_stem_of_its_own(made: Plan) -> None:
    assert list(stems(rendered(made, layers=("instrumental",)))) == ["vocals", "instrumental"]
    odd = stems(rendered(made, layers=("vocals", "drums")))
    assert list(odd) == ["vocals", "instrumental", "instrumental-vocals", "drums"]


def test_sections_are_marked(made: Plan) -> None:
    found = marks(rendered(made), made)
    assert [mark.label for mark in found] == ["intro", "verse", "instrumental", "chorus", "outro"]
    assert [mark.at_s for mark in found] == [0.0, 4.0, 13.0, 22.0, 31.0]
    assert [mark.bar for mark in found] == [1, 2, 6, 10, 14]


def test_vocals_from_the_start_have_no_intro(made: Plan) -> None:
    sound = replace(rendered(made), segments_s=((0.3, 13.0), (13.2, 34.5)))
    assert [(mark.at_s, mark.label) for mark in marks(sound, made)] == [(0.0, "verse"), (13.2, "chorus")]


def test_the_cue_sheet(made: Plan) -> None:
    lines = cue_sheet(made, marks(rendered(made), made), "mix.flac", 0.0).splitlines()
    assert "TITLE \"Night 'drive' <b>\"" in lines
    assert 'PERFORMER "V × I"' in lines
    assert lines[-3:] == ["  TRACK 05 AUDIO", '    TITLE "outro"', "    INDEX 01 00:31:00"]
    assert cue_sheet(made, (Mark(61.51, 1, "x"),), "mix.flac", 0.0).endswith("INDEX 01 01:01:38\n")


def test_labels_forge_nothing(made: Plan) -> None:
    label = 'a"\n    INDEX 01 99:99:99\u202e' + "x" * 500
    lines = cue_sheet(made, (Mark(0.0, 1, label),) * 200, "mix.flac", 0.0).splitlines()
    assert sum(line.startswith("  TRACK") for line in lines) == 99
    assert sum("INDEX 01 00:00:00" in line for line in lines) == 99
    assert max(map(len, lines)) < 150
    text = markers((Mark(1.0, 2, '=cmd|"x"'), Mark(2.0, 3, "a,b\nc")))
    rows = list(csv.reader(text.splitlines()))
    assert rows == [["time_s", "bar", "label"], ["1.000", "2", '\'=cmd|"x"'], ["2.000", "3", "a,b\ufffdc"]]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_all_files_or_none(
    made: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    sound = rendered(made)
    (tmp_path / "mix.flac").write_text("an older one")
    real, count = outputs._write_sound, []

    def broken(*words: object, **named: object) -> None:
        count.append(1)
        if len(count) == 3:
            raise error
        real(*words, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(outputs, "_write_sound", broken)
    with pytest.raises(error):
        write(sound, made, tmp_path)
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["mix.flac"]
    assert (tmp_path / "mix.flac").read_text() == "an older one"


def test_a_folder_that_cannot_be_written(made: Plan, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OSError, match="out"):
        write(rendered(made), made, tmp_path / "out")


@pytest.mark.parametrize("name", ["mix.flac", "mix.cue", "stems/vocals.flac"])
def test_a_folder_in_the_place_of_a_file_is_told_before_anything_is_there(
    made: Plan, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match=Path(name).name):
        write(rendered(made), made, tmp_path)
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


@pytest.mark.parametrize("missing", [1, 3000, 100_000])
def test_a_disk_that_takes_all_but_the_end_is_told(tmp_path: Path, missing: int) -> None:
    resource = pytest.importorskip("resource")
    sound, path = noise(4.0, rate=RATE, channels=2), tmp_path / "mix.flac"
    outputs._write_sound(path, sound, RATE, {})
    room = path.stat().st_size - missing
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(OSError, match=r"[Nn]o space|System error"):
            outputs._write_sound(path, sound, RATE, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
