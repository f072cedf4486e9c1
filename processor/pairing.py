"""Who sings and who plays, of two songs that were dropped for a mashup, and the sounds that each is played from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from processor import library, record
from processor.analysis import result_types
from processor.analysis.beats import DRUMS
from processor.bundles import BACKING_VOCALS, INSTRUMENTAL, LAYERS, VOCALS, Pairing
from processor.errors import LinerNotesError, RecordError
from processor.files import printable
from processor.library import Track
from processor.mashup.making import Songs
from processor.mashup.match import Pair, score_all
from processor.mashup.plan import Plan
from processor.mashup.songs import FULL_MIX, NoStems, Song, from_track, supplied_kind
from processor.record import Results
from processor.sidecars import MADE_AGAIN
from processor.workspace import Workspace


@dataclass(frozen=True)
class Played:
    """Two songs, ready to be played.

    Attributes:
        songs: who sings, and who plays.
        reasons: why these, where that was ours to decide, and what a person should know of what was supplied.
    """

    songs: Songs
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Part:
    """A track, the part that it plays, and whether it is to be played as it is."""

    track: Track
    part: str
    is_stem: bool


def to_separate(dropped: Pairing) -> Iterator[Track]:
    """Tracks that have to be taken apart before they can be played; one that a model failed at is not tried again."""
    for track, is_stem in _needing(dropped):
        try:
            found = record.read(track.folder, result_types(), curves=False)
        except RecordError:
            continue  # `linernotes doctor` names it
        failure = found.failures.get("stems")
        is_whole_song = not is_stem or supplied_kind(found.results)[0] == FULL_MIX
        if is_whole_song and (failure is None or failure.kind != "failed") and not _has_stems(track, found.results):
            yield track


def _has_stems(track: Track, results: Results) -> bool:
    if "stems" not in results:
        return False
    try:
        from_track(track, VOCALS)
    except NoStems as error:
        return MADE_AGAIN not in str(error)  # what is not in it, no model finds the second time
    return True


def _needing(dropped: Pairing) -> Iterator[tuple[Track, bool]]:
    """Each track that sings or plays, and whether it was called a stem."""
    if dropped.vocals is not None:
        yield dropped.vocals, True
    if dropped.instrumental is not None and not dropped.layers.keys() >= set(LAYERS):
        yield dropped.instrumental, True
    if dropped.vocals is None or dropped.instrumental is None:
        yield from ((track, False) for track in dropped.songs)


def played(dropped: Pairing, plan: Plan | None, *, can_separate: bool) -> Played:
    """The songs of a folder, and why they are those.

    Args:
        dropped: the folder.
        plan: a person's plan, which says who sings.
        can_separate: whether there is a model that takes songs apart.

    Raises:
        NoStems: a song has to be taken apart first.
        LinerNotesError: the two are one, or a record cannot be read.
    """
    sings, plays = dropped.vocals, dropped.instrumental
    why: tuple[str, ...] = ()
    if sings is None and plays is None:
        sings, plays, why = _in_order(dropped, plan)
    others = [track for track in dropped.songs if track not in (sings, plays)]
    sings, plays = sings or next(iter(others), None), plays or next(iter(others), None)
    if sings is None or plays is None or sings == plays:
        raise LinerNotesError("Both of its songs are one and the same recording; a mashup needs two.")
    voice, told = _song(_Part(sings, VOCALS, sings == dropped.vocals), can_separate)
    backing, also = _backing(dropped, _Part(plays, INSTRUMENTAL, plays == dropped.instrumental), can_separate)
    return Played((_called(voice, dropped), _called(backing, dropped)), (*why, *told, *also))


def _called(song: Song, dropped: Pairing) -> Song:
    """A song by the name of its folder, where it has no other than that of its part."""
    is_named = song.title.casefold() not in (VOCALS, INSTRUMENTAL)
    return song if is_named else replace(song, title=printable(f"{dropped.name}: {song.title}"))


def _song(part: _Part, can_separate: bool) -> tuple[Song, tuple[str, ...]]:
    """One song. What was called a stem is played as it is, unless it is a whole song that can be taken apart."""
    if not part.is_stem:
        return from_track(part.track, part.part), ()
    song = from_track(part.track, part.part, is_stem=True)
    kind, why = supplied_kind(song.results)
    if kind != FULL_MIX or part.part != VOCALS:  # a mix without a voice is an instrumental
        return song, ()
    if can_separate or _has_stems(part.track, song.results):
        taken = f"{song.title} was supplied as {part.part}, but it is a whole song ({why}): its {part.part} are played."
        return from_track(part.track, part.part), (taken,)
    return song, (f"{song.title} was supplied as {part.part} and is played as it is, though {why}.",)


def _backing(dropped: Pairing, part: _Part, can_separate: bool) -> tuple[Song, tuple[str, ...]]:
    """The instrumental: from its stems, where a person supplied all of them and they begin and end together."""
    if not part.is_stem or not dropped.layers:
        return _song(part, can_separate)
    song = from_track(part.track, part.part, is_stem=True)
    tracks = {name: dropped.layers[name] for name in LAYERS if name in dropped.layers}
    told: tuple[str, ...] = ()
    if tracks and len(tracks) < len(LAYERS):
        told = (f"Of the instrumental, {', '.join(tracks)} alone are not all of it: it is played whole.",)
    if len(tracks) < len(LAYERS):
        tracks = {INSTRUMENTAL: part.track}
    if BACKING_VOCALS in dropped.layers:
        tracks[BACKING_VOCALS] = dropped.layers[BACKING_VOCALS]
    if tracks.keys() == {INSTRUMENTAL}:
        return song, told
    if not _lie_together([*tracks.values()]):
        return song, ("The stems of the instrumental are not of one length and sample rate: it is played whole.",)
    return _in_layers(song, tracks), told


def _in_layers(song: Song, tracks: Mapping[str, Track]) -> Song:
    """A song that is played from several tracks; its beats are heard in the drums, where they are one of these."""
    files = _files(tracks)
    return replace(song, layers=files, beat_file=files.get(DRUMS), beats_are_drums=DRUMS in files)


def _files(tracks: Mapping[str, Track]) -> dict[str, Path]:
    """The files of stems that are tracks, by what each is."""
    return {name: from_track(track, INSTRUMENTAL, is_stem=True).layers[INSTRUMENTAL] for name, track in tracks.items()}


def _lie_together(tracks: list[Track]) -> bool:
    """Whether tracks are of one length and sample rate, as stems of one song are."""
    found = set()
    for track in tracks:
        source = record.read(track.folder, result_types(), curves=False).results.get("source")
        found.add(None if source is None else (source.sample_rate_hz, round(source.duration_s, 2)))
    return len(found) == 1 and None not in found


# Two songs of no part


def _in_order(dropped: Pairing, plan: Plan | None) -> tuple[Track | None, Track | None, tuple[str, ...]]:
    """Who sings: whom a plan names, else whoever makes the better match."""
    if len(dropped.songs) != 2:
        return None, None, ()
    first, second = dropped.songs
    records = [record.read(track.folder, result_types()) for track in (first, second)]
    if plan is not None:
        is_turned = plan.vocals.sha256 == records[1].sha256
        return (second, first, ()) if is_turned else (first, second, ())
    for track in (first, second):
        from_track(track, INSTRUMENTAL)  # without stems nobody knows who can sing
    titles = {
        track.id: library.title_of(found.name, found.results.get("metadata"), library.read_person(track))
        for track, found in zip((first, second), records, strict=True)
    }
    pairs = score_all([(track.id, found.results) for track, found in zip((first, second), records, strict=True)])
    best = max(pairs, key=lambda pair: (pair.rejected is None, pair.fit.score), default=None)
    if best is None or all(pair.rejected is not None for pair in pairs):
        return first, second, (f"Nothing tells who should sing; {titles[first.id]} does, by the order of the names.",)
    other = next((pair for pair in pairs if pair.vocals != best.vocals), None)
    by_id = {first.id: first, second.id: second}
    return by_id[best.vocals], by_id[best.instrumental], (_told(best, other, titles),)


def _told(best: Pair, other: Pair | None, titles: dict[str, str]) -> str:
    chosen = f"{titles[best.vocals]} sings over {titles[best.instrumental]}: that is the better match of the two orders"
    if other is None:
        return f"{chosen} ({best.fit.score:.2f})."
    if other.rejected is not None:
        return f"{chosen} ({best.fit.score:.2f}); the other way round it cannot be done: {other.rejected.rstrip('.')}."
    return f"{chosen} ({best.fit.score:.2f}, the other way round {other.fit.score:.2f})."


# Songs of a mashup that was made


def again(workspace: Workspace, names: tuple[str, str], supplied: tuple[str, ...]) -> Songs:
    """The songs of a mashup, as they were played.

    Args:
        workspace: where.
        names: ids of the tracks that sing and play.
        supplied: "layer track" of each layer that is a track's own file.

    Raises:
        LinerNotesError: one of them is gone.
    """
    by_id = {track.id: track for track in library.tracks(workspace)}
    own = dict(line.split(" ", 1) for line in supplied if " " in line)
    missing = [name for name in (*names, *own.values()) if name not in by_id]
    if missing:
        raise LinerNotesError(f"{missing[0]} is gone from the library, so this mashup cannot be rendered again.")
    sings, plays = (by_id[name] for name in names)
    voice = from_track(sings, VOCALS, is_stem=VOCALS in own)
    layers = {layer: by_id[name] for layer, name in own.items() if layer != VOCALS}
    if not layers:
        return voice, from_track(plays, INSTRUMENTAL)
    return voice, _in_layers(from_track(plays, INSTRUMENTAL, is_stem=True), layers)
