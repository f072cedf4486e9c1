"""A small writer of PNG pictures with a palette, and the palette in which loud is bright.

A picture is a matrix of numbers; a library for drawing would take longer to import than all pictures of an album
take to write.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

# From night to daylight by way of blue and green: lightness rises all along, so that the order can be told without
# telling colours apart, and no step is between red and green. Shares of red, green and blue, evenly spaced.
CONTROL_POINTS = (
    (10, 9, 32),
    (38, 31, 92),
    (44, 66, 131),
    (31, 104, 142),
    (24, 141, 136),
    (55, 176, 111),
    (141, 206, 80),
    (246, 231, 82),
)
SHADES = 256
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE_COLOURS = 3  # the colour type of pictures with a palette (PNG specification, 11.2.2)


def palette(shades: int = SHADES) -> Pixels:
    """Colours from dark to bright, shape `(shades, 3)`: red, green, blue."""
    points = np.array(CONTROL_POINTS, np.float64)
    at = np.linspace(0, len(points) - 1, shades)
    columns = [np.interp(at, np.arange(len(points)), points[:, colour]) for colour in range(3)]
    return np.round(np.stack(columns, axis=1)).astype(np.uint8)


def shades_of(values: NDArray[np.float64], low: float, high: float) -> Pixels:
    """Numbers as indices into a palette: `low` and less is 0, `high` and more is the last; what is no number is 0."""
    share = np.nan_to_num((values - low) / (high - low), nan=0.0)
    return np.round(np.clip(share, 0, 1) * (SHADES - 1)).astype(np.uint8)


def write_png(rows: Pixels, colours: Pixels) -> bytes:
    """A picture as the bytes of a PNG file, the same for the same picture.

    Args:
        rows: index of each pixel's colour, the top row first, shape `(height, width)`; neither is 0.
        colours: at most 256, shape `(n, 3)`.
    """
    height, width = rows.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _PALETTE_COLOURS, 0, 0, 0)
    # Each row begins with the number of its filter. With a palette, neighbours are not alike as numbers: 0, none.
    lines = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1).tobytes()
    parts = ((b"IHDR", header), (b"PLTE", colours.tobytes()), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, content) for name, content in parts)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
