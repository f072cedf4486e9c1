"""Charts over frequency: the spectrum against hit recordings, the stereo field, and bars by band."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from processor.site.charts.frame import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Chart,
    Key,
    Scale,
    Vector,
    drawing,
    level_axis,
    path,
    plain_text,
    round_scale,
)

SPECTRUM_HEIGHT = 260
SPECTRUM_HZ = (17.8, 22_400.0)  # edges of the third-octaves at 20 Hz and 20 kHz
SHOWN_DB = 50.0  # what lies further below the highest band is off the chart
DENSITY_DB_PER_OCTAVE = 10 * math.log10(2)  # a third-octave's width doubles with each octave
ALIGNED_HZ = (100.0, 4000.0)
# Power density of hit recordings re 200 Hz: Pestana et al. 2013 (772 songs) and Elowsson & Friberg 2017 (12,345), by a
# quadratic fit; so it is inferred, not printed anywhere.
HITS_HZ = np.array([50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0])
HITS_DB = np.array([2.1, 1.7, 0.0, -4.3, -9.0, -15.1, -22.5, -31.2])
# Half the corridor's width: in the bass their standard deviation is up to 10 dB; that it halves above is inferred.
SPREAD_HZ, SPREAD_DB = np.array([50.0, 250.0]), np.array([10.0, 5.0])

SIX = ("sub", "bass", "low_mids", "mids", "high_mids", "air")
SIX_NAMES = ("Sub", "Bass", "Low mids", "Mids", "High mids", "Air")
SIX_EDGES_HZ = (20.0, 60.0, 250.0, 500.0, 2000.0, 6000.0, 20_000.0)

PANEL_WIDTH, PANEL_ROW, PANEL_TOP, PANEL_LEFT = 260, 24, 8, 76
_MARKS = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
MARKED_HZ = tuple(zip(_MARKS, ["20", "50", "100", "200", "500", "1k", "2k", "5k", "10k", "20k"], strict=True))
MAJOR_HZ = (20, 100, 500, 2000, 10_000)


def frequency_x(frequency_hz: float) -> float:
    """Where a frequency is on the logarithmic axis."""
    low, high = SPECTRUM_HZ
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log(frequency_hz / low) / math.log(high / low)


@dataclass(frozen=True)
class Spectrum:
    """What the spectrum's chart shows: third-octave levels, slope of the power density, the lossy cut-off."""

    centres_hz: Vector
    levels_db: Vector
    tilt_db_per_octave: float | None = None
    cutoff_hz: float | None = None


def spectrum_chart(found: Spectrum) -> Chart | None:
    """Third-octaves as bars in the colours of the six bands, before the corridor of hit recordings."""
    if found.levels_db.shape != found.centres_hz.shape or not np.isfinite(found.levels_db).any():
        return None
    scale = _spectrum_scale(found.levels_db)
    middle = _mean_level(found)
    parts: list[str] = [level_axis(scale), _frequency_axis()]
    legend = [Key("third", "Third-octave level")]
    parts += _bars(found, scale)
    if middle is not None:
        parts.append(_corridor(middle, scale))
        legend.append(Key("corridor", "Where most hit recordings lie"))
    if middle is not None and found.tilt_db_per_octave is not None:
        parts.append(_tilt_line(found, middle, scale))
        legend.append(Key("tilt", f"Tilt {plain_text(found.tilt_db_per_octave)} dB an octave"))
    if found.cutoff_hz and SPECTRUM_HZ[0] < found.cutoff_hz < SPECTRUM_HZ[1]:
        x = frequency_x(found.cutoff_hz)
        parts.append(f'<path class="cutoff" d="M{x:.1f} {TOP}V{SPECTRUM_HEIGHT - BOTTOM}"/>')
        legend.append(Key("cutoff", f"Lossy cut-off {plain_text(found.cutoff_hz / 1000)} kHz"))
    return Chart(
        title="Third-octave spectrum in dB",
        summary=_spectrum_summary(found),
        drawing=drawing(parts),
        note="The corridor is moved to this track's level between 100 Hz and 4 kHz; its shape is inferred from two "
        "studies of hit recordings, so leaving it is a choice and no fault. The tilt is of power density; "
        "third-octaves look 3 dB flatter."
        if middle is not None
        else "",
        legend=tuple(legend),
        height=SPECTRUM_HEIGHT,
    )


def hit_levels(frequencies_hz: Vector) -> Vector:
    """Third-octave levels of hit recordings re 200 Hz; density falls 3 dB an octave faster."""
    density = np.interp(np.log2(frequencies_hz), np.log2(HITS_HZ), HITS_DB)
    levels: Vector = density + DENSITY_DB_PER_OCTAVE * np.log2(frequencies_hz / 200.0)
    return levels


def _spectrum_scale(levels_db: Vector) -> Scale:
    high = float(np.nanmax(levels_db))
    low = max(float(np.nanmin(levels_db)), high - SHOWN_DB)
    return round_scale(min(low, high - 20.0), high, SPECTRUM_HEIGHT)


def _aligned(found: Spectrum) -> NDArray[np.intp]:
    """Which bands the curves across are fitted to."""
    low, high = ALIGNED_HZ
    inside = (found.centres_hz > low * 0.99) & (found.centres_hz < high * 1.01)
    return np.flatnonzero(inside & np.isfinite(found.levels_db))


def _mean_level(found: Spectrum) -> float | None:
    """Mean level between 100 Hz and 4 kHz; None where most bands there hold nothing near the rest."""
    chosen = _aligned(found)
    if chosen.size < 10:
        return None
    return float(found.levels_db[chosen].mean())


def _corridor(middle: float, scale: Scale) -> str:
    chosen = np.array([100.0 * 2 ** (i / 3) for i in range(16)])
    frequencies = np.geomspace(HITS_HZ[0], HITS_HZ[-1], 23)
    centre = hit_levels(frequencies) + middle - float(hit_levels(chosen).mean())
    half = np.interp(np.log2(frequencies), np.log2(SPREAD_HZ), SPREAD_DB)
    xs = np.array([frequency_x(f) for f in frequencies])
    upper, lower = (np.clip(scale.y(centre + sign * half), scale.top, scale.bottom) for sign in (1, -1))
    outline = path(np.concatenate([xs, xs[::-1]]), np.concatenate([upper, lower[::-1]]))
    return f'<path class="corridor" d="{outline}z"/><path class="hits" d="{path(xs, _inside(scale, centre))}"/>'


def _inside(scale: Scale, values: Vector) -> Vector:
    """Heights of values; NaN for what is off the chart."""
    return np.where((values >= scale.low) & (values <= scale.high), scale.y(values), np.nan)


def _bars(found: Spectrum, scale: Scale) -> list[str]:
    by_band: list[list[str]] = [[] for _ in SIX]
    edge = 2 ** (1 / 6)
    for frequency, level in zip(found.centres_hz.tolist(), found.levels_db.tolist(), strict=True):
        if not (SPECTRUM_HZ[0] < frequency < SPECTRUM_HZ[1] and level > scale.low):
            continue
        x1, x2 = frequency_x(frequency / edge) + 1, frequency_x(frequency * edge) - 1
        band = sum(frequency >= low for low in SIX_EDGES_HZ[1:-1])
        by_band[band].append(f"M{x1:.1f} {scale.bottom:g}V{scale.y(level):.1f}H{x2:.1f}V{scale.bottom:g}z")
    return [f'<path class="b{n} third" d="{"".join(d)}"/>' for n, d in enumerate(by_band) if d]


def _tilt_line(found: Spectrum, middle: float, scale: Scale) -> str:
    assert found.tilt_db_per_octave is not None  # noqa: S101 - for mypy; whoever calls has looked
    slope = found.tilt_db_per_octave + DENSITY_DB_PER_OCTAVE
    ends = np.array(ALIGNED_HZ)
    centre = float(np.log2(found.centres_hz[_aligned(found)]).mean())
    levels = np.clip(middle + slope * (np.log2(ends) - centre), scale.low, scale.high)
    xs = np.array([frequency_x(f) for f in ALIGNED_HZ])
    return f'<path class="tilt" d="{path(xs, scale.y(levels))}"/>'


def _spectrum_summary(found: Spectrum) -> str:
    highest = int(np.nanargmax(found.levels_db))
    text = f"Level of each third-octave: highest at {_hz(found.centres_hz[highest])}"
    text += f" with {plain_text(float(found.levels_db[highest]))} dB"
    if found.tilt_db_per_octave is not None:
        text += f"; falls by {plain_text(-found.tilt_db_per_octave)} dB an octave in power density"
    if found.cutoff_hz:
        text += f"; treble ends at {_hz(found.cutoff_hz)}, as a lossy coder leaves it"
    return text + "."


def _hz(frequency: float) -> str:
    return f"{frequency / 1000:.3g} kHz" if frequency >= 1000 else f"{frequency:.3g} Hz"


def _frequency_axis() -> str:
    parts = []
    for frequency, text in MARKED_HZ:
        style = "" if frequency in MAJOR_HZ else ' class="minor"'
        anchor = "end" if frequency == 20_000 else "middle"
        x = frequency_x(frequency)
        parts.append(f'<text{style} x="{x:.1f}" y="{SPECTRUM_HEIGHT - 6}" text-anchor="{anchor}">{text}</text>')
        parts.append(f'<path class="grid" d="M{x:.1f} {SPECTRUM_HEIGHT - BOTTOM}v4"/>')
    return "".join(parts)


@dataclass(frozen=True)
class Panel:
    """Horizontal bars by band: what they show, from which value to which, and where a bar begins."""

    title: str
    unit: str
    low: float
    high: float
    origin: float = 0.0
    digits: int = 1
    mirrored: bool = False
    note: str = ""
    bad_below: float | None = None
    bad_above: float | None = None


def band_panel(panel: Panel, values: Sequence[float | None], names: Sequence[str] = SIX_NAMES) -> Chart | None:
    """A small chart with a bar a band, the highest band at the top; None where no band has a value."""
    if not any(value is not None for value in values):
        return None
    rows = len(names)
    height = PANEL_TOP + rows * PANEL_ROW + 20
    parts = [_panel_axis(panel, rows)]
    for number, (name, value) in enumerate(zip(names, values, strict=False)):
        y = PANEL_TOP + (rows - 1 - number) * PANEL_ROW
        parts.append(f'<text x="{PANEL_LEFT - 8}" y="{y + 16}" text-anchor="end">{escape(name)}</text>')
        parts.append(_panel_bar(panel, value, y, number))
    unit = f" {panel.unit}" if panel.unit else ""
    told = [
        f"{name} {'—' if value is None else plain_text(value, panel.digits) + unit}"
        for name, value in zip(names, values, strict=False)
    ]
    return Chart(
        title=f"{panel.title} in {panel.unit}" if panel.unit else panel.title,
        summary=f"{panel.title} by band: {', '.join(told)}.",
        drawing=drawing(parts),
        note=panel.note,
        width=PANEL_WIDTH,
        height=height,
        style="panel",
    )


def _panel_x(panel: Panel, value: float) -> float:
    share = (min(max(value, panel.low), panel.high) - panel.low) / (panel.high - panel.low)
    return PANEL_LEFT + (PANEL_WIDTH - PANEL_LEFT - 40) * share


def _panel_axis(panel: Panel, rows: int) -> str:
    bottom = PANEL_TOP + rows * PANEL_ROW
    parts = []
    for value in (panel.low, panel.origin, panel.high) if panel.low < panel.origin else (panel.low, panel.high):
        x = _panel_x(panel, value)
        text = plain_text(abs(value) if panel.mirrored else value, 0)
        parts.append(f'<path class="grid" d="M{x:.1f} {PANEL_TOP}V{bottom}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{text}</text>')
    return "".join(parts)


def _panel_bar(panel: Panel, value: float | None, y: float, number: int) -> str:
    text_x = PANEL_WIDTH - 2
    if value is None:
        return f'<text x="{text_x}" y="{y + 16}" text-anchor="end">—</text>'
    start, end = _panel_x(panel, -value if panel.mirrored else panel.origin), _panel_x(panel, value)
    left, width = min(start, end), max(abs(end - start), 1.5)
    is_bad = (panel.bad_below is not None and value < panel.bad_below) or (
        panel.bad_above is not None and value > panel.bad_above
    )
    style = f"b{number}" + (" flagged" if is_bad else "")
    return (
        f'<rect class="{style}" x="{left:.1f}" y="{y + 4}" width="{width:.1f}" height="16"/>'
        f'<text class="value" x="{text_x}" y="{y + 16}" text-anchor="end">{plain_text(value, panel.digits)}</text>'
    )


def share_bar(shares: Sequence[float | None]) -> Markup | None:
    """The six bands as one bar, like the bar of languages of a repository; None in silence."""
    found = [0.0 if share is None or not math.isfinite(share) else max(share, 0.0) for share in shares]
    total = sum(found)
    if total <= 0:
        return None
    parts, x = [], 0.0
    for number, share in enumerate(found):
        width = 100 * share / total
        if width > 0:
            parts.append(f'<rect class="b{number}" x="{x:.2f}" width="{width:.2f}" height="8"/>')
        x += width
    return drawing(parts)
