"""The low end: whether there is one, whether it booms or rumbles, whether it stands in the middle and has punch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from processor.feedback.advice import Advice, Mix, Step, evidence, hz_text, signed
from processor.feedback.areas._findings import finding, strength
from processor.feedback.areas._spectra import GONE_DB, faults, is_boom, low_end_corner_hz, most, two_digits
from processor.feedback.areas.stereo import SOUNDING_SHARE, is_low_end_inverted, is_one_sided
from processor.feedback.areas.tone import CORRIDOR, third_octave
from processor.feedback.rules import ANY, rule

MONO_BASS = (
    "mixing practice: bass below 100 to 120 Hz in the middle; correlation: RTW, sustained negatives are the fault"
)
SUB = "60 recordings: of 19 in 20 the third-octaves at 20 and 25 Hz lie 9 dB or more below the strongest up to 125 Hz"
CREST = "60 recordings: the crest of 60 to 250 Hz is 12.5 to 20 dB in 17 of 20"
SOLID = "mixing practice: bass in the middle, inside its corridor"

WORST_STEPS_DB = (
    3.0  # how far under the corridor one step of missing low end is: more than of tone, as it is wide there
)
RUMBLE_HZ, LOW_END_HZ = (19.0, 28.0), (38.0, 130.0)
RUMBLE_DB, RUMBLE_STEP_DB = -8.0, 3.0
OUT_OF_PHASE = 0.0
PHASE_STEP = 0.25
# Share of the side. Unrelated channels have 50; at 20 mono loses 1 dB.
WIDE_SHARES = {"sub": 10.0, "bass": 20.0}
WIDE_STEP = 10.0
CREST_DB = (11.0, 22.0)
CREST_STEP_DB = 2.0
SOLID_CORRELATION = 0.95
MONO_HZ = 120.0
_EDGES = {"sub": "20–60 Hz", "bass": "60–250 Hz"}


@rule(CORRIDOR)
def missing(mix: Mix) -> Iterator[Advice]:
    """No low end at all."""
    corner = low_end_corner_hz(mix)
    if corner is None or mix.tone is None:
        return
    gone = (mix.tone.centres_hz > LOW_END_HZ[0]) & (mix.tone.centres_hz < corner)
    under = -float(np.mean(mix.tone.outside_db[gone]))
    hz = two_digits(corner)
    level = mix.get("spectrum.bass_db")
    yield finding(
        "low_end.missing.bass.too_little",
        1 + (under - GONE_DB) / WORST_STEPS_DB,
        "No low end",
        f"Below {hz_text(hz)} it lies {under:.0f} dB under the least that {mix.profile.title} has. "
        "Kick and bass have no weight, on any system.",
        [
            evidence(
                mix,
                "spectrum.bass_db",
                f"about {signed(level - mix.tone.bands_db.get('bass', 0.0))}",
                mix.profile.source,
            )
        ],
        steps=[
            Step("repair", note="look for a high-pass on the mix bus, or a bass and a kick that are muted"),
            Step("low shelf", 6.0, hz, 0.7, note="only if there is something there to raise"),
        ],
    )


@rule(CORRIDOR)
def boomy(mix: Mix) -> Iterator[Advice]:
    """A bump between 75 and 160 Hz, where kick drums and bass guitars boom."""
    for move in faults(mix):
        if not is_boom(move):
            continue
        hz = two_digits(move.shape.frequency_hz)
        yield finding(
            "low_end.boomy.bass.too_much",
            move.weight,
            f"Booms at {hz_text(hz)}",
            f"Around {hz_text(hz)} it lies {move.gain_db:.1f} dB over what {mix.profile.title} and the rest of this "
            "mix let one expect: single notes of bass and kick jump out and cover the rest.",
            [third_octave(mix, move)],
            steps=[
                Step(
                    "bell",
                    -min(6.0, round(2 * move.gain_db) / 2),
                    hz,
                    move.shape.q,
                    note="on bass or kick, whichever booms",
                ),
                Step(
                    "compressor",
                    ratio=3.0,
                    attack_ms=20,
                    release_ms=120,
                    note=f"or only this band, around {hz_text(hz)}",
                ),
            ],
            most=most(mix, move),
        )


@rule(SUB)
def rumble(mix: Mix) -> Iterator[Advice]:
    """Nearly as much below 30 Hz as in the low end proper."""
    levels, centres = mix.get("spectrum.third_octaves_db"), mix.get("spectrum.centres_hz")
    if levels is None:
        return
    below = levels[(centres > RUMBLE_HZ[0]) & (centres < RUMBLE_HZ[1])]
    above = levels[(centres > LOW_END_HZ[0]) & (centres < LOW_END_HZ[1])]
    if not np.isfinite(below).any() or not np.isfinite(above).any():
        return
    over = float(np.nanmax(below) - np.nanmax(above))
    if over <= RUMBLE_DB:
        return
    yield finding(
        "low_end.rumble.sub.too_much",
        (over - RUMBLE_DB) / RUMBLE_STEP_DB,
        "Rumble below 30 Hz",
        f"Between 20 and 28 Hz it is {abs(over):.0f} dB {'over' if over > 0 else 'under'} the strongest low note. "
        "Few speakers play it; all of it costs headroom.",
        [
            evidence(
                mix,
                "spectrum.third_octaves_db",
                f"≤ {signed(float(np.nanmax(above)) + RUMBLE_DB)} at 20 and 25 Hz",
                SUB,
                round(float(np.nanmax(below)), 1),
            )
        ],
        steps=[
            Step("high-pass", frequency_hz=30.0, q=0.7, note="24 dB an octave, on what needs no sub, then on the mix")
        ],
    )


@rule(MONO_BASS, of=ANY)
def out_of_phase(mix: Mix) -> Iterator[Advice]:
    """A low end whose channels cancel each other."""
    found = [band for band in ("sub", "bass") if _sounds(mix, band) and _correlation(mix, band) < OUT_OF_PHASE]
    if not found or is_one_sided(mix) or not is_low_end_inverted(mix):
        return
    worst = min(found, key=lambda band: _correlation(mix, band))
    loss = mix.get(f"stereo.{worst}_mono_loss_db")
    yield finding(
        f"low_end.phase.{worst}",
        2 + (OUT_OF_PHASE - _correlation(mix, worst)) / PHASE_STEP,
        "Low end out of phase",
        f"Left and right pull against each other at {_EDGES[worst]}: mono, as a club's subwoofers play it, loses "
        f"{loss:.0f} dB of it, and on headphones it has no place.",
        [
            evidence(mix, f"stereo.{worst}_correlation", "> 0, near 1 is best", MONO_BASS),
            evidence(mix, f"stereo.{worst}_mono_loss_db", "≤ 1", MONO_BASS),
        ],
        steps=[
            Step("polarity", note="flip one side of the bass or kick track, or of one of its microphones"),
            Step("mid/side", frequency_hz=MONO_HZ, note="then make all below it mono"),
        ],
    )


@rule(MONO_BASS)
def wide(mix: Mix) -> Iterator[Advice]:
    """A low end that is spread over both sides."""
    shares = mix.get("stereo.side_shares")
    if shares is None or is_one_sided(mix):
        return
    for band, share in zip(("sub", "bass"), shares, strict=False):
        limit = WIDE_SHARES[band]
        if share is None or share <= limit or not _sounds(mix, band) or _correlation(mix, band) < OUT_OF_PHASE:
            continue
        loss = mix.get(f"stereo.{band}_mono_loss_db")
        yield finding(
            f"low_end.wide.{band}.too_much",
            (share - limit) / WIDE_STEP,
            f"Wide {band}",
            f"{share:.0f} % of {_EDGES[band]} is at the sides: vinyl and subwoofers make it mono, "
            f"and {loss:.1f} dB of it is lost.",
            [
                evidence(mix, "stereo.side_shares", f"≤ {limit:g} in {_EDGES[band]}", MONO_BASS, round(share, 1)),
                evidence(mix, f"stereo.{band}_mono_loss_db", "≤ 1", MONO_BASS),
            ],
            steps=[
                Step("mid/side", frequency_hz=MONO_HZ, note="high-pass the side there, or narrow bass and kick to mono")
            ],
        )


@rule(CREST)
def crest(mix: Mix) -> Iterator[Advice]:
    """A bass whose level hardly moves, or one that jumps."""
    found = mix.get("transients.bass_crest_db")
    if found is None or not _sounds(mix, "bass") or CREST_DB[0] <= found <= CREST_DB[1]:
        return
    is_flat = found < CREST_DB[0]
    step = (
        Step("compressor", ratio=2.0, attack_ms=40, release_ms=150, note="on the bass: slower attack and less of it")
        if is_flat
        else Step("compressor", ratio=4.0, attack_ms=15, release_ms=120, note="on the bass, 4 to 6 dB of reduction")
    )
    yield finding(
        f"low_end.crest.bass.{'too_little' if is_flat else 'too_much'}",
        (CREST_DB[0] - found if is_flat else found - CREST_DB[1]) / CREST_STEP_DB,
        "Bass without movement" if is_flat else "Loose bass",
        "Kick and bass are one even hum: nothing hits."
        if is_flat
        else "Single hits of the low end jump far out of the rest; between them the bass is missing.",
        [evidence(mix, "transients.bass_crest_db", f"{CREST_DB[0]:g} to {CREST_DB[1]:g}", CREST)],
        steps=[step],
    )


@rule(SOLID)
def solid(mix: Mix) -> Iterator[Advice]:
    """A low end that is there, in the middle, and neither booms nor rumbles."""
    tone = mix.tone
    if tone is None or not {"sub", "bass"} <= set(tone.bands_db) or mix.get("stereo.is_mono") is not False:
        return
    is_placed = all(_correlation(mix, band) >= SOLID_CORRELATION for band in ("sub", "bass") if _sounds(mix, band))
    is_even = not any(move.shape.band in ("sub", "bass") for move in faults(mix))
    is_inside = not tone.bands_outside_db["sub"] and not tone.bands_outside_db["bass"]
    if is_placed and is_even and is_inside and _sounds(mix, "sub") and not any(rumble(mix)):
        yield strength(
            "low_end.solid",
            "Solid low end",
            "Sub and bass have the weight of such music and stand in the middle: it will hold up in a club.",
            [
                evidence(mix, "stereo.bass_correlation", f"≥ {SOLID_CORRELATION}", SOLID),
                evidence(mix, "spectrum.bass_share", f"inside {mix.profile.title}", mix.profile.source),
            ],
        )


def _sounds(mix: Mix, band: str) -> bool:
    share = mix.get(f"spectrum.{band}_share")
    return share is not None and share >= SOUNDING_SHARE


def _correlation(mix: Mix, band: str) -> float:
    """Of a band; 1 where there is none, as in a file with one channel."""
    found = mix.get(f"stereo.{band}_correlation")
    return 1.0 if found is None else float(found)
