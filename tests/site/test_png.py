"""PNG files are read back by another decoder, and the colours can be told apart by everybody."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from processor.site.png import CONTROL_POINTS, Pixels, palette, shades_of, write_png


def read(content: bytes) -> Pixels:
    """The picture as FFmpeg sees it, shape `(height, width, 3)`."""
    with av.open(io.BytesIO(content), format="png_pipe") as file:
        frame = next(file.decode(video=0))
        pixels: Pixels = frame.to_ndarray(format="rgb24")
        return pixels


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (31, 800), (12, 3), (257, 2)])
def test_another_decoder_sees_the_same_picture(shape: tuple[int, int]) -> None:
    rows = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    assert np.array_equal(read(write_png(rows, palette())), palette()[rows])


def test_few_colours_are_enough() -> None:
    colours = np.array([[1, 2, 3], [250, 128, 0]], np.uint8)
    rows = np.array([[0, 1, 0]], np.uint8)
    assert np.array_equal(read(write_png(rows, colours)), colours[rows])


def test_the_same_picture_has_the_same_bytes() -> None:
    rows = np.arange(600, dtype=np.uint8).reshape(20, 30)
    assert write_png(rows, palette()) == write_png(rows.copy(), palette())
    assert write_png(rows, palette()) != write_png(rows[::-1], palette())


def test_a_flat_picture_is_small() -> None:
    assert len(write_png(np.zeros((31, 800), np.uint8), palette())) < 1200


def lightness(colours: NDArray[np.floating]) -> NDArray[np.float64]:
    """Relative luminance of sRGB (WCAG 2.2)."""
    share = np.asarray(colours, np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ [0.2126, 0.7152, 0.0722])


def test_louder_is_always_brighter() -> None:
    assert palette().shape == (256, 3)
    assert (np.diff(lightness(palette())) > -1e-3).all()
    assert (np.diff(lightness(palette()[::8])) > 0).all()
    assert lightness(palette())[0] < 0.01
    assert lightness(palette())[-1] > 0.7


def test_the_ends_of_the_palette_are_its_control_points() -> None:
    assert tuple(palette()[0]) == CONTROL_POINTS[0]
    assert tuple(palette(64)[-1]) == CONTROL_POINTS[-1]


def test_numbers_become_shades() -> None:
    values = np.array([-90.0, -60.0, -30.0, 0.0, 5.0, np.nan])
    assert shades_of(values, -60, 0).tolist() == [0, 0, 128, 255, 255, 0]
