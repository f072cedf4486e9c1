"""A sound as every browser plays it: MP3 at a constant rate, as loud as it is.

A constant rate, because in files of variable rate browsers guess where a time is. In one of four minutes, Chromium
played 15 s beside the place that was asked for, and 38 s where the file had no table of contents; in one of constant
rate, 0.04 s (measured). A click on a chart should be heard where it was made.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.audio import Audio, decode, downmix_matrix
from processor.config import Limits
from processor.containers import MP3, MP3_SEARCH_BYTES, first_mp3_frame, has_too_many_tags, leading_tags_bytes
from processor.lengths import mp3_declares_length

Samples = NDArray[np.float32]

# Bits a second by the number of channels: few listeners tell 160 kbit/s from the original.
BIT_RATES = {1: 96_000, 2: 160_000}
# LAME turns all rates under 192 kbit/s down by this factor (measured with 3.100; 192 kbit/s: 0.97, from 256 on 1).
LAME_GAIN = 0.95
# LAME's own scale from 0, best, to 9. A sound of 236 s takes 3.8 s at 7, 5.7 s at 5, 11 s at 2; and the noise that
# coding adds to a band is about the same (at 7 from 2.9 dB less to 0.9 dB more than at 5, in four songs; measured).
LAME_QUALITY = 7
# What MPEG-1 has; the lower rates of MPEG-2 and 2.5 are not played everywhere.
SAMPLE_RATES_HZ = (32_000, 44_100, 48_000)
# +24 dBFS. What a float file has over full scale is left to the codec, and to whoever plays it, to clip; what is
# higher still is no music, and no codec was made for it.
MAX_LEVEL = 16.0
BLOCK_FRAMES = 1 << 16
# The first frame of an MP3 names itself within so many bytes: 4 of header, up to 32 of side information, then the mark.
_MARK_REACH = 48


def encode(source: Path, target: Path, limits: Limits) -> None:
    """Decode one sound file, fold it to stereo, and write it as MP3 with nothing but its sound.

    Levels stay as they are: nothing is normalised, and what lies over full scale is passed on.

    Raises:
        AudioError: the file cannot be heard.
        OSError: the target cannot be written.
    """
    import av  # loads FFmpeg, which only those who encode need

    audio = decode(source, limits=limits)
    channels = min(2, audio.channels)
    rate = preview_rate_hz(audio.sample_rate)
    layout = "mono" if channels == 1 else "stereo"
    with target.open("wb") as file, av.open(file, "w", format="mp3") as made:
        stream: Any = made.add_stream("libmp3lame", rate=rate, layout=layout)
        stream.bit_rate = BIT_RATES[channels]
        stream.codec_context.format = "fltp"  # or samples would be rounded to integers, and clipped
        stream.options = {"compression_level": str(LAME_QUALITY)}
        at = 0
        for block in _at_rate(audio, rate):
            level = np.clip(block, -MAX_LEVEL, MAX_LEVEL) / np.float32(LAME_GAIN)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(level), format="fltp", layout=layout)
            frame.sample_rate, frame.pts = rate, at
            at += block.shape[1]
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))


def is_playable(path: Path) -> bool:
    """Whether an MP3 can be played as it is: of constant rate, of known length, and without hordes of tags.

    Encoders write "Info" into the first frame where the rate is constant, and "Xing" or "VBRI" where it is not.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        leading_tags_bytes(file)
        data = file.read(MP3_SEARCH_BYTES)
    at = first_mp3_frame(data)
    is_constant = at is not None and b"Info" in data[at : at + _MARK_REACH]
    return is_constant and mp3_declares_length(path) and not has_too_many_tags(path, MP3)


def preview_rate_hz(sample_rate: int) -> int:
    """The sample rate of a preview: the sound's own where MP3 has it, else the one that is easiest to reach."""
    if sample_rate in SAMPLE_RATES_HZ:
        return sample_rate
    return 44_100 if sample_rate % 11_025 == 0 else 48_000


def _at_rate(audio: Audio, rate: int) -> Iterator[Samples]:
    """Blocks of the stereo downmix at a sample rate, none of them empty."""
    if audio.sample_rate == rate:
        yield from _stereo(audio)
        return
    import soxr

    resampler = soxr.ResampleStream(audio.sample_rate, rate, min(2, audio.channels), dtype="float32", quality="HQ")
    for block in _stereo(audio):
        found = resampler.resample_chunk(np.ascontiguousarray(block.T))
        if len(found):
            yield found.T
    rest = resampler.resample_chunk(np.zeros((0, min(2, audio.channels)), np.float32), last=True)
    if len(rest):
        yield rest.T


def _stereo(audio: Audio) -> Iterator[Samples]:
    """Short blocks of one or two channels."""
    fold = downmix_matrix(audio.positions).astype(np.float32) if audio.channels > 2 else None
    for block in audio.blocks():
        for start in range(0, block.shape[1], BLOCK_FRAMES):
            part = block[:, start : start + BLOCK_FRAMES]
            yield part if fold is None else fold @ part
