"""Whether stems of one song score above mismatched ones: `python -m tests.accuracy.mashability MANIFEST`.

From the true stems that the manifest names: the lead (vocals, melody or lead guitar) is the voice, the sum of all other
stems is the backing. The voice is scored from its own stem alone and the backing from its own stems alone, so nothing
of the one can be heard in the other; only the beats are those of the mix. Each phrase of eight bars in which the lead
plays is a case: over the same bars of its own song it should score above the same phrase

- over the phrases of other songs, bar on bar, in the keys that they have (as Huang et al. 2021 pair stems at random),
- over the phrases of other songs as they are, neither tempo nor beats brought together: from the first downbeat on,
- over the phrases of other songs, at the best of all shifts that are allowed,
- over its own bars, but shifted, late, or played too fast.

The number is the area under the ROC curve: how often it does. Chance is 0.5. No cost of a shift or of a change of tempo
is in the scores.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.analysis.bands import bands
from processor.analysis.beats import Beats, beats
from processor.analysis.chroma import chroma
from processor.analysis.mel import mel
from processor.analysis.mono import mono
from processor.analysis.onsets import onsets
from processor.analysis.phrases import Grid, Sound, bar_grid, described
from processor.audio import Audio, decode, from_samples
from processor.mashup import fits
from processor.mashup._pairs import SHIFTS, Products, scored
from processor.mashup._phrases import Rows, Track, backing_rows, key_points, read, voice_rows

Samples = NDArray[np.float32]
Vector = NDArray[np.float64]

LEADS = ("vocals", "melody", "lead_guitar", "leadguitar")
# The lead plays in a bar that is no farther below the loud ones of its own.
PLAYS_DB = -20.0
WIDE = (-6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6)
LATE_BEATS = (0.25, 0.5, 1.0, 4.0)
FAST = (1.03, 1.06, 1.12)
MEASURES = ("all", "harmonic", "rhythmic", "room", "energy")
Cases = Mapping[str, Vector]


@dataclass(frozen=True)
class Song:
    """Two layers of a song and its bars."""

    name: str
    voice: Sound
    backing: Sound
    beats: Beats
    grid: Grid


def stems_of(entry: Mapping[str, Any]) -> tuple[str, list[str]] | None:
    """Files of the lead and of all other stems; None where one of the two is missing."""
    stems: Mapping[str, str] = entry.get("truth", {}).get("stems") or {}
    leads = [file for name, file in stems.items() if name.replace(" ", "_") in LEADS]
    others = [file for name, file in stems.items() if name.replace(" ", "_") not in LEADS]
    return (leads[0], others) if leads and others else None


def songs(manifest: Path) -> Iterable[Song]:
    """Listen to all songs that have such stems and a beat."""
    content = json.loads(manifest.read_text(encoding="utf-8"))
    for entry in content["items"] if isinstance(content, dict) else content:
        files = stems_of(entry)
        if files is None:
            continue
        mix = hear(decode(manifest.parent / entry["file"]))
        found = beats(mix.onsets, mix.chroma, {})
        grid = bar_grid(found, mix.chroma.duration_s)
        if grid is not None:
            parts = [decode(manifest.parent / file) for file in files[1]]
            voice = decode(manifest.parent / files[0])
            yield Song(str(entry["id"]), hear(voice), hear(added(parts)), found, grid)


def added(parts: Sequence[Audio]) -> Audio:
    """The sum of sounds of one rate, in stereo."""
    frames = min(part.frames for part in parts)
    rows = [np.broadcast_to(part.samples[:2, :frames], (2, frames)) for part in parts]
    return from_samples(np.sum(rows, axis=0, dtype=np.float32), parts[0].sample_rate)


def hear(audio: Audio) -> Sound:
    """What is heard of a layer."""
    folded = mono(audio)
    return Sound(chroma(folded), onsets(mel(folded)), bands(audio))


def track(song: Song, grid: Grid | None = None, backing: Song | None = None) -> Track:
    """A song as the library would have it; its voice by another grid than its backing, where one is given."""
    own = described(song.grid, (backing or song).backing, song.voice, np.ones(song.grid.bars))
    if grid is not None:
        bars = min(song.grid.bars, grid.bars)
        moved = described(cut(grid, bars), song.backing, song.voice, np.ones(bars))
        own = described(cut(song.grid, bars), song.backing, song.voice, np.ones(bars))
        voice = ("voice_pitches", "voice_accents", "voice_bands_db", "voice_levels_db")
        own = replace(own, **{name: getattr(moved, name) for name in voice})
    sung = (np.asarray(own.voice_levels_db, np.float64) > PLAYS_DB).astype(np.float16)
    return read(song.name, {"phrases": replace(own, sung=sung), "beats": song.beats})


def cut(grid: Grid, bars: int) -> Grid:
    """The first bars of a grid."""
    return Grid(grid.beats_s[: bars * grid.metre + 1], grid.metre)


def moved(grid: Grid, late_beats: float = 0.0, fast: float = 1.0) -> Grid:
    """A grid by which a voice comes late, or is played too fast from the first downbeat on."""
    beat = float(np.median(np.diff(grid.beats_s)))
    times = grid.beats_s[0] + (grid.beats_s - grid.beats_s[0]) * fast - late_beats * beat
    return Grid(np.maximum(times, np.arange(times.size) * 1e-3), grid.metre)


def compared(voice: Track, rows: Rows, other: Track, shifts: Sequence[int]) -> dict[str, Vector]:
    """Measure → score of each phrase of the voice at each shift over each phrase of a backing, `(p, shifts, q)`."""
    products = Products.of(rows, backing_rows(other), shifts)
    keys = fits.KEY_WEIGHT * fits.keys_at(key_points(voice)[0], key_points(other)[1], np.array(shifts))
    shape = products.related.shape
    found = {"all": products.scores(keys.astype(np.float32)), "harmonic": products.related + keys[None, :, None]}
    for name in ("rhythmic", "room", "energy"):
        found[name] = np.broadcast_to(getattr(products, name)[:, None], shape)
    return {name: np.asarray(values, np.float64) for name, values in found.items()}


def sung(voice: Track) -> Rows:
    """The phrases of a lead that plays somewhere."""
    rows = voice_rows(voice, 1.0)
    if rows is None:
        raise ValueError(f"the lead of {voice.name} does not play in a single phrase")
    return rows


def on_own_bars(voice: Track, shifts: Sequence[int] = (0,)) -> dict[str, Vector]:
    """Scores of a song's phrases over the bars that they belong to, `(p, shifts)`."""
    rows = sung(voice)
    places = np.searchsorted(backing_rows(voice).first_bar, rows.first_bar)
    return {
        name: values[np.arange(len(places)), :, places] for name, values in compared(voice, rows, voice, shifts).items()
    }


def cases(heard: Sequence[Song]) -> dict[str, list[Cases]]:
    """Kind of pairing → for each song the scores of all its cases."""
    found: dict[str, list[Cases]] = {}
    tracks = [track(song) for song in heard]
    for song, own in zip(heard, tracks, strict=True):
        wide = on_own_bars(own, WIDE)
        keep(found, "own", {name: values[:, WIDE.index(0)] for name, values in wide.items()})
        keep(found, "own, shifted", {name: np.delete(values, WIDE.index(0), 1) for name, values in wide.items()})
        for late in LATE_BEATS:
            keep(found, f"own, {late:g} beats late", on_own_bars(track(song, moved(song.grid, late_beats=late))))
        for fast in FAST:
            keep(
                found, f"own, {100 * fast - 100:.0f} % too fast", on_own_bars(track(song, moved(song.grid, fast=fast)))
            )
        others = [one for one in tracks if one is not own and one.metre == own.metre]
        pairs = [compared(own, sung(own), other, SHIFTS) for other in others]
        keep(found, "others, on the beat", together(pairs, lambda values: values[:, SHIFTS.index(0)]))
        keep(found, "others, best shift", together(pairs, lambda values: values.max(axis=1)))
        keep(found, "others, best shift and place", together(pairs, lambda values: values.max(axis=(1, 2))))
        keep(found, "others, as they are", as_they_are(song, [one for one in heard if one is not song]))
    return found


def together(pairs: Sequence[Cases], chosen: Any) -> Cases:
    """What is chosen of the scores of several pairs, side by side."""
    return {name: np.concatenate([chosen(pair[name]).ravel() for pair in pairs]) for name in MEASURES}


def keep(found: dict[str, list[Cases]], kind: str, scores: Mapping[str, Vector]) -> None:
    """Note the scores of one song."""
    found.setdefault(kind, []).append({name: values.ravel() for name, values in scores.items()})


def as_they_are(song: Song, others: Sequence[Song]) -> Cases:
    """A voice over other songs at its own pace, both from their first downbeats on: heard by the other's bars."""
    pairs = []
    for other in others:
        start = song.grid.beats_s[0] - other.grid.beats_s[0]
        laid = Grid(other.grid.beats_s + start, other.grid.metre)
        end_s = song.voice.chroma.duration_s
        bars = min(other.grid.bars, int(np.searchsorted(laid.beats_s[:: laid.metre], end_s)) - 1)
        if bars < 8 or other.grid.metre != song.grid.metre:
            continue
        one = Song(song.name, song.voice, other.backing, other.beats, cut(other.grid, bars))
        pairs.append(on_own_bars(track(one, cut(laid, bars))))
    return together(pairs, lambda values: values)


def auc(above: Vector, below: Vector) -> float:
    """How often one of the first is above one of the second; equal ones count half."""
    order = np.sort(below)
    under = np.searchsorted(order, above, "left") + np.searchsorted(order, above, "right")
    return float(under.mean() / 2 / below.size) if above.size and below.size else float("nan")


def text(found: Mapping[str, Sequence[Cases]]) -> str:
    """The table: all cases together, and in the last column the mean of what each song has for itself."""
    own = found["own"]
    rows = ["| against | cases | " + " | ".join(MEASURES) + " | all, by song |", "|---|---" + "|---" * 6 + "|"]
    for kind, scores in found.items():
        if kind == "own":
            continue
        shown = [auc(joined(own, name), joined(scores, name)) for name in MEASURES]
        each = np.mean([auc(mine["all"], theirs["all"]) for mine, theirs in zip(own, scores, strict=True)])
        cells = " | ".join(f"{value:.2f}" for value in (*shown, each))
        rows.append(f"| {kind} | {joined(scores, 'all').size} | {cells} |")
    return "\n".join(rows)


def joined(scores: Sequence[Cases], name: str) -> Vector:
    """One measure's scores of all songs."""
    return np.concatenate([one[name] for one in scores])


def by_song(heard: Sequence[Song], found: Mapping[str, Sequence[Cases]]) -> str:
    """What each song has for itself."""
    rows = ["| song | phrases | on the beat | shifted | as they are |", "|---|---|---|---|---|"]
    for number, song in enumerate(heard):
        own = found["own"][number]["all"]
        kinds = ("others, on the beat", "own, shifted", "others, as they are")
        cells = " | ".join(f"{auc(own, found[kind][number]['all']):.2f}" for kind in kinds)
        rows.append(f"| {song.name} | {own.size} | {cells} |")
    return "\n".join(rows)


def as_pairs(heard: Sequence[Song]) -> str:
    """Whole songs, as the library scores them: shift, tempo and place are the best ones, and cost what they cost."""
    tracks = [replace(track(song), has_voice=True) for song in heard]
    twice = [replace(one, name=f"{one.name} ({side})") for side in ("voice", "backing") for one in tracks]
    scores = scored(twice).values[0][: len(tracks), len(tracks) :]
    own, off = np.diag(scores), ~np.eye(len(tracks), dtype=np.bool_)
    within = scores[off & (scores > 0)]
    return (
        f"Whole songs, as the library scores them: {auc(own, scores[off]):.2f} over all {off.sum()} mismatched pairs, "
        f"{auc(own, within):.2f} over the {within.size} whose tempi can be brought together."
    )


def main(words: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser("python -m tests.accuracy.mashability", description=__doc__.partition("\n\n")[2])
    parser.add_argument("manifest", type=Path, help="manifest.json, its files beside it")
    chosen = parser.parse_args(words)
    try:
        heard = list(songs(chosen.manifest))
    except (OSError, ValueError) as error:
        print(f"{chosen.manifest}: {error}", file=sys.stderr)
        return 2
    if len(heard) < 2:
        print("fewer than two songs with a lead stem and others", file=sys.stderr)
        return 2
    found = cases(heard)
    print(f"{len(heard)} songs, {joined(found['own'], 'all').size} phrases\n\n{text(found)}\n")
    print(f"{by_song(heard, found)}\n\n{as_pairs(heard)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
