"""Stems: the mix taken apart into voices and instruments, kept beside the record, and how much of each there is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from processor.analysis.loudness import GATING_HOP, MOMENTARY, Meter, integrated_lufs
from processor.audio import Audio
from processor.files import hash_file, replacing
from processor.graph import analyser
from processor.models.separation import Separator, Sound, apart
from processor.quantities import quantity
from processor.sidecars import SUBTYPE, Sidecars, check_whole, full_disk_told

FOLDER = "stems"
HOP_S = 0.1
FLOOR_DB = -120.0
SILENCE_DB = -60.0  # below it nothing can be heard at any volume that one would listen at
HEARD_DB = -20.0  # a stem that far below the mix is masked by it
# A stem is there if it comes this near to the mix for this long in all. Measured on HTDemucs' stems of 27 pieces of
# which is known what plays: the faintest instrument that is there (brushes in a bluegrass band) comes within 22 dB for
# 3 s, the loudest leak (into the vocals of an orchestra) within 39. What a model takes for another instrument, such as
# a synthesiser for a voice, is as loud as the real one; no level tells it.
THERE_DB = -30.0
THERE_S = 3.0
THERE_SHARE = 0.05  # of a piece that is shorter than a minute
_SMALLEST_ERROR = 1e-15  # of float32's rounding

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Stems:
    """The stems of a mix, each of its rate and length, and what is in them."""

    model: str = quantity("", label="Separated by", source="the model that was used", help="What took the mix apart.")
    names: tuple[str, ...] = quantity(
        "", label="Stems", source="the model's sources", help="What the mix was taken apart into."
    )
    present: tuple[bool, ...] = quantity(
        "",
        label="Really there",
        source="level that is reached for 3 s (or 5 % of the time), over −30 dB of the mix",
        help="Whether a stem holds its instrument at all; a model puts a little into every stem.",
    )
    level_lufs: tuple[float | None, ...] = quantity(
        "LUFS",
        label="Stem loudness",
        source="ITU-R BS.1770-4, annex 1",
        help="How loud each stem is by itself.",
        low=-70,
        high=20,
    )
    energy_share: tuple[float, ...] = quantity(
        "",
        label="Share of the energy",
        source="energy of a stem over that of all stems",
        help="How much of the energy is in each stem.",
        low=0,
        high=1,
        digits=3,
    )
    active_share: tuple[float, ...] = quantity(
        "",
        label="Share of the time",
        source="0.1 s in which a stem is less than 20 dB below the mix, over all that are not silent",
        help="How much of the time each stem can be heard.",
        low=0,
        high=1,
        digits=2,
    )
    sum_error_db: float | None = quantity(
        "dB",
        label="Sum of stems against the mix",
        source="energy of the mix minus all stems, over that of the mix",
        help="What is lost or added when the stems are played together; −30 cannot be heard in music.",
        high=60,
    )
    clipped_stem_samples: int = quantity(
        "samples",
        label="Clipped stem samples",
        source="samples beyond full scale, which FLAC cannot hold",
        help="A loud mix can have stems that are louder than a file may be; they stand at full scale.",
        low=0,
        digits=0,
    )
    sample_rate: int = quantity(
        "Hz", label="Sample rate of the stems", source="the file", help="As that of the file.", low=1, digits=0
    )
    hop_s: float = quantity("s", label="Stem level step", source="0.1 s", help="Time between two levels.", digits=2)
    files: tuple[str, ...] = quantity(
        "", label="Stem files", source="FLAC, 24 bits", help="Where the stems are, below the track's folder."
    )
    file_sha256: tuple[str, ...] = quantity(
        "", label="Hashes of the stem files", source="SHA-256", help="What each file's bytes must add up to."
    )
    levels_db: NDArray[np.float64] = quantity(
        "dB",
        label="Stem levels over time",
        source="RMS of all channels, full scale 1.0, each 0.1 s; not below −120",
        help="How loud each stem is at each moment; a row is a stem.",
        low=FLOOR_DB,
    )


@analyser(version=1, model="separator")
def stems(audio: Audio, separator: Separator, sidecars: Sidecars, progress: Callable[[float], None]) -> Stems:
    """Take the mix apart, write the stems beside the record, and measure them.

    Source: `processor.models.separation`; levels after ITU-R BS.1770-4; presence as in `is_there`.
    """
    names = separator.sources
    files = tuple(f"{FOLDER}/{name}.flac" for name in names) if audio.frames else ()
    measured = write(audio, separator, [sidecars.folder / file for file in files], progress=progress)
    levels = measured.levels_db()
    return Stems(
        model=separator.name,
        names=names,
        present=measured.present(),
        level_lufs=measured.lufs(),
        energy_share=measured.shares(),
        active_share=tuple(_share_of_time(row, levels[0]) for row in levels[1:]),
        sum_error_db=measured.sum_error_db(),
        clipped_stem_samples=measured.clipped_stem_samples,
        sample_rate=audio.sample_rate,
        hop_s=HOP_S,
        files=files,
        file_sha256=tuple(hash_file(sidecars.folder / file) for file in files),
        levels_db=levels[1:],
    )


@dataclass(frozen=True)
class Coding:
    """How stems are written: the file's suffix, and libsndfile's names for its kind and its samples."""

    suffix: str
    kind: str
    samples: str


FLAC = Coding(".flac", "FLAC", SUBTYPE)
WAV = Coding(".wav", "WAV", "FLOAT")
_LARGE_WAV = Coding(".wav", "RF64", "FLOAT")  # what a WAV file of more than 4 GB is called


def write(
    audio: Audio,
    separator: Separator,
    paths: Sequence[Path],
    *,
    coding: Coding = FLAC,
    progress: Callable[[float], None] = lambda share: None,
) -> Measured:
    """Take a mix apart into one file for each of the model's sources: all whole, or none.

    Args:
        audio: the mix; a stream is never held whole.
        separator: the model.
        paths: where the stems go, in the order of the model's sources; none where there is not one sample.
        coding: how they are written.
        progress: told of the share that is done, 0 to 1.

    Raises:
        OSError: a file cannot be written.
    """
    measured = Measured(audio, len(separator.sources))
    if not paths:
        return measured
    with _opened(paths, audio, coding) as sinks:
        for mix, parts in apart(audio, separator, progress):
            measured.feed(mix, parts)
            measured.clipped_stem_samples += sum(sink.write(part) for sink, part in zip(sinks, parts, strict=True))
    return measured


@dataclass(frozen=True)
class _Sink:
    """A stem's file that is being written."""

    file: soundfile.SoundFile
    keeps_peaks: bool

    def write(self, part: Sound) -> int:
        """Write `(channels, n)`; how many samples were beyond full scale, and stand there now."""
        self.file.write(np.ascontiguousarray(part.T))
        return 0 if self.keeps_peaks else int(np.count_nonzero(np.abs(part) > 1.0))


@contextmanager
def _opened(paths: Sequence[Path], audio: Audio, coding: Coding) -> Iterator[list[_Sink]]:
    """Sound files of the rate and the channels that stems of `audio` have, to write at once."""
    channels = min(audio.channels, 2)
    if coding is WAV and 4 * channels * audio.frames >= 1 << 32:
        coding = _LARGE_WAV
    with ExitStack() as files, full_disk_told(paths[0].parent):
        # Two stacks: each file must be closed before it takes its place.
        temporaries = [files.enter_context(replacing(path)) for path in paths]
        with ExitStack() as opened:
            yield [
                _Sink(opened.enter_context(_sound_file(path, audio, coding)), coding is not FLAC)
                for path in temporaries
            ]
        for path in temporaries:
            check_whole(path, audio.frames)


def _sound_file(path: Path, audio: Audio, coding: Coding) -> soundfile.SoundFile:
    channels = min(audio.channels, 2)
    return soundfile.SoundFile(path, "w", audio.sample_rate, channels, subtype=coding.samples, format=coding.kind)


class Measured:
    """What there is to say of a mix and its stems, taken block by block; every block but the last is 10 s long.

    Attributes:
        clipped_stem_samples: how many stand at full scale in the files and were beyond it.
    """

    def __init__(self, audio: Audio, count: int) -> None:
        self.clipped_stem_samples = 0
        self._rate = audio.sample_rate
        positions = ("FC",) if audio.channels == 1 else ("FL", "FR")
        self._meters = [Meter(audio.sample_rate, positions) for _ in range(count)]
        self._energies = np.zeros(count)
        self._mix_energy = self._error_energy = 0.0
        self._powers: list[Vector] = [np.zeros((1 + count, 0))]

    def feed(self, mix: Sound, parts: Sound) -> None:
        """Take the next block of the mix `(channels, n)` and of its stems `(count, channels, n)`."""
        error = mix - parts.sum(axis=0)
        self._error_energy += float(np.square(error, dtype=np.float64).sum())
        self._mix_energy += float(np.square(mix, dtype=np.float64).sum())
        self._powers.append(np.stack([self._power(row) for row in (mix, *parts)]))
        for number, (meter, part) in enumerate(zip(self._meters, parts, strict=True)):
            self._energies[number] += float(np.square(part, dtype=np.float64).sum())
            meter.feed(np.ascontiguousarray(part))

    def _power(self, part: Sound) -> Vector:
        """Mean power of each 0.1 s of a block, which begins with one."""
        squares = np.square(part, dtype=np.float64).mean(axis=0)
        edges = -(-np.arange(-(-squares.size * 10 // self._rate)) * self._rate // 10)
        return np.asarray(np.add.reduceat(squares, edges) / np.diff(edges, append=squares.size))

    def levels_db(self) -> Vector:
        """RMS of each 0.1 s, `(1 + count, m)`: the mix, then the stems."""
        powers = np.concatenate(self._powers, axis=1)
        return np.asarray(10 * np.log10(np.maximum(powers, 10 ** (FLOOR_DB / 10))))

    def present(self) -> tuple[bool, ...]:
        """Which stems are really there."""
        mix_db, *stems_db = self.levels_db()
        return tuple(is_there(row, mix_db) for row in stems_db)

    def lufs(self) -> tuple[float | None, ...]:
        """Loudness of each stem; None where it is silent or too short."""
        return tuple(integrated_lufs(meter.window_powers(MOMENTARY)[::GATING_HOP]) for meter in self._meters)

    def shares(self) -> tuple[float, ...]:
        """What each stem has of the energy of all of them; nothing where all are silent."""
        total = self._energies.sum()
        return tuple(float(energy / total) if total else 0.0 for energy in self._energies)

    def sum_error_db(self) -> float | None:
        """Energy of what the stems' sum does not have of the mix, or has too much; None for silence."""
        if self._mix_energy <= 0:
            return None
        return float(10 * np.log10(max(self._error_energy / self._mix_energy, _SMALLEST_ERROR)))


def is_there(stem_db: Vector, mix_db: Vector) -> bool:
    """Whether a stem holds an instrument, or only what a model leaves in every stem.

    Args:
        stem_db: its level each 0.1 s.
        mix_db: that of the mix.
    """
    sounding = mix_db > SILENCE_DB
    count = int(sounding.sum())
    if not count:
        return False
    enough = min(round(THERE_S / HOP_S), math.ceil(THERE_SHARE * count))
    reached = float(np.sort(stem_db[sounding])[-enough])
    loud = float(np.percentile(mix_db[sounding], 100 * (1 - THERE_SHARE)))
    return reached > max(loud + THERE_DB, SILENCE_DB)


def _share_of_time(stem_db: Vector, mix_db: Vector) -> float:
    """Share of the time in which a stem can be heard, of that in which the mix can."""
    sounding = mix_db > SILENCE_DB
    heard = (stem_db > mix_db + HEARD_DB) & (stem_db > SILENCE_DB)
    return float((heard & sounding).sum() / sounding.sum()) if sounding.any() else 0.0
