"""The analysers, one file each. A new file here is a new analyser: nothing has to be registered."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Iterable

from processor.graph import Analyser, collect


@functools.cache
def all_analysers() -> dict[str, Analyser]:
    """Every analyser of this package, in an order in which they can run."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return collect(importlib.import_module(f"{__name__}.{name}") for name in names)


def result_types() -> dict[str, type]:
    """Name → result class of the analysers that are recorded."""
    return {one.name: one.result_type for one in all_analysers().values() if one.keep}


# What people ask first, and last; the rest stands between, by name.
_MEASURED = ("spectrum", "stereo", "transients", "production", "levels")
_HEARD = ("tags", "vocals", "stems", "lyrics", "melody", "frames")
_FIRST = ("loudness", "beats", "key", "chords", "sections", *_HEARD, *_MEASURED)
# What programs read, and people hardly.
ASIDE = ("fingerprint", "waveform", "spectrogram", "character", "tags_vocals", "phrases")
_LAST = ("emotion", "metadata", "source", *ASIDE)


def reading_order(names: Iterable[str]) -> list[str]:
    """Analysers in the order in which a person reads their results, on pages, in reports and on the terminal."""
    places = {name: (0, number) for number, name in enumerate(_FIRST)}
    places |= {name: (2, number) for number, name in enumerate(_LAST)}
    return sorted(names, key=lambda name: (*places.get(name, (1, 0)), name))
