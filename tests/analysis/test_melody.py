"""Melody: notes, range, vibrato and intonation out of curves whose truth is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from processor.analysis._notes import midi, notes
from processor.analysis.key import Key
from processor.analysis.melody import melody, note_name
from processor.analysis.pitch import Pitch
from processor.graph import describe

Vector = NDArray[np.float64]
HOP_S = 0.016


def note(pitch: float, seconds: float, *, vibrato_hz: float = 0.0, vibrato_cents: float = 0.0) -> Vector:
    """A note in semitones, frame by frame."""
    time = np.arange(round(seconds / HOP_S)) * HOP_S
    return np.asarray(pitch + vibrato_cents / 100 * np.sin(2 * np.pi * vibrato_hz * time))


def rest(seconds: float) -> Vector:
    return np.full(round(seconds / HOP_S), np.nan)


def heard(*parts: Vector, heard_in: str = "vocals", harmonic_share: float = 0.95, confidence: float = 0.9) -> Pitch:
    curve = np.concatenate(parts)
    f0_hz = (440 * 2 ** ((curve - 69) / 12)).astype(np.float32)
    voicing = np.where(np.isfinite(curve), confidence, 0.0).astype(np.float32)
    share = float(np.isfinite(curve).mean())
    return Pitch("Test", heard_in, share, None, confidence, harmonic_share, HOP_S, f0_hz, voicing)


def in_tuning(cents: float | None) -> Key:
    nothing: dict[str, Any] = {one.name: None for one in dataclasses.fields(Key)}
    return Key(**(nothing | {"tuning_cents": cents}))


def tune(pitches: Sequence[float], seconds: float = 0.4, pause_s: float = 0.08) -> list[Vector]:
    return [part for pitch in pitches for part in (note(pitch, seconds), rest(pause_s))]


# Notes


def test_each_note_is_found_with_its_time_and_pitch() -> None:
    found = melody(heard(*tune([60, 62, 64, 65]))).notes
    assert found[:, 2] == pytest.approx([60, 62, 64, 65], abs=0.01)
    assert found[:, 0] == pytest.approx([0.0, 0.48, 0.96, 1.44], abs=0.02)
    assert found[:, 1] - found[:, 0] == pytest.approx([0.4] * 4, abs=0.02)


def test_notes_that_follow_at_once_are_told_apart() -> None:
    found = melody(heard(note(60, 0.5), note(61, 0.5), note(66, 0.3), note(60, 0.5))).notes
    assert found[:, 2] == pytest.approx([60, 61, 66, 60], abs=0.01)
    assert found[:, 0] == pytest.approx([0, 0.5, 1.0, 1.3], abs=0.03)


def test_a_note_that_is_sung_again_is_a_note_again() -> None:
    assert melody(heard(*tune([60, 60, 60]))).note_count == 3


def test_a_vibrato_is_one_note_and_a_slip_of_an_octave_none() -> None:
    swung = note(64, 1.2, vibrato_hz=5.5, vibrato_cents=80)
    swung[40:42] += 12
    swung[50] = np.nan
    found = melody(heard(swung, rest(0.1), *tune([60, 62]))).notes
    assert found[:, 2] == pytest.approx([64, 60, 62], abs=0.1)


def test_what_is_too_short_is_no_note() -> None:
    assert melody(heard(*tune([60, 62, 64, 65], seconds=0.06))).note_count is None


def test_no_curve_has_no_notes() -> None:
    assert notes(np.zeros(0), HOP_S).shape == (0, 3)
    assert notes(np.full(100, np.nan), HOP_S).shape == (0, 3)
    assert np.isnan(midi(np.array([0.0, np.nan]))).all()


# Range


def test_a_range_is_named_and_measured_and_slips_do_not_count() -> None:
    found = melody(heard(*tune([57, 60, 64, 69] * 8), note(93, 0.12)))
    assert (found.low_note, found.high_note) == ("A3", "A4")
    assert found.range_semitones == pytest.approx(12, abs=0.01)


def test_notes_are_named_in_the_tuning_of_the_track() -> None:
    found = melody(heard(*tune([60.4, 64.4, 67.4])), in_tuning(40.0))
    assert (found.low_note, found.high_note) == ("C4", "G4")
    assert note_name(68.7) == "A4"
    assert note_name(68.7, 45.0) == "Ab4"


# Vibrato


@pytest.mark.parametrize(("rate", "cents"), [(4.6, 30.0), (5.5, 50.0), (7.2, 100.0)])
def test_a_vibrato_is_measured(rate: float, cents: float) -> None:
    held = [part for k in range(4) for part in (note(60 + k, 1.3, vibrato_hz=rate, vibrato_cents=cents), rest(0.1))]
    found = melody(heard(*held))
    assert found.vibrato_rate_hz == pytest.approx(rate, abs=0.1)
    assert found.vibrato_cents == pytest.approx(cents, rel=0.06)
    assert found.vibrato_share is not None
    assert found.vibrato_share > 0.9


def test_held_notes_that_stand_still_have_none() -> None:
    wander = np.cumsum(np.random.default_rng(3).normal(0, 0.012, 500))
    held = [note(60 + k, 1.5) + wander[: round(1.5 / HOP_S)] for k in range(4)]
    found = melody(heard(*(part for one in held for part in (one, rest(0.1)))))
    assert found.vibrato_share is not None
    assert found.vibrato_share < 0.15
    assert (found.vibrato_rate_hz, found.vibrato_cents) == (None, None)


def test_without_held_notes_nobody_knows() -> None:
    found = melody(heard(*tune([60, 62, 64] * 3, seconds=0.3)))
    assert (found.vibrato_share, found.vibrato_rate_hz, found.vibrato_cents) == (None, None, None)


# Intonation


@pytest.mark.parametrize("tuning", [0.0, 20.0, -45.0])
def test_intonation_is_against_the_tuning_of_the_track(tuning: float) -> None:
    pitches = [60 + tuning / 100, 62.1 + tuning / 100, 63.9 + tuning / 100, 65.1 + tuning / 100]
    found = melody(heard(*tune(pitches)), in_tuning(tuning))
    assert found.intonation_cents == pytest.approx(10, abs=0.5)
    assert found.sharp_cents == pytest.approx(2.5, abs=0.5)


def test_half_way_between_two_notes_is_as_far_as_it_goes() -> None:
    found = melody(heard(*tune([60.5, 62.5, 64.5])), in_tuning(0.0))
    assert found.intonation_cents == pytest.approx(50, abs=0.1)


@pytest.mark.parametrize("key", [None, in_tuning(None)])
def test_without_a_tuning_there_is_no_intonation(key: Key | None) -> None:
    found = melody(heard(*tune([60, 62, 64])), key)
    assert found.note_count == 3
    assert (found.intonation_cents, found.sharp_cents) == (None, None)


# Whether there is a melody at all


@pytest.mark.parametrize(("share", "confidence"), [(0.6, 0.95), (0.95, 0.74), (0.3, 0.5)])
def test_a_mix_has_none_where_others_sound_as_well(share: float, confidence: float) -> None:
    found = melody(heard(*tune([60, 62, 64, 65]), heard_in="mix", harmonic_share=share, confidence=confidence))
    assert found.note_count is None
    assert found.notes.shape == (0, 3)


def test_a_mix_of_one_voice_has_one() -> None:
    assert melody(heard(*tune([60, 62, 64]), heard_in="mix")).note_count == 3


def test_a_stem_always_has_one_but_not_always_a_sure_one() -> None:
    alone, several = (melody(heard(*tune([60, 62, 64] * 9), harmonic_share=share)) for share in (0.95, 0.5))
    assert alone.melody_confidence == pytest.approx(0.9, abs=0.05)
    assert several.melody_confidence == pytest.approx(0.6, abs=0.05)


@pytest.mark.parametrize("parts", [[note(60, 0.3), rest(3.0)], [rest(1.0)], [rest(0.0)]])
def test_a_word_or_two_is_no_melody(parts: list[Vector]) -> None:
    found = melody(heard(*parts) if sum(part.size for part in parts) else nothing())
    assert (found.note_count, found.low_note, found.range_semitones, found.melody_confidence) == (None,) * 4
    assert found.notes.shape == (0, 3)


def nothing() -> Pitch:
    empty = np.zeros(0, np.float32)
    return Pitch("Test", "vocals", None, None, None, None, HOP_S, empty, empty)


def test_it_listens_to_a_key_only_where_there_is_one() -> None:
    assert describe(melody).optional == ("key",)
    assert describe(melody).required == ("pitch",)
