"""What is told beside the numbers: shifts of all layers, plans of other files, damaged sound."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from processor.config import Limits
from processor.engine import Job, analyse
from processor.mashup.making import make, others, produce
from processor.mashup.plan import Plan
from processor.mashup.songs import Song, from_stem
from processor.mashup.wishes import Wishes
from tests import signals
from tests.test_mashing import RATE, band, voice

Songs = tuple[Song, Song]


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Songs:
    folder = tmp_path_factory.mktemp("making")

    def song(name: str, samples: signals.Samples, part: str, digit: str) -> Song:
        path: Path = signals.write_wav(folder / name, samples, RATE, subtype="PCM_16")
        return from_stem(path, analyse(Job(path, digit, Limits())).results, digit * 64, part)

    return song("sings.wav", voice(), "vocals", "1"), song("plays.wav", band(), "instrumental", "2")


@pytest.fixture(scope="module")
def plan(songs: Songs) -> Plan:
    return make(songs, Wishes(), Limits()).plan


def test_a_plan_of_these_songs_needs_no_remark(songs: Songs, plan: Plan) -> None:
    told = produce(plan, songs, Limits()).measured.deviations
    assert not any("another file" in text or "damaged" in text for text in told)


def test_a_plan_of_other_songs_is_told(songs: Songs, plan: Plan) -> None:
    changed = replace(plan, instrumental=replace(plan.instrumental, sha256="3" * 64))
    told = produce(changed, songs, Limits()).measured.deviations
    assert [text for text in told if "another file" in text] == [
        "The plan was made for another file than plays: its beats and cuts may lie elsewhere."
    ]


def test_a_shift_of_drums_that_are_no_layer_of_their_own_is_told(songs: Songs, plan: Plan) -> None:
    told = produce(replace(plan, instrumental_shift_semitones=1.0), songs, Limits()).measured.deviations
    assert any("shifted" in text for text in told)


def test_a_damaged_file_is_told(songs: Songs, plan: Plan) -> None:
    facts = replace(songs[0].results["source"], partial=True)
    damaged = replace(songs[0], results={**songs[0].results, "source": facts})
    told = produce(plan, (damaged, songs[1]), Limits()).measured.deviations
    assert "The file of sings is damaged: what could not be read of it is not played." in told


def test_what_was_noted_in_a_choice_makes_no_other_plan(plan: Plan) -> None:
    chosen = replace(plan, chosen_by="a model", reasons=(*plan.reasons, "It said so."))
    other = replace(plan, vocal_shift_semitones=2.0)
    assert others([plan, other], chosen) == [other]
