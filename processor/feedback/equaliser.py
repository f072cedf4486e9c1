"""An equaliser: bands with exact responses, applied by Pedalboard's filters, and a file to hear what they do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from processor.analysis.loudness import GATING_HOP, MOMENTARY, Meter, integrated_lufs
from processor.audio import Audio
from processor.errors import LinerNotesError
from processor.feedback.advice import Step, signed
from processor.files import replacing
from processor.quantities import quantity

Vector = NDArray[np.float64]
Samples = NDArray[np.float32]
Spectra = NDArray[np.complex128]
Coefficients = tuple[float, float, float]

LOW_SHELF, BELL, HIGH_SHELF = "low shelf", "bell", "high shelf"
POINTS = 3  # of the response within a third-octave
CHUNK_S = 10
# What streaming services ask for (FACTS of delivery): true peak of the audition.
CEILING_DBTP = -1.0
# FLAC as libsndfile writes it.
MOST_CHANNELS, MOST_RATE_HZ = 8, 655_350


@dataclass(frozen=True)
class Band:
    """One band of the equaliser.

    Attributes:
        kind: "low shelf", "bell" or "high shelf".
        frequency_hz: centre of a bell, middle of a shelf's slope.
        gain_db: negative to cut.
        q: quality factor.
    """

    kind: str
    frequency_hz: float
    gain_db: float
    q: float

    @property
    def text(self) -> str:
        """As one dials it in: "bell, 300 Hz, −3.5 dB, Q 1.0"."""
        return Step(self.kind, self.gain_db, self.frequency_hz, self.q).text


@dataclass(frozen=True)
class Audition:
    """The mix as it would sound, as a file beside the comparison."""

    file: str = quantity("", label="File", source="made here", help="Its name in the comparison's folder.")
    gain_db: float = quantity(
        "dB", label="Gain", source="behind the equaliser", help="What the equalised mix was turned up (or down) by."
    )
    wanted_gain_db: float = quantity(
        "dB",
        label="Gain to match",
        source="difference of integrated loudness (ITU-R BS.1770-4)",
        help="What it would take to be as loud as the reference.",
    )
    loudness_lufs: float = quantity(
        "LUFS", label="Loudness", source="ITU-R BS.1770-4, annex 1", help="How loud the file is."
    )
    true_peak_dbtp: float = quantity(
        "dBTP",
        label="True peak",
        source="ITU-R BS.1770-4, annex 2",
        help=f"At most {CEILING_DBTP:g}: there is no limiter in the way, it is turned down instead.",
        digits=2,
    )

    @property
    def note(self) -> str:
        """How loud it is and why, in a sentence."""
        if self.wanted_gain_db - self.gain_db < 0.05:
            return "As loud as the reference."
        return (
            f"{self.wanted_gain_db - self.gain_db:.1f} dB quieter than the reference: turned up further, its peaks "
            f"would pass {signed(CEILING_DBTP, 0)} dBTP, and nothing here limits them."
        )


def response_db(found: Sequence[Band], centres_hz: Vector, sample_rate: int) -> Vector:
    """What bands do to the level of each third-octave, shape of `centres_hz`: the mean power within it."""
    return response_at(found, delays(centres_hz, sample_rate), sample_rate)


def delays(centres_hz: Vector, sample_rate: int) -> Spectra:
    """A delay by one sample at POINTS frequencies of each third-octave, shape `(n, POINTS)`."""
    inside = centres_hz[:, None] * 10 ** (0.1 * (np.arange(POINTS) - (POINTS - 1) / 2) / POINTS)
    return np.asarray(np.exp(-2j * np.pi * np.minimum(inside / sample_rate, 0.5)))


def response_at(found: Sequence[Band], delay: Spectra, sample_rate: int) -> Vector:
    """The same at frequencies that `delays` prepared."""
    gain = np.ones_like(delay)
    for band in found:
        (b0, b1, b2), (a0, a1, a2) = coefficients(band, sample_rate)
        gain *= (b0 + delay * (b1 + delay * b2)) / (a0 + delay * (a1 + delay * a2))
    return np.asarray(10 * np.log10((gain.real**2 + gain.imag**2).mean(axis=1)))


def coefficients(band: Band, sample_rate: int) -> tuple[Coefficients, Coefficients]:
    """Coefficients of numerator and denominator, the lowest delay first.

    Source: R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients": peakingEQ, lowShelf and
    highShelf with Q. Pedalboard's filters give the same (tested).
    """
    root = 10 ** (band.gain_db / 40)
    angle = 2 * math.pi * band.frequency_hz / sample_rate
    cosine, alpha = math.cos(angle), math.sin(angle) / (2 * band.q)
    if band.kind == BELL:
        top, bottom = alpha * root, alpha / root
        return (1 + top, -2 * cosine, 1 - top), (1 + bottom, -2 * cosine, 1 - bottom)
    side = 1 if band.kind == LOW_SHELF else -1
    more, less, slope = root + 1, root - 1, 2 * math.sqrt(root) * alpha
    above, below = more - side * less * cosine, more + side * less * cosine
    return (
        (root * (above + slope), 2 * side * root * (less - side * more * cosine), root * (above - slope)),
        (below + slope, -2 * side * (less + side * more * cosine), below - slope),
    )


def equalised(audio: Audio, found: Sequence[Band], gain_db: float = 0.0) -> Audio:
    """The same sound behind the bands, as a stream that is computed anew whenever it is read."""
    return replace(audio, _samples=None, _stream=partial(_processed, audio, tuple(found), gain_db))


def _processed(audio: Audio, found: Sequence[Band], gain_db: float) -> Iterator[Samples]:
    """Blocks of at most CHUNK_S behind Pedalboard's filters, which keep their state from block to block."""
    import pedalboard

    filters = {
        LOW_SHELF: pedalboard.LowShelfFilter,
        BELL: pedalboard.PeakFilter,
        HIGH_SHELF: pedalboard.HighShelfFilter,
    }
    board = pedalboard.Chain(
        [*(filters[one.kind](one.frequency_hz, one.gain_db, one.q) for one in found), pedalboard.Gain(gain_db)]
    )
    step, is_first = CHUNK_S * audio.sample_rate, True
    for block in audio.blocks():
        for start in range(0, block.shape[1], step):
            yield board.process(block[:, start : start + step], audio.sample_rate, reset=is_first)
            is_first = False


def audition(audio: Audio, found: Sequence[Band], target_lufs: float, out: Path) -> Audition:
    """Render a mix behind bands, as loud as its reference, to a FLAC file of 24 bit.

    Where the gain would take the true peak over CEILING_DBTP it is less, and `Audition.note` says so. The file
    appears whole or not at all.

    Args:
        audio: the mix.
        found: the bands.
        target_lufs: integrated loudness of the reference.
        out: the file; its folder is made.

    Raises:
        LinerNotesError: the mix is silent, or FLAC cannot hold it.
        OSError: the file cannot be written.
    """
    if audio.channels > MOST_CHANNELS or audio.sample_rate > MOST_RATE_HZ:
        raise LinerNotesError(f"FLAC cannot hold {audio.channels} channels at {audio.sample_rate} Hz.")
    lufs, peak_dbtp = _loudness(equalised(audio, found))
    if lufs is None or peak_dbtp is None:
        raise LinerNotesError("The mix is silent: no gain makes it as loud as the reference.")
    wanted_db = target_lufs - lufs
    gain_db = min(wanted_db, CEILING_DBTP - peak_dbtp)
    _write(equalised(audio, found, gain_db), out)
    return Audition(out.name, gain_db, wanted_db, lufs + gain_db, peak_dbtp + gain_db)


def _loudness(audio: Audio) -> tuple[float | None, float | None]:
    """Integrated loudness and true peak, as `loudness` measures them."""
    meter = Meter(audio.sample_rate, audio.positions)
    for block in audio.blocks():
        meter.feed(block)
    highest = float(meter.true_peaks().max(initial=0.0))
    lufs = integrated_lufs(meter.window_powers(MOMENTARY)[::GATING_HOP])
    return lufs, 20 * float(np.log10(highest)) if highest > 0 else None


def _write(audio: Audio, out: Path) -> None:
    import soundfile

    with replacing(out) as temporary:
        try:
            with soundfile.SoundFile(
                temporary, "w", audio.sample_rate, audio.channels, subtype="PCM_24", format="FLAC"
            ) as file:
                for block in audio.blocks():
                    file.write(block.T)
        except soundfile.LibsndfileError as error:
            raise OSError(None, str(error), str(out)) from error
