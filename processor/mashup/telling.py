"""What a plan says for itself, in sentences for a DJ: what was decided and why, and what was left out."""

from __future__ import annotations

import numpy as np

from processor.mashup.drafts import Draft, Sides
from processor.mashup.lanes import PHRASE_BARS, beat_count
from processor.mashup.listening import UNHEARD
from processor.mashup.plan import Rejection

# Tempo of the vocals is unsure under that.
SURE_TEMPO = 0.5
SHOWN_LEFT_OUT, SHOWN_CHARACTERS = 12, 60
SEPARATE_VOICES = 0.05


def told(sides: Sides, draft: Draft) -> tuple[str, ...]:
    """Why it was planned like this."""
    found = [*draft.shift.reasons, *draft.pace.reasons, *_beats(sides), _form(draft), *draft.notes]
    return (*found, _others(sides, draft))


def _beats(sides: Sides) -> list[str]:
    sound, metre = sides.voice.sound, sides.tune.metre
    found = []
    if sound.grid_confidence is not None and sound.grid_confidence < SURE_TEMPO:
        found.append(
            f"Warning: the vocals' tempo is not sure ({sound.grid_confidence:.0%}; {sound.grid_from}). Listen whether "
            "they stay on the beat; `--vocal-tempo` or `linernotes set TRACK tempo_bpm=…` says it."
        )
    if sides.grid.metre % metre and metre % sides.grid.metre:
        found.append(
            f"Warning: the vocals have {sides.grid.metre} beats a bar, the instrumental {metre}; "
            "their bars do not meet."
        )
    return found


def _form(draft: Draft) -> str:
    laid = draft.laid
    sung = np.flatnonzero(laid.bars >= 0).tolist()
    fresh = [number for number in sung if laid.is_anew[number]]
    on_phrase = sum(_meets(draft, number) for number in fresh)
    return (
        f"{len(sung)} of {len(draft.phrases)} phrases are sung, {laid.sung_share:.0%} of the vocals. Beginning anew: "
        f"{len(fresh)}, of them in step with the instrumental's phrases of four bars: {on_phrase}. At their own "
        f"distance from the one before: {len(sung) - len(fresh)}."
    )


def _meets(draft: Draft, number: int) -> bool:
    """Whether a phrase lies in the instrumental's phrases of four bars as in those of its own song, or begins one."""
    column = int(draft.ground.lane.columns[draft.laid.bars[number]])
    return (int(draft.ground.tune.phrase[column]) - (draft.phrases[number].place or 0)) % PHRASE_BARS == 0


def _others(sides: Sides, draft: Draft) -> str:
    """What is known of other voices."""
    voices = sides.backing.voices_from
    shared = [
        phrase.label
        for phrase, share, bar in zip(draft.phrases, draft.laid.shared, draft.laid.bars, strict=True)
        if bar >= 0 and share > SEPARATE_VOICES
    ]
    if voices == UNHEARD:
        return f"Whether others sing at the same time is not known: {voices}."
    if not shared:
        return f"No other voice sings at the same time ({voices})."
    listed = ", ".join(shared[:SHOWN_LEFT_OUT])
    return f"Warning: others sing at the same time under {listed} ({voices})."


def reason_of(draft: Draft, number: int) -> str:
    """Why a phrase is sung where it is, and how its words begin."""
    text = draft.phrases[number].text
    begins = text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1].rstrip()}…"
    return _why(draft, number) + (f" “{begins}”" if begins else "")


def _why(draft: Draft, number: int) -> str:
    bar = int(draft.laid.bars[number])
    ground = draft.ground
    column = int(ground.lane.columns[bar])
    role = ground.tune.roles[column]
    over = f" of the {role}" if role else ""
    fit = f"fit {draft.laid.fits[number]:.2f}"
    if not draft.laid.is_anew[number]:
        return f"At its own distance from the phrase before, over bar {column + 1}{over}; {fit}."
    if _meets(draft, number):
        what = (
            "Its bars in step with the instrumental's phrases"
            if draft.phrases[number].place
            else "Where a phrase begins"
        )
        return f"{what}, at bar {column + 1}{over}; {fit}."
    return f"At bar {column + 1}{over}, where it has room; {fit}."


def left_out(draft: Draft) -> tuple[Rejection, ...]:
    """Phrases that are not sung, and why."""
    missing = [
        (number, phrase)
        for number, (phrase, bar) in enumerate(zip(draft.phrases, draft.laid.bars.tolist(), strict=True))
        if bar < 0
    ]
    total = beat_count(draft.ground.tune, draft.ground.lane) / draft.ground.tune.metre
    sings = draft.ground.voiced[-1] > 0 and not draft.ground.may_share
    found = []
    for number, phrase in missing[:SHOWN_LEFT_OUT]:
        is_end = not (draft.laid.bars[number:] >= 0).any()
        why = "no place in song order that leaves the other phrases theirs"
        if is_end and not sings:
            why = f"the instrumental ends before it, after {total:.0f} bars"
        elif sings:
            why = "no place in song order where nobody else sings"
        found.append(Rejection(phrase.label, f"{why} ({phrase.bars} bar{'s' if phrase.bars > 1 else ''})."))
    if len(missing) > SHOWN_LEFT_OUT:
        found.append(Rejection(f"{len(missing) - SHOWN_LEFT_OUT} more phrases", "left out for the same reasons."))
    return tuple(found)
