"""Badges: well-formed, readable by everybody, and wide enough for what they say."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from processor.feedback.badge import COLOURS, LABEL_COLOUR, NUMBER, badge, standing, text_width
from processor.feedback.check import Summary

SVG = "{http://www.w3.org/2000/svg}"


def drawn(label: str, text: str, style: str = "pass") -> ElementTree.Element:
    return ElementTree.fromstring(badge(label, text, style))


def texts(picture: ElementTree.Element) -> list[ElementTree.Element]:
    return list(picture.iter(f"{SVG}text"))


def test_it_says_what_it_is_about_and_how_that_stands() -> None:
    picture = drawn("mix", "passing")
    assert picture.tag == f"{SVG}svg"
    assert [text.text for text in texts(picture)] == ["mix", "passing"]
    assert picture.get("role") == "img"
    assert picture.get("aria-label") == "mix: passing"
    title = picture.find(f"{SVG}title")
    assert title is not None
    assert title.text == "mix: passing"


@pytest.mark.parametrize(
    ("counts", "text", "style"),
    [
        (Summary(12, 0, 0, 0), "passing", "pass"),
        (Summary(12, 1, 0, 3), "passing, 1 warning", "warn"),
        (Summary(12, 2, 0, 3), "passing, 2 warnings", "warn"),
        (Summary(12, 2, 1, 3), "1 failing", "fail"),
        (Summary(0, 0, 0, 9), "not checked", NUMBER),
        (Summary(0, 0, 0, 0), "not checked", NUMBER),
    ],
)
def test_standing(counts: Summary, text: str, style: str) -> None:
    assert standing(counts) == (text, style)


@pytest.mark.parametrize("style", list(COLOURS))
def test_each_style_has_its_colour(style: str) -> None:
    fills = {part.get("fill") for part in drawn("mix", "so", style)}
    assert {COLOURS[style], LABEL_COLOUR} <= fills


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colour", [*COLOURS.values(), LABEL_COLOUR])
def test_white_letters_can_be_read_on_it(colour: str) -> None:
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5


def test_no_two_styles_look_alike() -> None:
    assert len(set(COLOURS.values())) == len(COLOURS)
    signs = {badge("mix", "x", style).count("stroke=") for style in ("pass", NUMBER)}
    assert len(signs) == 2  # a number has no sign


@pytest.mark.parametrize("text", ["", "1", "passing", "W" * 40, "−13.8 LUFS", "日本語の曲", "e\u0301"])
def test_it_is_as_wide_as_its_text(text: str) -> None:
    picture = drawn("mix", text, NUMBER)
    width = float(picture.get("width", "0"))
    label, value = texts(picture)
    assert picture.get("viewBox") == f"0 0 {width:.1f} 22"
    label_end = float(label.get("x", "0")) + float(label.get("textLength", "0"))
    value_start = float(value.get("x", "0"))
    value_end = value_start + float(value.get("textLength", "0"))
    assert 12 <= value_start - label_end <= 20
    assert 6 <= width - value_end <= 10


def test_width_follows_the_letters() -> None:
    assert text_width("iii") < text_width("aaa") < text_width("WWW")
    assert text_width("e\u0301") == text_width("e")
    assert text_width("曲") > text_width("M")
    assert text_width("ab") == text_width("a") + text_width("b")


def test_hostile_text_is_text() -> None:
    hostile = "</text><script>alert(1)</script>\"'&\x00\u202e\n"
    code = badge(hostile, hostile, "pass")
    picture = ElementTree.fromstring(code)
    assert list(picture.iter(f"{SVG}script")) == []
    assert texts(picture)[0].text == "</text><script>alert(1)</script>\"'&\ufffd\ufffd"
    assert "<script" not in code


def test_a_long_text_is_cut() -> None:
    assert texts(drawn("mix", "x" * 500))[1].text == "x" * 79 + "…"


def test_it_loads_nothing() -> None:
    code = badge("mix", "passing", "pass").replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "http" not in code
    assert "href" not in code
    assert "@import" not in code
