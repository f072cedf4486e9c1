"""A fingerprint of the recording: what finds it again after another coding, equaliser, cut or small change of speed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from processor.analysis.mono import Mono
from processor.graph import analyser
from processor.kernels import kernel
from processor.quantities import quantity

Samples = NDArray[np.float32]
Vector = NDArray[np.float64]
Whole = NDArray[np.int64]
Landmarks = tuple[Whole, Whole]

# Landmarks lie below the treble, which codings at low rates throw away. Down to the bass they go because a mix and one
# of its stems often agree in the middle and differ there.
DECIMATION = 4
WINDOW = 1024
HOP = 128
FIRST_BIN, LAST_BIN = 8, 500  # 43 to 2690 Hz
FIR_TAPS = 48
BLOCK_FRAMES = 512

# A landmark is the strongest point of a rectangle of 0.7 s by ±19 % of its frequency: about eight a second in music.
# Its place in time and frequency is all that is kept; levels are what processing changes.
REACH_FRAMES = 15
REACH_SHARE = 0.19
MIN_REACH_BINS = 4
FLOOR = 1e-5  # of the strongest point: what lies 50 dB below it is noise, which codings change
PITCH_ORIGIN_HZ = 20.0
STEP_CENTS = 5.0
STEPS = 4096  # steps of pitch in a packed landmark; 17 octaves
# Fewer landmarks, or fewer pitches, occur in other recordings by chance.
MIN_COUNT, MIN_PITCHES, MIN_S = 8, 4, 3.0


@dataclass(frozen=True)
class Fingerprint:
    """What tells this recording from every other."""

    frame_rate_hz: float = quantity(
        "Hz",
        label="Grid of the landmarks",
        source="22 050 Hz / 4 / 128",
        help="Steps of time a second in which landmarks are placed.",
        low=0,
        digits=2,
    )
    landmark_count: int = quantity(
        "",
        label="Landmarks",
        source="strongest points of the spectrogram, each in its neighbourhood",
        help="How many points the recording can be recognised by; 0 where there is too little sound to tell.",
        low=0,
        digits=0,
    )
    landmarks: Vector = quantity(
        "",
        label="Fingerprint",
        source="after Wang 2003 (Shazam) and Six and Leman 2014 (Panako): points only, no levels",
        help=(
            "Finds the same recording in another file: another coding, equaliser, cut or slightly other speed. "
            "Each value is time step × 4096 + pitch in steps of 5 cents above 20 Hz."
        ),
        low=0,
    )


@analyser(version=1)
def fingerprint(mono: Mono) -> Fingerprint:
    """Find the landmarks of a recording.

    Source: Wang, "An industrial-strength audio search algorithm" (ISMIR 2003); Six and Leman, "Panako" (ISMIR 2014).
    """
    frame_rate = mono.sample_rate / DECIMATION / HOP
    frames, pitches = landmarks_of(mono.samples)
    if frames.size < MIN_COUNT or np.unique(pitches).size < MIN_PITCHES or mono.duration_s < MIN_S:
        frames, pitches = frames[:0], pitches[:0]
    return Fingerprint(frame_rate, int(frames.size), (frames * STEPS + pitches).astype(np.float64))


def landmarks_of(samples: Samples) -> Landmarks:
    """Time step and pitch step of each landmark, in order of time; `samples` at 22.05 kHz, shape `(n,)`."""
    power = _spectrogram(samples)
    floor = float(power.max(initial=0.0)) * FLOOR
    if floor <= 0.0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    # No two landmarks lie in one another's rectangle, so a bound on their number is the number of half rectangles.
    most = (power.shape[0] // REACH_FRAMES + 1) * (power.shape[1] // MIN_REACH_BINS + 1)
    frames, bins = np.zeros(most, np.int64), np.zeros(most)
    found = _find_peaks(power, floor, frames, bins)
    pitches = np.round(1200 / STEP_CENTS * np.log2(bins[:found] * _bin_hz() / PITCH_ORIGIN_HZ))
    return frames[:found], pitches.astype(np.int64)


def _bin_hz() -> float:
    return 22_050 / DECIMATION / WINDOW


def _spectrogram(samples: Samples) -> Samples:
    """Power at `HOP` steps, shape `(frames, LAST_BIN − FIRST_BIN)`."""
    half = WINDOW // 2
    slow = np.zeros(samples.size // DECIMATION + 2 * half, np.float32)
    padded = np.pad(samples, (FIR_TAPS // 2, FIR_TAPS))
    _decimate(padded, _low_pass(), slow[half : slow.size - half])
    window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    framed = np.lib.stride_tricks.sliding_window_view(slow, WINDOW)[::HOP]
    power = np.empty((len(framed), LAST_BIN - FIRST_BIN), np.float32)
    for start in range(0, len(framed), BLOCK_FRAMES):
        spectrum = scipy.fft.rfft(framed[start : start + BLOCK_FRAMES] * window, axis=1, workers=1)
        part = spectrum[:, FIRST_BIN:LAST_BIN]
        power[start : start + BLOCK_FRAMES] = part.real**2 + part.imag**2
    return power


def _low_pass() -> Samples:
    """A windowed sinc that lets the lowest quarter pass."""
    time = np.arange(FIR_TAPS) - (FIR_TAPS - 1) / 2
    taps = np.sinc(time * 0.9 / DECIMATION) * np.blackman(FIR_TAPS + 2)[1:-1]
    low_pass: Samples = (taps / taps.sum()).astype(np.float32)
    return low_pass


@kernel
def _decimate(samples: Samples, taps: Samples, out: Samples) -> None:
    """Every fourth sample of the filtered sound."""
    for i in range(out.size):
        total = np.float32(0.0)
        for k in range(taps.size):
            total += samples[DECIMATION * i + k] * taps[k]
        out[i] = total


@kernel
def _find_peaks(power: Samples, floor: float, frames: Whole, bins: Vector) -> int:
    """Write the strongest points of their rectangles; the bin is refined by a parabola through three levels."""
    found = 0
    for t in range(1, power.shape[0] - 1):
        for b in range(1, power.shape[1] - 1):
            value = power[t, b]
            if (
                value <= floor
                or value < power[t, b - 1]
                or value <= power[t, b + 1]
                or value < power[t - 1, b]
                or value <= power[t + 1, b]
                or not _is_strongest(power, t, b)
            ):
                continue
            below = np.log(max(power[t, b - 1], value * np.float32(1e-6)))
            above = np.log(max(power[t, b + 1], value * np.float32(1e-6)))
            curve = below - 2 * np.log(value) + above
            shift = 0.5 * (below - above) / curve if curve < 0 else 0.0
            if found < frames.size:
                frames[found], bins[found] = t, FIRST_BIN + b + shift
                found += 1
    return found


@kernel
def _is_strongest(power: Samples, t: int, b: int) -> bool:
    """Whether nothing in the rectangle around a point is stronger."""
    reach = max(MIN_REACH_BINS, int((FIRST_BIN + b) * REACH_SHARE))
    for s in range(max(0, t - REACH_FRAMES), min(power.shape[0], t + REACH_FRAMES + 1)):
        for c in range(max(0, b - reach), min(power.shape[1], b + reach + 1)):
            if power[s, c] > power[t, b]:
                return False
    return True


# Comparing

# A triple of landmarks is one hash: the pitch of the first, and how far the others are from it in pitch and in time.
# The cells are so wide that 1 % of speed leaves a third of the triples that survive in the same cell: plenty, since
# one in some millions agrees by chance.
TARGETS = 4
TARGET_FRAMES = (6, 86)  # 0.14 to 2 s after the first
TARGET_STEPS = 240  # one octave up or down
PITCH_CELL, INTERVAL_CELL, TIME_CELL = 20, 6, 6
MAX_HITS_A_HASH = 64
MIN_HITS = 3
SPEEDS = (0.97, 1.03)
# Landmarks of two files are the same when they are this near once the files are laid on one another. A bin of the
# transform has 5.4 Hz, so the deep ones are not known as well in cents.
NEAR_FRAMES, NEAR_STEPS, NEAR_HZ = 5, 8, 3.0
MIN_SPREAD = 1e5  # squared frames; with less, points lie too close together for a slope

# Where two recordings are one. Measured on 76 recordings and their 54 stems: other codings, equalisers, cuts and speeds
# have scores from 0.74; 1 % by a phase vocoder, which blurs everything, from 0.40; other recordings up to 0.17. A stem
# has 0.2 to 0.76 of its mix, but lacks something, and has least in the band where that is. The two are summed, since a
# vocoder leaves some of everything, and a stem much of most.
SAME_SCORE, SAME_SUM, SAME_OVERLAP, SAME_LANDMARKS = 0.38, 0.7, 0.7, 8
BAND_EDGES_HZ = (150.0, 400.0, 1000.0)
BAND_PRIOR = 4.0  # landmarks that a band has of its own accord, as many of them common as everywhere


@dataclass(frozen=True)
class Match:
    """How two fingerprints fit together.

    Attributes:
        score: share of the landmarks within the overlap that both have, 0 to 1.
        weakest: the same in that one of four bands where it is smallest, 0 to 1.
        landmarks: how many landmarks both have.
        overlap: how much of the shorter recording the other has too, 0 to 1.
        offset_s: what is at `t` in the first is at `offset_s + t / speed` in the second.
        speed: how many times as fast the second plays.
        pitch_cents: how much higher the second sounds.
    """

    score: float
    weakest: float
    landmarks: int
    overlap: float
    offset_s: float
    speed: float
    pitch_cents: float

    @property
    def is_same(self) -> bool:
        """Whether the two are one recording."""
        return (
            self.score >= SAME_SCORE
            and self.score + self.weakest >= SAME_SUM
            and self.overlap >= SAME_OVERLAP
            and self.landmarks >= SAME_LANDMARKS
        )


NO_MATCH = Match(0.0, 0.0, 0, 0.0, 0.0, 1.0, 0.0)


def similarity(first: Fingerprint, second: Fingerprint) -> Match:
    """Lay one recording on another as well as it goes, and count the landmarks that they share."""
    a, b = unpacked(first), unpacked(second)
    if not a[0].size or not b[0].size:
        return NO_MATCH
    hits = _hits(*hashes(*a), *hashes(*b))
    if len(hits) < MIN_HITS:
        return NO_MATCH
    lay = _lay(a, b, hits)
    return _compared(a, b, lay, first.frame_rate_hz)


def unpacked(one: Fingerprint) -> Landmarks:
    """Time step and pitch step of each landmark."""
    packed = np.rint(one.landmarks[np.isfinite(one.landmarks)]).astype(np.int64)
    return packed // STEPS, packed % STEPS


def hashes(frames: Whole, pitches: Whole) -> tuple[Whole, Whole]:
    """Hash and index of the first landmark of every triple, in order of the hash."""
    keys = np.zeros(frames.size * TARGETS * (TARGETS - 1) // 2, np.int64)
    firsts = np.zeros(keys.size, np.int64)
    found = _triples(frames, pitches, keys, firsts)
    order = np.argsort(keys[:found], kind="stable")
    return keys[order], firsts[order]


def _hits(keys_a: Whole, firsts_a: Whole, keys_b: Whole, firsts_b: Whole) -> Whole:
    """Landmarks of a and b that begin equal triples, shape `(n, 2)`.

    Of a triple that occurs again and again, as in a loop, each of a meets those of b whose turn it is about then.
    """
    start = np.searchsorted(keys_b, keys_a)
    count = np.searchsorted(keys_b, keys_a, side="right") - start
    turn = np.arange(keys_a.size) - np.searchsorted(keys_a, keys_a)
    start += np.clip(turn - MAX_HITS_A_HASH // 2, 0, np.maximum(0, count - MAX_HITS_A_HASH))
    count = np.minimum(count, MAX_HITS_A_HASH)
    which = np.repeat(start - np.cumsum(count) + count, count) + np.arange(count.sum())
    return np.stack([np.repeat(firsts_a, count), firsts_b[which]], axis=1)


def _lay(a: Landmarks, b: Landmarks, hits: Whole) -> tuple[float, float, float]:
    """Slowness, offset in frames and steps of pitch that bring most landmarks of a onto those of b."""
    time_a, time_b = a[0][hits[:, 0]].astype(np.float64), b[0][hits[:, 1]].astype(np.float64)
    length = max(int(a[0][-1]), int(b[0][-1])) + 1
    each_way = max(8, round((SPEEDS[1] - SPEEDS[0]) / 2 * length / NEAR_FRAMES))
    speeds = np.linspace(*SPEEDS, 2 * each_way + 1)
    speeds = speeds[np.argsort(np.abs(speeds - 1), kind="stable")]  # of equal ones the first, which changes least
    slowness, offset = _best_line(time_a, time_b, 1 / speeds, NEAR_FRAMES)
    near = np.abs(time_a * slowness + offset - time_b) <= NEAR_FRAMES
    for _ in range(2):
        slowness, offset = _line(time_a[near], time_b[near], slowness)
        near = np.abs(time_a * slowness + offset - time_b) <= NEAR_FRAMES
    bend = (b[1][hits[:, 1]] - a[1][hits[:, 0]])[near]
    return slowness, offset, float(np.median(bend))


def _line(x: Vector, y: Vector, slope: float) -> tuple[float, float]:
    """The straight line through points; its slope stays where the points are too close together to say."""
    spread = x - x.mean()
    energy = float(spread @ spread)
    if energy > MIN_SPREAD:
        slope = float(spread @ (y - y.mean())) / energy
    return slope, float(np.median(y - slope * x))


def _compared(a: Landmarks, b: Landmarks, lay: tuple[float, float, float], rate: float) -> Match:
    slowness, offset, steps = lay
    moved = a[0] * slowness + offset
    low, high = max(moved[0], b[0][0]) - NEAR_FRAMES, min(moved[-1], b[0][-1]) + NEAR_FRAMES
    inside = (moved >= low) & (moved <= high)
    pitches, others = a[1][inside] + steps, b[1][(b[0] >= low) & (b[0] <= high)]
    is_common = _common(moved[inside], pitches, b[0], b[1])
    common, bands = int(is_common.sum()), len(BAND_EDGES_HZ) + 1
    score = common / max(1, pitches.size, others.size)
    edges = 1200 / STEP_CENTS * np.log2(np.array(BAND_EDGES_HZ) / PITCH_ORIGIN_HZ)
    each, other_each = (np.bincount(np.searchsorted(edges, p), minlength=bands) for p in (pitches, others))
    found = np.bincount(np.searchsorted(edges, pitches), is_common, minlength=bands)
    shares = (found + BAND_PRIOR * score) / (np.maximum(each, other_each) + BAND_PRIOR)
    shorter = max(1.0, min(moved[-1] - moved[0], float(b[0][-1] - b[0][0])))
    return Match(
        score=score,
        weakest=float(shares.min()),
        landmarks=common,
        overlap=float(np.clip((high - low) / shorter, 0, 1)),
        offset_s=offset / rate,
        speed=1 / slowness,
        pitch_cents=steps * STEP_CENTS,
    )


@kernel
def _triples(frames: Whole, pitches: Whole, keys: Whole, firsts: Whole) -> int:
    """Write the hash of each triple and the index of its first landmark."""
    found = 0
    targets = np.zeros(TARGETS, np.int64)
    cells = 2 * TARGET_STEPS // INTERVAL_CELL + 1
    times = TARGET_FRAMES[1] // TIME_CELL + 1
    for i in range(frames.size):
        n = 0
        for j in range(i + 1, frames.size):
            gap = frames[j] - frames[i]
            if n == TARGETS or gap > TARGET_FRAMES[1]:
                break
            if gap >= TARGET_FRAMES[0] and abs(pitches[j] - pitches[i]) <= TARGET_STEPS:
                targets[n] = j
                n += 1
        for p in range(n):
            for q in range(p + 1, n):
                j, k = targets[p], targets[q]
                key = pitches[i] // PITCH_CELL
                key = key * cells + (pitches[j] - pitches[i] + TARGET_STEPS) // INTERVAL_CELL
                key = key * cells + (pitches[k] - pitches[i] + TARGET_STEPS) // INTERVAL_CELL
                key = key * times + (frames[j] - frames[i]) // TIME_CELL
                keys[found] = key * times + (frames[k] - frames[i]) // TIME_CELL
                firsts[found] = i
                found += 1
    return found


@kernel
def _best_line(x: Vector, y: Vector, slopes: Vector, width: int) -> tuple[float, float]:
    """Slope and offset of the straight strip, 2 × `width` steps wide, with the most points."""
    best, best_slope, best_offset = 0, 1.0, 0.0
    low = y.min() - slopes.max() * x.max() - width
    size = int((y.max() - slopes.min() * x.min() - low) / width) + 3
    for s in range(slopes.size):
        votes = np.zeros(size, np.int64)
        for i in range(x.size):
            votes[int((y[i] - slopes[s] * x[i] - low) / width)] += 1
        for k in range(size - 1):
            if votes[k] + votes[k + 1] > best:
                best = votes[k] + votes[k + 1]
                best_slope, best_offset = slopes[s], low + (k + 1) * width
    return best_slope, best_offset


@kernel
def _common(moved: Vector, pitches: Vector, frames: Whole, others: Whole) -> NDArray[np.bool_]:
    """Which landmarks have one of the other file near them."""
    found = np.zeros(moved.size, np.bool_)
    start = 0
    for i in range(moved.size):
        hz = PITCH_ORIGIN_HZ * 2 ** (pitches[i] * STEP_CENTS / 1200)
        reach = max(NEAR_STEPS, 1200 / STEP_CENTS * np.log2(1 + NEAR_HZ / hz))
        while start < frames.size and frames[start] < moved[i] - NEAR_FRAMES:
            start += 1
        k = start
        while k < frames.size and frames[k] <= moved[i] + NEAR_FRAMES:
            if abs(others[k] - pitches[i]) <= reach:
                found[i] = True
                break
            k += 1
    return found
