"""Pairs of made-up tracks and layers, of which is known how they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from processor.analysis.phrases import Phrases, phrase_spans
from processor.mashup import _pairs, fits
from processor.mashup._phrases import BANDS, backing_rows, key_points, read, voice_rows
from processor.mashup.listening import Backing, Voice
from processor.mashup.match import Pair, Places, best_shift, place_scores, score_all
from processor.mashup.plan import Fit
from tests.mashup.heard import PROGRESSION, backing, grid, line, transposed, voice

Results = dict[str, Any]
Half = NDArray[np.float16]

# A form that repeats only after 8 bars, so that every place but the right one fits worse.
CHORDS = (*PROGRESSION, (2, 5, 9), (7, 11, 2), (4, 7, 11), (9, 0, 4))


# A tune that is like no transposition of itself.
TUNE = ((0,), (1,), (3,), (0,), (7,), (6,), (3,), (1,))


def notes(bars: int, semitones: int = 0, chords: Sequence[Sequence[int]] = CHORDS) -> Half:
    """Half bars of chords, one a bar."""
    found = np.zeros((bars, 2, 12), np.float16)
    for bar in range(bars):
        found[bar][:, [(note + semitones) % 12 for note in chords[bar % len(chords)]]] = 1.0
    return found


def track(
    name: str,
    tempo_bpm: float | None = 120.0,
    *,
    semitones: int = 0,
    bars: int = 32,
    has_voice: bool | None = True,
    is_apart: bool = True,
    metre: int = 4,
    seed: int | None = None,
) -> tuple[str, Results]:
    """A track whose voice sings the notes of its chords; with a seed its accents, levels and spectra are its own."""
    random = np.random.default_rng(0 if seed is None else seed)
    accents = (np.rint(64 * random.random((bars, 3, 4 * metre))) / 64).astype(np.float16)
    bands = random.normal(-25, 6, (2, bars, BANDS)).astype(np.float16)
    levels = random.normal(-3, 2, (2, bars)).astype(np.float16)
    bar_s = 60 / (tempo_bpm or 120) * metre
    edges = np.asarray(np.arange(bars + 1) * bar_s, np.float64)
    spans = phrase_spans(bars)
    none = np.empty(0, np.float16)
    phrases = Phrases(
        heard_in="stems" if is_apart else "mix",
        beats_a_bar=metre,
        phrase_bars=int(spans[0, 1] - spans[0, 0]),
        intervals_s=edges[spans],
        energy_db=np.zeros(len(spans), np.float16),
        voice_share=none if has_voice is None else np.full(len(spans), float(has_voice), np.float16),
        bars_s=edges,
        pitches=notes(bars, semitones),
        accents=accents,
        bands_db=bands[0],
        levels_db=levels[0],
        voice_pitches=notes(bars, semitones) if is_apart else none,
        voice_accents=accents.mean(axis=1) if is_apart else none,
        voice_bands_db=bands[1] if is_apart else none,
        voice_levels_db=levels[1] if is_apart else none,
        sung=none if has_voice is None else np.full(bars, float(has_voice), np.float16),
    )
    return name, {
        "phrases": phrases,
        "beats": SimpleNamespace(tempo_bpm=tempo_bpm),
        "vocals": SimpleNamespace(present=has_voice),
    }


def of(pairs: Sequence[Pair], vocals: str, instrumental: str) -> Pair:
    return next(pair for pair in pairs if (pair.vocals, pair.instrumental) == (vocals, instrumental))


# A library


@pytest.mark.parametrize("semitones", [-3, -2, -1, 0, 1, 2, 3])
def test_a_known_transposition_is_found(semitones: int) -> None:
    pairs = score_all([track("sung"), track("played", semitones=semitones)])
    found = of(pairs, "sung", "played")
    assert found.shift_semitones == semitones
    assert of(pairs, "played", "sung").shift_semitones == -semitones
    assert found.fit.harmonic == pytest.approx(1.0, abs=0.02)


def test_a_shift_costs_something() -> None:
    pairs = score_all([track("sung"), track("near"), track("far", semitones=3)])
    near, far = of(pairs, "sung", "near").fit.score, of(pairs, "sung", "far").fit.score
    assert near > far
    assert far == pytest.approx(near * fits.shift_factor(3), abs=1e-3)


@pytest.mark.parametrize(
    ("vocal_bpm", "instrumental_bpm", "ratio", "beats"),
    [
        (120, 120, 1.0, 1.0),
        (120, 126, 1.05, 1.0),
        (120, 134.4, 1.12, 1.0),
        (120, 105.6, 0.88, 1.0),
        (60, 120, 1.0, 0.5),
        (140, 70, 1.0, 2.0),
        (85, 174, 1.0235, 0.5),
    ],
)
def test_tempi_within_reach_are_paired(vocal_bpm: float, instrumental_bpm: float, ratio: float, beats: float) -> None:
    found = of(score_all([track("sung", vocal_bpm), track("played", instrumental_bpm)]), "sung", "played")
    assert found.rejected is None
    assert found.tempo_ratio == pytest.approx(ratio, abs=1e-3)
    assert found.vocal_beats_per_beat == beats
    assert found.fit.score > 0


def test_a_wide_stretch_costs_more_than_one_that_nobody_hears() -> None:
    pairs = score_all([track("sung", 100.0), track("same", 100.0), track("near", 104.0), track("far", 111.0)])
    scores = [of(pairs, "sung", name).fit.score for name in ("same", "near", "far")]
    assert scores[0] == pytest.approx(scores[1])
    assert scores[1] > scores[2] > 0


def test_half_time_is_compared_at_half_time() -> None:
    """The same music, counted in beats of twice the length: the vocals' bars are two of the instrumental's."""
    name, slow = track("slow", 60.0, bars=16)
    whole = notes(32).reshape(16, 4, 12)  # 32 bars of music, counted as 16: two chords a bar
    slow["phrases"] = replace(slow["phrases"], voice_pitches=whole.reshape(16, 2, 2, 12).mean(axis=2))
    found = of(score_all([(name, slow), track("played", 120.0)]), "slow", "played")
    assert (found.vocal_beats_per_beat, found.shift_semitones) == (0.5, 0)
    assert found.fit.harmonic == pytest.approx(1.0, abs=0.02)


def test_the_phrase_that_fits_best_is_named() -> None:
    name, played = track("played", bars=32, seed=1)
    pitches = notes(32, 6)
    pitches[12:20] = notes(8)  # only here
    played["phrases"] = replace(played["phrases"], pitches=pitches)
    found = of(score_all([track("sung"), (name, played)]), "sung", "played")
    assert found.shift_semitones == 0
    assert found.instrumental_phrase == (12 * 2.0, 20 * 2.0)
    assert found.vocal_phrase is not None
    assert found.vocal_phrase[1] - found.vocal_phrase[0] == 16.0


# Rejections


@pytest.mark.parametrize(
    ("vocals", "instrumental", "reason"),
    [
        (track("a", 110.0), track("b", 124.0), "tempo: 110 over 124 BPM needs +12.7 %, over 12 %"),
        (track("a", 100.0), track("b", 160.0), "tempo: 100 over 160 BPM needs −20.0 % in half time, over 12 %"),
        (track("a", has_voice=False), track("b"), "nobody sings in a"),
        (track("a"), track("b", is_apart=False), "the instrumental sings itself 100 % of the time, and there are"),
        (track("a", metre=3), track("b"), "metre: bars of 6 beats over bars of 4"),
        (track("a", None), track("b"), "no beat of a: 4 bars"),
    ],
)
def test_what_cannot_be_done_is_said_with_numbers(
    vocals: tuple[str, Results], instrumental: tuple[str, Results], reason: str
) -> None:
    found = of(score_all([vocals, instrumental]), "a", "b")
    assert found.rejected is not None
    assert found.rejected.startswith(reason)
    assert found.fit == Fit(0.0, None, None, None, None, None)
    assert found.vocal_phrase is None


def test_an_instrumental_without_stems_is_fine_where_nobody_sings() -> None:
    found = of(score_all([track("a"), track("b", has_voice=False, is_apart=False)]), "a", "b")
    assert found.rejected is None
    assert found.fit.overlap == 1
    assert not any("mix" in reason for reason in found.reasons)


def test_a_few_words_in_an_instrumental_without_stems_forbid_nothing() -> None:
    name, nearly = track("b", is_apart=False)
    sung = np.zeros(32, np.float16)
    for bars in (0, 2):
        sung[:bars] = 1
        nearly["phrases"] = replace(nearly["phrases"], sung=sung.copy())
        assert of(score_all([track("a"), (name, nearly)]), "a", "b").rejected is None
    sung[:4] = 1
    nearly["phrases"] = replace(nearly["phrases"], sung=sung.copy())
    assert "sings itself 12 %" in str(of(score_all([track("a"), (name, nearly)]), "a", "b").rejected)


def test_without_models_a_pair_is_scored_lower_and_says_so() -> None:
    known = of(score_all([track("a"), track("b")]), "a", "b")
    unknown = [track(name, has_voice=None, is_apart=False) for name in "ab"]
    found = of(score_all(unknown), "a", "b")
    assert 0 < found.fit.score < known.fit.score
    assert found.fit.overlap is None
    said = " ".join(found.reasons)
    assert "not known: no model" in said
    assert "heard in the mix" in said


def test_tracks_without_bars_sound_or_phrases_are_no_pair() -> None:
    silent = track("silent")[1]
    silent["phrases"] = replace(
        silent["phrases"],
        **{
            field: np.zeros_like(getattr(silent["phrases"], field))
            for field in ("pitches", "accents", "voice_pitches", "voice_accents")
        },
    )
    curves: Any = [np.empty(0, np.float16)] * 9
    half = np.empty(0, np.float16)
    empty = Phrases(None, None, None, np.empty((0, 2)), half, half, np.empty(0), *curves)
    library = [track("a"), ("none", {}), ("empty", {**track("x")[1], "phrases": empty}), ("silent", silent)]
    pairs = score_all(library)
    assert len(pairs) == 12
    assert all(pair.rejected for pair in pairs if {"none", "empty"} & {pair.vocals, pair.instrumental})
    assert of(pairs, "a", "silent").fit.harmonic is None
    assert score_all(library[:1]) == []
    assert score_all([]) == []


def test_what_is_hardly_sung_is_no_vocals() -> None:
    name, quiet = track("a")
    quiet["phrases"] = replace(quiet["phrases"], sung=np.full(32, 0.1, np.float16))
    assert of(score_all([(name, quiet), track("b")]), "a", "b").rejected == (
        "no phrase of a is sung for 30 % of its time"
    )


# What comes out


def library(count: int) -> list[tuple[str, Results]]:
    tempi = [70.0, 90.0, 97.0, 100.0, 104.0, 128.0, 140.0, 180.0]
    return [
        track(
            f"t{k:02d}",
            tempi[k % 8],
            semitones=k % 12,
            bars=(4, 8, 13, 32, 41)[k % 5],
            metre=(4, 4, 4, 3, 2)[k % 5],
            seed=k,
        )
        for k in range(count)
    ]


def test_all_numbers_are_in_range_and_none_is_no_number() -> None:
    pairs = score_all(library(20))
    assert len(pairs) == 20 * 19
    assert sum(pair.rejected is None for pair in pairs) > 30
    for pair in pairs:
        values = [value for value in vars(pair.fit).values() if value is not None]
        assert all(0 <= value <= 1 for value in values)
        assert abs(pair.shift_semitones) <= 3
        if pair.rejected is None:
            assert pair.fit.score > 0
            assert pair.reasons
            assert abs((pair.tempo_ratio or 0) - 1) <= 0.12 + 1e-9
            assert pair.vocal_phrase is not None
            assert pair.vocal_phrase[0] < pair.vocal_phrase[1]


def test_the_same_library_gives_the_same_pairs_in_any_order() -> None:
    tracks = library(12)
    assert score_all(tracks) == score_all(tracks)
    other = score_all(tracks[::-1])
    for one, two in zip(score_all(tracks), other, strict=True):
        assert (one.vocals, one.instrumental, one.shift_semitones) == (
            two.vocals,
            two.instrumental,
            two.shift_semitones,
        )
        assert one.fit.score == pytest.approx(two.fit.score, abs=1e-5)


def test_best_first_and_rejected_last() -> None:
    pairs = score_all(library(12))
    ranks = [(pair.rejected is not None, -pair.fit.score) for pair in pairs]
    assert ranks == sorted(ranks)


def test_only_the_best_of_each_track_are_kept() -> None:
    every, best = score_all(library(16)), score_all(library(16), top=2)
    assert set(map(repr, best)) <= set(map(repr, every))
    for name in {pair.vocals for pair in every}:
        mine = [pair for pair in every if pair.vocals == name][:2]
        assert set(map(repr, mine)) <= set(map(repr, best))
    assert len(best) <= 4 * 16


def test_only_pairs_with_some_tracks() -> None:
    every, some = score_all(library(12)), score_all(library(12), only={"t03"})
    assert {(pair.vocals, pair.instrumental) for pair in some} == {
        (pair.vocals, pair.instrumental) for pair in every if "t03" in (pair.vocals, pair.instrumental)
    }
    for pair in some:
        assert pair.fit.score == pytest.approx(of(every, pair.vocals, pair.instrumental).fit.score, abs=1e-5)


def test_progress_is_told_to_the_end() -> None:
    shares: list[float] = []
    score_all(library(8), progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = score_all(library(16))
    monkeypatch.setattr(_pairs, "_AT_ONCE", 5)
    for one, two in zip(whole, score_all(library(16)), strict=True):
        assert (one.vocals, one.instrumental) == (two.vocals, two.instrumental)
        assert one.fit.score == pytest.approx(two.fit.score, abs=1e-5)


def test_the_compiled_search_is_what_numpy_says() -> None:
    one, two = (read(*track(name, seed=number, semitones=number)) for number, name in enumerate("ab"))
    sung = voice_rows(one, 1.0)
    assert sung is not None
    products = _pairs.Products.of(sung, backing_rows(two))
    keys = fits.KEY_WEIGHT * fits.keys_at(key_points(one)[0], key_points(two)[1], np.array(_pairs.SHIFTS))
    best = np.sort(products.scores(keys.astype(np.float32)).max(axis=2), axis=0)[::-1]
    means = best[: (len(best) + 1) // 2].mean(axis=0) * [fits.shift_factor(by) for by in _pairs.SHIFTS]
    found = of(score_all([track(name, seed=number, semitones=number) for number, name in enumerate("ab")]), "a", "b")
    assert found.fit.score == pytest.approx(means.max(), abs=1e-5)
    assert found.shift_semitones == _pairs.SHIFTS[int(means.argmax())]


# Two songs at hand


def two(
    semitones: int = 0,
    *,
    chords: Sequence[Sequence[int]] = CHORDS,
    sung_bpm: float = 120.0,
    voices_s: Sequence[tuple[float, float]] = (),
) -> tuple[Voice, Backing]:
    """A voice whose chords lie so much higher than the backing's."""
    beats, theirs = grid(sung_bpm), grid(120.0)
    spans = [(bar * 240 / sung_bpm, (bar + 0.9) * 240 / sung_bpm) for bar in range(4, 28)]
    sings = voice([line(*span) for span in spans], beats, chords=transposed(chords, semitones))
    return sings, backing(theirs, chords=chords, voices_s=voices_s)


@pytest.mark.parametrize("semitones", [-3, -1, 0, 2, 3])
def test_the_shift_of_two_songs_is_found(semitones: int) -> None:
    scores = best_shift(*two(semitones))
    assert (scores.best, scores.widest, scores.split) == (-semitones, -semitones, (-semitones, 0))
    assert scores.harmonic_at(-semitones) == max(scores.harmonic)
    assert scores.is_pitched


@pytest.mark.parametrize(("semitones", "split"), [(-5, (3, -2)), (4, (-2, 2)), (6, (-3, 3))])
def test_a_wide_shift_is_split_between_both(semitones: int, split: tuple[int, int]) -> None:
    scores = best_shift(*two(semitones, chords=TUNE))
    assert abs(scores.best) <= 3
    assert (abs(scores.widest), scores.split) == (abs(semitones), split)
    assert scores.split[0] - scores.split[1] == scores.widest


def test_the_shift_is_found_at_another_tempo() -> None:
    assert best_shift(*two(-2, sung_bpm=127.0)).best == 2
    assert best_shift(*two(-2, sung_bpm=60.0), 0.5).best == 2


def test_without_beats_voice_or_pitch_no_shift_is_best() -> None:
    sings, plays = two(2)
    mute = replace(plays, sound=replace(plays.sound, chroma=np.zeros_like(plays.sound.chroma)))
    for pair in (
        (replace(sings, sound=replace(sings.sound, grid=None)), plays),
        (replace(sings, lines=(), sections=()), plays),
        (sings, mute),
    ):
        scores = best_shift(*pair)
        assert (scores.best, scores.widest, scores.is_pitched) == (0, 0, False)
        assert not any(scores.scores)


def test_bars_fit_where_their_chords_are_the_same() -> None:
    places = place_scores(*two(), 0)
    assert places.score.shape == (64, 64)
    whole = places.phrases(8)
    assert whole[8, 8] == pytest.approx(whole.max())
    assert whole[8, 16] == pytest.approx(whole[8, 8], abs=1e-3)  # the form comes again
    assert whole[8, 8] > whole[8, 9] + 0.2
    assert places.fit(8, 8, 8).harmonic == pytest.approx(1.0, abs=0.02)
    assert places.sung[:4].max() == 0
    assert places.sung[10] == pytest.approx(0.9, abs=0.05)


def test_matrices_are_finite_and_within_0_and_1() -> None:
    for beats in (1.0, 2.0, 0.5):
        places = place_scores(*two(3), -2, beats)
        assert places.score.shape == (len(places.vocal_beats), len(places.backing_beats))
        assert len(places.vocal_beats) == int(256 / (4 * beats))
        for name in ("score", "harmonic", "rhythmic", "room", "energy", "overlap", "sung"):
            values = getattr(places, name)
            assert np.isfinite(values).all()
            assert values.min() >= 0
            assert values.max() <= 1


def test_a_poor_sample_rate_has_no_sound_in_the_bands_that_it_cannot_hold() -> None:
    sings, plays = two()
    held = plays.sound.centres_hz < 4000.0
    poor = replace(plays.sound, centres_hz=plays.sound.centres_hz[held], bands_db=plays.sound.bands_db[:, held])
    full, other = place_scores(sings, plays, 0), place_scores(sings, replace(plays, sound=poor), 0)
    assert np.isfinite(other.room).all()
    assert other.room[8, 8] > full.room[8, 8]  # there is more that is free
    assert place_scores(replace(sings, sound=poor), plays, 0).room.shape == full.room.shape


def test_rows_begin_where_one_says() -> None:
    places = place_scores(*two(), 0, 2.0, 4)
    assert places.vocal_beats[:3].tolist() == [4, 12, 20]
    assert places.backing_beats[:3].tolist() == [0, 4, 8]


def test_another_voice_in_the_backing_is_a_fault() -> None:
    alone, beside = place_scores(*two(), 0), place_scores(*two(voices_s=[(16.0, 20.0)]), 0)
    assert beside.overlap[8, 8] == 0
    assert beside.score[8, 8] == pytest.approx(fits.OVERLAPPED * alone.score[8, 8], abs=1e-3)
    assert beside.overlap[8, 12] == 1


def test_a_place_without_a_voice_has_no_fit() -> None:
    places = place_scores(*two(), 0)
    assert places.fit(0, 0, 4) == Fit(0.0, None, None, None, None, None)
    assert places.fit(60, 63, 8).score == 0
    assert places.fit(99, 99, 8).score == 0
    assert places.phrases(4)[0, 0] == 0


def test_no_grid_no_places() -> None:
    sings, plays = two()
    places: Places = place_scores(sings, replace(plays, sound=replace(plays.sound, grid=None)), 0)
    assert places.score.shape == (0, 0)
    assert places.fit(0, 0, 8).score == 0
    assert places.phrases(8).shape == (0, 0)


def test_silence_gives_numbers() -> None:
    sings, plays = two()
    still = replace(
        plays.sound,
        power=np.zeros_like(plays.sound.power),
        bands_db=np.full_like(plays.sound.bands_db, -120),
        onsets=np.zeros_like(plays.sound.onsets),
        chroma=np.zeros_like(plays.sound.chroma),
    )
    places = place_scores(sings, replace(plays, sound=still), 0)
    assert places.harmonic is None
    assert places.rhythmic is None
    assert np.isfinite(places.score).all()
