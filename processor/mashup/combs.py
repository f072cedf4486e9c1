"""One tempo and one phase fitted to all that is heard, as for music that was made on a machine."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from processor.analysis.onsets import Onsets

Vector = NDArray[np.float64]

# Beats, their halves and quarters: what nearly all rhythms have. Thirds would make three beats of two.
HARMONICS: Vector = np.array([1.0, 2.0, 4.0])
# How far from the tempo that was heard the fitted one may be: of 59 pieces at one tempo, what `beats` heard was off by
# up to 0.5 %, of vocals alone by 1 %.
REACH, SAID_REACH, POLISHED_REACH = 0.015, 0.005, 0.003
# Who makes music at one tempo mostly sets a whole number. One so near is taken where it fits nearly as well: the fit
# of 75 s is off by up to 0.06 BPM (measured), and over four minutes that would be 0.1 s.
WHOLE_BPM, WHOLE_FIT = 0.08, 0.55
# Beats keep one tempo where half of them and most of them lie so near to its beats or off-beats. Of 59 pieces at one
# tempo 57 do, half of their beats within 14 ms, most within 29; orchestras and a live band have 17 to 48 and 35 to 93.
HALF_WITHIN_S, MOST_WITHIN_S, MOST = 0.015, 0.035, 0.8
# Where a person has said the tempo, others count the less the farther they are from it.
SAID_SPREAD = 0.0015
_AT_ONCE = 4096  # beats: 50 MB


@dataclass(frozen=True)
class Comb:
    """Beats at one tempo.

    Attributes:
        tempo_bpm: its tempo.
        first_s: time of the beat that is nearest behind 0.
        strength: power of the onsets at its frequency and harmonics, over that of as many onsets by chance.
    """

    tempo_bpm: float
    first_s: float
    strength: float

    @property
    def period_s(self) -> float:
        """Time from beat to beat."""
        return 60 / self.tempo_bpm

    def led_by(self, beats_s: Vector) -> Comb:
        """The same, or half a beat later where more of the given beats lie there."""
        away = (beats_s - self.first_s + self.period_s / 2) % self.period_s - self.period_s / 2
        is_on = np.abs(away) < self.period_s / 4
        shift = 0.0 if not is_on.size or is_on.mean() >= 0.5 else self.period_s / 2
        return replace(self, first_s=(self.first_s + shift) % self.period_s)

    def beats_s(self, duration_s: float) -> Vector:
        """All beats within a file, at least two."""
        count = max(2, int((duration_s - self.first_s) / self.period_s) + 1)
        return np.asarray(self.first_s + self.period_s * np.arange(count), np.float64)


def comb_of_beats(beats_s: Vector, tempo_bpm: float, reach: float) -> Comb | None:
    """The one tempo and phase that beats keep, perhaps slipping to the off-beat for a while; None if they do not."""
    tempi = tempo_bpm * np.exp(np.linspace(-reach, reach, 801))
    sums = np.zeros((2, tempi.size), np.complex128)
    for start in range(0, beats_s.size, _AT_ONCE):
        turns = np.exp(-2j * np.pi * np.outer(tempi / 60, beats_s[start : start + _AT_ONCE]))
        sums += turns.sum(axis=1), (turns**2).sum(axis=1)
    powers = (np.abs(sums) ** 2).sum(axis=0)
    tempo = whole_tempo(tempi, powers)
    period = 60 / tempo
    # Twice the phase is that of beats and off-beats together.
    angle = float(np.angle(np.exp(4j * np.pi * beats_s / period).sum()))
    first = angle / (4 * np.pi) * period
    off = np.abs((beats_s - first + period / 4) % (period / 2) - period / 4)
    if np.median(off) > HALF_WITHIN_S or np.quantile(off, MOST) > MOST_WITHIN_S:
        return None
    return Comb(tempo, first % period, float(powers.max() / beats_s.size)).led_by(beats_s)


def whole_tempo(tempi: Vector, powers: Vector) -> float:
    """The tempo with the greatest power; the whole number beside it where that has nearly as much."""
    best = float(tempi[powers.argmax()])
    whole = round(best)
    fits = np.interp(whole, tempi, powers, left=0.0, right=0.0) >= WHOLE_FIT * powers.max()
    return float(whole) if fits and abs(best - whole) <= WHOLE_BPM else best


@dataclass(frozen=True)
class Spectrum:
    """Power of an onset curve by frequency, over its mean by chance: 1 for noise."""

    powers: Vector
    step_hz: float

    def at(self, tempi_bpm: Vector) -> Vector:
        """Power at tempi and their harmonics."""
        total = np.zeros(tempi_bpm.size)
        for harmonic in HARMONICS:
            at = harmonic * tempi_bpm / 60 / self.step_hz
            total += np.interp(at, np.arange(self.powers.size), self.powers, right=0.0)
        return total


def spectrum_of(curve: Vector, frame_rate: float) -> Spectrum | None:
    """Its spectrum; None where nothing happens."""
    import scipy.fft

    variance = float(curve.var()) if curve.size else 0.0
    if variance <= 0:
        return None
    size = scipy.fft.next_fast_len(8 * curve.size, real=True)
    powers = np.abs(scipy.fft.rfft(curve - curve.mean(), size)) ** 2 / (curve.size * variance)
    return Spectrum(powers, frame_rate / size)


def comb_of(onsets: Onsets, tempo_bpm: float, reach: float, *, is_said: bool = False) -> Comb | None:
    """The beats of the one tempo near another that has most of the onsets; None where there are none.

    Args:
        onsets: the curve.
        tempo_bpm: where to look.
        reach: how far from it, as a logarithm.
        is_said: whether somebody said the tempo, who may have rounded it.
    """
    curve = onsets.envelope.astype(np.float64)
    spectrum = spectrum_of(curve, onsets.frame_rate)
    if spectrum is None:
        return None
    away = np.linspace(-reach, reach, 801)
    tempi = tempo_bpm * np.exp(away)
    powers = spectrum.at(tempi)
    weights = np.exp(-0.5 * (away / SAID_SPREAD) ** 2) if is_said else np.ones(away.size)
    tempo = whole_tempo(tempi, powers * weights)
    return Comb(tempo, phase_s(curve, onsets.frame_rate, tempo), float(powers.max()))


def phase_s(curve: Vector, frame_rate: float, tempo_bpm: float) -> float:
    """Time of the beat behind 0 at which harmonics of the beat, added up, are strongest."""
    places = np.arange(1000) / 1000
    return float(places[_at_places(curve, frame_rate, tempo_bpm, places).argmax()]) * 60 / tempo_bpm


def agreement(onsets: Onsets, comb: Comb, shifts: Vector) -> Vector:
    """How well beats agree with the onsets if they are moved by parts of a beat: as correlations, added by harmonic."""
    curve = onsets.envelope.astype(np.float64)
    most = float(curve.std()) * curve.size / np.sqrt(2) if curve.size else 0.0
    if most <= 0:
        return np.zeros(shifts.size)
    places = comb.first_s / comb.period_s + shifts
    return _at_places(curve, onsets.frame_rate, comb.tempo_bpm, places) / most


def _at_places(curve: Vector, frame_rate: float, tempo_bpm: float, places: Vector) -> Vector:
    """Sum of the harmonics of a beat, at places in beats behind 0."""
    turns = np.exp(-2j * np.pi * tempo_bpm / 60 / frame_rate * np.arange(curve.size))
    total = np.zeros(places.size)
    for harmonic in HARMONICS:
        share = (curve - curve.mean()) @ turns**harmonic
        total += np.real(share * np.exp(2j * np.pi * harmonic * places))
    return total
