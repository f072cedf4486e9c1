"""The prompt of a track in its `report.md`, and what became of one."""

from __future__ import annotations

from collections.abc import Iterator

from processor.site.markdown_text import code, escaped, folded, table
from processor.site.prompt import GenerationBox, PromptBox, Variant
from processor.site.rendering import NOTHING


def prompt_blocks(prompt: PromptBox) -> Iterator[str]:
    """Blocks of Markdown: the faithful variant, and the others folded away."""
    yield "## Prompt"
    if prompt.reason:
        yield escaped(prompt.reason)
        return
    yield f"For **{escaped(prompt.target)}**, made from these numbers by fixed rules. Drop what was generated from it."
    for number, one in enumerate(prompt.variants):
        content = "\n\n".join(_variant(one))
        yield content if number == 0 else folded(f"{one.name.capitalize()} ({one.id})", content)
    yield "\n".join(f"- {escaped(line)}" for line in prompt.notes)


def _variant(one: Variant) -> Iterator[str]:
    if one.swap:
        yield escaped(one.swap)
    for field in one.fields:
        yield f"**{field.label}** ({field.count} of {field.limit} characters)"
        yield f"```text\n{field.text.replace('```', '')}\n```"


def generation_blocks(generation: GenerationBox) -> Iterator[str]:
    """Blocks of Markdown: what was asked against what is measured."""
    yield "## Asked and measured"
    if not generation.track:
        yield f"It carries the id {code(generation.id)} of a prompt that this library has not shown."
        return
    about = f"{escaped(generation.track)} ({escaped(generation.about)})"
    yield f"Made from the prompt {code(generation.id)} of {about}: **{escaped(generation.summary)}**."
    rows = [
        [
            one.mark,
            escaped(one.row.what),
            escaped(one.row.asked),
            (escaped(one.row.measured) if one.row.measured else NOTHING)
            + (f" ({escaped(one.row.remark)})" if one.row.remark else ""),
            escaped(one.row.tolerance),
        ]
        for one in generation.rows
    ]
    yield table(["", "What", "Asked", "Measured", "Close is"], "cllll", rows)
