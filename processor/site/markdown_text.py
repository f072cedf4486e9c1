"""Text as Markdown takes it for nothing but text: escaped lines, code, tables, and what folds out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from processor.files import printable
from processor.site.rendering import NOTHING

# What means something inside a line gets a backslash; also the braces of Liquid, which GitHub Pages would run.
# GitHub finds mentions, formulas, emoji and addresses in the text that comes out of the parser, where a backslash is
# gone; a tag around one character tears such words apart.
_SPECIAL = re.compile(
    r"([\\`*_{}\[\]<>|~]|&(?=#?\w+;)|(?<!\S)#(?!\d))|([@$]|#(?=\d)|(?<=www)\.|/(?=/)|:(?=[\w+-]+:))", re.IGNORECASE
)
_AT_START = re.compile(r"^(?:(\d{1,9})(?=[.)](?:\s|$))|(?=[-+=]))")
_BREAKS = re.compile(r"[ \t-\r\x1c-\x1f\x85\u2028\u2029]+")  # not the thin and hard spaces of numbers
_PLAIN = re.compile(r"[\w ,./()+=…-]+", re.ASCII)


@lru_cache(maxsize=4096)
def escaped(text: str) -> str:
    """Any text as one line that Markdown takes for nothing but text."""
    line = _SPECIAL.sub(_harmless, _line(text))
    return _AT_START.sub(r"\1\\", line) or NOTHING


def _line(text: str) -> str:
    return printable(_BREAKS.sub(" ", text).strip())


def _harmless(found: re.Match[str]) -> str:
    return f"\\{found[1]}" if found[1] else f"<span>{found[2]}</span>"


def code(text: str) -> str:
    """A text as inline code; where backticks might not hold it, as a tag around escaped text."""
    line = _line(text)
    return f"`{line}`" if _PLAIN.fullmatch(line) else f"<code>{escaped(line)}</code>"


def table(head: Sequence[str], align: str, rows: Sequence[Sequence[str]]) -> str:
    """A table; every cell is escaped already, `align` has l, r or c for each column."""
    rule = {"l": ":--", "r": "--:", "c": ":-:"}
    lines = [head, [rule[one] for one in align], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def folded(summary: str, content: str) -> str:
    """What folds out; `summary` is our own words and numbers."""
    return f"<details>\n<summary>{summary}</summary>\n\n{content}\n\n</details>"
