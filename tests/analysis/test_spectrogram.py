"""The picture of signals whose picture is known: which row, which column, how bright."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from processor.analysis.bands import bands
from processor.analysis.chroma import chroma
from processor.analysis.mono import mono
from processor.analysis.spectrogram import MAX_COLUMNS, RANGE_DB, Spectrogram, spectrogram
from processor.audio import Audio
from tests import signals
from tests.signals import RATE, Samples, audio, joined, silence, sine, song, stereo


def measure_audio(sound: Audio) -> Spectrogram:
    return spectrogram(bands(sound), chroma(mono(sound)))


def measure(samples: Samples, rate: int = RATE) -> Spectrogram:
    return measure_audio(audio(samples, rate))


def band(found: Spectrogram, hz: float) -> int:
    return int(np.abs(found.centres_hz - hz).argmin())


def column(found: Spectrogram, second: float, seconds: float) -> int:
    return int(second / seconds * len(found.levels_db))


# Levels


@pytest.mark.parametrize("hz", [251.2, 1000.0, 3981.1, 12_589.3])
def test_a_tone_is_bright_in_its_own_row(hz: float) -> None:
    found = measure(sine(hz, 6.0, channels=2))
    middle = found.levels_db[5:-5]
    assert set(middle.argmax(axis=1)) == {band(found, hz)}
    assert middle.max(axis=1) == pytest.approx(0, abs=0.5)
    assert found.loudest_band_dbfs == pytest.approx(-3.01, abs=0.1)


def test_a_tone_on_one_side_has_half() -> None:
    found = measure(stereo(sine(1000, 6.0), silence(6.0)))
    assert found.loudest_band_dbfs == pytest.approx(-6.02, abs=0.1)


def test_what_is_softer_is_darker_by_as_much() -> None:
    found = measure(joined(sine(1000, 5.0, -10.0), sine(1000, 5.0, -35.0), silence(5.0)))
    row = found.levels_db[:, band(found, 1000)]
    levels = [row[column(found, second, 15.0)] for second in (2.5, 7.5, 12.5)]
    assert levels == pytest.approx([0, -25, -RANGE_DB], abs=1)


def test_a_tone_stands_where_it_sounds() -> None:
    """A second of tone from the 60th on, of 120: in columns of 0.15 s."""
    found = measure(joined(silence(60.0, rate=8000), sine(1000, 1.0, rate=8000), silence(59.0, rate=8000)), 8000)
    assert len(found.levels_db) == MAX_COLUMNS
    bright = np.flatnonzero(found.levels_db[:, band(found, 1000)] > -20)
    assert bright[0] * 120 / MAX_COLUMNS == pytest.approx(60, abs=0.3)
    assert bright[-1] * 120 / MAX_COLUMNS == pytest.approx(61, abs=0.3)


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_silence_and_direct_current_are_dark_everywhere(value: float) -> None:
    found = measure(signals.constant(value, 7.0, channels=2))
    assert found.loudest_band_dbfs is None
    assert set(found.levels_db.ravel()) == {-RANGE_DB}
    assert not found.pitch_classes.any()


def test_a_gain_moves_the_loudest_alone() -> None:
    before, after = measure(song(6.0)), measure(song(6.0) * np.float32(0.5))
    assert before.loudest_band_dbfs is not None
    assert after.loudest_band_dbfs == pytest.approx(before.loudest_band_dbfs - 6.02, abs=0.01)
    assert np.abs(before.levels_db - after.levels_db).max() <= 1


def test_numbers_are_whole() -> None:
    found = measure(song(8.0))
    for curve in (found.levels_db, found.pitch_classes):
        assert np.array_equal(curve, np.round(curve))


@pytest.mark.parametrize("frames", [0, 1, 5000])
def test_a_sound_without_a_picture_has_an_empty_one(frames: int) -> None:
    found = measure(np.full((1, frames), 0.1, np.float32))
    assert found.levels_db.ndim == found.pitch_classes.ndim == 2
    assert found.levels_db.shape[1] == found.centres_hz.size
    assert bool(len(found.levels_db)) == bool(frames)


# Pitch classes


@pytest.mark.parametrize(("hz", "pitch_class"), [(261.63, 0), (440.0, 9), (493.88, 11)])
def test_a_note_is_bright_in_its_own_row(hz: float, pitch_class: int) -> None:
    harmonics = np.sum([sine(hz * k, 6.0, -12 - 6 * k) for k in (1, 2, 3, 4)], axis=0)
    found = measure(harmonics)
    assert found.pitch_classes.shape[1] == 12
    assert set(found.pitch_classes[5:-5].argmax(axis=1)) == {pitch_class}


def test_without_chroma_there_is_a_spectrogram_all_the_same() -> None:
    found = spectrogram(bands(audio(song(4.0))))
    assert found.pitch_classes.shape == (0, 12)
    assert found.levels_db.max() == 0


# Room, and streams


def test_a_long_song_takes_little_room() -> None:
    sound = audio(song(120.0, rate=22_050), 22_050)
    found = measure_audio(sound)
    assert len(found.levels_db) == len(found.pitch_classes) == MAX_COLUMNS
    buffer = io.BytesIO()
    np.savez_compressed(buffer, found.levels_db, found.pitch_classes)
    assert buffer.tell() < 60_000


def test_a_stream_has_the_same_picture(tmp_path: Path) -> None:
    samples = song(65.0, rate=8000)
    found = spectrogram(bands(signals.streamed(tmp_path / "long.wav", samples, 8000)))
    assert np.array_equal(found.levels_db, measure(samples, 8000).levels_db)
