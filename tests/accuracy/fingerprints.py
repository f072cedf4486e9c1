"""Does a fingerprint find the same recording again, and nothing else?

Every recording is changed in each way that a fingerprint must survive, and compared with itself; and all recordings
are compared with one another.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import scipy.fft
import soxr
from numpy.typing import NDArray

from processor.decoders import Samples

CHANGE_DB = 3.0
OFFSET_S = 1.5
SPEED = 0.01
ANALYSER = "fingerprint"
# How much care a coder takes; the least takes half the time.
_FASTEST = {"libmp3lame": {"compression_level": "9"}, "libopus": {"compression_level": "0"}}


def coded(samples: Samples, rate: int, *, container: str, codec: str, kbit_s: int, coded_rate: int) -> Samples:
    """The same, after a lossy coding at `coded_rate` Hz, at the rate that it had."""
    buffer = io.BytesIO()
    layout = "mono" if len(samples) == 1 else "stereo"
    with av.open(buffer, "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=coded_rate, layout=layout, bit_rate=kbit_s * 1000)
        stream.codec_context.options = _FASTEST[codec]
        form = stream.codec_context.codec.audio_formats[0].name
        converter = av.AudioResampler(format=form, layout=layout, rate=coded_rate)
        for piece in itertools.chain.from_iterable(
            converter.resample(frame) for frame in _frames(samples, rate, layout)
        ):
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r") as file:
        converter = av.AudioResampler(format="fltp", layout=layout, rate=rate)
        blocks = [
            piece.to_ndarray()
            for frame in itertools.chain(file.decode(audio=0), [None])
            for piece in converter.resample(frame)
        ]
    return np.concatenate(blocks, axis=1)


def _frames(samples: Samples, rate: int, layout: str) -> Iterator[av.AudioFrame | None]:
    """A second at a time, and None to say that it was all."""
    for start in range(0, samples.shape[1], rate):
        part = np.ascontiguousarray(samples[:2, start : start + rate])
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, start
        yield frame
    yield None


def equalised(samples: Samples, rate: int, gain_db: Callable[[NDArray[Any]], NDArray[Any]]) -> Samples:
    """The same, with a gain that depends on the frequency in Hz, and no change of phase."""
    n = samples.shape[1]
    if n == 0:
        return samples
    size = scipy.fft.next_fast_len(n + rate, real=True)  # more than is needed, so that the end does not meet the start
    hz = np.maximum(scipy.fft.rfftfreq(size, 1 / rate), 1.0)
    gain = (10 ** (gain_db(hz) / 20)).astype(np.float32)
    changed: Samples = scipy.fft.irfft(scipy.fft.rfft(samples, size) * gain, size)[:, :n]
    return changed


def darker(samples: Samples, rate: int) -> Samples:
    """3 dB more bass and 3 dB less treble, turning at 700 Hz."""
    return equalised(samples, rate, lambda hz: -CHANGE_DB * np.tanh(np.log2(hz / 700)))


def brighter(samples: Samples, rate: int) -> Samples:
    """The opposite."""
    return equalised(samples, rate, lambda hz: CHANGE_DB * np.tanh(np.log2(hz / 700)))


def wavy(samples: Samples, rate: int) -> Samples:
    """3 dB up and down by turns, from octave to octave."""
    return equalised(samples, rate, lambda hz: CHANGE_DB * np.sin(np.pi * np.log2(hz / 62.5)))


def later(samples: Samples, rate: int) -> Samples:
    """Without its first 1.5 s."""
    return samples[:, round(OFFSET_S * rate) :]


def played(samples: Samples, rate: int, speed: float) -> Samples:
    """Played at another speed, as a tape or a turntable does: the pitch goes with it."""
    return np.ascontiguousarray(soxr.resample(np.ascontiguousarray(samples.T), rate * speed, rate).T)


def mp3(samples: Samples, rate: int) -> Samples:
    """Through MP3."""
    return coded(samples, rate, container="mp3", codec="libmp3lame", kbit_s=128, coded_rate=44_100)


def opus(samples: Samples, rate: int) -> Samples:
    """Through Opus."""
    return coded(samples, rate, container="ogg", codec="libopus", kbit_s=96, coded_rate=48_000)


VARIANTS: dict[str, Callable[[Samples, int], Samples]] = {
    "MP3 128 kbit/s": mp3,
    "Opus 96 kbit/s": opus,
    "darker by ±3 dB": darker,
    "brighter by ±3 dB": brighter,
    "±3 dB from octave to octave": wavy,
    "1.5 s later": later,
    "1 % faster": lambda samples, rate: played(samples, rate, 1 + SPEED),
    "1 % slower": lambda samples, rate: played(samples, rate, 1 - SPEED),
    "all at once (1 % faster, 1.5 s, darker, Opus)": lambda samples, rate: opus(
        darker(later(played(samples, rate, 1 + SPEED), rate), rate), rate
    ),
}


@dataclass(frozen=True)
class Likeness:
    """How alike two fingerprints are, and whether that is called the same recording."""

    score: float
    is_same: bool


def compare(first: Any, second: Any) -> Likeness:
    """Ask the analyser's module, which is there if there are fingerprints."""
    from processor.analysis.fingerprint import similarity

    match = similarity(first, second)
    return Likeness(match.score, match.is_same)


@dataclass(frozen=True)
class Recall:
    """How often a changed recording was found.

    Attributes:
        found: how many.
        n: of how many.
        lowest: the least alike of them.
        missed: names of those that were not found.
    """

    found: int
    n: int
    lowest: float
    missed: tuple[str, ...]


def recall(found: Mapping[str, Mapping[str, Likeness]]) -> dict[str, Recall]:
    """Variant → recall, from item → variant → likeness."""
    table = {}
    for variant in VARIANTS:
        listed = {name: row[variant] for name, row in found.items() if variant in row}
        if listed:
            missed = tuple(name for name, one in listed.items() if not one.is_same)
            lowest = min(one.score for one in listed.values())
            table[variant] = Recall(len(listed) - len(missed), len(listed), lowest, missed)
    return table


@dataclass(frozen=True)
class Pairs:
    """What came of comparing different recordings.

    Attributes:
        n: how many pairs.
        false: those that were called the same recording.
        highest: how alike the most alike pair of different recordings is.
        highest_pair: their names.
        related: pairs that do share a recording, which are not counted, and whether each was found.
    """

    n: int
    false: tuple[tuple[str, str], ...]
    highest: float
    highest_pair: tuple[str, str] | None
    related: Mapping[tuple[str, str], bool]


def are_related(first: str, second: str) -> bool:
    """Whether one is the other one whole, or a stem of it."""
    one, other = (name.removeprefix("full_").partition("--")[0] for name in (first, second))
    return one == other


def row(name: str, fingerprint: Any, others: Sequence[tuple[str, Any]]) -> list[tuple[str, str, Likeness]]:
    """One recording against those after it."""
    return [(name, other, compare(fingerprint, theirs)) for other, theirs in others]


def pairs(rows: Iterable[tuple[str, str, Likeness]]) -> Pairs:
    """Count what should not have been found."""
    different, related = [], {}
    for first, second, likeness in rows:
        if are_related(first, second):
            related[first, second] = likeness.is_same
        else:
            different.append((likeness.score, first, second, likeness.is_same))
    top = max(different, default=None)
    return Pairs(
        n=len(different),
        false=tuple((first, second) for _, first, second, is_same in different if is_same),
        highest=top[0] if top else 0.0,
        highest_pair=(top[1], top[2]) if top else None,
        related=related,
    )
