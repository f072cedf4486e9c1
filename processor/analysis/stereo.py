"""The stereo picture: width, correlation, balance, and what is lost when both channels become one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.analysis.bands import BAND_NAMES, Bands, heard_powers, six_band_powers
from processor.graph import analyser
from processor.quantities import columns, quantity

Vector = NDArray[np.float64]

# How much each of the six bands adds to the width that one hears: hardly any in the bass, most in the treble.
WIDTH_WEIGHTS = (0.05, 0.1, 0.25, 0.4, 0.7, 0.9)  # MixScope
# What both channels share is lost or found below this only as rounding noise of 16 bit or of our arithmetic.
LIMIT_DB = 60.0
# A band that lies so far under the whole says nothing about the picture.
EMPTY_BAND_DB = -60.0
CURVE_WINDOW_S = 3  # as the short-term loudness beside it on the page
# A correlation meter's needle takes about a second; the fault is a correlation that stays negative, not one that
# dips (RTW, "Correlation").
SUSTAINED_S = 1.0
# Two independent noises swing by so much around 0 in a second and a third-octave; nearer to 0 is chance.
NEGATIVE = -0.05
# Windows so far under the loudest are pauses, whose noise has a correlation of its own.
GATE_DB = -50.0

_CORRELATION = "cross power / √(left power · right power), 20 Hz upwards: what a correlation meter shows"
_LOSS = "(L + R)/√2 against the sum of both powers; limited to 60"
_WHY = "1 is mono, 0 two unrelated channels, below 0 they cancel in mono."


def _correlation(label: str) -> float | None:
    found: float | None = quantity(
        "", label=f"Correlation, {label}", source=_CORRELATION, help=f"{label}: {_WHY}", low=-1, high=1, digits=2
    )
    return found


def _loss(label: str) -> float | None:
    found: float | None = quantity(
        "dB",
        label=f"Mono-sum loss, {label}",
        source=_LOSS,
        help=f"{label}: level that vanishes in mono. 0 for equal channels, 3 for unrelated ones; more cancels.",
        low=0,
        high=LIMIT_DB,
    )
    return found


@dataclass(frozen=True)
class Stereo:
    """The stereo picture; None in silence and for a file with one channel, which has no picture."""

    is_mono: bool | None = quantity(
        "",
        label="Mono",
        source=f"one channel, or a side more than {LIMIT_DB:g} dB under the mid",
        help="Both loudspeakers play the same.",
    )
    width: float | None = quantity(
        "%",
        label="Width",
        source="MixScope: share of the side in side + mid power of six bands, weighted .05 .1 .25 .4 .7 .9, over the "
        "weights of the bands that sound",
        help="How wide it sounds. 0 is mono, 50 two unrelated channels, above 50 the sides outweigh the middle; "
        "finished mixes have about 5 to 30.",
        low=0,
        high=100,
    )
    correlation: float | None = quantity(
        "",
        label="Correlation",
        source=_CORRELATION,
        help=f"{_WHY} 0.3 to 0.7 is usual for a wide mix.",
        low=-1,
        high=1,
        digits=2,
    )
    negative_s: float | None = quantity(
        "s",
        label="Time out of phase",
        source=f"correlation over {SUSTAINED_S:g} s under {NEGATIVE:g} for more than {SUSTAINED_S:g} s",
        help="Time in which the channels cancel in mono. Short dips are normal and do not count.",
        low=0,
    )
    balance_db: float | None = quantity(
        "dB",
        label="Balance",
        source=f"right power / left power; limited to ±{LIMIT_DB:g}",
        help="Above 0 the right is louder, below 0 the left. More than 1 is worth a look.",
        low=-LIMIT_DB,
        high=LIMIT_DB,
        digits=2,
    )
    mid_side_db: float | None = quantity(
        "dB",
        label="Mid to side",
        source=f"power of (L + R)/2 over (L − R)/2; limited to ±{LIMIT_DB:g}",
        help="How far the middle stands above the sides. 60 means that there is no side; 6 to 15 is common.",
        low=-LIMIT_DB,
        high=LIMIT_DB,
    )
    mono_loss_db: float | None = quantity(
        "dB",
        label="Mono-sum loss",
        source=_LOSS,
        help="Level that vanishes when the channels are added. 0 for equal channels, 3 for unrelated ones; more is a "
        "fault that a phone or a club will reveal.",
        low=0,
        high=LIMIT_DB,
    )
    sub_correlation: float | None = _correlation("20–60 Hz")
    bass_correlation: float | None = _correlation("60–250 Hz")
    low_mids_correlation: float | None = _correlation("250–500 Hz")
    mids_correlation: float | None = _correlation("500 Hz–2 kHz")
    high_mids_correlation: float | None = _correlation("2–6 kHz")
    air_correlation: float | None = _correlation("6–20 kHz")
    sub_mono_loss_db: float | None = _loss("20–60 Hz")
    bass_mono_loss_db: float | None = _loss("60–250 Hz")
    low_mids_mono_loss_db: float | None = _loss("250–500 Hz")
    mids_mono_loss_db: float | None = _loss("500 Hz–2 kHz")
    high_mids_mono_loss_db: float | None = _loss("2–6 kHz")
    air_mono_loss_db: float | None = _loss("6–20 kHz")
    side_shares: tuple[float | None, ...] = quantity(
        "%",
        label="Share of the side by band",
        source="side / (mid + side) power between 20, 60, 250, 500 Hz, 2, 6 and 20 kHz",
        help="How much of each band is at the sides, from sub to air. Keep the first two near 0.",
        low=0,
        high=100,
    )
    correlations: NDArray[np.float64] = quantity(
        "",
        label="Correlation over time",
        source=_CORRELATION,
        help="One value a second; value i is of the 3 seconds that begin at second i. Gaps are pauses.",
        low=-1,
        high=1,
        digits=2,
    )
    negative_intervals_s: NDArray[np.float64] = quantity(
        "s",
        label="Passages out of phase",
        source=f"correlation over {SUSTAINED_S:g} s under {NEGATIVE:g} for more than {SUSTAINED_S:g} s",
        help="When the channels cancel in mono, start and end.",
        low=0,
    )


@analyser(version=1)
def stereo(bands: Bands) -> Stereo:
    """Measure the stereo picture.

    Source: the rules that each field's declaration names; mid and side are (L ± R)/2; more than two channels are
    folded to two before.
    """
    six = six_band_powers(bands)
    left, right, cross = heard_powers(bands)
    side = max(0.0, left + right - 2 * cross)
    if bands.channels == 1 or left + right <= 0:
        return _nothing(True if bands.channels == 1 else None)
    has_both = min(left, right) > max(left, right) * 10 ** (-LIMIT_DB / 10)
    intervals = _negative_intervals(bands)
    sounding = six[0] + six[1] > (left + right) * 10 ** (EMPTY_BAND_DB / 10)
    shares = np.clip((six[0] + six[1] - 2 * six[2]) / np.maximum(2 * (six[0] + six[1]), 1e-300), 0, 1)
    weights = np.array(WIDTH_WEIGHTS) * sounding
    by_band: dict[str, Any] = {}
    for name, powers, sounds in zip(BAND_NAMES, six.T, sounding, strict=True):
        by_band[f"{name}_correlation"] = _ratio(*powers) if sounds else None
        by_band[f"{name}_mono_loss_db"] = _loss_db(*powers) if sounds else None
    return Stereo(
        is_mono=side <= (left + right + 2 * cross) * 10 ** (-LIMIT_DB / 10),
        width=float(100 * (weights @ shares) / weights.sum()) if weights.any() else None,
        correlation=_ratio(left, right, cross),
        negative_s=float(np.diff(intervals, axis=1).sum()) if has_both else None,
        balance_db=_limited_db(right, left),
        mid_side_db=_limited_db(left + right + 2 * cross, side),
        mono_loss_db=_loss_db(left, right, cross),
        side_shares=tuple(
            float(100 * share) if sounds else None for share, sounds in zip(shares, sounding, strict=True)
        ),
        correlations=_correlation_curve(bands),
        negative_intervals_s=intervals,
        **by_band,
    )


def _nothing(is_mono: bool | None) -> Stereo:
    names: dict[str, Any] = {column.name: None for column in columns(Stereo)}
    names |= {"is_mono": is_mono, "side_shares": (None,) * 6}
    return Stereo(**names | {"correlations": np.empty(0), "negative_intervals_s": np.empty((0, 2))})


def _limited_db(above: float, below: float) -> float:
    """Ratio of powers in dB within ±LIMIT_DB; not both may be 0."""
    limit = 10 ** (LIMIT_DB / 10)
    return float(10 * np.log10(np.clip(above / max(below, above / limit, 1e-300), 1 / limit, limit)))


def _loss_db(left: float, right: float, cross: float) -> float:
    """Power of both channels over that of their sum, (L + R)/√2, in dB; 0 when they are equal."""
    return max(0.0, _limited_db(left + right, (left + right + 2 * cross) / 2))


def _ratio(left: float, right: float, cross: float) -> float | None:
    """Correlation; None where one channel is silent beside the other."""
    if min(left, right) <= max(left, right) * 10 ** (-LIMIT_DB / 10):
        return None
    return float(np.clip(cross / np.sqrt(left * right), -1, 1))


def _windowed(bands: Bands, window_s: float) -> Vector:
    """Sums of left, right and cross power over windows of whole frames, shape `(3, windows)`; one begins at each frame.

    Double precision, so that a quiet window behind a loud one keeps its digits.
    """
    frames = max(1, round(window_s * bands.frame_rate))
    rows = np.array(
        [row.sum(axis=1, dtype=np.float64) for row in (bands.band_left, bands.band_right, bands.band_cross)]
    )
    sums = np.concatenate([np.zeros((3, 1)), np.cumsum(rows, axis=1)], axis=1)
    return np.asarray(sums[:, frames:] - sums[:, :-frames])


def _window_correlations(powers: Vector) -> Vector:
    """Correlation of windows, NaN in pauses and where one channel is silent."""
    left, right, cross = powers
    both = np.sqrt(np.maximum(left, 0) * np.maximum(right, 0))
    floor = (left + right).max(initial=0.0) * 10 ** (GATE_DB / 10)
    heard = (left + right > floor) & (both > (left + right) * 10 ** (-LIMIT_DB / 20))
    found = np.full(both.shape, np.nan)
    found[heard] = np.clip(cross[heard] / both[heard], -1, 1)
    return found


def _correlation_curve(bands: Bands) -> Vector:
    """One value a second, of the 3 s that begin there."""
    values = _window_correlations(_windowed(bands, CURVE_WINDOW_S))
    starts = np.arange(max(0, int(bands.duration_s) - CURVE_WINDOW_S + 1))
    places = np.round(starts * bands.frame_rate).astype(np.int64)
    return np.asarray(values[places[places < values.size]])


def _negative_intervals(bands: Bands) -> Vector:
    """Passages whose correlation over a second stays negative for more than a second, shape `(n, 2)`."""
    values = _window_correlations(_windowed(bands, SUSTAINED_S))
    is_negative = np.concatenate([[False], values < NEGATIVE, [False]])
    edges = np.flatnonzero(np.diff(is_negative.astype(np.int8))).reshape(-1, 2)
    # A window turns negative when about half of it is, so a run of windows stands for the time between its middles.
    half = SUSTAINED_S / 2
    starts = [0.0 if a == 0 else float(bands.times_s[a]) + half for a, _ in edges]
    ends = [bands.duration_s if b == values.size else float(bands.times_s[b]) + half for _, b in edges]
    spans = [(start, end) for start, end in zip(starts, ends, strict=True) if end - start > SUSTAINED_S]
    return np.array(spans, np.float64).reshape(-1, 2)
