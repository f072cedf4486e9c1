"""Where a render did not come out as planned, in sentences with what was planned and what was measured."""

from __future__ import annotations

from collections.abc import Iterator

from processor.analysis.key import KEYS, compatible, parse_key
from processor.feedback.advice import signed
from processor.files import printable
from processor.mashup.limiting import MOST_DB
from processor.mashup.measured import Measured
from processor.mashup.offsets import Offsets, Section
from processor.mashup.plan import Plan

# Within this share two tempi are one: beats of 120 and of 122.4 BPM are a whole beat apart after half a minute.
SAME_TEMPO = 0.02
# What a listener may count in the place of the beat.
RELATIVES = {0.5: "half", 2.0: "twice", 2 / 3: "two thirds", 1.5: "one and a half times"}
EQUAL = (0.5, 2.0)
# Layers farther apart than this are heard one after the other (order of two onsets, Hirsh 1959: about 20 ms).
MOST_APART_MS = 20.0
LOUDNESS_LU, PEAK_DB, RATIO_LU = 0.5, 0.05, 1.5
# Under this the key of a mix is a guess, and a guess is no deviation.
SURE_OF_KEY = 0.5
# Consonants live in the high mids; so far under the backing they are not understood any more.
LEAST_WORDS_DB, HIGH_MIDS = -6.0, 4
# Attacks that have lost more than this sound blurred.
LEAST_SHARP = 0.7
MOST_SECTIONS = 5


def deviations(
    plan: Plan, measured: Measured, offsets: Offsets, clicks_s: tuple[tuple[float, ...], tuple[float, ...]]
) -> tuple[str, ...]:
    """What is not as planned, the gravest first.

    Args:
        plan: what was wanted.
        measured: what came out.
        offsets: the same of the beats, by section.
        clicks_s: joins that click, of the vocals and of the backing.
    """
    return (
        *_beats(measured, offsets),
        *_tempo(plan, measured),
        *_key(plan, measured),
        *_levels(plan, measured),
        *_clicks(measured, clicks_s),
        *_words(measured),
    )


def _beats(measured: Measured, offsets: Offsets) -> Iterator[str]:
    median = measured.beat_offset_median_ms
    if median is not None and median > MOST_APART_MS:
        yield f"The beats of both layers lie {median:.0f} ms apart (median); at most {MOST_APART_MS:.0f} are wanted."
    far = [one for one in offsets.sections if one.offset_ms is not None and abs(one.offset_ms) > MOST_APART_MS]
    for one in far[:MOST_SECTIONS]:
        yield _section(one, one.offset_ms or 0.0)
    if len(far) > MOST_SECTIONS:
        yield f"So do {len(far) - MOST_SECTIONS} more sections."


def _section(section: Section, offset_ms: float) -> str:
    which = "late" if offset_ms > 0 else "early"
    name = printable(section.label) or "a section"
    return f"In {name} at {_clock(section.start_s)} the vocals are {abs(offset_ms):.0f} ms {which}."


def _tempo(plan: Plan, measured: Measured) -> Iterator[str]:
    heard, planned = measured.tempo_bpm, plan.tempo_bpm
    if heard is None:
        yield f"No tempo is heard in the mix; {planned:.1f} BPM were planned."
        return
    if _is_near(heard / planned, 1.0):
        return
    said = f"{heard:.1f} BPM are heard where {planned:.1f} were planned"
    relative = next((share for share in RELATIVES if _is_near(heard / planned, share)), None)
    if relative in EQUAL:
        yield f"{said}: {RELATIVES[relative]} the tempo, which counts as equal."
    elif relative is not None:
        yield f"{said}: {RELATIVES[relative]} of it, another way to count the same beats."
    else:
        yield f"{said}: {signed(100 * (heard / planned - 1))} %."


def _is_near(ratio: float, share: float) -> bool:
    return abs(ratio / share - 1) <= SAME_TEMPO


def _key(plan: Plan, measured: Measured) -> Iterator[str]:
    heard = measured.key
    planned = shifted(plan.instrumental.key, plan.instrumental_shift_semitones)
    sung = shifted(plan.vocals.key, plan.vocal_shift_semitones)
    wanted = {name for one in (planned, sung) if one is not None for name in compatible(one)}
    if heard is None or not wanted or heard in wanted or (measured.key_confidence or 0.0) < SURE_OF_KEY:
        return
    voices = f" and {sung} of the vocals" if sung is not None and sung != planned else ""
    yield f"{heard} is heard, which is not near {planned or 'the keys'} of the instrumental{voices}, as planned."


def shifted(name: str | None, semitones: float) -> str | None:
    """A key moved by semitones, to the nearest whole one; None where there is none."""
    if name is None:
        return None
    try:
        place = KEYS.index(parse_key(name))
    except ValueError:
        return None
    return KEYS[(place % 12 + round(semitones)) % 12 + place // 12 * 12]


def _levels(plan: Plan, measured: Measured) -> Iterator[str]:
    lufs, peak, ratio = measured.integrated_lufs, measured.true_peak_dbtp, measured.vocal_to_backing_lu
    if lufs is None:
        yield f"The mix is too quiet to have a loudness; {signed(plan.target_lufs)} LUFS were planned."
    elif abs(lufs - plan.target_lufs) > LOUDNESS_LU:
        is_full = lufs < plan.target_lufs and measured.limiter_db > MOST_DB - PEAK_DB
        why = f": more would take over {MOST_DB:.0f} dB from the highest peak" if is_full else ""
        yield f"Its loudness is {signed(lufs)} LUFS; {signed(plan.target_lufs)} were planned{why}."
    if peak is not None and peak > plan.ceiling_dbtp + PEAK_DB:
        yield f"Its true peak is {signed(peak, 2)} dBTP; the ceiling is {signed(plan.ceiling_dbtp, 2)}."
    if ratio is not None and abs(ratio - plan.vocal_to_backing_lu) > RATIO_LU:
        wanted = signed(plan.vocal_to_backing_lu)
        yield f"While they sing, the vocals are {signed(ratio)} LU over the backing; {wanted} were planned."


def _clicks(measured: Measured, clicks_s: tuple[tuple[float, ...], tuple[float, ...]]) -> Iterator[str]:
    if measured.clicks_at_joins == 0:
        return
    for name, found in zip(("vocals", "backing"), clicks_s, strict=True):
        if found:
            places = ", ".join(_clock(at) for at in found[:MOST_SECTIONS])
            more = f" and {len(found) - MOST_SECTIONS} more" if len(found) > MOST_SECTIONS else ""
            yield f"The {name} click where they are joined, at {places}{more}; no join should be heard."


def _words(measured: Measured) -> Iterator[str]:
    ratios = measured.band_ratios_db
    high_mids = ratios[HIGH_MIDS] if len(ratios) > HIGH_MIDS else None
    if high_mids is not None and high_mids < LEAST_WORDS_DB:
        yield (
            f"Between 2 and 6 kHz the vocals are {signed(high_mids)} dB over the backing; under "
            f"{signed(LEAST_WORDS_DB)} words are hard to follow."
        )
    kept = measured.onset_sharpness_kept
    if kept is not None and kept < LEAST_SHARP:
        limit = f"under {100 * LEAST_SHARP:.0f} % they blur"
        yield f"The vocals' onsets have kept {100 * kept:.0f} % of their sharpness; {limit}."


def _clock(seconds: float) -> str:
    """Minutes and seconds, the seconds with a digit behind the point."""
    tenths = round(10 * max(0.0, seconds))
    return f"{tenths // 600}:{tenths % 600 / 10:04.1f}"
