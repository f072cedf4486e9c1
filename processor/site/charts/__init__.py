"""Charts as SVG: the numbers are reduced and placed here; `templates/sections/_chart.html` shows them.

`frame` has what all share, `curves`, `blocks`, `bands` and `pictures` the kinds of charts, `figures` which of them a
track has. Colours are classes, so that `templates/charts.css` can make them light, dark or printable.
"""

from __future__ import annotations

from processor.site.charts.bands import frequency_x, share_bar
from processor.site.charts.curves import Axis, Curve, Level, Marks, curves_chart, time_chart
from processor.site.charts.figures import Figures
from processor.site.charts.frame import (
    HEIGHT,
    LEFT,
    MAX_POINTS,
    RIGHT,
    WIDTH,
    Chart,
    Timeline,
    clock,
    length_text,
    time_text,
)

__all__ = [
    "HEIGHT",
    "LEFT",
    "MAX_POINTS",
    "RIGHT",
    "WIDTH",
    "Axis",
    "Chart",
    "Curve",
    "Figures",
    "Level",
    "Marks",
    "Timeline",
    "clock",
    "curves_chart",
    "frequency_x",
    "length_text",
    "share_bar",
    "time_chart",
    "time_text",
]
