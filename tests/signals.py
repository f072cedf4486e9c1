"""Signals that are made from a formula, so that every test knows the truth about what it measures.

All are float32 of shape `(channels, n)` with full scale 1.0. A level in dBFS is that of the *peak* unless it says
RMS: a full-scale sine has 0 dBFS here. Nothing is random from run to run.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.audio import Audio, decode, from_samples
from processor.config import Limits

Samples = NDArray[np.float32]

RATE = 48_000
SURROUND = ("FL", "FR", "FC", "LFE", "BL", "BR")


def amplitude(dbfs: float) -> float:
    """The factor of a level in dB."""
    return float(10 ** (dbfs / 20))


def db(factor: float) -> float:
    """The level in dB of a factor."""
    return float(20 * np.log10(factor))


def sine(
    hz: float, seconds: float, dbfs: float = 0.0, *, rate: int = RATE, degrees: float = 0.0, channels: int = 1
) -> Samples:
    """A sine whose peak has `dbfs` and that begins at the phase `degrees`, the same on all channels."""
    angle = 2 * np.pi * hz / rate * np.arange(round(seconds * rate)) + np.deg2rad(degrees)
    return spread(amplitude(dbfs) * np.sin(angle), channels)


def tones(
    parts: Iterable[tuple[float | None, float]], *, hz: float = 1000.0, rate: int = RATE, channels: int = 2
) -> Samples:
    """One unbroken sine in sections of `(dBFS of its peak, seconds)`; None for silence."""
    listed = list(parts)
    edges = np.round(np.cumsum([0.0, *(seconds for _, seconds in listed)]) * rate).astype(int)
    gains = [0.0 if dbfs is None else amplitude(dbfs) for dbfs, _ in listed]
    gain = np.repeat(np.array(gains, np.float32), np.diff(edges))
    return gain * sine(hz, edges[-1] / rate, rate=rate, channels=channels)


def noise(seconds: float, rms_dbfs: float = -20.0, *, rate: int = RATE, channels: int = 1, seed: int = 0) -> Samples:
    """White Gaussian noise of an RMS level, different on each channel."""
    random = np.random.default_rng(seed)
    return (amplitude(rms_dbfs) * random.standard_normal((channels, round(seconds * rate)))).astype(np.float32)


def silence(seconds: float, *, rate: int = RATE, channels: int = 1) -> Samples:
    """Zeros."""
    return np.zeros((channels, round(seconds * rate)), np.float32)


def constant(value: float, seconds: float, *, rate: int = RATE, channels: int = 1) -> Samples:
    """Direct current."""
    return np.full((channels, round(seconds * rate)), value, np.float32)


def spread(row: NDArray[np.floating], channels: int = 2) -> Samples:
    """One signal on every channel."""
    return np.tile(np.asarray(row, np.float32), (channels, 1))


def stereo(left: Samples, right: Samples) -> Samples:
    """Two mono signals side by side."""
    return np.concatenate([left, right])


def joined(*parts: Samples) -> Samples:
    """Signals one after the other."""
    return np.concatenate(parts, axis=1)


def faded(samples: Samples, frames: int = 480) -> Samples:
    """The same, faded in and out in a straight line over so many samples."""
    ramp = np.arange(samples.shape[1], dtype=np.float32)
    return samples * np.minimum(1, np.minimum(ramp, ramp[::-1]) / np.float32(frames))


def clipped(samples: Samples, ceiling: float = 1.0) -> Samples:
    """The same, cut flat at `ceiling`."""
    return np.clip(samples, -ceiling, ceiling)


def rounded_to(samples: Samples, bits: int) -> Samples:
    """The same, as a linear coding of so many bits gives it back."""
    steps = 2.0 ** (bits - 1)
    return (np.clip(np.round(samples * steps), -steps, steps - 1) / steps).astype(np.float32)


# Frequency and phase of the tones of a minor chord and its overtones.
_CHORD = (
    (220.0, 0.0),
    (261.63, 0.3),
    (329.63, 1.1),
    (440.0, 2.0),
    (659.26, 0.7),
    (1318.5, 1.9),
    (2637.0, 0.2),
    (5274.0, 1.0),
    (9000.0, 2.2),
)


@functools.cache
def song(seconds: float = 12.0, *, rate: int = RATE, channels: int = 2, seed: int = 0) -> Samples:
    """A short piece at 120 beats a minute: quiet chords, then drums and bass as well, then all of it louder.

    The first third is quiet, so it has a loudness range; drums give it a crest factor; the sides differ. With six
    channels there is sound on each of `SURROUND`, the LFE included. The array is shared: it cannot be written to.
    """
    n = round(seconds * rate)
    time = np.arange(n) / rate
    beat = time % 0.5
    random = np.random.default_rng(seed)
    chord = sum(
        np.sin(2 * np.pi * hz * time + phase) / (k + 1) for k, (hz, phase) in enumerate(_CHORD) if hz < rate / 2.5
    )
    wide = sum(
        np.sin(2 * np.pi * hz * 1.003 * time + k) / (k + 1) for k, (hz, _) in enumerate(_CHORD) if hz < rate / 2.5
    )
    kick = np.sin(2 * np.pi * 50 * beat + 6 * (1 - np.exp(-beat * 30))) * np.exp(-beat * 9)
    snare = random.standard_normal(n) * np.exp(-((time + 0.5) % 1.0) * 25)
    bass = np.sign(np.sin(2 * np.pi * 55 * time)) * (1 - beat)
    progress = np.linspace(0, 3, n)
    drums = np.where(progress > 1, 0.5 * kick + 0.12 * snare + 0.1 * bass, 0.0)
    loud = np.where(progress > 2, 1.0, 0.6)
    rows = [
        loud * (drums + 0.12 * chord),
        loud * (drums + 0.12 * wide),
        loud * (0.8 * drums + 0.05 * chord),
        loud * 0.7 * kick,
        loud * 0.08 * (chord - wide),
        loud * 0.08 * (wide - 0.5 * chord),
    ]
    mix = np.array(rows[:channels] if channels > 1 else [0.5 * (rows[0] + rows[1])])
    samples: Samples = (0.9 * mix / np.abs(mix).max()).astype(np.float32)
    samples.flags.writeable = False
    return samples


def audio(samples: Samples, rate: int = RATE, **facts: object) -> Audio:
    """Samples as an analyser gets them; `facts` are those of `from_samples`."""
    return from_samples(samples, rate, **facts)  # type: ignore[arg-type]


def write_wav(path: Path, samples: Samples, rate: int = RATE, subtype: str = "FLOAT") -> Path:
    """Write a WAV file, exactly these samples unless `subtype` is coarser, and return its path."""
    import soundfile

    soundfile.write(path, samples.T, rate, subtype=subtype)
    return path


def streamed(path: Path, samples: Samples, rate: int = RATE) -> Audio:
    """The same samples as a stream out of a file at `path`, as those of a file too long for memory are."""
    found = decode(write_wav(path, samples, rate), limits=Limits(decoded_bytes=0))
    assert found.source.streamed
    return found


def write_encoded(
    path: Path,
    samples: Samples,
    rate: int = RATE,
    *,
    container: str,
    codec: str,
    layout: str = "stereo",
    tags: Mapping[str, str] | None = None,
) -> Path:
    """Write a file of any kind that FFmpeg can write, with tags, and return its path."""
    import av

    with av.open(str(path), "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=rate, layout=layout)
        file.metadata.update(tags or {})
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            file.mux(packet)
    return path
