"""The sounds of one song, added up: what is played together is heard together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from processor.analysis.bands import bands, third_octaves_hz
from processor.analysis.loudness import Meter
from processor.audio import Audio, decode, downmix_matrix
from processor.config import Limits
from processor.errors import LinerNotesError
from processor.mashup.songs import Song

Vector = NDArray[np.float64]
Curve = NDArray[np.float32]
Samples = NDArray[np.float32]
Progress = Callable[[float], None]

HOP_S = 0.1
FINE = 10  # levels of 10 ms in a hop
# Longer sound is no song, and would not fit in memory.
LONGEST_S = 1200.0
# Files that belong together may differ by so much at the end: exports are rounded up to blocks.
SAME_LENGTH_S = 0.1
# What a band without any sound has.
SILENT_DB = -120.0


class UnfitLayers(LinerNotesError):
    """The sounds of one song cannot be played together."""


def summed(song: Song, limits: Limits, progress: Progress) -> tuple[Samples, int, int]:
    """The sum of the layers in stereo, with silence up to a whole hop; its rate, and how long the longest layer is."""
    total, rate, lengths = np.zeros((2, 0), np.float32), 0, []
    for place, (name, path) in enumerate(song.layers.items()):
        audio = decoded(path, limits, streamed=True)
        if rate not in (0, audio.sample_rate):
            raise UnfitLayers(
                f"{name} of {song.title} has a sample rate of {audio.sample_rate} Hz, the sounds before it {rate}. "
                "Bring all to one rate."
            )
        rate = audio.sample_rate
        lengths.append(audio.frames)
        if max(lengths) - min(lengths) > SAME_LENGTH_S * rate:
            raise UnfitLayers(
                f"{name} of {song.title} is {audio.duration_s:.2f} s long, the sounds before it {lengths[0] / rate:.2f}"
                ". They have to begin and end together: export them in one go."
            )
        total = _grown(total, _whole_hops(audio.frames, rate))
        _add(total, audio)
        progress((place + 1) / len(song.layers))
    return total, rate, max(lengths)


def decoded(path: Path, limits: Limits, *, streamed: bool = False) -> Audio:
    """A layer's sound; streamed, it is never held whole.

    Raises:
        UnfitLayers: it is too long for a song.
    """
    audio = decode(path, limits=replace(limits, decoded_bytes=1) if streamed else limits)
    if audio.duration_s > LONGEST_S:
        raise UnfitLayers(
            f"{path.name} is {audio.duration_s / 60:.0f} minutes long; a mashup is made of songs of at most "
            f"{LONGEST_S / 60:.0f}. Cut the part out that should play."
        )
    return audio


def _whole_hops(frames: int, rate: int) -> int:
    """Frames of the whole hops that a sound lies in."""
    hops = -(-frames * round(1 / HOP_S) // rate)
    return -(-hops * rate // round(1 / HOP_S))


def _grown(samples: Samples, frames: int) -> Samples:
    """The same sound with silence behind it, if it is shorter."""
    if samples.shape[1] >= frames:
        return samples
    longer = np.zeros((2, frames), np.float32)
    longer[:, : samples.shape[1]] = samples
    return longer


def _add(total: Samples, audio: Audio) -> None:
    """Add a sound in place, folded to stereo."""
    fold = downmix_matrix(audio.positions)
    at = 0
    for block in audio.blocks():
        stop = at + block.shape[1]
        if audio.channels == 2 and audio.positions == ("FL", "FR"):
            total[:, at:stop] += block
        else:
            total[:, at:stop] += fold @ block
        at = stop


def powers_of(samples: Samples, rate: int) -> Vector:
    """K-weighted mean square of each 10 ms, in whole hops (ITU-R BS.1770-4, both channels added)."""
    meter = Meter(rate, ("FL", "FR"))
    meter.feed(samples)
    fine: Vector = meter.window_powers(1)
    return fine[: fine.size // FINE * FINE]


def band_levels(sound: Audio, hops: int) -> tuple[Curve, Vector]:
    """Third-octave levels of each hop, `(hops, bands)` in dB re full scale, and the bands' centres."""
    centres = third_octaves_hz(sound.sample_rate)
    if not sound.frames or not hops:
        return np.zeros((0, centres.size), np.float32), centres
    found = bands(sound)
    powers = (found.band_left + found.band_right) / 2
    # Frames are a twentieth of a second apart and twice as long: a hop has the mean of those within it.
    edges = np.searchsorted(found.times_s, np.arange(hops) * HOP_S)
    edges = np.minimum(edges, len(powers) - 1)
    sums = np.add.reduceat(powers, edges, axis=0)
    counts = np.maximum(1, np.diff(edges, append=len(powers)))[:, None]
    levels = 10 * np.log10(np.maximum(sums / counts, 10 ** (SILENT_DB / 10)))
    return levels.astype(np.float32), found.centres_hz
