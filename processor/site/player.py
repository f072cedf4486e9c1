"""What a player shows: the outline of a track, coloured by its sound, its sections, and where it is clipped."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from processor.analysis.waveform import HIGH_HZ, LOW_HZ, OUTLINE, SHARE
from processor.record import Record
from processor.site.charts import clock, length_text

if TYPE_CHECKING:
    from processor.site.media import Media

Vector = NDArray[np.float64]

# Colours of the outline, from dark sound to bright. Few, because each is a path of its own.
TINTS = 7
# Power shares of lows, mids and highs in music whose density falls by 4.53 dB an octave (Elowsson & Friberg 2017, mean
# of 12,345 songs), from 40 Hz to 20 kHz: that is f^−1.5, so a band has 2/√low − 2/√high. Sound like this has the
# middle colour; plain shares would paint all music as bass.
_EDGES_HZ = (40.0, LOW_HZ, HIGH_HZ, 20_000.0)
_DENSITY = np.diff([-(hz**-0.5) for hz in _EDGES_HZ])
USUAL_SHARES = _DENSITY / _DENSITY.sum()
# More marks than this are a grey bar to the eye, and bytes to the page.
MAX_MARKS = 400
# Beats of two hours at 140 a minute would weigh as much as all else; in a set that long nobody steps by beats.
MAX_BEATS = 4000
SECTION_COLOURS = 8  # then they come again
MAX_SECTIONS = 200
LETTER_SHARE = 1.0  # percent of the width that a letter takes: 8 pixels of 800
NARROW_SHARE = 4.5  # percent of the width that a letter and its margin take on a telephone
TIME_MARKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600)
MOST_TIME_MARKS = 9


@dataclass(frozen=True)
class Block:
    """One section below the outline.

    Attributes:
        number: 1 for the first.
        start_s: where it begins.
        at: the same in percent of the track.
        share: its length in percent.
        colour: number of its colour: sections of one letter look alike.
        label: its letter; empty where there is no room for it.
        role: what part it plays; empty where that is not known, or where there is no room.
        text: all of it in words.
        is_narrow: whether a telephone has no room for its letter.
    """

    number: int
    start_s: float
    at: float
    share: float
    colour: int
    label: str
    role: str
    text: str
    is_narrow: bool


@dataclass(frozen=True)
class Player:
    """All that the template `_player.html` draws.

    Attributes:
        media: the sound, or None where there is none to play.
        duration_s: length in seconds.
        columns: width of the drawing; its height is 2 * OUTLINE.
        tints: one path for each tint of the outline, empty ones too.
        clips: path of what is clipped.
        downbeats: path of the bars' beginnings.
        summary: the outline in a sentence.
        blocks: sections.
        times: (percent, text) of the time axis.
        beat_steps: distance from beat to beat in hundredths of a second, the first from 0: the keys step by them.
        bar_steps: the same from downbeat to downbeat.
    """

    media: Media | None
    duration_s: float
    columns: int
    tints: tuple[str, ...]
    clips: str
    downbeats: str
    summary: str
    blocks: tuple[Block, ...]
    times: tuple[tuple[float, str], ...]
    beat_steps: str
    bar_steps: str


def player_context(record: Record, media: Media | None) -> Player:
    """Prepare the player of a track; whatever the record lacks is left out."""
    results = record.results
    source, wave, beats = (results.get(name) for name in ("source", "waveform", "beats"))
    duration_s = float(source.duration_s) if source is not None else 0.0
    highest, lowest, tint = _outline(wave)
    columns = highest.size
    downbeats = _inside(getattr(beats, "downbeats_s", None), duration_s)
    clips = getattr(results.get("levels"), "clipped_intervals_s", None)
    return Player(
        media=media,
        duration_s=duration_s,
        columns=columns,
        tints=tuple(_bars(np.flatnonzero(tint == number), highest, lowest) for number in range(TINTS)),
        clips=_clips(clips, duration_s, columns),
        downbeats=_marks(downbeats, duration_s, columns),
        summary=_summary(wave, duration_s),
        blocks=_blocks(results.get("sections"), duration_s),
        times=_times(duration_s),
        beat_steps=_steps(_inside(getattr(beats, "beats_s", None), duration_s)),
        bar_steps=_steps(downbeats),
    )


def _outline(wave: Any) -> tuple[Vector, Vector, NDArray[np.int64]]:
    """Upper and lower outline and the tint of each column; empty where a record has none that fits."""
    curves = [getattr(wave, name, np.zeros(0)) for name in ("highest", "lowest", "low_share", "high_share")]
    if any(curve.ndim != 1 or curve.size != curves[0].size or not np.isfinite(curve).all() for curve in curves):
        return np.zeros(0), np.zeros(0), np.zeros(0, np.int64)
    highest, lowest, low, high = curves
    return highest, lowest, tints_of(low / SHARE, high / SHARE)


def tints_of(low: Vector, high: Vector) -> NDArray[np.int64]:
    """Tint of a sound by its shares of lows and highs: 0 all bass, TINTS − 1 all treble; the middle is usual music."""
    shares = np.stack([low, 1 - low - high, high]) / USUAL_SHARES[:, None]
    balance = (shares[2] - shares[0]) / np.maximum(shares.sum(axis=0), 1e-9)
    tints: NDArray[np.int64] = np.clip((balance + 1) / 2 * TINTS, 0, TINTS - 1).astype(np.int64)
    return tints


def _bars(columns: NDArray[np.int64], highest: Vector, lowest: Vector) -> str:
    """A path with an upright line for each column; where nothing sounds, a dot."""
    top = np.round(OUTLINE - highest[columns]).astype(int)
    length = np.maximum(1, np.round(highest[columns] - lowest[columns]).astype(int))
    return "".join([f"M{x} {y}v{h}" for x, y, h in zip(columns.tolist(), top.tolist(), length.tolist(), strict=True)])


def _clips(intervals_s: Any, duration_s: float, columns: int) -> str:
    """A path of flat lines over the columns in which something is clipped, neighbours joined."""
    if intervals_s is None or np.ndim(intervals_s) != 2 or not columns or duration_s <= 0:
        return ""
    at = np.nan_to_num(np.clip(intervals_s / duration_s, 0, 1)) * columns
    is_clipped = np.zeros(columns + 1, bool)
    for start, end in at.astype(int).tolist():
        is_clipped[start : end + 1] = True
    parts, x = [], 0
    for clipped, run in groupby(is_clipped.tolist()):
        length = len(list(run))
        parts += [f"M{x} 3h{length}"] if clipped else []
        x += length
    return "".join(parts)


def _inside(times_s: Any, duration_s: float) -> Vector:
    """Times within the track, in order."""
    if times_s is None or np.ndim(times_s) != 1:
        return np.zeros(0)
    return np.sort(times_s[(times_s >= 0) & (times_s <= duration_s)])


def _marks(times_s: Vector, duration_s: float, columns: int) -> str:
    """A path of short lines at the foot of the outline."""
    if not 0 < times_s.size <= MAX_MARKS or not columns or duration_s <= 0:
        return ""
    return "".join([f"M{x:g} {2 * OUTLINE - 6}v6" for x in np.round(times_s / duration_s * columns, 1).tolist()])


def _steps(times_s: Vector) -> str:
    """Distances in hundredths of a second, rounded so that they add up."""
    if not 0 < times_s.size <= MAX_BEATS:
        return ""
    return " ".join([str(step) for step in np.diff(np.round(times_s * 100).astype(int), prepend=0).tolist()])


def _summary(wave: Any, duration_s: float) -> str:
    peak = getattr(wave, "waveform_peak_dbfs", None)
    level = "silence" if peak is None else f"highest sample {peak:.1f} dBFS".replace("-", "−")
    return f"Waveform of {length_text(duration_s)}, {level}; coloured from bass to treble."


def _blocks(sections: Any, duration_s: float) -> tuple[Block, ...]:
    """The sections, each with its place in percent."""
    intervals = getattr(sections, "intervals_s", np.zeros((0, 2)))
    labels, roles = getattr(sections, "labels", ()), getattr(sections, "roles", ())
    is_sound = intervals.ndim == 2 and len(intervals) == len(labels) == len(roles) and np.isfinite(intervals).all()
    if not is_sound or not 0 < len(labels) <= MAX_SECTIONS or duration_s <= 0:
        return ()
    numbers: dict[str, int] = {label: k % SECTION_COLOURS for k, label in enumerate(dict.fromkeys(labels))}
    blocks = []
    for number, ((start, end), label, role) in enumerate(zip(intervals.tolist(), labels, roles, strict=True), 1):
        role = "" if role in ("section", label) else role
        words = f"{number}. {label}{f' {role}' if role else ''}, {clock(start)} to {length_text(end)}"
        at, share = (round(100 * s / duration_s, 2) for s in (start, end - start))
        shown = label if share > len(label) * LETTER_SHARE else ""
        role = role if share > (len(label) + len(role) + 3) * LETTER_SHARE else ""
        blocks.append(
            Block(number, round(start, 2), at, share, numbers[label], shown, role, words, share < NARROW_SHARE)
        )
    return tuple(blocks)


def _times(duration_s: float) -> tuple[tuple[float, str], ...]:
    spacing = next((s for s in TIME_MARKS_S if duration_s / s <= MOST_TIME_MARKS), 7200)
    # The last mark would run into the edge.
    return tuple(
        (round(100 * s / duration_s, 2), clock(s)) for s in range(0, int(duration_s * 0.97) + 1, spacing) if duration_s
    )
