"""Listening to the two sides of a mashup: levels, bands, beats, lines, other voices; and files that do not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from processor.analysis.beats import Beats
from processor.analysis.key import Key
from processor.analysis.loudness import OFFSET_LU, loudness
from processor.analysis.lyrics import Lyrics
from processor.analysis.metadata import Metadata
from processor.analysis.sections import Sections
from processor.analysis.vocals import Vocals
from processor.audio import decode
from processor.config import Limits
from processor.errors import AudioError
from processor.mashup import listening
from processor.mashup.layers import LONGEST_S
from processor.mashup.listening import HOP_S, UnfitLayers, listen_backing, listen_voice
from processor.mashup.songs import INSTRUMENTAL, VOCALS, Song, from_stem
from tests.libraries import invented
from tests.signals import joined, noise, silence, sine, song, write_wav

Samples = NDArray[np.float32]


def played(tmp_path: Path, sounds: Mapping[str, Samples], part: str, *, rate: int = 48_000, **results: Any) -> Song:
    """A song of supplied files."""
    files = {name: write_wav(tmp_path / f"{name}.wav", samples, rate) for name, samples in sounds.items()}
    return from_stem(files, results, "ab" * 32, part)


def clicks(seconds: float, bpm: float, *, rate: int = 48_000, first_s: float = 0.25) -> Samples:
    """Short bursts at one tempo."""
    sound = np.zeros((2, round(seconds * rate)), np.float32)
    burst = noise(0.03, -12.0, rate=rate)[0] * np.exp(-np.arange(round(0.03 * rate)) / (0.008 * rate))
    for time in np.arange(first_s, seconds - 0.05, 60 / bpm):
        at = round(time * rate)
        sound[:, at : at + burst.size] += burst
    return sound


# Levels


def test_power_is_the_loudness_of_the_standard(tmp_path: Path) -> None:
    sound = sine(1000.0, 4.0, -20.0, channels=2)
    layer = listen_backing(played(tmp_path, {"instrumental": sound}, INSTRUMENTAL)).sound
    assert layer.power.shape == (40,)
    middle = OFFSET_LU + 10 * np.log10(layer.power[5:35])
    known = loudness(decode(tmp_path / "instrumental.wav")).integrated_lufs
    assert middle == pytest.approx(known, abs=0.05)


def test_layers_add_up(tmp_path: Path) -> None:
    sounds = {"bass": sine(100.0, 3.0, -20.0, channels=2), "other": sine(3000.0, 3.0, -30.0, channels=2)}
    layer = listen_backing(played(tmp_path, sounds, INSTRUMENTAL)).sound
    levels = layer.bands_db[5:25].mean(axis=0)
    places = {hz: int(np.abs(layer.centres_hz - hz).argmin()) for hz in (100.0, 3162.0, 800.0)}
    assert levels[places[100.0]] == pytest.approx(-23.0, abs=0.4)
    assert levels[places[3162.0]] == pytest.approx(-33.0, abs=0.3)
    assert levels[places[800.0]] < -60


def test_bands_lie_where_their_sound_is_in_time(tmp_path: Path) -> None:
    sound = joined(silence(2.0, channels=2), sine(1000.0, 2.0, -20.0, channels=2), silence(2.0, channels=2))
    layer = listen_backing(played(tmp_path, {"instrumental": sound}, INSTRUMENTAL)).sound
    band = layer.bands_db[:, int(np.abs(layer.centres_hz - 1000.0).argmin())]
    loud = np.flatnonzero(band > -26)
    assert loud[0] * HOP_S == pytest.approx(2.0, abs=0.11)
    assert loud[-1] * HOP_S == pytest.approx(3.9, abs=0.11)
    assert len(band) == layer.power.size == 60


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (44_100, 8), (11_025, 2), (192_000, 2)])
def test_any_rate_and_number_of_channels(tmp_path: Path, rate: int, channels: int) -> None:
    sound = np.repeat(clicks(4.03, 120.0, rate=rate)[:1], channels, axis=0) / np.float32(channels)
    layer = listen_backing(played(tmp_path, {"instrumental": sound}, INSTRUMENTAL, rate=rate)).sound
    assert layer.sample_rate == rate
    assert layer.duration_s == pytest.approx(4.03, abs=0.001)
    assert layer.power.shape == (41,)
    assert layer.bands_db.shape == (41, layer.centres_hz.size)
    assert np.isfinite(layer.bands_db).all()
    assert layer.power.max() > 0


def test_listening_twice_gives_the_same(tmp_path: Path) -> None:
    known = played(tmp_path, {"instrumental": song()}, INSTRUMENTAL)
    first, second = listen_backing(known).sound, listen_backing(known).sound
    assert first.grid == second.grid
    assert (first.power == second.power).all()
    assert (first.chroma == second.chroma).all()


# Files that do not fit


def test_lengths_may_differ_by_a_tenth_of_a_second(tmp_path: Path) -> None:
    sounds = {"bass": sine(100.0, 3.0, -20.0, channels=2), "drums": clicks(2.95, 120.0)}
    assert listen_backing(played(tmp_path, sounds, INSTRUMENTAL)).sound.duration_s == pytest.approx(3.0)
    with pytest.raises(UnfitLayers, match=r"drums of bass is 2\.50 s long.*3\.00"):
        listen_backing(played(tmp_path, {**sounds, "drums": clicks(2.5, 120.0)}, INSTRUMENTAL))


def test_rates_may_not_differ(tmp_path: Path) -> None:
    known = played(tmp_path, {"bass": sine(100.0, 2.0, channels=2), "other": sine(300.0, 2.0)}, INSTRUMENTAL)
    write_wav(tmp_path / "other.wav", sine(300.0, 2.0, rate=44_100), 44_100)
    with pytest.raises(UnfitLayers, match=r"44100 Hz.*48000"):
        listen_backing(known)


def test_what_is_no_sound_or_has_none_is_told(tmp_path: Path) -> None:
    known = played(tmp_path, {"vocals": sine(300.0, 1.0)}, VOCALS)
    write_wav(tmp_path / "vocals.wav", np.zeros((2, 0), np.float32))
    with pytest.raises(AudioError):
        listen_voice(known)
    (tmp_path / "vocals.wav").write_bytes(b"no sound at all" * 100)
    with pytest.raises(AudioError):
        listen_voice(known)
    with pytest.raises(UnfitLayers, match="no sound"):
        listen_voice(replace(known, layers={}))


def test_limits_count(tmp_path: Path) -> None:
    known = played(tmp_path, {"vocals": sine(300.0, 2.0)}, VOCALS)
    with pytest.raises(AudioError):
        listen_voice(known, Limits(duration_s=1.0))


def test_an_hour_is_no_song(tmp_path: Path) -> None:
    long = silence(LONGEST_S + 1, rate=4000)
    with pytest.raises(UnfitLayers, match="20 minutes"):
        listen_voice(played(tmp_path, {"vocals": long}, VOCALS, rate=4000))


@pytest.mark.parametrize("seconds", [0.001, 0.05, 0.3, 5.0])
def test_silence_has_nothing(tmp_path: Path, seconds: float) -> None:
    voice = listen_voice(played(tmp_path, {"vocals": silence(seconds, channels=2)}, VOCALS))
    assert voice.lines == ()
    assert voice.sections == ()
    assert voice.bleed_lufs is None
    assert voice.sound.grid is None
    assert voice.sound.grid_from
    assert voice.sound.key is None
    backing = listen_backing(played(tmp_path, {"instrumental": silence(seconds, channels=2)}, INSTRUMENTAL))
    assert backing.sound.grid is None
    assert backing.sound.power.size == int(np.ceil(seconds / HOP_S))


# Beats


def test_an_instrumental_has_its_beats_within_5_ms(tmp_path: Path) -> None:
    sounds = {"drums": clicks(20.0, 117.0), "bass": sine(110.0, 20.0, -30.0, channels=2)}
    layer = listen_backing(played(tmp_path, sounds, INSTRUMENTAL)).sound
    assert layer.grid is not None
    assert layer.grid.tempo_bpm == pytest.approx(117.0, rel=5e-4)
    away = (np.array(layer.grid.beats_s) - 0.25 + 30 / 117) % (60 / 117) - 30 / 117
    assert np.abs(away).max() < 0.01
    assert np.median(np.abs(away)) < 0.008


def test_only_beats_that_no_whole_song_told_may_be_off_beats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "on_the_beat", lambda grid, *heard: replace(grid, first_downbeat=3))
    alone = played(tmp_path, {"drums": clicks(20.0, 124.0)}, INSTRUMENTAL)
    found = [listen_backing(song).sound.grid for song in (alone, replace(alone, is_whole_song=True))]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].first_downbeat == 3
    assert found[0].beats_s == found[1].beats_s
    assert found[1].first_downbeat != 3


def test_a_voice_alone_has_its_own_pulse_and_others_that_are_possible(tmp_path: Path) -> None:
    voice = listen_voice(played(tmp_path, {"vocals": clicks(30.0, 101.0)}, VOCALS))
    assert voice.sound.grid is not None
    assert voice.sound.grid.tempo_bpm == pytest.approx(101.0, rel=5e-4)
    assert voice.sound.grid_from == "pulse of the voice alone"
    assert voice.sound.other_grids


def test_a_tempo_that_is_told_or_tagged_is_kept(tmp_path: Path) -> None:
    sounds = {"vocals": clicks(20.0, 90.0)}
    told = replace(played(tmp_path, sounds, VOCALS), tempo_bpm=180.0)
    grid = listen_voice(told).sound.grid
    assert grid is not None
    assert grid.tempo_bpm == pytest.approx(180.0, rel=1e-3)
    tagged = played(tmp_path, sounds, VOCALS, metadata=replace(invented(Metadata), tagged_tempo="45,0"))
    grid = listen_voice(tagged).sound.grid
    assert grid is not None
    assert grid.tempo_bpm == pytest.approx(45.0, rel=1e-3)
    hostile = played(tmp_path, sounds, VOCALS, metadata=replace(invented(Metadata), tagged_tempo="1e999"))
    assert listen_voice(hostile).sound.grid is not None


def test_the_vocals_of_a_song_have_the_beats_of_the_song(tmp_path: Path) -> None:
    drums = write_wav(tmp_path / "drums.wav", clicks(20.0, 128.0))
    beats_s = np.arange(0.27, 20.0, 60 / 128)
    known = replace(invented(Beats), tempo_bpm=128.0, beats_s=beats_s, downbeats_s=beats_s[1::4], metre=4)
    alone = played(tmp_path, {"vocals": sine(300.0, 20.0, -20.0, channels=2)}, VOCALS, beats=known)
    assert listen_voice(alone).sound.grid is None
    whole = replace(alone, beat_file=drums, beats_are_drums=True, is_whole_song=True)
    layer = listen_voice(whole).sound
    assert layer.grid is not None
    assert layer.grid.tempo_bpm == 128.0
    assert layer.grid.beats_s[0] == pytest.approx(0.25, abs=0.01)
    assert layer.grid.first_downbeat == 1


def test_a_persons_word_that_the_record_does_not_have_is_heard_anew(tmp_path: Path) -> None:
    beats_s = np.arange(0.25, 20.0, 0.5)
    known = replace(invented(Beats), tempo_bpm=120.0, beats_s=beats_s, downbeats_s=beats_s[::4], metre=4)
    song_ = replace(played(tmp_path, {"drums": clicks(20.0, 120.0)}, INSTRUMENTAL, beats=known), tempo_bpm=60.0)
    layer = listen_backing(song_).sound
    assert layer.grid is not None
    assert layer.grid.tempo_bpm == pytest.approx(60.0, rel=1e-3)
    assert layer.grid_confidence == 1.0


# What is known of the song


@pytest.mark.parametrize("word", [1e-9, 1e9, -5.0, 0.0, float("inf"), float("nan")])
def test_a_word_that_is_no_tempo_is_passed_over(tmp_path: Path, word: float) -> None:
    band = played(tmp_path, {"instrumental": clicks(12.0, 120.0)}, INSTRUMENTAL)
    found = listen_backing(replace(band, tempo_bpm=word)).sound.grid
    assert found == listen_backing(band).sound.grid
    assert listen_voice(replace(band, tempo_bpm=word)).sound.grid == listen_voice(band).sound.grid


def test_lines_sections_words_and_key(tmp_path: Path) -> None:
    sung = sine(440.0, 2.0, -14.0, channels=2)
    gap = silence(1.0, channels=2)
    form = replace(
        invented(Sections),
        intervals_s=np.array([[0.0, 3.5], [3.5, 6.5], [6.5, np.nan], [6.5, 99.0]]),
        roles=("verse", "chorus", "bridge", "section"),
    )
    lyrics = replace(
        invented(Lyrics),
        texts=np.array(["one", "two", "none"]),
        intervals_s=np.array([[0.9, 3.1], [3.9, 6.1], [np.nan, 3.0]]),
    )
    known = played(
        tmp_path,
        {"vocals": joined(gap, sung, gap, sung, gap, sung, gap)},
        VOCALS,
        sections=form,
        lyrics=lyrics,
        key=replace(invented(Key), name="A minor"),
    )
    voice = listen_voice(replace(known, is_whole_song=True))
    assert [line.text for line in voice.lines] == ["one", "two", ""]
    assert voice.sections == ("verse", "chorus", "")
    assert voice.sound.key == "A minor"
    # Nobody can tell the form of a song from its vocals alone.
    assert listen_voice(known).sections == ("", "", "")
    backing = listen_backing(replace(known, layers={"instrumental": tmp_path / "vocals.wav"}))
    assert backing.sections == ((0.0, 3.5, "verse"), (3.5, 6.5, "chorus"), (6.5, 10.0, ""))


def test_a_record_that_somebody_edited_costs_nothing_else(tmp_path: Path) -> None:
    known = played(
        tmp_path,
        {"vocals": sine(440.0, 2.0, -14.0, channels=2)},
        VOCALS,
        sections=replace(invented(Sections), intervals_s=np.arange(5.0), roles=()),
        lyrics=replace(invented(Lyrics), texts=np.array(["one"]), intervals_s=np.array([[1.0, 2.0, 3.0]])),
    )
    voice = listen_voice(replace(known, is_whole_song=True))
    assert [line.text for line in voice.lines] == [""]


# Other voices


def test_a_backing_voice_among_the_layers_counts_as_a_voice(tmp_path: Path) -> None:
    second = joined(silence(2.0, channels=2), sine(500.0, 2.0, -20.0, channels=2), silence(2.0, channels=2))
    backing = listen_backing(played(tmp_path, {"drums": clicks(6.0, 120.0), "backing_vocals": second}, INSTRUMENTAL))
    assert backing.voices_s == pytest.approx(np.array([[2.0, 4.0]]), abs=0.05)
    assert "backing_vocals" in backing.voices_from


def test_voices_are_those_that_models_hear_in_what_was_supplied(tmp_path: Path) -> None:
    sounds = {"instrumental": clicks(6.0, 120.0)}
    nobody = listen_backing(played(tmp_path, sounds, INSTRUMENTAL))
    assert nobody.voices_s.shape == (0, 2)
    assert "nobody can tell" in nobody.voices_from
    spans = np.array([[1.0, 2.0], [4.0, 60.0], [70.0, 80.0]])
    sung = replace(invented(Vocals), present=True, intervals_s=spans)
    told = listen_backing(played(tmp_path, sounds, INSTRUMENTAL, vocals=sung))
    assert told.voices_s == pytest.approx(np.array([[1.0, 2.0], [4.0, 6.0]]))
    # Of a whole song the voice was taken out.
    whole = replace(played(tmp_path, sounds, INSTRUMENTAL, vocals=sung), is_whole_song=True)
    assert listen_backing(whole).voices_s.size == 0
    none = listen_backing(played(tmp_path, sounds, INSTRUMENTAL, vocals=replace(sung, present=False)))
    assert none.voices_from == "models hear no voice"


def test_progress_rises_to_the_end(tmp_path: Path) -> None:
    told: list[float] = []
    listen_backing(played(tmp_path, {"instrumental": clicks(3.0, 120.0)}, INSTRUMENTAL), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
