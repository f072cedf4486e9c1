"""What each number means: unit, label, source and range, declared where the number is defined.

A result is a frozen dataclass whose fields are made by `quantity`. The page, the catalogue's column comments,
`linernotes explain` and the contract tests all read these declarations; there is no second list of fields.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

_KEY = "quantity"


@dataclass(frozen=True)
class Quantity:
    """The declaration of one field.

    Attributes:
        unit: "LUFS", "dBFS", "s", "Hz" …; empty for text and for plain counts and ratios.
        label: what a page calls it.
        source: the standard, paper or rule that it follows, with its clause.
        help: one or two sentences for a person who makes music.
        low: smallest value that makes sense, if there is one.
        high: largest value that makes sense, if there is one.
        digits: decimals worth showing.
        said: for what a person may overrule: turns a word of the field's type into the value that is kept, or raises
            ValueError with what is wrong; None for what is only measured.
    """

    unit: str
    label: str
    source: str
    help: str
    low: float | None = None
    high: float | None = None
    digits: int = 1
    said: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Column:
    """A field of a result together with its name and type."""

    name: str
    type: Any
    quantity: Quantity

    @cached_property
    def base_type(self) -> Any:
        """The type without `| None`."""
        if isinstance(self.type, types.UnionType) or typing.get_origin(self.type) is typing.Union:
            return next(part for part in typing.get_args(self.type) if part is not type(None))
        return self.type

    @cached_property
    def is_curve(self) -> bool:
        """Whether the field is an array, which is kept in the record but is no column of the catalogue."""
        return typing.get_origin(self.base_type) is np.ndarray or self.base_type is np.ndarray


def quantity(
    unit: str,
    *,
    label: str,
    source: str,
    help: str,
    low: float | None = None,
    high: float | None = None,
    digits: int = 1,
    said: Callable[[Any], Any] | None = None,
) -> Any:
    """Declare a field of a result; see `Quantity` for the arguments."""
    return dataclasses.field(metadata={_KEY: Quantity(unit, label, source, help, low, high, digits, said)})


def columns(result_type: type) -> tuple[Column, ...]:
    """The declared fields of a result class, in order.

    Raises:
        TypeError: a field was not declared with `quantity`.
    """
    known: Any = result_type  # mypy does not see that classes can be hashed
    return _columns(known)


@cache
def _columns(result_type: type) -> tuple[Column, ...]:
    hints = typing.get_type_hints(result_type)
    found = []
    for field in dataclasses.fields(result_type):
        if _KEY not in field.metadata:
            raise TypeError(f"{result_type.__name__}.{field.name} is not declared with quantity()")
        found.append(Column(field.name, hints[field.name], field.metadata[_KEY]))
    return tuple(found)
