"""Pitch: which sound it is heard in, and what becomes of what a tracker says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from processor.analysis.pitch import Pitch, pitch
from processor.audio import Audio
from processor.errors import SidecarMissing
from processor.graph import describe
from processor.sidecars import Sidecars
from tests import signals
from tests.analysis.voices import Peaks, Row, ignored, stems_of
from tests.signals import audio, joined, silence, sine


def follow(sound: Audio, tracker: Peaks | None = None) -> Pitch:
    return pitch(sound, tracker or Peaks(), Sidecars(Path()), ignored)


def test_no_word_of_a_person_can_make_the_model_run_again() -> None:
    one = describe(pitch)
    assert one.model == "pitch_tracker"
    assert not one.takes_known
    assert one.inputs == ("audio", "stems")


# What is heard


def test_a_tone_has_its_pitch_everywhere() -> None:
    found = follow(audio(sine(440, 3.0, -12.0)))
    assert found.median_hz == pytest.approx(440, abs=2)
    assert found.voiced_share == pytest.approx(1.0, abs=0.03)
    assert found.harmonic_share == pytest.approx(1.0, abs=0.02)
    assert found.f0_hz.shape == found.voicing.shape == (int(3.0 / found.hop_s),)
    assert np.nanmax(np.abs(found.f0_hz - 440)) < 2
    assert found.f0_hz.dtype == np.float32


def test_pauses_are_not_voiced_and_the_curve_keeps_its_time() -> None:
    found = follow(audio(joined(silence(1.0), sine(300, 1.0, -12.0), silence(2.0))))
    times = np.arange(found.f0_hz.size) * found.hop_s
    voiced = times[np.isfinite(found.f0_hz)]
    assert voiced[0] == pytest.approx(1.0, abs=0.05)
    assert voiced[-1] == pytest.approx(2.0, abs=0.05)
    assert found.voiced_share == pytest.approx(0.25, abs=0.02)


def test_quiet_sound_is_as_good_as_loud() -> None:
    loud, quiet = (follow(audio(sine(220, 1.0, level))) for level in (-1.0, -66.0))
    assert quiet.voiced_share == loud.voiced_share
    assert quiet.median_hz == pytest.approx(loud.median_hz, abs=0.1)


def test_a_chord_belongs_to_no_one_pitch() -> None:
    chord = sum(sine(hz, 2.0, -20.0) for hz in (440.0, 554.4, 659.3, 233.1, 987.8))
    found = follow(audio(np.asarray(chord, np.float32)))
    share = found.harmonic_share
    assert share is None or share < 0.5


class Sure(Peaks):
    """One that is sure of some frames and of no others."""

    frames = (20, 21, 60, 61, 62, 63)

    def track(self, samples: Row) -> tuple[NDArray[np.float64], Row, Row]:
        times_s, f0_hz, sure = super().track(samples)
        return times_s, f0_hz, np.isin(np.arange(sure.size), self.frames).astype(np.float32)


def test_a_stretch_of_two_frames_is_a_slip() -> None:
    found = follow(audio(sine(300, 2.0, -12.0)), Sure())
    assert np.flatnonzero(np.isfinite(found.f0_hz)).tolist() == [60, 61, 62, 63]
    assert found.voicing[20] == 1.0


# Where it is heard


def test_the_stem_of_the_vocals_is_heard_where_it_is_really_there(tmp_path: Path) -> None:
    mix = audio(sine(200, 2.0, -6.0, channels=2))
    stems, sidecars = stems_of(tmp_path, sine(500, 2.0, -20.0, channels=2), signals.RATE)
    found = pitch(mix, Peaks(), sidecars, ignored, stems)
    assert found.heard_in == "vocals"
    assert found.median_hz == pytest.approx(500, abs=2)


@pytest.mark.parametrize("names", [("drums", "vocals"), ("drums", "voice")])
def test_the_mix_is_heard_where_it_is_not(tmp_path: Path, names: tuple[str, ...]) -> None:
    import dataclasses

    mix = audio(sine(200, 2.0, -6.0, channels=2))
    stems, sidecars = stems_of(tmp_path, sine(500, 2.0, -20.0, channels=2), signals.RATE, present=False)
    found = pitch(mix, Peaks(), sidecars, ignored, dataclasses.replace(stems, names=names))
    assert found.heard_in == "mix"
    assert found.median_hz == pytest.approx(200, abs=2)


def test_a_stem_that_is_gone_is_said_so(tmp_path: Path) -> None:
    stems, sidecars = stems_of(tmp_path, sine(500, 1.0), signals.RATE)
    (tmp_path / "stems" / "vocals.flac").unlink()
    with pytest.raises(SidecarMissing, match=r"vocals\.flac"):
        pitch(audio(sine(200, 1.0)), Peaks(), sidecars, ignored, stems)


# Every kind of sound


@pytest.mark.parametrize(
    "sound",
    [
        audio(np.zeros((2, 0), np.float32)),
        audio(np.full((1, 1), 0.5, np.float32)),
        audio(np.zeros((1, 1), np.float32)),
        audio(silence(3.0, channels=2)),
        audio(signals.noise(2.0, -300.0)),
    ],
    ids=["nothing", "one sample", "one zero", "silence", "next to silence"],
)
def test_where_nothing_is_voiced_there_are_no_numbers(sound: Audio) -> None:
    found = follow(sound)
    assert (found.voiced_share, found.median_hz, found.pitch_confidence) == (None, None, None)
    assert not np.isfinite(found.f0_hz).any()


@pytest.mark.parametrize("rate", [4_000, 8_000, 16_000, 44_100, 192_000])
def test_any_rate_will_do(rate: int) -> None:
    found = follow(audio(sine(330, 1.0, -12.0, rate=rate), rate))
    assert found.median_hz == pytest.approx(330, abs=2)
    assert found.f0_hz.size == pytest.approx(62, abs=1)


def test_eight_channels_are_folded() -> None:
    assert follow(audio(sine(330, 1.0, -12.0, channels=8))).median_hz == pytest.approx(330, abs=2)


def test_a_stream_gives_what_the_whole_gives(tmp_path: Path) -> None:
    samples = joined(sine(200, 30.0, -6.0, rate=8_000), sine(300, 31.0, -6.0, rate=8_000))
    whole = follow(audio(samples, 8_000))
    tracker = Peaks()
    streamed = follow(signals.streamed(tmp_path / "long.wav", samples, 8_000), tracker)
    assert np.allclose(streamed.f0_hz, whole.f0_hz, equal_nan=True)
    assert np.allclose(streamed.voicing, whole.voicing, atol=1e-4)
    assert max(tracker.sizes) <= 21 * 16_000  # never more than 20 s and their surroundings


def test_progress_comes_to_its_end() -> None:
    told: list[float] = []
    pitch(audio(sine(200, 45.0, rate=8_000), 8_000), Peaks(), Sidecars(Path()), told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0, abs=0.01)
    assert len(told) == 3
