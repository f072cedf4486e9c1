"""One phrase, stretched and shifted so that its moments fall where a map wants them: measured, and mended by that.

Rubber Band moves on by whole samples per window. So a factor comes out as the nearest that whole numbers allow, up to
0.2 % from the one that was asked for, and beats drift by up to 2 ms a second until it has lost 23 ms and hurries to
catch up. Two things are done about it. The factor is dithered: it changes every `BLOCK` samples by up to half a step
of that rounding, so that the mean is what was asked for. And every phrase carries a click in silence before it and one
behind it: where these come out says to a quarter of a millisecond what start and length the stretcher has given it, by
which it is cut, and made once more where it is too long or too short.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.errors import LinerNotesError

Vector = NDArray[np.float64]
Samples = NDArray[np.float32]
Machine = Callable[[Samples, "_Feed", float], Samples]

PEDALBOARD, PYRUBBERBAND = STRETCHERS = ("pedalboard", "pyrubberband")

# Rubber Band's factors change at most every 1,024 samples (documentation of pedalboard.time_stretch).
BLOCK = 1024
# Its windows move by about so many samples from a sample rate on, and a step of the rounding is one of these (measured:
# with no other width are beats within 1 ms). Multiples of the golden section are spread evenly however many one takes.
HOPS = ((22_050, 256), (11_025, 128), (0, 64))
GOLDEN = 0.6180339887498949
# A factor works on what went in so long before: half a window. Measured with clicks at factors of .88 to 1.12 and
# shifts of ±3 semitones, each to 1 ms; what remains of it is found by the clicks of each phrase.
LAG_S = 0.049
# A click stands in so much silence on both sides that no window (93 ms) holds both it and music.
SILENCE_S, CLICK = 0.2, 0.5
# Music around the phrase that the stretcher hears and that is cut away, so that it never starts from nothing.
CONTEXT_S, EDGE_S = 0.1, 0.005
# A phrase that comes out wrong by more than this over its length is made again.
TOLERANCE_S, MOST_TRIES = 0.002, 3
# Beyond these factors nothing sounds like itself; plans of ours ask for 12 %.
LEAST_FACTOR, MOST_FACTOR = 0.25, 4.0
# Drums by the older engine R2 in short windows: onsets of three true drum stems stayed .87 to .99 times as sharp as
# they were at factors of .9 to 1.1; by R3, .72 to .92.
PERCUSSIVE: dict[str, Any] = {
    "high_quality": False,
    "transient_mode": "crisp",
    "transient_detector": "percussive",
    "use_long_fft_window": False,
}
# Under −120 dB of full scale is silence.
SILENT = 1e-6


class Unplayable(LinerNotesError):
    """A stretch or shift that no stretcher can do, or one by a stretcher that is not here."""


@dataclass(frozen=True)
class Sound:
    """Samples to play from.

    Attributes:
        samples: shape `(2, n)`.
        sample_rate: in Hz.
        keeps_formants: whether a shift leaves the colour of the voice as it was.
        is_percussive: drums, whose attacks matter more than their tones.
    """

    samples: Samples
    sample_rate: int
    keeps_formants: bool = False
    is_percussive: bool = False


@dataclass(frozen=True)
class Way:
    """How a sound is led through time and pitch.

    Attributes:
        source_s: moments of the sound, rising, shape `(n,)`, n ≥ 2.
        out_s: where each of them falls, rising, shape `(n,)`; evenly in between.
        pitch_at_s: moments of the sound at which its shift is told, rising; straight lines in between.
        semitones: the shift at each of these.
    """

    source_s: Vector
    out_s: Vector
    pitch_at_s: tuple[float, ...] = (0.0,)
    semitones: tuple[float, ...] = (0.0,)

    @property
    def is_shifted(self) -> bool:
        """Whether any of it has another pitch than before."""
        return any(self.semitones)

    @property
    def is_gliding(self) -> bool:
        """Whether its pitch moves."""
        return len(set(self.semitones)) > 1

    def at(self, times_s: Vector) -> Vector:
        """Where moments of the sound fall; before the first and behind the last it goes on at its pace."""
        return along(times_s, self.source_s, self.out_s)

    def back(self, times_s: Vector) -> Vector:
        """Which moments of the sound fall there: the inverse of `at`."""
        return along(times_s, self.out_s, self.source_s)


def along(values: Vector, knots: Vector, results: Vector) -> Vector:
    """Straight lines through knots, which go on beyond the first and the last one, shape of `values`."""
    piece = np.clip(np.searchsorted(knots, values, side="right") - 1, 0, knots.size - 2)
    slope = np.diff(results) / np.diff(knots)
    return np.asarray(results[piece] + (values - knots[piece]) * slope[piece])


def check_way(way: Way) -> None:
    """Refuse what no stretcher can do.

    Raises:
        Unplayable: a factor beyond `LEAST_FACTOR` or `MOST_FACTOR`, time that stands still or runs back, or a shift of
            more than two octaves.
    """
    steps, wanted = np.diff(way.source_s), np.diff(way.out_s)
    if not (np.isfinite(way.source_s).all() and np.isfinite(way.out_s).all() and (steps > 0).all()):
        raise Unplayable("The moments of a segment do not come one after the other.")
    factors = wanted / steps
    if factors.min() < LEAST_FACTOR or factors.max() > MOST_FACTOR:
        worst = factors.min() if factors.min() < LEAST_FACTOR else factors.max()
        raise Unplayable(
            f"A beat would be made {worst:.3g} times as long; between {LEAST_FACTOR:g} and {MOST_FACTOR:g} can be done."
        )
    if not all(abs(shift) <= 24 for shift in way.semitones):
        raise Unplayable("A shift of more than 24 semitones cannot be done.")


def stretcher(name: str) -> Callable[[Sound, Way, int, int], Samples]:
    """The function that stretches as `stretched` does, by the name of what it is done with.

    "pyrubberband" hands each phrase to the program `rubberband` in files of 16 bit: what is above full scale is
    clipped and what is below −96 dB is lost, and its pitch cannot glide. It is there for who asks for it.

    Raises:
        Unplayable: no such stretcher, or it is not installed.
    """
    if name == PEDALBOARD:
        return stretched
    if name != PYRUBBERBAND:
        raise Unplayable(f'There is no stretcher "{name}"; there are "{PEDALBOARD}" and "{PYRUBBERBAND}".')
    if find_spec(PYRUBBERBAND) is None:
        raise Unplayable(
            "pyrubberband is not installed: pip install 'liner-notes[rubberband]', or leave it to pedalboard."
        )
    if shutil.which("rubberband") is None:
        raise Unplayable("pyrubberband needs the program rubberband (package rubberband-cli), which is not installed.")
    return partial(stretched, machine=_by_program)


def stretched(sound: Sound, way: Way, first: int, end: int, machine: Machine | None = None) -> Samples:
    """Render the samples of a mashup from `first` to before `end`, shape `(2, end − first)`.

    Rubber Band R3 by `pedalboard.time_stretch`, in single precision from end to end. Samples of the sound before its
    beginning and behind its end are silence.

    Args:
        sound: what is played.
        way: what falls where.
        first: number of the first sample wanted, in the mashup.
        end: number of the first one that is not; a phrase should not be much longer than 4 bars, for what is mended
            after measuring is one factor for all of it.
        machine: what does it, if not pedalboard.
    """
    rate = sound.sample_rate
    span_s = way.back(np.array([first, end]) / rate)
    start = int(np.floor((span_s[0] - CONTEXT_S) * rate))
    music = window(sound.samples, start, int(np.ceil((span_s[1] + CONTEXT_S) * rate)) - start)
    if np.abs(music).max(initial=0.0) < SILENT:
        return np.zeros((2, end - first), np.float32)
    is_mono = np.array_equal(music[0], music[1])
    feed = _Feed(sound, way, start - 2 * _quiet(rate) - 1, machine or _in_process)
    found = _between_clicks(music[:1] if is_mono else music, feed, first, end)
    return np.repeat(found, 2, axis=0) if is_mono else found


@dataclass(frozen=True)
class _Feed:
    """What the stretcher is given: music between clicks.

    Attributes:
        sound: what the music is of.
        way: what falls where.
        start: which sample of the sound the first one of the feed would be.
        machine: what stretches it.
        mended_at: samples of the feed …
        mended_by: … and how much later each is asked for, in samples, than it is to come.
    """

    sound: Sound
    way: Way
    start: int
    machine: Machine
    mended_at: Vector = field(default_factory=lambda: np.zeros(1))
    mended_by: Vector = field(default_factory=lambda: np.zeros(1))

    def at(self, indices: Vector) -> Vector:
        """Where samples of the feed belong in the mashup, in samples."""
        rate = self.sound.sample_rate
        return self.way.at((self.start + indices) / rate) * rate

    def semitones(self, indices: Vector) -> Vector:
        """The shift at samples of the feed."""
        return np.interp((self.start + indices) / self.sound.sample_rate, self.way.pitch_at_s, self.way.semitones)


def _quiet(rate: int) -> int:
    return round(SILENCE_S * rate)


def _between_clicks(music: Samples, feed: _Feed, first: int, end: int) -> Samples:
    """Stretch music with a click on both sides, and cut from it what lies from `first` to `end` by where these are."""
    quiet = _quiet(feed.sound.sample_rate)
    fed = np.pad(_faded(music, feed.sound.sample_rate), ((0, 0), (2 * quiet + 1, 2 * quiet + 1)))
    marks = np.array([quiet, fed.shape[1] - quiet - 1])
    fed[:, marks] = CLICK
    if feed.way.is_gliding:
        feed = _tried(feed, fed.shape[1])
    wanted = feed.at(marks.astype(np.float64))
    best, least, factor = fed, np.inf, 1.0
    for _ in range(MOST_TRIES):
        came = feed.machine(fed, feed, factor)
        found = _clicks(came, wanted - feed.at(np.zeros(1)))
        wrong = float(found[1] - found[0] - wanted[1] + wanted[0])
        if abs(wrong) < least:
            begin = first + round(float(found[0] - wanted[0]) + wrong / 2)
            best, least = window(came, begin, end - first), abs(wrong)
        if least <= TOLERANCE_S * feed.sound.sample_rate:
            break
        factor *= float((wanted[1] - wanted[0]) / (found[1] - found[0]))
    return best


def _tried(feed: _Feed, frames: int) -> _Feed:
    """Learn from a row of clicks what a glide does to time all along, and ask for the opposite of it.

    While the pitch moves, Rubber Band jumps by up to 13 ms and runs off by 1 ms a second. What it does hangs on its
    factors and not on the sound.
    """
    every = _quiet(feed.sound.sample_rate)
    marks = np.arange(every, frames - every // 2, every)
    row = np.zeros((1, frames), np.float32)
    row[:, marks] = CLICK
    wanted = feed.at(marks.astype(np.float64)) - feed.at(np.zeros(1))
    for _ in range(MOST_TRIES):
        late = _clicks(feed.machine(row, feed, 1.0), wanted) - wanted
        late -= late[0]
        if np.abs(late).max() <= TOLERANCE_S * feed.sound.sample_rate:
            break
        feed = replace(
            feed, mended_at=marks.astype(np.float64), mended_by=np.interp(marks, feed.mended_at, feed.mended_by) - late
        )
    return feed


def _in_process(fed: Samples, feed: _Feed, factor: float) -> Samples:
    """Rubber Band R3, each block by the length that it is to have, give or take the dither."""
    import pedalboard

    rate, frames = feed.sound.sample_rate, fed.shape[1]
    edges = np.arange(0, frames + BLOCK, BLOCK) - LAG_S * rate
    number = np.arange(edges.size - 1)
    places = feed.at(edges) + np.interp(edges, feed.mended_at, feed.mended_by)
    ratios = np.maximum(np.diff(places) / BLOCK * factor, LEAST_FACTOR / 2)
    hop = next(hop for least, hop in HOPS if rate >= least)
    ratios *= 1 + ((number * GOLDEN) % 1 - 0.5) / hop
    semitones: float | Vector = feed.way.semitones[0]
    if feed.way.is_gliding:
        semitones = np.repeat(feed.semitones(edges[:-1] + BLOCK / 2), BLOCK)[:frames]
    found: Samples = pedalboard.time_stretch(
        fed,
        rate,
        stretch_factor=np.repeat(1 / ratios, BLOCK)[:frames],
        pitch_shift_in_semitones=semitones,
        preserve_formants=feed.sound.keeps_formants,
        **(PERCUSSIVE if feed.sound.is_percussive else {}),
    )
    return found


def _by_program(fed: Samples, feed: _Feed, factor: float) -> Samples:
    """The program `rubberband`, from beat to beat by a map of its own."""
    if feed.way.is_gliding:
        raise Unplayable("pyrubberband cannot let the pitch glide; leave it to pedalboard, or let the shift stay.")
    rate, frames = feed.sound.sample_rate, fed.shape[1]
    beats = np.round(feed.way.source_s * rate).astype(int) - feed.start
    knots = np.array([0, *beats[(beats > 0) & (beats < frames)], frames])
    places = np.round((feed.at(knots.astype(np.float64)) - feed.at(np.zeros(1))) * factor).astype(int)
    # Each word and what follows it become two arguments: a switch is followed by another one.
    words = {
        "--fine": "--formant" if feed.sound.keeps_formants else "--quiet",
        "--pitch": feed.way.semitones[0],
    }
    pairs = [(int(knot), int(place)) for knot, place in zip(knots, places, strict=True) if knot]
    found = import_module(PYRUBBERBAND).timemap_stretch(fed.T, rate, pairs, words)
    return np.ascontiguousarray(np.asarray(found, np.float32).reshape(-1, len(fed)).T)


def _clicks(came: Samples, wanted: Vector) -> Vector:
    """Where clicks came out: the middle of the energy half way to their neighbours, in samples."""
    around = int(min(wanted[0], came.shape[1] - wanted[-1], *(np.diff(wanted))) // 2)
    found = []
    for place in wanted:
        begin = max(0, int(place) - around)
        energy = np.square(came[0, begin : int(place) + around], dtype=np.float64)
        total = float(energy.sum())
        found.append(begin + float(energy @ np.arange(energy.size)) / total if total > 0 else float(place))
    return np.array(found)


def _faded(music: Samples, rate: int) -> Samples:
    ramp = np.arange(1, music.shape[1] + 1, dtype=np.float32) / np.float32(EDGE_S * rate)
    return np.asarray(music * np.minimum(1, np.minimum(ramp, ramp[::-1])), np.float32)


def window(samples: Samples, start: int, frames: int) -> Samples:
    """So many samples from `start` on, shape `(channels, frames)`; silence where there are none. A copy."""
    found = np.zeros((len(samples), max(0, frames)), samples.dtype)
    begin, end = max(0, start), min(samples.shape[1], start + frames)
    if begin < end:
        found[:, begin - start : end - start] = samples[:, begin:end]
    return found
