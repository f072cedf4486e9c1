"""Invented records of a song: a quiet intro, a verse, a loud chorus, a break and an outro."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from processor.analysis.beats import Beats
from processor.analysis.frames import Frames
from processor.analysis.key import Key
from processor.analysis.loudness import Loudness
from processor.analysis.material import Material
from processor.analysis.melody import Melody
from processor.analysis.metadata import Metadata
from processor.analysis.production import Production
from processor.analysis.sections import Sections
from processor.analysis.spectrum import Spectrum
from processor.analysis.stems import Stems
from processor.analysis.stereo import Stereo
from processor.analysis.tags import Tags
from processor.analysis.transients import Transients
from processor.analysis.vocals import Vocals
from processor.audio import Source
from processor.record import Record
from tests.libraries import invented

PARTS_S = np.array([[0.0, 16.0], [16.0, 48.0], [48.0, 80.0], [80.0, 96.0], [96.0, 120.0]])
LETTERS = ("A", "B", "C", "D", "E")
ROLES = ("intro", "verse", "chorus", "section", "outro")
LEVELS_LUFS = (-26.0, -16.0, -10.0, -20.0, -24.0)
DENSITIES = (30.0, 60.0, 95.0, 50.0, 40.0)
RATES = (1.0, 3.0, 6.0, 1.0, 1.0)  # onsets a second
SECONDS = 120
# Not one letter of these may stand in a prompt.
NAMES = ("Zorblatt", "Quuxington", "Fnordia", "Grault")


def by_second(values: tuple[float, ...]) -> np.ndarray[Any, Any]:
    """A curve that has a value for each part; value i is of 3 s from second i."""
    middles = np.arange(SECONDS - 2) + 1.5
    return np.array([values[int(np.searchsorted(PARTS_S[:, 1], at, "right"))] for at in middles])


def onsets_s() -> np.ndarray[Any, Any]:
    """Evenly spaced onsets at each part's rate."""
    spans = zip(PARTS_S.tolist(), RATES, strict=True)
    return np.concatenate([np.arange(start, end, 1 / rate) for (start, end), rate in spans])


def form(intervals_s: np.ndarray[Any, Any], letters: tuple[str, ...], roles: tuple[str, ...]) -> Sections:
    """Sections of these times, letters and roles."""
    sure = (0.3,) * len(letters)
    return replace(
        invented(Sections),
        intervals_s=intervals_s,
        labels=letters,
        roles=roles,
        role_confidences=sure,
        confidence=0.6,
        section_count=len(letters),
    )


def fast_results(**changes: Any) -> dict[str, Any]:
    """What the fast pass finds; `analyser__field=value` replaces one field."""
    flat = np.full(SECONDS - 2, 12.0)
    found: dict[str, Any] = {
        "source": replace(invented(Source), duration_s=float(SECONDS)),
        "metadata": replace(invented(Metadata), title=None, artist=None, album=None, album_artist=None, composer=None),
        "beats": replace(
            invented(Beats),
            tempo_bpm=124.2,
            confidence=0.9,
            candidates=(124.2, 62.1),
            candidate_weights=(0.9, 0.1),
            beats_s=np.arange(0, SECONDS, 60 / 124.2),
            downbeats_s=np.arange(0, SECONDS, 240 / 124.2),
            metre=4,
            downbeat_confidence=0.9,
            tempo_curve_bpm=np.full(10, 124.2),
            stability=1.0,
        ),
        "key": replace(
            invented(Key), name="Bb minor", confidence=0.8, runner_up="Db major", camelot="3A", runner_up_camelot="3B"
        ),
        "sections": form(PARTS_S, LETTERS, ROLES),
        "loudness": replace(
            invented(Loudness), integrated_lufs=-14.0, range_lu=9.0, plr_db=12.0, short_term_lufs=by_second(LEVELS_LUFS)
        ),
        "spectrum": replace(
            invented(Spectrum),
            sub_share=32.0,
            bass_share=30.0,
            low_mids_share=12.0,
            mids_db=-20.0,
            high_mids_db=-24.0,
            air_db=-40.0,
        ),
        "stereo": replace(invented(Stereo), is_mono=False, width=0.3),
        "production": replace(
            invented(Production),
            density=60.0,
            width=12.0,
            decay_s=0.4,
            decays=20,
            saturation_db=0.0,
            warmth_by_second=flat,
            density_by_second=by_second(DENSITIES),
            width_by_second=flat,
            saturation_by_second_db=np.zeros(SECONDS - 2),
        ),
        "transients": replace(
            invented(Transients), onset_rate=3.0, attack_strength_db=6.0, punch_db=15.0, onsets_s=onsets_s()
        ),
        "material": replace(invented(Material), kind="mix", confidence=0.95),
    }
    found["metadata"] = replace(found["metadata"], genre=None, comment=None)
    return _changed(found, changes)


def deep_results(**changes: Any) -> dict[str, Any]:
    """What all of Liner Notes finds: a song that is sung, with drums from the chorus on."""
    frames = 10 * SECONDS
    times = (np.arange(frames) + 0.5) / 10
    loud, silent = np.full(frames, -15.0), np.full(frames, -90.0)
    drums = np.where((times >= 48) & (times < 80), loud, silent)
    voice = np.where((times >= 16) & (times < 80), loud, silent)
    presence = ((np.arange(SECONDS) >= 16) & (np.arange(SECONDS) < 80)).astype(float)
    notes = [(16.0 + k, 16.8 + k, 55.0) for k in range(32)] + [(48.0 + k / 4, 48.15 + k / 4, 64.0) for k in range(128)]
    found = fast_results()
    found |= {
        "stems": replace(
            invented(Stems),
            names=("drums", "bass", "other", "vocals"),
            present=(True, True, True, True),
            hop_s=0.1,
            levels_db=np.stack([drums, loud, loud, voice]),
        ),
        "vocals": replace(
            invented(Vocals), present=True, confidence=0.97, share=0.53, kind="singing", presence=presence
        ),
        "melody": replace(
            invented(Melody), range_semitones=19.0, vibrato_cents=60.0, vibrato_share=0.7, notes=np.array(notes)
        ),
        "frames": replace(
            invented(Frames),
            brightness_hz=np.full(SECONDS, 1500.0),
            tag_names=("synthesizer pad", "banjo"),
            top_tags=np.array([[0.0 if 80 <= second < 96 else np.nan, 1.0, np.nan] for second in range(SECONDS)]),
        ),
        "tags": Tags(
            names=("female vocals", "synthesizer", "synthesizer pad", "techno", "dark", "banjo", "violin", "1980s"),
            categories=("vocal", "instrument", "instrument", "genre", "mood", "instrument", "instrument", "texture"),
            confidences=(0.95, 0.93, 0.9, 0.85, 0.8, 0.6, 0.3, 0.7),
            statuses=("confirmed",) * 5 + ("single", "suppressed", "single"),
            evidence=("",) * 8,
        ),
    }
    return _changed(found, changes)


def _changed(found: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for key, value in changes.items():
        analyser, _, field = key.partition("__")
        found[analyser] = replace(found[analyser], **{field: value})
    return found


def song(results: dict[str, Any] | None = None, name: str = "song.wav") -> Record:
    """A record of these results."""
    return Record("track", "0" * 64, name, fast_results() if results is None else results)
