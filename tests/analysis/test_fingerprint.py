"""The same recording is found again whatever is done to it, and another one never."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from processor import record
from processor.analysis.fingerprint import (
    NO_MATCH,
    STEPS,
    Fingerprint,
    Match,
    fingerprint,
    landmarks_of,
    similarity,
)
from processor.analysis.mono import SAMPLE_RATE_HZ, Mono, mono
from processor.audio import decode
from tests import signals
from tests.signals import Samples, audio

RATE = 44_100
Change = Callable[[Samples], Samples]


@functools.cache
def piece(seed: int, seconds: float = 16.0, *, bpm: float = 112.0, notes: bool = True) -> Samples:
    """Chords, a melody, a bass and drums, different for each seed, shape `(2, n)`; drums and tempo may be shared."""
    random = np.random.default_rng(seed)
    n = round(seconds * RATE)
    sound = np.zeros(n)
    beat = 60 / bpm
    chords = [48 + random.integers(0, 12) + np.array(shape) for shape in random.permuted([(0, 4, 7), (0, 3, 7)] * 4)]
    for k in range(int(seconds / beat) if notes else 0):
        chord = chords[(k // 4) % len(chords)]
        _add(sound, k * beat, beat * 0.9, [chord[0] - 12], 0.3)
        if k % 2 == 0:
            _add(sound, k * beat, beat * 1.8, list(chord), 0.12)
        _add(sound, (k + 0.5 * random.integers(0, 2)) * beat, beat * 0.6, [random.choice(chord) + 12], 0.2)
    _add_drums(sound, beat)
    sound /= np.abs(sound).max() * 1.2
    return np.stack([sound, sound * 0.8 + 0.2 * np.roll(sound, 300)]).astype(np.float32)


def _add(sound: np.ndarray, start: float, length: float, notes: list[int], gain: float) -> None:
    first = round(start * RATE)
    time = np.arange(min(round(length * RATE), sound.size - first)) / RATE
    for note in notes:
        hz = 440 * 2 ** ((note - 69) / 12)
        wave = sum(np.sin(2 * np.pi * hz * h * time + h) / h for h in range(1, 7))
        sound[first : first + time.size] += gain * wave * np.exp(-3 * time) * np.minimum(1, time / 0.01)


def _add_drums(sound: np.ndarray, beat: float) -> None:
    time = np.arange(sound.size) / RATE
    since = time % beat
    hiss = np.random.default_rng(99).standard_normal(sound.size)
    sound += 0.4 * np.sin(60 * 2 * np.pi * since + 5 * (1 - np.exp(-since * 30))) * np.exp(-since * 12)
    sound += 0.15 * hiss * np.exp(-((time + beat) % (2 * beat)) * 25)


@functools.cache
def original() -> Fingerprint:
    return measured(piece(1))


def measured(samples: Samples, rate: int = RATE) -> Fingerprint:
    return fingerprint(mono(audio(samples, rate)))


def equalised(samples: Samples, *moves: tuple[float, float, float]) -> Samples:
    """Bells of (Hz, dB, octaves), without a change of phase."""
    hz = np.maximum(1, np.fft.rfftfreq(samples.shape[1], 1 / RATE))
    gain_db = sum(db * np.exp(-((np.log2(hz / centre) / octaves) ** 2)) for centre, db, octaves in moves)
    return np.fft.irfft(np.fft.rfft(samples) * 10 ** (gain_db / 20), samples.shape[1]).astype(np.float32)


def shelved(samples: Samples, low_db: float, high_db: float, hz: float = 600) -> Samples:
    found = np.maximum(1, np.fft.rfftfreq(samples.shape[1], 1 / RATE))
    weight = 1 / (1 + (found / hz) ** 2)
    gain = 10 ** ((low_db * weight + high_db * (1 - weight)) / 20)
    return np.fft.irfft(np.fft.rfft(samples) * gain, samples.shape[1]).astype(np.float32)


def played_faster(samples: Samples, factor: float) -> Samples:
    """As a tape that runs faster: tempo and pitch both change."""
    return np.ascontiguousarray(soxr.resample(samples.T, RATE * factor, RATE).T, np.float32)


def stretched(samples: Samples, factor: float) -> Samples:
    """Faster at the same pitch: overlapping pieces of 40 ms are laid closer together, each where it fits best."""
    size, hop = round(0.04 * RATE), round(0.02 * RATE)
    window = np.hanning(size)
    steps = int((samples.shape[1] - 2 * size) / (hop * factor))
    out = np.zeros((2, steps * hop + size))
    at = 0
    for k in range(steps):
        wanted = round(k * hop * factor)
        if k:
            follow = samples[0, at + hop : at + hop + size]
            low = max(0, wanted - hop // 2)
            at = low + int(np.argmax(np.correlate(samples[0, low : wanted + hop // 2 + size], follow, "valid")))
        out[:, k * hop : k * hop + size] += samples[:, at : at + size] * window
    return out.astype(np.float32)


CHANGES: dict[str, Change] = {
    "quieter": lambda x: 0.1 * x,
    "hot and clipped": lambda x: np.clip(1.5 * x, -1, 1),
    "bells": lambda x: equalised(x, (250, -3, 0.7), (1000, 3, 0.7), (4000, -3, 0.7)),
    "bass up": lambda x: shelved(x, 3, -3),
    "treble up": lambda x: shelved(x, -3, 3),
    "beginning cut": lambda x: x[:, round(1.5 * RATE) :],
    "silence in front": lambda x: signals.joined(signals.silence(1.5, rate=RATE, channels=2), x),
    "end cut": lambda x: x[:, : 11 * RATE],
    "1 % faster": lambda x: played_faster(x, 1.01),
    "1 % slower": lambda x: played_faster(x, 0.99),
    "1 % faster, same pitch": lambda x: stretched(x, 1.01),
    "1 % slower, same pitch": lambda x: stretched(x, 0.99),
    "1 % higher, same tempo": lambda x: stretched(played_faster(x, 1.01), 1 / 1.01),
    "one channel": lambda x: x[:1],
    "all at once": lambda x: 0.3 * shelved(played_faster(x[:, round(1.5 * RATE) :], 1.01), 3, -3),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_same_recording_is_found(change: str) -> None:
    match = similarity(original(), measured(CHANGES[change](piece(1))))
    assert match.is_same, match
    assert match.score > 0.65
    assert 0 < match.weakest <= 1


@pytest.mark.parametrize(
    ("container", "codec"), [("mp3", "libmp3lame"), ("adts", "aac"), ("ogg", "libopus"), ("", "vorbis")]
)
def test_another_coding_is_found(container: str, codec: str, tmp_path: Path) -> None:
    if codec == "vorbis":
        buffer = io.BytesIO()
        soundfile.write(buffer, piece(1).T, RATE, format="OGG", subtype="VORBIS")
        path = tmp_path / "song.ogg"
        path.write_bytes(buffer.getvalue())
    else:
        rate = 48_000 if codec == "libopus" else RATE
        samples = played_faster(piece(1), RATE / rate) if rate != RATE else piece(1)
        path = signals.write_encoded(tmp_path / f"song.{container}", samples, rate, container=container, codec=codec)
    match = similarity(original(), fingerprint(mono(decode(path))))
    assert match.is_same, match
    assert match.speed == pytest.approx(1, abs=0.001)


def test_how_one_lies_on_the_other_is_told() -> None:
    moved = measured(played_faster(piece(1)[:, round(1.5 * RATE) :], 1.01))
    match = similarity(original(), moved)
    assert match.speed == pytest.approx(1.01, abs=0.001)
    assert match.pitch_cents == pytest.approx(17.2, abs=5)
    assert match.offset_s == pytest.approx(-1.5 / 1.01, abs=0.05)
    back = similarity(moved, original())
    assert back.speed == pytest.approx(1 / 1.01, abs=0.001)
    assert back.offset_s == pytest.approx(1.5, abs=0.05)


def test_a_stretch_changes_tempo_and_not_pitch() -> None:
    match = similarity(original(), measured(stretched(piece(1), 1.01)))
    assert match.speed == pytest.approx(1.01, abs=0.001)
    assert match.pitch_cents == pytest.approx(0, abs=5)


def test_a_copy_is_a_whole_match() -> None:
    assert similarity(original(), original()) == Match(1.0, 1.0, original().landmark_count, 1.0, 0.0, 1.0, 0.0)


OTHERS: dict[str, Callable[[], Samples]] = {
    "other notes, the same drums and tempo": lambda: piece(2),
    "other notes, the same drums, and another level": lambda: 0.2 * piece(3),
    "another tempo": lambda: piece(1, bpm=96.0),
    "the drums alone": lambda: piece(1, notes=False),
    "transposed by a semitone": lambda: played_faster(piece(1), 2 ** (1 / 12)),
    "noise": lambda: signals.noise(16.0, rate=RATE, channels=2),
    "one tone": lambda: signals.sine(440, 16.0, rate=RATE, channels=2),
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_recording_is_not_taken_for_it(other: str) -> None:
    match = similarity(original(), measured(OTHERS[other]()))
    assert not match.is_same, match
    assert match.score < 0.3


def test_pieces_of_a_few_seconds_are_told_apart() -> None:
    short = [measured(piece(seed, 4.0)) for seed in range(1, 5)]
    assert all(one.landmark_count for one in short)
    assert similarity(short[0], measured(0.5 * piece(1, 4.0))).is_same
    assert not any(similarity(a, b).is_same for a in short for b in short if a is not b)


def test_a_snippet_is_found_in_the_whole() -> None:
    match = similarity(measured(piece(1)[:, 6 * RATE : 12 * RATE]), original())
    assert match.is_same
    assert match.offset_s == pytest.approx(6, abs=0.05)


@pytest.mark.parametrize(
    "samples",
    [
        signals.silence(10.0),
        signals.constant(0.5, 10.0),
        signals.sine(440, 10.0),
        signals.sine(440, 0.001),
        np.zeros((1, 0), np.float32),
        piece(1, 2.0),
    ],
    ids=["silence", "direct current", "tone", "44 samples", "nothing", "two seconds"],
)
def test_too_little_to_recognise_has_no_fingerprint(samples: Samples) -> None:
    found = measured(samples, signals.RATE)
    assert found.landmark_count == found.landmarks.size == 0
    assert similarity(found, original()) == similarity(original(), found) == NO_MATCH


def test_landmarks_stand_where_the_tones_are() -> None:
    """Short tones of known pitch at known times."""
    sound = np.zeros(8 * SAMPLE_RATE_HZ)
    notes = [(0.5, 110.0), (2.0, 440.0), (3.5, 1000.0), (5.0, 2200.0)]
    for start, hz in notes:
        time = np.arange(SAMPLE_RATE_HZ // 4) / SAMPLE_RATE_HZ
        first = round(start * SAMPLE_RATE_HZ)
        sound[first : first + time.size] += np.sin(2 * np.pi * hz * time) * np.hanning(time.size)
    frames, pitches = landmarks_of(sound.astype(np.float32))
    found = [(t * 512 / SAMPLE_RATE_HZ, 20 * 2 ** (p * 5 / 1200)) for t, p in zip(frames, pitches, strict=True)]
    assert [t for t, _ in found] == pytest.approx([start + 0.125 for start, _ in notes], abs=0.03)
    assert [hz for _, hz in found] == pytest.approx([hz for _, hz in notes], rel=0.005)


def test_the_record_keeps_landmarks_exactly(tmp_path: Path) -> None:
    late = np.arange(1, 600, dtype=np.float64) * 1000 * STEPS + 4095  # four hours in
    for landmarks in (late, late[:20]):
        written = Fingerprint(43.066406, landmarks.size, landmarks)
        record.write(
            record.Record("track", "0" * 64, "x.wav", {"fingerprint": written}, {"fingerprint": "0"}), tmp_path
        )
        found = record.read(tmp_path, {"fingerprint": Fingerprint}).results["fingerprint"]
        assert np.array_equal(found.landmarks, landmarks)


def test_two_runs_give_the_same() -> None:
    samples = mono(audio(piece(1), RATE)).samples
    before = samples.copy()
    found = [fingerprint(Mono(samples, SAMPLE_RATE_HZ, 16.0)) for _ in range(2)]
    assert np.array_equal(found[0].landmarks, found[1].landmarks)
    assert np.array_equal(samples, before)
