"""What planning needs to know of the sounds themselves: levels, spectra, pitches, accents, and where voices breathe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.analysis._tempo import is_same_tempo
from processor.analysis.beats import Beats, beats
from processor.analysis.chroma import Chroma, chroma
from processor.analysis.key import key
from processor.analysis.mel import mel
from processor.analysis.mono import mono
from processor.analysis.onsets import Onsets, onsets
from processor.audio import from_samples
from processor.config import Limits
from processor.mashup.alone import grids_alone
from processor.mashup.grids import LATE_IN_MIX_S, LATE_S, grid_of, plausible, refined
from processor.mashup.layers import FINE, HOP_S, Progress, UnfitLayers, band_levels, decoded, powers_of, summed
from processor.mashup.lines import NO_WORDS, Line, Words, bleed_lufs, lines_of
from processor.mashup.phases import on_the_beat
from processor.mashup.plan import Grid
from processor.mashup.songs import BACKING, VOICES, Song
from processor.record import Results

__all__ = ["HOP_S", "Backing", "Layer", "Line", "UnfitLayers", "Voice", "listen_backing", "listen_voice"]

Vector = NDArray[np.float64]
Curve = NDArray[np.float32]

# What `sections` calls those whose role nothing tells.
UNSURE_KINDS = ("section", "silence", "")
# What is known of other voices in an instrumental that no model has heard.
UNHEARD = "no model has heard it, so that nobody can tell"


@dataclass(frozen=True)
class Layer:
    """The sound of one side, all its layers together.

    Attributes:
        sample_rate: of its files, in Hz.
        duration_s: length.
        power: K-weighted mean square of each `HOP_S`, both channels together as ITU-R BS.1770-4 weighs them; its level
            is −0.691 + 10 log10, in LUFS; shape `(n,)`.
        bands_db: third-octave levels over time, dB re full scale, shape `(n, bands)`, at the same hops.
        centres_hz: middle of each band, shape `(bands,)`.
        onsets: onset strength, shape `(frames,)`.
        chroma: strength of each pitch class, C first, shape `(m, 12)`.
        onset_rate: frames a second of `onsets`.
        chroma_rate: frames a second of `chroma`.
        key: its key; None where it has none.
        grid: its beats; None where no beat can be told.
        grid_confidence: 0 to 1; None without a grid.
        grid_from: what the beats rest on, in words.
        other_grids: what else is possible where only a voice was heard: other beats and bars at the same tempo, the
            likeliest first, then beats at other tempi.
    """

    sample_rate: int
    duration_s: float
    power: Vector
    bands_db: Curve
    centres_hz: Vector
    onsets: Curve
    chroma: Curve
    onset_rate: float
    chroma_rate: float
    key: str | None
    grid: Grid | None
    grid_confidence: float | None
    grid_from: str
    other_grids: tuple[Grid, ...] = ()


@dataclass(frozen=True)
class Voice:
    """The vocals.

    Attributes:
        sound: how they sound.
        lines: what is sung in one breath each, in the order of time, none overlapping another.
        sections: label and role of the song's section that each line lies in ("chorus", or "" where nobody knows).
        bleed_lufs: level of what is left between the lines, by its 95th percentile; None where that is silent.
    """

    sound: Layer
    lines: tuple[Line, ...]
    sections: tuple[str, ...]
    bleed_lufs: float | None


@dataclass(frozen=True)
class Backing:
    """The instrumental.

    Attributes:
        sound: how it sounds.
        sections: start, end and role of each section of the song, in seconds.
        voices_s: where another voice is heard in it, shape `(n, 2)`; empty where there is none or nobody can tell.
        voices_from: what that rests on, in words.
    """

    sound: Layer
    sections: tuple[tuple[float, float, str], ...]
    voices_s: Vector
    voices_from: str


def _nothing(share: float) -> None:
    """Tell nobody."""


def listen_voice(song: Song, limits: Limits | None = None, progress: Progress = _nothing) -> Voice:
    """Listen to the vocals of a song.

    Args:
        song: what is sung, by its layers.
        limits: of decoding.
        progress: told of the share that is done, 0 to 1.

    Raises:
        UnfitLayers: its files do not fit one another, or are too long.
        AudioError: a file cannot be heard.
    """
    limits = limits or Limits()
    heard = _hear(song, limits, progress)
    sound = heard.layer(song, *_beats_of_voice(song, heard, limits))
    grid = sound.grid
    starts = np.asarray(grid.beats_s[grid.first_downbeat :: grid.metre]) if grid else np.zeros(0)
    lines = lines_of(
        heard.fine_power,
        sound.duration_s,
        _words(song.results),
        starts,
        60 / grid.tempo_bpm if grid else 0.0,
    )
    progress(1.0)
    return Voice(sound, lines, _roles(song, lines), bleed_lufs(heard.fine_power, lines))


def listen_backing(song: Song, limits: Limits | None = None, progress: Progress = _nothing) -> Backing:
    """Listen to the instrumental of a song.

    Args:
        song: what is played, by its layers.
        limits: of decoding.
        progress: told of the share that is done, 0 to 1.

    Raises:
        UnfitLayers: its files do not fit one another, or are too long.
        AudioError: a file cannot be heard.
    """
    limits = limits or Limits()
    heard = _hear(song, limits, progress)
    sound = heard.layer(song, *_beats_of_song(song, heard, heard.onsets, _sharp(song, heard, limits)))
    voices_s, voices_from = _voices(song, heard, limits)
    progress(1.0)
    return Backing(sound, _sections(song.results, sound.duration_s), voices_s, voices_from)


# The sound


@dataclass(frozen=True)
class _Heard:
    """All layers of a song together, as the analysers hear them."""

    sample_rate: int
    duration_s: float
    fine_power: Vector
    bands_db: Curve
    centres_hz: Vector
    onsets: Onsets
    chroma: Chroma

    def layer(self, song: Song, grid: Grid | None, confidence: float | None, source: str, others: list[Grid]) -> Layer:
        """What is told of it."""
        return Layer(
            sample_rate=self.sample_rate,
            duration_s=self.duration_s,
            power=self.fine_power.reshape(-1, FINE).mean(axis=1),
            bands_db=self.bands_db,
            centres_hz=self.centres_hz,
            onsets=self.onsets.envelope,
            chroma=self.chroma.values,
            onset_rate=self.onsets.frame_rate,
            chroma_rate=self.chroma.frame_rate,
            key=_key(song.results, self.chroma),
            grid=grid,
            grid_confidence=confidence,
            grid_from=source,
            other_grids=tuple(others),
        )


def _hear(song: Song, limits: Limits, progress: Progress) -> _Heard:
    """Add the layers up and listen to the sum."""
    if not song.layers:
        raise UnfitLayers(f"{song.title} has no sound to play.")
    samples, rate, frames = summed(song, limits, lambda share: progress(0.5 * share))
    fine = powers_of(samples, rate)
    sound = from_samples(samples, rate)
    del samples
    levels, centres = band_levels(sound, fine.size // FINE)
    progress(0.6)
    folded = mono(sound)
    del sound
    heard_onsets = onsets(mel(folded))
    progress(0.7)
    pitches = chroma(folded)
    progress(0.8)
    return _Heard(rate, frames / rate, fine, levels, centres, heard_onsets, pitches)


def _key(results: Results, pitches: Chroma) -> str | None:
    """The song's key, where its record has it; else that of the sound."""
    known = results.get("key")
    name: str | None = known.name if known is not None else key(pitches, {}).name
    return name


# Beats

_Beats = tuple[Grid | None, float | None, str, list[Grid]]


def _beats_of_voice(song: Song, heard: _Heard, limits: Limits) -> _Beats:
    """Beats that the vocals are sung to: the song's, where it is known, else what the voice alone tells."""
    if song.is_whole_song:
        sharp = _sharp(song, heard, limits)
        return _beats_of_song(song, heard, sharp, sharp)
    word = plausible(song.tempo_bpm) or _tagged_tempo(song.results)
    found = grids_alone(heard.onsets, heard.chroma, heard.duration_s, word)
    if not found:
        return None, None, "no pulse is heard in the voice, and nothing else of its song is known", []
    best = found[0]
    return best.grid, best.confidence, best.source, [other.grid for other in found[1:]]


def _beats_of_song(song: Song, heard: _Heard, whole: Onsets, sharp: Onsets) -> _Beats:
    """Beats that are known of the song, else heard in `whole`; put to the onsets of `sharp`."""
    known, word = song.results.get("beats"), plausible(song.tempo_bpm)
    if not _agrees(known, word):
        known = beats(whole, heard.chroma, {"tempo_bpm": word} if word else {})
    grid, confidence, source = grid_of({"beats": known}, heard.duration_s, word)
    if grid is None:
        return None, None, source, []
    late_s = LATE_S if song.beats_are_drums else LATE_IN_MIX_S
    grid = refined(grid, sharp, heard.duration_s, late_s)
    if not song.is_whole_song:
        grid = on_the_beat(grid, heard.onsets, heard.chroma, heard.duration_s)
    return grid, confidence, source, []


def _sharp(song: Song, heard: _Heard, limits: Limits) -> Onsets:
    """The onsets that tell best where beats are: of the drums, else of the whole song."""
    if song.beat_file is None:
        return heard.onsets
    found = onsets(mel(mono(decoded(song.beat_file, limits))))
    return found if found.envelope.any() else heard.onsets


def _agrees(known: object, word: float | None) -> bool:
    """Whether there are beats, at the tempo that a person said."""
    if not isinstance(known, Beats) or known.tempo_bpm is None:
        return False
    return word is None or is_same_tempo(known.tempo_bpm, word)


def _tagged_tempo(results: Results) -> float | None:
    """The tempo that somebody wrote into the file, if it is one."""
    text = getattr(results.get("metadata"), "tagged_tempo", None)
    try:
        tempo = float(str(text).strip().replace(",", "."))
    except ValueError:
        return None
    return tempo if 30.0 <= tempo <= 300.0 else None


# Words and sections


def _words(results: Results) -> Words:
    """Lines of lyrics, where a model heard them."""
    lyrics = results.get("lyrics")
    if lyrics is None:
        return NO_WORDS
    spans = _pairs(lyrics.intervals_s)
    is_sound = spans[:, 1] > spans[:, 0]
    texts = tuple(str(text) for text, good in zip(lyrics.texts, is_sound, strict=False) if good)
    return Words(spans[is_sound][: len(texts)], texts)


def _pairs(values: Any) -> Vector:
    """Starts and ends, `(n, 2)`, from a record that somebody may have edited: what is none comes out as (0, 0)."""
    found = np.asarray(values, np.float64)
    if found.ndim != 2 or found.shape[1] != 2:
        return np.zeros((0, 2))
    return np.where(np.isfinite(found).all(axis=1, keepdims=True), found, 0.0)


def _sections(results: Results, duration_s: float) -> tuple[tuple[float, float, str], ...]:
    """Sections with their roles, "" where nobody can tell the role; none where the form is not known."""
    form = results.get("sections")
    if form is None:
        return ()
    rows = zip(_pairs(form.intervals_s).tolist(), form.roles, strict=False)
    return tuple(
        (start, min(end, duration_s), "" if role in UNSURE_KINDS else role)
        for (start, end), role in rows
        if start < min(end, duration_s)
    )


def _roles(song: Song, lines: tuple[Line, ...]) -> tuple[str, ...]:
    """The role of the section that most of each line lies in; nobody can tell it from a voice alone."""
    form = _sections(song.results, float("inf")) if song.is_whole_song else ()
    found = []
    for line in lines:
        shares = [
            (max(0.0, min(end, line.sounds_to_s) - max(start, line.sounds_from_s)), role) for start, end, role in form
        ]
        share, role = max(shares, key=lambda pair: pair[0], default=(0.0, ""))
        found.append(role if share > 0 else "")
    return tuple(found)


# Other voices


def _voices(song: Song, heard: _Heard, limits: Limits) -> tuple[Vector, str]:
    """Where another voice sings in an instrumental, `(n, 2)` in s, and what that rests on."""
    voices = [name for name in song.layers if name in VOICES or name.startswith(BACKING)]
    if voices:
        return _sung(song, voices, limits), f"level of {', '.join(voices)}"
    if song.is_whole_song:
        return np.zeros((0, 2)), "the separator took the voice out; what it left of it is not counted"
    sung: Any = song.results.get("vocals")
    if sung is None or sung.present is None:
        return np.zeros((0, 2)), UNHEARD
    if not sung.present:
        return np.zeros((0, 2)), "models hear no voice"
    spans = np.clip(_pairs(sung.intervals_s), 0, heard.duration_s)
    return spans[spans[:, 1] > spans[:, 0]], "models hear a voice"


def _sung(song: Song, names: list[str], limits: Limits) -> Vector:
    """Where layers that are voices sound."""
    alone = replace(song, layers={name: song.layers[name] for name in names})
    samples, rate, frames = summed(alone, limits, _nothing)
    lines = lines_of(powers_of(samples, rate), frames / rate)
    return np.array([(line.sounds_from_s, line.sounds_to_s) for line in lines], np.float64).reshape(-1, 2)
