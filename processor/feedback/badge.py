"""A badge: a small picture that says how a mix stands, for a README or a page."""

from __future__ import annotations

import unicodedata
from html import escape

from processor.feedback.check import FAIL, PASS, WARN, Summary
from processor.files import printable

NUMBER = "number"
# White letters on each have a contrast of at least 4.5 (WCAG 2.2, 1.4.3).
COLOURS = {PASS: "#1a7f37", WARN: "#9a6700", FAIL: "#cf222e", NUMBER: "#0550ae"}
LABEL_COLOUR = "#2b3137"
HEIGHT, LETTERS = 22, 11
PADDING, DISC = 8, 14
MAX_CHARACTERS = 80

# Advance widths of Verdana, the widest of the fonts that are asked for, in pixels at 11 px. What is not named here is
# as wide as a capital letter.
_WIDTHS = {
    **dict.fromkeys("ijl'|", 3.1),
    **dict.fromkeys("Ift.,:;! /\\()[]", 4.8),
    **dict.fromkeys('rJ-"', 5.0),
    **dict.fromkeys("cskvxyz", 6.2),
    **dict.fromkeys("abdeghnopqu0123456789?_$*", 7.0),
    **dict.fromkeys("mwMWGOQ", 9.6),
    **dict.fromkeys("%@", 11.8),
    **dict.fromkeys("+−=<>≤≥~#", 9.0),
}
_CAPITAL, _FULL_WIDTH = 7.8, 11.5

# What stands before the text; drawn, because not every font has them.
_SIGNS = {
    PASS: '<path d="M0 5l3 3 6-7" fill="none" stroke="#fff" stroke-width="1.8"/>',
    WARN: '<path d="M4.5 0L9 8.5H0zM4.5 3v2.6" fill="none" stroke="#fff" stroke-width="1.2"/>',
    FAIL: '<path d="M1 1l7 7M8 1L1 8" fill="none" stroke="#fff" stroke-width="1.8"/>',
}
_SIGN_WIDTH = 14


def standing(counts: Summary) -> tuple[str, str]:
    """What a badge says of checks, and its style."""
    if counts.failed:
        return f"{counts.failed} failing", FAIL
    if counts.warnings:
        return f"passing, {counts.warnings} warning" + "s" * (counts.warnings != 1), WARN
    if not counts.passed:
        return "not checked", NUMBER
    return "passing", PASS


def badge(label: str, text: str, style: str) -> str:
    """Draw a badge as SVG.

    Args:
        label: what it is about, on the left: "mix".
        text: what is said of it, on the right: "passing", "−13.8 LUFS".
        style: "pass", "warn", "fail" or NUMBER.
    """
    label, text = _shown(label), _shown(text)
    sign = _SIGNS.get(style, "")
    label_x, text_x = PADDING + DISC + 5.0, float(PADDING + (_SIGN_WIDTH if sign else 0))
    left = label_x + text_width(label) + PADDING
    width = left + text_x + text_width(text) + PADDING
    middle = HEIGHT / 2
    title = escape(f"{label}: {text}")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.1f}" height="{HEIGHT}" '
        f'viewBox="0 0 {width:.1f} {HEIGHT}" role="img" aria-label="{title}">',
        f"<title>{title}</title>",
        f'<rect width="{width:.1f}" height="{HEIGHT}" rx="4" fill="{LABEL_COLOUR}"/>',
        f'<path d="M{left:.1f} 0H{width - 4:.1f}a4 4 0 0 1 4 4v{HEIGHT - 8}a4 4 0 0 1-4 4H{left:.1f}z" '
        f'fill="{COLOURS[style]}"/>',
        _disc(PADDING + DISC / 2, middle),
        f'<g transform="translate({left + PADDING:.1f} {middle - 4.5:.1f})">{sign}</g>' if sign else "",
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="{LETTERS}" aria-hidden="true">',
        _line(label, label_x),
        _line(text, left + text_x),
        "</g>",
        "</svg>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def text_width(text: str) -> float:
    """About how wide a text is, in pixels."""
    return sum(_letter_width(letter) for letter in text)


def _letter_width(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    if unicodedata.east_asian_width(letter) in "WF":
        return _FULL_WIDTH
    return _WIDTHS.get(letter, _CAPITAL)


def _shown(text: str) -> str:
    text = printable(" ".join(text.split()))
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"


def _line(text: str, x: float) -> str:
    """A text that fills the width it was given, whatever font there is."""
    width = f' textLength="{text_width(text):.1f}" lengthAdjust="spacingAndGlyphs"' if text else ""
    return f'<text x="{x:.1f}" y="{HEIGHT / 2 + 4:g}"{width}>{escape(text)}</text>'


def _disc(x: float, y: float) -> str:
    """A record."""
    rings = "".join(
        f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="none" stroke="#8b949e" stroke-width=".6"/>'
        for radius in (3.7, 5.3)
    )
    return (
        f'<circle cx="{x:g}" cy="{y:g}" r="{DISC / 2:g}" fill="#0d1117"/>{rings}'
        f'<circle cx="{x:g}" cy="{y:g}" r="2.2" fill="#d29922"/><circle cx="{x:g}" cy="{y:g}" r=".6" fill="#0d1117"/>'
    )
