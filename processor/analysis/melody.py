"""The melody: the notes of the voice, how far they reach, how they are held, and how well they are in tune.

Only where one voice can be heard by itself: in the stem of the vocals, or in a sound that has no other notes. Of a mix
the pitch curve follows whatever is loudest, which is no melody, and then nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis._notes import HELD_S, RATES_HZ, midi, notes, vibrato
from processor.analysis._voice import MIX
from processor.analysis.key import Key
from processor.analysis.pitch import Pitch
from processor.graph import analyser
from processor.quantities import quantity

Vector = NDArray[np.float64]

# In a mix, a voice or an instrument is alone where so much of the sound belongs to the pitch, and the tracker is so
# sure. Measured with SwiftF0: singers, speakers, a trumpet, a bass and three synthesisers had at least .80 and .84; of
# 20 mixes, bands and pianos, those with .75 of the sound (bass notes that outweigh the rest) had at most .76.
ALONE_SHARE, ALONE_CONFIDENCE = 0.75, 0.8
# Less is no melody.
FEWEST_NOTES, LEAST_NOTES_S = 3, 1.0
# The share of the notes' time at either end of the range that may be slips.
RANGE_PERCENTILES = (5.0, 95.0)
# A vibrato in fewer of the windows is an accident; this many windows are enough to be sure.
VIBRATO_SHARE, FEWEST_WINDOWS = 0.15, 3
# So much sung time is enough to judge by.
ENOUGH_S = 10.0
_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

_NOTES = "Viterbi path of constant pitches through the pitch curve, notes of 0.09 s and more"
_RANGE = "5th to 95th percentile of the notes' pitches, by time"
_HELD = f"sine of {RATES_HZ[0]:g} to {RATES_HZ[-1]:g} Hz fitted to notes of {HELD_S:g} s and more; median"


@dataclass(frozen=True)
class Melody:
    """The notes of a voice; None where no single voice can be heard."""

    note_count: int | None = quantity(
        "", label="Notes", source=_NOTES, help="How many notes the voice has.", low=0, digits=0
    )
    low_note: str | None = quantity("", label="Lowest note", source=_RANGE, help="Where the voice's range begins.")
    high_note: str | None = quantity("", label="Highest note", source=_RANGE, help="Where the voice's range ends.")
    range_semitones: float | None = quantity(
        "semitones", label="Range", source=_RANGE, help="From the lowest to the highest note; 12 is an octave.", low=0
    )
    vibrato_share: float | None = quantity(
        "",
        label="Share of held notes with vibrato",
        source=_HELD,
        help="How much of the held notes swings. Empty where no note is held.",
        low=0,
        high=1,
        digits=2,
    )
    vibrato_rate_hz: float | None = quantity(
        "Hz",
        label="Vibrato rate",
        source=_HELD,
        help="Swings a second; trained singers have 5 to 7. Empty without a vibrato.",
        low=4,
        high=8,
    )
    vibrato_cents: float | None = quantity(
        "cents",
        label="Vibrato extent",
        source=_HELD,
        help="How far it swings to either side of the note; 100 cents are a semitone.",
        low=0,
        high=250,
        digits=0,
    )
    intonation_cents: float | None = quantity(
        "cents",
        label="Intonation",
        source="distance of notes from the semitones of the track's tuning; median by time",
        help="How far the notes are from being in tune. 25 is what chance would give; corrected voices are under 8. "
        "Blue notes and slides count as well.",
        low=0,
        high=50,
    )
    sharp_cents: float | None = quantity(
        "cents",
        label="Sharp or flat",
        source="deviation of notes from the semitones of the track's tuning; circular mean by time",
        help="Above 0 the voice tends to be sharp, below to be flat.",
        low=-50,
        high=50,
    )
    melody_confidence: float | None = quantity(
        "",
        label="Sureness of the melody",
        source="mean confidence of the pitch × share of the voiced time in notes; less under 10 s of notes, and where "
        "others sound with the voice",
        help="How much the notes can be relied on: 1 for a clear voice that sings.",
        low=0,
        high=1,
        digits=2,
    )
    notes: NDArray[np.float64] = quantity(
        "",
        label="Note list",
        source=_NOTES,
        help="Start and end in seconds, and median pitch in semitones (69 is A4 at 440 Hz), of each note.",
    )


_NOTHING = Melody(None, None, None, None, None, None, None, None, None, None, np.zeros((0, 3)))


@analyser(version=1)
def melody(pitch: Pitch, key: Key | None = None) -> Melody:
    """Turn the pitch curve into notes, and measure these.

    Source: the rules that each field's declaration names; limits measured by `tests.accuracy.pitch`.
    """
    if pitch.heard_in == MIX and not is_alone(pitch):
        return _NOTHING
    curve = midi(np.asarray(pitch.f0_hz, np.float64))
    found = notes(curve, pitch.hop_s)
    lengths = found[:, 1] - found[:, 0]
    if len(found) < FEWEST_NOTES or lengths.sum() < LEAST_NOTES_S:
        return _NOTHING
    tuning = key.tuning_cents if key is not None else None
    low, high = _range(curve, found, pitch.hop_s)
    share, rate, extent = _vibrato(curve, found, pitch.hop_s)
    off, sharp = _intonation(found, tuning)
    return Melody(
        note_count=len(found),
        low_note=note_name(low, tuning or 0.0),
        high_note=note_name(high, tuning or 0.0),
        range_semitones=high - low,
        vibrato_share=share,
        vibrato_rate_hz=rate,
        vibrato_cents=extent,
        intonation_cents=off,
        sharp_cents=sharp,
        melody_confidence=_confidence(pitch, float(lengths.sum())),
        notes=found,
    )


def is_alone(pitch: Pitch) -> bool:
    """Whether the pitch is that of one voice or instrument by itself, and not of the loudest among several."""
    return (pitch.harmonic_share or 0.0) >= ALONE_SHARE and (pitch.pitch_confidence or 0.0) >= ALONE_CONFIDENCE


def note_name(pitch: float, tuning_cents: float = 0.0) -> str:
    """The nearest note to a pitch in semitones: "A4" for 69."""
    number = round(pitch - tuning_cents / 100)
    return f"{_NAMES[number % 12]}{number // 12 - 1}"


def _range(curve: Vector, found: Vector, hop_s: float) -> tuple[float, float]:
    """Pitch in semitones under and over which a voice hardly ever is."""
    times = np.arange(curve.size) * hop_s
    place = np.searchsorted(found[:, 0], times, side="right") - 1
    within = (place >= 0) & (times < found[np.maximum(place, 0), 1])
    low, high = np.percentile(found[place[within], 2], RANGE_PERCENTILES)
    return float(low), float(high)


def _vibrato(curve: Vector, found: Vector, hop_s: float) -> tuple[float | None, float | None, float | None]:
    """Share of the held notes that swing, their rate in Hz and extent in cents."""
    swings = vibrato(curve, found, hop_s)
    if swings.windows < FEWEST_WINDOWS:
        return None, None, None
    share = swings.rates_hz.size / swings.windows
    if share < VIBRATO_SHARE:
        return share, None, None
    return share, float(np.median(swings.rates_hz)), float(np.median(swings.extents_cents))


def _intonation(found: Vector, tuning_cents: float | None) -> tuple[float | None, float | None]:
    """How far notes are from the grid of the track's tuning in cents, and to which side; None where it has none."""
    if tuning_cents is None:
        return None, None
    lengths = found[:, 1] - found[:, 0]
    cents = 100 * found[:, 2] - tuning_cents
    off = cents - 100 * np.round(cents / 100)
    order = np.argsort(np.abs(off))
    heavy = np.cumsum(lengths[order])
    middle = float(np.abs(off)[order][np.searchsorted(heavy, heavy[-1] / 2)])
    mean = np.angle(np.sum(lengths * np.exp(2j * np.pi * off / 100))) * 50 / np.pi
    return min(50.0, middle), float(np.clip(mean, -50, 50))


def _confidence(pitch: Pitch, notes_s: float) -> float:
    """How much the notes can be relied on, 0 to 1."""
    voiced_s = float(np.isfinite(pitch.f0_hz).sum()) * pitch.hop_s
    sung = min(1.0, notes_s / max(voiced_s, 1e-9)) * min(1.0, notes_s / ENOUGH_S)
    alone = min(1.0, (pitch.harmonic_share or 0.0) / ALONE_SHARE)
    return float(np.clip((pitch.pitch_confidence or 0.0) * sung * alone, 0, 1))
