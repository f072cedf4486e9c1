"""Two ways to turn a file into blocks of samples: libsndfile (exact and fast) and FFmpeg through PyAV (everything).

Both are context managers with a `header`, a `blocks()` generator of float32 arrays of shape `(channels, n)`, and
a `damage` list that fills while the blocks are read.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from processor.containers import (
    FLAC,
    MP3,
    OGG,
    Container,
    declared_pcm_frames,
    id3_bytes,
    id3_is_excessive,
    mp3_declares_length,
    ogg_is_closed,
    sniff,
)
from processor.errors import NoSound, NotAudio

Samples = NDArray[np.float32]

READ_FRAMES = 1 << 16
# libsndfile and some headers write "unknown" as a huge length.
UNKNOWN_FRAMES = 1 << 40
# Lossy codecs pad and trim by a frame or two, and containers round their durations.
CODEC_TOLERANCE_S = 0.1

# Channel order of files that do not name their channels: WAVEFORMATEXTENSIBLE's order (Microsoft, "Multiple
# channel audio data and WAVE files", default channel ordering).
_DEFAULT_POSITIONS: dict[int, tuple[str, ...]] = {
    1: ("FC",),
    2: ("FL", "FR"),
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}


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
    """

    container: Container
    codec: str
    sample_rate_hz: int
    positions: tuple[str, ...]
    bit_depth: int | None
    declared_frames: int | None
    tolerance_s: float = 0.0


class Reader(Protocol):
    """An open file: its header, its blocks, and what was found damaged so far."""

    header: Header
    damage: list[str]

    def blocks(self) -> Iterator[Samples]:
        """Yield the sound from its beginning, in blocks of any length."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


def default_positions(channels: int) -> tuple[str, ...]:
    """Loudspeaker names for a file that does not say; more than eight are numbered."""
    return _DEFAULT_POSITIONS.get(channels) or tuple(f"CH{n + 1}" for n in range(channels))


_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "FLOAT": 32, "DOUBLE": 64, "ALAC_16": 16, "ALAC_24": 24}


class _WithoutTag(io.RawIOBase):
    """A file from behind its ID3 tag on."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._start = id3_bytes(self._file.read(10))
        self._file.seek(self._start)

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


def _openable(path: Path) -> str | _WithoutTag:
    """What the libraries are given: the path, or what follows a tag that would choke them."""
    return _WithoutTag(path) if id3_is_excessive(path) else str(path)


class SoundFileReader:
    """libsndfile: WAV, AIFF, FLAC, MP3 and their like, mono and stereo."""

    def __init__(self, path: Path, container: Container) -> None:
        import soundfile

        try:
            self._file = soundfile.SoundFile(_openable(path))
        except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
            raise NotAudio(f"{container.name}: the header cannot be read ({error}).") from error
        if self._file.channels > 2:
            self._file.close()
            raise NotAudio(f"{container.name}: libsndfile does not name the loudspeakers of {self._file.channels} channels.")
        self.damage: list[str] = []
        frames: int | None = declared_pcm_frames(path, container) or self._file.frames
        if container is MP3 and not mp3_declares_length(path):
            frames = None
        if container is FLAC and frames == 0:
            frames = None
        self.header = Header(
            container=container,
            codec=str(self._file.subtype_info),
            sample_rate_hz=int(self._file.samplerate),
            positions=default_positions(int(self._file.channels)),
            bit_depth=_BITS.get(self._file.subtype),
            declared_frames=frames if frames is not None and frames < UNKNOWN_FRAMES else None,
        )

    def blocks(self) -> Iterator[Samples]:
        import soundfile

        while True:
            try:
                block = self._file.read(READ_FRAMES, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                self.damage.append(f"decoding stopped: {_reason(error)}")
                return
            if len(block) == 0:
                return
            yield block.T

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()


_SCALE = {"u8": 128.0, "s16": 32768.0, "s32": 2147483648.0, "s64": 9223372036854775808.0}


def _open_av(path: Path, container: Container) -> Any:
    """Open a file with FFmpeg, allowed this container's demuxers and plain files only."""
    import av

    options = {"format_whitelist": container.demuxers, "protocol_whitelist": "file", "err_detect": "crccheck"}
    source = _openable(path)
    if isinstance(source, str):
        source = f"file:{path}"  # without the prefix, a name like "concat:a|b" would be a protocol
    return av.open(source, options=options, metadata_errors="replace")


def read_tags(path: Path) -> dict[str, str]:
    """The file's tags by lower-case name; empty where they cannot be read or would cost too much."""
    import av

    if id3_is_excessive(path):
        return {}
    try:
        with _open_av(path, sniff(path)) as container:
            streams = [stream.metadata for stream in container.streams.audio[:1]]
            return {name.lower(): text for tags in (*streams, container.metadata) for name, text in tags.items()}
    except (av.error.FFmpegError, NotAudio, ValueError, UnicodeError):
        return {}


class FFmpegReader:
    """FFmpeg in process: all other containers, more than two channels, and whatever is damaged."""

    def __init__(self, path: Path, container: Container) -> None:
        import av

        try:
            self._container = _open_av(path, container)
        except (av.error.FFmpegError, ValueError, UnicodeError) as error:
            raise NotAudio(f"{container.name}: the file cannot be opened ({_reason(error)}).") from error
        self.damage: list[str] = []
        try:
            if not self._container.streams.audio:
                raise NotAudio(f"{container.name}: there is no sound in this file.")
            self._stream = self._container.streams.audio[0]
            self.header = self._read_header(path, container)
        except BaseException:
            self._container.close()
            raise

    def _read_header(self, path: Path, container: Container) -> Header:
        stream, context = self._stream, self._stream.codec_context
        if not context.sample_rate or not context.layout.nb_channels:
            raise NoSound(f"{container.name}: the sound stream has no sample rate or no channels.")
        names = tuple(channel.name for channel in context.layout.channels)
        count = int(context.layout.nb_channels)
        seconds = None
        if container.states_length and (container is not MP3 or mp3_declares_length(path)):
            if stream.duration and stream.time_base:
                seconds = float(stream.duration * stream.time_base)
            elif self._container.duration and not self._container.streams.video:
                seconds = self._container.duration / 1e6
        if container is OGG and not ogg_is_closed(path):
            self.damage.append("the end is missing: the last page does not close the stream")
        return Header(
            container=container,
            codec=str(context.codec.long_name or context.codec.name),
            sample_rate_hz=int(context.sample_rate),
            positions=default_positions(count) if "NONE" in names or count <= 1 else names,
            bit_depth=_linear_bits(context.codec.name, context.format.name if context.format else ""),
            declared_frames=declared_pcm_frames(path, container) or (round(seconds * context.sample_rate) if seconds else None),
            tolerance_s=CODEC_TOLERANCE_S,
        )

    def blocks(self) -> Iterator[Samples]:
        import av

        bad = 0
        for packet in self._packets():
            try:
                for frame in packet.decode():
                    if frame.sample_rate != self.header.sample_rate_hz or frame.layout.nb_channels != len(self.header.positions):
                        self.damage.append("the format changes in the middle of the file; what follows is left out")
                        return
                    yield _frame_samples(frame)
            except av.error.FFmpegError:
                bad += 1
                self.damage = [d for d in self.damage if not d.endswith("skipped")]
                self.damage.append(f"{bad} damaged packet{'s' if bad > 1 else ''} skipped")

    def _packets(self) -> Iterator[Any]:
        """Packets until the end; a demuxer that gives up ends the sound, it does not lose what came before."""
        import av

        try:
            yield from self._container.demux(self._stream)
        except av.error.FFmpegError as error:
            self.damage.append(f"reading stopped: {_reason(error)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(Exception):
            self._container.close()


def _frame_samples(frame: Any) -> Samples:
    """One decoded frame as float32 `(channels, n)`, full scale 1.0."""
    name: str = frame.format.name
    array = frame.to_ndarray()
    if not name.endswith("p"):
        array = array.reshape(-1, frame.layout.nb_channels).T
    kind = name.removesuffix("p")
    if kind in _SCALE:
        scale = np.float32(1 / _SCALE[kind])
        offset = np.float32(1.0 if kind == "u8" else 0.0)
        return array.astype(np.float32) * scale - offset
    return array.astype(np.float32, copy=False)


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
    if container is OGG:
        return not ogg_is_closed(path)
    promised = declared_pcm_frames(path, container)
    if promised is None:
        return False
    import soundfile

    try:
        return int(soundfile.info(str(path)).frames) < promised
    except (soundfile.LibsndfileError, RuntimeError, ValueError):
        return True
