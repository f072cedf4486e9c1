"""How rules say what they found."""

from __future__ import annotations

import pytest

from processor.feedback.areas._findings import clock
from processor.site import charts


@pytest.mark.parametrize("seconds", [0.0, 0.4, 53.6, 59.5, 65.0, 211.7, 3599.6, 4503.0])
def test_times_in_words_are_those_beside_them(seconds: float) -> None:
    assert clock(seconds) == charts.clock(seconds)


def test_an_hour_is_an_hour() -> None:
    assert clock(4503.0) == "1:15:03"
