"""Advice on loudness: what triggers it, what just does not, and what it says to do."""

from __future__ import annotations

import numpy as np
import pytest

from processor.analysis.sections import Sections
from processor.feedback.advice import Mix
from processor.feedback.areas import loudness
from tests import signals
from tests.feedback.level_mixes import measured, mix_of, only, without
from tests.signals import song

LUFS, PEAK, PLR = "loudness.integrated_lufs", "loudness.true_peak_dbtp", "loudness.plr_db"


def level(lufs: float, peak: float = -1.0, **words: str) -> Mix:
    facts = {LUFS: lufs, PEAK: peak, PLR: peak - lufs, "loudness.short_term_max_lufs": lufs + 2}
    return mix_of(facts, **words)  # type: ignore[arg-type]


# Against the platform


@pytest.mark.parametrize(
    ("lufs", "severity", "weight"), [(-13.01, None, 0), (-12.9, "note", 0.05), (-10.9, "warning", 1.05)]
)
def test_louder_than_the_platform_by_more_than_one_unit(lufs: float, severity: str | None, weight: float) -> None:
    found = only(loudness.too_loud, level(lufs))
    assert (found and found.severity) == severity
    if found:
        assert found.weight == pytest.approx(weight)
        assert found.id == "loudness.too_much"
        assert found.processing[0].gain_db == pytest.approx(-14 - lufs)


def test_what_all_such_music_does_is_no_fault() -> None:
    usual, beyond = only(loudness.too_loud, level(-6.6)), only(loudness.too_loud, level(-6.4))
    assert usual
    assert usual.severity == "warning"
    assert beyond
    assert beyond.severity == "fault"
    classical = only(loudness.too_loud, level(-8.5, profile="classical"))
    assert classical
    assert classical.severity == "fault"


def test_it_says_what_limiting_costs_only_where_something_was_limited() -> None:
    limited, open_ = only(loudness.too_loud, level(-9.0)), only(loudness.too_loud, level(-9.0, peak=4.0))
    assert limited
    assert "5.0 dB under the ceiling" in limited.text
    assert open_
    assert "loses nothing but level" in open_.text
    for peak, is_limited in ((2.9, True), (3.1, False)):
        found = only(loudness.too_loud, level(-9.0, peak=peak))
        assert found
        assert ("costs attack" in found.text) is is_limited


@pytest.mark.parametrize(("lufs", "weight"), [(-18.4, None), (-18.6, 0.1 / 3), (-21.6, 3.1 / 3), (-30.0, 11.5 / 3)])
def test_quieter_than_platform_and_music(lufs: float, weight: float | None) -> None:
    found = only(loudness.too_quiet, level(lufs))
    assert (found and found.weight) == (weight and pytest.approx(weight))
    if found:
        assert found.id == "loudness.too_little"
        assert next(step for step in found.processing if step.type == "gain").gain_db == pytest.approx(-14 - lufs)


def test_quiet_counts_from_the_target_where_the_profile_says_nothing() -> None:
    assert only(loudness.too_quiet, without(level(-16.9))) is None
    assert only(loudness.too_quiet, without(level(-17.1)))


def test_what_is_quiet_in_its_genre_only_is_a_note() -> None:
    found = only(loudness.quieter_than_genre, level(-13.1, profile="pop"))
    assert found
    assert (found.id, found.severity) == ("loudness.genre.too_little", "note")
    assert only(loudness.quieter_than_genre, level(-12.9, profile="pop")) is None
    assert only(loudness.quieter_than_genre, level(-17.1, profile="pop")) is None
    assert only(loudness.quieter_than_genre, level(-20.0)) is None


def test_without_a_target_the_genre_is_the_measure() -> None:
    loud = only(loudness.too_loud, level(-5.5, platform="club", profile="techno"))
    high = level(0, profile="techno").profile.ranges[LUFS].high
    assert (loud is not None) is (high + 1 < -5.5)
    found = only(loudness.too_loud, level(high + 5.5, platform="club", profile="techno"))
    assert found
    assert found.severity == "fault"
    assert "Techno" in found.title
    assert only(loudness.too_loud, without(level(-3.0, platform="club"))) is None
    assert only(loudness.too_quiet, without(level(-40.0, platform="club"))) is None


@pytest.mark.parametrize(("lufs", "fits"), [(-15.1, False), (-14.9, True), (-13.1, True), (-12.9, False)])
def test_on_target_is_a_strength(lufs: float, fits: bool) -> None:
    found = only(loudness.on_target, level(lufs))
    assert (found and found.severity) == ("strength" if fits else None)


@pytest.mark.parametrize(
    ("lufs", "told"),
    [
        (-14.04, "it is played as it is."),
        (-13.2, "Spotify turns it down by 0.8 dB only."),
        (-14.5, "it is played as it is."),
    ],
)
def test_on_target_says_what_is_done_to_it(lufs: float, told: str) -> None:
    found = only(loudness.on_target, level(lufs))
    assert found
    assert found.text.endswith(told)


@pytest.mark.parametrize(
    ("peak", "steps"),
    [
        (-8.0, ["gain"]),
        (-6.0, ["gain", "limiter"]),
        (-3.1, ["gain", "limiter"]),
        (-1.0, ["compressor", "gain", "limiter"]),
    ],
)
def test_gain_takes_a_limiter_and_a_compressor_only_where_it_needs_them(peak: float, steps: list[str]) -> None:
    found = loudness.gain_steps(level(-20.0, peak), 6.0)
    assert [step.type for step in found] == steps
    if len(steps) == 3:
        # 6 dB over the ceiling: 2 of them by 2:1, whose threshold lies 4 dB under the loudest passage.
        assert found[0].threshold_db == pytest.approx(-18.0 - 4.0)
        assert found[2].threshold_db == -1.0


def test_the_compressor_does_a_small_part_only() -> None:
    found = loudness.gain_steps(level(-30.0, -1.0), 16.0)
    assert found[0].threshold_db == pytest.approx(-28.0 - 6.0)


def test_the_steps_reach_the_target() -> None:
    """The gain that is asked for is what is missing, proved by applying it."""
    quiet = measured(0.02 * song(20.0))
    found = only(loudness.too_quiet, quiet)
    assert found
    gain = next(step.gain_db for step in found.processing if step.type == "gain")
    louder = measured(0.02 * song(20.0) * np.float32(signals.amplitude(gain or 0)))
    assert louder.get(LUFS) == pytest.approx(-14, abs=0.1)


def test_a_loud_signal_is_too_loud_and_the_same_at_the_target_is_not() -> None:
    samples = signals.clipped(4 * song(20.0), 0.89)
    assert only(loudness.too_loud, measured(samples))
    assert only(loudness.too_loud, measured(0.2 * samples)) is None


# Over the piece


def curve_mix(values: list[float], name: str = "momentary_lufs", lufs: float = -14.0) -> Mix:
    return mix_of({f"loudness.{name}": np.array(values), LUFS: lufs})


@pytest.mark.parametrize(("over", "severity"), [(2.9, None), (3.1, "note"), (5.1, "warning"), (7.1, "fault")])
def test_a_jump_stands_over_both_sides(over: float, severity: str | None) -> None:
    found = only(loudness.jump, curve_mix([-20.0] * 10 + [-20.0 + over] + [-20.0] * 10))
    assert (found and found.severity) == severity
    if found:
        assert found.times_s == ((10.0, 11.0),)
        assert found.weight == pytest.approx((over - 3) / 2)
        assert (found.evidence[0].value, found.evidence[0].unit) == (pytest.approx(over), "LU")


def test_what_stays_loud_does_not_jump() -> None:
    assert only(loudness.jump, curve_mix([-30.0] * 10 + [-20.0] * 10)) is None


@pytest.mark.parametrize(("away", "fires"), [(6, False), (7, True)])
def test_five_seconds_on_each_side_are_around(away: int, fires: bool) -> None:
    levels = [-20.0] * 30
    levels[15] = levels[15 - away] = -10.0
    found = only(loudness.jump, curve_mix(levels))
    assert (found is not None and (15.0, 16.0) in found.times_s) is fires


def test_nothing_jumps_out_of_a_pause_or_in_a_short_piece() -> None:
    assert only(loudness.jump, curve_mix([float("nan")] * 10 + [-20.0] + [float("nan")] * 10)) is None
    assert only(loudness.jump, curve_mix([-51.0] * 10 + [-20.0] + [-51.0] * 10)) is None
    assert only(loudness.jump, curve_mix([-49.0] * 10 + [-20.0] + [-49.0] * 10))
    assert only(loudness.jump, curve_mix([-20.0, -10.0])) is None


def test_a_shout_in_a_song_is_a_jump() -> None:
    samples = np.array(0.1 * signals.noise(30.0, channels=2))
    samples[:, 15 * signals.RATE : 15 * signals.RATE + 24000] *= 4
    found = only(loudness.jump, measured(samples))
    assert found
    assert found.times_s[0][0] in (14.0, 15.0)


def form(*parts: tuple[float, float, str], sure: float = 0.5) -> Sections:
    count = len(parts)
    edges = np.array([part[:2] for part in parts])
    names = tuple(part[2] for part in parts)
    nothing = np.zeros(0)
    return Sections(edges, names, ("section",) * count, (0.0,) * count, sure, count, nothing, nothing, None, None)


@pytest.mark.parametrize(("step", "sure", "fires"), [(3.1, 0.5, True), (2.9, 0.5, False), (8.0, 0.39, False)])
def test_the_same_part_at_another_level(step: float, sure: float, fires: bool) -> None:
    mix = curve_mix([-20.0] * 10 + [-16.0] * 10 + [-20.0 + step] * 10, "short_term_lufs")
    mix.results["sections"] = form((0, 10, "A"), (10, 20, "B"), (20, 30, "A"), sure=sure)  # type: ignore[index]
    found = only(loudness.uneven_sections, mix)
    assert (found is not None) is fires
    if found:
        assert (found.severity, found.times_s) == ("note", ((0, 10), (20, 30)))
        assert found.processing[0].gain_db == pytest.approx(round(step / 2, 1))
        assert (found.evidence[0].value, found.evidence[0].unit) == (pytest.approx(step), "LU")
        assert found.weight == pytest.approx((step - 3) / 1.5)


def test_short_parts_are_not_compared() -> None:
    mix = curve_mix([-20.0] * 7 + [-16.0] * 10 + [-10.0] * 10, "short_term_lufs")
    mix.results["sections"] = form((0, 7, "A"), (7, 17, "B"), (17, 27, "A"))  # type: ignore[index]
    assert only(loudness.uneven_sections, mix) is None


def test_the_loudness_of_a_part_is_that_of_windows_within_it() -> None:
    values = np.array([-50.0] * 4 + [-20.0] * 3 + [-50.0] * 4)
    assert loudness.section_lufs(values, 4, 9) == pytest.approx(-20)
    assert loudness.section_lufs(values, 4, 5) is None
    assert loudness.section_lufs(np.full(9, np.nan), 0, 9) is None


@pytest.mark.parametrize(("seconds", "under", "fires"), [(6, 12.1, True), (5, 12.1, False), (30, 11.9, False)])
def test_a_beginning_that_is_not_heard(seconds: int, under: float, fires: bool) -> None:
    found = only(loudness.quiet_intro, curve_mix([-14.0 - under] * seconds + [-14.0] * 60, "short_term_lufs"))
    assert (found is not None) is fires
    if found:
        assert found.times_s == ((0.0, float(seconds)),)
        assert found.processing[0].gain_db == 3


def test_nothing_is_said_of_what_was_not_measured() -> None:
    empty = mix_of({})
    for one in (loudness.too_loud, loudness.too_quiet, loudness.jump, loudness.quiet_intro, loudness.on_target):
        assert only(one, empty) is None
    assert only(loudness.uneven_sections, empty) is None
