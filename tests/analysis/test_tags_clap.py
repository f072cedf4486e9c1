"""CLAP's tags with a model whose answers are known; windows and silence are those of test_tags_yamnet.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from processor import record
from processor.analysis.tags_clap import TagsClap, tags_clap
from processor.audio import Audio
from processor.graph import describe
from processor.models.labels import Category, LabelSet
from processor.record import Record
from tests import signals
from tests.analysis.taggers import BANDS, LABELS, Embedder, ignore
from tests.signals import audio, joined, noise, silence, sine

BAND_HZ = 24_000 / BANDS
CATEGORIES = ("genre", "mood", "vocal")


def tone(band: int, seconds: float = 10.0) -> signals.Samples:
    return sine((band + 0.5) * BAND_HZ, seconds, -6.0)


def heard(sound: Audio, **facts: object) -> tuple[TagsClap, Embedder]:
    model = Embedder(**facts)  # type: ignore[arg-type]
    return tags_clap(sound, model, ignore), model  # type: ignore[arg-type]


def test_it_asks_for_its_model() -> None:
    one = describe(tags_clap)
    assert one.model == "clap"
    assert one.inputs == ("audio",)
    assert one.takes == {"progress"}


def test_the_nearest_label_of_each_category_stands_first() -> None:
    """Band 3 is genre 3, band 10 mood "high", band 12 voice 1; where a category has no near label, all share alike."""
    tags, _ = heard(audio(tone(3)))
    assert tags.genres[0] == "genre 3"
    assert tags.genre_scores[0] > 0.99
    assert tags.mood_scores == (0.5, 0.5)
    assert len(tags.genres) == len(tags.voices) == len(tags.voice_scores) == 5
    assert heard(audio(tone(10)))[0].moods == ("high", "low")
    assert heard(audio(tone(12)))[0].voices[0] == "voice 1"


def test_a_category_that_is_not_asked_has_no_tags() -> None:
    tags, _ = heard(audio(tone(3)))
    assert tags.instruments == tags.productions == tags.textures == ()
    assert tags.instrument_scores == tags.production_scores == tags.texture_scores == ()


def test_each_label_stands_in_the_field_of_its_category() -> None:
    names = ("genre", "mood", "instrument", "vocal", "production", "texture")
    labels = LabelSet(tuple(Category(name, "{}", (f"{name} a", f"{name} b")) for name in names))
    tags, _ = heard(audio(noise(10.0)), labels=labels)
    fields = (tags.genres, tags.moods, tags.instruments, tags.voices, tags.productions, tags.textures)
    assert [sorted(field) for field in fields] == [[f"{name} a", f"{name} b"] for name in names]
    assert tags.classes.tolist() == list(labels.names)


def test_shares_of_a_category_add_up_to_one_in_each_window() -> None:
    tags, _ = heard(audio(joined(tone(3), noise(13.0))))
    for name in CATEGORIES:
        total = tags.scores[:, LABELS.spans[name]].astype(np.float64).sum(axis=1)
        assert np.allclose(total, 1, atol=2e-3)


def test_shares_are_the_softmax_of_cosine_times_scale() -> None:
    tags, model = heard(audio(joined(tone(1, 4.0), tone(2, 6.0))), logit_scale=5.0)
    cosines = tags.cosines[0, LABELS.spans["genre"]].astype(np.float64)
    expected = np.exp(5 * cosines) / np.exp(5 * cosines).sum()
    assert np.allclose(tags.scores[0, LABELS.spans["genre"]], expected, atol=2e-3)
    assert np.allclose(tags.genre_scores, np.sort(expected)[::-1][:5], atol=2e-3)
    sharper, _ = heard(audio(joined(tone(1, 4.0), tone(2, 6.0))), logit_scale=50.0)
    assert sharper.genre_scores[0] > tags.genre_scores[0]
    assert np.array_equal(sharper.cosines, tags.cosines)
    assert model.logit_scale == 5.0


def test_cosines_are_plain() -> None:
    tags, _ = heard(audio(tone(3)))
    assert tags.cosines[0].argmax() == 3
    assert tags.cosines[0, 3] == pytest.approx(1.0, abs=0.01)
    assert np.abs(np.delete(tags.cosines[0], 3)).max() < 0.05


def test_a_label_counts_by_its_mean_share_so_that_shares_stay_shares() -> None:
    tags, _ = heard(audio(joined(tone(1), tone(2), tone(2))), logit_scale=100.0)
    assert tags.genres[:2] == ("genre 2", "genre 1")
    assert tags.genre_scores[:2] == pytest.approx((2 / 3, 1 / 3), abs=0.01)


def test_the_embedding_points_between_all_windows() -> None:
    tags, model = heard(audio(joined(tone(1), silence(20.0), tone(2))))
    assert tags.embedding is not None
    assert tags.embedding.dtype == np.float32
    assert np.linalg.norm(tags.embedding) == pytest.approx(1.0, abs=1e-6)
    assert tags.embedding[1] == pytest.approx(0.5**0.5, abs=0.01)
    assert tags.embedding[2] == pytest.approx(0.5**0.5, abs=0.01)
    assert model.lengths == [480_000, 480_000]  # silence is not asked about
    assert np.isnan(tags.scores[1:3]).all()
    assert np.isnan(tags.cosines[1:3]).all()


def test_a_place_without_a_direction_is_none() -> None:
    model = Embedder()
    model.embed = lambda windows: np.array([[1.0] + [0.0] * 15, [-1.0] + [0.0] * 15], np.float32)  # type: ignore[method-assign]
    assert tags_clap(audio(noise(20.0)), model, ignore).embedding is None  # type: ignore[arg-type]


@pytest.mark.parametrize("sound", [np.zeros((1, 0), np.float32), np.zeros((2, 1), np.float32), silence(25.0)])
def test_silence_has_no_tags_and_no_place(sound: signals.Samples) -> None:
    tags, model = heard(audio(sound))
    assert tags.genres == tags.moods == tags.voices == ()
    assert tags.genre_scores == tags.mood_scores == tags.voice_scores == ()
    assert tags.embedding is None
    assert np.isnan(tags.scores).all()
    assert tags.scores.shape == tags.cosines.shape
    assert tags.scores.shape[1] == len(LABELS.names)
    assert not model.lengths


@pytest.mark.parametrize(("rate", "channels"), [(4_000, 1), (48_000, 8), (44_100, 2)])
def test_any_sound_has_tags(rate: int, channels: int) -> None:
    tags, _ = heard(audio(noise(0.5, rate=rate, channels=channels), rate))
    assert len(tags.genres) == 5
    assert tags.embedding is not None


def test_a_stream_gives_what_memory_gives(tmp_path: Path) -> None:
    samples = noise(65.0, rate=44_100, channels=2)
    found, _ = heard(signals.streamed(tmp_path / "long.wav", samples, 44_100))
    expected, _ = heard(audio(samples, 44_100))
    assert np.allclose(found.scores, expected.scores, atol=2e-3)
    assert found.embedding is not None
    assert expected.embedding is not None
    assert np.allclose(found.embedding, expected.embedding, atol=1e-3)


@pytest.mark.parametrize("sound", [joined(silence(10.0), noise(10.0)), silence(10.0)], ids=["sound", "silence"])
def test_a_record_holds_it(tmp_path: Path, sound: signals.Samples) -> None:
    tags, _ = heard(audio(sound))
    written = Record("track", "0" * 64, "song.wav", {"tags_clap": tags}, {"tags_clap": "key"}, {})
    record.write(written, tmp_path)
    found = record.read(tmp_path, {"tags_clap": TagsClap}).results["tags_clap"]
    assert np.allclose(found.scores.reshape(tags.scores.shape), tags.scores, atol=1e-6, equal_nan=True)
    assert (found.genres, found.genre_scores) == (tags.genres, tags.genre_scores)
    if tags.embedding is None:
        assert found.embedding is None
    else:
        assert np.allclose(found.embedding, tags.embedding, atol=1e-6)
