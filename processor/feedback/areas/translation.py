"""Translation: what is left of the mix on a phone, a kitchen radio and a mono system."""

from __future__ import annotations

from collections.abc import Iterator

from processor.feedback.advice import Advice, Mix, Step, evidence, signed
from processor.feedback.areas._findings import finding, strength
from processor.feedback.areas._spectra import faults
from processor.feedback.areas.stereo import explains_mono_loss
from processor.feedback.rules import rule

SMALL = "60 recordings: 9 in 10 lose at most 5 LU on a small loudspeaker and 8 LU on a phone"
MONO = "60 recordings: 9 in 10 lose at most 1.2 LU in mono; unrelated channels lose 3"
OVERTONES = "60 recordings: 9 in 10 have more than −19.5 dB of 200 to 800 Hz while the bass plays"
TRAVELS = "60 recordings: half lose at most 2.1 LU on a small loudspeaker, 4 on a phone and 0.5 in mono"

SMALL_LU, PHONE_LU, SMALL_STEP_LU = 5.0, 8.0, 1.5
MONO_LU, MONO_STEP_LU = 1.5, 1.0
OVERTONES_DB, OVERTONES_STEP_DB = -20.0, 3.0
GOOD_LU = (2.1, 4.0, 0.5)
LOW_BANDS = ("sub", "bass")


@rule(SMALL)
def small_speakers(mix: Mix) -> Iterator[Advice]:
    """Most of the loudness lives where small loudspeakers play nothing."""
    small, phone = mix.get("translation.small_loss_lu"), mix.get("translation.phone_loss_lu")
    if small is None or phone is None or (small <= SMALL_LU and phone <= PHONE_LU):
        return
    weight = max(small - SMALL_LU, phone - PHONE_LU) / SMALL_STEP_LU
    yield finding(
        "translation.small_speakers.mids.too_little",
        weight,
        "Lost on small speakers",
        f"A radio or laptop plays it {small:.1f} LU quieter, a phone {phone:.1f}: its loudness lives in the bass.",
        [
            evidence(mix, "translation.small_loss_lu", f"≤ {SMALL_LU:g}", SMALL),
            evidence(mix, "translation.phone_loss_lu", f"≤ {PHONE_LU:g}", SMALL),
        ],
        steps=[
            Step("arrangement", note="bring up what plays between 500 Hz and 3 kHz, or the bass down; check on a phone")
        ],
        # Too much bass has a name of its own, and what to do about it.
        most="note" if any(move.gain_db > 0 and move.shape.band in LOW_BANDS for move in faults(mix)) else "warning",
    )


@rule(OVERTONES)
def bass_overtones(mix: Mix) -> Iterator[Advice]:
    """A bass without overtones, which small loudspeakers do not play at all."""
    level = mix.get("translation.low_end_above_200_db")
    if level is None or level >= OVERTONES_DB:
        return
    yield finding(
        "translation.bass_overtones.low_mids.too_little",
        (OVERTONES_DB - level) / OVERTONES_STEP_DB,
        "Bass vanishes on small speakers",
        f"While the bass plays, 200 to 800 Hz is {-level:.0f} dB below it. Without overtones, a small speaker "
        "plays the song without its bass line.",
        [evidence(mix, "translation.low_end_above_200_db", f"≥ {signed(OVERTONES_DB, 0)}", OVERTONES)],
        steps=[
            Step("saturation", note="on the bass, in parallel, until its line can be followed on a phone"),
            Step("bell", 3.0, 700.0, 1.0, note="on the bass"),
        ],
        most="warning",
    )


@rule(MONO)
def mono_sum(mix: Mix) -> Iterator[Advice]:
    """Mono takes more loudness than it takes from others."""
    loss = mix.get("translation.mono_loss_lu")
    if loss is None or loss <= MONO_LU or explains_mono_loss(mix):
        return
    yield finding(
        "translation.mono.too_much",
        (loss - MONO_LU) / MONO_STEP_LU,
        "Loses in mono",
        f"One speaker, as in a phone or a shop, plays it {loss:.1f} LU quieter, and what is wide is what goes.",
        [evidence(mix, "translation.mono_loss_lu", f"≤ {MONO_LU:g}", MONO)],
        steps=[Step("mid/side", -2.0, note="on the side; or pan instead of widening, and keep leads in the middle")],
        most="warning",
    )


@rule(TRAVELS)
def travels(mix: Mix) -> Iterator[Advice]:
    """It keeps its loudness on small speakers and in mono."""
    found = [mix.get(f"translation.{name}_loss_lu") for name in ("small", "phone", "mono")]
    if any(loss is None or loss > most for loss, most in zip(found, GOOD_LU, strict=True)):
        return
    level = mix.get("translation.low_end_above_200_db")
    if level is not None and level < OVERTONES_DB:
        return
    yield strength(
        "translation.travels",
        "Travels well",
        "On a radio, a phone and in mono it keeps its loudness and its bass line.",
        [
            evidence(mix, f"translation.{name}_loss_lu", f"≤ {most:g}", TRAVELS)
            for name, most in zip(("small", "phone", "mono"), GOOD_LU, strict=True)
        ],
    )
