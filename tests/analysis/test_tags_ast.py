"""AST's tags with a tagger whose answers are known; windows and silence are those of test_tags_yamnet.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from processor import record
from processor.analysis.tags_ast import TagsAst, tags_ast
from processor.audio import Audio
from processor.graph import describe
from processor.record import Record
from tests import signals
from tests.analysis.taggers import BANDS, Tagger, ignore
from tests.signals import audio, joined, noise, silence, sine


def heard(sound: Audio, at_once: int = 4) -> tuple[TagsAst, Tagger]:
    tagger = Tagger(window_frames=160_000, hop_frames=160_000, at_once=at_once)
    return tags_ast(sound, tagger, ignore), tagger  # type: ignore[arg-type]


def test_it_asks_for_its_model() -> None:
    one = describe(tags_ast)
    assert one.model == "ast_tagger"
    assert one.inputs == ("audio",)
    assert one.takes == {"progress"}


def test_ten_seconds_are_heard_at_once() -> None:
    sound = joined(*(sine(500.0 * k + 250.0, 10.0, -6.0) for k in range(5)), sine(250.0, 3.0, -6.0))
    tags, tagger = heard(audio(sound))
    assert tags.scores.argmax(axis=1).tolist() == [0, 1, 2, 3, 4, 0]
    assert tagger.lengths == [160_000] * 5 + [48_000]
    assert tagger.batches == [4, 2]
    assert (tags.hop_s, tags.window_s) == (10.0, 10.0)


def test_the_batch_changes_nothing() -> None:
    sound = audio(noise(43.0))
    one, many = heard(sound, 1)[0], heard(sound, 100)[0]
    assert np.array_equal(one.scores, many.scores)
    assert (one.top, one.top_scores) == (many.top, many.top_scores)


def test_a_stream_gives_what_memory_gives(tmp_path: Path) -> None:
    samples = noise(65.0, rate=44_100, channels=2)
    found, _ = heard(signals.streamed(tmp_path / "long.wav", samples, 44_100))
    expected, _ = heard(audio(samples, 44_100))
    assert np.allclose(found.scores, expected.scores, atol=2e-3)


@pytest.mark.parametrize("seconds", [0.0, 1 / 48_000, 12.0])
def test_silence_has_no_tags(seconds: float) -> None:
    tags, tagger = heard(audio(silence(seconds)))
    assert (tags.top, tags.top_scores) == ((), ())
    assert tags.scores.shape[1] == BANDS
    assert not tagger.lengths


@pytest.mark.parametrize(("rate", "channels"), [(4_000, 1), (48_000, 8), (192_000, 2)])
def test_any_sound_has_twelve_tags(rate: int, channels: int) -> None:
    tags, _ = heard(audio(noise(2.0, rate=rate, channels=channels), rate))
    assert len(tags.top) == len(tags.top_scores) == 12


def test_a_record_holds_it(tmp_path: Path) -> None:
    tags, _ = heard(audio(joined(silence(10.0), noise(10.0))))
    written = Record("track", "0" * 64, "song.wav", {"tags_ast": tags}, {"tags_ast": "key"}, {})
    record.write(written, tmp_path)
    found = record.read(tmp_path, {"tags_ast": TagsAst}).results["tags_ast"]
    assert np.allclose(found.scores.reshape(2, -1), tags.scores, atol=1e-6, equal_nan=True)
    assert (found.top, found.top_scores) == (tags.top, tags.top_scores)
