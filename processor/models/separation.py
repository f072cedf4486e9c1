"""What every separator is, and how one that hears some seconds at a time takes a sound of any length apart."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from processor.audio import Audio, downmix_matrix
from processor.errors import ModelError

Sound = NDArray[np.float32]

# Share of a segment that it has in common with the next one. HTDemucs on four pieces of which the true stems are known:
# 25, 10 and 5 % give a mean SDR of 6.2 dB each, none of 12 stems differs by more than 0.4 dB, and 25 % takes a fifth
# longer. 10 % is a fade of 0.8 s.
OVERLAP = 0.1
_QUIETEST = 1e-9  # deviation below which there is nothing to divide by; a step of 24 bits is 1e-7
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_PIECE_S = 10  # what is resampled and written at once


class Separator(Protocol):
    """A model that takes a mix apart."""

    @property
    def name(self) -> str:
        """Of the model."""

    @property
    def sources(self) -> tuple[str, ...]:
        """What it makes, in the order of its output."""

    @property
    def sample_rate(self) -> int:
        """In Hz, of what it takes and makes."""

    @property
    def segment_frames(self) -> int:
        """Most samples that it hears at once."""

    @property
    def device(self) -> str:
        """Where it runs: "cpu", "cuda"."""

    @property
    def dtype(self) -> str:
        """What it computes with: "float32"."""

    def separate(self, mix: Sound) -> Sound:
        """Take one segment apart.

        Args:
            mix: float32 `(2, n)`, `0 < n <= segment_frames`, full scale 1.0.

        Returns:
            float32 `(sources, 2, n)`.
        """


def source_names(names: object) -> tuple[str, ...]:
    """What a model's own files call its stems, in small letters; they become names of files.

    Raises:
        ModelError: they are no names, or two are the same.
    """
    listed = [name.lower().replace(" ", "_") if isinstance(name, str) else "" for name in _listed(names)]
    if not listed or len(set(listed)) < len(listed) or not all(_NAME.fullmatch(name) for name in listed):
        raise ModelError(f"The model's stems have no names that can be used: {names!r:.200}")
    return tuple(listed)


def _listed(names: object) -> list[object]:
    return list(names) if isinstance(names, (list, tuple)) else []


def separate_all(
    separator: Separator,
    blocks: Iterable[Sound],
    frames: int,
    progress: Callable[[float], None] = lambda share: None,
    overlap: float = OVERLAP,
) -> Iterator[Sound]:
    """Take a sound of any length apart, segment after segment, each faded linearly into the next one.

    What is held are two segments of every source, however long the sound is. Digital silence is not given to the model.

    Args:
        separator: the model.
        blocks: float32 `(2, n)` at the model's rate, in order, of any lengths.
        frames: about how many there are in all, for `progress`.
        progress: told of the share that is done, 0 to 1.
        overlap: share of a segment, 0 to under 0.5.

    Yields:
        float32 `(sources, 2, n)`; as many samples in all as there were in `blocks`.
    """
    segment = separator.segment_frames
    hop = segment - round(overlap * segment)
    sums = np.zeros((len(separator.sources), 2, segment), np.float32)
    weights = np.zeros(segment, np.float32)
    done = end = 0  # what was given away, and where the last segment ends
    for start, mix in _segments(blocks, segment, hop):
        if start > done:
            finished = start - done
            yield sums[:, :, :finished] / weights[:finished]
            sums, weights = _moved(sums, finished), _moved(weights, finished)
            done = start
        end = start + mix.shape[1]
        fade = _triangle(mix.shape[1])
        if mix.any():
            sums[:, :, : mix.shape[1]] += fade * separator.separate(mix)
        weights[: mix.shape[1]] += fade
        progress(min(end / max(frames, 1), 1.0))
    if end > done:
        yield sums[:, :, : end - done] / weights[: end - done]


def _segments(blocks: Iterable[Sound], segment: int, hop: int) -> Iterator[tuple[int, Sound]]:
    """Where each segment starts, and its samples; the last one reaches back, so that it is a whole one if it can be."""
    held, before = np.zeros((2, 0), np.float32), np.zeros((2, 0), np.float32)
    start = 0
    for block in blocks:
        held = np.concatenate((held, block), axis=1) if held.size else block
        while held.shape[1] > segment:
            yield start, held[:, :segment]
            before, held = held[:, :hop], held[:, hop:]
            start += hop
    if held.size:
        back = min(segment - held.shape[1], before.shape[1])
        last = np.concatenate((before[:, before.shape[1] - back :], held), axis=1)
        yield start - back, last


def _moved(sums: Sound, frames: int) -> Sound:
    """The same sums `frames` samples later, with zeros at the end."""
    moved = np.zeros_like(sums)
    moved[..., : sums.shape[-1] - frames] = sums[..., frames:]
    return moved


def _triangle(frames: int) -> Sound:
    """Weights that fall from the middle to both ends; where two segments overlap, they fade linearly into each other.

    Samples near a segment's end are those of which the model has heard the least around.
    """
    rising = np.arange(1, frames + 1, dtype=np.float32)
    return np.asarray(np.minimum(rising, rising[::-1]) / np.float32(frames), np.float32)


def centred(mix: Sound, frames: int) -> tuple[Sound, int]:
    """The same sound in the middle of `frames` samples of silence, and where it starts there."""
    start = (frames - mix.shape[1]) // 2
    padded = np.zeros((mix.shape[0], frames), np.float32)
    padded[:, start : start + mix.shape[1]] = mix
    return padded, start


def at_one_level(mix: Sound) -> tuple[Sound, float]:
    """The same sound with a mean of 0 and a deviation of 1, and what its stems are to be multiplied by.

    HTDemucs' makers do so once for a whole song (`demucs.api`), by the mean of both channels. A segment can do it for
    itself: the network brings every segment to one level anyway, so a louder one gives the same stems, only louder.
    The mean, which is direct current, belongs to no stem and is not given back.
    """
    middle = mix.mean(axis=0, dtype=np.float64)
    deviation = float(middle.std())
    if deviation < _QUIETEST:  # nothing, or the same with opposite signs left and right
        deviation = max(float(mix.std(dtype=np.float64)), _QUIETEST)
    return np.asarray((mix - middle.mean()) / deviation, np.float32), deviation


def apart(
    audio: Audio, separator: Separator, progress: Callable[[float], None] = lambda share: None
) -> Iterator[tuple[Sound, Sound]]:
    """Take a file's sound apart at its own rate, from beginning to end; a stream is never held whole.

    More than two channels are folded to stereo (`channels.downmix_matrix`). A mono file is given to the model on both
    sides, and its stems are mono. At other rates than the model's the sound is resampled there and back, so that its
    stems hold nothing above half the model's rate.

    Yields:
        The mix, float32 `(channels, n)`, and its stems, `(sources, channels, n)`, sample on sample, 10 s of them
        until the last; channels are 1 for mono, else 2.
    """
    mixes: deque[Sound] = deque()
    rate, count = audio.sample_rate, len(separator.sources)

    def folded() -> Iterator[Sound]:
        for piece in _pieces(audio):
            mixes.append(piece)
            yield np.broadcast_to(piece, (2, piece.shape[1]))

    frames = round(audio.frames * separator.sample_rate / rate)
    given = resampled(folded(), (rate, separator.sample_rate), 2)
    rows = (block.reshape(2 * count, -1) for block in separate_all(separator, given, frames, progress))
    returned = resampled(rows, (separator.sample_rate, rate), 2 * count)
    for block in _exactly(returned, audio.frames, 2 * count, _PIECE_S * rate):
        stems = block.reshape(count, 2, -1)
        mix = _first(mixes, block.shape[1])
        yield mix, stems if len(mix) == 2 else stems.mean(axis=1, keepdims=True)


def resampled(blocks: Iterable[Sound], rates: tuple[int, int], channels: int) -> Iterator[Sound]:
    """The same sound `(channels, n)` at another rate, block by block, without a delay.

    Args:
        blocks: in order, of any lengths.
        rates: of the blocks, and wanted, in Hz.
        channels: of the blocks.
    """
    import soxr

    if rates[0] == rates[1]:
        yield from blocks
        return
    stream = soxr.ResampleStream(*rates, channels, dtype="float32", quality="HQ")
    for block in blocks:
        made = stream.resample_chunk(np.ascontiguousarray(block.T))
        if len(made):
            yield made.T
    rest = stream.resample_chunk(np.zeros((0, channels), np.float32), last=True)
    if len(rest):
        yield rest.T


def _pieces(audio: Audio) -> Iterator[Sound]:
    """The sound in short pieces, folded to stereo where it has more channels."""
    length = _PIECE_S * audio.sample_rate
    matrix = downmix_matrix(audio.positions) if audio.channels > 2 else None
    for block in audio.blocks():
        for start in range(0, block.shape[1], length):
            piece = block[:, start : start + length]
            yield piece if matrix is None else matrix @ piece


def _exactly(blocks: Iterable[Sound], frames: int, channels: int, size: int) -> Iterator[Sound]:
    """The same sound `(channels, n)` in blocks of `size`, the last one shorter, and of `frames` samples in all.

    Resampling there and back rounds: what is too long is cut, what is too short ends in silence.
    """
    held: deque[Sound] = deque()
    count, left = 0, frames
    for block in chain(blocks, _silence(channels, frames, size)):
        held.append(block)
        count += block.shape[1]
        while left and count >= min(size, left):
            taken = _first(held, min(size, left))
            count, left = count - taken.shape[1], left - taken.shape[1]
            yield taken
        if not left:
            return


def _silence(channels: int, frames: int, size: int) -> Iterator[Sound]:
    for _ in range(0, frames, size):
        yield np.zeros((channels, size), np.float32)


def _first(held: deque[Sound], frames: int) -> Sound:
    """Take so many samples away from the beginning of what is held."""
    taken = []
    while frames:
        block = held.popleft()
        taken.append(block[:, :frames])
        if block.shape[1] > frames:
            held.appendleft(block[:, frames:])
        frames -= taken[-1].shape[1]
    return np.concatenate(taken, axis=1)
