"""What models heard, in `report.md`: stems, a voice, and the tags with what speaks for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from processor.record import Record
from processor.site.charts import clock
from processor.site.charts.frame import runs
from processor.site.lyrics import lyric_lines
from processor.site.markdown_text import code, escaped, folded, table
from processor.site.rendering import NOTHING, text_of

MOST_LINES = 300
MOST_RUNS = 20


def heard_blocks(found: Record) -> Iterator[str]:
    """Blocks of Markdown; none where no model has listened."""
    stems, vocals, tags = (found.results.get(name) for name in ("stems", "vocals", "tags"))
    if stems is not None and stems.names:
        yield from _stems(stems)
    if vocals is not None and vocals.present is not None:
        yield "## Voice"
        yield _voice(vocals)
        yield folded("What speaks for and against it", "\n".join(f"- {escaped(one)}" for one in vocals.evidence))
    yield from _frames(found.results.get("frames"))
    yield from _lyrics(found.results.get("lyrics"))
    if tags is not None and tags.names:
        yield "## Tags"
        rows = [
            [escaped(name), escaped(category), escaped(status), f"{text_of(100 * sure, 0)} %", escaped(evidence)]
            for name, category, status, sure, evidence in zip(
                tags.names, tags.categories, tags.statuses, tags.confidences, tags.evidence, strict=False
            )
        ]
        yield table(["Tag", "Category", "Status", "Confidence", "Evidence"], "lllrl", rows)


def _lyrics(lyrics: Any) -> Iterator[str]:
    """Lines with their times, as far as a report bears them."""
    lines = [] if lyrics is None else lyric_lines(lyrics)
    if lines:
        yield "## Lyrics"
        listed = "\n".join(f"- {clock(start_s)} {escaped(text)}" for start_s, text, _ in lines[:MOST_LINES])
        yield folded(f"{len(lines)} lines, as a model heard them", listed)


def _frames(frames: Any) -> Iterator[str]:
    """What is heard when, in runs of whole seconds."""
    if frames is None or not frames.tag_names:
        return
    top = np.asarray(frames.top_tags, np.float64)
    if top.ndim != 2:
        return
    rows = []
    for number, name in enumerate(frames.tag_names):
        found = [f"{clock(start)}–{clock(end)}" for start, end in runs((top == number).any(axis=1))]
        if found:
            rest = f" and {len(found) - MOST_RUNS} more" if len(found) > MOST_RUNS else ""
            rows.append([escaped(name), ", ".join(found[:MOST_RUNS]) + rest])
    if rows:
        yield "## What is heard when"
        yield table(["Tag", "Among the surest three of its second"], "ll", rows)


def _stems(stems: Any) -> Iterator[str]:
    yield "## Stems"
    rows = [
        [
            escaped(name),
            "yes" if is_there else "hardly",
            f"{text_of(level, 1)} LUFS" if level is not None else NOTHING,
            f"{text_of(100 * time, 0)} %",
            code(file),
        ]
        for name, is_there, level, time, file in zip(
            stems.names, stems.present, stems.level_lufs, stems.active_share, stems.files, strict=False
        )
    ]
    yield table(["Stem", "There", "Loudness", "Of the time", "File"], "llrrl", rows)


def _voice(vocals: Any) -> str:
    if not vocals.present:
        return f"No voice was heard ({text_of(100 * (vocals.confidence or 0.0), 0)} % sure)."
    kind = escaped(vocals.kind or "a voice").capitalize()
    share = text_of(100 * (vocals.share or 0.0), 0)
    return f"{kind}, for {share} % of the time ({text_of(100 * (vocals.confidence or 0.0), 0)} % sure)."
