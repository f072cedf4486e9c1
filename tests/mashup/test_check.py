"""A render is measured as it is, and what is not as planned is said and, where that is possible, mended."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from processor.mashup.check import Examined, check, corrected, examine, to_json
from processor.mashup.corrections import is_better
from processor.mashup.deviations import deviations, shifted
from processor.mashup.measured import Measured
from processor.mashup.offsets import Offsets, Section
from processor.mashup.plan import Plan, time_map
from processor.mashup.render import Rendered
from processor.mashup.songs import Song
from tests.mashup.landed import RATE, SUNG_BPM, backing_of, grid, kick, plan, played, sung, vocals_of
from tests.signals import Samples, spread

LATE_MS = 35.0


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Song, Song]:
    """The files of both songs, and the whole song of the vocals."""
    folder = tmp_path_factory.mktemp("songs")
    lead = np.zeros(round(0.2 * RATE), np.float32)
    sounds = {
        "vocals": sung(),
        "whole": played(np.array(grid(SUNG_BPM).beats_s), 40.0, kick()) + sung(),
        "instrumental": np.concatenate([lead, backing_of(plan())]),
    }
    for name, sound in sounds.items():
        soundfile.write(folder / f"{name}.flac", spread(sound).T, RATE, subtype="PCM_24")
    layers = {"vocals": folder / "vocals.flac"}, {"instrumental": folder / "instrumental.flac"}
    voice = Song("v", "V", "0" * 64, {}, layers[0], beat_file=folder / "whole.flac", is_whole_song=True)
    return voice, Song("i", "I", "1" * 64, {}, layers[1])


def rendered(made: Plan, vocals: Samples, backing: Samples, limiter_db: float = 1.0) -> Rendered:
    mix = spread(0.4 * (vocals + backing))
    return Rendered(
        samples=mix,
        sample_rate=RATE,
        vocals=spread(vocals),
        backing={"instrumental": spread(backing)},
        joins_s=(float(time_map(made, made.segments[0])[1][0]), float(time_map(made, made.segments[0])[1][-1])),
        segments_s=tuple(
            (float(time_map(made, one)[1][0]), float(time_map(made, one)[1][-1])) for one in made.segments
        ),
        master_gain_db=0.0,
        limiter_db=limiter_db,
        lufs=None,
        true_peak_dbtp=None,
    )


@pytest.fixture(scope="module")
def good(songs: tuple[Song, Song]) -> Examined:
    made = plan(vocal_to_backing_lu=5.0, target_lufs=-23.0)
    # Syllables come as they like: louder, they would be heard as the beat.
    return examine(made, rendered(made, np.float32(0.15) * vocals_of(made), backing_of(made)), songs)


@pytest.fixture(scope="module")
def late(songs: tuple[Song, Song]) -> Examined:
    made = plan()
    return examine(made, rendered(made, vocals_of(made, LATE_MS / 1000), backing_of(made)), songs)


def test_what_is_measured(good: Examined) -> None:
    found = good.measured
    assert found.duration_s == pytest.approx(35.0, abs=0.01)
    assert found.tempo_bpm == pytest.approx(108, rel=0.01)
    assert found.beat_offset_median_ms == pytest.approx(0, abs=1.5)
    assert found.beat_offset_p95_ms is not None
    assert found.beat_offset_p95_ms < 4
    assert found.integrated_lufs is not None
    assert -40 < found.integrated_lufs < -10
    assert found.true_peak_dbtp is not None
    assert found.true_peak_dbtp < 0
    assert found.vocal_to_backing_lu is not None
    assert len(found.band_ratios_db) == 6
    assert found.onset_sharpness_kept == pytest.approx(1.0, abs=0.05)
    assert (found.clicks_at_joins, found.joins, found.limiter_db) == (0, 2, 1.0)


def test_it_is_json(good: Examined) -> None:
    tree = json.loads(json.dumps(to_json(good.measured), allow_nan=False))
    assert {"tempo_bpm", "integrated_lufs", "true_peak_dbtp", "beat_offset_median_ms", "deviations"} < set(tree)


def test_check_is_the_numbers_of_examine(songs: tuple[Song, Song], late: Examined) -> None:
    made = plan()
    again = check(made, rendered(made, vocals_of(made, LATE_MS / 1000), backing_of(made)), songs)
    assert again == late.measured


def test_late_vocals_are_said_and_mended(late: Examined, songs: tuple[Song, Song]) -> None:
    said = " ".join(late.measured.deviations)
    assert re.search("The beats of both layers lie 3[4-6] ms apart", said)
    assert re.search(r"In verse at 0:04\.\d the vocals are 3[4-6] ms late", said)
    mended = corrected(plan(), replace(late.measured, vocal_to_backing_lu=0.0), late.offsets)
    assert mended is not None
    assert "moved by +" in mended.corrections[0]
    # A render that errs in the same way again, along the plan that knows of it.
    again = examine(mended, rendered(mended, vocals_of(mended, LATE_MS / 1000), backing_of(mended)), songs)
    assert again.measured.beat_offset_median_ms == pytest.approx(0, abs=2.0)
    assert corrected(mended, late.measured, late.offsets) is None  # once


def test_a_click_is_counted_and_faded(songs: tuple[Song, Song]) -> None:
    made = plan()
    vocals = vocals_of(made)
    at_s = float(time_map(made, made.segments[0])[1][-1])
    vocals[round(at_s * RATE) :] += np.float32(0.05) * np.exp(-np.arange(vocals.size - round(at_s * RATE)) / 200)
    found = examine(made, rendered(made, vocals.astype(np.float32), backing_of(made)), songs)
    assert found.measured.clicks_at_joins == 1
    assert found.clicks_s == ((at_s,), ())
    assert any("The vocals click where they are joined, at 0:" in text for text in found.measured.deviations)
    mended = corrected(made, replace(found.measured, vocal_to_backing_lu=0.0), found.offsets, found.clicks_s[0])
    assert mended is not None
    assert mended.segments[0].fade_out_s > made.segments[0].fade_out_s
    assert mended.segments[0].fade_in_s == made.segments[0].fade_in_s


def test_silence(songs: tuple[Song, Song]) -> None:
    made = plan()
    nothing = np.zeros(round(35 * RATE), np.float32)
    found = check(made, rendered(made, nothing, nothing, 0.0), songs)
    assert found.tempo_bpm is None
    assert found.key is None
    assert found.integrated_lufs is None
    assert found.true_peak_dbtp is None
    assert found.beat_offset_median_ms is None
    assert found.vocal_to_backing_lu is None
    assert found.clicks_at_joins == 0
    assert any("too quiet" in text for text in found.deviations)


def test_files_of_other_rates_and_channels(tmp_path: Path, songs: tuple[Song, Song]) -> None:
    """8 kHz mono vocals: nothing falls over, and what can be told is told."""
    made = plan()
    soundfile.write(tmp_path / "v.wav", sung(8000), 8000)
    voice = replace(songs[0], layers={"vocals": tmp_path / "v.wav"})
    found = check(made, rendered(made, vocals_of(made), backing_of(made)), (voice, songs[1]))
    assert found.beat_offset_median_ms is None or found.beat_offset_median_ms < 20


@pytest.mark.parametrize("drums", [1.0, 0.0])
def test_drums_say_where_the_beat_is(songs: tuple[Song, Song], drums: float) -> None:
    """What strums 30 ms behind them does not; without drums, it is all that there is."""
    made = plan()
    kicks, strums = np.float32(drums) * backing_of(made), backing_of(made, 0.03)
    one = rendered(made, vocals_of(made), kicks + strums)
    one = replace(one, backing={"drums": spread(kicks), "other": spread(strums)})
    found = check(made, one, songs)
    assert found.beat_offset_median_ms == pytest.approx(0 if drums else 30, abs=2.0)


# Sentences

NOTHING = Offsets(np.zeros(0, np.int64), np.zeros(0), (), "", None)
FINE = Measured(
    60.0, 108.0, 0.9, "A minor", 0.9, -14.0, -1.0, 2.0, 3.0, 6.0, 5.0, "the beats", 0.0, (0.0,) * 6, 0.9, 0, 4, ()
)


def said(made: Plan | None = None, **changes: object) -> tuple[str, ...]:
    return deviations(made or plan(), replace(FINE, **changes), NOTHING, ((), ()))  # type: ignore[arg-type]


def test_what_is_as_planned_is_no_deviation() -> None:
    assert said() == ()
    assert said(key="E minor") == ()  # a fifth away
    assert said(key="F# major", key_confidence=0.3) == ()  # a guess
    assert said(key=None, beat_offset_median_ms=None, vocal_to_backing_lu=None, onset_sharpness_kept=None) == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tempo_bpm": 54.0}, "54.0 BPM are heard where 108.0 were planned: half the tempo, which counts as equal."),
        ({"tempo_bpm": 216.0}, "twice the tempo, which counts as equal."),
        ({"tempo_bpm": 72.0}, "two thirds of it"),
        ({"tempo_bpm": 112.0}, "+3.7 %"),
        ({"tempo_bpm": None}, "No tempo is heard"),
        ({"key": "F# major"}, "F# major is heard, which is not near A minor of the instrumental"),
        ({"integrated_lufs": -15.0}, "−15.0 LUFS; −14.0 were planned."),
        ({"integrated_lufs": -15.0, "limiter_db": 6.0}, "more would take over 6 dB"),
        ({"integrated_lufs": None}, "too quiet"),
        ({"true_peak_dbtp": -0.2}, "−0.20 dBTP; the ceiling is −1.00."),
        ({"vocal_to_backing_lu": 3.0}, "+3.0 LU over the backing; 0.0 were planned."),
        ({"band_ratios_db": (0.0, 0.0, 0.0, 0.0, -9.0, None)}, "words are hard to follow"),
        ({"onset_sharpness_kept": 0.5}, "50 % of their sharpness"),
        ({"beat_offset_median_ms": 27.0}, "27 ms apart"),
    ],
)
def test_what_is_not_as_planned_is_said(changes: dict[str, object], words: str) -> None:
    [sentence] = said(**changes)
    assert words in sentence


def test_labels_are_made_printable_and_long_lists_end() -> None:
    rows = tuple(Section(0, "a\u202eb\n", 0, 4, 65.0, 67.0, -30.0, None, None) for _ in range(40))
    found = deviations(plan(), FINE, replace(NOTHING, sections=rows), (tuple(range(50)), ()))
    assert len(found) < 10
    assert found[0] == "In a\ufffdb\ufffd at 1:05.0 the vocals are 30 ms early."


@pytest.mark.parametrize(
    ("name", "semitones", "wanted"),
    [
        ("A minor", 3.0, "C minor"),
        ("C major", -1, "B major"),
        (None, 2, None),
        ("no key", 2, None),
        ("8A", 12, "A minor"),
    ],
)
def test_shifted_keys(name: str | None, semitones: float, wanted: str | None) -> None:
    assert shifted(name, semitones) == wanted


# Corrections


def test_nothing_to_mend() -> None:
    assert corrected(plan(), FINE) is None
    assert corrected(plan(), FINE, NOTHING) is None


def test_vocals_are_brought_to_their_ratio() -> None:
    mended = corrected(plan(), replace(FINE, vocal_to_backing_lu=-2.5))
    assert mended is not None
    assert [one.gain_db for one in mended.segments] == [2.5, 2.5]
    assert "+2.5 dB" in mended.corrections[0]
    far = corrected(plan(), replace(FINE, vocal_to_backing_lu=-50.0))
    assert far is not None
    assert [one.gain_db for one in far.segments] == [6.0, 6.0]


def test_a_ceiling_that_was_passed_is_lowered() -> None:
    mended = corrected(plan(), replace(FINE, true_peak_dbtp=-0.6))
    assert mended is not None
    assert mended.ceiling_dbtp == pytest.approx(-1.45)


def test_another_beat_is_not_moved_to() -> None:
    """An offset of nearly half a beat may be the one before or behind: nothing is moved."""
    rows = tuple(
        Section(n, "x", 8 + 32 * n, 24 + 32 * n, 5.0 + 17 * n, 13.0 + 17 * n, 250.0, None, None) for n in (0, 1)
    )
    offsets = replace(NOTHING, offset_ms=np.array([250.0] * 9), sections=rows)
    assert corrected(plan(), FINE, offsets) is None


@pytest.mark.parametrize(
    ("second", "first", "wanted"),
    [
        ({"deviations": ()}, {"deviations": ("a",)}, True),
        ({"deviations": ("a", "b")}, {"deviations": ("a",)}, False),
        ({"beat_offset_median_ms": 40.0}, {"beat_offset_median_ms": 30.0}, False),
        ({"beat_offset_median_ms": 3.0}, {"beat_offset_median_ms": 30.0}, True),
        ({"beat_offset_median_ms": None}, {"beat_offset_median_ms": 30.0}, True),
    ],
)
def test_the_better_render_is_kept(second: dict[str, object], first: dict[str, object], wanted: bool) -> None:
    assert is_better(replace(FINE, **second), replace(FINE, **first)) is wanted  # type: ignore[arg-type]
