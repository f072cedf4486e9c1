"""Sounds whose bars, notes, accents and voices are known."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from processor.analysis.bands import bands
from processor.analysis.beats import Beats
from processor.analysis.chroma import chroma
from processor.analysis.mel import mel
from processor.analysis.mono import mono
from processor.analysis.onsets import onsets
from processor.analysis.phrases import MIX, STEMS, Phrases, bar_grid, means, phrase_spans, phrases
from tests.signals import RATE, audio, noise, silence, spread

Row = NDArray[np.float32]

BPM, BAR_S = 120.0, 2.0
NOTES = (60, 64, 67, 69, 62, 65, 71, 60)  # one a bar


def beats_of(count: int, metre: int | None = 4, first: int = 0, bpm: float = BPM) -> Beats:
    """Even beats."""
    times = np.arange(count) * 60 / bpm
    downbeats = times[first::metre] if metre else np.empty(0)
    none: Any = SimpleNamespace
    found: Beats = none(tempo_bpm=bpm, beats_s=times, downbeats_s=downbeats, metre=metre)
    return found


def tune(bars: int, offset: int = 0, loud_from: int = 0) -> Row:
    """A note a bar; quieter by 20 dB before bar `loud_from`."""
    time = np.arange(round(BAR_S * RATE)) / RATE
    parts = []
    for bar in range(bars):
        hz = 440 * 2 ** ((NOTES[bar % len(NOTES)] + offset - 69) / 12)
        tone = sum(np.sin(2 * np.pi * k * hz * time) / k for k in (1, 2, 3)) * np.minimum(1, (BAR_S - time) * 50)
        parts.append((0.2 if bar >= loud_from else 0.02) * tone)
    return np.concatenate(parts).astype(np.float32)


def clicks(seconds: float, every_s: float, at_s: float = 0.0) -> Row:
    """Kicks."""
    time = (np.arange(round(seconds * RATE)) / RATE - at_s) % every_s
    return (0.5 * np.sin(2 * np.pi * 60 * time) * np.exp(-time * 30)).astype(np.float32)


def measured(row: Row, beats: Beats, **more: Any) -> Phrases:
    sound = audio(spread(row))
    folded = mono(sound)
    return phrases(chroma(folded), onsets(mel(folded)), bands(sound), beats, **more)


def test_phrases_are_eight_bars_from_the_first_downbeat() -> None:
    found = measured(tune(17), beats_of(67, first=1))
    assert (found.heard_in, found.beats_a_bar, found.phrase_bars) == (MIX, 4, 8)
    assert np.allclose(found.bars_s, 0.5 + BAR_S * np.arange(17))
    assert np.allclose(found.intervals_s, [[0.5, 16.5], [16.5, 32.5]])
    assert found.pitches.shape == (16, 2, 12)
    assert found.accents.shape == (16, 3, 16)
    assert found.bands_db.shape == (16, 20)


@pytest.mark.parametrize(
    ("bars", "spans"),
    [(4, [[0, 4]]), (7, [[0, 4]]), (8, [[0, 8]]), (11, [[0, 8]]), (12, [[0, 8], [4, 12]]), (16, [[0, 8], [8, 16]])],
)
def test_a_remainder_of_four_bars_gives_a_phrase_that_reaches_back(bars: int, spans: list[list[int]]) -> None:
    assert phrase_spans(bars).tolist() == spans


def test_each_bar_has_its_note() -> None:
    found = measured(tune(8), beats_of(32))
    loudest = found.pitches.argmax(axis=2)
    assert loudest[:, 1].tolist() == [note % 12 for note in NOTES]


def test_a_waltz_is_told_by_beats() -> None:
    found = measured(tune(12), beats_of(48, metre=3))
    assert found.pitches.shape == (16, 3, 12)
    assert found.accents.shape == (16, 3, 12)


def test_without_downbeats_bars_have_four_beats() -> None:
    found = measured(tune(8), beats_of(32, metre=None))
    assert (found.beats_a_bar, len(found.levels_db)) == (4, 8)


def test_accents_stand_on_their_sixteenths() -> None:
    found = measured(clicks(16.0, BAR_S / 2, at_s=3 * BAR_S / 16), beats_of(32))
    low = found.accents[1:-1, 0].astype(np.float64).mean(axis=0)
    assert sorted(np.argsort(-low)[:2].tolist()) == [3, 11]
    assert low[3] > 3 * np.median(low)


def test_levels_are_against_the_loud_bars() -> None:
    found = measured(tune(16, loud_from=8), beats_of(64))
    assert found.levels_db[9:].max() < 3
    assert found.energy_db[0] - found.energy_db[1] == pytest.approx(-20, abs=1.5)


# Voices


@dataclass(frozen=True)
class InMemory:
    """Stems that lie in no file."""

    sounds: dict[str, Row]

    def mono(self, name: str) -> Row | None:
        row = self.sounds.get(name)
        return None if row is None else mono(audio(row[None])).samples


def with_stems(present: bool | None = True, there: tuple[bool, ...] = (True, True)) -> Phrases:
    """A voice a fifth above the band, from bar 4 to bar 12."""
    voice = tune(16, 7)
    voice[: round(4 * BAR_S * RATE)] = 0
    voice[round(12 * BAR_S * RATE) :] = 0
    sounds = {"vocals": voice, "other": tune(16)}
    return measured(
        sounds["vocals"] + sounds["other"],
        beats_of(64),
        stems=SimpleNamespace(names=("vocals", "other"), present=there),
        separated=InMemory(sounds),
        vocals=SimpleNamespace(present=present, intervals_s=np.array([[8.0, 24.0]])),
    )


def test_voice_and_backing_are_told_apart() -> None:
    found = with_stems()
    assert found.heard_in == STEMS
    assert found.sung.tolist() == [0.0] * 4 + [1.0] * 8 + [0.0] * 4
    assert found.voice_share.tolist() == [0.5, 0.5]
    assert found.voice_pitches[5:11, 1].argmax(axis=1).tolist() == [(NOTES[bar % 8] + 7) % 12 for bar in range(5, 11)]
    assert found.pitches[5:11, 1].argmax(axis=1).tolist() == [NOTES[bar % 8] % 12 for bar in range(5, 11)]
    assert found.voice_accents.shape == (16, 16)
    assert found.voice_levels_db[1] == -60
    assert found.voice_levels_db[6] > -3


@pytest.mark.parametrize(("present", "there"), [(False, (True, True)), (None, (False, True)), (True, (False, True))])
def test_stems_without_a_voice_are_the_mix(present: bool | None, there: tuple[bool, ...]) -> None:
    found = with_stems(present, there)
    assert found.heard_in == MIX
    assert found.voice_pitches.size == 0


def test_a_voice_that_nobody_can_tell_is_not_told() -> None:
    found = measured(tune(8), beats_of(32), vocals=SimpleNamespace(present=None, intervals_s=np.zeros((0, 2))))
    assert found.sung.size == 0
    assert found.voice_share.size == 0


# Too little


@pytest.mark.parametrize("row", [silence(10.0)[0], noise(10.0)[0], silence(0.0)[0], noise(0.3)[0]])
def test_no_beats_no_bars(row: Row) -> None:
    found = measured(row, beats_of(0))
    assert (found.heard_in, found.beats_a_bar, found.phrase_bars) == (None, None, None)
    assert all(not value.size for value in vars(found).values() if isinstance(value, np.ndarray))


def test_three_bars_are_too_few() -> None:
    assert bar_grid(beats_of(12), 6.0) is None
    grid = bar_grid(beats_of(16), 8.0)
    assert grid is not None
    assert grid.bars == 4
    assert bar_grid(beats_of(16), 7.9) is None  # the fourth bar is cut off


def test_silent_bars_are_finite() -> None:
    found = measured(silence(32.0)[0], beats_of(64))
    assert len(found.levels_db) == 16
    assert all(np.isfinite(value).all() for value in vars(found).values() if isinstance(value, np.ndarray))
    assert found.levels_db.max() <= 0
    assert not found.pitches.any()


def test_beats_behind_the_end_are_silence() -> None:
    found = measured(tune(4), beats_of(64))
    assert found.levels_db[6:].max() == -60
    assert not found.pitches[6:].any()


def test_means() -> None:
    values = np.arange(10.0)[:, None]
    assert means(values, 1.0, np.array([0.0, 2.0, 4.0]))[:, 0].tolist() == [0.5, 2.5]
    assert means(values, 1.0, np.array([3.0, 3.1, 3.2]))[:, 0].tolist() == [3.0, 3.0]
    assert means(values, 1.0, np.array([9.0, 12.0, 14.0]))[:, 0].tolist() == [9.0, 0.0]
    assert means(values[:0], 1.0, np.array([0.0, 1.0]))[:, 0].tolist() == [0.0]


def test_low_rates_have_fewer_bands() -> None:
    sound = audio(tune(8)[None, ::6], RATE // 6)
    folded = mono(sound)
    found = phrases(chroma(folded), onsets(mel(folded)), bands(sound), beats_of(32))
    assert found.bands_db.shape == (8, 17)


def test_the_same_sound_gives_the_same_phrases() -> None:
    one, two = measured(tune(8), beats_of(32)), measured(tune(8), beats_of(32))
    for name, value in vars(one).items():
        assert np.array_equal(value, getattr(two, name)), name
