"""A mix beside one or more references: loudness, dynamics, tone, stereo, rhythm and form, in numbers and in words.

Every reference is brought to the mix's loudness first, and its spectrum to the mix's level, so that what is left is a
difference of character. One reference is a line to compare with, several are a corridor: from the lowest to the
highest, and from five on from the 10th to the 90th percentile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from processor.analysis.bands import BAND_NAMES, SIX_BANDS_HZ
from processor.feedback.advice import hz_text, signed
from processor.feedback.compare_measures import BAND_WORDS, Row, declaration, rows_of, shown, value_of
from processor.feedback.compare_tone import ToneMatch, band_of, in_bands, outside_db, rms_db, tone_match
from processor.quantities import quantity
from processor.record import Results

Vector = NDArray[np.float64]

# Deviation of tone: under 1.5 dB fine, over 3 a fault (practice of mixing); a single third-octave may go twice as far.
BAND_STEP_DB, THIRD_STEP_DB = 1.5, 3.0
# Short-term loudness at second i is that of the 3 seconds that begin there.
MIDDLE_S = 1.5
INTEGRATED = "loudness.integrated_lufs"

_SIDE_BY_SIDE = "values of the records; of several references their corridor"
_LEVELLED = "third-octaves of the records, brought to one level by the median of their difference"
_OURS = "difference outside the corridor over what is noticeable: a rule of our own (compare_measures.py)"
_PASSAGE = "mean power of the short-term loudness in the section, over the integrated loudness"


@dataclass(frozen=True)
class Comparison:
    """How a mix differs from its references; empty and None where one of them has no sound."""

    reference_count: int = quantity(
        "", label="References", source="files", help="How many references the mix is compared with.", low=1, digits=0
    )
    gain_db: float | None = quantity(
        "dB",
        label="Gain of the reference",
        source="difference of integrated loudness (ITU-R BS.1770-4)",
        help="What brings the references' middle to the loudness of the mix. All else is compared after it.",
    )
    gains_db: tuple[float | None, ...] = quantity(
        "dB",
        label="Gain of each reference",
        source="difference of integrated loudness (ITU-R BS.1770-4)",
        help="What brings each reference to the loudness of the mix, in their order.",
    )
    differences: tuple[str, ...] = quantity(
        "", label="What differs", source=_OURS, help="All that one would notice, the largest first."
    )
    difference_fields: tuple[str, ...] = quantity(
        "", label="Measures that differ", source=_OURS, help="The field of each difference."
    )
    difference_steps: tuple[float, ...] = quantity(
        "", label="Size of the differences", source=_OURS, help="In noticeable steps.", low=0
    )
    measures: tuple[str, ...] = quantity(
        "", label="Measures", source=_SIDE_BY_SIDE, help="Fields that both have, in the order of the values."
    )
    mix_values: tuple[float, ...] = quantity("", label="Mix", source=_SIDE_BY_SIDE, help="Each measure of the mix.")
    low_values: tuple[float, ...] = quantity(
        "", label="Lower edge", source=_SIDE_BY_SIDE, help="Lower edge of the references' corridor."
    )
    middle_values: tuple[float, ...] = quantity(
        "", label="Reference", source=_SIDE_BY_SIDE, help="The reference, or the middle of several."
    )
    high_values: tuple[float, ...] = quantity(
        "", label="Upper edge", source=_SIDE_BY_SIDE, help="Upper edge of the references' corridor."
    )
    steps: tuple[float | None, ...] = quantity(
        "", label="Noticeable steps", source=_OURS, help="How far each measure lies outside; empty if it only informs."
    )
    tone_rms_db: float | None = quantity(
        "dB",
        label="Difference of tone",
        source=f"{_LEVELLED}; RMS around their mean, 31.5 Hz to 16 kHz",
        help="How far the tonal balances are apart. Under 1.5 is alike, 3 different records, 6 different music.",
        low=0,
    )
    bands_db: tuple[float | None, ...] = quantity(
        "dB",
        label="Difference of tone by band",
        source=f"{_LEVELLED}; mean of the third-octaves",
        help="Mix over reference in sub, bass, low mids, mids, high mids and air.",
    )
    centres_hz: Vector = quantity(
        "Hz", label="Third-octave centres", source="IEC 61260-1:2014, base ten", help="Exact centre of each.", low=0
    )
    mix_db: Vector = quantity("dB", label="Spectrum of the mix", source=_LEVELLED, help="Third-octave levels.")
    low_db: Vector = quantity("dB", label="Lower edge of the references", source=_LEVELLED, help="At the mix's level.")
    middle_db: Vector = quantity("dB", label="Spectrum of the reference", source=_LEVELLED, help="At the mix's level.")
    high_db: Vector = quantity("dB", label="Upper edge of the references", source=_LEVELLED, help="At the mix's level.")
    tone_db: Vector = quantity(
        "dB",
        label="Difference of tone by third-octave",
        source=_LEVELLED,
        help="Mix over reference. Gaps are where one of them has no sound, or a lossy coder took it.",
    )
    mix_sections_s: Vector = quantity("s", label="Sections of the mix", source="sections", help="Start and end.", low=0)
    mix_section_names: tuple[str, ...] = quantity(
        "", label="Names of the mix's sections", source="sections", help="Letter and role."
    )
    mix_section_lu: tuple[float | None, ...] = quantity(
        "LU", label="Loudness of the mix's sections", source=_PASSAGE, help="How far each stands above the whole."
    )
    reference_sections_s: Vector = quantity(
        "s", label="Sections of the first reference", source="sections", help="Start and end.", low=0
    )
    reference_section_names: tuple[str, ...] = quantity(
        "", label="Names of the reference's sections", source="sections", help="Letter and role."
    )
    reference_section_lu: tuple[float | None, ...] = quantity(
        "LU", label="Loudness of the reference's sections", source=_PASSAGE, help="How far each stands above the whole."
    )


@dataclass(frozen=True)
class _Difference:
    """One thing that differs: its group, of which only the largest is told, field, size and words."""

    group: str
    field: str
    steps: float
    text: str


@dataclass(frozen=True)
class _Form:
    """Sections with their names, and how far each stands above the whole."""

    intervals_s: Vector
    names: tuple[str, ...]
    loudness_lu: tuple[float | None, ...]


def compare(mix: Results, references: Sequence[Results]) -> Comparison:
    """Compare a mix with references.

    Source: the rules that each field's declaration names.

    Args:
        mix: its results by analyser; what is missing is not compared.
        references: the same of at least one reference.

    Raises:
        ValueError: there is no reference.
    """
    if not references:
        raise ValueError("A comparison needs at least one reference.")
    rows = rows_of(mix, references)
    tone = tone_match(mix, references)
    gains = tuple(_gain_db(mix, one) for one in references)
    heard = [gain for gain in gains if gain is not None]
    found = _told([*_noticed(rows), *([] if tone is None else _tone_differences(tone))])
    own, theirs = _form(mix), _form(references[0])
    nothing = np.empty(0)
    return Comparison(
        reference_count=len(references),
        gain_db=float(np.median(heard)) if heard else None,
        gains_db=gains,
        differences=tuple(one.text for one in found),
        difference_fields=tuple(one.field for one in found),
        difference_steps=tuple(one.steps for one in found),
        measures=tuple(row.measure.field for row in rows),
        mix_values=tuple(row.mix for row in rows),
        low_values=tuple(row.low for row in rows),
        middle_values=tuple(row.middle for row in rows),
        high_values=tuple(row.high for row in rows),
        steps=tuple(row.steps for row in rows),
        tone_rms_db=None if tone is None else rms_db(tone.difference_db),
        bands_db=(None,) * len(BAND_NAMES) if tone is None else _bands(tone),
        centres_hz=nothing if tone is None else tone.centres_hz,
        mix_db=nothing if tone is None else tone.mix_db,
        low_db=nothing if tone is None else tone.low_db,
        middle_db=nothing if tone is None else tone.middle_db,
        high_db=nothing if tone is None else tone.high_db,
        tone_db=nothing if tone is None else tone.difference_db,
        mix_sections_s=own.intervals_s,
        mix_section_names=own.names,
        mix_section_lu=own.loudness_lu,
        reference_sections_s=theirs.intervals_s,
        reference_section_names=theirs.names,
        reference_section_lu=theirs.loudness_lu,
    )


def _gain_db(mix: Results, reference: Results) -> float | None:
    own, theirs = value_of(mix, INTEGRATED), value_of(reference, INTEGRATED)
    return None if own is None or theirs is None else own - theirs


def _noticed(rows: Sequence[Row]) -> list[_Difference]:
    return [
        _Difference(row.measure.group, row.measure.field, row.steps, row.text)
        for row in rows
        if row.steps is not None and row.steps >= 1
    ]


def _told(found: Sequence[_Difference]) -> list[_Difference]:
    """The largest of each group, the largest first."""
    largest: dict[str, _Difference] = {}
    for one in sorted(found, key=lambda one: (-one.steps, one.field)):
        largest.setdefault(one.group, one)
    return list(largest.values())


def _bands(tone: ToneMatch) -> tuple[float | None, ...]:
    found = in_bands(tone.centres_hz, tone.difference_db)
    return tuple(float(value) if np.isfinite(value) else None for value in found)


def _tone_differences(tone: ToneMatch) -> list[_Difference]:
    """Bands whose mean lies outside the corridor, and third-octaves that stand out of it by themselves."""
    outside = outside_db(tone.band_mix_db, tone.band_low_db, tone.band_high_db) / BAND_STEP_DB
    thirds = outside_db(tone.mix_db, tone.low_db, tone.high_db) / THIRD_STEP_DB
    mean = in_bands(tone.centres_hz, tone.difference_db)
    found = []
    for number, name in enumerate(BAND_NAMES):
        inside = np.flatnonzero((band_of(tone.centres_hz) == number) & np.isfinite(tone.difference_db))
        if not inside.size:
            continue
        most = int(inside[np.argmax(np.abs(thirds[inside]))])
        peak = f"{third_text(float(tone.centres_hz[most]))} ({signed(float(tone.difference_db[most]))} dB)"
        if abs(outside[number]) >= 1:
            word = "More" if outside[number] > 0 else "Less"
            span = f"{hz_text(SIX_BANDS_HZ[number])} to {hz_text(SIX_BANDS_HZ[number + 1])}"
            text = f"{word} {BAND_WORDS[number]}: {signed(float(mean[number]))} dB from {span}, most at {peak}"
            found.append(_Difference(f"tone.{name}", f"tone.{name}", float(abs(outside[number])), text))
        elif abs(thirds[most]) >= 1:
            word = "stands out" if thirds[most] > 0 else "is missing"
            text = f"One spot {word} in the {BAND_WORDS[number]}: {peak}"
            found.append(_Difference(f"tone.{name}", f"tone.{name}", float(abs(thirds[most])), text))
    return found


def third_text(centre_hz: float) -> str:
    """What a third-octave is called: 316 Hz is "315 Hz"."""
    names = (1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0)
    number = round(10 * np.log10(centre_hz))
    hz = names[number % 10] * 10.0 ** (number // 10)
    return f"{hz:g} Hz" if hz < 1000 else f"{hz / 1000:g} kHz"


def _form(results: Results) -> _Form:
    """Sections as far as there are any."""
    found, loudness = results.get("sections"), results.get("loudness")
    spans = np.empty((0, 2)) if found is None else np.asarray(found.intervals_s, dtype=np.float64)
    if found is None or spans.ndim != 2 or spans.shape != (len(found.labels), 2):
        return _Form(np.empty((0, 2)), (), ())
    named = zip_longest(found.labels, found.roles[: len(spans)], fillvalue="")
    names = tuple(label if role in ("", "section", label) else f"{label} {role}" for label, role in named)
    return _Form(spans, names, tuple(_loudness_lu(loudness, start, end) for start, end in spans.tolist()))


def _loudness_lu(loudness: object, start_s: float, end_s: float) -> float | None:
    """How far a passage stands above the whole; None where nothing is heard in it."""
    curve = np.asarray(getattr(loudness, "short_term_lufs", ()), dtype=np.float64).ravel()
    whole = getattr(loudness, "integrated_lufs", None)
    middles = np.arange(curve.size) + MIDDLE_S
    heard = curve[(middles >= start_s) & (middles < end_s) & np.isfinite(curve)]
    if whole is None or not heard.size:
        return None
    return float(10 * np.log10(np.mean(10 ** (heard / 10))) - whole)


def verdict(comparison: Comparison) -> str:
    """How alike they are, in a sentence."""
    what = "the reference" if comparison.reference_count == 1 else f"the {comparison.reference_count} references"
    if not comparison.measures:
        return f"There is nothing to compare: the mix or {what} has no sound."
    if not comparison.differences:
        return f"There is no difference from {what} that one would notice."
    count = len(comparison.differences)
    return f"{count} difference{'' if count == 1 else 's'} from {what} that one would notice, the largest first."


@dataclass(frozen=True)
class Side:
    """One measure as a table shows it.

    Attributes:
        field: "analyser.field".
        label: what it is called.
        unit: its unit, empty if it has none.
        mix: the mix's value.
        low, middle, high: the reference's, or the corridor of several.
        difference: mix over middle.
        steps: how far it lies outside, in noticeable steps; None if it only informs.
    """

    field: str
    label: str
    unit: str
    mix: float
    low: float
    middle: float
    high: float
    difference: float
    steps: float | None

    @property
    def texts(self) -> tuple[str, str, str]:
        """Mix, reference or corridor, and difference, with the digits that are worth showing."""
        digits = declaration(self.field).digits
        low, middle, high = (shown(value, digits) for value in (self.low, self.middle, self.high))
        theirs = middle if low == high else f"{middle} ({low} to {high})"
        return shown(self.mix, digits), theirs, signed(self.difference, digits)

    @property
    def shown(self) -> str:
        """The same in a line."""
        mix, theirs, difference = self.texts
        return f"{mix} against {theirs}{f' {self.unit}' if self.unit else ''}: {difference}"


def sides_of(comparison: Comparison) -> list[Side]:
    """The measures of a comparison, side by side."""
    values = zip(
        comparison.measures,
        comparison.mix_values,
        comparison.low_values,
        comparison.middle_values,
        comparison.high_values,
        comparison.steps,
        strict=True,
    )
    found = []
    for field, mix, low, middle, high, steps in values:
        declared = declaration(field)
        found.append(Side(field, declared.label, declared.unit, mix, low, middle, high, mix - middle, steps))
    return found
