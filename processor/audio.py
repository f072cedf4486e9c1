"""Sound as every analyser gets it: decoded once, limited before memory is taken, honest about what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from processor.config import Limits
from processor.containers import Container, sniff
from processor.decoders import FFmpegReader, Header, Reader, SoundFileReader
from processor.errors import NoSound, NotAudio, NotInMemory, TooLarge
from processor.quantities import quantity

Samples = NDArray[np.float32]

# Raised when the samples that decode() returns for the same bytes change; it is part of every result's key.
DECODER_VERSION = 1
STREAM_BLOCK_S = 30
# A float file can hold anything. Beyond this it is not a level (+120 dBFS) but garbage, like NaN.
MAX_SAMPLE = 1e6

_LAYOUT_NAMES: dict[frozenset[str], str] = {
    frozenset({"FC"}): "mono",
    frozenset({"FL", "FR"}): "stereo",
    frozenset({"FL", "FR", "FC"}): "3.0",
    frozenset({"FL", "FR", "LFE"}): "2.1",
    frozenset({"FL", "FR", "FC", "LFE"}): "3.1",
    frozenset({"FL", "FR", "BL", "BR"}): "quad",
    frozenset({"FL", "FR", "SL", "SR"}): "quad",
    frozenset({"FL", "FR", "FC", "BC"}): "4.0",
    frozenset({"FL", "FR", "FC", "BL", "BR"}): "5.0",
    frozenset({"FL", "FR", "FC", "SL", "SR"}): "5.0",
    frozenset({"FL", "FR", "FC", "LFE", "BL", "BR"}): "5.1",
    frozenset({"FL", "FR", "FC", "LFE", "SL", "SR"}): "5.1",
    frozenset({"FL", "FR", "FC", "LFE", "BC", "SL", "SR"}): "6.1",
    frozenset({"FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"}): "7.1",
}


@dataclass(frozen=True)
class Source:
    """What the file is and how much of it could be read."""

    container: str = quantity("", label="Container", source="first bytes of the file", help="Kind of file.")
    codec: str = quantity("", label="Codec", source="file header", help="How the sound is coded.")
    sample_rate_hz: int = quantity("Hz", label="Sample rate", source="file header", help="Samples a second in each channel.", low=1, digits=0)
    channels: int = quantity("", label="Channels", source="file header", help="Number of channels.", low=1, digits=0)
    layout: str = quantity("", label="Layout", source="file header, else the WAVE default order", help="Which loudspeakers the channels are for.")
    bit_depth: int | None = quantity("bit", label="Bit depth", source="file header", help="Bits a sample; lossy codings have none.", low=1, high=64, digits=0)
    size_bytes: int = quantity("B", label="Size", source="file system", help="Size of the file.", low=0, digits=0)
    duration_s: float = quantity("s", label="Duration", source="decoded samples", help="Length of what could be decoded.", low=0, digits=2)
    declared_s: float | None = quantity("s", label="Declared duration", source="file header", help="Length that the header promises, where it does.", low=0, digits=2)
    partial: bool = quantity("", label="Partial", source="declared against decoded length, decoder errors", help="Some of the sound could not be read; every number is of the rest.")
    damage: str | None = quantity("", label="Damage", source="decoder", help="What was wrong with the file.")
    repaired_samples: int = quantity("samples", label="Repaired samples", source="decoded samples", help="Samples that were NaN, infinite or absurdly large and were read as 0.", low=0, digits=0)
    streamed: bool = quantity("", label="Streamed", source="limits.decoded_bytes", help="Too long to hold in memory: only analysers that can stream have run.")
    downmix: str | None = quantity("", label="Stereo downmix", source="ITU-R BS.775-4, table 2", help="How more than two channels are folded to stereo where an analyser needs it.")


@dataclass(frozen=True)
class Audio:
    """Decoded sound.

    Attributes:
        path: the file that it came from, for what stands beside the sound (tags).
        key: identity of the content, the beginning of every result's key.
        sample_rate: in Hz.
        frames: samples in each channel.
        positions: loudspeaker of each channel.
        source: facts about the file.
    """

    path: Path
    key: str
    sample_rate: int
    frames: int
    positions: tuple[str, ...]
    source: Source
    _samples: Samples | None = field(repr=False)
    _stream: Callable[[], Iterator[Samples]] | None = field(default=None, repr=False)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.positions)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate

    @property
    def samples(self) -> Samples:
        """All samples, float32, shape `(channels, frames)`, full scale 1.0.

        Raises:
            NotInMemory: the file is too long to hold at once; use `blocks`.
        """
        if self._samples is None:
            raise NotInMemory(
                f"{self.duration_s / 60:.0f} minutes of {self.channels} channels are more than limits.decoded_bytes "
                "allows, and this analyser needs them all at once. Raise that limit if there is memory for it."
            )
        return self._samples

    def blocks(self) -> Iterator[Samples]:
        """Yield the sound in order: C-contiguous float32 `(channels, n)`, all but the last multiples of 30 s."""
        if self._samples is not None:
            yield self._samples
        elif self._stream is not None:
            yield from _regroup(self._stream(), STREAM_BLOCK_S * self.sample_rate)


def from_samples(samples: Samples, sample_rate: int, *, positions: tuple[str, ...] = (), key: str = "samples", bit_depth: int | None = None) -> Audio:
    """Wrap samples that are in memory already, for example those of a generator or a test.

    Args:
        samples: shape `(channels, n)`, float32, full scale 1.0.
        sample_rate: in Hz.
        positions: loudspeakers; the WAVE order if left out.
        key: identity of the content.
        bit_depth: bits a sample, if the samples come from a linear coding.
    """
    from processor.decoders import default_positions

    cleaned, repaired = _clean(np.ascontiguousarray(samples, dtype=np.float32))
    positions = positions or default_positions(len(cleaned))
    frames = cleaned.shape[1]
    source = Source(
        container="samples", codec="float32", sample_rate_hz=sample_rate, channels=len(positions), layout=layout_name(positions),
        bit_depth=bit_depth, size_bytes=cleaned.nbytes, duration_s=frames / sample_rate, declared_s=None, partial=False, damage=None,
        repaired_samples=repaired, streamed=False, downmix=downmix_name(positions),
    )  # fmt: skip
    return Audio(Path(), key, sample_rate, frames, positions, source, cleaned)


def decode(path: Path, *, limits: Limits | None = None, sha256: str = "") -> Audio:
    """Decode a sound file.

    What is longer than `limits.decoded_bytes` comes back as a stream; what is damaged comes back as far as it goes,
    marked `partial`.

    Args:
        path: a regular file.
        limits: the default ones if left out.
        sha256: hash of the file's bytes, which becomes the key of the sound.

    Raises:
        NotAudio: not a sound file that we know, or its header is broken.
        NoSound: not one sample could be decoded.
        TooLarge: over a limit.
    """
    limits = limits or Limits()
    size = path.stat().st_size
    if size > limits.file_bytes:
        raise TooLarge(f"The file has {size / 1e9:.2f} GB; the limit is {limits.file_bytes / 1e9:.2f} GB (limits.file_bytes).")
    container = sniff(path)
    decoded = _best_decoding(path, container, limits)
    if decoded.frames == 0:
        raise NoSound(f"{container.name}: the header is fine, but no sound could be decoded.")
    header = decoded.header
    source = _describe(decoded, size)
    return Audio(path, f"{sha256}:{DECODER_VERSION}", header.sample_rate_hz, decoded.frames, header.positions, source, decoded.samples, decoded.stream)


@dataclass(frozen=True)
class _Decoding:
    """One decoder's reading of a file; `samples` is None when they were too many to keep."""

    header: Header
    frames: int
    samples: Samples | None
    stream: Callable[[], Iterator[Samples]]
    damage: tuple[str, ...]
    repaired: int

    @property
    def missing_s(self) -> float:
        """Seconds that the header promised and that did not come."""
        declared = self.header.declared_frames
        return max(0, declared - self.frames) / self.header.sample_rate_hz if declared else 0.0

    @property
    def is_whole(self) -> bool:
        return not self.damage and self.missing_s <= self.header.tolerance_s


def _best_decoding(path: Path, container: Container, limits: Limits) -> _Decoding:
    """The faster decoder if it reads all; else the one that recovers more."""
    first = _try(SoundFileReader, path, container, limits) if container.by_soundfile else None
    if first is not None and first.is_whole:
        return first
    try:
        second = _read(FFmpegReader, path, container, limits)
    except (NotAudio, NoSound):
        if first is None:
            raise
        return first
    return second if first is None else _more_of(first, second)


def _more_of(first: _Decoding, second: _Decoding) -> _Decoding:
    """The longer of two readings of one damaged file, with what both found wrong and the more exact promise."""
    if first.is_whole or second.frames <= first.frames:
        return first
    stops = tuple(f"{note} at {first.frames / first.header.sample_rate_hz:.2f} s" for note in first.damage)
    header = replace(second.header, declared_frames=first.header.declared_frames or second.header.declared_frames)
    return replace(second, header=header, damage=stops + second.damage)


def _try(kind: type[SoundFileReader], path: Path, container: Container, limits: Limits) -> _Decoding | None:
    try:
        return _read(kind, path, container, limits)
    except NotAudio:
        return None


def _read(kind: Callable[[Path, Container], Reader], path: Path, container: Container, limits: Limits) -> _Decoding:
    with kind(path, container) as reader:
        header = reader.header
        _check_header(header, limits)
        store = _Store(header, limits)
        repaired = 0
        for block in reader.blocks():
            cleaned, bad = _clean(block)
            repaired += bad
            store.add(cleaned)
        damage = tuple(reader.damage)

    def stream() -> Iterator[Samples]:
        with kind(path, container) as again:
            for block in again.blocks():
                yield _clean(block)[0]

    return _Decoding(header, store.frames, store.samples(), stream, damage, repaired)


def _check_header(header: Header, limits: Limits) -> None:
    channels, rate = len(header.positions), header.sample_rate_hz
    if channels > limits.channels:
        raise TooLarge(f"The file has {channels} channels; the limit is {limits.channels} (limits.channels).")
    if not limits.min_sample_rate_hz <= rate <= limits.max_sample_rate_hz:
        raise TooLarge(
            f"A sample rate of {rate} Hz is outside {limits.min_sample_rate_hz}–{limits.max_sample_rate_hz} Hz "
            "(limits.min_sample_rate_hz, limits.max_sample_rate_hz)."
        )


class _Store:
    """Keeps blocks while they fit in `limits.decoded_bytes`, then only counts them.

    A header's promise decides how much address space to ask for at once, never how much memory is used: pages that
    are never written cost nothing, and what comes beyond the promise is appended.
    """

    def __init__(self, header: Header, limits: Limits) -> None:
        self._channels = len(header.positions)
        self._max_frames = int(limits.duration_s * header.sample_rate_hz)
        self._kept_frames = limits.decoded_bytes // (4 * self._channels)
        self._duration_s = limits.duration_s
        promised = header.declared_frames or 0
        self._buffer = np.empty((self._channels, promised if promised <= self._kept_frames else 0), np.float32)
        self._beyond: list[Samples] = []
        self.frames = 0

    def add(self, block: Samples) -> None:
        """Take the next block.

        Raises:
            TooLarge: the sound is longer than `limits.duration_s`.
        """
        start, self.frames = self.frames, self.frames + block.shape[1]
        if self.frames > self._max_frames:
            raise TooLarge(f"The sound is longer than {self._duration_s / 3600:g} h (limits.duration_s).")
        if self.frames > self._kept_frames:
            self._buffer, self._beyond = self._buffer[:, :0].copy(), []
            return
        fits = min(max(0, self._buffer.shape[1] - start), block.shape[1])
        self._buffer[:, start : start + fits] = block[:, :fits]
        if fits < block.shape[1]:
            self._beyond.append(np.array(block[:, fits:]))

    def samples(self) -> Samples | None:
        """All samples, C-contiguous, or None if they were too many."""
        if self.frames > self._kept_frames:
            return None
        if not self._beyond and self._buffer.shape[1] == self.frames:
            return self._buffer
        if not self._beyond:
            return np.ascontiguousarray(self._buffer[:, : self.frames])
        return np.concatenate([self._buffer, *self._beyond], axis=1)


def _clean(block: Samples) -> tuple[Samples, int]:
    """Replace what is no level (NaN, ±Inf, beyond `MAX_SAMPLE`) by 0 and count it."""
    if block.size == 0 or (block.max() <= MAX_SAMPLE and block.min() >= -MAX_SAMPLE):
        return block, 0
    bad = ~(np.abs(block) <= MAX_SAMPLE)
    return np.where(bad, np.float32(0), block), int(bad.sum())


def _describe(decoded: _Decoding, size: int) -> Source:
    header = decoded.header
    rate = header.sample_rate_hz
    declared_s = header.declared_frames / rate if header.declared_frames else None
    damage = list(decoded.damage)
    if decoded.missing_s > header.tolerance_s:
        damage.append(f"{decoded.frames / rate:.2f} s of the promised {declared_s:.2f} s could be read")
    return Source(
        container=header.container.name,
        codec=header.codec,
        sample_rate_hz=rate,
        channels=len(header.positions),
        layout=layout_name(header.positions),
        bit_depth=header.bit_depth,
        size_bytes=size,
        duration_s=decoded.frames / rate,
        declared_s=declared_s,
        partial=not decoded.is_whole,
        damage="; ".join(damage) or None,
        repaired_samples=decoded.repaired,
        streamed=decoded.samples is None,
        downmix=downmix_name(header.positions),
    )


def _regroup(blocks: Iterator[Samples], frames: int) -> Iterator[Samples]:
    """The same sound in C-contiguous blocks of exactly `frames`, the last one shorter."""
    held: list[Samples] = []
    count = 0
    for block in blocks:
        held.append(block)
        count += block.shape[1]
        while count >= frames:
            joined = np.concatenate(held, axis=1)
            yield np.ascontiguousarray(joined[:, :frames])
            held, count = [joined[:, frames:]], count - frames
    if count:
        yield np.ascontiguousarray(np.concatenate(held, axis=1))


def layout_name(positions: tuple[str, ...]) -> str:
    """"stereo", "5.1" …, or the number of channels where the set of loudspeakers has no name."""
    return _LAYOUT_NAMES.get(frozenset(positions)) or f"{len(positions)} channels"


def downmix_name(positions: tuple[str, ...]) -> str | None:
    """Name of the stereo downmix; None for mono and stereo, which need none."""
    return None if len(positions) <= 2 else f"ITU-R BS.775 {layout_name(positions)} to stereo"


def downmix_matrix(positions: tuple[str, ...]) -> NDArray[np.float32]:
    """Weights that fold channels to left and right, shape `(2, channels)`.

    Fronts 1, centre and surrounds 1/√2 on their side, LFE left out (ITU-R BS.775-4, table 2); a mono file goes to
    both sides at full level; channels without a known place go to both sides at 1/√2.
    """
    half = np.sqrt(0.5)
    sides = {"FL": (1.0, 0.0), "FR": (0.0, 1.0), "BL": (half, 0.0), "BR": (0.0, half), "SL": (half, 0.0), "SR": (0.0, half), "LFE": (0.0, 0.0)}
    if len(positions) == 1:
        return np.ones((2, 1), np.float32)
    return np.array([sides.get(p, (half, half)) for p in positions], np.float32).T
