"""Analysers and how they run: a function's parameters are what it needs, and nothing else decides the order.

::

    @analyser(version=1)
    def loudness(audio: Audio) -> Loudness: ...

    @analyser
    def headroom(loudness: Loudness, levels: Levels | None = None) -> Headroom: ...

A parameter is `audio`, the name of another analyser, or `known` (what a person said about this analyser's fields).
One with the default None receives None when it is off, pending or failed; any other one that is missing makes the
analyser *skipped*, with the reason.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import time
import typing
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeVar, overload

import numpy as np

from processor.audio import Audio
from processor.errors import NotInMemory
from processor.quantities import columns
from processor.record import JSON, Failure

_MARK = "__analyser__"
F = TypeVar("F", bound=Callable[..., Any])
Known = Mapping[str, JSON]


@dataclass(frozen=True)
class Analyser:
    """A function that was marked with `@analyser`.

    Attributes:
        name: its name, and that of its module, its table, its page section.
        function: the plain function.
        result_type: the frozen dataclass that it returns.
        version: raised when its numbers change.
        keep: False for an intermediate that is freed after its last consumer and never recorded.
        required: parameters that must have a result.
        optional: parameters that receive None where there is no result.
        takes_known: whether it listens to a person's word.
    """

    name: str
    function: Callable[..., Any]
    result_type: type
    version: int
    keep: bool
    required: tuple[str, ...]
    optional: tuple[str, ...]
    takes_known: bool

    @property
    def inputs(self) -> tuple[str, ...]:
        """All parameters but `known`."""
        return self.required + self.optional


@overload
def analyser(function: F) -> F: ...
@overload
def analyser(*, version: int = 1, keep: bool = True) -> Callable[[F], F]: ...
def analyser(function: F | None = None, *, version: int = 1, keep: bool = True) -> F | Callable[[F], F]:
    """Mark a function as an analyser; it stays a plain function."""

    def mark(marked: F) -> F:
        setattr(marked, _MARK, (version, keep))
        return marked

    return mark if function is None else mark(function)


def describe(function: Callable[..., Any]) -> Analyser:
    """Read an analyser's declaration off its signature."""
    version, keep = getattr(function, _MARK)
    parameters = inspect.signature(function).parameters
    names = [name for name in parameters if name != "known"]
    optional = tuple(name for name in names if parameters[name].default is None)
    return Analyser(
        name=function.__name__,
        function=function,
        result_type=typing.get_type_hints(function)["return"],
        version=version,
        keep=keep,
        required=tuple(name for name in names if name not in optional),
        optional=optional,
        takes_known="known" in parameters,
    )


def collect(modules: Iterable[ModuleType]) -> dict[str, Analyser]:
    """All analysers that are defined in `modules`, in an order in which they can run.

    Raises:
        ValueError: two have one name, one needs what does not exist, or they need each other.
    """
    found: dict[str, Analyser] = {}
    for module in modules:
        for value in vars(module).values():
            if callable(value) and hasattr(value, _MARK) and value.__module__ == module.__name__:
                one = describe(value)
                if one.name in found:
                    raise ValueError(f"two analysers are called {one.name}")
                found[one.name] = one
    return order(found)


def order(analysers: Mapping[str, Analyser]) -> dict[str, Analyser]:
    """The same analysers, each after its inputs, otherwise by name."""
    ordered: dict[str, Analyser] = {}
    waiting = dict(sorted(analysers.items()))
    for one in waiting.values():
        for name in one.inputs:
            if name != "audio" and name not in analysers:
                raise ValueError(f"{one.name} needs {name}, which is no analyser")
    while waiting:
        ready = [one for one in waiting.values() if all(n == "audio" or n in ordered for n in one.inputs)]
        if not ready:
            raise ValueError(f"these analysers need each other: {', '.join(waiting)}")
        for one in ready:
            ordered[one.name] = waiting.pop(one.name)
    return ordered


def plan_keys(
    analysers: Mapping[str, Analyser], audio_key: str, known: Mapping[str, Known], off: Collection[str]
) -> dict[str, str]:
    """The key that each analyser's result will have: a hash of its version, its inputs' keys and a person's word.

    A key that differs from the recorded one means: run it again.
    """
    keys = {"audio": audio_key}
    for one in analysers.values():
        if one.name in off:
            continue
        words = known.get(one.name, {}) if one.takes_known else {}
        parts = [one.name, one.version, [(name, keys.get(name, "none")) for name in one.inputs], words]
        keys[one.name] = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
    del keys["audio"]
    return keys


@dataclass
class Outcome:
    """What a run gave: results, failures and keys of what is recorded, and the seconds that each analyser took."""

    results: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def run(
    analysers: Mapping[str, Analyser],
    audio: Audio,
    *,
    known: Mapping[str, Known] | None = None,
    off: Collection[str] = (),
    previous: Outcome | None = None,
) -> Outcome:
    """Run all analysers on one piece of audio.

    Args:
        analysers: as `collect` gives them, in order.
        audio: the decoded sound.
        known: analyser name → field → what a person said.
        off: names that do not run.
        previous: an earlier outcome; results whose key is unchanged are taken from it.
    """
    known = known or {}
    keys = plan_keys(analysers, audio.key, known, off)
    outcome = _unchanged(previous, keys)
    wanted = _wanted(analysers, keys, outcome)
    uses = Counter(name for one in wanted for name in one.inputs)
    for one in wanted:
        start = time.perf_counter()
        _run_one(one, audio, known.get(one.name, {}), off, outcome)
        outcome.seconds[one.name] = time.perf_counter() - start
        uses.subtract(one.inputs)
        for name in one.inputs:
            if name in analysers and not analysers[name].keep and uses[name] == 0:
                outcome.results.pop(name, None)
    for one in wanted:
        if not one.keep:
            outcome.results.pop(one.name, None)
            outcome.failures.pop(one.name, None)
    outcome.keys = {name: keys[name] for name in (*outcome.results, *outcome.failures)}
    return outcome


def _unchanged(previous: Outcome | None, keys: Mapping[str, str]) -> Outcome:
    """What of an earlier outcome still holds."""
    if previous is None:
        return Outcome()
    same = {name for name, key in previous.keys.items() if keys.get(name) == key}
    return Outcome(
        {name: result for name, result in previous.results.items() if name in same},
        {name: failure for name, failure in previous.failures.items() if name in same},
    )


def _wanted(analysers: Mapping[str, Analyser], keys: Mapping[str, str], have: Outcome) -> list[Analyser]:
    """What has to run, in order: recorded analysers that have nothing yet, and the intermediates that they need."""
    names: set[str] = set()
    for one in reversed(list(analysers.values())):
        is_due = one.keep and one.name not in have.results and one.name not in have.failures
        is_needed = not one.keep and any(one.name in analysers[name].inputs for name in names)
        if one.name in keys and (is_due or is_needed):
            names.add(one.name)
    return [one for one in analysers.values() if one.name in names]


def _run_one(one: Analyser, audio: Audio, known: Known, off: Collection[str], outcome: Outcome) -> None:
    """Run one analyser and put its result or its failure into `outcome`."""
    available: dict[str, Any] = {"audio": audio, **outcome.results}
    for name in one.required:
        if name not in available:
            outcome.failures[one.name] = Failure("skipped", _why_missing(name, off, outcome))
            return
    arguments = {name: available.get(name) for name in one.inputs}
    if one.takes_known:
        arguments["known"] = known
    try:
        result = one.function(**arguments)
        if one.keep:
            _check(result)
    except NotInMemory as error:
        outcome.failures[one.name] = Failure("skipped", str(error))
    except MemoryError:
        raise
    except Exception as error:  # one analyser's defect must not cost the others their results
        outcome.failures[one.name] = Failure("failed", f"{type(error).__name__}: {error}")
    else:
        outcome.results[one.name] = result


def _why_missing(name: str, off: Collection[str], outcome: Outcome) -> str:
    if name in off:
        return f"It needs {name}, which is switched off."
    failure = outcome.failures.get(name)
    return (
        f"It needs {name}, which has no result: {failure.reason}"
        if failure
        else f"It needs {name}, which has no result."
    )


def _check(result: Any) -> None:
    """Refuse numbers that are none; where there is no number, an analyser must say None."""
    for column in columns(type(result)):
        value = getattr(result, column.name)
        values = value if isinstance(value, tuple) else (value,)
        if any(isinstance(v, (float, np.floating)) and not math.isfinite(v) for v in values):
            raise ValueError(f"{column.name} is {value}, which is not a number")
        if isinstance(value, np.ndarray) and np.isinf(value).any():
            raise ValueError(f"{column.name} holds infinite values")
