"""What a file is, and how much of it could be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from processor.analysis.source import source
from processor.audio import Source, decode
from processor.config import Limits
from tests import signals
from tests.signals import SURROUND, audio, song


def found_in(path: Path, **limits: int) -> Source:
    return source(decode(path, limits=Limits(**limits)))


@pytest.mark.parametrize(
    ("subtype", "bits"), [("PCM_U8", 8), ("PCM_16", 16), ("PCM_24", 24), ("FLOAT", 32), ("DOUBLE", 64)]
)
@pytest.mark.parametrize(("rate", "channels", "layout"), [(8_000, 1, "mono"), (44_100, 2, "stereo")])
def test_a_wav_file(tmp_path: Path, subtype: str, bits: int, rate: int, channels: int, layout: str) -> None:
    path = signals.write_wav(tmp_path / "song.wav", song(1.5, rate=rate, channels=channels), rate, subtype)
    found = found_in(path)
    assert (found.container, found.bit_depth, found.sample_rate_hz) == ("WAV", bits, rate)
    assert (found.channels, found.layout, found.downmix) == (channels, layout, None)
    assert (found.duration_s, found.declared_s, found.size_bytes) == (1.5, 1.5, path.stat().st_size)
    assert (found.partial, found.damage, found.repaired_samples, found.streamed) == (False, None, 0, False)


@pytest.mark.parametrize(
    ("suffix", "container", "codec", "name", "bits"),
    [
        ("flac", "flac", "flac", "FLAC", 16),
        ("mp3", "mp3", "libmp3lame", "MP3", None),
        ("m4a", "ipod", "aac", "MP4/QuickTime", None),
        ("ogg", "ogg", "libopus", "Ogg", None),
        ("mka", "matroska", "flac", "Matroska/WebM", 16),
    ],
)
def test_other_containers(tmp_path: Path, suffix: str, container: str, codec: str, name: str, bits: int | None) -> None:
    path = signals.write_encoded(tmp_path / f"song.{suffix}", song(2.0), container=container, codec=codec)
    found = found_in(path)
    assert (found.container, found.bit_depth, found.sample_rate_hz, found.layout) == (name, bits, 48_000, "stereo")
    assert found.duration_s == pytest.approx(2.0, abs=0.05)
    assert (found.partial, found.damage) == (False, None)


def test_surround_names_its_layout_and_downmix(tmp_path: Path) -> None:
    path = signals.write_encoded(
        tmp_path / "song.flac", song(1.0, channels=6), container="flac", codec="flac", layout="5.1"
    )
    found = found_in(path)
    assert (found.channels, found.layout, found.downmix) == (6, "5.1", "ITU-R BS.775 5.1 to stereo")


def test_a_file_that_was_cut_off_is_partial(tmp_path: Path) -> None:
    path = signals.write_wav(tmp_path / "song.wav", song(2.0, channels=1), subtype="PCM_16")
    path.write_bytes(path.read_bytes()[: 44 + 48_000 * 2])
    found = found_in(path)
    assert (found.partial, found.declared_s) == (True, 2.0)
    assert found.duration_s == pytest.approx(1.0, abs=0.01)
    assert "of the promised 2.00 s" in (found.damage or "")


def test_what_is_no_number_is_counted(tmp_path: Path) -> None:
    samples = song(1.0).copy()
    samples[0, :3] = np.nan, np.inf, -np.inf
    samples[1, 7] = 1e30
    assert found_in(signals.write_wav(tmp_path / "song.wav", samples)).repaired_samples == 4
    assert source(audio(samples)).repaired_samples == 4


def test_a_long_file_is_streamed(tmp_path: Path) -> None:
    samples = song(1.0)
    path = signals.write_wav(tmp_path / "song.wav", samples)
    assert not found_in(path, decoded_bytes=samples.nbytes).streamed
    found = found_in(path, decoded_bytes=samples.nbytes - 1)
    assert (found.streamed, found.duration_s, found.partial) == (True, 1.0, False)


def test_samples_in_memory() -> None:
    found = source(audio(song(1.0, channels=6), positions=SURROUND, bit_depth=24))
    assert (found.container, found.layout, found.bit_depth, found.duration_s) == ("samples", "5.1", 24, 1.0)
    assert (found.declared_s, found.partial) == (None, False)
