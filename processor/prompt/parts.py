"""The parts of a track as a prompt follows them: the measured sections, without scraps, each with its means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.analysis.frames import TOP, Frames
from processor.analysis.loudness import Loudness
from processor.analysis.production import Production
from processor.analysis.sections import SILENCE, Sections
from processor.analysis.stems import Stems
from processor.analysis.transients import Transients
from processor.analysis.vocals import Vocals
from processor.audio import Source
from processor.record import Results

Vector = NDArray[np.float64]

# Generators skip tags that come too fast, and get lost in too many.
SHORTEST_S, MOST_PARTS = 5.0, 14
# Neighbours that are the same music at the same level are one part.
SAME_LEVEL_LU = 1.5
# What it costs to join different music, in LU of difference.
OTHER_MUSIC_LU = 3.0
# Value i of a curve by seconds is of the 3 s that begin at second i.
WINDOW_S = 3.0
# A slope is that between the first and last third, which have to be longer than the window.
SLOPED_S = 12.0
# A stem plays where it is within this of its own loud moments (their 95th percentile).
PLAYING_DB, LOUD_PERCENTILE = 25.0, 95.0
SILENT_DB = -60.0
LEAST_PER_S = 0.05  # onsets; logarithms need a floor


@dataclass(frozen=True)
class Part:
    """One part of a track.

    Attributes:
        role: "verse", "chorus" … as the sections have it.
        letter: the same letter is the same music.
        start_s: where it begins.
        end_s: where it ends.
        level_lufs: mean of its short-term loudness; None where nothing is heard.
        slope_lu: its last third over its first; None where it is short.
        means: trait → its mean over the part, where there is one.
        playing: stem → share of the part in which it plays.
        late: stems that play in its second half and not in its first.
        voice: share of the part with a voice; None where nobody listened for one.
        fore: tag → share of the part in which it is among those that are heard most.
    """

    role: str
    letter: str
    start_s: float
    end_s: float
    level_lufs: float | None
    slope_lu: float | None
    means: Mapping[str, float]
    playing: Mapping[str, float]
    late: tuple[str, ...]
    voice: float | None
    fore: Mapping[str, float]

    @property
    def length_s(self) -> float:
        """How long it lasts."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class _Span:
    role: str
    letter: str
    start_s: float
    end_s: float


def parts_of(results: Results) -> tuple[Part, ...]:
    """The parts of a track from its beginning to its end; none where nothing says how long it is."""
    heard = _Heard(
        _levels(results), _curves(results), _onsets_s(results), _stems(results), _voice(results), _tags(results)
    )
    return tuple(_part(span, heard) for span in _joined(_spans(results), heard.levels))


def mean_over(parts: tuple[Part, ...], trait: str) -> float | None:
    """Mean of a trait over all parts that have it, weighted by their length."""
    found = [(part.means[trait], part.length_s) for part in parts if trait in part.means]
    return sum(value * length for value, length in found) / sum(length for _, length in found) if found else None


def arc(results: Results, count: int) -> tuple[float, ...]:
    """Loudness in as many equal stretches of the sounding time, in LU over their mean; empty where it is too short."""
    levels = _levels(results)
    heard = np.flatnonzero(np.isfinite(levels))
    if heard.size < count:
        return ()
    edges = np.linspace(heard[0], heard[-1] + 1, count + 1)
    found = np.array([_level(levels[int(a) : max(int(b), int(a) + 1)]) for a, b in pairwise(edges)], np.float64)
    found = np.where(np.isfinite(found), found, np.nanmin(found))
    return tuple(float(value) for value in np.round(found - found.mean(), 1) + 0.0)


# Curves


def _levels(results: Results) -> Vector:
    loudness: Loudness | None = results.get("loudness")
    return np.empty(0) if loudness is None else loudness.short_term_lufs.ravel()


def _curves(results: Results) -> dict[str, Vector]:
    """Trait → its curve by seconds."""
    production: Production | None = results.get("production")
    found = {}
    if production is not None:
        found = {
            "density": production.density_by_second,
            "width": production.width_by_second,
            "warmth": production.warmth_by_second,
            "saturation": production.saturation_by_second_db,
        }
    found = {name: curve.ravel() for name, curve in found.items()}
    frames: Frames | None = results.get("frames")
    if frames is not None and frames.brightness_hz.size:
        found["brightness"] = frames.brightness_hz.ravel()[1:]  # value i is now of the middle of the others' 3 s
    return found


def _onsets_s(results: Results) -> Vector | None:
    transients: Transients | None = results.get("transients")
    return None if transients is None else transients.onsets_s.ravel()


def _voice(results: Results) -> Vector | None:
    """Presence of a voice, once a second."""
    vocals: Vocals | None = results.get("vocals")
    return None if vocals is None or vocals.present is None else np.asarray(vocals.presence, np.float64).ravel()


def _tags(results: Results) -> dict[str, NDArray[np.bool_]]:
    """Tag → the seconds in which it is among those that are heard most."""
    frames: Frames | None = results.get("frames")
    if frames is None or not frames.tag_names or frames.top_tags.size % TOP:
        return {}
    top = frames.top_tags.reshape(-1, TOP)
    return {name: (top == number).any(axis=1) for number, name in enumerate(frames.tag_names)}


@dataclass(frozen=True)
class _Stem:
    name: str
    plays: NDArray[np.bool_]
    hop_s: float


def _stems(results: Results) -> tuple[_Stem, ...]:
    """When each stem plays, for those that are really there."""
    stems: Stems | None = results.get("stems")
    if stems is None or stems.levels_db.ndim != 2:
        return ()
    found = []
    for name, is_there, levels in zip(stems.names, stems.present, stems.levels_db, strict=False):
        loud = float(np.nanpercentile(levels, LOUD_PERCENTILE)) if levels.size else SILENT_DB
        if is_there and loud > SILENT_DB:
            found.append(_Stem(name, levels > max(loud - PLAYING_DB, SILENT_DB), float(stems.hop_s)))
    return tuple(found)


# Sections to parts


def _spans(results: Results) -> list[_Span]:
    """The sections without silence; one for the whole where there are none."""
    sections: Sections | None = results.get("sections")
    if sections is not None and 0 < len(sections.labels) == len(sections.roles) == len(sections.intervals_s):
        rows = zip(sections.roles, sections.labels, sections.intervals_s.tolist(), strict=True)
        found = [_Span(role, letter, a, b) for role, letter, (a, b) in rows if letter != SILENCE]
        if found:
            return found
    source: Source | None = results.get("source")
    return [] if source is None or not source.duration_s else [_Span("section", "A", 0.0, source.duration_s)]


def _joined(spans: list[_Span], levels: Vector) -> list[_Span]:
    """Spans without scraps and not too many; what is joined has the name of its longer half."""
    while len(spans) > 1:
        costs = [_cost(a, b, levels) for a, b in pairwise(spans)]
        short = [k for k, (a, b) in enumerate(pairwise(spans)) if min(_length(a), _length(b)) < SHORTEST_S]
        same = [k for k, (a, b) in enumerate(pairwise(spans)) if _is_same(a, b) and costs[k] < SAME_LEVEL_LU]
        candidates = same or short or (range(len(costs)) if len(spans) > MOST_PARTS else [])
        if not candidates:
            break
        at = min(candidates, key=lambda k: costs[k])
        first, second = spans[at : at + 2]
        longer = max(first, second, key=_length)
        spans = [*spans[:at], _Span(longer.role, longer.letter, first.start_s, second.end_s), *spans[at + 2 :]]
    return spans


def _length(span: _Span) -> float:
    return span.end_s - span.start_s


def _is_same(a: _Span, b: _Span) -> bool:
    return (a.role, a.letter) == (b.role, b.letter)


def _cost(a: _Span, b: _Span, levels: Vector) -> float:
    first, second = (_level(_within(levels, one.start_s, one.end_s)) for one in (a, b))
    apart = 0.0 if first is None or second is None else abs(first - second)
    return apart + (0.0 if a.letter == b.letter else OTHER_MUSIC_LU)


def _within(curve: Vector, start_s: float, end_s: float) -> Vector:
    """The values whose windows lie in a passage, by their middles."""
    middle = WINDOW_S / 2
    first, last = (int(np.ceil(max(0.0, edge - middle))) for edge in (start_s, end_s))
    return curve[first : max(last, first + 1)]


def _level(levels: Vector) -> float | None:
    """Mean power of levels, as a level; None where there is none."""
    heard = levels[np.isfinite(levels)]
    return float(10 * np.log10(np.mean(10 ** (heard / 10)))) if heard.size else None


@dataclass(frozen=True)
class _Heard:
    """All curves that parts are measured by."""

    levels: Vector
    curves: Mapping[str, Vector]
    onsets_s: Vector | None
    stems: tuple[_Stem, ...]
    voice: Vector | None
    tags: Mapping[str, NDArray[np.bool_]]


def _part(span: _Span, heard: _Heard) -> Part:
    start, end, levels, voice = span.start_s, span.end_s, heard.levels, heard.voice
    cuts = {name: _within(curve, start, end) for name, curve in heard.curves.items()}
    means = {name: float(np.nanmean(cut)) for name, cut in cuts.items() if _has_any(cut)}
    if heard.onsets_s is not None:
        inside = (heard.onsets_s >= start) & (heard.onsets_s < end)
        means["onsets"] = max(LEAST_PER_S, float(inside.sum()) / (end - start))
    halves = {one.name: _halves(one, start, end) for one in heard.stems}
    seconds = slice(int(start), max(int(np.ceil(end)), int(start) + 1))
    sung = None if voice is None else voice[seconds]
    return Part(
        span.role,
        span.letter,
        start,
        end,
        _level(_within(levels, start, end)),
        _slope(levels, start, end),
        means,
        {name: (a + b) / 2 for name, (a, b) in halves.items()},
        tuple(name for name, (a, b) in halves.items() if a < 0.2 and b > 0.5),
        float(np.nanmean(sung)) if sung is not None and _has_any(sung) else None,
        {name: float(is_top[seconds].mean()) for name, is_top in heard.tags.items() if is_top[seconds].size},
    )


def _has_any(values: NDArray[Any]) -> bool:
    return bool(np.isfinite(values).any())


def _slope(levels: Vector, start_s: float, end_s: float) -> float | None:
    if end_s - start_s < SLOPED_S:
        return None
    third = (end_s - start_s) / 3
    first, last = (_level(_within(levels, *edges)) for edges in ((start_s, start_s + third), (end_s - third, end_s)))
    return None if first is None or last is None else last - first


def _halves(stem: _Stem, start_s: float, end_s: float) -> tuple[float, float]:
    """Share of each half of a passage in which a stem plays."""
    edges = [round(edge / stem.hop_s) for edge in (start_s, (start_s + end_s) / 2, end_s)]
    first, second = (stem.plays[a : max(b, a + 1)] for a, b in pairwise(edges))
    return (float(first.mean()) if first.size else 0.0, float(second.mean()) if second.size else 0.0)
