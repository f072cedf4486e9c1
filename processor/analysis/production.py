"""How it was made: warmth, density, width, reverberance and saturation, for the track, by second and by section."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.analysis.bands import SIX_BANDS_HZ, Bands, heard_powers
from processor.analysis.loudness import k_weighting
from processor.analysis.sections import Sections
from processor.analysis.stereo import EMPTY_BAND_DB, WIDTH_WEIGHTS
from processor.analysis.transients import chunks
from processor.audio import Audio
from processor.graph import analyser
from processor.kernels import kernel
from processor.quantities import columns, quantity

Vector = NDArray[np.float64]
Spans = NDArray[np.int64]
Samples = NDArray[np.float32]

WARM_HZ = (150.0, 500.0)
CURVE_WINDOW_S = 3.0  # as the short-term loudness beside it on the page
# Loud is what the loudest twentieth exceeds (the upper percentile of EBU Tech 3342); dense is what stays within 6 dB.
LOUD_PERCENTILE = 95
DENSE_DB = 6.0
PAUSE_DB = 50.0

# Columns of the running sums, behind left, right and cross in the six bands.
WARM, TOTAL, DENSE, HEARD = 18, 19, 20, 21

# Octaves of 500 Hz and 1 kHz, whose mean ISO 3382-1 states for a hall, and 2 kHz, which makes slopes of noise steadier.
DECAY_HZ = (355.0, 2818.0)
DECAY_FRAMES = 4  # fewer points make no line
DECAY_FALL_DB = 10.0  # EDT of ISO 3382-1: the first 10 dB are what is heard while music goes on
DECAY_RIPPLE_DB = 1.0  # what a steady decay of noise goes up by chance
DECAY_FIT = 0.95  # r² of the line
DECAY_FLOOR_DB = 55.0  # under the loudest: beyond are noise floors
FEWEST_DECAYS = 3

PIECE_S = 0.03  # one cycle of 33 Hz
PIECE_HOP = 2  # every other piece is looked at, left and right in turn
NEAR_PEAK, MIDDLE = 0.8, (0.2, 0.6)  # parts of the wave's height
CURVED_DB = 3.0  # by how much curvature stands higher near peaks where nothing is saturated (measured: 1 to 4)
LOUD_PIECES = 0.5  # pieces this near to the loud ones are where saturation would show
FEWEST_PIECES = 5
FEWEST_SAMPLES = 4  # near the peak and half-way up, or a piece says nothing
PIECES_AT_ONCE = 256

_WARMTH = "power between 150 and 500 Hz, of that from 20 Hz"
_DENSITY = (
    f"share of 93 ms frames within {DENSE_DB:g} dB of the level that {100 - LOUD_PERCENTILE} % exceed, K-weighted "
    "(BS.1770-4), pauses left out: a rule of our own, with the upper percentile of EBU Tech 3342"
)
_WIDTH = "MixScope's weights on the share of the side, as stereo.width"
_DECAY = (
    "60 dB over the slope of free decays of at least 10 dB, 355 Hz to 2.8 kHz, median (blind estimate after "
    "R. Ratnam et al., JASA 114, 2003; slope as EDT of ISO 3382-1)"
)
_SATURATION = (
    "how much flatter the wave moves near its peaks than half-way up, in pieces of 30 ms: a rule of our own; a "
    "curve y = f(x) scales small movements by f′(x)"
)
_SECONDS = "One value a second; value i is of the 3 seconds that begin at second i."
_PARTS = "One value a section, in the order of the sections."


@dataclass(frozen=True)
class Production:
    """Traits of a production; None, or a gap, where there is no evidence."""

    warmth: float | None = quantity(
        "%",
        label="Warmth",
        source=_WARMTH,
        help="Share of the range that makes a mix warm, and muddy when there is too much. 10 to 60 is usual.",
        low=0,
        high=100,
    )
    density: float | None = quantity(
        "%",
        label="Loudness density",
        source=_DENSITY,
        help="Share of the time in which it is about as loud as it gets. 30 breathes, 60 is usual, 95 a wall.",
        low=0,
        high=100,
    )
    width: float | None = quantity(
        "%",
        label="Stereo width",
        source=_WIDTH,
        help="0 is mono, 50 two unrelated channels; finished mixes have about 5 to 30.",
        low=0,
        high=100,
    )
    decay_s: float | None = quantity(
        "s",
        label="Decay time (reverberance)",
        source=_DECAY,
        help="How long sounds would take to fade by 60 dB, where they are left alone. Under 0.4 is dry, 1 a room, over "
        "2 a hall. Instruments that ring, such as a piano, count as well.",
        low=0,
        high=30,
        digits=2,
    )
    decays: int = quantity(
        "",
        label="Free decays",
        source=_DECAY,
        help="How many decays the time was measured on. With few of them it is a guess.",
        low=0,
        digits=0,
    )
    saturation_db: float | None = quantity(
        "dB",
        label="Saturation",
        source=_SATURATION,
        help="How far the peaks of the mix are rounded off, as tape, tubes or clipping on the mix do: under 1 is "
        "clean, 3 is colour, over 6 distortion. A clean limiter, or a distorted guitar in a mix, does not show.",
        low=0,
        high=60,
    )
    loud_crest_db: float | None = quantity(
        "dB",
        label="Crest factor of loud moments",
        source="peak over RMS of 30 ms pieces, median of the loud ones",
        help="How much the wave still swings where it is loudest: a pure tone has 3, drums 10 and more; a mix with "
        "less than 6 is pressed flat. The second witness of saturation and limiting.",
        low=0,
        high=60,
    )
    section_warmth: tuple[float | None, ...] = quantity(
        "%", label="Warmth by section", source=_WARMTH, help=_PARTS, low=0, high=100
    )
    section_density: tuple[float | None, ...] = quantity(
        "%", label="Loudness density by section", source=_DENSITY, help=_PARTS, low=0, high=100
    )
    section_width: tuple[float | None, ...] = quantity(
        "%", label="Stereo width by section", source=_WIDTH, help=_PARTS, low=0, high=100
    )
    section_decay_s: tuple[float | None, ...] = quantity(
        "s", label="Decay time by section", source=_DECAY, help=_PARTS, low=0, high=30, digits=2
    )
    section_saturation_db: tuple[float | None, ...] = quantity(
        "dB", label="Saturation by section", source=_SATURATION, help=_PARTS, low=0, high=60
    )
    warmth_by_second: NDArray[np.float64] = quantity(
        "%", label="Warmth over time", source=_WARMTH, help=_SECONDS, low=0, high=100
    )
    density_by_second: NDArray[np.float64] = quantity(
        "%", label="Loudness density over time", source=_DENSITY, help=_SECONDS, low=0, high=100
    )
    width_by_second: NDArray[np.float64] = quantity(
        "%", label="Stereo width over time", source=_WIDTH, help=_SECONDS, low=0, high=100
    )
    decay_by_second_s: NDArray[np.float64] = quantity(
        "s",
        label="Decay time over time",
        source=_DECAY,
        help=f"{_SECONDS} Most are gaps: music seldom leaves a sound alone.",
        low=0,
        high=30,
    )
    saturation_by_second_db: NDArray[np.float64] = quantity(
        "dB", label="Saturation over time", source=_SATURATION, help=_SECONDS, low=0, high=60
    )


@analyser(version=1)
def production(audio: Audio, bands: Bands, sections: Sections | None = None) -> Production:
    """Measure traits of a production.

    Source: the rules that each field's declaration names.
    """
    if sum(heard_powers(bands)[:2]) <= 0:
        return _nothing()
    traits = _traits(audio, bands)
    whole = np.array([[0.0, max(audio.duration_s, bands.times_s[-1]) + 1]])
    starts = np.arange(max(0, int(np.floor(audio.duration_s - CURVE_WINDOW_S)) + 1), dtype=np.float64)
    seconds = traits.over(np.column_stack([starts, starts + CURVE_WINDOW_S]))
    parts = traits.over(np.empty((0, 2)) if sections is None else sections.intervals_s.reshape(-1, 2))
    track = {name: _number(values[0]) for name, values in traits.over(whole).items()}
    return Production(
        warmth=track["warmth"],
        density=track["density"],
        width=track["width"],
        decay_s=track["decay"] if traits.decays_s.shape[0] >= FEWEST_DECAYS else None,
        decays=traits.decays_s.shape[0],
        saturation_db=track["saturation"],
        loud_crest_db=track["crest"],
        section_warmth=_numbers(parts["warmth"]),
        section_density=_numbers(parts["density"]),
        section_width=_numbers(parts["width"]),
        section_decay_s=_numbers(parts["decay"]),
        section_saturation_db=_numbers(parts["saturation"]),
        warmth_by_second=seconds["warmth"],
        density_by_second=seconds["density"],
        width_by_second=seconds["width"],
        decay_by_second_s=seconds["decay"],
        saturation_by_second_db=seconds["saturation"],
    )


def _nothing() -> Production:
    fields: dict[str, Any] = {c.name: np.empty(0) if c.is_curve else None for c in columns(Production)}
    fields |= {name: () for name in fields if name.startswith("section_")}
    return Production(**fields | {"decays": 0})


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _numbers(values: Vector) -> tuple[float | None, ...]:
    return tuple(_number(value) for value in values)


@dataclass(frozen=True)
class Traits:
    """What the traits of any passage are computed from.

    Attributes:
        bands: the powers.
        sums: running sums over frames of left, right and cross in the six bands, of the warm range, of all, of dense
            frames and of frames that are no pause; shape `(frames + 1, HEARD + 1)`.
        decays_s: when each free decay begins, and its time for 60 dB, shape `(decays, 2)`.
        pieces: time, peak, saturation and crest factor in dB of each piece of the wave, shape `(pieces, 4)`.
    """

    bands: Bands
    sums: Vector
    decays_s: Vector
    pieces: Vector

    def over(self, intervals_s: Vector) -> dict[str, Vector]:
        """Each trait in each passage of `intervals_s`, shape `(n, 2)`; NaN where there is no evidence."""
        ends = np.searchsorted(self.bands.times_s, intervals_s)
        found = self.sums[ends[:, 1]] - self.sums[ends[:, 0]]
        found[found[:, HEARD] == 0] = 0  # a pause
        is_mono = self.bands.channels == 1
        return {
            "warmth": _percent(found[:, WARM], found[:, TOTAL]),
            "density": _percent(found[:, DENSE], found[:, HEARD]),
            "width": np.full(len(found), np.nan) if is_mono else _widths(found[:, :WARM].reshape(-1, 3, 6)),
            "decay": np.array([_median_within(self.decays_s, *span) for span in intervals_s]),
            "saturation": np.array([_loud_median(self.pieces, 2, *span) for span in intervals_s]),
            "crest": np.array([_loud_median(self.pieces, 3, *span) for span in intervals_s]),
        }


def _traits(audio: Audio, bands: Bands) -> Traits:
    both = bands.band_left + bands.band_right
    level = both @ _k_weights(bands.centres_hz)
    heard = level > level.max(initial=0.0) * 10 ** (-PAUSE_DB / 10)
    loud = float(np.percentile(level[heard], LOUD_PERCENTILE)) if heard.any() else 0.0
    sums = np.zeros((level.size + 1, HEARD + 1))
    frames = sums[1:]
    shares = np.column_stack([_overlap(bands, low, high) for low, high in pairwise(SIX_BANDS_HZ)])
    for row, power in enumerate((bands.band_left, bands.band_right, bands.band_cross)):
        frames[:, 6 * row : 6 * row + 6] = power @ shares
    frames[:, WARM], frames[:, TOTAL] = both @ _overlap(bands, *WARM_HZ), both.sum(axis=1)
    frames[:, DENSE], frames[:, HEARD] = heard & (level >= loud * 10 ** (-DENSE_DB / 10)), heard
    np.cumsum(frames, axis=0, out=frames)
    decays_s = free_decays(both @ _overlap(bands, *DECAY_HZ), bands.frame_rate)
    return Traits(bands, sums, decays_s, _pieces(audio))


def _overlap(bands: Bands, low_hz: float, high_hz: float) -> Samples:
    """Share of each third-octave that lies between two frequencies, on a logarithmic scale."""
    low, high = bands.centres_hz * 10**-0.05, bands.centres_hz * 10**0.05
    inside = np.log(np.minimum(high, high_hz) / np.maximum(low, low_hz))
    return np.asarray(np.maximum(0, inside) / np.log(10**0.1), np.float32)


def _k_weights(centres_hz: Vector) -> Samples:
    """Power gain of K-weighting at each centre."""
    b0, b1, b2, a1, a2, c1, c2 = k_weighting(48_000)
    z = np.exp(-2j * np.pi * np.minimum(centres_hz, 20_000) / 48_000)
    shelf = (b0 + b1 * z + b2 * z * z) / (1 + a1 * z + a2 * z * z)
    return np.asarray(np.abs(shelf * (1 - z) ** 2 / (1 + c1 * z + c2 * z * z)) ** 2, np.float32)


def _percent(part: Vector, whole: Vector) -> Vector:
    found = np.full(whole.shape, np.nan)
    np.divide(100 * part, whole, out=found, where=whole > 0)
    return np.asarray(np.clip(found, 0, 100))


def _widths(powers: Vector) -> Vector:
    """Width of each passage from left, right and cross in six bands, shape `(n, 3, 6)`."""
    both = np.maximum(0, powers[:, 0] + powers[:, 1])
    sounding = both > both.sum(axis=1, keepdims=True) * 10 ** (EMPTY_BAND_DB / 10)
    shares = np.clip((both - 2 * powers[:, 2]) / np.maximum(2 * both, 1e-300), 0, 1)
    weights = np.array(WIDTH_WEIGHTS) * sounding
    return _percent((weights * shares).sum(axis=1), weights.sum(axis=1))


def _within(events: Vector, start: float, end: float) -> Vector:
    """The rows whose time, their first column, lies in a passage; rows are in order of time."""
    first, last = np.searchsorted(events[:, 0], (start, end))
    return events[first:last]


def _median_within(events: Vector, start: float, end: float) -> float:
    inside = _within(events, start, end)[:, 1]
    return float(np.median(inside)) if inside.size else float("nan")


def free_decays(power: Vector, frame_rate: float) -> Vector:
    """Stretches in which a sound dies away in a straight line in dB: when, and seconds for 60 dB; shape `(n, 2)`."""
    highest = power.max(initial=0.0)
    if highest <= 0:
        return np.empty((0, 2))
    level = 10 * np.log10(np.maximum(power / highest, 1e-12))
    found = []
    for start, end in _falls(level, -DECAY_FLOOR_DB, DECAY_RIPPLE_DB):
        stretch = level[start:end]
        if stretch.size < DECAY_FRAMES or stretch[0] - stretch[-1] < DECAY_FALL_DB:
            continue
        time = np.arange(stretch.size) / frame_rate
        slope = float(np.polyfit(time, stretch, 1)[0])
        if np.corrcoef(time, stretch)[0, 1] ** 2 >= DECAY_FIT and slope < 0:
            found.append((start / frame_rate, -60 / slope))
    return np.array(found, np.float64).reshape(-1, 2)


@kernel
def _falls(level: Vector, floor: float, ripple: float) -> Spans:
    """First frame behind the peak and the end of each fall that goes up by less than `ripple` in between."""
    found = np.zeros((level.size // 2 + 1, 2), np.int64)
    count = 0
    i = 0
    while i < level.size - 1:
        if level[i + 1] >= level[i]:
            i += 1
            continue
        end = i + 1
        while end + 1 < level.size and level[end + 1] < level[end] + ripple and level[end + 1] > floor:
            if level[end + 1] > level[i]:
                break
            end += 1
        while level[end] > level[end - 1]:
            end -= 1
        found[count, 0], found[count, 1] = i + 1, end + 1
        count += 1
        i = end + 1 if end > i else i + 1
    return found[:count]


def _pieces(audio: Audio) -> Vector:
    """Time, peak, saturation and crest of pieces of the wave, shape `(n, 4)`; without those that cannot tell."""
    size = max(8, round(PIECE_S * audio.sample_rate))
    hop = size * PIECE_HOP
    found = []
    for k, chunk in enumerate(chunks(audio, hop * PIECES_AT_ONCE)):
        rows = np.zeros((PIECES_AT_ONCE, 7))
        _measure_pieces(chunk, size, hop, rows)
        rows[:, 0] = (k * PIECES_AT_ONCE + np.arange(PIECES_AT_ONCE)) * hop / audio.sample_rate
        found.append(rows[(rows[:, 2:] > 0).all(axis=1)])
    rows = np.concatenate([np.empty((0, 7)), *found])
    slope, curvature = (20 * np.log10(rows[:, a] / rows[:, a + 1]) for a in (2, 4))
    # A pure tone is slow near its peaks and curved there, whether saturated or not; a mix is neither. What is
    # saturated is slow and straight.
    crest = 20 * np.log10(rows[:, 1] / rows[:, 6])
    return np.column_stack([rows[:, :2], -np.maximum(slope, curvature - CURVED_DB), crest])


def _loud_median(pieces: Vector, column: int, start: float, end: float) -> float:
    """Median of a column over the loud pieces of a passage, at least 0."""
    inside = _within(pieces, start, end)
    if inside.shape[0] < FEWEST_PIECES:
        return float("nan")
    usual_peak = np.sort(inside[:, 1])[inside.shape[0] * LOUD_PERCENTILE // 100]
    loud = inside[:, 1] >= LOUD_PIECES * usual_peak
    return float(np.clip(np.median(inside[loud, column]), 0, 60))


@kernel
def _measure_pieces(signal: Samples, size: int, hop: int, rows: Vector) -> None:
    """Of each piece of a chunk: peak, mean slope and curvature near it and half-way up, RMS; columns 1 to 6."""
    for k in range(rows.shape[0]):
        row = signal[k % 2]
        begin, end = k * hop + 1, k * hop + size - 1
        peak = power = np.float32(0)
        for i in range(begin, end):
            peak = max(peak, abs(row[i]))
            power += row[i] * row[i]
        near = peak * np.float32(NEAR_PEAK)
        low, high = peak * np.float32(MIDDLE[0]), peak * np.float32(MIDDLE[1])
        slope_near = slope_middle = curve_near = curve_middle = 0.0
        count_near = count_middle = 0
        for i in range(begin, end):
            value = abs(row[i])
            slope = abs(row[i + 1] - row[i - 1])
            curve = abs(row[i + 1] - 2 * row[i] + row[i - 1])
            if value > near:
                slope_near += slope
                curve_near += curve
                count_near += 1
            elif low < value < high:
                slope_middle += slope
                curve_middle += curve
                count_middle += 1
        if count_near >= FEWEST_SAMPLES and count_middle >= FEWEST_SAMPLES:
            rows[k, 1], rows[k, 6] = peak, np.sqrt(power / (end - begin))
            rows[k, 2], rows[k, 3] = slope_near / count_near, slope_middle / count_middle
            rows[k, 4], rows[k, 5] = curve_near / count_near, curve_middle / count_middle
