"""What a track is, in a few words: the state labels of its header and the numbers of its side bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from processor.analysis import all_analysers, result_types
from processor.graph import deep
from processor.quantities import Column, columns
from processor.record import JSON, Record
from processor.site.charts import clock, length_text
from processor.site.rendering import NOTHING, text_of

# Below this a reading is shown with the next best one beside it.
SURE = 0.7
PEAK_LIMIT_DBTP = -1.0  # EBU R 128: above it a lossy copy may clip


@dataclass(frozen=True)
class State:
    """A label of the header: text, class of its colour, and more for who hovers over it."""

    text: str
    style: str = ""
    hint: str = ""


def states(found: Record, pending: Sequence[str] = ()) -> list[State]:
    """What a person should know before reading any number.

    Args:
        found: the record.
        pending: analysers whose models are here and have not heard it yet.
    """
    listed = [_progress(found, pending)]
    listed += _source_states(found.results.get("source"))
    listed += _level_states(found.results.get("levels"))
    spectrum, stereo = found.results.get("spectrum"), found.results.get("stereo")
    if spectrum is not None and spectrum.looks_lossy:
        listed.append(State("looks lossy", "warn", spectrum.lossy_evidence or ""))
    if stereo is not None and stereo.is_mono and all(state.text != "mono" for state in listed):
        listed.append(State("mono", "", "Both loudspeakers play the same."))
    if stereo is not None and stereo.negative_s:
        listed.append(State(f"out of phase {clock(stereo.negative_s)}", "warn", "Its channels cancel in mono."))
    return listed


def _progress(found: Record, pending: Sequence[str]) -> State:
    failed = [name for name, failure in found.failures.items() if failure.kind != "skipped"]
    skipped = [name for name, failure in found.failures.items() if failure.kind == "skipped"]
    if failed:
        return State(f"{len(failed)} failed", "bad", ", ".join(failed))
    if skipped:
        return State(f"{len(skipped)} skipped", "warn", ", ".join(skipped))
    if pending:
        return State("deep analysis pending", "", f"Still to hear: {', '.join(pending)}. linernotes run --deep")
    if deep(all_analysers()) & found.results.keys():
        return State("deep analysis done", "good", f"{len(found.results)} parts, none failed.")
    return State("fast analysis done", "good", f"{len(found.results)} parts, none failed.")


def _source_states(source: Any) -> list[State]:
    if source is None:
        return []
    listed = []
    if source.partial:
        listed.append(State("partial", "warn", "Some of the file could not be read."))
    if source.streamed:
        listed.append(State("streamed", "", "Too long to hold in memory: only what can stream was measured."))
    if source.channels == 1:
        listed.append(State("mono", "", "It has one channel."))
    if source.channels > 2:
        listed.append(State(f"{source.channels} channels", "", source.layout))
    return listed


def _level_states(levels: Any) -> list[State]:
    if levels is None:
        return []
    listed = []
    if levels.is_silent:
        listed.append(State("silent", "warn", "Every sample is zero."))
    if levels.clipped_samples:
        listed.append(State("clipped", "warn", f"{text_of(levels.clipped_samples, 0)} samples are cut off."))
    return listed


@dataclass(frozen=True)
class Fact:
    """One number of the side bar.

    Attributes:
        label: what it is.
        field: "analyser.field".
        text: its value, a dash where there is none.
        unit: of the value.
        hint: how sure it is, or what else it may be.
        is_weak: whether the hint is a warning.
        is_said: whether it is a person's word.
        is_big: whether it is one of those that everybody asks for.
    """

    label: str
    field: str
    text: str
    unit: str = ""
    hint: str = ""
    is_weak: bool = False
    is_said: bool = False
    is_big: bool = False


def facts(results: Mapping[str, Any], said: Mapping[str, JSON]) -> list[Fact]:
    """Tempo, key, loudness, peak, length, metre: what there is of them."""
    listed = [*_tempo(results.get("beats"), said), *_key(results.get("key"), said)]
    loudness = results.get("loudness")
    if loudness is not None:
        listed.append(_fact("Loudness", "loudness.integrated_lufs", loudness, is_big=True))
        is_hot = loudness.true_peak_dbtp is not None and loudness.true_peak_dbtp > PEAK_LIMIT_DBTP
        hint = "over −1" if is_hot else ""
        listed.append(_fact("True peak", "loudness.true_peak_dbtp", loudness, hint, is_weak=is_hot, is_big=True))
        listed.append(_fact("Loudness range", "loudness.range_lu", loudness))
    levels, stereo, source = results.get("levels"), results.get("stereo"), results.get("source")
    if levels is not None:
        listed.append(_fact("Dynamic range", "levels.dr", levels))
    if stereo is not None:
        listed.append(_fact("Width", "stereo.width", stereo))
    if source is not None:
        listed.insert(0, Fact("Length", "source.duration_s", length_text(source.duration_s), is_big=True))
    return listed


def _tempo(beats: Any, said: Mapping[str, JSON]) -> list[Fact]:
    if beats is None:
        return []
    is_said = "beats.tempo_bpm" in said
    hint, is_weak = "", False
    if beats.tempo_bpm is not None and beats.confidence is not None and not is_said:
        is_weak = beats.confidence < SURE
        hint = f"{percent(beats.confidence)} sure"
        if is_weak and len(beats.candidates) > 1:
            hint += f", else {text_of(beats.candidates[1], 1)}"
    metre = _fact("Beats a bar", "beats.metre", beats, is_said="beats.metre" in said)
    return [_fact("Tempo", "beats.tempo_bpm", beats, hint, is_weak=is_weak, is_said=is_said, is_big=True), metre]


def _key(key: Any, said: Mapping[str, JSON]) -> list[Fact]:
    if key is None:
        return []
    is_said = "key.name" in said
    hint, is_weak = "", False
    if key.name is not None and key.confidence is not None and not is_said:
        is_weak = key.confidence < SURE
        hint = f"{percent(key.confidence)} sure"
        if is_weak and key.runner_up:
            hint += f", else {key.runner_up} ({key.runner_up_camelot})"
    return [
        _fact("Key", "key.name", key, hint, is_weak=is_weak, is_said=is_said, is_big=True),
        _fact("Camelot", "key.camelot", key),
    ]


def _fact(label: str, field: str, result: Any, hint: str = "", **marks: bool) -> Fact:
    """A field's value with its unit, with a decimal less than the table shows where that has two."""
    column = _declared(field)
    value = getattr(result, column.name)
    text = text_of(value, min(column.quantity.digits, 1))
    # A person's word for what cannot be computed has no effect: there is no tempo in silence.
    marks["is_said"] = marks.get("is_said", False) and text != NOTHING
    return Fact(label, field, text, column.quantity.unit, hint, **marks)


@cache
def _declared(field: str) -> Column:
    analyser, _, name = field.partition(".")
    return next(column for column in columns(result_types()[analyser]) if column.name == name)


def percent(share: float) -> str:
    """A share from 0 to 1 as people read it."""
    return f"{round(100 * share)}\u00a0%"
