"""A track in words: each threshold from both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from processor.analysis._ontology import all_tags, ancestors
from processor.analysis.key import KEYS
from processor.analysis.pumping import Pumping
from processor.prompt import tagged, words
from processor.prompt.facts import Phrase
from processor.prompt.swaps import vocabulary
from tests.libraries import invented
from tests.prompt.songs import deep_results, fast_results


def said(function: Callable[..., Iterable[Phrase]], *more: Any, **changes: Any) -> list[str]:
    return [phrase.text for phrase in function(fast_results(**changes), *more)]


@pytest.mark.parametrize(
    ("bpm", "text", "pace"),
    [
        (60, "60 BPM", "very slow"),
        (80.4, "80 BPM", "slow"),
        (100, "100 BPM", "mid-tempo"),
        (178.6, "179 BPM", "very fast"),
    ],
)
def test_tempo(bpm: float, text: str, pace: str) -> None:
    # With as many onsets a beat, so that fast is fast.
    found = said(words.tempo, beats__tempo_bpm=bpm, transients__onset_rate=bpm / 30, production__density=95.0)
    assert found == [text, pace]


def test_doubtful_missing_and_free_tempi() -> None:
    assert said(words.tempo, beats__confidence=0.4)[0] == "around 124 BPM"
    assert said(words.tempo, beats__tempo_bpm=None) == ["free time without a steady beat"]
    assert said(words.tempo, beats__stability=0.1, beats__confidence=0.5) == ["free time without a steady beat"]
    assert said(words.tempo, beats__stability=0.1, beats__confidence=0.9)[0] == "124 BPM"


def test_a_quick_beat_with_few_notes_is_unhurried() -> None:
    assert said(words.tempo, beats__tempo_bpm=154.0, transients__onset_rate=0.9)[1] == "unhurried"


@pytest.mark.parametrize(("metre", "text"), [(3, "waltz time (3/4)"), (6, "6/8 time"), (7, "7/8 time")])
def test_metre(metre: int, text: str) -> None:
    assert said(words.tempo, beats__metre=metre)[-1] == text
    assert text not in said(words.tempo, beats__metre=metre, beats__downbeat_confidence=0.3)


def test_keys_are_words_without_signs() -> None:
    assert {words.key_words(name) for name in KEYS} >= {"C major", "B-flat minor", "F-sharp minor", "E-flat major"}
    assert not any(set(words.key_words(name)) & {"#", "♭"} for name in KEYS)
    assert said(words.key) == ["B-flat minor"]


def test_a_doubtful_key_is_only_a_mode() -> None:
    assert said(words.key, key__confidence=0.3, key__runner_up="Eb minor") == ["minor key"]
    assert said(words.key, key__confidence=0.3, key__runner_up="Db major") == []
    assert said(words.key, key__name=None) == []
    assert said(words.key, key__name="H minor") == []


def test_mood_goes_from_calm_to_intense_and_by_mode() -> None:
    calm = {"beats__tempo_bpm": 60.0, "transients__onset_rate": 0.5, "production__density": 30.0}
    hard = {"beats__tempo_bpm": 160.0, "transients__onset_rate": 6.0, "production__density": 95.0}
    found = {
        (mode, len(changes)): tuple(said(words.mood, key__name=f"C {mode}", loudness__plr_db=plr, **changes))
        for mode in ("major", "minor")
        for changes, plr in ((calm, 20.0), ({**hard, "beats__metre": 4}, 9.0))
    }
    assert found["minor", 3] == vocabulary().moods["calm-minor"]
    assert found["major", 4] == vocabulary().moods["intense-major"]
    assert len(set(found.values())) == 4


@pytest.mark.parametrize(
    ("function", "changes", "text"),
    [
        (words.timing, {"beats__stability": 0.5}, "freely moving rubato tempo"),
        (words.timing, {"beats__stability": 0.85}, "slightly loose human timing"),
        (words.tone, {"spectrum__sub_share": 5.0, "spectrum__bass_share": 55.0}, "heavy low end"),
        (words.tone, {"spectrum__sub_share": 0.0, "spectrum__bass_share": 10.0}, "light low end"),
        (words.tone, {"spectrum__low_mids_share": 40.0}, "warm rich midrange"),
        (words.tone, {"spectrum__air_db": -25.0}, "bright crisp top end"),
        (words.tone, {"spectrum__high_mids_db": -30.0}, "dark soft top end"),
        (words.space, {"stereo__is_mono": True}, "mono recording"),
        (words.space, {"production__width": 30.0}, "wide stereo image"),
        (words.space, {"production__width": 3.0}, "narrow stereo image"),
        (words.space, {"production__decay_s": 2.0}, "long hall reverb"),
        (words.attack, {"transients__punch_db": None, "transients__attack_strength_db": 3.0}, "soft legato attacks"),
        (words.attack, {"transients__onset_rate": 6.0}, "busy intricate rhythm"),
        (words.dynamics, {"loudness__range_lu": 3.0, "loudness__plr_db": 9.0}, "loud compressed master"),
        (words.dynamics, {"loudness__range_lu": 5.0, "loudness__plr_db": 17.0}, "open uncompressed mix"),
        (words.dynamics, {"production__density": 95.0}, "continuous full texture"),
        (words.colour, {"production__saturation_db": 3.0}, "warm saturation"),
        (words.colour, {"production__saturation_db": 7.0}, "heavy distortion"),
    ],
)
def test_a_measure_has_its_word(function: Callable[..., Any], changes: dict[str, Any], text: str) -> None:
    assert text in said(function, **changes)
    assert text not in said(function)


def test_pumping() -> None:
    pumping = replace(invented(Pumping), depth_db=3.0, confidence=0.8)
    assert [p.text for p in words.colour({"pumping": pumping})] == ["side-chained pumping on the beat"]
    assert not [*words.colour({"pumping": replace(pumping, confidence=0.2)})]


def test_one_source_is_drums_or_a_soloist() -> None:
    drums = said(words.scoring, material__kind="solo", key__name=None)
    assert drums == ["unaccompanied drums and percussion"]
    assert said(words.scoring, material__kind="solo") == ["solo performance by one voice or instrument"]


def test_tags_that_did_not_stand_are_not_said() -> None:
    found = {phrase.text for phrase in tagged.tags(deep_results())}
    assert found == {"female vocals", "synthesizer pad", "techno", "dark", "banjo", "1980s style"}
    doubtful = deep_results(tags__confidences=(0.95, 0.93, 0.9, 0.85, 0.8, 0.4, 0.3, 0.7))
    assert "banjo" not in {phrase.text for phrase in tagged.tags(doubtful)}


def test_a_voice_that_is_not_there_has_no_tags() -> None:
    assert "female vocals" not in {phrase.text for phrase in tagged.tags(deep_results(vocals__present=False))}
    assert not [*tagged.voice(deep_results(vocals__present=None))]
    assert [p.text for p in tagged.voice(deep_results(vocals__share=0.1))] == ["occasional sung lead vocals"]


def test_every_leading_instrument_can_be_swapped_for_another() -> None:
    rhythm = {"drums", "percussion", "bass"}
    leading = [
        name
        for name, tag in all_tags().items()
        if tag.category == "instrument" and not ({name, *ancestors(all_tags(), name)} & rhythm)
    ]
    swaps = vocabulary().leads
    assert set(leading) <= set(swaps)
    assert all(before != after for before, after in swaps.items())


@pytest.mark.parametrize(
    ("file", "title", "named"),
    [
        ("Grault - Night.wav", None, "grault"),
        ("x.wav", "Night (feat. Grault)", "grault"),
        ("x.wav", "Night [Grault Remix]", "grault"),
        ("Fnord Grault_-_Night.wav", None, "fnord grault"),
    ],
)
def test_names_are_found_where_they_hide(file: str, title: str | None, named: str) -> None:
    names = tagged.names_in(fast_results(metadata__title=title), {}, file)
    assert tagged.is_named(f"a {named} song", names)
    assert not tagged.is_named("a night song", names)
