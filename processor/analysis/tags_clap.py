"""Genre, mood, instruments, voice, production and texture in words of our choice, and where a track lies among others.

CLAP was never told these labels. It lays sound and sentences into one space, and the sentence that lies nearest says
most of the sound. In each category the nearness becomes shares that add up to one: how it was trained, and the only way
to compare labels, for a cosine of .3 is much for one sentence and little for the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis._windows import Cut, Progress, answers, best
from processor.audio import Audio
from processor.graph import analyser
from processor.models.clap import Clap
from processor.models.labels import CATEGORIES, LabelSet
from processor.quantities import quantity

Matrix = NDArray[np.float32]

TOP = 5
_WORDS = "CLAP, the nearest sentences of the label file"
_SHARES = "softmax over the category of cosine times the model's logit scale, mean of all windows"
_SCORES_HELP = "How the whole category is shared out; what is left goes to labels that are not shown."


@dataclass(frozen=True)
class TagsClap:
    """What CLAP found nearest; nothing where all is silent, or where the label file leaves a category out."""

    model: str = quantity("", label="Model", source="linernotes models list", help="Which model heard this.")
    genres: tuple[str, ...] = quantity("", label="Genres", source=_WORDS, help="Nearest genres.")
    genre_scores: tuple[float, ...] = quantity(
        "", label="Shares of the genres", source=_SHARES, help=_SCORES_HELP, low=0, high=1, digits=2
    )
    moods: tuple[str, ...] = quantity("", label="Moods", source=_WORDS, help="Nearest moods.")
    mood_scores: tuple[float, ...] = quantity(
        "", label="Shares of the moods", source=_SHARES, help=_SCORES_HELP, low=0, high=1, digits=2
    )
    instruments: tuple[str, ...] = quantity("", label="Instruments", source=_WORDS, help="Nearest instruments.")
    instrument_scores: tuple[float, ...] = quantity(
        "", label="Shares of the instruments", source=_SHARES, help=_SCORES_HELP, low=0, high=1, digits=2
    )
    voices: tuple[str, ...] = quantity("", label="Voices", source=_WORDS, help="Nearest kinds of vocals, or none.")
    voice_scores: tuple[float, ...] = quantity(
        "", label="Shares of the voices", source=_SHARES, help=_SCORES_HELP, low=0, high=1, digits=2
    )
    productions: tuple[str, ...] = quantity("", label="Production", source=_WORDS, help="Nearest words for its sound.")
    production_scores: tuple[float, ...] = quantity(
        "", label="Shares of the production", source=_SHARES, help=_SCORES_HELP, low=0, high=1, digits=2
    )
    textures: tuple[str, ...] = quantity("", label="Texture", source=_WORDS, help="Nearest textures and decades.")
    texture_scores: tuple[float, ...] = quantity(
        "", label="Shares of the texture", source=_SHARES, help=_SCORES_HELP, low=0, high=1, digits=2
    )
    classes: NDArray[np.str_] = quantity(
        "", label="Labels", source="the label file", help="`category: label`, in the order of the scores."
    )
    scores: NDArray[np.float16] = quantity(
        "",
        label="Shares over time",
        source="softmax over each category of cosine times the model's logit scale",
        help="One row a window, one column a label; no numbers where a window is silent.",
        low=0,
        high=1,
        digits=2,
    )
    cosines: NDArray[np.float16] = quantity(
        "",
        label="Cosines over time",
        source="CLAP",
        help="How near each sentence lies, before labels are weighed against each other.",
        low=-1.001,
        high=1.001,
        digits=3,
    )
    embedding: NDArray[np.float32] | None = quantity(
        "",
        label="Place among others",
        source="CLAP, mean of all windows, to unit length",
        help="Tracks that lie close sound alike.",
        low=-1.001,
        high=1.001,
        digits=3,
    )
    hop_s: float = quantity(
        "s", label="From window to window", source="the model", help="Windows follow each other without overlap.", low=0
    )
    window_s: float = quantity(
        "s", label="Length of a window", source="the clips that it was trained on", help="What it hears at once.", low=0
    )


@analyser(version=1, model="clap")
def tags_clap(audio: Audio, clap: Clap, progress: Progress) -> TagsClap:
    """Have CLAP weigh the labels of each category against each other, in each ten seconds.

    Source: Wu et al., "Large-scale contrastive language-audio pretraining", ICASSP 2023, section 4.3 (zero-shot).
    """
    cut = Cut(clap.sample_rate, clap.window_frames, clap.hop_frames)
    places = answers(audio, cut, clap.at_once, clap.embed, progress)
    cosines = places @ clap.label_embeddings().T
    scores = np.concatenate([_shares(clap.logit_scale * cosines[:, one]) for one in clap.labels.spans.values()], axis=1)
    heard = ~np.isnan(scores).any(axis=1)
    means = scores[heard].mean(axis=0, dtype=np.float64) if heard.any() else None
    genres, moods, instruments, voices, productions, textures = (_top(clap.labels, name, means) for name in CATEGORIES)
    return TagsClap(
        clap.name,
        *genres,
        *moods,
        *instruments,
        *voices,
        *productions,
        *textures,
        classes=np.array(clap.labels.names),
        scores=scores.astype(np.float16),
        cosines=cosines.astype(np.float16),
        embedding=_middle(places[heard]),
        hop_s=cut.hop_s,
        window_s=cut.window_s,
    )


def _shares(logits: Matrix) -> Matrix:
    """Softmax of each row."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _top(labels: LabelSet, category: str, means: Matrix | None) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The strongest labels of a category with their shares; none where it is not asked or nothing was heard."""
    for one in labels.categories:
        if one.name == category and means is not None:
            return best(means[labels.spans[category]], one.labels, TOP)
    return (), ()


def _middle(places: Matrix) -> Matrix | None:
    """The direction of the mean of unit vectors; None where there is none."""
    if not len(places):
        return None
    mean = places.mean(axis=0, dtype=np.float64)
    length = np.linalg.norm(mean)
    return np.asarray(mean / length, np.float32) if length > 0 else None
