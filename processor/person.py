"""A person's words about a track: which there are, and what counts as a sensible value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from processor.analysis import all_analysers
from processor.errors import WrongUsage
from processor.files import printable
from processor.quantities import columns
from processor.record import JSON, plain_value

TEXTS = ("title", "artist", "album", "genre", "collection", "note")
RATING = "rating"
MAX_RATING = 5
MAX_CHARACTERS = 4000


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
    if field in TEXTS:
        if len(text) > MAX_CHARACTERS:
            raise WrongUsage(f"{field} has {len(text)} characters; at most {MAX_CHARACTERS} are kept.")
        return printable(text) or None
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
        near = get_close_matches(field, [*TEXTS, RATING], n=1)
        raise WrongUsage(
            f"There is no field {field!r}. "
            + (f"Did you mean {near[0]}?" if near else f"You can set {', '.join(TEXTS)}, {RATING}.")
        )
    if not one.takes_known:
        raise WrongUsage(f"{field} is measured and no matter of opinion; it cannot be set.")
    if text == "":
        return None
    try:
        value = text if column.base_type is str else json.loads(text)
        checked = plain_value(column, value)
    except (ValueError, TypeError) as error:
        raise WrongUsage(
            f"{field}={text}: this is not a value for {column.quantity.label} ({column.quantity.unit})."
        ) from error
    low, high = column.quantity.low, column.quantity.high
    if isinstance(checked, (int, float)) and (
        (low is not None and checked < low) or (high is not None and checked > high)
    ):
        raise WrongUsage(f"{field}={text}: {column.quantity.label} goes from {low} to {high} {column.quantity.unit}.")
    return checked
