"""What "fits" means, from 0 to 1: the measures that a library's pairs and two songs at hand have in common.

A score is the harmonic fit, less what each other measure takes away of it. How the numbers below were found:
`python -m tests.accuracy.mashability` on eleven songs of which the true stems are known. Clash, weight of the key and
weight of the accents were tried at three or four values each; kept are those with which the phrases stand out most
from shifted, late, stretched and mismatched ones (mean AUC of six kinds of pairing 0.87). With a song left out the
same are picked eight times of eleven, and the songs left out have 0.85 with what the others pick. More does not help:
a weight for each of the twelve intervals, fitted to ten songs, does worse on the eleventh than none; a sum of the
measures (logistic regression) is better than their product on mismatched pairs as they are, and worse on shifted and
aligned ones. Weights of room and energy are no fit: neither tells which
stems belong together, for what plays together shares its register and its loud parts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float32]
Vector = NDArray[np.float64]

# No farther than that are vocals shifted, or the backing (beyond it voices sound made), and by no more is the tempo
# changed (beyond it everybody hears it).
MOST_SEMITONES, MOST_TEMPO_CHANGE = 3, 0.12

# A note of the voice beside one of the backing, a semitone apart, takes away so much of what the same note gives.
CLASH = 0.2
# How much the keys of the whole songs count beside the notes of the phrase: distance on the circle of fifths.
KEY_WEIGHT = 0.2
# Correlation, with the keys, → fit. Of phrases over their own backing nine in ten have more than 0.23, half have 0.60
# and one in ten 0.80; shifted, half of them have less than −0.11, and one in ten more than 0.41.
HARMONIC = (-0.1, 0.75)
RHYTHMIC = (-0.1, 0.5)
# Spectra → fit, by their affinity (1: the same): over their own backing 0.75 in the middle.
ROOM = (1.0, 0.5)
# Distance of the levels of both, each against the loud parts of its song, in dB → fit.
ENERGY = (15.0, 2.0)
# Levels that far below the loud parts are pauses.
PAUSE_DB = -18.0
# What a voice or backing without any pitch counts for: what is spoken fits all chords, and none well.
UNPITCHED = 0.6
# What the accents count for where one side has none: a held note is no better for having nothing to compare.
UNTOLD = 0.5
# How much of the score the worst of accents, spectra and levels takes away.
ACCENTS, SPECTRA, LEVELS = 0.45, 0.1, 0.1
# Two voices at once all the time leave so much of the score: of all faults it is the one that people mind most.
OVERLAPPED = 0.3
# What a semitone costs, and what a change of tempo: nothing up to 5 %, which is not heard, then more and more.
A_SEMITONE, FREE_TEMPO, TEMPO_SLOPE = 0.03, 0.05, 2.0


def ramps(values: NDArray[np.floating], ends: tuple[float, float]) -> Curve:
    """0 at the first of two ends and beyond, 1 at the second one and beyond, a straight line between."""
    found: Curve = np.clip((values - ends[0]) / (ends[1] - ends[0]), 0.0, 1.0).astype(np.float32, copy=False)
    return found


def shift_factor(semitones: float) -> float:
    """What a shift leaves of a score."""
    return 1.0 - A_SEMITONE * abs(semitones)


def tempo_factor(ratio: float) -> float:
    """What a change of tempo leaves of a score."""
    return 1.0 - TEMPO_SLOPE * max(0.0, abs(ratio - 1.0) - FREE_TEMPO)


def leaving(fit: NDArray[np.floating], most: float) -> Curve:
    """What a measure leaves of a score: all at 1, all but `most` at 0; all where it is negative, for unknown."""
    return np.asarray(1 - np.float32(most) * (1 - np.where(fit < 0, 1, fit)), np.float32)


def factor(rhythmic: Curve, room: Curve, energy: Curve, overlap: Curve) -> Curve:
    """What all measures but the harmonic one leave of a score; negative ones are unknown."""
    left = (
        leaving(np.where(rhythmic < 0, np.float32(UNTOLD), rhythmic), ACCENTS)
        * leaving(room, SPECTRA)
        * leaving(energy, LEVELS)
    )
    return np.asarray(left * leaving(overlap, 1 - OVERLAPPED), np.float32)


def unit(rows: NDArray[np.floating]) -> Curve:
    """Rows of length 1, shape `(n, d)`; 0 stays 0."""
    lengths = np.sqrt(np.square(rows, dtype=np.float64).sum(axis=1, keepdims=True))
    found = np.divide(rows, lengths, out=np.zeros(rows.shape, np.float64), where=lengths > 1e-9)
    return np.asarray(found, np.float32)


def centred(rows: NDArray[np.floating]) -> Curve:
    """Rows of mean 0 and length 1, whose product is their correlation; what does not move stays 0."""
    return unit(rows - rows.mean(axis=1, keepdims=True, dtype=np.float64)) if rows.shape[1] else rows.astype(np.float32)


def pitch_rows(pitches: NDArray[np.floating]) -> Curve:
    """Roots of pitch classes `(n, steps, 12)` as rows of length 1, shape `(n, steps · 12)`.

    Each step counts by what stands out in it, so that noise, in which all twelve are alike, says nothing.
    """
    flat = pitches.astype(np.float64)
    flat -= flat.mean(axis=2, keepdims=True)
    return unit(flat.reshape(len(flat), -1))


def welcoming(pitches: NDArray[np.floating]) -> NDArray[np.float64]:
    """What notes the backing's pitch classes `(n, steps, 12)` ask for: their own, and not those a semitone beside."""
    notes = pitches.astype(np.float64)
    return np.asarray(notes - CLASH * (np.roll(notes, 1, axis=2) + np.roll(notes, -1, axis=2)))


def key_of(pitches: NDArray[np.floating]) -> complex:
    """Where pitch classes `(n, steps, 12)` lie on the circle of fifths, as a point on the unit circle; 0 for nowhere.

    Source: fifth coefficient of the Fourier transform of a pitch-class profile (Quinn 2007); relative keys share it.
    """
    profile = pitches.reshape(-1, 12).mean(axis=0, dtype=np.float64) if pitches.size else np.zeros(12)
    point = complex(profile @ np.exp(-2j * np.pi * 5 * np.arange(12) / 12))
    return point / abs(point) if abs(point) > 1e-6 else 0j


def keys_at(voice: complex, backing: complex | NDArray[np.complex128], semitones: NDArray[np.integer]) -> Vector:
    """How near the keys are at each shift of the voice: 1 the same or its relative, −1 a tritone away."""
    turned = voice * np.exp(-2j * np.pi * 5 * semitones / 12) * np.conj(backing)
    return np.asarray(np.real(turned), np.float64)


def spectrum_rows(bands_db: NDArray[np.floating]) -> Curve:
    """Spectra `(n, bands)` in dB as rows whose product is their affinity: 1 the same, 0 nothing in common.

    Source: Bhattacharyya 1943, of the shares of the power in each band.
    """
    power = 10 ** (np.maximum(bands_db.astype(np.float64), -120.0) / 20)  # a root of the power
    return unit(power)
