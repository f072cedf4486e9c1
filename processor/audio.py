"""Sound as every analyser gets it: decoded once, limited before memory is taken, honest about what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from processor.channels import default_positions, downmix_name, layout_name
from processor.channels import downmix_matrix as downmix_matrix  # where analysers look for it
from processor.config import Limits
from processor.containers import sniff
from processor.decoders import Samples
from processor.decoding import Decoding, best_decoding, clean, frames_kept
from processor.errors import NoSound, NotInMemory, TooLarge
from processor.quantities import quantity

# Raised when the samples that decode() returns for the same bytes change; it is part of every result's key.
DECODER_VERSION = 1
STREAM_BLOCK_S = 30


@dataclass(frozen=True)
class Source:
    """What the file is and how much of it could be read."""

    container: str = quantity("", label="Container", source="first bytes of the file", help="Kind of file.")
    codec: str = quantity("", label="Codec", source="file header", help="How the sound is coded.")
    sample_rate_hz: int = quantity(
        "Hz", label="Sample rate", source="file header", help="Samples a second in each channel.", low=1, digits=0
    )
    channels: int = quantity("", label="Channels", source="file header", help="Number of channels.", low=1, digits=0)
    layout: str = quantity(
        "",
        label="Layout",
        source="file header, else the WAVE default order",
        help="Which loudspeakers the channels are for.",
    )
    bit_depth: int | None = quantity(
        "bit",
        label="Bit depth",
        source="file header",
        help="Bits a sample; lossy codings have none.",
        low=1,
        high=64,
        digits=0,
    )
    size_bytes: int = quantity("B", label="Size", source="file system", help="Size of the file.", low=0, digits=0)
    duration_s: float = quantity(
        "s", label="Duration", source="decoded samples", help="Length of what could be decoded.", low=0, digits=2
    )
    declared_s: float | None = quantity(
        "s",
        label="Declared duration",
        source="file header",
        help="Length that the header promises, where it does.",
        low=0,
        digits=2,
    )
    partial: bool = quantity(
        "",
        label="Partial",
        source="declared against decoded length, decoder errors",
        help="Some of the sound could not be read; every number is of the rest.",
    )
    damage: str | None = quantity("", label="Damage", source="decoder", help="What was wrong with the file.")
    repaired_samples: int = quantity(
        "samples",
        label="Repaired samples",
        source="decoded samples",
        help="Samples that were NaN, infinite or absurdly large and were read as 0.",
        low=0,
        digits=0,
    )
    streamed: bool = quantity(
        "",
        label="Streamed",
        source="limits.decoded_bytes",
        help="Too long to hold in memory: only analysers that can stream have run.",
    )
    downmix: str | None = quantity(
        "",
        label="Stereo downmix",
        source="ITU-R BS.775-4, table 2",
        help="How more than two channels are folded to stereo where an analyser needs it.",
    )


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


def from_samples(
    samples: Samples,
    sample_rate: int,
    *,
    positions: tuple[str, ...] = (),
    key: str = "samples",
    bit_depth: int | None = None,
) -> Audio:
    """Wrap samples that are in memory already, for example those of a generator or a test.

    Args:
        samples: shape `(channels, n)`, float32, full scale 1.0.
        sample_rate: in Hz.
        positions: loudspeakers; the WAVE order if left out.
        key: identity of the content.
        bit_depth: bits a sample, if the samples come from a linear coding.
    """
    cleaned, repaired = clean(np.ascontiguousarray(samples, dtype=np.float32))
    positions = positions or default_positions(len(cleaned))
    frames = cleaned.shape[1]
    source = Source(
        container="samples",
        codec="float32",
        sample_rate_hz=sample_rate,
        channels=len(positions),
        layout=layout_name(positions),
        bit_depth=bit_depth,
        size_bytes=cleaned.nbytes,
        duration_s=frames / sample_rate,
        declared_s=None,
        partial=False,
        damage=None,
        repaired_samples=repaired,
        streamed=False,
        downmix=downmix_name(positions),
    )
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
    check_size(size, limits)
    container = sniff(path)
    decoded = best_decoding(path, container, limits)
    if decoded.frames == 0:
        raise NoSound(f"{container.name}: the header is fine, but no sound could be decoded.")
    header = decoded.header
    return Audio(
        path=path,
        key=content_key(sha256, decoded.frames, len(header.positions), limits),
        sample_rate=header.sample_rate_hz,
        frames=decoded.frames,
        positions=header.positions,
        source=_describe(decoded, size),
        _samples=decoded.samples,
        _stream=decoded.stream,
    )


def check_size(size: int, limits: Limits) -> None:
    """Refuse a file by its size alone, before it is opened or copied.

    Raises:
        TooLarge: it has more bytes than `limits.file_bytes`.
    """
    if size > limits.file_bytes:
        allowed = f"{limits.file_bytes / 1e9:.2f} GB (limits.file_bytes)"
        raise TooLarge(f"The file has {size / 1e9:.2f} GB; the limit is {allowed}.")


def content_key(sha256: str, frames: int, channels: int, limits: Limits) -> str:
    """Identity of a sound under `limits`: streamed or whole are two, for some analysers need it whole."""
    is_streamed = frames > frames_kept(channels, limits)
    return f"{sha256}:{DECODER_VERSION}" + (":streamed" if is_streamed else "")


def _describe(decoded: Decoding, size: int) -> Source:
    header = decoded.header
    rate = header.sample_rate_hz
    declared_s = header.declared_frames / rate if header.declared_frames else None
    damage = list(decoded.damage)
    if not decoded.is_whole:
        damage.append(_recovered(decoded))
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


def _recovered(decoded: Decoding) -> str:
    """How much of a damaged file could be read, in words."""
    rate, promised = decoded.header.sample_rate_hz, decoded.header.declared_frames
    if promised is None or promised <= decoded.frames:
        return f"{decoded.frames / rate:.2f} s could be read"
    missing = promised - decoded.frames
    if missing < 0.05 * rate:
        return f"{missing} of the promised {promised} samples are missing"
    return f"{decoded.frames / rate:.2f} s of the promised {promised / rate:.2f} s could be read"


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
