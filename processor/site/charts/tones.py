"""Charts of tonal balance beside a reference: both curves, and their difference before and after an equaliser."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from processor.site.charts.bands import MAJOR_HZ, MARKED_HZ, SPECTRUM_HEIGHT, frequency_x
from processor.site.charts.frame import (
    BOTTOM,
    LEFT,
    RIGHT,
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
    runs,
)

# A difference of less than this fills the chart no more than half.
LEAST_DB = 3.0


def tone_chart(centres_hz: Vector, mix_db: Vector, corridor: tuple[Vector, Vector, Vector], count: int) -> Chart | None:
    """The mix's third-octaves over the reference's, or over the corridor of several; None where nothing is compared.

    Args:
        centres_hz: centres of the third-octaves.
        mix_db: levels of the mix.
        corridor: lower edge, middle and upper edge of the references, at the mix's level.
        count: how many references there are.
    """
    low, middle, high = corridor
    heard = np.isfinite(mix_db) & np.isfinite(middle)
    if heard.sum() < 2:
        return None
    every = np.concatenate([mix_db[heard], low[heard], high[heard]])
    scale = round_scale(float(every.min()), float(every.max()), SPECTRUM_HEIGHT)
    parts: list[str] = [level_axis(scale), _frequency_axis(scale)]
    legend = [Key("line1", "Mix"), Key("line2", "Reference" if count == 1 else "Middle of the references")]
    if count > 1:
        parts.append(_area(centres_hz, low, high, scale))
        legend.append(Key("corridor", f"Where the {count} references lie"))
    parts += [_line("line2", centres_hz, middle, scale), _line("line1", centres_hz, mix_db, scale)]
    difference = np.where(heard, mix_db - middle, np.nan)
    return Chart(
        title="Tonal balance in dB by third-octave",
        summary=f"Third-octave levels of the mix over the reference at one level: {_extremes(centres_hz, difference)}.",
        drawing=drawing(parts),
        note="The reference is brought to the level of the mix. Gaps are where one of them has no sound.",
        legend=tuple(legend),
        height=SPECTRUM_HEIGHT,
    )


def difference_chart(
    centres_hz: Vector, before_db: Vector, after_db: Vector | None = None, response_db: Vector | None = None
) -> Chart | None:
    """Mix over reference by third-octave, and the same behind an equaliser, whose response is drawn as well."""
    if np.isfinite(before_db).sum() < 2:
        return None
    shown = [("line1", "Mix over reference", before_db)]
    if response_db is not None and after_db is not None:
        shown += [("line2", "Equaliser", response_db), ("line3", "Behind the equaliser", after_db)]
    most = max([LEAST_DB, *(float(np.nanmax(np.abs(values))) for _, _, values in shown)])
    scale = round_scale(-most, most, SPECTRUM_HEIGHT)
    parts: list[str] = [level_axis(scale), _frequency_axis(scale)]
    parts.append(f'<path class="zero" d="M{LEFT} {scale.y(0.0):.1f}H{WIDTH - RIGHT}"/>')
    parts += [_line(style, centres_hz, values, scale) for style, _, values in shown]
    told = f"Mix over reference by third-octave: {_extremes(centres_hz, before_db)}"
    if after_db is not None:
        told += f"; behind the equaliser: {_extremes(centres_hz, after_db)}"
    return Chart(
        title="Difference of tone in dB by third-octave",
        summary=f"{told}.",
        drawing=drawing(parts),
        note="At zero the mix has as much as the reference.",
        legend=tuple(Key(style, text) for style, text, _ in shown),
        height=SPECTRUM_HEIGHT,
    )


def _extremes(centres_hz: Vector, difference_db: Vector) -> str:
    """The highest and the lowest difference in words."""
    parts = []
    for at in (int(np.nanargmax(difference_db)), int(np.nanargmin(difference_db))):
        parts.append(f"{plain_text(float(difference_db[at]))} dB at {plain_text(float(centres_hz[at]), 0)} Hz")
    return f"from {parts[1]} to {parts[0]}"


def _line(style: str, centres_hz: Vector, values: Vector, scale: Scale) -> str:
    return f'<path class="{style}" d="{path(_xs(centres_hz), scale.y(values))}"/>'


def _area(centres_hz: Vector, low: Vector, high: Vector, scale: Scale) -> str:
    """What lies between two curves, one outline for each stretch without a gap."""
    xs = _xs(centres_hz)
    outlines = []
    for start, end in runs(np.isfinite(low) & np.isfinite(high)):
        if end - start > 1:
            part = slice(start, end)
            there_and_back = np.concatenate([xs[part], xs[part][::-1]])
            heights = scale.y(np.concatenate([high[part], low[part][::-1]]))
            outlines.append(f"{path(there_and_back, heights)}z")
    return f'<path class="corridor" d="{"".join(outlines)}"/>'


def _xs(centres_hz: Sequence[float] | Vector) -> Vector:
    return np.array([frequency_x(float(hz)) for hz in centres_hz])


def _frequency_axis(scale: Scale) -> str:
    parts = []
    for frequency, text in MARKED_HZ:
        style = "" if frequency in MAJOR_HZ else ' class="minor"'
        anchor = "end" if frequency == MARKED_HZ[-1][0] else "middle"
        x = frequency_x(frequency)
        bottom = scale.bottom + BOTTOM - 6
        parts.append(f'<text{style} x="{x:.1f}" y="{bottom:g}" text-anchor="{anchor}">{text}</text>')
        parts.append(f'<path class="grid" d="M{x:.1f} {scale.bottom:g}v4"/>')
    return "".join(parts)
