"""Fused tags: what confirms one, what suppresses it, what contradicts it, and how that is told."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from processor.analysis._fusion_rules import MOST_SURE, WEIGHTS, odds
from processor.analysis._ontology import all_tags
from processor.analysis.heard import Heard, heard
from processor.analysis.tags import MOST_FALLEN, MOST_TAGS, STATUSES, Tags, facts_of, tags
from processor.analysis.vocals import vocals
from processor.models.labels import read_labels
from tests.analysis.witnesses import FOUR, ast, beats, clap, pitch, stems, voices, words, yamnet

LABELS = read_labels().names
SIX = (*FOUR, "guitar", "piano")
BAND = {"drums": -20.0, "bass": -22.0, "other": -20.0}
EMPTY = Tags((), (), (), (), ())


def fused(scores: dict[str, float], **given: Any) -> Tags:
    """Tags of YAMNet's scores, stems, a tempo and voices."""
    known = words(scores)
    parts, voice = given.get("stems"), given.get("voices")
    singer = vocals(known, parts, given.get("pitch"), voice)
    return tags(known, singer, parts, given.get("beats"), given.get("pitch"))


def status(found: Tags, name: str) -> str | None:
    return dict(zip(found.names, found.statuses, strict=True)).get(name)


def confidence(found: Tags, name: str) -> float:
    return dict(zip(found.names, found.confidences, strict=True))[name]


def evidence(found: Tags, name: str) -> str:
    return dict(zip(found.names, found.evidence, strict=True))[name]


# Who says so


def test_without_taggers_there_are_no_tags() -> None:
    assert tags(Heard(()), vocals(Heard(()))) == EMPTY
    assert tags(Heard(()), vocals(Heard(()), stems(**BAND)), stems(**BAND), beats(bpm_120=1.0)) == EMPTY


def test_one_tagger_alone_is_a_single_voice() -> None:
    found = fused({"Banjo": 0.3})
    assert status(found, "banjo") == "single"
    assert status(found, "plucked strings") == "single"
    assert evidence(found, "banjo") == "YAMNet Banjo 0.30 (+2.6)"
    assert confidence(found, "banjo") == pytest.approx(0.93, abs=0.01)


def test_two_taggers_confirm_each_other() -> None:
    known = heard(yamnet({"Banjo": 0.3}), ast({"Banjo": 0.6}))
    found = tags(known, vocals(known))
    assert status(found, "banjo") == "confirmed"
    assert evidence(found, "banjo").startswith("YAMNet Banjo 0.30 (+2.6) · AST Banjo 0.60 (+1.")


def test_a_tagger_that_others_do_not_believe_is_suppressed() -> None:
    known = heard(yamnet({"Banjo": 0.02}), ast({"Banjo": 0.001}), clap({}, LABELS))
    found = tags(known, vocals(known))
    assert status(found, "banjo") == "suppressed"
    assert confidence(found, "banjo") < 0.5


def test_taggers_are_averaged_by_their_weights() -> None:
    known = heard(yamnet({"Banjo": 0.3}), ast({"Banjo": 0.2}))
    found = tags(known, vocals(known))
    given = [odds("YAMNet", "instrument", 0.3) * WEIGHTS["YAMNet"], odds("AST", "instrument", 0.2) * WEIGHTS["AST"]]
    expected = float(sum(given)) / (WEIGHTS["YAMNet"] + WEIGHTS["AST"])
    assert confidence(found, "banjo") == pytest.approx(1 / (1 + np.exp(-expected)), abs=0.005)


def test_what_nobody_claims_is_not_there() -> None:
    assert "banjo" not in fused({"Piano": 0.3}).names
    assert fused({"Dog": 0.9, "Music": 0.9}).names == ("instrumental",)


def test_no_vocals_is_contradicted_by_a_voice() -> None:
    known = heard(None, None, clap({"vocal: no vocals": 0.5}, LABELS))
    parts = stems(**BAND, vocals=-20.0)
    voice = vocals(known, parts, pitch(), voices({"Singing": 0.7}))
    assert status(tags(known, voice, parts), "instrumental") == "contradicted"


def test_moods_and_textures_come_from_clap() -> None:
    known = heard(None, None, clap({"mood: gloomy": 0.6, "texture: droning": 0.7, "genre: drill": 0.5}, LABELS))
    found = tags(known, vocals(known))
    rows = dict(zip(found.names, found.categories, strict=True))
    assert {"gloomy": "mood", "droning": "texture", "drill": "genre"}.items() <= rows.items()
    assert status(found, "dark") == "single"


def test_a_persons_own_label_is_a_tag() -> None:
    known = heard(None, None, clap({"genre: witch house": 0.9}, ["genre: witch house", "genre: pop", "mood: sad"]))
    found = tags(known, vocals(known))
    assert dict(zip(found.names, found.categories, strict=True))["witch house"] == "genre"


# Voices


def test_a_vocal_tag_without_a_vocal_stem_is_suppressed() -> None:
    found = fused({"Singing": 0.15}, stems=stems(**BAND))
    assert status(found, "singing") == "suppressed"
    assert "no voice, vocal stem" in evidence(found, "singing")
    assert status(found, "instrumental") == "single"
    assert found.names.index("instrumental") < found.names.index("singing")


def test_a_vocal_tag_with_all_that_it_needs_is_confirmed() -> None:
    given = {"stems": stems(**BAND, vocals=-20.0), "pitch": pitch(), "voices": voices({"Singing": 0.7})}
    found = fused({"Singing": 0.1}, **given)
    assert status(found, "singing") == "confirmed"
    assert status(found, "vocals") == "confirmed"
    assert status(found, "instrumental") is None
    text = evidence(found, "singing")
    assert re.match(r"YAMNet Singing 0.10 \(\+[\d.]+\) · voice 100 % of the time, vocal stem −6 dB, 100 % of", text)


def test_a_voice_that_taggers_do_not_hear_is_tagged_all_the_same() -> None:
    given = {"stems": stems(**BAND, vocals=-20.0), "pitch": pitch(), "voices": voices({"Speech": 0.7})}
    found = fused({"Piano": 0.1}, **given)
    assert status(found, "vocals") == "single"
    assert confidence(found, "vocals") > 0.95
    assert status(found, "rapping") is None


@pytest.mark.parametrize("level_db", [-70.0, -35.0, -28.0, -20.0])
def test_the_tag_of_a_voice_says_what_the_voice_says(level_db: float) -> None:
    known, parts = words({"Singing": 0.03}), stems(**BAND, vocals=level_db)
    voice = vocals(known, parts)
    assert (status(tags(known, voice, parts), "vocals") in ("confirmed", "single")) is voice.present


def test_a_singer_is_no_speaker() -> None:
    given = {"stems": stems(vocals=-20.0), "voices": voices({"Speech": 0.9})}
    found = fused({"Speech": 0.9}, pitch=pitch(0.5), **given)
    assert status(found, "spoken word") == "suppressed"
    assert "the voice is singing (−5.0)" in evidence(found, "spoken word")
    assert status(fused({"Speech": 0.9}, pitch=pitch(0.5, glide_semitones=1.5), **given), "spoken word") == "confirmed"


def test_voices_alone_are_a_cappella_and_drums_contradict_it() -> None:
    alone = fused({"A capella": 0.1}, stems=stems(vocals=-20.0), voices=voices({"Singing": 0.9}))
    assert status(alone, "a cappella") == "confirmed"
    band = fused({"A capella": 0.1}, stems=stems(**BAND, vocals=-20.0), voices=voices({"Singing": 0.9}))
    assert status(band, "a cappella") == "contradicted"
    assert "drums stem −6 dB, 100 % of the time (−4.0)" in evidence(band, "a cappella")


def test_nothing_is_likelier_than_what_it_is_a_kind_of() -> None:
    """A tagger that is very sure of a choir, and a vocal stem that is empty."""
    found = fused({"Choir": 0.6}, stems=stems(**BAND))
    assert status(found, "choir") == status(found, "singing") == "suppressed"
    assert confidence(found, "choir") < 0.2


@pytest.mark.parametrize(("word", "tag"), [("Singing", "singing"), ("Speech", "spoken word"), ("Rapping", "rapping")])
def test_one_tagger_does_not_confirm_itself(word: str, tag: str) -> None:
    """A voice that was made of nothing but YAMNet's score is no second witness for that score."""
    found = fused({word: 0.9})
    claim = words({word: 0.9}).hearings[0].claims[tag]
    assert status(found, "vocals") == status(found, tag) == "single"
    assert evidence(found, tag).count("·") == evidence(found, "vocals").count("·") == 0
    assert confidence(found, tag) == pytest.approx(1 / (1 + np.exp(-claim.odds)), abs=0.001)


def test_one_tagger_does_not_confirm_itself_beside_stems_without_a_voice_of_their_own() -> None:
    """A kind that only YAMNet's words tell, for nobody followed a pitch; and a separator that leaves voices out."""
    parts = {"stems": stems(vocals=-20.0), "voices": voices({"Speech": 0.9})}
    talk = pitch(0.5, glide_semitones=1.5)
    assert "the voice is speech" not in evidence(fused({"Speech": 0.9}, **parts), "spoken word")
    assert "the voice is speech (+0.2)" in evidence(fused({"Speech": 0.9}, **parts, pitch=talk), "spoken word")
    assert status(fused({"Speech": 0.9}, **parts), "vocals") == "confirmed"
    assert status(fused({"Singing": 0.9}, stems=stems(names=("drums", "bass"), drums=-20.0)), "singing") == "single"


def test_two_taggers_confirm_a_voice_without_stems() -> None:
    known = heard(yamnet({"Singing": 0.3}), ast({"Singing": 0.6}))
    found = tags(known, vocals(known))
    assert status(found, "vocals") == status(found, "singing") == "confirmed"


def test_a_tagger_that_hears_no_voice_does_not_confirm_that_there_is_none() -> None:
    known = heard(None, None, clap({"vocal: no vocals": 0.9}, LABELS))
    assert status(tags(known, vocals(known)), "instrumental") == "single"


def test_no_tag_is_surer_than_the_pieces_allow() -> None:
    given = {"stems": stems(**BAND, vocals=-60.0), "pitch": pitch(0.0), "voices": voices({})}
    found = fused({"Drum kit": 0.9, "Speech": 0.02}, **given)
    assert max(found.confidences) == confidence(found, "drums") == MOST_SURE
    assert min(found.confidences) >= round(1 - MOST_SURE, 3)


# Instruments


def test_drums_are_confirmed_by_their_stem() -> None:
    found = fused({"Drum kit": 0.1}, stems=stems(**BAND))
    assert status(found, "drums") == "confirmed"
    assert confidence(found, "drums") > confidence(fused({"Drum kit": 0.1}), "drums")
    assert "drums stem −4 dB, 100 % of the time (+4.0)" in evidence(found, "drums")


def test_drums_without_a_stem_are_suppressed() -> None:
    found = fused({"Drum kit": 0.1}, stems=stems(other=-20.0))
    assert status(found, "drums") == status(found, "drum kit") == "suppressed"


def test_drums_that_no_tagger_hears_are_found_in_their_stem() -> None:
    found = fused({"Piano": 0.1}, stems=stems(**BAND))
    assert status(found, "drums") == status(found, "bass") == "single"
    assert status(found, "drum machine") is None


@pytest.mark.parametrize(("tag", "word"), [("guitar", "Guitar"), ("piano", "Piano")])
def test_guitar_and_piano_are_checked_where_there_are_six_stems(tag: str, word: str) -> None:
    four = fused({word: 0.05}, stems=stems(**BAND))
    assert evidence(four, tag) == evidence(fused({word: 0.05}), tag)
    assert status(fused({word: 0.05}, stems=stems(names=SIX, **BAND, **{tag: -20.0})), tag) == "confirmed"
    assert status(fused({word: 0.05}, stems=stems(names=SIX, **BAND)), tag) == "suppressed"


# Genres


@pytest.mark.parametrize(
    ("tempo", "found"),
    [
        ("bpm_174", "confirmed"),
        ("bpm_87", "confirmed"),
        ("bpm_184", "confirmed"),
        ("bpm_190", "contradicted"),
        ("bpm_120", "contradicted"),
        ("bpm_140", "contradicted"),
    ],
)
def test_drum_and_bass_has_its_tempo(tempo: str, found: str) -> None:
    made = fused({"Drum and bass": 0.1}, stems=stems(**BAND), beats=beats(**{tempo: 1.0}))
    assert status(made, "drum and bass") == found
    assert f"{tempo.removeprefix('bpm_')} BPM" in evidence(made, "drum and bass")


def test_a_tempo_that_is_not_sure_contradicts_less() -> None:
    sure, unsure = (
        fused({"Drum and bass": 0.3}, beats=beats(**chances))
        for chances in ({"bpm_116": 0.98, "bpm_174": 0.02}, {"bpm_116": 0.55, "bpm_174": 0.45})
    )
    assert status(sure, "drum and bass") == "contradicted"
    assert status(unsure, "drum and bass") == "single"


def test_house_needs_drums() -> None:
    tempo = beats(bpm_124=1.0)
    assert status(fused({"House music": 0.1}, stems=stems(**BAND), beats=tempo), "house") == "confirmed"
    assert status(fused({"House music": 0.1}, stems=stems(other=-20.0), beats=tempo), "house") == "suppressed"


def test_without_a_tempo_and_stems_a_genre_is_what_taggers_say() -> None:
    assert evidence(fused({"House music": 0.3}), "house").count("·") == 0
    assert "tempo" not in facts_of(vocals(Heard(())), None, None)


# How it is told


def test_all_tuples_are_of_one_length_and_short() -> None:
    """A tagger that hears everything."""
    everything = tuple(sorted({name for tag in all_tags().values() for name in tag.audioset}))
    known = heard(yamnet(dict.fromkeys(everything, 0.9), classes=everything))
    found = tags(known, vocals(known), stems(other=-20.0), beats(bpm_100=1.0))
    assert len(found.names) == MOST_TAGS
    assert {len(part) for part in (found.categories, found.confidences, found.statuses, found.evidence)} == {MOST_TAGS}
    assert len(set(found.names)) == MOST_TAGS
    assert max(len(text) for text in found.evidence) < 250
    fallen = [k for k, one in enumerate(found.statuses) if one in STATUSES[2:]]
    assert fallen == list(range(MOST_TAGS - len(fallen), MOST_TAGS))
    assert 0 < len(fallen) <= MOST_FALLEN


def test_the_surest_comes_first() -> None:
    found = fused({"Banjo": 0.2, "Piano": 0.7, "Happy music": 0.1})
    assert list(found.confidences) == sorted(found.confidences, reverse=True)
    assert found.names[0] in ("piano", "keyboards")


def test_what_stands_is_at_least_even_and_what_fell_is_less() -> None:
    given = {"stems": stems(**BAND), "beats": beats(bpm_174=1.0)}
    found = fused({"Singing": 0.1, "House music": 0.1, "Drum and bass": 0.1, "Guitar": 0.1, "Choir": 0.05}, **given)
    for one, sure in zip(found.statuses, found.confidences, strict=True):
        assert (sure >= 0.5) == (one in STATUSES[:2])
    assert {"confirmed", "single", "suppressed", "contradicted"} == set(found.statuses)


def test_the_same_evidence_gives_the_same_tags() -> None:
    given = {"stems": stems(**BAND), "beats": beats(bpm_120=1.0)}
    assert fused({"Singing": 0.1, "Guitar": 0.3}, **given) == fused({"Guitar": 0.3, "Singing": 0.1}, **given)
