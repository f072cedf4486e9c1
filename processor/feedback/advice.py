"""What a piece of advice is: a finding, the numbers that it rests on, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from processor.analysis import result_types
from processor.feedback.profiles import Platform, Profile, ToneDeviation, tone_deviation
from processor.quantities import columns
from processor.record import JSON, Results

# The worst first; what is good comes last.
SEVERITIES = ("fault", "warning", "note", "strength")
AREAS = (
    "loudness",
    "dynamics",
    "tone",
    "stereo",
    "low_end",
    "transients",
    "integrity",
    "musical",
    "translation",
    "delivery",
)
BANDS = ("sub", "bass", "low_mids", "mids", "high_mids", "air")
TOO_MUCH, TOO_LITTLE = "too much", "too little"


@dataclass(frozen=True)
class Step:
    """One processing step that a person can dial in.

    Attributes:
        type: "bell", "low shelf", "high shelf", "high-pass", "low-pass", "compressor", "limiter", "gain", "gate",
            "de-esser", "transient shaper", "mid/side", "delay", "polarity", "repair", "arrangement", "export" …
        gain_db: dB, negative to cut.
        frequency_hz: Hz.
        q: quality factor of a bell, a shelf or a pass filter.
        ratio: of a compressor, n to 1.
        threshold_db: dBFS.
        attack_ms: milliseconds.
        release_ms: milliseconds.
        note: what else there is to say, where and why: "on the side channel", "on the kick bus".
    """

    type: str
    gain_db: float | None = None
    frequency_hz: float | None = None
    q: float | None = None
    ratio: float | None = None
    threshold_db: float | None = None
    attack_ms: float | None = None
    release_ms: float | None = None
    note: str = ""

    @property
    def text(self) -> str:
        """In an engineer's words: "bell, 300 Hz, −3.5 dB, Q 1.0: on the guitar bus"."""
        parts = [self.type]
        if self.frequency_hz is not None:
            parts.append(hz_text(self.frequency_hz))
        if self.gain_db is not None:
            parts.append(f"{signed(self.gain_db)} dB")
        if self.q is not None:
            parts.append(f"Q {self.q:.1f}")
        if self.ratio is not None:
            parts.append(f"{self.ratio:g}:1")
        if self.threshold_db is not None:
            parts.append(f"threshold {signed(self.threshold_db)} dBFS")
        if self.attack_ms is not None:
            parts.append(f"attack {self.attack_ms:g} ms")
        if self.release_ms is not None:
            parts.append(f"release {self.release_ms:g} ms")
        return ", ".join(parts) + (f": {self.note}" if self.note else "")


@dataclass(frozen=True)
class Evidence:
    """One number that a piece of advice rests on.

    Attributes:
        field: "analyser.field", as `linernotes explain` knows it.
        value: what was measured.
        unit: its unit, empty if it has none.
        limit: what would be fine, in words: "≤ −1.0", "−4.1 to 3.2".
        source: where the limit comes from.
    """

    field: str
    value: float | int | str | bool | None
    unit: str
    limit: str
    source: str


@dataclass(frozen=True)
class Advice:
    """One finding about a mix.

    Attributes:
        id: stable name that carries area, band and direction: "tone.low_mids.too_much".
        severity: "strength", "note", "warning" or "fault".
        area: one of AREAS.
        band: one of BANDS, or None.
        direction: "too much", "too little" or None.
        title: a few words.
        text: what it is and what one hears, in one to three sentences.
        evidence: the numbers.
        processing: what to do, step by step; none for a strength.
        times_s: where, as (start, end) in seconds; empty for the whole piece.
        weight: how far beyond its limit, in steps of what a listener notices (1.5 dB of tone, 1 LU): it orders
            pieces of advice of one severity.
    """

    id: str
    severity: str
    area: str
    band: str | None
    direction: str | None
    title: str
    text: str
    evidence: tuple[Evidence, ...]
    processing: tuple[Step, ...] = ()
    times_s: tuple[tuple[float, float], ...] = ()
    weight: float = 0.0

    @property
    def action(self) -> str:
        """What to do, in words."""
        return "; ".join(step.text for step in self.processing)

    def facts(self) -> dict[str, JSON]:
        """As JSON values, for other programs."""
        from dataclasses import asdict

        facts = asdict(self) | {"action": self.action, "weight": round(self.weight, 3)}
        facts["processing"] = [
            {name: value for name, value in asdict(step).items() if value not in (None, "")} for step in self.processing
        ]
        return facts


@dataclass(frozen=True)
class Mix:
    """What the rules look at.

    Attributes:
        results: the record's results.
        profile: what such music is like: corridors by genre, or of references.
        platform: where it is going to be heard.
        worked_out: what several rules need and one has worked out, by its name.
    """

    results: Results
    profile: Profile
    platform: Platform
    worked_out: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def get(self, field: str) -> Any:
        """The value of "analyser.field", or None where there is none."""
        analyser, _, name = field.partition(".")
        result = self.results.get(analyser)
        return None if result is None else getattr(result, name)

    @property
    def material(self) -> str:
        """How far it may be judged: "silence", "noise", "speech", "solo" (one instrument or voice), "mix" or "unknown".

        Where it was not told, for that is switched off or the piece is too long to hold in memory, it counts as a mix;
        where it could not be told, for there is too little of it, it does not.
        """
        if "material" not in self.results:
            return "mix"
        return str(self.get("material.kind") or "unknown")

    @cached_property
    def tone(self) -> ToneDeviation | None:
        """How the spectrum deviates from the profile; None where there is no spectrum."""
        spectrum = self.results.get("spectrum")
        return None if spectrum is None else tone_deviation(spectrum, self.profile)


def evidence(mix: Mix, field: str, limit: str, source: str, value: Any = None) -> Evidence:
    """Evidence from a field of the record, with the unit that the field declares.

    Args:
        mix: whose record.
        field: "analyser.field".
        limit: what would be fine.
        source: where the limit comes from.
        value: what to show in the place of a long value; a text has its own unit.
    """
    analyser, _, name = field.partition(".")
    column = next(column for column in columns(result_types()[analyser]) if column.name == name)
    shown = mix.get(field) if value is None else value
    if isinstance(shown, float):
        shown = round(shown, 3)
    unit = "" if isinstance(value, str) else column.quantity.unit
    return Evidence(field, shown, unit, limit, source)


def ordered(found: Iterable[Advice]) -> tuple[Advice, ...]:
    """The worst first; of one severity, what is furthest beyond its limit."""
    return tuple(sorted(found, key=lambda one: (SEVERITIES.index(one.severity), -one.weight, one.id)))


def severity(weight: float) -> str:
    """How bad a deviation is that is so many noticeable steps beyond its limit.

    Source: mixing practice, second-hand: under 1.5 dB of tone fine, 1.5 to 3 notable, over 3 a fault.
    """
    return "note" if weight < 1 else "warning" if weight < 2 else "fault"


def signed(number: float, digits: int = 1) -> str:
    """A number with its sign, as one dials it in: "−3.5", "+1.0"."""
    rounded = round(number, digits) + 0.0
    return f"{rounded:+.{digits}f}".replace("-", "−") if rounded else f"{0:.{digits}f}"


def hz_text(hz: float) -> str:
    """A frequency as one reads it on a knob: "63 Hz", "2.5 kHz"."""
    return f"{hz:.0f} Hz" if hz < 1000 else f"{hz / 1000:.3g} kHz"


def facts_of(found: Iterable[Advice]) -> list[Mapping[str, JSON]]:
    """Advice as JSON values."""
    return [one.facts() for one in found]
