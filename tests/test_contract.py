"""One contract for all analysers, present and future: each is tried on every kind of sound there is.

A new analyser is covered by being there. An analyser's own test says that its numbers are right; this one says
that it never fails, keeps to what it declares, and can be recorded. What needs a model is tried with models in its
own test; here it has none, and is not there.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processor import record
from processor.analysis import all_analysers, result_types
from processor.audio import Audio, decode
from processor.graph import Analyser, Outcome, deep, run, upstream
from processor.models.table import JOBS
from processor.quantities import Column, columns
from processor.record import Record
from tests import signals
from tests.signals import SURROUND, Samples, audio, clipped, constant, joined, silence, song


def with_no_numbers() -> Samples:
    samples = song(4.0, rate=44_100).copy()
    samples[0, 1000:1003] = np.nan, np.inf, -np.inf
    samples[1, 50_000:60_000] = np.nan
    return samples


SIGNALS: dict[str, Callable[[], Audio]] = {
    "nothing": lambda: audio(np.zeros((1, 0), np.float32), 44_100),
    "nothing in stereo": lambda: audio(np.zeros((2, 0), np.float32), 44_100),
    "one sample": lambda: audio(np.full((1, 1), 0.5, np.float32), 44_100),
    "one sample of silence": lambda: audio(np.zeros((2, 1), np.float32), 44_100),
    "a tenth of a second": lambda: audio(song(0.1, rate=44_100), 44_100),
    "silence": lambda: audio(silence(7.0, rate=44_100, channels=2), 44_100),
    "next to silence": lambda: audio(song(7.0, rate=44_100) * np.float32(1e-9), 44_100),
    "mono": lambda: audio(song(8.0, rate=44_100, channels=1), 44_100),
    "stereo": lambda: audio(song(12.0, rate=44_100), 44_100),
    "one side only": lambda: audio(signals.stereo(song(4.0, channels=1), silence(4.0))),
    "5.1": lambda: audio(song(7.0, channels=6), positions=SURROUND),
    "eight channels": lambda: audio(signals.noise(4.0, channels=8)),
    "not numbers": lambda: audio(with_no_numbers(), 44_100),
    "clipped": lambda: audio(clipped(20 * song(7.0, rate=44_100)), 44_100, bit_depth=16),
    "far over full scale": lambda: audio(1e6 * song(4.0, rate=44_100), 44_100),
    "direct current": lambda: audio(constant(0.7, 7.0, rate=44_100, channels=2), 44_100),
    "one click": lambda: audio(joined(silence(3.5), constant(1.0, 1 / 48_000), silence(3.5))),
    "tone": lambda: audio(signals.sine(440, 7.0, -12.0, channels=2)),
    "noise": lambda: audio(signals.noise(7.0, channels=2)),
    "4 kHz": lambda: audio(song(7.0, rate=4_000), 4_000),
    "8 kHz": lambda: audio(song(7.0, rate=8_000), 8_000),
    "11.025 kHz": lambda: audio(song(7.0, rate=11_025), 11_025),
    "192 kHz": lambda: audio(song(4.0, rate=192_000), 192_000),
}

NAMES = sorted(all_analysers())
RECORDED = sorted(result_types())
FAST = sorted(set(RECORDED) - deep(all_analysers()))


@functools.cache
def sound(signal: str) -> Audio:
    return SIGNALS[signal]()


@functools.cache
def outcome(signal: str) -> Outcome:
    return run(all_analysers(), sound(signal))


every_signal = pytest.mark.parametrize("signal", SIGNALS)
every_analyser = pytest.mark.parametrize("analyser", NAMES)
every_recorded = pytest.mark.parametrize("analyser", RECORDED)
every_fast = pytest.mark.parametrize("analyser", FAST)


# What is declared


@every_analyser
def test_an_analyser_is_called_as_its_file(analyser: str) -> None:
    one: Analyser = all_analysers()[analyser]
    assert one.function.__module__ == f"processor.analysis.{analyser}"
    assert one.version >= 1
    assert "Source:" in (one.function.__doc__ or "") or one.name in {"source", "metadata"}


@every_recorded
def test_a_result_is_a_frozen_dataclass_with_declared_fields(analyser: str) -> None:
    result_type = result_types()[analyser]
    assert dataclasses.is_dataclass(result_type)
    assert result_type.__dataclass_params__.frozen  # type: ignore[attr-defined]
    found = columns(result_type)
    assert found
    assert len({column.quantity.label for column in found}) == len(found)


@every_recorded
def test_a_field_says_what_it_is(analyser: str) -> None:
    for column in columns(result_types()[analyser]):
        declared = column.quantity
        assert declared.label[:1].isupper() or declared.label[:1].isdigit(), column.name
        assert declared.source.strip(), column.name
        assert not declared.source.startswith("["), "which Markdown takes for a link"
        assert declared.help.endswith((".", "?", "!")), column.name
        assert declared.digits >= 0, column.name
        assert declared.low is None or declared.high is None or declared.low < declared.high, column.name


@every_recorded
def test_a_unit_is_the_same_in_name_and_declaration(analyser: str) -> None:
    said = {
        "_lufs": "LUFS",
        "_lu": "LU",
        "_dbtp": "dBTP",
        "_dbfs": "dBFS",
        "_db": "dB",
        "_s": "s",
        "_hz": "Hz",
        "_bytes": "B",
    }
    for column in columns(result_types()[analyser]):
        for suffix, unit in said.items():
            if column.name.endswith(suffix):
                assert column.quantity.unit == unit, column.name


# Models


@every_analyser
def test_a_model_never_runs_again_for_a_persons_word(analyser: str) -> None:
    """A model takes minutes. Where a person's word counts, the model's part and the rest are two analysers."""
    one = all_analysers()[analyser]
    if one.model is not None:
        listening = {name for name in {analyser, *upstream(all_analysers(), {analyser})} if _is_told(name)}
        assert listening == set()


def _is_told(name: str) -> bool:
    return all_analysers()[name].takes_known


@every_analyser
def test_only_what_is_deep_asks_for_sound_beside_the_record(analyser: str) -> None:
    one = all_analysers()[analyser]
    if {"sidecars", "progress"} & one.takes:
        assert analyser in deep(all_analysers())
    assert one.model is None or one.model in JOBS


# What comes out


@every_signal
def test_nothing_fails(signal: str) -> None:
    assert outcome(signal).failures == {}
    assert sorted(outcome(signal).results) == FAST


def numbers(column: Column, result: object) -> list[float]:
    """All numbers of a field: a scalar, those of a tuple, those of a curve that are there."""
    value = getattr(result, column.name)
    if isinstance(value, np.ndarray):
        return [float(v) for v in value.ravel() if not np.isnan(v)]
    values = value if isinstance(value, tuple) else (value,)
    return [float(v) for v in values if isinstance(v, (int, float, np.number)) and not isinstance(v, bool)]


@every_signal
@every_fast
def test_numbers_are_finite_and_in_range(analyser: str, signal: str) -> None:
    result = outcome(signal).results[analyser]
    for column in columns(type(result)):
        for value in numbers(column, result):
            assert math.isfinite(value), column.name
            assert column.quantity.low is None or value >= column.quantity.low, column.name
            if signal != "far over full scale":
                assert column.quantity.high is None or value <= column.quantity.high, column.name


@every_signal
def test_the_same_sound_gives_the_same_bytes(signal: str) -> None:
    again = run(all_analysers(), SIGNALS[signal]())
    assert record.to_bytes(as_record(again)) == record.to_bytes(as_record(outcome(signal)))


@every_signal
def test_the_samples_are_left_as_they_are(signal: str) -> None:
    outcome(signal)
    assert np.array_equal(sound(signal).samples, SIGNALS[signal]().samples)


def as_record(found: Outcome) -> Record:
    return Record("track", "0" * 64, "song.wav", found.results, found.keys, found.failures)


@every_signal
def test_a_record_reads_back_as_it_was_written(signal: str, tmp_path: Path) -> None:
    """Every type is as declared, or reading would leave the result out; numbers keep six decimals."""
    written = as_record(outcome(signal))
    record.write(written, tmp_path)
    found = record.read(tmp_path, result_types())
    assert sorted(found.results) == FAST
    assert (found.keys, found.failures) == (written.keys, written.failures)
    for name, result in written.results.items():
        for column in columns(type(result)):
            assert_same(
                getattr(found.results[name], column.name), getattr(result, column.name), f"{name}.{column.name}"
            )
    assert record.to_bytes(found) == record.to_bytes(written)


def assert_same(found: Any, expected: Any, where: str) -> None:
    if isinstance(expected, np.ndarray):
        assert found.size == expected.size, where
        assert np.allclose(found.ravel(), expected.ravel(), rtol=0, atol=1e-6, equal_nan=True), where
    elif isinstance(expected, (tuple, float, np.floating)) and not _has_text(expected):
        assert found == pytest.approx(expected, abs=1e-6), where
    else:
        assert found == expected, where


def _has_text(value: Any) -> bool:
    return isinstance(value, tuple) and any(not isinstance(item, (int, float, type(None))) for item in value)


def test_a_stream_gives_results_or_says_that_it_cannot(tmp_path: Path) -> None:
    found = run(all_analysers(), signals.streamed(tmp_path / "long.wav", song(12.0, rate=44_100), 44_100))
    assert {failure.kind for failure in found.failures.values()} <= {"skipped"}
    assert sorted({*found.results, *found.failures}) == FAST
    assert {"levels", "loudness", "metadata", "source"} <= set(found.results)


def test_a_file_gives_what_its_samples_give(tmp_path: Path) -> None:
    samples = song(7.0, rate=44_100)
    found = run(all_analysers(), decode(signals.write_wav(tmp_path / "song.wav", samples, 44_100)))
    expected = run(all_analysers(), audio(samples, 44_100))
    assert found.failures == {}
    for name in set(FAST) - {"source", "metadata"}:
        assert record.plain(found.results[name]) == record.plain(expected.results[name]), name
