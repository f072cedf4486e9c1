"""What a track is in a few words: states, and the numbers of the side bar with how sure they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from processor.analysis import result_types
from processor.record import Failure, Record
from processor.site.about import Fact, facts, percent, states
from tests.libraries import invented

CALM = {
    "levels__clipped_samples": 0,
    "levels__is_silent": False,
    "spectrum__looks_lossy": False,
    "stereo__is_mono": False,
    "stereo__negative_s": 0.0,
    "source__channels": 2,
}


def results(**changes: Any) -> dict[str, Any]:
    found = {name: invented(kind) for name, kind in result_types().items()}
    for key, value in (CALM | changes).items():
        name, _, field = key.partition("__")
        found[name] = replace(found[name], **{field: value})
    return found


def texts(failures: dict[str, Failure] | None = None, **changes: Any) -> list[str]:
    return [state.text for state in states(Record("track", "0", "x.wav", results(**changes), {}, failures or {}))]


def fact(label: str, said: dict[str, Any] | None = None, **changes: Any) -> Fact:
    return next(one for one in facts(results(**changes), said or {}) if one.label == label)


def test_a_calm_track_has_one_state() -> None:
    assert texts() == ["deep analysis done"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"source__partial": True}, "partial"),
        ({"source__streamed": True}, "streamed"),
        ({"source__channels": 1, "stereo__is_mono": True}, "mono"),
        ({"stereo__is_mono": True}, "mono"),
        ({"source__channels": 6}, "6 channels"),
        ({"levels__is_silent": True}, "silent"),
        ({"levels__clipped_samples": 12}, "clipped"),
        ({"spectrum__looks_lossy": True}, "looks lossy"),
        ({"stereo__negative_s": 61.0}, "out of phase 1:01"),
    ],
)
def test_what_a_person_should_know_first(changes: dict[str, Any], text: str) -> None:
    assert texts(**changes) == ["deep analysis done", text]


def test_failures_come_before_what_was_skipped() -> None:
    skipped, failed = Failure("skipped", "needs beats"), Failure("failed", "ValueError")
    assert texts({"key": skipped}) == ["1 skipped"]
    assert texts({"key": skipped, "beats": failed}) == ["1 failed"]


def test_what_is_not_known_is_a_dash() -> None:
    assert fact("Tempo", beats__tempo_bpm=None).text == "—"
    assert fact("Tempo", beats__tempo_bpm=None, beats__confidence=0.1).hint == ""
    assert facts({}, {}) == []


def test_a_sure_tempo_says_how_sure_and_a_weak_one_what_else_it_may_be() -> None:
    sure = fact("Tempo", beats__tempo_bpm=120.0, beats__confidence=0.93)
    assert (sure.text, sure.unit, sure.hint, sure.is_weak) == ("120.0", "BPM", "93\u00a0% sure", False)
    weak = fact("Tempo", beats__tempo_bpm=120.0, beats__confidence=0.5, beats__candidates=(120.0, 60.0))
    assert (weak.hint, weak.is_weak) == ("50\u00a0% sure, else 60.0", True)


def test_a_weak_key_names_its_runner_up() -> None:
    known = {"key__name": "A minor", "key__runner_up": "C major", "key__runner_up_camelot": "8B"}
    assert fact("Key", key__confidence=0.69, **known).hint == "69\u00a0% sure, else C major (8B)"
    assert fact("Key", key__confidence=0.7, **known).hint == "70\u00a0% sure"


def test_a_persons_word_is_not_doubted() -> None:
    tempo = fact("Tempo", {"beats.tempo_bpm": 90.0}, beats__tempo_bpm=90.0, beats__confidence=0.1)
    assert (tempo.is_said, tempo.hint) == (True, "")
    key = fact("Key", {"key.name": "A minor"}, key__name="A minor", key__confidence=0.1)
    assert (key.is_said, key.hint) == (True, "")


@pytest.mark.parametrize(("peak", "is_weak"), [(-1.0, False), (-0.9, True), (None, False)])
def test_a_hot_true_peak_is_flagged(peak: float | None, is_weak: bool) -> None:
    assert fact("True peak", loudness__true_peak_dbtp=peak).is_weak is is_weak


def test_percent() -> None:
    assert [percent(share) for share in (0.0, 0.496, 1.0)] == ["0\u00a0%", "50\u00a0%", "100\u00a0%"]


def test_a_word_that_has_no_effect_is_not_shown_as_one() -> None:
    said = {"beats.tempo_bpm": 120.0}
    assert fact("Tempo", said).is_said
    assert not fact("Tempo", said, beats__tempo_bpm=None).is_said
