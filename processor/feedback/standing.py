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
        rows = connection.execute(f"SELECT tracks.track, tracks.genre, {fields} FROM tracks {joins}").fetchall()
        self._numbers = {str(row[0]): number for number, row in enumerate(rows)}
        self._genres = [_group(row[1]) for row in rows]
        values = [[math.nan if value is None else float(value) for value in row[2:]] for row in rows]
        self._values = np.array(values, np.float64).reshape(len(rows), len(MEASURES))
        members: dict[str, list[int]] = defaultdict(list)
        for number, genre in enumerate(self._genres):
            members[genre].append(number)
        self._members = {genre: np.array(numbers) for genre, numbers in members.items()}

    def size(self, track: str) -> int:
        """How many tracks this one is compared with, counted in steps of GROWTH; 0 if too few."""
        peers, _ = self._peers(track)
        return 0 if peers.size < MIN_PEERS else int(math.log(peers.size, GROWTH))

    def standing(self, track: str) -> tuple[Standing, ...]:
        """Where a track stands in each measure that it has, the most unusual first."""
        peers, group = self._peers(track)
        if track not in self._numbers:
            return ()
        own = self._values[self._numbers[track]]
        found = [
            one
            for measure, value, others in zip(MEASURES, own, self._values[peers].T, strict=True)
            if (one := _standing(measure, float(value), others, group)) is not None
        ]
        return tuple(sorted(found, key=lambda one: -one.share))

    def _peers(self, track: str) -> tuple[NDArray[np.int64], str]:
        """The others of its genre, or, where these are too few, of the library."""
        number = self._numbers.get(track)
        if number is None:
            return np.zeros(0, np.int64), "your library"
        genre = self._genres[number]
        peers = self._members[genre]
        if genre and peers.size > MIN_PEERS:
            return peers[peers != number], f"your {genre}"
        everything = np.arange(len(self._genres))
        return everything[everything != number], "your library"


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
