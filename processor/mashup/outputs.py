"""A rendered mashup as files: the mix, its plan, every layer for a DAW, a cue sheet and markers."""

from __future__ import annotations

import csv
import errno
import io
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from processor.files import printable, replacing
from processor.mashup.plan import Plan, beat_numbers, mashup_beats_s
from processor.mashup.plan_files import to_toml
from processor.mashup.render import Rendered
from processor.mashup.songs import INSTRUMENTAL, VOCALS
from processor.mashup.stretching import Samples
from processor.sidecars import check_whole, full_disk_told

MIX, PLAN, CUE, MARKERS, STEMS = "mix", "plan.toml", "mix.cue", "markers.csv", "stems"
# Highest value that 24 bits hold, and a step to spare for rounding.
FULL_SCALE = 1 - 2.0**-22
# A cue sheet counts 75 frames a second and holds 99 tracks (CDRWIN's user guide, appendix A).
FRAMES_A_S, MOST_TRACKS = 75, 99
MOST_CHARACTERS = 120
BLOCK_S = 10


@dataclass(frozen=True)
class Mark:
    """Where a section begins.

    Attributes:
        at_s: in the mashup.
        bar: number of the bar that it lies in, from 1.
        label: what begins.
    """

    at_s: float
    bar: int
    label: str


def write(rendered: Rendered, plan: Plan, out: Path, as_wav: bool = False) -> tuple[Path, ...]:
    """Write all files of a mashup; they appear once all of them are written, each whole.

    `mix.flac` has 24 bits; nothing in it can clip, for it is behind the limiter. The layers in `stems/` are as placed,
    before the gain and the limiter of the whole: together they are the mix before these. Should one of them pass full
    scale, all are turned down by one gain, which the cue sheet names.

    Args:
        rendered: how it sounds.
        plan: what was rendered.
        out: folder for them; made if it is not there.
        as_wav: `mix.wav` in 32-bit float instead of `mix.flac`.

    Returns:
        The files, the mix first.

    Raises:
        OSError: a file cannot be written; none of them is there then that was not before.
    """
    layers = stems(rendered)
    gain_db = stems_gain_db(layers)
    mix = f"{MIX}.wav" if as_wav else f"{MIX}.flac"
    found = marks(rendered, plan)
    texts = {PLAN: to_toml(plan), CUE: cue_sheet(plan, found, mix, gain_db), MARKERS: markers(found)}
    paths: list[Path] = []
    with ExitStack() as stack:

        def opened(name: str) -> Path:
            paths.append(out / name)
            if paths[-1].is_dir():  # told before any other file has taken its place
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(paths[-1]))
            return stack.enter_context(replacing(paths[-1]))

        _write_sound(opened(mix), rendered.samples, rendered.sample_rate, _tags(plan), as_wav=as_wav)
        for name, text in texts.items():
            opened(name).write_text(text, encoding="utf-8", newline="\n")
        for name, samples in layers.items():
            tags = {**_tags(plan), "title": f"{printable(plan.name)[:MOST_CHARACTERS]}: {name}"}
            path = opened(f"{STEMS}/{name}.flac")
            _write_sound(path, samples, rendered.sample_rate, tags, factor=10 ** (gain_db / 20))
    return tuple(paths)


def stems(rendered: Rendered) -> dict[str, Samples]:
    """What a DAW gets: the vocals, the instrumental, and each of its layers where there are several."""
    found = {VOCALS: rendered.vocals, INSTRUMENTAL: rendered.instrumental}
    if len(rendered.backing) > 1:
        for name, samples in rendered.backing.items():
            found[f"{INSTRUMENTAL}-{name}" if name in found else name] = samples
    return found


def stems_gain_db(layers: Mapping[str, Samples]) -> float:
    """What all stems are turned down by, so that none clips; 0 where none would."""
    peak = max(max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0))) for samples in layers.values())
    return min(0.0, 20 * float(np.log10(FULL_SCALE / peak))) if peak > 0 else 0.0


def marks(rendered: Rendered, plan: Plan) -> tuple[Mark, ...]:
    """Where sections begin: each segment of the vocals, and the instruments alone where they are so for a bar."""
    beats, metre = mashup_beats_s(plan), plan.instrumental.grid.metre
    bar_s = metre * 60 / plan.tempo_bpm
    end_s = rendered.samples.shape[1] / rendered.sample_rate
    found: list[tuple[float, str]] = []
    free_s, name = 0.0, "intro"
    for segment, (start_s, stop_s) in zip(plan.segments, rendered.segments_s, strict=True):
        if start_s - free_s >= bar_s:
            found.append((free_s, name))
        found.append((start_s, segment.label))
        free_s, name = stop_s, INSTRUMENTAL
    if end_s - free_s >= bar_s or not found:
        found.append((free_s, "outro" if found else INSTRUMENTAL))
    found[0] = (0.0, found[0][1])
    numbers = beat_numbers(beats, np.array([at_s for at_s, _ in found]))
    return tuple(
        Mark(at_s, int(number + 1e-6) // metre + 1, label or VOCALS)
        for (at_s, label), number in zip(found, numbers, strict=True)
    )


def cue_sheet(plan: Plan, found: tuple[Mark, ...], mix: str, gain_db: float) -> str:
    """A cue sheet for the mix: a track for each section, the first 99 of them."""
    lines = [f"REM TEMPO {plan.tempo_bpm:g} BPM"]
    if gain_db < 0:
        lines.append(f"REM STEMS_GAIN {gain_db:.2f} dB: all files in {STEMS}/ are turned down by it, or one would clip")
    lines += [f"PERFORMER {_quoted(_made_from(plan))}", f"TITLE {_quoted(plan.name)}", f'FILE "{mix}" WAVE']
    for number, mark in enumerate(found[:MOST_TRACKS], 1):
        lines += [
            f"  TRACK {number:02d} AUDIO",
            f"    TITLE {_quoted(mark.label)}",
            f"    INDEX 01 {_index(mark.at_s)}",
        ]
    return "\n".join(lines) + "\n"


def markers(found: tuple[Mark, ...]) -> str:
    """The sections as CSV: seconds, bar, label."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("time_s", "bar", "label"))
    for mark in found:
        label = printable(mark.label)[:MOST_CHARACTERS]
        # What begins like a formula would be one for a spreadsheet.
        rows.writerow((f"{mark.at_s:.3f}", mark.bar, f"'{label}" if label.startswith(("=", "+", "-", "@")) else label))
    return text.getvalue()


def _index(at_s: float) -> str:
    frames = int(at_s * FRAMES_A_S + 0.5)
    return f"{frames // (60 * FRAMES_A_S):02d}:{frames // FRAMES_A_S % 60:02d}:{frames % FRAMES_A_S:02d}"


def _quoted(text: str) -> str:
    """A string of a cue sheet, which knows no escapes: quotes become apostrophes."""
    return '"' + printable(text)[:MOST_CHARACTERS].replace('"', "'") + '"'


def _made_from(plan: Plan) -> str:
    return f"{plan.vocals.title} × {plan.instrumental.title}"


def _tags(plan: Plan) -> dict[str, str]:
    titles = [printable(title)[:MOST_CHARACTERS] for title in (plan.vocals.title, plan.instrumental.title)]
    return {
        "title": printable(plan.name)[:MOST_CHARACTERS],
        "comment": f'made from "{titles[0]}" (vocals) and "{titles[1]}" (instrumental)',
    }


def _write_sound(
    path: Path,
    samples: Samples,
    rate: int,
    tags: Mapping[str, str],
    *,
    as_wav: bool = False,
    factor: float = 1.0,
) -> None:
    """Samples as FLAC of 24 bits, or as WAV of 32-bit float."""
    import soundfile

    kind = ("WAV", "FLOAT") if as_wav else ("FLAC", "PCM_24")
    try:
        with (
            full_disk_told(path.parent),
            soundfile.SoundFile(path, "w", rate, len(samples), subtype=kind[1], format=kind[0]) as file,
        ):
            for name, text in tags.items():
                setattr(file, name, text)
            for start in range(0, samples.shape[1], BLOCK_S * rate):
                block = samples[:, start : start + BLOCK_S * rate]
                file.write((block if factor == 1.0 else block * np.float32(factor)).T)
        check_whole(path, samples.shape[1])
    except soundfile.LibsndfileError as error:
        raise OSError(None, str(error), str(path)) from error
