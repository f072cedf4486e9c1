"""Three short pieces, synthesised, so that a newcomer sees a report before dropping music of their own.

Each is made of a kick, a bass, chords and a melody at its own tempo, key and loudness. The last one is broken on
purpose: its bass is out of phase between left and right, and it is clipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 44_100
BARS = 8
Signal = NDArray[np.float64]

_MINOR, _MAJOR = (0, 3, 7), (0, 4, 7)


@dataclass(frozen=True)
class Piece:
    """What a demo piece is made of.

    Attributes:
        name: file name.
        tempo_bpm: beats a minute.
        chords: root in semitones above A2 and triad of each bar, repeated.
        peak_dbfs: level to which it is scaled before `drive_db`.
        drive_db: gain into a hard clipper; 0 leaves it clean.
        flips_bass: whether the right channel's bass has the opposite sign.
    """

    name: str
    tempo_bpm: float
    chords: tuple[tuple[int, tuple[int, ...]], ...]
    peak_dbfs: float
    drive_db: float = 0.0
    flips_bass: bool = False


PIECES = (
    Piece("Morning Tape.wav", 84.0, ((3, _MAJOR), (0, _MINOR), (8, _MAJOR), (10, _MAJOR)), peak_dbfs=-9.0),
    Piece("Harbour Lights.flac", 120.0, ((0, _MINOR), (-4, _MAJOR), (3, _MAJOR), (-2, _MAJOR)), peak_dbfs=-1.5),
    Piece(
        "Too Hot to Handle.wav",
        140.0,
        ((5, _MINOR), (5, _MINOR), (1, _MAJOR), (3, _MAJOR)),
        peak_dbfs=-1.0,
        drive_db=9.0,
        flips_bass=True,
    ),
)


def write_pieces(folder: Path) -> list[Path]:
    """Write the three pieces into `folder` and return their paths."""
    import soundfile

    paths = []
    for piece in PIECES:
        path = folder / piece.name
        soundfile.write(path, render(piece).T, RATE, subtype="PCM_16" if path.suffix == ".wav" else "PCM_24")
        paths.append(path)
    return paths


def render(piece: Piece) -> Signal:
    """Synthesise a piece, shape `(2, n)`, at 44.1 kHz; the same samples every time."""
    beat_s = 60 / piece.tempo_bpm
    length = int((BARS * 4 * beat_s + 1.0) * RATE)
    middle, side, bass = np.zeros(length), np.zeros(length), np.zeros(length)
    for bar in range(BARS):
        root, triad = piece.chords[bar % len(piece.chords)]
        for beat in range(4):
            start = (bar * 4 + beat) * beat_s
            _add(middle, start, _kick())
            _add(side, start + beat_s / 2, _hat(bar * 4 + beat))
            _add(bass, start, 0.5 * _tone(root - 12, beat_s * 0.9, decay_s=0.6, partials=4))
            if bar >= 2:
                _add(
                    middle,
                    start + beat_s / 2,
                    0.25 * _tone(root + 24 + triad[(bar + beat) % len(triad)], beat_s, decay_s=0.25, partials=3),
                )
        for number, interval in enumerate(triad):
            chord = 0.16 * _tone(root + 12 + interval, 4 * beat_s, decay_s=2.5, partials=6)
            _add(middle, bar * 4 * beat_s, chord)
            _add(side, bar * 4 * beat_s, chord * (0.5, -0.4, 0.3)[number])
    left = middle + side + bass
    right = middle - side + (-bass if piece.flips_bass else bass)
    stereo = np.stack([left, right])
    stereo *= 10 ** (piece.peak_dbfs / 20) / np.abs(stereo).max()
    return np.clip(stereo * 10 ** (piece.drive_db / 20), -1.0, 1.0)


def _add(track: Signal, start_s: float, sound: Signal) -> None:
    start = int(start_s * RATE)
    part = sound[: max(0, track.size - start)]
    track[start : start + part.size] += part


def _tone(semitones_above_a2: float, length_s: float, *, decay_s: float, partials: int) -> Signal:
    """A plucked string: partials that fall off with their number, an exponential decay, soft edges."""
    time = np.arange(int(length_s * RATE)) / RATE
    pitch_hz = 110.0 * 2 ** (semitones_above_a2 / 12)
    wave = sum(
        (np.sin(2 * np.pi * pitch_hz * k * time) / k**1.5 for k in range(1, partials + 1)),
        np.zeros(time.size),
    )
    edge = np.minimum(1.0, np.minimum(time, time[::-1]) / 0.005)
    return np.asarray(wave * np.exp(-time / decay_s) * edge)


def _kick() -> Signal:
    """A falling sine with a fast decay."""
    time = np.arange(int(0.3 * RATE)) / RATE
    phase = 2 * np.pi * (50 * time + 4.0 * (1 - np.exp(-time * 30)))
    return np.asarray(0.9 * np.sin(phase) * np.exp(-time / 0.09))


def _hat(seed: int) -> Signal:
    """A short burst of bright noise, different for each beat, the same in each run."""
    noise = np.random.default_rng(seed).standard_normal(int(0.06 * RATE))
    bright = np.diff(noise, prepend=0.0)
    return np.asarray(0.06 * bright * np.exp(-np.arange(bright.size) / (0.012 * RATE)))
