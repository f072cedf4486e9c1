"""Mixes for the rules of level, dynamics and integrity: of chosen numbers, or measured on signals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from processor.analysis import all_analysers, result_types
from processor.config import Settings
from processor.feedback.advice import AREAS, TOO_LITTLE, TOO_MUCH, Advice, Mix, ordered
from processor.feedback.platforms import Platform, all_platforms
from processor.feedback.profiles import all_profiles
from processor.feedback.rules import rules_for
from processor.feedback.tone import Corridor, Profile
from processor.graph import run
from processor.quantities import columns
from tests.signals import RATE, Samples, audio

Three = tuple[float, float, float]
Rule = Callable[[Mix], Iterator[Advice]]
# What rules of these areas read; the rest would only cost time.
OURS = ("loudness", "dynamics", "transients", "integrity", "musical", "delivery")
WANTED = ("levels", "loudness", "transients", "production", "integrity", "pumping", "spectrum")


@cache
def profiles() -> dict[str, Profile]:
    return all_profiles(Settings())


@cache
def platforms() -> dict[str, Platform]:
    return all_platforms(Settings())


def mix_of(facts: Mapping[str, Any], *, profile: str = "general", platform: str = "spotify", **ranges: Three) -> Mix:
    """A mix of which only `facts`, "analyser.field" → value, are known.

    Args:
        facts: what is known.
        profile: name of the profile.
        platform: name of the platform.
        ranges: corridors in place of the profile's, by field with __ for the dot.
    """
    results: dict[str, Any] = {}
    for field, value in facts.items():
        analyser, _, name = field.partition(".")
        result_type = result_types()[analyser]
        empty = results.get(analyser) or result_type(**{column.name: None for column in columns(result_type)})
        results[analyser] = replace(empty, **{name: value})
    chosen = profiles()[profile]
    own = {field.replace("__", "."): Corridor(*three) for field, three in ranges.items()}
    return Mix(results, replace(chosen, ranges={**chosen.ranges, **own}), platforms()[platform])


def without(mix: Mix, *fields: str) -> Mix:
    """The same with a profile that knows nothing of some fields; of none of them if none is named."""
    kept = {name: one for name, one in mix.profile.ranges.items() if fields and name not in fields}
    return replace(mix, profile=replace(mix.profile, ranges=kept))


def measured(samples: Samples, rate: int = RATE, *, profile: str = "general", **facts: Any) -> Mix:
    """A mix that is measured; `facts` are those of `from_samples`."""
    off = tuple(name for name in all_analysers() if all_analysers()[name].keep and name not in (*WANTED, "source"))
    outcome = run(all_analysers(), audio(samples, rate, **facts), off=off)
    assert not {name: failure for name, failure in outcome.failures.items() if name in WANTED}
    return Mix(outcome.results, profiles()[profile], platforms()["spotify"])


def only(rule: Rule, mix: Mix) -> Advice | None:
    """What a rule says, or None; it never says two things here, and what it says is well formed."""
    found = list(rule(mix))
    assert len(found) <= 1
    for one in found:
        check(one)
    return found[0] if found else None


def ids(mix: Mix) -> list[str]:
    """What is said of a mix in these areas, strengths left out, the worst first."""
    said = ordered(one for rule in rules_for(mix) for one in rule.function(mix))
    return [one.id for one in said if one.severity != "strength" and one.area in OURS]


def check(one: Advice) -> None:
    """A piece of advice is complete, and its parts agree with its id."""
    words = one.id.split(".")
    assert one.area == words[0]
    assert one.area in AREAS
    assert one.direction == {"too_much": TOO_MUCH, "too_little": TOO_LITTLE}.get(words[-1])
    assert one.title
    assert one.text.endswith(".")
    assert one.evidence
    assert bool(one.processing) is (one.severity != "strength")
    assert all(0 <= start <= end for start, end in one.times_s)
    assert np.isfinite(one.weight)
