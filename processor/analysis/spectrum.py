"""The long-term spectrum: tonal balance, brightness, how far up there is sound, and whether a lossy coder cut it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from processor.analysis.bands import (
    BAND_NAMES,
    LOWEST_HZ,
    SIX_BANDS_HZ,
    Bands,
    band_powers,
    heard_powers,
    six_band_powers,
)
from processor.audio import Audio
from processor.graph import analyser
from processor.quantities import columns, quantity

Vector = NDArray[np.float64]

HIGHEST_HZ = 20_000.0
# Where popular music falls in a straight line (Elowsson and Friberg 2017).
TILT_HZ = (100.0, 4000.0)
# A slope needs sound in most third-octaves of that range; a tone has none. The limit is the range of 16 bit.
TILT_FLOOR_DB = -65.0
TILT_SHARE = 0.75
# Content is what lies less than this under the strongest part: 16 bit ends some 5 dB below.
CONTENT_DB = -80.0
SMOOTHING_HZ = 200.0

# The low-pass of a lossy coder falls by more than this within 800 Hz, and all that follows is as low. Measured on 24
# pieces: found in 331 of 336 codings that have one (MP3 at 96 to 320 kbit/s, AAC to 192, Opus, Vorbis to quality 4);
# AAC at 256 and Vorbis from quality 6 have none. Found in 1 of 96 that were not coded so: full range, rolled off with
# 24 and 48 dB an octave, resampled from 44.1 to 48 kHz.
WALL_DB = 22.0
SURE_WALL_DB = 30.0
WALLS_HZ = (9000.0, 20_700.0)  # above are the anti-alias filters of converters at 44.1 kHz
WALL_EDGE_HZ = 200.0  # a fall at the lower end of the search began below it
FULL_HZ = 19_500.0  # treble that ends by itself below this has nothing that a coder could have cut
# Resampling from these rates leaves such walls as well, at 0.9 to 1 times half the rate.
OTHER_RATES = (22_050, 24_000, 32_000)
RESAMPLED = (0.9, 1.005)
LOSSY_RATE = 32_000  # under this rate there is no room for a wall
LOSSY_SHORTEST_S = 3.0
# Coders save on the side channel first: groups of its bins fall silent from frame to frame. Shares of such holes.
HOLE_FRAME, HOLE_FRAMES, HOLE_BINS, HOLE_DB = 512, 400, 8, 20.0
HOLES_HZ = (9000.0, 15_000.0)
MANY_HOLES = 0.06
SURE_CONFIDENCE, WALL_CONFIDENCE, HOLES_CONFIDENCE = 0.97, 0.8, 0.9

_FULL_SCALE = "10 lg of mean power, both channels averaged, full scale 1.0 (a full-scale sine reads −3.01)"
_TILT = "A. Elowsson and A. Friberg, AES 142 (2017): power density, least squares over log frequency, 100 Hz to 4 kHz"

_LOSSY = f"a fall of {WALL_DB:g} dB within 800 Hz in the treble, with nothing behind it; holes in the side channel"


def _share(label: str, help: str) -> float | None:
    found: float | None = quantity(
        "%", label=f"Share of {label}", source="power, of that in MixScope's six bands", help=help, low=0, high=100
    )
    return found


def _level(label: str) -> float | None:
    found: float | None = quantity("dB", label=f"Level of {label}", source=_FULL_SCALE, help=f"Average of {label}.")
    return found


@dataclass(frozen=True)
class Spectrum:
    """Averages over the whole track; None in silence, and where the sample rate does not reach."""

    sub_share: float | None = _share("sub, 20–60 Hz", "Felt more than heard. A few percent, more in club music.")
    bass_share: float | None = _share("bass, 60–250 Hz", "Kick and bass: a third to a half of most pop.")
    low_mids_share: float | None = _share("low mids, 250–500 Hz", "Body and warmth; too much of it sounds like mud.")
    mids_share: float | None = _share("mids, 500 Hz–2 kHz", "Voices and most instruments.")
    high_mids_share: float | None = _share("high mids, 2–6 kHz", "Attack and presence: a few percent sound loud here.")
    air_share: float | None = _share("air, 6–20 kHz", "Cymbals, breath and gloss: about one percent in most pop.")
    sub_db: float | None = _level("sub, 20–60 Hz")
    bass_db: float | None = _level("bass, 60–250 Hz")
    low_mids_db: float | None = _level("low mids, 250–500 Hz")
    mids_db: float | None = _level("mids, 500 Hz–2 kHz")
    high_mids_db: float | None = _level("high mids, 2–6 kHz")
    air_db: float | None = _level("air, 6–20 kHz")
    tilt_db_per_octave: float | None = quantity(
        "dB/oct",
        label="Spectral tilt",
        source=_TILT,
        help="How fast the spectrum falls. Pink noise has −3, hit records about −4.5; lower is darker. Third-octaves "
        "read 3 flatter.",
    )
    centroid_hz: float | None = quantity(
        "Hz",
        label="Spectral centroid",
        source="G. Peeters et al., JASA 130 (2011): mean frequency, weighted by the average spectrum's amplitude",
        help="Centre of the spectrum, a measure of brightness.",
        low=0,
        digits=0,
    )
    rolloff_85_hz: float | None = quantity(
        "Hz",
        label="Roll-off, 85 %",
        source="G. Peeters et al., JASA 130 (2011), on power",
        help="85 % of the power lies below this frequency.",
        low=0,
        digits=0,
    )
    rolloff_95_hz: float | None = quantity(
        "Hz",
        label="Roll-off, 95 %",
        source="G. Peeters et al., JASA 130 (2011), on power",
        help="95 % of the power lies below this frequency.",
        low=0,
        digits=0,
    )
    flatness: float | None = quantity(
        "",
        label="Spectral flatness",
        source="J. D. Johnston, IEEE JSAC 6 (1988): geometric over arithmetic mean of average power, 20 Hz to 20 kHz",
        help="1 is white noise, near 0 is tones. Music has less than 0.05.",
        low=0,
        high=1,
        digits=4,
    )
    bandwidth_hz: float | None = quantity(
        "Hz",
        label="Bandwidth",
        source=f"highest {SMOOTHING_HZ:g} Hz within {-CONTENT_DB:g} dB of the strongest",
        help="Above this there is nothing but noise floor.",
        low=0,
        digits=0,
    )
    looks_lossy: bool | None = quantity(
        "",
        label="Looks lossy-coded",
        source=_LOSSY,
        help="Whether the sound went through MP3, AAC, Vorbis or Opus, whatever the file is now. Coding at high rates "
        "leaves no trace that is looked for here, so a no is no proof; empty where there is no treble to judge by.",
    )
    lossy_cutoff_hz: float | None = quantity(
        "Hz",
        label="Lossy cut-off",
        source=_LOSSY,
        help="Where a coder cut the treble off: about 16 kHz at 128 kbit/s, 19 at 192, 20 at 320.",
        low=0,
        digits=0,
    )
    lossy_confidence: float | None = quantity(
        "",
        label="Confidence of a lossy look",
        source="share of right answers among those given, measured on codings of one's own making",
        help="How sure it is that the sound went through a lossy coder, where it looks so.",
        low=0,
        high=1,
        digits=2,
    )
    lossy_evidence: str | None = quantity(
        "", label="Evidence for it", source=_LOSSY, help="What was found in the treble, in words."
    )
    third_octaves_db: NDArray[np.float64] = quantity(
        "dB",
        label="Third-octave levels",
        source=f"IEC 61260-1:2014; {_FULL_SCALE}",
        help="Average level of each third-octave. Pink noise is flat here. Gaps are bands without any sound.",
    )
    centres_hz: NDArray[np.float64] = quantity(
        "Hz",
        label="Third-octave centres",
        source="IEC 61260-1:2014, base ten",
        help="Exact centre of each third-octave.",
    )


@analyser(version=1)
def spectrum(audio: Audio, bands: Bands) -> Spectrum:
    """Measure the long-term average spectrum.

    Source: the rules that each field's declaration names.
    """
    power = (bands.left + bands.right) / 2
    fields: dict[str, Any] = {column.name: None for column in columns(Spectrum)}
    fields["centres_hz"] = bands.centres_hz
    fields["third_octaves_db"] = np.full(bands.centres_hz.size, np.nan)
    if sum(heard_powers(bands)[:2]) > 0:
        thirds = band_powers(power, bands.centres_hz * 10**-0.05, bands.centres_hz * 10**0.05, bands.bin_hz)
        fields["third_octaves_db"] = _db_curve(thirds)
        fields |= _six(bands)
        fields |= _shape(power, bands.bin_hz)
        fields["tilt_db_per_octave"] = _tilt(thirds, bands.centres_hz)
        fields["bandwidth_hz"] = _bandwidth(power, bands.bin_hz)
        fields |= _lossy(audio, power, bands.bin_hz)
    return Spectrum(**fields)


def _six(bands: Bands) -> dict[str, float | None]:
    """Share and level of the six bands; None for a band of which half lies above half the sample rate."""
    left, right, _ = six_band_powers(bands)
    powers = (left + right) / 2
    nyquist = bands.bin_hz * (bands.left.size - 1)
    found: dict[str, float | None] = {}
    for name, power, low, high in zip(BAND_NAMES, powers, SIX_BANDS_HZ, SIX_BANDS_HZ[1:], strict=False):
        exists = nyquist >= (low + high) / 2
        found[f"{name}_share"] = float(100 * power / powers.sum()) if exists and powers.sum() > 0 else None
        found[f"{name}_db"] = float(10 * np.log10(power)) if exists and power > 0 else None
    return found


def _shape(power: Vector, bin_hz: float) -> dict[str, float]:
    """Centroid, roll-off and flatness from 20 Hz to 20 kHz."""
    hz = np.arange(power.size) * bin_hz
    heard = (hz >= LOWEST_HZ) & (hz <= HIGHEST_HZ)
    hz, part = hz[heard], power[heard]
    if part.sum() <= 0:
        return {}
    amplitude = np.sqrt(part)
    sums = np.cumsum(part)
    rolloff = [float(hz[np.searchsorted(sums, share * sums[-1])]) for share in (0.85, 0.95)]
    return {
        "centroid_hz": float(hz @ amplitude / amplitude.sum()),
        "rolloff_85_hz": rolloff[0],
        "rolloff_95_hz": rolloff[1],
        "flatness": min(1.0, float(np.exp(np.log(np.maximum(part, 1e-300)).mean()) / part.mean())),
    }


def _tilt(thirds: Vector, centres_hz: Vector) -> float | None:
    """Slope of the power density in dB an octave; None where too few third-octaves sound."""
    inside = (centres_hz > TILT_HZ[0] * 0.99) & (centres_hz < TILT_HZ[1] * 1.01)
    sounds = inside & (thirds > thirds.max(initial=0.0) * 10 ** (TILT_FLOOR_DB / 10))
    expected = 10 * np.log10(TILT_HZ[1] / TILT_HZ[0]) + 1
    if sounds.sum() < TILT_SHARE * expected:
        return None
    density_db = 10 * np.log10(thirds[sounds] / centres_hz[sounds])
    return float(np.polyfit(np.log2(centres_hz[sounds]), density_db, 1)[0])


def smoothed(power: Vector, bin_hz: float) -> Vector:
    """Mean power of SMOOTHING_HZ around each bin, from 20 Hz upwards."""
    reach = max(1, round(SMOOTHING_HZ / 2 / bin_hz))
    sums = np.concatenate([[0.0], np.cumsum(power)])
    at = np.arange(power.size)
    low, high = np.maximum(at - reach, round(LOWEST_HZ / bin_hz)), np.minimum(at + reach + 1, power.size)
    return np.asarray((sums[high] - sums[np.minimum(low, high)]) / np.maximum(1, high - low))


def _bandwidth(power: Vector, bin_hz: float) -> float:
    """Highest frequency that is not far below the strongest."""
    level = smoothed(power, bin_hz)
    return float(np.flatnonzero(level >= level.max() * 10 ** (CONTENT_DB / 10))[-1] * bin_hz)


def _db_curve(powers: Vector) -> Vector:
    curve = np.full(powers.shape, np.nan)
    curve[powers > 0] = 10 * np.log10(powers[powers > 0])
    return curve


def _lossy(audio: Audio, power: Vector, bin_hz: float) -> dict[str, Any]:
    """Whether a lossy coder cut the treble off; all None where it cannot be told."""
    unknown = dict.fromkeys(("looks_lossy", "lossy_cutoff_hz", "lossy_confidence", "lossy_evidence"))
    if audio.sample_rate < LOSSY_RATE or audio.duration_s < LOSSY_SHORTEST_S:
        return unknown
    cutoff_hz, fall_db = wall(power, bin_hz)
    said = f"the treble falls by {fall_db:.0f} dB at {cutoff_hz / 1000:.1f} kHz"
    if fall_db < WALL_DB:
        is_full = _bandwidth(power, bin_hz) >= FULL_HZ
        return unknown | {"looks_lossy": False, "lossy_evidence": "no wall in the treble"} if is_full else unknown
    if cutoff_hz < WALLS_HZ[0] + WALL_EDGE_HZ:
        return unknown
    if not any(RESAMPLED[0] * rate / 2 <= cutoff_hz <= RESAMPLED[1] * rate / 2 for rate in OTHER_RATES):
        confidence = SURE_CONFIDENCE if fall_db >= SURE_WALL_DB else WALL_CONFIDENCE
        return {
            "looks_lossy": True,
            "lossy_cutoff_hz": cutoff_hz,
            "lossy_confidence": confidence,
            "lossy_evidence": said,
        }
    share = _hole_share(audio)
    if share is None or share < MANY_HOLES:
        return unknown | {"lossy_evidence": f"{said}: a lossy coder, or a lower sample rate"}
    said += f", and {100 * share:.0f} % of the side channel below is holes"
    return {
        "looks_lossy": True,
        "lossy_cutoff_hz": cutoff_hz,
        "lossy_confidence": HOLES_CONFIDENCE,
        "lossy_evidence": said,
    }


def wall(power: Vector, bin_hz: float) -> tuple[float, float]:
    """Where in the treble the spectrum falls most steeply without coming back, in Hz, and by how many dB."""
    sums = np.concatenate([[0.0], np.cumsum(power)])

    def mean(low_hz: Vector, high_hz: Vector) -> Vector:
        low, high = (np.clip(np.round(hz / bin_hz), 0, power.size).astype(np.int64) for hz in (low_hz, high_hz))
        return np.asarray((sums[high] - sums[low]) / np.maximum(1, high - low))

    at = np.arange(WALLS_HZ[0], min(WALLS_HZ[1], (power.size - 1) * bin_hz - 900), bin_hz)
    # The least of three stretches below, so that a lone tone is no wall.
    below = np.min([mean(at - 500, at - 150), mean(at - 1000, at - 500), mean(at - 1500, at - 1000)], axis=0)
    above = mean(at + 300, at + 800)
    # The highest 200 Hz anywhere behind.
    grid = np.arange(WALLS_HZ[0] + 300, (power.size - 1) * bin_hz - 200, 200.0)
    highest = np.maximum.accumulate(mean(grid, grid + 200)[::-1])[::-1]
    behind = highest[np.minimum(np.searchsorted(grid, at + 300), grid.size - 1)]
    fall = 10 * np.log10((below + 1e-30) / (np.maximum(above, behind) + 1e-30))
    best = int(np.argmax(fall))
    return float(at[best]), float(fall[best])


def _hole_share(audio: Audio) -> float | None:
    """Share of the side channel's treble that falls silent; None without a side, or where it is streamed."""
    if audio.channels != 2 or audio.source.streamed:
        return None
    starts = np.linspace(0, audio.frames - HOLE_FRAME, HOLE_FRAMES).astype(np.int64)
    window = np.hanning(HOLE_FRAME + 1)[:-1].astype(np.float32)
    pieces = audio.samples[:, starts[:, None] + np.arange(HOLE_FRAME)]
    power = np.abs(scipy.fft.rfft((pieces[0] - pieces[1]) * window, axis=1, workers=1)) ** 2
    first, last = (round(hz / audio.sample_rate * HOLE_FRAME) for hz in HOLES_HZ)
    groups = (last - first) // HOLE_BINS
    level = power[:, first : first + groups * HOLE_BINS].reshape(HOLE_FRAMES, groups, HOLE_BINS).mean(axis=2)
    usual = np.median(level, axis=1, keepdims=True)
    sounding = usual[:, 0] > 0
    return float((level < usual * 10 ** (-HOLE_DB / 10))[sounding].mean()) if sounding.any() else None
