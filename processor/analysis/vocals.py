"""Is there a voice, where, and of which kind: what the separator, the pitch tracker and the taggers say together.

Each of them errs in its own way. A separator puts leads that resemble a voice into the vocal stem; a pitch tracker
follows any single line; a tagger hears a voice under loud instruments hardly at all. What YAMNet hears in the vocal
stem tells the first two from a voice. Each witness speaks in nats of log-odds, and they add up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis._fusion_rules import MOST_SURE, WEIGHTS, Points, in_words, logit, sigmoid
from processor.analysis._windows import pooled
from processor.analysis.heard import Heard
from processor.analysis.pitch import Pitch
from processor.analysis.stems import Stems
from processor.analysis.tags_vocals import TagsVocals
from processor.graph import analyser
from processor.quantities import quantity

Vector = NDArray[np.float64]
Flags = NDArray[np.bool_]

STEM, TAG = "vocals", "vocals"
KINDS = ("singing", "rap", "speech")
# Loud is what the loudest twentieth of the mix reaches; the vocal stem counts as heard when it is no farther below.
LOUD_PERCENTILE, HEARD_DB = 95, -30.0
SILENT_DB = -70.0
# A stretch of voice reaches the first level and ends below the second. Shorter pauses in it are breath, shorter
# stretches are clicks.
ON_DB, OFF_DB, PAUSE_S, SHORTEST_S = -24.0, -31.0, 0.5, 0.3
# A stretch in which YAMNet never hears a voice this surely is a lead that leaked. Of windows that begin within.
STRETCH_SCORE = 0.03
FEWEST_WINDOWS, ENOUGH_WINDOWS, LEAST_SCORE = 2, 10, 0.003
# A window counts as heard when so much of it is.
HEARD_SHARE = 0.3

# Value → nats: the share of the time in which the vocal stem is heard; the share of that with a voiced pitch (voices
# have consonants and breath, .2 to .8 of it is voiced; leads that leak have .83 to .95); the mean log-odds of the
# surest kind of voice that YAMNet hears in it (voices −2.3 and more, but −4.5 where they are vocoded; leaks −3.3 and
# less). A score of 0 counts as `LEAST_SCORE`, and under `ENOUGH_WINDOWS` windows say less. Measured on HTDemucs' stems
# of the pieces of the accuracy table, and of 34 made ones: five voices 3 to 15 dB under ten instrumentals, and
# instrumentals with trumpet, violins, guitar solos and synthesizer leads.
LEVEL: Points = ((0.0, -4.0), (0.02, -2.0), (0.08, 0.0), (0.25, 1.5), (0.5, 2.0))
VOICED: Points = ((0.0, -1.0), (0.15, 0.0), (0.4, 0.6), (0.78, 0.5), (0.85, -0.7), (0.95, -1.0))
IN_STEM: Points = ((-5.0, -4.0), (-4.2, -3.0), (-3.6, -1.4), (-2.6, 0.0), (-2.0, 2.0), (-1.2, 4.0))
# Beside a stem, what taggers hear in the mix counts no more than this.
LEAST_BESIDE, MOST_BESIDE = -1.0, 2.0

# Share of stretches of 0.1 s in which the pitch stays within half a semitone: two readers .07 and .11, eight singers
# .18 to .70.
STEADY_S, STEADY_SEMITONES, SPEECH_STEADY, RAP_STEADY = 0.1, 0.5, 0.14, 0.35
VOICED_FROM = 0.5
FEWEST_STRETCHES = 50
RAPPING_SCORE = 0.1

_RULE = (
    "level and time of the vocal stem, voiced pitch in it, what taggers hear in it and in the mix; a rule of our own"
)


@dataclass(frozen=True)
class Vocals:
    """The voice of a track; None where there was no model to tell."""

    present: bool | None = quantity("", label="Voice", source=_RULE, help="Whether somebody sings, raps or speaks.")
    confidence: float | None = quantity(
        "",
        label="Sureness of the voice",
        source="sum of the evidence in log-odds, limits measured on real pieces",
        help=f"How sure that answer is: 0.5 is a guess, and nothing is surer than {MOST_SURE:g}.",
        low=0,
        high=1,
        digits=2,
    )
    share: float | None = quantity(
        "", label="Share with a voice", source=_RULE, help="Share of the time with a voice.", low=0, high=1, digits=2
    )
    kind: str | None = quantity(
        "",
        label="Kind of voice",
        source="how steady its pitch is, and the taggers' words",
        help="singing, rap or speech; empty where nothing tells.",
    )
    evidence: tuple[str, ...] = quantity(
        "", label="Evidence for the voice", source=_RULE, help="What each witness says, and how many nats that counts."
    )
    intervals_s: Vector = quantity(
        "s",
        label="Where there is a voice",
        source=f"vocal stem within {-ON_DB:g} dB of the loud mix, until {-OFF_DB:g} dB; taggers where there is no stem",
        help="Start and end of each stretch.",
        low=0,
        digits=1,
    )
    presence: Vector = quantity(
        "",
        label="Voice over time",
        source="share of each second that lies in such a stretch",
        help="One value a second, 0 to 1.",
        low=0,
        high=1,
        digits=2,
    )


@dataclass(frozen=True)
class Evidence:
    """One witness.

    Attributes:
        text: what it says.
        nats: how much that counts for a voice.
    """

    text: str
    nats: float


@dataclass(frozen=True)
class _Stem:
    """The vocal stem.

    Attributes:
        relative_db: its level over that of the loud mix, each `hop_s`.
        share_db: its energy over that of all stems.
        hop_s: seconds from level to level.
    """

    relative_db: Vector
    share_db: float
    hop_s: float

    @property
    def heard(self) -> Flags:
        """Where it can be heard."""
        return np.asarray(self.relative_db > HEARD_DB)


@analyser(version=1)
def vocals(
    heard: Heard, stems: Stems | None = None, pitch: Pitch | None = None, tags_vocals: TagsVocals | None = None
) -> Vocals:
    """Weigh what all models say about a voice.

    Source: the limits above, measured; adding log-odds of separate witnesses is Bayes' rule.
    """
    stem = None if stems is None else _stem(stems)
    if stem is None and not any(TAG in one.claims for one in heard.hearings):
        return Vocals(None, None, None, None, (), np.zeros((0, 2)), np.zeros(0))
    evidence = [
        *(_of_stem(stem, pitch, tags_vocals) if stem is not None else []),
        *_of_mix(heard, stem is not None),
    ]
    chance = float(sigmoid(sum(one.nats for one in evidence)))
    present = chance >= 0.5
    spans, seconds = _stretches(stem, tags_vocals) if stem is not None else _heard_stretches(heard)
    presence = _by_second(spans if present else spans[:0], seconds)
    return Vocals(
        present=present,
        confidence=min(max(chance, 1 - chance), MOST_SURE),
        share=float(presence.mean()) if presence.size else 0.0,
        kind=_kind(heard, stem, pitch, tags_vocals) if present else None,
        evidence=tuple(f"{one.text} ({in_words(one.nats, 1, signed=True)})" for one in evidence),
        intervals_s=spans if present else spans[:0],
        presence=presence,
    )


def _stem(stems: Stems) -> _Stem | None:
    """The vocal stem against the mix; None where there is none, or nothing at all can be heard."""
    if STEM not in stems.names or stems.levels_db.size == 0:
        return None
    powers = 10 ** (np.asarray(stems.levels_db, np.float64) / 10)
    mix = powers.sum(axis=0)
    voice = powers[stems.names.index(STEM)]
    loud = float(np.percentile(10 * np.log10(mix), LOUD_PERCENTILE))
    if loud < SILENT_DB:
        return None
    share_db = float(10 * np.log10(voice.mean() / mix.mean()))
    return _Stem(10 * np.log10(voice) - loud, share_db, stems.hop_s)


def _of_stem(stem: _Stem, pitch: Pitch | None, tags: TagsVocals | None) -> list[Evidence]:
    """What the vocal stem says."""
    share = float(stem.heard.mean())
    text = f"vocal stem {in_words(stem.share_db)} dB, {100 * share:.0f} % of the time"
    found = [Evidence(text, _nats(share, LEVEL))]
    if pitch is not None and pitch.heard_in == STEM and stem.heard.any() and pitch.voicing.size:
        times = (np.flatnonzero(stem.heard) + 0.5) * stem.hop_s
        at = np.minimum(np.round(times / pitch.hop_s).astype(np.int64), pitch.voicing.size - 1)
        voiced = float(np.mean(np.nan_to_num(pitch.voicing[at]) >= VOICED_FROM))
        found.append(Evidence(f"voiced pitch {100 * voiced:.0f} % of that", _nats(voiced, VOICED)))
    if tags is not None:
        found += _in_stem(stem, tags)
    return found


def _in_stem(stem: _Stem, tags: TagsVocals) -> list[Evidence]:
    """What YAMNet hears where the stem is heard; nothing where that is too short."""
    voice = _voice(tags)
    begins = np.minimum((np.arange(voice.size) * tags.hop_s / stem.hop_s).astype(np.int64), stem.heard.size)
    ends = np.minimum(begins + max(1, round(tags.window_s / stem.hop_s)), stem.heard.size)
    sums = np.concatenate([[0], np.cumsum(stem.heard)])
    is_heard = sums[ends] - sums[begins] > HEARD_SHARE * (ends - begins)
    kept = voice[is_heard & ~np.isnan(voice)]
    if kept.size < FEWEST_WINDOWS:
        return []
    mean = float(logit(np.clip(kept, LEAST_SCORE, 1 - LEAST_SCORE)).mean())
    sureness = min(1.0, float(np.sqrt(kept.size / ENOUGH_WINDOWS)))
    return [Evidence(f"YAMNet in the vocal stem {float(sigmoid(mean)):.2f}", sureness * _nats(mean, IN_STEM))]


def _voice(tags: TagsVocals) -> Vector:
    """The surest kind of voice in each window; NaN where the stem is silent."""
    scores = np.asarray(tags.scores, np.float64)
    if scores.ndim != 2 or scores.shape[1] == 0:
        return np.zeros(0)
    return np.asarray(scores.max(axis=1))


def _of_mix(heard: Heard, beside_stem: bool) -> list[Evidence]:
    """What taggers hear in the mix; several share one voice, for they learned from the same labels."""
    known = [(one.source, one.claims[TAG]) for one in heard.hearings if TAG in one.claims]
    total = sum(WEIGHTS[source] for source, _ in known)
    found = []
    for source, claim in known:
        nats = claim.odds * WEIGHTS[source] / total
        if beside_stem:
            nats = float(np.clip(nats, LEAST_BESIDE, MOST_BESIDE))
        found.append(Evidence(f"{source} {claim.word} {claim.raw:.2f}", nats))
    return found


def _nats(value: float, points: Points) -> float:
    at, nats = zip(*points, strict=True)
    return float(np.interp(value, at, nats))


# Where


def _stretches(stem: _Stem, tags: TagsVocals | None) -> tuple[Vector, int]:
    """Stretches of voice in the vocal stem, `(n, 2)` in s, and the number of seconds."""
    spans = hysteresis(stem.relative_db, ON_DB, OFF_DB) * stem.hop_s
    spans = _joined(spans)
    voice = np.zeros(0) if tags is None else _voice(tags)
    if tags is not None and voice.size:
        begins = np.arange(voice.size) * tags.hop_s
        kept = []
        for start, end in spans:
            inside = voice[(begins + tags.window_s > start) & (begins < end)]
            kept.append(inside.size == 0 or float(np.nan_to_num(inside).max()) >= STRETCH_SCORE)
        spans = spans[np.array(kept, np.bool_)] if len(spans) else spans
    return spans, int(np.ceil(stem.relative_db.size * stem.hop_s - 1e-9))


def hysteresis(levels: Vector, on: float, off: float) -> Vector:
    """Runs above `off` that reach `on`, first and behind the last frame, shape `(n, 2)`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (levels > off).astype(np.int8), [0]]))).reshape(-1, 2)
    kept = [(start, end) for start, end in edges if levels[start:end].max() > on]
    return np.array(kept, np.float64).reshape(-1, 2)


def _joined(spans: Vector) -> Vector:
    """Without short pauses, and without what is too short after that."""
    found: list[list[float]] = []
    for start, end in spans.tolist():
        if found and start - found[-1][1] < PAUSE_S:
            found[-1][1] = end
        else:
            found.append([start, end])
    return np.array([span for span in found if span[1] - span[0] >= SHORTEST_S], np.float64).reshape(-1, 2)


def _heard_stretches(heard: Heard) -> tuple[Vector, int]:
    """Seconds in which taggers hear a voice in the mix, as stretches, and the number of seconds."""
    known = [one for one in heard.hearings if TAG in one.claims]
    seconds = max(int(np.ceil((len(one.scores) - 1) * one.hop_s + one.window_s - 1e-9)) for one in known)
    total = sum(WEIGHTS[one.source] for one in known)
    nats = sum(
        (one.by_second((TAG,), seconds)[:, 0] * (WEIGHTS[one.source] / total) for one in known), np.zeros(seconds)
    )
    return hysteresis(np.asarray(nats, np.float64), 0.0, -1.0), seconds


def _by_second(spans: Vector, seconds: int) -> Vector:
    """Share of each second that lies in a span."""
    starts = np.arange(seconds, dtype=np.float64)
    found = np.zeros(seconds)
    for start, end in spans:
        found += np.clip(np.minimum(end, starts + 1) - np.maximum(start, starts), 0, 1)
    return np.minimum(found, 1.0)


# Which kind


def _kind(heard: Heard, stem: _Stem | None, pitch: Pitch | None, tags: TagsVocals | None) -> str | None:
    """Singing, rap or speech, by how steady the pitch is; by the taggers' words where there is no pitch."""
    said = [one.claims["rapping"].raw for one in heard.hearings if "rapping" in one.claims]
    is_rapped = max(_rapping(tags), *said, 0.0) >= RAPPING_SCORE
    steady = None if pitch is None else steadiness(pitch)
    if steady is not None and steady < SPEECH_STEADY:
        return "rap" if is_rapped else "speech"
    if steady is not None and pitch is not None and pitch.heard_in == STEM and stem is not None:
        return "rap" if steady < RAP_STEADY and is_rapped else "singing"
    names = {"singing": "singing", "rapping": "rap", "spoken word": "speech"}
    odds = {
        kind: max((one.claims[name].odds for one in heard.hearings if name in one.claims), default=-1.0)
        for name, kind in names.items()
    }
    best = max(odds, key=lambda kind: odds[kind])
    return best if odds[best] > 0 else None


def pitch_tells_kind(pitch: Pitch | None, *, in_stem: bool) -> bool:
    """Whether the pitch has a say in the kind of voice; where not, it is the taggers' word alone.

    Args:
        pitch: that was followed, if it was.
        in_stem: whether there is a vocal stem.
    """
    steady = None if pitch is None else steadiness(pitch)
    if pitch is None or steady is None:
        return False
    return steady < SPEECH_STEADY or (in_stem and pitch.heard_in == STEM)


def _rapping(tags: TagsVocals | None) -> float:
    """How surely somebody raps in the vocal stem, where it is surest."""
    if tags is None or "Rapping" not in tags.classes:
        return 0.0
    found = pooled(np.asarray(tags.scores, np.float32)[:, tags.classes == "Rapping"])
    return 0.0 if found is None else float(found[0])


def steadiness(pitch: Pitch) -> float | None:
    """Share of voiced stretches of 0.1 s in which the pitch stays within half a semitone; None where they are few."""
    length = max(2, round(STEADY_S / pitch.hop_s) + 1) if pitch.hop_s > 0 else 0
    if length == 0 or pitch.f0_hz.size < length:
        return None
    f0_hz = np.asarray(pitch.f0_hz, np.float64)
    notes = 12 * np.log2(np.where(f0_hz > 0, f0_hz, np.nan))
    windows = np.lib.stride_tricks.sliding_window_view(notes, length)
    windows = windows[~np.isnan(windows).any(axis=1)]
    if len(windows) < FEWEST_STRETCHES:
        return None
    return float(np.mean(np.ptp(windows, axis=1) < STEADY_SEMITONES))
