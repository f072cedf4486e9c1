"""Two ways to turn a file into blocks of samples: libsndfile (exact and fast) and FFmpeg through PyAV (everything).

Both are context managers with a `header`, a `blocks()` generator of float32 arrays of shape `(channels, n)`, and
a `damage` list that fills while the blocks are read.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from processor.channels import default_positions
from processor.containers import (
    ADTS,
    FLAC,
    MATROSKA,
    MAX_TAGS,
    MP3,
    MP4,
    OGG,
    Container,
    has_too_many_comments,
    has_too_many_tags,
    leading_tags_bytes,
    sniff,
)
from processor.errors import NoSound, NotAudio
from processor.lengths import declared_pcm_frames, end_is_missing, mp3_declares_length

Samples = NDArray[np.float32]

# Blocks that stay in the cache.
READ_FRAMES = 1 << 16
# libsndfile and some headers write "unknown" as a huge length.
UNKNOWN_FRAMES = 1 << 40
# Lossy codecs pad and trim by a frame or two, and containers round their durations to a millisecond.
CODEC_TOLERANCE_S = 0.1
ROUNDING_S = 0.002
# A year. What promises more has a broken clock.
MAX_DECLARED_S = 366 * 86400.0
END_IS_MISSING = "the end of the file is missing"


@dataclass(frozen=True)
class Header:
    """What a file says of its sound before any of it is decoded.

    Attributes:
        container: kind of file.
        codec: name of the coding, for people.
        sample_rate_hz: sampling rate.
        positions: loudspeaker of each channel (`FL FR FC LFE BL BR SL SR BC`), in order.
        bit_depth: bits a sample of linear codings; None for lossy ones.
        declared_frames: promised length in frames; None where the file does not say.
        tolerance_s: by how much the decoded sound may be shorter without anything being lost.
        frame_bytes: bytes of one frame in the file, where each has the same; None where the coding compresses.
    """

    container: Container
    codec: str
    sample_rate_hz: int
    positions: tuple[str, ...]
    bit_depth: int | None
    declared_frames: int | None
    tolerance_s: float = 0.0
    frame_bytes: int | None = None


class Reader(Protocol):
    """An open file: its header, its blocks, and what was found damaged so far."""

    header: Header
    damage: list[str]

    def blocks(self) -> Iterator[Samples]:
        """Yield the sound from its beginning, in blocks of any length."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...


# libsndfile's names of codings that keep samples as they are → bits a sample.
_BITS = {
    "PCM_S8": 8,
    "PCM_U8": 8,
    "PCM_16": 16,
    "PCM_24": 24,
    "PCM_32": 32,
    "FLOAT": 32,
    "DOUBLE": 64,
    "ALAC_16": 16,
    "ALAC_20": 20,
    "ALAC_24": 24,
    "ALAC_32": 32,
}


class _Untagged(io.RawIOBase):
    """A file from behind its ID3 tags on."""

    def __init__(self, path: Path, start: int) -> None:
        self._file = path.open("rb")
        self._start = start
        self._file.seek(start)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        return self._file.readinto(buffer)  # type: ignore[arg-type]  # any writable buffer will do

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset + self._start if whence == os.SEEK_SET else offset, whence) - self._start

    def tell(self) -> int:
        return self._file.tell() - self._start

    def close(self) -> None:
        self._file.close()
        super().close()


def _start_of_sound(path: Path) -> int:
    with path.open("rb") as file:
        return leading_tags_bytes(file)


class SoundFileReader:
    """libsndfile: WAV, AIFF, FLAC, MP3 and their like, mono and stereo."""

    def __init__(self, path: Path, container: Container) -> None:
        import soundfile

        if container is MP3 and not mp3_declares_length(path):
            raise NotAudio("MP3: nothing counts its frames, and libsndfile would stop where it guesses the end.")
        try:
            start = _start_of_sound(path)
            self._file = soundfile.SoundFile(_Untagged(path, start) if start else os.fsencode(path))
        except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
            raise NotAudio(f"{container.name}: the header cannot be read ({error}).") from error
        # After each read of a file in which it can, soundfile seeks to where it stands. An MP3 frame borrows bits from
        # frames before it, which mpg123 then lacks: each block would begin with wrong sound.
        self._file.seekable = lambda: False
        channels, subtype = int(self._file.channels), str(self._file.subtype)
        if channels > 2:
            self._file.close()
            raise NotAudio(f"{container.name}: libsndfile does not name the loudspeakers of {channels} channels.")
        self.damage: list[str] = []
        bits = _BITS.get(subtype)
        is_pcm = bits is not None and container is not FLAC and not subtype.startswith("ALAC")
        self.header = Header(
            container=container,
            codec=str(self._file.subtype_info),
            sample_rate_hz=int(self._file.samplerate),
            positions=default_positions(channels),
            bit_depth=bits,
            declared_frames=self._declared_frames(path, container),
            frame_bytes=channels * bits // 8 if bits and is_pcm else None,
        )

    def _declared_frames(self, path: Path, container: Container) -> int | None:
        frames = declared_pcm_frames(path, container) or int(self._file.frames)
        return frames if 0 < frames < UNKNOWN_FRAMES else None

    def blocks(self) -> Iterator[Samples]:
        """Yield the sound from its beginning, in blocks of any length."""
        import soundfile

        left = self.header.declared_frames or UNKNOWN_FRAMES  # behind them can stand tags, or chunks that are no sound
        while left > 0:
            try:
                block = self._file.read(min(READ_FRAMES, left), dtype="float32", always_2d=True)
            except soundfile.LibsndfileError:
                self.damage.append("some of the sound is damaged")
                return
            if len(block) == 0:
                return
            left -= len(block)
            yield block.T

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


# A header is read in milliseconds. Only one that was made to keep us busy takes so long.
OPEN_TIMEOUT_S = 10.0
MAX_READ_ERRORS = 100


def _open_av(path: Path, container: Container, *, start: int = 0) -> Any:
    """Open a file with FFmpeg, allowed this container's demuxers and plain files only, from byte `start` on."""
    import av

    options = {"format_whitelist": container.demuxers, "protocol_whitelist": "file", "err_detect": "crccheck"}
    if start:
        options["skip_initial_bytes"] = str(start)
    if container in (MP3, ADTS):  # their frames say all; from further on FFmpeg would learn the format of a joined file
        options["analyzeduration"] = "100000"  # µs
    return av.open(
        f"file:{path}",  # without the prefix, a name like "concat:a|b" would be a protocol
        format=container.demuxer,  # FFmpeg would have to find what stands behind a large tag
        options=options,
        metadata_errors="replace",
        timeout=(OPEN_TIMEOUT_S, None),
    )


def read_tags(path: Path) -> dict[str, str]:
    """The file's tags by lower-case name; empty where they cannot be read or would cost too much."""
    import av

    try:
        container = sniff(path)
        if has_too_many_tags(path, container):
            return {}
        with _open_av(path, container) as opened:
            streams = [stream.metadata for stream in opened.streams.audio[:1]]
            return {name.lower(): text for tags in (*streams, opened.metadata) for name, text in tags.items()}
    except (av.error.FFmpegError, NotAudio, ValueError, UnicodeError):
        return {}


class FFmpegReader:
    """FFmpeg in process: all other containers, more than two channels, and whatever is damaged."""

    def __init__(self, path: Path, container: Container) -> None:
        import av

        if has_too_many_comments(path, container):
            raise NotAudio(f"{container.name}: there are more than {MAX_TAGS} tags, which would take minutes to read.")
        try:
            self._container = _open_av(path, container, start=_start_of_sound(path))
        except (av.error.FFmpegError, ValueError, UnicodeError) as error:
            reason = f"{END_IS_MISSING}, and its index with it" if end_is_missing(path, container) else _reason(error)
            raise NotAudio(f"{container.name}: the file cannot be opened ({reason}).") from error
        self.damage: list[str] = []
        self._bad_packets = self._bad_reads = 0
        try:
            if not self._container.streams.audio:
                raise NotAudio(f"{container.name}: there is no sound in this file.")
            self._stream = self._container.streams.audio[0]
            self.header = self._read_header(path, container)
        except BaseException:
            self._container.close()
            raise

    def _read_header(self, path: Path, container: Container) -> Header:
        context = self._stream.codec_context
        if context is None or context.sample_rate <= 0 or context.layout.nb_channels <= 0:
            raise NoSound(f"{container.name}: the sound has no codec that we know, no sample rate or no channels.")
        rate, count = int(context.sample_rate), int(context.layout.nb_channels)
        names = tuple(channel.name for channel in context.layout.channels)
        bits = _linear_bits(context.codec.name, context.format.name if context.format else "")
        pcm_frames = declared_pcm_frames(path, container)
        declared = pcm_frames or self._declared_frames(path, container, rate)
        is_cut = end_is_missing(path, container)
        if is_cut and (declared is None or container is OGG):
            self.damage.append(END_IS_MISSING)
            declared = None  # what FFmpeg takes for the length is that of what is left
        return Header(
            container=container,
            codec=str(context.codec.long_name or context.codec.name),
            sample_rate_hz=rate,
            positions=default_positions(count) if "NONE" in names or count <= 1 else names,
            bit_depth=bits,
            declared_frames=declared,
            tolerance_s=0.0 if pcm_frames or is_cut else _tolerance_s(container, bits),
            frame_bytes=count * bits // 8 if bits and context.codec.name.startswith("pcm_") else None,
        )

    def _declared_frames(self, path: Path, container: Container, rate: int) -> int | None:
        """Length that the container promises; None where it does not, or where FFmpeg only guesses."""
        stream = self._stream
        if not container.states_length or (container is MP3 and not mp3_declares_length(path)):
            return None
        if stream.duration and stream.time_base:
            seconds = float(stream.duration * stream.time_base)
        elif self._container.duration and not self._container.streams.video:
            seconds = self._container.duration / 1e6
        else:
            return None
        return round(seconds * rate) if 0 < seconds < MAX_DECLARED_S else None

    def blocks(self) -> Iterator[Samples]:
        """Yield the sound from its beginning, in blocks of any length."""
        channels = len(self.header.positions)
        block = np.empty((channels, READ_FRAMES), np.float32)
        filled = 0
        for frame in self._frames():
            count = frame.samples
            if filled + count > block.shape[1]:
                yield block[:, :filled]
                block = np.empty((channels, max(READ_FRAMES, count)), np.float32)
                filled = 0
            _copy_frame(frame, block[:, filled : filled + count])
            filled += count
        if filled:
            yield block[:, :filled]

    def _frames(self) -> Iterator[Any]:
        """Decoded frames, as long as they have the header's format."""
        rate, channels = self.header.sample_rate_hz, len(self.header.positions)
        for frame in self._decode():
            if frame.sample_rate != rate or frame.layout.nb_channels != channels:
                self._stop_at_change()
                return
            yield frame

    def _decode(self) -> Iterator[Any]:
        """All frames; damaged packets are counted and left out."""
        import av

        for packet in self._packets():
            try:
                yield from packet.decode()
            except (av.error.FFmpegError, ValueError):
                self._bad_packets += 1

    def _packets(self) -> Iterator[Any]:
        """Packets until the end. Where the demuxer stumbles it is asked again, so that what follows is not lost."""
        import av

        try:
            while self._bad_reads < MAX_READ_ERRORS:
                try:
                    yield from self._container.demux(self._stream)
                    return
                except av.error.PatchWelcomeError:
                    self._stop_at_change()
                    return
                except (av.error.FFmpegError, IndexError):  # the latter for streams that begin later than the file
                    self._bad_reads += 1
        finally:
            self.damage += _count(self._bad_packets, "damaged packet") + _count(self._bad_reads, "unreadable place")

    def _stop_at_change(self) -> None:
        self.damage.append("the format changes in the middle of the file, and what follows is left out")
        self.header = replace(self.header, declared_frames=None)  # it counted both parts at one rate

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(Exception):
            self._container.close()


def _tolerance_s(container: Container, bits: int | None) -> float:
    return ROUNDING_S if bits and container in (FLAC, OGG, MP4, MATROSKA) else CODEC_TOLERANCE_S


def _count(number: int, what: str) -> list[str]:
    return [f"{number} {what}{'s' if number > 1 else ''} skipped"] if number else []


# FFmpeg's sample formats, without the "p" of those that keep channels apart → type and full scale.
_FORMATS: dict[str, tuple[type[np.generic], float]] = {
    "u8": (np.uint8, 128.0),
    "s16": (np.int16, 32768.0),
    "s32": (np.int32, 2147483648.0),
    "s64": (np.int64, 9223372036854775808.0),
    "flt": (np.float32, 1.0),
    "dbl": (np.float64, 1.0),
}


def _copy_frame(frame: Any, target: Samples) -> None:
    """Write one decoded frame to `target`, shape `(channels, n)`, full scale 1.0.

    Planes are taken one by one: PyAV's own `to_ndarray` counts them up to the first null pointer, which for eight
    channels and more lies behind the end of the list, and crashes.
    """
    name: str = frame.format.name
    kind, full_scale = _FORMATS[name.removesuffix("p")]
    channels, count = target.shape
    if name.endswith("p"):
        for index in range(channels):
            target[index] = _plane(frame, index, kind, count)
    else:
        target[:] = _plane(frame, 0, kind, count * channels).reshape(count, channels).T
    if full_scale != 1.0:
        target *= np.float32(1 / full_scale)
    if kind is np.uint8:
        target -= np.float32(1.0)


def _plane(frame: Any, index: int, kind: type[np.generic], count: int) -> NDArray[Any]:
    """One plane of a frame; doubles beyond float32 become infinite, to be counted later."""
    from av.audio.plane import AudioPlane

    plane: Any = AudioPlane(frame, index)
    values = np.frombuffer(plane, kind, count)
    if kind is not np.float64:
        return values
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(np.float32)


def _linear_bits(codec: str, sample_format: str) -> int | None:
    """Bits a sample where the codec keeps samples as they are."""
    if codec.startswith("pcm_"):
        digits = "".join(c for c in codec[4:7] if c.isdigit())
        return int(digits) if digits else None
    if codec in ("flac", "alac", "wavpack", "tta", "ape"):
        return {"s16": 16, "s16p": 16, "s32": 24, "s32p": 24, "u8p": 8, "fltp": 32}.get(sample_format)
    return None


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error).removeprefix("Error : ").rstrip(".")


def looks_unfinished(path: Path) -> bool:
    """Whether more of the file seems to be on its way: its header promises more samples than are there.

    Only what costs a few reads is looked at; a truncated FLAC or MP3 shows when it is decoded.

    Raises:
        NotAudio: not even its beginning is there.
    """
    container = sniff(path)
    if end_is_missing(path, container):
        return True
    promised = declared_pcm_frames(path, container)
    if promised is None:
        return False
    import soundfile

    try:
        return int(soundfile.info(os.fsencode(path)).frames) < promised
    except (soundfile.LibsndfileError, RuntimeError, ValueError):
        return True
