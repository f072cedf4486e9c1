"""Every kind of file is decoded to the samples that went in, with its channels in their places."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from processor.audio import DECODER_VERSION, STREAM_BLOCK_S, Audio, decode, from_samples
from processor.channels import default_positions, downmix_matrix, downmix_name, layout_name
from processor.config import Limits
from processor.containers import sniff
from processor.decoders import READ_FRAMES, FFmpegReader, SoundFileReader
from processor.decoding import MAX_SAMPLE
from processor.errors import NotInMemory
from tests.soundfiles import KINDS, OPUS_RATE, RATE, Samples, rate_of, tune, wav, write, write_ffmpeg

# What no file in these tests fits into, so that all are streamed.
NO_MEMORY = Limits(decoded_bytes=1)
SURROUND = ("FL", "FR", "FC", "LFE", "BL", "BR")
BY_SOUNDFILE = [name for name, kind in KINDS.items() if not kind.by_ffmpeg and kind.format != "OGG"]


def made(folder: Path, kind: str, seconds: float = 0.5, channels: int = 2, layout: str = "") -> tuple[Path, Samples]:
    """A file of this kind and what was encoded."""
    samples = tune(seconds, channels, rate_of(kind))
    path = write(folder / f"{kind}.{KINDS[kind].suffix}", samples, rate_of(kind), kind, layout=layout)
    return path, samples


def pitches_hz(audio: Audio) -> dict[str, int]:
    """The strongest frequency of each loudspeaker."""
    window = np.hanning(audio.frames)
    spectra = [np.abs(np.fft.rfft(channel * window)) for channel in audio.samples]
    return {
        place: round(int(np.argmax(spectrum)) * audio.sample_rate / audio.frames)
        for place, spectrum in zip(audio.positions, spectra, strict=True)
    }


def streamed(audio: Audio) -> Samples:
    return np.concatenate(list(audio.blocks()), axis=1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_back_whole(kind: str, tmp_path: Path) -> None:
    path, samples = made(tmp_path, kind)
    audio = decode(path)
    how = KINDS[kind]
    assert audio.sample_rate == rate_of(kind)
    assert audio.samples.dtype == np.float32
    assert audio.samples.flags.c_contiguous
    assert audio.samples.shape == (2, audio.frames)
    assert not audio.source.partial, audio.source.damage
    assert audio.source.damage is None
    assert audio.source.repaired_samples == 0
    assert audio.source.layout == "stereo"
    assert audio.source.size_bytes == path.stat().st_size
    if how.exact_length:
        assert audio.frames == samples.shape[1]
    if how.max_error is not None:
        assert np.abs(audio.samples - samples).max() <= how.max_error
    # AAC without a container does not say that its first frame is padding; all others do.
    same = samples.shape[1] - 2048
    late = audio.samples[:, 1024:] if kind == "adts" else audio.samples
    assert np.abs(late[:, 2048:same] - samples[:, 2048:same]).max() < 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_has_the_samples_of_the_whole(kind: str, tmp_path: Path) -> None:
    path, _ = made(tmp_path, kind)
    stream = decode(path, limits=NO_MEMORY)
    assert stream.source.streamed
    np.testing.assert_array_equal(streamed(stream), decode(path).samples)
    np.testing.assert_array_equal(streamed(stream), decode(path).samples, err_msg="a second time")


def test_a_stream_comes_in_long_blocks_and_not_at_once(tmp_path: Path) -> None:
    rate = 8000
    samples = tune(2.5 * STREAM_BLOCK_S, 2, rate)
    path = write(tmp_path / "long.wav", samples, rate, "wav-float")
    stream = decode(path, limits=Limits(decoded_bytes=samples.nbytes - 1))
    lengths = [block.shape[1] for block in stream.blocks()]
    assert lengths == [STREAM_BLOCK_S * rate, STREAM_BLOCK_S * rate, STREAM_BLOCK_S * rate // 2]
    assert all(block.flags.c_contiguous for block in stream.blocks())
    np.testing.assert_array_equal(streamed(stream), samples)
    with pytest.raises(NotInMemory, match=r"limits\.decoded_bytes"):
        _ = stream.samples
    held = decode(path, limits=Limits(decoded_bytes=samples.nbytes))
    assert not held.source.streamed
    np.testing.assert_array_equal(held.samples, samples)


BITS: dict[str, int | None] = {
    "wav-8": 8,
    "wav-16": 16,
    "wav-24": 24,
    "wav-32": 32,
    "wav-float": 32,
    "wav-double": 64,
    "rf64-24": 24,
    "aiff-16": 16,
    "caf-24": 24,
    "w64-24": 24,
    "au-16": 16,
    "flac-8": 8,
    "flac-24": 24,
    "mov-video": 16,
    "mka": 16,
    "m4a": None,
    "mp3": None,
}


@pytest.mark.parametrize(("kind", "bits"), BITS.items())
def test_bit_depth(kind: str, bits: int | None, tmp_path: Path) -> None:
    assert decode(made(tmp_path, kind)[0]).source.bit_depth == bits


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 32000, 88200, 96000, 176400, 192000])
def test_sampling_rates(rate: int, tmp_path: Path) -> None:
    for kind in ("wav-24", "flac-24"):
        samples = tune(0.1, 2, rate)
        audio = decode(write(tmp_path / f"{rate}.{kind}", samples, rate, kind))
        assert (audio.sample_rate, audio.frames) == (rate, samples.shape[1])
        assert audio.duration_s == samples.shape[1] / rate


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", BY_SOUNDFILE)
def test_both_decoders_agree(kind: str, channels: int, tmp_path: Path) -> None:
    path, _ = made(tmp_path, kind, 0.3, channels)
    read = []
    for reader in (SoundFileReader, FFmpegReader):
        with reader(path, sniff(path)) as opened:
            read.append(np.concatenate(list(opened.blocks()), axis=1))
            assert opened.header.declared_frames == read[-1].shape[1]
            assert opened.header.positions == default_positions(channels)
            assert not opened.damage
    tolerance = 0.0 if KINDS[kind].max_error is not None else 1e-5
    assert np.abs(read[0] - read[1]).max() <= tolerance


@pytest.mark.parametrize("kind", ["mp3", "ogg", "flac-16", "webm", "wav-float"])
def test_blocks_are_joined_without_a_seam(kind: str, tmp_path: Path) -> None:
    # An MP3 frame of this quiet signal borrows bits from many frames before it.
    rate = rate_of(kind)
    samples = tune(15.0, 1, rate)
    audio = decode(write(tmp_path / f"long.{KINDS[kind].suffix}", samples, rate, kind))
    same = min(audio.frames, samples.shape[1])
    assert same > 4 * READ_FRAMES
    error = np.abs(audio.samples[0, :same] - samples[0, :same])[4096:-4096]
    assert error.max() < 0.05


class TestLoudspeakers:
    @pytest.mark.parametrize("channels", [3, 4, 5, 6, 7, 8])
    @pytest.mark.parametrize("kind", ["wav-24", "wav-float", "w64-24", "aiff-16", "caf-24", "au-16", "flac-16"])
    def test_many_channels_of_linear_files(self, kind: str, channels: int, tmp_path: Path) -> None:
        path, samples = made(tmp_path, kind, 0.1, channels)
        audio = decode(path)
        tolerance = KINDS[kind].max_error
        assert tolerance is not None
        assert audio.channels == channels
        assert audio.frames == samples.shape[1]
        assert np.abs(audio.samples - samples).max() <= tolerance
        assert audio.positions[:2] == ("FL", "FR")
        np.testing.assert_array_equal(streamed(decode(path, limits=NO_MEMORY)), audio.samples)

    @pytest.mark.parametrize(
        "kind", ["wav-24", "flac-16", "ogg", "opus", "ogg-flac", "m4a", "m4a-alac", "adts", "mka", "webm", "mov-video"]
    )
    def test_surround_comes_out_of_the_right_loudspeakers(self, kind: str, tmp_path: Path) -> None:
        audio = decode(made(tmp_path, kind, 0.8, 6)[0])
        # The last is the tone of the low-frequency channel, which lossy codecs filter away.
        expected = {"FL": 250, "FR": 375, "FC": 500, "BL": 750, "BR": 875}
        heard = {place.replace("S", "B"): hz for place, hz in pitches_hz(audio).items() if place != "LFE"}
        assert audio.source.layout == "5.1"
        assert audio.positions.index("LFE") == 3
        assert heard == pytest.approx(expected, abs=3)

    @pytest.mark.parametrize("kind", ["flac-16", "wav-24", "mka", "m4a"])
    def test_eight_channels(self, kind: str, tmp_path: Path) -> None:
        # Planar frames of eight channels end where a null pointer would stand.
        audio = decode(made(tmp_path, kind, 0.5, 8)[0])
        heard = pitches_hz(audio)
        assert audio.channels == 8
        assert [round(heard[place] / 125) for place in ("FL", "FR", "FC")] == [2, 3, 4]

    def test_eight_channels_of_vorbis(self, tmp_path: Path) -> None:
        audio = decode(made(tmp_path, "ogg", 0.5, 8)[0])
        assert audio.channels == 8
        assert audio.source.layout == "7.1"

    def test_a_named_layout_is_kept(self, tmp_path: Path) -> None:
        path = write_ffmpeg(tmp_path / "side.mka", tune(0.3, 6), RATE, KINDS["mka"], layout="5.1(side)")
        assert decode(path).positions == ("FL", "FR", "FC", "LFE", "SL", "SR")

    @pytest.mark.parametrize("kind", ["wav-24", "flac-16", "mp3", "ogg", "opus", "m4a", "mp4-video"])
    def test_mono(self, kind: str, tmp_path: Path) -> None:
        audio = decode(made(tmp_path, kind, 0.5, 1)[0])
        assert audio.positions == ("FC",)
        assert audio.source.layout == "mono"
        assert audio.source.downmix is None

    def test_names_of_layouts(self) -> None:
        assert layout_name(SURROUND) == "5.1"
        assert layout_name(("FL", "FR", "FC", "LFE", "SL", "SR")) == "5.1"
        assert [layout_name(default_positions(n)) for n in range(1, 9)] == [
            *("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")
        ]
        assert layout_name(default_positions(12)) == "12 channels"

    def test_downmix_has_a_name_and_the_weights_of_the_standard(self) -> None:
        assert downmix_name(SURROUND) == "ITU-R BS.775 5.1 to stereo"
        assert downmix_name(("FL", "FR")) is None
        half = np.sqrt(0.5)
        np.testing.assert_allclose(
            downmix_matrix(SURROUND), [[1, 0, half, 0, half, 0], [0, 1, half, 0, 0, half]], rtol=1e-6
        )
        np.testing.assert_array_equal(downmix_matrix(("FL", "FR")), np.eye(2))
        np.testing.assert_array_equal(downmix_matrix(("FC",)), [[1], [1]])
        np.testing.assert_allclose(downmix_matrix(("FLC", "FRC", "CH9")), [[half, 0, half], [0, half, half]], rtol=1e-6)

    def test_each_side_of_a_downmix_mirrors_the_other(self) -> None:
        mirrored = ("FR", "FL", "FC", "LFE", "BR", "BL")
        np.testing.assert_array_equal(downmix_matrix(SURROUND)[0], downmix_matrix(mirrored)[1])


class TestNumbersThatAreNone:
    @pytest.mark.parametrize("kind", ["wav-float", "wav-double", "aifc-float"])
    @pytest.mark.parametrize("channels", [2, 6])
    def test_they_become_zeros_and_are_counted(self, kind: str, channels: int, tmp_path: Path) -> None:
        samples = tune(0.2, channels)
        broken = samples.copy()
        broken[0, 100], broken[1, 200], broken[0, 300], broken[1, 400] = np.nan, np.inf, -np.inf, 1e30
        audio = decode(write(tmp_path / f"x.{KINDS[kind].suffix}", broken, RATE, kind))
        expected = np.where(np.abs(broken) <= 1, samples, 0)
        np.testing.assert_array_equal(audio.samples, expected)
        assert audio.source.repaired_samples == 4
        assert not audio.source.partial

    @pytest.mark.parametrize("channels", [2, 6])
    def test_doubles_beyond_float32(self, channels: int, tmp_path: Path) -> None:
        values = np.full((100, channels), 0.25)
        values[7, 0], values[8, 1], values[9, 0] = 1e300, -1e300, np.nan
        signalling = values.tobytes().replace(np.float64(np.nan).tobytes(), bytes.fromhex("010000000000f07f"))
        audio = decode(wav(tmp_path / "x.wav", signalling, channels=channels, bits=64, tag=3))
        assert audio.source.repaired_samples == 3
        assert audio.samples.sum() == 0.25 * (100 * channels - 3)

    def test_a_stream_is_cleaned_too(self, tmp_path: Path) -> None:
        broken = tune(0.2)
        broken[0, :50] = np.nan
        stream = decode(write(tmp_path / "x.wav", broken, RATE, "wav-float"), limits=NO_MEMORY)
        assert stream.source.repaired_samples == 50
        assert np.isfinite(streamed(stream)).all()

    def test_loud_is_not_broken(self, tmp_path: Path) -> None:
        loud = tune(0.1) * np.float32(MAX_SAMPLE)
        audio = decode(write(tmp_path / "x.wav", loud, RATE, "wav-float"))
        np.testing.assert_array_equal(audio.samples, loud)
        assert audio.source.repaired_samples == 0


class TestFileNames:
    @pytest.mark.parametrize("kind", ["wav-16", "ogg"])
    @pytest.mark.parametrize(
        "name",
        [
            b"concat:a|b",
            b"-i",
            b"a\nb",
            b"\xff\xfe\xc3",
            b"x" * 250,
            "ü😀 %d {} * ?.b".encode(),
            b"http:",
            b"file:x",
            b" ",
            b"pipe:0",
            b"subfile,,start,1,end,0,,:x",
            b"'; rm -rf $HOME #",
        ],
    )
    def test_a_name_is_only_a_name(
        self, name: bytes, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        content = made(tmp_path, kind)[0].read_bytes()
        path = Path(os.fsdecode(name))
        monkeypatch.chdir(tmp_path)
        path.write_bytes(content)
        assert decode(path).duration_s == pytest.approx(0.5, abs=0.01)
        assert decode(tmp_path / path).duration_s == pytest.approx(0.5, abs=0.01)

    def test_the_suffix_proves_nothing(self, tmp_path: Path) -> None:
        path, _ = made(tmp_path, "flac-16")
        assert decode(path.rename(tmp_path / "song.mp3")).source.container == "FLAC"


class TestGapless:
    @pytest.mark.parametrize("frames", [1, 500, 1152, 44100, 123_457])
    def test_an_mp3_with_a_header_has_the_length_that_was_encoded(self, frames: int, tmp_path: Path) -> None:
        samples = tune(3.0)[:, :frames]
        audio = decode(write(tmp_path / "x.mp3", samples, RATE, "mp3"))
        assert audio.frames == frames
        assert audio.source.declared_s == pytest.approx(frames / RATE)

    def test_an_m4a_starts_where_the_sound_starts(self, tmp_path: Path) -> None:
        click = np.zeros((1, RATE), np.float32)
        click[0, 20_000:20_040] = 0.9
        for kind in ("mp3", "m4a", "mp4-video", "ogg"):
            audio = decode(write(tmp_path / f"x.{KINDS[kind].suffix}", click, RATE, kind))
            assert abs(int(np.abs(audio.samples[0]).argmax()) - 20_020) < 40, kind
        opus = decode(write(tmp_path / "x.opus", click, OPUS_RATE, "opus"))
        assert abs(int(np.abs(opus.samples[0]).argmax()) - 20_020) < 40


def test_the_key_is_that_of_the_content_and_the_decoder(tmp_path: Path) -> None:
    path, _ = made(tmp_path, "wav-16")
    assert decode(path, sha256="abc").key == f"abc:{DECODER_VERSION}"
    assert decode(path, sha256="abc", limits=Limits(decoded_bytes=8)).key == f"abc:{DECODER_VERSION}:streamed"


def test_samples_from_memory() -> None:
    audio = from_samples(np.array([[0.5, np.nan, 2e6]], np.float64).astype(np.float32), 8000, bit_depth=16)
    np.testing.assert_array_equal(audio.samples, [[0.5, 0, 0]])
    assert audio.source.repaired_samples == 2
    assert audio.positions == ("FC",)
    assert audio.duration_s == pytest.approx(3 / 8000)
    assert [block.shape for block in audio.blocks()] == [(1, 3)]
    assert from_samples(np.zeros((2, 0), np.float32), 8000).frames == 0
