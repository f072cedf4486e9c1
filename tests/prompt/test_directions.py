"""Directions for sections: they follow the energy, name what enters and leaves, and differ where the music does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from processor.prompt.composer import compose
from processor.prompt.directions import directions, form, headers
from processor.prompt.facts import Direction
from processor.prompt.parts import Part, parts_of
from processor.prompt.targets import DEFAULT, target_named
from tests.prompt.songs import LEVELS_LUFS, PARTS_S, by_second, deep_results, fast_results, song

PLAIN = Part("section", "A", 0.0, 20.0, -14.0, 0.0, {}, {}, (), None, {})


def directed(results: dict[str, Any]) -> dict[str, Direction]:
    return {one.header: one for one in directions(parts_of(results), results, 9)}


def test_energy_follows_the_measured_arc() -> None:
    found = directed(fast_results())
    assert list(found) == ["Intro", "Verse", "Chorus", "Break", "Outro"]
    assert "very quiet" in found["Intro"].text
    assert "medium energy" in found["Verse"].text
    assert "full energy at the peak" in found["Chorus"].text
    assert "drops back" in found["Break"].text
    assert "lifts at once" in found["Verse"].text


def test_the_evidence_is_the_level_of_the_section() -> None:
    for one, level in zip(directed(fast_results()).values(), LEVELS_LUFS, strict=True):
        [energy] = [phrase for phrase in one.phrases if phrase.topic == "energy"]
        [proof] = energy.evidence
        assert proof.field == "loudness.short_term_lufs"
        assert isinstance(proof.value, float)
        assert abs(proof.value - level) < 0.01
        assert (proof.start_s, proof.end_s) == (one.start_s, one.end_s)


def test_without_a_voice_there_is_no_delivery() -> None:
    for is_sung, are_there in ((True, True), (False, False)):
        found = directed(deep_results(vocals__present=is_sung))
        topics = {phrase.topic for one in found.values() for phrase in one.phrases}
        assert ("delivery" in topics) == are_there


def test_an_even_track_has_no_arc() -> None:
    found = directed(fast_results(loudness__short_term_lufs=by_second((-14.0,) * 5)))
    told = " ".join(one.text for one in found.values())
    assert "steady energy from start to end" in found["Intro"].text
    for words in ("peak", "quiet", "lifts", "drops"):
        assert words not in told


def test_what_is_denser_reads_denser_and_what_is_not_does_not() -> None:
    found = directed(fast_results())
    assert "fuller arrangement" in found["Chorus"].text
    assert "busier rhythm" in found["Chorus"].text
    assert "arrangement" not in found["Verse"].text
    even = directed(fast_results(production__density_by_second=by_second((60.0,) * 5)))
    assert "arrangement" not in " ".join(one.text for one in even.values())


def test_sections_that_differ_read_differently() -> None:
    texts = [one.text for one in directed(fast_results()).values()]
    assert len(set(texts)) == len(texts)


def test_the_same_music_reads_the_same() -> None:
    again = replace(PLAIN, role="verse", means={"density": 50.0})
    quiet = replace(again, role="chorus", letter="B", level_lufs=-20.0, means={"density": 20.0})
    first, _, third = directions((again, quiet, replace(again)), {}, 9)
    assert first.text.split(", ")[0] == third.text.split(", ")[0] == "full energy at the peak of the track"


def test_a_section_never_stays_empty() -> None:
    for one in directions((PLAIN, replace(PLAIN, letter="B"), replace(PLAIN, letter="C")), {}, 9):
        assert one.text


def test_stems_enter_and_leave() -> None:
    found = directed(deep_results())
    assert "no drums yet" in found["Intro"].text
    assert "drums enter" in found["Chorus"].text
    assert "drums drop out" in found["Break"].text
    assert "bass" not in " ".join(one.text for one in found.values())


def test_a_stem_that_is_not_there_is_not_named() -> None:
    found = directed(deep_results(stems__present=(False, True, True, True)))
    assert "drums" not in " ".join(one.text for one in found.values())


def test_a_stem_may_enter_half_way() -> None:
    results = deep_results()
    levels = results["stems"].levels_db.copy()
    levels[0] = np.where(np.arange(levels.shape[1]) >= 650, -15.0, -90.0)
    found = directed(results | {"stems": replace(results["stems"], levels_db=levels)})
    assert "drums come in half-way" in found["Chorus"].text


def test_instruments_come_to_the_fore() -> None:
    results = deep_results()
    found = directions(parts_of(results), results, 9, ["synthesizer pad", "banjo", "violin"])
    told = {one.header: one.text for one in found}
    assert "banjo to the fore" in told["Intro"]
    assert "synthesizer pad to the fore" in told["Break"]
    assert sum("to the fore" in text for text in told.values()) == 2
    assert "fore" not in " ".join(one.text for one in directions(parts_of(results), results, 9))


def test_brightness_is_told_where_it_changes() -> None:
    hz = np.where(np.arange(120) < 80, 1500.0, 800.0)
    found = directed(deep_results(frames__brightness_hz=hz))
    assert "filtered" in found["Outro"].text or "darker" in found["Outro"].text
    assert "dark" not in found["Verse"].text


def test_the_voice_enters_rests_and_changes() -> None:
    found = directed(deep_results())
    assert "no vocals" in found["Intro"].text
    assert "vocals enter" in found["Verse"].text
    assert "long held vocal notes" in found["Verse"].text
    assert "voice in a low close register" in found["Verse"].text
    assert "quick syllabic delivery" in found["Chorus"].text
    assert "no vocals" in found["Break"].text


def test_nothing_is_said_of_a_voice_that_nobody_listened_for() -> None:
    assert "vocal" not in compose(song(), {}, target_named(DEFAULT)).lyrics


def test_slopes_are_told() -> None:
    rising = by_second((-26.0, -16.0, -10.0, -20.0, -24.0))
    rising[16:45] = np.linspace(-24, -12, 29)
    rising[94:] = np.linspace(-16, -40, rising.size - 94)
    found = directed(fast_results(loudness__short_term_lufs=rising))
    assert "builds steadily" in found["Verse"].text
    assert "fades out" in found["Outro"].text


def test_headers() -> None:
    verse, chorus = replace(PLAIN, role="verse"), replace(PLAIN, role="chorus")
    bridge = replace(PLAIN, role="bridge", letter="F")
    parts = (verse, chorus, verse, bridge, bridge)
    assert headers(parts, None) == ["Verse 1", "Chorus", "Verse 2", "Bridge", "Theme F"]
    assert headers(parts, False)[:3] == ["Theme A", "Main Theme", "Theme A"]
    sung, unsung = replace(PLAIN, voice=0.9), replace(PLAIN, role="verse", voice=0.0)
    assert headers((sung, unsung), True) == ["Verse", "Instrumental"]
    assert headers((PLAIN,), None) == ["Theme"]
    quiet = replace(PLAIN, level_lufs=-24.0)
    assert headers((quiet, PLAIN, replace(quiet), PLAIN, replace(quiet)), None)[::2] == ["Intro", "Break", "Outro"]


def test_form_in_words() -> None:
    phrase = form(parts_of(fast_results()))
    assert phrase is not None
    assert phrase.text == "quiet opening, loudest in the middle, one breakdown, quiet ending"
    assert len(phrase.evidence) == len(PARTS_S)
    assert form((PLAIN,)) is None
