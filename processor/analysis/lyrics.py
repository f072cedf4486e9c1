"""The words of a voice, line by line, as a model hears them; and which of these lines not to believe.

Heard in the stem of the vocals. Without one, only where a voice activity detector hears speech, which it does not in
singing: of a mix with music the model would mostly invent. What it writes over silence and instruments is left out:
lines under which the stem is silent, that go round in circles, or that the model itself doubts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from processor.analysis._voice import STEM, Spans, Voice, active_spans, excerpts, is_active, vocals, voice
from processor.analysis.stems import Stems
from processor.audio import Audio
from processor.files import printable
from processor.graph import analyser
from processor.models.whisper import Line, Transcriber
from processor.quantities import quantity
from processor.sidecars import Sidecars

Texts = NDArray[np.str_]

# Whisper hears 30 s; what is cut at its softest place may be a little shorter.
LONGEST_S = 28.0
# The language is asked of so many of the longest passages.
LANGUAGE_PIECES = 3
# Of some 50 true lines in separated vocals all had a sureness of .43 and more, but a chance of silence of up to .77; of
# what was invented over silence and instruments and did not go round in circles, .2 to .48 and .25 to .97.
DOUBTFUL, DOUBTFUL_NO_SPEECH, LEAST_SURE, MOST_NO_SPEECH = 0.45, 0.6, 0.42, 0.9
# Whisper's own limit: text that compresses further goes round in circles.
MOST_REPETITION = 2.4
# The same line so often in a row, each not sure, is a loop and no refrain.
LOOP, LOOP_SURE = 4, 0.6
# The voice sounds for so much of a line.
LEAST_ACTIVE = 0.3
# A line is no longer than this and not spoken faster; more lines than these are no song.
MOST_CHARACTERS, MOST_CHARACTERS_PER_S, MOST_LINES = 300, 40.0, 2000

_MODEL = "Whisper (Radford et al. 2023) by faster-whisper"


@dataclass(frozen=True)
class Lyrics:
    """What is sung or said; None and no lines where no voice is heard. A model's guess: read it before you use it."""

    model: str = quantity(
        "", label="Written down by", source="linernotes models list", help="The model that heard the words."
    )
    heard_in: str = quantity(
        "",
        label="Words heard in",
        source="`vocals` where that stem is really there, else `mix`, and there only speech",
        help="The sound that was written down.",
    )
    language: str | None = quantity(
        "",
        label="Language",
        source=f"{_MODEL}, of the three longest passages",
        help="Code of the likeliest language: en, de, ja. Empty where nothing is said.",
    )
    language_confidence: float | None = quantity(
        "",
        label="Sureness of the language",
        source=f"{_MODEL}, of the three longest passages",
        help="Probability of that language.",
        low=0,
        high=1,
        digits=2,
    )
    line_count: int = quantity(
        "", label="Lines", source=_MODEL, help="Lines that were heard and believed.", low=0, digits=0
    )
    word_count: int = quantity("", label="Words", source=_MODEL, help="Words in these lines.", low=0, digits=0)
    dropped_lines: int = quantity(
        "",
        label="Lines left out",
        source="chance of silence, sureness, repetition, level of the stem under the line",
        help="Lines that the model most likely invented.",
        low=0,
        digits=0,
    )
    lyrics_confidence: float | None = quantity(
        "",
        label="Sureness of the words",
        source=f"{_MODEL}: mean probability of the words, by length of the lines",
        help="How sure the model is of the words: speech has 0.7 and more, singing 0.5. It does not know what it "
        "does not know.",
        low=0,
        high=1,
        digits=2,
    )
    texts: Texts = quantity("", label="Words by line", source=_MODEL, help="What is sung or said in each line.")
    intervals_s: NDArray[np.float64] = quantity(
        "s", label="Times of the lines", source=_MODEL, help="Start and end of each line."
    )
    confidences: NDArray[np.float64] = quantity(
        "",
        label="Sureness of each line",
        source=f"{_MODEL}: mean probability of its words",
        help="How sure the model is of each line.",
        low=0,
        high=1,
        digits=2,
    )


@analyser(version=1, model="transcriber")
def lyrics(
    audio: Audio,
    transcriber: Transcriber,
    sidecars: Sidecars,
    progress: Callable[[float], None],
    stems: Stems | None = None,
) -> Lyrics:
    """Write down what is sung, passage by passage.

    Source: Radford et al., "Robust speech recognition via large-scale weak supervision", ICML 2023.
    """
    heard = voice(audio, stems, sidecars)
    spans = _passages(heard, stems, transcriber)
    language, chance = _language(heard, spans, transcriber)
    found = list(_lines(heard, spans, transcriber, language, progress)) if language else []
    believed = believable(found, stems if heard.heard_in == STEM else None)
    lengths = np.array([max(0.1, line.end_s - line.start_s) for line in believed])
    sure = np.array([line.sureness for line in believed])
    return Lyrics(
        model=transcriber.name,
        heard_in=heard.heard_in,
        language=printable(language)[:8] if language and believed else None,
        language_confidence=chance if language and believed else None,
        line_count=len(believed),
        word_count=sum(len(line.text.split()) for line in believed),
        dropped_lines=len(found) - len(believed),
        lyrics_confidence=float(np.average(sure, weights=lengths)) if believed else None,
        texts=np.array([line.text for line in believed], np.str_),
        intervals_s=np.array([(line.start_s, line.end_s) for line in believed], np.float64).reshape(-1, 2),
        confidences=sure.astype(np.float64),
    )


def _passages(heard: Voice, stems: Stems | None, transcriber: Transcriber) -> Spans:
    """Where there may be words, each short enough to be heard at once."""
    place = vocals(stems)
    if heard.heard_in == STEM and stems is not None and place is not None:
        return active_spans(np.asarray(stems.levels_db[place], np.float32), stems.hop_s, LONGEST_S)
    rate, at_s = transcriber.sample_rate, 0.0
    found: list[tuple[float, float]] = []
    for piece in heard.mono(rate):
        found += [(at_s + start, at_s + end) for start, end in transcriber.speech(piece)]
        at_s += piece.size / rate
    return np.array(found, np.float64).reshape(-1, 2)


def _language(heard: Voice, spans: Spans, transcriber: Transcriber) -> tuple[str | None, float]:
    """The language of the longest passages."""
    if len(spans) == 0:
        return None, 0.0
    longest = np.sort(np.argsort(spans[:, 0] - spans[:, 1], kind="stable")[:LANGUAGE_PIECES])
    rate = transcriber.sample_rate
    return transcriber.language(list(excerpts(heard.mono(rate), rate, spans[longest])))


def _lines(
    heard: Voice, spans: Spans, transcriber: Transcriber, language: str, progress: Callable[[float], None]
) -> Iterator[Line]:
    """The lines of all passages, in the time of the track, cleaned of what does not belong in a text."""
    rate = transcriber.sample_rate
    count = 0
    for number, samples in enumerate(excerpts(heard.mono(rate), rate, spans)):
        start_s, end_s = spans[number]
        for line in transcriber.transcribe(samples, language):
            text = clean(line.text)
            if text and count < MOST_LINES:
                count += 1
                first, last = start_s + line.start_s, min(end_s, start_s + line.end_s)
                yield replace(line, start_s=float(min(first, last)), end_s=float(last), text=text)
        progress((number + 1) / len(spans))


def clean(text: str) -> str:
    """A line as it may be shown; empty if it holds no word."""
    short = " ".join(printable(" ".join(text[: 4 * MOST_CHARACTERS].split())).split())[:MOST_CHARACTERS].strip()
    return short if any(c.isalnum() for c in short) else ""


def believable(lines: Sequence[Line], stems: Stems | None) -> list[Line]:
    """Those lines that somebody most likely sings or says.

    Args:
        lines: in order.
        stems: where the voice was heard in its stem: there it has to sound under each line.
    """
    loops = _loops(lines)
    place = vocals(stems)
    active = None
    if stems is not None and place is not None:
        active = is_active(np.asarray(stems.levels_db[place], np.float32))
    hop_s = stems.hop_s if stems is not None else 1.0
    return [
        line
        for number, line in enumerate(lines)
        if not (number in loops or _is_doubtful(line) or (active is not None and not _sounds(line, active, hop_s)))
    ]


def _is_doubtful(line: Line) -> bool:
    """Whether the model itself has little faith in it, or nobody could say it."""
    is_silence = line.no_speech > MOST_NO_SPEECH
    is_doubted = line.no_speech > DOUBTFUL_NO_SPEECH and line.sureness < DOUBTFUL
    is_circular = line.repetition > MOST_REPETITION
    is_too_fast = len(line.text) > MOST_CHARACTERS_PER_S * max(0.5, line.end_s - line.start_s)
    return is_silence or is_doubted or is_circular or is_too_fast or line.sureness < LEAST_SURE


def _sounds(line: Line, active: NDArray[np.bool_], hop_s: float) -> bool:
    """Whether the voice sounds while the line is said."""
    first = int(line.start_s / hop_s)
    under = active[first : max(first + 1, int(np.ceil(line.end_s / hop_s)))]
    return bool(under.size) and float(under.mean()) >= LEAST_ACTIVE


def _loops(lines: Sequence[Line]) -> set[int]:
    """Places of lines that say the same again and again without being sure; the first time may be right."""
    found: set[int] = set()
    start = 0
    for place in range(1, len(lines) + 1):
        if place < len(lines) and lines[place].text.casefold() == lines[start].text.casefold():
            continue
        run = range(start, place)
        if len(run) >= LOOP and np.mean([lines[k].sureness for k in run]) < LOOP_SURE:
            found.update(run[1:])
        start = place
    return found
