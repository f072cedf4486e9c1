"""A track bar by bar, as a mashup needs it: pitches, accents, spectrum and level, of the voice and of all the rest.

Bars make two tracks comparable whatever their tempi are. A phrase is eight of them, or four of a short track. Where
the stems are there, the voice and the backing are heard apart; elsewhere the mix stands for both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis.bands import Bands, bands
from processor.analysis.beats import Beats
from processor.analysis.chroma import Chroma, chroma
from processor.analysis.loudness import k_weighting
from processor.analysis.mel import mel
from processor.analysis.mono import SAMPLE_RATE_HZ, Mono
from processor.analysis.onsets import Onsets, onsets
from processor.analysis.separated import Separated
from processor.analysis.stems import Stems
from processor.analysis.vocals import Vocals
from processor.audio import from_samples
from processor.graph import analyser
from processor.quantities import quantity

Curve = NDArray[np.float32]
Half = NDArray[np.float16]
Vector = NDArray[np.float64]

VOICE = "vocals"
MIX, STEMS = "mix", "stems"
LONG, SHORT = 8, 4  # bars of a phrase, and of a phrase of a track that is shorter than that
COMMON_METRE = 4  # beats a bar where no downbeats were found
A_BEAT = 4  # accents are told on sixteenths
# A sound counts for the sixteenth that it comes this share of one too early for: players and trackers are not exact.
EARLY = 0.25
# Which of the five registers of onsets are low, middle and high.
LOW, MIDDLE, HIGH = slice(0, 1), slice(1, 3), slice(3, 5)
# Third-octaves in which voices and instruments get in each other's way; beyond there is no more than hiss and kick.
LOWEST_HZ, HIGHEST_HZ = 95.0, 8500.0
LOUD_PERCENTILE = 90
FLOOR_DB = -60.0
# Steps of what is kept of a value of 0 to 1, so that the record stays small.
STEPS = 64

_BARS = "mean over each bar"


@dataclass(frozen=True)
class Phrases:
    """Bars and phrases; None and empty where there are fewer than four bars."""

    heard_in: str | None = quantity(
        "",
        label="Phrases heard in",
        source="stems where a voice is in them, else the mix",
        help="Whether voice and backing were heard apart (stems) or not (mix).",
    )
    beats_a_bar: int | None = quantity(
        "",
        label="Beats of a phrase's bar",
        source="beats; 4 where no downbeats were found",
        help="The metre by which bars were counted.",
        low=1,
        digits=0,
    )
    phrase_bars: int | None = quantity(
        "", label="Bars a phrase", source="8, or 4 of a short track", help="How long a phrase is.", low=1, digits=0
    )
    intervals_s: Vector = quantity(
        "s",
        label="Phrases",
        source="downbeats, counted from the first; a remainder of four bars or more gives a last one that reaches back",
        help="Start and end of each phrase.",
        low=0,
        digits=2,
    )
    energy_db: Half = quantity(
        "dB",
        label="Energy of the phrases",
        source="K-weighted power against that of the loudest tenth of the bars",
        help="How loud each phrase is for this track.",
        low=FLOOR_DB,
    )
    voice_share: Half = quantity(
        "",
        label="Voice in the phrases",
        source="the stretches of the voice",
        help="How much of each phrase is sung. Empty where nobody could tell.",
        low=0,
        high=1,
        digits=2,
    )
    bars_s: Vector = quantity(
        "s",
        label="Bars",
        source="beats and downbeats",
        help="Start of each bar, and the end of the last one.",
        low=0,
    )
    pitches: Half = quantity(
        "",
        label="Pitch classes of the backing",
        source="square root of the pitch classes' strengths, by half bar, or by beat where a bar has an odd number",
        help="Shape (bars, steps, 12), C first; of the mix where there are no stems.",
        low=0,
        high=1,
        digits=2,
    )
    accents: Half = quantity(
        "",
        label="Accents of the backing",
        source="onset strength by sixteenth; low, middle and high register",
        help="Shape (bars, 3, sixteenths).",
        low=0,
        high=1,
        digits=2,
    )
    bands_db: Half = quantity(
        "dB",
        label="Spectrum of the backing",
        source=f"{_BARS}, third-octaves of 100 Hz to 8 kHz, against the loudest tenth of the bars",
        help="Shape (bars, bands).",
        low=-120,
    )
    levels_db: Half = quantity(
        "dB",
        label="Level of the backing",
        source=f"{_BARS}, K-weighted, against the loudest tenth of the bars",
        help="How loud each bar is for this track.",
        low=FLOOR_DB,
    )
    voice_pitches: Half = quantity(
        "",
        label="Pitch classes of the voice",
        source="as those of the backing, of the vocal stem",
        help="Shape (bars, steps, 12); empty without stems.",
        low=0,
        high=1,
        digits=2,
    )
    voice_accents: Half = quantity(
        "",
        label="Accents of the voice",
        source="onset strength by sixteenth, above 160 Hz",
        help="Shape (bars, sixteenths); empty without stems.",
        low=0,
        high=1,
        digits=2,
    )
    voice_bands_db: Half = quantity(
        "dB",
        label="Spectrum of the voice",
        source="as that of the backing, of the vocal stem",
        help="Shape (bars, bands); empty without stems.",
        low=-120,
    )
    voice_levels_db: Half = quantity(
        "dB",
        label="Level of the voice",
        source="as that of the backing, of the vocal stem",
        help="How loud each bar is sung; empty without stems.",
        low=FLOOR_DB,
    )
    sung: Half = quantity(
        "",
        label="Voice in the bars",
        source="the stretches of the voice",
        help="How much of each bar is sung. Empty where nobody could tell.",
        low=0,
        high=1,
        digits=2,
    )


@dataclass(frozen=True)
class Grid:
    """Whole bars.

    Attributes:
        beats_s: beats of `bars` bars and the one behind, shape `(bars · metre + 1,)`.
        metre: beats a bar.
    """

    beats_s: Vector
    metre: int

    @property
    def bars(self) -> int:
        """How many there are."""
        return (self.beats_s.size - 1) // self.metre

    def divided(self, parts: int) -> Vector:
        """Edges of so many equal parts of each beat."""
        numbers = np.arange((self.beats_s.size - 1) * parts + 1) / parts
        return np.interp(numbers, np.arange(self.beats_s.size), self.beats_s)

    def steps(self) -> Vector:
        """Edges of half bars; of beats, where a bar has an odd number of them."""
        return self.beats_s if self.metre % 2 else self.beats_s[:: self.metre // 2]


@dataclass(frozen=True)
class Sound:
    """What is heard of one layer."""

    chroma: Chroma
    onsets: Onsets
    bands: Bands


@dataclass(frozen=True)
class _Bars:
    """A layer, bar by bar; see `Phrases`; accents of all three registers."""

    pitches: Half
    accents: Half
    bands_db: Half
    levels_db: Half


@analyser(version=1)
def phrases(
    chroma: Chroma,
    onsets: Onsets,
    bands: Bands,
    beats: Beats,
    stems: Stems | None = None,
    separated: Separated | None = None,
    vocals: Vocals | None = None,
) -> Phrases:
    """Cut the track into bars and phrases, and describe each bar of the voice and of the backing.

    Source: Davies, Hamel, Yoshii & Goto, "AutoMashUpper", IEEE/ACM TASLP 22 (2014): beat-synchronous pitch classes,
    accents within the bar and band levels, phrase by phrase.
    """
    grid = bar_grid(beats, chroma.duration_s)
    if grid is None:
        return _none()
    mix = Sound(chroma, onsets, bands)
    voice, backing = _apart(stems, separated, vocals) or (None, mix)
    return described(grid, backing, voice, _sung(vocals, grid.beats_s[:: grid.metre]))


def described(grid: Grid, backing: Sound, voice: Sound | None, sung: Vector) -> Phrases:
    """Describe each bar of a grid.

    Args:
        grid: of both layers.
        backing: the mix, where there is no voice apart.
        voice: the voice alone.
        sung: how much of each bar is sung, shape `(bars,)`; empty where nobody can tell.
    """
    spans, edges = phrase_spans(grid.bars), grid.beats_s[:: grid.metre]
    of_backing = _by_bar(backing, grid)
    of_voice = _Bars(*[np.empty(0, np.float16)] * 4) if voice is None else _by_bar(voice, grid)
    accents = of_voice.accents
    if accents.size:  # a voice has no low register: what is there is the kick's
        accents = _in_steps(np.sqrt(np.mean(np.square(accents[:, 1:], dtype=np.float64), axis=1)))
    return Phrases(
        heard_in=MIX if voice is None else STEMS,
        beats_a_bar=grid.metre,
        phrase_bars=int(spans[0, 1] - spans[0, 0]),
        intervals_s=edges[spans],
        energy_db=_decibels(_mean_db(of_backing.levels_db, spans)),
        voice_share=_in_steps(np.array([sung[a:b].mean() for a, b in spans])) if sung.size else np.empty(0, np.float16),
        bars_s=edges,
        pitches=of_backing.pitches,
        accents=of_backing.accents,
        bands_db=of_backing.bands_db,
        levels_db=of_backing.levels_db,
        voice_pitches=of_voice.pitches,
        voice_accents=accents,
        voice_bands_db=of_voice.bands_db,
        voice_levels_db=of_voice.levels_db,
        sung=_in_steps(sung),
    )


def _none() -> Phrases:
    """No bars."""
    times = np.empty(0)
    half = np.empty(0, np.float16)
    return Phrases(None, None, None, np.empty((0, 2)), half, half, times, *[half] * 9)


def bar_grid(beats: Beats, duration_s: float) -> Grid | None:
    """The whole bars of a track, from the first downbeat; None where there are fewer than four.

    Args:
        beats: without downbeats, bars of four are counted from the first beat.
        duration_s: the last bar may end with the sound, a beat behind the last one.
    """
    times = np.asarray(beats.beats_s, np.float64)
    if times.size < SHORT * 2:
        return None
    metre = beats.metre if beats.metre and beats.downbeats_s.size else COMMON_METRE
    first = int(np.argmin(np.abs(times - beats.downbeats_s[0]))) if beats.downbeats_s.size else 0
    behind = 2 * times[-1] - times[-2]
    if behind <= duration_s:
        times = np.append(times, behind)
    bars = (times.size - 1 - first) // metre
    if bars < SHORT or not np.all(np.diff(times) > 0):
        return None
    return Grid(times[first : first + bars * metre + 1], metre)


def phrase_spans(bars: int) -> NDArray[np.int64]:
    """First bar of each phrase and the one behind it, shape `(n, 2)`; `bars` is four or more."""
    length = LONG if bars >= LONG else SHORT
    starts = list(range(0, bars - length + 1, length))
    if bars - (starts[-1] + length) >= SHORT:
        starts.append(bars - length)
    return np.array([(start, start + length) for start in starts], np.int64)


def _apart(stems: Stems | None, separated: Separated | None, vocals: Vocals | None) -> tuple[Sound, Sound] | None:
    """The voice and the rest; None without stems, or without a voice in them."""
    if stems is None or separated is None or VOICE not in stems.names or not stems.present[stems.names.index(VOICE)]:
        return None
    if vocals is not None and vocals.present is False:
        return None
    voice = separated.mono(VOICE)
    others = [sound for name in stems.names if name != VOICE and (sound := separated.mono(name)) is not None]
    if voice is None or not voice.size or not others:
        return None
    return hear(voice), hear(np.sum(others, axis=0, dtype=np.float32))


def hear(samples: Curve) -> Sound:
    """Listen to mono sound at 22.05 kHz."""
    folded = Mono(samples, SAMPLE_RATE_HZ, samples.size / SAMPLE_RATE_HZ)
    return Sound(chroma(folded), onsets(mel(folded)), bands(from_samples(samples[None], SAMPLE_RATE_HZ)))


def _by_bar(sound: Sound, grid: Grid) -> _Bars:
    """Describe each bar."""
    bars = grid.bars
    pitches = means(sound.chroma.values, sound.chroma.frame_rate, grid.steps())
    sixteenths = grid.divided(A_BEAT)
    early = EARLY * np.diff(sixteenths, append=2 * sixteenths[-1] - sixteenths[-2])
    registers = sound.onsets.registers
    three = np.stack([registers[part].sum(axis=0) for part in (LOW, MIDDLE, HIGH)], axis=1)
    accents = np.sqrt(means(three, sound.onsets.frame_rate, sixteenths - early))
    accents = np.divide(accents, accents.max(axis=0), out=np.zeros_like(accents), where=accents.max(axis=0) > 0)
    centres = sound.bands.centres_hz
    power = means(sound.bands.band_left + sound.bands.band_right, sound.bands.frame_rate, grid.beats_s[:: grid.metre])
    weighted = power @ _k_gains(centres)
    loud = max(float(np.percentile(weighted, LOUD_PERCENTILE)), 1e-12)
    kept = power[:, (centres > LOWEST_HZ) & (centres < HIGHEST_HZ)]
    return _Bars(
        pitches=_in_steps(np.sqrt(pitches)).reshape(bars, -1, 12),
        accents=_in_steps(accents).reshape(bars, -1, 3).transpose(0, 2, 1),
        bands_db=_decibels(np.clip(10 * np.log10(np.maximum(kept, 1e-20) / loud), -120.0, 120.0)),
        levels_db=_decibels(np.clip(10 * np.log10(np.maximum(weighted, 1e-20) / loud), FLOOR_DB, 120.0)),
    )


def means(values: NDArray[np.floating], rate: float, edges_s: Vector) -> Vector:
    """Mean of the frames between each two edges, shape `(edges − 1, columns)`.

    Where edges are so near that no frame lies between, it is the next one; behind the last frame is silence.

    Args:
        values: shape `(frames, columns)`; frame n stands for n / rate seconds.
        rate: frames a second.
        edges_s: rising.
    """
    if not len(values):
        return np.zeros((edges_s.size - 1, values.shape[1]))
    sums = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, dtype=np.float64, out=sums[1:])
    at = np.rint(edges_s * rate).astype(np.int64)
    first = np.clip(at[:-1], 0, len(values) - 1)
    last = np.clip(at[1:], first + 1, len(values))
    found: Vector = np.maximum(0.0, sums[last] - sums[first]) / (last - first)[:, None]
    found[at[:-1] >= len(values)] = 0.0
    return found


def _k_gains(centres_hz: Vector) -> Vector:
    """Power gain of K-weighting at each centre."""
    b0, b1, b2, a1, a2, c1, c2 = k_weighting(48_000)
    z = np.exp(-2j * np.pi * np.minimum(centres_hz, 20_000) / 48_000)
    shelf = (b0 + b1 * z + b2 * z * z) / (1 + a1 * z + a2 * z * z)
    return np.asarray(np.abs(shelf * (1 - z) ** 2 / (1 + c1 * z + c2 * z * z)) ** 2, np.float64)


def _mean_db(levels_db: Half, spans: NDArray[np.int64]) -> Vector:
    """Mean power of some bars, in dB."""
    power = 10 ** (levels_db.astype(np.float64) / 10)
    return np.array([10 * np.log10(power[a:b].mean()) for a, b in spans])


def _sung(vocals: Vocals | None, edges_s: Vector) -> Vector:
    """How much of each bar is sung; empty where nobody can tell."""
    if vocals is None or vocals.present is None:
        return np.empty(0)
    starts, ends = edges_s[:-1, None], edges_s[1:, None]
    spans = np.asarray(vocals.intervals_s, np.float64).reshape(-1, 2)
    inside = np.maximum(0.0, np.minimum(ends, spans[:, 1]) - np.maximum(starts, spans[:, 0])).sum(axis=1)
    return np.asarray(np.minimum(1.0, inside / (edges_s[1:] - edges_s[:-1])), np.float64)


def _in_steps(values: NDArray[np.floating]) -> Half:
    """Values of 0 to 1, rounded to a 64th, which half precision and six decimals both hold exactly."""
    return np.asarray(np.rint(np.clip(values, 0.0, 1.0) * STEPS) / STEPS, np.float16)


def _decibels(values: Vector) -> Half:
    """Levels to half a decibel."""
    return (np.rint(2 * values) / 2).astype(np.float16)
