"""How much sound a file says it holds, read where libraries would only tell what is left of it.

A cut recording looks whole to a library that believes the file's size more than its header. What the header promises
against what could be decoded is how damage is found.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from processor.containers import (
    AIFF,
    AU,
    CAF,
    MATROSKA,
    MP3_SEARCH_BYTES,
    MP4,
    OGG,
    W64,
    WAV,
    Container,
    first_mp3_frame,
    leading_tags_bytes,
)

OGG_LAST_PAGE_BYTES = 1 << 17
# Real files have a dozen; beyond this somebody wants us to count for ever.
MAX_CHUNKS = 4096


# Encoders miscount by a frame or two; only so much more than they counted is looked at.
_MIN_JOINED_BYTES = 1 << 12


def mp3_declares_length(path: Path) -> bool:
    """Whether the first frame is a Xing, Info or VBRI header that counts all frames; else lengths are guesses.

    It does not where more sound follows than it counts, as when files were joined.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        start = leading_tags_bytes(file)
        data = file.read(MP3_SEARCH_BYTES)
        at = first_mp3_frame(data)
        counted = None if at is None else _mp3_counted_bytes(data[at : at + 200])
        if at is None or counted is None:
            return False
        end = start + at + counted
        if not counted or size - end < _MIN_JOINED_BYTES:
            return True
        file.seek(end)
        beyond = file.read(MP3_SEARCH_BYTES)
        return not beyond.startswith(b"ID3") and first_mp3_frame(beyond) is None


def _mp3_counted_bytes(frame: bytes) -> int | None:
    """Bytes that a Xing, Info or VBRI header counts, 0 if it does not say; None if it is none or counts no frames."""
    for mark in (b"Xing", b"Info"):
        at = frame.find(mark)
        if at >= 0:
            flags = int.from_bytes(frame[at + 4 : at + 8], "big")
            if not flags & 1:
                return None
            return int.from_bytes(frame[at + 12 : at + 16], "big") if flags & 2 else 0
    at = frame.find(b"VBRI")
    return int.from_bytes(frame[at + 10 : at + 14], "big") if at >= 0 else None


def declared_pcm_frames(path: Path, container: Container) -> int | None:
    """Frames that the header of a PCM file promises.

    None where the header does not say (a stream written with an open end) or the codec is not PCM.
    """
    walk = _WALKS.get(container.name)
    if walk is None:
        return None
    with path.open("rb") as file:
        start = leading_tags_bytes(file)
        try:
            return walk(file, start)
        except (
            struct.error,
            ZeroDivisionError,
            OSError,
            OverflowError,
            ValueError,
        ):  # from seeks beyond what files can be
            return None


def end_is_missing(path: Path, container: Container) -> bool:
    """Whether a file that does not say how long its sound is was cut: its last part is not whole."""
    check = _END_CHECKS.get(container.name)
    if check is None:
        return False
    with path.open("rb") as file:
        size = file.seek(0, 2)
        start = leading_tags_bytes(file)
        try:
            return check(file, start, size)
        except (struct.error, OSError, OverflowError, ValueError):
            return False


def _is_open_ended(size: int) -> bool:
    """Whether a 32-bit size means "until the end": 0, or the largest number less a header, as written to a pipe."""
    return size == 0 or size >= 0xFFFFF000 or 0x7FFFF000 <= size <= 0x7FFFFFFF


def _chunks(file: BinaryIO, start: int, header: str) -> Iterator[tuple[bytes, int]]:
    """Name and size of each chunk of a RIFF-like file, with the file at the chunk's content."""
    layout = struct.Struct(header)
    file.seek(start)
    for _ in range(MAX_CHUNKS):
        head = file.read(layout.size)
        if len(head) < layout.size:
            return
        name, size = layout.unpack(head)
        content = file.tell()
        yield name, size
        if size < 0:
            return
        file.seek(content + size + (size & 1 if layout.size == 8 else 0))


# WAVE format tags of codings with one size for each sample: PCM, float, A-law, µ-law.
_LINEAR_TAGS = (1, 3, 6, 7)
_EXTENSIBLE_TAG = 0xFFFE


def _frame_bytes(file: BinaryIO) -> int:
    """`block align` of a WAVE format chunk if the coding is linear, else 0."""
    chunk = file.read(26)
    tag, *_, block_align = struct.unpack("<HHIIH", chunk[:14])
    if tag == _EXTENSIBLE_TAG:
        tag = struct.unpack("<H", chunk[24:26])[0]
    return int(block_align) if tag in _LINEAR_TAGS else 0


def _wav_frames(file: BinaryIO, start: int) -> int | None:
    """RIFF, RF64 and BW64 (EBU Tech 3306): `data` bytes over `block align`."""
    frame_bytes = promised = 0
    for name, size in _chunks(file, start + 12, "<4sI"):
        if name == b"ds64":
            promised = struct.unpack("<QQ", file.read(16))[1]
        elif name == b"fmt ":
            frame_bytes = _frame_bytes(file)
        elif name == b"data":
            return (promised if _is_open_ended(size) else size) // frame_bytes or None
    return None


# Beyond every file system: "until the end".
_W64_OPEN_BYTES = 1 << 62


def _w64_frames(file: BinaryIO, start: int) -> int | None:
    """Sony Wave64: chunks named by 16-byte GUIDs, sizes that include their 24-byte header, 8-byte aligned."""
    file.seek(start + 40)
    frame_bytes = 0
    for _ in range(MAX_CHUNKS):
        header = file.read(24)
        name, size = header[:4], struct.unpack("<Q", header[16:])[0]
        content = file.tell()
        if name == b"fmt ":
            frame_bytes = _frame_bytes(file)
        elif name == b"data":
            return (max(0, size - 24) // frame_bytes or None) if size < _W64_OPEN_BYTES else None
        file.seek(content + ((max(size, 24) - 24 + 7) & ~7))
    return None


# AIFC compression types of linear codings.
_LINEAR_AIFC = (
    *(b"NONE", b"twos", b"sowt", b"raw ", b"in24", b"in32"),
    *(b"fl32", b"FL32", b"fl64", b"FL64", b"ulaw", b"alaw"),
)

# What SoX writes to a pipe; a promise beyond it would need two gigabytes for the thinnest sound.
_AIFF_OPEN_FRAMES = 0x7F000000


def _aiff_frames(file: BinaryIO, start: int) -> int | None:
    """AIFF and AIFC: `numSampleFrames` of the `COMM` chunk."""
    for name, size in _chunks(file, start + 12, ">4sI"):
        if name == b"COMM":
            chunk = file.read(22)
            frames = struct.unpack(">HI", chunk[:6])[1]
            is_linear = size < 22 or chunk[18:22] in _LINEAR_AIFC
            return frames if is_linear and 0 < frames < _AIFF_OPEN_FRAMES else None
    return None


def _caf_frames(file: BinaryIO, start: int) -> int | None:
    """Core Audio Format: `data` bytes (less the edit count) over bytes a packet; −1 means open-ended."""
    packet_bytes = 0
    for name, size in _chunks(file, start + 8, ">4sq"):
        if name == b"desc":
            _, codec, _, packet_bytes, packet_frames = struct.unpack(">d4sIII", file.read(24))
            if codec not in (b"lpcm", b"ulaw", b"alaw") or packet_frames != 1:
                return None
        elif name == b"data":
            return (size - 4) // packet_bytes if size > 4 and packet_bytes else None
    return None


# AU encodings of linear codings → bytes a sample.
_AU_SAMPLE_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}


def _au_frames(file: BinaryIO, start: int) -> int | None:
    """AU (Sun `.snd`): data bytes over bytes a frame; 0xFFFFFFFF means open-ended."""
    file.seek(start + 8)
    size, encoding, _, channels = struct.unpack(">IIII", file.read(16))
    return None if _is_open_ended(size) else int(size) // (_AU_SAMPLE_BYTES.get(encoding, 0) * channels)


_WALKS: dict[str, Callable[[BinaryIO, int], int | None]] = {
    WAV.name: _wav_frames,
    W64.name: _w64_frames,
    AIFF.name: _aiff_frames,
    CAF.name: _caf_frames,
    AU.name: _au_frames,
}


def _ogg_is_cut(file: BinaryIO, start: int, size: int) -> bool:
    """Whether the last Ogg page is torn or not marked as the end of its stream (RFC 3533, section 6)."""
    file.seek(max(start, size - OGG_LAST_PAGE_BYTES))
    tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27:
        return True
    flags, segments = tail[at + 5], tail[at + 26]
    body = tail[at + 27 : at + 27 + segments]
    return not flags & 4 or at + 27 + segments + sum(body) > len(tail)


# Boxes of the top level, by ISO/IEC 14496-12 and QuickTime.
_MP4_BOXES = (
    *(b"ftyp", b"styp", b"moov", b"mdat", b"moof", b"mfra", b"sidx", b"ssix", b"prft", b"pdin"),
    *(b"meta", b"uuid", b"emsg", b"free", b"skip", b"wide", b"pnot", b"udta"),
)


def _mp4_is_cut(file: BinaryIO, start: int, size: int) -> bool:
    """Whether a top-level box reaches beyond the file (ISO/IEC 14496-12, section 4.2)."""
    at = start
    for _ in range(MAX_CHUNKS):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return False
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if (
            head[4:8] not in _MP4_BOXES or length < 8
        ):  # something added behind the last box; 0: up to the end of the file
            return False
        at += length
        if at > size:
            return True
    return False


_EBML_VOID = b"\xec"
# Elements of the top level: EBML header, segment and padding (RFC 9559, section 5).
_MATROSKA_TOP = (b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", _EBML_VOID)


def _matroska_is_cut(file: BinaryIO, start: int, size: int) -> bool:
    """Whether the segment reaches beyond the file (RFC 8794, section 4: element IDs and data sizes)."""
    at = start
    for _ in range(MAX_CHUNKS):
        file.seek(at)
        head = file.read(12)
        id_bytes = 1 if head[:1] == _EBML_VOID else 4
        if head[:id_bytes] not in _MATROSKA_TOP or len(head) <= id_bytes or not head[id_bytes]:
            return False
        size_bytes = 9 - head[id_bytes].bit_length()
        length = int.from_bytes(head[id_bytes : id_bytes + size_bytes], "big") & ((1 << 7 * size_bytes) - 1)
        if length == (1 << 7 * size_bytes) - 1:  # unknown: written live
            return False
        at += id_bytes + size_bytes + length
        if at > size:
            return True
    return False


_END_CHECKS: dict[str, Callable[[BinaryIO, int, int], bool]] = {
    OGG.name: _ogg_is_cut,
    MP4.name: _mp4_is_cut,
    MATROSKA.name: _matroska_is_cut,
}
