"""The low end: there or not, booming or rumbling, in the middle, with punch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from processor.analysis.bands import bands
from processor.analysis.spectrum import spectrum as measured
from processor.analysis.stereo import stereo
from processor.analysis.transients import Transients
from processor.feedback.advice import TOO_LITTLE, TOO_MUCH, Mix
from processor.feedback.areas import low_end as rules
from processor.feedback.areas import stereo as stereo_rules
from processor.feedback.areas._spectra import BELL, LOW_SHELF, Move, Shape, is_boom, low_end_corner_hz
from processor.feedback.rules import all_rules
from processor.quantities import columns
from tests import signals
from tests.feedback.tone_mixes import PROFILE, Curve, flat, found, mix, move, picture, spectrum

LOW_END = [one for one in all_rules() if one.name.startswith("low_end.")]


def high_pass(corner: float) -> Curve:
    return lambda hz: -10 * np.log10(1 + (corner / hz) ** 8)


def of(curve: Curve, **results: Any) -> Mix:
    return mix(spectrum=spectrum(curve), **results)


def test_a_good_low_end_is_a_strength_and_nothing_else() -> None:
    one = of(flat, stereo=picture())
    assert [advice.id for rule in LOW_END for advice in rule.function(one)] == ["low_end.solid"]
    assert found(rules.solid, one).severity == "strength"


@pytest.mark.parametrize(
    ("curve", "facts"),
    [
        (move(BELL, 110, 6.0), {}),
        (move(LOW_SHELF, 50, 8.0, 0.7), {}),
        (high_pass(150), {}),
        (flat, {"bass_correlation": 0.94}),
        (flat, {"is_mono": True}),
        (lambda hz: np.where(hz < 29, 14.0, 0.0), {}),
    ],
)
def test_what_is_not_solid(curve: Curve, facts: dict[str, Any]) -> None:
    assert list(rules.solid(of(curve, stereo=picture(**facts)))) == []


def test_no_low_end_at_all() -> None:
    advice = found(rules.missing, of(high_pass(150)))
    assert (advice.id, advice.band, advice.direction) == ("low_end.missing.bass.too_little", "bass", TOO_LITTLE)
    assert advice.severity == "fault"
    assert advice.processing[0].type == "repair"
    assert advice.processing[1].frequency_hz == pytest.approx(110, abs=10)
    assert found(rules.missing, of(high_pass(250))).weight > advice.weight


@pytest.mark.parametrize("corner", [60.0, 100.0])
def test_a_high_pass_below_the_bass_leaves_a_low_end(corner: float) -> None:
    assert list(rules.missing(of(high_pass(corner)))) == []


def test_a_boom_is_one_bump_where_kick_and_bass_are() -> None:
    assert list(rules.boomy(of(move(BELL, 110, 4.0, 1.4)))) == []
    advice = found(rules.boomy, of(move(BELL, 110, 8.0, 1.4)))
    assert (advice.id, advice.band, advice.direction) == ("low_end.boomy.bass.too_much", "bass", TOO_MUCH)
    bell = advice.processing[0]
    assert bell.type == "bell"
    assert bell.frequency_hz == pytest.approx(110, rel=0.1)
    assert bell.gain_db == pytest.approx(-6.0)
    assert list(rules.boomy(of(move(BELL, 300, 8.0)))) == []
    assert list(rules.boomy(of(move(BELL, 110, -8.0)))) == []


@pytest.mark.parametrize(("hz", "is_one"), [(72, False), (80, True), (155, True), (165, False)])
def test_where_a_boom_is(hz: float, is_one: bool) -> None:
    assert is_boom(Move(Shape(BELL, hz, 1.4), 6.0, 4.0, hz, -20.0, -30.0, -22.0)) is is_one


@pytest.mark.parametrize(
    ("width_db", "level_db", "corner"),
    [(12, -14.8, None), (12, -15.2, 112), (5, -13.8, None), (5, -14.2, 112)],
)
def test_how_little_is_no_low_end(width_db: float, level_db: float, corner: float | None) -> None:
    """So far under the corridor, and under its middle, at each third-octave from 50 to 100 Hz."""
    profile = replace(
        PROFILE,
        tone_low_db=tuple(level - width_db for level in PROFILE.tone_middle_db),
        tone_high_db=tuple(level + width_db for level in PROFILE.tone_middle_db),
    )
    one = replace(of(lambda hz: np.where((hz > 45) & (hz < 110), level_db, 0.0)), profile=profile)
    assert low_end_corner_hz(one) == (None if corner is None else pytest.approx(corner, abs=1))


def test_a_sub_alone_is_a_low_end() -> None:
    assert low_end_corner_hz(of(lambda hz: np.where((hz > 55) & (hz < 110), -30.0, 0.0))) is None
    assert low_end_corner_hz(of(lambda hz: np.where(hz < 70, -30.0, 0.0))) is None
    assert low_end_corner_hz(of(lambda hz: np.where(hz < 90, -30.0, 0.0))) == pytest.approx(89, abs=1)


def rumbling(level_db: float) -> Mix:
    """The third-octave at 25 Hz so far over the strongest of the low end."""
    strongest = float(spectrum().third_octaves_db[3:9].max())
    curve = spectrum().third_octaves_db
    return of(lambda hz: np.where(abs(hz - 25) < 1, strongest + level_db - curve, 0.0))


def test_rumble() -> None:
    assert list(rules.rumble(rumbling(-8.5))) == []
    advice = found(rules.rumble, rumbling(-5.0))
    assert (advice.id, advice.severity) == ("low_end.rumble.sub.too_much", "warning")
    assert advice.weight == pytest.approx(1.0)
    assert advice.processing[0].frequency_hz == 30
    assert "5 dB under" in advice.text
    assert "2 dB over" in found(rules.rumble, rumbling(2.0)).text
    assert list(rules.rumble(mix())) == []


def flipped(**facts: Any) -> Mix:
    return of(flat, stereo=picture(**{"bass_correlation": -0.4, "bass_mono_loss_db": 5.2, **facts}))


def test_a_low_end_out_of_phase() -> None:
    advice = found(rules.out_of_phase, flipped())
    assert (advice.id, advice.band, advice.severity) == ("low_end.phase.bass", "bass", "fault")
    assert advice.processing[0].type == "polarity"
    assert "5 dB" in advice.text
    assert found(rules.out_of_phase, flipped(sub_correlation=-0.9, sub_mono_loss_db=13.0)).id == "low_end.phase.sub"
    assert list(rules.out_of_phase(flipped(bass_correlation=0.05))) == []
    # Where the mids are out of phase as well it is the whole mix.
    whole = flipped(mids_correlation=-0.5, high_mids_correlation=-0.5, correlation=-0.5)
    assert list(rules.out_of_phase(whole)) == []
    assert list(rules.out_of_phase(flipped(balance_db=60.0))) == []


def test_a_flipped_low_end_is_told_once_though_it_outweighs_the_rest() -> None:
    """Kick and bass of one side inverted, measured: the correlation of the whole is negative."""
    low = signals.sine(55, 4, -6)
    mids = signals.noise(4, -30, channels=2)
    left, right = low + mids[:1] + mids[1:], -low + mids[:1] + 0.8 * mids[1:]
    one = signals.audio(signals.stereo(left, right))
    powers = bands(one)
    heard = mix(spectrum=measured(one, powers), stereo=stereo(powers))
    assert heard.get("stereo.correlation") < -0.5
    assert found(rules.out_of_phase, heard).id == "low_end.phase.sub"
    assert list(stereo_rules.inverted(heard)) == []
    assert list(stereo_rules.negative_passages(heard)) == []


@pytest.mark.parametrize(
    ("shares", "ids"),
    [
        ((9.0, 19.0), []),
        ((11.0, 19.0), ["low_end.wide.sub.too_much"]),
        ((9.0, 21.0), ["low_end.wide.bass.too_much"]),
        ((30.0, 40.0), ["low_end.wide.sub.too_much", "low_end.wide.bass.too_much"]),
        ((None, None), []),
    ],
)
def test_a_wide_low_end(shares: tuple[float | None, float | None], ids: list[str]) -> None:
    one = of(flat, stereo=picture(side_shares=(*shares, 10.0, 10.0, 10.0, 10.0)))
    assert [advice.id for advice in rules.wide(one)] == ids


def test_how_wide_weighs_and_what_hides_it() -> None:
    shares = (0.0, 40.0, 10.0, 10.0, 10.0, 10.0)
    advice = found(rules.wide, of(flat, stereo=picture(side_shares=shares)))
    assert advice.weight == pytest.approx(2.0)
    assert advice.severity == "fault"
    assert advice.processing[0].frequency_hz == 120
    assert list(rules.wide(of(flat, stereo=picture(side_shares=shares, bass_correlation=-0.1)))) == []
    assert list(rules.wide(of(flat, stereo=picture(side_shares=shares, balance_db=-50.0)))) == []
    # A band that hardly sounds has no width to speak of.
    assert list(rules.wide(of(move(LOW_SHELF, 180, -40.0, 0.7), stereo=picture(side_shares=shares)))) == []


def with_crest(bass_crest_db: float | None) -> Mix:
    fields: dict[str, Any] = {column.name: None for column in columns(Transients)}
    return of(flat, transients=Transients(**fields | {"bass_crest_db": bass_crest_db, "onsets_s": np.empty(0)}))


@pytest.mark.parametrize("crest", [None, 11.0, 16.0, 22.0])
def test_a_usual_crest_of_the_bass_is_fine(crest: float | None) -> None:
    assert list(rules.crest(with_crest(crest))) == []


@pytest.mark.parametrize(
    ("crest", "direction", "title"), [(9.0, TOO_LITTLE, "Bass without movement"), (24.0, TOO_MUCH, "Loose bass")]
)
def test_a_bass_that_does_not_move_or_jumps(crest: float, direction: str, title: str) -> None:
    advice = found(rules.crest, with_crest(crest))
    assert (advice.direction, advice.title) == (direction, title)
    assert advice.weight == pytest.approx(1.0)
    assert advice.processing[0].type == "compressor"


def test_a_low_end_out_of_phase_is_told_of_any_sound() -> None:
    assert {one.name for one in LOW_END if one.of != ("mix",)} == {"low_end.out_of_phase"}
    assert "speech" in next(one for one in LOW_END if one.name == "low_end.out_of_phase").of
    assert len(LOW_END) == 7
