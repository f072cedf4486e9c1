"""What taggers heard, in our words: merging, pooling, calibrating, and where it is."""

from __future__ import annotations

import numpy as np
import pytest

from processor.analysis._fusion_rules import LEAST_ODDS, MOST_ODDS, logit, odds, sigmoid, stem_nats
from processor.analysis._windows import STRONGEST_SHARE
from processor.analysis.heard import heard
from processor.models.labels import read_labels
from tests.analysis.witnesses import ast, clap, words, yamnet

LABELS = read_labels().names


def test_without_taggers_nothing_is_heard() -> None:
    assert heard().hearings == ()


def test_each_tagger_says_what_it_knows_in_a_fixed_order() -> None:
    found = heard(yamnet({"Banjo": 0.25}), ast({"Banjo": 0.5}), clap({"instrument: banjo": 0.5}, LABELS))
    assert [one.source for one in found.hearings] == ["YAMNet", "AST", "CLAP"]
    assert [one.claims["banjo"].raw for one in found.hearings] == [0.25, 0.5, 0.5]
    assert [one.claims["banjo"].word for one in found.hearings] == ["Banjo", "Banjo", "banjo"]
    assert "bright" not in found.hearings[0].claims
    assert "bright" in found.hearings[2].claims


def test_a_tag_has_the_score_of_its_surest_class() -> None:
    claim = words({"Singing": 0.125, "Choir": 0.5}).hearings[0].claims
    assert (claim["singing"].raw, claim["singing"].word) == (0.5, "Choir")
    assert claim["vocals"].raw == 0.5
    assert claim["choir"].raw == 0.5


def test_shares_of_one_whole_add_up() -> None:
    """All labels of a category alike: each tag has what chance gives it."""
    claims = heard(None, None, clap({}, LABELS)).hearings[0].claims
    assert claims["vocals"].raw == pytest.approx(29 / 30, abs=0.01)
    assert claims["vocals"].odds == pytest.approx(0.0, abs=0.3)
    assert claims["instrumental"].raw == pytest.approx(1 / 30, abs=0.001)
    assert claims["pop"].odds < -1.5


def test_clap_believes_no_vocals() -> None:
    claims = heard(None, None, clap({"vocal: no vocals": 0.8}, LABELS)).hearings[0].claims
    assert claims["vocals"].odds < -1.5
    assert claims["instrumental"].odds > 1.5


def test_a_part_of_the_time_is_enough_and_silence_does_not_count() -> None:
    part = np.zeros(119)
    part[: round(119 * STRONGEST_SHARE)] = 0.5
    assert words({"Banjo": part}).hearings[0].claims["banjo"].raw == pytest.approx(0.5)
    found = yamnet({"Banjo": 0.5})
    found.scores[5:] = np.nan
    assert heard(found).hearings[0].claims["banjo"].raw == pytest.approx(0.5)


def test_silence_throughout_is_nothing_heard() -> None:
    found = yamnet()
    found.scores[:] = np.nan
    assert heard(found).hearings[0].claims == {}


def test_a_matrix_that_does_not_fit_its_classes_is_not_heard() -> None:
    assert heard(yamnet(classes=("Singing", "Dog"), seconds=5.0)).hearings[0].claims.keys() >= {"singing"}
    broken = yamnet()
    object.__setattr__(broken, "classes", broken.classes[:3])
    assert heard(broken).hearings == ()


def test_seconds_hear_the_windows_that_lie_in_them() -> None:
    scores = np.zeros(119)
    scores[60:64] = 0.9  # 30.0 to 32.5 s
    found = words({"Banjo": scores}).hearings[0].by_second(("banjo", "guitar"), 60)
    assert found.shape == (60, 2)
    assert (found[30:32, 0] > 2).all()
    assert (found[:29, 0] < 0).all()
    assert (found[34:, 0] < 0).all()
    assert (found[:, 1] < -1.9).all()


def test_long_windows_cover_their_seconds() -> None:
    found = heard(None, ast({"Banjo": 0.9}, seconds=20.0)).hearings[0].by_second(("banjo",), 20)
    assert (found > 2).all()


@pytest.mark.parametrize("source", ["YAMNet", "AST", "CLAP"])
@pytest.mark.parametrize("category", ["genre", "mood", "instrument", "vocal", "production", "texture"])
def test_a_higher_score_is_never_less_sure(source: str, category: str) -> None:
    scores = np.concatenate([[0.0], np.geomspace(1e-6, 1, 200)])
    found = odds(source, category, scores, 0.01)
    assert (np.diff(found) >= 0).all()
    assert found.min() >= LEAST_ODDS
    assert found.max() <= MOST_ODDS
    assert found[-1] > 1.5 > -1.0 > found[0]


def test_no_number_is_no_score() -> None:
    assert odds("YAMNet", "genre", np.array([np.nan, 2.0, -1.0])).tolist()[::2] == [LEAST_ODDS, LEAST_ODDS]


def test_half_of_the_tags_with_the_score_of_half_are_right() -> None:
    for category, half in (("instrument", 0.015), ("vocal", 0.02), ("genre", 0.05)):
        assert odds("YAMNet", category, half) == pytest.approx(0, abs=1e-9)
    assert odds("AST", "genre", 0.2) == pytest.approx(0, abs=1e-9)


def test_log_odds_and_back() -> None:
    assert sigmoid(logit(0.8)) == pytest.approx(0.8)
    assert logit(0.9) == pytest.approx(np.log(9))


def test_a_stem_that_is_empty_speaks_against_its_instrument() -> None:
    assert [stem_nats(share) for share in (0.0, 1e-4, 10**-2.4, 0.25)] == pytest.approx([-4, -4, 0, 4], abs=0.1)
    assert np.diff([stem_nats(share) for share in np.geomspace(1e-6, 1, 50)]).min() >= 0
