"""What sounds, of 521 kinds, twice a second: heard by YAMNet, which is small enough for any machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis._windows import STRONGEST_SHARE, Cut, Progress, answers, best, pooled
from processor.audio import Audio
from processor.graph import analyser
from processor.models.yamnet import Yamnet
from processor.quantities import quantity

TOP = 12
_POOLING = f"mean of the strongest {STRONGEST_SHARE:.0%} of its windows"


@dataclass(frozen=True)
class TagsYamnet:
    """What YAMNet heard; no tags where all is silent."""

    model: str = quantity("", label="Model", source="linernotes models list", help="Which model heard this.")
    top: tuple[str, ...] = quantity(
        "",
        label="Heard",
        source=f"YAMNet (AudioSet's classes), {_POOLING}",
        help="What sounds most surely, as this model alone has it. See the fused tags for what can be trusted.",
    )
    top_scores: tuple[float, ...] = quantity(
        "",
        label="Scores",
        source=_POOLING,
        help="How sure the model is of each. Kinds are not weighed against each other: several can be near 1.",
        low=0,
        high=1,
        digits=2,
    )
    classes: NDArray[np.str_] = quantity(
        "", label="Classes", source="the list in the model's file", help="The 521 kinds, in the order of the scores."
    )
    scores: NDArray[np.float16] = quantity(
        "",
        label="Scores over time",
        source="YAMNet",
        help="One row a window, one column a kind; no numbers where a window is silent.",
        low=0,
        high=1,
        digits=2,
    )
    hop_s: float = quantity(
        "s", label="From window to window", source="a setting of this analyser", help="Windows overlap by half.", low=0
    )
    window_s: float = quantity(
        "s", label="Length of a window", source="the model", help="What it hears at once.", low=0, digits=3
    )


@analyser(version=1, model="yamnet_tagger")
def tags_yamnet(audio: Audio, yamnet_tagger: Yamnet, progress: Progress) -> TagsYamnet:
    """Have YAMNet name what sounds in each half second.

    Source: Google, "YAMNet", 2019; classes of Gemmeke et al., "Audio Set", ICASSP 2017.
    """
    cut = Cut(yamnet_tagger.sample_rate, yamnet_tagger.window_frames, yamnet_tagger.hop_frames)
    scores = answers(audio, cut, yamnet_tagger.at_once, yamnet_tagger.scores, progress)
    top, top_scores = best(pooled(scores), yamnet_tagger.labels, TOP)
    return TagsYamnet(
        model=yamnet_tagger.name,
        top=top,
        top_scores=top_scores,
        classes=np.array(yamnet_tagger.labels),
        scores=scores.astype(np.float16),
        hop_s=cut.hop_s,
        window_s=cut.window_s,
    )
