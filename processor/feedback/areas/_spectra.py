"""A spectrum's deviation, taken apart into the few moves of an equaliser that would explain it.

A mix may lie 6 dB over its corridor at 300 Hz, or inside a wide corridor and still have a bump of 6 dB there that
none of its neighbours shares. Both are one question: how far is a third-octave from where the profile *and* the rest
of this spectrum let one expect it? Levels of neighbouring third-octaves go together; how much, was measured. What
remains unexpected is matched with shapes that an equaliser has, the likeliest first, so that one cause gives one piece
of advice: a shelf, not three bands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from processor.analysis.bands import BAND_NAMES, SIX_BANDS_HZ
from processor.feedback.advice import Mix
from processor.feedback.profiles import ToneDeviation

Vector = NDArray[np.float64]

BELL, RING, LOW_SHELF, HIGH_SHELF, TILT = "bell", "ring", "low shelf", "high shelf", "tilt"

# Deviations from the general profile, 60 recordings: neighbouring third-octaves differ by 1.9 dB times √2 (median
# absolute, as a standard deviation); the variance grows with distance as 1.3² + s² (1 − exp(−octaves / 1.7)), with s
# the corridor's standard deviation.
ROUGHNESS_DB = 1.3
REACH_OCTAVES = 5 / 3
PERCENTILES_SD = 2.563  # from the 10th to the 90th percentile of a normal distribution
# A corridor of a single reference is no narrower than this: one recording is not all there can be.
NARROWEST_SD_DB = 2.5
# What lies further out than so many standard deviations counts as if it did not: an empty band is one fault.
FARTHEST_SD = 3.0
# How far mixes are off by (a standard deviation); what is found is drawn towards 0 the more, the less certain it is.
# With 9 more of the faults made of 25 recordings were found than with 6.
USUAL_FAULT_DB = 9.0
BOOST_DB = 6.0  # at which shapes are taken; a ring at twice that
MOST_MOVES = 4
# Of so many of them, the furthest, each may be a fault. Who hears of more hears of nothing else; the rest can wait.
MOST_FAULTS = 2
# Beyond so many standard deviations of such music a move is advice: two in three such mixes stay within. Something
# narrow must stand out more: single notes and resonant instruments do by nature.
LIMIT_SD = 1.0
RING_LIMIT_SD = 1.8
STEP_DB = 1.5  # of tone, that a listener notices
LEAST_DB = 1.5  # under this a deviation is fine (mixing practice, second-hand)
# A hole is heard far less than a bump, the narrower the less (R. Bücklein, JAES 29, 1981).
NARROW_HOLE = 0.7
# Where kick drums and bass guitars boom.
BOOM_HZ = (75.0, 160.0)
# A third-octave is missing if it lies so far under the corridor, and so far under its middle. There is no low end where
# all from 50 to 80 Hz are missing, and no top where all from 12.5 kHz on are.
GONE_DB = 3.0
GONE_FROM_MIDDLE_DB = 14.0
NO_LOW_END_HZ = (45.0, 85.0)
NO_TOP_HZ = 11_500.0
TOP_RATE_HZ = 32_000  # a lower one cannot hold a top
EDGE = 10**0.05
# Between a shelf and a bell that explain about the same, it is the shelf: rooms and loudspeakers mislead so.
SHELF_LIKELIHOOD = 1.2
LEVEL_VARIANCE = 1e4  # the level of the whole is of no interest

BELL_QS = (0.7, 1.0, 1.4, 2.0)
RING_Q = 8.0
SHELF_Q = 0.7
BELLS_HZ = (63.0, 14_000.0)
RINGS_HZ = (180.0, 12_000.0)  # below, it is single notes of the bass that stick out
LOW_SHELVES_HZ = (50.0, 80.0, 100.0, 130.0, 180.0)
HIGH_SHELVES_HZ = (3500.0, 5000.0, 7000.0, 10_000.0)
SUB_SHELF_HZ = 90.0  # a shelf below this acts in full on the sub alone
TILT_PIVOT_HZ, TILT_OCTAVES = 1000.0, 3.0
_STEPS_AN_OCTAVE = 6


@dataclass(frozen=True)
class Shape:
    """What an equaliser can do.

    Attributes:
        kind: BELL, RING, LOW_SHELF, HIGH_SHELF or TILT.
        frequency_hz: centre, corner or pivot.
        q: quality factor.
    """

    kind: str
    frequency_hz: float
    q: float

    @cached_property
    def band(self) -> str | None:
        """Which of the six bands it changes most; None for a tilt, which changes all.

        A bell at 220 Hz is mud, too: it raises the octave of the low mids more than the two octaves of the bass.
        """
        if self.kind == TILT:
            return None
        if self.kind == LOW_SHELF:
            return "sub" if self.frequency_hz < SUB_SHELF_HZ else "bass"
        if self.kind == HIGH_SHELF:
            return "air"
        means = [float(np.mean(response(self, np.geomspace(low, high, 9)))) for low, high in pairwise(SIX_BANDS_HZ)]
        return BAND_NAMES[int(np.argmax(means))]

    @property
    def shown_hz(self) -> float:
        """Where it acts in full."""
        octaves = {LOW_SHELF: -1.0, HIGH_SHELF: 1.0, TILT: TILT_OCTAVES}.get(self.kind, 0.0)
        return float(self.frequency_hz * 2**octaves)


@dataclass(frozen=True)
class Move:
    """A deviation that one move explains.

    Attributes:
        shape: its shape.
        gain_db: how far it stands out: above 0 there is too much of it. Of a tilt: at 8 kHz against 1 kHz.
        limit_db: how far such music strays from this without fault.
        centre_hz: centre of the third-octave that shows it best: a shelf's an octave behind its corner.
        found_db: where this third-octave lies.
        low_db: where it may lie.
        high_db: where it may lie.
    """

    shape: Shape
    gain_db: float
    limit_db: float
    centre_hz: float
    found_db: float
    low_db: float
    high_db: float

    @property
    def weight(self) -> float:
        """Noticeable steps beyond the limit; below 0 there is no fault."""
        return (abs(self.gain_db) - self.limit_db) / STEP_DB


def moves(mix: Mix) -> tuple[Move, ...]:
    """The moves that explain how a mix's spectrum deviates, the likeliest first; at most MOST_MOVES."""
    if "moves" not in mix.worked_out:
        mix.worked_out["moves"] = _moves(mix)
    found: tuple[Move, ...] = mix.worked_out["moves"]
    return found


def _moves(mix: Mix) -> tuple[Move, ...]:
    """Work them out, which takes half a millisecond.

    Source: best linear unbiased estimate with correlated errors (A. C. Aitken, Proc. R. Soc. Edinburgh 55, 1936),
    drawn towards 0 by a prior; shapes picked by matching pursuit (S. Mallat and Z. Zhang, IEEE Trans. Signal
    Process. 41, 1993).
    """
    tone = mix.tone
    if tone is None:
        return ()
    spread = _spread(mix, tone.centres_hz)
    rest = np.clip(tone.from_middle_db, -FARTHEST_SD * spread, FARTHEST_SD * spread)
    shapes, responses = _dictionary(tuple(tone.centres_hz))
    octaves = np.log2(tone.centres_hz)
    near = np.exp(-np.abs(octaves[:, None] - octaves) / REACH_OCTAVES)
    variance = ROUGHNESS_DB**2 * np.eye(octaves.size) + np.outer(spread, spread) * near + LEVEL_VARIANCE
    matched = np.linalg.solve(variance, responses.T).T
    certainty = np.einsum("ij,ij->i", matched, responses)
    precision = certainty + USUAL_FAULT_DB**-2
    levels = dict(zip(np.round(mix.get("spectrum.centres_hz")), mix.get("spectrum.third_octaves_db"), strict=True))
    heard = np.array([_hole_heard(shape) for shape in shapes])
    likely = np.array([SHELF_LIKELIHOOD if shape.kind in (LOW_SHELF, HIGH_SHELF) else 1.0 for shape in shapes])
    found = []
    for _ in range(MOST_MOVES):
        gains = matched @ rest / precision
        chances = gains * np.sqrt(precision) * np.where(gains < 0, heard, 1.0)
        best = int(np.argmax(np.abs(chances) * likely))
        gain = float(gains[best])
        if abs(gain) < LEAST_DB:
            break
        limit = (RING_LIMIT_SD if shapes[best].kind == RING else LIMIT_SD) * gain / float(chances[best])
        # All of it, not only the part that is believed: or what is left of it would be told again.
        rest = rest - gain * precision[best] / certainty[best] * responses[best]
        at = int(np.argmin(np.abs(octaves - np.log2(shapes[best].shown_hz))))
        level, share = float(levels[np.round(tone.centres_hz[at])]), abs(float(responses[best, at]))
        low, high = level - (gain + limit) * share, level - (gain - limit) * share
        found.append(Move(shapes[best], gain, limit, float(tone.centres_hz[at]), level, low, high))
    return tuple(found)


def _hole_heard(shape: Shape) -> float:
    """How much a hole of a shape counts, against a bump of the same."""
    if shape.kind == RING:
        return 0.0
    return NARROW_HOLE if shape.kind == BELL and shape.q > 1 else 1.0


def faults(mix: Mix) -> tuple[Move, ...]:
    """The moves that lie beyond their limit: the first of each band, and its first ring.

    A band is not told to be too loud and too soft: what follows in the opposite direction trims the first.
    """
    found: dict[tuple[str | None, bool], Move] = {}
    for move in moves(mix):
        if move.weight >= 0:
            found.setdefault((move.shape.band, move.shape.kind == RING), move)
    return tuple(found.values())


def most(mix: Mix, move: Move) -> str:
    """The worst severity that a move may have beside the others."""
    if move.shape.band == "sub" and move.gain_db < 0:
        return "warning"  # what has no bass drum and no bass has no sub, and may want none
    further = sum(other.weight > move.weight for other in faults(mix))
    return "fault" if further < MOST_FAULTS else "warning"


def is_boom(move: Move) -> bool:
    """Whether it is a bump where kick drums and bass guitars boom."""
    return move.shape.kind == BELL and move.gain_db > 0 and BOOM_HZ[0] <= move.shape.frequency_hz <= BOOM_HZ[1]


def low_end_corner_hz(mix: Mix) -> float | None:
    """Below which frequency there is no low end at all; None where there is one."""
    tone = mix.tone
    if tone is None:
        return None
    low = tone.centres_hz > NO_LOW_END_HZ[0]
    gone = _first_there(_is_gone(tone)[low])
    corner = float(tone.centres_hz[low][gone - 1] * EDGE) if gone else 0.0
    return corner if corner >= NO_LOW_END_HZ[1] else None


def top_corner_hz(mix: Mix) -> float | None:
    """Above which frequency there is no top at all; None where there is one, or where it cannot be told."""
    tone, rate = mix.tone, mix.get("source.sample_rate_hz")
    if tone is None or rate is None or rate < TOP_RATE_HZ:
        return None
    ends = [mix.get(f"spectrum.{name}") for name in ("bandwidth_hz", "lossy_cutoff_hz")]
    end_hz = min((float(end) for end in ends if end is not None), default=float("inf"))
    if end_hz < NO_TOP_HZ:
        return end_hz
    gone = _first_there(_is_gone(tone)[::-1])
    corner = float(tone.centres_hz[-gone] / EDGE) if gone else float("inf")
    return corner if corner < NO_TOP_HZ else None


def _is_gone(tone: ToneDeviation) -> NDArray[np.bool_]:
    """Which third-octaves are missing."""
    return np.asarray((tone.outside_db < -GONE_DB) & (tone.from_middle_db < -GONE_FROM_MIDDLE_DB))


def _first_there(is_gone: NDArray[np.bool_]) -> int:
    """How many third-octaves from the first one on are missing."""
    return int(np.argmin(np.append(is_gone, False)))


def two_digits(hz: float) -> float:
    """A frequency as one dials it in."""
    return float(f"{hz:.2g}")


def _spread(mix: Mix, centres_hz: Vector) -> Vector:
    """Standard deviation of the corridor at each centre, as a smooth curve."""
    profile = mix.profile
    width = np.array(profile.tone_high_db) - np.array(profile.tone_low_db)
    here = np.interp(np.log2(centres_hz), np.log2(profile.centres_hz), width)
    return np.asarray(np.maximum(NARROWEST_SD_DB, here / PERCENTILES_SD))


@cache
def _dictionary(centres_hz: tuple[float, ...]) -> tuple[tuple[Shape, ...], Vector]:
    """All shapes that lie within the centres, and their response to 1 dB, shape `(shapes, centres)`."""
    shapes = tuple(shape for shape in _shapes() if centres_hz[0] < shape.frequency_hz < centres_hz[-1])
    return shapes, np.array([response(shape, np.array(centres_hz)) for shape in shapes]).reshape(-1, len(centres_hz))


def _shapes() -> Iterator[Shape]:
    for hz in 1000 * 2 ** (np.arange(-4 * _STEPS_AN_OCTAVE, 4 * _STEPS_AN_OCTAVE) / _STEPS_AN_OCTAVE):
        if BELLS_HZ[0] <= hz <= BELLS_HZ[1]:
            yield from (Shape(BELL, float(hz), q) for q in BELL_QS)
        if RINGS_HZ[0] <= hz <= RINGS_HZ[1]:
            yield Shape(RING, float(hz), RING_Q)
    yield from (Shape(LOW_SHELF, hz, SHELF_Q) for hz in LOW_SHELVES_HZ)
    yield from (Shape(HIGH_SHELF, hz, SHELF_Q) for hz in HIGH_SHELVES_HZ)
    yield Shape(TILT, TILT_PIVOT_HZ, 0.0)


def response(shape: Shape, centres_hz: Vector) -> Vector:
    """What a boost by BOOST_DB (a ring: twice that) does to each third-octave, in dB for 1 dB.

    Source: R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients", analogue prototypes; mean
    power over each third-octave.
    """
    if shape.kind == TILT:
        return np.asarray(np.clip(np.log2(centres_hz / TILT_PIVOT_HZ) / TILT_OCTAVES, -1, 1))
    boost_db = 2 * BOOST_DB if shape.kind == RING else BOOST_DB
    a = 10 ** (boost_db / 40)
    s = 1j * centres_hz[:, None] * 10 ** np.linspace(-0.05, 0.05, 21) / shape.frequency_hz
    if shape.kind in (BELL, RING):
        gain = (s * s + s * a / shape.q + 1) / (s * s + s / (a * shape.q) + 1)
    else:
        s = s if shape.kind == LOW_SHELF else 1 / s
        width = np.sqrt(a) / shape.q
        gain = a * (s * s + width * s + a) / (a * s * s + width * s + 1)
    return np.asarray(10 * np.log10(np.mean(np.abs(gain) ** 2, axis=1)) / boost_db)
