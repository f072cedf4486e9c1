"""Stems as other analysers hear them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from processor.analysis.separated import RATE, Separated, separated
from processor.analysis.stems import stems
from processor.errors import SidecarMissing
from processor.graph import describe
from processor.sidecars import Sidecars
from tests.models.test_separation import Shares
from tests.signals import audio, sine, song


def taken_apart(folder: Path, rate: int = 48_000, channels: int = 2) -> Separated:
    sound = audio(sine(440, 3.0, -6, rate=rate, channels=channels), rate)
    sidecars = Sidecars(folder)
    return separated(stems(sound, Shares(segment_frames=40_000), sidecars, lambda share: None), sidecars)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (22_050, 2), (44_100, 2), (48_000, 1), (96_000, 2)])
def test_a_stem_is_one_channel_at_22_khz(rate: int, channels: int, tmp_path: Path) -> None:
    found = taken_apart(tmp_path, rate, channels).mono("drums")
    assert found is not None
    assert found.dtype == np.float32
    assert abs(found.size - 3 * RATE) <= 1
    expected = 0.375 * sine(440, 3.0, -6, rate=RATE)[0]
    middle = slice(RATE // 2, 5 * RATE // 2)
    assert np.abs(found[middle] - expected[middle]).max() < 2e-3


def test_sides_are_folded_by_their_mean(tmp_path: Path) -> None:
    samples = song(2.0, rate=RATE)
    sidecars = Sidecars(tmp_path)
    made = separated(stems(audio(samples, RATE), Shares(sample_rate=RATE), sidecars, lambda share: None), sidecars)
    found = made.mono("vocals")
    assert found is not None
    assert np.abs(found - 0.5 * samples.mean(axis=0)).max() < 1e-4


def test_a_stem_that_the_model_does_not_make_is_none(tmp_path: Path) -> None:
    assert taken_apart(tmp_path).mono("piano") is None


def test_nothing_is_read_before_it_is_asked_for_and_a_lost_file_is_told(tmp_path: Path) -> None:
    found = taken_apart(tmp_path)
    (tmp_path / "stems" / "vocals.flac").unlink()
    (tmp_path / "stems" / "other.flac").write_bytes(b"fLaC and no more")
    assert found.mono("drums") is not None
    for name in ("vocals", "other"):
        with pytest.raises(SidecarMissing, match=name):
            found.mono(name)


def test_a_sound_without_a_sample_has_no_stems_to_read(tmp_path: Path) -> None:
    sidecars = Sidecars(tmp_path)
    nothing = stems(audio(np.zeros((1, 0), np.float32)), Shares(), sidecars, lambda share: None)
    assert separated(nothing, sidecars).mono("vocals") is None


def test_it_is_handed_out_and_not_kept() -> None:
    one = describe(separated)
    assert (one.keep, one.required, one.takes) == (False, ("stems",), frozenset({"sidecars"}))
