"""Whisper by faster-whisper, with its real weights, on speech that is made from formulas and on none."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("faster_whisper")

from processor.errors import ModelError
from processor.models import whisper
from processor.models.loading import Machine
from processor.models.table import all_models
from processor.models.whisper import FILES, Line, Transcriber, load
from tests import signals
from tests.weights import Weights, weights  # noqa: F401 - a fixture

CPU = Machine("cpu", 1)
RATE = 16_000


@pytest.fixture(scope="module")
def scribe(weights: Weights) -> Transcriber:  # noqa: F811
    return load(all_models()["whisper_base"], weights("whisper_base"), CPU)


def test_it_says_what_it_hears_and_where_it_runs(scribe: Transcriber) -> None:
    assert (scribe.device, scribe.dtype, scribe.sample_rate, scribe.window_s) == ("cpu", "int8", RATE, 30.0)


def test_lines_have_times_within_the_sound_and_shares_within_0_and_1(scribe: Transcriber) -> None:
    """What it writes of noise is invented, and it says so."""
    noise = signals.noise(4.0, -30.0, rate=RATE)[0]
    found = scribe.transcribe(noise, "en")
    assert found == scribe.transcribe(noise, "en")
    for line in found:
        assert 0.0 <= line.start_s <= line.end_s <= 30.0
        assert 0.0 <= line.sureness <= 1.0
        assert 0.0 <= line.no_speech <= 1.0
        assert line.no_speech > 0.5 or line.sureness < 0.6 or line.repetition > 2.4


def test_nothing_has_no_lines_no_language_and_no_speech(scribe: Transcriber) -> None:
    nothing = np.zeros(0, np.float32)
    assert scribe.transcribe(nothing, "en") == []
    assert scribe.speech(nothing) == []
    assert scribe.language([]) == (None, 0.0)
    assert scribe.language([nothing]) == (None, 0.0)


def test_one_sample_can_be_heard(scribe: Transcriber) -> None:
    assert isinstance(scribe.transcribe(np.full(1, 0.5, np.float32), "en"), list)


def test_a_language_is_a_code_and_a_chance(scribe: Transcriber) -> None:
    code, chance = scribe.language([signals.noise(1.5, -30.0, rate=RATE)[0]])
    assert code is not None
    assert 2 <= len(code) <= 3
    assert 0.0 < chance <= 1.0


@pytest.mark.parametrize("level", [-300.0, -30.0])
def test_noise_is_no_speech(scribe: Transcriber, level: float) -> None:
    assert scribe.speech(signals.noise(3.0, level, rate=RATE)[0]) == []


# What the package tells of a line


class Segment:
    def __init__(self, text: str, start: float, end: float, avg_logprob: float, no_speech_prob: float) -> None:
        self.text, self.start, self.end = text, start, end
        self.avg_logprob, self.no_speech_prob, self.compression_ratio = avg_logprob, no_speech_prob, 1.5


class Package:
    """What faster-whisper's model does for us."""

    def __init__(self, *segments: Segment, is_multilingual: bool = True) -> None:
        self.segments, self.is_multilingual = segments, is_multilingual
        self.model = self
        self.asked: dict[str, object] = {}

    def transcribe(self, samples: np.ndarray[tuple[int], np.dtype[np.float32]], **options: object) -> object:
        assert samples.dtype == np.float32
        self.asked = options
        return iter(self.segments), None

    def detect_language(self, samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> object:
        first = ("de", 0.7) if samples[0] > 0 else ("en", 0.9)
        return *first, [first, ("fr", 0.2)]


def of(package: Package) -> Transcriber:
    return Transcriber("Test", "cpu", "int8", package)


def test_a_line_is_told_in_shares_and_never_goes_backwards() -> None:
    package = Package(Segment(" Hello.", -0.5, 1.0, -0.5, 0.1), Segment("x", 3.0, 2.0, 0.2, 7.0))
    assert of(package).transcribe(np.ones(RATE, np.float32), "en") == [
        Line(0.0, 1.0, " Hello.", pytest.approx(0.6065, abs=1e-4), 0.1, 1.5),
        Line(3.0, 3.0, "x", 1.0, 1.0, 1.5),
    ]
    assert package.asked["temperature"] == 0.0
    assert package.asked["condition_on_previous_text"] is False


def test_numbers_that_are_none_are_no_sureness() -> None:
    found = of(Package(Segment("x", 0.0, 1.0, float("nan"), float("nan")))).transcribe(np.ones(9, np.float32), "en")
    assert (found[0].sureness, found[0].no_speech) == (0.0, 0.0)


def test_a_language_is_that_of_all_pieces_together() -> None:
    up, down = np.ones(2 * RATE, np.float32), -np.ones(2 * RATE, np.float32)
    assert of(Package()).language([up, down, down]) == ("en", pytest.approx(0.6))
    assert of(Package()).language([up, up, down, up[:100]]) == ("de", pytest.approx(1.4 / 3))


def test_a_model_of_one_language_knows_it() -> None:
    assert of(Package(is_multilingual=False)).language([np.ones(9, np.float32)]) == ("en", 1.0)


# What is not let in


@pytest.mark.parametrize("lacking", FILES)
def test_a_file_that_is_missing_is_never_fetched(
    lacking: str,
    weights: Weights,  # noqa: F811
    tmp_path: Path,
) -> None:
    folder = weights("whisper_base")
    for name in FILES:
        if name != lacking:
            (tmp_path / name).symlink_to(folder / name)
    with pytest.raises(ModelError, match=f"{lacking} is not there"):
        load(all_models()["whisper_base"], tmp_path, CPU)


@pytest.mark.parametrize("content", [b"", b"This is no model.", bytes(1000)])
def test_a_model_that_is_none_is_refused(content: bytes, weights: Weights, tmp_path: Path) -> None:  # noqa: F811
    folder = weights("whisper_base")
    for name in FILES:
        shutil.copy(folder / name, tmp_path) if name != "model.bin" else (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match="is not Whisper"):
        whisper.load(all_models()["whisper_base"], tmp_path, CPU)
