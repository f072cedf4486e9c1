"""Analysers and how they run: a function's parameters are what it needs, and nothing else decides the order.

::

    @analyser(version=1)
    def loudness(audio: Audio) -> Loudness: ...

    @analyser
    def headroom(loudness: Loudness, levels: Levels | None = None) -> Headroom: ...

A parameter is `audio`, the name of another analyser, or `known` (what a person said about this analyser's fields).
One with the default None receives None when it is off, pending or failed; any other one that is missing makes the
analyser *skipped*, with the reason.

`@analyser(model="separator")` marks one that needs a model for that job, which it receives as the parameter of that
name. Such an analyser, and whatever cannot do without it, is *deep*: it runs in a pass of its own, where there is a
model for it. Elsewhere what an earlier deep pass found stays, and where there was none, it is simply not there. An
analyser that writes or reads sound beside the record takes `sidecars`, one that takes minutes tells its `progress`.
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
from processor.errors import NotInMemory, WorkspaceError
from processor.quantities import columns
from processor.record import JSON, Failure
from processor.sidecars import Sidecars, refused

_MARK = "__analyser__"
MAX_REASON = 500  # characters; what a foreign library says can fill a screen, and a record is small
# Parameters that are no inputs: they change how an analyser works, never what comes out.
_EQUIPMENT = ("known", "sidecars", "progress")
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
        takes: which of `known` (a person's word), `sidecars` and `progress` it wants.
        model: the job of the model that it needs, and the name of that parameter; None for most.
    """

    name: str
    function: Callable[..., Any]
    result_type: type
    version: int
    keep: bool
    required: tuple[str, ...]
    optional: tuple[str, ...]
    takes: frozenset[str] = frozenset()
    model: str | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """Its parameters that are results or the sound."""
        return self.required + self.optional

    @property
    def takes_known(self) -> bool:
        """Whether it listens to a person's word."""
        return "known" in self.takes


@dataclass(frozen=True)
class Equipment:
    """What deep analysers work with.

    Attributes:
        models: job → what identifies the model that does it: its name, its weights. It is part of the result's key.
        load: job → that model, ready for use.
        sidecars: where sound beside the record is; None where no analyser may ask for it.
        progress: told of the share that is done, 0 to 1.
    """

    models: Mapping[str, str] = field(default_factory=dict)
    load: Callable[[str], Any] | None = None
    sidecars: Sidecars | None = None
    progress: Callable[[float], None] = lambda share: None


@overload
def analyser(function: F) -> F: ...
@overload
def analyser(*, version: int = 1, keep: bool = True, model: str | None = None) -> Callable[[F], F]: ...
def analyser(
    function: F | None = None, *, version: int = 1, keep: bool = True, model: str | None = None
) -> F | Callable[[F], F]:
    """Mark a function as an analyser; it stays a plain function."""

    def mark(marked: F) -> F:
        setattr(marked, _MARK, (version, keep, model))
        return marked

    return mark if function is None else mark(function)


def describe(function: Callable[..., Any]) -> Analyser:
    """Read an analyser's declaration off its signature."""
    version, keep, model = getattr(function, _MARK)
    parameters = inspect.signature(function).parameters
    if model is not None and model not in parameters:
        raise ValueError(f"{function.__name__} has no parameter {model} for its model")
    names = [name for name in parameters if name not in (*_EQUIPMENT, model)]
    optional = tuple(name for name in names if parameters[name].default is None)
    return Analyser(
        name=function.__name__,
        function=function,
        result_type=typing.get_type_hints(function)["return"],
        version=version,
        keep=keep,
        required=tuple(name for name in names if name not in optional),
        optional=optional,
        takes=frozenset(name for name in _EQUIPMENT if name in parameters),
        model=model,
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


def deep(analysers: Mapping[str, Analyser]) -> frozenset[str]:
    """Names of those that need a model, or cannot do without one that does."""
    found: set[str] = set()
    for one in analysers.values():
        if one.model is not None or found.intersection(one.required):
            found.add(one.name)
    return frozenset(found)


def plan_keys(
    analysers: Mapping[str, Analyser],
    audio_key: str,
    known: Mapping[str, Known],
    off: Collection[str],
    *,
    models: Mapping[str, str] | None = None,
    recorded: Mapping[str, str] | None = None,
    only: Collection[str] | None = None,
) -> dict[str, str]:
    """The key that each analyser's result will have: a hash of its version, its inputs' keys and a person's word.

    A key that differs from the recorded one means: run it again.

    Args:
        analysers: in order.
        audio_key: the sound's.
        known: a person's words, by analyser.
        off: names that do not run.
        models: job → identity of the model that does it, in a deep pass.
        recorded: keys of an earlier outcome. What needs a model that is not at hand keeps its own, or has none.
        only: names that may run now; any other that is recorded keeps its key, or has none. What runs gets the key
            of what it is really given, not of what its inputs would become.
    """
    keys = {"audio": audio_key}
    models, recorded = models or {}, recorded or {}
    absent: set[str] = set()
    for one in analysers.values():
        if one.name in off:
            continue
        if _stays(one, models, only):
            if one.name in recorded:
                keys[one.name] = recorded[one.name]
            else:
                absent.add(one.name)
            continue
        if absent.intersection(one.required):
            absent.add(one.name)
            continue
        words = known.get(one.name, {}) if one.takes_known else {}
        parts = [one.name, one.version, [(name, keys.get(name, "none")) for name in one.inputs], words]
        if one.model is not None:
            parts.append(models[one.model])
        keys[one.name] = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
    del keys["audio"]
    return keys


def _stays(one: Analyser, models: Mapping[str, str], only: Collection[str] | None) -> bool:
    """Whether it cannot run now, so that what is recorded of it stays."""
    is_left_out = only is not None and one.keep and one.name not in only
    return is_left_out or (one.model is not None and one.model not in models)


def upstream(analysers: Mapping[str, Analyser], names: Collection[str]) -> frozenset[str]:
    """Everything that these listen to, directly or not, without themselves."""
    found: set[str] = set()
    for one in reversed(list(analysers.values())):
        if one.name in names or one.name in found:
            found.update(one.inputs)
    return frozenset(found - {"audio", *names})


def downstream(analysers: Mapping[str, Analyser], names: Collection[str]) -> frozenset[str]:
    """Everything that listens to one of these, directly or not, without themselves."""
    found: set[str] = set()
    for one in analysers.values():
        if any(name in names or name in found for name in one.inputs):
            found.add(one.name)
    return frozenset(found - set(names))


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
    equipment: Equipment | None = None,
    only: Collection[str] | None = None,
) -> Outcome:
    """Run all analysers on one piece of audio.

    Args:
        analysers: as `collect` gives them, in order.
        audio: the decoded sound.
        known: analyser name → field → what a person said.
        off: names that do not run.
        previous: an earlier outcome; results whose key is unchanged are taken from it.
        equipment: models and sidecars; without it, nothing deep runs.
        only: names that may run; whatever else `previous` holds and is not off stays as it is, with the key that
            it had.
    """
    known, equipment = known or {}, equipment or Equipment()
    earlier = previous or Outcome()
    have = {name: key for name, key in earlier.keys.items() if name in earlier.results or name in earlier.failures}
    keys = plan_keys(analysers, audio.key, known, off, models=equipment.models, recorded=have, only=only)
    if only is not None:  # of analysers that there are no more, too
        keys |= {name: key for name, key in have.items() if name not in analysers}
    outcome = _unchanged(earlier, keys)
    wanted = _wanted(analysers, keys, outcome)
    uses = Counter(name for one in wanted for name in one.inputs)
    for one in wanted:
        start = time.perf_counter()
        _run_one(one, audio, known.get(one.name, {}), off, outcome, equipment)
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


def _unchanged(previous: Outcome, keys: Mapping[str, str]) -> Outcome:
    """What of an earlier outcome still holds."""
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


def _run_one(
    one: Analyser, audio: Audio, known: Known, off: Collection[str], outcome: Outcome, equipment: Equipment
) -> None:
    """Run one analyser and put its result or its failure into `outcome`."""
    available: dict[str, Any] = {"audio": audio, **outcome.results}
    for name in one.required:
        if name not in available:
            outcome.failures[one.name] = Failure("skipped", _why_missing(name, off, outcome))
            return
    arguments = {name: available.get(name) for name in one.inputs}
    at_hand = {"known": known, "sidecars": equipment.sidecars, "progress": equipment.progress}
    arguments |= {name: at_hand[name] for name in one.takes}
    try:
        if one.model is not None and equipment.load is not None:
            arguments[one.model] = equipment.load(one.model)
        result = one.function(**arguments)
        if one.keep:
            _check(result)
    except NotInMemory as error:
        outcome.failures[one.name] = Failure("skipped", str(error))
    except (MemoryError, WorkspaceError):  # no matter of this analyser alone; a full disk takes nobody's sound
        raise
    except Exception as error:  # one analyser's defect must not cost the others their results
        if (reason := refused(error)) is not None:
            raise WorkspaceError(reason) from error
        text = " ".join(f"{type(error).__name__}: {error}".split())
        outcome.failures[one.name] = Failure("failed", text[:MAX_REASON])
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
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and np.isinf(value).any():
            raise ValueError(f"{column.name} holds infinite values")
