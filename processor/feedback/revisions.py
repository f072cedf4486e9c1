"""Which tracks are bounces of one song: their names say so, and their sound agrees.

A name alone is never enough ("mix.wav" is in every folder), and neither is sound: the instrumental of a song, or its
radio edit, is something of its own and says so by its name. A person can link and unlink:
`linernotes set TRACK revision_of=OTHER`, `linernotes set TRACK revision_of=none`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb

from processor import catalogue, library, record
from processor.analysis.fingerprint import Fingerprint, similarity
from processor.errors import RecordError
from processor.library import Track

FIELD, ALONE = "revision_of", "none"

# What a bounce is called beside the song's name. Words that make another version of a song (instrumental, remix,
# live, radio edit) are not among them.
_VERSION = re.compile(
    r"v\d+[a-z]?|ver|version|rev(ision)?\d*|r\d+|mix\d*|mixdown|bounce\d*|final\d*|master(ed|ing)?\d*|premaster(ed)?|"
    r"draft\d*|wip|export(ed)?|print|copy|new|old|latest|rough|alt\d*|take\d*|fix(ed)?\d*|"
    r"\d+|\d+bit|\d+k(hz)?|\d+hz|\d+lufs|\d+db|wav|flac|mp3|aiff?|ogg|m4a"
)
# The numbers of bounces, which are no sizes: a sample rate has five digits, a date eight.
_NUMBERED = re.compile(
    r"(?i)(?<![a-z])(?:v|ver|version|rev|revision|mix|bounce|final|master|take|draft|r)[ ._-]*(\d{1,3})(?!\d)"
)
_PLAIN_NUMBER = re.compile(r"\d+")
# A name that more tracks share ("Audio Track 12") says nothing without its numbers, and with them perhaps nothing
# either; comparing the sound of each with each would take for ever.
MAX_NAMESAKES = 40
_WORDS = re.compile(r"[^\W_]+")
# "MixFinal" is two words, and so is "song2".
_HUMPS = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True)
class Bounce:
    """What is known of a track before its sound is looked at.

    Attributes:
        track: its folder.
        names: what its song may be called, by its file's name and by its tag.
        version: numbers that tell it from others by its file's name, None where there are none.
        said: what a person said it is a revision of: a track's id, ALONE, or None.
    """

    track: Track
    names: frozenset[str]
    version: tuple[int, ...] | None
    said: str | None


@dataclass(frozen=True)
class Revision:
    """A track's place among the bounces of its song.

    Attributes:
        track: its id.
        song: id of the song's first bounce.
        number: 1 for the first.
        previous: id of the bounce before, None for the first.
        reason: why it counts as one of them.
    """

    track: str
    song: str
    number: int
    previous: str | None
    reason: str


def song_name(name: str, *, with_numbers: bool = False) -> str:
    """What remains of a file's name or a title without what tells one bounce from the next.

    Args:
        name: a file's name or a title.
        with_numbers: keep plain numbers, which may count bounces or songs.

    >>> song_name("Night Bus v2 (Final Mix 24bit).wav"), song_name("night_bus-master.flac"), song_name("mix 3.wav")
    ('night bus', 'night bus', 'mix')
    """
    stem = Path(name).stem if re.search(r"\.\w{2,4}$", name) else name
    words = [word.lower() for word in _WORDS.findall(_HUMPS.sub(" ", stem))]
    kept = [w for w in words if not _VERSION.fullmatch(w) or (with_numbers and _PLAIN_NUMBER.fullmatch(w))]
    return " ".join(kept or words[:1])


def version_of(name: str) -> tuple[int, ...] | None:
    """The version that a file's name says it is: a song's bare name comes before all; None where nothing is said.

    >>> version_of("Night Bus v2.wav"), version_of("night-bus_mix3 rev1.wav"), version_of("Night Bus.wav")
    ((2,), (3, 1), (0,))
    >>> version_of("Night Bus final.wav")
    """
    stem = Path(name).stem
    if found := _NUMBERED.findall(stem):
        return tuple(int(number) for number in found)
    words = _WORDS.findall(_HUMPS.sub(" ", stem))
    return None if any(_VERSION.fullmatch(word.lower()) for word in words) else (0,)


def _written_ns(track: Track) -> int:
    arrived = library.arrivals(track)
    return arrived[0].mtime_ns if arrived else 0


def bounces(connection: duckdb.DuckDBPyConnection, tracks: Sequence[Track]) -> list[Bounce]:
    """Every track of the catalogue with what its names say, oldest first."""
    by_id = {track.id: track for track in tracks}
    rows = connection.execute(
        "SELECT library.track, library.name, metadata.title, person.value::VARCHAR "
        "FROM library LEFT JOIN metadata USING (track) "
        f"LEFT JOIN (SELECT track, value FROM person WHERE field = '{FIELD}') AS person USING (track) "
        "ORDER BY library.arrived_utc, library.track"
    ).fetchall()
    known = [row for row in rows if row[0] in by_id]
    loose = [{song_name(text) for text in (name, title) if text} for _, name, title, _ in known]
    strict = [{song_name(text, with_numbers=True) for text in (name, title) if text} for _, name, title, _ in known]
    tracks_of_loose, tracks_of_strict = (Counter(name for names in sets for name in names) for sets in (loose, strict))
    return [
        Bounce(
            by_id[track],
            frozenset(name for name in some if tracks_of_loose[name] <= MAX_NAMESAKES)
            | frozenset(name for name in exact if tracks_of_strict[name] <= MAX_NAMESAKES),
            version_of(name),
            json.loads(said) if said else None,
        )
        for (track, name, _, said), some, exact in zip(known, loose, strict, strict=True)
    ]


def candidates(listed: Sequence[Bounce]) -> list[list[Bounce]]:
    """Groups of which each may hold several bounces of one song, by their names and by what a person said."""
    places = {one.track.id: number for number, one in enumerate(listed)}
    heads = list(range(len(listed)))

    def head(number: int) -> int:
        while heads[number] != number:
            number = heads[number]
        return number

    def join(first: int, second: int) -> None:
        low, high = sorted((head(first), head(second)))
        heads[high] = low

    names: dict[str, int] = {}
    for number, one in enumerate(listed):
        if one.said == ALONE:
            continue
        for name in one.names - {""}:
            join(number, names.setdefault(name, number))
        if one.said in places:
            join(number, places[one.said])
    groups: dict[int, list[Bounce]] = defaultdict(list)
    for number, one in enumerate(listed):
        groups[head(number)].append(one)
    return [group for group in groups.values() if len(group) > 1]


def signature(group: Sequence[Bounce]) -> str:
    """Changes whenever a group's bounces, their sound or a person's words change."""
    parts = [(one.track.signature, sorted(one.names), one.version, one.said) for one in group]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]


def revisions(group: Sequence[Bounce]) -> list[Revision]:
    """The songs of which a group has several bounces, each bounce with its number, oldest first."""
    prints = {one.track.id: _fingerprint(one.track) for one in group}
    songs: list[list[tuple[Bounce, str]]] = []
    for one in group:
        song, reason = _song_of(one, songs, prints)
        if song is None:
            songs.append([(one, "")])
        else:
            song.append((one, reason))
    return [revision for song in songs if len(song) > 1 for revision in _numbered(song)]


def _numbered(song: Sequence[tuple[Bounce, str]]) -> Iterator[Revision]:
    """The bounces of a song in the order in which they were made, whatever the order in which they came."""
    order = _in_order([one for one, _ in song])
    reasons = {one.track.id: reason for one, reason in song}
    # Who came first was compared with nobody; why it belongs to the others is why the next one does.
    shared = next(reason for _, reason in song[1:])
    for number, one in enumerate(order):
        reason = "the first bounce" if number == 0 else reasons[one.track.id] or shared
        previous = order[number - 1].track.id if number else None
        yield Revision(one.track.id, order[0].track.id, number + 1, previous, reason)


def _in_order(song: Sequence[Bounce]) -> list[Bounce]:
    """By the version numbers of their names, where all have one; else by when the files were last written to."""
    if all(one.version is not None for one in song) and len({one.version for one in song}) == len(song):
        return sorted(song, key=lambda one: one.version or ())
    return sorted(song, key=lambda one: (_written_ns(one.track), song.index(one)))


def _song_of(
    one: Bounce, songs: Sequence[list[tuple[Bounce, str]]], prints: Mapping[str, Fingerprint | None]
) -> tuple[list[tuple[Bounce, str]] | None, str]:
    """The song of which this is a later bounce, and why; (None, "") if it is the first of its own."""
    for song in songs:
        members = [bounce for bounce, _ in song]
        if one.said in {bounce.track.id for bounce in members}:
            return song, "your word"
        if any(bounce.said == one.track.id for bounce in members):
            return song, "your word"
    own = prints[one.track.id]
    if own is None or one.said is not None:
        return None, ""
    for song in songs:
        for bounce, _ in reversed(song):
            other = prints[bounce.track.id]
            if other is None or bounce.said == ALONE or not (one.names & bounce.names) - {""}:
                continue
            match = similarity(own, other)
            if match.is_same:
                return song, f"the same name, and {match.score:.0%} alike in sound"
    return None, ""


def _fingerprint(track: Track) -> Fingerprint | None:
    try:
        found = record.read(track.folder, {"fingerprint": Fingerprint}).results.get("fingerprint")
    except RecordError:
        return None
    return found if isinstance(found, Fingerprint) and found.landmark_count else None


def note_revisions(connection: duckdb.DuckDBPyConnection, tracks: Sequence[Track]) -> None:
    """Keep which tracks are bounces of one song; only where names agree and something changed are sounds compared."""
    known = catalogue.derived(connection, "revisions")
    rows: list[catalogue.Row] = []
    marks: dict[str, str] = {}
    grouped: set[str] = set()
    for group in candidates(bounces(connection, tracks)):
        mark = signature(group)
        grouped.update(one.track.id for one in group)
        if any(known.get(one.track.id) != mark for one in group):
            marks |= {one.track.id: mark for one in group}
            rows += [asdict(one) for one in revisions(group)]
    # What was in a group and is alone now: its partner is gone, or a person took it out.
    marks |= {track: "" for track, mark in known.items() if mark and track not in grouped}
    if marks:
        catalogue.replace_derived(connection, "revisions", {"revisions": rows}, marks)


def songs(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[Revision, ...]]:
    """Track → all bounces of its song, oldest first, for those of which there are several."""
    rows = connection.execute(
        "SELECT track, song, number, previous, reason FROM revisions ORDER BY song, number"
    ).fetchall()
    listed: dict[str, list[Revision]] = defaultdict(list)
    for row in rows:
        listed[row[1]].append(Revision(*row))
    return {one.track: tuple(song) for song in listed.values() for one in song}
