"""What separated stems add to tempo, beats, key and form: `python -m tests.accuracy.stems MANIFEST [--stems DIR]`.

DIR/<id>/ holds the stems of an item as `linernotes stems` writes them: vocals.flac, drums.flac, bass.flac, other.flac.
Without DIR, the true stems that the manifest names are taken. The mix is heard for as long as its stems are. Each item
is answered three times: by the mix alone, by the stems alone, and by both, as the analysers weigh them. Whole songs are
too easy to tell the three apart; `--pieces 15` hears every 15 s by themselves.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.analysis.beats import beats
from processor.analysis.chroma import chroma
from processor.analysis.key import key
from processor.analysis.mel import mel
from processor.analysis.mono import SAMPLE_RATE_HZ, Mono, mono
from processor.analysis.onsets import onsets
from processor.analysis.sections import sections
from processor.analysis.stem_harmony import stem_harmony
from processor.analysis.stem_rhythm import stem_rhythm
from processor.analysis.stems import HOP_S, Measured, Stems
from processor.audio import decode, from_samples
from tests.accuracy import table, truth
from tests.accuracy.answers import Answer, ours
from tests.accuracy.table import Scores
from tests.accuracy.truth import Item

Samples = NDArray[np.float32]

NAMES = ("vocals", "drums", "bass", "other")
# Who answers.
MIX, STEMS, BOTH = "mix", "stems", "both"
SHOWN = ("tempo_acc1", "tempo_acc2", "beat_f", "key_mirex", "sections_0.5", "sections_3", "sections_pairs")
# Words in the names of true stems, and which of ours they are; what has none of them is "other".
ROLES = {
    "drum": "drums",
    "kick": "drums",
    "snare": "drums",
    "hihat": "drums",
    "crash": "drums",
    "sidestick": "drums",
    "bass": "bass",
    "vocal": "vocals",
}
# A stem of several instruments is written so in the manifest, and is none of ours.
SEVERAL = "+"


@dataclass(frozen=True)
class Heard:
    """The three answers about one recording.

    Attributes:
        item: its id.
        scores: who → metric → score.
        said: who → tempo and key in one line.
        why: what the analysers said of their choice.
    """

    item: str
    scores: Mapping[str, Scores]
    said: Mapping[str, str]
    why: str


def main(words: Sequence[str] | None = None) -> int:
    """Print the table; the exit code is 2 for wrong usage."""
    parser = argparse.ArgumentParser("python -m tests.accuracy.stems", description=__doc__.partition("\n\n")[2])
    parser.add_argument("manifest", type=Path, help="manifest.json, its files beside it")
    parser.add_argument("--stems", type=Path, metavar="DIR", help="separated stems, in a folder for each id")
    parser.add_argument(
        "--pieces", type=float, default=0.0, metavar="SECONDS", help="tempo and key of each so long part"
    )
    parser.add_argument("--only", default="", metavar="REGEX", help="only recordings whose id holds this")
    chosen = parser.parse_args(words)
    try:
        items = truth.read(chosen.manifest, chosen.only)
        true = true_stems(chosen.manifest)
    except (OSError, ValueError) as error:
        print(f"{chosen.manifest}: {error}", file=sys.stderr)
        return 2
    rows = []
    for item in items:
        files = separated_stems(chosen.stems / item.id) if chosen.stems else true.get(item.id, {})
        for row in heard(item, files, chosen.pieces) if files else ():
            rows.append(row)
            print(line(row), flush=True)
    print(text(rows))
    return 0


def true_stems(manifest: Path) -> dict[str, dict[str, list[Path]]]:
    """Item → our name of a stem → the files of which it is the sum."""
    found: dict[str, dict[str, list[Path]]] = {}
    content = json.loads(manifest.read_text(encoding="utf-8"))
    for entry in content["items"] if isinstance(content, dict) else content:
        stems = entry.get("truth", {}).get("stems") or {}
        if stems and not any(SEVERAL in name for name in stems):
            parts = found.setdefault(str(entry.get("id") or Path(entry["file"]).stem), {})
            for name, file in stems.items():
                parts.setdefault(role(name), []).append(manifest.parent / file)
    return found


def role(name: str) -> str:
    """Which of `NAMES` a true stem is."""
    return next((ours for word, ours in ROLES.items() if word in name.lower()), "other")


def separated_stems(folder: Path) -> dict[str, list[Path]]:
    """Our name of a stem → its file; empty where not all of them are there."""
    files = {name: [folder / f"{name}.flac"] for name in NAMES}
    return files if all(listed[0].is_file() for listed in files.values()) else {}


def heard(item: Item, files: Mapping[str, Sequence[Path]], piece_s: float = 0.0) -> Iterator[Heard]:
    """Answer three times, about the whole or about each piece of a length."""
    parts = {name: [mono(decode(file)).samples for file in listed] for name, listed in files.items()}
    whole = mono(decode(item.path)).samples
    frames = min(whole.size, *(part.size for listed in parts.values() for part in listed))
    sounds = {name: np.sum([part[:frames] for part in listed], axis=0) for name, listed in parts.items()}
    size = round(piece_s * SAMPLE_RATE_HZ) or frames
    if piece_s:
        # Beats, chords and sections would have to be cut as well.
        item = Item(item.id, item.path, item.source, bpm=item.bpm if item.is_steady else None, key=item.key)
    for start in range(0, frames - size + 1, size):
        here = slice(start, start + size)
        answers, why = answered(whole[here], {name: sound[here] for name, sound in sounds.items()})
        said = {who: f"{answer.bpm or 0:.1f} {answer.key or '–'}" for who, answer in answers.items()}
        scores = {who: table.score(item, answer) for who, answer in answers.items()}
        yield Heard(f"{item.id} {start / SAMPLE_RATE_HZ:.0f} s" if piece_s else item.id, scores, said, why)


def answered(whole: Samples, sounds: Mapping[str, Samples]) -> tuple[dict[str, Answer], str]:
    """Who → what they say of mono sound at 22.05 kHz, and why."""
    stems = as_stems(whole, sounds)
    separated: Any = InMemory(sounds)
    rhythm, harmony = stem_rhythm(stems, separated), stem_harmony(stems, separated)
    folded = Mono(whole, SAMPLE_RATE_HZ, whole.size / SAMPLE_RATE_HZ)
    levels, pitches = mel(folded), chroma(folded)
    begun = onsets(levels)
    results: dict[str, dict[str, Any]] = {}
    for who, given in ((MIX, (None, None, None)), (BOTH, (rhythm, harmony, stems))):
        found = beats(begun, pitches, {}, given[0])
        form = sections(folded, pitches, levels, found, given[2])
        results[who] = {"beats": found, "key": key(pitches, {}, given[1]), "sections": form}
    both = results[BOTH]
    alone = Answer(
        jobs=frozenset({"tempo", "beats", "key"}),
        bpm=rhythm.drums_tempo_bpm,
        beats_s=rhythm.drums_beats_s,
        key=harmony.harmony_key,
    )
    answers = {MIX: ours(results[MIX], results[MIX]), STEMS: alone, BOTH: ours(both, both)}
    sources = (both["beats"].tempo_from, both["key"].key_from, both["sections"].form_from)
    return answers, " · ".join(source or "–" for source in sources)


@dataclass(frozen=True)
class InMemory:
    """Stems as the analysers hear them, without files."""

    sounds: Mapping[str, Samples]

    def mono(self, name: str) -> Samples | None:
        """A stem at 22.05 kHz."""
        return self.sounds.get(name)


def as_stems(whole: Samples, sounds: Mapping[str, Samples]) -> Stems:
    """The measures of stems that are there already, of one channel at 22.05 kHz."""
    measured = Measured(from_samples(whole[None], SAMPLE_RATE_HZ), len(sounds))
    block = 10 * SAMPLE_RATE_HZ
    for start in range(0, whole.size, block):
        parts = np.stack([sound[None, start : start + block] for sound in sounds.values()])
        measured.feed(whole[None, start : start + block], parts)
    return Stems(
        model="",
        names=tuple(sounds),
        present=measured.present(),
        level_lufs=measured.lufs(),
        energy_share=measured.shares(),
        active_share=(1.0,) * len(sounds),
        sum_error_db=measured.sum_error_db(),
        clipped_stem_samples=0,
        sample_rate=SAMPLE_RATE_HZ,
        hop_s=HOP_S,
        files=(),
        file_sha256=(),
        levels_db=measured.levels_db()[1:],
    )


def text(rows: Sequence[Heard]) -> str:
    """A table of the means, in percent, over the items that have a truth for it and an answer of each."""
    lines = [f"{len(rows)} sounds", "", f"| | n | {MIX} | {STEMS} | {BOTH} |", "|---|---:|---:|---:|---:|"]
    for metric in table.METRICS:
        if metric.name not in SHOWN:
            continue
        found = {who: table.means(row.scores[who] for row in rows).get(metric.name) for who in (MIX, STEMS, BOTH)}
        mix = found[MIX]
        if mix is not None:
            cells = " | ".join("–" if mean is None else f"{100 * mean.value:.1f}" for mean in found.values())
            lines.append(f"| {metric.label} | {mix.n} | {cells} |")
    return "\n".join(lines)


def line(row: Heard) -> str:
    """One recording: what was said, what of it won, and which scores changed."""
    said = " · ".join(f"{who} {answer}" for who, answer in row.said.items())
    before, after = row.scores[MIX], row.scores[BOTH]
    changed = [
        f"{name} {before[name]:.2f} → {after[name]:.2f}" for name in SHOWN if before.get(name) != after.get(name)
    ]
    return f"{row.item}: {said} ({row.why}){'; ' if changed else ''}{', '.join(changed)}"


if __name__ == "__main__":
    sys.exit(main())
