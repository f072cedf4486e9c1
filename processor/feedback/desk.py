"""The mix desk: all that is said of one track, from its record, a person's words and what it is measured against."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from processor import config
from processor.config import Settings
from processor.feedback.advice import Advice, Mix, ordered
from processor.feedback.checks import Check, builtin_checks
from processor.feedback.platforms import Outcome, all_platforms, outcome
from processor.feedback.profiles import Platform, Profile, all_profiles, choose_profile
from processor.feedback.rules import MIX, rules_for
from processor.feedback.standing import Standing
from processor.record import JSON, Results
from processor.workspace import Workspace

if TYPE_CHECKING:
    from processor.feedback.llm import Wording

T = TypeVar("T")
# Two of 57 mixes are less sure than this, and a third of the single instruments that are taken for one.
SURE_MIX = 0.75
HARD = ("fault", "warning")


@dataclass(frozen=True)
class Desk:
    """What every track of a workspace is measured against, loaded once.

    Attributes:
        settings: the workspace's settings.
        profiles: name → profile: the built-in ones and the workspace's own.
        platforms: name → platform.
        signature: changes whenever one of these, or the code that judges by them, changes.
    """

    settings: Settings
    profiles: dict[str, Profile]
    platforms: dict[str, Platform]
    signature: str

    @property
    def platform(self) -> Platform:
        """Where the workspace's music goes."""
        return self.platforms[self.settings.desk.target]


@dataclass(frozen=True)
class Verdict:
    """All that is said of one track.

    Attributes:
        profile: what it was measured against.
        profile_why: why that.
        platform: where it is going.
        advice: the worst first.
        checks: the built-in ones.
        outcomes: what each platform will do to it.
        broken: rules that could not judge it, each with the reason; a defect of ours or of a record edited by hand.
        standing: where its measures stand in the library, the most unusual first.
        wording: the same in a language model's words, where there are some; the rules' own stand beside them.
    """

    profile: Profile
    profile_why: str
    platform: Platform
    advice: tuple[Advice, ...]
    checks: tuple[Check, ...]
    outcomes: tuple[Outcome, ...]
    broken: tuple[str, ...] = ()
    standing: tuple[Standing, ...] = ()
    wording: Wording | None = None


def open_desk(workspace: Workspace, settings: Settings | None = None) -> Desk:
    """The desk of a workspace.

    Raises:
        WrongUsage: its settings name a profile or a platform that there is not, or a file of them is broken.
    """
    settings = settings or config.load_settings(workspace.home)
    profiles, platforms = all_profiles(settings, workspace), all_platforms(settings)
    return Desk(settings, profiles, platforms, _signature(settings, profiles, platforms))


def judge(desk: Desk, results: Results, said: Mapping[str, JSON], profile: Profile | None = None) -> Verdict:
    """Say all that there is to say of a track.

    Args:
        desk: what it is measured against.
        results: its record's results.
        said: a person's words about it.
        profile: what to measure it against, where that does not follow from its genre.
    """
    chosen, why = (profile, "asked for") if profile else choose_profile(results, said, desk.settings, desk.profiles)
    mix = Mix(results, chosen, desk.platform)
    broken: list[str] = []

    def told(name: str, ask: Callable[[], Iterable[T]]) -> tuple[T, ...]:
        try:
            return tuple(ask())
        except Exception as error:  # one rule's defect, or a record edited by hand, must not cost the others
            broken.append(f"{name}: {type(error).__name__}: {error}")
            return ()

    advice = [
        replace(found, severity="note") if one.of == MIX and is_doubtful(results) and found.severity in HARD else found
        for one in rules_for(mix)
        for found in told(one.name, partial(one.function, mix))
    ]
    checks = told("checks", lambda: builtin_checks(results, chosen, desk.platform))
    outcomes = told("platforms", lambda: (outcome(results, platform) for platform in desk.platforms.values()))
    return Verdict(chosen, why, desk.platform, ordered(advice), checks, outcomes, tuple(broken))


def is_doubtful(results: Results) -> bool:
    """Whether it may well be one instrument alone: then what is said of mixes is no more than a note."""
    material = results.get("material")
    if getattr(material, "kind", None) != "mix":
        return False
    confidence = getattr(material, "confidence", None)
    return confidence is not None and confidence < SURE_MIX


def _signature(settings: Settings, *parts: object) -> str:
    return hashlib.sha256(repr((code_version(), settings.desk, *parts)).encode()).hexdigest()[:20]


@cache
def code_version() -> str:
    """Changes whenever the code or the data of this room changes."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.suffix in (".py", ".toml"):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
