"""The parts that a prompt follows: sections without scraps, and their means."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from processor.prompt.parts import MOST_PARTS, arc, parts_of
from tests.prompt.songs import LEVELS_LUFS, PARTS_S, SECONDS, by_second, deep_results, fast_results, form


def with_sections(edges: list[float], letters: str, roles: tuple[str, ...] | None = None) -> dict[str, Any]:
    spans = np.stack([edges[:-1], edges[1:]], axis=1)
    names = tuple("silence" if letter == "-" else letter for letter in letters)
    found = roles or tuple("silence" if letter == "-" else "section" for letter in letters)
    return fast_results() | {"sections": form(spans, names, found)}


def test_each_part_has_its_means() -> None:
    parts = parts_of(fast_results())
    assert [(part.start_s, part.end_s) for part in parts] == [tuple(span) for span in PARTS_S.tolist()]
    assert [part.level_lufs for part in parts] == pytest.approx(LEVELS_LUFS, abs=0.01)
    assert [round(part.means["onsets"], 1) for part in parts] == [1.0, 3.0, 6.0, 1.0, 1.0]
    assert all(part.voice is None and not part.playing for part in parts)


def test_silence_is_no_part() -> None:
    parts = parts_of(with_sections([0, 3, 60, 117, 120], "-AB-"))
    assert [part.letter for part in parts] == ["A", "B"]


def test_scraps_are_joined_to_the_nearer_neighbour() -> None:
    parts = parts_of(with_sections([0, 16, 48, 50, 80, 120], "ABXCD"))
    assert [part.letter for part in parts] == ["A", "B", "C", "D"]
    assert parts[2].start_s == 48.0


def test_the_same_music_at_the_same_level_is_one_part() -> None:
    assert len(parts_of(with_sections([48, 60, 80], "AA"))) == 1
    assert len(parts_of(with_sections([48, 80, 96], "AA"))) == 2


def test_there_are_never_too_many() -> None:
    edges = np.linspace(0, SECONDS, 25).tolist()
    parts = parts_of(with_sections(edges, "ABCDEFGHIJKLMNOPQRSTUVWX"))
    assert len(parts) == MOST_PARTS
    assert (parts[0].start_s, parts[-1].end_s) == (0.0, float(SECONDS))


def test_without_sections_the_track_is_one_part() -> None:
    [part] = parts_of({name: result for name, result in fast_results().items() if name != "sections"})
    assert (part.start_s, part.end_s) == (0.0, float(SECONDS))
    assert parts_of({}) == ()


def test_stems_and_voice() -> None:
    intro, verse, chorus, *_ = parts_of(deep_results())
    assert intro.playing["drums"] == 0.0
    assert chorus.playing["drums"] == pytest.approx(1.0)
    assert verse.voice == pytest.approx(1.0)
    assert intro.voice == 0.0


def test_the_arc_does_not_depend_on_length_or_level() -> None:
    first = np.array(arc(fast_results(), 16))
    louder = fast_results(loudness__short_term_lufs=by_second(tuple(level + 5 for level in LEVELS_LUFS)))
    assert np.array(arc(louder, 16)) == pytest.approx(first, abs=0.1)
    longer = fast_results(loudness__short_term_lufs=np.repeat(by_second(LEVELS_LUFS), 2))
    assert np.array(arc(longer, 16)) == pytest.approx(first, abs=0.3)
    assert first.mean() == pytest.approx(0.0, abs=0.1)
    assert first.argmax() in range(6, 11)


def test_gaps_are_silence() -> None:
    curve = by_second(LEVELS_LUFS)
    curve[:16] = np.nan
    found = arc(fast_results(loudness__short_term_lufs=curve), 16)
    assert len(found) == 16
    assert np.isfinite(found).all()
    assert parts_of(fast_results(loudness__short_term_lufs=curve))[0].level_lufs is None
    assert arc(fast_results(loudness__short_term_lufs=np.full(100, np.nan)), 16) == ()
