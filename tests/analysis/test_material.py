"""What kind of sound it is, told of sounds that are made from formulas and played no part in fitting."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import scipy.signal
from numpy.typing import NDArray

from processor.analysis import material as module
from processor.analysis.bands import bands
from processor.analysis.chroma import chroma
from processor.analysis.material import KINDS, Material, Traits, material, mix_chance, parse_kind, traits
from processor.analysis.mel import mel
from processor.analysis.mono import mono
from processor.analysis.onsets import onsets
from processor.analysis.spectrum import spectrum
from processor.graph import Known
from tests import signals
from tests.signals import Samples, audio

RATE = 22_050
SECONDS = 14.0
Row = NDArray[np.float64]


def hear(samples: Samples, rate: int = RATE, known: Known | None = None) -> Material:
    sound = audio(samples, rate)
    one = mono(sound)
    heard = mel(one)
    powers = bands(sound)
    return material(powers, heard, onsets(heard), chroma(one), spectrum(sound, powers), known or {})


def traits_of(samples: Samples) -> Traits:
    sound = audio(samples, RATE)
    one = mono(sound)
    heard = mel(one)
    found = traits(bands(sound), heard, onsets(heard), chroma(one))
    assert found is not None
    return found


def row_of(row: Row) -> Samples:
    return np.asarray(0.3 * row / np.abs(row).max(), np.float32)[None]


# Sounds


def note(hz: float, seconds: float, overtones: int, decay: float) -> Row:
    time = np.arange(int(seconds * RATE)) / RATE
    parts = [
        0.6 ** (k - 1) * np.exp(-decay * k**0.5 * time) * np.sin(2 * np.pi * hz * k * time + k)
        for k in range(1, overtones + 1)
    ]
    ends = np.minimum(1, np.minimum(time / 0.005, (seconds - time) / 0.02))
    return np.asarray(sum(parts) * ends)


def melody(pitches: Sequence[int | None], step_s: float, overtones: int, decay: float) -> Row:
    """One note after the other; None rests."""
    rows = [
        np.zeros(int(step_s * RATE))
        if pitch is None
        else note(440 * 2 ** ((pitch - 69) / 12), step_s, overtones, decay)
        for pitch in pitches
    ]
    return np.resize(np.concatenate(rows), int(SECONDS * RATE))


def drums(random: np.random.Generator) -> Row:
    row = np.zeros(int(SECONDS * RATE) + RATE)
    treble = scipy.signal.butter(2, 6000, "high", fs=RATE)
    time = np.arange(RATE // 4) / RATE
    for beat in range(int(SECONDS * 2)):
        at = beat * RATE // 2
        row[at : at + time.size] += np.sin(2 * np.pi * 50 * time + 30 * (1 - np.exp(-30 * time))) * np.exp(-14 * time)
        if beat % 2:
            row[at : at + time.size] += 0.4 * random.standard_normal(time.size) * np.exp(-22 * time)
        for half in (at, at + RATE // 4):
            hit = scipy.signal.lfilter(*treble, random.standard_normal(time.size)) * np.exp(-60 * time)
            row[half : half + time.size] += random.uniform(0.1, 0.3) * hit
    return row[: int(SECONDS * RATE)]


@functools.cache
def band() -> dict[str, Row]:
    """Four parts that are a mix together."""
    random = np.random.default_rng(3)
    roots = [45, 41, 48, 43]
    bass: list[int | None] = [roots[k // 8 % 4] - 12 * int(random.random() < 0.3) for k in range(64)]
    lead: list[int | None] = [
        int(random.choice([69, 72, 74, 76, 79, 81])) if random.random() < 0.7 else None for _ in range(41)
    ]
    chords = sum(melody([r + step for r in roots], 2.0, 9, 0.2) for step in (12, 16, 19))
    return {
        "bass": 0.5 * melody(bass, 0.25, 8, 2.0),
        "chords": 0.14 * np.asarray(chords),
        "lead": 0.25 * melody(lead, 0.375, 10, 0.5),
        "drums": drums(random),
    }


def mix() -> Row:
    return np.asarray(sum(band().values()))


def speech(seed: int) -> Row:
    """Syllables whose pitch glides, each with formants of its own, hisses between them, and pauses."""
    random = np.random.default_rng(seed)
    hiss = scipy.signal.butter(2, (3000, 9000), "band", fs=RATE)
    rows: list[Row] = []
    while sum(row.size for row in rows) < SECONDS * RATE:
        for _ in range(random.integers(4, 9)):
            count = int(random.uniform(0.1, 0.22) * RATE)
            pitch = np.linspace(random.uniform(90, 180), random.uniform(80, 170), count)
            voice = (np.cumsum(pitch) / RATE % 1 < 0.1) - 0.1 + 0.02 * random.standard_normal(count)
            formants = ((random.uniform(300, 800), 1.0), (random.uniform(900, 2200), 0.5), (2700, 0.25))
            syllable = sum(gain * resonance(hz, voice) for hz, gain in formants)
            rows.append(random.uniform(0.4, 1) * np.asarray(syllable) * np.hanning(count) ** 0.5)
            if random.random() < 0.6:
                noise = random.standard_normal(int(random.uniform(0.05, 0.12) * RATE))
                rows.append(0.12 * scipy.signal.lfilter(*hiss, noise) * np.hanning(noise.size))
        rows.append(1e-4 * random.standard_normal(int(random.uniform(0.2, 0.6) * RATE)))
    return np.concatenate(rows)[: int(SECONDS * RATE)]


def resonance(hz: float, signal: Row) -> Row:
    pole = np.exp(-np.pi * 110 / RATE)
    poles = [1, -2 * pole * np.cos(2 * np.pi * hz / RATE), pole * pole]
    return np.asarray(scipy.signal.lfilter([1 - pole], poles, signal))


def coloured(slope: float) -> Row:
    """Noise whose amplitude falls with a power of the frequency."""
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(int(SECONDS * RATE)))
    return np.asarray(np.fft.irfft(spectrum / np.maximum(1, np.arange(spectrum.size)) ** slope, int(SECONDS * RATE)))


# Kinds


def test_a_band_is_a_mix() -> None:
    found = hear(row_of(mix()))
    assert (found.kind, found.second_kind) == ("mix", "solo")
    assert found.confidence is not None
    assert found.confidence > 0.7


ALTERATIONS: dict[str, Callable[[Row], Row]] = {
    "dull": lambda row: scipy.signal.sosfilt(scipy.signal.butter(4, 3000, fs=RATE, output="sos"), row),
    "thin": lambda row: scipy.signal.sosfilt(scipy.signal.butter(2, 120, "high", fs=RATE, output="sos"), row),
    "clipped": lambda row: np.clip(row, -0.3, 0.3),
    "noisy": lambda row: row + 0.01 * np.random.default_rng(2).standard_normal(row.size),
    "quiet": lambda row: 0.003 * row,
    "with a constant shift": lambda row: row + 0.3,
}


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_a_broken_mix_is_still_a_mix(alteration: str) -> None:
    altered = ALTERATIONS[alteration](mix())
    samples = np.asarray(0.3 * altered[None], np.float32)
    assert hear(samples).kind == "mix"


@pytest.mark.parametrize("part", ["bass", "lead", "drums"])
def test_one_part_of_it_is_none(part: str) -> None:
    found = hear(row_of(band()[part]))
    assert found.kind == "solo"
    assert found.confidence is not None
    assert found.confidence > 0.6


def test_a_tone_is_one_source() -> None:
    assert hear(signals.sine(440, SECONDS, -12.0, rate=RATE)).kind == "solo"


@pytest.mark.parametrize("seed", range(3))
def test_speech(seed: int) -> None:
    found = hear(row_of(speech(seed)))
    assert (found.kind, found.second_kind) == ("speech", "solo")


def test_speech_over_a_band_is_a_mix() -> None:
    rows = mix() / np.abs(mix()).max() + speech(0) / np.abs(speech(0)).max()
    assert hear(row_of(rows)).kind == "mix"


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_noise(slope: float) -> None:
    found = hear(row_of(coloured(slope)))
    assert found.kind == "noise"
    assert found.confidence is not None
    assert found.confidence > 0.9


@pytest.mark.parametrize(("dbfs", "kind"), [(-60.0, "noise"), (-75.0, "silence"), (-200.0, "silence")])
def test_silence_is_what_no_meter_shows(dbfs: float, kind: str) -> None:
    found = hear(signals.noise(6.0, dbfs, rate=RATE))
    assert found.kind == kind
    if kind == "silence":
        assert (found.confidence, found.second_kind, found.evidence) == (1.0, None, "never above -70 dBFS")


def test_silence_in_any_length() -> None:
    for samples in (signals.silence(5.0, rate=RATE), np.zeros((2, 0), np.float32), signals.constant(0.5, 5.0)):
        assert hear(samples).kind == "silence"


@pytest.mark.parametrize(("seconds", "there"), [(0.5, False), (2.7, False), (3.6, True)])
def test_too_little_sound_cannot_be_told(seconds: float, there: bool) -> None:
    row = mix()[: int(seconds * RATE)]
    found = hear(np.concatenate([row_of(row), signals.silence(5.0, rate=RATE)], axis=1))
    assert (found.kind is not None) is there
    if not there:
        assert found == Material(None, None, None, "less than 3 s of sound")


# A person's word


@pytest.mark.parametrize("said", KINDS)
def test_a_person_knows_better(said: str) -> None:
    found = hear(row_of(mix()), known={"kind": said})
    assert (found.kind, found.confidence) == (said, 1.0)
    assert found.second_kind == ("mix" if said != "mix" else "solo")
    assert found.evidence.startswith("set by a person; measured: ")


def test_a_person_can_say_what_is_too_short_to_tell() -> None:
    found = hear(row_of(mix()[:RATE]), known={"kind": "mix"})
    assert (found.kind, found.confidence, found.second_kind) == ("mix", 1.0, None)


def test_a_word_that_is_no_kind_changes_nothing() -> None:
    for word in ("opera", "", None, 3):
        assert hear(row_of(mix()), known={"kind": word}) == hear(row_of(mix()))


def test_words_for_kinds() -> None:
    assert [parse_kind(kind.upper() + " ") for kind in KINDS] == list(KINDS)
    assert [parse_kind(word) for word in ("song", "Talk", "stem")] == ["mix", "speech", "solo"]
    with pytest.raises(
        ValueError, match="'opera' is no kind of material; say one of silence, noise, speech, solo, mix"
    ):
        parse_kind("opera")


# Traits


@pytest.mark.parametrize(
    ("facts", "chance"),
    [
        ({"flatness": 0.0004, "sub_db": -50.0, "mids_db": -30.0}, 0.6),
        ({"flatness": 0.0006, "sub_db": -50.0, "mids_db": -30.0}, None),
        ({"flatness": 0.0004, "sub_db": -47.0, "mids_db": -30.0}, None),
        ({"flatness": 0.0004, "sub_db": None, "mids_db": -30.0}, None),
    ],
)
def test_without_drums_and_a_low_end_it_is_no_mix_for_sure(
    facts: dict[str, float | None], chance: float | None
) -> None:
    sound = signals.audio(row_of(mix()), RATE)
    one = mono(sound)
    heard, powers = mel(one), bands(sound)
    bare = dataclasses.replace(spectrum(sound, powers), **facts)
    usual, found = hear(row_of(mix())), material(powers, heard, onsets(heard), chroma(one), bare, {})
    assert usual.confidence is not None
    assert usual.confidence > 0.7
    assert (found.kind, found.confidence) == ("mix", pytest.approx(usual.confidence if chance is None else chance))
    assert ("neither drums" in found.evidence) is (chance is not None)


def test_traits_of_known_sounds() -> None:
    whole, kit, lead = (traits_of(row_of(row)) for row in (mix(), band()["drums"], band()["lead"]))
    assert whole.body > 0.95 > kit.body
    assert whole.parts > 7 > kit.parts
    assert kit.neighbours > 0.85 > whole.neighbours
    assert lead.notes < 1.5 < whole.notes
    assert kit.clarity < 0.05 < whole.clarity
    assert kit.rests > 0.2 > whole.rests
    assert kit.together > 0.7
    assert kit.depth > whole.depth


@pytest.mark.parametrize(("fall_db", "rests", "body"), [(15.0, 0.0, 1.0), (21.8, 0.5, 1.0), (30.0, 0.5, 0.5)])
def test_rests_and_the_body_that_sounds_through_them(fall_db: float, rests: float, body: float) -> None:
    """Half of the time all is so much fainter: 20 dB are a rest, 25 dB are none of the body."""
    loud = row_of(coloured(0.5)[: 6 * RATE])
    before, behind = loud[:, : 3 * RATE], loud[:, 3 * RATE :]
    found = traits_of(np.concatenate([before, loud * np.float32(signals.amplitude(-fall_db)), behind], axis=1))
    assert (found.rests, found.body) == (pytest.approx(rests, abs=0.03), pytest.approx(body, abs=0.05))


@pytest.mark.parametrize("is_before", [True, False])
def test_what_is_faint_before_and_behind_the_music_tells_nothing(is_before: bool) -> None:
    """Hum in a pause behind a mix, or a soft beginning, made it one instrument that rests."""
    music = row_of(mix())
    faint = music[:, : 8 * RATE] * np.float32(signals.amplitude(-20.0))
    alone, both = traits_of(music), traits_of(np.concatenate([faint, music] if is_before else [music, faint], axis=1))
    assert (both.rests, both.body, both.parts) == pytest.approx((alone.rests, alone.body, alone.parts), abs=0.3)


@pytest.mark.parametrize("gain", [0.01, 1e4])
def test_a_gain_changes_no_trait(gain: float) -> None:
    samples = row_of(mix())
    before, after = (dataclasses.astuple(traits_of(one)) for one in (samples, samples * np.float32(gain)))
    assert after == pytest.approx(before, rel=1e-3, abs=1e-3)


def test_each_trait_speaks_as_it_is_said() -> None:
    """From the traits of a typical mix, each step towards one source lowers the chance, by the weight that is said."""
    typical = Traits(0.3, 1.0, 7.6, 0.6, 0.25, 2.3, 0.28, 0.9, 0.5, 0.0)
    assert mix_chance(typical) == pytest.approx(0.93, abs=0.03)
    steps = {
        "depth": (0.6, 0.56),
        "body": (0.8, 1.38),
        "parts": (4.0, 1.23),
        "neighbours": (0.4, 0.9),
        "stands": (0.45, 0.64),
        "notes": (1.5, 1.8),
        "clarity": (0.03, 2.04),
    }

    def score(one: Traits) -> float:
        chance = mix_chance(one)
        return float(np.log(chance / (1 - chance)))

    for name, (value, nats) in steps.items():
        changed = dataclasses.replace(typical, **{name: value})
        assert score(typical) - score(changed) == pytest.approx(nats, abs=0.02), name
    for name, value in (("notes", 4.0), ("clarity", 0.9), ("contrast", 0.0), ("together", 0.0), ("rests", 0.5)):
        assert mix_chance(dataclasses.replace(typical, **{name: value})) == mix_chance(typical), name
    still = dataclasses.replace(typical, stands=0.9)
    assert mix_chance(still) == mix_chance(dataclasses.replace(typical, stands=0.5))


def test_the_evidence_is_in_words() -> None:
    evidence = hear(row_of(band()["lead"])).evidence
    assert "notes at once" in evidence
    assert "independent registers" in evidence


def test_the_chances_add_up_to_one() -> None:
    sound = audio(row_of(mix()), RATE)
    one = mono(sound)
    heard = mel(one)
    chances, _ = module._hear(bands(sound), heard, onsets(heard), chroma(one))
    assert sum(chances.values()) == pytest.approx(1)
    assert set(chances) == {"noise", "speech", "solo", "mix"}
