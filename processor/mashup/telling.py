"""What a plan says for itself, in sentences for a DJ: what was decided and why, and what was left out."""

from __future__ import annotations

import numpy as np

from processor.files import printable
from processor.mashup.drafts import Draft, Sides, is_sure_of_tempo
from processor.mashup.lanes import PHRASE_BARS, beat_count
from processor.mashup.listening import UNHEARD
from processor.mashup.paces import is_relative
from processor.mashup.plan import Rejection
from processor.mashup.songs import BARE_SUB_DB, FULL_MIX, NO_VOICE, Song, supplied_kind

# The tempo of a whole song is unsure under that.
SURE_TEMPO = 0.5
# No voice alone has its sub so near to its mids, and none strikes so hard: the attacks of 6 stems of drums are 17 to
# 36 dB strong; 6 vocals have 4 to 13 dB, and their sub 14 to 44 dB under their mids.
DEEP_BASS_DB, STRIKES_DB = 10.0, 15.0
SHOWN_LEFT_OUT, SHOWN_CHARACTERS = 12, 60
SEPARATE_VOICES = 0.05
MOST_TITLE = 120


def title_of(song: Song) -> str:
    """What a song is called in plans."""
    return printable(" ".join(song.title.split()))[:MOST_TITLE] or "an unnamed song"


def told(sides: Sides, draft: Draft) -> tuple[str, ...]:
    """Why it was planned like this; what may be wrong with the vocals as a whole comes first."""
    found = [*_unsung(sides.songs[0]), *_other_tempo(sides, draft), *draft.shift.reasons, *draft.pace.reasons]
    return (*found, *_beats(sides, draft), _form(draft), *draft.notes, _others(sides, draft))


def _unsung(song: Song) -> list[str]:
    """That nobody is heard singing in the vocals, or others play in them, too."""
    if song.is_whole_song:
        vocals = song.results.get("vocals")
        if vocals is None or vocals.present is not False:
            return []
        sure = "" if vocals.confidence is None else f" (sure by {vocals.confidence:.0%})"
        return [
            f"Warning: models hear nobody sing in {title_of(song)}{sure}. What is played as its vocals may be an "
            "instrument that leaked into their stem."
        ]
    kind, why = supplied_kind(song.results)
    but = None
    if kind == NO_VOICE:
        but = "it does not sound like a voice"
    elif kind == FULL_MIX:
        but = "it sounds like a whole song with its instruments"
    elif kind is None and _is_band(song):
        but = "a voice alone does not strike like drums, nor has it such a deep bass"
    return [f"Warning: {title_of(song)} is played as vocals, but {but}: {why}."] if but else []


def _is_band(song: Song) -> bool:
    """Whether drums or basses may play in what was supplied as a voice, and no model has heard one."""
    spectrum, vocals = song.results.get("spectrum"), song.results.get("vocals")
    sub, mids = getattr(spectrum, "sub_db", None), getattr(spectrum, "mids_db", None)
    is_heard = vocals is not None and vocals.present
    if is_heard or sub is None or mids is None:
        return False
    strikes_db = getattr(song.results.get("transients"), "attack_strength_db", None) or 0.0
    return bool(mids - sub < (BARE_SUB_DB if strikes_db >= STRIKES_DB else DEEP_BASS_DB))


def _other_tempo(sides: Sides, draft: Draft) -> list[str]:
    """That the vocals are taken at another tempo than the one that was heard."""
    heard, taken = sides.voice.sound.grid, draft.bars.grid
    if heard is None or is_relative(taken, heard):
        return []
    sureness = sides.voice.sound.grid_confidence or 0.0
    return [
        f"Warning: the vocals sound like {heard.tempo_bpm:.2f} BPM, but only a voice was heard, and that is not sure "
        f"({sureness:.0%}). It is too far from the instrumental, so they are taken at {taken.tempo_bpm:.2f} BPM, which "
        "they may have instead. If that is wrong, they run off the beat: say their tempo with `--vocal-tempo BPM`."
    ]


def _beats(sides: Sides, draft: Draft) -> list[str]:
    sound, metre = sides.voice.sound, sides.tune.metre
    found = []
    is_whole = sides.songs[0].is_whole_song
    is_sure = (sound.grid_confidence or 0.0) >= SURE_TEMPO if is_whole else is_sure_of_tempo(sides)
    if not is_sure and not _other_tempo(sides, draft):
        found.append(
            f"Warning: the vocals' tempo is not sure ({sound.grid_confidence or 0:.0%}; {sound.grid_from}). Listen "
            "whether they stay on the beat; `--vocal-tempo` or `linernotes set TRACK tempo_bpm=…` says it."
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
