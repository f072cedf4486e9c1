"""Loudspeakers: which channel is for which, what a set of them is called, and how it is folded to stereo.

Positions are FFmpeg's: `FL FR FC LFE BL BR SL SR BC FLC FRC`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Channel order of files that do not name their channels: WAVEFORMATEXTENSIBLE's order (Microsoft, "Multiple
# channel audio data and WAVE files", default channel ordering).
_DEFAULT_POSITIONS: dict[int, tuple[str, ...]] = {
    1: ("FC",),
    2: ("FL", "FR"),
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}

_LAYOUT_NAMES: dict[frozenset[str], str] = {
    frozenset({"FC"}): "mono",
    frozenset({"FL", "FR"}): "stereo",
    frozenset({"FL", "FR", "FC"}): "3.0",
    frozenset({"FL", "FR", "LFE"}): "2.1",
    frozenset({"FL", "FR", "FC", "LFE"}): "3.1",
    frozenset({"FL", "FR", "BL", "BR"}): "quad",
    frozenset({"FL", "FR", "SL", "SR"}): "quad",
    frozenset({"FL", "FR", "FC", "BC"}): "4.0",
    frozenset({"FL", "FR", "FC", "BL", "BR"}): "5.0",
    frozenset({"FL", "FR", "FC", "SL", "SR"}): "5.0",
    frozenset({"FL", "FR", "FC", "LFE", "BL", "BR"}): "5.1",
    frozenset({"FL", "FR", "FC", "LFE", "SL", "SR"}): "5.1",
    frozenset({"FL", "FR", "FC", "LFE", "BC", "SL", "SR"}): "6.1",
    frozenset({"FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"}): "7.1",
    frozenset({"FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC"}): "7.1 wide",
}


def default_positions(channels: int) -> tuple[str, ...]:
    """Loudspeaker names for a file that does not say; more than eight are numbered."""
    return _DEFAULT_POSITIONS.get(channels) or tuple(f"CH{n + 1}" for n in range(channels))


def layout_name(positions: tuple[str, ...]) -> str:
    """What the set of loudspeakers is called ("stereo", "5.1"), or the number of channels where it has no name."""
    return _LAYOUT_NAMES.get(frozenset(positions)) or f"{len(positions)} channels"


def downmix_name(positions: tuple[str, ...]) -> str | None:
    """Name of the stereo downmix; None for mono and stereo, which need none."""
    return None if len(positions) <= 2 else f"ITU-R BS.775 {layout_name(positions)} to stereo"


# Weight to the left and to the right of each loudspeaker that is not in the middle (ITU-R BS.775-4, table 2).
_AT_SIDE = float(np.sqrt(0.5))
_DOWNMIX: dict[str, tuple[float, float]] = {
    "FL": (1.0, 0.0),
    "FR": (0.0, 1.0),
    "BL": (_AT_SIDE, 0.0),
    "BR": (0.0, _AT_SIDE),
    "SL": (_AT_SIDE, 0.0),
    "SR": (0.0, _AT_SIDE),
    "FLC": (_AT_SIDE, 0.0),
    "FRC": (0.0, _AT_SIDE),
    "LFE": (0.0, 0.0),
}


def downmix_matrix(positions: tuple[str, ...]) -> NDArray[np.float32]:
    """Weights that fold channels to left and right, shape `(2, channels)`.

    Fronts 1, centre and surrounds 1/√2 on their side, LFE left out (ITU-R BS.775-4, table 2); a mono file goes to
    both sides at full level; channels without a known place go to both sides at 1/√2.
    """
    if len(positions) == 1:
        return np.ones((2, 1), np.float32)
    return np.array([_DOWNMIX.get(p, (_AT_SIDE, _AT_SIDE)) for p in positions], np.float32).T
