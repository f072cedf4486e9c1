"""The voice: clear cases, each witness on its own, what leaks, where it is, and of which kind."""

from __future__ import annotations

import re

import numpy as np
import pytest

from processor.analysis._fusion_rules import MOST_SURE
from processor.analysis.heard import Heard, heard
from processor.analysis.vocals import KINDS, Vocals, hysteresis, pitch_tells_kind, steadiness, vocals
from processor.models.labels import read_labels
from tests.analysis.witnesses import ast, between, clap, pitch, stems, voices, words, yamnet

NOBODY = Heard(())
SUNG = {"drums": -20.0, "other": -20.0, "vocals": -22.0}


def chance(found: Vocals) -> float:
    assert found.confidence is not None
    return found.confidence if found.present else 1 - found.confidence


def nats(found: Vocals) -> list[float]:
    return [float(re.findall(r"\(([+-][\d.]+)\)$", one.replace("−", "-"))[0]) for one in found.evidence]


# Whether


def test_nothing_to_go_on_is_no_answer() -> None:
    found = vocals(NOBODY)
    assert (found.present, found.confidence, found.share, found.kind, found.evidence) == (None, None, None, None, ())
    assert found.intervals_s.shape == (0, 2)
    assert found.presence.size == 0


def test_all_witnesses_agree_on_a_singer() -> None:
    found = vocals(words({"Singing": 0.3}), stems(**SUNG), pitch(), voices({"Singing": 0.8}))
    assert (found.present, found.kind) == (True, "singing")
    assert found.confidence == MOST_SURE
    assert found.share == pytest.approx(1.0)
    assert [one.partition(" (")[0] for one in found.evidence] == [
        "vocal stem −6 dB, 100 % of the time",
        "voiced pitch 60 % of that",
        "YAMNet in the vocal stem 0.80",
        "YAMNet Singing 0.30",
    ]


def test_all_witnesses_agree_on_an_instrumental() -> None:
    found = vocals(words(), stems(drums=-20.0, other=-20.0), pitch(0.0), voices({}))
    assert (found.present, found.kind, found.share) == (False, None, 0.0)
    assert found.confidence is not None
    assert found.confidence > 0.98
    assert found.intervals_s.shape == (0, 2)
    assert found.presence.tolist() == [0.0] * 60


def test_nothing_is_surer_than_the_pieces_allow_that_it_was_measured_on() -> None:
    sung = vocals(words({"Singing": 0.9}), stems(vocals=-20.0), pitch(), voices({"Singing": 0.9}))
    assert sum(nats(sung)) > np.log(MOST_SURE / (1 - MOST_SURE))
    assert sung.confidence == MOST_SURE == 0.99
    played = vocals(words(), stems(drums=-20.0), pitch(0.0), voices({}))
    assert (played.present, played.confidence) == (False, MOST_SURE)


def test_a_lead_that_leaks_into_the_vocal_stem_is_no_voice() -> None:
    """A harmonica over a band: as loud as a singer, pitched throughout, and nothing like a voice in YAMNet's ears."""
    leak = (stems(**SUNG), pitch(0.9))
    assert vocals(words(), *leak).present is True
    found = vocals(words(), *leak, voices({"Singing": 0.012}))
    assert (found.present, found.share) == (False, 0.0)


def test_a_voice_that_no_tagger_hears_in_the_mix_is_found_in_its_stem() -> None:
    found = vocals(words(), stems(**SUNG), pitch(), voices({"Speech": 0.3}))
    assert found.present is True
    assert vocals(words()).present is False


def test_a_few_words_in_a_long_piece_are_a_voice() -> None:
    level = between(30, 33, -18.0)
    scores = np.where(level[:595:5] > -50, 0.6, 0.0)
    found = vocals(words(), stems(other=-20.0, vocals=level), pitch(), voices({"Speech": scores}))
    assert found.present is True
    assert found.share == pytest.approx(3 / 60, abs=0.01)


@pytest.mark.parametrize("level_db", [-90.0, -60.0, -30.0, -22.0])
def test_a_louder_vocal_stem_is_never_less_of_a_voice(level_db: float) -> None:
    softer, louder = (vocals(NOBODY, stems(other=-20.0, vocals=db)) for db in (level_db - 5, level_db))
    assert chance(louder) >= chance(softer)


def test_the_evidence_adds_up_to_the_confidence() -> None:
    found = vocals(
        words({"Singing": 0.01}), stems(other=-20.0, vocals=between(0, 12)), pitch(0.3), voices({"Speech": 0.08})
    )
    assert len(found.evidence) == 4
    assert np.log(chance(found) / (1 - chance(found))) == pytest.approx(sum(nats(found)), abs=0.2)


def test_a_pitch_that_was_heard_in_the_mix_says_nothing_of_the_stem() -> None:
    given = (words(), stems(**SUNG))
    assert nats(vocals(*given, pitch(heard_in="mix"))) == nats(vocals(*given))


def test_taggers_alone_tell_what_they_can() -> None:
    assert vocals(words({"Singing": 0.5})).present is True
    assert vocals(words({"Singing": 0.001})).present is False
    both = vocals(heard(yamnet({"Singing": 0.5}), ast({"Singing": 0.01})))
    assert len(both.evidence) == 2
    assert chance(both) < chance(vocals(words({"Singing": 0.5})))


def test_clap_alone_tells_too() -> None:
    labels = read_labels().names
    assert vocals(heard(None, None, clap({"vocal: no vocals": 0.9}, labels))).present is False
    assert vocals(heard(None, None, clap({"vocal: no vocals": 0.001}, labels))).present is True


def test_a_separator_without_a_vocal_stem_leaves_it_to_the_taggers() -> None:
    parts = stems(names=("drums", "bass"), drums=-20.0)
    assert vocals(NOBODY, parts).present is None
    assert vocals(words({"Singing": 0.5}), parts).present is True


def test_silence_is_no_answer() -> None:
    assert vocals(NOBODY, stems()).present is None
    assert vocals(NOBODY, stems(0.0)).present is None


def test_gaps_in_what_models_found_are_no_numbers_in_the_answer() -> None:
    quiet = voices({"Speech": 0.5})
    quiet.scores[::2] = np.nan
    found = vocals(words({"Singing": 0.5}), stems(**SUNG), pitch(0.0), quiet)
    assert np.isfinite(found.presence).all()
    assert found.confidence is not None
    assert 0 <= found.confidence <= 1


# Where


def test_stretches_begin_and_end_with_the_voice() -> None:
    level = np.maximum(between(10, 20), between(40, 45.5))
    found = vocals(NOBODY, stems(other=-20.0, vocals=level))
    assert found.intervals_s == pytest.approx(np.array([[10.0, 20.0], [40.0, 45.5]]), abs=0.11)
    assert found.presence[[9, 10, 19, 20, 44, 46]].tolist() == pytest.approx([0, 1, 1, 0, 1, 0], abs=0.11)
    assert found.presence[45] == pytest.approx(0.5, abs=0.11)
    assert found.presence.size == 60


def test_breath_is_no_pause_and_a_click_no_voice() -> None:
    level = between(10, 20)
    level[150:153] = -90.0
    level[300] = -20.0
    found = vocals(NOBODY, stems(other=-20.0, vocals=level))
    assert found.intervals_s == pytest.approx(np.array([[10.0, 20.0]]), abs=0.11)


def test_a_stretch_that_yamnet_hears_no_voice_in_is_left_out() -> None:
    level = np.maximum(between(10, 20), between(30, 40))
    scores = np.where(np.arange(119) * 0.5 < 25, 0.5, 0.002)
    found = vocals(NOBODY, stems(other=-20.0, vocals=level), None, voices({"Singing": scores}))
    assert found.present is True
    assert found.intervals_s == pytest.approx(np.array([[10.0, 20.0]]), abs=0.11)


def test_without_stems_taggers_say_where() -> None:
    scores = np.where(np.abs(np.arange(119) * 0.5 - 30) < 8, 0.6, 0.0)
    found = vocals(words({"Singing": scores}))
    assert found.present is True
    assert found.presence[24:36].min() == 1.0
    assert found.presence[:20].max() == found.presence[41:].max() == 0.0
    assert found.share == pytest.approx(17 / 60, abs=0.04)


def test_hysteresis() -> None:
    levels = np.array([0, 3, 5, 3, 1, 3, 3, 0, 9.0])
    assert hysteresis(levels, 4, 2).tolist() == [[1, 4], [8, 9]]
    assert hysteresis(np.zeros(0), 4, 2).shape == (0, 2)
    assert hysteresis(np.zeros(3), 4, 2).shape == (0, 2)


# Which kind


def test_speech_glides() -> None:
    talk = (stems(vocals=-20.0), pitch(0.5, glide_semitones=1.5), voices({"Speech": 0.95}))
    assert vocals(words({"Speech": 0.9}), *talk).kind == "speech"
    assert vocals(words({"Speech": 0.9}), talk[0], pitch(0.5), talk[2]).kind == "singing"


def test_rap_is_what_yamnet_calls_rap_and_does_not_stand_still() -> None:
    glide = pitch(0.5, glide_semitones=0.8)
    rapped = voices({"Rapping": 0.4, "Speech": 0.6})
    assert vocals(words(), stems(**SUNG), glide, rapped).kind == "rap"
    assert vocals(words(), stems(**SUNG), glide, voices({"Speech": 0.6})).kind == "speech"
    assert vocals(words(), stems(**SUNG), pitch(0.5), rapped).kind == "singing"


@pytest.mark.parametrize(("word", "kind"), [("Singing", "singing"), ("Rapping", "rap"), ("Speech", "speech")])
def test_without_a_pitch_taggers_say_which_kind(word: str, kind: str) -> None:
    assert vocals(words({word: 0.9})).kind == kind
    assert kind in KINDS


def test_whether_the_pitch_has_a_say_in_the_kind() -> None:
    assert pitch_tells_kind(pitch(), in_stem=True)
    assert not pitch_tells_kind(pitch(heard_in="mix"), in_stem=True)
    assert not pitch_tells_kind(pitch(), in_stem=False)
    assert pitch_tells_kind(pitch(glide_semitones=1.5, heard_in="mix"), in_stem=False)
    assert not pitch_tells_kind(pitch(0.0), in_stem=True)
    assert not pitch_tells_kind(None, in_stem=True)


def test_steadiness() -> None:
    assert steadiness(pitch(0.5)) == 1.0
    assert steadiness(pitch(0.5, glide_semitones=1.5)) == 0.0
    assert steadiness(pitch(0.0)) is None
    assert steadiness(pitch(0.5, seconds=0.05)) is None
