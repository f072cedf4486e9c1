"""What sounds, of 527 kinds, in each ten seconds: heard by AST, the surest tagger and the slowest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis._windows import STRONGEST_SHARE, Cut, Progress, answers, best, pooled
from processor.audio import Audio
from processor.graph import analyser
from processor.models.ast_tagger import Ast
from processor.quantities import quantity

TOP = 12
_POOLING = f"mean of the strongest {STRONGEST_SHARE:.0%} of its windows"


@dataclass(frozen=True)
class TagsAst:
    """What AST heard; no tags where all is silent."""

    model: str = quantity("", label="Model", source="linernotes models list", help="Which model heard this.")
    top: tuple[str, ...] = quantity(
        "",
        label="Heard",
        source=f"AST (AudioSet's classes), {_POOLING}",
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
        "", label="Classes", source="the model's configuration", help="The 527 kinds, in the order of the scores."
    )
    scores: NDArray[np.float16] = quantity(
        "",
        label="Scores over time",
        source="AST",
        help="One row a window, one column a kind; no numbers where a window is silent.",
        low=0,
        high=1,
        digits=2,
    )
    hop_s: float = quantity(
        "s", label="From window to window", source="the model", help="Windows follow each other without overlap.", low=0
    )
    window_s: float = quantity(
        "s", label="Length of a window", source="the clips that it was trained on", help="What it hears at once.", low=0
    )


@analyser(version=1, model="ast_tagger")
def tags_ast(audio: Audio, ast_tagger: Ast, progress: Progress) -> TagsAst:
    """Have AST name what sounds in each ten seconds.

    Source: Gong, Chung & Glass, "AST: Audio Spectrogram Transformer", Interspeech 2021.
    """
    cut = Cut(ast_tagger.sample_rate, ast_tagger.window_frames, ast_tagger.hop_frames)
    scores = answers(audio, cut, ast_tagger.at_once, ast_tagger.scores, progress)
    top, top_scores = best(pooled(scores), ast_tagger.labels, TOP)
    return TagsAst(
        model=ast_tagger.name,
        top=top,
        top_scores=top_scores,
        classes=np.array(ast_tagger.labels),
        scores=scores.astype(np.float16),
        hop_s=cut.hop_s,
        window_s=cut.window_s,
    )
