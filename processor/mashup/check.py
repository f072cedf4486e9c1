"""A render checked by its own sound: heard like any track, and its layers held against what they are made of.

What it came out as is measured from the samples alone; the plan says only where to look and what was wanted. Where
both differ by more than can be heard, that is a deviation, with both numbers. None where nothing can be told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import soxr
from numpy.typing import NDArray

from processor.analysis import all_analysers
from processor.analysis.stem_rhythm import DRUMS
from processor.audio import Audio, decode, downmix_matrix, from_samples
from processor.config import Limits
from processor.graph import run
from processor.mashup import joins
from processor.mashup.balance import band_ratios_db, ratio_lu
from processor.mashup.corrections import corrected as corrected  # what follows from a check
from processor.mashup.corrections import is_better as is_better
from processor.mashup.curves import step_powers
from processor.mashup.deviations import deviations
from processor.mashup.measured import Measured
from processor.mashup.offsets import Heard, Offsets, measure
from processor.mashup.placing import JOIN_S
from processor.mashup.plan import Plan, cut_starts_s, stretch, time_map
from processor.mashup.render import Rendered
from processor.mashup.rises import RATE_HZ, Envelope, attacks, envelope
from processor.mashup.songs import Song
from processor.record import JSON, Results, plain

Vector = NDArray[np.float64]
Curve = NDArray[np.float32]
Samples = NDArray[np.float32]
# For each place of the mashup, the moments of a file that are played there.
Places = list[list[float]]

# What is heard in the mix, as in any track; nothing else is asked of it here.
HEARD = frozenset({"beats", "key", "loudness"})
# Drums with a smaller share of the energy may be what a separator left of nothing; brushes have 1 %.
LEAST_DRUMS = 0.003


@dataclass(frozen=True)
class Examined:
    """A render, measured, and what the numbers rest on.

    Attributes:
        measured: the numbers.
        offsets: beats of the vocals against those of the backing, by beat and by section.
        clicks_s: the joins that click, in the mashup: of the vocals, and of the backing.
    """

    measured: Measured
    offsets: Offsets
    clicks_s: tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class _Side:
    """One song as it is in its files.

    Attributes:
        rises: envelope of all its layers together.
        parts: what each suspicious join is made of, as `joins.clicks` takes it.
    """

    rises: Envelope
    parts: list[list[Samples]]


def check(plan: Plan, rendered: Rendered, songs: tuple[Song, Song], limits: Limits | None = None) -> Measured:
    """Measure a render; what did not come out as planned stands in its `deviations`.

    Args:
        plan: what was rendered.
        rendered: how it sounds.
        songs: what it was rendered from.
        limits: what decoding these may cost.

    Raises:
        AudioError: a sound of the songs cannot be read.
    """
    return examine(plan, rendered, songs, limits).measured


def to_json(measured: Measured) -> dict[str, JSON]:
    """What was measured as JSON values."""
    return plain(measured)


def examine(
    plan: Plan,
    rendered: Rendered,
    songs: tuple[Song, Song],
    limits: Limits | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> Examined:
    """Measure a render, and keep what the numbers rest on; arguments and errors as `check`."""
    limits, rate = limits or Limits(), rendered.sample_rate
    results = run(all_analysers(), from_samples(rendered.samples, rate), only=HEARD).results
    progress(0.3)
    points, backing = _points(rendered.joins_s), rendered.instrumental
    sung, played = (joins.suspects(layer, rate, points) for layer in (rendered.vocals, backing))
    progress(0.4)
    voice = _side(songs[0], limits, _vocal_places(plan, sung), rate)
    under = _side(songs[1], limits, _backing_places(plan, played), rate)
    progress(0.7)
    under_mono = _mono(backing, rate)
    heard = Heard(
        vocals=envelope(_mono(rendered.vocals, rate)),
        vocals_source=voice.rises,
        backing=envelope(under_mono),
        backing_source=under.rises,
        song_attacks=_song_attacks(songs[0], limits),
        backing_attacks=_beaten(rendered, under_mono),
    )
    found = measure(plan, heard)
    clicks = (
        _once(joins.clicks(rendered.vocals, rate, sung, voice.parts), rendered.joins_s),
        _once(joins.clicks(backing, rate, played, under.parts), rendered.joins_s),
    )
    progress(0.9)
    measured = _numbers(results, rendered, backing, found, len({*clicks[0], *clicks[1]}))
    measured = replace(measured, deviations=deviations(plan, measured, found, clicks))
    progress(1.0)
    return Examined(measured, found, clicks)


def _numbers(results: Results, rendered: Rendered, backing: Samples, found: Offsets, clicks: int) -> Measured:
    """All numbers; the deviations are still to come."""
    rate = rendered.sample_rate
    rhythm, tonality, level = results.get("beats"), results.get("key"), results.get("loudness")
    return Measured(
        duration_s=rendered.samples.shape[1] / rate,
        tempo_bpm=getattr(rhythm, "tempo_bpm", None),
        tempo_confidence=getattr(rhythm, "confidence", None),
        key=getattr(tonality, "name", None),
        key_confidence=getattr(tonality, "confidence", None),
        integrated_lufs=getattr(level, "integrated_lufs", None),
        true_peak_dbtp=getattr(level, "true_peak_dbtp", None),
        limiter_db=abs(float(rendered.limiter_db)),
        beat_offset_median_ms=found.median_ms,
        beat_offset_p95_ms=found.p95_ms,
        beat_offset_worst_ms=found.worst_ms,
        beat_offset_from=found.measured_from,
        vocal_to_backing_lu=ratio_lu(step_powers(rendered.vocals, rate), step_powers(backing, rate)),
        band_ratios_db=band_ratios_db(rendered.vocals, backing, rate),
        onset_sharpness_kept=found.sharpness,
        clicks_at_joins=clicks,
        joins=len(rendered.joins_s),
        deviations=(),
    )


# Joins


def _points(joins_s: Sequence[float]) -> list[float]:
    """The middle, the beginning and the end of each join."""
    return [at_s + half for at_s in joins_s for half in (0.0, -JOIN_S / 2, JOIN_S / 2)]


def _once(points_s: Sequence[float], joins_s: Sequence[float]) -> tuple[float, ...]:
    """The joins that some points belong to, each once."""
    return tuple(at for at in joins_s if any(abs(point - at) <= JOIN_S / 2 + 1e-6 for point in points_s))


def _vocal_places(plan: Plan, points_s: Sequence[float]) -> Places:
    """Moments of the vocals' file that are sung around each point of the mashup."""
    maps = [time_map(plan, segment) for segment in plan.segments]
    return [
        [
            float(np.interp(at, target_s, source_s))
            for source_s, target_s in maps
            if target_s[0] - JOIN_S <= at <= target_s[-1] + JOIN_S
        ]
        for at in points_s
    ]


def _backing_places(plan: Plan, points_s: Sequence[float]) -> Places:
    """Moments of the instrumental's files that are played around each point: of two cuts where they meet."""
    ratio = stretch(plan)
    spans = [(start_s, at_s, at_s + (end_s - start_s) * ratio) for start_s, end_s, at_s in cut_starts_s(plan)]
    # One cut goes over into the next a little before the beat.
    reach = 0.1 + JOIN_S
    return [
        [start_s + (at - at_s) / ratio for start_s, at_s, end_s in spans if at_s - reach <= at <= end_s + reach]
        for at in points_s
    ]


# Sounds


def _side(song: Song, limits: Limits, places: Places, sample_rate: int) -> _Side:
    """Read a song's layers one by one, and keep of them what is compared."""
    whole: Curve = np.zeros(0, np.float32)
    parts: list[list[Samples]] = [[] for _ in places]
    for path in song.layers.values():
        audio = decode(path, limits=limits)
        folded = _mono(_stereo(audio), audio.sample_rate)
        size = max(whole.size, folded.size)
        whole = np.pad(whole, (0, size - whole.size)) + np.pad(folded, (0, size - folded.size))
        for found, cut in zip(parts, _cut(audio, places, sample_rate), strict=True):
            found[:] = [before + more for before, more in zip(found, cut, strict=True)] if found else cut
    return _Side(envelope(whole), parts)


def _cut(audio: Audio, places: Places, sample_rate: int) -> Iterator[list[Samples]]:
    """What an audio has around the moments of each place, at another rate."""
    samples = _stereo(audio)
    for moments in places:
        pieces = (joins.around(samples, audio.sample_rate, at) for at in moments)
        yield [_resampled(piece, audio.sample_rate, sample_rate) for piece in pieces]


def _stereo(audio: Audio) -> Samples:
    """Two channels."""
    if audio.channels == 2:
        return audio.samples
    return np.asarray(downmix_matrix(audio.positions) @ audio.samples, np.float32)


def _mono(samples: Samples, sample_rate: int) -> Curve:
    """One channel at 22.05 kHz."""
    folded = samples.mean(axis=0, dtype=np.float32)
    found: Curve = _resampled(folded[None], sample_rate, RATE_HZ)[0]
    return found


def _resampled(samples: Samples, sample_rate: int, wanted: int) -> Samples:
    if sample_rate == wanted or not samples.size:
        return samples
    return np.ascontiguousarray(soxr.resample(samples.T, sample_rate, wanted, quality="MQ").T, np.float32)


def _song_attacks(song: Song, limits: Limits) -> Curve | None:
    """Attacks of the vocals' whole song, or of its drums; None where only its vocals are at hand."""
    if song.beat_file is None or not song.is_whole_song:
        return None
    audio = decode(song.beat_file, limits=limits)
    return attacks(_mono(_stereo(audio), audio.sample_rate))


def _beaten(rendered: Rendered, backing: Curve) -> Curve:
    """Attacks of the rendered drums, as far as they are played; else of the whole backing, of one channel."""
    drums = rendered.backing.get(DRUMS)
    if drums is None:
        return attacks(backing)
    struck = _mono(drums, rendered.sample_rate)
    is_heard = float(np.square(struck).sum()) > LEAST_DRUMS * float(np.square(backing).sum())
    return attacks(struck if is_heard else backing)
