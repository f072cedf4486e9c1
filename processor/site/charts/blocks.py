"""Blocks over time: chords, keys and sections as a strip whose every block seeks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import escape

from processor.site.charts.frame import Chart, Timeline, clock, drawing, time_axis, time_text

# Letters of 12 units are about this wide; on a phone they grow to twice that and more.
LETTER, PHONE_LETTER = 7.2, 16.5
# More blocks than this are a few pixels wide at most: nobody hits a single one, and each costs a hundred bytes.
MAX_BLOCKS = 250
STRIP_TOP, STRIP_HEIGHT = 4, 40
ARCS = 62  # height of the tallest arc


@dataclass(frozen=True)
class Block:
    """A stretch of time.

    Attributes:
        start_s: where it begins.
        end_s: where it ends.
        text: what stands in it where there is room.
        hint: what it is, in full.
        style: class that gives the colour.
        number: 1 to 9 for what a key of the keyboard leads to.
        kind: what arcs join: blocks of the same kind.
        short: what stands in it where there is little room.
    """

    start_s: float
    end_s: float
    text: str
    hint: str
    style: str
    number: int | None = None
    kind: str = ""
    short: str = ""


def strip(title: str, summary: str, blocks: Sequence[Block], timeline: Timeline) -> Chart | None:
    """Blocks in a row; None if there are none, or none of them has a colour."""
    if all(block.style == "none" for block in blocks):
        return None
    height = STRIP_TOP + STRIP_HEIGHT + 28
    parts = [time_axis(Timeline(timeline.duration_s), height), draw_blocks(blocks, timeline, STRIP_TOP, STRIP_HEIGHT)]
    return Chart(title, summary, drawing(parts), duration_s=timeline.duration_s, height=height)


def draw_blocks(blocks: Sequence[Block], timeline: Timeline, top: float, height: float) -> str:
    """Blocks with a hint each and texts where there is room; too many of them as one shape a colour."""
    boxes = [_box(block, timeline) for block in blocks]
    texts = [_text(block, box, top + height / 2 + 4) for block, box in zip(blocks, boxes, strict=True)]
    if len(blocks) > MAX_BLOCKS:
        return _shapes(blocks, timeline, top, height) + "".join(texts)
    rects = [
        f'<rect class="{block.style}" x="{x:.1f}" y="{top:g}" width="{width:.1f}" height="{height:g}"'
        f' data-time="{time_text(block.start_s)}"{_number(block)}><title>{escape(block.hint)}</title></rect>'
        for block, (x, width) in zip(blocks, boxes, strict=True)
    ]
    return "".join(rects + texts)


def _number(block: Block) -> str:
    return "" if block.number is None else f' data-section="{block.number}"'


def _text(block: Block, box: tuple[float, float], y: float) -> str:
    """The text of a block, or its short one, where there is room."""
    x, width = box
    text = next((one for one in (block.text, block.short) if one and width >= len(one) * LETTER + 3), "")
    if not text:
        return ""
    wide = " wide" if width >= len(text) * PHONE_LETTER + 4 else ""
    return f'<text class="in{wide}" x="{x + width / 2:.1f}" y="{y:g}">{escape(text)}</text>'


def _box(block: Block, timeline: Timeline) -> tuple[float, float]:
    """Left edge and width; a hair narrower than its time, so that neighbours stay apart."""
    x = timeline.x(block.start_s)
    return x, max(timeline.x(block.end_s) - x - 0.6, 0.6)


def _shapes(blocks: Sequence[Block], timeline: Timeline, top: float, height: float) -> str:
    """Strokes as thick as the blocks are high: they take half the bytes of rectangles."""
    by_style: dict[str, list[str]] = {}
    middle = top + height / 2
    for block in blocks:
        x, width = _box(block, timeline)
        by_style.setdefault(block.style, []).append(f"M{x:.1f} {middle:g}h{width:.1f}")
    return "".join(
        [f'<path class="{style}" stroke-width="{height:g}" d="{"".join(d)}"/>' for style, d in by_style.items()]
    )


def section_map(title: str, summary: str, blocks: Sequence[Block], timeline: Timeline) -> Chart | None:
    """Sections in a row, and an arc from each to the next one with the same letter."""
    if not blocks:
        return None
    pairs = _repeats(blocks)
    rises = [ARCS * max(0.25, min(1.0, 1.6 * (end - start) / timeline.duration_s)) for start, end, _ in pairs]
    top = max(rises, default=0.0) + STRIP_TOP
    arcs = "".join([_arc(pair, rise, top - 2, timeline) for pair, rise in zip(pairs, rises, strict=True)])
    height = round(top + STRIP_HEIGHT + 28)
    parts = [time_axis(Timeline(timeline.duration_s), height), arcs, draw_blocks(blocks, timeline, top, STRIP_HEIGHT)]
    note = "Sections of one letter and colour are the same music; arcs join them." if arcs else ""
    return Chart(title, summary, drawing(parts), note=note, duration_s=timeline.duration_s, height=height)


def _repeats(blocks: Sequence[Block]) -> list[tuple[float, float, str]]:
    """Middles of each block and of the next one of its kind, and their colour."""
    last: dict[str, float] = {}
    pairs = []
    for block in blocks:
        middle = (block.start_s + block.end_s) / 2
        if block.kind and block.kind in last:
            pairs.append((last[block.kind], middle, block.style))
        last[block.kind] = middle
    return pairs


def _arc(pair: tuple[float, float, str], rise: float, bottom: float, timeline: Timeline) -> str:
    """Half an ellipse."""
    x1, x2 = timeline.x(pair[0]), timeline.x(pair[1])
    d = f"M{x1:.1f} {bottom:.1f}A{(x2 - x1) / 2:.1f} {rise:.1f} 0 0 1 {x2:.1f} {bottom:.1f}"
    return f'<path class="arc {pair[2]}" d="{d}"/>'


def span_text(start_s: float, end_s: float) -> str:
    """A stretch of time as people read it."""
    return f"{clock(start_s)}–{clock(end_s)}"
