"""A plan made sound, in single precision from the stems to the last step.

The vocals are freed from bleed, led along the beats, equalised, levelled and brought to the levels of their places.
The instrumental's layers are cut, put end to end and equalised, and give way to the vocals. The sum is brought to its
loudness under a limiter. All of it is a function of the plan and the files: the same give the same samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial

from processor.config import Limits
from processor.errors import LinerNotesError
from processor.mashup.ducking import apply_gains, duck_gains
from processor.mashup.layers import decoded
from processor.mashup.limiting import to_loudness
from processor.mashup.plan import Plan, duration_s
from processor.mashup.plan_checks import validate
from processor.mashup.sides import Hand, Side, Work, backing_side, segment_ways, vocal_side
from processor.mashup.songs import VOCALS, Song
from processor.mashup.stretching import Samples, stretcher

LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 44_100, 48_000
POLL_S = 0.1
# Share of the time that placing takes; the rest is the limiter's.
PLACING = 0.85


@dataclass(frozen=True)
class Rendered:
    """A mashup as sound.

    Attributes:
        samples: the mix, shape `(2, n)`.
        sample_rate: in Hz.
        vocals: as placed, shape `(2, n)`, before the gain and the limiter of the whole.
        backing: the same of each layer of the instrumental; with the vocals they add up to the mix before its gain.
        joins_s: where sound was put together, edges of segments included, in seconds of the mashup, rising.
        segments_s: where each segment of the plan begins and ends in the mashup.
        master_gain_db: gain of the whole before the limiter.
        limiter_db: the most that the limiter turned down, positive.
        lufs: integrated loudness; None where a meter shows none.
        true_peak_dbtp: highest true peak; None in silence.
        notes: what was done otherwise than one might think, in sentences.
    """

    samples: Samples
    sample_rate: int
    vocals: Samples
    backing: Mapping[str, Samples]
    joins_s: tuple[float, ...]
    segments_s: tuple[tuple[float, float], ...]
    master_gain_db: float
    limiter_db: float
    lufs: float | None
    true_peak_dbtp: float | None
    notes: tuple[str, ...] = ()

    @property
    def instrumental(self) -> Samples:
        """All layers of the backing together, shape `(2, n)`."""
        return summed(tuple(self.backing.values()))


def working_rate_hz(sample_rate: int) -> int:
    """The rate of a mashup over an instrumental of this one: no lower than a CD's, or vocals would lose their highs."""
    return min(max(sample_rate, LOWEST_RATE_HZ), HIGHEST_RATE_HZ)


def render(
    plan: Plan,
    songs: tuple[Song, Song],
    progress: Callable[[float], None] = lambda share: None,
    limits: Limits | None = None,
) -> Rendered:
    """Make the sound of a plan.

    It plays at `working_rate_hz` of the instrumental. Vocals and backing are made side by side in two threads: neither
    needs the other before the backing gives way, so what they give depends on no order.

    Args:
        plan: what to play.
        songs: who sings, and who plays.
        progress: told the share that is done, 0 to 1.
        limits: what decoding may cost; the default ones if left out.

    Raises:
        PlanError: the plan cannot be rendered; it names the field.
        Unplayable: the stretcher cannot do it, or is not here.
        LinerNotesError: a layer is missing or cannot be read.
    """
    limits = limits or Limits()
    validate(plan)
    stretch = stretcher(plan.stretcher)
    segment_ways(plan)
    _check_layers(plan, songs)
    name = plan.instrumental.layers[0]
    first = decoded(songs[1].layers[name], limits)
    sung_s = sum(segment.end_s - segment.start_s for segment in plan.segments)
    work = Work(sung_s + duration_s(plan) * len(plan.instrumental.layers))
    hand = Hand(working_rate_hz(first.sample_rate), limits, stretch, work, {name: first})
    del first
    jobs = partial(vocal_side, plan, songs[0], hand), partial(backing_side, plan, songs[1], hand)
    voice, band = _side_by_side(jobs, work, progress)
    found = _mixed(plan, voice, band, hand.rate)
    progress(1.0)
    return found


def summed(layers: tuple[Samples, ...]) -> Samples:
    """The sum of layers, always in the order given."""
    found = layers[0].copy()
    for layer in layers[1:]:
        found += layer
    return found


def _check_layers(plan: Plan, songs: tuple[Song, Song]) -> None:
    wanted = [(songs[0], name) for name in plan.vocals.layers]
    wanted += [(songs[1], name) for name in plan.instrumental.layers]
    for song, name in wanted:
        if name not in song.layers:
            there = ", ".join(song.layers) or "none"
            raise LinerNotesError(f'{song.title} has no layer "{name}"; there are: {there}.')


def _side_by_side(
    jobs: tuple[Callable[[], Side], Callable[[], Side]], work: Work, progress: Callable[[float], None]
) -> tuple[Side, Side]:
    """Run both; should one fail, or a person stop us, the other ends at its next phrase."""
    with ThreadPoolExecutor(max_workers=2) as threads:
        futures = [threads.submit(job) for job in jobs]
        try:
            waiting = set(futures)
            while waiting:
                finished, waiting = wait(waiting, timeout=POLL_S)
                for future in finished:
                    future.result()
                progress(min(1.0, work.done_s / work.total_s) * PLACING)
        except BaseException:
            work.stop.set()
            raise
        return futures[0].result(), futures[1].result()


def _mixed(plan: Plan, voice: Side, band: Side, rate: int) -> Rendered:
    """The backing gives way, and the sum is brought to its loudness."""
    vocals, backing = voice.layers[VOCALS], band.layers
    if plan.duck is not None:
        gains = duck_gains(summed(tuple(backing.values())), vocals, rate, plan.duck)
        for name in list(backing):
            backing[name] = apply_gains(backing[name], gains)
        del gains
    done = to_loudness(summed((vocals, *backing.values())), rate, plan.target_lufs, plan.ceiling_dbtp)
    return Rendered(
        samples=done.samples,
        sample_rate=rate,
        vocals=vocals,
        backing=backing,
        joins_s=tuple(joint / rate for joint in sorted({*voice.joins, *band.joins})),
        segments_s=voice.segments_s,
        master_gain_db=done.gain_db,
        limiter_db=done.limiter_db,
        lufs=done.lufs,
        true_peak_dbtp=done.true_peak_dbtp,
        notes=(*voice.notes, *band.notes),
    )
