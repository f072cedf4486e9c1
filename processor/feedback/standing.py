"""Where a measure stands in a person's own library: "brighter than 83 % of your techno"."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import duckdb
import numpy as np
from numpy.typing import NDArray

# Of fewer, a percentage says nothing.
MIN_PEERS = 10
# A library that grew by so much is counted again on every page; until then, a page keeps what it says.
GROWTH = 1.25
ANY_GENRE = "*"


@dataclass(frozen=True)
class Measure:
    """A field, and what one says of a track that has more of it, and of one that has less."""

    field: str
    more: str
    less: str


MEASURES = (
    Measure("loudness.integrated_lufs", "louder", "quieter"),
    Measure("levels.dr", "more dynamic", "more compressed"),
    Measure("loudness.range_lu", "wider in loudness", "more even in loudness"),
    Measure("loudness.plr_db", "peakier", "less peaky"),
    Measure("spectrum.tilt_db_per_octave", "brighter", "darker"),
    Measure("spectrum.sub_share", "heavier in the sub", "lighter in the sub"),
    Measure("spectrum.bass_share", "heavier in the bass", "lighter in the bass"),
    Measure("stereo.width", "wider", "narrower"),
    Measure("transients.punch_db", "punchier", "softer"),
    Measure("transients.onset_rate", "busier", "sparser"),
    Measure("beats.tempo_bpm", "faster", "slower"),
    Measure("source.duration_s", "longer", "shorter"),
)


@dataclass(frozen=True)
class Standing:
    """Where one measure of one track stands among its peers.

    Attributes:
        field: "analyser.field".
        word: "brighter" or "darker": what it is more than `share` of them.
        share: share of the peers that it surpasses, 0.5 to 1; half of those that are equal count.
        peers: how many other tracks it was compared with.
        group: "your techno", or "your library".
    """

    field: str
    word: str
    share: float
    peers: int
    group: str

    @property
    def text(self) -> str:
        """As one says it: "brighter than 83 % of your techno"."""
        return f"{self.word} than {round(100 * self.share)}\u00a0% of {self.group}"


class Library:
    """The measures of every track of a library, ready to be compared.

    Args:
        connection: the catalogue.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        names = [measure.field.partition(".")[0] for measure in MEASURES]
        joins = " ".join(f'LEFT JOIN "{name}" USING (track)' for name in dict.fromkeys(names))
        fields = ", ".join('"{}"."{}"'.format(*measure.field.split(".")) for measure in MEASURES)
        rows = connection.execute(
            f"SELECT tracks.track, tracks.genre, tracks.material_kind, tracks.song, {fields} FROM tracks {joins}"
        ).fetchall()
        self._numbers = {str(row[0]): number for number, row in enumerate(rows)}
        self._genres = [_group(row[1]) for row in rows]
        self._kinds = [str(row[2] or "") for row in rows]
        self._songs = [str(row[3] or row[0]) for row in rows]
        values = [[math.nan if value is None else float(value) for value in row[4:]] for row in rows]
        self._values = np.array(values, np.float64).reshape(len(rows), len(MEASURES))
        members: dict[tuple[str, str], list[int]] = defaultdict(list)
        bounces: dict[str, set[int]] = defaultdict(set)
        for number, (genre, kind, song) in enumerate(zip(self._genres, self._kinds, self._songs, strict=True)):
            bounces[song].add(number)
            for name in {genre, ANY_GENRE}:
                members[name, kind].append(number)
        self._members = {group: np.array(numbers) for group, numbers in members.items()}
        self._bounces = dict(bounces)

    def size(self, track: str) -> int:
        """How many tracks this one is compared with, counted in steps of GROWTH; 0 if too few."""
        _, peers, _ = self._group_of(track)
        return 0 if peers < MIN_PEERS else int(math.log(peers, GROWTH))

    def standing(self, track: str) -> tuple[Standing, ...]:
        """Where a track stands in each measure that it has, the most unusual first."""
        if track not in self._numbers:
            return ()
        number = self._numbers[track]
        members, _, group = self._group_of(track)
        own = self._values[number]
        peers = members[~np.isin(members, list(self._bounces[self._songs[number]]))]
        found = [
            one
            for measure, value, others in zip(MEASURES, own, self._values[peers].T, strict=True)
            if (one := _standing(measure, float(value), others, group)) is not None
        ]
        return tuple(sorted(found, key=lambda one: -one.share))

    def _group_of(self, track: str) -> tuple[NDArray[np.int64], int, str]:
        """What a track is compared with: those of its genre, or of all where these are too few; and of its kind.

        Returns:
            Numbers of all in the group; how many of them are peers, which other bounces of its song are not; and what
            the group is called.
        """
        number = self._numbers.get(track)
        if number is None:
            return np.zeros(0, np.int64), 0, "your library"
        genre, kind, bounces = self._genres[number], self._kinds[number], self._bounces[self._songs[number]]

        def found(name: str, called: str) -> tuple[NDArray[np.int64], int, str]:
            members = self._members[name, kind]
            same = sum(self._kinds[one] == kind and name in (self._genres[one], ANY_GENRE) for one in bounces)
            return members, members.size - same, called

        of_genre = found(genre, f"your {genre}")
        return of_genre if genre and of_genre[1] >= MIN_PEERS else found(ANY_GENRE, "your library")


def _group(genre: object) -> str:
    """A genre as it is compared: in small letters, cut to a length that a line can bear."""
    return " ".join(str(genre).lower().split())[:40] if genre else ""


def _standing(measure: Measure, value: float, others: NDArray[np.float64], group: str) -> Standing | None:
    known = others[np.isfinite(others)]
    if not math.isfinite(value) or known.size < MIN_PEERS:
        return None
    below = float((known < value).mean() + (known == value).mean() / 2)
    word, share = (measure.more, below) if below >= 0.5 else (measure.less, 1 - below)
    return Standing(measure.field, word, share, int(known.size), group)
