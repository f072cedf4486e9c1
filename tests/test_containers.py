"""The bytes say what a file is; tags and promises cannot keep us busy or make us open another file."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import av
import numpy as np
import pytest

from processor.audio import decode
from processor.containers import (
    AC3,
    FLAC,
    MAX_TAGS,
    MP3,
    MP3_SEARCH_BYTES,
    MP4,
    OGG,
    WAV,
    first_mp3_frame,
    has_too_many_comments,
    has_too_many_tags,
    leading_tags_bytes,
    sniff,
)
from processor.decoders import FFmpegReader, looks_unfinished, read_tags
from processor.errors import AudioError, NoSound, NotAudio, TooLarge
from processor.lengths import MAX_CHUNKS, declared_pcm_frames, end_is_missing, mp3_declares_length
from tests import soundfiles
from tests.soundfiles import KINDS, RATE, bad_files, good_files, id3, id3_frame, rate_of, tune, wav, write, write_ffmpeg

CONTAINERS = {
    "WAV": ("wav-8", "wav-16", "wav-24", "wav-32", "wav-float", "wav-double", "wavex-24", "rf64-24"),
    "Wave64": ("w64-24",),
    "AIFF": ("aiff-16", "aiff-24", "aifc-float"),
    "CAF": ("caf-24",),
    "AU": ("au-16",),
    "FLAC": ("flac-8", "flac-16", "flac-24"),
    "MP3": ("mp3",),
    "Ogg": ("ogg", "opus", "ogg-flac"),
    "MP4/QuickTime": ("m4a", "m4a-alac", "mp4-video", "mov-video"),
    "AAC (ADTS)": ("adts",),
    "Matroska/WebM": ("mka", "webm", "mkv-video"),
}
# What is neither sound nor near it raises NotAudio; these are nearer.
NO_SOUND = ("no-samples.wav", "no-samples.flac", "no-samples.aiff", "no-samples.caf", "no-channels.wav")
TOO_LARGE = ("300-channels.wav",)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return good_files(tmp_path_factory.mktemp("good"), 0.5)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return bad_files(tmp_path_factory.mktemp("bad"))


def seconds(start: float) -> float:
    return time.perf_counter() - start


def test_the_first_bytes_tell_the_kind(good: dict[str, Path]) -> None:
    names = {kind: name for name, kinds in CONTAINERS.items() for kind in kinds}
    assert {kind: sniff(path).name for kind, path in good.items()} == names


def test_a_tag_before_the_sound_hides_nothing(good: dict[str, Path], tmp_path: Path) -> None:
    prefix = soundfiles.id3_cover(50_000) + soundfiles.id3_cover(100)
    for kind, path in good.items():
        tagged = soundfiles.with_prefix(path, prefix, tmp_path / path.name)
        assert sniff(tagged) == sniff(path)
        if kind in ("mp3", "flac-16", "adts", "wav-16", "aiff-16", "ogg"):
            frames, damage = decode(tagged).frames, decode(tagged).source.damage
            assert (frames, damage) == (decode(path).frames, None), kind


class TestBadFiles:
    def test_none_of_the_zoo_is_sound(self, bad: dict[str, Path]) -> None:
        for name, path in bad.items():
            expected = NoSound if name in NO_SOUND else TooLarge if name in TOO_LARGE else NotAudio
            start = time.perf_counter()
            with pytest.raises(AudioError) as caught:
                decode(path)
            assert type(caught.value) is expected, f"{name}: {caught.value}"
            assert seconds(start) < 10, name
            sentence = str(caught.value)
            assert sentence.endswith("."), name
            assert "\n" not in sentence, name
            assert str(path) not in sentence, name

    def test_none_of_the_zoo_has_tags_that_hurt(self, bad: dict[str, Path]) -> None:
        for name, path in bad.items():
            assert len(str(read_tags(path))) < 1000, name

    def test_the_sentences_help(self, bad: dict[str, Path]) -> None:
        def why(name: str) -> str:
            with pytest.raises(AudioError) as caught:
                decode(bad[name])
            return str(caught.value)

        assert why("empty.wav") == "The file is empty."
        assert why("page.mp3") == "This is not a sound file of a kind that we know."
        assert why("only-a-tag.mp3") == "There is nothing in this file but a tag."
        assert "no sound in this file" in why("silent-film.mp4")
        assert "the header is fine, but no sound" in why("no-samples.wav")
        assert "the end of the file is missing, and its index with it" in why("cut.m4a")
        assert "300 channels" in why("300-channels.wav")

    @pytest.mark.parametrize("suffix", ["mp3", "wav", "m3u8", "ffconcat", "txt", "m4a"])
    @pytest.mark.parametrize("make", [soundfiles.hls, soundfiles.ffconcat])
    def test_a_playlist_opens_no_other_file(self, make: object, suffix: str, tmp_path: Path) -> None:
        target = write(tmp_path / "beside.wav", tune(0.1), RATE, "wav-16")
        assert callable(make)
        playlist = make(tmp_path / f"list.{suffix}", target.name)
        if make is soundfiles.ffconcat:
            with av.open(str(playlist), options={"safe": "0"}) as opened:
                assert opened.streams.audio, "it is a working trap: FFmpeg by itself opens the other file"
        with pytest.raises(NotAudio, match="not a sound file"):
            decode(playlist)
        assert read_tags(playlist) == {}
        for container in (WAV, MP3, FLAC, OGG, AC3):  # FFmpeg itself chooses one for the last
            with pytest.raises(AudioError, match=r"cannot be opened|no codec"):
                FFmpegReader(playlist, container)

    def test_random_bytes_are_never_sound(self, tmp_path: Path) -> None:
        random = np.random.default_rng(11)
        for _ in range(40):
            data = random.integers(0, 256, MP3_SEARCH_BYTES, dtype=np.uint8).tobytes()
            assert first_mp3_frame(data) is None
        path = tmp_path / "x.mp3"
        for first in range(256):
            path.write_bytes(bytes([first]) + data[:3000])
            with pytest.raises(AudioError):
                decode(path)

    def test_headers_with_an_absurd_clock(self, tmp_path: Path) -> None:
        for rate in (2**31 - 1, 655_350, 3000, 1):
            with pytest.raises(TooLarge, match="min_sample_rate_hz"):
                decode(wav(tmp_path / f"{rate}.wav", bytes(4000), rate=rate))

    def test_text_that_begins_like_a_transport_stream(self, tmp_path: Path) -> None:
        path = tmp_path / "g.txt"
        path.write_bytes(b"G" * 5000)
        with pytest.raises(NotAudio):
            decode(path)


class TestMp3:
    def test_junk_before_the_first_frame(self, good: dict[str, Path], tmp_path: Path) -> None:
        path = soundfiles.with_prefix(good["mp3"], b"\xff\xfb" + bytes(5000), tmp_path / "x.mp3")
        assert sniff(path) is MP3
        assert decode(path).duration_s == pytest.approx(decode(good["mp3"]).duration_s, abs=0.1)

    def test_a_header_that_counts_all_frames(self, good: dict[str, Path], tmp_path: Path) -> None:
        assert mp3_declares_length(good["mp3"])
        assert mp3_declares_length(soundfiles.truncated(good["mp3"], 0.5, tmp_path / "cut.mp3"))
        tail = good["mp3"].read_bytes() + b"APETAGEX" + bytes(20_000) + b"TAG" + bytes(125)
        (tmp_path / "tail.mp3").write_bytes(tail)
        assert mp3_declares_length(tmp_path / "tail.mp3")
        assert not mp3_declares_length(self.without_header(good["mp3"], tmp_path))

    @staticmethod
    def without_header(path: Path, folder: Path) -> Path:
        data = path.read_bytes()
        first = first_mp3_frame(data)
        assert first is not None
        second = first_mp3_frame(data[first + 4 :])
        assert second is not None
        (folder / "plain.mp3").write_bytes(data[first + 4 + second :])
        return folder / "plain.mp3"

    def test_without_a_header_it_is_whole_all_the_same(self, tmp_path: Path) -> None:
        # The first frame of this one is much larger than the rest: a guess from its bit rate is a fifth of the length.
        samples = tune(3.0)
        samples[:, :200] += np.random.default_rng(1).normal(0, 0.3, (2, 200)).astype(np.float32)
        path = self.without_header(write(tmp_path / "x.mp3", samples, RATE, "mp3"), tmp_path)
        audio = decode(path)
        assert audio.duration_s == pytest.approx(3.0, abs=0.1)
        assert audio.source.declared_s is None
        assert not audio.source.partial

    @pytest.mark.parametrize("between", [b"", soundfiles.id3_cover(300_000)], ids=["bare", "tagged"])
    def test_joined_files_are_read_to_the_end(self, between: bytes, tmp_path: Path) -> None:
        part = write(tmp_path / "part.mp3", tune(2.0), RATE, "mp3")
        second = soundfiles.with_prefix(part, between, tmp_path / "second.mp3")
        audio = decode(soundfiles.joined(tmp_path / "both.mp3", part, second))
        assert audio.duration_s == pytest.approx(4.0, abs=0.15)
        assert not between or "1 damaged packet" in str(audio.source.damage), "the tag in the middle"


class TestTags:
    @pytest.mark.parametrize("kind", ["mp3", "flac-16", "adts"])
    @pytest.mark.parametrize("tag", ["many", "bomb"])
    def test_a_tag_that_would_take_for_ever(self, kind: str, tag: str, good: dict[str, Path], tmp_path: Path) -> None:
        prefix = soundfiles.id3_many_frames() if tag == "many" else soundfiles.id3_bomb(50_000_000)
        path = soundfiles.with_prefix(good[kind], prefix, tmp_path / "x")
        start = time.perf_counter()
        audio = decode(path)
        assert audio.frames == decode(good[kind]).frames
        assert not audio.source.partial
        assert read_tags(path) == {}
        assert seconds(start) < 10

    @pytest.mark.parametrize("kind", ["mp3", "flac-16"])
    def test_a_large_cover_is_no_harm(self, kind: str, good: dict[str, Path], tmp_path: Path) -> None:
        path = soundfiles.with_prefix(good[kind], soundfiles.id3_cover(10_000_000), tmp_path / "x")
        assert read_tags(path)["title"] == "Title"
        assert decode(path).frames == decode(good[kind]).frames

    def test_many_comments_of_flac(self, tmp_path: Path) -> None:
        few = soundfiles.flac_with_comments(tmp_path / "few.flac", MAX_TAGS)
        assert len(read_tags(few)) == MAX_TAGS
        assert decode(few).duration_s == 0.5
        many = soundfiles.flac_with_comments(tmp_path / "many.flac", 200_000)
        start = time.perf_counter()
        assert read_tags(many) == {}
        with pytest.raises(NotAudio, match="more than 2000 tags"):
            decode(many)
        assert seconds(start) < 10

    def test_many_comments_of_ogg(self, good: dict[str, Path], tmp_path: Path) -> None:
        for kind, mark in (("ogg", b"\x03vorbis"), ("opus", b"OpusTags")):
            data = bytearray(good[kind].read_bytes())
            assert not has_too_many_comments(good[kind], OGG)
            at = data.find(mark) + len(mark)
            vendor = struct.unpack("<I", data[at : at + 4])[0]
            data[at + 4 + vendor : at + 8 + vendor] = struct.pack("<I", 200_000)
            path = tmp_path / "x.ogg"
            path.write_bytes(data)
            assert has_too_many_comments(path, OGG)
            assert read_tags(path) == {}
            data[at : at + 4] = struct.pack("<I", 2**31)
            path.write_bytes(data)
            assert has_too_many_comments(path, OGG), "a vendor's name of two gigabytes"

    def test_frames_are_counted_in_every_version_of_id3(self, tmp_path: Path) -> None:
        def size3(number: int) -> bytes:
            return number.to_bytes(3, "big")

        def tag(version: int, flags: int, body: bytes) -> bytes:
            return b"ID3" + bytes([version, 0, flags]) + id3(body)[6:10] + body

        frames = MAX_TAGS + 1
        third = struct.pack(">I", 2) + b"\0\0\0x"
        bodies = {
            "2.2": tag(2, 0, (b"TXX" + size3(2) + b"\0x") * frames),
            "2.3": tag(3, 0, (b"TXXX" + third) * frames),
            "2.3 extended": tag(3, 0x40, struct.pack(">IHI", 6, 0, 0) + (b"TXXX" + third) * frames),
            "2.4 extended": tag(4, 0x40, b"\0\0\0\x06\x01\0" + id3_frame(b"TXXX", b"\0x") * frames),
            "2.3 compressed": tag(3, 0, b"TXXX" + struct.pack(">I", 2) + b"\0\x80\0x"),
            "behind padding": tag(4, 0, bytes(1_000_000) + id3_frame(b"TXXX", b"\0x") * frames),
            "empty frames": tag(4, 0, b"TXXX\0\0\0\0\0\0" * frames),
            "second tag": id3(b"") + tag(4, 0, id3_frame(b"TXXX", b"\0x") * frames),
        }
        path = tmp_path / "x.mp3"
        for name, body in bodies.items():
            path.write_bytes(body)
            assert has_too_many_tags(path, MP3), name
        path.write_bytes(tag(4, 0, id3_frame(b"TXXX", b"\0x") * MAX_TAGS) + bytes(50))
        assert not has_too_many_tags(path, MP3)

    def test_tags_inside_that_keep_ffmpeg_busy_are_given_up(
        self, good: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tag = soundfiles.id3_many_frames(20_000)
        tag += bytes(len(tag) % 2)
        data = good["wav-16"].read_bytes()
        (tmp_path / "x.wav").write_bytes(data[:12] + b"ID3 " + struct.pack("<I", len(tag)) + tag + data[12:])
        monkeypatch.setattr("processor.decoders.OPEN_TIMEOUT_S", 0.02)
        assert read_tags(tmp_path / "x.wav") == {}
        assert decode(tmp_path / "x.wav").frames == RATE // 2

    def test_all_leading_tags_are_passed_over(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        first, footer = id3(bytes(300)), b"ID3\4\0\x10" + bytes([0, 0, 1, 0]) + bytes(128) + b"3DI" + bytes(7)
        path.write_bytes(first + footer + b"sound")
        with path.open("rb") as file:
            assert leading_tags_bytes(file) == len(first) + len(footer)
            assert file.read() == b"sound"
        path.write_bytes(b"ID3\4\0\0\xff\xff\xff\xff")
        with path.open("rb") as file:
            assert leading_tags_bytes(file) == 0

    def test_tags_that_are_no_text(self, good: dict[str, Path], tmp_path: Path) -> None:
        frames = (
            id3_frame(b"TIT2", b"\3\xff\xfe\x80")
            + id3_frame(b"TPE1", b"\1\xff\xfe\x00\xd8")
            + id3_frame(b"TALB", b"\3a\0b")
        )
        tags = read_tags(soundfiles.with_prefix(good["mp3"], id3(frames), tmp_path / "x.mp3"))
        assert all(isinstance(text, str) for text in tags.values())


class TestPromises:
    def test_linear_files_say_how_many_frames_they_have(self, good: dict[str, Path]) -> None:
        for kind, path in good.items():
            frames = declared_pcm_frames(path, sniff(path))
            linear = kind.startswith(("wav", "rf64", "w64", "aif", "caf", "au"))
            assert frames == (RATE // 2 if linear else None), kind

    @pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0xFFFFFFFF - 36, 0x7FFFF000, 0x7FFFFFFF - 36])
    def test_a_wav_with_an_open_end_is_whole(self, size: int, tmp_path: Path) -> None:
        samples = tune(0.5)
        path = wav(tmp_path / "x.wav", (samples.T * 32767).astype("<i2").tobytes(), data_size=size)
        audio = decode(path)
        assert audio.frames == samples.shape[1]
        assert not audio.source.partial
        assert audio.source.damage is None
        assert not looks_unfinished(path)

    @pytest.mark.parametrize("codec", ["adpcm_ms", "adpcm_ima_wav"])
    def test_a_compressed_wav_is_not_counted_as_pcm(self, codec: str, tmp_path: Path) -> None:
        path = write_ffmpeg(tmp_path / "x.wav", tune(1.0), RATE, soundfiles.Kind("wav", "wav", codec))
        assert declared_pcm_frames(path, WAV) is None
        assert decode(path).duration_s == pytest.approx(1.0, abs=0.05)
        assert not decode(path).source.partial

    def test_odd_chunks_are_passed_over(self, tmp_path: Path) -> None:
        data = wav(tmp_path / "x.wav", bytes(4000)).read_bytes()
        (tmp_path / "x.wav").write_bytes(data[:12] + b"junk\3\0\0\0abc\0" + b"LIST\0\0\0\0" + data[12:])
        assert declared_pcm_frames(tmp_path / "x.wav", WAV) == 1000

    def test_nobody_makes_us_count_chunks_for_ever(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        whole = wav(path, bytes(4000)).read_bytes()
        for chunks, frames in ((MAX_CHUNKS - 2, 1000), (MAX_CHUNKS, None)):
            path.write_bytes(whole[:12] + b"junk\0\0\0\0" * chunks + whole[12:])
            assert declared_pcm_frames(path, WAV) == frames
        for boxes, is_cut in ((MAX_CHUNKS - 1, True), (MAX_CHUNKS, False)):
            path.write_bytes(b"\0\0\0\x08free" * boxes + b"\0\0\xff\xffmdat")
            assert end_is_missing(path, MP4) == is_cut
        path.write_bytes(b"fLaC" + b"\x01\0\0\0" * 2000 + b"\x81\0\0\0")
        assert has_too_many_comments(path, FLAC)
        path.write_bytes(b"fLaC" + b"\x01\0\0\0" * 900 + b"\x81\0\0\0")
        assert not has_too_many_comments(path, FLAC)

    @pytest.mark.parametrize(
        "kind", ["ogg", "opus", "ogg-flac", "m4a", "mp4-video", "mov-video", "mka", "webm", "mkv-video"]
    )
    def test_a_cut_end_is_seen(self, kind: str, good: dict[str, Path], tmp_path: Path) -> None:
        container = sniff(good[kind])
        assert not end_is_missing(good[kind], container)
        assert not looks_unfinished(good[kind])
        for share in (0.5, 0.9, 0.999):
            cut = soundfiles.truncated(good[kind], share, tmp_path / f"x.{KINDS[kind].suffix}")
            assert end_is_missing(cut, container), share
            assert looks_unfinished(cut), share

    @pytest.mark.parametrize("kind", ["wav-24", "rf64-24", "w64-24", "aiff-16", "caf-24", "au-16"])
    def test_a_copy_that_is_still_coming_looks_unfinished(
        self, kind: str, good: dict[str, Path], tmp_path: Path
    ) -> None:
        assert not looks_unfinished(good[kind])
        assert looks_unfinished(soundfiles.truncated(good[kind], 0.7, tmp_path / good[kind].name))


def test_rates_of_the_kinds() -> None:
    assert {rate_of(kind) for kind in KINDS} == {44100, 48000}
