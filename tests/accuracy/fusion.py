"""How right the fused tags are: `python -m tests.accuracy.fusion MANIFEST [--stems DIR] [--yamnet DIR]`.

The manifest is that of `tests.accuracy`. Of each item's `truth` this reads `vocal` (true, false or "speech"),
`vocal_segments` (start and end in s), `stems` (name → file beside the manifest) and `tags`. `--stems` names folders
`<id>/vocals.flac` and so on that a separator has made, `--yamnet` files `<id>.npz` with `scores`, `classes`, `hop_s`
and `window_s`; what is not given our own analysers compute, with the models that are here.

Beside each answer after fusion stands YAMNet's alone, at usual limits and at the one that is best for these very
recordings, which nobody can know beforehand.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from processor.analysis.beats import Beats
from processor.analysis.heard import Heard, heard
from processor.analysis.pitch import Pitch, pitch
from processor.analysis.stems import HOP_S, Stems, stems
from processor.analysis.tags import Tags, tags
from processor.analysis.tags_vocals import TagsVocals, tags_vocals
from processor.analysis.tags_yamnet import TagsYamnet, tags_yamnet
from processor.analysis.vocals import Vocals, vocals
from processor.audio import Audio, decode
from processor.config import Models as Settings
from processor.errors import LinerNotesError
from processor.graph import run
from processor.models.loading import Bench, chosen
from processor.sidecars import Sidecars
from tests.accuracy.measure import needed

Vector = NDArray[np.float64]
Flags = NDArray[np.bool_]

INSTRUMENTS = ("drums", "bass", "guitar", "piano")
WORDS = {"drums": ("drum", "kick", "snare", "hihat", "crash", "sidestick"), "bass": ("bass",), "guitar": ("guitar",)}
# A true stem sounds above this.
SOUNDS_DBFS = -50.0
LIMITS = (0.5, 0.2)


@dataclass(frozen=True)
class Case:
    """A recording with what is known about it, and what was heard.

    Attributes:
        id: its name.
        truth: of the manifest.
        folder: where its files are.
        heard: the taggers' words.
        vocals: the fused voice.
        tags: the fused tags.
        stem: whether the vocal stem alone, its level, time and pitch, speaks for a voice.
    """

    id: str
    truth: Mapping[str, Any]
    folder: Path
    heard: Heard
    vocals: Vocals
    tags: Tags
    stem: bool

    @property
    def is_sung(self) -> bool | None:
        """Whether there is a voice; None where nobody says."""
        said = self.truth.get("vocal")
        return None if said is None else bool(said)

    @property
    def yamnet(self) -> float:
        """YAMNet's surest word for a voice in the mix."""
        return next((one.claims["vocals"].raw for one in self.heard.hearings if one.source == "YAMNet"), 0.0)


# What is heard


@dataclass(frozen=True)
class Given:
    """Inputs of the fusion, as models left them."""

    stems: Stems
    pitch: Pitch | None
    yamnet: TagsYamnet
    voices: TagsVocals | None
    beats: Beats | None


def gather(item: Mapping[str, Any], folder: Path, given: argparse.Namespace, bench: Bench) -> Given:
    """All that the fusion wants of one recording."""
    audio = decode(folder / item["file"])
    with tempfile.TemporaryDirectory() as temporary:
        made = given.stems / item["id"] if given.stems else None
        is_made = made is not None and (made / "vocals.flac").is_file()
        sidecars = Sidecars(made if made is not None and is_made else Path(temporary))
        parts = read_stems(audio, sidecars) if is_made else stems(audio, bench.load("separator"), sidecars, _quiet)
        yamnet = bench.load("yamnet_tagger")
        file = given.yamnet / f"{item['id']}.npz" if given.yamnet else None
        return Given(
            stems=parts,
            pitch=pitch(audio, bench.load("pitch_tracker"), sidecars, _quiet, parts),
            yamnet=read_yamnet(file) if file is not None and file.is_file() else tags_yamnet(audio, yamnet, _quiet),
            voices=tags_vocals(yamnet, parts, sidecars, _quiet),
            beats=run(needed(["beats"]), audio).results.get("beats"),
        )


def _quiet(share: float) -> None:
    """Nobody waits here."""


def read_stems(audio: Audio, sidecars: Sidecars) -> Stems:
    """Stems that are there already, measured as `stems` measures them."""
    names = tuple(sorted(path.stem for path in sidecars.folder.glob("*.flac")))
    levels = np.stack([_levels(sidecars.read(f"{name}.flac"), audio.sample_rate) for name in names])
    powers = 10 ** (levels / 10)
    mix = powers.sum(axis=0)
    return Stems(
        model="given",
        names=names,
        present=tuple(bool(row.mean() > 1e-3 * mix.mean()) for row in powers),
        level_lufs=(None,) * len(names),
        energy_share=tuple(float(row.sum() / mix.sum()) for row in powers),
        active_share=tuple(float(np.mean(row > 0.01 * mix)) for row in powers),
        sum_error_db=None,
        clipped_stem_samples=0,
        sample_rate=audio.sample_rate,
        hop_s=HOP_S,
        files=tuple(f"{name}.flac" for name in names),
        file_sha256=(),
        levels_db=levels,
    )


def _levels(samples: NDArray[np.float32], rate: int) -> Vector:
    """RMS of each 0.1 s in dBFS."""
    edges = -(-np.arange(-(-samples.shape[1] * 10 // rate)) * rate // 10)
    squares = np.square(samples, dtype=np.float64).mean(axis=0)
    powers = np.add.reduceat(squares, edges) / np.diff(edges, append=squares.size)
    return np.asarray(10 * np.log10(np.maximum(powers, 1e-12)))


def read_yamnet(path: Path) -> TagsYamnet:
    """Scores that are there already."""
    with np.load(path) as file:
        return TagsYamnet(
            "given", (), (), file["classes"], file["scores"], float(file["hop_s"]), float(file["window_s"])
        )


def fuse(item: Mapping[str, Any], folder: Path, given: Given) -> Case:
    """The fusion of one recording."""
    words = heard(given.yamnet)
    voice = vocals(words, given.stems, given.pitch, given.voices)
    alone = vocals(Heard(()), given.stems, given.pitch).present
    made = tags(words, voice, given.stems, given.beats, given.pitch)
    return Case(item["id"], item["truth"], folder, words, voice, made, bool(alone))


# What is true


def instruments(item: Mapping[str, Any]) -> dict[str, bool]:
    """Which of the four instruments are there and which are not, as far as stems, tags and notes say so."""
    truth, found = item["truth"], dict[str, bool]()
    names = [name.lower() for name in truth.get("stems", {})]
    for instrument, words in WORDS.items():
        if any(word in name.replace("bassguitar", "bass") for name in names for word in words):
            found[instrument] = True
    is_whole = truth.get("stems_sum_to_mix") and not any(
        word in name for name in names for word in ("other", "backing", "melody")
    )
    if names and is_whole:
        found |= {name: False for name in INSTRUMENTS if name not in found}
    for words, said in _SAID:
        if words <= {*truth.get("tags", ()), item["id"].partition("_")[0]}:
            found |= said
    return found


def _only(*there: str) -> dict[str, bool]:
    return {name: name in there for name in INSTRUMENTS}


# Tags, or the beginning of an id → what that says.
_SAID: tuple[tuple[set[str], dict[str, bool]], ...] = (
    ({"drums", "percussion"}, _only("drums")),
    ({"ragtime"}, _only("piano")),
    ({"moz"}, _only("piano")),
    ({"solo voice"}, _only()),
    ({"speech"}, _only()),
    ({"trumpet", "solo"}, _only()),
    ({"string orchestra"}, {"drums": False, "guitar": False, "piano": False}),
    ({"electric guitar"}, {"guitar": True}),
    ({"jazzguitar"}, {"guitar": True}),
    ({"pop909"}, {"drums": False, "piano": True}),
)


def sung_seconds(case: Case) -> Flags | None:
    """Seconds with a voice: those of the chart, or in which the true stem sounds; None where nobody knows."""
    seconds = case.vocals.presence.size
    if "vocal_segments" in case.truth:
        grid = np.zeros(seconds * 100, np.bool_)
        for start, end in case.truth["vocal_segments"]:
            grid[int(start * 100) : int(end * 100)] = True
        return np.asarray(grid.reshape(seconds, 100).mean(axis=1) >= 0.5)
    file = case.truth.get("stems", {}).get("vocals")
    if not case.is_sung or file is None:
        return None
    samples, rate = soundfile.read(case.folder / file, dtype="float32", always_2d=True)
    whole = min(seconds, len(samples) // rate)
    powers = np.square(samples[: whole * rate], dtype=np.float64).mean(axis=1).reshape(whole, rate).mean(axis=1)
    return np.pad(powers > 10 ** (SOUNDS_DBFS / 10), (0, seconds - whole))


# Tables


def voice_table(cases: Sequence[Case]) -> Iterable[str]:
    """False voices and missed voices, before and after."""
    known = [case for case in cases if case.is_sung is not None]
    without = [case for case in known if not case.is_sung]
    sung = [case for case in known if case.is_sung]
    best = min((case.yamnet for case in known), key=lambda limit: _errors(known, limit), default=1.0)
    yield f"| a voice is there | false, of {len(without)} without | missed, of {len(sung)} with |"
    yield "|---|--:|--:|"
    for limit, name in [*((limit, f"{limit:g}") for limit in LIMITS), (best, f"{best:.3f}, the best for these")]:
        false = sum(case.yamnet >= limit for case in without)
        yield f"| YAMNet alone, from {name} | {false} | {sum(case.yamnet < limit for case in sung)} |"
    by_stem = [sum(case.stem != case.is_sung for case in part) for part in (without, sung)]
    yield f"| vocal stem alone: level, time, pitch | {by_stem[0]} | {by_stem[1]} |"
    false, missed = (
        [case.id for case in part if bool(case.vocals.present) != case.is_sung] for part in (without, sung)
    )
    yield f"| fused `vocals.present` | {len(false)} | {len(missed)} |"
    tagged = [[case for case in part if has(case, "vocals")] for part in (without, sung)]
    yield f"| fused tag `vocals` | {len(tagged[0])} | {len(sung) - len(tagged[1])} |"
    yield ""
    yield f"False: {', '.join(false) or 'none'}. Missed: {', '.join(missed) or 'none'}."


def _errors(cases: Sequence[Case], limit: float) -> int:
    return sum((case.yamnet >= limit) != case.is_sung for case in cases)


def has(case: Case, name: str) -> bool:
    """Whether a fused tag stands."""
    rows = zip(case.tags.names, case.tags.statuses, strict=True)
    return any(tag == name and status in ("confirmed", "single") for tag, status in rows)


def overlap_table(cases: Sequence[Case]) -> Iterable[str]:
    """F-measure of seconds with a voice."""
    yield "| where the voice is, F of 1 s frames | fused | YAMNet alone, from 0.02 | always |"
    yield "|---|--:|--:|--:|"
    for case in cases:
        true = sung_seconds(case)
        if true is None or not true.any():
            continue
        before = np.zeros(true.size, np.bool_)
        for one in case.heard.hearings:
            if one.source == "YAMNet":
                before = one.by_second(("vocals",), true.size)[:, 0] >= 0
        scores = [f_measure(part, true) for part in (case.vocals.presence >= 0.5, before, np.ones_like(true))]
        yield f"| {case.id} | " + " | ".join(f"{score:.2f}" for score in scores) + " |"


def f_measure(found: Flags, true: Flags) -> float:
    """Harmonic mean of precision and recall of frames."""
    return 2 * float((found & true).sum()) / max(1, int(found.sum() + true.sum()))


def instrument_table(cases: Sequence[Case]) -> Iterable[str]:
    """Precision and recall of the four instruments, before and after."""
    yield "| tag | with | without | YAMNet from 0.2: precision, recall | YAMNet as calibrated | fused |"
    yield "|---|--:|--:|--:|--:|--:|"
    for name in INSTRUMENTS:
        known = [(case, said[name]) for case in cases if name in (said := instruments(vars(case)))]
        ways = (
            [_claim(case, name)[0] >= 0.2 for case, _ in known],
            [_claim(case, name)[1] >= 0 for case, _ in known],
            [has(case, name) for case, _ in known],
        )
        true = [there for _, there in known]
        cells = " | ".join(_precision_recall(found, true) for found in ways)
        yield f"| {name} | {sum(true)} | {len(true) - sum(true)} | {cells} |"


def _claim(case: Case, name: str) -> tuple[float, float]:
    claims = [one.claims[name] for one in case.heard.hearings if one.source == "YAMNet" and name in one.claims]
    return (claims[0].raw, claims[0].odds) if claims else (0.0, -1.0)


def _precision_recall(found: Sequence[bool], true: Sequence[bool]) -> str:
    right = sum(one and there for one, there in zip(found, true, strict=True))
    precision = f"{right / sum(found):.2f}" if any(found) else "–"
    return f"{precision}, {right / sum(true):.2f}" if any(true) else f"{precision}, –"


def options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.accuracy.fusion", description=__doc__.partition("\n\n")[2])
    parser.add_argument("manifest", type=Path, help="manifest.json, its files beside it")
    parser.add_argument("--stems", type=Path, metavar="DIR", help="separated stems, a folder a recording")
    parser.add_argument("--yamnet", type=Path, metavar="DIR", help="YAMNet's scores, a file a recording")
    parser.add_argument("--only", default="", metavar="REGEX", help="only recordings whose id holds this")
    parser.add_argument("--items", action="store_true", help="every recording as well")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Print the tables; the exit code is 2 where a model or a recording is missing, else 0."""
    given = options(words)
    settings = Settings(device="cpu")
    bench = Bench(settings, chosen(settings))
    cases = []
    for item in json.loads(given.manifest.read_text(encoding="utf-8")):
        if not re.search(given.only, item["id"]):
            continue
        try:
            heard_by_all = gather(item, given.manifest.parent, given, bench)
        except LinerNotesError as error:
            print(f"{item['id']}: {error}", file=sys.stderr)
            return 2
        cases.append(fuse(item, given.manifest.parent, heard_by_all))
        print(f"{len(cases)} {item['id']}", file=sys.stderr, flush=True)
    print("\n".join(report(cases, given.items)))
    return 0


def report(cases: Sequence[Case], with_items: bool = False) -> Iterable[str]:
    """All tables, as Markdown."""
    yield from voice_table(cases)
    yield ""
    yield from overlap_table(cases)
    yield ""
    yield from instrument_table(cases)
    for case in cases if with_items else ():
        yield f"\n{case.id}: {case.vocals.present} {case.vocals.kind} · {' · '.join(case.vocals.evidence)}"
        rows = zip(case.tags.names, case.tags.confidences, case.tags.statuses, case.tags.evidence, strict=True)
        yield from (f"    {name} {confidence:.2f} {status}: {why}" for name, confidence, status, why in rows)


if __name__ == "__main__":
    sys.exit(main())
