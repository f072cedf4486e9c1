"""Reading drawings back: where lines, marks and blocks of a chart are."""

from __future__ import annotations

import re

from processor.site.charts import LEFT, Chart


def drawn(chart: Chart | None) -> Chart:
    assert chart is not None
    return chart


def shapes(chart: Chart | None, style: str) -> list[str]:
    """The `d` of every path of a class."""
    return re.findall(rf'<path class="{style}" d="([^"]*)"', drawn(chart).drawing)


def stretches(chart: Chart | None, style: str = "line1") -> list[list[tuple[float, float]]]:
    """The points of a line, a list for each stretch without a gap."""
    [d] = shapes(chart, style)
    found = []
    for part in d.split("M")[1:]:
        start, _, steps = part.removesuffix("h0").partition("l")
        points = [tuple(float(number) for number in start.split())]
        for step in steps.split():
            x, y = step.split(",")
            points.append((points[-1][0] + float(x), points[-1][1] + float(y)))
        found.append([(round(x, 1), round(y, 1)) for x, y in points])
    return found


def ticks(chart: Chart | None) -> dict[str, float]:
    """Marks of the vertical axis: text → height."""
    found = re.findall(rf'<text[^>]* x="{LEFT - 6}" y="([0-9.]+)" text-anchor="end">([^<]*)<', drawn(chart).drawing)
    return {text: float(y) - 4 for y, text in found}


def blocks(chart: Chart | None) -> list[dict[str, str]]:
    """The attributes of every rectangle."""
    return [dict(re.findall(r'([a-z-]+)="([^"]*)"', one)) for one in re.findall("<rect [^>]*>", drawn(chart).drawing)]
