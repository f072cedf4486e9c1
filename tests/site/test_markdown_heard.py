"""What models heard, as the report in the library's folder tells it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from processor.analysis.tags import Tags
from processor.record import Record
from processor.site.markdown_heard import heard_blocks
from tests.libraries import HOSTILE
from tests.site.test_heard_charts import DRUMS_THEN_VOICE, voice
from tests.site.test_lyrics import heard
from tests.site.test_stems import found_stems

TAGS = Tags(
    names=("drums", "trumpet"),
    categories=("instrument", "instrument"),
    confidences=(0.94, 0.12),
    statuses=("confirmed", "suppressed"),
    evidence=("YAMNet Drum 0.61 (+2.1) · drums stem −3 dB (+2.0)", "YAMNet Trumpet 0.2 (+0.1)"),
)


def blocks(**results: Any) -> str:
    return "\n\n".join(heard_blocks(Record("track", "0" * 64, "a.wav", results)))


def test_stems_have_a_row_each_with_their_file() -> None:
    text = blocks(stems=found_stems())
    (row,) = [line for line in text.splitlines() if line.startswith("| vocals |")]
    assert row.startswith("| vocals | yes | −14.5 LUFS | 80 % |")
    assert "stems/vocals.flac" in row
    assert "| drums | hardly | — | 0 % |" in text


def test_a_voice_is_told_with_what_speaks_for_it() -> None:
    text = blocks(**voice())
    assert "Singing, for 40 % of the time (90 % sure)." in text
    assert "- vocal stem −6 dB" in text


def test_no_voice_is_told_too() -> None:
    text = blocks(**voice(present=False, share=0.0, intervals_s=np.zeros((0, 2)), confidence=0.97, kind=None))
    assert "No voice was heard (97 % sure)." in text


def test_tags_have_their_evidence() -> None:
    text = blocks(tags=TAGS)
    assert "| drums | instrument | confirmed | 94 % | YAMNet Drum 0.61" in text
    assert "| trumpet | instrument | suppressed | 12 % |" in text


def test_lines_stand_with_their_times() -> None:
    text = blocks(lyrics=heard(["They said", "come back"]))
    assert "2 lines, as a model heard them" in text
    assert "- 0:10 come back" in text


def test_what_is_heard_when_stands_in_runs() -> None:
    text = blocks(**DRUMS_THEN_VOICE)
    assert "| drums | 0:00–0:04, 0:06–0:10 |" in text
    assert "| singing | 0:06–0:10 |" in text


def test_where_no_model_has_listened_nothing_is_said() -> None:
    assert blocks(tags=Tags((), (), (), (), ()), **voice(present=None)) == ""
    assert blocks() == ""


def test_words_of_a_record_stay_words() -> None:
    hostile = Tags((HOSTILE,), (HOSTILE,), (0.5,), (HOSTILE,), (HOSTILE,))
    text = blocks(tags=hostile, stems=found_stems(names=(HOSTILE, "drums", "bass", "other")))
    text = re.sub(r"\\[!-/:-@\[-`{-~]", "", text)  # what is escaped
    assert "<script>" not in text
    assert "<img" not in text
