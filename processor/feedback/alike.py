"""Which tracks of a library sound alike: those whose vectors are nearest, in the best space that a track is in."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import duckdb
import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 5
CHARACTER = "character"
# Of 69 recordings cut in two, nine in ten second halves are nearer to their first than this; of pairs of different
# recordings one in twenty is. Beyond it two tracks are not alike, only less unlike than others.
ALIKE_BELOW = {CHARACTER: 4.0}
# Of CLAP's embeddings the cosine distance; from what its authors report of related clips, not measured here.
ALIKE_BELOW_CLAP = 0.35
BLOCK_ROWS = 1024


@dataclass(frozen=True)
class Neighbour:
    """A track that sounds like another.

    Attributes:
        track: its id.
        title: its title.
        distance: to the other, in the units of the space; a tenth is the least that is told.
        space: "character", or "clap" and the model's name.
    """

    track: str
    title: str
    distance: float
    space: str


def neighbours(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[Neighbour, ...]]:
    """Track → the tracks that sound like it, the nearest first; bounces of the same song are passed over.

    Args:
        connection: the catalogue.
    """
    rows = connection.execute(
        "SELECT vectors.track, space, vector, coalesce(title, ''), coalesce(song, vectors.track) FROM vectors "
        "JOIN library USING (track) LEFT JOIN revisions USING (track) ORDER BY vectors.track"
    ).fetchall()
    spaces: dict[str, list[tuple[str, list[float], str, str]]] = defaultdict(list)
    for track, space, vector, title, song in rows:
        spaces[space].append((track, vector, title, song))
    found: dict[str, tuple[Neighbour, ...]] = {}
    for space in sorted(spaces, key=lambda name: name != CHARACTER):  # what CLAP says replaces what the numbers say
        found |= {track: near for track, near in _in_space(space, spaces[space]).items() if near or track not in found}
    return found


def _in_space(space: str, listed: list[tuple[str, list[float], str, str]]) -> dict[str, tuple[Neighbour, ...]]:
    """Neighbours of all tracks that have a vector of this space."""
    sizes = {len(vector) for _, vector, _, _ in listed}
    if len(listed) < 2 or len(sizes) != 1:  # vectors of two versions do not compare; a refresh mends that
        return {}
    vectors = np.array([vector for _, vector, _, _ in listed], np.float32)
    songs = np.unique([song for *_, song in listed], return_inverse=True)[1]
    limit = ALIKE_BELOW.get(space, ALIKE_BELOW_CLAP)
    found = {}
    for start in range(0, len(listed), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        distances = _distances(space, vectors[rows], vectors)
        distances[songs[rows, None] == songs[None, :]] = np.inf
        most = min(NEIGHBOURS, len(listed) - 1)
        nearest = np.argpartition(distances, most - 1, axis=1)[:, :most]
        for own, (row, columns) in zip(listed[rows], zip(distances, nearest, strict=True), strict=True):
            order = sorted((float(row[column]), listed[column][0], column) for column in columns)
            found[own[0]] = tuple(
                Neighbour(track, listed[column][2], round(distance, 2), space)
                for distance, track, column in order
                if distance < limit
            )
    return found


def _distances(space: str, some: NDArray[np.float32], every: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distances, shape `(len(some), len(every))`: Euclid's for measures, one less the cosine for embeddings."""
    if space == CHARACTER:
        squares = (some**2).sum(axis=1)[:, None] + (every**2).sum(axis=1) - 2 * some @ every.T
        return np.asarray(np.sqrt(np.maximum(squares, 0.0)), np.float32)
    lengths = np.linalg.norm(some, axis=1)[:, None] * np.linalg.norm(every, axis=1)
    cosines = np.divide(some @ every.T, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return np.asarray(1 - cosines, np.float32)
