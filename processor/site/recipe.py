"""The recipe of a mashup: what was done in which order, as planned and as measured on what came out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from processor.feedback.advice import hz_text, signed
from processor.feedback.equaliser import Band
from processor.mashup.deviations import shifted
from processor.mashup.measured import Measured
from processor.mashup.plan import Fit, Plan, cut_starts_s, duration_s, stretch
from processor.mashup.stretching import PEDALBOARD
from processor.quantities import Column, columns
from processor.site.charts import clock
from processor.site.charts.mashup import Placed
from processor.site.rendering import NOTHING, text_of

# A tempo this near is the instrumental's own.
SAME_BPM = 1e-6
MAX_CUTS = 12


@dataclass(frozen=True)
class Value:
    """A number of the recipe.

    Attributes:
        text: as people read it; a dash where there is none.
        unit: of it.
        field: what it is called in the plan, or in what was measured.
        help: what it means.
    """

    text: str
    unit: str = ""
    field: str = ""
    help: str = ""


@dataclass(frozen=True)
class Step:
    """One thing that was done.

    Attributes:
        what: "Tempo", "Ducking" …
        done: in a sentence.
        planned: the number that was asked for, if there is one.
        measured: the same, measured on the render.
    """

    what: str
    done: str
    planned: Value | None = None
    measured: Value | None = None


@dataclass(frozen=True)
class Score:
    """One of the scores that say why two songs go together; `share` None where nobody can tell."""

    name: str
    field: str
    share: float | None
    help: str


def scores(fit: Fit) -> list[Score]:
    """The scores of a plan, the whole first."""
    told = (
        ("All together", "score", "All of it."),
        ("Harmony", "harmonic", "Pitches of the vocals against those of the backing, after the shift."),
        ("Rhythm", "rhythmic", "Accents against accents, after the change of tempo."),
        ("Room", "room", "How much of the vocals' spectrum the backing leaves free."),
        ("Energy", "energy", "Whether loud parts meet loud parts."),
        ("No other voice", "overlap", "100 % where no other voice sings at the same time."),
    )
    return [Score(name, f"fit.{field}", getattr(fit, field), text) for name, field, text in told]


def chosen_by(plan: Plan) -> str:
    """Who chose among the plans, in a sentence."""
    if plan.chosen_by == "rules":
        return "Chosen by our rules: of the plans that they made, the one with the best scores."
    if plan.chosen_by == "person":
        return "Chosen, or written, by a person."
    return (
        f"Chosen by the language model {plan.chosen_by}, among plans that our rules made; it changed none of them. "
        "Its own words stand among the reasons."
    )


def recipe(plan: Plan, measured: Measured, listed: Sequence[Placed]) -> list[Step]:
    """Everything that was done, in the order in which it is done.

    Args:
        plan: what was asked for.
        measured: what came out.
        listed: the plan's segments and their places.
    """
    steps = [*_cuts(plan, measured), *_time(plan, measured, listed), *_pitch(plan, measured)]
    return [*steps, *_balance(plan, measured, listed), *_tone(plan), *_loudness(plan, measured)]


def _cuts(plan: Plan, measured: Measured) -> Iterator[Step]:
    spans = [f"{clock(start)}–{clock(end)}" for start, end, _ in cut_starts_s(plan)]
    told = ", ".join(spans[:MAX_CUTS]) + (f" and {len(spans) - MAX_CUTS} more" if len(spans) > MAX_CUTS else "")
    done = f"The instrumental plays {told}" + (", end to end." if len(spans) > 1 else ", in one piece.")
    length = Value(text_of(duration_s(plan), 2), "s", "plan.duration_s")
    yield Step("Form", done, length, _measured("duration_s", measured))
    joins = Value("0", "clicks", "plan.clicks_at_joins")
    done = f"Sound is put together in {text_of(measured.joins, 0)} places."
    yield Step("Joins", done, joins, _measured("clicks_at_joins", measured))


def _time(plan: Plan, measured: Measured, listed: Sequence[Placed]) -> Iterator[Step]:
    own, ratio = plan.instrumental.grid.tempo_bpm, stretch(plan)
    if abs(own - plan.tempo_bpm) <= SAME_BPM:
        done = "It plays at the instrumental's tempo; that is not stretched at all."
    else:
        done = f"The instrumental has {text_of(own, 1)} BPM; it becomes {ratio:.3f} times as long."
    tempo = Value(text_of(plan.tempo_bpm, 1), "BPM", "plan.tempo_bpm")
    yield Step("Tempo", done, tempo, _measured("tempo_bpm", measured))
    if listed:
        yield Step("Stretch of the vocals", _stretched(plan, listed), None, _measured("onset_sharpness_kept", measured))
    beats = Value("≤ 20.0", "ms", "plan.beat_offset_ms")
    told = f"19 of 20 beats within {_plain('beat_offset_p95_ms', measured)}"
    worst = f"in the worst section {_plain('beat_offset_worst_ms', measured)} apart"
    done = f"Each beat of the vocals is laid on one of the instrumental: {told}, {worst}."
    yield Step("Beats of both", done, beats, _measured("beat_offset_median_ms", measured))


def _stretched(plan: Plan, listed: Sequence[Placed]) -> str:
    slow, fast = max(listed, key=lambda one: one.stretch), min(listed, key=lambda one: one.stretch)
    counted = {
        1.0: "Beat on beat",
        2.0: "Two beats of the vocals on each beat (double time)",
        0.5: "One beat of the vocals on every two (half time)",
    }.get(plan.vocal_beats_per_beat, f"{plan.vocal_beats_per_beat:g} beats of the vocals on each beat")
    low, high = f"{fast.stretch:.3f}", f"{slow.stretch:.3f}"
    if low == high:
        told = f"All that is sung becomes {low} times as long"
    else:
        told = f"Segments become {low} (“{fast.segment.label}”) to {high} (“{slow.segment.label}”) times as long"
    beats = f"{min(one.fastest for one in listed):.3f} to {max(one.slowest for one in listed):.3f}"
    return (
        f"{counted}, from {text_of(plan.vocals.grid.tempo_bpm, 1)} BPM. {told}; single beats {beats} times. "
        f"{_by(plan)}Measured: how sharp attacks are, 1 as before."
    )


def _by(plan: Plan) -> str:
    """What stretched it, where a person asked for something else than we do."""
    return "" if plan.stretcher == PEDALBOARD else f"Stretched by {plan.stretcher}. "


def _pitch(plan: Plan, measured: Measured) -> Iterator[Step]:
    vocals, backing = plan.vocal_shift_semitones, plan.instrumental_shift_semitones
    keys = f"{plan.vocals.key or 'no key'} over {plan.instrumental.key or 'no key'}"
    if not vocals and not backing:
        done = f"Nothing is shifted: {keys}."
    elif not backing:
        done = f"The vocals are shifted by {_semitones(vocals)}, formants kept: {keys}."
    else:
        done = (
            f"The shift is split: vocals by {_semitones(vocals)}, what has a pitch in the instrumental by "
            f"{_semitones(backing)}: {keys}."
        )
    moved = [one for one in plan.segments if one.extra_semitones]
    if moved:
        each = ", ".join(f"“{one.label}” by {_semitones(one.extra_semitones)}" for one in moved[:MAX_CUTS])
        done += f" Where the keys move, more: {each}."
    key = Value(_key_after(plan.instrumental.key, backing) or NOTHING, "", "plan.key")
    yield Step("Pitch", done, key, _measured("key", measured))


def _balance(plan: Plan, measured: Measured, listed: Sequence[Placed]) -> Iterator[Step]:
    gains = [one.segment.gain_db for one in listed]
    ends = list(dict.fromkeys(signed(one) for one in (min(gains), max(gains)))) if gains else []
    told = f"vocals {' to '.join(ends)} dB{' by segment' if len(ends) > 1 else ''}" if ends else "nothing is sung"
    done = f"Backing {signed(plan.instrumental_gain_db)} dB, {told}."
    ratio = Value(signed(plan.vocal_to_backing_lu), "LU", "plan.vocal_to_backing_lu")
    yield Step("Levels", done, ratio, _measured("vocal_to_backing_lu", measured))
    if plan.gate_below_lufs is None:
        done = "Nothing is turned down between the lines."
    else:
        done = f"What is quieter in the vocals than {signed(plan.gate_below_lufs)} LUFS is bleed, and turned down."
    yield Step("Gate", done)


def _tone(plan: Plan) -> Iterator[Step]:
    yield Step("Equaliser of the vocals", _bands(plan.vocal_bands))
    yield Step("Equaliser of the backing", _bands(plan.instrumental_bands))
    duck = plan.duck
    if duck is None:
        yield Step("Ducking", "The backing does not make room by itself.")
        return
    done = (
        f"While somebody sings, the backing gives way by up to {text_of(duck.depth_db, 1)} dB between "
        f"{hz_text(duck.low_hz)} and {hz_text(duck.high_hz)}, band by band; attack {_ms(duck.attack_s)}, release "
        f"{_ms(duck.release_s)}."
    )
    yield Step("Ducking", done)


def _loudness(plan: Plan, measured: Measured) -> Iterator[Step]:
    loudness = Value(signed(plan.target_lufs), "LUFS", "plan.target_lufs")
    yield Step("Loudness", "All of it is brought to the target.", loudness, _measured("integrated_lufs", measured))
    done = f"The limiter turned down by {text_of(measured.limiter_db, 1)} dB at most."
    ceiling = Value(f"≤ {text_of(plan.ceiling_dbtp, 2)}", "dBTP", "plan.ceiling_dbtp")
    yield Step("Limiter", done, ceiling, _measured("true_peak_dbtp", measured))


def _semitones(shift: float) -> str:
    digits = 0 if float(shift).is_integer() else 2
    return f"{signed(shift, digits)} semitone{'' if abs(shift) == 1 else 's'}"


def _bands(bands: Sequence[Band]) -> str:
    told = "; ".join(band.text for band in bands)
    return f"{told[:1].upper()}{told[1:]}." if told else "None was needed."


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"


def _key_after(key: str | None, semitones: float) -> str | None:
    """A key's name after a shift by whole semitones; None where it has no name."""
    return shifted(key, semitones) if float(semitones).is_integer() else None


@cache
def _columns() -> dict[str, Column]:
    return {column.name: column for column in columns(Measured)}


def _measured(field: str, measured: Measured) -> Value:
    """A number as it was measured, with what its declaration says."""
    quantity = _columns()[field].quantity
    value: Any = getattr(measured, field)
    unit = "clicks" if field == "clicks_at_joins" else quantity.unit
    text = text_of(value, quantity.digits)
    return Value(text, unit if text != NOTHING else "", f"measured.{field}", f"{quantity.label}: {quantity.help}")


def _plain(field: str, measured: Measured) -> str:
    value = _measured(field, measured)
    return f"{value.text} {value.unit}".strip()
