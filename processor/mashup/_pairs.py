"""All pairs of a library at once: products of matrices over all phrases and shifts, and a compiled loop behind them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.kernels import kernel
from processor.mashup import fits
from processor.mashup._phrases import BARS, Rows, Track, backing_rows, joined, key_points, shifted, voice_rows

Curve = NDArray[np.float32]
Numbers = NDArray[np.int64]

SHIFTS = tuple(range(-fits.MOST_SEMITONES, fits.MOST_SEMITONES + 1))
BEATS_PER_BEAT = (1.0, 2.0, 0.5)
# What is heard in the mix, and not in the voice or the backing alone, is believed so much.
VOICE_IN_MIX, BACKING_IN_MIX = 0.8, 0.9
UNKNOWN = np.float32(-1.0)
_FIELDS = ("score", "harmonic", "rhythmic", "room", "energy", "overlap")
# Rows of backings at once: so many floats of products stay below 100 MB.
_AT_ONCE = 16_384


@dataclass(frozen=True)
class Scores:
    """Every ordered pair, shape `(tracks, tracks)`: a row sings, a column plays.

    Attributes:
        tracks: in this order.
        values: score, harmonic, rhythmic, room, energy and overlap, shape `(6, tracks, tracks)`, 0 to 1; the score is
            0 where the pair was not compared, and −1 stands for what nobody can tell.
        shifts: semitones of the voice.
        vocal_bars: first bar of the best phrase in the voice's track; −1 where the pair was not compared.
        backing_bars: that of the phrase that it is sung over.
    """

    tracks: tuple[Track, ...]
    values: Curve
    shifts: NDArray[np.int8]
    vocal_bars: NDArray[np.int32]
    backing_bars: NDArray[np.int32]


def tempo_match(vocal_bpm: float, instrumental_bpm: float) -> tuple[float, float]:
    """How many times as fast the vocals have to be, and beats of theirs for each of the instrumental's.

    Of single, double and half time the one that asks for the smallest change; single time where two are equal.
    """
    ratio, beats = min(
        ((instrumental_bpm * beats / vocal_bpm, beats) for beats in BEATS_PER_BEAT),
        key=lambda one: round(abs(float(np.log(one[0]))), 9),
    )
    return ratio, beats


def scored(
    tracks: Sequence[Track],
    only: Collection[str] | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> Scores:
    """Compare all pairs whose tempi, metres and voices allow it.

    Args:
        tracks: of a library.
        only: names; pairs in which none of them takes part are not compared.
        progress: told of the share that is done.
    """
    count = len(tracks)
    found = Scores(
        tuple(tracks),
        np.zeros((len(_FIELDS), count, count), np.float32),
        np.zeros((count, count), np.int8),
        np.full((count, count), -1, np.int32),
        np.full((count, count), -1, np.int32),
    )
    chosen = np.array([only is None or track.name in only for track in tracks], np.bool_)
    families = sorted({track.metre for track in tracks if track.metre is not None})
    done = 0
    for metre in families:
        members = [k for k, track in enumerate(tracks) if track.metre == metre]
        members.sort(key=lambda k: (tracks[k].tempo_bpm or 0.0, k))
        backings = _Backings.of([tracks[k] for k in members], members)
        for k in members:
            if tracks[k].has_voice is not False:
                for beats in BEATS_PER_BEAT:
                    _compare(found, k, backings, beats, chosen)
            done += 1
            progress(done / count)
    return found


@dataclass(frozen=True)
class _Backings:
    """Backings of one metre, by rising tempo.

    Attributes:
        numbers: of their tracks, shape `(n,)`.
        tempi_bpm: shape `(n,)`.
        rows: all their phrases.
        edges: where each one's begin among the rows, and the end, shape `(n + 1,)`.
        keys: their keys as points, shape `(n,)`.
        belief: what is heard in a mix is believed less, shape `(n,)`.
    """

    numbers: Numbers
    tempi_bpm: NDArray[np.float64]
    rows: Rows
    edges: Numbers
    keys: NDArray[np.complex128]
    belief: Curve

    @classmethod
    def of(cls, tracks: Sequence[Track], numbers: Sequence[int]) -> _Backings:
        """Read the phrases of all of them."""
        parts = [backing_rows(track) for track in tracks]
        return cls(
            np.array(numbers, np.int64),
            np.array([track.tempo_bpm for track in tracks], np.float64),
            joined(parts),
            np.concatenate([[0], np.cumsum([len(part.first_bar) for part in parts])]).astype(np.int64),
            np.array([key_points(track)[1] for track in tracks]),
            np.array(
                [1.0 if track.is_apart or track.has_voice is False else BACKING_IN_MIX for track in tracks], np.float32
            ),
        )

    def within(self, vocal_bpm: float, beats: float) -> tuple[int, int]:
        """First and last of those that a voice can be brought to, by so many of its beats for each of theirs."""
        low, high = ((1 + change) * vocal_bpm / beats for change in (-fits.MOST_TEMPO_CHANGE, fits.MOST_TEMPO_CHANGE))
        tiny = 1e-9 * high
        return int(np.searchsorted(self.tempi_bpm, low - tiny)), int(np.searchsorted(self.tempi_bpm, high + tiny))


def _compare(found: Scores, number: int, backings: _Backings, beats: float, chosen: NDArray[np.bool_]) -> None:
    """Compare one voice with all backings that it can be brought to; written into `found`."""
    track = found.tracks[number]
    first, end = backings.within(track.tempo_bpm or 0.0, beats)
    if not chosen[number]:
        wanted = np.flatnonzero(chosen[backings.numbers[first:end]])
        if not wanted.size:
            return
        first, end = first + int(wanted[0]), first + int(wanted[-1]) + 1
    if first >= end or not len(track.voice.levels_db):
        return
    voice = voice_rows(track, beats)
    if voice is None:
        return
    key = key_points(track)[0]
    belief = np.float32(1.0 if track.is_apart else VOICE_IN_MIX)
    at = first
    while at < end:
        upto = int(np.searchsorted(backings.edges, backings.edges[at] + _AT_ONCE, side="right")) - 1
        upto = min(end, max(at + 1, upto))
        part = slice(at, upto)
        factors = belief * backings.belief[part]
        factors *= np.array(
            [fits.tempo_factor(bpm * beats / (track.tempo_bpm or bpm)) for bpm in backings.tempi_bpm[part]]
        )
        keys = fits.KEY_WEIGHT * fits.keys_at(key, backings.keys[part][:, None], np.array(SHIFTS))
        best = _best(voice, backings, part, keys.astype(np.float32), factors.astype(np.float32))
        _write(found, number, backings.numbers[part], best)
        at = upto


def _write(found: Scores, number: int, columns: Numbers, best: Curve) -> None:
    """Put what was found of one voice over some backings in its places; no pair of a track with itself."""
    kept = columns != number
    columns, best = columns[kept], best[kept]
    found.values[:, number, columns] = best[:, :6].T
    found.shifts[number, columns] = best[:, 6].astype(np.int8)
    found.vocal_bars[number, columns] = best[:, 7].astype(np.int32)
    found.backing_bars[number, columns] = best[:, 8].astype(np.int32)


@dataclass(frozen=True)
class Products:
    """What phrases of one voice and of several backings are to each other, shape `(voice's, backings')` each.

    Attributes:
        related: correlation of pitches at each shift, shape `(voice's, shifts, backings')`.
        has_pitch: whether both have any.
        rhythmic: fit of accents; −1 where nobody can tell.
        room: fit of spectra.
        energy: fit of levels.
        overlap: 1 where no two voices sing at once; −1 where nobody can tell.
    """

    related: Curve
    has_pitch: NDArray[np.bool_]
    rhythmic: Curve
    room: Curve
    energy: Curve
    overlap: Curve

    @classmethod
    def of(cls, voice: Rows, other: Rows, shifts: Sequence[int] = SHIFTS) -> Products:
        """Multiply, the pitches at each shift of the voice."""
        related = shifted(voice.pitches, shifts) @ other.pitches.T
        rhythmic = fits.ramps(voice.accents @ other.accents.T, fits.RHYTHMIC)
        rhythmic[~np.outer(voice.accents.any(axis=1), other.accents.any(axis=1))] = UNKNOWN
        squares = np.square(voice.levels).sum(axis=1)[:, None] + np.square(other.levels).sum(axis=1)
        apart_db = np.sqrt(np.maximum(squares - 2 * (voice.levels @ other.levels.T), 0) / np.float32(BARS))
        sung = np.where(voice.voices < 0, 1, voice.voices).astype(np.float32)
        sung /= np.maximum(sung.sum(axis=1, keepdims=True), np.float32(1e-6))
        overlap = 1 - np.clip(sung @ np.maximum(other.voices, 0).T, 0, 1)
        overlap[:, (other.voices < 0).any(axis=1)] = UNKNOWN
        return cls(
            related.reshape(len(voice.levels), len(shifts), -1),
            np.outer(voice.pitches.any(axis=1), other.pitches.any(axis=1)),
            rhythmic,
            fits.ramps(voice.spectra @ other.spectra.T, fits.ROOM),
            fits.ramps(apart_db, fits.ENERGY),
            overlap,
        )

    def factor(self) -> Curve:
        """What all measures but the pitches leave of a score."""
        return fits.factor(self.rhythmic, self.room, self.energy, self.overlap)

    def scores(self, keys: Curve) -> Curve:
        """All scores without the costs of shift and tempo, shape of `related`; `keys` is of shape `(shifts,)`."""
        harmonic = fits.ramps(self.related + keys[None, :, None], fits.HARMONIC)
        harmonic = np.where(self.has_pitch[:, None], harmonic, np.float32(fits.UNPITCHED))
        return np.asarray(harmonic * self.factor()[:, None], np.float32)

    def fields(self, p: Numbers, s: Numbers, q: Numbers, keys: Curve) -> Curve:
        """Harmonic, rhythmic, room, energy and overlap of chosen phrases, each the mean over the last axis.

        `p` and `q` are of shape `(n, k)`, `s` and `keys` of `(n, 1)`; the result is `(5, n)`.
        """
        harmonic = fits.ramps(self.related[p, s, q] + keys, fits.HARMONIC)
        harmonic[~self.has_pitch[p, q]] = UNKNOWN
        every = (harmonic, *(measure[p, q] for measure in (self.rhythmic, self.room, self.energy, self.overlap)))
        return np.stack([_known_mean(values) for values in every])


def _known_mean(values: Curve) -> Curve:
    """Mean over the last axis of what is known; `UNKNOWN` where nothing is."""
    is_known = values >= 0
    count = is_known.sum(axis=-1)
    mean = np.where(is_known, values, 0).sum(axis=-1) / np.maximum(count, 1)
    return np.where(count > 0, mean, UNKNOWN).astype(np.float32)


def _best(voice: Rows, backings: _Backings, part: slice, keys: Curve, factors: Curve) -> Curve:
    """The best shift and phrases over each backing: the six scores, shift, first bars of both phrases.

    Of each voice the better half of its phrases counts, each in its best place.

    Returns:
        Shape `(backings, 9)`.
    """
    edges = backings.edges[part.start : part.stop + 1]
    other = backings.rows.slice(int(edges[0]), int(edges[-1]))
    products = Products.of(voice, other)
    count, half = len(voice.levels), (len(voice.levels) + 1) // 2
    tops = np.zeros((len(edges) - 1, len(SHIFTS), count), np.float32)
    places = np.zeros(tops.shape, np.int64)
    factor = products.factor()
    gains = np.where(products.has_pitch, factor, np.float32(0))
    added = np.where(products.has_pitch, np.float32(0), np.float32(fits.UNPITCHED) * factor)
    _search(products.related, keys, gains, added, edges - edges[0], *fits.HARMONIC, tops, places)
    order = np.argsort(-tops, axis=2, kind="stable")[:, :, :half]
    means = np.take_along_axis(tops, order, axis=2).mean(axis=2)
    means *= np.array([fits.shift_factor(by) for by in SHIFTS], np.float32) * factors[:, None]
    s = _SMALL_FIRST[np.argmax(np.round(means[:, _SMALL_FIRST], 6), axis=1)]
    rows = np.arange(len(s))
    p = order[rows, s]
    q = np.take_along_axis(places[rows, s], p, axis=1)
    fields = products.fields(p, s[:, None], q, keys[rows, s][:, None])
    firsts = np.stack([voice.first_bar[p[:, 0]], other.first_bar[q[:, 0]]])
    return np.concatenate([means[rows, s][None], fields, np.array(SHIFTS)[s][None], firsts]).T.astype(np.float32)


# Of shifts that are as good the smallest counts, down before up.
_SMALL_FIRST = np.argsort(np.abs(SHIFTS), kind="stable")


@kernel
def _search(
    related: Curve,
    keys: Curve,
    gains: Curve,
    added: Curve,
    edges: Numbers,
    bottom: float,
    top: float,
    tops: Curve,
    places: Numbers,
) -> None:
    """For each backing, shift and phrase of the voice the best score over the backing's phrases, and where it is."""
    scale = np.float32(1.0 / (top - bottom))
    for b in range(edges.size - 1):
        for s in range(related.shape[1]):
            offset = np.float32(keys[b, s] - bottom)
            for p in range(related.shape[0]):
                best, at = np.float32(-1.0), edges[b]
                for q in range(edges[b], edges[b + 1]):
                    fit = min(np.float32(1.0), max(np.float32(0.0), (related[p, s, q] + offset) * scale))
                    score = gains[p, q] * fit + added[p, q]
                    if score > best:
                        best, at = score, q
                tops[b, s, p], places[b, s, p] = best, at
