"""What YAMNet hears in the vocal stem alone.

Separators leave other instruments in the vocal stem, and a lead that leaks has the level and the pitch of a voice. But
it does not sound like one. In a mix YAMNet gives a voice a few hundredths; in its stem nearly one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from processor.analysis._ontology import AUDIOSET, classes_of
from processor.analysis._windows import Progress, is_silent
from processor.analysis.stems import Stems
from processor.graph import analyser
from processor.models.yamnet import Yamnet
from processor.quantities import quantity
from processor.sidecars import Sidecars

Row = NDArray[np.float32]

STEM = "vocals"
VOICE = "vocals"  # the tag whose classes are kept
PIECE_S = 20.0


@dataclass(frozen=True)
class TagsVocals:
    """What sounds in the vocal stem; nothing where there is no such stem, or it is silent."""

    model: str = quantity("", label="Model", source="linernotes models list", help="Which model heard the vocal stem.")
    classes: NDArray[np.str_] = quantity(
        "", label="Classes", source="AudioSet", help="All kinds of voice that the model knows, in the order of scores."
    )
    scores: NDArray[np.float16] = quantity(
        "",
        label="Scores over time",
        source="YAMNet on the vocal stem",
        help="One row a window, one column a kind of voice; no numbers where the stem is silent.",
        low=0,
        high=1,
        digits=2,
    )
    hop_s: float = quantity("s", label="From window to window", source="the model", help="Windows overlap.", low=0)
    window_s: float = quantity(
        "s", label="Length of a window", source="the model", help="What it hears at once.", low=0, digits=3
    )


@analyser(version=1, model="yamnet_tagger")
def tags_vocals(yamnet_tagger: Yamnet, stems: Stems, sidecars: Sidecars, progress: Progress) -> TagsVocals:
    """Have YAMNet name the voices in the vocal stem.

    Source: Google, "YAMNet", 2019; classes of Gemmeke et al., "Audio Set", ICASSP 2017.
    """
    columns = list(classes_of(AUDIOSET, yamnet_tagger.labels).get(VOICE, ()))
    rows: list[Row] = []
    if STEM in stems.names and stems.files:
        pieces = _pieces(stems, sidecars, yamnet_tagger.sample_rate)
        seconds = stems.levels_db.shape[1] * stems.hop_s
        expected = max(1.0, seconds * yamnet_tagger.sample_rate / yamnet_tagger.hop_frames)
        for window in _windows(pieces, yamnet_tagger.window_frames, yamnet_tagger.hop_frames):
            row = np.full(len(columns), np.nan, np.float32)
            if not is_silent(window):
                row[:] = yamnet_tagger.scores([window])[0, columns]
            rows.append(row)
            progress(min(1.0, len(rows) / expected))
    progress(1.0)
    return TagsVocals(
        model=yamnet_tagger.name,
        classes=np.array([yamnet_tagger.labels[column] for column in columns]),
        scores=np.array(rows, np.float16).reshape(len(rows), len(columns)),
        hop_s=yamnet_tagger.hop_frames / yamnet_tagger.sample_rate,
        window_s=yamnet_tagger.window_frames / yamnet_tagger.sample_rate,
    )


def _pieces(stems: Stems, sidecars: Sidecars, rate: int) -> Iterator[Row]:
    """The stem as one channel at the model's rate, in order."""
    resampler = soxr.ResampleStream(stems.sample_rate, rate, 1, dtype="float32", quality="HQ")
    size = max(1, round(PIECE_S * stems.sample_rate))
    for block in sidecars.blocks(stems.files[stems.names.index(STEM)], size):
        row = np.ascontiguousarray(block.mean(axis=0), np.float32)
        yield resampler.resample_chunk(row) if stems.sample_rate != rate else row
    if stems.sample_rate != rate:
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _windows(pieces: Iterable[Row], size: int, hop: int) -> Iterator[Row]:
    """Yield windows of `size` samples, one each `hop`; the last one is filled up with zeros."""
    waiting = np.zeros(0, np.float32)
    heard = 0
    for piece in pieces:
        waiting = np.concatenate([waiting, piece])
        start = 0
        while waiting.size - start >= size:
            yield waiting[start : start + size]
            start, heard = start + hop, heard + 1
        waiting = waiting[start:]
    rest = waiting if heard == 0 else waiting[max(0, size - hop) :]
    if rest.size:
        yield np.pad(waiting, (0, size - waiting.size))
