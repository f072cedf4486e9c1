"""The track second by second: with the signal alone, and with all that models have found."""

from __future__ import annotations

import numpy as np
import pytest

from processor.analysis.bands import bands
from processor.analysis.frames import TOP, Frames, frames, rows
from processor.analysis.heard import Heard
from processor.analysis.loudness import loudness
from processor.analysis.spectrum import spectrum
from processor.analysis.stems import Stems
from processor.analysis.tags import tags
from processor.analysis.vocals import vocals
from processor.audio import Audio
from tests import signals
from tests.analysis.witnesses import between, stems, voices, words
from tests.signals import audio, joined, noise, silence, sine


def framed(sound: Audio, known: Heard | None = None, parts: Stems | None = None, **given: object) -> Frames:
    known = known or Heard(())
    voice = vocals(known, parts, None, given.get("voices"))  # type: ignore[arg-type]
    return frames(loudness(sound), bands(sound), known, tags(known, voice, parts), voice, parts)


def minute() -> Audio:
    return audio(noise(60.0, rate=16_000), 16_000)


# Without models


def test_the_signal_alone_gives_loudness_and_brightness() -> None:
    found = framed(audio(noise(5.4, channels=2)))
    assert found.loudness_lufs.size == found.brightness_hz.size == 6
    assert np.isfinite(found.loudness_lufs[:5]).all()
    assert np.isfinite(found.brightness_hz).all()
    assert found.voice.size == found.stem_levels_db.size == found.top_tags.size == 0
    assert found.tag_names == found.stem_names == ()


def test_loudness_is_that_of_the_meter() -> None:
    sound = audio(
        joined(sine(1000, 3.0, -20.0, channels=2), silence(3.0, channels=2), sine(1000, 3.0, -6.0, channels=2))
    )
    found = framed(sound)
    assert found.loudness_lufs[[0, 1]] == pytest.approx(-20.0, abs=0.1)
    assert np.isnan(found.loudness_lufs[4])
    assert found.loudness_lufs[[6, 7]] == pytest.approx(-6.0, abs=0.1)


@pytest.mark.parametrize("hz", [100.0, 1000.0, 5000.0])
def test_the_brightness_of_a_tone_is_its_frequency(hz: float) -> None:
    found = framed(audio(sine(hz, 4.0, -12.0)))
    assert found.brightness_hz[1:3] == pytest.approx(hz, rel=0.15)


def test_brightness_is_the_centroid_of_the_spectrum() -> None:
    sound = audio(signals.song(8.0, rate=44_100), 44_100)
    expected = spectrum(sound, bands(sound)).centroid_hz
    assert expected is not None
    assert float(np.nanmean(framed(sound).brightness_hz)) == pytest.approx(expected, rel=0.15)


def test_each_second_is_its_own() -> None:
    found = framed(audio(joined(sine(200, 3.0, -12.0), sine(4000, 3.0, -12.0))))
    assert found.brightness_hz[:2].max() < 400
    assert found.brightness_hz[4:].min() > 3000


@pytest.mark.parametrize("seconds", [0.0, 1 / 48_000, 0.3, 1.0, 1.01])
def test_short_sounds(seconds: float) -> None:
    found = framed(audio(noise(seconds)))
    assert found.brightness_hz.size == found.loudness_lufs.size == int(np.ceil(seconds))
    assert len(list(rows(found))) == int(np.ceil(seconds))


def test_silence_is_gaps() -> None:
    found = framed(audio(silence(3.0)))
    assert np.isnan(found.brightness_hz).all()
    assert np.isnan(found.loudness_lufs).all()
    assert next(iter(rows(found))) == {"second": 0, **dict.fromkeys(CURVES), "tags": []}


CURVES = (
    "loudness_lufs",
    "brightness_hz",
    "voice",
    "vocals_db",
    "drums_db",
    "bass_db",
    "guitar_db",
    "piano_db",
    "other_db",
)


# With models


def test_stems_have_their_level_in_each_second() -> None:
    found = framed(minute(), parts=stems(drums=-18.0, vocals=between(10, 20, -15.0)))
    assert found.stem_names == ("drums", "bass", "other", "vocals")
    assert found.stem_levels_db.shape == (4, 60)
    assert found.stem_levels_db[0] == pytest.approx(-18.0)
    assert found.stem_levels_db[3, [9, 10, 19, 20]] == pytest.approx([-90, -15, -15, -90])


def test_a_voice_is_where_it_is() -> None:
    parts = stems(other=-18.0, vocals=between(10, 20, -15.0))
    found = framed(minute(), words(), parts, voices=voices({"Speech": 0.8}))
    assert found.voice.size == 60
    assert found.voice[[9, 10, 19, 20]] == pytest.approx([0, 1, 1, 0], abs=0.11)


def test_the_top_tags_of_a_second_are_those_that_sound_in_it() -> None:
    scores = np.where(np.arange(119) * 0.5 > 30, 0.4, 0.0)
    parts = stems(drums=between(0, 30, -15.0), other=-18.0, vocals=between(10, 20, -15.0))
    found = framed(minute(), words({"Guitar": scores, "Piano": 0.02}), parts, voices=voices({"Speech": 0.8}))
    listed = [row["tags"] for row in rows(found)]
    assert set(listed[5]) == {"drums", "piano", "keyboards"}
    assert listed[15][:2] == ["vocals", "drums"]
    assert listed[45][0] == "guitar"
    assert "drums" not in listed[45]
    assert found.top_tags.shape == (60, TOP)


def test_tags_that_did_not_stand_are_in_no_second() -> None:
    scores = {"Singing": 0.1, "Drum kit": 0.1, "Piano": 0.3}
    found = framed(minute(), words(scores), stems(other=-18.0))
    assert "piano" in found.tag_names
    assert not {"singing", "drums", "vocals", "instrumental"} & set(found.tag_names)


def test_models_that_heard_less_than_there_is_leave_gaps() -> None:
    found = framed(minute(), words({"Piano": 0.3}, seconds=30.0), stems(30.0, other=-18.0, vocals=-18.0))
    assert found.voice.size == 60
    assert found.stem_levels_db.shape == (4, 60)
    assert found.voice[40] == 0.0
    last = list(rows(found))[-1]
    assert last["tags"] == []


def test_rows_are_plain_values() -> None:
    found = framed(minute(), words({"Piano": 0.3}), stems(other=-18.0, vocals=-18.0))
    for second, row in enumerate(rows(found)):
        assert row["second"] == second
        assert set(row) == {"second", "tags", *CURVES}
        assert all(value is None or isinstance(value, (float, int, list)) for value in row.values())
        assert row["guitar_db"] is None
        assert row["vocals_db"] == pytest.approx(-18.0)
