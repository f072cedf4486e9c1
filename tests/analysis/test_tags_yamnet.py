"""YAMNet's tags: windows, silence, streams, with a tagger whose answers are known; and the real one on real sound."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from processor import record
from processor.analysis._windows import STRONGEST_SHARE, Cut, best, pooled, windows
from processor.analysis.tags_yamnet import TagsYamnet, tags_yamnet
from processor.audio import Audio
from processor.record import Record
from tests import signals
from tests.analysis.taggers import BANDS, Tagger, ignore
from tests.signals import SURROUND, audio, joined, noise, silence, sine

BAND_HZ = 8_000 / BANDS


def heard(sound: Audio, **facts: int) -> tuple[TagsYamnet, Tagger]:
    tagger = Tagger(**facts)  # type: ignore[arg-type]
    return tags_yamnet(sound, tagger, ignore), tagger  # type: ignore[arg-type]


# Windows


def test_windows_follow_each_other_at_the_hop() -> None:
    """One tone a second, each in a band of its own: every other window hears one tone alone."""
    sound = joined(*(sine((k + 0.5) * BAND_HZ, 1.0, -6.0) for k in range(10)))
    tags, tagger = heard(audio(sound))
    assert tags.scores.shape == (19, BANDS)
    assert (tags.hop_s, tags.window_s) == (0.5, 1.0)
    assert tags.scores[::2].argmax(axis=1).tolist() == list(range(10))
    assert (tags.scores[::2].max(axis=1) > 0.95).all()
    assert (tags.scores[1::2].max(axis=1) < 0.7).all()
    assert set(tagger.lengths) == {16_000}


def test_windows_go_to_the_model_in_batches() -> None:
    _, tagger = heard(audio(noise(10.0)))
    assert tagger.batches == [4, 4, 4, 4, 3]


def test_the_size_of_the_batches_changes_nothing() -> None:
    sound = audio(signals.song(9.3))
    expected, _ = heard(sound, at_once=1)
    for at_once in (2, 7, 1000):
        found, _ = heard(sound, at_once=at_once)
        assert np.array_equal(found.scores, expected.scores)
        assert found.top == expected.top


@pytest.mark.parametrize(
    ("frames", "count", "last"),
    [
        (1, 1, 1),
        (15_999, 1, 15_999),
        (16_000, 1, 16_000),
        (17_600, 1, 16_000),  # what is left is a tenth of a window
        (17_601, 2, 9_601),
        (24_000, 2, 16_000),
        (24_001, 2, 16_000),
        (31_000, 3, 15_000),
        (32_000, 3, 16_000),
    ],
)
def test_the_last_window_is_as_long_as_what_is_left(frames: int, count: int, last: int) -> None:
    tags, tagger = heard(audio(noise(2.1, rate=16_000)[:, :frames], 16_000))
    assert len(tags.scores) == count
    assert tagger.lengths[-1] == last


def test_without_overlap_nothing_is_heard_twice() -> None:
    sound = noise(1.05, rate=16_000)
    cut = Cut(16_000, 4_000, 4_000)
    found = list(windows(audio(sound, 16_000), cut))
    assert [len(one) for one in found] == [4_000, 4_000, 4_000, 4_000, 800]
    assert np.array_equal(np.concatenate(found), sound[0])


@pytest.mark.parametrize("rate", [4_000, 11_025, 16_000, 44_100, 192_000])
def test_every_rate_is_brought_to_the_model_s(rate: int) -> None:
    tags, tagger = heard(audio(sine(1_250.0, 5.0, -6.0, rate=rate), rate))
    assert len(tags.scores) == 9
    assert (tags.scores.argmax(axis=1) == 2).all()
    assert all(abs(length - 16_000) <= 2 for length in tagger.lengths)


def test_a_stream_gives_what_memory_gives(tmp_path: Path) -> None:
    samples = joined(*(noise(14.0, -20.0 - 3 * k, rate=44_100, channels=2, seed=k) for k in range(5)))
    expected, _ = heard(audio(samples, 44_100))
    found, _ = heard(signals.streamed(tmp_path / "long.wav", samples, 44_100))
    assert found.scores.shape == expected.scores.shape == (139, BANDS)
    assert np.allclose(found.scores, expected.scores, atol=2e-3)
    assert found.top == expected.top


def test_a_long_file_is_not_held_at_another_rate() -> None:
    """Windows come while the sound is read; nothing waits for the end."""
    given = 0
    block = noise(30.0, rate=48_000)

    def blocks():  # type: ignore[no-untyped-def]
        nonlocal given
        for _ in range(20):
            given += 1
            yield block

    source = audio(block)
    stream = Audio(source.path, "key", 48_000, 20 * block.shape[1], source.positions, source.source, None, blocks)
    iterator = windows(stream, Cut(16_000, 16_000, 16_000))
    next(iterator)
    assert given == 1
    assert sum(1 for _ in iterator) == 599
    assert given == 20


def test_all_channels_are_heard() -> None:
    for channels, positions in ((2, ()), (6, SURROUND), (8, ())):
        sound = silence(3.0, channels=channels)
        sound[0] = sine(250.0, 3.0, -6.0)[0]
        sound[1] = sine(5_250.0, 3.0, -6.0)[0]
        tags, _ = heard(audio(sound, positions=positions))
        assert set(tags.top[:2]) == {"Band 0", "Band 10"}


def test_no_window_is_over_full_scale() -> None:
    """And what is not is left as it is."""
    tags, tagger = heard(audio(1e6 * sine(1_250.0, 3.0)))
    assert tagger.peak == pytest.approx(1.0)
    assert (tags.scores.argmax(axis=1) == 2).all()
    _, quiet = heard(audio(sine(1_250.0, 3.0, -12.0)))
    assert quiet.peak == pytest.approx(0.25, rel=0.01)


def test_the_samples_are_left_alone() -> None:
    sound = audio(5 * signals.song(3.0))
    before = sound.samples.copy()
    heard(sound)
    assert np.array_equal(sound.samples, before)


# Silence


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros((1, 0), np.float32),
        np.zeros((2, 0), np.float32),
        np.zeros((1, 1), np.float32),
        silence(7.0, channels=2),
        signals.song(7.0) * np.float32(1e-9),
        noise(7.0, -75.0),
    ],
    ids=["nothing", "nothing in stereo", "one sample", "zeros", "next to zeros", "under the gate"],
)
def test_silence_has_no_tags(sound: signals.Samples) -> None:
    tags, tagger = heard(audio(sound))
    assert (tags.top, tags.top_scores) == ((), ())
    assert np.isnan(tags.scores).all()
    assert tags.scores.shape[1] == BANDS
    assert not tagger.lengths  # the model was not even asked


def test_silence_within_a_track_has_no_numbers_and_pulls_none_down() -> None:
    tone = sine(1_250.0, 4.0, -6.0)
    tags, tagger = heard(audio(joined(silence(4.0), tone, silence(20.0))))
    silent = np.isnan(tags.scores).any(axis=1)
    assert silent.tolist() == [True] * 7 + [False] * 9 + [True] * 39
    assert np.isnan(tags.scores[silent]).all()
    assert sum(tagger.batches) == 9
    alone, _ = heard(audio(tone))
    assert tags.top[0] == alone.top[0] == "Band 2"
    assert tags.top_scores[0] == pytest.approx(alone.top_scores[0], abs=0.01)


def test_one_click_is_heard() -> None:
    click = silence(3.0)
    click[0, 70_000] = 1.0
    tags, _ = heard(audio(click))
    assert np.isnan(tags.scores).any(axis=1).sum() < len(tags.scores)


# What a track comes to


def test_what_sounds_in_a_quarter_of_the_track_counts_in_full() -> None:
    scores = np.zeros((100, 3), np.float32)
    scores[:25, 0] = 0.8  # a quarter of the time
    scores[:, 1] = 0.3  # always a little
    scores[7, 2] = 1.0  # once
    assert STRONGEST_SHARE == 0.25
    found = pooled(scores)
    assert found is not None
    assert np.allclose(found, [0.8, 0.3, 0.04])


def test_the_best_stand_first_and_equals_in_the_order_of_the_classes() -> None:
    assert best(np.array([0.1, 0.9, 0.5, 0.9], np.float32), ("a", "b", "c", "d"), 3) == (
        ("b", "d", "c"),
        (0.9, 0.9, 0.5),
    )
    assert best(np.array([0.1], np.float32), ("a",), 3) == (("a",), (0.1,))
    assert best(None, ("a",), 3) == ((), ())


def test_twelve_are_shown() -> None:
    tags, _ = heard(audio(noise(3.0)))
    assert len(tags.top) == len(tags.top_scores) == 12
    assert list(tags.top_scores) == sorted(tags.top_scores, reverse=True)
    assert tags.model == "fake"
    assert tags.classes.tolist() == [f"Band {k}" for k in range(BANDS)]


def test_progress_rises_to_one() -> None:
    told: list[float] = []
    tags_yamnet(audio(noise(20.0)), Tagger(), told.append)  # type: ignore[arg-type]
    assert len(told) > 5
    assert all(a <= b for a, b in pairwise(told))
    assert told[-1] == 1.0
    told.clear()
    tags_yamnet(audio(np.zeros((1, 0), np.float32)), Tagger(), told.append)  # type: ignore[arg-type]
    assert told == [1.0]


@pytest.mark.parametrize("wrong", [np.zeros((3, BANDS)), np.zeros(BANDS), np.full((4, BANDS), np.nan)])
def test_a_model_that_answers_nonsense_is_not_believed(wrong: signals.Samples) -> None:
    tagger = Tagger()
    tagger.scores = lambda windows: wrong.astype(np.float32)  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="answered"):
        tags_yamnet(audio(noise(20.0)), tagger, ignore)  # type: ignore[arg-type]


def test_a_record_holds_it(tmp_path: Path) -> None:
    tags, _ = heard(audio(joined(silence(2.0, channels=2), signals.song(30.0))))
    assert tags.scores.size > record.MAX_INLINE_VALUES
    written = Record("track", "0" * 64, "song.wav", {"tags_yamnet": tags}, {"tags_yamnet": "key"}, {})
    record.write(written, tmp_path)
    found = record.read(tmp_path, {"tags_yamnet": TagsYamnet}).results["tags_yamnet"]
    assert np.array_equal(found.scores, tags.scores, equal_nan=True)
    assert found.classes.tolist() == tags.classes.tolist()
    assert (found.top, found.top_scores) == (tags.top, tags.top_scores)
