"""Emotion: read of the voice alone, passage by passage, and never of a mix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from processor.analysis.emotion import Emotion, emotion
from processor.audio import Audio
from processor.graph import describe
from processor.quantities import columns
from processor.sidecars import Sidecars
from tests import signals
from tests.analysis.voices import Mood, ignored, stems_of
from tests.signals import Samples, audio, joined, silence, tones

RATE = 8_000
ANGRY = tones([(-6, 2.0), (-20, 2.0)], rate=RATE)
SAD = tones([(-20, 1.0), (-6, 1.0)], rate=RATE)


def read(vocals: Samples, folder: Path, mood: Mood | None = None) -> Emotion:
    stems, sidecars = stems_of(folder, vocals, RATE)
    return emotion(audio(vocals, RATE), mood or Mood(), sidecars, ignored, stems)


def test_no_word_of_a_person_can_make_the_model_run_again() -> None:
    one = describe(emotion)
    assert (one.model, one.takes_known, one.inputs) == ("emotion_reader", False, ("audio", "stems"))


def test_each_passage_is_read_and_time_weighs(tmp_path: Path) -> None:
    rest = silence(3.0, rate=RATE, channels=2)
    found = read(joined(ANGRY, rest, SAD, rest), tmp_path)
    assert found.label == "angry"
    assert found.labels == ("angry", "sad", "unknown")
    assert found.passages_s == pytest.approx(np.array([[0.0, 4.25], [6.75, 9.25]]), abs=0.11)
    assert found.passage_scores == pytest.approx(np.array([[0.9, 0.05, 0.05], [0.1, 0.85, 0.05]]), abs=1e-6)
    assert found.emotion_confidence == pytest.approx((0.9 * 4.25 + 0.1 * 2.5) / 6.75, abs=0.02)
    assert sum(found.label_scores) == pytest.approx(1.0)


def test_a_long_passage_is_read_in_parts(tmp_path: Path) -> None:
    mood = Mood()
    read(tones([(-6, 35.0)], rate=RATE), tmp_path, mood)
    assert max(mood.heard) <= 10.6
    assert sum(mood.heard) == pytest.approx(35.0, abs=2.5)


def test_it_says_everywhere_that_it_is_only_for_display() -> None:
    for column in columns(Emotion):
        if column.name in {"label", "emotion_confidence", "labels", "label_scores", "passage_scores"}:
            assert "display only" in column.quantity.label
            assert "display only" in column.quantity.help


SHORT = {
    "silence": silence(4.0, rate=RATE, channels=2),
    "a click": tones([(None, 2.0), (-6, 0.05), (None, 2.0)], rate=RATE),
    "one sample": np.full((1, 1), 0.5, np.float32),
}


@pytest.mark.parametrize("vocals", SHORT.values(), ids=SHORT)
def test_without_a_voice_there_is_no_emotion(vocals: Samples, tmp_path: Path) -> None:
    mood = Mood()
    assert_nothing(read(vocals, tmp_path, mood))
    assert mood.heard == []


@pytest.mark.parametrize("present", [True, False])
def test_a_mix_is_never_read(present: bool, tmp_path: Path) -> None:
    mood = Mood()
    stems, sidecars = stems_of(tmp_path, ANGRY, RATE, present=False)
    found = emotion(audio(ANGRY, RATE), mood, sidecars, ignored, None if present else stems)
    assert_nothing(found)
    assert mood.heard == []


@pytest.mark.parametrize("sound", [audio(np.zeros((2, 0), np.float32)), audio(signals.noise(1.0, channels=8))])
def test_every_kind_of_sound_will_do(sound: Audio, tmp_path: Path) -> None:
    assert_nothing(emotion(sound, Mood(), Sidecars(tmp_path), ignored))


def assert_nothing(found: Emotion) -> None:
    assert (found.label, found.emotion_confidence, found.labels, found.label_scores) == (None, None, (), ())
    assert found.passages_s.shape == (0, 2)
    assert found.passage_scores.size == 0
