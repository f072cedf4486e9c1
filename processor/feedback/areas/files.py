"""Integrity of the file: what was lost before anything was measured."""

from __future__ import annotations

from collections.abc import Iterator

from processor.feedback.advice import Advice, Mix, Step, evidence
from processor.feedback.areas._findings import finding
from processor.feedback.rules import ANY, rule

MUSIC = ("mix", "solo")
# 16 bit have a floor 98 dB under full scale; with 12 it is 74, and is heard in quiet passages.
GOOD_BITS, BITS_STEP = 16, 2
LOSSY_SURE = 0.6


@rule("decoder", of=(*ANY, "silence"))
def damaged(mix: Mix) -> Iterator[Advice]:
    """A file of which a part could not be read."""
    if not mix.get("source.partial"):
        return
    read, declared, damage = (mix.get(f"source.{name}") for name in ("duration_s", "declared_s", "damage"))
    if damage:  # says how much was lost, if anything was
        lost = f" {damage[0].upper()}{damage[1:]}."
    else:
        lost = f" Of {declared:.1f} s only {read:.1f} s could be read." if declared and declared > read else ""
    yield finding(
        "integrity.damaged",
        3.0,
        "The file is damaged",
        f"Some of the sound is missing, and all numbers are of the rest.{lost}",
        [
            evidence(mix, "source.partial", "no", "declared against decoded length"),
            evidence(mix, "source.duration_s", "as declared", "file header"),
        ],
        steps=[Step("export", note="again, or copy it again and compare the sizes")],
    )


@rule("decoder", of=(*ANY, "silence"))
def repaired(mix: Mix) -> Iterator[Advice]:
    """Samples that are no numbers."""
    count = mix.get("source.repaired_samples")
    if not count:
        return
    yield finding(
        "integrity.not_numbers",
        2.0,
        f"{count} samples are no numbers",
        "Infinite or absurdly large samples, or none at all, were read as silence. In another player they are a bang.",
        [evidence(mix, "source.repaired_samples", "0", "IEEE 754")],
        steps=[
            Step("repair", note="find the plug-in that makes them, by switching off one after the other; export again")
        ],
    )


@rule("samples", of=("silence", "mix"))
def silent(mix: Mix) -> Iterator[Advice]:
    """A file in which nothing sounds."""
    if not mix.get("levels.is_silent"):
        return
    yield finding(
        "integrity.silent",
        3.0,
        "Silent",
        "Every sample is zero: a muted bus, the wrong output or an empty range.",
        [evidence(mix, "levels.is_silent", "no", "samples")],
        steps=[Step("export", note="again, with the master bus unmuted and the right range")],
    )


@rule("a wall in the treble and holes below it, as coders leave them", of=MUSIC)
def lossy_before(mix: Mix) -> Iterator[Advice]:
    """A lossless file of something that was coded with loss before."""
    sure, cutoff, bits = (
        mix.get("spectrum.lossy_confidence"),
        mix.get("spectrum.lossy_cutoff_hz"),
        mix.get("source.bit_depth"),
    )
    if not mix.get("spectrum.looks_lossy") or bits is None or sure is None or sure < LOSSY_SURE or cutoff is None:
        return
    yield finding(
        "integrity.lossy",
        2 * sure,
        "Made from an MP3 or the like",
        f"It is stored without loss, but its treble ends in a wall at {cutoff / 1000:.1f} kHz, as lossy coders leave "
        "it. Coded a second time it gets worse.",
        [
            evidence(mix, "spectrum.lossy_cutoff_hz", "none", "measured on codings of one's own"),
            evidence(mix, "spectrum.lossy_confidence", f"under {LOSSY_SURE:g}", "measured on codings of one's own"),
        ],
        steps=[Step("export", note="from the session, or take the lossless original of the samples and loops")],
    )


@rule("IEC 60908: 16 bit", of=MUSIC)
def few_bits(mix: Mix) -> Iterator[Advice]:
    """Fewer bits in use than quiet passages need."""
    bits = mix.get("integrity.effective_bits")
    bits = mix.get("source.bit_depth") if bits is None else bits
    if bits is None or bits >= GOOD_BITS:
        return
    yield finding(
        "integrity.bits.too_little",
        (GOOD_BITS - bits) / BITS_STEP,
        f"Only {bits} bits in use",
        f"Its steps are those of {bits} bits: their noise lies {6 * bits + 2} dB under full scale and grinds in quiet "
        "passages and fades.",
        [evidence(mix, "integrity.effective_bits", f"≥ {GOOD_BITS}", "IEC 60908")],
        steps=[Step("export", note="at 24 bit; dither once, at the very end, when going to 16")],
    )
