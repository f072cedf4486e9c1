"""Spectra and results that lie in or beside a corridor, for tests."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from processor.analysis.spectrum import Spectrum
from processor.config import Settings
from processor.feedback.genres import GENERAL
from processor.feedback.profiles import Profile, all_profiles
from processor.quantities import columns

PROFILES = all_profiles(Settings())
GENERAL_PROFILE = PROFILES[GENERAL]
THIRDS_HZ = 10 ** (np.arange(13, 44) / 10)  # 20 Hz to 20 kHz, as a record has them at 44.1 kHz


def spectrum_of(levels_db: Any, centres_hz: Any = THIRDS_HZ, **fields: Any) -> Spectrum:
    """A spectrum of which only these are known."""
    nothing: dict[str, Any] = {column.name: None for column in columns(Spectrum)}
    curves = {"third_octaves_db": np.asarray(levels_db, float), "centres_hz": np.asarray(centres_hz, float)}
    return Spectrum(**{**nothing, **curves, **fields})


def like(profile: Profile = GENERAL_PROFILE, level_db: float = -30.0, **changes_db: float) -> Spectrum:
    """A spectrum as in the middle of a profile, with changes at third-octaves: `hz_1000=6.0`."""
    levels = np.interp(np.log(THIRDS_HZ), np.log(profile.centres_hz), profile.tone_middle_db) + level_db
    for name, change in changes_db.items():
        levels[np.argmin(np.abs(np.log(THIRDS_HZ / float(name.removeprefix("hz_")))))] += change
    return spectrum_of(levels)


def track(level_db: float = -30.0, lufs: float | None = -10.0, dr: int | None = 8, **changes_db: float) -> Any:
    """The results of a track, as far as profiles look at them."""
    loudness = SimpleNamespace(integrated_lufs=lufs, range_lu=5.0, plr_db=9.0, psr_median_db=10.0)
    return {
        "spectrum": replace(like(level_db=level_db, **changes_db), tilt_db_per_octave=-4.5),
        "loudness": loudness,
        "levels": SimpleNamespace(dr=dr, crest_factor_db=12.0),
        "stereo": SimpleNamespace(width=15.0, correlation=0.6),
    }
