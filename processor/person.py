"""A person's words about a track: which there are, and what counts as a sensible value."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from processor.analysis import all_analysers
from processor.errors import WrongUsage
from processor.feedback.revisions import FIELD as REVISION_OF
from processor.files import printable
from processor.quantities import Column, columns
from processor.record import JSON, plain_value

TEXTS = ("title", "artist", "album", "genre", "collection", "note")
RATING = "rating"
MAX_RATING = 5
MAX_CHARACTERS = 4000
# A word is one line wherever it is shown.
_BREAKS = str.maketrans("\n\r\t", "   ")


def merge(said: Mapping[str, JSON], words: Iterable[str]) -> dict[str, JSON]:
    """Add words of the form `field=value` to what was said before; an empty value takes a word back.

    Raises:
        WrongUsage: a field is unknown or cannot be set, or a value does not fit it.
    """
    merged = dict(said)
    for word in words:
        field, equals, text = word.partition("=")
        if not equals:
            raise WrongUsage(f"{word!r} is not of the form field=value.")
        value = _parse(field.strip(), text.strip())
        if value is None:
            merged.pop(field.strip(), None)
        else:
            merged[field.strip()] = value
    return merged


def _parse(field: str, text: str) -> JSON:
    if field in (*TEXTS, REVISION_OF):
        if len(text) > MAX_CHARACTERS:
            raise WrongUsage(f"{field} has {len(text)} characters; at most {MAX_CHARACTERS} are kept.")
        return printable(text.translate(_BREAKS)) or None
    if field == RATING:
        if text == "":
            return None
        if not text.isascii() or not text.isdigit() or int(text) > MAX_RATING:
            raise WrongUsage(f"rating={text}: a rating is a whole number from 0 to {MAX_RATING}.")
        return int(text)
    return _parse_measured(field, text)


def _parse_measured(field: str, text: str) -> JSON:
    """A word about an analyser's field, checked against its declaration."""
    analyser, _, name = field.partition(".")
    one = all_analysers().get(analyser)
    column = next((c for c in columns(one.result_type) if c.name == name), None) if one else None
    if one is None or column is None:
        near = get_close_matches(field, [*TEXTS, RATING, REVISION_OF], n=1)
        raise WrongUsage(
            f"There is no field {field!r}. "
            + (f"Did you mean {near[0]}?" if near else f"You can set {', '.join(TEXTS)}, {RATING}, {REVISION_OF}.")
        )
    if not one.takes_known or column.quantity.said is None:
        raise WrongUsage(f"{field} is measured and no matter of opinion; it cannot be set.")
    return None if text == "" else _checked(column, field, text)


def _checked(column: Column, field: str, text: str) -> JSON:
    """A value of a field's type and range."""
    q = column.quantity
    try:
        value = text if column.base_type is str else json.loads(text, parse_float=_finite, parse_constant=_finite)
        checked = plain_value(column, value)
    except (ValueError, TypeError, OverflowError, RecursionError):
        checked = None
    if checked is None:  # null is no word; an empty one takes a word back
        raise WrongUsage(f"{field}={text}: this is not a value for {q.label} ({q.unit or 'no unit'}).")
    if q.said is not None:
        try:
            checked = q.said(checked)
        except ValueError as error:
            raise WrongUsage(f"{field}={text}: {error}") from error
    for value in checked if isinstance(checked, list) else [checked]:
        is_low = q.low is not None and isinstance(value, (int, float)) and value < q.low
        is_high = q.high is not None and isinstance(value, (int, float)) and value > q.high
        if is_low or is_high:
            low, high = "…" if q.low is None else q.low, "…" if q.high is None else q.high
            raise WrongUsage(f"{field}={text}: {q.label} goes from {low} to {high} {q.unit}".rstrip() + ".")
    return checked


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
