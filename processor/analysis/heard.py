"""What the taggers heard, in our words and in one measure: the common ground of all that is fused from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis._fusion_rules import odds
from processor.analysis._ontology import AUDIOSET, CLAP, classes_of, tag_of
from processor.analysis._windows import pooled
from processor.analysis.tags_ast import TagsAst
from processor.analysis.tags_clap import TagsClap
from processor.analysis.tags_yamnet import TagsYamnet
from processor.graph import analyser

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Claim:
    """What one tagger says of one tag.

    Attributes:
        raw: its score for the whole track, as it gave it.
        odds: that score as log-odds that the tag is right, in nats.
        word: the tagger's own word that speaks for it most.
        category: of the tag.
    """

    raw: float
    odds: float
    word: str
    category: str


@dataclass(frozen=True)
class Hearing:
    """What one tagger heard.

    Attributes:
        source: "YAMNet", "AST" or "CLAP".
        claims: tag → what it says of the whole track; what it cannot name is not there.
        names: the tags, in the order of the columns.
        scores: one row a window, one column a tag; NaN where a window is silent.
        hop_s: seconds from window to window.
        window_s: length of a window.
        chances: tag → share of its classes among those that they are weighed against; 0 where nothing is weighed.
    """

    source: str
    claims: Mapping[str, Claim]
    names: tuple[str, ...]
    scores: Matrix
    hop_s: float
    window_s: float
    chances: Mapping[str, float]

    def by_second(self, names: tuple[str, ...], seconds: int) -> Matrix:
        """Log-odds of some of its tags in each second, shape `(seconds, names)`; silence counts as a score of 0.

        A second hears the strongest of the windows that lie in it by half a window at least.
        """
        columns = np.array([self.names.index(name) for name in names], np.int64)
        found = np.zeros((seconds, columns.size), np.float32)
        if columns.size and len(self.scores):
            middles = np.arange(len(self.scores)) * self.hop_s + self.window_s / 2
            heard = np.nan_to_num(self.scores[:, columns], nan=0.0)
            reach = max(1.0, self.window_s) / 2
            first = np.searchsorted(middles, np.arange(seconds) + 0.5 - reach)
            last = np.searchsorted(middles, np.arange(seconds) + 0.5 + reach, side="right")
            for second in range(seconds):
                part = heard[first[second] : last[second]]
                found[second] = part.max(axis=0) if len(part) else 0.0
        return (
            np.stack(
                [
                    odds(self.source, tag_of(name).category, found[:, k], self.chances.get(name, 0.0))
                    for k, name in enumerate(names)
                ],
                axis=1,
            ).astype(np.float32)
            if names
            else found
        )


@dataclass(frozen=True)
class Heard:
    """What each tagger heard, in a fixed order; empty where none was at work."""

    hearings: tuple[Hearing, ...]


@analyser(version=1, keep=False)
def heard(
    tags_yamnet: TagsYamnet | None = None, tags_ast: TagsAst | None = None, tags_clap: TagsClap | None = None
) -> Heard:
    """Put the words of all taggers into ours.

    Source: `data/ontology.toml`; scores to log-odds as `_fusion_rules.odds`.
    """
    found = []
    taggers = (("YAMNet", AUDIOSET, tags_yamnet), ("AST", AUDIOSET, tags_ast), ("CLAP", CLAP, tags_clap))
    for source, vocabulary, one in taggers:
        if one is not None and one.scores.ndim == 2 and one.scores.shape[1] == one.classes.size:
            found.append(_hearing(source, vocabulary, one))
    return Heard(tuple(found))


def _hearing(source: str, vocabulary: str, tagger: TagsYamnet | TagsAst | TagsClap) -> Hearing:
    classes = tuple(str(name) for name in tagger.classes)
    columns = classes_of(vocabulary, classes)
    scores = np.asarray(tagger.scores, np.float32)
    together = np.sum if vocabulary == CLAP else np.max  # shares of one whole add up, chances of each class do not
    merged = np.zeros((len(scores), len(columns)), np.float32)
    for k, numbers in enumerate(columns.values()):
        merged[:, k] = together(scores[:, numbers], axis=1)
    chances = _chances(classes, columns) if vocabulary == CLAP else {}
    whole = pooled(merged) if columns else None
    best = pooled(scores)
    claims = {}
    if whole is not None and best is not None:
        for (name, numbers), raw in zip(columns.items(), whole.tolist(), strict=True):
            word = classes[max(numbers, key=lambda number: float(best[number]))].rpartition(": ")[2]
            category = tag_of(name, classes[numbers[0]].partition(": ")[0]).category
            value = float(odds(source, category, raw, chances.get(name, 0.0)))
            claims[name] = Claim(raw, value, word, category)
    return Hearing(source, claims, tuple(columns), merged, tagger.hop_s, tagger.window_s, chances)


def _chances(classes: tuple[str, ...], columns: Mapping[str, tuple[int, ...]]) -> dict[str, float]:
    """Share of each tag's labels among all labels of their category."""
    categories = [name.partition(": ")[0] for name in classes]
    return {name: len(numbers) / max(1, categories.count(categories[numbers[0]])) for name, numbers in columns.items()}
