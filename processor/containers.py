"""What a file is, by its first bytes, and how much sound it says it holds.

A name proves nothing: text called `song.mp3` can be a playlist that makes FFmpeg open other files. So the bytes
decide, and FFmpeg is only ever allowed the demuxer that belongs to them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from processor.errors import NotAudio

HEAD_BYTES = 4096
MP3_SEARCH_BYTES = 1 << 17
OGG_LAST_PAGE_BYTES = 1 << 17
_ID3_HEADER_BYTES = 10
# A tag with a cover, lyrics and every field of a tag editor has about a hundred frames.
MAX_ID3_FRAMES = 2000


@dataclass(frozen=True)
class Container:
    """A kind of file.

    Attributes:
        name: what people call it.
        demuxers: the FFmpeg demuxers that may open it (comma-separated `format_whitelist`).
        by_soundfile: whether libsndfile reads it, faster and with exact lengths.
        states_length: whether its header says how long it is; where it does not, FFmpeg guesses from the bit rate.
    """

    name: str
    demuxers: str
    by_soundfile: bool = False
    states_length: bool = True


WAV = Container("WAV", "wav", by_soundfile=True)
W64 = Container("Wave64", "w64", by_soundfile=True)
AIFF = Container("AIFF", "aiff", by_soundfile=True)
CAF = Container("CAF", "caf", by_soundfile=True)
AU = Container("AU", "au", by_soundfile=True)
FLAC = Container("FLAC", "flac", by_soundfile=True)
MP3 = Container("MP3", "mp3", by_soundfile=True)
OGG = Container("Ogg", "ogg")
MP4 = Container("MP4/QuickTime", "mov")
MATROSKA = Container("Matroska/WebM", "matroska,webm")
ADTS = Container("AAC (ADTS)", "aac", states_length=False)

# (offset, bytes, container), tried in order.
_MAGIC: tuple[tuple[int, bytes, Container], ...] = (
    (0, b"fLaC", FLAC),
    (0, b"OggS", OGG),
    (8, b"WAVE", WAV),
    (0, b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb", W64),
    (8, b"AIFF", AIFF),
    (8, b"AIFC", AIFF),
    (0, b"caff", CAF),
    (0, b".snd", AU),
    (4, b"ftyp", MP4),
    (4, b"moov", MP4),
    (4, b"mdat", MP4),
    (4, b"wide", MP4),
    (0, b"\x1a\x45\xdf\xa3", MATROSKA),
    (8, b"AVI ", Container("AVI", "avi")),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Container("ASF/WMA", "asf")),
    (0, b"FLV\x01", Container("FLV", "flv")),
    (0, b"wvpk", Container("WavPack", "wv")),
    (0, b"MAC ", Container("Monkey's Audio", "ape")),
    (0, b"TTA1", Container("True Audio", "tta")),
    (0, b"DSD ", Container("DSF", "dsf")),
    (0, b"\x00\x00\x01\xba", Container("MPEG-PS", "mpeg", states_length=False)),
    (0, b"\x0b\x77", Container("AC-3", "ac3,eac3", states_length=False)),
)
_RIFF_LIKE = (b"RIFF", b"RF64", b"BW64", b"FORM")
_MPEG_TS = Container("MPEG-TS", "mpegts", states_length=False)


def sniff(path: Path) -> Container:
    """Say what kind of sound file this is.

    Raises:
        NotAudio: it is none that we know, or it is empty.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if not head:
            raise NotAudio("The file is empty.")
        skipped = id3_bytes(head)
        if skipped:
            file.seek(skipped)
            head = file.read(HEAD_BYTES)
        for offset, magic, container in _MAGIC:
            if head[offset : offset + len(magic)] == magic and (offset != 8 or head[:4] in _RIFF_LIKE):
                return container
        if len(head) > 188 and head[0] == 0x47 and head[188] == 0x47:
            return _MPEG_TS
        if _is_adts(head):
            return ADTS
        file.seek(skipped)
        if first_mp3_frame(file.read(MP3_SEARCH_BYTES)) is not None:
            return MP3
    raise NotAudio("This is not a sound file of a kind that we know.")


def id3_bytes(head: bytes) -> int:
    """Length in bytes of the ID3v2 tag at the start of a file, header and footer included; 0 if there is none.

    Source: ID3v2.4 structure, section 3.1.
    """
    if len(head) < _ID3_HEADER_BYTES or head[:3] != b"ID3" or any(byte & 0x80 for byte in head[6:10]):
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    footer = _ID3_HEADER_BYTES if head[5] & 0x10 else 0
    return _ID3_HEADER_BYTES + size + footer


def id3_is_excessive(path: Path) -> bool:
    """Whether the ID3v2 tag would cost more time or memory than reading a tag may.

    200,000 frames in 4 MB keep FFmpeg busy for 40 s, and a compressed frame of 200 KB can unfold to gigabytes. Such
    a tag is passed over, the sound behind it is still read. Only the frames' headers are looked at here.

    Source: ID3v2.3 section 3.3 and ID3v2.4 section 4 (frame header, data length, compression flag).
    """
    with path.open("rb") as file:
        head = file.read(_ID3_HEADER_BYTES)
        end = id3_bytes(head)
        if not end or head[3] < 3:
            return False
        at = _ID3_HEADER_BYTES
        for _ in range(MAX_ID3_FRAMES):
            file.seek(at)
            frame = file.read(14)
            if at + 10 > end or len(frame) < 14 or frame[0] == 0:
                return False
            size = struct.unpack(">I", frame[4:8])[0]
            if head[3] == 4:
                size = frame[4] << 21 | frame[5] << 14 | frame[6] << 7 | frame[7]
            if frame[9] & (0x08 if head[3] == 4 else 0x80):
                return True
            at += 10 + size
    return True


def _is_adts(head: bytes) -> bool:
    """Whether two AAC frames follow each other (ISO/IEC 13818-7, 6.2)."""

    def frame_bytes(at: int) -> int:
        if len(head) < at + 7 or head[at] != 0xFF or head[at + 1] & 0xF6 != 0xF0:
            return 0
        return (head[at + 3] & 3) << 11 | head[at + 4] << 3 | head[at + 5] >> 5

    first = frame_bytes(0)
    return first > 7 and (frame_bytes(first) > 7 or first + 7 > len(head))


_MP3_KBIT = {
    (3, 1): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (3, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (2, 1): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_RATE_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def _mp3_frame_bytes(data: bytes, at: int) -> int:
    """Length of the MPEG layer II/III frame at `at`, or 0 if none begins there (ISO/IEC 11172-3, 2.4.2.3)."""
    if len(data) < at + 4 or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return 0
    version, layer = data[at + 1] >> 3 & 3, data[at + 1] >> 1 & 3
    bitrate, rate, padding = data[at + 2] >> 4, data[at + 2] >> 2 & 3, data[at + 2] >> 1 & 1
    if version == 1 or layer not in (1, 2) or bitrate in (0, 15) or rate == 3:
        return 0
    kbit = _MP3_KBIT[(3 if version == 3 else 2, layer)][bitrate]
    samples_per_8 = 144 if version == 3 or layer == 2 else 72
    return samples_per_8 * kbit * 1000 // _MP3_RATE_HZ[version][rate] + padding


def first_mp3_frame(data: bytes) -> int | None:
    """Where the first MPEG audio frame begins that another one follows, or None."""
    at = data.find(b"\xff")
    while at >= 0:
        length = _mp3_frame_bytes(data, at)
        if length and (_mp3_frame_bytes(data, at + length) or (at == 0 and length >= len(data))):
            return at
        at = data.find(b"\xff", at + 1)
    return None


def mp3_declares_length(path: Path) -> bool:
    """Whether the first frame is a Xing, Info or VBRI header, which counts the frames; else lengths are guesses."""
    with path.open("rb") as file:
        skipped = id3_bytes(file.read(_ID3_HEADER_BYTES))
        file.seek(skipped)
        data = file.read(MP3_SEARCH_BYTES)
    at = first_mp3_frame(data)
    return at is not None and any(mark in data[at : at + 200] for mark in (b"Xing", b"Info", b"VBRI"))


def ogg_is_closed(path: Path) -> bool:
    """Whether the last Ogg page is whole and marked as the end of its stream (RFC 3533, section 6)."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - OGG_LAST_PAGE_BYTES))
        tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27:
        return False
    flags, segments = tail[at + 5], tail[at + 26]
    body = tail[at + 27 : at + 27 + segments]
    return bool(flags & 4) and at + 27 + segments + sum(body) <= len(tail)


def declared_pcm_frames(path: Path, container: Container) -> int | None:
    """Frames that the header of a PCM file promises, where libraries would only tell what is left of them.

    None where the header does not say (a stream written with an open end) or the codec is not PCM.
    """
    walk = _WALKS.get(container.name)
    if walk is None:
        return None
    with path.open("rb") as file:
        try:
            return walk(file)
        except (struct.error, ZeroDivisionError):
            return None


def _chunks(file: BinaryIO, start: int, header: str) -> Iterator[tuple[bytes, int]]:
    """Name and size of each chunk of a RIFF-like file, with the file at the chunk's content."""
    layout = struct.Struct(header)
    file.seek(start)
    while len(head := file.read(layout.size)) == layout.size:
        name, size = layout.unpack(head)
        content = file.tell()
        yield name, size
        file.seek(content + size + (size & 1 if layout.size == 8 else 0))


def _wav_frames(file: BinaryIO) -> int | None:
    """RIFF, RF64 and BW64 (EBU Tech 3306): `data` bytes over `block align`."""
    block_align = promised = 0
    for name, size in _chunks(file, 12, "<4sI"):
        if name == b"ds64":
            promised = struct.unpack("<QQ", file.read(16))[1]
        elif name == b"fmt ":
            block_align = struct.unpack("<HHIIH", file.read(14))[4]
        elif name == b"data":
            return (promised if size in (0, 0xFFFFFFFF) else size) // block_align or None
    return None


def _w64_frames(file: BinaryIO) -> int | None:
    """Sony Wave64: chunks named by 16-byte GUIDs, sizes that include their 24-byte header, 8-byte aligned."""
    file.seek(40)
    block_align = 0
    while len(header := file.read(24)) == 24:
        name, size = header[:4], struct.unpack("<Q", header[16:])[0]
        start = file.tell()
        if name == b"fmt ":
            block_align = struct.unpack("<HHIIH", file.read(14))[4]
        elif name == b"data":
            return int(size - 24) // block_align or None
        file.seek(start + ((max(size, 24) - 24 + 7) & ~7))
    return None


def _aiff_frames(file: BinaryIO) -> int | None:
    """AIFF and AIFC: `numSampleFrames` of the `COMM` chunk."""
    for name, _ in _chunks(file, 12, ">4sI"):
        if name == b"COMM":
            return int(struct.unpack(">HI", file.read(6))[1]) or None
    return None


def _caf_frames(file: BinaryIO) -> int | None:
    """Core Audio Format: `data` bytes (less the edit count) over bytes a packet; −1 means open-ended."""
    packet_bytes = 0
    for name, size in _chunks(file, 8, ">4sq"):
        if name == b"desc":
            packet_bytes = struct.unpack(">d4sII", file.read(20))[3]
        elif name == b"data":
            return (size - 4) // packet_bytes if size > 4 and packet_bytes else None
    return None


_WALKS: dict[str, Callable[[BinaryIO], int | None]] = {
    WAV.name: _wav_frames,
    W64.name: _w64_frames,
    AIFF.name: _aiff_frames,
    CAF.name: _caf_frames,
}
