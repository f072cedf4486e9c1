"""Words that a model heard, as pages and reports show them."""

from __future__ import annotations

from typing import Any

import numpy as np

from processor.files import printable
from processor.site.about import SURE


def lyric_lines(lyrics: Any) -> list[tuple[float, str, bool]]:
    """Begin and words of each line, and whether the model is sure of it."""
    times = np.asarray(lyrics.intervals_s, np.float64)
    if times.ndim != 2 or times.shape[-1] != 2 or not np.isfinite(times).all():
        return []
    listed = zip(times[:, 0].tolist(), lyrics.texts, lyrics.confidences, strict=False)
    return [(start_s, printable(str(text)), bool(sure >= SURE)) for start_s, text, sure in listed]
