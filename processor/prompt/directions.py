"""What is asked of each section: energy, what enters and leaves, voice, and how it differs from the rest of the track.

Each direction rests on a number of its own section against the whole or the section before, so that sections read
differently exactly where they measure differently.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from processor.analysis.melody import Melody
from processor.analysis.vocals import Vocals
from processor.prompt.facts import Direction, Evidence, Phrase
from processor.prompt.parts import Part, mean_over
from processor.record import Results

_LEVEL = "loudness.short_term_lufs"
# Under the loudest section, in LU → words. Steps of about 3 LU are heard by everybody.
ENERGIES = ((1.0, "full energy"), (3.0, "strong energy"), (6.0, "medium energy"), (10.0, "low energy"))
FAINT = "very quiet"
# Sections that differ less than this all have one energy.
FLAT_LU = 1.5
SUDDEN_LU, SLOPE_LU, FADE_LU = 3.0, 3.0, 6.0
PLAYS, RESTS = 0.6, 0.2
FORE, HIDDEN = 0.5, 0.2  # of the time among what is heard most
SUNG, UNSUNG = 0.3, 0.08
SEMITONES, HELD_S, QUICK_S, FEWEST_NOTES = 3.0, 0.6, 0.2, 4
_STEMS = {"drums": "drums", "bass": "bass", "guitar": "guitar", "piano": "piano", "vocals": "voice"}


@dataclass(frozen=True)
class _Trait:
    """How a trait is put into words when a section differs from the track's mean by a step, or by three.

    Attributes:
        name: as in `Part.means`.
        field: where it comes from.
        step: what is worth a word: in its own unit, or as a natural logarithm.
        is_ratio: whether it is compared as a ratio.
        more: words for a step above, and for three.
        less: likewise below.
    """

    name: str
    field: str
    step: float
    is_ratio: bool
    more: tuple[str, str]
    less: tuple[str, str]


_TRAITS = (
    _Trait(
        "density",
        "production.density_by_second",
        12.0,
        False,
        ("fuller arrangement", "dense wall of sound"),
        ("thinner arrangement", "sparse with wide gaps"),
    ),
    _Trait(
        "onsets",
        "transients.onsets_s",
        0.25,
        True,
        ("busier rhythm", "much busier rhythm"),
        ("simpler rhythm", "very sparse rhythm"),
    ),
    _Trait(
        "width",
        "production.width_by_second",
        5.0,
        False,
        ("wider stereo", "enveloping wide stereo"),
        ("narrower stereo", "almost mono"),
    ),
    _Trait(
        "brightness",
        "frames.brightness_hz",
        0.2,
        True,
        ("brighter tone", "brilliant open top end"),
        ("darker tone", "muffled filtered sound"),
    ),
    _Trait(
        "warmth",
        "production.warmth_by_second",
        8.0,
        False,
        ("warmer low mids", "thick warm low mids"),
        ("leaner low mids", "hollow low mids"),
    ),
    _Trait(
        "saturation",
        "production.saturation_by_second_db",
        1.0,
        False,
        ("a little grit", "overdriven and distorted"),
        ("cleaner tone", "clean and undistorted"),
    ),
)
STRONG_STEPS = 3.0
# Where nothing differs by a step, this share of one is told.
SLIGHT = 0.4
# With fewer onsets a second over the track, they are too few to compare.
FEWEST_ONSETS = 0.8


def directions(
    parts: Sequence[Part], results: Results, most: int, instruments: Sequence[str] = ()
) -> tuple[Direction, ...]:
    """Directions for all parts.

    Args:
        parts: of the track.
        results: of its record, for what the voice does.
        most: phrases a section.
        instruments: those of the style, which may be named.
    """
    vocals: Vocals | None = results.get("vocals")
    is_song = None if vocals is None else vocals.present
    loudest = max((p.level_lufs for p in parts if p.level_lufs is not None), default=0.0)
    found = []
    before: Part | None = None
    for part, header in zip(parts, headers(parts, is_song), strict=True):
        phrases = [
            *_energy(part, before, parts, loudest),
            *_stems(part, before),
            *_instruments(part, before, instruments),
            # Without a voice, what was followed as one is an instrument.
            *([] if is_song is False else (*_voice(part, before), *_delivery(part, results))),
            *_traits(part, parts, 1.0),
        ]
        phrases = phrases or _traits(part, parts, SLIGHT)[:1] or [_unchanged(part)]
        found.append(Direction(header, part.start_s, part.end_s, tuple(phrases[:most])))
        before = part
    return tuple(found)


def headers(parts: Sequence[Part], is_song: bool | None) -> list[str]:
    """Tags of the parts; verses are counted, music without a voice has themes by their letters.

    Args:
        parts: of the track.
        is_song: whether it has a voice; None where nobody knows.
    """
    named = [_header(part, parts, is_song) for part in parts]
    # A song has one bridge; what else looks like one is called by its letter.
    for k, (name, part) in enumerate(zip(named, parts, strict=True)):
        if name == "Bridge" and "Bridge" in named[:k]:
            named[k] = _moving(part, parts) or f"Theme {part.letter[:3]}"
    many = {name for name, count in Counter(named).items() if count > 1 and name == "Verse"}
    seen: Counter[str] = Counter()
    found = []
    for name in named:
        seen[name] += 1
        found.append(f"{name} {seen[name]}" if name in many else name)
    return found


def _header(part: Part, parts: Sequence[Part], is_song: bool | None) -> str:
    if part.role in ("intro", "outro", "bridge"):
        return part.role.capitalize()
    if is_song and part.voice is not None and part.voice < UNSUNG:
        return _moving(part, parts) or "Instrumental"
    if part.role in ("verse", "chorus") and is_song is not False:
        return part.role.capitalize()
    if part.role == "chorus":
        return "Main Theme"
    if is_song and part.voice is not None and part.voice >= SUNG:
        return "Verse"
    if len(parts) == 1:
        return "Theme"
    return _moving(part, parts) or _edge(part, parts) or f"Theme {part.letter[:3]}"


def _edge(part: Part, parts: Sequence[Part]) -> str | None:
    """An intro or outro, where the track begins or ends quietly."""
    loudest = max((p.level_lufs for p in parts if p.level_lufs is not None), default=0.0)
    if part.level_lufs is None or part.level_lufs > loudest - ENERGIES[2][0]:
        return None
    return "Intro" if part is parts[0] else "Outro" if part is parts[-1] else None


def _moving(part: Part, parts: Sequence[Part]) -> str | None:
    """A build or a break, where the loudness says so."""
    loudest = max((p.level_lufs for p in parts if p.level_lufs is not None), default=0.0)
    if part.slope_lu is not None and part.slope_lu >= FADE_LU:
        return "Build"
    inside = part is not parts[0] and part is not parts[-1]
    return "Break" if inside and part.level_lufs is not None and part.level_lufs <= loudest - ENERGIES[2][0] else None


# Energy


def _energy(part: Part, before: Part | None, parts: Sequence[Part], loudest: float) -> Iterator[Phrase]:
    if part.level_lufs is None:
        return
    proof = (_at(_LEVEL, part.level_lufs, part),)
    levels = [p.level_lufs for p in parts if p.level_lufs is not None]
    if max(levels) - min(levels) < FLAT_LU:
        if before is None:
            yield Phrase("steady energy from start to end", "energy", proof)
    elif part.level_lufs == loudest and len(parts) > 2:
        yield Phrase("full energy at the peak of the track", "energy", proof)
    else:
        under = loudest - part.level_lufs
        yield Phrase(next((words for most, words in ENERGIES if under <= most), FAINT), "energy", proof)
    yield from _movement(part, before, is_last=part is parts[-1])


def _movement(part: Part, before: Part | None, *, is_last: bool) -> Iterator[Phrase]:
    if part.level_lufs is not None and before is not None and before.level_lufs is not None:
        step = part.level_lufs - before.level_lufs
        if abs(step) >= SUDDEN_LU:
            proof = (_at(_LEVEL, before.level_lufs, before), _at(_LEVEL, part.level_lufs, part))
            yield Phrase("lifts at once" if step > 0 else "drops back", "movement", proof)
    if part.slope_lu is not None and abs(part.slope_lu) >= SLOPE_LU:
        falls = "fades out" if is_last and part.slope_lu <= -FADE_LU else "winds down"
        yield Phrase("builds steadily" if part.slope_lu > 0 else falls, "movement", (_at(_LEVEL, part.slope_lu, part),))


def _at(field: str, value: float | None, part: Part) -> Evidence:
    return Evidence(field, value, part.start_s, part.end_s)


# Instruments and voice


def _stems(part: Part, before: Part | None) -> Iterator[Phrase]:
    """Which stems enter, leave, or are not there yet."""
    for name, share in part.playing.items():
        if name not in _STEMS or name == "vocals":
            continue
        was = None if before is None else before.playing.get(name)
        proof = (_at("stems.levels_db", share, part),)
        word = _STEMS[name]
        if name in part.late:
            yield Phrase(f"{word} {_do(name, 'come')} in half-way", "stems", proof)
        elif was is None and share < RESTS:
            yield Phrase(f"no {word} yet", "stems", proof)
        elif was is not None and was < RESTS and share >= PLAYS:
            yield Phrase(f"{word} {_do(name, 'enter')}", "stems", proof)
        elif was is not None and was >= PLAYS and share < RESTS:
            yield Phrase(f"{word} {_do(name, 'drop')} out", "stems", proof)


def _instruments(part: Part, before: Part | None, instruments: Sequence[str]) -> Iterator[Phrase]:
    """Which instruments are heard more than in the section before; stems say it of drums and bass."""
    for name in instruments:
        share = part.fore.get(name, 0.0)
        was = 0.0 if before is None else before.fore.get(name, 0.0)
        if name not in part.playing and share >= FORE and was < HIDDEN:
            yield Phrase(f"{name} to the fore", "instrument", (_at("frames.top_tags", share, part),))


def _do(name: str, verb: str) -> str:
    return verb if name == "drums" else f"{verb}s"


def _voice(part: Part, before: Part | None) -> Iterator[Phrase]:
    """Whether somebody sings here, where that changes."""
    if part.voice is None:
        return
    was = None if before is None else before.voice
    proof = (_at("vocals.presence", part.voice, part),)
    if part.voice < UNSUNG:
        if was is None or was >= UNSUNG:
            yield Phrase("no vocals", "voice", proof)
    elif was is not None and was < UNSUNG:
        yield Phrase("vocals enter", "voice", proof)
    elif part.voice < SUNG and (was is None or was >= SUNG):
        yield Phrase("sparse vocal phrases", "voice", proof)


def _delivery(part: Part, results: Results) -> Iterator[Phrase]:
    """How the voice lies and moves here against the whole."""
    melody: Melody | None = results.get("melody")
    if melody is None or melody.notes.ndim != 2 or len(melody.notes) < 2 * FEWEST_NOTES:
        return
    starts, ends, pitches = melody.notes.T[:3]
    inside = (starts >= part.start_s) & (starts < part.end_s)
    if inside.sum() < FEWEST_NOTES:
        return
    apart = float(np.median(pitches[inside]) - np.median(pitches))
    if abs(apart) >= SEMITONES:
        words = "voice in a higher open register" if apart > 0 else "voice in a low close register"
        yield Phrase(words, "delivery", (_at("melody.notes", apart, part),))
    length = float(np.median((ends - starts)[inside]))
    if length >= HELD_S or length <= QUICK_S:
        words = "long held vocal notes" if length >= HELD_S else "quick syllabic delivery"
        yield Phrase(words, "delivery", (_at("melody.notes", length, part),))


# Traits


def _unchanged(part: Part) -> Phrase:
    return Phrase("carries on unchanged", "energy", (_at(_LEVEL, part.level_lufs, part),))


def _traits(part: Part, parts: Sequence[Part], least: float) -> list[Phrase]:
    """How it differs from the track's mean by at least so many steps, the largest difference first."""
    found = []
    for trait in _TRAITS:
        mean = mean_over(tuple(parts), trait.name)
        value = part.means.get(trait.name)
        if mean is None or value is None or (trait.is_ratio and min(mean, value) <= 0):
            continue
        if trait.name == "onsets" and mean < FEWEST_ONSETS:
            continue
        steps = (math.log(value / mean) if trait.is_ratio else value - mean) / trait.step
        if abs(steps) >= least:
            words = (trait.more if steps > 0 else trait.less)[abs(steps) >= STRONG_STEPS]
            proof = (_at(trait.field, value, part), Evidence(trait.field, mean))
            found.append((abs(steps), Phrase(words, trait.name, proof)))
    return [phrase for _, phrase in sorted(found, key=lambda pair: -pair[0])]


def _strength(under_lu: float) -> str:
    return "strong" if under_lu <= ENERGIES[1][0] else "held-back" if under_lu <= ENERGIES[2][0] else "quiet"


def form(parts: Sequence[Part]) -> Phrase | None:
    """The shape of the whole in a few words, for the style: where it begins, where its peak is, how it ends."""
    levels = [(part, part.level_lufs) for part in parts if part.level_lufs is not None]
    if len(levels) < 3:
        return None
    proof = tuple(_at(_LEVEL, level, part) for part, level in levels)
    values = [level for _, level in levels]
    if max(values) - min(values) < 2 * FLAT_LU:
        return Phrase("even energy from start to end", "form", proof)
    peak, top = max(levels, key=lambda pair: pair[1])
    place = (peak.start_s + peak.end_s) / 2 / parts[-1].end_s
    where = "early" if place < 0.35 else "in the middle" if place < 0.6 else "late"
    starts, ends = (_strength(top - values[at]) for at in (0, -1))
    drops = sum(b - a <= -SUDDEN_LU for a, b in pairwise(values[:-1]))
    middle = ", breakdowns between" if drops > 1 else ", one breakdown" if drops else ""
    return Phrase(f"{starts} opening, loudest {where}{middle}, {ends} ending", "form", proof)
