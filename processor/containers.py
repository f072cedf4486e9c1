"""What a file is, by its first bytes.

A name proves nothing: text called `song.mp3` can be a playlist that makes FFmpeg open other files. So the bytes
decide, and FFmpeg is only ever allowed the demuxer that belongs to them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from processor.errors import NotAudio

HEAD_BYTES = 4096
MP3_SEARCH_BYTES = 1 << 17
# So many MPEG frames in a row are no chance: one in 10^18 offsets of random bytes begins such a run.
MP3_RUN_FRAMES = 4
_ID3_HEADER_BYTES = 10
# Some taggers put a new tag before the old one instead of replacing it.
MAX_ID3_TAGS = 16


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

    @property
    def demuxer(self) -> str | None:
        """The demuxer to use without looking, or None where FFmpeg has to choose."""
        return None if self is AC3 else self.demuxers.partition(",")[0]


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
AC3 = Container("AC-3", "ac3,eac3", states_length=False)

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
    (0, b"\x0b\x77", AC3),
)
_RIFF_LIKE = (b"RIFF", b"RF64", b"BW64", b"FORM")
_MPEG_TS = Container("MPEG-TS", "mpegts", states_length=False)


def sniff(path: Path) -> Container:
    """Say what kind of sound file this is.

    Raises:
        NotAudio: it is none that we know, or it is empty.
    """
    with path.open("rb") as file:
        start = leading_tags_bytes(file)
        head = file.read(HEAD_BYTES)
        if not head:
            raise NotAudio("There is nothing in this file but a tag." if start else "The file is empty.")
        for offset, magic, container in _MAGIC:
            if head[offset : offset + len(magic)] == magic and (offset != 8 or head[:4] in _RIFF_LIKE):
                return container
        if len(head) > 188 and head[0] == 0x47 and head[188] == 0x47:
            return _MPEG_TS
        if _is_adts(head):
            return ADTS
        file.seek(start)
        if first_mp3_frame(file.read(MP3_SEARCH_BYTES)) is not None:
            return MP3
    raise NotAudio("This is not a sound file of a kind that we know.")


def leading_tags_bytes(file: BinaryIO) -> int:
    """Length in bytes of the ID3v2 tags at the start of a file, which is left standing behind them.

    Nothing that decodes sound may see these tags: 200,000 frames in 4 MB keep FFmpeg and mpg123 busy for 40 s.

    Source: ID3v2.4 structure, section 3.1.
    """
    start = 0
    for _ in range(MAX_ID3_TAGS):
        file.seek(start)
        length = _id3_bytes(file.read(_ID3_HEADER_BYTES))
        if not length:
            break
        start += length
    file.seek(start)
    return start


def _id3_bytes(head: bytes) -> int:
    """Length of the tag that begins with `head`, header and footer included; 0 if none does."""
    if len(head) < _ID3_HEADER_BYTES or head[:3] != b"ID3" or any(byte & 0x80 for byte in head[6:10]):
        return 0
    footer = _ID3_HEADER_BYTES if head[5] & 0x10 else 0
    return _ID3_HEADER_BYTES + _syncsafe(head[6:10]) + footer


def _syncsafe(four: bytes) -> int:
    """A number in four bytes of seven bits each (ID3v2.4 structure, section 6.2)."""
    return four[0] << 21 | four[1] << 14 | four[2] << 7 | four[3]


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
    """Where MPEG audio begins: `MP3_RUN_FRAMES` frames of one kind in a row, or None.

    At the very beginning, fewer will do if nothing follows them.
    """
    at = data.find(b"\xff")
    while at >= 0:
        if _is_mp3_run(data, at):
            return at
        at = data.find(b"\xff", at + 1)
    return None


def _is_mp3_run(data: bytes, start: int) -> bool:
    at = start
    for _ in range(MP3_RUN_FRAMES):
        length = _mp3_frame_bytes(data, at)
        if not length or (data[at + 1] ^ data[start + 1]) & 0xFE or (data[at + 2] ^ data[start + 2]) & 0x0C:
            return False
        at += length
        if at >= len(data):
            return start == 0
    return True


# A tag with a cover, lyrics and every field of a tag editor has about a hundred entries.
MAX_TAGS = 2000
_OGG_TAGS_BYTES = 1 << 16
_MAX_VENDOR_BYTES = 1024
_MAX_FLAC_BLOCKS = 1000
_PADDING_BLOCK_BYTES = 1 << 16
# How the packet of tags begins: Vorbis I, section 4.2.1; RFC 7845, section 5.2.
_OGG_TAGS_MARKS = (b"\x03vorbis", b"OpusTags")


def has_too_many_tags(path: Path, container: Container) -> bool:
    """Whether reading the tags would cost more time or memory than tags may.

    FFmpeg compares each tag with each other one: 200,000 in a FLAC of 4 MB take it minutes. Only their headers are
    looked at here. Tags before the sound (ID3) count as well; the decoders pass over those.
    """
    with path.open("rb") as file:
        return _has_excessive_id3(file) or _has_excessive_comments(file, container)


def has_too_many_comments(path: Path, container: Container) -> bool:
    """The same for tags that FFmpeg cannot be kept from reading, those inside the container."""
    with path.open("rb") as file:
        return _has_excessive_comments(file, container)


def _has_excessive_id3(file: BinaryIO) -> bool:
    """Whether an ID3v2 tag has too many frames, or a compressed one: 200 KB of these can unfold to gigabytes.

    Source: ID3v2.2 section 3.2, ID3v2.3 sections 3.2 and 3.3, ID3v2.4 structure sections 3.2 and 4.1.
    """
    total = leading_tags_bytes(file)
    start = frames = 0
    while start < total:
        file.seek(start)
        head = file.read(_ID3_HEADER_BYTES)
        version, end = head[3], start + _id3_bytes(head)
        for flags in _id3_frames(file, version, head[5], start + _ID3_HEADER_BYTES, end):
            frames += 1
            if frames > MAX_TAGS or flags & (0x08 if version >= 4 else 0x80):
                return True
        start = end
    return False


def _id3_frames(file: BinaryIO, version: int, tag_flags: int, at: int, end: int) -> Iterator[int]:
    """Format flags of each frame between `at` and `end`."""
    name_bytes, header_bytes = (3, 6) if version < 3 else (4, 10)
    file.seek(at)
    if version >= 3 and tag_flags & 0x40:
        extended = file.read(4)
        at += _syncsafe(extended) if version >= 4 else 4 + int.from_bytes(extended, "big")
    while at + header_bytes <= end:
        file.seek(at)
        frame = file.read(header_bytes)
        if len(frame) < header_bytes:
            return
        if not any(frame):  # padding ends a tag, but FFmpeg goes on behind it
            at += _zeros(file, at, header_bytes)
            continue
        size = frame[name_bytes : 2 * name_bytes]
        at += header_bytes + (_syncsafe(size) if version >= 4 else int.from_bytes(size, "big"))
        yield frame[9] if version >= 3 else 0


def _zeros(file: BinaryIO, at: int, step: int) -> int:
    """How many bytes of zeros follow `at`, in whole steps, at least one and at most a block."""
    file.seek(at)
    block = file.read(_PADDING_BLOCK_BYTES)
    return max(1, (len(block) - len(block.lstrip(b"\0"))) // step) * step


def _has_excessive_comments(file: BinaryIO, container: Container) -> bool:
    """Whether the Vorbis comments of a FLAC or Ogg file are too many."""
    leading_tags_bytes(file)
    if container is FLAC:
        return _flac_comments(file) > MAX_TAGS
    if container is OGG:
        head = file.read(_OGG_TAGS_BYTES)
        starts = (at + len(mark) for mark in _OGG_TAGS_MARKS if (at := head.find(mark)) >= 0)
        return any(_comments(head[at : at + _MAX_VENDOR_BYTES + 8]) > MAX_TAGS for at in starts)
    return False


def _flac_comments(file: BinaryIO) -> int:
    """Number of comments in all `VORBIS_COMMENT` blocks (RFC 9639, section 8)."""
    count = 0
    at = file.tell() + 4
    for _ in range(_MAX_FLAC_BLOCKS):
        file.seek(at)
        block = file.read(4)
        if len(block) == 4 and block[0] & 0x7F == 4:
            count += _comments(file.read(_MAX_VENDOR_BYTES + 8))
        if len(block) < 4 or block[0] & 0x80:
            return count
        at += 4 + int.from_bytes(block[1:], "big")
    return MAX_TAGS + 1


def _comments(head: bytes) -> int:
    """The count at the start of a packet of Vorbis comments; a vendor's name too long to be one counts as too many."""
    if len(head) < 8:
        return 0
    vendor = struct.unpack("<I", head[:4])[0]
    if vendor > _MAX_VENDOR_BYTES:
        return MAX_TAGS + 1
    return int.from_bytes(head[4 + vendor : 8 + vendor], "little")
