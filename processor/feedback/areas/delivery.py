"""Delivery: whether the file can go out as it is."""

from __future__ import annotations

from collections.abc import Iterator

from processor.feedback.advice import Advice, Evidence, Mix, Step, evidence, signed
from processor.feedback.areas._findings import finding, strength
from processor.feedback.platforms import Outcome, outcome
from processor.feedback.rules import ANY, rule

MUSIC = ("mix", "solo")
TRUE_PEAK = "loudness.true_peak_dbtp"
# EBU Tech 3341, table 1: a true-peak meter may read 0.2 dB too high.
METER_DB = 0.2
CODED_STEP_DB = 1.0
# Distributors take 44.1 and 48 kHz and multiples up to four times.
RATES_HZ = (44100, 48000, 88200, 96000, 176400, 192000)
LOW_RATE_STEP = 0.75  # of 44.1 kHz: 33 kHz is one step under it
MASTER_BITS = 16
# Players leave a pause of their own; so much more seems like a fault. A fade's last seconds are under −60 dBFS.
HEAD_S, HEAD_STEP_S = 2.0, 1.5
TAIL_S, TAIL_STEP_S = 5.0, 2.5
TIGHT_HEAD_S, LOOSE_TAIL_S = 0.5, 3.0
# Streaming services count a play after 30 s.
SHORTEST_S = 30.0

_SILENCE = "samples under −60 dBFS; delivery practice"
_FORMAT = "delivery specifications of distributors"


@rule("the platform's ceiling; EBU Tech 3341, tolerance of a true-peak meter", of=ANY)
def true_peak(mix: Mix) -> Iterator[Advice]:
    """Peaks over the platform's ceiling, but not over full scale."""
    peak, ceiling = mix.get(TRUE_PEAK), mix.platform.ceiling_dbtp
    if peak is None or not ceiling + METER_DB < peak <= 0:
        return  # over full scale is a fault of the file
    yield finding(
        "delivery.true_peak.too_much",
        peak - ceiling,
        f"True peak {peak - ceiling:.1f} dB over {mix.platform.title}'s ceiling",
        f"{mix.platform.title} asks for {signed(ceiling)} dBTP, so that its coder does not clip.",
        [evidence(mix, TRUE_PEAK, f"≤ {signed(ceiling)}", mix.platform.source)],
        steps=[Step("limiter", threshold_db=ceiling, note=f"true-peak mode; or turn down by {peak - ceiling:.1f} dB")],
        most="note",
    )


@rule("measured: true peak after coding and decoding", of=ANY)
def coded_peak(mix: Mix) -> Iterator[Advice]:
    """Peaks that lossy coding lifts over full scale where the file itself stays under it."""
    what, peak = outcome(mix.results, mix.platform), mix.get(TRUE_PEAK)
    worst = max(what.coded, key=lambda one: one.played_dbtp, default=None)
    if worst is None or peak is None or peak > 0 or not worst.clips:
        return
    over = float(worst.played_dbtp)
    yield finding(
        "delivery.coded_peak.too_much",
        over / CODED_STEP_DB,
        f"Clips after {worst.codec.upper()} coding",
        f"Coded for {mix.platform.title}, its peaks are played at {signed(over)} dBTP, and are cut off.",
        [_coded_evidence(mix, what, worst.codec)],
        steps=[
            Step(
                "limiter",
                threshold_db=round(mix.platform.ceiling_dbtp - over, 1),
                note="true-peak mode: as much lower as coding adds",
            )
        ],
        most="note" if over < CODED_STEP_DB else "warning",
    )


def _coded_evidence(mix: Mix, what: Outcome, codec: str) -> Evidence:
    return evidence(mix, f"coding.{codec}_dbtp", "≤ 0", f"coded as {what.platform.title} does")


@rule(_FORMAT, of=ANY)
def low_rate(mix: Mix) -> Iterator[Advice]:
    """A sample rate that leaves no room for treble."""
    rate = mix.get("source.sample_rate_hz")
    if rate is None or rate >= RATES_HZ[0]:
        return
    yield finding(
        "delivery.sample_rate.too_little",
        max(1.0, (1 - rate / RATES_HZ[0]) / (1 - LOW_RATE_STEP)),
        f"Sample rate of {rate / 1000:g} kHz",
        f"Nothing above {rate / 2000:g} kHz can be in the file, and stores refuse it.",
        [evidence(mix, "source.sample_rate_hz", "≥ 44100", _FORMAT)],
        steps=[Step("export", note="from the session at 44.1 or 48 kHz; converting this file brings no treble back")],
    )


@rule(_FORMAT, of=MUSIC)
def odd_rate(mix: Mix) -> Iterator[Advice]:
    """A sample rate that no distributor takes."""
    rate = mix.get("source.sample_rate_hz")
    if rate is None or rate < RATES_HZ[0] or rate in RATES_HZ:
        return
    yield finding(
        "delivery.sample_rate.odd",
        1.0,
        f"Sample rate of {rate / 1000:g} kHz",
        "Whoever takes it will convert it, well or badly.",
        [evidence(mix, "source.sample_rate_hz", "44100, 48000 or multiples of them", _FORMAT)],
        steps=[Step("export", note="at 44.1 or 48 kHz")],
        most="warning",
    )


@rule(_FORMAT, of=MUSIC)
def lossy_file(mix: Mix) -> Iterator[Advice]:
    """A lossy file, where a lossless one is asked for."""
    bits, codec = mix.get("source.bit_depth"), mix.get("source.codec")
    if (
        bits is not None
        or codec is None
        or not any(name in codec.lower() for name in ("mpeg", "mp3", "vorbis", "opus", "aac"))
    ):
        return
    yield finding(
        "delivery.lossy_file",
        0.0,
        f"Coded as {codec}",
        "Fine for listening. Stores and platforms code it once more, which adds up: deliver a lossless file.",
        [evidence(mix, "source.codec", "PCM or FLAC", _FORMAT)],
        steps=[Step("export", note="WAV or FLAC, 24 bit, at the session's sample rate")],
        most="note",
    )


@rule(_FORMAT, of=MUSIC)
def channels(mix: Mix) -> Iterator[Advice]:
    """One channel, or more than two."""
    count = mix.get("source.channels")
    if count is None or count == 2:
        return
    is_mono = count == 1
    yield finding(
        "delivery.channels.too_little" if is_mono else "delivery.channels.too_much",
        0.5 if is_mono else 1.0,
        "A mono file" if is_mono else f"A file of {count} channels",
        "It has one channel: a stereo bus was exported as mono, or it is meant so."
        if is_mono
        else f"{mix.platform.title} plays stereo: whoever folds it down decides how loud the centre is.",
        [evidence(mix, "source.channels", "2", _FORMAT)],
        steps=[
            Step("export", note="as stereo, two channels" if is_mono else "a stereo fold-down of your own beside it")
        ],
        most="warning",
    )


@rule("ISRC: ISO 3901; tags as ID3v2.4 and Vorbis comments name them", of=MUSIC)
def tags(mix: Mix) -> Iterator[Advice]:
    """A file that has been tagged, but not with all that a release needs."""
    wanted = {name: mix.get(f"metadata.{name}") for name in ("title", "artist", "isrc")}
    missing = [name for name, value in wanted.items() if not value]
    # A bounce without any tags is no release yet; who begins to tag it means one.
    if not missing or not (wanted["title"] or wanted["artist"]):
        return
    names = ["ISRC" if name == "isrc" else name for name in missing]
    yield finding(
        "delivery.tags.too_little",
        0.2 * len(missing),
        f"No {' and no '.join(names)} in the tags",
        "Players show it as unknown, and without an ISRC plays are not counted for it.",
        [evidence(mix, f"metadata.{name}", "present", "ISO 3901" if name == "isrc" else "ID3v2.4") for name in missing],
        steps=[Step("tag", note=", ".join(names))],
        most="note",
    )


@rule(_SILENCE, of=ANY)
def silent_head(mix: Mix) -> Iterator[Advice]:
    """Silence before the first sound."""
    seconds = mix.get("levels.leading_silence_s")
    if seconds is None or seconds <= HEAD_S:
        return
    yield finding(
        "delivery.silence_start.too_much",
        (seconds - HEAD_S) / HEAD_STEP_S,
        f"{seconds:.1f} s of silence at the start",
        "A listener thinks that it does not play, and skips.",
        [evidence(mix, "levels.leading_silence_s", f"≤ {HEAD_S:g}", _SILENCE)],
        steps=[Step("trim", note=f"{seconds - TIGHT_HEAD_S:.1f} s from the start, then a fade-in of 5 ms")],
        times_s=((0.0, round(seconds, 3)),),
    )


@rule(_SILENCE, of=ANY)
def silent_tail(mix: Mix) -> Iterator[Advice]:
    """Silence after the last sound."""
    seconds, duration = mix.get("levels.trailing_silence_s"), mix.get("source.duration_s")
    if seconds is None or seconds <= TAIL_S:
        return
    yield finding(
        "delivery.silence_end.too_much",
        (seconds - TAIL_S) / TAIL_STEP_S,
        f"{seconds:.1f} s of silence at the end",
        "The next piece waits for it: the export range was too long.",
        [evidence(mix, "levels.trailing_silence_s", f"≤ {TAIL_S:g}", _SILENCE)],
        steps=[Step("trim", note=f"{seconds - LOOSE_TAIL_S:.1f} s from the end")],
        times_s=() if duration is None else ((round(duration - seconds, 3), round(duration, 3)),),
    )


@rule("streaming services count a play after 30 s")
def too_short(mix: Mix) -> Iterator[Advice]:
    """Shorter than what counts as a play."""
    duration = mix.get("source.duration_s")
    if duration is None or not 0 < duration < SHORTEST_S or mix.platform.target_lufs is None:
        return
    yield finding(
        "delivery.length.too_little",
        0.5,
        f"Only {duration:.0f} s long",
        "Streaming services count and pay a play after 30 seconds.",
        [evidence(mix, "source.duration_s", f"≥ {SHORTEST_S:g}", "streaming services")],
        steps=[Step("arrangement", note="longer, or released together with another piece")],
        most="note",
    )


@rule(_FORMAT)
def ready(mix: Mix) -> Iterator[Advice]:
    """A lossless stereo file whose peaks keep to the platform's ceiling."""
    peak, bits = mix.get(TRUE_PEAK), mix.get("source.bit_depth")
    fits = mix.get("source.sample_rate_hz") in RATES_HZ and mix.get("source.channels") == 2
    if peak is None or bits is None or bits < MASTER_BITS or not fits or peak > mix.platform.ceiling_dbtp + METER_DB:
        return
    if mix.get("spectrum.looks_lossy") or mix.get("levels.clipped_samples"):
        return
    yield strength(
        "delivery.ready",
        f"Ready for {mix.platform.title}",
        f"{bits} bit, {mix.get('source.sample_rate_hz') / 1000:g} kHz, stereo, true peak {signed(peak)} dBTP.",
        [
            evidence(mix, TRUE_PEAK, f"≤ {signed(mix.platform.ceiling_dbtp)}", mix.platform.source),
            evidence(mix, "source.bit_depth", f"≥ {MASTER_BITS}", _FORMAT),
        ],
    )
