"""How loud each segment is: what sounds of both songs at the same moments of the mashup."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from processor.mashup.balance import MOST_GAIN_DB, ratio_lu, section_gains
from processor.mashup.listening import HOP_S, Backing, Voice
from processor.mashup.plan import Plan, cut_starts_s, mashup_beats_s, stretch, time_map

Vector = NDArray[np.float64]

# Vocals that would have to be turned up by more than that are left there, and the backing is turned down instead.
MOST_UP_DB = 12.0
# Of the depth of the ducking, so much is what the whole backing loses in loudness while somebody sings: 1.7 of 3.5 dB.
DUCKED_SHARE = 0.5


def with_gains(plan: Plan, voice: Voice, backing: Backing) -> Plan:
    """A plan whose vocals stand over what plays under them as it says."""
    mashup_s = mashup_beats_s(plan)
    ducked = 1.0 if plan.duck is None else 10 ** (-DUCKED_SHARE * plan.duck.depth_db / 10)
    stretches = []
    for segment in plan.segments:
        source, target = time_map(plan, segment, mashup_s)
        steps = np.arange(target[0] + HOP_S / 2, target[-1], HOP_S)
        sung = _at(voice.sound.power, np.interp(steps, target, source))
        stretches.append((sung, ducked * _at(backing.sound.power, _played_s(plan, steps))))
    whole = ratio_lu(*(np.concatenate(side) for side in zip(*stretches, strict=True))) if stretches else None
    wanted = plan.vocal_to_backing_lu
    up = 0.0 if whole is None else wanted - whole
    down = float(np.clip(MOST_UP_DB - up, -MOST_GAIN_DB, 0.0))
    turned = [(sung, under * 10 ** (down / 10)) for sung, under in stretches]
    gains = section_gains(turned, wanted)
    segments = tuple(replace(one, gain_db=gain) for one, gain in zip(plan.segments, gains, strict=True))
    return replace(plan, segments=segments, instrumental_gain_db=round(down, 2))


def _at(power: Vector, times_s: Vector) -> Vector:
    """Power at each moment; 0 beyond the ends."""
    hops = np.floor(times_s / HOP_S).astype(np.int64)
    is_inside = (hops >= 0) & (hops < power.size)
    return (
        np.where(is_inside, power[np.clip(hops, 0, max(power.size - 1, 0))], 0.0) if power.size else np.zeros(hops.size)
    )


def _played_s(plan: Plan, times_s: Vector) -> Vector:
    """Where in the instrumental's file each moment of the mashup is taken from."""
    found = np.zeros(times_s.size)
    for start_s, _, at_s in cut_starts_s(plan):
        is_later = times_s >= at_s
        found[is_later] = start_s + (times_s[is_later] - at_s) / stretch(plan)
    return found
