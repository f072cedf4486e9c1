"""Pictures over time, made elsewhere, with axes around them: the spectrogram and the twelve notes."""

from __future__ import annotations

import math

from markupsafe import escape

from processor.site.charts.frame import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Chart,
    Timeline,
    Vector,
    clock,
    drawing,
    time_axis,
)

SPECTROGRAM_HEIGHT, CHROMA_HEIGHT = 220, 222
MARKED_HZ = tuple(
    zip(
        (50, 100, 200, 500, 1000, 2000, 5000, 10_000), ["50", "100", "200", "500", "1k", "2k", "5k", "10k"], strict=True
    )
)
MINOR_HZ = (50, 200, 1000, 5000)
# White keys are named on a phone too.
NOTE_NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


def spectrogram_chart(href: str, centres_hz: Vector, timeline: Timeline) -> Chart | None:
    """The spectrogram's picture: a row a third-octave, the lowest at the bottom."""
    if centres_hz.ndim != 1 or centres_hz.size < 2 or not (centres_hz > 0).all():
        return None
    bottom = SPECTROGRAM_HEIGHT - BOTTOM
    half = math.log(float(centres_hz[-1]) / float(centres_hz[0])) / (centres_hz.size - 1) / 2
    low, high = math.log(float(centres_hz[0])) - half, math.log(float(centres_hz[-1])) + half
    parts = [_image(href, bottom), time_axis(timeline, SPECTROGRAM_HEIGHT)]
    for frequency, text in MARKED_HZ:
        y = bottom - (bottom - TOP) * (math.log(frequency) - low) / (high - low)
        if TOP <= y <= bottom:
            parts.append(_row(y, text, frequency in MINOR_HZ))
    text = f"Spectrogram over {clock(timeline.duration_s)}: level of each third-octave, brighter is louder."
    return _chart("Spectrogram, frequency in Hz", text, parts, timeline, SPECTROGRAM_HEIGHT)


def chroma_chart(href: str, timeline: Timeline) -> Chart:
    """The picture of the twelve notes: C at the bottom."""
    bottom = CHROMA_HEIGHT - BOTTOM
    row = (bottom - TOP) / 12
    parts = [_image(href, bottom), time_axis(timeline, CHROMA_HEIGHT)]
    parts += [
        _row(bottom - (number + 0.5) * row, name, number % 4 != 0, grid=False) for number, name in enumerate(NOTE_NAMES)
    ]
    text = f"Notes over {clock(timeline.duration_s)}: how strongly each of the twelve sounds, brighter is stronger."
    return _chart("Notes over time", text, parts, timeline, CHROMA_HEIGHT)


def _image(href: str, bottom: float) -> str:
    return (
        f'<image href="{escape(href)}" x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{bottom - TOP}"'
        ' preserveAspectRatio="none"/>'
    )


def _row(y: float, text: str, is_minor: bool, *, grid: bool = True) -> str:
    style = ' class="minor"' if is_minor else ""
    line = f'<path class="grid" d="M{LEFT - 4} {y:.1f}h4"/>' if grid else ""
    return f'{line}<text{style} x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'


def _chart(title: str, summary: str, parts: list[str], timeline: Timeline, height: int) -> Chart:
    return Chart(title, summary, drawing(parts), duration_s=timeline.duration_s, height=height)
