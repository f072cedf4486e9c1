"""Lyrics: where words are looked for, when they are sung, and which lines are not believed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from processor.analysis import _voice
from processor.analysis.lyrics import MOST_LINES, Lyrics, believable, clean, lyrics
from processor.graph import describe
from processor.models.whisper import Line
from processor.sidecars import Sidecars
from tests import signals
from tests.analysis.voices import Scribe, ignored, stems_of
from tests.signals import Samples, audio, joined, silence, sine

RATE = 8_000


def line(start_s: float, end_s: float, text: str = "so far away", **facts: float) -> Line:
    return Line(start_s, end_s, text, **({"sureness": 0.7, "no_speech": 0.2, "repetition": 1.1} | facts))


def sung(*spans: tuple[float, float], seconds: float) -> Samples:
    """A tone in these spans, and next to nothing elsewhere."""
    time = np.arange(round(seconds * RATE)) / RATE
    loud = np.isin(np.arange(time.size), [])
    for start, end in spans:
        loud |= (time >= start) & (time < end)
    return np.where(loud, sine(300, seconds, -12.0, rate=RATE), signals.noise(seconds, -80.0, rate=RATE))


def hear(vocals: Samples, scribe: Scribe, folder: Path, *, present: bool = True) -> Lyrics:
    stems, sidecars = stems_of(folder, vocals, RATE, present=present)
    return lyrics(audio(vocals, RATE), scribe, sidecars, ignored, stems)


def test_no_word_of_a_person_can_make_the_model_run_again() -> None:
    one = describe(lyrics)
    assert (one.model, one.takes_known, one.inputs) == ("transcriber", False, ("audio", "stems"))


# When


def test_lines_stand_where_the_voice_sounds(tmp_path: Path) -> None:
    scribe = Scribe([line(0.5, 2.0)])
    found = hear(sung((3.0, 6.0), (20.0, 24.0), seconds=30.0), scribe, tmp_path)
    assert found.heard_in == "vocals"
    assert found.intervals_s == pytest.approx(np.array([[3.25, 4.75], [20.25, 21.75]]), abs=0.11)
    assert found.texts.tolist() == ["so far away"] * 2
    assert (found.line_count, found.word_count, found.dropped_lines) == (2, 6, 0)
    assert (found.language, found.language_confidence) == ("en", 0.75)
    assert found.lyrics_confidence == pytest.approx(0.7)


def test_silence_is_never_heard_and_long_passages_are_cut(tmp_path: Path) -> None:
    scribe = Scribe([])
    hear(sung((2.0, 80.0), seconds=100.0), scribe, tmp_path)
    assert sum(scribe.heard) == pytest.approx(78, abs=3)
    assert max(scribe.heard) <= 30.0


def test_what_is_cut_is_cut_where_it_is_softest(tmp_path: Path) -> None:
    spans = _voice.active_spans(
        np.where(np.arange(600) == 190, -30.0, -12.0).astype(np.float32), hop_s=0.1, longest_s=28.0
    )
    assert spans[0, 1] == pytest.approx(19.0 + _voice.MARGIN_S)
    assert spans[-1, 1] == pytest.approx(60.0)


def test_short_pauses_belong_to_a_passage() -> None:
    levels = np.full(100, -12.0, np.float32)
    levels[30:38] = levels[60:90] = -90.0
    assert _voice.active_spans(levels, 0.1, 28.0) == pytest.approx(np.array([[0.0, 6.25], [8.75, 10.0]]))


# In which sound


def test_of_a_mix_only_speech_is_written_down(tmp_path: Path) -> None:
    scribe = Scribe([line(0.0, 1.0)], spoken=[(2.0, 4.0), (5.0, 6.5)])
    found = hear(sung((0.0, 10.0), seconds=10.0), scribe, tmp_path, present=False)
    assert found.heard_in == "mix"
    assert scribe.heard == pytest.approx([2.0, 1.5], abs=0.01)
    assert found.intervals_s[:, 0] == pytest.approx([2.0, 5.0])


@pytest.mark.parametrize("code", ["en", None])
def test_where_nobody_speaks_there_is_nothing(tmp_path: Path, code: str | None) -> None:
    found = hear(sung((0.0, 10.0), seconds=10.0), Scribe([line(0.0, 1.0)], code=code), tmp_path, present=False)
    assert (found.language, found.lyrics_confidence, found.line_count) == (None, None, 0)
    assert found.texts.size == 0
    assert found.intervals_s.shape == (0, 2)


@pytest.mark.parametrize(
    "samples",
    [np.zeros((1, 0), np.float32), np.full((1, 1), 0.5, np.float32), silence(3.0, rate=RATE, channels=8)],
    ids=["nothing", "one sample", "silence"],
)
def test_every_kind_of_sound_will_do(samples: Samples, tmp_path: Path) -> None:
    assert lyrics(audio(samples, RATE), Scribe(), Sidecars(tmp_path), ignored).line_count == 0
    if samples.size:
        assert hear(samples[:2], Scribe([line(0.0, 1.0)]), tmp_path).line_count in {0, 1}


def test_a_stream_will_do(tmp_path: Path) -> None:
    sound = signals.streamed(tmp_path / "long.wav", sine(300, 50.0, rate=RATE), RATE)
    scribe = Scribe([line(0.0, 1.0)], spoken=[(1.0, 3.0)])
    found = lyrics(sound, scribe, Sidecars(tmp_path), ignored)
    assert found.intervals_s[:, 0] == pytest.approx([1.0, 21.0, 31.0], abs=0.1)  # pieces of a block of 30 s


# What is believed


@pytest.mark.parametrize(
    "facts",
    [
        {"no_speech": 0.95},
        {"no_speech": 0.7, "sureness": 0.43},
        {"sureness": 0.3},
        {"repetition": 3.8},
        {"text": "word " * 50},
    ],
    ids=["silence", "doubtful", "unsure", "in circles", "too fast"],
)
def test_what_the_model_doubts_or_nobody_could_say_is_left_out(facts: dict[str, float]) -> None:
    good = [line(0.0, 1.0), line(2.0, 3.0, no_speech=0.77, sureness=0.64), line(4.0, 5.0, sureness=0.45)]
    text = str(facts.get("text", "you"))
    bad = line(6.0, 7.0, text, **{key: value for key, value in facts.items() if key != "text"})
    assert believable([*good, bad], None) == good


def test_a_line_over_a_silent_stem_is_left_out(tmp_path: Path) -> None:
    stems, _ = stems_of(tmp_path, sung((0.0, 5.0), seconds=20.0), RATE)
    lines = [line(1.0, 3.0), line(4.0, 8.0), line(10.0, 12.0), line(25.0, 26.0)]
    assert believable(lines, stems) == [line(1.0, 3.0)]


def test_a_loop_is_heard_once_and_a_refrain_as_often_as_it_is_sung() -> None:
    loop = [line(k, k + 1.0, "thank you", sureness=0.5) for k in range(6)]
    refrain = [line(k, k + 1.0, "na na na", sureness=0.8) for k in range(6)]
    other = [line(9.0, 10.0, "and now", sureness=0.5)]
    assert believable([*loop, *other, *refrain], None) == [loop[0], *other, *refrain]


# Text from a model


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("  So far\n\taway ", "So far away"),
        ("a\x00b\x1b[31m", "a\ufffdb\ufffd[31m"),
        ("\u202eevil", "\ufffdevil"),
        ("♪ ♪ ...", ""),
        ("", ""),
        ("x" * 10_000_000, "x" * 300),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),  # the page escapes it
        ("愛してる", "愛してる"),
    ],
)
def test_a_line_is_safe_to_show(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_lines_without_end_come_to_one(tmp_path: Path) -> None:
    many: Sequence[Line] = [line(0.0, 1.0, f"line {k}") for k in range(3 * MOST_LINES)]
    found = hear(sung((0.0, 5.0), seconds=5.0), Scribe(many), tmp_path)
    assert found.line_count == MOST_LINES


# Excerpts of a stream


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_excerpts_are_what_stands_there(size: int) -> None:
    row = np.arange(200, dtype=np.float32)
    blocks = [row[k : k + size] for k in range(0, row.size, size)]
    spans = [(0.0, 2.0), (1.5, 3.0), (5.0, 5.0), (10.0, 12.5), (19.0, 30.0), (40.0, 50.0)]
    found = list(_voice.excerpts(blocks, 10, spans))
    expected = [row[round(10 * a) : round(10 * b)] for a, b in spans]
    assert [one.tolist() for one in found] == [one.tolist() for one in expected]


def test_joined_sound_is_one_voice(tmp_path: Path) -> None:
    mix = joined(sine(300, 1.0, rate=RATE), sine(300, 1.0, rate=RATE))
    heard = _voice.voice(audio(mix, RATE), None, Sidecars(tmp_path))
    assert (heard.heard_in, heard.duration_s) == ("mix", 2.0)
    assert heard.peak() == pytest.approx(1.0, abs=0.001)
    assert sum(piece.size for piece in heard.mono(16_000)) == pytest.approx(32_000, abs=2)
