"""True peak after lossy coding: what a streaming service's listeners get is higher than the master's peak.

Only the passages around the highest peaks are coded, for the others cannot become the highest. They are joined, coded
in memory and decoded to floating point, which does not clip.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from processor.analysis.loudness import Loudness, Meter, interpolators, true_peaks_within
from processor.audio import Audio, downmix_matrix
from processor.graph import analyser
from processor.quantities import quantity

Samples = NDArray[np.float32]
Curve = NDArray[np.float64]

# What services code for: Apple Music and Spotify's web player AAC at 256 kbit/s; YouTube Opus at about 128 (its best
# format, 251, allows 160); Spotify Vorbis at 160 ("high"). Source: the services' help pages; formats of YouTube as
# listed by its players (2021). At 128 kbit/s FFmpeg's AAC raises peaks by 0.7 dB more (8 limited pieces).
AAC_BITRATE, OPUS_BITRATE = 256_000, 128_000
VORBIS_QUALITY = 0.5  # libvorbis calls 160 kbit/s quality 5 of 10
# Rates that services stream in. Others are resampled first.
STREAMED_RATES = (44_100, 48_000)
OPUS_RATE = 48_000  # RFC 6716: the rate that full-band Opus works at
# FFmpeg's quick search for AAC's scale factors leaves peaks up to 3 dB higher than its thorough one (measured), and
# noise substitution is a means of low rates, with peaks of its own.
_AAC_OPTIONS = {"aac_coder": "twoloop", "aac_pns": "0"}

# On 5 songs of 2 to 5 minutes, each as it is and limited to −1 dBFS, the peak of 24 such passages is within 0.2 dB on
# average of that of the whole song coded (AAC 0.23, Opus 0.07, Vorbis 0.27), at worst 0.6 below or 0.8 above. Six
# cost a quarter, and of twelve peaks of four songs eleven come out the same within 0.07 dB, one 0.12 dB lower.
PASSAGES = 6
PASSAGE_S = 0.2
# Heard before and behind each passage, so that the coder has its surroundings. With half of it peaks of AAC and Opus
# are off by up to 1.7 dB.
MARGIN_S = 0.1
FADE_S = 0.01
SHORTEST_S = 0.2
# Coders work alike at all levels, but FFmpeg's AAC turns itself down near full scale, and some take no more than it.
# So all is coded with its highest sample here, and the level given back.
LEVEL = 0.4

_SOURCE = "true peak (ITU-R BS.1770-4, annex 2) of the passages around the highest peaks, coded and decoded as"
_AAC = f"AAC-LC at {AAC_BITRATE // 1000} kbit/s (FFmpeg's own coder; the rate of Apple Music)"
_OPUS = f"Opus at {OPUS_BITRATE // 1000} kbit/s (libopus; near YouTube's best)"
_VORBIS = "Vorbis at quality 5, about 160 kbit/s (libvorbis; Spotify's “high”)"


def _peak(name: str, coder: str) -> float | None:
    found: float | None = quantity(
        "dBTP",
        label=f"True peak as {name}",
        source=f"{_SOURCE} {coder}",
        help=f"Highest level that a listener's decoder puts out for {name}: above 0 it clips. The whole piece, coded "
        "by the service's own coder, can come out some tenths higher.",
        digits=2,
    )
    return found


def _rise(name: str, coder: str) -> float | None:
    found: float | None = quantity(
        "dB",
        label=f"Rise of the peak as {name}",
        source=f"{_SOURCE} {coder}, re the same passages before",
        help=f"How much coding as {name} adds to the peak. Dense, loud masters rise most, by 0.5 to 2.",
        digits=2,
    )
    return found


@dataclass(frozen=True)
class Coding:
    """True peaks after lossy coding; None in silence, for less than 0.2 s, and where a coder failed."""

    aac_dbtp: float | None = _peak("AAC", _AAC)
    opus_dbtp: float | None = _peak("Opus", _OPUS)
    vorbis_dbtp: float | None = _peak("Vorbis", _VORBIS)
    aac_rise_db: float | None = _rise("AAC", _AAC)
    opus_rise_db: float | None = _rise("Opus", _OPUS)
    vorbis_rise_db: float | None = _rise("Vorbis", _VORBIS)
    excerpt_s: float | None = quantity(
        "s",
        label="Coded length",
        source=f"up to {PASSAGES} passages of {PASSAGE_S:g} s with {MARGIN_S:g} s around; all of what is as short",
        help="How much of the piece was coded: the passages around its highest peaks.",
        low=0,
    )


@analyser(version=1)
def coding(audio: Audio, loudness: Loudness) -> Coding:
    """Code the passages with the highest peaks as streaming services do, and measure their true peaks.

    More than two channels are folded to stereo before; one becomes two equal ones.

    Source: T. Lund, "Stop counting samples", AES 121 (2006), for peaks that coding raises. AAC: ISO/IEC 14496-3;
    Opus: RFC 6716; Vorbis: Xiph.Org's Vorbis I.
    """
    excerpt = loudest_passages(audio, loudness.true_peaks_dbtp)
    highest = float(np.abs(excerpt).max(initial=0.0))
    if highest <= 0 or excerpt.shape[1] < SHORTEST_S * audio.sample_rate:
        return Coding(None, None, None, None, None, None, None)
    scaled = excerpt * np.float32(LEVEL / highest)
    rate = audio.sample_rate if audio.sample_rate in STREAMED_RATES else STREAMED_RATES[0]
    found = {
        name: _peaks_db(scaled, audio.sample_rate, to_rate, coder)
        for name, to_rate, coder in (
            ("aac", rate, _as_aac),
            ("opus", OPUS_RATE, _as_opus),
            ("vorbis", rate, _as_vorbis),
        )
    }
    gain_db = float(20 * np.log10(highest / LEVEL))
    after = {f"{name}_dbtp": None if peaks is None else round(peaks[1] + gain_db, 2) for name, peaks in found.items()}
    rises = {f"{name}_rise_db": None if p is None else round(p[1] - p[0], 2) for name, p in found.items()}
    return Coding(**after, **rises, excerpt_s=excerpt.shape[1] / audio.sample_rate)


# What is coded


def loudest_passages(audio: Audio, true_peaks_dbtp: Curve) -> Samples:
    """Left and right of the passages with the highest true peaks, joined with fades, shape `(2, n)`.

    The highest passages lie in as many of the highest seconds, so no others are looked into. A file that is hardly
    longer than the passages comes back whole.

    Args:
        audio: any number of channels, also streamed.
        true_peaks_dbtp: true peak of each second.
    """
    fold = downmix_matrix(audio.positions)
    rate = audio.sample_rate
    if audio.duration_s <= PASSAGES * (PASSAGE_S + 2 * MARGIN_S):
        return np.concatenate([np.zeros((2, 0), np.float32), *(fold @ block for block in audio.blocks())], axis=1)
    highest = np.argsort(-np.nan_to_num(true_peaks_dbtp, nan=-np.inf), kind="stable")[:PASSAGES] * rate
    filters, margin = interpolators(rate), round(MARGIN_S * rate)
    found: list[tuple[float, Samples]] = []
    done = 0
    for block in audio.blocks():
        for start in sorted(highest[(highest >= done) & (highest < done + block.shape[1])] - done):
            around = np.zeros((2, rate + 2 * margin), np.float32)
            first, last = max(0, start - margin), min(block.shape[1], start + rate + margin)
            around[:, first - start + margin : last - start + margin] = fold @ block[:, first:last]
            found += _passages(around, filters, rate)
        found = sorted(found, key=lambda one: -one[0])[:PASSAGES]
        done += block.shape[1]
    return np.concatenate([passage for _, passage in found], axis=1)


def _passages(around: Samples, filters: Samples, rate: int) -> list[tuple[float, Samples]]:
    """True peak and samples of each passage of a second with a margin around it."""
    size, margin = round(PASSAGE_S * rate), round(MARGIN_S * rate)
    found = []
    for start in range(margin, around.shape[1] - margin, size):
        # The steps where a passage is cut out are no peaks: the filters see nothing of them.
        peak = np.zeros(1, np.float32)
        for row in around:
            inner = row[start : start + size]
            true_peaks_within(inner, 0, filters, inner.size, peak)
        found.append((float(peak[0]), _faded(around[:, start - margin : start + size + margin], rate)))
    return found


def _faded(passage: Samples, rate: int) -> Samples:
    """The same with fades, so that the joints are no clicks."""
    place = np.arange(passage.shape[1], dtype=np.float32)
    ramp = np.minimum(1, np.minimum(place, place[::-1]) / np.float32(max(1.0, FADE_S * rate)))
    return np.asarray(passage * ramp, np.float32)


# How it is coded


def _peaks_db(signal: Samples, rate: int, to_rate: int, coder: Callable[[Samples, int], Samples]) -> Any:
    """True peak before and after coding in dB, both at the coder's rate; None where it cannot code this."""
    import av
    import soundfile

    before = soxr.resample(signal.T, rate, to_rate).T if rate != to_rate else signal
    before = np.ascontiguousarray(before, np.float32)
    try:
        after = coder(before, to_rate)
    except (av.FFmpegError, soundfile.LibsndfileError, ValueError):  # this build lacks the coder, or it refuses
        return None
    peaks = [_true_peak(one, to_rate) for one in (before, after)]
    return tuple(float(20 * np.log10(peak)) for peak in peaks) if min(peaks) > 0 else None


def _true_peak(signal: Samples, rate: int) -> float:
    meter = Meter(rate, ("FL", "FR"))
    meter.feed(np.ascontiguousarray(signal))
    return float(meter.true_peaks().max(initial=0.0))


def _as_aac(signal: Samples, rate: int) -> Samples:
    return _through(_encoder("aac", rate, AAC_BITRATE, "fltp", _AAC_OPTIONS), "aac", signal)


def _as_opus(signal: Samples, rate: int) -> Samples:
    return _through(_encoder("libopus", rate, OPUS_BITRATE, "flt", {}), "opus", signal)


def _encoder(name: str, rate: int, bit_rate: int, form: str, options: dict[str, str]) -> Any:
    import av

    encoder: Any = av.CodecContext.create(name, "w")
    encoder.sample_rate, encoder.layout, encoder.format = rate, "stereo", form
    encoder.bit_rate, encoder.options, encoder.thread_count = bit_rate, options, 1
    encoder.open()
    return encoder


def _through(encoder: Any, decoder_name: str, signal: Samples) -> Samples:
    """Code and decode stereo, shape `(2, n)`; what comes back is longer by the coder's delay."""
    import av

    packets = []
    for start in range(0, signal.shape[1], encoder.frame_size):
        part = np.zeros((2, encoder.frame_size), np.float32)
        piece = signal[:, start : start + encoder.frame_size]
        part[:, : piece.shape[1]] = piece
        planar = part if encoder.format.is_planar else part.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(planar), format=encoder.format.name, layout="stereo")
        frame.sample_rate, frame.pts = encoder.sample_rate, start
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    decoder: Any = av.CodecContext.create(decoder_name, "r")
    decoder.sample_rate, decoder.layout, decoder.extradata = encoder.sample_rate, "stereo", encoder.extradata
    frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    return np.concatenate([np.zeros((2, 0), np.float32), *(frame.to_ndarray() for frame in frames)], axis=1)


def _as_vorbis(signal: Samples, rate: int) -> Samples:
    import soundfile

    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", rate, 2, format="OGG", subtype="VORBIS", compression_level=1 - VORBIS_QUALITY
    ) as sound:
        for start in range(0, signal.shape[1], rate):  # libvorbis takes what it is given on the stack
            sound.write(signal[:, start : start + rate].T)
    file.seek(0)
    decoded: Samples = soundfile.read(file, dtype="float32", always_2d=True)[0].T
    return decoded
