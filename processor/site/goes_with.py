"""What of the library goes with what, and what a track's page says of that and of mashups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import duckdb

from processor.feedback.advice import signed
from processor.mashup.kept import Stored

FOLDER = "mashups"
GOES_WITH = 5
# Below this nobody would be pleased; a page of a track names nothing that is worse.
WORTH = 0.3
_BEST_FIRST = "score DESC, vocals, instrumental"


@dataclass(frozen=True)
class Match:
    """A pair of the library, as the table `mashability` has it.

    Attributes:
        vocals: id of the track that is sung.
        instrumental: id of the track that it is sung over.
        score: 0 to 1.
        harmonic, rhythmic, room, energy, overlap: what the score is made of, 0 to 1; None where nobody can tell.
        tempo_change_percent: how much faster the vocals become; None where nobody can tell.
        vocal_beats_per_beat: 1, or 2 and 0.5 in double and half time.
        shift_semitones: shift of the vocals.
        reasons: what speaks for it and against it.
    """

    vocals: str
    instrumental: str
    score: float
    harmonic: float | None = None
    rhythmic: float | None = None
    room: float | None = None
    energy: float | None = None
    overlap: float | None = None
    tempo_change_percent: float | None = None
    vocal_beats_per_beat: float | None = None
    shift_semitones: float | None = None
    reasons: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Shift and change of tempo: "+2 semitones, tempo −3.1 %, half time"."""
        shift = self.shift_semitones or 0.0
        told = [f"{signed(shift, 0)} semitone{'' if abs(shift) == 1 else 's'}" if shift else "no shift"]
        if self.tempo_change_percent is not None:
            told.append(f"tempo {signed(self.tempo_change_percent)} %")
        pace = {2.0: "double time", 0.5: "half time"}.get(self.vocal_beats_per_beat or 1.0)
        return ", ".join([*told, pace] if pace else told)


@dataclass(frozen=True)
class Partner:
    """A track that goes with another, for that one's page."""

    track: str
    title: str
    score: float
    words: str


@dataclass(frozen=True)
class Around:
    """What a track's page says of mashups; whatever is empty is not shown.

    Attributes:
        over: instrumentals that its vocals go with.
        under: tracks whose vocals go over its instrumental.
        takes_part: mashups that it is a song of, as (address below the site, name, its part).
        is_mashup: the mashup that it is itself, as (address, name).
        made_from: that one's songs, as (track, title, part).
    """

    over: tuple[Partner, ...] = ()
    under: tuple[Partner, ...] = ()
    takes_part: tuple[tuple[str, str, str], ...] = ()
    is_mashup: tuple[str, str] | None = None
    made_from: tuple[tuple[str, str, str], ...] = ()


NOTHING_AROUND = Around()


def page_name(one: Stored) -> str:
    """Where a mashup's page is, below the site."""
    return f"{FOLDER}/{one.id}.html"


def matches(connection: duckdb.DuckDBPyConnection, most: int) -> list[Match]:
    """The best pairs of the library, the best first; none where they were never scored.

    Args:
        connection: the catalogue.
        most: no more than so many.
    """
    return _select(connection, f"WHERE score > 0 ORDER BY {_BEST_FIRST} LIMIT {int(most)}")


def _best_of_each(connection: duckdb.DuckDBPyConnection) -> list[Match]:
    """The best pairs of each track on either side, the best first."""
    ranks = [
        f"row_number() OVER (PARTITION BY {side} ORDER BY {_BEST_FIRST}) <= {GOES_WITH}"
        for side in ("vocals", "instrumental")
    ]
    return _select(connection, f"WHERE score >= {WORTH} QUALIFY {' OR '.join(ranks)} ORDER BY {_BEST_FIRST}")


def _select(connection: duckdb.DuckDBPyConnection, which: str) -> list[Match]:
    known = {field.name for field in fields(Match)}
    try:
        found = connection.execute(f"SELECT * FROM mashability {which}")
        names = [column[0] for column in found.description or ()]
        rows = found.fetchall()
    except duckdb.CatalogException:  # of an older version; the next publish makes it anew
        return []
    return [_match({name: value for name, value in zip(names, row, strict=True) if name in known}) for row in rows]


def _match(row: dict[str, Any]) -> Match:
    reasons = row.pop("reasons", None) or ()
    return Match(**row, reasons=(reasons,) if isinstance(reasons, str) else tuple(reasons))


def titles_of(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Track → its title."""
    return {track: title or track for track, title in connection.execute("SELECT track, title FROM library").fetchall()}


def around(connection: duckdb.DuckDBPyConnection, listed: Sequence[Stored]) -> dict[str, Around]:
    """Track → what its page says of mashups; tracks of which there is nothing to say are left out.

    Args:
        connection: the catalogue.
        listed: all mashups of the library.
    """
    titles = titles_of(connection)
    over: dict[str, list[Partner]] = defaultdict(list)
    under: dict[str, list[Partner]] = defaultdict(list)
    for match in _best_of_each(connection):
        if not titles.keys() >= {match.vocals, match.instrumental}:
            continue
        for side, own, other in (
            (over, match.vocals, match.instrumental),
            (under, match.instrumental, match.vocals),
        ):
            if len(side[own]) < GOES_WITH:
                side[own].append(Partner(other, titles[other], round(match.score, 3), match.words))
    takes_part: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    mixes: dict[str, Stored] = {}
    for one in listed:
        made_from = one.made_from
        takes_part[made_from.vocals].append((page_name(one), one.name, "vocals"))
        takes_part[made_from.instrumental].append((page_name(one), one.name, "instrumental"))
        if made_from.mix:
            mixes[made_from.mix] = one
    return {
        track: Around(
            tuple(over.get(track, ())),
            tuple(under.get(track, ())),
            tuple(takes_part.get(track, ())),
            (page_name(mixes[track]), mixes[track].name) if track in mixes else None,
            _songs(mixes[track], titles) if track in mixes else (),
        )
        for track in {*over, *under, *takes_part, *mixes} & titles.keys()
    }


def _songs(one: Stored, titles: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
    parts = ((one.made_from.vocals, "vocals"), (one.made_from.instrumental, "instrumental"))
    return tuple((track, titles[track], part) for track, part in parts if track in titles)
