"""Numbers of a mix that are settled when it is planned: how loud the vocals are, their tone, and the room they need."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from processor.analysis.bands import SIX_BANDS_HZ, bands
from processor.audio import from_samples
from processor.feedback.compare_tone import rms_db
from processor.feedback.equaliser import LOW_SHELF, Band, response_db
from processor.feedback.genres import GENERAL, genres
from processor.feedback.matching import WORTH_DB, fit
from processor.feedback.tone import SOUNDING_DB, level_shift, weighted_median
from processor.mashup.curves import STEP_S, step_powers, sung, to_lufs
from processor.mashup.listening import Backing, Layer, Voice
from processor.mashup.plan import Duck

Vector = NDArray[np.float64]
Samples = NDArray[np.float32]
Mask = NDArray[np.bool_]

# As loud as all the rest together: P. D. Pestana and J. D. Reiss, "Intelligent audio production strategies informed by
# best practices", AES 53rd conf. (2014). In 300 hits since 1946 the lead lay 1 dB over the rest on average from 1975
# on, more in country, rap and pop, 0 in rock, less in metal (K. Gerdes and K. Siedenburg, JASA Express Lett. 3,
# 043201, 2023). Three songs of one band, by their own stems: −2.9, −1.9 and +0.3 LU; eight separated ones −5 to +5.
VOCAL_TO_BACKING_LU = 0.0
MOST_GAIN_DB = 24.0
# A singer does not whisper because the band rests: sections stray from the gain of the whole by so much at most.
SECTION_DB = 4.0

# Third-octaves of sung passages and half the width of the corridor that most of ten singers lie in (three as their
# engineers left them, five out of finished songs, two as recorded; 250 Hz to 10 kHz). Below, it is the melody's pitch.
VOICE_HZ = 10 ** (np.arange(24, 41) / 10)
VOICE_DB = np.array([0.0, 1.5, 3.0, 4.5, 4.0, 3.0, 1.5, 0.0, -1.0, -3.0, -4.0, -4.5, -5.5, -6.0, -6.0, -7.5, -10.0])
VOICE_WIDTH_DB = np.array([9.0, 7.0, 5.0, 3.5, 3.5, 3.0, 3.0, 3.0, 3.5, 4.0, 5.0, 6.0, 6.5, 6.5, 6.5, 7.0, 9.0])
FEWEST_THIRDS = 8
MOST_BANDS, MOST_TILT_DB, MOST_Q = 3, 3.0, 1.0
# Single third-octaves are notes; what is evened over an octave is tone. Below, backings differ most, and rightly.
OCTAVE = np.array([1.0, 2.0, 3.0, 2.0, 1.0])
LOWEST_TILT_HZ = 60.0
# The lowest note of a bass voice has 65 Hz or more; what is below and louder than so much of the whole is no song.
RUMBLE_HZ, RUMBLE_DB = 60.0, -40.0
RUMBLE = Band(LOW_SHELF, RUMBLE_HZ, -12.0, 0.7)

# Where words are told apart (the bands of 1 to 4 kHz weigh most in ANSI S3.5-1997), and the room they should have.
WORDS_HZ, ROOM_DB = (1000.0, 5000.0), 6.0
# The backing gives way by half of what is missing, or the words would have all of its middle taken away.
GIVEN = 0.5
DUCK_DB = (1.5, 6.0)
DUCK_HZ = (250.0, 8000.0)
DUCK_ATTACK_S, DUCK_RELEASE_S = 0.018, 0.2

# The gate stands so far above what is left between the lines, and so far under the quietest tenth of what is sung.
OVER_BLEED_LU, UNDER_SUNG_LU = 6.0, 10.0


def ratio_lu(vocals: Vector, backing: Vector) -> float | None:
    """Loudness of the vocals less that of the backing, while they sing; None where either is silent.

    Args:
        vocals: K-weighted mean square of each step of time, shape `(n,)`.
        backing: the same of the backing, at the same moments.
    """
    size = min(vocals.size, backing.size)
    is_sung = sung(vocals[:size])
    below = float(backing[:size][is_sung].sum())
    return float(10 * np.log10(vocals[:size][is_sung].sum() / below)) if below > 0 else None


def section_gains(
    stretches: Sequence[tuple[Vector, Vector]], wanted_lu: float = VOCAL_TO_BACKING_LU
) -> tuple[float, ...]:
    """Gain of the vocals in each stretch that puts them at a ratio to what plays under them, in dB.

    Each stretch follows its own backing, but by no more than `SECTION_DB` away from the middle of all; then all are
    set so that the ratio of the whole is what is wanted. A stretch in which nobody sings, or nothing plays, gets the
    gain of the middle.

    Args:
        stretches: K-weighted mean squares of the vocals and of the backing, at the same moments, in steps of one
            length.
        wanted_lu: loudness of the vocals less that of the backing.
    """
    ratios = [ratio_lu(*stretch) for stretch in stretches]
    known = [(ratio, vocals.size) for ratio, (vocals, _) in zip(ratios, stretches, strict=True) if ratio is not None]
    if not known:
        return (0.0,) * len(ratios)
    middle = weighted_median(wanted_lu - np.array([one for one, _ in known]), np.array([float(n) for _, n in known]))
    own = np.array([middle if ratio is None else wanted_lu - ratio for ratio in ratios])
    gains = middle + np.clip(own - middle, -SECTION_DB, SECTION_DB)
    turned = [vocals * 10 ** (gain / 10) for gain, (vocals, _) in zip(gains, stretches, strict=True)]
    sizes = [min(vocals.size, backing.size) for vocals, backing in stretches]
    whole = ratio_lu(
        np.concatenate([one[:size] for one, size in zip(turned, sizes, strict=True)]),
        np.concatenate([backing[:size] for (_, backing), size in zip(stretches, sizes, strict=True)]),
    )
    gains += 0.0 if whole is None else wanted_lu - whole
    return tuple(round(float(gain), 2) for gain in np.clip(gains, -MOST_GAIN_DB, MOST_GAIN_DB))


def tilt_bands(voice: Voice, backing: Backing) -> tuple[tuple[Band, ...], tuple[Band, ...]]:
    """Equalisers of the vocals and of the backing, that bring what strays to the edge of where such sounds lie.

    At most `MOST_BANDS` broad bands of ±`MOST_TILT_DB` each; for the vocals one more against rumble, where there is
    some. The corridor of the backing is that of finished mixes of all kinds.
    """
    is_sung = sung(voice.sound.power)
    levels = _levels_db(voice.sound, is_sung)
    vocal = _tilt(levels, voice.sound, VOICE_HZ, (VOICE_DB - VOICE_WIDTH_DB, VOICE_DB, VOICE_DB + VOICE_WIDTH_DB))
    profile = genres()[GENERAL].profile
    curves = tuple(np.array(one) for one in (profile.tone_low_db, profile.tone_middle_db, profile.tone_high_db))
    instrumental = _tilt(
        _levels_db(backing.sound, sung(backing.sound.power)), backing.sound, np.array(profile.centres_hz), curves
    )
    has_rumble = _share_db(levels, voice.sound.centres_hz < RUMBLE_HZ * 1.1) > RUMBLE_DB
    return ((RUMBLE, *vocal) if has_rumble else vocal), instrumental


def default_duck(voice: Voice, backing: Backing) -> Duck | None:
    """How the backing makes room for these vocals, at their usual loudness; None where it leaves room as it is."""
    is_sung, is_played = sung(voice.sound.power), sung(backing.sound.power)
    if not is_sung.any() or not is_played.any():
        return None
    vocals_db, below_db = _levels_db(voice.sound, is_sung), _levels_db(backing.sound, is_played)
    size = min(vocals_db.size, below_db.size)
    inside = _between(voice.sound.centres_hz[:size], *WORDS_HZ)
    if not inside.any():
        return None
    means = float(backing.sound.power[is_played].mean()) / float(voice.sound.power[is_sung].mean())
    ratios = vocals_db[:size][inside] - below_db[:size][inside] + 10 * np.log10(means) + VOCAL_TO_BACKING_LU
    depth_db = GIVEN * float(np.clip(ROOM_DB - ratios, 0, 2 * DUCK_DB[1]).mean())
    if depth_db < DUCK_DB[0]:
        return None
    return Duck(round(min(depth_db, DUCK_DB[1]), 1), *DUCK_HZ, DUCK_ATTACK_S, DUCK_RELEASE_S)


def gate_below_lufs(voice: Voice) -> float | None:
    """Level of the vocals, as they are in their file, under which they are bleed; None where there is none."""
    is_sung = sung(voice.sound.power)
    if voice.bleed_lufs is None or not is_sung.any():
        return None
    quiet = float(np.percentile(to_lufs(voice.sound.power[is_sung]), 10))
    return round(min(voice.bleed_lufs + OVER_BLEED_LU, quiet - UNDER_SUNG_LU), 1)


def band_ratios_db(vocals: Samples, backing: Samples, sample_rate: int) -> tuple[float | None, ...]:
    """Power of the vocals over that of the backing in the six bands, while they sing, in dB.

    None for a band in which either is silent, and for all where nobody sings.

    Args:
        vocals: shape `(2, n)`.
        backing: shape `(2, n)`, at the same moments.
        sample_rate: in Hz.
    """
    size = min(vocals.shape[1], backing.shape[1])
    voice, below = (bands(from_samples(one[:, :size], sample_rate)) for one in (vocals, backing))
    powers = [(one.band_left + one.band_right).astype(np.float64) / 2 for one in (voice, below)]
    is_sung = _sung_frames(vocals[:, :size], sample_rate, voice.times_s)
    found: list[float | None] = []
    edges = np.append(voice.centres_hz * 10**-0.05, voice.centres_hz[-1:] * 10**0.05)
    sums = [np.append(0.0, np.cumsum(power[is_sung].sum(axis=0))) for power in powers]
    for low_hz, high_hz in pairwise(SIX_BANDS_HZ):
        at = np.log(np.array([low_hz, high_hz]))
        over, under = (float(np.diff(np.interp(at, np.log(edges), one))[0]) for one in sums)
        floor = 1e-12 * max(1, int(is_sung.sum()))
        found.append(float(10 * np.log10(over / under)) if over > floor and under > floor else None)
    return tuple(found)


def _sung_frames(vocals: Samples, sample_rate: int, times_s: Vector) -> Mask:
    is_sung = sung(step_powers(vocals, sample_rate))
    steps = np.clip((times_s / STEP_S).astype(np.int64), 0, is_sung.size - 1)
    return is_sung[steps]


def _levels_db(sound: Layer, chosen: Mask) -> Vector:
    """Mean third-octave levels of the chosen steps, shape `(bands,)`; NaN where nothing sounds."""
    size = min(chosen.size, len(sound.bands_db))
    rows = np.asarray(sound.bands_db[:size][chosen[:size]], np.float64)
    powers = np.where(np.isfinite(rows), 10 ** (rows / 10), 0.0).sum(axis=0) / max(1, len(rows))
    return np.where(powers > 0, 10 * np.log10(np.maximum(powers, 1e-30)), np.nan)


def _share_db(levels_db: Vector, chosen: Mask) -> float:
    powers = np.nan_to_num(10 ** (levels_db / 10))
    part = float(powers[chosen].sum())
    return 10 * float(np.log10(part / powers.sum())) if part > 0 else -np.inf


def _tilt(levels_db: Vector, sound: Layer, centres_hz: Vector, corridor: tuple[Vector, ...]) -> tuple[Band, ...]:
    """The few bands that bring levels nearest to a corridor: its lower edge, its middle and its upper edge."""
    numbers = {round(10 * float(np.log10(hz))): place for place, hz in enumerate(sound.centres_hz)}
    places = [numbers.get(round(10 * float(np.log10(hz)))) for hz in centres_hz]
    found = np.array([np.nan if place is None else levels_db[place] for place in places])
    # A third-octave that does not sound cannot be brought anywhere; the last may be cut short by the sample rate.
    heard = np.isfinite(found) & (centres_hz > LOWEST_TILT_HZ) & (centres_hz < 0.4 * sound.sample_rate)
    heard[heard] = found[heard] > np.max(found[heard], initial=-np.inf) - SOUNDING_DB
    low, middle, high = corridor
    if heard.sum() < FEWEST_THIRDS:
        return ()
    shift = level_shift(centres_hz[heard], (found - middle)[heard], (high - low)[heard])
    if shift is None:
        return ()
    at = _evened(found - middle - shift, heard) + middle
    outside = np.clip(np.maximum(at - high, 0) + np.minimum(at - low, 0), -MOST_TILT_DB, MOST_TILT_DB)
    outside[~heard] = np.nan
    return _fewest(outside, centres_hz, sound.sample_rate)


def _evened(difference_db: Vector, heard: Mask) -> Vector:
    """Means over an octave of what is heard; the rest as it is."""
    sums = np.convolve(np.where(heard, difference_db, 0.0), OCTAVE, "same")
    counts = np.convolve(heard.astype(np.float64), OCTAVE, "same")
    return np.asarray(np.where(heard, sums / np.maximum(counts, 1.0), difference_db))


def _fewest(outside_db: Vector, centres_hz: Vector, sample_rate: int) -> tuple[Band, ...]:
    """At most `MOST_BANDS` of the bands that fit, those that take most away together."""
    every = [
        Band(one.kind, one.frequency_hz, float(np.clip(one.gain_db, -MOST_TILT_DB, MOST_TILT_DB)), min(one.q, MOST_Q))
        for one in fit(outside_db, centres_hz, sample_rate)
    ]
    sets = [chosen for count in range(MOST_BANDS + 1) for chosen in combinations(every, count)]

    def left(chosen: tuple[Band, ...]) -> float:
        """What stays outside; a band has to be worth its knob."""
        return (rms_db(outside_db + response_db(chosen, centres_hz, sample_rate)) or 0.0) + WORTH_DB * len(chosen)

    return min(sets, key=left)


def _between(hz: Vector, low_hz: float, high_hz: float) -> Mask:
    return np.asarray((hz >= low_hz * 0.99) & (hz <= high_hz * 1.01))
