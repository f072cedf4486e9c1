"""The fundamental frequency of the voice, as a model follows it: of the vocal stem where there is one, else of the mix.

A mix has no single pitch: there the tracker follows whatever is loudest. So the harmonic share says how much of the
sound belongs to the pitch that was found: most of it where one voice sounds alone, little in a mix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from processor.analysis._voice import Voice, voice
from processor.analysis.stems import Stems
from processor.audio import Audio
from processor.graph import analyser
from processor.models.pitch import PitchTracker, follow
from processor.quantities import quantity
from processor.sidecars import Sidecars

Row = NDArray[np.float32]

# Confidence from which a frame is voiced, in the scale of every tracker.
VOICED = 0.5
# The loudest sample is brought here, for trackers take frames under 0.001 for silence; under this one all is silence.
PEAK, SILENT_PEAK = 0.9, 1e-4
# Shorter stretches of voice, and shorter gaps in one, are slips of the tracker.
SHORTEST_S = 0.048
# The harmonic share: windows of 128 ms (16 Hz to the first zero of a Hann window), each fourth frame, up to where a
# vibrato of half a semitone moves a harmonic by no more than it may stray from its place.
WINDOW_S, EACH, TOP_HZ = 0.128, 4, 2500.0
STRAY_HZ, STRAY_SHARE = 16.0, 0.03

_TRACKER = "SwiftF0 (swift-f0) or CREPE (Kim et al. 2018)"


@dataclass(frozen=True)
class Pitch:
    """The pitch of a voice over time; None where there is nothing voiced."""

    model: str = quantity(
        "", label="Pitch tracker", source="linernotes models list", help="The model that followed the pitch."
    )
    heard_in: str = quantity(
        "",
        label="Pitch heard in",
        source="`vocals` where that stem is really there, else `mix`",
        help="The sound that the pitch is of. In a mix it follows whatever is loudest.",
    )
    voiced_share: float | None = quantity(
        "",
        label="Voiced share",
        source=f"{_TRACKER}: share of frames with a confidence of {VOICED:g} or more",
        help="Share of the time in which a pitch can be heard. Empty for silence.",
        low=0,
        high=1,
        digits=2,
    )
    median_hz: float | None = quantity(
        "Hz",
        label="Median pitch",
        source=f"{_TRACKER}: median of voiced frames",
        help="Half of the voiced time lies above it.",
        low=20,
        high=3000,
    )
    pitch_confidence: float | None = quantity(
        "",
        label="Sureness of the pitch",
        source=f"{_TRACKER}: mean confidence of voiced frames",
        help="How sure the tracker is where it hears a pitch.",
        low=0,
        high=1,
        digits=2,
    )
    harmonic_share: float | None = quantity(
        "",
        label="Share of the sound that has this pitch",
        source=f"energy within {STRAY_SHARE:.0%} of the pitch's harmonics up to {TOP_HZ:g} Hz; median of voiced frames",
        help="Near 1 where one voice sounds alone; low where others sound with it, and the pitch is of only one.",
        low=0,
        high=1,
        digits=2,
    )
    hop_s: float = quantity(
        "s", label="Step of the pitch curve", source=_TRACKER, help="From one value to the next.", low=0, digits=3
    )
    f0_hz: NDArray[np.float32] = quantity(
        "Hz",
        label="Pitch curve",
        source=_TRACKER,
        help="Fundamental frequency at each step, the first at 0 s; no number where nothing is voiced.",
        low=20,
        high=3000,
    )
    voicing: NDArray[np.float32] = quantity(
        "",
        label="Voicing curve",
        source=_TRACKER,
        help=f"How sure the tracker is of a pitch at each step; voiced from {VOICED:g} on.",
        low=0,
        high=1,
        digits=2,
    )


@analyser(version=1, model="pitch_tracker")
def pitch(
    audio: Audio,
    pitch_tracker: PitchTracker,
    sidecars: Sidecars,
    progress: Callable[[float], None],
    stems: Stems | None = None,
) -> Pitch:
    """Follow the pitch through the whole sound, 20 s at a time.

    Source: swift-f0, or Kim et al., "CREPE: A convolutional representation for pitch estimation", ICASSP 2018.
    """
    heard = voice(audio, stems, sidecars)
    f0_hz, voicing, shares = _follow(pitch_tracker, heard, progress)
    hop_s = pitch_tracker.hop / pitch_tracker.sample_rate
    voiced = _steady(voicing >= VOICED, max(1, round(SHORTEST_S / hop_s)))
    is_any = bool(voiced.any())
    return Pitch(
        model=pitch_tracker.name,
        heard_in=heard.heard_in,
        voiced_share=float(voiced.mean()) if is_any else None,
        median_hz=float(np.median(f0_hz[voiced])) if is_any else None,
        pitch_confidence=float(voicing[voiced].mean()) if is_any else None,
        harmonic_share=float(np.median(shares)) if shares.size else None,
        hop_s=hop_s,
        f0_hz=np.where(voiced, f0_hz, np.nan).astype(np.float32),
        voicing=voicing,
    )


def _follow(tracker: PitchTracker, heard: Voice, progress: Callable[[float], None]) -> tuple[Row, Row, Row]:
    """Pitch and confidence of each frame, and the harmonic share of some voiced ones."""
    peak = heard.peak()
    if peak < SILENT_PEAK:
        return np.zeros(0, np.float32), np.zeros(0, np.float32), np.zeros(0, np.float32)
    gain = np.float32(PEAK / peak)
    loud = (piece * gain for piece in heard.mono(tracker.sample_rate))
    f0_hz, voicing, shares = [], [], []
    done_s = 0.0
    for samples, hz, confidence in follow(tracker, _noting(loud)):
        f0_hz.append(hz)
        voicing.append(confidence)
        shares.append(_harmonic_shares(samples, hz, confidence, tracker))
        done_s += samples.size / tracker.sample_rate
        progress(min(1.0, done_s / heard.duration_s))
    return np.concatenate(f0_hz), np.concatenate(voicing), np.concatenate(shares)


def _noting(blocks: Iterator[Row]) -> Iterator[Row]:
    """The same blocks; at least one sample, for a resampler may leave none of a very short sound."""
    is_empty = True
    for block in blocks:
        is_empty = is_empty and block.size == 0
        yield block
    if is_empty:
        yield np.zeros(1, np.float32)


def _harmonic_shares(samples: Row, f0_hz: Row, confidence: Row, tracker: PitchTracker) -> Row:
    """Share of the energy that lies at harmonics of the pitch, of each fourth frame if it is voiced."""
    size = int(WINDOW_S * tracker.sample_rate)
    frames = np.arange(0, f0_hz.size, EACH)
    starts = frames * tracker.hop - size // 2
    usable = (confidence[frames] >= VOICED) & (starts >= 0) & (starts + size <= samples.size)
    frames, starts = frames[usable], starts[usable]
    if frames.size == 0:
        return np.zeros(0, np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(samples, size)[starts]
    power = np.abs(scipy.fft.rfft(windows * np.hanning(size).astype(np.float32), axis=1)) ** 2
    hz = np.arange(power.shape[1]) * (tracker.sample_rate / size)
    power = power[:, hz <= TOP_HZ]
    number = np.maximum(1.0, np.round(hz[hz <= TOP_HZ] / f0_hz[frames, None]))
    away = np.abs(hz[hz <= TOP_HZ] - number * f0_hz[frames, None])
    is_near = away <= np.maximum(STRAY_HZ, STRAY_SHARE * number * f0_hz[frames, None])
    return np.asarray((power * is_near).sum(axis=1) / np.maximum(power.sum(axis=1), 1e-12), np.float32)


def _steady(voiced: NDArray[np.bool_], shortest: int) -> NDArray[np.bool_]:
    """Without stretches that are too short to be a voice."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], voiced.astype(np.int8), [0]]))).reshape(-1, 2)
    kept = np.zeros(voiced.size, np.bool_)
    for start, end in edges[edges[:, 1] - edges[:, 0] >= shortest]:
        kept[start:end] = True
    return kept
