"""A mashup from two songs: listen, plan, render, measure, and where that came out badly, plan and render once more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from processor.config import Limits
from processor.mashup.check import Examined, corrected, examine, is_better
from processor.mashup.listening import listen_backing, listen_voice
from processor.mashup.measured import Measured
from processor.mashup.plan import Plan, sung_later
from processor.mashup.plan_checks import validate
from processor.mashup.planner import plans
from processor.mashup.render import Rendered, render
from processor.mashup.songs import Song
from processor.mashup.wishes import Wishes

# Told what is being done, and the share of it that is done, 0 to 1.
Progress = Callable[[str, float], None]
# Chooses one of several plans, by whatever taste; returns its number, and the plan as it is to be kept.
Choice = Callable[[list[Plan]], Plan]
Songs = tuple[Song, Song]

LISTENING, RENDERING, MEASURING, AGAIN = "listening", "rendering", "measuring", "rendering once more"


@dataclass(frozen=True)
class Made:
    """A mashup.

    Attributes:
        plan: what was rendered in the end.
        rendered: how it sounds.
        measured: what it came out as.
        alternatives: the other plans that there were.
    """

    plan: Plan
    rendered: Rendered
    measured: Measured
    alternatives: tuple[Plan, ...] = ()


def propose(songs: Songs, wishes: Wishes, limits: Limits, progress: Progress) -> list[Plan]:
    """Plans for two songs, the best first.

    Args:
        songs: who sings, and who plays.
        wishes: what a person wants.
        limits: what decoding may cost.
        progress: told how far it is.

    Raises:
        LinerNotesError: a sound cannot be read, or the two cannot be put together; it says why.
    """
    progress(LISTENING, 0.0)
    voice = listen_voice(songs[0], limits, lambda share: progress(LISTENING, share / 2))
    backing = listen_backing(songs[1], limits, lambda share: progress(LISTENING, 0.5 + share / 2))
    found = plans(voice, backing, songs, wishes)
    beats = wishes.vocal_later_beats
    return [validate(sung_later(plan, beats)) for plan in found] if beats else found


def make(
    songs: Songs,
    wishes: Wishes,
    limits: Limits,
    progress: Progress = lambda stage, share: None,
    choose: Choice = lambda found: found[0],
) -> Made:
    """Plan a mashup and make it.

    Args:
        songs: who sings, and who plays.
        wishes: what a person wants.
        limits: what decoding may cost.
        progress: told how far it is.
        choose: picks one of the plans; the first, if nothing else is said.

    Raises:
        LinerNotesError: as `propose`.
    """
    found = propose(songs, wishes, limits, progress)
    chosen = choose(found)
    made = produce(chosen, songs, limits, progress)
    return replace(made, alternatives=tuple(others(found, chosen)))


def others(found: list[Plan], chosen: Plan) -> list[Plan]:
    """The plans that were not chosen, whatever was noted in the one that was."""
    return [plan for plan in found if replace(plan, chosen_by=chosen.chosen_by, reasons=chosen.reasons) != chosen]


def produce(plan: Plan, songs: Songs, limits: Limits, progress: Progress = lambda stage, share: None) -> Made:
    """Render a plan and measure it; where it measures badly and that can be mended, once more.

    Raises:
        LinerNotesError: a sound cannot be read, or the plan does not fit the songs.
    """
    made, found = _once(plan, songs, limits, progress, RENDERING)
    mended = corrected(plan, found.measured, found.offsets, found.clicks_s[0])
    if mended is None:
        return made
    again, _ = _once(mended, songs, limits, progress, AGAIN)
    return again if is_better(again.measured, made.measured) else made


def _once(plan: Plan, songs: Songs, limits: Limits, progress: Progress, stage: str) -> tuple[Made, Examined]:
    rendered = render(plan, songs, partial(progress, stage), limits)
    found = examine(plan, rendered, songs, limits, partial(progress, MEASURING))
    remarks = tuple(_remarks(plan, rendered, songs))
    measured = replace(found.measured, deviations=(*found.measured.deviations, *remarks))
    return Made(plan, rendered, measured), found


def _remarks(plan: Plan, rendered: Rendered, songs: Songs) -> Iterator[str]:
    """What no measurement tells: what was done otherwise than one might think, and sounds that are not the plan's."""
    yield from rendered.notes
    for source, song in zip((plan.vocals, plan.instrumental), songs, strict=True):
        if source.sha256 and song.sha256 and source.sha256 != song.sha256:
            yield f"The plan was made for another file than {song.title}: its beats and cuts may lie elsewhere."
        facts = song.results.get("source")
        if facts is not None and facts.partial:
            yield f"The file of {song.title} is damaged: what could not be read of it is not played."
