"""What kind of sound a file is, so that nobody gets a mix engineer's advice on a speech or on one instrument.

A mix is many sources at once: while one rests another plays, so its middle is never empty and its registers go their
own ways. One source rests as a whole, moves in neighbouring registers alike, or plays one note at a time; speech has
no notes at all. Each trait is measured against a register's own level, so that a mix that is dull, thin, squashed or
noisy is still seen as a mix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.analysis.bands import Bands
from processor.analysis.chroma import Chroma
from processor.analysis.mel import Mel
from processor.analysis.onsets import Onsets
from processor.analysis.spectrum import Spectrum
from processor.graph import Known, analyser
from processor.quantities import quantity

Vector = NDArray[np.float64]

KINDS = ("silence", "noise", "speech", "solo", "mix")
# Other words that people may say.
_WORDS = {
    "silent": "silence",
    "voice": "solo",
    "instrument": "solo",
    "stem": "solo",
    "song": "mix",
    "music": "mix",
    "talk": "speech",
    "spoken": "speech",
}

# What is fainter than this is silence: a loudness meter shows nothing below −70 LUFS (BS.1770-4, absolute gate).
SILENT_DBFS = -70.0
# Under 3 s of sound there is nothing to say.
SHORTEST_S = 3.0
# The loud moments of a sound, or of a register, are the upper tenth of its frames; what lies 40 dB under them is no
# part of it, and at 20 dB under it rests.
LOUD_PERCENTILE = 90
HEARD_DB, REST_DB = 40.0, 20.0
# What is looked at goes from the first moment that comes so near to the loud ones to the last: hum behind the music or
# a soft beginning would else be rests, and make a mix one instrument that rests. Of 57 mixes, 10 s of hum or hiss
# behind them made 44 and 39 "solo"; so it is 2, as without.
MAIN_DB = 12.0
# The body of music, which somebody plays all the time in a mix; taking part means within 25 dB of its own peaks.
BODY_HZ, BODY_DB = (160.0, 500.0), 25.0
# Where voices glide and instruments stand: levels of third-octaves that move by less than 15 dB a second.
MIDDLE_HZ, MIDDLE_DB, STANDS_DB_S = (200.0, 1500.0), 35.0, 15.0
EMPTY_BAND_DB = -60.0
# A pitch class this strong, beside the strongest, is a note; frames without such a one are noise or rests.
NOTE, SOUNDING = 0.35, 0.3

# How much each trait speaks for a mix, in nats. Logistic regression on 59 mixes and 50 single sources, each as a whole
# and 30 s of it as it is, in mono, low-passed at 3 kHz, high-passed at 200 Hz, clipped, over-compressed, with noise 30
# dB under it, with 6 dB more at 300 Hz and dulled. With each of 18 sources of music left out in turn, all 59 mixes were
# found as a whole and 98 % of all (high-passed 90 %), and 62 % of the single sources: drums 17 of 17, basses 6 of 9,
# voices 3 of 5, other instruments 5 of 12, pianos 0 of 7.
DEPTH_WEIGHT, BODY_WEIGHT, PARTS_WEIGHT, NEIGHBOURS_WEIGHT = -0.90, 6.9, 1.91, 4.5
STANDS_WEIGHT, FEW_WEIGHT, UNCLEAR_WEIGHT = -3.2, -3.6, -68.0
# A mix that is taken for something else never hears of its faults. So this lies 1 above the fitted constant.
CONSTANT = -11.3
# Pianos share all traits with mixes. Of 57 mixes three have so little noise and so little below 60 Hz, two of these are
# arrangements for piano; of ten solo pianos and singers five have. So these are never a mix for sure.
BARE_FLATNESS, BARE_SUB_DB = 0.0005, -18.0
BARE_CHANCE = 0.6
SOME_DEPTH = 0.05
FEW_NOTES = 2.0
UNCLEAR = 0.06
MOST_STANDS = 0.5  # as much as in any of those

# Limits that speech and noise lie under, and how far under is usual. Two readers, altered in the same ways, lie under
# the first with all traits in 18 of 20 cases (not when high-passed), and no other of 129 files does, altered or not.
# White, pink and brown noise lie under the second.
SPEECH_LIMITS = {
    "clarity": (0.03, 0.02),
    "contrast": (0.48, 0.15),
    "stands": (0.13, 0.04),
    "together": (0.55, 0.2),
    "neighbours": (0.89, 0.1),
}
NOISE_LIMITS = {"clarity": (0.03, 0.015), "contrast": (0.25, 0.05), "depth": (0.1, 0.05)}
STEEPNESS = 3.0


def parse_kind(text: str) -> str:
    """The kind that a person means.

    Raises:
        ValueError: it is none of `KINDS`.
    """
    word = text.strip().lower()
    word = _WORDS.get(word, word)
    if word not in KINDS:
        raise ValueError(f"{text!r} is no kind of material; say one of {', '.join(KINDS)}.")
    return word


_SOURCE = "logistic regression on traits of third-octave levels, mel spectrum, onsets and pitch classes"


@dataclass(frozen=True)
class Material:
    """What kind of sound it is; None where there is too little of it to tell."""

    kind: str | None = quantity(
        "",
        label="Material",
        source=_SOURCE,
        help="Silence, noise, speech, solo (one instrument or voice, or the drums alone) or mix. Advice about mixes is "
        "for mixes. A solo piano is often taken for a mix: say so if it is.",
        said=parse_kind,
    )
    confidence: float | None = quantity(
        "",
        label="Confidence of the material",
        source=_SOURCE,
        help="Probability that this is the kind; 1 where a person has set it.",
        low=0,
        high=1,
        digits=2,
    )
    second_kind: str | None = quantity(
        "", label="Second-best material", source=_SOURCE, help="The most probable kind after the first."
    )
    evidence: str = quantity(
        "", label="What tells the material", source=_SOURCE, help="The traits that the kind was told from."
    )


@analyser(version=1)
def material(bands: Bands, mel: Mel, onsets: Onsets, chroma: Chroma, spectrum: Spectrum, known: Known) -> Material:
    """Tell what kind of sound it is, unless a person has said so.

    Source: logistic regression as the constants above describe it; speech by what E. Scheirer and M. Slaney,
    "Construction and evaluation of a robust multifeature speech/music discriminator", ICASSP 1997, found to tell it.
    """
    chances, evidence = _hear(bands, mel, onsets, chroma)
    if is_bare(spectrum) and chances.get("mix", 0.0) > BARE_CHANCE:
        chances["solo"] += chances["mix"] - BARE_CHANCE
        chances["mix"] = BARE_CHANCE
        evidence += "; neither drums nor a low end"
    said = _said(known)
    ranked = sorted(((chance, kind) for kind, chance in chances.items() if kind != said), reverse=True)
    if said is not None:
        ranked.insert(0, (1.0, said))
    return Material(
        kind=ranked[0][1] if ranked else None,
        confidence=ranked[0][0] if ranked else None,
        second_kind=ranked[1][1] if len(ranked) > 1 else None,
        evidence=evidence if said is None else f"set by a person; measured: {evidence}",
    )


def is_bare(spectrum: Spectrum) -> bool:
    """Whether there is nothing of the two things that nearly every mix has: noise, as of drums, and a low end."""
    sub, mids, flatness = spectrum.sub_db, spectrum.mids_db, spectrum.flatness
    if sub is None or mids is None or flatness is None:
        return False
    return flatness < BARE_FLATNESS and sub - mids < BARE_SUB_DB


def _said(known: Known) -> str | None:
    """What a person said that it is; None if that is nothing, or no kind."""
    try:
        return parse_kind(str(known["kind"])) if "kind" in known else None
    except ValueError:
        return None


def _hear(bands: Bands, mel: Mel, onsets: Onsets, chroma: Chroma) -> tuple[dict[str, float], str]:
    """Probability of each kind that comes into question, and what speaks for it."""
    power = (bands.band_left + bands.band_right).astype(np.float64)
    loudest = float(_db(power.sum(axis=1) / 2).max(initial=-np.inf))
    if loudest < SILENT_DBFS:
        return {"silence": 1.0}, f"never above {SILENT_DBFS:g} dBFS"
    found = traits(bands, mel, onsets, chroma)
    if found is None:
        return {}, f"less than {SHORTEST_S:g} s of sound"
    noise, speech, mix = _below(found, NOISE_LIMITS), _below(found, SPEECH_LIMITS), mix_chance(found)
    rest = (1 - noise) * (1 - speech)
    chances = {"noise": noise, "speech": (1 - noise) * speech, "solo": rest * (1 - mix), "mix": rest * mix}
    return chances, found.in_words()


# Traits


@dataclass(frozen=True)
class Traits:
    """What the kinds are told apart by.

    Attributes:
        depth: deviation of the loudness over its mean.
        body: share of the time in which the body takes part.
        parts: how many registers move on their own (effective rank of the correlations of third-octave levels).
        neighbours: correlation of neighbouring third-octaves.
        stands: share of the time in which levels in the middle stand still.
        notes: pitch classes that sound at once.
        clarity: how well peaks agree on a tuning.
        contrast: how much pitch classes differ over the whole.
        together: correlation of the onsets of different registers.
        rests: share of the time in which all is quiet.
    """

    depth: float
    body: float
    parts: float
    neighbours: float
    stands: float
    notes: float
    clarity: float
    contrast: float
    together: float
    rests: float

    def in_words(self) -> str:
        """The traits for a person."""
        return (
            f"rests {100 * self.rests:.0f} % of the time, its body sounds {100 * self.body:.0f} %; {self.notes:.1f} "
            f"notes at once, tuning {100 * self.clarity:.0f} % clear; {self.parts:.1f} independent registers, "
            f"neighbours alike to {100 * self.neighbours:.0f} %"
        )


def traits(bands: Bands, mel: Mel, onsets: Onsets, chroma: Chroma) -> Traits | None:
    """Measure the traits; None for too little sound."""
    power = (bands.band_left + bands.band_right).astype(np.float64)
    levels, registers, notes = mel.levels, onsets.registers.T, chroma.values
    level = _db(power.sum(axis=1))
    heard = level > level.max(initial=-np.inf) - HEARD_DB - REST_DB
    loud = float(np.percentile(level[heard], LOUD_PERCENTILE)) if heard.any() else 0.0
    main = np.flatnonzero(level > loud - MAIN_DB)
    if main.size:
        begin, end = int(main[0]), int(main[-1]) + 1
        power, level = power[begin:end], level[begin:end]
        levels, registers, notes = (
            curve[round(begin / bands.frame_rate * rate) : max(1, round(end / bands.frame_rate * rate))]
            for curve, rate in ((levels, mel.frame_rate), (registers, onsets.frame_rate), (notes, chroma.frame_rate))
        )
    heard = level > loud - HEARD_DB
    if np.count_nonzero(heard) < SHORTEST_S * bands.frame_rate or not levels.any():
        return None
    first, last = np.flatnonzero(heard)[[0, -1]]
    parts, neighbours = _independence(power[heard])
    loudness = levels.mean(axis=1, dtype=np.float64)
    classes = notes.mean(axis=0, dtype=np.float64)
    sounding = notes[notes.max(axis=1, initial=0.0) > SOUNDING]
    return Traits(
        depth=float(loudness.std() / loudness.mean()),
        body=_body(power[heard], bands.centres_hz),
        parts=parts,
        neighbours=neighbours,
        stands=_stands(power, heard, bands),
        notes=float((sounding > NOTE).sum(axis=1).mean()) if len(sounding) else 0.0,
        clarity=chroma.clarity,
        contrast=float(classes.std() / max(float(classes.mean()), 1e-9)),
        together=_together(registers.T),
        rests=float(np.mean(level[first : last + 1] < loud - REST_DB)),
    )


def mix_chance(found: Traits) -> float:
    """Probability of a mix rather than one source."""
    score = (
        CONSTANT
        + DEPTH_WEIGHT * np.log(found.depth + SOME_DEPTH)
        + BODY_WEIGHT * found.body
        + PARTS_WEIGHT * np.log(found.parts)
        + NEIGHBOURS_WEIGHT * found.neighbours
        + STANDS_WEIGHT * min(MOST_STANDS, found.stands)
        + FEW_WEIGHT * max(0.0, FEW_NOTES - found.notes)
        + UNCLEAR_WEIGHT * max(0.0, UNCLEAR - found.clarity)
    )
    return _chance(float(score))


def _below(found: Traits, limits: dict[str, tuple[float, float]]) -> float:
    """Probability that all traits lie under their limits; the worst one decides."""
    return _chance(STEEPNESS * min((limit - getattr(found, name)) / reach for name, (limit, reach) in limits.items()))


def _chance(score: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(score, -30, 30))))


def _db(power: Vector) -> Vector:
    return np.asarray(10 * np.log10(np.maximum(power, 1e-30)))


def _body(power: Vector, centres_hz: Vector) -> float:
    level = _db(power[:, (centres_hz >= BODY_HZ[0]) & (centres_hz < BODY_HZ[1])].sum(axis=1))
    return float(np.mean(level > np.percentile(level, 95) - BODY_DB))


def _independence(power: Vector) -> tuple[float, float]:
    """Effective rank of the correlations between levels of third-octaves, and their mean between neighbours."""
    mean = power.mean(axis=0)
    level = _db(power[:, mean > mean.max() * 10 ** (EMPTY_BAND_DB / 10)])
    level = np.maximum(level, np.percentile(level, 95, axis=0) - HEARD_DB)
    level = level[:, level.std(axis=0) > 0.1]
    if level.shape[1] < 3:
        return 1.0, 1.0
    related: Vector = np.asarray(np.corrcoef(level.T), np.float64)
    strengths = np.maximum(np.linalg.eigvalsh(related), 1e-12) / level.shape[1]
    return float(np.exp(-(strengths * np.log(strengths)).sum())), float(np.diag(related, 1).mean())


def _stands(power: Vector, heard: NDArray[np.bool_], bands: Bands) -> float:
    """Share of levels in the middle that hardly move from the frame before to the frame behind."""
    level = _db(power[:, (bands.centres_hz >= MIDDLE_HZ[0]) & (bands.centres_hz < MIDDLE_HZ[1])])
    slope = (level[2:] - level[:-2]) * bands.frame_rate / 2
    counts = (level[1:-1] > np.percentile(level[heard], 95, axis=0) - MIDDLE_DB) & heard[1:-1, None]
    return float(np.mean(np.abs(slope[counts]) < STANDS_DB_S)) if counts.any() else 0.0


def _together(registers: NDArray[np.floating]) -> float:
    """Mean correlation of the onsets of different registers, shape `(registers, frames)`."""
    rises = registers.astype(np.float64)
    rises = rises[rises.std(axis=1) > 1e-6]
    return float(np.corrcoef(rises)[np.triu_indices(len(rises), 1)].mean()) if len(rises) > 1 else 1.0
