"""Room for the vocals: a dynamic equaliser that turns the backing down in their bands, and only while they sing.

Both sides are looked at in bands as wide as those of hearing, in frames of some 20 ms. A band gives way where the
voice has something to say and the backing would cover it: not where the voice stands out anyway, and not where it is
so far under the backing that no dip would bring it out. How loud the backing is counts over half a second, so that
the dips follow the words and not the drums.

What is taken away is computed and subtracted, so that a backing nobody sings over is the same to the last bit, and so
is what lies below the lowest band.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from processor.kernels import kernel
from processor.mashup.curves import SUNG_LU
from processor.mashup.plan import Duck

Vector = NDArray[np.float64]
Reals = NDArray[np.floating]
Samples = NDArray[np.float32]
Matrix = NDArray[np.float32]
Spectra = NDArray[np.complex64]

# A quarter of a frame, 5.3 ms. Hann twice at this distance adds up to a constant, and 21 ms are too short for a dip to
# be heard before the word that it is for (premasking, H. Fastl and E. Zwicker, "Psychoacoustics", section 4.4).
HOP_S = 512 / 96_000
OVERLAP = 4
BATCH = 64
# Sum of the squares of four overlapping Hann windows.
HANN_SQUARES = 1.5
# A voice that is this much above the backing in a band is heard well in it; what lies between is what the dip gives.
ROOM_DB = 6.0
# Where the voice lies deeper under the backing than the first, dips grow shallower; under the second there are none.
COVERED_DB, LOST_DB = -10.0, -20.0
# A band matters to the voice where it is within the first of the voice's loudest band, and not at all beyond the
# second. Sung vowels fall by some 30 dB up to 5 kHz, and consonants there are loud while they last.
MATTERS_DB, NOTHING_DB = 30.0, 40.0
# The voice's level bridges the periods of a low voice; the backing's is that of half a second all around.
VOICE_S, BACKING_S = 0.02, 0.5
# Under this, nobody sings. Within the second of the gate, dips grow.
SILENT_DB, SOFT_DB = -100.0, 6.0
# Less is not heard, and not worth a Fourier transform.
LEAST_DB = 0.01


@dataclass(frozen=True)
class Gains:
    """How far each band is turned down over time.

    Attributes:
        dips_db: positive, shape `(frames, bands)`; the middle of frame k is sample (k − 1) * hop.
        shapes: how much of each band's dip each bin takes, shape `(bands, bins)`; a bin takes at most 1 of all.
        hop: samples from one frame to the next.
    """

    dips_db: Matrix
    shapes: Matrix
    hop: int


def ducked(backing: Samples, vocals: Samples, sample_rate: int, duck: Duck) -> Samples:
    """Make room for the vocals in a backing of one layer; see `duck_gains` for several.

    Args:
        backing: shape `(2, n)`, as loud as it is in the mix.
        vocals: shape `(2, m)`, at the same moments, as loud as they are in the mix.
        sample_rate: in Hz.
        duck: how far, where and how fast.
    """
    return apply_gains(backing, duck_gains(backing, vocals, sample_rate, duck))


def duck_gains(backing: Samples, vocals: Samples, sample_rate: int, duck: Duck) -> Gains:
    """How far each band of the backing gives way.

    Args:
        backing: the sum of its layers, shape `(2, n)`, as loud as it is in the mix.
        vocals: shape `(2, m)`, as loud as they are in the mix.
        sample_rate: in Hz.
        duck: how far, where and how fast.
    """
    hop = int(scipy.fft.next_fast_len(max(4, round(HOP_S * sample_rate))))
    hz = np.arange(OVERLAP * hop // 2 + 1) * (sample_rate / (OVERLAP * hop))
    centres = _centres(duck, sample_rate)
    shapes = _triangles(_erb_number(hz), centres)
    if duck.depth_db <= 0 or not shapes.any() or not np.abs(vocals).max(initial=0.0) > 0:
        return Gains(np.zeros((0, shapes.shape[0]), np.float32), shapes, hop)
    weights = _triangles(_erb_number(hz), centres, 2.0)
    count = -(-backing.shape[1] // hop) + OVERLAP - 1
    voice, below = (_band_powers(sound, weights, hop, count) for sound in (vocals, backing))
    wanted = _wanted_db(voice, below, hop / sample_rate, duck.depth_db)
    steps = [float(np.exp(-hop / (sample_rate * max(one_s, 1e-6)))) for one_s in (duck.attack_s, duck.release_s)]
    _follow(wanted, *steps)
    return Gains(wanted, shapes, hop)


def apply_gains(layer: Samples, gains: Gains) -> Samples:
    """One layer of the backing behind the gains; layers that add up to the backing still do.

    Args:
        layer: shape `(2, n)`.
        gains: of `duck_gains`.
    """
    found, hop = layer.copy(), gains.hop
    is_dipped = gains.dips_db.max(axis=1, initial=0.0) > LEAST_DB
    spans = _spans(gains.shapes)
    carried = np.zeros((OVERLAP - 1) * hop, np.complex64)
    for first, frames in _frames(layer, hop, len(gains.dips_db)):
        chosen = is_dipped[first : first + len(frames)]
        at = (first - OVERLAP + 1) * hop
        if not chosen.any() and not carried.any():
            continue
        change = np.zeros_like(frames)
        dips_db = np.zeros((int(chosen.sum()), gains.shapes.shape[1]), np.float32)
        _spread(gains.dips_db[first : first + len(frames)][chosen], gains.shapes, spans, dips_db)
        change[chosen] = _changes(frames[chosen], dips_db)
        summed = _overlapped(change, hop, carried)
        carried = summed[len(frames) * hop :].copy()
        _add(found, summed[: len(frames) * hop], at)
    _add(found, carried, (len(gains.dips_db) - OVERLAP + 1) * hop)
    return found


def _changes(frames: Spectra, dips_db: Matrix) -> Spectra:
    """What windowed frames lose by dips of shape `(frames, bins)`, negative, windowed again for adding up."""
    lost = np.expm1(dips_db * np.float32(-np.log(10) / 20))
    spectra = scipy.fft.fft(frames, axis=1, workers=1)
    spectra *= np.concatenate([lost, lost[:, -2:0:-1]], axis=1)
    window = _window(frames.shape[1] // OVERLAP) / np.float32(HANN_SQUARES)
    return np.asarray(scipy.fft.ifft(spectra, axis=1, workers=1, overwrite_x=True) * window, np.complex64)


def _wanted_db(voice: Matrix, backing: Matrix, hop_s: float, depth_db: float) -> Matrix:
    """Dips before attack and release, shape `(frames, bands)`.

    Args:
        voice: mean square of the voice in each band, shape `(frames, bands)`.
        backing: the same of the backing.
        hop_s: time from one frame to the next.
        depth_db: deepest dip.
    """
    size = max(1, round(VOICE_S / hop_s))  # of frames up to this one: the dip is no earlier than its frame makes it
    voice = scipy.ndimage.uniform_filter1d(voice, size, axis=0, mode="constant", origin=(size - 1) // 2)
    backing = scipy.ndimage.uniform_filter1d(backing, max(1, round(BACKING_S / hop_s)), axis=0, mode="nearest")
    voice_db, backing_db = _db(voice), _db(backing)
    loudest_db = voice_db.max(axis=1, keepdims=True)
    wanted = np.clip(ROOM_DB - (voice_db - backing_db), 0, depth_db)
    wanted *= _rising(voice_db - backing_db, LOST_DB, COVERED_DB)
    wanted *= _rising(voice_db - loudest_db, -NOTHING_DB, -MATTERS_DB)
    # By the voice's own level: what is left of the band between its lines makes no room.
    heard = voice[loudest_db[:, 0] > SILENT_DB]
    usual_db = _db(heard.max(axis=1).mean(keepdims=True)) if heard.size else np.full(1, np.inf, np.float32)
    wanted *= _rising(loudest_db - usual_db, SUNG_LU - SOFT_DB, SUNG_LU)
    evened = scipy.ndimage.correlate1d(wanted, [0.25, 0.5, 0.25], axis=1, mode="nearest")
    return np.ascontiguousarray(evened, np.float32)


def _db(powers: Matrix) -> Matrix:
    return np.asarray(10 * np.log10(powers + np.float32(1e-12)), np.float32)


def _rising(level_db: Matrix, none_db: float, all_db: float) -> Matrix:
    """0 under one level, 1 above another, a straight line between."""
    return np.asarray(np.clip((level_db - none_db) / (all_db - none_db), 0, 1), np.float32)


def _centres(duck: Duck, sample_rate: int) -> Vector:
    """Middles of the bands on the scale of ERBs, one apart or a little nearer, between the outermost frequencies.

    The first and last triangle end there: the edges belong to no band.
    """
    low = max(duck.low_hz, 0.0)
    high = min(duck.high_hz, sample_rate / 2)
    if not high > low:
        return np.empty(0)
    first, last = _erb_number(np.array([low, high]))
    return np.asarray(np.linspace(first, last, max(3, int(np.ceil(last - first)) + 1)))[1:-1]


def _erb_number(hz: Reals) -> Vector:
    """Bands of hearing below a frequency (B. R. Glasberg and B. C. J. Moore, Hear. Res. 47 (1990), equation 4)."""
    return np.asarray(21.4 * np.log10(4.37e-3 * hz + 1))


def _triangles(places: Vector, centres: Vector, width: float = 1.0) -> Matrix:
    """How much of each bin a band takes, shape `(bands, bins)`; with a width of 1, neighbours add up to 1."""
    if centres.size == 0:
        return np.zeros((0, places.size), np.float32)
    apart = centres[1] - centres[0] if centres.size > 1 else 1.0
    return np.maximum(0, 1 - np.abs(places - centres[:, None]) / (apart * width)).astype(np.float32)


def _band_powers(sound: Samples, weights: Matrix, hop: int, count: int) -> Matrix:
    """Mean square of both channels together in each band, shape `(count, bands)`."""
    found = np.zeros((count, weights.shape[0]), np.float32)
    scale = float(1 / (2 * _window(hop).astype(np.float64).sum() ** 2))
    spans = _spans(weights)
    for first, frames in _frames(sound, hop, count):
        if frames.any():
            _weigh(scipy.fft.fft(frames, axis=1, workers=1), weights, spans, scale, found[first : first + len(frames)])
    return found


def _spans(weights: Matrix) -> NDArray[np.int64]:
    """First and end bin of each band, shape `(bands, 2)`."""
    is_inside = weights > 0
    first = is_inside.argmax(axis=1)
    return np.stack([first, np.maximum(first, weights.shape[1] - is_inside[:, ::-1].argmax(axis=1))], axis=1)


def _frames(sound: Samples, hop: int, count: int) -> Iterator[tuple[int, Spectra]]:
    """Yield the number of the first frame, and windowed frames of left + i right, shape `(≤ BATCH, OVERLAP * hop)`.

    Frame k begins at sample (k − 3) * hop: the first one holds one hop of sound, and so does the last.
    """
    window = _window(hop)
    length = sound.shape[1]
    for first in range(0, count, BATCH):
        size = min(BATCH, count - first)
        begin = (first - OVERLAP + 1) * hop
        held = np.zeros((size + OVERLAP - 1) * hop, np.complex64)
        inside = slice(max(begin, 0), max(0, min(begin + held.size, length)))
        held[inside.start - begin :][: max(0, inside.stop - inside.start)] = (
            sound[0, inside] + np.complex64(1j) * sound[1, inside]
        )
        views = np.lib.stride_tricks.sliding_window_view(held, OVERLAP * hop)[::hop]
        yield first, views * window


def _window(hop: int) -> Samples:
    return np.hanning(OVERLAP * hop + 1)[:-1].astype(np.float32)


def _overlapped(frames: Spectra, hop: int, carried: Spectra) -> Spectra:
    """Frames added up where they lie, and what was carried over from those before."""
    found = np.zeros((len(frames) + OVERLAP - 1) * hop, np.complex64)
    found[: carried.size] = carried
    for part in range(OVERLAP):
        found[part * hop : (part + len(frames)) * hop] += frames[:, part * hop : (part + 1) * hop].ravel()
    return found


def _add(found: Samples, change: Spectra, at: int) -> None:
    """Add left + i right from sample `at` on, as far as there is sound."""
    begin, end = max(at, 0), min(at + change.size, found.shape[1])
    if end > begin:
        found[0, begin:end] += change.real[begin - at : end - at]
        found[1, begin:end] += change.imag[begin - at : end - at]


# Products of matrices, spelled out: BLAS gives other bits with other numbers of threads, and most weights are 0.


@kernel
def _weigh(spectra: Spectra, weights: Matrix, spans: NDArray[np.int64], scale: float, found: Matrix) -> None:
    """Write the power of left + i right in each band, shape `(frames, bands)`."""
    size = spectra.shape[1]
    power = np.zeros(size // 2 + 1, np.float32)
    for f in range(spectra.shape[0]):
        for k in range(power.size):
            one, other = spectra[f, k], spectra[f, (size - k) % size]
            power[k] = one.real**2 + one.imag**2
            if 0 < k < power.size - 1:
                power[k] += other.real**2 + other.imag**2
        for b in range(weights.shape[0]):
            total = np.float32(0)
            for k in range(spans[b, 0], spans[b, 1]):
                total += weights[b, k] * power[k]
            found[f, b] = total * scale


@kernel
def _spread(dips_db: Matrix, shapes: Matrix, spans: NDArray[np.int64], found: Matrix) -> None:
    """Add up what each bin takes of the bands' dips, shape `(frames, bins)`."""
    for f in range(dips_db.shape[0]):
        for b in range(dips_db.shape[1]):
            for k in range(spans[b, 0], spans[b, 1]):
                found[f, k] += dips_db[f, b] * shapes[b, k]


@kernel
def _follow(dips_db: Matrix, attack: float, release: float) -> None:
    """Let each band go down and come back with its time constants; `attack` and `release` are what is kept a frame."""
    frames, bands = dips_db.shape
    for b in range(bands):
        held = np.float32(0.0)
        for k in range(frames):
            wanted = dips_db[k, b]
            keep = attack if wanted > held else release
            held = wanted + np.float32(keep) * (held - wanted)
            if held < 1e-6:
                held = np.float32(0.0)
            dips_db[k, b] = held
