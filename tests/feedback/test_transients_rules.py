"""Advice on transients: what triggers it, what just does not, and what it says to do."""

from __future__ import annotations

import numpy as np
import pytest

from processor.feedback.areas import transients
from tests import signals
from tests.feedback.level_mixes import measured, mix_of, only
from tests.signals import RATE, Samples

ATTACK, TIME, PUNCH, RATE_S = (
    f"transients.{name}" for name in ("attack_strength_db", "attack_time_s", "punch_db", "onset_rate")
)
PSR = "loudness.psr_median_db"
FINE = {ATTACK: 6.0, TIME: 0.015, PUNCH: 12.0, RATE_S: 4.0, PSR: 12.0, "loudness.short_term_max_lufs": -12.0}


@pytest.mark.parametrize(
    ("strength", "rate", "weight"), [(3.1, 4.0, None), (2.9, 0.9, None), (2.9, 1.1, 0.1), (1.5, 4.0, 1.5)]
)
def test_soft_attacks(strength: float, rate: float, weight: float | None) -> None:
    found = only(transients.dull, mix_of(FINE | {ATTACK: strength, RATE_S: rate}))
    assert (found and found.weight) == (weight and pytest.approx(weight))
    if found:
        assert found.id == "transients.attack.too_little"
        assert found.processing[0].gain_db == pytest.approx(5 - strength)
        assert found.processing[1].attack_ms == 20


@pytest.mark.parametrize(
    ("punch", "rate", "weight"), [(7.1, 4.0, None), (6.9, 1.9, None), (6.9, 2.1, 0.1), (5.5, 4.0, 1.5)]
)
def test_little_punch(punch: float, rate: float, weight: float | None) -> None:
    found = only(transients.weak_punch, mix_of(FINE | {PUNCH: punch, RATE_S: rate}))
    assert (found and found.weight) == (weight and pytest.approx(weight))
    if found:
        assert found.id == "transients.punch.too_little"


@pytest.mark.parametrize(
    ("strength", "psr", "weight"), [(6.4, 18.0, None), (6.6, 15.9, None), (6.6, 16.2, 0.1), (12.0, 19.0, 1.5)]
)
def test_spiky(strength: float, psr: float, weight: float | None) -> None:
    found = only(transients.spiky, mix_of(FINE | {ATTACK: strength, PSR: psr}))
    assert (found and found.weight) == (weight and pytest.approx(weight))
    if found:
        assert found.id == "transients.attack.too_much"
        assert found.processing[1].threshold_db == -2.0


def hits(seconds: float = 20.0, bed_db: float = -40.0) -> Samples:
    """A hit of 40 ms twice a second over a bed of noise."""
    time = np.arange(round(seconds * RATE)) / RATE
    drum = signals.noise(seconds)[0] * 8 * np.exp(-(time % 0.5) * 60)
    return signals.spread(0.3 * drum + 10 ** (bed_db / 20) * signals.noise(seconds, 0.0, seed=1)[0])


def test_drums_alone_are_spiky_and_drums_in_noise_are_not() -> None:
    assert only(transients.spiky, measured(hits()))
    assert only(transients.spiky, measured(hits(bed_db=-20.0))) is None


def test_drums_that_sink_into_a_bass_are_soft() -> None:
    assert only(transients.dull, measured(hits() + signals.sine(60, 20.0, -2.0, channels=2)))
    assert only(transients.dull, measured(hits())) is None


def peaks(*values: float) -> dict[str, object]:
    return {"loudness.true_peaks_dbtp": np.array(values)}


@pytest.mark.parametrize(("over", "weight"), [(2.4, None), (2.6, 0.1 / 1.5), (5.5, 2.0)])
def test_one_peak_over_the_rest(over: float, weight: float | None) -> None:
    found = only(transients.stray_peak, mix_of(peaks(*[-6.0] * 30, -6.0 + over, *[-6.0] * 30)))
    assert (found and found.weight) == (weight and pytest.approx(weight))
    if found:
        assert found.times_s == ((30.0, 31.0),)
        assert found.severity == ("note" if over < 4 else "fault")
        assert found.processing[0].gain_db == pytest.approx(-over)


def test_two_of_a_kind_and_short_pieces_do_not_count() -> None:
    assert only(transients.stray_peak, mix_of(peaks(*[-6.0] * 48, 0.0, 0.0))) is None
    assert only(transients.stray_peak, mix_of(peaks(*[-6.0] * 18, 0.0))) is None
    assert only(transients.stray_peak, mix_of(peaks(*[-6.0] * 19, 0.0)))


def test_silence_between_is_no_peak() -> None:
    assert only(transients.stray_peak, mix_of(peaks(*[np.nan] * 30, *[-6.0] * 10))) is None


@pytest.mark.parametrize(
    ("field", "value", "fits"),
    [(ATTACK, 5.1, True), (ATTACK, 4.9, False), (ATTACK, 12.1, False), (TIME, 0.026, False), (PUNCH, 9.9, False)],
)
def test_sharp_attacks_are_a_strength(field: str, value: float, fits: bool) -> None:
    found = only(transients.sharp, mix_of(FINE | {field: value}))
    assert (found and found.severity) == ("strength" if fits else None)


def test_nothing_is_said_of_what_was_not_measured() -> None:
    for one in (transients.dull, transients.weak_punch, transients.spiky, transients.stray_peak, transients.sharp):
        assert only(one, mix_of({})) is None
