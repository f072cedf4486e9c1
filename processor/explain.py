"""What a field means, what it needs, and which lines compute it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from processor.analysis import all_analysers
from processor.errors import WrongUsage
from processor.graph import Analyser
from processor.mashup.check import examine
from processor.mashup.measured import Measured
from processor.quantities import Column, columns

# What is declared and computed like an analyser's result, but of a mashup, and by no analyser.
RENDERS = Analyser("measured", examine, Measured, 1, True, ("plan", "rendered", "songs"), ())


@dataclass(frozen=True)
class Explanation:
    """One field of one analyser, or of what was measured on a mashup."""

    analyser: Analyser
    column: Column

    @property
    def field(self) -> str:
        """`analyser.column`, its name everywhere."""
        return f"{self.analyser.name}.{self.column.name}"

    @property
    def _type(self) -> str:
        if self.column.is_curve:
            return "array"
        return self.column.type.__name__ if isinstance(self.column.type, type) else str(self.column.type)

    def facts(self) -> dict[str, object]:
        """Everything, for other programs."""
        q = self.column.quantity
        file, lines = _place(self.analyser)
        return {
            "field": self.field,
            "label": q.label,
            "unit": q.unit,
            "type": self._type,
            "low": q.low,
            "high": q.high,
            "help": q.help,
            "source": q.source,
            "inputs": list(self.analyser.inputs),
            "version": self.analyser.version,
            "file": file,
            "line": lines[0],
            "last_line": lines[-1],
        }

    def text(self) -> str:
        """The same for a person."""
        q = self.column.quantity
        file, lines = _place(self.analyser)
        range_text = (
            f"{'…' if q.low is None else q.low} to {'…' if q.high is None else q.high}"
            if (q.low, q.high) != (None, None)
            else "any"
        )
        rows = [
            ("unit", q.unit or "none"),
            ("range", range_text),
            ("source", q.source),
            ("inputs", ", ".join(self.analyser.inputs)),
            ("version", str(self.analyser.version)),
            ("code", f"{file}:{lines[0]}-{lines[-1]}"),
        ]
        return f"{self.field} · {q.label}\n  {q.help}\n" + "\n".join(f"  {name:<8}{value}" for name, value in rows)


def explanations(words: str) -> list[Explanation]:
    """The fields that a person means: `analyser.column`, a whole analyser, or a column's name.

    Raises:
        WrongUsage: there is none; the message suggests one.
    """
    computed = [*(one for one in all_analysers().values() if one.keep), RENDERS]
    every = [Explanation(one, column) for one in computed for column in columns(one.result_type)]
    hits = [e for e in every if words in (e.field, e.analyser.name, e.column.name)]
    if hits:
        return hits
    names = [e.field for e in every] + [e.column.name for e in every] + sorted({e.analyser.name for e in every})
    near = get_close_matches(words, names, n=3)
    hint = (
        f"Did you mean {', '.join(near)}?"
        if near
        else f"There are {', '.join(sorted({e.analyser.name for e in every}))}."
    )
    raise WrongUsage(f"There is no field {words!r}. {hint}")


def _place(analyser: Analyser) -> tuple[str, range]:
    """File and lines of the function that computes a field."""
    file = inspect.getsourcefile(analyser.function) or ""
    source, first = inspect.getsourcelines(analyser.function)
    try:
        shown = Path(file).relative_to(Path(__file__).parent.parent)
    except ValueError:
        shown = Path(file)
    return shown.as_posix(), range(first, first + len(source))
