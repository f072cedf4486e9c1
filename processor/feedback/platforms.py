"""Platforms that play music, and what each does to a mix: its gain, its limiter, its coding.

The numbers stand in `data/platforms.toml`, each with its source and date; `[platforms.<name>]` of a workspace's
settings changes them or adds others.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

from processor.config import Settings
from processor.errors import WrongUsage
from processor.record import Results

# Over this, a converter or a decoder that counts in whole numbers clips.
FULL_SCALE_DBTP = 0.0
# A gain that nobody hears.
NO_GAIN_DB = 0.05
CODECS = ("aac", "opus", "vorbis")
UNITS = ("track", "album")
_REQUIRED = ("title", "ceiling_dbtp")


@dataclass(frozen=True)
class Platform:
    """Where music is played, and what is done to it there.

    Attributes:
        name: "spotify", as in `--target spotify`.
        title: "Spotify".
        target_lufs: the loudness that it turns everything to, or None.
        boosts: whether it turns quiet music up, too.
        boost_headroom_db: how far below full scale a boost must leave the peaks, or None if it boosts without limit.
        ceiling_dbtp: the highest true peak that it asks for.
        codecs: what it codes to: "aac", "opus", "vorbis".
        dated: "2026-11".
        confidence: "primary", "second-hand" or "inferred".
        source: where these numbers come from.
        note: what else there is to know.
        limiter_dbfs: sample peak at which its own limiter holds what it boosts, or None if it has none.
        loud_ceiling_dbtp: the highest true peak that it asks of music louder than its target, or None for the same.
        unit: "track" or "album": what is brought to the loudness as one.
    """

    name: str
    title: str
    target_lufs: float | None
    boosts: bool
    boost_headroom_db: float | None
    ceiling_dbtp: float
    codecs: tuple[str, ...]
    dated: str
    confidence: str
    source: str
    note: str = ""
    limiter_dbfs: float | None = None
    loud_ceiling_dbtp: float | None = None
    unit: str = "track"


@dataclass(frozen=True)
class Coded:
    """True peak after lossy coding. A file is coded as it was delivered; the player's gain comes after the decoder.

    Attributes:
        codec: "aac", "opus" or "vorbis".
        decoded_dbtp: as it leaves the decoder.
        played_dbtp: after the platform's gain and limiter.
    """

    codec: str
    decoded_dbtp: float
    played_dbtp: float

    @property
    def clips(self) -> bool:
        """Whether it still is over full scale where it is played."""
        return self.played_dbtp > FULL_SCALE_DBTP

    @property
    def clips_in_decoder(self) -> bool:
        """Whether a decoder clips it that hands on whole numbers; gain after that is too late."""
        return self.decoded_dbtp > FULL_SCALE_DBTP


@dataclass(frozen=True)
class Outcome:
    """What a platform makes of a mix; None where it cannot be told, as of silence.

    Attributes:
        platform: which.
        gain_db: the gain that it applies; 0 where it applies none.
        ends_at_lufs: integrated loudness then.
        short_of_lu: how far under its target that stays, because it does not boost or its headroom ends; 0 if it
            does not.
        peak_dbtp: true peak after gain and limiter, without coding.
        limiter_db: how much its limiter takes off the highest peak; 0 without one.
        ceiling_dbtp: the highest true peak that it asks for, of music as loud as this.
        over_ceiling_db: how far the delivered file's true peak is over that ceiling; 0 if it is not.
        coded: by codec, where the file was coded and measured.
    """

    platform: Platform
    gain_db: float | None
    ends_at_lufs: float | None
    short_of_lu: float | None
    peak_dbtp: float | None
    limiter_db: float | None
    ceiling_dbtp: float
    over_ceiling_db: float | None
    coded: tuple[Coded, ...]

    @property
    def is_limited(self) -> bool:
        """Whether the platform's own limiter works on it."""
        return bool(self.limiter_db)

    @property
    def coded_peak_dbtp(self) -> dict[str, float]:
        """Codec → true peak where it is played."""
        return {one.codec: one.played_dbtp for one in self.coded}

    @property
    def clips(self) -> bool:
        """Whether what is played is over full scale, coded or not."""
        return any(one.clips for one in self.coded) or (self.peak_dbtp is not None and self.peak_dbtp > FULL_SCALE_DBTP)


def outcome(results: Results, platform: Platform) -> Outcome:
    """What a platform does to a mix of these results."""
    loudness = results.get("loudness")
    lufs = None if loudness is None else loudness.integrated_lufs
    peak_dbtp = None if loudness is None else loudness.true_peak_dbtp
    sample_peak_dbfs = None if loudness is None else loudness.sample_peak_dbfs
    gain_db = _gain_db(platform, lufs, peak_dbtp)
    limiter_db = _limiter_db(platform, gain_db, sample_peak_dbfs)
    change_db = None if gain_db is None or limiter_db is None else gain_db - limiter_db
    ends_at = None if gain_db is None or lufs is None else lufs + gain_db
    is_loud = lufs is not None and platform.target_lufs is not None and lufs > platform.target_lufs
    loud_ceiling = platform.loud_ceiling_dbtp if is_loud else None
    ceiling = platform.ceiling_dbtp if loud_ceiling is None else loud_ceiling
    return Outcome(
        platform=platform,
        gain_db=gain_db,
        ends_at_lufs=ends_at,
        short_of_lu=_short_of(platform, ends_at),
        peak_dbtp=None if peak_dbtp is None or change_db is None else peak_dbtp + change_db,
        limiter_db=limiter_db,
        ceiling_dbtp=ceiling,
        over_ceiling_db=None if peak_dbtp is None else max(0.0, peak_dbtp - ceiling),
        coded=() if change_db is None else _coded(results, platform, change_db),
    )


def _gain_db(platform: Platform, lufs: float | None, peak_dbtp: float | None) -> float | None:
    """Down to the target; up only on platforms that boost, and no further than their headroom allows."""
    if lufs is None or peak_dbtp is None:
        return None
    if platform.target_lufs is None:
        return 0.0
    wanted = platform.target_lufs - lufs
    if wanted <= 0:
        return wanted
    if not platform.boosts:
        return 0.0
    if platform.boost_headroom_db is None:
        return wanted
    return min(wanted, max(0.0, -platform.boost_headroom_db - peak_dbtp))


def _limiter_db(platform: Platform, gain_db: float | None, sample_peak_dbfs: float | None) -> float | None:
    """What the limiter takes off the highest sample; it is there for boosts alone."""
    if gain_db is None or sample_peak_dbfs is None:
        return None
    if platform.limiter_dbfs is None or gain_db < NO_GAIN_DB:
        return 0.0
    # A peak that was over the limiter's level before the boost is held, too.
    return max(0.0, sample_peak_dbfs + gain_db - platform.limiter_dbfs)


def _short_of(platform: Platform, ends_at_lufs: float | None) -> float | None:
    if ends_at_lufs is None:
        return None
    return 0.0 if platform.target_lufs is None else max(0.0, platform.target_lufs - ends_at_lufs)


def _coded(results: Results, platform: Platform, change_db: float) -> tuple[Coded, ...]:
    measured = results.get("coding")
    found = []
    for codec in platform.codecs:
        decoded = getattr(measured, f"{codec}_dbtp", None)
        if decoded is not None:
            found.append(Coded(codec, decoded, decoded + change_db))
    return tuple(found)


def all_platforms(settings: Settings) -> dict[str, Platform]:
    """Every platform by name: ours, changed by the workspace's settings, and the workspace's own.

    Raises:
        WrongUsage: one of the settings' lacks something, or `desk.target` names none.
    """
    tables: dict[str, dict[str, Any]] = {name: dict(table) for name, table in _builtin().items()}
    for name, changes in settings.platforms.items():
        source = {} if "source" in changes else {"source": "this workspace's settings"}
        # What a person set is theirs; what they left alone keeps its own date and source.
        is_new = name not in tables
        own = {"dated": "", "confidence": "a person's word", **source} if is_new or set(changes) - {"title"} else {}
        tables[name] = {**tables.get(name, {}), **own, **changes}
    found = {name: _platform(name, table) for name, table in tables.items()}
    if settings.desk.target not in found:
        raise WrongUsage(f"desk.target: {unknown(settings.desk.target, 'platform', found)}")
    return found


def unknown(name: str, noun: str, known: Mapping[str, object]) -> str:
    """What to say of a name that there is not."""
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(sorted(known))}."
    return f"there is no {noun} `{name}`; {hint}"


@cache
def _builtin() -> dict[str, dict[str, Any]]:
    text = files("processor.feedback").joinpath("data/platforms.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _platform(name: str, table: Mapping[str, Any]) -> Platform:
    missing = [key for key in _REQUIRED if key not in table]
    if missing:
        raise WrongUsage(f"linernotes.toml: [platforms.{name}] lacks `{missing[0]}`.")
    for key, chosen, known in (("codecs", table.get("codecs", ()), CODECS), ("unit", [table.get("unit")], UNITS)):
        for one in chosen:
            if one not in (None, *known):
                raise WrongUsage(f"linernotes.toml: platforms.{name}.{key}: `{one}` is none of {', '.join(known)}.")
    if table.get("boost_headroom_db", 0) < 0:
        raise WrongUsage(f"linernotes.toml: platforms.{name}.boost_headroom_db is not zero or more.")
    return Platform(
        name=name,
        title=table["title"],
        target_lufs=table.get("target_lufs"),
        boosts=table.get("boosts", False),
        boost_headroom_db=table.get("boost_headroom_db"),
        ceiling_dbtp=table["ceiling_dbtp"],
        codecs=tuple(table.get("codecs", ())),
        dated=table["dated"],
        confidence=table["confidence"],
        source=table["source"],
        note=table.get("note", ""),
        limiter_dbfs=table.get("limiter_dbfs"),
        loud_ceiling_dbtp=table.get("loud_ceiling_dbtp"),
        unit=table.get("unit", "track"),
    )
