"""The emotion of a voice, as a model trained on acted speech guesses it. For display only: nothing is decided by it.

Read from the stem of the vocals, passage by passage where the voice sounds. A mix is not read at all: the model would
name the emotion of the drums.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis._voice import STEM, active_spans, excerpts, vocals, voice
from processor.analysis.stems import Stems
from processor.audio import Audio
from processor.files import printable
from processor.graph import analyser
from processor.models.emotion import EmotionReader
from processor.quantities import quantity
from processor.sidecars import Sidecars

# An utterance: the model was trained on some seconds each.
LONGEST_S, SHORTEST_S = 10.0, 1.0
# Each passage is brought to this peak; softer than the other is silence.
PEAK, SILENT_PEAK = 0.5, 1e-4

_MODEL = "emotion2vec+ (Ma et al. 2024) by FunASR; display only"
_CAUTION = "A guess by a model of acted speech, not of singing: for display only."


@dataclass(frozen=True)
class Emotion:
    """What emotion a model hears in the voice; None where there is no stem of the vocals, or nothing in it."""

    model: str = quantity("", label="Emotion read by", source="linernotes models list", help="The model that guessed.")
    label: str | None = quantity(
        "", label="Vocal emotion (display only)", source=_MODEL, help=f"The likeliest emotion of the voice. {_CAUTION}"
    )
    emotion_confidence: float | None = quantity(
        "",
        label="Score of the emotion (display only)",
        source=_MODEL,
        help=f"Mean score of that emotion, by time. {_CAUTION}",
        low=0,
        high=1,
        digits=2,
    )
    labels: tuple[str, ...] = quantity(
        "", label="Emotions (display only)", source=_MODEL, help=f"All that it can name, likeliest first. {_CAUTION}"
    )
    label_scores: tuple[float, ...] = quantity(
        "",
        label="Scores of the emotions (display only)",
        source=_MODEL,
        help=f"Mean score of each, by time; together 1. {_CAUTION}",
        low=0,
        high=1,
        digits=2,
    )
    passages_s: NDArray[np.float64] = quantity(
        "s",
        label="Passages that were read",
        source="level of the stem of the vocals",
        help="Start and end of each passage in which the voice sounds.",
    )
    passage_scores: NDArray[np.float64] = quantity(
        "",
        label="Scores by passage (display only)",
        source=_MODEL,
        help=f"Score of each emotion, in the order of the list above, in each passage. {_CAUTION}",
        low=0,
        high=1,
        digits=2,
    )


@analyser(version=1, model="emotion_reader")
def emotion(
    audio: Audio,
    emotion_reader: EmotionReader,
    sidecars: Sidecars,
    progress: Callable[[float], None],
    stems: Stems | None = None,
) -> Emotion:
    """Guess the emotion of each passage of the voice.

    Source: Ma et al., "emotion2vec: Self-supervised pre-training for speech emotion representation", ACL 2024.
    """
    place = vocals(stems)
    heard = voice(audio, stems, sidecars)
    if stems is None or place is None or heard.heard_in != STEM:
        return _nothing(emotion_reader)
    spans = active_spans(np.asarray(stems.levels_db[place], np.float32), stems.hop_s, LONGEST_S)
    spans = spans[spans[:, 1] - spans[:, 0] >= SHORTEST_S]
    rate = emotion_reader.sample_rate
    rows, read = [], []
    for number, samples in enumerate(excerpts(heard.mono(rate), rate, spans)):
        peak = float(np.abs(samples).max(initial=0.0))
        if samples.size >= emotion_reader.least_frames and peak > SILENT_PEAK:
            rows.append(emotion_reader.read(samples * np.float32(PEAK / peak)))
            read.append(spans[number])
        progress((number + 1) / len(spans))
    if not rows:
        return _nothing(emotion_reader)
    scores, passages = np.array(rows, np.float64), np.array(read, np.float64)
    means = np.average(scores, axis=0, weights=passages[:, 1] - passages[:, 0])
    order = np.argsort(-means, kind="stable")
    labels = tuple(printable(emotion_reader.labels[k]) for k in order)
    return Emotion(
        model=emotion_reader.name,
        label=labels[0],
        emotion_confidence=float(np.clip(means[order[0]], 0, 1)),
        labels=labels,
        label_scores=tuple(float(np.clip(means[k], 0, 1)) for k in order),
        passages_s=passages,
        passage_scores=np.clip(scores[:, order], 0, 1),
    )


def _nothing(reader: EmotionReader) -> Emotion:
    return Emotion(reader.name, None, None, (), (), np.zeros((0, 2)), np.zeros((0, 0)))
