"""What mashups come out as: `python -m tests.accuracy.mashups MANIFEST [--out DIR] [--stems DIR]`.

Vocals and instruments are the true stems that a manifest names, or whole recordings without a voice; which pairs are
made follows from the tempi of the manifest: those that differ by at most 12 %, half and double time included, the
nearest and the farthest of them. `--stems DIR` adds two from separated stems, DIR/<id>/vocals.flac, drums.flac,
bass.flac and other.flac. `--pairs V:I,V:I` names the pairs instead, "~V" for separated stems. Each mashup is made in a
process of its own, so that its memory can be told; `--twice` renders each plan again and compares the samples.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from processor.analysis import all_analysers
from processor.audio import decode
from processor.config import Limits
from processor.errors import LinerNotesError
from processor.files import hash_file
from processor.graph import run
from processor.mashup.deviations import shifted
from processor.mashup.making import RENDERING, Made, make
from processor.mashup.measured import Measured
from processor.mashup.plan import Plan, mashup_beats_s, time_map
from processor.mashup.render import render
from processor.mashup.songs import Song
from processor.mashup.wishes import Wishes
from tests.accuracy import truth
from tests.accuracy.stems import separated_stems, true_stems
from tests.accuracy.truth import Item

VOCALS, INSTRUMENTAL, DRUMS, SEPARATED = "vocals", "instrumental", "drums", "~"
MOST_CHANGE = 0.12
# What no mashup reads takes most of the time.
OFF = ("fingerprint", "waveform", "spectrogram", "character", "translation", "integrity")
COLUMNS = (
    "vocals over instrumental",
    "length of the vocals",
    "shift",
    "tempo planned → heard",
    "key planned → heard",
    "beats apart, median / 95 % (ms)",
    "true beats apart (ms)",
    "vocals over backing planned → measured (LU)",
    "LUFS planned → measured",
    "dBTP",
    "sharpness kept",
    "clicks",
    "render, s a minute",
    "all, s a minute",
    "memory (GB)",
)


@dataclass(frozen=True)
class Job:
    """A mashup to make.

    Attributes:
        name: who sings over whom.
        songs: both.
        true_beats_s: what the manifest says of the beats of each.
        out: folder for the mix; None: it is not kept.
        is_twice: whether to render it again and compare.
    """

    name: str
    songs: tuple[Song, Song]
    true_beats_s: tuple[Any, Any]
    out: Path | None
    is_twice: bool


@dataclass(frozen=True)
class Row:
    """One mashup.

    Attributes:
        name: who sings over whom.
        plan: what was rendered in the end.
        measured: what it came out as.
        render_s: one render.
        all_s: listening, planning, rendering and checking, a second time as well where the plan was mended.
        memory_gb: most memory of its process.
        true_ms: how much later the true beats of the vocals fall than those of the instrumental, median; None where
            the manifest does not know both.
        is_same: whether a second render gave the same samples; None where there was none.
    """

    name: str
    plan: Plan
    measured: Measured
    render_s: float
    all_s: float
    memory_gb: float
    true_ms: float | None
    is_same: bool | None


def main(words: Sequence[str] | None = None) -> int:
    """Print the table; the exit code is 2 for wrong usage."""
    parser = argparse.ArgumentParser("python -m tests.accuracy.mashups", description=__doc__.partition("\n\n")[2])
    parser.add_argument("manifest", type=Path, help="manifest.json, its files beside it")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write each mix there")
    parser.add_argument("--stems", type=Path, metavar="DIR", help="separated stems, in a folder for each id")
    parser.add_argument("--pairs", default="", metavar="V:I,…", help="these and no others")
    parser.add_argument("--count", type=int, default=8, help="how many from true stems")
    parser.add_argument("--twice", action="store_true", help="render each plan again and compare the samples")
    chosen = parser.parse_args(words)
    try:
        items = {one.id: one for one in truth.read(chosen.manifest)}
        true = true_stems(chosen.manifest)
    except (OSError, ValueError) as error:
        print(f"{chosen.manifest}: {error}", file=sys.stderr)
        return 2
    pairs = _named(chosen.pairs) or [*fitting(items, true, chosen.count), *_separated(items, chosen.stems)]
    rows: list[Row] = []
    for voice, backing in pairs:
        try:
            songs = (
                _song(items, true, chosen.stems, voice, VOCALS),
                _song(items, true, chosen.stems, backing, INSTRUMENTAL),
            )
        except (KeyError, OSError, LinerNotesError) as error:
            print(f"{voice}:{backing}: {error!r}", file=sys.stderr)
            continue
        known = (items[voice.lstrip(SEPARATED)].beats_s, items[backing.lstrip(SEPARATED)].beats_s)
        separated = " (separated)" if SEPARATED in voice + backing else ""
        name = f"{songs[0].name} over {songs[1].name}{separated}"
        found = _apart(Job(name, songs, known, chosen.out, chosen.twice))
        if isinstance(found, str):
            print(f"{voice}:{backing}: {found}", flush=True)
            continue
        rows.append(found)
        print(story(found), flush=True)
    print(text(rows))
    return 0


def fitting(items: Mapping[str, Item], true: Mapping[str, Any], count: int) -> list[tuple[str, str]]:
    """Pairs whose tempi fit: of each voice in turn its nearest instrumental, then its farthest, and so on."""
    voices = [name for name, parts in true.items() if len(parts.get(VOCALS, ())) == 1 and items[name].bpm]
    backings = [name for name, parts in true.items() if len(parts) > 1 and items[name].bpm]
    queues = {}
    for voice in voices:
        apart = {one: change(items[voice].bpm, items[one].bpm) for one in backings if one != voice}
        near = sorted(
            (one for one in apart if abs(apart[one]) <= math.log(1 + MOST_CHANGE)), key=lambda n: abs(apart[n])
        )
        queues[voice] = [near.pop(0 if turn % 2 == 0 else -1) for turn in range(len(near))]
    pairs: list[tuple[str, str]] = []
    while len(pairs) < count and any(queues.values()):
        pairs += [(voice, queue.pop(0)) for voice, queue in queues.items() if queue]
    return pairs[:count]


def change(voice_bpm: float | None, backing_bpm: float | None) -> float:
    """Logarithm of the tempo change, half and double time tried; infinite where a tempo is unknown."""
    if not voice_bpm or not backing_bpm:
        return math.inf
    return min((math.log(backing_bpm * k / voice_bpm) for k in (0.5, 1.0, 2.0)), key=abs)


def _named(pairs: str) -> list[tuple[str, str]]:
    return [(one.partition(":")[0], one.partition(":")[2]) for one in pairs.split(",") if ":" in one]


def _separated(items: Mapping[str, Item], stems: Path | None) -> list[tuple[str, str]]:
    """Two pairs of separated songs: each of the first two with a voice over the one that is nearest to it."""
    if stems is None:
        return []
    whole = {one.id for one in items.values() if one.bpm and separated_stems(stems / one.id)}
    found: list[tuple[str, str]] = []
    for voice in sorted(whole):
        others = sorted(whole - {voice}, key=lambda one: abs(change(items[voice].bpm, items[one].bpm)))
        is_near = others and abs(change(items[voice].bpm, items[others[0]].bpm)) <= math.log(1 + MOST_CHANGE)
        if len(found) < 2 and is_near and _is_sung(stems / voice):
            found.append((SEPARATED + voice, SEPARATED + others[0]))
    return found


def _is_sung(folder: Path) -> bool:
    """Whether the separated vocals have the level of a voice, and not of what was left over."""
    levels = {
        name: float(np.sqrt(np.square(decode(folder / f"{name}.flac").samples).mean())) for name in (VOCALS, "other")
    }
    return levels[VOCALS] > 0.3 * levels["other"] and levels[VOCALS] > 0.01


def _song(items: Mapping[str, Item], true: Mapping[str, Any], stems: Path | None, name: str, part: str) -> Song:
    """One of both songs."""
    item = items[name.lstrip(SEPARATED)]
    if name.startswith(SEPARATED):
        if stems is None:
            raise KeyError("--stems DIR is needed")
        files = {one: listed[0] for one, listed in separated_stems(stems / item.id).items()}
    else:
        listed = true.get(item.id) or {INSTRUMENTAL: [item.path]}
        files = {
            one if len(paths) == 1 else f"{one}-{number}": path
            for one, paths in listed.items()
            for number, path in enumerate(paths, 1)
        }
    layers = {VOCALS: files[VOCALS]} if part == VOCALS else {one: path for one, path in files.items() if one != VOCALS}
    results = run(all_analysers(), decode(item.path), off=OFF).results
    return Song(
        name=item.id,
        title=item.id,
        sha256=hash_file(item.path),
        results=results,
        layers=layers,
        beat_file=files.get(DRUMS, item.path),
        beats_are_drums=DRUMS in files,
        is_whole_song=True,
    )


def _apart(job: Job) -> Row | str:
    """Make a mashup in a process of its own; words where it cannot be made."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_made, args=(there, job))
    process.start()
    there.close()
    try:
        found: Row | str = here.recv()
    except EOFError:
        found = "the process died"
    process.join()
    return found


def _made(pipe: Any, job: Job) -> None:
    start = time.perf_counter()
    spans: dict[str, tuple[float, float]] = {}

    def tell(stage: str, share: float) -> None:
        now = time.perf_counter()
        spans[stage] = (spans.get(stage, (now, now))[0], now)

    try:
        made = make(job.songs, Wishes(force=True), Limits(), tell)
    except LinerNotesError as error:
        pipe.send(f"{type(error).__name__}: {error}")
        return
    all_s = time.perf_counter() - start
    memory_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    begin, end = spans[RENDERING]
    is_same = _is_same(made, job.songs) if job.is_twice else None
    if job.out is not None:
        _write(made, job.out / job.name.replace(" ", "-"))
    late_ms = true_ms(made.plan, *job.true_beats_s)
    pipe.send(Row(job.name, made.plan, made.measured, end - begin, all_s, memory_gb, late_ms, is_same))


def _is_same(made: Made, songs: tuple[Song, Song]) -> bool:
    again = render(made.plan, songs)
    return bool(np.array_equal(made.rendered.samples, again.samples))


def _write(made: Made, folder: Path) -> None:
    from processor.mashup.outputs import write

    folder.mkdir(parents=True, exist_ok=True)
    write(made.rendered, made.plan, folder, False)


def true_ms(plan: Plan, voice_beats_s: Any, backing_beats_s: Any) -> float | None:
    """How much later the true beats of the vocals fall than those of the instrumental; None where one is unknown.

    What a manifest calls a beat is where a score or a project has it; sounds begin some 10 to 25 ms beside that.
    """
    if voice_beats_s is None or backing_beats_s is None:
        return None
    grid, mashup = np.asarray(plan.instrumental.grid.beats_s), mashup_beats_s(plan)
    under = np.concatenate([np.arange(cut.first_beat, cut.end_beat) for cut in plan.cuts])
    late = np.interp(grid[np.clip(under, 0, grid.size - 1)], backing_beats_s, np.arange(len(backing_beats_s)))
    nearest = np.asarray(backing_beats_s)[np.clip(np.round(late).astype(int), 0, len(backing_beats_s) - 1)]
    truth_s = mashup[:-1] + nearest - grid[np.clip(under, 0, grid.size - 1)]
    found = []
    for segment in plan.segments:
        source_s, target_s = time_map(plan, segment)
        inside = [beat for beat in voice_beats_s if segment.start_s < beat < segment.end_s]
        sung = np.interp(inside, source_s, target_s)
        step = max(1, round(plan.vocal_beats_per_beat))
        apart = sung[:, None] - truth_s[None, :]
        if apart.size:
            found += np.take_along_axis(apart, np.abs(apart).argmin(axis=1)[:, None], 1)[::step, 0].tolist()
    return 1000 * float(np.median(found)) if found else None


def text(rows: Sequence[Row]) -> str:
    """The table."""
    lines = ["", f"| {' | '.join(COLUMNS)} |", f"|---|{'---:|' * (len(COLUMNS) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(cells(row))} |" for row in rows)])


def cells(row: Row) -> tuple[str, ...]:
    """One row of it."""
    plan, found = row.plan, row.measured
    minutes = found.duration_s / 60
    stretched = plan.vocals.grid.tempo_bpm / plan.tempo_bpm / plan.vocal_beats_per_beat - 1
    key = shifted(plan.instrumental.key, plan.instrumental_shift_semitones)
    return (
        row.name,
        f"{100 * stretched:+.1f} %",
        f"{plan.vocal_shift_semitones:+g} / {plan.instrumental_shift_semitones:+g}",
        f"{plan.tempo_bpm:.1f} → {_number(found.tempo_bpm)} ({_number(found.tempo_confidence, 2)})",
        f"{key or '–'} → {found.key or '–'} ({_number(found.key_confidence, 2)})",
        f"{_number(found.beat_offset_median_ms)} / {_number(found.beat_offset_p95_ms)}",
        _number(row.true_ms),
        f"{plan.vocal_to_backing_lu:+.1f} → {_number(found.vocal_to_backing_lu)}",
        f"{plan.target_lufs:.1f} → {_number(found.integrated_lufs, 2)}",
        _number(found.true_peak_dbtp, 2),
        _number(found.onset_sharpness_kept, 2),
        f"{found.clicks_at_joins} of {found.joins}",
        _number(row.render_s / minutes),
        _number(row.all_s / minutes),
        _number(row.memory_gb, 2),
    )


def _number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def story(row: Row) -> str:
    """What went otherwise than planned."""
    same = {None: "", True: " The second render is the same.", False: " THE SECOND RENDER IS ANOTHER."}[row.is_same]
    lines = [f"{row.name}: {row.measured.duration_s:.0f} s, {len(row.plan.segments)} segments.{same}"]
    lines += [f"  mended: {one}" for one in row.plan.corrections]
    return "\n".join([*lines, *(f"  not as planned: {one}" for one in row.measured.deviations)])


if __name__ == "__main__":
    sys.exit(main())
