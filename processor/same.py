"""Which tracks of the library are one recording: another coding, another level, cut or at another speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor import library, record
from processor.analysis.fingerprint import Fingerprint, Match, hashes, similarity, unpacked
from processor.errors import RecordError
from processor.library import Track
from processor.workspace import Workspace

# Two recordings that are one have triples of landmarks in common whose distance in time stays the same, within the
# few seconds that 3 % of speed make of four minutes. A strip of twice this width is looked at.
STRIP_S = 8.0
# So many triples in a strip, and so large a share of those that the shorter of the two has, make it worth laying one
# on the other. Measured on 76 recordings: 20 % and more after another coding, cut or speed, 4 % after a phase vocoder.
MIN_TRIPLES, MIN_SHARE = 3, 0.01
MOST_CANDIDATES = 50
# A hash that occurs so often (a steady drum machine) tells nothing, and would cost most of the time.
COMMON_HASH = 2000


@dataclass(frozen=True)
class Twin:
    """A track that is the same recording as another, and how it lies on that."""

    track: Track
    match: Match


@dataclass(frozen=True)
class Group:
    """One recording that the library has more than once.

    Attributes:
        first: the track that was stored first.
        others: the rest, each with its match to `first`.
    """

    first: Track
    others: tuple[Twin, ...]


class Index:
    """Many fingerprints, ready to be searched for those that may be one recording with another."""

    def __init__(self, fingerprints: Sequence[Fingerprint]) -> None:
        self._fingerprints = list(fingerprints)
        parts = [_hashed(one) for one in self._fingerprints]
        keys = np.concatenate([np.zeros(0, np.int64), *(keys for keys, _ in parts)])
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        self._frames = np.concatenate([np.zeros(0, np.int64), *(frames for _, frames in parts)])[order]
        self._sizes = np.array([keys.size for keys, _ in parts], np.int64)
        self._owners = np.repeat(np.arange(len(parts)), self._sizes)[order]

    def find(self, one: Fingerprint) -> dict[int, Match]:
        """Which of the fingerprints are the same recording: their number and how they match, best first."""
        matches = {number: similarity(one, self._fingerprints[number]) for number in self._candidates(one)}
        same = [(number, match) for number, match in matches.items() if match.is_same]
        return dict(sorted(same, key=lambda pair: (-pair[1].score, pair[0])))

    def _candidates(self, one: Fingerprint) -> list[int]:
        """Numbers of those that share triples at one distance in time, most first."""
        keys, frames = _hashed(one)
        start = np.searchsorted(self._keys, keys)
        count = np.searchsorted(self._keys, keys, side="right") - start
        count[count > COMMON_HASH] = 0
        which = np.repeat(start - np.cumsum(count) + count, count) + np.arange(count.sum())
        if not which.size:
            return []
        distance = self._frames[which] - np.repeat(frames, count)
        strips = (distance - distance.min()) // max(1, round(STRIP_S * one.frame_rate_hz))
        width = int(strips.max()) + 2
        cells, votes = np.unique(self._owners[which] * width + strips, return_counts=True)
        # Triples that straddle two strips count for both.
        votes[:-1] += votes[1:] * (np.diff(cells) == 1)
        best = np.zeros(len(self._fingerprints), np.int64)
        np.maximum.at(best, cells // width, votes)
        order = np.argsort(-best, kind="stable")[:MOST_CANDIDATES]
        enough = np.maximum(MIN_TRIPLES, MIN_SHARE * np.minimum(keys.size, self._sizes))
        return [int(number) for number in order if best[number] >= enough[number]]


def _hashed(one: Fingerprint) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hashes, and the time step at which each begins."""
    frames, pitches = unpacked(one)
    keys, firsts = hashes(frames, pitches)
    return keys, frames[firsts]


def fingerprints(workspace: Workspace) -> list[tuple[Track, Fingerprint]]:
    """Every track of the library that can be recognised, oldest first; records that cannot be read are left out."""
    found = []
    for track in library.tracks(workspace):
        try:
            result = record.read(track.folder, {"fingerprint": Fingerprint}).results.get("fingerprint")
        except RecordError:
            continue  # `linernotes doctor` names it
        if result is not None and result.landmark_count:
            found.append((track, result))
    return found


def same_as(workspace: Workspace, track: Track) -> list[Twin]:
    """The tracks that are the same recording as this one, best match first."""
    known = fingerprints(workspace)
    wanted = next((one for other, one in known if other.id == track.id), None)
    if wanted is None:
        return []
    others = [(other, one) for other, one in known if other.id != track.id]
    found = Index([one for _, one in others]).find(wanted)
    return [Twin(others[number][0], match) for number, match in found.items()]


def groups(workspace: Workspace) -> list[Group]:
    """Every recording that the library has more than once, in the order in which they were first stored."""
    known = fingerprints(workspace)
    index = Index([one for _, one in known])
    heads = list(range(len(known)))
    for number, (_, one) in enumerate(known):
        for other in index.find(one):
            low, high = sorted((_head(heads, number), _head(heads, other)))
            heads[high] = low
    members: dict[int, list[int]] = {}
    for number in range(len(known)):
        members.setdefault(_head(heads, number), []).append(number)
    return [
        Group(known[head][0], tuple(Twin(known[n][0], similarity(known[head][1], known[n][1])) for n in numbers[1:]))
        for head, numbers in members.items()
        if len(numbers) > 1
    ]


def _head(heads: list[int], number: int) -> int:
    """The first of the group that a number belongs to."""
    while heads[number] != number:
        number = heads[number]
    return number
