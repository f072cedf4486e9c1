"""Why two tracks go together or not, in words, with numbers."""

from __future__ import annotations

from processor.analysis.phrases import SHORT
from processor.feedback.advice import signed
from processor.mashup import fits
from processor.mashup._phrases import Track
from processor.mashup.plan import Fit

# A fit is called good from the first value on and poor below the second.
GOOD, POOR = 0.65, 0.4
# So much of an instrumental without stems may be sung before it is no instrumental.
MOST_SUNG = 0.1


def why_not(voice: Track, backing: Track, ratio: float | None, beats: float) -> str | None:
    """Why the vocals of one cannot go over the instrumental of the other; None where they can.

    Args:
        voice: the track that is sung.
        backing: the track that it would be sung over.
        ratio: how many times as fast the vocals would have to be played; None where a tempo is missing.
        beats: beats of the vocals for each of the instrumental's.
    """
    if voice.has_voice is False:
        return f"nobody sings in {voice.name}"
    for track in (voice, backing):
        if track.metre is None:
            return f"no beat of {track.name}: {SHORT} bars of a steady pulse are needed"
    if ratio is None or abs(ratio - 1) > fits.MOST_TEMPO_CHANGE + 1e-9:
        return _too_far(voice, backing, ratio or 0.0, beats)
    if voice.metre != backing.metre:
        return f"metre: bars of {voice.metre} beats over bars of {backing.metre}"
    return None if backing.is_apart or not backing.has_voice else _sings_itself(backing.voice_share)


def _sings_itself(share: float | None) -> str | None:
    """What a voice in an instrumental without stems forbids; `share` of the time, where it is known."""
    if share is not None and share <= MOST_SUNG:
        return None
    often = "" if share is None else f" {100 * share:.0f} % of the time"
    return f"the instrumental sings itself{often}, and there are no stems of it"


def _too_far(voice: Track, backing: Track, ratio: float, beats: float) -> str:
    tempi = f"tempo: {voice.tempo_bpm or 0:.0f} over {backing.tempo_bpm or 0:.0f} BPM"
    time = {2.0: " in double time", 0.5: " in half time"}.get(beats, "")
    return f"{tempi} needs {_percent(ratio)}{time}, over {100 * fits.MOST_TEMPO_CHANGE:.0f} %"


def why(voice: Track, backing: Track, fit: Fit, change: tuple[float, float, int]) -> tuple[str, ...]:
    """What speaks for a pair and against it, pitches first.

    Args:
        voice: the track that is sung.
        backing: the track that it is sung over.
        fit: how well.
        change: how many times as fast the vocals are played, their beats for each of the instrumental's, their shift.
    """
    ratio, beats, shift = change
    found = [_pitches(fit, shift), _tempo(voice, backing, ratio, beats)]
    if fit.rhythmic is not None:
        found.append(f"accents {_word(fit.rhythmic)} ({fit.rhythmic:.2f})")
    if fit.room is not None:
        found.append(f"room for the vocals' spectrum {_word(fit.room)} ({fit.room:.2f})")
    if fit.energy is not None:
        found.append(f"loud and quiet parts {_word(fit.energy)} ({fit.energy:.2f})")
    return (*found, *_voices(voice, backing, fit))


def _pitches(fit: Fit, shift: int) -> str:
    moved = f"shifted {signed(shift, 0)} semitone{'' if abs(shift) == 1 else 's'}" if shift else "unshifted"
    if fit.harmonic is None:
        return "no pitch to compare: what is spoken or drummed fits any key"
    return f"pitches {_word(fit.harmonic)} ({fit.harmonic:.2f}), {moved}"


def _tempo(voice: Track, backing: Track, ratio: float, beats: float) -> str:
    time = {2.0: ", two beats for each", 0.5: ", half a beat for each"}.get(beats, "")
    heard = "hardly heard" if abs(ratio - 1) <= fits.FREE_TEMPO else "heard"
    change = "as it is" if abs(ratio - 1) < 5e-4 else f"{_percent(ratio)}, which is {heard}"
    return f"tempo {voice.tempo_bpm or 0:.0f} over {backing.tempo_bpm or 0:.0f} BPM: {change}{time}"


def _voices(voice: Track, backing: Track, fit: Fit) -> list[str]:
    """What is known of the voices on both sides, and what is not."""
    found = []
    if fit.overlap is not None and fit.overlap < 1 - 0.01:
        found.append(f"another voice at the same time {100 * (1 - fit.overlap):.0f} % of the time")
    if voice.has_voice is None:
        found.append(f"whether somebody sings in {voice.name} is not known: no model was there to tell")
    if not voice.is_apart:
        found.append("the vocals were heard in the mix, for lack of stems: less sure")
    if not backing.is_apart and backing.has_voice is not False:
        found.append("the instrumental was heard in the mix, for lack of stems: less sure")
    if fit.overlap is None:
        found.append(f"whether {backing.name} sings itself is not known")
    return found


def _word(fit: float) -> str:
    return "good" if fit >= GOOD else "fair" if fit >= POOR else "poor"


def _percent(ratio: float) -> str:
    """A change of tempo: "+2.5 %"."""
    return f"{signed(100 * (ratio - 1))} %"
