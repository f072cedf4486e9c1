"""What is compared of two records, from which difference on one notices it, and how one says so.

Steps are what a listener notices, or what an engineer would act on: 1 LU of loudness (the tolerance of EBU R 128's live
programmes), 5 % of tempo (DJs rarely stretch further, Kim et al. 2020). All others are inferred: rules of our own, from
practice of mixing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from processor.analysis import result_types
from processor.analysis.bands import BAND_NAMES
from processor.feedback.compare_tone import edges_of
from processor.quantities import Quantity, columns
from processor.record import Results

BAND_WORDS = ("sub", "bass", "low mids", "mids", "high mids", "air")
# A tempo may be counted at half or double speed: the reference's is counted in the octave around the mix's.
TEMPO = "beats.tempo_bpm"
LOUDNESS_RANGE = "loudness.range_lu"
SIDES = "stereo.side_shares"


@dataclass(frozen=True)
class Measure:
    """One number that both have.

    Attributes:
        field: "analyser.field"; of the shares of the side with the band behind another dot.
        group: of one group, which tells the same from several sides, only the largest difference is told.
        step: what is noticeable, in the field's unit, or as a share of the reference's value where that is relative;
            None for what only informs.
        more, less: what a mix is that has more or less of it than the reference.
        is_relative: whether the step is a share of the reference's value.
    """

    field: str
    group: str
    step: float | None = None
    more: str = ""
    less: str = ""
    is_relative: bool = False


def _of_bands() -> list[Measure]:
    found = []
    for name, word in zip(BAND_NAMES, BAND_WORDS, strict=True):
        group = f"stereo.{name}"
        found.append(Measure(f"{SIDES}.{name}", group, 10.0, f"wider {word}", f"narrower {word}"))
        found.append(
            Measure(f"stereo.{name}_correlation", group, 0.25, f"more mono-like {word}", f"less correlated {word}")
        )
    return found


MEASURES = (
    Measure("loudness.integrated_lufs", "loudness", 1.0, "louder", "quieter"),
    Measure("loudness.short_term_max_lufs", "loudness"),
    Measure("loudness.true_peak_dbtp", "loudness"),
    Measure("levels.rms_dbfs", "loudness"),
    Measure("levels.dr", "peaks", 2.0, "more dynamic", "less dynamic"),
    Measure("loudness.plr_db", "peaks", 2.0, "more dynamic", "less dynamic"),
    Measure("loudness.psr_median_db", "peaks", 2.0, "more dynamic", "less dynamic"),
    Measure("levels.crest_factor_db", "peaks", 2.0, "more dynamic", "less dynamic"),
    Measure(LOUDNESS_RANGE, "range", 2.0, "further from quiet to loud", "closer from quiet to loud"),
    Measure("spectrum.tilt_db_per_octave", "tone"),
    Measure("stereo.width", "stereo", 5.0, "wider", "narrower"),
    Measure("stereo.correlation", "stereo", 0.15, "more mono-like", "less correlated"),
    Measure("stereo.mid_side_db", "stereo"),
    Measure("stereo.mono_loss_db", "mono", 1.0, "loses more in mono", "loses less in mono"),
    *_of_bands(),
    Measure(TEMPO, "tempo", 0.05, "faster", "slower", is_relative=True),
    Measure("transients.onset_rate", "onsets", 1.0, "busier", "sparser"),
    Measure("transients.punch_db", "punch", 2.0, "punchier", "softer attacks"),
    Measure("production.density", "density", 10.0, "denser", "more open"),
)


@dataclass(frozen=True)
class Row:
    """One measure side by side.

    Attributes:
        measure: which.
        mix: the mix's value.
        low, middle, high: the references' corridor; with one reference all three are its value.
        steps: how far the mix lies outside in noticeable steps, 0 inside; None if the measure only informs.
    """

    measure: Measure
    mix: float
    low: float
    middle: float
    high: float
    steps: float | None

    @property
    def text(self) -> str:
        """The difference in words: "Less dynamic: Dynamic range (DR) 8 against 12"."""
        declared = declaration(self.measure.field)
        word = self.measure.more if self.mix > self.middle else self.measure.less
        # "11 DR" and "3 1/s" say again what the label says.
        unit = "" if declared.unit in ("", "1/s", "DR") else f" {declared.unit}"
        sides = [shown(value, declared.digits) for value in (self.mix, self.low, self.high)]
        against = sides[1] if sides[1] == sides[2] else f"{sides[1]} to {sides[2]}"
        return f"{word.capitalize()}: {declared.label} {sides[0]}{unit} against {against}{unit}"


def rows_of(mix: Results, references: Sequence[Results]) -> list[Row]:
    """All measures that the mix and at least one reference have."""
    return [row for measure in MEASURES if (row := _row(measure, mix, references)) is not None]


def _row(measure: Measure, mix: Results, references: Sequence[Results]) -> Row | None:
    own = value_of(mix, measure.field)
    theirs = [value for one in references if (value := value_of(one, measure.field)) is not None]
    if own is None or not theirs:
        return None
    if measure.field == TEMPO:
        theirs = [value * 2.0 ** round(np.log2(own / value)) for value in theirs if value > 0 < own]
    if not theirs:
        return None
    low, middle, high = (float(edge) for edge in edges_of(np.array(theirs)[:, None])[:, 0])
    step = None if _only_informs(measure, [mix, *references]) else measure.step
    if step is not None:
        step *= abs(middle) if measure.is_relative else 1.0
    steps = None if step is None else max(own - high, low - own, 0.0) / max(step, 1e-9)
    return Row(measure, own, low, middle, high, steps)


def _only_informs(measure: Measure, every: Sequence[Results]) -> bool:
    """Whether a difference says nothing: a loudness range from under a minute (EBU R 128 s1)."""
    if measure.field != LOUDNESS_RANGE:
        return measure.step is None
    return any(one["loudness"].range_is_short for one in every if "loudness" in one)


def value_of(results: Results, field: str) -> float | None:
    """The value of "analyser.field" or "stereo.side_shares.band" as a number, None where there is none."""
    analyser, _, name = field.partition(".")
    result = results.get(analyser)
    if result is None:
        return None
    name, _, band = name.partition(".")
    value: Any = getattr(result, name)
    if band:
        value = value[BAND_NAMES.index(band)] if len(value) == len(BAND_NAMES) else None
    return None if value is None or not np.isfinite(value) else float(value)


@cache
def declaration(field: str) -> Quantity:
    """What a field means; of the share of the side the band's own name."""
    analyser, _, name = field.partition(".")
    name, _, band = name.partition(".")
    found = next(column.quantity for column in columns(result_types()[analyser]) if column.name == name)
    if not band:
        return found
    word = BAND_WORDS[BAND_NAMES.index(band)]
    return Quantity(found.unit, f"Share of the side, {word}", found.source, found.help, found.low, found.high)


def shown(value: float, digits: int) -> str:
    """A number with a true minus."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")
