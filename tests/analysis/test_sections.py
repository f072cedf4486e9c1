"""Songs whose form is known are cut where it changes, named as it returns, and left whole where nothing happens."""

from __future__ import annotations

import functools
from dataclasses import fields, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from processor.analysis import _form
from processor.analysis.beats import Beats
from processor.analysis.chroma import chroma
from processor.analysis.mel import mel
from processor.analysis.mono import SAMPLE_RATE_HZ, Mono
from processor.analysis.sections import MIX, SILENCE, WITH_VOICE, Sections, letter_name, letters_of, sections
from processor.analysis.stems import Stems
from processor.analysis.vocals import Vocals
from tests import signals

RATE = SAMPLE_RATE_HZ
BEAT_S = 0.5
BAR_S = 4 * BEAT_S

Wave = NDArray[np.float64]

MAJOR, MINOR = (0, 4, 7), (0, 3, 7)
# Root and kind of the chord in each of four bars.
CHORDS: dict[str, list[tuple[int, tuple[int, ...]]]] = {
    "A": [(48, MAJOR), (45, MINOR), (53, MAJOR), (55, MAJOR)],
    "B": [(50, MINOR), (52, MINOR), (57, MINOR), (56, MAJOR)],
    "C": [(51, MAJOR), (58, MAJOR), (46, MAJOR), (49, MAJOR)],
}


def tone(hz: float, seconds: float, overtones: int = 6, decay: float = 2.0) -> Wave:
    time = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * hz * k * time + k) / k for k in range(1, overtones + 1) if hz * k < 9000)
    return np.asarray(wave * np.exp(-decay * time) * np.minimum(1, time / 0.01) * np.minimum(1, time[::-1] / 0.01))


def played(chords: str, bars: int, *, overtones: int = 6, gain: float = 0.1, drums: bool = False) -> Wave:
    """So many bars of a part: a chord on each beat, and drums if wanted."""
    sound = np.zeros(round(bars * BAR_S * RATE))
    hiss = np.random.default_rng(5).standard_normal(round(0.2 * RATE)) * np.exp(-np.arange(round(0.2 * RATE)) / 1500)
    for beat in range(4 * bars):
        root, kind = CHORDS[chords][(beat // 4) % 4]
        first = round(beat * BEAT_S * RATE)
        for note in (root - 12, *(root + step for step in kind)):
            wave = gain * tone(440 * 2 ** ((note - 69) / 12), BEAT_S * 0.95, overtones)
            sound[first : first + wave.size] += wave
        if drums:
            sound[first : first + hiss.size] += 0.3 * hiss
    return sound


def grid(seconds: float, start: float = 0.0) -> Beats:
    """Beats and bars where they are, as `beats` gives them."""
    values = {field.name: None for field in fields(Beats)} | {
        "candidates": (120.0,),
        "candidate_weights": (1.0,),
        "beats_s": np.arange(start, seconds, BEAT_S),
        "downbeats_s": np.arange(start, seconds, BAR_S),
        "tempo_curve_bpm": np.zeros(0),
    }
    return Beats(**values)  # type: ignore[arg-type]


def heard(wave: Wave, beats: Beats | None = None, stems: Stems | None = None, vocals: Vocals | None = None) -> Sections:
    samples = wave.astype(np.float32)
    folded = Mono(samples, RATE, samples.size / RATE)
    return sections(folded, chroma(folded), mel(folded), beats, stems, vocals)


def sung(*spans_s: tuple[float, float], seconds: float, present: bool = True) -> Stems:
    """Stems in which somebody sings from time to time; elsewhere the voice's stem has what is left of the others."""
    time = np.arange(0, seconds, 0.1)
    sings = np.any([(time >= start) & (time < end) for start, end in spans_s], axis=0)
    levels = np.where(sings, -20 - 4 * np.sin(7 * time), -60.0)
    values = {field.name: None for field in fields(Stems)} | {
        "names": ("drums", "vocals"),
        "present": (True, present),
        "hop_s": 0.1,
        "levels_db": np.stack([np.full(time.size, -20.0), levels]),
    }
    return Stems(**values)  # type: ignore[arg-type]


def starts(found: Sections) -> list[float]:
    return [float(start) for start in found.intervals_s[:, 0]]


def near(seconds: float, tolerance: float = BEAT_S) -> object:
    return pytest.approx(seconds, abs=tolerance)


def merged(found: Sections) -> list[tuple[float, str]]:
    """Where the letter changes: a part that was cut into its halves counts as one."""
    pairs = list(zip(starts(found), found.labels, strict=True))
    return [pair for k, pair in enumerate(pairs) if k == 0 or pairs[k - 1][1] != pair[1]]


# Form that is known


@functools.cache
def by_chords() -> Sections:
    """AABA of eight bars each, of which nothing but the chords changes."""
    wave = np.concatenate([played(part, 8) for part in "AABA"])
    return heard(wave, grid(64.0))


def test_a_form_made_of_chords() -> None:
    assert merged(by_chords()) == [(0, "A"), (near(32), "B"), (near(48), "A")]
    assert near(16) in starts(by_chords())


def test_sections_cover_the_file_without_a_gap() -> None:
    edges = by_chords().intervals_s
    assert edges[0, 0] == 0
    assert edges[-1, 1] == pytest.approx(64)
    assert np.array_equal(edges[1:, 0], edges[:-1, 1])
    assert by_chords().section_count == len(by_chords().labels) == len(by_chords().roles) == len(edges)


PARTS = {
    "timbre": {"A": {"overtones": 2}, "B": {"overtones": 14}},
    "level": {"A": {"gain": 0.03}, "B": {"gain": 0.15}},
    "drums": {"A": {"drums": False}, "B": {"drums": True}},
}


@pytest.mark.parametrize("kind", PARTS)
def test_a_form_made_of_something_else(kind: str) -> None:
    """The chords stay; timbre, level or drums change."""
    wave = np.concatenate([played("A", 8, **PARTS[kind][part]) for part in "ABAB"])  # type: ignore[arg-type]
    assert merged(heard(wave, grid(64.0))) == [(near(16.0 * k), part) for k, part in enumerate("ABAB")]


def test_parts_of_different_lengths() -> None:
    plan = [("C", 4, "A"), ("A", 8, "B"), ("B", 4, "C"), ("A", 8, "B"), ("B", 4, "C"), ("C", 4, "A")]
    wave = np.concatenate([played(part, bars, drums=part == "B") for part, bars, _ in plan])
    expected = np.cumsum([0, *(bars * BAR_S for _, bars, _ in plan)])
    found = merged(heard(wave, grid(expected[-1])))
    assert found == [(near(start), label) for start, (*_, label) in zip(expected[:-1], plan, strict=True)]


def test_without_beats_the_form_is_found_within_a_bar() -> None:
    wave = np.concatenate([played(part, 8, drums=part == "B") for part in "ABAB"])
    assert merged(heard(wave, None)) == [(near(16.0 * k, BAR_S), part) for k, part in enumerate("ABAB")]


def test_beats_that_are_not_found_are_no_obstacle() -> None:
    wave = np.concatenate([played(part, 8, drums=part == "B") for part in "ABAB"])
    assert heard(wave, grid(0.0)).labels == heard(wave, None).labels


def test_level_and_coding_noise_do_not_move_it() -> None:
    wave = np.concatenate([played(part, 8) for part in "AABA"])
    noise = np.random.default_rng(1).standard_normal(wave.size)
    quiet = heard(0.01 * (wave + 0.001 * noise), grid(64.0))
    assert np.array_equal(quiet.intervals_s, by_chords().intervals_s)
    assert quiet.labels == by_chords().labels


def test_novelty_peaks_where_the_chords_change() -> None:
    found = by_chords()
    at = found.novelty_s[np.argsort(-found.novelty)[:2]]
    assert sorted(at) == [near(32), near(48)]
    assert found.novelty[0] == found.novelty[-1] == 0


# Roles


def test_a_song_gets_its_roles() -> None:
    plan = [
        ("C", 4, 0.02, "intro"),
        ("A", 8, 0.05, "verse"),
        ("B", 8, 0.15, "chorus"),
        ("A", 8, 0.05, "verse"),
        ("B", 8, 0.15, "chorus"),
    ]
    wave = np.concatenate([played(part, bars, gain=gain, drums=part == "B") for part, bars, gain, _ in plan])
    found = heard(wave, grid(72.0))
    for start, role in zip(np.cumsum([0, 8, 16, 16, 16]), (p[3] for p in plan), strict=True):
        at = int(np.searchsorted(found.intervals_s[:, 0], start + BAR_S, side="right")) - 1
        assert found.roles[at] == role
        assert 0.3 <= found.role_confidences[at] <= 0.7


def test_a_short_piece_has_no_roles() -> None:
    wave = np.concatenate([played(part, 4) for part in "ABAB"])
    found = heard(wave, grid(32.0))
    assert set(found.roles) == {"section"}
    assert set(found.role_confidences) == {0.0}


# Where there is little or nothing


def test_one_chord_is_one_section() -> None:
    wave = 0.2 * tone(110, 40.0, decay=0.0)
    found = heard(wave, None)
    assert found.labels == ("A",)
    assert found.confidence is None
    assert found.intervals_s == pytest.approx(np.array([[0, 40]]))


@pytest.mark.parametrize("kind", ["drone", "noise"])
def test_a_long_piece_where_nothing_stands_out_is_divided_and_says_so(kind: str) -> None:
    time = np.arange(round(200 * RATE))
    random = np.random.default_rng(3)
    wave = 0.2 * np.sin(2 * np.pi * 110 / RATE * time) if kind == "drone" else 0.1 * random.standard_normal(time.size)
    found = heard(wave, None)
    assert 3 <= found.section_count <= 26
    assert set(found.labels) == {"A"} or kind == "noise"
    assert found.confidence is not None
    assert found.confidence < 0.2


def test_a_clear_form_is_surer_than_noise() -> None:
    noise = heard(0.1 * np.random.default_rng(3).standard_normal(64 * RATE), grid(64.0))
    assert by_chords().confidence is not None
    assert (noise.confidence or 0.0) < 0.2 < by_chords().confidence


@pytest.mark.parametrize("seconds", [0.0, 0.01, 5.0])
def test_silence_has_no_form(seconds: float) -> None:
    found = heard(np.zeros(round(seconds * RATE)))
    assert found.section_count == 0
    assert found.labels == found.roles == ()
    assert found.confidence is None


def test_less_than_a_phrase_is_one_section() -> None:
    wave = np.concatenate([played("A", 3), played("B", 3, drums=True)])
    assert heard(wave, grid(12.0)).labels == ("A",)


@pytest.mark.parametrize("seconds", [1 / RATE, 0.1, 1.0, 3.0])
def test_a_very_short_piece_is_one_section(seconds: float) -> None:
    found = heard(0.2 * np.sin(np.arange(max(1, round(seconds * RATE))) + 1.0))
    assert found.labels == ("A",)
    assert found.intervals_s == pytest.approx(np.array([[0, max(1, round(seconds * RATE)) / RATE]]))


def test_silence_at_the_ends_is_set_apart() -> None:
    gap = np.zeros(round(3 * RATE))
    wave = np.concatenate([gap, *(played(part, 8) for part in "AABA"), gap])
    found = heard(wave, grid(70.0, start=3.0))
    assert merged(found) == [(0, SILENCE), (near(3), "A"), (near(35), "B"), (near(51), "A"), (near(67), SILENCE)]
    assert found.roles[0] == found.roles[-1] == SILENCE
    assert found.intervals_s[-1, 1] == pytest.approx(70)


def test_two_runs_give_the_same() -> None:
    wave = np.concatenate([played(part, 4) for part in "ABC"])
    first, second = heard(wave, grid(24.0)), heard(wave, grid(24.0))
    for field in fields(Sections):
        assert np.array_equal(getattr(first, field.name), getattr(second, field.name)), field.name


# Its parts


def test_bars_fill_gaps_and_reach_both_ends() -> None:
    downbeats = np.delete(np.arange(3.0, 40.0, 2.0), [5, 6])
    assert _form.bar_edges(downbeats, 44.5) == pytest.approx(np.array([0, *np.arange(3.0, 44.0, 2.0), 44.5]))


@pytest.mark.parametrize(("bar_s", "unit_s"), [(0.7, 1.4), (1.0, 2.0), (2.0, 2.0), (4.0, 4.0), (6.0, 3.0)])
def test_bars_that_are_too_short_or_long_are_counted_in_pairs_or_halves(bar_s: float, unit_s: float) -> None:
    edges = _form.bar_edges(np.arange(0, 120.0, bar_s), 120.0)
    assert np.median(np.diff(edges)) == pytest.approx(unit_s)
    assert (edges[0], edges[-1]) == (0, 120)


def test_hours_are_kept_within_bounds() -> None:
    assert _form.bar_edges(np.arange(0, 10_800, 1.5), 10_800).size <= _form.MOST_BARS + 2
    assert _form.bar_edges(np.zeros(0), 10_800).size <= _form.MOST_BARS + 2


def test_blocks_are_cut_where_they_meet() -> None:
    likeness = np.full((24, 24), 0.2)
    for start in (0, 8, 16):
        likeness[start : start + 8, start : start + 8] = 0.9
    cuts, gains = _form.cuts(likeness)
    assert cuts.tolist() == [0, 8, 16, 24]
    assert (gains > 1).all()
    assert letters_of(likeness, cuts) == [0, 1, 2]


def test_what_returns_is_cut_even_without_blocks() -> None:
    """Every bar differs from its neighbours; only the eight of them in order come again, once with others between."""
    order = np.array([*range(8), *range(8), *range(8, 16), *range(8)])
    likeness = np.where(order[:, None] == order, 1.0, 0.3)
    cuts, _ = _form.cuts(likeness)
    assert cuts.tolist() == [0, 8, 16, 24, 32]
    assert letters_of(likeness, cuts) == [0, 0, 1, 0]


def test_letters_go_on_after_z() -> None:
    assert [letter_name(n) for n in (0, 25, 26, 27, 701, 702)] == ["A", "Z", "AA", "AB", "ZZ", "AAA"]


def test_a_stereo_file_goes_all_the_way() -> None:
    from processor.analysis import all_analysers
    from processor.graph import run

    wave = np.concatenate([played(part, 8, drums=True) for part in "AB"])
    found = run(all_analysers(), signals.audio(signals.spread(wave), RATE)).results["sections"]
    assert [start for start, _ in merged(found)] == pytest.approx([0, 16], abs=BAR_S)


# The voice


def test_without_stems_the_mix_is_heard() -> None:
    found = heard(played("A", 8))
    assert (found.form_from, found.form_why) == (MIX, "There are no stems.")


def test_a_voice_that_comes_and_goes_is_a_change() -> None:
    """The band plays the same all the while, so that only the phrase's length says where to cut."""
    wave = np.tile(played("A", 4), 6)
    seconds = wave.size / RATE
    alone, both = (heard(wave, grid(seconds), stems) for stems in (None, sung((8.0, 24.0), seconds=seconds)))
    assert starts(alone) == [near(0), near(16), near(32)]
    assert starts(both) == [near(0), near(8), near(24)]
    assert both.form_from == WITH_VOICE
    assert both.form_why == "A voice that comes or goes is a change."


@pytest.mark.parametrize("names", [("drums", "vocals"), ("drums", "other")])
def test_a_stem_without_a_voice_changes_nothing(names: tuple[str, str]) -> None:
    wave = np.concatenate([played("A", 8), played("B", 8, drums=True), played("A", 8)])
    stems = replace(sung((5.0, 9.0), seconds=48.0, present=False), names=names)
    alone, both = heard(wave, grid(48.0)), heard(wave, grid(48.0), stems)
    assert (both.form_from, both.form_why) == (MIX, "The stems have no voice.")
    assert both.labels == alone.labels
    np.testing.assert_array_equal(both.intervals_s, alone.intervals_s)


def fused(present: bool | None) -> Vocals:
    """What all models together say about a voice."""
    return Vocals(present, None if present is None else 0.9, None, None, (), np.zeros((0, 2)), np.zeros(0))


def test_a_stem_in_which_no_voice_was_heard_changes_nothing() -> None:
    """Something leaked into the vocal stem, loud enough to count as there."""
    wave = np.tile(played("A", 4), 6)
    seconds = wave.size / RATE
    leaked = sung((8.0, 24.0), seconds=seconds)
    alone, leak = heard(wave, grid(seconds)), heard(wave, grid(seconds), leaked, fused(False))
    assert (leak.form_from, leak.form_why) == (MIX, "No voice was heard.")
    np.testing.assert_array_equal(leak.intervals_s, alone.intervals_s)
    np.testing.assert_array_equal(leak.novelty, alone.novelty)


@pytest.mark.parametrize("present", [True, None])
def test_a_voice_that_was_heard_or_not_asked_for_leaves_it_to_the_stems(present: bool | None) -> None:
    wave = np.tile(played("A", 4), 6)
    seconds = wave.size / RATE
    stems = sung((8.0, 24.0), seconds=seconds)
    assert heard(wave, grid(seconds), stems, fused(present)).form_from == WITH_VOICE
    without = heard(wave, grid(seconds), None, fused(present))
    assert (without.form_from, without.form_why) == (MIX, "There are no stems.")


@pytest.mark.parametrize("steps", [0, 1, 100, 10_000])
def test_levels_may_be_shorter_or_longer_than_the_sound(steps: int) -> None:
    stems = replace(sung((0.0, 1.0), seconds=1.0), levels_db=np.full((2, steps), -20.0))
    assert heard(played("A", 8), grid(16.0), stems).section_count > 0
