"""How a mix is broken: one function a fault, `(sound, strength) -> sound`.

A function returns None where a piece does not have what it would break: a mono file has no sides.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from tests.advice.dsp import (
    Sound,
    bell,
    factor,
    gained,
    keyed,
    levels,
    limited,
    local_db,
    passed,
    peak_db,
    rms_db,
    shaped,
    shelf,
    turned,
)

# What is turned by less is not turned.
LEAST_GAIN_DB = 0.5
# A recording runs on after the music: there its noise is heard.
LEAD_OUT_S = 10.0

# Loudness and dynamics


def at_loudness(sound: Sound, lufs: float) -> Sound:
    """As loud as that, into a limiter as far as needed."""
    gain, made = lufs - levels(sound)[0], sound
    for _ in range(6):
        made = limited(sound, gain)
        missing = lufs - levels(made)[0]
        if abs(missing) < 0.1:
            break
        gain += 1.3 * missing
    return made


def turned_down(sound: Sound, lufs: float) -> Sound:
    """As quiet as that."""
    return sound.with_samples(sound.samples * factor(lufs - levels(sound)[0]))


def pressed(sound: Sound, drive_db: float) -> Sound:
    """Peaks limited away, by so many dB of the highest."""
    return limited(sound, drive_db - 1.2 - peak_db(sound.samples))


def squashed(sound: Sound, under_db: float) -> Sound:
    """A fast compressor of 8:1, its threshold so far under the level of the whole."""
    from pedalboard import Compressor, Pedalboard

    chain = Pedalboard([Compressor(rms_db(sound.samples) - under_db, ratio=8, attack_ms=1, release_ms=60)])
    return sound.with_samples(chain(sound.samples, sound.rate))


def pumping(sound: Sound, depth_db: float) -> Sound:
    """Ducked by its own kick."""
    return keyed(sound, depth_db)


def spiked(sound: Sound, gain_db: float) -> Sound:
    """Attacks raised."""
    return shaped(sound, gain_db)


def softened(sound: Sound, gain_db: float) -> Sound:
    """Attacks lowered."""
    return shaped(sound, -gain_db)


def jump(sound: Sound, gain_db: float) -> Sound:
    """One second in the middle far louder than the rest."""
    curve = np.zeros(sound.samples.shape[1] * 1000 // sound.rate)
    middle = curve.size // 2
    curve[middle : middle + 1000] = gain_db
    return gained(sound, curve)


def stray_hit(sound: Sound, over_db: float) -> Sound:
    """A snare in the middle whose peak stands so far over all others."""
    n = round(0.15 * sound.rate)
    hit = np.random.default_rng(1).uniform(-1, 1, n) * np.exp(-np.arange(n) / (0.03 * sound.rate))
    samples = sound.samples.copy()
    middle = samples.shape[1] // 2
    samples[:, middle : middle + n] += factor(peak_db(sound.samples) + over_db) * hit
    return sound.with_samples(samples)


def quiet_start(sound: Sound, under_db: float) -> Sound:
    """The first 12 s so much lower."""
    curve = np.zeros(sound.samples.shape[1] * 1000 // sound.rate)
    curve[:12_000] = -under_db
    return gained(sound, curve)


# Clipping


def clipped(sound: Sound, drive_db: float) -> Sound:
    """Driven over full scale, and cut there."""
    return sound.with_samples(np.clip(sound.samples * factor(drive_db - peak_db(sound.samples)), -1, 1))


def clipped_before(sound: Sound, drive_db: float) -> Sound:
    """Clipped, and turned down by 5 dB afterwards."""
    made = clipped(sound, drive_db)
    return made.with_samples(made.samples * factor(-5))


def over_full_scale(sound: Sound, over_db: float) -> Sound:
    """True peaks over full scale, in a float file that can hold them."""
    return Sound((sound.samples * factor(over_db - levels(sound)[1])).astype(np.float32), sound.rate, "FLOAT")


def between_samples(sound: Sound, peak_dbtp: float) -> Sound:
    """In six places the music gives way to 5 ms at a quarter of the sample rate, sampled off its peaks.

    At 45 degrees the samples of such a tone lie 3 dB under the wave: they stay within full scale, the wave does not.
    """
    n = round(0.005 * sound.rate)
    tone = factor(peak_dbtp) * np.sin(np.pi / 2 * np.arange(n) + np.pi / 4)
    window = signal.windows.tukey(n, 0.5)
    samples = sound.samples.copy()
    for at in _places(sound, 6):
        samples[:, at : at + n] = samples[:, at : at + n] * (1 - window) + tone * window
    return sound.with_samples(samples)


# Tone: the strength is the gain in dB unless it says otherwise


def bell_at(hz: float, q: float) -> Any:
    """A maker of a bell."""
    return lambda sound, gain_db: bell(sound, hz, gain_db, q)


def shelf_at(hz: float, *, high: bool) -> Any:
    """A maker of a shelf."""
    return lambda sound, gain_db: shelf(sound, hz, gain_db, high=high)


def tilted(sound: Sound, gain_db: float) -> Sound:
    """The spectrum leans by so many dB from 125 Hz to 8 kHz."""
    for hz in (177.0, 354.0, 707.0, 1414.0, 2828.0, 5657.0):
        sound = shelf(sound, hz, gain_db / 6, high=True)
    return sound


def high_passed(sound: Sound, hz: float) -> Sound:
    """Nothing below, 24 dB an octave."""
    return passed(sound, "highpass", hz)


def low_passed(sound: Sound, hz: float) -> Sound:
    """Nothing above, 48 dB an octave."""
    return passed(sound, "lowpass", hz, 8)


# Low end


def rumbling(sound: Sound, level_db: float) -> Sound:
    """A tone of 24 Hz, so far over the low end between 40 and 130 Hz."""
    low = rms_db(passed(sound, "bandpass", (40.0, 130.0), 2).samples)
    return _added(sound, np.sin(2 * np.pi * 24 * _time(sound)), low + level_db)


def infrasonic(sound: Sound, level_db: float) -> Sound:
    """Noise from 6 to 14 Hz, so far over the whole."""
    noise = np.random.default_rng(2).standard_normal(sound.samples.shape[1])
    slow = passed(Sound(noise[None].astype(np.float32), sound.rate), "bandpass", (6.0, 14.0), 2).samples[0]
    return _added(sound, slow, rms_db(sound.samples) + level_db)


def low_end_turned(sound: Sound, degrees: float) -> Sound | None:
    """The right channel below 200 Hz turned in phase."""
    if sound.samples.shape[0] != 2:
        return None
    sos = signal.butter(4, 200.0, "lowpass", fs=sound.rate, output="sos")
    low = signal.sosfiltfilt(sos, sound.samples[1]).astype(np.float32)
    samples = sound.samples.astype(np.float64)
    # Both sides get the same low end, so that the angle between them is the one that is asked for.
    both = 0.5 * (low + signal.sosfiltfilt(sos, sound.samples[0]))
    samples[0] += both - signal.sosfiltfilt(sos, sound.samples[0])
    samples[1] += turned(both.astype(np.float32), degrees) - low
    return sound.with_samples(samples)


# Stereo


def flipped(sound: Sound, degrees: float) -> Sound | None:
    """The right channel turned in phase."""
    if sound.samples.shape[0] != 2:
        return None
    return sound.with_samples(np.stack([sound.samples[0].astype(np.float64), turned(sound.samples[1], degrees)]))


def side_at(sound: Sound, over_db: float) -> Sound | None:
    """The sides at a level against the middle; None for a mono piece."""
    if sound.samples.shape[0] != 2:
        return None
    middle, side = (sound.samples[0] + sound.samples[1]) / 2, (sound.samples[0] - sound.samples[1]) / 2
    if rms_db(side) < rms_db(middle) - 60:
        return None
    side = side * factor(rms_db(middle) + over_db - rms_db(side))
    return sound.with_samples(np.stack([middle + side, middle - side]))


def narrowed(sound: Sound, over_db: float) -> Sound | None:
    """The sides at a low level; None where they are at one already."""
    if sound.samples.shape[0] != 2:
        return None
    left, right = sound.samples
    if rms_db(left - right) - rms_db(left + right) < over_db + 3:
        return None
    return side_at(sound, over_db)


def widened(sound: Sound, over_db: float) -> Sound | None:
    """The sides at a high level; None where they are at one already."""
    if sound.samples.shape[0] != 2:
        return None
    left, right = sound.samples
    if rms_db(left - right) - rms_db(left + right) > over_db - 1:
        return None
    return side_at(sound, over_db)


def lopsided(sound: Sound, by_db: float) -> Sound | None:
    """The quieter side turned down."""
    if sound.samples.shape[0] != 2:
        return None
    gains = [1.0, 1.0]
    gains[int(rms_db(sound.samples[0]) > rms_db(sound.samples[1]))] = factor(-by_db)
    return sound.with_samples(sound.samples * np.array(gains)[:, None])


def late(sound: Sound, ms: float) -> Sound | None:
    """The right channel late."""
    if sound.samples.shape[0] != 2:
        return None
    n = round(ms / 1000 * sound.rate)
    right = np.concatenate([np.zeros(n, np.float32), sound.samples[1][: sound.samples.shape[1] - n]])
    return sound.with_samples(np.stack([sound.samples[0], right]))


def dead_channel(sound: Sound, left_db: float) -> Sound | None:
    """The right channel down to so many dB; below −120 there is nothing."""
    if sound.samples.shape[0] != 2:
        return None
    gain = factor(left_db) if left_db > -120 else 0.0
    return sound.with_samples(np.stack([sound.samples[0], sound.samples[1] * gain]))


# Integrity


def dc(sound: Sound, percent: float) -> Sound:
    """A constant, in percent of full scale."""
    return sound.with_samples(sound.samples + percent / 100)


def hum_of(mains_hz: float) -> Any:
    """A maker of hum with six harmonics, so far over the whole, which goes on for 10 s after the music."""

    def hum(sound: Sound, level_db: float) -> Sound:
        level = rms_db(sound.samples)
        sound = silence_after(sound, LEAD_OUT_S)
        time = _time(sound)
        wave = sum(np.sin(2 * np.pi * mains_hz * k * time + k) / k for k in range(1, 7))
        return _added(sound, np.asarray(wave), level + level_db)

    return hum


def hiss(sound: Sound, level_db: float) -> Sound:
    """White noise, so far over the whole, which goes on for 10 s after the music."""
    longer = silence_after(sound, LEAD_OUT_S)
    noise = np.random.default_rng(3).standard_normal(longer.samples.shape)
    return _added(longer, noise, rms_db(sound.samples) + level_db)


def clicks(sound: Sound, count: float) -> Sound:
    """Single samples that jump to half of full scale."""
    samples = sound.samples.copy()
    for at in _places(sound, int(count)):
        samples[:, at] += np.where(samples[:, at] > 0, -0.5, 0.5)
    return sound.with_samples(samples)


def dropouts(sound: Sound, count: float) -> Sound:
    """Gaps of 15 ms."""
    samples = sound.samples.copy()
    for at in _places(sound, int(count)):
        samples[:, at : at + round(0.015 * sound.rate)] = 0
    return sound.with_samples(samples)


def end_cut(sound: Sound, over_db: float) -> Sound:
    """Cut in the last third, where it sounds on at a level that is nearest to this against the whole."""
    step, away = _steadiness(sound, over_db)
    first = away.size * 2 // 3
    at = first + int(np.argmin(away[first:]))
    return sound.with_samples(sound.samples[:, : (at + 1) * step])


def start_cut(sound: Sound, over_db: float) -> Sound:
    """Begun in the first third, where it sounds on at a level that is nearest to this against the whole."""
    step, away = _steadiness(sound, over_db)
    at = 1 + int(np.argmin(away[1 : away.size // 3]))
    return sound.with_samples(sound.samples[:, at * step + step // 3 :])


def _steadiness(sound: Sound, over_db: float) -> tuple[int, NDArray[np.float64]]:
    """Samples a stretch of 50 ms, and how far each and both beside it are from a level: no attack begins there."""
    curve = np.abs(local_db(sound.samples, sound.rate) - rms_db(sound.samples) - over_db)
    return round(0.05 * sound.rate), np.maximum(curve, np.maximum(np.roll(curve, 1), np.roll(curve, -1)))


def silence_after(sound: Sound, seconds: float) -> Sound:
    """Nothing for so long."""
    nothing = np.zeros((sound.samples.shape[0], round(seconds * sound.rate)), np.float32)
    return sound.with_samples(np.concatenate([sound.samples, nothing], axis=1))


def silence_before(sound: Sound, seconds: float) -> Sound:
    """Nothing for so long."""
    nothing = np.zeros((sound.samples.shape[0], round(seconds * sound.rate)), np.float32)
    return sound.with_samples(np.concatenate([nothing, sound.samples], axis=1))


# Files


def of_bits(sound: Sound, bits: float) -> Sound:
    """Rounded to so many bits."""
    steps = 2 ** (int(bits) - 1)
    return sound.with_samples(np.clip(np.round(sound.samples * steps), -steps, steps - 1) / steps)


def through_mp3(sound: Sound, kbps: float) -> Sound:
    """Through an MP3 file, and back."""
    import av

    channels, n = sound.samples.shape
    layout = "mono" if channels == 1 else "stereo"
    held = io.BytesIO()
    with av.open(held, "w", format="mp3") as file:
        stream: Any = file.add_stream("libmp3lame", rate=sound.rate, layout=layout)
        stream.bit_rate = int(kbps * 1000)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound.samples), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = sound.rate, 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            file.mux(packet)
    held.seek(0)
    with av.open(held) as file:
        parts = [frame.to_ndarray() for frame in file.decode(audio=0)]
    return sound.with_samples(np.concatenate(parts, axis=1)[:, :n])


def at_rate(sound: Sound, rate: float) -> Sound:
    """Resampled."""
    common = int(np.gcd(sound.rate, int(rate)))
    samples = signal.resample_poly(sound.samples, int(rate) // common, sound.rate // common, axis=1)
    return Sound(samples.astype(np.float32), int(rate), sound.subtype)


def difference_db(made: Sound, clean: Sound) -> float:
    """How far what was changed lies under the piece, gain apart; 0 for another length or rate, or where it is gain."""
    if made.samples.shape != clean.samples.shape or made.rate != clean.rate:
        return 0.0
    one, other = made.samples.astype(np.float64), clean.samples.astype(np.float64)
    gain = float(np.vdot(one, other) / max(1e-20, np.vdot(other, other)))
    if abs(20 * np.log10(max(1e-20, abs(gain)))) > LEAST_GAIN_DB or gain < 0:
        return 0.0
    return rms_db(one - gain * other) - rms_db(one)


def _time(sound: Sound) -> NDArray[np.float64]:
    return np.arange(sound.samples.shape[1]) / sound.rate


def _places(sound: Sound, count: int) -> list[int]:
    """Where something breaks: spread over the piece, each time where it is loud."""
    step = round(0.05 * sound.rate)
    curve = local_db(sound.samples, sound.rate)
    parts = np.array_split(np.arange(curve.size), count + 2)[1:-1]
    return [int(part[np.argmax(curve[part])]) * step + step // 2 for part in parts]


def _added(sound: Sound, wave: NDArray[np.floating[Any]], level_db: float) -> Sound:
    return sound.with_samples(sound.samples + wave * factor(level_db - rms_db(wave)))
