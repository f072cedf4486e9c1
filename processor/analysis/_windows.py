"""Pieces of equal length for models that hear a few seconds at a time, and what a whole track's answers come to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from processor.audio import Audio, downmix_matrix

Samples = NDArray[np.float32]
Progress = Callable[[float], None]

# Folded and resampled so much at once: what is kept beside the sound is a few megabytes, however long that is.
BLOCK_S = 30
# Root mean square under which a window has no sound worth a name: the absolute gate of ITU-R BS.1770-4. Under it YAMNet
# hears "Silence" (.6 to .8) and traces of anything, and among CLAP's sentences even zeros lie nearest to some genre.
SILENT_DBFS = -70.0
# A rest at the end that is shorter than this share of a window is not heard on its own.
SHORTEST_REST = 0.1
# A class counts for a track as much as on average in the quarter of its windows where it is strongest: what sounds in
# the choruses only counts in full, and one mistaken second of a whole song does not. Measured as how well YAMNet tells
# 11 sung pieces from 42 others: area under the curve 1.0; .998 by the mean of all, .991 by the single best window.
STRONGEST_SHARE = 0.25


@dataclass(frozen=True)
class Cut:
    """How a model wants its sound.

    Attributes:
        sample_rate: in Hz.
        window_frames: samples that it hears at once.
        hop_frames: samples from the beginning of a window to that of the next; no more than those of a window.
    """

    sample_rate: int
    window_frames: int
    hop_frames: int

    @property
    def hop_s(self) -> float:
        """Seconds from window to window."""
        return self.hop_frames / self.sample_rate

    @property
    def window_s(self) -> float:
        """Length of a window in seconds."""
        return self.window_frames / self.sample_rate


def answers(
    audio: Audio, cut: Cut, at_once: int, ask: Callable[[Sequence[Samples]], Samples], progress: Progress
) -> Samples:
    """What a model says about each window, shape `(windows, answers)`; NaN where a window is silent.

    Window k begins at `k * cut.hop_s`. The sound is read and resampled block by block, so a streamed file does too.

    Args:
        audio: the decoded sound.
        cut: the model's rate, window and hop.
        at_once: windows that go to the model together.
        ask: the model; takes windows (the last one of a track may be shorter), gives one row of finite numbers each.
        progress: told of the share that is done.

    Raises:
        ValueError: the model gave another number of rows, or what is no number.
    """
    loud: list[Samples] = []
    where: list[int] = []
    rows: list[Samples] = []
    count = 0
    expected = max(1.0, audio.duration_s / cut.hop_s)
    for window in windows(audio, cut):
        if not is_silent(window):
            loud.append(window)
            where.append(count)
        count += 1
        if len(loud) == at_once:
            rows.append(_asked(ask, loud))
            loud = []
            progress(min(1.0, count / expected))
    if loud or not rows:
        rows.append(_asked(ask, loud))
    progress(1.0)
    found = np.concatenate(rows)
    result = np.full((count, found.shape[1]), np.nan, np.float32)
    result[where] = found
    return result


def _asked(ask: Callable[[Sequence[Samples]], Samples], loud: Sequence[Samples]) -> Samples:
    found = ask(loud)
    if found.ndim != 2 or len(found) != len(loud) or not np.isfinite(found).all():
        raise ValueError(f"the model answered {len(loud)} windows with {found.shape} values, or with no numbers")
    return found


def windows(audio: Audio, cut: Cut) -> Iterator[Samples]:
    """Yield the windows of a track: float32 `(n,)`, of `cut.window_frames` samples but for the last, peak 1 at most.

    What is over full scale is scaled to it, window by window: no model has heard such sound.
    """
    waiting = np.zeros(0, np.float32)
    is_first = True
    for block in _resampled(audio, cut.sample_rate):
        waiting = np.concatenate([waiting, block])
        start = 0
        while waiting.size - start >= cut.window_frames:
            yield _within_full_scale(waiting[start : start + cut.window_frames])
            start += cut.hop_frames
            is_first = False
        waiting = waiting[start:]
    overlap = 0 if is_first else cut.window_frames - cut.hop_frames
    shortest = 0 if is_first else SHORTEST_REST * cut.window_frames
    if waiting.size - overlap > shortest:
        yield _within_full_scale(waiting)


def _within_full_scale(window: Samples) -> Samples:
    peak = np.abs(window).max()
    return np.ascontiguousarray(window / peak if peak > 1 else window, np.float32)


def is_silent(window: Samples) -> bool:
    """Whether there is nothing to hear."""
    power = float(np.mean(np.square(window, dtype=np.float64))) if window.size else 0.0
    return power <= 10 ** (SILENT_DBFS / 10)


def _resampled(audio: Audio, rate: int) -> Iterator[Samples]:
    """The mean of the stereo downmix at another rate, in blocks `(n,)`.

    Source: ITU-R BS.775-4, table 2, for more than two channels; resampling by libsoxr.
    """
    weights = downmix_matrix(audio.positions).mean(axis=0).astype(np.float32)
    resampler = None
    if rate != audio.sample_rate:
        resampler = soxr.ResampleStream(audio.sample_rate, rate, 1, dtype="float32", quality="HQ")
    step = BLOCK_S * audio.sample_rate
    for block in audio.blocks():
        for start in range(0, block.shape[1], step):
            folded = np.ascontiguousarray(weights @ block[:, start : start + step], np.float32)
            yield folded if resampler is None else resampler.resample_chunk(folded)
    if resampler is not None:
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def pooled(scores: Samples) -> Samples | None:
    """One score a class, shape `(classes,)`, from `(windows, classes)`: the mean of its strongest quarter.

    Windows of NaN are left out; None where all are silent.
    """
    heard = scores[~np.isnan(scores).any(axis=1)]
    if not len(heard):
        return None
    kept = max(1, round(STRONGEST_SHARE * len(heard)))
    return np.asarray(np.sort(heard, axis=0)[-kept:].mean(axis=0, dtype=np.float64), np.float32)


def best(scores: Samples | None, names: Sequence[str], count: int) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The `count` strongest names with their scores, strongest first; none where there are no scores."""
    if scores is None:
        return (), ()
    order = np.argsort(-scores, kind="stable")[:count]
    return tuple(names[k] for k in order), tuple(round(float(scores[k]), 4) for k in order)
