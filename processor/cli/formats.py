"""How rows of a query are written: a table for a person, JSON or CSV for a program."""

from __future__ import annotations

import csv
import json
import math
import sys
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import click

from processor.cli.shared import plural, print_json
from processor.files import printable

Rows = Sequence[Sequence[Any]]

MAX_CELL = 60


def print_rows(style: str, names: Sequence[str], rows: Rows) -> None:
    """Print rows as "table", "json" (one object a line) or "csv"."""
    {"table": _print_table, "json": _print_json, "csv": _print_csv}[style](names, rows)


def _print_json(names: Sequence[str], rows: Rows) -> None:
    keys = _unique(names)
    for row in rows:
        print_json({key: _plain(value) for key, value in zip(keys, row, strict=True)})


def _unique(names: Sequence[str]) -> list[str]:
    """The names, each once, as an object needs them: `a`, `a_1`, `a_2`."""
    taken: list[str] = []
    for name in names:
        number, key = 0, name
        while key in taken:
            number += 1
            key = f"{name}_{number}"
        taken.append(key)
    return taken


def _print_csv(names: Sequence[str], rows: Rows) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_csv_cell(value) for value in row] for row in rows)


def _csv_cell(value: Any) -> Any:
    """None as nothing, truth and lists as JSON spells them."""
    plain = _plain(value)
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, (bool, list, dict)) else plain


def _plain(value: Any) -> Any:
    """A value of DuckDB's as JSON has it: dates as ISO 8601, numbers that are none as null."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, Decimal)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _print_table(names: Sequence[str], rows: Rows) -> None:
    heads = [_shortened(name) for name in names]
    lines = [[_cell(value) for value in row] for row in rows]
    widths = [max([_width(head), *(_width(line[k]) for line in lines)]) for k, head in enumerate(heads)]
    is_number = [any(isinstance(row[k], (int, float, Decimal)) for row in rows) for k in range(len(names))]
    for line in [heads, ["─" * width for width in widths], *lines]:
        cells = [
            _padding(text, width) + text if right else text + _padding(text, width)
            for text, width, right in zip(line, widths, is_number, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())
    click.echo(f"({plural(len(rows), 'row')})", err=True)


def _cell(value: Any) -> str:
    if isinstance(value, float) and abs(value) < 1e4:
        return f"{value:.4g}"
    plain = _csv_cell(value)
    return "" if plain is None else _shortened(str(plain))


def _shortened(text: str) -> str:
    """A text on one line and not too long for one."""
    text = printable(text)
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"


def _padding(text: str, width: int) -> str:
    return " " * (width - _width(text))


def _width(text: str) -> int:
    """Columns of a terminal that a text takes: two for the wide letters of East Asia, none for combining marks."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
