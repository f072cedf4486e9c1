"""What the file is: container, coding, length, and what of it could not be read."""

from __future__ import annotations

from processor.audio import Audio, Source
from processor.graph import analyser


@analyser(version=1)
def source(audio: Audio) -> Source:
    """The facts that decoding found out."""
    return audio.source
