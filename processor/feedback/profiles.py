"""What a mix is measured against: platforms that play it, and corridors of what such music is like.

The parts: `tone.py` (corridor, deviation), `platforms.py`, `genres.py` (ours), `own.py` (a workspace's).
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from processor.analysis import result_types
from processor.config import Settings
from processor.errors import WrongUsage
from processor.feedback.genres import GENERAL, derived, genre_named, genres
from processor.feedback.own import own_profiles, profile_of
from processor.feedback.platforms import Coded, Outcome, Platform, all_platforms, outcome, unknown
from processor.feedback.tone import Corridor, Profile, ToneDeviation, tone_deviation
from processor.files import printable
from processor.quantities import columns
from processor.record import JSON, Results
from processor.workspace import Workspace

__all__ = [
    "GENERAL",
    "Coded",
    "Corridor",
    "Outcome",
    "Platform",
    "Profile",
    "ToneDeviation",
    "all_platforms",
    "all_profiles",
    "choose_profile",
    "outcome",
    "profile_of",
    "tone_deviation",
]


def all_profiles(settings: Settings, workspace: Workspace | None = None) -> dict[str, Profile]:
    """Every profile by name: ours, then those made of a workspace's tracks, then those of its settings.

    Raises:
        WrongUsage: a file or a table of the workspace's own makes no sense, or `desk.profile` names none.
    """
    found = {name: genre.profile for name, genre in genres().items()}
    if workspace is not None:
        found |= own_profiles(workspace)
    for name, table in settings.profiles.items():
        base = table.get("base", name if name in found else GENERAL)
        if base not in found:
            raise WrongUsage(f"linernotes.toml: profiles.{name}.base: {unknown(str(base), 'profile', found)}")
        own = {"confidence": "a person's word", "source": f"this workspace's settings, from “{found[base].title}”"}
        kept = {"title": found[base].title} if base == name else {}
        _check_fields(name, table.get("ranges", {}))
        found[name] = derived(name, {**kept, **own, **table}, found[base])
    if settings.desk.profile and settings.desk.profile not in found:
        raise WrongUsage(f"desk.profile: {unknown(settings.desk.profile, 'profile', found)}")
    return found


def _check_fields(name: str, ranges: Mapping[str, object]) -> None:
    """Refuse the range of a field that no record has: it would never be looked at."""
    known = {
        f"{analyser}.{column.name}": None
        for analyser, kind in result_types().items()
        for column in columns(kind)
        if column.base_type in (int, float)
    }
    for field in ranges:
        if field not in known:
            near = get_close_matches(field, known, n=1)
            hint = f"did you mean `{near[0]}`?" if near else "`linernotes explain` knows them."
            raise WrongUsage(f"linernotes.toml: profiles.{name}.ranges: there is no number `{field}`; {hint}")


def choose_profile(
    results: Results, said: Mapping[str, JSON], settings: Settings, profiles: Mapping[str, Profile]
) -> tuple[Profile, str]:
    """What a track is measured against, and why: the settings' word for all, a person's, the file's tag, or "general".

    Args:
        results: its record's results.
        said: a person's words about it.
        settings: of the workspace.
        profiles: what there is, from `all_profiles`.
    """
    if settings.desk.profile:
        return profiles[settings.desk.profile], "the settings' word for all tracks"
    own = {name: settings.profiles.get(name, {}).get("aliases", ()) for name in profiles if name not in genres()}
    own |= {name: table["aliases"] for name, table in settings.profiles.items() if "aliases" in table}
    tag = getattr(results.get("metadata"), "genre", None)
    for whose, word in (("your word", said.get("genre")), ("tag", tag)):
        if not word:
            continue
        shown = printable(str(word))[:60]
        name = genre_named(str(word), own)
        if name is not None:
            return profiles[name], f"{whose}: {shown}"
        return profiles[GENERAL], f"general: no profile for {'your word' if whose != 'tag' else 'the tag'} “{shown}”"
    return profiles[GENERAL], "general: no genre known"
