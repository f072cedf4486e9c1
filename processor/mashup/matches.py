"""Which tracks of the library go together, kept from one time to the next, and the catalogue's tables of it.

What was found lies in `library/.state/matches.json`, which can be deleted at any time. Only pairs with a track that is
new, changed or gone are scored anew, and those of tracks that lose one of their best.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import duckdb

from processor import catalogue, record
from processor.analysis import result_types
from processor.errors import LinerNotesError, RecordError
from processor.files import write_atomically
from processor.library import Track
from processor.mashup import kept
from processor.mashup.kept import Stored
from processor.mashup.match import Pair, score_all
from processor.mashup.plan import Fit
from processor.record import Results
from processor.tables import kinds
from processor.workspace import Workspace

NAME = "matches.json"
# What is read of a record for it.
READ = ("phrases", "vocals", "beats")
# So many of each track's best are kept, as vocals and as instrumental.
TOP = 10
# No number of a pair, a time in seconds included, is larger.
MOST = 1e6
MASHABILITY, MASHUPS = "mashability", "mashups"

Progress = Callable[[float], None]
Row = catalogue.Row


@dataclass(frozen=True)
class Matches:
    """What is known of a library's pairs.

    Attributes:
        tracks: track → what its pairs were scored from; mixes of mashups, and what has no phrases, are there as well.
        pairs: the best of each track, best first; none that is rejected.
    """

    tracks: Mapping[str, str]
    pairs: tuple[Pair, ...]


NOTHING = Matches({}, ())


def path_of(workspace: Workspace) -> Path:
    """Where they are kept."""
    return workspace.state / NAME


def kept_matches(workspace: Workspace) -> Matches:
    """What was found the last time; nothing where that cannot be read, or was found by another version."""
    try:
        tree = json.loads(path_of(workspace).read_bytes())
        if tree["version"] != _version():
            return NOTHING
        tracks = {_text(name): _text(stamp) for name, stamp in tree["tracks"].items()}
        return Matches(tracks, tuple(_pair(values) for values in tree["pairs"]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return NOTHING


def bring_up_to_date(workspace: Workspace, tracks: Sequence[Track], progress: Progress = lambda share: None) -> bool:
    """Score the pairs of what is new or changed; return whether anything is other than it was.

    Args:
        workspace: where.
        tracks: all tracks of the library.
        progress: told of the share that is done, 0 to 1.
    """
    before = kept_matches(workspace)
    stamps = {track.id: _file_stamp(track) for track in tracks}
    looked = {name: stamp.rpartition(" ")[0] for name, stamp in before.tracks.items()}
    if looked == stamps:
        return False
    unread = {track.id for track in tracks if looked.get(track.id) != stamps[track.id]}
    known = {name: stamp.rpartition(" ")[2] for name, stamp in before.tracks.items()}
    keys = {track.id: _keys(track) if track.id in unread else known[track.id] for track in tracks}
    changed = {name for name, key in keys.items() if known.get(name, "") != key}
    gone = before.tracks.keys() - keys.keys()
    pairs = before.pairs
    if changed or gone:
        pairs = _scored(tracks, keys, before.pairs, changed | gone, progress)
    after = Matches({name: f"{stamps[name]} {keys[name]}" for name in stamps}, pairs)
    _keep(workspace, after)
    return pairs != before.pairs


def results_of(tracks: Iterable[Track]) -> list[tuple[str, Results]]:
    """What can be matched: name and results of each track that has phrases; no mixes of mashups, and no stems."""
    kinds = {name: kind for name, kind in result_types().items() if name in READ}
    found = []
    for track in tracks:
        with suppress(RecordError):  # `linernotes doctor` names it
            results = record.read(track.folder, kinds).results
            if "phrases" in results and _is_song(track):
                found.append((track.id, results))
    return found


def _is_song(track: Track) -> bool:
    """Whether it can be one side of a pair: no mix of a mashup, and no stem that somebody dropped for one."""
    return not kept.is_mix(track) and not kept.is_supplied_stem(track)


def _scored(
    tracks: Sequence[Track],
    keys: Mapping[str, str],
    pairs: Sequence[Pair],
    changed: Collection[str],
    progress: Progress,
) -> tuple[Pair, ...]:
    """The best pairs, where these tracks are new, changed or gone."""
    rest = [pair for pair in pairs if pair.vocals not in changed and pair.instrumental not in changed]
    # Who loses one of its best may have a better one than what is left, which was not kept.
    poorer = {name for pair in set(pairs) - set(rest) for name in (pair.vocals, pair.instrumental)}
    only = (poorer | set(changed)) & {name for name, key in keys.items() if key}
    rest = [pair for pair in rest if pair.vocals not in only and pair.instrumental not in only]
    found = score_all(results_of(track for track in tracks if keys[track.id]), TOP, progress, only) if only else []
    return tuple(best_of([*rest, *(pair for pair in found if pair.rejected is None)], TOP))


def best_of(pairs: Iterable[Pair], top: int) -> list[Pair]:
    """The pairs that are among the best of one of their tracks, as vocals or as instrumental, best first."""
    sung: Counter[str] = Counter()
    played: Counter[str] = Counter()
    chosen = []
    for pair in sorted(pairs, key=lambda pair: (-pair.fit.score, pair.vocals, pair.instrumental)):
        if sung[pair.vocals] < top or played[pair.instrumental] < top:
            chosen.append(pair)
        sung[pair.vocals] += 1
        played[pair.instrumental] += 1
    return chosen


def _file_stamp(track: Track) -> str:
    """Changes whenever the record's file does."""
    try:
        status = (track.folder / record.RECORD_NAME).stat()
    except OSError:
        return "-"
    return f"{status.st_mtime_ns}:{status.st_size}"


def _keys(track: Track) -> str:
    """Changes whenever something changes that pairs are scored from; empty where there is nothing to score."""
    try:
        found = record.read(track.folder, {name: result_types()[name] for name in READ}, curves=False)
    except RecordError:
        return ""
    if "phrases" not in found.results or not _is_song(track):
        return ""
    return "/".join(found.keys.get(name, "-") for name in READ)


def _keep(workspace: Workspace, found: Matches) -> None:
    """Keep it for the next time; it only saves work, so what cannot be written does no harm."""
    tree = {"version": _version(), "tracks": found.tracks, "pairs": [asdict(pair) for pair in found.pairs]}
    with suppress(OSError):
        write_atomically(path_of(workspace), json.dumps(tree), durable=False)


def _pair(values: Mapping[str, Any]) -> Pair:
    """A pair as it was kept; raises some error where somebody has edited it into none."""
    spans = {
        name: None if values[name] is None else (_number(values[name][0]), _number(values[name][1]))
        for name in ("vocal_phrase", "instrumental_phrase")
    }
    fit = {name: None if value is None else _number(value) for name, value in values["fit"].items() if name != "score"}
    return Pair(
        vocals=_text(values["vocals"]),
        instrumental=_text(values["instrumental"]),
        fit=Fit(_number(values["fit"]["score"]), **fit),
        tempo_ratio=None if values["tempo_ratio"] is None else _number(values["tempo_ratio"]),
        vocal_beats_per_beat=_number(values["vocal_beats_per_beat"]),
        shift_semitones=int(_number(values["shift_semitones"])),
        vocal_phrase=spans["vocal_phrase"],
        instrumental_phrase=spans["instrumental_phrase"],
        reasons=tuple(_text(one) for one in values["reasons"]),
        rejected=None if values["rejected"] is None else _text(values["rejected"]),
    )


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MOST:
        raise TypeError(f"{type(value).__name__} is no number of ours")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} is no text")
    value.encode()  # half a character could not be written again
    return value


@cache
def _version() -> str:
    """Changes whenever the scores may: with the code that makes them."""
    digest = hashlib.sha256(str(TOP).encode())
    folder = Path(__file__).parent
    for path in sorted([*folder.glob("match*.py"), *folder.glob("_*.py"), folder / "fits.py"]):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


# The catalogue


def note_mashups(workspace: Workspace, connection: duckdb.DuckDBPyConnection, tracks: Sequence[Track]) -> None:
    """Bring the tables `mashability` and `mashups` in line with what was found and made.

    Args:
        workspace: where.
        connection: the private catalogue, in line with the folders.
        tracks: every track of the library.
    """
    present = {track.id for track in tracks}
    everybody = hashlib.sha256("\n".join(sorted(present)).encode()).hexdigest()
    try:
        status = path_of(workspace).stat()
        signature = f"{status.st_mtime_ns}:{status.st_size} {everybody}"
    except OSError:
        signature = f"- {everybody}"
    rows = partial(_mashability, workspace, present)
    catalogue.replace_table(connection, MASHABILITY, signature, rows)
    listed = kept.stored(workspace)
    signature = hashlib.sha256("\n".join(one.signature for one in listed).encode()).hexdigest()
    catalogue.replace_table(connection, MASHUPS, signature, lambda: [mashup_row(workspace, one) for one in listed])


def _mashability(workspace: Workspace, present: Collection[str]) -> list[Row]:
    return pair_rows(kept_matches(workspace).pairs, present)


def pair_rows(pairs: Iterable[Pair], present: Collection[str]) -> list[Row]:
    """Rows of `mashability`, best first, of tracks that are there."""
    listed = [pair for pair in pairs if pair.vocals in present and pair.instrumental in present]
    return [pair_row(pair, rank) for rank, pair in enumerate(listed, 1)]


def pair_row(pair: Pair, rank: int | None) -> Row:
    """One pair, as SQL and JSON have it."""
    fit = {name: _rounded(value, 4) for name, value in asdict(pair.fit).items()}
    start, end = pair.vocal_phrase or (None, None)
    over, until = pair.instrumental_phrase or (None, None)
    return {
        "rank": rank,
        "vocals": pair.vocals,
        "instrumental": pair.instrumental,
        **fit,
        "shift_semitones": pair.shift_semitones,
        "tempo_change_percent": tempo_change_percent(pair),
        "vocal_beats_per_beat": pair.vocal_beats_per_beat,
        "vocal_start_s": _rounded(start, 2),
        "vocal_end_s": _rounded(end, 2),
        "instrumental_start_s": _rounded(over, 2),
        "instrumental_end_s": _rounded(until, 2),
        "reasons": list(pair.reasons),
    }


def tempo_change_percent(pair: Pair) -> float | None:
    """By how much the vocals are played faster; negative: slower."""
    return None if pair.tempo_ratio is None else round(100 * (pair.tempo_ratio - 1), 2)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(float(value), digits)


def mashup_row(workspace: Workspace, one: Stored) -> Row:
    """One mashup, as SQL has it; a plan that was edited into none leaves its columns empty."""
    row: Row = {
        "id": one.id,
        "name": one.name,
        "folder": one.folder.relative_to(workspace.library).as_posix(),
        "track": one.made_from.mix,
        "vocals": one.made_from.vocals,
        "instrumental": one.made_from.instrumental,
        **{name: value for name, value in record.plain(one.measured).items() if name in kinds(MASHUPS)},
    }
    with suppress(LinerNotesError):
        plan = one.plan
        row |= {
            "planned_tempo_bpm": plan.tempo_bpm,
            "vocal_shift_semitones": plan.vocal_shift_semitones,
            "instrumental_shift_semitones": plan.instrumental_shift_semitones,
            "target_lufs": plan.target_lufs,
            "score": _rounded(plan.fit.score, 4),
            "chosen_by": plan.chosen_by,
            "reasons": list(plan.reasons),
        }
    return row
