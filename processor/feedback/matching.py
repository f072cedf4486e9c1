"""A matching equaliser: a few broad bands that bring a mix's tonal curve nearer to a reference's, and the proof.

The bands are fitted to the difference of third-octaves. Then they are applied to the mix, and what comes out is
measured like any other sound: what does not lower the difference is not suggested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from processor.analysis.bands import band_powers, bands
from processor.audio import Audio
from processor.feedback.compare import Comparison
from processor.feedback.compare_tone import HALF, outside_db, rms_db
from processor.feedback.equaliser import BELL, HIGH_SHELF, LOW_SHELF, Band, delays, equalised, response_at, response_db
from processor.quantities import quantity

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

MOST_BANDS = 6
MOST_DB = 6.0
# A band has to lower the difference by this, or it is not worth a knob.
WORTH_DB, WORTH_SHARE = 0.1, 0.05
# Bells of 0.7 to 2.5 octaves: narrower ones would follow the notes of one song.
BELL_Q, SHELF_Q = (0.5, 2.0), 0.707
BELLS_HZ, LOW_SHELVES_HZ, HIGH_SHELVES_HZ = (40.0, 12_000.0), (60.0, 400.0), (1500.0, 10_000.0)
# Less of a band is not heard.
LEAST_DB = 0.5
# Two bands that fight each other may have the same sum as one; the fit pays so many dB of error for 1 dB of gain.
EFFORT = 0.05
# Level is no tone, so a fit might turn up all but one spot instead of turning that one down; this keeps it from that.
LEVEL_FREEDOM = 0.7
# Where the sum of the bands is looked at, and by how much all are turned down at a time where it goes too far.
GRID_HZ, TURN_DOWN = (15.0, 25_000.0), 0.97
# Neighbours even each other out before the fit, as the ear does not hear single third-octaves.
SMOOTHING = (0.25, 0.5, 0.25)
_FIT = "least squares on the responses of second-order sections (R. Bristow-Johnson, audio EQ cookbook)"
_PROOF = "third-octaves of the equalised mix, measured like any other sound; RMS around the mean"


@dataclass(frozen=True)
class Equaliser:
    """A matching equaliser and its proof; no bands where none would help."""

    kinds: tuple[str, ...] = quantity("", label="Bands", source=_FIT, help="What each band is.")
    frequencies_hz: tuple[float, ...] = quantity(
        "Hz", label="Frequencies", source=_FIT, help="Where each band works.", low=0, digits=0
    )
    gains_db: tuple[float, ...] = quantity(
        "dB", label="Gains", source=_FIT, help="Negative to cut.", low=-MOST_DB, high=MOST_DB
    )
    qs: tuple[float, ...] = quantity("", label="Q", source=_FIT, help="Quality factors; larger is narrower.", low=0)
    rms_before_db: float | None = quantity(
        "dB", label="Difference before", source=_PROOF, help="Of the mix's tone from the reference's.", low=0, digits=2
    )
    rms_after_db: float | None = quantity(
        "dB", label="Difference after", source=_PROOF, help="The same behind these bands.", low=0, digits=2
    )
    reason: str | None = quantity(
        "", label="Why there are no bands", source=_PROOF, help="What was found where nothing is suggested."
    )
    centres_hz: Vector = quantity(
        "Hz", label="Third-octave centres", source="IEC 61260-1:2014, base ten", help="Exact centre of each.", low=0
    )
    response_db: Vector = quantity("dB", label="Response", source=_FIT, help="What the bands do together.")
    after_db: Vector = quantity(
        "dB", label="Difference of tone after", source=_PROOF, help="Equalised mix over reference by third-octave."
    )

    @property
    def bands(self) -> tuple[Band, ...]:
        """The bands, from the lowest to the highest."""
        parts = zip(self.kinds, self.frequencies_hz, self.gains_db, self.qs, strict=True)
        return tuple(Band(*part) for part in parts)

    @property
    def told(self) -> str:
        """What it does, or why there is none, in a sentence."""
        if self.reason is not None or self.rms_before_db is None or self.rms_after_db is None:
            return self.reason or ""
        return (
            f"brings the difference of tone from {self.rms_before_db:.1f} to {self.rms_after_db:.1f} dB "
            "(RMS over third-octaves, measured behind it)."
        )


def suggest(audio: Audio, comparison: Comparison) -> Equaliser:
    """Fit bands to a difference of tone and prove them on the mix.

    With several references they lead to the edge of the corridor: what lies inside is left alone.

    Args:
        audio: the mix.
        comparison: of this mix with its references.
    """
    centres, rms = comparison.centres_hz, rms_db(comparison.tone_db)
    if rms is None:
        return _nothing(comparison, "The tonal curves have too little in common to be compared.")
    aim = outside_db(comparison.mix_db, comparison.low_db, comparison.high_db)
    found = fit(np.where(np.isfinite(comparison.tone_db), aim, np.nan), centres, audio.sample_rate)
    if not found and comparison.reference_count > 1:
        return _nothing(
            comparison, "The tone lies in the corridor of the references, or as near as bands could bring it."
        )
    if not found:
        return _nothing(comparison, "The tone is as near to the reference as a few broad bands could bring it.")
    after = _difference_behind(audio, found, comparison)
    rms_after = rms_db(after)
    if rms_after is None or rms_after >= rms:
        return _nothing(comparison, "Bands were tried on the mix, and did not lower the difference.")
    return Equaliser(
        kinds=tuple(band.kind for band in found),
        frequencies_hz=tuple(band.frequency_hz for band in found),
        gains_db=tuple(band.gain_db for band in found),
        qs=tuple(band.q for band in found),
        rms_before_db=rms,
        rms_after_db=rms_after,
        reason=None,
        centres_hz=centres,
        response_db=response_db(found, centres, audio.sample_rate),
        after_db=after,
    )


def _nothing(comparison: Comparison, reason: str) -> Equaliser:
    empty = np.empty(0)
    return Equaliser((), (), (), (), rms_db(comparison.tone_db), None, reason, empty, empty, empty)


def _difference_behind(audio: Audio, found: Sequence[Band], comparison: Comparison) -> Vector:
    """Third-octaves of the equalised mix over the reference's, at one level; gaps as before."""
    power = bands(equalised(audio, found))
    thirds = band_powers((power.left + power.right) / 2, power.centres_hz / HALF, power.centres_hz * HALF, power.bin_hz)
    difference = 10 * np.log10(np.maximum(thirds, 1e-300)) - comparison.middle_db
    difference[~np.isfinite(comparison.tone_db)] = np.nan
    return np.asarray(difference - np.nanmedian(difference))


def fit(difference_db: Vector, centres_hz: Vector, sample_rate: int) -> tuple[Band, ...]:
    """The fewest bands that take most of a difference away, from the lowest to the highest; none if none is worth it.

    One band after the other is added where it helps most, and all are fitted again. Their sum stays within ±MOST_DB.

    Args:
        difference_db: mix over reference by third-octave, any level; gaps are left alone.
        centres_hz: centres of the third-octaves.
        sample_rate: of the mix, in Hz: near half of it, filters are not what they are elsewhere.
    """
    task = _Task(difference_db, centres_hz, sample_rate)
    chosen: list[Band] = []
    error = task.error(chosen)
    while len(chosen) < MOST_BANDS:
        best = min((task.refined([*chosen, one]) for one in task.promising(chosen)), key=task.error, default=None)
        if best is None or error - task.error(best) < max(WORTH_DB, WORTH_SHARE * error):
            break
        chosen, error = best, task.error(best)
    return _limited([_dialled(band) for band in chosen], sample_rate)


class _Task:
    """A difference to be taken away, and what is left of it."""

    def __init__(self, difference_db: Vector, centres_hz: Vector, sample_rate: int) -> None:
        heard = np.isfinite(difference_db)
        self._delay, self._rate = delays(centres_hz[heard], sample_rate), sample_rate
        self._smooth = _smoothing(int(heard.sum()))
        self._target = -self._smooth @ difference_db[heard]
        self._kinds = _ranges(sample_rate)

    def response(self, chosen: Sequence[Band]) -> Vector:
        """What the bands do to the third-octaves that are compared."""
        return response_at(chosen, self._delay, self._rate)

    def left(self, response: Vector) -> Vector:
        """What a response does not take away, with LEVEL_FREEDOM of its mean left out: that is only level."""
        left = self._smooth @ response - self._target
        return np.asarray(left - LEVEL_FREEDOM * left.mean())

    def error(self, chosen: Sequence[Band]) -> float:
        """Its RMS around its mean."""
        return float(self.left(self.response(chosen)).std())

    def promising(self, chosen: Sequence[Band], count: int = 3) -> list[Band]:
        """The bands that, added as they are, help most; of each shelf there is only one."""
        taken = {band.kind for band in chosen} - {BELL}
        left, none = self.left(self.response(chosen)), self.left(self.response([]))
        found: list[tuple[float, Band]] = []
        for kind, (low_hz, high_hz) in self._kinds.items():
            if kind in taken:
                continue
            for hz in np.geomspace(low_hz, high_hz, 12 if kind == BELL else 4):
                for q in (0.7, 1.4) if kind == BELL else (SHELF_Q,):
                    shape = self.left(self.response([Band(kind, float(hz), 1.0, q)])) - none
                    gain = float(np.clip(-(shape @ left) / max(float(shape @ shape), 1e-12), -MOST_DB, MOST_DB))
                    rest = left + gain * shape
                    found.append((float(rest @ rest), Band(kind, float(hz), gain, q)))
        found.sort(key=lambda pair: pair[0])
        return [band for _, band in found[:count]]

    def refined(self, chosen: Sequence[Band]) -> list[Band]:
        """The same bands, moved to where they help most together."""
        bounds = np.array([limits for band in chosen for limits in self._limits(band)])
        start = np.array([value for band in chosen for value in _knobs(band)])
        kinds = [band.kind for band in chosen]

        def residual(knobs: Vector) -> Vector:
            turned = _turned(kinds, knobs)
            whole = self.response(turned)
            gains = np.array([band.gain_db for band in turned])
            return np.concatenate([self.left(whole), EFFORT * gains, 3 * np.maximum(np.abs(whole) - MOST_DB, 0.0)])

        inside = np.clip(start, bounds[:, 0] + 1e-6, bounds[:, 1] - 1e-6)
        solved = scipy.optimize.least_squares(residual, inside, bounds=bounds.T, max_nfev=60)
        return _turned(kinds, solved.x)

    def _limits(self, band: Band) -> tuple[tuple[float, float], ...]:
        """Lowest and highest of each knob of a band."""
        low_hz, high_hz = self._kinds[band.kind]
        q = BELL_Q if band.kind == BELL else (SHELF_Q * 0.999, SHELF_Q * 1.001)
        return (np.log2(low_hz), np.log2(high_hz)), (-MOST_DB, MOST_DB), (np.log2(q[0]), np.log2(q[1]))


def _ranges(sample_rate: int) -> dict[str, tuple[float, float]]:
    """Kind of band → where it may stand; a kind that has no room under half the sample rate is left out."""
    end_hz = 0.4 * sample_rate
    every = {LOW_SHELF: LOW_SHELVES_HZ, BELL: BELLS_HZ, HIGH_SHELF: HIGH_SHELVES_HZ}
    return {kind: (low, min(high, end_hz)) for kind, (low, high) in every.items() if low < 0.8 * end_hz}


def _smoothing(count: int) -> Matrix:
    """Weighted means of neighbours; at the ends of those that are there."""
    weights = np.zeros((count, count))
    for shift, weight in zip((-1, 0, 1), SMOOTHING, strict=True):
        weights += weight * np.eye(count, k=shift)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _knobs(band: Band) -> tuple[float, float, float]:
    return float(np.log2(band.frequency_hz)), band.gain_db, float(np.log2(band.q))


def _turned(kinds: Sequence[str], knobs: Vector) -> list[Band]:
    rows = knobs.reshape(-1, 3).tolist()
    return [Band(kind, 2.0**hz, gain, 2.0**q) for kind, (hz, gain, q) in zip(kinds, rows, strict=True)]


def _dialled(band: Band) -> Band:
    """The same with values as one dials them in: two digits of frequency, tenths of gain and Q."""
    digits = 1 - int(np.floor(np.log10(band.frequency_hz)))
    return Band(band.kind, round(band.frequency_hz, digits), round(band.gain_db, 1), round(band.q, 1))


def _limited(found: Sequence[Band], sample_rate: int) -> tuple[Band, ...]:
    """The bands in order, without those that do nothing; turned down together as long as their sum goes too far."""
    heard = [band for band in found if abs(band.gain_db) >= LEAST_DB]
    grid = np.exp(-2j * np.pi * np.geomspace(*GRID_HZ, 300) / sample_rate)[:, None]
    while np.abs(response_at(heard, grid, sample_rate)).max() > MOST_DB:
        heard = [replace(band, gain_db=int(10 * TURN_DOWN * band.gain_db) / 10) for band in heard]
    return tuple(sorted((band for band in heard if band.gain_db), key=lambda band: band.frequency_hz))
