"""The phrases of a library as rows of numbers, so that all pairs are compared by products of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis.phrases import STEMS, Phrases
from processor.mashup.fits import PAUSE_DB, centred, key_of, pitch_rows, spectrum_rows, welcoming
from processor.record import Results

Curve = NDArray[np.float32]
Numbers = NDArray[np.int64]

BARS = 8
BANDS = 20
# Every so many bars a phrase of the backing may begin: forms are built of four.
BACKING_HOP = 4
# No more of a track's phrases are compared: the ones with the most voice, and backings from all over the track.
MOST_SUNG, MOST_BACKINGS = 12, 24
# A phrase of the voice is one if so much of it is sung.
LEAST_SUNG = 0.3
_ROWS: tuple[str, ...] = ("pitches", "accents", "spectra", "levels", "voices", "first_bar")
FAMILIES = {2: 4, 3: 6}  # bars of two and three are counted in pairs


@dataclass(frozen=True)
class Track:
    """What is compared of a track.

    Attributes:
        name: its name.
        tempo_bpm: None where there is none.
        metre: beats of the bars that were counted, pairs of short ones taken for one; None without bars.
        bars_s: edges of these bars.
        has_voice: whether somebody sings; None where nobody knows.
        is_apart: whether voice and backing were heard apart.
        sung: voice in each bar, shape `(bars,)`; None where nobody knows.
        voice: bars of the voice (pitches, accents, spectrum, level).
        backing: bars of the backing; its accents have three registers.
    """

    name: str
    tempo_bpm: float | None
    metre: int | None
    bars_s: NDArray[np.float64]
    has_voice: bool | None
    is_apart: bool
    sung: Curve | None
    voice: Bars
    backing: Bars

    @property
    def voice_share(self) -> float | None:
        """How much of it is sung."""
        return None if self.sung is None or not self.sung.size else float(self.sung.mean())


@dataclass(frozen=True)
class Bars:
    """Bars of a layer: `(n, 2 or more, 12)`, `(n, registers, sixteenths)`, `(n, BANDS)`, `(n,)`."""

    pitches: Curve
    accents: Curve
    bands_db: Curve
    levels_db: Curve


@dataclass(frozen=True)
class Rows:
    """Phrases of several tracks, or of one, one a row.

    Attributes:
        pitches: shape `(rows, steps · 12)`, of length 1; of the backing what its notes ask for.
        accents: shape `(rows, sixteenths)`; a product is the correlation, of the backing's registers the mean.
        spectra: shape `(rows, BANDS)`.
        levels: shape `(rows, BARS)`, in dB.
        voices: how much of each bar is sung, shape `(rows, BARS)`; −1 where nobody knows.
        first_bar: where it begins, shape `(rows,)`.
    """

    pitches: Curve
    accents: Curve
    spectra: Curve
    levels: Curve
    voices: Curve
    first_bar: Numbers

    def slice(self, first: int, end: int) -> Rows:
        """Some of the rows."""
        return Rows(*(getattr(self, field)[first:end] for field in _ROWS))


def read(name: str, results: Results) -> Track:
    """What a track's results say; a track without bars has no metre."""
    phrases: Phrases | None = results.get("phrases")
    beats, vocals = results.get("beats"), results.get("vocals")
    tempo = None if beats is None else beats.tempo_bpm
    has_voice = None if vocals is None else vocals.present
    bars = 0 if phrases is None else max(0, np.asarray(phrases.bars_s).size - 1)
    if phrases is None or phrases.beats_a_bar is None or bars < 1 or not tempo or not np.isfinite(tempo):
        empty = Bars(*(np.zeros((0, *shape), np.float32) for shape in ((2, 12), (1, 16), (BANDS,), ())))
        return Track(name, tempo or None, None, np.empty(0), has_voice, False, None, empty, empty)
    metre = int(phrases.beats_a_bar)
    pairs = FAMILIES.get(metre)
    together = 2 if pairs else 1
    backing = _bars(phrases, "", bars, together)
    is_apart = phrases.heard_in == STEMS and np.asarray(phrases.voice_pitches).size > 0
    sung = np.asarray(phrases.sung, np.float32).reshape(-1)
    return Track(
        name=name,
        tempo_bpm=float(tempo),
        metre=pairs or metre,
        bars_s=np.asarray(phrases.bars_s, np.float64)[::together][: len(backing.levels_db) + 1],
        has_voice=has_voice,
        is_apart=is_apart,
        sung=_paired(sung, together).mean(axis=1) if sung.size == bars else None,
        voice=_bars(phrases, "voice_", bars, together) if is_apart else _as_voice(backing),
        backing=backing,
    )


def _bars(phrases: Phrases, side: str, bars: int, together: int) -> Bars:
    """Bars of one side; `together` of them are one."""
    pitches, accents, bands_db, levels_db = (
        np.asarray(getattr(phrases, side + field), np.float32).reshape(bars, -1)
        for field in ("pitches", "accents", "bands_db", "levels_db")
    )
    metre = int(phrases.beats_a_bar or 1)
    steps = _paired(pitches.reshape(bars, -1, 12), together)
    if together > 1:  # back to two steps a bar
        steps = steps.reshape(len(steps), 2, -1, 12).mean(axis=2)
    registers = _paired(accents.reshape(bars, -1, 4 * metre), together).swapaxes(1, 2)
    wide = np.full((bars, BANDS), -120.0, np.float32)
    wide[:, : bands_db.shape[1]] = bands_db[:, :BANDS]
    return Bars(
        pitches=steps.reshape(len(steps), -1, 12),
        accents=registers.reshape(*registers.shape[:2], -1),
        bands_db=_paired(wide, together).max(axis=1),
        levels_db=_paired(levels_db[:, 0], together).max(axis=1),
    )


def _paired(rows: Curve, together: int) -> Curve:
    """Neighbours side by side, shape `(n // together, together, …)`; a last one alone is left out."""
    whole = len(rows) // together * together
    return rows[:whole].reshape(-1, together, *rows.shape[1:])


def _as_voice(mix: Bars) -> Bars:
    """The mix in the place of its voice: what is below a voice's register is left out."""
    return Bars(mix.pitches, np.sqrt(np.mean(mix.accents[:, 1:] ** 2, axis=1))[:, None], mix.bands_db, mix.levels_db)


def voice_rows(track: Track, beats_per_beat: float) -> Rows | None:
    """The sung phrases, as so many bars of the instrumental as `BARS`; None where there are none.

    Args:
        track: it has bars.
        beats_per_beat: beats of the voice for each of the instrumental's: 1, 2 or 0.5.
    """
    length = max(1, round(BARS * beats_per_beat))
    count = len(track.voice.levels_db)
    starts = np.arange(0, max(1, count - length + 1), min(length, BARS))
    at = (starts[:, None] + np.arange(length)) % count
    sung = np.full(count, -1, np.float32) if track.sung is None else track.sung
    share = sung[at].mean(axis=1)
    kept = np.flatnonzero(share >= LEAST_SUNG) if track.sung is not None else np.arange(len(starts))
    kept = np.sort(kept[np.argsort(-share[kept], kind="stable")][:MOST_SUNG])
    if not kept.size:
        return None
    at = at[kept]
    voice = track.voice
    return Rows(
        pitches=pitch_rows(_resized(voice.pitches[at])),
        accents=centred(_resized(voice.accents[at, 0][..., None]).reshape(len(at), -1)),
        spectra=_spectra(voice, at),
        levels=_resized(_levels(voice, at)[:, :, None, None])[:, :, 0],
        voices=_resized(sung[at][:, :, None, None])[:, :, 0],
        first_bar=starts[kept],
    )


def backing_rows(track: Track) -> Rows:
    """Phrases of the backing; the track has bars."""
    count = len(track.backing.levels_db)
    starts = np.arange(0, max(1, count - BARS + 1), BACKING_HOP)
    if len(starts) > MOST_BACKINGS:
        starts = starts[np.linspace(0, len(starts) - 1, MOST_BACKINGS).astype(np.int64)]
    at = (starts[:, None] + np.arange(BARS)) % count
    backing = track.backing
    registers = [centred(backing.accents[at, part].reshape(len(at), -1)) for part in range(backing.accents.shape[1])]
    others = np.zeros(count, np.float32) if track.is_apart or track.has_voice is False else track.sung
    return Rows(
        pitches=pitch_rows(welcoming(backing.pitches[at].reshape(len(at), -1, 12))),
        accents=np.mean(registers, axis=0, dtype=np.float32),
        spectra=_spectra(backing, at),
        levels=_levels(backing, at),
        voices=np.full((len(at), BARS), -1, np.float32) if others is None else others[at],
        first_bar=starts,
    )


def _resized(bars: Curve) -> Curve:
    """Bars `(rows, n, steps, …)` as `(rows, BARS · steps, …)`: neighbouring steps become their mean, or one two."""
    rows, count, steps = bars.shape[:3]
    flat = bars.reshape(rows, count * steps, *bars.shape[3:])
    if count > BARS:
        return np.asarray(flat.reshape(rows, BARS * steps, count // BARS, *bars.shape[3:]).mean(axis=2), np.float32)
    return np.asarray(np.repeat(flat, BARS // count, axis=1), np.float32)


def _spectra(bars: Bars, at: Numbers) -> Curve:
    power = np.mean(10 ** (bars.bands_db[at].astype(np.float64) / 10), axis=1)
    return spectrum_rows(10 * np.log10(np.maximum(power, 1e-12)))


def _levels(bars: Bars, at: Numbers) -> Curve:
    return np.asarray(np.clip(bars.levels_db[at], PAUSE_DB, 0.0), np.float32)


def joined(parts: Sequence[Rows]) -> Rows:
    """Rows of several tracks below each other."""
    return Rows(*(np.concatenate([getattr(part, field) for part in parts]) for field in _ROWS))


def shifted(pitches: Curve, semitones: Sequence[int]) -> Curve:
    """Rows of pitches at each shift, shape `(rows · shifts, d)`, the shifts of a row beside each other."""
    steps = pitches.reshape(len(pitches), -1, 12)
    return np.stack([np.roll(steps, by, axis=2) for by in semitones], axis=1).reshape(-1, pitches.shape[1])


def key_points(track: Track) -> tuple[complex, complex]:
    """Keys of the voice and of the backing."""
    return key_of(track.voice.pitches), key_of(track.backing.pitches)
