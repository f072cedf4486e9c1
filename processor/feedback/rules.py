"""All rules: what they are, where they are found, and which of them judge a mix.

A rule is a small function of `processor/feedback/areas/` that looks at a `Mix` and yields advice::

    @rule("EBU R 128, 2020: maximum true peak")
    def true_peak(mix: Mix) -> Iterator[Advice]: ...

Rules judge mixes. One that also holds for other sounds says so: `@rule(source, of=ANY)`; silence is judged by nobody
but its own rule.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from processor.feedback import areas
from processor.feedback.advice import Advice, Mix

MIX = ("mix",)
# One instrument or voice is judged where its being alone does not matter: clipping, hum, levels for delivery.
ANY = ("mix", "solo", "speech", "noise", "unknown")

Function = Callable[[Mix], Iterator[Advice]]
_MARK = "__rule__"


@dataclass(frozen=True)
class Rule:
    """A rule and what it rests on.

    Attributes:
        name: "<area>.<function>".
        function: the rule itself.
        source: the standard, paper or measurement that its limit comes from.
        of: kinds of material that it judges.
    """

    name: str
    function: Function
    source: str
    of: tuple[str, ...]

    @property
    def help(self) -> str:
        """What it looks for."""
        return (self.function.__doc__ or "").partition("\n")[0]


def rule(source: str, *, of: tuple[str, ...] = MIX) -> Callable[[Function], Function]:
    """Mark a function as a rule; it stays a plain function."""

    def mark(function: Function) -> Function:
        setattr(function, _MARK, (source, of))
        return function

    return mark


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule of `processor/feedback/areas/`, by name."""
    found = []
    for module in pkgutil.iter_modules(areas.__path__):
        loaded = importlib.import_module(f"{areas.__name__}.{module.name}")
        for name, value in vars(loaded).items():
            if callable(value) and hasattr(value, _MARK) and value.__module__ == loaded.__name__:
                found.append(Rule(f"{module.name}.{name}", value, *getattr(value, _MARK)))
    return tuple(sorted(found, key=lambda one: one.name))


def rules_for(mix: Mix) -> tuple[Rule, ...]:
    """The rules that judge material of this kind."""
    return tuple(one for one in all_rules() if mix.material in one.of)
