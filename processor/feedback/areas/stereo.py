"""The stereo picture: width, phase, balance, and channels that are dead or late."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from processor.feedback.advice import Advice, Mix, Step, evidence, signed
from processor.feedback.areas._findings import corridor, finding, places, strength
from processor.feedback.rules import ANY, MIX, rule

RTW = "RTW, “Correlation”: 0.3 to 0.7 is normal, sustained negatives are the fault"
WIDTH = "the profile's corridor of MixScope's width; too narrow is the commoner fault (mixing practice)"
BALANCE = "mixing practice: more than 1 dB is worth a look; 60 recordings: 4 lie beyond 1.4 dB"
DEAD = "one channel more than 40 dB below the other is no balance"
LATE = "A. Haas, 1951: from 0.7 ms the earlier side takes the place; up to 30 ms mono combs"
MONO_LOSS = "3 dB is what unrelated channels lose in mono; more cancels"
PICTURE = "RTW and mixing practice: correlation 0.3 and more, balance within 1 dB, nothing out of phase"

MUSIC = (*MIX, "solo")
DEAD_DB = 40.0
LATE_S, LATE_STEP_S = 0.0005, 0.0007
# What is narrower than this is mono to any listener.
NEAR_MONO = 1.0
USUAL_WIDTH = (5.0, 32.0)
SAFE_CORRELATION, SAFE_LOSS_DB = 0.7, 0.5
WIDE_CORRELATION, WIDE_STEP, WIDTH_STEP = 0.25, 0.1, 8.0
INVERTED, INVERTED_STEP = -0.05, 0.2
NEGATIVE_SHARE = 0.5  # of the time: then it is no passage, it is the mix
NEGATIVE_STEP_S = 4.0
BALANCE_DB, BALANCE_STEP_DB = 1.5, 1.0
BAND_LOSS_DB, BAND_STEP_DB, BAND_SHARE = 3.2, 1.0, 0.5
# A band that holds less than so much of the power is not what one hears as the low end.
SOUNDING_SHARE = 1.0
GOOD_CORRELATION, GOOD_BALANCE_DB, GOOD_LOSS_DB = (0.3, 0.95), 1.0, 1.0
_BANDS = {"low_mids": "250–500 Hz", "mids": "500 Hz–2 kHz", "high_mids": "2–6 kHz", "air": "6–20 kHz"}
_SIDES = {1: "left", 2: "right"}


def is_one_sided(mix: Mix) -> bool:
    """Whether one channel of two is dead, which explains all that is odd about the picture."""
    balance = mix.get("stereo.balance_db")
    return mix.get("integrity.silent_channel") is not None or (balance is not None and abs(balance) > DEAD_DB)


def is_low_end_inverted(mix: Mix) -> bool:
    """Whether only the low end is out of phase: then it is told there."""
    low = [mix.get(f"stereo.{band}_correlation") for band in ("sub", "bass") if _share(mix, band) >= SOUNDING_SHARE]
    rest = [mix.get(f"stereo.{band}_correlation") for band in ("mids", "high_mids")]
    return any(one is not None and one < 0 for one in low) and all(one is not None and one > 0 for one in rest)


def _is_late(mix: Mix) -> bool:
    delay = mix.get("integrity.channel_delay_s")
    return delay is not None and abs(delay) >= LATE_S


def _is_explained(mix: Mix) -> bool:
    """Whether a defect of a channel explains width and phase; it is told once."""
    return is_one_sided(mix) or _is_late(mix)


def _is_phase_told(mix: Mix) -> bool:
    """Whether another rule explains what is out of phase."""
    return _is_explained(mix) or is_low_end_inverted(mix) or any(inverted(mix))


def explains_mono_loss(mix: Mix) -> bool:
    """Whether a rule about the whole picture already tells why mono loses so much."""
    return _is_phase_told(mix) or any(too_wide(mix))


@rule(DEAD, of=ANY)
def silent_channel(mix: Mix) -> Iterator[Advice]:
    """One of two channels plays nothing."""
    if not is_one_sided(mix):
        return
    balance = mix.get("stereo.balance_db") or 0.0
    dead = mix.get("integrity.silent_channel") or (1 if balance > 0 else 2)
    yield finding(
        "stereo.silent_channel",
        6.0,
        f"The {_SIDES[dead]} channel is dead",
        f"Everything comes from the {_SIDES[3 - dead]}. A cable, a mute or an export took the other side.",
        [evidence(mix, "stereo.balance_db", "−1 to 1", DEAD)],
        steps=[Step("export", note="both sides again; if the source has one channel, put it on both")],
    )


@rule(LATE, of=MUSIC)
def late_channel(mix: Mix) -> Iterator[Advice]:
    """One side is the other one, late."""
    delay = mix.get("integrity.channel_delay_s")
    if delay is None or not _is_late(mix) or is_one_sided(mix):
        return
    side, ms = ("right" if delay > 0 else "left"), abs(delay) * 1000
    yield finding(
        "stereo.late_channel",
        2 + (abs(delay) - LATE_S) / LATE_STEP_S,
        f"The {side} channel is {ms:.1f} ms late",
        f"The picture leans to the other side, and in mono the two comb: the first notch is at {500 / ms:.0f} Hz.",
        [evidence(mix, "integrity.channel_delay_s", f"within ±{LATE_S}", LATE)],
        steps=[Step("delay", note=f"{ms:.2f} ms on the other channel, or align the tracks at their source")],
    )


@rule(RTW, of=ANY)
def inverted(mix: Mix) -> Iterator[Advice]:
    """The channels as a whole are out of phase."""
    correlation = mix.get("stereo.correlation")
    if correlation is None or _is_explained(mix) or is_low_end_inverted(mix):
        return
    if correlation >= INVERTED and _negative_share(mix) <= NEGATIVE_SHARE:
        return
    loss = mix.get("stereo.mono_loss_db")
    yield finding(
        "stereo.out_of_phase",
        2 + max(0.0, INVERTED - correlation) / INVERTED_STEP,
        "Out of phase",
        f"Left and right cancel each other: mono loses {loss:.1f} dB, and in stereo the middle is a hole.",
        [
            evidence(mix, "stereo.correlation", "0.3 to 0.95", RTW),
            evidence(mix, "stereo.mono_loss_db", "≤ 1.5", MONO_LOSS),
        ],
        steps=[Step("polarity", note="flip one channel and listen in mono; keep what is louder")],
    )


@rule(RTW)
def negative_passages(mix: Mix) -> Iterator[Advice]:
    """Passages in which the channels cancel."""
    seconds, spans = mix.get("stereo.negative_s"), mix.get("stereo.negative_intervals_s")
    if not seconds or not len(spans) or _is_phase_told(mix):
        return
    yield finding(
        "stereo.passages_out_of_phase",
        seconds / NEGATIVE_STEP_S,
        "Passages out of phase",
        f"For {seconds:.1f} s the channels cancel each other: the wide pad or effect there is gone in mono.",
        [evidence(mix, "stereo.negative_s", "0", RTW)],
        steps=[Step("mid/side", -3.0, note="on the side of the wide sound there, or less of its chorus or widener")],
        times_s=places(spans),
    )


@rule(MONO_LOSS)
def cancelling_bands(mix: Mix) -> Iterator[Advice]:
    """A band that cancels in mono although the whole does not."""
    if explains_mono_loss(mix):
        return
    losses = {band: mix.get(f"stereo.{band}_mono_loss_db") for band in _BANDS if _holds_power(mix, band)}
    found = {band: loss for band, loss in losses.items() if loss is not None and loss > BAND_LOSS_DB}
    if not found:
        return
    worst = max(found, key=lambda band: found[band])
    others = [_BANDS[band] for band in found if band != worst]
    yield finding(
        f"stereo.band_phase.{worst}",
        (found[worst] - BAND_LOSS_DB) / BAND_STEP_DB,
        f"Cancels in mono at {_BANDS[worst]}",
        f"Mono loses {found[worst]:.1f} dB there{', and much at ' + ' and '.join(others) if others else ''}: what is "
        "wide there is out of phase.",
        [
            evidence(mix, f"stereo.{worst}_mono_loss_db", f"≤ {BAND_LOSS_DB:g}", MONO_LOSS),
            evidence(mix, f"stereo.{worst}_correlation", "> 0", RTW),
        ],
        steps=[
            Step("mid/side", -3.0, note=f"a bell on the side at {_BANDS[worst]}, or less widening of what plays there")
        ],
    )


@rule(WIDTH)
def mono(mix: Mix) -> Iterator[Advice]:
    """Both channels are the same, or nearly."""
    width = mix.get("stereo.width")
    if width is None or not (mix.get("stereo.is_mono") or width < NEAR_MONO) or _is_explained(mix):
        return
    yield finding(
        "stereo.mono.too_little",
        2.5,
        "Mono",
        "Left and right play the same, though this is a mix: nothing has a place of its own.",
        [evidence(mix, "stereo.width", f"{_usual_width(mix)[0]:g} to {_usual_width(mix)[1]:g}", WIDTH)],
        steps=[
            Step("export", note="check that the mix bus and the export are stereo"),
            Step(
                "arrangement", note="pan doubles, percussion and backing apart; keep kick, bass and lead in the middle"
            ),
        ],
    )


@rule(WIDTH)
def too_narrow(mix: Mix) -> Iterator[Advice]:
    """Narrower than such music is, but not mono."""
    width, (low, high) = mix.get("stereo.width"), _usual_width(mix)
    if width is None or width >= low or any(mono(mix)) or _is_explained(mix):
        return
    halvings = math.log2(low / max(width, 1e-3))
    yield finding(
        "stereo.width.too_little",
        halvings,
        "Narrow",
        f"Its width is {width:.0f} %; {mix.profile.title} has {low:g} to {high:g}. It sounds small beside others.",
        [
            evidence(mix, "stereo.width", f"{low:g} to {high:g}", WIDTH),
            evidence(mix, "stereo.mid_side_db", "6 to 15", WIDTH),
        ],
        steps=[
            Step("mid/side", min(6.0, round(2 * 3 * halvings) / 2 + 1), 300.0, note="high shelf on the side above it"),
            Step("arrangement", note="pan doubles and percussion farther out; widen reverbs, not the bass"),
        ],
    )


@rule(RTW)
def too_wide(mix: Mix) -> Iterator[Advice]:
    """The sides are as loud as the middle."""
    correlation, width, (_, high) = mix.get("stereo.correlation"), mix.get("stereo.width"), _usual_width(mix)
    if correlation is None or width is None or _is_phase_told(mix):
        return
    if correlation > SAFE_CORRELATION and (mix.get("stereo.mono_loss_db") or 0.0) < SAFE_LOSS_DB:
        return  # only its treble is wide, and nothing is lost in mono
    weight = max((WIDE_CORRELATION - correlation) / WIDE_STEP, (width - high) / WIDTH_STEP)
    if weight <= 0:
        return
    side = mix.get("stereo.mid_side_db")
    yield finding(
        "stereo.width.too_much",
        weight,
        "Too wide",
        f"Its width is {width:.0f} %; up to {high:g} is usual. The middle stands {side:.1f} dB above the sides, and "
        f"mono loses {mix.get('stereo.mono_loss_db'):.1f} dB.",
        [
            evidence(mix, "stereo.width", f"≤ {high:g}", WIDTH),
            evidence(mix, "stereo.correlation", f"≥ {WIDE_CORRELATION}", RTW),
        ],
        steps=[
            Step(
                "mid/side", -max(1.0, min(6.0, round(2 * (5 - side)) / 2)), note="on the side, or less stereo widening"
            )
        ],
    )


@rule(BALANCE)
def lopsided(mix: Mix) -> Iterator[Advice]:
    """One side is louder."""
    balance = mix.get("stereo.balance_db")
    if balance is None or abs(balance) <= BALANCE_DB or is_one_sided(mix):
        return
    louder, other = ("right", "left") if balance > 0 else ("left", "right")
    by = abs(balance)
    yield finding(
        "stereo.balance",
        (by - BALANCE_DB) / BALANCE_STEP_DB,
        f"Leans to the {louder}",
        f"The {louder} is {by:.1f} dB louder than the {other}: the middle is no longer in the middle.",
        [evidence(mix, "stereo.balance_db", f"{signed(-1)} to {signed(1)}", BALANCE)],
        steps=[
            Step("gain", round(by / 2, 1), note=f"on the {other}"),
            Step("gain", -round(by / 2, 1), note=f"on the {louder}; or pan what causes it"),
        ],
    )


@rule(PICTURE)
def good_picture(mix: Mix) -> Iterator[Advice]:
    """Wide enough, in balance, and safe in mono."""
    correlation, width, balance = (mix.get(f"stereo.{name}") for name in ("correlation", "width", "balance_db"))
    if correlation is None or width is None or _is_explained(mix):
        return
    low, high = _usual_width(mix)
    losses = [mix.get(f"stereo.{band}_mono_loss_db") or 0.0 for band in _BANDS]
    is_safe = max(losses) <= GOOD_LOSS_DB and not mix.get("stereo.negative_s")
    is_usual = low <= width <= high and GOOD_CORRELATION[0] <= correlation <= GOOD_CORRELATION[1]
    if is_safe and is_usual and abs(balance) <= GOOD_BALANCE_DB:
        yield strength(
            "stereo.picture",
            "Good stereo picture",
            "Wide enough, in balance, and nothing of it is lost in mono.",
            [
                evidence(mix, "stereo.width", f"{low:g} to {high:g}", WIDTH),
                evidence(mix, "stereo.correlation", "0.3 to 0.95", RTW),
                evidence(mix, "stereo.balance_db", "−1 to 1", BALANCE),
            ],
        )


def _negative_share(mix: Mix) -> float:
    """Share of the time in which it is out of phase."""
    curve = mix.get("stereo.correlations")
    heard = curve[np.isfinite(curve)] if curve is not None else np.empty(0)
    return float(np.mean(heard < INVERTED)) if heard.size else 0.0


def _holds_power(mix: Mix, band: str) -> bool:
    return _share(mix, band) >= BAND_SHARE


def _share(mix: Mix, band: str) -> float:
    """Share of a band in the power, in percent."""
    return float(mix.get(f"spectrum.{band}_share") or 0.0)


def _usual_width(mix: Mix) -> tuple[float, float]:
    found = corridor(mix, "stereo.width")
    return (found.low, found.high) if found else USUAL_WIDTH
