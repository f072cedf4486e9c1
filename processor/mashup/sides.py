"""The two sides of a mashup as sound, each for itself: the vocals at their places, and the instrumental's layers."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from processor.audio import Audio, downmix_matrix, from_samples
from processor.config import Limits
from processor.feedback.equaliser import Band, equalised
from processor.mashup.gating import gated
from processor.mashup.layers import decoded
from processor.mashup.levelling import levelled
from processor.mashup.placing import HOP_S, JOIN_S, Stretcher, energies, lay, placed, quietest
from processor.mashup.plan import Plan, Segment, cut_starts_s, duration_s, mashup_beats_s, stretch, time_map
from processor.mashup.plan_checks import validate
from processor.mashup.songs import VOCALS, Song
from processor.mashup.stretching import Samples, Sound, Vector, Way, check_way

# Four bars, unless somebody's bars are very long or very short.
BARS_A_PHRASE, SHORTEST_PHRASE_S, LONGEST_PHRASE_S = 4, 4.0, 16.0
DRUMS = "drums"
# What is cut never begins or ends at once, whatever the plan says.
LEAST_FADE_S, END_FADE_S = 0.003, 0.03
# One stretch of the instrumental goes over into the next before the downbeat, where its new first beat is still to
# come and the old one would have come: at the quietest moment between these.
OVER_FROM_S, OVER_TO_S = 0.09, 0.015
# Beats that lie nearer to the edge of a segment than this say nothing of the pace there.
EDGE_S = 0.02
# Where a segment follows another one that soon and has another shift, the pitch glides over its first moments.
GLIDE_WITHIN_S, GLIDE_S = 0.25, 0.4
# Filters with a corner near half the sample rate are not what they say.
HIGHEST_BAND = 0.45
CHUNK_S = 10


class Stopped(Exception):
    """Somebody wants no more of it."""


@dataclass
class Work:
    """How much is done, and whether it is to go on.

    Attributes:
        total_s: music to place, all layers together.
        done_s: music that is placed.
        stop: set when somebody wants no more of it.
    """

    total_s: float
    done_s: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def did(self, seconds: float) -> None:
        """Count what is done.

        Raises:
            Stopped: nobody wants the rest.
        """
        with self.lock:
            self.done_s += seconds
        if self.stop.is_set():
            raise Stopped


@dataclass(frozen=True)
class Hand:
    """What a side needs besides the plan and its song.

    Attributes:
        rate: sample rate of the mashup, in Hz.
        limits: what decoding may cost.
        stretch: the stretcher.
        work: how far it is.
        loaded: sounds that are decoded already, by layer; taken from here and let go.
    """

    rate: int
    limits: Limits
    stretch: Stretcher
    work: Work
    loaded: dict[str, Audio] = field(default_factory=dict)

    def counted(self, sound: Sound, way: Way, first: int, end: int) -> Samples:
        """The stretcher, unless it is to stop."""
        self.work.did(0.0)
        return self.stretch(sound, way, first, end)


@dataclass(frozen=True)
class Side:
    """One side, as placed.

    Attributes:
        layers: name → samples, shape `(2, n)`.
        joins: samples of the mashup around which sound was put together.
        segments_s: start and end of each segment in the mashup; empty for the instrumental.
        notes: what was done otherwise than one might think.
    """

    layers: dict[str, Samples]
    joins: tuple[int, ...]
    segments_s: tuple[tuple[float, float], ...] = ()
    notes: tuple[str, ...] = ()


def vocal_side(plan: Plan, song: Song, hand: Hand) -> Side:
    """The vocals: gated, placed segment by segment, equalised, levelled, at the levels of their places."""
    source = _voices(plan, song, hand)
    sound = Sound(gated(source, hand.rate, plan.gate_below_lufs), hand.rate, keeps_formants=True)
    del source
    found = np.zeros((2, _frames(plan, hand.rate)), np.float32)
    joins: list[int] = []
    ways = segment_ways(plan)
    for segment, way in zip(plan.segments, ways, strict=True):
        joins += _sing(found, sound, segment, way, (phrase_s(plan), hand))
        hand.work.did(segment.end_s - segment.start_s)
    del sound
    _equalise(found, plan.vocal_bands, hand.rate)
    spans = tuple((float(way.out_s[0]), float(way.out_s[-1])) for way in ways)
    found = levelled(found, hand.rate, spans)  # within each segment: what they are beside each other is planned
    return Side({VOCALS: _at_levels(found, plan, spans, hand.rate)}, tuple(joins), spans)


def _voices(plan: Plan, song: Song, hand: Hand) -> Samples:
    """What is sung, shape `(2, n)`: the lead, and what others sing behind it where that is a layer of its own."""
    total = np.zeros((2, 0), np.float32)
    for name in plan.vocals.layers:
        audio = decoded(song.layers[name], hand.limits)
        validate(plan, vocals_s=audio.duration_s)
        part = _stereo(audio, hand.rate)
        del audio
        shorter, longer = sorted((total, part), key=lambda one: one.shape[1])
        longer[:, : shorter.shape[1]] += shorter
        total = longer
    return total


def backing_side(plan: Plan, song: Song, hand: Hand) -> Side:
    """The instrumental: each layer cut, put end to end, at its gain, equalised; drums keep their pitch."""
    layers: dict[str, Samples] = {}
    joins: set[int] = set()
    for name in plan.instrumental.layers:
        audio = hand.loaded.pop(name, None) or decoded(song.layers[name], hand.limits)
        validate(plan, instrumental_s=audio.duration_s)
        sound = Sound(_stereo(audio, hand.rate), hand.rate, is_percussive=name == DRUMS)
        del audio
        shift = 0.0 if name == DRUMS else plan.instrumental_shift_semitones
        layers[name] = _play(plan, sound, shift, hand, joins)
        del sound
        _equalise(layers[name], plan.instrumental_bands, hand.rate)
        if plan.instrumental_gain_db:
            layers[name] *= np.float32(10 ** (plan.instrumental_gain_db / 20))
        hand.work.did(duration_s(plan))
    return Side(layers, tuple(sorted(joins)), notes=_shift_notes(plan))


def phrase_s(plan: Plan) -> float:
    """How long a phrase may be that is stretched in one go: four bars."""
    bars_s = BARS_A_PHRASE * plan.instrumental.grid.metre * 60 / plan.tempo_bpm
    return min(max(bars_s, SHORTEST_PHRASE_S), LONGEST_PHRASE_S)


def segment_ways(plan: Plan) -> list[Way]:
    """The way of each segment; where keys move from one to the next without a rest between, its pitch glides there.

    Raises:
        Unplayable: a stretch or shift that cannot be done.
    """
    found: list[Way] = []
    mashup_s = mashup_beats_s(plan)
    for segment in plan.segments:
        source, out = time_map(plan, segment, mashup_s)
        inner = (source > source[0] + EDGE_S) & (source < source[-1] - EDGE_S)
        inner[[0, -1]] = True
        shift = plan.vocal_shift_semitones + segment.extra_semitones
        way = Way(source[inner], out[inner], (float(source[0]),), (shift,))
        before = found[-1] if found else None
        if before is not None and before.semitones[-1] != shift and way.out_s[0] - before.out_s[-1] < GLIDE_WITHIN_S:
            over_s = min(GLIDE_S, segment.end_s - segment.start_s)
            way = Way(
                way.source_s, way.out_s, (segment.start_s, segment.start_s + over_s), (before.semitones[-1], shift)
            )
        check_way(way)
        found.append(way)
    return found


def _sing(found: Samples, sound: Sound, segment: Segment, way: Way, how: tuple[float, Hand]) -> tuple[int, ...]:
    """Add one segment to the vocals, faded at its edges; returns its joins, edges included."""
    longest_s, hand = how
    first, end = round(float(way.out_s[0]) * hand.rate), round(float(way.out_s[-1]) * hand.rate)
    first, end = max(0, first), min(found.shape[1], end)
    part = placed(sound, way, (first, end), longest_s, hand.counted)
    fades_s = (max(segment.fade_in_s, LEAST_FADE_S), max(segment.fade_out_s, LEAST_FADE_S))
    _fade(part.samples, *fades_s, hand.rate)
    found[:, first:end] += part.samples
    return first, *part.joins, end


def _play(plan: Plan, sound: Sound, shift: float, hand: Hand, joins: set[int]) -> Samples:
    """One layer of the instrumental, its cuts end to end; what goes on as it did in the song has no join."""
    rate, frames = hand.rate, _frames(plan, hand.rate)
    ways = _runs(plan, shift)
    half = round(JOIN_S * rate / 2)
    levels = energies(sound.samples, max(1, round(HOP_S * rate))) if len(ways) > 1 else np.zeros(0)
    starts = [0, *(_over(levels, pair, rate) for pair in pairwise(ways))]
    found = np.zeros((2, frames), np.float32)
    for way, start, end in zip(ways, starts, [*starts[1:], frames], strict=True):
        span = (max(0, start - half) if start else 0, min(frames, end + half))
        part = placed(sound, way, span, phrase_s(plan), hand.counted)
        lay(found, span[0], part.samples, 2 * half if start else 0, 2 * half)
        joins.update(part.joins)
    joins.update(starts[1:])
    # What begins where the file does, begins as it does.
    _fade(found, 0.0 if float(ways[0].source_s[0]) <= 0 else LEAST_FADE_S, END_FADE_S, rate)
    return found


def _runs(plan: Plan, shift: float) -> list[Way]:
    """The ways of the cuts; one that goes on where the one before it ends is part of it."""
    found: list[Way] = []
    last_end = -1
    for cut, (start_s, end_s, at_s) in zip(plan.cuts, cut_starts_s(plan), strict=True):
        out = np.array([at_s, at_s + (end_s - start_s) * stretch(plan)])
        source = np.array([start_s, end_s])
        if cut.first_beat == last_end:
            source[0], out[0] = found[-1].source_s[0], found[-1].out_s[0]
            found.pop()
        found.append(Way(source, out, (start_s,), (shift,)))
        check_way(found[-1])
        last_end = cut.end_beat
    return found


def _over(levels: Vector, pair: tuple[Way, Way], rate: int) -> int:
    """Where one stretch goes over into the next: before the downbeat, where both together are quietest."""
    hop = max(1, round(HOP_S * rate)) / rate
    at_s = float(pair[1].out_s[0])
    times = np.arange(at_s - OVER_FROM_S, at_s - OVER_TO_S, hop)
    heard = np.zeros(times.size)
    for way in pair:
        places = (way.back(times) / hop).astype(int)
        inside = (places >= 0) & (places < levels.size)
        heard[inside] += levels[places[inside]]
    return max(1, round(float(times[quietest(heard, 0, heard.size)]) * rate))


def _fade(samples: Samples, in_s: float, out_s: float, rate: int) -> None:
    """Raised cosines at both edges, in place; together never longer than all of it."""
    frames = samples.shape[1]
    for seconds, part in ((in_s, samples), (out_s, samples[:, ::-1])):
        length = min(round(seconds * rate), frames // 2)
        part[:, :length] *= (0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / max(1, length))).astype(np.float32)


def _at_levels(vocals: Samples, plan: Plan, spans: Sequence[tuple[float, float]], rate: int) -> Samples:
    """Each segment at its gain; between two of them the gain goes straight from one to the other."""
    knots = np.array(spans).reshape(-1)
    factors = np.repeat([10 ** (segment.gain_db / 20) for segment in plan.segments], 2)
    for start in range(0, vocals.shape[1], CHUNK_S * rate):
        part = vocals[:, start : start + CHUNK_S * rate]
        part *= np.interp((start + np.arange(part.shape[1])) / rate, knots, factors).astype(np.float32)
    return vocals


def _equalise(samples: Samples, bands: Sequence[Band], rate: int) -> None:
    """The bands, in place; those that this sample rate cannot hold are left out."""
    kept = [band for band in bands if band.gain_db and band.frequency_hz < HIGHEST_BAND * rate]
    at = 0
    for block in equalised(from_samples(samples, rate), kept).blocks() if kept else ():
        samples[:, at : at + block.shape[1]] = block
        at += block.shape[1]


def _stereo(audio: Audio, rate: int) -> Samples:
    """All samples at the rate of the mashup, folded to left and right."""
    samples = audio.samples
    if audio.channels != 2:
        samples = downmix_matrix(audio.positions) @ samples
    if audio.sample_rate != rate:
        import soxr

        samples = soxr.resample(samples.T, audio.sample_rate, rate, quality="VHQ").T
    return np.ascontiguousarray(samples, np.float32)


def _frames(plan: Plan, rate: int) -> int:
    return round(duration_s(plan) * rate)


def _shift_notes(plan: Plan) -> tuple[str, ...]:
    shift, layers = plan.instrumental_shift_semitones, plan.instrumental.layers
    if shift and DRUMS not in layers:
        return (f"All of the instrumental is shifted by {shift:+g} semitones: its drums are no layer of their own.",)
    return ()
