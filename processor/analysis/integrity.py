"""Faults of the file and of the recording: hum, flat tops, clicks, gaps, cut ends, late and silent channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis import _breaks, _clips, _hum
from processor.analysis._clips import FlatTops
from processor.analysis._delay import Delay
from processor.analysis._hum import LowBand
from processor.analysis._units import Units, empty_units, fill, pieces
from processor.analysis._wordlength import WordLength
from processor.audio import Audio, downmix_matrix
from processor.graph import analyser
from processor.quantities import quantity

Vector = NDArray[np.float64]
Places = NDArray[np.int64]
Samples = NDArray[np.float32]

QUIET_S = 0.4  # the block of ITU-R BS.1770-4
# Below this it is digital silence: dither of 16 bit has −96.
SILENCE_DBFS = -100.0
QUIETEST_SHARE = 0.01
ENDS_S = 0.05
EDGE_S = 0.00025
# Silence beside the music, at its ends. As levels, but down to the dither.
EDGE_SILENCE = 10 ** (-80 / 20)
# Endings that ring out have fallen 22 dB at least in their last 50 ms, endings that are cut stand within 16 (measured
# on 76 pieces, of which 46 are excerpts).
END_DB = -19.0
# Music may begin with a hit. But it comes up from nothing: its first quarter of a millisecond is 12 dB down at least,
# where that of music that was cut into has the level of the rest (measured on the same pieces).
START_DB = -16.0
START_EDGE_DB = -11.0
# A channel so far below the other is silent.
SILENT_CHANNEL_DB = -60.0
SHORTEST_S = 1.0

_HUM = (
    f"lines within 0.35 Hz of 50 or 60 Hz and its multiples that stand {_hum.LINE_DB:g} dB above the strongest beside "
    f"them in {_hum.WINDOW_S:g} s windows, in all but the quietest {_hum.FLOOR_PERCENTILE} % of them; a rule of our own"
)
_FLAT = (
    f"{_clips.FLAT_RUN} or more samples within 3 steps of 16 bit at the highest level of the channel, steep on both "
    f"sides, at least {_clips.FEWEST_FLAT} times; square waves left out; a rule of our own"
)
_CLICK = (
    "fourth difference of one to three samples far above that of the 6 ms before and after, "
    "not repeated like a waveform; after S. J. Godsill and P. J. W. Rayner, Digital Audio Restoration (1998), ch. 5"
)
_DROPOUT = (
    f"{_breaks.SHORTEST_GAP_S * 1000:.0f} ms to {_breaks.LONGEST_GAP_S:g} s in which samples stand still, music at its "
    "level up to both edges; a rule of our own"
)
_END = f"mean power of {ENDS_S * 1000:g} ms − that of the whole; silence under −80 dBFS at the ends left out"


@dataclass(frozen=True)
class Integrity:
    """Faults that no mix wants; None where they cannot be told."""

    hum_hz: int | None = quantity(
        "Hz", label="Mains hum", source=_HUM, help="The mains that hum: 50 Hz or 60 Hz.", low=50, high=60, digits=0
    )
    hum_db: float | None = quantity(
        "dB",
        label="Level of the hum",
        source=f"power of the lines − that of the whole; {_HUM}",
        help="How loud the hum is with its overtones, beside the music. Under −60 only pauses show it.",
    )
    flat_top_dbfs: float | None = quantity(
        "dBFS",
        label="Level of flat tops",
        source=_FLAT,
        help="The level at which peaks are cut flat: clipped on the way here, and perhaps turned down afterwards.",
    )
    flat_tops: int = quantity("", label="Flat tops", source=_FLAT, help="How many peaks are cut flat.", low=0, digits=0)
    flat_top_intervals_s: Vector = quantity(
        "s",
        label="Passages with flat tops",
        source=f"{_FLAT}; under {_clips.MERGE_S:g} s apart they are joined",
        help="When peaks are cut flat, start and end, on any channel.",
        low=0,
    )
    noise_floor_dbfs: float | None = quantity(
        "dBFS",
        label="Noise floor",
        source=f"RMS of {QUIET_S * 1000:g} ms windows, the quietest hundredth, digital silence left out",
        help="Level of the quietest passages: hiss and room where the music pauses, else the quietest music.",
    )
    infrasonic_db: float | None = quantity(
        "dB",
        label="Infrasonic power",
        source=f"power between {_hum.INFRASONIC_HZ[0]:g} and {_hum.INFRASONIC_HZ[1]:g} Hz − that of the whole",
        help="What moves loudspeakers and is not heard: rumble, plosives, wind. −30 and less is usual.",
    )
    clicks: int = quantity(
        "", label="Clicks", source=_CLICK, help="Breaks in the wave of one to three samples.", low=0, digits=0
    )
    clicks_s: Vector = quantity("s", label="Times of clicks", source=_CLICK, help="When each click is.", low=0)
    dropouts: int = quantity("", label="Dropouts", source=_DROPOUT, help="Gaps inside the music.", low=0, digits=0)
    dropout_intervals_s: Vector = quantity(
        "s", label="Gaps", source=_DROPOUT, help="When the sound is missing, start and end, on any channel.", low=0
    )
    starts_abruptly: bool | None = quantity(
        "",
        label="Cut start",
        source=f"first {ENDS_S * 1000:g} ms over {START_DB:g} dB, and near that level from the first quarter of one",
        help="The music is there at once, as if its beginning were cut off.",
    )
    ends_abruptly: bool | None = quantity(
        "",
        label="Cut end",
        source=f"last {ENDS_S * 1000:g} ms over {END_DB:g} dB",
        help="The music stops before it has rung out.",
    )
    start_db: float | None = quantity(
        "dB", label="Level of the start", source=_END, help="Level of the first 50 ms of sound beside the whole."
    )
    end_db: float | None = quantity(
        "dB", label="Level of the end", source=_END, help="Level of the last 50 ms of sound beside the whole."
    )
    effective_bits: int | None = quantity(
        "bit",
        label="Bits in use",
        source="lowest bit that any sample uses; below 13 bit the distance of the values that occur",
        help="How finely the sound is really coded, whatever the file says. Lossy codings have none.",
        low=1,
        high=24,
        digits=0,
    )
    channel_delay_s: float | None = quantity(
        "s",
        label="Delay of the right channel",
        source="GCC-PHAT: C. Knapp and G. Carter, IEEE Trans. ASSP 24 (1976); one clear peak beside zero",
        help="How late the right channel is; below 0 the left one is. Both are right in nearly every mix.",
        low=-0.03,
        high=0.03,
        digits=4,
    )
    silent_channel: int | None = quantity(
        "",
        label="Silent channel",
        source=f"power of one of two channels over {-SILENT_CHANNEL_DB:g} dB below the other",
        help="The channel that plays nothing: 1 is left, 2 right.",
        low=1,
        high=2,
        digits=0,
    )


@dataclass(frozen=True)
class _Reading:
    """What one pass over the sound leaves."""

    units: list[Units]
    tops: list[FlatTops]
    low: LowBand
    bits: WordLength
    delay: Delay | None
    head: list[Samples]


@analyser(version=1)
def integrity(audio: Audio) -> Integrity:
    """Look for faults of the file and of the recording.

    Source: the rules that each field's declaration names; thresholds measured on 76 pieces and on faults made of them.
    """
    read = _read(audio)
    squares = np.array([units.squares.sum(dtype=np.float64) for units in read.units])
    powers = squares / max(1, audio.frames)
    found = read.low.powers()
    hum = _hum.hum(found)
    level, tops, spans = _flat_tops(read.tops)
    clicks_s = _click_times(read.units, audio.sample_rate)
    gaps = _gaps(read.units, audio.sample_rate)
    start_db, end_db = _ends(read.units, audio)
    rate = audio.sample_rate
    both = float(powers.sum())
    return Integrity(
        hum_hz=hum.mains_hz if hum else None,
        hum_db=_ratio_db(hum.power, both) if hum else None,
        flat_top_dbfs=_db(level),
        flat_tops=tops,
        flat_top_intervals_s=_joined(spans, round(_clips.MERGE_S * rate)) / rate,
        noise_floor_dbfs=_noise_floor(read.units, audio),
        infrasonic_db=_ratio_db(_hum.infrasonic(found), both) if len(found) else None,
        clicks=clicks_s.size,
        clicks_s=clicks_s,
        dropouts=len(gaps),
        dropout_intervals_s=gaps,
        starts_abruptly=None if start_db is None else _is_cut_into(read, start_db, audio),
        ends_abruptly=None if end_db is None else end_db > END_DB,
        start_db=start_db,
        end_db=end_db,
        effective_bits=read.bits.bits,
        channel_delay_s=read.delay.delay_s if read.delay else None,
        silent_channel=_silent_channel(powers),
    )


def _read(audio: Audio) -> _Reading:
    fold = downmix_matrix(audio.positions).astype(np.float32) if audio.channels > 2 else None
    units = empty_units(audio)
    tops = [FlatTops(one, sign, audio.sample_rate) for one in units for sign in (1, -1)]
    read = _Reading(
        units,
        tops,
        LowBand(min(2, audio.channels), audio.frames, audio.sample_rate),
        WordLength(audio.source),
        Delay(audio.frames, audio.sample_rate) if audio.channels == 2 else None,
        [],
    )
    for piece, lead, first in pieces(audio):
        for channel, row in enumerate(piece):
            fill(units[channel], row, lead, first)
            for one in tops[2 * channel : 2 * channel + 2]:
                one.feed(row, lead, first)
        new = piece[:, lead:]
        if not read.head:
            read.head.extend(_head(new, audio.sample_rate))
        read.low.feed(new if fold is None else fold @ new)
        read.bits.feed(new)
        if read.delay:
            read.delay.feed(new)
    return read


def _flat_tops(tops: list[FlatTops]) -> tuple[float, int, Places]:
    """Level, number and passages in samples of peaks that are cut flat; 0, 0 and none if there are none."""
    cut = [one for one in tops if len(one.found)]
    if sum(one.count for one in cut) < _clips.FEWEST_FLAT:
        return 0.0, 0, np.empty((0, 2), np.int64)
    spans = np.concatenate([np.empty((0, 2), np.int64), *(one.found for one in cut)])
    return max((one.level for one in cut), default=0.0), sum(one.count for one in cut), spans


def _click_times(units: list[Units], rate: int) -> Vector:
    """Seconds of clicks on any channel; what is nearer than 3 ms is one."""
    places = [_breaks.clicks(one, rate, _rms(one)) for one in units]
    times = np.unique(np.concatenate([np.empty(0, np.int64), *places])) * (units[0].length / rate)
    return np.asarray(times[np.diff(times, prepend=-np.inf) > _breaks.CLICK_MERGE_S])


def _gaps(units: list[Units], rate: int) -> Vector:
    """Dropouts on any channel in seconds, shape `(n, 2)`."""
    found = [_breaks.gaps(one, rate, _rms(one)) for one in units]
    return _joined(np.concatenate([np.empty((0, 2), np.int64), *found]), 2) * (units[0].length / rate)


def _rms(units: Units) -> float:
    count = units.squares.size * units.length
    return float(np.sqrt(units.squares.sum(dtype=np.float64) / count)) if count else 0.0


def _joined(spans: Places, gap: int) -> Vector:
    """Spans in order, those nearer than `gap` joined, shape `(n, 2)`."""
    joined: list[list[int]] = []
    for start, end in spans[np.argsort(spans[:, 0], kind="stable")].tolist():
        if joined and start - joined[-1][1] < gap:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return np.array(joined, np.float64).reshape(-1, 2)


def _noise_floor(units: list[Units], audio: Audio) -> float | None:
    """Level of the quietest windows that are no digital silence."""
    squares = np.asarray(np.mean([one.squares for one in units], axis=0, dtype=np.float64)) / units[0].length
    size = round(QUIET_S * audio.sample_rate / units[0].length)
    squares = squares[: audio.frames // units[0].length]
    if squares.size < size:
        return None
    sums = np.concatenate([[0.0], np.cumsum(squares)])
    windows = (sums[size:] - sums[:-size])[:: max(1, size // 4)] / size
    silence = 10 ** (SILENCE_DBFS / 10)
    # A window that is partly silent says how much of it is, not how loud the rest is.
    quiet = np.concatenate([[0.0], np.cumsum(squares <= silence)])
    windows = windows[(quiet[size:] - quiet[:-size])[:: max(1, size // 4)] == 0]
    if not windows.size:
        return None
    return float(10 * np.log10(np.sort(windows)[: max(1, int(QUIETEST_SHARE * windows.size))].mean()))


def _ends(units: list[Units], audio: Audio) -> tuple[float | None, float | None]:
    """Level of the first and of the last 50 ms re the whole; None if it is too short."""
    peaks = np.max([one.peaks for one in units], axis=0, initial=0.0)
    sounding = np.flatnonzero(peaks > EDGE_SILENCE)
    if sounding.size == 0 or audio.duration_s < SHORTEST_S:
        return None, None
    size = round(ENDS_S * audio.sample_rate / units[0].length)
    squares = np.asarray(np.mean([one.squares for one in units], axis=0, dtype=np.float64))
    first, last = int(sounding[0]), int(sounding[-1]) + 1
    parts = (squares[first : first + size], squares[max(0, last - size) : last])
    start, end = (_ratio_db(float(part.mean()), float(squares.mean())) for part in parts)
    return start, end


def _head(piece: Samples, rate: int) -> list[Samples]:
    """The first quarter of a millisecond of sound, if it begins in this piece."""
    step = max(1, piece.shape[1] // 64)
    for at in range(0, piece.shape[1], step):
        loud = np.abs(piece[:, at : at + step]).max(axis=0) > EDGE_SILENCE
        if loud.any():
            first = at + int(np.argmax(loud))
            return [piece[:, first : first + max(4, round(EDGE_S * rate))].copy()]
    return []


def _is_cut_into(read: _Reading, start_db: float, audio: Audio) -> bool:
    power = sum(one.squares.sum(dtype=np.float64) for one in read.units) / (audio.frames * audio.channels)
    edge_db = _ratio_db(float(np.square(read.head[0], dtype=np.float64).mean()), power) if read.head else None
    return edge_db is not None and start_db > START_DB and edge_db > start_db + START_EDGE_DB


def _silent_channel(powers: Vector) -> int | None:
    if powers.size != 2 or powers.max() <= 0 or powers.min() > powers.max() * 10 ** (SILENT_CHANNEL_DB / 10):
        return None
    return int(np.argmin(powers)) + 1


def _db(amplitude: float) -> float | None:
    return float(20 * np.log10(amplitude)) if amplitude > 0 else None


def _ratio_db(power: float, whole: float) -> float | None:
    return float(10 * np.log10(power / whole)) if min(power, whole) > 0 else None
