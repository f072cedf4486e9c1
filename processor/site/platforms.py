"""What becomes of a track where it is played, as its page shows it: "hear the penalty"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from processor.site.charts.frame import plain_text
from processor.site.rendering import NOTHING, text_of

if TYPE_CHECKING:
    from processor.feedback.platforms import Coded, Outcome, Platform

CODECS = {"aac": "AAC", "opus": "Opus", "vorbis": "Vorbis", "mp3": "MP3"}
FULL_SCALE_DBTP = 0.0


@dataclass(frozen=True)
class Peak:
    """A true peak as text, and what there is to say against it: "clips", or nothing."""

    text: str
    remark: str


@dataclass(frozen=True)
class PlatformRow:
    """What one platform does to the track.

    Attributes:
        platform: its name, and where its numbers come from.
        is_target: whether the track is judged for it.
        gain: what it applies: "−4.2".
        ends_at: the loudness that it is heard at.
        short: how far that is under what the platform aims at, in words; empty if it is not.
        limiter: how much its limiter takes off, or a dash.
        asked: the highest true peak that it asks for, and whether the file is over that.
        peak: true peak after gain and limiter.
        coded: the same after each of `Platforms.codecs`; None where it does not use that.
        volume_db: what the player does to let it be heard, 0 or less; None where the gain is not known.
        words: the same in words.
    """

    platform: Platform
    is_target: bool
    gain: str
    ends_at: str
    short: str
    limiter: str
    asked: Peak
    peak: Peak
    coded: tuple[Peak | None, ...]
    volume_db: float | None
    words: str


@dataclass(frozen=True)
class Platforms:
    """The table of platforms.

    Attributes:
        rows: in the order of the platforms.
        codecs: names of the codings that any of them uses.
        lowered_db: how much lower than on the platforms all is heard in the player.
        plain_db: the volume at which the file itself is heard beside them.
        is_limited: whether a limiter works anywhere, which the player does not imitate.
        has_sound: whether there is a player to hear it in.
    """

    rows: tuple[PlatformRow, ...]
    codecs: tuple[str, ...]
    lowered_db: float
    plain_db: float
    is_limited: bool
    has_sound: bool


def platforms_context(outcomes: Sequence[Outcome], target: Platform, *, has_sound: bool) -> Platforms:
    """Prepare the table of platforms, with volumes at which the player lets their differences be heard.

    A browser can turn a sound down but not up. So the highest gain of all, if any platform turns the track up, is
    played at full volume, and everything else lower by as much as it is lower there: the differences are right.

    Args:
        outcomes: what each platform does.
        target: where the track is going.
        has_sound: whether the page has a player.
    """
    gains = [one.gain_db for one in outcomes if one.gain_db is not None]
    lowered_db = max([0.0, *gains])
    used = [codec for codec in CODECS if any(codec in one.coded_peak_dbtp for one in outcomes)]
    return Platforms(
        rows=tuple(_row(one, used, lowered_db, target) for one in outcomes),
        codecs=tuple(CODECS[codec] for codec in used),
        lowered_db=lowered_db,
        plain_db=_volume(0.0, lowered_db),
        is_limited=any(one.is_limited for one in outcomes),
        has_sound=has_sound,
    )


def _row(one: Outcome, used: Sequence[str], lowered_db: float, target: Platform) -> PlatformRow:
    over = f"{plain_text(one.over_ceiling_db)} over" if _shows(one.over_ceiling_db) else ""
    coded = {each.codec: each for each in one.coded}
    return PlatformRow(
        platform=one.platform,
        is_target=one.platform.name == target.name,
        gain=NOTHING if one.gain_db is None else _signed(one.gain_db),
        ends_at=text_of(one.ends_at_lufs, 1),
        short=_short(one),
        limiter=_signed(-one.limiter_db) if _shows(one.limiter_db) else NOTHING,
        asked=Peak(plain_text(one.ceiling_dbtp), over),
        peak=Peak(text_of(one.peak_dbtp, 1), "clips" if (one.peak_dbtp or 0.0) > FULL_SCALE_DBTP else ""),
        coded=tuple(_coded(coded[codec]) if codec in coded else None for codec in used),
        volume_db=None if one.gain_db is None else _volume(one.gain_db, lowered_db),
        words="" if one.gain_db is None else _gain_words(one.gain_db),
    )


def _short(one: Outcome) -> str:
    target_lufs = one.platform.target_lufs
    if target_lufs is None or not _shows(one.short_of_lu):
        return ""
    return f"{plain_text(one.short_of_lu)} under its {plain_text(target_lufs)}"


def _shows(db: float | None) -> TypeGuard[float]:
    """Whether a number of dB is more than 0.0 when it is written."""
    return db is not None and round(db, 1) > 0


def _volume(gain_db: float, lowered_db: float) -> float:
    return round(gain_db - lowered_db, 2) + 0.0


def _coded(one: Coded) -> Peak:
    """A gain after the decoder saves what it hands on as floats; one that hands on whole numbers has clipped it."""
    if one.clips:
        return Peak(text_of(one.played_dbtp, 1), "clips")
    if one.clips_in_decoder:
        return Peak(text_of(one.played_dbtp, 1), f"{_signed(one.decoded_dbtp)} in the decoder")
    return Peak(text_of(one.played_dbtp, 1), "")


def _signed(db: float) -> str:
    """A gain as one reads it on a fader: "−4.2", "+1.0", "0.0"."""
    text = plain_text(db)
    return f"+{text}" if round(db, 1) > 0 else text


def _gain_words(gain_db: float) -> str:
    if abs(gain_db) < 0.05:
        return "as loud as the file"
    return f"{plain_text(abs(gain_db))} dB {'louder' if gain_db > 0 else 'quieter'} than the file"
