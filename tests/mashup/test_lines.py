"""Where voices breathe: gaps, words, parts that are too long, bleed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from processor.mashup.lines import RATE, Line, Words, bleed_lufs, lines_of

Vector = NDArray[np.float64]


def voice(*parts: tuple[float, float]) -> Vector:
    """Power of stretches of a level in LUFS and a length in seconds."""
    return np.concatenate([np.full(round(length * RATE), 10 ** ((lufs + 0.691) / 10)) for lufs, length in parts])


def words(*spans: tuple[float, float]) -> Words:
    """Lines of words."""
    return Words(np.array(spans, np.float64).reshape(-1, 2), tuple(f"words {n}" for n in range(len(spans))))


def cut(power: Vector, known: Words | None = None, **more: object) -> tuple[Line, ...]:
    """The lines of a voice."""
    return lines_of(power, power.size / RATE, known or words(), **more)  # type: ignore[arg-type]


def test_breaths_cut_and_stops_do_not() -> None:
    found = cut(voice((-80, 1), (-20, 2), (-70, 0.08), (-20, 1), (-70, 0.5), (-22, 2), (-80, 3)))
    assert len(found) == 2
    assert found[0].sounds_from_s == pytest.approx(1.0, abs=0.03)
    assert found[0].sounds_to_s == pytest.approx(4.08, abs=0.03)
    assert found[1].sounds_from_s == pytest.approx(4.58, abs=0.03)


def test_lines_begin_and_end_in_the_silence_and_never_overlap() -> None:
    found = cut(voice((-80, 3), (-20, 2), (-80, 0.3), (-20, 2), (-80, 5), (-20, 2), (-80, 1)))
    assert len(found) == 3
    for line in found:
        assert line.start_s < line.sounds_from_s < line.sounds_to_s < line.end_s
    assert all(one.end_s <= other.start_s for one, other in itertools.pairwise(found))
    # Room for an upbeat, and for the tail of a hall.
    assert found[2].sounds_from_s - found[2].start_s == pytest.approx(0.4, abs=0.01)
    assert found[1].end_s - found[1].sounds_to_s == pytest.approx(2.0, abs=0.01)


def test_a_hall_that_sounds_on_in_a_breath_does_not_hide_it() -> None:
    tail = np.linspace(-44, -50, 6)
    power = voice((-80, 1), (-20, 3), *((float(level), 0.1) for level in tail), (-20, 3), (-80, 1))
    assert len(cut(power)) == 2


def test_bleed_between_the_lines_is_no_voice() -> None:
    power = voice((-48, 5), (-20, 3), (-48, 2), (-21, 3), (-48, 5))
    found = cut(power)
    assert [round(line.sounds_from_s) for line in found] == [5, 10]
    level = bleed_lufs(power, found)
    assert level == pytest.approx(-48.0, abs=0.1)


def test_silence_between_the_lines_has_no_bleed() -> None:
    power = voice((-90, 2), (-20, 3), (-90, 2))
    assert bleed_lufs(power, cut(power)) is None
    loud = voice((-20, 3))
    assert bleed_lufs(loud, cut(loud)) is None


def test_a_gap_within_a_line_of_words_does_not_cut_it_and_its_words_come_along() -> None:
    power = voice((-80, 1), (-20, 2), (-80, 0.5), (-20, 2), (-80, 0.5), (-20, 2), (-80, 1))
    assert len(cut(power)) == 3
    found = cut(power, words((0.9, 5.6), (5.9, 8.0)))
    assert [line.text for line in found] == ["words 0", "words 1"]
    assert found[0].sounds_to_s == pytest.approx(5.5, abs=0.03)


def test_a_long_silence_cuts_even_a_line_of_words() -> None:
    power = voice((-80, 1), (-20, 2), (-80, 1.5), (-20, 2), (-80, 1))
    assert len(cut(power, words((0.9, 6.6)))) == 2


def test_what_is_written_down_as_one_line_of_half_a_minute_is_cut_at_its_breaths() -> None:
    power = voice((-80, 1), *[(-20, 4), (-80, 0.5)] * 5, (-80, 1))
    assert len(cut(power, words((1.0, 23.4)))) == 5


def test_a_line_without_a_breath_is_cut_at_its_deepest_dip_near_a_bar() -> None:
    power = voice((-20, 7), (-36, 0.1), (-20, 2), (-37, 0.1), (-20, 7))
    assert len(cut(power)) == 2
    assert cut(power)[0].end_s == pytest.approx(9.15, abs=0.06)
    near_bar = cut(power, downbeats_s=np.array([5.05, 7.05, 11.05]), beat_s=0.5)
    assert near_bar[0].end_s == pytest.approx(7.05, abs=0.06)
    assert near_bar[0].end_s == near_bar[1].start_s


def test_a_line_without_a_dip_is_left_whole() -> None:
    power = voice((-20, 15), (-27, 0.1), (-20, 15))
    assert len(cut(power)) == 1


def test_a_dip_within_words_is_no_place_to_cut() -> None:
    power = voice((-20, 9), (-40, 0.1), (-20, 9))
    assert len(cut(power)) == 2
    assert len(cut(power, words((8.0, 10.5)))) == 1


def test_an_upbeat_belongs_to_its_line_and_a_click_is_none() -> None:
    found = cut(voice((-80, 1), (-22, 0.2), (-80, 0.3), (-20, 3), (-80, 2), (-20, 0.05), (-80, 2)))
    assert len(found) == 1
    assert found[0].sounds_from_s == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("power", [np.zeros(0), np.zeros(3), np.zeros(1000), voice((-75, 5))])
def test_silence_has_no_lines(power: Vector) -> None:
    assert cut(power) == ()
    assert bleed_lufs(power, ()) is None


def test_a_voice_that_fills_the_file_is_one_line_up_to_its_ends() -> None:
    found = cut(voice((-20, 4)))
    assert len(found) == 1
    assert (found[0].start_s, found[0].end_s) == (0.0, 4.0)
