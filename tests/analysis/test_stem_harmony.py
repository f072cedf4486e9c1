"""Bass and harmony give the key without the voice and the drums, where they are really there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from processor.analysis.key import KEYS
from processor.analysis.stem_harmony import StemHarmony, stem_harmony
from tests.analysis.test_key import RATE, cadence, drums
from tests.analysis.test_stem_rhythm import kept
from tests.signals import Samples

SIZE = cadence("C major").size


def heard(folder: Path, parts: dict[str, Samples], present: dict[str, bool] | None = None) -> StemHarmony:
    return stem_harmony(*kept(folder, parts, present))


@pytest.mark.parametrize("name", ["C major", "F# minor", "Bb major"])
def test_the_key_is_that_of_the_harmony(tmp_path: Path, name: str) -> None:
    found = heard(tmp_path, {"drums": drums(SIZE), "other": cadence(name)})
    assert found.harmony_key == name
    assert found.harmony_stems == ("other",)
    assert found.harmony_chances.shape == (24,)
    assert found.harmony_chances.sum() == pytest.approx(1)
    assert found.harmony_chances[KEYS.index(name)] == found.harmony_key_confidence
    assert found.harmony_share == 1.0


def test_the_voice_does_not_count(tmp_path: Path) -> None:
    found = heard(tmp_path, {"vocals": 3 * cadence("F# major"), "bass": cadence("C major")})
    assert found.harmony_key == "C major"
    assert found.harmony_share == pytest.approx(0.1, abs=0.02)


def test_all_that_carries_harmony_is_heard_together(tmp_path: Path) -> None:
    """A stem of five instruments: the chords are on two of them."""
    whole = cadence("E minor")
    half = whole.copy()
    half[: SIZE // 2] = 0
    parts = {"bass": 0 * whole, "drums": drums(SIZE), "other": 0 * whole, "guitar": half, "piano": whole - half}
    found = heard(tmp_path, parts, {"bass": False, "other": False})
    assert found.harmony_key == "E minor"
    assert found.harmony_stems == ("guitar", "piano")


@pytest.mark.parametrize(
    ("parts", "present"),
    [
        ({"other": cadence("C major")}, {"other": False}),
        ({"vocals": cadence("C major")}, {}),
        ({"bass": np.zeros(10 * RATE, np.float32)}, {}),
        ({"bass": np.zeros(0, np.float32)}, {}),
        ({"other": drums(SIZE)}, {}),
    ],
    ids=["not really there", "voice alone", "silence", "nothing", "drums in the wrong stem"],
)
def test_without_harmony_there_is_no_key(tmp_path: Path, parts: dict[str, Samples], present: dict[str, bool]) -> None:
    found = heard(tmp_path, parts, present)
    assert found.harmony_key is None
    assert found.harmony_key_confidence is None
    assert not found.harmony_chances.any()
