"""How a template is filled: the environment, and each number as text with its unit, meaning and source."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from processor.files import templates_folder
from processor.quantities import Column
from processor.site.charts import clock, length_text, time_chart

NOTHING = "—"


@dataclass(frozen=True)
class Shown:
    """One number as a page shows it."""

    field: str
    label: str
    value: str
    unit: str
    help: str
    source: str
    is_text: bool


@cache
def assets() -> tuple[str, ...]:
    """Style sheets and scripts of the pages, the common style first."""
    found = [path.name for suffix in ("*.css", "*.js") for path in sorted(templates_folder().glob(suffix))]
    return tuple(sorted(found, key=lambda name: name != "style.css"))


@cache
def environment() -> Environment:
    """Templates escape whatever they are given, and refuse what they are not given."""
    made = Environment(
        loader=FileSystemLoader(templates_folder()),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["clock"] = clock
    made.filters["length_text"] = length_text
    made.globals["time_chart"] = time_chart
    made.globals["assets"] = assets()
    return made


def render(template: str, **values: Any) -> str:
    """Fill a template of `templates/`."""
    return environment().get_template(template).render(**values)


def shown_as(analyser: str, column: Column, value: Any) -> Shown:
    """A field's value with all that its declaration says."""
    q = column.quantity
    return Shown(
        f"{analyser}.{column.name}",
        q.label,
        text_of(value, q.digits),
        q.unit,
        q.help,
        q.source,
        column.base_type in (str, tuple[str, ...]),
    )


def text_of(value: Any, digits: int) -> str:
    """A value as people read it; a dash where there is none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOTHING
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " / ".join(text_of(item, digits) for item in value) or NOTHING
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u2009")
    if isinstance(value, float):
        rounded = round(value, digits) + 0.0
        return f"{rounded:.{digits}f}".replace("-", "\u2212")
    return str(value)
