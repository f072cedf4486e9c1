"""One file read by the decoder that gets the most out of it, within limits, with every sample a level."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from processor.config import Limits
from processor.containers import Container
from processor.decoders import FFmpegReader, Header, Reader, Samples, SoundFileReader
from processor.errors import NoSound, NotAudio, TooLarge

# A float file can hold anything. Beyond this it is not a level (+120 dBFS) but garbage, like NaN.
MAX_SAMPLE = 1e6
# Samples of a sound whose length nobody promised are kept in pieces of this many. 32 MB for stereo: so large that
# each goes back to the system as soon as it is copied out.
PIECE_FRAMES = 1 << 22
# The thriftiest coding of silence (FLAC in blocks of 4096) packs about 300 frames in a byte. A header that promises
# more than this is wrong.
MAX_FRAMES_A_BYTE = 400


@dataclass(frozen=True)
class Decoding:
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
        """Whether nothing was found wrong and all that was promised came."""
        return not self.damage and self.missing_s <= self.header.tolerance_s


def best_decoding(path: Path, container: Container, limits: Limits) -> Decoding:
    """The faster decoder if it reads all; else the one that recovers more."""
    first = _try(SoundFileReader, path, container, limits) if container.by_soundfile else None
    if first is not None and first.is_whole and first.frames:
        return first
    try:
        second = _read(FFmpegReader, path, container, limits)
    except (NotAudio, NoSound):
        if first is None:
            raise
        return first
    return second if first is None else _more_of(first, second)


def _more_of(first: Decoding, second: Decoding) -> Decoding:
    """The longer of two readings of one damaged file, with what both found wrong and the more exact promise."""
    if second.frames <= first.frames:
        return first
    header = second.header
    if first.header.declared_frames:
        promise = first.header.declared_frames
        header = replace(header, declared_frames=promise, tolerance_s=first.header.tolerance_s)
    return replace(second, header=header, damage=first.damage + second.damage)


def _try(kind: type[SoundFileReader], path: Path, container: Container, limits: Limits) -> Decoding | None:
    try:
        return _read(kind, path, container, limits)
    except NotAudio:
        return None


def _read(kind: Callable[[Path, Container], Reader], path: Path, container: Container, limits: Limits) -> Decoding:
    size = path.stat().st_size
    with kind(path, container) as reader:
        _check_header(reader.header, size, limits)
        store = _Store(reader.header, _expected_frames(reader.header, size), limits)
        repaired = _fill(store, reader)
        header, damage = reader.header, tuple(reader.damage)
    if store.gave_up_wrongly:
        store = _Store(replace(header, declared_frames=store.frames), store.frames, limits)
        with kind(path, container) as again:
            _fill(store, again)

    def stream() -> Iterator[Samples]:
        with kind(path, container) as again:
            for block in again.blocks():
                yield clean(block)[0]

    return Decoding(header, store.frames, store.samples(), stream, damage, repaired)


def _fill(store: _Store, reader: Reader) -> int:
    """Decode everything into `store`; return how many samples had to be repaired."""
    repaired = 0
    for block in reader.blocks():
        cleaned, bad = clean(block)
        repaired += bad
        store.add(cleaned)
    return repaired


def _check_header(header: Header, size: int, limits: Limits) -> None:
    channels, rate = len(header.positions), header.sample_rate_hz
    if channels > limits.channels:
        raise TooLarge(f"The file has {channels} channels; the limit is {limits.channels} (limits.channels).")
    if not limits.min_sample_rate_hz <= rate <= limits.max_sample_rate_hz:
        raise TooLarge(
            f"A sample rate of {rate} Hz is outside {limits.min_sample_rate_hz}–{limits.max_sample_rate_hz} Hz "
            "(limits.min_sample_rate_hz, limits.max_sample_rate_hz)."
        )
    promised = header.declared_frames or 0
    if promised == _expected_frames(header, size) and promised > limits.duration_s * rate:
        hours, allowed = promised / rate / 3600, limits.duration_s / 3600
        raise TooLarge(f"The sound is {hours:.1f} h long; the limit is {allowed:g} h (limits.duration_s).")


def _expected_frames(header: Header, size: int) -> int:
    """What the header promises, as far as a file of `size` bytes can hold it; 0 where it promises nothing."""
    possible = size // header.frame_bytes if header.frame_bytes else size * MAX_FRAMES_A_BYTE
    return min(header.declared_frames or 0, possible)


def frames_kept(channels: int, limits: Limits) -> int:
    """How long a sound may be to be held in memory whole, in frames."""
    return limits.decoded_bytes // (4 * channels)


class _Store:
    """Keeps blocks while they fit in `limits.decoded_bytes`, then only counts them.

    Where the header promises more than may be kept, nothing is from the start; should the promise prove wrong
    (`gave_up_wrongly`), the file is read again. `expected` is how much to ask for at once.
    """

    def __init__(self, header: Header, expected: int, limits: Limits) -> None:
        self._channels = len(header.positions)
        self._max_frames = int(limits.duration_s * header.sample_rate_hz)
        self._kept_frames = frames_kept(self._channels, limits)
        self._duration_s = limits.duration_s
        self._keeps = (header.declared_frames or 0) <= self._kept_frames
        self._pieces: list[Samples] = []
        self._room = 0
        self.frames = 0
        if self._keeps and expected:
            self._new_piece(expected)

    @property
    def gave_up_wrongly(self) -> bool:
        """Whether all samples would have fit, but were not kept."""
        return not self._keeps and 0 < self.frames <= self._kept_frames

    def _new_piece(self, frames: int) -> None:
        self._pieces.append(np.empty((self._channels, frames), np.float32))
        self._room = frames

    def add(self, block: Samples) -> None:
        """Take the next block.

        Raises:
            TooLarge: the sound is longer than `limits.duration_s`.
        """
        self.frames += block.shape[1]
        if self.frames > self._max_frames:
            raise TooLarge(f"The sound is longer than {self._duration_s / 3600:g} h (limits.duration_s).")
        if self.frames > self._kept_frames:
            self._keeps = False
            self._pieces.clear()
        if not self._keeps:
            return
        taken = 0
        while taken < block.shape[1]:
            if not self._room:
                self._new_piece(PIECE_FRAMES)
            piece = self._pieces[-1]
            count = min(self._room, block.shape[1] - taken)
            start = piece.shape[1] - self._room
            piece[:, start : start + count] = block[:, taken : taken + count]
            self._room -= count
            taken += count

    def samples(self) -> Samples | None:
        """All samples, C-contiguous, or None if they were too many. They leave the store: ask once."""
        if not self._keeps:
            return None
        if len(self._pieces) == 1:
            return _shortened(self._pieces.pop(), self.frames)
        whole = np.empty((self._channels, self.frames), np.float32)
        at = 0
        while self._pieces:
            piece = self._pieces.pop(0)
            count = min(piece.shape[1], self.frames - at)
            whole[:, at : at + count] = piece[:, :count]
            at += count
        return whole


def _shortened(samples: Samples, frames: int) -> Samples:
    """The first `frames` of each channel, moved together in place: a copy could be as large as all that is allowed."""
    channels, held = samples.shape
    if held == frames:
        return samples
    flat = samples.reshape(-1)
    for channel in range(1, channels):
        flat[channel * frames : (channel + 1) * frames] = flat[channel * held : channel * held + frames]
    return flat[: channels * frames].reshape(channels, frames)


def clean(block: Samples) -> tuple[Samples, int]:
    """Replace what is no level (NaN, ±Inf, beyond `MAX_SAMPLE`) by 0 and count it."""
    if block.size == 0 or (block.max() <= MAX_SAMPLE and block.min() >= -MAX_SAMPLE):
        return block, 0
    bad = ~(np.abs(block) <= MAX_SAMPLE)
    return np.where(bad, np.float32(0), block), int(bad.sum())
