"""Form: where sections begin and end, which come again, and what part each may play."""

from __future__ import annotations

import string
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from processor.analysis import _form
from processor.analysis.beats import Beats
from processor.analysis.chroma import Chroma
from processor.analysis.mel import Mel
from processor.analysis.mono import Mono
from processor.analysis.stems import Stems
from processor.analysis.vocals import Vocals
from processor.graph import analyser
from processor.kernels import kernel
from processor.quantities import quantity

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Whole = NDArray[np.int64]

# Silence at an end that is longer than this is a section of its own.
SILENCE_S = 1.0
SILENCE = "silence"
MIX, WITH_VOICE, VOICE = "mix", "mix and voice", "vocals"
# Two sections share a letter when, laid on one another, they are alike by this share of the way from two bars of the
# track taken at random to equality. Measured: 0.3 to 0.5 do equally well on pop songs, 0.5 to 0.7 on made ones.
SAME_SHARE = 0.4
# In a track without any change all bars are alike by more than this, and chance must not tell them apart.
SURELY_SAME = 0.9

# Share of cuts that are right (within 3 s) against the mean gain of a bar. On three annotated songs 0.4 were right at a
# gain of 0.01, 0.9 at 0.03 and at 0.1; noise has −0.16, a loop −0.02. Three songs are few: the curve rises more slowly.
NO_GAIN, GAIN_SCALE, MOST_CONFIDENT = -0.04, 0.05, 0.85
# Cuts in a track where nothing stands out only divide the time.
UNCLEAR = 0.1

# Roles are guesses from loudness, repetition and place. No annotated roles were there to measure them with, so that
# none of them claims more than this.
ROLE_SECTIONS, ROLE_S = 4, 60.0
END_SHARE = 0.2  # an intro or outro is no longer than this share of the track
BRIDGE_FROM = 0.4  # of the track
LOUDER = 0.15  # natural logarithm of magnitude, 1.3 dB
INTRO_CONFIDENCE, BRIDGE_CONFIDENCE, REPEATED_CONFIDENCE, LOUDER_CONFIDENCE = 0.5, 0.4, 0.35, 0.2


@dataclass(frozen=True)
class Sections:
    """The form of a track; all empty and None in silence."""

    intervals_s: Vector = quantity(
        "s",
        label="Sections",
        source="dynamic programming over bars: likeness, repetition and phrase length",
        help="Start and end of each section, from the beginning of the file to its end without a gap.",
        low=0,
        digits=2,
    )
    labels: tuple[str, ...] = quantity(
        "",
        label="Labels",
        source="average-linkage clustering of the sections",
        help="Sections with the same letter are the same music: A B A C. Silence at an end has no letter.",
    )
    roles: tuple[str, ...] = quantity(
        "",
        label="Roles",
        source="guess from loudness, repetition and place",
        help="What part a section may play: intro, verse, chorus, bridge, outro; section where nothing tells.",
    )
    role_confidences: tuple[float, ...] = quantity(
        "",
        label="Role confidences",
        source="estimate, not measured",
        help="How sure each role is, 0 to 1; 0 where no role is guessed.",
        low=0,
        high=1,
        digits=2,
    )
    confidence: float | None = quantity(
        "",
        label="Form confidence",
        source="mean gain of a bar; share of cuts within 3 s of the true ones on annotated songs",
        help="About what share of the cuts are where people would cut; under 0.2 they only divide the time.",
        low=0,
        high=1,
        digits=2,
    )
    section_count: int = quantity(
        "", label="Number of sections", source="intervals", help="How many sections there are.", low=0, digits=0
    )
    novelty: Vector = quantity(
        "",
        label="Novelty",
        source="Foote 2000, over 4 and 8 bars: harmony, timbre, energy, brightness and warmth",
        help="How much changes where each bar begins, 0 to 1; high where a new part begins.",
        low=0,
        high=1,
        digits=2,
    )
    novelty_s: Vector = quantity(
        "s", label="Times of the novelty", source="downbeats", help="Where the bars begin.", low=0, digits=2
    )
    form_from: str | None = quantity(
        "",
        label="Form heard in",
        source="the mix; with the presence of the voice where the voice was separated and is there",
        help="What the bars were compared by: the mix alone, or also when somebody sings. That needs separated stems.",
    )
    form_why: str | None = quantity(
        "", label="Why the form is heard there", source="the rule that decided", help="Why the voice counted, or not."
    )


@analyser(version=2)
def sections(
    mono: Mono,
    chroma: Chroma,
    mel: Mel,
    beats: Beats | None = None,
    stems: Stems | None = None,
    vocals: Vocals | None = None,
) -> Sections:
    """Cut a track into sections, name those that come again, and guess their roles.

    Source: after Foote (ICME 2000) for novelty; Sargent, Bimbot & Vincent (IEEE/ACM TASLP 2017) and Marmoret, Cohen &
    Bimbot (TISMIR 2023) for sections of bars by dynamic programming with a prior on their length.
    """
    duration = mono.duration_s
    if not mel.levels.any() or duration <= 0:
        return Sections(np.zeros((0, 2)), (), (), (), None, 0, np.zeros(0), np.zeros(0), None, None)
    voice, why = _voice(stems, vocals)
    bars = _form.bars_of(beats.downbeats_s if beats else np.zeros(0), chroma, mel, duration, voice)
    likeness = bars.likeness
    cuts, gains = _form.cuts(likeness)
    letters = letters_of(likeness, cuts)
    roles, sureness = roles_of(letters, cuts, bars)
    edges = bars.edges_s[cuts].copy()
    labels = [letter_name(letter) for letter in letters]
    if edges[0] < SILENCE_S:
        edges[0] = 0.0
    else:
        edges, labels, roles, sureness = np.insert(edges, 0, 0), [SILENCE, *labels], [SILENCE, *roles], [1.0, *sureness]
    if duration - edges[-1] < SILENCE_S:
        edges[-1] = duration
    else:
        edges, labels, roles, sureness = (
            np.append(edges, duration),
            [*labels, SILENCE],
            [*roles, SILENCE],
            [*sureness, 1.0],
        )
    return Sections(
        intervals_s=np.stack([edges[:-1], edges[1:]], axis=1),
        labels=tuple(labels),
        roles=tuple(roles),
        role_confidences=tuple(sureness),
        confidence=_confidence(likeness, gains),
        section_count=len(labels),
        novelty=_form.novelty(likeness),
        novelty_s=bars.edges_s,
        form_from=WITH_VOICE if voice else MIX,
        form_why=why,
    )


def _voice(stems: Stems | None, vocals: Vocals | None) -> tuple[_form.Voice | None, str]:
    """The voice, if it was separated and is there, and why it counts or not.

    A stem only knows its level, and a lead that leaks into it has one too; `vocals` has asked all models.
    """
    if stems is None:
        return None, "There are no stems."
    if vocals is not None and vocals.present is False:
        return None, "No voice was heard."
    place = stems.names.index(VOICE) if VOICE in stems.names else None
    if place is None or not stems.present[place]:
        return None, "The stems have no voice."
    return _form.Voice(stems.levels_db[place], stems.hop_s), "A voice that comes or goes is a change."


def _confidence(likeness: Matrix, gains: Vector) -> float | None:
    """Probability that a cut is right; None where there is none."""
    if gains.size < 2:
        return None
    if float(likeness.mean()) > _form.MOST_ALIKE:
        return UNCLEAR
    gain = max(0.0, float(gains.sum()) / len(likeness) - NO_GAIN)
    return max(UNCLEAR, MOST_CONFIDENT * float(1 - np.exp(-gain / GAIN_SCALE)))


def letters_of(likeness: Matrix, cuts: Whole) -> list[int]:
    """Number of the letter of each section, in order of appearance.

    Groups are joined as long as their sections, weighted by length, are alike enough on average.
    """
    count = cuts.size - 1
    above = np.triu_indices(len(likeness), 1)
    base = float(likeness[above].mean()) if above[0].size else 0.0
    enough = min(base + SAME_SHARE * (1 - base), SURELY_SAME)
    alike = _laid_on(likeness, cuts)
    sizes = np.diff(cuts).astype(np.float64)
    letters = np.arange(count)
    while True:
        weights = np.array([sizes * (letters == letter) for letter in range(count)])
        total = weights.sum(axis=1)
        means = weights @ alike @ weights.T / np.maximum(1.0, np.outer(total, total))
        means[np.tril_indices(count)] = 0.0
        first, second = np.unravel_index(int(np.argmax(means)), means.shape)
        if means[first, second] < enough or first == second:
            break
        letters[letters == second] = first
    _, numbers = np.unique(letters, return_inverse=True)
    return [int(number) for number in numbers]


def letter_name(number: int) -> str:
    """The name of a letter by its number: A, B, … Z, AA, AB and so on."""
    name = ""
    while number >= 0:
        name = string.ascii_uppercase[number % 26] + name
        number = number // 26 - 1
    return name


@kernel
def _laid_on(likeness: Matrix, cuts: Whole) -> Matrix:
    """How alike two sections are, bar for bar, the shorter laid where it fits best within the longer."""
    count = cuts.size - 1
    alike = np.ones((count, count))
    for i in range(count):
        for j in range(i):
            a, b = i, j
            if cuts[a + 1] - cuts[a] > cuts[b + 1] - cuts[b]:
                a, b = j, i
            short, long = cuts[a + 1] - cuts[a], cuts[b + 1] - cuts[b]
            best = 0.0
            for shift in range(long - short + 1):
                total = 0.0
                for k in range(short):
                    total += likeness[cuts[a] + k, cuts[b] + shift + k]
                best = max(best, total / short)
            alike[i, j] = alike[j, i] = best
    return alike


def roles_of(letters: list[int], cuts: Whole, bars: _form.Bars) -> tuple[list[str], list[float]]:
    """What part each section may play, and how sure that is.

    A part that comes back after another is taken for chorus if it is loud, for verse if not; what comes once at an
    end for intro or outro, and once in the middle, with a chorus behind it, for a bridge.
    """
    count = len(letters)
    roles, sureness = ["section"] * count, [0.0] * count
    length_s = float(bars.edges_s[-1] - bars.edges_s[0])
    if count < ROLE_SECTIONS or length_s < ROLE_S:
        return roles, sureness
    loudness = np.array([bars.loudness[low:high].mean() for low, high in pairwise(cuts)])
    share = np.diff(bars.edges_s[cuts]) / length_s
    for at, role in ((0, "intro"), (count - 1, "outro")):
        is_quiet = bool(loudness[at] < np.median(loudness) - LOUDER)
        if share[at] <= END_SHARE and (is_quiet or letters.count(letters[at]) == 1):
            roles[at], sureness[at] = role, INTRO_CONFIDENCE + 0.1 * is_quiet
    parts = _returning_parts(
        [k if r == "section" else -1 for k, r in zip(letters, roles, strict=True)], loudness, share
    )
    for at in range(count):
        if roles[at] == "section" and letters[at] in parts:
            roles[at], sureness[at] = parts[letters[at]]
    last_chorus = max((at for at, role in enumerate(roles) if role == "chorus"), default=0)
    for at in range(last_chorus):
        if roles[at] == "section" and share[:at].sum() >= BRIDGE_FROM:
            roles[at], sureness[at] = "bridge", BRIDGE_CONFIDENCE
    return roles, sureness


def _returning_parts(letters: list[int], loudness: Vector, share: Vector) -> dict[int, tuple[str, float]]:
    """Letter → role and its confidence, of the letters that come back after another one; −1 is no letter."""
    runs = [letter for at, letter in enumerate(letters) if letter >= 0 and (at == 0 or letters[at - 1] != letter)]
    parts = []
    for letter in sorted({letter for letter in runs if runs.count(letter) > 1}):
        places = [at for at, other in enumerate(letters) if other == letter]
        parts.append((float(np.average(loudness[places], weights=share[places])), float(share[places].sum()), letter))
    if len(parts) < 2:
        return {letter: ("verse", REPEATED_CONFIDENCE) for _, _, letter in parts}
    # The choruses stand above the widest step of loudness that leaves them no more than half of the time.
    parts.sort(reverse=True)
    steps = [
        parts[k][0] - parts[k + 1][0] if k == 0 or sum(part[1] for part in parts[: k + 1]) <= 0.5 else -1.0
        for k in range(len(parts) - 1)
    ]
    loud = int(np.argmax(steps)) + 1
    certainty = REPEATED_CONFIDENCE + LOUDER_CONFIDENCE * min(1.0, steps[loud - 1] / LOUDER)
    return {part[2]: ("chorus" if k < loud else "verse", certainty) for k, part in enumerate(parts)}
