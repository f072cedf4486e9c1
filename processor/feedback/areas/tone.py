"""Tonal balance: what there is too much or too little of, and the equaliser that would put it right."""

from __future__ import annotations

from collections.abc import Iterator

from processor.feedback.advice import (
    BANDS,
    TOO_LITTLE,
    TOO_MUCH,
    Advice,
    Evidence,
    Mix,
    Step,
    evidence,
    hz_text,
    signed,
)
from processor.feedback.areas._findings import finding, strength
from processor.feedback.areas._spectra import (
    HIGH_SHELF,
    LOW_SHELF,
    NO_TOP_HZ,
    RING,
    TILT,
    TILT_OCTAVES,
    Move,
    faults,
    is_boom,
    low_end_corner_hz,
    most,
    top_corner_hz,
    two_digits,
)
from processor.feedback.rules import rule

CORRIDOR = (
    "the profile's corridor and the spectrum's own neighbouring third-octaves, which go together as measured on 60 "
    "recordings; a step is 1.5 dB, under which a deviation is fine (mixing practice)"
)
TOP = "hearing practice: cymbals, breath and consonants live above 8 kHz; measured on 60 recordings: 3 lack it"
BALANCED = "no deviation by a step of 1.5 dB or more beyond what such music strays"

MOST_DB = 6.0  # as far as one corrects a mix with an equaliser; beyond it the mix itself is wrong
TOP_STEP_HZ = 2000.0
RING_Q = 6.0

# Band and direction → up to which centre frequency, title, what one hears.
_WORDS: dict[tuple[str, str], tuple[tuple[float, str, str], ...]] = {
    ("sub", TOO_MUCH): ((60, "Too much sub", "The very bottom eats headroom and pumps limiters."),),
    ("sub", TOO_LITTLE): ((60, "Little sub", "The bottom octave is missing: big systems will have nothing to move."),),
    ("bass", TOO_MUCH): (
        (160, "Bottom-heavy", "Bass covers the rest; on small speakers the limiter works for nothing."),
        (250, "Muddy", "The upper bass piles up: bass, guitars and the chest of voices blur into one."),
    ),
    ("bass", TOO_LITTLE): (
        (160, "Light in the bass", "The mix has no foundation: kick and bass do not carry it."),
        (250, "Lean", "The upper bass is hollow: kick, bass and low voices have no body."),
    ),
    ("low_mids", TOO_MUCH): ((500, "Muddy", "The low mids pile up: voices and guitars lose their outline."),),
    ("low_mids", TOO_LITTLE): ((500, "Thin", "There is a hole where body and warmth sit."),),
    ("mids", TOO_MUCH): (
        (800, "Boxy", "It sounds as if it came out of a cardboard box."),
        (2000, "Nasal", "It honks, like a telephone: the mids push forward and tire the ear."),
    ),
    ("mids", TOO_LITTLE): (
        (2000, "Scooped mids", "Voices and lead instruments step back; small speakers play little."),
    ),
    ("high_mids", TOO_MUCH): (
        (5000, "Harsh", "It bites where the ear is most sensitive, the more the louder one listens."),
        (6000, "Edgy", "Attacks are all edge: picks, sticks and consonants jump out."),
    ),
    ("high_mids", TOO_LITTLE): ((6000, "Lacks presence", "Attacks and words stay behind a curtain."),),
    ("air", TOO_MUCH): (
        (7500, "Sibilant", "Esses and cymbals sting."),
        (10_000, "Brittle", "The top is glassy: cymbals and esses stand apart from the music."),
        (20_000, "Too much air", "The top hisses and fizzes above the music."),
    ),
    ("air", TOO_LITTLE): ((20_000, "Dull", "The top is closed: cymbals, breath and room are missing."),),
}


@rule(CORRIDOR)
def sub_too_much(mix: Mix) -> Iterator[Advice]:
    """More below 60 Hz than such music has."""
    yield from _band(mix, "sub", TOO_MUCH)


@rule(CORRIDOR)
def sub_too_little(mix: Mix) -> Iterator[Advice]:
    """Less below 60 Hz than such music has."""
    yield from _band(mix, "sub", TOO_LITTLE)


@rule(CORRIDOR)
def bass_too_much(mix: Mix) -> Iterator[Advice]:
    """More in 60 to 250 Hz than such music has, other than a boom."""
    yield from _band(mix, "bass", TOO_MUCH)


@rule(CORRIDOR)
def bass_too_little(mix: Mix) -> Iterator[Advice]:
    """Less in 60 to 250 Hz than such music has, where there is a low end at all."""
    yield from _band(mix, "bass", TOO_LITTLE)


@rule(CORRIDOR)
def low_mids_too_much(mix: Mix) -> Iterator[Advice]:
    """Mud: more in 250 to 500 Hz than such music, or the rest of this mix, has."""
    yield from _band(mix, "low_mids", TOO_MUCH)


@rule(CORRIDOR)
def low_mids_too_little(mix: Mix) -> Iterator[Advice]:
    """Thin: less in 250 to 500 Hz than such music, or the rest of this mix, has."""
    yield from _band(mix, "low_mids", TOO_LITTLE)


@rule(CORRIDOR)
def mids_too_much(mix: Mix) -> Iterator[Advice]:
    """Boxy or nasal: more in 500 Hz to 2 kHz than such music, or the rest of this mix, has."""
    yield from _band(mix, "mids", TOO_MUCH)


@rule(CORRIDOR)
def mids_too_little(mix: Mix) -> Iterator[Advice]:
    """Scooped: less in 500 Hz to 2 kHz than such music, or the rest of this mix, has."""
    yield from _band(mix, "mids", TOO_LITTLE)


@rule(CORRIDOR)
def high_mids_too_much(mix: Mix) -> Iterator[Advice]:
    """Harsh or edgy: more in 2 to 6 kHz than such music, or the rest of this mix, has."""
    yield from _band(mix, "high_mids", TOO_MUCH)


@rule(CORRIDOR)
def high_mids_too_little(mix: Mix) -> Iterator[Advice]:
    """No presence: less in 2 to 6 kHz than such music, or the rest of this mix, has."""
    yield from _band(mix, "high_mids", TOO_LITTLE)


@rule(CORRIDOR)
def air_too_much(mix: Mix) -> Iterator[Advice]:
    """Sibilant, brittle or hissing: more above 6 kHz than such music has."""
    yield from _band(mix, "air", TOO_MUCH)


@rule(CORRIDOR)
def air_too_little(mix: Mix) -> Iterator[Advice]:
    """Dull: less above 6 kHz than such music has, where there is a top at all."""
    yield from _band(mix, "air", TOO_LITTLE)


@rule(CORRIDOR)
def resonance(mix: Mix) -> Iterator[Advice]:
    """A ring: a narrow resonance that sticks out of its neighbours."""
    for move in faults(mix):
        if move.shape.kind != RING or move.shape.band is None:
            continue
        hz = two_digits(move.shape.frequency_hz)
        yield finding(
            f"tone.resonance.{move.shape.band}.too_much",
            move.weight,
            f"Rings at {hz_text(hz)}",
            f"Something narrow stands {move.gain_db:.0f} dB out of its neighbours around {hz_text(hz)}: a room, a "
            "drum, a filter, or one note that never stops.",
            [third_octave(mix, move)],
            steps=[
                Step("bell", _limited(-move.gain_db), hz, RING_Q, note="sweep it to find the note, or make it dynamic")
            ],
            most=most(mix, move),
        )


@rule(CORRIDOR)
def brightness(mix: Mix) -> Iterator[Advice]:
    """The whole spectrum leans: too bright or too dark from end to end."""
    for move in faults(mix):
        if move.shape.kind != TILT:
            continue
        is_bright = move.gain_db > 0
        tilt = mix.get("spectrum.tilt_db_per_octave")
        usual = "" if tilt is None else f"about {signed(tilt - move.gain_db / TILT_OCTAVES)}"
        yield finding(
            f"tone.brightness.{'too_much' if is_bright else 'too_little'}",
            move.weight,
            "Too bright" if is_bright else "Too dark",
            f"The whole spectrum leans: from 1 to 8 kHz it {'gains' if is_bright else 'loses'} "
            f"{abs(move.gain_db):.1f} dB on what {mix.profile.title} does. No single band is wrong.",
            [evidence(mix, "spectrum.tilt_db_per_octave", usual, CORRIDOR)],
            steps=[
                Step("low shelf", _limited(move.gain_db / 2), 250.0, 0.5),
                Step("high shelf", _limited(-move.gain_db / 2), 4000.0, 0.5, note="a tilt equaliser does both at once"),
            ],
            most=most(mix, move),
        )


@rule(TOP)
def no_top(mix: Mix) -> Iterator[Advice]:
    """Nothing sounds above 8 to 10 kHz, although the file could hold it."""
    end_hz = top_corner_hz(mix)
    if end_hz is None:
        return
    corner = hz_text(two_digits(end_hz))
    yield finding(
        "tone.no_top.air.too_little",
        2 + (NO_TOP_HZ - end_hz) / TOP_STEP_HZ,
        "No top at all",
        f"Next to nothing sounds above {corner}, although the file could hold it. An equaliser "
        "finds nothing to raise there: a low-pass, a low sample rate or a poor source is in the way.",
        [
            evidence(mix, "spectrum.bandwidth_hz", f"≥ 12000, and no fall before it; here one at {corner}", TOP),
            evidence(mix, "source.sample_rate_hz", f"holds up to {mix.get('source.sample_rate_hz') / 2:.0f} Hz", TOP),
        ],
        steps=[
            Step("repair", note="look for a low-pass on the mix bus, or for a source at a low sample or bit rate"),
            Step("high shelf", 3.0, 6000.0, 0.7, note="with an exciter, only if there is no better source"),
        ],
    )


@rule(BALANCED)
def balanced(mix: Mix) -> Iterator[Advice]:
    """No band leaves its corridor, and nothing sticks out far."""
    tone = mix.tone
    if tone is None or set(BANDS) - set(tone.bands_db) or any(tone.bands_outside_db.values()):
        return
    if any(move.weight >= 1 for move in faults(mix)):
        return
    furthest = max(tone.bands_db, key=lambda band: abs(tone.bands_db[band]))
    level = mix.get(f"spectrum.{furthest}_db")
    if level is None:
        return
    middle = level - tone.bands_db[furthest]
    limit = f"{signed(middle)} is the middle of {mix.profile.title}: of all bands this one strays most"
    yield strength(
        "tone.balanced",
        "Balanced spectrum",
        f"From sub to air it lies where {mix.profile.title} lies, and nothing sticks out far.",
        [evidence(mix, f"spectrum.{furthest}_db", limit, mix.profile.source)],
    )


def _band(mix: Mix, band: str, direction: str) -> Iterator[Advice]:
    """Advice on what is too much or too little of one of the six bands."""
    for move in faults(mix):
        is_it = move.shape.band == band and (move.gain_db > 0) == (direction == TOO_MUCH)
        if is_it and move.shape.kind != RING and not _is_told_elsewhere(mix, move):
            yield _advice(mix, move, band, direction)


def _is_told_elsewhere(mix: Mix, move: Move) -> bool:
    """Whether a rule with a better word for it tells it: a boom, no low end at all, no top at all."""
    if move.shape.band == "air" and top_corner_hz(mix) is not None:
        return True
    if move.gain_db > 0:
        return is_boom(move)
    return move.shape.band in ("sub", "bass") and low_end_corner_hz(mix) is not None


def _advice(mix: Mix, move: Move, band: str, direction: str) -> Advice:
    hz = two_digits(move.shape.frequency_hz)
    title, heard = _words(move, band, direction)
    over = "over" if direction == TOO_MUCH else "under"
    where = {LOW_SHELF: "below", HIGH_SHELF: "above"}.get(move.shape.kind, "around")
    return finding(
        f"tone.{band}.{direction.replace(' ', '_')}",
        move.weight,
        f"{title} {where} {hz_text(hz)}",
        f"{heard} {where.capitalize()} {hz_text(hz)} it lies {abs(move.gain_db):.1f} dB {over} what "
        f"{mix.profile.title} and the rest of this mix let one expect.",
        [third_octave(mix, move), *_band_level(mix, band)],
        steps=_steps(move, hz),
        most=most(mix, move),
    )


def _words(move: Move, band: str, direction: str) -> tuple[str, str]:
    """Title, and what one hears."""
    words = _WORDS[band, direction]
    hz = {LOW_SHELF: 0.0, HIGH_SHELF: float("inf")}.get(move.shape.kind, move.shape.frequency_hz)
    return next((word[1:] for word in words if hz < word[0]), words[-1][1:])


def _steps(move: Move, hz: float) -> tuple[Step, ...]:
    gain = _limited(-move.gain_db)
    note = ""
    if move.shape.band == "air" and move.gain_db > 0 and move.shape.kind != HIGH_SHELF:
        note = "or a de-esser there, if it is only the esses"
    elif abs(move.gain_db) > MOST_DB:
        note = "as far as an equaliser should go; the rest is a matter of levels and sounds in the mix"
    kind = move.shape.kind if move.shape.kind in (LOW_SHELF, HIGH_SHELF) else "bell"
    return (Step(kind, gain, hz, move.shape.q, note=note),)


def _limited(gain_db: float) -> float:
    """A gain as one dials it in, to half a dB."""
    return round(2 * max(-MOST_DB, min(MOST_DB, gain_db))) / 2


def third_octave(mix: Mix, move: Move) -> Evidence:
    """The third-octave that shows a move best, and where it should lie."""
    where = f"in the third-octave at {hz_text(two_digits(move.centre_hz))}"
    limit = f"{signed(move.low_db)} to {signed(move.high_db)} {where}"
    return evidence(mix, "spectrum.third_octaves_db", limit, CORRIDOR, round(move.found_db, 1))


def _band_level(mix: Mix, band: str) -> tuple[Evidence, ...]:
    """The band's level, where the profile judges it."""
    tone, level = mix.tone, mix.get(f"spectrum.{band}_db")
    if tone is None or level is None or band not in tone.bands_db:
        return ()
    limit = f"{signed(level - tone.bands_db[band])} is the middle of {mix.profile.title}"
    return (evidence(mix, f"spectrum.{band}_db", limit, mix.profile.source),)
