"""What the track is, in tags that are cross-checked: each says how sure it is, what speaks for it, and what against.

A tag begins with what the taggers say, averaged in log-odds. Then every rule of `_fusion_rules.RULES` that is about it
adds what a measured fact gives or takes: the stem that it would be in, the voice, the tempo.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from processor.analysis._fusion_rules import (
    LEAST_ODDS,
    MOST_BELOW,
    MOST_SURE,
    RULES,
    WEIGHTS,
    Rule,
    in_words,
    logit,
    sigmoid,
    stem_nats,
)
from processor.analysis._ontology import CATEGORIES, all_tags, ancestors, tag_of
from processor.analysis.beats import Beats
from processor.analysis.heard import Claim, Heard
from processor.analysis.pitch import Pitch
from processor.analysis.stems import Stems
from processor.analysis.vocals import Vocals, pitch_tells_kind
from processor.graph import analyser
from processor.quantities import quantity

CONFIRMED, SINGLE, SUPPRESSED, CONTRADICTED = "confirmed", "single", "suppressed", "contradicted"
STATUSES = (CONFIRMED, SINGLE, SUPPRESSED, CONTRADICTED)
# A check that gives so many nats is a witness of its own, one that takes so many decides.
TELLING, DECIDING = 0.2, -1.0
# A page and a table hold so many; what did not stand comes last, and gets the rest.
MOST_TAGS, MOST_FALLEN = 40, 10
# Half and double count as the same tempo, and so does what lies within 4 % (the tolerance of MIREX). No tempo is surer
# than this.
OCTAVES, TOLERANCE, TEMPO_CHANCES = (0.5, 1.0, 2.0), 0.04, (0.05, 0.95)

_RULE = "taggers' scores as log-odds, mean of all taggers, plus the checks of a table of rules"


@dataclass(frozen=True)
class Tags:
    """Tags, surest first, those that did not stand behind them; all tuples are of one length. Empty without taggers."""

    names: tuple[str, ...] = quantity("", label="Tags", source=_RULE, help="What the track is, in our words.")
    categories: tuple[str, ...] = quantity(
        "", label="Categories", source="data/ontology.toml", help=f"Of each tag: {', '.join(CATEGORIES)}."
    )
    confidences: tuple[float, ...] = quantity(
        "",
        label="Confidences",
        source=_RULE,
        help=f"Probability that the tag is right, all evidence weighed; {1 - MOST_SURE:.2g} to {MOST_SURE:g}.",
        low=0,
        high=1,
        digits=2,
    )
    statuses: tuple[str, ...] = quantity(
        "",
        label="Statuses",
        source=_RULE,
        help="confirmed: two witnesses agree. single: one says so. suppressed: what it needs was not found. "
        "contradicted: the opposite was.",
    )
    evidence: tuple[str, ...] = quantity(
        "",
        label="Evidence",
        source=_RULE,
        help="Each source, its raw score, and the nats of log-odds that it counts for or against.",
    )


@dataclass(frozen=True)
class Fact:
    """A measured fact that rules ask for.

    Attributes:
        text: in words.
        nats: log-odds that it holds.
        tempos: BPM → how probable each tempo is, where the fact is that.
        is_measured: whether a stem, a pitch or a tempo is behind it. Else it is made of the taggers' own scores, which
            must not count twice: it takes away, but gives a tag nothing that they claim, and confirms none.
    """

    text: str
    nats: float = 0.0
    tempos: Mapping[float, float] = field(default_factory=dict)
    is_measured: bool = True


@dataclass(frozen=True)
class _Weighed:
    name: str
    category: str
    nats: float
    status: str
    evidence: str

    @property
    def stands(self) -> bool:
        return self.status in (CONFIRMED, SINGLE)


@analyser(version=1)
def tags(
    heard: Heard,
    vocals: Vocals,
    stems: Stems | None = None,
    beats: Beats | None = None,
    pitch: Pitch | None = None,
) -> Tags:
    """Weigh every tag.

    Source: log-linear pooling of opinions (C. Genest and J. V. Zidek, Statistical Science 1, 1986); `RULES`.
    """
    if not heard.hearings:
        return Tags((), (), (), (), ())
    facts = facts_of(vocals, stems, beats, pitch)
    names = dict.fromkeys([*all_tags(), *(name for one in heard.hearings for name in one.claims)])
    weighed = [one for name in names if (one := weigh(name, heard, facts)) is not None]
    ranked = sorted(weighed, key=lambda one: (-one.nats, one.name))
    standing = [one for one in ranked if one.stands]
    fallen = [one for one in ranked if not one.stands][:MOST_FALLEN]
    listed = [*standing[: MOST_TAGS - len(fallen)], *fallen]
    return Tags(
        names=tuple(one.name for one in listed),
        categories=tuple(one.category for one in listed),
        confidences=tuple(round(float(np.clip(sigmoid(one.nats), 1 - MOST_SURE, MOST_SURE)), 3) for one in listed),
        statuses=tuple(one.status for one in listed),
        evidence=tuple(one.evidence for one in listed),
    )


def facts_of(vocals: Vocals, stems: Stems | None, beats: Beats | None, pitch: Pitch | None = None) -> dict[str, Fact]:
    """What was measured; what was not is not there, and no rule asks for it."""
    found: dict[str, Fact] = {}
    if vocals.present is not None and vocals.confidence is not None:
        nats = float(logit(np.clip(vocals.confidence, 0.5, MOST_SURE))) * (1 if vocals.present else -1)
        stem = _stem_text(vocals)
        found["voice"] = Fact(_voice_text(vocals, stem), nats, is_measured=stem is not None)
        if vocals.kind is not None:
            is_measured = pitch_tells_kind(pitch, in_stem=stem is not None)
            for kind in ("speech", "rap"):
                given = 2.0 if vocals.kind == kind else -5.0
                found[kind] = Fact(f"the voice is {vocals.kind}", given, is_measured=is_measured)
    if stems is not None:
        for number, name in enumerate(stems.names):
            found[f"{name} stem"] = _stem_fact(stems, number)
    if beats is not None and beats.tempo_bpm is not None:
        tempos = dict(zip(beats.candidates, beats.candidate_weights, strict=False)) or {beats.tempo_bpm: 1.0}
        found["tempo"] = Fact(f"{beats.tempo_bpm:.0f} BPM", tempos=tempos)
    return found


def _stem_text(vocals: Vocals) -> str | None:
    """What the vocal stem had to say about the voice; None where only taggers were asked."""
    return next((one.rpartition(" (")[0] for one in vocals.evidence if one.startswith("vocal stem")), None)


def _voice_text(vocals: Vocals, stem: str | None) -> str:
    """The answer, and what the vocal stem had to say about it."""
    text = f"voice {100 * (vocals.share or 0):.0f} % of the time" if vocals.present else "no voice"
    return text if stem is None else f"{text}, {stem}"


def _stem_fact(stems: Stems, number: int) -> Fact:
    share, time = stems.energy_share[number], stems.active_share[number]
    level = f"{in_words(10 * np.log10(share))} dB" if share > 0 else "empty"
    return Fact(f"{stems.names[number]} stem {level}, {100 * time:.0f} % of the time", stem_nats(share))


def weigh(name: str, heard: Heard, facts: Mapping[str, Fact]) -> _Weighed | None:
    """One tag; None where nobody claims it and no check brings it up."""
    known = [(one.source, one.claims[name]) for one in heard.hearings if name in one.claims]
    checks = [(rule, given) for rule in RULES if (given := _checked(rule, name, facts, bool(known))) is not None]
    nats = sum(given for _, given in checks) + _claimed(known, [rule for rule, _ in checks if rule.tag == name])
    # Nothing is likelier than what it is a kind of: no singing without a voice.
    nats = min([nats, *(facts[rule.fact].nats for rule, _ in checks if rule.replaces and rule.tag != name)])
    claimed = sum(claim.odds >= 0 for _, claim in known)
    confirmed_by_check = any(given >= TELLING and facts[rule.fact].is_measured for rule, given in checks)
    against = min(checks, key=lambda check: check[1], default=None)
    if nats >= 0:
        status = CONFIRMED if claimed + confirmed_by_check >= 2 else SINGLE
    elif claimed:
        status = against[0].otherwise if against is not None and against[1] <= DECIDING else SUPPRESSED
    else:
        return None
    return _Weighed(name, tag_of(name).category or known[0][1].category, nats, status, _evidence(known, checks, facts))


def _claimed(known: list[tuple[str, Claim]], own: list[Rule]) -> float:
    """What taggers say of a tag, in nats, given the rules that check this very tag."""
    if any(rule.replaces for rule in own):
        return 0.0
    least = max((rule.least_claim for rule in own), default=LEAST_ODDS)
    total = sum(WEIGHTS[source] for source, _ in known)
    return sum(WEIGHTS[source] * max(claim.odds, least) for source, claim in known) / total if known else least


def _checked(rule: Rule, name: str, facts: Mapping[str, Fact], is_claimed: bool) -> float | None:
    """What a rule gives a tag, in nats; None where it is about others, or its fact is not known."""
    fact = facts.get(rule.fact)
    is_below = name != rule.tag and rule.tag in _above(name)
    if fact is None or not (is_below or name == rule.tag):
        return None
    nats = _of_tempo(rule, fact.tempos) if fact.tempos else -fact.nats if rule.is_against else fact.nats
    most = min(rule.most, MOST_BELOW) if is_below else rule.most
    if is_claimed and not fact.is_measured and (is_below or not rule.replaces):
        most = 0.0  # the same scores have claimed the tag
    return float(np.clip(nats, rule.least, most))


def _of_tempo(rule: Rule, tempos: Mapping[float, float]) -> float:
    """Log-odds that the tempo, or half or twice of it, is one that the rule wants."""
    low, high = rule.low * (1 - TOLERANCE), rule.high * (1 + TOLERANCE)
    fits = sum(chance for bpm, chance in tempos.items() if any(low <= bpm * octave <= high for octave in OCTAVES))
    return float(logit(np.clip(fits, *TEMPO_CHANCES)))


def _above(name: str) -> frozenset[str]:
    return ancestors(all_tags(), name) if name in all_tags() else frozenset()


def _evidence(known: list[tuple[str, Claim]], checks: list[tuple[Rule, float]], facts: Mapping[str, Fact]) -> str:
    """All that was weighed, in short; not again what repeats the taggers."""
    said = [(f"{source} {claim.word} {claim.raw:.2f}", claim.odds) for source, claim in known]
    told = [(facts[rule.fact], given) for rule, given in checks]
    said += [(fact.text, given) for fact, given in told if fact.is_measured or given < 0 or not known]
    return " · ".join(f"{text} ({in_words(nats, 1, signed=True)})" for text, nats in said)
