"""Tonal balance: one cause, one piece of advice, with the band, the direction and the equaliser that puts it right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from processor.analysis.bands import bands
from processor.analysis.spectrum import spectrum as measured
from processor.feedback.advice import TOO_LITTLE, TOO_MUCH, Advice, Mix
from processor.feedback.areas import tone as rules
from processor.feedback.areas._spectra import BELL, HIGH_SHELF, LOW_SHELF, RING, TILT, Shape, moves, response
from processor.feedback.rules import all_rules
from tests import signals
from tests.feedback.tone_mixes import PROFILE, Curve, flat, found, mix, move, picture, spectrum

TONE = [one for one in all_rules() if one.name.startswith("tone.")]
SOURCE = signals.audio(signals.sine(440, 0.1)).source


def said(one: Mix) -> list[Advice]:
    """What the rules of this area say, but for praise."""
    return [advice for rule in TONE for advice in rule.function(one) if advice.severity != "strength"]


def of(curve: Curve, **results: Any) -> Mix:
    return mix(spectrum=spectrum(curve), **results)


# Each fault alone: the largest gain that is fine, and the smallest that is advice.
FAULTS = [
    (LOW_SHELF, 50, 4.5, 5.25, "sub.too_much"),
    (LOW_SHELF, 50, -4.5, -5.25, "sub.too_little"),
    (LOW_SHELF, 130, 4.0, 4.5, "bass.too_much"),
    (LOW_SHELF, 130, -4.0, -4.5, "bass.too_little"),
    (BELL, 300, 4.0, 4.75, "low_mids.too_much"),
    (BELL, 220, 4.0, 4.75, "low_mids.too_much"),
    (BELL, 300, -4.0, -4.75, "low_mids.too_little"),
    (BELL, 1000, 4.0, 4.75, "mids.too_much"),
    (BELL, 1000, -4.0, -4.75, "mids.too_little"),
    (BELL, 3000, 4.0, 4.75, "high_mids.too_much"),
    (BELL, 3000, -4.0, -4.75, "high_mids.too_little"),
    (BELL, 8000, 4.0, 4.75, "air.too_much"),
    (HIGH_SHELF, 10_000, 5.25, 6.0, "air.too_much"),
    (HIGH_SHELF, 5000, -4.0, -4.75, "air.too_little"),
    (RING, 560, 8.5, 9.25, "resonance.mids.too_much"),
    (RING, 2300, 9.0, 9.75, "resonance.high_mids.too_much"),
    (TILT, 1000, 2.25, 2.75, "brightness.too_much"),
    (TILT, 1000, -2.25, -2.75, "brightness.too_little"),
]


def test_no_more_than_two_are_faults_and_these_are_the_furthest() -> None:
    three = move(BELL, 300, 15.0), move(BELL, 8000, 13.0), move(BELL, 1500, -11.0)
    told = said(of(lambda hz: sum(one(hz) for one in three)))
    assert len(told) >= 3
    told.sort(key=lambda one: -one.weight)
    assert [one.severity for one in told[:3]] == ["fault", "fault", "warning"]
    assert told[2].weight > 2


@pytest.mark.parametrize(("kind", "hz", "fine", "fault", "id"), FAULTS)
def test_one_cause_is_one_piece_of_advice(kind: str, hz: float, fine: float, fault: float, id: str) -> None:
    q = 8.0 if kind == RING else 0.7 if "shelf" in kind else 1.0
    assert said(of(move(kind, hz, fine, q))) == []
    [advice] = said(of(move(kind, hz, fault, q)))
    assert advice.id == f"tone.{id}"
    assert (advice.severity, advice.area) == ("note", "tone")
    assert advice.direction == (TOO_MUCH if fault > 0 else TOO_LITTLE)
    assert advice.band in (None, *id.split("."))
    [heavier] = said(of(move(kind, hz, 1.2 * fault, q)))
    assert heavier.id == advice.id
    assert heavier.weight > advice.weight


@pytest.mark.parametrize(("gain", "severity"), [(5.0, "note"), (6.75, "warning"), (9.0, "fault")])
def test_a_larger_deviation_is_worse(gain: float, severity: str) -> None:
    [advice] = said(of(move(BELL, 300, gain)))
    assert advice.severity == severity
    [one] = moves(of(move(BELL, 300, gain)))[:1]
    assert advice.weight == pytest.approx((one.gain_db - one.limit_db) / 1.5)


@pytest.mark.parametrize(
    ("kind", "hz", "gain", "title"),
    [
        (BELL, 300, 8, "Muddy around"),
        (BELL, 180, 8, "Muddy around"),
        (BELL, 70, 8, "Bottom-heavy around"),
        (BELL, 600, 8, "Boxy around"),
        (BELL, 1100, 8, "Nasal around"),
        (BELL, 3000, 8, "Harsh around"),
        (BELL, 5500, 8, "Edgy around"),
        (BELL, 7000, 8, "Sibilant around"),
        (BELL, 9000, 8, "Brittle around"),
        (HIGH_SHELF, 10_000, 8, "Too much air above"),
        (HIGH_SHELF, 5000, -8, "Dull above"),
        (BELL, 1000, -8, "Scooped mids around"),
        (BELL, 200, -12, "Lean around"),
        (LOW_SHELF, 130, 8, "Bottom-heavy below"),
    ],
)
def test_an_engineer_has_a_word_for_it(kind: str, hz: float, gain: float, title: str) -> None:
    [advice] = said(of(move(kind, hz, gain, 0.7 if "shelf" in kind else 1.4)))
    assert advice.title.startswith(title)


@pytest.mark.parametrize(("hz", "gain"), [(300, 6.0), (1000, -7.0), (3000, 9.0), (8000, 5.0)])
def test_the_equaliser_follows_from_the_deviation(hz: float, gain: float) -> None:
    [advice] = said(of(move(BELL, hz, gain, 1.0)))
    [step] = advice.processing
    assert step.type == "bell"
    assert step.frequency_hz == pytest.approx(hz, rel=0.13)
    assert step.gain_db is not None
    assert step.q is not None
    assert step.q == pytest.approx(1.0, rel=0.45)
    # Softened: a part of it may be the music's own.
    assert 0.7 * min(abs(gain), 6) <= -step.gain_db * np.sign(gain) <= 6
    lowered = move(BELL, hz, gain + step.gain_db, 1.0)
    assert said(of(lowered)) == []


def test_what_sticks_out_of_its_neighbours_is_found_in_a_wide_corridor() -> None:
    wide = replace(
        PROFILE,
        tone_low_db=tuple(level - 12 for level in PROFILE.tone_middle_db),
        tone_high_db=tuple(level + 12 for level in PROFILE.tone_middle_db),
    )
    one = replace(of(move(BELL, 300, 12.0, 2.0)), profile=wide)
    assert one.tone is not None
    assert not any(one.tone.bands_outside_db.values())
    assert [advice.id for advice in said(one)] == ["tone.low_mids.too_much"]


def test_a_corridor_of_one_reference_is_not_taken_at_its_word() -> None:
    """One recording is not all there can be, so a deviation by half a decibel beyond is none."""
    narrow = replace(
        PROFILE,
        tone_low_db=tuple(level - 0.5 for level in PROFILE.tone_middle_db),
        tone_high_db=tuple(level + 0.5 for level in PROFILE.tone_middle_db),
    )
    assert said(replace(of(move(BELL, 300, 2.5)), profile=narrow)) == []
    assert said(replace(of(move(BELL, 300, 3.1)), profile=narrow))


def test_less_than_a_step_is_no_deviation() -> None:
    assert moves(of(move(BELL, 300, 1.6))) == ()
    assert moves(of(move(BELL, 300, 2.1)))


def test_a_spectrum_full_of_bumps_gets_no_endless_list() -> None:
    assert len(moves(of(lambda hz: 10 * np.sin(5 * np.log2(hz))))) == 4


def test_a_ring_is_cut_narrowly() -> None:
    [step] = found(rules.resonance, of(move(RING, 560, 12.0, 8.0))).processing
    assert (step.type, step.q, step.gain_db) == ("bell", 6.0, -6.0)
    assert step.frequency_hz == pytest.approx(560, rel=0.06)


def test_the_level_does_not_matter() -> None:
    quiet = said(of(lambda hz: move(BELL, 300, 8.0)(hz) - 30))
    loud = said(of(move(BELL, 300, 8.0)))
    assert quiet[0].weight == pytest.approx(loud[0].weight)


def test_the_evidence_says_where_it_lies_and_where_it_should() -> None:
    one = of(move(BELL, 1000, 8.0))
    third, band = found(rules.mids_too_much, one).evidence
    assert (third.field, third.unit) == ("spectrum.third_octaves_db", "dB")
    assert third.value == pytest.approx(-12.0, abs=0.3)
    low, high = (float(part.replace("−", "-")) for part in third.limit.split(" in ")[0].split(" to "))
    assert low < -18.5 < high < -12
    assert third.limit.endswith("at 1 kHz")
    assert (band.field, band.source) == ("spectrum.mids_db", "a formula")


def test_two_causes_are_two_pieces_of_advice_the_larger_first() -> None:
    found = moves(of(lambda hz: move(BELL, 300, 6.0)(hz) + move(HIGH_SHELF, 7000, -12.0, 0.7)(hz)))
    assert [(one.shape.band, one.gain_db > 0) for one in found[:2]] == [("air", False), ("low_mids", True)]


def test_a_hole_counts_less_than_a_bump() -> None:
    [bump], [hole] = (said(of(move(BELL, 1000, gain, 2.0))) for gain in (6.0, -6.0))
    assert hole.weight < bump.weight - 0.15
    assert said(of(move(RING, 2300, -7.0, 8.0))) == []


def test_a_boom_and_a_missing_low_end_are_told_by_the_low_end() -> None:
    assert said(of(move(BELL, 110, 8.0, 1.4))) == []
    assert said(of(lambda hz: -10 * np.log10(1 + (150 / hz) ** 8))) == []


def low_pass(corner: float) -> Curve:
    return lambda hz: -10 * np.log10(1 + (hz / corner) ** 16)


def test_no_top_at_all() -> None:
    one = of(low_pass(8000), source=SOURCE)
    assert SOURCE.sample_rate_hz == signals.RATE
    [advice] = said(one)
    assert (advice.id, advice.band, advice.direction) == ("tone.no_top.air.too_little", "air", TOO_LITTLE)
    assert advice.severity == "fault"
    assert [evidence.field for evidence in advice.evidence] == ["spectrum.bandwidth_hz", "source.sample_rate_hz"]
    assert list(rules.no_top(of(low_pass(12_000), source=SOURCE))) == []


def test_no_top_that_a_coder_or_a_low_rate_cut_off() -> None:
    cut = mix(spectrum=spectrum(flat, bandwidth_hz=8000.0), source=SOURCE)
    advice = found(rules.no_top, cut)
    assert "8 kHz" in advice.text
    narrower = mix(spectrum=spectrum(flat, bandwidth_hz=5000.0), source=SOURCE)
    assert found(rules.no_top, narrower).weight == pytest.approx(advice.weight + 1.5)
    assert list(rules.no_top(mix(spectrum=spectrum(flat, bandwidth_hz=12_000.0), source=SOURCE))) == []
    coded = mix(spectrum=spectrum(flat, lossy_cutoff_hz=11_000.0), source=SOURCE)
    assert "11 kHz" in found(rules.no_top, coded).text
    assert list(rules.no_top(mix(spectrum=spectrum(flat, lossy_cutoff_hz=16_000.0), source=SOURCE))) == []
    just_enough = mix(spectrum=spectrum(flat, bandwidth_hz=8000.0), source=replace(SOURCE, sample_rate_hz=32_000))
    assert found(rules.no_top, just_enough)
    # A file at a low rate could not hold it.
    low_rate = mix(spectrum=spectrum(flat, bandwidth_hz=8000.0), source=replace(SOURCE, sample_rate_hz=22_050))
    assert list(rules.no_top(low_rate)) == []


def test_a_balanced_spectrum_is_a_strength() -> None:
    advice = found(rules.balanced, of(flat))
    assert (advice.id, advice.severity, advice.processing) == ("tone.balanced", "strength", ())
    assert found(rules.balanced, of(move(BELL, 1000, 3.0))).id == "tone.balanced"
    assert list(rules.balanced(of(move(BELL, 1000, 8.0)))) == []
    # A band outside its corridor, though nothing sticks out far.
    assert list(rules.balanced(of(move(LOW_SHELF, 130, 6.0, 0.7)))) == []


def test_without_a_spectrum_nothing_is_said() -> None:
    assert said(mix()) == []
    assert list(rules.balanced(mix(stereo=picture()))) == []
    assert moves(of(lambda hz: np.where(abs(hz - 1000) < 1, 0.0, np.nan))) == ()


def test_real_sound_that_is_made_muddy_and_dull() -> None:
    """Noise with the profile's own spectrum, through an equaliser, measured."""
    rng = np.random.default_rng(0)
    hz = np.maximum(np.fft.rfftfreq(signals.RATE * 4, 1 / signals.RATE), 15)
    power = 10 ** (np.interp(np.log2(hz), np.log2(PROFILE.centres_hz), PROFILE.tone_middle_db) / 10) / hz

    def heard(curve: Curve) -> list[str]:
        spectra = np.sqrt(power * 10 ** (np.interp(hz, PROFILE.centres_hz, curve(np.array(PROFILE.centres_hz))) / 10))
        noise = np.fft.irfft(spectra * np.exp(2j * np.pi * rng.random(hz.size)))
        one = signals.audio(signals.spread((0.3 * noise / np.abs(noise).max()).astype(np.float32)))
        return [advice.id for advice in said(mix(spectrum=measured(one, bands(one)), source=one.source))]

    assert heard(flat) == []
    assert heard(move(BELL, 300, 8.0)) == ["tone.low_mids.too_much"]
    assert heard(move(HIGH_SHELF, 5000, -10.0, 0.7)) == ["tone.air.too_little"]


def test_the_response_of_a_bell_and_of_shelves() -> None:
    centres = np.array([20.0, 1000.0, 15_000.0])
    assert response(Shape(BELL, 1000, 1.0), centres) == pytest.approx([0, 1, 0], abs=0.02)
    assert response(Shape(LOW_SHELF, 200, 0.7), centres) == pytest.approx([1, 0, 0], abs=0.03)
    assert response(Shape(HIGH_SHELF, 4000, 0.7), centres) == pytest.approx([0, 0, 1], abs=0.03)
    # A ring is narrower than a third-octave, and so less of it shows in one.
    assert 0.5 < response(Shape(RING, 1000, 8.0), centres)[1] < 0.9
    assert response(Shape(TILT, 1000, 0.0), np.array([125.0, 1000.0, 8000.0])) == pytest.approx([-1, 0, 1])


def test_rules_are_for_mixes_and_say_what_they_rest_on() -> None:
    assert len(TONE) == 16
    assert all(one.of == ("mix",) and one.source and one.help for one in TONE)


def test_a_band_without_a_level_is_not_praised() -> None:
    levels = {f"{band}_db": None for band in ("sub", "bass", "low_mids", "mids", "high_mids", "air")}
    even = spectrum(flat)
    assert [one.id for one in rules.balanced(mix(spectrum=even))] == ["tone.balanced"]
    assert list(rules.balanced(mix(spectrum=replace(even, **levels)))) == []


def test_a_lack_of_sub_is_no_fault_however_large() -> None:
    [lack] = said(of(move(LOW_SHELF, 50, -10.0, 0.7)))
    assert lack.id == "tone.sub.too_little"
    assert lack.weight > 2
    assert lack.severity == "warning"
    [much] = said(of(move(LOW_SHELF, 50, 10.0, 0.7)))
    assert much.severity == "fault"
