"""How well a mix is taken apart: `python -m tests.accuracy.separation MANIFEST`.

MANIFEST is a JSON list of recordings, as for `python -m tests.accuracy`; what counts are those with `truth.stems`, a
map from an instrument to the file that it plays in. Instruments are put together to what a model makes: vocals, drums,
bass, and all else. Where nothing plays the bass, what the model took for one belongs to the rest.

SDR is 10 log10(|s|² / |s − ŝ|²), in dB, of both channels: of each second in which the true stem sounds, the median;
and of the whole. No filter is allowed in between, as BSS Eval does; `--bss` prints its SDR as well (version 3, by
mir_eval, of both channels' mean, a filter of 512 samples). A mix that is no stem's fault away from the sum of its
stems (mastered, or coded) bounds all of them: that bound is printed.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from processor.audio import Audio, decode, from_samples
from processor.channels import downmix_matrix
from processor.config import load_settings
from processor.models.loading import chosen as chosen_models
from processor.models.loading import load
from processor.models.separation import Separator, Sound, apart
from processor.models.table import named

# What the name of an instrument's file says of the stem that it belongs to; the first that fits.
_KINDS = (
    ("backing", re.compile("backing")),
    ("vocals", re.compile("voc|vox|voice|choir")),
    ("drums", re.compile("drum|kick|snare|hat|crash|cymbal|stick|clap|tom")),
    ("bass", re.compile("bass")),
    ("other", re.compile("")),
)
_MADE_OF_OTHER = ("other", "guitar", "piano")
_SOUNDING = 1e-7  # mean square of a second in which a stem sounds: −70 dBFS


@dataclass(frozen=True)
class Score:
    """How near one stem is to the truth.

    Attributes:
        stem: what was compared.
        median_db: SDR of each second, the median.
        whole_db: SDR of the whole.
        mix_db: SDR of the mix itself, if one took it for the stem: what doing nothing gets.
        bss_db: SDR of BSS Eval, where it was asked for.
    """

    stem: str
    median_db: float
    whole_db: float
    mix_db: float
    bss_db: float | None = None


@dataclass(frozen=True)
class Piece:
    """One recording and how it went."""

    id: str
    duration_s: float
    took_s: float
    sum_error_db: float
    bound_db: float
    scores: list[Score] = field(default_factory=list)


def kind(role: str) -> str:
    """The stem that an instrument belongs to."""
    return next(name for name, pattern in _KINDS if pattern.search(role.lower()))


def compared(true: Mapping[str, Sound], made: Mapping[str, Sound]) -> dict[str, tuple[Sound, Sound]]:
    """Pairs of true and found sound, by what they are; kinds that never sound are left out."""
    mine = {name: made[name] for name in ("vocals", "drums", "bass") if name in made}
    mine["other"] = _sum(made[name] for name in _MADE_OF_OTHER if name in made)
    if "backing" in true:  # all but the guitar, which is the only thing known apart
        rest = _sum(mine[name] for name in ("vocals", "drums", "bass") if name in mine)
        return {"guitar": (true["other"], mine["other"]), "drums + bass": (true["backing"], rest)}
    pairs = {name: (true[name], mine[name]) for name in mine if name in true and _sounds(true[name])}
    if "bass" not in pairs and "other" in pairs:
        heard = _sum([true["other"], *([true["bass"]] if "bass" in true else [])])
        pairs["other + bass"] = (heard, mine["other"] + mine["bass"])
        del pairs["other"]
    return pairs


def _sounds(true: Sound) -> bool:
    return bool(np.square(true, dtype=np.float64).mean() > _SOUNDING)


def _sum(sounds: Iterable[Sound]) -> Sound:
    return np.sum(list(sounds), axis=0, dtype=np.float32)


def sdr_db(true: Sound, found: Sound) -> float:
    """Energy of a sound over that of what is wrong with it, in dB; 100 at most."""
    wrong = np.square(true - found, dtype=np.float64).sum()
    energy = np.square(true, dtype=np.float64).sum()
    return float(10 * np.log10(energy / max(wrong, 1e-10 * energy))) if energy else float("nan")


def median_sdr_db(true: Sound, found: Sound, rate: int) -> float:
    """SDR of each second in which the true sound sounds, the median."""
    seconds = (slice(start, start + rate) for start in range(0, true.shape[1] - rate + 1, rate))
    values = [sdr_db(true[:, one], found[:, one]) for one in seconds if _sounds(true[:, one])]
    return float(np.median(values)) if values else float("nan")


def bss_db(pairs: Mapping[str, tuple[Sound, Sound]]) -> dict[str, float]:
    """SDR of BSS Eval 3, which forgives a filter of 512 samples."""
    import warnings

    from mir_eval.separation import bss_eval_sources

    true, found = (np.array([pair[side].mean(axis=0) for pair in pairs.values()]) for side in (0, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values, _, _, _ = bss_eval_sources(true, found, compute_permutation=False)
    return dict(zip(pairs, map(float, values), strict=True))


def measure(entry: Mapping[str, Any], folder: Path, source: Separator | Path, *, bss: bool) -> Piece:
    """Take one recording apart, or read its stems, and compare them with the true ones."""
    audio = decode(folder / entry["file"])
    start = time.perf_counter()
    made = _made(audio, source) if not isinstance(source, Path) else _read(source / entry["id"])
    took = time.perf_counter() - start
    true: dict[str, Sound] = {}
    for role, file in entry["truth"]["stems"].items():
        sound = _stereo(decode(folder / file))
        true[kind(role)] = true[kind(role)] + sound if kind(role) in true else sound
    frames = min(sound.shape[1] for sound in (*true.values(), *made.values()))
    mix = _stereo(audio)[:, :frames]
    true, made = ({name: sound[:, :frames] for name, sound in one.items()} for one in (true, made))
    pairs = compared(true, made)
    forgiving = bss_db(pairs) if bss else {}
    scores = [
        Score(name, median_sdr_db(*pair, audio.sample_rate), sdr_db(*pair), sdr_db(pair[0], mix), forgiving.get(name))
        for name, pair in pairs.items()
    ]
    error, bound = (-sdr_db(mix, _sum(one.values())) for one in (made, true))
    return Piece(entry["id"], frames / audio.sample_rate, took, error, bound, scores)


def _stereo(audio: Audio) -> Sound:
    return audio.samples if audio.channels == 2 else downmix_matrix(audio.positions) @ audio.samples


def _made(audio: Audio, separator: Separator) -> dict[str, Sound]:
    stems = np.concatenate([parts for _, parts in apart(audio, separator)], axis=2)
    return {
        name: np.broadcast_to(stem, (2, stem.shape[1])) for name, stem in zip(separator.sources, stems, strict=True)
    }


def _read(folder: Path) -> dict[str, Sound]:
    found = {}
    for path in sorted(folder.glob("*.flac")):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        found[path.stem] = _stereo(from_samples(samples.T, rate))
    return found


def report(pieces: Sequence[Piece], is_timed: bool) -> str:
    """A table in Markdown."""
    lines = ["| piece | stem | SDR, median of 1 s | SDR, whole | the mix itself | BSS Eval | sum error | bound |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for piece in pieces:
        for score in piece.scores:
            bss = "" if score.bss_db is None else f"{score.bss_db:.1f}"
            lines.append(
                f"| {piece.id} | {score.stem} | {score.median_db:.1f} | {score.whole_db:.1f} | {score.mix_db:.1f} "
                f"| {bss} | {piece.sum_error_db:.1f} | {piece.bound_db:.1f} |"
            )
    if is_timed and pieces:
        took, length = (sum(getattr(piece, name) for piece in pieces) for name in ("took_s", "duration_s"))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        lines.append(f"\n{took / length:.2f} of the length; at most {peak:.0f} MB of memory, this measuring included")
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> int:
    """Print the table; the exit code is 2 for wrong usage."""
    parser = argparse.ArgumentParser("python -m tests.accuracy.separation", description=__doc__.partition("\n\n")[2])
    parser.add_argument("manifest", type=Path, help="manifest.json, its files beside it")
    parser.add_argument("--only", default="", metavar="REGEX", help="only recordings whose id holds this")
    parser.add_argument("--model", help="a separator by name; else the one that is here")
    parser.add_argument("--stems", type=Path, metavar="DIR", help="stems that were made before: DIR/<id>/vocals.flac …")
    parser.add_argument("--bss", action="store_true", help="BSS Eval's SDR too, which takes a minute a piece")
    parser.add_argument("--json", action="store_true", help="for programs")
    chosen = parser.parse_args(words)
    try:
        content = json.loads(chosen.manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        print(f"{chosen.manifest}: {error}", file=sys.stderr)
        return 2
    entries = [one for one in content if one.get("truth", {}).get("stems") and re.search(chosen.only, one["id"])]
    if chosen.stems:
        entries = [one for one in entries if list((chosen.stems / one["id"]).glob("*.flac"))]
    source = chosen.stems or _separator(chosen.model)
    pieces = [measure(one, chosen.manifest.parent, source, bss=chosen.bss) for one in entries]
    print(json.dumps([as_json(one) for one in pieces]) if chosen.json else report(pieces, chosen.stems is None))
    return 0


def as_json(piece: Piece) -> dict[str, Any]:
    return {**vars(piece), "scores": [vars(score) for score in piece.scores]}


def _separator(name: str | None) -> Separator:
    settings = load_settings(Path.cwd()).models
    separator: Separator = load(settings, named(name or chosen_models(settings)["separator"]))
    return separator


if __name__ == "__main__":
    sys.exit(main())
