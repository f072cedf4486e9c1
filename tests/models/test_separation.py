"""Sounds of any length, rate and number of channels are taken apart sample on sample, in memory that does not grow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soxr

from processor.audio import Audio
from processor.channels import downmix_matrix
from processor.errors import ModelError
from processor.models.separation import (
    Sound,
    apart,
    at_one_level,
    centred,
    resampled,
    separate_all,
    source_names,
)
from tests import signals
from tests.signals import audio, noise, song

SEGMENT = 1000


@dataclass(frozen=True)
class Shares:
    """A separator that gives each stem a fixed share of the mix; what it is given is written down in `heard`."""

    shares: tuple[float, ...] = (0.5, 0.375, 0.125)
    sources: tuple[str, ...] = ("vocals", "drums", "other")
    segment_frames: int = SEGMENT
    sample_rate: int = 44_100
    name: str = "shares"
    device: str = "cpu"
    dtype: str = "float32"
    heard: list[Sound] = field(default_factory=list)

    def separate(self, mix: Sound) -> Sound:
        assert mix.shape[0] == 2
        assert 0 < mix.shape[1] <= self.segment_frames
        self.heard.append(mix)
        return np.stack([mix * np.float32(share) for share in self.shares])


@dataclass(frozen=True)
class Stairs(Shares):
    """A separator whose first call gives zeros, the second one ones, and so on."""

    shares: tuple[float, ...] = (1.0,)
    sources: tuple[str, ...] = ("vocals",)

    def separate(self, mix: Sound) -> Sound:
        self.heard.append(mix)
        return np.full((1, *mix.shape), len(self.heard) - 1, np.float32)


def cut(samples: Sound, length: int) -> Iterator[Sound]:
    for start in range(0, samples.shape[1], length):
        yield samples[:, start : start + length]


def all_of(blocks: Iterator[Sound]) -> Sound:
    return np.concatenate(list(blocks), axis=2)


def noisy(frames: int) -> Sound:
    return noise(frames / 44_100, rate=44_100, channels=2)


# Segment after segment


@pytest.mark.parametrize("frames", [1, 2, 999, 1000, 1001, 1899, 1900, 1901, 3700, 10_000])
@pytest.mark.parametrize("block", [1, 333, 1000, 20_000])
@pytest.mark.parametrize("overlap", [0.0, 0.1, 0.25])
def test_segments_come_together_as_what_they_were_cut_from(frames: int, block: int, overlap: float) -> None:
    if block == 1 and frames > 2000:
        block = 7
    mix, separator = noisy(frames), Shares()
    stems = all_of(separate_all(separator, cut(mix, block), frames, overlap=overlap))
    assert stems.shape == (3, 2, frames)
    assert stems.dtype == np.float32
    for share, stem in zip(separator.shares, stems, strict=True):
        assert np.allclose(stem, share * mix, atol=1e-6)


@pytest.mark.parametrize("frames", [1000, 1001, 1950, 5432])
def test_the_model_hears_whole_segments_even_at_the_end(frames: int) -> None:
    separator = Shares()
    all_of(separate_all(separator, cut(noisy(frames), 777), frames))
    assert {mix.shape[1] for mix in separator.heard} == {SEGMENT}
    assert len(separator.heard) == 1 + -(-max(frames - SEGMENT, 0) // 900)


def test_what_is_shorter_than_a_segment_is_heard_as_it_is() -> None:
    separator = Shares()
    all_of(separate_all(separator, cut(noisy(10), 3), 10))
    assert [mix.shape for mix in separator.heard] == [(2, 10)]


def test_one_segment_fades_into_the_next_in_a_straight_line() -> None:
    stem = all_of(separate_all(Stairs(), cut(noisy(2800), 500), 2800, overlap=0.1))[0, 0]
    assert np.all(stem[:900] == 0)
    assert np.all(stem[1000:1800] == 1)
    assert np.all(stem[1900:] == 2)
    for start in (900, 1800):
        steps = np.diff(stem[start - 1 : start + 101])
        assert np.allclose(steps, 1 / 101, atol=1e-3)


def test_digital_silence_is_not_given_to_the_model() -> None:
    mix = noisy(5000)
    mix[:, :3000] = 0
    separator = Shares()
    stems = all_of(separate_all(separator, cut(mix, 900), 5000))
    assert np.allclose(stems.sum(axis=0), mix, atol=1e-6)
    assert len(separator.heard) == 3
    assert all(heard.any() for heard in separator.heard)


def test_nothing_gives_nothing() -> None:
    assert list(separate_all(Shares(), iter(()), 0)) == []
    assert list(separate_all(Shares(), [np.zeros((2, 0), np.float32)], 0)) == []


def test_the_share_that_is_done_rises_to_all() -> None:
    shares: list[float] = []
    all_of(separate_all(Shares(), cut(noisy(5000), 100), 5000, shares.append))
    assert shares == sorted(shares)
    assert len(shares) == 6
    assert shares[0] == pytest.approx(0.2)
    assert shares[-1] == 1.0
    shares.clear()
    all_of(separate_all(Shares(), cut(noisy(5000), 100), 1000, shares.append))  # there was more than was said
    assert max(shares) == 1.0


def test_no_more_is_held_than_two_segments() -> None:
    pulled = 0

    def endless() -> Iterator[Sound]:
        nonlocal pulled
        while True:
            pulled += 100
            yield np.ones((2, 100), np.float32)

    given = 0
    stems = separate_all(Shares(), endless(), 10**9)
    for _ in range(200):
        given += next(stems).shape[2]
        assert pulled - given <= 2 * SEGMENT + 100
    assert given == 200 * 900


# A file's own rate and channels


def tone_burst(rate: int, channels: int, seconds: float = 1.5) -> Audio:
    """Bursts that sit at known places, of tones that every rate can hold."""
    tone = signals.sine(1000, seconds, -12, rate=rate, channels=channels)
    gate = (np.arange(tone.shape[1]) // (rate // 10)) % 5 == 0
    window = np.convolve(gate, np.hanning(rate // 50), "same") / (rate // 100)
    return audio((tone * window).astype(np.float32), rate)


@pytest.mark.parametrize("rate", [4000, 8000, 11_025, 44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_stems_stand_sample_on_sample_at_the_file_s_rate(rate: int, channels: int) -> None:
    sound = tone_burst(rate, channels)
    mixes, stems = zip(*apart(sound, Shares(segment_frames=30_000)), strict=True)
    mix, made = np.concatenate(mixes, axis=1), np.concatenate(stems, axis=2)
    assert np.array_equal(mix, sound.samples)
    assert made.shape == (3, channels, sound.frames)
    assert made.dtype == np.float32
    error = np.square(made.sum(axis=0) - mix)[:, rate // 10 : -rate // 10].mean() / np.square(mix).mean()
    assert 10 * np.log10(error + 1e-20) < -60  # half a sample late would be -30 at 4 kHz


def test_channels_are_folded_to_stereo_as_everywhere() -> None:
    sound = audio(noise(2.0, rate=44_100, channels=8), 44_100)
    mixes, stems = zip(*apart(sound, Shares()), strict=True)
    folded = downmix_matrix(sound.positions) @ sound.samples
    assert np.allclose(np.concatenate(mixes, axis=1), folded, atol=1e-6)
    assert np.allclose(np.concatenate(stems, axis=2).sum(axis=0), folded, atol=1e-5)


def test_a_mono_file_is_heard_on_both_sides_and_gives_mono_stems() -> None:
    separator = Shares()
    sound = audio(noise(0.5, rate=44_100), 44_100)
    made = np.concatenate([stems for _, stems in apart(sound, separator)], axis=2)
    assert made.shape == (3, 1, sound.frames)
    assert all(np.array_equal(heard[0], heard[1]) for heard in separator.heard)


@pytest.mark.parametrize("model_rate", [8000, 11_025])
def test_a_stream_gives_what_its_samples_give(tmp_path: Path, model_rate: int) -> None:
    samples = noise(65.0, rate=8000, channels=2)
    stream = signals.streamed(tmp_path / "long.wav", samples, 8000)
    separator = Shares(segment_frames=30_000, sample_rate=model_rate)
    found = np.concatenate([stems for _, stems in apart(stream, separator)], axis=2)
    expected = np.concatenate([stems for _, stems in apart(audio(samples, 8000), separator)], axis=2)
    assert found.shape == (3, 2, samples.shape[1])
    assert np.abs(found - expected).max() < 1e-6


def test_blocks_are_ten_seconds_until_the_last() -> None:
    sound = audio(noise(25.0, rate=8000), 8000)
    assert [mix.shape[1] for mix, _ in apart(sound, Shares(segment_frames=50_000))] == [80_000, 80_000, 40_000]


@pytest.mark.parametrize("rate", [4000, 44_100, 192_000])
def test_one_sample_stays_one_sample(rate: int) -> None:
    [(mix, stems)] = apart(audio(np.full((1, 1), 0.5, np.float32), rate), Shares())
    assert (mix.shape, stems.shape) == ((1, 1), (3, 1, 1))
    assert np.isfinite(stems).all()


def test_a_stream_is_resampled_as_a_whole_is() -> None:
    samples = song(3.0, rate=48_000)
    found = np.concatenate(list(resampled(cut(samples, 1234), (48_000, 44_100), 2)), axis=1)
    whole = soxr.resample(samples.T, 48_000, 44_100, quality="HQ").T
    assert found.shape == whole.shape
    assert np.allclose(found, whole, atol=1e-5)


# What several models need


def test_a_louder_segment_is_the_same_at_one_level() -> None:
    mix = song(1.0) + np.float32(0.1)
    levelled, gain = at_one_level(mix)
    assert levelled.mean(axis=0).std() == pytest.approx(1.0, abs=1e-4)
    assert levelled.mean() == pytest.approx(0.0, abs=1e-4)
    louder, larger = at_one_level(8 * mix)
    assert np.allclose(louder, levelled, atol=1e-4)
    assert larger == pytest.approx(8 * gain)


@pytest.mark.parametrize(
    "mix",
    [np.zeros((2, 9)), np.full((2, 9), 0.7), np.full((2, 1), 0.5), np.stack([song(0.1)[0], -song(0.1)[0]])],
    ids=["silence", "direct current", "one sample", "opposite sides"],
)
def test_a_sound_without_a_level_stays_finite(mix: Sound) -> None:
    levelled, gain = at_one_level(mix.astype(np.float32))
    assert np.isfinite(levelled).all()
    assert np.abs(levelled).max() < 100
    assert gain > 0


@pytest.mark.parametrize(("frames", "start"), [(4, 3), (3, 3), (10, 0)])
def test_a_short_sound_stands_in_the_middle(frames: int, start: int) -> None:
    mix = np.ones((2, frames), np.float32)
    padded, found = centred(mix, 10)
    assert (padded.shape, found) == ((2, 10), start)
    assert np.array_equal(padded[:, start : start + frames], mix)
    assert padded.sum() == 2 * frames


def test_names_of_stems_become_names_of_files() -> None:
    assert source_names(["Vocals", "Lead Guitar", "drums"]) == ("vocals", "lead_guitar", "drums")


@pytest.mark.parametrize(
    "names",
    [
        [],
        None,
        "vocals",
        ["../etc/passwd"],
        ["a/b"],
        ["vocals", "Vocals"],
        [""],
        ["vocals", 3],
        [".hidden"],
        ["x" * 40],
    ],
    ids=repr,
)
def test_names_that_no_file_should_have_are_refused(names: object) -> None:
    with pytest.raises(ModelError, match="no names that can be used"):
        source_names(names)
