"""A page and a report say why rules about mixes are silent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from processor.analysis.material import Material
from processor.feedback.desk import Verdict
from processor.site.desk import desk_context, heard_as
from processor.site.markdown_desk import desk_blocks
from processor.site.rendering import render
from tests.site.test_desk import record_of, verdict

SOLO = Material("solo", 0.52, "mix", "rests 38 % of the time")
REST = "what holds for whole mixes only was not judged."
HINT = "linernotes set TRACK material.kind=mix"


@pytest.mark.parametrize(
    ("material", "told"),
    [
        (SOLO, f"Heard as one instrument or voice (52 % sure): {REST}"),
        (
            replace(SOLO, kind="speech", confidence=1.0),
            f"Heard as speech: {REST}",
        ),
        (replace(SOLO, kind="mix", confidence=0.76), ""),
        (
            replace(SOLO, kind="mix", confidence=0.74),
            "Heard as a mix, but only 74 % sure: what holds for mixes only is a note at most.",
        ),
        (replace(SOLO, kind="silence"), ""),
        (replace(SOLO, kind=None, confidence=None), ""),
    ],
)
def test_what_it_was_taken_for_is_told(material: Material, told: str) -> None:
    assert heard_as({"material": material}).replace("\u00a0", " ") == told


def test_without_the_analyser_nothing_is_told() -> None:
    assert heard_as({}) == ""


@pytest.mark.parametrize("kind", ["solo", "mix"])
def test_page_and_report_say_it_and_how_to_correct_it(kind: str) -> None:
    found = record_of()
    found = replace(found, results={**found.results, "material": replace(SOLO, kind=kind, confidence=0.9)})
    judged: Verdict = verdict()
    html = render("_advice.html", desk=desk_context(judged, found), at=lambda seconds: str(seconds))
    report = "\n".join(desk_blocks(judged, found))
    for text in (html, report):
        assert ("Heard as one instrument or voice" in text) is (kind == "solo")
        assert (HINT in text) is (kind == "solo")
