"""Tempo, beats and bars of patterns whose every hit is known."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from processor.analysis import _metre, _pulse
from processor.analysis._tempo import PUBLISHED, WEIGHTS, Candidate, candidates, local_tempo, probabilities
from processor.analysis.beats import DRUMS, MIX, Beats, beats
from processor.analysis.chroma import Chroma, chroma
from processor.analysis.mel import mel
from processor.analysis.mono import SAMPLE_RATE_HZ, Mono
from processor.analysis.onsets import KICK, SNARE, Onsets, onsets
from processor.analysis.stem_rhythm import StemRhythm
from processor.graph import Known
from tests import signals
from tests.signals import Samples

RATE = SAMPLE_RATE_HZ

# Sixteenths of a bar: kick, snare, hi-hat.
ROCK = ("kh", "", "h", "", "sh", "", "h", "", "kh", "", "h", "", "sh", "", "h", "")
HOUSE = ("kh", "", "h", "", "ksh", "", "h", "", "kh", "", "h", "", "ksh", "", "h", "")
SWING = ("kh", "", "h", "sh", "", "h")  # of twelve in a bar: the off-beat comes late


@functools.cache
def hit(kind: str) -> Samples:
    """One drum hit, float32, shape `(n,)`."""
    time = np.arange(4000) / RATE
    random = np.random.default_rng(1)
    kick = np.sin(2 * np.pi * (50 * time + 8 * (1 - np.exp(-40 * time)))) * np.exp(-18 * time)
    snare = 0.6 * random.standard_normal(4000) * np.exp(-25 * time)
    hat = 0.25 * np.diff(random.standard_normal(4001)) * np.exp(-80 * time)
    click = np.sin(2 * np.pi * 1000 * time) * np.exp(-60 * time)
    return np.asarray({"k": kick, "s": snare, "h": hat, "c": click}[kind] * 0.4, np.float32)


def played(times_s: np.ndarray, kinds: list[str], seconds: float) -> Samples:
    """Hits at their times, shape `(n,)`."""
    out = np.zeros(round(seconds * RATE) + 5000, np.float32)
    for time_s, each in zip(times_s, kinds, strict=True):
        for kind in each:
            start = round(time_s * RATE)
            out[start : start + 4000] += hit(kind)
    return out[: round(seconds * RATE)]


def pattern(steps: tuple[str, ...], tempo_bpm: float, seconds: float = 24.0, steps_a_beat: int = 4) -> Samples:
    times_s = np.arange(0, seconds - 0.05, 60 / tempo_bpm / steps_a_beat)
    return played(times_s, [steps[k % len(steps)] for k in range(times_s.size)], seconds)


def with_chords(samples: Samples, bar_s: float, first_s: float = 0.0) -> Samples:
    """The same with a chord that changes at each bar."""
    time = np.arange(samples.size) / RATE
    bars = np.floor((time - first_s) / bar_s).astype(int)
    roots = np.array([48, 53, 55, 52])[bars % 4]
    since = np.mod(time - first_s, bar_s)
    tone = sum(np.sin(2 * np.pi * 440 * 2 ** ((roots + above - 69) / 12) * time) for above in (0, 16, 19))
    return np.asarray(samples + 0.1 * tone * np.minimum(1, 40 * since) * np.exp(-since), np.float32)


def heard(samples: Samples) -> Onsets:
    return onsets(mel(Mono(samples, RATE, samples.size / RATE)))


def of(samples: Samples, known: Known | None = None, drums: StemRhythm | None = None) -> Beats:
    return beats(heard(samples), chroma(Mono(samples, RATE, samples.size / RATE)), known or {}, drums)


def drumming(
    tempo_bpm: float, others: dict[float, float] | None = None, *, first_s: float = 0.0, share: float = 0.3
) -> StemRhythm:
    """Drums that are heard at a tempo, and which others are possible."""
    others = others or {}
    sure = 1 - sum(others.values())
    beats_s = np.arange(first_s, 24, 60 / tempo_bpm)
    return StemRhythm(tempo_bpm, sure, (tempo_bpm, *others), (sure, *others.values()), beats_s, share)


def worst_miss_s(found: np.ndarray, truth: np.ndarray) -> float:
    """Largest distance of a true beat, but the first and the last, from the nearest found one."""
    return float(max(np.abs(found - true).min() for true in truth[1:-1]))


class TestTempo:
    @pytest.mark.parametrize("tempo_bpm", [90.0, 100.0, 117.3, 128.0, 140.0, 174.0])
    @pytest.mark.parametrize("steps", [ROCK, HOUSE])
    def test_it_is_found_to_a_thousandth_with_every_beat(self, steps: tuple[str, ...], tempo_bpm: float) -> None:
        found = of(pattern(steps, tempo_bpm))
        assert found.tempo_bpm == pytest.approx(tempo_bpm, rel=1e-3)
        assert worst_miss_s(found.beats_s, np.arange(0, 24, 60 / tempo_bpm)) < 0.015
        assert np.diff(found.beats_s) == pytest.approx(60 / tempo_bpm, abs=0.025)
        assert found.stability == 1.0

    def test_the_first_sample_may_be_a_beat(self) -> None:
        assert of(pattern(ROCK, 120)).beats_s[0] < 0.02

    def test_a_late_start_moves_the_beats(self) -> None:
        delayed = np.concatenate([np.zeros(round(0.3 * RATE), np.float32), pattern(HOUSE, 125)])
        assert worst_miss_s(of(delayed).beats_s, 0.3 + np.arange(0, 24, 60 / 125)) < 0.015

    def test_triplets_are_no_beats(self) -> None:
        found = of(pattern(SWING, 132, steps_a_beat=3))
        assert found.tempo_bpm == pytest.approx(132, rel=1e-3)
        assert worst_miss_s(found.beats_s, np.arange(0, 24, 60 / 132)) < 0.02

    def test_candidates_are_probabilities_with_the_relatives_among_them(self) -> None:
        found = of(pattern(ROCK, 100))
        assert 2 <= len(found.candidates) == len(found.candidate_weights) <= PUBLISHED
        assert found.candidates[0] == found.tempo_bpm
        assert found.candidate_weights[0] == found.confidence
        assert 0 < sum(found.candidate_weights) <= 1 + 1e-9
        others = list(found.candidate_weights[1:])
        assert others == sorted(others, reverse=True)
        for ratio in (2.0, 0.5):
            assert any(abs(bpm / (100 * ratio) - 1) < 0.04 for bpm in found.candidates), ratio

    def test_level_does_not_matter(self) -> None:
        samples = pattern(ROCK, 110)
        loud, quiet = of(samples), of(samples * np.float32(1e-3))
        assert loud.tempo_bpm == pytest.approx(quiet.tempo_bpm, rel=1e-4)
        np.testing.assert_allclose(loud.beats_s, quiet.beats_s, atol=0.011)


class TestDrift:
    def test_a_tempo_that_grows_by_a_fifth_is_followed(self) -> None:
        period_s = 60 / np.linspace(108, 130, 60)
        times_s = np.concatenate([[0.0], np.cumsum(period_s)])
        kinds = ["k" if n % 2 == 0 else "s" for n in range(times_s.size)]
        eighths = np.sort(np.concatenate([times_s, (times_s[1:] + times_s[:-1]) / 2]))
        seconds = times_s[-1] + 0.5
        found = of(played(times_s, kinds, seconds) + played(eighths, ["h"] * eighths.size, seconds))
        hits = np.mean([np.abs(found.beats_s - time).min() < 0.03 for time in times_s])
        assert hits > 0.95
        assert found.stability is not None
        assert found.stability < 0.6
        early, late = found.tempo_curve_bpm[4], found.tempo_curve_bpm[-5]
        assert early == pytest.approx(109, rel=0.03)
        assert late == pytest.approx(128, rel=0.03)

    def test_human_timing_is_no_drift(self) -> None:
        random = np.random.default_rng(3)
        grid = np.arange(0.1, 24, 0.5)
        times_s = grid + random.normal(0, 0.008, grid.size)
        found = of(played(times_s, ["k" if n % 2 == 0 else "s" for n in range(grid.size)], 24.5))
        assert found.tempo_bpm == pytest.approx(120, rel=2e-3)
        assert worst_miss_s(found.beats_s, grid) < 0.04

    def test_local_tempo_is_that_of_the_beats_around(self) -> None:
        beats_s = np.concatenate([np.arange(0, 8, 0.5), np.arange(8, 20, 0.6)])
        curve = local_tempo(beats_s)
        assert curve.size == beats_s.size
        assert curve[:10] == pytest.approx(120)
        assert curve[-10:] == pytest.approx(100)
        assert 100 < curve[16] < 120

    @pytest.mark.parametrize("count", [2, 3, 4, 5])
    def test_few_beats_have_a_local_tempo_too(self, count: int) -> None:
        assert local_tempo(np.arange(count) * 0.5) == pytest.approx(120)


class TestNothing:
    @pytest.mark.parametrize(
        "samples",
        [
            np.zeros(0, np.float32),
            np.zeros(5 * RATE, np.float32),
            signals.noise(20.0, rate=RATE)[0],
            signals.sine(440, 20.0, -12.0, rate=RATE)[0],
            played(np.sort(np.random.default_rng(0).uniform(0, 30, 70)), ["c"] * 70, 30.5),
            played(np.array([1.0]), ["c"], 10.0),
        ],
        ids=["nothing", "silence", "noise", "tone", "random clicks", "one click"],
    )
    def test_what_has_no_pulse_has_no_tempo(self, samples: Samples) -> None:
        found = of(samples)
        assert found.tempo_bpm is None
        assert found.confidence is None
        assert found.metre is None
        assert found.candidates == ()
        assert found.beats_s.size == found.downbeats_s.size == 0

    def test_a_person_hears_a_pulse_where_we_do_not(self) -> None:
        found = of(signals.noise(20.0, rate=RATE)[0], {"tempo_bpm": 90.0})
        assert found.tempo_bpm == 90.0
        assert np.median(np.diff(found.beats_s)) == pytest.approx(60 / 90, rel=0.13)


class TestKnown:
    @pytest.mark.parametrize("said", [64.0, 128.0, 256.0])
    def test_a_person_s_tempo_makes_the_beats(self, said: float) -> None:
        found = of(pattern(HOUSE, 128), {"tempo_bpm": said})
        assert (found.tempo_bpm, found.confidence) == (said, 1.0)
        assert np.diff(found.beats_s).mean() == pytest.approx(60 / said, rel=0.01)
        assert found.candidates[0] == said

    def test_a_person_s_metre_makes_the_bars(self) -> None:
        found = of(pattern(HOUSE, 120), {"metre": 7})
        assert found.metre == 7
        assert np.diff(found.downbeats_s) == pytest.approx(3.5, abs=0.03)
        assert set(found.downbeats_s) <= set(found.beats_s)


class TestBars:
    def test_four_in_a_bar_from_the_first_beat(self) -> None:
        found = of(with_chords(pattern(ROCK, 120), 2.0))
        assert found.metre == 4
        assert found.downbeats_s[:5] == pytest.approx([0, 2, 4, 6, 8], abs=0.03)

    def test_three_in_a_bar(self) -> None:
        waltz = ("k", "", "", "", "h", "", "", "", "h", "", "", "")
        found = of(with_chords(pattern(waltz, 150), 1.2))
        assert found.metre == 3
        assert found.downbeats_s[:5] == pytest.approx(1.2 * np.arange(5), abs=0.03)

    def test_a_pick_up_is_no_downbeat(self) -> None:
        steps = ("h", "", "h", "", *ROCK * 20)
        found = of(with_chords(pattern(steps[: 4 + 16 * 11], 120), 2.0, first_s=0.5))
        assert found.metre == 4
        assert found.downbeats_s[:4] == pytest.approx([0.5, 2.5, 4.5, 6.5], abs=0.03)

    def test_too_few_beats_have_no_bars(self) -> None:
        empty = Onsets(np.zeros(200, np.float32), np.zeros((5, 200), np.float32), 100.0)
        pitches = chroma(Mono(np.zeros(2 * RATE, np.float32), RATE, 2.0))
        assert _metre.bars(np.array([0.0, 0.5, 1.0]), empty, pitches, 4) is None
        assert _metre.bars(np.empty(0), empty, pitches) is None

    def test_contrast_is_positive_where_downbeats_stand_out(self) -> None:
        evidence = np.zeros((1, 40))
        evidence[0, 1::4] = 1.0
        scores = {
            (beats, first): _metre.contrast(evidence, beats, first)[0] for beats in (2, 3, 4) for first in range(beats)
        }
        assert max(scores, key=lambda one: scores[one]) == (4, 1)
        assert scores[2, 1] > 0 > scores[4, 0]


def sketched(
    strengths: dict[int, float], kicks: tuple[int, ...] = (), chords: tuple[int, ...] = (), count: int = 32
) -> tuple[np.ndarray, Onsets, Chroma]:
    """Beats each half second, with what is heard there: strengths by beat, kicks by frame and chord changes by beat."""
    frames = 50 * count
    envelope, registers = np.zeros(frames, np.float32), np.zeros((5, frames), np.float32)
    for beat, strength in strengths.items():
        envelope[50 * beat] = strength
    registers[KICK, list(kicks)] = 1.0
    values = np.zeros((5 * count, 12), np.float32)
    roots = np.cumsum(np.isin(np.arange(count), chords)) * 5 % 12
    values[np.arange(5 * count), np.repeat(roots, 5)] = 1.0
    times_s = (np.arange(5 * count) + 0.5) / 10
    pitches = Chroma(values, values, 10.0, times_s, None, 0.0, np.ones(5 * count, np.float32), count / 2)
    return np.arange(count) * 0.5, Onsets(envelope, registers, 100.0), pitches


class TestCues:
    """Each of the three that tell where a bar begins, alone."""

    ALL = dict.fromkeys(range(32), 1.0)

    def first(self, *sketch: Any) -> tuple[int, int]:
        found = _metre.bars(*sketch)
        assert found is not None
        return found.metre, found.first

    def test_a_kick(self) -> None:
        assert self.first(*sketched(self.ALL, kicks=tuple(range(100, 1600, 200)))) == (4, 2)

    def test_a_kick_counts_up_to_30_ms_before_and_after_a_beat(self) -> None:
        for off in (-3, 3):
            assert self.first(*sketched(self.ALL, kicks=tuple(range(100 + off, 1600, 200)))) == (4, 2)
        for off in (-4, 4):
            assert self.first(*sketched(self.ALL, kicks=tuple(range(100 + off, 1600, 200)))) == (4, 0)

    def test_a_chord(self) -> None:
        assert self.first(*sketched(self.ALL, chords=tuple(range(2, 32, 4)))) == (4, 2)
        assert self.first(*sketched(self.ALL, chords=tuple(range(3, 192, 3)), count=192)) == (3, 0)

    def test_the_beginning_which_is_no_faint_noise(self) -> None:
        assert self.first(*sketched({beat: 1.0 if beat >= 3 else 0.2 for beat in range(32)})) == (4, 3)

    def test_without_any_the_commonest_metre_is_as_likely_as_it_is_common(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_metre, "WEIGHTS", np.zeros(3))
        found = _metre.bars(*sketched(self.ALL))
        assert found is not None
        assert found.metre_confidence == pytest.approx(_metre.COMMON[4])
        assert found.confidence == pytest.approx(_metre.COMMON[4] / 4)

    def test_two_bars_are_needed(self) -> None:
        assert _metre.bars(*sketched({}, count=7), 4) is None
        assert _metre.bars(*sketched({}, count=8), 4) is not None

    def test_contrast_is_in_standard_errors(self) -> None:
        evidence = np.zeros((1, 40))
        evidence[0, ::4] = 1.0
        assert _metre.contrast(evidence, 4, 0) == pytest.approx(0.25 * np.sqrt(10 * 30 / 40))
        assert _metre.contrast(evidence, 1, 0) == 0
        assert _metre.contrast(evidence, 50, 45) == 0

    def test_evidence_is_scaled_alike(self) -> None:
        sketch = sketched(self.ALL, kicks=tuple(range(100, 1600, 200)), chords=tuple(range(2, 32, 4)))
        evidence = _metre.downbeat_evidence(*sketch)
        assert evidence.mean(axis=1) == pytest.approx(0)
        assert evidence.std(axis=1) == pytest.approx(1)
        assert list(np.flatnonzero(evidence[1] > 0)) == list(range(2, 32, 4))

    def test_means_between_beats(self) -> None:
        values = np.arange(40, dtype=np.float32)[:, None]
        assert _metre.between_beats(values, np.array([0.0, 1.0, 3.0]), 10.0)[:, 0] == pytest.approx([4.5, 19.5, 34.5])
        assert _metre.between_beats(values, np.array([1.0]), 10.0) == pytest.approx(14.5)


class TestEvidence:
    """What decides between a tempo and its relatives, on a curve with a hit of each strength at its place."""

    @staticmethod
    def curve(period: int, strengths: tuple[float, ...], frames: int = 3000) -> NDArray[np.float32]:
        found = np.zeros(frames, np.float32)
        for number, strength in enumerate(strengths):
            found[number * period :: len(strengths) * period] = strength
        return found

    def heard(self, envelope: NDArray[np.float32], snare: NDArray[np.float32] | None = None) -> Onsets:
        registers = np.zeros((5, envelope.size), np.float32)
        registers[SNARE] = 0 if snare is None else snare
        return Onsets(envelope, registers, 100.0)

    def best(self, onset: Onsets) -> Candidate:
        return max(candidates(onset), key=lambda one: float(one.evidence @ WEIGHTS))

    def test_equal_hits_are_felt_near_120(self) -> None:
        for period, tempo_bpm in ((50, 120.0), (25, 120.0), (110, 109.1)):
            found = self.best(self.heard(self.curve(period, (1.0,))))
            assert found.tempo_bpm == pytest.approx(tempo_bpm, rel=0.02), period

    def test_the_snare_is_on_the_beat(self) -> None:
        for shift in (0, 25):
            onset = self.heard(self.curve(25, (1.0, 1.0)), np.roll(self.curve(50, (1.0,)), shift))
            assert np.mod(self.best(onset).beats, 50) == pytest.approx(shift, abs=2), shift

    def test_evidence_is_as_written(self) -> None:
        curve = self.curve(50, (1.0,))
        found = [one for one in candidates(self.heard(curve)) if abs(one.tempo_bpm / 120 - 1) < 0.01]
        on, off = found[0].evidence, found[1].evidence
        assert on[:2] == pytest.approx(0, abs=0.02)
        salience = _pulse.salience(_pulse.autocorrelation(curve, 100.0), found[0].tempo_bpm, 100.0)
        assert on[2] == off[2] == pytest.approx(float(salience))
        assert (on[3], off[3]) == (0, 1)
        # Five frames around a beat hold one hit in the 50 of a period: ten means.
        assert on[4] == pytest.approx(np.log(0.3 / 10.3), abs=0.02)
        assert off[4] == pytest.approx(np.log(10.3 / 0.3), abs=0.1)
        assert on[5] == pytest.approx(np.log(0.3))

    def test_octaves_are_counted_from_120(self) -> None:
        for one in candidates(self.heard(self.curve(50, (1.0,)))):
            octaves = np.log2(one.tempo_bpm / 120)
            assert one.evidence[:2] == pytest.approx([octaves, octaves**2])

    def test_relatives_are_candidates(self) -> None:
        found = {one.tempo_bpm for one in candidates(self.heard(self.curve(50, (1.0,))))}
        for tempo_bpm in (60, 80, 90, 120, 160, 180, 240):
            assert any(abs(one / tempo_bpm - 1) < 0.03 for one in found), tempo_bpm

    def test_no_two_candidates_are_one_tempo_and_the_weights_fall(self) -> None:
        for steps in (ROCK, HOUSE):
            found = of(pattern(steps, 128))
            logs = np.sort(np.log(found.candidates))
            assert (np.diff(logs) >= 0.03).all()
            assert list(found.candidate_weights[1:]) == sorted(found.candidate_weights[1:], reverse=True)

    def test_confidence_is_that_of_all_candidates_of_one_tempo(self) -> None:
        onset = heard(pattern(ROCK, 100))
        listed = candidates(onset)
        chances = probabilities(1.3 * np.array([one.evidence for one in listed]) @ WEIGHTS)
        tempo_bpm = listed[int(chances.argmax())].tempo_bpm
        alike = [abs(np.log(one.tempo_bpm / tempo_bpm)) < 0.035 for one in listed]
        assert of(pattern(ROCK, 100)).confidence == pytest.approx(chances[alike].sum())

    def test_four_beats_are_enough_and_three_are_none(self) -> None:
        assert candidates(self.heard(self.curve(50, (1.0,), frames=150)), 120.0) == []
        found = candidates(self.heard(self.curve(50, (1.0,), frames=190)), 120.0)
        assert [one.pulse.frames.size for one in found] == [4, 4]


def test_a_beat_s_local_tempo_is_of_the_eight_intervals_around_it() -> None:
    beats_s = np.concatenate([np.arange(20) * 0.5, 9.5 + 0.6 * np.arange(1, 21)])
    # Beat 19 is the last before the change: half of the eight intervals around it are of either kind.
    assert local_tempo(beats_s)[[15, 17, 19, 21, 23]] == pytest.approx(
        [60 * 8 / (0.5 * (8 - slow) + 0.6 * slow) for slow in (0, 2, 4, 6, 8)]
    )


def test_beats_within_two_percent_are_stable() -> None:
    for change, is_stable in ((1.015, True), (1.04, False)):
        period_s = np.repeat([0.5, 0.5 / change], 24)
        times_s = np.concatenate([[0.0], np.cumsum(period_s)])
        found = of(played(times_s, ["k" if n % 2 == 0 else "s" for n in range(times_s.size)], times_s[-1] + 0.3))
        assert found.stability is not None
        assert (found.stability > 0.9) == is_stable, change


class TestPulse:
    def test_autocorrelation_peaks_at_the_period(self) -> None:
        curve = np.zeros(6000, np.float32)
        curve[::50] = 1.0
        found = _pulse.autocorrelation(curve, 100.0)
        assert found[0] == pytest.approx(1.0)
        assert found[50] > 0.9
        assert found[100] > 0.9
        assert abs(found[25]) < 0.1

    def test_a_quiet_half_says_nothing(self) -> None:
        curve = np.zeros(6000, np.float32)
        curve[:3000:50] = 1.0
        curve[3000:] = 1e-6 * np.random.default_rng(0).random(3000)
        assert _pulse.autocorrelation(curve, 100.0)[50] > 0.8

    def test_salience_counts_four_periods(self) -> None:
        flat = np.ones(700)
        assert _pulse.salience(flat, 120.0, 100.0) == pytest.approx(sum(_pulse.COMB))
        assert _pulse.salience(flat, 20.0, 100.0) == pytest.approx(_pulse.COMB[0] + _pulse.COMB[1])

    def test_salience_counts_each_period_by_its_weight(self) -> None:
        for beats_on, weight in enumerate((1.0, 1.0, 0.5, 1.0), start=1):
            correlation = np.zeros(700)
            correlation[50 * beats_on] = 1.0
            assert _pulse.salience(correlation, 120.0, 100.0) == pytest.approx(weight), beats_on

    def test_autocorrelation_is_of_fourteen_seconds_at_a_time(self) -> None:
        curve = np.zeros(6000, np.float32)
        curve[:3000:50], curve[3000::60] = 1.0, 1.0
        found = _pulse.autocorrelation(curve, 100.0)
        assert found.size == 651
        # Either half is heard in half of the stretches, whole.
        assert found[50] == pytest.approx(0.5, abs=0.15)
        assert found[60] == pytest.approx(0.5, abs=0.15)
        assert found[0] == pytest.approx(1.0)
        assert abs(np.delete(found, [*range(0, 651, 50), *range(0, 651, 60)])).max() < 0.1

    def test_hits_off_the_grid_are_taken_and_far_ones_are_not(self) -> None:
        random = np.random.default_rng(1)
        places = 20 + 60 * np.arange(40) + random.integers(-2, 3, 40)
        curve = np.zeros(2500, np.float32)
        curve[places] = 1.0
        found = _pulse.track(curve, 100.0, 100.0, may_drift=False)
        assert np.abs(found.frames[:40] - places).mean() < 1
        assert np.abs(np.diff(found.frames) - 60).max() <= 6

    def test_a_period_that_grows_is_followed_by_the_drifting_path_alone(self) -> None:
        places = np.cumsum(np.linspace(44, 56, 70)).astype(int)
        curve = np.zeros(places[-1] + 20, np.float32)
        curve[places] = 1.0
        found = _pulse.track(curve, 120.0, 100.0, may_drift=True)
        assert found.drifts
        assert np.mean([np.abs(found.frames - place).min() <= 2 for place in places]) > 0.95
        assert not _pulse.track(curve, 120.0, 100.0, may_drift=False).drifts

    @pytest.mark.parametrize("size", [0, 1, 5, 49])
    def test_curves_shorter_than_a_period_are_tracked_too(self, size: int) -> None:
        found = _pulse.track(np.ones(size, np.float32), 60.0, 100.0, may_drift=True)
        assert found.frames.size <= 1

    def test_the_path_takes_the_strong_beats(self) -> None:
        curve = np.zeros(3000, np.float32)
        curve[20::60] = 1.0
        curve[50::60] = 0.5
        found = _pulse.track(curve, 100.0, 100.0, may_drift=True)
        assert not found.drifts
        assert list(found.frames) == list(range(20, 3000, 60))


def test_probabilities_add_up_and_keep_order() -> None:
    found = probabilities(np.array([1000.0, 999.0, -1000.0]))
    assert found.sum() == pytest.approx(1)
    assert found[0] / found[1] == pytest.approx(np.e)
    assert found[2] == 0


def test_no_candidates_without_onsets() -> None:
    assert candidates(Onsets(np.zeros(0, np.float32), np.zeros((5, 0), np.float32), 100.0)) == []


class TestStems:
    """The drums alone are a second opinion."""

    def test_without_stems_the_mix_is_heard(self) -> None:
        found = of(pattern(ROCK, 100))
        assert (found.tempo_from, found.tempo_why) == (MIX, "There are no stems.")

    def test_where_both_agree_the_mix_s_beats_stay(self) -> None:
        alone, both = of(pattern(ROCK, 100)), of(pattern(ROCK, 100), drums=drumming(100.4, first_s=0.1))
        assert (both.tempo_from, both.tempo_why) == (MIX, "Mix and drums agree on the tempo.")
        assert (both.tempo_bpm, both.candidate_weights) == (alone.tempo_bpm, alone.candidate_weights)
        np.testing.assert_array_equal(both.beats_s, alone.beats_s)

    def test_drums_that_are_sure_of_another_tempo_win(self) -> None:
        drums = drumming(200, {100.0: 0.05})
        found = of(pattern(ROCK, 100), drums=drums)
        assert found.tempo_from == DRUMS
        assert found.tempo_why is not None
        assert "200 BPM" in found.tempo_why
        assert "in the mix 100 BPM" in found.tempo_why
        assert found.tempo_bpm == 200.0
        np.testing.assert_array_equal(found.beats_s, drums.drums_beats_s)
        assert found.tempo_curve_bpm.shape == found.beats_s.shape
        assert found.candidates[:2] == (200.0, pytest.approx(100, rel=0.01))
        assert found.confidence == found.candidate_weights[0]

    def test_drums_that_are_unsure_do_not(self) -> None:
        alone, both = of(pattern(ROCK, 100)), of(pattern(ROCK, 100), drums=drumming(200, {100.0: 0.49}))
        assert both.tempo_from == MIX
        assert both.tempo_why is not None
        assert "the drums alone suggest 200 BPM" in both.tempo_why
        assert both.tempo_bpm == alone.tempo_bpm
        assert both.candidates[0] == both.tempo_bpm

    def test_drums_that_are_hardly_there_do_not(self) -> None:
        alone, both = of(pattern(ROCK, 100)), of(pattern(ROCK, 100), drums=drumming(200, share=0.04))
        assert (both.tempo_from, both.tempo_bpm, both.confidence) == (MIX, alone.tempo_bpm, alone.confidence)
        assert both.tempo_why == "The drums, at 200 BPM, are too quiet to overrule the mix."

    def test_probabilities_stay_probabilities(self) -> None:
        for drums in (drumming(100), drumming(200, {100.0: 0.3, 50.0: 0.2}), drumming(131, {87.0: 0.4})):
            found = of(pattern(ROCK, 100), drums=drums)
            assert len(found.candidates) == len(found.candidate_weights) <= PUBLISHED
            assert 0 < sum(found.candidate_weights) <= 1 + 1e-9
            assert list(found.candidate_weights[1:]) == sorted(found.candidate_weights[1:], reverse=True)

    def test_stems_without_a_pulse_change_nothing(self) -> None:
        none = StemRhythm(None, None, (), (), np.empty(0), 0.0)
        alone, both = of(pattern(ROCK, 100)), of(pattern(ROCK, 100), drums=none)
        assert both.tempo_why == "The stems have no drums with a pulse."
        assert (both.tempo_bpm, both.candidate_weights) == (alone.tempo_bpm, alone.candidate_weights)
        np.testing.assert_array_equal(both.beats_s, alone.beats_s)

    def test_drums_are_enough_where_the_mix_has_no_pulse(self) -> None:
        found = of(signals.noise(20.0, rate=RATE)[0], drums=drumming(100))
        assert (found.tempo_bpm, found.tempo_from) == (100.0, DRUMS)
        assert found.tempo_why == "Only the drums have a pulse."

    @pytest.mark.parametrize(("said", "source"), [(100.0, MIX), (200.0, DRUMS), (50.0, MIX)])
    def test_a_person_s_word_wins(self, said: float, source: str) -> None:
        drums = drumming(199.0, {100.0: 0.05})
        found = of(pattern(ROCK, 100), {"tempo_bpm": said}, drums)
        assert (found.tempo_bpm, found.confidence, found.candidates[0]) == (said, 1.0, said)
        assert found.tempo_from == source
        assert found.tempo_why is not None
        assert found.tempo_why.startswith("A person said it")
        assert np.diff(found.beats_s).mean() == pytest.approx(60 / said, rel=0.02)
