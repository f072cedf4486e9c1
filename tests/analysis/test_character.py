"""How a recording sounds, as numbers that compare."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from processor.analysis.character import DIMENSIONS, LIMIT, Character, character
from tests.libraries import song_results

NAMES = list(DIMENSIONS)
INPUTS = ("spectrum", "loudness", "stereo", "transients", "production", "beats")


def of(**changes: Any) -> Character:
    """The character of a short song; `beats__tempo_bpm=90` changes a field, `beats=None` takes a result away."""
    found = {name: song_results()[name] for name in INPUTS}
    for key, value in changes.items():
        analyser, has_field, field = key.partition("__")
        found[analyser] = replace(found[analyser], **{field: value}) if has_field else value
    return character(**found)


def test_there_is_a_number_for_each_dimension() -> None:
    features = of().features
    assert features.shape == (len(DIMENSIONS),)
    assert np.all(np.abs(features) <= LIMIT)
    assert np.count_nonzero(features) > 20


@pytest.mark.parametrize(
    ("field", "dimension"),
    [
        ("spectrum__tilt_db_per_octave", "tilt"),
        ("stereo__width", "width"),
        ("transients__punch_db", "punch"),
        ("transients__air_crest_db", "air crest"),
        ("production__warmth", "warmth"),
        ("production__density", "density"),
        ("loudness__plr_db", "peak to loudness"),
        ("loudness__psr_median_db", "peak to short-term"),
        ("beats__stability", "steadiness"),
    ],
)
def test_a_field_moves_its_dimension_by_its_deviation(field: str, dimension: str) -> None:
    middle, deviation = DIMENSIONS[dimension]
    place = NAMES.index(dimension)
    low, high = (of(stereo__is_mono=False, **{field: middle + steps * deviation}).features for steps in (0.0, 1.0))
    assert low[place] == pytest.approx(0.0, abs=1e-9)
    assert high[place] == pytest.approx(1.0)
    assert np.flatnonzero(low != high).tolist() == [place]


def test_mastering_louder_changes_no_level() -> None:
    bands = [f"spectrum__{band}_db" for band in ("sub", "bass", "low_mids", "mids", "high_mids", "air")]
    spectrum = song_results()["spectrum"]
    louder = {name: getattr(spectrum, name.removeprefix("spectrum__")) + 6.0 for name in bands}
    assert of(**louder).features[:6] == pytest.approx(of().features[:6])


def test_twice_the_tempo_is_the_same_pulse() -> None:
    assert of(beats__tempo_bpm=87.0).features == pytest.approx(of(beats__tempo_bpm=174.0).features)
    assert np.abs(of(beats__tempo_bpm=87.0).features - of(beats__tempo_bpm=120.0).features).max() > 0.5


def test_what_is_missing_counts_as_ordinary() -> None:
    bare = of(stereo=None, transients=None, production=None, beats=None).features
    full = of().features
    assert not bare[NAMES.index("width") : NAMES.index("peak to loudness")].any()
    assert not bare[NAMES.index("tempo, cosine") :].any()
    assert bare[:10] == pytest.approx(full[:10])


def test_nothing_is_said_of_silence() -> None:
    assert of(loudness__integrated_lufs=None).features.size == 0


def test_one_absurd_number_does_not_decide_alone() -> None:
    assert of(transients__punch_db=500.0).features[NAMES.index("punch")] == LIMIT


def test_mono_is_as_narrow_as_can_be() -> None:
    mono = of(stereo__is_mono=True).features
    assert mono[NAMES.index("width")] == pytest.approx((0.0 - 12.4) / 11.0)
    assert mono[NAMES.index("middle over sides")] == LIMIT
