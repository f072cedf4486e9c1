"""Damaged files give what is left of them and say so; no file, however made, gets beyond the limits."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from processor.audio import Audio, decode
from processor.config import Limits
from processor.containers import sniff
from processor.decoders import FFmpegReader, looks_unfinished, read_tags
from processor.errors import AudioError, NotAudio, TooLarge
from tests import soundfiles
from tests.soundfiles import KINDS, RATE, Samples, good_files, rate_of, tune, wav, write, write_ffmpeg

SECONDS = 4.0
# A cut file of these kinds cannot be opened: what would tell where the sound is stood at its end.
INDEX_AT_END = ("m4a", "m4a-alac", "mp4-video", "mov-video")
LINEAR = [kind for kind in KINDS if kind.startswith(("wav", "rf64", "w64", "aif", "caf", "au"))]
STREAMED = Limits(decoded_bytes=1)


def noisy(seconds: float, channels: int = 2, rate: int = RATE) -> Samples:
    """A tune under noise, so that every part of every coding takes some bytes."""
    noise = np.random.default_rng(3).normal(0, 0.02, (channels, round(seconds * rate)))
    return tune(seconds, channels, rate) + noise.astype(np.float32)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("whole")
    return {
        kind: write(folder / f"{kind}.{how.suffix}", noisy(SECONDS, 2, rate_of(kind)), rate_of(kind), kind)
        for kind, how in KINDS.items()
    }


def says_how_much(audio: Audio) -> bool:
    source = audio.source
    text = source.damage or ""
    return source.partial and ("could be read" in text or "are missing" in text)


def is_heard(piece: NDArray[np.float32], sound: NDArray[np.float32]) -> bool:
    """Whether `piece` comes somewhere in `sound`, but for what a lossy coding may change."""
    energy = np.convolve(sound.astype(np.float64) ** 2, np.ones(len(piece)), "valid")
    at = int((energy - 2 * np.correlate(sound, piece, "valid")).argmin())  # where the squared difference is least
    return float(np.abs(sound[at : at + len(piece)] - piece).max()) < 0.1


class TestCutFiles:
    @pytest.mark.parametrize("kind", KINDS)
    def test_the_beginning_is_read_and_marked_partial(self, kind: str, whole: dict[str, Path], tmp_path: Path) -> None:
        cut = soundfiles.truncated(whole[kind], 0.6, tmp_path / whole[kind].name)
        if kind in INDEX_AT_END:
            with pytest.raises(NotAudio, match="the end of the file is missing"):
                decode(cut)
            return
        audio, before = decode(cut), decode(whole[kind])
        assert says_how_much(audio), audio.source
        assert 0.4 * SECONDS < audio.duration_s < 0.75 * SECONDS
        if audio.source.declared_s is not None:
            assert audio.source.declared_s == pytest.approx(SECONDS, abs=0.05)
            assert f"{audio.duration_s:.2f} s of the promised" in str(audio.source.damage)
        # What is there is the true sound, not the last buffer over and over, nor silence.
        same = audio.frames - 4096
        assert np.abs(audio.samples[:, :same] - before.samples[:, :same]).max() < 1e-5

    @pytest.mark.parametrize("kind", ["m4a", "mp4-video", "m4a-alac"])
    def test_an_index_at_the_front_survives_the_cut(self, kind: str, tmp_path: Path) -> None:
        options = {"movflags": "faststart"}
        path = write_ffmpeg(tmp_path / "x.m4a", noisy(SECONDS), RATE, KINDS[kind], options=options)
        assert not decode(path).source.partial
        audio = decode(soundfiles.truncated(path, 0.6))
        assert says_how_much(audio)
        assert f"{audio.duration_s:.2f} s of the promised 4.00 s could be read" in str(audio.source.damage)

    def test_fragments_of_an_mp4(self, tmp_path: Path) -> None:
        options = {"movflags": "frag_keyframe+empty_moov", "frag_duration": "500000"}
        path = write_ffmpeg(tmp_path / "x.mp4", noisy(SECONDS), RATE, KINDS["m4a"], options=options)
        assert not decode(path).source.partial
        audio = decode(soundfiles.truncated(path, 0.6))
        assert says_how_much(audio)
        assert 1 < audio.duration_s < 3

    @pytest.mark.parametrize("kind", LINEAR)
    def test_one_missing_byte_is_told(self, kind: str, whole: dict[str, Path], tmp_path: Path) -> None:
        data = whole[kind].read_bytes()
        (tmp_path / "x").write_bytes(data[:-1])
        audio = decode(tmp_path / "x")
        assert audio.source.damage == f"1 of the promised {round(SECONDS * RATE)} samples are missing"
        assert audio.source.partial

    @pytest.mark.parametrize("channels", [2, 6])
    @pytest.mark.parametrize("kind", ["wav-24", "flac-16", "caf-24", "aiff-16"])
    def test_one_missing_second_of_many_channels(self, kind: str, channels: int, tmp_path: Path) -> None:
        path = write(tmp_path / f"x.{KINDS[kind].suffix}", noisy(2.0, channels), RATE, kind)
        audio = decode(soundfiles.truncated(path, 0.5))
        assert says_how_much(audio)
        assert 0.7 < audio.duration_s <= 1.05

    @pytest.mark.parametrize("kind", ["flac-16", "mp3", "ogg", "wav-24", "mka"])
    def test_a_stream_of_what_is_left_is_the_same(self, kind: str, whole: dict[str, Path], tmp_path: Path) -> None:
        cut = soundfiles.truncated(whole[kind], 0.6, tmp_path / whole[kind].name)
        held, stream = decode(cut), decode(cut, limits=STREAMED)
        np.testing.assert_array_equal(np.concatenate(list(stream.blocks()), axis=1), held.samples)
        assert stream.source.damage == held.source.damage


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_added_behind_the_end_is_no_damage(kind: str, whole: dict[str, Path], tmp_path: Path) -> None:
    before = decode(whole[kind])
    for tail in (b"TAG" + bytes(125), b"These are only words.\n" * 1000):
        path = tmp_path / "x"
        path.write_bytes(whole[kind].read_bytes() + tail)
        audio = decode(path)
        assert (audio.frames, audio.source.damage) == (before.frames, None)
        np.testing.assert_array_equal(audio.samples, before.samples)


class TestDamagedMiddle:
    @pytest.mark.parametrize(
        "kind", ["flac-16", "flac-24", "mp3", "ogg", "opus", "ogg-flac", "m4a", "mp4-video", "adts", "mka", "mkv-video"]
    )
    def test_what_follows_is_not_lost(self, kind: str, whole: dict[str, Path], tmp_path: Path) -> None:
        broken = soundfiles.overwritten(whole[kind], tmp_path / whole[kind].name, count=1500)
        audio, before = decode(broken), decode(whole[kind])
        assert says_how_much(audio), audio.source
        assert 0.45 * before.frames < audio.frames <= before.frames
        early = int(0.2 * before.frames)
        assert np.abs(audio.samples[:, :early] - before.samples[:, :early]).max() < 1e-5
        if not kind.startswith("mk"):  # a broken cluster is left out to its end
            assert is_heard(before.samples[0, -RATE // 2 : -RATE // 2 + 2000], audio.samples[0, -RATE:])

    @pytest.mark.parametrize("kind", ["ogg", "adts", "mp3"])
    def test_a_format_that_changes_in_the_middle(self, kind: str, tmp_path: Path) -> None:
        first = write(tmp_path / f"a.{kind}", noisy(1.0), RATE, kind)
        for name, samples, rate in (("rate", noisy(1.0, 2, 48000), 48000), ("channels", noisy(1.0, 1), RATE)):
            second = write(tmp_path / f"b.{kind}", samples, rate, kind)
            audio = decode(soundfiles.joined(tmp_path / f"{name}.{kind}", first, second))
            assert (audio.channels, audio.sample_rate) == (2, RATE)
            assert audio.duration_s == pytest.approx(1.0, abs=0.05)
            assert audio.source.partial
            assert audio.source.damage == (
                "the format changes in the middle of the file, and what follows is left out; "
                f"{audio.duration_s:.2f} s could be read"
            )

    def test_a_chain_of_one_format_is_whole(self, tmp_path: Path) -> None:
        for kind in ("ogg", "opus"):
            part = write(tmp_path / f"part.{kind}", noisy(1.0, 2, rate_of(kind)), rate_of(kind), kind)
            audio = decode(soundfiles.joined(tmp_path / f"chain.{kind}", part, part))
            assert audio.duration_s == pytest.approx(2.0, abs=0.01)
            assert not audio.source.partial

    def test_a_place_where_the_demuxer_stumbles(self, whole: dict[str, Path], tmp_path: Path) -> None:
        broken = soundfiles.overwritten(whole["ogg-flac"], tmp_path / "x.oga", at=0.3, count=8000)
        audio = decode(broken)
        assert "1 unreadable place skipped" in str(audio.source.damage)
        assert audio.duration_s > 0.7 * SECONDS

    @pytest.mark.parametrize("error", [IndexError("list index out of range"), av.error.InvalidDataError(1, "no")])
    def test_a_demuxer_that_raises_is_asked_again(self, error: Exception, whole: dict[str, Path]) -> None:
        # PyAV raises IndexError for packets of a stream that begins later than the file.
        class Stumbling:
            def __init__(self, container: Any) -> None:
                self.container = container
                self.calls = 0

            def demux(self, stream: Any) -> Iterator[Any]:
                self.calls += 1
                for number, packet in enumerate(self.container.demux(stream)):
                    yield packet
                    if self.calls == 1 and number == 5:
                        raise error

            def close(self) -> None:
                self.container.close()

        with FFmpegReader(whole["mka"], sniff(whole["mka"])) as reader:
            reader._container = Stumbling(reader._container)
            frames = sum(block.shape[1] for block in reader.blocks())
            assert reader.damage == ["1 unreadable place skipped"]
        assert frames == decode(whole["mka"]).frames

    @pytest.mark.parametrize("kind", ["webm", "mka", "mkv-video", "ogg", "mp3", "flac-16"])
    def test_the_last_hundredths_are_missed_too(self, kind: str, whole: dict[str, Path], tmp_path: Path) -> None:
        before = decode(whole[kind])
        for share in (0.9, 0.96, 0.97, 0.98, 0.985, 0.99):
            audio = decode(soundfiles.truncated(whole[kind], share, tmp_path / "x"))
            assert audio.source.partial or audio.frames == before.frames, (share, audio.duration_s)

    def test_a_lie_about_the_length(self, tmp_path: Path) -> None:
        for frames in (RATE + 4000, 2 * RATE, 10**9, 2**36 - 1):
            audio = decode(soundfiles.flac_claiming(tmp_path / "x.flac", frames))
            assert (audio.duration_s, audio.source.streamed) == (1.0, False)
            assert says_how_much(audio)
            assert f"1.00 s of the promised {frames / RATE:.2f} s could be read" in str(audio.source.damage)

    def test_a_small_lie_about_many_channels(self, tmp_path: Path) -> None:
        path = write(tmp_path / "x.flac", noisy(1.0, 6), RATE, "flac-16")
        data = bytearray(path.read_bytes())
        data[22:26] = (RATE + 2000).to_bytes(4, "big")  # the low bits of the length, RFC 9639, section 8.2
        path.write_bytes(data)
        assert decode(path).source.damage == f"2000 of the promised {RATE + 2000} samples are missing"


class TestLimits:
    def test_bytes_of_the_file(self, tmp_path: Path) -> None:
        path = wav(tmp_path / "x.wav", bytes(4000))
        with pytest.raises(TooLarge, match=r"limits\.file_bytes"):
            decode(path, limits=Limits(file_bytes=path.stat().st_size - 1))
        assert decode(path, limits=Limits(file_bytes=path.stat().st_size)).frames == 1000

    @pytest.mark.parametrize("kind", ["wav-24", "flac-16", "mp3", "ogg", "adts", "m4a"])
    def test_duration(self, kind: str, whole: dict[str, Path]) -> None:
        with pytest.raises(TooLarge, match=r"limits\.duration_s"):
            decode(whole[kind], limits=Limits(duration_s=SECONDS - 0.2))
        assert decode(whole[kind], limits=Limits(duration_s=SECONDS + 0.2)).duration_s == pytest.approx(
            SECONDS, abs=0.05
        )

    def test_channels(self, tmp_path: Path) -> None:
        path = write(tmp_path / "x.wav", tune(0.1, 6), RATE, "wav-16")
        with pytest.raises(TooLarge, match=r"6 channels; the limit is 5 \(limits\.channels\)"):
            decode(path, limits=Limits(channels=5))
        assert decode(path, limits=Limits(channels=6)).channels == 6

    def test_more_channels_than_eight_if_somebody_wants_them(self, tmp_path: Path) -> None:
        samples = tune(0.1, 12)
        path = write(tmp_path / "x.wav", samples, RATE, "wav-float")
        audio = decode(path, limits=Limits(channels=12))
        np.testing.assert_array_equal(audio.samples, samples)
        assert audio.source.layout in ("12 channels", "7.1.4")

    @pytest.mark.parametrize("kind", ["wav-24", "flac-16", "mp3", "ogg", "adts", "opus"])
    def test_what_is_too_much_to_hold_is_streamed_and_not_refused(self, kind: str, whole: dict[str, Path]) -> None:
        held = decode(whole[kind])
        exactly = held.samples.nbytes
        assert not decode(whole[kind], limits=Limits(decoded_bytes=exactly)).source.streamed
        assert decode(whole[kind], limits=Limits(decoded_bytes=exactly - 8)).source.streamed

    def test_a_long_sound_that_nobody_promised_is_kept_in_pieces(
        self, whole: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        expected = {kind: decode(whole[kind]).samples for kind in ("adts", "flac-16")}
        monkeypatch.setattr("processor.decoding.PIECE_FRAMES", 10_007)
        for kind, samples in expected.items():
            np.testing.assert_array_equal(decode(whole[kind]).samples, samples)


MEASURE = """
import resource, sys, time
from pathlib import Path
from processor.audio import decode
from processor.errors import TooLarge
decode(Path(sys.argv[1]))  # what libraries need once
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
for path in sys.argv[2:]:
    try:
        result = decode(Path(path)).duration_s
    except TooLarge as error:
        result = error
    print(result)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, time.process_time() - start)
"""


def test_no_claim_takes_memory(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "warm.flac", tune(1.0), RATE, "flac-16"),
        soundfiles.flac_claiming(tmp_path / "claim.flac", 2**36 - 1),
        soundfiles.silent_flac(tmp_path / "ten-hours.flac", 36_000),
        soundfiles.silent_flac(tmp_path / "dense.flac", 9_000, rate=48_000, block=65_535),
        wav(tmp_path / "claim.wav", bytes(4 * RATE), data_size=4 * RATE * 6000),
    ]
    command = [sys.executable, "-c", MEASURE, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    *results, figures = done.stdout.splitlines()
    mebibytes, elapsed_s = map(float, figures.split())
    assert results[0] == "1.0"
    assert results[1] == "The sound is 10.0 h long; the limit is 2 h (limits.duration_s)."
    assert results[2] == "The sound is longer than 2 h (limits.duration_s)."
    assert results[3] == "1.0"
    assert mebibytes < 60
    assert elapsed_s < 10


def mutated(data: bytes, dice: random.Random) -> bytes:
    """The same bytes, damaged in one of six ways, half of the time near the beginning."""
    changed = bytearray(data)
    way = dice.randrange(6)
    for _ in range(dice.choice([1, 1, 2, 5, 20, 100])):
        if not changed:
            break
        at = dice.randrange(len(changed) if dice.random() < 0.5 else min(len(changed), 300))
        if way == 0:
            changed[at] ^= 1 << dice.randrange(8)
        elif way == 1:
            changed[at] = dice.choice([0, 127, 128, 255])
        elif way == 2:
            changed[at : at + 4] = dice.choice(
                [b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\x80"]
            )
        elif way == 3:
            del changed[at : at + dice.randrange(1, 50)]
        elif way == 4:
            changed[at:at] = dice.randbytes(dice.randrange(1, 30))
        else:
            del changed[dice.randrange(len(changed) + 1) :]
    return bytes(changed)


def test_whatever_a_file_holds_it_decodes_or_is_refused_in_words(tmp_path: Path) -> None:
    files = good_files(tmp_path / "good", 0.3)
    files |= {
        f"{kind}, 8 channels": write(tmp_path / f"8.{KINDS[kind].suffix}", tune(0.3, 8), RATE, kind)
        for kind in ("wav-float", "flac-16", "m4a", "mka")
    }
    transport = soundfiles.Kind("ts", "mpegts", "aac")
    files["ts"] = write_ffmpeg(tmp_path / "x.ts", tune(0.3), RATE, transport)
    dice = random.Random(20)
    path = tmp_path / "x"
    refusals: list[str] = []
    for kind, good in files.items():
        data = good.read_bytes()
        for number in range(40):
            path.write_bytes(mutated(data, dice))
            start = time.perf_counter()
            try:
                audio = decode(path)
                assert audio.samples.shape == (audio.channels, audio.frames), (kind, number)
                assert np.isfinite(audio.samples).all(), (kind, number)
                assert audio.source.partial == (audio.source.damage is not None), (kind, number)
                looks_unfinished(path)
            except AudioError as error:
                refusals.append(str(error))
            read_tags(path)
            assert time.perf_counter() - start < 5, (kind, number)
    assert len(refusals) > 100
    assert all(sentence.endswith(".") for sentence in refusals)
