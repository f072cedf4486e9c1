"""Bars of the two songs at hand as rows of numbers, and every bar of the one over every bar of the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis.bands import third_octaves_hz
from processor.analysis.phrases import A_BEAT, EARLY, HIGHEST_HZ, LOUD_PERCENTILE, LOWEST_HZ, means
from processor.mashup import fits
from processor.mashup.listening import HOP_S, Backing, Layer, Voice
from processor.mashup.plan import Grid, at_beats

Curve = NDArray[np.float32]
Vector = NDArray[np.float64]
Numbers = NDArray[np.int64]

SILENT = 1e-12


@dataclass(frozen=True)
class Bars:
    """The bars of one layer, as bars of the mashup.

    Attributes:
        beats: index of the beat that begins each, shape `(n,)`.
        edges_s: where each begins, and the end of the last, shape `(n + 1,)`.
        pitches: roots of the pitch classes' strengths by beat of the mashup, shape `(n, metre, 12)`.
        accents: by sixteenth, as rows whose product is their correlation.
        spectra: as rows whose product is their affinity.
        levels_db: against the loud bars.
    """

    beats: Numbers
    edges_s: Vector
    pitches: Curve
    accents: Curve
    spectra: Curve
    levels_db: Curve


def bars_of(layer: Layer, grid: Grid, metre: int, beats_per_beat: float = 1.0, first_beat: int | None = None) -> Bars:
    """Describe the whole bars of a layer.

    Args:
        layer: what is heard.
        grid: its beats.
        metre: beats of a bar of the mashup.
        beats_per_beat: beats of the layer for each of those.
        first_beat: that begins the first bar; None: the first downbeat.
    """
    first = max(0, grid.first_downbeat if first_beat is None else first_beat)
    unit = metre * beats_per_beat
    count = max(0, int((len(grid.beats_s) - first) / unit + 1e-9)) if len(grid.beats_s) > 1 else 0

    def divided(parts: int) -> Vector:
        return at_beats(grid.beats_s, (first + np.arange(count * parts + 1) * (unit / parts)).astype(np.float64))

    edges_s = divided(1) if count else np.zeros(1)
    sixteenths = divided(metre * A_BEAT) if count else np.zeros(1)
    early = EARLY * np.diff(sixteenths, append=2 * sixteenths[-1] - sixteenths[max(0, sixteenths.size - 2)])
    accents = means(layer.onsets[:, None], layer.onset_rate, sixteenths - early)
    chroma = means(layer.chroma, layer.chroma_rate, divided(metre)) if count else np.zeros((0, 12))
    power = means(_powers(layer), 1 / HOP_S, edges_s)
    level = means(layer.power[:, None], 1 / HOP_S, edges_s)[:, 0]
    loud = max(float(np.percentile(level, LOUD_PERCENTILE)), SILENT) if count else 1.0
    return Bars(
        beats=np.rint(first + np.arange(count) * unit).astype(np.int64),
        edges_s=edges_s,
        pitches=np.sqrt(chroma).reshape(count, metre, 12).astype(np.float32),
        accents=fits.centred(np.sqrt(accents).reshape(count, metre * A_BEAT)),
        spectra=fits.spectrum_rows(10 * np.log10(np.maximum(power, SILENT))),
        levels_db=np.clip(10 * np.log10(np.maximum(level, SILENT) / loud), fits.PAUSE_DB, 0.0).astype(np.float32),
    )


def _powers(layer: Layer) -> Vector:
    """Power of each third-octave over time; 0 in those that the sample rate cannot hold, so that all have as many."""
    centres = third_octaves_hz(int(2 * HIGHEST_HZ))
    found = np.zeros((len(layer.bands_db), centres.size))
    held = min(centres.size, layer.centres_hz.size)  # all begin with the lowest
    found[:, :held] = 10 ** (layer.bands_db[:, :held].astype(np.float64) / 10)
    return found[:, centres > LOWEST_HZ]


def shares(edges_s: Vector, spans_s: Vector) -> Curve:
    """How much of each bar lies in spans `(n, 2)`, 0 to 1."""
    spans = np.asarray(spans_s, np.float64).reshape(-1, 2)
    starts, ends = edges_s[:-1, None], edges_s[1:, None]
    inside = np.maximum(0.0, np.minimum(ends, spans[:, 1]) - np.maximum(starts, spans[:, 0])).sum(axis=1)
    return np.asarray(np.clip(inside / np.maximum(np.diff(edges_s), 1e-9), 0.0, 1.0), np.float32)


def sung_shares(voice: Voice, bars: Bars) -> Curve:
    """How much of each bar is sung."""
    return shares(bars.edges_s, np.array([(line.sounds_from_s, line.sounds_to_s) for line in voice.lines], np.float64))


def both(voice: Voice, backing: Backing, beats_per_beat: float, first_beat: int | None) -> tuple[Bars, Bars] | None:
    """Bars of both; None where one has no beats."""
    mine, theirs = voice.sound.grid, backing.sound.grid
    if mine is None or theirs is None or beats_per_beat <= 0:
        return None
    sung = bars_of(voice.sound, mine, theirs.metre, beats_per_beat, first_beat)
    return sung, bars_of(backing.sound, theirs, theirs.metre)


def harmonic_fits(voice: Bars, backing: Bars, semitones: tuple[int, ...]) -> Curve | None:
    """Harmonic fit at each shift of the voice, shape `(shifts, voice's, backing's)`; None where one has no pitch."""
    asked = fits.pitch_rows(fits.welcoming(backing.pitches))
    sounding = fits.pitch_rows(voice.pitches)
    has_pitch = np.outer(sounding.any(axis=1), asked.any(axis=1))
    if not has_pitch.any():
        return None
    keys = fits.keys_at(fits.key_of(voice.pitches), fits.key_of(backing.pitches), np.array(semitones))
    found = np.empty((len(semitones), *has_pitch.shape), np.float32)
    for number, by in enumerate(semitones):
        related = fits.pitch_rows(np.roll(voice.pitches, by, axis=2)) @ asked.T
        found[number] = fits.ramps(related + fits.KEY_WEIGHT * keys[number], fits.HARMONIC)
        found[number][~has_pitch] = fits.UNPITCHED
    return found


def rhythmic_fits(voice: Bars, backing: Bars) -> Curve | None:
    """Fit of the accents, shape `(voice's, backing's)`; None where one has none."""
    is_told = np.outer(voice.accents.any(axis=1), backing.accents.any(axis=1))
    found = fits.ramps(voice.accents @ backing.accents.T, fits.RHYTHMIC)
    found[~is_told] = fits.UNTOLD
    return found if is_told.any() else None


def room_fits(voice: Bars, backing: Bars) -> Curve:
    """How much of the voice's spectrum is free."""
    return fits.ramps(voice.spectra @ backing.spectra.T, fits.ROOM)


def energy_fits(voice: Bars, backing: Bars) -> Curve:
    """Whether both are as loud as they get, or as quiet."""
    return fits.ramps(np.abs(voice.levels_db[:, None] - backing.levels_db), fits.ENERGY)


def along(values: Curve, sung: Curve, bars: int) -> tuple[Curve, Curve]:
    """Sums of `bars` bars along the diagonal from each place on, and of their weights.

    Args:
        values: shape `(…, rows, columns)`.
        sung: weight of each row, shape `(rows,)`.
        bars: at the right and the lower edge there are fewer.

    Returns:
        Sums in the shape of `values`, and weights in that of its last two axes.
    """
    rows, columns = values.shape[-2:]
    sums = np.zeros(values.shape, np.float32)
    weights = np.zeros((rows, columns), np.float32)
    for k in range(min(bars, rows, columns)):
        sums[..., : rows - k, : columns - k] += values[..., k:, k:] * sung[k:, None]
        weights[: rows - k, : columns - k] += sung[k:, None]
    return sums, weights
