"""A four-minute MP3 of synthesised music: `python -m tests.bench.synthesise FILE`.

In a process of its own, so that what it takes to make the music is not in the memory that is measured.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import soundfile

from tests.signals import song

MINUTES = 4
RATE = 44_100


def write(path: Path, minutes: int = MINUTES) -> None:
    """Write the file, as MP3 whatever its name is."""
    soundfile.write(path, np.tile(song(60.0, rate=RATE), minutes).T, RATE, format="MP3")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
