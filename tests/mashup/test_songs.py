"""Songs of a mashup: parts of tracks, supplied stems, and what is said where there are none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from processor import library, record
from processor.analysis.material import Material
from processor.analysis.metadata import Metadata
from processor.analysis.spectrum import Spectrum
from processor.analysis.stems import Stems
from processor.analysis.vocals import Vocals
from processor.library import Track
from processor.mashup.songs import INSTRUMENTAL, VOCALS, NoStems, from_stem, from_track, supplied_kind
from processor.record import Record
from tests.libraries import HOSTILE, invented
from tests.signals import noise

FOUR = ("drums", "bass", "other", "vocals")


def stems_of(names: tuple[str, ...], **changed: Any) -> Stems:
    """A result of the separator."""
    facts: dict[str, Any] = {
        "names": names,
        "present": (True,) * len(names),
        "files": tuple(f"stems/{name}.flac" for name in names),
        "energy_share": (0.25,) * len(names),
        "levels_db": np.zeros((len(names), 4)),
    }
    made: Stems = replace(invented(Stems), **{**facts, **changed})
    return made


def track(tmp_path: Path, stems: Stems | None, **results: Any) -> Track:
    """A track with a record, a source and the files of its stems."""
    folder = tmp_path / "2026/11/20/a-song-0123abcd"
    (folder / "stems").mkdir(parents=True)
    (folder / "a-song.wav").write_bytes(b"sound")
    found = {**results, **({"stems": stems} if stems is not None else {})}
    record.write(Record("track", "0123abcd" * 8, "a song.wav", found), folder)
    for name in stems.names if stems is not None else ():
        soundfile.write(folder / f"stems/{name}.flac", noise(0.2, channels=2).T, 48_000, subtype="PCM_24")
    return Track(folder)


def names(song: Any) -> dict[str, str]:
    """Layer → name of its file."""
    return {layer: path.name for layer, path in song.layers.items()}


# Tracks


def test_the_parts_of_a_track_are_its_stems(tmp_path: Path) -> None:
    known = track(tmp_path, stems_of(FOUR), metadata=replace(invented(Metadata), title="A Song"))
    voice, rest = from_track(known, VOCALS), from_track(known, INSTRUMENTAL)
    assert names(voice) == {"vocals": "vocals.flac"}
    assert names(rest) == {"drums": "drums.flac", "bass": "bass.flac", "other": "other.flac"}
    assert voice.name == "a-song-0123abcd"
    assert voice.title == "A Song"
    assert voice.sha256 == "0123abcd" * 8
    assert voice.is_whole_song
    # Both are counted by the same drums.
    assert voice.beat_file == rest.beat_file == known.folder / "stems/drums.flac"
    assert voice.beats_are_drums


def test_what_is_not_there_is_not_played(tmp_path: Path) -> None:
    six = (*FOUR, "guitar", "piano")
    known = track(tmp_path, stems_of(six, present=(True, True, False, True, True, False)))
    assert set(from_track(known, INSTRUMENTAL).layers) == {"drums", "bass", "guitar"}


def test_drums_too_quiet_to_be_drums_do_not_count_the_beats(tmp_path: Path) -> None:
    known = track(tmp_path, stems_of(FOUR, energy_share=(0.01, 0.3, 0.3, 0.39)))
    song = from_track(known, VOCALS)
    assert song.beat_file == known.source
    assert not song.beats_are_drums


def test_lead_and_backing_vocals_are_both_vocals_and_neither_is_left_in_the_instrumental(tmp_path: Path) -> None:
    known = track(tmp_path, stems_of(("lead_vocals", "backing_vocals", "instrumental")))
    assert names(from_track(known, VOCALS)) == {"vocals": "lead_vocals.flac", "backing_vocals": "backing_vocals.flac"}
    assert set(from_track(known, INSTRUMENTAL).layers) == {"instrumental"}


def test_a_persons_words_are_kept(tmp_path: Path) -> None:
    known = track(tmp_path, stems_of(FOUR))
    library.write_person(known, {"beats.tempo_bpm": 174, "title": "My Song"})
    song = from_track(known, VOCALS)
    assert song.tempo_bpm == 174.0
    assert song.title == "My Song"


@pytest.mark.parametrize("word", [True, "fast", -3, 0, None])
def test_a_tempo_that_is_none_is_no_word(tmp_path: Path, word: Any) -> None:
    known = track(tmp_path, stems_of(FOUR))
    library.write_person(known, {"beats.tempo_bpm": word})
    assert from_track(known, VOCALS).tempo_bpm is None


def test_without_stems_it_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(NoStems, match=r"linernotes models get htdemucs.*--from-stems"):
        from_track(track(tmp_path, None), VOCALS)


@pytest.mark.parametrize(
    ("present", "part", "reason"),
    [
        ((True, True, True, False), VOCALS, "nobody sings"),
        ((False, False, False, True), INSTRUMENTAL, "nothing but a voice"),
    ],
)
def test_a_part_that_a_song_does_not_have_is_told(
    tmp_path: Path, present: tuple[bool, ...], part: str, reason: str
) -> None:
    with pytest.raises(NoStems, match=reason):
        from_track(track(tmp_path, stems_of(FOUR, present=present)), part)


def test_stems_without_a_voice_apart_are_of_no_use(tmp_path: Path) -> None:
    with pytest.raises(NoStems, match="no voice apart"):
        from_track(track(tmp_path, stems_of(("drums", "rest"))), INSTRUMENTAL)


def test_a_stem_that_is_gone_or_damaged_is_told(tmp_path: Path) -> None:
    known = track(tmp_path, stems_of(FOUR))
    path = known.folder / "stems/bass.flac"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(NoStems, match=r"stems/bass\.flac.*deep"):
        from_track(known, INSTRUMENTAL)
    path.unlink()
    with pytest.raises(NoStems, match=r"stems/bass\.flac.*deep"):
        from_track(known, INSTRUMENTAL)
    assert from_track(known, VOCALS)


def test_a_record_that_somebody_edited_leads_nowhere_else(tmp_path: Path) -> None:
    files = ("stems/drums.flac", "stems/bass.flac", "stems/other.flac", "../../../../../outside.flac")
    soundfile.write(tmp_path / "outside.flac", noise(0.1).T, 48_000)
    with pytest.raises(NoStems):
        from_track(track(tmp_path, stems_of(FOUR, files=files)), VOCALS)


def test_a_track_that_is_a_stem_is_played_as_it_is(tmp_path: Path) -> None:
    known = track(tmp_path, None)
    song = from_track(known, VOCALS, is_stem=True)
    assert song.layers == {"vocals": known.source}
    assert not song.is_whole_song
    (known.folder / "a-song.wav").unlink()
    with pytest.raises(NoStems, match="drop it again"):
        from_track(known, VOCALS, is_stem=True)


def test_a_part_has_one_of_two_names(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="karaoke"):
        from_track(track(tmp_path, stems_of(FOUR)), "karaoke")


# Supplied stems


def test_supplied_files_are_played_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / f"{HOSTILE[:40].replace('/', '')}.wav"
    file.write_bytes(b"sound")
    song = from_stem(file, {}, "ab" * 32, VOCALS, tempo_bpm=124.0)
    assert song.layers == {"vocals": file}
    assert song.tempo_bpm == 124.0
    assert song.beat_file is None
    assert not song.is_whole_song


def test_several_supplied_files_sound_together_and_drums_count_the_beats(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.wav" for name in ("drums", "bass")}
    for file in files.values():
        file.write_bytes(b"sound")
    song = from_stem(files, {}, "ab" * 32, INSTRUMENTAL, title="Loops")
    assert song.layers == files
    assert song.beat_file == files["drums"]
    assert song.title == "Loops"


def test_a_supplied_file_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoStems, match=r"nothing\.wav is not there"):
        from_stem(tmp_path / "nothing.wav", {}, "", VOCALS)
    with pytest.raises(NoStems, match="no file"):
        from_stem({}, {}, "", INSTRUMENTAL)


# What somebody supplied


def results(kind: str | None, sub_db: float, present: bool | None, sureness: float = 0.9) -> dict[str, Any]:
    """What the analysers may say of a file."""
    return {
        "material": replace(invented(Material), kind=kind, confidence=sureness),
        "spectrum": replace(invented(Spectrum), sub_db=sub_db, mids_db=-20.0),
        "vocals": replace(invented(Vocals), present=present, confidence=None if present is None else 0.9),
    }


@pytest.mark.parametrize(
    ("found", "kind", "reason"),
    [
        (results("solo", -55.0, True), "vocals", "35 dB under"),
        (results("solo", -55.0, None), "vocals", "no model"),
        (results("mix", -55.0, None, sureness=0.6), "vocals", "35 dB under"),
        (results("mix", -24.0, True), "mix", "hear a voice"),
        (results("mix", -24.0, False), "instrumental", "no voice"),
        (results("mix", -24.0, None), None, "sounds like mix"),
        (results("solo", -22.0, None), None, "no model"),
        (results("noise", -55.0, None), None, "noise"),
        (results(None, -55.0, None), None, "no model"),
        ({}, None, "not known"),
        ({"vocals": SimpleNamespace(present=True, confidence=0.5)}, None, "no model"),
    ],
)
def test_what_a_supplied_file_looks_like(found: dict[str, Any], kind: str | None, reason: str) -> None:
    told, words = supplied_kind(found)
    assert told == kind
    assert reason in words
