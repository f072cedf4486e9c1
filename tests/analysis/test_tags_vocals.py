"""What YAMNet hears in the vocal stem: windows of the stem's file, kinds of voice only, and nothing made up."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from processor.analysis.stems import Stems
from processor.analysis.tags_vocals import TagsVocals, tags_vocals
from processor.errors import SidecarMissing
from processor.models.loading import load
from processor.models.table import all_models
from processor.sidecars import Sidecars
from tests import signals
from tests.analysis.witnesses import stems
from tests.signals import joined, silence, sine
from tests.weights import SETTINGS, Weights, weights  # noqa: F401 - a fixture


class Loudness:
    """Takes the peak of a window for its score of "Singing", and a half of it for "Speech"; hears a dog throughout."""

    name, sample_rate, window_frames, hop_frames = "fake", 16_000, 15_600, 8_000
    labels = ("Dog", "Singing", "Music", "Speech")

    def scores(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        assert all(window.shape == (self.window_frames,) for window in windows)
        peaks = np.array([np.abs(window).max() for window in windows])
        return np.stack([np.ones(len(windows)), peaks, peaks, peaks / 2], axis=1).astype(np.float32)


def listen(folder: Path, samples: signals.Samples, rate: int = 44_100, **facts: object) -> TagsVocals:
    sidecars = Sidecars(folder)
    sidecars.write("stems/vocals.flac", rate, [samples])
    parts = dataclasses.replace(stems(samples.shape[1] / rate, vocals=-20.0), sample_rate=rate, **facts)  # type: ignore[arg-type]
    return tags_vocals(Loudness(), parts, sidecars, lambda share: None)  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_each_half_second_of_the_stem_is_heard(tmp_path: Path, rate: int) -> None:
    found = listen(tmp_path, joined(sine(440, 5.0, -20.0, rate=rate), sine(440, 5.0, -6.0, rate=rate)), rate)
    assert found.classes.tolist() == ["Singing", "Speech"]
    assert (found.hop_s, found.window_s) == (0.5, 0.975)
    assert found.scores.shape == (20, 2)
    assert found.scores[:8, 0] == pytest.approx(signals.amplitude(-20.0), abs=0.02)
    assert found.scores[10:19, 0] == pytest.approx(signals.amplitude(-6.0), abs=0.05)
    assert found.scores[:, 1] == pytest.approx(found.scores[:, 0] / 2, abs=0.01)


def test_silence_has_no_score(tmp_path: Path) -> None:
    found = listen(tmp_path, joined(silence(4.0, rate=44_100), sine(440, 4.0, -6.0, rate=44_100)))
    assert np.isnan(found.scores[:6]).all()
    assert np.isfinite(found.scores[8:15]).all()


@pytest.mark.parametrize("seconds", [0.1, 0.975, 1.0, 1.5])
def test_what_is_shorter_than_a_window_is_heard_too(tmp_path: Path, seconds: float) -> None:
    found = listen(tmp_path, sine(440, seconds, -6.0, rate=16_000), 16_000)
    assert 1 <= len(found.scores) <= 3
    assert np.isfinite(found.scores[0]).all()


def test_without_a_vocal_stem_nothing_is_heard(tmp_path: Path) -> None:
    for parts in (stems(names=("drums", "bass")), dataclasses.replace(stems(0.0), files=())):
        found = tags_vocals(Loudness(), parts, Sidecars(tmp_path), lambda share: None)  # type: ignore[arg-type]
        assert found.scores.shape == (0, 2)


def test_a_stem_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(SidecarMissing, match=r"stems/vocals.flac"):
        tags_vocals(Loudness(), stems(), Sidecars(tmp_path), lambda share: None)  # type: ignore[arg-type]


def test_progress_rises_to_the_end(tmp_path: Path) -> None:
    told: list[float] = []
    sidecars = Sidecars(tmp_path)
    sidecars.write("stems/vocals.flac", 44_100, [sine(440, 8.0, -6.0, rate=44_100)])
    tags_vocals(Loudness(), stems(8.0), sidecars, told.append)  # type: ignore[arg-type]
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) > 10


def test_the_real_yamnet_hears_no_voice_in_a_tone(tmp_path: Path, weights: Weights) -> None:  # noqa: F811
    pytest.importorskip("ai_edge_litert")
    weights("yamnet")
    sidecars = Sidecars(tmp_path)
    sidecars.write("stems/vocals.flac", 44_100, [sine(440, 4.0, -12.0, rate=44_100)])
    parts: Stems = stems(4.0, vocals=-15.0)
    found = tags_vocals(load(SETTINGS, all_models()["yamnet"]), parts, sidecars, lambda share: None)
    assert {"Speech", "Singing", "Rapping", "Humming"} <= set(found.classes.tolist())
    assert "Music" not in found.classes
    assert found.scores.max() < 0.1
