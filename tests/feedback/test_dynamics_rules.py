"""Advice on dynamics: what triggers it, what just does not, and what it says to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from processor.feedback.areas import dynamics
from tests import signals
from tests.feedback.level_mixes import measured, mix_of, only, without
from tests.signals import Samples, song

FINE: dict[str, Any] = {
    "loudness.psr_median_db": 12.0,
    "loudness.plr_db": 13.0,
    "loudness.range_lu": 6.0,
    "loudness.range_is_short": False,
    "loudness.short_term_max_lufs": -12.0,
    "levels.dr": 10,
    "production.density": 60.0,
    "transients.attack_strength_db": 6.0,
}
PSR, PLR, LRA = "loudness.psr_median_db", "loudness.plr_db", "loudness.range_lu"


@pytest.mark.parametrize(("psr", "weight"), [(9.4, None), (9.2, 0.1), (8.2, 1.1), (7.2, 2.1)])
def test_limited_too_hard(psr: float, weight: float | None) -> None:
    found = only(dynamics.over_compressed, mix_of(FINE | {PSR: psr}))
    assert (found and found.weight) == (weight and pytest.approx(weight))
    if found:
        assert (found.id, found.title) == ("dynamics.compression.too_much", "Limited too hard")
        assert found.processing[0].type == "limiter"
        assert found.processing[0].gain_db == pytest.approx(-round(10.5 - psr, 1))


def test_a_profile_of_limited_music_moves_the_limit() -> None:
    assert only(dynamics.over_compressed, mix_of(FINE | {PSR: 8.1}, loudness__psr_median_db=(8.0, 9.0, 11.0))) is None
    assert only(dynamics.over_compressed, mix_of(FINE | {PSR: 7.9}, loudness__psr_median_db=(8.0, 9.0, 11.0)))


SQUASHED = FINE | {PSR: 9.8, "production.density": 97.0, "transients.attack_strength_db": 3.0, LRA: 1.0}


def test_a_compressor_that_lets_peaks_through_is_found_by_what_follows_them() -> None:
    found = only(dynamics.over_compressed, mix_of(SQUASHED))
    assert found
    # 0.8 + 1.5 + 1 + 0.5 steps, of which 1.5 are free.
    assert found.weight == pytest.approx(0.8 + 1.5 + 1 + 0.5 - 1.5)
    assert found.title == "Over-compressed"
    step = found.processing[0]
    assert (step.type, step.ratio, step.threshold_db) == ("compressor", 2, -16.0)


@pytest.mark.parametrize(
    ("field", "value"),
    [(PSR, 14.0), ("production.density", 82.0), ("transients.attack_strength_db", 7.0), (LRA, 5.0)],
)
def test_each_witness_counts(field: str, value: float) -> None:
    assert dynamics.squash(mix_of(SQUASHED | {field: value})) < dynamics.squash(mix_of(SQUASHED)) - 1.4


def test_no_witness_counts_for_more_than_its_share() -> None:
    """Two steps against, at most; one in favour, at most: one number far out does not decide."""
    fine = {PSR: 11.0, "production.density": 88.0, "transients.attack_strength_db": 4.5, LRA: 1.5}
    assert dynamics.squash(mix_of(fine)) == pytest.approx(-1.5)
    assert dynamics.squash(mix_of(fine | {"transients.attack_strength_db": -4.5})) == pytest.approx(0.5)
    assert dynamics.squash(mix_of(fine | {LRA: 15.0})) == pytest.approx(-2.5)


def test_one_witness_alone_is_a_style() -> None:
    for field in ("production.density", "transients.attack_strength_db", LRA):
        assert only(dynamics.over_compressed, mix_of(FINE | {field: SQUASHED[field]})) is None
    assert dynamics.squash(mix_of({PSR: 9.8})) == 0


def limited(samples: Samples, gain_db: float) -> Samples:
    return signals.clipped(samples * np.float32(signals.amplitude(gain_db)), 0.9)


def test_a_song_that_is_limited_is_told_and_the_song_itself_is_not() -> None:
    clean, pressed = measured(song(24.0)), measured(limited(song(24.0), 18.0))
    assert only(dynamics.over_compressed, clean) is None
    assert only(dynamics.over_compressed, pressed)


# Passages against the limiter


def walls(*levels: float) -> dict[str, Any]:
    """Peaks at −1, short-term loudness as given."""
    curve = np.array(levels)
    return FINE | {
        "loudness.short_term_lufs": curve,
        "loudness.true_peaks_dbtp": np.full(curve.size + 2, -1.0),
        "loudness.psr_min_db": -1.0 - float(curve.max()),
    }


def test_passages_against_the_limiter_are_named() -> None:
    found = only(dynamics.brick_walled, mix_of(walls(*[-14.0] * 5, -8.5, -8.5, *[-14.0] * 5)))
    assert found
    assert found.times_s == ((5.0, 9.0),)
    assert found.weight == pytest.approx(0.5)


@pytest.mark.parametrize("levels", [(-14.0, -8.5, -14.0), (-14.0, -9.1, -9.1, -9.1, -14.0)])
def test_short_ones_and_open_ones_are_not(levels: tuple[float, ...]) -> None:
    assert only(dynamics.brick_walled, mix_of(walls(*levels))) is None


def test_what_is_quiet_reaches_no_limiter() -> None:
    facts = walls(*[-14.0] * 5, -20.5, -20.5, -20.5)
    facts["loudness.true_peaks_dbtp"][5:] = -14.0
    assert only(dynamics.brick_walled, mix_of(facts)) is None
    facts["loudness.short_term_lufs"][5:] = -19.5
    assert only(dynamics.brick_walled, mix_of(facts))


def test_what_is_said_of_the_whole_is_not_said_of_its_parts() -> None:
    assert only(dynamics.brick_walled, mix_of(walls(*[-8.5] * 9) | {PSR: 7.5})) is None


def test_the_ratio_takes_the_highest_peak_of_three_seconds() -> None:
    facts = {
        "loudness.short_term_lufs": np.array([-12.0, -12.0, np.nan]),
        "loudness.true_peaks_dbtp": np.array([-9.0, -6.0, -3.0, -1.0, np.nan]),
    }
    assert dynamics.psr_curve(mix_of(facts)) == pytest.approx(np.array([9.0, 11.0, np.nan]), nan_ok=True)
    assert dynamics.psr_curve(mix_of({})).size == 0


# Too dynamic


@pytest.mark.parametrize(("plr", "psr", "fires"), [(18.1, 15.1, True), (17.9, 15.1, False), (18.1, 14.9, False)])
def test_too_dynamic_for_the_target(plr: float, psr: float, fires: bool) -> None:
    found = only(dynamics.too_dynamic, mix_of(FINE | {PLR: plr, PSR: psr}))
    assert (found is not None) is fires
    if found:
        assert found.id == "dynamics.compression.too_little"
        assert f"{plr - 13:.1f} dB over the ceiling" in found.text
        assert found.processing[0].threshold_db == -12.0


def test_peaks_do_not_matter_where_nothing_is_levelled() -> None:
    assert only(dynamics.too_dynamic, mix_of(FINE | {PLR: 25.0, PSR: 20.0}, platform="club")) is None


def test_music_that_is_always_wide_may_be_wider() -> None:
    wide = FINE | {PLR: 20.9, PSR: 17.0}
    assert only(dynamics.too_dynamic, mix_of(wide, loudness__plr_db=(12.0, 16.0, 21.0))) is None


# Pumping


@pytest.mark.parametrize(
    ("depth", "sure", "weight", "severity"),
    [
        (1.1, 0.9, None, None),
        (1.7, 0.09, None, None),
        (1.7, 0.11, 0.5, "note"),
        (3.7, 0.49, 2.5, "warning"),
        (3.7, 0.51, 2.5, "fault"),
    ],
)
def test_pumping(depth: float, sure: float, weight: float | None, severity: str | None) -> None:
    facts = {"pumping.depth_db": depth, "pumping.rate_hz": 2.0, "pumping.confidence": sure}
    found = only(dynamics.pumping, mix_of(facts))
    assert (found and found.severity) == severity
    assert (found and found.weight) == (weight and pytest.approx(weight))
    if found:
        assert found.id == "dynamics.pumping.too_much"
        assert found.processing[1].release_ms == 120  # a quarter of the beat


# Loudness range


@pytest.mark.parametrize(("value", "fires"), [(13.1, True), (12.9, False)])
def test_a_range_beyond_the_corridor(value: float, fires: bool) -> None:
    found = only(dynamics.wide_range, mix_of(FINE | {LRA: value}))
    assert (found is not None) is fires


def test_without_a_corridor_fourteen_units_are_wide() -> None:
    assert only(dynamics.wide_range, without(mix_of(FINE | {LRA: 13.9}))) is None
    found = only(dynamics.wide_range, without(mix_of(FINE | {LRA: 17.5})))
    assert found
    assert found.weight == pytest.approx(3.5 / 3)


@pytest.mark.parametrize(("value", "fires"), [(1.9, True), (2.1, False)])
def test_a_range_without_any_movement(value: float, fires: bool) -> None:
    found = only(dynamics.flat_range, mix_of(FINE | {LRA: value}))
    assert (found and found.severity) == ("note" if fires else None)
    if found:
        assert found.weight == pytest.approx(0.1)


def test_music_that_is_always_even_may_be_so() -> None:
    assert only(dynamics.flat_range, mix_of(FINE | {LRA: 1.9}, loudness__range_lu=(1.0, 2.0, 4.0))) is None
    assert only(dynamics.flat_range, without(mix_of(FINE | {LRA: 2.1}))) is None
    assert only(dynamics.flat_range, without(mix_of(FINE | {LRA: 1.9})))


def test_ranges_of_short_pieces_say_nothing() -> None:
    for value in (0.1, 30.0):
        short = mix_of(FINE | {LRA: value, "loudness.range_is_short": True})
        assert only(dynamics.flat_range, short) is None
        assert only(dynamics.wide_range, short) is None


# Strength


@pytest.mark.parametrize(("psr", "fits"), [(10.4, False), (10.6, True), (14.9, True), (15.1, False)])
def test_healthy_dynamics_are_a_strength(psr: float, fits: bool) -> None:
    found = only(dynamics.healthy, mix_of(FINE | {PSR: psr}))
    assert (found and found.severity) == ("strength" if fits else None)


def test_what_is_squashed_is_not_healthy() -> None:
    squashed = mix_of(SQUASHED | {PSR: 10.6, LRA: 0.2})
    assert dynamics.squash(squashed) > 0
    assert only(dynamics.healthy, squashed) is None


def test_nothing_is_said_of_what_was_not_measured() -> None:
    for one in (dynamics.over_compressed, dynamics.brick_walled, dynamics.too_dynamic, dynamics.pumping):
        assert only(one, mix_of({})) is None
    for one in (dynamics.wide_range, dynamics.flat_range, dynamics.healthy):
        assert only(one, mix_of({})) is None
