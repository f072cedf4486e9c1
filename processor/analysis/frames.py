"""The track second by second: how loud, how bright, how much of each stem, whether a voice, and what it sounds like.

One row a second is what people can read, and what the table `frames` and the timeline on the page are made of. Loudness
and brightness come from the signal alone; the rest is there once models have heard it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.analysis._fusion_rules import LEAST_ODDS, WEIGHTS
from processor.analysis.bands import LOWEST_HZ, Bands
from processor.analysis.heard import Heard
from processor.analysis.loudness import Loudness
from processor.analysis.stems import Stems
from processor.analysis.tags import CONFIRMED, SINGLE, Tags
from processor.analysis.vocals import Vocals
from processor.graph import analyser
from processor.quantities import quantity

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

STEMS = ("vocals", "drums", "bass", "guitar", "piano", "other")
# Tags of a second: those of the whole track that a listener could point at, as far as they are heard in it.
SHOWN, TOP = ("instrument", "vocal", "genre"), 3
# A stem this far under the others is not heard; level over that, in dB a nat, up to the surest that counts.
UNHEARD_DB, DB_A_NAT, SUREST = -20.0, 8.0, 2.5
WIDTH = 10**0.05 - 10**-0.05  # of a third-octave, of its centre: IEC 61260-1:2014

_SECONDS = "One value a second."


@dataclass(frozen=True)
class Frames:
    """Curves with one value a second, from the first to the one that the track ends in."""

    loudness_lufs: Vector = quantity(
        "LUFS",
        label="Loudness of each second",
        source="EBU Tech 3341, 2.2 (0.4 s), the loudest that begins in it",
        help=f"{_SECONDS} Gaps are silent.",
    )
    brightness_hz: Vector = quantity(
        "Hz",
        label="Brightness of each second",
        source="G. Peeters et al., JASA 130 (2011): mean frequency weighted by amplitude, from third-octaves",
        help=f"{_SECONDS} Centre of the spectrum; gaps are silent.",
        low=0,
        digits=0,
    )
    voice: Vector = quantity(
        "",
        label="Voice in each second",
        source="as the fused voice",
        help=f"{_SECONDS} Share of it with a voice; empty where no model has listened.",
        low=0,
        high=1,
        digits=2,
    )
    stem_names: tuple[str, ...] = quantity(
        "", label="Stems over time", source="the separator", help="What the rows of the stem levels are of."
    )
    stem_levels_db: Matrix = quantity(
        "dB",
        label="Stem levels of each second",
        source="RMS of the stem, full scale 1.0",
        help=f"{_SECONDS} A row is a stem; empty where the track is not taken apart.",
        low=-120,
    )
    tag_names: tuple[str, ...] = quantity(
        "", label="Tags over time", source="the fused tags that stand", help="What the numbers of the top tags mean."
    )
    top_tags: Matrix = quantity(
        "",
        label="Top tags of each second",
        source="stem levels and taggers' scores of that second",
        help=f"{_SECONDS} Up to {TOP} numbers of tags, counted from 0, surest first; gaps where fewer are heard.",
        low=0,
        digits=0,
    )


@analyser(version=1)
def frames(
    loudness: Loudness,
    bands: Bands,
    heard: Heard,
    tags: Tags,
    vocals: Vocals,
    stems: Stems | None = None,
) -> Frames:
    """Put side by side what is known about each second.

    Source: the analysers that it reads; brightness as its field says.
    """
    seconds = int(np.ceil(bands.duration_s - 1e-9))
    levels = {} if stems is None else _levels(stems, seconds)
    names, top = _top_tags(heard, tags, vocals, levels, seconds)
    empty = np.zeros(0)
    return Frames(
        loudness_lufs=_fitted(loudness.momentary_lufs, seconds, np.nan),
        brightness_hz=_brightness(bands, seconds),
        voice=empty if vocals.present is None else _fitted(vocals.presence, seconds, 0.0),
        stem_names=tuple(levels),
        stem_levels_db=np.array(list(levels.values())).reshape(len(levels), seconds),
        tag_names=names,
        top_tags=top,
    )


def rows(frames: Frames) -> Iterator[dict[str, float | int | list[str] | None]]:
    """One row a second, as a table wants it: `second`, the curves by name, and `tags`, surest first."""
    curves = {name: getattr(frames, name) for name in ("loudness_lufs", "brightness_hz", "voice")}
    seconds = frames.brightness_hz.size
    levels = dict(zip(frames.stem_names, frames.stem_levels_db.reshape(len(frames.stem_names), seconds), strict=True))
    curves |= {f"{name}_db": levels.get(name, np.zeros(0)) for name in STEMS}
    top = frames.top_tags.reshape(-1, TOP)
    for second in range(seconds):
        row: dict[str, float | int | list[str] | None] = {"second": second}
        row |= {name: _number(curve, second) for name, curve in curves.items()}
        numbers = top[second] if second < len(top) else np.zeros(0)
        row["tags"] = [frames.tag_names[int(number)] for number in numbers if not np.isnan(number)]
        yield row


def _number(curve: Vector, second: int) -> float | None:
    return float(curve[second]) if second < curve.size and not np.isnan(curve[second]) else None


def _fitted(curve: Vector, seconds: int, fill: float) -> Vector:
    """A curve of as many values as there are seconds."""
    found = np.full(seconds, fill)
    found[: curve.size] = curve[:seconds]
    return found


def _brightness(bands: Bands, seconds: int) -> Vector:
    """Centroid of each second, in Hz; NaN where it is silent."""
    audible = bands.centres_hz >= LOWEST_HZ * 0.99
    powers = _means((bands.band_left + bands.band_right)[:, audible], bands.frame_rate, seconds)
    hz = bands.centres_hz[audible]
    # A band of power P and width b has the amplitude √(P/b) over a width of b.
    weights = np.sqrt(powers * (hz * WIDTH))
    total = weights.sum(axis=1)
    found = np.full(seconds, np.nan)
    is_heard = total > 0
    found[is_heard] = weights[is_heard] @ hz / total[is_heard]
    return found


def _levels(stems: Stems, seconds: int) -> dict[str, Vector]:
    """Level of each stem in each second, in dBFS."""
    powers = 10 ** (np.asarray(stems.levels_db, np.float64) / 10)
    if powers.ndim != 2 or powers.shape[1] == 0:
        return {}
    means = _means(powers.T, 1 / stems.hop_s, seconds)
    return {name: 10 * np.log10(np.maximum(column, 1e-12)) for name, column in zip(stems.names, means.T, strict=False)}


def _means(values: NDArray[np.floating[Any]], rate: float, seconds: int) -> Matrix:
    """Mean of the rows that begin in each second, shape `(seconds, columns)`; 0 behind the last."""
    found = np.zeros((seconds, values.shape[1]))
    edges = np.ceil(np.arange(seconds + 1) * rate - 1e-6).astype(np.int64)
    edges = np.minimum(edges, len(values))
    used = np.flatnonzero(np.diff(edges) > 0)
    if used.size:
        sums = np.add.reduceat(values[: edges[-1]], edges[:-1][used], axis=0, dtype=np.float64)
        found[used] = sums / np.diff(edges)[used, None]
    return found


def _top_tags(
    heard: Heard, tags: Tags, vocals: Vocals, levels: dict[str, Vector], seconds: int
) -> tuple[tuple[str, ...], Matrix]:
    """The tags that stand, and the numbers of those that are surest in each second, shape `(seconds, TOP)`."""
    listed = zip(tags.names, tags.categories, tags.statuses, strict=True)
    names = tuple(name for name, category, status in listed if category in SHOWN and status in (CONFIRMED, SINGLE))
    names = tuple(name for name in names if name != "instrumental")
    if not names:
        return (), np.zeros((0, TOP))
    odds = _odds(heard, names, seconds)
    for number, name in enumerate(names):
        if name == "vocals" and vocals.present:
            odds[:, number] = np.where(_fitted(vocals.presence, seconds, 0.0) >= 0.5, SUREST, LEAST_ODDS)
        elif name in levels:
            mix_db = 10 * np.log10(np.sum([10 ** (level / 10) for level in levels.values()], axis=0))
            over_db = levels[name] - mix_db - UNHEARD_DB
            odds[:, number] = np.clip(over_db / DB_A_NAT, LEAST_ODDS, SUREST)
    order = np.argsort(-odds, axis=1, kind="stable")[:, :TOP]
    top = np.full((seconds, TOP), np.nan)
    top[:, : order.shape[1]] = np.where(np.take_along_axis(odds, order, axis=1) > 0, order, np.nan)
    return names, top


def _odds(heard: Heard, names: tuple[str, ...], seconds: int) -> Matrix:
    """Log-odds of each tag in each second, by all taggers that know it."""
    total, weights = np.zeros((seconds, len(names))), np.zeros(len(names))
    for one in heard.hearings:
        known = tuple(name for name in names if name in one.claims)
        columns = [names.index(name) for name in known]
        total[:, columns] += WEIGHTS[one.source] * one.by_second(known, seconds)
        weights[columns] += WEIGHTS[one.source]
    return np.where(weights > 0, total / np.maximum(weights, 1e-9), LEAST_ODDS)
