"""What `explain` says of every field of every analyser is what is declared, and where it is computed."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest

from processor.analysis import all_analysers
from processor.errors import WrongUsage
from processor.explain import RENDERS, Explanation, explanations
from processor.quantities import Column, columns
from tests.workspaces import command

ROOT = Path(__file__).parents[1]
KEPT = {name: one for name, one in all_analysers().items() if one.keep} | {"measured": RENDERS}
EVERY = [(name, column) for name, one in KEPT.items() for column in columns(one.result_type)]


@pytest.mark.parametrize(("name", "column"), EVERY, ids=[f"{name}.{column.name}" for name, column in EVERY])
def test_a_field_is_explained(name: str, column: Column) -> None:
    analyser = KEPT[name]
    field = f"{name}.{column.name}"
    (one,) = explanations(field)
    assert (one.field, one.analyser, one.column) == (field, analyser, column)
    facts, quantity = one.facts(), one.column.quantity
    assert facts == {
        "field": field,
        "label": quantity.label,
        "unit": quantity.unit,
        "type": facts["type"],
        "low": quantity.low,
        "high": quantity.high,
        "help": quantity.help,
        "source": quantity.source,
        "inputs": list(analyser.inputs),
        "version": analyser.version,
        "file": facts["file"],
        "line": facts["line"],
        "last_line": facts["last_line"],
    }
    json.dumps(facts)
    assert facts["type"]
    assert "<" not in str(facts["type"])
    assert "numpy" not in str(facts["type"])
    assert_says_all(one)


def assert_says_all(one: Explanation) -> None:
    text, quantity = one.text(), one.column.quantity
    assert text.startswith(f"{one.field} · {quantity.label}\n  {quantity.help}\n")
    rows = dict(line.split(maxsplit=1) for line in text.splitlines()[2:])
    assert rows["unit"] == (quantity.unit or "none")
    assert rows["source"] == quantity.source
    assert rows["inputs"] == ", ".join(one.analyser.inputs)
    assert rows["version"] == str(one.analyser.version)
    for bound in (quantity.low, quantity.high):
        assert bound is None or str(bound) in rows["range"]


@pytest.mark.parametrize("name", sorted(KEPT))
def test_the_lines_of_code_are_those_of_the_analyser(name: str) -> None:
    facts = explanations(name)[0].facts()
    first, last = facts["line"], facts["last_line"]
    assert isinstance(first, int)
    assert isinstance(last, int)
    lines = (ROOT / str(facts["file"])).read_text(encoding="utf-8").splitlines()[first - 1 : last]
    function = KEPT[name].function
    assert lines == inspect.getsource(function).splitlines()
    assert any(line.startswith(f"def {function.__name__}(") for line in lines)
    assert f"  code    {facts['file']}:{first}-{last}" in explanations(name)[0].text().splitlines()


def test_an_analyser_s_name_means_all_its_fields() -> None:
    for name, one in KEPT.items():
        found = [e.field for e in explanations(name)]
        own = [field for field in found if field.startswith(f"{name}.")]
        assert own == [f"{name}.{c.name}" for c in columns(one.result_type)]
        assert all(field.endswith(f".{name}") for field in found if field not in own), "a column of that name"


def test_a_column_s_name_means_it_wherever_it_is() -> None:
    for _, column in EVERY:
        found = [e.field for e in explanations(column.name)]
        expected = [f"{n}.{c.name}" for n, c in EVERY if column.name in (c.name, n)]
        assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("loudnes.integrated_lufs", "Did you mean loudness.integrated_lufs"),
        ("true_peak", "Did you mean true_peak_dbtp"),
        ("zzzzzz", f"There are {', '.join(sorted(KEPT))}."),
        ("", "There is no field ''."),
    ],
)
def test_a_field_that_there_is_not_brings_a_suggestion(words: str, said: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        explanations(words)
    assert said in str(caught.value)


def test_the_command_prints_text_or_an_object_a_line() -> None:
    text = command("explain", "levels")
    assert text.code == 0
    assert text.out == "".join(f"{one.text()}\n\n" for one in explanations("levels"))
    told = command("explain", "levels", "--json")
    assert [json.loads(line) for line in told.out.splitlines()] == [one.facts() for one in explanations("levels")]
