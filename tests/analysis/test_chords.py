"""Chords of progressions that are synthesised, with and without beats, and what has none."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from processor.analysis.chords import LABELS, MAX_CHORDS, Chords, chords
from processor.analysis.chroma import chroma
from processor.analysis.key import key
from processor.analysis.mono import SAMPLE_RATE_HZ, Mono
from tests import signals
from tests.analysis.test_key import MAJOR, MINOR, chord, drums

RATE = SAMPLE_RATE_HZ
Row = np.ndarray


def heard(row: Row, beats_s: list[float] | None = None, *, with_key: bool = True) -> Chords:
    row = np.ascontiguousarray(row, np.float32)
    classes = chroma(Mono(row, RATE, row.size / RATE))
    beats = None if beats_s is None else SimpleNamespace(beats_s=np.array(beats_s))
    return chords(classes, key(classes, {}) if with_key else None, beats)  # type: ignore[arg-type]


def played(*labels: str, seconds: float = 2.0, inversion: int = 0) -> Row:
    places = [LABELS.index(label) for label in labels]
    return np.concatenate(
        [chord(p % 12, MAJOR if p < 12 else MINOR, seconds=seconds, inversion=inversion) for p in places]
    )


def edges(found: Chords) -> list[float]:
    return [*found.intervals_s[:, 0].tolist(), *found.intervals_s[-1:, 1].tolist()]


def test_labels_are_harte_s() -> None:
    assert LABELS[0] == "C:maj"
    assert LABELS[21] == "A:min"
    assert LABELS[-1] == "N"
    assert len(set(LABELS)) == 25


@pytest.mark.parametrize("label", LABELS[:-1])
def test_every_triad(label: str) -> None:
    found = heard(played(label, seconds=3.0), with_key=False)
    assert found.labels == (label,)
    assert found.intervals_s == pytest.approx(np.array([[0.0, 3.0]]))


@pytest.mark.parametrize(
    "labels",
    [
        ("C:maj", "G:maj", "A:min", "F:maj"),
        ("A:min", "F:maj", "C:maj", "G:maj"),
        ("E:min", "B:maj", "E:min", "A:min"),
        ("Eb:maj", "Bb:maj", "C:min", "Ab:maj"),
        ("D:maj", "E:min", "F#:min", "A:maj"),
    ],
)
def test_a_progression_with_its_times(labels: tuple[str, ...]) -> None:
    found = heard(played(*labels, *labels))
    assert found.labels == (*labels, *labels)
    assert edges(found) == pytest.approx([2.0 * k for k in range(9)], abs=0.2)


@pytest.mark.parametrize("inversion", [1, 2])
def test_inversions(inversion: int) -> None:
    found = heard(played("C:maj", "F:maj", "G:maj", "C:maj", inversion=inversion))
    assert found.labels == ("C:maj", "F:maj", "G:maj", "C:maj")


def test_under_drums() -> None:
    labels = ("A:min", "F:maj", "C:maj", "G:maj")
    music = played(*labels, *labels)
    found = heard(music + 0.4 * drums(music.size))
    assert found.labels == (*labels, *labels)
    assert edges(found) == pytest.approx([2.0 * k for k in range(9)], abs=0.25)


def test_changes_fall_on_beats_where_there_are_some() -> None:
    beats = [0.02 + 0.5 * k for k in range(32)]
    found = heard(played("C:maj", "G:maj", "A:min", "F:maj"), beats)
    assert found.labels == ("C:maj", "G:maj", "A:min", "F:maj")
    assert edges(found) == pytest.approx([0.0, 2.02, 4.02, 6.02, 8.0], abs=1e-9)


def test_a_chord_off_the_beat_is_still_heard() -> None:
    found = heard(played("C:maj", "F#:maj", "C:maj", seconds=3.0), [0.5, 2.0, 3.5, 5.0, 6.5, 8.0])
    assert found.labels == ("C:maj", "F#:maj", "C:maj")
    assert found.intervals_s[1] == pytest.approx([3.0, 6.0], abs=0.2)


def test_no_beats_are_as_none() -> None:
    row = played("C:maj", "G:maj")
    assert repr(heard(row, [])) == repr(heard(row, None))


def test_chords_have_no_gaps() -> None:
    found = heard(played("C:maj", "G:maj", "A:min", "F:maj", "D:min", "G:maj", seconds=1.3))
    assert found.intervals_s[0, 0] == 0
    assert found.intervals_s[-1, 1] == pytest.approx(7.8, abs=1e-3)
    assert np.array_equal(found.intervals_s[1:, 0], found.intervals_s[:-1, 1])
    assert (np.diff(found.intervals_s) > 0).all()
    assert len(found.labels) == len(found.intervals_s) == len(found.confidences)
    assert all(a != b for a, b in zip(found.labels, found.labels[1:], strict=False))


def test_no_chord_begins_at_the_very_end() -> None:
    values = np.zeros((21, 12), np.float32)
    values[:, [0, 4, 7]] = 1
    values[-1] = np.roll(values[-1], 6)
    classes = SimpleNamespace(values=values, bass=values, frame_rate=10.0, duration_s=2.0)
    found = chords(classes)  # type: ignore[arg-type]
    assert found.labels == ("C:maj",)
    assert found.intervals_s == pytest.approx(np.array([[0.0, 2.0]]))


def test_silence_between_chords_is_none() -> None:
    gap = signals.silence(3.0, rate=RATE)[0]
    found = heard(np.concatenate([played("C:maj"), gap, played("G:maj")]))
    assert found.labels == ("C:maj", "N", "G:maj")
    assert edges(found) == pytest.approx([0.0, 2.0, 5.0, 7.0], abs=0.5)


@pytest.mark.parametrize(
    "row",
    [signals.silence(8.0, rate=RATE)[0], signals.noise(12.0, rate=RATE)[0], drums(12 * RATE)],
    ids=["silence", "noise", "drums"],
)
def test_what_has_no_chords(row: Row) -> None:
    found = heard(row)
    assert found.labels == ("N",)
    assert found.confidence is None


def test_nothing_at_all() -> None:
    found = heard(np.zeros(0, np.float32))
    assert (found.labels, found.confidence, found.intervals_s.shape) == ((), None, (0, 2))


def test_a_clear_chord_is_surer_than_a_blurred_one() -> None:
    """C and C minor at once are neither."""
    clear = heard(played("C:maj", "F:maj"), with_key=False)
    blurred = heard(played("C:maj", "F:maj") + played("C:min", "F:min"), with_key=False)
    assert clear.confidence > blurred.confidence + 0.05
    assert ((clear.confidences > 0) & (clear.confidences < 1)).all()


def test_a_long_piece_keeps_few_labels() -> None:
    """Fifty minutes with a new chord every 0.2 to 2 seconds: the longest stay."""
    random = np.random.default_rng(1)
    values = np.zeros((30_000, 12), np.float32)
    start = 0
    while start < len(values):
        root, stop = int(random.integers(12)), start + int(random.integers(2, 20))
        values[start:stop, [root, (root + 4) % 12, (root + 7) % 12]] = 1
        start = stop
    classes = SimpleNamespace(values=values, bass=values, frame_rate=10.0, duration_s=3000.0)
    found = chords(classes)  # type: ignore[arg-type]
    assert 500 < len(found.labels) <= MAX_CHORDS


def test_the_same_again() -> None:
    row = played("C:maj", "G:maj")
    assert repr(heard(row)) == repr(heard(row))
