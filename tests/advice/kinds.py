"""Which faults are made, how strong, and what would be the right answer.

Strengths are three: about at the limit of the rule that is meant, clear, strong. `right` are the ids of advice that
name the fault, band and direction included; `follows` are true consequences, which are neither right nor wrong.
Both are patterns of `fnmatch`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from processor.feedback.advice import BANDS
from tests.advice import variants as v
from tests.advice.dsp import Sound

STRENGTHS = ("at the limit", "clear", "strong")
LOUDER = ("delivery.true_peak.*", "delivery.coded_peak.*", "loudness.too_much", "integrity.true_peak.*")
SQUEEZED = ("dynamics.*.too_much", "dynamics.range.too_little", "transients.*.too_little", "low_end.crest.*")
QUIETER = ("loudness.*too_little", "dynamics.compression.too_little")
MONO_LOSS = ("stereo.band_phase.*", "stereo.passages_out_of_phase", "translation.mono.*", "low_end.wide.*")
# A gain that moves within a cycle of the bass, and power that does not end with the music.
SHIFTED = ("integrity.dc.*", "integrity.infrasonic.*")
CUT = ("integrity.end_cut", "integrity.start_cut")
LOW_END = ("translation.*", "low_end.*", "tone.bass.*", "tone.sub.*")


@dataclass(frozen=True)
class Kind:
    """A fault.

    Attributes:
        name: of the fault.
        what: how it is made; the strength is in this unit.
        strengths: at the limit, clear, strong.
        make: `(sound, strength)`; None where the piece does not have what it would break.
        right: ids of advice that name it.
        follows: ids of advice that are true of it, too.
        is_staged: whether it is brought to the clean piece's level again, by gain: nobody bounces a mix that clips
            because an equaliser was turned up.
        is_once: whether a piece that is told so already cannot be made more so, and is left out.
    """

    name: str
    what: str
    strengths: tuple[float, float, float]
    make: Callable[[Sound, float], Sound | None]
    right: tuple[str, ...]
    follows: tuple[str, ...] = ()
    is_staged: bool = True
    is_once: bool = False

    @property
    def band(self) -> tuple[str, int] | None:
        """Of a fault of tone: the band that is meant, and 1 for too much of it, −1 for too little."""
        words = self.right[0].split(".")
        band = next((word.lstrip("*") for word in words if word.lstrip("*") in BANDS), None)
        is_tone = words[0] in ("tone", "low_end") and words[-1] in ("too_much", "too_little")
        return (band, 1 if words[-1] == "too_much" else -1) if band and is_tone else None

    @property
    def opposite(self) -> tuple[str, ...]:
        """Advice of the same place in the other direction: on a piece that is told so, the fault is a remedy."""
        swapped = {"too_much": "too_little", "too_little": "too_much"}
        split = [pattern.rpartition(".") for pattern in self.right if pattern.startswith("tone.")]
        return tuple(f"{start}.{swapped[end]}" for start, _, end in split if end in swapped)


def _tone(name: str, what: str, strengths: tuple[float, float, float], make: Callable[[Sound, float], Sound | None],
          right: tuple[str, ...], follows: tuple[str, ...] = ()) -> Kind:  # fmt: skip
    return Kind(name, what, strengths, make, right, (*QUIETER, *follows))


KINDS: tuple[Kind, ...] = (
    # Loudness and dynamics
    Kind("too loud", "limited up to LUFS", (-12, -10, -7), v.at_loudness,
         ("loudness.too_much", "dynamics.compression.too_much"), (*LOUDER, *SQUEEZED), is_staged=False),
    Kind("too quiet", "turned down to LUFS", (-19, -23, -28), v.turned_down, ("loudness.too_little",),
         is_staged=False),
    Kind("limited too hard", "limiter takes dB of the highest peak", (6, 10, 15), v.pressed,
         ("dynamics.compression.too_much", "dynamics.brick_wall.too_much"), (*SQUEEZED, *LOUDER)),
    Kind("over-compressed", "8:1, threshold dB under the level", (0, 8, 16), v.squashed,
         ("dynamics.compression.too_much",), (*SQUEEZED, *LOUDER, *SHIFTED, "transients.*", "tone.brightness.*")),
    Kind("pumping", "ducked by its kick, dB", (4, 8, 14), v.pumping, ("dynamics.pumping.too_much",),
         (*QUIETER, "tone.sub.*", "tone.bass.*", "low_end.*", "transients.*")),
    Kind("spiky", "attacks raised, dB", (4, 8, 14), v.spiked,
         ("dynamics.compression.too_little", "transients.attack.too_much"),
         (*QUIETER, "transients.*", "low_end.crest.*", *SHIFTED)),
    Kind("soft attacks", "attacks lowered, dB", (4, 8, 14), v.softened,
         ("transients.attack.too_little", "transients.punch.too_little"), (*SQUEEZED, *SHIFTED)),
    Kind("a jump", "one second louder, dB", (5, 8, 12), v.jump, ("loudness.jump.too_much",),
         (*QUIETER, "transients.stray_peak.*", "dynamics.*")),
    Kind("a stray peak", "one hit dB over the other peaks", (3.5, 6, 9), v.stray_hit,
         ("transients.stray_peak.too_much",), (*QUIETER, "loudness.jump.*")),
    Kind("quiet beginning", "the first 12 s dB lower", (15, 20, 28), v.quiet_start,
         ("loudness.intro.too_little",), ("loudness.*", "dynamics.*", "transients.*")),
    # Clipping
    Kind("clipped", "dB over full scale, cut", (1, 4, 9), v.clipped, ("integrity.clipped.too_much",),
         (*LOUDER, *SQUEEZED), is_staged=False),
    Kind("clipped, then turned down", "dB over, cut, then −5 dB", (1, 4, 9), v.clipped_before,
         ("integrity.flat_tops.too_much",), (*LOUDER, *SQUEEZED), is_staged=False),
    Kind("over full scale", "true peak dBTP in a float file", (0.5, 1.5, 4), v.over_full_scale,
         ("integrity.true_peak.too_much",), LOUDER, is_staged=False),
    Kind("peaks between samples", "short tones at a quarter of the sample rate, true peak dBTP", (0.5, 1.5, 3),
         v.between_samples, ("integrity.true_peak.too_much",),
         (*LOUDER, "transients.stray_peak.*", "integrity.clicks.*", "tone.*air.too_much"), is_staged=False),
    # Tone
    _tone("muddy", "bell at 300 Hz, dB", (3, 6, 9), v.bell_at(300, 1.0), ("tone.*low_mids.too_much",)),
    _tone("boomy", "bell at 100 Hz, dB", (4, 8, 12), v.bell_at(100, 1.2),
          ("low_end.boomy.bass.too_much", "tone.*bass.too_much"), LOW_END),
    _tone("bottom-heavy", "low shelf at 130 Hz, dB", (4, 8, 12), v.shelf_at(130, high=False),
          ("tone.bass.too_much", "low_end.boomy.bass.too_much", "tone.sub.too_much"), (*LOW_END, "tone.brightness.*")),
    _tone("harsh", "bell at 3 kHz, dB", (3, 6, 9), v.bell_at(3000, 1.0), ("tone.*high_mids.too_much",)),
    _tone("sibilant", "bell at 8 kHz, dB", (4, 7, 10), v.bell_at(8000, 1.4), ("tone.*air.too_much",)),
    _tone("brittle", "high shelf at 7 kHz, dB", (4, 7, 10), v.shelf_at(7000, high=True),
          ("tone.air.too_much", "tone.brightness.too_much")),
    _tone("dull", "high shelf at 5 kHz, dB", (-5, -9, -14), v.shelf_at(5000, high=True),
          ("tone.air.too_little", "tone.no_top.air.too_little", "tone.brightness.too_little"),
          ("tone.high_mids.too_little",)),
    _tone("no top", "low-pass at Hz", (10_000, 7000, 4500), v.low_passed,
          ("tone.no_top.air.too_little", "tone.air.too_little"), ("integrity.lossy", "tone.*too_little")),
    _tone("no low end", "high-pass at Hz", (90, 150, 220), v.high_passed,
          ("low_end.missing.bass.too_little", "tone.bass.too_little"),
          (*LOW_END, "tone.brightness.too_much", "tone.low_mids.too_little")),
    _tone("scooped", "bell at 1 kHz, dB", (-4, -8, -12), v.bell_at(1000, 0.7), ("tone.mids.too_little",)),
    _tone("nasal", "bell at 1 kHz, dB", (3, 6, 9), v.bell_at(1000, 1.2),
          ("tone.mids.too_much", "tone.resonance.mids.too_much")),
    _tone("boxy", "bell at 600 Hz, dB", (3, 6, 9), v.bell_at(600, 1.2),
          ("tone.mids.too_much", "tone.resonance.mids.too_much", "tone.*low_mids.too_much")),
    _tone("no presence", "bell at 3.5 kHz, dB", (-4, -8, -12), v.bell_at(3500, 0.7), ("tone.high_mids.too_little",),
          ("tone.air.too_little", "tone.brightness.too_little")),
    _tone("no body", "bell at 350 Hz, dB", (-4, -8, -12), v.bell_at(350, 0.7), ("tone.low_mids.too_little",),
          ("tone.bass.too_little",)),
    _tone("resonance", "bell at 1.5 kHz, Q 12, dB", (8, 12, 18), v.bell_at(1500, 12),
          ("tone.resonance.mids.too_much", "tone.mids.too_much")),
    _tone("leaning bright", "dB from 125 Hz to 8 kHz", (8, 12, 18), v.tilted,
          ("tone.air.too_much", "tone.brightness.too_much"),
          (*LOW_END, "tone.high_mids.too_much", "tone.low_mids.too_little")),
    _tone("leaning dark", "dB from 125 Hz to 8 kHz", (-8, -12, -18), v.tilted,
          ("tone.air.too_little", "tone.brightness.too_little", "tone.no_top.air.too_little"),
          (*LOW_END, "tone.high_mids.too_little", "tone.low_mids.too_much")),
    # Low end
    _tone("rumble", "24 Hz, dB over the low end", (-6, 0, 6), v.rumbling,
          ("low_end.rumble.sub.too_much", "tone.sub.too_much"), (*LOW_END, *CUT, "integrity.infrasonic.*")),
    _tone("infrasonic", "6 to 14 Hz, dB over the whole", (-20, -14, -6), v.infrasonic,
          ("integrity.infrasonic.too_much",), (*LOW_END, *CUT, "integrity.dc.*", "dynamics.*")),
    _tone("low end out of phase", "one side turned below 200 Hz, degrees", (105, 140, 180), v.low_end_turned,
          ("low_end.phase.*",), (*LOW_END, *MONO_LOSS, "stereo.*")),
    # Stereo
    _tone("one side flipped", "one side turned, degrees", (105, 140, 180), v.flipped, ("stereo.out_of_phase",),
          (*MONO_LOSS, *LOW_END, "stereo.width.too_much")),
    _tone("mono", "sides dB over the middle", (-42, -60, -100), v.narrowed, ("stereo.mono.too_little",),
          ("stereo.width.too_little", "delivery.*")),
    _tone("narrow", "sides dB over the middle", (-27, -31, -36), v.narrowed,
          ("stereo.width.too_little", "stereo.mono.too_little")),
    _tone("too wide", "sides dB over the middle", (-2, 1, 5), v.widened,
          ("stereo.width.too_much", "stereo.out_of_phase"), (*MONO_LOSS, *LOW_END)),
    _tone("lopsided", "one side dB quieter", (2, 4, 7), v.lopsided, ("stereo.balance",)),
    _tone("one side late", "ms", (0.8, 3, 12), v.late, ("stereo.late_channel",),
          (*MONO_LOSS, *LOW_END, "stereo.*")),
    _tone("one side dead", "dB left of it", (-30, -50, -200), v.dead_channel,
          ("stereo.silent_channel", "stereo.balance"), ("stereo.*", *MONO_LOSS)),
    # Integrity
    Kind("DC", "percent of full scale", (0.3, 1, 5), v.dc, ("integrity.dc.too_much",),
         (*CUT, "integrity.clicks.*", "integrity.infrasonic.*")),
    Kind("hum, 50 Hz", "dB over the whole", (-40, -30, -20), v.hum_of(50), ("integrity.hum.too_much",),
         CUT, is_staged=False),
    Kind("hum, 60 Hz", "dB over the whole", (-40, -30, -20), v.hum_of(60), ("integrity.hum.too_much",),
         CUT, is_staged=False),
    Kind("hiss", "white noise, dB over the whole", (-55, -45, -36), v.hiss, ("integrity.noise.too_much",),
         (*CUT, "delivery.silence_end.*"), is_staged=False),
    Kind("clicks", "how many", (2, 6, 25), v.clicks, ("integrity.clicks.too_much",),
         (*LOUDER, "transients.stray_peak.*", "integrity.clipped.*"), is_staged=False),
    Kind("dropouts", "of 15 ms, how many", (1, 4, 12), v.dropouts, ("integrity.dropouts.too_much",),
         ("integrity.clicks.*",), is_staged=False),
    Kind("end cut off", "where the level is dB over the whole", (-15, -8, 0), v.end_cut, ("integrity.end_cut",),
         ("delivery.length.*",), is_staged=False),
    Kind("start cut off", "where the level is dB over the whole", (-15, -8, 0), v.start_cut,
         ("integrity.start_cut",), ("delivery.length.*",), is_staged=False),
    Kind("silence at the end", "s", (6, 9, 15), v.silence_after, ("delivery.silence_end.too_much",), is_staged=False),
    Kind("silence at the start", "s", (2.5, 4, 8), v.silence_before, ("delivery.silence_start.too_much",),
         is_staged=False),
    # Files
    Kind("few bits", "bits in a file of 24", (13, 10, 8), v.of_bits, ("integrity.bits.too_little",),
         ("integrity.noise.*", "integrity.end_cut"), is_staged=False),
    Kind("from an MP3", "kbit/s", (192, 128, 96), v.through_mp3, ("integrity.lossy",),
         ("tone.no_top.*", "tone.air.too_little", *LOUDER), is_staged=False, is_once=True),
    Kind("low sample rate", "Hz", (32_000, 24_000, 16_000), v.at_rate, ("delivery.sample_rate.too_little",),
         ("tone.*too_little", "integrity.lossy", *LOUDER), is_staged=False),
)  # fmt: skip
