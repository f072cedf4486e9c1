"""Sound files for tests: one of every good kind, and a zoo of bad ones. All are made here, none is kept.

`write` encodes samples, `good_files` and `bad_files` fill a folder, the rest damages what is whole. Nothing here
knows how files are decoded.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

Samples = NDArray[np.float32]
RATE = 44100


@dataclass(frozen=True)
class Kind:
    """How one kind of file is written.

    Attributes:
        suffix: of the file's name.
        format: libsndfile's major format, or FFmpeg's muxer.
        codec: libsndfile's subtype, or FFmpeg's encoder.
        max_error: by how much a decoded sample may differ; None where the coding is lossy.
        by_ffmpeg: written by FFmpeg rather than libsndfile.
        video: a picture goes with it.
        exact_length: decodes to just as many samples as were encoded.
    """

    suffix: str
    format: str
    codec: str
    max_error: float | None = None
    by_ffmpeg: bool = False
    video: bool = False
    exact_length: bool = True


def _step(bits: int) -> float:
    return 1.01 * 2.0 ** (1 - bits)


KINDS: dict[str, Kind] = {
    "wav-8": Kind("wav", "WAV", "PCM_U8", _step(8)),
    "wav-16": Kind("wav", "WAV", "PCM_16", _step(16)),
    "wav-24": Kind("wav", "WAV", "PCM_24", _step(24)),
    "wav-32": Kind("wav", "WAV", "PCM_32", _step(24)),
    "wav-float": Kind("wav", "WAV", "FLOAT", 0.0),
    "wav-double": Kind("wav", "WAV", "DOUBLE", 0.0),
    "wavex-24": Kind("wav", "WAVEX", "PCM_24", _step(24)),
    "rf64-24": Kind("wav", "RF64", "PCM_24", _step(24)),
    "w64-24": Kind("w64", "W64", "PCM_24", _step(24)),
    "aiff-16": Kind("aiff", "AIFF", "PCM_16", _step(16)),
    "aiff-24": Kind("aif", "AIFF", "PCM_24", _step(24)),
    "aifc-float": Kind("aifc", "AIFF", "FLOAT", 0.0),
    "caf-24": Kind("caf", "CAF", "PCM_24", _step(24)),
    "au-16": Kind("au", "AU", "PCM_16", _step(16)),
    "flac-8": Kind("flac", "FLAC", "PCM_S8", _step(8)),
    "flac-16": Kind("flac", "FLAC", "PCM_16", _step(16)),
    "flac-24": Kind("flac", "FLAC", "PCM_24", _step(24)),
    "mp3": Kind("mp3", "MP3", "MPEG_LAYER_III"),
    "ogg": Kind("ogg", "OGG", "VORBIS", exact_length=False),
    "opus": Kind("opus", "OGG", "OPUS", exact_length=False),
    "ogg-flac": Kind("oga", "ogg", "flac", _step(16), by_ffmpeg=True),
    "m4a": Kind("m4a", "ipod", "aac", by_ffmpeg=True, exact_length=False),
    "m4a-alac": Kind("m4a", "ipod", "alac", _step(16), by_ffmpeg=True),
    "adts": Kind("aac", "adts", "aac", by_ffmpeg=True, exact_length=False),
    "mka": Kind("mka", "matroska", "flac", _step(16), by_ffmpeg=True),
    "webm": Kind("webm", "webm", "libopus", by_ffmpeg=True, exact_length=False),
    "mp4-video": Kind("mp4", "mp4", "aac", by_ffmpeg=True, video=True, exact_length=False),
    "mov-video": Kind("mov", "mov", "pcm_s16le", _step(16), by_ffmpeg=True, video=True),
    "mkv-video": Kind("mkv", "matroska", "flac", _step(16), by_ffmpeg=True, video=True),
}
_WRITE_FRAMES = 1 << 14
# Sampling rates that Opus can be written with; all others take any.
OPUS_RATE = 48000
# Channel order inside Vorbis and Opus (Vorbis I, section 4.3.9), which libsndfile leaves to its caller.
_XIPH_ORDER = {3: (0, 2, 1), 5: (0, 2, 1, 3, 4), 6: (0, 2, 1, 4, 5, 3)}
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


def rate_of(kind: str) -> int:
    """A sampling rate that this kind can be written with."""
    return OPUS_RATE if KINDS[kind].codec in ("OPUS", "libopus") else RATE


def tune(seconds: float = 1.0, channels: int = 2, rate: int = RATE) -> Samples:
    """A tone of its own for each channel (250 Hz, 375 Hz, 500 Hz …) under a slow swell, peak 0.5."""
    time_s = np.arange(round(seconds * rate)) / rate
    swell = 0.35 + 0.15 * np.sin(2 * np.pi * 0.7 * time_s)
    tones = [np.sin(2 * np.pi * (250 + 125 * channel) * time_s + channel) * swell for channel in range(channels)]
    return np.array(tones, dtype=np.float32)


def write(path: Path, samples: Samples, rate: int = RATE, kind: str = "wav-24", *, layout: str = "") -> Path:
    """Encode `samples` `(channels, n)` as `path`; `layout` names FFmpeg's channel layout where there are several."""
    how = KINDS[kind]
    if how.by_ffmpeg:
        return write_ffmpeg(path, samples, rate, how, layout=layout)
    if how.format == "OGG" and len(samples) in _XIPH_ORDER:
        samples = samples[list(_XIPH_ORDER[len(samples)])]
    data: NDArray[Any] = samples.T.astype(np.float64) if how.codec == "DOUBLE" else samples.T
    with soundfile.SoundFile(path, "w", rate, samples.shape[0], how.codec, format=how.format) as file:
        for start in range(0, len(data), _WRITE_FRAMES):  # libsndfile's Vorbis encoder overflows the stack otherwise
            file.write(data[start : start + _WRITE_FRAMES])
    return path


def write_ffmpeg(
    path: Path, samples: Samples, rate: int, how: Kind, *, layout: str = "", options: dict[str, str] | None = None
) -> Path:
    """Encode with FFmpeg, with a grey picture that moves if the kind wants one; `options` are the muxer's."""
    with av.open(str(path), "w", format=how.format, options=options or {}) as output:
        picture: Any = None
        if how.video:
            picture = output.add_stream("mpeg4", rate=Fraction(10))
            picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        sound: Any = output.add_stream(how.codec, rate=rate)
        sound.layout = layout or _LAYOUTS[len(samples)]
        if picture is not None:
            for number in range(max(1, samples.shape[1] * 10 // rate)):
                image = np.full((48, 64, 3), number % 256, np.uint8)
                output.mux(picture.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            output.mux(picture.encode(None))
        for frame in _frames(samples, rate, sound):
            output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    return path


def _frames(samples: Samples, rate: int, sound: Any) -> list[Any]:
    """The samples in the encoder's own format and frame length."""
    context = sound.codec_context
    sample_format = context.format.name
    resampler = av.AudioResampler(
        format=sample_format, layout=sound.layout, rate=rate, frame_size=context.frame_size or 1024
    )
    interleaved = np.ascontiguousarray(samples.T).reshape(1, -1)  # planar frames of eight channels crash PyAV
    whole = av.AudioFrame.from_ndarray(interleaved, format="flt", layout=sound.layout.name)
    whole.sample_rate = rate
    whole.pts = 0
    return [*resampler.resample(whole), *resampler.resample(None)]


def good_files(folder: Path, seconds: float = 1.0) -> dict[str, Path]:
    """One stereo file of each kind, by the names of `KINDS`."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, how in KINDS.items():
        rate = rate_of(name)
        files[name] = write(folder / f"{name}.{how.suffix}", tune(seconds, 2, rate), rate, name)
    return files


# Damage.


def truncated(path: Path, share: float, target: Path | None = None) -> Path:
    """A copy (or the file itself) with only the first `share` of its bytes."""
    data = path.read_bytes()
    return _saved(target or path, data[: int(len(data) * share)])


def joined(path: Path, *parts: Path) -> Path:
    """The bytes of several files in a row."""
    return _saved(path, b"".join(part.read_bytes() for part in parts))


def with_prefix(path: Path, prefix: bytes, target: Path) -> Path:
    """A copy with something in front."""
    return _saved(target, prefix + path.read_bytes())


def overwritten(path: Path, target: Path, *, at: float = 0.5, count: int = 3000, seed: int = 1) -> Path:
    """A copy with `count` bytes of noise at the share `at` of its length."""
    data = bytearray(path.read_bytes())
    start = int(len(data) * at)
    noise = np.random.default_rng(seed).integers(0, 256, count, dtype=np.uint8).tobytes()
    data[start : start + count] = noise[: len(data) - start]
    return _saved(target, bytes(data))


def _saved(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


# Headers that say what they like.


def wav(
    path: Path,
    data: bytes,
    *,
    channels: int = 2,
    rate: int = RATE,
    bits: int = 16,
    tag: int = 1,
    data_size: int | None = None,
) -> Path:
    """A WAV file of one format chunk and one data chunk, written by hand; `data_size` is what the header claims."""
    align = channels * bits // 8
    layout = struct.pack("<HHIIHH", tag, channels, rate, rate * align % 2**32, align % 2**16, bits)
    size = len(data) if data_size is None else data_size
    chunks = b"WAVEfmt " + struct.pack("<I", len(layout)) + layout + b"data" + struct.pack("<I", size) + data
    return _saved(path, b"RIFF" + struct.pack("<I", min(size + 36, 0xFFFFFFFF)) + chunks)


def flac_claiming(path: Path, frames: int, *, rate: int = RATE, seconds: float = 1.0) -> Path:
    """A whole FLAC file of stereo whose header claims `frames`."""
    write(path, tune(seconds, 2, rate), rate, "flac-16")
    data = bytearray(path.read_bytes())
    assert data[4] & 0x7F == 0, "the first block is STREAMINFO"
    packed = int.from_bytes(data[18:26], "big") >> 36 << 36
    data[18:26] = (packed | frames).to_bytes(8, "big")
    return _saved(path, bytes(data))


def silent_flac(path: Path, seconds: float, *, rate: int = RATE, block: int = 4096) -> Path:
    """Stereo silence in FLAC, 15 bytes a block, written by hand: an encoder would take a minute for ten hours."""
    blocks = int(seconds * rate) // block
    packed = rate << 44 | 1 << 41 | 15 << 36 | blocks * block
    info = block.to_bytes(2, "big") * 2 + bytes(6) + packed.to_bytes(8, "big") + bytes(16)
    parts = [b"fLaC", b"\x80\x00\x00\x22", info]
    for number in range(blocks):
        # Block size in 16 bits at the end, rate from STREAMINFO, left and right, 16 bits (RFC 9639, section 9.1).
        head = b"\xff\xf8\x70\x18" + chr(number).encode("utf-8", "surrogatepass") + (block - 1).to_bytes(2, "big")
        frame = head + bytes([_crc(head, 0x07, 8)]) + bytes(6)  # two constant subframes of value 0
        parts.append(frame + _crc(frame, 0x8005, 16).to_bytes(2, "big"))
    return _saved(path, b"".join(parts))


def _crc_table(polynomial: int, bits: int) -> list[int]:
    table = []
    for byte in range(256):
        value = byte << (bits - 8)
        for _ in range(8):
            value = (value << 1) ^ (polynomial if value >> (bits - 1) else 0)
            value &= (1 << bits) - 1
        table.append(value)
    return table


_CRC_TABLES = {(0x07, 8): _crc_table(0x07, 8), (0x8005, 16): _crc_table(0x8005, 16)}


def _crc(data: bytes, polynomial: int, bits: int) -> int:
    table, mask, value = _CRC_TABLES[polynomial, bits], (1 << bits) - 1, 0
    for byte in data:
        value = (value << 8 & mask) ^ table[value >> (bits - 8) ^ byte]
    return value


# Tags.


def _syncsafe(number: int) -> bytes:
    return bytes(number >> shift & 127 for shift in (21, 14, 7, 0))


def id3_frame(name: bytes, content: bytes, flags: bytes = b"\0\0") -> bytes:
    """One ID3v2.4 frame."""
    return name + _syncsafe(len(content)) + flags + content


def id3(frames: bytes) -> bytes:
    """An ID3v2.4 tag."""
    return b"ID3\4\0\0" + _syncsafe(len(frames)) + frames


def id3_many_frames(count: int = 200_000) -> bytes:
    """A tag of `count` distinct frames, which some readers compare each with each."""
    return id3(b"".join(id3_frame(b"TXXX", b"\3k%d\0v" % number) for number in range(count)))


def id3_bomb(unfolded: int = 200_000_000) -> bytes:
    """A tag with one compressed frame of `unfolded` zeros."""
    return id3(id3_frame(b"TXXX", _syncsafe(unfolded) + zlib.compress(bytes(unfolded), 9), b"\0\x09"))


def id3_cover(picture: int = 10_000_000, title: str = "Title") -> bytes:
    """A tag with a title and a cover of `picture` bytes."""
    cover = b"\0image/png\0\3\0" + bytes(picture)
    return id3(id3_frame(b"TIT2", b"\3" + title.encode()) + id3_frame(b"APIC", cover))


def comments(count: int) -> bytes:
    """A packet of `count` distinct Vorbis comments."""
    entries = b"".join(struct.pack("<I", len(text := b"KEY%d=v" % number)) + text for number in range(count))
    return struct.pack("<I", 4) + b"test" + struct.pack("<I", count) + entries


def flac_with_comments(path: Path, count: int) -> Path:
    """A FLAC file with `count` comments in place of its own."""
    write(path, tune(0.5), RATE, "flac-16")
    data = path.read_bytes()
    block = comments(count)
    old = 4 + int.from_bytes(data[43:46], "big")  # the block behind STREAMINFO
    return _saved(path, data[:42] + b"\x84" + len(block).to_bytes(3, "big") + block + data[42 + old :])


# Text that plays other files.


def hls(path: Path, target: str) -> Path:
    """An HLS playlist."""
    return _saved(path, f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n".encode())


def ffconcat(path: Path, target: str) -> Path:
    """A script for FFmpeg's concat demuxer."""
    return _saved(path, f"ffconcat version 1.0\nfile '{target}'\n".encode())


def bad_files(folder: Path) -> dict[str, Path]:
    """A zoo of files that are not sound, or have none. Beside them lies `beside.wav`, which is good."""
    folder.mkdir(parents=True, exist_ok=True)
    beside = write(folder / "beside.wav", tune(0.2), RATE, "wav-16")
    random = np.random.default_rng(7).integers(0, 256, 200_000, dtype=np.uint8).tobytes()
    contents: dict[str, bytes] = {
        "empty.wav": b"",
        "one-byte.mp3": b"\xff",
        "random.mp3": random,
        "random.wav": random,
        "riff-only.wav": b"RIFF",
        "wave-only.wav": b"RIFF\x04\0\0\0WAVE",
        "text.mp3": b"These are only words.\n" * 50,
        "page.mp3": b"<!DOCTYPE html><html><body><h1>404 Not Found</h1></body></html>",
        "picture.flac": b"\x89PNG\r\n\x1a\n" + bytes.fromhex("0000000d49484452") + random[:5000],
        "paper.mp3": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + random[:5000],
        "list.m3u.mp3": b"#EXTM3U\n#EXTINF:1,x\nbeside.wav\n",
        "session.mp3": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nm=audio 5004 RTP/AVP 0\r\n",
        "dash.mp3": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
        "only-a-tag.mp3": id3_cover(1000),
        "tag-and-text.mp3": id3_cover(1000) + b"These are only words.\n" * 50,
        "only-magic.flac": b"fLaC",
        "only-magic.ogg": b"OggS",
        "only-magic.m4a": b"\0\0\0\x18ftypM4A \0\0\0\0",
        "only-magic.mkv": b"\x1a\x45\xdf\xa3",
    }
    files = {name: _saved(folder / name, content) for name, content in contents.items()}
    files["hls.mp3"] = hls(folder / "hls.mp3", beside.name)
    files["ffconcat.mp3"] = ffconcat(folder / "ffconcat.mp3", beside.name)
    files["archive.wav"] = folder / "archive.wav"
    with zipfile.ZipFile(files["archive.wav"], "w") as archive:
        archive.write(beside, "beside.wav")
    files |= _soundless_files(folder)
    return files


def _soundless_files(folder: Path) -> dict[str, Path]:
    """Files whose header is right, or absurd, and which hold no sound that may be read."""
    files = {
        "no-samples.wav": wav(folder / "no-samples.wav", b""),
        "no-rate.wav": wav(folder / "no-rate.wav", bytes(4000), rate=0),
        "fast-clock.wav": wav(folder / "fast-clock.wav", bytes(4000), rate=2**31),
        "300-channels.wav": wav(folder / "300-channels.wav", bytes(6000), channels=300),
        "no-channels.wav": wav(folder / "no-channels.wav", bytes(4000), channels=0),
        "no-samples.flac": silent_flac(folder / "no-samples.flac", 0),
        "silent-film.mp4": folder / "silent-film.mp4",
        "cut.m4a": folder / "cut.m4a",
    }
    for name, kind in (("no-samples.aiff", "aiff-16"), ("no-samples.caf", "caf-24")):
        files[name] = write(folder / name, tune(0), RATE, kind)
    truncated(write(folder / "cut.m4a", tune(0.5), RATE, "m4a"), 0.6)
    with av.open(str(files["silent-film.mp4"]), "w", format="mp4") as output:
        picture: Any = output.add_stream("mpeg4", rate=Fraction(10))
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        output.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        output.mux(picture.encode(None))
    return files
