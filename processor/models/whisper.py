"""Whisper: writes down what is said or sung, by faster-whisper on CTranslate2, whose files hold numbers and no code.

It is trained to write something under anything. What it says of silence and of instruments is invented, so it tells how
likely each line is, and the caller decides what to believe.

Source: Radford et al., "Robust speech recognition via large-scale weak supervision", ICML 2023.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.errors import ModelError
from processor.models.loading import Machine
from processor.models.table import Model

Row = NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
# Without a tokenizer of its own the package would ask a hub for one.
FILES = ("model.bin", "config.json", "tokenizer.json")
# The search keeps so many readings. No sampling where they are doubtful: the same sound has the same words.
BEAMS = 5
# Which pieces of a sound are asked for the language.
SHORTEST_FOR_LANGUAGE_S = 1.0


@dataclass(frozen=True)
class Line:
    """A line as it was heard.

    Attributes:
        start_s: from the beginning of the samples.
        end_s: likewise.
        text: as the model says it: hostile, of any length.
        sureness: geometric mean of its tokens' probabilities, 0 to 1.
        no_speech: how likely it is that nothing is said, 0 to 1.
        repetition: how far the text can be compressed: 1 to 2 for prose, over 2.4 where it goes round in circles.
    """

    start_s: float
    end_s: float
    text: str
    sureness: float
    no_speech: float
    repetition: float


@dataclass(frozen=True)
class Transcriber:
    """A loaded Whisper.

    Attributes:
        name: of the model.
        device: where it runs.
        dtype: in which numbers.
        sample_rate: of what it hears, in Hz.
        window_s: how much it hears at once.
    """

    name: str
    device: str
    dtype: str
    _model: Any = field(repr=False)
    sample_rate: int = SAMPLE_RATE_HZ
    window_s: float = 30.0

    def language(self, pieces: Sequence[Row]) -> tuple[str | None, float]:
        """The likeliest language (`en`) of some pieces of mono samples together, and its mean probability."""
        if not self._model.model.is_multilingual:
            return "en", 1.0
        long = [piece for piece in pieces if piece.size >= SHORTEST_FOR_LANGUAGE_S * SAMPLE_RATE_HZ]
        sums: dict[str, float] = {}
        for piece in long:
            _, _, chances = self._model.detect_language(np.ascontiguousarray(piece, np.float32))
            for code, chance in chances:
                sums[code] = sums.get(code, 0.0) + float(chance) / len(long)
        if not sums:
            return None, 0.0
        best = max(sorted(sums), key=sums.__getitem__)
        return best, min(1.0, sums[best])

    def transcribe(self, samples: Row, language: str) -> list[Line]:
        """The lines in mono samples of at most `window_s`."""
        if samples.size == 0:
            return []
        segments, _ = self._model.transcribe(
            np.ascontiguousarray(samples, np.float32),
            language=language,
            beam_size=BEAMS,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=False,
            vad_filter=False,
        )
        return [
            Line(
                start_s=max(0.0, float(one.start)),
                end_s=max(float(one.start), float(one.end)),
                text=str(one.text),
                sureness=_share(math.exp(min(float(one.avg_logprob), 0.0))),
                no_speech=_share(float(one.no_speech_prob)),
                repetition=float(one.compression_ratio),
            )
            for one in segments
        ]

    def speech(self, samples: Row) -> list[tuple[float, float]]:
        """Where somebody speaks, start and end in s, by the package's voice activity detector: not where one sings."""
        from faster_whisper.vad import VadOptions, get_speech_timestamps

        if samples.size == 0:
            return []
        options = VadOptions(min_speech_duration_ms=250, min_silence_duration_ms=500, speech_pad_ms=200)
        found = get_speech_timestamps(np.ascontiguousarray(samples, np.float32), options)
        return [(one["start"] / SAMPLE_RATE_HZ, one["end"] / SAMPLE_RATE_HZ) for one in found]


def _share(value: float) -> float:
    return min(1.0, max(0.0, value)) if math.isfinite(value) else 0.0


def load(model: Model, folder: Path, machine: Machine) -> Transcriber:
    """Load Whisper from a folder in CTranslate2's form.

    Raises:
        ModelError: faster-whisper is not installed, or a file is missing or of another form.
    """
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise ModelError(f"{model.name}: {', '.join(missing)} is not there")
    try:
        from faster_whisper import WhisperModel
    except ImportError as error:
        raise ModelError(f"Whisper needs faster-whisper: pip install 'liner-notes[lyrics]' ({error})") from error
    device, _, number = machine.device.partition(":")
    device = device if device == "cuda" else "cpu"  # CTranslate2 knows no other
    dtype = model.options.get("dtype", "float16" if device == "cuda" else "int8")
    try:
        loaded = WhisperModel(
            str(folder),
            device=device,
            device_index=int(number or 0),
            compute_type=dtype,
            cpu_threads=machine.threads,
            local_files_only=True,
        )
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{model.name} is not Whisper: {' '.join(str(error).split())[:200]}") from error
    return Transcriber(model.title, machine.device if device == "cuda" else "cpu", dtype, loaded)
