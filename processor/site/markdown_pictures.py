"""The pictures beside `report.md`: drawings that stand alone, and are as readable on a light page as on a dark one.

Each draws its own paper. GitHub lets a person choose dark while the system says light; a picture follows the system.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from processor.files import printable
from processor.site.charts.bands import MARKED_HZ, SPECTRUM_HZ, frequency_x
from processor.site.charts.frame import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Timeline,
    curve,
    level_axis,
    path,
    reduced,
    round_scale,
    spans,
    time_axis,
)
from processor.site.png import palette, shades_of, write_png

LOUDNESS, SPECTRUM, SECTIONS, SPECTROGRAM = "loudness.svg", "spectrum.svg", "sections.svg", "spectrogram.png"
NAMES = (LOUDNESS, SPECTRUM, SECTIONS, SPECTROGRAM)

MIDDLE_S = 1.5  # short-term loudness is of the 3 seconds that begin at a second
LEAST_SPAN_LU = 6.0  # or a steady tone would look like a mountain
SHOWN_DB = 60.0  # what lies further under the loudest is off the picture
# No analyser gives numbers as large; a record that was made by hand may, and no axis could hold them.
LARGEST = 1e6
SECTIONS_HEIGHT = 76
LETTER = 7.5  # width of a letter of 12 units
STYLES = 8
NO_ROLES = ("section", "silence")  # where nothing was guessed
BAND_HEIGHT = 7  # pixels of the spectrogram for a third-octave
HALF_BAND = 10**0.05  # from the centre of a third-octave to its edge (IEC 61260-1:2014, base ten)

# Colours by class, on a light and on a dark page: GitHub's own paper and ink.
_COLOURS = {
    ".paper{fill:%s}": ("#fff", "#0d1117"),
    "text{fill:%s}": ("#59636e", "#9198a1"),
    ".in{fill:%s}": ("#1f2328", "#f0f6fc"),
    ".grid{stroke:%s}": ("#d1d9e0", "#3d444d"),
    ".line{stroke:%s}": ("#0a66b8", "#58a6ff"),
    ".bar{fill:%s}": ("#0a66b8", "#58a6ff"),
    ".level{stroke:%s}": ("#b44d00", "#f0883e"),
}
# Those of the player's sections, after Okabe and Ito.
_PARTS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b5a800", "#6e7781")
_LIGHT, _DARK = ("".join(rule % pair[theme] for rule, pair in _COLOURS.items()) for theme in (0, 1))
_STYLE = (
    "text{font:12px system-ui,-apple-system,'Segoe UI',sans-serif}.in{text-anchor:middle}path{fill:none}"
    ".line{stroke-width:1.8;stroke-linejoin:round}.level{stroke-width:1.5;stroke-dasharray:8 4}"
    + "".join(f".s{number}{{fill:{colour};fill-opacity:.4}}" for number, colour in enumerate(_PARTS))
    + f".none{{fill:#818b98;fill-opacity:.2}}{_LIGHT}@media (prefers-color-scheme:dark){{{_DARK}}}"
)


def pictures(results: Mapping[str, Any]) -> dict[str, bytes]:
    """File name → content of each picture that a track has; none of what is silent or failed."""
    source = results.get("source")
    timeline = Timeline(max(float(source.duration_s), 1e-3) if source is not None else 1e-3)
    drawn = {
        LOUDNESS: _loudness(results.get("loudness"), timeline),
        SPECTRUM: _spectrum(results.get("spectrum")),
        SECTIONS: _sections(results.get("sections"), timeline),
        SPECTROGRAM: _spectrogram(results.get("spectrogram")),
    }
    return {name: content for name, content in drawn.items() if content is not None}


def _svg(title: str, height: int, parts: Sequence[str]) -> bytes:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
        f' role="img"><title>{_text(title)}</title><style>{_STYLE}</style>'
        f'<rect class="paper" width="{WIDTH}" height="{height}" rx="6"/>'
    )
    return "".join([head, *parts, "</svg>\n"]).encode()


def _text(text: str) -> str:
    """Text that is well-formed in XML, whatever it was."""
    return escape(printable(text))


def _drawable(found: Any) -> NDArray[np.float64] | None:
    """A curve with at least two values, one of which is heard."""
    values = curve(found)
    kept = np.where(np.abs(values) < LARGEST, values, np.nan)
    return kept if kept.size > 1 and bool(np.isfinite(kept).any()) else None


def _loudness(found: Any, timeline: Timeline) -> bytes | None:
    """Short-term loudness over time, with the integrated loudness across."""
    values = None if found is None else _drawable(found.short_term_lufs)
    if values is None:
        return None
    kept, factor = reduced(values, "highest")
    integrated = found.integrated_lufs
    needed = [float(np.nanmin(kept)), float(np.nanmax(kept))] + ([] if integrated is None else [integrated])
    slack = max(LEAST_SPAN_LU - (max(needed) - min(needed)), 0.0) / 2
    scale = round_scale(min(needed) - slack, max(needed) + slack)
    xs = timeline.x(np.minimum(MIDDLE_S + factor * np.arange(kept.size), timeline.duration_s))
    parts = [level_axis(scale), time_axis(timeline, HEIGHT), f'<path class="line" d="{path(xs, scale.y(kept))}"/>']
    if integrated is not None:
        parts.append(f'<path class="level" d="M{LEFT} {scale.y(integrated):.1f}H{WIDTH - RIGHT}"/>')
    return _svg("Short-term loudness over time in LUFS", HEIGHT, parts)


def _spectrum(found: Any) -> bytes | None:
    """Third-octave levels as bars over a logarithmic axis."""
    levels = None if found is None else _drawable(found.third_octaves_db)
    centres = None if found is None else curve(found.centres_hz)
    if levels is None or centres is None or centres.size != levels.size:
        return None
    highest = float(np.nanmax(levels))
    scale = round_scale(highest - SHOWN_DB, highest)
    parts: list[str] = [level_axis(scale)]
    for frequency, text in MARKED_HZ:
        x = frequency_x(frequency)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{text}</text>')
        parts.append(f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
    for centre, level in zip(centres.tolist(), levels.tolist(), strict=True):
        if level > scale.low and SPECTRUM_HZ[0] <= centre <= SPECTRUM_HZ[1]:
            left, right = frequency_x(centre / HALF_BAND) + 1, frequency_x(centre * HALF_BAND) - 1
            y = scale.y(level)
            size = f'width="{right - left:.1f}" height="{scale.bottom - y:.1f}"'
            parts.append(f'<rect class="bar" x="{left:.1f}" y="{y:.1f}" {size}/>')
    return _svg("Average level of each third-octave in dB, 20 Hz to 20 kHz", HEIGHT, parts)


def _sections(found: Any, timeline: Timeline) -> bytes | None:
    """Sections as blocks; the same letter has the same colour."""
    times = [] if found is None else spans(found.intervals_s, timeline.duration_s)
    if not times:
        return None
    styles = {label: f"s{number % STYLES}" for number, label in enumerate(dict.fromkeys(found.labels))}
    styles |= {"": "none", "silence": "none"}
    parts: list[str] = [time_axis(timeline, SECTIONS_HEIGHT)]
    for number, (start, end) in enumerate(times):
        label, role = (one[number] if number < len(one) else "" for one in (found.labels, found.roles))
        x, height = timeline.x(start), SECTIONS_HEIGHT - BOTTOM - 6
        width = max(timeline.x(end) - x - 1, 0.5)
        parts.append(f'<rect class="{styles[label]}" x="{x:.1f}" y="6" width="{width:.1f}" height="{height}" rx="3"/>')
        full = label if role in NO_ROLES else f"{label} {role}"
        fitting = (text for text in (full, label) if len(text) * LETTER < width)
        text = next(fitting, "").strip()
        if text:
            parts.append(f'<text class="in" x="{x + width / 2:.1f}" y="{height / 2 + 10:g}">{_text(text)}</text>')
    return _svg("Sections of the piece; the same letter is the same music", SECTIONS_HEIGHT, parts)


def _spectrogram(found: Any) -> bytes | None:
    """Which frequencies sound when: time to the right, frequency up, loud is bright."""
    if found is None or found.loudest_band_dbfs is None:
        return None
    levels = np.asarray(found.levels_db, dtype=np.float64)
    if levels.ndim != 2 or min(levels.shape) < 2:
        return None
    rows = np.repeat(shades_of(levels.T[::-1], -SHOWN_DB, 0.0), BAND_HEIGHT, axis=0)
    return write_png(np.repeat(rows, max(1, WIDTH // rows.shape[1]), axis=1), palette())
