"""Musical context: tuning, tempo and key, as far as the numbers are sure."""

from __future__ import annotations

import math
from collections.abc import Iterator

from processor.analysis.key import KEYS, compatible, parse_key
from processor.feedback.advice import Advice, Mix, Step, evidence, signed
from processor.feedback.areas._findings import finding, strength
from processor.feedback.rules import rule

CENTS = "key.tuning_cents"
# Of 68 recordings with a key, 66 lie within 10 cents of A4 = 440 Hz; orchestras tune to 442 or 443 (8 to 12 cents).
IN_TUNE_CENTS, TUNING_STEP_CENTS = 15.0, 10.0
KEY_SURE, TEMPO_SURE = 0.6, 0.6
# Tempi that are these multiples of one another are one pulse, felt at another level.
RELATIVES = (1.0, 2.0, 0.5, 3.0, 1 / 3, 1.5, 2 / 3, 4.0, 0.25)
SAME_TEMPO = 0.02
# Music that is mixed beat on beat. In it, nine tenths of the beats keep within 2 % of the tempo.
BEAT_GENRES = ("house", "techno", "trance", "drum-and-bass", "dubstep", "electronic")
STEADY, STEADY_STEP = 0.9, 0.1
STRAIGHT = 0.98

_TUNING = "ISO 16: A4 = 440 Hz; tolerance measured on 68 recordings"
_TEMPO = "tempo estimation: within 4 %, octaves apart (Gouyon et al. 2006)"
_KEY = "keys that share six of seven notes count as near (Camelot wheel)"


@rule(_TUNING)
def tuning(mix: Mix) -> Iterator[Advice]:
    """Off concert pitch."""
    cents, sure = mix.get(CENTS), mix.get("key.confidence")
    if cents is None or sure is None or sure < KEY_SURE / 2 or abs(cents) <= IN_TUNE_CENTS:
        return
    pitch = 440 * 2 ** (cents / 1200)
    yield finding(
        "musical.tuning",
        (abs(cents) - IN_TUNE_CENTS) / TUNING_STEP_CENTS,
        f"Tuned to {pitch:.0f} Hz",
        f"The whole lies {abs(cents):.0f} cents {'above' if cents > 0 else 'below'} concert pitch. With a band, a "
        "sample or another track in 440 Hz it beats; a tape or a record at the wrong speed sounds so, too.",
        [evidence(mix, CENTS, f"within ±{IN_TUNE_CENTS:g}", _TUNING)],
        steps=[Step("pitch", note=f"shift by {signed(-cents, 0)} cents, or tune the instruments before recording")],
        most="note",  # tuning is a choice, too
    )


@rule(_TEMPO)
def tagged_tempo(mix: Mix) -> Iterator[Advice]:
    """A tempo in the tags that is not the one that is played."""
    tempo, sure = mix.get("beats.tempo_bpm"), mix.get("beats.confidence")
    tagged = _number(mix.get("metadata.tagged_tempo"))
    if tempo is None or tagged is None or sure is None or sure < TEMPO_SURE:
        return
    away = min(abs(math.log2(tagged * factor / tempo)) for factor in RELATIVES)
    if away <= math.log2(1 + SAME_TEMPO):
        return
    yield finding(
        "musical.tagged_tempo",
        sure,
        f"Tagged {tagged:g} BPM, played at {tempo:.1f}",
        "Programs for DJs trust the tag and set a wrong grid.",
        [
            evidence(mix, "beats.tempo_bpm", f"as tagged, {tagged:g}", _TEMPO),
            evidence(mix, "beats.confidence", f"≥ {TEMPO_SURE:g}", _TEMPO),
        ],
        steps=[Step("tag", note=f"BPM {tempo:.2f}, if your ear agrees")],
        most="note",
    )


def _number(text: str | None) -> float | None:
    """A tempo that somebody wrote; None if it is none."""
    try:
        value = float((text or "").strip().replace(",", "."))
    except ValueError:
        return None
    return value if 20 <= value <= 400 else None


@rule(_KEY)
def tagged_key(mix: Mix) -> Iterator[Advice]:
    """A key in the tags that does not fit the notes."""
    name, sure = mix.get("key.name"), mix.get("key.confidence")
    tagged = _key(mix.get("metadata.tagged_key"))
    if name not in KEYS or tagged is None or sure is None or sure < KEY_SURE or tagged in compatible(name):
        return
    yield finding(
        "musical.tagged_key",
        sure,
        f"Tagged {tagged}, measured {name}",
        "The two share too few notes for one of them to be a slip of the ear: harmonic mixing by the tag would clash.",
        [
            evidence(mix, "key.name", f"as tagged, {tagged}", _KEY),
            evidence(mix, "key.confidence", f"≥ {KEY_SURE:g}", _KEY),
        ],
        steps=[Step("tag", note=f"key {name}, if your ear agrees")],
        most="note",
    )


def _key(text: str | None) -> str | None:
    """A key that somebody wrote; None if it is none."""
    try:
        return parse_key(text) if text else None
    except ValueError:
        return None


@rule("share of beats within 2 % of the tempo; measured on 76 recordings")
def unsteady(mix: Mix) -> Iterator[Advice]:
    """A tempo that wanders in music that is mixed beat on beat."""
    stability, sure = mix.get("beats.stability"), mix.get("beats.confidence")
    if mix.profile.name not in BEAT_GENRES or stability is None or sure is None or sure < TEMPO_SURE:
        return
    if stability >= STEADY:
        return
    yield finding(
        "musical.tempo",
        (STEADY - stability) / STEADY_STEP,
        "The tempo wanders",
        f"Only {100 * stability:.0f} % of the beats keep within 2 % of {mix.get('beats.tempo_bpm'):.1f} BPM. A DJ "
        "cannot lay it on another track.",
        [
            evidence(mix, "beats.stability", f"≥ {STEADY:g}", "beats, local tempo"),
            evidence(mix, "beats.confidence", f"≥ {TEMPO_SURE:g}", "beats, local tempo"),
        ],
        steps=[Step("warp", note="align the beats to a grid, or write the tempo changes into the tags' comment")],
        most="warning",
    )


@rule("share of beats within 2 % of the tempo; measured on 76 recordings")
def steady(mix: Mix) -> Iterator[Advice]:
    """A straight grid in music that is mixed beat on beat."""
    stability, sure = mix.get("beats.stability"), mix.get("beats.confidence")
    if mix.profile.name not in BEAT_GENRES or stability is None or sure is None:
        return
    if sure < TEMPO_SURE or stability < STRAIGHT:
        return
    yield strength(
        "musical.steady",
        "Steady tempo",
        f"{mix.get('beats.tempo_bpm'):.2f} BPM from beginning to end: easy to mix.",
        [evidence(mix, "beats.stability", f"≥ {STRAIGHT:g}", "beats, local tempo")],
        stability - STRAIGHT,
    )
