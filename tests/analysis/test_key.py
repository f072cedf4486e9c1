"""Keys of cadences that are synthesised in every key, and what has none."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from processor.analysis.chroma import chroma
from processor.analysis.key import HARMONY, KEYS, MIX, Key, camelot, compatible, key, parse_key
from processor.analysis.mono import SAMPLE_RATE_HZ, Mono
from processor.analysis.stem_harmony import StemHarmony
from processor.errors import WrongUsage
from processor.person import merge
from tests import signals

RATE = SAMPLE_RATE_HZ
Row = np.ndarray

# The wheel as it is printed, by hand: major outside, minor inside.
WHEEL = {
    "1A": "G# minor",
    "2A": "Eb minor",
    "3A": "Bb minor",
    "4A": "F minor",
    "5A": "C minor",
    "6A": "G minor",
    "7A": "D minor",
    "8A": "A minor",
    "9A": "E minor",
    "10A": "B minor",
    "11A": "F# minor",
    "12A": "C# minor",
    "1B": "B major",
    "2B": "F# major",
    "3B": "Db major",
    "4B": "Ab major",
    "5B": "Eb major",
    "6B": "Bb major",
    "7B": "F major",
    "8B": "C major",
    "9B": "G major",
    "10B": "D major",
    "11B": "A major",
    "12B": "E major",
}

# Degrees of a cadence: (semitones above the tonic, intervals of the chord).
MAJOR, MINOR = (0, 4, 7), (0, 3, 7)
CADENCE = {
    "major": ((0, MAJOR), (5, MAJOR), (7, MAJOR), (0, MAJOR), (9, MINOR), (2, MINOR), (7, MAJOR), (0, MAJOR)),
    "minor": ((0, MINOR), (5, MINOR), (7, MAJOR), (0, MINOR), (8, MAJOR), (5, MINOR), (7, MAJOR), (0, MINOR)),
}
# A minor without its leading note, as most of pop and dance has it: i–VII–i–v.
LOOP = ((0, MINOR), (10, MAJOR), (0, MINOR), (7, MINOR))


@functools.cache
def tone(note: int, seconds: float, a4: float) -> Row:
    hz = a4 * 2 ** ((note - 69) / 12)
    time = np.arange(round(seconds * RATE)) / RATE
    parts = [0.6**k * np.sin(2 * np.pi * (k + 1) * hz * time) for k in range(6) if (k + 1) * hz < RATE / 2]
    return (0.05 * np.sum(parts, axis=0) * np.exp(-time)).astype(np.float32)


def chord(root: int, intervals: tuple[int, ...], *, inversion: int = 0, seconds: float = 1.0, a4: float = 440.0) -> Row:
    """A triad around middle C with its root (or third or fifth) in the bass."""
    base = 55 + (root - 55) % 12
    bass = 36 + (root + intervals[inversion]) % 12
    return sum((tone(base + i, seconds, a4) for i in intervals), start=tone(bass, seconds, a4).copy())


def cadence(name: str, *, times: int = 2, a4: float = 440.0, inversion: int = 0) -> Row:
    tonic, mode = KEYS.index(name) % 12, name.split()[1]
    return np.concatenate([chord(tonic + r, i, inversion=inversion, a4=a4) for r, i in CADENCE[mode]] * times)


def drums(size: int) -> Row:
    time = np.arange(size) / RATE
    beat = time % 0.5
    kick = np.sin(2 * np.pi * 50 * beat + 6 * (1 - np.exp(-beat * 30))) * np.exp(-beat * 9)
    snare = signals.noise(size / RATE + 1, 0.0, rate=RATE)[0][:size] * np.exp(-((time + 0.5) % 1.0) * 25)
    return (0.5 * kick + 0.12 * snare).astype(np.float32)


def heard(row: Row, **known: object) -> Key:
    row = np.ascontiguousarray(row, np.float32)
    return key(chroma(Mono(row, RATE, row.size / RATE)), known)


# Names


def test_the_camelot_wheel() -> None:
    assert {camelot(name): name for name in KEYS} == WHEEL
    assert camelot("A minor") == "8A"
    assert camelot("C major") == "8B"


def test_keys_that_mix() -> None:
    assert compatible("A minor") == ("A minor", "E minor", "D minor", "C major")
    assert compatible("E major") == ("E major", "B major", "A major", "C# minor")
    for name in KEYS:
        near = [camelot(other) for other in compatible(name)]
        hour, letter = int(camelot(name)[:-1]), camelot(name)[-1]
        up, down = hour % 12 + 1, (hour - 2) % 12 + 1
        assert near == [f"{hour}{letter}", f"{up}{letter}", f"{down}{letter}", f"{hour}{'AB'[letter == 'A']}"]
        assert all(name in compatible(other) for other in compatible(name))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *((name, name) for name in KEYS),
        *((hour, name) for hour, name in WHEEL.items()),
        ("Am", "A minor"),
        ("a minor", "A minor"),
        ("A MINOR", "A minor"),
        ("AM", "A major"),
        ("A", "A major"),
        ("b", "B major"),
        ("bb", "Bb major"),
        ("Bbm", "Bb minor"),
        ("B♭ maj", "Bb major"),
        ("F♯ min", "F# minor"),
        ("Gb major", "F# major"),
        ("D# minor", "Eb minor"),
        ("Ab minor", "G# minor"),
        ("Cb major", "B major"),
        (" c dur ", "C major"),
        ("8a", "8A"),
    ],
)
def test_a_key_is_understood_however_it_is_written(text: str, name: str) -> None:
    assert parse_key(text) == WHEEL.get(name, name)


@pytest.mark.parametrize("text", ["", "H major", "A mayor", "13A", "0B", "8C", "A minor!", "key of A", "##", "Abb"])
def test_nonsense_is_no_key(text: str) -> None:
    with pytest.raises(ValueError, match="is no key"):
        parse_key(text)


# Estimates


@pytest.mark.parametrize("name", KEYS)
def test_a_cadence_is_in_its_key(name: str) -> None:
    found = heard(cadence(name))
    assert (found.name, found.camelot) == (name, camelot(name))
    assert found.confidence > 0.5 > found.runner_up_confidence
    assert found.runner_up in KEYS
    assert found.runner_up != name
    assert found.runner_up_camelot == camelot(found.runner_up)
    assert found.names == (name,)
    assert found.intervals_s == pytest.approx(np.array([[0.0, 16.0]]))


@pytest.mark.parametrize("a4", [432.0, 450.0])
@pytest.mark.parametrize("name", ["C major", "A minor", "F# major", "Eb minor"])
def test_tuning_is_no_matter(name: str, a4: float) -> None:
    found = heard(cadence(name, a4=a4))
    assert found.name == name
    assert found.tuning_cents == pytest.approx(1200 * np.log2(a4 / 440), abs=3)


@pytest.mark.parametrize("inversion", [1, 2])
@pytest.mark.parametrize("name", ["G major", "D minor", "B major", "C# minor"])
def test_inversions_are_no_matter(name: str, inversion: int) -> None:
    assert heard(cadence(name, inversion=inversion)).name == name


@pytest.mark.parametrize("name", ["Bb major", "E minor", "Ab major", "F minor"])
def test_drums_are_no_matter(name: str) -> None:
    music = cadence(name)
    assert heard(music + 0.4 * drums(music.size)).name == name


@pytest.mark.parametrize("tonic", range(12))
def test_a_minor_without_leading_note(tonic: int) -> None:
    loop = np.concatenate([chord(tonic + r, i, seconds=2.0) for r, i in LOOP * 2])
    assert heard(loop).name == KEYS[12 + tonic]


@pytest.mark.parametrize(
    ("first", "second"), [("C major", "E major"), ("A minor", "C# minor"), ("G minor", "F# minor")]
)
def test_a_change_of_key_is_found_where_it_happens(first: str, second: str) -> None:
    found = heard(np.concatenate([cadence(first, times=4), cadence(second, times=4)]))
    assert found.names == (first, second)
    assert found.intervals_s.ravel() == pytest.approx([0.0, 32.0, 32.0, 64.0], abs=4.0)
    assert found.intervals_s[0, 1] == found.intervals_s[1, 0]
    assert found.name in {first, second}


@pytest.mark.parametrize(
    "row",
    [
        signals.silence(8.0, rate=RATE)[0],
        signals.noise(20.0, rate=RATE)[0],
        signals.constant(0.5, 8.0, rate=RATE)[0],
        drums(20 * RATE),
        signals.sine(440, 8.0, rate=RATE)[0],
        cadence("C major")[: RATE // 2],
    ],
    ids=["silence", "noise", "direct current", "drums", "one tone", "too short"],
)
def test_what_has_no_key(row: Row) -> None:
    found = heard(row)
    assert (found.name, found.camelot, found.confidence) == (None, None, None)
    assert (found.runner_up, found.runner_up_camelot, found.runner_up_confidence) == (None, None, None)
    assert found.names == (None,)


def test_nothing_at_all() -> None:
    found = heard(np.zeros(0, np.float32))
    assert found.name is None
    assert (found.names, found.intervals_s.shape) == ((), (0, 2))


def test_transposing_the_music_transposes_the_key() -> None:
    """The same confidences, a semitone on."""
    low, high = heard(cadence("C minor")), heard(cadence("C# minor"))
    assert high.name == "C# minor"
    assert high.confidence == pytest.approx(low.confidence, abs=0.05)


def test_the_same_again() -> None:
    row = cadence("G minor")
    before = row.copy()
    first, second = heard(row), heard(row)
    assert repr(first) == repr(second)
    assert np.array_equal(row, before)


# A person's word


def test_a_person_knows_better() -> None:
    row = cadence("A minor")
    found = heard(row, name="G minor")
    assert (found.name, found.camelot, found.confidence) == ("G minor", "6A", 1.0)
    assert (found.runner_up, found.runner_up_camelot) == ("A minor", "8A")
    assert found.names == ("G minor",)
    assert found.tuning_cents == heard(row).tuning_cents


@pytest.mark.parametrize(
    ("known", "name"),
    [({"name": "gm"}, "G minor"), ({"name": "6a"}, "G minor"), ({"name": "C"}, "C major")],
)
def test_a_word_may_be_short(known: dict[str, object], name: str) -> None:
    found = heard(cadence("A minor"), **known)
    assert (found.name, found.camelot, found.confidence) == (name, camelot(name), 1.0)


def test_a_person_may_agree() -> None:
    plain, said = heard(cadence("A minor")), heard(cadence("A minor"), name="A minor")
    assert (said.name, said.confidence) == ("A minor", 1.0)
    assert said.runner_up == plain.runner_up


def test_a_person_may_name_the_key_of_what_has_none() -> None:
    found = heard(signals.silence(8.0, rate=RATE)[0], name="D major")
    assert (found.name, found.camelot, found.runner_up) == ("D major", "10B", None)
    assert found.names == ("D major",)


def test_a_word_is_kept_by_its_usual_name_or_refused() -> None:
    assert merge({}, ["key.name=gm"]) == {"key.name": "G minor"}
    assert merge({"key.name": "G minor"}, ["key.name="]) == {}
    with pytest.raises(WrongUsage, match="is no key"):
        merge({}, ["key.name=loud"])
    with pytest.raises(WrongUsage, match="no matter of opinion"):
        merge({}, ["key.confidence=1"])


def test_a_word_that_is_no_key_leaves_the_estimate() -> None:
    row = cadence("A minor")
    assert repr(heard(row, name="loud")) == repr(heard(row))


# Stems


def harmony(share: float | None = 1.0, **chances: float) -> StemHarmony:
    """Bass and harmony in keys that are so probable; "Cs_minor" is C# minor."""
    given = np.zeros(len(KEYS))
    for name, chance in chances.items():
        given[KEYS.index(name.replace("s_", "#_").replace("_", " "))] = chance
    best = int(given.argmax()) if given.any() else None
    name, sure = (None, None) if best is None else (KEYS[best], float(given[best]))
    return StemHarmony(("bass", "other"), share, name, sure, given)


def both(row: Row, stems: StemHarmony, **known: object) -> Key:
    row = np.ascontiguousarray(row, np.float32)
    return key(chroma(Mono(row, RATE, row.size / RATE)), known, stems)


def test_without_stems_the_mix_is_heard() -> None:
    found = heard(cadence("C major"))
    assert (found.key_from, found.key_why) == (MIX, "There are no stems.")


@pytest.mark.parametrize(
    ("stems", "why"),
    [
        (harmony(C_major=1.0), "Mix and stems agree on the key."),
        (harmony(A_minor=1.0), "The mix is right more often; bass and harmony alone suggest A minor."),
        (harmony(None), "Bass and harmony alone have no key."),
    ],
)
def test_the_mix_s_key_stays(stems: StemHarmony, why: str) -> None:
    alone, found = heard(cadence("C major")), both(cadence("C major"), stems)
    assert (found.key_from, found.key_why) == (MIX, why)
    assert (found.name, found.confidence, found.runner_up) == (alone.name, alone.confidence, alone.runner_up)


def test_stems_have_the_key_where_drums_drown_it() -> None:
    found = both(drums(20 * RATE), harmony(A_minor=0.9, C_major=0.1))
    assert (found.name, found.camelot, found.confidence) == ("A minor", "8A", 0.9)
    assert (found.runner_up, found.runner_up_confidence) == ("C major", pytest.approx(0.1))
    assert (found.key_from, found.key_why) == (HARMONY, "Only bass and harmony alone have a key.")
    assert found.names == ("A minor",)


def test_no_key_is_heard_nowhere() -> None:
    found = both(drums(20 * RATE), harmony(None))
    assert (found.name, found.key_from, found.key_why) == (None, None, None)


@pytest.mark.parametrize("row", [cadence("C major"), drums(20 * RATE)], ids=["with a key", "without"])
def test_a_person_s_key_wins_over_stems(row: Row) -> None:
    found = both(row, harmony(A_minor=1.0), name="E minor")
    assert (found.name, found.confidence, found.key_why) == ("E minor", 1.0, "A person said it.")
